/* Choosing the ranks of all layers for a budget. */
#include "cmd/changes.h"
#include "ranklab/timing.h"

/* Spatial ranks are shown where there are any. */
#define COLUMNS(spatial_before, spatial)                                                 \
    {                                                                                    \
        {"layer", "layer", OUT_TEXT, 0, 0}, {"method", NULL, OUT_TEXT, 0, 0},            \
            {"rank_before", "was", OUT_INT, 0, 0}, {"rank", "rank", OUT_INT, 0, 0},      \
            {"full_rank", "of", OUT_INT, 0, 0},                                          \
            {"rank_spatial_before", spatial_before, OUT_INT, 0, 0},                      \
            {"rank_spatial", spatial, OUT_INT, 0, 0},                                    \
            {"energy", "energy %", OUT_REAL, 0.01, 2},                                   \
            {"macs_before", "was MMAC", OUT_INT, 1e6, 2},                                \
            {"macs", "MMAC", OUT_INT, 1e6, 2}, {"speedup", "speedup", OUT_REAL, 0, 2},   \
            {"state", "state", OUT_TEXT, 0, 0}, {"reason", NULL, OUT_TEXT, 0, 0},        \
    }
static const struct out_column columns_channel[] = COLUMNS(NULL, NULL);
static const struct out_column columns_spatial[] = COLUMNS("was sp.", "sp.");
enum { N_COLUMNS = sizeof(columns_channel) / sizeof(columns_channel[0]) };

static void select_total(struct out_table *t, const char *name, int64_t before,
                         int64_t now, double speedup)
{
    out_text(t, name);
    for (int i = 0; i < 7; i++)
        out_null(t);
    out_int(t, before);
    out_int(t, now);
    out_real(t, speedup);
    out_null(t);
    out_null(t);
}

static void select_rows(struct out_table *t, const struct lr_session *s,
                        const struct cmd_before *old)
{
    struct lr_totals sum;
    char reason[256];

    for (int i = 0; i < s->n_layers; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        out_text(t, r.layer->name);
        out_text(t, lr_method_info(r.method)->name);
        out_int(t, old->ranks[i].channel);
        out_int(t, r.rank);
        out_int(t, r.full_rank);
        out_int(t, old->ranks[i].spatial > 0 ? old->ranks[i].spatial : INT64_MIN);
        out_int(t, r.rank_spatial > 0 ? r.rank_spatial : INT64_MIN);
        out_real(t, r.energy);
        out_int(t, old->macs[i]);
        out_int(t, r.macs);
        out_real(t, r.speedup);
        out_text(t, lr_state_name(r.state));
        out_text(t, lr_session_reason(s, i, reason, sizeof(reason)));
    }
    lr_session_totals(&sum, s);
    select_total(t, "total", old->totals.macs, sum.macs, sum.speedup);
    select_total(t, "network", old->totals.net_macs, sum.net_macs, sum.net_speedup);
}

static enum lr_status run_select(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *speedup = cmd_option(call, "speedup"),
                           *macs = cmd_option(call, "macs"),
                           *params = cmd_option(call, "params"),
                           *energy = cmd_option(call, "energy"),
                           *ms = cmd_option(call, "ms"),
                           *speedup_ms = cmd_option(call, "speedup-ms"),
                           *rule = cmd_option(call, "rule"),
                           *objective = cmd_option(call, "objective"),
                           *of = cmd_option(call, "of"), *keep = cmd_option(call, "keep");
    struct lr_select_opts o = {.progress = &c->progress};
    struct cmd_before old = {0};
    struct out_table t;
    int *kept = NULL;
    bool has_spatial = false;
    enum lr_status st;

    bool is_timed = ms->is_set || speedup_ms->is_set;
    struct lr_ms_promise promise = {0};
    if (speedup->is_set + macs->is_set + params->is_set + energy->is_set + ms->is_set +
            speedup_ms->is_set !=
        1) {
        cmd_hint(e, "such as select --speedup 4");
        return lr_err_set(&e->err, LR_EINVAL,
                          "give one of --speedup, --macs, --params, --energy, --ms and "
                          "--speedup-ms");
    }
    c->is_timed = is_timed;
    o.rule = lr_rank_rule_find(rule->is_set ? rule->text
                               : is_timed   ? "knapsack"
                                            : "energy");
    if (objective->is_set && !o.rule->has_objective) {
        cmd_hint(e, "--rule knapsack has");
        return cmd_fail_at(e, objective->begin, LR_EINVAL,
                           "the rule %s has no choice of an objective", o.rule->name);
    }
    o.objective =
        objective->is_set ? (enum lr_objective)objective->i : LR_OBJECTIVE_ENERGY;
    o.is_network = of->is_set && of->i == 1;
    o.speedup = speedup->is_set ? speedup->r : 0;
    o.ms = ms->is_set ? ms->r : 0;
    o.speedup_ms = speedup_ms->is_set ? speedup_ms->r : 0;
    o.promise = &promise;
    if (is_timed && !o.rule->has_ms)
        return cmd_fail_at(e, rule->begin, LR_EINVAL,
                           "the rule %s counts no milliseconds; knapsack does",
                           o.rule->name);
    struct lr_deploy deploy = lr_session_deploy(c->session);
    if (is_timed && (st = cmd_check_deploy(c, &deploy, e)) != LR_OK)
        return st;
    o.macs = macs->is_set ? macs->i : 0;
    o.params = params->is_set ? params->i : 0;
    o.energy = energy->is_set ? energy->r : 0;
    o.round = cmd_round(c, call);
    if (keep->is_set) {
        st = cmd_layers(&kept, &o.n_keep, c, keep, e);
        if (st)
            return st;
        o.keep = kept;
    }
    lr_session_note_limits(c->session);
    st = cmd_before_take(&old, c->session, e);
    if (!st)
        st = lr_session_select(c->session, &o, &e->err);
    lr_free(kept);
    if (st) {
        const struct cmd_value *asked = speedup->is_set      ? speedup
                                        : macs->is_set       ? macs
                                        : params->is_set     ? params
                                        : ms->is_set         ? ms
                                        : speedup_ms->is_set ? speedup_ms
                                                             : energy;
        if (st == LR_EINVAL && (c->session->calib || !o.rule->needs_spectra))
            cmd_blame(e, asked);
        cmd_before_free(&old);
        return st;
    }
    for (int i = 0; i < c->session->n_layers; i++)
        has_spatial = has_spatial || c->session->plan[i].ranks.spatial > 0;
    out_table_init(&t, has_spatial ? columns_spatial : columns_channel, N_COLUMNS);
    select_rows(&t, c->session, &old);
    cmd_before_free(&old);
    st = cmd_table(c, &t, e);
    if (!st) {
        cmd_say_whole(c);
        cmd_say_totals(c);
    }
    if (!st && is_timed)
        cmd_say(c,
                "promised: %.4g ms of %.4g ms, %.2fx, measured with these ranks (tables "
                "alone: %.2fx)",
                promise.ms, promise.ms_original, promise.ms_original / promise.ms,
                promise.ms_original / promise.ms_table);
    return st;
}

