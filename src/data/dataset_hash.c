/* What a set of images is known by. Of a folder that are the digests of the files of
 * those pictures that take part: names, times and places do not matter, every byte does.
 * It is known for as many of the first images as are known. */
#include <string.h>

#include "dataset_internal.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"

/* One digest over the digests of the parts and the text of the rest, so that parts cannot
 * run into each other. */
static enum lr_status make_hash(char hex[65], const struct lr_dataset *d, int64_t n,
                                struct lr_err *e)
{
    const struct lr_data_opts *o = &d->opts;
    char text[8 * 21], stored[65], order[65] = "", labels[65] = "";
    struct lr_strbuf b = {0};

    if (d->pictures)
        lr_sha256(stored, d->pictures->digests, (size_t)n * DATA_DIGEST);
    else
        lr_sha256(stored, d->images.data, d->images.n_bytes);
    if (d->order && !d->pictures)
        lr_sha256(order, d->order, (size_t)n * sizeof(*d->order));
    if (d->labels)
        lr_sha256(labels, d->labels, (size_t)n * sizeof(*d->labels));
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
    lr_sha256(hex, b.s, b.len);
    lr_strbuf_free(&b);
    return LR_OK;
}

enum lr_status data_make_hash(struct lr_dataset *d, struct lr_err *e)
{
    if (d->pictures && !data_pictures_all_known(d->pictures))
        return LR_OK;
    return make_hash(d->hash, d, d->n, e);
}

const char *lr_dataset_hash(const struct lr_dataset *d)
{
    return d->hash;
}

const char *lr_dataset_hash_first(char hex[65], const struct lr_dataset *d, int64_t n)
{
    const bool is_whole = !d->pictures || (d->hash[0] && (n <= 0 || n >= d->n));

    hex[0] = '\0';
    if (is_whole)
        memcpy(hex, d->hash, sizeof(d->hash));
    else if (n <= 0 || n > d->pictures->n || make_hash(hex, d, n, NULL) != LR_OK)
        hex[0] = '\0';
    return hex;
}
