/* What the two halves of prediction share: learning and asking. */
#ifndef RANKLAB_SESSION_PREDICT_INTERNAL_H
#define RANKLAB_SESSION_PREDICT_INTERNAL_H

#include "ranklab/loss.h"
#include "ranklab/predict.h"
#include "session/internal.h"

struct seen {
    enum lr_method *methods;
    struct lr_ranks *ranks;
    struct lr_eval eval;
};

struct lr_predictor {
    struct seen *seen; /* evaluations of whole plans */
    int n, cap;
    bool has_looked;  /* at what is known already: the journal, sweeps */
    int64_t n_images; /* of calibration and evaluation, that were known then */
    bool has_model, is_agreement;
    struct lr_loss_model model;
    double top1_original;
    struct lr_learned *learned; /* [model.n_networks] */
};

/* Share of the energy that a layer loses so: 0 when whole, NAN while not known. */
double predict_lost_energy(const struct lr_session *s, int layer, enum lr_method m,
                           struct lr_ranks r);
/* The loss of accuracy, or without labels of agreement, and its standard error. */
double predict_loss_of(const struct lr_eval *v);
double predict_error_of(const struct lr_eval *v);

#endif
