/* Accuracy of a network over a data set, with intervals. */
#ifndef RANKLAB_EVAL_H
#define RANKLAB_EVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/dataset.h"
#include "ranklab/err.h"
#include "ranklab/graph.h"
#include "ranklab/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Per-image outcome of one network, kept so that another can be compared on the same
 * images and the original need not run again. */
struct lr_outcome {
    int64_t n;
    int n_out;     /* outputs per image (of the graph's first output) */
    int32_t *top1; /* argmax, the first of equals; owned */
    uint8_t *hit1,
        *hit5;  /* against labels; NULL without labels; hit5 NULL under 6 outputs */
    float *out; /* [n x n_out] raw outputs; owned */
    double seconds;
};
void lr_outcome_free(struct lr_outcome *o);
/* An outcome of n images of n_out outputs each, to be filled by lr_outcome_put. labels: n
 * entries, or NULL; LR_EINVAL when one is no output. */
enum lr_status lr_outcome_init(struct lr_outcome *o, int64_t n, int n_out,
                               const int32_t *labels, struct lr_err *e);
/* Image i gave x [n_out]; labels as before. LR_ENUMERIC when an output is not finite. */
enum lr_status lr_outcome_put(struct lr_outcome *o, int64_t i, const float *x,
                              const int32_t *labels, struct lr_err *e);
/* Runs g over the first count images (0: all). Batch chosen inside. */
enum lr_status lr_outcome_run(struct lr_outcome *o, const struct lr_graph *g,
                              const struct lr_dataset *data, int64_t count,
                              const struct lr_progress *progress, struct lr_err *e);

/* Fractions; NAN without labels. difference = approximated - original, paired on the same
 * images: the interval is Newcombe's for paired proportions (1998, method 10) at 95 %;
 * top1_low..high is Wilson's. agreement: share of images with equal top-1. output_error:
 * |o - o'|^2 / |o|^2 over all outputs. */
struct lr_eval {
    int64_t images;
    double top1, top1_original, top1_difference, difference_low, difference_high;
    double top1_low, top1_high, top5, top5_original, agreement, output_error, seconds;
};
enum lr_status lr_eval_compare(struct lr_eval *r, const struct lr_outcome *original,
                               const struct lr_outcome *approximated, struct lr_err *e);
/* Wilson score interval of k hits in n at 95 %. */
void lr_wilson(double *low, double *high, int64_t k, int64_t n);
/* Newcombe's paired interval from the four counts: both, only a, only b, neither hit;
 * difference = share(a) - share(b). */
void lr_paired_interval(double *difference, double *low, double *high, int64_t both,
                        int64_t only_a, int64_t only_b, int64_t neither);

#ifdef __cplusplus
}
#endif

#endif
