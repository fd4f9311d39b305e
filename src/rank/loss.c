/* Using the model of lost accuracy: predictions with their deviations, and the rank
 * correlation that tells how good they are. loss_fit.c fits it. */
#include "ranklab/loss.h"

#include <math.h>
#include <stdlib.h>

#include "rank/loss_internal.h"
#include "ranklab/mem.h"

/* ---- the model ---- */

double loss_saturate(double u, double limit)
{
    return limit * (1 - exp(-u / limit));
}

double loss_feature(const struct lr_loss_model *m, struct lr_loss_input in, int layer)
{
    double x = in.lost[layer];

    return x > 0 ? m->k[in.kind[layer]] * pow(x < 1 ? x : 1, m->exponent) : x < 0 ? 0 : x;
}

/* The loss by one part; *variance by what is not known of its coefficients. */
static double predict_part(double *variance, const struct lr_loss_model *m,
                           const struct lr_loss_part *p, const double *f)
{
    size_t n = (size_t)m->n_layers;
    double sum = 0, square = 0;

    for (size_t i = 0; i < n; i++) {
        double row = 0;
        sum += p->a[i] * f[i];
        for (size_t j = 0; j < n; j++)
            row += p->root[i * n + j] * f[j];
        square += row * row;
    }
    double u = pow(sum, p->power), slope = 0;
    if (sum > 0)
        slope = p->power * u / sum * exp(-u / m->limit);
    *variance = slope * slope * square;
    return loss_saturate(u, m->limit);
}

/* Share of the loss by kinds never seen; the first part stands for all. */
static double unknown_share(const struct lr_loss_model *m, struct lr_loss_input in,
                            const double *f)
{
    double sum = 0, unknown = 0;

    for (int i = 0; i < m->n_layers; i++) {
        double part = m->parts[0].a[i] * f[i];
        sum += part;
        unknown += in.lost[i] > 0 && !m->is_kind_known[in.kind[i]] ? part : 0;
    }
    return sum > 0 ? unknown / sum : 0;
}

double lr_loss_predict(double *deviation, const struct lr_loss_model *m,
                       struct lr_loss_input input)
{
    double *f = lr_calloc((size_t)m->n_layers + 1, sizeof(*f));
    double loss = 0, square = 0, within = 0;

    *deviation = NAN;
    if (!f)
        return NAN;
    for (int i = 0; i < m->n_layers; i++)
        f[i] = loss_feature(m, input, i);
    for (int k = 0; k < LR_LOSS_PARTS; k++) {
        const struct lr_loss_part *p = &m->parts[k];
        double variance, one;
        if (!(p->weight > 0))
            continue;
        one = predict_part(&variance, m, p, f);
        loss += p->weight * one;
        square += p->weight * one * one;
        within += p->weight * variance;
    }
    double spread = hypot(m->spread, LOSS_KIND_SPREAD * unknown_share(m, input, f));
    /* Beyond the largest loss learned from the curve is trusted less and less. */
    if (loss > m->largest)
        spread = hypot(spread, fmin(0.4, 0.12 * (loss / (m->largest + LOSS_FLOOR) - 1)));
    double misfit = spread * (loss + 4 * LOSS_FLOOR);
    double sampling = m->noise * (fabs(loss) + 10 * LOSS_FLOOR);
    *deviation =
        sqrt(fmax(square - loss * loss, 0) + within + misfit * misfit + sampling);
    lr_free(f);
    return loss;
}

void lr_loss_model_free(struct lr_loss_model *m)
{
    for (int k = 0; k < LR_LOSS_PARTS; k++) {
        lr_free(m->parts[k].a);
        lr_free(m->parts[k].root);
    }
    lr_free(m->left_out);
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
