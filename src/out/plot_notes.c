/* Names beside points in a script. A name is tried to the right and the left of its
 * point, above and below it; the place is taken that covers the fewest names, points and
 * curves, so that near points do not write over each other. */
#include "plot_script.h"

#include <math.h>

#include "number.h"

enum { MAX_NOTE = 40, N_PLACES = 6, MAX_POINTS = 2000, STEPS = 16 };

/* As shares of the plot area. */
struct box {
    double left, right, bottom, top;
};

struct place {
    bool is_left;
    double lines; /* above the point */
};
static const struct place places[N_PLACES] = {{false, 0.7}, {true, 0.7},  {false, -0.7},
                                              {true, -0.7}, {false, 1.7}, {false, -1.7}};

static bool do_meet(const struct box *a, const struct box *b)
{
    return a->left < b->right && b->left < a->right && a->bottom < b->top &&
           b->bottom < a->top;
}

static double across(const struct plot_writer *w, double x)
{
    return (x - w->x.x_min) / (w->x.x_max - w->x.x_min);
}

static double up(const struct plot_writer *w, double y)
{
    if (w->p->is_log_y)
        return log(y / w->x.y_min) / log(w->x.y_max / w->x.y_min);
    return (y - w->x.y_min) / (w->x.y_max - w->x.y_min);
}

static struct box place_box(const struct plot_writer *w, const struct out_note *n,
                            const struct place *at)
{
    double column =
        w->is_dumb ? 1.0 / (w->dumb_width > 20 ? w->dumb_width - 14 : 6) : 1.0 / 72;
    double line = w->is_dumb ? 0.08 : 0.045;
    double width = (plot_columns(n->text, MAX_NOTE) + 1) * column;
    double x = across(w, n->x), y = up(w, n->y) + at->lines * line;

    return (struct box){at->is_left ? x - width : x, at->is_left ? x : x + width,
                        y - line / 2, y + line / 2};
}

static bool is_in(const struct box *b, double x, double y)
{
    return x > b->left && x < b->right && y > b->bottom && y < b->top;
}

static int count_meetings(const struct plot_writer *w, const struct box *b,
                          const struct box *taken, size_t n_taken)
{
    int n = 0;

    if (b->left < -0.02 || b->right > 1.02 || b->bottom < -0.02 || b->top > 1.05)
        n += 10;
    for (size_t i = 0; i < n_taken; i++)
        n += 4 * do_meet(b, &taken[i]);
    for (size_t k = 0; k < w->p->n_series; k++) {
        const struct out_series *s = &w->p->series[k];
        bool is_line = s->style == OUT_LINES || s->style == OUT_LINESPOINTS;
        for (size_t i = 0; i < s->n && i < MAX_POINTS; i++) {
            if (!plot_is_visible(w->p, s, i))
                continue;
            double x = across(w, plot_x(s, i)), y = up(w, s->y[i]);
            n += 2 * is_in(b, x, y);
            if (!is_line || i + 1 == s->n || !plot_is_visible(w->p, s, i + 1))
                continue;
            double dx = across(w, plot_x(s, i + 1)) - x, dy = up(w, s->y[i + 1]) - y;
            bool is_crossed = false;
            for (int t = 1; t < STEPS && !is_crossed; t++)
                is_crossed = is_in(b, x + dx * t / STEPS, y + dy * t / STEPS);
            n += is_crossed;
        }
    }
    return n;
}

static void put_note(struct plot_writer *w, const struct out_note *n,
                     const struct place *at)
{
    struct lr_strbuf *b = w->b;

    lr_strbuf_puts(b, "set label ");
    plot_quote(b, PLOT_IN_COMMAND, n->text, MAX_NOTE);
    lr_strbuf_puts(b, " at first ");
    out_number_shortest(b, n->x);
    lr_strbuf_puts(b, ", first ");
    out_number_shortest(b, n->y);
    lr_strbuf_printf(b, " %s offset %s,%.1f noenhanced front\n",
                     at->is_left ? "right" : "left", at->is_left ? "-0.8" : "0.8",
                     w->is_dumb ? (at->lines > 0 ? 1.0 : -1.0) : at->lines);
}

enum lr_status plot_put_notes(struct plot_writer *w, struct lr_err *e)
{
    size_t n = w->p->n_notes, n_taken = 0;
    struct box *taken = lr_alloc(n, sizeof(*taken));

    if (!taken)
        return lr_enomem(e, n * sizeof(*taken), "the names in a plot");
    for (size_t i = 0; i < n; i++) {
        const struct out_note *note = &w->p->notes[i];
        const struct place *best = NULL;
        int fewest = 0;
        bool is_seen = isfinite(note->x) && isfinite(note->y) && note->text &&
                       *note->text && (!w->p->is_log_y || note->y > 0);
        for (int k = 0; is_seen && k < N_PLACES; k++) {
            struct box box = place_box(w, note, &places[k]);
            int meetings = count_meetings(w, &box, taken, n_taken);
            if (best && meetings >= fewest)
                continue;
            best = &places[k];
            fewest = meetings;
        }
        if (!best)
            continue;
        taken[n_taken++] = place_box(w, note, best);
        put_note(w, note, best);
    }
    lr_free(taken);
    return LR_OK;
}
