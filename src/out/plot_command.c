/* The plot command of a script: the curves with their entries in the key, error bars,
 * names of places, rings and crosses. */
#include "plot_script.h"

enum { N_SYMBOLS = 7 /* on a curve without points of its own */ };

/* How dark the bars of the first, second, ... series are. */
static const double fills[] = {0.85, 0.4, 0.12};
enum { N_FILLS = sizeof(fills) / sizeof(fills[0]) };

static void next(struct plot_writer *w)
{
    lr_strbuf_puts(w->b, w->has_curve ? ", \\\n     " : "plot ");
    w->has_curve = true;
}

static void put_title(struct plot_writer *w, const struct out_series *s)
{
    if (s->title && *s->title && w->n_key > 0) {
        w->n_key--;
        lr_strbuf_puts(w->b, " title ");
        plot_quote(w->b, PLOT_IN_COMMAND, s->title, w->key_columns);
    } else {
        w->n_left_out += s->title && *s->title;
        lr_strbuf_puts(w->b, " notitle");
    }
}

/* Points that are in part hollow: lines leave room for them, and the key shows a filled
 * one. In characters the letter of the hollow ones is the same for all series. */
static void put_hollow(struct plot_writer *w, size_t k, const char *style)
{
    size_t type = k % PLOT_N_LOOKS + 1;

    lr_strbuf_printf(w->b, "NaN with %s linetype %zu", style, type);
    put_title(w, &w->p->series[k]);
    next(w);
    lr_strbuf_printf(w->b,
                     w->is_dumb ? "$data%zu using 1:2 with %s linetype %zu notitle"
                                : "$data%zu using 1:2:5 with %s linetype %zu pointtype "
                                  "variable pointinterval -1 notitle",
                     k + 1, style, type);
}

static void put_curve(struct plot_writer *w, size_t k)
{
    const struct out_series *s = &w->p->series[k];
    struct lr_strbuf *b = w->b;
    size_t type = k % PLOT_N_LOOKS + 1;
    const char *style = s->style == OUT_POINTS ? "points" : "linespoints";

    if (s->is_open && (s->style == OUT_POINTS || s->style == OUT_LINESPOINTS)) {
        put_hollow(w, k, style);
        return;
    }
    lr_strbuf_printf(b, "$data%zu using 1:2 with ", k + 1);
    switch (s->style) {
    case OUT_LINES: {
        /* A few symbols tell many curves apart; a single point needs one to be seen. */
        bool has_symbols = (w->p->n_series > 1 && !w->is_dumb) || s->n < 2;
        size_t n = s->n < 4 * PLOT_WIDTH ? s->n : 4 * PLOT_WIDTH;
        size_t every = n / N_SYMBOLS ? n / N_SYMBOLS : 1;
        if (has_symbols)
            lr_strbuf_printf(b, "linespoints linetype %zu pointinterval %zu", type,
                             every);
        else
            lr_strbuf_printf(b, "lines linetype %zu", type);
        break;
    }
    case OUT_LINESPOINTS:
    case OUT_POINTS:
        lr_strbuf_printf(b, "%s linetype %zu", style, type);
        break;
    case OUT_BAND:
        lr_strbuf_printf(b, "lines linetype %zu", type);
        if (!w->is_dumb)
            lr_strbuf_puts(b, " linecolor rgb '#C8C8C8' linewidth 9 dashtype 1");
        break;
    case OUT_BARS:
        lr_strbuf_printf(b,
                         "boxes linetype %zu linewidth 1 dashtype 1 fillstyle solid %.2f "
                         "border",
                         type, fills[k % N_FILLS]);
        break;
    }
    put_title(w, s);
}

static void put_errors(struct plot_writer *w, size_t k)
{
    bool is_bar = w->p->series[k].style == OUT_BARS;

    lr_strbuf_printf(w->b, "$data%zu using 1:2:3:4 with yerrorbars ", k + 1);
    if (is_bar)
        lr_strbuf_puts(w->b, "linecolor rgb '#202020'");
    else
        lr_strbuf_printf(w->b, "linetype %zu", k % PLOT_N_LOOKS + 1);
    lr_strbuf_puts(w->b, " linewidth 1 dashtype 1 pointtype 0 notitle");
}

/* Symbols over the curves; their entries in the key are black. has: there is data. */
static void put_symbols(struct plot_writer *w, const char *data, const char *title,
                        const char *look, const char *letter, bool has)
{
    struct lr_strbuf *b = w->b;

    if (has) {
        next(w);
        lr_strbuf_printf(b, "%s using %s with points ", data,
                         w->is_dumb ? "1:2" : "1:2:3");
        if (w->is_dumb)
            lr_strbuf_printf(b, "pointtype '%s' notitle", letter);
        else
            lr_strbuf_printf(b, "%s linecolor variable notitle", look);
    }
    if (!title)
        return;
    next(w);
    lr_strbuf_puts(b, "NaN with points ");
    if (w->is_dumb)
        lr_strbuf_printf(b, "pointtype '%s'", letter);
    else
        lr_strbuf_printf(b, "%s linecolor rgb 'black'", look);
    lr_strbuf_puts(b, " title ");
    plot_quote(b, PLOT_IN_COMMAND, title, PLOT_MAX_KEY);
}

enum { BELOW, ERRORS, CURVES, BAR_ERRORS, N_PASSES };

void plot_put_command(struct plot_writer *w, const struct plot_symbols *has)
{
    struct lr_strbuf *b = w->b;

    if (w->p->x_names && w->p->series[0].n > 0) {
        next(w);
        lr_strbuf_puts(b, "$names using 1:(NaN):xtic(2) with points notitle");
    }
    /* Error bars of curves below everything but bands, of bars above them. */
    for (int pass = 0; pass < N_PASSES; pass++)
        for (size_t k = 0; k < w->p->n_series; k++) {
            const struct out_series *s = &w->p->series[k];
            bool has_errors = s->low && s->high && !w->is_dumb;
            bool is_due = pass == BELOW    ? s->style == OUT_BAND
                          : pass == CURVES ? s->style != OUT_BAND
                                           : has_errors && (s->style == OUT_BARS) ==
                                                               (pass == BAR_ERRORS);
            if (!is_due || !plot_has_visible(w->p, s))
                continue;
            next(w);
            if (pass == BELOW || pass == CURVES)
                put_curve(w, k);
            else
                put_errors(w, k);
        }
    if (w->n_left_out) {
        next(w);
        lr_strbuf_printf(b, "NaN with dots linecolor rgb 'white' title '... %d more'",
                         w->n_left_out);
    }
    put_symbols(w, "$rings", w->p->ring_title, "pointtype 6 pointsize 2.1 linewidth 2",
                "@", has->has_rings);
    put_symbols(w, "$crosses", w->p->cross_title, "pointtype 2 pointsize 1.2 linewidth 2",
                "x", has->has_crosses);
    put_symbols(w, "$open", w->p->open_title, "pointtype 6 pointsize 0.8 linewidth 2",
                "o", has->has_open && w->is_dumb);
    lr_strbuf_putc(b, '\n');
}
