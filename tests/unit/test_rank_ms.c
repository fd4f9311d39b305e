/* Milliseconds against ranks: measured points come back exactly, the steps of blocks of
 * channels stay steps, and the knapsack under them finds what trying everything finds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rank_fixture.h"

enum { MAX_POINTS = 128 };

struct times {
    struct lr_ms_table table;
    struct lr_ms_point points[MAX_POINTS];
};

static struct lr_rank_layer layer_of(int d, struct times *t, double *eig)
{
    for (int k = 0; k < d; k++)
        eig[k] = exp(-0.05 * k);
    return (struct lr_rank_layer){.name = "layer",
                                  .split = LR_SPLIT_CHANNEL,
                                  .c = d,
                                  .d = d,
                                  .kh = 3,
                                  .kw = 3,
                                  .group = 1,
                                  .positions = 49,
                                  .mid_positions = 49,
                                  .eig = eig,
                                  .times = &t->table};
}

/* Kernels that work on blocks of 16 channels, and need longer for ranks that are no
 * multiple of 4. */
static double stepped(int rank)
{
    return 1 + 0.5 * ((rank + 15) / 16) + (rank % 4 ? 0.25 : 0);
}

static void measure(struct times *t, const struct lr_rank_layer *l, bool is_coarse,
                    double (*ms)(int))
{
    struct lr_ranks ranks[MAX_POINTS];
    int n = lr_ms_ranks(ranks, MAX_POINTS, l, is_coarse);

    t->table = (struct lr_ms_table){.whole = {.ms = 5}, .n = n, .points = t->points};
    for (int i = 0; i < n; i++)
        t->points[i] =
            (struct lr_ms_point){.ranks = ranks[i], .ms = ms(ranks[i].channel)};
}

static void ms__gives_back_what_was_measured(void **state)
{
    static struct times t;
    static double eig[512];
    struct lr_rng r;

    (void)state;
    lr_rng_seed(&r, 3);
    for (int trial = 0; trial < 20; trial++) {
        struct lr_rank_layer l = layer_of(16 + rf_below(&r, 400), &t, eig);
        l.split = (enum lr_split)((int)LR_SPLIT_CHANNEL + rf_below(&r, 3));
        measure(&t, &l, trial % 2, stepped);
        assert_true(t.table.n > 0);
        for (int i = 0; i < t.table.n; i++)
            t.points[i].ms = 1 + lr_rng_uniform(&r);
        for (int i = 0; i < t.table.n; i++)
            assert_true(fabs(lr_ms_at(&l, t.points[i].ranks) - t.points[i].ms) < 1e-12);
        assert_true(fabs(lr_ms_at(&l, lr_ranks_whole(&l)) - 5) < 1e-12);
    }
}

/* Steps that grow evenly are met everywhere, in cells that were not measured too. */
static void ms__keeps_the_steps(void **state)
{
    static struct times t;
    static double eig[512];
    struct lr_rank_layer l = layer_of(512, &t, eig);

    (void)state;
    measure(&t, &l, false, stepped);
    int end = lr_break_even(&l, lr_ranks_whole(&l));
    assert_true(t.table.n < end / 4);
    for (int rank = 1; rank < end; rank++)
        assert_true(fabs(lr_ms_at(&l, (struct lr_ranks){rank, 0}) - stepped(rank)) <
                    1e-9);
}

static void ms__is_unknown_without_a_table(void **state)
{
    static struct times t;
    static double eig[64];
    struct lr_rank_layer l = layer_of(64, &t, eig);

    (void)state;
    l.times = NULL;
    assert_true(isnan(lr_ms_at(&l, (struct lr_ranks){8, 0})));
}

static double uneven(int rank)
{
    return 0.6 + 0.9 * ((rank + 7) / 8) + 0.11 * (rank % 3);
}

