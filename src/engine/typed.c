/* Integers and booleans, which live row-major as int64, and nodes that are run by the
 * model's own plain kernels. */
#include "net.h"

#include "kernel/kernel.h"
#include "model/eval.h"
#include "ranklab/mem.h"

static size_t value_bytes(const struct lr_eng_val *x)
{
    return x->count * (x->is_int ? sizeof(int64_t) : sizeof(float));
}

enum lr_status lr_eng_load_ints(struct lr_eng_build *b, int v, int *buf)
{
    const struct lr_eng_val *x = &b->vals[v];
    int64_t *data = lr_alloc(x->count, sizeof *data);
    *buf = data ? lr_eng_buf_new(b->net, LR_ENG_CONST, value_bytes(x), b->e) : -1;
    if (*buf < 0) {
        lr_free(data);
        return lr_enomem(b->e, value_bytes(x), "a constant");
    }
    lr_kernel_load(data, b->g->values[v].tensor, (int64_t)x->count);
    b->net->bufs[*buf].data = data;
    return LR_OK;
}

/* One cast between buffers. */
static enum lr_status cast(struct lr_eng_build *b, enum lr_dtype from, enum lr_dtype to,
                           size_t count, int src, int *dst)
{
    struct lr_kernel k = {0};
    size_t size = lr_kernel_is_float(to) ? sizeof(float) : sizeof(int64_t);
    int in = src;
    enum lr_status s = lr_kernel_cast(&k, from, to, (int64_t)count, b->e);
    if (s)
        return s;
    *dst = lr_eng_buf_new(b->net, LR_ENG_ARENA, count * size, b->e);
    if (*dst < 0) {
        lr_free(k.arg);
        return LR_ENOMEM;
    }
    return lr_eng_add_kernel(b, k.run, k.arg, 2, (int[]){in, *dst});
}

enum lr_status lr_eng_copy_ints(struct lr_eng_build *b, int v, int from, bool is_to_float,
                                int *buf)
{
    return cast(b, LR_DT_I64, is_to_float ? LR_DT_F32 : LR_DT_I64, b->vals[v].count, from,
                buf);
}

enum lr_status lr_eng_floats_to_ints(struct lr_eng_build *b, int v, int from, int *buf)
{
    return cast(b, LR_DT_F32, b->g->values[v].dtype, b->vals[v].count, from, buf);
}

bool lr_eng_is_alias_node(const struct lr_eng_build *b, const struct lr_node *n)
{
    if (!lr_eng_is_alias(n->op) || n->n_in < 1 || n->in[0] < 0 || n->n_out < 1 ||
        n->out[0] < 0)
        return false;
    if (n->op == LR_OP_CAST)
        return !b->vals[n->in[0]].is_int && !b->vals[n->out[0]].is_int;
    if (n->op == LR_OP_DROPOUT && n->n_out > 1 && n->out[1] >= 0)
        return !b->vals[n->out[1]].is_needed;
    return true;
}

enum lr_status lr_eng_build_plain(struct lr_eng_build *b, const struct lr_node *n)
{
    struct lr_eval x = {0};
    int *bufs = NULL;
    const struct lr_dn_desc *d;
    enum lr_status s = lr_eval_make(&x, b->g, n, b->net->batch, b->e);
    if (s)
        return s;
    bufs = lr_calloc((size_t)(x.n_in + x.n_out), sizeof *bufs);
    if (!bufs)
        s = lr_enomem(b->e, sizeof *bufs, "a kernel");
    for (int i = 0; !s && i < x.n_in; i++)
        s = lr_eng_plain(b, x.in[i], &d, &bufs[i]);
    for (int i = 0; !s && i < x.n_out; i++) {
        const struct lr_eng_val *y = &b->vals[x.out[i]];
        size_t bytes = value_bytes(y);
        if (!bytes) {
            /* made all the same, but read by nobody: its shape was not taken down */
            const struct lr_value *v = &b->g->values[x.out[i]];
            bytes = sizeof(int64_t);
            for (int k = 0; k < v->shape.n_dims; k++)
                bytes *=
                    (size_t)(v->shape.dims[k] < 0 ? b->net->batch : v->shape.dims[k]);
        }
        bufs[x.n_in + i] = lr_eng_buf_new(b->net, LR_ENG_ARENA, bytes, b->e);
        if (bufs[x.n_in + i] < 0)
            s = LR_ENOMEM;
    }
    if (!s) {
        s = lr_eng_add_kernel(b, x.kernel.run, x.kernel.arg, x.n_in + x.n_out, bufs);
        x.kernel.arg = NULL;
    }
    for (int i = 0; !s && i < x.n_out; i++)
        if (b->vals[x.out[i]].count > 0)
            s = lr_eng_define_plain(b, x.out[i], bufs[x.n_in + i]);
    lr_free(bufs);
    lr_eval_clear(&x);
    return s;
}
