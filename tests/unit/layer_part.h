/* A layer as a part of a split. */
#ifndef LAYER_PART_H
#define LAYER_PART_H

#include "ranklab/approx.h"

/* The layer itself as a part. */
static inline struct lr_conv_part whole_part(const struct lr_layer *l, const float *w,
                                             const float *bias)
{
    return (struct lr_conv_part){.cout = l->d,
                                 .cin = l->c,
                                 .kh = l->kh,
                                 .kw = l->kw,
                                 .group = l->group,
                                 .stride_h = l->stride_h,
                                 .stride_w = l->stride_w,
                                 .dil_h = l->dil_h,
                                 .dil_w = l->dil_w,
                                 .pad_top = l->pad_top,
                                 .pad_left = l->pad_left,
                                 .pad_bottom = l->pad_bottom,
                                 .pad_right = l->pad_right,
                                 .w = w,
                                 .b = bias};
}

#endif
