/* Costs against counting and the published rank tables; rank rules against plain
 * searches. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ranklab/rank.h"
#include "ranklab/rng.h"

enum { MAX_LAYERS = 16, MAX_D = 64 };

static struct lr_rank_layer layer(const char *name, int k, int c, int d, int size)
{
    return (struct lr_rank_layer){.name = name,
                                  .split = LR_SPLIT_CHANNEL,
                                  .c = c,
                                  .d = d,
                                  .kh = k,
                                  .kw = k,
                                  .group = 1,
                                  .positions = (int64_t)size * size,
                                  .mid_positions = (int64_t)size * size,
                                  .has_bias = true};
}

static struct lr_ranks of(int channel)
{
    return (struct lr_ranks){channel, 0};
}

static double speedup(const struct lr_rank_layer *layers, const int *ranks, int n)
{
    double whole = 0, split = 0;

    for (int i = 0; i < n; i++) {
        whole += (double)lr_macs_whole(&layers[i]);
        split += (double)lr_macs_at(&layers[i], of(ranks[i]));
    }
    return whole / split;
}

static double thousandths(double x)
{
    return floor(x * 1000 + 0.5) / 1000;
}

/* ---- cost ---- */

static void cost__reproduces_the_spp10_table(void **state)
{
    (void)state;
    const struct lr_rank_layer l[] = {
        layer("conv2", 5, 96, 256, 35),  layer("conv3", 3, 256, 512, 18),
        layer("conv4", 3, 512, 512, 18), layer("conv5", 3, 512, 512, 18),
        layer("conv6", 3, 512, 512, 18), layer("conv7", 3, 512, 512, 18)};
    const int table[][6] = {{83, 182, 211, 239, 237, 253},
                            {62, 138, 149, 166, 162, 167},
                            {50, 112, 114, 122, 117, 119},
                            {41, 94, 93, 98, 92, 90}};
    const double speedups[] = {2.101, 3.003, 4.001, 5.003};
    for (int i = 0; i < 4; i++)
        assert_true(thousandths(speedup(l, table[i], 6)) == speedups[i]);
}

static void cost__reproduces_the_vgg16_table(void **state)
{
    (void)state;
    const struct lr_rank_layer l[] = {
        layer("1_1", 3, 3, 64, 224),   layer("1_2", 3, 64, 64, 224),
        layer("2_1", 3, 64, 128, 112), layer("2_2", 3, 128, 128, 112),
        layer("3_1", 3, 128, 256, 56), layer("3_2", 3, 256, 256, 56),
        layer("3_3", 3, 256, 256, 56), layer("4_1", 3, 256, 512, 28),
        layer("4_2", 3, 512, 512, 28), layer("4_3", 3, 512, 512, 28),
        layer("5_1", 3, 512, 512, 14), layer("5_2", 3, 512, 512, 14),
        layer("5_3", 3, 512, 512, 14)};
    const int ranks[] = {64, 11, 25, 28, 52, 46, 56, 104, 92, 100, 232, 224, 214};
    assert_true(thousandths(speedup(l, ranks, 13)) == 4.005);
}

static void cost__equals_counted_operations(void **state)
{
    (void)state;
    int k = 3, c = 5, d = 7, size = 4, rank = 2;
    struct lr_rank_layer l = layer("x", k, c, d, size);
    int64_t whole = 0, split = 0, weights = 0, split_weights = 0;
    for (int at = 0; at < size * size; at++) {
        for (int i = 0; i < d; i++)
            for (int j = 0; j < k * k * c; j++)
                whole++;
        for (int i = 0; i < rank; i++)
            for (int j = 0; j < k * k * c; j++)
                split++;
        for (int i = 0; i < d; i++)
            for (int j = 0; j < rank; j++)
                split++;
    }
    for (int i = 0; i < d; i++)
        weights += k * k * c;
    for (int i = 0; i < rank; i++)
        split_weights += k * k * c;
    for (int i = 0; i < d; i++)
        split_weights += rank + 1;
    assert_int_equal(lr_macs_whole(&l), whole);
    assert_int_equal(lr_macs_split(&l, of(rank)), split);
    assert_int_equal(lr_params_whole(&l), weights + d);
    assert_int_equal(lr_params_split(&l, of(rank)), split_weights + rank);
    l.has_bias = false;
    assert_int_equal(lr_params_whole(&l), weights);
    assert_int_equal(lr_params_split(&l, of(rank)), split_weights);
}

