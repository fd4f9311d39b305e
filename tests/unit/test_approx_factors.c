/* The split as convolutions against naive loops, spectra, and response errors. */
#include "approx_fixture.h"

#include "approx_conv.h"
#include "ranklab/mem.h"

/* ---- factors ---- */

static void check_split(struct lr_layer l, bool has_bias, int rank, uint64_t seed)
{
    struct lr_rng r;
    int h = 9, w = 11;
    int oh = out_size(h, l.kh, l.stride_h, l.dil_h, l.pad_top, l.pad_bottom);
    int ow = out_size(w, l.kw, l.stride_w, l.dil_w, l.pad_left, l.pad_right);
    size_t n_w = (size_t)(l.d * l.c * l.kh * l.kw), n_x = (size_t)(l.c * h * w);
    size_t n_y = (size_t)(l.d * oh * ow), d = (size_t)l.d, nr = (size_t)rank;
    float *weights = malloc(n_w * sizeof(float)), bias[16];
    double *x = malloc(n_x * sizeof(double)), *y = malloc(n_y * sizeof(double));
    double *split = malloc(n_y * sizeof(double));
    double *middle = malloc(nr * (size_t)(oh * ow) * sizeof(double));
    double p[16 * 16], q[16 * 16], b[16];
    struct lr_lowrank m = {.d = l.d, .rank = rank, .p = p, .q = q, .b = b};
    struct lr_factors *f;

    lr_rng_seed(&r, seed);
    for (size_t i = 0; i < n_w; i++)
        weights[i] = (float)lr_rng_normal(&r);
    for (size_t i = 0; i < n_x; i++)
        x[i] = lr_rng_normal(&r);
    for (size_t i = 0; i < d; i++) {
        bias[i] = (float)lr_rng_normal(&r);
        b[i] = lr_rng_normal(&r);
    }
    for (size_t i = 0; i < d * nr; i++) {
        p[i] = lr_rng_normal(&r);
        q[i] = 0.3 * lr_rng_normal(&r);
    }
    assert_int_equal(lr_factors_build(&f, &l, weights, has_bias ? bias : NULL, &m, NULL,
                                      LR_METHOD_RELU, NULL),
                     LR_OK);
    assert_int_equal(f->n_parts, 2);
    assert_int_equal(f->rank, rank);
    assert_true(isnan(f->error_linear) && isnan(f->error_heldout) &&
                isnan(f->error_refit));
    assert_non_null(f->parts[1].b);

    struct lr_conv_part whole = lr_layer_part(&l, weights, has_bias ? bias : NULL);
    assert_int_equal(f->parts[0].pad_bottom, l.pad_bottom);
    assert_int_equal(f->parts[0].pad_right, l.pad_right);
    convolve(y, &whole, x, h, w, oh, ow);
    convolve(middle, &f->parts[0], x, h, w, oh, ow);
    convolve(split, &f->parts[1], middle, oh, ow, oh, ow);
    double *matrix = product_of(&m);
    size_t n_positions = (size_t)(oh * ow);
    for (size_t at = 0; at < n_positions; at++)
        for (size_t i = 0; i < d; i++) {
            double want = b[i], size = 1;
            for (size_t j = 0; j < d; j++) {
                want += matrix[i * d + j] * y[j * n_positions + at];
                size += fabs(matrix[i * d + j] * y[j * n_positions + at]);
            }
            assert_true(fabs(split[i * n_positions + at] - want) < 1e-6 * size);
        }
    lr_factors_unref(f);
    free(weights), free(x), free(y), free(split), free(middle), free(matrix);
}

static void factors__equal_the_matrix_formula(void **state)
{
    (void)state;
    struct lr_layer l = LAYER;
    check_split(l, true, 3, 1);
    check_split(l, false, 3, 2);
    l.pad_top = 1, l.pad_left = 2, l.pad_bottom = 0, l.pad_right = 1;
    check_split(l, true, 5, 3);
    l.stride_h = 2, l.stride_w = 3;
    check_split(l, true, 1, 4);
    l.dil_h = 2, l.dil_w = 3, l.kw = 2;
    check_split(l, true, 8, 5);
    l.kh = l.kw = 1;
    check_split(l, true, 2, 6);
}

