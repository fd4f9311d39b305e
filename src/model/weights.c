/* A layer's weights as the solvers want them: one filter per row, whatever the operator
 * and its attributes make of the constants in the file. */
#include "model.h"

bool lr_tensor_is_row(const struct lr_tensor *t, int64_t d)
{
    int64_t n;

    if (lr_shape_count(&n, &t->shape, NULL) != LR_OK || t->shape.n_dims > 2)
        return false;
    return n == 1 || (n == d && t->shape.dims[t->shape.n_dims - 1] == d);
}

static bool is_weight(enum lr_op op, int i)
{
    return op == LR_OP_CONV || op == LR_OP_CONV_TRANSPOSE || op == LR_OP_GEMM ||
           op == LR_OP_MAT_MUL || (op == LR_OP_BATCH_NORMALIZATION && i > 0);
}

/* Every number as a float: what overflows there is none to compute with. */
static enum lr_status check_weight(const struct lr_value *v, struct lr_err *e)
{
    const struct lr_tensor *t = v->tensor;
    struct lr_tensor *x = NULL;
    int64_t n;

    if (!t || !lr_dtype_is_float(t->dtype))
        return LR_OK;
    enum lr_status st = lr_shape_count(&n, &t->shape, e);
    if (st == LR_OK && t->dtype != LR_DT_F32) {
        st = lr_tensor_to_f32(&x, t, e);
        t = x;
    }
    if (st == LR_OK && !lr_all_finite(t->data, (size_t)n))
        st = lr_err_set(e, LR_ENUMERIC, "tensor %.100s holds NaN or infinity", v->name);
    lr_tensor_free(x);
    return st;
}

enum lr_status lr_graph_check_weights(const struct lr_graph *g, struct lr_err *e)
{
    bool *is_checked = lr_calloc((size_t)g->n_values, sizeof(*is_checked));
    enum lr_status st = LR_OK;

    if (!is_checked)
        return lr_enomem(e, (size_t)g->n_values, "a list of weights");
    for (int k = 0; k < g->n_nodes && st == LR_OK; k++)
        for (int i = 0; i < g->nodes[k].n_in && st == LR_OK; i++) {
            const int v = g->nodes[k].in[i];
            if (v < 0 || is_checked[v] || !is_weight(g->nodes[k].op, i))
                continue;
            is_checked[v] = true;
            st = check_weight(&g->values[v], e);
        }
    lr_free(is_checked);
    return st;
}

/* scale times the d numbers, or d times the one number, of t. */
static enum lr_status row(struct lr_tensor **out, const struct lr_tensor *t, int64_t d,
                          float scale, struct lr_err *e)
{
    const struct lr_shape s = {.n_dims = 1, .dims = {d}};
    struct lr_tensor *x = NULL;
    int64_t n;
    enum lr_status st = lr_shape_count(&n, &t->shape, e);

    if (st == LR_OK)
        st = lr_tensor_to_f32(&x, t, e);
    if (st == LR_OK)
        st = lr_tensor_new(out, LR_DT_F32, &s, e);
    for (int64_t i = 0; st == LR_OK && i < d; i++)
        ((float *)(*out)->data)[i] = scale * ((const float *)x->data)[n == 1 ? 0 : i];
    lr_tensor_free(x);
    return st;
}

/* alpha times the matrix t, transposed to [d, c] where the file has [c, d]. */
static enum lr_status matrix(struct lr_tensor **out, const struct lr_tensor *t,
                             const struct lr_layer *l, bool is_trans, float alpha,
                             struct lr_err *e)
{
    const struct lr_shape s = {.n_dims = 2, .dims = {l->d, l->c}};
    int64_t c = l->c, d = l->d;
    struct lr_tensor *x = NULL;
    enum lr_status st = lr_tensor_to_f32(&x, t, e);

    if (st == LR_OK)
        st = lr_tensor_new(out, LR_DT_F32, &s, e);
    for (int64_t o = 0; st == LR_OK && o < d; o++)
        for (int64_t i = 0; i < c; i++)
            ((float *)(*out)->data)[o * c + i] =
                alpha * ((const float *)x->data)[is_trans ? o * c + i : i * d + o];
    lr_tensor_free(x);
    return st;
}

static enum lr_status fc_weights(struct lr_tensor **w, struct lr_tensor **bias,
                                 const struct lr_node *n, const struct lr_tensor *t[2],
                                 const struct lr_layer *l, struct lr_err *e)
{
    bool is_gemm = n->op == LR_OP_GEMM;
    float alpha = is_gemm ? lr_node_float(n, "alpha", 1) : 1;
    enum lr_status st = LR_OK;

    if (t[0]->shape.n_dims != 2 || (is_gemm && t[1] && !lr_tensor_is_row(t[1], l->d)))
        return lr_err_set(e, LR_EUNSUP,
                          "%.100s: its weights do not map one vector per image", l->name);
    st = matrix(w, t[0], l, is_gemm && lr_node_int(n, "transB", 0) != 0, alpha, e);
    if (st == LR_OK && is_gemm && t[1])
        st = row(bias, t[1], l->d, lr_node_float(n, "beta", 1), e);
    return st;
}

enum lr_status lr_layer_weights(struct lr_tensor **w, struct lr_tensor **bias,
                                const struct lr_graph *g, const struct lr_layer *l,
                                struct lr_err *e)
{
    const struct lr_tensor *t[2] = {NULL, NULL};
    int k = g->values[l->value].producer;
    enum lr_status st = LR_OK;
    int64_t count;

    *w = *bias = NULL;
    if (k < 0)
        return lr_err_set(e, LR_EINVAL, "%.100s is no layer of this network", l->name);
    const struct lr_node *n = &g->nodes[k];
    for (int i = 0; i < 2; i++)
        if (n->n_in > i + 1 && n->in[i + 1] >= 0) {
            t[i] = g->values[n->in[i + 1]].tensor;
            if (!t[i])
                return lr_err_set(e, LR_EUNSUP, "%.100s: its %s not constant", l->name,
                                  i ? "bias is" : "filters are");
        }
    if (!t[0] || l->d < 1 || t[0]->shape.n_dims < 1)
        return lr_err_set(e, LR_EUNSUP, "%.100s: its filters are not constant", l->name);
    if (l->kind == LR_LAYER_FC) {
        st = fc_weights(w, bias, n, t, l, e);
    } else {
        st = lr_tensor_to_f32(w, t[0], e);
        if (st == LR_OK)
            st = lr_shape_count(&count, &t[0]->shape, e);
        if (st == LR_OK)
            (*w)->shape = (struct lr_shape){.n_dims = 2, .dims = {l->d, count / l->d}};
        if (st == LR_OK && t[1])
            st = lr_tensor_to_f32(bias, t[1], e);
    }
    if (st != LR_OK) {
        lr_tensor_free(*w);
        lr_tensor_free(*bias);
        *w = *bias = NULL;
    }
    return st;
}
