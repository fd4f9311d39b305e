/* Sweeps of whole networks: one row for every rule, method and speedup, those that cannot
 * be reached with the reason. */
#include "cmd/sweep_network.h"

#include <math.h>
#include <string.h>

#include "cmd/tables.h"
#include "ranklab/predict.h"
#include "ranklab/sweep.h"

static const struct out_column columns[] = {
    {"rule", "rule", OUT_TEXT, 0, 0},
    {"method", "method", OUT_TEXT, 0, 0},
    {"wanted_speedup", "wanted", OUT_REAL, 0, 2},
    {"speedup", "speedup", OUT_REAL, 0, 2},
    {"macs", "MMAC", OUT_REAL, 1e6, 2},
    {"energy", "energy %", OUT_REAL, 0.01, 2},
    {"images", "images", OUT_INT, 0, 0},
    {"top1", "top1 %", OUT_REAL, 0.01, 2},
    {"top1_difference", "diff", OUT_REAL, 0.01, 2},
    {"difference_low", "low", OUT_REAL, 0.01, 2},
    {"difference_high", "high", OUT_REAL, 0.01, 2},
    {"significant", "signif.", OUT_BOOL, 0, 0},
    {"agreement", "agree %", OUT_REAL, 0.01, 2},
    {"output_error", "error", OUT_REAL, 0, 5},
    {"top1_original", NULL, OUT_REAL, 0.01, 2},
    {"ranks", NULL, OUT_TEXT, 0, 0},
    {"reason", NULL, OUT_TEXT, 0, 0},
};

struct rows {
    struct cmd_ctx *c;
    struct out_table t;
    int n, n_known, n_unmet, n_methods;
};

/* "relu:6 3d:12,20 keep:10", one word a layer. */
static void put_ranks(struct out_table *t, const struct lr_sweep_point *p, int n_layers)
{
    struct lr_strbuf b = {0};

    for (int i = 0; p->methods && p->network_ranks && i < n_layers; i++) {
        const struct lr_ranks *r = &p->network_ranks[i];
        lr_strbuf_printf(&b, "%s%s:%d", i ? " " : "", lr_method_info(p->methods[i])->name,
                         r->channel);
        if (r->spatial > 0)
            lr_strbuf_printf(&b, ",%d", r->spatial);
    }
    out_text(t, b.is_failed ? NULL : b.s);
    lr_strbuf_free(&b);
}

static void add_row(struct out_table *t, const struct lr_sweep_point *p, bool has_method,
                    int n_layers)
{
    const struct lr_eval *v = &p->eval;

    out_text(t, p->rule);
    out_text(t, has_method ? lr_method_info(p->method)->name : NULL);
    out_real(t, p->wanted_speedup);
    out_real(t, p->speedup);
    out_real(t, (double)p->macs);
    out_real(t, p->energy);
    out_int(t, v->images);
    out_real(t, v->top1);
    out_real(t, v->top1_difference);
    out_real(t, v->difference_low);
    out_real(t, v->difference_high);
    if (isnan(v->top1_difference))
        out_null(t);
    else
        out_bool(t, lr_sweep_is_significant(p));
    out_real(t, v->agreement);
    out_real(t, v->output_error);
    out_real(t, v->top1_original);
    put_ranks(t, p, n_layers);
    out_null(t);
}

static void take_point(void *ctx, const struct lr_sweep_point *p)
{
    struct rows *k = ctx;

    add_row(&k->t, p, k->n_methods > 0, k->c->session->n_layers);
    k->n++;
    k->n_known += p->is_from_journal;
    if (k->c->sink.swept)
        k->c->sink.swept(k->c->sink.ctx, p);
}

enum lr_status cmd_networks_table(struct out_table *t, struct cmd_ctx *c,
                                  struct cmd_error *e)
{
    const struct lr_sweeps *k = c->session->sweeps;

