/* The spectrum of one layer: eigenvalues of the covariance of its responses, singular
 * values of its filters, and counts that explain them (dead channels, zeros after a
 * ReLU). */
#include <math.h>
#include <stdint.h>

#include "approx/solver.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

void lr_spectrum_free(struct lr_spectrum *s)
{
    if (!s)
        return;
    lr_free(s->eig);
    lr_free(s->spatial);
    lr_free(s->weight_sv);
    *s = (struct lr_spectrum){0};
}

/* What width channels of n rows y (ld d) have in common with each other, a [width x
 * width], or where there are fewer rows what the rows have, a [n x n]: but for zeros the
 * eigenvalues are the same. */
static enum lr_status covariance(double *a, size_t *order, const float *y, size_t n,
                                 size_t d, size_t width, struct lr_err *e)
{
    struct lr_moments m = {0};
    enum lr_status st;

    *order = width;
    if (lr_la_is_thin(n, width)) {
        double *rows = lr_alloc(n * width + width, sizeof(double));
        *order = n;
        if (!rows)
            return lr_enomem(e, n * width * sizeof(double), "the covariance");
        lr_centred_rows(rows + n * width, rows, y, n, d, width);
        st = lr_la_gram_rows(1, n, width, rows, width, a, n, e);
        lr_free(rows);
        return st;
    }
    st = lr_moments_init(&m, width, width, e);
    if (st == LR_OK)
        st = lr_moments_add(&m, n, y, d, y, d, e);
    if (st == LR_OK)
        lr_moments_finish(&m, NULL, NULL, a);
    lr_moments_free(&m);
    return st;
}

/* Adds the eigenvalues of the covariance of one group's channels; a negative one is
 * rounding and counts as 0. */
static enum lr_status response_group(struct lr_spectrum *out, const float *y, size_t n,
                                     size_t j, size_t groups, struct lr_err *e)
{
    size_t d = (size_t)out->d, width = d / groups, order = 0;
    double *cov = lr_alloc((width + 1) * width, sizeof(double));
    double *eig = cov ? cov + width * width : NULL;
    enum lr_status st;

    if (!cov)
        return lr_enomem(e, width * width * sizeof(double), "the covariance");
    st = covariance(cov, &order, y + j * width, n, d, width, e);
    if (st == LR_OK)
        st = lr_la_eigenvalues(order, cov, eig, e);
    if (st != LR_OK)
        goto out;
    out->n_data_rank += (int)lr_gram_rank(eig, order);
    for (size_t a = 0; a < order; a++)
        out->eig[a * groups] += eig[a] > 0 ? eig[a] / (double)n : 0;
out:
    lr_free(cov);
    return st;
}

static enum lr_status response_part(struct lr_spectrum *out, const float *y, size_t n,
                                    size_t groups, struct lr_err *e)
{
    enum lr_status st = LR_OK;

    for (size_t j = 0; j < groups && st == LR_OK; j++)
        st = response_group(out, y, n, j, groups, e);
    lr_interleave(out->eig, (size_t)out->d / groups, groups);
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

/* With groups the j-th singular values of all groups share their mean square, so that
 * the squares add up as the eigenvalues do. */
static enum lr_status weight_part(struct lr_spectrum *out, const float *w,
                                  size_t n_inputs, size_t groups, struct lr_err *e)
{
    size_t d = (size_t)out->d / groups, k = d < n_inputs ? d : n_inputs;
    double *a = lr_alloc(d * n_inputs, sizeof(double)), *sv = lr_alloc(k, sizeof(double));
    enum lr_status st = LR_OK;

    if (!a || !sv) {
        st = lr_enomem(e, d * n_inputs * sizeof(double), "the SVD of the filters");
        goto out;
    }
    for (size_t j = 0; j < groups && st == LR_OK; j++, w += d * n_inputs) {
        for (size_t i = 0; i < d * n_inputs; i++)
            a[i] = (double)w[i];
        st = lr_la_singular_values(d, n_inputs, a, sv, e);
        for (size_t i = 0; st == LR_OK && i < k; i++)
            out->weight_sv[i * groups] += sv[i] * sv[i];
    }
    lr_interleave(out->weight_sv, k, groups);
    for (size_t i = 0; i < k * groups; i++)
        out->weight_sv[i] = sqrt(out->weight_sv[i]);
out:
    lr_free(a);
    lr_free(sv);
    return st;
}

static enum lr_status spatial_part(struct lr_spectrum *out, const struct lr_layer *l,
                                   const float *w, struct lr_err *e)
{
    if (l->kh == 1 && l->kw == 1)
        return LR_OK;
    out->n_spatial = lr_spatial_full(l);
    out->spatial = lr_alloc((size_t)out->n_spatial, sizeof(double));
    if (!out->spatial)
        return lr_enomem(e, (size_t)out->n_spatial * sizeof(double), "a spectrum");
    return lr_spatial_values(out->spatial, l, w, e);
}

enum lr_status lr_spectrum_compute(struct lr_spectrum *out, const float *y, size_t n,
                                   const struct lr_layer *l, const float *w,
                                   struct lr_err *e)
{
    *out = (struct lr_spectrum){.n_samples = n};
    enum lr_status st = lr_layer_check(l, e);

    if (st != LR_OK)
        return st;
    size_t nd = (size_t)l->d, groups = (size_t)l->group;
    size_t n_inputs = (size_t)(l->c / l->group) * (size_t)(l->kh * l->kw);
    out->d = l->d;
    if (!y || n == 0 || n > SIZE_MAX / sizeof(double) / nd)
        return lr_err_set(e, LR_EINVAL, "no sampled responses for a spectrum");
    if (!w)
        return lr_err_set(e, LR_EINVAL, "no filters for a spectrum");
    out->eig = lr_calloc(nd, sizeof(double));
    out->weight_sv = lr_calloc(nd, sizeof(double));
    if (!out->eig || !out->weight_sv) {
        st = lr_enomem(e, 2 * nd * sizeof(double), "a spectrum");
        goto out;
    }
    int n_threads = lr_serial_begin(nd / groups);
    st = response_part(out, y, n, groups, e);
    if (st == LR_OK)
        st = count_part(out, y, n, e);
    if (st == LR_OK)
        st = weight_part(out, w, n_inputs, groups, e);
    lr_la_set_threads(n_threads);
    if (st == LR_OK)
        st = spatial_part(out, l, w, e);
out:
    if (st != LR_OK)
        lr_spectrum_free(out);
    return st;
}

static double share(const double *x, int n, int rank)
{
    double kept = 0, all = 0;

    for (int i = 0; i < n; i++) {
        all += x[i];
        if (i < rank)
            kept += x[i];
    }
    return all > 0 ? kept / all : 1;
}

double lr_spectrum_energy(const struct lr_spectrum *s, int rank)
{
    return share(s->eig, s->d, rank);
}

double lr_spectrum_weight_energy(const struct lr_spectrum *s, int rank)
{
    double kept = 0, all = 0;

    for (int i = 0; i < s->d; i++) {
        double energy = s->weight_sv[i] * s->weight_sv[i];
        all += energy;
        if (i < rank)
            kept += energy;
    }
    return all > 0 ? kept / all : 1;
}

double lr_spectrum_spatial_energy(const struct lr_spectrum *s, int rank)
{
    return share(s->spatial, s->n_spatial, rank);
}
