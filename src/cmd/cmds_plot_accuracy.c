/* Plots of the accuracy and of the response error of single layers against their rank,
 * from sweeps. */
#include "cmd/plots.h"

#include <math.h>
#include <string.h>

#include "ranklab/sweep.h"

/* Where a curve loses more than so many points, and most of its points, if these are
 * many, lose less, it is cut off: the losses that anybody would accept are otherwise one
 * line. */
static const double DEPTH = 10;
enum { MANY_POINTS = 8 };

/* What a curve shows: accuracy by labels, or where there are none the share of images
 * with the original's answer, or of outputs without classes their error; the response
 * errors of the solution and of the linear one. */
enum measure { TOP1, AGREEMENT, OUTPUT, HELDOUT, LINEAR };

struct curves {
    struct cmd_drawing *d;
    const struct lr_session *s;
    enum measure measure;
    enum cmd_plot_by by;
    int n_layers; /* that have points */
    struct out_series *series;
    struct out_mark *marks;
    size_t n_below; /* points that are cut off */
};

static double value_of(const struct lr_sweep_point *p, enum measure m)
{
    switch (m) {
    case TOP1:
        return p->n_images > 0 ? 100 * p->eval.top1_difference : NAN;
    case AGREEMENT:
        return p->n_images > 0 ? 100 * p->eval.agreement : NAN;
    case OUTPUT:
        return p->n_images > 0 ? p->eval.output_error : NAN;
    case HELDOUT:
        return p->error_heldout;
    default:
        return p->error_linear;
    }
}

/* Of the layer whole. */
static double whole_value(enum measure m)
{
    return m == AGREEMENT ? 100 : 0;
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
    const struct lr_session *s = c->s;
    size_t n = 0;

    for (int i = 0; s->sweeps && i < s->sweeps->n; i++)
        n += is_shown(&s->sweeps->points[i], c, layer);
    return n;
}

/* Where ranks are on the x axis. */
static double place(const struct curves *c, const struct lr_rank_layer *l,
                    struct lr_ranks r)
{
    if (c->by == CMD_BY_MACS)
        return 1e-6 * (double)lr_macs_at(l, r);
    double scale = c->by == CMD_BY_SHARE ? 100.0 / axis_rank(lr_ranks_whole(l), l) : 1;
    return scale * axis_rank(r, l);
}

