/* Predicting the accuracy of ranks that were not evaluated, from the spectra and the
 * sweeps and evaluations made so far. */
#ifndef RANKLAB_PREDICT_H
#define RANKLAB_PREDICT_H

#include "ranklab/session.h"
#include "ranklab/sweep.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lr_prediction {
    int n_learned; /* evaluations it rests on; 0: nothing can be said */
    double top1;   /* fraction; NAN without labels or when nothing can be said */
    double difference, low, high; /* from the original; low..high: 95 % for a new one */
    bool is_agreement; /* without labels: difference is that of agreement from 1 */
    /* How good it was on the evaluations left out one by one. */
    double loo_error;       /* root mean square, fraction */
    double loo_correlation; /* Spearman; NAN under 3 */
};
/* Learns from what the session knows when that changed; called by the thread that
 * computes. */
enum lr_status lr_session_learn(struct lr_session *s, struct lr_err *e);
/* Of the plan as it is; cheap (well under a millisecond), starts no parallel work. */
void lr_session_predict(struct lr_prediction *p, const struct lr_session *s);
/* Of any ranks with any methods, n_layers each. */
void lr_session_predict_ranks(struct lr_prediction *p, const struct lr_session *s,
                              const enum lr_method *methods,
                              const struct lr_ranks *ranks);

#ifdef __cplusplus
}
#endif

#endif
