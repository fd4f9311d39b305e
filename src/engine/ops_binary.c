/* Add and Mul with broadcasting, and BatchNormalization that was not folded (scale and
 * shift per channel). oneDNN's binary primitive where one operand has the shape of the
 * result and the library is fast at it, else a plain kernel. */
#include "net.h"

#include <math.h>

#include "plain.h"
#include "ranklab/mem.h"

/* v's layout with dimensions of 1 in front, up to n of them; native when it has n. */
static enum lr_status operand(struct lr_eng_build *b, int v, int n,
                              const struct lr_dn_desc **d, int *buf)
{
    const struct lr_eng_val *x = &b->vals[v];
    int64_t dims[LR_MAX_DIMS];
    if (x->n_dims == n)
        return lr_eng_native(b, v, d, buf);
    enum lr_status s = lr_eng_plain(b, v, d, buf);
    for (int i = 0; i < n; i++)
        dims[i] = i < n - x->n_dims ? 1 : x->dims[i - (n - x->n_dims)];
    *d = lr_dn_plain(b->net->dn, n, dims);
    return s ? s : *d ? LR_OK : lr_enomem(b->e, 0, "a memory layout");
}

static bool has_shape(const struct lr_eng_val *x, const struct lr_eng_val *y)
{
    bool is_same = x->n_dims == y->n_dims;
    for (int i = 0; is_same && i < y->n_dims; i++)
        is_same = x->dims[i] == y->dims[i];
    return is_same;
}

/* p computes from a (in place where nobody needs it later), with c as second operand and
 * perhaps a third one in its post-op; takes p over. */
static enum lr_status emit(struct lr_eng_build *b, struct lr_dn_prim *p, int n_args,
                           const int *roles, const struct lr_dn_desc *const *d,
                           const int *bufs, int a, int out)
{
    struct lr_eng_use uses[4];
    const struct lr_dn_desc *descs[4];
    for (int i = 0; i < n_args; i++) {
        uses[i] = (struct lr_eng_use){roles[i], bufs[i]};
        descs[i] = d[i];
    }
    int dst = lr_eng_is_dead(b, a, bufs[0]) ? bufs[0] : lr_eng_result(b, d[0]);
    uses[n_args] = (struct lr_eng_use){LR_DN_DST, dst};
    descs[n_args] = d[0];
    enum lr_status s = lr_eng_add_prim(b, p, n_args + 1, uses, descs);
    return s ? s : lr_eng_define(b, out, d[0], dst);
}

/* With the library: a has the shape of the result. LR_EUNSUP: take the plain way. */
static enum lr_status with_library(struct lr_eng_build *b, const struct lr_node *n, int a,
                                   int c)
{
    const struct lr_eng_val *y = &b->vals[n->out[0]];
    const struct lr_dn_desc *d[2];
    struct lr_dn_posts posts = {0};
    struct lr_dn_prim *p = NULL;
    int bufs[2], act, out = n->out[0];
    if (y->n_dims < 1)
        return LR_EUNSUP;
    enum lr_status s = lr_eng_native(b, a, &d[0], &bufs[0]);
    if (!s && has_shape(&b->vals[c], y)) {
        /* equal shapes: one layout for both, that of a unless only c has a blocked one */
        const struct lr_dn_desc *dc;
        int buf;
        s = lr_eng_native(b, c, &dc, &buf);
        if (!s && lr_dn_is_plain(d[0]) && !lr_dn_is_plain(dc)) {
            int t = a;
            a = c;
            c = t;
            d[0] = dc;
            bufs[0] = buf;
        }
        d[1] = d[0];
        if (!s)
            s = lr_eng_in_layout(b, c, d[1], &bufs[1]);
    } else if (!s) {
        s = operand(b, c, y->n_dims, &d[1], &bufs[1]);
    }
    if (s)
        return s;
    if (lr_eng_follow(b, out, &posts.p[0], &act))
        posts.n = 1;
    s = lr_dn_make_binary(&p, b->net->dn, n->op == LR_OP_ADD ? LR_DN_ADD : LR_DN_MUL,
                          d[0], d[1], &posts, b->e);
    if (s)
        return s;
    if (lr_dn_prim_is_reference(p)) {
        lr_dn_prim_free(p);
        return LR_EUNSUP;
    }
    if (posts.n)
        out = lr_eng_absorb(b, act);
    return emit(b, p, 2, (int[]){LR_DN_SRC, LR_DN_SRC_1}, d, bufs, a, out);
}

