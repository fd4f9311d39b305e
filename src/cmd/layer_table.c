/* The tables of layers. One list of keys serves layers, cost and error: machine formats
 * carry all of it, text shows the columns that have a title in that view: those that
 * matter most, because a row should fit into 80 columns. */
#include "cmd/context.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "out/number.h"
#include "ranklab/predict.h"
#include "ranklab/timing.h"

/* COLUMN(key, type, scale, digits, title in layers, in cost, in error). SPATIAL: the
 * title of the spatial rank, shown only where a layer has one. TIMED: the title once
 * milliseconds are known, and before. */
#define COLUMNS(COLUMN)                                                                  \
    COLUMN("layer", OUT_TEXT, 0, 0, "layer", "layer", "layer")                           \
    COLUMN("op", OUT_TEXT, 0, 0, NULL, NULL, NULL)                                       \
    COLUMN("shape", OUT_TEXT, 0, 0, "shape", NULL, NULL)                                 \
    COLUMN("stride", OUT_TEXT, 0, 0, NULL, NULL, NULL)                                   \
    COLUMN("groups", OUT_INT, 0, 0, NULL, NULL, NULL)                                    \
    COLUMN("rank", OUT_INT, 0, 0, "rank", "rank", "rank")                                \
    COLUMN("rank_spatial", OUT_INT, 0, 0, SPATIAL, SPATIAL, SPATIAL)                     \
    COLUMN("full_rank", OUT_INT, 0, 0, "of", "of", NULL)                                 \
    COLUMN("method", OUT_TEXT, 0, 0, "method", NULL, NULL)                               \
    COLUMN("energy", OUT_REAL, 0.01, 2, "kept %", NULL, NULL)                            \
    COLUMN("macs", OUT_INT, 1e6, 2, "MMAC", "MMAC", NULL)                                \
    COLUMN("macs_original", OUT_INT, 1e6, 2, NULL, "of MMAC", NULL)                      \
    COLUMN("params", OUT_INT, 1e3, 1, NULL, "kparam", NULL)                              \
    COLUMN("params_original", OUT_INT, 1e3, 1, NULL, "of kparam", NULL)                  \
    COLUMN("bytes", OUT_INT, 1e3, 0, NULL, TIMED(NULL, "kB"), NULL)                      \
    COLUMN("bytes_original", OUT_INT, 1e3, 0, NULL, TIMED(NULL, "of kB"), NULL)          \
    COLUMN("speedup", OUT_REAL, 0, 2, "x", "speedup", NULL)                              \
    COLUMN("ms", OUT_REAL, 0, 3, NULL, TIMED("ms", NULL), NULL)                          \
    COLUMN("ms_original", OUT_REAL, 0, 3, NULL, TIMED("of ms", NULL), NULL)              \
    COLUMN("error_linear", OUT_REAL, 0, 4, NULL, NULL, "linear")                         \
    COLUMN("error_calib", OUT_REAL, 0, 4, NULL, NULL, "calib")                           \
    COLUMN("error_heldout", OUT_REAL, 0, 4, "error", NULL, "held-out")                   \
    COLUMN("error_pre", OUT_REAL, 0, 4, NULL, NULL, "pre-f")                             \
    COLUMN("error_own", OUT_REAL, 0, 4, NULL, NULL, "own")                               \
    COLUMN("error_inherited", OUT_REAL, 0, 4, NULL, NULL, "inher.")                      \
    COLUMN("error_refit", OUT_REAL, 0, 4, NULL, NULL, "refit")                           \
    COLUMN("state", OUT_TEXT, 0, 0, "state", NULL, "state")                              \
    COLUMN("reason", OUT_TEXT, 0, 0, NULL, NULL, NULL)

#define IN_LAYERS(key, type, scale, digits, a, b, c) {key, a, type, scale, digits},
#define IN_COST(key, type, scale, digits, a, b, c) {key, b, type, scale, digits},
#define IN_ERROR(key, type, scale, digits, a, b, c) {key, c, type, scale, digits},
#define TIMED(timed, otherwise) otherwise
#define SPATIAL NULL
static const struct out_column columns_layers[] = {COLUMNS(IN_LAYERS)};
static const struct out_column columns_cost[] = {COLUMNS(IN_COST)};
static const struct out_column columns_error[] = {COLUMNS(IN_ERROR)};
#undef SPATIAL
#define SPATIAL "sp."
static const struct out_column spatial_layers[] = {COLUMNS(IN_LAYERS)};
static const struct out_column spatial_cost[] = {COLUMNS(IN_COST)};
static const struct out_column spatial_error[] = {COLUMNS(IN_ERROR)};
#undef SPATIAL
#undef TIMED
#define TIMED(timed, otherwise) timed
#define SPATIAL NULL
static const struct out_column timed_cost[] = {COLUMNS(IN_COST)};
#undef SPATIAL
#define SPATIAL "sp."
static const struct out_column timed_spatial_cost[] = {COLUMNS(IN_COST)};
#undef SPATIAL
#undef TIMED
enum { N_COLUMNS = sizeof(columns_layers) / sizeof(columns_layers[0]) };

