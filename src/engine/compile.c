/* Compiling a graph: which nodes are needed between the values fed and the values asked
 * for, how often each value is read, then one builder call per node in topological order.
 */
#include "net.h"

#include <limits.h>
#include <omp.h>
#include <string.h>

#include "model/eval.h"
#include "ranklab/mem.h"

static bool is_fed(const struct lr_eng_build *b, int v)
{
    return v >= 0 && b->vals[v].is_fed;
}

/* Marks the inputs; their order is the caller's. */
static enum lr_status mark_inputs(struct lr_eng_build *b, const int *inputs, int n)
{
    for (int i = 0; i < n; i++) {
        int v = inputs[i];
        if (v < 0 || v >= b->g->n_values)
            return lr_err_set(b->e, LR_EINVAL, "input %d: no value %d in the graph", i,
                              v);
        if (b->vals[v].is_fed)
            return lr_err_set(b->e, LR_EINVAL, "value '%s' is fed twice",
                              b->g->values[v].name);
        if (b->g->values[v].tensor)
            return lr_err_set(b->e, LR_EINVAL,
                              "value '%s' is a constant, it cannot be fed",
                              b->g->values[v].name);
        b->vals[v].is_fed = true;
    }
    return LR_OK;
}

/* Shape of v with the batch filled in, checked so that no later product overflows. */
static enum lr_status take_shape(struct lr_eng_build *b, int v)
{
    const struct lr_value *x = &b->g->values[v];
    struct lr_eng_val *y = &b->vals[v];
    const struct lr_shape *s = x->tensor ? &x->tensor->shape : &x->shape;
    if (!x->tensor && !x->has_shape)
        return lr_err_set(b->e, LR_EUNSUP, "the shape of value '%s' is not known",
                          x->name);
    if (s->n_dims < 0 || s->n_dims > LR_MAX_DIMS)
        return lr_err_set(b->e, LR_EUNSUP, "value '%s' has %d dimensions, at most %d",
                          x->name, s->n_dims, (int)LR_MAX_DIMS);
    y->is_int = !lr_kernel_is_float(x->tensor ? x->tensor->dtype : x->dtype);
    y->n_dims = s->n_dims;
    size_t count = 1;
    for (int i = 0; i < s->n_dims; i++) {
        int64_t d = s->dims[i];
        if (i == 0 && d == -1 && !x->tensor) {
            d = b->opts->batch;
            y->is_batched = true;
        }
        if (d < 1 && !(x->tensor && d == 0))
            return lr_err_set(b->e, LR_ESHAPE, "value '%s': dimension %d is %lld",
                              x->name, i, (long long)d);
        if (d > INT_MAX || __builtin_mul_overflow(count, (size_t)d, &count) ||
            count > SIZE_MAX / 4 / sizeof(int64_t))
            return lr_err_set(b->e, LR_ENOMEM, "value '%s' is too large for memory",
                              x->name);
        y->dims[i] = d;
    }
    y->count = count;
    return LR_OK;
}

/* Marks what the outputs need, backwards; stops at what is fed and at constants. */
static enum lr_status mark_needed(struct lr_eng_build *b)
{
    const struct lr_graph *g = b->g;
    for (int i = 0; i < b->n_requests; i++)
        b->vals[b->requests[i].value].is_needed = true;
    for (int k = g->n_nodes - 1; k >= 0; k--) {
        const struct lr_node *n = &g->nodes[k];
        for (int j = 0; j < n->n_out; j++) {
            int v = n->out[j];
            if (v >= 0 && b->vals[v].is_needed && !is_fed(b, v) && !g->values[v].tensor)
                b->is_needed[k] = true;
        }
        for (int j = 0; b->is_needed[k] && j < n->n_in; j++)
            if (n->in[j] >= 0)
                b->vals[n->in[j]].is_needed = true;
    }
    return LR_OK;
}

/* Every needed value must come from somewhere; its shape is taken down. */
static enum lr_status check_sources(struct lr_eng_build *b)
{
    const struct lr_graph *g = b->g;
    for (int k = 0; k < g->n_nodes; k++)
        for (int j = 0; b->is_needed[k] && j < g->nodes[k].n_out; j++)
            if (g->nodes[k].out[j] >= 0)
                b->vals[g->nodes[k].out[j]].root = -2; /* computed */
    for (int v = 0; v < g->n_values; v++) {
        struct lr_eng_val *x = &b->vals[v];
        bool is_known = x->root == -2 || x->is_fed || g->values[v].tensor;
        x->root = v;
        if (x->is_needed && !is_known)
            return lr_err_set(b->e, LR_ESHAPE,
                              "the outputs depend on value '%s', which is not fed",
                              g->values[v].name);
    }
    return LR_OK;
}

