/* Choosing ranks for the whole network: a budget, for all convolutions or for every node,
 * is handed to a rule together with the layers it may change; everything else is a fixed
 * part of the cost. Rules that choose by measurements get them first. What a rule gives a
 * layer that is split both ways is its budget: within it the pair of ranks is looked for
 * that leaves the lowest held-out error. */
#include "session/internal.h"

#include <math.h>

#include "ranklab/mem.h"

static bool is_listed(const int *layers, int n, int layer)
{
    for (int i = 0; i < n; i++)
        if (layers[i] == layer)
            return true;
    return false;
}

static bool is_timed(const struct lr_select_opts *o)
{
    return o->ms > 0 || o->speedup_ms > 0;
}

static enum lr_status check_options(const struct lr_select_opts *o, struct lr_err *e)
{
    int n = (o->speedup > 0) + (o->macs > 0) + (o->params > 0) + (o->energy > 0) +
            (o->ms > 0) + (o->speedup_ms > 0);

    if (n != 1)
        return lr_err_set(e, LR_EINVAL,
                          "give one of a speedup, a limit of MACs, parameters or "
                          "milliseconds, or an energy");
    if (o->speedup_ms > 0 && !(o->speedup_ms >= 1 && isfinite(o->speedup_ms)))
        return lr_err_set(e, LR_EINVAL, "speedup %g is below 1", o->speedup_ms);
    if (o->speedup > 0 && !(o->speedup >= 1 && isfinite(o->speedup)))
        return lr_err_set(e, LR_EINVAL, "speedup %g is below 1", o->speedup);
    if (o->energy > 1)
        return lr_err_set(e, LR_EINVAL, "energy %g exceeds 1 (100 %%)", o->energy);
    if (o->energy <= 0 && !o->rule)
        return lr_err_set(e, LR_EINVAL, "a rule is needed");
    if (is_timed(o) && !o->rule->has_ms)
        return lr_err_set(e, LR_EINVAL,
                          "the rule %s counts no milliseconds; knapsack does",
                          o->rule->name);
    return LR_OK;
}

/* What the convolutions, or all nodes, may cost, and what of it is not the rule's to
 * change. */
static struct lr_budget make_budget(const struct lr_session *s,
                                    const struct lr_select_opts *o, const bool *is_free,
                                    int round)
{
    struct lr_budget b = {
        .round = round, .objective = o->objective, .progress = o->progress};
    bool is_params = o->params > 0;
    struct lr_totals t;

    lr_session_totals(&t, s);
    double all = (double)(is_params ? t.params_original : t.macs_original);
    if (o->is_network)
        all = (double)(is_params ? t.net_params_original : t.net_macs_original);
    b.kind = is_params ? LR_BUDGET_PARAMS : LR_BUDGET_MACS;
    b.fixed = all;
    for (int i = 0; i < s->n_layers; i++)
        if (is_free[i])
            b.fixed -= (double)(is_params ? s->layers[i].params : s->layers[i].macs);
    b.limit = o->params > 0 ? (double)o->params
              : o->macs > 0 ? (double)o->macs
                            : all / o->speedup;
    return b;
}

/* Spectra and measurements that the rule goes by. */
static enum lr_status measure_for(struct lr_session *s, const struct lr_select_opts *o,
                                  const int *index, int n, double *done, struct lr_err *e)
{
    bool by_energy = o->energy > 0;
    bool needs_drops = !by_energy && o->rule->needs_drops;
    bool needs_errors = !by_energy && o->rule->needs_errors &&
                        (!o->rule->has_objective || o->objective == LR_OBJECTIVE_ERROR);
    bool needs_spectra =
        by_energy || o->rule->needs_spectra || needs_drops || needs_errors;
    struct lr_progress first = lr_progress_sub(o->progress, 0, 0.2);
    struct lr_progress second = lr_progress_sub(o->progress, 0.2, 0.8);
    enum lr_status rc;

    if (needs_spectra && (rc = lr_session_spectra(s, &first, e)) != LR_OK)
        return rc;
    *done = needs_spectra ? 0.2 : 0;
    if (!needs_errors && !needs_drops)
        return LR_OK;
    *done = 0.8;
    return session_need_curves(s, index, n, needs_errors, needs_drops, &second, e);
}

static double cost_at(const struct lr_budget *b, const struct lr_rank_layer *l,
                      struct lr_ranks r)
{
    return (double)(b->kind == LR_BUDGET_PARAMS ? lr_params_at(l, r) : lr_macs_at(l, r));
}

/* Another pair than the rule's may cost a little less: what that leaves goes to the
 * spatial ranks, where it brings most energy for its cost. */
