/* Constants: Constant nodes become values, what shape inference could compute is moved
 * into the graph, and nodes that nobody reads any more are removed. A Reshape whose
 * target was computed from the batch, or names the file's fixed batch, gets a constant
 * target with a 0 in front, which copies the batch whatever it is. */
#include <math.h>
#include <string.h>

#include "model.h"

enum lr_status lr_ints_tensor(struct lr_tensor **out, int n_dims, const int64_t *v, int n,
                              struct lr_err *e)
{
    struct lr_shape s = {.n_dims = n_dims, .dims = {n}};
    enum lr_status st = lr_tensor_new(out, LR_DT_I64, &s, e);

    if (st == LR_OK && n > 0)
        memcpy((*out)->data, v, (size_t)n * sizeof(*v));
    return st;
}

static enum lr_status floats_tensor(struct lr_tensor **out, int n_dims, const float *v,
                                    size_t n, struct lr_err *e)
{
    struct lr_shape s = {.n_dims = n_dims, .dims = {(int64_t)n}};
    enum lr_status st = lr_tensor_new(out, LR_DT_F32, &s, e);

    if (st == LR_OK && n > 0)
        memcpy((*out)->data, v, n * sizeof(*v));
    return st;
}

/* The tensor a Constant node stands for; *out NULL when its kind is not supported. */
static enum lr_status constant_of(struct lr_tensor **out, struct lr_node *n,
                                  struct lr_err *e)
{
    *out = NULL;
    if (n->n_attrs != 1)
        return LR_OK;
    struct lr_attr *a = &n->attrs[0];
    if (strcmp(a->name, "value") == 0 && a->kind == LR_ATTR_TENSOR) {
        *out = a->tensor;
        a->tensor = NULL;
        return LR_OK;
    }
    if (strcmp(a->name, "value_int") == 0 && a->kind == LR_ATTR_INT)
        return lr_ints_tensor(out, 0, &a->i, 1, e);
    if (strcmp(a->name, "value_float") == 0 && a->kind == LR_ATTR_FLOAT)
        return floats_tensor(out, 0, &a->f, 1, e);
    if (strcmp(a->name, "value_ints") == 0 && a->kind == LR_ATTR_INTS && a->n < INT32_MAX)
        return lr_ints_tensor(out, 1, a->ints, (int)a->n, e);
    if (strcmp(a->name, "value_floats") == 0 && a->kind == LR_ATTR_FLOATS)
        return floats_tensor(out, 1, a->floats, a->n, e);
    return LR_OK;
}

enum lr_status lr_graph_absorb_constants(struct lr_graph *g, struct lr_err *e)
{
    bool *is_dead = lr_calloc((size_t)g->n_nodes, sizeof(*is_dead));
    bool is_any = false;
    enum lr_status st = LR_OK;

    if (!is_dead)
        return lr_enomem(e, (size_t)g->n_nodes, "the network");
    for (int k = 0; k < g->n_nodes && st == LR_OK; k++) {
        struct lr_node *n = &g->nodes[k];
        struct lr_tensor *t = NULL;
        if (n->op != LR_OP_CONSTANT || n->n_out != 1 || n->out[0] < 0)
            continue;
        st = constant_of(&t, n, e);
        if (st != LR_OK || !t)
            continue;
        struct lr_value *v = &g->values[n->out[0]];
        lr_tensor_free(v->tensor);
        v->tensor = t;
        v->dtype = t->dtype;
        v->shape = t->shape;
        v->has_shape = true;
        is_dead[k] = is_any = true;
    }
    if (is_any)
        lr_graph_compact(g, is_dead);
    lr_free(is_dead);
    return st;
}

/* A constant NAME_suffix; t is taken over. */
static enum lr_status add_constant(struct lr_graph *g, struct lr_names *names, int *v,
                                   const char *base, const char *suffix,
                                   struct lr_tensor *t, struct lr_err *e)
{
    struct lr_strbuf b = {0};
    char *name = NULL;
    bool is_new;

