/* Pooling and local response normalisation. oneDNN does them in the layout the value has;
 * a plain kernel where its meaning differs from ONNX's: averages whose windows ceil_mode
 * lets run past the pads, dilated averages, even LRN sizes, global means of other than
 * four dimensions. */
#include "net.h"

#include "plain.h"
#include "ranklab/mem.h"

/* One primitive from the native layout of in to the layout it chooses for out. */
static enum lr_status emit(struct lr_eng_build *b, struct lr_dn_prim *p,
                           const struct lr_dn_desc *src, int src_buf, int out)
{
    const struct lr_dn_desc *dst = lr_dn_prim_desc(b->net->dn, p, LR_DN_DST);
    int buf = lr_eng_result(b, dst);
    enum lr_status s = lr_eng_add_unary(b, p, src_buf, src, buf, dst);
    return s ? s : lr_eng_define(b, out, dst, buf);
}

/* A kernel from plain in to plain out; takes arg over. */
static enum lr_status emit_kernel(struct lr_eng_build *b, lr_eng_kernel kernel,
                                  const void *arg, size_t size, const struct lr_node *n)
{
    const struct lr_eng_val *y = &b->vals[n->out[0]];
    const struct lr_dn_desc *d;
    int src, dst;
    enum lr_status s = lr_eng_plain(b, n->in[0], &d, &src);
    if (s)
        return s;
    dst = lr_eng_result(b, lr_dn_plain(b->net->dn, y->n_dims, y->dims));
    char *copy = lr_alloc(size, 1);
    if (dst < 0 || !copy) {
        lr_free(copy);
        return lr_enomem(b->e, size, "a kernel");
    }
    for (size_t i = 0; i < size; i++)
        copy[i] = ((const char *)arg)[i];
    s = lr_eng_add_kernel(b, kernel, copy, 2, (int[]){src, dst});
    return s ? s : lr_eng_define_plain(b, n->out[0], dst);
}

/* What oneDNN must be told for windows that ceil_mode adds at the end: *extra more
 * padding. */
static enum lr_status extend(struct lr_eng_build *b, int64_t in, int64_t out,
                             int64_t kernel, int64_t stride, int64_t dil, int64_t lo,
                             int64_t hi, bool is_ceil, int64_t *extra)
{
    *extra = 0;
    if (kernel < 1 || stride < 1 || dil < 1 || lo < 0 || hi < 0)
        return lr_err_set(b->e, LR_EUNSUP,
                          "kernel, stride or dilation below 1 or negative pads");
    int64_t room = in + lo + hi - ((kernel - 1) * dil + 1);
    if (room >= 0 && out == room / stride + 1)
        return LR_OK;
    if (room < 0 || !is_ceil || out != (room + stride - 1) / stride + 1)
        return lr_err_set(b->e, LR_ESHAPE,
                          "window and output size %lld contradict each other",
                          (long long)out);
    *extra = (out - 1) * stride - room;
    return LR_OK;
}

