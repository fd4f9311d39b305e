/* Commands that change the plan: ranks, methods, selection for a budget, and the way
 * back. */
#include "cmd/context.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The plan before a command, to say afterwards what changed. */
struct before {
    int n;
    int *rank;
    enum lr_method *method;
    enum lr_state *state;
    int64_t *macs;
    struct lr_totals totals;
};

static void before_free(struct before *b)
{
    lr_free(b->rank);
    lr_free(b->method);
    lr_free(b->state);
    lr_free(b->macs);
}

static enum lr_status before_take(struct before *b, const struct lr_session *s,
                                  struct cmd_error *e)
{
    size_t n = (size_t)s->n_layers;

    *b = (struct before){.n = s->n_layers};
    b->rank = lr_calloc(n, sizeof(*b->rank));
    b->method = lr_calloc(n, sizeof(*b->method));
    b->state = lr_calloc(n, sizeof(*b->state));
    b->macs = lr_calloc(n, sizeof(*b->macs));
    if (!b->rank || !b->method || !b->state || !b->macs) {
        before_free(b);
        return lr_enomem(&e->err, n * sizeof(*b->macs), "the plan");
    }
    for (int i = 0; i < b->n; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        b->rank[i] = r.rank;
        b->method[i] = r.method;
        b->state[i] = r.state;
        b->macs[i] = r.macs;
    }
    lr_session_totals(&b->totals, s);
    return LR_OK;
}

static void add_name(struct lr_strbuf *b, int *n, const char *name)
{
    if (*n < 6)
        lr_strbuf_printf(b, "%s%s", *n ? ", " : "", name);
    else if (*n == 6)
        lr_strbuf_puts(b, ", ...");
    ++*n;
}

/* One line per changed layer, at most a dozen, then what became stale and the totals. */
static void say_changes(struct cmd_ctx *c, const struct before *old)
{
    const struct lr_session *s = c->session;
    struct lr_strbuf stale = {0}, lost = {0}, solved = {0};
    int n_changed = 0, n_stale = 0, n_lost = 0, n_solved = 0;
    char buf[256];

    for (int i = 0; i < old->n && i < s->n_layers; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        if (r.state == LR_STATE_STALE && old->state[i] != LR_STATE_STALE)
            add_name(&stale, &n_stale, r.layer->name);
        bool was_solved =
            old->state[i] == LR_STATE_SOLVED || old->state[i] == LR_STATE_STALE;
        if (r.state == LR_STATE_CHOSEN && was_solved)
            add_name(&lost, &n_lost, r.layer->name);
        if (r.state == LR_STATE_SOLVED && old->state[i] != LR_STATE_SOLVED)
            add_name(&solved, &n_solved, r.layer->name);
        if (r.rank == old->rank[i] && r.method == old->method[i])
            continue;
        if (++n_changed > 12)
            continue;
        struct lr_strbuf line = {0};
        if (r.method != old->method[i])
            lr_strbuf_printf(&line, ", method %s", lr_method_info(r.method)->name);
        if (r.rank != old->rank[i])
            lr_strbuf_printf(&line, ", rank %d -> %d of %d", old->rank[i], r.rank,
                             r.full_rank);
        const char *reason = lr_session_reason(s, i, buf, sizeof(buf));
        if (r.state == LR_STATE_WHOLE && r.rank == r.full_rank)
            lr_strbuf_puts(&line, r.rank != old->rank[i] ? ", whole" : "");
        else if (r.state == LR_STATE_WHOLE)
            lr_strbuf_printf(&line, ", stays whole: %s", reason ? reason : "");
        else if (!isnan(r.energy))
            lr_strbuf_printf(&line, ", %.2fx, energy lost %.2f %%", r.speedup,
                             100 * (1 - r.energy));
        else
            lr_strbuf_printf(&line, ", %.2fx", r.speedup);
        cmd_say(c, "%s: %s", r.layer->name, line.s ? line.s + 2 : "");
        lr_strbuf_free(&line);
    }
    if (n_changed > 12)
        cmd_say(c, "and %d more layers", n_changed - 12);
    if (!n_changed && !n_lost && !n_stale && !n_solved)
        cmd_say(c, "nothing changed");
    if (n_solved)
        cmd_say(c, "solved: %s", solved.s);
    if (n_lost)
        cmd_say(c, "to be solved again: %s", lost.s);
    if (n_stale)
        cmd_say(c, "stale: %s", stale.s);
    lr_strbuf_free(&stale);
    lr_strbuf_free(&lost);
    lr_strbuf_free(&solved);
}

