/* Eigenvalues, singular values and roots over LAPACK. Row-major matrices are handed over
 * as their column-major transposes, so nothing is transposed: a symmetric matrix is its
 * own, its eigenvectors come back as rows, and u and v of an SVD change places. LAPACK
 * leaves the sign of a vector open; fixing it keeps results the same from one machine to
 * the next. */
#include "ranklab/la.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "ranklab/mem.h"

/* The work space of a divide-and-conquer solver, up to 2 n^2 or 4 n^2 values, is counted
 * in an int inside LAPACK. */
enum { MAX_EIGH = 32000, MAX_SVD = 20000 };

static enum lr_status check_finite(const double *a, size_t n, const char *what,
                                   struct lr_err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(a[i]))
            return lr_err_set(e, LR_ENUMERIC, "%s: the matrix has non-finite entries",
                              what);
    return LR_OK;
}

static enum lr_status lapack_error(lapack_int info, const char *what, struct lr_err *e)
{
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return lr_err_set(e, LR_ENOMEM, "out of memory (work space of the %s)", what);
    return lr_err_set(e, LR_ENUMERIC, "%s did not converge (LAPACK info %d)", what,
                      (int)info);
}

/* True when the vector's entry of largest magnitude is negative. Entries within rounding
 * of the largest count as equal, and the first of them decides. */
static bool is_sign_wrong(const double *v, size_t n, size_t stride)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(v[i * stride]));
    for (size_t i = 0; i < n; i++)
        if (fabs(v[i * stride]) >= largest * (1 - 1e-10))
            return v[i * stride] < 0;
    return false;
}

static void negate(double *v, size_t n, size_t stride)
{
    for (size_t i = 0; i < n; i++)
        v[i * stride] = -v[i * stride];
}

static void swap_rows(double *a, double *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* LAPACK's order is ascending. */
static void descending(double *w, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        double t = w[i];
        w[i] = w[n - 1 - i];
        w[n - 1 - i] = t;
    }
}

static enum lr_status check_symmetric(size_t n, const double *a, const char *what,
                                      struct lr_err *e)
{
    if (n > MAX_EIGH)
        return lr_err_set(e, LR_EINVAL, "%s: order %zu exceeds %d", what, n, MAX_EIGH);
    return check_finite(a, n * n, what, e);
}

static void fix_signs(double *v, size_t n_vec, size_t n)
{
    for (size_t i = 0; i < n_vec; i++)
        if (is_sign_wrong(v + i * n, n, 1))
            negate(v + i * n, n, 1);
}

/* job 'V': a becomes the eigenvectors, in ascending order; 'N': a is destroyed. w is
 * descending. */
static enum lr_status decompose(char job, size_t n, double *a, double *w,
                                const char *what, struct lr_err *e)
{
    enum lr_status st = check_symmetric(n, a, what, e);

    if (st != LR_OK)
        return st;
    lapack_int info =
        LAPACKE_dsyevd(LAPACK_COL_MAJOR, job, 'U', (lapack_int)n, a, (lapack_int)n, w);
    if (info != 0)
        return lapack_error(info, what, e);
    descending(w, n);
    return LR_OK;
}

enum lr_status lr_la_eigh(size_t n, double *a, double *w, struct lr_err *e)
{
    enum lr_status st = n ? decompose('V', n, a, w, "eigendecomposition", e) : LR_OK;

    if (st != LR_OK)
        return st;
    for (size_t i = 0; i < n / 2; i++)
        swap_rows(a + i * n, a + (n - 1 - i) * n, n);
    fix_signs(a, n, n);
    return LR_OK;
}

enum lr_status lr_la_eigenvalues(size_t n, double *a, double *w, struct lr_err *e)
{
    return n ? decompose('N', n, a, w, "eigenvalues", e) : LR_OK;
}

bool lr_la_is_thin(size_t n, size_t d)
{
    return n <= d / 2;
}

/* rows^T = Q R, Q [d x n] orthonormal: the eigenvectors are Q times those of R R^T, and
 * those of zero the rest of Q made square. */
enum lr_status lr_la_eigh_rows(size_t n, size_t d, double *rows, double *w, double *vec,
                               size_t n_vec, struct lr_err *e)
{
    const char *what = "eigendecomposition";

    if (d == 0)
        return LR_OK;
    if (n > d || d > MAX_EIGH || (n_vec != n && n_vec != d))
        return lr_err_set(e, LR_EINVAL, "%s: %zu rows of %zu values", what, n, d);
    enum lr_status st = check_finite(rows, n * d, what, e);
    if (st != LR_OK)
        return st;
    memset(w, 0, d * sizeof(*w));
    memset(vec, 0, n_vec * d * sizeof(*vec));
    for (size_t i = n; i < n_vec; i++)
        vec[i * d + i] = 1;
    if (n == 0)
        return LR_OK;
    double *tau = lr_alloc(n, sizeof(*tau)), *r = lr_calloc(n * n, sizeof(*r));
    double *s = lr_alloc(n * n, sizeof(*s));
    if (!tau || !r || !s) {
        st = lr_enomem(e, 2 * n * n * sizeof(*r), what);
        goto out;
    }
    const lapack_int ni = (lapack_int)n, di = (lapack_int)d;
    lapack_int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, di, ni, rows, di, tau);
    if (info != 0) {
        st = lapack_error(info, "QR decomposition", e);
        goto out;
    }
    for (size_t j = 0; j < n; j++)
        memcpy(r + j * n, rows + j * d, (j + 1) * sizeof(*r));
    cblas_dsyrk(CblasColMajor, CblasUpper, CblasNoTrans, (int)n, (int)n, 1, r, (int)n, 0,
                s, (int)n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            s[i * n + j] = s[j * n + i];
    if ((st = lr_la_eigh(n, s, w, e)) != LR_OK)
        goto out;
    for (size_t i = 0; i < n; i++)
        memcpy(vec + i * d, s + i * n, n * sizeof(*s));
    info = LAPACKE_dormqr(LAPACK_COL_MAJOR, 'L', 'N', di, (lapack_int)n_vec, ni, rows, di,
                          tau, vec, di);
    if (info != 0)
        st = lapack_error(info, "QR decomposition", e);
    else
        fix_signs(vec, n_vec, d);
out:
    lr_free(tau);
    lr_free(r);
    lr_free(s);
    return st;
}

