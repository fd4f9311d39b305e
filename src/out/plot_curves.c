/* The curves of a character plot: from values to dots, lines between them, letters that
 * tell the curves apart, error bars and the dashed lines of the marks. */
#include "plot_drawing.h"

#include <math.h>

enum { LETTERS_PER_CURVE = 3 };

char plot_letter(const struct plot_drawing *d, size_t k)
{
    return d->c->is_ascii ? "*+#%&=~$^?"[k % 10] : (char)('A' + k % 26);
}

char plot_open_letter(const struct plot_drawing *d, size_t k)
{
    return d->c->is_ascii ? 'o' : (char)('a' + k % 26);
}

/* ---- places ---- */

static double to_axis(const struct plot_drawing *d, double y)
{
    return d->p->is_log_y ? log10(y) : y;
}

/* In dots from the upper left corner of the plot area; not rounded. */
static double dot_x(const struct plot_drawing *d, double x)
{
    int n = d->cols * plot_canvas_dots_x(d->c);

    return (x - d->x.x_min) / (d->x.x_max - d->x.x_min) * (n - 1);
}

static double dot_y(const struct plot_drawing *d, double y)
{
    int n = d->rows * plot_canvas_dots_y(d->c);

    return (d->y_max - to_axis(d, y)) / (d->y_max - d->y_min) * (n - 1);
}

int plot_cell_col(const struct plot_drawing *d, double x)
{
    return d->left + (int)lround(dot_x(d, x)) / plot_canvas_dots_x(d->c);
}

int plot_cell_row(const struct plot_drawing *d, double y)
{
    return d->top + (int)lround(dot_y(d, y)) / plot_canvas_dots_y(d->c);
}

static bool is_inside(const struct plot_drawing *d, double x, double y)
{
    double v = to_axis(d, y);

    return x >= d->x.x_min && x <= d->x.x_max && v >= d->y_min && v <= d->y_max;
}

/* ---- curves ---- */

/* Cuts the segment to the rectangle 0..w, 0..h (Liang and Barsky); false: outside. */
static bool clip(double *x1, double *y1, double *x2, double *y2, double w, double h)
{
    double dx = *x2 - *x1, dy = *y2 - *y1, from = 0, to = 1;
    double p[4] = {-dx, dx, -dy, dy}, q[4] = {*x1, w - *x1, *y1, h - *y1};

    for (int i = 0; i < 4; i++) {
        if (p[i] == 0) {
            if (q[i] < 0)
                return false;
            continue;
        }
        double t = q[i] / p[i];
        if (p[i] < 0)
            from = fmax(from, t);
        else
            to = fmin(to, t);
    }
    if (!(from <= to))
        return false;
    double x0 = *x1, y0 = *y1;
    *x1 = x0 + from * dx;
    *y1 = y0 + from * dy;
    *x2 = x0 + to * dx;
    *y2 = y0 + to * dy;
    return true;
}

static void draw_segment(struct plot_drawing *d, double x1, double y1, double x2,
                         double y2, char mark)
{
    int dx = plot_canvas_dots_x(d->c), dy = plot_canvas_dots_y(d->c);

    if (!clip(&x1, &y1, &x2, &y2, d->cols * dx - 1, d->rows * dy - 1))
        return;
    plot_canvas_line(d->c, (int)lround(x1) + d->left * dx, (int)lround(y1) + d->top * dy,
                     (int)lround(x2) + d->left * dx, (int)lround(y2) + d->top * dy, mark);
}

static void draw_letter(struct plot_drawing *d, double x, double y, char letter)
{
    char text[2] = {letter, 0};

    if (isfinite(y) && (!d->p->is_log_y || y > 0) && is_inside(d, x, y) &&
        plot_canvas_is_free(d->c, plot_cell_col(d, x), plot_cell_row(d, y), 1))
        plot_canvas_text(d->c, plot_cell_col(d, x), plot_cell_row(d, y), text, 1);
}

static void draw_errors(struct plot_drawing *d, const struct out_series *s)
{
    double lowest = d->p->is_log_y ? pow(10, d->y_min) : d->y_min;

    if (!s->low || !s->high)
        return;
    for (size_t i = 0; i < s->n; i++) {
        if (!plot_is_visible(d->p, s, i) || !isfinite(s->low[i]) || !isfinite(s->high[i]))
            continue;
        double x = dot_x(d, plot_x(s, i));
        double low = fmax(s->low[i], lowest), high = fmax(s->high[i], lowest);
        draw_segment(d, x, dot_y(d, low), x, dot_y(d, high), '|');
    }
}

