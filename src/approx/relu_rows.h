/* The loops over single values of the nonlinear solver, vectorised: the z step of a block
 * of rows with all its sums, and the error of a block. */
#ifndef LR_APPROX_RELU_ROWS_H
#define LR_APPROX_RELU_ROWS_H

#include <stddef.h>

#include "ranklab/approx.h"

struct lr_row_sums {
    double fit;     /* (f(target) - f(x))^2, x = u + c + shortcut */
    double relaxed; /* (f(target) - f(z))^2 + lambda (z - x)^2 */
    double valid;   /* as fit, over validation rows */
};

/* A block of rows [rows x d] of the activation act; shortcut may be NULL. */
struct lr_row_block {
    size_t rows, d;
    const struct lr_activation *act;
    const float *target, *shortcut;
    const float *c, *shift; /* [d] */
};

/* The z step: u, without its constant, becomes z - shortcut - shift, and is added to the
 * column sums col [d] (single precision: a block's rows at most); fit and relaxed are
 * added to. */
void lr_relu_z_rows(struct lr_row_sums *sums, float *u, float *col,
                    const struct lr_row_block *b, float lambda);
/* The sum of (f(target) - f(u + c + shortcut))^2. */
double lr_relu_error_rows(const float *u, const struct lr_row_block *b);
/* The sum of f(target)^2; neither shortcut nor c are looked at. */
double lr_relu_target_rows(const struct lr_row_block *b);

#endif
