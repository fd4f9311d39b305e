/* Stratified sampling of images, drawn in rounds. The variance of the estimate is the sum
 * over strata of W^2 (1 - n/N) v / n, W being the share of the images, v the variance of
 * the values; each round goes towards the allocation that meets the variance wanted with
 * the fewest images: n proportional to N sqrt(v), at most N. */
#include "ranklab/survey.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/rng.h"

enum { FIRST_ROUND = 64, LEAST_STRATUM = 64, LEAST_ROUND = 128 };
/* Of the images that seem to be missing, one in so many is drawn in a round. */
static const double STEP = 4;
/* The normal's 97.5 % quantile. The interval is looked at after every round and the first
 * that is narrow enough ends it, which happens too early a little too often: 12 % more.
 */
static const double Z = 1.12 * 1.959963984540054;

struct doubt {
    float margin;
    uint64_t draw; /* random: the order within a stratum */
    int64_t image;
};

static int by_margin(const void *a, const void *b)
{
    const struct doubt *x = a, *y = b;

    if (x->margin < y->margin || x->margin > y->margin)
        return x->margin < y->margin ? -1 : 1;
    return (x->image > y->image) - (x->image < y->image);
}

static int by_draw(const void *a, const void *b)
{
    const struct doubt *x = a, *y = b;

    if (x->draw != y->draw)
        return x->draw < y->draw ? -1 : 1;
    return (x->image > y->image) - (x->image < y->image);
}

static float margin_of(const float *x, int n)
{
    float first = x[0], second = -INFINITY;

    for (int i = 1; i < n; i++) {
        if (x[i] > first) {
            second = first;
            first = x[i];
        } else if (x[i] > second) {
            second = x[i];
        }
    }
    return first - second;
}

enum lr_status lr_survey_init(struct lr_survey *s, const struct lr_outcome *original,
                              uint64_t seed, struct lr_err *e)
{
    size_t n = (size_t)original->n, n_out = (size_t)original->n_out;
    struct doubt *doubts = NULL;

    *s = (struct lr_survey){.n = original->n};
    if (original->view.n_places != 1)
        return lr_err_set(e, LR_EUNSUP,
                          "a precision needs a network that gives one class for each "
                          "image");
    doubts = lr_alloc(n, sizeof(*doubts));
    s->order = lr_alloc(n, sizeof(*s->order));
    s->stratum_of = lr_alloc(n, sizeof(*s->stratum_of));
    if (!doubts || !s->order || !s->stratum_of) {
        lr_free(doubts);
        lr_survey_free(s);
        return lr_enomem(e, n * sizeof(*doubts), "the order of images");
    }
    for (size_t i = 0; i < n; i++)
        doubts[i] = (struct doubt){margin_of(original->out + i * n_out, (int)n_out),
                                   lr_hash(seed, 0x737572766579, i), (int64_t)i};
    qsort(doubts, n, sizeof(*doubts), by_margin);
    /* From the sure end: the half that is left, and again. */
    for (int64_t end = s->n; end > 0 && s->n_strata < LR_MAX_STRATA;) {
        int64_t first = end / 2;
        if (first < LEAST_STRATUM || s->n_strata == LR_MAX_STRATA - 1)
            first = 0;
        struct lr_stratum *t = &s->strata[s->n_strata];
        *t = (struct lr_stratum){.first = first, .n = end - first};
        qsort(doubts + first, (size_t)t->n, sizeof(*doubts), by_draw);
        for (int64_t i = first; i < end; i++) {
            s->order[i] = doubts[i].image;
            s->stratum_of[doubts[i].image] = (uint8_t)s->n_strata;
        }
        s->n_strata++;
        end = first;
    }
    lr_free(doubts);
    return LR_OK;
}

void lr_survey_free(struct lr_survey *s)
{
    lr_free(s->order);
    lr_free(s->stratum_of);
    *s = (struct lr_survey){0};
}

void lr_survey_restart(struct lr_survey *s)
{
    for (int h = 0; h < s->n_strata; h++)
        s->strata[h].n_drawn = s->strata[h].n_rise = s->strata[h].n_fall = 0;
}

void lr_survey_put(struct lr_survey *s, int64_t image, int value)
{
    struct lr_stratum *t = &s->strata[s->stratum_of[image]];

    t->n_rise += value > 0;
    t->n_fall += value < 0;
}

int64_t lr_survey_count(const struct lr_survey *s)
{
    int64_t n = 0;

    for (int h = 0; h < s->n_strata; h++)
        n += s->strata[h].n_drawn;
    return n;
}

