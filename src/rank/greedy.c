/* Greedy rank selection (section 3.2): with E the product over layers of their kept
 * energies, drop again and again the last kept eigenvalue whose loss dE/E per cost saved
 * dC is smallest, until the budget is met. Inside a layer the measure only grows as the
 * rank falls, so this is one sort over all eigenvalues.
 *
 * The budget is checked on the honest cost: a layer at or above its break-even rank
 * counts as whole, so its first drops save nothing, and its last before break-even saves
 * much at once. What that leaves unused is given back afterwards, best measure first. */
#include <math.h>
#include <stddef.h>

#include "rank/rank_internal.h"
#include "ranklab/mem.h"

struct state {
    const struct lr_rank_layer *l;
    const struct lr_budget *b;
    int rank, least, break_even;
    double unit;  /* dC: cost of one rank as the rule counts it */
    double *kept; /* [d + 1] sum of the largest eigenvalues */
};

static double cost(const struct state *s, int rank)
{
    return (double)lr_budget_cost(s->b, s->l, rank);
}

static void state_init(struct state *s, const struct lr_rank_layer *l,
                       const struct lr_budget *b, bool is_paper, double *kept)
{
    int d = l->d;

    *s = (struct state){.l = l, .b = b, .rank = d, .kept = kept};
    s->least = lr_budget_min_rank(b, l);
    s->break_even = lr_break_even(l);
    if (is_paper)
        s->unit = cost(s, d) / d;
    else if (b->kind == LR_BUDGET_PARAMS)
        s->unit = (double)(lr_params_split(l, 2) - lr_params_split(l, 1));
    else
        s->unit = (double)lr_macs_split(l, 1);
    kept[0] = 0;
    for (int k = 0; k < d; k++)
        kept[k + 1] = kept[k] + (l->eig && l->eig[k] > 0 ? l->eig[k] : 0);
}

/* Share of the energy kept at rank to that is missing at rank from. */
static double loss(const struct state *s, int from, int to)
{
    double all = s->kept[to];

    return all > 0 ? (all - s->kept[from]) / all : 0;
}

/* Drops eigenvalues until the budget is met; of equal measures the first layer's goes. */
static void drop(struct state *s, int n, double total, double limit)
{
    while (total > limit) {
        int best = -1;
        double lowest = INFINITY;
        for (int i = 0; i < n; i++) {
            if (s[i].rank <= s[i].least)
                continue;
            double measure = loss(&s[i], s[i].rank - 1, s[i].rank) / s[i].unit;
            if (best < 0 || measure < lowest) {
                best = i;
                lowest = measure;
            }
        }
        if (best < 0)
            return; /* every layer at its lowest rank */
        total -= cost(&s[best], s[best].rank) - cost(&s[best], s[best].rank - 1);
        s[best].rank--;
    }
}

/* The next rank up: a multiple of the rounding, or whole from break-even on. */
static int next_rank(const struct state *s)
{
    int step = s->b->round > 1 ? s->b->round : 1;
    int next = s->rank > s->l->d - step ? s->l->d : s->rank - s->rank % step + step;

    return next >= s->break_even ? s->l->d : next;
}

/* Takes back in what still fits, best measure first; what adds no energy stays out. */
static void restore(struct state *s, int n, double total, double limit)
{
    for (;;) {
        int best = -1;
        double highest = 0, best_rise = 0;
        for (int i = 0; i < n; i++) {
            if (s[i].rank >= s[i].l->d)
                continue;
            int next = next_rank(&s[i]);
            double rise = cost(&s[i], next) - cost(&s[i], s[i].rank);
            double gain = loss(&s[i], s[i].rank, next);
            if (rise > limit - total || !(gain > 0))
                continue;
            double price = next < s[i].break_even ? s[i].unit * (next - s[i].rank) : rise;
            double measure = price > 0 ? gain / price : INFINITY;
            if (best < 0 || measure > highest) {
                best = i;
                highest = measure;
                best_rise = rise;
            }
        }
        if (best < 0)
            return;
        s[best].rank = next_rank(&s[best]);
        total += best_rise;
    }
}

enum lr_status lr_rank_greedy(int *ranks, const struct lr_rank_layer *layers, int n,
                              const struct lr_budget *b, bool is_paper, struct lr_err *e)
{
    struct state *s = NULL;
    double *kept = NULL, total = b->fixed;
    size_t n_kept = 0, at = 0;
    enum lr_status st = lr_budget_check(b, layers, n, true, e);

    if (st != LR_OK)
        return st;
    for (int i = 0; i < n; i++)
        n_kept += (size_t)layers[i].d + 1;
    s = lr_calloc((size_t)n, sizeof(*s));
    kept = lr_alloc(n_kept, sizeof(double));
    if (!s || !kept) {
        st = lr_enomem(e, n_kept * sizeof(double), "rank selection");
        goto out;
    }
    for (int i = 0; i < n; i++) {
        state_init(&s[i], &layers[i], b, is_paper, kept + at);
        at += (size_t)layers[i].d + 1;
        total += cost(&s[i], s[i].rank);
    }
    drop(s, n, total, b->limit);
    total = b->fixed;
    for (int i = 0; i < n; i++) {
        if (s[i].rank >= s[i].break_even)
            s[i].rank = s[i].l->d;
        else
            s[i].rank = lr_rank_round(s[i].l, s[i].rank, b->round);
        total += cost(&s[i], s[i].rank);
    }
    restore(s, n, total, b->limit);
    for (int i = 0; i < n; i++)
        ranks[i] = s[i].rank;
out:
    lr_free(s);
    lr_free(kept);
    return st;
}
