/* Convolutions and fully connected layers as the user sees them: their sizes, their cost,
 * and why one cannot be approximated. */
#include <string.h>

#include "model.h"

void lr_layers_free(struct lr_layer *layers, int n)
{
    for (int i = 0; layers && i < n; i++) {
        lr_free(layers[i].name);
        lr_free(layers[i].follow_name);
        lr_free(layers[i].reason);
    }
    lr_free(layers);
}

/* Walks back from a value without shape to the node that stopped the inference. */
static const struct lr_node *culprit(const struct lr_graph *g, int v)
{
    while (v >= 0 && g->values[v].producer >= 0) {
        const struct lr_node *n = &g->nodes[g->values[v].producer];
        if (n->why_unsupported)
            return n;
        int next = -1;
        for (int i = 0; i < n->n_in && next < 0; i++)
            if (n->in[i] >= 0 && !g->values[n->in[i]].tensor &&
                !g->values[n->in[i]].has_shape)
                next = n->in[i];
        v = next;
    }
    return NULL;
}

/* One channel of rank in each group costs c k k + d per position, where the whole layer
 * costs d (c / group) k k. One filter per group never pays. */
static bool pays_at_lowest_rank(const struct lr_layer *x)
{
    int64_t k = (int64_t)x->kh * x->kw;

    return x->c * k + x->d < x->c / x->group * k * x->d;
}

/* Is the second factor of a product, which is what makes it a layer, constant? */
static bool is_fc(const struct lr_graph *g, const struct lr_node *n)
{
    return (n->op == LR_OP_GEMM || n->op == LR_OP_MAT_MUL) && n->n_in > 1 &&
           n->in[1] >= 0 && g->values[n->in[1]].tensor;
}

static bool is_layer(const struct lr_graph *g, const struct lr_node *n)
{
    return n->n_out > 0 && n->out[0] >= 0 && (n->op == LR_OP_CONV || is_fc(g, n));
}

static void no_shape_reason(struct lr_strbuf *b, const struct lr_graph *g,
                            const struct lr_layer *x)
{
    const struct lr_node *stop = x->input >= 0 ? culprit(g, x->input) : NULL;

    if (stop && stop->op == LR_OP_UNKNOWN)
        lr_strbuf_printf(b, "no shape known (depends on unknown operator %s)",
                         stop->type);
    else if (stop)
        lr_strbuf_printf(b, "no shape known (depends on %s: %s)", stop->name,
                         stop->why_unsupported);
    else
        lr_strbuf_puts(b, "no shape known");
}

/* Whether a product maps one vector per image to another, with one bias for all images;
 * otherwise the reason is put into b. */
static bool is_plain_fc(struct lr_strbuf *b, const struct lr_graph *g,
                        const struct lr_node *n, const struct lr_layer *x)
{
    const struct lr_shape *y = &g->values[x->value].shape;
    char text[LR_MAX_DIMS * 21];

    if (g->opset < 7) {
        lr_strbuf_printf(b, "fully connected layers are split from opset 7 on, not %lld",
                         (long long)g->opset);
    } else if (n->op == LR_OP_GEMM && lr_node_int(n, "transA", 0) != 0) {
        lr_strbuf_puts(b, "transA is set");
    } else if (y->n_dims != 2) {
        lr_strbuf_printf(b, "response has %d dimension%s", y->n_dims,
                         y->n_dims == 1 ? "" : "s");
    } else if (g->is_batch_fixed) {
        lr_strbuf_puts(b, "the batch is fixed");
    } else if (x->input < 0 || g->values[x->input].tensor || y->dims[0] != -1) {
        lr_strbuf_puts(b, "response does not depend on the image");
    } else if (n->op == LR_OP_GEMM && n->n_in > 2 && n->in[2] >= 0) {
        const struct lr_tensor *c = g->values[n->in[2]].tensor;
        if (!c)
            lr_strbuf_puts(b, "C is not constant");
        else if (!lr_tensor_is_row(c, x->d))
            lr_strbuf_printf(b, "C has shape %s",
                             lr_shape_text(text, sizeof(text), &c->shape));
        else
            return true;
    } else {
        return true;
    }
    return false;
}

