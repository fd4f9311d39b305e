/* The knapsack and its fractional relaxation (knapsack_relaxed.c). */
#ifndef LR_RANK_KNAPSACK_H
#define LR_RANK_KNAPSACK_H

#include "rank/rank_internal.h"

/* One step along the convex hull of a layer's options. */
struct lr_segment {
    double rise, saved; /* cost, and loss saved for it */
    int layer, at;      /* the layer's place in the order */
};

struct lr_relaxed {
    int n;                /* layers, in the order in which they are decided */
    struct lr_options *o; /* [n] */
    int64_t capacity;
    double best, slack; /* loss of the best complete choice; what rounding may blur */
    struct lr_segment *all, *rest; /* hull steps, steepest first; of layers to come */
    double *cum_rise, *cum_saved;
    int n_all, n_rest;
    int64_t rest_cost; /* of the layers to come, each at its cheapest */
    double rest_loss;
};

/* Room for the steps of all options of r->o. */
enum lr_status lr_relaxed_make_room(struct lr_relaxed *r, struct lr_err *e);
/* Releases the options too. */
void lr_relaxed_free(struct lr_relaxed *r);
/* To be called whenever options or their order have changed. */
void lr_relaxed_segments(struct lr_relaxed *r);
/* Sets best: along the hulls as far as it fits, skipping what does not; then single
 * changes that save most. */
void lr_relaxed_first_choice(struct lr_relaxed *r, int *scratch);
/* Removes options that with the Lagrangian bound at the relaxation's own price exceed the
 * best choice known. */
void lr_relaxed_drop_options(struct lr_relaxed *r);
/* Prepares the bound for the layers from first on. */
void lr_relaxed_set_rest(struct lr_relaxed *r, int first);
/* The least the layers to come can lose with room left for them; *rounded: what they lose
 * without the fraction. Infinite when they do not fit. */
double lr_relaxed_bound(const struct lr_relaxed *r, int64_t room, double *rounded);

#endif
