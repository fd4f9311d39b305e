/* Milliseconds between the ranks that were measured. A convolution's time does not grow
 * with every channel: kernels work on blocks of 8 or 16, and some take another path when
 * the channels are no multiple of 4. So ranks are seen in cells of 16, in two classes,
 * and only equal places of cells are compared with each other. Pairs of ranks are too
 * many for that: there the rate, milliseconds for the multiply-adds of the ranks rounded
 * up to blocks of 8, is carried over from the measured pairs nearby. */
#include <math.h>
#include <stdlib.h>

#include "rank/rank_internal.h"

enum { CELL = 16, ALIGN = 4, BLOCK = 8 };

static int rank_of(const struct lr_rank_layer *l, struct lr_ranks r)
{
    return l->split == LR_SPLIT_SPATIAL ? r.spatial : r.channel;
}

/* ---- one rank ---- */

static int cell_of(int rank)
{
    return (rank - 1) / CELL;
}

static bool is_in_class(int rank, bool is_aligned)
{
    return (rank % ALIGN == 0) == is_aligned;
}

/* What the points of this class in a cell say of the place of rank within its cell; NAN
 * when there are none. */
static double at_place(const struct lr_rank_layer *l, int cell, int rank, bool is_aligned)
{
    const struct lr_ms_table *t = l->times;
    int place = rank - cell_of(rank) * CELL, below = -1, above = -1;
    double low = NAN, high = NAN;

    for (int i = 0; i < t->n; i++) {
        int x = rank_of(l, t->points[i].ranks);
        if (cell_of(x) != cell || !is_in_class(x, is_aligned))
            continue;
        x -= cell * CELL;
        if (x <= place && x > below) {
            below = x;
            low = t->points[i].ms;
        }
        if (x >= place && (above < 0 || x < above)) {
            above = x;
            high = t->points[i].ms;
        }
    }
    if (below < 0 || above < 0)
        return below < 0 ? high : low;
    return above == below ? low : low + (high - low) * (place - below) / (above - below);
}

/* Among the cells that have this class: the nearest from cell on in direction step. */
static int next_cell(const struct lr_rank_layer *l, int cell, int step, bool is_aligned)
{
    int best = -1;

    for (int i = 0; i < l->times->n; i++) {
        int x = rank_of(l, l->times->points[i].ranks), c = cell_of(x);
        if (is_in_class(x, is_aligned) && (c - cell) * step >= 0 &&
            (best < 0 || (c - best) * step < 0))
            best = c;
    }
    return best;
}

static double at_rank(const struct lr_rank_layer *l, int rank)
{
    int cell = cell_of(rank);
    bool is_aligned = rank % ALIGN == 0;

    if (next_cell(l, 0, 1, is_aligned) < 0)
        is_aligned = !is_aligned;
    int low = next_cell(l, cell, -1, is_aligned),
        high = next_cell(l, cell, 1, is_aligned);
    if (high < 0) {
        /* Beyond the last cell the line through the last two goes on. */
        int before = low > 0 ? next_cell(l, low - 1, -1, is_aligned) : -1;
        if (before < 0)
            return at_place(l, low, rank, is_aligned);
        double y = at_place(l, low, rank, is_aligned);
        double slope = (y - at_place(l, before, rank, is_aligned)) / (low - before);
        return y + fmax(slope, 0) * (cell - low);
    }
    if (low < 0 || low == high)
        return at_place(l, high, rank, is_aligned);
    double from = at_place(l, low, rank, is_aligned),
           to = at_place(l, high, rank, is_aligned);
    return from + (to - from) * (cell - low) / (high - low);
}

/* ---- pairs ---- */

static int padded(int rank, int full)
{
    int up = (rank + BLOCK - 1) / BLOCK * BLOCK;

    return up < full ? up : full;
}

static double padded_macs(const struct lr_rank_layer *l, struct lr_ranks r)
{
    r.channel = padded(r.channel, l->d);
    r.spatial = padded(r.spatial, lr_rank_spatial_full(l));
    return (double)lr_macs_split(l, r);
}

