/* Solving several layers, shallow to deep. Each is fitted to (asymmetric) and judged in
 * (any mode) the network in which every layer before it is already approximated: that
 * network is built, run over the calibration images and sampled at the layer's response.
 * All work is done on a copy of the plan, which replaces the plan at the end. A run need
 * not start from the images: the activations at the last point that everything still to
 * be solved depends on are kept and the next run resumes there, so that a chain of layers
 * is run about twice over instead of once per layer. */
#include "session/internal.h"

#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"

struct job {
    struct lr_session *s;
    enum lr_mode mode;
    bool has_samples;             /* calibration images are there and the network runs */
    int *list, n;                 /* layers to solve, in order */
    double *work, total, done;    /* estimated operations of each, for the progress */
    bool *is_pending, *is_solved; /* by layer */
    struct lr_layer_plan *next;
    struct lr_kept kept; /* of the approximated network so far */
};

static bool is_fitted(const struct lr_layer_plan *p)
{
    return lr_method_info(p->method)->needs_samples;
}

/* Solved layers that solving the pending ones makes stale are solved again with them, so
 * that one call leaves nothing stale behind. */
static enum lr_status add_followers(struct job *j, struct lr_err *e)
{
    struct lr_session *s = j->s;
    struct lr_layer_plan *plan = NULL;
    enum lr_status rc = session_plan_copy(&plan, s, e);

    if (rc == LR_OK)
        rc = session_mark_stale(s, plan, j->is_pending, j->is_pending, e);
    for (int i = 0; rc == LR_OK && i < s->n_layers; i++)
        if (plan[i].is_stale && lr_session_state(s, i) == LR_STATE_SOLVED)
            j->is_pending[i] = true;
    session_plan_free(plan, s->n_layers);
    return rc;
}

/* Layers to solve, in order; what stays whole is named in one note. */
static enum lr_status make_list(struct job *j, const int *layers, int n, struct lr_err *e)
{
    struct lr_session *s = j->s;
    struct lr_strbuf skipped = {0};
    enum lr_status rc = LR_OK;

    for (int i = 0; i < n; i++)
        if (layers[i] >= 0 && layers[i] < s->n_layers)
            j->is_pending[layers[i]] = true;
    for (int i = 0; n < 0 && i < s->n_layers; i++) {
        enum lr_state state = lr_session_state(s, i);
        j->is_pending[i] = state == LR_STATE_CHOSEN || state == LR_STATE_STALE;
    }
    if (n < 0 && (rc = add_followers(j, e)) != LR_OK)
        return rc;
    for (int i = 0; i < s->n_layers; i++) {
        enum lr_state state = lr_session_state(s, i);
        char buf[128];
        if (!j->is_pending[i])
            continue;
        if (state == LR_STATE_WHOLE) {
            j->is_pending[i] = false;
            lr_strbuf_printf(&skipped, "%s%s (%s)", skipped.len ? ", " : "",
                             s->layers[i].name,
                             lr_session_reason(s, i, buf, sizeof(buf)));
        } else {
            j->list[j->n++] = i;
        }
    }
    if (skipped.len && !skipped.is_failed)
        lr_note(&s->notes, LR_NOTE_INFO, "left whole: %s", skipped.s);
    lr_strbuf_free(&skipped);
    return LR_OK;
}

/* Multiply-adds, roughly: the run of the network up to the layer, and the solver's sums
 * over the samples. */
static void estimate(struct job *j)
{
    const struct lr_session *s = j->s;
    double images = j->has_samples ? (double)lr_dataset_count(s->calib) : 0;

    for (int k = 0; k < j->n; k++) {
        const struct lr_layer *l = &s->layers[j->list[k]];
        bool is_linear = lr_method_info(s->plan[j->list[k]].method)->is_linear;
        double d = l->d;
        j->work[k] = 2 * images * (double)l->macs +
                     images * 10 * d * d * (is_linear ? 3 : 150) + d * d * d;
        j->total += j->work[k];
    }
}

/* Samples the layer's response and the other branch in the approximated network so far.
 * With nothing approximated before it *is_same becomes true instead: the original's rows
 * will do. */
static enum lr_status sample(struct job *j, struct lr_rows *rows, bool *is_same, int k,
                             const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_session *s = j->s;
    struct lr_sampling o = session_sampling(s);
    int layer = j->list[k], values[2], n = session_targets(values, &s->layers[layer]);
    int64_t n_images = lr_dataset_count(s->calib), used = 0;
    bool *mask = NULL, *use = NULL;
    int *targets = NULL, n_targets = 0, cut = -1;
    struct lr_graph *g = NULL;
    struct lr_kept keep = {0};
    enum lr_status rc;

    *is_same = true;
    use = lr_calloc((size_t)s->n_layers + 1, sizeof(*use));
    targets = lr_calloc(2 * (size_t)s->n_layers + 1, sizeof(*targets));
    if (!use || !targets) {
        rc = lr_enomem(e, (size_t)s->n_layers * sizeof(*targets), "a set of layers");
        goto out;
    }
    if ((rc = session_upstream(&mask, s, values, n, e)) != LR_OK)
        goto out;
    for (int i = 0; i < s->n_layers; i++) {
        use[i] = i != layer && !j->is_pending[i] && mask[s->layers[i].value] &&
                 j->next[i].factors;
        *is_same = *is_same && !use[i];
    }
    if (*is_same)
        goto out;
    for (int i = k; i < j->n; i++)
        n_targets += session_targets(targets + n_targets, &s->layers[j->list[i]]);
    if (j->kept.x)
        used = j->kept.n * (int64_t)j->kept.per_image * (int64_t)sizeof(float);
    if ((rc = session_cut(&cut, s, layer, targets, n_targets,
                          j->kept.x ? j->kept.value : -1, n_images,
                          s->settings.cache_memory - used, e)) != LR_OK ||
        (rc = session_split(&g, s, j->next, use, e)) != LR_OK)
        goto out;
    if (cut >= 0 && !(j->kept.x && j->kept.value == cut))
        keep.value = cut;
    else
        cut = -1;
    rc = lr_sample_pass(rows, values, n, g, s->calib, j->kept.x ? &j->kept : NULL,
                        cut >= 0 ? &keep : NULL, &o, progress, e);
    if (rc == LR_OK && keep.x) {
        lr_kept_free(&j->kept);
        j->kept = keep;
    }
out:
    lr_free(mask);
    lr_free(use);
    lr_free(targets);
    lr_graph_free(g);
    return rc;
}

