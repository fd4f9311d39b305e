/* Gemm and MatMul. With constant weights they are inner products: weights are packed
 * once, and a Flatten before them costs nothing, because the inner product reads the
 * four-dimensional value in the layout it has (the weights are permuted instead).
 * Everything else is oneDNN's matrix product on plain data. */
#include "net.h"

#include "plain.h"
#include "ranklab/mem.h"

struct linear {
    int x, w, bias; /* values; bias -1: none */
    int64_t rows, k, m;
    bool is_w_transposed; /* w is [m, k] instead of [k, m] */
    float alpha, beta;    /* of weights and bias */
    int out;              /* the value that gets the result */
};

/* Weights [k, m] or [m, k] seen as [m, dims...] with the dimensions of the source. */
static const struct lr_dn_desc *weights_view(struct lr_eng_build *b,
                                             const struct linear *l, int n,
                                             const int64_t *src_dims)
{
    int64_t dims[LR_MAX_DIMS], strides[LR_MAX_DIMS];
    int64_t step = l->is_w_transposed ? 1 : l->m;
    dims[0] = l->m;
    strides[0] = l->is_w_transposed ? l->k : 1;
    for (int i = n - 1; i >= 1; i--) {
        dims[i] = src_dims[i];
        strides[i] = step;
        step *= src_dims[i];
    }
    return lr_dn_strided(b->net->dn, n, dims, strides);
}

static enum lr_status bias_buf(struct lr_eng_build *b, const struct linear *l, int *buf)
{
    struct lr_tensor *t = NULL;
    float *data;
    enum lr_status s = lr_eng_tensor(b, l->bias, &t);
    if (s)
        return s;
    *buf = lr_eng_const_new(b, (size_t)l->m, &data);
    const float *x = t->data;
    for (int64_t i = 0; *buf >= 0 && i < l->m; i++)
        data[i] = l->beta * x[b->vals[l->bias].count == 1 ? 0 : i];
    lr_tensor_free(t);
    return *buf < 0 ? LR_ENOMEM : LR_OK;
}

/* The source as the inner product reads it: the value before a Flatten when that one is
 * in a blocked layout and the library has a kernel of its own for it.
 * Otherwise it pays to move the source, which is far smaller than the weights. */
static enum lr_status make_inner(struct lr_eng_build *b, const struct linear *l,
                                 const struct lr_dn_posts *posts,
                                 struct lr_dn_prim **prim, const struct lr_dn_desc **src,
                                 int *src_buf, const struct lr_dn_desc **view)
{
    const struct lr_eng_val *x = &b->vals[l->x], *root = &b->vals[x->root];
    enum lr_status s;
    if (root->native_desc && x->root != l->x && x->n_dims == 2 && root->n_dims == 4 &&
        root->dims[0] == x->dims[0] && root->plain < 0) {
        *src = root->native_desc;
        *src_buf = root->native;
        s = lr_dn_make_inner_product(prim, b->net->dn, *src, l->m, l->bias >= 0, posts,
                                     b->e);
        if (!s && !lr_dn_prim_is_reference(*prim) && !lr_dn_prim_is_gemm(*prim)) {
            *view = weights_view(b, l, 4, root->dims);
            return LR_OK;
        }
        lr_dn_prim_free(*prim);
        *prim = NULL;
    }
    const int64_t dims[2] = {l->rows, l->k};
    s = lr_eng_plain(b, l->x, src, src_buf);
    if (s)
        return s;
    *src = lr_dn_plain(b->net->dn, 2, dims);
    if (!*src)
        return lr_enomem(b->e, 0, "a memory layout");
    *view = weights_view(b, l, 2, dims);
    return lr_dn_make_inner_product(prim, b->net->dn, *src, l->m, l->bias >= 0, posts,
                                    b->e);
}

