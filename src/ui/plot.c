/* Plots in the detail pane. What `plot ... --to pane` asked for is drawn by gnuplot in
 * the size of the pane, once for each size; until its picture is there, and where there
 * is no gnuplot, the built-in plot stands in. Without such a plot the pane shows the
 * swept accuracy of the layer under the cursor, or else its energy. */
#include "ui/panes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put_text(struct ui_rect r, const char *text, bool is_ascii)
{
    for (int y = r.y; y < r.y + r.h && *text; y++) {
        size_t n = strcspn(text, "\n");
        char *line = lr_strndup(text, n);
        if (line)
            ui_put(y, r.x, r.w, UI_NORMAL, line, is_ascii);
        lr_free(line);
        text += n + (text[n] == '\n');
    }
}

static void put_plot(const struct ui_panes *p, struct ui_rect r,
                     const struct out_plot *plot)
{
    struct lr_strbuf b = {0};
    struct lr_err e = {0};

    if (out_plot_text(&b, plot, r.w, r.h, p->is_ascii, false, NULL, &e) == LR_OK && b.s)
        put_text(r, b.s, p->is_ascii);
    else
        ui_put(r.y, r.x, r.w, UI_DIM, e.msg, p->is_ascii);
    lr_strbuf_free(&b);
}

static bool wants_gnuplot(const struct ui_panes *p)
{
    return p->now && !p->now->settings.is_safe &&
           p->now->settings.plot_terminal != CMD_PLOT_BUILTIN;
}

void ui_plot_take(struct ui_panes *p, struct ui_picture *picture)
{
    ui_plot_unref(p->picture.plot);
    lr_free(p->picture.text);
    p->picture = *picture;
}

static void draw_asked(struct ui_panes *p, struct ui_rect r)
{
    const struct ui_picture *k = &p->picture;

    if (wants_gnuplot(p)) {
        bool is_drawn = k->plot == p->plot && k->width == r.w && k->height == r.h;
        if (is_drawn && k->text) {
            put_text(r, k->text, p->is_ascii);
            return;
        }
        bool is_asked = p->asked_width == r.w && p->asked_height == r.h;
        if (!is_drawn && !is_asked) {
            p->asked_width = r.w;
            p->asked_height = r.h;
            ui_worker_draw(p->worker, p->plot, r.w, r.h, p->is_ascii);
        }
    }
    put_plot(p, r, &p->plot->plot);
}

/* How much of the energy each rank of the layer keeps. */
static void draw_energy(struct ui_panes *p, struct ui_rect r, const struct ui_layer *l)
{
    size_t n = (size_t)l->full_rank + 1;
    double *y = lr_alloc(n, sizeof(*y)), sum = 0, part = 0;
    char chosen[32], even[32], title[128];
    struct out_mark marks[2];
    size_t n_marks = 0;

    if (!y)
        return;
    for (size_t i = 0; i + 1 < n; i++)
        sum += l->eig[i] > 0 ? l->eig[i] : 0;
    y[0] = 0;
    for (size_t i = 1; i < n; i++) {
        part += l->eig[i - 1] > 0 ? l->eig[i - 1] : 0;
        y[i] = sum > 0 ? 100 * part / sum : 0;
    }
    struct out_series s = {.style = OUT_LINES, .n = n, .y = y};
    if (l->state != LR_STATE_WHOLE) {
        snprintf(chosen, sizeof(chosen), "rank %d", l->rank);
        marks[n_marks++] = (struct out_mark){.x = l->rank, .label = chosen};
    }
    if (l->break_even < l->full_rank) {
        snprintf(even, sizeof(even), "pays below %d", l->break_even);
        marks[n_marks++] =
            (struct out_mark){.x = l->break_even, .label = even, .series = -1};
    }
    snprintf(title, sizeof(title), "~energy kept, %.60s", l->name);
    struct out_plot plot = {.title = title,
                            .x_label = "rank",
                            .y_label = "energy (%)",
                            .series = &s,
                            .n_series = 1,
                            .marks = marks,
                            .n_marks = n_marks};
    put_plot(p, r, &plot);
    lr_free(y);
}

static void no_spectrum(const struct ui_panes *p, struct ui_rect r,
                        const struct ui_layer *l)
{
    if (!l->is_approximable)
        ui_putf(r.y, r.x, r.w, UI_DIM, p->is_ascii, "stays whole: %s",
                l->reason ? l->reason : "");
    else if (p->work.is_busy)
        ui_put(r.y, r.x, r.w, UI_DIM, "the responses are being looked at", true);
    else
        ui_put(r.y, r.x, r.w, UI_DIM, "no spectrum: rank or info computes it", true);
}

/* That of the layer under the cursor; or, until the cursor moves, of the one that a sweep
 * of marked layers came to. */
static const struct ui_plot *swept(const struct ui_panes *p, const struct ui_layer *l)
{
    if (l && !l->accuracy && p->swept >= 0 && p->swept < p->now->n_layers &&
        p->swept_at == p->table.layer)
        l = &p->now->layers[p->swept];
    return l ? l->accuracy : NULL;
}

void ui_plot_draw(struct ui_panes *p, struct ui_rect r)
{
    const struct ui_layer *l = ui_table_layer(p);
    const struct ui_plot *accuracy = swept(p, l);

    if (p->plot)
        draw_asked(p, r);
    else if (accuracy)
        put_plot(p, r, &accuracy->plot);
    else if (l && l->eig)
        draw_energy(p, r, l);
    else if (l)
        no_spectrum(p, r, l);
}

void ui_spectrum_draw(struct ui_panes *p, struct ui_rect r)
{
    const struct ui_layer *l = ui_table_layer(p);
    char chosen[32], even[32];
    struct out_mark marks[2];
    size_t n_marks = 0, n = 0;

    if (!l || !l->eig) {
        if (l)
            no_spectrum(p, r, l);
        return;
    }
    while (n < (size_t)l->full_rank && l->eig[n] > 1e-12 * l->eig[0])
        n++;
    double *x = lr_alloc(n, sizeof(*x));
    if (!x)
        return;
    for (size_t i = 0; i < n; i++)
        x[i] = (double)i + 1;
    struct out_series s = {.style = OUT_LINES, .n = n, .x = x, .y = l->eig};
    if (l->state != LR_STATE_WHOLE) {
        snprintf(chosen, sizeof(chosen), "rank %d", l->rank);
        marks[n_marks++] = (struct out_mark){.x = l->rank, .label = chosen};
    }
    if (l->break_even < (int)n) {
        snprintf(even, sizeof(even), "pays below %d", l->break_even);
        marks[n_marks++] =
            (struct out_mark){.x = l->break_even, .label = even, .series = -1};
    }
    struct out_plot plot = {.x_label = "rank",
                            .y_label = "eigenvalue of the responses",
                            .is_log_y = true,
                            .series = &s,
                            .n_series = 1,
                            .marks = marks,
                            .n_marks = n_marks};
    put_plot(p, r, &plot);
    lr_free(x);
}
