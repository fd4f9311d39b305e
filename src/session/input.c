/* What is fed to a network: the sizes that its file leaves free, and which dimension is
 * what. Images are batch x channels x height x width, or with the channels last; inputs
 * of other than four dimensions are taken as they are, one array each. */
#include "session/internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"

/* Taken for sizes that are free: a side of an image (a multiple of 32, as most networks
 * need), of a volume and its depth, the length of a signal. */
enum { SIDE = 224, VOLUME_SIDE = 112, VOLUME_DEPTH = 16, LENGTH = 1024 };

/* The first convolution, or product of the input, whose weights are there. */
static const struct lr_node *first_layer(const struct lr_graph *g, bool is_conv)
{
    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *n = &g->nodes[k];
        if (n->n_in > 1 &&
            (is_conv ? n->op == LR_OP_CONV
                     : (n->op == LR_OP_GEMM || n->op == LR_OP_MAT_MUL) &&
                           n->in[0] == lr_graph_image(g)) &&
            n->in[1] >= 0 && g->values[n->in[1]].tensor &&
            g->values[n->in[1]].tensor->shape.n_dims >= 2)
            return n;
    }
    return NULL;
}

/* The channels that the first layer reads, or otherwise. */
static int64_t channels_of(const struct lr_graph *g, bool is_conv, int64_t otherwise)
{
    const struct lr_node *n = first_layer(g, is_conv);
    int64_t c = otherwise;

    if (n) {
        const int64_t *d = g->values[n->in[1]].tensor->shape.dims;
        const int64_t group = is_conv ? lr_node_int(n, "group", 1) : 1;
        if (is_conv && group > 0 && d[1] > 0 && group <= INT_MAX / d[1])
            c = d[1] * group;
        else if (!is_conv)
            c = lr_node_int(n, "transB", 0) ? d[1] : d[0];
    }
    return c > 0 && c <= INT_MAX ? c : otherwise;
}

enum reading { OTHERWISE, CHANNELS_FIRST, ONE_BY_ONE };

/* Whether a node takes the second dimension of what it reads for channels, or changes one
 * number at a time. */
static enum reading reading_of(const struct lr_node *n)
{
    switch (n->op) {
    case LR_OP_CONV:
    case LR_OP_CONV_TRANSPOSE:
    case LR_OP_MAX_POOL:
    case LR_OP_AVERAGE_POOL:
    case LR_OP_LP_POOL:
    case LR_OP_GLOBAL_AVERAGE_POOL:
    case LR_OP_GLOBAL_MAX_POOL:
    case LR_OP_GLOBAL_LP_POOL:
    case LR_OP_BATCH_NORMALIZATION:
    case LR_OP_INSTANCE_NORMALIZATION:
    case LR_OP_GROUP_NORMALIZATION:
    case LR_OP_LRN:
    case LR_OP_DEPTH_TO_SPACE:
    case LR_OP_SPACE_TO_DEPTH:
        return CHANNELS_FIRST;
    case LR_OP_ADD:
    case LR_OP_SUB:
    case LR_OP_MUL:
    case LR_OP_DIV:
    case LR_OP_CAST:
    case LR_OP_CLIP:
    case LR_OP_RELU:
    case LR_OP_IDENTITY:
    case LR_OP_DROPOUT:
    case LR_OP_PAD:
    case LR_OP_QUANTIZE_LINEAR:
    case LR_OP_DEQUANTIZE_LINEAR:
        return ONE_BY_ONE;
    default:
        return OTHERWISE;
    }
}

/* Whether a Transpose that puts the last axis first is what value v meets, but for what
 * changes one number at a time. */
static bool is_turned(const struct lr_graph *g, int v)
{
    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *n = &g->nodes[k];
        const struct lr_attr *a = lr_node_attr(n, "perm");
        bool is_reader = false;
        for (int i = 0; i < n->n_in; i++)
            is_reader = is_reader || n->in[i] == v;
        if (!is_reader)
            continue;
        if (n->n_out < 1 || n->out[0] < 0)
            return false; /* nothing has looked at the nodes yet */
        if (n->op == LR_OP_TRANSPOSE)
            return a && a->kind == LR_ATTR_INTS && a->n == 4 && a->ints[1] == 3 &&
                   a->ints[2] == 1;
        if (reading_of(n) != ONE_BY_ONE)
            return false;
        v = n->out[0];
    }
    return false;
}

