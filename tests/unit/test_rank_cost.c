/* Costs of splits with a spatial part and of groups against counting loops; ranks from
 * costs against plain searches; energies and interpolated errors. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rank_fixture.h"

/* Multiply-adds and parameters of a convolution, one at a time. */
static void count(int64_t *macs, int64_t *params, int64_t positions, int cout, int cin,
                  int g, int kh, int kw, bool has_bias)
{
    for (int o = 0; o < cout; o++) {
        for (int i = 0; i < cin / g; i++)
            for (int y = 0; y < kh; y++)
                for (int x = 0; x < kw; x++) {
                    *macs += positions;
                    ++*params;
                }
        *params += has_bias;
    }
}

static void cost__of_every_split_equals_counted_operations(void **state)
{
    (void)state;
    struct rf_net net;
    struct lr_ranks all[RF_D * RF_FULL];
    struct lr_rng rng;
    int n_merged = 0, n_grouped = 0;
    lr_rng_seed(&rng, 3);
    for (int t = 0; t < 60; t++) {
        struct lr_rank_layer *l = &net.l[0];
        rf_layer(&net, 0, (enum lr_split)(LR_SPLIT_CHANNEL + t % 3), 12, &rng);
        int n = rf_all(all, l, 1), g = l->group;
        int64_t whole = 0, whole_params = 0;
        count(&whole, &whole_params, l->positions, l->d, l->c, g, l->kh, l->kw,
              l->has_bias);
        assert_int_equal(lr_macs_whole(l), whole);
        assert_int_equal(lr_params_whole(l), whole_params);
        assert_int_equal(lr_macs_at(l, all[n - 1]), whole);
        for (int k = 0; k < n - 1; k++) {
            struct lr_ranks r = all[k];
            int64_t macs = 0, params = 0;
            if (l->split == LR_SPLIT_CHANNEL) {
                count(&macs, &params, l->positions, r.channel, l->c, g, l->kh, l->kw,
                      l->has_bias);
                count(&macs, &params, l->positions, l->d, r.channel, g, 1, 1, true);
            } else {
                bool is_merged =
                    l->split == LR_SPLIT_BOTH && lr_split_is_merged(l->d, l->kw, g, r);
                count(&macs, &params, l->mid_positions, r.spatial, l->c, g, l->kh, 1,
                      false);
                if (l->split == LR_SPLIT_SPATIAL || is_merged) {
                    count(&macs, &params, l->positions, l->d, r.spatial, g, 1, l->kw,
                          true);
                } else {
                    count(&macs, &params, l->positions, r.channel, r.spatial, g, 1, l->kw,
                          l->has_bias);
                    count(&macs, &params, l->positions, l->d, r.channel, g, 1, 1, true);
                }
                n_merged += is_merged;
            }
            n_grouped += g > 1;
            assert_int_equal(lr_macs_split(l, r), macs);
            assert_int_equal(lr_params_split(l, r), params);
            assert_int_equal(lr_macs_at(l, r), macs);
            assert_int_equal(lr_params_at(l, r), params);
            assert_true(macs < whole);
        }
        l->is_kept = true;
        assert_int_equal(lr_macs_at(l, all[0]), whole);
        assert_int_equal(lr_params_at(l, all[0]), whole_params);
    }
    assert_true(n_merged > 50 && n_grouped > 50);
}

static void cost__break_even_of_every_split_equals_a_search(void **state)
{
    (void)state;
    struct rf_net net;
    struct lr_rng rng;
    lr_rng_seed(&rng, 4);
    for (int t = 0; t < 300; t++) {
        struct lr_rank_layer *l = &net.l[0];
        rf_layer(&net, 0, (enum lr_split)(LR_SPLIT_CHANNEL + t % 3), RF_D, &rng);
        bool is_spatial = l->split == LR_SPLIT_SPATIAL;
        int full = lr_rank_spatial_full(l), end = is_spatial ? full : l->d, first = 1;
        struct lr_ranks r = {1,
                             l->split == LR_SPLIT_CHANNEL ? 0 : 1 + rf_below(&rng, full)};
        for (; first <= end; first++) {
            *(is_spatial ? &r.spatial : &r.channel) = first;
            if (lr_macs_split(l, r) >= lr_macs_whole(l))
                break;
        }
        /* Full rank is the whole layer; a merged pair that pays has no break-even. */
        if (l->split != LR_SPLIT_BOTH && first > end)
            first = end;
        assert_int_equal(lr_break_even(l, r), first);
    }
}

