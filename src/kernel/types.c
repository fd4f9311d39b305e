/* The way between a tensor's type and the numbers kept, from one type to another, and to
 * quantised values and back. */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"

bool lr_kernel_is_float(enum lr_dtype t)
{
    return t == LR_DT_F32 || t == LR_DT_F16 || t == LR_DT_BF16 || t == LR_DT_F64 ||
           t == LR_DT_NONE;
}

int64_t lr_kernel_wrap(enum lr_dtype t, int64_t x)
{
    switch (t) {
    case LR_DT_U8:
        return (uint8_t)x;
    case LR_DT_I8:
        return (int8_t)x;
    case LR_DT_U16:
        return (uint16_t)x;
    case LR_DT_I16:
        return (int16_t)x;
    case LR_DT_I32:
        return (int32_t)x;
    case LR_DT_U32:
        return (uint32_t)x;
    case LR_DT_BOOL:
        return x != 0;
    default:
        return x;
    }
}

static float bf16_to_float(uint16_t b)
{
    uint32_t u = (uint32_t)b << 16;
    float f;

    memcpy(&f, &u, sizeof(f));
    return f;
}

/* Nearest, halves to even; NaN stays one. */
static uint16_t float_to_bf16(float f)
{
    uint32_t u;

    if (isnan(f))
        return 0x7fc0;
    memcpy(&u, &f, sizeof(u));
    u += 0x7fff + (u >> 16 & 1);
    return (uint16_t)(u >> 16);
}

void lr_kernel_load(void *out, const struct lr_tensor *t, int64_t count)
{
    float *f = out;
    int64_t *v = out;

    switch (t->dtype) {
    case LR_DT_F32:
        if (count > 0)
            memcpy(f, t->data, (size_t)count * sizeof(*f));
        return;
    case LR_DT_F64:
        for (int64_t i = 0; i < count; i++)
            f[i] = (float)((const double *)t->data)[i];
        return;
    case LR_DT_F16:
        for (int64_t i = 0; i < count; i++)
            f[i] = lr_half_to_float(((const uint16_t *)t->data)[i]);
        return;
    case LR_DT_BF16:
        for (int64_t i = 0; i < count; i++)
            f[i] = bf16_to_float(((const uint16_t *)t->data)[i]);
        return;
    default:
        for (int64_t i = 0; i < count; i++)
            v[i] = lr_tensor_int_at(t, i);
    }
}

void lr_kernel_store(struct lr_tensor *t, const void *in, int64_t count)
{
    const float *f = in;
    const int64_t *v = in;

    for (int64_t i = 0; i < count; i++)
        switch (t->dtype) {
        case LR_DT_F32:
            ((float *)t->data)[i] = f[i];
            break;
        case LR_DT_F64:
            ((double *)t->data)[i] = (double)f[i];
            break;
        case LR_DT_F16:
            ((uint16_t *)t->data)[i] = lr_float_to_half(f[i]);
            break;
        case LR_DT_BF16:
            ((uint16_t *)t->data)[i] = float_to_bf16(f[i]);
            break;
        case LR_DT_U8:
        case LR_DT_BOOL:
            ((uint8_t *)t->data)[i] = (uint8_t)v[i];
            break;
        case LR_DT_I8:
            ((int8_t *)t->data)[i] = (int8_t)v[i];
            break;
        case LR_DT_U16:
            ((uint16_t *)t->data)[i] = (uint16_t)v[i];
            break;
        case LR_DT_I16:
            ((int16_t *)t->data)[i] = (int16_t)v[i];
            break;
        case LR_DT_U32:
        case LR_DT_I32:
            ((int32_t *)t->data)[i] = (int32_t)v[i];
            break;
        default:
            ((int64_t *)t->data)[i] = v[i];
        }
}

struct cast {
    enum lr_dtype from, to;
    int64_t count;
};

static int64_t to_int(double x, enum lr_dtype t)
{
    if (t == LR_DT_BOOL)
        return x != 0; /* NaN too */
    if (!(x > -9.2233720368547e18))
        return isnan(x) ? 0 : INT64_MIN;
    if (x >= 9.2233720368547e18)
        return INT64_MAX;
    return lr_kernel_wrap(t, (int64_t)x);
}

static float round_to(float x, enum lr_dtype t)
{
    if (t == LR_DT_F16)
        return lr_half_to_float(lr_float_to_half(x));
    return t == LR_DT_BF16 ? bf16_to_float(float_to_bf16(x)) : x;
}

