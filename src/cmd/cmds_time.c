/* Milliseconds: measuring the plan, and layers against their ranks. */
#include "cmd/context.h"

#include <math.h>
#include <string.h>

#include "cmd/tables.h"
#include "ranklab/timing.h"

static const struct out_column columns_time[] = {
    {"layer", "layer", OUT_TEXT, 0, 0},    {"rank", "rank", OUT_INT, 0, 0},
    {"rank_spatial", NULL, OUT_INT, 0, 0}, {"ms_original", "orig ms", OUT_REAL, 0, 3},
    {"ms", "ms", OUT_REAL, 0, 3},          {"ms_low", "low", OUT_REAL, 0, 3},
    {"ms_high", "high", OUT_REAL, 0, 3},   {"runs", "runs", OUT_INT, 0, 0},
    {"speedup", "MACs x", OUT_REAL, 0, 2}, {"speedup_ms", "ms x", OUT_REAL, 0, 2},
    {"remark", "remark", OUT_TEXT, 0, 0},
};
static const struct out_column columns_ranks[] = {
    {"layer", "layer", OUT_TEXT, 0, 0},    {"rank", "rank", OUT_INT, 0, 0},
    {"rank_spatial", NULL, OUT_INT, 0, 0}, {"ms_original", "whole ms", OUT_REAL, 0, 4},
    {"ms", "ms", OUT_REAL, 0, 4},          {"ms_low", "low", OUT_REAL, 0, 4},
    {"ms_high", "high", OUT_REAL, 0, 4},   {"runs", "runs", OUT_INT, 0, 0},
    {"speedup", "MACs x", OUT_REAL, 0, 2}, {"speedup_ms", "ms x", OUT_REAL, 0, 2},
    {"remark", "remark", OUT_TEXT, 0, 0},
};
enum { N_COLUMNS = sizeof(columns_time) / sizeof(columns_time[0]) };
static const char slower[] = "slower than whole";

static void add_row(struct out_table *t, const char *name, struct lr_ranks r,
                    double original, const struct lr_ms_stat *now, double speedup,
                    const char *remark)
{
    out_text(t, name);
    out_int(t, r.channel > 0 ? r.channel : INT64_MIN);
    out_int(t, r.spatial > 0 ? r.spatial : INT64_MIN);
    out_real(t, original);
    out_real(t, now->ms);
    out_real(t, now->low);
    out_real(t, now->high);
    out_int(t, now->n_runs);
    out_real(t, speedup);
    out_real(t, original / now->ms);
    out_text(t, remark);
}

static bool is_split(const struct lr_session *s, int layer)
{
    return lr_session_state(s, layer) != LR_STATE_WHOLE;
}

static void add_plan(struct out_table *t, const struct lr_session *s,
                     const struct lr_time *m, const int *layers, int n)
{
    struct lr_totals sum;

    for (int i = 0; i < n; i++) {
        const struct lr_time_row *r = &m->layers[layers[i]];
        struct lr_layer_row row;
        lr_session_row(&row, s, layers[i]);
        bool is_slower = is_split(s, layers[i]) && r->now.ms > r->original.ms;
        add_row(t, row.layer->name, (struct lr_ranks){row.rank, row.rank_spatial},
                r->original.ms, &r->now, row.speedup, is_slower ? slower : NULL);
    }
    lr_session_totals(&sum, s);
    add_row(t, "total", (struct lr_ranks){0, 0}, m->total.original.ms, &m->total.now,
            sum.speedup, NULL);
    add_row(t, "network", (struct lr_ranks){0, 0}, m->network.original.ms,
            &m->network.now, sum.net_speedup, NULL);
}