/* ---- rank ---- */

static int round_up(int rank, int step, int d)
{
    int64_t up = step > 1 ? ((int64_t)rank + step - 1) / step * step : rank;

    return up < d ? (int)up : d;
}

/* The rank that v asks of layer i. */
static enum lr_status rank_of(int *rank, struct cmd_ctx *c, int i,
                              const struct cmd_value *v, int step, struct cmd_error *e)
{
    struct lr_rank_layer l = lr_session_rank_layer(c->session, i);

    switch (v->rank_kind) {
    case CMD_RANK_NUMBER:
        if (v->i > l.d)
            return cmd_fail_at(e, v->begin, LR_EINVAL, "%s exceeds the %d filters of %s",
                               v->text, l.d, l.name);
        if (v->i < 1)
            return cmd_fail_at(e, v->begin, LR_EINVAL,
                               "%s is below 1; ranks of %s are 1 to %d", v->text, l.name,
                               l.d);
        *rank = lr_rank_round(&l, (int)v->i, step);
        return LR_OK;
    case CMD_RANK_SHARE: {
        int share = (int)floor(v->r * l.d + 1e-9);
        *rank = lr_rank_round(&l, share < 1 ? 1 : share, step);
        return LR_OK;
    }
    case CMD_RANK_ENERGY:
        *rank = round_up(lr_rank_for_energy(&l, v->r), step, l.d);
        return LR_OK;
    case CMD_RANK_SPEEDUP:
        *rank = lr_rank_for_speedup(&l, v->r);
        if (*rank < 1)
            return cmd_fail_at(
                e, v->begin, LR_EINVAL, "%s cannot be %gx as fast: rank 1 gives %.3gx",
                l.name, v->r, (double)lr_macs_whole(&l) / (double)lr_macs_split(&l, 1));
        *rank = lr_rank_round(&l, *rank, step);
        return LR_OK;
    case CMD_RANK_FULL:
        *rank = l.d;
        return LR_OK;
    case CMD_RANK_PAIR:
        break;
    }
    return cmd_fail_at(e, v->begin, LR_EINVAL,
                       "%s sets two ranks, and method %s of %s has one", v->text,
                       lr_method_info(c->session->plan[i].method)->name, l.name);
}

/* Spectra make the answer complete; without images the ranks are set all the same. */
static enum lr_status try_spectra(struct cmd_ctx *c, bool is_needed, struct cmd_error *e)
{
    char buf[256];

    if (!is_needed &&
        (!c->session->calib || lr_graph_blocker(c->session->graph, buf, sizeof(buf))))
        return LR_OK;
    return lr_session_spectra(c->session, &c->progress, &e->err);
}

static int round_option(const struct cmd_ctx *c, const struct cmd_call *call)
{
    const struct cmd_value *v = cmd_option(call, "round");

    return v->is_set ? (int)v->i : c->session->settings.round;
}

static enum lr_status run_rank(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *set = cmd_arg(call, "SET"), *v = cmd_arg(call, "VALUE");
    struct lr_session *s = c->session;
    struct before old = {0};
    int *layers = NULL, *ranks = NULL, n = 0, step = round_option(c, call);
    /* A rank typed as a number is meant; only --round itself rounds it. */
    if (v->rank_kind == CMD_RANK_NUMBER && !cmd_option(call, "round")->is_set)
        step = 1;
    enum lr_status st = cmd_layers(&layers, &n, c, set, e);

    if (st)
        return st;
    if (n == 0) {
        st = cmd_fail_at(e, set->begin, LR_EINVAL, "no layer is in %s", set->text);
        goto out;
    }
    st = try_spectra(c, v->rank_kind == CMD_RANK_ENERGY, e);
    if (st)
        goto out;
    ranks = lr_calloc((size_t)n, sizeof(*ranks));
    if (!ranks) {
        st = lr_enomem(&e->err, (size_t)n * sizeof(*ranks), "ranks");
        goto out;
    }
    for (int i = 0; i < n; i++) {
        /* Those that cannot be approximated are passed over below, with a note. */
        ranks[i] = s->layers[layers[i]].d;
        if (s->layers[layers[i]].is_approximable &&
            (st = rank_of(&ranks[i], c, layers[i], v, step, e)))
            goto out;
    }
    st = before_take(&old, s, e);
    if (st)
        goto out;
    st = lr_session_set_ranks(s, layers, ranks, n, &e->err);
    if (st) {
        cmd_blame(e, set);
        goto out;
    }
    say_changes(c, &old);
    cmd_say_totals(c);
out:
    before_free(&old);
    lr_free(layers);
    lr_free(ranks);
    return st;
}

