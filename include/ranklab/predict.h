/* Predicting the accuracy of ranks that were not evaluated, from the spectra and the
 * sweeps and evaluations made so far, also those that the journal knows. */
#ifndef RANKLAB_PREDICT_H
#define RANKLAB_PREDICT_H

#include "ranklab/session.h"
#include "ranklab/sweep.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lr_prediction {
    int n_learned;  /* evaluations it rests on; 0: nothing can be said */
    int n_networks; /* of them; the others are of layers alone */
    double top1;    /* fraction; NAN without labels or when nothing can be said */
    double difference, low, high; /* from the original; low..high: 95 % for a new one */
    bool is_agreement; /* without labels: difference is that of agreement from 1 */
    /* How good it was on the evaluations left out one by one. */
    double loo_error;       /* root mean square, fraction */
    double loo_correlation; /* Spearman; NAN under 3 */
};
/* Learns from what the session and the journal know; called by the thread that computes
 * whenever that changed. Nothing is learned before the spectra are there. */
enum lr_status lr_session_learn(struct lr_session *s, struct lr_err *e);
/* The same, only when it was not done yet for these images. */
enum lr_status lr_session_learn_known(struct lr_session *s, struct lr_err *e);
/* The same with all the journal has: makes known the evaluation images it speaks of. */
enum lr_status lr_session_learn_all(struct lr_session *s,
                                    const struct lr_progress *progress, struct lr_err *e);
/* A network learned from, and what is predicted of it from all the others; fractions.
 * NAN: nothing. */
enum lr_learned_from { LR_LEARNED_EVAL, LR_LEARNED_SWEEP, LR_LEARNED_JOURNAL };
struct lr_learned {
    enum lr_learned_from from;
    double speedup; /* of the convolutions */
    int64_t images;
    double difference, predicted, low, high; /* low..high: 95 % */
};
/* Those of the last learning, their number; borrowed until the next one. */
int lr_session_learned(const struct lr_learned **out, const struct lr_session *s);
/* Of the plan as it is; cheap (well under a millisecond), starts no parallel work. */
void lr_session_predict(struct lr_prediction *p, const struct lr_session *s);

#ifdef __cplusplus
}
#endif

#endif
