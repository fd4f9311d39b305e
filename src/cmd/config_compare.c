/* Two configurations side by side: a table of the layers, those that differ first, and
 * one of what was measured and set. */
#include "cmd/configs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/engine.h"

#define PAIR(key, title, type, scale, digits)                                            \
    {key "_a", title " a", type, scale, digits},                                         \
    {                                                                                    \
        key "_b", title " b", type, scale, digits                                        \
    }
static const struct out_column layer_columns[] = {
    {"layer", "layer", OUT_TEXT, 0, 0},
    {"differs", NULL, OUT_BOOL, 0, 0},
    {"configuration_a", NULL, OUT_TEXT, 0, 0},
    {"configuration_b", NULL, OUT_TEXT, 0, 0},
    PAIR("method", "method", OUT_TEXT, 0, 0),
    PAIR("rank", "rank", OUT_INT, 0, 0),
    PAIR("rank_spatial", "sp.", OUT_INT, 0, 0),
    {"macs_a", "MMAC a", OUT_INT, 1e6, 2},
    {"macs_b", "MMAC b", OUT_INT, 1e6, 2},
    {"params_a", NULL, OUT_INT, 0, 0},
    {"params_b", NULL, OUT_INT, 0, 0},
    PAIR("speedup", "x", OUT_REAL, 0, 2),
    {"error_heldout_a", "error a", OUT_REAL, 0, 4},
    {"error_heldout_b", "error b", OUT_REAL, 0, 4},
    {"error_calib_a", NULL, OUT_REAL, 0, 4},
    {"error_calib_b", NULL, OUT_REAL, 0, 4},
    PAIR("state", "state", OUT_TEXT, 0, 0),
};
enum {
    N_COLUMNS = sizeof(layer_columns) / sizeof(layer_columns[0]),
    COL_METHOD = 4,
    COL_SPATIAL = 8,
    COL_SPEEDUP = 14,
    COL_STATE = 20
};

static const struct out_column value_columns[] = {
    {"quantity", "quantity", OUT_TEXT, 0, 0},  {"configuration_a", NULL, OUT_TEXT, 0, 0},
    {"configuration_b", NULL, OUT_TEXT, 0, 0}, {"text_a", "a", OUT_TEXT, 0, 0},
    {"text_b", "b", OUT_TEXT, 0, 0},           {"value_a", NULL, OUT_REAL, 0, 0},
    {"value_b", NULL, OUT_REAL, 0, 0},
};

struct sides {
    const struct lr_session *s;
    const struct lr_config *a, *b;
    struct out_table t;
};

static void put_count(struct out_table *t, int64_t v)
{
    if (v < 0)
        out_null(t);
    else
        out_int(t, v);
}

