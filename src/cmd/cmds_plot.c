/* Plots of spectra and errors, as text, in a window or into files. */
#include "cmd/context.h"

#include <math.h>
#include <string.h>

#include "out/plot.h"

enum { KIND_ENERGY, KIND_ERROR, KIND_PROPAGATION };

/* A plot with the memory of its series. */
struct drawing {
    struct out_plot plot;
    struct out_series *series;
    struct out_mark *marks;
    const char **names;
    char (*labels)[32];
    double *values;
};

static void drawing_free(struct drawing *d)
{
    lr_free(d->series);
    lr_free(d->marks);
    lr_free(d->names);
    lr_free(d->labels);
    lr_free(d->values);
}

static enum lr_status drawing_alloc(struct drawing *d, size_t n_series, size_t n_values,
                                    struct cmd_error *e)
{
    d->series = lr_calloc(n_series, sizeof(*d->series));
    d->marks = lr_calloc(n_series, sizeof(*d->marks));
    d->names = lr_calloc(n_series, sizeof(*d->names));
    d->labels = lr_calloc(n_series, sizeof(*d->labels));
    d->values = lr_calloc(n_values, sizeof(*d->values));
    if (d->series && d->marks && d->names && d->labels && d->values)
        return LR_OK;
    return lr_enomem(&e->err, n_values * sizeof(*d->values), "a plot");
}

/* Cumulative energy against rank; several layers share the x axis as a share of d. */
static enum lr_status draw_energy(struct drawing *d, struct cmd_ctx *c, const int *layers,
                                  int n, bool is_share, bool of_filters,
                                  struct cmd_error *e)
{
    const struct lr_session *s = c->session;
    size_t n_values = 0, at = 0, k = 0;
    enum lr_status st;

    for (int i = 0; i < n; i++)
        if (s->spectra[layers[i]].eig)
            n_values += 2 * (size_t)(s->layers[layers[i]].d + 1);
    if (!n_values)
        return lr_err_set(&e->err, LR_EINVAL,
                          "none of these layers can be approximated: no spectrum");
    st = drawing_alloc(d, (size_t)n, n_values, e);
    if (st)
        return st;
    for (int i = 0; i < n; i++) {
        const struct lr_layer *l = &s->layers[layers[i]];
        const struct lr_spectrum *spectrum = &s->spectra[layers[i]];
        double *x = d->values + at, *y = x + l->d + 1;
        if (!spectrum->eig)
            continue;
        for (int rank = 0; rank <= l->d; rank++) {
            x[rank] = is_share ? (double)rank / l->d : rank;
            y[rank] = 100 * (of_filters ? lr_spectrum_weight_energy(spectrum, rank)
                             : rank     ? lr_spectrum_energy(spectrum, rank)
                                        : 0);
        }
        at += 2 * (size_t)(l->d + 1);
        d->series[k] = (struct out_series){
            .title = l->name, .style = OUT_LINES, .n = (size_t)l->d + 1, .x = x, .y = y};
        if (lr_session_state(s, layers[i]) != LR_STATE_WHOLE &&
            s->plan[layers[i]].ranks.channel < l->d) {
            int rank = s->plan[layers[i]].ranks.channel;
            snprintf(d->labels[k], sizeof(d->labels[k]), "%d", rank);
            d->marks[d->plot.n_marks++] =
                (struct out_mark){x[rank], d->labels[k], (int)k};
        }
        k++;
    }
    d->plot.title = of_filters ? "energy of the filters kept by a rank"
                               : "energy of the responses kept by a rank";
    d->plot.x_label = is_share ? "rank / filters" : "rank";
    d->plot.y_label = "energy (%)";
    d->plot.n_series = k;
    d->plot.series = d->series;
    d->plot.marks = d->marks;
    return LR_OK;
}

