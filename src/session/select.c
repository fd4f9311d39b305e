/* Choosing ranks for the whole network: a budget for all convolutions is handed to a rule
 * together with the layers it may change; everything else is a fixed part of the cost. */
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

static enum lr_status check_options(const struct lr_select_opts *o, struct lr_err *e)
{
    int n = (o->speedup > 0) + (o->macs > 0) + (o->params > 0) + (o->energy > 0);

    if (n != 1)
        return lr_err_set(
            e, LR_EINVAL,
            "give one of a speedup, a limit of MACs or parameters, or an energy");
    if (o->speedup > 0 && !(o->speedup >= 1 && isfinite(o->speedup)))
        return lr_err_set(e, LR_EINVAL, "speedup %g is below 1", o->speedup);
    if (o->energy > 1)
        return lr_err_set(e, LR_EINVAL, "energy %g exceeds 1 (100 %%)", o->energy);
    if (o->energy <= 0 && !o->rule)
        return lr_err_set(e, LR_EINVAL, "a rule is needed");
    return LR_OK;
}

/* What all convolutions may cost, and what of it is not the rule's to change. */
static struct lr_budget make_budget(const struct lr_session *s,
                                    const struct lr_select_opts *o, const bool *is_free,
                                    int round)
{
    struct lr_budget b = {.round = round};
    double all = 0;

    b.kind = o->params > 0 ? LR_BUDGET_PARAMS : LR_BUDGET_MACS;
    for (int i = 0; i < s->n_layers; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        double cost = (double)(o->params > 0 ? r.params_original : r.macs_original);
        all += cost;
        if (!is_free[i])
            b.fixed += cost;
    }
    b.limit = o->params > 0 ? (double)o->params
              : o->macs > 0 ? (double)o->macs
                            : all / o->speedup;
    return b;
}

/* The smallest multiple of step with at least the energy; full rank where there is none.
 */
static int rank_for_energy(const struct lr_rank_layer *l, double energy, int step)
{
    int rank = lr_rank_for_energy(l, energy);

    if (step > 1)
        rank = (rank + step - 1) / step * step;
    return rank < l->d ? rank : l->d;
}

enum lr_status lr_session_select(struct lr_session *s, const struct lr_select_opts *o,
                                 struct lr_err *e)
{
    size_t size = (size_t)s->n_layers + 1;
    struct lr_rank_layer *layers = NULL;
    int *index = NULL, *ranks = NULL, n = 0, n_set = 0;
    bool *is_free = NULL;
    int round = o->round > 0 ? o->round : s->settings.round;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK || (rc = check_options(o, e)) != LR_OK)
        return rc;
    if ((o->energy > 0 || o->rule->needs_spectra) &&
        (rc = lr_session_spectra(s, o->progress, e)) != LR_OK)
        return rc;
    layers = lr_calloc(size, sizeof(*layers));
    index = lr_calloc(size, sizeof(*index));
    ranks = lr_calloc(size, sizeof(*ranks));
    is_free = lr_calloc(size, sizeof(*is_free));
    if (!layers || !index || !ranks || !is_free) {
        rc = lr_enomem(e, size * sizeof(*layers), "layers");
        goto out;
    }
    for (int i = 0; i < s->n_layers; i++) {
        struct lr_rank_layer l = lr_session_rank_layer(s, i);
        if (l.is_kept || is_listed(o->keep, o->n_keep, i))
            continue;
        is_free[i] = true;
        layers[n] = l;
        index[n++] = i;
    }
    if (n == 0) {
        rc = lr_err_set(e, LR_EINVAL, "no layer is left to be approximated");
        goto out;
    }
    if (o->energy > 0) {
        for (int i = 0; i < n; i++)
            ranks[i] = rank_for_energy(&layers[i], o->energy, round);
    } else {
        struct lr_budget b = make_budget(s, o, is_free, round);
        if ((rc = o->rule->select(ranks, layers, n, &b, e)) != LR_OK)
            goto out;
    }
    /* Layers kept by this call stay whole, whatever rank they had. */
    n_set = n;
    for (int i = 0; i < s->n_layers; i++) {
        if (is_free[i] || !is_listed(o->keep, o->n_keep, i) ||
            !s->layers[i].is_approximable)
            continue;
        ranks[n_set] = s->layers[i].d;
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