static void add_ranks(struct out_table *t, const struct lr_session *s,
                      const struct lr_deploy *d, int layer)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    const struct lr_ms_table *m = lr_session_ms_table(s, d, layer);

    for (int k = 0; m && k < m->n; k++) {
        const struct lr_ms_point *p = &m->points[k];
        struct lr_ms_stat now = {p->ms, p->low, p->high, p->n_runs};
        add_row(t, l.name, p->ranks, m->whole.ms, &now,
                (double)lr_macs_whole(&l) / (double)lr_macs_split(&l, p->ranks),
                p->ms > m->whole.ms ? slower : NULL);
    }
}

static enum lr_status measure(struct cmd_ctx *c, const struct cmd_call *call,
                              const struct lr_deploy *d, const int *layers, int n,
                              struct cmd_error *e)
{
    const struct cmd_value *runs = cmd_option(call, "runs");

    if (cmd_option(call, "ranks")->is_set)
        return lr_session_time_ranks(c->session, d, layers, n,
                                     cmd_option(call, "again")->is_set, &c->progress,
                                     &e->err);
    return lr_session_time(c->session, d, runs->is_set ? (int)runs->i : 0, &c->progress,
                           &e->err);
}

enum lr_status cmd_time_table(struct out_table *t, struct cmd_ctx *c, struct cmd_error *e)
{
    struct lr_deploy d = lr_session_deploy(c->session);
    const struct lr_time *m = lr_session_time_of(c->session, &d);
    int *layers = NULL, n = 0;
    enum lr_status st = lr_session_layer_set(&layers, &n, c->session, "all", &e->err);

    if (st)
        return st;
    out_table_init(t, columns_time, N_COLUMNS);
    if (m)
        add_plan(t, c->session, m, layers, n);
    lr_free(layers);
    return LR_OK;
}

/* The oldest of them is told of. */
static void say_remembered(struct cmd_ctx *c, const struct lr_deploy *d,
                           const int *layers, int n)
{
    int64_t oldest = 0;
    int n_old = 0;
    char when[CMD_TIME_SIZE];

    for (int i = 0; i < n; i++) {
        int64_t at = lr_session_ms_when(c->session, d, layers[i]);
        n_old += at > 0;
        if (at > 0 && (oldest == 0 || at < oldest))
            oldest = at;
    }
    if (n_old)
        cmd_say(
            c,
            "%d layer%s remembered, measured %s on this machine; time --ranks --again "
            "measures anew",
            n_old, n_old == 1 ? "" : "s", cmd_time(when, oldest));
}

/* Half of the runs lie between the quartiles. */
static void say_unsteady(struct cmd_ctx *c, const struct lr_time *m)
{
    const struct lr_ms_stat *a = &m->network.original, *b = &m->network.now;
    double spread = fmax((a->high - a->low) / a->ms, (b->high - b->low) / b->ms);

    if (spread > 0.2)
        cmd_say(
            c,
            "times are unsteady, quartiles are %.0f %% apart: is something else running?",
            100 * spread);
}

static enum lr_status run_time(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *via = cmd_option(call, "via");
    bool is_ranks = cmd_option(call, "ranks")->is_set;
    struct lr_deploy d = lr_session_deploy(c->session);
    struct out_table t;
    char where[96];
    int *layers = NULL, n = 0;

    if (via->is_set)
        d.engine = (enum lr_deploy_engine)via->i;
    enum lr_status st = cmd_check_deploy(c, &d, e);
    if (!st)
        st = cmd_layers(&layers, &n, c, cmd_arg(call, "SET"), e);
    if (!st)
        st = measure(c, call, &d, layers, n, e);
    if (!st) {
        out_table_init(&t, is_ranks ? columns_ranks : columns_time, N_COLUMNS);
        for (int i = 0; is_ranks && i < n; i++)
            add_ranks(&t, c->session, &d, layers[i]);
        const struct lr_time *m = lr_session_time_of(c->session, &d);
        if (!is_ranks)
            add_plan(&t, c->session, m, layers, n);
        st = cmd_table(c, &t, e);
        if (!st && is_ranks)
            say_remembered(c, &d, layers, n);
        if (!st)
            cmd_say(c, "%s%s%s%s; one batch, medians and quartiles",
                    lr_deploy_text(where, sizeof(where), &d), m ? " (" : "",
                    m ? m->version : "", m ? ")" : "");
        if (!st && !is_ranks && m)
            say_unsteady(c, m);
    }
    lr_free(layers);
    return st;
}

