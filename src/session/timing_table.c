/* Milliseconds against ranks. All layers are split at once, each at its own first rank
 * to be measured, then all at the second, and so on: a run of such a network measures
 * every layer, in its place. Some of these networks run in turn with the original, and
 * what they found is scaled by what the original took then and takes on the whole. */
#include <math.h>
#include <string.h>

#include "ranklab/mem.h"
#include "session/internal.h"
#include "session/timing.h"

enum { MAX_RANKS = 128, GROUP = 8 };
/* Networks that are timed together hold at most this many weights in all, and one whose
 * runs take this long is looked at more coarsely. */
static const double GROUP_WEIGHTS = 64e6, COARSE_MS = 40;

/* The ranks of every layer that are to be measured, and what was found. */
struct survey {
    struct lr_session *s;
    const struct lr_deploy *deploy;
    char version[64]; /* of the engine */
    bool *is_wanted;
    struct lr_ranks *ranks; /* [n_layers x MAX_RANKS] */
    int *n;                 /* [n_layers] */
    int n_levels;
    struct lr_ms_point *points;  /* [n_layers x MAX_RANKS] */
    double *drift;               /* [n_levels] what the original took in that group */
    struct lr_ms_stat *original; /* [n_layers x n_groups] */
    int n_groups;
};

static void survey_free(struct survey *v)
{
    lr_free(v->is_wanted);
    lr_free(v->ranks);
    lr_free(v->n);
    lr_free(v->points);
    lr_free(v->drift);
    lr_free(v->original);
}

static enum lr_status survey_init(struct survey *v, const int *layers, int n,
                                  bool is_anew, struct lr_err *e)
{
    size_t all = (size_t)v->s->n_layers + 1;

    v->is_wanted = lr_calloc(all, sizeof(bool));
    v->ranks = lr_calloc(all * MAX_RANKS, sizeof(*v->ranks));
    v->points = lr_calloc(all * MAX_RANKS, sizeof(*v->points));
    v->n = lr_calloc(all, sizeof(int));
    v->drift = lr_calloc(MAX_RANKS, sizeof(double));
    v->original = lr_calloc((all + 1) * MAX_RANKS, sizeof(*v->original));
    if (!v->is_wanted || !v->ranks || !v->points || !v->n || !v->drift || !v->original)
        return lr_enomem(e, all * MAX_RANKS * sizeof(*v->points), "a table of times");
    struct timing_set *set = timing_set_find(v->s, v->deploy, true);
    if (!set)
        return lr_enomem(e, sizeof(*set), "a table of times");
    for (int i = 0; i < n; i++) {
        bool is_there = lr_session_ms_table(v->s, v->deploy, layers[i]);
        v->is_wanted[layers[i]] =
            is_anew || !(is_there || timing_recall(set, v->s, v->version, layers[i]));
    }
    return LR_OK;
}

static void choose_ranks(struct survey *v, bool is_coarse)
{
    v->n_levels = 0;
    for (int i = 0; i < v->s->n_layers; i++) {
        struct lr_rank_layer l = lr_session_rank_layer(v->s, i);
        if (!v->is_wanted[i] || l.is_kept) {
            v->is_wanted[i] = false;
            continue;
        }
        v->n[i] = lr_ms_ranks(v->ranks + (size_t)i * MAX_RANKS, MAX_RANKS, &l, is_coarse);
        if (v->n[i] > v->n_levels)
            v->n_levels = v->n[i];
    }
}

/* The network in which every wanted layer has its rank number level; layers with fewer
 * are whole. */
static enum lr_status make_level(struct timing_net *out, const struct survey *v,
                                 int level, struct lr_err *e)
{
    size_t n = (size_t)v->s->n_layers;
    struct lr_layer_plan *plan = lr_calloc(n + 1, sizeof(*plan));
    enum lr_status rc;

    if (!plan)
        return lr_enomem(e, n * sizeof(*plan), "the plan");
    for (int i = 0; i < v->s->n_layers; i++) {
        struct lr_rank_layer l = lr_session_rank_layer(v->s, i);
        plan[i].method = v->s->plan[i].method;
        plan[i].ranks = lr_ranks_whole(&l);
        if (v->is_wanted[i] && level < v->n[i])
            plan[i].ranks = v->ranks[(size_t)i * MAX_RANKS + (size_t)level];
    }
    rc = timing_net_make(out, v->s, plan, e);
    lr_free(plan);
    return rc;
}

static void take_level(struct survey *v, struct timing_runs *runs, int level,
                       double drift)
{
    v->drift[level] = drift;
    for (int i = 0; i < v->s->n_layers; i++) {
        size_t at = (size_t)i * MAX_RANKS + (size_t)level;
        if (level >= v->n[i] || !v->is_wanted[i])
            continue;
        struct lr_ms_stat s = timing_stat(runs, i);
        v->points[at] = (struct lr_ms_point){v->ranks[at], s.ms, s.low, s.high, s.n_runs};
    }
}

/* The sum of all layers' medians. */
static double layers_ms(struct timing_runs *runs)
{
    double sum = 0;

    for (int i = 0; i < runs->n_layers; i++)
        sum += timing_stat(runs, i).ms;
    return sum;
}

