/* Shape inference: one pass over the nodes in topological order, a rule per operator. The
 * batch is -1 in dimension 0; every other size is a number. Beside shapes the pass
 * carries small integer vectors that may contain multiples of the batch (struct lr_ints),
 * so that a chain such as Shape, Gather, Concat, Reshape keeps the batch free. Nothing
 * but shapes, types and reasons is changed for good until the pass is over; then
 * lr_infer_commit folds. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "model/eval.h"

static lr_rule *const rules[LR_OP_COUNT] = {
#define LR_OP(id, type, shape_rule, cost_rule, kernel)                                   \
    [LR_OP_##id] = lr_rule_##shape_rule,
#include "ranklab/op.def"
#undef LR_OP
};

/* Forgets what an earlier run found. Constants keep their shape. */
static void reset(struct lr_graph *g)
{
    for (int v = 0; v < g->n_values; v++) {
        struct lr_value *x = &g->values[v];
        if (x->tensor) {
            x->has_shape = true;
            x->shape = x->tensor->shape;
            x->dtype = x->tensor->dtype;
        } else if (!x->is_input) {
            x->has_shape = false;
        }
    }
    for (int k = 0; k < g->n_nodes; k++) {
        lr_free(g->nodes[k].why_unsupported);
        g->nodes[k].why_unsupported = NULL;
    }
}

/* "1x3x?x?" with question marks for free sizes. */
static void free_text(struct lr_strbuf *b, const struct lr_shape *s)
{
    for (int i = 0; i < s->n_dims; i++) {
        lr_strbuf_puts(b, i ? "x" : "");
        if (i == 0 || s->dims[i] < 1)
            lr_strbuf_puts(b, i == 0 ? "1" : "?");
        else
            lr_strbuf_printf(b, "%lld", (long long)s->dims[i]);
    }
}

static enum lr_status free_input(const struct lr_value *x, struct lr_err *e)
{
    struct lr_strbuf b = {0};

    if (!x->has_shape)
        return lr_err_set(e, LR_ESHAPE,
                          "input %.100s has no shape in the file: give one, as in "
                          "--input 1x3x224x224",
                          x->name);
    free_text(&b, &x->shape);
    enum lr_status st = lr_err_set(
        e, LR_ESHAPE,
        "input %.100s has free sizes (%s): give them, as in --input 1x3x224x224", x->name,
        b.s ? b.s : "");
    lr_strbuf_free(&b);
    return st;
}

static enum lr_status set_first_input(struct lr_graph *g, const struct lr_shape *input,
                                      struct lr_err *e)
{
    if (g->n_inputs < 1 && g->is_batch_fixed)
        return LR_OK;
    if (g->n_inputs < 1)
        return lr_err_set(e, LR_EUNSUP, "the network has no input");
    struct lr_value *x = &g->values[g->inputs[0]];
    struct lr_shape s;
    char text[LR_MAX_DIMS * 21];
    int64_t count;

    if (input) {
        s = *input;
        if (s.n_dims < 1 || s.n_dims > LR_MAX_DIMS)
            return lr_err_set(e, LR_EINVAL,
                              "input shape has %d dimensions, 1 to %d accepted", s.n_dims,
                              LR_MAX_DIMS);
        if (x->has_declared && x->declared.n_dims != s.n_dims)
            return lr_err_set(e, LR_ESHAPE,
                              "input %.100s has %d dimensions, %d were given", x->name,
                              x->declared.n_dims, s.n_dims);
    } else if (!x->has_shape) {
        return free_input(x, e);
    } else {
        s = x->shape;
    }
    if (s.n_dims < 1 && g->is_batch_fixed)
        return LR_OK;
    if (s.n_dims < 1)
        return lr_err_set(e, LR_ESHAPE, "input %.100s is a scalar, not a batch of images",
                          x->name);
    if (x->has_declared && x->declared.n_dims > 0 && x->declared.dims[0] > 0)
        g->file_batch = x->declared.dims[0];
    if (!g->is_batch_fixed || s.dims[0] < 1)
        s.dims[0] = 1;
    for (int i = 1; i < s.n_dims; i++) {
        if (s.dims[i] < 1 && !input)
            return free_input(x, e);
        if (s.dims[i] < 1 || s.dims[i] > LR_MAX_DIM)
            return lr_err_set(e, input ? LR_EINVAL : LR_ESHAPE,
                              "input shape %s: sizes must be 1 to %d",
                              lr_shape_text(text, sizeof(text), &s), LR_MAX_DIM);
    }
    if (lr_shape_count(&count, &s, NULL) != LR_OK || count > INT64_MAX / 64)
        return lr_err_set(e, LR_ESHAPE, "input shape %s is too large",
                          lr_shape_text(text, sizeof(text), &s));
    if (!g->is_batch_fixed)
        s.dims[0] = -1;
    x->has_shape = true;
    x->shape = s;
    if (!g->batch_name)
        return lr_string_set(&g->batch_name, "N", e);
    return LR_OK;
}

/* A further input has the batch in front when its first size is free or the first
 * input's. */
static void set_other_input(struct lr_graph *g, int v)
{
    struct lr_value *x = &g->values[v];

    if (!x->has_declared)
        return;
    x->shape = x->declared;
    x->has_shape = true;
    if (g->is_batch_fixed) {
        for (int i = 0; i < x->shape.n_dims; i++)
            x->has_shape = x->has_shape && x->shape.dims[i] > 0;
        return;
    }
    if (x->shape.n_dims > 0 && g->file_batch > 0 && x->shape.dims[0] == g->file_batch)
        x->shape.dims[0] = -1;
    for (int i = 0; i < x->shape.n_dims; i++)
        if (x->shape.dims[i] == 0 || x->shape.dims[i] > LR_MAX_DIM ||
            (i > 0 && x->shape.dims[i] < 0))
            x->has_shape = false;
}

