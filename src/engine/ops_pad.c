/* Pad: a constant, the data reflected at the edge, or the edge repeated. Negative widths
 * cut off. The batch is never padded: its images are independent. */
#include "net.h"

#include <string.h>

#include "plain.h"
#include "ranklab/mem.h"

enum lr_status lr_eng_build_pad(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]], *y = &b->vals[n->out[0]];
    const char *mode = lr_node_string(n, "mode", "constant");
    int64_t w[2 * LR_MAX_DIMS];
    struct lr_plain_pad p = {.n = x->n_dims}, *arg;
    const struct lr_dn_desc *d;
    int src, dst;
    enum lr_status s = lr_node_pad(w, 2 * LR_MAX_DIMS, &p.value, b->g, n, b->e);
    if (s)
        return s;
    p.mode = strcmp(mode, "reflect") == 0 ? LR_PLAIN_REFLECT
             : strcmp(mode, "edge") == 0  ? LR_PLAIN_EDGE
                                          : LR_PLAIN_CONSTANT;
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
