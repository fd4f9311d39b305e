/* The built-in character plot: curves in braille dots, or ASCII marks, with axes, tics
 * and a key. Dots have no colour of their own, so every curve carries its letter (or is
 * drawn in its own ASCII mark), which the key explains. What does not fit into few rows
 * is left out in the order key, labels, axes. */
#include "plot_drawing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "plot_run.h"
#include "ranklab/text.h"

enum { MAX_TICS = 64, MIN_TIC_COLUMNS = 9, MAX_NAME = 32, DUMB_NAME = 7 };

double out_tic_step(double length, int n)
{
    double raw = length / (n > 1 ? n : 1), unit = pow(10, floor(log10(raw)));

    if (!(unit > 0) || !isfinite(unit))
        return length > 0 ? length : 1;
    if (raw <= unit)
        return unit;
    return raw <= 2 * unit ? 2 * unit : raw <= 5 * unit ? 5 * unit : 10 * unit;
}

/* A tic's number, with as many decimals as its distance to the next one needs. */
static void tic_text(struct lr_strbuf *b, double v, double step)
{
    int digits = step > 0 && step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;
    bool is_plain = fabs(v) < 1e6 && digits <= 5;

    if (fabs(v) < step * 1e-6)
        v = 0;
    out_number_fixed(b, v, is_plain ? digits : -4);
}

/* ---- layout ---- */

/* Series come first, then what the other letters mean. */
enum { N_SYMBOLS = 3 };

static size_t count_items(const struct plot_drawing *d)
{
    return d->p->n_series + N_SYMBOLS;
}

static const char *item_title(const struct plot_drawing *d, size_t k)
{
    const struct out_plot *p = d->p;
    const char *const symbols[] = {p->open_title, p->ring_title, p->cross_title};

    return k < p->n_series ? p->series[k].title : symbols[k - p->n_series];
}

static char item_letter(const struct plot_drawing *d, size_t k)
{
    const char symbols[] = {plot_open_letter(d, 0), PLOT_RING, PLOT_CROSS};

    return k < d->p->n_series ? plot_letter(d, k) : symbols[k - d->p->n_series];
}

static int key_columns(const char *title)
{
    struct lr_strbuf b = {0};

    plot_clean(&b, title, 40);
    int n = b.s ? lr_text_columns(b.s) : 0;
    lr_strbuf_free(&b);
    return n ? n + 4 : 0;
}

static int count_key_rows(const struct plot_drawing *d)
{
    int rows = 0, used = 0;

    for (size_t k = 0; k < count_items(d); k++) {
        int n = key_columns(item_title(d, k));
        if (n == 0)
            continue;
        if (rows == 0 || used + n > d->c->width + 2) {
            rows++;
            used = 0;
        }
        used += n;
    }
    return rows;
}

static void find_y_axis(struct plot_drawing *d)
{
    int n = d->rows / 3 > 1 ? d->rows / 3 : 1;

    d->y_min = d->x.y_min;
    d->y_max = d->x.y_max;
    if (d->p->is_log_y) {
        d->y_min = log10(d->x.y_min);
        d->y_max = log10(d->x.y_max);
        if (!d->p->has_y_range && d->y_max - d->y_min > 1.5) {
            d->y_min = floor(d->y_min + 1e-9);
            d->y_max = ceil(d->y_max - 1e-9);
        }
        d->y_step = ceil((d->y_max - d->y_min) / n);
        return;
    }
    d->y_step = out_tic_step(d->y_max - d->y_min, n);
    /* Where something is cut off, the rows are for what is not. */
    if (!d->p->has_y_range && !d->p->has_y_floor) {
        d->y_min = floor(d->y_min / d->y_step + 1e-9) * d->y_step;
        d->y_max = ceil(d->y_max / d->y_step - 1e-9) * d->y_step;
    }
}

/* Tics of the y axis, as values; returns their number. */
static int y_tics(const struct plot_drawing *d, double values[MAX_TICS])
{
    static const double parts[] = {1, 2, 5};
    int n = 0;

    if (!d->p->is_log_y) {
        double first = ceil(d->y_min / d->y_step - 1e-9);
        for (int i = 0; n < MAX_TICS; i++) {
            double v = (first + i) * d->y_step;
            if (v > d->y_max + d->y_step * 1e-9)
                break;
            values[n++] = v;
        }
        return n;
    }
    bool has_parts = d->y_max - d->y_min < 2.5 && d->rows >= 8;
    for (double k = floor(d->y_min); k <= d->y_max + 1e-9; k += d->y_step)
        for (int i = 0; i < (has_parts ? 3 : 1); i++) {
            double v = parts[i] * pow(10, k), at = log10(v);
            if (at >= d->y_min - 1e-9 && at <= d->y_max + 1e-9 && n < MAX_TICS)
                values[n++] = v;
        }
    return n;
}

