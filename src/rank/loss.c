/* Fitting and using the model of lost accuracy. For given power and kinds it is linear
 * after the saturation and the power are undone, with weights from the slope of that:
 * nonnegative ridge regression towards the common coefficient, by coordinate descent on
 * the normal equations. Power and kinds are chosen by what samples left out one by one
 * say, for which a sample's part is subtracted from the normal equations. */
#include "ranklab/loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/mem.h"

/* Of networks, and of layers alone. */
static const double EXPONENT = 1.3, ALONE_EXPONENT = 2;
static const double RIDGE = 10;
/* The common coefficient before anything is known, as its own standard deviation: what
 * keeps evaluations that lost nothing from promising anything of low ranks. */
static const double USUAL = 0.07;
/* Losses that are not larger than this are not told apart, nor given more weight. */
static const double FLOOR = 5e-4;
/* What the model is assumed to miss, relative, as if seen in PRIOR_SAMPLES samples. */
static const double PRIOR_SPREAD = 0.4, PRIOR_SAMPLES = 3, FIT_SPREAD = 0.15,
                    LEAST_SPREAD = 0.12;
/* Spread (of the logarithm) of k among kinds before anything is known. */
static const double KIND_SPREAD = 0.7;
static const double powers[] = {1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6};
enum { N_POWERS = sizeof(powers) / sizeof(powers[0]), N_WEIGHTS = 3, N_KIND_ROUNDS = 6 };

/* ---- the model ---- */

static double saturate(double u, double limit)
{
    return limit * (1 - exp(-u / limit));
}

/* The u at which a loss is reached. */
static double unsaturate(double loss, double limit)
{
    double share = loss < 0.98 * limit ? loss / limit : 0.98;

    return -limit * log(1 - share);
}

static double feature(const struct lr_loss_model *m, struct lr_loss_input in, int layer)
{
    double x = in.lost[layer];

    return x > 0 ? m->k[in.kind[layer]] * pow(x < 1 ? x : 1, m->exponent) : x < 0 ? 0 : x;
}

static double predict(const struct lr_loss_model *m, struct lr_loss_input in)
{
    double sum = 0;

    for (int i = 0; i < m->n_layers; i++)
        sum += m->a[i] * feature(m, in, i);
    return saturate(pow(sum, m->power), m->limit);
}

double lr_loss_predict(double *deviation, const struct lr_loss_model *m,
                       struct lr_loss_input input)
{
    double loss = predict(m, input), sum = 0, unknown = 0;

    for (int i = 0; i < m->n_layers; i++) {
        double part = m->a[i] * feature(m, input, i);
        sum += part;
        unknown += input.lost[i] > 0 && !m->is_kind_known[input.kind[i]] ? part : 0;
    }
    double spread = m->spread;
    if (sum > 0)
        spread = hypot(spread, KIND_SPREAD * unknown / sum);
    /* Beyond the largest loss learned from the curve is trusted less and less. */
    if (loss > m->largest)
        spread = hypot(spread, fmin(1, 0.3 * (loss / (m->largest + FLOOR) - 1)));
    double model = spread * (loss + 4 * FLOOR);
    double sampling = sqrt(m->noise * (fabs(loss) + 10 * FLOOR));
    *deviation = hypot(model, sampling);
    return loss;
}

void lr_loss_model_free(struct lr_loss_model *m)
{
    lr_free(m->a);
    *m = (struct lr_loss_model){0};
}

/* ---- correlation ---- */

static void to_ranks(double *rank, const double *x, int n)
{
    for (int i = 0; i < n; i++) {
        int below = 0, same = 0;
        for (int j = 0; j < n; j++) {
            below += x[j] < x[i];
            same += !(x[j] < x[i]) && !(x[j] > x[i]);
        }
        rank[i] = below + 0.5 * (same - 1);
    }
}

