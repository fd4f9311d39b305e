/* Solving several layers, shallow to deep. Each is fitted to (asymmetric) and judged in
 * (any mode) the network in which every layer before it is already approximated: that
 * network is built, run over the calibration images and sampled at the layer's response.
 * All work is done on a copy of the plan, which replaces the plan at the end. A run need
 * not start from the images: the activations at the last point that everything still to
 * be solved depends on are kept and the next run resumes there, as calibrate.c plans.
 *
 * Where a split has a spatial part, the channel part is fitted to what the spatial parts
 * respond: they are added to the network as a second branch beside the layer and sampled
 * with it, in the original (one pass for all such layers) and in the network so far. */
#include "session/solve.h"

#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"

/* Rows of one layer in the network so far. */
struct sampled {
    struct lr_rows rows[3]; /* response, other branch, spatial parts: as there are */
    int other, spatial;     /* places in rows; -1: none */
    bool is_same;           /* nothing is approximated before it: no rows were drawn */
};

/* The spatial parts of all layers that have them and, given images, what they respond in
 * the original. */
static enum lr_status sample_spatial(struct solve_job *j,
                                     const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_session *s = j->s;
    struct lr_sampling o = session_sampling(s);
    struct lr_graph *g = NULL;
    struct lr_rows *rows = NULL;
    int *values = NULL, *places = NULL, n = 0;
    size_t size = (size_t)j->n + 1;
    enum lr_status rc = LR_OK;

    values = lr_calloc(size, sizeof(*values));
    places = lr_calloc(size, sizeof(*places));
    rows = lr_calloc(size, sizeof(*rows));
    if (!values || !places || !rows) {
        rc = lr_enomem(e, size * sizeof(*rows), "a set of layers");
        goto out;
    }
    for (int k = 0; k < j->n; k++) {
        const struct lr_layer_plan *p = &j->next[j->list[k]];
        if (p->ranks.spatial == 0)
            continue;
        rc = session_spatial(&j->spatial[k], s, j->list[k], p->ranks.spatial, e);
        if (rc == LR_OK && j->has_samples && !g)
            rc = lr_graph_clone(&g, s->graph, e);
        if (rc == LR_OK && j->has_samples)
            rc = session_branch(&values[n], g, s, j->list[k], &j->spatial[k], e);
        if (rc != LR_OK)
            goto out;
        places[n++] = k;
    }
    if (!j->has_samples || n == 0)
        goto out;
    rc = lr_sample_values(rows, values, n, g, s->calib, &o, progress, e);
    for (int i = 0; rc == LR_OK && i < n; i++) {
        j->ys[places[i]] = rows[i];
        rows[i] = (struct lr_rows){0};
    }
out:
    lr_graph_free(g);
    lr_free(values);
    lr_free(places);
    lr_free(rows);
    return rc;
}

/* Samples the k-th layer's response, the other branch and the spatial parts in the
 * approximated network so far. */
static enum lr_status sample(struct sampled *out, struct solve_job *j, int k,
                             const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_session *s = j->s;
    int layer = j->list[k], values[3], n = session_targets(values, &s->layers[layer]);
    bool *use = lr_calloc((size_t)s->n_layers + 1, sizeof(*use)), is_any = false;
    struct lr_graph *g = NULL;
    enum lr_status rc;

    if (!use)
        return lr_enomem(e, (size_t)s->n_layers, "a set of layers");
    rc = solve_job_before(use, &is_any, j, layer, values, n, e);
    out->is_same = !is_any;
    if (rc != LR_OK || !is_any || (rc = session_split(&g, s, j->next, use, e)) != LR_OK)
        goto out;
    out->other = n > 1 ? 1 : -1;
    if (j->spatial[k].v) {
        if ((rc = session_branch(&values[n], g, s, j->list[k], &j->spatial[k], e)) !=
            LR_OK)
            goto out;
        out->spatial = n++;
    }
    rc = session_passes_run(out->rows, values, n, &j->passes, k, g, progress, e);
out:
    lr_free(use);
    lr_graph_free(g);
    return rc;
}

