/* Nonlinear solution (eq. 5-11). Auxiliary values z relax the problem: for fixed (M, b)
 * each z has a closed form, for fixed z the best (M, b) is a reduced-rank regression of z
 * - shortcut on yhat; lambda ties z to M yhat + b + shortcut, loosely first, then firmly.
 *
 * The fit rows are whitened once (w = white (yhat - mean), float32, sum w w^T = I), so
 * the Gram matrix never enters the loop. An iteration is one pass over blocks of rows:
 * two thin products give the responses, the z step and all errors follow row by row, and
 * one product adds z w^T. Blocks are dealt to a fixed number of slots with double
 * accumulators that are added up in order: the result does not depend on how many threads
 * there are. Validation rows are whitened and judged in the same pass. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "approx/solver.h"
#include "approx/zstep.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

/* Products of FLUSH blocks are added up in single precision before they are in double. */
enum { BLOCK = 1024, FLUSH = 4, MAX_SLOTS = 16 };
static const size_t SLOT_BYTES = (size_t)256
                                 << 20; /* all accumulators together, at most */

struct sums {
    double fit, relaxed, valid;
};

struct solver {
    const struct lr_samples *s;
    const struct lr_solve_opts *opts;
    const struct lr_regressor *g; /* own, or shared */
    struct lr_regressor own;
    struct lr_fit_work fit;
    struct lr_response_work valid;
    size_t d, r, rank, n_used; /* n_used: columns of P that act on the fit rows now */
    size_t n_valid;            /* rows behind the fit rows that are judged in the pass */
    size_t n_slots, n_blocks;
    size_t n_fit_blocks; /* the others, behind them, hold validation rows */
    bool is_large;       /* worth waking threads for */
    size_t n_together;   /* blocks between two progress reports */
    int n_threads;
    float *w; /* [(n_fit + n_valid) x r] whitened rows; own or shared */
    float *own_w;
    double *zbar, *z_sum;    /* [d] means of z - shortcut; sums about the shift */
    float *shift;            /* [d] subtracted from z - shortcut before summing */
    double *c;               /* [d] M mean + b */
    float *rt_f, *p_f, *c_f; /* the current iterate: u = (w rt^T) P^T + c */
    double *cross;           /* n_slots x [d x r] */
    float *products;         /* n_slots x [d x r], not in cross yet */
    double *col;             /* n_slots x [d] */
    struct sums *sums;       /* n_slots */
    float *scratch;          /* n_threads x stride: h, u, products, column sums */
    size_t stride;
    double all, all_valid; /* sums of f(target)^2 over the fit and validation rows */
};

static void solver_free(struct solver *v)
{
    lr_regressor_free(&v->own);
    lr_fit_work_free(&v->fit);
    lr_response_work_free(&v->valid);
    lr_free(v->own_w);
    lr_free(v->zbar);
    lr_free(v->z_sum);
    lr_free(v->shift);
    lr_free(v->c);
    lr_free(v->rt_f);
    lr_free(v->p_f);
    lr_free(v->c_f);
    lr_free(v->cross);
    lr_free(v->products);
    lr_free(v->col);
    lr_free(v->sums);
    lr_free(v->scratch);
}

/* The first row of a block, and how many it has. Blocks hold rows of one kind. */
static size_t block_first(size_t *rows, const struct solver *v, size_t block)
{
    bool is_fit = block < v->n_fit_blocks;
    size_t first =
        is_fit ? block * BLOCK : v->s->n_fit + (block - v->n_fit_blocks) * BLOCK;
    size_t left = v->s->n_fit + (is_fit ? 0 : v->n_valid) - first;

    *rows = left < BLOCK ? left : BLOCK;
    return first;
}

/* The rows of one block in whitened coordinates. Done in double: directions of small
 * variance are differences of large values. */
static enum lr_status whiten_block(const struct solver *v, double *x, double *y,
                                   size_t block)
{
    size_t d = v->d, r = v->r, rows, first = block_first(&rows, v, block);
    const float *yhat = v->s->yhat + first * d;
    float *w = v->w + first * r;

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < d; j++)
            x[i * d + j] = (double)yhat[i * d + j] - v->g->mean[j];
    enum lr_status st =
        lr_la_gemm(false, true, rows, r, d, 1, x, d, v->g->white, d, 0, y, r, NULL);
    for (size_t i = 0; st == LR_OK && i < rows * r; i++)
        w[i] = (float)y[i];
    return st;
}