    lr_strbuf_printf(&b, "%s_%s", base, suffix);
    enum lr_status st = b.is_failed ? lr_enomem(e, strlen(base), "a name") : LR_OK;
    if (st == LR_OK && !names->root)
        st = lr_graph_value_names(names, g, e);
    if (st == LR_OK)
        st = lr_unique_name_in(&name, names, b.s, e);
    lr_strbuf_free(&b);
    if (st != LR_OK) {
        lr_tensor_free(t);
        return st;
    }
    st = lr_graph_add_value(g, v, name, t, e);
    if (st == LR_OK && !lr_names_put(names, g->values[*v].name, *v, &is_new))
        st = lr_enomem(e, 64, "names");
    lr_free(name);
    return st;
}

/* The scales by which a Resize makes data of shape in into sizes; the batch keeps 1. */
static enum lr_status scales_of(struct lr_tensor **out, const struct lr_shape *in,
                                const struct lr_ints *t, struct lr_err *e)
{
    float scale[LR_MAX_DIMS];

    for (int i = 0; i < t->n; i++) {
        if (t->v[i].k < 1 || in->dims[i] < 1) {
            scale[i] = 1;
            continue;
        }
        scale[i] = (float)((double)t->v[i].k / (double)in->dims[i]);
        /* rounded down it would give one position less */
        if (floorf((float)in->dims[i] * scale[i]) < (float)t->v[i].k)
            scale[i] = nextafterf(scale[i], INFINITY);
    }
    return floats_tensor(out, 1, scale, (size_t)t->n, e);
}

/* Gives the node at k the constant target found for it: a Reshape or Expand its shape, a
 * Resize scales in place of sizes. */
static enum lr_status set_target(struct lr_graph *g, struct lr_names *names, int k,
                                 const struct lr_ints *t, struct lr_err *e)
{
    int64_t sizes[LR_MAX_DIMS];
    struct lr_tensor *x = NULL;
    const bool is_resize = g->nodes[k].op == LR_OP_RESIZE;
    enum lr_status st;
    int v;

    for (int i = 0; i < t->n; i++)
        sizes[i] = t->v[i].k;
    st = is_resize ? scales_of(&x, &g->values[g->nodes[k].in[0]].shape, t, e)
                   : lr_ints_tensor(&x, 1, sizes, t->n, e);
    if (st == LR_OK)
        st = add_constant(g, names, &v, g->nodes[k].name, is_resize ? "scales" : "shape",
                          x, e);
    if (st != LR_OK)
        return st;
    struct lr_node *n = &g->nodes[k];
    n->in[is_resize ? 2 : 1] = v;
    if (is_resize) {
        n->n_in = 3;
        n->has_sizes = true;
    }
    return LR_OK;
}

/* What was known of v as a vector of sizes: it is a value of the run from here on. */
static void forget(struct lr_infer *c, int v)
{
    if (c->known[v])
        lr_free(c->known[v]->v);
    lr_free(c->known[v]);
    c->known[v] = NULL;
}

/* An output of the network that is constant: its node becomes an Identity of a constant,
 * unless it has other outputs; then it stays, and is run. */
static enum lr_status keep_output(struct lr_infer *c, struct lr_names *names, int k,
                                  int v, struct lr_err *e)
{
    struct lr_node *n = &c->g->nodes[k];
    struct lr_tensor *t = c->g->values[v].tensor;
    int from;

    c->g->values[v].tensor = NULL;
    c->is_folded[v] = false;
    forget(c, v);
    if (n->op == LR_OP_IDENTITY || n->n_out != 1 || n->n_in < 1) {
        lr_tensor_free(t);
        return LR_OK;
    }
    enum lr_status st = add_constant(c->g, names, &from, n->name, "value", t, e);
    n = &c->g->nodes[k];
    if (st == LR_OK)
        st = lr_string_set(&n->type, "Identity", e);
    if (st != LR_OK)
        return st;
    n->op = LR_OP_IDENTITY;
    for (int i = 0; i < n->n_attrs; i++)
        lr_attr_clear(&n->attrs[i]);
    n->n_attrs = 0;
    n->in[0] = from;
    n->n_in = 1;
    return LR_OK;
}

