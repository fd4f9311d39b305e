/* Kernels of reductions, normalisations, windows and resizing. */
#include <string.h>

#include "model.h"
#include "model/eval.h"
#include "model/space.h"

/* Sizes before, of and behind an axis. */
struct cut {
    int64_t outer, n, inner;
};

static struct cut cut_at(const struct lr_shape *s, int axis)
{
    struct cut x = {1, 1, 1};

    for (int i = 0; i < s->n_dims; i++)
        *(i < axis ? &x.outer : i == axis ? &x.n : &x.inner) *= s->dims[i];
    return x;
}

static enum lr_reduce reduce_of(enum lr_op op)
{
    switch (op) {
    case LR_OP_REDUCE_SUM:
        return LR_RED_SUM;
    case LR_OP_REDUCE_MEAN:
        return LR_RED_MEAN;
    case LR_OP_REDUCE_MAX:
        return LR_RED_MAX;
    case LR_OP_REDUCE_MIN:
        return LR_RED_MIN;
    case LR_OP_REDUCE_PROD:
        return LR_RED_PROD;
    case LR_OP_REDUCE_L1:
        return LR_RED_L1;
    case LR_OP_REDUCE_L2:
        return LR_RED_L2;
    case LR_OP_REDUCE_SUM_SQUARE:
        return LR_RED_SUM_SQUARE;
    case LR_OP_REDUCE_LOG_SUM:
        return LR_RED_LOG_SUM;
    case LR_OP_REDUCE_LOG_SUM_EXP:
        return LR_RED_LOG_SUM_EXP;
    case LR_OP_ARG_MAX:
        return LR_RED_ARG_MAX;
    default:
        return LR_RED_ARG_MIN;
    }
}

enum lr_status lr_eval_reduce(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    unsigned axes;
    enum lr_status st = lr_node_reduce_axes(&axes, c->g, c->n, in.n_dims, c->e);

    if (st != LR_OK)
        return st;
    c->x->n_in = 1;
    return lr_kernel_reduce(&c->x->kernel, reduce_of(c->n->op), &in, axes,
                            lr_eval_type(c, 0),
                            lr_node_int(c->n, "select_last_index", 0) != 0, c->e);
}

enum lr_status lr_eval_softmax(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    const bool is_flat = c->g->opset < 13;
    int axis = lr_eval_axis(lr_node_int(c->n, "axis", is_flat ? 1 : -1), in.n_dims);
    struct cut x = cut_at(&in, axis);

    /* before opset 13 the axes from there on are one */
    if (is_flat) {
        x.n *= x.inner;
        x.inner = 1;
    }
    return lr_kernel_softmax(&c->x->kernel,
                             c->n->op == LR_OP_SOFTMAX   ? LR_SOFTMAX
                             : c->n->op == LR_OP_HARDMAX ? LR_HARDMAX
                                                         : LR_LOG_SOFTMAX,
                             x.outer, x.n, x.inner, c->e);
}

enum lr_status lr_eval_cumsum(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    int64_t axis;
    int n;

    if (!lr_node_list(&axis, 1, &n, c->g, c->n, 1, NULL) || n != 1)
        return lr_err_set(c->e, LR_EUNSUP, "the axis of CumSum is not constant");
    c->x->n_in = 1;
    struct cut x = cut_at(&in, lr_eval_axis(axis, in.n_dims));
    return lr_kernel_cumsum(
        &c->x->kernel, x.outer, x.n, x.inner, lr_node_int(c->n, "exclusive", 0) != 0,
        lr_node_int(c->n, "reverse", 0) != 0, lr_eval_type(c, 0), c->e);
}

