/* Unit tests of products and decompositions in src/la against naive loops and the
 * identities that define each result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

static double *randoms(struct lr_rng *r, size_t n)
{
    double *x = lr_alloc(n, sizeof(*x));

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = lr_rng_normal(r);
    return x;
}

static double *zeros(size_t n)
{
    double *x = lr_calloc(n, sizeof(*x));

    assert_non_null(x);
    return x;
}

static double *copy_of(const double *x, size_t n)
{
    double *y = lr_alloc(n, sizeof(*y));

    assert_non_null(y);
    memcpy(y, x, n * sizeof(*y));
    return y;
}

/* c[m x n] = op(a) op(b), all tightly packed. */
static void multiply(double *c, const double *a, bool ta, const double *b, bool tb,
                     size_t m, size_t n, size_t k)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            long double sum = 0;
            for (size_t l = 0; l < k; l++)
                sum += (long double)(ta ? a[l * m + i] : a[i * k + l]) *
                       (tb ? b[j * k + l] : b[l * n + j]);
            c[i * n + j] = (double)sum;
        }
}

static double largest_difference(const double *x, const double *y, size_t n)
{
    double d = 0;

    for (size_t i = 0; i < n; i++)
        d = isnan(x[i] - y[i]) ? INFINITY : fmax(d, fabs(x[i] - y[i]));
    return d;
}

static void expect_near(double x, double wanted, double tolerance)
{
    if (!(fabs(x - wanted) <= tolerance))
        fail_msg("%.17g is not %.17g", x, wanted);
}

static void expect_identity(const double *x, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (!(fabs(x[i * n + j] - (i == j)) <= tolerance))
                fail_msg("(%zu, %zu) is %g", i, j, x[i * n + j]);
}

/* The entry of largest magnitude, the first of equals, is positive. */
static void expect_sign(const double *v, size_t n, size_t stride)
{
    size_t at = 0;

    for (size_t i = 1; i < n; i++)
        if (fabs(v[i * stride]) > fabs(v[at * stride]) * (1 + 1e-9))
            at = i;
    assert_true(v[at * stride] > 0);
}

/* An orthogonal matrix with the given rows count, from the SVD-free Gram-Schmidt process.
 */
static double *orthogonal(struct lr_rng *r, size_t n)
{
    double *q = randoms(r, n * n);

    for (size_t i = 0; i < n; i++)
        for (int pass = 0; pass < 2; pass++) {
            double norm = 0;
            for (size_t j = 0; j < i; j++) {
                double dot = 0;
                for (size_t l = 0; l < n; l++)
                    dot += q[i * n + l] * q[j * n + l];
                for (size_t l = 0; l < n; l++)
                    q[i * n + l] -= dot * q[j * n + l];
            }
            for (size_t l = 0; l < n; l++)
                norm += q[i * n + l] * q[i * n + l];
            for (size_t l = 0; l < n; l++)
                q[i * n + l] /= sqrt(norm);
        }
    return q;
}

/* q^T diag(w) q, exactly symmetric. */
static double *with_spectrum(const double *q, const double *w, size_t n)
{
    double *a = zeros(n * n);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t l = 0; l < n; l++)
                sum += w[l] * q[l * n + i] * q[l * n + j];
            a[i * n + j] = a[j * n + i] = sum;
        }
    return a;
}

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

/* ---- eigendecomposition ---- */

