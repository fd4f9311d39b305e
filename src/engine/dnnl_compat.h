/* The only door to oneDNN: contexts, memory descriptors, primitives.
 * Nothing here shows a oneDNN type, so that moving from the 2.x to the 3.x interface
 * changes dnnl_compat.c alone. Descriptors are interned: they belong to the context and
 * live as long as it does; two requests for one layout may give two pointers (lr_dn_equal
 * compares). */
#ifndef RANKLAB_ENGINE_DNNL_COMPAT_H
#define RANKLAB_ENGINE_DNNL_COMPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"

struct lr_dn;      /* engine, stream and the descriptors made for one net */
struct lr_dn_desc; /* a float32 memory layout */
struct lr_dn_prim; /* one compiled primitive with its memory arguments */

enum lr_status lr_dn_new(struct lr_dn **out, struct lr_err *e);
void lr_dn_free(struct lr_dn *dn);
/* Version of the library loaded and the instruction set it uses, as text. */
void lr_dn_version(char *buf, size_t size);

/* ---- layouts: all return NULL when memory is short or the shape is refused */
const struct lr_dn_desc *lr_dn_plain(struct lr_dn *dn, int n, const int64_t *dims);
const struct lr_dn_desc *lr_dn_strided(struct lr_dn *dn, int n, const int64_t *dims,
                                       const int64_t *strides);
const struct lr_dn_desc *lr_dn_nhwc(struct lr_dn *dn, const int64_t *dims);
bool lr_dn_equal(const struct lr_dn_desc *a, const struct lr_dn_desc *b);
size_t lr_dn_bytes(const struct lr_dn_desc *d);
/* True when d is row-major without padding. */
bool lr_dn_is_plain(const struct lr_dn_desc *d);

/* ---- primitives */
enum lr_dn_role {
    LR_DN_SRC,
    LR_DN_SRC_1,
    LR_DN_WEIGHTS,
    LR_DN_BIAS,
    LR_DN_DST,
    LR_DN_POST_0, /* second operand of post-op 0, 1, ... */
    LR_DN_POST_1,
    LR_DN_POST_2,
    LR_DN_MULTI /* source LR_DN_MULTI + i of a concatenation */
};

enum lr_dn_alg {
    LR_DN_RELU,
    LR_DN_CLIP,
    LR_DN_SIGMOID,
    LR_DN_TANH,
    LR_DN_HARD_SWISH,
    LR_DN_ELU,
    LR_DN_GELU_ERF,
    LR_DN_GELU_TANH,
    LR_DN_MISH,
    LR_DN_SWISH,
    LR_DN_EXP,
    LR_DN_ABS,
    LR_DN_SQRT,
    LR_DN_LINEAR, /* element-wise */
    LR_DN_ADD,
    LR_DN_MUL, /* binary */
    LR_DN_MAX,
    LR_DN_AVG_EXCLUDE,
    LR_DN_AVG_INCLUDE /* pooling */
};

enum lr_dn_post_kind { LR_DN_POST_SUM, LR_DN_POST_ELTWISE, LR_DN_POST_BINARY };

/* ELTWISE: alg(x; alpha, beta): RELU alpha = negative slope; CLIP to [alpha, beta];
 * LINEAR alpha x + beta; ELU alpha; SWISH x / (1 + e^(-alpha x)). BINARY: x alg other.
 * SUM: x + what the destination held. */
struct lr_dn_post {
    enum lr_dn_post_kind kind;
    enum lr_dn_alg alg;
    float alpha, beta;
    const struct lr_dn_desc *other;
};

struct lr_dn_posts {
    int n;
    struct lr_dn_post p[3];
};

/* A convolution, c and d channels over all groups. */
struct lr_dn_conv {
    int64_t n, c, ih, iw, d, oh, ow, kh, kw, group;
    int64_t stride[2], dil[2], pad_lo[2], pad_hi[2];
    bool has_bias, is_winograd;
    /* NULL: the library's choice. dst is asked for when a sum must land in a known
     * layout. */
    const struct lr_dn_desc *src, *dst;
};

struct lr_dn_pool {
    enum lr_dn_alg alg;
    int64_t kernel[2], stride[2], dil[2], pad_lo[2], pad_hi[2];
    const struct lr_dn_desc *src;
    int64_t dst[4];
};

/* Each maker compiles one primitive. *out is NULL unless LR_OK; LR_EUNSUP: the library
 * has no implementation for this combination (a caller may try another one), LR_EBACKEND:
 * anything else, LR_ENOMEM. */
enum lr_status lr_dn_make_conv(struct lr_dn_prim **out, struct lr_dn *dn,
                               const struct lr_dn_conv *c,
                               const struct lr_dn_posts *posts, struct lr_err *e);
/* The transpose: c stays what comes in and d what goes out, weights are [d, c / group,
 * kh, kw]; layouts are the library's choice. */
