/* Cost of a layer whole and split, and ranks from costs. Counts come from files, so
 * products saturate instead of overflowing; what saturates when split counts as whole. */
#include <limits.h>
#include <math.h>

#include "base/saturate.h"
#include "rank/rank_internal.h"

static int groups(const struct lr_rank_layer *l)
{
    return l->group > 1 ? l->group : 1;
}

static int64_t column(const struct lr_rank_layer *l) /* inputs of one k x 1 filter */
{
    return lr_sat_mul(l->c / groups(l), l->kh);
}

static int64_t row(const struct lr_rank_layer *l, int spatial) /* of one 1 x k filter */
{
    int g = groups(l);

    return lr_sat_mul(l->kw, spatial / g + (spatial % g != 0));
}

int64_t lr_rank_patch(const struct lr_rank_layer *l)
{
    return lr_sat_mul(column(l), l->kw);
}

int lr_rank_spatial_full(const struct lr_rank_layer *l)
{
    int64_t down = column(l), across = lr_sat_mul(l->kw, l->d / groups(l));
    int64_t full = lr_sat_mul(groups(l), down < across ? down : across);

    return full < INT_MAX ? (int)full : INT_MAX;
}

struct lr_ranks lr_ranks_whole(const struct lr_rank_layer *l)
{
    bool is_spatial = l->split == LR_SPLIT_SPATIAL || l->split == LR_SPLIT_BOTH;

    return (struct lr_ranks){l->d, is_spatial ? lr_rank_spatial_full(l) : 0};
}

int lr_rank_step(const struct lr_rank_layer *l, int step)
{
    int g = groups(l), a = step > 1 ? step : 1, b = g;

    for (int other = a; other != 0;) {
        int rest = b % other;
        b = other;
        other = rest;
    }
    int64_t multiple = lr_sat_mul(a / b, g);
    return multiple < INT_MAX ? (int)multiple : INT_MAX;
}

/* ---- multiply-adds and parameters ---- */

int64_t lr_macs_whole(const struct lr_rank_layer *l)
{
    return lr_sat_mul(l->positions, lr_sat_mul(lr_rank_patch(l), l->d));
}

int64_t lr_macs_split(const struct lr_rank_layer *l, struct lr_ranks r)
{
    int64_t one = l->d / groups(l), first = 0, pair, merged;

    if (l->split == LR_SPLIT_NONE)
        return lr_macs_whole(l);
    if (l->split == LR_SPLIT_CHANNEL)
        return lr_sat_mul(l->positions,
                          lr_sat_mul(r.channel, lr_sat_add(lr_rank_patch(l), one)));
    first = lr_sat_mul(l->mid_positions, lr_sat_mul(r.spatial, column(l)));
    merged = lr_sat_mul(row(l, r.spatial), l->d);
    pair = lr_sat_mul(r.channel, lr_sat_add(row(l, r.spatial), one));
    if (l->split == LR_SPLIT_SPATIAL || pair > merged)
        pair = merged;
    return lr_sat_add(first, lr_sat_mul(l->positions, pair));
}

static bool is_full(const struct lr_rank_layer *l, struct lr_ranks r)
{
    bool is_channel_full = r.channel >= l->d;

    switch (l->split) {
    case LR_SPLIT_NONE:
        return true;
    case LR_SPLIT_CHANNEL:
        return is_channel_full;
    case LR_SPLIT_SPATIAL:
        return r.spatial >= lr_rank_spatial_full(l);
    case LR_SPLIT_BOTH:
        break;
    }
    return is_channel_full && r.spatial >= lr_rank_spatial_full(l);
}

bool lr_ranks_is_whole(const struct lr_rank_layer *l, struct lr_ranks r)
{
    return l->is_kept || is_full(l, r) || lr_macs_split(l, r) >= lr_macs_whole(l);
}

int64_t lr_macs_at(const struct lr_rank_layer *l, struct lr_ranks r)
{
    return lr_ranks_is_whole(l, r) ? lr_macs_whole(l) : lr_macs_split(l, r);
}

int64_t lr_params_whole(const struct lr_rank_layer *l)
{
    return lr_sat_mul(l->d, lr_sat_add(lr_rank_patch(l), l->has_bias));
}

int64_t lr_params_split(const struct lr_rank_layer *l, struct lr_ranks r)
{
    int64_t one = l->d / groups(l), first = 0, inputs = lr_rank_patch(l);

    if (l->split == LR_SPLIT_NONE)
        return lr_params_whole(l);
    if (l->split != LR_SPLIT_CHANNEL) {
        first = lr_sat_mul(r.spatial, column(l));
        inputs = row(l, r.spatial);
        if (l->split == LR_SPLIT_SPATIAL || lr_split_is_merged(l->d, l->kw, groups(l), r))
            return lr_sat_add(first, lr_sat_mul(l->d, lr_sat_add(inputs, 1)));
    }
    first = lr_sat_add(
        first, lr_sat_mul(r.channel, lr_sat_add(inputs, l->has_bias || l->needs_bias)));
    return lr_sat_add(first, lr_sat_add(lr_sat_mul(r.channel, one), l->d));
}

int64_t lr_params_at(const struct lr_rank_layer *l, struct lr_ranks r)
{
    return lr_ranks_is_whole(l, r) ? lr_params_whole(l) : lr_params_split(l, r);
}

/* ---- the grid of ranks ---- */