/* The side of an image that is not known is that of the other. */
static int64_t size_for(const struct lr_graph *g, const struct lr_shape *s, int i)
{
    if (s->n_dims == 2)
        return channels_of(g, false, LENGTH);
    if (s->n_dims == 4) {
        const bool is_last = is_turned(g, lr_graph_image(g)) ||
                             (s->dims[1] < 1 && s->dims[3] > 0 && s->dims[3] <= 4);
        const int channel = is_last ? 3 : 1;
        const int other = (is_last ? 1 + 2 : 2 + 3) - i;
        if (i == channel)
            return channels_of(g, true, 3);
        return s->dims[other] > 0 ? s->dims[other] : SIDE;
    }
    if (i == 1)
        return channels_of(g, true, s->n_dims == 3 ? 1 : 3);
    if (s->n_dims == 3)
        return LENGTH;
    return i == 2 ? VOLUME_DEPTH : VOLUME_SIDE;
}

/* "1x3x?x?" with question marks for free sizes. */
static void declared_text(struct lr_strbuf *b, const struct lr_shape *s)
{
    lr_strbuf_puts(b, "1");
    for (int i = 1; i < s->n_dims; i++)
        if (s->dims[i] < 1)
            lr_strbuf_puts(b, "x?");
        else
            lr_strbuf_printf(b, "x%lld", (long long)s->dims[i]);
}

bool session_choose_sizes(struct lr_shape *out, const struct lr_graph *g,
                          const struct lr_notes *notes)
{
    const int image = lr_graph_image(g);
    const struct lr_value *x = image >= 0 ? &g->values[image] : NULL;
    const struct lr_node *conv = first_layer(g, true);
    char text[LR_MAX_DIMS * 21];
    struct lr_strbuf free_text = {0};
    int n_free = 0;

    if (!x || (x->has_declared && x->declared.n_dims < 2) || (!x->has_declared && !conv))
        return false;
    *out = x->declared;
    if (!x->has_declared) {
        out->n_dims = g->values[conv->in[1]].tensor->shape.n_dims;
        for (int i = 0; i < out->n_dims; i++)
            out->dims[i] = -1;
    }
    const struct lr_shape declared = *out;
    for (int i = 1; i < out->n_dims; i++)
        if (declared.dims[i] < 1) {
            out->dims[i] = size_for(g, &declared, i);
            n_free++;
        }
    if (n_free == 0)
        return false;
    out->dims[0] = out->dims[0] < 1 ? 1 : out->dims[0];
    declared_text(&free_text, &declared);
    if (!free_text.is_failed)
        lr_note(
            notes, LR_NOTE_WARNING,
            "input %.100s has free sizes (%s): taken as %s, open --input gives others",
            x->name, free_text.s, lr_shape_text(text, sizeof(text), out));
    lr_strbuf_free(&free_text);
    return true;
}

/* Whether value v, as it is or changed one number at a time, is read by what takes its
 * second dimension for channels. */
static enum lr_status find_channels_first(bool *is_first, const struct lr_graph *g, int v,
                                          struct lr_err *e)
{
    bool *is_same = lr_calloc((size_t)g->n_values, sizeof(*is_same));

    *is_first = false;
    if (!is_same)
        return lr_enomem(e, (size_t)g->n_values, "a set of values");
    is_same[v] = true;
    for (int k = 0; !*is_first && k < g->n_nodes; k++) {
        const struct lr_node *n = &g->nodes[k];
        const enum reading reading = reading_of(n);
        bool is_reader = false;
        for (int i = 0; i < n->n_in; i++)
            is_reader = is_reader || (n->in[i] >= 0 && is_same[n->in[i]]);
        *is_first = is_reader && reading == CHANNELS_FIRST;
        if (is_reader && reading == ONE_BY_ONE && n->n_out > 0 && n->out[0] >= 0)
            is_same[n->out[0]] = true;
    }
    lr_free(is_same);
    return LR_OK;
}