/* job: 'S', or 'N' for the values alone, u and vt NULL. */
static enum lr_status svd(char job, size_t m, size_t n, double *a, double *u, double *s,
                          double *vt, struct lr_err *e)
{
    const char *what = "singular value decomposition";
    size_t k = m < n ? m : n;
    double *copy = NULL;

    if (k == 0)
        return LR_OK;
    if (k > MAX_SVD || m > INT_MAX || n > INT_MAX)
        return lr_err_set(e, LR_EINVAL, "%s: %zu x %zu exceeds order %d", what, m, n,
                          MAX_SVD);
    enum lr_status st = check_finite(a, m * n, what, e);
    if (st != LR_OK)
        return st;
    /* dgesdd is fast and on rare matrices fails where dgesvd does not; it has destroyed
     * its input by then. */
    copy = lr_alloc(m * n, sizeof(*copy));
    if (!copy)
        return lr_enomem(e, m * n * sizeof(*copy), what);
    memcpy(copy, a, m * n * sizeof(*copy));
    lapack_int rows = (lapack_int)n, cols = (lapack_int)m, rank = (lapack_int)k;
    lapack_int info =
        LAPACKE_dgesdd(LAPACK_COL_MAJOR, job, rows, cols, a, rows, s, vt, rows, u, rank);
    if (info > 0) {
        double *superb = lr_alloc(k, sizeof(*superb));
        if (!superb) {
            st = lr_enomem(e, k * sizeof(*superb), what);
            goto out;
        }
        info = LAPACKE_dgesvd(LAPACK_COL_MAJOR, job, job, rows, cols, copy, rows, s, vt,
                              rows, u, rank, superb);
        lr_free(superb);
    }
    if (info != 0)
        st = lapack_error(info, what, e);
out:
    lr_free(copy);
    return st;
}

enum lr_status lr_la_svd(size_t m, size_t n, double *a, double *u, double *s, double *vt,
                         struct lr_err *e)
{
    size_t k = m < n ? m : n;
    enum lr_status st = svd('S', m, n, a, u, s, vt, e);

    for (size_t j = 0; st == LR_OK && j < k; j++)
        if (is_sign_wrong(u + j, m, k)) {
            negate(u + j, m, k);
            negate(vt + j * n, n, 1);
        }
    return st;
}

enum lr_status lr_la_singular_values(size_t m, size_t n, double *a, double *s,
                                     struct lr_err *e)
{
    return svd('N', m, n, a, NULL, s, NULL, e);
}

/* out = sum of scale[i]^2 v_i v_i^T over the first n_kept rows v_i of v. The rows are
 * scaled first, so that one symmetric product is enough. */
static void weighted_sum(size_t n, size_t n_kept, const double *v, const double *scale,
                         double *scaled, double *out)
{
    for (size_t i = 0; i < n_kept; i++)
        for (size_t j = 0; j < n; j++)
            scaled[i * n + j] = scale[i] * v[i * n + j];
    memset(out, 0, n * n * sizeof(*out));
    if (n_kept == 0)
        return;
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)n, (int)n_kept, 1, scaled,
                (int)n, 0, out, (int)n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            out[i * n + j] = out[j * n + i];
}

enum lr_status lr_la_psd_roots(size_t n, const double *g, double cut, double *root,
                               double *iroot, size_t *n_kept, struct lr_err *e)
{
    const char *what = "square root of a matrix";
    double *v = NULL, *w = NULL, *scaled = NULL, *scale = NULL;
    enum lr_status st = LR_OK;
    size_t kept = 0;

    if (n_kept)
        *n_kept = 0;
    if (n == 0)
        return LR_OK;
    if (n > MAX_EIGH)
        return lr_err_set(e, LR_EINVAL, "%s: order %zu exceeds %d", what, n, MAX_EIGH);
    v = lr_alloc(n * n, sizeof(*v));
    w = lr_alloc(n, sizeof(*w));
    scaled = lr_alloc(n * n, sizeof(*scaled));
    scale = lr_alloc(n, sizeof(*scale));
    if (!v || !w || !scaled || !scale) {
        st = lr_enomem(e, 2 * n * n * sizeof(*v), what);
        goto out;
    }
    memcpy(v, g, n * n * sizeof(*v));
    st = lr_la_eigh(n, v, w, e);
    if (st != LR_OK) {
        lr_err_prefix(e, "%s", what);
        goto out;
    }
    while (kept < n && w[kept] > 0 && w[kept] > cut * w[0])
        kept++;
    if (root) {
        for (size_t i = 0; i < kept; i++)
            scale[i] = sqrt(sqrt(w[i]));
        weighted_sum(n, kept, v, scale, scaled, root);
    }
    if (iroot) {
        for (size_t i = 0; i < kept; i++)
            scale[i] = 1 / sqrt(sqrt(w[i]));
        weighted_sum(n, kept, v, scale, scaled, iroot);
    }
    if (n_kept)
        *n_kept = kept;
out:
    lr_free(v);
    lr_free(w);
    lr_free(scaled);
    lr_free(scale);
    return st;
}
