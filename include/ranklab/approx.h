/* Low-rank approximation of convolutions: the per-layer solvers, and sampling of
 * responses. Source: Zhang, Zou, Ming, He, Sun, "Efficient and accurate approximations of
 * nonlinear convolutional networks", CVPR 2015 (equation numbers below are the paper's).
 */
#ifndef RANKLAB_APPROX_H
#define RANKLAB_APPROX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/dataset.h"
#include "ranklab/err.h"
#include "ranklab/graph.h"
#include "ranklab/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- methods: one row per method in src/approx/method.c ---- */

enum lr_method {
    LR_METHOD_KEEP,
    LR_METHOD_PCA,
    LR_METHOD_RELU,
    LR_METHOD_SPATIAL,
    LR_METHOD_SPATIAL_REFIT,
    LR_METHOD_3D,
    LR_METHOD_SVD
};

/* The shapes a layer is split into. CHANNEL: k x k with d' filters, then 1 x 1. SPATIAL:
 * k x 1 with d'' filters, then 1 x k (Jaderberg et al. 2014). BOTH: k x 1 with d'', 1 x k
 * with d', 1 x 1; where the last two cost more than their product they are merged into 1
 * x k with d filters. */
enum lr_split { LR_SPLIT_NONE, LR_SPLIT_CHANNEL, LR_SPLIT_SPATIAL, LR_SPLIT_BOTH };

/* d' and d''; spatial 0: the split has no spatial part. A layer with groups has both as
 * multiples of its groups, counted over all groups. */
struct lr_ranks {
    int channel, spatial;
};

struct lr_samples;
struct lr_lowrank;
struct lr_solve_opts;

struct lr_method_info {
    enum lr_method id;
    const char *name;    /* as typed: "relu" */
    const char *summary; /* one line for help */
    enum lr_split split;
    bool needs_samples; /* solved from responses; otherwise from the weights alone */
    bool is_linear;     /* ignores the nonlinearity */
    /* The channel part M: NULL for keep and spatial. For SPLIT_SPATIAL and SPLIT_BOTH the
     * regressor is the response of the two spatial parts, and SPATIAL_REFIT solves at
     * rank d. w: the layer's filters [d, n_inputs], used by weight methods. */
    enum lr_status (*solve)(struct lr_lowrank *out, const struct lr_samples *s,
                            const float *w, size_t n_inputs, int rank,
                            const struct lr_solve_opts *opts, struct lr_err *e);
};
extern const struct lr_method_info lr_methods[];
extern const int lr_n_methods;
const struct lr_method_info *lr_method_find(const char *name); /* NULL when unknown */
const struct lr_method_info *lr_method_info(enum lr_method m);

/* ---- one layer's samples ---- */

/* n positions of one layer, row-major, one row per position, d channels each. The solver
 * minimises over rows 0..n_fit-1, chooses its iterate on the next n_valid rows and
 * reports held-out errors on the last n_held rows (n = n_fit + n_valid + n_held). With r
 * the nonlinearity act: sum | r(target) - r(M yhat + b + shortcut) |^2. target: the
 * original network's response, the residual addition included (y + s); yhat: the original
 * layer's response to the approximated network's input (W xhat + b0), or that of the
 * layer's spatial parts; shortcut: the other branch in the approximated network (shat),
 * or NULL for none. */
struct lr_samples {
    int d;
    size_t n_fit, n_valid, n_held;
    struct lr_activation act;
    const float *target, *yhat, *shortcut; /* borrowed */
};

/* y ~ M y + b with M = P Q^T; p and q are [d x rank] row-major, b [d]; owned. */
struct lr_lowrank {
    int d, rank;
    double *p, *q, *b;
    int n_iterations;   /* of the nonlinear solver, 0 otherwise */
    int best_iteration; /* the iterate returned; 0 is the linear start */
    int n_data_rank;    /* numerical rank of the responses (Gram matrix cut at 1e-12) */
};
void lr_lowrank_free(struct lr_lowrank *m);

/* What solving the same samples at several ranks, or with several methods, has in common:
 * the Gram matrix, its eigendecomposition and the whitened rows. The first solve fills
 * it; the samples must be the same in all of them. Results are those without it. */
struct lr_shared;
enum lr_status lr_shared_new(struct lr_shared **out, struct lr_err *e);
void lr_shared_free(struct lr_shared *k);

/* Fit rows a filter, below which a solution fits the rows more than the responses: there
 * the regression of the solvers below has a ridge, which draws M to the identity. */