static void cost__ranks_for_speedups_and_macs_equal_a_search(void **state)
{
    (void)state;
    struct rf_net net;
    struct lr_rng rng;
    int n_found = 0;
    lr_rng_seed(&rng, 5);
    for (int t = 0; t < 600; t++) {
        struct lr_rank_layer *l = &net.l[0];
        int round = t % 4 == 0 ? 4 : 1;
        rf_layer(&net, 0, (enum lr_split)(LR_SPLIT_CHANNEL + t % 3), RF_D, &rng);
        int full = lr_rank_spatial_full(l), step = lr_rank_step(l, round);
        double x = 1 + 4 * lr_rng_uniform(&rng), whole = (double)lr_macs_whole(l);
        struct lr_ranks got;
        bool is_met = lr_ranks_for_speedup(&got, l, x, round);
        n_found += is_met;
        if (is_met)
            assert_true((double)lr_macs_split(l, got) * x <= whole * (1 + 1e-9));
        assert_true(got.channel == l->d || got.channel % step == 0);
        if (l->split != LR_SPLIT_CHANNEL)
            assert_true(got.spatial == full || got.spatial % step == 0);
        struct lr_ranks r = got;
        int largest = 0;
        if (l->split == LR_SPLIT_CHANNEL) {
            for (r.channel = 1; r.channel <= l->d; r.channel++)
                if ((r.channel % step == 0 || r.channel == l->d) &&
                    (double)lr_macs_split(l, r) * x <= whole)
                    largest = r.channel;
            assert_int_equal(is_met ? got.channel : 0, largest);
            continue;
        }
        for (r.spatial = 1; r.spatial <= full; r.spatial++)
            if ((r.spatial % step == 0 || r.spatial == full) &&
                (double)lr_macs_split(l, r) * x <= whole)
                largest = r.spatial;
        assert_int_equal(lr_spatial_for_macs(l, r.channel, whole / x, round), largest);
        assert_int_equal(is_met ? got.spatial : 0, largest);
        if (l->split == LR_SPLIT_SPATIAL)
            continue;
        largest = 0;
        r = got;
        for (r.channel = 1; r.channel <= l->d; r.channel++)
            if ((r.channel % step == 0 || r.channel == l->d) &&
                (double)lr_macs_split(l, r) * x <= whole)
                largest = r.channel;
        assert_int_equal(lr_channel_for_macs(l, got.spatial, whole / x, round), largest);
    }
    assert_true(n_found > 200);
}

/* d' as a channel split would have it at sqrt(x), unless the pair is merged back. */
static void cost__both_at_a_speedup_starts_from_its_square_root(void **state)
{
    (void)state;
    struct lr_rank_layer l = {.split = LR_SPLIT_BOTH,
                              .c = 256,
                              .d = 512,
                              .kh = 3,
                              .kw = 3,
                              .group = 1,
                              .positions = 324,
                              .mid_positions = 324};
    struct lr_rank_layer channel = l;
    struct lr_ranks pair, one;
    channel.split = LR_SPLIT_CHANNEL;
    assert_true(lr_ranks_for_speedup(&pair, &l, 4, 1));
    assert_true(lr_ranks_for_speedup(&one, &channel, 2, 1));
    assert_int_equal(pair.channel, one.channel);
    assert_int_equal(one.channel, 209); /* 2304 * 512 / 2816 / 2 */
    assert_false(lr_split_is_merged(512, 3, 1, pair));
    assert_true(4 * lr_macs_split(&l, pair) <= lr_macs_whole(&l));
    pair.spatial++;
    assert_true(4 * lr_macs_split(&l, pair) > lr_macs_whole(&l));
}

static void cost__steps_are_common_multiples(void **state)
{
    (void)state;
    struct lr_rank_layer l = {
        .split = LR_SPLIT_BOTH, .c = 12, .d = 24, .kh = 3, .kw = 3, .group = 6};
    assert_int_equal(lr_rank_step(&l, 0), 6);
    assert_int_equal(lr_rank_step(&l, 4), 12);
    assert_int_equal(lr_rank_step(&l, 5), 30);
    assert_int_equal(lr_rank_spatial_full(&l), 36);
    struct lr_ranks r = lr_ranks_round(&l, (struct lr_ranks){23, 35}, 4);
    assert_true(r.channel == 12 && r.spatial == 24);
    r = lr_ranks_round(&l, (struct lr_ranks){24, 5}, 4);
    assert_true(r.channel == 24 && r.spatial == 12);
}