static enum lr_status take_shapes(struct lr_eng_build *b)
{
    for (int v = 0; v < b->g->n_values; v++) {
        if (!b->vals[v].is_needed && !b->vals[v].is_fed)
            continue;
        enum lr_status s = take_shape(b, v);
        if (s)
            return s;
    }
    return LR_OK;
}

/* Roots of aliases, readers of values. */
static void count_uses(struct lr_eng_build *b)
{
    const struct lr_graph *g = b->g;
    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *n = &g->nodes[k];
        if (!b->is_needed[k])
            continue;
        bool is_alias = lr_eng_is_alias_node(b, n);
        if (is_alias && !is_fed(b, n->out[0]))
            b->vals[n->out[0]].root = b->vals[n->in[0]].root;
        for (int j = 0; j < n->n_in; j++) {
            if (n->in[j] < 0)
                continue;
            struct lr_eng_val *x = &b->vals[n->in[j]];
            x->n_users++;
            x->user = k;
            b->vals[x->root].uses++;
        }
    }
    for (int i = 0; i < b->n_requests; i++)
        b->vals[b->vals[b->requests[i].value].root].uses++;
}

static enum lr_status check_node(struct lr_eng_build *b, const struct lr_node *n)
{
    if (n->why_unsupported)
        return lr_err_set(b->e, LR_EUNSUP, "%s", n->why_unsupported);
    if (n->op == LR_OP_UNKNOWN ||
        (!lr_eng_builder_of(n->op) && !lr_eng_is_alias(n->op) && !lr_eval_has(n->op)))
        return lr_err_set(b->e, LR_EUNSUP, "operator %s is not supported",
                          n->type ? n->type : "?");
    bool has_out = false;
    for (int j = 0; j < n->n_out; j++)
        has_out = has_out || (n->out[j] >= 0 && (j == 0 || !lr_eng_builder_of(n->op)));
    if (n->n_in < 1 || n->in[0] < 0 || !has_out)
        return lr_err_set(b->e, LR_ESHAPE, "it needs an input and an output");
    for (int j = 1; j < n->n_out && !lr_eval_has(n->op); j++)
        if (n->out[j] >= 0 && b->vals[n->out[j]].is_needed)
            return lr_err_set(b->e, LR_EUNSUP, "its output '%s' is not computed here",
                              b->g->values[n->out[j]].name);
    return LR_OK;
}

static enum lr_status build_alias(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]], *y = &b->vals[n->out[0]];
    if (x->count != y->count)
        return lr_err_set(b->e, LR_ESHAPE, "%zu elements cannot become %zu", x->count,
                          y->count);
    if (x->is_batched != y->is_batched)
        return lr_err_set(b->e, LR_EUNSUP,
                          "the batch must stay the first dimension, values of one image "
                          "together");
    return lr_eng_emit(b, n->out[0]);
}

/* Does the node read or make integers, or give more than one value that is wanted? */
static bool is_plain_only(const struct lr_eng_build *b, const struct lr_node *n)
{
    for (int j = 0; j < n->n_out; j++) {
        const struct lr_eng_val *y = n->out[j] < 0 ? NULL : &b->vals[n->out[j]];
        if (y && ((y->is_int) || (j > 0 && y->is_needed)))
            return true;
    }
    return n->n_in > 0 && n->in[0] >= 0 && b->vals[n->in[0]].is_int;
}

/* The library's way, or else a plain kernel. */
static enum lr_status build_any(struct lr_eng_build *b, const struct lr_node *n)
{
    lr_eng_builder builder = lr_eng_builder_of(n->op);
    if (!builder || (is_plain_only(b, n) && lr_eval_has(n->op)))
        return lr_eng_build_plain(b, n);
    enum lr_status s = builder(b, n);
    /* what the library cannot do for its number of dimensions or for computed weights */
    bool is_window = n->op == LR_OP_CONV || n->op == LR_OP_MAX_POOL ||
                     n->op == LR_OP_AVERAGE_POOL || n->op == LR_OP_CONV_TRANSPOSE ||
                     n->op == LR_OP_RESIZE || n->op == LR_OP_UPSAMPLE;
    return s == LR_EUNSUP && is_window ? lr_eng_build_plain(b, n) : s;
}