static void pair_text(char *buf, size_t size, int a, int b)
{
    if (a == b)
        snprintf(buf, size, "%d", a);
    else
        snprintf(buf, size, "%dx%d", a, b);
}

static void add_int_or_null(struct out_table *t, int64_t v)
{
    if (v < 0)
        out_null(t);
    else
        out_int(t, v);
}

static void add_layer(struct out_table *t, struct cmd_ctx *c, int layer)
{
    struct lr_layer_row r;
    char shape[64], stride[32], reason[256];
    double ms, ms_original;

    lr_session_row(&r, c->session, layer);
    const struct lr_layer *l = r.layer;
    snprintf(shape, sizeof(shape), "%dx%dx%dx%d", l->d,
             l->c / (l->group > 0 ? l->group : 1), l->kh, l->kw);
    pair_text(stride, sizeof(stride), l->stride_h, l->stride_w);
    out_text(t, l->name);
    out_text(t,
             c->session->graph->nodes[c->session->graph->values[l->value].producer].type);
    out_text(t, shape);
    out_text(t, stride);
    out_int(t, l->group);
    add_int_or_null(t, r.rank);
    add_int_or_null(t, r.rank_spatial);
    add_int_or_null(t, r.full_rank);
    out_text(t, lr_method_info(r.method)->name);
    out_real(t, r.energy);
    add_int_or_null(t, r.macs);
    add_int_or_null(t, r.macs_original);
    add_int_or_null(t, r.params);
    add_int_or_null(t, r.params_original);
    add_int_or_null(t, r.bytes);
    add_int_or_null(t, r.bytes_original);
    out_real(t, r.speedup);
    lr_session_ms(&ms, &ms_original, c->session, layer);
    out_real(t, ms);
    out_real(t, ms_original);
    out_real(t, r.error_linear);
    out_real(t, r.error_calib);
    out_real(t, r.error_heldout);
    out_real(t, r.error_pre);
    out_real(t, r.error_own);
    out_real(t, r.error_inherited);
    out_real(t, r.error_refit);
    out_text(t, lr_state_name(r.state));
    out_text(t, lr_session_reason(c->session, layer, reason, sizeof(reason)));
}

struct sums {
    int64_t macs, macs0, params, params0, bytes, bytes0;
    double speedup, ms, ms0;
};

static void add_total(struct out_table *t, const char *name, const struct sums *s)
{
    out_text(t, name);
    for (size_t i = 1; i < N_COLUMNS; i++) {
        const char *key = columns_layers[i].key;
        if (strcmp(key, "macs") == 0)
            out_int(t, s->macs);
        else if (strcmp(key, "macs_original") == 0)
            out_int(t, s->macs0);
        else if (strcmp(key, "params") == 0)
            out_int(t, s->params);
        else if (strcmp(key, "params_original") == 0)
            out_int(t, s->params0);
        else if (strcmp(key, "bytes") == 0)
            out_int(t, s->bytes);
        else if (strcmp(key, "bytes_original") == 0)
            out_int(t, s->bytes0);
        else if (strcmp(key, "speedup") == 0)
            out_real(t, s->speedup);
        else if (strcmp(key, "ms") == 0)
            out_real(t, s->ms);
        else if (strcmp(key, "ms_original") == 0)
            out_real(t, s->ms0);
        else
            out_null(t);
    }
}

enum lr_status cmd_layer_table(struct out_table *t, struct cmd_ctx *c, const int *layers,
                               int n, enum cmd_layer_view view, struct cmd_error *e)
{
    static const struct out_column *const views[2][3] = {
        {columns_layers, columns_cost, columns_error},
        {spatial_layers, spatial_cost, spatial_error}};
    struct lr_totals sum;
    bool has_spatial = false;
    double ms = 0, ms0 = 0, net_ms, net_ms0;

    lr_session_ms(&net_ms, &net_ms0, c->session, -1);
    for (int i = 0; i < c->session->n_layers; i++) {
        double now, original;
        if (c->session->layers[i].kind != LR_LAYER_CONV)
            continue;
        lr_session_ms(&now, &original, c->session, i);
        ms += now;
        ms0 += original;
    }
    for (int i = 0; i < n; i++)
        has_spatial = has_spatial || c->session->plan[layers[i]].ranks.spatial > 0;
    const struct out_column *columns = views[has_spatial][view];
    if (view == CMD_VIEW_COST && !isnan(net_ms0))
        columns = has_spatial ? timed_spatial_cost : timed_cost;
    out_table_init(t, columns, N_COLUMNS);
    for (int i = 0; i < n; i++)
        add_layer(t, c, layers[i]);
    lr_session_totals(&sum, c->session);
    add_total(t, "total",
              &(struct sums){sum.macs, sum.macs_original, sum.params, sum.params_original,
                             sum.bytes, sum.bytes_original, sum.speedup, ms, ms0});
    add_total(t, "network",
              &(struct sums){sum.net_macs, sum.net_macs_original, sum.net_params,
                             sum.net_params_original, sum.net_bytes,
                             sum.net_bytes_original, sum.net_speedup, net_ms, net_ms0});
    if (!t->is_failed)
        return LR_OK;
    out_table_free(t);
    return lr_enomem(&e->err, (size_t)n * N_COLUMNS * sizeof(struct out_cell), "a table");
}

