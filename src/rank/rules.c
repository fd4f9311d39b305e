/* The table of rank rules, the uniform rule, and what all rules share: costs under a
 * budget and the check that it can be met at all. */
#include <math.h>
#include <string.h>

#include "rank/rank_internal.h"

int64_t lr_budget_cost(const struct lr_budget *b, const struct lr_rank_layer *l, int rank)
{
    if (b->kind == LR_BUDGET_PARAMS)
        return lr_params_at(l, rank);
    return lr_macs_at(l, rank);
}

double lr_budget_total(const struct lr_budget *b, const struct lr_rank_layer *layers,
                       const int *ranks, int n)
{
    double total = b->fixed;

    for (int i = 0; i < n; i++)
        total += (double)lr_budget_cost(b, &layers[i], ranks[i]);
    return total;
}

int lr_budget_min_rank(const struct lr_budget *b, const struct lr_rank_layer *l)
{
    int rank = lr_rank_round(l, 1, b->round);

    if (l->is_kept || lr_budget_cost(b, l, rank) >= lr_budget_cost(b, l, l->d))
        return l->d;
    return rank;
}

static enum lr_status check_layer(const struct lr_rank_layer *l, bool needs_spectra,
                                  struct lr_err *e)
{
    const char *name = l->name ? l->name : "layer";

    if (l->d < 1 || l->patch < 1 || l->positions < 1)
        return lr_err_set(e, LR_EINVAL, "%s: %d filters of %lld inputs have no cost",
                          name, l->d, (long long)l->patch);
    if (!needs_spectra || l->is_kept)
        return LR_OK;
    if (!l->eig)
        return lr_err_set(
            e, LR_EINVAL,
            "%s: its spectrum is not known; this rule needs calibration images", name);
    for (int i = 0; i < l->d; i++)
        if (!isfinite(l->eig[i]))
            return lr_err_set(e, LR_EINVAL, "%s: its spectrum is not finite", name);
    return LR_OK;
}

enum lr_status lr_budget_check(const struct lr_budget *b,
                               const struct lr_rank_layer *layers, int n,
                               bool needs_spectra, struct lr_err *e)
{
    const char *unit = b->kind == LR_BUDGET_PARAMS ? "parameters" : "MACs";
    double whole = b->fixed, least = b->fixed;

    for (int i = 0; i < n; i++) {
        enum lr_status st = check_layer(&layers[i], needs_spectra, e);
        if (st != LR_OK)
            return st;
        double w = (double)lr_budget_cost(b, &layers[i], layers[i].d);
        double c =
            (double)lr_budget_cost(b, &layers[i], lr_budget_min_rank(b, &layers[i]));
        whole += w;
        least += c;
    }
    if (!(least <= b->limit)) {
        double nearest = floor(whole / least * 1000) / 1000;
        return lr_err_set(
            e, LR_EINVAL,
            "a budget of %.0f %s (speedup %.4g) cannot be met: with every "
            "layer at rank %d the total is %.0f, the nearest speedup is %.3f",
            b->limit, unit, whole / b->limit, b->round > 1 ? b->round : 1, least,
            nearest);
    }
    return LR_OK;
}

static void uniform_ranks(int *ranks, const struct lr_rank_layer *layers, int n,
                          const struct lr_budget *b, double x)
{
    for (int i = 0; i < n; i++) {
        const struct lr_rank_layer *l = &layers[i];
        int least = lr_budget_min_rank(b, l);
        int rank = lr_rank_round(l, lr_rank_for_speedup(l, x), b->round);
        ranks[i] = rank < least ? least : rank >= lr_break_even(l) ? l->d : rank;
    }
}

/* The lowest speedup that, asked of every layer, meets the budget: the total only falls
 * as it grows, so halving finds it. */
static enum lr_status select_uniform(int *ranks, const struct lr_rank_layer *layers,
                                     int n, const struct lr_budget *b, struct lr_err *e)
{
    enum lr_status st = lr_budget_check(b, layers, n, false, e);
    double low = 1, high = 2;

    if (st != LR_OK)
        return st;
    for (int i = 0; i < n; i++)
        ranks[i] = layers[i].d;
    if (lr_budget_total(b, layers, ranks, n) <= b->limit)
        return LR_OK;
    for (;;) {
        uniform_ranks(ranks, layers, n, b, high);
        if (lr_budget_total(b, layers, ranks, n) <= b->limit || high > 1e12)
            break;
        low = high;
        high *= 2;
    }
    for (int k = 0; k < 100; k++) {
        double middle = 0.5 * (low + high);
        uniform_ranks(ranks, layers, n, b, middle);
        if (lr_budget_total(b, layers, ranks, n) <= b->limit)
            high = middle;
        else
            low = middle;
    }
    uniform_ranks(ranks, layers, n, b, high);
    return LR_OK;
}

static enum lr_status select_energy(int *ranks, const struct lr_rank_layer *layers, int n,
                                    const struct lr_budget *b, struct lr_err *e)
{
    return lr_rank_greedy(ranks, layers, n, b, false, e);
}

static enum lr_status select_paper(int *ranks, const struct lr_rank_layer *layers, int n,
                                   const struct lr_budget *b, struct lr_err *e)
{
    return lr_rank_greedy(ranks, layers, n, b, true, e);
}

const struct lr_rank_rule lr_rank_rules[] = {
    {"energy", "largest product of kept energies, each rank at its full cost", true,
     select_energy},
    {"paper", "the same with the cost of a rank as the paper counts it", true,
     select_paper},
    {"uniform", "the same speedup for every layer", false, select_uniform},
};
const int lr_n_rank_rules = (int)(sizeof(lr_rank_rules) / sizeof(lr_rank_rules[0]));

const struct lr_rank_rule *lr_rank_rule_find(const char *name)
{
    for (int i = 0; name && i < lr_n_rank_rules; i++)
        if (strcmp(lr_rank_rules[i].name, name) == 0)
            return &lr_rank_rules[i];
    return NULL;
}