/* The variance of one value, with one change more than was seen among two images more. */
static double variance(const struct lr_stratum *t)
{
    double n = (double)t->n_drawn + 2;
    double changed = (double)(t->n_rise + t->n_fall + 1) / n;
    double mean = (double)(t->n_rise - t->n_fall) / n;

    return fmax(0, changed - mean * mean);
}

static double weight(const struct lr_survey *s, const struct lr_stratum *t)
{
    return (double)t->n / (double)s->n;
}

/* Of the estimate, if n_drawn images of each stratum were drawn. */
static double variance_at(const struct lr_survey *s, const double *n_drawn)
{
    double sum = 0;

    for (int h = 0; h < s->n_strata; h++) {
        const struct lr_stratum *t = &s->strata[h];
        double w = weight(s, t), left = 1 - n_drawn[h] / (double)t->n;
        sum += w * w * fmax(0, left) * variance(t) / fmax(1, n_drawn[h]);
    }
    return sum;
}

double lr_survey_half_width(const struct lr_survey *s)
{
    double n[LR_MAX_STRATA];

    for (int h = 0; h < s->n_strata; h++) {
        if (s->strata[h].n_drawn == 0)
            return INFINITY;
        n[h] = (double)s->strata[h].n_drawn;
    }
    return Z * sqrt(variance_at(s, n));
}

double lr_survey_mean(const struct lr_survey *s)
{
    double mean = 0;

    for (int h = 0; h < s->n_strata; h++) {
        const struct lr_stratum *t = &s->strata[h];
        if (t->n_drawn > 0)
            mean += weight(s, t) * (double)(t->n_rise - t->n_fall) / (double)t->n_drawn;
    }
    return mean;
}

/* How many images one that was drawn stands for; 0 for one that was not. */
static double weight_of(const struct lr_survey *s, int64_t image)
{
    const struct lr_stratum *t = &s->strata[s->stratum_of[image]];

    return t->n_drawn > 0 ? (double)t->n / (double)t->n_drawn : 0;
}

/* n[h]: the allocation at scale, never fewer than were drawn. */
static double allocate(double *n, const struct lr_survey *s, double scale)
{
    for (int h = 0; h < s->n_strata; h++) {
        const struct lr_stratum *t = &s->strata[h];
        double want = ceil(scale * (double)t->n * sqrt(variance(t)));
        n[h] = fmin((double)t->n, fmax((double)t->n_drawn, want));
    }
    return variance_at(s, n);
}

/* The images to be drawn in each stratum, in all: towards the allocation wanted. */
static void plan(double *n, const struct lr_survey *s, double wanted)
{
    double low = 0, high = 1, limit = wanted / Z * (wanted / Z);

    while (allocate(n, s, high) > limit && high < 1e12)
        high *= 2;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (allocate(n, s, middle) > limit)
            low = middle;
        else
            high = middle;
    }
    allocate(n, s, high);
}

int64_t lr_survey_next(int64_t *images, int64_t max, struct lr_survey *s, double wanted,
                       int batch)
{
    double n[LR_MAX_STRATA], missing = 0;
    int64_t count = 0, drawn = lr_survey_count(s);

    if (drawn == 0) {
        for (int h = 0; h < s->n_strata; h++) {
            n[h] = fmin(FIRST_ROUND, (double)s->strata[h].n);
            missing += n[h];
        }
    } else {
        plan(n, s, wanted);
        for (int h = 0; h < s->n_strata; h++)
            missing += n[h] - (double)s->strata[h].n_drawn;
    }
    /* A part of it, since what it is computed from is an estimate; whole batches. */
    double size = drawn == 0 ? missing : fmax(missing / STEP, LEAST_ROUND);
    size = fmin(fmax(1, ceil(size / batch)) * batch, (double)(s->n - drawn));
    size = fmin(size, (double)(max - max % batch));
    double share = missing > 0 ? fmin(1, size / missing) : 0;
    for (int h = 0; h < s->n_strata; h++) {
        struct lr_stratum *t = &s->strata[h];
        int64_t add = (int64_t)floor((n[h] - (double)t->n_drawn) * share);
        for (; add > 0 && count < (int64_t)size && t->n_drawn < t->n; add--)
            images[count++] = s->order[t->first + t->n_drawn++];
    }
    /* What rounding left, from the doubtful end. */
    for (int h = s->n_strata - 1; h >= 0; h--) {
        struct lr_stratum *t = &s->strata[h];
        while (count < (int64_t)size && t->n_drawn < t->n)
            images[count++] = s->order[t->first + t->n_drawn++];
    }
    return count;
}

