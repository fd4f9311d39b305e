/* Ranks by the sensitivity of the layers: each was split alone at a few ranks and the
 * accuracy lost measured. Over a layer's cost these drops are made monotone, by the
 * running maximum from the whole layer down (a cheaper split never counts as losing
 * less), and interpolated linearly. The lowest common level of drop that meets the budget
 * is found by halving over the levels that occur; what is then left of the budget goes
 * where it saves most of the drop per cost. */
#include <stdlib.h>

#include "rank/rank_internal.h"
#include "ranklab/mem.h"

/* Drops by cost, the whole layer (0) first. */
struct curve {
    int n;
    struct lr_option *x; /* loss: drop */
};

static int dear_first(const void *a, const void *b)
{
    const struct lr_option *x = a, *y = b;

    return (x->cost < y->cost) - (x->cost > y->cost);
}

static enum lr_status curve_new(struct curve *c, const struct lr_rank_layer *l,
                                const struct lr_budget *b, struct lr_err *e)
{
    int64_t whole = lr_budget_cost(b, l, lr_ranks_whole(l));
    double most = 0;

    if (!(c->x = lr_calloc((size_t)l->n_points + 1, sizeof(*c->x))))
        return lr_enomem(e, ((size_t)l->n_points + 1) * sizeof(*c->x), "drops");
    c->x[c->n++] = (struct lr_option){.cost = whole};
    for (int i = 0; l->points && i < l->n_points; i++) {
        int64_t cost = lr_budget_cost(b, l, l->points[i].ranks);
        if (isfinite(l->points[i].drop) && cost < whole)
            c->x[c->n++] = (struct lr_option){.cost = cost, .loss = l->points[i].drop};
    }
    qsort(c->x, (size_t)c->n, sizeof(*c->x), dear_first);
    for (int i = 0; i < c->n; i++) {
        most = fmax(most, c->x[i].loss);
        c->x[i].loss = most;
    }
    /* Of equal costs the highest drop counts. */
    int kept = 0;
    for (int i = 0; i < c->n; i++) {
        if (kept > 0 && c->x[i].cost == c->x[kept - 1].cost)
            kept--;
        c->x[kept++] = c->x[i];
    }
    c->n = kept;
    return LR_OK;
}

/* Below the cheapest point the line goes on, at least as steep as from the whole layer.
 */
static double drop_at(const struct curve *c, int64_t cost)
{
    const struct lr_option *last = &c->x[c->n - 1], *whole = &c->x[0];

    for (int i = 1; i < c->n; i++) {
        const struct lr_option *a = &c->x[i - 1], *b = &c->x[i];
        if (cost >= b->cost)
            return cost >= a->cost
                       ? a->loss
                       : b->loss + (a->loss - b->loss) * (double)(cost - b->cost) /
                                       (double)(a->cost - b->cost);
    }
    if (c->n < 2)
        return 0;
    double slope = last->loss / (double)(whole->cost - last->cost);
    slope =
        fmax(slope, (last->loss - last[-1].loss) / (double)(last[-1].cost - last->cost));
    return last->loss + slope * (double)(last->cost - cost);
}

/* ---- the ranks among which a layer chooses ---- */

static enum lr_status add(struct lr_options *o, const struct curve *c,
                          const struct lr_rank_layer *l, const struct lr_budget *b,
                          struct lr_ranks r, struct lr_err *e)
{
    int64_t cost = lr_budget_cost(b, l, r);

    if (lr_ranks_is_whole(l, r) || cost >= c->x[0].cost)
        return LR_OK;
    return lr_options_add(o, cost, drop_at(c, cost), r, e);
}

static int cheap_first(const void *a, const void *b)
{
    const struct lr_option *x = a, *y = b;

    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    if (x->ranks.channel != y->ranks.channel)
        return x->ranks.channel < y->ranks.channel ? -1 : 1;
    return (x->ranks.spatial > y->ranks.spatial) - (x->ranks.spatial < y->ranks.spatial);
}

/* One rank: all of the grid. Two: the pairs that lr_ranks_for_speedup gives from speedup
 * 1 on, 1 % apart, and the lowest. Sorted by cost; drops fall along the list. */
static enum lr_status choices_new(struct lr_options *o, const struct curve *c,
                                  const struct lr_rank_layer *l,
                                  const struct lr_budget *b, struct lr_err *e)
{
    struct lr_ranks whole = lr_ranks_whole(l), r = whole;
    enum lr_status st = LR_OK;
    bool is_spatial = l->split == LR_SPLIT_SPATIAL;
    int full = is_spatial ? whole.spatial : whole.channel;
    int step = lr_rank_step(l, b->round), count = lr_grid_count(full, step);

    if (!l->is_kept && l->split == LR_SPLIT_BOTH) {
        double x = 1;
        while (st == LR_OK && lr_ranks_for_speedup(&r, l, x, b->round)) {
            st = add(o, c, l, b, r, e);
            x *= 1.01;
        }
        if (st == LR_OK)
            st = add(o, c, l, b, lr_budget_lowest(b, l), e);
    } else if (!l->is_kept && l->split != LR_SPLIT_NONE) {
        for (int k = 1; k <= count && st == LR_OK; k++) {
            *(is_spatial ? &r.spatial : &r.channel) = lr_grid_rank(full, step, k);
            st = add(o, c, l, b, r, e);
        }
    }
    if (st == LR_OK)
        st = lr_options_add(o, c->x[0].cost, 0, whole, e);
    if (st != LR_OK)
        return st;
    qsort(o->x, (size_t)o->n, sizeof(*o->x), cheap_first);
    int kept = 0;
    for (int i = 0; i < o->n; i++)
        if (kept == 0 || o->x[i].cost > o->x[kept - 1].cost)
            o->x[kept++] = o->x[i];
    o->n = kept;
    return LR_OK;
}