enum { LR_FEW_ROWS = 8 };

struct lr_solve_opts {
    int n_iter1, n_iter2;    /* 25 and 25 at most: a stage ends when it gains nothing */
    double lambda1, lambda2; /* 0.01 and 1 */
    const struct lr_progress *progress;
    const struct lr_notes *notes;
    const float *bias;        /* [d] of the layer, for weight methods; NULL: none */
    struct lr_shared *shared; /* NULL: nothing is kept; not used for layers with groups */
    /* Called for each iterate (0: the start) with the lambda of the z step taken from it,
     * the relaxed objective (with its ridge) after that z step, and the true error on the
     * fit rows and the validation rows (NAN without any); all relative to the sum of
     * f(target)^2 over the same rows. May be NULL. For tests and plots. */
    void (*trace)(void *ctx, int iteration, double lambda, double relaxed, double fit,
                  double valid);
    void *trace_ctx;
};
void lr_solve_opts_default(struct lr_solve_opts *o);

/* Linear solution (eq. 2-4). With target == yhat and no shortcut this is PCA: M = U U^T
 * of the centred responses; otherwise reduced-rank regression of target - shortcut on
 * yhat (eq. 11, the asymmetric start). LR_EINVAL: rank outside 1..d, or no fit rows.
 */
enum lr_status lr_solve_linear(struct lr_lowrank *out, const struct lr_samples *s,
                               int rank, const struct lr_solve_opts *opts,
                               struct lr_err *e);
/* Nonlinear solution (eq. 5-11): alternating z step and reduced-rank regression with the
 * lambda schedule, started from the linear solution; returns the iterate (start included)
 * with the lowest true error on the validation rows (on the fit rows when n_valid is 0).
 * Any piecewise linear act has its own z step; without a nonlinearity this is
 * lr_solve_linear. start: a solution to begin from instead (same d and rank), or NULL. */
enum lr_status lr_solve_relu(struct lr_lowrank *out, const struct lr_samples *s, int rank,
                             const struct lr_lowrank *start,
                             const struct lr_solve_opts *opts, struct lr_err *e);
/* Truncated SVD of the filters w [d x n_inputs] (Denton et al. 2014): P = U, Q = U, b = 0
 * for the weights without bias; the caller's yhat holds the bias, so b is set to keep it
 * exact. Above 512 filters, and no fewer inputs, it is made of w w^T: what that misses of
 * the energy is within 1e-15 of all. */
enum lr_status lr_solve_svd(struct lr_lowrank *out, const float *w, const float *bias,
                            int d, size_t n_inputs, int rank,
                            const struct lr_progress *progress, struct lr_err *e);
/* The z step of one value (eq. 9-10): the minimiser over z of (r(t) - r(z))^2 + lambda (z
 * - u)^2, in closed form on each linear piece of r. Exposed for its test against brute
 * force. */
float lr_z_step(float t, float u, float lambda);
float lr_z_step_act(float t, float u, float lambda, const struct lr_activation *a);
/* A method's channel part for a layer with groups: each group of d / groups channels by
 * itself at rank / groups; p and q of the result are [d x rank], zero outside the blocks.
 * w: [d, n_inputs], n_inputs per group. LR_EINVAL: rank or d no multiple of groups. */
enum lr_status lr_solve_groups(struct lr_lowrank *out, const struct lr_method_info *m,
                               int groups, const struct lr_samples *s, const float *w,
                               size_t n_inputs, int rank,
                               const struct lr_solve_opts *opts, struct lr_err *e);

/* ---- the spatial part ---- */

/* Filters w [d, c/g, kh, kw] ~ sum over a of v[a, c, y] h[d, a, x] in each group (METHOD:
 * Jaderberg et al. 2014, scheme 2, filter reconstruction in closed form): the truncated
 * SVD of the (c/g kh) x (kw d/g) matrix, the singular values shared evenly. v [rank, c/g,
 * kh], h [d, rank/g, kw]; sv: all singular values, groups interleaved as in
 * lr_spatial_values. */
struct lr_spatial {
    int rank;
    float *v, *h; /* owned */
};
void lr_spatial_free(struct lr_spatial *s);
/* The rank at which the spatial split is exact: g min(c/g kh, kw d/g). */
int lr_spatial_full(const struct lr_layer *l);
/* LR_EINVAL: rank outside 1..full or no multiple of the groups; LR_EUNSUP: a 1 x 1
 * kernel, which has no spatial part. */
