/* Sweeps of single layers: every point is the original network with one layer split at
 * one rank. Points of a layer share its sampled responses and the activations before it,
 * and only what lies behind it is run: layer after layer, so that the activations before
 * the next one start from those of the last. Each point is finished by itself, unless the
 * activations before its layer do not fit into memory: then points of the layer are run
 * side by side, batch by batch, as many at a time as make computing these activations
 * again a small part of the work. */
#include "session/sweep_internal.h"

#include <math.h>
#include <time.h>

#include "ranklab/mem.h"
#include "session/calibrate.h"
#include "session/memory.h"

/* A first guess of the images that a precision takes. */
static const double FIRST_SHARE = 0.4;
/* What computing activations again may cost, of the work behind them. */
static const double AGAIN = 0.25;

struct task {
    struct lr_sweep_point p;
    double solve, run; /* expected work in multiply-adds; run: over all images */
};

struct job {
    struct lr_session *s;
    const struct lr_sweep_opts *o; /* opts: with what is left of the progress */
    struct lr_sweep_opts opts;
    struct lr_progress rest[2];
    bool has_eval;
    int64_t n_images;
    struct task *tasks;
    int n, cap;
    int n_done;
    double at;                  /* share of the whole work that was reported */
    double share;               /* of the images that a point takes, as far as is known */
    double seconds[2], work[2]; /* measured: of solving, of running */
    struct lr_survey survey;    /* with a precision */
    struct sweep_cut cuts[2];   /* of the layer, and of an earlier one */
    int now;                    /* which of them is the layer's */
    bool is_open[2];
};

static void job_free(struct job *j)
{
    for (int i = 0; i < 2; i++)
        sweep_cut_free(&j->cuts[i]);
    lr_survey_free(&j->survey);
    lr_free(j->tasks);
}

/* ---- the list ---- */

/* Multiply-adds, roughly: the solver's sums over the sampled rows, and the part of the
 * network that is run. The solver's sums run at about half the speed of convolutions. */
static void expect(struct task *t, const struct job *j, double behind)
{
    const struct lr_session *s = j->s;
    const struct lr_sweep_point *p = &t->p;
    const struct lr_method_info *info = lr_method_info(p->method);
    double d = s->layers[p->layer].d, rows = 0, passes = info->is_linear ? 1 : 51;

    if (s->calib)
        rows = (double)lr_dataset_count(s->calib) * session_sampling(s).n_positions;
    t->solve = 2 * (info->needs_samples ? rows * d * (d + 2 * p->ranks.channel) * passes
                                        : rows * d * d);
    t->run = (double)j->n_images * ((double)p->macs + behind);
}

enum { SOLVING, RUNNING };

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Seconds, or as long as nothing was measured of both kinds the multiply-adds. */
static double worth(const struct job *j, double solve, double run)
{
    if (j->work[SOLVING] > 0 && j->work[RUNNING] > 0)
        return solve * j->seconds[SOLVING] / j->work[SOLVING] +
               run * j->seconds[RUNNING] / j->work[RUNNING];
    return solve + run;
}

static void measured(struct job *j, int kind, double start, double work)
{
    j->seconds[kind] += now() - start;
    j->work[kind] += work;
}

/* The next stage: this much work, of what is left of the list and more. It is given the
 * share it has if all points to come take as many images as those so far did. */
static struct lr_progress stage(struct job *j, double solve, double run, double more)
{
    double left = worth(j, 0, more), lo = j->at;

    for (int i = j->n_done; i < j->n; i++)
        left += worth(j, j->tasks[i].solve, j->share * j->tasks[i].run);
    j->at = left > 0 ? lo + (1 - lo) * worth(j, solve, run) / left : lo;
    return lr_progress_sub(j->o->progress, lo, j->at);
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
        expect(t, j, behind);
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
    if (j->is_open[j->now] && j->cuts[j->now].n_used > 0) {
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
    double used = j->is_open[1 - j->now] ? sweep_cut_used(other) : 0;
    int64_t n_slots = j->n_images;
    /* A part is worth keeping only where a part is all that is looked at. */
    if (bytes > limit)
        n_slots =
            j->o->precision > 0 ? (int64_t)(limit / bytes * (double)j->n_images) : 0;
    if (n_slots > 0 && used > 0 && bytes + used > limit) {
        sweep_cut_free(other);
        j->is_open[1 - j->now] = false;
    }
    return sweep_cut_open(c, n_slots, j->is_open[1 - j->now] ? other : NULL, e);
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

    if (rc == LR_OK && !t->p.is_from_journal)
        rc = sweep_keep(&t->p, j->s, j->o, e);
    j->n_done++;
    if (rc == LR_OK && j->o->on_point)
        j->o->on_point(j->o->ctx, &t->p);
    return rc;
}

/* What the journal knows is finished at once and goes to the front of the list. */
static enum lr_status recall(struct job *j, struct lr_err *e)
{
    enum lr_status rc = LR_OK;

