/* Images with optional labels, read in batches as normalised float32 NCHW. */
#ifndef RANKLAB_DATASET_H
#define RANKLAB_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/progress.h"
#include "ranklab/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LR_MAX_CHANNELS = 16 };

/* value = (x * scale - mean[c]) / std[c]; scale is 1/255 for byte images and 1 for float
 * arrays unless has_scale. One mean or std serves all channels; several are in the order
 * of the network's channels, that is, after a swap by is_bgr. */
struct lr_data_opts {
    const char *labels; /* path, or NULL: none (an idx images file "X-images..." finds its
                           own "X-labels..." beside it); "": none in any case */
    int64_t count; /* 0: all; else that many drawn without replacement by seed, in the
                      order drawn (never re-sorted); LR_EINVAL when there are fewer */
    uint64_t seed;
    int n_mean, n_std;
    float mean[LR_MAX_CHANNELS], std[LR_MAX_CHANNELS];
    bool has_scale;
    float scale;
    bool is_bgr; /* swap the first and third of 3 channels */
    /* Folders of pictures only: resized to exactly h x w, or (w 0) the shorter side to h,
     * or (both 0) just to cover the network's input, whose size is then cut from the
     * middle. */
    int resize_h, resize_w;
    bool is_channels_last; /* images are given out as height x width x channels */
    int n_dims; /* 0: images; else what is fed is an array of so many dimensions, the
                   batch among them, dims[1..], and only a .npy of that shape will do */
    int64_t dims[LR_MAX_DIMS];
    const struct lr_progress *progress; /* while the set is opened; may be NULL */
    /* Whether it was told that nothing can be remembered of pictures, which is told once;
     * NULL: by this set. It outlives the set. */
    bool *is_forgetting_told;
};

struct lr_dataset;

/* Opens idx(.gz) (u1, dimensions n,h,w or n,h,w,c) or .npy (<f4, <f8, <f2, |u1; n,h,w |
 * n,c,h,w; also n,h,w,c for u1, or where is_channels_last; either may be compressed). c,
 * h, w: what the network wants; grey images for a 3-channel network are repeated; any
 * other mismatch is LR_ESHAPE saying both shapes. Zero images: LR_EINVAL. LR_ENUMERIC
 * names the first image drawn that has a NaN or Inf. The whole file is held in memory as
 * stored. A folder holds pictures (JPEG, PNG, WebP, BMP, PPM, PGM), or a sub-folder for
 * each class, sorted by bytes; labels may then be a text file. Up to 1 GiB of decoded
 * pictures is kept, the others are decoded again when asked for. What cannot be read is
 * skipped with a warning: image i is the i-th picture that can be read, in the order
 * drawn. Opening looks at the first pictures only; lr_dataset_settle makes known what is
 * to be used. */
enum lr_status lr_dataset_open(struct lr_dataset **out, const char *path, int c, int h,
                               int w, const struct lr_data_opts *opts,
                               const struct lr_notes *notes, struct lr_err *e);
void lr_dataset_free(struct lr_dataset *d);

/* Makes the first n images (0: all) known, or as many as there are; count, labels and
 * hash are final for these. Of files all are known from the start. What was found stays
 * found when the work is interrupted. */
enum lr_status lr_dataset_settle(struct lr_dataset *d, int64_t n,
                                 const struct lr_notes *notes,
                                 const struct lr_progress *progress, struct lr_err *e);
/* Images that are known. */
int64_t lr_dataset_known(const struct lr_dataset *d);
/* Images; of a folder of which not all are known, the most there can be. */
int64_t lr_dataset_count(const struct lr_dataset *d);
/* Pictures that could not be read, as far as is known. */
int64_t lr_dataset_skipped(const struct lr_dataset *d);
/* Bytes that batches may take beyond those the set holds now. */
size_t lr_dataset_room(const struct lr_dataset *d);
/* Labels (int32, count entries, >= 0), or NULL. */
const int32_t *lr_dataset_labels(const struct lr_dataset *d);
/* The largest label + 1, or 0. */
int lr_dataset_classes(const struct lr_dataset *d);
const char *lr_dataset_path(const struct lr_dataset *d);
/* SHA-256 over stored bytes (uncompressed; of pictures the files' bytes), order, labels
 * and preprocessing; 64 hex digits, or "" as long as not all images are known. */
const char *lr_dataset_hash(const struct lr_dataset *d);
/* What the first n images (0: all) are known by, into hex, which is returned: of a file
 * the hash of the whole; "" when they are not known. */
const char *lr_dataset_hash_first(char hex[65], const struct lr_dataset *d, int64_t n);
/* As opened; labels is NULL. */
const struct lr_data_opts *lr_dataset_opts(const struct lr_dataset *d);
/* Images first..first+n-1, which are known, into out [n, c, h, w]. LR_ENUMERIC names an
 * image with NaN/Inf, LR_EIO a picture whose file has changed. */
enum lr_status lr_dataset_batch(const struct lr_dataset *d, int64_t first, int64_t n,
                                float *out, struct lr_err *e);

/* A .npy array as a row-major tensor (<f4, <f8 and <f2 converted to f4, |u1; stored in
 * either order; version 1-3). */
struct lr_tensor;
enum lr_status lr_npy_read(struct lr_tensor **out, const char *path, struct lr_err *e);
/* Float32 C-order .npy, all or nothing. dims as in numpy's shape. */
enum lr_status lr_npy_write(const char *path, const float *x, const int64_t *dims,
                            int n_dims, struct lr_err *e);

#ifdef __cplusplus
}
#endif

#endif
