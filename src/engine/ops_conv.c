/* Convolution. Layouts are left to oneDNN; a following addition becomes a sum into the
 * other operand's buffer when nobody needs that one any more, else a binary post-op where
 * the layouts agree; a following activation joins as a post-op. */
#include "net.h"

#include "ranklab/mem.h"

struct conv {
    struct lr_dn_conv d;
    const struct lr_node *n;
    int add_node, act_node; /* absorbed, -1: none */
    int other;              /* the other operand of the addition */
    const struct lr_dn_desc *other_desc;
    int other_buf;
    bool is_sum;
    struct lr_dn_posts posts;
    struct lr_dn_prim *prim;
};

enum lr_status lr_eng_conv_shape(struct lr_eng_build *b, const struct lr_node *n,
                                 struct lr_dn_conv *d)
{
    struct lr_window w;
    if (n->n_in < 2 || n->in[1] < 0 || !lr_eng_is_const(b, n->in[1]))
        return lr_err_set(b->e, LR_EUNSUP, "the filters must be constant");
    const struct lr_eng_val *x = &b->vals[n->in[0]], *f = &b->vals[n->in[1]],
                            *y = &b->vals[n->out[0]];
    enum lr_status s = lr_node_window(&w, b->g, n, b->e);
    if (s)
        return s;
    if (x->n_dims != 4 || f->n_dims != 4 || y->n_dims != 4)
        return lr_err_set(b->e, LR_EUNSUP, "only two spatial dimensions run");
    *d = (struct lr_dn_conv){.n = x->dims[0],
                             .c = x->dims[1],
                             .ih = x->dims[2],
                             .iw = x->dims[3],
                             .d = f->dims[0],
                             .oh = y->dims[2],
                             .ow = y->dims[3],
                             .kh = f->dims[2],
                             .kw = f->dims[3],
                             .group = w.group,
                             .stride = {w.stride_h, w.stride_w},
                             .dil = {w.dil_h, w.dil_w},
                             .pad_lo = {w.pad_top, w.pad_left},
                             .pad_hi = {w.pad_bottom, w.pad_right},
                             .has_bias = n->n_in > 2 && n->in[2] >= 0};
    if (d->group < 1 || d->c % d->group || d->d % d->group ||
        f->dims[1] != d->c / d->group || y->dims[1] != d->d || y->dims[0] != d->n)
        return lr_err_set(b->e, LR_ESHAPE,
                          "%lld filters over %lld channels do not fit an input of %lld "
                          "channels in %lld groups",
                          (long long)d->d, (long long)f->dims[1], (long long)d->c,
                          (long long)d->group);
    for (int i = 0; i < 2; i++) {
        int64_t in = i ? d->iw : d->ih, k = i ? d->kw : d->kh, out = i ? d->ow : d->oh;
        if (d->stride[i] < 1 || d->dil[i] < 1 || d->pad_lo[i] < 0 || d->pad_hi[i] < 0)
            return lr_err_set(b->e, LR_EUNSUP,
                              "stride or dilation below 1 or negative pads");
        int64_t room = in + d->pad_lo[i] + d->pad_hi[i] - ((k - 1) * d->dil[i] + 1);
        if (room < 0 || room / d->stride[i] + 1 != out)
            return lr_err_set(b->e, LR_ESHAPE,
                              "window and output size %lld contradict each other",
                              (long long)out);
    }
    if (d->has_bias &&
        (!lr_eng_is_const(b, n->in[2]) || b->vals[n->in[2]].count != (size_t)d->d))
        return lr_err_set(b->e, LR_EUNSUP, "the bias must be a constant of %lld elements",
                          (long long)d->d);
    return LR_OK;
}

/* By the library's own choice of layouts, or by Winograd's method. Where some layers are
 * done by that one, the others read what it wrote as it lies, unless only slow kernels
 * could. */
static enum lr_status make(struct lr_eng_build *b, struct conv *c)
{
    struct lr_dn *dn = b->net->dn;
    const struct lr_dn_desc *src;
    int buf;
    enum lr_status s = LR_EUNSUP;
    c->d.src = NULL;
    if (b->is_winograd[b->node]) {
        c->d.is_winograd = true;
        s = lr_dn_make_conv(&c->prim, dn, &c->d, &c->posts, b->e);
        c->d.is_winograd = false;
    } else if (b->keeps_layout) {
        s = lr_eng_native(b, c->n->in[0], &src, &buf);
        if (s)
            return s;
        c->d.src = src;
        s = lr_dn_make_conv(&c->prim, dn, &c->d, &c->posts, b->e);
        if (!s && (lr_dn_prim_is_reference(c->prim) || lr_dn_prim_is_gemm(c->prim))) {
            lr_dn_prim_free(c->prim);
            c->prim = NULL;
            s = LR_EUNSUP;
        }
        c->d.src = NULL;
    }
    return s == LR_EUNSUP ? lr_dn_make_conv(&c->prim, dn, &c->d, &c->posts, b->e) : s;
}

/* With a sum (or binary addition) and, if one follows, the activation after it. */
static enum lr_status try_add(struct lr_eng_build *b, struct conv *c, bool is_sum)
{
    const int sum_value = b->g->nodes[c->add_node].out[0];
    c->is_sum = is_sum;
    c->posts.n = 1;
    c->posts.p[0] = is_sum ? (struct lr_dn_post){.kind = LR_DN_POST_SUM}
                           : (struct lr_dn_post){.kind = LR_DN_POST_BINARY,
                                                 .alg = LR_DN_ADD,
                                                 .other = c->other_desc};
    c->act_node = -1;
    if (lr_eng_follow(b, sum_value, &c->posts.p[1], &c->act_node))
        c->posts.n = 2;
    else
        c->act_node = -1;
    enum lr_status s = make(b, c);
    if (s)
        return s;
    const struct lr_dn_desc *dst = lr_dn_prim_desc(b->net->dn, c->prim, LR_DN_DST);
    if (dst && lr_dn_equal(dst, c->other_desc) &&
        (is_sum || !lr_dn_prim_is_reference(c->prim)))
        return LR_OK;
    lr_dn_prim_free(c->prim);
    c->prim = NULL;
    return dst ? LR_EUNSUP : LR_ENOMEM;
}

