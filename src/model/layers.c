/* Convolutions as the user sees them: their sizes, what follows the response, and why one
 * cannot be approximated. A response that goes into an addition alone is looked at behind
 * the addition, because that is where its nonlinearity is. */
#include <float.h>
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

/* The nodes reading each value: nodes[start[v]] .. nodes[start[v + 1] - 1], once per
 * input. */
struct readers {
    int *start, *nodes;
};

static enum lr_status find_readers(struct readers *r, const struct lr_graph *g,
                                   struct lr_err *e)
{
    size_t n = 0;
    int total = 0;

    *r = (struct readers){0};
    for (int k = 0; k < g->n_nodes; k++)
        n += (size_t)g->nodes[k].n_in;
    r->start = lr_calloc((size_t)g->n_values + 2, sizeof(int));
    r->nodes = lr_alloc(n, sizeof(int));
    if (!r->start || !r->nodes || n > INT32_MAX)
        return lr_enomem(e, n * sizeof(int), "the layers");
    /* Counting sort; start is shifted by one while the lists are filled. */
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_in; i++)
            if (g->nodes[k].in[i] >= 0)
                r->start[g->nodes[k].in[i] + 2]++;
    for (int v = 0; v < g->n_values; v++) {
        total += r->start[v + 2];
        r->start[v + 2] = total;
    }
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_in; i++)
            if (g->nodes[k].in[i] >= 0)
                r->nodes[r->start[g->nodes[k].in[i] + 1]++] = k;
    return LR_OK;
}

static int n_readers(const struct readers *r, int v)
{
    return r->start[v + 1] - r->start[v];
}

static const struct lr_node *reader(const struct lr_graph *g, const struct readers *r,
                                    int v, int i)
{
    return &g->nodes[r->nodes[r->start[v] + i]];
}

/* What a node means for a response that it reads. */
static enum lr_follow follow_of(const struct lr_graph *g, const struct lr_node *n)
{
    float lo, hi;

    switch (n->op) {
    case LR_OP_RELU:
        return LR_FOLLOW_RELU;
    case LR_OP_CLIP:
        return lr_node_clip(&lo, &hi, g, n, NULL) == LR_OK && lo == 0 && hi >= FLT_MAX
                   ? LR_FOLLOW_RELU
                   : LR_FOLLOW_OTHER;
    case LR_OP_LEAKY_RELU:
    case LR_OP_SIGMOID:
    case LR_OP_TANH:
    case LR_OP_SOFTMAX:
    case LR_OP_BATCH_NORMALIZATION:
    case LR_OP_ADD:
    case LR_OP_MUL:
    case LR_OP_UNKNOWN:
        return LR_FOLLOW_OTHER;
    default:
        return LR_FOLLOW_NONE;
    }
}

/* What follows value v, all of whose readers must agree on ReLU when they are several. */
static enum lr_status set_follow(struct lr_layer *x, const struct lr_graph *g,
                                 const struct readers *r, int v, struct lr_err *e)
{
    int n = n_readers(r, v);

    x->follow = LR_FOLLOW_NONE;
    if (n == 0 || g->values[v].is_output)
        return LR_OK;
    for (int i = 0; i < n && n > 1; i++)
        if (follow_of(g, reader(g, r, v, i)) != LR_FOLLOW_RELU)
            return LR_OK;
    const struct lr_node *next = reader(g, r, v, 0);
    x->follow = follow_of(g, next);
    return lr_string_set(&x->follow_name, next->type, e);
}

/* The Add's other input when the addition is a residual sum: two activations of one
 * shape. */
static int other_input(const struct lr_graph *g, const struct lr_node *add, int v)
{
    if (add->op != LR_OP_ADD || add->n_in != 2 || add->out[0] < 0)
        return -1;
    int other = add->in[0] == v ? add->in[1] : add->in[0];
    if (other < 0 || other == v || g->values[other].tensor ||
        !g->values[other].has_shape ||
        !lr_shape_equal(&g->values[other].shape, &g->values[v].shape))
        return -1;
    return other;
}

