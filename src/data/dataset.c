/* A set of images: the file's bytes as stored, which images take part and in what order,
 * their labels, and the arithmetic that turns a stored element into what the network is
 * given. Elements go through double precision, where a product of two floats is exact, so
 * that a value is the same whether or not the compiler fuses multiplication and addition;
 * bytes go through a table of 256 values per channel. A batch only reads the structure,
 * so several threads may take batches at once. */
#include "ranklab/dataset.h"

#include <math.h>
#include <string.h>

#include "array.h"
#include "labels.h"
#include "pictures.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"
#include "ranklab/text.h"

enum { N_BYTES = 256 };

struct lr_dataset {
    char *path;
    struct data_array images;       /* of a file, or */
    struct data_pictures *pictures; /* of a folder; NULL: a file */
    int64_t n_stored, n;
    int64_t *order;  /* [n] stored indices; NULL: 0..n-1 */
    int32_t *labels; /* [n], in that order */
    int n_classes;
    int c, h, w, stored_c;
    bool is_channels_last;
    struct lr_data_opts opts; /* labels: not kept */
    float *table;             /* [c][N_BYTES] for byte images */
    char hash[65];
};

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

static enum lr_status check_constants(const char *what, int n, const float *v, int c,
                                      bool is_divisor, struct lr_err *e)
{
    if (n != 0 && n != 1 && n != c)
        return lr_err_set(e, LR_EINVAL, "%d values of %s for %d channels; give 1 or %d",
                          n, what, c, c);
    for (int i = 0; i < n; i++)
        if (!isfinite(v[i]) || (is_divisor && !(v[i] > 0)))
            return lr_err_set(e, LR_EINVAL, "%s %g; a %s number is expected", what,
                              (double)v[i], is_divisor ? "positive" : "finite");
    return LR_OK;
}

static enum lr_status check_options(const struct lr_data_opts *o, int c, int h, int w,
                                    struct lr_err *e)
{
    if (c < 1 || c > LR_MAX_CHANNELS || h < 1 || w < 1)
        return lr_err_set(e, LR_EUNSUP,
                          "a network input of %dx%dx%d; 1 to %d channels of "
                          "images are supported",
                          c, h, w, LR_MAX_CHANNELS);
    enum lr_status st = check_constants("mean", o->n_mean, o->mean, c, false, e);
    if (st == LR_OK)
        st = check_constants("std", o->n_std, o->std, c, true, e);
    if (st != LR_OK)
        return st;
    if (o->has_scale && (!isfinite(o->scale) || o->scale == 0))
        return lr_err_set(e, LR_EINVAL,
                          "scale %g; a finite number other than 0 is expected",
                          (double)o->scale);
    if (o->is_bgr && c != 3)
        return lr_err_set(e, LR_EINVAL,
                          "bgr needs 3 channels; the network's input has %d", c);
    if (o->count < 0)
        return lr_err_set(e, LR_EINVAL, "count %lld; 0 (all) or more is expected",
                          (long long)o->count);
    return LR_OK;
}

/* Whether dims[0..2] can be c, h, w (grey for 3 channels included). */
static bool fits(const struct lr_dataset *d, int64_t c, int64_t h, int64_t w)
{
    return (c == d->c || (c == 1 && d->c == 3)) && h == d->h && w == d->w;
}

static enum lr_status match_shape(struct lr_dataset *d, struct lr_err *e)
{
    char text[8 * 21];
    const struct data_array *a = &d->images;
    const struct lr_shape *s = &a->shape;
    const int64_t *dims = s->dims;
    bool is_bytes = a->dtype == LR_DT_U8;

