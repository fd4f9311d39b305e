/* Sums and products of sizes and costs that come from files: INT64_MAX where they are too
 * large, instead of overflowing. */
#ifndef LR_BASE_SATURATE_H
#define LR_BASE_SATURATE_H

#include <stdint.h>

static inline int64_t lr_sat_add(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static inline int64_t lr_sat_mul(int64_t a, int64_t b)
{
    int64_t product;

    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

#endif