/* The addition after the convolution, when its other operand is there and has its shape.
 */
static enum lr_status choose_add(struct lr_eng_build *b, struct conv *c)
{
    const int v = c->n->out[0];
    if (!lr_eng_follow_add(b, v, &c->other, &c->add_node)) {
        c->add_node = -1;
        return LR_EUNSUP;
    }
    const struct lr_eng_val *o = &b->vals[c->other], *y = &b->vals[v];
    bool is_same = o->n_dims == 4;
    for (int i = 0; is_same && i < 4; i++)
        is_same = o->dims[i] == y->dims[i];
    if (!is_same || lr_eng_is_const(b, o->root) || !b->vals[o->root].native_desc)
        goto no;
    enum lr_status s = lr_eng_native(b, c->other, &c->other_desc, &c->other_buf);
    if (s)
        return s;
    /* the addition's own read of the other operand is its last one: uses still counts it
     */
    b->vals[o->root].uses--;
    bool is_dead = lr_eng_is_dead(b, c->other, c->other_buf);
    b->vals[o->root].uses++;
    /* a convolution must not write over its own input */
    if (o->root == b->vals[c->n->in[0]].root)
        is_dead = false;
    s = LR_EUNSUP;
    if (is_dead)
        s = try_add(b, c, true);
    if (s == LR_EUNSUP)
        s = try_add(b, c, false);
    if (s != LR_EUNSUP)
        return s;
no:
    c->add_node = -1;
    return LR_EUNSUP;
}

static enum lr_status pack_weights(struct lr_eng_build *b, struct conv *c,
                                   const struct lr_dn_desc *to, int *buf)
{
    const struct lr_eng_val *f = &b->vals[c->n->in[1]];
    const int64_t g = c->d.group;
    const int64_t dims[5] = {g, f->dims[0] / g, f->dims[1], f->dims[2], f->dims[3]};
    const struct lr_dn_desc *from =
        g > 1 ? lr_dn_plain(b->net->dn, 5, dims) : lr_dn_plain(b->net->dn, 4, f->dims);
    return lr_eng_pack(b, c->n->in[1], 1.0F, from, to, buf);
}

static enum lr_status emit(struct lr_eng_build *b, struct conv *c)
{
    struct lr_dn *dn = b->net->dn;
    const struct lr_node *n = c->n;
    struct lr_eng_use uses[5];
    const struct lr_dn_desc *descs[5];
    int k = 0, src = -1, w = -1, bias = -1, dst, v = n->out[0];
    const struct lr_dn_desc *sd = lr_dn_prim_desc(dn, c->prim, LR_DN_SRC);
    const struct lr_dn_desc *wd = lr_dn_prim_desc(dn, c->prim, LR_DN_WEIGHTS);
    const struct lr_dn_desc *dd = lr_dn_prim_desc(dn, c->prim, LR_DN_DST);
    enum lr_status s = lr_eng_in_layout(b, n->in[0], sd, &src);
    if (!s)
        s = pack_weights(b, c, wd, &w);
    if (s)
        return s;
    uses[k] = (struct lr_eng_use){LR_DN_SRC, src};
    descs[k++] = sd;
    uses[k] = (struct lr_eng_use){LR_DN_WEIGHTS, w};
    descs[k++] = wd;
    if (c->d.has_bias) {
        const struct lr_dn_desc *bd = lr_dn_plain(dn, 1, &c->d.d);
        s = lr_eng_pack(b, n->in[2], 1.0F, bd, bd, &bias);
        if (s)
            return s;
        uses[k] = (struct lr_eng_use){LR_DN_BIAS, bias};
        descs[k++] = bd;
    }
    if (c->add_node >= 0)
        v = lr_eng_absorb(b, c->add_node);
    if (c->act_node >= 0)
        v = lr_eng_absorb(b, c->act_node);
    if (c->add_node >= 0 && !c->is_sum) {
        uses[k] = (struct lr_eng_use){LR_DN_POST_0, c->other_buf};
        descs[k++] = c->other_desc;
    }
    dst = c->add_node >= 0 && c->is_sum ? c->other_buf : lr_eng_result(b, dd);
    if (dst < 0)
        return LR_ENOMEM;
    uses[k] = (struct lr_eng_use){LR_DN_DST, dst};
    descs[k++] = dd;
    struct lr_dn_prim *prim = c->prim;
    c->prim = NULL;
    s = lr_eng_add_prim(b, prim, k, uses, descs);
    return s ? s : lr_eng_define(b, v, dd, dst);
}

enum lr_status lr_eng_build_conv(struct lr_eng_build *b, const struct lr_node *n)
{
    struct conv c = {.n = n, .add_node = -1, .act_node = -1};
    enum lr_status s = lr_eng_conv_shape(b, n, &c.d);
    if (s)
        return s;
    s = choose_add(b, &c);
    if (s == LR_EUNSUP) {
        c.posts.n = lr_eng_follow(b, n->out[0], &c.posts.p[0], &c.act_node);
        if (!c.posts.n)
            c.act_node = -1;
        s = make(b, &c);
    }
    if (!s)
        s = emit(b, &c);
    lr_dn_prim_free(c.prim);
    return s;
}
