/* Sweeps: curves of accuracy and error against rank. The table has the points that were
 * asked for; the session keeps them for plots and predictions. */
#include "cmd/context.h"
#include "cmd/sweep_network.h"
#include "cmd/sweep_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/predict.h"
#include "ranklab/sweep.h"

/* The points as they come. */
struct points {
    struct cmd_ctx *c;
    struct lr_sweep_point *p;
    int n, cap;
    bool is_failed;
};

static void take_point(void *ctx, const struct lr_sweep_point *p)
{
    struct points *k = ctx;

    if (k->n == k->cap) {
        int cap = k->cap > 0 ? 2 * k->cap : 64;
        struct lr_sweep_point *all =
            lr_realloc(k->p, (size_t)k->cap, (size_t)cap, sizeof(*all));
        if (!all) {
            k->is_failed = true;
            return;
        }
        k->p = all;
        k->cap = cap;
    }
    k->p[k->n++] = *p;
    if (k->c->sink.swept)
        k->c->sink.swept(k->c->sink.ctx, p);
}

/* By layer and rank, wherever they come from. */
static int in_order(const void *a, const void *b)
{
    const struct lr_sweep_point *x = a, *y = b;

    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    if (x->ranks.channel != y->ranks.channel)
        return x->ranks.channel < y->ranks.channel ? -1 : 1;
    return (x->ranks.spatial > y->ranks.spatial) - (x->ranks.spatial < y->ranks.spatial);
}

static bool is_without_labels(const struct lr_session *s, enum lr_metric metric)
{
    return metric == LR_METRIC_AGREEMENT && s->eval && !lr_session_has_accuracy(s);
}

static enum lr_status show(struct points *k, enum lr_metric metric, struct cmd_error *e)
{
    struct out_table t;
    int n_open = 0, n_known = 0;
    bool has_spatial = false;

    if (k->n > 1)
        qsort(k->p, (size_t)k->n, sizeof(*k->p), in_order);

    for (int i = 0; i < k->n; i++) {
        has_spatial = has_spatial || k->p[i].ranks.spatial > 0;
        n_known += k->p[i].is_from_journal;
        n_open +=
            !isnan(k->p[i].eval.top1_difference) && !lr_sweep_is_significant(&k->p[i]);
    }
    cmd_sweep_table_init(&t, metric, has_spatial);
    for (int i = 0; i < k->n; i++)
        cmd_sweep_table_add(&t, k->c->session, &k->p[i]);
    enum lr_status st = cmd_table(k->c, &t, e);
    if (!st && metric == LR_METRIC_TOP1 && n_open > 0)
        cmd_say(k->c,
                "%d of %d differences are not significant: their 95 %% interval holds 0",
                n_open, k->n);
    if (!st && k->n > 0 && is_without_labels(k->c->session, metric))
        cmd_say(k->c, "%s", lr_session_answers(k->c->session));
    if (!st && n_known)
        cmd_say(k->c, "%d of %d answered from the journal", n_known, k->n);
    return st;
}

/* Options of single layers say nothing of networks, and the other way round. */
static enum lr_status check_options(const struct cmd_call *call, struct cmd_error *e)
{
    static const char *const of_layers[] = {"ranks", "points", "metric", "precision"};
    static const char *const of_networks[] = {"rule", "method", "mode"};
    const bool is_network = cmd_option(call, "speedup")->is_set;

    for (size_t i = 0; is_network && i < sizeof(of_layers) / sizeof(of_layers[0]); i++)
        if (cmd_option(call, of_layers[i])->is_set)
            return cmd_fail_at(e, cmd_option(call, of_layers[i])->begin, LR_EINVAL,
                               "--%s is of single layers: give it without --speedup",
                               of_layers[i]);
    for (size_t i = 0; !is_network && i < sizeof(of_networks) / sizeof(of_networks[0]);
         i++)
        if (cmd_option(call, of_networks[i])->is_set)
            return cmd_fail_at(e, cmd_option(call, of_networks[i])->begin, LR_EINVAL,
                               "--%s is of whole networks: give --speedup as well",
                               of_networks[i]);
    return LR_OK;
}

static enum lr_status run_sweep(struct cmd_ctx *c, const struct cmd_call *call,
                                struct cmd_error *e)
{
    const struct cmd_value *ranks = cmd_option(call, "ranks"),
                           *points = cmd_option(call, "points"),
                           *metric = cmd_option(call, "metric"),
                           *precision = cmd_option(call, "precision"),
                           *count = cmd_option(call, "count");
    const struct lr_dataset *eval = c->session->eval;
    struct points k = {.c = c};
    struct lr_sweep_opts o = {
        .progress = &c->progress, .on_point = take_point, .ctx = &k};
    int *layers = NULL;
    enum lr_status st;

