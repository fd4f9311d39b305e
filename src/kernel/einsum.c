/* Einstein sums by one loop over every combination of labels: small operands only are met
 * in networks of convolutions. */
#include <string.h>

#include "kernel/kernel.h"

enum { MAX_LABELS = 2 * LR_MAX_DIMS };

struct einsum {
    int n, n_labels, n_out; /* the first n_out labels are the result's, in order */
    int64_t size[MAX_LABELS];
    int64_t step[LR_EINSUM_MAX][MAX_LABELS];
    int64_t rows, terms;
};

static void run(const void *arg, void *const *bufs)
{
    const struct einsum *p = arg;
    float *out = bufs[p->n];

#pragma omp parallel for schedule(static) if (p->rows * p->terms > 16384)
    for (int64_t r = 0; r < p->rows; r++) {
        int64_t base[LR_EINSUM_MAX] = {0}, rest = r;
        double sum = 0;
        for (int l = p->n_out - 1; l >= 0; l--) {
            for (int i = 0; i < p->n; i++)
                base[i] += rest % p->size[l] * p->step[i][l];
            rest /= p->size[l];
        }
        for (int64_t t = 0; t < p->terms; t++) {
            double term = 1;
            for (int i = 0; i < p->n; i++) {
                int64_t at = base[i], s = t;
                for (int l = p->n_labels - 1; l >= p->n_out; l--) {
                    at += s % p->size[l] * p->step[i][l];
                    s /= p->size[l];
                }
                term *= (double)((const float *)bufs[i])[at];
            }
            sum += term;
        }
        out[r] = (float)sum;
    }
}

static int label_of(char *seen, struct einsum *p, char c)
{
    const char *at = c ? strchr(seen, c) : NULL;

    if (at)
        return (int)(at - seen);
    if (!c || p->n_labels == MAX_LABELS)
        return -1;
    seen[p->n_labels] = c;
    p->size[p->n_labels] = 1;
    return p->n_labels++;
}

enum lr_status lr_kernel_einsum(struct lr_kernel *k, int n,
                                const struct lr_shape *const *in,
                                const char *const *labels, const char *out,
                                struct lr_err *e)
{
    struct einsum p = {.n = n, .rows = 1, .terms = 1};
    char seen[MAX_LABELS + 1] = "";

    if (n < 1 || n > LR_EINSUM_MAX)
        return lr_err_set(e, LR_EUNSUP, "an Einstein sum of %d operands", n);
    for (const char *c = out; *c; c++)
        if (label_of(seen, &p, *c) < 0)
            goto too_many;
    p.n_out = p.n_labels;
    for (int i = 0; i < n; i++) {
        int64_t step = 1;
        if (strlen(labels[i]) != (size_t)in[i]->n_dims)
            return lr_err_set(e, LR_ESHAPE, "operand %d has %d dimensions, not %zu",
                              i + 1, in[i]->n_dims, strlen(labels[i]));
        for (int d = in[i]->n_dims - 1; d >= 0; d--) {
            int l = label_of(seen, &p, labels[i][d]);
            if (l < 0)
                goto too_many;
            int64_t size = in[i]->dims[d];
            if (p.size[l] != size && p.size[l] != 1 && size != 1)
                return lr_err_set(e, LR_ESHAPE, "sizes of label %c contradict each other",
                                  labels[i][d]);
            if (size != 1) {
                p.size[l] = size;
                p.step[i][l] += step;
            }
            step *= size;
        }
    }
    int64_t work = 1;
    for (int l = 0; l < p.n_labels; l++)
        if (__builtin_mul_overflow(work, p.size[l], &work) ||
            __builtin_mul_overflow(l < p.n_out ? p.rows : p.terms, p.size[l],
                                   l < p.n_out ? &p.rows : &p.terms))
            return lr_err_set(e, LR_ESHAPE, "the sum is too large");
    return lr_kernel_make(k, run, &p, sizeof(p), e);
too_many:
    return lr_err_set(e, LR_EUNSUP, "more than %d labels", (int)MAX_LABELS);
}