static void y_tic_text(struct lr_strbuf *b, const struct plot_drawing *d, double v)
{
    if (d->p->is_log_y)
        out_number_fixed(b, v, -3);
    else
        tic_text(b, v, d->y_step);
}

static size_t name_max(const struct plot_drawing *d)
{
    size_t half = (size_t)d->c->width / 2;

    return half < MAX_NAME ? half : MAX_NAME;
}

static void lay_out(struct plot_drawing *d)
{
    int width = d->c->width, height = d->c->height, widest = 0;
    bool has_labels = d->p->y_label && *d->p->y_label;

    for (size_t i = 0; i < d->p->n_marks; i++)
        has_labels |= d->p->marks[i].label != NULL;
    d->title_row = d->head_row = d->label_row = d->key_row = -1;
    int above = 0, below = 0;
    if (height >= 8 && d->p->title && *d->p->title)
        d->title_row = above++;
    if (height >= 10 && has_labels)
        d->head_row = above++;
    d->has_axes = height >= 5 && width >= 20;
    d->n_key_rows = height >= 7 ? count_key_rows(d) : 0;
    if (d->n_key_rows > height / 5)
        d->n_key_rows = height / 5;
    if (d->n_key_rows) {
        below = d->n_key_rows;
        d->key_row = height - below;
    }
    if (height >= 13 && d->p->x_label && *d->p->x_label)
        d->label_row = height - ++below;
    /* Long names of near places share the width in several rows. */
    d->n_name_rows = 1;
    if (height >= 13 && d->p->x_names) {
        int per_row = (width - 8) / (plot_longest_name(d->p, name_max(d)) + 1);
        size_t n = d->p->series[0].n, most = (size_t)height / 4;
        size_t rows = (n + 1 + (size_t)per_row) / (size_t)(per_row > 0 ? per_row : 1);
        d->n_name_rows = (int)(rows < most ? rows > 0 ? rows : 1 : most);
    }
    below += d->has_axes ? 1 + d->n_name_rows : 0;
    d->top = above;
    d->rows = height - above - below;
    find_y_axis(d);
    if (d->has_axes) {
        double values[MAX_TICS];
        int n = y_tics(d, values);
        for (int i = 0; i < n; i++) {
            struct lr_strbuf b = {0};
            y_tic_text(&b, d, values[i]);
            int k = b.s ? lr_text_columns(b.s) : 0;
            widest = k > widest ? k : widest;
            lr_strbuf_free(&b);
        }
        d->left = widest + 2;
    }
    d->cols = width - d->left - (d->has_axes ? 1 : 0);
}

/* ---- axes and text ---- */

static const char *line_mark(const struct plot_drawing *d, int which)
{
    static const char *const box[] = {"\xE2\x94\x82", "\xE2\x94\xA4", "\xE2\x94\x94",
                                      "\xE2\x94\x80", "\xE2\x94\xAC"};
    static const char *const ascii[] = {"|", "+", "+", "-", "+"};

    return d->c->is_ascii ? ascii[which] : box[which];
}
enum { VERTICAL, TIC_LEFT, CORNER, HORIZONTAL, TIC_DOWN };

static void draw_y_axis(struct plot_drawing *d)
{
    double values[MAX_TICS];
    int n = y_tics(d, values), last = -2;

    for (int i = 0; i < d->rows; i++)
        plot_canvas_text(d->c, d->left - 1, d->top + i, line_mark(d, VERTICAL), 1);
    for (int i = 0; i < n; i++) {
        struct lr_strbuf b = {0};
        int row = plot_cell_row(d, values[i]);
        y_tic_text(&b, d, values[i]);
        if (b.s && row != last && row >= d->top && row < d->top + d->rows) {
            int k = lr_text_columns(b.s);
            plot_canvas_text(d->c, d->left - 1, row, line_mark(d, TIC_LEFT), 1);
            plot_canvas_text(d->c, d->left - 1 - k, row, b.s, k);
            last = row;
        }
        lr_strbuf_free(&b);
    }
}

