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
            assert_int_equal(lr_solve_svd(&m, w, NULL, (int)d, n, rank, NULL), LR_OK);
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
    assert_int_equal(lr_solve_svd(&m, w, bias, 8, 20, 3, NULL), LR_OK);
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
    assert_int_equal(lr_solve_svd(&direct, w, bias, 8, 20, 3, NULL), LR_OK);
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
    assert_int_equal(lr_solve_svd(&m, w, NULL, 3, 2, 1, &e), LR_ENUMERIC);
    w[5] = 6;
    assert_int_equal(lr_solve_svd(&m, w, NULL, 3, 2, 4, &e), LR_EINVAL);
    assert_int_equal(lr_solve_svd(&m, w, NULL, 3, 2, 0, &e), LR_EINVAL);
    assert_int_equal(lr_solve_svd(&m, NULL, NULL, 3, 2, 1, &e), LR_EINVAL);
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
        cmocka_unit_test(svd__leaves_the_bias_exact),
        cmocka_unit_test(svd__refuses_bad_arguments),
        cmocka_unit_test(method__table_is_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
