/* Shared by the files of a sweep: the points in question, solving the points of one layer
 * from what they have in common, and evaluating a network behind one changed layer. */
#ifndef LR_SESSION_SWEEP_INTERNAL_H
#define LR_SESSION_SWEEP_INTERNAL_H

#include "ranklab/engine.h"
#include "ranklab/survey.h"
#include "ranklab/sweep.h"
#include "session/internal.h"

/* ---- sweep_points.c: the points in question ---- */

/* The ranks of a layer that a sweep asks for, rising, none of them whole; *out: lr_free
 * it. What was asked for and is whole is named in a note. */
enum lr_status sweep_ranks(struct lr_ranks **out, int *n, const struct lr_session *s,
                           int layer, const struct lr_sweep_opts *o, struct lr_err *e);
/* The point with all that is known of it before anything is solved. */
struct lr_sweep_point sweep_point(const struct lr_session *s, int layer,
                                  struct lr_ranks r);
/* Multiply-adds of the part of the network behind the layer, the layer itself left out:
 * what an image costs when only that part runs. */
double sweep_macs_behind(const struct lr_session *s, int layer);

/* ---- sweep_journal.c ---- */

/* Fills in a point that the journal knows. */
bool sweep_recall(struct lr_sweep_point *p, struct lr_session *s,
                  const struct lr_sweep_opts *o);
enum lr_status sweep_keep(const struct lr_sweep_point *p, struct lr_session *s,
                          const struct lr_sweep_opts *o, struct lr_err *e);

/* ---- sweep_solve.c: the points of one layer ---- */

struct sweep_solver {
    struct lr_session *s;
    int layer;
    enum lr_method method;
    bool has_samples;
    const struct lr_ranks *ranks; /* of the points, borrowed */
    int n;
    /* responses of the spatial parts of points first..first+n_sampled-1, in the original;
     * without a spatial part: empty */
    struct lr_spatial *spatial;
    struct lr_rows *ys;
    int first, n_sampled;
    struct lr_shared *shared; /* by all ranks of a channel split */
};
enum lr_status sweep_solver_init(struct sweep_solver *k, struct lr_session *s, int layer,
                                 const struct lr_ranks *ranks, int n, struct lr_err *e);
/* Factors of point i, the layer alone in the original network. Points are best asked for
 * in order. What comes out depends on nothing but the point. */
enum lr_status sweep_solver_run(struct lr_factors **out, struct sweep_solver *k, int i,
                                const struct lr_progress *progress, struct lr_err *e);
void sweep_solver_free(struct sweep_solver *k);

/* ---- sweep_cut.c: activations before a layer ---- */

/* Everything that the part of the network behind a layer reads and that does not depend
 * on the layer: run from these values, only what the layer changes is computed. They are
 * computed in the original when first asked for, and kept as long as they fit. */
struct sweep_cut {
    const struct lr_session *s;
    int64_t n_images;
    int batch;
    int n;             /* values */
    int *values;       /* of the original */
    size_t *per_image; /* elements */
    int64_t n_slots, n_used;
    int64_t *slot;       /* by image; -1: not kept */
    float **x;           /* by value: [n_slots x per_image] */
    float **gathered;    /* by value: [batch x per_image] */
    const float **given; /* by value: what get gave last */
    /* where missing ones come from */
    struct lr_net *from_images, *from_other;
    struct sweep_cut *other;           /* of an earlier layer, or NULL */
    int *other_inputs, n_other_inputs; /* places in other->values that are needed */
    const float **fed;
    float *images; /* [batch x image_size] */
    size_t image_size;
};
/* Finds the values before the layer; open then makes room. */
enum lr_status sweep_cut_init(struct sweep_cut *c, const struct lr_session *s, int layer,
                              int64_t n_images, struct lr_err *e);
/* n_slots: images to be kept at most. other: the cut of an earlier layer over the same
 * images, used until this one is freed or detached; NULL: none. */
enum lr_status sweep_cut_open(struct sweep_cut *c, int64_t n_slots,
                              struct sweep_cut *other, struct lr_err *e);
void sweep_cut_free(struct sweep_cut *c);
/* The other cut is used no more. */
void sweep_cut_detach(struct sweep_cut *c);
/* Bytes that the values of all images take. */
double sweep_cut_bytes(const struct sweep_cut *c);
/* Those of the images that are kept now. */
double sweep_cut_used(const struct sweep_cut *c);
/* Computes what is missing of n images (any number) and keeps it while there is room. */
enum lr_status sweep_cut_fill(struct sweep_cut *c, const int64_t *images, int64_t n,
                              struct lr_err *e);
/* (*x)[k]: values[k] for n images (at most batch), borrowed until the next call. */
enum lr_status sweep_cut_get(const float *const **x, struct sweep_cut *c,
                             const int64_t *images, int n, struct lr_err *e);

/* ---- sweep_run.c: networks that differ from the original in one layer ---- */

/* One such network, from the values of a cut to the first output. */
enum lr_status sweep_net(struct lr_net **out, const struct lr_session *s, int layer,
                         const struct lr_factors *f, const struct sweep_cut *c,
                         struct lr_err *e);
/* Runs n nets over the cut's images and compares each with the original: every net in
 * turn on each batch, so that what is not kept is computed once for all of them. */
enum lr_status sweep_run(struct lr_eval *evals, struct lr_net *const *nets, int n,
                         struct sweep_cut *c, const struct lr_outcome *original,
                         const struct lr_progress *progress, struct lr_err *e);

/* The same for one net over as many images as the half-width wanted takes; the metric is
 * that of top1 or agreement. */
enum lr_status sweep_sample(struct lr_eval *r, struct lr_net *net, struct sweep_cut *c,
                            struct lr_survey *survey, double wanted,
                            enum lr_metric metric, const struct lr_outcome *original,
                            const struct lr_progress *progress, struct lr_err *e);

#endif
