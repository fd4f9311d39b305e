/* Cost of ranks, and choosing ranks for a budget. METHOD: section 3.2 of the CVPR paper;
 * section 3.3 of the TPAMI paper for spatial and channel splits together.
 */
#ifndef RANKLAB_RANK_H
#define RANKLAB_RANK_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/approx.h"
#include "ranklab/err.h"
#include "ranklab/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One pair of ranks at which a layer was measured. error: held-out response error after
 * the nonlinearity. drop: accuracy lost (fraction) when this layer alone is split so;
 * NAN: not measured. */
struct lr_rank_point {
    struct lr_ranks ranks;
    double error, drop;
};

/* How long one layer takes at ranks it was measured at: median and quartiles of the runs,
 * for one batch of a deployment. */
struct lr_ms_point {
    struct lr_ranks ranks;
    double ms, low, high;
    int n_runs;
};
struct lr_ms_table {
    struct lr_ms_point whole; /* ranks unused */
    int n;
    struct lr_ms_point *points; /* by d', then d''; owned by whoever made the table */
};

/* One layer as rank selection sees it. A split has a bias in its last part always, in an
 * earlier one only where the layer had one (a k x 1 part never has any). */
struct lr_rank_layer {
    const char *name;
    enum lr_split split; /* what its method makes of it */
    int c, d, kh, kw, group;
    int64_t positions; /* output height x width */
    int64_t
        mid_positions; /* output height x input width: the map between k x 1 and 1 x k */
    const double *eig; /* d descending eigenvalues, borrowed; NULL: unknown */
    const double *spatial; /* lr_rank_spatial_full descending squared singular values of
                              the spatial split, borrowed; NULL: unknown */
    const struct lr_rank_point *points; /* measured, in any order, borrowed; or NULL */
    int n_points;
    const struct lr_ms_table *times; /* measured, borrowed; or NULL */
    bool has_bias;
    bool needs_bias; /* all parts of a split have one, even where the layer has none */
    bool is_kept;    /* stays whole whatever the budget */
};

/* Inputs of one filter: c/g kh kw. */
int64_t lr_rank_patch(const struct lr_rank_layer *l);
/* Highest d'': g min(c/g kh, kw d/g). */
int lr_rank_spatial_full(const struct lr_rank_layer *l);
/* The ranks of the whole layer: {d, 0}, for splits with a spatial part {d, full}. */
struct lr_ranks lr_ranks_whole(const struct lr_rank_layer *l);
/* Ranks are multiples of this: the least common multiple of step (<= 1: none) and the
 * groups. */
int lr_rank_step(const struct lr_rank_layer *l, int step);

/* Multiply-adds of the layer: whole, and split. Channel: positions d' (patch + d/g).
 * Spatial: mid d'' kh c/g + positions kw d''/g d. Both: mid d'' kh c/g + positions min(d'
 * (kw d''/g + d/g), kw d''/g d): merged back where the last pair does not pay. */
int64_t lr_macs_whole(const struct lr_rank_layer *l);
int64_t lr_macs_split(const struct lr_rank_layer *l, struct lr_ranks r);
/* Whether the layer stays whole at r: kept, full rank, or the split costs no less. */
bool lr_ranks_is_whole(const struct lr_rank_layer *l, struct lr_ranks r);
/* What ranks cost honestly: split where that pays, else whole. */
int64_t lr_macs_at(const struct lr_rank_layer *l, struct lr_ranks r);
/* Parameters (weights and biases) likewise. */
int64_t lr_params_whole(const struct lr_rank_layer *l);
int64_t lr_params_split(const struct lr_rank_layer *l, struct lr_ranks r);
int64_t lr_params_at(const struct lr_rank_layer *l, struct lr_ranks r);

/* The smallest rank that no longer pays: d' of a channel split, ceil(patch d / (patch +
 * d)) without groups; d'' of a spatial one; for both, d' with d'' as it is in r. 1: none
 * pays. */
int lr_break_even(const struct lr_rank_layer *l, struct lr_ranks r);
/* The largest ranks whose layer speedup (whole / split) is at least x, multiples of step;
 * false when the lowest are not enough. Both: d' at about sqrt(x) of a channel split,
 * then the largest d'' that meets x (METHOD 6). */
bool lr_ranks_for_speedup(struct lr_ranks *r, const struct lr_rank_layer *l, double x,
                          int step);
/* The largest d'' with which d' costs at most macs; 0: none. For splits with both. */
int lr_spatial_for_macs(const struct lr_rank_layer *l, int channel, double macs,
                        int step);
/* The largest d' with which d'' costs at most macs (d: even merged back it fits); 0:
 * none. */
int lr_channel_for_macs(const struct lr_rank_layer *l, int spatial, double macs,
                        int step);
