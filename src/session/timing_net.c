/* Networks to be timed. A layer that has ranks but no factors yet gets filters of the
 * right shapes: the first filters of the layer itself, passed on as they are. Dense
 * kernels take the same time for any values, as long as these are neither subnormal nor
 * grow beyond all bounds from layer to layer. */
#include <math.h>
#include <string.h>

#include "ranklab/mem.h"
#include "session/internal.h"
#include "session/timing.h"

void timing_net_free(struct timing_net *n)
{
    lr_graph_free(n->g);
    lr_free(n->owner);
    *n = (struct timing_net){0};
}

/* ---- filters that stand in ---- */

/* M picks the first channels of every group. */
static enum lr_status stand_in_channels(struct lr_lowrank *m, const struct lr_layer *l,
                                        int rank, struct lr_err *e)
{
    size_t d = (size_t)l->d, n = (size_t)rank, groups = (size_t)l->group;

    *m = (struct lr_lowrank){.d = l->d, .rank = rank};
    m->p = lr_calloc(d * n, sizeof(double));
    m->q = lr_calloc(d * n, sizeof(double));
    m->b = lr_calloc(d, sizeof(double));
    if (!m->p || !m->q || !m->b) {
        lr_lowrank_free(m);
        return lr_enomem(e, 2 * d * n * sizeof(double), "filters");
    }
    for (size_t g = 0; g < groups; g++)
        for (size_t k = 0; k < n / groups; k++) {
            size_t at = (g * (d / groups) + k) * n + g * (n / groups) + k;
            m->p[at] = m->q[at] = 1;
        }
    return LR_OK;
}

static enum lr_status stand_in_spatial(struct lr_spatial *sp, const struct lr_layer *l,
                                       int rank, struct lr_err *e)
{
    size_t each = (size_t)(l->c / l->group) * (size_t)l->kh, n_v = (size_t)rank * each;
    size_t wide = (size_t)(rank / l->group) * (size_t)l->kw, n_h = (size_t)l->d * wide;

    *sp = (struct lr_spatial){.rank = rank};
    sp->v = lr_alloc(n_v, sizeof(float));
    sp->h = lr_alloc(n_h, sizeof(float));
    if (!sp->v || !sp->h) {
        lr_spatial_free(sp);
        return lr_enomem(e, (n_v + n_h) * sizeof(float), "filters");
    }
    for (size_t i = 0; i < n_v; i++)
        sp->v[i] = 1.0F / (float)each;
    for (size_t i = 0; i < n_h; i++)
        sp->h[i] = 1.0F / (float)wide;
    return LR_OK;
}

static enum lr_status stand_in(struct lr_factors **out, const struct lr_session *s,
                               int layer, const struct lr_layer_plan *p, struct lr_err *e)
{
    struct lr_rank_layer view = lr_session_rank_layer_as(s, layer, p->method);
    struct lr_layer l = s->layers[layer];
    struct lr_tensor *w = NULL, *bias = NULL;
    struct lr_lowrank m = {0};
    struct lr_spatial sp = {0};
    bool has_channel = view.split != LR_SPLIT_SPATIAL,
         has_spatial = view.split != LR_SPLIT_CHANNEL;
    enum lr_status rc = lr_layer_weights(&w, &bias, s->graph, &s->layers[layer], e);

    *out = NULL;
    l.group = view.group;
    if (rc == LR_OK && has_channel)
        rc = stand_in_channels(&m, &l, p->ranks.channel, e);
    if (rc == LR_OK && has_spatial)
        rc = stand_in_spatial(&sp, &l, p->ranks.spatial, e);
    if (rc == LR_OK)
        rc = lr_factors_build(out, &s->layers[layer], w->data, bias ? bias->data : NULL,
                              has_channel ? &m : NULL, has_spatial ? &sp : NULL,
                              p->method, e);
    lr_lowrank_free(&m);
    lr_spatial_free(&sp);
    lr_tensor_free(w);
    lr_tensor_free(bias);
    return rc;
}

/* ---- whose time it is ---- */

static void own(struct timing_net *n, int value, int layer)
{
    int k = value >= 0 ? n->g->values[value].producer : -1;

    if (k >= 0)
        n->owner[k] = layer;
}

/* The activation that an engine may fuse belongs to the layer before it, and so does the
 * addition between them. */
static void own_followers(struct timing_net *n, const struct lr_layer *l, int layer)
{
    int end = l->sum_value >= 0 ? l->sum_value : l->value, reader = -1;

    if (l->sum_value >= 0)
        own(n, l->sum_value, layer);
    if (l->follow != LR_FOLLOW_NONE && lr_graph_consumers(n->g, end, &reader, 1) == 1)
        n->owner[reader] = layer;
}

static void own_layer(struct timing_net *n, const struct lr_layer *l, int layer,
                      int n_parts)
{
    int value = l->value;

    for (int i = 0; i < n_parts; i++) {
        int k = n->g->values[value].producer;
        n->owner[k] = layer;
        value = n->g->nodes[k].in[0];
    }
    own_followers(n, l, layer);
}

enum lr_status timing_net_make(struct timing_net *out, const struct lr_session *s,
                               const struct lr_layer_plan *plan, struct lr_err *e)
{
    size_t n = (size_t)s->n_layers;
    struct lr_layer_plan *all = lr_calloc(n + 1, sizeof(*all));
    bool *use = lr_calloc(n + 1, sizeof(*use));
    enum lr_status rc = LR_OK;

    *out = (struct timing_net){0};
    if (!all || !use) {
        rc = lr_enomem(e, n * sizeof(*all), "the plan");
        goto out;
    }
    for (int i = 0; plan && i < s->n_layers; i++) {
        all[i] = plan[i];
        all[i].factors = NULL;
        if (session_is_whole(s, i, plan[i].method, plan[i].ranks))
            continue;
        use[i] = true;
        if (plan[i].factors)
            all[i].factors = lr_factors_ref(plan[i].factors);
        else if ((rc = stand_in(&all[i].factors, s, i, &plan[i], e)) != LR_OK)
            goto out;
    }
    if ((rc = session_split(&out->g, s, all, use, e)) != LR_OK)
        goto out;
    out->owner = lr_alloc((size_t)out->g->n_nodes, sizeof(*out->owner));
    if (!out->owner) {
        rc = lr_enomem(e, (size_t)out->g->n_nodes * sizeof(int), "the nodes");
        goto out;
    }
    for (int k = 0; k < out->g->n_nodes; k++)
        out->owner[k] = -1;
    for (int i = 0; i < s->n_layers; i++)
        own_layer(out, &s->layers[i], i, use[i] ? all[i].factors->n_parts : 1);
out:
    if (rc != LR_OK)
        timing_net_free(out);
    for (size_t i = 0; all && i < n; i++)
        lr_factors_unref(all[i].factors);
    lr_free(all);
    lr_free(use);
    return rc;
}
