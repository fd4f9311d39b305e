/* From a layer to the value it is known by: the normalisations, additions and
 * multiplications by constants that lr_graph_fold_bn folds into a layer, and the nodes
 * without effect between them. All of them map each channel by y = k x + shift, so what
 * was folded can be taken out again. */
#include <string.h>

#include "model.h"

/* The constant of an Add or Mul and its other operand *x; NULL when it has none. */
static const struct lr_tensor *operand(const struct lr_graph *g, const struct lr_node *n,
                                       int *x)
{
    if ((n->op != LR_OP_ADD && n->op != LR_OP_MUL) || n->n_in != 2 || n->in[0] < 0 ||
        n->in[1] < 0)
        return NULL;
    int c = g->values[n->in[0]].tensor ? 0 : 1;
    *x = n->in[1 - c];
    return g->values[n->in[c]].tensor;
}

/* The value that node n of such a way reads, or -1. */
static int step_back(bool *is_idle, const struct lr_graph *g, const struct lr_node *n)
{
    int x = n->n_in > 0 ? n->in[0] : -1;

    *is_idle = n->op == LR_OP_IDENTITY || n->op == LR_OP_DROPOUT || n->op == LR_OP_CAST;
    if (*is_idle || n->op == LR_OP_BATCH_NORMALIZATION)
        return x;
    return operand(g, n, &x) ? x : -1;
}

enum lr_status lr_chain_find(struct lr_chain *c, const struct lr_graph *g, int node,
                             int value, struct lr_err *e)
{
    struct lr_chain back = {.values = {value}};
    int v = value;

    for (; v >= 0 && g->values[v].producer != node; back.n++) {
        int k = g->values[v].producer;
        if (k < 0 || back.n == LR_MAX_CHAIN)
            break;
        v = step_back(&back.is_idle[back.n], g, &g->nodes[k]);
        back.nodes[back.n] = k;
        back.values[back.n + 1] = v;
    }
    if (v < 0 || g->values[v].producer != node)
        return lr_err_set(e, LR_EUNSUP, "%.100s: no way leads from it to %.100s",
                          g->nodes[node].name, g->values[value].name);
    c->n = back.n;
    for (int i = 0; i <= back.n; i++) {
        c->values[i] = back.values[back.n - i];
        if (i == back.n)
            break;
        c->nodes[i] = back.nodes[back.n - 1 - i];
        c->is_idle[i] = back.is_idle[back.n - 1 - i];
    }
    return LR_OK;
}

static enum lr_status node_affine(double **k, double **shift, const struct lr_graph *g,
                                  const struct lr_node *n, int d, struct lr_err *e)
{
    bool is_ok = true;
    int64_t count = 0;
    int x;
    enum lr_status st;

    if (n->op == LR_OP_BATCH_NORMALIZATION) {
        st = lr_bn_affine(k, shift, g, n, d, &is_ok, e);
    } else {
        const struct lr_tensor *t = operand(g, n, &x);
        is_ok = t && t->dtype == LR_DT_F32 &&
                lr_shape_count(&count, &t->shape, NULL) == LR_OK &&
                (count == 1 || count == d);
        st = is_ok ? lr_constant_affine(k, shift, n, t, d, e) : LR_OK;
    }
    if (st == LR_OK && !is_ok)
        st = lr_err_set(e, LR_EUNSUP, "%.100s: its parameters are not %d constants",
                        n->name, d);
    return st;
}

enum lr_status lr_chain_affine(double *k, double *shift, const struct lr_chain *c,
                               const struct lr_graph *g, int from, int d,
                               struct lr_err *e)
{
    enum lr_status st = LR_OK;

    for (int i = 0; i < d; i++) {
        k[i] = 1;
        shift[i] = 0;
    }
    for (int i = from; i < c->n && st == LR_OK; i++) {
        double *a = NULL, *b = NULL;
        if (c->is_idle[i])
            continue;
        st = node_affine(&a, &b, g, &g->nodes[c->nodes[i]], d, e);
        for (int j = 0; st == LR_OK && j < d; j++) {
            k[j] *= a[j];
            shift[j] = a[j] * shift[j] + b[j];
        }
        lr_free(a);
        lr_free(b);
    }
    return st;
}
