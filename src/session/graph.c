/* Reading the network around a layer: what it depends on, where a run can be resumed; and
 * the network with some of its layers split. All questions are put to the
 * original: a split keeps the value a layer is named by, so the answers hold for every
 * approximation of it. */
#include "session/internal.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"

int session_targets(int values[2], const struct lr_layer *l)
{
    values[0] = l->value;
    values[1] = l->other_value;
    return l->sum_value >= 0 && l->other_value >= 0 ? 2 : 1;
}

enum lr_status session_upstream(bool **mask, const struct lr_session *s,
                                const int *values, int n, struct lr_err *e)
{
    return session_upstream_in(mask, s->graph, values, n, e);
}

enum lr_status session_upstream_in(bool **mask, const struct lr_graph *g,
                                   const int *values, int n, struct lr_err *e)
{
    bool *m = lr_calloc((size_t)g->n_values + 1, sizeof(*m));

    *mask = NULL;
    if (!m)
        return lr_enomem(e, (size_t)g->n_values, "a set of values");
    for (int i = 0; i < n; i++)
        m[values[i]] = true;
    for (int k = g->n_nodes - 1; k >= 0; k--) {
        const struct lr_node *node = &g->nodes[k];
        bool is_needed = false;
        for (int i = 0; i < node->n_out; i++)
            is_needed = is_needed || (node->out[i] >= 0 && m[node->out[i]]);
        for (int i = 0; is_needed && i < node->n_in; i++)
            if (node->in[i] >= 0)
                m[node->in[i]] = true;
    }
    *mask = m;
    return LR_OK;
}

static bool is_input_dependent(const struct lr_factors *f)
{
    return f && f->mode && strcmp(f->mode, lr_mode_name(LR_MODE_SYM)) != 0;
}

enum lr_status session_mark_stale(const struct lr_session *s, struct lr_layer_plan *plan,
                                  const bool *changed, const bool *exempt,
                                  struct lr_err *e)
{
    for (int y = 1; y < s->n_layers; y++) {
        int values[2], n = session_targets(values, &s->layers[y]);
        bool *mask = NULL;
        if (!is_input_dependent(plan[y].factors) || plan[y].is_stale ||
            (exempt && exempt[y]))
            continue;
        enum lr_status rc = session_upstream(&mask, s, values, n, e);
        if (rc != LR_OK)
            return rc;
        /* Of two convolutions that meet in an addition only the later was fitted to the
         * other's state, so only layers before y count. */
        for (int x = 0; x < y; x++)
            if (changed[x] && mask[s->layers[x].value])
                plan[y].is_stale = true;
        lr_free(mask);
    }
    return LR_OK;
}

void session_describe(char *doc, size_t size, const struct lr_factors *f,
                      const struct lr_layer *l)
{
    const char *name = lr_method_info(f->method)->name;
    char ranks[96], error[48] = "";

    if (f->rank_spatial == 0)
        snprintf(ranks, sizeof(ranks), "rank %d of %d", f->rank, l->d);
    else if (lr_method_info(f->method)->split == LR_SPLIT_SPATIAL)
        snprintf(ranks, sizeof(ranks), "spatial rank %d of %d", f->rank_spatial,
                 lr_spatial_full(l));
    else
        snprintf(ranks, sizeof(ranks), "rank %d of %d, spatial rank %d of %d%s", f->rank,
                 l->d, f->rank_spatial, lr_spatial_full(l),
                 f->is_merged ? ", merged" : "");
    if (isfinite(f->error_heldout))
        snprintf(error, sizeof(error), ", held-out error %.4g", f->error_heldout);
    snprintf(doc, size, "ranklab %s: %s, %s%s", PACKAGE_VERSION, name, ranks, error);
}

enum lr_status session_split(struct lr_graph **out, const struct lr_session *s,
                             const struct lr_layer_plan *plan, const bool *use,
                             struct lr_err *e)
{
    struct lr_graph *g = NULL;
    enum lr_status rc = lr_graph_clone(&g, s->graph, e);

