/* TensorProto to lr_tensor: raw bytes, the typed lists, and external files. ONNX stores
 * little-endian numbers, as does every machine this is built for (checked below). An
 * external file must lie inside the model's folder once all links are followed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx_int.h"
#include "model.h"
#include "ranklab/file.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "only little-endian machines are supported"
#endif

bool lr_onnx_dtype(enum lr_dtype *t, int number)
{
    if (number <= 0 || number > LR_DT_BF16 || lr_dtype_size((enum lr_dtype)number) == 0)
        return false;
    *t = (enum lr_dtype)number;
    return true;
}

static const char *label(const Onnx__TensorProto *t)
{
    return t->name && *t->name ? t->name : "(unnamed)";
}

static enum lr_status wrong_size(const Onnx__TensorProto *t, const struct lr_shape *s,
                                 size_t wanted, size_t got, const char *unit,
                                 struct lr_err *e)
{
    char text[LR_MAX_DIMS * 21];

    return lr_err_set(e, LR_EPARSE, "tensor %.100s: shape %s needs %zu %s, got %zu",
                      label(t), lr_shape_text(text, sizeof(text), s), wanted, unit, got);
}

static const char *entry(const Onnx__TensorProto *t, const char *key)
{
    for (size_t i = 0; i < t->n_external_data; i++) {
        const Onnx__StringStringEntryProto *x = t->external_data[i];
        if (x->key && strcmp(x->key, key) == 0)
            return x->value;
    }
    return NULL;
}

/* A decimal number, or otherwise when the text is NULL. */
static bool decimal(const char *text, int64_t otherwise, int64_t *v)
{
    char *end;

    *v = otherwise;
    if (!text)
        return true;
    errno = 0;
    *v = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *v >= 0;
}

static bool has_parent_step(const char *path)
{
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/\\");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return true;
        p += n + (p[n] != '\0');
    }
    return false;
}

/* The file's real path when it lies inside folder; free() it. */
static enum lr_status locate(char **path, const Onnx__TensorProto *t, const char *folder,
                             struct lr_err *e)
{
    const char *location = entry(t, "location");
    struct lr_strbuf b = {0};
    char *root = NULL;
    enum lr_status st = LR_OK;

    *path = NULL;
    if (!location || !*location)
        return lr_err_set(e, LR_EPARSE, "tensor %.100s: external data without a location",
                          label(t));
    if (location[0] == '/' || location[0] == '\\' || has_parent_step(location))
        return lr_err_set(
            e, LR_EPARSE,
            "tensor %.100s: external file %.200s is outside the model's folder", label(t),
            location);
    lr_strbuf_printf(&b, "%s/%s", folder, location);
    root = realpath(folder, NULL);
    *path = b.is_failed ? NULL : realpath(b.s, NULL);
    if (!root || !*path) {
        st = lr_err_set(e, LR_EIO, "tensor %.100s: external file %.200s: %s", label(t),
                        location, strerror(errno));
        goto out;
    }
    size_t n = strlen(root);
    while (n > 0 && root[n - 1] == '/')
        n--;
    if (strncmp(*path, root, n) != 0 || (*path)[n] != '/')
        st = lr_err_set(
            e, LR_EPARSE,
            "tensor %.100s: external file %.200s is outside the model's folder", label(t),
            location);
out:
    if (st != LR_OK) {
        free(*path);
        *path = NULL;
    }
    free(root);
    lr_strbuf_free(&b);
    return st;
}

static enum lr_status read_at(void *data, size_t bytes, int fd, int64_t offset,
                              const char *what, struct lr_err *e)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t n = pread(fd, (char *)data + done, bytes - done, offset + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return lr_err_set(e, LR_EIO, "tensor %.100s: reading its external file: %s",
                              what, n < 0 ? strerror(errno) : "it ends too early");
        done += (size_t)n;
    }
    return LR_OK;
}

/* Whether fd is the file that path was resolved to: a folder on the way may have become a
 * link since. */
