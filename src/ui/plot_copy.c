/* Plots that commands hand to the panes: copies with all their memory, shared between the
 * two threads and counted. */
#include "ui/worker.h"

#include <string.h>

static char *copy_text(const char *s)
{
    return s ? lr_strdup(s) : NULL;
}

static double *copy_numbers(const double *x, size_t n)
{
    double *to = x ? lr_alloc(n, sizeof(*to)) : NULL;

    if (to)
        memcpy(to, x, n * sizeof(*to));
    return to;
}

static bool *copy_flags(const bool *x, size_t n)
{
    bool *to = x ? lr_alloc(n, sizeof(*to)) : NULL;

    if (to)
        memcpy(to, x, n * sizeof(*to));
    return to;
}

struct ui_plot *ui_plot_ref(struct ui_plot *p)
{
    if (p)
        atomic_fetch_add(&p->n_refs, 1);
    return p;
}

void ui_plot_unref(struct ui_plot *p)
{
    if (!p || atomic_fetch_sub(&p->n_refs, 1) != 1)
        return;
    struct out_series *series = (struct out_series *)(void *)p->plot.series;
    size_t n = p->plot.n_series && p->plot.x_names ? series[0].n : 0;
    for (size_t i = 0; i < n; i++)
        lr_free((char *)(void *)p->plot.x_names[i]);
    for (size_t i = 0; i < p->plot.n_series; i++) {
        lr_free((char *)(void *)series[i].title);
        lr_free((double *)(void *)series[i].x);
        lr_free((double *)(void *)series[i].y);
        lr_free((double *)(void *)series[i].low);
        lr_free((double *)(void *)series[i].high);
        lr_free((bool *)(void *)series[i].is_open);
    }
    for (size_t i = 0; i < p->plot.n_marks; i++)
        lr_free((char *)(void *)p->plot.marks[i].label);
    lr_free((void *)p->plot.tics);
    lr_free((char *)(void *)p->plot.tics_label);
    for (size_t i = 0; i < p->plot.n_notes; i++)
        lr_free((char *)(void *)p->plot.notes[i].text);
    lr_free((void *)p->plot.x_names);
    lr_free((void *)p->plot.marks);
    lr_free((void *)p->plot.notes);
    lr_free(series);
    lr_free((char *)(void *)p->plot.title);
    lr_free((char *)(void *)p->plot.x_label);
    lr_free((char *)(void *)p->plot.y_label);
    lr_free((char *)(void *)p->plot.open_title);
    lr_free((char *)(void *)p->plot.ring_title);
    lr_free((char *)(void *)p->plot.cross_title);
    lr_free(p);
}

struct ui_plot *ui_plot_copy(const struct out_plot *p)
{
    struct ui_plot *out = lr_calloc(1, sizeof(*out));
    struct out_series *series = lr_calloc(p->n_series, sizeof(*series));
    struct out_mark *marks = lr_calloc(p->n_marks, sizeof(*marks));
    struct out_note *notes = lr_calloc(p->n_notes, sizeof(*notes));
    struct out_tic *tics = lr_calloc(p->n_tics, sizeof(*tics));
    const char **names = NULL;
    size_t n_names = p->x_names && p->n_series ? p->series[0].n : 0;

    if (p->x_names)
        names = lr_calloc(n_names, sizeof(*names));
    if (!out || !series || !marks || !notes || !tics || (p->x_names && !names)) {
        lr_free(out);
        lr_free(series);
        lr_free(marks);
        lr_free(notes);
        lr_free(tics);
        lr_free((void *)names);
        return NULL;
    }
    for (size_t i = 0; i < p->n_series; i++) {
        const struct out_series *s = &p->series[i];
        series[i] = (struct out_series){.title = copy_text(s->title),
                                        .style = s->style,
                                        .n = s->n,
                                        .x = copy_numbers(s->x, s->n),
                                        .y = copy_numbers(s->y, s->n),
                                        .low = copy_numbers(s->low, s->n),
                                        .high = copy_numbers(s->high, s->n),
                                        .is_open = copy_flags(s->is_open, s->n)};
        if (!series[i].y)
            series[i].n = 0;
    }
    for (size_t i = 0; i < p->n_marks; i++) {
        marks[i] = p->marks[i];
        marks[i].label = copy_text(p->marks[i].label);
    }
    for (size_t i = 0; i < p->n_notes; i++) {
        notes[i] = p->notes[i];
        notes[i].text = copy_text(p->notes[i].text);
    }
    for (size_t i = 0; i < p->n_tics; i++)
        tics[i] = p->tics[i];
    for (size_t i = 0; i < n_names; i++)
        names[i] = copy_text(p->x_names[i] ? p->x_names[i] : "");
    out->plot = *p;
    out->plot.title = copy_text(p->title);
    out->plot.x_label = copy_text(p->x_label);
    out->plot.y_label = copy_text(p->y_label);
    out->plot.series = series;
    out->plot.marks = marks;
    out->plot.notes = notes;
    out->plot.tics = tics;
    out->plot.tics_label = copy_text(p->tics_label);
    out->plot.x_names = names;
    out->plot.open_title = copy_text(p->open_title);
    out->plot.ring_title = copy_text(p->ring_title);
    out->plot.cross_title = copy_text(p->cross_title);
    atomic_init(&out->n_refs, 1);
    return out;
}
