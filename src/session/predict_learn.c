/* What predictions are learned from: networks evaluated in this session or swept, those
 * that the journal knows of the same network and images, and as weak evidence single
 * layers that were swept. */
#include <math.h>
#include <string.h>

#include "ranklab/journal.h"
#include "ranklab/mem.h"
#include "session/predict_internal.h"

enum { MAX_SAMPLES = 200 };
static const double Z95 = 1.959963984540054;
/* Layers alone that lose more tell nothing of networks. */
static const double ALONE_LARGEST = 0.1;

static void forget_model(struct lr_predictor *p)
{
    if (p->has_model)
        lr_loss_model_free(&p->model);
    p->has_model = false;
    lr_free(p->learned);
    p->learned = NULL;
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

double predict_lost_energy(const struct lr_session *s, int layer, enum lr_method m,
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

double predict_loss_of(const struct lr_eval *v)
{
    return isnan(v->top1_difference) ? 1 - v->agreement : -v->top1_difference;
}

double predict_error_of(const struct lr_eval *v)
{
    double p = 1 - v->agreement, n = v->images > 0 ? (double)v->images : 1;

    if (!isnan(v->top1_difference))
        return (v->difference_high - v->difference_low) / (2 * Z95);
    return sqrt((p * (1 - p) + 1 / n) / n);
}

/* Samples with the memory of their inputs; networks come before layers alone. */
struct samples {
    struct lr_loss_sample *s;
    struct lr_learned *learned; /* of the networks */
    double *lost;
    int *kind;
    int n, n_layers;
    const struct lr_session *of;
    struct lr_eval last; /* the newest */
};

static void samples_free(struct samples *t)
{
    lr_free(t->s);
    lr_free(t->learned);
    lr_free(t->lost);
    lr_free(t->kind);
}

/* The sample that has the inputs of the one being added, or -1. */
static int find_same(const struct samples *t)
{
    size_t n = (size_t)t->n_layers;

    for (size_t k = 0; k < (size_t)t->n; k++)
        if (memcmp(t->lost + k * n, t->lost + (size_t)t->n * n, n * sizeof(*t->lost)) ==
                0 &&
            memcmp(t->kind + k * n, t->kind + (size_t)t->n * n, n * sizeof(*t->kind)) ==
                0)
            return (int)k;
    return -1;
}

/* Of the convolutions, as the row "total". */
static double speedup_of(const struct lr_session *s, const enum lr_method *methods,
                         const struct lr_ranks *ranks)
{
    int64_t before = 0, after = 0;

    for (int i = 0; i < s->n_layers; i++) {
        struct lr_rank_layer l = lr_session_rank_layer_as(s, i, methods[i]);
        if (s->layers[i].kind != LR_LAYER_CONV)
            continue;
        before += lr_macs_whole(&l);
        after += lr_macs_at(&l, ranks[i]);
    }
    return after > 0 ? (double)before / (double)after : NAN;
}

/* Returns its place; -1: it teaches nothing, or there is no room. Of one network measured
 * twice the surer measurement counts, the first of equals. */
static int add_sample(struct samples *t, const enum lr_method *methods,
                      const struct lr_ranks *ranks, const struct lr_eval *eval,
                      bool is_alone)
{
    double *lost = t->lost + (ptrdiff_t)t->n * t->n_layers, sum = 0;
    int *kind = t->kind + (ptrdiff_t)t->n * t->n_layers;
    struct lr_loss_sample one = {
        {lost, kind}, predict_loss_of(eval), predict_error_of(eval), is_alone};

    if (t->n == MAX_SAMPLES)
        return -1;
    for (int i = 0; i < t->n_layers; i++) {
        lost[i] = predict_lost_energy(t->of, i, methods[i], ranks[i]);
        kind[i] = (int)methods[i] % LR_LOSS_KINDS;
        sum += lost[i];
    }
    if (!isfinite(sum) || !(sum > 0) || !isfinite(one.loss) || !isfinite(one.error))
        return -1;
    if (t->n == 0)
        t->last = *eval;
    /* Losses of accuracy and of agreement are not mixed. */
    if (isnan(eval->top1_difference) != isnan(t->last.top1_difference))
        return -1;
    int at = find_same(t);
    if (at < 0) {
        at = t->n++;
    } else {
        if (is_alone != t->s[at].is_alone || !(one.error < t->s[at].error))
            return -1;
        one.input = t->s[at].input;
    }
    t->s[at] = one;
    return at;
}

static void add_network(struct samples *t, const enum lr_method *methods,
                        const struct lr_ranks *ranks, const struct lr_eval *eval,
                        enum lr_learned_from from)
{
    int at = add_sample(t, methods, ranks, eval, false);

    if (at >= 0)
        t->learned[at] = (struct lr_learned){.speedup = speedup_of(t->of, methods, ranks),
                                             .images = eval->images,
                                             .difference = -predict_loss_of(eval),
                                             .from = from};
}

static void add_session(struct samples *t)
{
    const struct lr_predictor *p = t->of->predictor;
    const struct lr_sweeps *k = t->of->sweeps;

    for (int i = p->n - 1; i >= 0; i--)
        add_network(t, p->seen[i].methods, p->seen[i].ranks, &p->seen[i].eval,
                    LR_LEARNED_EVAL);
    for (int i = 0; k && i < k->n; i++) {
        const struct lr_sweep_point *one = &k->points[i];
        if (one->layer < 0 && one->methods && one->network_ranks && one->n_images > 0)
            add_network(t, one->methods, one->network_ranks, &one->eval,
                        LR_LEARNED_SWEEP);
    }
}

/* A network of the same model and calibration images that was evaluated. */
static bool is_learned_from(const struct lr_record *r, const struct lr_session *s,
                            const char *calib)
{
    return r->what && strcmp(r->what, "network") == 0 && r->detail &&
           strcmp(r->model, s->model_sha256) == 0 && strcmp(r->calib, calib) == 0 &&
           r->measure.images > 0;
}

/* Networks of earlier sessions, the newest first. Their spectra are the same when the
 * calibration images are. */
static void add_journal(struct samples *t, struct lr_session *s, enum lr_method *methods,
                        struct lr_ranks *ranks)
{
    struct lr_journal *j = lr_session_journal(s);
    const char *calib = s->calib ? lr_dataset_hash(s->calib) : "";
    char images[65] = "";
    int64_t n_images = -1;

    if (!calib[0])
        return;
    for (int64_t i = j && s->calib && s->eval ? lr_journal_count(j) : 0; i > 0; i--) {
        const struct lr_record *r = lr_journal_at(j, i - 1);
        if (!is_learned_from(r, s, calib))
            continue;
        if (r->measure.images != n_images) {
            n_images = r->measure.images;
            lr_dataset_hash_first(images, s->eval, n_images);
        }
        if (!images[0] || strcmp(r->eval, images) != 0)
            continue;
        const char *ranks_at = strstr(r->detail, ": ");
        if (session_plan_read(methods, ranks, s, ranks_at ? ranks_at + 2 : r->detail))
            add_network(t, methods, ranks, &r->measure, LR_LEARNED_JOURNAL);
    }
}

/* Everything but the layer of the point is whole. */
static void add_alone(struct samples *t, const struct lr_sweep_point *k,
                      enum lr_method *methods, struct lr_ranks *ranks)
{
    if (k->layer < 0 || k->n_images == 0 || !(predict_loss_of(&k->eval) < ALONE_LARGEST))
        return;
    for (int i = 0; i < t->n_layers; i++)
        methods[i] = LR_METHOD_KEEP;
    methods[k->layer] = k->method;
    ranks[k->layer] = k->ranks;
    add_sample(t, methods, ranks, &k->eval, true);
}

static enum lr_status samples_take(struct samples *t, struct lr_session *s,
                                   struct lr_err *e)
{
    size_t n = (size_t)s->n_layers, most = MAX_SAMPLES + 1;
    enum lr_method *methods = lr_calloc(n + 1, sizeof(*methods));
    struct lr_ranks *ranks = lr_calloc(n + 1, sizeof(*ranks));
    enum lr_status rc = LR_OK;

    t->n_layers = s->n_layers;
    t->of = s;
    t->s = lr_calloc(most, sizeof(*t->s));
    t->learned = lr_calloc(most, sizeof(*t->learned));
    t->lost = lr_calloc(most * n + 1, sizeof(*t->lost));
    t->kind = lr_calloc(most * n + 1, sizeof(*t->kind));
    if (!t->s || !t->learned || !t->lost || !t->kind || !methods || !ranks) {
        rc = lr_enomem(e, most * n * sizeof(*t->lost), "predictions");
    } else {
        add_session(t);
        add_journal(t, s, methods, ranks);
        for (int i = 0; s->sweeps && i < s->sweeps->n; i++)
            add_alone(t, &s->sweeps->points[i], methods, ranks);
    }
    lr_free(methods);
    lr_free(ranks);
    return rc;
}

/* What the others say of each network learned from. */
static void judge(struct lr_predictor *p, struct samples *t)
{
    for (int i = 0; i < p->model.n_networks; i++) {
        struct lr_learned *l = &t->learned[i];
        double deviation;
        lr_loss_predict(&deviation, &p->model, t->s[i].input);
        l->predicted = -p->model.left_out[i];
        l->low = l->predicted - Z95 * deviation;
        l->high = l->predicted + Z95 * deviation;
    }
    p->learned = t->learned;
    t->learned = NULL;
}

/* Of a folder the images that the journal speaks of may not be known yet. */
static int64_t n_known(const struct lr_session *s)
{
    return (s->calib ? lr_dataset_known(s->calib) : 0) +
           (s->eval ? lr_dataset_known(s->eval) : 0);
}

enum lr_status lr_session_learn(struct lr_session *s, struct lr_err *e)
{
    struct samples t = {0};
    struct lr_err none = {0};
    enum lr_status rc = s->graph ? need_predictor(s, e) : LR_OK;

    if (rc != LR_OK || !s->graph)
        return rc;
    struct lr_predictor *p = s->predictor;
    forget_model(p);
    if (!s->spectra)
        return LR_OK;
    p->has_looked = true;
    p->n_images = n_known(s);
    if ((rc = samples_take(&t, s, e)) != LR_OK || t.n == 0)
        goto out;
    p->is_agreement = isnan(t.last.top1_difference);
    p->top1_original = t.last.top1_original;
    struct lr_output_view view;
    lr_output_view(&view, s->graph, 0);
    double chance = view.n_classes > 1 ? 1.0 / view.n_classes : 0;
    double limit = (p->is_agreement ? 1 : p->top1_original) - chance;
    /* Evaluations that teach nothing are no failure of the command that made them. */
    rc = lr_loss_fit(&p->model, t.s, t.n, s->n_layers, fmax(limit, 0.01), &none);
    p->has_model = rc == LR_OK;
    if (p->has_model)
        judge(p, &t);
    else if (rc == LR_ENUMERIC)
        rc = LR_OK;
    else
        lr_err_set(e, rc, "%s", none.msg);
out:
    samples_free(&t);
    return rc;
}

enum lr_status lr_session_learn_known(struct lr_session *s, struct lr_err *e)
{
    const struct lr_predictor *p = s->predictor;

    return p && p->has_looked && p->n_images == n_known(s) ? LR_OK
                                                           : lr_session_learn(s, e);
}

enum lr_status lr_session_learn_all(struct lr_session *s,
                                    const struct lr_progress *progress, struct lr_err *e)
{
    const struct lr_journal *j = s->graph ? lr_session_journal(s) : NULL;
    const char *calib = s->calib ? lr_dataset_hash(s->calib) : "";
    int64_t most = 0;

    for (int64_t i = j && s->eval && calib[0] ? lr_journal_count(j) : 0; i > 0; i--) {
        const struct lr_record *r = lr_journal_at(j, i - 1);
        if (is_learned_from(r, s, calib) && r->measure.images > most)
            most = r->measure.images;
    }
    enum lr_status rc =
        most > 0 ? lr_dataset_settle(s->eval, most, &s->notes, progress, e) : LR_OK;
    return rc == LR_OK ? lr_session_learn(s, e) : rc;
}

int lr_session_learned(const struct lr_learned **out, const struct lr_session *s)
{
    const struct lr_predictor *p = s->predictor;

    *out = p && p->has_model ? p->learned : NULL;
    return *out ? p->model.n_networks : 0;
}
