/* Replacing a layer by several in a row, or adding them beside it. Everything is checked
 * and built before the graph is touched for good; what an allocation failure leaves
 * behind are values no node reads, which are emptied again. */
#include <math.h>
#include <string.h>

#include "model.h"

enum { MAX_PARTS = 8 };

/* The constants and the output of one part, as value indices. */
struct built {
    char *name;
    int w, b, out;
};

static int64_t part_size(int64_t size, int pad_a, int pad_b, int k, int dil, int stride)
{
    int64_t room = size + pad_a + pad_b - ((int64_t)(k - 1) * dil + 1);

    return room < 0 ? 0 : room / stride + 1;
}

static bool is_complete(const struct lr_conv_part *x)
{
    return x->cout >= 1 && x->cin >= 1 && x->kh >= 1 && x->kw >= 1 && x->group >= 1 &&
           x->cout % x->group == 0 && x->cin % x->group == 0 && x->stride_h >= 1 &&
           x->stride_w >= 1 && x->dil_h >= 1 && x->dil_w >= 1 && x->pad_top >= 0 &&
           x->pad_left >= 0 && x->pad_bottom >= 0 && x->pad_right >= 0 && x->w;
}

/* Fits the part to a map of one position? */
static bool is_fc_part(const struct lr_conv_part *x)
{
    return x->kh == 1 && x->kw == 1 && x->group == 1 && x->stride_h == 1 &&
           x->stride_w == 1 && x->pad_top == 0 && x->pad_left == 0 &&
           x->pad_bottom == 0 && x->pad_right == 0;
}

/* Follows the shape through the parts; LR_EINVAL unless it ends where the old one did. */
static enum lr_status check_parts(struct lr_shape *shapes, const struct lr_graph *g,
                                  const struct lr_node *n, int n_parts,
                                  const struct lr_conv_part *parts, struct lr_err *e)
{
    struct lr_shape s = g->values[n->in[0]].shape;
    const struct lr_shape *end = &g->values[n->out[0]].shape;
    char p[LR_MAX_DIMS * 21], q[LR_MAX_DIMS * 21];

    for (int i = 0; i < n_parts; i++) {
        const struct lr_conv_part *x = &parts[i];
        if (!is_complete(x))
            return lr_err_set(e, LR_EINVAL,
                              "%.100s: part %d of the split is not complete", n->name,
                              i + 1);
        if (n->op != LR_OP_CONV && !is_fc_part(x))
            return lr_err_set(e, LR_EINVAL,
                              "%.100s: part %d must be 1x1 without stride, padding and "
                              "groups, as the layer is fully connected",
                              n->name, i + 1);
        if (x->cin != s.dims[1])
            return lr_err_set(e, LR_EINVAL, "%.100s: part %d takes %d channels, not %lld",
                              n->name, i + 1, x->cin, (long long)s.dims[1]);
        s.dims[1] = x->cout;
        shapes[i] = s;
        if (n->op != LR_OP_CONV)
            continue;
        s.dims[2] =
            part_size(s.dims[2], x->pad_top, x->pad_bottom, x->kh, x->dil_h, x->stride_h);
        s.dims[3] =
            part_size(s.dims[3], x->pad_left, x->pad_right, x->kw, x->dil_w, x->stride_w);
        if (s.dims[2] < 1 || s.dims[3] < 1)
            return lr_err_set(e, LR_EINVAL, "%.100s: part %d is larger than its data",
                              n->name, i + 1);
        shapes[i] = s;
    }
    if (!lr_shape_equal(&s, end))
        return lr_err_set(e, LR_EINVAL, "%.100s: the split gives shape %s, not %s",
                          n->name, lr_shape_text(p, sizeof(p), &s),
                          lr_shape_text(q, sizeof(q), end));
    return LR_OK;
}

/* n floats in the network's own type. from NULL: zeros. */
static enum lr_status add_constant(struct lr_graph *g, int *v, const char *base,
                                   enum lr_dtype t, const struct lr_shape *s,
                                   const float *from, struct lr_err *e)
{
    struct lr_tensor *x = NULL;
    char *name = NULL;
    int64_t n;
    enum lr_status st = lr_tensor_new(&x, t, s, e);

    if (st == LR_OK)
        st = lr_shape_count(&n, s, e);
    if (st == LR_OK)
        st = lr_unique_value_name(&name, g, base, e);
    if (st != LR_OK) {
        lr_tensor_free(x);
        return st;
    }
    for (int64_t i = 0; from && i < n; i++) {
        if (t == LR_DT_F32)
            ((float *)x->data)[i] = from[i];
        else if (t == LR_DT_F64)
            ((double *)x->data)[i] = (double)from[i];
        else
            ((uint16_t *)x->data)[i] = lr_float_to_half(from[i]);
        if (t == LR_DT_F16 &&
            !isfinite(lr_half_to_float(((const uint16_t *)x->data)[i]))) {
            st = lr_err_set(e, LR_ENUMERIC, "%.100s: %g is too large for a 16-bit float",
                            name, (double)from[i]);
            break;
        }
    }
    if (st == LR_OK)
        st = lr_graph_add_value(g, v, name, x, e);
    else
        lr_tensor_free(x);
    lr_free(name);
    return st;
}

