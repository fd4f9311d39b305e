/* Cost of a layer whole and split, and ranks from costs and spectra. Counts come from
 * files, so products saturate instead of overflowing. */
#include <math.h>

#include "ranklab/rank.h"

static int64_t mul(int64_t a, int64_t b)
{
    int64_t product;

    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

int64_t lr_macs_whole(const struct lr_rank_layer *l)
{
    return mul(l->positions, mul(l->patch, l->d));
}

int64_t lr_macs_split(const struct lr_rank_layer *l, int rank)
{
    return mul(l->positions, mul(rank, add(l->patch, l->d)));
}

int64_t lr_macs_at(const struct lr_rank_layer *l, int rank)
{
    return rank < lr_break_even(l) ? lr_macs_split(l, rank) : lr_macs_whole(l);
}

int64_t lr_params_whole(const struct lr_rank_layer *l)
{
    return mul(l->d, add(l->patch, l->has_bias));
}

int64_t lr_params_split(const struct lr_rank_layer *l, int rank)
{
    return add(mul(rank, add(l->patch, l->has_bias)), mul(l->d, add(rank, 1)));
}

int64_t lr_params_at(const struct lr_rank_layer *l, int rank)
{
    return rank < lr_break_even(l) ? lr_params_split(l, rank) : lr_params_whole(l);
}

/* floor(patch d / ((patch + d) x)) for x >= 1, exact where the quotient is whole. */
static int largest_rank(const struct lr_rank_layer *l, double x)
{
    double whole = (double)l->patch * l->d, one = (double)l->patch + l->d;
    double rank = floor(whole / (one * x));

    while (rank > 0 && rank * one * x > whole * (1 + 1e-12))
        rank--;
    while (rank < l->d && (rank + 1) * one * x <= whole * (1 + 1e-12))
        rank++;
    return rank < l->d ? (int)rank : l->d;
}

int lr_break_even(const struct lr_rank_layer *l)
{
    double whole = (double)l->patch * l->d, one = (double)l->patch + l->d;
    int rank = largest_rank(l, 1);

    return rank * one < whole ? rank + 1 : rank;
}

int lr_rank_for_speedup(const struct lr_rank_layer *l, double x)
{
    if (isnan(x))
        return 0;
    return x > 0 ? largest_rank(l, x) : l->d;
}

int lr_rank_for_energy(const struct lr_rank_layer *l, double share)
{
    double all = 0, lost = 0;
    int rank = l->d;

    for (int i = l->d - 1; i >= 0; i--)
        all += l->eig[i];
    /* Drop from the end while what is lost stays within the allowance. A full share
     * allows nothing, a partial one its own rounding. */
    double allowed = share < 1 ? (1 - share + 1e-12) * all : 0;
    while (rank > 1 && lost + l->eig[rank - 1] <= allowed)
        lost += l->eig[--rank];
    return rank;
}

int lr_rank_round(const struct lr_rank_layer *l, int rank, int step)
{
    if (step <= 1 || rank >= l->d)
        return rank;
    int down = rank - rank % step, least = step < l->d ? step : l->d;
    return down < least ? least : down;
}
