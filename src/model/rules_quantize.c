/* Shapes and types of quantisation. The kernels index scales and zero points by the
 * position of an element and take them for what they are told: all of it is checked here.
 */
#include "kernel/kernel.h"
#include "model.h"

/* One scale, one for each position of an axis, or one for each block of some positions of
 * an axis; zero points are as many. */
static enum lr_status check_scales(struct lr_infer *c, const struct lr_shape *s,
                                   const struct lr_shape *scale, struct lr_err *e)
{
    int64_t block = lr_node_int(c->node, "block_size", 0);
    char a[8 * 21], b[8 * 21];
    int axis;

    if (scale->n_dims > 1 || block != 0 || (scale->n_dims == 1 && scale->dims[0] != 1)) {
        enum lr_status st =
            lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", 1), s->n_dims, e);
        if (st != LR_OK)
            return st;
        bool is_ok = scale->n_dims == 1 && block == 0 && s->dims[axis] == scale->dims[0];
        if (block > 0 && scale->n_dims == s->n_dims) {
            is_ok = true;
            for (int i = 0; i < s->n_dims; i++)
                is_ok = is_ok && s->dims[i] >= 0 &&
                        scale->dims[i] ==
                            (i == axis ? s->dims[i] / block + (s->dims[i] % block != 0)
                                       : s->dims[i]);
        }
        if (!is_ok)
            return lr_infer_bad(c, e, "scales of shape %s for %s",
                                lr_shape_text(a, sizeof(a), scale),
                                lr_shape_text(b, sizeof(b), s));
    }
    if (!lr_kernel_is_float(lr_infer_dtype(c, 1)))
        return lr_infer_bad(c, e, "scales that are integers");
    if (!lr_infer_has(c, 2))
        return LR_OK;
    const struct lr_shape *zero = lr_infer_in(c, 2);
    if (!zero)
        return lr_infer_why(c, e, "the shape of its zero point is not known");
    int64_t n_zero = 0, n_scale = 0;
    if (lr_shape_count(&n_zero, zero, NULL) != LR_OK ||
        lr_shape_count(&n_scale, scale, NULL) != LR_OK || n_zero != n_scale)
        return lr_infer_bad(c, e, "zero points of shape %s for scales of shape %s",
                            lr_shape_text(a, sizeof(a), zero),
                            lr_shape_text(b, sizeof(b), scale));
    if (lr_kernel_is_float(lr_infer_dtype(c, 2)))
        return lr_infer_bad(c, e, "a zero point that is no integer");
    return LR_OK;
}

enum lr_status lr_rule_quantize(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0), *scale = lr_infer_in(c, 1);
    enum lr_dtype t = LR_DT_F32;

    if (!scale)
        return lr_infer_why(c, e, "the shape of its scale is not known");
    enum lr_status st = check_scales(c, s, scale, e);
    if (st != LR_OK)
        return st;
    bool is_real = lr_kernel_is_float(lr_infer_dtype(c, 0));
    if (is_real && c->node->op == LR_OP_DEQUANTIZE_LINEAR)
        return lr_infer_bad(c, e, "of type %s", lr_dtype_name(lr_infer_dtype(c, 0)));
    if (!is_real && c->node->op == LR_OP_QUANTIZE_LINEAR)
        return lr_infer_why(c, e, "of type %s", lr_dtype_name(lr_infer_dtype(c, 0)));
    if (c->node->op == LR_OP_QUANTIZE_LINEAR) {
        int64_t given = lr_node_int(c->node, "output_dtype", 0);
        t = lr_infer_has(c, 2) ? lr_infer_dtype(c, 2)
            : given            ? (enum lr_dtype)given
                               : LR_DT_U8;
        if (t != LR_DT_U8 && t != LR_DT_I8 && t != LR_DT_U16 && t != LR_DT_I16)
            return lr_infer_why(c, e, "quantized to type %d", (int)t);
    }
    return lr_infer_out(c, 0, t, s, e);
}
