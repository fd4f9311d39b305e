/* A network file as its protobuf message, shared by the files that change and write it.
 * All of the message is made of single blocks, so that protobuf-c can release it. */
#ifndef RANKLAB_MODEL_ONNX_EDIT_H
#define RANKLAB_MODEL_ONNX_EDIT_H

#include "model.h"
#include "onnx_function.h"
#include "onnx_int.h"
#include "ranklab/onnx.h"

struct lr_onnx_file {
    char *path, *folder;
    Onnx__ModelProto *m; /* its functions expanded */
    struct lr_onnx_calls calls;
    struct lr_graph *plain; /* the same file, nothing folded */
    bool has_failed;        /* an allocation of protobuf-c */
    ProtobufCAllocator alloc;
    int64_t opset;
};

/* ---- onnx_edit.c */

/* Grows a list of n pointers and puts x at place at; false without memory (x is then the
 * caller's). */
bool lr_onnx_insert(void *list, size_t *n, size_t at, void *x);

/* ---- onnx_parts.c */

/* Puts the parts as nodes before node at; the last writes end. n->auto_pad: the layer's
 * own, where its padding follows from the size of the input. */
struct lr_onnx_place {
    size_t at;
    const char *input, *end; /* value names */
    const char *auto_pad;    /* or NULL */
    const char *doc;
    enum lr_dtype dtype; /* that is computed in */
    bool is_conv;
};
enum lr_status lr_onnx_put_parts(struct lr_onnx_file *f, const struct lr_onnx_swap *w,
                                 const struct lr_onnx_place *place,
                                 const struct lr_conv_part *parts, struct lr_err *e);

/* ---- onnx_left.c */

/* Waits until no other export writes weights into the folder of path. *lock: to be closed
 * when done; -1 where there are no locks. */
enum lr_status lr_onnx_take_turn(int *lock, const char *path,
                                 const struct lr_progress *progress, struct lr_err *e);
/* Removes weights that a killed export left in the folder of path; not while it is
 * another's turn, who may be about to write the same ones. has_turn: it is the caller's.
 */
void lr_onnx_remove_left(const char *path, bool has_turn);

#endif