enum lr_status lr_eval_layer_norm(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    int axis = lr_eval_axis(lr_node_int(c->n, "axis", -1), in.n_dims);
    struct lr_norm x = {.rows = 1,
                        .length = 1,
                        .cycle = 1,
                        .run = 1,
                        .epsilon = lr_node_float(c->n, "epsilon", 1e-5F),
                        .has_scale = lr_eval_has_in(c, 1),
                        .has_shift = lr_eval_has_in(c, 2),
                        .has_mean = lr_eval_has_out(c, 1),
                        .has_inverse = lr_eval_has_out(c, 2)};

    for (int i = 0; i < in.n_dims; i++)
        *(i < axis ? &x.rows : &x.length) *= in.dims[i];
    x.per_row = x.length;
    for (int i = 1; i < 3; i++) {
        if (!lr_eval_has_in(c, i))
            continue;
        struct lr_shape s = lr_eval_shape(c, i);
        if (lr_eval_count(&s) != x.length)
            return lr_err_set(c->e, LR_EUNSUP,
                              "scale and bias must have the size of what is normalised");
    }
    return lr_kernel_norm(&c->x->kernel, &x, c->e);
}

/* Instances are groups of one channel. Scale and bias: one per channel, or per group as
 * GroupNormalization had it before opset 21. */
enum lr_status lr_eval_group_norm(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), scale = lr_eval_shape(c, 1);
    const int64_t ch = in.dims[1];
    const int64_t groups = c->n->op == LR_OP_INSTANCE_NORMALIZATION
                               ? ch
                               : lr_node_int(c->n, "num_groups", 1);
    int64_t plane = 1;

    for (int i = 2; i < in.n_dims; i++)
        plane *= in.dims[i];
    bool is_per_group = lr_eval_count(&scale) == groups;
    struct lr_norm x = {.rows = in.dims[0] * groups,
                        .length = ch / groups * plane,
                        .cycle = groups,
                        .per_row = is_per_group ? 1 : ch / groups,
                        .run = plane > 0 ? plane : 1,
                        .epsilon = lr_node_float(c->n, "epsilon", 1e-5F),
                        .has_scale = true,
                        .has_shift = true};
    return lr_kernel_norm(&c->x->kernel, &x, c->e);
}

enum lr_status lr_eval_lp_norm(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    int axis = lr_eval_axis(lr_node_int(c->n, "axis", -1), in.n_dims);
    int64_t p = lr_node_int(c->n, "p", 2);
    struct cut x = cut_at(&in, axis);

    if (p != 1 && p != 2)
        return lr_err_set(c->e, LR_EUNSUP, "the norm of order %lld", (long long)p);
    return lr_kernel_lp_norm(&c->x->kernel, (int)p, x.outer, x.n, x.inner, c->e);
}

enum lr_status lr_eval_einsum(struct lr_eval_ctx *c)
{
    struct lr_equation q;
    struct lr_shape s[LR_EINSUM_MAX];
    const struct lr_shape *p[LR_EINSUM_MAX];
    const char *labels[LR_EINSUM_MAX];
    const int n = c->n->n_in;

    if (n < 1 || n > LR_EINSUM_MAX)
        return lr_err_set(c->e, LR_EUNSUP, "an Einstein sum of %d operands", n);
    for (int i = 0; i < n; i++) {
        s[i] = lr_eval_shape(c, i);
        p[i] = &s[i];
    }
    enum lr_status st = lr_node_equation(&q, c->n, p, c->e);
    for (int i = 0; i < n; i++)
        labels[i] = q.in[i];
    return st == LR_OK ? lr_kernel_einsum(&c->x->kernel, n, p, labels, q.out,
                                          lr_eval_type(c, 0), c->e)
                       : st;
}

/* For constants and odd shapes: a sum over the last label of a. */
enum lr_status lr_eval_matmul(struct lr_eval_ctx *c)
{
    struct lr_shape s[2] = {lr_eval_shape(c, 0), lr_eval_shape(c, 1)};
    struct lr_shape out = lr_eval_shape_out(c, 0);
    const struct lr_shape *p[2] = {&s[0], &s[1]};
    const bool is_row = s[0].n_dims == 1, is_column = s[1].n_dims == 1;
    char a[LR_MAX_DIMS + 1] = "", b[LR_MAX_DIMS + 1] = "", y[LR_MAX_DIMS + 1] = "";
    const char *labels[2] = {a, b};
    int stack = out.n_dims - !is_row - !is_column;