enum lr_status lr_spatial_split(struct lr_spatial *out, const struct lr_layer *l,
                                const float *w, int rank, struct lr_err *e);
/* The squared singular values [lr_spatial_full] behind it, descending; with groups the
 * j-th of every group averaged, each mean repeated g times, so that the first a (a
 * multiple of g) sum to what rank a keeps. */
enum lr_status lr_spatial_values(double *sv2, const struct lr_layer *l, const float *w,
                                 struct lr_err *e);
/* The two parts as convolutions; weights stay s's and bias (b0, or NULL) the caller's. */
void lr_spatial_parts(struct lr_conv_part parts[2], const struct lr_layer *l,
                      const struct lr_spatial *s, const float *bias);

/* Relative response errors of m on rows first..first+n-1 of s: after the nonlinearity
 * |f(t) - f(yr)|^2 / |f(t)|^2, and before it |t - yr|^2 / |t|^2; yr = M yhat + b +
 * shortcut. m NULL: the identity (what the layer's own approximation did not cause: the
 * inherited error). Either result may be NULL; a zero denominator gives 0 when the
 * numerator is 0 too, else +infinity. */
enum lr_status lr_response_error(double *after, double *before,
                                 const struct lr_samples *s, const struct lr_lowrank *m,
                                 size_t first, size_t n, struct lr_err *e);

/* ---- spectrum of one layer ---- */

struct lr_spectrum {
    int d;
    double *eig;     /* descending eigenvalues of the centred covariance of responses;
                        with groups: of each group's own block, the j-th of every group
                        averaged and repeated g times, as in lr_spatial_values */
    double *spatial; /* lr_spatial_values, or NULL for a 1 x 1 kernel */
    int n_spatial;
    double *weight_sv; /* descending singular values of the filters, min(d, c k k) padded
                          with zeros to d; with groups the squares averaged likewise */
    double zeros;      /* share of responses <= 0 (zero after a ReLU) */
    int n_dead;        /* channels whose response never varies */
    int n_data_rank;   /* eigenvalues above 1e-12 of the largest */
    size_t n_samples;
};
void lr_spectrum_free(struct lr_spectrum *s);
/* From n rows of responses [n x d] and the filters w [d, n_inputs] of layer l. */
enum lr_status lr_spectrum_compute(struct lr_spectrum *out, const float *y, size_t n,
                                   const struct lr_layer *l, const float *w,
                                   struct lr_err *e);
/* Share of energy in the first rank eigenvalues; 1 when all are zero. */
double lr_spectrum_energy(const struct lr_spectrum *s, int rank);
/* Share of the squared singular values of the filters in the first rank; likewise. */
double lr_spectrum_weight_energy(const struct lr_spectrum *s, int rank);
/* The same for the spatial split of the filters. */
double lr_spectrum_spatial_energy(const struct lr_spectrum *s, int rank);

/* ---- the split as convolutions ---- */

/* The solved split of one layer; shared by reference count among plans and undo states.
 */
struct lr_factors {
    int refs;
    enum lr_method method;
    int rank, rank_spatial; /* rank_spatial 0: none */
    bool is_merged;         /* BOTH whose 1 x k and 1 x 1 became one convolution */
    int n_parts;
    struct lr_conv_part parts[3]; /* weights owned by weights below */
    float *weights;
    char digest[65]; /* of the parts, by the session; "": not computed yet */
    /* Relative errors as in lr_response_error, NAN: not known. Whatever the layer was
     * fitted to, the target is the original's response and yhat and shortcut are those of
     * the network as it was approximated when the layer was solved. */
    double error_calib;     /* on the rows of the fit */
    double error_heldout;   /* on held-out rows, like all that follow */
    double error_pre;       /* before the nonlinearity */
    double error_linear;    /* of the linear solution of the same rank */
    double error_inherited; /* of the layers before alone, this one whole */
    double error_own;       /* of this layer alone: with the original's input */
    double error_refit;
    int n_iterations, best_iteration;
    const char *mode; /* "asym", "sym", "symhat" or NULL for weight methods */
    uint64_t seed;
    /* What it was solved with and on, where mode is not NULL. */
    int n_iter1, n_iter2;
    double lambda1, lambda2;
    bool is_alone;
    char calib_sha256[65];
    int64_t calib_images;
    char *note; /* e.g. "rank above the data's 31", or NULL */
};
struct lr_factors *lr_factors_ref(struct lr_factors *f); /* returns f; NULL is fine */
void lr_factors_unref(struct lr_factors *f);
/* The split of layer l with filters w and bias (or NULL). m alone: k x k with Q^T W and
 * bias Q^T b0, then 1 x 1 with P and b. sp alone: its two parts, b0 in the second. Both:
 * k x 1 with v, 1 x k with Q^T H and bias Q^T b0, 1 x 1 with P and b; or, where that
 * costs less, k x 1 and 1 x k with M H and bias M b0 + b. Groups: block by block. Errors
 * are set to NAN. LR_ENUMERIC when a factor is not finite. */