enum lr_status cmd_check_deploy(const struct cmd_ctx *c, const struct lr_deploy *d,
                                struct cmd_error *e)
{
    if (d->engine != LR_DEPLOY_ONNXRUNTIME || !c->settings.is_safe)
        return LR_OK;
    return lr_err_set(&e->err, LR_EINVAL,
                      "ONNX Runtime is run by node, and --safe starts no program");
}

void cmd_say_ms(struct cmd_ctx *c)
{
    const struct lr_session *s = c->session;
    struct lr_deploy d = lr_session_deploy(s);
    struct lr_totals t;
    double ms, original;
    char where[96], ranks[32];

    lr_session_ms(&ms, &original, s, -1);
    if (isnan(original))
        return;
    lr_session_totals(&t, s);
    if (!isnan(ms))
        cmd_say(c, "network: %.3f ms -> %.3f ms, %.2fx where MACs say %.2fx (%s%s)",
                original, ms, original / ms, t.net_speedup,
                lr_deploy_text(where, sizeof(where), &d),
                lr_session_is_timed(s) ? "" : "; put together from tables");
    for (int i = 0; i < s->n_layers; i++) {
        lr_session_ms(&ms, &original, s, i);
        if (is_split(s, i) && ms > original)
            cmd_say(c,
                    "%s: rank %s takes %.3f ms, %.3f ms whole: slower than leaving it "
                    "whole",
                    s->layers[i].name, lr_session_ranks_text(ranks, sizeof(ranks), s, i),
                    ms, original);
    }
}

static const struct cmd_param time_args[] = {
    {.name = "SET", .type = CMD_T_SET, .flags = CMD_OPTIONAL}, {0}};
static const struct cmd_param time_options[] = {
    {.name = "ranks",
     .type = CMD_T_FLAG,
     .help = "layers against their ranks instead of the plan"},
    {.name = "via",
     .type = CMD_T_CHOICE,
     .choices = lr_deploy_engine_names,
     .help = "another engine than deploy-engine"},
    {.name = "again",
     .type = CMD_T_FLAG,
     .help = "with --ranks: measure what is remembered too"},
    {.name = "runs",
     .type = CMD_T_INT,
     .min = 1,
     .max = 100000,
     .help = "how often each network runs"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "ti$me",
     .summary = "measure milliseconds of the plan against the original",
     .detail =
         "Both networks run in turn, at deploy-batch and deploy-threads of the "
         "settings.\n"
         "A layer is timed inside its network, its ReLU included. ms is the median, low\n"
         "and high are quartiles; those of the row total are sums. Layers that are "
         "chosen\n"
         "but not solved run with filters that stand in: time does not depend on "
         "values.\n"
         "--ranks measures layers against ranks, with the steps of the vector width;\n"
         "select --ms and plot latency do so when it was not done. Those tables are "
         "kept\n"
         "in the cache folder, for the same network, deployment, processor and version "
         "of\n"
         "the engine, and used again until --again measures anew. --via onnxruntime\n"
         "times the networks there, through node and the module onnxruntime-node, found\n"
         "by NODE_PATH or in ~/.local/share/ranklab/node_modules.\n",
     .examples = "time --runs 3\n",
     .args = time_args,
     .options = time_options,
     .flags = CMD_NEEDS_MODEL | CMD_TABLE | CMD_VARIES,
     .run = run_time},
};

const struct cmd_group cmd_group_time = {"Milliseconds", rows,
                                         sizeof(rows) / sizeof(rows[0])};
