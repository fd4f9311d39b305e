/* The spectrum of one layer: eigenvalues of the covariance of its responses, singular
 * values of its filters, and counts that explain them (dead channels, zeros after a
 * ReLU). */
#include <stdint.h>

#include "approx/solver.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

void lr_spectrum_free(struct lr_spectrum *s)
{
    if (!s)
        return;
    lr_free(s->eig);
    lr_free(s->weight_sv);
    *s = (struct lr_spectrum){0};
}

/* Eigenvalues of the covariance of the rows; a negative one is rounding and becomes 0. */
static enum lr_status response_part(struct lr_spectrum *out, const float *y, size_t n,
                                    struct lr_err *e)
{
    size_t d = (size_t)out->d;
    struct lr_moments m = {0};
    double *cov = lr_alloc(d * d, sizeof(double));
    enum lr_status st;

    if (!cov) {
        st = lr_enomem(e, d * d * sizeof(double), "the covariance");
        goto out;
    }
    st = lr_moments_init(&m, d, d, e);
    if (st == LR_OK)
        st = lr_moments_add(&m, n, y, d, y, d, e);
    if (st != LR_OK)
        goto out;
    lr_moments_finish(&m, NULL, NULL, cov);
    st = lr_la_eigh(d, cov, out->eig, e);
    if (st != LR_OK)
        goto out;
    out->n_data_rank = (int)lr_gram_rank(out->eig, d);
    for (size_t i = 0; i < d; i++)
        out->eig[i] = out->eig[i] > 0 ? out->eig[i] / (double)n : 0;
out:
    lr_moments_free(&m);
    lr_free(cov);
    return st;
}

static enum lr_status count_part(struct lr_spectrum *out, const float *y, size_t n,
                                 struct lr_err *e)
{
    size_t d = (size_t)out->d, n_zeros = 0;
    bool *varies = lr_calloc(d, sizeof(bool));

    if (!varies)
        return lr_enomem(e, d * sizeof(bool), "the channels");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) {
            float x = y[i * d + j];
            n_zeros += x <= 0;
            varies[j] |= x < y[j] || x > y[j];
        }
    out->zeros = (double)n_zeros / ((double)n * (double)d);
    for (size_t j = 0; j < d; j++)
        out->n_dead += !varies[j];
    lr_free(varies);
    return LR_OK;
}

static enum lr_status weight_part(struct lr_spectrum *out, const float *w,
                                  size_t n_inputs, struct lr_err *e)
{
    size_t d = (size_t)out->d, k = d < n_inputs ? d : n_inputs;
    double *a = lr_alloc(d * n_inputs, sizeof(double));
    double *u = lr_alloc(d * k, sizeof(double)),
           *vt = lr_alloc(k * n_inputs, sizeof(double));
    enum lr_status st;

    if (!a || !u || !vt) {
        st = lr_enomem(e, 2 * d * n_inputs * sizeof(double), "the SVD of the filters");
        goto out;
    }
    for (size_t i = 0; i < d * n_inputs; i++)
        a[i] = (double)w[i];
    st = lr_la_svd(d, n_inputs, a, u, out->weight_sv, vt, e);
out:
    lr_free(a);
    lr_free(u);
    lr_free(vt);
    return st;
}

enum lr_status lr_spectrum_compute(struct lr_spectrum *out, const float *y, size_t n,
                                   int d, const float *w, size_t n_inputs,
                                   struct lr_err *e)
{
    size_t nd = d > 0 ? (size_t)d : 0;
    enum lr_status st;

    *out = (struct lr_spectrum){.d = d, .n_samples = n};
    if (nd == 0 || !y || n == 0 || n > SIZE_MAX / sizeof(double) / nd)
        return lr_err_set(e, LR_EINVAL, "no sampled responses for a spectrum");
    if (!w || n_inputs == 0 || n_inputs > SIZE_MAX / sizeof(double) / nd)
        return lr_err_set(e, LR_EINVAL, "no filters for a spectrum");
    out->eig = lr_calloc(nd, sizeof(double));
    out->weight_sv = lr_calloc(nd, sizeof(double));
    if (!out->eig || !out->weight_sv) {
        st = lr_enomem(e, 2 * nd * sizeof(double), "a spectrum");
        goto out;
    }
    int n_threads = lr_serial_begin(nd);
    st = response_part(out, y, n, e);
    if (st == LR_OK)
        st = count_part(out, y, n, e);
    if (st == LR_OK)
        st = weight_part(out, w, n_inputs, e);
    lr_la_set_threads(n_threads);
out:
    if (st != LR_OK)
        lr_spectrum_free(out);
    return st;
}

double lr_spectrum_energy(const struct lr_spectrum *s, int rank)
{
    double kept = 0, all = 0;

    for (int i = 0; i < s->d; i++) {
        all += s->eig[i];
        if (i < rank)
            kept += s->eig[i];
    }
    return all > 0 ? kept / all : 1;
}
