/* The plot of the ranks chosen, of the plan and of kept configurations. */
#include "cmd/plots.h"

#include "ranklab/configs.h"

/* d'' of a spatial split, else d'. */
static int axis_rank(struct lr_ranks r, const struct lr_rank_layer *l)
{
    return l->split == LR_SPLIT_SPATIAL ? r.spatial : r.channel;
}

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
