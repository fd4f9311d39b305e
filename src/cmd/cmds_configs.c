/* Named configurations: a choice set aside with all that was measured of it, to come back
 * to or to compare with. */
#include "cmd/context.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "cmd/changes.h"
#include "cmd/config_file.h"
#include "cmd/configs.h"
#include "cmd/tables.h"

/* "2026-01-31T12:00:00Z", or short "2026-01-31 12:00"; NULL for 0, which is never. buf of
 * at least 32 bytes. */
static const char *time_text(char *buf, size_t size, int64_t when, bool is_short)
{
    time_t t = (time_t)when;
    struct tm parts;

    if (when <= 0 || !gmtime_r(&t, &parts) ||
        strftime(buf, size, is_short ? "%Y-%m-%d %H:%M" : "%Y-%m-%dT%H:%M:%SZ", &parts) ==
            0)
        return NULL;
    return buf;
}

const char *cmd_config_state(const struct lr_config *k, int n_layers)
{
    if (k->n_to_solve > k->n_stale)
        return lr_state_name(LR_STATE_CHOSEN);
    if (k->n_stale)
        return lr_state_name(LR_STATE_STALE);
    for (int i = 0; i < n_layers; i++)
        if (k->plan[i].factors)
            return lr_state_name(LR_STATE_SOLVED);
    return lr_state_name(LR_STATE_WHOLE);
}

int cmd_n_configs(const struct cmd_ctx *c)
{
    return c->session->configs ? c->session->configs->n : 0;
}

int cmd_config_names(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    int n = 0;

    for (int i = 0; i < cmd_n_configs(c); i++)
        cmd_add_name(b, &n, c->session->configs->items[i].name);
    return n;
}

void cmd_say_forgotten(struct cmd_ctx *c, int n, const char *names)
{
    if (n)
        cmd_say(c, "%d kept configuration%s of the network before forgotten: %s", n,
                n == 1 ? "" : "s", names ? names : "");
}

void cmd_say_known(struct cmd_ctx *c)
{
    const struct lr_eval *r = &c->session->last_eval;

    if (!c->session->has_eval)
        return;
    if (isnan(r->top1_difference))
        cmd_say(c, "evaluated before on %lld images: output error %.4g",
                (long long)r->images, r->output_error);
    else
        cmd_say(c, "evaluated before on %lld images: top-1 %.2f %%, %+.2f [%+.2f, %+.2f]",
                (long long)r->images, 100 * r->top1, 100 * r->top1_difference,
                100 * r->difference_low, 100 * r->difference_high);
}

/* ---- keep, use, drop ---- */

static enum lr_status run_keep(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *name = cmd_arg(call, "NAME");
    const struct lr_session *s = c->session;
    const struct lr_config *old = lr_session_config(s, name->text), *now;
    bool is_replaced = false;
    double was = 0;

    /* The same choice kept again, solved or evaluated meanwhile, is what is wanted. */
    for (int i = 0; old && i < s->n_layers; i++)
        is_replaced = is_replaced || old->plan[i].method != s->plan[i].method ||
                      old->plan[i].ranks.channel != s->plan[i].ranks.channel ||
                      old->plan[i].ranks.spatial != s->plan[i].ranks.spatial;
    if (is_replaced)
        was = old->totals.speedup;
    if (is_replaced && !cmd_option(call, "replace")->is_set) {
        cmd_hint(e, "keep %s --replace gives the name to this plan", name->text);
        return cmd_fail_at(e, name->begin, LR_EINVAL,
                           "%s is kept already, with other ranks (%.2fx)", name->text,
                           was);
    }
    enum lr_status st = lr_session_keep(c->session, name->text, &e->err);
    if (st)
        return cmd_blame(e, name);
    now = lr_session_config(s, name->text);
    if (is_replaced)
        cmd_say(c, "kept as %s: %.2fx, %s (was %.2fx)", name->text, now->totals.speedup,
                cmd_config_state(now, s->n_layers), was);
    else
        cmd_say(c, "kept as %s: %.2fx, %s", name->text, now->totals.speedup,
                cmd_config_state(now, s->n_layers));
    return LR_OK;
}

static enum lr_status run_use(struct cmd_ctx *c, const struct cmd_call *call,
                              struct cmd_error *e)
{
    const struct cmd_value *name = cmd_arg(call, "NAME");
    struct cmd_before old = {0};
    enum lr_status st = cmd_before_take(&old, c->session, e);

    if (!st) {
        st = lr_session_use(c->session, name->text, &e->err);
        if (st)
            cmd_blame(e, name);
    }
    if (!st) {
        const struct lr_config *k = lr_session_config(c->session, name->text);
        cmd_say_changes(c, &old);
        cmd_say_totals(c);
        if (k->has_eval && !c->session->has_eval)
            cmd_say(c, "it was evaluated on other images, or with another convolution");
        cmd_say_known(c);
    }
    cmd_before_free(&old);
    return st;
}

