/* Shared by the solvers of this folder: the whitened regression that both the linear and
 * the nonlinear solution rest on, and the evaluation of response errors with kept
 * buffers. */
#ifndef LR_APPROX_SOLVER_H
#define LR_APPROX_SOLVER_H

#include <stdbool.h>
#include <stddef.h>

#include "ranklab/approx.h"
#include "ranklab/la.h"

/* How many of the descending eigenvalues eig[d] of a Gram matrix count as non-zero: those
 * above 1e-12 of the largest. */
size_t lr_gram_rank(const double *eig, size_t d);

/* LR_EINVAL for a rank outside 1..d, missing rows or sizes that overflow; LR_EUNSUP for
 * an activation that cannot be. */
enum lr_status lr_samples_check(const struct lr_samples *s, int rank, struct lr_err *e);

/* LR_EINVAL for sizes of a layer that are not known, or groups that do not divide them.
 */
enum lr_status lr_layer_check(const struct lr_layer *l, struct lr_err *e);

/* x[a * groups], a < n, holds a sum over groups: its mean goes into all of a's places. */
void lr_interleave(double *x, size_t n, size_t groups);

/* Zeroed p, q and b. */
enum lr_status lr_lowrank_alloc(struct lr_lowrank *m, int d, int rank, struct lr_err *e);

/* Moments of the fit rows of yhat with themselves (is_gram), or of z = target - shortcut
 * with yhat: mean [d] of the first and the centred sum of outer products [d x d], in
 * double. n_threads: the loop's own, where BLAS has one (lr_serial_begin). LR_ENUMERIC
 * when a value is not finite. */
enum lr_status lr_fit_moments(double *mean, double *cross, const struct lr_samples *s,
                              bool is_gram, int n_threads,
                              const struct lr_solve_opts *opts, struct lr_err *e);

/* rows [n x width]: those of x (ld) less their mean [width]. */
void lr_centred_rows(double *mean, double *rows, const float *x, size_t n, size_t ld,
                     size_t width);

/* The weight of the ridge in rows: between 1 and 10 the errors on images that were not
 * fitted hardly differ. */
enum { LR_RIDGE_ROWS = 3 };

/* The regressor yhat of a reduced-rank regression, whitened once: with the centred Gram
 * matrix G = V L V^T of the fit rows, white = L_r^(-1/2) V_r^T for the r = n_kept
 * eigenvalues above the cut. Rows w = white (yhat - mean) have sum w w^T = I.
 * With a ridge L is L + ridge in that, and what is minimised is |z - M yhat - b|^2 +
 * ridge |M - I|^2: as if each direction had LR_RIDGE_ROWS more rows of the mean variance
 * there is, which come out as they go in. */
struct lr_regressor {
    size_t d, n_kept;
    double *mean;  /* [d] */
    double *eig;   /* [d] descending */
    double *vec;   /* [d x d], row i is the eigenvector of eig[i] */
    double *white; /* [n_kept x d] */
    double ridge;  /* 0 unless the fit rows are fewer than LR_FEW_ROWS a filter */
};

enum lr_status lr_regressor_init(struct lr_regressor *g, const struct lr_samples *s,
                                 int n_threads, const struct lr_solve_opts *opts,
                                 struct lr_err *e);
void lr_regressor_free(struct lr_regressor *g);
/* Of sum (z - zbar) w^T [d x n_kept], the part that the ridge adds to the rows'. */
void lr_regressor_add_ridge(double *k, const struct lr_regressor *g);

struct lr_shared {
    struct lr_regressor g; /* d 0: not there yet */
    size_t n_fit;          /* rows it was made from */
    float *w;              /* [n_w x g.n_kept] whitened rows, or NULL */
    size_t n_w;
};
/* *g: what is shared by way of opts, made when it is not there, or else own. */
enum lr_status lr_regressor_get(const struct lr_regressor **g, struct lr_regressor *own,
                                const struct lr_samples *s, int n_threads,
                                const struct lr_solve_opts *opts, struct lr_err *e);