static enum lr_status set_reason(struct lr_layer *x, const struct lr_graph *g,
                                 const struct lr_node *n, struct lr_err *e)
{
    const struct lr_value *w = n->n_in > 1 && n->in[1] >= 0 ? &g->values[n->in[1]] : NULL;
    struct lr_strbuf b = {0};

    if (n->why_unsupported) {
        lr_strbuf_puts(&b, n->why_unsupported);
    } else if (!g->values[x->value].has_shape) {
        no_shape_reason(&b, g, x);
    } else if (!w || !w->tensor) {
        lr_strbuf_puts(&b, "weights are not constant");
    } else if (x->kind == LR_LAYER_CONV && g->values[x->value].shape.n_dims != 4) {
        lr_strbuf_printf(&b, "%d-D convolution", g->values[x->value].shape.n_dims - 2);
    } else if (x->kind == LR_LAYER_FC && !is_plain_fc(&b, g, n, x)) {
        /* b has the reason */
    } else if (x->group > 1 && x->group == x->c) {
        lr_strbuf_puts(&b, "depthwise convolution");
    } else if (x->d == 1) {
        lr_strbuf_puts(&b, x->kind == LR_LAYER_FC ? "1 output only" : "1 filter only");
    } else if (!pays_at_lowest_rank(x)) {
        if (x->group > 1)
            lr_strbuf_printf(&b, "grouped convolution (%d groups): ", x->group);
        lr_strbuf_puts(&b, "too small to gain at any rank");
    } else {
        x->is_approximable = true;
        return LR_OK;
    }
    x->reason = lr_strbuf_take(&b);
    return x->reason ? LR_OK : lr_enomem(e, 64, "a note");
}

/* A fully connected layer's sizes are those of its constant weights. */
static void set_fc_sizes(struct lr_layer *x, const struct lr_graph *g,
                         const struct lr_node *n)
{
    const struct lr_shape *s = &g->values[n->in[1]].tensor->shape;
    bool is_trans = n->op == LR_OP_GEMM && lr_node_int(n, "transB", 0) != 0;

    x->kh = x->kw = x->stride_h = x->stride_w = x->dil_h = x->dil_w = 1;
    x->in_h = x->in_w = x->out_h = x->out_w = 1;
    for (int i = 0; i < s->n_dims; i++)
        if (s->dims[i] < 1 || s->dims[i] > LR_MAX_DIM)
            return;
    if (s->n_dims < 1)
        return;
    int at = s->n_dims > 1 ? s->n_dims - 2 : 0;
    x->c = (int)s->dims[at];
    x->d = s->n_dims > 1 ? (int)s->dims[at + 1] : 1;
    if (is_trans) {
        x->c = (int)s->dims[at + 1];
        x->d = (int)s->dims[at];
    }
}

/* A convolution's sizes: from the weights and, where known, the shapes. They fit into
 * int: inference has checked them, and where it has not come the fields stay 0, but the
 * group 1. */
