/* The plan: the state of each layer, what it costs, and changes of ranks and methods.
 * Factors stay in the plan only as long as they fit its rank and method, so "solved"
 * never has to be checked against anything else. */
#include "session/internal.h"

#include <math.h>
#include <stdio.h>

#include "base/saturate.h"
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

static bool has_bias(const struct lr_session *s, int layer)
{
    const struct lr_graph *g = s->graph;
    const struct lr_node *n = &g->nodes[g->values[s->layers[layer].value].producer];

    return n->n_in > 2 && n->in[2] >= 0;
}

enum lr_method session_default_method(const struct lr_layer *l)
{
    return lr_act_is_nonlinear(&l->act) ? LR_METHOD_RELU : LR_METHOD_PCA;
}

struct lr_rank_layer lr_session_rank_layer_as(const struct lr_session *s, int layer,
                                              enum lr_method m)
{
    const struct lr_layer *l = &s->layers[layer];
    const struct lr_spectrum *spectrum = s->spectra ? &s->spectra[layer] : NULL;
    const struct lr_curve *curve = s->curves ? &s->curves[layer] : NULL;
    enum lr_split split = lr_method_info(m)->split;
    bool is_measured = curve && curve->n > 0 && curve->method == m;

    return (struct lr_rank_layer){
        .name = l->name,
        .split = split == LR_SPLIT_NONE ? LR_SPLIT_CHANNEL : split,
        .c = l->c,
        .d = l->d,
        .kh = l->kh,
        .kw = l->kw,
        .group = l->group > 0 ? l->group : 1,
        .positions = lr_sat_mul(l->out_h, l->out_w),
        .mid_positions = lr_sat_mul(l->out_h, l->in_w),
        .eig = spectrum ? spectrum->eig : NULL,
        .spatial = spectrum ? spectrum->spatial : NULL,
        .points = is_measured ? curve->points : NULL,
        .n_points = is_measured ? curve->n : 0,
        .times =
            session_ms_table(s, layer, split == LR_SPLIT_NONE ? LR_SPLIT_CHANNEL : split),
        .has_bias = has_bias(s, layer),
        .needs_bias = l->kind == LR_LAYER_FC,
        .is_kept = !l->is_approximable || m == LR_METHOD_KEEP,
    };
}

struct lr_rank_layer lr_session_rank_layer(const struct lr_session *s, int layer)
{
    return lr_session_rank_layer_as(s, layer, s->plan[layer].method);
}

bool session_is_whole(const struct lr_session *s, int layer, enum lr_method m,
                      struct lr_ranks r)
{
    struct lr_rank_layer l = lr_session_rank_layer_as(s, layer, m);

    return lr_ranks_is_whole(&l, r);
}

/* Whether the layer would stay whole with this plan. */
static bool is_whole(const struct lr_session *s, int layer, const struct lr_layer_plan *p)
{
    return session_is_whole(s, layer, p->method, p->ranks);
}

const char *lr_session_ranks_text(char *buf, size_t size, const struct lr_session *s,
                                  int layer)
{
    const struct lr_layer_plan *p = &s->plan[layer];

    switch (lr_method_info(p->method)->split) {
    case LR_SPLIT_SPATIAL:
        snprintf(buf, size, "%d", p->ranks.spatial);
        break;
    case LR_SPLIT_BOTH:
        snprintf(buf, size, "%d,%d", p->ranks.channel, p->ranks.spatial);
        break;
    default:
        snprintf(buf, size, "%d", p->ranks.channel);
    }
    return buf;
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
    struct lr_ranks full = lr_ranks_whole(&r);
    char ranks[32];

    if (!l->is_approximable)
        return l->reason ? l->reason : "cannot be approximated";
    if (p->method == LR_METHOD_KEEP)
        return "method keep";
    if (!is_whole(s, layer, p))
        return NULL;
    if (p->ranks.channel >= full.channel && p->ranks.spatial >= full.spatial)
        return "full rank";
    lr_session_ranks_text(ranks, sizeof(ranks), s, layer);
    if (r.split == LR_SPLIT_BOTH)
        snprintf(buf, size, "ranks %s cost no less than the whole layer", ranks);
    else
        snprintf(buf, size, "rank %s is at or above break-even %d", ranks,
                 lr_break_even(&r, p->ranks));
    return buf;
}

