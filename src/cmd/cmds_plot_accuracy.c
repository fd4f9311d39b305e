/* Plots of what sweeps measured of single layers, accuracy or response error, against the
 * rank, and of the ranks chosen. */
#include "cmd/plots.h"

#include <math.h>
#include <string.h>

#include "ranklab/configs.h"
#include "ranklab/sweep.h"

enum { MAX_NAMED = 4 }; /* curves whose marks bear the names of their layers */

/* ---- curves of sweeps ---- */

/* What a curve shows: accuracy by labels, or where there are none the share of images
 * with the original's answer; the response errors of the solution and of the linear one.
 */
enum measure { TOP1, AGREEMENT, HELDOUT, LINEAR };

struct curves {
    const struct lr_session *s;
    enum measure measure;
    bool is_share; /* ranks in percent of the full one */
    int n_layers;  /* that have points */
};

static double value_of(const struct lr_sweep_point *p, enum measure m)
{
    switch (m) {
    case TOP1:
        return p->n_images > 0 ? 100 * p->eval.top1_difference : NAN;
    case AGREEMENT:
        return p->n_images > 0 ? 100 * p->eval.agreement : NAN;
    case HELDOUT:
        return p->error_heldout;
    default:
        return p->error_linear;
    }
}

static bool is_shown(const struct lr_sweep_point *p, const struct curves *c, int layer)
{
    return p->layer == layer && p->method == c->s->plan[layer].method &&
           isfinite(value_of(p, c->measure));
}

/* The rank along the axis: d'' of a spatial split, else d'. */
static int axis_rank(struct lr_ranks r, const struct lr_rank_layer *l)
{
    return l->split == LR_SPLIT_SPATIAL ? r.spatial : r.channel;
}

static size_t count_points(const struct curves *c, int layer)
{
    const struct lr_sweeps *k = c->s->sweeps;
    size_t n = 0;

    for (int i = 0; k && i < k->n; i++)
        n += is_shown(&k->points[i], c, layer);
    return n;
}

static void set_interval(double *low, double *high, const struct lr_sweep_point *p,
                         enum measure m)
{
    *low = *high = NAN;
    if (m == TOP1) {
        *low = 100 * p->eval.difference_low;
        *high = 100 * p->eval.difference_high;
    } else if (m == AGREEMENT) {
        lr_sweep_agreement(low, high, p);
        *low *= 100;
        *high *= 100;
    }
}

/* Points of one layer by rising rank; those that are not significant go to open (NULL:
 * not marked) as well. */
static void add_curve(struct cmd_drawing *d, struct out_series *to,
                      struct out_series *open, const struct curves *c, int layer)
{
    const struct lr_session *s = c->s;
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    int full = axis_rank(lr_ranks_whole(&l), &l);
    size_t n = count_points(c, layer), k = 0;
    double *x = cmd_drawing_take(d, 4 * n, sizeof(*x));

