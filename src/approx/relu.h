/* One pass of the nonlinear solver over all rows: relu_pass.c makes it, relu.c strings
 * passes together. */
#ifndef LR_APPROX_RELU_H
#define LR_APPROX_RELU_H

#include "approx/relu_rows.h"
#include "approx/solver.h"

struct lr_relu {
    const struct lr_samples *s;
    const struct lr_solve_opts *opts;
    const struct lr_regressor *g; /* own, or shared */
    struct lr_regressor own;
    struct lr_fit_work fit; /* k: what a pass gives to the regression */
    struct lr_response_work valid;
    size_t d, r, rank, n_used; /* n_used: columns of P that act on the fit rows now */
    size_t n_valid;            /* rows behind the fit rows that are judged in the pass */
    size_t n_slots, n_blocks;
    size_t n_fit_blocks; /* the others, behind them, hold validation rows */
    bool is_large;       /* worth waking threads for */
    bool is_deep;        /* slots take so many blocks that they need cross */
    size_t n_together;   /* blocks between two progress reports */
    int n_threads;
    float *w; /* [(n_fit + n_valid) x r] whitened rows; own or shared */
    float *own_w;
    double *zbar;             /* [d] means of z - shortcut */
    float *shift;             /* [d] subtracted from z - shortcut before summing */
    double *c;                /* [d] M mean + b */
    float *rt_f, *p_f, *c_f;  /* the current iterate: u = (w rt^T) P^T + c */
    double *cross;            /* n_slots x [d x r]; NULL unless is_deep */
    float *products;          /* n_slots x [d x r], not in cross yet */
    double *col;              /* n_slots x [d] */
    struct lr_row_sums *sums; /* n_slots */
    float *scratch;           /* n_threads x stride: h, u, column sums */
    size_t stride;
    double *ridge_m;       /* [d x r] M V_r^T; NULL without a ridge */
    double all, all_valid; /* sums of f(target)^2 over the fit and validation rows */
};

/* Takes over what opts->shared holds, and whitens the rows otherwise. v is zeroed but for
 * n_threads. is_in_span: the start has no part outside the directions in which the fit
 * rows vary. */
enum lr_status lr_relu_init(struct lr_relu *v, const struct lr_samples *s, int rank,
                            bool is_in_span, const struct lr_solve_opts *opts,
                            struct lr_err *e);
void lr_relu_free(struct lr_relu *v);

/* The errors of the iterate given by p [d x rank], v->fit.rt, v->c and v->n_used, and
 * unless is_last the sums of the regression of the next, with z by lambda: v->zbar and
 * v->fit.k. done and each: progress before and during this pass. */
enum lr_status lr_relu_pass(struct lr_row_sums *out, struct lr_relu *v, const double *p,
                            double lambda, bool is_last, double done, double each,
                            struct lr_err *e);

#endif
