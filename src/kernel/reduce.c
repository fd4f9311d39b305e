/* Sums, extrema and their positions over chosen axes; soft maxima and running sums along
 * one. Sums are kept in double. */
#include <float.h>
#include <math.h>

#include "kernel/kernel.h"
#include "ranklab/mem.h"

struct reduce {
    enum lr_reduce f;
    enum lr_dtype t;
    bool is_last;
    int n_kept, n_gone;
    int64_t kept[LR_MAX_DIMS], kept_step[LR_MAX_DIMS];
    int64_t gone[LR_MAX_DIMS], gone_step[LR_MAX_DIMS];
    int64_t rows, length;
};

static int64_t offset_of(int64_t r, int n, const int64_t *dims, const int64_t *step)
{
    int64_t at = 0;

    for (int i = n - 1; i >= 0; i--) {
        at += r % dims[i] * step[i];
        r /= dims[i];
    }
    return at;
}

static double term(enum lr_reduce f, double x)
{
    switch (f) {
    case LR_RED_L1:
        return fabs(x);
    case LR_RED_L2:
    case LR_RED_SUM_SQUARE:
        return x * x;
    default:
        return x;
    }
}

static double largest(const struct reduce *p, const float *x)
{
    double most = -INFINITY;

    for (int64_t j = 0; j < p->length; j++)
        most = fmax(most, (double)x[offset_of(j, p->n_gone, p->gone, p->gone_step)]);
    return isinf(most) ? 0 : most;
}

static double finish(const struct reduce *p, double sum, double shift)
{
    switch (p->f) {
    case LR_RED_MEAN:
        return sum / (double)p->length;
    case LR_RED_L2:
        return sqrt(sum);
    case LR_RED_LOG_SUM:
        return log(sum);
    case LR_RED_LOG_SUM_EXP:
        return log(sum) + shift;
    default:
        return sum;
    }
}

static float reduce_floats(const struct reduce *p, const float *x)
{
    const double shift = p->f == LR_RED_LOG_SUM_EXP ? largest(p, x) : 0;
    double sum = p->f == LR_RED_PROD  ? 1
                 : p->f == LR_RED_MAX ? -INFINITY
                 : p->f == LR_RED_MIN ? INFINITY
                                      : 0;

    for (int64_t j = 0; j < p->length; j++) {
        double v = p->n_gone == 1
                       ? (double)x[j * p->gone_step[0]]
                       : (double)x[offset_of(j, p->n_gone, p->gone, p->gone_step)];
        if (p->f == LR_RED_MAX)
            sum = v > sum || isnan(v) ? v : sum;
        else if (p->f == LR_RED_MIN)
            sum = v < sum || isnan(v) ? v : sum;
        else if (p->f == LR_RED_PROD)
            sum *= v;
        else if (p->f == LR_RED_LOG_SUM_EXP)
            sum += exp(v - shift);
        else
            sum += term(p->f, v);
    }
    return (float)finish(p, sum, shift);
}

/* Cut towards zero; what is no number of int64 becomes 0. */
static int64_t whole(double x)
{
    return fabs(x) < 9.2e18 ? (int64_t)x : 0;
}

static int64_t reduce_ints(const struct reduce *p, const int64_t *x)
{
    int64_t sum = p->f == LR_RED_PROD  ? 1
                  : p->f == LR_RED_MAX ? INT64_MIN
                  : p->f == LR_RED_MIN ? INT64_MAX
                                       : 0;
    double squares = 0, powers = 0;

    for (int64_t j = 0; j < p->length; j++) {
        int64_t v = x[offset_of(j, p->n_gone, p->gone, p->gone_step)];
        squares += (double)v * (double)v;
        if (p->f == LR_RED_LOG_SUM_EXP)
            powers += exp((double)v);
        if (p->f == LR_RED_MAX)
            sum = v > sum ? v : sum;
        else if (p->f == LR_RED_MIN)
            sum = v < sum ? v : sum;
        else if (p->f == LR_RED_PROD)
            sum = (int64_t)((uint64_t)sum * (uint64_t)v);
        else
            sum = (int64_t)((uint64_t)sum +
                            (p->f == LR_RED_SUM_SQUARE    ? (uint64_t)v * (uint64_t)v
                             : p->f == LR_RED_L1 && v < 0 ? 0 - (uint64_t)v
                                                          : (uint64_t)v));
    }
    if (p->f == LR_RED_L2)
        sum = whole(sqrt(squares));
    else if (p->f == LR_RED_MEAN)
        sum = p->length ? sum / p->length : 0;
    else if (p->f == LR_RED_LOG_SUM)
        sum = whole(log((double)sum));
    else if (p->f == LR_RED_LOG_SUM_EXP)
        sum = whole(log(powers));
    return lr_kernel_wrap(p->t, sum);
}

static int64_t position(const struct reduce *p, const void *in, int64_t start)
{
    const float *f = in;
    const int64_t *v = in;
    const bool is_float = lr_kernel_is_float(p->t), is_max = p->f == LR_RED_ARG_MAX;
    int64_t best = 0;

    for (int64_t j = 1; j < p->length; j++) {
        int64_t a = start + j * p->gone_step[0], b = start + best * p->gone_step[0];
        bool is_more = is_float ? f[a] > f[b] : v[a] > v[b];
        bool is_less = is_float ? f[a] < f[b] : v[a] < v[b];
        if ((is_max ? is_more : is_less) || (p->is_last && !is_more && !is_less))
            best = j;
    }
    return best;
}

