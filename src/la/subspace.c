/* Block subspace iteration with Rayleigh-Ritz, for a sequence of slowly changing matrices
 * k k^T of which a few leading eigenvectors are wanted. The block is wider than what is
 * wanted: the convergence of a wanted vector depends on its distance to the first
 * eigenvalue outside the block. On the way to the next matrix the block is multiplied by
 * the one before it and by the new one twice, which brings in what was outside and is
 * most often enough; then Ritz vectors and their residuals tell. What is not found to the
 * tolerance is left to a full decomposition.
 *
 * Products with k are single precision: what rounding adds to a vector's angle is some
 * 1e-7, and counts squared. Vectors are orthonormal in double. */
#include <cblas.h>
#include <lapacke.h>
#include <math.h>

#include "ranklab/la.h"
#include "ranklab/mem.h"

/* PARTS: into how many the block is cut for threads. */
enum { MAX_STEPS = 2, MULTIPLICATIONS = 2, PARTS = 4 };
/* What may be missed of what every subspace of the rank leaves, and of the trace. */
static const double TOLERANCE = 1e-9, ROUNDING = 1e-12;

size_t lr_la_subspace_width(size_t n, size_t n_wanted)
{
    size_t m = n_wanted + (n_wanted / 4 > 8 ? n_wanted / 4 : 8);

    return n_wanted > 0 && m <= n / 2 ? m : 0;
}

void lr_la_subspace_free(struct lr_la_subspace *s)
{
    lr_free(s->v);
    lr_free(s->vk);
    lr_free(s->rotated);
    lr_free(s->h);
    lr_free(s->theta);
    lr_free(s->k_f);
    lr_free(s->x_f);
    lr_free(s->y_f);
    *s = (struct lr_la_subspace){0};
}

enum lr_status lr_la_subspace_init(struct lr_la_subspace *s, size_t n, size_t r,
                                   size_t n_wanted, struct lr_err *e)
{
    size_t m = lr_la_subspace_width(n, n_wanted), wide = n > r ? n : r;

    *s = (struct lr_la_subspace){.n = n,
                                 .r = r,
                                 .m = m,
                                 .n_wanted = n_wanted,
                                 .n_threads = 1,
                                 .gemm_f = lr_la_gemm_f};
    if (m == 0)
        return LR_OK;
    s->v = lr_alloc(m * wide, sizeof(double));
    s->vk = lr_alloc(m * wide, sizeof(double));
    s->rotated = lr_alloc(m * wide, sizeof(double));
    s->h = lr_alloc(m * m, sizeof(double));
    s->theta = lr_alloc(m, sizeof(double));
    s->k_f = lr_alloc(n * r, sizeof(float));
    s->x_f = lr_alloc(m * wide, sizeof(float));
    s->y_f = lr_alloc(m * n, sizeof(float));
    if (s->v && s->vk && s->rotated && s->h && s->theta && s->k_f && s->x_f && s->y_f)
        return LR_OK;
    lr_la_subspace_free(s);
    return lr_enomem(e, 4 * m * wide * sizeof(double), "a block of eigenvectors");
}

void lr_la_subspace_start(struct lr_la_subspace *s, const double *vec)
{
    for (size_t i = 0; i < s->m * s->n; i++)
        s->y_f[i] = (float)vec[i];
    s->is_warm = s->m > 0;
}

/* c[m x n_c] = a b, or a b^T, for the block's m rows. */
static enum lr_status turn(const struct lr_la_subspace *s, bool tb, size_t n_c,
                           size_t n_a, const float *a, const float *b, size_t ldb,
                           float *c)
{
    size_t each = (s->m + PARTS - 1) / PARTS;
    int n_failed = 0;

#pragma omp parallel for num_threads(s->n_threads) schedule(dynamic)                      \
    reduction(+ : n_failed) if (s->n_threads > 1)
    for (size_t first = 0; first < s->m; first += each) {
        size_t rows = s->m - first < each ? s->m - first : each;
        n_failed += s->gemm_f(false, tb, rows, n_c, n_a, 1, a + first * n_a, n_a, b, ldb,
                              0, c + first * n_c, n_c, NULL) != LR_OK;
    }
    return n_failed ? LR_EBACKEND : LR_OK;
}

/* x = the rows of y at unit length; false where one has none. */
static bool scale_rows(double *x, const float *y, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++) {
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t j = 0; j < n; j++)
            sum += (double)y[i * n + j] * (double)y[i * n + j];
        double scale = 1 / sqrt(sum);
        if (!(sum > 0) || !isfinite(scale))
            return false;
        for (size_t j = 0; j < n; j++)
            x[i * n + j] = scale * (double)y[i * n + j];
    }
    return true;
}

/* v = orthonormal rows that span those of y_f, by the Cholesky factor of their products.
 * Rows of y_f are nearly orthogonal to each other, so with the lengths divided out the
 * factor is near the identity and as exact as reflections would be. False where it is
 * not. */
