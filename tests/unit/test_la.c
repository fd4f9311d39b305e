/* Unit tests of products and decompositions in src/la against naive loops and the
 * identities that define each result. */
#include "la_fixture.h"

/* ---- threads and products ---- */

static void la_threads__can_be_set_and_the_library_is_named(void **state)
{
    (void)state;
    int before = lr_la_threads();

    lr_la_set_threads(2);
    assert_int_equal(lr_la_threads(), 2);
    lr_la_set_threads(0);
    assert_int_equal(lr_la_threads(), 1);
    lr_la_set_threads(before);
    char buf[128], brief[9];
    const char *version = lr_la_version(buf, sizeof(buf));
    assert_ptr_equal(version, buf);
    assert_string_equal(lr_la_version(brief, sizeof(brief)), "OpenBLAS");
    assert_int_equal(strncmp(version, "OpenBLAS ", 9), 0);
    assert_non_null(strchr(version, '('));
    print_message("%s, %d threads\n", version, before);
}

static void gemm__equals_loops_for_every_transposition(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{1, 1, 1}, {7, 5, 3}, {33, 17, 65}, {4, 40, 1}};
    static const double factors[][2] = {{1, 0}, {1, 1}, {-0.5, 2}};
    struct lr_err e = {0};
    struct lr_rng r;

    lr_rng_seed(&r, 1);
    for (size_t s = 0; s < 4; s++)
        for (int which = 0; which < 12; which++) {
            bool ta = which & 1, tb = which & 2;
            double alpha = factors[which / 4][0], beta = factors[which / 4][1];
            size_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
            /* Rows are three values longer than the matrix, and those stay as they are.
             */
            size_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 3, ldc = n + 3;
            size_t na = (ta ? k : m) * lda, nb = (tb ? n : k) * ldb;
            double *a = randoms(&r, na), *b = randoms(&r, nb), *c = randoms(&r, m * ldc);
            double *wanted = copy_of(c, m * ldc);
            float *fa = lr_alloc(na, 4), *fb = lr_alloc(nb, 4),
                  *fc = lr_alloc(m * ldc, 4), *out = lr_alloc(m * ldc, 4);

            for (size_t i = 0; i < na; i++)
                fa[i] = (float)a[i];
            for (size_t i = 0; i < nb; i++)
                fb[i] = (float)b[i];
            for (size_t i = 0; i < m * ldc; i++)
                fc[i] = (float)c[i];
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < n; j++) {
                    long double sum = 0;
                    for (size_t l = 0; l < k; l++)
                        sum += (long double)(ta ? a[l * lda + i] : a[i * lda + l]) *
                               (tb ? b[j * ldb + l] : b[l * ldb + j]);
                    wanted[i * ldc + j] = (double)(alpha * sum + beta * c[i * ldc + j]);
                    if (beta == 0)
                        c[i * ldc + j] = NAN; /* must not be read */
                }
            assert_int_equal(
                lr_la_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, &e),
                LR_OK);
            assert_true(largest_difference(c, wanted, m * ldc) < 1e-12);
            for (int f = 0; f < 2; f++) {
                memcpy(out, fc, m * ldc * sizeof(float));
                assert_int_equal((f ? lr_engine_gemm : lr_la_gemm_f)(
                                     ta, tb, m, n, k, (float)alpha, fa, lda, fb, ldb,
                                     (float)beta, out, ldc, &e),
                                 LR_OK);
                for (size_t i = 0; i < m * ldc; i++)
                    c[i] = out[i];
                assert_true(largest_difference(c, wanted, m * ldc) < 1e-4);
            }
            lr_free(a);
            lr_free(b);
            lr_free(c);
            lr_free(wanted);
            lr_free(fa);
            lr_free(fb);
            lr_free(fc);
            lr_free(out);
        }
}

