/* Windows over any number of spatial dimensions, and lists that are an attribute in old
 * opsets and an input in new ones. */
#ifndef RANKLAB_MODEL_SPACE_H
#define RANKLAB_MODEL_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/kernel.h"
#include "ranklab/graph.h"

struct lr_space {
    struct lr_slide slide; /* in, kernel, stride, dil and pads; out once it is known */
    int64_t group;
    bool is_ceil, is_including;
};
/* The window of a convolution, its transpose or a pooling over data of shape in; w: the
 * weights, NULL for poolings. Global poolings take the whole. Sets out, too. LR_ESHAPE
 * when it does not fit. */
enum lr_status lr_node_space(struct lr_space *s, const struct lr_node *n,
                             const struct lr_shape *in, const struct lr_shape *w,
                             struct lr_err *e);

/* The integers of constant input i, or else of the attribute of this name: at most max,
 * *n of them, -1 when neither is there. False when the input is no constant or too long.
 */
bool lr_node_list(int64_t *list, int max, int *n, const struct lr_graph *g,
                  const struct lr_node *node, int i, const char *name);

/* Start, step and count along every axis of s that a Slice takes. LR_EUNSUP when its
 * range is not constant. */
struct lr_range {
    int64_t start, step, count;
};
enum lr_status lr_node_ranges(struct lr_range r[LR_MAX_DIMS], const struct lr_graph *g,
                              const struct lr_node *n, const struct lr_shape *s,
                              struct lr_err *e);

/* How a Resize or Upsample is asked for: n scales or sizes along chosen axes of data of
 * n_dims dimensions, written out for all of them; scale 1 where none is asked for. */
struct lr_resize_plan {
    bool has_sizes;
    double scale[LR_MAX_DIMS];
    int64_t size[LR_MAX_DIMS];
    double roi[LR_MAX_DIMS][2];
    struct lr_resize_opts opts;
    float extrapolation;
};
/* sizes: the values of input 3 where they are known, else NULL (with -1 for the batch).
 */
enum lr_status lr_node_resize(struct lr_resize_plan *p, const struct lr_graph *g,
                              const struct lr_node *n, const struct lr_shape *in,
                              const int64_t *sizes, int n_sizes, struct lr_err *e);

/* The axes a reduction (or ArgMax) runs over, as a bit set. LR_EUNSUP when they are not
 * constant. */
enum lr_status lr_node_reduce_axes(unsigned *axes, const struct lr_graph *g,
                                   const struct lr_node *n, int n_dims, struct lr_err *e);

/* The equation of an Einsum with what it leaves out put in: dots become capital letters,
 * a missing result the sorted labels that occur once. in: of each operand. */
struct lr_equation {
    char in[LR_EINSUM_MAX][LR_MAX_DIMS + 1], out[LR_EINSUM_LABELS + 1];
};
enum lr_status lr_node_equation(struct lr_equation *q, const struct lr_node *n,
                                const struct lr_shape *const *in, struct lr_err *e);

#endif
