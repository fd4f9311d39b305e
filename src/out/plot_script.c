/* The gnuplot script of a plot: terminal, axes, key, marks, the data as named blocks, and
 * one plot command. Numbers are the only thing in the data besides the names of places;
 * all text goes through plot_quote; nothing is computed, evaluated or read by the script.
 * Series differ by colour (a palette for colour-blind readers), dash pattern and point
 * type, so that a print in black and white can be read. */
#include "plot_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "ranklab/text.h"

enum {
    N_STYLES = 8,
    WIDTH = 800,
    MAX_TITLE = 120,
    MAX_KEY = 60,
    MAX_NAME = 28,
    MAX_LABEL = 28,
    MAX_LEVELS = 4,
    N_SYMBOLS = 7 /* on a curve without points of its own */
};

/* Okabe and Ito's colours without the yellow, dark ones first. */
static const struct {
    const char *colour, *dash;
    int point;
} styles[N_STYLES] = {
    {"#0072B2", "1", 7},      {"#D55E00", "(10,4)", 5},
    {"#009E73", "(3,3)", 9},  {"#000000", "(12,4,2,4)", 13},
    {"#CC79A7", "(18,5)", 6}, {"#E69F00", "(12,3,2,3,2,3)", 4},
    {"#56B4E9", "(6,6)", 8},  {"#7F7F7F", "(2,6)", 12},
};

/* How dark the bars of the first, second, ... series are. */
static const double fills[] = {0.85, 0.4, 0.12};
enum { N_FILLS = sizeof(fills) / sizeof(fills[0]) };

struct writer {
    struct lr_strbuf *b;
    const struct out_plot *p;
    struct plot_extent x;
    bool is_dumb;
    int dumb_width;
    /* of the series being written */
    const struct out_series *s;
    double offset;
    bool has_row;
};

/* ---- terminal ---- */

static bool is_plain(const char *s, const char *also)
{
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
              (*s >= '0' && *s <= '9') || strchr(also, *s)))
            return false;
    return true;
}

static void put_terminal(struct writer *w, const char *terminal, const char *output)
{
    static const struct {
        const char *name, *options;
    } known[] = {
        {"svg",
         "size 800,500 dynamic font 'Arial,14' linewidth 1 background rgb 'white'"},
        {"pngcairo",
         "size 1600,1000 font 'Sans,11' fontscale 2 linewidth 2 pointscale 2"},
        {"png", "size 1600,1000 truecolor font 'Sans,22' linewidth 2"},
        {"pdfcairo", "size 16cm,10cm font 'Sans,10' linewidth 1 fontscale 0.8"},
        {"qt", "size 960,600 font 'Sans,11' noraise title 'ranklab'"},
        {"wxt", "size 960,600 font 'Sans,11' noraise title 'ranklab'"},
        {"x11", "size 960,600 noraise title 'ranklab'"},
    };
    const char *options = w->is_dumb ? "nofeed mono" : "";

    if (!terminal) {
        lr_strbuf_puts(w->b, "if (GPVAL_TERM eq 'unknown') set terminal dumb size 100,30 "
                             "noenhanced\n");
        return;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].name, terminal) == 0)
            options = known[i].options;
    lr_strbuf_printf(w->b, "set terminal %s noenhanced %s\n", terminal, options);
    if (output)
        lr_strbuf_printf(w->b, "set output '%s'\n", output);
}

/* ---- numbers and text ---- */

static void put_number(struct lr_strbuf *b, double v)
{
    out_number_shortest(b, v);
}

static void put_line(struct writer *w, const char *command, const char *text, size_t max)
{
    if (!text || !*text)
        return;
    lr_strbuf_printf(w->b, "%s ", command);
    plot_quote(w->b, PLOT_IN_COMMAND, text, max);
    lr_strbuf_puts(w->b, " noenhanced\n");
}

static int text_columns(const char *s, size_t max)
{
    struct lr_strbuf b = {0};

    plot_clean(&b, s, max);
    int n = b.s ? lr_text_columns(b.s) : 0;
    lr_strbuf_free(&b);
    return n;
}

/* ---- marks ---- */

static bool has_label(const struct out_mark *m)
{
    return m->label && *m->label && isfinite(m->x);
}

static int compare_marks(const void *a, const void *b)
{
    const struct out_mark *const *p = a, *const *q = b;

    return ((*p)->x > (*q)->x) - ((*p)->x < (*q)->x);
}

