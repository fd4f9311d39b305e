/* Element-wise functions. */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "ranklab/mem.h"

struct map {
    enum lr_map f;
    float a, b;
    int64_t count;
    enum lr_dtype t;
};

static float clip(float x, float lo, float hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static float softplus(float x)
{
    return x > 20 ? x : log1pf(expf(x));
}

static float gelu_tanh(float x)
{
    return 0.5F * x * (1 + tanhf(0.7978845608F * (x + 0.044715F * x * x * x)));
}

static float apply(enum lr_map f, float x, float a, float b)
{
    switch (f) {
    case LR_MAP_COPY:
        return x;
    case LR_MAP_RELU:
        return x > 0 ? x : 0;
    case LR_MAP_LEAKY:
        return x < 0 ? a * x : x;
    case LR_MAP_CLIP:
        return clip(x, a, b);
    case LR_MAP_SIGMOID:
        return 1 / (1 + expf(-x));
    case LR_MAP_TANH:
        return tanhf(x);
    case LR_MAP_HARD_SIGMOID:
        return clip(a * x + b, 0, 1);
    case LR_MAP_HARD_SWISH:
        return x * clip(x / 6 + 0.5F, 0, 1);
    case LR_MAP_ELU:
        return x < 0 ? a * expm1f(x) : x;
    case LR_MAP_SELU:
        return b * (x < 0 ? a * expm1f(x) : x);
    case LR_MAP_CELU:
        return x < 0 ? a * expm1f(x / a) : x;
    case LR_MAP_GELU_ERF:
        return 0.5F * x * (1 + erff(x * 0.70710678F));
    case LR_MAP_GELU_TANH:
        return gelu_tanh(x);
    case LR_MAP_MISH:
        return x * tanhf(softplus(x));
    case LR_MAP_SOFTPLUS:
        return softplus(x);
    case LR_MAP_SOFTSIGN:
        return x / (1 + fabsf(x));
    case LR_MAP_THRESHOLDED:
        return x > a ? x : 0;
    case LR_MAP_SHRINK:
        return x < -a ? x + b : x > a ? x - b : 0;
    case LR_MAP_EXP:
        return expf(x);
    case LR_MAP_LOG:
        return logf(x);
    case LR_MAP_SQRT:
        return sqrtf(x);
    case LR_MAP_ERF:
        return erff(x);
    case LR_MAP_SIN:
        return sinf(x);
    case LR_MAP_COS:
        return cosf(x);
    case LR_MAP_TAN:
        return tanf(x);
    case LR_MAP_ASIN:
        return asinf(x);
    case LR_MAP_ACOS:
        return acosf(x);
    case LR_MAP_ATAN:
        return atanf(x);
    case LR_MAP_SINH:
        return sinhf(x);
    case LR_MAP_COSH:
        return coshf(x);
    case LR_MAP_ASINH:
        return asinhf(x);
    case LR_MAP_ACOSH:
        return acoshf(x);
    case LR_MAP_ATANH:
        return atanhf(x);
    case LR_MAP_RECIPROCAL:
        return 1 / x;
    case LR_MAP_FLOOR:
        return floorf(x);
    case LR_MAP_CEIL:
        return ceilf(x);
    case LR_MAP_ROUND:
        return rintf(x);
    case LR_MAP_ABS:
        return fabsf(x);
    case LR_MAP_NEG:
        return -x;
    case LR_MAP_SIGN:
        return (float)((x > 0) - (x < 0));
    case LR_MAP_NOT:
        return x == 0;
    }
    return x;
}

static int64_t apply_int(enum lr_map f, int64_t x, bool is_unsigned)
{
    if (is_unsigned && (f == LR_MAP_RELU || f == LR_MAP_ABS || f == LR_MAP_SIGN))
        return f == LR_MAP_SIGN ? x != 0 : x;
    switch (f) {
    case LR_MAP_RELU:
        return x > 0 ? x : 0;
    case LR_MAP_ABS:
        return x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
    case LR_MAP_NEG:
        return (int64_t)(0 - (uint64_t)x);
    case LR_MAP_SIGN:
        return (x > 0) - (x < 0);
    case LR_MAP_NOT:
        return x == 0;
    default:
        return x;
    }
}

static void run_map(const void *arg, void *const *bufs)
{
    const struct map *m = arg;
    const float *x = bufs[0];
    float *y = bufs[1];

#pragma omp parallel for schedule(static) if (m->count > 16384)
    for (int64_t i = 0; i < m->count; i++)
        y[i] = apply(m->f, x[i], m->a, m->b);
}

static void run_map_int(const void *arg, void *const *bufs)
{
    const struct map *m = arg;
    const int64_t *x = bufs[0];
    int64_t *y = bufs[1];

    for (int64_t i = 0; i < m->count; i++)
        y[i] = lr_kernel_wrap(m->t, apply_int(m->f, x[i], m->t == LR_DT_U64));
}

enum lr_status lr_kernel_make(struct lr_kernel *k,
                              void (*run)(const void *, void *const *), const void *arg,
                              size_t size, struct lr_err *e)
{
    *k = (struct lr_kernel){run, lr_alloc(1, size)};
    if (!k->arg)
        return lr_enomem(e, size, "a kernel");
    memcpy(k->arg, arg, size);
    return LR_OK;
}

enum lr_status lr_kernel_map(struct lr_kernel *k, enum lr_map f, float a, float b,
                             int64_t count, enum lr_dtype t, struct lr_err *e)
{
    struct map m = {f, a, b, count, t};

    return lr_kernel_make(k, lr_kernel_is_float(t) ? run_map : run_map_int, &m, sizeof(m),
                          e);
}

struct clip_ints {
    int64_t lo, hi, count;
    bool is_unsigned;
};

static void run_clip_ints(const void *arg, void *const *bufs)
{
    const struct clip_ints *c = arg;
    /* with the highest bit turned over, unsigned numbers are in order as signed ones */
    const uint64_t turn = c->is_unsigned ? (uint64_t)1 << 63 : 0;
    const int64_t *x = bufs[0];
    int64_t *y = bufs[1];

    for (int64_t i = 0; i < c->count; i++) {
        int64_t v = (int64_t)((uint64_t)x[i] ^ turn);
        y[i] = v < (int64_t)((uint64_t)c->lo ^ turn)   ? c->lo
               : v > (int64_t)((uint64_t)c->hi ^ turn) ? c->hi
                                                       : x[i];
    }
}

enum lr_status lr_kernel_clip_ints(struct lr_kernel *k, int64_t lo, int64_t hi,
                                   int64_t count, enum lr_dtype t, struct lr_err *e)
{
    struct clip_ints c = {lo, hi, count, t == LR_DT_U64};

    return lr_kernel_make(k, run_clip_ints, &c, sizeof(c), e);
}

struct keep {
    int64_t count;
    bool is_float_mask;
};

static void run_keep_all(const void *arg, void *const *bufs)
{
    const struct keep *m = arg;

    for (int64_t i = 0; i < m->count; i++) {
        ((float *)bufs[1])[i] = ((const float *)bufs[0])[i];
        if (m->is_float_mask)
            ((float *)bufs[2])[i] = 1;
        else
            ((int64_t *)bufs[2])[i] = 1;
    }
}

enum lr_status lr_kernel_keep_all(struct lr_kernel *k, int64_t count, bool is_float_mask,
                                  struct lr_err *e)
{
    struct keep m = {count, is_float_mask};

    return lr_kernel_make(k, run_keep_all, &m, sizeof(m), e);
}