struct curve {
    struct plot_drawing *d;
    const struct out_series *s;
    double x, y;
    bool has_last;
    char mark;
};

static void draw_step(void *ctx, size_t i, bool is_gap)
{
    struct curve *c = ctx;
    double x = dot_x(c->d, plot_x(c->s, i)), y = dot_y(c->d, c->s->y[i]);

    if (!c->has_last || is_gap)
        draw_segment(c->d, x, y, x, y, c->mark);
    else
        draw_segment(c->d, c->x, c->y, x, y, c->mark);
    c->x = x;
    c->y = y;
    c->has_last = true;
}

static void draw_curve(struct plot_drawing *d, size_t k)
{
    const struct out_series *s = &d->p->series[k];
    bool is_line = s->style == OUT_LINES || s->style == OUT_BAND;
    bool has_points = !is_line && s->n <= (size_t)d->cols / 2;
    struct curve c = {.d = d, .s = s};

    c.mark = has_points ? '.' : plot_letter(d, k);
    if (s->style != OUT_POINTS)
        plot_thin(d->p, s, d->cols * plot_canvas_dots_x(d->c), draw_step, &c);
    if (s->style == OUT_POINTS || has_points)
        for (size_t i = 0; i < s->n; i++)
            if (plot_is_visible(d->p, s, i))
                draw_letter(d, plot_x(s, i), s->y[i],
                            s->is_open && s->is_open[i] ? plot_open_letter(d, k)
                                                        : plot_letter(d, k));
    if (has_points || d->c->is_ascii)
        return;
    /* Letters at places of its own on each curve, so that they do not meet. */
    double n = (double)d->p->n_series * LETTERS_PER_CURVE;
    for (int i = 0; i < LETTERS_PER_CURVE; i++) {
        double t = ((double)i * (double)d->p->n_series + (double)k + 0.5) / n;
        double x = d->x.x_min + t * (d->x.x_max - d->x.x_min);
        draw_letter(d, x, plot_y_at(d->p, s, x), plot_letter(d, k));
    }
}

/* Rings and crosses are letters, too. */
static void draw_symbols(struct plot_drawing *d)
{
    for (size_t i = 0; i < d->p->n_marks; i++) {
        const struct out_mark *m = &d->p->marks[i];
        if (m->kind == OUT_MARK_CROSS)
            draw_letter(d, m->x, m->y, PLOT_CROSS);
        else if (m->kind == OUT_MARK_RING && m->series >= 0 &&
                 (size_t)m->series < d->p->n_series)
            draw_letter(d, m->x, plot_y_at(d->p, &d->p->series[m->series], m->x),
                        PLOT_RING);
    }
}

/* Dashed lines, and the curve's letter where a mark meets it. */
static void draw_marks(struct plot_drawing *d)
{
    int dx = plot_canvas_dots_x(d->c), dy = plot_canvas_dots_y(d->c);

    for (size_t i = 0; i < d->p->n_marks; i++) {
        const struct out_mark *m = &d->p->marks[i];
        if (!(m->x >= d->x.x_min && m->x <= d->x.x_max) || m->kind != OUT_MARK_LINE)
            continue;
        int x = (int)lround(dot_x(d, m->x)) + d->left * dx;
        for (int y = 0; y < d->rows * dy; y++)
            if (d->c->is_ascii || y % 4 < 2)
                plot_canvas_dot(d->c, x, y + d->top * dy, ':');
        if (m->series >= 0 && (size_t)m->series < d->p->n_series)
            draw_letter(d, m->x, plot_y_at(d->p, &d->p->series[m->series], m->x),
                        plot_letter(d, (size_t)m->series));
    }
}

void plot_draw_curves(struct plot_drawing *d)
{
    draw_marks(d);
    for (size_t k = 0; k < d->p->n_series; k++)
        draw_errors(d, &d->p->series[k]);
    draw_symbols(d);
    /* What is drawn last wins where there is one mark for both. */
    for (int pass = 0; pass < 2; pass++)
        for (size_t k = 0; k < d->p->n_series; k++)
            if ((d->p->series[k].style == OUT_BAND) == (pass == 0))
                draw_curve(d, k);
}
