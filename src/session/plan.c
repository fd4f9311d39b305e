/* The plan: the state of each layer, what it costs, and changes of ranks and methods.
 * Factors stay in the plan only as long as they fit its rank and method, so "solved"
 * never has to be checked against anything else. */
#include "session/internal.h"

#include <math.h>
#include <stdio.h>

#include "ranklab/mem.h"

const char *lr_mode_name(enum lr_mode m)
{
    static const char *const names[] = {"asym", "sym", "symhat"};
    return names[m];
}

const char *lr_state_name(enum lr_state s)
{
    static const char *const names[] = {"whole", "chosen", "solved", "stale"};
    return names[s];
}

/* Sizes and costs come from files: they saturate instead of overflowing. */
static int64_t mul(int64_t a, int64_t b)
{
    int64_t product;

    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static bool has_bias(const struct lr_session *s, int layer)
{
    const struct lr_graph *g = s->graph;
    const struct lr_node *n = &g->nodes[g->values[s->layers[layer].value].producer];

    return n->n_in > 2 && n->in[2] >= 0;
}

struct lr_rank_layer lr_session_rank_layer(const struct lr_session *s, int layer)
{
    const struct lr_layer *l = &s->layers[layer];

    return (struct lr_rank_layer){
        .name = l->name,
        .d = l->d,
        .patch = mul(l->c / (l->group > 0 ? l->group : 1), mul(l->kh, l->kw)),
        .positions = mul(l->out_h, l->out_w),
        .eig = s->spectra ? s->spectra[layer].eig : NULL,
        .has_bias = has_bias(s, layer),
        .is_kept = !l->is_approximable || s->plan[layer].method == LR_METHOD_KEEP,
    };
}

/* Whether the layer would stay whole with this plan. */
static bool is_whole(const struct lr_session *s, int layer, const struct lr_layer_plan *p)
{
    struct lr_rank_layer r = lr_session_rank_layer(s, layer);

    return !s->layers[layer].is_approximable || p->method == LR_METHOD_KEEP ||
           p->rank >= r.d || p->rank >= lr_break_even(&r);
}

enum lr_state lr_session_state(const struct lr_session *s, int layer)
{
    const struct lr_layer_plan *p = &s->plan[layer];

    if (is_whole(s, layer, p))
        return LR_STATE_WHOLE;
    if (!p->factors)
        return LR_STATE_CHOSEN;
    return p->is_stale ? LR_STATE_STALE : LR_STATE_SOLVED;
}

const char *lr_session_reason(const struct lr_session *s, int layer, char *buf,
                              size_t size)
{
    const struct lr_layer *l = &s->layers[layer];
    const struct lr_layer_plan *p = &s->plan[layer];
    struct lr_rank_layer r = lr_session_rank_layer(s, layer);

    if (!l->is_approximable)
        return l->reason ? l->reason : "cannot be approximated";
    if (p->method == LR_METHOD_KEEP)
        return "method keep";
    if (p->rank >= l->d)
        return "full rank";
    if (p->rank >= lr_break_even(&r)) {
        snprintf(buf, size, "rank %d is at or above break-even %d", p->rank,
                 lr_break_even(&r));
        return buf;
    }
    return NULL;
}

void lr_session_row(struct lr_layer_row *r, const struct lr_session *s, int layer)
{
    const struct lr_layer *l = &s->layers[layer];
    const struct lr_layer_plan *p = &s->plan[layer];
    struct lr_rank_layer rl = lr_session_rank_layer(s, layer);

    *r = (struct lr_layer_row){.layer = l,
                               .method = p->method,
                               .state = lr_session_state(s, layer),
                               .rank = p->rank,
                               .rank_spatial = p->rank_spatial > 0 ? p->rank_spatial : -1,
                               .full_rank = l->d,
                               .macs_original = l->macs,
                               .params_original = l->params};
    bool is_split = r->state != LR_STATE_WHOLE;
    r->macs = is_split ? lr_macs_split(&rl, p->rank) : l->macs;
    r->params = is_split ? lr_params_split(&rl, p->rank) : l->params;
    r->speedup = r->macs > 0 ? (double)r->macs_original / (double)r->macs : NAN;
    r->energy = NAN;
    if (s->spectra && l->is_approximable)
        r->energy = is_split ? lr_spectrum_energy(&s->spectra[layer], p->rank) : 1;
    const struct lr_factors *f = p->factors;
    r->error_linear = f ? f->error_linear : NAN;
    r->error_calib = f ? f->error_calib : NAN;
    r->error_heldout = f ? f->error_heldout : NAN;
    r->error_pre = f ? f->error_pre : NAN;
    r->error_own = f ? f->error_own : NAN;
    r->error_inherited = f ? f->error_inherited : NAN;
    r->error_refit = f ? f->error_refit : NAN;
}

void lr_session_totals(struct lr_totals *t, const struct lr_session *s)
{
    *t = (struct lr_totals){0};
    if (!s->graph)
        return;
    for (int i = 0; i < s->n_layers; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        t->macs = add(t->macs, r.macs);
        t->macs_original = add(t->macs_original, r.macs_original);
        t->params = add(t->params, r.params);
        t->params_original = add(t->params_original, r.params_original);
    }
    struct lr_cost all = lr_graph_cost(s->graph);
    t->net_macs_original = all.macs;
    t->net_params_original = all.params;
    t->net_macs = add(all.macs - t->macs_original, t->macs);
    t->net_params = add(all.params - t->params_original, t->params);
    t->speedup = t->macs > 0 ? (double)t->macs_original / (double)t->macs : NAN;
    t->net_speedup = t->net_macs > 0 ? (double)all.macs / (double)t->net_macs : NAN;
}

/* Drops factors that no longer fit; what was fitted after them becomes stale. */
static enum lr_status settle(const struct lr_session *s, struct lr_layer_plan *next,
                             struct lr_err *e)
{
    bool *changed = lr_calloc((size_t)s->n_layers + 1, sizeof(*changed));

    if (!changed)
        return lr_enomem(e, (size_t)s->n_layers, "a set of layers");
    for (int i = 0; i < s->n_layers; i++) {
        struct lr_factors *f = next[i].factors;
        if (!f || (f->rank == next[i].rank && f->rank_spatial == next[i].rank_spatial &&
                   f->method == next[i].method && !is_whole(s, i, &next[i])))
            continue;
        lr_factors_unref(f);
        next[i].factors = NULL;
        next[i].is_stale = false;
        changed[i] = true;
    }
    enum lr_status rc = session_mark_stale(s, next, changed, NULL, e);
    lr_free(changed);
    return rc;
}

static enum lr_status check_layers(const struct lr_session *s, const int *layers, int n,
                                   struct lr_err *e)
{
    enum lr_status rc = session_need_network(s, e);

    for (int i = 0; rc == LR_OK && i < n; i++)
        if (layers[i] < 0 || layers[i] >= s->n_layers)
            rc = lr_err_set(e, LR_EINVAL, "layer %d: the layers are 1..%d", layers[i] + 1,
                            s->n_layers);
    return rc;
}

/* A layer that cannot be approximated refuses by itself; within a set it is passed over,
 * so that "all" can be used on any network. */
static enum lr_status pass_over(const struct lr_session *s, const int *layers, int n,
                                struct lr_err *e)
{
    const struct lr_layer *first = NULL;
    int n_bad = 0;

    for (int i = 0; i < n; i++) {
        if (s->layers[layers[i]].is_approximable)
            continue;
        if (n_bad++ == 0)
            first = &s->layers[layers[i]];
    }
    if (n_bad == 0)
        return LR_OK;
    const char *reason = first->reason ? first->reason : "unknown reason";
    if (n_bad == n)
        return lr_err_set(e, LR_EINVAL, "%s cannot be approximated: %s", first->name,
                          reason);
    if (n_bad == 1)
        lr_note(&s->notes, LR_NOTE_INFO, "%s stays whole: %s", first->name, reason);
    else
        lr_note(&s->notes, LR_NOTE_INFO, "%s (%s) and %d more stay whole", first->name,
                reason, n_bad - 1);
    return LR_OK;
}

enum lr_status lr_session_set_ranks(struct lr_session *s, const int *layers,
                                    const int *ranks, int n, struct lr_err *e)
{
    struct lr_layer_plan *next = NULL;
    enum lr_status rc = check_layers(s, layers, n, e);

    if (rc != LR_OK)
        return rc;
    for (int i = 0; i < n; i++) {
        const struct lr_layer *l = &s->layers[layers[i]];
        if (ranks[i] < 1)
            return lr_err_set(e, LR_EINVAL, "%s: rank %d is below 1", l->name, ranks[i]);
        if (ranks[i] > l->d)
            return lr_err_set(e, LR_EINVAL, "%s: rank %d exceeds its %d filters", l->name,
                              ranks[i], l->d);
    }
    if ((rc = pass_over(s, layers, n, e)) != LR_OK ||
        (rc = session_plan_copy(&next, s, e)) != LR_OK)
        return rc;
    for (int i = 0; i < n; i++)
        if (s->layers[layers[i]].is_approximable)
            next[layers[i]].rank = ranks[i];
    if ((rc = settle(s, next, e)) != LR_OK) {
        session_plan_free(next, s->n_layers);
        return rc;
    }
    return session_plan_commit(s, next, e);
}

enum lr_status lr_session_set_method(struct lr_session *s, const int *layers, int n,
                                     enum lr_method m, struct lr_err *e)
{
    struct lr_layer_plan *next = NULL;
    const struct lr_layer *linear = NULL;
    int n_linear = 0;
    enum lr_status rc = check_layers(s, layers, n, e);

    if (rc != LR_OK ||
        (m != LR_METHOD_KEEP && (rc = pass_over(s, layers, n, e)) != LR_OK) ||
        (rc = session_plan_copy(&next, s, e)) != LR_OK)
        return rc;
    for (int i = 0; i < n; i++) {
        const struct lr_layer *l = &s->layers[layers[i]];
        if (!l->is_approximable)
            continue;
        bool has_relu = l->follow == LR_FOLLOW_RELU;
        bool is_linear = m == LR_METHOD_RELU && !has_relu;
        next[layers[i]].method = is_linear ? LR_METHOD_PCA : m;
        if (is_linear && n_linear++ == 0)
            linear = l;
    }
    if ((rc = settle(s, next, e)) != LR_OK) {
        session_plan_free(next, s->n_layers);
        return rc;
    }
    if (n_linear == 1)
        lr_note(&s->notes, LR_NOTE_INFO, "%s: pca, because no ReLU follows",
                linear->name);
    else if (n_linear > 1)
        lr_note(&s->notes, LR_NOTE_INFO, "%s and %d more: pca, because no ReLU follows",
                linear->name, n_linear - 1);
    return session_plan_commit(s, next, e);
}
