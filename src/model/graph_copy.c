/* Releasing and copying a graph. The copy is built so that at every moment it can be
 * released with the same function as a complete one: arrays are zeroed before their
 * counts are set. */
#include <string.h>

#include "model.h"

void lr_attr_clear(struct lr_attr *a)
{
    lr_free(a->name);
    lr_free(a->s);
    lr_free(a->ints);
    lr_free(a->floats);
    lr_free(a->doc);
    lr_tensor_free(a->tensor);
    *a = (struct lr_attr){0};
}

void lr_node_clear(struct lr_node *n)
{
    for (int i = 0; i < n->n_attrs; i++)
        lr_attr_clear(&n->attrs[i]);
    lr_free(n->attrs);
    lr_free(n->type);
    lr_free(n->domain);
    lr_free(n->name);
    lr_free(n->doc);
    lr_free(n->in);
    lr_free(n->out);
    lr_free(n->why_unsupported);
    *n = (struct lr_node){0};
}

static void free_props(struct lr_prop *props, int n)
{
    for (int i = 0; i < n; i++) {
        lr_free(props[i].key);
        lr_free(props[i].value);
    }
    lr_free(props);
}

void lr_graph_free(struct lr_graph *g)
{
    if (!g)
        return;
    for (int k = 0; k < g->n_nodes; k++)
        lr_node_clear(&g->nodes[k]);
    for (int v = 0; v < g->n_values; v++) {
        lr_free(g->values[v].name);
        lr_free(g->values[v].doc);
        lr_tensor_free(g->values[v].tensor);
    }
    free_props(g->opsets, g->n_opsets);
    free_props(g->props, g->n_props);
    lr_free(g->nodes);
    lr_free(g->values);
    lr_free(g->inputs);
    lr_free(g->outputs);
    lr_free(g->file_outputs);
    lr_free(g->name);
    lr_free(g->doc);
    lr_free(g->graph_doc);
    lr_free(g->producer_name);
    lr_free(g->producer_version);
    lr_free(g->domain);
    lr_free(g->batch_name);
    lr_free(g);
}

/* A zeroed array of n elements (NULL for none). */
static enum lr_status new_array(void **out, int n, size_t size, struct lr_err *e)
{
    *out = NULL;
    if (n <= 0)
        return LR_OK;
    *out = lr_calloc((size_t)n, size);
    return *out ? LR_OK : lr_enomem(e, (size_t)n * size, "a copy of the network");
}

static enum lr_status copy_array(void **out, const void *from, size_t n, size_t size,
                                 struct lr_err *e)
{
    *out = NULL;
    if (!from)
        return LR_OK;
    *out = lr_alloc(n, size);
    if (!*out)
        return lr_enomem(e, n * size, "a copy of the network");
    if (n > 0)
        memcpy(*out, from, n * size);
    return LR_OK;
}

/* *out may be garbage before the call; on failure it is left empty. */
static enum lr_status copy_attr(struct lr_attr *out, const struct lr_attr *a,
                                struct lr_err *e)
{
    enum lr_status st;

    *out = (struct lr_attr){.kind = a->kind, .i = a->i, .f = a->f, .n = a->n};
    st = lr_string_set(&out->name, a->name, e);
    if (st == LR_OK)
        st = lr_string_set(&out->doc, a->doc, e);
    if (st == LR_OK && a->s) {
        out->s = lr_alloc(a->n + 1, 1);
        if (out->s)
            memcpy(out->s, a->s, a->n + 1);
        else
            st = lr_enomem(e, a->n + 1, "an attribute");
    }
    if (st == LR_OK)
        st = copy_array((void **)&out->ints, a->ints, a->n, sizeof(*a->ints), e);
    if (st == LR_OK)
        st = copy_array((void **)&out->floats, a->floats, a->n, sizeof(*a->floats), e);
    if (st == LR_OK && a->tensor)
        st = lr_tensor_clone(&out->tensor, a->tensor, e);
    if (st != LR_OK)
        lr_attr_clear(out);
    return st;
}

static enum lr_status copy_node(struct lr_node *out, const struct lr_node *n,
                                struct lr_err *e)
{
    enum lr_status st;

    out->op = n->op;
    out->has_sizes = n->has_sizes;
    st = lr_string_set(&out->type, n->type, e);
    if (st == LR_OK)
        st = lr_string_set(&out->domain, n->domain, e);
    if (st == LR_OK)
        st = lr_string_set(&out->name, n->name, e);
    if (st == LR_OK)
        st = lr_string_set(&out->doc, n->doc, e);
    if (st == LR_OK)
        st = lr_string_set(&out->why_unsupported, n->why_unsupported, e);
    if (st == LR_OK)
        st = copy_array((void **)&out->in, n->in, (size_t)n->n_in, sizeof(*n->in), e);
    if (st == LR_OK)
        st = copy_array((void **)&out->out, n->out, (size_t)n->n_out, sizeof(*n->out), e);
    if (st == LR_OK)
        st = new_array((void **)&out->attrs, n->n_attrs, sizeof(*n->attrs), e);
    if (st != LR_OK)
        return st;
    out->n_in = n->n_in;
    out->n_out = n->n_out;
    out->n_attrs = n->n_attrs;
    for (int i = 0; i < n->n_attrs && st == LR_OK; i++)
        st = copy_attr(&out->attrs[i], &n->attrs[i], e);
    return st;
}