enum lr_status lr_eng_build_binary(struct lr_eng_build *b, const struct lr_node *n)
{
    if (n->n_in != 2 || n->in[1] < 0)
        return lr_err_set(b->e, LR_ESHAPE, "it needs two operands");
    const struct lr_eng_val *y = &b->vals[n->out[0]];
    for (int i = 0; i < 2; i++) {
        const struct lr_eng_val *x = &b->vals[n->in[i]];
        bool is_first = x->n_dims == y->n_dims && x->n_dims > 0;
        if ((x->is_batched && !is_first) ||
            (y->is_batched && !x->is_batched && is_first && x->dims[0] != 1))
            return lr_err_set(b->e, LR_ESHAPE,
                              "'%s' does not line up with the images of a batch",
                              b->g->values[n->in[i]].name);
    }
    enum lr_status s = LR_EUNSUP;
    if (has_shape(&b->vals[n->in[0]], y) && !lr_eng_is_const(b, n->in[0]))
        s = with_library(b, n, n->in[0], n->in[1]);
    else if (has_shape(&b->vals[n->in[1]], y) && !lr_eng_is_const(b, n->in[1]))
        s = with_library(b, n, n->in[1], n->in[0]);
    if (s != LR_EUNSUP)
        return s;
    const struct lr_eng_val *x0 = &b->vals[n->in[0]], *x1 = &b->vals[n->in[1]];
    const struct lr_dn_desc *d;
    int bufs[3];
    s = lr_eng_plain(b, n->in[0], &d, &bufs[0]);
    if (!s)
        s = lr_eng_plain(b, n->in[1], &d, &bufs[1]);
    if (s)
        return s;
    bufs[2] = lr_eng_result(b, lr_dn_plain(b->net->dn, y->n_dims, y->dims));
    if (bufs[2] < 0)
        return LR_ENOMEM;
    struct lr_plain_binary *arg = lr_plain_binary_new(
        y->n_dims, y->dims, x0->n_dims, x0->dims, x1->n_dims, x1->dims,
        n->op == LR_OP_ADD ? LR_PLAIN_ADD : LR_PLAIN_MUL, 1.0F);
    if (!arg)
        return lr_err_set(b->e, LR_ESHAPE, "shapes do not broadcast");
    s = lr_eng_add_kernel(b, lr_plain_binary, arg, 3, bufs);
    return s ? s : lr_eng_define_plain(b, n->out[0], bufs[2]);
}

/* y = scale (x - mean) / sqrt(var + epsilon) + bias as one factor and one shift per
 * channel. */
static enum lr_status bn_constants(struct lr_eng_build *b, const struct lr_node *n,
                                   int64_t c, int bufs[2])
{
    struct lr_tensor *t[4] = {NULL, NULL, NULL, NULL};
    float *factor, *shift;
    const double epsilon = (double)lr_node_float(n, "epsilon", 1e-5F);
    enum lr_status s = LR_OK;
    for (int i = 0; !s && i < 4; i++) {
        s = lr_eng_tensor(b, n->in[i + 1], &t[i]);
        if (!s && b->vals[n->in[i + 1]].count != (size_t)c)
            s = lr_err_set(b->e, LR_ESHAPE, "'%s' does not have %lld elements",
                           b->g->values[n->in[i + 1]].name, (long long)c);
    }
    if (s)
        goto out;
    bufs[0] = lr_eng_const_new(b, (size_t)c, &factor);
    bufs[1] = bufs[0] < 0 ? -1 : lr_eng_const_new(b, (size_t)c, &shift);
    if (bufs[1] < 0) {
        s = LR_ENOMEM;
        goto out;
    }
    const float *scale = t[0]->data, *bias = t[1]->data, *mean = t[2]->data,
                *var = t[3]->data;
    for (int64_t i = 0; i < c; i++) {
        double f = (double)scale[i] / sqrt((double)var[i] + epsilon);
        factor[i] = (float)f;
        shift[i] = (float)((double)bias[i] - (double)mean[i] * f);
    }
out:
    for (int i = 0; i < 4; i++)
        lr_tensor_free(t[i]);
    return s;
}