/* A tic at x with its text centred below, in the first row where it is free. */
static void draw_x_tic(struct plot_drawing *d, double x, const char *text)
{
    int row = d->top + d->rows, col = plot_cell_col(d, x), n = lr_text_columns(text);
    int at = col - n / 2;

    if (at + n > d->c->width)
        at = d->c->width - n;
    if (at < 0)
        at = 0;
    plot_canvas_text(d->c, col, row, line_mark(d, TIC_DOWN), 1);
    for (int on = row + 1; on <= row + d->n_name_rows; on++)
        if ((at == 0 || plot_canvas_is_free(d->c, at - 1, on, 1)) &&
            plot_canvas_is_free(d->c, at, on, n)) {
            plot_canvas_text(d->c, at, on, text, n);
            break;
        }
}

static void draw_x_axis(struct plot_drawing *d)
{
    int row = d->top + d->rows;
    double step = out_tic_step(d->x.x_max - d->x.x_min, d->cols / MIN_TIC_COLUMNS);

    plot_canvas_text(d->c, d->left - 1, row, line_mark(d, CORNER), 1);
    for (int i = 0; i < d->cols; i++)
        plot_canvas_text(d->c, d->left + i, row, line_mark(d, HORIZONTAL), 1);
    if (d->p->x_names) {
        struct plot_names shared = plot_shared_names(d->p);
        for (size_t i = 0; i < d->p->series[0].n; i++) {
            struct lr_strbuf b = {0};
            double x = plot_x(&d->p->series[0], i);
            plot_name(&b, d->p, shared, i, name_max(d));
            if (b.s && x >= d->x.x_min && x <= d->x.x_max)
                draw_x_tic(d, x, b.s);
            lr_strbuf_free(&b);
        }
        return;
    }
    double first = ceil(d->x.x_min / step - 1e-9);
    for (int i = 0; i < MAX_TICS; i++) {
        struct lr_strbuf b = {0};
        double x = (first + i) * step;
        if (x > d->x.x_max + step * 1e-9)
            break;
        tic_text(&b, x, step);
        if (b.s)
            draw_x_tic(d, x, b.s);
        lr_strbuf_free(&b);
    }
}

/* Text in row, centred at col (or over the width when col is negative), if it is free. */
static void draw_centred(struct plot_drawing *d, int row, int col, const char *text)
{
    struct lr_strbuf b = {0};

    if (row < 0 || !text)
        return;
    plot_clean(&b, text, 200);
    int n = b.s ? lr_text_columns(b.s) : 0;
    int at = (col < 0 ? d->c->width / 2 : col) - n / 2;
    if (at + n > d->c->width)
        at = d->c->width - n;
    if (at < 0)
        at = 0;
    if (n > 0 && (col < 0 || ((at == 0 || plot_canvas_is_free(d->c, at - 1, row, 1)) &&
                              plot_canvas_is_free(d->c, at, row, n))))
        plot_canvas_text(d->c, at, row, b.s, d->c->width);
    lr_strbuf_free(&b);
}

static void draw_key(struct plot_drawing *d)
{
    int row = d->key_row, col = 0;
    size_t n_left = count_items(d);

    for (size_t k = 0; k < count_items(d) && d->n_key_rows; k++, n_left--) {
        struct lr_strbuf b = {0};
        char letter[2] = {item_letter(d, k), 0};
        int n = key_columns(item_title(d, k));
        if (n == 0)
            continue;
        if (col > 0 && col + n > d->c->width + 2) {
            if (++row == d->c->height)
                break;
            col = 0;
        }
        plot_clean(&b, item_title(d, k), 40);
        plot_canvas_text(d->c, col, row, letter, 1);
        if (b.s)
            plot_canvas_text(d->c, col + 2, row, b.s, d->c->width);
        lr_strbuf_free(&b);
        col += n;
    }
    if (n_left > 0 && row == d->c->height && d->c->width > 8)
        plot_canvas_text(d->c, d->c->width - 3, d->c->height - 1, "...", 3);
}

static void draw_mark_labels(struct plot_drawing *d)
{
    for (size_t i = 0; i < d->p->n_marks; i++) {
        const struct out_mark *m = &d->p->marks[i];
        if (m->x >= d->x.x_min && m->x <= d->x.x_max)
            draw_centred(d, d->head_row, plot_cell_col(d, m->x), m->label);
    }
}

