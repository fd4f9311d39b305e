/* Comparing two graphs: what is written to a file must come back as the same network.
 * Values are compared by name, because their indices depend on the order in which they
 * were made; shapes of inner values are not part of the comparison. */
#include <string.h>

#include "model.h"

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Floats are compared by their bits. */
static bool same_bytes(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

static bool same_tensor(const struct lr_tensor *a, const struct lr_tensor *b)
{
    int64_t n;

    if (!a || !b)
        return a == b;
    return a->dtype == b->dtype && lr_shape_equal(&a->shape, &b->shape) &&
           lr_shape_count(&n, &a->shape, NULL) == LR_OK &&
           same_bytes(a->data, b->data, (size_t)n * lr_dtype_size(a->dtype));
}

static bool same_attr(const struct lr_attr *a, const struct lr_attr *b)
{
    if (!same_text(a->name, b->name) || !same_text(a->doc, b->doc) || a->kind != b->kind)
        return false;
    switch (a->kind) {
    case LR_ATTR_INT:
        return a->i == b->i;
    case LR_ATTR_FLOAT:
        return same_bytes(&a->f, &b->f, sizeof(a->f));
    case LR_ATTR_INTS:
        return a->n == b->n && same_bytes(a->ints, b->ints, a->n * sizeof(*a->ints));
    case LR_ATTR_FLOATS:
        return a->n == b->n &&
               same_bytes(a->floats, b->floats, a->n * sizeof(*a->floats));
    case LR_ATTR_TENSOR:
        return same_tensor(a->tensor, b->tensor);
    case LR_ATTR_STRING:
    case LR_ATTR_OPAQUE:
        break;
    }
    return a->n == b->n && same_bytes(a->s, b->s, a->n);
}

static bool same_values(const struct lr_graph *a, const int *va, int na,
                        const struct lr_graph *b, const int *vb, int nb)
{
    if (na != nb)
        return false;
    for (int i = 0; i < na; i++)
        if ((va[i] < 0) != (vb[i] < 0) ||
            (va[i] >= 0 && strcmp(a->values[va[i]].name, b->values[vb[i]].name) != 0))
            return false;
    return true;
}

static enum lr_status compare_node(const struct lr_graph *a, const struct lr_graph *b,
                                   int k, struct lr_err *e)
{
    const struct lr_node *x = &a->nodes[k], *y = &b->nodes[k];

    if (!same_text(x->name, y->name) || !same_text(x->type, y->type) ||
        !same_text(x->domain, y->domain) || !same_text(x->doc, y->doc))
        return lr_err_set(e, LR_EIO, "node %.100s differs", x->name);
    if (!same_values(a, x->in, x->n_in, b, y->in, y->n_in) ||
        !same_values(a, x->out, x->n_out, b, y->out, y->n_out))
        return lr_err_set(e, LR_EIO, "node %.100s is connected differently", x->name);
    if (x->n_attrs != y->n_attrs)
        return lr_err_set(e, LR_EIO, "node %.100s has other attributes", x->name);
    for (int i = 0; i < x->n_attrs; i++)
        if (!same_attr(&x->attrs[i], &y->attrs[i]))
            return lr_err_set(e, LR_EIO, "attribute %.60s of node %.100s differs",
                              x->attrs[i].name, x->name);
    return LR_OK;
}

/* The constants of b, looked up by name. */
static enum lr_status compare_constants(const struct lr_graph *a,
                                        const struct lr_graph *b, struct lr_err *e)
{
    struct lr_names names = {0};
    enum lr_status st = LR_OK;
    int n_a = 0, n_b = 0;

    for (int v = 0; v < b->n_values && st == LR_OK; v++) {
        bool is_new;
        if (!b->values[v].tensor)
            continue;
        n_b++;
        if (!lr_names_put(&names, b->values[v].name, v, &is_new))
            st = lr_enomem(e, 64, "comparing networks");
    }
    for (int v = 0; v < a->n_values && st == LR_OK; v++) {
        const struct lr_value *x = &a->values[v];
        if (!x->tensor)
            continue;
        n_a++;
        const int *w = lr_names_get(&names, x->name);
        if (!w || !same_tensor(x->tensor, b->values[*w].tensor) ||
            !same_text(x->doc, b->values[*w].doc))
            st = lr_err_set(e, LR_EIO, "constant %.100s differs", x->name);
    }
    if (st == LR_OK && n_a != n_b)
        st = lr_err_set(e, LR_EIO, "%d constants instead of %d", n_b, n_a);
    lr_names_clear(&names);
    return st;
}

static bool same_props(const struct lr_prop *a, int na, const struct lr_prop *b, int nb)
{
    if (na != nb)
        return false;
    for (int i = 0; i < na; i++)
        if (!same_text(a[i].key, b[i].key) || !same_text(a[i].value, b[i].value))
            return false;
    return true;
}

static bool same_inputs(const struct lr_graph *a, const struct lr_graph *b)
{
    if (!same_values(a, a->inputs, a->n_inputs, b, b->inputs, b->n_inputs))
        return false;
    for (int i = 0; i < a->n_inputs; i++) {
        const struct lr_value *x = &a->values[a->inputs[i]],
                              *y = &b->values[b->inputs[i]];
        if (x->dtype != y->dtype || x->has_shape != y->has_shape ||
            (x->has_shape && !lr_shape_equal(&x->shape, &y->shape)) ||
            !same_text(x->doc, y->doc))
            return false;
    }
    return true;
}

static bool same_outputs(const struct lr_graph *a, const struct lr_graph *b)
{
    int n_a, n_b;
    const int *of_a = lr_graph_file_outputs(&n_a, a),
              *of_b = lr_graph_file_outputs(&n_b, b);

    return same_values(a, of_a, n_a, b, of_b, n_b);
}

enum lr_status lr_graph_same(const struct lr_graph *a, const struct lr_graph *b,
                             struct lr_err *e)
{
    enum lr_status st;

    if (a->ir_version != b->ir_version || a->model_version != b->model_version ||
        a->opset != b->opset || !same_text(a->name, b->name) ||
        !same_text(a->doc, b->doc) || !same_text(a->graph_doc, b->graph_doc) ||
        !same_text(a->domain, b->domain) ||
        !same_text(a->producer_name, b->producer_name) ||
        !same_text(a->producer_version, b->producer_version) ||
        !same_props(a->opsets, a->n_opsets, b->opsets, b->n_opsets) ||
        !same_props(a->props, a->n_props, b->props, b->n_props))
        return lr_err_set(e, LR_EIO, "the model's head differs");
    if (!same_inputs(a, b))
        return lr_err_set(e, LR_EIO, "the inputs differ");
    if (!same_outputs(a, b))
        return lr_err_set(e, LR_EIO, "the outputs differ");
    if (a->n_nodes != b->n_nodes)
        return lr_err_set(e, LR_EIO, "%d nodes instead of %d", b->n_nodes, a->n_nodes);
    st = compare_constants(a, b, e);
    for (int k = 0; k < a->n_nodes && st == LR_OK; k++)
        st = compare_node(a, b, k, e);
    return st;
}