static const char *curve_title(const struct curves *c, int layer,
                               const struct lr_rank_layer *l, int even)
{
    struct lr_strbuf b = {0};
    const char *name = cmd_drawing_name(c->d, c->s, layer);

    lr_strbuf_puts(&b, name ? name : "");
    if (lr_session_state(c->s, layer) != LR_STATE_WHOLE)
        lr_strbuf_printf(&b, ", %d of %d", axis_rank(c->s->plan[layer].ranks, l),
                         axis_rank(lr_ranks_whole(l), l));
    if (even > 1)
        lr_strbuf_printf(&b, ", even %d", even);
    const char *title = cmd_drawing_text(c->d, "%s", b.s && !b.is_failed ? b.s : "");
    lr_strbuf_free(&b);
    return title;
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

/* Points of one layer by rising rank; those that are not significant are hollow. */
static void add_curve(struct curves *c, int layer, int even)
{
    struct cmd_drawing *d = c->d;
    struct lr_rank_layer l = lr_session_rank_layer(c->s, layer);
    size_t n = count_points(c, layer), k = 0;
    double *x = cmd_drawing_take(d, 4 * n, sizeof(*x));
    bool *is_open = cmd_drawing_take(d, n, sizeof(*is_open));

    if (!x || !is_open)
        return;
    double *y = x + n, *low = y + n, *high = low + n;
    /* They are kept by falling cost. */
    for (int i = c->s->sweeps->n - 1; i >= 0; i--) {
        const struct lr_sweep_point *p = &c->s->sweeps->points[i];
        if (!is_shown(p, c, layer))
            continue;
        x[k] = place(c, &l, p->ranks);
        y[k] = value_of(p, c->measure);
        set_interval(&low[k], &high[k], p, c->measure);
        is_open[k] = c->measure == TOP1 && !lr_sweep_is_significant(p);
        if (is_open[k])
            d->plot.open_title = "not significant (95 %)";
        c->n_below += c->measure <= AGREEMENT && y[k] < whole_value(c->measure) - DEPTH;
        k++;
    }
    c->series[d->plot.n_series++] =
        (struct out_series){.title = curve_title(c, layer, &l, even),
                            .style = OUT_LINESPOINTS,
                            .n = k,
                            .x = x,
                            .y = y,
                            .low = low,
                            .high = high,
                            .is_open = is_open};
}

/* Where splitting stops to pay: from there on the layer is left whole. */
static void add_even(struct curves *c, const struct lr_rank_layer *l,
                     struct lr_ranks ranks, int even, int curve)
{
    struct cmd_drawing *d = c->d;
    bool is_only = c->n_layers == 1;

    /* No errors are on no logarithmic axis. */
    if (even <= 1 || (!is_only && c->measure >= OUTPUT))
        return;
    *(l->split == LR_SPLIT_SPATIAL ? &ranks.spatial : &ranks.channel) = even;
    c->marks[d->plot.n_marks++] = (struct out_mark){
        .x = place(c, l, ranks),
        .y = whole_value(c->measure),
        .label = is_only ? cmd_drawing_text(d, "break-even %d", even) : NULL,
        .series = is_only ? -1 : curve,
        .kind = is_only ? OUT_MARK_LINE : OUT_MARK_CROSS};
    if (!is_only)
        d->plot.cross_title = "break-even rank";
}

/* The chosen rank, and the break-even one: lines, with one curve, else symbols on the
 * curves. */
static void add_marks(struct curves *c, int layer, int even)
{
    struct cmd_drawing *d = c->d;
    struct lr_rank_layer l = lr_session_rank_layer(c->s, layer);
    struct lr_ranks ranks = c->s->plan[layer].ranks;
    int curve = (int)d->plot.n_series - 1;
    bool is_only = c->n_layers == 1;

    if (lr_session_state(c->s, layer) != LR_STATE_WHOLE) {
        c->marks[d->plot.n_marks++] = (struct out_mark){
            .x = place(c, &l, ranks),
            .label =
                is_only ? cmd_drawing_text(d, "chosen %d", axis_rank(ranks, &l)) : NULL,
            .series = curve,
            .kind = is_only ? OUT_MARK_LINE : OUT_MARK_RING};
        if (!is_only)
            d->plot.ring_title = "chosen rank";
    }
    add_even(c, &l, ranks, even, curve);
}

/* Round numbers of multiply-adds above the plot, where they are on the rank's axis. */
static void add_macs(struct curves *c, int layer)
{
    enum { MOST = 8 };
    struct cmd_drawing *d = c->d;
    struct lr_rank_layer l = lr_session_rank_layer(c->s, layer);
    struct lr_ranks whole = lr_ranks_whole(&l), one = {1, 1};
    double each = 1e-6 * (double)lr_macs_split(&l, whole) / axis_rank(whole, &l);
    double right = 0;
    struct out_tic *tics = cmd_drawing_take(d, MOST + 2, sizeof(*tics));

    /* They grow with the rank unless there are two of them. */
    if (!tics || c->by == CMD_BY_MACS || l.split == LR_SPLIT_BOTH || !(each > 0))
        return;
    for (size_t i = 0; i < d->plot.series[0].n; i++)
        right = fmax(right, d->plot.series[0].x[i]);
    for (size_t i = 0; i < d->plot.n_marks; i++)
        right = fmax(right, d->plot.marks[i].x);
    double rank = place(c, &l, one), step = out_tic_step(right / rank * each, MOST);
    for (int i = 0; i <= MOST; i++)
        tics[d->plot.n_tics++] = (struct out_tic){i * step / each * rank, i * step};
    d->plot.tics = tics;
    d->plot.tics_label =
        cmd_drawing_text(d, "multiply-adds of %s (MMAC; whole %.3g)",
                         c->s->layers[layer].name, 1e-6 * (double)lr_macs_whole(&l));
}

static const struct {
    const char *of_one, *of_several, *y_label; /* of_one: layer, method */
} texts[] = {
    [TOP1] = {"accuracy with only %s approximated (%s)",
              "accuracy with one layer approximated at a time",
              "top-1 minus original (points)"},
    [AGREEMENT] = {"agreement with the original, only %s approximated (%s)",
                   "agreement with the original, one layer approximated at a time",
                   "images with the original's answer (%)"},
    [OUTPUT] = {"output error with only %s approximated (%s)",
                "output error with one layer approximated at a time",
                "|y-y'|^2 / |y|^2 of the first output (less is better)"},
    [HELDOUT] = {"response error with only %s approximated (%s)",
                 "response error with one layer approximated at a time",
                 "|r(y)-r(y')|^2 / |r(y)|^2, held-out"},
};

static void put_labels(struct curves *c, int only, size_t n_points)
{
    static const char *const labels[] = {"rank", "rank (% of full rank)",
                                         "multiply-adds of the layer (MMAC)"};
    struct cmd_drawing *d = c->d;
    double floor_at = whole_value(c->measure) - DEPTH;

    d->plot.title =
        c->n_layers == 1
            ? cmd_drawing_text(d, texts[c->measure].of_one, c->s->layers[only].name,
                               lr_method_info(c->s->plan[only].method)->name)
            : texts[c->measure].of_several;
    d->plot.x_label = labels[c->by];
    d->plot.y_label = texts[c->measure].y_label;
    if (c->n_below > 0 && n_points >= MANY_POINTS && 2 * c->n_below < n_points) {
        d->plot.has_y_floor = true;
        d->plot.y_min = floor_at;
        d->plot.title =
            cmd_drawing_text(d, "%s; %zu point%s below %g", d->plot.title, c->n_below,
                             c->n_below == 1 ? "" : "s", floor_at);
    }
}

/* One curve a layer; of one layer's errors those of the linear solution, too. */
static enum lr_status draw_curves(struct curves *c, const int *layers, int n, int by,
                                  size_t n_points, struct cmd_error *e)
{
    struct cmd_drawing *d = c->d;
    int only = -1;

    c->by = by >= 0 ? (enum cmd_plot_by)by : c->n_layers > 1 ? CMD_BY_SHARE : CMD_BY_RANK;
    c->series = cmd_drawing_take(d, (size_t)c->n_layers + 1, sizeof(*c->series));
    c->marks = cmd_drawing_take(d, 2 * (size_t)c->n_layers, sizeof(*c->marks));
    d->plot.series = c->series;
    d->plot.marks = c->marks;
    for (int i = 0; i < n && !d->is_failed; i++)
        if (count_points(c, layers[i]) > 0) {
            struct lr_rank_layer l = lr_session_rank_layer(c->s, layers[i]);
            int even = lr_break_even(&l, c->s->plan[layers[i]].ranks);
            only = layers[i];
            add_curve(c, only, even);
            if (!d->is_failed)
                add_marks(c, only, even);
        }
    if (d->is_failed)
        return cmd_drawing_check(d, e);
    put_labels(c, only, n_points);
    if (c->n_layers == 1) {
        struct curves linear = *c;
        add_macs(c, only);
        linear.measure = LINEAR;
        if (c->measure == HELDOUT && count_points(&linear, only) > 0) {
            add_curve(&linear, only, 0);
            c->series[d->plot.n_series - 1].title = "linear solution";
        }
    }
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
    struct curves c = {.d = d, .s = s, .measure = TOP1};
    size_t n_points = count_all(&c, layers, n);

    if (!n_points) {
        c.measure = AGREEMENT;
        n_points = count_all(&c, layers, n);
    }
    if (!n_points) {
        c.measure = OUTPUT;
        n_points = count_all(&c, layers, n);
        d->plot.is_log_y = n_points > 0;
    }
    if (!n_points) {
        cmd_hint(e, "sweep measures it, as in: sweep conv3");
        return lr_err_set(&e->err, LR_EINVAL,
                          "no accuracy is known of any rank of these layers, with their "
                          "method");
    }
    return draw_curves(&c, layers, n, by, n_points, e);
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
    struct curves c = {.d = d, .s = s, .measure = HELDOUT};
    size_t n_points = count_all(&c, layers, n);

    if (!n_points) {
        cmd_hint(e, "sweep measures it, as in: sweep conv3 --metric error");
        return lr_err_set(&e->err, LR_EINVAL,
                          "no error is known of any rank of these layers, with their "
                          "method");
    }
    d->plot.is_log_y = true;
    return draw_curves(&c, layers, n, by, n_points, e);
}

enum lr_status cmd_plot_accuracy(struct cmd_drawing *d, struct cmd_ctx *c,
                                 const struct cmd_plot_call *q, struct cmd_error *e)
{
    const struct cmd_value *by = cmd_option(q->call, "by");

    return cmd_draw_accuracy(d, c->session, q->layers, q->n, by->is_set ? (int)by->i : -1,
                             e);
}
