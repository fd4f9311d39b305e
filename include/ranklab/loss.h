/* The accuracy a network loses, as a function of the energy that the ranks of its layers
 * lose. Fitted to few evaluations, so that what was not evaluated can be told. */
#ifndef RANKLAB_LOSS_H
#define RANKLAB_LOSS_H

#include <stdbool.h>

#include "ranklab/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One network as the model sees it. lost[i]: share of the energy that layer i loses, 0:
 * whole; kind[i], 0 .. LR_LOSS_KINDS - 1: what it was split by. Borrowed. */
enum { LR_LOSS_KINDS = 8 };
struct lr_loss_input {
    const double *lost;
    const int *kind;
};
/* An evaluation: loss (fraction, original - approximated) with its standard error.
 * is_alone: of one layer with everything else whole, as sweeps measure it. */
struct lr_loss_sample {
    struct lr_loss_input input;
    double loss, error;
    bool is_alone;
};

/* loss = limit (1 - exp(-u / limit)), u = (sum over i of a_i k(kind_i)
 * lost_i^exponent)^power. The a_i are not negative and drawn towards their common value,
 * the k towards 1: with few samples one number is learned, with many all of them. What
 * the samples leave open of the power is averaged over. */
enum { LR_LOSS_PARTS = 7 };
struct lr_loss_part {
    double power, weight; /* the weights' sum is 1 */
    double *a;            /* [n_layers], owned */
    double *root;         /* [n_layers x n_layers] of the covariance of a, owned */
};
struct lr_loss_model {
    int n_layers;
    struct lr_loss_part parts[LR_LOSS_PARTS];
    double k[LR_LOSS_KINDS];
    bool is_kind_known[LR_LOSS_KINDS]; /* some sample had it */
    double limit, exponent;
    int n_networks, n_alone; /* samples */
    double spread;           /* of a new loss about its prediction, relative */
    double noise;   /* variance of an evaluation by its images, relative to the loss */
    double largest; /* loss learned from */
    /* Of networks left out one by one: what the others say of each [n_networks, in their
     * order; NAN: nothing], root mean square, and Spearman (NAN under 3). */
    double *left_out; /* owned */
    double left_out_error, left_out_correlation;
};

/* limit: the largest loss there can be (accuracy of the original less that of chance).
 * n_samples >= 1; of each the n_layers inputs. Layers alone are weak evidence: all of
 * them together count less than one network. LR_ENUMERIC: nothing can be learned. */
enum lr_status lr_loss_fit(struct lr_loss_model *m, const struct lr_loss_sample *samples,
                           int n_samples, int n_layers, double limit, struct lr_err *e);
void lr_loss_model_free(struct lr_loss_model *m);
/* The loss, and the standard deviation about it of a new evaluation on as many images as
 * those learned from: what is not known of the model, what it cannot tell, and the
 * images. NAN where a lost energy is, or without memory. Cheap. */
double lr_loss_predict(double *deviation, const struct lr_loss_model *m,
                       struct lr_loss_input input);
/* Spearman's rank correlation, ties at their mean rank; NAN under 3 or without spread.
 * work: 2 n numbers. */
double lr_spearman(const double *a, const double *b, int n, double *work);

#ifdef __cplusplus
}
#endif

#endif
