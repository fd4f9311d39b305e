/* Exact rank selection: one option per layer, the least loss within the capacity (the
 * multiple-choice knapsack problem). Partial choices are kept as a list, from cheap to
 * dear and each losing less than the one before it, and extended layer by layer (Dyer,
 * Riha and Walker 1995). A partial choice is dropped when even the fractional relaxation
 * of the layers to come, greedy along their convex hulls, cannot bring it below the best
 * complete choice known; that relaxation rounded down gives complete choices all the
 * time. Before that the Lagrangian bound removes options no best choice can contain. */
#include "rank/knapsack.h"

#include <stdlib.h>
#include <string.h>

#include "base/saturate.h"
#include "ranklab/mem.h"

/* Partial choices in all lists together, and in one list before it is thinned out. */
enum { MAX_KEPT = 1 << 24, MAX_LIST = 1 << 22, FIRST_LIST = 1 << 14 };

struct partial {
    int64_t cost;
    double loss;
    int parent, option;
};
struct link {
    int parent, option;
};

struct search {
    struct lr_relaxed r;
    int *index; /* [n] the layer's index among the caller's */
    struct partial *list, *next;
    int n_list, n_next, cap_next;
    struct link **links; /* [n] */
    int64_t n_kept;
    const struct lr_progress *progress;
};

static void search_free(struct search *s)
{
    for (int i = 0; s->links && i < s->r.n; i++)
        lr_free(s->links[i]);
    lr_relaxed_free(&s->r);
    lr_free(s->index);
    lr_free(s->list);
    lr_free(s->next);
    lr_free(s->links);
}

/* ---- extending partial choices ---- */

static int by_cost(const void *a, const void *b)
{
    const struct partial *x = a, *y = b;

    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    if (x->loss < y->loss || x->loss > y->loss)
        return x->loss < y->loss ? -1 : 1;
    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    return (x->option > y->option) - (x->option < y->option);
}

static void reduce(struct search *s)
{
    int kept = 0;

    qsort(s->next, (size_t)s->n_next, sizeof(*s->next), by_cost);
    for (int i = 0; i < s->n_next; i++)
        if (kept == 0 || s->next[i].loss < s->next[kept - 1].loss)
            s->next[kept++] = s->next[i];
    s->n_next = kept;
}

static enum lr_status too_many(struct lr_err *e)
{
    return lr_err_set(e, LR_EUNSUP,
                      "knapsack: more than %d partial choices would have to be kept; "
                      "round the ranks to a larger multiple, or use another rule",
                      MAX_LIST / 2);
}

static enum lr_status make_room(struct search *s, struct lr_err *e)
{
    if (s->n_next < s->cap_next)
        return LR_OK;
    reduce(s);
    if (s->n_next <= s->cap_next / 2)
        return LR_OK;
    if (s->cap_next >= MAX_LIST)
        return too_many(e);
    int cap = 2 * s->cap_next;
    struct partial *list =
        lr_realloc(s->next, (size_t)s->n_next, (size_t)cap, sizeof(*list));
    if (!list)
        return lr_enomem(e, (size_t)cap * sizeof(*list), "partial choices");
    s->next = list;
    s->cap_next = cap;
    return LR_OK;
}

static enum lr_status extend(struct search *s, int layer, struct lr_err *e)
{
    const struct lr_options *o = &s->r.o[layer];
    enum lr_status st = LR_OK;

    s->n_next = 0;
    for (int k = 0; k < o->n; k++) {
        double fraction = (layer + (double)k / o->n) / s->r.n;
        if ((st = lr_progress_tick(s->progress, fraction, "choosing ranks", e)) != LR_OK)
            return st;
        for (int i = 0; i < s->n_list; i++) {
            struct partial p = {lr_sat_add(s->list[i].cost, o->x[k].cost),
                                s->list[i].loss + o->x[k].loss, i, k};
            double rounded;
            if (p.cost > s->r.capacity)
                break; /* the list goes from cheap to dear */
            double least = lr_relaxed_bound(&s->r, s->r.capacity - p.cost, &rounded);
            s->r.best = fmin(s->r.best, p.loss + rounded);
            if (p.loss + least > s->r.best + s->r.slack)
                continue;
            if ((st = make_room(s, e)) != LR_OK)
                return st;
            s->next[s->n_next++] = p;
        }
    }
    reduce(s);
    return LR_OK;
}

/* Remembers how the new list came about and makes it the current one. */
static enum lr_status store(struct search *s, int layer, struct lr_err *e)
{
    size_t n = (size_t)s->n_next;
    struct partial *list = s->list;

    s->n_kept += s->n_next;
    if (s->n_kept > MAX_KEPT)
        return too_many(e);
    s->links[layer] = lr_alloc(n, sizeof(**s->links));
    s->list = lr_alloc(n, sizeof(*list));
    lr_free(list);
    if (!s->links[layer] || !s->list)
        return lr_enomem(e, n * sizeof(*list), "partial choices");
    for (int i = 0; i < s->n_next; i++)
        s->links[layer][i] = (struct link){s->next[i].parent, s->next[i].option};
    memcpy(s->list, s->next, n * sizeof(*list));
    s->n_list = s->n_next;
    return LR_OK;
}

/* ---- setting up ---- */

struct place {
    double grain; /* mean cost between options */
    int index;
    struct lr_options o;
};

static int coarse_first(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->grain < y->grain || x->grain > y->grain)
        return x->grain > y->grain ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Layers with few, coarse options are decided first: the relaxation of the others is then
 * close to what they can really do. */
