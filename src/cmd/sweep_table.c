/* The tables of sweeps. What an evaluation says stands in both in the same columns. */
#include "cmd/sweep_table.h"

#include <math.h>

#include "cmd/tables.h"

/* What is shown of an evaluation; the rest is for machines. */
#define EVALUATION(images, top1, agreement, interval, error)                             \
    {"images", images ? "images" : NULL, OUT_INT, 0, 0},                                 \
        {"n_images", NULL, OUT_INT, 0, 0},                                               \
        {"top1", top1 ? "top1 %" : NULL, OUT_REAL, 0.01, 2},                             \
        {"top1_original", NULL, OUT_REAL, 0.01, 2},                                      \
        {"top1_difference", top1 ? "diff" : NULL, OUT_REAL, 0.01, 2},                    \
        {"difference_low", top1 ? "low" : NULL, OUT_REAL, 0.01, 2},                      \
        {"difference_high", top1 ? "high" : NULL, OUT_REAL, 0.01, 2},                    \
        {"significant", top1 ? "signif." : NULL, OUT_BOOL, 0, 0},                        \
        {"top1_low", NULL, OUT_REAL, 0.01, 2}, {"top1_high", NULL, OUT_REAL, 0.01, 2},   \
        {"top5", NULL, OUT_REAL, 0.01, 2}, {"top5_original", NULL, OUT_REAL, 0.01, 2},   \
        {"agreement", agreement ? "agree %" : NULL, OUT_REAL, 0.01, 2},                  \
        {"agreement_low", interval ? "low" : NULL, OUT_REAL, 0.01, 2},                   \
        {"agreement_high", interval ? "high" : NULL, OUT_REAL, 0.01, 2},                 \
        {"output_error", error ? "error" : NULL, OUT_REAL, 0, 5},                        \
        {"sampling", NULL, OUT_REAL, 0.01, 2},                                           \
    {                                                                                    \
        "seconds", NULL, OUT_REAL, 0, 2                                                  \
    }

#define LAYER(spatial, ...)                                                              \
    {                                                                                    \
        {"layer", "layer", OUT_TEXT, 0, 0}, {"method", "method", OUT_TEXT, 0, 0},        \
            {"rank", "rank", OUT_INT, 0, 0}, {"rank_spatial", spatial, OUT_INT, 0, 0},   \
            {"macs", "MMAC", OUT_INT, 1e6, 2}, {"speedup", "speedup", OUT_REAL, 0, 2},   \
            {"energy", "energy %", OUT_REAL, 0.01, 2},                                   \
            {"error_linear", "linear", OUT_REAL, 0, 4},                                  \
            {"error_heldout", "held-out", OUT_REAL, 0, 4}, EVALUATION(__VA_ARGS__)       \
    }
#define LAYERS(spatial)                                                                  \
    {                                                                                    \
        [LR_METRIC_TOP1] = LAYER(spatial, true, true, false, false, false),              \
        [LR_METRIC_ERROR] = LAYER(spatial, false, false, false, false, false),           \
        [LR_METRIC_AGREEMENT] = LAYER(spatial, true, false, true, true, true),           \
    }

enum { N_LAYER_COLUMNS = 27, N_NETWORK_COLUMNS = 26 };

/* By spatial ranks and metric. */
static const struct out_column layer_columns[2][3][N_LAYER_COLUMNS] = {LAYERS(NULL),
                                                                       LAYERS("sp.")};

#define NETWORK(...)                                                                     \
    {                                                                                    \
        {"rule", "rule", OUT_TEXT, 0, 0}, {"method", "method", OUT_TEXT, 0, 0},          \
            {"wanted_speedup", "wanted", OUT_REAL, 0, 2},                                \
            {"speedup", "speedup", OUT_REAL, 0, 2}, {"macs", "MMAC", OUT_REAL, 1e6, 2},  \
            {"energy", "energy %", OUT_REAL, 0.01, 2}, EVALUATION(__VA_ARGS__),          \
            {"ranks", NULL, OUT_TEXT, 0, 0}, {"reason", NULL, OUT_TEXT, 0, 0},           \
    }

/* With and without labels. */
static const struct out_column network_columns[2][N_NETWORK_COLUMNS] = {
    NETWORK(true, false, true, true, true), NETWORK(true, true, true, false, true)};

void cmd_sweep_table_init(struct out_table *t, enum lr_metric metric, bool has_spatial)
{
    out_table_init(t, layer_columns[has_spatial][metric], N_LAYER_COLUMNS);
}