static void energy__is_the_product_over_both_parts(void **state)
{
    (void)state;
    const double eig[] = {6, 2, 1, 1}, spatial[] = {5, 3, 1, 1, 0, 0};
    struct lr_rank_layer l = {.split = LR_SPLIT_BOTH,
                              .c = 2,
                              .d = 4,
                              .kh = 3,
                              .kw = 3,
                              .group = 1,
                              .positions = 1,
                              .mid_positions = 1,
                              .eig = eig,
                              .spatial = spatial};
    assert_int_equal(lr_rank_spatial_full(&l), 6);
    assert_true(fabs(lr_ranks_energy(&l, (struct lr_ranks){2, 1}) - 0.8 * 0.5) < 1e-12);
    struct lr_ranks r = lr_ranks_for_energy(&l, 0.8, 1);
    assert_true(r.channel == 2 && r.spatial == 2);
    r = lr_ranks_for_energy(&l, 0.95, 3);
    assert_true(r.channel == 4 && r.spatial == 6);
    l.split = LR_SPLIT_SPATIAL;
    assert_true(fabs(lr_ranks_energy(&l, (struct lr_ranks){4, 2}) - 0.8) < 1e-12);
    assert_true(lr_ranks_energy(&l, (struct lr_ranks){4, 6}) == 1);
    l.split = LR_SPLIT_CHANNEL;
    assert_true(fabs(lr_ranks_energy(&l, (struct lr_ranks){1, 0}) - 0.6) < 1e-12);
    struct lr_ranks one = {1, 0};
    double value = lr_objective_value(LR_OBJECTIVE_ENERGY, &l, &one, 1);
    assert_true(fabs(value - log(0.6)) < 1e-12);
}

static void error__is_interpolated_between_points(void **state)
{
    (void)state;
    const struct lr_rank_point points[] = {
        {{20, 0}, 0.2, NAN}, {{10, 0}, 0.4, NAN}, {{15, 0}, NAN, NAN}};
    struct lr_rank_layer l = {.split = LR_SPLIT_CHANNEL,
                              .c = 64,
                              .d = 40,
                              .kh = 3,
                              .kw = 3,
                              .group = 1,
                              .positions = 9,
                              .points = points,
                              .n_points = 3};
    const double want[][2] = {{10, 0.4}, {15, 0.3}, {20, 0.2},
                              {30, 0.1}, {5, 0.5},  {40, 0}};
    for (int i = 0; i < 6; i++) {
        double got = lr_ranks_error(&l, (struct lr_ranks){(int)want[i][0], 0});
        assert_true(fabs(got - want[i][1]) < 1e-12);
    }
    l.n_points = 0;
    assert_true(isnan(lr_ranks_error(&l, (struct lr_ranks){10, 0})));
    assert_true(lr_ranks_error(&l, (struct lr_ranks){40, 0}) == 0);
}

/* A pair between two measured ones has the error of the one on their line that exceeds it
 * in neither rank. */
static void error__of_pairs_is_that_of_the_weaker_part(void **state)
{
    (void)state;
    const struct lr_rank_point points[] = {{{10, 20}, 0.4, NAN}, {{20, 40}, 0.2, NAN}};
    struct lr_rank_layer l = {.split = LR_SPLIT_BOTH,
                              .c = 64,
                              .d = 40,
                              .kh = 3,
                              .kw = 3,
                              .group = 1,
                              .positions = 9,
                              .mid_positions = 9,
                              .points = points,
                              .n_points = 2};
    const double want[][3] = {{10, 20, 0.4}, {20, 40, 0.2}, {15, 30, 0.3}, {15, 40, 0.3},
                              {19, 30, 0.3}, {10, 60, 0.4}, {5, 20, 0.5},  {5, 10, 0.5}};
    for (int i = 0; i < 8; i++) {
        struct lr_ranks r = {(int)want[i][0], (int)want[i][1]};
        assert_true(fabs(lr_ranks_error(&l, r) - want[i][2]) < 1e-12);
    }
}

static double speedup(const struct lr_rank_layer *layers, const int *ranks, int n)
{
    double whole = 0, split = 0;

    for (int i = 0; i < n; i++) {
        whole += (double)lr_macs_whole(&layers[i]);
        split += (double)lr_macs_at(&layers[i], rf_channel(ranks[i]));
    }
    return whole / split;
}

static double thousandths(double x)
{
    return floor(x * 1000 + 0.5) / 1000;
}