static enum lr_status put_in_order(struct search *s, struct lr_err *e)
{
    struct place *p = lr_calloc((size_t)s->r.n, sizeof(*p));

    if (!p)
        return lr_enomem(e, (size_t)s->r.n * sizeof(*p), "rank selection");
    for (int i = 0; i < s->r.n; i++) {
        const struct lr_options *o = &s->r.o[i];
        p[i] = (struct place){0, i, *o};
        if (o->n > 1)
            p[i].grain = (double)(o->x[o->n - 1].cost - o->x[0].cost) / (o->n - 1);
    }
    qsort(p, (size_t)s->r.n, sizeof(*p), coarse_first);
    for (int i = 0; i < s->r.n; i++) {
        s->r.o[i] = p[i].o;
        s->index[i] = p[i].index;
    }
    lr_free(p);
    return LR_OK;
}

static enum lr_status allocate(struct search *s, struct lr_err *e)
{
    s->list = lr_calloc(1, sizeof(*s->list));
    s->next = lr_alloc(FIRST_LIST, sizeof(*s->next));
    s->cap_next = FIRST_LIST;
    if (!s->list || !s->next)
        return lr_enomem(e, FIRST_LIST * sizeof(*s->next), "rank selection");
    return lr_relaxed_make_room(&s->r, e);
}

/* Some options may have no known loss, so that the cheapest is dearer than expected. */
static enum lr_status check_cheapest(const struct search *s, const struct lr_budget *b,
                                     const struct lr_rank_layer *layers, struct lr_err *e)
{
    int64_t least = 0;
    double whole = b->fixed;

    for (int i = 0; i < s->r.n; i++) {
        least = lr_sat_add(least, s->r.o[i].x[0].cost);
        whole += (double)lr_budget_cost(b, &layers[i], lr_ranks_whole(&layers[i]));
    }
    if (least <= s->r.capacity)
        return LR_OK;
    double total = b->fixed + (double)least;
    if (b->kind == LR_BUDGET_MS)
        return lr_err_set(
            e, LR_EINVAL,
            "%.4g ms (%.4gx) cannot be met: with every layer at its fastest "
            "rank %.4g ms are left, %.3fx",
            b->limit / 1e6, whole / b->limit, total / 1e6,
            floor(whole / total * 1000) / 1000);
    return lr_err_set(
        e, LR_EINVAL,
        "a budget of %.0f (speedup %.4g) cannot be met with the ranks whose "
        "error is known: the least is %.0f, the nearest speedup is %.3f",
        b->limit, whole / b->limit, total, floor(whole / total * 1000) / 1000);
}

static enum lr_status search_run(struct search *s, struct lr_err *e)
{
    enum lr_status st = LR_OK;

    s->n_list = 1; /* nothing decided yet */
    for (int i = 0; i < s->r.n; i++) {
        lr_relaxed_set_rest(&s->r, i + 1);
        if ((st = extend(s, i, e)) != LR_OK || (st = store(s, i, e)) != LR_OK)
            return st;
    }
    if (s->n_list < 1)
        return lr_err_set(e, LR_ENUMERIC, "knapsack: the losses are too far apart");
    return LR_OK;
}

enum lr_status lr_rank_knapsack(struct lr_ranks *ranks,
                                const struct lr_rank_layer *layers, int n,
                                const struct lr_budget *b, struct lr_err *e)
{
    struct search s = {.r.n = n, .progress = b->progress};
    bool is_error = b->objective == LR_OBJECTIVE_ERROR;
    int *at = NULL;
    double most = 0;
    enum lr_status st =
        lr_budget_check(b, layers, n, is_error ? LR_NEEDS_ERRORS : LR_NEEDS_SPECTRA, e);

    if (st != LR_OK || n < 1)
        return st;
    s.r.capacity = lr_budget_capacity(b);
    s.r.o = lr_calloc((size_t)n, sizeof(*s.r.o));
    s.index = lr_calloc((size_t)n, sizeof(*s.index));
    s.links = lr_calloc((size_t)n, sizeof(*s.links));
    at = lr_calloc((size_t)n, sizeof(*at));
    if (!s.r.o || !s.index || !s.links || !at) {
        st = lr_enomem(e, (size_t)n * sizeof(*s.r.o), "rank selection");
        goto out;
    }
    for (int i = 0; i < n; i++) {
        if ((st = lr_progress_tick(b->progress, 0, "choosing ranks", e)) != LR_OK ||
            (st = lr_options_build(&s.r.o[i], &layers[i], b, e)) != LR_OK)
            goto out;
        most += s.r.o[i].x[0].loss;
    }
    if ((st = check_cheapest(&s, b, layers, e)) != LR_OK ||
        (st = allocate(&s, e)) != LR_OK)
        goto out;
    s.r.slack = 1e-11 * most;
    lr_relaxed_segments(&s.r);
    lr_relaxed_first_choice(&s.r, at);
    lr_relaxed_drop_options(&s.r);
    if ((st = put_in_order(&s, e)) != LR_OK)
        goto out;
    lr_relaxed_segments(&s.r);
    if ((st = search_run(&s, e)) != LR_OK)
        goto out;
    /* The last entry loses least, and of equal losses costs least. */
    int k = s.n_list - 1;
    for (int i = n - 1; i >= 0; i--) {
        struct link link = s.links[i][k];
        ranks[s.index[i]] = s.r.o[i].x[link.option].ranks;
        k = link.parent;
    }
out:
    search_free(&s);
    lr_free(at);
    return st;
}
