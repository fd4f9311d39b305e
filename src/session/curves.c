/* What is known of each layer by itself, for the rules and choices that go by
 * measurements: response errors and losses of accuracy over a grid of ranks, and the best
 * pair of ranks of a split with both parts at a given cost. All of it is measured with
 * nothing but the one layer approximated. */
#include "session/internal.h"
#include "session/memory.h"

#include <math.h>
#include <string.h>

#include "ranklab/mem.h"

enum { MAX_GRID = 48 };
/* Speedups of one layer at which errors and accuracy are measured; whole is known. */
static const double error_speedups[] = {1.15, 1.5, 2, 2.5, 3, 4, 5, 6.5, 8, 12, 20, 40};
static const double drop_speedups[] = {1.3, 2, 3, 4.5, 7, 12};
/* How much of a pair's cost reduction the channel part does: 0.5 is the square root. */
static const double shares[] = {0, 0.15, 0.3, 0.42, 0.58, 0.7, 0.85};
enum {
    N_ERROR = sizeof(error_speedups) / sizeof(error_speedups[0]),
    N_DROP = sizeof(drop_speedups) / sizeof(drop_speedups[0]),
    N_SHARES = sizeof(shares) / sizeof(shares[0])
};

void session_drop_curves(struct lr_session *s)
{
    for (int i = 0; s->curves && i < s->n_layers; i++)
        lr_free(s->curves[i].points);
    lr_free(s->curves);
    s->curves = NULL;
}

static bool is_same(struct lr_ranks a, struct lr_ranks b)
{
    return a.channel == b.channel && a.spatial == b.spatial;
}

/* Adds r to the n points of one layer unless it is there or is the whole layer. */
static int add_ranks(struct session_point *points, int n, const struct lr_rank_layer *l,
                     int layer, struct lr_ranks r)
{
    if (lr_ranks_is_whole(l, r))
        return n;
    for (int i = 0; i < n; i++)
        if (is_same(points[i].ranks, r))
            return n;
    points[n] = (struct session_point){.layer = layer, .ranks = r};
    return n + 1;
}

/* Pairs of about the cost macs at most: from all of the reduction done by the spatial
 * part to most of it done by the channel part. */
static int add_pairs(struct session_point *points, int n, const struct lr_rank_layer *l,
                     int layer, double macs, int step)
{
    double x = (double)lr_macs_whole(l) / macs;
    struct lr_ranks full = lr_ranks_whole(l);

    for (int i = 0; i < N_SHARES; i++) {
        /* The channel part alone would give x^share. */
        double patch = (double)lr_rank_patch(l), d = l->d;
        double rank = patch * d / (patch + d / l->group) / pow(x, shares[i]);
        struct lr_ranks r = {shares[i] > 0 && rank < d ? (int)rank : full.channel, 1};
        r = lr_ranks_round(l, r, step);
        r.spatial = lr_spatial_for_macs(l, r.channel, macs, step);
        if (r.spatial > 0)
            n = add_ranks(points, n, l, layer, r);
    }
    return n;
}

/* The grid over which a layer is measured. */
static int make_grid(struct session_point *points, const struct lr_session *s, int layer,
                     const double *speedups, int n_speedups, bool all_pairs)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    double whole = (double)lr_macs_whole(&l);
    int n = 0, step = lr_rank_step(&l, 1);

    for (int i = 0; i < n_speedups; i++) {
        struct lr_ranks r;
        if (!lr_ranks_for_speedup(&r, &l, speedups[i], 1))
            break;
        n = add_ranks(points, n, &l, layer, r);
        /* Every third speedup with all its pairs: they are interpolated between. */
        if (all_pairs && l.split == LR_SPLIT_BOTH && i % 3 == 2 &&
            n + N_SHARES + n_speedups - i < MAX_GRID)
            n = add_pairs(points, n, &l, layer, whole / speedups[i], 1);
    }
    struct lr_ranks least = {step, lr_ranks_whole(&l).spatial > 0 ? step : 0};
    if (l.split == LR_SPLIT_SPATIAL)
        least.channel = l.d;
    return add_ranks(points, n, &l, layer, least);
}

static enum lr_status alloc_curves(struct lr_session *s, struct lr_err *e)
{
    size_t n = (size_t)s->n_layers + 1;

    if (!s->curves)
        s->curves = lr_calloc(n, sizeof(*s->curves));
    return s->curves ? LR_OK : lr_enomem(e, n * sizeof(*s->curves), "curves");
}

static bool is_same_schedule(const struct lr_curve *c, const struct lr_settings *o)
{
    return c->n_iter1 == o->n_iter1 && c->n_iter2 == o->n_iter2 &&
           !(c->lambda1 < o->lambda1) && !(c->lambda1 > o->lambda1) &&
           !(c->lambda2 < o->lambda2) && !(c->lambda2 > o->lambda2);
}

