/* Commands on the network as it is: opening it, and looking at its layers. */
#include "cmd/context.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/configs.h"

/* ---- open, close ---- */

static void say_data(struct cmd_ctx *c)
{
    const struct lr_session *s = c->session;

    if (s->calib && s->eval)
        cmd_say(c, "calibration images: %lld; evaluation images: %lld",
                (long long)lr_dataset_count(s->calib),
                (long long)lr_dataset_count(s->eval));
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

static const char *reason_of(const struct lr_layer *l)
{
    return l->reason ? l->reason : "cannot be approximated";
}

/* Why layer i stays whole. Of many with one reason the first tells it for all. */
static void say_reason(struct cmd_ctx *c, int i)
{
    enum { MANY = 5 };
    const struct lr_session *s = c->session;
    const char *reason = reason_of(&s->layers[i]);
    struct lr_strbuf names = {0};
    int n = 0, before = 0;

    for (int k = 0; k < s->n_layers; k++)
        if (!s->layers[k].is_approximable &&
            strcmp(reason_of(&s->layers[k]), reason) == 0) {
            before += k < i;
            lr_strbuf_printf(&names, "%s%s", n++ ? ", " : "", s->layers[k].name);
        }
    if (n < MANY)
        cmd_say(c, "  %s: %s", s->layers[i].name, reason);
    else if (before == 0 && !names.is_failed)
        cmd_say(c, "  %d layers: %s: %s", n, reason, names.s);
    lr_strbuf_free(&names);
}

/* Convolutions that make maps larger are no rows of the tables, but part of the network's
 * cost. */
static void say_transposed(struct cmd_ctx *c)
{
    const struct lr_graph *g = c->session->graph;
    struct lr_strbuf names = {0};
    char macs[32];
    double cost = 0;
    int n = 0;

    for (int k = 0; k < g->n_nodes; k++) {
        if (g->nodes[k].op != LR_OP_CONV_TRANSPOSE)
            continue;
        cost += (double)lr_node_cost(g, &g->nodes[k]).macs;
        lr_strbuf_printf(&names, "%s%s", n++ ? ", " : "", g->nodes[k].name);
    }
    if (n && !names.is_failed)
        cmd_say(c, "  %d transposed convolution%s (%sMAC) stay%s whole: %s", n, plural(n),
                cmd_amount(macs, sizeof(macs), cost), n == 1 ? "s" : "", names.s);
    lr_strbuf_free(&names);
}

/* Convolutions and products of other arithmetic, which are no layers here. */
static void say_unknown(struct cmd_ctx *c)
{
    static const char *const types[] = {"ConvInteger", "QLinearConv", "MatMulInteger",
                                        "QLinearMatMul", "DeformConv"};
    const struct lr_graph *g = c->session->graph;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const char *first = NULL;
        int n = 0;
        for (int k = 0; k < g->n_nodes; k++) {
            if (g->nodes[k].op != LR_OP_UNKNOWN ||
                strcmp(g->nodes[k].type, types[i]) != 0)
                continue;
            first = n++ ? first : g->nodes[k].name;
        }
        if (n)
            cmd_say(c, "  %d %s node%s stay%s whole, the first %s: not known", n,
                    types[i], plural(n), n == 1 ? "s" : "", first);
    }
}

/* Layers whose nonlinearity has no solver of its own, each with what follows it. */
static void say_linear(struct cmd_ctx *c)
{
    const struct lr_session *s = c->session;
    struct lr_strbuf names = {0};
    int n = 0;

    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_layer *l = &s->layers[i];
        if (l->kind != LR_LAYER_CONV || !l->is_approximable ||
            lr_act_is_nonlinear(&l->act))
            continue;
        if (n < 4)
            lr_strbuf_printf(&names, "%s%s (%s)", n ? ", " : "", l->name,
                             l->follow_name ? l->follow_name : "nothing");
        else if (n == 4)
            lr_strbuf_puts(&names, ", ...");
        n++;
    }
    if (n && !names.is_failed)
        cmd_say(c, "linear solution for %d layer%s, by what follows: %s", n, plural(n),
                names.s);
    lr_strbuf_free(&names);
}

