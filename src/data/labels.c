/* Labels: where they lie beside the images, and reading them. MNIST and its descendants
 * name the pair X-images-idx3-ubyte and X-labels-idx1-ubyte; others follow the pattern
 * with endings of their own. Either file may be compressed while the other is not. */
#include "labels.h"

#include <string.h>
#include <sys/stat.h>

#include "array.h"
#include "ranklab/mem.h"

static bool is_file(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* Replaces the last "from" at or after start by "to" of the same length. */
static bool replace_last(char *start, const char *from, const char *to)
{
    char *found = NULL;

    for (char *p = start; (p = strstr(p, from)); p++)
        found = p;
    if (found)
        memcpy(found, to, strlen(to));
    return found != NULL;
}

char *data_labels_beside(const char *images, bool *is_failed)
{
    size_t n = strlen(images);
    char *path = lr_alloc(n + sizeof(".gz"), 1);

    *is_failed = !path;
    if (!path)
        return NULL;
    memcpy(path, images, n + 1);
    char *slash = strrchr(path, '/');
    char *name = slash ? slash + 1 : path;
    if (!replace_last(name, "-images", "-labels"))
        goto none;
    if (!replace_last(name, "idx3", "idx1"))
        replace_last(name, "idx4", "idx1");
    if (is_file(path))
        return path;
    if (n > 3 && strcmp(path + n - 3, ".gz") == 0)
        path[n - 3] = '\0';
    else
        memcpy(path + n, ".gz", sizeof(".gz"));
    if (is_file(path))
        return path;
none:
    lr_free(path);
    return NULL;
}

static bool is_integer(enum lr_dtype t)
{
    return t == LR_DT_U8 || t == LR_DT_I8 || t == LR_DT_I16 || t == LR_DT_U16 ||
           t == LR_DT_I32 || t == LR_DT_U32 || t == LR_DT_I64;
}

static enum lr_status convert(int32_t *labels, const struct data_array *a, int64_t n,
                              struct lr_err *e)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t v = data_array_int_at(a, (size_t)i);
        if (v < 0 || v >= INT32_MAX)
            return lr_err_set(e, LR_EINVAL, "label %lld of image %lld is no class number",
                              (long long)v, (long long)i);
        labels[i] = (int32_t)v;
    }
    return LR_OK;
}

enum lr_status data_labels_read(int32_t **out, const char *path, int64_t n,
                                struct lr_err *e)
{
    char text[8 * 21];
    struct data_array a;
    int32_t *labels = NULL;

    *out = NULL;
    enum lr_status st = data_array_read(&a, path, e);
    if (st != LR_OK)
        return st;
    if (!is_integer(a.dtype)) {
        st = lr_err_set(e, LR_EINVAL, "labels of type %s; integers are expected",
                        lr_dtype_name(a.dtype));
    } else if (a.shape.n_dims != 1) {
        st = lr_err_set(e, LR_ESHAPE,
                        "labels of shape %s; one number per image is expected",
                        lr_shape_text(text, sizeof(text), &a.shape));
    } else if (a.shape.dims[0] != n) {
        st = lr_err_set(e, LR_ESHAPE, "%lld labels for %lld images",
                        (long long)a.shape.dims[0], (long long)n);
    } else {
        labels = lr_alloc((size_t)n, sizeof(*labels));
        st = labels ? convert(labels, &a, n, e)
                    : lr_enomem(e, (size_t)n * sizeof(*labels), "labels");
    }
    data_array_free(&a);
    if (st != LR_OK) {
        if (st != LR_ENOMEM)
            data_prefix_path(e, path);
        lr_free(labels);
        return st;
    }
    *out = labels;
    return LR_OK;
}
