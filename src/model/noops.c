/* Removing nodes that hand their input on unchanged. Readers are moved to the value
 * before them; where such a node writes an output of the network, the node before it
 * writes that output instead, so that the network's outputs keep their names. */
#include "model.h"

static bool is_same_type_cast(const struct lr_graph *g, const struct lr_node *n)
{
    return n->op == LR_OP_CAST && n->n_in > 0 && n->in[0] >= 0 &&
           lr_node_int(n, "to", 0) == (int64_t)g->values[n->in[0]].dtype &&
           g->values[n->in[0]].dtype != LR_DT_NONE;
}

/* The one element of a constant input. */
static bool has_number(const struct lr_graph *g, const struct lr_node *n, int i, float *x)
{
    const struct lr_tensor *t =
        i < n->n_in && n->in[i] >= 0 ? g->values[n->in[i]].tensor : NULL;
    struct lr_tensor *f = NULL;
    int64_t count;

    if (!t || lr_shape_count(&count, &t->shape, NULL) != LR_OK || count != 1 ||
        lr_tensor_to_f32(&f, t, NULL) != LR_OK)
        return false;
    *x = *(const float *)f->data;
    lr_tensor_free(f);
    return true;
}

bool lr_dropout_keeps_all(const struct lr_graph *g, const struct lr_node *n)
{
    float x;

    if (n->n_in < 3 || n->in[2] < 0)
        return true;
    return (has_number(g, n, 2, &x) && x == 0) || (has_number(g, n, 1, &x) && x == 0);
}

/* Does the node hand its first input on unchanged? */
static bool is_noop(const struct lr_graph *g, const struct lr_node *n, const int *uses)
{
    if (n->n_in < 1 || n->in[0] < 0 || n->n_out < 1 || n->out[0] < 0)
        return false;
    if (n->op == LR_OP_IDENTITY || is_same_type_cast(g, n))
        return true;
    if (n->op != LR_OP_DROPOUT)
        return false;
    if (n->n_out > 1 && n->out[1] >= 0 &&
        (uses[n->out[1]] || g->values[n->out[1]].is_output))
        return false;
    return lr_dropout_keeps_all(g, n);
}

/* Lets the producer of x write y, an output of the network, in its place. */
static bool take_over(struct lr_graph *g, int x, int y)
{
    struct lr_value *vx = &g->values[x], *vy = &g->values[y];

    if (vx->producer < 0 || vx->is_output || vx->is_input || vx->tensor)
        return false;
    struct lr_node *p = &g->nodes[vx->producer];
    for (int i = 0; i < p->n_out; i++)
        if (p->out[i] == x)
            p->out[i] = y;
    vy->producer = vx->producer;
    vx->producer = -1;
    return true;
}

enum lr_status lr_graph_drop_noops(struct lr_graph *g, struct lr_err *e)
{
    bool *is_dead = lr_calloc((size_t)g->n_nodes, sizeof(*is_dead));
    bool *is_touched = lr_calloc((size_t)g->n_values, sizeof(*is_touched));
    int *alias = lr_alloc((size_t)g->n_values, sizeof(*alias)), *uses = NULL;
    enum lr_status st = lr_graph_count_uses(&uses, g, e);

    if (!is_dead || !is_touched || !alias)
        st = lr_enomem(e, (size_t)g->n_values * sizeof(*alias), "the network");
    if (st != LR_OK)
        goto out;
    for (int v = 0; v < g->n_values; v++)
        alias[v] = v;
    for (int k = 0; k < g->n_nodes; k++) {
        struct lr_node *n = &g->nodes[k];
        for (int i = 0; i < n->n_in; i++)
            if (n->in[i] >= 0)
                n->in[i] = alias[n->in[i]];
        if (!is_noop(g, n, uses))
            continue;
        int x = n->in[0], y = n->out[0];
        if (!g->values[y].is_output) {
            alias[y] = x;
        } else if (take_over(g, x, y)) {
            alias[x] = y;
        } else {
            continue;
        }
        is_dead[k] = true;
        for (int i = 1; i < n->n_in; i++)
            if (n->in[i] >= 0)
                is_touched[n->in[i]] = true;
    }
    lr_graph_compact(g, is_dead);
    /* Some still read what an output's Identity was taken over from. */
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_in; i++)
            if (g->nodes[k].in[i] >= 0)
                g->nodes[k].in[i] = alias[g->nodes[k].in[i]];
    st = lr_graph_sweep(g, is_touched, g->n_values, e);
out:
    lr_free(uses);
    lr_free(is_touched);
    lr_free(alias);
    lr_free(is_dead);
    return st;
}
