/* Plots of the accuracy of single layers against their rank, from sweeps, and of the
 * ranks chosen. */
#include "cmd/plots.h"

#include <math.h>
#include <string.h>

#include "ranklab/configs.h"
#include "ranklab/sweep.h"

enum { MAX_NAMED = 4 }; /* curves whose marks bear the names of their layers */

/* ---- accuracy ---- */

static bool is_shown(const struct lr_sweep_point *p, const struct lr_session *s,
                     int layer)
{
    return p->layer == layer && p->method == s->plan[layer].method && p->n_images > 0 &&
           isfinite(p->eval.top1_difference);
}

/* The rank along the axis: d'' of a spatial split, else d'. */
static int axis_rank(struct lr_ranks r, const struct lr_rank_layer *l)
{
    return l->split == LR_SPLIT_SPATIAL ? r.spatial : r.channel;
}

static size_t count_points(const struct lr_session *s, int layer)
{
    size_t n = 0;

    for (int i = 0; s->sweeps && i < s->sweeps->n; i++)
        n += is_shown(&s->sweeps->points[i], s, layer);
    return n;
}

/* Points of one layer by rising rank; those that are not significant go to open as well.
 */
static void add_curve(struct cmd_drawing *d, struct out_series *to,
                      struct out_series *open, const struct lr_session *s, int layer,
                      bool is_share)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    int full = axis_rank(lr_ranks_whole(&l), &l);
    size_t n = count_points(s, layer), k = 0;
    double *x = cmd_drawing_take(d, 4 * n, sizeof(*x));

    if (!x)
        return;
    double *y = x + n, *low = y + n, *high = low + n;
    /* They are kept by falling cost. */
    for (int i = s->sweeps->n - 1; i >= 0; i--) {
        const struct lr_sweep_point *p = &s->sweeps->points[i];
        if (!is_shown(p, s, layer))
            continue;
        x[k] = (is_share ? 100.0 / full : 1) * axis_rank(p->ranks, &l);
        y[k] = 100 * p->eval.top1_difference;
        low[k] = 100 * p->eval.difference_low;
        high[k] = 100 * p->eval.difference_high;
        if (!lr_sweep_is_significant(p)) {
            ((double *)(void *)open->x)[open->n] = x[k];
            ((double *)(void *)open->y)[open->n++] = y[k];
        }
        k++;
    }
    int rank = axis_rank(s->plan[layer].ranks, &l);
    const char *title =
        lr_session_state(s, layer) == LR_STATE_WHOLE
            ? s->layers[layer].name
            : cmd_drawing_text(d, "%s, %d of %d", s->layers[layer].name, rank, full);
    *to = (struct out_series){.title = title,
                              .style = OUT_LINESPOINTS,
                              .n = k,
                              .x = x,
                              .y = y,
                              .low = low,
                              .high = high};
}

/* The chosen rank, and where splitting stops to pay; of several layers with their names,
 * of many only the chosen ranks. */
static void add_marks(struct cmd_drawing *d, struct out_mark *marks,
                      const struct lr_session *s, int layer, int series, bool is_share,
                      int n_curves)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    double scale = is_share ? 100.0 / axis_rank(lr_ranks_whole(&l), &l) : 1;
    int even = lr_break_even(&l, s->plan[layer].ranks),
        rank = axis_rank(s->plan[layer].ranks, &l);
    bool is_only = n_curves == 1, is_named = n_curves > 1 && n_curves <= MAX_NAMED;
    const char *name = is_named ? s->layers[layer].name : "";
    const char *space = is_named ? " " : "";

    if (lr_session_state(s, layer) != LR_STATE_WHOLE)
        marks[d->plot.n_marks++] = (struct out_mark){
            scale * rank,
            cmd_drawing_text(d, is_only ? "%s%schosen %d" : "%s%s%d", name, space, rank),
            series};
    if ((is_only || is_named) && even > 1)
        marks[d->plot.n_marks++] = (struct out_mark){
            scale * even, cmd_drawing_text(d, "%s%sbreak-even %d", name, space, even),
            is_only ? -1 : series};
}

/* The multiply-adds of a layer at its points, above the plot, where they do not touch. */
static void add_macs(struct cmd_drawing *d, const struct lr_session *s, int layer,
                     const struct out_series *curve)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    struct out_tic *tics = cmd_drawing_take(d, curve->n, sizeof(*tics));
    double room = curve->n ? 0.06 * (curve->x[curve->n - 1] - curve->x[0]) : 0;
    size_t k = 0, at = 0;

    for (int i = s->sweeps->n - 1; i >= 0 && tics; i--) {
        const struct lr_sweep_point *p = &s->sweeps->points[i];
        if (!is_shown(p, s, layer))
            continue;
        double x = curve->x[at++];
        if (k == 0 || x - tics[k - 1].x >= room)
            tics[k++] = (struct out_tic){x, 1e-6 * (double)p->macs};
    }
    d->plot.tics = tics;
    d->plot.n_tics = k;
    d->plot.tics_label =
        cmd_drawing_text(d, "multiply-adds of %s (MMAC; whole %.3g)",
                         s->layers[layer].name, 1e-6 * (double)lr_macs_whole(&l));
}