static bool orthonormalise(struct lr_la_subspace *s)
{
    size_t n = s->n, m = s->m;

    if (!scale_rows(s->v, s->y_f, m, n) ||
        lr_la_gram_rows(s->n_threads, m, n, s->v, n, s->h, m, NULL) != LR_OK)
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
    size_t each = (n + PARTS - 1) / PARTS;
#pragma omp parallel for num_threads(s->n_threads) schedule(dynamic) if (s->n_threads > 1)
    for (size_t first = 0; first < n; first += each)
        cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit,
                    (int)m, (int)(n - first < each ? n - first : each), 1, s->h, (int)m,
                    s->v + first, (int)n);
    return true;
}

/* What the wanted part of the block misses of the sum of the n_wanted largest
 * eigenvalues, from the residuals of its Ritz vectors; small against what every subspace
 * of this rank leaves. In units of the trace. */
static bool is_close(const struct lr_la_subspace *s, double trace)
{
    size_t n = s->n, m = s->m;
    double missed = 0, kept = 0;

    for (size_t i = 0; i < s->n_wanted; i++) {
        double theta = s->theta[i] / trace, gap = theta - s->theta[m - 1] / trace;
        double rest = 0;
#pragma omp simd reduction(+ : rest)
        for (size_t j = 0; j < n; j++) {
            double off = (double)s->y_f[i * n + j] - theta * s->v[i * n + j];
            rest += off * off;
        }
        if (!(gap > 0))
            return false;
        missed += rest / gap;
        kept += theta;
    }
    return missed <= TOLERANCE * (1 - kept) + ROUNDING;
}

/* x[m x n] = h x */
static enum lr_status rotate(struct lr_la_subspace *s, double **x, size_t n,
                             struct lr_err *e)
{
    size_t m = s->m;
    double *from = *x;

    *x = s->rotated;
    s->rotated = from;
    return lr_la_gemm_rows(s->n_threads, false, false, m, n, m, 1, s->h, m, from, n, 0,
                           *x, n, e);
}

/* x_f = v k in units of the root of the trace */
static enum lr_status image(struct lr_la_subspace *s)
{
    for (size_t i = 0; i < s->m * s->n; i++)
        s->y_f[i] = (float)s->v[i];
    return turn(s, false, s->r, s->n, s->y_f, s->k_f, s->r, s->x_f);
}

/* Rayleigh-Ritz in the span of v: v becomes Ritz vectors, vk = v k, and y_f = vk k^T in
 * units of the trace. */
static enum lr_status project(struct lr_la_subspace *s, double trace, struct lr_err *e)
{
    size_t n = s->n, m = s->m, r = s->r;
    double scale = sqrt(trace);
    enum lr_status st = image(s);

    for (size_t i = 0; i < m * r; i++)
        s->vk[i] = scale * (double)s->x_f[i];
    if (st == LR_OK)
        st = lr_la_gram_rows(s->n_threads, m, r, s->vk, r, s->h, m, e);
    if (st == LR_OK)
        st = lr_la_eigh(m, s->h, s->theta, e);
    if (st == LR_OK)
        st = rotate(s, &s->v, n, e);
    if (st == LR_OK)
        st = rotate(s, &s->vk, r, e);
    if (st != LR_OK)
        return st;
    for (size_t i = 0; i < m * r; i++)
        s->x_f[i] = (float)(s->vk[i] / scale);
    return turn(s, true, n, r, s->x_f, s->k_f, r, s->y_f);
}

/* y_f = v k k^T */
static bool multiply(struct lr_la_subspace *s)
{
    return image(s) == LR_OK &&
           turn(s, true, s->n, s->r, s->x_f, s->k_f, s->r, s->y_f) == LR_OK;
}

enum lr_status lr_la_subspace_next(bool *is_found, struct lr_la_subspace *s,
                                   const double *k, struct lr_err *e)
{
    double trace = 0;

    *is_found = false;
    if (!s->is_warm)
        return LR_OK;
    s->is_warm = false;
#pragma omp simd reduction(+ : trace)
    for (size_t i = 0; i < s->n * s->r; i++)
        trace += k[i] * k[i];
    if (!(trace > 0) || !isfinite(trace))
        return LR_OK;
    double scale = 1 / sqrt(trace);
    for (size_t i = 0; i < s->n * s->r; i++)
        s->k_f[i] = (float)(scale * k[i]);
    for (int step = 0; step < MAX_STEPS; step++) {
        for (int i = 0; i < MULTIPLICATIONS; i++)
            if (!orthonormalise(s) || !multiply(s))
                return LR_OK;
        if (!orthonormalise(s))
            return LR_OK;
        enum lr_status st = project(s, trace, e);
        if (st != LR_OK)
            return st;
        if (is_close(s, trace)) {
            *is_found = s->is_warm = true;
            return LR_OK;
        }
    }
    return LR_OK;
}
