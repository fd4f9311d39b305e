/* Images for calibration and evaluation. */
#include "cmd/context.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

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
    out_text(t, lr_dataset_hash(d)[0] ? lr_dataset_hash(d) : NULL);
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

struct preset {
    const char *name;
    float mean[3], std[3], scale; /* scale 0: 1/255 */
    bool is_bgr;
};
/* imagenet: torchvision's constants. caffe: the blue-green-red means of the networks that
 * were trained with it. Both resize the shorter side to 256 for an input of 224; what is
 * not square is just covered, whatever side of a picture is the shorter one. */
static const struct preset presets[] = {
    {"imagenet", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, 0, false},
    {"caffe", {103.939f, 116.779f, 123.68f}, {1, 1, 1}, 1, true},
};
static const char *const preset_names[] = {"imagenet", "caffe", "none", NULL};

static enum lr_status take_preset(struct lr_data_opts *o, const struct cmd_ctx *c,
                                  const struct cmd_value *v, bool is_folder,
                                  struct cmd_error *e)
{
    const struct preset *p;
    const int side = c->session->in_h;

    if (!v->is_set || (size_t)v->i >= sizeof(presets) / sizeof(presets[0]))
        return LR_OK;
    p = &presets[v->i];
    if (c->session->in_c != 3)
        return cmd_fail_at(e, v->begin, LR_EINVAL,
                           "preset %s is for 3 channels; the network's input has %d",
                           p->name, c->session->in_c);
    o->n_mean = o->n_std = 3;
    memcpy(o->mean, p->mean, sizeof(p->mean));
    memcpy(o->std, p->std, sizeof(p->std));
    o->is_bgr = p->is_bgr;
    if (p->scale > 0) {
        o->has_scale = true;
        o->scale = p->scale;
    }
    if (is_folder && side == c->session->in_w)
        o->resize_h = (int)((side * 256LL + 112) / 224);
    return LR_OK;
}

/* One number or two, of pixels. */
static bool is_size(const struct cmd_value *v, int *h, int *w)
{
    if (v->n_reals < 1 || v->n_reals > 2)
        return false;
    for (int i = 0; i < v->n_reals; i++)
        if (!(v->reals[i] >= 1) || v->reals[i] > 16384 ||
            v->reals[i] != (double)(int)v->reals[i])
            return false;
    *h = (int)v->reals[0];
    *w = v->n_reals == 2 ? (int)v->reals[1] : 0;
    return true;
}

static enum lr_status take_sizes(struct lr_data_opts *o, const struct cmd_ctx *c,
                                 const struct cmd_call *call, struct cmd_error *e)
{
    const struct cmd_value *resize = cmd_option(call, "resize"),
                           *crop = cmd_option(call, "crop");
    int h, w;

    if (resize->is_set && !is_size(resize, &o->resize_h, &o->resize_w))
        return cmd_fail_at(e, resize->begin, LR_EINVAL,
                           "%s: N (the shorter side) or H,W in pixels is expected",
                           resize->text);
    if (!crop->is_set)
        return LR_OK;
    if (!is_size(crop, &h, &w))
        return cmd_fail_at(e, crop->begin, LR_EINVAL,
                           "%s: N or H,W in pixels is expected", crop->text);
    if (h != c->session->in_h || (w ? w : h) != c->session->in_w)
        return cmd_fail_at(e, crop->begin, LR_ESHAPE,
                           "%s is not the size of the network's input, %d,%d", crop->text,
                           c->session->in_h, c->session->in_w);
    return LR_OK;
}

static enum lr_status take_options(struct lr_data_opts *o, struct cmd_ctx *c,
                                   const struct cmd_call *call, struct cmd_error *e)
{
    const struct cmd_value *v;
    enum lr_status st;
    int channels = c->session->in_c;

    *o = (struct lr_data_opts){.seed = c->session->settings.seed};
    struct stat info;
    char *path = NULL;
    if ((st = cmd_path(&path, cmd_arg(call, "SRC"), e)) != LR_OK)
        return st;
    bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    lr_free(path);
    st = take_preset(o, c, cmd_option(call, "preset"), is_folder, e);
    if (st)
        return st;
    if ((v = cmd_option(call, "count"))->is_set)
        o->count = v->i;
    if ((v = cmd_option(call, "seed"))->is_set)
        o->seed = (uint64_t)v->i;
    if ((v = cmd_option(call, "scale"))->is_set) {
        o->has_scale = true;
        o->scale = (float)v->r;
    }
    o->is_bgr = o->is_bgr || cmd_option(call, "bgr")->is_set;
    st = take_sizes(o, c, call, e);
    if (st)
        return st;
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
    o.progress = &c->progress;
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
    if (lr_dataset_known(d) < lr_dataset_count(d))
        cmd_say(
            c, "the first %" PRId64 " were read, the others will be when they are needed",
            lr_dataset_known(d));
    if (lr_dataset_skipped(d))
        cmd_say(c, "%" PRId64 " skipped", lr_dataset_skipped(d));
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
    {.name = "mean",
     .type = CMD_T_REALS,
     .help = "subtracted after scaling: one, or one for each channel"},
    {.name = "std",
     .type = CMD_T_REALS,
     .help = "divides after that: one, or one for each channel"},
    {.name = "scale",
     .type = CMD_T_REAL,
     .help = "factor of the stored values; 1/255 for bytes, 1 for floats"},
    {.name = "labels", .type = CMD_T_PATH_IN, .help = "classes of the images"},
    {.name = "preset",
     .type = CMD_T_CHOICE,
     .choices = preset_names,
     .help = "mean, std, scale, order and resize that networks were trained with"},
    {.name = "resize",
     .type = CMD_T_PIXELS,
     .help = "of pictures: N the shorter side, H,W exactly"},
    {.name = "crop",
     .type = CMD_T_PIXELS,
     .help = "of their middle: the network's input"},
    {.name = "bgr", .type = CMD_T_FLAG, .help = "swap the first and the third channel"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "da$ta",
     .summary = "images to calibrate with and to evaluate on",
     .detail =
         "Without arguments: what is loaded. value = (stored * scale - mean) / std.\n"
         "Embedded images (@fashion) know their own mean and std. New calibration\n"
         "images change what solve works from, not what is solved already.\n"
         "SRC is an idx or .npy file or a folder of pictures (JPEG, PNG, WebP, BMP,\n"
         "PPM, PGM) or of a sub-folder for each class, sorted. They are resized, by\n"
         "default just to cover the network's input, and the middle is taken. Of a\n"
         "folder only the first pictures are read at once, the others when a command\n"
         "needs them; what cannot be read is named and skipped. --labels is idx, .npy\n"
         "or, for folders, a text file: NUMBER or NAME NUMBER on each line.\n",
     .examples =
         "data\ndata calib @fashion --count 300\ndata eval @fashion --count 500\n",
     .args = data_args,
     .options = data_options,
     .flags = CMD_TABLE | CMD_VARIES,
     .run = run_data},
};

const struct cmd_group cmd_group_data = {"Images", rows, sizeof(rows) / sizeof(rows[0])};