static double at_pair(const struct lr_rank_layer *l, struct lr_ranks r)
{
    double sum = 0, weights = 0;

    for (int i = 0; i < l->times->n; i++) {
        const struct lr_ms_point *p = &l->times->points[i];
        double x = log((double)r.channel / p->ranks.channel),
               y = log((double)r.spatial / p->ranks.spatial);
        double distance = x * x + y * y;
        if (p->ranks.channel == r.channel && p->ranks.spatial == r.spatial)
            return p->ms;
        sum += p->ms / padded_macs(l, p->ranks) / (distance * distance);
        weights += 1 / (distance * distance);
    }
    return sum / weights * padded_macs(l, r);
}

double lr_ms_at(const struct lr_rank_layer *l, struct lr_ranks r)
{
    if (!l->times)
        return NAN;
    if (lr_ranks_is_whole(l, r) || l->split == LR_SPLIT_NONE)
        return l->times->whole.ms;
    if (l->times->n < 1)
        return NAN;
    return l->split == LR_SPLIT_BOTH ? at_pair(l, lr_ranks_fill_merged(l, r))
                                     : at_rank(l, rank_of(l, r));
}

/* ---- what to measure ---- */

static int by_ranks(const void *a, const void *b)
{
    const struct lr_ranks *x = a, *y = b;

    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    return (x->spatial > y->spatial) - (x->spatial < y->spatial);
}

static int add(struct lr_ranks *out, int n, int max, const struct lr_rank_layer *l,
               struct lr_ranks r)
{
    r = lr_ranks_fill_merged(l, r);
    if (n == max || lr_ranks_is_whole(l, r))
        return n;
    for (int i = 0; i < n; i++)
        if (out[i].channel == r.channel && out[i].spatial == r.spatial)
            return n;
    out[n] = r;
    return n + 1;
}

/* Whether the cell, counted from 1, is measured: 1, 2, 3, 4, 6, 8, 12, 16, 24 ... and the
 * last; coarsely the powers of 2 and the last. */
static bool is_taken(int cell, int last, bool is_coarse)
{
    int x = cell;

    while (x > 3 && x % 2 == 0)
        x /= 2;
    return cell == last || x == 1 || x == 2 || (x == 3 && !is_coarse);
}

static int add_cells(struct lr_ranks *out, int max, const struct lr_rank_layer *l,
                     bool is_coarse)
{
    static const int fine[] = {1, 4, 7, 8, 9, 12, 15, 16, 0}, some[] = {1, 8, 9, 16, 0},
                     few[] = {1, 8, 16, 0};
    bool is_spatial = l->split == LR_SPLIT_SPATIAL;
    int full = is_spatial ? lr_rank_spatial_full(l) : l->d;
    int step = lr_rank_step(l, 1), n = 0;
    int last = (lr_break_even(l, lr_ranks_whole(l)) - 1 + CELL - 1) / CELL;

    for (int cell = 1; cell <= last; cell++) {
        const int *places = is_coarse ? few : cell <= 2 ? fine : some;
        if (!is_taken(cell, last, is_coarse))
            continue;
        for (int k = 0; places[k]; k++) {
            int rank = (cell - 1) * CELL + places[k];
            rank = (rank + step - 1) / step * step;
            struct lr_ranks r = {l->d, rank};
            if (!is_spatial)
                r = (struct lr_ranks){rank, 0};
            if (rank < full)
                n = add(out, n, max, l, r);
        }
    }
    return n;
}

static int add_pairs(struct lr_ranks *out, int max, const struct lr_rank_layer *l,
                     bool is_coarse)
{
    int full = lr_rank_spatial_full(l), step = lr_rank_step(l, BLOCK), n = 0;
    double ratio = is_coarse ? 0.4 : 0.6;

    for (double x = 1; x * l->d >= step; x *= ratio)
        for (double y = 0.7; y * full >= step; y *= ratio) {
            struct lr_ranks r = {(int)(x * l->d) / step * step,
                                 (int)(y * full) / step * step};
            n = add(out, n, max, l, r);
        }
    return n;
}

int lr_ms_ranks(struct lr_ranks *out, int max, const struct lr_rank_layer *l,
                bool is_coarse)
{
    struct lr_ranks least = lr_ranks_lowest(l, 1);
    int n = 0;

    if (l->is_kept || l->split == LR_SPLIT_NONE)
        return 0;
    n = l->split == LR_SPLIT_BOTH ? add_pairs(out, max, l, is_coarse)
                                  : add_cells(out, max, l, is_coarse);
    n = add(out, n, max, l, least);
    qsort(out, (size_t)n, sizeof(*out), by_ranks);
    return n;
}
