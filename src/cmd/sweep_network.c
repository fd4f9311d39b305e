/* Sweeps of whole networks: one row for every rule, method and speedup, those that cannot
 * be reached with the reason. */
#include "cmd/sweep_network.h"

#include <string.h>

#include "cmd/sweep_table.h"
#include "ranklab/predict.h"
#include "ranklab/sweep.h"

struct rows {
    struct cmd_ctx *c;
    struct out_table t;
    int n, n_known, n_unmet, n_methods;
};

static void take_point(void *ctx, const struct lr_sweep_point *p)
{
    struct rows *k = ctx;

    cmd_networks_table_add(&k->t, k->c->session, p, k->n_methods > 0);
    k->n++;
    k->n_known += p->is_from_journal;
    if (k->c->sink.swept)
        k->c->sink.swept(k->c->sink.ctx, p);
}

static void take_unmet(void *ctx, const char *rule, const char *method, double speedup,
                       const char *reason)
{
    struct rows *k = ctx;

    cmd_networks_table_add_unmet(&k->t, rule, method, speedup, reason);
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
    const bool has_accuracy = lr_session_has_accuracy(c->session);
    cmd_networks_table_init(&k.t, has_accuracy);
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
    if (!has_accuracy && k.n > 0)
        cmd_say(c, "%s", lr_session_answers(c->session));
    if (k.n_known)
        cmd_say(c, "%d of %d answered from the journal", k.n_known, k.n);
    return LR_OK;
}
