/* Inside the engine: the compiled net (buffers and steps) and the state while compiling.
 * A value lives in one or two buffers: its native layout (whatever the primitive that
 * made it chose) and, once somebody wants it, row-major ("plain"). Values that only
 * rename another one (Flatten, Reshape, Identity ...) have that value as root and no
 * buffer of their own. */
#ifndef RANKLAB_ENGINE_NET_H
#define RANKLAB_ENGINE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnnl_compat.h"
#include "ranklab/engine.h"
#include "ranklab/graph.h"

enum lr_eng_buf_kind {
    LR_ENG_ARENA, /* shares the arena with others by liveness */
    LR_ENG_CONST, /* packed weights; data is owned */
    LR_ENG_INPUT  /* the caller's array or the padded copy of it */
};

struct lr_eng_buf {
    enum lr_eng_buf_kind kind;
    size_t bytes;
    bool is_pinned;  /* an output: untouched until the next run */
    int first, last; /* steps that touch it */
    size_t offset;   /* in the arena */
    void *data;
};

/* A plain C kernel: bufs are in the order of the step's uses. */
typedef void (*lr_eng_kernel)(const void *arg, void *const *bufs);

struct lr_eng_use {
    int role; /* enum lr_dn_role of a primitive's argument */
    int buf;
};

/* Either a primitive or a kernel with its argument block (owned). */
struct lr_eng_step {
    int node; /* of the graph, that it was built for; -1: none */
    struct lr_dn_prim *prim;
    lr_eng_kernel kernel;
    void *arg;
    int n_uses;
    struct lr_eng_use *uses;
    void **bufs; /* for a kernel */
};

struct lr_eng_input {
    int buf;
    size_t count; /* elements of the whole batch */
    bool is_batched;
    size_t size;  /* bytes of one element */
    void *padded; /* count elements, used when fewer than batch images come */
};

struct lr_eng_output {
    int buf;
    size_t per_image;
};

struct lr_net {
    struct lr_dn *dn;
    int batch, n_threads;
    int n_bufs, cap_bufs;
    struct lr_eng_buf *bufs;
    int n_steps, cap_steps;
    struct lr_eng_step *steps;
    int n_inputs, n_outputs;
    struct lr_eng_input *inputs;
    struct lr_eng_output *outputs;
    float *arena;
    void *scratch;
    size_t arena_bytes, scratch_bytes, bytes;
    void (*tap)(void *ctx, int output, const float *x);
    void *tap_ctx;
};

struct lr_eng_val {
    int root;
    int n_dims;
    int64_t dims[LR_MAX_DIMS]; /* with the batch filled in; valid when is_needed */
    size_t count;
    bool is_batched, is_needed, is_fed;
    bool is_int;       /* held as int64, row-major; its layout only says so */
    int n_users, user; /* needed nodes reading this very value; the last of them */
    /* of a root only: */
    int uses; /* reads and output requests still to come, aliases included */
    const struct lr_dn_desc *native_desc; /* NULL: not computed yet */
    int native, plain;                    /* buffers, -1: none */
};

struct lr_eng_build {
    struct lr_net *net;
    const struct lr_graph *g;
    const struct lr_net_opts *opts;
    const struct lr_net_output *requests;
    int n_requests;
    struct lr_eng_val *vals; /* one per value of g */
    bool *is_needed;         /* per node */
    bool *is_done;           /* per node: computed, or absorbed by an earlier one */
    bool *is_winograd;       /* per node: a convolution by Winograd's method */
    bool keeps_layout;       /* convolutions take their input as it lies, if they can */
    int node;                /* the node being built, -1 before the first */
    struct lr_err *e;
};

/* ---- plan.c: buffers, steps, arena */
int lr_eng_buf_new(struct lr_net *net, enum lr_eng_buf_kind kind, size_t bytes,
                   struct lr_err *e); /* -1: out of memory */
/* Adds a step and takes prim (or arg) over, also on failure. uses are copied. Binding of
 * a primitive's arguments (descs[i] for uses[i]) happens here. A buffer that could not be
 * made (-1, the error is told) ends in LR_ENOMEM. */
enum lr_status lr_eng_add_prim(struct lr_eng_build *b, struct lr_dn_prim *prim, int n,
                               const struct lr_eng_use *uses,
                               const struct lr_dn_desc *const *descs);
/* The same for a primitive with one source and one destination. */
enum lr_status lr_eng_add_unary(struct lr_eng_build *b, struct lr_dn_prim *prim, int src,
                                const struct lr_dn_desc *src_desc, int dst,
                                const struct lr_dn_desc *dst_desc);
enum lr_status lr_eng_add_kernel(struct lr_eng_build *b, lr_eng_kernel kernel, void *arg,
                                 int n, const int *bufs);
/* How many steps are plain kernels, not the library's primitives. */
int lr_eng_count_kernels(const struct lr_net *net);
/* Places the buffers, allocates, and sets every address but those of the inputs. */
enum lr_status lr_eng_plan(struct lr_net *net, struct lr_err *e);

