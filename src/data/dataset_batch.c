/* Batches of images. Elements go through double precision, where a product of two floats
 * is exact, so that a value is the same whether or not the compiler fuses multiplication
 * and addition; bytes go through a table of 256 values per channel. Of a file a batch
 * only reads the structure, so several threads may take batches at once; pictures are
 * decoded by all threads. */
#include <math.h>
#include <string.h>

#include "dataset_internal.h"
#include "ranklab/mem.h"

enum { N_BYTES = 256 };

/* x, a stored element, as channel k of the network's input. */
static float normalise(const struct lr_data_opts *o, int k, double x)
{
    double mean = o->n_mean == 0 ? 0.0 : (double)o->mean[o->n_mean == 1 ? 0 : k];
    double std = o->n_std == 0 ? 1.0 : (double)o->std[o->n_std == 1 ? 0 : k];

    return (float)((x * (double)o->scale - mean) / std);
}

/* The same for bytes, where the default scale is a division by 255. */
static float normalise_byte(const struct lr_data_opts *o, int k, int x)
{
    struct lr_data_opts unscaled = *o;

    if (o->has_scale)
        return normalise(o, k, x);
    unscaled.scale = 1.0f;
    return normalise(&unscaled, k, x / 255.0);
}

enum lr_status data_make_table(struct lr_dataset *d, struct lr_err *e)
{
    if (d->images.dtype != LR_DT_U8)
        return LR_OK;
    d->table = lr_alloc((size_t)d->c * N_BYTES, sizeof(*d->table));
    if (!d->table)
        return lr_enomem(e, (size_t)d->c * N_BYTES * sizeof(*d->table), "preprocessing");
    for (int k = 0; k < d->c; k++)
        for (int x = 0; x < N_BYTES; x++)
            d->table[k * N_BYTES + x] = normalise_byte(&d->opts, k, x);
    return LR_OK;
}

/* The stored channel that channel k of the network is taken from. */
static int stored_channel(const struct lr_dataset *d, int k)
{
    if (d->stored_c == 1)
        return 0;
    return d->opts.is_bgr && k != 1 ? 2 - k : k;
}

/* base: the stored image. */
static void take_bytes(const struct lr_dataset *d, const unsigned char *base, float *out)
{
    size_t plane = (size_t)d->h * (size_t)d->w, n_c = (size_t)d->stored_c;

    for (int k = 0; k < d->c; k++) {
        const float *table = d->table + k * N_BYTES;
        size_t from = (size_t)stored_channel(d, k);
        const unsigned char *p = base + (d->is_channels_last ? from : from * plane);
        size_t step = d->is_channels_last ? n_c : 1;
        for (size_t i = 0; i < plane; i++)
            *out++ = table[p[i * step]];
    }
}

static void take_floats(const struct lr_dataset *d, int64_t image, float *out)
{
    size_t plane = (size_t)d->h * (size_t)d->w, n_c = (size_t)d->stored_c;

    if (d->is_channels_last) {
        float at[LR_MAX_CHANNELS];
        for (size_t i = 0; i < plane; i++) {
            data_array_floats(at, &d->images, ((size_t)image * plane + i) * n_c, n_c);
            for (int k = 0; k < d->c; k++)
                out[(size_t)k * plane + i] =
                    normalise(&d->opts, k, (double)at[stored_channel(d, k)]);
        }
        return;
    }
    for (int k = 0; k < d->c; k++, out += plane) {
        size_t first = ((size_t)image * n_c + (size_t)stored_channel(d, k)) * plane;
        data_array_floats(out, &d->images, first, plane);
        for (size_t i = 0; i < plane; i++)
            out[i] = normalise(&d->opts, k, (double)out[i]);
    }
}

static enum lr_status picture_at(const struct lr_dataset *d, int64_t i, bool is_alone,
                                 float *out, struct lr_err *e)
{
    size_t size = (size_t)d->c * (size_t)d->h * (size_t)d->w;
    unsigned char *bytes = lr_alloc(size, 1);
    enum lr_status rc = bytes ? data_pictures_get(bytes, d->pictures, i, is_alone, e)
                              : lr_enomem(e, size, "a picture");

    if (rc == LR_OK)
        take_bytes(d, bytes, out);
    lr_free(bytes);
    return rc;
}