    if (!is_bytes && a->dtype != LR_DT_F32 && a->dtype != LR_DT_F64 &&
        a->dtype != LR_DT_F16)
        return lr_err_set(e, LR_EUNSUP, "images of type %s; bytes or reals are supported",
                          lr_dtype_name(a->dtype));
    if (s->n_dims != 3 && s->n_dims != 4)
        return lr_err_set(e, LR_ESHAPE, "an array of shape %s is no set of images",
                          lr_shape_text(text, sizeof(text), s));
    if (dims[0] == 0)
        return lr_err_set(e, LR_EINVAL, "holds no images");
    d->n_stored = dims[0];
    d->stored_c = 1;
    if (s->n_dims == 3 && fits(d, 1, dims[1], dims[2]))
        return LR_OK;
    if (s->n_dims == 4 && !a->is_idx && fits(d, dims[1], dims[2], dims[3])) {
        d->stored_c = (int)dims[1];
        return LR_OK;
    }
    if (s->n_dims == 4 && is_bytes && fits(d, dims[3], dims[1], dims[2])) {
        d->stored_c = (int)dims[3];
        d->is_channels_last = true;
        return LR_OK;
    }
    return lr_err_set(e, LR_ESHAPE,
                      "images of shape %s do not fit a network input of "
                      "%dx%dx%d (channels x height x width)",
                      lr_shape_text(text, sizeof(text), s), d->c, d->h, d->w);
}

/* The first n of a random permutation, kept in the order drawn: sorted, a batch or a
 * prefix of the draw would no longer be a random sample. */
static enum lr_status draw(struct lr_dataset *d, struct lr_err *e)
{
    struct lr_rng rng;

    d->n = d->n_stored;
    if (d->opts.count == 0)
        return LR_OK;
    if (d->opts.count > d->n_stored)
        return lr_err_set(e, LR_EINVAL, "count %lld exceeds its %lld images",
                          (long long)d->opts.count, (long long)d->n_stored);
    d->order = lr_alloc((size_t)d->n_stored, sizeof(*d->order));
    if (!d->order)
        return lr_enomem(e, (size_t)d->n_stored * sizeof(*d->order),
                         "the order of images");
    lr_rng_seed(&rng, d->opts.seed);
    lr_rng_permutation(&rng, d->order, d->n_stored);
    d->n = d->opts.count;
    return LR_OK;
}

/* Labels of all stored images; stored is taken over. */
static enum lr_status use_labels(struct lr_dataset *d, int32_t *stored, struct lr_err *e)
{
    enum lr_status st = LR_OK;

    d->labels = lr_alloc((size_t)d->n, sizeof(*d->labels));
    if (!d->labels) {
        st = lr_enomem(e, (size_t)d->n * sizeof(*d->labels), "labels");
        goto out;
    }
    for (int64_t i = 0; i < d->n; i++)
        d->labels[i] = stored[d->order ? d->order[i] : i];
    /* All stored labels count, so that a small draw has the same classes. */
    for (int64_t i = 0; i < d->n_stored; i++)
        if (stored[i] >= d->n_classes)
            d->n_classes = stored[i] + 1;
out:
    lr_free(stored);
    return st;
}

static enum lr_status take_labels(struct lr_dataset *d, const char *path,
                                  struct lr_err *e)
{
    int32_t *stored = NULL;

    enum lr_status st = data_labels_read(&stored, path, d->n_stored, e);
    return st == LR_OK ? use_labels(d, stored, e) : st;
}

static enum lr_status find_labels(struct lr_dataset *d, const struct lr_data_opts *o,
                                  const struct lr_notes *notes, struct lr_err *e)
{
    bool is_failed = false;

    if (o->labels)
        return *o->labels ? take_labels(d, o->labels, e) : LR_OK;
    if (!d->images.is_idx)
        return LR_OK;
    char *path = data_labels_beside(d->path, &is_failed);
    if (is_failed)
        return lr_enomem(e, strlen(d->path), "a path");
    if (!path)
        return LR_OK;
    enum lr_status st = take_labels(d, path, e);
    if (st == LR_OK) {
        struct lr_strbuf shown = {0};
        lr_text_escape(&shown, path);
        if (!shown.is_failed)
            lr_note(notes, LR_NOTE_INFO, "labels: %s", shown.s);
        lr_strbuf_free(&shown);
    }
    lr_free(path);
    return st;
}

static enum lr_status open_file(struct lr_dataset *d, const struct lr_data_opts *o,
                                const struct lr_notes *notes, struct lr_err *e)
{
    if (o->resize_h)
        return lr_err_set(e, LR_EINVAL, "only the pictures of a folder are resized");
    enum lr_status st = data_array_read(&d->images, d->path, e);
    if (st != LR_OK)
        return st;
    st = match_shape(d, e);
    if (st == LR_OK)
        st = draw(d, e);
    if (st != LR_OK) {
        data_prefix_path(e, d->path);
        return st;
    }
    return find_labels(d, o, notes, e);
}

