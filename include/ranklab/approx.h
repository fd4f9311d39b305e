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

/* ---- methods: one row per method in src/approx/method.c ---- */

enum lr_method { LR_METHOD_KEEP, LR_METHOD_PCA, LR_METHOD_RELU, LR_METHOD_SVD };

struct lr_samples;
struct lr_lowrank;
struct lr_solve_opts;

struct lr_method_info {
    enum lr_method id;
    const char *name;    /* as typed: "relu" */
    const char *summary; /* one line for help */
    bool needs_samples;  /* solved from responses; otherwise from the weights alone */
    bool is_linear;
    int n_parts; /* convolutions of the split */
    /* NULL for keep. w: the layer's filters [d, c*kh*kw], used by weight methods. */
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
 * reports held-out errors on the last n_held rows (n = n_fit + n_valid + n_held). With f
 * the nonlinearity (ReLU when is_relu, else identity): sum | f(target) - f(M yhat + b +
 * shortcut) |^2. target: the original network's response, the residual addition included
 * (y + s); yhat: the original layer's response to the approximated network's input (W
 * xhat + b0); shortcut: the other branch in the approximated network (shat), or NULL for
 * none. */
struct lr_samples {
    int d;
    size_t n_fit, n_valid, n_held;
    bool is_relu;
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

struct lr_solve_opts {
    int n_iter1, n_iter2;    /* 25 and 25 */
    double lambda1, lambda2; /* 0.01 and 1 */
    const struct lr_progress *progress;
    const struct lr_notes *notes;
    const float *bias; /* [d] of the layer, for weight methods; NULL: none */
    /* Called for each iterate (0: the start) with the lambda of the z step taken from it,
     * the relaxed objective after that z step, and the true error on the fit rows and the
     * validation rows (NAN without any); all relative to the sum of f(target)^2 over the
     * same rows. May be NULL. For tests and plots. */
    void (*trace)(void *ctx, int iteration, double lambda, double relaxed, double fit,
                  double valid);
    void *trace_ctx;
};
void lr_solve_opts_default(struct lr_solve_opts *o);

/* Linear solution (eq. 2-4). With target == yhat and no shortcut this is PCA: M = U U^T
 * of the centred responses; otherwise reduced-rank regression of target - shortcut on
 * yhat (METHOD 11: the asymmetric start). LR_EINVAL: rank outside 1..d, or no fit rows.
 */
enum lr_status lr_solve_linear(struct lr_lowrank *out, const struct lr_samples *s,
                               int rank, const struct lr_solve_opts *opts,
                               struct lr_err *e);
/* Nonlinear solution (eq. 5-11): alternating z step and reduced-rank regression with the
 * lambda schedule, started from the linear solution; returns the iterate (start included)
 * with the lowest true error on the validation rows (on the fit rows when n_valid is 0).
 * start: a solution to begin from instead (same d and rank), or NULL. */
enum lr_status lr_solve_relu(struct lr_lowrank *out, const struct lr_samples *s, int rank,
                             const struct lr_lowrank *start,
                             const struct lr_solve_opts *opts, struct lr_err *e);
/* Truncated SVD of the filters w [d x n_inputs] (Denton et al. 2014): P = U, Q = U, b = 0
 * for the weights without bias; the caller's yhat holds the bias, so b is set to keep it
 * exact. */
enum lr_status lr_solve_svd(struct lr_lowrank *out, const float *w, const float *bias,
                            int d, size_t n_inputs, int rank, struct lr_err *e);
/* The z step of one value (eq. 9-10): the minimiser over z of
 * (max(0,t) - max(0,z))^2 + lambda (z - u)^2. Exposed for its test against brute force.
 */
float lr_z_step(float t, float u, float lambda);

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
    double *eig;       /* descending eigenvalues of the centred covariance of responses */
    double *weight_sv; /* descending singular values of the filters, min(d, c k k) padded
                          with zeros to d */
    double zeros;      /* share of responses <= 0 (zero after a ReLU) */
    int n_dead;        /* channels whose response never varies */
    int n_data_rank;   /* eigenvalues above 1e-12 of the largest */
    size_t n_samples;
};
void lr_spectrum_free(struct lr_spectrum *s);
/* From n rows of responses [n x d] and filters w [d x n_inputs]. */
enum lr_status lr_spectrum_compute(struct lr_spectrum *out, const float *y, size_t n,
                                   int d, const float *w, size_t n_inputs,
                                   struct lr_err *e);
/* Share of energy in the first rank eigenvalues; 1 when all are zero. */
double lr_spectrum_energy(const struct lr_spectrum *s, int rank);

/* ---- the split as convolutions ---- */

/* The solved split of one layer; shared by reference count among plans and undo states.
 */
struct lr_factors {
    int refs;
    enum lr_method method;
    int rank, rank_spatial; /* rank_spatial 0: none */
    int n_parts;
    struct lr_conv_part parts[3]; /* weights owned by weights below */
    float *weights;
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
    char *note; /* e.g. "rank above the data's 31", or NULL */
};
struct lr_factors *lr_factors_ref(struct lr_factors *f); /* returns f; NULL is fine */
void lr_factors_unref(struct lr_factors *f);
/* w [d, c, kh, kw] and bias [d] (or NULL) of layer l into a k x k, d' convolution with
 * weights Q^T W and bias Q^T b0, and a 1 x 1 convolution with weights P and bias b.
 * Errors are set to NAN. LR_ENUMERIC when a factor is not finite. */
enum lr_status lr_factors_build(struct lr_factors **out, const struct lr_layer *l,
                                const float *w, const float *bias,
                                const struct lr_lowrank *m, enum lr_method method,
                                struct lr_err *e);

/* ---- sampling responses of whole networks ---- */

/* Where to sample: positions per image, drawn per (seed, image, layer map size) and
 * therefore the same in every network. */
struct lr_sampling {
    int n_positions; /* 10 */
    uint64_t seed;
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
/* Runs g on every image once and samples each of n_values 4-d values (same positions for
 * equal map sizes) into rows[i]. n_fit, n_valid, n_held are rows counts per value of map
 * size out_h x out_w >= n_positions (smaller maps give all their positions). LR_EINTR on
 * request; LR_ENOMEM names the bytes. */
enum lr_status lr_sample_values(struct lr_rows *rows, const int *values, int n_values,
                                const struct lr_graph *g, const struct lr_dataset *data,
                                const struct lr_sampling *opts,
                                const struct lr_progress *progress, struct lr_err *e);
/* Activations of one value for all images of a data set: [n x per_image], NCHW. */
struct lr_kept {
    int value;
    int64_t n;
    size_t per_image;
    float *x; /* owned; NULL: nothing is kept */
};
void lr_kept_free(struct lr_kept *k);
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

#endif
