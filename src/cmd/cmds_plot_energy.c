/* The plot of spectra: how much of the energy each rank keeps. */
#include "cmd/plots.h"

/* Cumulative energy against rank; several layers share the x axis as a share of d. */
static enum lr_status draw(struct cmd_drawing *d, const struct lr_session *s,
                           const int *layers, int n, bool is_share, bool of_filters,
                           struct cmd_error *e)
{
    struct out_series *series = cmd_drawing_take(d, (size_t)n, sizeof(*series));
    struct out_mark *marks = cmd_drawing_take(d, (size_t)n, sizeof(*marks));
    size_t k = 0;

    for (int i = 0; i < n && !d->is_failed; i++) {
        const struct lr_layer *l = &s->layers[layers[i]];
        const struct lr_spectrum *spectrum = &s->spectra[layers[i]];
        if (!spectrum->eig)
            continue;
        double *x = cmd_drawing_take(d, 2 * (size_t)(l->d + 1), sizeof(*x));
        double *y = x ? x + l->d + 1 : NULL;
        for (int rank = 0; x && rank <= l->d; rank++) {
            x[rank] = is_share ? (double)rank / l->d : rank;
            y[rank] = 100 * (of_filters ? lr_spectrum_weight_energy(spectrum, rank)
                             : rank     ? lr_spectrum_energy(spectrum, rank)
                                        : 0);
        }
        series[k] = (struct out_series){
            .title = l->name, .style = OUT_LINES, .n = (size_t)l->d + 1, .x = x, .y = y};
        int rank = s->plan[layers[i]].ranks.channel;
        if (x && lr_session_state(s, layers[i]) != LR_STATE_WHOLE && rank < l->d)
            marks[d->plot.n_marks++] =
                (struct out_mark){x[rank], cmd_drawing_text(d, "%d", rank), (int)k};
        k++;
    }
    if (d->is_failed)
        return cmd_drawing_check(d, e);
    if (!k)
        return lr_err_set(&e->err, LR_EINVAL,
                          "none of these layers can be approximated: no spectrum");
    d->plot.title = of_filters ? "energy of the filters kept by a rank"
                               : "energy of the responses kept by a rank";
    d->plot.x_label = is_share ? "rank / filters" : "rank";
    d->plot.y_label = "energy (%)";
    d->plot.n_series = k;
    d->plot.series = series;
    d->plot.marks = marks;
    return LR_OK;
}

enum lr_status cmd_plot_energy(struct cmd_drawing *d, struct cmd_ctx *c,
                               const struct cmd_plot_call *q, struct cmd_error *e)
{
    const struct cmd_value *by = cmd_option(q->call, "by"),
                           *of = cmd_option(q->call, "of");
    enum lr_status st = lr_session_spectra(c->session, &c->progress, &e->err);

    if (st)
        return st;
    return draw(d, c->session, q->layers, q->n, by->is_set ? by->i == 1 : q->n > 1,
                of->is_set && of->i == 1, e);
}
