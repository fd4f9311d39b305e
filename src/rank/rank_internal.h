/* Shared by the rank rules: the grid of ranks, what a layer costs under a budget, and
 * what it can be split into. */
#ifndef LR_RANK_INTERNAL_H
#define LR_RANK_INTERNAL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/rank.h"

/* ---- the grid: multiples of step below full, and full itself ---- */

int lr_grid_count(int full, int step);
int lr_grid_rank(int full, int step, int k); /* k from 1 */
/* The lowest ranks on the grid; those the split does not have are as in the whole layer.
 */
struct lr_ranks lr_ranks_lowest(const struct lr_rank_layer *l, int step);
/* Where the last two parts are merged back d' costs nothing: then d. */
struct lr_ranks lr_ranks_fill_merged(const struct lr_rank_layer *l, struct lr_ranks r);
bool lr_split_has_channel(const struct lr_rank_layer *l);
bool lr_split_has_spatial(const struct lr_rank_layer *l);

/* ---- values ---- */

/* out[k], k = 0..n: log of the share that the first k of x keep. */
void lr_log_shares(double *out, const double *x, int n);

/* Two neighbouring points of a layer's measured errors. */
struct lr_error_segment {
    struct lr_ranks from, to;
    double at_from, at_to;
    bool is_lowest; /* no point lies below from */
};
/* Whether points i and j (n_points: the whole layer) are such. */
bool lr_error_segment(struct lr_error_segment *s, const struct lr_rank_layer *l, int i,
                      int j);
/* What the segments seen so far say about one pair of ranks. */
struct lr_error_at {
    double exact, inside, outside;
};
#define LR_ERROR_AT_NOTHING                                                              \
    {                                                                                    \
        NAN, INFINITY, INFINITY                                                          \
    }
void lr_error_at_segment(struct lr_error_at *a, const struct lr_rank_layer *l,
                         const struct lr_error_segment *s, struct lr_ranks r);
double lr_error_result(const struct lr_error_at *a);

/* ---- budgets ---- */

/* Cost of the layer at ranks, in the budget's unit. */
int64_t lr_budget_cost(const struct lr_budget *b, const struct lr_rank_layer *l,
                       struct lr_ranks r);
/* The lowest ranks the rounding allows; the whole ones when the layer stays whole because
 * it is kept or because no split pays. */
struct lr_ranks lr_budget_lowest(const struct lr_budget *b,
                                 const struct lr_rank_layer *l);
/* What the layers may cost together: the largest integer that with fixed does not exceed
 * the limit. */
int64_t lr_budget_capacity(const struct lr_budget *b);

enum lr_rank_needs {
    LR_NEEDS_NOTHING,
    LR_NEEDS_SPECTRA,
    LR_NEEDS_ERRORS,
    LR_NEEDS_DROPS
};
/* LR_EINVAL when the layers or the budget make no sense, when what is needed is missing,
 * or the budget cannot be met at the lowest ranks. */
enum lr_status lr_budget_check(const struct lr_budget *b,
                               const struct lr_rank_layer *layers, int n,
                               enum lr_rank_needs needs, struct lr_err *e);

/* ---- options ---- */

/* One way to have a layer: its cost, and what it loses by it (0: nothing). */
struct lr_option {
    int64_t cost;
    double loss;
    struct lr_ranks ranks;
};
struct lr_options {
    int n, cap;
    struct lr_option *x;
};
void lr_options_free(struct lr_options *o);
enum lr_status lr_options_add(struct lr_options *o, int64_t cost, double loss,
                              struct lr_ranks r, struct lr_err *e);
/* All ranks on the grid and the whole layer, reduced; loss: minus the log of the energy,
 * or the interpolated error. */
enum lr_status lr_options_build(struct lr_options *o, const struct lr_rank_layer *l,
                                const struct lr_budget *b, struct lr_err *e);

/* ---- rules ---- */

/* is_paper: the paper's dC = C_l / d_l instead of the cost of one rank. */
enum lr_status lr_rank_greedy(struct lr_ranks *ranks, const struct lr_rank_layer *layers,
                              int n, const struct lr_budget *b, bool is_paper,
                              struct lr_err *e);
enum lr_status lr_rank_knapsack(struct lr_ranks *ranks,
                                const struct lr_rank_layer *layers, int n,
                                const struct lr_budget *b, struct lr_err *e);
enum lr_status lr_rank_sensitivity(struct lr_ranks *ranks,
                                   const struct lr_rank_layer *layers, int n,
                                   const struct lr_budget *b, struct lr_err *e);

#endif
