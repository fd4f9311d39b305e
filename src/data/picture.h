/* Pictures in files: decoding, and bringing them to the size of a network's input. */
#ifndef RANKLAB_DATA_PICTURE_H
#define RANKLAB_DATA_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"

/* Bytes, row-major, channels last: pixels [h, w, c], c 1 (grey) or 3 (red, green, blue);
 * lr_free them. */
struct data_picture {
    int w, h, c;
    unsigned char *pixels;
    void *reserve; /* stands for what a library holds while it decodes; never touched */
};
void data_picture_free(struct data_picture *p);

/* What is done to a picture: resize to exactly h x w, or (w 0) its shorter side to h, or
 * (both 0) the least that covers crop_h x crop_w; then the middle crop_h x crop_w of it.
 */
struct data_fit {
    int c, resize_h, resize_w, crop_h, crop_w;
};

/* Decodes n bytes (JPEG, PNG, WebP, BMP, PPM or PGM, told apart by content) to 1 or 3
 * channels as wanted. Sizes are checked before anything is decoded: more than 2^28 pixels
 * or, at 16 bytes a pixel, than max_bytes is LR_EUNSUP. Any damage is LR_EPARSE. */
enum lr_status data_picture_decode(struct data_picture *p, const unsigned char *data,
                                   size_t n, int c, size_t max_bytes, struct lr_err *e);
/* Decodes and fits; out: [crop_h, crop_w, c]; size (may be NULL): width and height
 * before. LR_ESHAPE: smaller than the part to cut. */
enum lr_status data_picture_fit(unsigned char *out, int size[2],
                                const unsigned char *data, size_t n,
                                const struct data_fit *f, size_t max_bytes,
                                struct lr_err *e);
/* Whether the size of a picture stands in the way of neither. */
bool data_picture_fits(int w, int h, const struct data_fit *f, size_t max_bytes);
/* The limits of data_picture_decode. */
enum lr_status data_picture_check_size(int64_t w, int64_t h, size_t max_bytes,
                                       struct lr_err *e);
/* Bilinear with a support that grows with the reduction, 8 bits between the passes. to
 * has w, h and c = from->c set; its pixels are made. */
enum lr_status data_picture_resize(struct data_picture *to,
                                   const struct data_picture *from, struct lr_err *e);

/* Room for the pixels of a picture whose w, h, c are set, within the limits. */
enum lr_status data_picture_alloc(struct data_picture *p, size_t max_bytes,
                                  struct lr_err *e);
/* libpng; to grey or colour as the file has it. */
enum lr_status data_png_decode(struct data_picture *p, const unsigned char *data,
                               size_t n, size_t max_bytes, struct lr_err *e);

#endif