static void cost__break_even_and_speedups_equal_a_search(void **state)
{
    (void)state;
    struct lr_rng r;
    lr_rng_seed(&r, 1);
    for (int t = 0; t < 400; t++) {
        struct lr_rank_layer l = {.split = LR_SPLIT_CHANNEL,
                                  .d = 1 + (int)lr_rng_below(&r, 200),
                                  .c = 1 + (int)lr_rng_below(&r, 600),
                                  .kh = 1,
                                  .kw = 1,
                                  .positions = 1 + (int64_t)lr_rng_below(&r, 50)};
        struct lr_ranks found;
        int first = 1;
        while (lr_macs_split(&l, of(first)) < lr_macs_whole(&l))
            first++;
        assert_int_equal(lr_break_even(&l, of(1)), first);
        assert_true(first <= l.d);
        for (int rank = 1; rank <= l.d; rank++) {
            int64_t want = rank < first ? lr_macs_split(&l, of(rank)) : lr_macs_whole(&l);
            assert_int_equal(lr_macs_at(&l, of(rank)), want);
            int64_t params =
                rank < first ? lr_params_split(&l, of(rank)) : lr_params_whole(&l);
            assert_int_equal(lr_params_at(&l, of(rank)), params);
        }
        double x = t % 3 == 0 ? (double)(1 + t % 7) : 0.5 + 6 * lr_rng_uniform(&r);
        int largest = 0;
        for (int rank = 1; rank <= l.d; rank++)
            if ((double)lr_macs_whole(&l) >= x * (double)lr_macs_split(&l, of(rank)))
                largest = rank;
        assert_int_equal(lr_ranks_for_speedup(&found, &l, x, 1), largest > 0);
        assert_int_equal(found.channel, largest > 0 ? largest : 1);
    }
    struct lr_rank_layer thin = layer("thin", 1, 1, 64, 8);
    assert_int_equal(lr_break_even(&thin, of(1)), 1);
    assert_int_equal(lr_macs_at(&thin, of(1)), lr_macs_whole(&thin));
    struct lr_ranks found;
    assert_false(lr_ranks_for_speedup(&found, &thin, 2, 1));
}

static void cost__saturates(void **state)
{
    (void)state;
    struct lr_rank_layer l = {.split = LR_SPLIT_CHANNEL,
                              .c = INT32_MAX,
                              .d = INT32_MAX,
                              .kh = INT32_MAX,
                              .kw = INT32_MAX,
                              .positions = 1 << 30,
                              .mid_positions = 1 << 30};
    assert_true(lr_macs_whole(&l) == INT64_MAX);
    assert_true(lr_macs_split(&l, of(1000)) == INT64_MAX);
    assert_true(lr_params_whole(&l) == INT64_MAX);
    for (int split = LR_SPLIT_NONE; split <= LR_SPLIT_BOTH; split++) {
        l.split = (enum lr_split)split;
        struct lr_ranks r = {1000, 1000};
        assert_true(lr_macs_split(&l, r) > 0 && lr_params_split(&l, r) > 0);
        assert_true(lr_ranks_is_whole(&l, r));
        assert_true(lr_break_even(&l, r) > 0);
        assert_true(lr_rank_spatial_full(&l) == INT32_MAX);
        assert_true(lr_rank_step(&l, INT32_MAX) == INT32_MAX);
    }
}