enum lr_status cmd_draw_accuracy(struct cmd_drawing *d, const struct lr_session *s,
                                 const int *layers, int n, int by, struct cmd_error *e)
{
    size_t k = 0, n_points = 0;
    int n_curves = 0, only = -1;

    for (int i = 0; i < n; i++) {
        size_t n_here = count_points(s, layers[i]);
        n_points += n_here;
        n_curves += n_here > 0;
        only = n_here > 0 ? layers[i] : only;
    }
    if (!n_points) {
        cmd_hint(e, "sweep measures it, as in: sweep conv3");
        return lr_err_set(&e->err, LR_EINVAL,
                          "no accuracy is known of any rank of these layers, with their "
                          "method");
    }
    bool is_share = by >= 0 ? by == 1 : n_curves > 1;
    struct out_series *series =
        cmd_drawing_take(d, (size_t)n_curves + 1, sizeof(*series));
    struct out_mark *marks = cmd_drawing_take(d, 2 * (size_t)n_curves, sizeof(*marks));
    double *open = cmd_drawing_take(d, 2 * n_points, sizeof(*open));
    if (d->is_failed)
        return cmd_drawing_check(d, e);
    struct out_series *last = &series[n_curves];
    *last = (struct out_series){.title = "not significant (95 %)",
                                .style = OUT_FRAMES,
                                .x = open,
                                .y = open + n_points};
    for (int i = 0; i < n; i++)
        if (count_points(s, layers[i]) > 0) {
            add_curve(d, &series[k], last, s, layers[i], is_share);
            add_marks(d, marks, s, layers[i], (int)k++, is_share, n_curves);
        }
    d->plot.title = n_curves == 1
                        ? cmd_drawing_text(d, "accuracy with only %s approximated (%s)",
                                           s->layers[only].name,
                                           lr_method_info(s->plan[only].method)->name)
                        : "accuracy with one layer approximated at a time";
    d->plot.x_label = is_share ? "rank (% of full rank)" : "rank";
    if (n_curves == 1) {
        struct lr_rank_layer l = lr_session_rank_layer(s, only);
        add_macs(d, s, only, &series[0]);
        if (l.split == LR_SPLIT_CHANNEL && !is_share)
            d->plot.x_label = cmd_drawing_text(
                d, "rank (%.3g MMAC each; whole %.3g MMAC)",
                1e-6 * (double)lr_macs_split(&l, (struct lr_ranks){l.d, 0}) / l.d,
                1e-6 * (double)lr_macs_whole(&l));
    }
    d->plot.y_label = "top-1, difference from the original (points)";
    d->plot.series = series;
    d->plot.n_series = (size_t)n_curves + (last->n > 0);
    d->plot.marks = marks;
    return LR_OK;
}

enum lr_status cmd_plot_accuracy(struct cmd_drawing *d, struct cmd_ctx *c,
                                 const struct cmd_plot_call *q, struct cmd_error *e)
{
    const struct cmd_value *by = cmd_option(q->call, "by");

    return cmd_draw_accuracy(d, c->session, q->layers, q->n, by->is_set ? (int)by->i : -1,
                             e);
}

/* ---- ranks ---- */

enum lr_status cmd_plot_ranks(struct cmd_drawing *d, struct cmd_ctx *c,
                              const struct cmd_plot_call *q, struct cmd_error *e)
{
    const struct lr_session *s = c->session;
    size_t n = (size_t)q->n, n_configs = s->configs ? (size_t)s->configs->n : 0;
    struct out_series *series = cmd_drawing_take(d, n_configs + 1, sizeof(*series));
    const char **names = cmd_drawing_take(d, n, sizeof(*names));
    double *x = cmd_drawing_take(d, n, sizeof(*x));

    if (d->is_failed)
        return cmd_drawing_check(d, e);
    for (size_t k = 0; k <= n_configs; k++) {
        const struct lr_layer_plan *plan =
            k == 0 ? s->plan : s->configs->items[k - 1].plan;
        double *y = cmd_drawing_take(d, n, sizeof(*y));
        for (size_t i = 0; y && i < n; i++) {
            int layer = q->layers[i];
            struct lr_rank_layer l =
                lr_session_rank_layer_as(s, layer, plan[layer].method);
            struct lr_ranks r = plan[layer].ranks;
            x[i] = (double)i + 1;
            names[i] = s->layers[layer].name;
            y[i] = lr_ranks_is_whole(&l, r)
                       ? 100
                       : 100.0 * axis_rank(r, &l) / axis_rank(lr_ranks_whole(&l), &l);
        }
        series[k] = (struct out_series){
            .title = k == 0 ? "the plan" : s->configs->items[k - 1].name,
            .style = k == 0 && n_configs == 0 ? OUT_BARS : OUT_LINESPOINTS,
            .n = n,
            .x = x,
            .y = y};
    }
    d->plot.title = "ranks chosen (100 %: the layer stays whole)";
    d->plot.x_label = "layer";
    d->plot.y_label = "rank (% of full rank)";
    d->plot.has_y_range = true;
    d->plot.y_max = 105;
    d->plot.series = series;
    d->plot.n_series = n_configs + 1;
    d->plot.x_names = names;
    return LR_OK;
}
