/* Exact rank selection: one option per layer, the least loss within the capacity (the
 * multiple-choice knapsack problem). Partial choices are kept as a list, from cheap to
 * dear and each losing less than the one before it, and extended layer by layer (Dyer,
 * Riha and Walker 1995). A partial choice is dropped when even the fractional relaxation
 * of the layers to come, greedy along their convex hulls, cannot bring it below the best
 * complete choice known; that relaxation rounded down gives complete choices all the
 * time. Before that the Lagrangian bound removes options no best choice can contain. */
#include <stdlib.h>
#include <string.h>

#include "rank/rank_internal.h"
#include "ranklab/mem.h"

/* Partial choices in all lists together, and in one list before it is thinned out. */
enum { MAX_KEPT = 1 << 24, MAX_LIST = 1 << 22, FIRST_LIST = 1 << 14 };

/* One step along the convex hull of a layer's options. */
struct segment {
    double rise, saved; /* cost, and loss saved for it */
    int layer, at;      /* the layer's place in the order */
};

struct partial {
    int64_t cost;
    double loss;
    int parent, option;
};
struct link {
    int parent, option;
};

struct search {
    int n;                /* layers, in the order in which they are decided */
    struct lr_options *o; /* [n] */
    int *index;           /* [n] the layer's index among the caller's */
    int64_t capacity;
    double best, slack; /* loss of the best complete choice; what rounding may blur */
    struct segment *all, *rest; /* hull steps, steepest first; those of layers to come */
    double *cum_rise, *cum_saved;
    int n_all, n_rest;
    int64_t rest_cost; /* of the layers to come, each at its cheapest */
    double rest_loss;
    struct partial *list, *next;
    int n_list, n_next, cap_next;
    struct link **links; /* [n] */
    int64_t n_kept;
    const struct lr_progress *progress;
};

