/* Copies of what the panes show. Everything that needs the session, the cost of other
 * ranks included, is computed here, by the thread that owns the session. */
#include "ui/snapshot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/plots.h"

enum { MAX_PRICES = 64 };

static void layer_free(struct ui_layer *l)
{
    lr_free(l->name);
    lr_free(l->shape);
    lr_free(l->kernel);
    lr_free(l->stride);
    lr_free(l->method);
    lr_free(l->next_method);
    lr_free(l->follow);
    lr_free(l->reason);
    lr_free(l->eig);
    lr_free(l->prices);
    ui_plot_unref(l->accuracy);
}

void ui_snapshot_free(struct ui_snapshot *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_layers; i++)
        layer_free(&s->layers[i]);
    for (size_t i = 0; i < s->n_binds; i++)
        lr_free(s->binds[i].command);
    lr_free(s->binds);
    cmd_words_free(&s->configs);
    lr_free(s->layers);
    lr_free(s->model);
    lr_free(s->session_file);
    lr_free(s);
}

static bool copy(char **to, const char *from)
{
    *to = from ? lr_strdup(from) : NULL;
    return !from || *to;
}

static bool pair_text(char **to, int a, int b, bool is_one)
{
    char buf[48];

    if (is_one && a == b)
        snprintf(buf, sizeof(buf), "%d", a);
    else
        snprintf(buf, sizeof(buf), "%dx%d", a, b);
    return copy(to, buf);
}

/* The method that `method` accepts after the layer's own. */
static const char *next_method(enum lr_method m)
{
    for (int i = 0; i < lr_n_methods; i++)
        if (lr_methods[i].id == m)
            return lr_methods[(i + 1) % lr_n_methods].name;
    return lr_methods[0].name;
}

/* ---- what depends on how ranks are priced ---- */

/* The rank that keys change: d'' of a spatial split, else d'. */
static int *leading(struct lr_ranks *r, const struct lr_rank_layer *l)
{
    return l->split == LR_SPLIT_SPATIAL ? &r->spatial : &r->channel;
}

static void price(struct ui_price *p, const struct lr_session *s, int layer, int rank)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    struct lr_ranks r = s->plan[layer].ranks;

    *leading(&r, &l) = rank;
    *p = (struct ui_price){.rank = rank, .energy = NAN};
    p->macs = lr_macs_at(&l, r);
    p->params = lr_params_at(&l, r);
    if (l.eig)
        p->energy = lr_ranks_is_whole(&l, r) ? 1 : lr_ranks_energy(&l, r);
}

static void take_ranks(struct ui_layer *out, const struct lr_session *s, int layer)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    struct lr_ranks r = s->plan[layer].ranks, whole = lr_ranks_whole(&l);

    out->rank = *leading(&r, &l);
    out->full_rank = *leading(&whole, &l);
    out->rank_spatial = l.split == LR_SPLIT_BOTH ? r.spatial : -1;
    out->step = lr_rank_step(&l, s->settings.round);
    if (!s->layers[layer].is_approximable)
        return;
    out->break_even = lr_break_even(&l, r);
    if (l.split == LR_SPLIT_BOTH)
        out->best_spatial =
            lr_spatial_for_macs(&l, r.channel, (double)lr_macs_whole(&l) - 1, out->step);
}

static const double *spectrum_of(const struct lr_session *s, int layer)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);

    return l.split == LR_SPLIT_SPATIAL ? l.spatial : l.eig;
}

/* ---- */

/* Ranks at even distances, with the layer's own, the break-even one and the full one. */
static bool add_prices(struct ui_layer *l, const struct lr_session *s, int layer)
{
    int d = l->full_rank, wanted[MAX_PRICES], n = 0;
    int step = d > 24 ? (d + 23) / 24 : 1;

    step = (step + l->step - 1) / l->step * l->step;

    for (int r = step; r < d && n < MAX_PRICES - 4; r += step)
        wanted[n++] = r;
    wanted[n++] = l->break_even;
    wanted[n++] = l->break_even - 1;
    wanted[n++] = l->rank;
    wanted[n++] = d;
    l->prices = lr_calloc(MAX_PRICES, sizeof(*l->prices));
    if (!l->prices)
        return false;
    for (int last = 0;;) {
        int next = d + 1;
        for (int i = 0; i < n; i++)
            if (wanted[i] > last && wanted[i] < next)
                next = wanted[i];
        if (next > d)
            break;
        price(&l->prices[l->n_prices++], s, layer, next);
        last = next;
    }
    return true;
}

/* Points that a sweep measured, drawn as `plot accuracy` does; without any there is none.
 */
static void take_accuracy(struct ui_layer *out, const struct lr_session *s, int i)
{
    struct cmd_drawing d = {0};
    struct cmd_error e = {0};

    if (cmd_draw_accuracy(&d, s, &i, 1, 0, &e) == LR_OK && !d.is_failed) {
        /* A pane has room for short labels only. */
        d.plot.title = cmd_drawing_text(&d, "=accuracy, %.60s", s->layers[i].name);
        d.plot.x_label = "rank";
        d.plot.y_label = "top-1 (points)";
        out->accuracy = ui_plot_copy(&d.plot);
    }
    cmd_drawing_free(&d);
}