/* Makes the points the layer's curve, beside those of the other kind that it has: what a
 * rule chooses must not depend on which rules were used before. */
static enum lr_status set_curve(struct lr_session *s, int layer,
                                const struct lr_rank_point *points, int n, bool is_drops,
                                struct lr_err *e)
{
    struct lr_curve *c = &s->curves[layer];
    bool is_alike =
        c->method == s->plan[layer].method && is_same_schedule(c, &s->settings);
    int n_old = is_alike ? c->n : 0, n_kept = 0;
    struct lr_rank_point *all = lr_calloc((size_t)(n_old + n) + 1, sizeof(*all));

    if (!all)
        return lr_enomem(e, (size_t)(n_old + n) * sizeof(*all), "a curve");
    for (int i = 0; i < n_old; i++)
        if (isfinite(is_drops ? c->points[i].error : c->points[i].drop))
            all[n_kept++] = c->points[i];
    for (int i = 0; i < n; i++)
        all[n_kept + i] = points[i];
    lr_free(c->points);
    *c = (struct lr_curve){.method = s->plan[layer].method,
                           .n_iter1 = s->settings.n_iter1,
                           .n_iter2 = s->settings.n_iter2,
                           .lambda1 = s->settings.lambda1,
                           .lambda2 = s->settings.lambda2,
                           .has_errors = !is_drops || (is_alike && c->has_errors),
                           .has_drops = is_drops || (is_alike && c->has_drops),
                           .n = n_kept + n,
                           .points = all};
    return LR_OK;
}

static bool is_current(const struct lr_session *s, int layer, bool needs_drops)
{
    const struct lr_curve *c = s->curves ? &s->curves[layer] : NULL;

    return c && c->method == s->plan[layer].method && is_same_schedule(c, &s->settings) &&
           (needs_drops ? c->has_drops : c->has_errors);
}

/* ---- errors ---- */

static enum lr_status measure_errors(struct lr_session *s, const int *layers, int n,
                                     const struct lr_progress *progress, struct lr_err *e)
{
    struct session_point *points = lr_calloc((size_t)n * MAX_GRID + 1, sizeof(*points));
    int n_points = 0;
    enum lr_status rc;

    if (!points)
        return lr_enomem(e, (size_t)n * MAX_GRID * sizeof(*points), "curves");
    for (int i = 0; i < n; i++)
        if (!is_current(s, layers[i], false))
            n_points +=
                make_grid(points + n_points, s, layers[i], error_speedups, N_ERROR, true);
    rc = session_measure_points(points, n_points, s, progress, e);
    for (int at = 0, end; rc == LR_OK && at < n_points; at = end) {
        struct lr_rank_point curve[MAX_GRID];
        for (end = at; end < n_points && points[end].layer == points[at].layer; end++)
            curve[end - at] =
                (struct lr_rank_point){points[end].ranks, points[end].error, NAN};
        rc = set_curve(s, points[at].layer, curve, end - at, false, e);
    }
    lr_free(points);
    return rc;
}

/* ---- losses of accuracy ---- */

/* Solves the layer alone at the point's ranks and evaluates the network it is in. */
static enum lr_status measure_drop(struct lr_rank_point *point, struct lr_session *s,
                                   int layer, const struct lr_outcome *original,
                                   const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_layer_plan *alone = NULL;
    struct lr_progress first = lr_progress_sub(progress, 0, 0.5);
    struct lr_progress second = lr_progress_sub(progress, 0.5, 1);
    struct lr_outcome outcome = {0};
    struct lr_factors *f = NULL;
    struct lr_graph *g = NULL;
    bool *use = lr_calloc((size_t)s->n_layers + 1, sizeof(*use));
    enum lr_status rc = use ? session_plan_copy(&alone, s, e)
                            : lr_enomem(e, (size_t)s->n_layers, "a set of layers");

    if (rc != LR_OK)
        goto out;
    rc = session_solve_alone(&f, s, layer, point->ranks, &first, e);
    if (rc != LR_OK)
        goto out;
    lr_factors_unref(alone[layer].factors);
    alone[layer].factors = f;
    use[layer] = true;
    if ((rc = session_split(&g, s, alone, use, e)) != LR_OK ||
        (rc = lr_outcome_run(&outcome, g, s->calib, 0, &second, e)) != LR_OK)
        goto out;
    point->drop =
        lr_outcome_quality(original, original) - lr_outcome_quality(&outcome, original);
out:
    session_plan_free(alone, s->n_layers);
    lr_outcome_free(&outcome);
    lr_graph_free(g);
    lr_free(use);
    return rc;
}