    for (int i = 0; i < j->n && rc == LR_OK; i++) {
        struct task t = j->tasks[i];
        if (!sweep_recall(&t.p, j->s, j->o))
            continue;
        for (int k = i; k > j->n_done; k--)
            j->tasks[k] = j->tasks[k - 1];
        j->tasks[j->n_done] = t;
        rc = finish(j, &j->tasks[j->n_done], e);
    }
    return rc;
}

/* One task by itself. */
static enum lr_status run_task(struct job *j, struct task *t, struct sweep_solver *k,
                               int i, struct lr_err *e)
{
    double run = j->share * t->run, start = now();
    double part = worth(j, t->solve, 0) / worth(j, t->solve, run);
    struct lr_progress all = stage(j, t->solve, run, 0);
    struct lr_progress first = lr_progress_sub(&all, 0, part);
    struct lr_progress second = lr_progress_sub(&all, part, 1);
    struct sweep_cut *c = &j->cuts[j->now];
    struct lr_factors *f = NULL;
    struct lr_net *net = NULL;
    enum lr_status rc = solve_task(&f, &net, j, t, k, i, &first, e);

    measured(j, SOLVING, start, t->solve);
    start = now();
    if (rc != LR_OK || !j->has_eval)
        goto out;
    if (j->o->precision > 0)
        rc = sweep_sample(&t->p.eval, net, c, &j->survey, j->o->precision, j->o->metric,
                          j->s->original, &second, e);
    else
        rc = sweep_run(&t->p.eval, &net, 1, c, j->s->original, &second, e);
    measured(j, RUNNING, start, t->run * (double)t->p.eval.images / (double)j->n_images);
    if (rc == LR_OK && j->o->precision > 0) {
        double share = (double)t->p.eval.images / (double)j->n_images;
        t->p.sampling = lr_survey_half_width(&j->survey);
        /* A mean over the points so far, the first guess counting as one. */
        j->share += (share - j->share) / (j->n_done + 2);
    }
out:
    lr_net_free(net);
    lr_factors_unref(f);
    return rc == LR_OK ? finish(j, t, e) : rc;
}

/* How many of n tasks to run side by side where nothing is kept: few, so that points come
 * and are kept, but enough that what lies before the layer is not run too often. */
static int group_size(const struct job *j, const struct task *t, int n)
{
    double before = 0, behind = t->run / (double)j->n_images;

    for (int i = 0; i < t->p.layer; i++)
        before += (double)j->s->layers[i].macs;
    double most = behind > 0 ? ceil(before / (AGAIN * behind)) : n;
    return most < 1 ? 1 : most < n ? (int)most : n;
}

/* n tasks of one layer, side by side. */
static enum lr_status run_together(struct job *j, struct task *t, int n, int first,
                                   struct sweep_solver *k, struct lr_err *e)
{
    struct lr_net **nets = lr_calloc((size_t)n, sizeof(*nets));
    struct lr_eval *evals = lr_calloc((size_t)n, sizeof(*evals));
    double solve = 0, run = 0;
    enum lr_status rc = LR_OK;

    if (!nets || !evals) {
        rc = lr_enomem(e, (size_t)n * sizeof(*evals), "points of a sweep");
        goto out;
    }
    for (int i = 0; i < n; i++) {
        solve += t[i].solve;
        run += t[i].run;
    }
    double start = now(), part = worth(j, solve, 0) / worth(j, solve, run);
    struct lr_progress all = stage(j, solve, run, 0);
    struct lr_progress second = lr_progress_sub(&all, part, 1);
    for (int i = 0; i < n && rc == LR_OK; i++) {
        struct lr_factors *f = NULL;
        struct lr_progress one = lr_progress_sub(&all, part * i / n, part * (i + 1) / n);
        rc = solve_task(&f, &nets[i], j, &t[i], k, first + i, &one, e);
        lr_factors_unref(f);
    }
    measured(j, SOLVING, start, solve);
    start = now();
    if (rc == LR_OK)
        rc = sweep_run(evals, nets, n, &j->cuts[j->now], j->s->original, &second, e);
    measured(j, RUNNING, start, run);
    for (int i = 0; i < n && rc == LR_OK; i++) {
        t[i].p.eval = evals[i];
        rc = finish(j, &t[i], e);
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
    int size = 0;
    enum lr_status rc = LR_OK;

    if (!ranks)
        return lr_enomem(e, (size_t)n * sizeof(*ranks), "points of a sweep");
    for (int i = 0; i < n; i++)
        ranks[i] = j->tasks[first + i].p.ranks;
    rc = sweep_solver_init(&k, j->s, layer, ranks, n, e);
    if (rc == LR_OK && j->has_eval)
        rc = open_cut(j, layer, e);
    if (rc == LR_OK && j->has_eval && j->o->precision <= 0 &&
        j->cuts[j->now].n_slots == 0)
        size = group_size(j, &j->tasks[first], n);
    for (int i = 0; size > 0 && i < n && rc == LR_OK; i += size)
        rc = run_together(j, &j->tasks[first + i], i + size < n ? size : n - i, i, &k, e);
    if (size == 0)
        for (int i = 0; i < n && rc == LR_OK; i++)
            rc = run_task(j, &j->tasks[first + i], &k, i, e);
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
    struct lr_sweep_opts *o = &j->opts;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK)
        return rc;
    if (o->first < 0 || (o->first > 0 && (o->last < o->first || o->step < 1)))
        return lr_err_set(e, LR_EINVAL, "ranks %d to %d by %d: none", o->first, o->last,
                          o->step);
    if (o->count < 0)
        return lr_err_set(e, LR_EINVAL, "count %lld is below 0", (long long)o->count);
    if (!(o->precision >= 0 && o->precision < 1))
        return lr_err_set(e, LR_EINVAL, "precision %g is not in 0..1", o->precision);
    if (o->precision > 0 && o->metric == LR_METRIC_ERROR)
        return lr_err_set(e, LR_EINVAL,
                          "a precision is one of the metric top1 or agreement");
    if (s->calib &&
        (rc = session_settle(s->calib, s, 0, &o->progress, &j->rest[0], e)) != LR_OK)
        return rc;
    j->has_eval = o->metric != LR_METRIC_ERROR;
    if (!j->has_eval)
        return LR_OK;
    rc = session_need_images(&j->n_images, s, o->count, &o->progress, &j->rest[1], e);
    if (rc != LR_OK)
        return rc;
    if (o->metric == LR_METRIC_TOP1 && !lr_dataset_labels(s->eval))
        return lr_err_set(e, LR_EINVAL,
                          "the evaluation images have no labels: use the metric "
                          "agreement or error");
    return session_need_run(s, e);
}

/* Beyond what sampling holds: the original's outcome and one more, what is kept before a
 * layer, the networks that run side by side, and a solver. */
static enum lr_status state(const struct job *j, struct lr_err *e)
{
    const struct lr_session *s = j->s;
    const int64_t rows = s->calib ? lr_dataset_count(s->calib) * 10 : 0;
    int64_t most = 0, forward = j->has_eval ? session_forward_bytes(s->graph, 0) : 0;
    int64_t outcomes =
        j->has_eval ? (int64_t)(2 * lr_outcome_bytes(s->graph, j->n_images)) : 0;

