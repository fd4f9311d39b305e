/* A folder of pictures as a set of images. How many images there are, and which of them
 * is the i-th, is known for those that were settled; labels follow. */
#include <string.h>

#include "dataset_internal.h"
#include "labels.h"
#include "ranklab/mem.h"

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

/* The set as it is known now. */
static void take_over(struct lr_dataset *d)
{
    const struct data_pictures *p = d->pictures;
    int64_t most = p->n + (p->folder.n - p->at);

    d->n = data_pictures_all_known(p) ? p->n : most < p->want ? most : p->want;
    for (int64_t i = 0; d->labels && i < d->n; i++) {
        int64_t at = i < p->n ? p->order[i] : p->at + (i - p->n);
        if (i >= p->n && p->drawn)
            at = p->drawn[at];
        d->labels[i] = d->stored_labels[at];
    }
}

static enum lr_status make_labels(struct lr_dataset *d, const struct lr_data_opts *o,
                                  struct lr_err *e)
{
    const struct data_folder *f = &d->pictures->folder;
    enum lr_status st = folder_labels(&d->stored_labels, f, o->labels, e);

    if (st != LR_OK || !d->stored_labels)
        return st;
    d->n_classes = o->labels ? data_classes(d->stored_labels, f->n) : f->n_classes;
    d->labels = lr_alloc((size_t)d->n_stored, sizeof(*d->labels));
    return d->labels ? LR_OK
                     : lr_enomem(e, (size_t)d->n_stored * sizeof(*d->labels), "labels");
}

/* When a count was asked for. */
static void tell_missing(const struct lr_dataset *d, const struct lr_notes *notes)
{
    const struct data_pictures *p = d->pictures;

    if (d->opts.count && data_pictures_all_known(p) && p->n < p->want)
        lr_note(notes, LR_NOTE_WARNING, "only %lld of the %lld images asked for",
                (long long)p->n, (long long)p->want);
}

/* What no picture could be cut from. */
static enum lr_status check_resize(const struct data_fit *f, struct lr_err *e)
{
    const int least = f->crop_h < f->crop_w ? f->crop_h : f->crop_w;

    if (f->resize_w ? f->resize_h >= f->crop_h && f->resize_w >= f->crop_w
                    : !f->resize_h || f->resize_h >= least)
        return LR_OK;
    return f->resize_w
               ? lr_err_set(e, LR_EINVAL,
                            "pictures resized to %d,%d are smaller than the network's "
                            "input, %d,%d",
                            f->resize_h, f->resize_w, f->crop_h, f->crop_w)
               : lr_err_set(e, LR_EINVAL,
                            "pictures whose shorter side is %d are smaller than the "
                            "network's input, %d,%d",
                            f->resize_h, f->crop_h, f->crop_w);
}

enum lr_status data_folder_open(struct lr_dataset *d, const struct lr_data_opts *o,
                                const struct lr_notes *notes, struct lr_err *e)
{
    struct data_pictures *p = d->pictures = lr_calloc(1, sizeof(*p));

    if (!p)
        return lr_enomem(e, sizeof(*p), "a folder");
    if (d->opts.n_dims)
        return lr_err_set(e, LR_ESHAPE,
                          "the network takes arrays of %d dimensions, no pictures",
                          d->opts.n_dims);
    if (d->c != 1 && d->c != 3)
        return lr_err_set(e, LR_ESHAPE,
                          "the network's input has %d channels; pictures have 1 or 3",
                          d->c);
    p->fit = (struct data_fit){d->c, o->resize_h, o->resize_w, d->h, d->w};
    enum lr_status st = check_resize(&p->fit, e);
    if (st == LR_OK)
        st = data_folder_list(&p->folder, d->path, notes, e);
    if (st != LR_OK)
        return st;
    d->n_stored = p->folder.n;
    d->stored_c = d->c;
    d->is_channels_last = true;
    d->images.dtype = LR_DT_U8;
    /* Bad labels are known before the work. */
    if ((st = make_labels(d, o, e)) != LR_OK)
        return st;
    if ((st = data_draw(&p->drawn, d, e)) != LR_OK) {
        data_prefix_path(e, d->path);
        return st;
    }
    p->want = d->n;
    p->is_forgetting_told = o->is_forgetting_told;
    if ((st = data_pictures_open(p, notes, o->progress, e)) != LR_OK)
        return st;
    take_over(d);
    tell_missing(d, notes);
    return LR_OK;
}

enum lr_status lr_dataset_settle(struct lr_dataset *d, int64_t n,
                                 const struct lr_notes *notes,
                                 const struct lr_progress *progress, struct lr_err *e)
{
    struct data_pictures *p = d->pictures;

    if (!p || d->hash[0])
        return LR_OK;
    if (data_pictures_all_known(p))
        return data_make_hash(d, e);
    const int64_t skipped = p->n_skipped;
    enum lr_status st = data_pictures_settle(p, n > 0 ? n : p->want, notes, progress, e);
    take_over(d);
    if (data_pictures_all_known(p))
        tell_missing(d, notes);
    if (p->n_skipped > skipped)
        lr_note(notes, LR_NOTE_WARNING,
                "%lld of %lld pictures skipped; %s%lld images are left",
                (long long)p->n_skipped, (long long)p->at,
                data_pictures_all_known(p) ? "" : "at most ", (long long)d->n);
    return st == LR_OK ? data_make_hash(d, e) : st;
}

int64_t lr_dataset_known(const struct lr_dataset *d)
{
    return d->pictures ? d->pictures->n : d->n;
}

int64_t lr_dataset_skipped(const struct lr_dataset *d)
{
    return d->pictures ? d->pictures->n_skipped : 0;
}

size_t lr_dataset_room(const struct lr_dataset *d)
{
    return d->pictures ? data_pictures_room(d->pictures) : 0;
}