static void factors__full_rank_identity_is_the_original(void **state)
{
    (void)state;
    double eye[64] = {0}, b[8] = {0};
    float w[8 * 27], bias[8];
    struct lr_lowrank m = {.d = 8, .rank = 8, .p = eye, .q = eye, .b = b};
    struct lr_factors *f;
    for (size_t i = 0; i < 8; i++) {
        eye[9 * i] = 1;
        bias[i] = 0.25f * (float)i;
    }
    for (size_t i = 0; i < 8 * 27; i++)
        w[i] = (float)i / 7;
    assert_int_equal(lr_factors_build(&f, &LAYER, w, bias, &m, NULL, LR_METHOD_PCA, NULL),
                     LR_OK);
    assert_memory_equal(f->parts[0].w, w, sizeof(w));
    assert_memory_equal(f->parts[0].b, bias, sizeof(bias));
    assert_int_equal(f->parts[1].kh * f->parts[1].kw, 1);
    assert_ptr_equal(lr_factors_ref(f), f);
    assert_int_equal(f->refs, 2);
    lr_factors_unref(f);
    assert_int_equal(f->refs, 1);
    lr_factors_unref(f);
    lr_factors_unref(NULL);
    assert_null(lr_factors_ref(NULL));
}

static void factors__refuse_what_is_no_split(void **state)
{
    (void)state;
    double p[8] = {1}, q[8] = {1}, b[8] = {0};
    float w[8 * 27] = {0};
    struct lr_lowrank m = {.d = 8, .rank = 1, .p = p, .q = q, .b = b};
    struct lr_factors *f;
    struct lr_layer l = LAYER;
    struct lr_err e = {0};
    l.group = 3;
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, &m, NULL, LR_METHOD_PCA, &e),
                     LR_EINVAL);
    l.group = 1;
    l.d = 7;
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, &m, NULL, LR_METHOD_PCA, &e),
                     LR_EINVAL);
    l.d = 8;
    p[2] = 1e300; /* too large for float32 */
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, &m, NULL, LR_METHOD_PCA, &e),
                     LR_ENUMERIC);
    p[2] = 0;
    w[4] = NAN;
    assert_int_equal(lr_factors_build(&f, &l, w, NULL, &m, NULL, LR_METHOD_PCA, &e),
                     LR_ENUMERIC);
    assert_null(f);
}

/* Filters of c k k inputs, responses W x + b0 at sampled inputs, solved and split: the
 * whole way from the solver to the network, with d > c k k. */
static void factors__of_a_solution_reproduce_deficient_layers(void **state)
{
    (void)state;
    enum { D = 14, IN = 9, N = 500 };
    struct lr_rng r;
    float w[D * IN], bias[D], *y = malloc(N * D * sizeof(float));
    double x[IN];
    struct lr_layer l = LAYER;
    struct lr_lowrank m;
    struct lr_factors *f;
    l.c = 1;
    l.d = D;
    lr_rng_seed(&r, 9);
    for (size_t i = 0; i < D * IN; i++)
        w[i] = (float)lr_rng_normal(&r);
    for (size_t i = 0; i < D; i++)
        bias[i] = (float)lr_rng_normal(&r);
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < IN; k++)
            x[k] = lr_rng_normal(&r);
        for (size_t j = 0; j < D; j++) {
            double sum = (double)bias[j];
            for (size_t k = 0; k < IN; k++)
                sum += (double)w[j * IN + k] * x[k];
            y[i * D + j] = (float)sum;
        }
    }
    struct lr_samples s = {
        .d = D, .n_fit = N, .target = y, .yhat = y, .act = lr_act_relu};
    assert_int_equal(lr_solve_relu(&m, &s, IN, NULL, NULL, NULL), LR_OK);
    assert_int_equal(m.n_data_rank, IN);
    assert_int_equal(lr_factors_build(&f, &l, w, bias, &m, NULL, LR_METHOD_RELU, NULL),
                     LR_OK);
    for (size_t j = 0; j < D; j++) {
        double at_zero = (double)f->parts[1].b[j];
        for (size_t a = 0; a < IN; a++)
            at_zero += (double)f->parts[1].w[j * IN + a] * (double)f->parts[0].b[a];
        assert_true(fabs(at_zero - (double)bias[j]) < 1e-5);
        for (size_t k = 0; k < IN; k++) {
            double back = 0;
            for (size_t a = 0; a < IN; a++)
                back +=
                    (double)f->parts[1].w[j * IN + a] * (double)f->parts[0].w[a * IN + k];
            assert_true(fabs(back - (double)w[j * IN + k]) < 1e-5);
        }
    }
    lr_factors_unref(f);
    lr_lowrank_free(&m);
    free(y);
}