/* Labels of a folder: those given, else its classes. */
static enum lr_status folder_labels(int32_t **out, const struct data_folder *f,
                                    const char *path, struct lr_err *e)
{
    static const char *const arrays[] = {".npy", ".idx", ".gz", "-ubyte"};

    *out = NULL;
    for (size_t i = 0; path && i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        size_t n = strlen(path), m = strlen(arrays[i]);
        if (n > m && strcmp(path + n - m, arrays[i]) == 0)
            return data_labels_read(out, path, f->n, e);
    }
    if (path && *path)
        return data_folder_labels(out, f, path, e);
    if (path || !f->classes)
        return LR_OK;
    *out = lr_alloc((size_t)f->n, sizeof(**out));
    if (!*out)
        return lr_enomem(e, (size_t)f->n * sizeof(**out), "labels");
    memcpy(*out, f->classes, (size_t)f->n * sizeof(**out));
    return LR_OK;
}

static enum lr_status open_folder(struct lr_dataset *d, const struct lr_data_opts *o,
                                  const struct lr_notes *notes, struct lr_err *e)
{
    struct data_pictures *p = d->pictures = lr_calloc(1, sizeof(*p));
    int32_t *labels = NULL;

    if (!p)
        return lr_enomem(e, sizeof(*p), "a folder");
    if (d->c != 1 && d->c != 3)
        return lr_err_set(e, LR_ESHAPE,
                          "the network's input has %d channels; pictures have 1 or 3",
                          d->c);
    enum lr_status st = data_folder_list(&p->folder, d->path, notes, e);
    if (st != LR_OK)
        return st;
    d->n_stored = p->folder.n;
    d->stored_c = d->c;
    d->is_channels_last = true;
    d->images.dtype = LR_DT_U8;
    p->fit = (struct data_fit){d->c, o->resize_h, o->resize_w, d->h, d->w};
    /* Bad labels are known before the long work. */
    if ((st = folder_labels(&labels, &p->folder, o->labels, e)) != LR_OK)
        return st;
    if ((st = draw(d, e)) != LR_OK)
        data_prefix_path(e, d->path);
    else
        st = data_pictures_open(p, d->order, d->n, notes, o->progress, e);
    if (st != LR_OK) {
        lr_free(labels);
        return st;
    }
    if (d->opts.count && p->n < d->n)
        lr_note(notes, LR_NOTE_WARNING, "only %lld of the %lld images asked for",
                (long long)p->n, (long long)d->n);
    d->n = p->n;
    if (!d->order)
        d->order = lr_alloc((size_t)d->n, sizeof(*d->order));
    if (!d->order) {
        lr_free(labels);
        return lr_enomem(e, (size_t)d->n * sizeof(*d->order), "the order of images");
    }
    memcpy(d->order, p->order, (size_t)d->n * sizeof(*d->order));
    st = labels ? use_labels(d, labels, e) : LR_OK;
    if (labels && !o->labels)
        d->n_classes = p->folder.n_classes;
    return st;
}

static enum lr_status make_table(struct lr_dataset *d, struct lr_err *e)
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

/* One digest over the digests of the parts and the text of the rest, so that parts cannot
 * run into each other. */
static enum lr_status make_hash(struct lr_dataset *d, struct lr_err *e)
{
    const struct lr_data_opts *o = &d->opts;
    char text[8 * 21], stored[65], order[65] = "", labels[65] = "";
    struct lr_strbuf b = {0};

