/* Normalisations: rows to mean 0 and deviation 1, vectors to length 1. */
#include <math.h>

#include "kernel/kernel.h"

static void norm_row(const struct lr_norm *n, void *const *bufs, int64_t r)
{
    int at = 1;
    const float *x = (const float *)bufs[0] + r * n->length;
    const float *scale = n->has_scale ? bufs[at++] : NULL;
    const float *shift = n->has_shift ? bufs[at++] : NULL;
    float *y = (float *)bufs[at++] + r * n->length;
    double sum = 0, squares = 0;

    for (int64_t j = 0; j < n->length; j++)
        sum += (double)x[j];
    const double mean = sum / (double)n->length;
    for (int64_t j = 0; j < n->length; j++)
        squares += ((double)x[j] - mean) * ((double)x[j] - mean);
    const double inverse = 1 / sqrt(squares / (double)n->length + (double)n->epsilon);
    for (int64_t j = 0; j < n->length; j++) {
        int64_t c = r % n->cycle * n->per_row + j / n->run % n->per_row;
        double v = ((double)x[j] - mean) * inverse;
        y[j] =
            (float)(v * (scale ? (double)scale[c] : 1) + (shift ? (double)shift[c] : 0));
    }
    if (n->has_mean)
        ((float *)bufs[at++])[r] = (float)mean;
    if (n->has_inverse)
        ((float *)bufs[at])[r] = (float)inverse;
}

static void run_norm(const void *arg, void *const *bufs)
{
    const struct lr_norm *n = arg;

#pragma omp parallel for schedule(static) if (n->rows * n->length > 16384)
    for (int64_t r = 0; r < n->rows; r++)
        norm_row(n, bufs, r);
}

enum lr_status lr_kernel_norm(struct lr_kernel *k, const struct lr_norm *n,
                              struct lr_err *e)
{
    return lr_kernel_make(k, run_norm, n, sizeof(*n), e);
}

struct lp {
    int p;
    int64_t outer, n, inner;
};

static void run_lp(const void *arg, void *const *bufs)
{
    const struct lp *p = arg;

    for (int64_t o = 0; o < p->outer; o++)
        for (int64_t i = 0; i < p->inner; i++) {
            const float *x = (const float *)bufs[0] + o * p->n * p->inner + i;
            float *y = (float *)bufs[1] + o * p->n * p->inner + i;
            double sum = 0;
            for (int64_t j = 0; j < p->n; j++) {
                double v = (double)x[j * p->inner];
                sum += p->p == 1 ? fabs(v) : v * v;
            }
            sum = p->p == 1 ? sum : sqrt(sum);
            for (int64_t j = 0; j < p->n; j++)
                y[j * p->inner] = sum != 0 ? (float)((double)x[j * p->inner] / sum) : 0;
        }
}

enum lr_status lr_kernel_lp_norm(struct lr_kernel *k, int p, int64_t outer, int64_t n,
                                 int64_t inner, struct lr_err *e)
{
    struct lp x = {p, outer, n, inner};

    return lr_kernel_make(k, run_lp, &x, sizeof(x), e);
}
