/* A model's local functions: which there are, and the network with their calls expanded.
 * Shared by the files that do so. */
#ifndef RANKLAB_MODEL_ONNX_FUNCTION_H
#define RANKLAB_MODEL_ONNX_FUNCTION_H

#include "model.h"
#include "onnx_int.h"

/* ---- onnx_function.c */

struct lr_onnx_function {
    Onnx__FunctionProto *p;
    char *key, *head; /* domain, name and overload; without the overload */
    /* What an attribute is that a call leaves out. */
    Onnx__AttributeProto **defaults;
    size_t n_defaults;
    struct lr_names default_names;
    int64_t cost; /* nodes and calls once it is expanded; -1: not known yet */
    int levels;   /* of functions and branches inside each other */
    bool is_reached, is_open;
};

struct lr_onnx_functions {
    Onnx__ModelProto *m;
    ProtobufCAllocator *alloc;
    struct lr_onnx_function *list;
    size_t n;
    struct lr_names keys, heads;
    int64_t n_calls; /* in the network itself */
};

/* Lists m's functions and checks those that are called: no recursion, a bounded number of
 * nodes, opsets that mean the same as the model's. Opsets the model does not import are
 * added to it. Clear fs also after a failure. */
enum lr_status lr_onnx_functions_find(struct lr_onnx_functions *fs, Onnx__ModelProto *m,
                                      ProtobufCAllocator *alloc, struct lr_err *e);
void lr_onnx_functions_clear(struct lr_onnx_functions *fs);
/* *f: the function that x calls, or NULL. */
enum lr_status lr_onnx_callee(struct lr_onnx_function **f,
                              const struct lr_onnx_functions *fs,
                              const Onnx__NodeProto *x, struct lr_err *e);
/* Empties m's list of functions, or drops those of fs that were called and are no more.
 */
enum lr_status lr_onnx_functions_drop(struct lr_onnx_functions *fs, bool is_all,
                                      struct lr_err *e);

/* ---- onnx_changes.c */

/* The opset in which an operator of the standard domain became something else than it is
 * to a node written for opset from and read as one of opset to; 0: it is the same. What
 * lies outside of these opsets is not known, and never the same. */
enum { LR_ONNX_FIRST_LISTED = 7, LR_ONNX_LAST_LISTED = 21 };
int64_t lr_onnx_changed(const char *op_type, int64_t from, int64_t to);

/* ---- onnx_expand.c */

/* A call that was expanded, as it would stand in the network. */
struct lr_onnx_call {
    Onnx__NodeProto *node;
    long parent; /* the call it is part of, or -1 */
    bool is_touched;
};
/* The nodes of the expanded network in their order; call: what they come from, or -1. */
struct lr_onnx_made {
    Onnx__NodeProto *node; /* NULL: it was taken out since */
    long call;
};
struct lr_onnx_calls {
    struct lr_onnx_functions fs;
    struct lr_onnx_call *calls;
    size_t n_calls;
    struct lr_onnx_made *made;
    size_t n_made;
};

/* Replaces the calls of functions in m by the functions' nodes. calls NULL: all, and the
 * functions go. Otherwise calls inside of branches stay, which nobody edits, and *calls
 * says what came from where; clear it also after a failure. The names are the same either
 * way. */
enum lr_status lr_onnx_expand(Onnx__ModelProto *m, ProtobufCAllocator *alloc,
                              struct lr_onnx_calls *calls, struct lr_err *e);

/* ---- onnx_restore.c */

/* Node x of the expanded network is about to be taken out: its call stays expanded. */
void lr_onnx_touch(struct lr_onnx_calls *calls, const Onnx__NodeProto *x);
/* Puts the outermost calls back in place of which nothing was taken out, and drops the
 * functions that nobody calls any more. */
enum lr_status lr_onnx_restore(struct lr_onnx_calls *calls, struct lr_err *e);
void lr_onnx_calls_clear(struct lr_onnx_calls *calls);

#endif