    if (d->pictures)
        lr_sha256(stored, d->pictures->digests, (size_t)d->n * DATA_DIGEST);
    else
        lr_sha256(stored, d->images.data, d->images.n_bytes);
    if (d->order && !d->pictures)
        lr_sha256(order, d->order, (size_t)d->n * sizeof(*d->order));
    if (d->labels)
        lr_sha256(labels, d->labels, (size_t)d->n * sizeof(*d->labels));
    lr_strbuf_printf(&b, "%s %s %s\n%s\n%s\n%dx%dx%d %d", stored,
                     lr_dtype_name(d->images.dtype),
                     lr_shape_text(text, sizeof(text), &d->images.shape), order, labels,
                     d->c, d->h, d->w, d->is_channels_last);
    bool is_divided = d->table && !o->has_scale;
    lr_strbuf_printf(&b, "\nscale %a bgr %d mean",
                     is_divided ? 1 / 255.0 : (double)o->scale, o->is_bgr);
    for (int i = 0; i < o->n_mean; i++)
        lr_strbuf_printf(&b, " %a", (double)o->mean[i]);
    lr_strbuf_puts(&b, " std");
    for (int i = 0; i < o->n_std; i++)
        lr_strbuf_printf(&b, " %a", (double)o->std[i]);
    if (d->pictures)
        lr_strbuf_printf(&b, "\nresized %dx%d", o->resize_h, o->resize_w);
    if (b.is_failed) {
        lr_strbuf_free(&b);
        return lr_enomem(e, 1024, "a digest");
    }
    lr_sha256(d->hash, b.s, b.len);
    lr_strbuf_free(&b);
    return LR_OK;
}

/* Bad values are found when the file is opened, while the set in use before is still
 * there. */
static enum lr_status check_values(const struct lr_dataset *d, struct lr_err *e)
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

enum lr_status lr_dataset_open(struct lr_dataset **out, const char *path, int c, int h,
                               int w, const struct lr_data_opts *opts,
                               const struct lr_notes *notes, struct lr_err *e)
{
    static const struct lr_data_opts none;
    struct lr_dataset *d = NULL;

    *out = NULL;
    if (!opts)
        opts = &none;
    enum lr_status st = check_options(opts, c, h, w, e);
    if (st != LR_OK)
        return st;
    d = lr_calloc(1, sizeof(*d));
    if (!d || !(d->path = lr_strdup(path))) {
        st = lr_enomem(e, sizeof(*d), "a data set");
        goto out;
    }
    d->opts = *opts;
    d->opts.labels = NULL;
    d->opts.progress = NULL;
    if (!opts->has_scale)
        d->opts.scale = 1.0f;
    d->c = c;
    d->h = h;
    d->w = w;
    st = data_is_folder(path) ? open_folder(d, opts, notes, e)
                              : open_file(d, opts, notes, e);
    if (st == LR_OK)
        st = make_table(d, e);
    if (st == LR_OK)
        st = check_values(d, e);
    if (st == LR_OK)
        st = make_hash(d, e);
out:
    if (st != LR_OK) {
        lr_dataset_free(d);
        d = NULL;
    }
    *out = d;
    return st;
}

void lr_dataset_free(struct lr_dataset *d)
{
    if (!d)
        return;
    data_array_free(&d->images);
    if (d->pictures)
        data_pictures_free(d->pictures);
    lr_free(d->pictures);
    lr_free(d->path);
    lr_free(d->order);
    lr_free(d->labels);
    lr_free(d->table);
    lr_free(d);
}

int64_t lr_dataset_count(const struct lr_dataset *d)
{
    return d->n;
}

int64_t lr_dataset_skipped(const struct lr_dataset *d)
{
    return d->pictures ? d->pictures->n_skipped : 0;
}

const int32_t *lr_dataset_labels(const struct lr_dataset *d)
{
    return d->labels;
}

int lr_dataset_classes(const struct lr_dataset *d)
{
    return d->n_classes;
}

const char *lr_dataset_path(const struct lr_dataset *d)
{
    return d->path;
}

const struct lr_data_opts *lr_dataset_opts(const struct lr_dataset *d)
{
    return &d->opts;
}

const char *lr_dataset_hash(const struct lr_dataset *d)
{
    return d->hash;
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

enum lr_status lr_dataset_batch(const struct lr_dataset *d, int64_t first, int64_t n,
                                float *out, struct lr_err *e)
{
    size_t size = (size_t)d->c * (size_t)d->h * (size_t)d->w;

    if (first < 0 || n < 0 || first > d->n || n > d->n - first)
        return lr_err_set(e, LR_EINVAL, "%lld images from image %lld of a set of %lld",
                          (long long)n, (long long)first, (long long)d->n);
    if (d->pictures)
        return picture_batch(d, first, n, out, e);
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
    return LR_OK;
}
