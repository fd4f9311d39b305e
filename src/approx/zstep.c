/* The z step of a single value, and what the loops of the nonlinear solver prepare. */
#include "approx/zstep.h"

#include <float.h>

float lr_z_step(float t, float u, float lambda)
{
    return lr_z_step_inv(t, u, lambda, 1 / (1 + lambda));
}

struct lr_pieces lr_pieces_of(const struct lr_activation *a, float lambda)
{
    struct lr_pieces k = {.lambda = lambda, .slope = a->slope};

    k.lo = a->lo < -FLT_MAX ? -FLT_MAX : a->lo;
    k.hi = a->hi > FLT_MAX ? FLT_MAX : a->hi;
    k.base = k.lo * (1 - k.slope);
    k.inv = 1 / (1 + lambda);
    k.inv_low = 1 / (k.slope * k.slope + lambda);
    return k;
}

float lr_z_step_act(float t, float u, float lambda, const struct lr_activation *a)
{
    if (lr_act_is_relu(a))
        return lr_z_step(t, u, lambda);
    struct lr_pieces k = lr_pieces_of(a, lambda);
    return lr_z_step_pieces(t, u, &k);
}

enum lr_status lr_act_check(const struct lr_activation *a, struct lr_err *e)
{
    if (!(a->lo < a->hi))
        return lr_err_set(e, LR_EUNSUP,
                          "an activation from %g to %g gives the same whatever it gets",
                          (double)a->lo, (double)a->hi);
    if (!(a->slope >= 0 && a->slope < 1))
        return lr_err_set(e, LR_EUNSUP,
                          "a slope of %g below the bound: from 0 to below 1 is supported",
                          (double)a->slope);
    return LR_OK;
}
