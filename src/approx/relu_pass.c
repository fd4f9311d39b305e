/* The fit rows are whitened once (w = white (yhat - mean), float32, sum w w^T = I but for
 * a ridge), so
 * the Gram matrix never enters the loop. A pass goes over blocks of rows: two thin
 * products give the responses, the z step and all errors follow row by row, and one
 * product adds z w^T. Blocks are dealt to a fixed number of slots that are added up in
 * order, in double: the result does not depend on how many threads there are. Validation
 * rows are whitened and judged in the same pass. */
#include "approx/relu.h"

#include <string.h>

#include "approx/zstep.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

/* Products of FLUSH blocks are added up in single precision before they are in double. */
enum { BLOCK = 1024, FLUSH = 4, MAX_SLOTS = 16, ENTRIES = 8192 };
/* From here on the products of the regression are worth waking threads for. */
enum { WIDE = 192 };
/* Rounding a row to single precision moves it by some 3e-8 of its length: noise of less
 * than 1e-4 in a whitened direction that holds more than this part of the variance. */
static const double PLAIN = 1e-6;
static const size_t SLOT_BYTES = (size_t)256
                                 << 20; /* all accumulators together, at most */

void lr_relu_free(struct lr_relu *v)
{
    lr_regressor_free(&v->own);
    lr_fit_work_free(&v->fit);
    lr_response_work_free(&v->valid);
    lr_free(v->own_w);
    lr_free(v->zbar);
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
    lr_free(v->ridge_m);
}

/* The first row of a block, and how many it has. Blocks hold rows of one kind. */
static size_t block_first(size_t *rows, const struct lr_relu *v, size_t block)
{
    bool is_fit = block < v->n_fit_blocks;
    size_t first =
        is_fit ? block * BLOCK : v->s->n_fit + (block - v->n_fit_blocks) * BLOCK;
    size_t left = v->s->n_fit + (is_fit ? 0 : v->n_valid) - first;

    *rows = left < BLOCK ? left : BLOCK;
    return first;
}

/* What one thread needs to whiten a block: rows without their mean, in single precision
 * and in double, and what comes out in double. */
struct whitening {
    const float *white; /* [n_plain x d] */
    size_t n_plain;     /* directions for which single precision does */
    double *x, *y;
    float *x_f;
};

/* The rows of one block in whitened coordinates. Directions of small variance are
 * differences of large values: they are done in double. */
static enum lr_status whiten_block(const struct lr_relu *v, const struct whitening *t,
                                   size_t block)
{
    size_t d = v->d, r = v->r, rows, first = block_first(&rows, v, block);
    size_t n = t->n_plain, n_exact = r - n;
    const float *yhat = v->s->yhat + first * d;
    float *w = v->w + first * r;

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < d; j++) {
            double x = (double)yhat[i * d + j] - v->g->mean[j];
            t->x_f[i * d + j] = (float)x;
            if (n_exact > 0)
                t->x[i * d + j] = x;
        }
    enum lr_status st =
        lr_engine_gemm(false, true, rows, n, d, 1, t->x_f, d, t->white, d, 0, w, r, NULL);
    if (st == LR_OK)
        st = lr_la_gemm(false, true, rows, n_exact, d, 1, t->x, d, v->g->white + n * d, d,
                        0, t->y, n_exact, NULL);
    for (size_t i = 0; st == LR_OK && i < rows; i++)
        for (size_t j = 0; j < n_exact; j++)
            w[i * r + n + j] = (float)t->y[i * n_exact + j];
    return st;
}

static enum lr_status whiten(struct lr_relu *v, struct lr_err *e)
{
    size_t d = v->d, r = v->r, n_plain = 0, n_threads = (size_t)v->n_threads;
    double trace = 0;
    int n_failed = 0;