/* x times constant weights plus a constant bias, an activation after it included. */
static enum lr_status inner_product(struct lr_eng_build *b, struct linear *l)
{
    struct lr_dn *dn = b->net->dn;
    struct lr_dn_posts posts = {0};
    struct lr_dn_prim *prim = NULL;
    const struct lr_dn_desc *src, *view = NULL, *descs[4];
    struct lr_eng_use uses[4];
    int k = 0, src_buf = -1, w = -1, bias = -1, dst, act = -1;
    if (lr_eng_follow(b, l->out, &posts.p[0], &act))
        posts.n = 1;
    enum lr_status s = make_inner(b, l, &posts, &prim, &src, &src_buf, &view);
    if (s)
        return s;
    descs[0] = src;
    descs[1] = lr_dn_prim_desc(dn, prim, LR_DN_WEIGHTS);
    s = lr_eng_pack(b, l->w, l->alpha, view, descs[1], &w);
    if (!s && l->bias >= 0)
        s = bias_buf(b, l, &bias);
    if (s)
        goto out;
    uses[k++] = (struct lr_eng_use){LR_DN_SRC, src_buf};
    uses[k++] = (struct lr_eng_use){LR_DN_WEIGHTS, w};
    if (l->bias >= 0) {
        descs[k] = lr_dn_plain(dn, 1, &l->m);
        uses[k++] = (struct lr_eng_use){LR_DN_BIAS, bias};
    }
    if (posts.n)
        l->out = lr_eng_absorb(b, act);
    descs[k] = lr_dn_prim_desc(dn, prim, LR_DN_DST);
    dst = lr_eng_result(b, descs[k]);
    if (dst < 0) {
        s = LR_ENOMEM;
        goto out;
    }
    uses[k++] = (struct lr_eng_use){LR_DN_DST, dst};
    s = lr_eng_add_prim(b, prim, k, uses, descs);
    prim = NULL;
    if (!s)
        s = lr_eng_define_plain(b, l->out, dst);
out:
    lr_dn_prim_free(prim);
    return s;
}

/* Constant v adds to the columns of every row alike: [m], [1, m] or one number. */
static bool is_row(const struct lr_eng_build *b, int v, int64_t m)
{
    if (!lr_eng_is_const(b, v))
        return false;
    const struct lr_eng_val *x = &b->vals[v];
    if (x->count == 1)
        return x->n_dims <= 2;
    if (x->count != (size_t)m || x->n_dims < 1 || x->dims[x->n_dims - 1] != m)
        return false;
    return true;
}

/* out = alpha op(a) op(b), general operands. n dimensions, broadcast where one has 1. */
static enum lr_status product(struct lr_eng_build *b, const struct lr_dn_desc *a,
                              int a_buf, const struct lr_dn_desc *w, int w_buf,
                              const struct lr_dn_desc *d, float alpha, int *dst)
{
    struct lr_dn_posts posts = {0};
    struct lr_dn_prim *prim = NULL;
    if (!a || !w || !d)
        return lr_enomem(b->e, 0, "a memory layout");
    if (alpha != 1.0F) {
        posts.n = 1;
        posts.p[0] = (struct lr_dn_post){
            .kind = LR_DN_POST_ELTWISE, .alg = LR_DN_LINEAR, .alpha = alpha};
    }
    enum lr_status s = lr_dn_make_matmul(&prim, b->net->dn, a, w, d, &posts, b->e);
    if (s)
        return s;
    *dst = lr_eng_result(b, d);
    if (*dst < 0) {
        lr_dn_prim_free(prim);
        return LR_ENOMEM;
    }
    return lr_eng_add_prim(b, prim, 3,
                           (struct lr_eng_use[]){{LR_DN_SRC, a_buf},
                                                 {LR_DN_WEIGHTS, w_buf},
                                                 {LR_DN_DST, *dst}},
                           (const struct lr_dn_desc *[]){a, w, d});
}

