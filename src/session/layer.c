/* Solving one layer: the samples it is fitted to in each mode, its factors, and the
 * errors they are judged by. Whatever it is fitted to, it is judged where it will stand:
 * by what comes out of the network approximated so far against what came out of the
 * original, after the nonlinearity that really follows (a ReLU or nothing), so that modes
 * and methods can be compared. */
#include "session/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"

/* fit: what the layer is fitted to; real: the original's response against what goes into
 * the layer in the network so far; own: the same layer alone in the original network;
 * whole: real, but the layer itself is not approximated. */
struct problem {
    struct lr_samples fit, real, own, whole;
    float *sum_now, *sum_own; /* response + shortcut, where there is a shortcut */
};

static void problem_free(struct problem *p)
{
    lr_free(p->sum_now);
    lr_free(p->sum_own);
}

/* a + b; rows of different sizes are our own bug, but sizes come from files. */
static enum lr_status add_rows(float **sum, const struct lr_rows *a,
                               const struct lr_rows *b, struct lr_err *e)
{
    size_t n = a->n * (size_t)a->d;

    if (a->n != b->n || a->d != b->d)
        return lr_err_set(e, LR_ESHAPE, "the branches of its addition differ in size");
    *sum = lr_alloc(n, sizeof(**sum));
    if (!*sum)
        return lr_enomem(e, n * sizeof(**sum), "responses");
    for (size_t i = 0; i < n; i++)
        (*sum)[i] = a->x[i] + b->x[i];
    return LR_OK;
}

/* What the solver is fitted to, in each mode; alone: without shortcut and nonlinearity.
 */
static enum lr_status set_fit(struct problem *p, const struct session_problem *q,
                              struct lr_err *e)
{
    const struct session_rows *r = &q->rows;
    bool is_hat = q->mode == LR_MODE_SYMHAT && r->yhat;
    enum lr_status rc = LR_OK;

    p->fit = q->mode == LR_MODE_SYM ? p->own : p->real;
    if (is_hat) {
        p->fit.target = r->yhat->x;
        if (r->other && !q->is_alone) {
            rc = add_rows(&p->sum_now, r->yhat, r->shat, e);
            p->fit.target = p->sum_now;
        }
    }
    if (q->is_alone && r->other) {
        p->fit.target = is_hat ? r->yhat->x : r->y->x;
        p->fit.shortcut = NULL;
        p->fit.act = lr_act_none;
    }
    return rc;
}

static enum lr_status problem_init(struct problem *p, const struct lr_session *s,
                                   const struct session_problem *q, struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[q->layer];
    const struct session_rows *r = &q->rows;
    enum lr_status rc;

    p->own = (struct lr_samples){.d = l->d, .act = l->act};
    lr_sampling_split(&p->own.n_fit, &p->own.n_valid, &p->own.n_held, r->y->n,
                      q->n_images, &q->sampling);
    p->own.target = r->y->x;
    p->own.yhat = r->ys ? r->ys->x : r->y->x;
    if (r->other) {
        if ((rc = add_rows(&p->sum_own, r->y, r->other, e)) != LR_OK)
            return rc;
        p->own.target = p->sum_own;
        p->own.shortcut = r->other->x;
    }
    p->whole = p->own;
    p->whole.yhat = r->yhat ? r->yhat->x : r->y->x;
    if (r->other && r->shat)
        p->whole.shortcut = r->shat->x;
    p->real = p->whole;
    if (r->ys)
        p->real.yhat = r->yshat ? r->yshat->x : r->ys->x;
    return set_fit(p, q, e);
}

/* Hands a solver's progress and notes on under the layer's name. */
struct named {
    const struct lr_progress *outer;
    const struct lr_notes *notes;
    const char *layer;
    double lo, hi; /* the solver's part of it */
    char text[160];
};

static int named_tick(void *ctx, double fraction, const char *what)
{
    const struct named *n = ctx;

    (void)what;
    return lr_progress_tick(n->outer, n->lo + (n->hi - n->lo) * fraction, n->text,
                            NULL) == LR_EINTR;
}

static void named_note(void *ctx, enum lr_note_level level, const char *text)
{
    const struct named *n = ctx;

    lr_note(n->notes, level, "%s: %s", n->layer, text);
}

