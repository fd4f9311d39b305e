/* Rank rules against plain searches. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rank_fixture.h"

enum { MAX_LAYERS = 16, MAX_D = 64 };

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
                    bool is_whole =
                        ranks[i].channel >= lr_break_even(&net.l[i], rf_channel(1));
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
    return rank >= 1 && rank < lr_break_even(l, rf_channel(1)) &&
           (step <= 1 || rank % step == 0);
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
                ranks[i] = rf_channel(
                    was + step >= lr_break_even(l, rf_channel(1)) ? l->d : was + step);
                assert_true(total_of(&net, &b, ranks) > b.limit);
                ranks[i] = rf_channel(was);
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
    struct lr_rank_layer l[2] = {rf_square("a", 3, 16, 32, 10),
                                 rf_square("b", 3, 16, 32, 10)};
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
    assert_int_equal(ranks[0].channel, lr_break_even(&l[0], rf_channel(1)) - 1);
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
        l[i] = rf_square("x", 3, 8, 16, 6);
        l[i].eig = eig[i];
    }
    int64_t one = lr_macs_split(&l[0], rf_channel(1));
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
            l[i] = rf_square("x", 3, 4 << i, 12, 12 >> i);
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
                        cost += (double)lr_macs_at(&l[i], rf_channel(a[i]));
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
            low = fmax(low, w / (double)lr_macs_split(&net.l[i],
                                                      rf_channel(ranks[i].channel + 1)));
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