/* Width of a character as a share of the plot's width. */
static double character(const struct writer *w)
{
    return w->is_dumb ? 1.0 / (w->dumb_width > 20 ? w->dumb_width - 14 : 6) : 1.0 / 78;
}

/* Gives each label the lowest level above the plot where it touches no other one; -1
 * where there is none. order: the marks by x. Returns the number of levels in use. */
static int place_labels(const struct writer *w, const struct out_mark **order,
                        int *levels)
{
    double ends[MAX_LEVELS], length = w->x.x_max - w->x.x_min;
    int n_used = 0;

    for (int l = 0; l < MAX_LEVELS; l++)
        ends[l] = -HUGE_VAL;
    for (size_t i = 0; i < w->p->n_marks; i++) {
        levels[i] = -1;
        if (!has_label(order[i]))
            continue;
        double centre = (order[i]->x - w->x.x_min) / length;
        double half = 0.5 * (text_columns(order[i]->label, MAX_LABEL) + 1) * character(w);
        for (int l = 0; l < (w->is_dumb ? 1 : MAX_LEVELS); l++) {
            if (centre - half < ends[l])
                continue;
            ends[l] = centre + half;
            levels[i] = l;
            if (l >= n_used)
                n_used = l + 1;
            break;
        }
    }
    return n_used;
}

static void put_marks(struct writer *w, const struct out_mark **order, const int *levels)
{
    struct lr_strbuf *b = w->b;

    for (size_t i = 0; i < w->p->n_marks; i++) {
        const struct out_mark *m = order[i];
        bool has_series = m->series >= 0 && (size_t)m->series < w->p->n_series;
        const char *colour = has_series ? styles[m->series % N_STYLES].colour : "#404040";
        double top = levels[i] > 0 ? 1 + 0.06 * levels[i] : 1;
        if (!isfinite(m->x))
            continue;
        lr_strbuf_puts(b, "set arrow from first ");
        put_number(b, m->x);
        lr_strbuf_puts(b, ", graph 0 to first ");
        put_number(b, m->x);
        lr_strbuf_printf(b,
                         ", graph %.3f nohead back linecolor rgb '%s' linewidth 1 "
                         "dashtype (8,6)\n",
                         top, colour);
        if (levels[i] < 0)
            continue;
        lr_strbuf_puts(b, "set label ");
        plot_quote(b, PLOT_IN_COMMAND, m->label, MAX_LABEL);
        lr_strbuf_puts(b, " at first ");
        put_number(b, m->x);
        lr_strbuf_printf(b, ", graph %.3f center offset 0,%s noenhanced", top, w->is_dumb ? "1" : "0.6");
        if (has_series)
            lr_strbuf_printf(b, " textcolor rgb '%s'", colour);
        lr_strbuf_putc(b, '\n');
    }
}

/* The rings where marks meet their curves. Returns whether there are any. */
static bool put_rings(struct writer *w)
{
    bool has_any = false;

    for (size_t i = 0; i < w->p->n_marks && !w->is_dumb; i++) {
        const struct out_mark *m = &w->p->marks[i];
        if (m->series < 0 || (size_t)m->series >= w->p->n_series || !isfinite(m->x))
            continue;
        double y = plot_y_at(w->p, &w->p->series[m->series], m->x);
        if (!isfinite(y))
            continue;
        if (!has_any)
            lr_strbuf_puts(w->b, "$rings << EOD\n");
        has_any = true;
        put_number(w->b, m->x);
        lr_strbuf_putc(w->b, ' ');
        put_number(w->b, y);
        lr_strbuf_printf(w->b, " %d\n", m->series % N_STYLES + 1);
    }
    if (has_any)
        lr_strbuf_puts(w->b, "EOD\n");
    return has_any;
}

/* ---- data ---- */

static void put_row(void *ctx, size_t i, bool is_gap)
{
    struct writer *w = ctx;
    const struct out_series *s = w->s;
    struct lr_strbuf *b = w->b;

    /* One empty line breaks a curve; two would begin another data set. */
    if (is_gap && w->has_row)
        lr_strbuf_putc(b, '\n');
    w->has_row = true;
    put_number(b, plot_x(s, i) + w->offset);
    lr_strbuf_putc(b, ' ');
    put_number(b, s->y[i]);
    if (s->low && s->high) {
        double low = s->low[i], high = s->high[i];
        if (!isfinite(low) || low > s->y[i])
            low = s->y[i];
        if (!isfinite(high) || high < s->y[i])
            high = s->y[i];
        if (w->p->is_log_y && low < w->x.y_smallest)
            low = w->x.y_smallest;
        lr_strbuf_putc(b, ' ');
        put_number(b, low);
        lr_strbuf_putc(b, ' ');
        put_number(b, high);
    }
    lr_strbuf_putc(b, '\n');
}

