/* Building and changing a graph. Values and nodes live in growing arrays and name each
 * other by index; a node's list of inputs and outputs is the only record of the edges,
 * and producer is kept in step with it here. */
#include "ranklab/graph.h"

#include <stdio.h>
#include <string.h>

#include "model.h"

static const char *const op_types[LR_OP_COUNT] = {
    [LR_OP_UNKNOWN] = "",
#define LR_OP(id, type, shape_rule, cost_rule, kernel) [LR_OP_##id] = type,
#include "ranklab/op.def"
#undef LR_OP
};

enum lr_op lr_op_find(const char *type, const char *domain)
{
    if (domain && *domain && strcmp(domain, "ai.onnx") != 0)
        return LR_OP_UNKNOWN;
    for (int i = 1; i < LR_OP_COUNT; i++)
        if (strcmp(op_types[i], type) == 0)
            return (enum lr_op)i;
    return LR_OP_UNKNOWN;
}

enum lr_status lr_string_set(char **s, const char *text, struct lr_err *e)
{
    char *copy = NULL;

    if (text) {
        copy = lr_strdup(text);
        if (!copy)
            return lr_enomem(e, strlen(text) + 1, "a name");
    }
    lr_free(*s);
    *s = copy;
    return LR_OK;
}

enum lr_status lr_graph_new(struct lr_graph **out, struct lr_err *e)
{
    struct lr_graph *g = lr_calloc(1, sizeof(*g));

    *out = g;
    if (!g)
        return lr_enomem(e, sizeof(*g), "a network");
    g->ir_version = 8;
    g->opset = 13;
    return LR_OK;
}

/* Room for one more element of size bytes in *array. */
static enum lr_status grow(void **array, int n, int *cap, size_t size, struct lr_err *e)
{
    if (n < *cap)
        return LR_OK;
    if (n >= INT32_MAX / 2)
        return lr_err_set(e, LR_EUNSUP, "the network has more than %d values", n);
    int want = n < 8 ? 16 : 2 * n;
    void *p = lr_realloc(*array, (size_t)n, (size_t)want, size);
    if (!p)
        return lr_enomem(e, (size_t)want * size, "the network");
    *array = p;
    *cap = want;
    return LR_OK;
}

static enum lr_status append_int(int **list, int *n, int v, struct lr_err *e)
{
    int *p = lr_realloc(*list, (size_t)*n, (size_t)*n + 1, sizeof(**list));

    if (!p)
        return lr_enomem(e, ((size_t)*n + 1) * sizeof(int), "the network");
    p[(*n)++] = v;
    *list = p;
    return LR_OK;
}

enum lr_status lr_graph_add_value(struct lr_graph *g, int *v, const char *name,
                                  struct lr_tensor *t, struct lr_err *e)
{
    struct lr_value x = {.tensor = t, .producer = -1};

    *v = -1;
    if (t) {
        x.dtype = t->dtype;
        x.has_shape = true;
        x.shape = t->shape;
    }
    enum lr_status st = lr_string_set(&x.name, name, e);
    if (st == LR_OK)
        st = grow((void **)&g->values, g->n_values, &g->cap_values, sizeof(x), e);
    if (st != LR_OK) {
        lr_free(x.name);
        lr_tensor_free(t);
        return st;
    }
    *v = g->n_values;
    g->values[g->n_values++] = x;
    return LR_OK;
}

enum lr_status lr_graph_add_input(struct lr_graph *g, int *v, const char *name,
                                  enum lr_dtype t, const struct lr_shape *s,
                                  struct lr_err *e)
{
    enum lr_status st = lr_graph_add_value(g, v, name, NULL, e);

    if (st != LR_OK)
        return st;
    struct lr_value *x = &g->values[*v];
    x->dtype = t;
    x->is_input = true;
    x->has_shape = x->has_declared = true;
    x->shape = x->declared = *s;
    return append_int(&g->inputs, &g->n_inputs, *v, e);
}

