/* numpy's .npy format, versions 1 to 3: a mark, the version, the header's length and a
 * Python dictionary with descr, fortran_order and shape, then the elements. The
 * dictionary is read by hand as the literal that numpy writes: its keys in any order,
 * each exactly once. Written arrays are version 1, float32, with the data at a multiple
 * of 64 bytes. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "array.h"
#include "ranklab/dataset.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"

/* numpy itself refuses headers beyond 10000 bytes unless told otherwise. */
enum { MAX_HEADER = 1 << 20, DATA_ALIGNMENT = 64, MAX_DESCR = 32 };

struct header {
    const char *at, *end;
    char descr[MAX_DESCR + 1];
    bool has_descr, has_order, has_shape, is_fortran;
    struct lr_shape shape;
};

static void skip_space(struct header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\t' || *h->at == '\n'))
        h->at++;
}

static bool accept(struct header *h, char c)
{
    skip_space(h);
    if (h->at == h->end || *h->at != c)
        return false;
    h->at++;
    return true;
}

static bool accept_word(struct header *h, const char *word)
{
    size_t n = strlen(word);

    skip_space(h);
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, word, n) != 0)
        return false;
    h->at += n;
    return true;
}

/* A quoted string of at most MAX_DESCR plain ASCII characters. */
static bool accept_string(struct header *h, char out[MAX_DESCR + 1])
{
    size_t n = 0;

    skip_space(h);
    if (h->at == h->end || (*h->at != '\'' && *h->at != '"'))
        return false;
    char quote = *h->at++;
    while (h->at < h->end && *h->at != quote) {
        if (n == MAX_DESCR || *h->at < ' ' || *h->at > '~' || *h->at == '\\')
            return false;
        out[n++] = *h->at++;
    }
    out[n] = '\0';
    return accept(h, quote);
}

static bool accept_number(struct header *h, int64_t *v)
{
    skip_space(h);
    if (h->at == h->end || *h->at < '0' || *h->at > '9')
        return false;
    *v = 0;
    while (h->at < h->end && *h->at >= '0' && *h->at <= '9')
        if (__builtin_mul_overflow(*v, 10, v) ||
            __builtin_add_overflow(*v, *h->at++ - '0', v))
            return false;
    if (h->at < h->end && *h->at == 'L') /* Python 2 */
        h->at++;
    return true;
}

static enum lr_status read_shape(struct header *h, struct lr_err *e)
{
    if (!accept(h, '('))
        goto bad;
    while (!accept(h, ')')) {
        if (h->shape.n_dims == LR_MAX_DIMS)
            return lr_err_set(e, LR_EUNSUP, "more than %d dimensions", LR_MAX_DIMS);
        if (!accept_number(h, &h->shape.dims[h->shape.n_dims++]))
            goto bad;
        if (!accept(h, ',')) {
            if (!accept(h, ')'))
                goto bad;
            break;
        }
    }
    return LR_OK;
bad:
    return lr_err_set(e, LR_EPARSE, "the header's shape is no list of sizes");
}

static enum lr_status read_entry(struct header *h, struct lr_err *e)
{
    char key[MAX_DESCR + 1] = "?";
    bool *has = NULL;

    if (!accept_string(h, key) || !accept(h, ':'))
        return lr_err_set(e, LR_EPARSE, "the header is no Python dictionary");
    if (strcmp(key, "descr") == 0)
        has = &h->has_descr;
    else if (strcmp(key, "fortran_order") == 0)
        has = &h->has_order;
    else if (strcmp(key, "shape") == 0)
        has = &h->has_shape;
    if (!has || *has)
        return lr_err_set(e, LR_EPARSE, "the header has %s key \"%s\"",
                          has ? "twice the" : "the unknown", key);
    *has = true;
    if (has == &h->has_shape)
        return read_shape(h, e);
    if (has == &h->has_order) {
        h->is_fortran = accept_word(h, "True");
        if (!h->is_fortran && !accept_word(h, "False"))
            return lr_err_set(e, LR_EPARSE, "fortran_order is neither True nor False");
        return LR_OK;
    }
    if (!accept_string(h, h->descr))
        return lr_err_set(e, LR_EUNSUP, "arrays of records are not supported");
    return LR_OK;
}