static enum lr_status whiten(struct solver *v, struct lr_err *e)
{
    size_t d = v->d, r = v->r, each = BLOCK * (d + r);
    double *buf = lr_alloc((size_t)v->n_threads * each, sizeof(double));
    int n_failed = 0;

    if (!buf)
        return lr_enomem(e, (size_t)v->n_threads * each * sizeof(double), "whitening");
#pragma omp parallel for num_threads(v->n_threads) schedule(static) reduction(+ : n_failed)  \
    if (v->is_large)
    for (size_t k = 0; k < v->n_blocks; k++) {
        double *x = buf + (size_t)lr_thread_index() * each;
        n_failed += whiten_block(v, x, x + BLOCK * d, k) != LR_OK;
    }
    lr_free(buf);
    if (n_failed)
        return lr_err_set(e, LR_EBACKEND, "the matrix product of the responses failed");
    return LR_OK;
}

/* Sum of f(target)^2 over n rows. */
static double sum_target(const struct lr_samples *s, size_t first, size_t n)
{
    size_t d = (size_t)s->d;
    const float *t = s->target + first * d;
    double sum = 0;

    for (size_t i = 0; i < n * d; i++) {
        double rt = lr_act_at((double)t[i], &s->act);
        sum += rt * rt;
    }
    return sum;
}

/* is_in_span: the start has no part outside the directions in which the fit rows vary. */
static enum lr_status solver_init(struct solver *v, const struct lr_samples *s, int rank,
                                  bool is_in_span, const struct lr_solve_opts *opts,
                                  struct lr_err *e)
{
    enum lr_status st = lr_regressor_get(&v->g, &v->own, s, opts, e);

    if (st != LR_OK)
        return st;
    v->s = s;
    v->opts = opts;
    v->d = (size_t)s->d;
    v->r = v->g->n_kept;
    v->rank = (size_t)rank;
    /* Where M acts as the identity outside the span of the fit rows, whitened validation
     * rows would not show it. */
    v->n_valid = is_in_span && v->rank <= v->r ? s->n_valid : 0;
    v->n_fit_blocks = (s->n_fit + BLOCK - 1) / BLOCK;
    v->n_blocks = v->n_fit_blocks + (v->n_valid + BLOCK - 1) / BLOCK;
    size_t d = v->d, r = v->r,
           n_slots = SLOT_BYTES / (d * (r + 1) * (sizeof(double) + sizeof(float)));
    n_slots = n_slots < 1 ? 1 : n_slots > MAX_SLOTS ? MAX_SLOTS : n_slots;
    v->n_slots = n_slots < v->n_blocks ? n_slots : v->n_blocks;
    /* About 4e9 operations, a tenth of a second at most, but every slot takes part. */
    double ops = 2.0 * BLOCK * (double)(v->rank * (r + d) + d * r);
    v->is_large = ops * (double)v->n_blocks > LR_LARGE;
    v->n_together = (size_t)(4e9 / ops / (double)v->n_slots + 1) * v->n_slots;
    v->stride = BLOCK * (v->rank + d) + d;
    struct lr_shared *k = v->g != &v->own ? opts->shared : NULL;
    size_t n_rows = s->n_fit + v->n_valid;
    v->w = k && k->n_w >= n_rows ? k->w : NULL;
    if (!v->w)
        v->w = v->own_w = lr_alloc(n_rows * r, sizeof(float));
    v->zbar = lr_calloc(d, sizeof(double));
    v->z_sum = lr_calloc(d, sizeof(double));
    v->shift = lr_calloc(d, sizeof(float));
    v->c = lr_calloc(d, sizeof(double));
    v->rt_f = lr_alloc(v->rank * r, sizeof(float));
    v->p_f = lr_alloc(d * v->rank, sizeof(float));
    v->c_f = lr_alloc(d, sizeof(float));
    v->cross = lr_alloc(v->n_slots * d * r, sizeof(double));
    v->products = lr_alloc(v->n_slots * d * r, sizeof(float));
    v->col = lr_alloc(v->n_slots * d, sizeof(double));
    v->sums = lr_alloc(v->n_slots, sizeof(struct sums));
    v->scratch = lr_alloc((size_t)v->n_threads * v->stride, sizeof(float));
    if (!v->w || !v->zbar || !v->z_sum || !v->shift || !v->c || !v->rt_f || !v->p_f ||
        !v->c_f || !v->cross || !v->products || !v->col || !v->sums || !v->scratch)
        return lr_enomem(e, (s->n_fit + v->n_valid) * r * sizeof(float),
                         "the whitened responses");
    st = lr_fit_work_init(&v->fit, v->g, e);
    if (st == LR_OK && s->n_valid > v->n_valid)
        st = lr_response_work_init(&v->valid, d, v->rank, s->n_valid, v->n_threads, e);
    if (st == LR_OK && v->own_w)
        st = whiten(v, e);
    if (st != LR_OK)
        return st;
    if (k && v->own_w) {
        lr_free(k->w);
        k->w = v->own_w;
        k->n_w = n_rows;
        v->own_w = NULL;
    }
    v->all = sum_target(s, 0, s->n_fit);
    v->all_valid = sum_target(s, s->n_fit, v->n_valid);
    return LR_OK;
}