/* Two bars a layer: the linear solution and the one taken, held-out. */
static enum lr_status draw_error(struct drawing *d, struct cmd_ctx *c, const int *layers,
                                 int n, struct cmd_error *e)
{
    static const char *const titles[2] = {"linear", "solved"};
    size_t k = 0;
    enum lr_status st =
        drawing_alloc(d, (size_t)n < 2 ? 2 : (size_t)n, 3 * (size_t)n + 1, e);

    if (st)
        return st;
    double *x = d->values, *linear = x + n, *held = linear + n;
    for (int i = 0; i < n; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, c->session, layers[i]);
        if (isnan(r.error_heldout) && isnan(r.error_linear))
            continue;
        x[k] = (double)k + 1;
        linear[k] = r.error_linear;
        held[k] = r.error_heldout;
        d->names[k++] = r.layer->name;
    }
    if (!k) {
        cmd_hint(e, "solve computes the errors");
        return lr_err_set(&e->err, LR_EINVAL, "none of these layers is solved");
    }
    for (int i = 0; i < 2; i++)
        d->series[i] = (struct out_series){.title = titles[i],
                                           .style = OUT_BARS,
                                           .n = k,
                                           .x = x,
                                           .y = i ? held : linear};
    d->plot.title = "held-out response error";
    d->plot.x_label = "layer";
    d->plot.y_label = "|r(y)-r(y')|^2 / |r(y)|^2";
    d->plot.series = d->series;
    d->plot.n_series = 2;
    d->plot.x_names = d->names;
    return LR_OK;
}

/* Three curves along the network: what a layer alone causes, what the layers before it
 * leave behind when it is whole, and what remains of both after its fit. */
static enum lr_status draw_propagation(struct drawing *d, struct cmd_ctx *c,
                                       const int *layers, int n, struct cmd_error *e)
{
    static const char *const titles[3] = {"own", "inherited", "after the refit"};
    size_t k = 0;
    enum lr_status st =
        drawing_alloc(d, (size_t)n < 3 ? 3 : (size_t)n, 4 * (size_t)n + 1, e);

    if (st)
        return st;
    double *x = d->values, *y[3] = {x + n, x + 2 * n, x + 3 * n};
    for (int i = 0; i < n; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, c->session, layers[i]);
        if (isnan(r.error_refit))
            continue;
        x[k] = (double)k + 1;
        y[0][k] = r.error_own;
        y[1][k] = r.error_inherited;
        y[2][k] = r.error_refit;
        d->names[k++] = r.layer->name;
    }
    if (!k) {
        cmd_hint(e, "solve computes the errors");
        return lr_err_set(&e->err, LR_EINVAL, "none of these layers is solved");
    }
    for (int i = 0; i < 3; i++)
        d->series[i] = (struct out_series){
            .title = titles[i], .style = OUT_LINESPOINTS, .n = k, .x = x, .y = y[i]};
    d->plot.title = "propagation of the response error";
    d->plot.x_label = "layer";
    d->plot.y_label = "|r(y)-r(y')|^2 / |r(y)|^2, held-out";
    d->plot.series = d->series;
    d->plot.n_series = 3;
    d->plot.x_names = d->names;
    return LR_OK;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

static enum lr_status show_text(struct cmd_ctx *c, const struct out_plot *p, int width,
                                int height, bool use_gnuplot, struct cmd_error *e)
{
    struct lr_strbuf b = {0};
    enum lr_status st =
        out_plot_text(&b, p, width, height, c->settings.is_ascii,
                      use_gnuplot && !c->settings.is_safe, &c->progress, &e->err);

    if (!st && b.is_failed)
        st = lr_enomem(&e->err, b.len, "a plot");
    if (!st && b.len && b.s[b.len - 1] != '\n')
        lr_strbuf_putc(&b, '\n');
    if (!st && b.s)
        cmd_text(c, b.s);
    lr_strbuf_free(&b);
    return st;
}

