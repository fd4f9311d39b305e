/* Vertical marks of a plot: a dashed line in the colour of the curve, its label above the
 * plot, where it hides nothing, and a ring where line and curve meet. Labels that would
 * touch are raised level by level; those that find no level are left out. */
#include "plot_script.h"

#include <math.h>
#include <stdlib.h>

#include "number.h"
#include "ranklab/text.h"

enum { MAX_LABEL = 28, MAX_LEVELS = 4 };
static const double LEVEL_HEIGHT = 0.06; /* of the plot's height */

int plot_columns(const char *s, size_t max)
{
    struct lr_strbuf b = {0};

    plot_clean(&b, s, max);
    int n = b.s ? lr_text_columns(b.s) : 0;
    lr_strbuf_free(&b);
    return n;
}

bool plot_has_tics(const struct plot_writer *w)
{
    return w->p->n_tics > 0 && !w->is_dumb;
}

static bool has_label(const struct out_mark *m)
{
    return m->kind == OUT_MARK_LINE && m->label && *m->label && isfinite(m->x);
}

static int compare_marks(const void *a, const void *b)
{
    const struct out_mark *const *p = a, *const *q = b;

    return ((*p)->x > (*q)->x) - ((*p)->x < (*q)->x);
}

/* Width of a character as a share of the plot's width. */
static double character(const struct plot_writer *w)
{
    return w->is_dumb ? 1.0 / (w->dumb_width > 20 ? w->dumb_width - 14 : 6) : 1.0 / 78;
}

/* Each label gets the lowest level where it touches no other one. */
static void give_levels(struct plot_labels *l, const struct plot_writer *w)
{
    double ends[MAX_LEVELS], length = w->x.x_max - w->x.x_min;

    for (int k = 0; k < MAX_LEVELS; k++)
        ends[k] = -HUGE_VAL;
    for (size_t i = 0; i < w->p->n_marks; i++) {
        const struct out_mark *m = l->order[i];
        l->levels[i] = -1;
        if (!has_label(m))
            continue;
        double centre = (m->x - w->x.x_min) / length;
        double half = 0.5 * (plot_columns(m->label, MAX_LABEL) + 1) * character(w);
        for (int k = 0; k < (w->is_dumb ? 1 : MAX_LEVELS); k++) {
            if (centre - half < ends[k])
                continue;
            ends[k] = centre + half;
            l->levels[i] = k;
            if (k >= l->n_levels)
                l->n_levels = k + 1;
            break;
        }
    }
}

enum lr_status plot_place_labels(struct plot_labels *l, const struct plot_writer *w,
                                 struct lr_err *e)
{
    size_t n = w->p->n_marks;

    *l = (struct plot_labels){0};
    l->order = lr_alloc(n, sizeof(*l->order));
    l->levels = lr_alloc(n, sizeof(*l->levels));
    if (!l->order || !l->levels) {
        plot_labels_free(l);
        return lr_enomem(e, n * sizeof(*l->order), "the marks of a plot");
    }
    for (size_t i = 0; i < n; i++)
        l->order[i] = &w->p->marks[i];
    if (n)
        qsort(l->order, n, sizeof(*l->order), compare_marks);
    give_levels(l, w);
    return LR_OK;
}

void plot_labels_free(struct plot_labels *l)
{
    lr_free(l->order);
    lr_free(l->levels);
    *l = (struct plot_labels){0};
}

static bool has_series(const struct plot_writer *w, const struct out_mark *m)
{
    return m->series >= 0 && (size_t)m->series < w->p->n_series;
}

void plot_put_marks(struct plot_writer *w, const struct plot_labels *l)
{
    struct lr_strbuf *b = w->b;

    for (size_t i = 0; i < w->p->n_marks; i++) {
        const struct out_mark *m = l->order[i];
        int level = l->levels[i];
        const char *colour =
            has_series(w, m) ? plot_styles[m->series % PLOT_N_STYLES].colour : "#404040";
        double top = level > 0 ? 1 + LEVEL_HEIGHT * level : 1;
        if (!isfinite(m->x) || m->kind != OUT_MARK_LINE)
            continue;
        lr_strbuf_puts(b, "set arrow from first ");
        out_number_shortest(b, m->x);
        lr_strbuf_puts(b, ", graph 0 to first ");
        out_number_shortest(b, m->x);
        /* In characters, the row above the plot must stay free for the labels. */
        lr_strbuf_printf(b,
                         ", graph %.3f nohead back linecolor rgb '%s' linewidth 1 "
                         "dashtype (8,6)\n",
                         w->is_dumb ? 0.97 : top, colour);
        if (level < 0)
            continue;
        /* A long label would be cut off at the right edge, and meet the numbers of the
         * axis at the left one. */
        bool is_long = !w->is_dumb && plot_columns(m->label, MAX_LABEL) > 4;
        double edge = 0.05 * (w->x.x_max - w->x.x_min);
        const char *side = is_long && m->x > w->x.x_max - edge   ? "right"
                           : is_long && m->x < w->x.x_min + edge ? "left"
                                                                 : "center";
        lr_strbuf_puts(b, "set label ");
        plot_quote(b, PLOT_IN_COMMAND, m->label, MAX_LABEL);
        lr_strbuf_puts(b, " at first ");
        out_number_shortest(b, m->x);
        /* Above the numbers of a second axis. */
        lr_strbuf_printf(b, ", graph %.3f %s offset 0,%s noenhanced textcolor rgb '%s'\n",
                         top, side,
                         w->is_dumb         ? "1"
                         : plot_has_tics(w) ? "2.1"
                                            : "0.6",
                         colour);
    }
}

/* Begins the block with its first row. */
static void put_symbol(struct plot_writer *w, bool *has, const char *block, double x,
                       double y, int type)
{
    if (!*has)
        lr_strbuf_printf(w->b, "%s << EOD\n", block);
    *has = true;
    out_number_shortest(w->b, x);
    lr_strbuf_putc(w->b, ' ');
    out_number_shortest(w->b, y);
    lr_strbuf_printf(w->b, " %d\n", type);
}

void plot_put_symbols(struct plot_symbols *has, struct plot_writer *w)
{
    *has = (struct plot_symbols){0};
    for (int is_cross = 0; is_cross < 2; is_cross++) {
        bool *has_any = is_cross ? &has->has_crosses : &has->has_rings;
        for (size_t i = 0; i < w->p->n_marks; i++) {
            const struct out_mark *m = &w->p->marks[i];
            /* Lines cross their curves in characters; rings would hide them there. */
            if ((m->kind == OUT_MARK_CROSS) != is_cross || !isfinite(m->x) ||
                (m->kind == OUT_MARK_LINE && w->is_dumb) ||
                (m->kind != OUT_MARK_CROSS && !has_series(w, m)))
                continue;
            double y = is_cross ? m->y : plot_y_at(w->p, &w->p->series[m->series], m->x);
            if (isfinite(y))
                put_symbol(w, has_any, is_cross ? "$crosses" : "$rings", m->x, y,
                           has_series(w, m) ? m->series % PLOT_N_LOOKS + 1 : 0);
        }
        if (*has_any)
            lr_strbuf_puts(w->b, "EOD\n");
    }
    for (size_t k = 0; k < w->p->n_series && w->is_dumb; k++) {
        const struct out_series *s = &w->p->series[k];
        for (size_t i = 0; i < s->n && s->is_open; i++)
            if (s->is_open[i] && plot_is_visible(w->p, s, i))
                put_symbol(w, &has->has_open, "$open", plot_x(s, i), s->y[i], 0);
    }
    if (has->has_open)
        lr_strbuf_puts(w->b, "EOD\n");
}
