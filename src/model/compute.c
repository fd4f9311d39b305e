/* Nodes of which all operands are constant are computed while shapes are inferred, by the
 * kernels that compute values in a run. */
#include "model.h"
#include "model/eval.h"

/* Results beyond this many numbers are computed anew in every run, unless the operands
 * are as large. */
enum { FOLD_FREELY = 65536 };

/* Products of the sizes of operands and result beyond this are left to the run: a hostile
 * file must not keep the reader busy. */
static const int64_t FOLD_WORK = (int64_t)1 << 28;

static bool is_sum_of_products(enum lr_op op)
{
    return op == LR_OP_CONV || op == LR_OP_CONV_TRANSPOSE || op == LR_OP_MAT_MUL ||
           op == LR_OP_EINSUM;
}

static bool is_foldable(const struct lr_infer *c)
{
    const struct lr_node *n = c->node;
    int64_t in = FOLD_FREELY, work = 1, count;

    if (n->why_unsupported || !lr_eval_has(n->op) || n->op == LR_OP_MAX_POOL ||
        n->op == LR_OP_AVERAGE_POOL || n->op == LR_OP_LP_POOL || n->op == LR_OP_LSTM ||
        n->op == LR_OP_GRU || n->op == LR_OP_RNN)
        return false;
    for (int i = 0; i < n->n_in; i++) {
        const struct lr_tensor *t = lr_infer_const(c, i);
        if (lr_infer_has(c, i) && !t)
            return false;
        if (t && lr_shape_count(&count, &t->shape, NULL) == LR_OK && count > in)
            in = count;
        if (t && is_sum_of_products(n->op) &&
            (__builtin_mul_overflow(work, count + 1, &work) || work > FOLD_WORK))
            return false;
    }
    for (int i = 0; i < n->n_out; i++) {
        const struct lr_value *v = n->out[i] < 0 ? NULL : &c->g->values[n->out[i]];
        if (v && (v->tensor || !v->has_shape ||
                  lr_shape_count(&count, &v->shape, NULL) != LR_OK || count > in))
            return false;
    }
    return true;
}

enum lr_status lr_infer_compute(struct lr_infer *c, struct lr_err *e)
{
    struct lr_eval x = {0};
    struct lr_err why = {0};
    void **bufs = NULL;
    int64_t count;

    if (!is_foldable(c))
        return LR_OK;
    enum lr_status st = lr_eval_make(&x, c->g, c->node, 1, &why);
    if (st != LR_OK)
        return st == LR_ENOMEM ? lr_enomem(e, 64, "a constant") : LR_OK;
    const int n = x.n_in + x.n_out;
    bufs = lr_calloc((size_t)n, sizeof(*bufs));
    if (!bufs)
        st = lr_enomem(e, (size_t)n * sizeof(*bufs), "a constant");
    for (int i = 0; i < n && st == LR_OK; i++) {
        const struct lr_value *v =
            &c->g->values[i < x.n_in ? x.in[i] : x.out[i - x.n_in]];
        const struct lr_shape *s = v->tensor ? &v->tensor->shape : &v->shape;
        st = lr_shape_count(&count, s, e);
        bufs[i] = st == LR_OK ? lr_calloc((size_t)count, sizeof(int64_t)) : NULL;
        if (st == LR_OK && !bufs[i])
            st = lr_enomem(e, (size_t)count * sizeof(int64_t), "a constant");
        if (st == LR_OK && i < x.n_in)
            lr_kernel_load(bufs[i], v->tensor, count);
    }
    if (st == LR_OK)
        x.kernel.run(x.kernel.arg, bufs);
    for (int i = 0; i < c->node->n_out && st == LR_OK; i++) {
        for (int j = 0; j < x.n_out && st == LR_OK; j++) {
            if (x.out[j] != c->node->out[i])
                continue;
            const struct lr_value *v = &c->g->values[x.out[j]];
            struct lr_tensor *t = NULL;
            st = lr_tensor_new(&t, v->dtype == LR_DT_NONE ? LR_DT_F32 : v->dtype,
                               &v->shape, e);
            if (st == LR_OK && lr_shape_count(&count, &v->shape, e) == LR_OK)
                lr_kernel_store(t, bufs[x.n_in + j], count);
            if (st == LR_OK)
                st = lr_infer_fold_at(c, i, t, e);
        }
    }
    for (int i = 0; bufs && i < n; i++)
        lr_free(bufs[i]);
    lr_free(bufs);
    lr_eval_clear(&x);
    return st;
}
