/* Topological order of a graph's nodes, by Kahn's algorithm. A file that is sorted
 * already, as ONNX demands, keeps its order. */
#include <string.h>

#include "model.h"

static bool is_sorted(const struct lr_graph *g)
{
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_in; i++)
            if (g->nodes[k].in[i] >= 0 && g->values[g->nodes[k].in[i]].producer >= k)
                return false;
    return true;
}

/* Kahn's algorithm; waiting[k] counts the inputs of node k that are still to be computed
 * and the readers of a value are found through lists threaded by input. */
enum lr_status lr_graph_sort(struct lr_graph *g, struct lr_err *e)
{
    size_t n_edges = 0, at = 0;
    int n = g->n_nodes, head = 0, tail = 0;

    if (is_sorted(g))
        return LR_OK;
    for (int k = 0; k < n; k++)
        n_edges += (size_t)g->nodes[k].n_in;
    int *waiting = lr_calloc((size_t)n, sizeof(int)),
        *order = lr_calloc((size_t)n, sizeof(int));
    int *first = lr_alloc((size_t)n, sizeof(int));
    int *next = lr_alloc(n_edges, sizeof(int)), *who = lr_alloc(n_edges, sizeof(int));
    struct lr_node *sorted = lr_calloc((size_t)n, sizeof(*sorted));
    enum lr_status st = LR_OK;
    if (!waiting || !order || !first || !next || !who || !sorted || n_edges > INT32_MAX) {
        st = lr_enomem(e, n_edges * sizeof(int), "sorting the nodes");
        goto out;
    }
    for (int k = 0; k < n; k++)
        first[k] = -1;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < g->nodes[k].n_in; i++) {
            int v = g->nodes[k].in[i], p = v >= 0 ? g->values[v].producer : -1;
            if (p < 0)
                continue;
            who[at] = k;
            next[at] = first[p];
            first[p] = (int)at++;
            waiting[k]++;
        }
    for (int k = 0; k < n; k++)
        if (waiting[k] == 0)
            order[tail++] = k;
    while (head < tail)
        for (int i = first[order[head++]]; i >= 0; i = next[i])
            if (--waiting[who[i]] == 0)
                order[tail++] = who[i];
    for (int k = 0; k < n && tail < n; k++)
        if (waiting[k] > 0) {
            st = lr_err_set(e, LR_EPARSE, "%.100s: depends on its own output",
                            g->nodes[k].name);
            goto out;
        }
    for (int k = 0; k < n; k++)
        sorted[k] = g->nodes[order[k]];
    memcpy(g->nodes, sorted, (size_t)n * sizeof(*sorted));
    lr_graph_index(g);
out:
    lr_free(waiting);
    lr_free(order);
    lr_free(first);
    lr_free(next);
    lr_free(who);
    lr_free(sorted);
    return st;
}
