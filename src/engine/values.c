/* Where values live while a net is compiled: native and plain buffers, aliases,
 * constants, and the outputs taken from them. */
#include "net.h"

#include <string.h>

#include "ranklab/mem.h"

bool lr_eng_is_const(const struct lr_eng_build *b, int v)
{
    return v >= 0 && b->g->values[v].tensor && !b->vals[v].is_fed;
}

static enum lr_status no_layout(struct lr_eng_build *b, int v)
{
    return lr_err_set(b->e, LR_ENOMEM, "no memory layout for value '%s'",
                      b->g->values[v].name);
}

enum lr_status lr_eng_tensor(struct lr_eng_build *b, int v, struct lr_tensor **t)
{
    *t = NULL;
    if (!lr_eng_is_const(b, v))
        return lr_err_set(b->e, LR_EUNSUP, "'%s' must be a constant",
                          b->g->values[v].name);
    return lr_tensor_to_f32(t, b->g->values[v].tensor, b->e);
}

int lr_eng_const_new(struct lr_eng_build *b, size_t n, float **data)
{
    *data = lr_calloc(n ? n : 1, sizeof **data);
    if (!*data) {
        lr_enomem(b->e, n * sizeof **data, "weights");
        return -1;
    }
    int buf = lr_eng_buf_new(b->net, LR_ENG_CONST, n * sizeof **data, b->e);
    if (buf < 0) {
        lr_free(*data);
        *data = NULL;
        return -1;
    }
    b->net->bufs[buf].data = *data;
    return buf;
}

enum lr_status lr_eng_pack(struct lr_eng_build *b, int v, float scale,
                           const struct lr_dn_desc *from, const struct lr_dn_desc *to,
                           int *buf)
{
    struct lr_tensor *t = NULL;
    float *data = NULL;
    int64_t n = 0;
    *buf = -1;
    if (!from || !to)
        return no_layout(b, v);
    /* large weights are packed from where they are */
    const struct lr_tensor *w = b->g->values[v].tensor;
    enum lr_status s = LR_OK;
    if (!lr_eng_is_const(b, v) || w->dtype != LR_DT_F32 || scale != 1.0F) {
        s = lr_eng_tensor(b, v, &t);
        w = t;
    }
    if (s)
        goto out;
    s = lr_shape_count(&n, &w->shape, b->e);
    if (s)
        goto out;
    if (lr_dn_bytes(from) > (size_t)n * sizeof(float)) {
        s = lr_err_set(b->e, LR_ESHAPE, "'%s' has only %lld elements",
                       b->g->values[v].name, (long long)n);
        goto out;
    }
    for (int64_t i = 0; scale != 1.0F && i < n; i++)
        ((float *)t->data)[i] *= scale;
    const float *x = w->data;
    size_t bytes = lr_dn_bytes(to);
    *buf = lr_eng_const_new(b, (bytes + sizeof(float) - 1) / sizeof(float), &data);
    if (*buf < 0)
        s = LR_ENOMEM;
    else if (lr_dn_equal(from, to))
        memcpy(data, x, bytes);
    else
        s = lr_dn_reorder_now(b->net->dn, from, x, to, data, b->e);
out:
    lr_tensor_free(t);
    return s;
}

/* The buffer of constant v, row-major; made at the first use. */
static enum lr_status load_const(struct lr_eng_build *b, int v)
{
    struct lr_eng_val *x = &b->vals[v];
    if (x->native_desc)
        return LR_OK;
    if (x->count > 0 && x->is_int) {
        enum lr_status st = lr_eng_load_ints(b, v, &x->native);
        x->plain = x->native;
        x->native_desc = st ? NULL : lr_dn_plain(b->net->dn, x->n_dims, x->dims);
        return st ? st : x->native_desc ? LR_OK : no_layout(b, v);
    }
    if (x->count == 0)
        return lr_err_set(b->e, LR_EUNSUP, "constant '%s' holds no floats",
                          b->g->values[v].name);
    const struct lr_dn_desc *d = lr_dn_plain(b->net->dn, x->n_dims, x->dims);
    if (!d)
        return no_layout(b, v);
    enum lr_status s = lr_eng_pack(b, v, 1.0F, d, d, &x->native);
    if (s)
        return s;
    x->plain = x->native;
    x->native_desc = d;
    return LR_OK;
}

static enum lr_status root_of(struct lr_eng_build *b, int v, struct lr_eng_val **root)
{
    int r = b->vals[v].root;
    *root = &b->vals[r];
    if (lr_eng_is_const(b, r))
        return load_const(b, r);
    if (!(*root)->native_desc)
        return lr_err_set(b->e, LR_EUNSUP, "value '%s' is read before it is computed",
                          b->g->values[v].name);
    return LR_OK;
}

static bool same_dims(const struct lr_eng_val *a, const struct lr_eng_val *c)
{
    return a->n_dims == c->n_dims &&
           memcmp(a->dims, c->dims, (size_t)a->n_dims * sizeof a->dims[0]) == 0;
}

