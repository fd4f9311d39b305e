/* Shared by the files that know protobuf-c. */
#ifndef RANKLAB_MODEL_ONNX_INT_H
#define RANKLAB_MODEL_ONNX_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "onnx.pb-c.h"

#include "ranklab/err.h"
#include "ranklab/graph.h"

/* Messages and strings in a file: each costs some hundred bytes. */
enum { LR_ONNX_MAX_PARTS = 2 << 20 };

/* Walks the wire format of len bytes as message desc, without recursion: every length
 * inside its parent, nesting at most 64, no group, a bounded number of fields, no zero
 * byte inside a string, no singular message twice. LR_EPARSE says what is wrong and
 * where. */
enum lr_status lr_onnx_check_wire(const ProtobufCMessageDescriptor *desc,
                                  const unsigned char *data, size_t len,
                                  struct lr_err *e);

/* How many parts such bytes have. */
enum lr_status lr_onnx_count_parts(size_t *n, const ProtobufCMessageDescriptor *desc,
                                   const unsigned char *data, size_t len,
                                   struct lr_err *e);
/* The next field of this number that holds bytes, from *at on, which moves behind it;
 * false: there is none. */
bool lr_onnx_next_field(const unsigned char **value, size_t *value_len,
                        const unsigned char *data, size_t len, size_t *at, unsigned tag);

/* An allocator on lr_alloc that remembers a failure in *has_failed. */
ProtobufCAllocator lr_onnx_allocator(bool *has_failed);

/* Files beside a model that hold its weights. */
struct lr_onnx_beside {
    const char *folder; /* where they may lie; NULL: nowhere */
    char *sha256;       /* of 65: takes in what is read; NULL: nobody asks */
};

/* The tensor of t, named for messages by what. Takes the bytes of raw_data out of t where
 * it can. beside: for external data; NULL refuses them. */
enum lr_status lr_onnx_tensor(struct lr_tensor **out, Onnx__TensorProto *t,
                              const struct lr_onnx_beside *beside, struct lr_err *e);
/* The same for data, which may hold NaN and infinity. */
enum lr_status lr_onnx_tensor_any(struct lr_tensor **out, Onnx__TensorProto *t,
                                  const struct lr_onnx_beside *beside, struct lr_err *e);
/* False when ONNX's type number is none of lr_dtype. */
bool lr_onnx_dtype(enum lr_dtype *t, int number);

/* The folder a path lies in, "." for a bare name; lr_free it. */
char *lr_onnx_folder(const char *path);

/* lr_onnx_parse, with what the model is known by as in lr_onnx_read; on failure that of
 * what was read. sha256 may be NULL. */
enum lr_status lr_onnx_parse_known(struct lr_graph **out, char sha256[65],
                                   const void *data, size_t len, const char *folder,
                                   const struct lr_notes *notes, struct lr_err *e);

#endif