static bool same_real(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* What the table shows tells whether two layers differ, and besides it the factors. */
static bool differs(const struct sides *x, int i)
{
    const struct lr_layer_plan *p = &x->a->plan[i], *q = &x->b->plan[i];
    struct lr_layer_row a, b;

    lr_session_config_row(&a, x->s, x->a, i);
    lr_session_config_row(&b, x->s, x->b, i);
    return a.method != b.method || a.rank != b.rank || a.rank_spatial != b.rank_spatial ||
           a.state != b.state || a.macs != b.macs ||
           !same_real(a.error_heldout, b.error_heldout) ||
           !same_real(a.error_calib, b.error_calib) || p->factors != q->factors;
}

static void add_layer(struct sides *x, int i, bool is_other)
{
    struct out_table *t = &x->t;
    struct lr_layer_row a, b;

    lr_session_config_row(&a, x->s, x->a, i);
    lr_session_config_row(&b, x->s, x->b, i);
    out_text(t, x->s->layers[i].name);
    out_bool(t, is_other);
    out_text(t, x->a->name);
    out_text(t, x->b->name);
    out_text(t, lr_method_info(a.method)->name);
    out_text(t, lr_method_info(b.method)->name);
    put_count(t, a.rank);
    put_count(t, b.rank);
    put_count(t, a.rank_spatial);
    put_count(t, b.rank_spatial);
    put_count(t, a.macs);
    put_count(t, b.macs);
    put_count(t, a.params);
    put_count(t, b.params);
    out_real(t, a.speedup);
    out_real(t, b.speedup);
    out_real(t, a.error_heldout);
    out_real(t, b.error_heldout);
    out_real(t, a.error_calib);
    out_real(t, b.error_calib);
    out_text(t, lr_state_name(a.state));
    out_text(t, lr_state_name(b.state));
}

static void add_sum(struct sides *x, const char *name, bool is_network)
{
    const struct lr_totals *a = &x->a->totals, *b = &x->b->totals;
    struct out_table *t = &x->t;
    int64_t macs_a = is_network ? a->net_macs : a->macs;
    int64_t macs_b = is_network ? b->net_macs : b->macs;

    out_text(t, name);
    out_bool(t, macs_a != macs_b);
    out_text(t, x->a->name);
    out_text(t, x->b->name);
    for (int i = 0; i < 6; i++)
        out_null(t);
    out_int(t, macs_a);
    out_int(t, macs_b);
    out_int(t, is_network ? a->net_params : a->params);
    out_int(t, is_network ? b->net_params : b->params);
    out_real(t, is_network ? a->net_speedup : a->speedup);
    out_real(t, is_network ? b->net_speedup : b->speedup);
    for (int i = 0; i < 6; i++)
        out_null(t);
}

static enum lr_status layer_table(struct cmd_ctx *c, struct sides *x, int *n_differ,
                                  struct cmd_error *e)
{
    const struct lr_session *s = x->s;
    struct out_column columns[N_COLUMNS];
    bool has_methods = false, has_spatial = false, has_states = false;

    *n_differ = 0;
    memcpy(columns, layer_columns, sizeof(columns));
    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_layer_plan *p = &x->a->plan[i], *q = &x->b->plan[i];
        has_methods = has_methods || p->method != q->method;
        has_spatial = has_spatial || p->ranks.spatial || q->ranks.spatial;
        struct lr_layer_row a, b;
        lr_session_config_row(&a, s, x->a, i);
        lr_session_config_row(&b, s, x->b, i);
        /* Other states go with other ranks; by themselves they must be seen. */
        has_states = has_states || (a.state != b.state && a.method == b.method &&
                                    a.rank == b.rank && a.rank_spatial == b.rank_spatial);
        *n_differ += differs(x, i);
    }
    /* A row should fit into 80 columns: what is the same everywhere is left out, and the
     * speedups, which follow from the multiply-adds, give way to what is not. */
    for (int k = 0; k < 2; k++) {
        if (!has_methods)
            columns[COL_METHOD + k].title = NULL;
        if (!has_spatial)
            columns[COL_SPATIAL + k].title = NULL;
        if (!has_states)
            columns[COL_STATE + k].title = NULL;
        if (has_methods || has_spatial || has_states)
            columns[COL_SPEEDUP + k].title = NULL;
    }
    cmd_say(c, "a: %s, %.2fx, %s; b: %s, %.2fx, %s; %d of %d layers differ", x->a->name,
            x->a->totals.speedup, cmd_config_state(x->a, s->n_layers), x->b->name,
            x->b->totals.speedup, cmd_config_state(x->b, s->n_layers), *n_differ,
            s->n_layers);
    out_table_init(&x->t, columns, N_COLUMNS);
    for (int wanted = 1; wanted >= 0; wanted--)
        for (int i = 0; i < s->n_layers; i++)
            if (differs(x, i) == wanted)
                add_layer(x, i, wanted);
    add_sum(x, "total", false);
    add_sum(x, "network", true);
    return cmd_table(c, &x->t, e);
}

/* ---- what was measured and set ---- */

static void add_value(struct sides *x, const char *name, const char *text_a,
                      const char *text_b, double a, double b)
{
    out_text(&x->t, name);
    out_text(&x->t, x->a->name);
    out_text(&x->t, x->b->name);
    out_text(&x->t, text_a);
    out_text(&x->t, text_b);
    out_real(&x->t, a);
    out_real(&x->t, b);
}

/* Of a number that is not known nothing is written. */
static void add_real(struct sides *x, const char *name, const char *fmt, double scale,
                     double a, double b) __attribute__((format(printf, 3, 0)));
static void add_real(struct sides *x, const char *name, const char *fmt, double scale,
                     double a, double b)
{
    char text_a[64], text_b[64];

    if (isnan(a) && isnan(b))
        return;
    snprintf(text_a, sizeof(text_a), fmt, scale * a);
    snprintf(text_b, sizeof(text_b), fmt, scale * b);
    add_value(x, name, isnan(a) ? NULL : text_a, isnan(b) ? NULL : text_b, a, b);
}

static const char *file_of(const struct lr_config *k)
{
    const char *slash = k->eval_path ? strrchr(k->eval_path, '/') : NULL;

    return slash ? slash + 1 : k->eval_path;
}