static void cost__rank_for_energy(void **state)
{
    (void)state;
    const double eig[] = {4, 3, 2, 1, 0, 0}, zeros[6] = {0};
    struct lr_rank_layer l = {.split = LR_SPLIT_CHANNEL,
                              .c = 1,
                              .d = 6,
                              .kh = 3,
                              .kw = 3,
                              .positions = 1,
                              .eig = eig};
    assert_int_equal(lr_ranks_for_energy(&l, 0.4, 1).channel, 1);
    assert_int_equal(lr_ranks_for_energy(&l, 0.41, 1).channel, 2);
    assert_int_equal(lr_ranks_for_energy(&l, 0.7, 1).channel, 2);
    assert_int_equal(lr_ranks_for_energy(&l, 0.9, 1).channel, 3);
    assert_int_equal(lr_ranks_for_energy(&l, 0.91, 1).channel, 4);
    assert_int_equal(lr_ranks_for_energy(&l, 1, 1).channel, 4);
    assert_int_equal(lr_ranks_for_energy(&l, 1e-9, 1).channel, 1);
    l.eig = zeros;
    assert_int_equal(lr_ranks_for_energy(&l, 0.99, 1).channel, 1);
    assert_int_equal(lr_ranks_for_energy(&l, 1, 1).channel, 1);
}

static void cost__rounding(void **state)
{
    (void)state;
    struct lr_rank_layer l = {
        .split = LR_SPLIT_CHANNEL, .c = 1, .d = 20, .kh = 3, .kw = 3, .positions = 1};
    assert_int_equal(lr_ranks_round(&l, of(17), 8).channel, 16);
    assert_int_equal(lr_ranks_round(&l, of(16), 8).channel, 16);
    assert_int_equal(lr_ranks_round(&l, of(3), 8).channel, 8);
    assert_int_equal(lr_ranks_round(&l, of(3), 32).channel, 20);
    assert_int_equal(lr_ranks_round(&l, of(20), 8).channel, 20); /* whole stays whole */
    assert_int_equal(lr_ranks_round(&l, of(0), 1).channel, 1);
    assert_int_equal(lr_ranks_round(&l, of(7), 1).channel, 7);
    assert_int_equal(lr_ranks_round(&l, of(7), 0).channel, 7);
}

/* ---- rules ---- */

struct net {
    int n;
    struct lr_rank_layer l[MAX_LAYERS];
    double eig[MAX_LAYERS][MAX_D];
    struct lr_rank_point points[MAX_LAYERS][3];
    char names[MAX_LAYERS][16];
};

static void net_random(struct net *net, uint64_t seed)
{
    struct lr_rng r;

    lr_rng_seed(&r, seed);
    net->n = 2 + (int)lr_rng_below(&r, 6);
    for (int i = 0; i < net->n; i++) {
        int d = 4 + (int)lr_rng_below(&r, MAX_D - 4);
        double x = 1 + 50 * lr_rng_uniform(&r), decay = 0.6 + 0.39 * lr_rng_uniform(&r);
        snprintf(net->names[i], sizeof(net->names[i]), "conv%d", i + 1);
        net->l[i] =
            (struct lr_rank_layer){.name = net->names[i],
                                   .d = d,
                                   .split = LR_SPLIT_CHANNEL,
                                   .c = 1 + (int)lr_rng_below(&r, 64),
                                   .kh = 3,
                                   .kw = 3,
                                   .positions = 1 + (int64_t)lr_rng_below(&r, 400),
                                   .eig = net->eig[i],
                                   .points = net->points[i],
                                   .n_points = 3,
                                   .has_bias = i % 2 == 0};
        for (int k = 0; k < 3; k++)
            net->points[i][k] = (struct lr_rank_point){
                {1 + (k * d) / 5, 0}, 0.3 / (1 + k), 0.1 * lr_rng_uniform(&r) / (1 + k)};
        for (int k = 0; k < d; k++) {
            net->eig[i][k] = x;
            x *= decay + (1 - decay) * lr_rng_uniform(&r);
        }
    }
}

static double total_of(const struct net *net, const struct lr_budget *b,
                       const struct lr_ranks *ranks)
{
    double sum = b->fixed;

    for (int i = 0; i < net->n; i++)
        sum += (double)(b->kind == LR_BUDGET_MACS ? lr_macs_at(&net->l[i], ranks[i])
                                                  : lr_params_at(&net->l[i], ranks[i]));
    return sum;
}