/* Activations read and written by a split's inner parts beside those of the whole layer,
 * which are read and written as before: each value between two parts twice. */
static int64_t inner_values(const struct lr_rank_layer *l, struct lr_ranks r)
{
    int64_t n = 0;

    if (l->split != LR_SPLIT_CHANNEL)
        n = lr_sat_add(n, lr_sat_mul(l->mid_positions, r.spatial));
    if (l->split == LR_SPLIT_CHANNEL ||
        (l->split == LR_SPLIT_BOTH && !lr_split_is_merged(l->d, l->kw, l->group, r)))
        n = lr_sat_add(n, lr_sat_mul(l->positions, r.channel));
    return lr_sat_mul(2, n);
}

void lr_session_row(struct lr_layer_row *r, const struct lr_session *s, int layer)
{
    const struct lr_layer *l = &s->layers[layer];
    const struct lr_layer_plan *p = &s->plan[layer];
    struct lr_rank_layer rl = lr_session_rank_layer(s, layer);

    *r = (struct lr_layer_row){.layer = l,
                               .method = p->method,
                               .state = lr_session_state(s, layer),
                               .rank = p->ranks.channel,
                               .rank_spatial =
                                   p->ranks.spatial > 0 ? p->ranks.spatial : -1,
                               .full_rank = l->d,
                               .macs_original = l->macs,
                               .params_original = l->params,
                               .bytes_original = l->bytes};
    bool is_split = r->state != LR_STATE_WHOLE;
    r->macs = is_split ? lr_macs_split(&rl, p->ranks) : l->macs;
    r->params = is_split ? lr_params_split(&rl, p->ranks) : l->params;
    r->bytes =
        is_split
            ? lr_sat_add(l->bytes, lr_sat_mul(4, lr_sat_add(r->params - l->params,
                                                            inner_values(&rl, p->ranks))))
            : l->bytes;
    r->speedup = r->macs > 0 ? (double)r->macs_original / (double)r->macs : NAN;
    r->energy = NAN;
    if (s->spectra && s->spectra[layer].eig)
        r->energy = is_split ? lr_ranks_energy(&rl, p->ranks) : 1;
    const struct lr_factors *f = p->factors;
    r->error_linear = f ? f->error_linear : NAN;
    r->error_calib = f ? f->error_calib : NAN;
    r->error_heldout = f ? f->error_heldout : NAN;
    r->error_pre = f ? f->error_pre : NAN;
    r->error_own = f ? f->error_own : NAN;
    r->error_inherited = f ? f->error_inherited : NAN;
    r->error_refit = f ? f->error_refit : NAN;
}

static double ratio(int64_t a, int64_t b)
{
    return b > 0 ? (double)a / (double)b : NAN;
}

