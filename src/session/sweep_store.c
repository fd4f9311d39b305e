/* The points that are known: each once, in order. They are forgotten when something they
 * depend on changes. */
#include "session/sweep_internal.h"

#include <math.h>
#include <string.h>

#include "ranklab/mem.h"

void lr_sweep_point_free(struct lr_sweep_point *p)
{
    if (!p)
        return;
    lr_free(p->methods);
    lr_free(p->network_ranks);
    p->methods = NULL;
    p->network_ranks = NULL;
}

bool lr_sweep_is_significant(const struct lr_sweep_point *p)
{
    return p->eval.difference_low > 0 || p->eval.difference_high < 0;
}

bool lr_session_has_accuracy(const struct lr_session *s)
{
    struct lr_output_view v;

    if (!s->graph || !s->eval || !lr_dataset_labels(s->eval) || s->graph->n_outputs < 1)
        return false;
    lr_output_view(&v, s->graph, 0);
    return v.n_places == 1;
}

const char *lr_session_answers(const struct lr_session *s)
{
    struct lr_output_view v = {0};

    if (s->graph && s->graph->n_outputs > 0)
        lr_output_view(&v, s->graph, 0);
    return v.n_places == 0   ? "the first output has no classes: error is |y-y'|^2 / "
                               "|y|^2 of it, less is better"
           : v.n_places == 1 ? "no labels: agree % is the share of images with the "
                               "original's answer, low..high its 95 % interval"
                             : "agree % is the share of places with the original's "
                               "answer, low..high its 95 % interval were an image one "
                               "answer";
}

void lr_sweep_agreement(double *low, double *high, const struct lr_sweep_point *p)
{
    double share = p->eval.agreement, half = p->sampling > 0 ? p->sampling : 0;

    *low = *high = NAN;
    if (p->n_images <= 0 || isnan(share))
        return;
    lr_wilson(low, high, llround(share * (double)p->n_images), p->n_images);
    *low = fmax(0, share - hypot(half, share - *low));
    *high = fmin(1, share + hypot(half, *high - share));
}

void lr_sweeps_free(struct lr_sweeps *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n; i++)
        lr_sweep_point_free(&s->points[i]);
    lr_free(s->points);
    lr_free(s);
}

void session_drop_sweeps(struct lr_session *s)
{
    lr_sweeps_free(s->sweeps);
    s->sweeps = NULL;
}

/* What all points depend on and a command may change without opening anything. */
static struct lr_sweep_settings settings_of(const struct lr_session *s)
{
    return (struct lr_sweep_settings){.seed = s->settings.seed,
                                      .n_iter1 = s->settings.n_iter1,
                                      .n_iter2 = s->settings.n_iter2,
                                      .lambda1 = s->settings.lambda1,
                                      .lambda2 = s->settings.lambda2};
}

static bool is_same_double(double a, double b)
{
    return !(a < b) && !(a > b);
}

static bool is_same_settings(const struct lr_sweep_settings *a,
                             const struct lr_sweep_settings *b)
{
    return a->seed == b->seed && a->n_iter1 == b->n_iter1 && a->n_iter2 == b->n_iter2 &&
           is_same_double(a->lambda1, b->lambda1) &&
           is_same_double(a->lambda2, b->lambda2);
}

static int compare_ints(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_networks(const struct lr_sweep_point *a,
                            const struct lr_sweep_point *b, int n_layers)
{
    for (int i = 0; i < n_layers; i++) {
        const struct lr_ranks *x = &a->network_ranks[i], *y = &b->network_ranks[i];
        int order = compare_ints((int)a->methods[i], (int)b->methods[i]);
        if (order == 0)
            order = compare_ints(x->channel, y->channel);
        if (order == 0)
            order = compare_ints(x->spatial, y->spatial);
        if (order != 0)
            return order;
    }
    return 0;
}

/* Networks first, then layer by layer, dear ones first; 0: the same network. */
static int compare(const struct lr_sweep_point *a, const struct lr_sweep_point *b,
                   int n_layers)
{
    int order = compare_ints(a->layer, b->layer);

    if (order == 0)
        order = compare_ints(b->macs, a->macs);
    if (order == 0)
        order = compare_ints((int)a->method, (int)b->method);
    if (order == 0)
        order = compare_ints(b->ranks.channel, a->ranks.channel);
    if (order == 0)
        order = compare_ints(b->ranks.spatial, a->ranks.spatial);
    if (order == 0 && a->layer < 0 && a->methods && b->methods)
        order = compare_networks(a, b, n_layers);
    return order;
}

/* Whether p tells more than the point old of the same network. */
static bool is_better(const struct lr_sweep_point *p, const struct lr_sweep_point *old)
{
    if (p->n_images != old->n_images)
        return p->n_images > old->n_images;
    return p->eval.images >= old->eval.images;
}

static enum lr_status grow(struct lr_sweeps *k, struct lr_err *e)
{
    int cap = k->cap > 0 ? 2 * k->cap : 64;

    if (k->n < k->cap)
        return LR_OK;
    struct lr_sweep_point *points =
        lr_realloc(k->points, (size_t)k->cap, (size_t)cap, sizeof(*points));
    if (!points)
        return lr_enomem(e, (size_t)cap * sizeof(*points), "points of a sweep");
    k->points = points;
    k->cap = cap;
    return LR_OK;
}

enum lr_status session_sweeps_add(struct lr_session *s, struct lr_sweep_point *p,
                                  struct lr_err *e)
{
    struct lr_sweep_settings settings = settings_of(s);
    enum lr_status rc = LR_OK;
    int at = 0, order = -1;

    if (s->sweeps && !is_same_settings(&s->sweeps->settings, &settings))
        session_drop_sweeps(s);
    if (!s->sweeps) {
        s->sweeps = lr_calloc(1, sizeof(*s->sweeps));
        if (!s->sweeps) {
            lr_sweep_point_free(p);
            return lr_enomem(e, sizeof(*s->sweeps), "points of a sweep");
        }
        s->sweeps->settings = settings;
    }
    struct lr_sweeps *k = s->sweeps;
    while (at < k->n && (order = compare(&k->points[at], p, s->n_layers)) < 0)
        at++;
    if (at < k->n && order == 0) {
        if (is_better(p, &k->points[at])) {
            lr_sweep_point_free(&k->points[at]);
            k->points[at] = *p;
        } else {
            lr_sweep_point_free(p);
        }
        return LR_OK;
    }
    if ((rc = grow(k, e)) != LR_OK) {
        lr_sweep_point_free(p);
        return rc;
    }
    memmove(&k->points[at + 1], &k->points[at], (size_t)(k->n - at) * sizeof(*k->points));
    k->points[at] = *p;
    k->n++;
    return LR_OK;
}
