/* Pad: the plain kernel does it; here its widths are held against the shapes. The batch
 * is never padded: its images are independent. */
#include "net.h"

enum lr_status lr_eng_build_pad(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]], *y = &b->vals[n->out[0]];
    int64_t w[2 * LR_MAX_DIMS];
    float value;
    enum lr_status s = lr_node_pad(w, 2 * LR_MAX_DIMS, &value, b->g, n, b->e);
    if (s)
        return s;
    if (y->n_dims != x->n_dims || x->n_dims < 1)
        return lr_err_set(b->e, LR_ESHAPE, "%d dimensions become %d", x->n_dims,
                          y->n_dims);
    for (int i = 0; i < x->n_dims; i++) {
        int64_t end = w[i + x->n_dims];
        if (w[i] < -x->dims[i] || w[i] > y->dims[i] || end < -x->dims[i] ||
            end > y->dims[i] || x->dims[i] + w[i] + end != y->dims[i])
            return lr_err_set(b->e, LR_ESHAPE,
                              "dimension %d: widths and shapes contradict", i);
    }
    if (x->is_batched && (w[0] != 0 || w[x->n_dims] != 0))
        return lr_err_set(b->e, LR_EUNSUP, "it would lengthen the batch");
    return lr_eng_build_plain(b, n);
}
