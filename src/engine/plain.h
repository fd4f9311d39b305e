/* Plain C kernels on row-major data, for what oneDNN lacks. Each takes its argument block
 * and the buffers in the order given. */
#ifndef RANKLAB_ENGINE_PLAIN_H
#define RANKLAB_ENGINE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/tensor.h"

enum lr_plain_alg { LR_PLAIN_ADD, LR_PLAIN_MUL };

/* out = a alg (beta b) with numpy's broadcasting; strides of 0 repeat. bufs: a, b, out
 * (out may be a when a is not repeated). */
struct lr_plain_binary {
    enum lr_plain_alg alg;
    float beta;
    int n;
    int64_t dims[LR_MAX_DIMS], a[LR_MAX_DIMS], b[LR_MAX_DIMS];
};
/* NULL when the shapes do not broadcast to out or memory is short. */
struct lr_plain_binary *lr_plain_binary_new(int n, const int64_t *out, int na,
                                            const int64_t *a, int nb, const int64_t *b,
                                            enum lr_plain_alg alg, float beta);
void lr_plain_binary(const void *arg, void *const *bufs);

/* Average pooling with ONNX's divisor: taps inside the input, or, with count_include_pad,
 * inside the input and the pads asked for (never what ceil_mode adds). bufs: in, out. */
struct lr_plain_pool {
    int64_t planes, ih, iw, oh, ow;
    int64_t kernel[2], stride[2], dil[2], pad_lo[2], pad_hi[2];
    bool is_including_pads;
};
void lr_plain_average_pool(const void *arg, void *const *bufs);

/* Mean of each of rows rows of length numbers. bufs: in, out. */
struct lr_plain_mean {
    int64_t rows, length;
};
void lr_plain_mean(const void *arg, void *const *bufs);

/* Local response normalisation across channels of [n, c, inner], any size. bufs: in, out.
 */
struct lr_plain_lrn {
    int64_t n, c, inner, size;
    float alpha, beta, bias;
};
void lr_plain_lrn(const void *arg, void *const *bufs);

/* y = scale[c] x + shift[c] on [n, c, inner]. bufs: x, scale, shift, y (y may be x). */
struct lr_plain_affine {
    int64_t n, c, inner;
};
void lr_plain_affine(const void *arg, void *const *bufs);

/* Rows of n pieces put one behind the other: piece i has size[i] numbers in each of rows
 * rows. bufs: the pieces, then out. */
struct lr_plain_concat {
    int64_t rows;
    int n;
    int64_t size[];
};
void lr_plain_concat(const void *arg, void *const *bufs);

#endif
