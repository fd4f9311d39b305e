/* The pictures of a folder as images of one size. */
#ifndef RANKLAB_DATA_PICTURES_H
#define RANKLAB_DATA_PICTURES_H

#include "folder.h"
#include "picture.h"
#include "pictures_memo.h"

/* Image i of the set is the i-th picture that can be read, in the order drawn. The first
 * n are known: each was read, hashed and decoded, in this session or an earlier one. */
struct data_pictures {
    struct data_folder folder;
    struct data_fit fit;
    size_t size;    /* bytes of an image */
    int64_t *drawn; /* [folder.n] entries in the order drawn, owned; NULL: as listed */
    int64_t want;   /* images that the set has when enough can be read */
    int64_t n, at;  /* images known; entries in the order drawn that were looked at */
    int64_t n_skipped, max_pixels;
    int64_t *order; /* [want] */
    char *digests;  /* [want][DATA_DIGEST] */
    struct data_memo memo;
    bool *is_forgetting_told, is_told; /* see dataset.h; and where that is NULL */
    /* The first cap_cached images may be kept as bytes [h, w, c], in blocks. */
    int64_t cap_cached;
    unsigned char **blocks;
    bool *is_cached; /* [cap_cached] */
};

/* folder, fit, drawn, want and is_forgetting_told are set before. Takes over what is
 * remembered of the first pictures and decodes some. LR_EINVAL: none can be read. */
enum lr_status data_pictures_open(struct data_pictures *p, const struct lr_notes *notes,
                                  const struct lr_progress *progress, struct lr_err *e);
void data_pictures_free(struct data_pictures *p);
/* Makes n images known, or all there are; skips what cannot be read, each with a warning.
 * What was found stays found when the work is stopped. */
enum lr_status data_pictures_settle(struct data_pictures *p, int64_t n,
                                    const struct lr_notes *notes,
                                    const struct lr_progress *progress, struct lr_err *e);
/* Whether no further image will be found. */
bool data_pictures_all_known(const struct data_pictures *p);
/* Memory to keep images first..first+n-1 in, as far as there is to be any; before they
 * are got by several threads. */
void data_pictures_make_room(struct data_pictures *p, int64_t first, int64_t n);
/* Image i, which is known, into out [h, w, c]; LR_EIO when its file has changed since.
 * Unless it is alone, LR_EUNSUP or LR_ENOMEM may mean that it is too large to be decoded
 * beside others. */
enum lr_status data_pictures_get(unsigned char *out, struct data_pictures *p, int64_t i,
                                 bool is_alone, struct lr_err *e);
/* Bytes that getting all known images may take, beyond those that are held already. */
size_t data_pictures_room(const struct data_pictures *p);

#endif
