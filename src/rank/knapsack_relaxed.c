/* The fractional relaxation of the knapsack: steps along the layers' convex hulls,
 * steepest first, as far as the capacity goes. It gives a first complete choice, rules
 * out options by the Lagrangian bound at its own price, and bounds partial choices. */
#include "rank/knapsack.h"

#include <stdlib.h>

#include "base/saturate.h"
#include "ranklab/mem.h"

enum lr_status lr_relaxed_make_room(struct lr_relaxed *r, struct lr_err *e)
{
    size_t n = 1;

    for (int i = 0; i < r->n; i++)
        n += (size_t)r->o[i].n;
    r->all = lr_calloc(n, sizeof(*r->all));
    r->rest = lr_calloc(n, sizeof(*r->rest));
    r->cum_rise = lr_calloc(n, sizeof(double));
    r->cum_saved = lr_calloc(n, sizeof(double));
    if (!r->all || !r->rest || !r->cum_rise || !r->cum_saved)
        return lr_enomem(e, n * 2 * sizeof(*r->all), "rank selection");
    return LR_OK;
}

void lr_relaxed_free(struct lr_relaxed *r)
{
    for (int i = 0; r->o && i < r->n; i++)
        lr_options_free(&r->o[i]);
    lr_free(r->o);
    lr_free(r->all);
    lr_free(r->rest);
    lr_free(r->cum_rise);
    lr_free(r->cum_saved);
}

/* The lower convex hull of a layer's options as steps from the cheapest on: their number.
 */
static int hull(struct lr_segment *out, const struct lr_options *o, int layer)
{
    int n = 0;

    for (int k = 1; k < o->n; k++) {
        struct lr_segment s = {.layer = layer, .at = k};
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
    const struct lr_segment *x = a, *y = b;
    double left = x->saved * y->rise, right = y->saved * x->rise;

    if (left < right || left > right)
        return left > right ? -1 : 1;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

void lr_relaxed_segments(struct lr_relaxed *r)
{
    r->n_all = 0;
    for (int i = 0; i < r->n; i++)
        r->n_all += hull(r->all + r->n_all, &r->o[i], i);
    qsort(r->all, (size_t)r->n_all, sizeof(*r->all), steepest_first);
}

void lr_relaxed_set_rest(struct lr_relaxed *r, int first)
{
    r->n_rest = 0;
    r->rest_cost = 0;
    r->rest_loss = 0;
    for (int i = first; i < r->n; i++) {
        r->rest_cost = lr_sat_add(r->rest_cost, r->o[i].x[0].cost);
        r->rest_loss += r->o[i].x[0].loss;
    }
    r->cum_rise[0] = r->cum_saved[0] = 0;
    for (int k = 0; k < r->n_all; k++) {
        if (r->all[k].layer < first)
            continue;
        int m = r->n_rest++;
        r->rest[m] = r->all[k];
        r->cum_rise[m + 1] = r->cum_rise[m] + r->all[k].rise;
        r->cum_saved[m + 1] = r->cum_saved[m] + r->all[k].saved;
    }
}

double lr_relaxed_bound(const struct lr_relaxed *r, int64_t room, double *rounded)
{
    double over = (double)(room - r->rest_cost);
    int low = 0, high = r->n_rest;

    *rounded = INFINITY;
    if (room < r->rest_cost)
        return INFINITY;
    while (low < high) {
        int middle = low + (high - low + 1) / 2;
        if (r->cum_rise[middle] <= over)
            low = middle;
        else
            high = middle - 1;
    }
    double saved = r->cum_saved[low];
    *rounded = r->rest_loss - saved;
    if (low < r->n_rest)
        saved += r->rest[low].saved * ((over - r->cum_rise[low]) / r->rest[low].rise);
    return r->rest_loss - saved;
}

void lr_relaxed_first_choice(struct lr_relaxed *r, int *at)
{
    double loss = 0;
    int64_t room = r->capacity;

    for (int i = 0; i < r->n; i++) {
        at[i] = 0;
        room -= r->o[i].x[0].cost;
    }
    for (int k = 0; k < r->n_all; k++) {
        const struct lr_segment *g = &r->all[k];
        const struct lr_option *x = r->o[g->layer].x;
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
        for (int i = 0; i < r->n; i++) {
            const struct lr_option *x = r->o[i].x;
            int k = at[i];
            while (k + 1 < r->o[i].n && x[k + 1].cost - x[at[i]].cost <= room)
                k++;
            if (x[at[i]].loss - x[k].loss > most) {
                most = x[at[i]].loss - x[k].loss;
                best = i;
                to = k;
            }
        }
        if (best >= 0) {
            room -= r->o[best].x[to].cost - r->o[best].x[at[best]].cost;
            at[best] = to;
            has_changed = true;
        }
    }
    for (int i = 0; i < r->n; i++)
        loss += r->o[i].x[at[i]].loss;
    r->best = loss;
}

void lr_relaxed_drop_options(struct lr_relaxed *r)
{
    double price = 0, least = 0, base = 0, rise = 0, slack = r->slack;

    for (int i = 0; i < r->n; i++)
        base += (double)r->o[i].x[0].cost;
    for (int k = 0; k < r->n_all; k++) {
        rise += r->all[k].rise;
        if (base + rise > (double)r->capacity) {
            price = r->all[k].saved / r->all[k].rise;
            break;
        }
    }
    slack += 1e-14 * price * (double)r->capacity;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < r->n; i++) {
            struct lr_options *o = &r->o[i];
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
                if (least - price * (double)r->capacity + reduced <= r->best + slack)
                    o->x[kept++] = o->x[k];
            }
            o->n = kept;
        }
}