enum lr_status lr_factors_build(struct lr_factors **out, const struct lr_layer *l,
                                const float *w, const float *bias,
                                const struct lr_lowrank *m, const struct lr_spatial *sp,
                                enum lr_method method, struct lr_err *e);
/* Whether the last two parts of BOTH, (kw d''/g + d/g) d' multiply-adds a position, cost
 * no less than their product, kw d''/g d. g: groups. */
bool lr_split_is_merged(int d, int kw, int group, struct lr_ranks r);

/* ---- sampling responses of whole networks ---- */

/* Where to sample: positions per image, drawn per (seed, image, layer map size) and
 * therefore the same in every network. */
struct lr_sampling {
    int n_positions; /* 10 */
    uint64_t seed;
    int64_t max_images;             /* > 0: only the first so many */
    double valid_share, held_share; /* 0.1 and 0.1 of the images, the last of a seeded
                                       permutation: whole images, never split */
};
void lr_sampling_default(struct lr_sampling *s);

/* Rows sampled from one value of a network over a data set. */
struct lr_rows {
    int value, d;
    size_t n;
    float *x; /* [n x d], ordered: fit images, then validation, then held-out; owned */
};
void lr_rows_free(struct lr_rows *r);
/* Runs g on every image once and samples each of n_values values [batch, d, h, w] or
 * [batch, d] (a map of one position) into rows[i], at the same positions for equal map
 * sizes. n_fit, n_valid, n_held are rows counts per value of map size out_h x out_w >=
 * n_positions (smaller maps give all their positions). LR_EINTR on request; LR_ENOMEM
 * names the bytes. */
enum lr_status lr_sample_values(struct lr_rows *rows, const int *values, int n_values,
                                const struct lr_graph *g, const struct lr_dataset *data,
                                const struct lr_sampling *opts,
                                const struct lr_progress *progress, struct lr_err *e);
/* Activations of one value for all images of a data set: [n x per_image], NCHW, in memory
 * (x) or, when is_spilled asks for it, on the disk (file). Both NULL: nothing is kept. */
struct lr_spill;
struct lr_kept {
    int value;
    bool is_spilled;
    int64_t n;
    size_t per_image;
    float *x;              /* owned */
    struct lr_spill *file; /* owned */
};
void lr_kept_free(struct lr_kept *k);
bool lr_kept_is_there(const struct lr_kept *k); /* k may be NULL */
enum lr_status lr_kept_make_room(struct lr_kept *k, int64_t n, size_t per_image,
                                 struct lr_err *e);
/* Images first..first+n-1. get: *x is borrowed, or buf, which has room for them. */
enum lr_status lr_kept_put(struct lr_kept *k, int64_t first, int64_t n, const float *x,
                           struct lr_err *e);
enum lr_status lr_kept_get(const float **x, const struct lr_kept *k, int64_t first,
                           int64_t n, float *buf, struct lr_err *e);
/* lr_sample_values that may start from activations kept of an earlier pass (from; NULL:
 * from the images) and may itself keep those of keep->value (keep NULL: none). Every
 * value asked for must depend on the images through from->value alone. */
enum lr_status lr_sample_pass(struct lr_rows *rows, const int *values, int n_values,
                              const struct lr_graph *g, const struct lr_dataset *data,
                              const struct lr_kept *from, struct lr_kept *keep,
                              const struct lr_sampling *opts,
                              const struct lr_progress *progress, struct lr_err *e);
/* How many rows of n (from lr_sample_values over n_images) are fit, validation, held-out.
 */
void lr_sampling_split(size_t *n_fit, size_t *n_valid, size_t *n_held, size_t n,
                       int64_t n_images, const struct lr_sampling *opts);

#ifdef __cplusplus
}
#endif

#endif
