/* Shared by the rank rules: what a layer costs under a budget, and where it can go. */
#ifndef LR_RANK_INTERNAL_H
#define LR_RANK_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/rank.h"

/* Cost of the layer at rank (d: whole) in the budget's unit. */
int64_t lr_budget_cost(const struct lr_budget *b, const struct lr_rank_layer *l,
                       int rank);
/* Fixed cost plus that of every layer at its rank. */
double lr_budget_total(const struct lr_budget *b, const struct lr_rank_layer *layers,
                       const int *ranks, int n);
/* The lowest rank the rounding allows; d when the layer stays whole because it is kept or
 * because no rank pays. */
int lr_budget_min_rank(const struct lr_budget *b, const struct lr_rank_layer *l);
/* LR_EINVAL when the layers or the budget make no sense, spectra are needed and missing,
 * or the budget cannot be met at the lowest ranks. */
enum lr_status lr_budget_check(const struct lr_budget *b,
                               const struct lr_rank_layer *layers, int n,
                               bool needs_spectra, struct lr_err *e);

/* The greedy rules; is_paper: the paper's dC = C_l / d_l instead of the cost of one rank.
 */
enum lr_status lr_rank_greedy(int *ranks, const struct lr_rank_layer *layers, int n,
                              const struct lr_budget *b, bool is_paper, struct lr_err *e);

#endif