static void eigh__solves_and_is_orthonormal_with_fixed_signs(void **state)
{
    (void)state;
    static const size_t orders[] = {1, 2, 3, 10, 64, 131};
    struct lr_err e = {0};
    struct lr_rng r;

    lr_rng_seed(&r, 7);
    for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]); o++) {
        size_t n = orders[o];
        double *q = orthogonal(&r, n), *spectrum = zeros(n), *w = zeros(n);
        double *av = zeros(n * n), *vv = zeros(n * n);
        for (size_t i = 0; i < n; i++)
            spectrum[i] = (double)n - 2.5 * (double)i; /* descending, of both signs */
        double *a = with_spectrum(q, spectrum, n), *v = copy_of(a, n * n);

        assert_int_equal(lr_la_eigh(n, v, w, &e), LR_OK);
        assert_true(largest_difference(w, spectrum, n) < 1e-11 * (double)n);
        multiply(av, v, false, a, false, n, n, n);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                assert_true(fabs(av[i * n + j] - w[i] * v[i * n + j]) <
                            1e-11 * (double)n);
        multiply(vv, v, false, v, true, n, n, n);
        expect_identity(vv, n, 1e-12);
        for (size_t i = 0; i < n; i++)
            expect_sign(v + i * n, n, 1);
        /* The vectors are those that made the matrix, up to sign. */
        multiply(vv, v, false, q, true, n, n, n);
        for (size_t i = 0; i < n; i++)
            assert_true(fabs(fabs(vv[i * n + i]) - 1) < 1e-9);
        lr_free(q);
        lr_free(spectrum);
        lr_free(w);
        lr_free(av);
        lr_free(vv);
        lr_free(a);
        lr_free(v);
    }
}

static void eigh__gives_known_vectors_of_a_small_matrix(void **state)
{
    (void)state;
    struct lr_err e = {0};
    double a[4] = {2, -1, -1, 2}, w[2], h = sqrt(0.5);

    assert_int_equal(lr_la_eigh(2, a, w, &e), LR_OK);
    expect_near(w[0], 3, 1e-14);
    expect_near(w[1], 1, 1e-14);
    /* Entries of equal magnitude: the first is the positive one. */
    const double wanted[4] = {h, -h, h, h};
    assert_true(largest_difference(a, wanted, 4) < 1e-14);
}

static void eigh__finds_the_zeros_of_a_rank_deficient_matrix(void **state)
{
    (void)state;
    enum { N = 40, RANK = 9 };
    struct lr_err e = {0};
    struct lr_rng r;
    double w[N];

    lr_rng_seed(&r, 8);
    double *x = randoms(&r, N * RANK), *g = zeros(N * N), *vv = zeros(N * N);
    multiply(g, x, false, x, true, N, N, RANK);
    assert_int_equal(lr_la_eigh(N, g, w, &e), LR_OK);
    for (int i = 0; i < N; i++)
        assert_true(i < RANK ? w[i] > 1 : fabs(w[i]) < 1e-12 * w[0]);
    multiply(vv, g, false, g, true, N, N, N);
    expect_identity(vv, N, 1e-12);
    lr_free(x);
    lr_free(g);
    lr_free(vv);
}

