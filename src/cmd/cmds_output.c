/* Files to take away: the network as ONNX, the plan as JSON, tables. */
#include "cmd/context.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "out/config.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/onnx.h"

/* ---- export ---- */

enum { WHAT_ONNX, WHAT_CONFIG, WHAT_TABLE };

static enum lr_status export_onnx(struct cmd_ctx *c, const char *path,
                                  struct cmd_error *e)
{
    struct lr_graph *g = NULL;
    struct lr_totals t;
    char before[32], after[32];
    enum lr_status st = lr_session_build(&g, c->session, false, &e->err);

    if (!st)
        st = lr_onnx_write(g, path, &e->err);
    lr_graph_free(g);
    if (st)
        return st;
    lr_session_totals(&t, c->session);
    cmd_say(c, "wrote %s (%sMAC -> %sMAC), read back and compared", path,
            cmd_amount(before, sizeof(before), (double)t.net_macs_original),
            cmd_amount(after, sizeof(after), (double)t.net_macs));
    return LR_OK;
}

static bool copy_text(char **to, const char *from)
{
    *to = from ? lr_strdup(from) : NULL;
    return !from || *to;
}

/* Mode and seed were used where the factors come from samples. */
static const struct lr_factors *sampled_factors(const struct lr_session *s, int i)
{
    enum lr_state state = lr_session_state(s, i);
    const struct lr_factors *f = s->plan[i].factors;
    bool is_solved = state == LR_STATE_SOLVED || state == LR_STATE_STALE;

    return is_solved && f && f->mode ? f : NULL;
}

static bool config_layer(struct out_config_layer *out, const struct lr_session *s, int i)
{
    const struct lr_factors *f = sampled_factors(s, i);
    struct lr_layer_row r;

    lr_session_row(&r, s, i);
    *out = (struct out_config_layer){.rank = r.rank,
                                     .rank_spatial = r.rank_spatial,
                                     .full_rank = r.full_rank,
                                     .macs = r.macs,
                                     .macs_original = r.macs_original,
                                     .energy = r.energy,
                                     .error_linear = r.error_linear,
                                     .error_calib = r.error_calib,
                                     .error_heldout = r.error_heldout};
    if (f)
        out->seed = (struct out_seed){true, f->seed};
    return copy_text(&out->mode, f ? f->mode : NULL) &&
           copy_text(&out->name, r.layer->name) &&
           copy_text(&out->method, lr_method_info(r.method)->name) &&
           copy_text(&out->state, lr_state_name(r.state));
}

/* What all solved layers share: *mode NULL, or the seed unknown, when they differ. */
static void shared_origin(const char **mode, struct out_seed *seed,
                          const struct lr_session *s)
{
    bool is_one_mode = true, is_one_seed = true;

    *mode = NULL;
    *seed = (struct out_seed){0};
    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_factors *f = sampled_factors(s, i);
        if (!f)
            continue;
        is_one_mode = is_one_mode && (!*mode || strcmp(*mode, f->mode) == 0);
        is_one_seed = is_one_seed && (!seed->is_known || seed->value == f->seed);
        *mode = f->mode;
        *seed = (struct out_seed){true, f->seed};
    }
    if (!is_one_mode)
        *mode = NULL;
    seed->is_known = seed->is_known && is_one_seed;
}

static bool config_head(struct out_config *k, const struct lr_session *s)
{
    struct lr_totals t;
    const char *mode;
    char blas[128], engine[128];

    lr_session_totals(&t, s);
    shared_origin(&mode, &k->seed, s);
    k->threads = lr_la_threads();
    k->macs = t.macs;
    k->macs_original = t.macs_original;
    k->top1 = k->top1_original = NAN;
    k->difference = k->difference_low = k->difference_high = NAN;
    if (s->has_eval) {
        const struct lr_eval *r = &s->last_eval;
        k->eval_images = r->images;
        k->top1 = r->top1;
        k->top1_original = r->top1_original;
        k->difference = r->top1_difference;
        k->difference_low = r->difference_low;
        k->difference_high = r->difference_high;
    }
    return copy_text(&k->model, s->model_name) &&
           copy_text(&k->model_sha256, s->model_sha256) &&
           copy_text(&k->calib, s->calib ? lr_dataset_path(s->calib) : NULL) &&
           copy_text(&k->calib_sha256, s->calib ? lr_dataset_hash(s->calib) : NULL) &&
           copy_text(&k->eval, s->eval ? lr_dataset_path(s->eval) : NULL) &&
           copy_text(&k->eval_sha256, s->eval ? lr_dataset_hash(s->eval) : NULL) &&
           copy_text(&k->mode, mode) && copy_text(&k->program_version, PACKAGE_VERSION) &&
           copy_text(&k->blas_version, lr_la_version(blas, sizeof(blas))) &&
           copy_text(&k->engine_version, lr_engine_version(engine, sizeof(engine)));
}

static enum lr_status export_config(struct cmd_ctx *c, const char *path,
                                    struct cmd_error *e)
{
    const struct lr_session *s = c->session;
    struct out_config k = {0};
    enum lr_status st = LR_OK;

