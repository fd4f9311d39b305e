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

enum lr_status lr_la_eigh(size_t n, double *a, double *w, struct lr_err *e)
{
    const char *what = "eigendecomposition";

    if (n == 0)
        return LR_OK;
    if (n > MAX_EIGH)
        return lr_err_set(e, LR_EINVAL, "%s: order %zu exceeds %d", what, n, MAX_EIGH);
    enum lr_status st = check_finite(a, n * n, what, e);
    if (st != LR_OK)
        return st;
    lapack_int info =
        LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', (lapack_int)n, a, (lapack_int)n, w);
    if (info != 0)
        return lapack_error(info, what, e);
    /* LAPACK's order is ascending. */
    for (size_t i = 0; i < n / 2; i++) {
        size_t j = n - 1 - i;
        double t = w[i];
        w[i] = w[j];
        w[j] = t;
        swap_rows(a + i * n, a + j * n, n);
    }
    for (size_t i = 0; i < n; i++)
        if (is_sign_wrong(a + i * n, n, 1))
            negate(a + i * n, n, 1);
    return LR_OK;
}

enum lr_status lr_la_svd(size_t m, size_t n, double *a, double *u, double *s, double *vt,
                         struct lr_err *e)
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
        LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', rows, cols, a, rows, s, vt, rows, u, rank);
    if (info > 0) {
        double *superb = lr_alloc(k, sizeof(*superb));
        if (!superb) {
            st = lr_enomem(e, k * sizeof(*superb), what);
            goto out;
        }
        info = LAPACKE_dgesvd(LAPACK_COL_MAJOR, 'S', 'S', rows, cols, copy, rows, s, vt,
                              rows, u, rank, superb);
        lr_free(superb);
    }
    if (info != 0) {
        st = lapack_error(info, what, e);
        goto out;
    }
    for (size_t j = 0; j < k; j++)
        if (is_sign_wrong(u + j, m, k)) {
            negate(u + j, m, k);
            negate(vt + j * n, n, 1);
        }
out:
    lr_free(copy);
    return st;
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
