/* Options that record what the nonlinear solver does. */
#ifndef RELU_FIXTURE_H
#define RELU_FIXTURE_H

#include "approx_fixture.h"

enum { MAX_TRACE = 200 };
struct record {
    int n;
    double lambda[MAX_TRACE], relaxed[MAX_TRACE], fit[MAX_TRACE], valid[MAX_TRACE];
};

static inline void record(void *ctx, int iteration, double lambda, double relaxed,
                          double fit, double valid)
{
    struct record *r = ctx;

    assert_int_equal(iteration, r->n);
    assert_true(r->n < MAX_TRACE);
    r->lambda[r->n] = lambda;
    r->relaxed[r->n] = relaxed;
    r->fit[r->n] = fit;
    r->valid[r->n++] = valid;
}

static inline struct lr_solve_opts options(struct record *r, int n_iter1, int n_iter2)
{
    struct lr_solve_opts o;

    lr_solve_opts_default(&o);
    o.n_iter1 = n_iter1;
    o.n_iter2 = n_iter2;
    if (r) {
        *r = (struct record){0};
        o.trace = record;
        o.trace_ctx = r;
    }
    return o;
}

static inline double objective(double t, double z, double u, double lambda)
{
    double e = fmax(0, t) - fmax(0, z);

    return e * e + lambda * (z - u) * (z - u);
}

#endif
