/* The exact knapsack against trying everything, and against the greedy rule; sensitivity
 * against a search over levels; all rules on networks that mix splits and groups. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "rank_fixture.h"

static const struct lr_rank_rule *rule(const char *name)
{
    const struct lr_rank_rule *found = lr_rank_rule_find(name);
    assert_non_null(found);
    return found;
}

/* splits < 0: mixed. */
static void net_random(struct rf_net *net, int n, int split, int max_d, struct lr_rng *r)
{
    *net = (struct rf_net){.n = n};
    for (int i = 0; i < n; i++) {
        int s = split < 0 ? LR_SPLIT_CHANNEL + rf_below(r, 3) : split;
        rf_layer(net, i, (enum lr_split)s, max_d, r);
    }
}

static struct lr_budget budget(const struct rf_net *net, int t, struct lr_rng *r)
{
    const int rounds[] = {1, 4, 8};
    struct lr_budget b = {.kind = t % 2 ? LR_BUDGET_PARAMS : LR_BUDGET_MACS,
                          .fixed = t % 4 == 0 ? 1234 : 0,
                          .round = rounds[t % 3],
                          .objective =
                              rf_below(r, 2) ? LR_OBJECTIVE_ERROR : LR_OBJECTIVE_ENERGY};
    b.limit = rf_whole(net, &b) / (1 + 1.2 * lr_rng_uniform(r));
    return b;
}

/* What is to be maximised. */
static double value(const struct lr_budget *b, const struct rf_net *net,
                    const struct lr_ranks *ranks)
{
    double sum = lr_objective_value(b->objective, net->l, ranks, net->n);
    return b->objective == LR_OBJECTIVE_ERROR ? -sum : sum;
}

enum { ALL = RF_D * RF_FULL, MAX_BRUTE = 4 };

/* The best value of layers i.. within room, by trying everything. */
static double brute(const struct rf_net *net, const struct lr_budget *b,
                    double cost[][ALL], double worth[][ALL], const int *n, int i,
                    double used)
{
    double best = -INFINITY;

    if (i >= MAX_BRUTE || i >= net->n)
        return used <= b->limit ? 0 : -INFINITY;
    for (int k = 0; k < n[i]; k++)
        if (!isnan(worth[i][k]) && used + cost[i][k] <= b->limit)
            best = fmax(best, worth[i][k] + brute(net, b, cost, worth, n, i + 1,
                                                  used + cost[i][k]));
    return best;
}

static double brute_force(const struct rf_net *net, const struct lr_budget *b)
{
    static double cost[MAX_BRUTE][ALL], worth[MAX_BRUTE][ALL];
    static struct lr_ranks all[ALL];
    int n[MAX_BRUTE];

    assert_true(net->n <= MAX_BRUTE);
    for (int i = 0; i < net->n; i++) {
        struct rf_net one = {.n = 1};
        struct lr_budget alone = *b;
        one.l[0] = net->l[i];
        alone.fixed = 0;
        n[i] = rf_all(all, &net->l[i], b->round);
        for (int k = 0; k < n[i]; k++) {
            cost[i][k] = rf_total(&one, &alone, &all[k]);
            worth[i][k] = value(b, &one, &all[k]);
        }
    }
    return brute(net, b, cost, worth, n, 0, b->fixed);
}

static void assert_on_grid(const struct rf_net *net, const struct lr_ranks *ranks,
                           int round)
{
    for (int i = 0; i < net->n; i++) {
        const struct lr_rank_layer *l = &net->l[i];
        struct lr_ranks r = ranks[i], whole = lr_ranks_whole(l);
        int step = lr_rank_step(l, round);
        if (r.channel == whole.channel && r.spatial == whole.spatial)
            continue;
        assert_false(lr_ranks_is_whole(l, r));
        assert_true(r.channel >= 1 && (r.channel % step == 0 || r.channel == l->d));
        assert_true(r.spatial >= (whole.spatial > 0));
        assert_true(r.spatial % step == 0 || r.spatial == whole.spatial);
    }
}

