/* Sweeps of single layers: every point is the original network with one layer split at
 * one rank. Points of a layer share its sampled responses and the activations before it,
 * and only what lies behind it is run: layer after layer, so that the activations before
 * the next one start from those of the last. Each point is finished by itself, unless the
 * activations before its layer do not fit into memory: then all points of the layer are
 * run side by side, batch by batch. */
#include "session/sweep_internal.h"

#include <stdio.h>

#include "ranklab/mem.h"

struct task {
    struct lr_sweep_point p;
    double work; /* expected, in multiply-adds */
};

struct job {
    struct lr_session *s;
    const struct lr_sweep_opts *o;
    bool has_eval;
    int64_t n_images;
    struct task *tasks;
    int n, cap;
    double total, done;       /* work */
    struct sweep_cut cuts[2]; /* of the layer, and of an earlier one */
    int now;                  /* which of them is the layer's */
    bool is_open[2];
};

static void job_free(struct job *j)
{
    for (int i = 0; i < 2; i++)
        sweep_cut_free(&j->cuts[i]);
    lr_free(j->tasks);
}

/* ---- the list ---- */

/* Multiply-adds, roughly: the solver's sums over the sampled rows, and the part of the
 * network that is run. The solver's sums run at about half the speed of convolutions. */
static double expected_work(const struct job *j, const struct lr_sweep_point *p,
                            double behind)
{
    const struct lr_session *s = j->s;
    const struct lr_method_info *info = lr_method_info(p->method);
    double d = s->layers[p->layer].d, rows = 0, passes = info->is_linear ? 1 : 51;

    if (s->calib)
        rows = (double)lr_dataset_count(s->calib) * session_sampling(s).n_positions;
    double solve = info->needs_samples ? rows * d * (d + 2 * p->ranks.channel) * passes
                                       : rows * d * d;
    return 2 * solve + (double)j->n_images * ((double)p->macs + behind);
}

static enum lr_status add_layer(struct job *j, int layer, struct lr_err *e)
{
    struct lr_ranks *ranks = NULL;
    int n = 0;
    double behind = sweep_macs_behind(j->s, layer);
    enum lr_status rc = sweep_ranks(&ranks, &n, j->s, layer, j->o, e);

    if (rc == LR_OK && j->n + n > j->cap) {
        int cap = 2 * (j->n + n);
        struct task *tasks =
            lr_realloc(j->tasks, (size_t)j->cap, (size_t)cap, sizeof(*tasks));
        if (tasks) {
            j->tasks = tasks;
            j->cap = cap;
        } else {
            rc = lr_enomem(e, (size_t)cap * sizeof(*tasks), "points of a sweep");
        }
    }
    for (int i = 0; rc == LR_OK && i < n; i++) {
        struct task *t = &j->tasks[j->n++];
        t->p = sweep_point(j->s, layer, ranks[i]);
        t->p.n_images = j->n_images;
        t->work = expected_work(j, &t->p, behind);
    }
    lr_free(ranks);
    return rc;
}

static enum lr_status make_list(struct job *j, struct lr_err *e)
{
    const struct lr_session *s = j->s;
    struct lr_strbuf skipped = {0};
    enum lr_status rc = LR_OK;

    for (int i = 0; i < j->o->n_layers && rc == LR_OK; i++) {
        int layer = j->o->layers[i];
        struct lr_rank_layer l = lr_session_rank_layer(s, layer);
        if (l.is_kept)
            lr_strbuf_printf(&skipped, "%s%s (%s)", skipped.len ? ", " : "",
                             s->layers[layer].name,
                             s->layers[layer].is_approximable ? "method keep"
                                                              : s->layers[layer].reason);
        else
            rc = add_layer(j, layer, e);
    }
    if (rc == LR_OK && j->n == 0 && j->o->n_layers > 0)
        rc = lr_err_set(e, LR_EINVAL, "nothing to sweep: %s",
                        skipped.s ? skipped.s : "no rank asked for pays");
    else if (skipped.s && !skipped.is_failed)
        lr_note(&s->notes, LR_NOTE_INFO, "left out: %s", skipped.s);
    lr_strbuf_free(&skipped);
    return rc;
}