static enum lr_status find_follow(struct lr_layer *x, const struct lr_graph *g,
                                  const struct readers *r, struct lr_err *e)
{
    int n = n_readers(r, x->value);

    if (n != 1 || g->values[x->value].is_output)
        return LR_OK;
    const struct lr_node *next = reader(g, r, x->value, 0);
    int other = g->values[x->value].has_shape ? other_input(g, next, x->value) : -1;
    if (other < 0)
        return set_follow(x, g, r, x->value, e);
    x->sum_value = next->out[0];
    x->other_value = other;
    return set_follow(x, g, r, x->sum_value, e);
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

/* Rank 1 costs k + d per position where the whole layer costs k d. */
static bool pays_at_rank_1(const struct lr_layer *x)
{
    int64_t k = (int64_t)x->c * x->kh * x->kw;

    return k + x->d < k * x->d;
}

static enum lr_status set_reason(struct lr_layer *x, const struct lr_graph *g,
                                 const struct lr_node *n, struct lr_err *e)
{
    const struct lr_value *w = n->n_in > 1 && n->in[1] >= 0 ? &g->values[n->in[1]] : NULL;
    struct lr_strbuf b = {0};

    if (n->why_unsupported) {
        lr_strbuf_puts(&b, n->why_unsupported);
    } else if (!g->values[x->value].has_shape) {
        const struct lr_node *stop = x->input >= 0 ? culprit(g, x->input) : NULL;
        if (stop && stop->op == LR_OP_UNKNOWN)
            lr_strbuf_printf(&b, "no shape known (depends on unknown operator %s)",
                             stop->type);
        else if (stop)
            lr_strbuf_printf(&b, "no shape known (depends on %s: %s)", stop->name,
                             stop->why_unsupported);
        else
            lr_strbuf_puts(&b, "no shape known");
    } else if (!w || !w->tensor) {
        lr_strbuf_puts(&b, "weights are not constant");
    } else if (x->group > 1 && x->group == x->c) {
        lr_strbuf_puts(&b, "depthwise convolution");
    } else if (x->group > 1) {
        lr_strbuf_printf(&b, "grouped convolution (groups %d)", x->group);
    } else if (x->d == 1) {
        lr_strbuf_puts(&b, "1 filter only");
    } else if (!pays_at_rank_1(x)) {
        lr_strbuf_puts(&b, "too small to gain at any rank");
    } else {
        x->is_approximable = true;
        return LR_OK;
    }
    x->reason = lr_strbuf_take(&b);
    return x->reason ? LR_OK : lr_enomem(e, 64, "a note");
}

/* Sizes from the weights and, where known, from the shapes. They fit into int: inference
 * has checked them, and where it has not come the fields stay 0, but the group 1. */
static void set_sizes(struct lr_layer *x, const struct lr_graph *g,
                      const struct lr_node *n)
{
    const struct lr_value *in = x->input >= 0 ? &g->values[x->input] : NULL;
    const struct lr_value *out = &g->values[x->value];
    const struct lr_value *w = n->n_in > 1 && n->in[1] >= 0 ? &g->values[n->in[1]] : NULL;
    struct lr_window win;

    x->group = 1;
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

enum lr_status lr_layers_find(struct lr_layer **layers, int *n, const struct lr_graph *g,
                              struct lr_err *e)
{
    struct readers r = {0};
    struct lr_layer *list = NULL;
    int count = 0, at = 0;
    enum lr_status st = LR_OK;

    *layers = NULL;
    *n = 0;
    for (int k = 0; k < g->n_nodes; k++)
        count += g->nodes[k].op == LR_OP_CONV && g->nodes[k].n_out > 0 &&
                 g->nodes[k].out[0] >= 0;
    list = lr_calloc((size_t)count, sizeof(*list));
    st = list ? find_readers(&r, g, e)
              : lr_enomem(e, (size_t)count * sizeof(*list), "the layers");
    for (int k = 0; k < g->n_nodes && st == LR_OK; k++) {
        const struct lr_node *node = &g->nodes[k];
        if (node->op != LR_OP_CONV || node->n_out < 1 || node->out[0] < 0)
            continue;
        struct lr_layer *x = &list[at++];
        x->value = node->out[0];
        x->input = node->n_in > 0 ? node->in[0] : -1;
        x->sum_value = x->other_value = -1;
        set_sizes(x, g, node);
        struct lr_cost cost = lr_node_cost(g, node);
        x->macs = cost.macs;
        x->params = cost.params;
        st = lr_string_set(&x->name, node->name, e);
        if (st == LR_OK)
            st = find_follow(x, g, &r, e);
        if (st == LR_OK)
            st = set_reason(x, g, node, e);
    }
    lr_free(r.start);
    lr_free(r.nodes);
    if (st != LR_OK) {
        lr_layers_free(list, list ? count : 0);
        return st;
    }
    *layers = list;
    *n = count;
    return LR_OK;
}