static void knapsack__equals_brute_force_on_small_networks(void **state)
{
    (void)state;
    struct rf_net net;
    struct lr_ranks ranks[RF_MAX];
    struct lr_rng r;
    int n_equal = 0, n_impossible = 0;
    lr_rng_seed(&r, 11);
    for (int t = 0; t < 400; t++) {
        net_random(&net, 4, t % 4 == 3 ? -1 : LR_SPLIT_CHANNEL + t % 4,
                   t % 4 == 0 ? 20 : 9, &r);
        if (t % 5 == 0)
            net.l[rf_below(&r, 4)].is_kept = true;
        struct lr_budget b = budget(&net, t, &r);
        double best = brute_force(&net, &b);
        struct lr_err e = {0};
        enum lr_status st = rule("knapsack")->select(ranks, net.l, net.n, &b, &e);
        if (st != LR_OK) {
            assert_int_equal(st, LR_EINVAL);
            assert_true(best == -INFINITY || strstr(e.msg, "not measured"));
            n_impossible++;
            continue;
        }
        assert_true(rf_total(&net, &b, ranks) <= b.limit);
        assert_on_grid(&net, ranks, b.round);
        assert_true(fabs(value(&b, &net, ranks) - best) <= 1e-10 * (1 + fabs(best)));
        n_equal++;
    }
    assert_true(n_equal > 150 && n_impossible > 2);
}

static void knapsack__is_never_worse_than_greedy(void **state)
{
    (void)state;
    struct rf_net net;
    struct lr_ranks greedy[RF_MAX], exact[RF_MAX];
    struct lr_rng r;
    int n_both = 0, n_better = 0;
    lr_rng_seed(&r, 12);
    for (int t = 0; t < 600; t++) {
        net_random(&net, 1 + rf_below(&r, RF_MAX), t % 4 == 3 ? -1 : 1 + t % 4, RF_D, &r);
        struct lr_budget b = budget(&net, t, &r);
        const char *name = t % 7 == 0 ? "uniform" : t % 2 ? "energy" : "paper";
        if (rule(name)->select(greedy, net.l, net.n, &b, NULL) != LR_OK)
            continue;
        assert_true(rf_total(&net, &b, greedy) <= b.limit);
        assert_on_grid(&net, greedy, b.round);
        if (rule("knapsack")->select(exact, net.l, net.n, &b, NULL) != LR_OK)
            continue;
        double mine = value(&b, &net, exact), other = value(&b, &net, greedy);
        assert_true(!(mine < other - 1e-10 * (1 + fabs(other))));
        n_better += mine > other + 1e-9;
        n_both++;
    }
    assert_true(n_both > 400 && n_better > 100);
}

/* The neighbours of a layer's ranks on the grid, upwards: at most two, or whole. */
static int steps_up(struct lr_ranks *out, const struct lr_rank_layer *l,
                    struct lr_ranks r, int round)
{
    struct lr_ranks whole = lr_ranks_whole(l);
    int step = lr_rank_step(l, round), n = 0;

    if (r.channel < whole.channel) {
        out[n] = r;
        out[n].channel = r.channel + step < l->d ? r.channel + step : l->d;
        n++;
    }
    if (r.spatial < whole.spatial) {
        out[n] = r;
        out[n].spatial =
            r.spatial + step < whole.spatial ? r.spatial + step : whole.spatial;
        n++;
    }
    for (int k = 0; k < n; k++)
        if (lr_ranks_is_whole(l, out[k]))
            out[k] = whole;
    return n;
}

