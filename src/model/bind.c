/* Inputs of the network that become constants. */
#include "model.h"

enum lr_status lr_graph_bind_input(struct lr_graph *g, int v, struct lr_tensor *t,
                                   struct lr_err *e)
{
    struct lr_value *x = &g->values[v];
    int kept = 0;

    if (!x->is_input || x->tensor) {
        lr_tensor_free(t);
        return lr_err_set(e, LR_EINVAL, "%.100s is no input", x->name);
    }
    x->tensor = t;
    x->dtype = t->dtype;
    x->shape = t->shape;
    x->has_shape = true;
    x->is_input = x->has_declared = false;
    for (int i = 0; i < g->n_inputs; i++)
        if (g->inputs[i] != v)
            g->inputs[kept++] = g->inputs[i];
    g->n_inputs = kept;
    return LR_OK;
}

bool lr_op_needs_constant(enum lr_op op, int i)
{
    switch (op) {
    case LR_OP_RESHAPE:
    case LR_OP_EXPAND:
    case LR_OP_TILE:
    case LR_OP_UPSAMPLE:
    case LR_OP_UNSQUEEZE:
    case LR_OP_SQUEEZE:
    case LR_OP_SPLIT:
    case LR_OP_CUM_SUM:
    case LR_OP_REDUCE_SUM:
    case LR_OP_REDUCE_MEAN:
    case LR_OP_REDUCE_MAX:
    case LR_OP_REDUCE_MIN:
    case LR_OP_REDUCE_PROD:
    case LR_OP_REDUCE_L1:
    case LR_OP_REDUCE_L2:
    case LR_OP_REDUCE_SUM_SQUARE:
    case LR_OP_REDUCE_LOG_SUM:
    case LR_OP_REDUCE_LOG_SUM_EXP:
        return i == 1;
    case LR_OP_SLICE:
    case LR_OP_PAD:
    case LR_OP_RESIZE:
    case LR_OP_CLIP:
    case LR_OP_DROPOUT:
    case LR_OP_BATCH_NORMALIZATION:
        return i >= 1;
    case LR_OP_RANGE:
    case LR_OP_CONSTANT_OF_SHAPE:
        return true;
    case LR_OP_IF:
        return i == 0;
    default:
        return false;
    }
}
