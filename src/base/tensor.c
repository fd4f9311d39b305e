/* Tensors in host byte order and the conversions between element types. Shapes come from
 * model files, so every product is checked. Half precision is converted by its bits:
 * round to nearest even, subnormals kept, a NaN stays a NaN with the part of its payload
 * that fits. */
#include "ranklab/tensor.h"

#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [LR_DT_NONE] = {"none", 0},   [LR_DT_F32] = {"float32", 4},
    [LR_DT_U8] = {"uint8", 1},    [LR_DT_I8] = {"int8", 1},
    [LR_DT_U16] = {"uint16", 2},  [LR_DT_I16] = {"int16", 2},
    [LR_DT_I32] = {"int32", 4},   [LR_DT_I64] = {"int64", 8},
    [LR_DT_BOOL] = {"bool", 1},   [LR_DT_F16] = {"float16", 2},
    [LR_DT_F64] = {"float64", 8}, [LR_DT_U32] = {"uint32", 4},
    [LR_DT_U64] = {"uint64", 8},  [LR_DT_BF16] = {"bfloat16", 2},
};

size_t lr_dtype_size(enum lr_dtype t)
{
    size_t i = (size_t)t;

    return i < sizeof(types) / sizeof(types[0]) ? types[i].size : 0;
}

const char *lr_dtype_name(enum lr_dtype t)
{
    size_t i = (size_t)t;

    if (i < sizeof(types) / sizeof(types[0]) && types[i].name)
        return types[i].name;
    return "unknown";
}

bool lr_dtype_is_float(enum lr_dtype t)
{
    return t == LR_DT_F32 || t == LR_DT_F16 || t == LR_DT_BF16 || t == LR_DT_F64;
}

char *lr_shape_text(char *buf, size_t size, const struct lr_shape *s)
{
    size_t at = 0;

    if (size == 0)
        return buf;
    buf[0] = '\0';
    if (s->n_dims <= 0) {
        snprintf(buf, size, "scalar");
        return buf;
    }
    for (int i = 0; i < s->n_dims && i < LR_MAX_DIMS && at < size; i++) {
        const char *sep = i ? "x" : "";
        int n = s->dims[i] == -1
                    ? snprintf(buf + at, size - at, "%sN", sep)
                    : snprintf(buf + at, size - at, "%s%lld", sep, (long long)s->dims[i]);
        at += n > 0 ? (size_t)n : 0;
    }
    return buf;
}

enum lr_status lr_shape_count(int64_t *count, const struct lr_shape *s, struct lr_err *e)
{
    char text[LR_MAX_DIMS * 21];
    bool has_zero = false;
    int64_t n = 1;

    *count = 0;
    if (s->n_dims < 0 || s->n_dims > LR_MAX_DIMS)
        return lr_err_set(e, LR_ESHAPE, "shape has %d dimensions, 0 to %d are accepted",
                          s->n_dims, LR_MAX_DIMS);
    for (int i = 0; i < s->n_dims; i++) {
        if (s->dims[i] < 0)
            return lr_err_set(e, LR_ESHAPE, "shape %s has no fixed number of elements",
                              lr_shape_text(text, sizeof(text), s));
        has_zero = has_zero || s->dims[i] == 0;
    }
    if (has_zero)
        return LR_OK;
    for (int i = 0; i < s->n_dims; i++)
        if (__builtin_mul_overflow(n, s->dims[i], &n))
            return lr_err_set(e, LR_ESHAPE, "shape %s has too many elements",
                              lr_shape_text(text, sizeof(text), s));
    *count = n;
    return LR_OK;
}

bool lr_shape_equal(const struct lr_shape *a, const struct lr_shape *b)
{
    if (a->n_dims != b->n_dims)
        return false;
    for (int i = 0; i < a->n_dims && i < LR_MAX_DIMS; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

enum lr_status lr_tensor_new(struct lr_tensor **out, enum lr_dtype t,
                             const struct lr_shape *s, struct lr_err *e)
{
    size_t size = lr_dtype_size(t), bytes;
    int64_t n;

    *out = NULL;
    if (size == 0)
        return lr_err_set(e, LR_EUNSUP, "tensor element type %d is not supported",
                          (int)t);
    enum lr_status st = lr_shape_count(&n, s, e);
    if (st != LR_OK)
        return st;
    if (__builtin_mul_overflow((size_t)n, size, &bytes))
        return lr_enomem(e, SIZE_MAX, "a tensor");
    struct lr_tensor *x = lr_calloc(1, sizeof(*x));
    void *data = x ? lr_calloc(bytes, 1) : NULL;
    if (!data) {
        lr_free(x);
        return lr_enomem(e, bytes, "a tensor");
    }
    x->dtype = t;
    x->shape = *s;
    x->data = data;
    *out = x;
    return LR_OK;
}

enum lr_status lr_tensor_clone(struct lr_tensor **out, const struct lr_tensor *t,
                               struct lr_err *e)
{
    int64_t n;

    enum lr_status st = lr_tensor_new(out, t->dtype, &t->shape, e);
    if (st == LR_OK)
        st = lr_shape_count(&n, &t->shape, e);
    if (st == LR_OK)
        memcpy((*out)->data, t->data, (size_t)n * lr_dtype_size(t->dtype));
    return st;
}

struct lr_tensor *lr_tensor_share(struct lr_tensor *t)
{
    if (t)
        t->n_shared++;
    return t;
}

void lr_tensor_free(struct lr_tensor *t)
{
    if (!t || t->n_shared-- > 0)
        return;
    lr_free(t->data);
    lr_free(t);
}

static float bits_to_float(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof(f));
    return f;
}

float lr_half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = h >> 10 & 0x1F, mantissa = h & 0x3FF;

    if (exponent == 0x1F)
        return bits_to_float(sign | 0x7F800000 | mantissa << 13);
    if (exponent)
        return bits_to_float(sign | (exponent + 112) << 23 | mantissa << 13);
    float f = (float)mantissa * 0x1p-24f;
    return sign ? -f : f;
}