static bool has_visible(const struct out_plot *p, const struct out_series *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (plot_is_visible(p, s, i))
            return true;
    return false;
}

/* The smallest distance of two places of the bars, for their width. */
static double bar_spacing(const struct out_plot *p)
{
    double spacing = HUGE_VAL;

    for (size_t k = 0; k < p->n_series; k++)
        for (size_t i = 1; i < p->series[k].n && p->series[k].style == OUT_BARS; i++) {
            double d = fabs(plot_x(&p->series[k], i) - plot_x(&p->series[k], i - 1));
            if (d > 0 && d < spacing)
                spacing = d;
        }
    return isfinite(spacing) ? spacing : 1;
}

static int n_bar_series(const struct out_plot *p)
{
    int n = 0;

    for (size_t k = 0; k < p->n_series; k++)
        n += p->series[k].style == OUT_BARS;
    return n;
}

static double bar_width(const struct out_plot *p)
{
    int n = n_bar_series(p);

    return 0.8 * bar_spacing(p) / (n ? n : 1);
}

static void put_data(struct writer *w)
{
    int n_bars = n_bar_series(w->p), bar = 0;
    double width = bar_width(w->p);

    for (size_t k = 0; k < w->p->n_series; k++) {
        w->s = &w->p->series[k];
        w->offset = 0;
        if (w->s->style == OUT_BARS)
            w->offset = (bar++ - 0.5 * (n_bars - 1)) * width;
        if (!has_visible(w->p, w->s))
            continue;
        w->has_row = false;
        lr_strbuf_printf(w->b, "$data%zu << EOD\n", k + 1);
        plot_thin(w->p, w->s, WIDTH, put_row, w);
        lr_strbuf_puts(w->b, "EOD\n");
    }
}

/* Names of places and how they are turned. Of very many, only some are shown. */
static void put_names(struct writer *w)
{
    const struct out_plot *p = w->p;
    const struct out_series *s = p->n_series ? &p->series[0] : NULL;
    size_t room = w->is_dumb ? (size_t)(w->dumb_width > 24 ? w->dumb_width / 8 : 3) : 60;
    int columns = 0;

    if (!p->x_names || !s || s->n == 0)
        return;
    size_t step = (s->n + room - 1) / room;
    for (size_t i = 0; i < s->n; i += step)
        columns += text_columns(p->x_names[i], MAX_NAME) + 2;
    if (!w->is_dumb && columns > 88)
        lr_strbuf_printf(w->b, "set xtics rotate by %d right\n",
                         s->n / step > 24 ? 90 : 40);
    lr_strbuf_puts(w->b, "$names << EOD\n");
    for (size_t i = 0; i < s->n; i += step) {
        if (!isfinite(plot_x(s, i)))
            continue;
        put_number(w->b, plot_x(s, i));
        lr_strbuf_putc(w->b, ' ');
        plot_quote(w->b, PLOT_IN_DATA, p->x_names[i], w->is_dumb ? 7 : MAX_NAME);
        lr_strbuf_putc(w->b, '\n');
    }
    lr_strbuf_puts(w->b, "EOD\n");
}

/* ---- axes ---- */

static void put_range(struct writer *w, const char *axis, double min, double max)
{
    lr_strbuf_printf(w->b, "set %srange [", axis);
    if (isfinite(min))
        put_number(w->b, min);
    lr_strbuf_putc(w->b, ':');
    if (isfinite(max))
        put_number(w->b, max);
    lr_strbuf_puts(w->b, "]\n");
}

static void put_key(struct writer *w)
{
    int longest = 0, n = 0;

    for (size_t k = 0; k < w->p->n_series; k++) {
        int columns = text_columns(w->p->series[k].title, MAX_KEY);
        if (columns > longest)
            longest = columns;
        n += columns > 0;
    }
    if (n == 0)
        lr_strbuf_puts(w->b, "unset key\n");
    else if (w->is_dumb || n <= 2 || longest > 24)
        lr_strbuf_puts(w->b, "set key outside below center horizontal Left reverse "
                             "noenhanced samplen 4\n");
    else
        lr_strbuf_puts(w->b, "set key outside right top vertical Left reverse noenhanced "
                             "samplen 4 spacing 1.2\n");
}