enum lr_status lr_dn_make_deconv(struct lr_dn_prim **out, struct lr_dn *dn,
                                 const struct lr_dn_conv *c, struct lr_err *e);
/* Output position i of an axis lies at (i + 0.5) in / out - 0.5 of the input: the
 * position nearest to it, or a mean of the two around it. */
enum lr_status lr_dn_make_resampling(struct lr_dn_prim **out, struct lr_dn *dn,
                                     bool is_linear, const struct lr_dn_desc *src,
                                     const int64_t dst[4], struct lr_err *e);
/* src [n, ...] with any number of dimensions; m outputs. Weights: the library's choice.
 */
enum lr_status lr_dn_make_inner_product(struct lr_dn_prim **out, struct lr_dn *dn,
                                        const struct lr_dn_desc *src, int64_t m,
                                        bool has_bias, const struct lr_dn_posts *posts,
                                        struct lr_err *e);
enum lr_status lr_dn_make_matmul(struct lr_dn_prim **out, struct lr_dn *dn,
                                 const struct lr_dn_desc *a, const struct lr_dn_desc *b,
                                 const struct lr_dn_desc *dst,
                                 const struct lr_dn_posts *posts, struct lr_err *e);
enum lr_status lr_dn_make_pool(struct lr_dn_prim **out, struct lr_dn *dn,
                               const struct lr_dn_pool *p, struct lr_err *e);
enum lr_status lr_dn_make_eltwise(struct lr_dn_prim **out, struct lr_dn *dn,
                                  enum lr_dn_alg alg, float alpha, float beta,
                                  const struct lr_dn_desc *src, struct lr_err *e);
/* dst has a's layout; b may have dimensions of 1 that are repeated. */
enum lr_status lr_dn_make_binary(struct lr_dn_prim **out, struct lr_dn *dn,
                                 enum lr_dn_alg alg, const struct lr_dn_desc *a,
                                 const struct lr_dn_desc *b,
                                 const struct lr_dn_posts *posts, struct lr_err *e);
/* dst NULL: the library's choice. */
enum lr_status lr_dn_make_concat(struct lr_dn_prim **out, struct lr_dn *dn, int axis,
                                 int n, const struct lr_dn_desc *const *src,
                                 const struct lr_dn_desc *dst, struct lr_err *e);
enum lr_status lr_dn_make_softmax(struct lr_dn_prim **out, struct lr_dn *dn, int axis,
                                  const struct lr_dn_desc *src, struct lr_err *e);
/* Across channels; y = x / (k + alpha / size * sum x^2)^beta, size odd. */
enum lr_status lr_dn_make_lrn(struct lr_dn_prim **out, struct lr_dn *dn, int64_t size,
                              float alpha, float beta, float k,
                              const struct lr_dn_desc *src, struct lr_err *e);
enum lr_status lr_dn_make_reorder(struct lr_dn_prim **out, struct lr_dn *dn,
                                  const struct lr_dn_desc *src,
                                  const struct lr_dn_desc *dst, struct lr_err *e);
void lr_dn_prim_free(struct lr_dn_prim *p);

/* The layout the primitive settled on for SRC, WEIGHTS, BIAS or DST; NULL on lack of
 * memory. */
const struct lr_dn_desc *lr_dn_prim_desc(struct lr_dn *dn, const struct lr_dn_prim *p,
                                         enum lr_dn_role role);
size_t lr_dn_prim_scratch(const struct lr_dn_prim *p); /* bytes it needs while it runs */
/* True for the library's slow reference implementation. */
bool lr_dn_prim_is_reference(const struct lr_dn_prim *p);
/* True for a loop around general matrix products, which packs weights at every run. */
bool lr_dn_prim_is_gemm(const struct lr_dn_prim *p);
/* Declares argument role with layout d; its address comes with lr_dn_prim_set. */
enum lr_status lr_dn_prim_bind(struct lr_dn *dn, struct lr_dn_prim *p, int role,
                               const struct lr_dn_desc *d, struct lr_err *e);
enum lr_status lr_dn_prim_set(struct lr_dn_prim *p, int role, void *data,
                              struct lr_err *e);
enum lr_status lr_dn_prim_set_scratch(struct lr_dn *dn, struct lr_dn_prim *p, void *data,
                                      struct lr_err *e);
enum lr_status lr_dn_prim_run(struct lr_dn *dn, const struct lr_dn_prim *p,
                              struct lr_err *e);
enum lr_status lr_dn_wait(struct lr_dn *dn, struct lr_err *e);
/* Copies src into dst, changing the layout, at once. */
enum lr_status lr_dn_reorder_now(struct lr_dn *dn, const struct lr_dn_desc *src_desc,
                                 const void *src, const struct lr_dn_desc *dst_desc,
                                 void *dst, struct lr_err *e);

#endif