/* All threads together, then those that failed one after the other: some were too large
 * to be decoded beside others. The first failure in the order of images is the one
 * reported. */
static enum lr_status picture_batch(const struct lr_dataset *d, int64_t first, int64_t n,
                                    float *out, struct lr_err *e)
{
    size_t size = (size_t)d->c * (size_t)d->h * (size_t)d->w;
    const size_t refused = lr_mem_refused();
    bool *has_failed = lr_calloc((size_t)n, sizeof(*has_failed));

    if (!has_failed)
        return lr_enomem(e, (size_t)n, "pictures");
    enum lr_status st = LR_OK;
    data_pictures_make_room(d->pictures, first, n);
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < n; i++)
        has_failed[i] =
            picture_at(d, first + i, false, out + (size_t)i * size, NULL) != LR_OK;
    lr_mem_forget_refused(refused);
    for (int64_t i = 0; st == LR_OK && i < n; i++)
        if (has_failed[i])
            st = picture_at(d, first + i, true, out + (size_t)i * size, e);
    lr_free(has_failed);
    return st;
}

/* n images, channels x height x width, with the channels last. */
static enum lr_status turn(const struct lr_dataset *d, int64_t n, float *x,
                           struct lr_err *e)
{
    size_t plane = (size_t)d->h * (size_t)d->w, n_c = (size_t)d->c, size = n_c * plane;
    float *copy = n_c > 1 && n > 0 ? lr_alloc(size, sizeof(*copy)) : NULL;

    if (n_c == 1 || n == 0)
        return LR_OK;
    if (!copy)
        return lr_enomem(e, size * sizeof(*copy), "an image");
    for (int64_t j = 0; j < n; j++, x += size) {
        memcpy(copy, x, size * sizeof(*copy));
        for (size_t k = 0; k < n_c; k++)
            for (size_t i = 0; i < plane; i++)
                x[i * n_c + k] = copy[k * plane + i];
    }
    lr_free(copy);
    return LR_OK;
}

enum lr_status lr_dataset_batch(const struct lr_dataset *d, int64_t first, int64_t n,
                                float *out, struct lr_err *e)
{
    size_t size = (size_t)d->c * (size_t)d->h * (size_t)d->w;

    if (first < 0 || n < 0 || first > d->n || n > d->n - first)
        return lr_err_set(e, LR_EINVAL, "%lld images from image %lld of a set of %lld",
                          (long long)n, (long long)first, (long long)d->n);
    if (d->pictures && first + n > d->pictures->n)
        return lr_err_set(e, LR_EINVAL,
                          "image %lld is not known yet: the set is to be settled first",
                          (long long)(first + n - 1));
    if (d->pictures) {
        enum lr_status st = picture_batch(d, first, n, out, e);
        return st == LR_OK && d->opts.is_channels_last ? turn(d, n, out, e) : st;
    }
    float *x = out;
    for (int64_t i = first; i < first + n; i++, out += size) {
        int64_t image = d->order ? d->order[i] : i;
        if (d->table)
            take_bytes(d,
                       d->images.data +
                           (size_t)image * size / (size_t)d->c * (size_t)d->stored_c,
                       out);
        else
            take_floats(d, image, out);
        if (!lr_all_finite(out, size)) {
            lr_err_set(e, LR_ENUMERIC,
                       "image %lld (counted from 0) has a value that is not finite",
                       (long long)image);
            data_prefix_path(e, d->path);
            return LR_ENUMERIC;
        }
    }
    return d->opts.is_channels_last ? turn(d, n, x, e) : LR_OK;
}

/* Bad values are found when the file is opened, while the set in use before is still
 * there. */
enum lr_status data_check_values(const struct lr_dataset *d, struct lr_err *e)
{
    size_t size = (size_t)d->c * (size_t)d->h * (size_t)d->w;
    enum lr_status st = LR_OK;

    if (d->table)
        return LR_OK;
    float *image = lr_alloc(size, sizeof(*image));
    if (!image)
        return lr_enomem(e, size * sizeof(*image), "an image");
    for (int64_t i = 0; st == LR_OK && i < d->n; i++)
        st = lr_dataset_batch(d, i, 1, image, e);
    lr_free(image);
    return st;
}
