/* The ways to have one layer, as a list from cheap to dear in which every entry loses
 * less than the one before it (its Pareto front). */
#include <stdlib.h>

#include "rank/rank_internal.h"
#include "ranklab/mem.h"

enum { FIRST_CAP = 1 << 10, REDUCE_FROM = 1 << 16 };

void lr_options_free(struct lr_options *o)
{
    lr_free(o->x);
    *o = (struct lr_options){0};
}

static int compare_ints(int a, int b)
{
    return (a > b) - (a < b);
}

static int by_cost(const void *a, const void *b)
{
    const struct lr_option *x = a, *y = b;

    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    if (x->loss < y->loss || x->loss > y->loss)
        return x->loss < y->loss ? -1 : 1;
    int first = compare_ints(x->ranks.channel, y->ranks.channel);
    return first != 0 ? first : compare_ints(x->ranks.spatial, y->ranks.spatial);
}

/* Sorts by cost and drops what costs no less than another and loses no less. Ties: the
 * lower d', then the lower d''. */
static void reduce(struct lr_options *o)
{
    int kept = 0;

    qsort(o->x, (size_t)o->n, sizeof(*o->x), by_cost);
    for (int i = 0; i < o->n; i++)
        if (kept == 0 || o->x[i].loss < o->x[kept - 1].loss)
            o->x[kept++] = o->x[i];
    o->n = kept;
}

enum lr_status lr_options_add(struct lr_options *o, int64_t cost, double loss,
                              struct lr_ranks r, struct lr_err *e)
{
    if (!isfinite(loss))
        return LR_OK;
    if (o->n == o->cap) {
        int cap = o->cap > 0 ? 2 * o->cap : FIRST_CAP;
        struct lr_option *x =
            lr_realloc(o->x, (size_t)o->cap, (size_t)cap, sizeof(*o->x));
        if (!x)
            return lr_enomem(e, (size_t)cap * sizeof(*x), "the choices of a layer");
        o->x = x;
        o->cap = cap;
    }
    o->x[o->n++] = (struct lr_option){cost, loss, r};
    return LR_OK;
}

/* ---- what each pair of ranks loses ---- */

struct losses {
    enum lr_objective objective;
    double *channel, *spatial; /* logs of kept shares by rank, or NULL */
    struct lr_error_segment *segments;
    int n_segments;
};

static void losses_free(struct losses *s)
{
    lr_free(s->channel);
    lr_free(s->spatial);
    lr_free(s->segments);
}

static enum lr_status shares_new(double **out, const double *x, int n, struct lr_err *e)
{
    if (!(*out = lr_alloc((size_t)n + 1, sizeof(double))))
        return lr_enomem(e, ((size_t)n + 1) * sizeof(double), "kept energies");
    lr_log_shares(*out, x, n);
    return LR_OK;
}

static enum lr_status segments_new(struct losses *s, const struct lr_rank_layer *l,
                                   struct lr_err *e)
{
    struct lr_error_segment found;

    for (int pass = 0; pass < 2; pass++) {
        int n = 0;
        for (int i = 0; i < l->n_points; i++)
            for (int j = 0; j <= l->n_points; j++) {
                if (!lr_error_segment(&found, l, i, j))
                    continue;
                if (pass > 0)
                    s->segments[n] = found;
                n++;
            }
        s->n_segments = n;
        if (pass == 0 && !(s->segments = lr_calloc((size_t)n, sizeof(found))))
            return lr_enomem(e, (size_t)n * sizeof(found), "measured errors");
    }
    return LR_OK;
}

static enum lr_status losses_init(struct losses *s, const struct lr_rank_layer *l,
                                  enum lr_objective o, struct lr_err *e)
{
    enum lr_status st = LR_OK;

    *s = (struct losses){.objective = o};
    if (o == LR_OBJECTIVE_ERROR)
        return segments_new(s, l, e);
    if (lr_split_has_channel(l))
        st = shares_new(&s->channel, l->eig, l->d, e);
    if (st == LR_OK && lr_split_has_spatial(l))
        st = shares_new(&s->spatial, l->spatial, lr_rank_spatial_full(l), e);
    return st;
}

static double loss_of(const struct losses *s, const struct lr_rank_layer *l,
                      struct lr_ranks r)
{
    struct lr_error_at a = LR_ERROR_AT_NOTHING;
    double sum = 0;