    for (size_t i = 0; i < r; i++)
        trace += v->g->eig[i];
    while (n_plain < r && v->g->eig[n_plain] > PLAIN * trace)
        n_plain++;
    size_t each = BLOCK * (d + r - n_plain), each_f = BLOCK * d;
    double *buf = lr_alloc(n_threads * each, sizeof(double));
    float *white = lr_alloc(n_plain * d + n_threads * each_f, sizeof(float));
    if (!buf || !white) {
        lr_free(buf);
        lr_free(white);
        return lr_enomem(e, n_threads * each * sizeof(double), "whitening");
    }
    for (size_t i = 0; i < n_plain * d; i++)
        white[i] = (float)v->g->white[i];
#pragma omp parallel for num_threads(v->n_threads) schedule(static) reduction(+ : n_failed)  \
    if (v->is_large)
    for (size_t k = 0; k < v->n_blocks; k++) {
        size_t at = (size_t)lr_thread_index();
        const struct whitening t = {.white = white,
                                    .n_plain = n_plain,
                                    .x = buf + at * each,
                                    .y = buf + at * each + BLOCK * d,
                                    .x_f = white + n_plain * d + at * each_f};
        n_failed += whiten_block(v, &t, k) != LR_OK;
    }
    lr_free(buf);
    lr_free(white);
    if (n_failed)
        return lr_err_set(e, LR_EBACKEND, "the matrix product of the responses failed");
    return LR_OK;
}

/* The fit blocks of a slot are first, first + n_slots and so on. */
static size_t slot_blocks(const struct lr_relu *v, size_t slot)
{
    return slot < v->n_fit_blocks ? (v->n_fit_blocks - slot - 1) / v->n_slots + 1 : 0;
}

enum lr_status lr_relu_init(struct lr_relu *v, const struct lr_samples *s, int rank,
                            bool is_in_span, const struct lr_solve_opts *opts,
                            struct lr_err *e)
{
    enum lr_status st = lr_regressor_get(&v->g, &v->own, s, v->n_threads, opts, e);

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
    v->shift = lr_calloc(d, sizeof(float));
    v->c = lr_calloc(d, sizeof(double));
    v->rt_f = lr_alloc(v->rank * r, sizeof(float));
    v->p_f = lr_alloc(d * v->rank, sizeof(float));
    v->c_f = lr_alloc(d, sizeof(float));
    v->is_deep = slot_blocks(v, 0) > FLUSH;
    if (v->is_deep)
        v->cross = lr_alloc(v->n_slots * d * r, sizeof(double));
    v->products = lr_alloc(v->n_slots * d * r, sizeof(float));
    v->col = lr_alloc(v->n_slots * d, sizeof(double));
    v->sums = lr_alloc(v->n_slots, sizeof(struct lr_row_sums));
    v->scratch = lr_alloc((size_t)v->n_threads * v->stride, sizeof(float));
    if (v->g->ridge > 0)
        v->ridge_m = lr_alloc(d * r, sizeof(double));
    if (!v->w || !v->zbar || !v->shift || !v->c || !v->rt_f || !v->p_f || !v->c_f ||
        (v->is_deep && !v->cross) || (v->g->ridge > 0 && !v->ridge_m) || !v->products ||
        !v->col || !v->sums || !v->scratch)
        return lr_enomem(e, (s->n_fit + v->n_valid) * r * sizeof(float),
                         "the whitened responses");
    st = lr_fit_work_init(&v->fit, v->g, e);
    if (st == LR_OK)
        st = lr_fit_work_follow(&v->fit, v->g, v->rank,
                                v->is_large && d >= WIDE ? v->n_threads : 1, e);
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
    struct lr_row_block fit = {
        .rows = s->n_fit, .d = d, .act = &s->act, .target = s->target};
    struct lr_row_block valid = fit;
    valid.rows = v->n_valid;
    valid.target += s->n_fit * d;
    v->all = lr_relu_target_rows(&fit);
    v->all_valid = lr_relu_target_rows(&valid);
    return LR_OK;
}

/* The products of a slot go into its double accumulator. */
static void flush(const struct lr_relu *v, size_t slot, bool is_first)
{
    size_t n = v->d * v->r;
    double *restrict cross = v->cross + slot * n;
    const float *restrict product = v->products + slot * n;

    for (size_t i = 0; i < n; i++)
        cross[i] = is_first ? (double)product[i] : cross[i] + (double)product[i];
}