/* ---- the layers ---- */

/* The cut of the layer becomes the earlier one. */
static void next_cut(struct job *j)
{
    int other = 1 - j->now;

    sweep_cut_detach(&j->cuts[j->now]);
    if (j->is_open[j->now] && j->cuts[j->now].n_slots > 0) {
        sweep_cut_free(&j->cuts[other]);
        j->is_open[other] = false;
        j->now = other;
    } else {
        /* Nothing was kept of it: the one before is still the best to start from. */
        sweep_cut_free(&j->cuts[j->now]);
        j->is_open[j->now] = false;
    }
}

static enum lr_status open_cut(struct job *j, int layer, struct lr_err *e)
{
    struct sweep_cut *c = &j->cuts[j->now], *other = &j->cuts[1 - j->now];
    double limit = (double)j->s->settings.cache_memory;
    enum lr_status rc = sweep_cut_init(c, j->s, layer, j->n_images, e);

    j->is_open[j->now] = true;
    if (rc != LR_OK)
        return rc;
    double bytes = sweep_cut_bytes(c);
    bool is_kept = bytes <= limit;
    if (is_kept && j->is_open[1 - j->now] && bytes + sweep_cut_bytes(other) > limit) {
        sweep_cut_free(other);
        j->is_open[1 - j->now] = false;
    }
    return sweep_cut_open(c, is_kept ? j->n_images : 0,
                          j->is_open[1 - j->now] ? other : NULL, e);
}

static enum lr_status solve_task(struct lr_factors **f, struct lr_net **net,
                                 struct job *j, struct task *t, struct sweep_solver *k,
                                 int i, const struct lr_progress *progress,
                                 struct lr_err *e)
{
    enum lr_status rc = sweep_solver_run(f, k, i, progress, e);

    if (rc != LR_OK)
        return rc;
    /* The spectra may be known only now. */
    t->p.energy = sweep_point(j->s, t->p.layer, t->p.ranks).energy;
    t->p.error_linear = (*f)->error_linear;
    t->p.error_heldout = (*f)->error_heldout;
    if (j->has_eval)
        rc = sweep_net(net, j->s, t->p.layer, *f, &j->cuts[j->now], e);
    return rc;
}

static enum lr_status finish(struct job *j, struct task *t, struct lr_err *e)
{
    struct lr_sweep_point p = t->p;
    enum lr_status rc = session_sweeps_add(j->s, &p, e);

    j->done += t->work;
    if (rc == LR_OK && j->o->on_point)
        j->o->on_point(j->o->ctx, &t->p);
    return rc;
}

/* Tasks first..end-1 of one layer, side by side. */
static enum lr_status run_tasks(struct job *j, struct sweep_solver *k, int base,
                                int first, int end, struct lr_err *e)
{
    int n = end - first;
    struct lr_net **nets = lr_calloc((size_t)n, sizeof(*nets));
    struct lr_eval *evals = lr_calloc((size_t)n, sizeof(*evals));
    double work = 0, lo = j->done / j->total;
    enum lr_status rc = LR_OK;

    if (!nets || !evals) {
        rc = lr_enomem(e, (size_t)n * sizeof(*evals), "points of a sweep");
        goto out;
    }
    for (int i = first; i < end; i++)
        work += j->tasks[i].work;
    double hi = (j->done + work) / j->total, mid = lo + (hi - lo) * 0.2;
    for (int i = first; i < end; i++) {
        struct lr_factors *f = NULL;
        struct lr_progress sub =
            lr_progress_sub(j->o->progress, lo + (mid - lo) * (i - first) / n,
                            lo + (mid - lo) * (i - first + 1) / n);
        rc = solve_task(&f, &nets[i - first], j, &j->tasks[i], k, i - base, &sub, e);
        lr_factors_unref(f);
        if (rc != LR_OK)
            goto out;
    }
    if (j->has_eval) {
        struct lr_progress sub = lr_progress_sub(j->o->progress, mid, hi);
        rc = sweep_run(evals, nets, n, &j->cuts[j->now], j->s->original, &sub, e);
    }
    for (int i = first; i < end && rc == LR_OK; i++) {
        if (j->has_eval)
            j->tasks[i].p.eval = evals[i - first];
        rc = finish(j, &j->tasks[i], e);
    }
out:
    for (int i = 0; nets && i < n; i++)
        lr_net_free(nets[i]);
    lr_free(nets);
    lr_free(evals);
    return rc;
}

