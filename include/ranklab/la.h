/* Dense linear algebra over CBLAS and LAPACKE (OpenBLAS): sizes are checked against
 * INT_MAX before every call. Matrices are row-major; ld is the distance between rows. */
#ifndef RANKLAB_LA_H
#define RANKLAB_LA_H

#include <stdbool.h>
#include <stddef.h>

#include "ranklab/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Threads of OpenMP, hence of OpenBLAS and oneDNN too. n >= 1. Called by the one thread
 * that computes. */
void lr_la_set_threads(int n);
int lr_la_threads(void);
/* "OpenBLAS 0.3.21 (openmp) SkylakeX" into buf, cut off where it is too short; returns
 * buf. */
const char *lr_la_version(char *buf, size_t size);

/* c[m x n] = alpha op(a) op(b) + beta c; op(a) is m x k, transposed when ta. */
enum lr_status lr_la_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, double alpha,
                          const double *a, size_t lda, const double *b, size_t ldb,
                          double beta, double *c, size_t ldc, struct lr_err *e);
enum lr_status lr_la_gemm_f(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha,
                            const float *a, size_t lda, const float *b, size_t ldb,
                            float beta, float *c, size_t ldc, struct lr_err *e);

/* lr_la_gemm by n_threads threads (1: by this one alone), each of them with BLAS on one
 * thread: c is cut into rows of a fixed number, so the result does not depend on how many
 * threads there are. For products that are too short for BLAS's own threads. */
enum lr_status lr_la_gemm_rows(int n_threads, bool ta, bool tb, size_t m, size_t n,
                               size_t k, double alpha, const double *a, size_t lda,
                               const double *b, size_t ldb, double beta, double *c,
                               size_t ldc, struct lr_err *e);
/* c[m x m] = a a^T, exactly symmetric, for a[m x k]; threads as in lr_la_gemm_rows. */
enum lr_status lr_la_gram_rows(int n_threads, size_t m, size_t k, const double *a,
                               size_t lda, double *c, size_t ldc, struct lr_err *e);

/* The upper triangle of c[m x m] = a a^T + beta c. */
enum lr_status lr_la_gram_add(size_t m, size_t k, const double *a, size_t lda,
                              double beta, double *c, size_t ldc, struct lr_err *e);

/* Eigendecomposition of the symmetric a[n x n] (both triangles given; overwritten):
 * on return row i of a is the unit eigenvector of w[i], w in DESCENDING order. The sign
 * of each vector is fixed: its entry of largest magnitude (the first of those equal
 * within rounding, 1e-10) is positive. LR_ENUMERIC when a has a non-finite entry or
 * LAPACK does not converge. */
enum lr_status lr_la_eigh(size_t n, double *a, double *w, struct lr_err *e);
/* The eigenvalues alone, at a fraction of the cost. */
enum lr_status lr_la_eigenvalues(size_t n, double *a, double *w, struct lr_err *e);
/* lr_la_eigh of rows^T rows for n <= d rows [n x d] (overwritten): w [d], of which those
 * from the n-th on are 0, and the first n_vec eigenvectors, vec [n_vec x d]; n_vec is n
 * or d. As exact, and much faster where n is a small part of d. */
enum lr_status lr_la_eigh_rows(size_t n, size_t d, double *rows, double *w, double *vec,
                               size_t n_vec, struct lr_err *e);
/* Whether it is faster than forming the matrix. */
bool lr_la_is_thin(size_t n, size_t d);

/* The n_wanted leading eigenvectors of k k^T for one k[n x r] after another, each near
 * the one before it, from a block of m vectors that is carried along. */
struct lr_la_subspace {
    size_t n, r, m, n_wanted;
    int n_threads; /* as in lr_la_gemm_rows; 1 from the start */
    double *v;     /* [m x n] orthonormal rows, the wanted ones first */
    double *vk;    /* [m x r] v k */
    double *rotated, *h, *theta;
    float *k_f, *x_f, *y_f;
    bool is_warm; /* there is a block to go on from */
    /* What multiplies in single precision; lr_la_gemm_f from the start. */
    enum lr_status (*gemm_f)(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha,
                             const float *a, size_t lda, const float *b, size_t ldb,
                             float beta, float *c, size_t ldc, struct lr_err *e);
};
/* How many vectors the block has; 0: a full decomposition is as fast. */
size_t lr_la_subspace_width(size_t n, size_t n_wanted);
enum lr_status lr_la_subspace_init(struct lr_la_subspace *s, size_t n, size_t r,
                                   size_t n_wanted, struct lr_err *e);
