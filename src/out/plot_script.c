/* The gnuplot script of a plot: terminal, axes, key, marks, the data as named blocks, and
 * one plot command. Numbers are the only thing in the data besides the names of places;
 * all text goes through plot_quote; nothing is computed, evaluated or read by the script.
 * Series differ by colour (a palette for colour-blind readers), dash pattern and point
 * type, so that a print in black and white can be read. */
#include "plot_script.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "ranklab/text.h"

enum { MAX_TITLE = 120, MAX_NAME = 24, KEY_BELOW = 12, KEY_BESIDE = 18 };
/* Beside the curves a key leaves them their room when its titles are no longer. */
enum { MAX_BESIDE = 24 };

/* Okabe and Ito's colours without the yellow, dark ones first. The points are filled
 * ones, the number before each is the same one hollow; there are six of them. */
const struct plot_style plot_styles[PLOT_N_STYLES] = {
    {"#0072B2", "1", 7},       {"#D55E00", "(10,4)", 5},
    {"#009E73", "(3,3)", 9},   {"#000000", "(12,4,2,4)", 13},
    {"#CC79A7", "(18,5)", 11}, {"#E69F00", "(12,3,2,3,2,3)", 15},
    {"#56B4E9", "(6,6)", 7},   {"#7F7F7F", "(2,6)", 5},
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

static void put_terminal(struct plot_writer *w, const char *terminal, const char *output)
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

static void put_line(struct plot_writer *w, const char *command, const char *text,
                     size_t max)
{
    if (!text || !*text)
        return;
    lr_strbuf_printf(w->b, "%s ", command);
    plot_quote(w->b, PLOT_IN_COMMAND, text, max);
    lr_strbuf_puts(w->b, " noenhanced\n");
}

/* Each time round, the colours meet other dashes and points. */
static const struct plot_style *other_style(size_t k)
{
    k %= PLOT_N_LOOKS;
    return &plot_styles[(k + k / PLOT_N_STYLES * 3) % PLOT_N_STYLES];
}

/* ---- data ---- */

static void put_row(void *ctx, size_t i, bool is_gap)
{
    struct plot_writer *w = ctx;
    const struct out_series *s = w->s;
    struct lr_strbuf *b = w->b;

    /* One empty line breaks a curve; two would begin another data set. */
    if (is_gap && w->has_row)
        lr_strbuf_putc(b, '\n');
    w->has_row = true;
    out_number_shortest(b, plot_x(s, i) + w->offset);
    lr_strbuf_putc(b, ' ');
    out_number_shortest(b, s->y[i]);
    if ((s->low && s->high) || s->is_open) {
        double low = s->low ? s->low[i] : NAN, high = s->high ? s->high[i] : NAN;
        if (!isfinite(low) || low > s->y[i])
            low = s->y[i];
        if (!isfinite(high) || high < s->y[i])
            high = s->y[i];
        if (w->p->is_log_y && low < w->x.y_smallest)
            low = w->x.y_smallest;
        lr_strbuf_putc(b, ' ');
        out_number_shortest(b, low);
        lr_strbuf_putc(b, ' ');
        out_number_shortest(b, high);
    }
    if (s->is_open)
        lr_strbuf_printf(b, " %d",
                         other_style((size_t)(s - w->p->series))->point - s->is_open[i]);
    lr_strbuf_putc(b, '\n');
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

static void put_data(struct plot_writer *w)
{
    int n_bars = n_bar_series(w->p), bar = 0;
    double width = bar_width(w->p);

    for (size_t k = 0; k < w->p->n_series; k++) {
        w->s = &w->p->series[k];
        w->offset = 0;
        if (w->s->style == OUT_BARS)
            w->offset = (bar++ - 0.5 * (n_bars - 1)) * width;
        if (!plot_has_visible(w->p, w->s))
            continue;
        w->has_row = false;
        lr_strbuf_printf(w->b, "$data%zu << EOD\n", k + 1);
        plot_thin(w->p, w->s, PLOT_WIDTH, put_row, w);
        lr_strbuf_puts(w->b, "EOD\n");
    }
}

/* Names of places and how they are turned. Of very many, only some are shown. */
static void put_names(struct plot_writer *w)
{
    const struct out_plot *p = w->p;
    const struct out_series *s = &p->series[0];
    size_t room = w->is_dumb ? (size_t)(w->dumb_width > 24 ? w->dumb_width / 8 : 3) : 48;
    size_t max = w->is_dumb ? 7 : MAX_NAME;
    struct plot_names shared = plot_shared_names(p);
    struct lr_strbuf name = {0};
    int columns = 0, longest = 0;

    if (!p->x_names || s->n == 0)
        return;
    size_t step = (s->n + room - 1) / room;
    lr_strbuf_puts(w->b, "$names << EOD\n");
    for (size_t i = 0; i < s->n; i += step) {
        if (!isfinite(plot_x(s, i)))
            continue;
        lr_strbuf_reset(&name);
        plot_name(&name, p, shared, i, max);
        out_number_shortest(w->b, plot_x(s, i));
        lr_strbuf_putc(w->b, ' ');
        plot_quote(w->b, PLOT_IN_DATA, name.s, max);
        lr_strbuf_putc(w->b, '\n');
        int n = plot_columns(name.s, max);
        columns += n + 2;
        longest = n > longest ? n : longest;
    }
    lr_strbuf_puts(w->b, "EOD\n");
    /* Slanted names reach to the left of their tic, which long ones have no room for. */
    if (!w->is_dumb && columns > 88)
        lr_strbuf_printf(w->b, "set xtics rotate by %d right%s\n",
                         longest > 10 || s->n / step > 24 ? 90 : 40,
                         s->n / step > 28 ? " font ',8'" : "");
    w->b->is_failed |= name.is_failed;
    lr_strbuf_free(&name);
}

/* ---- axes ---- */

static void put_range(struct plot_writer *w, const char *axis, double min, double max)
{
    lr_strbuf_printf(w->b, "set %srange [", axis);
    if (isfinite(min))
        out_number_shortest(w->b, min);
    lr_strbuf_putc(w->b, ':');
    if (isfinite(max))
        out_number_shortest(w->b, max);
    lr_strbuf_puts(w->b, "]\n");
}

/* How many series find room in the key, which is put where they do. */
static void put_key(struct plot_writer *w)
{
    const char *const symbols[] = {w->p->open_title, w->p->ring_title, w->p->cross_title};
    int longest = 0, n = 0, n_lines = 0;

    for (size_t k = 0; k < w->p->n_series; k++) {
        int columns = plot_columns(w->p->series[k].title, PLOT_MAX_KEY);
        longest = columns > longest ? columns : longest;
        n += columns > 0;
    }
    for (int k = 0; k < 3; k++) {
        int columns = plot_columns(symbols[k], PLOT_MAX_KEY);
        longest = columns > longest ? columns : longest;
    }
    for (size_t k = 0; k < w->p->n_marks; k++)
        n_lines += w->p->marks[k].kind == OUT_MARK_LINE;
    /* Labels of many marks need the whole width. */
    bool has_many_marks = n_lines > 2 && n <= KEY_BELOW / 2;
    bool is_below = w->is_dumb || n <= 2 || has_many_marks ||
                    (longest > MAX_BESIDE && n <= KEY_BELOW / 2);
    w->n_key = is_below ? KEY_BELOW : KEY_BESIDE;
    w->key_columns = is_below ? PLOT_MAX_KEY : MAX_BESIDE;
    if (n == 0)
        lr_strbuf_puts(w->b, "unset key\n");
    else if (is_below)
        lr_strbuf_printf(w->b,
                         "set key outside below center horizontal Left reverse "
                         "noenhanced samplen 4%s\n",
                         w->is_dumb ? "" : " height 0.6");
    else
        lr_strbuf_printf(w->b,
                         "set key outside right top vertical maxcols 1 Left reverse "
                         "noenhanced samplen 4 width -2 spacing %s\n",
                         n > KEY_BELOW ? "0.85" : "1.2");
}

/* The second x axis: its numbers at the plot, the labels of the marks above them, and
 * then what the numbers count. In characters there is no room for that. */
static void put_second_axis(struct plot_writer *w, int n_levels)
{
    const struct out_plot *p = w->p;
    const char *comma = "";

    if (!plot_has_tics(w))
        return;
    lr_strbuf_puts(w->b,
                   "set border 7\nset x2tics nomirror out scale 0.6 offset 0,-0.3 (");
    for (size_t i = 0; i < p->n_tics; i++) {
        const struct out_tic *t = &p->tics[i];
        if (!(t->x >= w->x.x_min && t->x <= w->x.x_max) || !isfinite(t->value))
            continue;
        lr_strbuf_printf(w->b, "%s'", comma);
        out_number_fixed(w->b, t->value, -3);
        lr_strbuf_puts(w->b, "' ");
        out_number_shortest(w->b, t->x);
        comma = ", ";
    }
    lr_strbuf_puts(w->b, ")\n");
    if (!p->tics_label)
        return;
    lr_strbuf_puts(w->b, "set x2label ");
    plot_quote(w->b, PLOT_IN_COMMAND, p->tics_label, MAX_TITLE);
    lr_strbuf_printf(w->b, " offset 0,%.1f noenhanced\n", 1.3 * n_levels - 0.2);
}

static void put_axes(struct plot_writer *w, int n_levels)
{
    const struct out_plot *p = w->p;
    struct lr_strbuf *b = w->b;
    bool has_title = p->title && *p->title, has_tics = plot_has_tics(w);
    double pad = 0.02 * (w->x.x_max - w->x.x_min);

    lr_strbuf_puts(b, "set encoding utf8\nset border 3\n"
                      "set tics nomirror out scale 0.6\nset xtics noenhanced\n");
    if (!w->is_dumb)
        lr_strbuf_puts(b, "set grid back linecolor rgb '#D8D8D8' linewidth 1 dashtype 1\n"
                          "set errorbars 0.6\nset pointintervalbox 1\n");
    lr_strbuf_puts(b, "set format x '%g'\nset format y '%g'\n");
    if (has_title) {
        lr_strbuf_puts(b, "set title ");
        plot_quote(b, PLOT_IN_COMMAND, p->title, MAX_TITLE);
        lr_strbuf_printf(b, " offset 0,%.1f noenhanced\n",
                         1.0 * n_levels + (has_tics && n_levels ? 0.7 : 0));
    }
    if ((n_levels || has_tics) && !w->is_dumb)
        lr_strbuf_printf(b, "set tmargin %.1f\n",
                         0.8 + 1.3 * n_levels + 1.7 * has_title + 3.4 * has_tics);
    put_line(w, w->is_dumb ? "set xlabel" : "set xlabel offset 0,0.3", p->x_label,
             MAX_TITLE);
    /* The dumb terminal leaves out what it cannot turn; plot_dumb puts it on top. */
    if (!w->is_dumb)
        put_line(w, "set ylabel", p->y_label, MAX_TITLE);
    put_key(w);
    if (w->x.has_bars)
        pad = 0.7 * bar_spacing(p);
    put_range(w, "x", w->x.x_min - pad, w->x.x_max + pad);
    if (has_tics)
        put_range(w, "x2", w->x.x_min - pad, w->x.x_max + pad);
    put_second_axis(w, n_levels);
    if (p->is_log_y)
        lr_strbuf_puts(b, "set logscale y 10\nset mytics 10\n");
    if (p->has_y_range)
        put_range(w, "y", p->y_min, p->y_max);
    else if (p->has_y_floor && !p->is_log_y && w->x.y_min <= p->y_min)
        put_range(w, "y", w->x.y_min, w->x.y_max + 0.04 * (w->x.y_max - w->x.y_min));
    else if (w->x.has_bars && !p->is_log_y && w->x.y_min >= 0)
        put_range(w, "y", 0, NAN);
}

static void put_styles(struct plot_writer *w)
{
    size_t n = w->p->n_series < PLOT_N_LOOKS ? w->p->n_series : PLOT_N_LOOKS;

    for (size_t k = 0; k < n; k++) {
        lr_strbuf_printf(w->b,
                         "set linetype %zu linecolor rgb '%s' linewidth 2 dashtype %s "
                         "pointtype %d pointsize 0.8\n",
                         k + 1, plot_styles[k % PLOT_N_STYLES].colour,
                         other_style(k)->dash, other_style(k)->point);
    }
}

static enum lr_status put_script(struct plot_writer *w, const char *terminal,
                                 const char *output, const struct plot_labels *labels,
                                 struct lr_err *e)
{
    put_terminal(w, terminal, output);
    put_axes(w, labels->n_levels);
    put_styles(w);
    if (w->x.has_bars) {
        lr_strbuf_puts(w->b, "set boxwidth ");
        out_number_shortest(w->b, bar_width(w->p));
        lr_strbuf_puts(w->b, " absolute\n");
    }
    plot_put_marks(w, labels);
    enum lr_status st = plot_put_notes(w, e);
    if (st != LR_OK)
        return st;
    put_names(w);
    put_data(w);
    struct plot_symbols has;
    plot_put_symbols(&has, w);
    plot_put_command(w, &has);
    if (!terminal)
        lr_strbuf_puts(w->b, "if (GPVAL_TERM eq 'qt' || GPVAL_TERM eq 'wxt' || "
                             "GPVAL_TERM eq 'x11') pause mouse close\n");
    else if (strcmp(terminal, "qt") == 0 || strcmp(terminal, "wxt") == 0 ||
             strcmp(terminal, "x11") == 0)
        lr_strbuf_puts(w->b, "pause mouse close\n");
    return LR_OK;
}

enum lr_status out_plot_script(struct lr_strbuf *b, const struct out_plot *p,
                               const char *terminal, const char *output, struct lr_err *e)
{
    struct plot_writer w = {.b = b, .p = p};
    struct plot_labels labels;

    if ((terminal && !is_plain(terminal, " ,")) || (output && !is_plain(output, "._-")))
        return lr_err_set(e, LR_EINVAL, "plot terminal \"%s\": a plain name is expected",
                          terminal ? terminal : output);
    enum lr_status st = plot_measure(&w.x, p, e);
    if (st != LR_OK)
        return st;
    w.is_dumb = terminal && strncmp(terminal, "dumb", 4) == 0;
    if (w.is_dumb && sscanf(terminal, "dumb size %5d", &w.dumb_width) != 1)
        w.dumb_width = 80;
    st = plot_place_labels(&labels, &w, e);
    if (st != LR_OK)
        return st;
    st = put_script(&w, terminal, output, &labels, e);
    plot_labels_free(&labels);
    if (st != LR_OK)
        return st;
    return b->is_failed ? lr_enomem(e, b->len, "a plot") : LR_OK;
}
