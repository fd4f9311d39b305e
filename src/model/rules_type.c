/* How many inputs and outputs there are, and types of those that a kernel reads as reals
 * or as integers by what another one is: reals and integers have elements of different
 * sizes, so a mixture is refused first. */
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

/* How many inputs an operator has at most, where it is not one. */
enum { ANY = 255 };
static const unsigned char most_inputs[LR_OP_COUNT] = {
    [LR_OP_CONCAT] = ANY,
    [LR_OP_MAX] = ANY,
    [LR_OP_MIN] = ANY,
    [LR_OP_SUM] = ANY,
    [LR_OP_MEAN] = ANY,
    [LR_OP_EINSUM] = ANY,
    [LR_OP_IF] = ANY,
    [LR_OP_LSTM] = 8,
    [LR_OP_GRU] = 6,
    [LR_OP_RNN] = 6,
    [LR_OP_BATCH_NORMALIZATION] = 5,
    [LR_OP_SLICE] = 5,
    [LR_OP_PAD] = 4,
    [LR_OP_RESIZE] = 4,
    [LR_OP_CONV] = 3,
    [LR_OP_CONV_TRANSPOSE] = 3,
    [LR_OP_GEMM] = 3,
    [LR_OP_CLIP] = 3,
    [LR_OP_DROPOUT] = 3,
    [LR_OP_WHERE] = 3,
    [LR_OP_QUANTIZE_LINEAR] = 3,
    [LR_OP_DEQUANTIZE_LINEAR] = 3,
    [LR_OP_LAYER_NORMALIZATION] = 3,
    [LR_OP_INSTANCE_NORMALIZATION] = 3,
    [LR_OP_GROUP_NORMALIZATION] = 3,
    [LR_OP_SCATTER] = 3,
    [LR_OP_SCATTER_ELEMENTS] = 3,
    [LR_OP_SCATTER_ND] = 3,
    [LR_OP_ONE_HOT] = 3,
    [LR_OP_RANGE] = 3,
    [LR_OP_ADD] = 2,
    [LR_OP_SUB] = 2,
    [LR_OP_MUL] = 2,
    [LR_OP_DIV] = 2,
    [LR_OP_POW] = 2,
    [LR_OP_MOD] = 2,
    [LR_OP_PRELU] = 2,
    [LR_OP_EQUAL] = 2,
    [LR_OP_GREATER] = 2,
    [LR_OP_LESS] = 2,
    [LR_OP_GREATER_OR_EQUAL] = 2,
    [LR_OP_LESS_OR_EQUAL] = 2,
    [LR_OP_AND] = 2,
    [LR_OP_OR] = 2,
    [LR_OP_XOR] = 2,
    [LR_OP_MAT_MUL] = 2,
    [LR_OP_RESHAPE] = 2,
    [LR_OP_GATHER] = 2,
    [LR_OP_UNSQUEEZE] = 2,
    [LR_OP_SQUEEZE] = 2,
    [LR_OP_CAST_LIKE] = 2,
    [LR_OP_REDUCE_SUM] = 2,
    [LR_OP_REDUCE_MEAN] = 2,
    [LR_OP_REDUCE_MAX] = 2,
    [LR_OP_REDUCE_MIN] = 2,
    [LR_OP_REDUCE_PROD] = 2,
    [LR_OP_REDUCE_L1] = 2,
    [LR_OP_REDUCE_L2] = 2,
    [LR_OP_REDUCE_SUM_SQUARE] = 2,
    [LR_OP_REDUCE_LOG_SUM] = 2,
    [LR_OP_REDUCE_LOG_SUM_EXP] = 2,
    [LR_OP_CUM_SUM] = 2,
    [LR_OP_UPSAMPLE] = 2,
    [LR_OP_GRID_SAMPLE] = 2,
    [LR_OP_SPLIT] = 2,
    [LR_OP_EXPAND] = 2,
    [LR_OP_TILE] = 2,
    [LR_OP_GATHER_ELEMENTS] = 2,
    [LR_OP_GATHER_ND] = 2,
    [LR_OP_TOP_K] = 2,
    [LR_OP_TRILU] = 2,
};

/* How many outputs an operator has at most. */
static int most_outputs(enum lr_op op)
{
    switch (op) {
    case LR_OP_SPLIT:
    case LR_OP_IF:
        return ANY;
    case LR_OP_BATCH_NORMALIZATION:
        return 5;
    case LR_OP_LSTM:
    case LR_OP_LAYER_NORMALIZATION:
        return 3;
    case LR_OP_GRU:
    case LR_OP_RNN:
    case LR_OP_TOP_K:
    case LR_OP_MAX_POOL:
    case LR_OP_DROPOUT:
        return 2;
    default:
        return 1;
    }
}

/* Kernels find their results behind the inputs they know of, and a layer that is replaced
 * gives the first of its outputs only. */
static enum lr_status check_count(const struct lr_infer *c, struct lr_err *e)
{
    const int given = most_inputs[c->node->op], most = given ? given : 1;

    for (int i = most; given != ANY && i < c->node->n_in; i++)
        if (lr_infer_has(c, i))
            return lr_err_set(e, LR_EPARSE, "%.100s: %s with more than %d input%s",
                              c->node->name, c->node->type, most, most > 1 ? "s" : "");
    const int n = most_outputs(c->node->op);
    for (int i = n; n != ANY && i < c->node->n_out; i++)
        if (c->node->out[i] >= 0)
            return lr_err_set(e, LR_EPARSE, "%.100s: %s with more than %d output%s",
                              c->node->name, c->node->type, n, n > 1 ? "s" : "");
    return LR_OK;
}

enum lr_status lr_infer_types(struct lr_infer *c, struct lr_err *e)
{
    enum lr_status st = check_count(c, e);

    if (st != LR_OK)
        return st;
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