static const struct out_column columns_eval[] = {
    {"images", "images", OUT_INT, 0, 0},
    {"top1", "top1 %", OUT_REAL, 0.01, 2},
    {"top1_original", "orig %", OUT_REAL, 0.01, 2},
    {"top1_difference", "diff", OUT_REAL, 0.01, 2},
    {"difference_low", "low", OUT_REAL, 0.01, 2},
    {"difference_high", "high", OUT_REAL, 0.01, 2},
    {"top1_low", NULL, OUT_REAL, 0, 0},
    {"top1_high", NULL, OUT_REAL, 0, 0},
    {"top5", "top5 %", OUT_REAL, 0.01, 2},
    {"top5_original", "orig %", OUT_REAL, 0.01, 2},
    {"agreement", "agree %", OUT_REAL, 0.01, 2},
    {"output_error", "error", OUT_REAL, 0, 5},
    {"seconds", NULL, OUT_REAL, 0, 2},
};

void cmd_eval_table(struct out_table *t, const struct lr_eval *r)
{
    out_table_init(t, columns_eval, sizeof(columns_eval) / sizeof(columns_eval[0]));
    out_int(t, r->images);
    out_real(t, r->top1);
    out_real(t, r->top1_original);
    out_real(t, r->top1_difference);
    out_real(t, r->difference_low);
    out_real(t, r->difference_high);
    out_real(t, r->top1_low);
    out_real(t, r->top1_high);
    out_real(t, r->top5);
    out_real(t, r->top5_original);
    out_real(t, r->agreement);
    out_real(t, r->output_error);
    out_real(t, r->seconds);
}

void cmd_say_prediction(struct cmd_ctx *c, const struct lr_prediction *p)
{
    int n = p->n_networks > 0 ? p->n_networks : p->n_learned;
    const char *what = p->n_networks > 0 ? "evaluation" : "swept point";
    char left_out[48] = "";

    /* Fewer say nothing of how good it is. */
    if (p->n_networks >= 3 && isfinite(p->loo_error))
        snprintf(left_out, sizeof(left_out), " (left out, off by %.2f)",
                 100 * p->loo_error);
    cmd_say(c, "predicted %s %+.2f +-%.2f points, from %d %s%s%s",
            p->is_agreement ? "agreement" : "top-1",
            out_no_minus_zero(100 * p->difference, 2), 50 * (p->high - p->low), n, what,
            n == 1 ? "" : "s", left_out);
}

/* Nothing while the plan was evaluated as it is, or nothing can be said of it. */
static void say_prediction(struct cmd_ctx *c)
{
    struct lr_prediction p;
    struct lr_err none = {0};

    if (c->session->has_eval || lr_session_learn_known(c->session, &none) != LR_OK)
        return;
    lr_session_predict(&p, c->session);
    if (p.n_learned > 0)
        cmd_say_prediction(c, &p);
}

void cmd_say_totals(struct cmd_ctx *c)
{
    const struct lr_session *s = c->session;
    struct lr_totals t;
    struct lr_strbuf left = {0};
    char from[32], to[32];
    int n_chosen = 0, n_stale = 0;

    lr_session_totals(&t, s);
    for (int i = 0; i < s->n_layers; i++) {
        enum lr_state state = lr_session_state(s, i);
        n_chosen += state == LR_STATE_CHOSEN;
        n_stale += state == LR_STATE_STALE;
    }
    if (n_chosen)
        lr_strbuf_printf(&left, "; %d to solve", n_chosen);
    if (n_stale)
        lr_strbuf_printf(&left, "; %d stale", n_stale);
    cmd_say(c, "total %.2fx (%sMAC -> %sMAC), network %.2fx%s", t.speedup,
            cmd_amount(from, sizeof(from), (double)t.macs_original),
            cmd_amount(to, sizeof(to), (double)t.macs), t.net_speedup,
            left.s ? left.s : "");
    lr_strbuf_free(&left);
    say_prediction(c);
}

void cmd_say_whole(struct cmd_ctx *c)
{
    const struct lr_session *s = c->session;
    struct lr_strbuf line = {0};
    char buf[160];
    int n_whole = 0;

    for (int i = 0; i < s->n_layers; i++) {
        if (lr_session_state(s, i) != LR_STATE_WHOLE)
            continue;
        lr_strbuf_printf(&line, "%s%s (%s)", n_whole++ ? ", " : "", s->layers[i].name,
                         lr_session_reason(s, i, buf, sizeof(buf)));
    }
    if (n_whole > 0 && n_whole < s->n_layers && !line.is_failed)
        cmd_say(c, "whole: %s", line.s);
    lr_strbuf_free(&line);
}
