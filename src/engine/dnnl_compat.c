/* oneDNN 2.x calls, all of them. In 2.x an operation descriptor is filled first and a
 * primitive descriptor made from it; memory descriptors are structs that are copied. 3.x
 * makes the primitive descriptor in one call and hides memory descriptors behind
 * pointers: they would be released in lr_dn_free, where the interned ones are.
 * Scratchpads are the caller's (one for the whole net), never the library's. */
#include "dnnl_compat.h"

#include <dnnl.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/tensor.h"

#if DNNL_VERSION_MAJOR != 2
#error "this file speaks the oneDNN 2.x interface"
#endif

struct lr_dn_desc {
    dnnl_memory_desc_t md;
    struct lr_dn_desc *next;
};

struct lr_dn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct lr_dn_desc *descs;
};

struct lr_dn_prim {
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t prim;
    int n_args, cap_args;
    dnnl_exec_arg_t *args;
};

static const char *status_text(dnnl_status_t s)
{
    switch (s) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "not implemented";
    case dnnl_runtime_error:
        return "runtime error";
    default:
        return "failure";
    }
}

static enum lr_status fail(struct lr_err *e, dnnl_status_t s, const char *what)
{
    enum lr_status code = s == dnnl_unimplemented   ? LR_EUNSUP
                          : s == dnnl_out_of_memory ? LR_ENOMEM
                                                    : LR_EBACKEND;
    return lr_err_set(e, code, "oneDNN: %s: %s", what, status_text(s));
}

/* ---- context */

enum lr_status lr_dn_new(struct lr_dn **out, struct lr_err *e)
{
    *out = NULL;
    struct lr_dn *dn = lr_calloc(1, sizeof *dn);
    if (!dn)
        return lr_enomem(e, sizeof *dn, "the engine");
    dnnl_status_t s = dnnl_engine_create(&dn->engine, dnnl_cpu, 0);
    if (s == dnnl_success)
        s = dnnl_stream_create(&dn->stream, dn->engine, dnnl_stream_default_flags);
    if (s != dnnl_success) {
        lr_dn_free(dn);
        return fail(e, s, "engine");
    }
    *out = dn;
    return LR_OK;
}

void lr_dn_free(struct lr_dn *dn)
{
    if (!dn)
        return;
    while (dn->descs) {
        struct lr_dn_desc *next = dn->descs->next;
        lr_free(dn->descs);
        dn->descs = next;
    }
    if (dn->stream)
        dnnl_stream_destroy(dn->stream);
    if (dn->engine)
        dnnl_engine_destroy(dn->engine);
    lr_free(dn);
}

void lr_dn_version(char *buf, size_t size)
{
    const char *isa = "generic";
    switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
        isa = "sse41";
        break;
    case dnnl_cpu_isa_avx:
        isa = "avx";
        break;
    case dnnl_cpu_isa_avx2:
        isa = "avx2";
        break;
    case dnnl_cpu_isa_avx2_vnni:
        isa = "avx2_vnni";
        break;
    case dnnl_cpu_isa_avx512_mic:
    case dnnl_cpu_isa_avx512_mic_4ops:
        isa = "avx512_mic";
        break;
    case dnnl_cpu_isa_avx512_core:
        isa = "avx512_core";
        break;
    case dnnl_cpu_isa_avx512_core_vnni:
        isa = "avx512_core_vnni";
        break;
    case dnnl_cpu_isa_avx512_core_bf16:
        isa = "avx512_core_bf16";
        break;
    case dnnl_cpu_isa_avx512_core_amx:
        isa = "avx512_core_amx";
        break;
    default:
        break;
    }
    const dnnl_version_t *v = dnnl_version();
    snprintf(buf, size, "oneDNN %d.%d.%d (%s)", v->major, v->minor, v->patch, isa);
}

/* ---- layouts */

static const struct lr_dn_desc *intern(struct lr_dn *dn, const dnnl_memory_desc_t *md)
{
    struct lr_dn_desc *d = lr_calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->md = *md;
    d->next = dn->descs;
    dn->descs = d;
    return d;
}