/* Three layers, every combination of ranks. */
static void knapsack__is_exact_in_milliseconds(void **state)
{
    enum { D = 24 };
    static struct times t[3];
    static double eig[3][D];
    struct lr_rank_layer l[3];
    const struct lr_rank_rule *rule = lr_rank_rule_find("knapsack");

    (void)state;
    for (int i = 0; i < 3; i++) {
        l[i] = layer_of(D, &t[i], eig[i]);
        measure(&t[i], &l[i], false, i ? uneven : stepped);
        for (int k = 0; k < D; k++)
            eig[i][k] = exp(-(0.1 + 0.07 * i) * k);
    }
    for (int trial = 0; trial < 12; trial++) {
        struct lr_budget b = {
            .kind = LR_BUDGET_MS, .limit = 1e6 * (8 + 0.7 * trial), .fixed = 1e6};
        struct lr_ranks ranks[3], try[3];
        struct lr_err e = {0};
        double best = -INFINITY, total = b.fixed;
        assert_int_equal(rule->select(ranks, l, 3, &b, &e), LR_OK);
        for (int i = 0; i < 3; i++)
            total += 1e6 * lr_ms_at(&l[i], ranks[i]);
        assert_true(total <= b.limit + 3);
        for (int x = 0; x < D * D * D; x++) {
            double sum = b.fixed;
            int at[3] = {x % D, x / D % D, x / D / D};
            for (int i = 0; i < 3; i++) {
                try[i] = (struct lr_ranks){at[i] + 1, 0};
                sum += 1e6 * lr_ms_at(&l[i], try[i]);
            }
            if (sum <= b.limit)
                best = fmax(best, lr_objective_value(LR_OBJECTIVE_ENERGY, l, try, 3));
        }
        double found = lr_objective_value(LR_OBJECTIVE_ENERGY, l, ranks, 3);
        assert_true(fabs(found - best) < 1e-9);
    }
}

static void knapsack__refuses_what_no_rank_reaches(void **state)
{
    static struct times t;
    static double eig[64];
    struct lr_rank_layer l = layer_of(64, &t, eig);
    struct lr_budget b = {.kind = LR_BUDGET_MS, .limit = 1e6, .fixed = 1e5};
    struct lr_ranks r;
    struct lr_err e = {0};

    (void)state;
    measure(&t, &l, false, stepped);
    assert_int_equal(lr_rank_rule_find("knapsack")->select(&r, &l, 1, &b, &e), LR_EINVAL);
    l.times = NULL;
    assert_int_equal(lr_rank_rule_find("knapsack")->select(&r, &l, 1, &b, &e), LR_EINVAL);
}

/* Against all of the grid; of ranks that cost the same, those that lose least. */
static void cheapest__is_the_fastest_of_all_ranks(void **state)
{
    static struct times t[2];
    static double eig[2][64];
    struct lr_rank_layer l[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        l[i] = layer_of(64, &t[i], eig[i]);
        measure(&t[i], &l[i], false, i ? uneven : stepped);
    }
    for (int round = 1; round <= 8; round *= 8) {
        struct lr_budget b = {.kind = LR_BUDGET_MS, .round = round};
        struct lr_ranks ranks[2];
        struct lr_err e = {0};
        assert_int_equal(lr_ranks_cheapest(ranks, l, 2, &b, &e), LR_OK);
        for (int i = 0; i < 2; i++) {
            double least = t[i].table.whole.ms;
            int rank = 0;
            for (int k = round; k < 64; k += round) {
                double ms = lr_ms_at(&l[i], (struct lr_ranks){k, 0});
                if (!lr_ranks_is_whole(&l[i], (struct lr_ranks){k, 0}) && ms <= least) {
                    least = ms;
                    rank = k;
                }
            }
            assert_true(rank > 0);
            assert_int_equal(ranks[i].channel, rank);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ms__gives_back_what_was_measured),
        cmocka_unit_test(ms__keeps_the_steps),
        cmocka_unit_test(ms__is_unknown_without_a_table),
        cmocka_unit_test(knapsack__is_exact_in_milliseconds),
        cmocka_unit_test(knapsack__refuses_what_no_rank_reaches),
        cmocka_unit_test(cheapest__is_the_fastest_of_all_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