/* The whitened form of any solution m: on the fit rows yhat - mean = V_r L_r^(1/2) w. */
static enum lr_status enter(struct solver *v, const struct lr_lowrank *m,
                            struct lr_err *e)
{
    size_t d = v->d, r = v->r, rank = v->rank;
    double *h = lr_calloc(rank, sizeof(double));
    enum lr_status st;

    if (!h)
        return lr_enomem(e, rank * sizeof(double), "the start");
    v->n_used = rank;
    for (size_t i = 0; i < d; i++)
        for (size_t a = 0; a < rank; a++)
            h[a] += m->q[i * rank + a] * v->g->mean[i];
    for (size_t i = 0; i < d; i++) {
        v->c[i] = m->b[i];
        for (size_t a = 0; a < rank; a++)
            v->c[i] += m->p[i * rank + a] * h[a];
        /* The shift only has to be near the means of z. */
        v->shift[i] = (float)v->c[i];
    }
    lr_free(h);
    st = lr_la_gemm(true, true, rank, r, d, 1, m->q, rank, v->g->vec, d, 0, v->fit.rt, r,
                    e);
    for (size_t a = 0; a < rank; a++)
        for (size_t j = 0; j < r; j++)
            v->fit.rt[a * r + j] *= sqrt(v->g->eig[j]);
    return st;
}

/* One row: u, without its constant, becomes z - shortcut - shift, and is added to col. */
static inline void z_row_relu(struct sums *out, float *restrict u, float *restrict col,
                              const float *restrict t, const float *restrict shortcut,
                              const float *restrict c, const float *restrict shift,
                              size_t d, float lambda)
{
    float inv = 1 / (1 + lambda), fit = 0, relaxed = 0;

#pragma omp simd reduction(+ : fit, relaxed)
    for (size_t j = 0; j < d; j++) {
        float other = shortcut ? shortcut[j] : 0;
        float x = u[j] + c[j] + other;
        float z = lr_z_step_inv(t[j], x, lambda, inv);
        float rt = 0 > t[j] ? 0 : t[j], rx = 0 > x ? 0 : x, rz = 0 > z ? 0 : z;
        fit += (rt - rx) * (rt - rx);
        relaxed += (rt - rz) * (rt - rz) + lambda * (z - x) * (z - x);
        float centred = z - other - shift[j];
        u[j] = centred;
        col[j] += centred;
    }
    out->fit += (double)fit;
    out->relaxed += (double)relaxed;
}

/* The same behind any other piecewise linear activation. */
static inline void z_row_act(struct sums *out, float *restrict u, float *restrict col,
                             const float *restrict t, const float *restrict shortcut,
                             const float *restrict c, const float *restrict shift,
                             size_t d, const struct lr_pieces *pieces)
{
    const struct lr_pieces k = *pieces;
    float fit = 0, relaxed = 0;

#pragma omp simd reduction(+ : fit, relaxed)
    for (size_t j = 0; j < d; j++) {
        float other = shortcut ? shortcut[j] : 0;
        float x = u[j] + c[j] + other;
        float z = lr_z_step_pieces(t[j], x, &k);
        float rt = lr_pieces_at(t[j], &k), rx = lr_pieces_at(x, &k);
        float rz = lr_pieces_at(z, &k);
        fit += (rt - rx) * (rt - rx);
        relaxed += (rt - rz) * (rt - rz) + k.lambda * (z - x) * (z - x);
        float centred = z - other - shift[j];
        u[j] = centred;
        col[j] += centred;
    }
    out->fit += (double)fit;
    out->relaxed += (double)relaxed;
}

