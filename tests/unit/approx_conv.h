/* Convolutions by plain loops, and a layer to split. */
#ifndef APPROX_CONV_H
#define APPROX_CONV_H

#include <stdlib.h>

#include "ranklab/approx.h"

static const struct lr_layer LAYER = {.c = 3,
                                      .d = 8,
                                      .kh = 3,
                                      .kw = 3,
                                      .stride_h = 1,
                                      .stride_w = 1,
                                      .dil_h = 1,
                                      .dil_w = 1,
                                      .group = 1};

/* out [cout x oh x ow] of one convolution over x [cin x h x w], as its definition says.
 */
static inline void convolve(double *out, const struct lr_conv_part *p, const double *x,
                            int h, int w, int oh, int ow)
{
    int each_in = p->cin / p->group, each_out = p->cout / p->group;

    for (int o = 0; o < p->cout; o++)
        for (int i = 0; i < oh; i++)
            for (int j = 0; j < ow; j++) {
                double sum = p->b ? (double)p->b[o] : 0;
                for (int c = 0; c < each_in; c++)
                    for (int a = 0; a < p->kh; a++)
                        for (int b = 0; b < p->kw; b++) {
                            int y = i * p->stride_h - p->pad_top + a * p->dil_h;
                            int z = j * p->stride_w - p->pad_left + b * p->dil_w;
                            int from = o / each_out * each_in + c;
                            if (y < 0 || y >= h || z < 0 || z >= w)
                                continue;
                            sum +=
                                x[(from * h + y) * w + z] *
                                (double)p->w[((o * each_in + c) * p->kh + a) * p->kw + b];
                        }
                out[(o * oh + i) * ow + j] = sum;
            }
}

static inline int out_size(int in, int k, int stride, int dil, int before, int after)
{
    return (in + before + after - dil * (k - 1) - 1) / stride + 1;
}

/* x [cin x *h x *w] through n convolutions; *h and *w become the last map's. free() it.
 */
static inline double *convolve_all(const struct lr_conv_part *parts, int n,
                                   const double *x, int *h, int *w)
{
    double *now = NULL;

    for (int k = 0; k < n; k++) {
        const struct lr_conv_part *p = &parts[k];
        int oh = out_size(*h, p->kh, p->stride_h, p->dil_h, p->pad_top, p->pad_bottom);
        int ow = out_size(*w, p->kw, p->stride_w, p->dil_w, p->pad_left, p->pad_right);
        double *next = malloc((size_t)(p->cout * oh * ow) * sizeof(double));
        assert_non_null(next);
        convolve(next, p, now ? now : x, *h, *w, oh, ow);
        free(now);
        now = next;
        *h = oh;
        *w = ow;
    }
    return now;
}

#endif