static bool is_same_place(int fd, const char *path)
{
    char link[32];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    char *now = realpath(link, NULL);
    bool is_same = now && strcmp(now, path) == 0;
    free(now);
    return is_same;
}

/* sha256 becomes that of itself and of the data's, as text. */
static void take_in(char *sha256, const void *data, size_t bytes)
{
    char both[2 * 64 + 1];

    memcpy(both, sha256, 64);
    lr_sha256(both + 64, data, bytes);
    lr_sha256(sha256, both, 2 * 64);
}

static enum lr_status read_external(struct lr_tensor **out, const Onnx__TensorProto *t,
                                    enum lr_dtype dtype, const struct lr_shape *s,
                                    size_t bytes, const struct lr_onnx_beside *beside,
                                    struct lr_err *e)
{
    char *path = NULL;
    struct stat info;
    int64_t offset, length;
    int fd = -1;
    enum lr_status st;

    if (!beside || !beside->folder)
        return lr_err_set(e, LR_EPARSE,
                          "tensor %.100s: external data are not allowed here", label(t));
    if (!decimal(entry(t, "offset"), 0, &offset) ||
        !decimal(entry(t, "length"), (int64_t)bytes, &length))
        return lr_err_set(e, LR_EPARSE, "tensor %.100s: offset or length is no number",
                          label(t));
    if ((size_t)length != bytes)
        return wrong_size(t, s, bytes, (size_t)length, "bytes", e);
    st = locate(&path, t, beside->folder, e);
    if (st != LR_OK)
        return st;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0)
        st = lr_err_set(e, LR_EIO, "tensor %.100s: %.300s: %s", label(t), path,
                        strerror(errno));
    else if (!is_same_place(fd, path))
        st = lr_err_set(e, LR_EIO, "tensor %.100s: %.300s was moved while it was opened",
                        label(t), path);
    else if (!S_ISREG(info.st_mode))
        st = lr_err_set(e, LR_EPARSE, "tensor %.100s: %.300s is no regular file",
                        label(t), path);
    else if (offset > info.st_size || length > info.st_size - offset)
        st = lr_err_set(e, LR_EPARSE,
                        "tensor %.100s: needs %lld bytes from %lld on of a file of %lld",
                        label(t), (long long)length, (long long)offset,
                        (long long)info.st_size);
    if (st == LR_OK)
        st = lr_tensor_new(out, dtype, s, e);
    if (st == LR_OK)
        st = read_at((*out)->data, bytes, fd, offset, label(t), e);
    if (st == LR_OK && beside->sha256)
        take_in(beside->sha256, (*out)->data, bytes);
    if (fd >= 0)
        close(fd);
    free(path);
    return st;
}

/* Copies one of the typed lists. */
static enum lr_status from_list(struct lr_tensor **out, const Onnx__TensorProto *t,
                                enum lr_dtype dtype, const struct lr_shape *s,
                                size_t count, struct lr_err *e)
{
    const void *list = t->int32_data;
    size_t n = t->n_int32_data, size = lr_dtype_size(dtype), step = sizeof(int32_t);

    if (dtype == LR_DT_F32) {
        list = t->float_data;
        n = t->n_float_data;
    } else if (dtype == LR_DT_F64) {
        list = t->double_data;
        n = t->n_double_data;
        step = sizeof(double);
    } else if (dtype == LR_DT_I64) {
        list = t->int64_data;
        n = t->n_int64_data;
        step = sizeof(int64_t);
    } else if (dtype == LR_DT_U32 || dtype == LR_DT_U64) {
        list = t->uint64_data;
        n = t->n_uint64_data;
        step = sizeof(uint64_t);
    }
    if (n != count)
        return wrong_size(t, s, count, n, "values", e);
    enum lr_status st = lr_tensor_new(out, dtype, s, e);
    /* The low bytes of a little-endian number are its narrower form. */
    for (size_t i = 0; i < n && st == LR_OK; i++)
        memcpy((char *)(*out)->data + i * size, (const char *)list + i * step, size);
    return st;
}