/* The z step on all rows of a block; a loop for each case, without branches inside. */
LR_CLONES static void z_rows(struct sums *sums, const struct solver *v, float *u,
                             float *col, const float *target, const float *shortcut,
                             size_t rows, float lambda)
{
    const struct lr_pieces k = lr_pieces_of(&v->s->act, lambda);
    const bool is_relu = lr_act_is_relu(&v->s->act);
    size_t d = v->d;

    for (size_t i = 0; i < rows; i++, u += d, target += d) {
        const float *other = shortcut ? shortcut + i * d : NULL;
        if (is_relu && other)
            z_row_relu(sums, u, col, target, other, v->c_f, v->shift, d, lambda);
        else if (is_relu)
            z_row_relu(sums, u, col, target, NULL, v->c_f, v->shift, d, lambda);
        else if (other)
            z_row_act(sums, u, col, target, other, v->c_f, v->shift, d, &k);
        else
            z_row_act(sums, u, col, target, NULL, v->c_f, v->shift, d, &k);
    }
}

/* sum of (f(target) - f(u + c + shortcut))^2 over one row. */
static inline float error_row(const float *restrict u, const float *restrict target,
                              const float *restrict shortcut, const float *restrict c,
                              size_t d, const struct lr_pieces *pieces)
{
    const struct lr_pieces k = *pieces;
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < d; j++) {
        float x = u[j] + c[j] + (shortcut ? shortcut[j] : 0);
        float off = lr_pieces_at(target[j], &k) - lr_pieces_at(x, &k);
        sum += off * off;
    }
    return sum;
}

/* The same over the rows of a block. */
LR_CLONES static double error_rows(const struct solver *v, const float *u,
                                   const float *target, const float *shortcut,
                                   size_t rows)
{
    const struct lr_pieces k = lr_pieces_of(&v->s->act, 1);
    size_t d = v->d;
    double sum = 0;

    for (size_t i = 0; i < rows * d; i += d)
        sum +=
            (double)(shortcut ? error_row(u + i, target + i, shortcut + i, v->c_f, d, &k)
                              : error_row(u + i, target + i, NULL, v->c_f, d, &k));
    return sum;
}

/* The products of a slot go into its double accumulator. */
static void flush(const struct solver *v, size_t slot)
{
    size_t n = v->d * v->r;
    double *restrict cross = v->cross + slot * n;
    const float *restrict product = v->products + slot * n;

    for (size_t i = 0; i < n; i++)
        cross[i] += (double)product[i];
}

/* One block into the accumulators of one slot; n_done blocks went there in this pass. */
static enum lr_status pass_block(const struct solver *v, float *scratch, size_t slot,
                                 size_t block, size_t n_done, float lambda, bool is_last)
{
    size_t d = v->d, r = v->r, rows, first = block_first(&rows, v, block);
    const float *w = v->w + first * r, *target = v->s->target + first * d;
    const float *shortcut = v->s->shortcut ? v->s->shortcut + first * d : NULL;
    float *h = scratch, *u = h + BLOCK * v->rank, *col_f = u + BLOCK * d;
    enum lr_status st;

    st = lr_la_gemm_f(false, true, rows, v->n_used, r, 1, w, r, v->rt_f, r, 0, h,
                      v->n_used, NULL);
    if (st == LR_OK)
        st = lr_la_gemm_f(false, true, rows, d, v->n_used, 1, h, v->n_used, v->p_f,
                          v->n_used, 0, u, d, NULL);
    if (st != LR_OK)
        return st;
    if (block >= v->n_fit_blocks) {
        v->sums[slot].valid += error_rows(v, u, target, shortcut, rows);
        return LR_OK;
    }
    memset(col_f, 0, d * sizeof(float));
    z_rows(v->sums + slot, v, u, col_f, target, shortcut, rows, lambda);
    if (is_last)
        return LR_OK;
    for (size_t j = 0; j < d; j++)
        v->col[slot * d + j] += (double)col_f[j];
    if (n_done > 0 && n_done % FLUSH == 0)
        flush(v, slot);
    return lr_la_gemm_f(true, false, d, r, rows, 1, u, d, w, r,
                        n_done % FLUSH == 0 ? 0 : 1, v->products + slot * d * r, r, NULL);
}

