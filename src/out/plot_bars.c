/* Bars by name in characters. Rows suit names and narrow panes better than columns: a
 * name, a bar per series, and the value as a number (with its interval where there is
 * room). */
#include "plot_text.h"

#include <math.h>
#include <string.h>

#include "number.h"
#include "ranklab/text.h"

enum { MAX_NAME = 60, MIN_BAR = 4, INTERVAL_WIDTH = 64 };

struct bars {
    struct plot_canvas *c;
    const struct out_plot *p;
    const struct plot_extent *x;
    struct plot_names shared;
    int name_width, bar_width, value_width, zero;
    double min, max; /* of the axis; logarithms where the axis is logarithmic */
};

static const char *fill_of(const struct plot_canvas *c, size_t k)
{
    static const char *const blocks[] = {"\xE2\x96\x88", "\xE2\x96\x92", "\xE2\x96\x91"};
    static const char *const ascii[] = {"#", "=", "-"};

    return c->is_ascii ? ascii[k % 3] : blocks[k % 3];
}

static void name_of(struct lr_strbuf *b, const struct bars *g, size_t i, int max)
{
    if (g->p->x_names)
        plot_name(b, g->p, g->shared, i, (size_t)max);
    else
        out_number_fixed(b, plot_x(&g->p->series[0], i), -6);
    lr_strbuf_add(b, "", 0);
}

static void value_of(struct lr_strbuf *b, const struct out_series *s, size_t i,
                     bool has_interval)
{
    if (!isfinite(s->y[i])) {
        lr_strbuf_putc(b, '-');
        return;
    }
    out_number_fixed(b, s->y[i], -4);
    if (!has_interval || !s->low || !s->high || !isfinite(s->low[i]) ||
        !isfinite(s->high[i]))
        return;
    lr_strbuf_puts(b, " [");
    out_number_fixed(b, s->low[i], -4);
    lr_strbuf_puts(b, ", ");
    out_number_fixed(b, s->high[i], -4);
    lr_strbuf_putc(b, ']');
}

/* Widths of the three columns. */
static void lay_out(struct bars *g)
{
    int longest = 0, widest = 1;
    int width = g->c->width;

    for (size_t k = 0; k < g->p->n_series; k++)
        for (size_t i = 0; i < g->p->series[k].n; i++) {
            struct lr_strbuf name = {0}, value = {0};
            if (k == 0)
                name_of(&name, g, i, MAX_NAME);
            value_of(&value, &g->p->series[k], i, width >= INTERVAL_WIDTH);
            int n = name.s ? lr_text_columns(name.s) : 0;
            int v = value.s ? lr_text_columns(value.s) : 0;
            longest = n > longest ? n : longest;
            widest = v > widest ? v : widest;
            lr_strbuf_free(&name);
            lr_strbuf_free(&value);
        }
    g->name_width = longest < width / 3 ? longest : width / 3;
    g->value_width = widest;
    g->bar_width = width - g->name_width - g->value_width - 2;
    if (g->bar_width < MIN_BAR) {
        g->value_width = 0;
        g->bar_width = width - g->name_width - 1;
    }
    if (g->bar_width < 0)
        g->bar_width = 0;
}

/* The axis: bars begin at 0, or below the smallest value where the axis is logarithmic.
 */
static void find_axis(struct bars *g)
{
    g->min = g->x->y_min < 0 ? g->x->y_min : 0;
    g->max = g->x->y_max > 0 ? g->x->y_max : 0;
    if (g->p->is_log_y) {
        g->min = floor(log10(g->x->y_smallest) - 0.1);
        g->max = log10(g->x->y_max);
    }
    if (g->max <= g->min)
        g->max = g->min + 1;
    g->zero =
        g->p->is_log_y ? 0 : (int)lround(-g->min / (g->max - g->min) * g->bar_width);
}

/* From the axis to the value, to an eighth of a cell where the fill allows it. */
static void draw_bar(struct bars *g, size_t k, double v, int row)
{
    int left = g->name_width + 1, from = g->zero, to;
    double at = ((g->p->is_log_y ? log10(v) : v) - g->min) / (g->max - g->min);

    at = fmin(fmax(at, 0), 1) * g->bar_width;
    to = (int)floor(at);
    if (at < g->zero) {
        to = g->zero;
        from = (int)lround(at);
    }
    for (int i = from; i < to; i++)
        plot_canvas_text(g->c, left + i, row, fill_of(g->c, k), 1);
    int eighths = (int)((at - floor(at)) * 8);
    if (at >= g->zero && eighths > 0 && k % 3 == 0 && !g->c->is_ascii) {
        char part[4] = {(char)0xE2, (char)0x96, (char)(0x90 - eighths), 0};
        plot_canvas_text(g->c, left + to, row, part, 1);
    }
}