/* A reorder step into a new buffer. */
static enum lr_status convert(struct lr_eng_build *b, const struct lr_dn_desc *from,
                              int from_buf, const struct lr_dn_desc *to, int *to_buf)
{
    struct lr_dn_prim *p = NULL;
    enum lr_status s = lr_dn_make_reorder(&p, b->net->dn, from, to, b->e);
    if (s)
        return s;
    *to_buf = lr_eng_result(b, to);
    return lr_eng_add_unary(b, p, from_buf, from, *to_buf, to);
}

enum lr_status lr_eng_plain(struct lr_eng_build *b, int v, const struct lr_dn_desc **d,
                            int *buf)
{
    struct lr_eng_val *root, *x = &b->vals[v];
    enum lr_status s = root_of(b, v, &root);
    if (s)
        return s;
    *d = lr_dn_plain(b->net->dn, x->n_dims, x->dims);
    const struct lr_dn_desc *rd = lr_dn_plain(b->net->dn, root->n_dims, root->dims);
    if (!*d || !rd)
        return no_layout(b, v);
    if (root->plain < 0) {
        s = convert(b, root->native_desc, root->native, rd, &root->plain);
        if (s)
            return s;
    }
    *buf = root->plain;
    return LR_OK;
}

enum lr_status lr_eng_native(struct lr_eng_build *b, int v, const struct lr_dn_desc **d,
                             int *buf)
{
    struct lr_eng_val *root;
    enum lr_status s = root_of(b, v, &root);
    if (s)
        return s;
    if (!same_dims(root, &b->vals[v]))
        return lr_eng_plain(b, v, d, buf);
    *d = root->native_desc;
    *buf = root->native;
    return LR_OK;
}

enum lr_status lr_eng_in_layout(struct lr_eng_build *b, int v, const struct lr_dn_desc *d,
                                int *buf)
{
    const struct lr_dn_desc *have;
    if (!d)
        return no_layout(b, v);
    enum lr_status s = lr_eng_native(b, v, &have, buf);
    if (s || lr_dn_equal(have, d))
        return s;
    if (lr_dn_is_plain(d))
        return lr_eng_plain(b, v, &have, buf);
    return convert(b, have, *buf, d, buf);
}

int lr_eng_result(struct lr_eng_build *b, const struct lr_dn_desc *d)
{
    if (!d) {
        lr_enomem(b->e, 0, "a memory layout");
        return -1;
    }
    return lr_eng_buf_new(b->net, LR_ENG_ARENA, lr_dn_bytes(d), b->e);
}

enum lr_status lr_eng_define(struct lr_eng_build *b, int v, const struct lr_dn_desc *d,
                             int buf)
{
    struct lr_eng_val *x = &b->vals[v];
    if (!d)
        return no_layout(b, v);
    x->native_desc = d;
    x->native = buf;
    x->plain = lr_dn_is_plain(d) ? buf : -1;
    return lr_eng_emit(b, v);
}

enum lr_status lr_eng_define_plain(struct lr_eng_build *b, int v, int buf)
{
    const struct lr_eng_val *x = &b->vals[v];
    return lr_eng_define(b, v, lr_dn_plain(b->net->dn, x->n_dims, x->dims), buf);
}

static enum lr_status emit_one(struct lr_eng_build *b, int i)
{
    const struct lr_net_output *r = &b->requests[i];
    const int v = r->value;
    const struct lr_eng_val *x = &b->vals[v];
    const struct lr_dn_desc *d = NULL;
    int buf = -1;
    enum lr_status s;
    if (x->is_int) {
        s = lr_eng_plain(b, v, &d, &buf);
        if (!s && (!b->opts->is_typed || b->net->bufs[buf].kind != LR_ENG_ARENA))
            s = lr_eng_copy_ints(b, v, buf, !b->opts->is_typed, &buf);
    } else if (r->layout == LR_NCHW) {
        s = lr_eng_plain(b, v, &d, &buf);
    } else {
        d = lr_dn_nhwc(b->net->dn, x->dims);
        s = lr_eng_in_layout(b, v, d, &buf);
    }
    if (s)
        return s;
    if (b->net->tap)
        return lr_eng_add_tap(b, i, buf);
    /* the caller's array and weights are not ours to show as a result */
    if (!x->is_int && b->net->bufs[buf].kind != LR_ENG_ARENA) {
        s = convert(b, d, buf, d, &buf);
        if (s)
            return s;
    }
    b->net->bufs[buf].is_pinned = true;
    b->net->outputs[i].buf = buf;
    return LR_OK;
}

enum lr_status lr_eng_emit(struct lr_eng_build *b, int v)
{
    for (int i = 0; i < b->n_requests; i++) {
        if (b->requests[i].value != v)
            continue;
        enum lr_status s = emit_one(b, i);
        if (s)
            return s;
        b->vals[b->vals[v].root].uses--;
    }
    return LR_OK;
}

bool lr_eng_is_dead(const struct lr_eng_build *b, int v, int buf)
{
    const struct lr_eng_buf *u = &b->net->bufs[buf];
    return b->vals[b->vals[v].root].uses == 0 && u->kind == LR_ENG_ARENA && !u->is_pinned;
}
