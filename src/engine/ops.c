/* The engine's operator table, and the operators that need little: element-wise
 * functions, softmax, concatenation, transposition, padding. To add an operator: a
 * builder here or in another ops_*.c, and its row in lr_eng_builder_of. */
#include "net.h"

#include "plain.h"
#include "ranklab/mem.h"

static enum lr_status build_eltwise(struct lr_eng_build *b, const struct lr_node *n)
{
    struct lr_dn_post f;
    const struct lr_dn_desc *d;
    struct lr_dn_prim *p = NULL;
    int src;
    enum lr_status s = lr_eng_eltwise(b, n, &f);
    if (!s)
        s = lr_eng_native(b, n->in[0], &d, &src);
    if (!s)
        s = lr_dn_make_eltwise(&p, b->net->dn, f.alg, f.alpha, f.beta, d, b->e);
    if (s)
        return s;
    int dst = lr_eng_is_dead(b, n->in[0], src) ? src : lr_eng_result(b, d);
    s = lr_eng_add_unary(b, p, src, d, dst, d);
    if (s)
        return s;
    /* the input may have been the same data under other dimensions */
    return lr_dn_is_plain(d) ? lr_eng_define_plain(b, n->out[0], dst)
                             : lr_eng_define(b, n->out[0], d, dst);
}

/* min(max(alpha x + beta, 0), 1), in two steps. */
static enum lr_status build_hard_sigmoid(struct lr_eng_build *b, const struct lr_node *n)
{
    const float alpha = lr_node_float(n, "alpha", 0.2F);
    const float beta = lr_node_float(n, "beta", 0.5F);
    const struct lr_dn_desc *d;
    struct lr_dn_prim *p = NULL;
    int src;
    enum lr_status s = lr_eng_native(b, n->in[0], &d, &src);
    if (!s)
        s = lr_dn_make_eltwise(&p, b->net->dn, LR_DN_LINEAR, alpha, beta, d, b->e);
    if (s)
        return s;
    int dst = lr_eng_is_dead(b, n->in[0], src) ? src : lr_eng_result(b, d);
    if (dst < 0) {
        lr_dn_prim_free(p);
        return LR_ENOMEM;
    }
    s = lr_eng_add_prim(b, p, 2,
                        (struct lr_eng_use[]){{LR_DN_SRC, src}, {LR_DN_DST, dst}},
                        (const struct lr_dn_desc *[]){d, d});
    if (!s)
        s = lr_dn_make_eltwise(&p, b->net->dn, LR_DN_CLIP, 0, 1, d, b->e);
    if (!s)
        s = lr_eng_add_prim(b, p, 2,
                            (struct lr_eng_use[]){{LR_DN_SRC, dst}, {LR_DN_DST, dst}},
                            (const struct lr_dn_desc *[]){d, d});
    if (s)
        return s;
    return lr_dn_is_plain(d) ? lr_eng_define_plain(b, n->out[0], dst)
                             : lr_eng_define(b, n->out[0], d, dst);
}

static enum lr_status axis_of(struct lr_eng_build *b, const struct lr_node *n,
                              int64_t otherwise, int n_dims, int *axis)
{
    int64_t a = lr_node_int(n, "axis", otherwise);
    if (a < 0)
        a += n_dims;
    if (a < 0 || a >= n_dims)
        return lr_err_set(b->e, LR_ESHAPE, "axis %lld of %d dimensions",
                          (long long)lr_node_int(n, "axis", otherwise), n_dims);
    *axis = (int)a;
    return LR_OK;
}

/* Before opset 13 the dimensions from axis on are one. */
enum lr_status lr_eng_build_softmax(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]];
    const bool is_flat = b->g->opset < 13;
    int64_t dims[LR_MAX_DIMS] = {1, 1};
    int nd = x->n_dims, axis = 0, src, dst;
    const struct lr_dn_desc *d;
    struct lr_dn_prim *p = NULL;
    enum lr_status s = axis_of(b, n, is_flat ? 1 : -1, nd, &axis);
    if (s)
        return s;
    if (x->is_batched && axis == 0)
        return lr_err_set(b->e, LR_EUNSUP, "it would mix the images of a batch");
    for (int i = 0; i < x->n_dims; i++) {
        if (is_flat)
            dims[i >= axis] *= x->dims[i];
        else
            dims[i] = x->dims[i];
    }
    if (is_flat) {
        nd = 2;
        axis = 1;
    }
    s = lr_eng_plain(b, n->in[0], &d, &src);
    if (s)
        return s;
    d = lr_dn_plain(b->net->dn, nd, dims);
    if (!d)
        return lr_enomem(b->e, 0, "a memory layout");
    s = lr_dn_make_softmax(&p, b->net->dn, axis, d, b->e);
    if (s)
        return s;
    dst = lr_eng_is_dead(b, n->in[0], src) ? src : lr_eng_result(b, d);
    s = lr_eng_add_unary(b, p, src, d, dst, d);
    return s ? s : lr_eng_define_plain(b, n->out[0], dst);
}