/* Buffers of lr_regressor_fit; those of lr_regressor_turn hold what it found. */
struct lr_fit_work {
    int n_threads; /* for its products; 1 from the start */
    double *k;     /* [d x n_kept] */
    double *vec;   /* [d x d] */
    double *eig;   /* [d] */
    double *rt;    /* [d x n_kept] */
    struct lr_la_subspace top;
};
enum lr_status lr_fit_work_init(struct lr_fit_work *w, const struct lr_regressor *g,
                                struct lr_err *e);
void lr_fit_work_free(struct lr_fit_work *w);
/* Many regressions of this rank are to come, each near the one before. */
enum lr_status lr_fit_work_follow(struct lr_fit_work *w, const struct lr_regressor *g,
                                  size_t rank, int n_threads, struct lr_err *e);

/* Reduced-rank regression of z on yhat from w->k = sum (z - zbar) w^T [d x n_kept], with
 * w the whitened rows and the ridge added: U_d' = top eigenvectors of k k^T (= Z Y^T G^-1
 * Y Z^T), P = U_d', Q^T = U_d'^T k white, b = zbar - M mean. Ranks beyond n_kept keep
 * directions in which yhat does not vary as they are (M acts there as the identity), so
 * that d' = d with z = yhat is the identity whatever the samples. The first min(rank,
 * n_kept) rows of w->rt hold U_d'^T k. */
enum lr_status lr_regressor_fit(struct lr_lowrank *out, const struct lr_regressor *g,
                                struct lr_fit_work *w, const double *zbar,
                                struct lr_err *e);
/* lr_regressor_fit in two parts. The first finds p and the rows of w->rt, from those of
 * the call before where lr_fit_work_follow was called; the second
 * makes q and b of rt (w->rt as it was behind the first part, or a copy) and zbar. */
enum lr_status lr_regressor_turn(struct lr_lowrank *out, const struct lr_regressor *g,
                                 struct lr_fit_work *w, struct lr_err *e);
enum lr_status lr_regressor_close(struct lr_lowrank *out, const struct lr_regressor *g,
                                  const double *rt, const double *zbar, struct lr_err *e);

/* lr_solve_linear with the regressor given, and buffers for its regression; out is
 * allocated here. */
enum lr_status lr_linear_with(struct lr_lowrank *out, const struct lr_regressor *g,
                              const struct lr_samples *s, int rank, struct lr_fit_work *w,
                              int n_threads, const struct lr_solve_opts *opts,
                              struct lr_err *e);

/* Sums behind lr_response_error. Buffers for any n up to n_max and rank up to rank_max.
 */
struct lr_response_work {
    size_t d, rank_max, n_max;
    int n_threads;
    double *scratch; /* n_threads x stride */
    size_t stride;
    double *sums; /* 4 per block */
};
struct lr_response_sums {
    double after, after_all, before,
        before_all; /* errors and what they are relative to */
};
enum lr_status lr_response_work_init(struct lr_response_work *w, size_t d,
                                     size_t rank_max, size_t n_max, int n_threads,
                                     struct lr_err *e);
void lr_response_work_free(struct lr_response_work *w);
enum lr_status lr_response_run(struct lr_response_sums *out, struct lr_response_work *w,
                               const struct lr_samples *s, const struct lr_lowrank *m,
                               size_t first, size_t n, struct lr_err *e);
/* error / all; with all zero: 0 when error is 0 too, else infinity. */
double lr_relative(double error, double all);

/* Sets one thread for BLAS and LAPACK when the matrices are of order d <= 512, and
 * returns the number there was, for the loops over rows and for lr_la_set_threads
 * afterwards. One such decomposition is hundreds of short parallel regions: threads gain
 * little there on an idle machine and lose a factor of ten on a busy one, where each
 * region waits for its last thread. */
int lr_serial_begin(size_t d);

/* Operations below which a loop over rows is not worth waking threads for. */
#define LR_LARGE 2e7

/* The thread's index in the parallel region around the call. */
int lr_thread_index(void);

#endif