double lr_spearman(const double *a, const double *b, int n, double *work)
{
    double *ra = work, *rb = work + n, ab = 0, aa = 0, bb = 0, mean = 0.5 * (n - 1);

    if (n < 3)
        return NAN;
    to_ranks(ra, a, n);
    to_ranks(rb, b, n);
    for (int i = 0; i < n; i++) {
        ab += (ra[i] - mean) * (rb[i] - mean);
        aa += (ra[i] - mean) * (ra[i] - mean);
        bb += (rb[i] - mean) * (rb[i] - mean);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

/* ---- fitting ---- */

struct fit {
    struct lr_loss_model *m;
    const struct lr_loss_sample *samples;
    int n, n_layers;
    bool is_alone;
    double *f;          /* [n x n_layers] features */
    double *v, *weight; /* [n] what the sum should be, and its weight, squared */
    double *left_out;   /* [n] predictions of samples left out */
    double *g, *h, *a;  /* normal equations without the common part; coefficients */
    double top, bottom; /* of the common coefficient */
};

static void fill_features(struct fit *t)
{
    for (int s = 0; s < t->n; s++)
        for (int i = 0; i < t->n_layers; i++)
            t->f[s * t->n_layers + i] = feature(t->m, t->samples[s].input, i);
}

static double sample_sum(const struct fit *t, int s, const double *a)
{
    const double *f = t->f + (ptrdiff_t)s * t->n_layers;
    double sum = 0;

    for (int i = 0; i < t->n_layers; i++)
        sum += (a ? a[i] : 1) * f[i];
    return sum;
}

/* Adds sign times sample s to the normal equations. */
static void add_sample(struct fit *t, int s, double sign)
{
    const double *f = t->f + (ptrdiff_t)s * t->n_layers;
    double w = sign * t->weight[s], sum = sample_sum(t, s, NULL);

    for (int i = 0; i < t->n_layers; i++) {
        if (!(f[i] > 0))
            continue;
        t->h[i] += w * f[i] * t->v[s];
        for (int j = 0; j < t->n_layers; j++)
            t->g[i * t->n_layers + j] += w * f[i] * f[j];
    }
    t->top += w * sum * t->v[s];
    t->bottom += w * sum * sum;
}

/* From the coefficients that are there on; false when nothing can be learned. */
static bool descend(struct fit *t)
{
    double common = t->bottom > 0 ? t->top / t->bottom : 0;

    if (!(common > 0))
        return false;
    double ridge = RIDGE / (common * common);
    for (int round = 0; round < 200; round++) {
        double change = 0;
        for (int i = 0; i < t->n_layers; i++) {
            const double *row = t->g + (ptrdiff_t)i * t->n_layers;
            double slope = t->h[i] - ridge * (t->a[i] - common);
            for (int j = 0; j < t->n_layers; j++)
                slope -= row[j] * t->a[j];
            double next = fmax(0, t->a[i] + slope / (row[i] + ridge));
            change = fmax(change, fabs(next - t->a[i]));
            t->a[i] = next;
        }
        if (change < 1e-9 * common)
            break;
    }
    return true;
}

/* Targets and weights, about the losses predicted so far (NAN: about the measured). */
static void weigh(struct fit *t, bool is_first)
{
    double limit = t->m->limit, power = t->m->power;

    for (int s = 0; s < t->n; s++) {
        double loss = fmax(t->samples[s].loss, 0);
        double about =
            is_first
                ? fmax(loss, FLOOR)
                : 0.5 * loss + 0.5 * saturate(pow(sample_sum(t, s, t->a), power), limit);
        double sum = pow(unsaturate(fmax(about, FLOOR), limit), 1 / power);
        double slope = power * pow(sum, power - 1) * exp(-pow(sum, power) / limit);
        double sigma = hypot(t->samples[s].error + FLOOR, FIT_SPREAD * about);
        t->v[s] = pow(unsaturate(loss, limit), 1 / power);
        t->weight[s] = slope * slope / (sigma * sigma);
    }
}

static bool fit_power(struct fit *t)
{
    size_t n = (size_t)t->n_layers;

    for (int round = 0; round < N_WEIGHTS; round++) {
        weigh(t, round == 0);
        memset(t->g, 0, n * n * sizeof(*t->g));
        memset(t->h, 0, n * sizeof(*t->h));
        t->bottom = 1 / (USUAL * USUAL);
        t->top = USUAL * t->bottom;
        for (int s = 0; s < t->n; s++)
            add_sample(t, s, 1);
        if (round == 0)
            for (int i = 0; i < t->n_layers; i++)
                t->a[i] = t->bottom > 0 ? fmax(0, t->top / t->bottom) : 0;
        if (!descend(t))
            return false;
    }
    return true;
}

/* Predicts every sample from the others, with the weights of all. */
static void leave_out(struct fit *t)
{
    size_t n = (size_t)t->n_layers;

    memcpy(t->m->a, t->a, n * sizeof(*t->a));
    for (int s = 0; s < t->n; s++) {
        add_sample(t, s, -1);
        bool is_known = t->n > 1 && descend(t);
        double sum = is_known ? sample_sum(t, s, t->a) : NAN;
        t->left_out[s] = saturate(pow(sum, t->m->power), t->m->limit);
        add_sample(t, s, 1);
        memcpy(t->a, t->m->a, n * sizeof(*t->a));
    }
}

/* Mean square of how far the left out are off, relative to what was expected. */
static double relative_square(const struct fit *t, const double *predicted)
{
    double sum = 0;
    int n = 0;

    for (int s = 0; s < t->n; s++) {
        const struct lr_loss_sample *p = &t->samples[s];
        if (!isfinite(predicted[s]))
            continue;
        double off = p->loss - predicted[s], size = fabs(predicted[s]) + 4 * FLOOR;
        sum += fmin((off * off - p->error * p->error) / (size * size), 4);
        n++;
    }
    return n ? sum / n : 0;
}

/* How badly the model fits, for choosing power and kinds. */
static double misfit(const struct fit *t)
{
    double sum = 0;

    for (int s = 0; s < t->n; s++) {
        const struct lr_loss_sample *p = &t->samples[s];
        double expected =
            isfinite(t->left_out[s])
                ? t->left_out[s]
                : saturate(pow(sample_sum(t, s, t->a), t->m->power), t->m->limit);
        double sigma =
            hypot(p->error + FLOOR, FIT_SPREAD * 0.5 * (fabs(expected) + fabs(p->loss)));
        double off = (p->loss - expected) / sigma;
        sum += fmin(off * off, 16);
    }
    return sum;
}

static bool fit_all(struct fit *t)
{
    double best = INFINITY, chosen = 0;

    fill_features(t);
    for (int k = 0; k < (t->is_alone ? 1 : N_POWERS); k++) {
        t->m->power = powers[k];
        if (!fit_power(t))
            continue;
        leave_out(t);
        /* Without samples the power is about 1.2. */
        double prior = (powers[k] - 1.2) / 0.15, badness = misfit(t) + prior * prior;
        if (badness < best) {
            best = badness;
            chosen = powers[k];
        }
    }
    if (!(chosen > 0))
        return false;
    t->m->power = chosen;
    if (!fit_power(t))
        return false;
    leave_out(t);
    return true;
}

/* The share of a sample's sum that layers of a kind make. */
static double kind_share(const struct fit *t, int s, int kind, double sum)
{
    const struct lr_loss_input *in = &t->samples[s].input;
    double part = 0;

    for (int i = 0; i < t->n_layers; i++)
        if (in->lost[i] > 0 && in->kind[i] == kind)
            part += t->a[i] * t->f[(ptrdiff_t)s * t->n_layers + i];
    return part / sum;
}

/* Kinds are told apart by what they leave of the fit: the logarithm of measured to
 * predicted sums is regressed on the share that the kind has in them, both about their
 * means, since what all samples have in common is the coefficients'. */
static double kind_step(const struct fit *t, int kind)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;

    for (int s = 0; s < t->n; s++) {
        double sum = sample_sum(t, s, t->a);
        if (!(sum > 0) || !(t->v[s] > 0))
            continue;
        double weight = t->weight[s] * sum * sum; /* of the logarithm */
        double share = kind_share(t, s, kind, sum), off = log(t->v[s] / sum);
        n += weight;
        x += weight * share;
        y += weight * off;
        xx += weight * share * share;
        xy += weight * share * off;
    }
    double prior = 1 / (KIND_SPREAD * KIND_SPREAD);
    if (!(n > 0))
        return 0;
    return (xy - x * y / n - prior * log(t->m->k[kind])) / (xx - x * x / n + prior);
}

static void fit_kinds(struct fit *t)
{
    double steps[LR_LOSS_KINDS];

    for (int k = 0; k < LR_LOSS_KINDS; k++)
        steps[k] = t->m->is_kind_known[k] ? kind_step(t, k) : 0;
    for (int k = 0; k < LR_LOSS_KINDS; k++)
        t->m->k[k] *= exp(fmax(-1, fmin(1, 0.5 * steps[k])));
}

static void find_kinds(struct fit *t, int *n_kinds)
{
    *n_kinds = 0;
    for (int k = 0; k < LR_LOSS_KINDS; k++)
        t->m->k[k] = 1;
    for (int s = 0; s < t->n; s++)
        for (int i = 0; i < t->n_layers; i++)
            if (t->samples[s].input.lost[i] > 0)
                t->m->is_kind_known[t->samples[s].input.kind[i]] = true;
    for (int k = 0; k < LR_LOSS_KINDS; k++)
        *n_kinds += t->m->is_kind_known[k];
}

static void judge(struct fit *t, double *work)
{
    struct lr_loss_model *m = t->m;
    double square = 0, noise = 0, sizes = 0;
    double *measured = work, *expected = work + t->n;
    int n = 0;

    for (int s = 0; s < t->n; s++) {
        const struct lr_loss_sample *p = &t->samples[s];
        noise += p->error * p->error;
        sizes += fabs(p->loss) + 10 * FLOOR;
        m->largest = fmax(m->largest, p->loss);
        if (!isfinite(t->left_out[s]))
            continue;
        measured[n] = p->loss;
        expected[n] = t->left_out[s];
        square += (measured[n] - expected[n]) * (measured[n] - expected[n]);
        n++;
    }
    m->noise = noise / sizes;
    m->left_out_error = n ? sqrt(square / n) : NAN;
    m->left_out_correlation = NAN;
    if (n >= 3) {
        memmove(work + n, expected, (size_t)n * sizeof(*work));
        m->left_out_correlation = lr_spearman(work, work + n, n, work + 2 * n);
    }
    double seen = n ? fmax(0, relative_square(t, t->left_out)) * n : 0;
    m->spread =
        hypot(LEAST_SPREAD, sqrt((PRIOR_SAMPLES * PRIOR_SPREAD * PRIOR_SPREAD + seen) /
                                 (PRIOR_SAMPLES + n)));
}

enum lr_status lr_loss_fit(struct lr_loss_model *m, const struct lr_loss_sample *samples,
                           int n_samples, int n_layers, double limit, bool is_alone,
                           struct lr_err *e)
{
    size_t n = (size_t)n_samples, k = (size_t)n_layers;
    struct fit t = {.m = m,
                    .samples = samples,
                    .n = n_samples,
                    .n_layers = n_layers,
                    .is_alone = is_alone};
    double *block = lr_calloc(n * k + 3 * n + k * k + 2 * k + 4 * n + 1, sizeof(*block));
    int n_kinds = 0;
    enum lr_status rc = LR_OK;

    *m = (struct lr_loss_model){.n_layers = n_layers,
                                .limit = limit,
                                .exponent = is_alone ? ALONE_EXPONENT : EXPONENT};
    m->a = lr_calloc(k, sizeof(*m->a));
    if (!block || !m->a) {
        rc = lr_enomem(e, (n * k + k * k) * sizeof(*block), "a model of lost accuracy");
        goto out;
    }
    t.f = block;
    t.v = t.f + n * k;
    t.weight = t.v + n;
    t.left_out = t.weight + n;
    t.g = t.left_out + n;
    t.h = t.g + k * k;
    t.a = t.h + k;
    find_kinds(&t, &n_kinds);
    bool is_ok = n_samples > 0 && fit_all(&t);
    for (int round = 0; is_ok && n_kinds > 1 && round < N_KIND_ROUNDS; round++) {
        fit_kinds(&t);
        is_ok = fit_all(&t);
    }
    if (!is_ok) {
        rc = lr_err_set(e, LR_ENUMERIC, "nothing can be learned from these evaluations");
        goto out;
    }
    memcpy(m->a, t.a, k * sizeof(*m->a));
    m->n_samples = n_samples;
    judge(&t, t.a + k);
out:
    if (rc != LR_OK)
        lr_loss_model_free(m);
    lr_free(block);
    return rc;
}
