/* Response errors of a low-rank solution over sampled rows, before and after the
 * nonlinearity. Blocks of rows go through the two factors in double; each block leaves
 * its sums in a place of its own and they are added up in order, so that the result
 * depends on neither the number of threads nor their timing. */
#include <math.h>
#include <stdint.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "approx/solver.h"
#include "approx/zstep.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

enum { BLOCK = 256 };

int lr_thread_index(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

double lr_relative(double error, double all)
{
    if (all > 0 || isnan(all) || isnan(error))
        return error / all;
    return error > 0 ? INFINITY : 0;
}

void lr_response_work_free(struct lr_response_work *w)
{
    lr_free(w->scratch);
    lr_free(w->sums);
    *w = (struct lr_response_work){0};
}

enum lr_status lr_response_work_init(struct lr_response_work *w, size_t d,
                                     size_t rank_max, size_t n_max, int n_threads,
                                     struct lr_err *e)
{
    *w = (struct lr_response_work){.d = d, .rank_max = rank_max, .n_max = n_max};
    w->n_threads = n_threads < 1 ? 1 : n_threads;
    w->stride = BLOCK * (2 * d + rank_max);
    w->scratch = lr_alloc((size_t)w->n_threads * w->stride, sizeof(double));
    w->sums = lr_alloc(4 * (n_max / BLOCK + 1), sizeof(double));
    if (w->scratch && w->sums)
        return LR_OK;
    size_t bytes = (size_t)w->n_threads * w->stride * sizeof(double);
    lr_response_work_free(w);
    return lr_enomem(e, bytes, "response errors");
}

/* yr [rows x d] = M yhat + b, or yhat when m is NULL. */
static enum lr_status respond(double *yr, double *scratch, const struct lr_samples *s,
                              const struct lr_lowrank *m, size_t first, size_t rows)
{
    size_t d = (size_t)s->d, rank = m ? (size_t)m->rank : 0;
    const float *y = s->yhat + first * d;
    double *x = m ? scratch : yr, *h = scratch + BLOCK * d;
    enum lr_status st;

    for (size_t i = 0; i < rows * d; i++)
        x[i] = (double)y[i];
    if (!m)
        return LR_OK;
    st = lr_la_gemm(false, false, rows, rank, d, 1, x, d, m->q, rank, 0, h, rank, NULL);
    if (st != LR_OK)
        return st;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < d; j++)
            yr[i * d + j] = m->b[j];
    return lr_la_gemm(false, true, rows, d, rank, 1, h, rank, m->p, rank, 1, yr, d, NULL);
}

static void add_errors(double *sums, const double *yr, const struct lr_samples *s,
                       size_t first, size_t rows)
{
    size_t d = (size_t)s->d;
    const float *target = s->target + first * d;
    const float *shortcut = s->shortcut ? s->shortcut + first * d : NULL;
    double after = 0, after_all = 0, before = 0, before_all = 0;

    for (size_t i = 0; i < rows * d; i++) {
        double t = (double)target[i], u = yr[i] + (shortcut ? (double)shortcut[i] : 0);
        double ft = lr_act_at(t, &s->act), fu = lr_act_at(u, &s->act);
        before += (t - u) * (t - u);
        before_all += t * t;
        after += (ft - fu) * (ft - fu);
        after_all += ft * ft;
    }
    sums[0] = after;
    sums[1] = after_all;
    sums[2] = before;
    sums[3] = before_all;
}

enum lr_status lr_response_run(struct lr_response_sums *out, struct lr_response_work *w,
                               const struct lr_samples *s, const struct lr_lowrank *m,
                               size_t first, size_t n, struct lr_err *e)
{
    long n_blocks = (long)((n + BLOCK - 1) / BLOCK);
    double ops = (double)n * (double)w->d * (4.0 * (m ? m->rank : 0) + 8);
    int n_failed = 0;

    *out = (struct lr_response_sums){0};
#pragma omp parallel for num_threads(w->n_threads) schedule(static) reduction(+ : n_failed)  \
    if (ops > LR_LARGE)
    for (long k = 0; k < n_blocks; k++) {
        double *scratch = w->scratch + (size_t)lr_thread_index() * w->stride;
        double *yr = scratch + BLOCK * (w->d + w->rank_max);
        size_t at = (size_t)k * BLOCK, rows = n - at < BLOCK ? n - at : BLOCK;
        if (respond(yr, scratch, s, m, first + at, rows) == LR_OK)
            add_errors(w->sums + 4 * k, yr, s, first + at, rows);
        else
            n_failed++;
    }
    if (n_failed)
        return lr_err_set(e, LR_EBACKEND, "the matrix product of the responses failed");
    for (long k = 0; k < n_blocks; k++) {
        out->after += w->sums[4 * k];
        out->after_all += w->sums[4 * k + 1];
        out->before += w->sums[4 * k + 2];
        out->before_all += w->sums[4 * k + 3];
    }
    if (!isfinite(out->before) || !isfinite(out->before_all))
        return lr_err_set(e, LR_ENUMERIC, "the sampled responses are not finite");
    return LR_OK;
}

enum lr_status lr_response_error(double *after, double *before,
                                 const struct lr_samples *s, const struct lr_lowrank *m,
                                 size_t first, size_t n, struct lr_err *e)
{
    struct lr_response_work w = {0};
    struct lr_response_sums sums;
    size_t all;

    if (!s || s->d < 1 || !s->target || !s->yhat)
        return lr_err_set(e, LR_EINVAL, "no samples of the layer's responses");
    all = s->n_fit + s->n_valid + s->n_held;
    if (first > all || n > all - first)
        return lr_err_set(e, LR_EINVAL, "rows %zu to %zu are outside the %zu sampled",
                          first, first + n, all);
    enum lr_status st = lr_act_check(&s->act, e);
    if (st != LR_OK)
        return st;
    if (m && m->d != s->d)
        return lr_err_set(e, LR_EINVAL, "a solution for %d filters does not fit %d", m->d,
                          s->d);
    int n_threads = lr_serial_begin((size_t)s->d);
    st =
        lr_response_work_init(&w, (size_t)s->d, m ? (size_t)m->rank : 0, n, n_threads, e);
    if (st == LR_OK)
        st = lr_response_run(&sums, &w, s, m, first, n, e);
    lr_response_work_free(&w);
    lr_la_set_threads(n_threads);
    if (st != LR_OK)
        return st;
    if (after)
        *after = lr_relative(sums.after, sums.after_all);
    if (before)
        *before = lr_relative(sums.before, sums.before_all);
    return LR_OK;
}