static void put_axes(struct writer *w, int n_levels)
{
    const struct out_plot *p = w->p;
    struct lr_strbuf *b = w->b;
    bool has_title = p->title && *p->title;
    double pad = 0.02 * (w->x.x_max - w->x.x_min);

    lr_strbuf_puts(b, "set encoding utf8\nset border 3\n"
                      "set tics nomirror out scale 0.6\nset xtics noenhanced\n");
    if (!w->is_dumb)
        lr_strbuf_puts(b,
                       "set grid back linecolor rgb '#D8D8D8' linewidth 1 dashtype 1\n"
                       "set errorbars 0.6\nset pointintervalbox 0.01\n");
    lr_strbuf_puts(b, "set format y '%g'\n");
    if (has_title) {
        lr_strbuf_puts(b, "set title ");
        plot_quote(b, PLOT_IN_COMMAND, p->title, MAX_TITLE);
        lr_strbuf_printf(b, " offset 0,%.1f noenhanced\n", w->is_dumb ? n_levels : 1.1 * n_levels);
    }
    if (n_levels && !w->is_dumb)
        lr_strbuf_printf(b, "set tmargin %.1f\n", 0.8 + 1.3 * n_levels + 1.7 * has_title);
    put_line(w, "set xlabel", p->x_label, MAX_TITLE);
    put_line(w, "set ylabel", p->y_label, MAX_TITLE);
    put_key(w);
    if (w->x.has_bars)
        pad = 0.7 * bar_spacing(p);
    put_range(w, "x", w->x.x_min - pad, w->x.x_max + pad);
    if (p->is_log_y)
        lr_strbuf_puts(b, "set logscale y 10\nset mytics 10\n");
    if (p->has_y_range)
        put_range(w, "y", p->y_min, p->y_max);
    else if (w->x.has_bars && !p->is_log_y && w->x.y_min >= 0)
        put_range(w, "y", 0, NAN);
}

static void put_styles(struct writer *w)
{
    size_t n = w->p->n_series < N_STYLES ? w->p->n_series : N_STYLES;

    for (size_t k = 0; k < n; k++)
        lr_strbuf_printf(w->b,
                         "set linetype %zu linecolor rgb '%s' linewidth 2 dashtype %s "
                         "pointtype %d pointsize 0.7\n",
                         k + 1, styles[k].colour, styles[k].dash, styles[k].point);
}

/* ---- the plot command ---- */

static void put_curve(struct writer *w, size_t k)
{
    const struct out_series *s = &w->p->series[k];
    struct lr_strbuf *b = w->b;
    size_t type = k % N_STYLES + 1;

    lr_strbuf_printf(b, "$data%zu using 1:2 with ", k + 1);
    switch (s->style) {
    case OUT_LINES: {
        /* A few symbols tell many curves apart; a single point needs one to be seen. */
        bool has_symbols = (w->p->n_series > 1 && !w->is_dumb) || s->n < 2;
        size_t n = s->n < 4 * WIDTH ? s->n : 4 * WIDTH;
        size_t every = n / N_SYMBOLS ? n / N_SYMBOLS : 1;
        if (has_symbols)
            lr_strbuf_printf(b, "linespoints linetype %zu pointinterval %zu", type,
                             every);
        else
            lr_strbuf_printf(b, "lines linetype %zu", type);
        break;
    }
    case OUT_LINESPOINTS:
        lr_strbuf_printf(b, "linespoints linetype %zu", type);
        break;
    case OUT_POINTS:
        lr_strbuf_printf(b, "points linetype %zu", type);
        break;
    case OUT_BARS:
        lr_strbuf_printf(b,
                         "boxes linetype %zu linewidth 1 dashtype 1 fillstyle solid %.2f "
                         "border",
                         type, fills[k % N_FILLS]);
        break;
    }
    if (s->title && *s->title) {
        lr_strbuf_puts(b, " title ");
        plot_quote(b, PLOT_IN_COMMAND, s->title, MAX_KEY);
    } else {
        lr_strbuf_puts(b, " notitle");
    }
}

