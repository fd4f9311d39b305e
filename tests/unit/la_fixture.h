/* Matrices for the tests of linear algebra, and naive loops to hold results against. */
#ifndef LA_FIXTURE_H
#define LA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

static inline double *randoms(struct lr_rng *r, size_t n)
{
    double *x = lr_alloc(n, sizeof(*x));

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = lr_rng_normal(r);
    return x;
}

static inline double *copy_of(const double *x, size_t n)
{
    double *y = lr_alloc(n, sizeof(*y));

    assert_non_null(y);
    memcpy(y, x, n * sizeof(*y));
    return y;
}

static inline double largest_difference(const double *x, const double *y, size_t n)
{
    double d = 0;

    for (size_t i = 0; i < n; i++)
        d = isnan(x[i] - y[i]) ? INFINITY : fmax(d, fabs(x[i] - y[i]));
    return d;
}

static inline void expect_near(double x, double wanted, double tolerance)
{
    if (!(fabs(x - wanted) <= tolerance))
        fail_msg("%.17g is not %.17g", x, wanted);
}

#endif