/* ---- values.c: where values live while compiling */
bool lr_eng_is_const(const struct lr_eng_build *b, int v);
/* v where and how it is, without a copy where possible. */
enum lr_status lr_eng_native(struct lr_eng_build *b, int v, const struct lr_dn_desc **d,
                             int *buf);
enum lr_status lr_eng_plain(struct lr_eng_build *b, int v, const struct lr_dn_desc **d,
                            int *buf);
/* v in layout d (of v's own dimensions); adds a reorder where it is not. */
enum lr_status lr_eng_in_layout(struct lr_eng_build *b, int v, const struct lr_dn_desc *d,
                                int *buf);
/* Value v was computed into buf with layout d; outputs asked for are taken from it. */
enum lr_status lr_eng_define(struct lr_eng_build *b, int v, const struct lr_dn_desc *d,
                             int buf);
/* The same for a result that is row-major. */
enum lr_status lr_eng_define_plain(struct lr_eng_build *b, int v, int buf);
/* Takes the outputs that are v or are known already (inputs, constants, aliases). */
enum lr_status lr_eng_emit(struct lr_eng_build *b, int v);
/* True when the buffer of v may be overwritten by the node being built: nobody reads v
 * later, and it is neither an input, nor a constant, nor an output. */
bool lr_eng_is_dead(const struct lr_eng_build *b, int v, int buf);
/* A new buffer for a result with layout d, or -1. */
int lr_eng_result(struct lr_eng_build *b, const struct lr_dn_desc *d);
/* A float32 constant buffer of n elements, filled by the caller through *data, or -1. */
int lr_eng_const_new(struct lr_eng_build *b, size_t n, float **data);
/* Constant v as float32, scaled, moved from layout from to layout to, in a new constant
 * buffer. */
enum lr_status lr_eng_pack(struct lr_eng_build *b, int v, float scale,
                           const struct lr_dn_desc *from, const struct lr_dn_desc *to,
                           int *buf);
/* Constant v as a float32 tensor (released by the caller). */
enum lr_status lr_eng_tensor(struct lr_eng_build *b, int v, struct lr_tensor **t);

/* ---- tap.c */
/* Hands output i, which is in buf, to the net's tap in every run. */
enum lr_status lr_eng_add_tap(struct lr_eng_build *b, int i, int buf);

/* ---- fuse.c */
/* True when v goes into one element-wise node only and is no output: fills the post-op
 * and the node. */
bool lr_eng_follow(struct lr_eng_build *b, int v, struct lr_dn_post *post, int *node);
/* True when v goes into one Add only, with other, and is no output. */
bool lr_eng_follow_add(struct lr_eng_build *b, int v, int *other, int *node);
/* Marks a follower as done; returns its output value. */
int lr_eng_absorb(struct lr_eng_build *b, int node);
/* Element-wise node n as an algorithm; LR_EUNSUP when its limits are no constants. */
enum lr_status lr_eng_eltwise(struct lr_eng_build *b, const struct lr_node *n,
                              struct lr_dn_post *post);

/* ---- tune.c: which convolutions are done by Winograd's method; fills is_winograd and
 * keeps_layout */
enum lr_status lr_eng_tune(struct lr_eng_build *b);

/* ---- typed.c: values that are no floats, and plain kernels of the model's own */
/* Node n by its plain kernel (model/eval.h). */
enum lr_status lr_eng_build_plain(struct lr_eng_build *b, const struct lr_node *n);
/* The buffer of an integer constant, in *buf. */
enum lr_status lr_eng_load_ints(struct lr_eng_build *b, int v, int *buf);
/* A new buffer with v's integers as they are, or as floats. */
enum lr_status lr_eng_copy_ints(struct lr_eng_build *b, int v, int from, bool is_to_float,
                                int *buf);
/* Floats that were fed for an integer input, as integers, in a new buffer. */
enum lr_status lr_eng_floats_to_ints(struct lr_eng_build *b, int v, int from, int *buf);
bool lr_eng_is_alias_node(const struct lr_eng_build *b, const struct lr_node *n);

/* ---- ops_*.c: one builder per operator */
typedef enum lr_status (*lr_eng_builder)(struct lr_eng_build *b, const struct lr_node *n);
lr_eng_builder lr_eng_builder_of(enum lr_op op); /* NULL: none */
/* True for operators whose output is their first input under other dimensions. */
bool lr_eng_is_alias(enum lr_op op);
/* What oneDNN is to be asked for convolution n, without post-ops; LR_EUNSUP, LR_ESHAPE.
 */
enum lr_status lr_eng_conv_shape(struct lr_eng_build *b, const struct lr_node *n,
                                 struct lr_dn_conv *c);
enum lr_status lr_eng_build_conv(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_gemm(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_matmul(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_pool(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_global_pool(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_lrn(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_binary(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_bn(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_concat(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_softmax(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_transpose(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_pad(struct lr_eng_build *b, const struct lr_node *n);
enum lr_status lr_eng_build_conv_transpose(struct lr_eng_build *b,
                                           const struct lr_node *n);
enum lr_status lr_eng_build_resize(struct lr_eng_build *b, const struct lr_node *n);

#endif
