/* Cost of a node per image. Multiply-adds are counted from the shapes: a convolution
 * makes one for each output value and each weight that value depends on, a bias none.
 * Bytes count every activation read and written once; operators that only rename a shape
 * move none. */
#include "base/saturate.h"
#include "model.h"

static int64_t elements(const struct lr_value *v)
{
    struct lr_shape s;
    int64_t n = 0;

    if (!v->has_shape && !v->tensor)
        return 0;
    s = v->tensor ? v->tensor->shape : v->shape;
    if (s.n_dims > 0 && s.dims[0] == -1)
        s.dims[0] = 1;
    return lr_shape_count(&n, &s, NULL) == LR_OK ? n : 0;
}

static const struct lr_value *in_value(const struct lr_graph *g, const struct lr_node *n,
                                       int i)
{
    return i < n->n_in && n->in[i] >= 0 ? &g->values[n->in[i]] : NULL;
}

static int64_t cost_none(const struct lr_graph *g, const struct lr_node *n)
{
    (void)g;
    (void)n;
    return 0;
}

static int64_t cost_conv(const struct lr_graph *g, const struct lr_node *n)
{
    const struct lr_value *w = in_value(g, n, 1);

    if (!w || n->n_out < 1 || n->out[0] < 0)
        return 0;
    struct lr_shape s = w->tensor ? w->tensor->shape : w->shape;
    if (s.n_dims < 1 || s.dims[0] < 1)
        return 0;
    return lr_sat_mul(elements(&g->values[n->out[0]]), elements(w) / s.dims[0]);
}

/* Every input value meets each weight of its channel. */
static int64_t cost_conv_transpose(const struct lr_graph *g, const struct lr_node *n)
{
    const struct lr_value *x = in_value(g, n, 0), *w = in_value(g, n, 1);

    if (!x || !w)
        return 0;
    struct lr_shape s = w->tensor ? w->tensor->shape : w->shape;
    if (s.n_dims < 1 || s.dims[0] < 1)
        return 0;
    return lr_sat_mul(elements(x), elements(w) / s.dims[0]);
}

/* Both products: every output value sums over the inner dimension. */
static int64_t inner(const struct lr_graph *g, const struct lr_node *n, bool is_trans)
{
    const struct lr_value *a = in_value(g, n, 0);

    if (!a || n->n_out < 1 || n->out[0] < 0)
        return 0;
    const struct lr_shape *s = a->tensor ? &a->tensor->shape : &a->shape;
    if ((!a->tensor && !a->has_shape) || s->n_dims < (is_trans ? 2 : 1))
        return 0;
    int64_t k = s->dims[s->n_dims - (is_trans ? 2 : 1)];
    return lr_sat_mul(elements(&g->values[n->out[0]]), k > 0 ? k : 0);
}

static int64_t cost_gemm(const struct lr_graph *g, const struct lr_node *n)
{
    return inner(g, n, lr_node_int(n, "transA", 0) != 0);
}

static int64_t cost_matmul(const struct lr_graph *g, const struct lr_node *n)
{
    return inner(g, n, false);
}

/* Every step multiplies all gates with the input and with the state. */
static int64_t cost_recurrent(const struct lr_graph *g, const struct lr_node *n)
{
    const struct lr_value *x = in_value(g, n, 0), *w = in_value(g, n, 1),
                          *r = in_value(g, n, 2);

    if (!x || !w || !r)
        return 0;
    struct lr_shape s = w->tensor ? w->tensor->shape : w->shape;
    if (s.n_dims < 3 || s.dims[2] < 1)
        return 0;
    return lr_sat_mul(elements(x) / s.dims[2], lr_sat_add(elements(w), elements(r)));
}

static int64_t (*const rules[LR_OP_COUNT])(const struct lr_graph *,
                                           const struct lr_node *) = {
    [LR_OP_UNKNOWN] = cost_none,
#define LR_OP(id, type, shape_rule, cost_rule, kernel) [LR_OP_##id] = cost_##cost_rule,
#include "ranklab/op.def"
#undef LR_OP
};

static bool is_view(enum lr_op op)
{
    return op == LR_OP_FLATTEN || op == LR_OP_RESHAPE || op == LR_OP_IDENTITY ||
           op == LR_OP_DROPOUT || op == LR_OP_SQUEEZE || op == LR_OP_UNSQUEEZE;
}

struct lr_cost lr_node_cost(const struct lr_graph *g, const struct lr_node *n)
{
    struct lr_cost c = {.macs = rules[n->op](g, n)};
    int64_t moved = 0;

    for (int i = 0; i < n->n_in && !is_view(n->op); i++) {
        const struct lr_value *v = in_value(g, n, i);
        if (!v)
            continue;
        if (!v->tensor)
            moved = lr_sat_add(moved, elements(v));
        else if (lr_dtype_is_float(v->tensor->dtype) && n->op != LR_OP_CLIP &&
                 n->op != LR_OP_PAD && n->op != LR_OP_UNKNOWN)
            c.params = lr_sat_add(c.params, elements(v));
    }
    for (int i = 0; i < n->n_out && !is_view(n->op); i++)
        if (n->out[i] >= 0)
            moved = lr_sat_add(moved, elements(&g->values[n->out[i]]));
    c.bytes = lr_sat_mul(4, lr_sat_add(c.params, moved));
    return c;
}

struct lr_cost lr_graph_cost(const struct lr_graph *g)
{
    struct lr_cost sum = {0};

    for (int k = 0; k < g->n_nodes; k++) {
        struct lr_cost c = lr_node_cost(g, &g->nodes[k]);
        sum.macs = lr_sat_add(sum.macs, c.macs);
        sum.params = lr_sat_add(sum.params, c.params);
        sum.bytes = lr_sat_add(sum.bytes, c.bytes);
    }
    return sum;
}
