/* What the readers of idx and .npy share: telling the two apart, checking the size a
 * header promises against the bytes that are there, and access to single elements. */
#include "array.h"

#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/text.h"

enum { MAX_SHOWN_PATH = 240 };

void data_prefix_path(struct lr_err *e, const char *path)
{
    struct lr_strbuf shown = {0};

    lr_text_escape(&shown, path);
    const char *s = shown.is_failed ? "?" : shown.s;
    size_t len = strlen(s);
    if (len > MAX_SHOWN_PATH) {
        s += len - MAX_SHOWN_PATH;
        while (((unsigned char)*s & 0xC0) == 0x80)
            s++;
        lr_err_prefix(e, "...%s", s);
    } else {
        lr_err_prefix(e, "%s", s);
    }
    lr_strbuf_free(&shown);
}

/* Reverses the bytes of every element where the host's order is the other one. */
static void to_host_order(unsigned char *p, size_t n_bytes, size_t size,
                          bool is_big_endian)
{
    if (size < 2 || is_big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
        return;
    for (size_t at = 0; at < n_bytes; at += size)
        for (size_t i = 0; i < size / 2; i++) {
            unsigned char t = p[at + i];
            p[at + i] = p[at + size - 1 - i];
            p[at + size - 1 - i] = t;
        }
}

enum lr_status data_array_fill(struct data_array *a, struct data_stream *s,
                               bool is_big_endian, struct lr_err *e)
{
    unsigned char *data;
    int64_t count;

    enum lr_status st = lr_shape_count(&count, &a->shape, e);
    if (st != LR_OK) {
        lr_err_prefix(e, "the header");
        return st;
    }
    if (__builtin_mul_overflow((size_t)count, lr_dtype_size(a->dtype), &a->n_bytes) ||
        a->n_bytes > SIZE_MAX / 4)
        return lr_err_set(e, LR_EPARSE, "the header promises %lld elements, too many",
                          (long long)count);
    st = data_stream_rest(s, &a->owner, &data, a->n_bytes, e);
    if (st != LR_OK)
        return st;
    to_host_order(data, a->n_bytes, lr_dtype_size(a->dtype), is_big_endian);
    a->data = data;
    return LR_OK;
}

static enum lr_status read_any(struct data_array *a, struct data_stream *s,
                               struct lr_err *e)
{
    static const unsigned char npy_magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    unsigned char magic[6];

    enum lr_status st = data_stream_read(s, magic, 4, "the format's mark", e);
    if (st != LR_OK)
        return st;
    if (magic[0] == 0 && magic[1] == 0)
        return data_idx_read(a, s, magic, e);
    if (memcmp(magic, npy_magic, 4) == 0) {
        st = data_stream_read(s, magic + 4, 2, "the format's mark", e);
        if (st != LR_OK)
            return st;
        if (memcmp(magic, npy_magic, 6) == 0)
            return data_npy_read(a, s, e);
    }
    return lr_err_set(e, LR_EPARSE,
                      "neither idx nor .npy (it begins %02x %02x %02x %02x)", magic[0],
                      magic[1], magic[2], magic[3]);
}

enum lr_status data_array_read(struct data_array *a, const char *path, struct lr_err *e)
{
    struct data_stream s;

    *a = (struct data_array){0};
    enum lr_status st = data_stream_open(&s, path, e);
    if (st == LR_OK) {
        st = read_any(a, &s, e);
        if (st != LR_OK)
            data_prefix_path(e, path);
    } else if (st == LR_EUNSUP) {
        data_prefix_path(e, path);
    }
    data_stream_close(&s);
    if (st != LR_OK)
        data_array_free(a);
    return st;
}

void data_array_free(struct data_array *a)
{
    lr_free(a->owner);
    *a = (struct data_array){0};
}

void data_array_floats(float *out, const struct data_array *a, size_t first, size_t n)
{
    const unsigned char *p = a->data + first * lr_dtype_size(a->dtype);

    switch (a->dtype) {
    case LR_DT_F32:
        memcpy(out, p, n * sizeof(float));
        break;
    case LR_DT_F64:
        for (size_t i = 0; i < n; i++) {
            double v;
            memcpy(&v, p + i * sizeof(v), sizeof(v));
            out[i] = (float)v;
        }
        break;
    case LR_DT_F16:
        for (size_t i = 0; i < n; i++) {
            uint16_t v;
            memcpy(&v, p + i * sizeof(v), sizeof(v));
            out[i] = lr_half_to_float(v);
        }
        break;
    default:
        for (size_t i = 0; i < n; i++)
            out[i] = (float)data_array_int_at(a, first + i);
    }
}

#define ELEMENT(type)                                                                    \
    do {                                                                                 \
        type v;                                                                          \
        memcpy(&v, a->data + i * sizeof(v), sizeof(v));                                  \
        return (int64_t)v;                                                               \
    } while (0)

int64_t data_array_int_at(const struct data_array *a, size_t i)
{
    switch (a->dtype) {
    case LR_DT_U8:
    case LR_DT_BOOL:
        return a->data[i];
    case LR_DT_I8:
        ELEMENT(int8_t);
    case LR_DT_I16:
        ELEMENT(int16_t);
    case LR_DT_U16:
        ELEMENT(uint16_t);
    case LR_DT_I32:
        ELEMENT(int32_t);
    case LR_DT_U32:
        ELEMENT(uint32_t);
    case LR_DT_I64:
        ELEMENT(int64_t);
    default:
        return -1;
    }
}
