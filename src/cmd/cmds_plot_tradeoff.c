/* The trade-off of whole networks: accuracy (without labels agreement with the original,
 * without classes the output error, of which less is better) against what they save, in
 * multiply-adds or in measured milliseconds. Networks of sweeps by rule and method, kept
 * configurations and the plan by their names, and the best of all as a line. */
#include "cmd/plots.h"

#include <math.h>
#include <string.h>

#include "ranklab/configs.h"
#include "ranklab/sweep.h"
#include "ranklab/timing.h"

static const char NAMED[] = "kept configurations, the plan";

struct network {
    const char *title; /* of the series it belongs to */
    bool is_named;     /* a configuration or the plan */
    double x, gain;    /* along the axis; more is better */
    const struct lr_eval *eval;
};

/* What is along the other axis. */
enum quality { TOP1, AGREEMENT, OUTPUT };
static const struct {
    const char *title, *label;
    double sign; /* of what is better */
} qualities[] = {
    [TOP1] = {"accuracy of whole networks", "top-1 minus original (points)", 1},
    [AGREEMENT] = {"agreement of whole networks with the original",
                   "answers that are the original's (%)", 1},
    [OUTPUT] = {"output error of whole networks",
                "|y-y'|^2 / |y|^2 of the first output (less is better)", -1},
};

struct networks {
    enum quality quality;
    struct network *all; /* those with names last; by title, then along the axis */
    size_t n, n_untimed;
    double ms_original; /* NAN: not known */
};

static double value_of(const struct networks *g, const struct lr_eval *v)
{
    return g->quality == TOP1        ? 100 * v->top1_difference
           : g->quality == AGREEMENT ? 100 * v->agreement
                                     : v->output_error;
}

static int compare_networks(const struct network *a, const struct network *b)
{
    int order = strcmp(a->title, b->title);

    if (a->is_named != b->is_named)
        return a->is_named - b->is_named;
    return order ? order : (a->x > b->x) - (a->x < b->x);
}

static void insert(struct networks *to, struct network one)
{
    size_t at = to->n;

    if (!isfinite(value_of(to, one.eval)) || !isfinite(one.x))
        return;
    for (; at > 0 && compare_networks(&to->all[at - 1], &one) > 0; at--)
        to->all[at] = to->all[at - 1];
    to->all[at] = one;
    to->n++;
}

/* ---- against multiply-adds ---- */

/* The method of a network's layers that are not kept, or "mixed". */
static const char *method_name(const struct lr_sweep_point *p, int n_layers)
{
    const char *name = NULL;

    for (int i = 0; i < n_layers; i++) {
        const char *own = lr_method_info(p->methods[i])->name;
        if (p->methods[i] == LR_METHOD_KEEP)
            continue;
        if (name && strcmp(name, own) != 0)
            return "mixed";
        name = own;
    }
    return name ? name : "keep";
}

static void collect_macs(struct cmd_drawing *d, struct networks *to,
                         const struct lr_session *s)
{
    struct lr_totals t;

    for (int i = 0; s->sweeps && i < s->sweeps->n; i++) {
        const struct lr_sweep_point *p = &s->sweeps->points[i];
        if (p->layer >= 0 || !p->methods || p->n_images == 0)
            continue;
        const char *title =
            cmd_drawing_text(d, "%s, %s", p->rule, method_name(p, s->n_layers));
        if (title)
            insert(to, (struct network){title, false, p->speedup, p->speedup, &p->eval});
    }
    for (int i = 0; s->configs && i < s->configs->n; i++) {
        const struct lr_config *k = &s->configs->items[i];
        if (k->has_eval)
            insert(to, (struct network){k->name, true, k->totals.speedup,
                                        k->totals.speedup, &k->eval});
    }
    lr_session_totals(&t, s);
    if (s->has_eval)
        insert(to,
               (struct network){"the plan", true, t.speedup, t.speedup, &s->last_eval});
}

/* ---- against milliseconds ---- */

static void insert_timed(struct networks *to, const char *title, double ms,
                         double ms_original, const struct lr_eval *eval)
{
    if (!isfinite(ms)) {
        to->n_untimed++;
        return;
    }
    insert(to, (struct network){title, true, ms, -ms, eval});
    if (!isfinite(to->ms_original))
        to->ms_original = ms_original;
}

