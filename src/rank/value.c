/* What ranks are worth: the energy they keep, and errors interpolated between the ranks
 * at which they were measured. */
#include <math.h>

#include "rank/rank_internal.h"

/* ---- energy ---- */

static double positive(double x)
{
    return x > 0 ? x : 0;
}

/* Share of the energy that ranks above rank hold, small values first: what is lost is
 * known to more digits than what is kept. */
static double lost(const double *x, int n, int rank)
{
    double all = 0, tail = 0;

    for (int k = n - 1; k >= 0; k--) {
        all += positive(x[k]);
        if (k >= rank)
            tail = all;
    }
    return all > 0 ? tail / all : 0;
}

void lr_log_shares(double *out, const double *x, int n)
{
    double tail = 0;

    out[n] = 0;
    for (int k = n - 1; k >= 0; k--)
        out[k] = tail += positive(x[k]);
    for (int k = 0; k < n; k++)
        out[k] = tail > 0 ? log1p(-out[k] / tail) : 0;
}

bool lr_split_has_channel(const struct lr_rank_layer *l)
{
    return l->split == LR_SPLIT_CHANNEL || l->split == LR_SPLIT_BOTH;
}

bool lr_split_has_spatial(const struct lr_rank_layer *l)
{
    return l->split == LR_SPLIT_SPATIAL || l->split == LR_SPLIT_BOTH;
}

double lr_ranks_energy(const struct lr_rank_layer *l, struct lr_ranks r)
{
    double share = 1;

    if (lr_ranks_is_whole(l, r))
        return 1;
    if (lr_split_has_channel(l))
        share *= l->eig ? 1 - lost(l->eig, l->d, r.channel) : NAN;
    if (lr_split_has_spatial(l))
        share *=
            l->spatial ? 1 - lost(l->spatial, lr_rank_spatial_full(l), r.spatial) : NAN;
    return share;
}

static double log_energy(const struct lr_rank_layer *l, struct lr_ranks r)
{
    double sum = 0;

    if (lr_ranks_is_whole(l, r))
        return 0;
    if (lr_split_has_channel(l))
        sum += l->eig ? log1p(-lost(l->eig, l->d, r.channel)) : NAN;
    if (lr_split_has_spatial(l))
        sum += l->spatial ? log1p(-lost(l->spatial, lr_rank_spatial_full(l), r.spatial))
                          : NAN;
    return sum;
}

static int smallest(const double *x, int n, double share, int step)
{
    double all = 0, dropped = 0;
    int rank = n;

    for (int i = n - 1; i >= 0; i--)
        all += x[i];
    /* Drop from the end while what is lost stays within the allowance. A full share
     * allows nothing, a partial one its own rounding. */
    double allowed = share < 1 ? (1 - share + 1e-12) * all : 0;
    while (rank > 1 && dropped + x[rank - 1] <= allowed)
        dropped += x[--rank];
    return lr_grid_rank(n, step, lr_grid_count(rank, step));
}

struct lr_ranks lr_ranks_for_energy(const struct lr_rank_layer *l, double share, int step)
{
    struct lr_ranks r = lr_ranks_whole(l);
    int s = lr_rank_step(l, step);

    if (lr_split_has_channel(l))
        r.channel = smallest(l->eig, l->d, share, s);
    if (lr_split_has_spatial(l))
        r.spatial = smallest(l->spatial, r.spatial, share, s);
    return r;
}

/* ---- measured errors ---- */

static bool is_at(const struct lr_rank_layer *l, struct lr_ranks a, struct lr_ranks b)
{
    return (!lr_split_has_channel(l) || a.channel == b.channel) &&
           (!lr_split_has_spatial(l) || a.spatial == b.spatial);
}

/* Point i of the curve; n_points is the whole layer. Points without error, at the whole
 * layer's ranks, or measured again later do not count. */
