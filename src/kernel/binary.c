/* Functions of two or three operands with numpy's broadcasting: strides of 0 repeat. One
 * row of the result is done at a time. */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "ranklab/mem.h"

struct strides {
    int64_t at[LR_MAX_DIMS];
};

/* Strides of an operand seen through out; false when it does not broadcast to it. */
static bool strides_of(struct strides *s, const struct lr_shape *out,
                       const struct lr_shape *x)
{
    int64_t step = 1;

    if (x->n_dims > out->n_dims)
        return false;
    for (int i = out->n_dims - 1; i >= 0; i--) {
        int j = i - (out->n_dims - x->n_dims);
        int64_t d = j >= 0 ? x->dims[j] : 1;
        if (d != out->dims[i] && d != 1)
            return false;
        s->at[i] = d == 1 ? 0 : step;
        step *= d;
    }
    return true;
}

/* Where row r of out starts in the operand. */
static int64_t row_start(const struct lr_shape *out, const struct strides *s, int64_t r)
{
    int64_t at = 0;

    for (int i = out->n_dims - 2; i >= 0; i--) {
        at += r % out->dims[i] * s->at[i];
        r /= out->dims[i];
    }
    return at;
}

static int64_t row_length(const struct lr_shape *s)
{
    return s->n_dims ? s->dims[s->n_dims - 1] : 1;
}

static int64_t row_count(const struct lr_shape *s)
{
    int64_t n = 1;

    for (int i = 0; i + 1 < s->n_dims; i++)
        n *= s->dims[i];
    return n;
}

static int64_t last_step(const struct lr_shape *out, const struct strides *s)
{
    return out->n_dims ? s->at[out->n_dims - 1] : 0;
}

struct binary {
    enum lr_binary f;
    struct lr_shape out;
    struct strides a, b;
    enum lr_dtype ta, tb, to;
};

