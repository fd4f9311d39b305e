/* Greedy rank selection (section 3.2): with E the product over layers of their kept
 * energies, drop again and again the last kept eigenvalue whose loss dE/E per cost saved
 * dC is smallest, until the budget is met. Inside a layer the measure only grows as the
 * rank falls, so this is one sort over all eigenvalues.
 *
 * The budget is checked on the honest cost: a layer at or above its break-even rank
 * counts as whole, so its first drops save nothing, and its last before break-even saves
 * much at once. What that leaves unused is given back afterwards, best measure first.
 *
 * A split with both parts takes part as a channel split whose cost the spatial part
 * divides by the square root of the speedup asked for; d'' is then the largest that the
 * layer's share of the budget allows (TPAMI paper, section 3.3). */
#include "rank/rank_internal.h"
#include "ranklab/mem.h"

struct state {
    const struct lr_rank_layer *l;
    const struct lr_budget *b;
    struct lr_rank_layer view; /* as the greedy run sees it: one rank */
    double discount;           /* of the view's cost */
    int rank, full, least, break_even;
    double unit;       /* dC: cost of one rank as the rule counts it */
    double *kept;      /* [full + 1] sum of the largest eigenvalues */
    double *channel;   /* [d + 1] and [spatial full + 1] logs of kept shares, of splits */
    double *spatial;   /* with both */
    struct lr_ranks r; /* the choice, from the end of the run on */
};

static struct lr_ranks view_ranks(const struct state *s, int rank)
{
    struct lr_ranks r = lr_ranks_whole(&s->view);

    *(s->view.split == LR_SPLIT_SPATIAL ? &r.spatial : &r.channel) = rank;
    return r;
}

static double view_cost(const struct state *s, int rank)
{
    return (double)lr_budget_cost(s->b, &s->view, view_ranks(s, rank)) / s->discount;
}

static double cost(const struct state *s, struct lr_ranks r)
{
    return (double)lr_budget_cost(s->b, s->l, r);
}

static void state_init(struct state *s, const struct lr_rank_layer *l,
                       const struct lr_budget *b, double speedup)
{
    s->l = l;
    s->b = b;
    s->view = *l;
    s->discount = 1;
    if (l->split == LR_SPLIT_BOTH) {
        s->view.split = LR_SPLIT_CHANNEL;
        s->discount = l->is_kept ? 1 : sqrt(speedup);
    }
    struct lr_ranks whole = lr_ranks_whole(&s->view);
    struct lr_ranks lowest = lr_budget_lowest(b, &s->view);
    bool is_spatial = l->split == LR_SPLIT_SPATIAL;
    s->full = s->rank = is_spatial ? whole.spatial : whole.channel;
    s->least = is_spatial ? lowest.spatial : lowest.channel;
    s->break_even = lr_break_even(&s->view, whole);
    s->r = lr_ranks_whole(l);
}

static void set_unit(struct state *s, bool is_paper)
{
    /* Groups take their ranks together. */
    int step = s->view.group > 0 ? s->view.group : 1;
    struct lr_ranks one = view_ranks(s, step), two = view_ranks(s, 2 * step);

    if (is_paper)
        s->unit = view_cost(s, s->full) / s->full;
    else if (s->b->kind == LR_BUDGET_PARAMS)
        s->unit =
            (double)(lr_params_split(&s->view, two) - lr_params_split(&s->view, one)) /
            step;
    else
        s->unit = (double)lr_macs_split(&s->view, one) / step;
    if (!is_paper)
        s->unit /= s->discount;
}

static enum lr_status set_energies(struct state *s, struct lr_err *e)
{
    const double *x = s->view.split == LR_SPLIT_SPATIAL ? s->l->spatial : s->l->eig;
    size_t size = (size_t)s->full + 1;

    if (!(s->kept = lr_alloc(size, sizeof(double))))
        return lr_enomem(e, size * sizeof(double), "rank selection");
    s->kept[0] = 0;
    for (int k = 0; k < s->full; k++)
        s->kept[k + 1] = s->kept[k] + (x && x[k] > 0 ? x[k] : 0);
    if (s->l->split != LR_SPLIT_BOTH || s->l->is_kept)
        return LR_OK;
    int full = lr_rank_spatial_full(s->l);
    s->channel = lr_alloc(size, sizeof(double));
    s->spatial = lr_alloc((size_t)full + 1, sizeof(double));
    if (!s->channel || !s->spatial)
        return lr_enomem(e, ((size_t)full + 1) * sizeof(double), "rank selection");
    lr_log_shares(s->channel, s->l->eig, s->l->d);
    lr_log_shares(s->spatial, s->l->spatial, full);
    return LR_OK;
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
        total -=
            view_cost(&s[best], s[best].rank) - view_cost(&s[best], s[best].rank - 1);
        s[best].rank--;
    }
}

/* ---- the choice after the run ---- */

