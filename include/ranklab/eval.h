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

/* What an output means. SCORES: one number per class, at one place (a classifier) or at
 * many (a segmentation); CLASSES: integers, answers as they stand; IMAGE: a map of one or
 * three channels; VALUES: anything else, where there is nothing to agree on. */
enum lr_output_kind {
    LR_OUTPUT_VALUES,
    LR_OUTPUT_SCORES,
    LR_OUTPUT_CLASSES,
    LR_OUTPUT_IMAGE
};
/* Class c at place p is element (p / step * n_classes + c) * step + p % step of an
 * image's outputs. */
struct lr_output_view {
    enum lr_output_kind kind;
    int n_places; /* answers per image; 0 for VALUES and IMAGE */
    int n_classes, step;
    bool is_probability, is_log; /* from a Softmax over the classes; a LogSoftmax */
    bool is_spatial;             /* has height and width */
    bool is_constant;            /* the same for every image */
};
/* Of output i of g, from its shape, its type and the node that makes it. */
void lr_output_view(struct lr_output_view *v, const struct lr_graph *g, int i);

/* Per-image outcome of one network, kept so that another can be compared on the same
 * images and the original need not run again. */
struct lr_outcome {
    int64_t n;
    int n_out; /* outputs per image (of the graph's first output) */
    struct lr_output_view view;
    int32_t *top1;        /* [n x n_places] argmax, the first of equals; owned */
    uint8_t *hit1, *hit5; /* against labels; NULL without labels or with other than one
                             answer per image; hit5 NULL under 6 classes */
    float *out;           /* [n x n_out] raw outputs; owned */
    double seconds;
};
void lr_outcome_free(struct lr_outcome *o);
/* An outcome of n images of n_out outputs each, to be filled by lr_outcome_put. labels: n
 * entries, or NULL; used where there is one answer per image; LR_EINVAL when one is no
 * class. */
enum lr_status lr_outcome_init(struct lr_outcome *o, int64_t n, int n_out,
                               const struct lr_output_view *view, const int32_t *labels,
                               struct lr_err *e);
/* Image i gave x [n_out]; labels as before. LR_ENUMERIC when an output is not finite. */
enum lr_status lr_outcome_put(struct lr_outcome *o, int64_t i, const float *x,
                              const int32_t *labels, struct lr_err *e);
/* How good o is: the share of images it gets right; without labels, of answers that are
 * the original's; where there are none, 1 - output error, at least 0. */
double lr_outcome_quality(const struct lr_outcome *o, const struct lr_outcome *original);
/* Bytes that lr_outcome_run keeps for count images of g. */
double lr_outcome_bytes(const struct lr_graph *g, int64_t count);
/* Runs g over the first count images (0: all). Batch chosen inside. */
enum lr_status lr_outcome_run(struct lr_outcome *o, const struct lr_graph *g,
                              const struct lr_dataset *data, int64_t count,
                              const struct lr_progress *progress, struct lr_err *e);

/* Fractions; NAN without labels. difference = approximated - original, paired on the same
 * images: the interval is Newcombe's for paired proportions (1998, method 10) at 95 %;
 * top1_low..high is Wilson's. agreement: share of answers that are equal, one per image
 * or per place; NAN where there are none. output_error: |o - o'|^2 / |o|^2 over all
 * outputs.
 */
struct lr_eval {
    int64_t images;
    double top1, top1_original, top1_difference, difference_low, difference_high;
    double top1_low, top1_high, top5, top5_original, agreement, output_error, seconds;
};
enum lr_status lr_eval_compare(struct lr_eval *r, const struct lr_outcome *original,
                               const struct lr_outcome *approximated, struct lr_err *e);

/* Two networks on one output. kl: mean over images and places of sum p log(p / p'), p the
 * original's, in nats; NAN where these are no probabilities. psnr: 10 log10(range^2 /
 * mean squared difference) in dB, range that of the original's values on these images;
 * NAN where there is no height and width, INFINITY where nothing differs. */
struct lr_output_measure {
    struct lr_output_view view;
    int64_t images;
    double agreement, output_error, kl, psnr;
};
/* Runs both over the first count images (0: all), side by side and batch by batch, so
 * that nothing but sums is kept. m: original->n_outputs entries; seconds (may be NULL):
 * what the approximated one took. */
enum lr_status lr_outputs_compare(struct lr_output_measure *m, double *seconds,
                                  const struct lr_graph *original,
                                  const struct lr_graph *approximated,
                                  const struct lr_dataset *data, int64_t count,
                                  const struct lr_progress *progress, struct lr_err *e);
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