    *out = NULL;
    for (int i = 0; rc == LR_OK && i < s->n_layers; i++) {
        const struct lr_factors *f = plan[i].factors;
        char doc[256];
        if (!use[i] || !f)
            continue;
        session_describe(doc, sizeof(doc), f, &s->layers[i]);
        rc = lr_graph_split_layer(g, s->layers[i].value, f->n_parts, f->parts, doc, e);
    }
    if (rc != LR_OK) {
        lr_graph_free(g);
        return rc;
    }
    *out = g;
    return LR_OK;
}

enum lr_status session_branch(int *v, struct lr_graph *g, const struct lr_session *s,
                              int layer, const struct lr_spatial *spatial,
                              struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[layer];
    struct lr_tensor *w = NULL, *bias = NULL;
    struct lr_conv_part parts[2];
    enum lr_status rc = lr_layer_weights(&w, &bias, s->graph, l, e);

    if (rc != LR_OK)
        return rc;
    lr_spatial_parts(parts, l, spatial, bias ? bias->data : NULL);
    rc = lr_graph_branch_layer(g, v, l->value, 2, parts, e);
    lr_tensor_free(w);
    lr_tensor_free(bias);
    return rc;
}

int64_t session_value_count(const struct lr_graph *g, int v)
{
    const struct lr_value *x = &g->values[v];
    struct lr_shape shape = x->shape;
    int64_t count = 0;

    if (x->producer < 0 || !x->has_shape || x->dtype != LR_DT_F32 || shape.n_dims < 2 ||
        shape.dims[0] != -1)
        return 0;
    shape.dims[0] = 1;
    return lr_shape_count(&count, &shape, NULL) == LR_OK ? count : 0;
}

/* Goes through the nodes the targets depend on, in order, with the set of values that
 * were computed and are still to be read. Where that set is a single value, everything
 * later depends on the images through it alone. */
enum lr_status session_cuts(int *cuts, int *n_cuts, const struct lr_graph *g,
                            const int *targets, int n, int end, struct lr_err *e)
{
    int64_t *uses = NULL, n_live = 0, sum_live = 0;
    bool *mask = NULL;
    enum lr_status rc = session_upstream_in(&mask, g, targets, n, e);

    *n_cuts = 0;
    if (rc != LR_OK)
        return rc;
    uses = lr_calloc((size_t)g->n_values + 1, sizeof(*uses));
    if (!uses) {
        rc = lr_enomem(e, (size_t)g->n_values * sizeof(*uses), "a set of values");
        goto out;
    }
    for (int i = 0; i < n; i++)
        uses[targets[i]]++;
    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *node = &g->nodes[k];
        bool is_needed = false;
        for (int i = 0; i < node->n_out; i++)
            is_needed = is_needed || (node->out[i] >= 0 && mask[node->out[i]]);
        for (int i = 0; is_needed && i < node->n_in; i++)
            if (node->in[i] >= 0)
                uses[node->in[i]]++;
    }
    for (int i = 0; i < g->n_inputs; i++)
        if (uses[g->inputs[i]] > 0) {
            n_live++;
            sum_live += g->inputs[i];
        }
    for (int k = 0; k < end; k++) {
        const struct lr_node *node = &g->nodes[k];
        bool is_needed = false;
        for (int i = 0; i < node->n_out; i++) {
            int v = node->out[i];
            if (v < 0 || !mask[v])
                continue;
            is_needed = true;
            if (uses[v] > 0 && !g->values[v].tensor) {
                n_live++;
                sum_live += v;
            }
        }
        for (int i = 0; is_needed && i < node->n_in; i++) {
            int v = node->in[i];
            if (v < 0 || g->values[v].tensor || --uses[v] > 0)
                continue;
            n_live--;
            sum_live -= v;
        }
        if (is_needed && n_live == 1 && session_value_count(g, (int)sum_live) > 0 &&
            (*n_cuts == 0 || cuts[*n_cuts - 1] != sum_live))
            cuts[(*n_cuts)++] = (int)sum_live;
    }
out:
    lr_free(uses);
    lr_free(mask);
    return rc;
}