/* Integers that the pass could not compute would have to be computed by the engine. */
static enum lr_status check_types(struct lr_infer *c, struct lr_err *e)
{
    struct lr_node *n = c->node;

    if (n->n_out < 1 || n->out[0] < 0)
        return LR_OK;
    int v = n->out[0];
    const struct lr_value *x = &c->g->values[v];
    if (!x->has_shape || c->known[v] || x->tensor)
        return LR_OK;
    if (lr_dtype_is_float(x->dtype))
        return LR_OK;
    if (!lr_eval_has(n->op))
        return lr_infer_why(c, e, "%s of type %s is not supported", n->type,
                            lr_dtype_name(x->dtype));
    struct lr_eval kernel = {0};
    struct lr_err why = {0};
    enum lr_status st = n->why_unsupported || n->n_in > 1
                            ? LR_OK
                            : lr_eval_make(&kernel, c->g, n, 1, &why);
    lr_eval_clear(&kernel);
    if (st == LR_ENOMEM)
        return lr_enomem(e, 64, "a kernel");
    return st == LR_OK ? LR_OK : lr_infer_why(c, e, "%s", why.msg);
}

/* What computes several things of one kind, where the first may not be wanted. */
static bool may_lack_first(enum lr_op op)
{
    return op == LR_OP_LSTM || op == LR_OP_GRU || op == LR_OP_RNN || op == LR_OP_TOP_K;
}

static enum lr_status infer_node(struct lr_infer *c, struct lr_err *e)
{
    struct lr_node *n = c->node;

    if (n->op == LR_OP_UNKNOWN) {
        if (n->domain && *n->domain && strcmp(n->domain, "ai.onnx") != 0)
            return lr_infer_why(c, e, "operator %s of domain %s is not known", n->type,
                                n->domain);
        return lr_infer_why(c, e, "operator %s (opset %lld) is not known", n->type,
                            (long long)c->g->opset);
    }
    if (n->op != LR_OP_CONSTANT && !lr_infer_has(c, 0))
        return lr_err_set(e, LR_EPARSE, "%.100s: %s without input", n->name, n->type);
    bool has_out = n->n_out > 0 && n->out[0] >= 0;
    for (int i = 1; !has_out && may_lack_first(n->op) && i < n->n_out; i++)
        has_out = n->out[i] >= 0;
    if (!has_out)
        return lr_err_set(e, LR_EPARSE, "%.100s: %s without output", n->name, n->type);
    for (int i = 0; i < n->n_in; i++)
        if (lr_infer_has(c, i) && !lr_infer_in(c, i))
            return LR_OK;
    enum lr_status st = lr_infer_types(c, e);
    if (st == LR_OK)
        st = rules[n->op](c, e);
    if (st == LR_OK)
        st = check_types(c, e);
    return st == LR_OK ? lr_infer_compute(c, e) : st;
}

/* After an error: the nodes that compute the constants found so far are all still there.
 */
static void unfold(struct lr_infer *c)
{
    for (int v = 0; v < c->n_values; v++) {
        if (!c->is_folded[v])
            continue;
        lr_tensor_free(c->g->values[v].tensor);
        c->g->values[v].tensor = NULL;
    }
}

static void infer_clear(struct lr_infer *c)
{
    for (int v = 0; c->known && v < c->n_values; v++) {
        if (c->known[v])
            lr_free(c->known[v]->v);
        lr_free(c->known[v]);
    }
    for (int k = 0; c->targets && k < c->n_nodes; k++) {
        if (c->targets[k])
            lr_free(c->targets[k]->v);
        lr_free(c->targets[k]);
    }
    lr_free(c->known);
    lr_free(c->is_folded);
    lr_free(c->targets);
}

static enum lr_status infer_once(struct lr_graph *g, const struct lr_shape *input,
                                 struct lr_err *e)
{
    struct lr_infer c = {.g = g};
    enum lr_status st = lr_graph_absorb_constants(g, e);

    if (st != LR_OK)
        return st;
    reset(g);
    st = set_first_input(g, input, e);
    if (st != LR_OK)
        return st;
    for (int i = 1; i < g->n_inputs; i++)
        set_other_input(g, g->inputs[i]);
    lr_infer_limit(&c);
    c.n_values = g->n_values;
    c.n_nodes = g->n_nodes;
    c.known = lr_calloc((size_t)c.n_values, sizeof(*c.known));
    c.is_folded = lr_calloc((size_t)c.n_values, sizeof(*c.is_folded));
    c.targets = lr_calloc((size_t)c.n_nodes, sizeof(*c.targets));
    if (!c.known || !c.is_folded || !c.targets) {
        st = lr_enomem(e, (size_t)c.n_values * sizeof(void *), "shape inference");
        goto out;
    }
    for (c.index = 0; c.index < g->n_nodes && st == LR_OK; c.index++) {
        c.node = &g->nodes[c.index];
        st = infer_node(&c, e);
    }
    if (st == LR_OK)
        st = lr_infer_commit(&c, e);
    if (st != LR_OK)
        unfold(&c);
out:
    infer_clear(&c);
    return st;
}

/* Branches may hold branches, and what they compute may be the condition of others. */
enum { MAX_NESTED = 64 };

enum lr_status lr_graph_infer(struct lr_graph *g, const struct lr_shape *input,
                              struct lr_err *e)
{
    bool is_any = true;
    enum lr_status st = LR_OK;

    for (int i = 0; is_any && i < MAX_NESTED && st == LR_OK; i++) {
        st = infer_once(g, input, e);
        if (st == LR_OK)
            st = lr_graph_take_branches(g, &is_any, e);
    }
    return st;
}