void lr_la_subspace_free(struct lr_la_subspace *s);
/* Starts from the eigenvectors of lr_la_eigh. */
void lr_la_subspace_start(struct lr_la_subspace *s, const double *vec);
/* On to the next k. *is_found: the first n_wanted rows of s->v span their eigenspace up
 * to 1e-9 of what any subspace of that rank misses of the trace of k k^T, or 1e-12 of the
 * trace, as far as residuals tell; s->vk belongs to it. Otherwise the block is lost:
 * decompose k k^T and start again. */
enum lr_status lr_la_subspace_next(bool *is_found, struct lr_la_subspace *s,
                                   const double *k, struct lr_err *e);

/* Thin SVD of a[m x n] (overwritten): a = u diag(s) vt, k = min(m, n), u [m x k],
 * s [k] descending, vt [k x n]; signs fixed by the columns of u as in lr_la_eigh. */
enum lr_status lr_la_svd(size_t m, size_t n, double *a, double *u, double *s, double *vt,
                         struct lr_err *e);
/* The singular values alone, s [k]. */
enum lr_status lr_la_singular_values(size_t m, size_t n, double *a, double *s,
                                     struct lr_err *e);

/* Square root and pseudo-inverse square root of a symmetric positive semi-definite g[n x
 * n]: root = g^(1/2), iroot = (g^+)^(1/2), both n x n symmetric; eigenvalues at or below
 * cut * largest count as zero (METHOD: 1e-12). *n_kept (may be NULL) gets the numerical
 * rank. root or iroot may be NULL. g is kept. */
enum lr_status lr_la_psd_roots(size_t n, const double *g, double cut, double *root,
                               double *iroot, size_t *n_kept, struct lr_err *e);

/* First and second moments of paired rows a_i (da values) and b_i (db values),
 * accumulated in double over any number of calls: sums and the sum of outer products,
 * both of rows shifted by the mean of the first block, so that a large mean does not
 * cancel at the end. Rows are gathered into blocks of fixed size first: the result does
 * not depend, to the last bit, on how the rows are cut into calls. For a Gram matrix of
 * one set, pass the same pointer twice (da == db, lda == ldb): the product is then
 * computed once and is exactly symmetric. */
struct lr_moments {
    size_t da, db, n;
    double *shift_a, *shift_b; /* subtracted from every row before summing */
    double *sum_a, *sum_b;     /* of shifted rows */
    double *cross;             /* da x db, of shifted rows; upper triangle when is_gram */
    bool is_shifted;
    bool is_gram;                 /* every row so far came as the same pointer twice */
    double *work;                 /* one block of shifted rows */
    float *waiting_a, *waiting_b; /* rows that do not fill a block yet */
    size_t n_waiting;
};
enum lr_status lr_moments_init(struct lr_moments *m, size_t da, size_t db,
                               struct lr_err *e);
/* rows rows of a (ld lda) and b (ld ldb), float32. A non-finite value makes the result
 * non-finite; it is not an error here. */
enum lr_status lr_moments_add(struct lr_moments *m, size_t rows, const float *a,
                              size_t lda, const float *b, size_t ldb, struct lr_err *e);
/* Before any row is added: what is subtracted from all of them, the mean of these rows.
 * For moments that are to be merged. */
void lr_moments_shift(struct lr_moments *m, size_t rows, const float *a, size_t lda,
                      const float *b, size_t ldb);
/* Adds the rows that other has got to m, whose shift must be the same; other is left with
 * no more use than to be freed. LR_EINVAL when the sizes or shifts differ. */
enum lr_status lr_moments_merge(struct lr_moments *m, struct lr_moments *other,
                                struct lr_err *e);
/* mean_a[da], mean_b[db] (may be NULL) and the centred cross product
 * c[da x db] = sum_i (a_i - mean_a)(b_i - mean_b)^T (may be NULL); zeros without rows.
 * More rows may be added afterwards. Uses m's work space: not to be called twice at once.
 */
void lr_moments_finish(const struct lr_moments *m, double *mean_a, double *mean_b,
                       double *c);
void lr_moments_free(struct lr_moments *m);

#ifdef __cplusplus
}
#endif

#endif