static const char *const objectives[] = {"energy", "error", NULL};
static const char *const scopes[] = {"total", "network", NULL};
static const struct cmd_param select_options[] = {
    {.name = "speedup",
     .type = CMD_T_FACTOR,
     .min = 1,
     .max = 1e9,
     .help = "of all convolutions together"},
    {.name = "macs",
     .type = CMD_T_AMOUNT,
     .min = 1,
     .max = 9e18,
     .help = "limit of multiply-adds of all convolutions"},
    {.name = "params",
     .type = CMD_T_AMOUNT,
     .min = 1,
     .max = 9e18,
     .help = "limit of their parameters"},
    {.name = "ms",
     .type = CMD_T_REAL,
     .min = 1e-6,
     .max = 1e9,
     .help = "limit of the network's milliseconds, as time measures them"},
    {.name = "speedup-ms",
     .type = CMD_T_FACTOR,
     .min = 1,
     .max = 1e9,
     .help = "of the network in milliseconds"},
    {.name = "energy", .type = CMD_T_SHARE, .help = "every layer keeps this share"},
    {.name = "round",
     .type = CMD_T_INT,
     .min = 1,
     .max = 4096,
     .help = "ranks as multiples of this"},
    {.name = "rule", .type = CMD_T_RULE, .help = "how ranks are compared"},
    {.name = "objective",
     .type = CMD_T_CHOICE,
     .choices = objectives,
     .help = "of the rule knapsack: energy kept or response error"},
    {.name = "of",
     .type = CMD_T_CHOICE,
     .choices = scopes,
     .help = "what the budget counts: row total or row network"},
    {.name = "keep", .type = CMD_T_SET, .help = "these stay whole"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "sel$ect",
     .key = "F4",
     .typed = "select --speedup ...",
     .summary = "choose the ranks of all layers for a budget",
     .detail =
         "Sets ranks and solves nothing. --speedup is that of the row total: all\n"
         "convolutions, those that stay whole and the 1x1 parts included; with --of\n"
         "network it is that of the row network, and fully connected layers whose\n"
         "method is not keep are chosen too. Layers with method keep stay whole. For\n"
         "3d the pair of ranks that fits a layer's share of the budget with the lowest\n"
         "held-out error is taken. --ms and --speedup-ms measure layers against ranks\n"
         "(see time) and time what the rule knapsack chose; the budget is that of the\n"
         "whole network on the deployment of the settings. help rules has the rules.\n",
     .examples = "select --speedup 2.5\nselect --energy 99% --keep conv2\n"
                 "select --speedup 3 --round 4 --rule uniform\n"
                 "select --speedup 3 --rule knapsack --objective error\n",
     .options = select_options,
     .flags = CMD_NEEDS_MODEL | CMD_TABLE,
     .run = run_select},
};

const struct cmd_group cmd_group_select = {"Choosing ranks", rows,
                                           sizeof(rows) / sizeof(rows[0])};