/* Blocked channels can be put together without touching them only when every piece fills
 * its blocks; otherwise the result is plain. */
static enum lr_status make_concat(struct lr_eng_build *b, int axis, int n,
                                  const struct lr_dn_desc *const *src,
                                  const struct lr_dn_desc *plain, bool is_aligned,
                                  struct lr_dn_prim **p)
{
    enum lr_status s = LR_EUNSUP;
    if (is_aligned)
        s = lr_dn_make_concat(p, b->net->dn, axis, n, src, NULL, b->e);
    if (s == LR_EUNSUP || s == LR_EBACKEND)
        s = lr_dn_make_concat(p, b->net->dn, axis, n, src, plain, b->e);
    return s;
}

static enum lr_status concat_plain(struct lr_eng_build *b, const struct lr_node *n,
                                   int axis, int *bufs)
{
    const struct lr_eng_val *y = &b->vals[n->out[0]];
    const struct lr_dn_desc *d;
    enum lr_status s = LR_OK;
    for (int i = 0; !s && i < n->n_in; i++)
        s = lr_eng_plain(b, n->in[i], &d, &bufs[i]);
    if (s)
        return s;
    struct lr_plain_concat *arg =
        lr_alloc(sizeof *arg + (size_t)n->n_in * sizeof arg->size[0], 1);
    if (!arg)
        return lr_enomem(b->e, sizeof *arg, "a kernel");
    arg->n = n->n_in;
    arg->rows = 1;
    for (int i = 0; i < axis; i++)
        arg->rows *= y->dims[i];
    for (int i = 0; i < n->n_in; i++)
        arg->size[i] = (int64_t)b->vals[n->in[i]].count / arg->rows;
    bufs[n->n_in] = lr_eng_result(b, lr_dn_plain(b->net->dn, y->n_dims, y->dims));
    if (bufs[n->n_in] < 0) {
        lr_free(arg);
        return LR_ENOMEM;
    }
    s = lr_eng_add_kernel(b, lr_plain_concat, arg, n->n_in + 1, bufs);
    return s ? s : lr_eng_define_plain(b, n->out[0], bufs[n->n_in]);
}

static enum lr_status check_concat(struct lr_eng_build *b, const struct lr_node *n,
                                   int axis)
{
    const struct lr_eng_val *y = &b->vals[n->out[0]];
    int64_t sum = 0;
    for (int i = 0; i < n->n_in; i++) {
        const struct lr_eng_val *x = n->in[i] < 0 ? NULL : &b->vals[n->in[i]];
        bool is_fit = x && x->n_dims == y->n_dims;
        for (int k = 0; is_fit && k < y->n_dims; k++)
            is_fit = k == axis || x->dims[k] == y->dims[k];
        if (!is_fit || (y->is_batched && !x->is_batched))
            return lr_err_set(b->e, LR_ESHAPE, "input %d does not fit the others", i + 1);
        sum += x->dims[axis];
    }
    if (sum != y->dims[axis])
        return lr_err_set(b->e, LR_ESHAPE, "the pieces do not add up");
    if (y->is_batched && axis == 0)
        return lr_err_set(b->e, LR_EUNSUP, "it would lengthen the batch");
    return LR_OK;
}

enum lr_status lr_eng_build_concat(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *y = &b->vals[n->out[0]];
    const size_t k = (size_t)n->n_in;
    const struct lr_dn_desc **d = lr_calloc(k + 1, sizeof *d);
    struct lr_eng_use *uses = lr_calloc(k + 1, sizeof *uses);
    int *bufs = lr_calloc(k + 1, sizeof *bufs), axis = 0;
    struct lr_dn_prim *p = NULL;
    bool is_aligned = y->n_dims == 4;
    enum lr_status s = LR_OK;
    if (!d || !uses || !bufs) {
        s = lr_enomem(b->e, (k + 1) * sizeof *uses, "a concatenation");
        goto out;
    }
    s = axis_of(b, n, 1, y->n_dims, &axis);
    if (!s)
        s = check_concat(b, n, axis);
    for (int i = 0; !s && i < n->n_in; i++) {
        s = lr_eng_native(b, n->in[i], &d[i], &uses[i].buf);
        uses[i].role = LR_DN_MULTI + i;
        if (!s)
            is_aligned = is_aligned && !lr_dn_is_plain(d[i]) &&
                         (axis != 1 || b->vals[n->in[i]].dims[1] % 16 == 0);
    }
    if (s)
        goto out;
    s = make_concat(b, axis, n->n_in, d, lr_dn_plain(b->net->dn, y->n_dims, y->dims),
                    is_aligned, &p);
    if (s) {
        s = s == LR_ENOMEM ? s : concat_plain(b, n, axis, bufs);
        goto out;
    }
    d[k] = lr_dn_prim_desc(b->net->dn, p, LR_DN_DST);
    uses[k] = (struct lr_eng_use){LR_DN_DST, lr_eng_result(b, d[k])};
    s = lr_eng_add_prim(b, p, n->n_in + 1, uses, d);
    if (!s)
        s = lr_eng_define(b, n->out[0], d[k], uses[k].buf);
out:
    lr_free(d);
    lr_free(uses);
    lr_free(bufs);
    return s;
}