/* Names, weights and output value of part i (counted from 0). like: the layer's value,
 * whose type the part has; end: the value it writes, or -1 for a new one. */
static enum lr_status build_part(struct lr_graph *g, struct built *b, const char *layer,
                                 int i, int like, int end, bool needs_bias,
                                 const struct lr_conv_part *p,
                                 const struct lr_shape *shape, struct lr_err *e)
{
    enum lr_dtype t = g->values[like].dtype;
    struct lr_shape ws = {.n_dims = shape->n_dims,
                          .dims = {p->cout, p->cin / p->group, p->kh, p->kw}};
    struct lr_shape bs = {.n_dims = 1, .dims = {p->cout}};
    struct lr_strbuf s = {0};
    char *name = NULL;
    enum lr_status st;

    lr_strbuf_printf(&s, "%s_r%d", layer, i + 1);
    st = s.is_failed ? lr_enomem(e, strlen(layer), "a name")
                     : lr_unique_node_name(&b->name, g, s.s, e);
    if (st != LR_OK)
        goto out;
    b->out = end;
    if (end < 0) {
        st = lr_unique_value_name(&name, g, b->name, e);
        if (st == LR_OK)
            st = lr_graph_add_value(g, &b->out, name, NULL, e);
        if (st != LR_OK)
            goto out;
        g->values[b->out].dtype = t;
        g->values[b->out].has_shape = true;
        g->values[b->out].shape = *shape;
    }
    lr_strbuf_reset(&s);
    lr_strbuf_printf(&s, "%s_weight", b->name);
    st = s.is_failed ? lr_enomem(e, strlen(layer), "a name")
                     : add_constant(g, &b->w, s.s, t, &ws, p->w, e);
    if (st != LR_OK || (!p->b && !needs_bias))
        goto out;
    lr_strbuf_reset(&s);
    lr_strbuf_printf(&s, "%s_bias", b->name);
    st = s.is_failed ? lr_enomem(e, strlen(layer), "a name")
                     : add_constant(g, &b->b, s.s, t, &bs, p->b, e);
out:
    lr_strbuf_free(&s);
    lr_free(name);
    return st;
}

static enum lr_status set_attrs(struct lr_node *n, const struct lr_conv_part *p,
                                const char *doc, struct lr_err *e)
{
    const int64_t kernel[2] = {p->kh, p->kw}, stride[2] = {p->stride_h, p->stride_w},
                  dil[2] = {p->dil_h, p->dil_w},
                  pads[4] = {p->pad_top, p->pad_left, p->pad_bottom, p->pad_right};
    enum lr_status st;

    if (n->op == LR_OP_GEMM) {
        st = lr_node_set_int(n, "transB", 1, e);
        return st == LR_OK ? lr_string_set(&n->doc, doc, e) : st;
    }
    st = lr_node_set_ints(n, "dilations", dil, 2, e);
    if (st == LR_OK)
        st = lr_node_set_int(n, "group", p->group, e);
    if (st == LR_OK)
        st = lr_node_set_ints(n, "kernel_shape", kernel, 2, e);
    if (st == LR_OK)
        st = lr_node_set_ints(n, "pads", pads, 4, e);
    if (st == LR_OK)
        st = lr_node_set_ints(n, "strides", stride, 2, e);
    return st == LR_OK ? lr_string_set(&n->doc, doc, e) : st;
}

static enum lr_status check_layer(const struct lr_graph *g, int v, int n_parts,
                                  struct lr_err *e)
{
    if (v < 0 || v >= g->n_values || g->values[v].producer < 0)
        return lr_err_set(e, LR_EINVAL, "value %d is not the output of a node", v);
    const struct lr_node *n = &g->nodes[g->values[v].producer];
    if (n->op != LR_OP_CONV && n->op != LR_OP_GEMM && n->op != LR_OP_MAT_MUL)
        return lr_err_set(e, LR_EINVAL,
                          "%.100s: a %s is no convolution or fully connected layer",
                          n->name, n->type);
    if (n_parts < 1 || n_parts > MAX_PARTS)
        return lr_err_set(e, LR_EINVAL, "%.100s: a split has 1 to %d parts, not %d",
                          n->name, MAX_PARTS, n_parts);
    if (n->op == LR_OP_GEMM && lr_node_int(n, "transA", 0) != 0)
        return lr_err_set(e, LR_EUNSUP, "%.100s: transA is set, so it cannot be split",
                          n->name);
    if (n->op != LR_OP_CONV && g->opset < 7)
        return lr_err_set(e, LR_EUNSUP,
                          "%.100s: fully connected layers are split from opset 7 on, "
                          "this is opset %lld",
                          n->name, (long long)g->opset);
    int n_dims = n->op == LR_OP_CONV ? 4 : 2;
    if (!g->values[v].has_shape || !g->values[n->in[0]].has_shape ||
        g->values[v].shape.n_dims != n_dims || g->values[n->in[0]].shape.n_dims != n_dims)
        return lr_err_set(e, LR_ESHAPE, "%.100s: it is not known to have %d dimensions",
                          n->name, n_dims);
    enum lr_dtype t = g->values[v].dtype;
    if (t != LR_DT_F32 && t != LR_DT_F64 && t != LR_DT_F16)
        return lr_err_set(e, LR_EUNSUP, "%.100s: weights of type %s cannot be written",
                          n->name, lr_dtype_name(t));
    return LR_OK;
}