static enum lr_status run_drop(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *name = cmd_arg(call, "NAME");
    enum lr_status st = lr_session_drop(c->session, name->text, &e->err);

    if (st)
        return cmd_blame(e, name);
    cmd_say(c, "dropped %s; undo brings it back", name->text);
    return LR_OK;
}

/* ---- configs ---- */

#define PERCENT OUT_REAL, 0.01, 2
static const struct out_column config_columns[] = {
    {"configuration", "name", OUT_TEXT, 0, 0},
    {"is_current", "now", OUT_BOOL, 0, 0},
    {"state", "state", OUT_TEXT, 0, 0},
    {"to_solve", NULL, OUT_INT, 0, 0},
    {"speedup", "speedup", OUT_REAL, 0, 2},
    {"macs", "MMAC", OUT_INT, 1e6, 2},
    {"macs_original", NULL, OUT_INT, 1e6, 2},
    {"params", "k params", OUT_INT, 1e3, 1},
    {"params_original", NULL, OUT_INT, 1e3, 1},
    {"speedup_network", NULL, OUT_REAL, 0, 2},
    {"macs_network", NULL, OUT_INT, 1e6, 2},
    {"params_network", NULL, OUT_INT, 1e3, 1},
    {"top1", "top1 %", PERCENT},
    {"top1_original", NULL, PERCENT},
    {"top1_difference", "diff", PERCENT},
    {"difference_low", "low", PERCENT},
    {"difference_high", "high", PERCENT},
    {"agreement", NULL, PERCENT},
    {"output_error", NULL, OUT_REAL, 0, 5},
    {"images", NULL, OUT_INT, 0, 0},
    {"evaluation", NULL, OUT_TEXT, 0, 0},
    {"evaluation_sha256", NULL, OUT_TEXT, 0, 0},
    {"evaluated_at", NULL, OUT_TEXT, 0, 0},
    {"ms", "ms", OUT_REAL, 0, 3},
    {"ms_original", NULL, OUT_REAL, 0, 3},
    {"kept_at", NULL, OUT_TEXT, 0, 0},
    {"is_eval_told", NULL, OUT_BOOL, 0, 0},
    {"measured_at", "measured (UTC)", OUT_TEXT, 0, 0},
};

/* "2026-01-31 12:00 500 of test.npy", for people. */
static void add_measured(struct out_table *t, const struct lr_config *k)
{
    struct lr_strbuf b = {0};
    char when[32];
    const char *at = time_text(when, sizeof(when), k->evaluated_at, true);

    if (k->has_eval || k->is_eval_told) {
        const char *path = k->eval_path ? k->eval_path : "";
        const char *slash = strrchr(path, '/');
        lr_strbuf_printf(&b, "%s%s %lld of %s", k->is_eval_told ? "file: " : "",
                         at ? at : "?", (long long)k->eval.images,
                         slash ? slash + 1 : path);
    }
    out_text(t, b.s);
    t->is_failed = t->is_failed || b.is_failed;
    lr_strbuf_free(&b);
}

static void add_config(struct out_table *t, const struct lr_session *s,
                       const struct lr_config *k)
{
    const struct lr_totals *n = &k->totals;
    const struct lr_eval *r = &k->eval;
    bool has_eval = k->has_eval || k->is_eval_told;
    char buf[32];

    out_text(t, k->name);
    out_bool(t, lr_session_is_config(s, k));
    out_text(t, cmd_config_state(k, s->n_layers));
    out_int(t, k->n_to_solve);
    out_real(t, n->speedup);
    out_int(t, n->macs);
    out_int(t, n->macs_original);
    out_int(t, n->params);
    out_int(t, n->params_original);
    out_real(t, n->net_speedup);
    out_int(t, n->net_macs);
    out_int(t, n->net_params);
    out_real(t, has_eval ? r->top1 : NAN);
    out_real(t, has_eval ? r->top1_original : NAN);
    out_real(t, has_eval ? r->top1_difference : NAN);
    out_real(t, has_eval ? r->difference_low : NAN);
    out_real(t, has_eval ? r->difference_high : NAN);
    out_real(t, has_eval ? r->agreement : NAN);
    out_real(t, has_eval ? r->output_error : NAN);
    if (has_eval)
        out_int(t, r->images);
    else
        out_null(t);
    out_text(t, has_eval ? k->eval_path : NULL);
    out_text(t, has_eval ? k->eval_sha256 : NULL);
    out_text(t, has_eval ? time_text(buf, sizeof(buf), k->evaluated_at, false) : NULL);
    out_real(t, k->ms);
    out_real(t, k->ms_original);
    out_text(t, time_text(buf, sizeof(buf), k->kept_at, false));
    if (has_eval)
        out_bool(t, k->is_eval_told);
    else
        out_null(t);
    add_measured(t, k);
}

enum lr_status cmd_configs_table(struct out_table *t, struct cmd_ctx *c,
                                 struct cmd_error *e)
{
    const struct lr_configs *all = c->session->configs;