static enum lr_status run_open(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *model = cmd_arg(call, "MODEL"),
                           *input = cmd_option(call, "input");
    struct lr_session *s = c->session;
    char macs[32], params[40], shape[8 * 21], *path = NULL;
    struct lr_strbuf kept = {0};
    int n = 0, n_conv = 0, n_fc = 0;
    int n_kept = cmd_config_names(&kept, c);
    enum lr_status st = cmd_path(&path, model, e);

    if (!st)
        st = lr_session_open(s, path, input->is_set ? &input->shape : NULL, &c->progress,
                             &e->err);
    if (!st)
        cmd_say_forgotten(c, n_kept, kept.s);
    lr_strbuf_free(&kept);
    if (st && path)
        cmd_blame(e, model);
    lr_free(path);
    if (st)
        return st;
    struct lr_cost cost = lr_graph_cost(s->graph);
    for (int i = 0; i < s->n_layers; i++) {
        bool is_conv = s->layers[i].kind == LR_LAYER_CONV;
        n_conv += is_conv;
        n += is_conv && s->layers[i].is_approximable;
        n_fc += !is_conv && s->layers[i].is_approximable;
    }
    cmd_amount(params, sizeof(params), (double)cost.params);
    /* An amount without a letter ends with the blank before a unit. */
    bool has_blank = params[strlen(params) - 1] == ' ';
    cmd_say(c, "%s: input %s%s, %d convolution%s, %sMAC, %s%sparameter%s", s->model_name,
            lr_session_input_text(shape, sizeof(shape), s),
            s->is_channels_last ? " (channels last)" : "", n_conv, plural(n_conv),
            cmd_amount(macs, sizeof(macs), (double)cost.macs), params,
            has_blank ? "" : " ", plural(cost.params));
    if (s->n_bn_folded == 1)
        cmd_say(c, "1 batch normalisation folded into its convolution");
    else if (s->n_bn_folded)
        cmd_say(c, "%d batch normalisations folded into their convolutions",
                s->n_bn_folded);
    if (n == n_conv && n == 1)
        cmd_say(c, "the convolution can be approximated");
    else if (n == n_conv && n)
        cmd_say(c, "all %d convolutions can be approximated", n);
    else if (n_conv == 0)
        cmd_say(c, "no convolution that can be approximated");
    else
        cmd_say(c, "%d of %d convolution%s can be approximated", n, n_conv,
                plural(n_conv));
    for (int i = 0; i < s->n_layers; i++)
        if (!s->layers[i].is_approximable)
            say_reason(c, i);
    say_transposed(c);
    say_unknown(c);
    say_linear(c);
    if (n_fc)
        cmd_say(c, "%d fully connected layer%s, kept whole unless method says otherwise",
                n_fc, plural(n_fc));
    say_data(c);
    return LR_OK;
}

static enum lr_status run_close(struct cmd_ctx *c, const struct cmd_call *call,
                                struct cmd_error *e)
{
    struct lr_strbuf kept = {0};
    int n_kept = cmd_config_names(&kept, c);

    (void)call, (void)e;
    cmd_say(c, "closed %s", c->session->model_name);
    lr_session_close(c->session);
    cmd_say_forgotten(c, n_kept, kept.s);
    lr_strbuf_free(&kept);
    return LR_OK;
}

/* ---- layers, cost ---- */

static enum lr_status show_layers(struct cmd_ctx *c, const struct cmd_call *call,
                                  enum cmd_layer_view view, struct cmd_error *e)
{
    struct out_table t;
    int *layers = NULL, n = 0;
    enum lr_status st = cmd_layers(&layers, &n, c, cmd_arg(call, "SET"), e);

    if (!st)
        st = cmd_layer_table(&t, c, layers, n, view, e);
    lr_free(layers);
    return st ? st : cmd_table(c, &t, e);
}

static enum lr_status run_layers(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    return show_layers(c, call, CMD_VIEW_LAYERS, e);
}