static double whole_of(const struct net *net, const struct lr_budget *b)
{
    struct lr_ranks ranks[MAX_LAYERS];

    for (int i = 0; i < net->n; i++)
        ranks[i] = lr_ranks_whole(&net->l[i]);
    return total_of(net, b, ranks);
}

struct item {
    double measure;
    int layer, k;
};

static int by_measure(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return x->measure < y->measure ? -1 : x->measure > y->measure;
}

/* All eigenvalues of all layers in one list, sorted by dE/E / dC. */
static int sorted_items(struct item *items, const struct net *net, bool is_paper)
{
    int n = 0;

    for (int i = 0; i < net->n; i++) {
        const struct lr_rank_layer *l = &net->l[i];
        double kept = 0,
               one = (double)(l->positions * (lr_rank_patch(l) + (is_paper ? 0 : l->d)));
        for (int k = 0; k < l->d; k++) {
            kept += l->eig[k];
            if (k > 0)
                items[n++] = (struct item){l->eig[k] / kept / one, i, k};
        }
    }
    qsort(items, (size_t)n, sizeof(*items), by_measure);
    return n;
}

/* With the budget equal to what the sorted list has reached there is nothing to give
 * back, and the greedy run must stop exactly there. */
static void check_global_sort(bool is_paper)
{
    struct item *items = malloc(MAX_LAYERS * MAX_D * sizeof(*items));
    const struct lr_rank_rule *rule = lr_rank_rule_find(is_paper ? "paper" : "energy");
    int n_checked = 0;

    for (uint64_t seed = 0; seed < 25; seed++) {
        struct net net;
        struct lr_budget b = {.kind = LR_BUDGET_MACS};
        struct lr_ranks ranks[MAX_LAYERS], got[MAX_LAYERS];
        net_random(&net, seed);
        b.fixed = (double)(seed * 1000);
        int n = sorted_items(items, &net, is_paper);
        for (int i = 0; i < net.n; i++)
            ranks[i] = lr_ranks_whole(&net.l[i]);
        double last = total_of(&net, &b, ranks);
        for (int k = 0; k < n; k++) {
            ranks[items[k].layer].channel--;
            assert_int_equal(items[k].k,
                             ranks[items[k].layer].channel); /* falls within a layer */
            double total = total_of(&net, &b, ranks);
            if (total < last && k % 7 == 0) {
                b.limit = total;
                assert_int_equal(rule->select(got, net.l, net.n, &b, NULL), LR_OK);
                for (int i = 0; i < net.n; i++) {
                    bool is_whole = ranks[i].channel >= lr_break_even(&net.l[i], of(1));
                    assert_int_equal(got[i].channel,
                                     is_whole ? net.l[i].d : ranks[i].channel);
                }
                n_checked++;
            }
            last = total;
        }
    }
    assert_true(n_checked > 100);
    free(items);
}

static void greedy__equals_the_global_sort(void **state)
{
    (void)state;
    check_global_sort(false);
    check_global_sort(true);
}

static bool is_valid(const struct lr_rank_layer *l, int rank, int step)
{
    if (rank == l->d)
        return true;
    return rank >= 1 && rank < lr_break_even(l, of(1)) && (step <= 1 || rank % step == 0);
}

