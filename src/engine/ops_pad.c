/* Pad: constant, reflected or repeated edges. Widths come from an attribute before opset
 * 11, from a constant input since. */
#include "net.h"

#include <string.h>

#include "plain.h"
#include "ranklab/mem.h"

static bool is_integer(enum lr_dtype t)
{
    return t == LR_DT_I64 || t == LR_DT_I32;
}

/* begin and end widths of nd dimensions. */
static enum lr_status widths(struct lr_eng_build *b, const struct lr_node *n, int nd,
                             int64_t *w)
{
    size_t given = lr_node_ints(n, "pads", w, 2 * LR_MAX_DIMS);
    if (n->n_in > 1 && n->in[1] >= 0) {
        const struct lr_tensor *t = b->g->values[n->in[1]].tensor;
        int64_t count = 0;
        if (!t || !is_integer(t->dtype))
            return lr_err_set(b->e, LR_EUNSUP, "the widths must be constant integers");
        enum lr_status s = lr_shape_count(&count, &t->shape, b->e);
        if (s)
            return s;
        given = (size_t)count;
        for (int64_t i = 0; i < count && i < 2 * LR_MAX_DIMS; i++)
            w[i] = lr_tensor_int_at(t, i);
    }
    if (given != (size_t)(2 * nd))
        return lr_err_set(b->e, LR_ESHAPE, "%zu widths for %d dimensions", given, nd);
    return LR_OK;
}

static enum lr_status fill_value(struct lr_eng_build *b, const struct lr_node *n,
                                 float *value)
{
    *value = lr_node_float(n, "value", 0.0F);
    if (n->n_in < 3 || n->in[2] < 0)
        return LR_OK;
    struct lr_tensor *t = NULL;
    int64_t count = 0;
    enum lr_status s = lr_eng_tensor(b, n->in[2], &t);
    if (!s)
        s = lr_shape_count(&count, &t->shape, b->e);
    if (!s && count != 1)
        s = lr_err_set(b->e, LR_ESHAPE, "%lld fill values", (long long)count);
    if (!s)
        *value = *(const float *)t->data;
    lr_tensor_free(t);
    return s;
}

enum lr_status lr_eng_build_pad(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]], *y = &b->vals[n->out[0]];
    const char *mode = lr_node_string(n, "mode", "constant");
    int64_t w[2 * LR_MAX_DIMS];
    struct lr_plain_pad p = {.n = x->n_dims}, *arg;
    const struct lr_dn_desc *d;
    int src, dst;
    if (n->n_in > 3 && n->in[3] >= 0)
        return lr_err_set(b->e, LR_EUNSUP, "widths for chosen axes do not run here");
    enum lr_status s = widths(b, n, x->n_dims, w);
    if (!s)
        s = fill_value(b, n, &p.value);
    if (s)
        return s;
    if (strcmp(mode, "constant") == 0)
        p.mode = LR_PLAIN_CONSTANT;
    else if (strcmp(mode, "reflect") == 0)
        p.mode = LR_PLAIN_REFLECT;
    else if (strcmp(mode, "edge") == 0)
        p.mode = LR_PLAIN_EDGE;
    else
        return lr_err_set(b->e, LR_EUNSUP, "mode '%s': constant, reflect or edge", mode);
    if (y->n_dims != x->n_dims || x->n_dims < 1)
        return lr_err_set(b->e, LR_ESHAPE, "%d dimensions become %d", x->n_dims,
                          y->n_dims);
    for (int i = 0; i < x->n_dims; i++) {
        int64_t end = w[i + x->n_dims];
        p.in[i] = x->dims[i];
        p.out[i] = y->dims[i];
        p.lo[i] = w[i];
        if (w[i] < -x->dims[i] || w[i] > y->dims[i] || end < -x->dims[i] ||
            end > y->dims[i] || x->dims[i] + w[i] + end != y->dims[i])
            return lr_err_set(b->e, LR_ESHAPE,
                              "dimension %d: widths and shapes contradict", i);
    }
    if (x->is_batched && (w[0] != 0 || w[x->n_dims] != 0))
        return lr_err_set(b->e, LR_EUNSUP, "it would lengthen the batch");
    s = lr_eng_plain(b, n->in[0], &d, &src);
    if (s)
        return s;
    dst = lr_eng_result(b, lr_dn_plain(b->net->dn, y->n_dims, y->dims));
    if (dst < 0)
        return LR_ENOMEM;
    arg = lr_alloc(1, sizeof *arg);
    if (!arg)
        return lr_enomem(b->e, sizeof *arg, "a kernel");
    *arg = p;
    s = lr_eng_add_kernel(b, lr_plain_pad, arg, 2, (int[]){src, dst});
    return s ? s : lr_eng_define_plain(b, n->out[0], dst);
}