/* The fit blocks of a slot are first, first + n_slots and so on. */
static size_t slot_blocks(const struct solver *v, size_t slot)
{
    return slot < v->n_fit_blocks ? (v->n_fit_blocks - slot - 1) / v->n_slots + 1 : 0;
}

/* The slots added up in order: v->zbar, and v->fit.k, which needs no centring because the
 * rows w are. */
static void reduce(struct solver *v)
{
    size_t d = v->d, r = v->r, n = v->s->n_fit;

    for (size_t i = 0; i < d; i++) {
        v->z_sum[i] = 0;
        for (size_t slot = 0; slot < v->n_slots; slot++)
            v->z_sum[i] += v->col[slot * d + i];
        v->zbar[i] = (double)v->shift[i] + v->z_sum[i] / (double)n;
    }
    memset(v->fit.k, 0, d * r * sizeof(double));
    for (size_t slot = 0; slot < v->n_slots; slot++) {
        const double *cross = v->cross + slot * d * r;
        const float *product = v->products + slot * d * r;
        for (size_t i = 0; slot_blocks(v, slot) > 0 && i < d * r; i++)
            v->fit.k[i] += cross[i] + (double)product[i];
    }
}

/* One pass over the fit rows: the errors of the current iterate and, unless is_last, the
 * regression of the next. done and each: progress before and during this pass. */
static enum lr_status pass(struct sums *out, struct solver *v, const struct lr_lowrank *m,
                           double lambda, bool is_last, double done, double each,
                           struct lr_err *e)
{
    size_t d = v->d, r = v->r, n_slots = v->n_slots;
    int n_failed = 0;

    for (size_t i = 0; i < v->n_used * r; i++)
        v->rt_f[i] = (float)v->fit.rt[i];
    for (size_t i = 0; i < d; i++) {
        v->c_f[i] = (float)v->c[i];
        for (size_t a = 0; a < v->n_used; a++)
            v->p_f[i * v->n_used + a] = (float)m->p[i * v->rank + a];
    }
    memset(v->cross, 0, n_slots * d * r * sizeof(double));
    memset(v->col, 0, n_slots * d * sizeof(double));
    memset(v->sums, 0, n_slots * sizeof(struct sums));
    for (size_t first = 0; first < v->n_blocks; first += v->n_together) {
        size_t end =
            first + v->n_together < v->n_blocks ? first + v->n_together : v->n_blocks;
        enum lr_status st = lr_progress_tick(
            v->opts->progress, done + each * (double)first / (double)v->n_blocks,
            "solving", e);
        if (st != LR_OK)
            return st;
#pragma omp parallel for num_threads(v->n_threads) schedule(dynamic) reduction(+ : n_failed) \
    if (v->is_large)
        for (size_t slot = 0; slot < n_slots; slot++)
            for (size_t k = first + slot; k < end; k += n_slots)
                n_failed +=
                    pass_block(v, v->scratch + (size_t)lr_thread_index() * v->stride,
                               slot, k, k / n_slots, (float)lambda, is_last) != LR_OK;
    }
    if (n_failed)
        return lr_err_set(e, LR_EBACKEND, "the matrix product of the responses failed");
    *out = (struct sums){0};
    for (size_t k = 0; k < n_slots; k++) {
        out->fit += v->sums[k].fit;
        out->relaxed += v->sums[k].relaxed;
        out->valid += v->sums[k].valid;
    }
    if (!is_last)
        reduce(v);
    return LR_OK;
}

static void copy_solution(struct lr_lowrank *to, const struct lr_lowrank *from)
{
    size_t n = (size_t)from->d * (size_t)from->rank;

    memcpy(to->p, from->p, n * sizeof(double));
    memcpy(to->q, from->q, n * sizeof(double));
    memcpy(to->b, from->b, (size_t)from->d * sizeof(double));
}