void lr_session_totals(struct lr_totals *t, const struct lr_session *s)
{
    *t = (struct lr_totals){0};
    if (!s->graph)
        return;
    struct lr_cost all = lr_graph_cost(s->graph);
    t->net_macs = t->net_macs_original = all.macs;
    t->net_params = t->net_params_original = all.params;
    t->net_bytes = t->net_bytes_original = all.bytes;
    for (int i = 0; i < s->n_layers; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        t->net_macs = lr_sat_add(t->net_macs - r.macs_original, r.macs);
        t->net_params = lr_sat_add(t->net_params - r.params_original, r.params);
        t->net_bytes = lr_sat_add(t->net_bytes - r.bytes_original, r.bytes);
        if (s->layers[i].kind != LR_LAYER_CONV)
            continue;
        t->macs = lr_sat_add(t->macs, r.macs);
        t->macs_original = lr_sat_add(t->macs_original, r.macs_original);
        t->params = lr_sat_add(t->params, r.params);
        t->params_original = lr_sat_add(t->params_original, r.params_original);
        t->bytes = lr_sat_add(t->bytes, r.bytes);
        t->bytes_original = lr_sat_add(t->bytes_original, r.bytes_original);
    }
    t->speedup = ratio(t->macs_original, t->macs);
    t->net_speedup = ratio(t->net_macs_original, t->net_macs);
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
        if (!f || (f->rank == next[i].ranks.channel &&
                   f->rank_spatial == next[i].ranks.spatial &&
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

/* One of a layer's ranks: within its limits and a multiple of its groups. */
static enum lr_status check_rank(const struct lr_layer *l, const char *what, int rank,
                                 int full, struct lr_err *e)
{
    int group = l->group > 0 ? l->group : 1;

    if (rank < 1)
        return lr_err_set(e, LR_EINVAL, "%s: %s %d is below 1", l->name, what, rank);
    if (rank > full && full == l->d)
        return lr_err_set(e, LR_EINVAL, "%s: %s %d exceeds its %d filters", l->name, what,
                          rank, full);
    if (rank > full)
        return lr_err_set(e, LR_EINVAL, "%s: %s %d exceeds the largest, %d", l->name,
                          what, rank, full);
    if (rank % group)
        return lr_err_set(e, LR_EINVAL, "%s: %s %d is no multiple of its %d groups",
                          l->name, what, rank, group);
    return LR_OK;
}

static enum lr_status check_ranks(const struct lr_session *s, int layer,
                                  struct lr_ranks r, struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[layer];
    struct lr_rank_layer rl = lr_session_rank_layer(s, layer);
    struct lr_ranks full = lr_ranks_whole(&rl);
    enum lr_status rc = check_rank(l, "rank", r.channel, full.channel, e);

    if (rc != LR_OK || (full.spatial == 0 && r.spatial == 0))
        return rc;
    if (full.spatial == 0)
        return lr_err_set(e, LR_EINVAL, "%s: method %s has no spatial rank", l->name,
                          lr_method_info(s->plan[layer].method)->name);
    return check_rank(l, "spatial rank", r.spatial, full.spatial, e);
}

enum lr_status lr_session_set_ranks(struct lr_session *s, const int *layers,
                                    const struct lr_ranks *ranks, int n, struct lr_err *e)
{
    struct lr_layer_plan *next = NULL;
    enum lr_status rc = check_layers(s, layers, n, e);

    if (rc != LR_OK)
        return rc;
    for (int i = 0; i < n; i++)
        if (s->layers[layers[i]].is_approximable &&
            (rc = check_ranks(s, layers[i], ranks[i], e)) != LR_OK)
            return rc;
    if ((rc = pass_over(s, layers, n, e)) != LR_OK ||
        (rc = session_plan_copy(&next, s, e)) != LR_OK)
        return rc;
    for (int i = 0; i < n; i++)
        if (s->layers[layers[i]].is_approximable)
            next[layers[i]].ranks = ranks[i];
    if ((rc = settle(s, next, e)) != LR_OK) {
        session_plan_free(next, s->n_layers);
        return rc;
    }
    return session_plan_commit(s, next, e);
}

/* What m becomes on a layer that has method now, and why (NULL: it stays). */
static enum lr_method method_for(const char **why, const struct lr_layer *l,
                                 enum lr_method m, enum lr_method now)
{
    enum lr_split split = lr_method_info(m)->split;
    bool has_spatial = split == LR_SPLIT_SPATIAL || split == LR_SPLIT_BOTH;

    *why = NULL;
    if (has_spatial && l->kind == LR_LAYER_FC) {
        *why = "a fully connected layer has no spatial part";
        return now;
    }
    if (has_spatial && l->kh == 1 && l->kw == 1) {
        *why = "a 1x1 kernel has no spatial part";
        return m == LR_METHOD_SPATIAL ? LR_METHOD_SVD : session_default_method(l);
    }
    if (m == LR_METHOD_RELU && !lr_act_is_nonlinear(&l->act)) {
        *why = "no ReLU follows";
        return LR_METHOD_PCA;
    }
    return m;
}

/* The ranks of the layer under method m: as they are where the split is of the same kind,
 * else those of the same speedup, or the lowest where these are not enough. */
static struct lr_ranks convert_ranks(const struct lr_session *s, int layer,
                                     enum lr_method m)
{
    const struct lr_layer_plan *p = &s->plan[layer];
    struct lr_rank_layer from = lr_session_rank_layer(s, layer);
    struct lr_rank_layer to = lr_session_rank_layer_as(s, layer, m);
    struct lr_ranks r;

    if (from.split == to.split)
        return p->ranks;
    from.is_kept = false; /* a kept layer has ranks too */
    if (lr_ranks_is_whole(&from, p->ranks))
        return lr_ranks_whole(&to);
    double x = (double)lr_macs_whole(&from) / (double)lr_macs_split(&from, p->ranks);
    if (!lr_ranks_for_speedup(&r, &to, x, s->settings.round)) {
        r = lr_ranks_whole(&to);
        if (to.split != LR_SPLIT_SPATIAL)
            r.channel = lr_rank_step(&to, 1);
        if (to.split != LR_SPLIT_CHANNEL)
            r.spatial = lr_rank_step(&to, 1);
    }
    return r;
}

/* Layers that got another method than asked for, by reason. */
struct replaced {
    const char *why;
    enum lr_method method;
    struct lr_strbuf names;
    int n;
};
enum { MAX_REPLACED = 8 };

static void note_replaced(struct replaced *list, const struct lr_layer *l,
                          enum lr_method m, const char *why)
{
    int k = 0;

    while (k < MAX_REPLACED - 1 && list[k].why &&
           (list[k].why != why || list[k].method != m))
        k++;
    list[k].why = why;
    list[k].method = m;
    if (list[k].n < 4)
        lr_strbuf_printf(&list[k].names, "%s%s", list[k].n ? ", " : "", l->name);
    list[k].n++;
}

static void say_replaced(const struct lr_session *s, struct replaced *list)
{
    for (int k = 0; k < MAX_REPLACED; k++) {
        const struct replaced *x = &list[k];
        const char *name = x->n ? lr_method_info(x->method)->name : "";
        if (x->n > 4)
            lr_note(&s->notes, LR_NOTE_INFO, "%s and %d more: %s, because %s", x->names.s,
                    x->n - 4, name, x->why);
        else if (x->n)
            lr_note(&s->notes, LR_NOTE_INFO, "%s: %s, because %s", x->names.s, name,
                    x->why);
    }
}

enum lr_status lr_session_set_method(struct lr_session *s, const int *layers, int n,
                                     enum lr_method m, struct lr_err *e)
{
    struct lr_layer_plan *next = NULL;
    struct replaced replaced[MAX_REPLACED] = {{0}};
    enum lr_status rc = check_layers(s, layers, n, e);

    if (rc != LR_OK ||
        (m != LR_METHOD_KEEP && (rc = pass_over(s, layers, n, e)) != LR_OK) ||
        (rc = session_plan_copy(&next, s, e)) != LR_OK)
        return rc;
    for (int i = 0; i < n; i++) {
        const struct lr_layer *l = &s->layers[layers[i]];
        const char *why;
        if (!l->is_approximable)
            continue;
        enum lr_method own = method_for(&why, l, m, next[layers[i]].method);
        if (why)
            note_replaced(replaced, l, own, why);
        next[layers[i]].ranks = convert_ranks(s, layers[i], own);
        next[layers[i]].method = own;
    }
    rc = settle(s, next, e);
    if (rc == LR_OK) {
        say_replaced(s, replaced);
        rc = session_plan_commit(s, next, e);
    } else {
        session_plan_free(next, s->n_layers);
    }
    for (int k = 0; k < MAX_REPLACED; k++)
        lr_strbuf_free(&replaced[k].names);
    return rc;
}
