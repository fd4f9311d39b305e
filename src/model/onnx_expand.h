/* Copies of functions' nodes under names of their own, shared by the files that expand
 * calls. */
#ifndef RANKLAB_MODEL_ONNX_EXPAND_H
#define RANKLAB_MODEL_ONNX_EXPAND_H

#include "onnx_function.h"

struct lr_expand_text {
    char *s;
};

struct lr_expander {
    struct lr_onnx_calls *c;
    Onnx__ModelProto *m;
    ProtobufCAllocator *alloc;
    /* In use; the number says how the next of the same name ends. */
    struct lr_names values, nodes;
    struct lr_expand_text *texts; /* all new names, which the sets borrow */
    size_t n_texts, cap_texts;
    size_t bytes, parts; /* made so far */
    size_t cap_calls;
    struct lr_onnx_made *out;
    size_t n_out, cap_out;
};

/* The values that can be read at some place: their names there -> a text. */
struct lr_scope {
    const struct lr_scope *outer;
    struct lr_names names;
};

/* One call. */
struct lr_body {
    struct lr_expander *x;
    const struct lr_onnx_function *f;
    const Onnx__NodeProto *call;
    struct lr_names attrs; /* of the call -> index */
    const char *prefix;
    bool is_single; /* the function is one node, which takes the call's name */
};

/* Makes room for one more in a list (its address) of n entries. */
bool lr_expand_grow(void *list, size_t n, size_t *cap, size_t size);
/* Counts what is made; LR_EUNSUP where a file could not hold it. */
enum lr_status lr_expand_spend(struct lr_expander *x, size_t bytes, size_t parts,
                               struct lr_err *e);
/* Takes s (NULL: no memory) and gives its place among the texts. */
enum lr_status lr_expand_keep(struct lr_expander *x, int *at, char *s, struct lr_err *e);
/* base, which is taken, or base_2, ...: the first that is not in use. */
enum lr_status lr_expand_fresh(struct lr_expander *x, int *at, struct lr_names *used,
                               char *base, struct lr_err *e);
/* PREFIX/NAME; owned. */
char *lr_expand_join(const char *prefix, const char *name);
/* *out, a pointer to a message: one like p. */
enum lr_status lr_expand_copy(struct lr_expander *x, void *out, const ProtobufCMessage *p,
                              struct lr_err *e);
/* LR_EPARSE: "function F: NAME WHAT". */
enum lr_status lr_expand_bad(const struct lr_body *b, struct lr_err *e, const char *what,
                             const char *name);
/* What a name stands for ("": an input that is left out), or NULL. */
const char *lr_expand_find(const struct lr_body *b, const struct lr_scope *s,
                           const char *name);
/* The name stands for text at from now on. */
enum lr_status lr_expand_bind(const struct lr_body *b, struct lr_scope *s,
                              const char *name, int at, struct lr_err *e);
/* The name stands for a new value. */
enum lr_status lr_expand_define(const struct lr_body *b, struct lr_scope *s,
                                const char *name, struct lr_err *e);
/* Gives n, a copy of a node of the function, the names and attributes it has in the call.
 */
enum lr_status lr_expand_rename(const struct lr_body *b, const struct lr_scope *s,
                                Onnx__NodeProto *n, struct lr_err *e);

#endif