enum lr_status lr_graph_add_output(struct lr_graph *g, int v, struct lr_err *e)
{
    enum lr_status st = append_int(&g->outputs, &g->n_outputs, v, e);

    if (st == LR_OK)
        g->values[v].is_output = true;
    return st;
}

void lr_graph_index(struct lr_graph *g)
{
    for (int v = 0; v < g->n_values; v++)
        g->values[v].producer = -1;
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_out; i++)
            if (g->nodes[k].out[i] >= 0)
                g->values[g->nodes[k].out[i]].producer = k;
}

static int *copy_indices(const int *from, int n)
{
    int *p = lr_alloc((size_t)n, sizeof(*p));

    if (p && n > 0)
        memcpy(p, from, (size_t)n * sizeof(*p));
    return p;
}

enum lr_status lr_graph_add_node(struct lr_graph *g, int at, const char *type,
                                 const char *name, const int *in, int n_in,
                                 const int *out, int n_out, struct lr_err *e)
{
    struct lr_node x = {.op = lr_op_find(type, ""), .n_in = n_in, .n_out = n_out};
    enum lr_status st = lr_string_set(&x.type, type, e);

    if (st == LR_OK)
        st = lr_string_set(&x.domain, "", e);
    if (st == LR_OK)
        st = lr_string_set(&x.name, name, e);
    if (st != LR_OK)
        goto fail;
    x.in = copy_indices(in, n_in);
    x.out = copy_indices(out, n_out);
    if (!x.in || !x.out) {
        st = lr_enomem(e, (size_t)(n_in + n_out) * sizeof(int), "a node");
        goto fail;
    }
    st = grow((void **)&g->nodes, g->n_nodes, &g->cap_nodes, sizeof(x), e);
    if (st != LR_OK)
        goto fail;
    memmove(&g->nodes[at + 1], &g->nodes[at], (size_t)(g->n_nodes - at) * sizeof(x));
    g->nodes[at] = x;
    g->n_nodes++;
    if (at == g->n_nodes - 1) {
        for (int i = 0; i < n_out; i++)
            if (out[i] >= 0)
                g->values[out[i]].producer = at;
    } else {
        lr_graph_index(g);
    }
    return LR_OK;
fail:
    lr_node_clear(&x);
    return st;
}

void lr_graph_compact(struct lr_graph *g, const bool *is_dead)
{
    int n = 0;

    for (int k = 0; k < g->n_nodes; k++) {
        if (is_dead[k])
            lr_node_clear(&g->nodes[k]);
        else
            g->nodes[n++] = g->nodes[k];
    }
    g->n_nodes = n;
    lr_graph_index(g);
}

int lr_graph_find_value(const struct lr_graph *g, const char *name)
{
    for (int v = 0; v < g->n_values; v++)
        if (strcmp(g->values[v].name, name) == 0)
            return v;
    return -1;
}

int lr_graph_find_node(const struct lr_graph *g, const char *name)
{
    for (int k = 0; k < g->n_nodes; k++)
        if (strcmp(g->nodes[k].name, name) == 0)
            return k;
    return -1;
}

int lr_graph_consumers(const struct lr_graph *g, int v, int *nodes, int max)
{
    int n = 0;

    for (int k = 0; k < g->n_nodes; k++) {
        bool reads = false;
        for (int i = 0; i < g->nodes[k].n_in && !reads; i++)
            reads = g->nodes[k].in[i] == v;
        if (!reads)
            continue;
        if (n < max)
            nodes[n] = k;
        n++;
    }
    return n;
}

enum lr_status lr_graph_count_uses(int **counts, const struct lr_graph *g,
                                   struct lr_err *e)
{
    *counts = lr_calloc((size_t)g->n_values, sizeof(**counts));
    if (!*counts)
        return lr_enomem(e, (size_t)g->n_values * sizeof(int), "the network");
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_in; i++)
            if (g->nodes[k].in[i] >= 0)
                (*counts)[g->nodes[k].in[i]]++;
    return LR_OK;
}

