/* The plot command: its row, the kinds of plots, and where a plot goes: as text, into a
 * pane, a window or a file. */
#include "cmd/plots.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- memory ---- */

void *cmd_drawing_take(struct cmd_drawing *d, size_t n, size_t size)
{
    void **blocks = lr_realloc(d->blocks, d->n_blocks, d->n_blocks + 1, sizeof(*blocks));
    void *block = blocks ? lr_calloc(n ? n : 1, size) : NULL;

    if (blocks)
        d->blocks = blocks;
    if (block)
        d->blocks[d->n_blocks++] = block;
    else
        d->is_failed = true;
    return block;
}

const char *cmd_drawing_text(struct cmd_drawing *d, const char *fmt, ...)
{
    struct lr_strbuf b = {0};
    va_list ap;

    va_start(ap, fmt);
    lr_strbuf_vprintf(&b, fmt, ap);
    va_end(ap);
    char *text = b.s && !b.is_failed ? cmd_drawing_take(d, b.len + 1, 1) : NULL;
    if (text)
        memcpy(text, b.s, b.len);
    else
        d->is_failed = true;
    lr_strbuf_free(&b);
    return text;
}

const char *cmd_drawing_name(struct cmd_drawing *d, const struct lr_session *s, int layer)
{
    enum { MAX_NAME = 22 };
    struct lr_strbuf b = {0};
    size_t n = 0, at = 0;
    const char **names = lr_calloc((size_t)s->n_layers, sizeof(*names));

    /* Layers of other kinds often lie in other parts of a network. */
    for (int i = 0; names && i < s->n_layers; i++) {
        if (s->layers[i].kind != s->layers[layer].kind)
            continue;
        at = i == layer ? n : at;
        names[n++] = s->layers[i].name;
    }
    if (names)
        out_plot_short_name(&b, names, n, at, MAX_NAME);
    const char *name = names && !b.is_failed ? cmd_drawing_text(d, "%s", b.s) : NULL;
    d->is_failed |= !name;
    lr_free((void *)names);
    lr_strbuf_free(&b);
    return name;
}

enum lr_status cmd_drawing_check(const struct cmd_drawing *d, struct cmd_error *e)
{
    return d->is_failed ? lr_enomem(&e->err, d->n_blocks, "a plot") : LR_OK;
}

void cmd_drawing_free(struct cmd_drawing *d)
{
    for (size_t i = 0; i < d->n_blocks; i++)
        lr_free(d->blocks[i]);
    lr_free(d->blocks);
    *d = (struct cmd_drawing){0};
}

/* ---- where it goes ---- */

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
        st = cmd_path_out(&path, c, script, e);
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
                st = cmd_path_out(&path, c, to, e);
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

/* ---- kinds ---- */

/* As the choices of the command, in this order. */
const char *const cmd_plot_kinds[] = {"energy",   "error", "propagation", "accuracy",
                                      "tradeoff", "ranks", "latency",     NULL};
static cmd_plot_fn *const draw[] = {
    cmd_plot_energy,   cmd_plot_error, cmd_plot_propagation, cmd_plot_accuracy,
    cmd_plot_tradeoff, cmd_plot_ranks, cmd_plot_latency};

static enum lr_status run_plot(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    struct cmd_drawing d = {0};
    int *layers = NULL, n = 0;
    enum lr_status st = cmd_layers(&layers, &n, c, cmd_arg(call, "SET"), e);

    if (!st) {
        struct cmd_plot_call q = {call, layers, n};
        st = draw[cmd_arg(call, "KIND")->i](&d, c, &q, e);
    }
    if (!st)
        st = cmd_drawing_check(&d, e);
    if (!st)
        st = show_plot(c, call, &d.plot, e);
    cmd_drawing_free(&d);
    lr_free(layers);
    return st;
}