/* The problem of the k-th layer with the rows that there are. */
static struct session_problem make_problem(const struct solve_job *j, int k,
                                           const struct sampled *now)
{
    const struct lr_session *s = j->s;
    const struct lr_layer *l = &s->layers[j->list[k]];
    const struct lr_layer_plan *p = &j->next[j->list[k]];
    struct session_problem q = {.layer = j->list[k],
                                .method = p->method,
                                .ranks = p->ranks,
                                .mode = j->q->mode,
                                .is_alone = j->q->is_alone,
                                .has_samples = j->has_samples,
                                .sampling = session_sampling(s)};
    int values[2], n = session_targets(values, l);

    if (j->spatial[k].v)
        q.spatial = &j->spatial[k];
    if (!j->has_samples)
        return q;
    q.n_images = lr_dataset_count(s->calib);
    q.rows.y = session_rows(s, values[0]);
    q.rows.other = n > 1 ? session_rows(s, values[1]) : NULL;
    q.rows.ys = j->ys[k].x ? &j->ys[k] : NULL;
    if (now->is_same)
        return q;
    q.rows.yhat = &now->rows[0];
    q.rows.shat = now->other >= 0 ? &now->rows[now->other] : NULL;
    q.rows.yshat = now->spatial >= 0 ? &now->rows[now->spatial] : NULL;
    return q;
}

static enum lr_status solve_one(struct solve_job *j, int k,
                                const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_session *s = j->s;
    int layer = j->list[k];
    struct lr_progress first = lr_progress_sub(progress, 0, 0.3);
    struct lr_progress second = lr_progress_sub(progress, 0.3, 1);
    struct sampled now = {.other = -1, .spatial = -1, .is_same = true};
    struct lr_solve_opts o = session_solve_opts(s);
    struct lr_factors *f = NULL;
    char what[160];
    enum lr_status rc;

    snprintf(what, sizeof(what), "solving %s", s->layers[layer].name);
    if ((rc = lr_progress_tick(progress, 0, what, e)) != LR_OK ||
        (j->has_samples && (rc = sample(&now, j, k, &first, e)) != LR_OK))
        goto out;
    struct session_problem q = make_problem(j, k, &now);
    rc = session_solve_layer(&f, s, &q, &o, now.is_same ? progress : &second, e);
    if (rc != LR_OK)
        goto out;
    solve_job_install(j, layer, f);
    lr_rows_free(&j->ys[k]);
    if (j->keeps && k + 1 < j->n)
        rc = solve_job_keep(j, layer, e);
out:
    for (int i = 0; i < 3; i++)
        lr_rows_free(&now.rows[i]);
    return rc;
}

enum lr_status session_solve_alone(struct lr_factors **out, struct lr_session *s,
                                   int layer, struct lr_ranks ranks,
                                   const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_solve_request request = {.mode = LR_MODE_SYM};
    struct lr_layer_plan *next = NULL;
    struct lr_spatial spatial = {0};
    struct lr_rows ys = {0};
    struct solve_job j = {
        .s = s, .q = &request, .has_samples = true, .list = &layer, .n = 1};
    struct sampled now = {.other = -1, .spatial = -1, .is_same = true};
    struct lr_solve_opts o = session_solve_opts(s);
    struct lr_progress first = lr_progress_sub(progress, 0, 0.4);
    struct lr_progress second = lr_progress_sub(progress, 0.4, 1);
    enum lr_status rc = session_plan_copy(&next, s, e);

    *out = NULL;
    if (rc != LR_OK)
        return rc;
    next[layer].ranks = ranks;
    j.next = next;
    j.spatial = &spatial;
    j.ys = &ys;
    o.notes = NULL;
    if ((rc = sample_spatial(&j, &first, e)) == LR_OK) {
        struct session_problem q = make_problem(&j, 0, &now);
        rc = session_solve_layer(out, s, &q, &o, &second, e);
    }
    session_plan_free(next, s->n_layers);
    lr_spatial_free(&spatial);
    lr_rows_free(&ys);
    return rc;
}

/* Operations of a solve from which its layers are kept: about half a minute's. */
static const double long_work = 5e12;