static enum lr_status measure(struct lr_factors *f, const struct problem *p,
                              const struct lr_lowrank *m, const struct lr_lowrank *linear,
                              struct lr_err *e)
{
    const struct lr_samples *s = &p->real;
    size_t held = s->n_fit + s->n_valid;
    enum lr_status rc = lr_response_error(&f->error_calib, NULL, s, m, 0, s->n_fit, e);

    if (rc != LR_OK || s->n_held == 0)
        return rc;
    if ((rc = lr_response_error(&f->error_heldout, &f->error_pre, s, m, held, s->n_held,
                                e)) != LR_OK ||
        (rc = lr_response_error(&f->error_inherited, NULL, &p->whole, NULL, held,
                                s->n_held, e)) != LR_OK ||
        (rc = lr_response_error(&f->error_own, NULL, &p->own, m, held, s->n_held, e)) !=
            LR_OK ||
        (rc = lr_response_error(&f->error_linear, NULL, s, linear ? linear : m, held,
                                s->n_held, e)) != LR_OK)
        return rc;
    f->error_refit = f->error_heldout;
    return LR_OK;
}

enum lr_status session_spatial(struct lr_spatial *out, const struct lr_session *s,
                               int layer, int rank, struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[layer];
    struct lr_tensor *w = NULL, *bias = NULL;
    enum lr_status rc = lr_layer_weights(&w, &bias, s->graph, l, e);

    *out = (struct lr_spatial){0};
    if (rc == LR_OK && (rc = lr_spatial_split(out, l, w->data, rank, e)) != LR_OK)
        lr_err_prefix(e, "%s", l->name);
    lr_tensor_free(w);
    lr_tensor_free(bias);
    return rc;
}

/* Everything that solving one layer holds. */
struct work {
    struct problem p;
    struct lr_lowrank m, linear;
    bool has_m, has_linear;
    struct lr_tensor *w, *bias;
    struct named named;
    struct lr_notes notes;
    struct lr_progress inner;
    struct lr_solve_opts o;
    struct lr_shared *shared; /* by the solution and the linear one; or NULL */
};

static void work_free(struct work *k)
{
    lr_lowrank_free(&k->m);
    lr_lowrank_free(&k->linear);
    lr_tensor_free(k->w);
    lr_tensor_free(k->bias);
    lr_shared_free(k->shared);
    problem_free(&k->p);
}

/* The channel part of the method, into k->m; the linear solution beside it where it is to
 * be compared with. */
static enum lr_status solve_channel(struct work *k, const struct lr_session *s,
                                    const struct session_problem *q, bool is_compared,
                                    struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[q->layer];
    const struct lr_method_info *info = lr_method_info(q->method);
    size_t n_inputs = (size_t)(l->c / l->group) * (size_t)l->kh * (size_t)l->kw;
    int rank = info->split == LR_SPLIT_SPATIAL ? l->d : q->ranks.channel;
    enum lr_status rc;

    if (!info->solve)
        return LR_OK;
    /* A linear method is its own linear solution. */
    if (!info->is_linear && q->has_samples && is_compared) {
        k->named.lo = 0;
        k->named.hi = 0.05;
        rc = lr_solve_groups(&k->linear, lr_method_info(LR_METHOD_PCA), l->group,
                             &k->p.fit, k->w->data, n_inputs, rank, &k->o, e);
        if (rc != LR_OK)
            return rc;
        k->has_linear = true;
        k->o.notes = NULL; /* what it had to say would be said again */
    }
    k->named.lo = k->has_linear ? 0.05 : 0;
    k->named.hi = 0.95;
    rc = lr_solve_groups(&k->m, info, l->group, &k->p.fit, k->w->data, n_inputs, rank,
                         &k->o, e);
    k->has_m = rc == LR_OK;
    return rc;
}

