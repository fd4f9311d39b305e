/* The list of tables. A new table is a row in TABLES. */
#include "cmd/tables.h"

#include <string.h>

#include "ranklab/configs.h"
#include "ranklab/predict.h"
#include "ranklab/timing.h"

/* TABLE(name, title, what is missing or NULL, how it is made) */
#define TABLES(TABLE)                                                                    \
    TABLE("layers", "Layers", NULL, make_layers)                                         \
    TABLE("cost", "Cost", NULL, make_cost)                                               \
    TABLE("error", "Response errors", NULL, make_error)                                  \
    TABLE("eval", "Accuracy", eval_missing, make_eval)                                   \
    TABLE("configs", "Configurations", configs_missing, cmd_configs_table)               \
    TABLE("sweep", "Sweep of single layers", sweep_missing, cmd_sweep_table)             \
    TABLE("networks", "Sweep of whole networks", networks_missing, cmd_networks_table)   \
    TABLE("predict", "Predictions", predict_missing, cmd_predict_table)                  \
    TABLE("time", "Milliseconds", time_missing, cmd_time_table)

static enum lr_status make_view(struct out_table *t, struct cmd_ctx *c,
                                enum cmd_layer_view view, struct cmd_error *e)
{
    int *layers = NULL, n = 0;
    enum lr_status st = lr_session_layer_set(&layers, &n, c->session, "all", &e->err);

    if (!st)
        st = cmd_layer_table(t, c, layers, n, view, e);
    lr_free(layers);
    return st;
}

static enum lr_status make_layers(struct out_table *t, struct cmd_ctx *c,
                                  struct cmd_error *e)
{
    return make_view(t, c, CMD_VIEW_LAYERS, e);
}

static enum lr_status make_cost(struct out_table *t, struct cmd_ctx *c,
                                struct cmd_error *e)
{
    return make_view(t, c, CMD_VIEW_COST, e);
}

static enum lr_status make_error(struct out_table *t, struct cmd_ctx *c,
                                 struct cmd_error *e)
{
    return make_view(t, c, CMD_VIEW_ERROR, e);
}

static const char *eval_missing(const struct cmd_ctx *c)
{
    return c->session->has_eval ? NULL
                                : "this plan has not been evaluated yet; eval does";
}

static enum lr_status make_eval(struct out_table *t, struct cmd_ctx *c,
                                struct cmd_error *e)
{
    (void)e;
    cmd_eval_table(t, &c->session->last_eval);
    return LR_OK;
}

static const char *configs_missing(const struct cmd_ctx *c)
{
    const struct lr_session *s = c->session;

    return s->configs && s->configs->n > 0 ? NULL
                                           : "no configuration is kept; keep NAME does";
}

/* Whether points are known of single layers, or of whole networks. */
static bool has_points(const struct cmd_ctx *c, bool is_network)
{
    const struct lr_sweeps *k = c->session->sweeps;

    for (int i = 0; k && i < k->n; i++)
        if ((k->points[i].layer < 0) == is_network)
            return true;
    return false;
}

static const char *sweep_missing(const struct cmd_ctx *c)
{
    return has_points(c, false) ? NULL : "no layer was swept yet; sweep does";
}

static const char *networks_missing(const struct cmd_ctx *c)
{
    return has_points(c, true) ? NULL
                               : "no networks were swept yet; sweep --speedup 2:4:1 does";
}

static const char *predict_missing(const struct cmd_ctx *c)
{
    const struct lr_learned *learned;

    return lr_session_learned(&learned, c->session) > 0
               ? NULL
               : "no network was learned from yet; predict looks in the journal, eval "
                 "measures one";
}

static const char *time_missing(const struct cmd_ctx *c)
{
    struct lr_deploy d = lr_session_deploy(c->session);
    const struct lr_time *m = lr_session_time_of(c->session, &d);

    return m && lr_time_is_current(m, c->session)
               ? NULL
               : "this plan has not been timed yet; time does";
}

#define ROW(name, title, missing, make) {name, title, missing, make},
#define NAME(name, title, missing, make) name,
const struct cmd_named_table cmd_tables[] = {TABLES(ROW)};
const size_t cmd_n_tables = sizeof(cmd_tables) / sizeof(cmd_tables[0]);
const char *const cmd_table_names[] = {TABLES(NAME) NULL};

const struct cmd_named_table *cmd_table_find(const char *name)
{
    for (size_t i = 0; i < cmd_n_tables; i++)
        if (strcmp(name, cmd_tables[i].name) == 0)
            return &cmd_tables[i];
    return NULL;
}
