/* What fitting and using the model of lost accuracy share. */
#ifndef RANKLAB_RANK_LOSS_INTERNAL_H
#define RANKLAB_RANK_LOSS_INTERNAL_H

#include "ranklab/loss.h"

/* Losses that are not larger than this are not told apart, nor given more weight. */
#define LOSS_FLOOR 5e-4
/* Spread (of the logarithm) of k among kinds before anything is known. */
#define LOSS_KIND_SPREAD 0.7

double loss_saturate(double u, double limit);
/* k x^exponent of one layer. */
double loss_feature(const struct lr_loss_model *m, struct lr_loss_input in, int layer);

#endif
