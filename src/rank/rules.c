/* The table of rank rules, the uniform rule, and what all rules share: costs under a
 * budget and the check that it can be met at all. */
#include <stdio.h>
#include <string.h>

#include "rank/rank_internal.h"

int64_t lr_budget_cost(const struct lr_budget *b, const struct lr_rank_layer *l,
                       struct lr_ranks r)
{
    if (b->kind == LR_BUDGET_MS)
        return llround(fmin(1e6 * lr_ms_at(l, r), 9e18));
    return b->kind == LR_BUDGET_PARAMS ? lr_params_at(l, r) : lr_macs_at(l, r);
}

/* Fixed cost plus that of every layer at its ranks. */
static double total_cost(const struct lr_budget *b, const struct lr_rank_layer *layers,
                         const struct lr_ranks *ranks, int n)
{
    double total = b->fixed;

    for (int i = 0; i < n; i++)
        total += (double)lr_budget_cost(b, &layers[i], ranks[i]);
    return total;
}

struct lr_ranks lr_budget_lowest(const struct lr_budget *b, const struct lr_rank_layer *l)
{
    struct lr_ranks whole = lr_ranks_whole(l), r = lr_ranks_lowest(l, b->round);

    r = lr_ranks_fill_merged(l, r);
    return lr_budget_cost(b, l, r) >= lr_budget_cost(b, l, whole) ? whole : r;
}

int64_t lr_budget_capacity(const struct lr_budget *b)
{
    double room = floor(b->limit - b->fixed);

    if (!(room >= 0))
        return 0;
    if (room >= 9e18)
        return INT64_MAX;
    int64_t capacity = (int64_t)room;
    while (capacity > 0 && b->fixed + (double)capacity > b->limit)
        capacity--;
    return capacity;
}

/* ---- what a rule needs ---- */