/* Masks and bounds may be infinite; what must be finite lr_graph_check_weights tells. */
static enum lr_status check_numbers(const struct lr_tensor *t, const char *name,
                                    size_t count, struct lr_err *e)
{
    struct lr_tensor *x = NULL;
    bool is_nan = false;

    if (!lr_dtype_is_float(t->dtype) || t->shape.n_dims == 0 ||
        (t->dtype == LR_DT_F32 && lr_all_finite(t->data, count)))
        return LR_OK;
    enum lr_status st = lr_tensor_to_f32(&x, t, e);
    if (st != LR_OK)
        return st;
    for (size_t i = 0; i < count && !is_nan; i++)
        is_nan = __builtin_isnan(((const float *)x->data)[i]);
    lr_tensor_free(x);
    if (is_nan)
        return lr_err_set(e, LR_ENUMERIC, "tensor %.100s holds NaN", name);
    return LR_OK;
}

enum lr_status lr_onnx_tensor_any(struct lr_tensor **out, Onnx__TensorProto *t,
                                  const struct lr_onnx_beside *beside, struct lr_err *e)
{
    struct lr_shape s = {.n_dims = (int)t->n_dims};
    enum lr_dtype dtype;
    size_t bytes;
    int64_t count;
    enum lr_status st;

    *out = NULL;
    if (!lr_onnx_dtype(&dtype, t->data_type))
        return lr_err_set(e, LR_EUNSUP, "tensor %.100s: element type %d is not supported",
                          label(t), t->data_type);
    if (t->n_dims > LR_MAX_DIMS)
        return lr_err_set(e, LR_EUNSUP,
                          "tensor %.100s: %zu dimensions, at most %d supported", label(t),
                          t->n_dims, LR_MAX_DIMS);
    if (t->segment)
        return lr_err_set(e, LR_EUNSUP, "tensor %.100s: segments are not supported",
                          label(t));
    if (t->n_dims > 0)
        memcpy(s.dims, t->dims, t->n_dims * sizeof(*t->dims));
    if (lr_shape_count(&count, &s, NULL) != LR_OK ||
        __builtin_mul_overflow((size_t)count, lr_dtype_size(dtype), &bytes) ||
        bytes > INT64_MAX) {
        char text[LR_MAX_DIMS * 21];
        return lr_err_set(e, LR_EPARSE, "tensor %.100s: shape %s is not possible",
                          label(t), lr_shape_text(text, sizeof(text), &s));
    }
    if (t->has_data_location &&
        t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        st = read_external(out, t, dtype, &s, bytes, beside, e);
    } else if (t->has_raw_data && (t->raw_data.len > 0 || bytes == 0)) {
        if (t->raw_data.len != bytes)
            return wrong_size(t, &s, bytes, t->raw_data.len, "bytes", e);
        struct lr_shape none = {.n_dims = 1, .dims = {0}};
        /* The bytes were allocated by lr_alloc: they change owner instead of being
         * copied. */
        st = lr_tensor_new(out, dtype, bytes ? &none : &s, e);
        if (st == LR_OK && bytes) {
            lr_free((*out)->data);
            (*out)->data = t->raw_data.data;
            (*out)->shape = s;
            t->raw_data = (ProtobufCBinaryData){0, NULL};
        }
    } else {
        st = from_list(out, t, dtype, &s, (size_t)count, e);
    }
    if (st != LR_OK) {
        lr_tensor_free(*out);
        *out = NULL;
    }
    return st;
}

enum lr_status lr_onnx_tensor(struct lr_tensor **out, Onnx__TensorProto *t,
                              const struct lr_onnx_beside *beside, struct lr_err *e)
{
    int64_t count = 0;
    enum lr_status st = lr_onnx_tensor_any(out, t, beside, e);

    if (st == LR_OK)
        st = lr_shape_count(&count, &(*out)->shape, e);
    if (st == LR_OK)
        st = check_numbers(*out, label(t), (size_t)count, e);
    if (st != LR_OK) {
        lr_tensor_free(*out);
        *out = NULL;
    }
    return st;
}