static float remainder_of(float x, float y, bool is_c)
{
    float r = fmodf(x, y);

    return !is_c && r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

static float apply(enum lr_binary f, float x, float y)
{
    switch (f) {
    case LR_BIN_ADD:
        return x + y;
    case LR_BIN_SUB:
        return x - y;
    case LR_BIN_MUL:
        return x * y;
    case LR_BIN_DIV:
        return x / y;
    case LR_BIN_MOD:
        return remainder_of(x, y, false);
    case LR_BIN_FMOD:
        return remainder_of(x, y, true);
    case LR_BIN_POW:
        return powf(x, y);
    case LR_BIN_MAX:
        return x > y || isnan(x) ? x : y;
    case LR_BIN_MIN:
        return x < y || isnan(x) ? x : y;
    case LR_BIN_PRELU:
        return x < 0 ? x * y : x;
    default:
        return 0;
    }
}

static bool compare(enum lr_binary f, float x, float y)
{
    switch (f) {
    case LR_BIN_EQUAL:
        return x == y;
    case LR_BIN_GREATER:
        return x > y;
    case LR_BIN_LESS:
        return x < y;
    case LR_BIN_GREATER_EQUAL:
        return x >= y;
    default:
        return x <= y;
    }
}

static uint64_t power(uint64_t x, int64_t y)
{
    uint64_t p = 1;

    /* 1 / x^-y, cut towards zero */
    if (y < 0)
        return x == 1 || (x == UINT64_MAX && y % 2 == 0) ? 1 : x == UINT64_MAX ? x : 0;
    for (; y > 0; y >>= 1, x *= x)
        if (y & 1)
            p *= x;
    return p;
}

/* C's division cuts towards zero, as ONNX's does; by 0 and the one overflow give 0. */
static int64_t divide(int64_t x, int64_t y, enum lr_dtype t)
{
    if (y == 0)
        return 0;
    if (t == LR_DT_U64)
        return (int64_t)((uint64_t)x / (uint64_t)y);
    return y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

static int64_t modulo(int64_t x, int64_t y, enum lr_dtype t, bool is_c)
{
    if (y == 0 || y == -1)
        return 0;
    if (t == LR_DT_U64)
        return (int64_t)((uint64_t)x % (uint64_t)y);
    int64_t r = x % y;
    return !is_c && r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

static int64_t apply_int(enum lr_binary f, int64_t x, int64_t y, enum lr_dtype t)
{
    const uint64_t ux = (uint64_t)x, uy = (uint64_t)y;
    const bool is_less = t == LR_DT_U64 ? ux < uy : x < y;

    switch (f) {
    case LR_BIN_ADD:
        return (int64_t)(ux + uy);
    case LR_BIN_SUB:
        return (int64_t)(ux - uy);
    case LR_BIN_MUL:
        return (int64_t)(ux * uy);
    case LR_BIN_DIV:
        return divide(x, y, t);
    case LR_BIN_MOD:
        return modulo(x, y, t, false);
    case LR_BIN_FMOD:
        return modulo(x, y, t, true);
    case LR_BIN_POW:
        return (int64_t)power(ux, y);
    case LR_BIN_MAX:
        return is_less ? y : x;
    case LR_BIN_MIN:
        return is_less ? x : y;
    case LR_BIN_PRELU:
        return x < 0 ? (int64_t)(ux * uy) : x;
    case LR_BIN_EQUAL:
        return x == y;
    case LR_BIN_GREATER:
        return !is_less && x != y;
    case LR_BIN_LESS:
        return is_less;
    case LR_BIN_GREATER_EQUAL:
        return !is_less;
    case LR_BIN_LESS_EQUAL:
        return is_less || x == y;
    case LR_BIN_AND:
        return x && y;
    case LR_BIN_OR:
        return x || y;
    case LR_BIN_XOR:
        return !x != !y;
    }
    return 0;
}

/* One row of the result, n values from o on; a and b: where the operands' rows start. */
typedef void row_of(const struct binary *p, void *const *bufs, int64_t o, int64_t a,
                    int64_t b, int64_t n);

static void float_row(const struct binary *p, void *const *bufs, int64_t at_o,
                      int64_t at_a, int64_t at_b, int64_t n)
{
    const int64_t sa = last_step(&p->out, &p->a), sb = last_step(&p->out, &p->b);
    const float *a = (const float *)bufs[0] + at_a, *b = (const float *)bufs[1] + at_b;
    float *o = (float *)bufs[2] + at_o;

    switch (p->f) {
    case LR_BIN_ADD:
        for (int64_t j = 0; j < n; j++)
            o[j] = a[j * sa] + b[j * sb];
        break;
    case LR_BIN_SUB:
        for (int64_t j = 0; j < n; j++)
            o[j] = a[j * sa] - b[j * sb];
        break;
    case LR_BIN_MUL:
        for (int64_t j = 0; j < n; j++)
            o[j] = a[j * sa] * b[j * sb];
        break;
    case LR_BIN_DIV:
        for (int64_t j = 0; j < n; j++)
            o[j] = a[j * sa] / b[j * sb];
        break;
    default:
        for (int64_t j = 0; j < n; j++)
            o[j] = apply(p->f, a[j * sa], b[j * sb]);
    }
}

static void compare_row(const struct binary *p, void *const *bufs, int64_t at_o,
                        int64_t at_a, int64_t at_b, int64_t n)
{
    const int64_t sa = last_step(&p->out, &p->a), sb = last_step(&p->out, &p->b);
    const float *a = (const float *)bufs[0] + at_a, *b = (const float *)bufs[1] + at_b;
    int64_t *o = (int64_t *)bufs[2] + at_o;

    for (int64_t j = 0; j < n; j++)
        o[j] = compare(p->f, a[j * sa], b[j * sb]);
}

static void int_row(const struct binary *p, void *const *bufs, int64_t at_o, int64_t at_a,
                    int64_t at_b, int64_t n)
{
    const int64_t sa = last_step(&p->out, &p->a), sb = last_step(&p->out, &p->b);
    const int64_t *a = (const int64_t *)bufs[0] + at_a;
    const int64_t *b = (const int64_t *)bufs[1] + at_b;
    int64_t *o = (int64_t *)bufs[2] + at_o;

    for (int64_t j = 0; j < n; j++)
        o[j] = lr_kernel_wrap(p->to, apply_int(p->f, a[j * sa], b[j * sb], p->ta));
}

static double number(const void *x, enum lr_dtype t, int64_t i)
{
    return lr_kernel_is_float(t) ? (double)((const float *)x)[i]
                                 : (double)((const int64_t *)x)[i];
}

/* Powers of operands of different kinds. */
static void mixed_power_row(const struct binary *p, void *const *bufs, int64_t at_o,
                            int64_t at_a, int64_t at_b, int64_t n)
{
    const int64_t sa = last_step(&p->out, &p->a), sb = last_step(&p->out, &p->b);

    for (int64_t j = 0; j < n; j++) {
        double y = pow(number(bufs[0], p->ta, at_a + j * sa),
                       number(bufs[1], p->tb, at_b + j * sb));
        if (lr_kernel_is_float(p->to))
            ((float *)bufs[2])[at_o + j] = (float)y;
        else
            ((int64_t *)bufs[2])[at_o + j] =
                lr_kernel_wrap(p->to, fabs(y) < 9.2e18 ? (int64_t)y : 0);
    }
}

static row_of *row_for(const struct binary *p)
{
    if (lr_kernel_is_float(p->ta) != lr_kernel_is_float(p->tb))
        return mixed_power_row;
    if (!lr_kernel_is_float(p->ta))
        return int_row;
    return p->f >= LR_BIN_EQUAL ? compare_row : float_row;
}

static void run_binary(const void *arg, void *const *bufs)
{
    const struct binary *p = arg;
    const int64_t len = row_length(&p->out), rows = row_count(&p->out);
    row_of *row = row_for(p);

#pragma omp parallel for schedule(static) if (rows * len > 16384)
    for (int64_t r = 0; r < rows; r++)
        row(p, bufs, r * len, row_start(&p->out, &p->a, r), row_start(&p->out, &p->b, r),
            len);
}

static enum lr_status no_fit(struct lr_err *e)
{
    return lr_err_set(e, LR_ESHAPE, "shapes do not broadcast");
}

enum lr_status lr_kernel_binary(struct lr_kernel *k, enum lr_binary f,
                                const struct lr_shape *out, enum lr_dtype to,
                                const struct lr_shape *a, enum lr_dtype ta,
                                const struct lr_shape *b, enum lr_dtype tb,
                                struct lr_err *e)
{
    struct binary p = {.f = f, .out = *out, .ta = ta, .tb = tb, .to = to};

    if (!strides_of(&p.a, out, a) || !strides_of(&p.b, out, b))
        return no_fit(e);
    if (f != LR_BIN_POW && lr_kernel_is_float(ta) != lr_kernel_is_float(tb))
        return lr_err_set(e, LR_EUNSUP, "mixes %s and %s", lr_dtype_name(ta),
                          lr_dtype_name(tb));
    return lr_kernel_make(k, run_binary, &p, sizeof(p), e);
}

struct many {
    enum lr_binary f;
    float scale;
    struct lr_shape out;
    enum lr_dtype t;
    int n;
    struct strides in[];
};

static void many_row(const struct many *p, void *const *bufs, int64_t r)
{
    const int64_t len = row_length(&p->out);

    for (int i = 0; i < p->n; i++) {
        const int64_t at = row_start(&p->out, &p->in[i], r);
        const int64_t step = last_step(&p->out, &p->in[i]);
        if (lr_kernel_is_float(p->t)) {
            const float *x = (const float *)bufs[i] + at;
            float *o = (float *)bufs[p->n] + r * len;
            for (int64_t j = 0; j < len; j++)
                o[j] = i ? apply(p->f, o[j], x[j * step]) : x[j * step];
            for (int64_t j = 0; p->scale != 1 && i == p->n - 1 && j < len; j++)
                o[j] *= p->scale;
        } else {
            const int64_t *x = (const int64_t *)bufs[i] + at;
            int64_t *o = (int64_t *)bufs[p->n] + r * len;
            for (int64_t j = 0; j < len; j++)
                o[j] = i ? lr_kernel_wrap(p->t, apply_int(p->f, o[j], x[j * step], p->t))
                         : x[j * step];
        }
    }
}

static void run_many(const void *arg, void *const *bufs)
{
    const struct many *p = arg;
    const int64_t rows = row_count(&p->out);

#pragma omp parallel for schedule(static) if (rows * row_length(&p->out) > 16384)
    for (int64_t r = 0; r < rows; r++)
        many_row(p, bufs, r);
}

enum lr_status lr_kernel_many(struct lr_kernel *k, enum lr_binary f, float scale,
                              const struct lr_shape *out, enum lr_dtype t, int n,
                              const struct lr_shape *const *in, struct lr_err *e)
{
    size_t size = sizeof(struct many) + (size_t)n * sizeof(struct strides);
    struct many *p = lr_alloc(1, size);

    *k = (struct lr_kernel){run_many, p};
    if (!p)
        return lr_enomem(e, size, "a kernel");
    *p = (struct many){.f = f, .scale = scale, .out = *out, .t = t, .n = n};
    for (int i = 0; i < n; i++)
        if (!strides_of(&p->in[i], out, in[i])) {
            lr_free(p);
            k->arg = NULL;
            return no_fit(e);
        }
    return LR_OK;
}

struct where {
    struct lr_shape out;
    struct strides c, x, y;
    bool is_float;
};

static void run_where(const void *arg, void *const *bufs)
{
    const struct where *p = arg;
    const int64_t len = row_length(&p->out), rows = row_count(&p->out);
    const int64_t sc = last_step(&p->out, &p->c), sx = last_step(&p->out, &p->x),
                  sy = last_step(&p->out, &p->y);

#pragma omp parallel for schedule(static) if (rows * len > 16384)
    for (int64_t r = 0; r < rows; r++) {
        const int64_t *c = (const int64_t *)bufs[0] + row_start(&p->out, &p->c, r);
        const int64_t ix = row_start(&p->out, &p->x, r),
                      iy = row_start(&p->out, &p->y, r);
        for (int64_t j = 0; j < len; j++) {
            const void *from = c[j * sc] ? bufs[1] : bufs[2];
            int64_t at = c[j * sc] ? ix + j * sx : iy + j * sy;
            if (p->is_float)
                ((float *)bufs[3])[r * len + j] = ((const float *)from)[at];
            else
                ((int64_t *)bufs[3])[r * len + j] = ((const int64_t *)from)[at];
        }
    }
}

enum lr_status lr_kernel_where(struct lr_kernel *k, const struct lr_shape *out,
                               enum lr_dtype t, const struct lr_shape *c,
                               const struct lr_shape *x, const struct lr_shape *y,
                               struct lr_err *e)
{
    struct where p = {.out = *out, .is_float = lr_kernel_is_float(t)};

    if (!strides_of(&p.c, out, c) || !strides_of(&p.x, out, x) ||
        !strides_of(&p.y, out, y))
        return no_fit(e);
    return lr_kernel_make(k, run_where, &p, sizeof(p), e);
}
