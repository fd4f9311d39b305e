/* The makers of oneDNN 2.x primitives: an operation descriptor is filled, a primitive
 * descriptor made from it with the post-ops as attributes, and a primitive from that. */
#include "dnnl_internal.h"

#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/tensor.h"

static dnnl_alg_kind_t alg_kind(enum lr_dn_alg a)
{
    switch (a) {
    case LR_DN_RELU:
        return dnnl_eltwise_relu;
    case LR_DN_CLIP:
        return dnnl_eltwise_clip;
    case LR_DN_SIGMOID:
        return dnnl_eltwise_logistic;
    case LR_DN_TANH:
        return dnnl_eltwise_tanh;
    case LR_DN_HARD_SWISH:
        return dnnl_eltwise_hardswish;
    case LR_DN_ELU:
        return dnnl_eltwise_elu;
    case LR_DN_GELU_ERF:
        return dnnl_eltwise_gelu_erf;
    case LR_DN_GELU_TANH:
        return dnnl_eltwise_gelu_tanh;
    case LR_DN_MISH:
        return dnnl_eltwise_mish;
    case LR_DN_SWISH:
        return dnnl_eltwise_swish;
    case LR_DN_EXP:
        return dnnl_eltwise_exp;
    case LR_DN_ABS:
        return dnnl_eltwise_abs;
    case LR_DN_SQRT:
        return dnnl_eltwise_sqrt;
    case LR_DN_LINEAR:
        return dnnl_eltwise_linear;
    case LR_DN_ADD:
        return dnnl_binary_add;
    case LR_DN_MUL:
        return dnnl_binary_mul;
    case LR_DN_MAX:
        return dnnl_pooling_max;
    case LR_DN_AVG_EXCLUDE:
        return dnnl_pooling_avg_exclude_padding;
    case LR_DN_AVG_INCLUDE:
        return dnnl_pooling_avg_include_padding;
    }
    return dnnl_alg_kind_undef;
}

static dnnl_status_t make_attr(dnnl_primitive_attr_t *attr,
                               const struct lr_dn_posts *posts)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(attr);
    if (s == dnnl_success)
        s = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (s != dnnl_success || !posts || posts->n == 0)
        return s;
    s = dnnl_post_ops_create(&ops);
    for (int i = 0; s == dnnl_success && i < posts->n; i++) {
        const struct lr_dn_post *p = &posts->p[i];
        if (p->kind == LR_DN_POST_SUM)
            s = dnnl_post_ops_append_sum(ops, 1.0F);
        else if (p->kind == LR_DN_POST_ELTWISE)
            s = dnnl_post_ops_append_eltwise(ops, 1.0F, alg_kind(p->alg), p->alpha,
                                             p->beta);
        else
            s = dnnl_post_ops_append_binary(ops, alg_kind(p->alg), &p->other->md);
    }
    if (s == dnnl_success)
        s = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return s;
}

/* Takes pd over, and makes the primitive. s is the outcome of making pd. */
static enum lr_status finish(struct lr_dn_prim **out, dnnl_status_t s,
                             dnnl_primitive_desc_t pd, const char *what, struct lr_err *e)
{
    *out = NULL;
    if (s != dnnl_success)
        return lr_dn_fail(e, s, what);
    struct lr_dn_prim *p = lr_calloc(1, sizeof *p);
    if (!p) {
        dnnl_primitive_desc_destroy(pd);
        return lr_enomem(e, sizeof *p, what);
    }
    p->pd = pd;
    s = dnnl_primitive_create(&p->prim, pd);
    if (s != dnnl_success) {
        lr_dn_prim_free(p);
        return lr_dn_fail(e, s, what);
    }
    *out = p;
    return LR_OK;
}

/* From a filled operation descriptor; s is the outcome of filling it. */
static enum lr_status make(struct lr_dn_prim **out, struct lr_dn *dn, dnnl_status_t s,
                           const_dnnl_op_desc_t op, const struct lr_dn_posts *posts,
                           const char *what, struct lr_err *e)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    if (s == dnnl_success)
        s = make_attr(&attr, posts);
    if (s == dnnl_success)
        s = dnnl_primitive_desc_create(&pd, op, attr, dn->engine, NULL);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return finish(out, s, pd, what, e);
}

static void window_dims(dnnl_dims_t stride, dnnl_dims_t dil, dnnl_dims_t lo,
                        dnnl_dims_t hi, const int64_t *s, const int64_t *d,
                        const int64_t *l, const int64_t *h)
{
    lr_dn_to_dims(stride, 2, s);
    lr_dn_to_dims(dil, 2, d);
    lr_dn_to_dims(lo, 2, l);
    lr_dn_to_dims(hi, 2, h);
    /* oneDNN counts the gaps between taps, ONNX the distance */
    dil[0]--;
    dil[1]--;
}