static void set_conv_sizes(struct lr_layer *x, const struct lr_graph *g,
                           const struct lr_node *n)
{
    const struct lr_value *in = x->input >= 0 ? &g->values[x->input] : NULL;
    const struct lr_value *out = &g->values[x->value];
    const struct lr_value *w = n->n_in > 1 && n->in[1] >= 0 ? &g->values[n->in[1]] : NULL;
    struct lr_window win;

    if (!out->has_shape || !in || !w || lr_node_window(&win, g, n, NULL) != LR_OK ||
        win.group < 1) {
        const struct lr_shape *s = w && w->tensor ? &w->tensor->shape : NULL;
        int64_t group = lr_node_int(n, "group", 1);
        for (int i = 0; s && i < s->n_dims; i++)
            if (s->dims[i] < 1 || s->dims[i] > LR_MAX_DIM)
                return;
        if (!s || s->n_dims < 3 || s->n_dims > 4 || group < 1 ||
            group > LR_MAX_DIM / s->dims[1])
            return;
        x->d = (int)s->dims[0];
        x->c = (int)(s->dims[1] * group);
        x->group = (int)group;
        x->kh = s->n_dims == 4 ? (int)s->dims[2] : 1;
        x->kw = (int)s->dims[s->n_dims - 1];
        return;
    }
    x->c = (int)in->shape.dims[1];
    x->in_h = (int)in->shape.dims[2];
    x->in_w = (int)in->shape.dims[3];
    x->d = (int)out->shape.dims[1];
    x->out_h = (int)out->shape.dims[2];
    x->out_w = (int)out->shape.dims[3];
    x->kh = (int)win.kh;
    x->kw = (int)win.kw;
    x->stride_h = (int)win.stride_h;
    x->stride_w = (int)win.stride_w;
    x->dil_h = (int)win.dil_h;
    x->dil_w = (int)win.dil_w;
    x->group = (int)win.group;
    x->pad_top = (int)win.pad_top;
    x->pad_left = (int)win.pad_left;
    x->pad_bottom = (int)win.pad_bottom;
    x->pad_right = (int)win.pad_right;
}

static enum lr_status describe(struct lr_layer *x, const struct lr_graph *g,
                               const struct lr_node *n, const struct lr_readers *r,
                               struct lr_err *e)
{
    struct lr_cost cost = lr_node_cost(g, n);

    x->kind = n->op == LR_OP_CONV ? LR_LAYER_CONV : LR_LAYER_FC;
    x->value = n->out[0];
    x->input = n->n_in > 0 ? n->in[0] : -1;
    x->group = 1;
    x->macs = cost.macs;
    x->params = cost.params;
    x->bytes = cost.bytes;
    if (x->kind == LR_LAYER_CONV)
        set_conv_sizes(x, g, n);
    else
        set_fc_sizes(x, g, n);
    enum lr_status st = lr_string_set(&x->name, n->name, e);
    if (st == LR_OK)
        st = lr_layer_find_follow(x, g, r, e);
    return st == LR_OK ? set_reason(x, g, n, e) : st;
}

enum lr_status lr_layers_find(struct lr_layer **layers, int *n, const struct lr_graph *g,
                              struct lr_err *e)
{
    struct lr_readers r = {0};
    struct lr_layer *list = NULL;
    int count = 0, at = 0;
    enum lr_status st = LR_OK;

    *layers = NULL;
    *n = 0;
    for (int k = 0; k < g->n_nodes; k++)
        count += is_layer(g, &g->nodes[k]);
    list = lr_calloc((size_t)count, sizeof(*list));
    st = list ? lr_readers_find(&r, g, e)
              : lr_enomem(e, (size_t)count * sizeof(*list), "the layers");
    for (int k = 0; k < g->n_nodes && st == LR_OK; k++)
        if (is_layer(g, &g->nodes[k]))
            st = describe(&list[at++], g, &g->nodes[k], &r, e);
    lr_readers_clear(&r);
    if (st != LR_OK) {
        lr_layers_free(list, list ? count : 0);
        return st;
    }
    *layers = list;
    *n = count;
    return LR_OK;
}

struct lr_conv_part lr_layer_part(const struct lr_layer *l, const float *w,
                                  const float *bias)
{
    return (struct lr_conv_part){.cout = l->d,
                                 .cin = l->c,
                                 .kh = l->kh,
                                 .kw = l->kw,
                                 .group = l->group,
                                 .stride_h = l->stride_h,
                                 .stride_w = l->stride_w,
                                 .dil_h = l->dil_h,
                                 .dil_w = l->dil_w,
                                 .pad_top = l->pad_top,
                                 .pad_left = l->pad_left,
                                 .pad_bottom = l->pad_bottom,
                                 .pad_right = l->pad_right,
                                 .w = w,
                                 .b = bias};
}