/* ---- response errors ---- */

static void response__equals_plain_sums(void **state)
{
    (void)state;
    for (int k = 0; k < 8; k++) {
        struct fixture f = fixture_make(11, 11, 700, 0.3, k & 1, 100);
        struct lr_lowrank m = {0};
        double after, before;
        fixture_split(&f, 150, 50);
        f.s.act = k & 2 ? lr_act_relu : lr_act_none;
        double eye[121] = {0}, zero[11] = {0};
        for (size_t i = 0; i < 11; i++)
            eye[12 * i] = 1;
        if (k & 4)
            assert_int_equal(lr_solve_linear(&m, &f.s, 4, NULL, NULL), LR_OK);
        double *matrix = k & 4 ? product_of(&m) : NULL;
        double *yr = predict(&f.s, matrix ? matrix : eye, matrix ? m.b : zero);
        double *none = calloc(700 * 11, sizeof(double));
        size_t first = 133, n = 520;
        bool is_relu = lr_act_is_relu(&f.s.act);
        assert_int_equal(
            lr_response_error(&after, &before, &f.s, k & 4 ? &m : NULL, first, n, NULL),
            LR_OK);
        double want = loss_of(&f.s, yr, first, n) / loss_of(&f.s, none, first, n);
        assert_true(fabs(after - want) < 1e-10 * want);
        f.s.act = lr_act_none;
        want = loss_of(&f.s, yr, first, n) / loss_of(&f.s, none, first, n);
        assert_true(fabs(before - want) < 1e-10 * want);
        assert_true(is_relu == (fabs(after - before) > 1e-12));
        free(matrix), free(yr), free(none);
        lr_lowrank_free(&m);
        fixture_free(&f);
    }
}

static void response__does_not_depend_on_threads(void **state)
{
    (void)state;
    struct fixture f = fixture_make(64, 20, 16000, 0.3, true, 101);
    double one[2], two[2];
    int before = lr_la_threads();
    struct lr_lowrank m;
    f.s.act = lr_act_relu;
    assert_int_equal(lr_solve_linear(&m, &f.s, 4, NULL, NULL), LR_OK);
    lr_la_set_threads(1);
    lr_response_error(&one[0], &one[1], &f.s, &m, 0, 16000, NULL);
    lr_la_set_threads(3);
    lr_response_error(&two[0], &two[1], &f.s, &m, 0, 16000, NULL);
    lr_la_set_threads(before);
    assert_true(one[0] == two[0] && one[1] == two[1]);
    lr_lowrank_free(&m);
    fixture_free(&f);
}

static void response__of_nothing_is_zero_or_infinite(void **state)
{
    (void)state;
    float t[4] = {-1, -2, -3, -4}, y[4] = {-1, -2, -3, -4};
    struct lr_samples s = {
        .d = 2, .n_fit = 2, .act = lr_act_relu, .target = t, .yhat = y};
    double after, before;
    struct lr_err e = {0};
    assert_int_equal(lr_response_error(&after, &before, &s, NULL, 0, 2, &e), LR_OK);
    assert_true(after == 0 && before == 0);
    y[0] = 1;
    assert_int_equal(lr_response_error(&after, NULL, &s, NULL, 0, 2, &e), LR_OK);
    assert_true(isinf(after));
    assert_int_equal(lr_response_error(&after, NULL, &s, NULL, 2, 0, &e), LR_OK);
    assert_true(after == 0);
    assert_int_equal(lr_response_error(&after, NULL, &s, NULL, 1, 2, &e), LR_EINVAL);
    assert_int_equal(lr_response_error(&after, NULL, &s, NULL, 1, SIZE_MAX, &e),
                     LR_EINVAL);
    y[1] = NAN;
    assert_int_equal(lr_response_error(&after, NULL, &s, NULL, 0, 2, &e), LR_ENUMERIC);
}