/* Only what was measured as a whole: sums of tables of layers are no measurement. */
static void collect_ms(struct networks *to, const struct lr_session *s)
{
    double ms = NAN, ms_original = NAN;

    if (lr_session_is_timed(s))
        lr_session_ms(&ms, &ms_original, s, -1);
    if (s->has_eval)
        insert_timed(to, "the plan", ms, ms_original, &s->last_eval);
    for (int i = 0; s->configs && i < s->configs->n; i++) {
        const struct lr_config *k = &s->configs->items[i];
        if (k->has_eval)
            insert_timed(to, k->name, k->ms, k->ms_original, &k->eval);
    }
}

/* ---- the figure ---- */

/* No other network is faster and at least as accurate. */
static bool is_best(const struct networks *g, size_t i)
{
    const struct network *one = &g->all[i];

    for (size_t k = 0; k < g->n; k++) {
        const struct network *other = &g->all[k];
        double gain = qualities[g->quality].sign *
                      (value_of(g, other->eval) - value_of(g, one->eval));
        bool is_better = gain > 0 || other->gain > one->gain;
        if (k != i && gain >= 0 && other->gain >= one->gain && is_better)
            return false;
    }
    return true;
}

static void add_front(struct cmd_drawing *d, struct out_series *to,
                      const struct networks *g)
{
    size_t k = 0, n = g->n;
    double *x = cmd_drawing_take(d, 2 * n, sizeof(*x));

    for (size_t i = 0; x && i < n; i++) {
        if (!is_best(g, i))
            continue;
        size_t at = k++;
        for (; at > 0 && x[at - 1] > g->all[i].x; at--) {
            x[at] = x[at - 1];
            x[n + at] = x[n + at - 1];
        }
        x[at] = g->all[i].x;
        x[n + at] = value_of(g, g->all[i].eval);
    }
    *to = (struct out_series){.title = "best of all (Pareto front)",
                              .style = OUT_BAND,
                              .n = k,
                              .x = x,
                              .y = x ? x + n : NULL};
}

static bool is_significant(const struct lr_eval *v)
{
    return v->difference_low > 0 || v->difference_high < 0;
}

/* A series for each rule and method and one for all that have names, which stand beside
 * their points; and the front. */
static enum lr_status draw(struct cmd_drawing *d, const struct networks *g,
                           struct cmd_error *e)
{
    size_t k = 0, n = g->n;
    struct out_series *series = cmd_drawing_take(d, n + 1, sizeof(*series));
    struct out_note *notes = cmd_drawing_take(d, n, sizeof(*notes));
    double *x = cmd_drawing_take(d, 4 * n, sizeof(*x));
    bool *is_open = cmd_drawing_take(d, n, sizeof(*is_open));

    if (d->is_failed)
        return cmd_drawing_check(d, e);
    double *y = x + n, *low = y + n, *high = low + n;
    for (size_t i = 0, begin = 0; i < n; i++) {
        const struct network *one = &g->all[i];
        x[i] = one->x;
        y[i] = value_of(g, one->eval);
        low[i] = g->quality == TOP1 ? 100 * one->eval->difference_low : NAN;
        high[i] = g->quality == TOP1 ? 100 * one->eval->difference_high : NAN;
        is_open[i] = g->quality == TOP1 && !is_significant(one->eval);
        if (is_open[i])
            d->plot.open_title = "not significant (95 %)";
        if (one->is_named)
            notes[d->plot.n_notes++] = (struct out_note){x[i], y[i], one->title};
        if (i + 1 < n && one->is_named == one[1].is_named &&
            (one->is_named || strcmp(one->title, one[1].title) == 0))
            continue;
        series[k++] =
            (struct out_series){.title = one->is_named ? NAMED : one->title,
                                .style = one->is_named ? OUT_POINTS : OUT_LINESPOINTS,
                                .n = i + 1 - begin,
                                .x = x + begin,
                                .y = y + begin,
                                .low = low + begin,
                                .high = high + begin,
                                .is_open = is_open + begin};
        begin = i + 1;
    }
    if (n > 1)
        add_front(d, &series[k++], g);
    d->plot.y_label = qualities[g->quality].label;
    d->plot.is_log_y = g->quality == OUTPUT;
    d->plot.series = series;
    d->plot.n_series = k;
    d->plot.notes = notes;
    return LR_OK;
}