static enum lr_status keep_outputs(struct lr_infer *c, struct lr_names *names,
                                   bool *is_touched, struct lr_err *e)
{
    enum lr_status st = LR_OK;

    for (int k = 0; k < c->n_nodes && st == LR_OK; k++)
        for (int i = 0; i < c->g->nodes[k].n_out && st == LR_OK; i++) {
            int v = c->g->nodes[k].out[i];
            if (v < 0 || !c->is_folded[v] || !c->g->values[v].is_output)
                continue;
            for (int j = 0; j < c->g->nodes[k].n_in; j++)
                if (c->g->nodes[k].in[j] >= 0)
                    is_touched[c->g->nodes[k].in[j]] = true;
            st = keep_output(c, names, k, v, e);
        }
    return st;
}

/* Has the pass computed all that the node gives? */
static bool is_all_folded(const struct lr_infer *c, const struct lr_node *n)
{
    bool is_any = false;

    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] < 0)
            continue;
        if (!c->is_folded[n->out[i]])
            return false;
        is_any = true;
    }
    return is_any;
}

enum lr_status lr_infer_commit(struct lr_infer *c, struct lr_err *e)
{
    struct lr_graph *g = c->g;
    bool *is_dead = lr_calloc((size_t)g->n_nodes, sizeof(*is_dead));
    bool *is_touched = lr_calloc((size_t)c->n_values, sizeof(*is_touched));
    int *uses = NULL;
    struct lr_names names = {0};
    /* Attributes that were not interpreted may hold graphs that read values by name. */
    bool has_hidden = lr_graph_has_hidden(g);
    enum lr_status st = is_dead && is_touched
                            ? keep_outputs(c, &names, is_touched, e)
                            : lr_enomem(e, (size_t)g->n_nodes, "shape inference");

    for (int k = 0; k < g->n_nodes && st == LR_OK; k++) {
        if (!c->targets[k])
            continue;
        for (int i = 1; i < g->nodes[k].n_in; i++)
            if (g->nodes[k].in[i] >= 0 && g->nodes[k].in[i] < c->n_values)
                is_touched[g->nodes[k].in[i]] = true;
        st = set_target(g, &names, k, c->targets[k], e);
    }
    if (st == LR_OK)
        st = lr_graph_count_uses(&uses, g, e);
    for (int k = g->n_nodes - 1; k >= 0 && st == LR_OK; k--) {
        c->node = &g->nodes[k];
        int v = c->node->n_out > 0 ? c->node->out[0] : -1;
        const bool is_folded = is_all_folded(c, c->node);
        if (v < 0 ||
            (!is_folded && !(v < c->n_values && c->known[v] && !g->values[v].tensor)))
            continue;
        if (!is_folded && has_hidden)
            continue;
        if (!is_folded && (uses[v] > 0 || g->values[v].is_output)) {
            st = lr_infer_why(c, e, "computes with the size of the batch");
            continue;
        }
        is_dead[k] = true;
        for (int i = 0; i < c->node->n_in; i++) {
            if (c->node->in[i] < 0)
                continue;
            uses[c->node->in[i]]--;
            if (c->node->in[i] < c->n_values)
                is_touched[c->node->in[i]] = true;
        }
    }
    if (st == LR_OK) {
        lr_graph_compact(g, is_dead);
        for (int v = 0; v < c->n_values; v++)
            is_touched[v] = is_touched[v] || c->is_folded[v];
        st = lr_graph_sweep(g, is_touched, c->n_values, e);
    }
    lr_names_clear(&names);
    lr_free(uses);
    lr_free(is_touched);
    lr_free(is_dead);
    return st;
}