    for (int i = j->n_done, end; i < j->n; i = end) {
        const int layer = j->tasks[i].p.layer, d = s->layers[layer].d;
        struct sweep_cut cut = {0};
        double kept = 0;
        for (end = i + 1; end < j->n && j->tasks[end].p.layer == layer;)
            end++;
        int n_nets = 1;
        if (j->has_eval && sweep_cut_init(&cut, s, layer, j->n_images, NULL) == LR_OK) {
            kept = sweep_cut_bytes(&cut);
            if (kept > (double)s->settings.cache_memory) {
                kept = j->o->precision > 0 ? (double)s->settings.cache_memory : 0;
                n_nets = group_size(j, &j->tasks[i], end - i);
            }
            /* a batch as it is fed */
            kept += sweep_cut_bytes(&cut) / (double)j->n_images * cut.batch;
        }
        sweep_cut_free(&cut);
        int64_t bytes = (n_nets + 1) * forward + (int64_t)kept;
        int64_t solver = (int64_t)kept + session_solver_bytes(d, rows) + rows * d * 4;
        bytes = solver > bytes ? solver : bytes;
        most = bytes > most ? bytes : most;
    }
    return session_state_memory(s, "sweeping",
                                most + outcomes + session_pictures_bytes(s->calib) +
                                    session_pictures_bytes(s->eval),
                                outcomes / 2 + session_run_least(s->graph), NULL, e);
}

enum lr_status lr_session_sweep(struct lr_session *s, const struct lr_sweep_opts *asked,
                                struct lr_err *e)
{
    struct job j = {.s = s, .opts = *asked};
    const struct lr_sweep_opts *o = j.o = &j.opts;
    enum lr_status rc = check(&j, e);

    if (rc != LR_OK || (rc = make_list(&j, e)) != LR_OK || (rc = recall(&j, e)) != LR_OK)
        goto out;
    j.share = o->precision > 0 ? FIRST_SHARE : 1;
    double macs = 0;
    for (int i = 0; i < s->n_layers; i++)
        macs += (double)s->layers[i].macs;
    double original = j.has_eval ? macs * (double)j.n_images : 0;
    bool has_spectra = s->spectra && s->responses_seed == s->settings.seed;
    if (j.n > j.n_done && s->calib && !has_spectra &&
        session_need_run(s, NULL) == LR_OK) {
        double work = macs * (double)lr_dataset_count(s->calib);
        struct lr_progress sub = stage(&j, 0, work, work + original);
        if ((rc = lr_session_spectra(s, &sub, e)) != LR_OK)
            goto out;
    }
    if (j.n > j.n_done && (rc = state(&j, e)) != LR_OK)
        goto out;
    if (j.n > j.n_done && j.has_eval) {
        struct lr_progress sub = stage(&j, 0, original, original);
        if ((rc = session_need_original(s, j.n_images, &sub, e)) != LR_OK)
            goto out;
        if (o->precision > 0 &&
            (rc = lr_survey_init(&j.survey, s->original, s->settings.seed, e)) != LR_OK)
            goto out;
    }
    for (int i = j.n_done, end; i < j.n; i = end) {
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
