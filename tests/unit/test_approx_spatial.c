/* The spatial split: optimal, exact at full rank, and as convolutions (alone, with a
 * channel part, and merged) equal to the matrix formula in naive loops. */
#include "approx_fixture.h"

#include "approx_conv.h"
#include "ranklab/mem.h"

enum { H = 9, W = 11 };

static size_t n_inputs_of(const struct lr_layer *l)
{
    return (size_t)(l->c / l->group * l->kh * l->kw);
}

static float *random_floats(size_t n, uint64_t seed)
{
    struct lr_rng r;
    float *x = malloc(n * sizeof(float));

    assert_non_null(x);
    lr_rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)lr_rng_normal(&r);
    return x;
}

/* The k x k filters that v and h amount to, by the sum in the header; free() it. */
static float *joined(const struct lr_layer *l, const struct lr_spatial *s)
{
    size_t d = (size_t)l->d, c = (size_t)(l->c / l->group), kh = (size_t)l->kh;
    size_t kw = (size_t)l->kw, each = (size_t)(s->rank / l->group);
    float *w = malloc(d * c * kh * kw * sizeof(float));

    assert_non_null(w);
    for (size_t o = 0; o < d; o++)
        for (size_t i = 0; i < c; i++)
            for (size_t y = 0; y < kh; y++)
                for (size_t x = 0; x < kw; x++) {
                    size_t first = o / (d / (size_t)l->group) * each;
                    double sum = 0;
                    for (size_t a = 0; a < each; a++)
                        sum += (double)s->v[((first + a) * c + i) * kh + y] *
                               (double)s->h[(o * each + a) * kw + x];
                    w[((o * c + i) * kh + y) * kw + x] = (float)sum;
                }
    return w;
}