static void add_measured(struct sides *x)
{
    static const struct {
        const char *name, *fmt;
        double scale;
        size_t at;
    } fields[] = {
        {"top1", "%.2f %%", 100, offsetof(struct lr_eval, top1)},
        {"top1_difference", "%+.2f", 100, offsetof(struct lr_eval, top1_difference)},
        {"difference_low", "%+.2f", 100, offsetof(struct lr_eval, difference_low)},
        {"difference_high", "%+.2f", 100, offsetof(struct lr_eval, difference_high)},
        {"top5", "%.2f %%", 100, offsetof(struct lr_eval, top5)},
        {"agreement", "%.2f %%", 100, offsetof(struct lr_eval, agreement)},
        {"output_error", "%.4g", 1, offsetof(struct lr_eval, output_error)},
    };
    const struct lr_config *a = x->a, *b = x->b;
    bool has_a = a->has_eval || a->is_eval_told, has_b = b->has_eval || b->is_eval_told;

    for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
        const char *p = (const char *)&a->eval + fields[k].at;
        const char *q = (const char *)&b->eval + fields[k].at;
        add_real(x, fields[k].name, fields[k].fmt, fields[k].scale,
                 has_a ? *(const double *)(const void *)p : NAN,
                 has_b ? *(const double *)(const void *)q : NAN);
    }
    add_real(x, "images", "%.0f", 1, has_a ? (double)a->eval.images : NAN,
             has_b ? (double)b->eval.images : NAN);
    if (has_a && has_b && a->eval_sha256 && b->eval_sha256 &&
        strcmp(a->eval_sha256, b->eval_sha256) != 0)
        add_value(x, "evaluation", file_of(a), file_of(b), NAN, NAN);
    if (a->is_eval_told || b->is_eval_told)
        add_value(x, "measured", has_a ? a->is_eval_told ? "file" : "here" : NULL,
                  has_b ? b->is_eval_told ? "file" : "here" : NULL, NAN, NAN);
    add_real(x, "ms", "%.3f", 1, a->ms, b->ms);
}

static void add_settings(struct sides *x)
{
    const struct lr_settings *a = &x->a->settings, *b = &x->b->settings;
    const struct lr_deploy *p = &a->deploy, *q = &b->deploy;
    char text_a[32], text_b[32];

    if (a->seed != b->seed) {
        snprintf(text_a, sizeof(text_a), "%" PRIu64, a->seed);
        snprintf(text_b, sizeof(text_b), "%" PRIu64, b->seed);
        add_value(x, "seed", text_a, text_b, (double)a->seed, (double)b->seed);
    }
    if (a->mode != b->mode)
        add_value(x, "mode", lr_mode_name(a->mode), lr_mode_name(b->mode), NAN, NAN);
    if (a->round != b->round)
        add_real(x, "round", "%.0f", 1, a->round, b->round);
    if (a->n_iter1 != b->n_iter1)
        add_real(x, "iterations_1", "%.0f", 1, a->n_iter1, b->n_iter1);
    if (a->n_iter2 != b->n_iter2)
        add_real(x, "iterations_2", "%.0f", 1, a->n_iter2, b->n_iter2);
    if (a->lambda1 != b->lambda1)
        add_real(x, "lambda_1", "%g", 1, a->lambda1, b->lambda1);
    if (a->lambda2 != b->lambda2)
        add_real(x, "lambda_2", "%g", 1, a->lambda2, b->lambda2);
    if (p->convolution != q->convolution)
        add_value(x, "convolution", lr_convolution_names[p->convolution - LR_CONV_DIRECT],
                  lr_convolution_names[q->convolution - LR_CONV_DIRECT], NAN, NAN);
    if (p->engine != q->engine)
        add_value(x, "deploy_engine", lr_deploy_engine_names[p->engine],
                  lr_deploy_engine_names[q->engine], NAN, NAN);
    if (p->batch != q->batch)
        add_real(x, "deploy_batch", "%.0f", 1, p->batch, q->batch);
    if (p->threads != q->threads)
        add_real(x, "deploy_threads", "%.0f", 1, p->threads, q->threads);
}

enum lr_status cmd_compare(struct cmd_ctx *c, const struct cmd_call *call,
                           struct cmd_error *e)
{
    const struct cmd_value *a = cmd_arg(call, "A"), *b = cmd_arg(call, "B");
    struct sides x = {.s = c->session};
    struct lr_config now = {0};
    int n_differ;
    enum lr_status st = lr_session_find_config(&x.a, c->session, a->text, &e->err);

    if (st)
        return cmd_blame(e, a);
    if (b->is_set) {
        st = lr_session_find_config(&x.b, c->session, b->text, &e->err);
        if (st)
            return cmd_blame(e, b);
    } else {
        st = lr_session_view_config(&now, c->session, &e->err);
        if (st)
            return st;
        x.b = &now;
    }
    st = layer_table(c, &x, &n_differ, e);
    if (!st) {
        out_table_init(&x.t, value_columns,
                       sizeof(value_columns) / sizeof(value_columns[0]));
        add_measured(&x);
        add_settings(&x);
        if (x.t.n_cells || x.t.is_failed)
            st = cmd_table(c, &x.t, e);
        else
            out_table_free(&x.t);
    }
    lr_config_view_free(&now);
    return st;
}