int lr_grid_count(int full, int step)
{
    return full / step + (full % step != 0);
}

int lr_grid_rank(int full, int step, int k)
{
    int64_t rank = (int64_t)step * k;

    return rank < full ? (int)rank : full;
}

static int round_down(int rank, int full, int step)
{
    if (rank >= full)
        return rank;
    int down = rank - rank % step, least = step < full ? step : full;
    return down < least ? least : down;
}

struct lr_ranks lr_ranks_round(const struct lr_rank_layer *l, struct lr_ranks r, int step)
{
    int s = lr_rank_step(l, step);

    r.channel = round_down(r.channel, l->d, s);
    if (r.spatial > 0)
        r.spatial = round_down(r.spatial, lr_rank_spatial_full(l), s);
    return r;
}

struct lr_ranks lr_ranks_lowest(const struct lr_rank_layer *l, int step)
{
    struct lr_ranks r = lr_ranks_whole(l);
    int s = lr_rank_step(l, step);

    if ((l->split == LR_SPLIT_CHANNEL || l->split == LR_SPLIT_BOTH) && s < r.channel)
        r.channel = s;
    if (r.spatial > s)
        r.spatial = s;
    return r;
}

/* ---- ranks from costs ---- */

/* The largest rank on the grid whose split costs at most macs, of the part that varies;
 * 0: none. More rank never costs less, so halving finds it. */
static int largest(const struct lr_rank_layer *l, struct lr_ranks r, bool is_spatial,
                   double macs, int step)
{
    int full = is_spatial ? lr_rank_spatial_full(l) : l->d;
    int s = lr_rank_step(l, step), low = 0, high = lr_grid_count(full, s);

    while (low < high) {
        int middle = low + (high - low + 1) / 2;
        *(is_spatial ? &r.spatial : &r.channel) = lr_grid_rank(full, s, middle);
        if ((double)lr_macs_split(l, r) <= macs)
            low = middle;
        else
            high = middle - 1;
    }
    return low > 0 ? lr_grid_rank(full, s, low) : 0;
}

int lr_spatial_for_macs(const struct lr_rank_layer *l, int channel, double macs, int step)
{
    return largest(l, (struct lr_ranks){channel, 0}, true, macs, step);
}

int lr_channel_for_macs(const struct lr_rank_layer *l, int spatial, double macs, int step)
{
    return largest(l, (struct lr_ranks){0, spatial}, false, macs, step);
}

/* A pair whose last two parts are merged back costs the same at any d': then all of it.
 */
struct lr_ranks lr_ranks_fill_merged(const struct lr_rank_layer *l, struct lr_ranks r)
{
    if (l->split == LR_SPLIT_BOTH && lr_split_is_merged(l->d, l->kw, groups(l), r))
        r.channel = l->d;
    return r;
}

/* Where both do not fit even at the lowest d'', d' gives way. */
static bool pair_for_macs(struct lr_ranks *r, const struct lr_rank_layer *l, double macs,
                          int step)
{
    r->spatial = lr_spatial_for_macs(l, r->channel, macs, step);
    if (r->spatial < 1) {
        *r = lr_ranks_lowest(l, step);
        int channel = lr_channel_for_macs(l, r->spatial, macs, step);
        if (channel < 1)
            return false;
        r->channel = channel;
        r->spatial = lr_spatial_for_macs(l, channel, macs, step);
    }
    *r = lr_ranks_fill_merged(l, *r);
    return true;
}

bool lr_ranks_for_speedup(struct lr_ranks *r, const struct lr_rank_layer *l, double x,
                          int step)
{
    /* Quotients that are whole in exact arithmetic must not fall short by a rounding. */
    double whole = (double)lr_macs_whole(l) * (1 + 1e-12);
    struct lr_rank_layer view = *l;
    int rank;

    *r = lr_ranks_whole(l);
    if (x <= 0)
        return true;
    if (l->split == LR_SPLIT_NONE)
        return x <= 1;
    *r = lr_ranks_lowest(l, step);
    if (isnan(x))
        return false;
    if (l->split == LR_SPLIT_BOTH) {
        view.split = LR_SPLIT_CHANNEL;
        if ((rank = largest(&view, *r, false, whole / sqrt(x), step)) > 0)
            r->channel = rank;
        return pair_for_macs(r, l, whole / x, step);
    }
    if ((rank = largest(l, *r, l->split == LR_SPLIT_SPATIAL, whole / x, step)) < 1)
        return false;
    *(l->split == LR_SPLIT_SPATIAL ? &r->spatial : &r->channel) = rank;
    return true;
}

/* Full rank is the whole layer, so no break-even lies above it; but a pair that still
 * pays merged back pays at any d', and d + 1 says so. */
int lr_break_even(const struct lr_rank_layer *l, struct lr_ranks r)
{
    bool is_spatial = l->split == LR_SPLIT_SPATIAL;
    int full = is_spatial ? lr_rank_spatial_full(l) : l->d, low = 1, high = full;

    if (l->split == LR_SPLIT_NONE)
        return 1;
    if (l->split == LR_SPLIT_BOTH)
        high = l->d < INT_MAX ? l->d + 1 : l->d;
    while (low < high) {
        int middle = low + (high - low) / 2;
        *(is_spatial ? &r.spatial : &r.channel) = middle;
        if (lr_macs_split(l, r) >= lr_macs_whole(l))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
