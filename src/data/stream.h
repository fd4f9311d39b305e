/* The bytes of a data file, plain or gzip, read in order and never beyond what its header
 * has promised. */
#ifndef RANKLAB_DATA_STREAM_H
#define RANKLAB_DATA_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

#include "ranklab/err.h"

/* file: the whole file in memory, owned. Do not copy once opened: zlib points into it. */
struct data_stream {
    char *file;
    size_t len, at; /* of the file; at: the next byte to be handed out or inflated */
    bool is_gzip, is_open, is_done;
    z_stream z;
};

/* Reads path. LR_EUNSUP for a folder; other errors as lr_file_read. s is to be closed in
 * any case. */
enum lr_status data_stream_open(struct data_stream *s, const char *path,
                                struct lr_err *e);
void data_stream_close(struct data_stream *s);
/* Exactly n bytes into buf; LR_EPARSE, naming what, when the file ends before. */
enum lr_status data_stream_read(struct data_stream *s, void *buf, size_t n,
                                const char *what, struct lr_err *e);
/* The n bytes that must be all the rest of the file. *owner holds them (lr_free it),
 * *data points at the first. Memory is asked for only when the file can hold that much.
 */
enum lr_status data_stream_rest(struct data_stream *s, void **owner, unsigned char **data,
                                size_t n, struct lr_err *e);

#endif
