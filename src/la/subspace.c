/* Block subspace iteration with Rayleigh-Ritz, for a sequence of slowly changing matrices
 * of which a few leading eigenvectors are wanted. The block is wider than what is wanted:
 * the convergence of a wanted vector depends on its distance to the first eigenvalue
 * outside the block. On the way to the next matrix the block is multiplied by the one
 * before it and by the new one, which brings in what was outside and is most often
 * enough; then Ritz vectors and their residuals tell. What is not found to the tolerance
 * is left to a full decomposition. */
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#include "ranklab/la.h"
#include "ranklab/mem.h"

enum { MAX_STEPS = 3 };
/* What may be missed of what every subspace of the rank leaves. */
static const double TOLERANCE = 1e-9;

size_t lr_la_subspace_width(size_t n, size_t n_wanted)
{
    size_t m = n_wanted + (n_wanted / 4 > 8 ? n_wanted / 4 : 8);

    return n_wanted > 0 && m <= n / 2 ? m : 0;
}

void lr_la_subspace_free(struct lr_la_subspace *s)
{
    lr_free(s->y);
    lr_free(s->v);
    lr_free(s->rotated);
    lr_free(s->h);
    lr_free(s->theta);
    *s = (struct lr_la_subspace){0};
}

enum lr_status lr_la_subspace_init(struct lr_la_subspace *s, size_t n, size_t n_wanted,
                                   struct lr_err *e)
{
    size_t m = lr_la_subspace_width(n, n_wanted);

    *s = (struct lr_la_subspace){.n = n, .m = m, .n_wanted = n_wanted, .n_threads = 1};
    if (m == 0)
        return LR_OK;
    s->y = lr_alloc(m * n, sizeof(double));
    s->v = lr_alloc(m * n, sizeof(double));
    s->rotated = lr_alloc(m * n, sizeof(double));
    s->h = lr_alloc(m * m, sizeof(double));
    s->theta = lr_alloc(m, sizeof(double));
    if (s->y && s->v && s->rotated && s->h && s->theta)
        return LR_OK;
    lr_la_subspace_free(s);
    return lr_enomem(e, (3 * n + m) * m * sizeof(double), "a block of eigenvectors");
}

void lr_la_subspace_start(struct lr_la_subspace *s, const double *vec)
{
    if (s->m == 0)
        return;
    memcpy(s->y, vec, s->m * s->n * sizeof(double));
    for (size_t i = 0; i < s->m; i++)
        s->theta[i] = 1;
    s->is_warm = true;
}

/* v = orthonormal rows that span those of y, by the Cholesky factor of their products.
 * Row i of y has about the length theta[i] and is nearly orthogonal to the others, so
 * with the lengths divided out the factor is near the identity and as exact as
 * reflections would be. False where it is not. */
static bool orthonormalise(struct lr_la_subspace *s)
{
    size_t n = s->n, m = s->m;

    for (size_t i = 0; i < m; i++) {
        if (!(s->theta[i] > 1e-300))
            return false;
        double scale = 1 / s->theta[i];
        for (size_t j = 0; j < n; j++)
            s->v[i * n + j] = scale * s->y[i * n + j];
    }
    if (lr_la_gram_rows(s->n_threads, m, n, s->v, n, s->h, m, NULL) != LR_OK)
        return false;
    for (size_t i = 0; i < m * m; i++)
        if (!isfinite(s->h[i]))
            return false;
    /* Column-major upper is row-major lower: h = L L^T. */
    if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', (lapack_int)m, s->h, (lapack_int)m) != 0)
        return false;
    for (size_t i = 0; i < m; i++)
        if (s->h[i * m + i] < 1e-3)
            return false;
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)m,
                (int)n, 1, s->h, (int)m, s->v, (int)n);
    return true;
}

/* What the wanted part of the block misses of the sum of the n_wanted largest
 * eigenvalues, from the residuals of its Ritz vectors; small against what every subspace
 * of this rank leaves. */
static bool is_close(const struct lr_la_subspace *s, double trace)
{
    size_t n = s->n, m = s->m;
    double missed = 0, kept = 0;

    for (size_t i = 0; i < s->n_wanted; i++) {
        double gap = s->theta[i] - s->theta[m - 1], rest = 0;
        for (size_t j = 0; j < n; j++) {
            double off = s->y[i * n + j] - s->theta[i] * s->v[i * n + j];
            rest += off * off;
        }
        if (!(gap > 0))
            return false;
        missed += rest / gap;
        kept += s->theta[i];
    }
    return missed <= TOLERANCE * (trace - kept) + 1e-13 * trace;
}

/* y = v a; theta becomes the lengths of its rows. */
static enum lr_status multiply(struct lr_la_subspace *s, const double *a,
                               struct lr_err *e)
{
    size_t n = s->n, m = s->m;
    enum lr_status st = lr_la_gemm_rows(s->n_threads, false, false, m, n, n, 1, s->v, n,
                                        a, n, 0, s->y, n, e);

    for (size_t i = 0; st == LR_OK && i < m; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += s->y[i * n + j] * s->y[i * n + j];
        s->theta[i] = sqrt(sum);
    }
    return st;
}

/* Rayleigh-Ritz in the span of v: v becomes Ritz vectors, y = v a. */
static enum lr_status project(struct lr_la_subspace *s, const double *a, struct lr_err *e)
{
    size_t n = s->n, m = s->m;
    int t = s->n_threads;
    double *x;
    enum lr_status st =
        lr_la_gemm_rows(t, false, false, m, n, n, 1, s->v, n, a, n, 0, s->y, n, e);

    if (st == LR_OK)
        st = lr_la_gemm_rows(t, false, true, m, m, n, 1, s->y, n, s->v, n, 0, s->h, m, e);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < i; j++)
            s->h[i * m + j] = s->h[j * m + i];
    if (st == LR_OK)
        st = lr_la_eigh(m, s->h, s->theta, e);
    if (st == LR_OK)
        st = lr_la_gemm_rows(t, false, false, m, n, m, 1, s->h, m, s->v, n, 0, s->rotated,
                             n, e);
    x = s->v, s->v = s->rotated, s->rotated = x;
    if (st == LR_OK)
        st = lr_la_gemm_rows(t, false, false, m, n, m, 1, s->h, m, s->y, n, 0, s->rotated,
                             n, e);
    x = s->y, s->y = s->rotated, s->rotated = x;
    return st;
}

enum lr_status lr_la_subspace_next(bool *is_found, struct lr_la_subspace *s,
                                   const double *a, struct lr_err *e)
{
    double trace = 0;

    *is_found = false;
    if (!s->is_warm)
        return LR_OK;
    for (size_t i = 0; i < s->n; i++)
        trace += a[i * s->n + i];
    s->is_warm = false;
    for (int step = 0; step < MAX_STEPS; step++) {
        enum lr_status st = LR_OK;
        if (!orthonormalise(s))
            return LR_OK;
        if (step == 0) {
            st = multiply(s, a, e);
            if (st == LR_OK && !orthonormalise(s))
                return LR_OK;
        }
        if (st == LR_OK)
            st = project(s, a, e);
        if (st != LR_OK)
            return st;
        if (is_close(s, trace)) {
            *is_found = s->is_warm = true;
            return LR_OK;
        }
    }
    return LR_OK;
}