static enum lr_status copy_value(struct lr_value *out, const struct lr_value *v,
                                 struct lr_err *e)
{
    enum lr_status st;

    *out = *v;
    out->name = out->doc = NULL;
    out->tensor = NULL;
    st = lr_string_set(&out->name, v->name, e);
    if (st == LR_OK)
        st = lr_string_set(&out->doc, v->doc, e);
    /* Weights can be most of the memory there is, and no rewrite changes them in place.
     */
    if (st == LR_OK)
        out->tensor = lr_tensor_share(v->tensor);
    return st;
}

static enum lr_status copy_props(struct lr_prop **out, int *n_out,
                                 const struct lr_prop *props, int n, struct lr_err *e)
{
    enum lr_status st = new_array((void **)out, n, sizeof(*props), e);

    if (st != LR_OK)
        return st;
    *n_out = n;
    for (int i = 0; i < n && st == LR_OK; i++) {
        st = lr_string_set(&(*out)[i].key, props[i].key, e);
        if (st == LR_OK)
            st = lr_string_set(&(*out)[i].value, props[i].value, e);
    }
    return st;
}

static enum lr_status copy_texts(struct lr_graph *c, const struct lr_graph *g,
                                 struct lr_err *e)
{
    enum lr_status st = lr_string_set(&c->name, g->name, e);

    if (st == LR_OK)
        st = lr_string_set(&c->doc, g->doc, e);
    if (st == LR_OK)
        st = lr_string_set(&c->graph_doc, g->graph_doc, e);
    if (st == LR_OK)
        st = lr_string_set(&c->producer_name, g->producer_name, e);
    if (st == LR_OK)
        st = lr_string_set(&c->producer_version, g->producer_version, e);
    if (st == LR_OK)
        st = lr_string_set(&c->domain, g->domain, e);
    if (st == LR_OK)
        st = lr_string_set(&c->batch_name, g->batch_name, e);
    if (st == LR_OK)
        st = copy_props(&c->opsets, &c->n_opsets, g->opsets, g->n_opsets, e);
    if (st == LR_OK)
        st = copy_props(&c->props, &c->n_props, g->props, g->n_props, e);
    return st;
}

enum lr_status lr_graph_clone(struct lr_graph **out, const struct lr_graph *g,
                              struct lr_err *e)
{
    struct lr_graph *c = NULL;
    enum lr_status st = lr_graph_new(&c, e);

    *out = NULL;
    if (st != LR_OK)
        return st;
    c->ir_version = g->ir_version;
    c->model_version = g->model_version;
    c->opset = g->opset;
    c->file_batch = g->file_batch;
    c->convolution = g->convolution;
    c->is_batch_fixed = g->is_batch_fixed;
    st = copy_texts(c, g, e);
    if (st == LR_OK)
        st = copy_array((void **)&c->inputs, g->inputs, (size_t)g->n_inputs, sizeof(int),
                        e);
    if (st == LR_OK)
        st = copy_array((void **)&c->outputs, g->outputs, (size_t)g->n_outputs,
                        sizeof(int), e);
    if (st == LR_OK && g->file_outputs)
        st = copy_array((void **)&c->file_outputs, g->file_outputs,
                        (size_t)g->n_file_outputs, sizeof(int), e);
    if (st == LR_OK)
        st = new_array((void **)&c->values, g->n_values, sizeof(*g->values), e);
    if (st == LR_OK)
        st = new_array((void **)&c->nodes, g->n_nodes, sizeof(*g->nodes), e);
    if (st != LR_OK)
        goto fail;
    c->n_inputs = g->n_inputs;
    c->n_outputs = g->n_outputs;
    c->n_file_outputs = g->n_file_outputs;
    c->n_values = c->cap_values = g->n_values;
    c->n_nodes = c->cap_nodes = g->n_nodes;
    for (int v = 0; v < g->n_values && st == LR_OK; v++)
        st = copy_value(&c->values[v], &g->values[v], e);
    for (int k = 0; k < g->n_nodes && st == LR_OK; k++)
        st = copy_node(&c->nodes[k], &g->nodes[k], e);
    if (st != LR_OK)
        goto fail;
    *out = c;
    return LR_OK;
fail:
    lr_graph_free(c);
    return st;
}
