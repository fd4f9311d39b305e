/* Predicting the accuracy of ranks that were not evaluated. Networks evaluated in this
 * session or swept are learned from (rank/loss.c). While there are none, single layers
 * that were swept must do: what one layer alone loses, the layers after it made good for
 * nothing, so that a whole network, whose layers do so, is predicted coarsely, and with
 * wide intervals. A plan with one layer split is read off that layer's own curve where it
 * was swept. Without labels, agreement with the original stands for accuracy. */
#include "ranklab/predict.h"

#include <math.h>
#include <string.h>

#include "ranklab/loss.h"
#include "ranklab/mem.h"
#include "session/internal.h"

enum { MAX_SAMPLES = 200, MAX_CURVE = 64 };
static const double Z95 = 1.959963984540054;
/* Layers alone tell no more than this, and not of how they fail. */
static const double ALONE_SPREAD = 0.7, ALONE_LARGEST = 0.1;
/* How far a layer's curve is trusted between its points. */
static const double CURVE_SPREAD = 0.15;

struct seen {
    enum lr_method *methods;
    struct lr_ranks *ranks;
    struct lr_eval eval;
};

struct lr_predictor {
    struct seen *seen; /* evaluations of whole plans */
    int n, cap;
    bool has_model, is_alone, is_agreement;
    struct lr_loss_model model;
    double top1_original;
};

static void forget_model(struct lr_predictor *p)
{
    if (p->has_model)
        lr_loss_model_free(&p->model);
    p->has_model = false;
}

void session_drop_predictor(struct lr_session *s)
{
    struct lr_predictor *p = s->predictor;

    for (int i = 0; p && i < p->n; i++) {
        lr_free(p->seen[i].methods);
        lr_free(p->seen[i].ranks);
    }
    if (p) {
        forget_model(p);
        lr_free(p->seen);
    }
    lr_free(p);
    s->predictor = NULL;
}

static enum lr_status need_predictor(struct lr_session *s, struct lr_err *e)
{
    if (!s->predictor)
        s->predictor = lr_calloc(1, sizeof(*s->predictor));
    return s->predictor ? LR_OK : lr_enomem(e, sizeof(*s->predictor), "predictions");
}

/* ---- what is learned from ---- */

static bool is_same(const struct lr_session *s, const struct seen *o)
{
    for (int i = 0; i < s->n_layers; i++)
        if (o->methods[i] != s->plan[i].method ||
            o->ranks[i].channel != s->plan[i].ranks.channel ||
            o->ranks[i].spatial != s->plan[i].ranks.spatial)
            return false;
    return true;
}

enum lr_status session_predict_note(struct lr_session *s, const struct lr_eval *eval,
                                    struct lr_err *e)
{
    size_t n = (size_t)s->n_layers;
    int n_split = 0;
    enum lr_status rc = need_predictor(s, e);

    if (rc != LR_OK)
        return rc;
    struct lr_predictor *p = s->predictor;
    for (int i = 0; i < s->n_layers; i++) {
        /* Stale layers lose more than their ranks must. */
        if (lr_session_state(s, i) == LR_STATE_STALE)
            return LR_OK;
        n_split += lr_session_state(s, i) == LR_STATE_SOLVED;
    }
    if (n_split == 0)
        return LR_OK;
    for (int i = 0; i < p->n; i++)
        if (is_same(s, &p->seen[i])) {
            if (eval->images >= p->seen[i].eval.images)
                p->seen[i].eval = *eval;
            return lr_session_learn(s, e);
        }
    if (p->n == p->cap) {
        int cap = p->cap ? 2 * p->cap : 16;
        struct seen *more =
            lr_realloc(p->seen, (size_t)p->cap, (size_t)cap, sizeof(*more));
        if (!more)
            return lr_enomem(e, (size_t)cap * sizeof(*more), "predictions");
        p->seen = more;
        p->cap = cap;
    }
    struct seen next = {.methods = lr_calloc(n, sizeof(*next.methods)),
                        .ranks = lr_calloc(n, sizeof(*next.ranks)),
                        .eval = *eval};
    if (!next.methods || !next.ranks) {
        lr_free(next.methods);
        lr_free(next.ranks);
        return lr_enomem(e, n * sizeof(*next.ranks), "predictions");
    }
    for (int i = 0; i < s->n_layers; i++) {
        next.methods[i] = s->plan[i].method;
        next.ranks[i] = s->plan[i].ranks;
    }
    p->seen[p->n++] = next;
    return lr_session_learn(s, e);
}

/* Share of the energy that a layer loses so: 0 when whole, NAN while not known. */
static double lost_energy(const struct lr_session *s, int layer, enum lr_method m,
                          struct lr_ranks r)
{
    struct lr_rank_layer l = lr_session_rank_layer_as(s, layer, m);

    if (m == LR_METHOD_KEEP || !s->layers[layer].is_approximable ||
        lr_ranks_is_whole(&l, r))
        return 0;
    bool is_known = (l.split == LR_SPLIT_SPATIAL || l.eig) &&
                    (l.split == LR_SPLIT_CHANNEL || l.spatial);
    return is_known ? fmax(0, 1 - lr_ranks_energy(&l, r)) : NAN;
}