/* Networks made for channels that come last turn their input round first, or want more
 * rows than an image has channels. */
static enum lr_status find_channels_last(bool *is_last, const struct lr_graph *g, int v,
                                         struct lr_err *e)
{
    const int64_t *d = g->values[v].shape.dims;
    bool is_first = true;
    enum lr_status st = LR_OK;

    if (d[3] <= LR_MAX_CHANNELS && d[1] > LR_MAX_CHANNELS)
        st = find_channels_first(&is_first, g, v, e);
    else if (d[3] <= LR_MAX_CHANNELS)
        is_first = !is_turned(g, v);
    *is_last = !is_first;
    return st;
}

/* Channels, height and width of what is fed; an array of other dimensions keeps its
 * values in their order. */
enum lr_status session_find_input(struct lr_session *s, struct lr_err *e)
{
    const struct lr_graph *g = s->graph;
    char text[LR_MAX_DIMS * 21];
    int64_t h = 1, w = 1;

    if (g->n_inputs != 1)
        return lr_err_set(e, LR_EUNSUP, "%s has %d inputs without a shape in the file",
                          s->model_name, g->n_inputs);
    const struct lr_value *v = &g->values[g->inputs[0]];
    const int64_t *d = v->shape.dims;
    const int n = v->has_shape ? v->shape.n_dims : 0;
    if (n < 1)
        return lr_err_set(
            e, LR_ESHAPE,
            "input %.100s has no shape: give one, as in --input 1x3x224x224", v->name);
    for (int i = 1; i < n; i++)
        if (d[i] < 1 || d[i] > INT_MAX)
            return lr_err_set(e, LR_ESHAPE,
                              "input %.100s has shape %s: give its size, as in "
                              "--input 1x3x224x224",
                              v->name, lr_shape_text(text, sizeof(text), &v->shape));
    s->is_channels_last = false;
    if (n == 4) {
        enum lr_status st = find_channels_last(&s->is_channels_last, g, g->inputs[0], e);
        if (st != LR_OK)
            return st;
    }
    for (int i = 2; i < n - 1; i++)
        h *= d[i]; /* within int64: inference has checked the product */
    w = n > 2 ? d[n - 1] : 1;
    if (s->is_channels_last) {
        h = d[1];
        w = d[2];
    }
    if (h > INT_MAX)
        return lr_err_set(e, LR_ESHAPE, "input %.100s is too large: %s", v->name,
                          lr_shape_text(text, sizeof(text), &v->shape));
    s->in_c = n > 1 ? (int)d[s->is_channels_last ? 3 : 1] : 1;
    s->in_h = (int)h;
    s->in_w = (int)w;
    return LR_OK;
}

const char *lr_session_input_text(char *buf, size_t size, const struct lr_session *s)
{
    const struct lr_shape *x = &s->graph->values[s->graph->inputs[0]].shape;
    struct lr_shape one = {.n_dims = x->n_dims - 1};

    if (x->n_dims == 4 || x->n_dims < 2) {
        snprintf(buf, size, "%dx%dx%d", s->in_c, s->in_h, s->in_w);
        return buf;
    }
    memcpy(one.dims, x->dims + 1, (size_t)one.n_dims * sizeof(one.dims[0]));
    return lr_shape_text(buf, size, &one);
}

void session_input_list(char *buf, size_t size, const struct lr_session *s)
{
    const struct lr_shape *x = &s->graph->values[s->graph->inputs[0]].shape;
    size_t at = 0;

    buf[0] = '\0';
    for (int i = 1; i < x->n_dims && at < size; i++) {
        int n = snprintf(buf + at, size - at, "%s%lld", i > 1 ? "," : "",
                         (long long)x->dims[i]);
        at += n > 0 ? (size_t)n : 0;
    }
}