/* The interface takes arrays of its own fixed length, of which it reads n. */
static void to_dims(dnnl_dims_t out, int n, const int64_t *in)
{
    memset(out, 0, sizeof(dnnl_dims_t));
    for (int i = 0; i < n && i < DNNL_MAX_NDIMS; i++)
        out[i] = in[i];
}

static dnnl_status_t init_tag(dnnl_memory_desc_t *md, int n, const int64_t *dims,
                              dnnl_format_tag_t tag)
{
    dnnl_dims_t d;
    to_dims(d, n, dims);
    return dnnl_memory_desc_init_by_tag(md, n, d, dnnl_f32, tag);
}

const struct lr_dn_desc *lr_dn_strided(struct lr_dn *dn, int n, const int64_t *dims,
                                       const int64_t *strides)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t d, st;
    to_dims(d, n, dims);
    to_dims(st, n, strides);
    if (dnnl_memory_desc_init_by_strides(&md, n, d, dnnl_f32, st) != dnnl_success)
        return NULL;
    return intern(dn, &md);
}

const struct lr_dn_desc *lr_dn_plain(struct lr_dn *dn, int n, const int64_t *dims)
{
    int64_t strides[LR_MAX_DIMS];
    const int64_t one[1] = {1};
    if (n > LR_MAX_DIMS)
        return NULL;
    if (n == 0)
        return lr_dn_strided(dn, 1, one, one);
    for (int i = n - 1; i >= 0; i--)
        strides[i] = i == n - 1 ? 1 : strides[i + 1] * dims[i + 1];
    return lr_dn_strided(dn, n, dims, strides);
}

const struct lr_dn_desc *lr_dn_nhwc(struct lr_dn *dn, const int64_t *dims)
{
    dnnl_memory_desc_t md;
    if (init_tag(&md, 4, dims, dnnl_nhwc) != dnnl_success)
        return NULL;
    return intern(dn, &md);
}

bool lr_dn_equal(const struct lr_dn_desc *a, const struct lr_dn_desc *b)
{
    return a == b || dnnl_memory_desc_equal(&a->md, &b->md);
}

size_t lr_dn_bytes(const struct lr_dn_desc *d)
{
    return dnnl_memory_desc_get_size(&d->md);
}

bool lr_dn_is_plain(const struct lr_dn_desc *d)
{
    const dnnl_memory_desc_t *md = &d->md;
    if (md->format_kind != dnnl_blocked || md->format_desc.blocking.inner_nblks != 0)
        return false;
    /* the stride of a dimension of 1 says nothing about the order in memory */
    int64_t want = 1;
    for (int i = md->ndims - 1; i >= 0; i--) {
        if (md->padded_dims[i] != md->dims[i])
            return false;
        if (md->dims[i] != 1 && md->format_desc.blocking.strides[i] != want)
            return false;
        want *= md->dims[i];
    }
    return true;
}

/* ---- primitives */

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
        return fail(e, s, what);
    struct lr_dn_prim *p = lr_calloc(1, sizeof *p);
    if (!p) {
        dnnl_primitive_desc_destroy(pd);
        return lr_enomem(e, sizeof *p, what);
    }
    p->pd = pd;
    s = dnnl_primitive_create(&p->prim, pd);
    if (s != dnnl_success) {
        lr_dn_prim_free(p);
        return fail(e, s, what);
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
    to_dims(stride, 2, s);
    to_dims(dil, 2, d);
    to_dims(lo, 2, l);
    to_dims(hi, 2, h);
    /* oneDNN counts the gaps between taps, ONNX the distance */
    dil[0]--;
    dil[1]--;
}

