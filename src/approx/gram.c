/* Moments of the fit rows. They are cut into a few parts of consecutive rows, as many as
 * their number and the width say, which threads take; the parts have one shift in common
 * and are added up in order. Wide layers have one part, and BLAS has the threads. */
#include <math.h>

#include "approx/solver.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

/* MAX_WIDTH: that of lr_serial_begin. */
enum { BLOCK = 4096, SHIFT_ROWS = 512, MAX_PARTS = 8, MAX_WIDTH = 512 };

struct work {
    const struct lr_samples *s;
    bool is_gram;
    size_t n_parts, part_rows, block_rows;
    struct lr_moments m[MAX_PARTS];
    float *z; /* n_parts x [block_rows x d]: target - shortcut; or NULL */
};

static const float *first_side(const struct work *w, size_t part, size_t i, size_t rows)
{
    const struct lr_samples *s = w->s;
    size_t d = (size_t)s->d;

    if (w->is_gram)
        return s->yhat + i * d;
    if (!w->z)
        return s->target + i * d;
    float *z = w->z + part * w->block_rows * d;
    for (size_t j = 0; j < rows * d; j++)
        z[j] = s->target[i * d + j] - s->shortcut[i * d + j];
    return z;
}

/* Block step of a part. */
static enum lr_status add_step(struct work *w, size_t part, size_t step)
{
    size_t d = (size_t)w->s->d, begin = part * w->part_rows, end = begin + w->part_rows;
    size_t i = begin + step * w->block_rows;

    if (end > w->s->n_fit)
        end = w->s->n_fit;
    if (i >= end)
        return LR_OK;
    size_t rows = end - i < w->block_rows ? end - i : w->block_rows;
    return lr_moments_add(&w->m[part], rows, first_side(w, part, i, rows), d,
                          w->s->yhat + i * d, d, NULL);
}

static enum lr_status work_init(struct work *w, struct lr_err *e)
{
    const struct lr_samples *s = w->s;
    size_t d = (size_t)s->d, n = s->n_fit, parts = (n + BLOCK - 1) / BLOCK;

    w->n_parts = d > MAX_WIDTH ? 1 : parts > MAX_PARTS ? MAX_PARTS : parts;
    w->part_rows = (n + w->n_parts - 1) / w->n_parts;
    w->block_rows = w->part_rows < BLOCK ? w->part_rows : BLOCK;
    if (!w->is_gram && s->shortcut) {
        w->z = lr_alloc(w->n_parts * w->block_rows * d, sizeof(float));
        if (!w->z)
            return lr_enomem(e, w->n_parts * w->block_rows * d * sizeof(float),
                             "blocks of responses");
    }
    size_t shift_rows = w->block_rows < SHIFT_ROWS ? w->block_rows : SHIFT_ROWS;
    const float *a = first_side(w, 0, 0, shift_rows);
    for (size_t p = 0; p < w->n_parts; p++) {
        enum lr_status st = lr_moments_init(&w->m[p], d, d, e);
        if (st != LR_OK)
            return st;
        lr_moments_shift(&w->m[p], shift_rows, a, d, s->yhat, d);
    }
    return LR_OK;
}

static enum lr_status add_all(struct work *w, int n_threads,
                              const struct lr_solve_opts *opts, struct lr_err *e)
{
    size_t d = (size_t)w->s->d,
           n_steps = (w->part_rows + w->block_rows - 1) / w->block_rows;
    bool is_large = w->n_parts > 1 && (double)w->part_rows * (double)(d * d) > LR_LARGE;

    for (size_t step = 0; step < n_steps; step++) {
        enum lr_status st =
            opts ? lr_progress_tick(opts->progress, 0, "solving", e) : LR_OK;
        int n_failed = 0;
        if (st != LR_OK)
            return st;
#pragma omp parallel for num_threads(n_threads) schedule(dynamic) reduction(+ : n_failed) \
    if (is_large)
        for (size_t p = 0; p < w->n_parts; p++)
            n_failed += add_step(w, p, step) != LR_OK;
        if (n_failed)
            return lr_err_set(e, LR_EBACKEND, "the moments of the responses failed");
    }
    for (size_t p = 1; p < w->n_parts; p++) {
        enum lr_status st = lr_moments_merge(&w->m[0], &w->m[p], e);
        if (st != LR_OK)
            return st;
    }
    return LR_OK;
}

void lr_centred_rows(double *mean, double *rows, const float *x, size_t n, size_t ld,
                     size_t width)
{
    for (size_t j = 0; j < width; j++)
        mean[j] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++) {
            rows[i * width + j] = (double)x[i * ld + j];
            mean[j] += rows[i * width + j];
        }
    for (size_t j = 0; j < width; j++)
        mean[j] /= n > 0 ? (double)n : 1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            rows[i * width + j] -= mean[j];
}

enum lr_status lr_fit_moments(double *mean, double *cross, const struct lr_samples *s,
                              bool is_gram, int n_threads,
                              const struct lr_solve_opts *opts, struct lr_err *e)
{
    struct work w = {.s = s, .is_gram = is_gram};
    size_t d = (size_t)s->d;
    enum lr_status st = work_init(&w, e);

    if (st == LR_OK)
        st = add_all(&w, n_threads, opts, e);
    if (st != LR_OK)
        goto out;
    lr_moments_finish(&w.m[0], mean, NULL, cross);
    double all = 0;
    for (size_t i = 0; i < d * d; i++)
        all += cross[i];
    for (size_t i = 0; i < d; i++)
        all += mean[i];
    if (!isfinite(all))
        st = lr_err_set(e, LR_ENUMERIC, "the sampled responses are not finite");
out:
    for (size_t p = 0; p < w.n_parts; p++)
        lr_moments_free(&w.m[p]);
    lr_free(w.z);
    return st;
}