static enum lr_status parse_header(struct header *h, struct lr_err *e)
{
    if (!accept(h, '{'))
        return lr_err_set(e, LR_EPARSE, "the header is no Python dictionary");
    while (!accept(h, '}')) {
        enum lr_status st = read_entry(h, e);
        if (st != LR_OK)
            return st;
        if (!accept(h, ',')) {
            if (!accept(h, '}'))
                return lr_err_set(e, LR_EPARSE, "the header is no Python dictionary");
            break;
        }
    }
    skip_space(h);
    if (h->at != h->end)
        return lr_err_set(e, LR_EPARSE, "the header goes on after its dictionary");
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return lr_err_set(e, LR_EPARSE, "the header lacks %s",
                          !h->has_descr   ? "descr"
                          : !h->has_order ? "fortran_order"
                                          : "shape");
    return LR_OK;
}

static enum lr_dtype type_of(const char *descr)
{
    static const struct {
        const char *descr;
        enum lr_dtype type;
    } types[] = {
        {"<f4", LR_DT_F32}, {"<f8", LR_DT_F64},  {"<f2", LR_DT_F16}, {"|u1", LR_DT_U8},
        {"|i1", LR_DT_I8},  {"|b1", LR_DT_BOOL}, {"<i2", LR_DT_I16}, {"<u2", LR_DT_U16},
        {"<i4", LR_DT_I32}, {"<u4", LR_DT_U32},  {"<i8", LR_DT_I64},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].descr, descr) == 0)
            return types[i].type;
    return LR_DT_NONE;
}

/* Whether the order of the dimensions does not matter. */
static bool is_flat(const struct lr_shape *s)
{
    int n = 0;

    for (int i = 0; i < s->n_dims; i++) {
        if (s->dims[i] == 0)
            return true;
        n += s->dims[i] != 1;
    }
    return n <= 1;
}

static enum lr_status use_header(struct data_array *a, const struct header *h,
                                 struct lr_err *e)
{
    a->dtype = type_of(h->descr);
    if (a->dtype == LR_DT_NONE)
        return lr_err_set(e, LR_EUNSUP,
                          "element type '%s' is not supported; <f4, <f8, <f2, |u1 or "
                          "little-endian integers are",
                          h->descr);
    a->shape = h->shape;
    return LR_OK;
}

/* Elements stored with the first index running fastest, put into row-major order. */
static enum lr_status from_fortran(struct data_array *a, struct lr_err *e)
{
    const struct lr_shape *s = &a->shape;
    const size_t size = lr_dtype_size(a->dtype), n = a->n_bytes / size;
    const int last = s->n_dims - 1;
    size_t step[LR_MAX_DIMS] = {1}, at = 0;
    int64_t index[LR_MAX_DIMS] = {0};
    unsigned char *to = lr_alloc(n, size);

    if (!to)
        return lr_enomem(e, a->n_bytes, "an array in row-major order");
    for (int i = 1; i < s->n_dims; i++)
        step[i] = step[i - 1] * (size_t)s->dims[i - 1];
    for (size_t i = 0; i < n; i++) {
        memcpy(to + i * size, a->data + at * size, size);
        for (int k = last; k >= 0; k--) {
            at += step[k];
            if (++index[k] < s->dims[k])
                break;
            at -= step[k] * (size_t)s->dims[k];
            index[k] = 0;
        }
    }
    lr_free(a->owner);
    a->owner = to;
    a->data = to;
    return LR_OK;
}

enum lr_status data_npy_read(struct data_array *a, struct data_stream *s,
                             struct lr_err *e)
{
    unsigned char version[2], length[4] = {0};
    struct header h = {0};
    char *text = NULL;

    enum lr_status st = data_stream_read(s, version, 2, "the version", e);
    if (st != LR_OK)
        return st;
    if (version[0] < 1 || version[0] > 3)
        return lr_err_set(e, LR_EUNSUP, ".npy version %d.%d; 1 to 3 are read", version[0],
                          version[1]);
    st = data_stream_read(s, length, version[0] == 1 ? 2 : 4, "the header's length", e);
    if (st != LR_OK)
        return st;
    size_t n = length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16 |
               (size_t)length[3] << 24;
    if (n > MAX_HEADER)
        return lr_err_set(e, LR_EPARSE, "a header of %zu bytes; at most %d are read", n,
                          MAX_HEADER);
    text = lr_alloc(n, 1);
    if (!text)
        return lr_enomem(e, n, "the header");
    st = data_stream_read(s, text, n, "the header", e);
    if (st != LR_OK)
        goto out;
    h.at = text;
    h.end = text + n;
    st = parse_header(&h, e);
    if (st == LR_OK)
        st = use_header(a, &h, e);
    if (st == LR_OK)
        st = data_array_fill(a, s, false, e);
    if (st == LR_OK && h.is_fortran && !is_flat(&h.shape))
        st = from_fortran(a, e);
out:
    lr_free(text);
    return st;
}

