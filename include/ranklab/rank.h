/* Cost of ranks, and choosing ranks for a budget. METHOD: section 3.2 of the CVPR paper.
 */
#ifndef RANKLAB_RANK_H
#define RANKLAB_RANK_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/err.h"

/* One layer as rank selection sees it. positions: output height x width. patch: c kh kw
 * inputs of one filter. A split has a bias in its last part always, in its first only
 * where the layer had one. */
struct lr_rank_layer {
    const char *name;
    int d;
    int64_t patch, positions;
    const double *eig; /* d descending eigenvalues, borrowed; NULL: unknown */
    bool has_bias;
    bool is_kept; /* stays whole whatever the budget */
};

/* Multiply-adds of the layer: whole, and split at rank (channel split: positions x
 * (rank patch + d rank)). */
int64_t lr_macs_whole(const struct lr_rank_layer *l);
int64_t lr_macs_split(const struct lr_rank_layer *l, int rank);
/* What rank costs honestly: split below break-even, whole at or above it. */
int64_t lr_macs_at(const struct lr_rank_layer *l, int rank);
/* Parameters (weights and biases) likewise. */
int64_t lr_params_whole(const struct lr_rank_layer *l);
int64_t lr_params_split(const struct lr_rank_layer *l, int rank);
int64_t lr_params_at(const struct lr_rank_layer *l, int rank);
/* The smallest rank that no longer pays: ceil(patch d / (patch + d)); 1: no rank pays. */
int lr_break_even(const struct lr_rank_layer *l);
/* The largest rank whose layer speedup (whole / split) is at least x; 0 when rank 1 is
 * not enough. */
int lr_rank_for_speedup(const struct lr_rank_layer *l, double x);
/* The smallest rank with at least share (0..1] of the energy. eig must be known. */
int lr_rank_for_energy(const struct lr_rank_layer *l, double share);
/* Rounds to a multiple of step: down, but at least min(step, d). step <= 1: unchanged. */
int lr_rank_round(const struct lr_rank_layer *l, int rank, int step);

enum lr_budget_kind { LR_BUDGET_MACS, LR_BUDGET_PARAMS };
struct lr_budget {
    enum lr_budget_kind kind;
    double limit; /* the sum over the layers given, plus fixed, must not exceed this */
    double fixed; /* cost of everything that is not among the layers */
    int round;    /* ranks as multiples of this, <= 1: any */
};

struct lr_rank_rule {
    const char *name, *summary;
    bool needs_spectra;
    enum lr_status (*select)(int *ranks, const struct lr_rank_layer *layers, int n,
                             const struct lr_budget *b, struct lr_err *e);
};
/* Rules: energy (greedy on the product of energies, dC with the 1x1 part), paper (the
 * same with dC = C_l / d_l), uniform (one speedup for every layer). ranks[i] = d means
 * whole. After the greedy run met the budget, eigenvalues are taken back in where they
 * still fit, so that no kept-out one of the best measure would fit any more. LR_EINVAL
 * when the budget cannot be met even at rank 1, saying the nearest speedup that can. */
extern const struct lr_rank_rule lr_rank_rules[];
extern const int lr_n_rank_rules;
const struct lr_rank_rule *lr_rank_rule_find(const char *name);

#endif