uint16_t lr_float_to_half(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof(u));
    uint32_t sign = u >> 16 & 0x8000, rest = u & 0x7FFFFFFF, h;

    if (rest > 0x7F800000) {
        h = 0x7C00 | (rest >> 13 & 0x3FF);
        if (h == 0x7C00)
            h |= 0x200; /* the payload was in the bits that are lost */
    } else if (rest >= 0x477FF000) {
        h = 0x7C00; /* 65520 and above round to infinity */
    } else if (rest >= 0x38800000) {
        uint32_t odd = rest >> 13 & 1;
        h = (rest - 0x38000000 + 0xFFF + odd) >> 13;
    } else if (rest > 0x33000000) {
        /* A subnormal half counts units of 2^-24. */
        uint32_t mantissa = (rest & 0x7FFFFF) | 0x800000;
        uint32_t shift = 126 - (rest >> 23), half = (uint32_t)1 << (shift - 1);
        uint32_t odd = mantissa >> shift & 1;
        h = (mantissa + half - 1 + odd) >> shift;
    } else {
        h = 0;
    }
    return (uint16_t)(sign | h);
}

int64_t lr_tensor_int_at(const struct lr_tensor *t, int64_t i)
{
    const void *p = t->data;

    switch (t->dtype) {
    case LR_DT_U8:
        return ((const uint8_t *)p)[i];
    case LR_DT_I8:
        return ((const int8_t *)p)[i];
    case LR_DT_U16:
        return ((const uint16_t *)p)[i];
    case LR_DT_I16:
        return ((const int16_t *)p)[i];
    case LR_DT_I32:
        return ((const int32_t *)p)[i];
    case LR_DT_U32:
        return ((const uint32_t *)p)[i];
    case LR_DT_I64:
        return ((const int64_t *)p)[i];
    case LR_DT_U64:
        return (int64_t)((const uint64_t *)p)[i];
    case LR_DT_BOOL:
        return ((const uint8_t *)p)[i] != 0;
    default:
        return 0;
    }
}

enum lr_status lr_tensor_to_f32(struct lr_tensor **out, const struct lr_tensor *t,
                                struct lr_err *e)
{
    int64_t n;

    *out = NULL;
    if (lr_dtype_size(t->dtype) == 0)
        return lr_err_set(e, LR_EUNSUP, "tensor element type %d is not supported",
                          (int)t->dtype);
    enum lr_status st = lr_tensor_new(out, LR_DT_F32, &t->shape, e);
    if (st == LR_OK)
        st = lr_shape_count(&n, &t->shape, e);
    if (st != LR_OK)
        return st;
    float *y = (*out)->data;
    switch (t->dtype) {
    case LR_DT_F32:
        memcpy(y, t->data, (size_t)n * sizeof(float));
        break;
    case LR_DT_F64:
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)((const double *)t->data)[i];
        break;
    case LR_DT_F16:
        for (int64_t i = 0; i < n; i++)
            y[i] = lr_half_to_float(((const uint16_t *)t->data)[i]);
        break;
    case LR_DT_BF16:
        for (int64_t i = 0; i < n; i++)
            y[i] = bits_to_float((uint32_t)((const uint16_t *)t->data)[i] << 16);
        break;
    case LR_DT_U64:
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)((const uint64_t *)t->data)[i];
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)lr_tensor_int_at(t, i);
    }
    return LR_OK;
}

bool lr_all_finite(const float *x, size_t n)
{
    enum { BLOCK = 4096 };

    /* Tested by the bits, whole blocks at a time, so that the loop has no branch. */
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t end = n - i < BLOCK ? n : i + BLOCK;
        uint32_t bad = 0;
        for (size_t j = i; j < end; j++) {
            uint32_t u;
            memcpy(&u, &x[j], sizeof(u));
            bad |= (u & 0x7F800000) == 0x7F800000;
        }
        if (bad)
            return false;
    }
    return true;
}