/* One more step of any layer would not fit, or would not help. */
static void rules__leave_no_slack_on_any_split(void **state)
{
    (void)state;
    const char *const names[] = {"energy", "paper", "knapsack"};
    struct rf_net net;
    struct lr_ranks ranks[RF_MAX], up[2];
    struct lr_rng r;
    int n_met = 0;
    lr_rng_seed(&r, 13);
    for (int t = 0; t < 900; t++) {
        net_random(&net, 1 + rf_below(&r, RF_MAX), t % 4 == 3 ? -1 : 1 + t % 4, RF_D, &r);
        if (t % 6 == 0)
            net.l[0].is_kept = true;
        struct lr_budget b = budget(&net, t, &r);
        b.objective = t % 3 == 2 ? b.objective : LR_OBJECTIVE_ENERGY;
        if (rule(names[t % 3])->select(ranks, net.l, net.n, &b, NULL) != LR_OK)
            continue;
        n_met++;
        assert_true(rf_total(&net, &b, ranks) <= b.limit);
        assert_on_grid(&net, ranks, b.round);
        double now = value(&b, &net, ranks);
        for (int i = 0; i < net.n; i++) {
            struct lr_ranks was = ranks[i];
            int n = net.l[i].is_kept ? 0 : steps_up(up, &net.l[i], was, b.round);
            assert_true(!net.l[i].is_kept || was.channel == net.l[i].d);
            for (int k = 0; k < n; k++) {
                ranks[i] = up[k];
                double then = value(&b, &net, ranks);
                assert_true(rf_total(&net, &b, ranks) > b.limit || !(then > now + 1e-12));
            }
            ranks[i] = was;
        }
    }
    assert_true(n_met > 600);
}

static void uniform__gives_all_splits_one_speedup(void **state)
{
    (void)state;
    struct rf_net net;
    struct lr_ranks ranks[RF_MAX], want;
    struct lr_rng r;
    int n_met = 0;
    lr_rng_seed(&r, 14);
    for (int t = 0; t < 200; t++) {
        net_random(&net, 4, -1, RF_D, &r);
        struct lr_budget b = {.kind = LR_BUDGET_MACS};
        b.limit = rf_whole(&net, &b) / 2;
        if (rule("uniform")->select(ranks, net.l, net.n, &b, NULL) != LR_OK)
            continue;
        n_met++;
        assert_true(rf_total(&net, &b, ranks) <= b.limit);
        /* Some common speedup gives exactly these ranks. */
        bool is_found = false;
        for (double x = 1; x < 60 && !is_found; x *= 1.0002) {
            is_found = true;
            for (int i = 0; i < net.n && is_found; i++) {
                bool is_met = lr_ranks_for_speedup(&want, &net.l[i], x, 0);
                if (lr_ranks_is_whole(&net.l[i], want))
                    want = lr_ranks_whole(&net.l[i]);
                is_found =
                    lr_macs_at(&net.l[i], want) == lr_macs_at(&net.l[i], ranks[i]) &&
                    (!is_met || (want.channel == ranks[i].channel &&
                                 want.spatial == ranks[i].spatial));
            }
        }
        assert_true(is_found);
    }
    assert_true(n_met > 100);
}

/* ---- sensitivity ---- */

/* Drop at rank k of a channel split: running maximum from the whole layer down, then the
 * line between the points; below the lowest the steeper of its line and that from whole.
 */
static double drop_of(const struct lr_rank_layer *l, int k)
{
    const struct lr_rank_point *p = l->points;
    double x[4] = {l->d}, y[4] = {0};
    int n = 1;

    if (lr_ranks_is_whole(l, (struct lr_ranks){k, 0}))
        return 0;
    /* points by rising rank; those that do not pay do not count. */
    for (int i = l->n_points - 1; i >= 0; i--) {
        if (lr_ranks_is_whole(l, p[i].ranks))
            continue;
        x[n] = p[i].ranks.channel;
        y[n] = fmax(y[n - 1], p[i].drop);
        n++;
    }
    /* costs are lines in the rank, but the whole layer's is break-even's */
    x[0] = (double)lr_macs_whole(l) / (double)lr_macs_split(l, (struct lr_ranks){1, 0});
    for (int i = 1; i < n; i++)
        if (k >= x[i])
            return y[i] + (y[i - 1] - y[i]) * (k - x[i]) / (x[i - 1] - x[i]);
    double slope =
        fmax(y[n - 1] / (x[0] - x[n - 1]), (y[n - 1] - y[n - 2]) / (x[n - 2] - x[n - 1]));
    return y[n - 1] + slope * (x[n - 1] - k);
}