static enum lr_status run_cost(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    struct lr_totals t;
    enum lr_status st = show_layers(c, call, CMD_VIEW_COST, e);

    if (st)
        return st;
    cmd_say_whole(c);
    lr_session_totals(&t, c->session);
    cmd_say(c,
            "network: weights %.3g MB -> %.3g MB; memory traffic per image %.3g MB -> "
            "%.3g MB",
            4e-6 * (double)t.net_params_original, 4e-6 * (double)t.net_params,
            1e-6 * (double)t.net_bytes_original, 1e-6 * (double)t.net_bytes);
    cmd_say_ms(c);
    return LR_OK;
}

/* ---- info ---- */

static const struct out_column info_columns[] = {
    {"layer", "layer", OUT_TEXT, 0, 0},
    {"number", "number", OUT_INT, 0, 0},
    {"shape", "filters", OUT_TEXT, 0, 0},
    {"input", "input", OUT_TEXT, 0, 0},
    {"output", "output", OUT_TEXT, 0, 0},
    {"stride", "stride", OUT_TEXT, 0, 0},
    {"padding", "padding (top left bottom right)", OUT_TEXT, 0, 0},
    {"dilation", "dilation", OUT_TEXT, 0, 0},
    {"groups", "groups", OUT_INT, 0, 0},
    {"follow", "followed by", OUT_TEXT, 0, 0},
    {"is_sum", "added to a shortcut first", OUT_BOOL, 0, 0},
    {"is_approximable", "can be approximated", OUT_BOOL, 0, 0},
    {"reason", "whole because", OUT_TEXT, 0, 0},
    {"method", "method", OUT_TEXT, 0, 0},
    {"rank", "rank", OUT_INT, 0, 0},
    {"rank_spatial", "spatial rank", OUT_INT, 0, 0},
    {"break_even", "break-even rank", OUT_INT, 0, 0},
    {"data_rank", "rank of the responses", OUT_INT, 0, 0},
    {"zeros", "zeros after a ReLU %", OUT_REAL, 0.01, 1},
    {"dead", "dead channels", OUT_INT, 0, 0},
    {"samples", "samples", OUT_INT, 0, 0},
    {"macs", "MMAC", OUT_INT, 1e6, 3},
    {"params", "parameters", OUT_INT, 0, 0},
    {"mode", "solved in mode", OUT_TEXT, 0, 0},
    {"iterations", "solver iterations", OUT_INT, 0, 0},
    {"best_iteration", "iterate taken", OUT_INT, 0, 0},
    {"note", "note", OUT_TEXT, 0, 0},
    {"state", "state", OUT_TEXT, 0, 0},
};

static void add_pair(struct out_table *t, int a, int b)
{
    char buf[32];

    snprintf(buf, sizeof(buf), "%dx%d", a, b);
    out_text(t, buf);
}

static void add_map(struct out_table *t, int channels, int h, int w)
{
    char buf[48];

    snprintf(buf, sizeof(buf), "%dx%dx%d", channels, h, w);
    out_text(t, buf);
}

static void info_row(struct out_table *t, const struct cmd_ctx *c, int layer)
{
    const struct lr_session *s = c->session;
    const struct lr_layer *l = &s->layers[layer];
    const struct lr_layer_plan *p = &s->plan[layer];
    const struct lr_factors *f = p->factors;
    const struct lr_spectrum *spectrum =
        s->spectra && s->spectra[layer].eig ? &s->spectra[layer] : NULL;
    struct lr_rank_layer r = lr_session_rank_layer(s, layer);
    char buf[256];

    out_text(t, l->name);
    out_int(t, layer + 1);
    snprintf(buf, sizeof(buf), "%dx%dx%dx%d", l->d, l->c / (l->group > 0 ? l->group : 1),
             l->kh, l->kw);
    out_text(t, buf);
    add_map(t, l->c, l->in_h, l->in_w);
    add_map(t, l->d, l->out_h, l->out_w);
    add_pair(t, l->stride_h, l->stride_w);
    snprintf(buf, sizeof(buf), "%d %d %d %d", l->pad_top, l->pad_left, l->pad_bottom,
             l->pad_right);
    out_text(t, buf);
    add_pair(t, l->dil_h, l->dil_w);
    out_int(t, l->group);
    out_text(t, l->follow_name ? l->follow_name : "nothing");
    out_bool(t, l->sum_value >= 0);
    out_bool(t, l->is_approximable);
    out_text(t, lr_session_reason(s, layer, buf, sizeof(buf)));
    out_text(t, lr_method_info(p->method)->name);
    out_int(t, p->ranks.channel);
    out_int(t, p->ranks.spatial > 0 ? p->ranks.spatial : INT64_MIN);
    out_int(t, l->is_approximable ? lr_break_even(&r, p->ranks) : INT64_MIN);
    out_int(t, spectrum ? spectrum->n_data_rank : INT64_MIN);
    out_real(t, spectrum ? spectrum->zeros : NAN);
    out_int(t, spectrum ? spectrum->n_dead : INT64_MIN);
    out_int(t, spectrum ? (int64_t)spectrum->n_samples : INT64_MIN);
    out_int(t, l->macs);
    out_int(t, l->params);
    out_text(t, f ? f->mode : NULL);
    out_int(t, f ? f->n_iterations : INT64_MIN);
    out_int(t, f ? f->best_iteration : INT64_MIN);
    out_text(t, f ? f->note : NULL);
    out_text(t, lr_state_name(lr_session_state(s, layer)));
}