/* What a convolution and its transpose are described by. */
struct conv_descs {
    dnnl_memory_desc_t src, w, bias, dst;
    dnnl_dims_t stride, dil, lo, hi;
};

static dnnl_status_t describe(struct conv_descs *m, const struct lr_dn_conv *c)
{
    const int64_t sd[4] = {c->n, c->c, c->ih, c->iw}, dd[4] = {c->n, c->d, c->oh, c->ow};
    const int64_t wd[4] = {c->d, c->c, c->kh, c->kw}, bd[1] = {c->d};
    const int64_t gd[5] = {c->group, c->d / c->group, c->c / c->group, c->kh, c->kw};
    window_dims(m->stride, m->dil, m->lo, m->hi, c->stride, c->dil, c->pad_lo, c->pad_hi);
    dnnl_status_t s = lr_dn_init_tag(&m->src, 4, sd, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = c->group > 1 ? lr_dn_init_tag(&m->w, 5, gd, dnnl_format_tag_any)
                         : lr_dn_init_tag(&m->w, 4, wd, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = lr_dn_init_tag(&m->bias, 1, bd, dnnl_a);
    if (s == dnnl_success)
        s = lr_dn_init_tag(&m->dst, 4, dd, dnnl_format_tag_any);
    return s;
}

enum lr_status lr_dn_make_conv(struct lr_dn_prim **out, struct lr_dn *dn,
                               const struct lr_dn_conv *c,
                               const struct lr_dn_posts *posts, struct lr_err *e)
{
    dnnl_convolution_desc_t d;
    struct conv_descs m;
    dnnl_status_t s = describe(&m, c);
    if (s == dnnl_success)
        s = dnnl_dilated_convolution_forward_desc_init(
            &d, dnnl_forward_inference,
            c->is_winograd ? dnnl_convolution_winograd : dnnl_convolution_direct,
            c->src ? &c->src->md : &m.src, &m.w, c->has_bias ? &m.bias : NULL,
            c->dst ? &c->dst->md : &m.dst, m.stride, m.dil, m.lo, m.hi);
    return make(out, dn, s, &d, posts, "convolution", e);
}

enum lr_status lr_dn_make_deconv(struct lr_dn_prim **out, struct lr_dn *dn,
                                 const struct lr_dn_conv *c, struct lr_err *e)
{
    dnnl_deconvolution_desc_t d;
    struct conv_descs m;
    dnnl_status_t s = describe(&m, c);
    if (s == dnnl_success)
        s = dnnl_dilated_deconvolution_forward_desc_init(
            &d, dnnl_forward_inference, dnnl_deconvolution_direct, &m.src, &m.w,
            c->has_bias ? &m.bias : NULL, &m.dst, m.stride, m.dil, m.lo, m.hi);
    return make(out, dn, s, &d, NULL, "transposed convolution", e);
}

enum lr_status lr_dn_make_resampling(struct lr_dn_prim **out, struct lr_dn *dn,
                                     bool is_linear, const struct lr_dn_desc *src,
                                     const int64_t dst[4], struct lr_err *e)
{
    dnnl_resampling_desc_t d;
    dnnl_memory_desc_t to;
    dnnl_status_t s = lr_dn_init_tag(&to, 4, dst, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = dnnl_resampling_forward_desc_init(&d, dnnl_forward_inference,
                                              is_linear ? dnnl_resampling_linear
                                                        : dnnl_resampling_nearest,
                                              NULL, &src->md, &to);
    return make(out, dn, s, &d, NULL, "resampling", e);
}

enum lr_status lr_dn_make_inner_product(struct lr_dn_prim **out, struct lr_dn *dn,
                                        const struct lr_dn_desc *src, int64_t m,
                                        bool has_bias, const struct lr_dn_posts *posts,
                                        struct lr_err *e)
{
    dnnl_inner_product_desc_t d;
    dnnl_memory_desc_t w, bias, dst;
    int64_t wd[LR_MAX_DIMS];
    const int n = src->md.ndims;
    const int64_t dd[2] = {src->md.dims[0], m}, bd[1] = {m};
    if (n > LR_MAX_DIMS)
        return lr_err_set(e, LR_EUNSUP, "oneDNN: inner product over %d dimensions", n);
    memcpy(wd, src->md.dims, (size_t)n * sizeof wd[0]);
    wd[0] = m;
    dnnl_status_t s = lr_dn_init_tag(&w, n, wd, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = lr_dn_init_tag(&bias, 1, bd, dnnl_a);
    if (s == dnnl_success)
        s = lr_dn_init_tag(&dst, 2, dd, dnnl_ab);
    if (s == dnnl_success)
        s = dnnl_inner_product_forward_desc_init(&d, dnnl_forward_inference, &src->md, &w,
                                                 has_bias ? &bias : NULL, &dst);
    return make(out, dn, s, &d, posts, "inner product", e);
}

enum lr_status lr_dn_make_matmul(struct lr_dn_prim **out, struct lr_dn *dn,
                                 const struct lr_dn_desc *a, const struct lr_dn_desc *b,
                                 const struct lr_dn_desc *dst,
                                 const struct lr_dn_posts *posts, struct lr_err *e)
{
    dnnl_matmul_desc_t d;
    dnnl_status_t s = dnnl_matmul_desc_init(&d, &a->md, &b->md, NULL, &dst->md);
    return make(out, dn, s, &d, posts, "matrix product", e);
}

enum lr_status lr_dn_make_pool(struct lr_dn_prim **out, struct lr_dn *dn,
                               const struct lr_dn_pool *p, struct lr_err *e)
{
    dnnl_pooling_v2_desc_t d;
    dnnl_memory_desc_t dst;
    dnnl_dims_t stride, dil, lo, hi, kernel;
    window_dims(stride, dil, lo, hi, p->stride, p->dil, p->pad_lo, p->pad_hi);
    lr_dn_to_dims(kernel, 2, p->kernel);
    dnnl_status_t s = lr_dn_init_tag(&dst, 4, p->dst, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = dnnl_pooling_v2_forward_desc_init(&d, dnnl_forward_inference,
                                              alg_kind(p->alg), &p->src->md, &dst, stride,
                                              kernel, dil, lo, hi);
    return make(out, dn, s, &d, NULL, "pooling", e);
}

enum lr_status lr_dn_make_eltwise(struct lr_dn_prim **out, struct lr_dn *dn,
                                  enum lr_dn_alg alg, float alpha, float beta,
                                  const struct lr_dn_desc *src, struct lr_err *e)
{
    dnnl_eltwise_desc_t d;
    dnnl_status_t s = dnnl_eltwise_forward_desc_init(
        &d, dnnl_forward_inference, alg_kind(alg), &src->md, alpha, beta);
    return make(out, dn, s, &d, NULL, "element-wise function", e);
}

enum lr_status lr_dn_make_binary(struct lr_dn_prim **out, struct lr_dn *dn,
                                 enum lr_dn_alg alg, const struct lr_dn_desc *a,
                                 const struct lr_dn_desc *b,
                                 const struct lr_dn_posts *posts, struct lr_err *e)
{
    dnnl_binary_desc_t d;
    dnnl_status_t s = dnnl_binary_desc_init(&d, alg_kind(alg), &a->md, &b->md, &a->md);
    return make(out, dn, s, &d, posts, "binary operation", e);
}

enum lr_status lr_dn_make_concat(struct lr_dn_prim **out, struct lr_dn *dn, int axis,
                                 int n, const struct lr_dn_desc *const *src,
                                 const struct lr_dn_desc *dst, struct lr_err *e)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    *out = NULL;
    dnnl_memory_desc_t *md = lr_alloc((size_t)n, sizeof *md);
    if (!md)
        return lr_enomem(e, (size_t)n * sizeof *md, "concatenation");
    for (int i = 0; i < n; i++)
        md[i] = src[i]->md;
    dnnl_status_t s = make_attr(&attr, NULL);
    if (s == dnnl_success)
        s = dnnl_concat_primitive_desc_create(&pd, dst ? &dst->md : NULL, n, axis, md,
                                              attr, dn->engine);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    lr_free(md);
    return finish(out, s, pd, "concatenation", e);
}

enum lr_status lr_dn_make_softmax(struct lr_dn_prim **out, struct lr_dn *dn, int axis,
                                  const struct lr_dn_desc *src, struct lr_err *e)
{
    dnnl_softmax_desc_t d;
    dnnl_status_t s =
        dnnl_softmax_forward_desc_init(&d, dnnl_forward_inference, &src->md, axis);
    return make(out, dn, s, &d, NULL, "softmax", e);
}

enum lr_status lr_dn_make_lrn(struct lr_dn_prim **out, struct lr_dn *dn, int64_t size,
                              float alpha, float beta, float k,
                              const struct lr_dn_desc *src, struct lr_err *e)
{
    dnnl_lrn_desc_t d;
    dnnl_status_t s =
        dnnl_lrn_forward_desc_init(&d, dnnl_forward_inference, dnnl_lrn_across_channels,
                                   &src->md, size, alpha, beta, k);
    return make(out, dn, s, &d, NULL, "local response normalisation", e);
}

enum lr_status lr_dn_make_reorder(struct lr_dn_prim **out, struct lr_dn *dn,
                                  const struct lr_dn_desc *src,
                                  const struct lr_dn_desc *dst, struct lr_err *e)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t s = make_attr(&attr, NULL);
    if (s == dnnl_success)
        s = dnnl_reorder_primitive_desc_create(&pd, &src->md, dn->engine, &dst->md,
                                               dn->engine, attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return finish(out, s, pd, "reorder", e);
}
