/* A low-rank solution turned into convolutions: y = M (W x + b0) + b with M = P Q^T
 * becomes a k x k convolution with the filters Q^T W and bias Q^T b0, then a 1 x 1
 * convolution with P and b. The first takes over stride, padding and dilation; nothing
 * stands between them. */
#include <math.h>
#include <stdint.h>

#include "ranklab/approx.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/tensor.h"

struct lr_factors *lr_factors_ref(struct lr_factors *f)
{
    if (f)
        f->refs++;
    return f;
}

void lr_factors_unref(struct lr_factors *f)
{
    if (!f || --f->refs > 0)
        return;
    lr_free(f->weights);
    lr_free(f->note);
    lr_free(f);
}

/* first [rank x n_inputs] = Q^T W, first_bias [rank] = Q^T b0 (skipped without bias). */
static enum lr_status first_part(float *first, float *first_bias, const float *w,
                                 const float *bias, const struct lr_lowrank *m,
                                 size_t n_inputs, struct lr_err *e)
{
    size_t d = (size_t)m->d, rank = (size_t)m->rank;
    double *wide = lr_alloc((d + rank) * n_inputs, sizeof(double));
    double *product = wide ? wide + d * n_inputs : NULL;
    enum lr_status st;

    if (!wide)
        return lr_enomem(e, (d + rank) * n_inputs * sizeof(double), "the new filters");
    for (size_t i = 0; i < d * n_inputs; i++)
        wide[i] = (double)w[i];
    st = lr_la_gemm(true, false, rank, n_inputs, d, 1, m->q, rank, wide, n_inputs, 0,
                    product, n_inputs, e);
    for (size_t i = 0; st == LR_OK && i < rank * n_inputs; i++)
        first[i] = (float)product[i];
    lr_free(wide);
    for (size_t a = 0; bias && a < rank; a++) {
        double sum = 0;
        for (size_t i = 0; i < d; i++)
            sum += m->q[i * rank + a] * (double)bias[i];
        first_bias[a] = (float)sum;
    }
    return st;
}

static enum lr_status check(const struct lr_layer *l, const float *w,
                            const struct lr_lowrank *m, struct lr_err *e)
{
    if (!l || !w || !m || !m->p || !m->q || !m->b)
        return lr_err_set(e, LR_EINVAL, "no solution to build a split from");
    if (l->group != 1)
        return lr_err_set(e, LR_EUNSUP,
                          "%d groups: only convolutions without groups split", l->group);
    if (l->c < 1 || l->d < 1 || l->kh < 1 || l->kw < 1 || m->d != l->d || m->rank < 1 ||
        m->rank > l->d)
        return lr_err_set(e, LR_EINVAL, "a solution of %d x %d does not fit %d filters",
                          m->d, m->rank, l->d);
    return LR_OK;
}

enum lr_status lr_factors_build(struct lr_factors **out, const struct lr_layer *l,
                                const float *w, const float *bias,
                                const struct lr_lowrank *m, enum lr_method method,
                                struct lr_err *e)
{
    struct lr_factors *f = NULL;
    enum lr_status st = check(l, w, m, e);

    *out = NULL;
    if (st != LR_OK)
        return st;
    size_t d = (size_t)l->d, rank = (size_t)m->rank, n_inputs, n_first;
    if (__builtin_mul_overflow((size_t)l->c, (size_t)l->kh * (size_t)l->kw, &n_inputs) ||
        __builtin_mul_overflow(d + rank, n_inputs, &n_first))
        return lr_err_set(e, LR_EINVAL, "%d filters of %d x %d x %d are too large", l->d,
                          l->c, l->kh, l->kw);
    n_first = rank * n_inputs;
    size_t n_all = n_first + rank + d * rank + d;
    f = lr_calloc(1, sizeof(*f));
    if (!f)
        return lr_enomem(e, sizeof(*f), "a split");
    f->refs = 1;
    f->weights = lr_alloc(n_all, sizeof(float));
    if (!f->weights) {
        st = lr_enomem(e, n_all * sizeof(float), "the new filters");
        goto out;
    }
    float *w1 = f->weights, *b1 = w1 + n_first, *w2 = b1 + rank, *b2 = w2 + d * rank;
    for (size_t a = 0; a < rank; a++)
        b1[a] = 0;
    st = first_part(w1, b1, w, bias, m, n_inputs, e);
    if (st != LR_OK)
        goto out;
    for (size_t i = 0; i < d * rank; i++)
        w2[i] = (float)m->p[i];
    for (size_t i = 0; i < d; i++)
        b2[i] = (float)m->b[i];
    if (!lr_all_finite(f->weights, n_all)) {
        st = lr_err_set(e, LR_ENUMERIC, "the split at rank %d is not finite", m->rank);
        goto out;
    }
    f->method = method;
    f->rank = m->rank;
    f->n_parts = 2;
    f->parts[0] = (struct lr_conv_part){.cout = m->rank,
                                        .cin = l->c,
                                        .kh = l->kh,
                                        .kw = l->kw,
                                        .stride_h = l->stride_h,
                                        .stride_w = l->stride_w,
                                        .dil_h = l->dil_h,
                                        .dil_w = l->dil_w,
                                        .pad_top = l->pad_top,
                                        .pad_left = l->pad_left,
                                        .pad_bottom = l->pad_bottom,
                                        .pad_right = l->pad_right,
                                        .w = w1,
                                        .b = bias ? b1 : NULL};
    f->parts[1] = (struct lr_conv_part){.cout = l->d,
                                        .cin = m->rank,
                                        .kh = 1,
                                        .kw = 1,
                                        .stride_h = 1,
                                        .stride_w = 1,
                                        .dil_h = 1,
                                        .dil_w = 1,
                                        .w = w2,
                                        .b = b2};
    f->error_linear = f->error_calib = f->error_heldout = f->error_pre = NAN;
    f->error_own = f->error_inherited = f->error_refit = NAN;
    f->n_iterations = m->n_iterations;
    f->best_iteration = m->best_iteration;
    *out = f;
out:
    if (st != LR_OK)
        lr_factors_unref(f);
    return st;
}