static const struct out_column rank_columns[] = {
    {"rank", "rank", OUT_INT, 0, 0},
    {"energy", "energy %", OUT_REAL, 0.01, 3},
    {"energy_weights", "energy of filters %", OUT_REAL, 0.01, 3},
    {"macs", "MMAC", OUT_INT, 1e6, 3},
    {"params", "kparam", OUT_INT, 1e3, 1},
    {"speedup", "speedup", OUT_REAL, 0, 2},
    {"mark", "", OUT_TEXT, 0, 0},
};

/* What each rank would cost: about a dozen ranks, the plan's and break-even among them.
 * Of a split with both parts d' is varied, d'' stays. */
static void rank_rows(struct out_table *t, const struct cmd_ctx *c, int layer)
{
    const struct lr_session *s = c->session;
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    const struct lr_spectrum *spectrum = s->spectra ? &s->spectra[layer] : NULL;
    struct lr_ranks r = s->plan[layer].ranks, full = lr_ranks_whole(&l);
    bool is_spatial = l.split == LR_SPLIT_SPATIAL;
    int pays_not = lr_break_even(&l, r), chosen = is_spatial ? r.spatial : r.channel;
    int most = is_spatial ? full.spatial : full.channel, step = lr_rank_step(&l, 1);

    l.is_kept = false;
    for (int rank = step, last = 0; rank <= most; rank += step) {
        bool is_marked = rank == chosen || rank == pays_not || rank == most;
        if (!is_marked && (int64_t)rank * 12 / most == (int64_t)last * 12 / most)
            continue;
        *(is_spatial ? &r.spatial : &r.channel) = rank;
        int64_t macs = lr_macs_at(&l, r);
        last = rank;
        out_int(t, rank);
        out_real(t, spectrum && spectrum->eig ? lr_ranks_energy(&l, r) : NAN);
        out_real(t, spectrum && spectrum->eig && !is_spatial
                        ? lr_spectrum_weight_energy(spectrum, rank)
                        : NAN);
        out_int(t, macs);
        out_int(t, lr_params_at(&l, r));
        out_real(t, macs ? (double)lr_macs_whole(&l) / (double)macs : NAN);
        out_text(t, rank == chosen && chosen < pays_not ? "chosen"
                    : rank == pays_not                  ? "break-even"
                    : rank == most                      ? "full"
                                                        : "");
    }
}

/* Two arrays make no JSON file, and two headers no CSV file. */
static bool is_for_one_table(const struct cmd_ctx *c)
{
    enum out_format f = c->redirect_path ? out_format_of(c->redirect_path) : OUT_TABLE;

    return f == OUT_JSON || f == OUT_CSV;
}