static enum lr_status gemm_general(struct lr_eng_build *b, const struct lr_node *n,
                                   int ta, int tb, const struct linear *l)
{
    struct lr_dn *dn = b->net->dn;
    const struct lr_dn_desc *d;
    int a_buf, w_buf, dst = -1, c = n->n_in > 2 ? n->in[2] : -1;
    const int64_t ad[2] = {l->rows, l->k}, as[2] = {ta ? 1 : l->k, ta ? l->rows : 1};
    const int64_t wd[2] = {l->k, l->m}, ws[2] = {tb ? 1 : l->m, tb ? l->k : 1};
    const int64_t yd[2] = {l->rows, l->m};
    if ((ta && b->vals[l->x].is_batched) || b->vals[l->w].is_batched)
        return lr_err_set(b->e, LR_EUNSUP, "it would sum over the images of a batch");
    enum lr_status s = lr_eng_plain(b, l->x, &d, &a_buf);
    if (!s)
        s = lr_eng_plain(b, l->w, &d, &w_buf);
    if (!s)
        s = product(b, lr_dn_strided(dn, 2, ad, as), a_buf, lr_dn_strided(dn, 2, wd, ws),
                    w_buf, lr_dn_plain(dn, 2, yd), l->alpha, &dst);
    if (s || c < 0)
        return s ? s : lr_eng_define_plain(b, n->out[0], dst);
    const struct lr_eng_val *cv = &b->vals[c];
    int c_buf;
    s = lr_eng_plain(b, c, &d, &c_buf);
    if (s)
        return s;
    struct lr_plain_binary *arg =
        lr_plain_binary_new(2, yd, 2, yd, cv->n_dims, cv->dims, LR_PLAIN_ADD, l->beta);
    if (!arg)
        return lr_err_set(b->e, LR_ESHAPE, "C cannot be added to the product");
    s = lr_eng_add_kernel(b, lr_plain_binary, arg, 3, (int[]){dst, c_buf, dst});
    return s ? s : lr_eng_define_plain(b, n->out[0], dst);
}

enum lr_status lr_eng_build_gemm(struct lr_eng_build *b, const struct lr_node *n)
{
    if (n->n_in < 2 || n->in[1] < 0)
        return lr_err_set(b->e, LR_ESHAPE, "it needs two operands");
    const struct lr_eng_val *x = &b->vals[n->in[0]], *w = &b->vals[n->in[1]];
    const struct lr_eng_val *y = &b->vals[n->out[0]];
    int ta = lr_node_int(n, "transA", 0) != 0, tb = lr_node_int(n, "transB", 0) != 0;
    int c = n->n_in > 2 ? n->in[2] : -1;
    if (x->n_dims != 2 || w->n_dims != 2 || y->n_dims != 2)
        return lr_err_set(b->e, LR_ESHAPE, "operands must be matrices");
    struct linear l = {.x = n->in[0],
                       .w = n->in[1],
                       .bias = -1,
                       .rows = x->dims[ta],
                       .k = x->dims[!ta],
                       .m = w->dims[!tb],
                       .is_w_transposed = tb,
                       .alpha = lr_node_float(n, "alpha", 1.0F),
                       .beta = lr_node_float(n, "beta", 1.0F),
                       .out = n->out[0]};
    if (w->dims[tb] != l.k || y->dims[0] != l.rows || y->dims[1] != l.m)
        return lr_err_set(b->e, LR_ESHAPE, "[%lld, %lld] times [%lld, %lld]",
                          (long long)l.rows, (long long)l.k, (long long)w->dims[tb],
                          (long long)l.m);
    bool is_inner = lr_eng_is_const(b, l.w) && !lr_eng_is_const(b, l.x) && !ta;
    if (is_inner && (c < 0 || is_row(b, c, l.m))) {
        l.bias = c;
        return inner_product(b, &l);
    }
    return gemm_general(b, n, ta, tb, &l);
}

/* dims of v with 1s in front (or, for a vector on the right, behind) up to n dimensions.
 */
static void promote(const struct lr_eng_val *v, bool is_right, int n, int64_t *dims)
{
    int64_t own[LR_MAX_DIMS + 1];
    int k = v->n_dims;
    for (int i = 0; i < k; i++)
        own[i] = v->dims[i];
    if (k == 1 && is_right)
        own[k++] = 1;
    for (int i = 0; i < n; i++)
        dims[i] = i < n - k ? 1 : own[i - (n - k)];
}

