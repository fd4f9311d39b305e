/* Types of inputs that a kernel reads as reals or as integers by what another one is:
 * reals and integers have elements of different sizes, so a mixture is refused first. */
#include "kernel/kernel.h"
#include "model.h"

static bool is_real(const struct lr_infer *c, int i)
{
    return lr_kernel_is_float(lr_infer_dtype(c, i));
}

/* Inputs from..to-1 are all reals or all integers. */
static enum lr_status check_alike(struct lr_infer *c, int from, int to, struct lr_err *e)
{
    int first = -1;

    for (int i = from; i < to && i < c->node->n_in; i++) {
        if (!lr_infer_has(c, i))
            continue;
        if (first >= 0 && is_real(c, i) != is_real(c, first))
            return lr_infer_bad(c, e, "%s and %s together",
                                lr_dtype_name(lr_infer_dtype(c, first)),
                                lr_dtype_name(lr_infer_dtype(c, i)));
        first = first < 0 ? i : first;
    }
    return LR_OK;
}

static enum lr_status check_integers(struct lr_infer *c, int i, const char *what,
                                     struct lr_err *e)
{
    if (lr_infer_has(c, i) && is_real(c, i))
        return lr_infer_bad(c, e, "%s of type %s", what,
                            lr_dtype_name(lr_infer_dtype(c, i)));
    return LR_OK;
}

enum lr_status lr_infer_types(struct lr_infer *c, struct lr_err *e)
{
    enum lr_status st;

    switch (c->node->op) {
    case LR_OP_CONCAT:
        return check_alike(c, 0, c->node->n_in, e);
    case LR_OP_WHERE:
        st = check_integers(c, 0, "a condition", e);
        return st == LR_OK ? check_alike(c, 1, 3, e) : st;
    case LR_OP_GATHER:
    case LR_OP_GATHER_ELEMENTS:
    case LR_OP_GATHER_ND:
        return check_integers(c, 1, "indices", e);
    case LR_OP_SCATTER:
    case LR_OP_SCATTER_ELEMENTS:
    case LR_OP_SCATTER_ND:
        st = check_integers(c, 1, "indices", e);
        if (st == LR_OK && lr_infer_has(c, 2) && is_real(c, 0) != is_real(c, 2))
            return lr_infer_bad(c, e, "%s and %s together",
                                lr_dtype_name(lr_infer_dtype(c, 0)),
                                lr_dtype_name(lr_infer_dtype(c, 2)));
        return st;
    case LR_OP_LSTM:
    case LR_OP_GRU:
    case LR_OP_RNN:
        for (int i = 0; i < c->node->n_in; i++)
            if (i != 4 && lr_infer_has(c, i) && !is_real(c, i))
                return lr_infer_why(c, e, "%s of type %s", c->node->type,
                                    lr_dtype_name(lr_infer_dtype(c, i)));
        return check_integers(c, 4, "lengths", e);
    case LR_OP_GRID_SAMPLE:
    case LR_OP_CONV:
    case LR_OP_CONV_TRANSPOSE:
    case LR_OP_AVERAGE_POOL:
    case LR_OP_GLOBAL_AVERAGE_POOL:
    case LR_OP_LP_POOL:
    case LR_OP_GLOBAL_LP_POOL:
    case LR_OP_SOFTMAX:
    case LR_OP_LOG_SOFTMAX:
    case LR_OP_HARDMAX:
    case LR_OP_LAYER_NORMALIZATION:
    case LR_OP_INSTANCE_NORMALIZATION:
    case LR_OP_GROUP_NORMALIZATION:
    case LR_OP_LP_NORMALIZATION:
    case LR_OP_MEAN:
        for (int i = 0; i < c->node->n_in; i++)
            if (lr_infer_has(c, i) && !is_real(c, i))
                return lr_infer_why(c, e, "%s of type %s", c->node->type,
                                    lr_dtype_name(lr_infer_dtype(c, i)));
        return LR_OK;
    case LR_OP_EINSUM:
        return check_alike(c, 0, c->node->n_in, e);
    default:
        return LR_OK;
    }
}
