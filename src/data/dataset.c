/* Opening a set of images: the file's bytes as stored, which images take part and in what
 * order, and their labels. */
#include <math.h>
#include <string.h>

#include "dataset_internal.h"
#include "labels.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"
#include "ranklab/text.h"

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
    if (c < 1 || (c > LR_MAX_CHANNELS && !o->n_dims) || h < 1 || w < 1)
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

/* For a network that takes no images. */
static enum lr_status match_array(struct lr_dataset *d, struct lr_err *e)
{
    const struct lr_shape *s = &d->images.shape;
    struct lr_shape wanted = {.n_dims = d->opts.n_dims};
    char text[LR_MAX_DIMS * 21], other[LR_MAX_DIMS * 21];
    bool is_fit = s->n_dims == wanted.n_dims && !d->images.is_idx;

    memcpy(wanted.dims, d->opts.dims, sizeof(wanted.dims));
    for (int i = 1; is_fit && i < s->n_dims; i++)
        is_fit = s->dims[i] == wanted.dims[i];
    if (!is_fit)
        return lr_err_set(e, LR_ESHAPE,
                          "an array of shape %s does not fit a network input of %s",
                          lr_shape_text(text, sizeof(text), s),
                          lr_shape_text(other, sizeof(other), &wanted));
    if (s->dims[0] == 0)
        return lr_err_set(e, LR_EINVAL, "holds no images");
    d->n_stored = s->dims[0];
    d->stored_c = d->c;
    return LR_OK;
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
    if (d->opts.n_dims)
        return match_array(d, e);
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
    if (s->n_dims == 4 && (is_bytes || d->opts.is_channels_last) &&
        fits(d, dims[3], dims[1], dims[2])) {
        d->stored_c = (int)dims[3];
        d->is_channels_last = true;
        return LR_OK;
    }
    return lr_err_set(e, LR_ESHAPE,
                      "images of shape %s do not fit a network input of "
                      "%dx%dx%d (channels x height x width)",
                      lr_shape_text(text, sizeof(text), s), d->c, d->h, d->w);
}

/* All stored labels count, so that a small draw has the same classes. */
int data_classes(const int32_t *labels, int64_t n)
{
    int n_classes = 0;

    for (int64_t i = 0; i < n; i++)
        if (labels[i] >= n_classes)
            n_classes = labels[i] + 1;
    return n_classes;
}

/* Kept in the order drawn: sorted, a batch or a prefix of the draw would no longer be a
 * random sample. */
enum lr_status data_draw(int64_t **order, struct lr_dataset *d, struct lr_err *e)
{
    struct lr_rng rng;

    *order = NULL;
    d->n = d->n_stored;
    if (d->opts.count == 0)
        return LR_OK;
    if (d->opts.count > d->n_stored)
        return lr_err_set(e, LR_EINVAL, "count %lld exceeds its %lld images",
                          (long long)d->opts.count, (long long)d->n_stored);
    *order = lr_alloc((size_t)d->n_stored, sizeof(**order));
    if (!*order)
        return lr_enomem(e, (size_t)d->n_stored * sizeof(**order), "the order of images");
    lr_rng_seed(&rng, d->opts.seed);
    lr_rng_permutation(&rng, *order, d->n_stored);
    d->n = d->opts.count;
    return LR_OK;
}

static enum lr_status take_labels(struct lr_dataset *d, const char *path,
                                  struct lr_err *e)
{
    int32_t *stored = NULL;
    enum lr_status st = data_labels_read(&stored, path, d->n_stored, e);

    if (st != LR_OK)
        return st;
    d->labels = lr_alloc((size_t)d->n, sizeof(*d->labels));
    if (!d->labels)
        st = lr_enomem(e, (size_t)d->n * sizeof(*d->labels), "labels");
    for (int64_t i = 0; d->labels && i < d->n; i++)
        d->labels[i] = stored[d->order ? d->order[i] : i];
    d->n_classes = data_classes(stored, d->n_stored);
    lr_free(stored);
    return st;
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
        st = data_draw(&d->order, d, e);
    if (st != LR_OK) {
        data_prefix_path(e, d->path);
        return st;
    }
    return find_labels(d, o, notes, e);
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
    d->opts.is_forgetting_told = NULL;
    d->opts.progress = NULL;
    if (!opts->has_scale)
        d->opts.scale = 1.0f;
    d->c = c;
    d->h = h;
    d->w = w;
    st = data_is_folder(path) ? data_folder_open(d, opts, notes, e)
                              : open_file(d, opts, notes, e);
    if (st == LR_OK)
        st = data_make_table(d, e);
    if (st == LR_OK)
        st = data_check_values(d, e);
    if (st == LR_OK)
        st = data_make_hash(d, e);
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
    lr_free(d->stored_labels);
    lr_free(d->table);
    lr_free(d);
}

int64_t lr_dataset_count(const struct lr_dataset *d)
{
    return d->n;
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