static enum lr_status bn_with_library(struct lr_eng_build *b, const struct lr_node *n,
                                      const int constants[2])
{
    const struct lr_eng_val *x = &b->vals[n->in[0]];
    const struct lr_dn_desc *d[3];
    struct lr_dn_prim *p = NULL;
    int64_t dims[LR_MAX_DIMS];
    int bufs[3] = {-1, constants[0], constants[1]}, act, out = n->out[0];
    for (int i = 0; i < x->n_dims; i++)
        dims[i] = i == 1 ? x->dims[1] : 1;
    enum lr_status s = lr_eng_native(b, n->in[0], &d[0], &bufs[0]);
    if (s)
        return s;
    d[1] = d[2] = lr_dn_plain(b->net->dn, x->n_dims, dims);
    if (!d[1])
        return lr_enomem(b->e, 0, "a memory layout");
    struct lr_dn_posts posts = {
        .n = 1, .p = {{.kind = LR_DN_POST_BINARY, .alg = LR_DN_ADD, .other = d[2]}}};
    if (lr_eng_follow(b, out, &posts.p[1], &act))
        posts.n = 2;
    s = lr_dn_make_binary(&p, b->net->dn, LR_DN_MUL, d[0], d[1], &posts, b->e);
    if (s)
        return s;
    if (lr_dn_prim_is_reference(p)) {
        lr_dn_prim_free(p);
        return LR_EUNSUP;
    }
    if (posts.n == 2)
        out = lr_eng_absorb(b, act);
    return emit(b, p, 3, (int[]){LR_DN_SRC, LR_DN_SRC_1, LR_DN_POST_0}, d, bufs, n->in[0],
                out);
}

enum lr_status lr_eng_build_bn(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]];
    int constants[2] = {-1, -1};
    if (n->n_in < 5 || x->n_dims < 2)
        return lr_err_set(b->e, LR_ESHAPE, "it needs [n, c, ...] and four constants");
    if (lr_node_int(n, "training_mode", 0) != 0)
        return lr_err_set(b->e, LR_EUNSUP, "training mode does not run here");
    enum lr_status s = bn_constants(b, n, x->dims[1], constants);
    if (!s)
        s = bn_with_library(b, n, constants);
    if (s != LR_EUNSUP)
        return s;
    const struct lr_dn_desc *d;
    int src, dst;
    struct lr_plain_affine *arg = lr_alloc(1, sizeof *arg);
    if (!arg)
        return lr_enomem(b->e, sizeof *arg, "a kernel");
    *arg = (struct lr_plain_affine){.n = x->dims[0], .c = x->dims[1]};
    arg->inner = (int64_t)(x->count / (size_t)(arg->n * arg->c));
    s = lr_eng_plain(b, n->in[0], &d, &src);
    if (s) {
        lr_free(arg);
        return s;
    }
    dst = lr_eng_is_dead(b, n->in[0], src) ? src : lr_eng_result(b, d);
    if (dst < 0) {
        lr_free(arg);
        return LR_ENOMEM;
    }
    s = lr_eng_add_kernel(b, lr_plain_affine, arg, 4,
                          (int[]){src, constants[0], constants[1], dst});
    return s ? s : lr_eng_define_plain(b, n->out[0], dst);
}