static enum lr_status check_values(const double *x, int n, const char *name,
                                   const char *what, struct lr_err *e)
{
    if (!x)
        return lr_err_set(
            e, LR_EINVAL, "%s: its %s is not known; this rule needs %s", name, what,
            what[0] == 'e' ? "the weights of its filters" : "calibration images");
    for (int i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return lr_err_set(e, LR_EINVAL, "%s: its %s is not finite", name, what);
    return LR_OK;
}

static enum lr_status check_points(const struct lr_rank_layer *l, const char *name,
                                   bool is_drop, struct lr_err *e)
{
    for (int i = 0; l->points && i < l->n_points; i++) {
        const struct lr_rank_point *p = &l->points[i];
        if (isfinite(is_drop ? p->drop : p->error) && !lr_ranks_is_whole(l, p->ranks))
            return LR_OK;
    }
    return lr_err_set(e, LR_EINVAL,
                      "%s: its %s was not measured at any rank; this rule needs that",
                      name, is_drop ? "loss of accuracy" : "response error");
}

static enum lr_status check_layer(const struct lr_rank_layer *l, enum lr_rank_needs needs,
                                  struct lr_err *e)
{
    const char *name = l->name ? l->name : "layer";
    bool is_spatial = lr_split_has_spatial(l);
    enum lr_status st = LR_OK;

    if (l->d < 1 || l->c < 1 || l->kh < 1 || l->kw < 1 || l->positions < 1 ||
        (is_spatial && l->mid_positions < 1))
        return lr_err_set(e, LR_EINVAL, "%s: %d filters of %lld inputs have no cost",
                          name, l->d, (long long)lr_rank_patch(l));
    if (l->group > 1 && (l->c % l->group != 0 || l->d % l->group != 0))
        return lr_err_set(e, LR_EINVAL, "%s: %d groups do not divide %d and %d channels",
                          name, l->group, l->c, l->d);
    if (l->is_kept || l->split == LR_SPLIT_NONE)
        return LR_OK;
    if (needs == LR_NEEDS_SPECTRA) {
        if (lr_split_has_channel(l))
            st = check_values(l->eig, l->d, name, "spectrum", e);
        if (st == LR_OK && is_spatial)
            st = check_values(l->spatial, lr_rank_spatial_full(l), name,
                              "energy of spatial filters", e);
        return st;
    }
    /* A layer that no split makes cheaper stays whole and needs nothing. */
    if (needs == LR_NEEDS_NOTHING || lr_ranks_is_whole(l, lr_ranks_lowest(l, 1)))
        return LR_OK;
    return check_points(l, name, needs == LR_NEEDS_DROPS, e);
}

static enum lr_status check_total(const struct lr_budget *b, double whole, double least,
                                  bool is_simple, struct lr_err *e)
{
    const char *unit = b->kind == LR_BUDGET_PARAMS ? "parameters" : "MACs";
    double nearest = floor(whole / least * 1000) / 1000;
    char lowest[48] = "its lowest ranks";

    if (least <= b->limit)
        return LR_OK;
    if (is_simple)
        snprintf(lowest, sizeof(lowest), "rank %d", b->round > 1 ? b->round : 1);
    return lr_err_set(e, LR_EINVAL,
                      "a budget of %.0f %s (speedup %.4g) cannot be met: with every "
                      "layer at %s the total is %.0f, the nearest speedup is %.3f",
                      b->limit, unit, whole / b->limit, lowest, least, nearest);
}

enum lr_status lr_budget_check(const struct lr_budget *b,
                               const struct lr_rank_layer *layers, int n,
                               enum lr_rank_needs needs, struct lr_err *e)
{
    double whole = b->fixed, least = b->fixed;
    bool is_simple = true;

    for (int i = 0; i < n; i++) {
        const struct lr_rank_layer *l = &layers[i];
        enum lr_status st = check_layer(l, needs, e);
        if (st == LR_OK && b->kind == LR_BUDGET_MS &&
            !(l->times && l->times->whole.ms > 0))
            st =
                lr_err_set(e, LR_EINVAL, "%s was not timed", l->name ? l->name : "layer");
        if (st != LR_OK)
            return st;
        whole += (double)lr_budget_cost(b, l, lr_ranks_whole(l));
        least += (double)lr_budget_cost(b, l, lr_budget_lowest(b, l));
        is_simple = is_simple && !lr_split_has_spatial(l) && l->group <= 1;
    }
    /* The lowest ranks need not be the fastest: the rule itself looks for those. */
    return b->kind == LR_BUDGET_MS ? LR_OK : check_total(b, whole, least, is_simple, e);
}

/* ---- rules ---- */

static void uniform_ranks(struct lr_ranks *ranks, const struct lr_rank_layer *layers,
                          int n, const struct lr_budget *b, double x)
{
    for (int i = 0; i < n; i++) {
        const struct lr_rank_layer *l = &layers[i];
        struct lr_ranks lowest = lr_budget_lowest(b, l), whole = lr_ranks_whole(l);
        bool is_never_split =
            lowest.channel == whole.channel && lowest.spatial == whole.spatial;
        if (!lr_ranks_for_speedup(&ranks[i], l, x, b->round))
            ranks[i] = lowest;
        if (is_never_split || lr_ranks_is_whole(l, ranks[i]))
            ranks[i] = whole;
    }
}

/* The lowest speedup that, asked of every layer, meets the budget: the total only falls
 * as it grows, so halving finds it. */
static enum lr_status select_uniform(struct lr_ranks *ranks,
                                     const struct lr_rank_layer *layers, int n,
                                     const struct lr_budget *b, struct lr_err *e)
{
    enum lr_status st = lr_budget_check(b, layers, n, LR_NEEDS_NOTHING, e);
    double low = 1, high = 2;

    if (st != LR_OK)
        return st;
    for (int i = 0; i < n; i++)
        ranks[i] = lr_ranks_whole(&layers[i]);
    if (total_cost(b, layers, ranks, n) <= b->limit)
        return LR_OK;
    for (;;) {
        uniform_ranks(ranks, layers, n, b, high);
        if (total_cost(b, layers, ranks, n) <= b->limit || high > 1e12)
            break;
        low = high;
        high *= 2;
    }
    for (int k = 0; k < 100; k++) {
        double middle = 0.5 * (low + high);
        uniform_ranks(ranks, layers, n, b, middle);
        if (total_cost(b, layers, ranks, n) <= b->limit)
            high = middle;
        else
            low = middle;
    }
    uniform_ranks(ranks, layers, n, b, high);
    return LR_OK;
}

static enum lr_status select_energy(struct lr_ranks *ranks,
                                    const struct lr_rank_layer *layers, int n,
                                    const struct lr_budget *b, struct lr_err *e)
{
    return lr_rank_greedy(ranks, layers, n, b, false, e);
}

static enum lr_status select_paper(struct lr_ranks *ranks,
                                   const struct lr_rank_layer *layers, int n,
                                   const struct lr_budget *b, struct lr_err *e)
{
    return lr_rank_greedy(ranks, layers, n, b, true, e);
}

const struct lr_rank_rule lr_rank_rules[] = {
    {"energy", "largest product of kept energies, each rank at its full cost", false,
     true, false, false, false, select_energy},
    {"paper", "the same with the cost of a rank as the paper counts it", false, true,
     false, false, false, select_paper},
    {"uniform", "the same speedup for every layer", false, false, false, false, false,
     select_uniform},
    {"knapsack", "the best of all ranks, for the energies or the measured errors", true,
     true, true, false, true, lr_rank_knapsack},
    {"sensitivity", "the same loss of accuracy for every layer split alone", false, false,
     false, true, false, lr_rank_sensitivity},
};
const int lr_n_rank_rules = (int)(sizeof(lr_rank_rules) / sizeof(lr_rank_rules[0]));

const struct lr_rank_rule *lr_rank_rule_find(const char *name)
{
    for (int i = 0; name && i < lr_n_rank_rules; i++)
        if (strcmp(lr_rank_rules[i].name, name) == 0)
            return &lr_rank_rules[i];
    return NULL;
}
