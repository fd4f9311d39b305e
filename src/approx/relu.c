/* Nonlinear solution (eq. 5-11). Auxiliary values z relax the problem: for fixed (M, b)
 * each z has a closed form, for fixed z the best (M, b) is a reduced-rank regression of z
 * - shortcut on yhat; lambda ties z to M yhat + b + shortcut, loosely first, then firmly.
 *
 * An iteration is one pass over the rows (relu_pass.c), which judges the iterate and
 * takes the z step, and one small regression. In whitened coordinates an iterate is P, R
 * = Q^T V L^(1/2) and a constant; Q and the bias are made for the one that is returned.
 */
#include "approx/relu.h"

#include <math.h>
#include <string.h>

#include "ranklab/la.h"
#include "ranklab/mem.h"

/* The part of the relaxed objective that an iteration has to gain for its stage to go on.
 * On samples of all kinds it changed the error by at most 2e-6 of it. */
static const double NO_GAIN = 1e-8;

/* The whitened form of any solution m: on the fit rows yhat - mean = V_r L_r^(1/2) w. */
static enum lr_status enter(struct lr_relu *v, const struct lr_lowrank *m,
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
            v->fit.rt[a * r + j] *= sqrt(v->g->eig[j] + v->g->ridge);
    return st;
}

static void copy_solution(struct lr_lowrank *to, const struct lr_lowrank *from)
{
    size_t n = (size_t)from->d * (size_t)from->rank;

    memcpy(to->p, from->p, n * sizeof(double));
    memcpy(to->q, from->q, n * sizeof(double));
    memcpy(to->b, from->b, (size_t)from->d * sizeof(double));
}

/* The best iterate so far, while its Q and bias are still to be made: then is_open. */
struct best {
    struct lr_lowrank *m;
    double lowest;
    bool is_open;
    double *rt, *zbar;
};

/* The pass that judged m has put the means for the next one into v->zbar; those of m are
 * its constant. */
static void keep_best(struct best *best, const struct lr_relu *v,
                      const struct lr_lowrank *m, int iteration, bool is_open)
{
    best->is_open = is_open;
    best->m->best_iteration = iteration;
    copy_solution(best->m, m);
    if (is_open) {
        memcpy(best->rt, v->fit.rt, v->n_used * v->r * sizeof(double));
        memcpy(best->zbar, v->c, v->d * sizeof(double));
    }
}

/* ridge |M - I|^2 of the iterate with this p, in the directions in which the fit rows
 * vary; in others M stays as it is. */
static enum lr_status ridge_part(double *part, struct lr_relu *v, const double *p,
                                 struct lr_err *e)
{
    const struct lr_regressor *g = v->g;
    size_t d = v->d, r = v->r;
    double sum = 0;

    *part = 0;
    if (!(g->ridge > 0))
        return LR_OK;
    enum lr_status st = lr_la_gemm(false, false, d, r, v->n_used, 1, p, v->rank,
                                   v->fit.rt, r, 0, v->ridge_m, r, e);
    for (size_t i = 0; st == LR_OK && i < d; i++)
        for (size_t a = 0; a < r; a++) {
            double scale = 1 / sqrt(g->eig[a] + g->ridge);
            double off = scale * v->ridge_m[i * r + a] - g->vec[a * d + i];
            sum += off * off;
        }
    *part = g->ridge * sum;
    return st;
}

/* The error of iterate k of n at most, which is m, that the best is chosen by, and the
 * relaxed objective behind its z step. */
static enum lr_status judge(double *error, double *relaxed, struct lr_relu *v,
                            const struct lr_lowrank *m, int k, int n, bool is_last,
                            double lambda, struct lr_err *e)
{
    const struct lr_samples *s = v->s;
    const struct lr_solve_opts *o = v->opts;
    struct lr_response_sums sums = {0};
    struct lr_row_sums row = {0};
    double ridge;
    enum lr_status st = ridge_part(&ridge, v, m->p, e);

    if (st == LR_OK)
        st = lr_relu_pass(&row, v, m->p, lambda, is_last, (double)k / (n + 1),
                          1.0 / (n + 1), e);
    row.relaxed += lambda * ridge;
    sums = (struct lr_response_sums){.after = row.valid, .after_all = v->all_valid};
    if (st == LR_OK && s->n_valid > v->n_valid)
        st = lr_response_run(&sums, &v->valid, s, m, s->n_fit, s->n_valid, e);
    if (st != LR_OK)
        return st;
    if (!isfinite(sums.after))
        return lr_err_set(e, LR_ENUMERIC, "the sampled responses are not finite");
    if (!isfinite(row.fit))
        return lr_err_set(e, LR_ENUMERIC, "iteration %d is not finite", k);
    *error = s->n_valid > 0 ? sums.after : row.fit;
    *relaxed = row.relaxed;
    if (o->trace)
        o->trace(o->trace_ctx, k, lambda, lr_relative(row.relaxed, v->all),
                 lr_relative(row.fit, v->all),
                 s->n_valid > 0 ? lr_relative(sums.after, sums.after_all) : NAN);
    return LR_OK;
}