enum lr_status lr_dn_make_conv(struct lr_dn_prim **out, struct lr_dn *dn,
                               const struct lr_dn_conv *c,
                               const struct lr_dn_posts *posts, struct lr_err *e)
{
    dnnl_convolution_desc_t d;
    dnnl_memory_desc_t src, w, bias, dst;
    const int64_t sd[4] = {c->n, c->c, c->ih, c->iw}, dd[4] = {c->n, c->d, c->oh, c->ow};
    const int64_t wd[4] = {c->d, c->c, c->kh, c->kw}, bd[1] = {c->d};
    const int64_t gd[5] = {c->group, c->d / c->group, c->c / c->group, c->kh, c->kw};
    dnnl_dims_t stride, dil, lo, hi;
    window_dims(stride, dil, lo, hi, c->stride, c->dil, c->pad_lo, c->pad_hi);
    dnnl_status_t s = init_tag(&src, 4, sd, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = c->group > 1 ? init_tag(&w, 5, gd, dnnl_format_tag_any)
                         : init_tag(&w, 4, wd, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = init_tag(&bias, 1, bd, dnnl_a);
    if (s == dnnl_success)
        s = init_tag(&dst, 4, dd, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = dnnl_dilated_convolution_forward_desc_init(
            &d, dnnl_forward_inference,
            c->is_winograd ? dnnl_convolution_winograd : dnnl_convolution_direct,
            c->src ? &c->src->md : &src, &w, c->has_bias ? &bias : NULL,
            c->dst ? &c->dst->md : &dst, stride, dil, lo, hi);
    return make(out, dn, s, &d, posts, "convolution", e);
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
    dnnl_status_t s = init_tag(&w, n, wd, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = init_tag(&bias, 1, bd, dnnl_a);
    if (s == dnnl_success)
        s = init_tag(&dst, 2, dd, dnnl_ab);
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
    to_dims(kernel, 2, p->kernel);
    dnnl_status_t s = init_tag(&dst, 4, p->dst, dnnl_format_tag_any);
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

void lr_dn_prim_free(struct lr_dn_prim *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n_args; i++)
        dnnl_memory_destroy(p->args[i].memory);
    lr_free(p->args);
    if (p->prim)
        dnnl_primitive_destroy(p->prim);
    if (p->pd)
        dnnl_primitive_desc_destroy(p->pd);
    lr_free(p);
}

static const dnnl_memory_desc_t *query(const struct lr_dn_prim *p, dnnl_query_t what,
                                       int index)
{
    return dnnl_primitive_desc_query_md(p->pd, what, index);
}

const struct lr_dn_desc *lr_dn_prim_desc(struct lr_dn *dn, const struct lr_dn_prim *p,
                                         enum lr_dn_role role)
{
    const dnnl_memory_desc_t *md = NULL;
    if (role == LR_DN_SRC)
        md = query(p, dnnl_query_src_md, 0);
    else if (role == LR_DN_SRC_1)
        md = query(p, dnnl_query_src_md, 1);
    else if (role == LR_DN_WEIGHTS)
        md = query(p, dnnl_query_weights_md, 0);
    else if (role == LR_DN_BIAS)
        md = query(p, dnnl_query_weights_md, 1);
    else if (role == LR_DN_DST)
        md = query(p, dnnl_query_dst_md, 0);
    return md ? intern(dn, md) : NULL;
}

size_t lr_dn_prim_scratch(const struct lr_dn_prim *p)
{
    const dnnl_memory_desc_t *md = query(p, dnnl_query_scratchpad_md, 0);
    return md ? dnnl_memory_desc_get_size(md) : 0;
}

bool lr_dn_prim_is_reference(const struct lr_dn_prim *p)
{
    const char *info = NULL;
    if (dnnl_primitive_desc_query(p->pd, dnnl_query_impl_info_str, 0, (void *)&info) !=
            dnnl_success ||
        !info)
        return false;
    return strncmp(info, "ref", 3) == 0;
}

static int arg_of(int role)
{
    switch (role) {
    case LR_DN_SRC:
        return DNNL_ARG_SRC;
    case LR_DN_SRC_1:
        return DNNL_ARG_SRC_1;
    case LR_DN_WEIGHTS:
        return DNNL_ARG_WEIGHTS;
    case LR_DN_BIAS:
        return DNNL_ARG_BIAS;
    case LR_DN_DST:
        return DNNL_ARG_DST;
    case LR_DN_POST_0:
    case LR_DN_POST_1:
    case LR_DN_POST_2:
        return DNNL_ARG_ATTR_MULTIPLE_POST_OP(role - LR_DN_POST_0) | DNNL_ARG_SRC_1;
    default:
        return DNNL_ARG_MULTIPLE_SRC + (role - LR_DN_MULTI);
    }
}

static enum lr_status bind(struct lr_dn *dn, struct lr_dn_prim *p, int arg,
                           const dnnl_memory_desc_t *md, struct lr_err *e)
{
    if (p->n_args == p->cap_args) {
        int cap = p->cap_args ? 2 * p->cap_args : 6;
        dnnl_exec_arg_t *args =
            lr_realloc(p->args, (size_t)p->n_args, (size_t)cap, sizeof *args);
        if (!args)
            return lr_enomem(e, (size_t)cap * sizeof *args, "a primitive");
        p->args = args;
        p->cap_args = cap;
    }
    dnnl_memory_t m = NULL;
    dnnl_status_t s = dnnl_memory_create(&m, md, dn->engine, DNNL_MEMORY_NONE);
    if (s != dnnl_success)
        return fail(e, s, "memory object");
    p->args[p->n_args++] = (dnnl_exec_arg_t){arg, m};
    return LR_OK;
}

enum lr_status lr_dn_prim_bind(struct lr_dn *dn, struct lr_dn_prim *p, int role,
                               const struct lr_dn_desc *d, struct lr_err *e)
{
    return bind(dn, p, arg_of(role), &d->md, e);
}

static enum lr_status set(struct lr_dn_prim *p, int arg, void *data, struct lr_err *e)
{
    for (int i = 0; i < p->n_args; i++) {
        if (p->args[i].arg != arg)
            continue;
        dnnl_status_t s = dnnl_memory_set_data_handle(p->args[i].memory, data);
        return s == dnnl_success ? LR_OK : fail(e, s, "memory address");
    }
    return lr_err_set(e, LR_EBACKEND, "oneDNN: argument %d was never declared", arg);
}

enum lr_status lr_dn_prim_set(struct lr_dn_prim *p, int role, void *data,
                              struct lr_err *e)
{
    return set(p, arg_of(role), data, e);
}

enum lr_status lr_dn_prim_set_scratch(struct lr_dn *dn, struct lr_dn_prim *p, void *data,
                                      struct lr_err *e)
{
    const dnnl_memory_desc_t *md = query(p, dnnl_query_scratchpad_md, 0);
    if (!md || dnnl_memory_desc_get_size(md) == 0)
        return LR_OK;
    enum lr_status s = bind(dn, p, DNNL_ARG_SCRATCHPAD, md, e);
    return s ? s : set(p, DNNL_ARG_SCRATCHPAD, data, e);
}

enum lr_status lr_dn_prim_run(struct lr_dn *dn, const struct lr_dn_prim *p,
                              struct lr_err *e)
{
    dnnl_status_t s = dnnl_primitive_execute(p->prim, dn->stream, p->n_args, p->args);
    return s == dnnl_success ? LR_OK : fail(e, s, "execution");
}

enum lr_status lr_dn_wait(struct lr_dn *dn, struct lr_err *e)
{
    dnnl_status_t s = dnnl_stream_wait(dn->stream);
    return s == dnnl_success ? LR_OK : fail(e, s, "execution");
}

enum lr_status lr_dn_reorder_now(struct lr_dn *dn, const struct lr_dn_desc *src_desc,
                                 const void *src, const struct lr_dn_desc *dst_desc,
                                 void *dst, struct lr_err *e)
{
    struct lr_dn_prim *p = NULL;
    void *scratch = NULL;
    enum lr_status s = lr_dn_make_reorder(&p, dn, src_desc, dst_desc, e);
    if (s)
        return s;
    size_t bytes = lr_dn_prim_scratch(p);
    if (bytes && !(scratch = lr_alloc(bytes, 1)))
        s = lr_enomem(e, bytes, "a reorder");
    if (!s)
        s = lr_dn_prim_set_scratch(dn, p, scratch, e);
    if (!s)
        s = lr_dn_prim_bind(dn, p, LR_DN_SRC, src_desc, e);
    if (!s)
        s = lr_dn_prim_bind(dn, p, LR_DN_DST, dst_desc, e);
    /* the library takes a pointer to non-const for sources too, and only reads them */
    if (!s)
        s = lr_dn_prim_set(p, LR_DN_SRC, (void *)(uintptr_t)src, e);
    if (!s)
        s = lr_dn_prim_set(p, LR_DN_DST, dst, e);
    if (!s)
        s = lr_dn_prim_run(dn, p, e);
    if (!s)
        s = lr_dn_wait(dn, e);
    lr_dn_prim_free(p);
    lr_free(scratch);
    return s;
}