static enum lr_status measure_drops(struct lr_session *s, const int *layers, int n,
                                    const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_outcome original = {0};
    struct session_point grid[MAX_GRID];
    struct lr_rank_point curve[MAX_GRID];
    double each = 0.95 / n;
    struct lr_progress rest;
    enum lr_status rc = session_settle(s->calib, s, 0, &progress, &rest, e);
    struct lr_progress first = lr_progress_sub(progress, 0, 0.05);

    if (rc == LR_OK)
        rc = session_state_eval(s, s->graph, s->calib, lr_dataset_count(s->calib), false,
                                e);
    if (rc == LR_OK)
        rc = lr_outcome_run(&original, s->graph, s->calib, 0, &first, e);

    for (int i = 0; rc == LR_OK && i < n; i++) {
        if (is_current(s, layers[i], true))
            continue;
        int n_points = make_grid(grid, s, layers[i], drop_speedups, N_DROP, false);
        for (int k = 0; rc == LR_OK && k < n_points; k++) {
            double at = 0.05 + each * (i + (double)k / n_points);
            struct lr_progress one = lr_progress_sub(progress, at, at + each / n_points);
            curve[k] = (struct lr_rank_point){grid[k].ranks, NAN, NAN};
            rc = measure_drop(&curve[k], s, layers[i], &original, &one, e);
        }
        if (rc == LR_OK)
            rc = set_curve(s, layers[i], curve, n_points, true, e);
    }
    lr_outcome_free(&original);
    return rc;
}

/* Without held-out images no error is known. */
static enum lr_status check_errors(const struct lr_session *s, const int *layers, int n,
                                   struct lr_err *e)
{
    for (int i = 0; i < n; i++) {
        const struct lr_curve *c = &s->curves[layers[i]];
        int k = 0;
        while (k < c->n && isnan(c->points[k].error))
            k++;
        if (c->n > 0 && k == c->n)
            return lr_err_set(e, LR_EINVAL,
                              "too few calibration images (%lld): none is held out to "
                              "measure errors on",
                              (long long)lr_dataset_count(s->calib));
    }
    return LR_OK;
}

enum lr_status session_need_curves(struct lr_session *s, const int *layers, int n,
                                   bool needs_errors, bool needs_drops,
                                   const struct lr_progress *progress, struct lr_err *e)
{
    double split_at = needs_errors && needs_drops ? 0.3 : needs_errors ? 1 : 0;
    struct lr_progress first = lr_progress_sub(progress, 0, split_at);
    struct lr_progress second = lr_progress_sub(progress, split_at, 1);
    enum lr_status rc = alloc_curves(s, e);

    if (rc == LR_OK && needs_errors)
        rc = measure_errors(s, layers, n, &first, e);
    if (rc == LR_OK && needs_errors)
        rc = check_errors(s, layers, n, e);
    if (rc == LR_OK && needs_drops)
        rc = measure_drops(s, layers, n, &second, e);
    return rc;
}

/* ---- pairs ---- */

/* Of n points those with no more parameters than ranks r have. */
static int drop_larger(struct session_point *points, int n, const struct lr_rank_layer *l,
                       struct lr_ranks r)
{
    int n_left = 0;

    for (int i = 0; i < n; i++)
        if (lr_params_split(l, points[i].ranks) <= lr_params_split(l, r))
            points[n_left++] = points[i];
    return n_left;
}

enum lr_status session_refine_pairs(struct lr_ranks *ranks, const int *layers, int n,
                                    struct lr_session *s, enum lr_budget_kind kind,
                                    int round, const struct lr_progress *progress,
                                    struct lr_err *e)
{
    struct session_point *points = NULL;
    int n_points = 0;
    enum lr_status rc;

    if (!s->calib || !lr_session_can_sample(s))
        return LR_OK;
    points = lr_calloc((size_t)n * (N_SHARES + 1) + 1, sizeof(*points));
    if (!points)
        return lr_enomem(e, (size_t)n * N_SHARES * sizeof(*points), "pairs of ranks");
    for (int i = 0; i < n; i++) {
        struct lr_rank_layer l = lr_session_rank_layer(s, layers[i]);
        if (l.split != LR_SPLIT_BOTH || lr_ranks_is_whole(&l, ranks[i]))
            continue;
        /* The rule's own pair comes first: another must be better to replace it. */
        struct session_point *own = points + n_points;
        double macs = (double)lr_macs_split(&l, ranks[i]);
        int k = add_ranks(own, 0, &l, layers[i], ranks[i]);
        k = add_pairs(own, k, &l, layers[i], macs, round);
        n_points += kind == LR_BUDGET_PARAMS ? drop_larger(own, k, &l, ranks[i]) : k;
    }
    rc = session_measure_points(points, n_points, s, progress, e);
    for (int i = 0, at = 0; rc == LR_OK && i < n; i++) {
        double lowest = INFINITY;
        for (; at < n_points && points[at].layer == layers[i]; at++)
            if (points[at].error < lowest) {
                lowest = points[at].error;
                ranks[i] = points[at].ranks;
            }
    }
    lr_free(points);
    return rc;
}
