/* Plots of response errors of the solved layers. */
#include "cmd/plots.h"

#include <math.h>

/* Two bars a layer: the linear solution and the one taken, held-out. Where an axis is
 * asked for, or nothing is solved, the curves of sweeps. */
enum lr_status cmd_plot_error(struct cmd_drawing *d, struct cmd_ctx *c,
                              const struct cmd_plot_call *q, struct cmd_error *e)
{
    static const char *const titles[2] = {"linear solution", "as solved"};
    const struct cmd_value *by = cmd_option(q->call, "by");
    size_t k = 0;

    if (by->is_set)
        return cmd_draw_swept_errors(d, c->session, q->layers, q->n, (int)by->i, e);
    struct out_series *series = cmd_drawing_take(d, 2, sizeof(*series));
    const char **names = cmd_drawing_take(d, (size_t)q->n, sizeof(*names));
    double *x = cmd_drawing_take(d, 3 * (size_t)q->n, sizeof(*x));

    if (d->is_failed)
        return cmd_drawing_check(d, e);
    double *linear = x + q->n, *held = linear + q->n;
    for (int i = 0; i < q->n; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, c->session, q->layers[i]);
        if (isnan(r.error_heldout) && isnan(r.error_linear))
            continue;
        x[k] = (double)k + 1;
        linear[k] = r.error_linear;
        held[k] = r.error_heldout;
        names[k++] = r.layer->name;
    }
    if (!k && cmd_has_swept_errors(c->session, q->layers, q->n))
        return cmd_draw_swept_errors(d, c->session, q->layers, q->n, -1, e);
    if (!k) {
        cmd_hint(e, "solve computes the errors");
        return lr_err_set(&e->err, LR_EINVAL, "none of these layers is solved");
    }
    for (int i = 0; i < 2; i++)
        series[i] = (struct out_series){.title = titles[i],
                                        .style = OUT_BARS,
                                        .n = k,
                                        .x = x,
                                        .y = i ? held : linear};
    d->plot.title = "relative response error on held-out images";
    d->plot.x_label = "layer";
    d->plot.y_label = "|r(y)-r(y')|^2 / |r(y)|^2";
    d->plot.series = series;
    d->plot.n_series = 2;
    d->plot.x_names = names;
    return LR_OK;
}

/* Three curves along the network: what a layer alone causes, what the layers before it
 * leave behind when it is whole, and what remains of both after its fit. */
enum lr_status cmd_plot_propagation(struct cmd_drawing *d, struct cmd_ctx *c,
                                    const struct cmd_plot_call *q, struct cmd_error *e)
{
    static const char *const titles[3] = {"own", "inherited", "after the refit"};
    size_t k = 0;
    struct out_series *series = cmd_drawing_take(d, 3, sizeof(*series));
    const char **names = cmd_drawing_take(d, (size_t)q->n, sizeof(*names));
    double *x = cmd_drawing_take(d, 4 * (size_t)q->n, sizeof(*x));

    if (d->is_failed)
        return cmd_drawing_check(d, e);
    double *y[3] = {x + q->n, x + 2 * q->n, x + 3 * q->n};
    for (int i = 0; i < q->n; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, c->session, q->layers[i]);
        if (isnan(r.error_refit))
            continue;
        x[k] = (double)k + 1;
        y[0][k] = r.error_own;
        y[1][k] = r.error_inherited;
        y[2][k] = r.error_refit;
        names[k++] = r.layer->name;
    }
    if (!k) {
        cmd_hint(e, "solve computes the errors");
        return lr_err_set(&e->err, LR_EINVAL, "none of these layers is solved");
    }
    for (int i = 0; i < 3; i++)
        series[i] = (struct out_series){
            .title = titles[i], .style = OUT_LINESPOINTS, .n = k, .x = x, .y = y[i]};
    d->plot.title = "propagation of the relative response error, held-out images";
    d->plot.x_label = "layer";
    d->plot.y_label = "|r(y)-r(y')|^2 / |r(y)|^2";
    d->plot.series = series;
    d->plot.n_series = 3;
    d->plot.x_names = names;
    return LR_OK;
}