    (void)e;
    out_table_init(t, columns, sizeof(columns) / sizeof(columns[0]));
    for (int i = 0; k && i < k->n; i++)
        if (k->points[i].layer < 0)
            add_row(t, &k->points[i], true, c->session->n_layers);
    return LR_OK;
}

static void take_unmet(void *ctx, const char *rule, const char *method, double speedup,
                       const char *reason)
{
    struct rows *k = ctx;

    out_text(&k->t, rule);
    out_text(&k->t, method);
    out_real(&k->t, speedup);
    for (int i = 0; i < 13; i++)
        out_null(&k->t);
    out_text(&k->t, reason);
    k->n_unmet++;
    cmd_warn(k->c, "%s%s%s, %gx: %s", rule, method ? ", " : "", method ? method : "",
             speedup, reason);
}

/* The words of a list with commas; each is looked up by the caller. */
static bool next_word(char word[32], const char **text)
{
    size_t n = strcspn(*text, ",");

    if (n == 0 || n >= 32)
        return false;
    memcpy(word, *text, n);
    word[n] = '\0';
    *text += n + ((*text)[n] == ',');
    return true;
}

enum { MAX_LIST = 16 };

enum lr_status cmd_sweep_network(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *speedup = cmd_option(call, "speedup"),
                           *rule = cmd_option(call, "rule"),
                           *method = cmd_option(call, "method"),
                           *mode = cmd_option(call, "mode"),
                           *count = cmd_option(call, "count");
    const struct lr_rank_rule *rules[MAX_LIST];
    enum lr_method methods[MAX_LIST];
    struct rows k = {.c = c};
    struct lr_sweep_network_opts o = {.first = speedup->reals[0],
                                      .last = speedup->reals[1],
                                      .step = speedup->reals[2],
                                      .rules = rules,
                                      .methods = methods,
                                      .mode = mode->is_set ? (enum lr_mode)mode->i
                                                           : c->session->settings.mode,
                                      .count = count->is_set ? count->i : 0,
                                      .progress = &c->progress,
                                      .on_point = take_point,
                                      .on_unmet = take_unmet,
                                      .ctx = &k};
    char word[32];

    if (cmd_arg(call, "SET")->is_set)
        return cmd_fail_at(e, speedup->begin, LR_EINVAL,
                           "--speedup is about the whole network: give no layers");
    for (const char *at = rule->is_set ? rule->text : ""; *at; o.n_rules++)
        if (o.n_rules == MAX_LIST || !next_word(word, &at) ||
            !(rules[o.n_rules] = lr_rank_rule_find(word)))
            return cmd_fail_at(e, rule->begin, LR_EINVAL,
                               "%s: rules with commas, see help rules", rule->text);
    for (const char *at = method->is_set ? method->text : ""; *at; o.n_methods++) {
        const struct lr_method_info *m =
            o.n_methods < MAX_LIST && next_word(word, &at) ? lr_method_find(word) : NULL;
        if (!m || m->id == LR_METHOD_KEEP)
            return cmd_fail_at(e, method->begin, LR_EINVAL,
                               "%s: methods with commas, see help methods", method->text);
        methods[o.n_methods] = m->id;
    }
    k.n_methods = o.n_methods;
    out_table_init(&k.t, columns, sizeof(columns) / sizeof(columns[0]));
    enum lr_status st = lr_session_sweep_network(c->session, &o, &e->err);
    struct lr_err problem = {0};
    enum lr_status learned = lr_session_learn(c->session, &problem);
    if (!st && learned)
        st = lr_err_set(&e->err, learned, "%s", problem.msg);
    if (st) {
        out_table_free(&k.t);
        if (st == LR_EINTR && k.n > 0)
            cmd_say(c, "%d point%s finished: they are kept", k.n, k.n == 1 ? "" : "s");
        return st;
    }
    if ((st = cmd_table(c, &k.t, e)) != LR_OK)
        return st;
    if (k.n_known)
        cmd_say(c, "%d of %d answered from the journal", k.n_known, k.n);
    return LR_OK;
}