static enum lr_status run_info(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *v = cmd_arg(call, "LAYER");
    struct lr_session *s = c->session;
    struct out_table t;
    int *layers = NULL, n = 0, layer;
    enum lr_status st = cmd_layers(&layers, &n, c, v, e);

    if (st)
        return st;
    layer = n == 1 ? layers[0] : -1;
    lr_free(layers);
    if (layer < 0)
        return cmd_fail_at(e, v->begin, LR_EINVAL, "%s are %d layers; name one", v->text,
                           n);
    if (s->calib && s->layers[layer].is_approximable && lr_session_can_sample(s))
        st = lr_session_spectra(s, &c->progress, &e->err);
    if (st)
        return st;
    if (!s->layers[layer].is_approximable || !is_for_one_table(c)) {
        out_table_init(&t, info_columns, sizeof(info_columns) / sizeof(info_columns[0]));
        info_row(&t, c, layer);
        st = cmd_record_table(c, &t, e);
    }
    if (st || !s->layers[layer].is_approximable)
        return st;
    out_table_init(&t, rank_columns, sizeof(rank_columns) / sizeof(rank_columns[0]));
    rank_rows(&t, c, layer);
    return cmd_table(c, &t, e);
}

/* ---- rows ---- */

static const struct cmd_param open_args[] = {{.name = "MODEL", .type = CMD_T_MODEL}, {0}};
static const struct cmd_param open_options[] = {
    {.name = "input", .type = CMD_T_SHAPE, .help = "shape of the input where it is free"},
    {0}};
static const struct cmd_param set_args[] = {
    {.name = "SET", .type = CMD_T_SET, .flags = CMD_OPTIONAL}, {0}};
static const struct cmd_param info_args[] = {{.name = "LAYER", .type = CMD_T_LAYER}, {0}};

static const struct cmd_row rows[] = {
    {.name = "o$pen",
     .summary = "load a network",
     .detail =
         "Reads an ONNX file, folds batch normalisation where that is exact, and says\n"
         "which convolutions can be approximated and why the others cannot. An\n"
         "embedded network (@fashion) brings its images along. What was open before is\n"
         "replaced only when all went well. Sizes that the file leaves free are chosen\n"
         "(images 224 x 224) and said; --input gives others. What is fed may be an "
         "array\n"
         "of any number of dimensions: data then takes .npy files of that shape. Of\n"
         "several inputs one is the image; others of its shape get the same image, the\n"
         "rest are constants of ones. With an operator that is not known the network is\n"
         "run up to that one, and what is computed before stands for its outputs: a\n"
         "detector is evaluated by the scores and boxes that it chooses from.\n",
     .examples = "open @fashion\nopen @fashion-resnet\n",
     .args = open_args,
     .options = open_options,
     .run = run_open},
    {.name = "cl$ose",
     .summary = "forget the network and its images",
     .examples = "close; open @fashion\n",
     .flags = CMD_NEEDS_MODEL,
     .run = run_close},
    {.name = "l$ayers",
     .alias = "ls",
     .summary = "one row per convolution: shape, rank, cost, error, state",
     .detail =
         "The row total sums all convolutions, the row network every node. kept % is\n"
         "the share of the responses' energy that the rank keeps, x the speedup, error\n"
         "the held-out response error after the nonlinearity. csv and json have more\n"
         "columns, stride and groups among them.\n",
     .examples = "layers\nlayers conv2..conv4\n",
     .args = set_args,
     .flags = CMD_NEEDS_MODEL | CMD_TABLE,
     .run = run_layers},
    {.name = "inf$o",
     .summary = "everything about one layer, and what each rank would cost",
     .detail =
         "A .csv or .json file gets the table of ranks alone; for a layer that cannot\n"
         "be approximated, what is known of it.\n",
     .examples = "info conv3\n",
     .args = info_args,
     .flags = CMD_NEEDS_MODEL | CMD_TABLE,
     .run = run_info},
    {.name = "cos$t",
     .summary = "multiply-adds and parameters, before and after",
     .detail = "speedup is the theoretical one: multiply-adds before over multiply-adds "
               "after,\n"
               "the 1x1 parts included.\n",
     .examples = "cost\n",
     .args = set_args,
     .flags = CMD_NEEDS_MODEL | CMD_TABLE,
     .run = run_cost},
};

const struct cmd_group cmd_group_model = {"Network", rows,
                                          sizeof(rows) / sizeof(rows[0])};