static enum lr_status solve_one(struct job *j, int k, const struct lr_progress *progress,
                                struct lr_err *e)
{
    struct lr_session *s = j->s;
    int layer = j->list[k];
    struct lr_layer_plan *p = &j->next[layer];
    struct lr_progress first = lr_progress_sub(progress, 0, 0.3);
    struct lr_progress second = lr_progress_sub(progress, 0.3, 1);
    struct lr_rows rows[2] = {{0}};
    struct lr_factors *f = NULL;
    bool is_same = true;
    char what[160];
    enum lr_status rc;

    snprintf(what, sizeof(what), "solving %s", s->layers[layer].name);
    if ((rc = lr_progress_tick(progress, 0, what, e)) != LR_OK ||
        (j->has_samples && (rc = sample(j, rows, &is_same, k, &first, e)) != LR_OK) ||
        (rc = session_solve_layer(&f, s, layer, p->method, p->rank, j->mode,
                                  j->has_samples, is_same ? NULL : &rows[0],
                                  is_same ? NULL : &rows[1], is_same ? progress : &second,
                                  e)) != LR_OK)
        goto out;
    lr_factors_unref(p->factors);
    p->factors = f;
    p->is_stale = false;
    j->is_pending[layer] = false;
    j->is_solved[layer] = true;
out:
    lr_rows_free(&rows[0]);
    lr_rows_free(&rows[1]);
    return rc;
}

static enum lr_status prepare(struct job *j, const int *layers, int n, struct lr_err *e)
{
    struct lr_session *s = j->s;
    size_t size = (size_t)s->n_layers + 1;
    bool needs_samples = false;

    j->list = lr_calloc(size, sizeof(*j->list));
    j->work = lr_calloc(size, sizeof(*j->work));
    j->is_pending = lr_calloc(size, sizeof(bool));
    j->is_solved = lr_calloc(size, sizeof(bool));
    if (!j->list || !j->work || !j->is_pending || !j->is_solved)
        return lr_enomem(e, size * sizeof(*j->work), "a set of layers");
    enum lr_status rc = make_list(j, layers, n, e);
    if (rc != LR_OK)
        return rc;
    j->has_samples = s->calib && session_need_run(s, NULL) == LR_OK;
    for (int k = 0; k < j->n; k++)
        needs_samples = needs_samples || is_fitted(&s->plan[j->list[k]]);
    if (needs_samples && !s->calib)
        return lr_err_set(e, LR_EINVAL, "no calibration images: use data calib");
    if (needs_samples && !j->has_samples)
        return session_need_run(s, e);
    estimate(j);
    return session_plan_copy(&j->next, s, e);
}

static void job_free(struct job *j)
{
    session_plan_free(j->next, j->s->n_layers);
    lr_kept_free(&j->kept);
    lr_free(j->list);
    lr_free(j->work);
    lr_free(j->is_pending);
    lr_free(j->is_solved);
}

enum lr_status lr_session_solve(struct lr_session *s, const int *layers, int n,
                                enum lr_mode mode, int *n_solved,
                                const struct lr_progress *progress, struct lr_err *e)
{
    struct job j = {.s = s, .mode = mode};
    double at = 0;
    enum lr_status rc = session_need_network(s, e);

    if (n_solved)
        *n_solved = 0;
    if (rc != LR_OK)
        return rc;
    if ((rc = prepare(&j, layers, n, e)) != LR_OK || j.n == 0)
        goto out;
    if (j.has_samples) {
        bool is_known = s->spectra && s->responses_seed == s->settings.seed;
        at = is_known ? 0 : 0.2;
        struct lr_progress sub = lr_progress_sub(progress, 0, at);
        if ((rc = lr_session_spectra(s, &sub, e)) != LR_OK)
            goto out;
    }
    for (int k = 0; k < j.n; k++) {
        double lo = at + (1 - at) * j.done / j.total;
        j.done += j.work[k];
        struct lr_progress sub =
            lr_progress_sub(progress, lo, at + (1 - at) * j.done / j.total);
        if ((rc = solve_one(&j, k, &sub, e)) != LR_OK)
            goto out;
    }
    if ((rc = session_mark_stale(s, j.next, j.is_solved, j.is_solved, e)) != LR_OK ||
        (rc = lr_progress_tick(progress, 1, "solved", e)) != LR_OK)
        goto out;
    rc = session_plan_commit(s, j.next, e);
    j.next = NULL;
    if (rc == LR_OK && n_solved)
        *n_solved = j.n;
out:
    job_free(&j);
    return rc;
}