static void eigh__refuses_non_finite_and_too_large(void **state)
{
    (void)state;
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    struct lr_err e = {0};
    double w[3];

    for (int i = 0; i < 27; i++) {
        double a[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
        a[i % 9] = bad[i / 9];
        assert_int_equal(lr_la_eigh(3, a, w, &e), LR_ENUMERIC);
        assert_non_null(strstr(e.msg, "non-finite"));
    }
    assert_int_equal(lr_la_eigh(0, NULL, NULL, &e), LR_OK);
    assert_int_equal(lr_la_eigh((size_t)INT_MAX + 7, NULL, NULL, &e), LR_EINVAL);
}

static void eigh__is_the_same_for_any_scale(void **state)
{
    (void)state;
    enum { N = 20 };
    static const double scales[] = {1e-150, 1e-20, 1e20, 1e150};
    struct lr_err e = {0};
    struct lr_rng r;
    double w[N], wanted_w[N];

    lr_rng_seed(&r, 9);
    double *x = randoms(&r, N * N), *g = zeros(N * N);
    multiply(g, x, false, x, true, N, N, N);
    double *wanted = copy_of(g, N * N);
    assert_int_equal(lr_la_eigh(N, wanted, wanted_w, &e), LR_OK);
    for (int s = 0; s < 4; s++) {
        double *a = copy_of(g, N * N);
        for (int i = 0; i < N * N; i++)
            a[i] *= scales[s];
        assert_int_equal(lr_la_eigh(N, a, w, &e), LR_OK);
        for (int i = 0; i < N; i++)
            assert_true(fabs(w[i] / scales[s] - wanted_w[i]) < 1e-11 * wanted_w[0]);
        assert_true(largest_difference(a, wanted, N * N) < 1e-8);
        lr_free(a);
    }
    lr_free(x);
    lr_free(g);
    lr_free(wanted);
}

/* ---- singular values ---- */

static void expect_svd(size_t m, size_t n, const double *a)
{
    struct lr_err e = {0};
    size_t k = m < n ? m : n;
    double *work = copy_of(a, m * n), *u = zeros(m * k), *s = zeros(k),
           *vt = zeros(k * n);
    double *us = zeros(m * k), *back = zeros(m * n), *small = zeros(k * k);

    assert_int_equal(lr_la_svd(m, n, work, u, s, vt, &e), LR_OK);
    for (size_t j = 0; j < k; j++) {
        assert_true(s[j] >= 0 && (j == 0 || s[j] <= s[j - 1]));
        expect_sign(u + j, m, k);
        for (size_t i = 0; i < m; i++)
            us[i * k + j] = u[i * k + j] * s[j];
    }
    multiply(back, us, false, vt, false, m, n, k);
    assert_true(largest_difference(back, a, m * n) < 1e-12 * (1 + s[0]));
    multiply(small, u, true, u, false, k, k, m);
    expect_identity(small, k, 1e-12);
    multiply(small, vt, false, vt, true, k, k, n);
    expect_identity(small, k, 1e-12);
    lr_free(work);
    lr_free(u);
    lr_free(s);
    lr_free(vt);
    lr_free(us);
    lr_free(back);
    lr_free(small);
}

static void svd__reconstructs_tall_wide_and_rank_deficient(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {1, 6}, {6, 1},   {5, 5},
                                      {9, 4}, {4, 9}, {80, 33}, {33, 80}};
    struct lr_rng r;

    lr_rng_seed(&r, 10);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t m = sizes[i][0], n = sizes[i][1];
        double *a = randoms(&r, m * n);
        expect_svd(m, n, a);
        for (size_t j = n; j < m * n; j++)
            a[j] = a[j % n] * (double)(j / n); /* rank one */
        expect_svd(m, n, a);
        memset(a, 0, m * n * sizeof(*a));
        expect_svd(m, n, a);
        lr_free(a);
    }
}

static void svd__finds_known_singular_values(void **state)
{
    (void)state;
    struct lr_err e = {0};
    double a[6] = {0, 3, 0, 0, 0, -2}, u[4], s[2], vt[6];
    const double wanted_u[4] = {1, 0, 0, 1}, wanted_vt[6] = {0, 1, 0, 0, 0, -1};

    assert_int_equal(lr_la_svd(2, 3, a, u, s, vt, &e), LR_OK);
    expect_near(s[0], 3, 1e-14);
    expect_near(s[1], 2, 1e-14);
    assert_true(largest_difference(u, wanted_u, 4) < 1e-14);
    assert_true(largest_difference(vt, wanted_vt, 6) < 1e-14);
    /* Equal but for rounding: the first decides. */
    double pair[2] = {-1, 1 + 1e-15};
    assert_int_equal(lr_la_svd(2, 1, pair, u, s, vt, &e), LR_OK);
    assert_true(u[0] > 0 && u[1] < 0 && vt[0] < 0);
    a[4] = NAN;
    assert_int_equal(lr_la_svd(2, 3, a, u, s, vt, &e), LR_ENUMERIC);
    assert_int_equal(lr_la_svd(0, 3, NULL, NULL, NULL, NULL, &e), LR_OK);
    assert_int_equal(lr_la_svd((size_t)INT_MAX + 1, 1, NULL, NULL, NULL, NULL, &e),
                     LR_EINVAL);
}

/* ---- roots ---- */