/* The alternation; m is the start and is overwritten, best gets the result. A stage ends
 * early when the relaxed objective gains next to nothing: at exact solutions, since
 * otherwise 25 iterations are far from where it would. */
static enum lr_status iterate(struct best *best, struct lr_relu *v, struct lr_lowrank *m,
                              struct lr_err *e)
{
    const struct lr_solve_opts *o = v->opts;
    int left[] = {o->n_iter1 > 0 ? o->n_iter1 : 0, o->n_iter2 > 0 ? o->n_iter2 : 0};
    const int n = left[0] + left[1], last_stage = left[1] > 0;
    bool is_outside = v->s->n_valid > v->n_valid; /* judged by Q and the bias */
    bool is_open = false;
    double before = INFINITY; /* the relaxed objective in this stage */
    enum lr_status st = enter(v, m, e);

    for (int k = 0; st == LR_OK; k++) {
        int stage = left[0] > 0 ? 0 : last_stage;
        bool is_last = left[0] + left[1] == 0;
        double error = 0, relaxed = 0;
        st = judge(&error, &relaxed, v, m, k, n, is_last,
                   stage == 0 ? o->lambda1 : o->lambda2, e);
        if (st != LR_OK)
            return st;
        if (error < best->lowest) {
            best->lowest = error;
            keep_best(best, v, m, k, is_open);
        }
        best->m->n_iterations = k;
        if (!(relaxed < before * (1 - NO_GAIN)))
            left[stage] = stage == last_stage ? 0 : 1;
        if (left[0] + left[1] == 0)
            break;
        before = --left[stage] > 0 || stage == last_stage ? relaxed : INFINITY;
        st = lr_regressor_turn(m, v->g, &v->fit, e);
        if (st == LR_OK && is_outside)
            st = lr_regressor_close(m, v->g, v->fit.rt, v->zbar, e);
        is_open = !is_outside;
        v->n_used = v->rank < v->r ? v->rank : v->r;
        /* Centred rows: M acts on yhat - mean, so the constant is the mean of z. */
        memcpy(v->c, v->zbar, v->d * sizeof(double));
    }
    if (st == LR_OK && best->is_open)
        st = lr_regressor_close(best->m, v->g, best->rt, best->zbar, e);
    return st;
}

enum lr_status lr_solve_relu(struct lr_lowrank *out, const struct lr_samples *s, int rank,
                             const struct lr_lowrank *start,
                             const struct lr_solve_opts *opts, struct lr_err *e)
{
    struct lr_solve_opts defaults;
    struct lr_lowrank m = {0};
    struct lr_relu v = {0};
    struct best best = {.m = out, .lowest = INFINITY};
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
    st = lr_relu_init(&v, s, rank, start == NULL, opts, e);
    if (st != LR_OK)
        goto out;
    st = start ? lr_lowrank_alloc(&m, s->d, rank, e)
               : lr_linear_with(&m, v.g, s, rank, &v.fit, v.n_threads, opts, e);
    if (st != LR_OK)
        goto out;
    if (start)
        copy_solution(&m, start);
    out->n_data_rank = (int)v.r;
    best.rt = lr_alloc((size_t)rank * v.r, sizeof(double));
    best.zbar = lr_alloc((size_t)s->d, sizeof(double));
    if (!best.rt || !best.zbar) {
        st = lr_enomem(e, (size_t)rank * v.r * sizeof(double), "the best iterate");
        goto out;
    }
    st = iterate(&best, &v, &m, e);
out:
    lr_free(best.rt);
    lr_free(best.zbar);
    lr_la_set_threads(v.n_threads);
    lr_lowrank_free(&m);
    lr_relu_free(&v);
    if (st != LR_OK)
        lr_lowrank_free(out);
    return st;
}
