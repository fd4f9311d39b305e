/* Predicting the accuracy of ranks that were not evaluated, by the model that
 * predict_learn.c fits (rank/loss.c). A plan with one layer split is read off that
 * layer's own curve where it was swept. Without labels, agreement with the original
 * stands for accuracy. */
#include <math.h>

#include "ranklab/mem.h"
#include "session/predict_internal.h"

static const double Z95 = 1.959963984540054;
/* How far a layer's curve is trusted between its points. */
static const double CURVE_SPREAD = 0.15;

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
        double v = predict_lost_energy(s, layer, m, k->ranks);
        int side = v <= x ? 0 : 1;
        if (!isfinite(v) || !isfinite(predict_loss_of(&k->eval)))
            continue;
        n++;
        if (side ? v < at_x[1] : v >= at_x[0]) {
            at_x[side] = v;
            at_loss[side] = predict_loss_of(&k->eval);
            error[side] = predict_error_of(&k->eval);
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

void lr_session_predict(struct lr_prediction *p, const struct lr_session *s)
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
        enum lr_method m = s->plan[i].method;
        lost[i] = predict_lost_energy(s, i, m, s->plan[i].ranks);
        kind[i] = (int)m % LR_LOSS_KINDS;
        if (lost[i] > 0 || isnan(lost[i])) {
            n_split++;
            split = i;
        }
    }
    if (!lost || !kind)
        goto out;
    p->n_networks = k->model.n_networks;
    p->n_learned = k->model.n_networks + k->model.n_alone;
    p->loo_error = k->model.left_out_error;
    p->loo_correlation = k->model.left_out_correlation;
    bool is_read = n_split == 1 && read_curve(&loss, &deviation, s, split,
                                              s->plan[split].method, lost[split]);
    if (!is_read)
        loss = lr_loss_predict(&deviation, &k->model, (struct lr_loss_input){lost, kind});
    if (isfinite(loss))
        finish(p, k, loss, deviation);
    else
        p->n_learned = 0;
out:
    lr_free(lost);
    lr_free(kind);
}