/* Cut into rows, by one thread and by two: the bits of one product per 64 rows. */
static void gemm__in_rows_does_not_depend_on_threads(void **state)
{
    (void)state;
    const size_t m = 200, n = 70, k = 90, ld = 205;
    struct lr_rng r;

    lr_rng_seed(&r, 3);
    double *a = randoms(&r, m * ld), *b = randoms(&r, ld * ld), *c[3];
    for (int i = 0; i < 3; i++)
        c[i] = randoms(&r, m * ld);
    for (int ta = 0; ta < 2; ta++) {
        for (int i = 0; i < 2; i++)
            assert_int_equal(lr_la_gemm_rows(i + 1, ta, true, m, n, k, 2, a, ld, b, ld, 0,
                                             c[i], n, NULL),
                             LR_OK);
        lr_la_gemm(ta, true, m, n, k, 2, a, ld, b, ld, 0, c[2], n, NULL);
        assert_memory_equal(c[0], c[1], m * n * sizeof(double));
        assert_true(largest_difference(c[0], c[2], m * n) < 1e-12);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(lr_la_gram_rows(i + 1, m, k, a, ld, c[i], m, NULL), LR_OK);
    lr_la_gemm(false, true, m, m, k, 1, a, ld, a, ld, 0, c[2], m, NULL);
    assert_memory_equal(c[0], c[1], m * m * sizeof(double));
    assert_true(largest_difference(c[0], c[2], m * m) < 1e-12);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < i; j++)
            expect_near(c[0][i * m + j], c[0][j * m + i], 0);
    assert_int_equal(
        lr_la_gemm_rows(2, false, false, m, n, k, 1, a, k - 1, b, n, 0, c[0], n, NULL),
        LR_EINVAL);
    assert_int_equal(lr_la_gram_rows(2, m, k, a, k, c[0], m - 1, NULL), LR_EINVAL);
    lr_free(a);
    lr_free(b);
    for (int i = 0; i < 3; i++)
        lr_free(c[i]);
}

static void gemm__handles_empty_and_refuses_impossible_sizes(void **state)
{
    (void)state;
    struct lr_err e = {0};
    double c[4] = {1, 2, NAN, 4}, a[4] = {1, 1, 1, 1};
    float cf[2] = {3, 4}, af[2] = {1, 1};

    assert_int_equal(lr_la_gemm(0, 0, 2, 1, 0, 1, a, 0, a, 1, 2, c, 1, &e), LR_OK);
    expect_near(c[0], 2, 0);
    expect_near(c[1], 4, 0);
    assert_int_equal(lr_la_gemm(0, 0, 1, 2, 0, 1, a, 0, a, 2, 0, c + 2, 2, &e), LR_OK);
    expect_near(c[2], 0, 0);
    assert_int_equal(lr_la_gemm_f(0, 0, 1, 2, 0, 1, af, 0, af, 2, 0, cf, 2, &e), LR_OK);
    expect_near(cf[1], 0, 0);
    assert_int_equal(lr_la_gemm(0, 0, 0, 5, 5, 1, a, 5, a, 5, 0, c, 5, &e), LR_OK);
    assert_int_equal(lr_la_gemm(0, 0, 2, 2, 2, 1, a, 1, a, 2, 0, c, 2, &e), LR_EINVAL);
    assert_int_equal(lr_la_gemm(0, 1, 2, 2, 2, 1, a, 2, a, 1, 0, c, 2, &e), LR_EINVAL);
    assert_int_equal(lr_la_gemm(0, 0, 2, 2, 2, 1, a, 2, a, 2, 0, c, 1, &e), LR_EINVAL);
    size_t huge = (size_t)INT_MAX + 1;
    assert_int_equal(lr_la_gemm(0, 0, 1, 1, huge, 1, a, huge, a, 1, 0, c, 1, &e),
                     LR_EINVAL);
    assert_int_equal(lr_la_gemm_f(0, 0, huge, 1, 1, 1, af, 1, af, 1, 0, cf, 1, &e),
                     LR_EINVAL);
    assert_non_null(strstr(e.msg, "2147483648"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(la_threads__can_be_set_and_the_library_is_named),
        cmocka_unit_test(gemm__equals_loops_for_every_transposition),
        cmocka_unit_test(gemm__in_rows_does_not_depend_on_threads),
        cmocka_unit_test(gemm__handles_empty_and_refuses_impossible_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