static void use_slack(struct lr_ranks *ranks, const struct lr_rank_layer *layers, int n,
                      const struct lr_budget *b)
{
    double slack = b->limit - b->fixed;

    for (int i = 0; i < n; i++)
        slack -= cost_at(b, &layers[i], ranks[i]);
    for (;;) {
        int best = -1;
        double highest = 0, best_rise = 0;
        struct lr_ranks best_ranks = {0, 0};
        for (int i = 0; i < n; i++) {
            const struct lr_rank_layer *l = &layers[i];
            struct lr_ranks next = ranks[i];
            next.spatial += lr_rank_step(l, b->round);
            if (l->split != LR_SPLIT_BOTH || lr_ranks_is_whole(l, ranks[i]) ||
                lr_ranks_is_whole(l, next) || next.spatial > lr_rank_spatial_full(l))
                continue;
            double rise = cost_at(b, l, next) - cost_at(b, l, ranks[i]);
            double kept = lr_ranks_energy(l, ranks[i]);
            double gain = kept > 0 ? (lr_ranks_energy(l, next) - kept) / kept : 1;
            if (!(rise > 0) || rise > slack || gain / rise <= highest)
                continue;
            best = i;
            highest = gain / rise;
            best_rise = rise;
            best_ranks = next;
        }
        if (best < 0)
            return;
        ranks[best] = best_ranks;
        slack -= best_rise;
    }
}

/* Whether the call may change the layer's ranks. */
static bool may_change(const struct lr_session *s, const struct lr_select_opts *o, int i)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, i);
    bool is_counted = o->is_network || s->layers[i].kind == LR_LAYER_CONV;

    return !l.is_kept && is_counted && !is_listed(o->keep, o->n_keep, i);
}

enum lr_status lr_session_select(struct lr_session *s, const struct lr_select_opts *o,
                                 struct lr_err *e)
{
    size_t size = (size_t)s->n_layers + 1;
    struct lr_rank_layer *layers = NULL;
    struct lr_ranks *ranks = NULL;
    int *index = NULL, n = 0, n_set = 0;
    bool *is_free = NULL;
    int round = o->round > 0 ? o->round : s->settings.round;
    double done = 0;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK || (rc = check_options(o, e)) != LR_OK)
        return rc;
    layers = lr_calloc(size, sizeof(*layers));
    index = lr_calloc(size, sizeof(*index));
    ranks = lr_calloc(size, sizeof(*ranks));
    is_free = lr_calloc(size, sizeof(*is_free));
    if (!layers || !index || !ranks || !is_free) {
        rc = lr_enomem(e, size * sizeof(*layers), "layers");
        goto out;
    }
    for (int i = 0; i < s->n_layers; i++)
        if ((is_free[i] = may_change(s, o, i)))
            index[n++] = i;
    if (n == 0) {
        rc = lr_err_set(e, LR_EINVAL, "no layer is left to be approximated");
        goto out;
    }
    if ((rc = measure_for(s, o, index, n, &done, e)) != LR_OK)
        goto out;
    for (int i = 0; i < n; i++)
        layers[i] = lr_session_rank_layer(s, index[i]);
    struct lr_progress rest = lr_progress_sub(o->progress, done, 1);
    if (o->energy > 0) {
        for (int i = 0; i < n; i++)
            ranks[i] = lr_ranks_for_energy(&layers[i], o->energy, round);
    } else if (is_timed(o)) {
        if ((rc = session_select_ms(ranks, index, n, s, o, round, &rest, e)) != LR_OK)
            goto out;
    } else {
        struct lr_budget b = make_budget(s, o, is_free, round);
        b.progress = &rest;
        if ((rc = o->rule->select(ranks, layers, n, &b, e)) != LR_OK ||
            (rc = session_refine_pairs(ranks, index, n, s, b.kind, round, &rest, e)) !=
                LR_OK)
            goto out;
        use_slack(ranks, layers, n, &b);
    }
    /* Layers kept by this call stay whole, whatever rank they had. */
    n_set = n;
    for (int i = 0; i < s->n_layers; i++) {
        if (is_free[i] || !is_listed(o->keep, o->n_keep, i) ||
            !s->layers[i].is_approximable)
            continue;
        struct lr_rank_layer l = lr_session_rank_layer(s, i);
        ranks[n_set] = lr_ranks_whole(&l);
        index[n_set++] = i;
    }
    rc = lr_session_set_ranks(s, index, ranks, n_set, e);
out:
    lr_free(layers);
    lr_free(index);
    lr_free(ranks);
    lr_free(is_free);
    return rc;
}

enum lr_status lr_session_ranks_for_speedup(struct lr_ranks *r, struct lr_session *s,
                                            int layer, double x, int round,
                                            const struct lr_progress *progress,
                                            struct lr_err *e)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    struct lr_ranks whole = lr_ranks_whole(&l), least = whole;
    int step = lr_rank_step(&l, round);

    if (lr_ranks_for_speedup(r, &l, x, round))
        return session_refine_pairs(r, &layer, 1, s, LR_BUDGET_MACS, round, progress, e);
    if (l.split != LR_SPLIT_SPATIAL && step < whole.channel)
        least.channel = step;
    if (step < whole.spatial)
        least.spatial = step;
    l.is_kept = false; /* a kept layer has ranks too */
    if (lr_ranks_is_whole(&l, least))
        return lr_err_set(e, LR_EINVAL,
                          "%s cannot be %gx as fast: no split at multiples of %d pays",
                          l.name, x, step);
    return lr_err_set(e, LR_EINVAL, "%s cannot be %gx as fast: rank %d gives %.3gx",
                      l.name, x,
                      l.split == LR_SPLIT_SPATIAL ? least.spatial : least.channel,
                      (double)lr_macs_whole(&l) / (double)lr_macs_split(&l, least));
}
