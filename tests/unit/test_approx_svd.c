/* The truncated SVD of the filters, and the table of methods. */
#include "approx_fixture.h"

static void svd__error_is_the_dropped_singular_values(void **state)
{
    (void)state;
    const size_t sizes[][2] = {{10, 18}, {18, 7}, {6, 6}};
    for (size_t k = 0; k < 3; k++) {
        size_t d = sizes[k][0], n = sizes[k][1];
        struct lr_rng r;
        lr_rng_seed(&r, k);
        float w[18 * 18];
        double a[18 * 18], u[18 * 18], sv[18], vt[18 * 18];
        for (size_t i = 0; i < d * n; i++) {
            w[i] = (float)lr_rng_normal(&r);
            a[i] = (double)w[i];
        }
        assert_int_equal(lr_la_svd(d, n, a, u, sv, vt, NULL), LR_OK);
        for (int rank = 1; rank <= (int)d; rank += 2) {
            struct lr_lowrank m;
            double sum = 0;
            assert_int_equal(lr_solve_svd(&m, w, NULL, (int)d, n, rank, NULL, NULL),
                             LR_OK);
            double *matrix = product_of(&m);
            for (size_t i = 0; i < d; i++)
                for (size_t j = 0; j < n; j++) {
                    double x = (double)w[i * n + j];
                    for (size_t l = 0; l < d; l++)
                        x -= matrix[i * d + l] * (double)w[l * n + j];
                    sum += x * x;
                }
            for (size_t i = (size_t)rank; i < (d < n ? d : n); i++)
                sum -= sv[i] * sv[i];
            assert_true(fabs(sum) < 1e-9);
            free(matrix);
            lr_lowrank_free(&m);
        }
    }
}

/* What a product with p q^T leaves of w [d x n]. */
static double left_over(const float *w, const struct lr_lowrank *m, size_t n)
{
    size_t d = (size_t)m->d, rank = (size_t)m->rank;
    double *a = malloc(d * n * sizeof(double)), *h = malloc(rank * n * sizeof(double));
    double sum = 0;

    assert_true(a && h);
    for (size_t i = 0; i < d * n; i++)
        a[i] = (double)w[i];
    assert_int_equal(
        lr_la_gemm(true, false, rank, n, d, 1, m->q, rank, a, n, 0, h, n, NULL), LR_OK);
    assert_int_equal(
        lr_la_gemm(false, false, d, n, rank, -1, m->p, rank, h, n, 1, a, n, NULL), LR_OK);
    for (size_t i = 0; i < d * n; i++)
        sum += a[i] * a[i];
    free(a);
    free(h);
    return sum;
}

static int stop(void *ctx, double done, const char *text)
{
    (void)ctx;
    (void)text;
    return done >= 0.2;
}

/* Wide enough for the Gram matrix, with a part of the filters that repeat others: the
 * error is what LAPACK's SVD says is dropped. */
static void svd__of_a_wide_layer_drops_what_lapack_says(void **state)
{
    (void)state;
    const size_t d = 520, n = 1100;
    const int ranks[] = {1, 40, 400, 480, 520};
    float *w = malloc(d * n * sizeof(float));
    double *a = malloc(d * n * sizeof(double)), *u = malloc(d * d * sizeof(double));
    double *sv = malloc(d * sizeof(double)), *vt = malloc(d * n * sizeof(double));
    struct lr_progress ask = {.tick = stop};
    struct lr_lowrank m;
    struct lr_rng r;
    double all = 0;

    assert_true(w && a && u && sv && vt);
    lr_rng_seed(&r, 9);
    for (size_t i = 0; i < d * n; i++) {
        double row = 1 / (1 + (double)(i / n) / 50);
        w[i] = i / n < 480 ? (float)(row * lr_rng_normal(&r)) : w[i - 480 * n];
        a[i] = (double)w[i];
        all += a[i] * a[i];
    }
    assert_int_equal(lr_la_svd(d, n, a, u, sv, vt, NULL), LR_OK);
    for (size_t k = 0; k < sizeof(ranks) / sizeof(ranks[0]); k++) {
        double dropped = 0;
        assert_int_equal(lr_solve_svd(&m, w, NULL, (int)d, n, ranks[k], NULL, NULL),
                         LR_OK);
        for (size_t i = (size_t)ranks[k]; i < d; i++)
            dropped += sv[i] * sv[i];
        assert_true(fabs(left_over(w, &m, n) - dropped) <= 1e-12 * all);
        lr_lowrank_free(&m);
    }
    assert_int_equal(lr_solve_svd(&m, w, NULL, (int)d, n, 4, &ask, NULL), LR_EINTR);
    free(w);
    free(a);
    free(u);
    free(sv);
    free(vt);
}