/* Budgets of all kinds: met on the honest cost, valid ranks, and nothing more fits. */
static void rules__meet_the_budget_and_use_it(void **state)
{
    (void)state;
    struct lr_rng r;
    int n_met = 0;
    lr_rng_seed(&r, 5);
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct net net;
        struct lr_ranks ranks[MAX_LAYERS];
        struct lr_err e = {0};
        net_random(&net, seed);
        struct lr_budget b = {.kind = seed % 3 == 0 ? LR_BUDGET_PARAMS : LR_BUDGET_MACS,
                              .fixed = seed % 2 ? 5000 : 0,
                              .round = seed % 5 == 0   ? 4
                                       : seed % 7 == 0 ? 8
                                                       : 0};
        if (seed % 4 == 0)
            net.l[0].is_kept = true;
        double whole = whole_of(&net, &b);
        b.limit = whole / (1 + 4 * lr_rng_uniform(&r));
        for (int k = 0; k < lr_n_rank_rules; k++) {
            enum lr_status st = lr_rank_rules[k].select(ranks, net.l, net.n, &b, &e);
            if (st != LR_OK) {
                assert_int_equal(st, LR_EINVAL);
                continue;
            }
            n_met++;
            double total = total_of(&net, &b, ranks);
            assert_true(total <= b.limit);
            for (int i = 0; i < net.n; i++) {
                const struct lr_rank_layer *l = &net.l[i];
                assert_true(is_valid(l, ranks[i].channel, b.round));
                assert_true(!l->is_kept || ranks[i].channel == l->d);
                if (strcmp(lr_rank_rules[k].name, "uniform") == 0 ||
                    ranks[i].channel == l->d)
                    continue;
                int step = b.round > 1 ? b.round : 1, was = ranks[i].channel;
                ranks[i] = of(was + step >= lr_break_even(l, of(1)) ? l->d : was + step);
                assert_true(total_of(&net, &b, ranks) > b.limit);
                ranks[i] = of(was);
            }
        }
    }
    assert_true(n_met > 500);
}

static void rules__leave_all_whole_when_the_budget_allows(void **state)
{
    (void)state;
    struct net net;
    struct lr_ranks ranks[MAX_LAYERS];
    net_random(&net, 3);
    struct lr_budget b = {.kind = LR_BUDGET_MACS};
    b.limit = whole_of(&net, &b);
    for (int k = 0; k < lr_n_rank_rules; k++) {
        assert_int_equal(lr_rank_rules[k].select(ranks, net.l, net.n, &b, NULL), LR_OK);
        for (int i = 0; i < net.n; i++)
            assert_int_equal(ranks[i].channel, net.l[i].d);
    }
}

/* One step below the whole cost: falling just under break-even saves enough in one layer.
 */
static void greedy__gives_back_what_break_even_leaves(void **state)
{
    (void)state;
    double eig[2][32];
    struct lr_rank_layer l[2] = {layer("a", 3, 16, 32, 10), layer("b", 3, 16, 32, 10)};
    struct lr_budget b = {.kind = LR_BUDGET_MACS};
    struct lr_ranks ranks[2];
    for (int k = 0; k < 32; k++)
        eig[0][k] = eig[1][k] = 1;
    l[0].eig = eig[0];
    l[1].eig = eig[1];
    b.limit = 2 * (double)lr_macs_whole(&l[0]) - 1;
    assert_int_equal(lr_rank_rule_find("energy")->select(ranks, l, 2, &b, NULL), LR_OK);
    /* Both fell to break-even without saving; the first layer goes below, the other is
     * whole again. */
    assert_int_equal(ranks[0].channel, lr_break_even(&l[0], of(1)) - 1);
    assert_int_equal(ranks[1].channel, 32);
}

static void greedy__ties_go_by_layer_order(void **state)
{
    (void)state;
    double eig[3][16];
    struct lr_rank_layer l[3];
    struct lr_budget b = {.kind = LR_BUDGET_MACS};
    struct lr_ranks ranks[3];
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 16; k++)
            eig[i][k] = 16 - k;
        l[i] = layer("x", 3, 8, 16, 6);
        l[i].eig = eig[i];
    }
    int64_t one = lr_macs_split(&l[0], of(1));
    b.limit = (double)(one * (5 + 6 + 6));
    assert_int_equal(lr_rank_rule_find("energy")->select(ranks, l, 3, &b, NULL), LR_OK);
    assert_int_equal(ranks[0].channel, 5);
    assert_int_equal(ranks[1].channel, 6);
    assert_int_equal(ranks[2].channel, 6);
}

static void greedy__dead_layers_fall_to_rank_one(void **state)
{
    (void)state;
    struct net net;
    struct lr_ranks ranks[MAX_LAYERS];
    net_random(&net, 8);
    memset(net.eig[1], 0, sizeof(net.eig[1]));
    struct lr_budget b = {.kind = LR_BUDGET_MACS};
    b.limit = whole_of(&net, &b) / 1.7;
    for (int k = 0; k < 2; k++) {
        assert_int_equal(lr_rank_rules[k].select(ranks, net.l, net.n, &b, NULL), LR_OK);
        assert_int_equal(ranks[1].channel, 1);
        assert_true(total_of(&net, &b, ranks) <= b.limit);
    }
}

