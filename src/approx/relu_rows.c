/* Each loop exists for every case without branches inside, and for several vector widths
 * (zstep.h). A row's sums are single precision, those of the rows double. */
#include "approx/relu_rows.h"

#include "approx/zstep.h"

/* Compiled into each of the clones, for its vectors. */
#define LR_INLINED static inline __attribute__((always_inline))

/* One row: u, without its constant, becomes z - shortcut - shift, and is added to col. */
LR_INLINED void z_row_relu(struct lr_row_sums *out, float *restrict u,
                           float *restrict col, const float *restrict t,
                           const float *restrict shortcut, const float *restrict c,
                           const float *restrict shift, size_t d, float lambda)
{
    float inv = 1 / (1 + lambda), fit = 0, relaxed = 0;

#pragma omp simd reduction(+ : fit, relaxed)
    for (size_t j = 0; j < d; j++) {
        float other = shortcut ? shortcut[j] : 0;
        float x = u[j] + c[j] + other;
        float z = lr_z_step_inv(t[j], x, lambda, inv);
        float rt = 0 > t[j] ? 0 : t[j], rx = 0 > x ? 0 : x, rz = 0 > z ? 0 : z;
        fit += (rt - rx) * (rt - rx);
        relaxed += (rt - rz) * (rt - rz) + lambda * (z - x) * (z - x);
        float centred = z - other - shift[j];
        u[j] = centred;
        col[j] += centred;
    }
    out->fit += (double)fit;
    out->relaxed += (double)relaxed;
}

/* The same behind any other piecewise linear activation. */
LR_INLINED void z_row_act(struct lr_row_sums *out, float *restrict u, float *restrict col,
                          const float *restrict t, const float *restrict shortcut,
                          const float *restrict c, const float *restrict shift, size_t d,
                          const struct lr_pieces *pieces)
{
    const struct lr_pieces k = *pieces;
    float fit = 0, relaxed = 0;

#pragma omp simd reduction(+ : fit, relaxed)
    for (size_t j = 0; j < d; j++) {
        float other = shortcut ? shortcut[j] : 0;
        float x = u[j] + c[j] + other;
        float z = lr_z_step_pieces(t[j], x, &k);
        float rt = lr_pieces_at(t[j], &k), rx = lr_pieces_at(x, &k);
        float rz = lr_pieces_at(z, &k);
        fit += (rt - rx) * (rt - rx);
        relaxed += (rt - rz) * (rt - rz) + k.lambda * (z - x) * (z - x);
        float centred = z - other - shift[j];
        u[j] = centred;
        col[j] += centred;
    }
    out->fit += (double)fit;
    out->relaxed += (double)relaxed;
}

LR_CLONES void lr_relu_z_rows(struct lr_row_sums *sums, float *u, float *col,
                              const struct lr_row_block *b, float lambda)
{
    const struct lr_pieces k = lr_pieces_of(b->act, lambda);
    const bool is_relu = lr_act_is_relu(b->act);
    size_t d = b->d;

    for (size_t i = 0; i < b->rows; i++, u += d) {
        const float *target = b->target + i * d;
        const float *other = b->shortcut ? b->shortcut + i * d : NULL;
        if (is_relu && other)
            z_row_relu(sums, u, col, target, other, b->c, b->shift, d, lambda);
        else if (is_relu)
            z_row_relu(sums, u, col, target, NULL, b->c, b->shift, d, lambda);
        else if (other)
            z_row_act(sums, u, col, target, other, b->c, b->shift, d, &k);
        else
            z_row_act(sums, u, col, target, NULL, b->c, b->shift, d, &k);
    }
}

/* sum of (f(target) - f(u + c + shortcut))^2 over one row. */
LR_INLINED float error_row(const float *restrict u, const float *restrict target,
                           const float *restrict shortcut, const float *restrict c,
                           size_t d, const struct lr_pieces *pieces)
{
    const struct lr_pieces k = *pieces;
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < d; j++) {
        float x = u[j] + c[j] + (shortcut ? shortcut[j] : 0);
        float off = lr_pieces_at(target[j], &k) - lr_pieces_at(x, &k);
        sum += off * off;
    }
    return sum;
}

LR_CLONES double lr_relu_error_rows(const float *u, const struct lr_row_block *b)
{
    const struct lr_pieces k = lr_pieces_of(b->act, 1);
    const float *t = b->target, *other = b->shortcut;
    size_t d = b->d;
    double sum = 0;

    for (size_t i = 0; i < b->rows * d; i += d)
        sum += (double)(other ? error_row(u + i, t + i, other + i, b->c, d, &k)
                              : error_row(u + i, t + i, NULL, b->c, d, &k));
    return sum;
}

/* sum of f(target)^2 over one row. */
LR_INLINED float target_row(const float *restrict target, size_t d,
                            const struct lr_pieces *pieces)
{
    const struct lr_pieces k = *pieces;
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < d; j++)
        sum += lr_pieces_at(target[j], &k) * lr_pieces_at(target[j], &k);
    return sum;
}

LR_CLONES double lr_relu_target_rows(const struct lr_row_block *b)
{
    const struct lr_pieces k = lr_pieces_of(b->act, 1);
    double sum = 0;

    for (size_t i = 0; i < b->rows * b->d; i += b->d)
        sum += (double)target_row(b->target + i, b->d, &k);
    return sum;
}