static void run_reduce(const void *arg, void *const *bufs)
{
    const struct reduce *p = arg;
    const bool is_arg = p->f == LR_RED_ARG_MAX || p->f == LR_RED_ARG_MIN;

#pragma omp parallel for schedule(static) if (p->rows > 1 && p->rows * p->length > 16384)
    for (int64_t r = 0; r < p->rows; r++) {
        int64_t at = offset_of(r, p->n_kept, p->kept, p->kept_step);
        if (is_arg)
            ((int64_t *)bufs[1])[r] = position(p, bufs[0], at);
        else if (lr_kernel_is_float(p->t))
            ((float *)bufs[1])[r] = reduce_floats(p, (const float *)bufs[0] + at);
        else
            ((int64_t *)bufs[1])[r] = reduce_ints(p, (const int64_t *)bufs[0] + at);
    }
}

enum lr_status lr_kernel_reduce(struct lr_kernel *k, enum lr_reduce f,
                                const struct lr_shape *in, unsigned axes, enum lr_dtype t,
                                bool is_last, struct lr_err *e)
{
    struct reduce p = {.f = f, .t = t, .is_last = is_last, .rows = 1, .length = 1};
    int64_t step[LR_MAX_DIMS], all = 1;

    for (int i = in->n_dims - 1; i >= 0; i--) {
        step[i] = all;
        all *= in->dims[i];
    }
    for (int i = 0; i < in->n_dims; i++)
        if (axes & 1U << i) {
            p.gone[p.n_gone] = in->dims[i];
            p.gone_step[p.n_gone++] = step[i];
            p.length *= in->dims[i];
        } else {
            p.kept[p.n_kept] = in->dims[i];
            p.kept_step[p.n_kept++] = step[i];
            p.rows *= in->dims[i];
        }
    /* neighbours that are one run of memory are one axis */
    for (int i = p.n_gone - 1; i > 0; i--)
        if (p.gone_step[i - 1] == p.gone[i] * p.gone_step[i] && i == p.n_gone - 1) {
            p.gone[i - 1] *= p.gone[i];
            p.gone_step[i - 1] = p.gone_step[i];
            p.n_gone--;
        }
    if ((f == LR_RED_ARG_MAX || f == LR_RED_ARG_MIN) && p.n_gone > 1)
        return lr_err_set(e, LR_EUNSUP, "the position of an extremum over several axes");
    return lr_kernel_make(k, run_reduce, &p, sizeof(p), e);
}

struct softmax {
    enum lr_softmax f;
    int64_t outer, n, inner;
};

static void softmax_row(const struct softmax *p, const float *x, float *y)
{
    float most = x[0];
    int64_t best = 0;
    double sum = 0;

    for (int64_t j = 1; j < p->n; j++)
        if (x[j * p->inner] > most) {
            most = x[j * p->inner];
            best = j;
        }
    for (int64_t j = 0; j < p->n && p->f != LR_HARDMAX; j++)
        sum += exp((double)(x[j * p->inner] - most));
    for (int64_t j = 0; j < p->n; j++) {
        float d = x[j * p->inner] - most;
        y[j * p->inner] = p->f == LR_HARDMAX       ? (float)(j == best)
                          : p->f == LR_LOG_SOFTMAX ? (float)((double)d - log(sum))
                                                   : (float)(exp((double)d) / sum);
    }
}

static void run_softmax(const void *arg, void *const *bufs)
{
    const struct softmax *p = arg;

#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t o = 0; o < p->outer; o++)
        for (int64_t i = 0; i < p->inner; i++) {
            int64_t at = o * p->n * p->inner + i;
            softmax_row(p, (const float *)bufs[0] + at, (float *)bufs[1] + at);
        }
}

enum lr_status lr_kernel_softmax(struct lr_kernel *k, enum lr_softmax f, int64_t outer,
                                 int64_t n, int64_t inner, struct lr_err *e)
{
    struct softmax p = {f, n > 0 ? outer : 0, n, inner};

    return lr_kernel_make(k, run_softmax, &p, sizeof(p), e);
}

struct cumsum {
    int64_t outer, n, inner;
    bool is_exclusive, is_reverse;
    enum lr_dtype t;
};

static void run_cumsum(const void *arg, void *const *bufs)
{
    const struct cumsum *p = arg;

    for (int64_t o = 0; o < p->outer; o++)
        for (int64_t i = 0; i < p->inner; i++) {
            double sum = 0;
            uint64_t total = 0;
            for (int64_t j = 0; j < p->n; j++) {
                int64_t at =
                    (o * p->n + (p->is_reverse ? p->n - 1 - j : j)) * p->inner + i;
                if (lr_kernel_is_float(p->t)) {
                    double x = (double)((const float *)bufs[0])[at];
                    ((float *)bufs[1])[at] = (float)(p->is_exclusive ? sum : sum + x);
                    sum += x;
                } else {
                    uint64_t x = (uint64_t)((const int64_t *)bufs[0])[at];
                    ((int64_t *)bufs[1])[at] = lr_kernel_wrap(
                        p->t, (int64_t)(p->is_exclusive ? total : total + x));
                    total += x;
                }
            }
        }
}

enum lr_status lr_kernel_cumsum(struct lr_kernel *k, int64_t outer, int64_t n,
                                int64_t inner, bool is_exclusive, bool is_reverse,
                                enum lr_dtype t, struct lr_err *e)
{
    struct cumsum p = {outer, n, inner, is_exclusive, is_reverse, t};

    return lr_kernel_make(k, run_cumsum, &p, sizeof(p), e);
}