static void greedy__needs_spectra_of_layers_not_kept(void **state)
{
    (void)state;
    struct net net;
    struct lr_ranks ranks[MAX_LAYERS];
    struct lr_err e = {0};
    net_random(&net, 9);
    struct lr_budget b = {.kind = LR_BUDGET_MACS};
    b.limit = whole_of(&net, &b) / 1.2;
    net.l[1].eig = NULL;
    assert_int_equal(lr_rank_rule_find("energy")->select(ranks, net.l, net.n, &b, &e),
                     LR_EINVAL);
    assert_non_null(strstr(e.msg, "conv2"));
    assert_int_equal(lr_rank_rule_find("uniform")->select(ranks, net.l, net.n, &b, &e),
                     LR_OK);
    net.l[1].is_kept = true;
    b.limit = whole_of(&net, &b) / 1.01;
    assert_int_equal(lr_rank_rule_find("energy")->select(ranks, net.l, net.n, &b, &e),
                     LR_OK);
    net.l[1].is_kept = false;
    net.l[1].eig = net.eig[1];
    net.eig[1][0] = NAN;
    assert_int_equal(lr_rank_rule_find("energy")->select(ranks, net.l, net.n, &b, &e),
                     LR_EINVAL);
}

/* The nearest speedup named in the message can be had; a slightly larger one cannot. */
static void rules__name_the_nearest_speedup(void **state)
{
    (void)state;
    struct net net;
    struct lr_ranks ranks[MAX_LAYERS];
    net_random(&net, 10);
    for (int k = 0; k < lr_n_rank_rules; k++)
        for (int round = 0; round <= 4; round += 4) {
            struct lr_err e = {0};
            struct lr_budget b = {.kind = LR_BUDGET_MACS, .fixed = 777, .round = round};
            double whole = whole_of(&net, &b), nearest;
            b.limit = whole / 1000;
            assert_int_equal(lr_rank_rules[k].select(ranks, net.l, net.n, &b, &e),
                             LR_EINVAL);
            const char *at = strstr(e.msg, "nearest speedup is ");
            assert_non_null(at);
            nearest = strtod(at + strlen("nearest speedup is "), NULL);
            assert_true(nearest > 1);
            b.limit = whole / nearest;
            assert_int_equal(lr_rank_rules[k].select(ranks, net.l, net.n, &b, &e), LR_OK);
            assert_true(total_of(&net, &b, ranks) <= b.limit);
            b.limit = whole / (nearest + 0.002);
            assert_int_equal(lr_rank_rules[k].select(ranks, net.l, net.n, &b, &e),
                             LR_EINVAL);
        }
    struct lr_budget bad = {.limit = NAN};
    struct lr_err e = {0};
    assert_int_equal(lr_rank_rules[0].select(ranks, net.l, net.n, &bad, &e), LR_EINVAL);
    bad.limit = 0;
    assert_int_equal(lr_rank_rules[2].select(ranks, net.l, net.n, &bad, &e), LR_EINVAL);
}

/* Small networks, tried out whole: the greedy choice is the best one or loses little of
 * the logarithm of the energy product. */