static void put_errors(struct writer *w, size_t k)
{
    bool is_bar = w->p->series[k].style == OUT_BARS;

    lr_strbuf_printf(w->b, "$data%zu using 1:2:3:4 with yerrorbars ", k + 1);
    if (is_bar)
        lr_strbuf_puts(w->b, "linecolor rgb '#202020'");
    else
        lr_strbuf_printf(w->b, "linetype %zu", k % N_STYLES + 1);
    lr_strbuf_puts(w->b, " linewidth 1 dashtype 1 pointtype 0 notitle");
}

static void put_plot(struct writer *w, bool has_rings)
{
    struct lr_strbuf *b = w->b;
    const char *comma = "plot ";

    if (w->p->x_names && w->p->series[0].n > 0) {
        lr_strbuf_printf(b, "%s$names using 1:(NaN):xtic(2) with points notitle", comma);
        comma = ", \\\n     ";
    }
    /* Error bars of curves below everything, of bars above them. */
    for (int pass = 0; pass < 3; pass++)
        for (size_t k = 0; k < w->p->n_series; k++) {
            const struct out_series *s = &w->p->series[k];
            bool has_errors = s->low && s->high && !w->is_dumb;
            bool is_due =
                pass == 1 || (has_errors && (s->style == OUT_BARS) == (pass == 2));
            if (!is_due || !has_visible(w->p, s))
                continue;
            lr_strbuf_puts(b, comma);
            comma = ", \\\n     ";
            if (pass == 1)
                put_curve(w, k);
            else
                put_errors(w, k);
        }
    if (has_rings)
        lr_strbuf_printf(b,
                         "%s$rings using 1:2:3 with points pointtype 6 pointsize 1.6 "
                         "linewidth 2 linecolor variable notitle",
                         comma);
    lr_strbuf_putc(b, '\n');
}

static void put_script(struct writer *w, const char *terminal, const char *output,
                       const struct out_mark **order, int *levels)
{
    for (size_t i = 0; i < w->p->n_marks; i++)
        order[i] = &w->p->marks[i];
    if (w->p->n_marks)
        qsort(order, w->p->n_marks, sizeof(*order), compare_marks);
    int n_levels = place_labels(w, order, levels);

    put_terminal(w, terminal, output);
    put_axes(w, n_levels);
    put_styles(w);
    if (w->x.has_bars) {
        lr_strbuf_puts(w->b, "set boxwidth ");
        put_number(w->b, bar_width(w->p));
        lr_strbuf_puts(w->b, " absolute\n");
    }
    put_marks(w, order, levels);
    put_names(w);
    put_data(w);
    bool has_rings = put_rings(w);
    put_plot(w, has_rings);
    if (!terminal)
        lr_strbuf_puts(w->b, "if (GPVAL_TERM eq 'qt' || GPVAL_TERM eq 'wxt' || "
                             "GPVAL_TERM eq 'x11') pause mouse close\n");
    else if (strcmp(terminal, "qt") == 0 || strcmp(terminal, "wxt") == 0 ||
             strcmp(terminal, "x11") == 0)
        lr_strbuf_puts(w->b, "pause mouse close\n");
}

enum lr_status out_plot_script(struct lr_strbuf *b, const struct out_plot *p,
                               const char *terminal, const char *output, struct lr_err *e)
{
    struct writer w = {.b = b, .p = p};
    const struct out_mark **order = NULL;
    int *levels = NULL;

    if ((terminal && !is_plain(terminal, " ,")) || (output && !is_plain(output, "._-")))
        return lr_err_set(e, LR_EINVAL, "plot terminal \"%s\": a plain name is expected",
                          terminal ? terminal : output);
    enum lr_status st = plot_measure(&w.x, p, e);
    if (st != LR_OK)
        return st;
    w.is_dumb = terminal && strncmp(terminal, "dumb", 4) == 0;
    if (w.is_dumb && sscanf(terminal, "dumb size %5d", &w.dumb_width) != 1)
        w.dumb_width = 80;
    order = lr_alloc(p->n_marks, sizeof(*order));
    levels = lr_alloc(p->n_marks, sizeof(*levels));
    if (order && levels)
        put_script(&w, terminal, output, order, levels);
    if (!order || !levels || b->is_failed)
        st = lr_enomem(e, b->len, "a plot");
    lr_free(order);
    lr_free(levels);
    return st;
}