/* The smallest ranks with at least share (0..1] of the energy, each part for itself,
 * rounded up to multiples of step. What they need must be known (eig, spatial). */
struct lr_ranks lr_ranks_for_energy(const struct lr_rank_layer *l, double share,
                                    int step);
/* Share of energy that ranks keep: of eig for channel, of spatial for spatial, the
 * product for both. 1 for a whole layer. */
double lr_ranks_energy(const struct lr_rank_layer *l, struct lr_ranks r);
/* Rounds each rank to a multiple of step and groups: down, but at least one multiple.
 * Full ranks stay. */
struct lr_ranks lr_ranks_round(const struct lr_rank_layer *l, struct lr_ranks r,
                               int step);
/* Held-out error at r interpolated linearly between measured points of the layer (0 when
 * whole), or NAN where there are none. */
double lr_ranks_error(const struct lr_rank_layer *l, struct lr_ranks r);

/* Milliseconds at r; NAN without a table. Measured ranks have what was measured. Between
 * them the steps of the vector width are kept: ranks are seen in cells of 16, multiples
 * of 4 apart from the others; within a cell values are joined by lines, and a cell that
 * was not measured lies between its neighbours, place by place. Pairs of ranks have the
 * rate of the nearest measured ones, each weighted by its inverse squared distance in
 * logarithms. */
double lr_ms_at(const struct lr_rank_layer *l, struct lr_ranks r);
/* Ranks worth measuring for that, sorted; at most max of them, fewer with is_coarse.
 * Whole ones are left out. Returns how many. */
int lr_ms_ranks(struct lr_ranks *out, int max, const struct lr_rank_layer *l,
                bool is_coarse);

/* LR_BUDGET_MS: limit and fixed are in nanoseconds, for layers with times. */
enum lr_budget_kind { LR_BUDGET_MACS, LR_BUDGET_PARAMS, LR_BUDGET_MS };
enum lr_objective {
    LR_OBJECTIVE_ENERGY, /* the largest sum of log energies */
    LR_OBJECTIVE_ERROR   /* the smallest sum of held-out response errors */
};
struct lr_budget {
    enum lr_budget_kind kind;
    double limit; /* the sum over the layers given, plus fixed, must not exceed this */
    double fixed; /* cost of everything that is not among the layers */
    int round;    /* ranks as multiples of this, <= 1: any */
    enum lr_objective objective; /* for the rules that have a choice */
    const struct lr_progress *progress;
};

struct lr_rank_rule {
    const char *name, *summary;
    bool has_objective;
    bool needs_spectra; /* eig, and spatial where the split has such a part */
    bool needs_errors;  /* points with error, under LR_OBJECTIVE_ERROR only if
                           has_objective */
    bool needs_drops;   /* points with drop */
    bool has_ms;        /* takes budgets of milliseconds */
    enum lr_status (*select)(struct lr_ranks *ranks, const struct lr_rank_layer *layers,
                             int n, const struct lr_budget *b, struct lr_err *e);
};
/* Rules; ranks[i] = lr_ranks_whole means whole.
 * energy: greedy on the product of energies, dC the cost of one rank; after the greedy
 * run met the budget, eigenvalues are taken back in where they still fit, so that no
 * kept-out one of the best measure would fit any more. Spatial splits count the energies
 * of their filters. Splits with both: d' is chosen as if the spatial part gave every one
 * of them sqrt(whole / limit), then the largest d'' that meets the layer's share (METHOD
 * 6). paper: the same with dC = C_l / d_l. uniform: one speedup for every layer.
 * knapsack: exact over all ranks on the grid, every layer may stay whole, for the
 *   objective; ranks between measured points have interpolated errors.
 * sensitivity: one common level of accuracy lost by each layer alone, interpolated
 * between the points (made monotone), the lowest that meets the budget. LR_EINVAL when
 * the budget cannot be met even at the lowest ranks, saying the nearest speedup that can,
 * or when something needed is not known, naming the layer. */
extern const struct lr_rank_rule lr_rank_rules[];
extern const int lr_n_rank_rules;
const struct lr_rank_rule *lr_rank_rule_find(const char *name);
/* The ranks on the budget's grid with which every layer costs least, whatever that loses;
 * its limit is not looked at. Errors as the knapsack's for something not known. */
enum lr_status lr_ranks_cheapest(struct lr_ranks *ranks,
                                 const struct lr_rank_layer *layers, int n,
                                 const struct lr_budget *b, struct lr_err *e);
/* The objective's value for ranks: sum of log energies, or of errors. */
double lr_objective_value(enum lr_objective o, const struct lr_rank_layer *layers,
                          const struct lr_ranks *ranks, int n);

#ifdef __cplusplus
}
#endif

#endif
