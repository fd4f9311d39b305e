/* Piecewise linear activations value by value, and the z step of the nonlinear solver
 * (eq. 9-10): the parts that its loops over rows inline and vectorise. */
#ifndef LR_APPROX_ZSTEP_H
#define LR_APPROX_ZSTEP_H

#include "ranklab/approx.h"

/* A loop over rows is compiled for wider vectors too, and the widest that the processor
 * has is taken. Clang 14 gives clones names that other files do not find. */
#if defined(HAVE_TARGET_CLONES) && !defined(__clang__)
#define LR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LR_CLONES
#endif

/* r(x); a NaN passes through. */
static inline double lr_act_at(double x, const struct lr_activation *a)
{
    double lo = (double)a->lo, hi = (double)a->hi;

    return x < lo ? lo + (double)a->slope * (x - lo) : x > hi ? hi : x;
}

/* The z step behind a ReLU; inv is 1 / (1 + lambda). */
static inline float lr_z_step_inv(float t, float u, float lambda, float inv)
{
    float rt = 0 > t ? 0 : t, ru = 0 > u ? 0 : u;
    float z0 = u - ru; /* min(0, u) */
    float z1 = (lambda * u + rt) * inv;
    z1 = 0 > z1 ? 0 : z1;
    float e1 = rt - z1, d1 = z1 - u;
    float cost0 = rt * rt + lambda * ru * ru;
    float cost1 = e1 * e1 + lambda * d1 * d1;
    return cost0 < cost1 ? z0 : z1;
}

/* An activation and a lambda, prepared: r(x) = base + slope x below lo. Bounds are
 * finite: a piece that is not there begins at FLT_MAX, where it costs infinitely much. */
struct lr_pieces {
    float lo, hi, slope, base, lambda;
    float inv, inv_low; /* 1 / (1 + lambda), 1 / (slope^2 + lambda) */
};
struct lr_pieces lr_pieces_of(const struct lr_activation *a, float lambda);

static inline float lr_pieces_at(float x, const struct lr_pieces *k)
{
    float low = k->base + k->slope * x, high = x > k->hi ? k->hi : x;

    return x < k->lo ? low : high;
}

/* The z step: on each piece the cost is a parabola, whose minimum is clamped to the
 * piece; the lowest of the three is kept, the middle one when equal. */
static inline float lr_z_step_pieces(float t, float u, const struct lr_pieces *k)
{
    float rt = lr_pieces_at(t, k), lambda = k->lambda;
    float z0 = (k->slope * (rt - k->base) + lambda * u) * k->inv_low;
    z0 = z0 > k->lo ? k->lo : z0;
    float z1 = (rt + lambda * u) * k->inv;
    z1 = z1 < k->lo ? k->lo : z1;
    z1 = z1 > k->hi ? k->hi : z1;
    float z2 = u > k->hi ? u : k->hi;
    float e0 = rt - k->base - k->slope * z0, e1 = rt - z1, e2 = rt - k->hi;
    float cost0 = e0 * e0 + lambda * (z0 - u) * (z0 - u);
    float cost1 = e1 * e1 + lambda * (z1 - u) * (z1 - u);
    float cost2 = e2 * e2 + lambda * (z2 - u) * (z2 - u);
    float z = cost0 < cost1 ? z0 : z1, cost = cost0 < cost1 ? cost0 : cost1;
    return cost2 < cost ? z2 : z;
}

/* LR_EUNSUP when a is not piecewise linear as its declaration says, or constant: that is
 * also what an activation left at zeros would be. */
enum lr_status lr_act_check(const struct lr_activation *a, struct lr_err *e);

#endif