static enum lr_status work_init(struct work *k, const struct lr_session *s,
                                const struct session_problem *q,
                                const struct lr_solve_opts *opts,
                                const struct lr_progress *progress, struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[q->layer];
    enum lr_status rc = lr_layer_weights(&k->w, &k->bias, s->graph, l, e);

    if (rc != LR_OK)
        return rc;
    k->p.fit = (struct lr_samples){.d = l->d};
    k->named = (struct named){.outer = progress, .layer = l->name};
    k->named.notes = opts->notes;
    snprintf(k->named.text, sizeof(k->named.text), "solving %s", l->name);
    k->notes = (struct lr_notes){.note = named_note, .ctx = &k->named};
    k->inner = (struct lr_progress){.tick = named_tick, .ctx = &k->named};
    k->o = *opts;
    k->o.progress = &k->inner;
    k->o.notes = opts->notes ? &k->notes : NULL;
    k->o.bias = k->bias ? k->bias->data : NULL;
    if (!q->has_samples)
        return LR_OK;
    if (!k->o.shared && (rc = lr_shared_new(&k->shared, e)) != LR_OK)
        return rc;
    if (k->shared)
        k->o.shared = k->shared;
    return problem_init(&k->p, s, q, e);
}

static enum lr_status set_note(struct lr_factors *f, const struct session_problem *q,
                               const struct lr_lowrank *m, struct lr_err *e)
{
    struct lr_strbuf note = {0};

    if (!lr_method_info(q->method)->needs_samples || m->n_data_rank >= m->rank)
        return LR_OK;
    lr_strbuf_printf(&note, "rank %d is above the responses' %d", m->rank,
                     m->n_data_rank);
    lr_free(f->note);
    f->note = lr_strbuf_take(&note);
    return f->note ? LR_OK : lr_enomem(e, 64, "a note");
}

enum lr_status session_solve_layer(struct lr_factors **out, const struct lr_session *s,
                                   const struct session_problem *q,
                                   const struct lr_solve_opts *opts,
                                   const struct lr_progress *progress, struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[q->layer];
    const struct lr_method_info *info = lr_method_info(q->method);
    struct lr_factors *f = NULL;
    struct work k = {0};
    enum lr_status rc;

    *out = NULL;
    if ((rc = work_init(&k, s, q, opts, progress, e)) != LR_OK ||
        (rc = solve_channel(&k, s, q, true, e)) != LR_OK ||
        (rc = lr_progress_tick(progress, 0.95, k.named.text, e)) != LR_OK ||
        (rc = lr_factors_build(&f, l, k.w->data, k.o.bias, k.has_m ? &k.m : NULL,
                               q->spatial, q->method, e)) != LR_OK)
        goto out;
    if (q->has_samples && (rc = measure(f, &k.p, k.has_m ? &k.m : NULL,
                                        k.has_linear ? &k.linear : NULL, e)) != LR_OK)
        goto out;
    f->rank = q->ranks.channel;
    f->rank_spatial = q->ranks.spatial;
    f->mode = info->needs_samples ? lr_mode_name(q->mode) : NULL;
    f->seed = s->settings.seed;
    f->n_iter1 = opts->n_iter1;
    f->n_iter2 = opts->n_iter2;
    f->lambda1 = opts->lambda1;
    f->lambda2 = opts->lambda2;
    f->is_alone = q->is_alone;
    if (q->has_samples && s->calib) {
        memcpy(f->calib_sha256, lr_dataset_hash(s->calib), sizeof(f->calib_sha256));
        f->calib_images = lr_dataset_count(s->calib);
    }
    if (k.has_m && (rc = set_note(f, q, &k.m, e)) != LR_OK)
        goto out;
    *out = f;
    f = NULL;
out:
    if (rc != LR_OK && rc != LR_EINTR)
        lr_err_prefix(e, "%s", l->name);
    lr_factors_unref(f);
    work_free(&k);
    return rc;
}

enum lr_status session_try_layer(double *error, const struct lr_session *s,
                                 const struct session_problem *q,
                                 const struct lr_solve_opts *opts, struct lr_err *e)
{
    struct work k = {0};
    enum lr_status rc;

    if ((rc = work_init(&k, s, q, opts, opts->progress, e)) == LR_OK &&
        (rc = solve_channel(&k, s, q, false, e)) == LR_OK) {
        const struct lr_samples *own = &k.p.own;
        *error = NAN; /* too few images to hold any out */
        if (own->n_held > 0)
            rc = lr_response_error(error, NULL, own, k.has_m ? &k.m : NULL,
                                   own->n_fit + own->n_valid, own->n_held, e);
    }
    if (rc != LR_OK && rc != LR_EINTR)
        lr_err_prefix(e, "%s", s->layers[q->layer].name);
    work_free(&k);
    return rc;
}