static double loss_of(const struct lr_eval *v)
{
    return isnan(v->top1_difference) ? 1 - v->agreement : -v->top1_difference;
}

static double error_of(const struct lr_eval *v)
{
    double p = 1 - v->agreement, n = v->images > 0 ? (double)v->images : 1;

    if (!isnan(v->top1_difference))
        return (v->difference_high - v->difference_low) / (2 * Z95);
    return sqrt((p * (1 - p) + 1 / n) / n);
}

/* Samples with the memory of their inputs. */
struct samples {
    struct lr_loss_sample *s;
    double *lost;
    int *kind;
    int n, n_layers;
    const struct lr_eval *last;
};

static void samples_free(struct samples *t)
{
    lr_free(t->s);
    lr_free(t->lost);
    lr_free(t->kind);
}

static void add_sample(struct samples *t, const struct lr_session *s,
                       const enum lr_method *methods, const struct lr_ranks *ranks,
                       const struct lr_eval *eval)
{
    double *lost = t->lost + (ptrdiff_t)t->n * t->n_layers, sum = 0;
    int *kind = t->kind + (ptrdiff_t)t->n * t->n_layers;
    struct lr_loss_sample *to = &t->s[t->n];

    if (t->n == MAX_SAMPLES)
        return;
    for (int i = 0; i < t->n_layers; i++) {
        lost[i] = lost_energy(s, i, methods[i], ranks[i]);
        kind[i] = (int)methods[i] % LR_LOSS_KINDS;
        sum += lost[i];
    }
    *to = (struct lr_loss_sample){{lost, kind}, loss_of(eval), error_of(eval)};
    if (!isfinite(sum) || !isfinite(to->loss) || !isfinite(to->error))
        return;
    for (int k = 0; k < t->n; k++)
        if (memcmp(t->lost + (ptrdiff_t)k * t->n_layers, lost,
                   (size_t)t->n_layers * sizeof(*lost)) == 0 &&
            memcmp(t->kind + (ptrdiff_t)k * t->n_layers, kind,
                   (size_t)t->n_layers * sizeof(*kind)) == 0)
            return;
    t->last = eval;
    t->n++;
}

static void add_networks(struct samples *t, const struct lr_session *s)
{
    const struct lr_predictor *p = s->predictor;

    for (int i = p->n - 1; i >= 0; i--)
        add_sample(t, s, p->seen[i].methods, p->seen[i].ranks, &p->seen[i].eval);
    for (int i = 0; s->sweeps && i < s->sweeps->n; i++) {
        const struct lr_sweep_point *k = &s->sweeps->points[i];
        if (k->layer < 0 && k->methods && k->network_ranks && k->n_images > 0)
            add_sample(t, s, k->methods, k->network_ranks, &k->eval);
    }
}

/* Everything but the layer of the point is whole. */
static void add_alone(struct samples *t, const struct lr_session *s,
                      const struct lr_sweep_point *k, enum lr_method *methods,
                      struct lr_ranks *ranks)
{
    if (k->layer < 0 || k->n_images == 0 || !(loss_of(&k->eval) < ALONE_LARGEST))
        return;
    for (int i = 0; i < t->n_layers; i++)
        methods[i] = LR_METHOD_KEEP;
    methods[k->layer] = k->method;
    ranks[k->layer] = k->ranks;
    add_sample(t, s, methods, ranks, &k->eval);
}

static enum lr_status samples_take(struct samples *t, bool *is_alone,
                                   const struct lr_session *s, struct lr_err *e)
{
    size_t n = (size_t)s->n_layers, most = MAX_SAMPLES + 1;
    enum lr_method *methods = lr_calloc(n + 1, sizeof(*methods));
    struct lr_ranks *ranks = lr_calloc(n + 1, sizeof(*ranks));
    enum lr_status rc = LR_OK;

    t->n_layers = s->n_layers;
    t->s = lr_calloc(most, sizeof(*t->s));
    t->lost = lr_calloc(most * n + 1, sizeof(*t->lost));
    t->kind = lr_calloc(most * n + 1, sizeof(*t->kind));
    if (!t->s || !t->lost || !t->kind || !methods || !ranks) {
        rc = lr_enomem(e, most * n * sizeof(*t->lost), "predictions");
    } else {
        add_networks(t, s);
        *is_alone = t->n == 0;
        for (int i = 0; *is_alone && s->sweeps && i < s->sweeps->n; i++)
            add_alone(t, s, &s->sweeps->points[i], methods, ranks);
    }
    lr_free(methods);
    lr_free(ranks);
    return rc;
}

enum lr_status lr_session_learn(struct lr_session *s, struct lr_err *e)
{
    struct samples t = {0};
    struct lr_err none = {0};
    bool is_alone = false;
    enum lr_status rc = s->graph ? need_predictor(s, e) : LR_OK;