static enum lr_status draw_ms(struct cmd_drawing *d, struct networks *g,
                              const struct lr_session *s, struct cmd_error *e)
{
    struct lr_deploy deploy = lr_session_deploy(s);
    struct out_mark *mark = cmd_drawing_take(d, 1, sizeof(*mark));
    char where[96];

    for (g->quality = TOP1; g->n == 0 && g->quality <= OUTPUT; g->quality++) {
        g->n_untimed = 0;
        collect_ms(g, s);
        if (g->n)
            break;
    }
    if (!g->n) {
        cmd_hint(e, g->n_untimed ? "time measures the plan; then keep NAME"
                                 : "eval and time measure the plan; then keep NAME");
        return lr_err_set(&e->err, LR_EINVAL,
                          g->n_untimed
                              ? "neither the plan nor a kept configuration was timed"
                              : "no network was evaluated yet");
    }
    enum lr_status st = draw(d, g, e);
    if (st || !mark)
        return st ? st : cmd_drawing_check(d, e);
    if (isfinite(g->ms_original)) {
        *mark = (struct out_mark){
            .x = g->ms_original,
            .label = cmd_drawing_text(d, "original %.3g ms", g->ms_original),
            .series = -1};
        d->plot.marks = mark;
        d->plot.n_marks = 1;
    }
    d->plot.title = g->n_untimed
                        ? cmd_drawing_text(d, "%s (%zu not timed)",
                                           qualities[g->quality].title, g->n_untimed)
                        : qualities[g->quality].title;
    d->plot.x_label = cmd_drawing_text(d, "measured time of one batch (ms; %s)",
                                       lr_deploy_text(where, sizeof(where), &deploy));
    return cmd_drawing_check(d, e);
}

/* What the speedups leave, in round numbers, above the plot. */
static void add_macs(struct cmd_drawing *d, const struct lr_session *s,
                     const struct networks *g)
{
    enum { MOST = 6 };
    struct lr_totals t;
    struct out_tic *tics = cmd_drawing_take(d, 3 * MOST + 1, sizeof(*tics));
    double slowest = HUGE_VAL, fastest = 0;

    for (size_t i = 0; i < g->n; i++) {
        slowest = fmin(slowest, g->all[i].x);
        fastest = fmax(fastest, g->all[i].x);
    }
    lr_session_totals(&t, s);
    double whole = 1e-6 * (double)t.macs_original, last = 0;
    /* At equal distances along the axis, moved to the nearest round number. */
    for (int i = 0; tics && i <= MOST && fastest > slowest; i++) {
        double at = slowest + (fastest - slowest) * i / MOST;
        double step = out_tic_step(0.2 * whole / at, 2);
        double macs = step * round(whole / at / step), x = whole / macs;
        if (!(macs > 0) || x <= last)
            continue;
        tics[d->plot.n_tics++] = (struct out_tic){x, macs};
        last = x;
    }
    d->plot.tics = tics;
    d->plot.tics_label = cmd_drawing_text(
        d, "multiply-adds of the convolutions (MMAC; whole %.3g)", whole);
}

enum lr_status cmd_plot_tradeoff(struct cmd_drawing *d, struct cmd_ctx *c,
                                 const struct cmd_plot_call *q, struct cmd_error *e)
{
    const struct lr_session *s = c->session;
    const struct cmd_value *against = cmd_option(q->call, "against");
    size_t most = (size_t)(s->sweeps ? s->sweeps->n : 0) +
                  (size_t)(s->configs ? s->configs->n : 0) + 1;
    struct networks g = {.all = cmd_drawing_take(d, most, sizeof(*g.all)),
                         .ms_original = NAN};

    if (d->is_failed)
        return cmd_drawing_check(d, e);
    if (against->is_set && against->i == 1)
        return draw_ms(d, &g, s, e);
    for (g.quality = TOP1; g.quality <= OUTPUT; g.quality++) {
        collect_macs(d, &g, s);
        if (g.n)
            break;
    }
    if (!g.n) {
        cmd_hint(e, "sweep --speedup 1.5:6:0.5 measures some; so do eval and keep NAME");
        return lr_err_set(&e->err, LR_EINVAL, "no network was evaluated yet");
    }
    d->plot.title = qualities[g.quality].title;
    d->plot.x_label = "speedup of the convolutions (multiply-adds)";
    enum lr_status st = draw(d, &g, e);
    if (!st)
        add_macs(d, s, &g);
    return st ? st : cmd_drawing_check(d, e);
}