    if (!x)
        return;
    double *y = x + n, *low = y + n, *high = low + n;
    /* They are kept by falling cost. */
    for (int i = s->sweeps->n - 1; i >= 0; i--) {
        const struct lr_sweep_point *p = &s->sweeps->points[i];
        if (!is_shown(p, c, layer))
            continue;
        x[k] = (c->is_share ? 100.0 / full : 1) * axis_rank(p->ranks, &l);
        y[k] = value_of(p, c->measure);
        set_interval(&low[k], &high[k], p, c->measure);
        if (open && !lr_sweep_is_significant(p)) {
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
                      const struct curves *c, int layer, int series)
{
    const struct lr_session *s = c->s;
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    double scale = c->is_share ? 100.0 / axis_rank(lr_ranks_whole(&l), &l) : 1;
    int even = lr_break_even(&l, s->plan[layer].ranks),
        rank = axis_rank(s->plan[layer].ranks, &l);
    bool is_only = c->n_layers == 1,
         is_named = c->n_layers > 1 && c->n_layers <= MAX_NAMED;
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
static void add_macs(struct cmd_drawing *d, const struct curves *c, int layer,
                     const struct out_series *curve)
{
    const struct lr_session *s = c->s;
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    struct out_tic *tics = cmd_drawing_take(d, curve->n, sizeof(*tics));
    double room = curve->n ? 0.06 * (curve->x[curve->n - 1] - curve->x[0]) : 0;
    size_t k = 0, at = 0;

    for (int i = s->sweeps->n - 1; i >= 0 && tics; i--) {
        const struct lr_sweep_point *p = &s->sweeps->points[i];
        if (!is_shown(p, c, layer))
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

static const struct {
    const char *of_one, *of_several, *y_label; /* of_one: layer, method */
} texts[] = {
    [TOP1] = {"accuracy with only %s approximated (%s)",
              "accuracy with one layer approximated at a time",
              "top-1, difference from the original (points)"},
    [AGREEMENT] = {"agreement with the original, only %s approximated (%s)",
                   "agreement with the original, one layer approximated at a time",
                   "images with the original's answer (%; no labels)"},
    [HELDOUT] = {"response error with only %s approximated (%s)",
                 "response error with one layer approximated at a time",
                 "|r(y)-r(y')|^2 / |r(y)|^2, held-out"},
};

/* One layer: what its rank costs, and the multiply-adds above. */
static void dress_only(struct cmd_drawing *d, const struct curves *c, int layer,
                       const struct out_series *curve)
{
    struct lr_rank_layer l = lr_session_rank_layer(c->s, layer);

    d->plot.title =
        cmd_drawing_text(d, texts[c->measure].of_one, c->s->layers[layer].name,
                         lr_method_info(c->s->plan[layer].method)->name);
    add_macs(d, c, layer, curve);
    if (l.split == LR_SPLIT_CHANNEL && !c->is_share)
        d->plot.x_label = cmd_drawing_text(
            d, "rank (%.3g MMAC each; whole %.3g MMAC)",
            1e-6 * (double)lr_macs_split(&l, (struct lr_ranks){l.d, 0}) / l.d,
            1e-6 * (double)lr_macs_whole(&l));
}

/* One curve a layer; behind them what is not significant, or of one layer's errors those
 * of the linear solution. */
static enum lr_status draw_curves(struct cmd_drawing *d, struct curves *c,
                                  const int *layers, int n, int by, size_t n_points,
                                  struct cmd_error *e)
{
    size_t k = 0;
    int only = -1;

    c->is_share = by >= 0 ? by == 1 : c->n_layers > 1;
    struct out_series *series =
        cmd_drawing_take(d, (size_t)c->n_layers + 1, sizeof(*series));
    struct out_mark *marks = cmd_drawing_take(d, 2 * (size_t)c->n_layers, sizeof(*marks));
    double *open = cmd_drawing_take(d, 2 * n_points, sizeof(*open));
    if (d->is_failed)
        return cmd_drawing_check(d, e);
    struct out_series *last = &series[c->n_layers];
    *last = (struct out_series){.title = "not significant (95 %)",
                                .style = OUT_FRAMES,
                                .x = open,
                                .y = open + n_points};
    for (int i = 0; i < n; i++)
        if (count_points(c, layers[i]) > 0) {
            only = layers[i];
            add_curve(d, &series[k], c->measure == TOP1 ? last : NULL, c, only);
            add_marks(d, marks, c, only, (int)k++);
        }
    d->plot.title = texts[c->measure].of_several;
    d->plot.x_label = c->is_share ? "rank (% of full rank)" : "rank";
    d->plot.y_label = texts[c->measure].y_label;
    if (c->n_layers == 1) {
        dress_only(d, c, only, &series[0]);
        struct curves linear = *c;
        linear.measure = LINEAR;
        if (c->measure == HELDOUT && count_points(&linear, only) > 0) {
            add_curve(d, last, NULL, &linear, only);
            last->title = "linear";
        }
    }
    d->plot.series = series;
    d->plot.n_series = (size_t)c->n_layers + (last->n > 0);
    d->plot.marks = marks;
    return cmd_drawing_check(d, e);
}

/* The points of the layers; also counts the layers that have any. */
static size_t count_all(struct curves *c, const int *layers, int n)
{
    size_t n_points = 0;

    c->n_layers = 0;
    for (int i = 0; i < n; i++) {
        size_t n_here = count_points(c, layers[i]);
        n_points += n_here;
        c->n_layers += n_here > 0;
    }
    return n_points;
}

enum lr_status cmd_draw_accuracy(struct cmd_drawing *d, const struct lr_session *s,
                                 const int *layers, int n, int by, struct cmd_error *e)
{
    struct curves c = {.s = s, .measure = TOP1};
    size_t n_points = count_all(&c, layers, n);

    if (!n_points) {
        c.measure = AGREEMENT;
        n_points = count_all(&c, layers, n);
    }
    if (!n_points) {
        cmd_hint(e, "sweep measures it, as in: sweep conv3");
        return lr_err_set(&e->err, LR_EINVAL,
                          "no accuracy is known of any rank of these layers, with their "
                          "method");
    }
    return draw_curves(d, &c, layers, n, by, n_points, e);
}

bool cmd_has_swept_errors(const struct lr_session *s, const int *layers, int n)
{
    struct curves c = {.s = s, .measure = HELDOUT};

    return count_all(&c, layers, n) > 0;
}

enum lr_status cmd_draw_swept_errors(struct cmd_drawing *d, const struct lr_session *s,
                                     const int *layers, int n, int by,
                                     struct cmd_error *e)
{
    struct curves c = {.s = s, .measure = HELDOUT};
    size_t n_points = count_all(&c, layers, n);

    if (!n_points) {
        cmd_hint(e, "sweep measures it, as in: sweep conv3 --metric error");
        return lr_err_set(&e->err, LR_EINVAL,
                          "no error is known of any rank of these layers, with their "
                          "method");
    }
    d->plot.is_log_y = true;
    return draw_curves(d, &c, layers, n, by, n_points, e);
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
