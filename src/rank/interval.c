/* Confidence intervals of proportions at 95 %.
 * One proportion: Wilson's score interval (1927). Difference of paired proportions:
 * method 10 of Newcombe, "Improved confidence intervals for the difference between
 * binomial proportions based on paired data", Statistics in Medicine 17 (1998): the two
 * Wilson intervals, put together with the correlation phi of the two outcomes, whose
 * estimate is corrected for continuity where it is positive. */
#include "ranklab/eval.h"

#include <math.h>

static const double Z = 1.959963984540054; /* the normal's 97.5 % quantile */

void lr_wilson(double *low, double *high, int64_t k, int64_t n)
{
    if (n < 1) {
        *low = *high = NAN;
        return;
    }
    double p = (double)k / (double)n, z2 = Z * Z, m = (double)n;
    double centre = (p + z2 / (2 * m)) / (1 + z2 / m);
    double half = Z * sqrt(p * (1 - p) / m + z2 / (4 * m * m)) / (1 + z2 / m);

    /* At k = 0 and k = n the ends are 0 and 1; rounding must not leave them just outside.
     */
    *low = k == 0 ? 0 : fmax(0, centre - half);
    *high = k == n ? 1 : fmin(1, centre + half);
}

static double phi(double a, double b, double c, double d)
{
    double margins = (a + b) * (c + d) * (a + c) * (b + d);
    double top = a * d - b * c;

    if (margins <= 0)
        return 0;
    if (top > 0)
        top = fmax(0, top - (a + b + c + d) / 2);
    return top / sqrt(margins);
}

void lr_paired_interval(double *difference, double *low, double *high, int64_t both,
                        int64_t only_a, int64_t only_b, int64_t neither)
{
    int64_t n = both + only_a + only_b + neither;
    double l1 = NAN, u1 = NAN, l2 = NAN, u2 = NAN;

    if (n < 1) {
        *difference = *low = *high = NAN;
        return;
    }
    double p1 = (double)(both + only_a) / (double)n;
    double p2 = (double)(both + only_b) / (double)n;
    double theta = (double)(only_a - only_b) / (double)n;
    double r = phi((double)both, (double)only_a, (double)only_b, (double)neither);
    lr_wilson(&l1, &u1, both + only_a, n);
    lr_wilson(&l2, &u2, both + only_b, n);
    double a = p1 - l1, b = u2 - p2, c = u1 - p1, d = p2 - l2;
    *difference = theta;
    *low = theta - sqrt(fmax(0, a * a - 2 * r * a * b + b * b));
    *high = theta + sqrt(fmax(0, c * c - 2 * r * c * d + d * d));
}
