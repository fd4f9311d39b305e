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
    enum lr_dtype t;
};

/* Where operand i's number of term t lies, counted from where its row starts. */
static int64_t offset_of(const struct einsum *p, int i, int64_t t)
{
    int64_t at = 0;

    for (int l = p->n_labels - 1; l >= p->n_out; l--) {
        at += t % p->size[l] * p->step[i][l];
        t /= p->size[l];
    }
    return at;
}

static float sum_floats(const struct einsum *p, void *const *bufs, const int64_t *base)
{
    double sum = 0;

    for (int64_t t = 0; t < p->terms; t++) {
        double term = 1;
        for (int i = 0; i < p->n; i++)
            term *= (double)((const float *)bufs[i])[base[i] + offset_of(p, i, t)];
        sum += term;
    }
    return (float)sum;
}

static int64_t sum_ints(const struct einsum *p, void *const *bufs, const int64_t *base)
{
    uint64_t sum = 0;

    for (int64_t t = 0; t < p->terms; t++) {
        uint64_t term = 1;
        for (int i = 0; i < p->n; i++)
            term *= (uint64_t)((const int64_t *)bufs[i])[base[i] + offset_of(p, i, t)];
        sum += term;
    }
    return lr_kernel_wrap(p->t, (int64_t)sum);
}

static void run(const void *arg, void *const *bufs)
{
    const struct einsum *p = arg;
    const bool is_float = lr_kernel_is_float(p->t);

#pragma omp parallel for schedule(static) if (p->rows * p->terms > 16384)
    for (int64_t r = 0; r < p->rows; r++) {
        int64_t base[LR_EINSUM_MAX] = {0}, rest = r;
        for (int l = p->n_out - 1; l >= 0; l--) {
            for (int i = 0; i < p->n; i++)
                base[i] += rest % p->size[l] * p->step[i][l];
            rest /= p->size[l];
        }
        if (is_float)
            ((float *)bufs[p->n])[r] = sum_floats(p, bufs, base);
        else
            ((int64_t *)bufs[p->n])[r] = sum_ints(p, bufs, base);
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
                                enum lr_dtype t, struct lr_err *e)
{
    struct einsum p = {.n = n, .rows = 1, .terms = 1, .t = t};
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
