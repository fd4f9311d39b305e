/* Fitting the model of lost accuracy. For given power and kinds it is linear after the
 * saturation and the power are undone, with weights from the slope of that: nonnegative
 * ridge regression towards the common coefficient, by coordinate descent on the normal
 * equations. Each power is weighed by how well networks left out one by one are told, for
 * which a sample's part is subtracted from the normal equations. What the coefficients
 * may be besides is the posterior of the same regression, in which their common value is
 * not known either. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rank/loss_internal.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

static const double EXPONENT = 1.3;
/* Of the coefficients about their common value: its square over this is their variance.
 */
static const double RIDGE = 4;
/* Before anything is known, a network of this sum of lost_i^exponent loses so much
 * accuracy, give or take as much again: what keeps evaluations that lost nothing from
 * promising anything of low ranks. */
static const double USUAL_SUM = 0.55, USUAL_LOSS = 0.02;
/* What the model is assumed to miss, relative, as if seen in PRIOR_SAMPLES samples. */
static const double PRIOR_SPREAD = 0.25, PRIOR_SAMPLES = 2, FIT_SPREAD = 0.15,
                    LEAST_SPREAD = 0.1;
/* What a layer alone loses, the layers after it made good for nothing: in a network it
 * is this share of that, known so well by all such samples together. */
static const double ALONE_SHARE = 0.4, ALONE_SPREAD = 0.6;
static const double powers[LR_LOSS_PARTS] = {1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6};
static const double USUAL_POWER = 1.25, POWER_SPREAD = 0.15;
enum { N_WEIGHTS = 3, N_KIND_ROUNDS = 6 };

struct fit {
    struct lr_loss_model *m;
    const struct lr_loss_sample *samples;
    int n, n_layers, n_alone;
    double power;
    double *f;          /* [n x n_layers] features */
    double *v, *weight; /* [n] what the sum should be, and its weight, squared */
    double *left_out;   /* [n] predictions of samples left out, by one power */
    double *mean_out;   /* [n] the same over all powers */
    double *g, *h, *a;  /* normal equations without the common part; coefficients */
    double *prior;      /* [n_layers x n_layers] work */
    double top, bottom; /* of the common coefficient */
};

/* The u at which a loss is reached. */
static double unsaturate(double loss, double limit)
{
    double share = loss < 0.98 * limit ? loss / limit : 0.98;

    return -limit * log(1 - share);
}

static double usual_coefficient(double power)
{
    return pow(USUAL_LOSS, 1 / power) / USUAL_SUM;
}

/* Of the networks' losses; layers alone stand for networks that lose less. */
static double sample_loss(const struct lr_loss_sample *s)
{
    return fmax(s->loss, 0) * (s->is_alone ? ALONE_SHARE : 1);
}

static double sample_sigma(const struct fit *t, const struct lr_loss_sample *s,
                           double about)
{
    if (s->is_alone)
        return hypot(ALONE_SHARE * s->error + LOSS_FLOOR, ALONE_SPREAD * about) *
               sqrt(t->n_alone);
    return hypot(s->error + LOSS_FLOOR, FIT_SPREAD * about);
}

static void fill_features(struct fit *t)
{
    for (int s = 0; s < t->n; s++)
        for (int i = 0; i < t->n_layers; i++)
            t->f[s * t->n_layers + i] = loss_feature(t->m, t->samples[s].input, i);
}

static double sample_sum(const struct fit *t, int s, const double *a)
{
    const double *f = t->f + (ptrdiff_t)s * t->n_layers;
    double sum = 0;

    for (int i = 0; i < t->n_layers; i++)
        sum += (a ? a[i] : 1) * f[i];
    return sum;
}

