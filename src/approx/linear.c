/* Linear solution: PCA of the responses (eq. 2-4), or for the asymmetric version the
 * reduced-rank regression of the original responses on those of the approximated network
 * (eq. 11). The regression is done in whitened coordinates: an eigendecomposition of the
 * centred Gram matrix, in double, replaces the inverse of a matrix that dead channels or
 * d > c k k make singular; there the solution is a projection on leading eigenvectors.
 *
 * With few rows some directions hardly vary, by chance (a channel that is alive at a
 * single position). A plain regression takes the noise of that one row for a law, of a
 * gain of hundreds, and the layers behind multiply what it does to other images. Hence
 * the ridge, which draws M to the identity: right where the network approximated so far
 * responds as the original, and of gain 1 where nothing is known. */
#include <math.h>
#include <string.h>

#include "approx/solver.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/tensor.h"

size_t lr_gram_rank(const double *eig, size_t d)
{
    size_t rank = 0;

    while (rank < d && eig[rank] > 0 && eig[rank] > 1e-12 * eig[0])
        rank++;
    return rank;
}

void lr_regressor_free(struct lr_regressor *g)
{
    lr_free(g->mean);
    lr_free(g->eig);
    lr_free(g->vec);
    lr_free(g->white);
    *g = (struct lr_regressor){0};
}

/* The eigendecomposition of the centred Gram matrix, from the rows themselves where they
 * are few. */
static enum lr_status decompose(struct lr_regressor *g, const struct lr_samples *s,
                                int n_threads, const struct lr_solve_opts *opts,
                                struct lr_err *e)
{
    size_t d = g->d, n = s->n_fit;
    enum lr_status st;

    if (!lr_la_is_thin(n, d)) {
        st = lr_fit_moments(g->mean, g->vec, s, true, n_threads, opts, e);
        return st == LR_OK ? lr_la_eigh(d, g->vec, g->eig, e) : st;
    }
    if (!lr_all_finite(s->yhat, n * d))
        return lr_err_set(e, LR_ENUMERIC, "the sampled responses are not finite");
    double *rows = lr_alloc(n * d, sizeof(double));
    if (!rows)
        return lr_enomem(e, n * d * sizeof(double), "the rows of the fit");
    lr_centred_rows(g->mean, rows, s->yhat, n, d, d);
    st = lr_la_eigh_rows(n, d, rows, g->eig, g->vec, d, e);
    lr_free(rows);
    return st;
}

static double ridge_of(const struct lr_regressor *g, size_t n_fit)
{
    double trace = 0;

    if (n_fit / LR_FEW_ROWS >= g->d)
        return 0;
    for (size_t i = 0; i < g->n_kept; i++)
        trace += g->eig[i];
    return LR_RIDGE_ROWS * trace / ((double)g->d * (double)n_fit);
}

void lr_regressor_add_ridge(double *k, const struct lr_regressor *g)
{
    for (size_t i = 0; g->ridge > 0 && i < g->d; i++)
        for (size_t a = 0; a < g->n_kept; a++)
            k[i * g->n_kept + a] += g->ridge * g->white[a * g->d + i];
}

enum lr_status lr_regressor_init(struct lr_regressor *g, const struct lr_samples *s,
                                 int n_threads, const struct lr_solve_opts *opts,
                                 struct lr_err *e)
{
    size_t d = (size_t)s->d;
    enum lr_status st;

    *g = (struct lr_regressor){.d = d};
    g->mean = lr_alloc(d, sizeof(double));
    g->eig = lr_alloc(d, sizeof(double));
    g->vec = lr_alloc(d * d, sizeof(double));
    if (!g->mean || !g->eig || !g->vec) {
        st = lr_enomem(e, d * d * sizeof(double), "the Gram matrix");
        goto out;
    }
    if ((st = decompose(g, s, n_threads, opts, e)) != LR_OK)
        goto out;
    g->n_kept = lr_gram_rank(g->eig, d);
    g->ridge = ridge_of(g, s->n_fit);
    g->white = lr_alloc(g->n_kept * d, sizeof(double));
    if (!g->white) {
        st = lr_enomem(e, g->n_kept * d * sizeof(double), "the whitening matrix");
        goto out;
    }
    for (size_t i = 0; i < g->n_kept; i++) {
        double scale = 1 / sqrt(g->eig[i] + g->ridge);
        for (size_t j = 0; j < d; j++)
            g->white[i * d + j] = scale * g->vec[i * d + j];
    }
    if (opts && g->n_kept == 0)
        lr_note(opts->notes, LR_NOTE_WARNING,
                "dead layer: its responses never vary on the calibration images");
    else if (opts && s->n_fit < d)
        lr_note(opts->notes, LR_NOTE_WARNING,
                "%zu calibration rows for %zu filters: the responses span only %zu "
                "dimensions",
                s->n_fit, d, g->n_kept);
out:
    if (st != LR_OK)
        lr_regressor_free(g);
    return st;
}