bool lr_graph_has_hidden(const struct lr_graph *g)
{
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_attrs; i++)
            if (g->nodes[k].attrs[i].kind == LR_ATTR_OPAQUE)
                return true;
    return false;
}

void lr_graph_release(struct lr_graph *g, int v)
{
    if (v < 0 || !g->values[v].tensor || g->values[v].is_output || lr_graph_has_hidden(g))
        return;
    for (int k = 0; k < g->n_nodes; k++) {
        for (int i = 0; i < g->nodes[k].n_in; i++)
            if (g->nodes[k].in[i] == v)
                return;
    }
    lr_tensor_free(g->values[v].tensor);
    g->values[v].tensor = NULL;
}

static enum lr_status unique_name(char **name, const struct lr_graph *g, const char *base,
                                  int (*find)(const struct lr_graph *, const char *),
                                  struct lr_err *e)
{
    struct lr_strbuf b = {0};

    lr_strbuf_puts(&b, base);
    for (int i = 2; !b.is_failed && find(g, b.s) >= 0; i++) {
        lr_strbuf_reset(&b);
        lr_strbuf_printf(&b, "%s_%d", base, i);
    }
    *name = lr_strbuf_take(&b);
    return *name ? LR_OK : lr_enomem(e, strlen(base), "a name");
}

enum lr_status lr_unique_value_name(char **name, const struct lr_graph *g,
                                    const char *base, struct lr_err *e)
{
    return unique_name(name, g, base, lr_graph_find_value, e);
}

enum lr_status lr_unique_node_name(char **name, const struct lr_graph *g,
                                   const char *base, struct lr_err *e)
{
    return unique_name(name, g, base, lr_graph_find_node, e);
}

enum lr_status lr_graph_value_names(struct lr_names *names, const struct lr_graph *g,
                                    struct lr_err *e)
{
    for (int v = 0; v < g->n_values; v++) {
        bool is_new;
        if (!lr_names_put(names, g->values[v].name, v, &is_new))
            return lr_enomem(e, 64, "names");
    }
    return LR_OK;
}

enum lr_status lr_unique_name_in(char **name, struct lr_names *used, const char *base,
                                 struct lr_err *e)
{
    struct lr_strbuf b = {0};

    lr_strbuf_puts(&b, base);
    for (int i = 2; !b.is_failed && lr_names_get(used, b.s); i++) {
        lr_strbuf_reset(&b);
        lr_strbuf_printf(&b, "%s_%d", base, i);
    }
    *name = lr_strbuf_take(&b);
    return *name ? LR_OK : lr_enomem(e, strlen(base), "a name");
}

enum lr_status lr_graph_sweep(struct lr_graph *g, const bool *is_touched, int n,
                              struct lr_err *e)
{
    int *uses = NULL;

    if (lr_graph_has_hidden(g))
        return LR_OK;
    enum lr_status st = lr_graph_count_uses(&uses, g, e);
    for (int v = 0; v < n && st == LR_OK; v++) {
        if (!is_touched[v] || uses[v] || g->values[v].is_output)
            continue;
        lr_tensor_free(g->values[v].tensor);
        g->values[v].tensor = NULL;
    }
    lr_free(uses);
    return st;
}

const char *lr_graph_blocker(const struct lr_graph *g, char *buf, size_t size)
{
    const struct lr_node *first = NULL;
    int others = 0;

    for (int k = 0; k < g->n_nodes; k++) {
        if (!g->nodes[k].why_unsupported)
            continue;
        if (!first)
            first = &g->nodes[k];
        else
            others++;
        /* One that is not known at all says more than those that want other sizes. */
        if (first->op != LR_OP_UNKNOWN && g->nodes[k].op == LR_OP_UNKNOWN)
            first = &g->nodes[k];
    }
    if (!first)
        return NULL;
    if (others)
        snprintf(buf, size, "%s: %s (and %d more node%s)", first->name,
                 first->why_unsupported, others, others == 1 ? "" : "s");
    else
        snprintf(buf, size, "%s: %s", first->name, first->why_unsupported);
    return buf;
}