static double predict(const struct fit *t, int s)
{
    return loss_saturate(pow(sample_sum(t, s, t->a), t->power), t->m->limit);
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

/* Targets and weights, about the losses predicted so far (at first: the measured). */
static void weigh(struct fit *t, bool is_first)
{
    double limit = t->m->limit, power = t->power;

    for (int s = 0; s < t->n; s++) {
        double loss = sample_loss(&t->samples[s]);
        double about = is_first ? loss : 0.5 * loss + 0.5 * predict(t, s);
        about = fmax(about, LOSS_FLOOR);
        double sum = pow(unsaturate(about, limit), 1 / power);
        double slope = power * pow(sum, power - 1) * exp(-pow(sum, power) / limit);
        double sigma = sample_sigma(t, &t->samples[s], about);
        t->v[s] = pow(unsaturate(loss, limit), 1 / power);
        t->weight[s] = slope * slope / (sigma * sigma);
    }
}

static bool fit_power(struct fit *t)
{
    size_t n = (size_t)t->n_layers;
    double usual = usual_coefficient(t->power);

    for (int round = 0; round < N_WEIGHTS; round++) {
        weigh(t, round == 0);
        memset(t->g, 0, n * n * sizeof(*t->g));
        memset(t->h, 0, n * sizeof(*t->h));
        t->bottom = 1 / (usual * usual);
        t->top = usual * t->bottom;
        for (int s = 0; s < t->n; s++)
            add_sample(t, s, 1);
        if (round == 0)
            for (int i = 0; i < t->n_layers; i++)
                t->a[i] = fmax(0, t->top / t->bottom);
        if (!descend(t))
            return false;
    }
    return true;
}

/* Predicts every network from the other samples, with the weights of all. kept: where
 * the coefficients of all are kept meanwhile. */
static void leave_out(struct fit *t, double *kept)
{
    size_t size = (size_t)t->n_layers * sizeof(*kept);

    memcpy(kept, t->a, size);
    for (int s = 0; s < t->n; s++) {
        t->left_out[s] = NAN;
        if (t->samples[s].is_alone || t->n < 2)
            continue;
        add_sample(t, s, -1);
        if (descend(t))
            t->left_out[s] = predict(t, s);
        add_sample(t, s, 1);
        memcpy(t->a, kept, size);
    }
}

/* How badly the model fits, for weighing the power; without samples that is the usual
 * one. */
static double misfit(const struct fit *t)
{
    double prior = (t->power - USUAL_POWER) / POWER_SPREAD, sum = prior * prior;

    for (int s = 0; s < t->n; s++) {
        const struct lr_loss_sample *p = &t->samples[s];
        bool is_known = isfinite(t->left_out[s]);
        double loss = p->is_alone ? sample_loss(p) : p->loss;
        double expected = is_known ? t->left_out[s] : predict(t, s);
        double sigma = sample_sigma(t, p, 0.5 * (fabs(expected) + fabs(loss)));
        double off = (loss - expected) / sigma;
        sum += fmin(off * off, 16);
    }
    return sum;
}

/* Weights of the powers by misfits; false when none could be fitted. */
static bool weigh_parts(struct lr_loss_model *m, const double *misfits)
{
    double best = INFINITY, sum = 0;

    for (int k = 0; k < LR_LOSS_PARTS; k++)
        best = fmin(best, misfits[k]);
    for (int k = 0; k < LR_LOSS_PARTS && isfinite(best); k++) {
        m->parts[k].power = powers[k];
        m->parts[k].weight = exp(-0.5 * (misfits[k] - best));
        if (!(m->parts[k].weight > 1e-4))
            m->parts[k].weight = 0;
        sum += m->parts[k].weight;
    }
    for (int k = 0; k < LR_LOSS_PARTS && isfinite(best); k++)
        m->parts[k].weight /= sum;
    return isfinite(best);
}

/* Ends with the coefficients, targets and weights of the power that fits best. */
static bool fit_all(struct fit *t)
{
    double misfits[LR_LOSS_PARTS];
    int best = 0;

    fill_features(t);
    for (int k = 0; k < LR_LOSS_PARTS; k++) {
        t->power = powers[k];
        misfits[k] = INFINITY;
        if (!fit_power(t))
            continue;
        leave_out(t, t->m->parts[k].a);
        misfits[k] = misfit(t);
        best = misfits[k] < misfits[best] ? k : best;
    }
    if (!weigh_parts(t->m, misfits))
        return false;
    t->power = powers[best];
    return fit_power(t);
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
    double prior = 1 / (LOSS_KIND_SPREAD * LOSS_KIND_SPREAD);
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

/* ---- how good it is ---- */

static void judge_left_out(struct fit *t, double *work)
{
    struct lr_loss_model *m = t->m;
    double *measured = work, *expected = work + t->n, square = 0;
    int n = 0;

    for (int s = 0; s < t->n; s++) {
        if (t->samples[s].is_alone || !isfinite(t->mean_out[s]))
            continue;
        measured[n] = t->samples[s].loss;
        expected[n] = t->mean_out[s];
        square += (measured[n] - expected[n]) * (measured[n] - expected[n]);
        n++;
    }
    m->left_out_error = n ? sqrt(square / n) : NAN;
    m->left_out_correlation = NAN;
    if (n >= 3) {
        memmove(work + n, expected, (size_t)n * sizeof(*work));
        m->left_out_correlation = lr_spearman(work, work + n, n, work + 2 * n);
    }
}

/* Mean square of how far those left out are off, relative to what was expected. */
static double left_out_square(const struct fit *t, int *n)
{
    double sum = 0;

    *n = 0;
    for (int s = 0; s < t->n; s++) {
        const struct lr_loss_sample *p = &t->samples[s];
        if (p->is_alone || !isfinite(t->mean_out[s]))
            continue;
        double off = p->loss - t->mean_out[s];
        double size = fabs(t->mean_out[s]) + 4 * LOSS_FLOOR;
        sum += fmin((off * off - p->error * p->error) / (size * size), 4);
        (*n)++;
    }
    return fmax(sum, 0);
}

static void judge(struct fit *t, double *work)
{
    struct lr_loss_model *m = t->m;
    double noise = 0, sizes = 0;
    int n, at = 0;

    for (int s = 0; s < t->n; s++) {
        const struct lr_loss_sample *p = &t->samples[s];
        if (p->is_alone && m->n_networks > 0)
            continue;
        noise += p->error * p->error;
        sizes += fabs(p->loss) + 10 * LOSS_FLOOR;
        m->largest = fmax(m->largest, sample_loss(p));
        if (!p->is_alone)
            m->left_out[at++] = t->mean_out[s];
    }
    m->noise = noise / sizes;
    judge_left_out(t, work);
    double seen = left_out_square(t, &n);
    m->spread =
        hypot(LEAST_SPREAD, sqrt((PRIOR_SAMPLES * PRIOR_SPREAD * PRIOR_SPREAD + seen) /
                                 (PRIOR_SAMPLES + n)));
}

/* ---- what the coefficients may be ---- */

/* The root of the posterior covariance: the inverse of that of the prior (a common value,
 * and each coefficient about it) and the normal equations, which tell less where the
 * model misses more than was assumed. */
static enum lr_status find_root(struct fit *t, struct lr_loss_part *p, struct lr_err *e)
{
    size_t n = (size_t)t->n_layers;
    double usual = usual_coefficient(t->power), common = t->top / t->bottom;
    double own = common * common / RIDGE, all = usual * usual;
    double miss = fmin(1, FIT_SPREAD / t->m->spread), trust = miss * miss;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            t->prior[i * n + j] = trust * t->g[i * n + j] + (i == j ? 1 / own : 0) -
                                  all / (own * (own + (double)n * all));
    return lr_la_psd_roots(n, t->prior, 1e-14, NULL, p->root, NULL, e);
}

/* The parts with a weight, and what they say together of networks left out. */
static enum lr_status keep_parts(struct fit *t, struct lr_err *e)
{
    enum lr_status rc = LR_OK;

    for (int s = 0; s < t->n; s++)
        t->mean_out[s] = 0;
    for (int k = 0; k < LR_LOSS_PARTS; k++) {
        struct lr_loss_part *p = &t->m->parts[k];
        t->power = p->power;
        if (!(p->weight > 0) || !fit_power(t))
            continue;
        leave_out(t, p->a);
        for (int s = 0; s < t->n; s++)
            t->mean_out[s] += p->weight * t->left_out[s];
    }
    judge(t, t->prior + t->n_layers * t->n_layers);
    for (int k = 0; k < LR_LOSS_PARTS && rc == LR_OK; k++) {
        struct lr_loss_part *p = &t->m->parts[k];
        t->power = p->power;
        if (p->weight > 0 && fit_power(t))
            rc = find_root(t, p, e);
    }
    return rc;
}

static enum lr_status init_model(struct lr_loss_model *m, int n_layers, int n_networks,
                                 double limit, struct lr_err *e)
{
    size_t n = (size_t)n_layers;
    bool is_ok;

    *m = (struct lr_loss_model){.n_layers = n_layers,
                                .n_networks = n_networks,
                                .limit = limit,
                                .exponent = EXPONENT};
    m->left_out = lr_calloc((size_t)n_networks + 1, sizeof(*m->left_out));
    is_ok = m->left_out;
    for (int k = 0; k < LR_LOSS_PARTS; k++) {
        struct lr_loss_part *p = &m->parts[k];
        p->a = lr_calloc(n, sizeof(*p->a));
        p->root = lr_calloc(n * n, sizeof(*p->root));
        is_ok = is_ok && p->a && p->root;
    }
    return is_ok ? LR_OK
                 : lr_enomem(e, n * n * sizeof(double), "a model of lost accuracy");
}

enum lr_status lr_loss_fit(struct lr_loss_model *m, const struct lr_loss_sample *samples,
                           int n_samples, int n_layers, double limit, struct lr_err *e)
{
    size_t n = (size_t)n_samples, k = (size_t)n_layers;
    struct fit t = {.m = m, .samples = samples, .n = n_samples, .n_layers = n_layers};
    double *block =
        lr_calloc(n * k + 4 * n + 2 * k * k + 2 * k + 4 * n + 1, sizeof(*block));
    int n_kinds = 0;

    for (int s = 0; s < n_samples; s++)
        t.n_alone += samples[s].is_alone;
    enum lr_status rc = init_model(m, n_layers, n_samples - t.n_alone, limit, e);
    if (rc == LR_OK && !block)
        rc = lr_enomem(e, n * k * sizeof(*block), "a model of lost accuracy");
    if (rc != LR_OK)
        goto out;
    m->n_alone = t.n_alone;
    t.f = block;
    t.v = t.f + n * k;
    t.weight = t.v + n;
    t.left_out = t.weight + n;
    t.mean_out = t.left_out + n;
    t.g = t.mean_out + n;
    t.h = t.g + k * k;
    t.a = t.h + k;
    t.prior = t.a + k; /* and 4 n behind it */
    find_kinds(&t, &n_kinds);
    bool is_ok = n_samples > 0 && fit_all(&t);
    for (int round = 0; is_ok && n_kinds > 1 && round < N_KIND_ROUNDS; round++) {
        fit_kinds(&t);
        is_ok = fit_all(&t);
    }
    rc = is_ok ? keep_parts(&t, e)
               : lr_err_set(e, LR_ENUMERIC,
                            "nothing can be learned from these evaluations");
out:
    if (rc != LR_OK)
        lr_loss_model_free(m);
    lr_free(block);
    return rc;
}
