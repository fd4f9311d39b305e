/* Decompositions: eigenvalues, singular values, square roots. */
#include "la_fixture.h"

static double *zeros(size_t n)
{
    double *x = lr_calloc(n, sizeof(*x));

    assert_non_null(x);
    return x;
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

static void eigenvalues__are_those_of_the_decomposition(void **state)
{
    (void)state;
    enum { N = 37 };
    struct lr_err e = {0};
    struct lr_rng r;
    double w[N], wanted[N];

    lr_rng_seed(&r, 12);
    double *x = randoms(&r, N * N), *a = zeros(N * N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i * N + j] = x[i * N + j] + x[j * N + i];
    double *v = copy_of(a, N * N);
    assert_int_equal(lr_la_eigh(N, v, wanted, &e), LR_OK);
    assert_int_equal(lr_la_eigenvalues(N, a, w, &e), LR_OK);
    assert_true(largest_difference(w, wanted, N) < 1e-12 * N);
    a[5] = NAN;
    assert_int_equal(lr_la_eigenvalues(N, a, w, &e), LR_ENUMERIC);
    assert_int_equal(lr_la_eigenvalues((size_t)INT_MAX + 7, NULL, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_la_eigenvalues(0, NULL, NULL, &e), LR_OK);
    lr_free(x);
    lr_free(a);
    lr_free(v);
}

/* n rows of d values, the last n - rank of them sums of the others: vectors are
 * orthonormal, satisfy (rows^T rows) v = w v, and have the sign of lr_la_eigh. */
static void expect_eigh_rows(size_t n, size_t d, size_t rank, double fade, bool is_full)
{
    struct lr_err e = {0};
    struct lr_rng r;
    size_t n_vec = is_full ? d : n;

    lr_rng_seed(&r, 100 * n + d);
    double *x = randoms(&r, n * d), *g = zeros(d * d), *w = zeros(d),
           *v = zeros(n_vec * d);
    double *gv = zeros(n_vec * d), *vv = zeros(n_vec * n_vec), *wanted = zeros(d);
    double scale = 1;
    for (size_t i = 0; i < n; i++, scale *= fade)
        for (size_t j = 0; j < d; j++)
            x[i * d + j] = i < rank ? scale * x[i * d + j]
                                    : x[(i - rank) * d + j] - x[(i - rank) / 2 * d + j];
    multiply(g, x, true, x, false, d, d, n);
    double *copy = copy_of(g, d * d);
    assert_int_equal(lr_la_eigh(d, copy, wanted, &e), LR_OK);
    assert_int_equal(lr_la_eigh_rows(n, d, x, w, v, n_vec, &e), LR_OK);
    assert_true(largest_difference(w, wanted, d) < 1e-13 * (double)d * wanted[0]);
    multiply(vv, v, false, v, true, n_vec, n_vec, d);
    expect_identity(vv, n_vec, 1e-13 * (double)d);
    multiply(gv, v, false, g, false, n_vec, d, d);
    for (size_t i = 0; i < n_vec; i++) {
        for (size_t j = 0; j < d; j++)
            assert_true(fabs(gv[i * d + j] - w[i] * v[i * d + j]) <
                        1e-13 * (double)d * wanted[0]);
        expect_sign(v + i * d, d, 1);
    }
    lr_free(x);
    lr_free(g);
    lr_free(w);
    lr_free(v);
    lr_free(gv);
    lr_free(vv);
    lr_free(wanted);
    lr_free(copy);
}

static void eigh_rows__is_the_decomposition_of_their_products(void **state)
{
    (void)state;
    struct lr_err e = {0};
    double x[6] = {1, 2, NAN, 0, 0, 0}, w[3], v[9];

    expect_eigh_rows(1, 1, 1, 1, true);
    expect_eigh_rows(1, 7, 1, 1, true);
    expect_eigh_rows(9, 40, 9, 1, false);
    expect_eigh_rows(9, 40, 9, 1, true);
    expect_eigh_rows(12, 12, 12, 1, true);
    expect_eigh_rows(20, 61, 13, 1, true);    /* dependent rows */
    expect_eigh_rows(16, 50, 16, 0.2, false); /* down to 1e-21 of the largest */
    assert_int_equal(lr_la_eigh_rows(2, 3, x, w, v, 2, &e), LR_ENUMERIC);
    assert_int_equal(lr_la_eigh_rows(4, 3, NULL, w, v, 4, &e), LR_EINVAL);
    assert_int_equal(lr_la_eigh_rows(2, 3, x, w, v, 1, &e), LR_EINVAL);
    assert_int_equal(lr_la_eigh_rows(0, 3, NULL, w, v, 3, &e), LR_OK);
    for (int i = 0; i < 9; i++)
        expect_near(v[i], i % 4 == 0, 0);
    for (int i = 0; i < 3; i++)
        expect_near(w[i], 0, 0);
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
    double *again = copy_of(a, m * n), *alone = zeros(k);
    assert_int_equal(lr_la_singular_values(m, n, again, alone, &e), LR_OK);
    assert_true(largest_difference(alone, s, k) < 1e-13 * (double)(m + n) * (s[0] + 1));
    lr_free(again);
    lr_free(alone);
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
        cmocka_unit_test(eigh__solves_and_is_orthonormal_with_fixed_signs),
        cmocka_unit_test(eigh__gives_known_vectors_of_a_small_matrix),
        cmocka_unit_test(eigh__finds_the_zeros_of_a_rank_deficient_matrix),
        cmocka_unit_test(eigh__refuses_non_finite_and_too_large),
        cmocka_unit_test(eigh__is_the_same_for_any_scale),
        cmocka_unit_test(eigenvalues__are_those_of_the_decomposition),
        cmocka_unit_test(eigh_rows__is_the_decomposition_of_their_products),
        cmocka_unit_test(svd__reconstructs_tall_wide_and_rank_deficient),
        cmocka_unit_test(svd__finds_known_singular_values),
        cmocka_unit_test(psd_roots__square_to_the_matrix_and_its_pseudo_inverse),
        cmocka_unit_test(psd_roots__cuts_small_eigenvalues_where_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
