/* Networks that cannot be run to their end, detectors above all, whose last nodes choose
 * among boxes: what is computed before takes the place of the outputs, so that the rest
 * can be run and compared as any network. */
#include <string.h>

#include "kernel/kernel.h"
#include "model.h"
#include "ranklab/mem.h"

struct cut {
    const struct lr_graph *g;
    bool *is_lost;    /* values that cannot be computed */
    bool *is_learned; /* values that depend on a convolution or a product */
    bool *is_wanted, *is_listed;
    int *list, n;
};

const int *lr_graph_file_outputs(int *n, const struct lr_graph *g)
{
    *n = g->file_outputs ? g->n_file_outputs : g->n_outputs;
    return g->file_outputs ? g->file_outputs : g->outputs;
}

static bool is_any(const bool *mask, const int *list, int n)
{
    for (int i = 0; i < n; i++)
        if (list[i] >= 0 && mask[list[i]])
            return true;
    return false;
}

static bool has_weights(enum lr_op op)
{
    return op == LR_OP_CONV || op == LR_OP_CONV_TRANSPOSE || op == LR_OP_GEMM ||
           op == LR_OP_MAT_MUL;
}

static bool is_run(const struct cut *c, const struct lr_node *n)
{
    return !n->why_unsupported && !is_any(c->is_lost, n->in, n->n_in);
}

static void mark(struct cut *c)
{
    const struct lr_graph *g = c->g;

    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *n = &g->nodes[k];
        const bool is_learned =
            has_weights(n->op) || is_any(c->is_learned, n->in, n->n_in);
        const bool runs = is_run(c, n);
        for (int i = 0; i < n->n_out; i++) {
            if (n->out[i] < 0)
                continue;
            c->is_learned[n->out[i]] = is_learned;
            c->is_lost[n->out[i]] = !runs || !g->values[n->out[i]].has_shape;
        }
    }
}

/* Whether v can be asked for: computed, with the images in its first dimension. */
static bool is_computed(const struct cut *c, int v)
{
    const struct lr_value *x = &c->g->values[v];

    return !c->is_lost[v] && !x->tensor && x->producer >= 0 && x->has_shape &&
           (c->g->is_batch_fixed || (x->shape.n_dims > 0 && x->shape.dims[0] == -1));
}

/* Whether the result holds numbers of the first input as they are. */
static bool is_moved(enum lr_op op)
{
    return op == LR_OP_SLICE || op == LR_OP_GATHER || op == LR_OP_GATHER_ELEMENTS ||
           op == LR_OP_GATHER_ND || op == LR_OP_TOP_K || op == LR_OP_SPLIT ||
           op == LR_OP_SQUEEZE || op == LR_OP_UNSQUEEZE || op == LR_OP_RESHAPE ||
           op == LR_OP_FLATTEN || op == LR_OP_TRANSPOSE || op == LR_OP_IDENTITY;
}

/* How many of n's inputs, from the first on, say more than its output v: what is moved
 * about, of which other nodes may read other parts, and what a decision (a mask, an
 * index) was made from. */
static int count_better(const struct cut *c, const struct lr_node *n, int v)
{
    if (!lr_kernel_is_float(c->g->values[v].dtype) || !is_computed(c, v))
        return n->n_in;
    return is_moved(n->op) && n->n_in > 0 && n->in[0] >= 0 && c->is_learned[n->in[0]] &&
           is_computed(c, n->in[0]);
}

/* Marks what the nodes that are not run read, and takes it back to where it was made. */
static void mark_wanted(struct cut *c)
{
    const struct lr_graph *g = c->g;

    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *n = &g->nodes[k];
        const int n_read = is_run(c, n) ? 0 : n->n_in;
        for (int i = 0; i < n_read; i++)
            if (n->in[i] >= 0 && c->is_learned[n->in[i]] && !c->is_lost[n->in[i]])
                c->is_wanted[n->in[i]] = true;
    }
    for (int k = g->n_nodes - 1; k >= 0; k--)
        for (int j = 0; j < g->nodes[k].n_out; j++) {
            const struct lr_node *n = &g->nodes[k];
            const int v = n->out[j];
            const int better = v >= 0 && c->is_wanted[v] ? count_better(c, n, v) : 0;
            for (int i = 0; i < better; i++)
                if (n->in[i] >= 0 && c->is_learned[n->in[i]])
                    c->is_wanted[n->in[i]] = true;
            if (better > 0)
                c->is_wanted[v] = false;
        }
}

static void add(struct cut *c, int v)
{
    if (!c->is_listed[v])
        c->list[c->n++] = v;
    c->is_listed[v] = true;
}

static void list(struct cut *c)
{
    const struct lr_graph *g = c->g;

    for (int i = 0; i < g->n_outputs; i++)
        if (is_computed(c, g->outputs[i]))
            add(c, g->outputs[i]);
    for (int k = 0; k < g->n_nodes; k++)
        for (int j = 0; j < g->nodes[k].n_out; j++) {
            const int v = g->nodes[k].out[j];
            if (v >= 0 && c->is_wanted[v])
                add(c, v);
        }
}

static bool has_learned(const struct cut *c)
{
    return is_any(c->is_learned, c->list, c->n);
}

enum lr_status lr_graph_cut(struct lr_graph *g, struct lr_err *e)
{
    const size_t n = (size_t)g->n_values;
    char buf[256];
    struct cut c = {.g = g};
    enum lr_status st = LR_OK;

    if (g->file_outputs || !lr_graph_blocker(g, buf, sizeof(buf)))
        return LR_OK;
    c.is_lost = lr_calloc(n, sizeof(bool));
    c.is_learned = lr_calloc(n, sizeof(bool));
    c.is_wanted = lr_calloc(n, sizeof(bool));
    c.is_listed = lr_calloc(n, sizeof(bool));
    c.list = lr_calloc(n, sizeof(*c.list));
    if (!c.is_lost || !c.is_learned || !c.is_wanted || !c.is_listed || !c.list) {
        st = lr_enomem(e, n * sizeof(*c.list), "a set of values");
        goto out;
    }
    mark(&c);
    mark_wanted(&c);
    list(&c);
    if (has_learned(&c)) {
        g->file_outputs = g->outputs;
        g->n_file_outputs = g->n_outputs;
        g->outputs = c.list;
        g->n_outputs = c.n;
        c.list = NULL;
        for (int i = 0; i < g->n_outputs; i++)
            g->values[g->outputs[i]].is_output = true;
    }
out:
    lr_free(c.is_lost);
    lr_free(c.is_learned);
    lr_free(c.is_wanted);
    lr_free(c.is_listed);
    lr_free(c.list);
    return st;
}