enum lr_status lr_graph_fits_split(const struct lr_graph *g, int v, int n,
                                   const struct lr_conv_part *parts, struct lr_err *e)
{
    struct lr_shape shapes[MAX_PARTS];
    enum lr_status st = check_layer(g, v, n, e);

    return st == LR_OK
               ? check_parts(shapes, g, &g->nodes[g->values[v].producer], n, parts, e)
               : st;
}

/* Takes n nodes from position at on out of the graph. */
static void remove_nodes(struct lr_graph *g, int at, int n)
{
    for (int i = at; i < at + n; i++)
        lr_node_clear(&g->nodes[i]);
    memmove(&g->nodes[at], &g->nodes[at + n],
            (size_t)(g->n_nodes - at - n) * sizeof(*g->nodes));
    g->n_nodes -= n;
}

/* Inserts the parts before the node producing v; the last writes end (-1: a new value).
 * *out: the value it writes. After a failure the graph computes what it did before. */
static enum lr_status insert_parts(struct lr_graph *g, int *out, int v, int end, int n,
                                   const struct lr_conv_part *parts, const char *doc,
                                   struct lr_err *e)
{
    struct built built[MAX_PARTS];
    struct lr_shape shapes[MAX_PARTS];
    char *layer = NULL;
    int n_made = 0;
    enum lr_status st = check_layer(g, v, n, e);

    if (st != LR_OK)
        return st;
    for (int i = 0; i < n; i++)
        built[i] = (struct built){NULL, -1, -1, -1};
    int k = g->values[v].producer, x = g->nodes[k].in[0];
    bool is_fc = g->nodes[k].op != LR_OP_CONV;
    st = check_parts(shapes, g, &g->nodes[k], n, parts, e);
    if (st == LR_OK)
        st = lr_string_set(&layer, g->nodes[k].name, e);
    for (int i = 0; i < n && st == LR_OK; i++)
        st = build_part(g, &built[i], layer, i, v, i == n - 1 ? end : -1,
                        is_fc || i == n - 1, &parts[i], &shapes[i], e);
    for (int i = 0; i < n && st == LR_OK; i++) {
        int in[3] = {i ? built[i - 1].out : x, built[i].w, built[i].b};
        st = lr_graph_add_node(g, k + i, is_fc ? "Gemm" : "Conv", built[i].name, in,
                               built[i].b >= 0 ? 3 : 2, &built[i].out, 1, e);
        if (st != LR_OK)
            break;
        n_made++;
        st = set_attrs(&g->nodes[k + i], &parts[i], doc, e);
    }
    *out = built[n - 1].out;
    if (st != LR_OK) {
        remove_nodes(g, k, n_made);
        lr_graph_index(g);
    }
    for (int i = 0; i < n; i++) {
        if (st != LR_OK) {
            lr_graph_release(g, built[i].w);
            lr_graph_release(g, built[i].b);
        }
        lr_free(built[i].name);
    }
    lr_free(layer);
    return st;
}

enum lr_status lr_graph_split_layer(struct lr_graph *g, int v, int n,
                                    const struct lr_conv_part *parts, const char *doc,
                                    struct lr_err *e)
{
    int out, old[2], k = v >= 0 && v < g->n_values ? g->values[v].producer : -1;
    enum lr_status st = insert_parts(g, &out, v, v, n, parts, doc, e);

    if (st != LR_OK)
        return st;
    k += n; /* the old node has moved behind the parts */
    for (int i = 0; i < 2; i++)
        old[i] = g->nodes[k].n_in > i + 1 ? g->nodes[k].in[i + 1] : -1;
    remove_nodes(g, k, 1);
    lr_graph_index(g);
    for (int i = 0; i < 2; i++)
        lr_graph_release(g, old[i]);
    return LR_OK;
}

enum lr_status lr_graph_branch_layer(struct lr_graph *g, int *out, int v, int n,
                                     const struct lr_conv_part *parts, struct lr_err *e)
{
    enum lr_status st = insert_parts(g, out, v, -1, n, parts, NULL, e);

    if (st == LR_OK)
        lr_graph_index(g);
    else
        *out = -1;
    return st;
}