    (void)e;
    out_table_init(t, config_columns, sizeof(config_columns) / sizeof(config_columns[0]));
    for (int i = 0; all && i < all->n; i++)
        add_config(t, c->session, &all->items[i]);
    return LR_OK;
}

static enum lr_status run_configs(struct cmd_ctx *c, const struct cmd_call *call,
                                  struct cmd_error *e)
{
    const struct lr_configs *all = c->session->configs;
    struct out_table t;

    (void)call;
    if ((!all || all->n == 0) && c->settings.format == OUT_TABLE && !c->redirect_path) {
        cmd_say(c, "none is kept; keep NAME keeps the plan as it is");
        return LR_OK;
    }
    enum lr_status st = cmd_configs_table(&t, c, e);
    return st ? st : cmd_table(c, &t, e);
}

/* ---- rows ---- */

static const struct cmd_param name_args[] = {{.name = "NAME", .type = CMD_T_CONFIG}, {0}};
static const struct cmd_param keep_options[] = {
    {.name = "replace",
     .type = CMD_T_FLAG,
     .help = "even if the name is that of another plan"},
    {0}};

static const struct cmd_param compare_args[] = {
    {.name = "A", .type = CMD_T_CONFIG},
    {.name = "B",
     .type = CMD_T_CONFIG,
     .flags = CMD_OPTIONAL,
     .help = "the plan as it is when left out"},
    {0}};

static const char *const imports[] = {"config", NULL};
static const struct cmd_param import_args[] = {
    {.name = "WHAT", .type = CMD_T_CHOICE, .choices = imports, .help = "what to read"},
    {.name = "FILE", .type = CMD_T_PATH_IN},
    {0}};
static const struct cmd_param import_options[] = {
    {.name = "force", .type = CMD_T_FLAG, .help = "take what fits another network"}, {0}};

static const struct cmd_row rows[] = {
    {.name = "k$eep",
     .key = "F8",
     .typed = "keep ...",
     .summary = "keep the plan as it is under a name",
     .detail =
         "Ranks, methods, settings of the solver, solved factors and what was measured\n"
         "are kept until another network is opened; export config writes them to a\n"
         "file. The plan is not changed, so undo does not take a name away.\n",
     .examples = "keep fast\n",
     .args = name_args,
     .options = keep_options,
     .flags = CMD_NEEDS_MODEL,
     .run = run_keep},
    {.name = "us$e",
     .summary = "make a kept configuration the plan again",
     .detail =
         "Its solved factors come back with it, what was measured of it (when the same\n"
         "images are loaded), and the settings seed, mode, round, iterations and\n"
         "lambda. undo takes all of that back.\n",
     .examples = "use fast\n",
     .args = name_args,
     .flags = CMD_NEEDS_MODEL,
     .run = run_use},
    {.name = "dr$op",
     .summary = "forget a kept configuration",
     .detail = "undo brings it back.\n",
     .examples = "keep slow; drop slow\n",
     .args = name_args,
     .flags = CMD_NEEDS_MODEL,
     .run = run_drop},
    {.name = "con$figs",
     .summary = "the kept configurations, with what was measured of them",
     .detail =
         "speedup, multiply-adds and parameters are those of the convolutions, the\n"
         "columns ..._network those of all nodes. diff is top-1 minus the original's\n"
         "in points with its 95 % interval low..high, ms the time of one batch if it\n"
         "was timed. now: the plan is that configuration. file: an imported file says "
         "so;\n"
         "it was not measured here.\n",
     .examples = "configs\n",
     .flags = CMD_NEEDS_MODEL | CMD_TABLE | CMD_ASIDE,
     .run = run_configs},
    {.name = "comp$are",
     .summary = "two configurations side by side",
     .detail =
         "One row per layer, those that differ first, then the convolutions together\n"
         "(total) and every node (network); methods are shown where they differ. A\n"
         "second table has what was measured of either, and the settings that differ.\n"
         "csv and json have more columns, and numbers as they are.\n",
     .examples = "keep fast; compare fast\nkeep slow; compare fast slow\n",
     .args = compare_args,
     .flags = CMD_NEEDS_MODEL | CMD_TABLE | CMD_ASIDE,
     .run = cmd_compare},
    {.name = "im$port",
     .summary = "make a configuration file the plan",
     .detail =
         "Methods, ranks and the settings of the solver are taken, in one step that "
         "undo\n"
         "takes back; solve then makes the factors. What differs is named: layers,\n"
         "images, threads, version. A file of another network is refused without\n"
         "--force, which takes the layers that fit and leaves the others whole.\n",
     .args = import_args,
     .options = import_options,
     .flags = CMD_NEEDS_MODEL,
     .run = cmd_import_config},
};

const struct cmd_group cmd_group_configs = {"Configurations", rows,
                                            sizeof(rows) / sizeof(rows[0])};