static void draw_place(struct bars *g, size_t i, int row)
{
    struct lr_strbuf name = {0};

    name_of(&name, g, i, g->name_width);
    if (name.s)
        plot_canvas_text(g->c, 0, row, name.s, g->name_width);
    lr_strbuf_free(&name);
    for (size_t k = 0; k < g->p->n_series; k++, row++) {
        const struct out_series *s = &g->p->series[k];
        struct lr_strbuf value = {0};
        if (i >= s->n)
            continue;
        if (plot_is_visible(g->p, s, i))
            draw_bar(g, k, s->y[i], row);
        value_of(&value, s, i, g->c->width >= INTERVAL_WIDTH);
        if (value.s && g->value_width)
            plot_canvas_text(g->c, g->name_width + g->bar_width + 2, row, value.s,
                             g->value_width);
        lr_strbuf_free(&value);
    }
}

/* What the bars mean, in one row. */
static void draw_caption(struct bars *g, int row)
{
    int col = 0;

    for (size_t k = 0; k < g->p->n_series; k++) {
        struct lr_strbuf title = {0};
        plot_clean(&title, g->p->series[k].title, 40);
        if (title.len) {
            col += plot_canvas_text(g->c, col, row, fill_of(g->c, k), 1) + 1;
            col += plot_canvas_text(g->c, col, row, title.s, g->c->width) + 2;
        }
        lr_strbuf_free(&title);
    }
    if (g->p->y_label) {
        struct lr_strbuf label = {0};
        plot_clean(&label, g->p->y_label, 60);
        int n = label.s ? lr_text_columns(label.s) : 0;
        if (col + n <= g->c->width && n > 0)
            plot_canvas_text(g->c, g->c->width - n, row, label.s, n);
        lr_strbuf_free(&label);
    }
}

static void draw_title(struct plot_canvas *c, const char *text)
{
    struct lr_strbuf b = {0};

    plot_clean(&b, text, 200);
    int n = b.s ? lr_text_columns(b.s) : 0;
    if (n > 0)
        plot_canvas_text(c, n < c->width ? (c->width - n) / 2 : 0, 0, b.s, c->width);
    lr_strbuf_free(&b);
}

enum lr_status plot_draw_bars(struct lr_strbuf *b, const struct out_plot *p,
                              const struct plot_extent *x, int width, int height,
                              bool is_ascii, struct lr_err *e)
{
    struct plot_canvas c;
    struct bars g = {.c = &c, .p = p, .x = x};
    size_t n = p->series[0].n, per = p->n_series;
    bool has_title = p->title && *p->title && height >= 5, has_caption = height >= 3;

    enum lr_status st = plot_canvas_new(&c, width, height, is_ascii, e);
    if (st != LR_OK)
        return st;
    g.shared = plot_shared_names(p);
    lay_out(&g);
    find_axis(&g);
    int top = has_title, room = height - has_title - has_caption;
    size_t shown = (size_t)room / per;
    if (has_title)
        draw_title(&c, p->title);
    if (shown < n && shown > 0 && room > 1)
        shown = (size_t)(room - 1) / per;
    shown = shown < n ? shown : n;
    for (size_t i = 0; i < shown; i++)
        draw_place(&g, i, top + (int)(i * per));
    if (shown < n && room > (int)(shown * per)) {
        struct lr_strbuf rest = {0};
        lr_strbuf_printf(&rest, "... %zu more", n - shown);
        if (!rest.is_failed)
            plot_canvas_text(&c, 0, top + (int)(shown * per), rest.s, width);
        lr_strbuf_free(&rest);
    }
    if (has_caption) {
        int used = top + (int)(shown * per) + (shown < n);
        draw_caption(&g, used < height ? used : height - 1);
    }
    plot_canvas_render(b, &c);
    plot_canvas_free(&c);
    return LR_OK;
}
