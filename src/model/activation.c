/* Piecewise linear activations: the two every network has, and questions about one. */
#include <math.h>

#include "ranklab/graph.h"

const struct lr_activation lr_act_none = {-INFINITY, INFINITY, 0};
const struct lr_activation lr_act_relu = {0, INFINITY, 0};

bool lr_act_is_nonlinear(const struct lr_activation *a)
{
    return a->lo > -INFINITY || a->hi < INFINITY;
}

bool lr_act_is_relu(const struct lr_activation *a)
{
    return a->lo == 0 && a->hi == INFINITY && a->slope == 0;
}