    if ((st = check_options(call, e)) != LR_OK)
        return st;
    if (cmd_option(call, "speedup")->is_set)
        return cmd_sweep_network(c, call, e);
    if (ranks->is_set && points->is_set)
        return cmd_fail_at(e, points->begin, LR_EINVAL,
                           "give one of --ranks and --points");
    if (ranks->is_set) {
        if (!(ranks->reals[0] >= 1) || ranks->reals[1] > INT32_MAX)
            return cmd_fail_at(e, ranks->begin, LR_EINVAL, "ranks begin at 1");
        for (int i = 0; i < 3; i++)
            if (floor(ranks->reals[i]) < ranks->reals[i])
                return cmd_fail_at(e, ranks->begin, LR_EINVAL, "ranks are whole numbers");
        o.first = (int)ranks->reals[0];
        o.last = (int)ranks->reals[1];
        o.step = ranks->reals[2] < 1e9 ? (int)ranks->reals[2] : 1000000000;
    }
    o.n_points = points->is_set ? (int)points->i : 0;
    o.precision = precision->is_set ? precision->r / 100 : 0;
    o.count = count->is_set ? count->i : 0;
    o.metric = metric->is_set                        ? (enum lr_metric)metric->i
               : !eval                               ? LR_METRIC_ERROR
               : lr_session_has_accuracy(c->session) ? LR_METRIC_TOP1
                                                     : LR_METRIC_AGREEMENT;
    st = cmd_layers(&layers, &o.n_layers, c, cmd_arg(call, "SET"), e);
    if (st)
        return st;
    o.layers = layers;
    st = lr_session_sweep(c->session, &o, &e->err);
    /* Points of a sweep that was stopped are learned from as well. */
    struct lr_err problem = {0};
    enum lr_status learned = lr_session_learn(c->session, &problem);
    if (!st && learned)
        st = lr_err_set(&e->err, learned, "%s", problem.msg);
    if (!st && k.is_failed)
        st = lr_enomem(&e->err, (size_t)k.n * sizeof(*k.p), "a table");
    if (!st)
        st = show(&k, o.metric, e);
    else if (st == LR_EINTR && k.n > 0)
        cmd_say(c, "%d point%s finished: they are kept", k.n, k.n == 1 ? "" : "s");
    lr_free(layers);
    lr_free(k.p);
    return st;
}

static const char *const modes[] = {"asym", "sym", "symhat", NULL};
static const char *const metrics[] = {"top1", "error", "agreement", NULL};
static const struct cmd_param sweep_args[] = {
    {.name = "SET", .type = CMD_T_SET, .flags = CMD_OPTIONAL}, {0}};
static const struct cmd_param sweep_options[] = {
    {.name = "ranks", .type = CMD_T_RANGE, .help = "ranks from A to B by STEP"},
    {.name = "points",
     .type = CMD_T_INT,
     .min = 1,
     .max = 1000,
     .help = "ranks a layer, chosen for it (8)"},
    {.name = "metric",
     .type = CMD_T_CHOICE,
     .choices = metrics,
     .help = "what is measured beside the response error"},
    {.name = "precision",
     .type = CMD_T_REAL,
     .min = 0.001,
     .max = 50,
     .help = "points: as many images as that takes"},
    {.name = "count",
     .type = CMD_T_INT,
     .min = 1,
     .max = 1e12,
     .help = "only the first evaluation images"},
    {.name = "speedup",
     .type = CMD_T_RANGE,
     .help = "whole networks instead, from A times to B times by STEP"},
    {.name = "rule", .type = CMD_T_TEXT, .help = "of networks: rules with commas"},
    {.name = "method", .type = CMD_T_TEXT, .help = "of networks: methods with commas"},
    {.name = "mode",
     .type = CMD_T_CHOICE,
     .choices = modes,
     .help = "of networks: what solve compares with"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "sw$eep",
     .key = "w",
     .typed = "sweep @here",
     .summary = "rank against error and accuracy, layer by layer",
     .detail =
         "For each layer of SET and each rank: the layer is solved alone, with its\n"
         "method and everything else as in the original, and the network is compared\n"
         "with the original on the evaluation images. Ranks that do not pay are left\n"
         "out; for 3d the rank is d', and d'' follows it. linear and held-out are\n"
         "response errors as error shows them. diff is the top-1 difference from the\n"
         "original in points with its 95 % interval low..high, paired on the same\n"
         "images; signif. says whether that interval leaves out 0.\n"
         "--metric agreement counts the images with the same answer as the original's\n"
         "instead, which needs no labels and is what images without labels get: agree\n"
         "with its 95 % interval low..high; --metric error measures response errors\n"
         "alone, which needs no evaluation images. ^C keeps the points that are\n"
         "finished.\n"
         "--precision P ends a point as soon as what all images would give is known to\n"
         "within P points, at 95 %: images are drawn at random, more of those that the\n"
         "original was in doubt about, where answers change most. images is how many\n"
         "that took; what is shown is the estimate for all of them, and low..high\n"
         "covers the drawing as well as what all images would leave open, so it is\n"
         "wider than P. The same seed draws the same images.\n"
         "--speedup A:B:STEP is about whole networks instead of single layers: for each\n"
         "rule, method and speedup ranks are chosen, solved and evaluated, and the plan\n"
         "stays as it is. A speedup that cannot be reached is named with the reason;\n"
         "points that the journal knows are not computed again.\n",
     .examples = "sweep conv4 --points 3 --count 500\n"
                 "sweep conv7 --points 2 --precision 1\n"
                 "sweep conv5,conv6 --ranks 8:40:16 --metric error\n"
                 "sweep --speedup 2:4:2 --method svd --rule uniform --count 200\n",
     .args = sweep_args,
     .options = sweep_options,
     .flags = CMD_NEEDS_MODEL | CMD_TABLE,
     .run = run_sweep},
};

const struct cmd_group cmd_group_sweep = {"Sweeping", rows,
                                          sizeof(rows) / sizeof(rows[0])};