/* Tasks first..end-1, all of one layer. */
static enum lr_status run_layer(struct job *j, int first, int end, struct lr_err *e)
{
    int layer = j->tasks[first].p.layer, n = end - first;
    struct lr_ranks *ranks = lr_calloc((size_t)n, sizeof(*ranks));
    struct sweep_solver k = {0};
    enum lr_status rc = LR_OK;

    if (!ranks)
        return lr_enomem(e, (size_t)n * sizeof(*ranks), "points of a sweep");
    for (int i = 0; i < n; i++)
        ranks[i] = j->tasks[first + i].p.ranks;
    rc = sweep_solver_init(&k, j->s, layer, ranks, n, e);
    if (rc == LR_OK && j->has_eval)
        rc = open_cut(j, layer, e);
    bool is_single = !j->has_eval || j->cuts[j->now].n_slots > 0;
    for (int i = first, to; i < end && rc == LR_OK; i = to) {
        to = is_single ? i + 1 : end;
        rc = run_tasks(j, &k, first, i, to, e);
    }
    if (j->has_eval)
        next_cut(j);
    sweep_solver_free(&k);
    lr_free(ranks);
    if (rc != LR_OK && rc != LR_EINTR)
        lr_err_prefix(e, "%s", j->s->layers[layer].name);
    return rc;
}

static enum lr_status check(struct job *j, struct lr_err *e)
{
    struct lr_session *s = j->s;
    const struct lr_sweep_opts *o = j->o;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK)
        return rc;
    if (o->first < 0 || (o->first > 0 && (o->last < o->first || o->step < 1)))
        return lr_err_set(e, LR_EINVAL, "ranks %d to %d by %d: none", o->first, o->last,
                          o->step);
    if (o->count < 0)
        return lr_err_set(e, LR_EINVAL, "count %lld is below 0", (long long)o->count);
    j->has_eval = o->metric != LR_METRIC_ERROR;
    if (!j->has_eval)
        return LR_OK;
    if (!s->eval)
        return lr_err_set(e, LR_EINVAL, "no evaluation images: use data eval");
    if (o->metric == LR_METRIC_TOP1 && !lr_dataset_labels(s->eval))
        return lr_err_set(e, LR_EINVAL,
                          "the evaluation images have no labels: use the metric "
                          "agreement or error");
    j->n_images = lr_dataset_count(s->eval);
    if (o->count > 0 && o->count < j->n_images)
        j->n_images = o->count;
    return session_need_run(s, e);
}

enum lr_status lr_session_sweep(struct lr_session *s, const struct lr_sweep_opts *o,
                                struct lr_err *e)
{
    struct job j = {.s = s, .o = o};
    enum lr_status rc = check(&j, e);

    if (rc != LR_OK || (rc = make_list(&j, e)) != LR_OK)
        goto out;
    for (int i = 0; i < j.n; i++)
        j.total += j.tasks[i].work;
    if (j.n > 0 && j.has_eval) {
        double work = 0;
        for (int i = 0; i < s->n_layers; i++)
            work += (double)s->layers[i].macs * (double)j.n_images;
        j.total += work;
        struct lr_progress sub = lr_progress_sub(o->progress, 0, work / j.total);
        j.done = work;
        if ((rc = session_need_original(s, j.n_images, &sub, e)) != LR_OK)
            goto out;
    }
    for (int i = 0, end; i < j.n; i = end) {
        for (end = i + 1; end < j.n && j.tasks[end].p.layer == j.tasks[i].p.layer;)
            end++;
        if ((rc = run_layer(&j, i, end, e)) != LR_OK)
            goto out;
    }
    rc = lr_progress_tick(o->progress, 1, "sweeping", e);
out:
    job_free(&j);
    return rc;
}