/* Ranks at the lowest level, found by trying every level; then each layer may only have
 * been given more. */
static void sensitivity__equals_a_search_over_levels(void **state)
{
    (void)state;
    struct rf_net net;
    struct lr_ranks ranks[RF_MAX], at[RF_MAX];
    struct lr_rng r;
    int n_checked = 0;
    lr_rng_seed(&r, 15);
    for (int t = 0; t < 100; t++) {
        net_random(&net, 3, LR_SPLIT_CHANNEL, 16, &r);
        for (int i = 0; i < net.n; i++) {
            struct lr_rank_layer *l = &net.l[i];
            l->group = 1;
            l->c = 20;
            l->n_points = 2;
            net.points[i][0].ranks.channel = 1 + l->d / 4;
            net.points[i][1].ranks.channel = 2 + l->d / 2;
        }
        struct lr_budget b = {.kind = LR_BUDGET_MACS};
        b.limit = rf_whole(&net, &b) / (1.2 + 2 * lr_rng_uniform(&r));
        if (rule("sensitivity")->select(ranks, net.l, net.n, &b, NULL) != LR_OK)
            continue;
        assert_true(rf_total(&net, &b, ranks) <= b.limit);
        double best = INFINITY;
        for (int i = 0; i < net.n; i++)
            for (int k = 1; k <= net.l[i].d; k++) {
                double level = drop_of(&net.l[i], k) + 1e-12;
                struct lr_ranks tried[RF_MAX];
                for (int j = 0; j < net.n; j++) {
                    int a = 1;
                    while (a < net.l[j].d && drop_of(&net.l[j], a) > level)
                        a++;
                    tried[j] = (struct lr_ranks){a, 0};
                }
                if (level < best && rf_total(&net, &b, tried) <= b.limit) {
                    best = level;
                    memcpy(at, tried, sizeof(at));
                }
            }
        double worst = 0;
        for (int i = 0; i < net.n; i++) {
            worst = fmax(worst, drop_of(&net.l[i], ranks[i].channel));
            assert_true(ranks[i].channel >= at[i].channel);
        }
        assert_true(worst <= best + 1e-9);
        n_checked++;
    }
    assert_true(n_checked > 60);
}

static void sensitivity__meets_its_budget_on_any_split(void **state)
{
    (void)state;
    struct rf_net net;
    struct lr_ranks ranks[RF_MAX];
    struct lr_rng r;
    int n_met = 0;
    lr_rng_seed(&r, 16);
    for (int t = 0; t < 300; t++) {
        net_random(&net, 1 + rf_below(&r, RF_MAX), -1, RF_D, &r);
        struct lr_budget b = budget(&net, t, &r);
        if (rule("sensitivity")->select(ranks, net.l, net.n, &b, NULL) != LR_OK)
            continue;
        n_met++;
        assert_true(rf_total(&net, &b, ranks) <= b.limit);
        assert_on_grid(&net, ranks, b.round);
    }
    assert_true(n_met > 150);
}

/* ---- what is missing, what cannot be met ---- */

