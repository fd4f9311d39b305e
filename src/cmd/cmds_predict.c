/* What is predicted of the plan, and how good predictions are on what was measured. */
#include <math.h>

#include "cmd/tables.h"
#include "ranklab/predict.h"

static const struct out_column columns[] = {
    {"from", "from", OUT_TEXT, 0, 0},
    {"speedup", "speedup", OUT_REAL, 0, 2},
    {"images", "images", OUT_INT, 0, 0},
    {"difference", "measured", OUT_REAL, 0.01, 2},
    {"predicted", "predicted", OUT_REAL, 0.01, 2},
    {"low", "low", OUT_REAL, 0.01, 2},
    {"high", "high", OUT_REAL, 0.01, 2},
    {"held", "held", OUT_BOOL, 0, 0},
};

static bool has_held(const struct lr_learned *l)
{
    return l->difference >= l->low && l->difference <= l->high;
}

enum lr_status cmd_predict_table(struct out_table *t, struct cmd_ctx *c,
                                 struct cmd_error *e)
{
    static const char *const from[] = {[LR_LEARNED_EVAL] = "eval",
                                       [LR_LEARNED_SWEEP] = "sweep",
                                       [LR_LEARNED_JOURNAL] = "journal"};
    const struct lr_learned *learned;
    int n = lr_session_learned(&learned, c->session);

    (void)e;
    out_table_init(t, columns, sizeof(columns) / sizeof(columns[0]));
    for (int i = 0; i < n; i++) {
        const struct lr_learned *l = &learned[i];
        out_text(t, from[l->from]);
        out_real(t, l->speedup);
        out_int(t, l->images);
        out_real(t, l->difference);
        out_real(t, l->predicted);
        out_real(t, l->low);
        out_real(t, l->high);
        out_bool(t, has_held(l));
    }
    return LR_OK;
}

static void say_quality(struct cmd_ctx *c, const struct lr_prediction *p)
{
    const struct lr_learned *learned;
    int n = lr_session_learned(&learned, c->session), n_held = 0;
    char correlation[64] = "";

    for (int i = 0; i < n; i++)
        n_held += has_held(&learned[i]);
    if (!isnan(p->loo_correlation))
        snprintf(correlation, sizeof(correlation), ", rank correlation %.2f",
                 p->loo_correlation);
    if (n > 1)
        cmd_say(c, "left out one by one: off by %.2f points%s, %d of %d within low..high",
                100 * p->loo_error, correlation, n_held, n);
    else
        cmd_say(c, "how good that is will be known from two evaluated networks on");
}

static bool has_no_answers(const struct lr_session *s)
{
    struct lr_output_view v = {0};

    if (s->graph->n_outputs > 0)
        lr_output_view(&v, s->graph, 0);
    return v.n_places == 0;
}

static enum lr_status run_predict(struct cmd_ctx *c, const struct cmd_call *call,
                                  struct cmd_error *e)
{
    struct lr_session *s = c->session;
    struct lr_prediction p;
    struct out_table t;

    (void)call;
    enum lr_status st = lr_session_spectra(s, &c->progress, &e->err);
    if (!st)
        st = lr_session_learn_all(s, &c->progress, &e->err);
    if (st)
        return st;
    lr_session_predict(&p, s);
    if (!p.n_learned && has_no_answers(s)) {
        cmd_hint(e, "error and eval --outputs say what the plan costs");
        return lr_err_set(&e->err, LR_EINVAL,
                          "the first output has no classes: no accuracy to predict");
    }
    /* No mistake: a replay, which asks no journal, has less to predict from. */
    if (!p.n_learned) {
        cmd_say(c, "nothing to predict from yet: eval measures a network, sweep layers");
        return LR_OK;
    }
    st = cmd_predict_table(&t, c, e);
    if (!st && p.n_networks > 0)
        st = cmd_table(c, &t, e);
    else
        out_table_free(&t);
    if (st)
        return st;
    cmd_say_prediction(c, &p);
    say_quality(c, &p);
    return LR_OK;
}

static const struct cmd_row rows[] = {
    {.name = "pred$ict",
     .summary = "the accuracy to expect of the plan, and how good such predictions are",
     .detail =
         "Predictions are learned from the networks evaluated or swept, also in earlier\n"
         "sessions with the same images (the journal), and from single layers that were\n"
         "swept. Each row is a network learned from: what was measured, and what is\n"
         "predicted of it from all the others, with the 95 % interval. rank, select and\n"
         "the panes predict without being asked.\n",
     .examples = "predict\n",
     .flags = CMD_TABLE | CMD_NEEDS_MODEL | CMD_VARIES,
     .run = run_predict},
};

const struct cmd_group cmd_group_predict = {"Predictions", rows,
                                            sizeof(rows) / sizeof(rows[0])};