/* ---- method ---- */

static enum lr_status run_method(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *set = cmd_arg(call, "SET"), *name = cmd_arg(call, "METHOD");
    struct before old = {0};
    int *layers = NULL, n = 0;
    enum lr_status st = cmd_layers(&layers, &n, c, set, e);

    if (st)
        return st;
    st = before_take(&old, c->session, e);
    if (!st && lr_session_set_method(c->session, layers, n,
                                     lr_method_find(name->text)->id, &e->err))
        st = cmd_blame(e, set);
    if (!st) {
        say_changes(c, &old);
        cmd_say_totals(c);
    }
    before_free(&old);
    lr_free(layers);
    return st;
}

/* ---- select ---- */

static const struct out_column select_columns[] = {
    {"layer", "layer", OUT_TEXT, 0, 0},
    {"rank_before", "was", OUT_INT, 0, 0},
    {"rank", "rank", OUT_INT, 0, 0},
    {"full_rank", "of", OUT_INT, 0, 0},
    {"energy", "energy %", OUT_REAL, 0.01, 2},
    {"macs_before", "was MMAC", OUT_INT, 1e6, 2},
    {"macs", "MMAC", OUT_INT, 1e6, 2},
    {"speedup", "speedup", OUT_REAL, 0, 2},
    {"state", "state", OUT_TEXT, 0, 0},
    {"reason", NULL, OUT_TEXT, 0, 0},
};

static void select_total(struct out_table *t, const char *name, int64_t before,
                         int64_t now, double speedup)
{
    out_text(t, name);
    for (int i = 0; i < 4; i++)
        out_null(t);
    out_int(t, before);
    out_int(t, now);
    out_real(t, speedup);
    out_null(t);
    out_null(t);
}

