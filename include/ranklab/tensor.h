/* Dense row-major tensors as they stand in model files. */
#ifndef RANKLAB_TENSOR_H
#define RANKLAB_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LR_MAX_DIMS = 8 };

/* Values are ONNX's TensorProto.DataType numbers. */
enum lr_dtype {
    LR_DT_NONE = 0,
    LR_DT_F32 = 1,
    LR_DT_U8 = 2,
    LR_DT_I8 = 3,
    LR_DT_U16 = 4,
    LR_DT_I16 = 5,
    LR_DT_I32 = 6,
    LR_DT_I64 = 7,
    LR_DT_BOOL = 9,
    LR_DT_F16 = 10,
    LR_DT_F64 = 11,
    LR_DT_U32 = 12,
    LR_DT_U64 = 13,
    LR_DT_BF16 = 16
};

struct lr_shape {
    int n_dims;
    int64_t dims[LR_MAX_DIMS]; /* -1: free (only the batch, dimension 0, may be) */
};

/* data: contiguous, row-major, host byte order, owned; not to be written once the tensor
 * is shared. */
struct lr_tensor {
    enum lr_dtype dtype;
    struct lr_shape shape;
    void *data;
    int n_shared; /* owners beside the first; lr_tensor_free counts them down */
};

size_t lr_dtype_size(enum lr_dtype t); /* bytes; 0 for types not held */
const char *lr_dtype_name(enum lr_dtype t);
bool lr_dtype_is_float(enum lr_dtype t);
/* Number of elements; LR_ESHAPE when a dimension is negative or the product overflows. */
enum lr_status lr_shape_count(int64_t *count, const struct lr_shape *s, struct lr_err *e);
bool lr_shape_equal(const struct lr_shape *a, const struct lr_shape *b);
/* "1x3x224x224", free dimensions as "N". buf of at least 8 * 21 bytes. Returns buf. */
char *lr_shape_text(char *buf, size_t size, const struct lr_shape *s);

/* A zeroed tensor; *out is released with lr_tensor_free. */
enum lr_status lr_tensor_new(struct lr_tensor **out, enum lr_dtype t,
                             const struct lr_shape *s, struct lr_err *e);
enum lr_status lr_tensor_clone(struct lr_tensor **out, const struct lr_tensor *t,
                               struct lr_err *e);
/* One owner more of t itself. Owners belong to one thread. Returns t; NULL is fine. */
struct lr_tensor *lr_tensor_share(struct lr_tensor *t);
void lr_tensor_free(struct lr_tensor *t);
/* A copy of t converted to float32 (from F32, F16, BF16, F64 and integers). */
enum lr_status lr_tensor_to_f32(struct lr_tensor **out, const struct lr_tensor *t,
                                struct lr_err *e);
/* Element i of an integer or boolean tensor. */
int64_t lr_tensor_int_at(const struct lr_tensor *t, int64_t i);
float lr_half_to_float(uint16_t h);
uint16_t lr_float_to_half(float f);
/* True when all n values are finite. */
bool lr_all_finite(const float *x, size_t n);

#ifdef __cplusplus
}
#endif

#endif