enum lr_status lr_npy_read(struct lr_tensor **out, const char *path, struct lr_err *e)
{
    struct data_array a;
    struct lr_tensor *t = NULL;

    *out = NULL;
    enum lr_status st = data_array_read(&a, path, e);
    if (st != LR_OK)
        return st;
    bool is_bytes = a.dtype == LR_DT_U8;
    bool is_real = a.dtype == LR_DT_F32 || a.dtype == LR_DT_F64 || a.dtype == LR_DT_F16;
    if (a.is_idx || !(is_bytes || is_real)) {
        st = a.is_idx ? lr_err_set(e, LR_EPARSE, "an idx file; .npy is expected here")
                      : lr_err_set(e, LR_EUNSUP,
                                   "element type %s is not supported here; <f4, <f8, <f2 "
                                   "or |u1 is",
                                   lr_dtype_name(a.dtype));
        data_prefix_path(e, path);
        goto out;
    }
    st = lr_tensor_new(&t, is_bytes ? LR_DT_U8 : LR_DT_F32, &a.shape, e);
    if (st != LR_OK)
        goto out;
    if (is_bytes)
        memcpy(t->data, a.data, a.n_bytes);
    else
        data_array_floats(t->data, &a, 0, a.n_bytes / lr_dtype_size(a.dtype));
    *out = t;
out:
    data_array_free(&a);
    return st;
}

/* The mark, version, length and dictionary, padded. */
static void put_header(struct lr_strbuf *b, const int64_t *dims, int n_dims)
{
    struct lr_strbuf dict = {0};

    lr_strbuf_puts(&dict, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < n_dims; i++)
        lr_strbuf_printf(&dict,
                         n_dims == 1 ? "%lld,"
                         : i         ? ", %lld"
                                     : "%lld",
                         (long long)dims[i]);
    lr_strbuf_puts(&dict, "), }");
    size_t before = 10;
    while ((before + dict.len + 1) % DATA_ALIGNMENT != 0 && !dict.is_failed)
        lr_strbuf_putc(&dict, ' ');
    lr_strbuf_putc(&dict, '\n');
    lr_strbuf_add(b, "\x93NUMPY\x01\x00", 8);
    lr_strbuf_putc(b, (char)(dict.len & 0xFF));
    lr_strbuf_putc(b, (char)(dict.len >> 8));
    lr_strbuf_add(b, dict.s ? dict.s : "", dict.s ? dict.len : 0);
    b->is_failed |= dict.is_failed;
    lr_strbuf_free(&dict);
}

/* Little-endian whatever the host is. */
static bool put_floats(FILE *fp, const float *x, size_t n)
{
    uint32_t chunk[4096];

    for (size_t at = 0; at < n;) {
        size_t k = n - at < 4096 ? n - at : 4096;
        memcpy(chunk, x + at, k * sizeof(*chunk));
        for (size_t i = 0; i < k; i++)
            chunk[i] = htole32(chunk[i]);
        if (fwrite(chunk, sizeof(*chunk), k, fp) != k)
            return false;
        at += k;
    }
    return true;
}

enum lr_status lr_npy_write(const char *path, const float *x, const int64_t *dims,
                            int n_dims, struct lr_err *e)
{
    struct lr_shape shape = {.n_dims = n_dims};
    struct lr_strbuf header = {0};
    struct lr_file f = {0};
    int64_t n;

    if (n_dims < 0 || n_dims > LR_MAX_DIMS)
        return lr_err_set(e, LR_EINVAL, "%d dimensions; at most %d are written", n_dims,
                          LR_MAX_DIMS);
    for (int i = 0; i < n_dims; i++)
        shape.dims[i] = dims[i];
    enum lr_status st = lr_shape_count(&n, &shape, e);
    if (st != LR_OK)
        return st;
    put_header(&header, dims, n_dims);
    if (header.is_failed) {
        st = lr_enomem(e, header.len, "the header");
        goto out;
    }
    st = lr_file_begin(&f, path, e);
    if (st != LR_OK)
        goto out;
    errno = 0;
    if (fwrite(header.s, 1, header.len, f.fp) != header.len ||
        !put_floats(f.fp, x, (size_t)n)) {
        st = lr_err_set(e, LR_EIO, "cannot write: %s",
                        strerrordesc_np(errno ? errno : EIO));
        data_prefix_path(e, path);
        goto out;
    }
    st = lr_file_commit(&f, e);
out:
    lr_file_abort(&f);
    lr_strbuf_free(&header);
    return st;
}