static bool curve_point(struct lr_ranks *r, double *error, const struct lr_rank_layer *l,
                        int i)
{
    struct lr_ranks whole = lr_ranks_whole(l);

    *r = i < l->n_points ? l->points[i].ranks : whole;
    *error = i < l->n_points ? l->points[i].error : 0;
    if (i == l->n_points)
        return true;
    if (!isfinite(*error) || is_at(l, *r, whole))
        return false;
    for (int k = i + 1; k < l->n_points; k++)
        if (isfinite(l->points[k].error) && is_at(l, l->points[k].ranks, *r))
            return false;
    return true;
}

static bool is_below(const struct lr_rank_layer *l, struct lr_ranks a, struct lr_ranks b)
{
    return (!lr_split_has_channel(l) || a.channel <= b.channel) &&
           (!lr_split_has_spatial(l) || a.spatial <= b.spatial) && !is_at(l, a, b);
}

bool lr_error_segment(struct lr_error_segment *s, const struct lr_rank_layer *l, int i,
                      int j)
{
    struct lr_ranks between;
    double error;

    if (i == l->n_points || !curve_point(&s->from, &s->at_from, l, i) ||
        !curve_point(&s->to, &s->at_to, l, j) || !is_below(l, s->from, s->to))
        return false;
    for (int k = 0; k < l->n_points; k++)
        if (curve_point(&between, &error, l, k) && is_below(l, s->from, between) &&
            is_below(l, between, s->to))
            return false;
    s->is_lowest = true;
    for (int k = 0; k < l->n_points; k++)
        if (curve_point(&between, &error, l, k) && is_below(l, between, s->from))
            s->is_lowest = false;
    return true;
}

/* How far towards its upper end a segment goes without exceeding r in either rank. */
static double reach(const struct lr_rank_layer *l, const struct lr_error_segment *s,
                    struct lr_ranks r)
{
    double t = 1;

    if (lr_split_has_channel(l)) {
        int run = s->to.channel - s->from.channel, rest = r.channel - s->from.channel;
        t = run > 0 ? fmin(t, (double)rest / run) : rest < 0 ? -INFINITY : t;
    }
    if (lr_split_has_spatial(l)) {
        int run = s->to.spatial - s->from.spatial, rest = r.spatial - s->from.spatial;
        t = run > 0 ? fmin(t, (double)rest / run) : rest < 0 ? -INFINITY : t;
    }
    return t;
}

void lr_error_at_segment(struct lr_error_at *a, const struct lr_rank_layer *l,
                         const struct lr_error_segment *s, struct lr_ranks r)
{
    double t = reach(l, s, r), error = s->at_from + t * (s->at_to - s->at_from);

    if (is_at(l, s->from, r))
        a->exact = s->at_from;
    if (t < 0) {
        if (s->is_lowest && t > -INFINITY)
            a->outside = fmin(a->outside, fmax(error, s->at_from));
    } else if (t < 1 || l->split == LR_SPLIT_BOTH) {
        a->inside = fmin(a->inside, error);
    }
}

double lr_error_result(const struct lr_error_at *a)
{
    double error = !isnan(a->exact)       ? a->exact
                   : a->inside < INFINITY ? a->inside
                                          : a->outside;

    return error < INFINITY ? error : NAN;
}

/* With one rank the segments join neighbours, and below the lowest the first one goes on.
 * With two they join pairs with none in between; r gets the error of the best pair on a
 * segment that does not exceed it in either rank. */
double lr_ranks_error(const struct lr_rank_layer *l, struct lr_ranks r)
{
    struct lr_error_at a = LR_ERROR_AT_NOTHING;
    struct lr_error_segment s;

    if (lr_ranks_is_whole(l, r))
        return 0;
    for (int i = 0; l->points && i < l->n_points; i++)
        for (int j = 0; j <= l->n_points; j++)
            if (lr_error_segment(&s, l, i, j))
                lr_error_at_segment(&a, l, &s, r);
    return lr_error_result(&a);
}

double lr_objective_value(enum lr_objective o, const struct lr_rank_layer *layers,
                          const struct lr_ranks *ranks, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += o == LR_OBJECTIVE_ERROR ? lr_ranks_error(&layers[i], ranks[i])
                                       : log_energy(&layers[i], ranks[i]);
    return sum;
}