enum lr_status lr_regressor_get(const struct lr_regressor **g, struct lr_regressor *own,
                                const struct lr_samples *s, int n_threads,
                                const struct lr_solve_opts *opts, struct lr_err *e)
{
    struct lr_shared *k = opts ? opts->shared : NULL;
    bool is_other = k && k->g.d > 0 && (k->g.d != (size_t)s->d || k->n_fit != s->n_fit);

    *g = own;
    if (!k || is_other)
        return lr_regressor_init(own, s, n_threads, opts, e);
    *g = &k->g;
    if (k->g.d > 0)
        return LR_OK;
    k->n_fit = s->n_fit;
    return lr_regressor_init(&k->g, s, n_threads, opts, e);
}

enum lr_status lr_shared_new(struct lr_shared **out, struct lr_err *e)
{
    *out = lr_calloc(1, sizeof(**out));
    return *out ? LR_OK : lr_enomem(e, sizeof(**out), "what solves share");
}

void lr_shared_free(struct lr_shared *k)
{
    if (!k)
        return;
    lr_regressor_free(&k->g);
    lr_free(k->w);
    lr_free(k);
}

void lr_fit_work_free(struct lr_fit_work *w)
{
    lr_free(w->k);
    lr_free(w->vec);
    lr_free(w->eig);
    lr_free(w->rt);
    lr_la_subspace_free(&w->top);
    *w = (struct lr_fit_work){0};
}

enum lr_status lr_fit_work_init(struct lr_fit_work *w, const struct lr_regressor *g,
                                struct lr_err *e)
{
    size_t d = g->d, r = g->n_kept;

    w->n_threads = 1;
    w->k = lr_alloc(d * r, sizeof(double));
    w->vec = lr_alloc(d * d, sizeof(double));
    w->eig = lr_alloc(d, sizeof(double));
    w->rt = lr_alloc(d * r, sizeof(double));
    if (w->k && w->vec && w->eig && w->rt)
        return LR_OK;
    lr_fit_work_free(w);
    return lr_enomem(e, (2 * r + d) * d * sizeof(double), "the regression");
}

/* b = zbar - P (Q^T mean). */
static enum lr_status set_bias(struct lr_lowrank *m, const double *zbar,
                               const double *mean, struct lr_err *e)
{
    size_t d = (size_t)m->d, rank = (size_t)m->rank;
    double *h = lr_calloc(rank, sizeof(double));

    if (!h)
        return lr_enomem(e, rank * sizeof(double), "the bias");
    for (size_t i = 0; i < d; i++)
        for (size_t a = 0; a < rank; a++)
            h[a] += m->q[i * rank + a] * mean[i];
    for (size_t i = 0; i < d; i++) {
        double sum = zbar[i];
        for (size_t a = 0; a < rank; a++)
            sum -= m->p[i * rank + a] * h[a];
        m->b[i] = sum;
    }
    lr_free(h);
    return LR_OK;
}

/* Columns first..rank-1 of P and Q become the eigenvectors of the same index. */
static void copy_directions(struct lr_lowrank *m, const struct lr_regressor *g,
                            size_t first)
{
    size_t rank = (size_t)m->rank;

    for (size_t a = first; a < rank; a++)
        for (size_t i = 0; i < g->d; i++)
            m->p[i * rank + a] = m->q[i * rank + a] = g->vec[a * g->d + i];
}

enum lr_status lr_fit_work_follow(struct lr_fit_work *w, const struct lr_regressor *g,
                                  size_t rank, int n_threads, struct lr_err *e)
{
    bool is_followed = rank < g->n_kept && !lr_la_is_thin(g->n_kept, g->d);
    enum lr_status st =
        lr_la_subspace_init(&w->top, g->d, g->n_kept, is_followed ? rank : 0, e);

    w->n_threads = w->top.n_threads = n_threads;
    w->top.gemm_f = lr_engine_gemm;
    return st;
}

/* Of k k^T where k has few columns. */
static enum lr_status leading_thin(struct lr_fit_work *w, size_t d, size_t r,
                                   struct lr_err *e)
{
    double *rows = lr_alloc(r * d, sizeof(double));
    enum lr_status st;

    if (!rows)
        return lr_enomem(e, r * d * sizeof(double), "the regression");
    for (size_t i = 0; i < d; i++)
        for (size_t a = 0; a < r; a++)
            rows[a * d + i] = w->k[i * r + a];
    st = lr_la_eigh_rows(r, d, rows, w->eig, w->vec, r, e);
    lr_free(rows);
    return st;
}