/* Pieces without elements, which only constants can be, add nothing. */
static enum lr_status build_concat(struct lr_eng_build *b, const struct lr_node *n)
{
    struct lr_node some = *n;
    some.in = lr_alloc((size_t)n->n_in, sizeof *some.in);
    if (!some.in)
        return lr_enomem(b->e, (size_t)n->n_in * sizeof *some.in, "a concatenation");
    some.n_in = 0;
    for (int i = 0; i < n->n_in; i++)
        if (!lr_eng_is_const(b, n->in[i]) || b->vals[n->in[i]].count > 0)
            some.in[some.n_in++] = n->in[i];
    enum lr_status s = some.n_in > 0
                           ? build_any(b, &some)
                           : lr_err_set(b->e, LR_ESHAPE, "all its pieces are empty");
    lr_free(some.in);
    return s;
}

static enum lr_status build_node(struct lr_eng_build *b, int k)
{
    const struct lr_node *n = &b->g->nodes[k];
    enum lr_status s = check_node(b, n);
    b->node = k;
    b->is_done[k] = true;
    for (int j = 0; !s && j < n->n_in; j++)
        if (n->in[j] >= 0)
            b->vals[b->vals[n->in[j]].root].uses--;
    if (!s)
        s = lr_eng_is_alias_node(b, n) ? build_alias(b, n)
            : n->op == LR_OP_CONCAT    ? build_concat(b, n)
                                       : build_any(b, n);
    if (s)
        lr_err_prefix(b->e, "%s (%s)", n->name ? n->name : "?", n->type ? n->type : "?");
    return s;
}

static enum lr_status add_inputs(struct lr_eng_build *b, const int *inputs, int n)
{
    struct lr_net *net = b->net;
    net->inputs = lr_calloc((size_t)(n > 0 ? n : 1), sizeof *net->inputs);
    if (!net->inputs)
        return lr_enomem(b->e, (size_t)n * sizeof *net->inputs, "inputs");
    net->n_inputs = n;
    for (int i = 0; i < n; i++) {
        struct lr_eng_val *x = &b->vals[inputs[i]];
        struct lr_eng_input *in = &net->inputs[i];
        in->count = x->count;
        in->is_batched = x->is_batched;
        in->size = x->is_int && b->opts->is_typed ? sizeof(int64_t) : sizeof(float);
        in->buf = lr_eng_buf_new(net, LR_ENG_INPUT, x->count * in->size, b->e);
        if (in->buf < 0)
            return LR_ENOMEM;
        if (x->is_batched && net->batch > 1) {
            in->padded = lr_alloc(x->count, in->size);
            if (!in->padded)
                return lr_enomem(b->e, x->count * in->size, "an input");
        }
        int buf = in->buf;
        enum lr_status s = LR_OK;
        if (x->is_int && !b->opts->is_typed)
            s = lr_eng_floats_to_ints(b, inputs[i], in->buf, &buf);
        if (!s)
            s = lr_eng_define_plain(b, inputs[i], buf);
        if (s)
            return s;
    }
    return LR_OK;
}

static enum lr_status take_requests(struct lr_eng_build *b)
{
    struct lr_net *net = b->net;
    net->outputs =
        lr_calloc((size_t)(b->n_requests > 0 ? b->n_requests : 1), sizeof *net->outputs);
    if (!net->outputs)
        return lr_enomem(b->e, (size_t)b->n_requests * sizeof *net->outputs, "outputs");
    net->n_outputs = b->n_requests;
    for (int i = 0; i < b->n_requests; i++) {
        const struct lr_net_output *r = &b->requests[i];
        if (r->value < 0 || r->value >= b->g->n_values)
            return lr_err_set(b->e, LR_EINVAL, "output %d: no value %d in the graph", i,
                              r->value);
    }
    return LR_OK;
}