static void cost__reproduces_the_spp10_table(void **state)
{
    (void)state;
    const struct lr_rank_layer l[] = {
        rf_square("conv2", 5, 96, 256, 35),  rf_square("conv3", 3, 256, 512, 18),
        rf_square("conv4", 3, 512, 512, 18), rf_square("conv5", 3, 512, 512, 18),
        rf_square("conv6", 3, 512, 512, 18), rf_square("conv7", 3, 512, 512, 18)};
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
        rf_square("1_1", 3, 3, 64, 224),   rf_square("1_2", 3, 64, 64, 224),
        rf_square("2_1", 3, 64, 128, 112), rf_square("2_2", 3, 128, 128, 112),
        rf_square("3_1", 3, 128, 256, 56), rf_square("3_2", 3, 256, 256, 56),
        rf_square("3_3", 3, 256, 256, 56), rf_square("4_1", 3, 256, 512, 28),
        rf_square("4_2", 3, 512, 512, 28), rf_square("4_3", 3, 512, 512, 28),
        rf_square("5_1", 3, 512, 512, 14), rf_square("5_2", 3, 512, 512, 14),
        rf_square("5_3", 3, 512, 512, 14)};
    const int ranks[] = {64, 11, 25, 28, 52, 46, 56, 104, 92, 100, 232, 224, 214};
    assert_true(thousandths(speedup(l, ranks, 13)) == 4.005);
}

static void cost__equals_counted_operations(void **state)
{
    (void)state;
    int k = 3, c = 5, d = 7, size = 4, rank = 2;
    struct lr_rank_layer l = rf_square("x", k, c, d, size);
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
    assert_int_equal(lr_macs_split(&l, rf_channel(rank)), split);
    assert_int_equal(lr_params_whole(&l), weights + d);
    assert_int_equal(lr_params_split(&l, rf_channel(rank)), split_weights + rank);
    l.has_bias = false;
    assert_int_equal(lr_params_whole(&l), weights);
    assert_int_equal(lr_params_split(&l, rf_channel(rank)), split_weights);
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
        while (lr_macs_split(&l, rf_channel(first)) < lr_macs_whole(&l))
            first++;
        assert_int_equal(lr_break_even(&l, rf_channel(1)), first);
        assert_true(first <= l.d);
        for (int rank = 1; rank <= l.d; rank++) {
            int64_t want =
                rank < first ? lr_macs_split(&l, rf_channel(rank)) : lr_macs_whole(&l);
            assert_int_equal(lr_macs_at(&l, rf_channel(rank)), want);
            int64_t params = rank < first ? lr_params_split(&l, rf_channel(rank))
                                          : lr_params_whole(&l);
            assert_int_equal(lr_params_at(&l, rf_channel(rank)), params);
        }
        double x = t % 3 == 0 ? (double)(1 + t % 7) : 0.5 + 6 * lr_rng_uniform(&r);
        int largest = 0;
        for (int rank = 1; rank <= l.d; rank++)
            if ((double)lr_macs_whole(&l) >=
                x * (double)lr_macs_split(&l, rf_channel(rank)))
                largest = rank;
        assert_int_equal(lr_ranks_for_speedup(&found, &l, x, 1), largest > 0);
        assert_int_equal(found.channel, largest > 0 ? largest : 1);
    }
    struct lr_rank_layer thin = rf_square("thin", 1, 1, 64, 8);
    assert_int_equal(lr_break_even(&thin, rf_channel(1)), 1);
    assert_int_equal(lr_macs_at(&thin, rf_channel(1)), lr_macs_whole(&thin));
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
    assert_true(lr_macs_split(&l, rf_channel(1000)) == INT64_MAX);
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
    assert_int_equal(lr_ranks_round(&l, rf_channel(17), 8).channel, 16);
    assert_int_equal(lr_ranks_round(&l, rf_channel(16), 8).channel, 16);
    assert_int_equal(lr_ranks_round(&l, rf_channel(3), 8).channel, 8);
    assert_int_equal(lr_ranks_round(&l, rf_channel(3), 32).channel, 20);
    assert_int_equal(lr_ranks_round(&l, rf_channel(20), 8).channel,
                     20); /* whole stays whole */
    assert_int_equal(lr_ranks_round(&l, rf_channel(0), 1).channel, 1);
    assert_int_equal(lr_ranks_round(&l, rf_channel(7), 1).channel, 7);
    assert_int_equal(lr_ranks_round(&l, rf_channel(7), 0).channel, 7);
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
        cmocka_unit_test(cost__of_every_split_equals_counted_operations),
        cmocka_unit_test(cost__break_even_of_every_split_equals_a_search),
        cmocka_unit_test(cost__ranks_for_speedups_and_macs_equal_a_search),
        cmocka_unit_test(cost__both_at_a_speedup_starts_from_its_square_root),
        cmocka_unit_test(cost__steps_are_common_multiples),
        cmocka_unit_test(energy__is_the_product_over_both_parts),
        cmocka_unit_test(error__is_interpolated_between_points),
        cmocka_unit_test(error__of_pairs_is_that_of_the_weaker_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