/* ---- comparing ---- */

struct sums {
    double same, changed, before; /* agreement; squares of differences and outputs */
    double cells[2][2];           /* approximated right, original right */
    double five, five_original;
};

static void add_image(struct sums *u, double w, int64_t i, const struct lr_outcome *a,
                      const struct lr_outcome *b)
{
    size_t n = (size_t)a->n_out;

    for (size_t k = 0; k < n; k++) {
        double x = (double)b->out[(size_t)i * n + k];
        double diff = x - (double)a->out[(size_t)i * n + k];
        u->changed += w * diff * diff;
        u->before += w * x * x;
    }
    u->same += w * (a->top1[i] == b->top1[i]);
    if (a->hit1 && b->hit1)
        u->cells[a->hit1[i] != 0][b->hit1[i] != 0] += w;
    if (a->hit5 && b->hit5) {
        u->five += w * (a->hit5[i] != 0);
        u->five_original += w * (b->hit5[i] != 0);
    }
}

static double share_of(const uint8_t *hit, int64_t n)
{
    int64_t k = 0;

    for (int64_t i = 0; i < n; i++)
        k += hit[i] != 0;
    return (double)k / (double)n;
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* The interval that all images would give, about the estimate, widened by half. */
static void set_top1(struct lr_eval *r, const struct sums *u, int64_t n, double half)
{
    double low, high, theta, all = (double)n;
    int64_t fall = llround(u->cells[0][1]), rise = llround(u->cells[1][0]);
    int64_t neither = llround(u->cells[0][0]), both = n - fall - rise - neither;

    if (both < 0) { /* rounding of estimated counts */
        neither = neither + both > 0 ? neither + both : 0;
        both = n - fall - rise - neither;
    }
    /* The original is known for all images: only the difference is an estimate. */
    r->top1_difference = (u->cells[1][0] - u->cells[0][1]) / all;
    r->top1 = clamp(r->top1_original + r->top1_difference, 0, 1);
    lr_paired_interval(&theta, &low, &high, both, rise, fall, neither);
    r->difference_low = fmax(-1, r->top1_difference - hypot(half, theta - low));
    r->difference_high = fmin(1, r->top1_difference + hypot(half, high - theta));
    lr_wilson(&low, &high, llround(r->top1 * all), n);
    r->top1_low = fmax(0, r->top1 - hypot(half, r->top1 - low));
    r->top1_high = fmin(1, r->top1 + hypot(half, high - r->top1));
}

enum lr_status lr_survey_compare(struct lr_eval *r, const struct lr_survey *s,
                                 const struct lr_outcome *original,
                                 const struct lr_outcome *approximated, struct lr_err *e)
{
    const struct lr_outcome *a = approximated, *b = original;
    struct sums u = {0};

    if (a->n != b->n || a->n_out != b->n_out || a->n != s->n || lr_survey_count(s) < 1)
        return lr_err_set(
            e, LR_EINVAL,
            "%lld images with %d outputs cannot be compared with %lld and %d",
            (long long)a->n, a->n_out, (long long)b->n, b->n_out);
    if (lr_survey_count(s) == s->n)
        return lr_eval_compare(r, original, approximated, e);
    for (int h = 0; h < s->n_strata; h++) {
        const struct lr_stratum *t = &s->strata[h];
        for (int64_t k = 0; k < t->n_drawn; k++) {
            int64_t image = s->order[t->first + k];
            add_image(&u, weight_of(s, image), image, a, b);
        }
    }
    *r = (struct lr_eval){.images = lr_survey_count(s), .seconds = a->seconds};
    r->top1 = r->top1_original = r->top1_difference = NAN;
    r->difference_low = r->difference_high = r->top1_low = r->top1_high = NAN;
    r->top5 = r->top5_original = NAN;
    r->agreement = clamp(u.same / (double)s->n, 0, 1);
    r->output_error = u.before > 0 ? u.changed / u.before : u.changed > 0 ? INFINITY : 0;
    if (a->hit1 && b->hit1) {
        r->top1_original = share_of(b->hit1, b->n);
        set_top1(r, &u, s->n, lr_survey_half_width(s));
    }
    if (a->hit5 && b->hit5) {
        r->top5_original = share_of(b->hit5, b->n);
        r->top5 =
            clamp(r->top5_original + (u.five - u.five_original) / (double)s->n, 0, 1);
    }
    return LR_OK;
}