static enum lr_status matmul_general(struct lr_eng_build *b, const struct lr_node *n)
{
    struct lr_dn *dn = b->net->dn;
    const struct lr_eng_val *x = &b->vals[n->in[0]], *w = &b->vals[n->in[1]];
    const struct lr_eng_val *y = &b->vals[n->out[0]];
    int rank = x->n_dims > w->n_dims ? x->n_dims : w->n_dims;
    int64_t xd[LR_MAX_DIMS], wd[LR_MAX_DIMS], yd[LR_MAX_DIMS];
    const struct lr_dn_desc *d;
    int a_buf, w_buf, dst = -1;
    rank = rank < 2 ? 2 : rank;
    promote(x, false, rank, xd);
    promote(w, true, rank, wd);
    size_t count = 1;
    for (int i = 0; i < rank - 2; i++) {
        if (xd[i] != wd[i] && xd[i] != 1 && wd[i] != 1)
            return lr_err_set(b->e, LR_ESHAPE, "stacks of matrices do not match");
        yd[i] = xd[i] > wd[i] ? xd[i] : wd[i];
        count *= (size_t)yd[i];
    }
    yd[rank - 2] = xd[rank - 2];
    yd[rank - 1] = wd[rank - 1];
    count *= (size_t)(yd[rank - 2] * yd[rank - 1]);
    if (xd[rank - 1] != wd[rank - 2] || count != y->count)
        return lr_err_set(b->e, LR_ESHAPE, "inner dimensions %lld and %lld",
                          (long long)xd[rank - 1], (long long)wd[rank - 2]);
    /* images are independent only while the batch numbers rows or whole matrices */
    if ((w->is_batched && w->n_dims < 3) || (x->is_batched && x->n_dims == 1) ||
        ((x->is_batched || w->is_batched) && y->dims[0] != b->net->batch))
        return lr_err_set(b->e, LR_EUNSUP, "it would sum over the images of a batch");
    if ((x->is_batched && x->n_dims < rank) || (w->is_batched && w->n_dims < rank))
        return lr_err_set(b->e, LR_EUNSUP, "the batch is not the first dimension");
    enum lr_status s = lr_eng_plain(b, n->in[0], &d, &a_buf);
    if (!s)
        s = lr_eng_plain(b, n->in[1], &d, &w_buf);
    if (!s)
        s = product(b, lr_dn_plain(dn, rank, xd), a_buf, lr_dn_plain(dn, rank, wd), w_buf,
                    lr_dn_plain(dn, rank, yd), 1.0F, &dst);
    return s ? s : lr_eng_define_plain(b, n->out[0], dst);
}

enum lr_status lr_eng_build_matmul(struct lr_eng_build *b, const struct lr_node *n)
{
    if (n->n_in < 2 || n->in[1] < 0)
        return lr_err_set(b->e, LR_ESHAPE, "it needs two operands");
    const struct lr_eng_val *x = &b->vals[n->in[0]], *w = &b->vals[n->in[1]];
    if (x->n_dims < 1 || w->n_dims < 1)
        return lr_err_set(b->e, LR_ESHAPE, "operands must not be single numbers");
    bool is_inner = lr_eng_is_const(b, n->in[1]) && !lr_eng_is_const(b, n->in[0]) &&
                    w->n_dims == 2 && x->n_dims >= 2;
    if (!is_inner)
        return matmul_general(b, n);
    struct linear l = {.x = n->in[0],
                       .w = n->in[1],
                       .bias = -1,
                       .k = x->dims[x->n_dims - 1],
                       .m = w->dims[1],
                       .alpha = 1.0F,
                       .beta = 1.0F,
                       .out = n->out[0]};
    if (w->dims[0] != l.k)
        return lr_err_set(b->e, LR_ESHAPE, "inner dimensions %lld and %lld",
                          (long long)l.k, (long long)w->dims[0]);
    l.rows = (int64_t)(x->count / (size_t)l.k);
    int other, add;
    /* a constant row added afterwards is the bias of a fully connected layer */
    if (lr_eng_follow_add(b, l.out, &other, &add) && is_row(b, other, l.m) &&
        b->vals[b->g->nodes[add].out[0]].n_dims == b->vals[l.out].n_dims) {
        l.bias = other;
        l.out = lr_eng_absorb(b, add);
    }
    return inner_product(b, &l);
}