    for (int i = 0; i < out.n_dims; i++)
        y[i] = (char)('a' + i);
    for (int i = 0; i < s[0].n_dims; i++)
        a[i] = i == s[0].n_dims - 1   ? 'z'
               : i == s[0].n_dims - 2 ? y[stack]
                                      : y[stack - (s[0].n_dims - 2) + i];
    for (int i = 0; i < s[1].n_dims; i++)
        b[i] = is_column || i == s[1].n_dims - 2 ? 'z'
               : i == s[1].n_dims - 1            ? y[out.n_dims - 1]
                                                 : y[stack - (s[1].n_dims - 2) + i];
    return lr_kernel_einsum(&c->x->kernel, 2, p, labels, y, lr_eval_type(c, 0), c->e);
}

enum lr_status lr_eval_resize(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), out = lr_eval_shape_out(c, 0);
    struct lr_resize_axis axes[LR_MAX_DIMS] = {{0}};
    struct lr_resize_plan p;
    /* the shapes say what the sizes were, whatever the batch */
    enum lr_status st = lr_node_resize(&p, c->g, c->n, &in, out.dims, out.n_dims, c->e);

    if (st == LR_EUNSUP || st == LR_ESHAPE)
        st = lr_node_resize(&p, c->g, c->n, &in, NULL, 0, c->e);
    c->x->n_in = 1;
    for (int i = 0; i < in.n_dims && st == LR_OK; i++) {
        struct lr_resize_opts o = p.opts;
        if (in.dims[i] == out.dims[i] && p.scale[i] == 1 && o.coord == LR_COORD_TF_CROP &&
            p.roi[i][0] == 0 && p.roi[i][1] == 1)
            o.coord = LR_COORD_ASYMMETRIC;
        st = lr_resize_axis_init(&axes[i], in.dims[i], out.dims[i], p.scale[i], p.roi[i],
                                 &o, c->e);
    }
    if (st == LR_OK)
        st = lr_kernel_resize(&c->x->kernel, in.n_dims, axes, p.extrapolation, c->e);
    for (int i = 0; i < in.n_dims; i++)
        lr_resize_axis_clear(&axes[i]);
    return st;
}

enum lr_status lr_eval_pool(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    struct lr_space s;
    enum lr_op op = c->n->op;
    enum lr_status st = lr_node_space(&s, c->n, &in, NULL, c->e);

    if (st != LR_OK)
        return st;
    s.slide.planes = in.dims[0] * in.dims[1];
    bool is_max = op == LR_OP_MAX_POOL || op == LR_OP_GLOBAL_MAX_POOL;
    bool is_lp = op == LR_OP_LP_POOL || op == LR_OP_GLOBAL_LP_POOL;
    return lr_kernel_pool(&c->x->kernel, &s.slide,
                          is_max  ? LR_POOL_MAX
                          : is_lp ? LR_POOL_LP
                                  : LR_POOL_AVERAGE,
                          s.is_including, (float)lr_node_int(c->n, "p", 2),
                          is_max && lr_eval_has_out(c, 1),
                          lr_node_int(c->n, "storage_order", 0) != 0,
                          !lr_kernel_is_float(lr_eval_type(c, 0)), c->e);
}

static enum lr_status convolution(struct lr_eval_ctx *c, bool is_transposed)
{
    struct lr_shape in = lr_eval_shape(c, 0), w = lr_eval_shape(c, 1);
    struct lr_space s;
    enum lr_status st = lr_node_space(&s, c->n, &in, &w, c->e);

    if (st != LR_OK)
        return st;
    s.slide.planes = in.dims[0];
    int64_t d = is_transposed ? w.dims[1] * s.group : w.dims[0];
    return lr_kernel_conv(&c->x->kernel, &s.slide, in.dims[1], d, s.group,
                          lr_eval_has_in(c, 2), is_transposed, c->e);
}

enum lr_status lr_eval_conv(struct lr_eval_ctx *c)
{
    return convolution(c, false);
}

enum lr_status lr_eval_conv_transpose(struct lr_eval_ctx *c)
{
    return convolution(c, true);
}