    k.layers = lr_calloc((size_t)s->n_layers + 1, sizeof(*k.layers));
    bool is_ok = k.layers && config_head(&k, s);
    for (int i = 0; is_ok && i < s->n_layers; i++) {
        k.n_layers = i + 1;
        is_ok = config_layer(&k.layers[i], s, i);
    }
    if (!is_ok)
        st = lr_enomem(&e->err, (size_t)s->n_layers * sizeof(*k.layers),
                       "a configuration");
    else
        st = out_config_write(&k, path, &e->err);
    out_config_free(&k);
    if (!st)
        cmd_say(c, "wrote %s", path);
    return st;
}

static enum lr_status write_table(struct cmd_ctx *c, struct out_table *t,
                                  const char *path, struct cmd_error *e)
{
    struct lr_strbuf b = {0};
    enum lr_status st =
        out_table_render(&b, t, out_format_of(path), c->settings.is_ascii, &e->err);

    if (!st && b.is_failed)
        st = lr_enomem(&e->err, b.len, "a table");
    if (!st)
        st = lr_file_write(path, b.s ? b.s : "", b.len, &e->err);
    if (!st)
        cmd_say(c, "wrote %s", path);
    lr_strbuf_free(&b);
    out_table_free(t);
    return st;
}

static enum lr_status export_table(struct cmd_ctx *c, const struct cmd_value *what,
                                   const char *path, struct cmd_error *e)
{
    static const char *const names[] = {"layers", "cost", "error", "eval"};
    struct out_table t;
    int *layers = NULL, n = 0, view = 0;
    enum lr_status st;

    while (view < 4 && strcmp(what->text, names[view]) != 0)
        view++;
    if (view == 4)
        return cmd_fail_at(e, what->begin, LR_EINVAL,
                           "unknown table %s; there are layers, cost, error and eval",
                           what->text);
    if (view == 3) {
        if (!c->session->has_eval)
            return cmd_fail_at(e, what->begin, LR_EINVAL,
                               "this plan has not been evaluated yet; eval does");
        cmd_eval_table(&t, &c->session->last_eval);
        return write_table(c, &t, path, e);
    }
    st = lr_session_layer_set(&layers, &n, c->session, "all", &e->err);
    if (!st)
        st = cmd_layer_table(&t, c, layers, n, (enum cmd_layer_view)view, e);
    lr_free(layers);
    return st ? st : write_table(c, &t, path, e);
}

/* The network that is open is never replaced: the session's script begins with it. */
static bool is_open_network(const struct cmd_ctx *c, const char *path)
{
    char *real = realpath(path, NULL);
    bool is_same =
        real && c->session->model_path && strcmp(real, c->session->model_path) == 0;

    free(real);
    return is_same;
}

static enum lr_status run_export(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *what = cmd_arg(call, "WHAT"),
                           *a = cmd_arg(call, "FILE|TABLE"), *b = cmd_arg(call, "FILE");
    bool is_table = what->i == WHAT_TABLE;
    char *path = NULL;
    enum lr_status st;

    if (is_table && !b->is_set) {
        cmd_hint(e, "such as export table layers layers.csv");
        return cmd_fail_at(e, call->tokens.end, LR_EINVAL, "the file is missing");
    }
    if (!is_table && b->is_set)
        return cmd_fail_at(e, b->begin, LR_EINVAL, "unexpected %s", b->text);
    st = cmd_path(&path, is_table ? b : a, e);
    if (st)
        return st;
    if (is_open_network(c, path))
        st = cmd_fail_at(e, (is_table ? b : a)->begin, LR_EINVAL,
                         "%s is the network that is open; give another name", path);
    else if (what->i == WHAT_ONNX)
        st = export_onnx(c, path, e);
    else if (what->i == WHAT_CONFIG)
        st = export_config(c, path, e);
    else
        st = export_table(c, a, path, e);
    if (st == LR_EIO && !e->has_place)
        cmd_blame(e, is_table ? b : a);
    lr_free(path);
    return st;
}

/* ---- rows ---- */

static const char *const tables[] = {"layers", "cost", "error", "eval", NULL};
static const char *const things[] = {"onnx", "config", "table", NULL};
static const struct cmd_param export_args[] = {
    {.name = "WHAT", .type = CMD_T_CHOICE, .choices = things, .help = "what to write"},
    {.name = "FILE|TABLE",
     .type = CMD_T_PATH_OUT,
     .choices = tables,
     .when = "table",
     .help = "for table: layers, cost, error or eval"},
    {.name = "FILE", .type = CMD_T_PATH_OUT, .flags = CMD_OPTIONAL, .help = "for table"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "exp$ort",
     .key = "F9",
     .typed = "export onnx ...",
     .summary = "write the faster network, the plan, or a table",
     .detail =
         "onnx: the approximated network, read back and compared before ok is said.\n"
         "config: ranks, methods and what was measured, as JSON. table: layers, cost,\n"
         "error or eval; the file's ending picks csv, json, md or text.\n",
     .examples = "export onnx fast.onnx\n"
                 "export table layers layers.csv\n",
     .args = export_args,
     .flags = CMD_NEEDS_MODEL,
     .run = run_export},
};

const struct cmd_group cmd_group_output = {"Files", rows, sizeof(rows) / sizeof(rows[0])};