/* ---- spectrum ---- */

static void spectrum__of_known_responses(void **state)
{
    (void)state;
    enum { N = 8 };
    /* Orthogonal columns of variance 1, 9, 4 and a constant one. */
    float y[N * 4], w[4 * 3] = {3, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0};
    struct lr_layer l = {.c = 3, .d = 4, .kh = 1, .kw = 1, .group = 1};
    struct lr_spectrum s;
    for (size_t i = 0; i < N; i++) {
        y[i * 4] = i & 1 ? 2.0f : 0.0f;
        y[i * 4 + 1] = i & 2 ? 3.0f : -3.0f;
        y[i * 4 + 2] = -7.3f;
        y[i * 4 + 3] = i & 4 ? 2.0f : -2.0f;
    }
    assert_int_equal(lr_spectrum_compute(&s, y, N, &l, w, NULL), LR_OK);
    const double eig[] = {9, 4, 1, 0}, sv[] = {3, 2, 0, 0};
    assert_true(largest_difference(s.eig, eig, 4) < 1e-9);
    assert_true(largest_difference(s.weight_sv, sv, 4) < 1e-9);
    assert_int_equal(s.n_dead, 1);
    assert_int_equal(s.n_data_rank, 3);
    assert_int_equal(s.n_samples, N);
    assert_true(fabs(s.zeros - (4 + 4 + 8 + 4) / 32.0) < 1e-12);
    assert_true(fabs(lr_spectrum_energy(&s, 1) - 9.0 / 14) < 1e-9);
    assert_true(fabs(lr_spectrum_energy(&s, 4) - 1) < 1e-9 &&
                lr_spectrum_energy(&s, 0) == 0);
    lr_spectrum_free(&s);
}

static void spectrum__of_a_dead_layer_is_zero(void **state)
{
    (void)state;
    float y[30 * 3], w[3] = {1, 2, 2};
    struct lr_layer l = {.c = 1, .d = 3, .kh = 1, .kw = 1, .group = 1};
    struct lr_spectrum s;
    for (size_t i = 0; i < 90; i++)
        y[i] = 0.1f * (float)(i % 3 + 1);
    assert_int_equal(lr_spectrum_compute(&s, y, 30, &l, w, NULL), LR_OK);
    for (int i = 0; i < 3; i++)
        assert_true(s.eig[i] == 0);
    assert_int_equal(s.n_dead, 3);
    assert_int_equal(s.n_data_rank, 0);
    assert_true(lr_spectrum_energy(&s, 1) == 1);
    assert_true(fabs(s.weight_sv[0] - 3) < 1e-9);
    lr_spectrum_free(&s);
}

static void spectrum__refuses_bad_data(void **state)
{
    (void)state;
    float y[6] = {1, 2, 3, NAN, 5, 6}, w[2] = {1, 2};
    struct lr_layer l = {.c = 1, .d = 2, .kh = 1, .kw = 1, .group = 1};
    struct lr_spectrum s;
    struct lr_err e = {0};
    assert_int_equal(lr_spectrum_compute(&s, y, 3, &l, w, &e), LR_ENUMERIC);
    assert_null(s.eig);
    assert_int_equal(lr_spectrum_compute(&s, y, 0, &l, w, &e), LR_EINVAL);
    y[3] = 4;
    w[1] = INFINITY;
    assert_int_equal(lr_spectrum_compute(&s, y, 3, &l, w, &e), LR_ENUMERIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors__equal_the_matrix_formula),
        cmocka_unit_test(factors__full_rank_identity_is_the_original),
        cmocka_unit_test(factors__refuse_what_is_no_split),
        cmocka_unit_test(factors__of_a_solution_reproduce_deficient_layers),
        cmocka_unit_test(response__equals_plain_sums),
        cmocka_unit_test(response__does_not_depend_on_threads),
        cmocka_unit_test(response__of_nothing_is_zero_or_infinite),
        cmocka_unit_test(spectrum__of_known_responses),
        cmocka_unit_test(spectrum__of_a_dead_layer_is_zero),
        cmocka_unit_test(spectrum__refuses_bad_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
