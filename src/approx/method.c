/* The table of methods, the options of the solvers, and the memory of a low-rank
 * solution. A method is one row here; its solver gets samples, weights or both, and
 * ignores what it does not need. */
#include <stdint.h>
#include <string.h>

#include "approx/solver.h"
#include "approx/zstep.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

static enum lr_status solve_pca(struct lr_lowrank *out, const struct lr_samples *s,
                                const float *w, size_t n_inputs, int rank,
                                const struct lr_solve_opts *opts, struct lr_err *e)
{
    (void)w;
    (void)n_inputs;
    return lr_solve_linear(out, s, rank, opts, e);
}

static enum lr_status solve_relu(struct lr_lowrank *out, const struct lr_samples *s,
                                 const float *w, size_t n_inputs, int rank,
                                 const struct lr_solve_opts *opts, struct lr_err *e)
{
    (void)w;
    (void)n_inputs;
    return lr_solve_relu(out, s, rank, NULL, opts, e);
}

static enum lr_status solve_svd(struct lr_lowrank *out, const struct lr_samples *s,
                                const float *w, size_t n_inputs, int rank,
                                const struct lr_solve_opts *opts, struct lr_err *e)
{
    if (!s)
        return lr_err_set(e, LR_EINVAL, "svd: the number of filters is missing");
    return lr_solve_svd(out, w, opts ? opts->bias : NULL, s->d, n_inputs, rank,
                        opts ? opts->progress : NULL, e);
}

const struct lr_method_info lr_methods[] = {
    {LR_METHOD_KEEP, "keep", "the layer stays whole", LR_SPLIT_NONE, false, true, NULL},
    {LR_METHOD_PCA, "pca", "linear least squares on the responses", LR_SPLIT_CHANNEL,
     true, true, solve_pca},
    {LR_METHOD_RELU, "relu", "least squares on the responses after the ReLU",
     LR_SPLIT_CHANNEL, true, false, solve_relu},
    {LR_METHOD_SPATIAL, "spatial", "k x 1 and 1 x k filters, no images needed",
     LR_SPLIT_SPATIAL, false, true, NULL},
    {LR_METHOD_SPATIAL_REFIT, "spatial-refit",
     "k x 1 and 1 x k filters, the second refitted to the responses", LR_SPLIT_SPATIAL,
     true, false, solve_relu},
    {LR_METHOD_3D, "3d", "k x 1 and 1 x k filters, then fewer channels as in relu",
     LR_SPLIT_BOTH, true, false, solve_relu},
    {LR_METHOD_SVD, "svd", "truncated SVD of the filters, no images needed",
     LR_SPLIT_CHANNEL, false, true, solve_svd},
};
const int lr_n_methods = (int)(sizeof(lr_methods) / sizeof(lr_methods[0]));

const struct lr_method_info *lr_method_find(const char *name)
{
    for (int i = 0; name && i < lr_n_methods; i++)
        if (strcmp(lr_methods[i].name, name) == 0)
            return &lr_methods[i];
    return NULL;
}

const struct lr_method_info *lr_method_info(enum lr_method m)
{
    for (int i = 0; i < lr_n_methods; i++)
        if (lr_methods[i].id == m)
            return &lr_methods[i];
    return NULL;
}

void lr_solve_opts_default(struct lr_solve_opts *o)
{
    *o = (struct lr_solve_opts){
        .n_iter1 = 25, .n_iter2 = 25, .lambda1 = 0.01, .lambda2 = 1};
}

int lr_serial_begin(size_t d)
{
    int n_threads = lr_la_threads();

    if (d <= 512)
        lr_la_set_threads(1);
    return n_threads;
}

enum lr_status lr_lowrank_alloc(struct lr_lowrank *m, int d, int rank, struct lr_err *e)
{
    size_t nd = (size_t)d, nr = (size_t)rank;

    *m = (struct lr_lowrank){.d = d, .rank = rank};
    m->p = lr_calloc(nd * nr, sizeof(double));
    m->q = lr_calloc(nd * nr, sizeof(double));
    m->b = lr_calloc(nd, sizeof(double));
    if (m->p && m->q && m->b)
        return LR_OK;
    lr_lowrank_free(m);
    return lr_enomem(e, (2 * nd * nr + nd) * sizeof(double), "the factors");
}

void lr_lowrank_free(struct lr_lowrank *m)
{
    if (!m)
        return;
    lr_free(m->p);
    lr_free(m->q);
    lr_free(m->b);
    *m = (struct lr_lowrank){0};
}

enum lr_status lr_samples_check(const struct lr_samples *s, int rank, struct lr_err *e)
{
    if (!s || s->d < 1 || !s->target || !s->yhat)
        return lr_err_set(e, LR_EINVAL, "no samples of the layer's responses");
    if (rank < 1)
        return lr_err_set(e, LR_EINVAL, "rank %d is below 1", rank);
    if (rank > s->d)
        return lr_err_set(e, LR_EINVAL, "rank %d exceeds its %d filters", rank, s->d);
    if (s->n_fit == 0)
        return lr_err_set(e, LR_EINVAL,
                          "no calibration rows to fit: at least 1 is needed");
    size_t limit = SIZE_MAX / sizeof(double) / (size_t)s->d / 4;
    if (s->n_fit > limit || s->n_valid > limit || s->n_held > limit)
        return lr_err_set(e, LR_EINVAL, "too many calibration rows: %zu", s->n_fit);
    return lr_act_check(&s->act, e);
}
