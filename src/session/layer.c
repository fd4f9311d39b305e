/* Solving one layer: the samples it is fitted to in each mode, its factors, and the
 * errors they are judged by. Whatever it is fitted to, it is judged where it will stand:
 * by what comes out of the network approximated so far against what came out of the
 * original, after the nonlinearity that really follows (a ReLU or nothing), so that modes
 * and methods can be compared. */
#include "session/internal.h"

#include <stdio.h>

#include "ranklab/mem.h"

/* fit: what the layer is fitted to; real: the original's response against what goes into
 * the layer in the network so far; own: the same layer alone in the original network. */
struct problem {
    struct lr_samples fit, real, own;
    float *sum_now, *sum_own; /* response + shortcut, where there is a shortcut */
};

static void problem_free(struct problem *p)
{
    lr_free(p->sum_now);
    lr_free(p->sum_own);
}

static float *add_rows(const struct lr_rows *a, const struct lr_rows *b)
{
    size_t n = a->n * (size_t)a->d;
    float *sum = lr_alloc(n, sizeof(*sum));

    for (size_t i = 0; sum && i < n; i++)
        sum[i] = a->x[i] + b->x[i];
    return sum;
}

static enum lr_status problem_init(struct problem *p, const struct lr_session *s,
                                   int layer, enum lr_mode mode,
                                   const struct lr_rows *yhat, const struct lr_rows *shat,
                                   struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[layer];
    struct lr_sampling o = session_sampling(s);
    int values[2], n_values = session_targets(values, l);
    const struct lr_rows *y = session_rows(s, values[0]);
    const struct lr_rows *other = n_values > 1 ? session_rows(s, values[1]) : NULL;
    size_t bytes = y->n * (size_t)y->d * sizeof(float);

    p->own = (struct lr_samples){.d = l->d, .is_relu = l->follow == LR_FOLLOW_RELU};
    lr_sampling_split(&p->own.n_fit, &p->own.n_valid, &p->own.n_held, y->n,
                      lr_dataset_count(s->calib), &o);
    p->own.yhat = p->own.target = y->x;
    if (other) {
        if (other->n != y->n || other->d != y->d)
            return lr_err_set(e, LR_ESHAPE,
                              "%s: the branches of its addition differ in size", l->name);
        if (!(p->sum_own = add_rows(y, other)))
            return lr_enomem(e, bytes, "responses");
        p->own.target = p->sum_own;
        p->own.shortcut = other->x;
    }
    p->real = p->own;
    if (yhat) {
        p->real.yhat = yhat->x;
        if (other)
            p->real.shortcut = shat->x;
    }
    p->fit = mode == LR_MODE_SYM ? p->own : p->real;
    if (mode == LR_MODE_SYMHAT && yhat) {
        p->fit.target = yhat->x;
        if (other) {
            if (!(p->sum_now = add_rows(yhat, shat)))
                return lr_enomem(e, bytes, "responses");
            p->fit.target = p->sum_now;
        }
    }
    return LR_OK;
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
        (rc = lr_response_error(&f->error_inherited, NULL, s, NULL, held, s->n_held,
                                e)) != LR_OK ||
        (rc = lr_response_error(&f->error_own, NULL, &p->own, m, held, s->n_held, e)) !=
            LR_OK ||
        (rc = lr_response_error(&f->error_linear, NULL, s, linear ? linear : m, held,
                                s->n_held, e)) != LR_OK)
        return rc;
    f->error_refit = f->error_heldout;
    return LR_OK;
}

enum lr_status session_solve_layer(struct lr_factors **out, const struct lr_session *s,
                                   int layer, enum lr_method method, int rank,
                                   enum lr_mode mode, bool has_samples,
                                   const struct lr_rows *yhat, const struct lr_rows *shat,
                                   const struct lr_progress *progress, struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[layer];
    const struct lr_method_info *info = lr_method_info(method);
    size_t n_inputs = (size_t)(l->c / l->group) * (size_t)l->kh * (size_t)l->kw;
    struct problem p = {.fit = {.d = l->d}};
    struct lr_lowrank m = {0}, linear = {0};
    struct lr_tensor *w = NULL, *bias = NULL;
    struct lr_factors *f = NULL;
    struct lr_strbuf note = {0};
    struct named named = {.outer = progress, .notes = &s->notes, .layer = l->name};
    struct lr_notes notes = {.note = named_note, .ctx = &named};
    struct lr_progress inner = {.tick = named_tick, .ctx = &named};
    struct lr_solve_opts o;
    enum lr_status rc;

    *out = NULL;
    snprintf(named.text, sizeof(named.text), "solving %s", l->name);
    lr_solve_opts_default(&o);
    o.progress = &inner;
    o.notes = &notes;
    if ((rc = lr_layer_weights(&w, &bias, s->graph, l, e)) != LR_OK)
        goto out;
    o.bias = bias ? bias->data : NULL;
    if (has_samples && (rc = problem_init(&p, s, layer, mode, yhat, shat, e)) != LR_OK)
        goto out;
    /* The linear solution, to compare with; a linear method is its own. */
    if (!info->is_linear && has_samples) {
        named.lo = 0;
        named.hi = 0.05;
        if ((rc = lr_solve_linear(&linear, &p.fit, rank, &o, e)) != LR_OK)
            goto out;
        o.notes = NULL; /* what it had to say would be said again */
    }
    named.lo = linear.p ? 0.05 : 0;
    named.hi = 0.95;
    if ((rc = info->solve(&m, &p.fit, w->data, n_inputs, rank, &o, e)) != LR_OK)
        goto out;
    if ((rc = lr_progress_tick(progress, 0.95, named.text, e)) != LR_OK)
        goto out;
    if ((rc = lr_factors_build(&f, l, w->data, bias ? bias->data : NULL, &m, method,
                               e)) != LR_OK)
        goto out;
    if (has_samples &&
        (rc = measure(f, &p, &m, info->is_linear ? NULL : &linear, e)) != LR_OK)
        goto out;
    f->n_iterations = m.n_iterations;
    f->best_iteration = m.best_iteration;
    f->mode = info->needs_samples ? lr_mode_name(mode) : NULL;
    f->seed = s->settings.seed;
    if (info->needs_samples && m.n_data_rank < rank) {
        lr_strbuf_printf(&note, "rank %d is above the responses' %d", rank,
                         m.n_data_rank);
        lr_free(f->note);
        f->note = lr_strbuf_take(&note);
    }
    *out = f;
    f = NULL;
out:
    if (rc != LR_OK && rc != LR_EINTR)
        lr_err_prefix(e, "%s", l->name);
    lr_factors_unref(f);
    lr_lowrank_free(&m);
    lr_lowrank_free(&linear);
    lr_tensor_free(w);
    lr_tensor_free(bias);
    problem_free(&p);
    return rc;
}
