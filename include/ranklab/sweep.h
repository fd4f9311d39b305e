/* Sweeps: rank against response error and accuracy, for single layers with everything
 * else as in the original, and for whole networks over speedups. */
#ifndef RANKLAB_SWEEP_H
#define RANKLAB_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One point. eval as by lr_session_evaluate; where a sample stood in for all images,
 * eval.images of n_images were looked at, eval.top1 and the difference are the estimate
 * for all of them, and the intervals cover the sampling too. */
struct lr_sweep_point {
    int layer; /* -1: the whole network */
    enum lr_method method;
    struct lr_ranks ranks; /* of the layer */
    /* of a whole network: one entry a layer of the session, owned; NULL for a layer */
    enum lr_method *methods;
    struct lr_ranks *network_ranks; /* whole ranks: the layer stays whole */
    char rule[16];                  /* that chose them */
    double wanted_speedup;
    int64_t macs;                       /* of the layer, or of all convolutions */
    double speedup;                     /* likewise */
    double energy;                      /* of the layer, or the product over the layers */
    double error_linear, error_heldout; /* of the layer; NAN for a network */
    int64_t n_images;
    struct lr_eval eval;
    double sampling; /* half-width of the 95 % interval of what all images would give: the
                        part of eval's intervals that is due to looking at some of them;
                        0: all were looked at */
    bool is_from_journal;
};
/* Settings that the points were made with: others make them worthless. */
struct lr_sweep_settings {
    uint64_t seed;
    int n_iter1, n_iter2;
    double lambda1, lambda2;
};
/* All points known in this session for the network, images and settings as they are,
 * each once; sorted by layer (networks first), then by falling macs. */
struct lr_sweeps {
    int n, cap;
    struct lr_sweep_point *points; /* owned */
    struct lr_sweep_settings settings;
};
/* Whether the 95 % interval of the top-1 difference leaves out 0; false without labels.
 */
bool lr_sweep_is_significant(const struct lr_sweep_point *p);
/* Whether labels say how often the network is right: there are some, and its first output
 * gives one answer an image. */
bool lr_session_has_accuracy(const struct lr_session *s);
/* What stands in the place of accuracy where there is none, in words. */
const char *lr_session_answers(const struct lr_session *s);
/* The 95 % interval of the agreement with the original: Wilson's, widened by the sampling
 * where a sample stood in for all images. NAN without an evaluation. */
void lr_sweep_agreement(double *low, double *high, const struct lr_sweep_point *p);
void lr_sweep_point_free(struct lr_sweep_point *p);
void lr_sweeps_free(struct lr_sweeps *s);

enum lr_metric { LR_METRIC_TOP1, LR_METRIC_ERROR, LR_METRIC_AGREEMENT };

struct lr_sweep_opts {
    const int *layers; /* single layers */
    int n_layers;
    int first, last, step; /* ranks; 0: chosen by n_points */
    int n_points;          /* a layer; 0: 8 */
    enum lr_metric metric;
    double precision; /* fraction: a point ends once its 95 % interval for all images is
                         within +- this; 0: every image */
    int64_t count;    /* evaluation images, the first ones; 0: all */
    const struct lr_progress *progress;
    /* Called after each point, in the order they come; may be NULL. */
    void (*on_point)(void *ctx, const struct lr_sweep_point *p);
    void *ctx;
};
/* Sweeps the layers; the points are added to the session's (s->sweeps). LR_EINTR keeps
 * the points that were finished. The plan is not touched. */
enum lr_status lr_session_sweep(struct lr_session *s, const struct lr_sweep_opts *o,
                                struct lr_err *e);

struct lr_sweep_network_opts {
    double first, last, step;                /* speedups of the row "total" */
    const struct lr_rank_rule *const *rules; /* n_rules; 0: energy */
    int n_rules;
    const enum lr_method *methods; /* n_methods; 0: as planned */
    int n_methods;
    enum lr_mode mode;
    int64_t count;
    const struct lr_progress *progress;
    void (*on_point)(void *ctx, const struct lr_sweep_point *p);
    /* Called for a speedup that cannot be reached; may be NULL. method: NULL as planned.
     */
    void (*on_unmet)(void *ctx, const char *rule, const char *method, double speedup,
                     const char *reason);
    void *ctx;
};
/* For every rule, method and speedup: choose, solve, evaluate; what the journal knows is
 * not computed again. A method is given to every convolution that is not kept whole. The
 * points are added to the session's, LR_EINTR keeps those that were finished. The plan
 * is as before in any case. */
enum lr_status lr_session_sweep_network(struct lr_session *s,
                                        const struct lr_sweep_network_opts *o,
                                        struct lr_err *e);

#ifdef __cplusplus
}
#endif

#endif
