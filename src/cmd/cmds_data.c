/* Images for calibration and evaluation. */
#include "cmd/context.h"

#include <inttypes.h>
#include <string.h>

static const struct out_column data_columns[] = {
    {"role", "", OUT_TEXT, 0, 0},        {"source", "source", OUT_TEXT, 0, 0},
    {"images", "images", OUT_INT, 0, 0}, {"classes", "classes", OUT_INT, 0, 0},
    {"sha256", NULL, OUT_TEXT, 0, 0},
};

static void add_data(struct out_table *t, const char *role, const struct lr_dataset *d)
{
    out_text(t, role);
    if (!d) {
        for (int i = 0; i < 4; i++)
            out_null(t);
        return;
    }
    out_text(t, lr_dataset_path(d));
    out_int(t, lr_dataset_count(d));
    out_int(t, lr_dataset_labels(d) ? lr_dataset_classes(d) : INT64_MIN);
    out_text(t, lr_dataset_hash(d));
}

static enum lr_status show_data(struct cmd_ctx *c, struct cmd_error *e)
{
    struct out_table t;

    out_table_init(&t, data_columns, sizeof(data_columns) / sizeof(data_columns[0]));
    add_data(&t, "calib", c->session->calib);
    add_data(&t, "eval", c->session->eval);
    return cmd_table(c, &t, e);
}

static enum lr_status take_reals(int *n, float *to, const struct cmd_value *v,
                                 int channels, bool is_divisor, struct cmd_error *e)
{
    if (!v->is_set)
        return LR_OK;
    if (v->n_reals != 1 && v->n_reals != channels)
        return cmd_fail_at(
            e, v->begin, LR_EINVAL,
            "%s has %d numbers; give one or one for each of the %d channels", v->text,
            v->n_reals, channels);
    *n = v->n_reals;
    for (int i = 0; i < v->n_reals; i++) {
        to[i] = (float)v->reals[i];
        if (is_divisor && !(to[i] > 0))
            return cmd_fail_at(e, v->begin, LR_EINVAL, "std %s is not above 0", v->text);
    }
    return LR_OK;
}

static enum lr_status take_options(struct lr_data_opts *o, struct cmd_ctx *c,
                                   const struct cmd_call *call, struct cmd_error *e)
{
    const struct cmd_value *v;
    enum lr_status st;
    int channels = c->session->in_c;

    *o = (struct lr_data_opts){.seed = c->session->settings.seed};
    if ((v = cmd_option(call, "count"))->is_set)
        o->count = v->i;
    if ((v = cmd_option(call, "seed"))->is_set)
        o->seed = (uint64_t)v->i;
    if ((v = cmd_option(call, "scale"))->is_set) {
        o->has_scale = true;
        o->scale = (float)v->r;
    }
    o->is_bgr = cmd_option(call, "bgr")->is_set;
    st = take_reals(&o->n_mean, o->mean, cmd_option(call, "mean"), channels, false, e);
    if (!st)
        st = take_reals(&o->n_std, o->std, cmd_option(call, "std"), channels, true, e);
    return st;
}

static enum lr_status run_data(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *role = cmd_arg(call, "ROLE"), *src = cmd_arg(call, "SRC");
    const struct cmd_value *labels_value = cmd_option(call, "labels");
    struct lr_data_opts o;
    char *path = NULL, *labels = NULL;
    enum lr_status st;

    if (!role->is_set)
        return show_data(c, e);
    if (!src->is_set) {
        cmd_hint(e, "such as data %s images.idx.gz", role->text);
        return cmd_fail_at(e, call->tokens.end, LR_EINVAL, "SRC is missing");
    }
    if (!c->session->graph) {
        cmd_hint(e, "the network says what its images look like: open it first");
        return lr_err_set(&e->err, LR_EINVAL, "no network is open");
    }
    st = take_options(&o, c, call, e);
    if (!st && labels_value->is_set)
        st = cmd_path(&labels, labels_value, e);
    o.labels = labels;
    if (!st)
        st = cmd_path(&path, src, e);
    if (!st) {
        st = lr_session_data(c->session, role->i == 1, path, &o, &e->err);
        if (st)
            cmd_blame(e, src);
    }
    lr_free(path);
    lr_free(labels);
    if (st)
        return st;
    const struct lr_dataset *d = role->i == 1 ? c->session->eval : c->session->calib;
    if (lr_dataset_labels(d))
        cmd_say(c, "%s: %" PRId64 " images of %d classes", role->text,
                lr_dataset_count(d), lr_dataset_classes(d));
    else
        cmd_say(c, "%s: %" PRId64 " images without labels", role->text,
                lr_dataset_count(d));
    return LR_OK;
}

static const char *const roles[] = {"calib", "eval", NULL};
static const struct cmd_param data_args[] = {
    {.name = "ROLE",
     .type = CMD_T_CHOICE,
     .flags = CMD_OPTIONAL,
     .choices = roles,
     .help = "what the images are for"},
    {.name = "SRC", .type = CMD_T_IMAGES, .flags = CMD_OPTIONAL},
    {0}};
static const struct cmd_param data_options[] = {
    {.name = "count",
     .type = CMD_T_INT,
     .min = 1,
     .max = 1e12,
     .help = "draw this many at random"},
    {.name = "seed", .type = CMD_T_INT, .min = 0, .max = 9e18, .help = "for that draw"},
    {.name = "mean", .type = CMD_T_REALS, .help = "subtracted after scaling"},
    {.name = "std", .type = CMD_T_REALS, .help = "divides after that"},
    {.name = "scale",
     .type = CMD_T_REAL,
     .help = "factor of the stored values; 1/255 for bytes, 1 for floats"},
    {.name = "labels", .type = CMD_T_PATH_IN, .help = "classes of the images"},
    {.name = "bgr", .type = CMD_T_FLAG, .help = "swap the first and the third channel"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "da$ta",
     .summary = "images to calibrate with and to evaluate on",
     .detail =
         "Without arguments: what is loaded. value = (stored * scale - mean) / std.\n"
         "Embedded images (@fashion) know their own mean and std. New calibration\n"
         "images change what solve works from, not what is solved already.\n",
     .examples =
         "data\ndata calib @fashion --count 300\ndata eval @fashion --count 500\n",
     .args = data_args,
     .options = data_options,
     .flags = CMD_TABLE,
     .run = run_data},
};

const struct cmd_group cmd_group_data = {"Images", rows, sizeof(rows) / sizeof(rows[0])};
