/* An array as it stands in an idx or .npy file. */
#ifndef RANKLAB_DATA_ARRAY_H
#define RANKLAB_DATA_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/tensor.h"
#include "stream.h"

/* Row-major, host byte order; data may be unaligned, so elements are copied out. */
struct data_array {
    enum lr_dtype dtype;
    struct lr_shape shape;
    bool is_idx;
    void *owner;
    const unsigned char *data;
    size_t n_bytes;
};

/* Reads idx(.gz) or .npy(.gz), told apart by content. Every error names path. */
enum lr_status data_array_read(struct data_array *a, const char *path, struct lr_err *e);
void data_array_free(struct data_array *a);
/* Elements 0..n-1 (n at most the element count from first) as float32. */
void data_array_floats(float *out, const struct data_array *a, size_t first, size_t n);
/* Element i of an array of integers. */
int64_t data_array_int_at(const struct data_array *a, size_t i);
/* Puts "PATH: ", made safe for a terminal and shortened, before the message. */
void data_prefix_path(struct lr_err *e, const char *path);

/* The readers proper, after the first 4 (idx) or 6 (.npy) bytes. */
enum lr_status data_idx_read(struct data_array *a, struct data_stream *s,
                             const unsigned char magic[4], struct lr_err *e);
enum lr_status data_npy_read(struct data_array *a, struct data_stream *s,
                             struct lr_err *e);
/* Fills n_bytes and data from dtype and shape and the rest of s. */
enum lr_status data_array_fill(struct data_array *a, struct data_stream *s,
                               bool is_big_endian, struct lr_err *e);

#endif
