/* The plot of spectra: how much of the energy each rank keeps. */
#include "cmd/plots.h"

static const char *const labels[] = {"rank", "rank (% of full rank)",
                                     "multiply-adds of the layer (MMAC)"};

static double place(const struct lr_session *s, int layer, int rank, enum cmd_plot_by by)
{
    struct lr_rank_layer l = lr_session_rank_layer_as(s, layer, LR_METHOD_PCA);

    if (by == CMD_BY_MACS)
        return 1e-6 * (double)lr_macs_split(&l, (struct lr_ranks){rank, 0});
    return by == CMD_BY_SHARE ? 100.0 * rank / l.d : rank;
}

/* Cumulative energy against rank; several layers share the x axis as a share of d. The
 * chosen rank of one layer is a line, of several they are rings on the curves. */
static enum lr_status draw(struct cmd_drawing *d, const struct lr_session *s,
                           const int *layers, int n, enum cmd_plot_by by, bool of_filters,
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
            x[rank] = place(s, layers[i], rank, by);
            y[rank] = 100 * (of_filters ? lr_spectrum_weight_energy(spectrum, rank)
                             : rank     ? lr_spectrum_energy(spectrum, rank)
                                        : 0);
        }
        const char *name = cmd_drawing_name(d, s, layers[i]);
        series[k] = (struct out_series){
            .title = name, .style = OUT_LINES, .n = (size_t)l->d + 1, .x = x, .y = y};
        int rank = s->plan[layers[i]].ranks.channel;
        if (x && name && lr_session_state(s, layers[i]) != LR_STATE_WHOLE &&
            rank < l->d) {
            marks[d->plot.n_marks++] = (struct out_mark){
                .x = x[rank],
                .label = n == 1 ? cmd_drawing_text(d, "chosen %d", rank) : NULL,
                .series = (int)k,
                .kind = n == 1 ? OUT_MARK_LINE : OUT_MARK_RING};
            series[k].title = cmd_drawing_text(d, "%s, %d of %d", name, rank, l->d);
            d->plot.ring_title = n == 1 ? NULL : "chosen rank";
        }
        k++;
    }
    if (d->is_failed)
        return cmd_drawing_check(d, e);
    if (!k)
        return lr_err_set(&e->err, LR_EINVAL,
                          "none of these layers can be approximated: no spectrum");
    d->plot.title = of_filters ? "energy of the filters kept by a rank"
                               : "energy of the responses kept by a rank";
    d->plot.x_label = labels[by];
    d->plot.y_label = "energy kept (%)";
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
    enum cmd_plot_by axis = by->is_set ? (enum cmd_plot_by)by->i
                            : q->n > 1 ? CMD_BY_SHARE
                                       : CMD_BY_RANK;
    return draw(d, c->session, q->layers, q->n, axis, of->is_set && of->i == 1, e);
}