    if (rc != LR_OK || !s->graph)
        return rc;
    struct lr_predictor *p = s->predictor;
    forget_model(p);
    if (!s->spectra || (rc = samples_take(&t, &is_alone, s, e)) != LR_OK || t.n == 0)
        goto out;
    p->is_alone = is_alone;
    p->is_agreement = isnan(t.last->top1_difference);
    p->top1_original = t.last->top1_original;
    double chance = s->original && s->original->n_out > 1 ? 1.0 / s->original->n_out : 0;
    double limit = (p->is_agreement ? 1 : p->top1_original) - chance;
    /* Evaluations that teach nothing are no failure of the command that made them. */
    rc =
        lr_loss_fit(&p->model, t.s, t.n, s->n_layers, fmax(limit, 0.01), is_alone, &none);
    p->has_model = rc == LR_OK;
    if (rc == LR_ENUMERIC)
        rc = LR_OK;
    else if (rc != LR_OK)
        lr_err_set(e, rc, "%s", none.msg);
out:
    samples_free(&t);
    return rc;
}

/* ---- predicting ---- */

/* The loss of one layer alone where its curve passes the lost energy x; false when it
 * does not get there. */
static bool read_curve(double *loss, double *deviation, const struct lr_session *s,
                       int layer, enum lr_method m, double x)
{
    double at_x[2] = {0, INFINITY}, at_loss[2] = {0, 0}, error[2] = {0, 0};
    int n = 0;

    for (int i = 0; s->sweeps && i < s->sweeps->n; i++) {
        const struct lr_sweep_point *k = &s->sweeps->points[i];
        if (k->layer != layer || k->method != m || k->n_images == 0)
            continue;
        double v = lost_energy(s, layer, m, k->ranks);
        int side = v <= x ? 0 : 1;
        if (!isfinite(v) || !isfinite(loss_of(&k->eval)))
            continue;
        n++;
        if (side ? v < at_x[1] : v >= at_x[0]) {
            at_x[side] = v;
            at_loss[side] = loss_of(&k->eval);
            error[side] = error_of(&k->eval);
        }
    }
    if (n < 2 || (!isfinite(at_x[1]) && at_x[0] < x))
        return false;
    double share = isfinite(at_x[1]) ? (x - at_x[0]) / (at_x[1] - at_x[0]) : 0;
    *loss = at_loss[0] + share * (at_loss[1] - at_loss[0]);
    double step = 0.5 * fabs(at_loss[1] - at_loss[0]) * 4 * share * (1 - share);
    double sampling = fmax(error[0], error[1]);
    *deviation = hypot(hypot(CURVE_SPREAD * *loss, M_SQRT2 * sampling), 0.5 * step);
    return true;
}

static void finish(struct lr_prediction *p, const struct lr_predictor *k, double loss,
                   double deviation)
{
    p->difference = -loss;
    p->low = fmax(-loss - Z95 * deviation, -k->model.limit);
    p->high = fmin(-loss + Z95 * deviation, 1);
    p->is_agreement = k->is_agreement;
    if (!k->is_agreement)
        p->top1 = k->top1_original - loss;
}

void lr_session_predict_ranks(struct lr_prediction *p, const struct lr_session *s,
                              const enum lr_method *methods, const struct lr_ranks *ranks)
{
    const struct lr_predictor *k = s->predictor;
    int n_split = 0, split = -1;
    double loss, deviation;

    *p = (struct lr_prediction){.top1 = NAN,
                                .difference = NAN,
                                .low = NAN,
                                .high = NAN,
                                .loo_error = NAN,
                                .loo_correlation = NAN};
    if (!k || !k->has_model || !s->spectra || s->n_layers != k->model.n_layers)
        return;
    size_t n = (size_t)s->n_layers;
    double *lost = lr_calloc(n, sizeof(*lost));
    int *kind = lr_calloc(n, sizeof(*kind));
    for (int i = 0; lost && kind && i < s->n_layers; i++) {
        enum lr_method m = methods ? methods[i] : s->plan[i].method;
        lost[i] = lost_energy(s, i, m, ranks ? ranks[i] : s->plan[i].ranks);
        kind[i] = (int)m % LR_LOSS_KINDS;
        if (lost[i] > 0 || isnan(lost[i])) {
            n_split++;
            split = i;
        }
    }
    if (!lost || !kind)
        goto out;
    p->n_learned = k->model.n_samples;
    p->loo_error = k->model.left_out_error;
    p->loo_correlation = k->model.left_out_correlation;
    bool is_read =
        n_split == 1 &&
        read_curve(&loss, &deviation, s, split,
                   methods ? methods[split] : s->plan[split].method, lost[split]);
    if (!is_read) {
        loss = lr_loss_predict(&deviation, &k->model, (struct lr_loss_input){lost, kind});
        if (k->is_alone)
            deviation = hypot(deviation, ALONE_SPREAD * loss);
    }
    if (isfinite(loss))
        finish(p, k, loss, deviation);
    else
        p->n_learned = 0;
out:
    lr_free(lost);
    lr_free(kind);
}

void lr_session_predict(struct lr_prediction *p, const struct lr_session *s)
{
    lr_session_predict_ranks(p, s, NULL, NULL);
}