static enum lr_status finish_requests(struct lr_eng_build *b)
{
    for (int i = 0; i < b->n_requests; i++) {
        const struct lr_net_output *r = &b->requests[i];
        const struct lr_eng_val *x = &b->vals[r->value];
        if (x->count == 0)
            return lr_err_set(b->e, LR_EUNSUP, "value '%s' cannot be an output",
                              b->g->values[r->value].name);
        if (r->layout != LR_NCHW && (r->layout != LR_NHWC || x->n_dims != 4))
            return lr_err_set(b->e, LR_EINVAL,
                              "value '%s' has %d dimensions, NHWC needs 4",
                              b->g->values[r->value].name, x->n_dims);
        b->net->outputs[i].per_image =
            x->is_batched ? x->count / (size_t)b->net->batch : x->count;
    }
    return LR_OK;
}

static enum lr_status build(struct lr_eng_build *b, const int *inputs, int n_inputs)
{
    const struct lr_graph *g = b->g;
    enum lr_status s = take_requests(b);
    if (!s)
        s = mark_inputs(b, inputs, n_inputs);
    if (!s)
        s = mark_needed(b);
    if (!s)
        s = check_sources(b);
    if (!s)
        s = take_shapes(b);
    if (!s)
        s = finish_requests(b);
    if (s)
        return s;
    count_uses(b);
    s = lr_eng_tune(b);
    if (s)
        return s;
    s = add_inputs(b, inputs, n_inputs);
    for (int i = 0; !s && i < b->n_requests; i++) {
        int v = b->requests[i].value;
        bool is_first = true;
        for (int j = 0; j < i; j++)
            is_first = is_first && b->requests[j].value != v;
        if (is_first && lr_eng_is_const(b, v))
            s = lr_eng_emit(b, v);
    }
    for (int k = 0; !s && k < g->n_nodes; k++)
        if (b->is_needed[k] && !b->is_done[k])
            s = build_node(b, k);
    return s ? s : lr_eng_plan(b->net, b->e);
}

enum lr_status lr_net_compile(struct lr_net **out, const struct lr_graph *g,
                              const struct lr_net_opts *opts, struct lr_err *e)
{
    struct lr_net_output *graph_outputs = NULL;
    struct lr_eng_build b = {.g = g, .opts = opts, .node = -1, .e = e};
    enum lr_status s = LR_OK;
    *out = NULL;
    if (opts->batch < 1)
        return lr_err_set(e, LR_EINVAL, "batch %d: at least 1", opts->batch);
    const int *inputs = opts->n_inputs > 0 ? opts->inputs : g->inputs;
    int n_inputs = opts->n_inputs > 0 ? opts->n_inputs : g->n_inputs;
    b.requests = opts->outputs;
    b.n_requests = opts->n_outputs;
    size_t nv = (size_t)g->n_values, nn = (size_t)g->n_nodes;
    b.net = lr_calloc(1, sizeof *b.net);
    b.vals = lr_calloc(nv, sizeof *b.vals);
    b.is_needed = lr_calloc(nn, sizeof *b.is_needed);
    b.is_done = lr_calloc(nn, sizeof *b.is_done);
    b.is_winograd = lr_calloc(nn, sizeof *b.is_winograd);
    if (!b.net || !b.vals || !b.is_needed || !b.is_done || !b.is_winograd) {
        s = lr_enomem(e, nv * sizeof *b.vals, "compiling");
        goto out;
    }
    if (opts->n_outputs <= 0) {
        graph_outputs = lr_calloc((size_t)g->n_outputs, sizeof *graph_outputs);
        if (!graph_outputs) {
            s = lr_enomem(e, (size_t)g->n_outputs * sizeof *graph_outputs, "outputs");
            goto out;
        }
        for (int i = 0; i < g->n_outputs; i++)
            graph_outputs[i].value = g->outputs[i];
        b.requests = graph_outputs;
        b.n_requests = g->n_outputs;
    }
    for (int v = 0; v < g->n_values; v++)
        b.vals[v].native = b.vals[v].plain = -1;
    b.net->batch = opts->batch;
    b.net->tap = opts->tap;
    b.net->tap_ctx = opts->tap_ctx;
    b.net->n_threads = omp_get_max_threads();
    s = lr_dn_new(&b.net->dn, e);
    if (!s)
        s = build(&b, inputs, n_inputs);
out:
    lr_free(graph_outputs);
    lr_free(b.vals);
    lr_free(b.is_needed);
    lr_free(b.is_done);
    lr_free(b.is_winograd);
    if (s) {
        lr_net_free(b.net);
    } else {
        /* attempts that were refused on the way have left their messages */
        lr_err_clear(e);
        *out = b.net;
    }
    return s;
}
