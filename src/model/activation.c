/* The piecewise linear activations a solver knows. */
#include <float.h>
#include <math.h>

#include "ranklab/graph.h"

const struct lr_activation lr_act_none = {-INFINITY, INFINITY, 0};
const struct lr_activation lr_act_relu = {0, INFINITY, 0};

bool lr_act_is_nonlinear(const struct lr_activation *a)
{
    return (a->lo >= -FLT_MAX && a->slope < 1) || a->hi <= FLT_MAX;
}

bool lr_act_is_relu(const struct lr_activation *a)
{
    return a->lo >= 0 && a->lo <= 0 && a->slope >= 0 && a->slope <= 0 && a->hi > FLT_MAX;
}