static enum lr_status measure_group(struct survey *v, int first, int n,
                                    const struct timing_effort *effort,
                                    const struct lr_progress *progress, struct lr_err *e)
{
    struct timing_net nets[GROUP + 1] = {{0}};
    struct timing_runs runs[GROUP + 1] = {{0}};
    char version[64];
    enum lr_status rc = timing_net_make(&nets[0], v->s, NULL, e);

    for (int k = 0; k < n && rc == LR_OK; k++)
        rc = make_level(&nets[k + 1], v, first + k, e);
    if (rc == LR_OK)
        rc = timing_measure(runs, version, nets, n + 1, v->s, v->deploy, effort, progress,
                            e);
    if (rc != LR_OK)
        goto out;
    double drift = layers_ms(&runs[0]);
    for (int i = 0; i < v->s->n_layers; i++)
        v->original[(size_t)i * MAX_RANKS + (size_t)v->n_groups] =
            timing_stat(&runs[0], i);
    v->n_groups++;
    for (int k = 0; k < n; k++)
        take_level(v, &runs[k + 1], first + k, drift);
out:
    for (int k = 0; k <= n; k++) {
        timing_net_free(&nets[k]);
        timing_runs_free(&runs[k]);
    }
    return rc;
}

static double mean_drift(const struct survey *v)
{
    double sum = 0;

    for (int k = 0; k < v->n_levels; k++)
        sum += v->drift[k];
    return sum / v->n_levels;
}

static void scale(struct lr_ms_point *p, double by)
{
    p->ms *= by;
    p->low *= by;
    p->high *= by;
}

static enum lr_status keep_table(struct survey *v, struct timing_set *set, int i,
                                 struct lr_err *e)
{
    struct timing_table *t = &set->tables[i];
    size_t n = (size_t)v->n[i];
    struct lr_ms_point *points = lr_alloc(n + 1, sizeof(*points)), whole = {0};
    double mean = mean_drift(v);

    if (!points)
        return lr_enomem(e, n * sizeof(*points), "a table of times");
    for (size_t k = 0; k < n; k++) {
        points[k] = v->points[(size_t)i * MAX_RANKS + k];
        scale(&points[k], mean / v->drift[k]);
    }
    for (int g = 0; g < v->n_groups; g++) {
        const struct lr_ms_stat *s = &v->original[(size_t)i * MAX_RANKS + (size_t)g];
        whole.ms += s->ms / v->n_groups;
        whole.low += s->low / v->n_groups;
        whole.high += s->high / v->n_groups;
        whole.n_runs += s->n_runs;
    }
    lr_free(t->t.points);
    t->split = lr_session_rank_layer(v->s, i).split;
    t->t = (struct lr_ms_table){whole, (int)n, points};
    t->is_known = true;
    t->when = 0;
    return LR_OK;
}

/* Times that cannot be kept are good for this session. */
static void remember(const struct survey *v, const struct timing_set *set)
{
    struct lr_err why = {0};

    for (int i = 0; i < v->s->n_layers; i++)
        if (v->is_wanted[i] && timing_remember(set, v->s, v->version, i, &why) != LR_OK) {
            lr_note(&v->s->notes, LR_NOTE_WARNING,
                    "times are kept for this session only: %s", why.msg);
            return;
        }
}

static enum lr_status measure_levels(struct survey *v, const struct lr_progress *progress,
                                     struct lr_err *e)
{
    struct timing_effort effort = {5, 60, 150, false};
    const struct lr_time *last = lr_session_time_of(v->s, v->deploy);
    bool is_long = last->network.original.ms > COARSE_MS;
    struct lr_totals totals;
    enum lr_status rc = LR_OK;

    lr_session_totals(&totals, v->s);
    int group =
        (int)fmin(GROUP, fmax(1, GROUP_WEIGHTS / (double)totals.net_params_original));
    choose_ranks(v, is_long);
    if (is_long)
        effort.min_runs = 3;
    for (int k = 0; k < v->n_levels && rc == LR_OK; k += group) {
        int n = v->n_levels - k < group ? v->n_levels - k : group;
        struct lr_progress part = lr_progress_sub(progress, (double)k / v->n_levels,
                                                  (double)(k + n) / v->n_levels);
        rc = measure_group(v, k, n, &effort, &part, e);
    }
    return rc;
}

enum lr_status lr_session_time_ranks(struct lr_session *s, const struct lr_deploy *d,
                                     const int *layers, int n, bool is_anew,
                                     const struct lr_progress *progress, struct lr_err *e)
{
    struct survey v = {.s = s, .deploy = d};
    struct lr_progress first = lr_progress_sub(progress, 0, 0.1),
                       second = lr_progress_sub(progress, 0.1, 1);
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK || (rc = timing_version(v.version, d, progress, e)) != LR_OK ||
        (rc = survey_init(&v, layers, n, is_anew, e)) != LR_OK)
        goto out;
    choose_ranks(&v, false);
    if (v.n_levels == 0)
        goto out;
    if (!lr_session_time_of(s, d) && (rc = lr_session_time(s, d, 0, &first, e)) != LR_OK)
        goto out;
    if ((rc = measure_levels(&v, &second, e)) != LR_OK)
        goto out;
    struct timing_set *set = timing_set_find(s, d, true);
    for (int i = 0; set && i < s->n_layers && rc == LR_OK; i++)
        if (v.is_wanted[i])
            rc = keep_table(&v, set, i, e);
    if (set && rc == LR_OK)
        remember(&v, set);
out:
    survey_free(&v);
    return rc;
}