/* ---- the level ---- */

/* The cheapest choice that loses at most level. */
static int choice_for(const struct lr_options *o, double level)
{
    int low = 0, high = o->n - 1;

    while (low < high) {
        int middle = low + (high - low) / 2;
        if (o->x[middle].loss <= level)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static double choose(int *at, const struct lr_options *o, int n, double fixed,
                     double level)
{
    for (int i = 0; i < n; i++) {
        at[i] = choice_for(&o[i], level);
        fixed += (double)o[i].x[at[i]].cost;
    }
    return fixed;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static enum lr_status lowest_level(double *level, int *at, const struct lr_options *o,
                                   int n, const struct lr_budget *b, struct lr_err *e)
{
    size_t n_levels = 0, low = 0;

    for (int i = 0; i < n; i++)
        n_levels += (size_t)o[i].n;
    double *levels = lr_alloc(n_levels + 1, sizeof(double));
    if (!levels)
        return lr_enomem(e, (n_levels + 1) * sizeof(double), "levels of accuracy lost");
    n_levels = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < o[i].n; k++)
            levels[n_levels++] = o[i].x[k].loss;
    qsort(levels, n_levels, sizeof(double), by_value);
    size_t high = n_levels > 0 ? n_levels - 1 : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (choose(at, o, n, b->fixed, levels[middle]) <= b->limit)
            high = middle;
        else
            low = middle + 1;
    }
    *level = n_levels > 0 ? levels[low] : 0;
    lr_free(levels);
    return LR_OK;
}

/* Gives slack back: first where it saves most drop per cost, then, where none is saved
 * any more, a step at a time to the layer split most. */
static void give_back(int *at, const struct lr_options *o, int n, double slack)
{
    for (;;) {
        int best = -1, to = 0;
        double highest = 0, fullest = INFINITY;
        for (int i = 0; i < n; i++)
            for (int k = at[i] + 1; k < o[i].n; k++) {
                const struct lr_option *x = &o[i].x[k], *now = &o[i].x[at[i]];
                double rise = (double)(x->cost - now->cost);
                if (rise > slack)
                    break;
                if ((now->loss - x->loss) / rise > highest) {
                    highest = (now->loss - x->loss) / rise;
                    best = i;
                    to = k;
                }
            }
        for (int i = 0; i < n && highest <= 0; i++) {
            const struct lr_option *now = &o[i].x[at[i]];
            double share = (double)now->cost / (double)o[i].x[o[i].n - 1].cost;
            if (at[i] + 1 < o[i].n && (double)(now[1].cost - now->cost) <= slack &&
                share < fullest) {
                fullest = share;
                best = i;
                to = at[i] + 1;
            }
        }
        if (best < 0)
            return;
        slack -= (double)(o[best].x[to].cost - o[best].x[at[best]].cost);
        at[best] = to;
    }
}

enum lr_status lr_rank_sensitivity(struct lr_ranks *ranks,
                                   const struct lr_rank_layer *layers, int n,
                                   const struct lr_budget *b, struct lr_err *e)
{
    struct lr_options *o = NULL;
    int *at = NULL;
    double level = 0;
    enum lr_status st = lr_budget_check(b, layers, n, LR_NEEDS_DROPS, e);

    if (st != LR_OK)
        return st;
    o = lr_calloc((size_t)n, sizeof(*o));
    at = lr_calloc((size_t)n, sizeof(*at));
    if (!o || !at) {
        st = lr_enomem(e, (size_t)n * sizeof(*o), "rank selection");
        goto out;
    }
    for (int i = 0; i < n && st == LR_OK; i++) {
        struct curve c = {0};
        st = curve_new(&c, &layers[i], b, e);
        if (st == LR_OK)
            st = choices_new(&o[i], &c, &layers[i], b, e);
        lr_free(c.x);
    }
    if (st == LR_OK)
        st = lowest_level(&level, at, o, n, b, e);
    if (st != LR_OK)
        goto out;
    double total = choose(at, o, n, b->fixed, level);
    give_back(at, o, n, b->limit - total);
    for (int i = 0; i < n; i++)
        ranks[i] = o[i].x[at[i]].ranks;
out:
    for (int i = 0; o && i < n; i++)
        lr_options_free(&o[i]);
    lr_free(o);
    lr_free(at);
    return st;
}