enum lr_status lr_eng_build_pool(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]], *y = &b->vals[n->out[0]];
    const bool is_max = n->op == LR_OP_MAX_POOL;
    struct lr_window w;
    int64_t more[2];
    enum lr_status s = lr_node_window(&w, b->g, n, b->e);
    if (s)
        return s;
    if (x->n_dims != 4 || y->n_dims != 4 || x->dims[0] != y->dims[0] ||
        x->dims[1] != y->dims[1])
        return lr_err_set(b->e, LR_ESHAPE, "only two spatial dimensions run");
    s = extend(b, x->dims[2], y->dims[2], w.kh, w.stride_h, w.dil_h, w.pad_top,
               w.pad_bottom, w.ceil_mode, &more[0]);
    if (!s)
        s = extend(b, x->dims[3], y->dims[3], w.kw, w.stride_w, w.dil_w, w.pad_left,
                   w.pad_right, w.ceil_mode, &more[1]);
    if (s)
        return s;
    bool is_extended = more[0] > 0 || more[1] > 0;
    if (!is_max && (w.dil_h > 1 || w.dil_w > 1 || (is_extended && w.count_include_pad))) {
        struct lr_plain_pool p = {.planes = x->dims[0] * x->dims[1],
                                  .ih = x->dims[2],
                                  .iw = x->dims[3],
                                  .oh = y->dims[2],
                                  .ow = y->dims[3],
                                  .kernel = {w.kh, w.kw},
                                  .stride = {w.stride_h, w.stride_w},
                                  .dil = {w.dil_h, w.dil_w},
                                  .pad_lo = {w.pad_top, w.pad_left},
                                  .pad_hi = {w.pad_bottom, w.pad_right},
                                  .is_including_pads = w.count_include_pad};
        return emit_kernel(b, lr_plain_average_pool, &p, sizeof p, n);
    }
    struct lr_dn_pool p = {.alg = is_max                ? LR_DN_MAX
                                  : w.count_include_pad ? LR_DN_AVG_INCLUDE
                                                        : LR_DN_AVG_EXCLUDE,
                           .kernel = {w.kh, w.kw},
                           .stride = {w.stride_h, w.stride_w},
                           .dil = {w.dil_h, w.dil_w},
                           .pad_lo = {w.pad_top, w.pad_left},
                           .pad_hi = {w.pad_bottom + more[0], w.pad_right + more[1]},
                           .dst = {y->dims[0], y->dims[1], y->dims[2], y->dims[3]}};
    int src;
    struct lr_dn_prim *prim = NULL;
    s = lr_eng_native(b, n->in[0], &p.src, &src);
    if (!s)
        s = lr_dn_make_pool(&prim, b->net->dn, &p, b->e);
    return s ? s : emit(b, prim, p.src, src, n->out[0]);
}

enum lr_status lr_eng_build_global_pool(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]], *y = &b->vals[n->out[0]];
    if (x->n_dims < 2 || y->count != (size_t)(x->dims[0] * x->dims[1]))
        return lr_err_set(b->e, LR_ESHAPE, "it needs [n, c, ...]");
    if (x->n_dims == 4) {
        struct lr_dn_pool p = {.alg = LR_DN_AVG_EXCLUDE,
                               .kernel = {x->dims[2], x->dims[3]},
                               .stride = {1, 1},
                               .dil = {1, 1},
                               .dst = {x->dims[0], x->dims[1], 1, 1}};
        int src;
        struct lr_dn_prim *prim = NULL;
        enum lr_status s = lr_eng_native(b, n->in[0], &p.src, &src);
        if (!s)
            s = lr_dn_make_pool(&prim, b->net->dn, &p, b->e);
        return s ? s : emit(b, prim, p.src, src, n->out[0]);
    }
    struct lr_plain_mean m = {.rows = (int64_t)y->count};
    m.length = (int64_t)(x->count / y->count);
    return emit_kernel(b, lr_plain_mean, &m, sizeof m, n);
}

enum lr_status lr_eng_build_lrn(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]];
    const int64_t size = lr_node_int(n, "size", 0);
    const float alpha = lr_node_float(n, "alpha", 0.0001F);
    const float beta = lr_node_float(n, "beta", 0.75F);
    const float bias = lr_node_float(n, "bias", 1.0F);
    if (size < 1 || x->n_dims < 2)
        return lr_err_set(b->e, LR_EUNSUP, "size %lld over %d dimensions",
                          (long long)size, x->n_dims);
    if (size % 2 && x->n_dims == 4) {
        const struct lr_dn_desc *src;
        int buf;
        struct lr_dn_prim *prim = NULL;
        enum lr_status s = lr_eng_native(b, n->in[0], &src, &buf);
        if (s)
            return s;
        s = lr_dn_make_lrn(&prim, b->net->dn, size, alpha, beta, bias, src, b->e);
        if (!s && !lr_dn_prim_is_reference(prim))
            return emit(b, prim, src, buf, n->out[0]);
        lr_dn_prim_free(prim);
    }
    struct lr_plain_lrn p = {.n = x->dims[0],
                             .c = x->dims[1],
                             .size = size,
                             .alpha = alpha,
                             .beta = beta,
                             .bias = bias};
    p.inner = (int64_t)(x->count / (size_t)(p.n * p.c));
    return emit_kernel(b, lr_plain_lrn, &p, sizeof p, n);
}