static bool take_layer(struct ui_layer *out, const struct lr_session *s, int i)
{
    struct lr_layer_row r;
    char buf[256];

    lr_session_row(&r, s, i);
    const struct lr_layer *l = r.layer;
    out->group = l->group;
    take_ranks(out, s, i);
    out->is_approximable = l->is_approximable;
    out->state = r.state;
    out->energy = r.energy;
    out->speedup = r.speedup;
    out->macs = r.macs;
    out->macs_original = r.macs_original;
    out->params = r.params;
    out->params_original = r.params_original;
    out->error_linear = r.error_linear;
    out->error_calib = r.error_calib;
    out->error_heldout = r.error_heldout;
    out->error_pre = r.error_pre;
    out->error_own = r.error_own;
    out->error_inherited = r.error_inherited;
    out->error_refit = r.error_refit;
    const double *eig = l->is_approximable ? spectrum_of(s, i) : NULL;
    size_t n = out->full_rank > 0 ? (size_t)out->full_rank : 0;
    if (l->is_approximable && !add_prices(out, s, i))
        return false;
    if (eig && n) {
        out->eig = lr_alloc(n, sizeof(*out->eig));
        if (!out->eig)
            return false;
        memcpy(out->eig, eig, n * sizeof(*out->eig));
    }
    if (l->is_approximable)
        take_accuracy(out, s, i);
    return copy(&out->name, l->name) &&
           pair_text(&out->shape, l->d, l->c / (l->group > 0 ? l->group : 1), false) &&
           (l->kind == LR_LAYER_FC ? copy(&out->kernel, "fc")
                                   : pair_text(&out->kernel, l->kh, l->kw, false)) &&
           pair_text(&out->stride, l->stride_h, l->stride_w, true) &&
           copy(&out->method, lr_method_info(r.method)->name) &&
           copy(&out->next_method, next_method(r.method)) &&
           copy(&out->follow, l->follow_name) &&
           copy(&out->reason, lr_session_reason(s, i, buf, sizeof(buf)));
}

static bool take_binds(struct ui_snapshot *out, const struct cmd_ctx *c)
{
    out->binds = lr_calloc(c->n_binds, sizeof(*out->binds));
    if (!out->binds)
        return false;
    for (size_t i = 0; i < c->n_binds; i++) {
        out->binds[i] = c->binds[i];
        out->n_binds = i + 1;
        if (!copy(&out->binds[i].command, c->binds[i].command))
            return false;
    }
    return true;
}

static bool take_configs(struct ui_snapshot *out, const struct lr_session *s)
{
    for (int i = 0; s->configs && i < s->configs->n; i++)
        cmd_words_add(&out->configs, s->configs->items[i].name);
    return !out->configs.is_failed;
}

/* The last evaluation stays visible, as one of an earlier plan. */
static void take_eval(struct ui_snapshot *out, const struct lr_session *s,
                      const struct ui_snapshot *before)
{
    if (s->has_eval) {
        out->eval = s->last_eval;
        out->has_eval = true;
    } else if (before && before->has_eval && before->has_network &&
               strcmp(before->model_sha256, out->model_sha256) == 0) {
        out->eval = before->eval;
        out->has_eval = out->is_eval_old = true;
    }
}

struct ui_snapshot *ui_snapshot_take(const struct cmd_ctx *c,
                                     const struct ui_snapshot *before)
{
    const struct lr_session *s = c->session;
    struct ui_snapshot *out = lr_calloc(1, sizeof(*out));

    if (!out)
        return NULL;
    out->settings = c->settings;
    out->round = s->settings.round;
    out->swept = -1;
    out->n_calib = out->n_eval = -1;
    out->has_network = s->graph != NULL;
    bool is_ok =
        take_binds(out, c) && take_configs(out, s) &&
        (!c->auto_record.is_open || copy(&out->session_file, c->auto_record.path));
    if (is_ok && s->graph) {
        snprintf(out->model_sha256, sizeof(out->model_sha256), "%s", s->model_sha256);
        out->has_spectra = s->spectra != NULL;
        out->can_have_spectra = s->calib && lr_session_can_sample(s);
        out->n_calib = s->calib ? lr_dataset_count(s->calib) : -1;
        out->n_eval = s->eval ? lr_dataset_count(s->eval) : -1;
        out->layers = lr_calloc((size_t)s->n_layers, sizeof(*out->layers));
        is_ok = out->layers && copy(&out->model, s->model_name);
        for (int i = 0; is_ok && i < s->n_layers; i++) {
            out->n_layers = i + 1;
            is_ok = take_layer(&out->layers[i], s, i);
            out->n_chosen += out->layers[i].state == LR_STATE_CHOSEN;
            out->n_stale += out->layers[i].state == LR_STATE_STALE;
        }
        lr_session_totals(&out->totals, s);
        take_eval(out, s, before);
        lr_session_predict(&out->prediction, s);
    }
    if (is_ok)
        return out;
    ui_snapshot_free(out);
    return NULL;
}

/* ---- names for completion ---- */

bool ui_names_init(struct ui_names *n, const struct ui_snapshot *s)
{
    *n = (struct ui_names){0};
    n->ctx.session = &n->session;
    if (!s || s->n_layers == 0)
        return true;
    n->session.layers = lr_calloc((size_t)s->n_layers, sizeof(*n->session.layers));
    if (!n->session.layers)
        return false;
    n->session.n_layers = s->n_layers;
    for (int i = 0; i < s->n_layers; i++)
        n->session.layers[i].name = s->layers[i].name;
    n->configs.items = lr_calloc(s->configs.n, sizeof(*n->configs.items));
    if (!n->configs.items) {
        ui_names_free(n);
        return false;
    }
    n->configs.n = (int)s->configs.n;
    for (int i = 0; i < n->configs.n; i++)
        n->configs.items[i].name = s->configs.w[i];
    n->session.configs = &n->configs;
    return true;
}

void ui_names_free(struct ui_names *n)
{
    lr_free(n->session.layers);
    lr_free(n->configs.items);
    *n = (struct ui_names){0};
}