static void search_free(struct search *s)
{
    for (int i = 0; i < s->n; i++) {
        if (s->o)
            lr_options_free(&s->o[i]);
        if (s->links)
            lr_free(s->links[i]);
    }
    lr_free(s->o);
    lr_free(s->index);
    lr_free(s->all);
    lr_free(s->rest);
    lr_free(s->cum_rise);
    lr_free(s->cum_saved);
    lr_free(s->list);
    lr_free(s->next);
    lr_free(s->links);
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* ---- the relaxation ---- */

/* The lower convex hull of a layer's options as steps from the cheapest on: their number.
 */
static int hull(struct segment *out, const struct lr_options *o, int layer)
{
    int n = 0;

    for (int k = 1; k < o->n; k++) {
        struct segment s = {.layer = layer, .at = k};
        for (;;) {
            int from = n > 0 ? out[n - 1].at : 0;
            s.rise = (double)(o->x[k].cost - o->x[from].cost);
            s.saved = o->x[from].loss - o->x[k].loss;
            if (n == 0 || s.saved * out[n - 1].rise < out[n - 1].saved * s.rise)
                break;
            n--;
        }
        out[n++] = s;
    }
    return n;
}

static int steepest_first(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    double left = x->saved * y->rise, right = y->saved * x->rise;

    if (left < right || left > right)
        return left > right ? -1 : 1;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static void all_segments(struct search *s)
{
    s->n_all = 0;
    for (int i = 0; i < s->n; i++)
        s->n_all += hull(s->all + s->n_all, &s->o[i], i);
    qsort(s->all, (size_t)s->n_all, sizeof(*s->all), steepest_first);
}

/* Prepares the bound for the layers from first on. */
static void set_rest(struct search *s, int first)
{
    s->n_rest = 0;
    s->rest_cost = 0;
    s->rest_loss = 0;
    for (int i = first; i < s->n; i++) {
        s->rest_cost = plus(s->rest_cost, s->o[i].x[0].cost);
        s->rest_loss += s->o[i].x[0].loss;
    }
    s->cum_rise[0] = s->cum_saved[0] = 0;
    for (int k = 0; k < s->n_all; k++) {
        if (s->all[k].layer < first)
            continue;
        int m = s->n_rest++;
        s->rest[m] = s->all[k];
        s->cum_rise[m + 1] = s->cum_rise[m] + s->all[k].rise;
        s->cum_saved[m + 1] = s->cum_saved[m] + s->all[k].saved;
    }
}

/* The least the layers to come can lose with room left for them; *rounded: what they lose
 * without the fraction. Infinite when they do not fit. */
static double bound(const struct search *s, int64_t room, double *rounded)
{
    double over = (double)(room - s->rest_cost);
    int low = 0, high = s->n_rest;

    *rounded = INFINITY;
    if (room < s->rest_cost)
        return INFINITY;
    while (low < high) {
        int middle = low + (high - low + 1) / 2;
        if (s->cum_rise[middle] <= over)
            low = middle;
        else
            high = middle - 1;
    }
    double saved = s->cum_saved[low];
    *rounded = s->rest_loss - saved;
    if (low < s->n_rest)
        saved += s->rest[low].saved * ((over - s->cum_rise[low]) / s->rest[low].rise);
    return s->rest_loss - saved;
}

/* ---- a good complete choice, and what it rules out ---- */

/* Along the hulls as far as it fits, skipping what does not; then single changes that
 * save most. */
static void first_choice(struct search *s, int *at)
{
    double loss = 0;
    int64_t room = s->capacity;

    for (int i = 0; i < s->n; i++) {
        at[i] = 0;
        room -= s->o[i].x[0].cost;
    }
    for (int k = 0; k < s->n_all; k++) {
        const struct segment *g = &s->all[k];
        const struct lr_option *x = s->o[g->layer].x;
        int64_t rise = x[g->at].cost - x[at[g->layer]].cost;
        if (rise > room)
            continue;
        room -= rise;
        at[g->layer] = g->at;
    }
    for (bool has_changed = true; has_changed;) {
        int best = -1, to = 0;
        double most = 0;
        has_changed = false;
        for (int i = 0; i < s->n; i++) {
            const struct lr_option *x = s->o[i].x;
            int k = at[i];
            while (k + 1 < s->o[i].n && x[k + 1].cost - x[at[i]].cost <= room)
                k++;
            if (x[at[i]].loss - x[k].loss > most) {
                most = x[at[i]].loss - x[k].loss;
                best = i;
                to = k;
            }
        }
        if (best >= 0) {
            room -= s->o[best].x[to].cost - s->o[best].x[at[best]].cost;
            at[best] = to;
            has_changed = true;
        }
    }
    for (int i = 0; i < s->n; i++)
        loss += s->o[i].x[at[i]].loss;
    s->best = loss;
}

/* Removes options that with the Lagrangian bound at the relaxation's own price exceed the
 * best choice known. */
static void drop_options(struct search *s)
{
    double price = 0, least = 0, base = 0, rise = 0, slack = s->slack;

    for (int i = 0; i < s->n; i++)
        base += (double)s->o[i].x[0].cost;
    for (int k = 0; k < s->n_all; k++) {
        rise += s->all[k].rise;
        if (base + rise > (double)s->capacity) {
            price = s->all[k].saved / s->all[k].rise;
            break;
        }
    }
    slack += 1e-14 * price * (double)s->capacity;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < s->n; i++) {
            struct lr_options *o = &s->o[i];
            double lowest = INFINITY;
            int kept = 0;
            for (int k = 0; k < o->n; k++)
                lowest = fmin(lowest, o->x[k].loss + price * (double)o->x[k].cost);
            if (pass == 0) {
                least += lowest;
                continue;
            }
            for (int k = 0; k < o->n; k++) {
                double reduced = o->x[k].loss + price * (double)o->x[k].cost - lowest;
                if (least - price * (double)s->capacity + reduced <= s->best + slack)
                    o->x[kept++] = o->x[k];
            }
            o->n = kept;
        }
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
    const struct lr_options *o = &s->o[layer];
    enum lr_status st = LR_OK;

    s->n_next = 0;
    for (int k = 0; k < o->n; k++) {
        double fraction = (layer + (double)k / o->n) / s->n;
        if ((st = lr_progress_tick(s->progress, fraction, "choosing ranks", e)) != LR_OK)
            return st;
        for (int i = 0; i < s->n_list; i++) {
            struct partial p = {plus(s->list[i].cost, o->x[k].cost),
                                s->list[i].loss + o->x[k].loss, i, k};
            double rounded;
            if (p.cost > s->capacity)
                break; /* the list goes from cheap to dear */
            double least = bound(s, s->capacity - p.cost, &rounded);
            s->best = fmin(s->best, p.loss + rounded);
            if (p.loss + least > s->best + s->slack)
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
    struct place *p = lr_calloc((size_t)s->n, sizeof(*p));

    if (!p)
        return lr_enomem(e, (size_t)s->n * sizeof(*p), "rank selection");
    for (int i = 0; i < s->n; i++) {
        const struct lr_options *o = &s->o[i];
        p[i] = (struct place){0, i, *o};
        if (o->n > 1)
            p[i].grain = (double)(o->x[o->n - 1].cost - o->x[0].cost) / (o->n - 1);
    }
    qsort(p, (size_t)s->n, sizeof(*p), coarse_first);
    for (int i = 0; i < s->n; i++) {
        s->o[i] = p[i].o;
        s->index[i] = p[i].index;
    }
    lr_free(p);
    return LR_OK;
}

static enum lr_status allocate(struct search *s, struct lr_err *e)
{
    size_t n = 1;

    for (int i = 0; i < s->n; i++)
        n += (size_t)s->o[i].n;
    s->all = lr_calloc(n, sizeof(*s->all));
    s->rest = lr_calloc(n, sizeof(*s->rest));
    s->cum_rise = lr_calloc(n, sizeof(double));
    s->cum_saved = lr_calloc(n, sizeof(double));
    s->list = lr_calloc(1, sizeof(*s->list));
    s->next = lr_alloc(FIRST_LIST, sizeof(*s->next));
    s->cap_next = FIRST_LIST;
    if (!s->all || !s->rest || !s->cum_rise || !s->cum_saved || !s->list || !s->next)
        return lr_enomem(e, n * 2 * sizeof(*s->all), "rank selection");
    return LR_OK;
}

/* Some options may have no known loss, so that the cheapest is dearer than expected. */
static enum lr_status check_cheapest(const struct search *s, const struct lr_budget *b,
                                     const struct lr_rank_layer *layers, struct lr_err *e)
{
    int64_t least = 0;
    double whole = b->fixed;

    for (int i = 0; i < s->n; i++) {
        least = plus(least, s->o[i].x[0].cost);
        whole += (double)lr_budget_cost(b, &layers[i], lr_ranks_whole(&layers[i]));
    }
    if (least <= s->capacity)
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
    for (int i = 0; i < s->n; i++) {
        set_rest(s, i + 1);
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
    struct search s = {.n = n, .progress = b->progress};
    bool is_error = b->objective == LR_OBJECTIVE_ERROR;
    int *at = NULL;
    double most = 0;
    enum lr_status st =
        lr_budget_check(b, layers, n, is_error ? LR_NEEDS_ERRORS : LR_NEEDS_SPECTRA, e);

    if (st != LR_OK || n < 1)
        return st;
    s.capacity = lr_budget_capacity(b);
    s.o = lr_calloc((size_t)n, sizeof(*s.o));
    s.index = lr_calloc((size_t)n, sizeof(*s.index));
    s.links = lr_calloc((size_t)n, sizeof(*s.links));
    at = lr_calloc((size_t)n, sizeof(*at));
    if (!s.o || !s.index || !s.links || !at) {
        st = lr_enomem(e, (size_t)n * sizeof(*s.o), "rank selection");
        goto out;
    }
    for (int i = 0; i < n; i++) {
        if ((st = lr_progress_tick(b->progress, 0, "choosing ranks", e)) != LR_OK ||
            (st = lr_options_build(&s.o[i], &layers[i], b, e)) != LR_OK)
            goto out;
        most += s.o[i].x[0].loss;
    }
    if ((st = check_cheapest(&s, b, layers, e)) != LR_OK ||
        (st = allocate(&s, e)) != LR_OK)
        goto out;
    s.slack = 1e-11 * most;
    all_segments(&s);
    first_choice(&s, at);
    drop_options(&s);
    if ((st = put_in_order(&s, e)) != LR_OK)
        goto out;
    all_segments(&s);
    if ((st = search_run(&s, e)) != LR_OK)
        goto out;
    /* The last entry loses least, and of equal losses costs least. */
    int k = s.n_list - 1;
    for (int i = n - 1; i >= 0; i--) {
        struct link link = s.links[i][k];
        ranks[s.index[i]] = s.o[i].x[link.option].ranks;
        k = link.parent;
    }
out:
    search_free(&s);
    lr_free(at);
    return st;
}