static enum lr_status show_plot(struct cmd_ctx *c, const struct cmd_call *call,
                                const struct out_plot *p, struct cmd_error *e)
{
    const struct cmd_value *to = cmd_option(call, "to"),
                           *script = cmd_option(call, "script"),
                           *width = cmd_option(call, "width"),
                           *height = cmd_option(call, "height");
    enum cmd_plot_terminal where = c->settings.plot_terminal;
    int w = width->is_set ? (int)width->i : 72;
    int h = height->is_set ? (int)height->i : 20;
    char *path = NULL;
    enum lr_status st = LR_OK;

    if (script->is_set) {
        st = cmd_path(&path, script, e);
        if (!st && out_plot_save_script(p, path, &e->err))
            st = cmd_blame(e, script);
        if (!st)
            cmd_say(c, "wrote %s", path);
        lr_free(path);
        path = NULL;
        if (st || !to->is_set)
            return st;
    }
    if (to->is_set) {
        if (strcmp(to->text, "pane") == 0 && c->sink.plot)
            return c->sink.plot(c->sink.ctx, p, &e->err);
        if (strcmp(to->text, "text") == 0 || strcmp(to->text, "pane") == 0)
            where = c->settings.plot_terminal == CMD_PLOT_WINDOW ? CMD_PLOT_TEXT : where;
        else if (strcmp(to->text, "window") == 0)
            where = CMD_PLOT_WINDOW;
        else if (ends_with(to->text, ".svg") || ends_with(to->text, ".png") ||
                 ends_with(to->text, ".pdf")) {
            st = cmd_check_safe(c, to->text, e);
            if (!st)
                st = cmd_path(&path, to, e);
            if (!st)
                st = out_plot_file(p, path, &c->progress, &e->err);
            if (!st)
                cmd_say(c, "wrote %s", path);
            else
                cmd_blame(e, to);
            lr_free(path);
            return st;
        } else
            return cmd_fail_at(e, to->begin, LR_EINVAL,
                               "%s is not text, pane, window or a .svg, .png or "
                               ".pdf file",
                               to->text);
    }
    if (where == CMD_PLOT_WINDOW) {
        st = cmd_check_safe(c, "a window", e);
        return st ? st : out_plot_window(p, &c->progress, &e->err);
    }
    return show_text(c, p, w, h, where == CMD_PLOT_TEXT, e);
}

static enum lr_status run_plot(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *kind = cmd_arg(call, "KIND"), *by = cmd_option(call, "by"),
                           *of = cmd_option(call, "of");
    struct drawing d = {0};
    int *layers = NULL, n = 0;
    enum lr_status st = cmd_layers(&layers, &n, c, cmd_arg(call, "SET"), e);

    if (!st && kind->i == KIND_ENERGY)
        st = lr_session_spectra(c->session, &c->progress, &e->err);
    if (!st && kind->i == KIND_ENERGY)
        st = draw_energy(&d, c, layers, n, by->is_set ? by->i == 1 : n > 1,
                         of->is_set && of->i == 1, e);
    else if (!st && kind->i == KIND_PROPAGATION)
        st = draw_propagation(&d, c, layers, n, e);
    else if (!st)
        st = draw_error(&d, c, layers, n, e);
    if (!st)
        st = show_plot(c, call, &d.plot, e);
    drawing_free(&d);
    lr_free(layers);
    return st;
}

static const char *const targets[] = {"text", "pane", "window", NULL};
static const char *const kinds[] = {"energy", "error", "propagation", NULL};
static const char *const sources[] = {"responses", "filters", NULL};
static const char *const axes[] = {"rank", "share", NULL};
static const struct cmd_param plot_args[] = {
    {.name = "KIND", .type = CMD_T_CHOICE, .choices = kinds, .help = "what to draw"},
    {.name = "SET", .type = CMD_T_SET, .flags = CMD_OPTIONAL},
    {0}};
static const struct cmd_param plot_options[] = {
    {.name = "to",
     .type = CMD_T_PATH_OUT,
     .choices = targets,
     .help = "text, pane, window, or a .svg, .png, .pdf file"},
    {.name = "script", .type = CMD_T_PATH_OUT, .help = "write the gnuplot script"},
    {.name = "by", .type = CMD_T_CHOICE, .choices = axes, .help = "x axis of energy"},
    {.name = "of", .type = CMD_T_CHOICE, .choices = sources, .help = "whose energy"},
    {.name = "width",
     .type = CMD_T_INT,
     .min = 20,
     .max = 1000,
     .help = "columns of text"},
    {.name = "height", .type = CMD_T_INT, .min = 8, .max = 500, .help = "lines of text"},
    {0}};
static const struct cmd_row rows[] = {
    {.name = "p$lot",
     .key = "p F7",
     .typed = "plot energy @here --to pane",
     .summary = "draw the spectra or the errors of layers",
     .detail =
         "energy: the share of energy that each rank keeps, chosen ranks marked (--of\n"
         "filters: of the squared singular values of the filters); error:\n"
         "the held-out error of the solved layers beside that of the linear solution;\n"
         "propagation: each layer's own error, the inherited one, and what is left.\n"
         "Without --to the plot is drawn as text, unless --script asks for the script.\n",
     .examples =
         "plot energy conv3,conv4 --width 60 --height 16\nplot error\nplot propagation\n",
     .args = plot_args,
     .options = plot_options,
     .flags = CMD_NEEDS_MODEL,
     .run = run_plot},
};

const struct cmd_group cmd_group_plot = {"Plots", rows, sizeof(rows) / sizeof(rows[0])};