static const char *const targets[] = {"text", "pane", "window", NULL};
static const char *const sources[] = {"responses", "filters", NULL};
static const char *const axes[] = {"rank", "share", "macs", NULL};
static const char *const costs[] = {"macs", "ms", NULL};
static const struct cmd_param plot_args[] = {
    {.name = "KIND",
     .type = CMD_T_CHOICE,
     .choices = cmd_plot_kinds,
     .help = "what to draw"},
    {.name = "SET", .type = CMD_T_SET, .flags = CMD_OPTIONAL},
    {0}};
static const struct cmd_param plot_options[] = {
    {.name = "to",
     .type = CMD_T_PATH_OUT,
     .choices = targets,
     .help = "text, pane, window, or a .svg, .png, .pdf file"},
    {.name = "script", .type = CMD_T_PATH_OUT, .help = "write the gnuplot script"},
    {.name = "by",
     .type = CMD_T_CHOICE,
     .choices = axes,
     .help = "x axis of energy, accuracy, error"},
    {.name = "against", .type = CMD_T_CHOICE, .choices = costs, .help = "of tradeoff"},
    {.name = "of", .type = CMD_T_CHOICE, .choices = sources, .help = "whose energy"},
    {.name = "width",
     .type = CMD_T_INT,
     .min = 20,
     .max = 1000,
     .help = "columns of text"},
    {.name = "height", .type = CMD_T_INT, .min = 8, .max = 500, .help = "lines of text"},
    {0}};
static const struct cmd_row rows[] = {
    {.name = "pl$ot",
     .key = "p F7",
     .typed = "plot energy @here --to pane",
     .summary = "draw the spectra or the errors of layers",
     .detail =
         "energy: the share of energy that each rank keeps, chosen ranks marked (--of\n"
         "filters: of the squared singular values of the filters); error:\n"
         "the held-out error of the solved layers beside that of the linear solution, "
         "or\n"
         "with --by, and while nothing is solved, against the rank, from sweeps;\n"
         "propagation: each layer's own error, the inherited one, and what is left;\n"
         "accuracy: the points of sweeps with their 95 % intervals, hollow where they "
         "do\n"
         "not differ from the original, against the rank or, for several layers, its\n"
         "share of the full one (without labels the share of images with the original's\n"
         "answer); --by macs: against multiply-adds. What loses more than 10 points is\n"
         "cut off when most points lose less. tradeoff: networks of sweeps, kept\n"
         "configurations and the plan, accuracy against speedup, or (--against ms)\n"
         "against the milliseconds of those that were timed; ranks: those\n"
         "chosen, of the plan and of kept configurations; latency: milliseconds against\n"
         "ranks, and of the layer whole, as time --ranks.\n"
         "Without --to the plot is drawn as text, unless --script asks for the script.\n",
     .examples =
         "plot energy conv3,conv4 --width 60 --height 16\nplot error\nplot propagation\n"
         "plot ranks\nplot tradeoff --against ms\n",
     .args = plot_args,
     .options = plot_options,
     .flags = CMD_NEEDS_MODEL,
     .run = run_plot},
};

enum lr_status cmd_plot_make(struct cmd_drawing *d, struct cmd_ctx *c, const char *kind,
                             struct cmd_error *e)
{
    const struct cmd_call plain = {.row = &rows[0]};
    struct cmd_plot_call q = {.call = &plain};
    int *layers = NULL;
    size_t k = 0;
    enum lr_status st = lr_session_layer_set(&layers, &q.n, c->session, "all", &e->err);

    while (cmd_plot_kinds[k] && strcmp(kind, cmd_plot_kinds[k]) != 0)
        k++;
    q.layers = layers;
    if (!st && !cmd_plot_kinds[k])
        st = lr_err_set(&e->err, LR_EINVAL, "unknown plot %s", kind);
    if (!st)
        st = draw[k](d, c, &q, e);
    lr_free(layers);
    return st ? st : cmd_drawing_check(d, e);
}

const struct cmd_group cmd_group_plot = {"Plots", rows, sizeof(rows) / sizeof(rows[0])};