/* Names beside their points where there is room, else left to the key. */
static void draw_notes(struct plot_drawing *d)
{
    static const int rows[] = {0, -1, 1};

    for (size_t i = 0; i < d->p->n_notes; i++) {
        const struct out_note *note = &d->p->notes[i];
        struct lr_strbuf b = {0};
        int col = plot_cell_col(d, note->x), row = plot_cell_row(d, note->y);
        plot_clean(&b, note->text, 40);
        int n = b.s ? lr_text_columns(b.s) : 0;
        for (int k = 0; k < 6 && n > 0; k++) {
            int at = k % 2 ? col - n - 1 : col + 2, on = row + rows[k / 2];
            if (at < d->left || on < d->top || on >= d->top + d->rows ||
                !plot_canvas_is_free(d->c, at, on, n))
                continue;
            plot_canvas_text(d->c, at, on, b.s, n);
            break;
        }
        lr_strbuf_free(&b);
    }
}

static void draw_head(struct plot_drawing *d)
{
    struct lr_strbuf b = {0};

    if (d->title_row >= 0)
        draw_centred(d, d->title_row, -1, d->p->title);
    if (d->head_row >= 0) {
        plot_clean(&b, d->p->y_label, 60);
        int n = b.s ? lr_text_columns(b.s) : 0;
        /* A mark at the left may have its label there. */
        int right = d->c->width - n;
        if (n > 0 && plot_canvas_is_free(d->c, 0, d->head_row, n + 1))
            plot_canvas_text(d->c, 0, d->head_row, b.s, n);
        else if (n > 0 && right > 0 &&
                 plot_canvas_is_free(d->c, right - 1, d->head_row, n + 1))
            plot_canvas_text(d->c, right, d->head_row, b.s, n);
        lr_strbuf_free(&b);
    }
    if (d->label_row >= 0)
        draw_centred(d, d->label_row, d->left + d->cols / 2, d->p->x_label);
}

/* The plot with the built-in renderer, width x height cells (1..PLOT_MAX_SIDE). */
static enum lr_status draw_plot(struct lr_strbuf *b, const struct out_plot *p, int width,
                                int height, bool is_ascii, struct lr_err *e)
{
    struct plot_canvas c;
    struct plot_drawing d = {.c = &c, .p = p};

    enum lr_status st = plot_measure(&d.x, p, e);
    if (st != LR_OK)
        return st;
    if (d.x.has_bars) {
        st = plot_draw_bars(b, p, &d.x, width, height, is_ascii, e);
    } else {
        st = plot_canvas_new(&c, width, height, is_ascii, e);
        if (st != LR_OK)
            return st;
        lay_out(&d);
        if (d.has_axes) {
            draw_y_axis(&d);
            draw_x_axis(&d);
        }
        plot_draw_curves(&d);
        draw_notes(&d);
        draw_mark_labels(&d);
        draw_head(&d);
        draw_key(&d);
        plot_canvas_render(b, &c);
        plot_canvas_free(&c);
    }
    if (st == LR_OK && b->is_failed)
        st = lr_enomem(e, (size_t)width * (size_t)height, "a character plot");
    return st;
}

enum lr_status out_plot_text(struct lr_strbuf *b, const struct out_plot *p, int width,
                             int height, bool is_ascii, bool use_gnuplot,
                             const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_err problem = {0};

    if (width < 1 || height < 1)
        return lr_err_set(e, LR_EINVAL, "a plot of %d x %d characters", width, height);
    width = width < PLOT_MAX_SIDE ? width : PLOT_MAX_SIDE;
    height = height < PLOT_MAX_SIDE ? height : PLOT_MAX_SIDE;
    /* gnuplot's dumb terminal neither turns names nor gives them rows of their own, and a
     * long key leaves it no room for the curves. */
    size_t n_items = p->n_series + (p->open_title ? 1 : 0) + (p->ring_title ? 1 : 0) +
                     (p->cross_title ? 1 : 0);
    if (plot_longest_name(p, MAX_NAME) > DUMB_NAME || 5 * n_items > 2 * (size_t)height)
        use_gnuplot = false;
    /* A pane must show something, whatever is wrong with gnuplot. */
    if (use_gnuplot && width >= 20 && height >= 8) {
        size_t before = b->len;
        enum lr_status st = plot_dumb(b, p, width, height, is_ascii, progress, &problem);
        if (st == LR_OK && b->len > before)
            return LR_OK;
        if (st == LR_EINVAL || st == LR_ENOMEM || st == LR_EINTR)
            return lr_err_set(e, st, "%s", problem.msg);
    }
    return draw_plot(b, p, width, height, is_ascii, e);
}