/* One block into the accumulators of one slot; n_done blocks went there in this pass. */
static enum lr_status pass_block(const struct lr_relu *v, float *scratch, size_t slot,
                                 size_t block, size_t n_done, float lambda, bool is_last)
{
    size_t d = v->d, r = v->r, rows, first = block_first(&rows, v, block);
    const float *w = v->w + first * r;
    float *h = scratch, *u = h + BLOCK * v->rank, *col_f = u + BLOCK * d;
    const struct lr_row_block b = {.rows = rows,
                                   .d = d,
                                   .act = &v->s->act,
                                   .target = v->s->target + first * d,
                                   .shortcut =
                                       v->s->shortcut ? v->s->shortcut + first * d : NULL,
                                   .c = v->c_f,
                                   .shift = v->shift};
    enum lr_status st;

    st = lr_engine_gemm(false, true, rows, v->n_used, r, 1, w, r, v->rt_f, r, 0, h,
                        v->n_used, NULL);
    if (st == LR_OK)
        st = lr_engine_gemm(false, true, rows, d, v->n_used, 1, h, v->n_used, v->p_f,
                            v->n_used, 0, u, d, NULL);
    if (st != LR_OK)
        return st;
    if (block >= v->n_fit_blocks) {
        v->sums[slot].valid += lr_relu_error_rows(u, &b);
        return LR_OK;
    }
    memset(col_f, 0, d * sizeof(float));
    lr_relu_z_rows(v->sums + slot, u, col_f, &b, lambda);
    if (is_last)
        return LR_OK;
    for (size_t j = 0; j < d; j++)
        v->col[slot * d + j] += (double)col_f[j];
    bool is_new = n_done % FLUSH == 0;
    if (is_new && n_done > 0)
        flush(v, slot, n_done == FLUSH);
    return lr_engine_gemm(true, false, d, r, rows, 1, u, d, w, r, is_new ? 0 : 1,
                          v->products + slot * d * r, r, NULL);
}

/* Entries first..end-1 of v->fit.k: the slots added up in order. */
static void reduce_entries(struct lr_relu *v, size_t first, size_t end)
{
    double *restrict k = v->fit.k;

    memset(k + first, 0, (end - first) * sizeof(double));
    for (size_t slot = 0; slot < v->n_slots; slot++) {
        size_t n_blocks = slot_blocks(v, slot), at = slot * v->d * v->r;
        const float *restrict product = v->products + at;
        const double *restrict cross = n_blocks > FLUSH ? v->cross + at : NULL;
        for (size_t i = first; cross && i < end; i++)
            k[i] += cross[i];
        for (size_t i = first; n_blocks > 0 && i < end; i++)
            k[i] += (double)product[i];
    }
}

/* v->zbar, and v->fit.k, which needs no centring because the rows w are. */
static void reduce(struct lr_relu *v)
{
    size_t d = v->d, n = d * v->r;

    for (size_t i = 0; i < d; i++) {
        double sum = 0;
        for (size_t slot = 0; slot < v->n_slots; slot++)
            sum += v->col[slot * d + i];
        v->zbar[i] = (double)v->shift[i] + sum / (double)v->s->n_fit;
    }
#pragma omp parallel for num_threads(v->n_threads) schedule(static) if (v->is_large)
    for (size_t first = 0; first < n; first += ENTRIES)
        reduce_entries(v, first, n - first < ENTRIES ? n : first + ENTRIES);
    lr_regressor_add_ridge(v->fit.k, v->g);
}

enum lr_status lr_relu_pass(struct lr_row_sums *out, struct lr_relu *v, const double *p,
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
            v->p_f[i * v->n_used + a] = (float)p[i * v->rank + a];
    }
    memset(v->col, 0, n_slots * d * sizeof(double));
    memset(v->sums, 0, n_slots * sizeof(struct lr_row_sums));
    for (size_t first = 0; first < v->n_blocks; first += v->n_together) {
        size_t end =
            first + v->n_together < v->n_blocks ? first + v->n_together : v->n_blocks;
        enum lr_status st = lr_progress_tick(
            v->opts->progress, done + each * (double)first / (double)v->n_blocks,
            "solving", e);
        if (st != LR_OK)
            return st;
            /* By slots, however few, so that products round as they do on one thread. */
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
    *out = (struct lr_row_sums){0};
    for (size_t k = 0; k < n_slots; k++) {
        out->fit += v->sums[k].fit;
        out->relaxed += v->sums[k].relaxed;
        out->valid += v->sums[k].valid;
    }
    if (!is_last)
        reduce(v);
    return LR_OK;
}