static void greedy__is_close_to_the_best_allocation(void **state)
{
    (void)state;
    double gaps = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct lr_rng r;
        double eig[3][12], best = -INFINITY, mine = 0;
        struct lr_rank_layer l[3];
        struct lr_ranks ranks[3];
        int a[3];
        struct lr_budget b = {.kind = LR_BUDGET_MACS};
        lr_rng_seed(&r, seed);
        double whole = 0;
        for (int i = 0; i < 3; i++) {
            double x = 1, decay = 0.55 + 0.4 * lr_rng_uniform(&r);
            for (int k = 0; k < 12; k++, x *= decay)
                eig[i][k] = x;
            l[i] = layer("x", 3, 4 << i, 12, 12 >> i);
            l[i].eig = eig[i];
            whole += (double)lr_macs_whole(&l[i]);
        }
        b.limit = whole / 2.2;
        assert_int_equal(lr_rank_rule_find("energy")->select(ranks, l, 3, &b, NULL),
                         LR_OK);
        for (a[0] = 1; a[0] <= 12; a[0]++)
            for (a[1] = 1; a[1] <= 12; a[1]++)
                for (a[2] = 1; a[2] <= 12; a[2]++) {
                    double cost = 0, energy = 0;
                    for (int i = 0; i < 3; i++) {
                        double kept = 0, all = 0;
                        cost += (double)lr_macs_at(&l[i], of(a[i]));
                        for (int k = 0; k < 12; k++) {
                            all += eig[i][k];
                            kept += k < a[i] ? eig[i][k] : 0;
                        }
                        energy += log(kept / all);
                    }
                    if (a[0] == ranks[0].channel && a[1] == ranks[1].channel &&
                        a[2] == ranks[2].channel)
                        mine = energy;
                    if (cost <= b.limit && energy > best)
                        best = energy;
                }
        assert_true(mine >= best - 0.15);
        gaps += best - mine;
    }
    assert_true(gaps / 20 < 0.03);
}

static void uniform__gives_one_speedup_to_all(void **state)
{
    (void)state;
    struct net net;
    struct lr_ranks ranks[MAX_LAYERS];
    for (uint64_t seed = 0; seed < 20; seed++) {
        net_random(&net, seed);
        struct lr_budget b = {.kind = LR_BUDGET_MACS};
        b.limit = whole_of(&net, &b) / 2;
        if (lr_rank_rule_find("uniform")->select(ranks, net.l, net.n, &b, NULL) != LR_OK)
            continue;
        /* Some x makes every rank the largest one with that speedup, and no layer could
         * have its next rank at a lower x that all others share: the intervals meet. */
        double low = 0, high = INFINITY;
        for (int i = 0; i < net.n; i++) {
            double w = (double)lr_macs_whole(&net.l[i]);
            high = fmin(high, w / (double)lr_macs_split(&net.l[i], ranks[i]));
            low =
                fmax(low, w / (double)lr_macs_split(&net.l[i], of(ranks[i].channel + 1)));
            assert_true(ranks[i].channel > 1);
        }
        assert_true(low < high * (1 + 1e-9));
        assert_true(total_of(&net, &b, ranks) <= b.limit);
    }
}

static void rules__are_found_by_name(void **state)
{
    (void)state;
    for (int i = 0; i < lr_n_rank_rules; i++)
        assert_ptr_equal(lr_rank_rule_find(lr_rank_rules[i].name), &lr_rank_rules[i]);
    assert_null(lr_rank_rule_find("best"));
    assert_null(lr_rank_rule_find(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost__reproduces_the_spp10_table),
        cmocka_unit_test(cost__reproduces_the_vgg16_table),
        cmocka_unit_test(cost__equals_counted_operations),
        cmocka_unit_test(cost__break_even_and_speedups_equal_a_search),
        cmocka_unit_test(cost__saturates),
        cmocka_unit_test(cost__rank_for_energy),
        cmocka_unit_test(cost__rounding),
        cmocka_unit_test(greedy__equals_the_global_sort),
        cmocka_unit_test(rules__meet_the_budget_and_use_it),
        cmocka_unit_test(rules__leave_all_whole_when_the_budget_allows),
        cmocka_unit_test(greedy__gives_back_what_break_even_leaves),
        cmocka_unit_test(greedy__ties_go_by_layer_order),
        cmocka_unit_test(greedy__dead_layers_fall_to_rank_one),
        cmocka_unit_test(greedy__needs_spectra_of_layers_not_kept),
        cmocka_unit_test(rules__name_the_nearest_speedup),
        cmocka_unit_test(greedy__is_close_to_the_best_allocation),
        cmocka_unit_test(uniform__gives_one_speedup_to_all),
        cmocka_unit_test(rules__are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