/* The alternation; m is the start and is overwritten, best gets the result. */
static enum lr_status iterate(struct lr_lowrank *best, struct solver *v,
                              struct lr_lowrank *m, const struct lr_solve_opts *o,
                              struct lr_err *e)
{
    const struct lr_samples *s = v->s;
    int n1 = o->n_iter1 > 0 ? o->n_iter1 : 0, n = n1 + (o->n_iter2 > 0 ? o->n_iter2 : 0);
    double lowest = INFINITY;
    enum lr_status st = enter(v, m, e);

    if (st != LR_OK)
        return st;
    for (int k = 0; k <= n; k++) {
        double lambda = k < n1 || n == n1 ? o->lambda1 : o->lambda2;
        struct lr_response_sums valid = {0};
        struct sums sums = {0};
        st = pass(&sums, v, m, lambda, k == n, (double)k / (n + 1), 1.0 / (n + 1), e);
        valid = (struct lr_response_sums){.after = sums.valid, .after_all = v->all_valid};
        if (st == LR_OK && s->n_valid > v->n_valid)
            st = lr_response_run(&valid, &v->valid, s, m, s->n_fit, s->n_valid, e);
        if (st != LR_OK)
            return st;
        if (!isfinite(valid.after))
            return lr_err_set(e, LR_ENUMERIC, "the sampled responses are not finite");
        if (!isfinite(sums.fit))
            return lr_err_set(e, LR_ENUMERIC, "iteration %d is not finite", k);
        if (o->trace)
            o->trace(o->trace_ctx, k, lambda, lr_relative(sums.relaxed, v->all),
                     lr_relative(sums.fit, v->all),
                     s->n_valid > 0 ? lr_relative(valid.after, valid.after_all) : NAN);
        double error = s->n_valid > 0 ? valid.after : sums.fit;
        if (error < lowest) {
            lowest = error;
            copy_solution(best, m);
            best->best_iteration = k;
        }
        best->n_iterations = k;
        if (k == n)
            break;
        st = lr_regressor_fit(m, v->g, &v->fit, v->zbar, e);
        if (st != LR_OK)
            return st;
        v->n_used = v->rank < v->r ? v->rank : v->r;
        /* Centred rows: M acts on yhat - mean, so the constant is the mean of z. */
        memcpy(v->c, v->zbar, v->d * sizeof(double));
    }
    return LR_OK;
}

enum lr_status lr_solve_relu(struct lr_lowrank *out, const struct lr_samples *s, int rank,
                             const struct lr_lowrank *start,
                             const struct lr_solve_opts *opts, struct lr_err *e)
{
    struct lr_solve_opts defaults;
    struct lr_lowrank m = {0};
    struct solver v = {0};
    enum lr_status st;

    *out = (struct lr_lowrank){0};
    st = lr_samples_check(s, rank, e);
    if (st != LR_OK)
        return st;
    lr_solve_opts_default(&defaults);
    if (!opts)
        opts = &defaults;
    if (!lr_act_is_nonlinear(&s->act))
        return lr_solve_linear(out, s, rank, opts, e);
    if (!(opts->lambda1 > 0) || !(opts->lambda2 > 0) || isinf(opts->lambda1) ||
        isinf(opts->lambda2))
        return lr_err_set(e, LR_EINVAL, "lambda %g, %g: both must be above 0",
                          opts->lambda1, opts->lambda2);
    if (start && (start->d != s->d || start->rank != rank))
        return lr_err_set(e, LR_EINVAL, "a start of %d x %d does not fit %d x %d",
                          start->d, start->rank, s->d, rank);
    st = lr_lowrank_alloc(out, s->d, rank, e);
    if (st != LR_OK)
        return st;
    v.n_threads = lr_serial_begin((size_t)s->d);
    st = solver_init(&v, s, rank, start == NULL, opts, e);
    if (st != LR_OK)
        goto out;
    st = start ? lr_lowrank_alloc(&m, s->d, rank, e)
               : lr_linear_with(&m, v.g, s, rank, opts, e);
    if (st != LR_OK)
        goto out;
    if (start)
        copy_solution(&m, start);
    out->n_data_rank = (int)v.r;
    st = iterate(out, &v, &m, opts, e);
out:
    lr_la_set_threads(v.n_threads);
    lr_lowrank_free(&m);
    solver_free(&v);
    if (st != LR_OK)
        lr_lowrank_free(out);
    return st;
}