static void select_rows(struct out_table *t, const struct lr_session *s,
                        const struct before *old)
{
    struct lr_totals sum;
    char reason[256];

    for (int i = 0; i < s->n_layers; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        out_text(t, r.layer->name);
        out_int(t, old->rank[i]);
        out_int(t, r.rank);
        out_int(t, r.full_rank);
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
                           *rule = cmd_option(call, "rule"),
                           *keep = cmd_option(call, "keep");
    struct lr_select_opts o = {.progress = &c->progress};
    struct before old = {0};
    struct out_table t;
    int *kept = NULL;
    enum lr_status st;

    if (speedup->is_set + macs->is_set + params->is_set + energy->is_set != 1) {
        cmd_hint(e, "such as select --speedup 4");
        return lr_err_set(&e->err, LR_EINVAL,
                          "give one of --speedup, --macs, --params and --energy");
    }
    o.rule = lr_rank_rule_find(rule->is_set ? rule->text : "energy");
    o.speedup = speedup->is_set ? speedup->r : 0;
    o.macs = macs->is_set ? macs->i : 0;
    o.params = params->is_set ? params->i : 0;
    o.energy = energy->is_set ? energy->r : 0;
    o.round = round_option(c, call);
    if (keep->is_set) {
        st = cmd_layers(&kept, &o.n_keep, c, keep, e);
        if (st)
            return st;
        o.keep = kept;
    }
    st = before_take(&old, c->session, e);
    if (!st)
        st = lr_session_select(c->session, &o, &e->err);
    lr_free(kept);
    if (st) {
        const struct cmd_value *asked = speedup->is_set  ? speedup
                                        : macs->is_set   ? macs
                                        : params->is_set ? params
                                                         : energy;
        if (st == LR_EINVAL && (c->session->calib || !o.rule->needs_spectra))
            cmd_blame(e, asked);
        before_free(&old);
        return st;
    }
    out_table_init(&t, select_columns,
                   sizeof(select_columns) / sizeof(select_columns[0]));
    select_rows(&t, c->session, &old);
    before_free(&old);
    st = cmd_table(c, &t, e);
    if (!st) {
        cmd_say_whole(c);
        cmd_say_totals(c);
    }
    return st;
}

/* ---- undo, redo ---- */

static enum lr_status step(struct cmd_ctx *c, bool is_undo, struct cmd_error *e)
{
    struct before old = {0};
    enum lr_status st = before_take(&old, c->session, e);

    if (!st)
        st = is_undo ? lr_session_undo(c->session, &e->err)
                     : lr_session_redo(c->session, &e->err);
    if (!st) {
        say_changes(c, &old);
        cmd_say_totals(c);
    }
    before_free(&old);
    return st;
}

static enum lr_status run_undo(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    (void)call;
    return step(c, true, e);
}

static enum lr_status run_redo(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    (void)call;
    return step(c, false, e);
}

/* ---- rows ---- */

static const struct cmd_param rank_args[] = {
    {.name = "SET", .type = CMD_T_SET}, {.name = "VALUE", .type = CMD_T_RANK}, {0}};
static const struct cmd_param rank_options[] = {{.name = "round",
                                                 .type = CMD_T_INT,
                                                 .min = 1,
                                                 .max = 4096,
                                                 .help = "ranks as multiples of this"},
                                                {0}};
static const struct cmd_param method_args[] = {
    {.name = "SET", .type = CMD_T_SET}, {.name = "METHOD", .type = CMD_T_METHOD}, {0}};
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
    {.name = "energy", .type = CMD_T_SHARE, .help = "every layer keeps this share"},
    {.name = "round",
     .type = CMD_T_INT,
     .min = 1,
     .max = 4096,
     .help = "ranks as multiples of this"},
    {.name = "rule", .type = CMD_T_RULE, .help = "how ranks are compared"},
    {.name = "keep", .type = CMD_T_SET, .help = "these stay whole"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "ra$nk",
     .key = "F2",
     .summary = "set the rank of layers",
     .detail =
         "64 sets that rank, 50% a share of the filters, e=99% the smallest rank that\n"
         "keeps 99 % of the energy, x=2 the largest that makes the layer twice as\n"
         "fast, full leaves the layer whole. Nothing is solved; the answer names the\n"
         "energy lost and the new totals.\n",
     .examples = "rank conv3 40\nrank conv4..conv6 50%\nrank conv5 e=95% --round 8\n"
                 "rank conv2 full\n",
     .args = rank_args,
     .options = rank_options,
     .flags = CMD_NEEDS_MODEL,
     .run = run_rank},
    {.name = "m$ethod",
     .key = "m",
     .summary = "set how layers are approximated",
     .detail =
         "relu minimises the error after the ReLU, pca the error of the responses, svd\n"
         "that of the filters; keep leaves a layer whole.\n",
     .examples = "method conv4 pca\nmethod all relu\n",
     .args = method_args,
     .flags = CMD_NEEDS_MODEL,
     .run = run_method},
    {.name = "sel$ect",
     .key = "F4",
     .summary = "choose the ranks of all layers for a budget",
     .detail =
         "Sets ranks and solves nothing. --speedup is that of the row total: all\n"
         "convolutions, those that stay whole and the 1x1 parts included. Layers with\n"
         "method keep stay whole.\n",
     .examples = "select --speedup 2.5\nselect --energy 99% --keep conv2\n"
                 "select --speedup 3 --round 4 --rule uniform\n",
     .options = select_options,
     .flags = CMD_NEEDS_MODEL | CMD_TABLE,
     .run = run_select},
    {.name = "u$ndo",
     .key = "u",
     .summary = "take back the last change of the plan",
     .detail = "Ranks, methods and solved factors come back as they were.\n",
     .examples = "undo\n",
     .flags = CMD_NEEDS_MODEL,
     .run = run_undo},
    {.name = "red$o",
     .key = "U",
     .summary = "make the change again that undo took back",
     .examples = "redo\n",
     .flags = CMD_NEEDS_MODEL,
     .run = run_redo},
};

const struct cmd_group cmd_group_plan = {"Plan", rows, sizeof(rows) / sizeof(rows[0])};