static double distance2(const float *a, const float *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

static struct lr_layer shaped(int c, int d, int kh, int kw, int group)
{
    struct lr_layer l = LAYER;

    l.c = c;
    l.d = d;
    l.kh = kh;
    l.kw = kw;
    l.group = group;
    return l;
}

static void check_optimal(struct lr_layer l, uint64_t seed)
{
    size_t n = (size_t)l.d * n_inputs_of(&l);
    int full = lr_spatial_full(&l);
    float *w = random_floats(n, seed);
    double *sv2 = malloc((size_t)full * sizeof(double)), all = 0;

    assert_int_equal(lr_spatial_values(sv2, &l, w, NULL), LR_OK);
    for (size_t i = 0; i < n; i++)
        all += (double)w[i] * (double)w[i];
    for (int i = 1; i < full; i++)
        assert_true(sv2[i] <= sv2[i - 1]);
    for (int rank = l.group; rank <= full; rank += l.group) {
        struct lr_spatial s;
        double dropped = 0;
        assert_int_equal(lr_spatial_split(&s, &l, w, rank, NULL), LR_OK);
        assert_int_equal(s.rank, rank);
        float *now = joined(&l, &s);
        for (int i = rank; i < full; i++)
            dropped += sv2[i];
        assert_true(fabs(distance2(now, w, n) - dropped) < 1e-6 * all);
        if (rank == full)
            assert_true(sqrt(distance2(now, w, n) / all) < 1e-6);
        free(now);
        lr_spatial_free(&s);
    }
    free(w), free(sv2);
}

static void spatial__error_is_the_dropped_singular_values(void **state)
{
    (void)state;
    check_optimal(shaped(3, 8, 3, 3, 1), 1);
    check_optimal(shaped(6, 2, 3, 5, 1), 2); /* more rows than columns */
    check_optimal(shaped(1, 5, 7, 2, 1), 3);
    check_optimal(shaped(4, 6, 1, 3, 1), 4);
    check_optimal(shaped(4, 6, 3, 1, 1), 5);
    check_optimal(shaped(4, 6, 3, 3, 2), 6);
    check_optimal(shaped(6, 6, 3, 3, 6), 7); /* depthwise */
}

/* A filter bank that is one product of k x 1 and 1 x k is kept at rank 1. */
static void spatial__keeps_a_product_at_rank_one(void **state)
{
    (void)state;
    struct lr_layer l = LAYER;
    float *v = random_floats(9, 8), *h = random_floats(24, 9), w[8 * 27];
    struct lr_spatial s = {.rank = 1, .v = v, .h = h}, got;
    float *made = joined(&l, &s);
    memcpy(w, made, sizeof(w));
    assert_int_equal(lr_spatial_split(&got, &l, w, 1, NULL), LR_OK);
    float *now = joined(&l, &got);
    assert_true(distance2(now, w, 8 * 27) < 1e-10);
    lr_spatial_free(&got);
    free(v), free(h), free(made), free(now);
}

static void spatial__shares_the_singular_values_evenly(void **state)
{
    (void)state;
    struct lr_layer l = shaped(3, 8, 3, 3, 1);
    float *w = random_floats(8 * 27, 10);
    double sv2[9];
    struct lr_spatial s;
    assert_int_equal(lr_spatial_full(&l), 9);
    assert_int_equal(lr_spatial_values(sv2, &l, w, NULL), LR_OK);
    assert_int_equal(lr_spatial_split(&s, &l, w, 4, NULL), LR_OK);
    for (size_t a = 0; a < 4; a++) {
        double v2 = 0, h2 = 0;
        for (size_t i = 0; i < 9; i++)
            v2 += pow((double)s.v[a * 9 + i], 2);
        for (size_t o = 0; o < 8; o++)
            for (size_t x = 0; x < 3; x++)
                h2 += pow((double)s.h[(o * 4 + a) * 3 + x], 2);
        assert_true(fabs(v2 - sqrt(sv2[a])) < 1e-5 && fabs(h2 - sqrt(sv2[a])) < 1e-5);
    }
    lr_spatial_free(&s);
    lr_spatial_free(NULL);
    free(w);
}

static void spatial__of_dead_filters_is_zero(void **state)
{
    (void)state;
    struct lr_layer l = shaped(4, 6, 3, 3, 2);
    float *w = random_floats(6 * 18, 11);
    struct lr_spatial s;
    memset(w, 0, 3 * 18 * sizeof(float)); /* the first group */
    for (int rank = 2; rank <= 12; rank += 10) {
        assert_int_equal(lr_spatial_split(&s, &l, w, rank, NULL), LR_OK);
        for (size_t i = 0; i < (size_t)(rank * 6); i++)
            assert_true(isfinite(s.v[i]) && (i >= (size_t)(rank * 3) || s.v[i] == 0));
        lr_spatial_free(&s);
    }
    free(w);
}

static void spatial__refuses_bad_arguments(void **state)
{
    (void)state;
    struct lr_layer l = shaped(4, 6, 3, 3, 2);
    float *w = random_floats(6 * 18, 12);
    double sv2[12];
    struct lr_spatial s;
    struct lr_err e = {0};
    assert_int_equal(lr_spatial_full(&l), 12);
    assert_int_equal(lr_spatial_split(&s, &l, w, 0, &e), LR_EINVAL);
    assert_int_equal(lr_spatial_split(&s, &l, w, 3, &e), LR_EINVAL);
    assert_int_equal(lr_spatial_split(&s, &l, w, 14, &e), LR_EINVAL);
    assert_int_equal(lr_spatial_split(&s, &l, NULL, 2, &e), LR_EINVAL);
    w[100] = NAN;
    assert_int_equal(lr_spatial_split(&s, &l, w, 2, &e), LR_ENUMERIC);
    assert_int_equal(lr_spatial_values(sv2, &l, w, &e), LR_ENUMERIC);
    assert_null(s.v);
    w[100] = 0;
    l.group = 4;
    assert_int_equal(lr_spatial_split(&s, &l, w, 4, &e), LR_EINVAL);
    l.group = 1;
    l.kh = l.kw = 1;
    assert_int_equal(lr_spatial_split(&s, &l, w, 1, &e), LR_EUNSUP);
    assert_int_equal(lr_spatial_values(sv2, &l, w, &e), LR_EUNSUP);
    free(w);
}

/* ---- as convolutions ---- */

/* A random solution that stays within the groups; lr_lowrank_free it. */
static struct lr_lowrank random_solution(int d, int rank, int groups, uint64_t seed)
{
    size_t nd = (size_t)d, nr = (size_t)rank, g = (size_t)groups;
    struct lr_lowrank m = {.d = d, .rank = rank};
    struct lr_rng r;

    m.p = lr_calloc(nd * nr, sizeof(double));
    m.q = lr_calloc(nd * nr, sizeof(double));
    m.b = lr_calloc(nd, sizeof(double));
    lr_rng_seed(&r, seed);
    for (size_t i = 0; i < nd; i++) {
        m.b[i] = lr_rng_normal(&r);
        for (size_t a = 0; a < nr; a++)
            if (i / (nd / g) == a / (nr / g)) {
                m.p[i * nr + a] = lr_rng_normal(&r);
                m.q[i * nr + a] = 0.3 * lr_rng_normal(&r);
            }
    }
    return m;
}

/* The network of parts equals M (conv(w) + bias) + b at every position, where w is what
 * the spatial part makes of the filters. */
static void check_network(struct lr_layer l, const struct lr_ranks ranks, bool has_bias,
                          enum lr_method method, int n_parts, uint64_t seed)
{
    size_t d = (size_t)l.d, n_w = d * n_inputs_of(&l);
    float *w = random_floats(n_w, seed), *bias = random_floats(d, seed + 1);
    float *image = random_floats((size_t)l.c * H * W, seed + 2), *used = w;
    double *x = malloc((size_t)l.c * H * W * sizeof(double));
    bool has_channel = lr_method_info(method)->solve != NULL;
    struct lr_lowrank m = random_solution(l.d, ranks.channel, l.group, seed + 3);
    struct lr_spatial s = {0};
    struct lr_factors *f;
    int h = H, width = W, h2 = H, width2 = W;

    for (size_t i = 0; i < (size_t)l.c * H * W; i++)
        x[i] = (double)image[i];
    if (ranks.spatial > 0) {
        assert_int_equal(lr_spatial_split(&s, &l, w, ranks.spatial, NULL), LR_OK);
        used = joined(&l, &s);
    }
    assert_int_equal(lr_factors_build(&f, &l, w, has_bias ? bias : NULL,
                                      has_channel ? &m : NULL, s.rank ? &s : NULL, method,
                                      NULL),
                     LR_OK);
    assert_int_equal(f->n_parts, n_parts);
    assert_int_equal(f->rank, ranks.channel);
    assert_int_equal(f->rank_spatial, ranks.spatial);
    assert_int_equal(f->is_merged, method == LR_METHOD_3D && n_parts == 2);
    assert_non_null(f->parts[n_parts - 1].b);
    for (int k = 0; k < n_parts; k++)
        assert_int_equal(f->parts[k].group, l.group);
    if (s.rank) {
        assert_int_equal(f->parts[0].pad_left + f->parts[0].pad_right, 0);
        assert_int_equal(f->parts[1].pad_top + f->parts[1].pad_bottom, 0);
        assert_null(f->parts[0].b);
    }
    struct lr_conv_part whole = lr_layer_part(&l, used, has_bias ? bias : NULL);
    double *y = convolve_all(&whole, 1, x, &h, &width);
    double *split = convolve_all(f->parts, n_parts, x, &h2, &width2);
    assert_int_equal(h, h2);
    assert_int_equal(width, width2);
    double *matrix = product_of(&m);
    size_t n = (size_t)(h * width);
    for (size_t at = 0; at < n; at++)
        for (size_t i = 0; i < d; i++) {
            double want = has_channel ? m.b[i] : y[i * n + at], size = 1 + fabs(want);
            for (size_t j = 0; has_channel && j < d; j++) {
                want += matrix[i * d + j] * y[j * n + at];
                size += fabs(matrix[i * d + j] * y[j * n + at]);
            }
            assert_true(fabs(split[i * n + at] - want) < 4e-6 * size);
        }
    lr_factors_unref(f);
    lr_lowrank_free(&m);
    lr_spatial_free(&s);
    if (used != w)
        free(used);
    free(w), free(bias), free(image), free(x), free(y), free(split), free(matrix);
}

/* Strides, dilation and paddings that differ in every direction. */
static void check_geometries(struct lr_layer l, struct lr_ranks ranks,
                             enum lr_method method, int n_parts)
{
    check_network(l, ranks, true, method, n_parts, 20);
    check_network(l, ranks, false, method, n_parts, 21);
    l.pad_top = 1, l.pad_left = 2, l.pad_bottom = 0, l.pad_right = 1;
    check_network(l, ranks, true, method, n_parts, 22);
    l.stride_h = 2, l.stride_w = 3;
    check_network(l, ranks, true, method, n_parts, 23);
    l.dil_h = 2, l.dil_w = 3, l.pad_bottom = 2;
    check_network(l, ranks, true, method, n_parts, 24);
    check_network(l, ranks, false, method, n_parts, 25);
}

static void spatial__two_parts_equal_the_joined_filters(void **state)
{
    (void)state;
    check_geometries(shaped(3, 8, 3, 3, 1), (struct lr_ranks){8, 4}, LR_METHOD_SPATIAL,
                     2);
    check_geometries(shaped(2, 5, 5, 2, 1), (struct lr_ranks){5, 10}, LR_METHOD_SPATIAL,
                     2);
    check_geometries(shaped(4, 8, 3, 3, 2), (struct lr_ranks){8, 6}, LR_METHOD_SPATIAL,
                     2);
    check_geometries(shaped(6, 6, 3, 3, 6), (struct lr_ranks){6, 12}, LR_METHOD_SPATIAL,
                     2);
}

static void spatial__refit_equals_the_matrix_formula(void **state)
{
    (void)state;
    check_geometries(shaped(3, 8, 3, 3, 1), (struct lr_ranks){8, 4},
                     LR_METHOD_SPATIAL_REFIT, 2);
    check_geometries(shaped(4, 8, 3, 3, 2), (struct lr_ranks){8, 6},
                     LR_METHOD_SPATIAL_REFIT, 2);
}

static void both__three_parts_equal_the_matrix_formula(void **state)
{
    (void)state;
    check_geometries(shaped(3, 8, 3, 3, 1), (struct lr_ranks){3, 5}, LR_METHOD_3D, 3);
    check_geometries(shaped(4, 12, 3, 3, 2), (struct lr_ranks){4, 8}, LR_METHOD_3D, 3);
}

static void both__merged_equals_the_matrix_formula(void **state)
{
    (void)state;
    check_geometries(shaped(3, 8, 3, 3, 1), (struct lr_ranks){6, 2}, LR_METHOD_3D, 2);
    check_geometries(shaped(4, 8, 3, 3, 2), (struct lr_ranks){6, 4}, LR_METHOD_3D, 2);
}

static void groups__channel_split_equals_the_matrix_formula(void **state)
{
    (void)state;
    check_geometries(shaped(4, 8, 3, 3, 2), (struct lr_ranks){4, 0}, LR_METHOD_RELU, 2);
    check_geometries(shaped(6, 6, 3, 3, 3), (struct lr_ranks){3, 0}, LR_METHOD_RELU, 2);
    check_geometries(shaped(6, 6, 3, 3, 6), (struct lr_ranks){6, 0}, LR_METHOD_PCA, 2);
}

/* A fully connected layer is a 1 x 1 convolution on one position. */
static void factors__of_a_fully_connected_layer_are_one_by_one(void **state)
{
    (void)state;
    struct lr_layer l = shaped(5, 7, 1, 1, 1);
    struct lr_lowrank m = random_solution(7, 3, 1, 30);
    float *w = random_floats(35, 31), *bias = random_floats(7, 32);
    struct lr_factors *f;
    l.kind = LR_LAYER_FC;
    assert_int_equal(lr_factors_build(&f, &l, w, bias, &m, NULL, LR_METHOD_RELU, NULL),
                     LR_OK);
    for (int k = 0; k < 2; k++) {
        const struct lr_conv_part *p = &f->parts[k];
        assert_int_equal(p->kh * p->kw * p->stride_h * p->stride_w * p->dil_h * p->dil_w,
                         1);
        assert_int_equal(p->pad_top + p->pad_left + p->pad_bottom + p->pad_right, 0);
    }
    lr_factors_unref(f);
    lr_lowrank_free(&m);
    free(w), free(bias);
    check_network(l, (struct lr_ranks){3, 0}, true, LR_METHOD_RELU, 2, 33);
}

/* By counting multiply-adds of the parts at one position. */
static void both__is_merged_when_that_costs_no_more(void **state)
{
    (void)state;
    for (int group = 1; group <= 2; group++)
        for (int d = 4; d <= 24; d += 4)
            for (int kw = 1; kw <= 5; kw += 2)
                for (int channel = group; channel <= d; channel += group)
                    for (int spatial = group; spatial <= 20; spatial += group) {
                        int in = kw * spatial / group;
                        int two = channel * in + d * (channel / group), one = d * in;
                        struct lr_ranks r = {channel, spatial};
                        assert_int_equal(lr_split_is_merged(d, kw, group, r), two >= one);
                    }
    assert_false(lr_split_is_merged(8, 3, 1, (struct lr_ranks){8, 0}));
}

static void both__merged_equals_unmerged(void **state)
{
    (void)state;
    /* The same M at two forms of its rank: padded with zero columns it is merged. */
    struct lr_layer l = shaped(3, 8, 3, 3, 1);
    float *w = random_floats(8 * 27, 40), *bias = random_floats(8, 41);
    struct lr_lowrank slim = random_solution(8, 2, 1, 42),
                      wide = random_solution(8, 8, 1, 42);
    struct lr_spatial s;
    struct lr_factors *three, *two;
    float *image = random_floats(3 * H * W, 43);
    double x[3 * H * W];
    int h = H, width = W, h2 = H, width2 = W;
    for (size_t i = 0; i < 8; i++)
        for (size_t a = 0; a < 8; a++) {
            wide.p[i * 8 + a] = a < 2 ? slim.p[i * 2 + a] : 0;
            wide.q[i * 8 + a] = a < 2 ? slim.q[i * 2 + a] : 0;
        }
    memcpy(wide.b, slim.b, 8 * sizeof(double));
    l.pad_top = l.pad_left = l.pad_bottom = l.pad_right = 1;
    for (size_t i = 0; i < 3 * H * W; i++)
        x[i] = (double)image[i];
    assert_int_equal(lr_spatial_split(&s, &l, w, 5, NULL), LR_OK);
    assert_int_equal(lr_factors_build(&three, &l, w, bias, &slim, &s, LR_METHOD_3D, NULL),
                     LR_OK);
    assert_int_equal(lr_factors_build(&two, &l, w, bias, &wide, &s, LR_METHOD_3D, NULL),
                     LR_OK);
    assert_int_equal(three->n_parts, 3);
    assert_int_equal(two->n_parts, 2);
    double *a = convolve_all(three->parts, 3, x, &h, &width);
    double *b = convolve_all(two->parts, 2, x, &h2, &width2);
    assert_true(largest_difference(a, b, (size_t)(8 * h * width)) < 1e-4);
    lr_factors_unref(three);
    lr_factors_unref(two);
    lr_lowrank_free(&slim);
    lr_lowrank_free(&wide);
    lr_spatial_free(&s);
    free(w), free(bias), free(image), free(a), free(b);
}

static void factors__refuse_solutions_of_another_method(void **state)
{
    (void)state;
    struct lr_layer l = shaped(4, 8, 3, 3, 2);
    float *w = random_floats(8 * 18, 50);
    struct lr_lowrank m = random_solution(8, 4, 2, 51),
                      odd = random_solution(8, 3, 1, 52);
    struct lr_lowrank dense = random_solution(8, 4, 1, 53);
    struct lr_spatial s;
    struct lr_factors *f;
    struct lr_err e = {0};
    assert_int_equal(lr_spatial_split(&s, &l, w, 4, NULL), LR_OK);
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, &m, &s, LR_METHOD_RELU, &e),
                     LR_EINVAL);
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, &m, NULL, LR_METHOD_3D, &e),
                     LR_EINVAL);
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, NULL, &s, LR_METHOD_3D, &e),
                     LR_EINVAL);
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, NULL, NULL, LR_METHOD_KEEP, &e),
                     LR_EINVAL);
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, &odd, NULL, LR_METHOD_RELU, &e),
                     LR_EINVAL);
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, &dense, NULL, LR_METHOD_RELU, &e),
                     LR_EINVAL);
    s.h[3] = INFINITY;
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, NULL, &s, LR_METHOD_SPATIAL, &e),
                     LR_ENUMERIC);
    assert_null(f);
    lr_lowrank_free(&m);
    lr_lowrank_free(&odd);
    lr_lowrank_free(&dense);
    lr_spatial_free(&s);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spatial__error_is_the_dropped_singular_values),
        cmocka_unit_test(spatial__keeps_a_product_at_rank_one),
        cmocka_unit_test(spatial__shares_the_singular_values_evenly),
        cmocka_unit_test(spatial__of_dead_filters_is_zero),
        cmocka_unit_test(spatial__refuses_bad_arguments),
        cmocka_unit_test(spatial__two_parts_equal_the_joined_filters),
        cmocka_unit_test(spatial__refit_equals_the_matrix_formula),
        cmocka_unit_test(both__three_parts_equal_the_matrix_formula),
        cmocka_unit_test(both__merged_equals_the_matrix_formula),
        cmocka_unit_test(groups__channel_split_equals_the_matrix_formula),
        cmocka_unit_test(factors__of_a_fully_connected_layer_are_one_by_one),
        cmocka_unit_test(both__is_merged_when_that_costs_no_more),
        cmocka_unit_test(both__merged_equals_unmerged),
        cmocka_unit_test(factors__refuse_solutions_of_another_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