/* The largest d'' on the grid with which r costs at most share; 0: none. */
static int spatial_for(const struct state *s, int channel, double share)
{
    int full = lr_rank_spatial_full(s->l), step = lr_rank_step(s->l, s->b->round);

    if (s->b->kind == LR_BUDGET_MACS)
        return lr_spatial_for_macs(s->l, channel, share, s->b->round);
    for (int k = lr_grid_count(full, step); k > 0; k--) {
        int rank = lr_grid_rank(full, step, k);
        if (cost(s, (struct lr_ranks){channel, rank}) <= share)
            return rank;
    }
    return 0;
}

static void settle_both(struct state *s, double speedup)
{
    struct lr_ranks lowest = lr_budget_lowest(s->b, s->l), whole = lr_ranks_whole(s->l);
    double share = view_cost(s, s->rank);

    s->r = whole;
    if (speedup <= 1 || s->l->is_kept ||
        (lowest.channel == whole.channel && lowest.spatial == whole.spatial))
        return;
    s->r.channel = s->rank;
    s->r.spatial = spatial_for(s, s->r.channel, share);
    if (s->r.spatial < 1) {
        /* Not even the lowest d'' fits: d' gives way. */
        s->r = lowest;
        for (int rank = s->rank; rank > lowest.channel && s->r.channel < s->l->d;) {
            struct lr_ranks r = {rank, lowest.spatial};
            if (cost(s, r) <= share) {
                s->r = r;
                break;
            }
            r = lr_ranks_round(s->l, (struct lr_ranks){rank - 1, r.spatial}, s->b->round);
            rank = r.channel;
        }
    }
    s->r = lr_ranks_fill_merged(s->l, s->r);
    if (lr_ranks_is_whole(s->l, s->r))
        s->r = whole;
}

static void settle(struct state *s, double speedup)
{
    if (s->rank >= s->break_even) {
        s->rank = s->full;
    } else {
        struct lr_ranks r = lr_ranks_round(&s->view, view_ranks(s, s->rank), s->b->round);
        s->rank = s->view.split == LR_SPLIT_SPATIAL ? r.spatial : r.channel;
    }
    if (s->l->split == LR_SPLIT_BOTH)
        settle_both(s, speedup);
    else
        s->r = view_ranks(s, s->rank);
}

/* One step up or down the grid from r; *gain is the share of energy gained or lost, *rise
 * the cost gained or saved, *price that cost as the rule counts it. */
struct move {
    struct lr_ranks to;
    double gain, rise, price;
};

/* The next ranks up: multiples of the rounding, or whole from break-even on. */
static bool step_up(struct move *m, const struct state *s)
{
    int step = lr_rank_step(s->l, s->b->round);

    if (s->rank >= s->full)
        return false;
    int next = s->rank > s->full - step ? s->full : s->rank - s->rank % step + step;
    if (next >= s->break_even)
        next = s->full;
    m->to = view_ranks(s, next);
    m->rise = cost(s, m->to) - cost(s, s->r);
    m->gain = loss(s, s->rank, next);
    m->price = next < s->break_even ? s->unit * (next - s->rank) : m->rise;
    return true;
}

static double log_share(const struct state *s, struct lr_ranks r)
{
    return lr_ranks_is_whole(s->l, r) ? 0 : s->channel[r.channel] + s->spatial[r.spatial];
}

/* The same for one of the ranks of a split with both; a step of d' that only the merged
 * pair can take leads to all of d. */
static bool step_up_both(struct move *m, const struct state *s, bool is_spatial)
{
    int step = lr_rank_step(s->l, s->b->round);
    int full = is_spatial ? lr_rank_spatial_full(s->l) : s->l->d;
    int rank = is_spatial ? s->r.spatial : s->r.channel;

    if (lr_ranks_is_whole(s->l, s->r) || rank >= full)
        return false;
    m->to = s->r;
    *(is_spatial ? &m->to.spatial : &m->to.channel) =
        rank > full - step ? full : rank - rank % step + step;
    m->to = lr_ranks_fill_merged(s->l, m->to);
    if (lr_ranks_is_whole(s->l, m->to))
        m->to = lr_ranks_whole(s->l);
    m->rise = m->price = cost(s, m->to) - cost(s, s->r);
    m->gain = 1 - exp(log_share(s, s->r) - log_share(s, m->to));
    return true;
}

static bool up(struct move *m, const struct state *s, int kind)
{
    if (s->l->split == LR_SPLIT_BOTH)
        return step_up_both(m, s, kind > 0);
    return kind == 0 && step_up(m, s);
}

static void take(struct state *s, const struct move *m)
{
    s->r = m->to;
    s->rank = s->l->split == LR_SPLIT_SPATIAL ? s->r.spatial : s->r.channel;
}