static void psd_roots__square_to_the_matrix_and_its_pseudo_inverse(void **state)
{
    (void)state;
    enum { N = 24 };
    struct lr_err e = {0};
    struct lr_rng r;

    lr_rng_seed(&r, 11);
    for (size_t rank = 0; rank <= N; rank += 8) {
        double w[N] = {0}, inverse[N] = {0};
        for (size_t i = 0; i < rank; i++) {
            w[i] = pow(10, 3 - (double)i / 4); /* 1000 down to 1e-3 */
            inverse[i] = 1 / w[i];
        }
        double *q = orthogonal(&r, N), *g = with_spectrum(q, w, N);
        double *plus = with_spectrum(q, inverse, N), *kept_g = copy_of(g, N * N);
        double *root = zeros(N * N), *iroot = zeros(N * N), *product = zeros(N * N);
        double *again = zeros(N * N);
        size_t n_kept = 99;

        assert_int_equal(lr_la_psd_roots(N, g, 1e-12, root, iroot, &n_kept, &e), LR_OK);
        assert_int_equal(n_kept, rank);
        assert_memory_equal(g, kept_g, N * N * sizeof(double));
        multiply(product, root, false, root, false, N, N, N);
        assert_true(largest_difference(product, g, N * N) < 1e-10);
        multiply(product, iroot, false, iroot, false, N, N, N);
        assert_true(largest_difference(product, plus, N * N) < 1e-5);
        /* root iroot is the projection onto the range of g. */
        multiply(product, root, false, iroot, false, N, N, N);
        multiply(again, product, false, g, false, N, N, N);
        assert_true(largest_difference(again, g, N * N) < 1e-8);
        double trace = 0;
        for (size_t i = 0; i < N; i++)
            trace += product[i * N + i];
        expect_near(trace, (double)rank, 1e-8);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++) {
                assert_true(root[i * N + j] == root[j * N + i]);
                assert_true(iroot[i * N + j] == iroot[j * N + i]);
            }
        assert_int_equal(lr_la_psd_roots(N, g, 1e-12, NULL, again, NULL, &e), LR_OK);
        assert_memory_equal(again, iroot, N * N * sizeof(double));
        assert_int_equal(lr_la_psd_roots(N, g, 1e-12, again, NULL, NULL, &e), LR_OK);
        assert_memory_equal(again, root, N * N * sizeof(double));
        lr_free(q);
        lr_free(g);
        lr_free(plus);
        lr_free(kept_g);
        lr_free(root);
        lr_free(iroot);
        lr_free(product);
        lr_free(again);
    }
}

static void psd_roots__cuts_small_eigenvalues_where_told(void **state)
{
    (void)state;
    struct lr_err e = {0};
    double g[9] = {4, 0, 0, 0, 4e-3, 0, 0, 0, 4e-6}, iroot[9];
    size_t n_kept;

    assert_int_equal(lr_la_psd_roots(3, g, 1e-4, NULL, iroot, &n_kept, &e), LR_OK);
    assert_int_equal(n_kept, 2);
    expect_near(iroot[0], 0.5, 1e-14);
    expect_near(iroot[4], 1 / sqrt(4e-3), 1e-12);
    expect_near(iroot[8], 0, 0);
    g[4] = NAN;
    assert_int_equal(lr_la_psd_roots(3, g, 1e-4, NULL, iroot, &n_kept, &e), LR_ENUMERIC);
    assert_int_equal(n_kept, 0);
    assert_int_equal(lr_la_psd_roots(0, NULL, 1e-12, NULL, NULL, &n_kept, &e), LR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(la_threads__can_be_set_and_the_library_is_named),
        cmocka_unit_test(gemm__equals_loops_for_every_transposition),
        cmocka_unit_test(gemm__in_rows_does_not_depend_on_threads),
        cmocka_unit_test(gemm__handles_empty_and_refuses_impossible_sizes),
        cmocka_unit_test(eigh__solves_and_is_orthonormal_with_fixed_signs),
        cmocka_unit_test(eigh__gives_known_vectors_of_a_small_matrix),
        cmocka_unit_test(eigh__finds_the_zeros_of_a_rank_deficient_matrix),
        cmocka_unit_test(eigh__refuses_non_finite_and_too_large),
        cmocka_unit_test(eigh__is_the_same_for_any_scale),
        cmocka_unit_test(svd__reconstructs_tall_wide_and_rank_deficient),
        cmocka_unit_test(svd__finds_known_singular_values),
        cmocka_unit_test(psd_roots__square_to_the_matrix_and_its_pseudo_inverse),
        cmocka_unit_test(psd_roots__cuts_small_eigenvalues_where_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
