/* Which ranks of a layer a sweep asks for, and what is known of a point beforehand. */
#include <math.h>

#include "ranklab/mem.h"
#include "session/sweep_internal.h"

enum { N_POINTS = 8, MAX_POINTS = 100000 };

static bool is_same(struct lr_ranks a, struct lr_ranks b)
{
    return a.channel == b.channel && a.spatial == b.spatial;
}

/* The pair of a split with both parts whose channel part has rank d': the spatial part
 * does as much of the reduction as the channel part. */
static struct lr_ranks pair_at(const struct lr_rank_layer *l, int channel)
{
    double patch = (double)lr_rank_patch(l), d = l->d;
    double x = patch * d / (channel * (patch + d / l->group));
    struct lr_ranks r = {channel, 0};

    r.spatial = lr_spatial_for_macs(l, channel, (double)lr_macs_whole(l) / (x * x), 1);
    if (r.spatial < 1 || x < 1)
        return lr_ranks_whole(l);
    return r;
}

/* The ranks whose leading number is rank, a multiple of the groups. */
static struct lr_ranks ranks_at(const struct lr_rank_layer *l, int rank)
{
    if (l->split == LR_SPLIT_SPATIAL)
        return (struct lr_ranks){l->d, rank};
    if (l->split == LR_SPLIT_BOTH)
        return pair_at(l, rank);
    return (struct lr_ranks){rank, 0};
}

/* The highest leading number that is not whole, or 0. */
static int highest(const struct lr_rank_layer *l, int step)
{
    int full = l->split == LR_SPLIT_SPATIAL ? lr_rank_spatial_full(l) : l->d;

    for (int r = full - full % step; r > 0; r -= step)
        if (!lr_ranks_is_whole(l, ranks_at(l, r)))
            return r;
    return 0;
}

/* n ranks from a sixteenth of the highest that pays to that one, each by the same factor
 * above the one before: accuracy is lost at the low ranks. */
static int chosen(struct lr_ranks *out, const struct lr_rank_layer *l, int n, int step)
{
    int top = highest(l, step), last = 0, k = 0;

    for (int i = 0; i < n && top > 0; i++) {
        double share = n > 1 ? (double)i / (n - 1) : 0.5;
        int r = (int)lround(top / pow(16, 1 - share) / step) * step;
        /* Where the factor is too small to move a whole step, the step is made. */
        r = r > last ? r : last + step;
        if (r > top)
            break;
        last = r;
        struct lr_ranks ranks = ranks_at(l, r);
        if (!lr_ranks_is_whole(l, ranks) && (k == 0 || !is_same(out[k - 1], ranks)))
            out[k++] = ranks;
    }
    return k;
}

enum lr_status sweep_ranks(struct lr_ranks **out, int *n, const struct lr_session *s,
                           int layer, const struct lr_sweep_opts *o, struct lr_err *e)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    int step = lr_rank_step(&l, 1), n_points = o->n_points > 0 ? o->n_points : N_POINTS;
    int64_t size = o->first > 0 ? ((int64_t)o->last - o->first) / o->step + 1 : n_points;
    int n_whole = 0, first_whole = 0;

    *n = 0;
    *out = NULL;
    if (size > MAX_POINTS)
        return lr_err_set(e, LR_EINVAL, "%lld points: at most %d", (long long)size,
                          MAX_POINTS);
    struct lr_ranks *ranks = lr_calloc((size_t)size + 1, sizeof(*ranks));
    if (!ranks)
        return lr_enomem(e, (size_t)size * sizeof(*ranks), "points of a sweep");
    *out = ranks;
    if (o->first == 0) {
        *n = chosen(ranks, &l, n_points, step);
        return LR_OK;
    }
    for (int64_t i = 0; i < size; i++) {
        int rank = o->first + (int)i * o->step;
        int full = l.split == LR_SPLIT_SPATIAL ? lr_rank_spatial_full(&l) : l.d;
        /* Groups: the nearest multiple below; a rank asked for twice is one point. */
        rank = rank > full ? full : rank;
        rank = rank < step ? step : rank - rank % step;
        struct lr_ranks r = ranks_at(&l, rank);
        if (lr_ranks_is_whole(&l, r)) {
            first_whole = n_whole++ ? first_whole : o->first + (int)i * o->step;
            continue;
        }
        if (*n == 0 || !is_same(ranks[*n - 1], r))
            ranks[(*n)++] = r;
    }
    if (n_whole)
        lr_note(&s->notes, LR_NOTE_INFO, "%s: ranks from %d on do not pay, left out",
                s->layers[layer].name, first_whole);
    return LR_OK;
}

struct lr_sweep_point sweep_point(const struct lr_session *s, int layer,
                                  struct lr_ranks r)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    struct lr_sweep_point p = {
        .layer = layer, .method = s->plan[layer].method, .ranks = r};

    p.macs = lr_macs_split(&l, r);
    p.speedup = p.macs > 0 ? (double)lr_macs_whole(&l) / (double)p.macs : NAN;
    p.energy = lr_ranks_energy(&l, r);
    p.error_linear = p.error_heldout = NAN;
    p.eval.top1 = p.eval.top1_original = p.eval.top1_difference = NAN;
    p.eval.difference_low = p.eval.difference_high = NAN;
    p.eval.top1_low = p.eval.top1_high = p.eval.top5 = p.eval.top5_original = NAN;
    p.eval.agreement = p.eval.output_error = p.eval.seconds = NAN;
    return p;
}

double sweep_macs_behind(const struct lr_session *s, int layer)
{
    bool *behind = lr_calloc((size_t)s->graph->n_values + 1, sizeof(*behind));
    double macs = 0;

    if (!behind) /* only the progress depends on it */
        return (double)s->layers[layer].macs;
    behind[s->layers[layer].value] = true;
    for (int k = 0; k < s->graph->n_nodes; k++) {
        const struct lr_node *node = &s->graph->nodes[k];
        bool is_behind = false;
        for (int i = 0; i < node->n_in; i++)
            is_behind = is_behind || (node->in[i] >= 0 && behind[node->in[i]]);
        for (int i = 0; is_behind && i < node->n_out; i++)
            if (node->out[i] >= 0)
                behind[node->out[i]] = true;
    }
    for (int i = 0; i < s->n_layers; i++)
        if (i != layer && behind[s->layers[i].value])
            macs += (double)s->layers[i].macs;
    lr_free(behind);
    return macs;
}
