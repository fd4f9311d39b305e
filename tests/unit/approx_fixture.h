/* Synthetic responses for the tests of the solvers, and M = P Q^T written out. */
#ifndef APPROX_FIXTURE_H
#define APPROX_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ranklab/approx.h"
#include "ranklab/la.h"
#include "ranklab/rng.h"

struct fixture {
    struct lr_samples s;
    float *target, *yhat, *shortcut;
};

static inline void fixture_free(struct fixture *f)
{
    free(f->target);
    free(f->yhat);
    free(f->shortcut);
    *f = (struct fixture){0};
}

/* n rows of d responses that span data_rank dimensions with decaying spread (up to
 * float32 rounding) around a mean. target: the original's; yhat: the same through a
 * slightly different linear map plus noise (0: equal values in another buffer). */
static inline struct fixture fixture_make(int d, int data_rank, size_t n, double noise,
                                          bool has_shortcut, uint64_t seed)
{
    struct fixture f = {0};
    struct lr_rng r;
    size_t nd = (size_t)d, nr = (size_t)data_rank;
    double *mix = malloc(nd * nr * sizeof(double)), *mean = malloc(nd * sizeof(double));
    double *latent = malloc(nr * sizeof(double));

    assert_non_null(mix);
    assert_non_null(mean);
    assert_non_null(latent);
    f.target = malloc(n * nd * sizeof(float));
    f.yhat = malloc(n * nd * sizeof(float));
    f.shortcut = has_shortcut ? malloc(n * nd * sizeof(float)) : NULL;
    lr_rng_seed(&r, seed);
    for (size_t i = 0; i < nd * nr; i++)
        mix[i] = lr_rng_normal(&r) / (1 + 0.3 * (double)(i % nr));
    for (size_t i = 0; i < nd; i++)
        mean[i] = lr_rng_normal(&r) - 0.5;
    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < nr; a++)
            latent[a] = lr_rng_normal(&r);
        for (size_t j = 0; j < nd; j++) {
            double y = mean[j];
            for (size_t a = 0; a < nr; a++)
                y += mix[j * nr + a] * latent[a];
            f.target[i * nd + j] = (float)y;
        }
        for (size_t j = 0; j < nd; j++) {
            double y = (double)f.target[i * nd + j];
            if (noise > 0)
                y +=
                    noise * ((double)f.target[i * nd + (j + 1) % nd] + lr_rng_normal(&r));
            f.yhat[i * nd + j] = (float)y;
        }
        for (size_t j = 0; has_shortcut && j < nd; j++) {
            double s = 0.7 * lr_rng_normal(&r);
            f.target[i * nd + j] += (float)s;
            f.shortcut[i * nd + j] = (float)(s + noise * lr_rng_normal(&r));
        }
    }
    free(mix);
    free(mean);
    free(latent);
    f.s = (struct lr_samples){.d = d,
                              .n_fit = n,
                              .act = lr_act_none,
                              .target = f.target,
                              .yhat = f.yhat,
                              .shortcut = f.shortcut};
    return f;
}

/* Moves rows from the end of the fit part to the validation and held-out parts. */
static inline void fixture_split(struct fixture *f, size_t n_valid, size_t n_held)
{
    f->s.n_fit -= n_valid + n_held;
    f->s.n_valid = n_valid;
    f->s.n_held = n_held;
}

/* M = P Q^T [d x d]; free() it. */
static inline double *product_of(const struct lr_lowrank *m)
{
    size_t d = (size_t)m->d, rank = (size_t)m->rank;
    double *out = calloc(d * d, sizeof(double));

    assert_non_null(out);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++)
            for (size_t a = 0; a < rank; a++)
                out[i * d + j] += m->p[i * rank + a] * m->q[j * rank + a];
    return out;
}

static inline double largest_difference(const double *a, const double *b, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= most))
            most = fabs(a[i] - b[i]);
    return most;
}

/* yr [n x d] = M yhat + b + shortcut by plain loops; free() it. */
static inline double *predict(const struct lr_samples *s, const double *matrix,
                              const double *b)
{
    size_t d = (size_t)s->d, n = s->n_fit + s->n_valid + s->n_held;
    double *out = malloc(n * d * sizeof(double));

    assert_non_null(out);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) {
            double sum = b[j] + (s->shortcut ? (double)s->shortcut[i * d + j] : 0);
            for (size_t k = 0; k < d; k++)
                sum += matrix[j * d + k] * (double)s->yhat[i * d + k];
            out[i * d + j] = sum;
        }
    return out;
}

/* r(x) as its declaration says. */
static inline double activate(double x, const struct lr_activation *a)
{
    if (x < (double)a->lo)
        return (double)a->lo + (double)a->slope * (x - (double)a->lo);
    return x > (double)a->hi ? (double)a->hi : x;
}

/* sum |f(target) - f(yr)|^2 over rows first..first+n-1. */
static inline double loss_of(const struct lr_samples *s, const double *yr, size_t first,
                             size_t n)
{
    size_t d = (size_t)s->d;
    double sum = 0;

    for (size_t i = first * d; i < (first + n) * d; i++) {
        double t = activate((double)s->target[i], &s->act), y = activate(yr[i], &s->act);
        sum += (t - y) * (t - y);
    }
    return sum;
}

#endif