/* u: the leading n_used eigenvectors of k k^T; the rows of w->rt become u k. */
static enum lr_status leading(const double **u, struct lr_fit_work *w, size_t d, size_t r,
                              size_t n_used, struct lr_err *e)
{
    bool is_found = false;
    enum lr_status st = lr_la_subspace_next(&is_found, &w->top, w->k, e);

    *u = is_found ? w->top.v : w->vec;
    if (is_found)
        memcpy(w->rt, w->top.vk, n_used * r * sizeof(double));
    if (st != LR_OK || is_found)
        return st;
    if (lr_la_is_thin(r, d)) {
        st = leading_thin(w, d, r, e);
    } else {
        st = lr_la_gram_rows(w->n_threads, d, r, w->k, r, w->vec, d, e);
        if (st == LR_OK)
            st = lr_la_eigh(d, w->vec, w->eig, e);
    }
    if (st != LR_OK)
        return st;
    lr_la_subspace_start(&w->top, w->vec); /* no block where it is thin */
    return lr_la_gemm_rows(w->n_threads, false, false, n_used, r, d, 1, w->vec, d, w->k,
                           r, 0, w->rt, r, e);
}

enum lr_status lr_regressor_turn(struct lr_lowrank *out, const struct lr_regressor *g,
                                 struct lr_fit_work *w, struct lr_err *e)
{
    size_t d = g->d, r = g->n_kept, rank = (size_t)out->rank;
    size_t n_used = rank < r ? rank : r;
    const double *u;
    enum lr_status st = leading(&u, w, d, r, n_used, e);

    if (st != LR_OK)
        return st;
    for (size_t a = 0; a < n_used; a++)
        for (size_t i = 0; i < d; i++)
            out->p[i * rank + a] = u[a * d + i];
    copy_directions(out, g, n_used);
    out->n_data_rank = (int)r;
    return LR_OK;
}

enum lr_status lr_regressor_close(struct lr_lowrank *out, const struct lr_regressor *g,
                                  const double *rt, const double *zbar, struct lr_err *e)
{
    size_t d = g->d, r = g->n_kept, rank = (size_t)out->rank;
    /* q [d x rank] = white^T rt^T */
    enum lr_status st = lr_la_gemm(true, true, d, rank < r ? rank : r, r, 1, g->white, d,
                                   rt, r, 0, out->q, rank, e);

    return st == LR_OK ? set_bias(out, zbar, g->mean, e) : st;
}

enum lr_status lr_regressor_fit(struct lr_lowrank *out, const struct lr_regressor *g,
                                struct lr_fit_work *w, const double *zbar,
                                struct lr_err *e)
{
    enum lr_status st = lr_regressor_turn(out, g, w, e);

    return st == LR_OK ? lr_regressor_close(out, g, w->rt, zbar, e) : st;
}

enum lr_status lr_linear_with(struct lr_lowrank *out, const struct lr_regressor *g,
                              const struct lr_samples *s, int rank, struct lr_fit_work *w,
                              int n_threads, const struct lr_solve_opts *opts,
                              struct lr_err *e)
{
    size_t d = g->d;
    double *cross = NULL, *zbar = NULL;
    enum lr_status st = lr_lowrank_alloc(out, s->d, rank, e);

    if (st != LR_OK)
        return st;
    if (s->target == s->yhat && !s->shortcut) {
        copy_directions(out, g, 0);
        out->n_data_rank = (int)g->n_kept;
        st = set_bias(out, g->mean, g->mean, e);
        goto out;
    }
    cross = lr_alloc(d * d, sizeof(double));
    zbar = lr_alloc(d, sizeof(double));
    if (!cross || !zbar) {
        st = lr_enomem(e, (d + 1) * d * sizeof(double), "the regression");
        goto out;
    }
    st = lr_fit_moments(zbar, cross, s, false, n_threads, opts, e);
    if (st == LR_OK)
        st = lr_la_gemm(false, true, d, g->n_kept, d, 1, cross, d, g->white, d, 0, w->k,
                        g->n_kept, e);
    if (st == LR_OK) {
        lr_regressor_add_ridge(w->k, g);
        st = lr_regressor_fit(out, g, w, zbar, e);
    }
out:
    lr_free(cross);
    lr_free(zbar);
    if (st != LR_OK)
        lr_lowrank_free(out);
    return st;
}

enum lr_status lr_solve_linear(struct lr_lowrank *out, const struct lr_samples *s,
                               int rank, const struct lr_solve_opts *opts,
                               struct lr_err *e)
{
    struct lr_regressor own = {0};
    struct lr_fit_work w = {0};
    const struct lr_regressor *g;
    int n_threads;
    enum lr_status st;

    *out = (struct lr_lowrank){0};
    st = lr_samples_check(s, rank, e);
    if (st != LR_OK)
        return st;
    n_threads = lr_serial_begin((size_t)s->d);
    st = lr_regressor_get(&g, &own, s, n_threads, opts, e);
    if (st == LR_OK)
        st = lr_fit_work_init(&w, g, e);
    if (st == LR_OK)
        st = lr_linear_with(out, g, s, rank, &w, n_threads, opts, e);
    lr_fit_work_free(&w);
    lr_regressor_free(&own);
    lr_la_set_threads(n_threads);
    return st;
}