static void svd__leaves_the_bias_exact(void **state)
{
    (void)state;
    struct lr_rng r;
    float w[8 * 20], bias[8];
    struct lr_lowrank m;
    lr_rng_seed(&r, 3);
    for (size_t i = 0; i < 160; i++)
        w[i] = (float)lr_rng_normal(&r);
    for (size_t i = 0; i < 8; i++)
        bias[i] = (float)lr_rng_normal(&r);
    assert_int_equal(lr_solve_svd(&m, w, bias, 8, 20, 3, NULL, NULL), LR_OK);
    /* An input of zeros has the response b0, which must come through: M b0 + b = b0. */
    double *matrix = product_of(&m);
    for (size_t i = 0; i < 8; i++) {
        double y = m.b[i];
        for (size_t j = 0; j < 8; j++)
            y += matrix[i * 8 + j] * (double)bias[j];
        assert_true(fabs(y - (double)bias[i]) < 1e-12);
    }
    free(matrix);
    lr_lowrank_free(&m);

    struct lr_samples s = {.d = 8};
    struct lr_solve_opts o;
    lr_solve_opts_default(&o);
    o.bias = bias;
    struct lr_lowrank direct, by_table;
    assert_int_equal(lr_solve_svd(&direct, w, bias, 8, 20, 3, NULL, NULL), LR_OK);
    assert_int_equal(lr_method_find("svd")->solve(&by_table, &s, w, 20, 3, &o, NULL),
                     LR_OK);
    assert_true(largest_difference(direct.b, by_table.b, 8) == 0);
    lr_lowrank_free(&direct);
    lr_lowrank_free(&by_table);
}

static void svd__refuses_bad_arguments(void **state)
{
    (void)state;
    float w[6] = {1, 2, 3, 4, 5, NAN};
    struct lr_lowrank m;
    struct lr_err e = {0};
    assert_int_equal(lr_solve_svd(&m, w, NULL, 3, 2, 1, NULL, &e), LR_ENUMERIC);
    w[5] = 6;
    assert_int_equal(lr_solve_svd(&m, w, NULL, 3, 2, 4, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_solve_svd(&m, w, NULL, 3, 2, 0, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_solve_svd(&m, NULL, NULL, 3, 2, 1, NULL, &e), LR_EINVAL);
}

static void method__table_is_consistent(void **state)
{
    (void)state;
    for (int i = 0; i < lr_n_methods; i++) {
        assert_ptr_equal(lr_method_find(lr_methods[i].name), &lr_methods[i]);
        assert_ptr_equal(lr_method_info(lr_methods[i].id), &lr_methods[i]);
        assert_true((lr_methods[i].solve == NULL) ==
                    (lr_methods[i].id == LR_METHOD_KEEP ||
                     lr_methods[i].id == LR_METHOD_SPATIAL));
        assert_int_equal(lr_methods[i].split == LR_SPLIT_NONE,
                         lr_methods[i].id == LR_METHOD_KEEP);
        assert_true(lr_methods[i].solve || !lr_methods[i].needs_samples);
        assert_true(lr_methods[i].is_linear || lr_methods[i].needs_samples);
    }
    assert_int_equal(lr_method_find("3d")->split, LR_SPLIT_BOTH);
    assert_int_equal(lr_method_find("spatial-refit")->split, LR_SPLIT_SPATIAL);
    assert_null(lr_method_find("relus"));
    assert_null(lr_method_find(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(svd__error_is_the_dropped_singular_values),
        cmocka_unit_test(svd__of_a_wide_layer_drops_what_lapack_says),
        cmocka_unit_test(svd__leaves_the_bias_exact),
        cmocka_unit_test(svd__refuses_bad_arguments),
        cmocka_unit_test(method__table_is_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