static enum lr_status prepare(struct solve_job *j, const struct lr_progress **progress,
                              struct lr_progress *rest, struct lr_err *e)
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
    enum lr_status rc = solve_job_list(j, e);
    if (rc != LR_OK)
        return rc;
    j->spatial = lr_calloc((size_t)j->n + 1, sizeof(*j->spatial));
    j->ys = lr_calloc((size_t)j->n + 1, sizeof(*j->ys));
    if (!j->spatial || !j->ys)
        return lr_enomem(e, (size_t)j->n * sizeof(*j->ys), "a set of layers");
    j->has_samples = s->calib && session_need_samples(s, NULL) == LR_OK;
    for (int k = 0; k < j->n; k++)
        needs_samples =
            needs_samples || lr_method_info(s->plan[j->list[k]].method)->needs_samples;
    if (needs_samples && !s->calib)
        return lr_err_set(e, LR_EINVAL, "no calibration images: use data calib");
    if (needs_samples && !j->has_samples)
        return session_need_samples(s, e);
    if (j->has_samples && j->n > 0 &&
        (rc = session_settle(s->calib, s, 0, progress, rest, e)) != LR_OK)
        return rc;
    if ((rc = session_plan_copy(&j->next, s, e)) != LR_OK)
        return rc;
    j->kept.s = s;
    solve_job_estimate(j);
    j->keeps = s->settings.resume == LR_RESUME_ALWAYS ||
               (s->settings.resume == LR_RESUME_AUTO && j->total >= long_work);
    if (j->keeps && (rc = solve_job_take_up(j, e)) == LR_OK)
        solve_job_estimate(j);
    return rc;
}

static enum lr_status plan_passes(struct solve_job *j, struct lr_err *e)
{
    j->passes.job = (struct calib_job){.s = j->s,
                                       .next = j->next,
                                       .list = j->list,
                                       .n = j->n,
                                       .is_pending = j->is_pending};
    return j->has_samples ? session_calib_state(&j->passes.plan, &j->passes.job, e)
                          : LR_OK;
}

static void job_free(struct solve_job *j)
{
    session_plan_free(j->next, j->s->n_layers);
    session_passes_free(&j->passes);
    for (int k = 0; j->spatial && k < j->n; k++)
        lr_spatial_free(&j->spatial[k]);
    for (int k = 0; j->ys && k < j->n; k++)
        lr_rows_free(&j->ys[k]);
    lr_free(j->spatial);
    lr_free(j->ys);
    lr_free(j->list);
    lr_free(j->work);
    lr_free(j->is_pending);
    lr_free(j->is_solved);
    unfinished_free(&j->kept);
}

/* The passes over the original that come before the layers. */
static enum lr_status begin(struct solve_job *j, double *at,
                            const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_session *s = j->s;
    bool has_spatial = false;
    enum lr_status rc = LR_OK;

    for (int k = 0; k < j->n; k++)
        has_spatial = has_spatial || s->plan[j->list[k]].ranks.spatial > 0;
    double known = s->spectra && s->responses_seed == s->settings.seed ? 0 : 0.2;
    *at = known + (has_spatial && j->has_samples ? 0.15 : 0);
    struct lr_progress first = lr_progress_sub(progress, 0, known);
    struct lr_progress second = lr_progress_sub(progress, known, *at);
    if (j->has_samples)
        rc = lr_session_spectra(s, &first, e);
    if (rc == LR_OK && has_spatial)
        rc = sample_spatial(j, &second, e);
    return rc;
}

enum lr_status lr_session_solve(struct lr_session *s, const struct lr_solve_request *q,
                                int *n_solved, const struct lr_progress *progress,
                                struct lr_err *e)
{
    struct solve_job j = {.s = s, .q = q};
    struct lr_progress rest;
    double at = 0;
    enum lr_status rc = session_need_network(s, e);

    if (n_solved)
        *n_solved = 0;
    if (rc != LR_OK)
        return rc;
    if ((rc = prepare(&j, &progress, &rest, e)) != LR_OK || j.n + j.n_taken == 0)
        goto out;
    if (j.n > 0 && ((rc = plan_passes(&j, e)) != LR_OK ||
                    (rc = begin(&j, &at, progress, e)) != LR_OK))
        goto out;
    if (j.has_samples)
        session_warn_few_rows(s, j.list, j.n);
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
    if (rc == LR_OK)
        unfinished_end(&j.kept);
    if (rc == LR_OK && n_solved)
        *n_solved = j.n + j.n_taken;
out:
    if (rc != LR_OK)
        solve_job_tell_kept(&j);
    job_free(&j);
    return rc;
}