static void rules__name_the_layer_that_lacks_something(void **state)
{
    (void)state;
    struct rf_net net;
    struct lr_ranks ranks[RF_MAX];
    struct lr_rng r;
    const struct {
        const char *rule, *want;
        enum lr_objective objective;
    } cases[] = {{"energy", "spectrum", LR_OBJECTIVE_ENERGY},
                 {"knapsack", "spectrum", LR_OBJECTIVE_ENERGY},
                 {"knapsack", "response error", LR_OBJECTIVE_ERROR},
                 {"sensitivity", "loss of accuracy", LR_OBJECTIVE_ENERGY}};
    lr_rng_seed(&r, 17);
    net_random(&net, 3, LR_SPLIT_BOTH, RF_D, &r);
    for (int i = 0; i < 3; i++) {
        net.l[i].c = 64;
        net.l[i].group = 1;
        net.l[i].d = 16;
    }
    struct lr_budget b = {.kind = LR_BUDGET_MACS};
    b.limit = rf_whole(&net, &b) / 1.5;
    net.l[1].name = "conv2";
    net.l[1].eig = NULL;
    net.l[1].points = NULL;
    for (int k = 0; k < 4; k++) {
        struct lr_err e = {0};
        b.objective = cases[k].objective;
        assert_int_equal(rule(cases[k].rule)->select(ranks, net.l, 3, &b, &e), LR_EINVAL);
        assert_ptr_equal(strstr(e.msg, "conv2: "), e.msg);
        assert_non_null(strstr(e.msg, cases[k].want));
    }
    net.l[1].eig = net.eig[1];
    net.l[1].spatial = NULL;
    struct lr_err e = {0};
    assert_int_equal(rule("energy")->select(ranks, net.l, 3, &b, &e), LR_EINVAL);
    assert_non_null(strstr(e.msg, "conv2: its energy of spatial filters"));
    net.l[1].spatial = net.spatial[1];
    for (int k = 0; k < lr_n_rank_rules; k++) {
        net.l[1].points = net.points[1];
        b.limit = 10;
        assert_int_equal(lr_rank_rules[k].select(ranks, net.l, 3, &b, &e), LR_EINVAL);
        assert_non_null(strstr(e.msg, "the nearest speedup is "));
    }
}

/* ---- size ---- */

static int stop_at_once(void *ctx, double fraction, const char *what)
{
    (void)what;
    ++*(int *)ctx;
    return fraction >= 0;
}

static void knapsack__is_fast_on_sixteen_layers_of_512(void **state)
{
    (void)state;
    enum { N = 16, D = 512 };
    static double eig[N][D];
    static struct lr_rank_layer l[N];
    struct lr_ranks ranks[N], greedy[N];
    struct lr_rng r;
    double whole = 0;
    lr_rng_seed(&r, 18);
    for (int i = 0; i < N; i++) {
        l[i] = (struct lr_rank_layer){.name = "x",
                                      .split = LR_SPLIT_CHANNEL,
                                      .c = 64 + rf_below(&r, 448),
                                      .d = D,
                                      .kh = 3,
                                      .kw = 3,
                                      .group = 1,
                                      .positions = 49 + rf_below(&r, 3000),
                                      .eig = eig[i]};
        double x = 1, decay = 0.97 + 0.029 * lr_rng_uniform(&r);
        for (int k = 0; k < D; k++, x *= decay)
            eig[i][k] = x * (1 + 0.1 * lr_rng_uniform(&r));
        whole += (double)lr_macs_whole(&l[i]);
    }
    for (double x = 1.3; x < 6; x *= 1.5) {
        struct lr_budget b = {.kind = LR_BUDGET_MACS, .limit = floor(whole / x)};
        clock_t start = clock();
        assert_int_equal(rule("knapsack")->select(ranks, l, N, &b, NULL), LR_OK);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        assert_true(seconds < 5);
        assert_int_equal(rule("energy")->select(greedy, l, N, &b, NULL), LR_OK);
        assert_true(lr_objective_value(LR_OBJECTIVE_ENERGY, l, ranks, N) >=
                    lr_objective_value(LR_OBJECTIVE_ENERGY, l, greedy, N) - 1e-10);
        int n_ticks = 0;
        struct lr_progress p = {.tick = stop_at_once, .ctx = &n_ticks};
        b.progress = &p;
        assert_int_equal(rule("knapsack")->select(ranks, l, N, &b, NULL), LR_EINTR);
        assert_int_equal(n_ticks, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knapsack__equals_brute_force_on_small_networks),
        cmocka_unit_test(knapsack__is_never_worse_than_greedy),
        cmocka_unit_test(rules__leave_no_slack_on_any_split),
        cmocka_unit_test(uniform__gives_all_splits_one_speedup),
        cmocka_unit_test(sensitivity__equals_a_search_over_levels),
        cmocka_unit_test(sensitivity__meets_its_budget_on_any_split),
        cmocka_unit_test(rules__name_the_layer_that_lacks_something),
        cmocka_unit_test(knapsack__is_fast_on_sixteen_layers_of_512),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
