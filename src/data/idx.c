/* The idx format of the MNIST family: two zero bytes, a type byte, the number of
 * dimensions, the dimensions as big-endian 32-bit numbers, then the elements, row-major
 * and big-endian. Bytes, and the integers that labels come in, are read; images are
 * bytes. */
#include "array.h"

static enum lr_dtype type_of(unsigned char code)
{
    switch (code) {
    case 0x08:
        return LR_DT_U8;
    case 0x09:
        return LR_DT_I8;
    case 0x0B:
        return LR_DT_I16;
    case 0x0C:
        return LR_DT_I32;
    default:
        return LR_DT_NONE;
    }
}

enum lr_status data_idx_read(struct data_array *a, struct data_stream *s,
                             const unsigned char magic[4], struct lr_err *e)
{
    unsigned char dim[4];

    a->is_idx = true;
    a->dtype = type_of(magic[2]);
    if (a->dtype == LR_DT_NONE) {
        bool is_real = magic[2] == 0x0D || magic[2] == 0x0E;
        return lr_err_set(e, is_real ? LR_EUNSUP : LR_EPARSE,
                          "idx type 0x%02x%s; bytes (0x08) are read, or integers "
                          "(0x09, 0x0b, 0x0c) as labels",
                          magic[2], is_real ? " (real numbers) is not supported" : "");
    }
    if (magic[3] < 1 || magic[3] > LR_MAX_DIMS)
        return lr_err_set(e, LR_EPARSE, "idx with %d dimensions; 1 to %d are read",
                          magic[3], LR_MAX_DIMS);
    a->shape.n_dims = magic[3];
    for (int i = 0; i < a->shape.n_dims; i++) {
        enum lr_status st = data_stream_read(s, dim, 4, "a dimension", e);
        if (st != LR_OK)
            return st;
        a->shape.dims[i] = (int64_t)dim[0] << 24 | dim[1] << 16 | dim[2] << 8 | dim[3];
    }
    return data_array_fill(a, s, true, e);
}
