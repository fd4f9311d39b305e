/* The pictures of a folder as images of one size. */
#ifndef RANKLAB_DATA_PICTURES_H
#define RANKLAB_DATA_PICTURES_H

#include "folder.h"
#include "picture.h"

enum { DATA_DIGEST = 64 };

/* Image i of the set is entry order[i] of the folder. Every one was read, hashed and
 * decoded when the set was opened; the first n_cached are kept as bytes [h, w, c], the
 * others are decoded again when they are asked for. */
struct data_pictures {
    struct data_folder folder;
    struct data_fit fit;
    size_t size; /* bytes of an image */
    int64_t n, n_skipped, n_cached, cap_cached;
    int64_t *order;
    char *digests; /* [n][DATA_DIGEST] */
    unsigned char *cache;
};

/* Takes want pictures in the order of perm (NULL: as listed), passing over those that
 * cannot be read, each with a warning. folder and fit are set before. LR_EINVAL: none can
 * be read. */
enum lr_status data_pictures_open(struct data_pictures *p, const int64_t *perm,
                                  int64_t want, const struct lr_notes *notes,
                                  const struct lr_progress *progress, struct lr_err *e);
void data_pictures_free(struct data_pictures *p);
/* Image i into out [h, w, c]; LR_EIO when its file has changed since. Unless it is alone,
 * LR_EUNSUP or LR_ENOMEM may mean that it is too large to be decoded beside others. */
enum lr_status data_pictures_get(unsigned char *out, const struct data_pictures *p,
                                 int64_t i, bool is_alone, struct lr_err *e);

#endif
