/* Milliseconds of layers against their ranks. */
#include "cmd/plots.h"

#include <stdio.h>

#include "ranklab/timing.h"

/* What was measured of a layer, with quartiles, and the layer whole: a line, or among
 * several layers a cross at the full rank. */
static void draw_layer(struct cmd_drawing *d, struct cmd_ctx *c,
                       const struct lr_ms_table *m, int layer, bool is_only,
                       struct out_series *series, struct out_mark *marks)
{
    const struct lr_session *s = c->session;
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    bool is_spatial = l.split == LR_SPLIT_SPATIAL;
    size_t n = (size_t)m->n, k = d->plot.n_series;
    double *x = cmd_drawing_take(d, 4 * n + 4, sizeof(*x));

    if (!x)
        return;
    double *y = x + n, *low = y + n, *high = low + n, *ends = high + n;
    for (size_t i = 0; i < n; i++) {
        const struct lr_ms_point *p = &m->points[i];
        x[i] = is_spatial ? p->ranks.spatial : p->ranks.channel;
        y[i] = p->ms;
        low[i] = p->low;
        high[i] = p->high;
    }
    int full = is_spatial ? lr_rank_spatial_full(&l) : l.d;
    ends[0] = n > 0 ? x[0] : 1;
    ends[1] = n > 0 ? x[n - 1] : 2;
    ends[2] = ends[3] = m->whole.ms;
    const char *name = cmd_drawing_name(d, s, layer);
    if (!name)
        return;
    series[k] = (struct out_series){.title = name,
                                    .style = OUT_LINESPOINTS,
                                    .n = n,
                                    .x = x,
                                    .y = y,
                                    .low = low,
                                    .high = high};
    d->plot.n_series++;
    if (is_only)
        series[d->plot.n_series++] =
            (struct out_series){.title = cmd_drawing_text(d, "%s whole", name),
                                .style = OUT_LINES,
                                .n = 2,
                                .x = ends,
                                .y = ends + 2};
    else
        marks[d->plot.n_marks++] = (struct out_mark){
            .x = full, .y = m->whole.ms, .series = (int)k, .kind = OUT_MARK_CROSS};
    d->plot.cross_title = is_only ? NULL : "left whole";
    if (lr_session_state(s, layer) == LR_STATE_WHOLE)
        return;
    struct lr_ranks r = s->plan[layer].ranks;
    int rank = is_spatial ? r.spatial : r.channel;
    marks[d->plot.n_marks++] =
        (struct out_mark){.x = rank,
                          .label = cmd_drawing_text(d, "chosen %d", rank),
                          .series = (int)k,
                          .kind = is_only ? OUT_MARK_LINE : OUT_MARK_RING};
    series[k].title = cmd_drawing_text(d, "%s, %d of %d", name, rank, full);
    d->plot.ring_title = is_only ? NULL : "chosen rank";
}

enum lr_status cmd_plot_latency(struct cmd_drawing *d, struct cmd_ctx *c,
                                const struct cmd_plot_call *q, struct cmd_error *e)
{
    struct lr_deploy deploy = lr_session_deploy(c->session);
    struct out_series *series =
        cmd_drawing_take(d, 2 * (size_t)q->n + 1, sizeof(*series));
    struct out_mark *marks = cmd_drawing_take(d, 2 * (size_t)q->n + 1, sizeof(*marks));
    enum lr_status st = cmd_check_deploy(c, &deploy, e);
    char where[96];

    if (!st && !d->is_failed)
        st = lr_session_time_ranks(c->session, &deploy, q->layers, q->n, false,
                                   &c->progress, &e->err);
    if (st || d->is_failed)
        return st ? st : cmd_drawing_check(d, e);
    d->plot.series = series;
    d->plot.marks = marks;
    for (int i = 0; i < q->n; i++) {
        const struct lr_ms_table *m =
            lr_session_ms_table(c->session, &deploy, q->layers[i]);
        if (m && m->n > 0)
            draw_layer(d, c, m, q->layers[i], q->n == 1, series, marks);
    }
    if (d->plot.n_series == 0)
        return lr_err_set(&e->err, LR_EINVAL,
                          "none of these layers can be approximated: no milliseconds");
    d->plot.title =
        cmd_drawing_text(d, "latency: %s", lr_deploy_text(where, sizeof(where), &deploy));
    d->plot.x_label = "rank";
    d->plot.y_label = "time of one batch (ms)";
    return LR_OK;
}