    if (s->objective == LR_OBJECTIVE_ENERGY) {
        if (s->channel)
            sum += s->channel[r.channel];
        if (s->spatial)
            sum += s->spatial[r.spatial];
        return 0 - sum;
    }
    for (int i = 0; i < s->n_segments; i++)
        lr_error_at_segment(&a, l, &s->segments[i], r);
    return lr_error_result(&a);
}

/* ---- all of a layer ---- */

/* Adds r when it pays; *pays says whether it does. */
static enum lr_status add_split(struct lr_options *o, bool *pays,
                                const struct lr_rank_layer *l, const struct lr_budget *b,
                                const struct losses *s, struct lr_ranks r,
                                struct lr_err *e)
{
    *pays = !lr_ranks_is_whole(l, r);
    if (!*pays)
        return LR_OK;
    /* Long lists are thinned out as they grow: most pairs are of no use. */
    if (o->n == o->cap && o->n >= REDUCE_FROM)
        reduce(o);
    return lr_options_add(o, lr_budget_cost(b, l, r), loss_of(s, l, r), r, e);
}

static enum lr_status add_line(struct lr_options *o, const struct lr_rank_layer *l,
                               const struct lr_budget *b, const struct losses *s,
                               struct lr_ranks r, bool is_spatial, struct lr_err *e)
{
    int full = is_spatial ? lr_rank_spatial_full(l) : l->d;
    int step = lr_rank_step(l, b->round), count = lr_grid_count(full, step);
    bool pays = true;

    for (int k = 1; k <= count && pays; k++) {
        int *rank = is_spatial ? &r.spatial : &r.channel;
        *rank = lr_grid_rank(full, step, k);
        r = lr_ranks_fill_merged(l, r);
        enum lr_status st = add_split(o, &pays, l, b, s, r, e);
        if (st != LR_OK || (!is_spatial && r.channel == full))
            return st;
    }
    return LR_OK;
}

static enum lr_status add_splits(struct lr_options *o, const struct lr_rank_layer *l,
                                 const struct lr_budget *b, const struct losses *s,
                                 struct lr_err *e)
{
    struct lr_ranks r = lr_ranks_lowest(l, b->round);
    enum lr_status st = LR_OK;

    if (l->split != LR_SPLIT_BOTH)
        return add_line(o, l, b, s, r, l->split == LR_SPLIT_SPATIAL, e);
    int full = lr_rank_spatial_full(l), step = lr_rank_step(l, b->round);
    int count = lr_grid_count(full, step), lowest = r.channel;
    for (int k = 1; k <= count && st == LR_OK; k++) {
        r = (struct lr_ranks){lowest, lr_grid_rank(full, step, k)};
        if (lr_ranks_is_whole(l, r))
            break;
        st = add_line(o, l, b, s, r, false, e);
    }
    return st;
}

enum lr_status lr_options_build(struct lr_options *o, const struct lr_rank_layer *l,
                                const struct lr_budget *b, struct lr_err *e)
{
    struct lr_ranks whole = lr_ranks_whole(l);
    struct losses s = {0};
    enum lr_status st = LR_OK;

    *o = (struct lr_options){0};
    if (!l->is_kept && l->split != LR_SPLIT_NONE) {
        if ((st = losses_init(&s, l, b->objective, e)) != LR_OK ||
            (st = add_splits(o, l, b, &s, e)) != LR_OK)
            goto out;
    }
    st = lr_options_add(o, lr_budget_cost(b, l, whole), 0, whole, e);
    if (st == LR_OK)
        reduce(o);
out:
    losses_free(&s);
    if (st != LR_OK)
        lr_options_free(o);
    return st;
}

enum lr_status lr_ranks_cheapest(struct lr_ranks *ranks,
                                 const struct lr_rank_layer *layers, int n,
                                 const struct lr_budget *b, struct lr_err *e)
{
    bool is_error = b->objective == LR_OBJECTIVE_ERROR;
    struct lr_options o = {0};
    enum lr_status st =
        lr_budget_check(b, layers, n, is_error ? LR_NEEDS_ERRORS : LR_NEEDS_SPECTRA, e);

    for (int i = 0; i < n && st == LR_OK; i++) {
        if ((st = lr_options_build(&o, &layers[i], b, e)) == LR_OK)
            ranks[i] = o.x[0].ranks;
        lr_options_free(&o);
    }
    return st;
}