/* Takes back in what still fits, best measure first; what adds no energy stays out. */
static void restore(struct state *s, int n, double total, double limit)
{
    for (;;) {
        struct move found = {0}, m;
        int best = -1;
        double highest = 0;
        for (int k = 0; k < 2 * n; k++) {
            if (!up(&m, &s[k / 2], k % 2) || m.rise > limit - total || !(m.gain > 0))
                continue;
            double measure = m.price > 0 ? m.gain / m.price : INFINITY;
            if (best < 0 || measure > highest) {
                best = k / 2;
                highest = measure;
                found = m;
            }
        }
        if (best < 0)
            return;
        take(&s[best], &found);
        total += found.rise;
    }
}

/* One step down of a split with both that saves something. */
static bool down(struct move *m, const struct state *s, bool is_spatial)
{
    struct lr_ranks lowest = lr_ranks_lowest(s->l, s->b->round);
    double now = cost(s, s->r);

    if (s->l->split != LR_SPLIT_BOTH)
        return false;
    m->to = s->r;
    for (;;) {
        int *rank = is_spatial ? &m->to.spatial : &m->to.channel;
        if (*rank <= (is_spatial ? lowest.spatial : lowest.channel))
            return false;
        --*rank;
        m->to = lr_ranks_round(s->l, m->to, s->b->round);
        m->rise = now - cost(s, m->to);
        if (m->rise > 0)
            break;
    }
    m->gain = 1 - exp(log_share(s, m->to) - log_share(s, s->r));
    m->price = m->rise;
    return true;
}

/* Where the spatial parts could not deliver their factor the run stopped too early. */
static double repair(struct state *s, int n, double total, double limit)
{
    while (total > limit) {
        struct move found = {0}, m;
        int best = -1;
        double lowest = INFINITY;
        for (int k = 0; k < 2 * n; k++)
            if (down(&m, &s[k / 2], k % 2) && (best < 0 || m.gain / m.price < lowest)) {
                best = k / 2;
                lowest = m.gain / m.price;
                found = m;
            }
        for (int i = 0; i < n; i++) {
            if (s[i].l->split == LR_SPLIT_BOTH || s[i].rank <= s[i].least)
                continue;
            int step = lr_rank_step(s[i].l, s[i].b->round);
            int from = s[i].rank >= s[i].full ? s[i].break_even : s[i].rank;
            int to = (from - 1) / step * step;
            to = to < s[i].least ? s[i].least : to;
            double rise = cost(&s[i], s[i].r) - cost(&s[i], view_ranks(&s[i], to));
            double measure = loss(&s[i], to, s[i].rank) / rise;
            if (rise > 0 && (best < 0 || measure < lowest)) {
                best = i;
                lowest = measure;
                found = (struct move){.to = view_ranks(&s[i], to), .rise = rise};
            }
        }
        if (best < 0)
            break;
        take(&s[best], &found);
        total -= found.rise;
    }
    return total;
}

/* ---- the rule ---- */

static double whole_cost(const struct lr_rank_layer *layers, int n,
                         const struct lr_budget *b)
{
    double sum = b->fixed;

    for (int i = 0; i < n; i++)
        sum += (double)lr_budget_cost(b, &layers[i], lr_ranks_whole(&layers[i]));
    return sum;
}

static double total_of(const struct state *s, int n, double fixed)
{
    for (int i = 0; i < n; i++)
        fixed += cost(&s[i], s[i].r);
    return fixed;
}

enum lr_status lr_rank_greedy(struct lr_ranks *ranks, const struct lr_rank_layer *layers,
                              int n, const struct lr_budget *b, bool is_paper,
                              struct lr_err *e)
{
    struct state *s = NULL;
    double total = b->fixed;
    enum lr_status st = lr_budget_check(b, layers, n, LR_NEEDS_SPECTRA, e);

    if (st != LR_OK)
        return st;
    double speedup = fmax(1, whole_cost(layers, n, b) / b->limit);
    if (!(s = lr_calloc((size_t)n, sizeof(*s)))) {
        st = lr_enomem(e, (size_t)n * sizeof(*s), "rank selection");
        goto out;
    }
    for (int i = 0; i < n; i++) {
        state_init(&s[i], &layers[i], b, speedup);
        set_unit(&s[i], is_paper);
        if ((st = set_energies(&s[i], e)) != LR_OK)
            goto out;
        total += view_cost(&s[i], s[i].rank);
    }
    drop(s, n, total, b->limit);
    for (int i = 0; i < n; i++)
        settle(&s[i], speedup);
    total = repair(s, n, total_of(s, n, b->fixed), b->limit);
    restore(s, n, total, b->limit);
    for (int i = 0; i < n; i++)
        ranks[i] = s[i].r;
out:
    for (int i = 0; s && i < n; i++) {
        lr_free(s[i].kept);
        lr_free(s[i].channel);
        lr_free(s[i].spatial);
    }
    lr_free(s);
    return st;
}