void cmd_networks_table_init(struct out_table *t, bool has_labels)
{
    out_table_init(t, network_columns[has_labels], N_NETWORK_COLUMNS);
}

static void put_evaluation(struct out_table *t, const struct lr_sweep_point *p)
{
    const struct lr_eval *v = &p->eval;
    double low, high;

    lr_sweep_agreement(&low, &high, p);
    out_int(t, p->n_images > 0 ? v->images : INT64_MIN);
    out_int(t, p->n_images > 0 ? p->n_images : INT64_MIN);
    out_real(t, v->top1);
    out_real(t, v->top1_original);
    out_real(t, v->top1_difference);
    out_real(t, v->difference_low);
    out_real(t, v->difference_high);
    if (isnan(v->top1_difference))
        out_null(t);
    else
        out_bool(t, lr_sweep_is_significant(p));
    out_real(t, v->top1_low);
    out_real(t, v->top1_high);
    out_real(t, v->top5);
    out_real(t, v->top5_original);
    out_real(t, v->agreement);
    out_real(t, low);
    out_real(t, high);
    out_real(t, v->output_error);
    out_real(t, p->n_images > 0 ? p->sampling : NAN);
    out_real(t, v->seconds);
}

void cmd_sweep_table_add(struct out_table *t, const struct lr_session *s,
                         const struct lr_sweep_point *p)
{
    bool has_rank = lr_method_info(p->method)->split != LR_SPLIT_SPATIAL;

    out_text(t, s->layers[p->layer].name);
    out_text(t, lr_method_info(p->method)->name);
    out_int(t, has_rank ? p->ranks.channel : INT64_MIN);
    out_int(t, p->ranks.spatial > 0 ? p->ranks.spatial : INT64_MIN);
    out_int(t, p->macs);
    out_real(t, p->speedup);
    out_real(t, p->energy);
    out_real(t, p->error_linear);
    out_real(t, p->error_heldout);
    put_evaluation(t, p);
}

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

void cmd_networks_table_add(struct out_table *t, const struct lr_session *s,
                            const struct lr_sweep_point *p, bool has_method)
{
    out_text(t, p->rule);
    out_text(t, has_method ? lr_method_info(p->method)->name : NULL);
    out_real(t, p->wanted_speedup);
    out_real(t, p->speedup);
    out_real(t, (double)p->macs);
    out_real(t, p->energy);
    put_evaluation(t, p);
    put_ranks(t, p, s->n_layers);
    out_null(t);
}

void cmd_networks_table_add_unmet(struct out_table *t, const char *rule,
                                  const char *method, double speedup, const char *reason)
{
    out_text(t, rule);
    out_text(t, method);
    out_real(t, speedup);
    for (int i = 0; i < N_NETWORK_COLUMNS - 4; i++)
        out_null(t);
    out_text(t, reason);
}

enum lr_status cmd_sweep_table(struct out_table *t, struct cmd_ctx *c,
                               struct cmd_error *e)
{
    const struct lr_sweeps *k = c->session->sweeps;
    enum lr_metric metric = LR_METRIC_ERROR;
    bool has_spatial = false;

    (void)e;
    for (int i = 0; k && i < k->n; i++) {
        const struct lr_sweep_point *p = &k->points[i];
        if (p->layer < 0)
            continue;
        has_spatial = has_spatial || p->ranks.spatial > 0;
        if (p->n_images > 0 && !isnan(p->eval.top1_difference))
            metric = LR_METRIC_TOP1;
        else if (p->n_images > 0 && metric == LR_METRIC_ERROR)
            metric = LR_METRIC_AGREEMENT;
    }
    cmd_sweep_table_init(t, metric, has_spatial);
    for (int i = 0; k && i < k->n; i++)
        if (k->points[i].layer >= 0)
            cmd_sweep_table_add(t, c->session, &k->points[i]);
    return LR_OK;
}

enum lr_status cmd_networks_table(struct out_table *t, struct cmd_ctx *c,
                                  struct cmd_error *e)
{
    const struct lr_session *s = c->session;
    const struct lr_sweeps *k = s->sweeps;

    (void)e;
    cmd_networks_table_init(t, lr_session_has_accuracy(s));
    for (int i = 0; k && i < k->n; i++)
        if (k->points[i].layer < 0)
            cmd_networks_table_add(t, s, &k->points[i], true);
    return LR_OK;
}