static void run_cast(const void *arg, void *const *bufs)
{
    const struct cast *c = arg;
    const bool from = lr_kernel_is_float(c->from), to = lr_kernel_is_float(c->to);
    const float *f = bufs[0];
    const int64_t *v = bufs[0];
    float *yf = bufs[1];
    int64_t *yi = bufs[1];

#pragma omp parallel for schedule(static) if (c->count > 16384)
    for (int64_t i = 0; i < c->count; i++) {
        if (to && from)
            yf[i] = round_to(f[i], c->to);
        else if (to)
            yf[i] = round_to(c->from == LR_DT_U64 ? (float)(uint64_t)v[i] : (float)v[i],
                             c->to);
        else if (from)
            yi[i] = to_int((double)f[i], c->to);
        else
            yi[i] = lr_kernel_wrap(c->to, v[i]);
    }
}

enum lr_status lr_kernel_cast(struct lr_kernel *k, enum lr_dtype from, enum lr_dtype to,
                              int64_t count, struct lr_err *e)
{
    struct cast c = {from, to, count};

    return lr_kernel_make(k, run_cast, &c, sizeof(c), e);
}

struct quant {
    int64_t count, inner, size; /* size: positions of the axis */
    int64_t block, n_blocks;    /* 0: each position has a scale */
    bool has_zero;
    int64_t lo, hi;
};

/* The scale of element i. */
static int64_t scale_of(const struct quant *q, int64_t i)
{
    int64_t at = i / q->inner % q->size;

    if (q->block == 0)
        return at;
    return (i / q->inner / q->size * q->n_blocks + at / q->block) * q->inner +
           i % q->inner;
}

static void run_quantize(const void *arg, void *const *bufs)
{
    const struct quant *q = arg;
    const float *x = bufs[0], *scale = bufs[1];
    const int64_t *zero = q->has_zero ? bufs[2] : NULL;
    int64_t *y = bufs[q->has_zero ? 3 : 2];

#pragma omp parallel for schedule(static) if (q->count > 16384)
    for (int64_t i = 0; i < q->count; i++) {
        int64_t c = scale_of(q, i);
        double v = (double)rintf(x[i] / scale[c]) + (zero ? (double)zero[c] : 0);
        /* NaN becomes the least */
        y[i] = !(v > (double)q->lo) ? q->lo : v > (double)q->hi ? q->hi : (int64_t)v;
    }
}

static void run_dequantize(const void *arg, void *const *bufs)
{
    const struct quant *q = arg;
    const int64_t *x = bufs[0];
    const float *scale = bufs[1];
    const int64_t *zero = q->has_zero ? bufs[2] : NULL;
    float *y = bufs[q->has_zero ? 3 : 2];

#pragma omp parallel for schedule(static) if (q->count > 16384)
    for (int64_t i = 0; i < q->count; i++) {
        int64_t c = scale_of(q, i);
        y[i] = (float)((double)x[i] - (zero ? (double)zero[c] : 0)) * scale[c];
    }
}

static struct quant quant_of(const struct lr_shape *s, int axis, bool is_per_axis,
                             int64_t block, bool has_zero)
{
    struct quant q = {.count = 1, .inner = 1, .size = 1, .has_zero = has_zero};

    for (int i = 0; i < s->n_dims; i++) {
        q.count *= s->dims[i];
        if (is_per_axis && i > axis)
            q.inner *= s->dims[i];
    }
    if (is_per_axis)
        q.size = s->dims[axis];
    if (block > 0) {
        q.block = block;
        q.n_blocks = q.size / block + (q.size % block != 0);
    }
    return q;
}

enum lr_status lr_kernel_quantize(struct lr_kernel *k, const struct lr_shape *s, int axis,
                                  bool is_per_axis, int64_t block, bool has_zero,
                                  enum lr_dtype to, struct lr_err *e)
{
    struct quant q = quant_of(s, axis, is_per_axis, block, has_zero);

    switch (to) {
    case LR_DT_I8:
        q.lo = INT8_MIN;
        q.hi = INT8_MAX;
        break;
    case LR_DT_I16:
        q.lo = INT16_MIN;
        q.hi = INT16_MAX;
        break;
    case LR_DT_U16:
        q.hi = UINT16_MAX;
        break;
    default:
        q.hi = UINT8_MAX;
    }
    return lr_kernel_make(k, run_quantize, &q, sizeof(q), e);
}

enum lr_status lr_kernel_dequantize(struct lr_kernel *k, const struct lr_shape *s,
                                    int axis, bool is_per_axis, int64_t block,
                                    bool has_zero, struct lr_err *e)
{
    struct quant q = quant_of(s, axis, is_per_axis, block, has_zero);

    return lr_kernel_make(k, run_dequantize, &q, sizeof(q), e);
}
