/* Transposed convolution and resizing for the interpreter of engine_naive.h, from the
 * operators' definitions. */
#ifndef RANKLAB_TEST_ENGINE_UPSAMPLE_H
#define RANKLAB_TEST_ENGINE_UPSAMPLE_H

#include <math.h>

#include "engine_move.h"

/* Every input position adds the filter, shifted to where it stands. */
static UNUSED void naive_conv_transpose(const struct lr_node *n, struct nt *y,
                                        const struct nt *x, const struct nt *w,
                                        const struct nt *bias)
{
    int64_t s[2], dil[2], lo[2], out[2], g = lr_node_int(n, "group", 1);
    for (int i = 0; i < 2; i++) {
        s[i] = ints_at(n, "strides", i, 1);
        dil[i] = ints_at(n, "dilations", i, 1);
        lo[i] = ints_at(n, "pads", i, 0);
        out[i] = (x->d[2 + i] - 1) * s[i] + (w->d[2 + i] - 1) * dil[i] + 1 - lo[i] -
                 ints_at(n, "pads", 2 + i, 0) + ints_at(n, "output_padding", i, 0);
    }
    const int64_t dg = w->d[1], cg = x->d[1] / g;
    nt_4(y, x->d[0], dg * g, out[0], out[1]);
    for (int64_t i = 0; i < y->d[0]; i++)
        for (int64_t o = 0; o < y->d[1]; o++)
            for (int64_t p = 0; p < out[0]; p++)
                for (int64_t q = 0; q < out[1]; q++)
                    *at4(y, i, o, p, q) = bias ? bias->x[o] : 0;
    for (int64_t i = 0; i < x->d[0]; i++)
        for (int64_t c = 0; c < x->d[1]; c++)
            for (int64_t p = 0; p < x->d[2]; p++)
                for (int64_t q = 0; q < x->d[3]; q++)
                    for (int64_t o = 0; o < dg; o++)
                        for (int64_t a = 0; a < w->d[2]; a++)
                            for (int64_t e = 0; e < w->d[3]; e++) {
                                int64_t r = p * s[0] + a * dil[0] - lo[0];
                                int64_t t = q * s[1] + e * dil[1] - lo[1];
                                if (r >= 0 && t >= 0 && r < out[0] && t < out[1])
                                    *at4(y, i, c / cg * dg + o, r, t) +=
                                        *at4(x, i, c, p, q) * *at4(w, c, o, a, e);
                            }
}

/* Where output j of an axis lies in the input. */
static double resize_place(const struct lr_node *n, int64_t j, int64_t in, int64_t out,
                           double scale)
{
    const char *how = lr_node_string(n, "coordinate_transformation_mode", "half_pixel");
    if (n->op == LR_OP_UPSAMPLE || strcmp(how, "asymmetric") == 0)
        return (double)j / scale;
    if (strcmp(how, "align_corners") == 0)
        return out > 1 ? (double)j * (double)(in - 1) / (double)(out - 1) : 0;
    return ((double)j + 0.5) / scale - 0.5;
}

static double resize_at(const struct nt *x, int64_t i, int64_t c, double p, double q)
{
    double h = fmin(fmax(p, 0), (double)(x->d[2] - 1));
    double w = fmin(fmax(q, 0), (double)(x->d[3] - 1));
    int64_t h0 = (int64_t)h, w0 = (int64_t)w;
    int64_t h1 = h0 + 1 < x->d[2] ? h0 + 1 : h0, w1 = w0 + 1 < x->d[3] ? w0 + 1 : w0;
    h -= (double)h0;
    w -= (double)w0;
    return (1 - h) * ((1 - w) * *at4(x, i, c, h0, w0) + w * *at4(x, i, c, h0, w1)) +
           h * ((1 - w) * *at4(x, i, c, h1, w0) + w * *at4(x, i, c, h1, w1));
}

static double resize_round(const struct lr_node *n, double p)
{
    const char *how = n->op == LR_OP_UPSAMPLE
                          ? "floor"
                          : lr_node_string(n, "nearest_mode", "round_prefer_floor");
    if (strcmp(how, "floor") == 0)
        return floor(p);
    if (strcmp(how, "ceil") == 0)
        return ceil(p);
    return strcmp(how, "round_prefer_ceil") == 0 ? floor(p + 0.5) : ceil(p - 0.5);
}

/* Of two dimensions behind the channels, by scales. */
static UNUSED void naive_resize(const struct lr_node *n, struct nt *y, const struct nt *x,
                                const struct nt *scales)
{
    const bool is_linear = strcmp(lr_node_string(n, "mode", "nearest"), "linear") == 0;
    const double sh = scales->x[2], sw = scales->x[3];
    nt_4(y, x->d[0], x->d[1], (int64_t)floor((double)x->d[2] * sh),
         (int64_t)floor((double)x->d[3] * sw));
    for (int64_t i = 0; i < y->d[0]; i++)
        for (int64_t c = 0; c < y->d[1]; c++)
            for (int64_t p = 0; p < y->d[2]; p++)
                for (int64_t q = 0; q < y->d[3]; q++) {
                    double h = resize_place(n, p, x->d[2], y->d[2], sh);
                    double w = resize_place(n, q, x->d[3], y->d[3], sw);
                    *at4(y, i, c, p, q) =
                        is_linear
                            ? resize_at(x, i, c, h, w)
                            : resize_at(x, i, c, resize_round(n, h), resize_round(n, w));
                }
}

#endif