/* A reorder between two views of one shape: the source's strides permuted, the result
 * plain. */
enum lr_status lr_eng_build_transpose(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]], *y = &b->vals[n->out[0]];
    int64_t perm[LR_MAX_DIMS], own[LR_MAX_DIMS], strides[LR_MAX_DIMS], step = 1;
    const int nd = x->n_dims;
    const struct lr_dn_desc *d, *view, *plain;
    struct lr_dn_prim *p = NULL;
    int src, dst;
    unsigned seen = 0;
    size_t given = lr_node_ints(n, "perm", perm, LR_MAX_DIMS);
    if (given == 0)
        for (int i = 0; i < nd; i++)
            perm[i] = nd - 1 - i;
    if ((given != 0 && given != (size_t)nd) || y->n_dims != nd || nd < 1)
        return lr_err_set(b->e, LR_ESHAPE, "perm does not fit %d dimensions", nd);
    for (int i = nd - 1; i >= 0; i--) {
        own[i] = step;
        step *= x->dims[i];
    }
    for (int i = 0; i < nd; i++) {
        if (perm[i] < 0 || perm[i] >= nd || (seen & 1U << perm[i]) ||
            x->dims[perm[i]] != y->dims[i])
            return lr_err_set(b->e, LR_ESHAPE,
                              "perm is no permutation of its %d dimensions", nd);
        seen |= 1U << perm[i];
        strides[i] = own[perm[i]];
    }
    if (x->is_batched && perm[0] != 0)
        return lr_err_set(b->e, LR_EUNSUP, "the batch must stay the first dimension");
    enum lr_status s = lr_eng_plain(b, n->in[0], &d, &src);
    if (s)
        return s;
    view = lr_dn_strided(b->net->dn, nd, y->dims, strides);
    plain = lr_dn_plain(b->net->dn, nd, y->dims);
    if (!view || !plain)
        return lr_enomem(b->e, 0, "a memory layout");
    s = lr_dn_make_reorder(&p, b->net->dn, view, plain, b->e);
    if (s)
        return s;
    dst = lr_eng_result(b, plain);
    s = lr_eng_add_unary(b, p, src, view, dst, plain);
    return s ? s : lr_eng_define_plain(b, n->out[0], dst);
}

lr_eng_builder lr_eng_builder_of(enum lr_op op)
{
    switch (op) {
    case LR_OP_CONV:
        return lr_eng_build_conv;
    case LR_OP_RELU:
    case LR_OP_LEAKY_RELU:
    case LR_OP_CLIP:
    case LR_OP_SIGMOID:
    case LR_OP_TANH:
    case LR_OP_HARD_SWISH:
    case LR_OP_ELU:
    case LR_OP_GELU:
    case LR_OP_MISH:
    case LR_OP_EXP:
    case LR_OP_ABS:
    case LR_OP_SQRT:
        return build_eltwise;
    case LR_OP_MAX_POOL:
    case LR_OP_AVERAGE_POOL:
        return lr_eng_build_pool;
    case LR_OP_GLOBAL_AVERAGE_POOL:
        return lr_eng_build_global_pool;
    case LR_OP_BATCH_NORMALIZATION:
        return lr_eng_build_bn;
    case LR_OP_ADD:
    case LR_OP_MUL:
        return lr_eng_build_binary;
    case LR_OP_CONCAT:
        return lr_eng_build_concat;
    case LR_OP_GEMM:
        return lr_eng_build_gemm;
    case LR_OP_MAT_MUL:
        return lr_eng_build_matmul;
    case LR_OP_TRANSPOSE:
        return lr_eng_build_transpose;
    case LR_OP_SOFTMAX:
        return lr_eng_build_softmax;
    case LR_OP_LRN:
        return lr_eng_build_lrn;
    case LR_OP_PAD:
        return lr_eng_build_pad;
    case LR_OP_CONV_TRANSPOSE:
        return lr_eng_build_conv_transpose;
    case LR_OP_RESIZE:
    case LR_OP_UPSAMPLE:
        return lr_eng_build_resize;
    case LR_OP_HARD_SIGMOID:
        return build_hard_sigmoid;
    default:
        return NULL;
    }
}

bool lr_eng_is_alias(enum lr_op op)
{
    switch (op) {
    case LR_OP_FLATTEN:
    case LR_OP_RESHAPE:
    case LR_OP_SQUEEZE:
    case LR_OP_UNSQUEEZE:
    case LR_OP_IDENTITY:
    case LR_OP_DROPOUT:
    case LR_OP_CAST:
        return true;
    default:
        return false;
    }
}
