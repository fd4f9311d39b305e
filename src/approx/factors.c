/* A solution turned into convolutions. Channel split: y = M (W x + b0) + b with M = P Q^T
 * becomes a k x k convolution with the filters Q^T W and bias Q^T b0, then a 1 x 1
 * convolution with P and b. After a spatial split the same happens to its 1 x k part,
 * unless the two convolutions that come of it cost more than their product. Groups are
 * blocks of all matrices. Products are taken in double and rounded once. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "approx/solver.h"
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

bool lr_split_is_merged(int d, int kw, int group, struct lr_ranks r)
{
    int64_t inputs = group > 0 ? (int64_t)kw * (r.spatial / group) : 0;

    if (inputs < 1)
        return false;
    /* In double, since sizes come from files: exact for any layer that fits memory. */
    return ((double)inputs + d / group) * r.channel >= (double)inputs * d;
}

/* What is built: the layer, its filters, what was solved, and sizes of one group. */
struct build {
    const struct lr_layer *l;
    const struct lr_lowrank *m;
    const struct lr_spatial *sp;
    const float *bias;
    size_t groups, d, width; /* width: filters of one group */
    size_t rank, each;       /* d' and its share of one group; 0 without m */
};

/* out [rank x n] = Q^T x, block by block; x is [d x n]. */
static enum lr_status project(double *out, const struct build *b, const float *x,
                              size_t n, struct lr_err *e)
{
    double *wide = lr_alloc(b->d * n, sizeof(double));
    enum lr_status st = LR_OK;

    if (!wide)
        return lr_enomem(e, b->d * n * sizeof(double), "the new filters");
    for (size_t i = 0; i < b->d * n; i++)
        wide[i] = (double)x[i];
    for (size_t j = 0; j < b->groups && st == LR_OK; j++)
        st = lr_la_gemm(true, false, b->each, n, b->width, 1,
                        b->m->q + j * b->width * b->rank + j * b->each, b->rank,
                        wide + j * b->width * n, n, 0, out + j * b->each * n, n, e);
    lr_free(wide);
    return st;
}

/* out [rank x n] = Q^T x, or with is_whole out [d x n] = M x + add (add [d], for n = 1,
 * or NULL). */
static enum lr_status apply(float *out, const struct build *b, const float *x, size_t n,
                            bool is_whole, const double *add, struct lr_err *e)
{
    size_t n_out = (is_whole ? b->d : b->rank) * n;
    double *h = lr_alloc((b->rank + b->d) * n, sizeof(double));
    double *y = h ? h + b->rank * n : NULL;
    enum lr_status st;

    if (!h)
        return lr_enomem(e, (b->rank + b->d) * n * sizeof(double), "the new filters");
    st = project(h, b, x, n, e);
    for (size_t j = 0; is_whole && j < b->groups && st == LR_OK; j++)
        st = lr_la_gemm(false, false, b->width, n, b->each, 1,
                        b->m->p + j * b->width * b->rank + j * b->each, b->rank,
                        h + j * b->each * n, n, 0, y + j * b->width * n, n, e);
    for (size_t i = 0; st == LR_OK && i < n_out; i++)
        out[i] = (float)((is_whole ? y[i] : h[i]) + (add ? add[i] : 0));
    lr_free(h);
    return st;
}

/* p narrowed to m's rank, with room for the weights and biases at *at. */
static struct lr_conv_part narrowed(const struct build *b, struct lr_conv_part p,
                                    float **at)
{
    p.cout = (int)b->rank;
    p.w = *at;
    *at += b->rank * (size_t)(p.cin / p.group * p.kh * p.kw);
    p.b = b->bias ? *at : NULL;
    *at += b->bias ? b->rank : 0;
    return p;
}

/* The 1 x 1 convolution with P and b. */
static struct lr_conv_part widening(const struct build *b, float *at)
{
    float *w = at, *bias = at + b->d * b->each;

    for (size_t i = 0; i < b->d; i++) {
        size_t first = i / b->width * b->each;
        for (size_t a = 0; a < b->each; a++)
            w[i * b->each + a] = (float)b->m->p[i * b->rank + first + a];
        bias[i] = (float)b->m->b[i];
    }
    return (struct lr_conv_part){.cout = (int)b->d,
                                 .cin = (int)b->rank,
                                 .kh = 1,
                                 .kw = 1,
                                 .group = (int)b->groups,
                                 .stride_h = 1,
                                 .stride_w = 1,
                                 .dil_h = 1,
                                 .dil_w = 1,
                                 .w = w,
                                 .b = bias};
}

/* whole, a convolution to d channels, becomes parts of f from number n_parts on: with P
 * Q^T two of them, or itself with M applied. */
static enum lr_status add_parts(struct lr_factors *f, const struct build *b,
                                const struct lr_conv_part *whole, bool is_merged,
                                float *at, struct lr_err *e)
{
    size_t n_in = (size_t)(whole->cin / whole->group * whole->kh * whole->kw);
    struct lr_conv_part *part = &f->parts[f->n_parts++];
    enum lr_status st = LR_OK;

    *part = *whole;
    if (b->m && !is_merged) {
        float *w = at;
        *part = narrowed(b, *whole, &at);
        st = apply(w, b, whole->w, n_in, false, NULL, e);
        if (st == LR_OK && b->bias)
            st = apply(w + b->rank * n_in, b, b->bias, 1, false, NULL, e);
        f->parts[f->n_parts++] = widening(b, at);
        return st;
    }
    float *bias = at + b->d * n_in;
    part->w = at;
    part->b = bias;
    if (!b->m) {
        memcpy(at, whole->w, b->d * n_in * sizeof(float));
        for (size_t i = 0; i < b->d; i++)
            bias[i] = b->bias ? b->bias[i] : 0;
        return LR_OK;
    }
    st = apply(at, b, whole->w, n_in, true, NULL, e);
    if (st == LR_OK && b->bias)
        return apply(bias, b, b->bias, 1, true, b->m->b, e);
    for (size_t i = 0; i < b->d; i++)
        bias[i] = (float)b->m->b[i];
    return st;
}

/* P and Q are zero outside the groups' blocks. */
static bool is_blockwise(const struct build *b)
{
    for (size_t i = 0; b->groups > 1 && i < b->d; i++)
        for (size_t a = 0; a < b->rank; a++)
            if (a / b->each != i / b->width && (fabs(b->m->p[i * b->rank + a]) > 0 ||
                                                fabs(b->m->q[i * b->rank + a]) > 0))
                return false;
    return true;
}

static enum lr_status check(struct build *b, const float *w, enum lr_method method,
                            struct lr_err *e)
{
    const struct lr_method_info *info = lr_method_info(method);
    const struct lr_layer *l = b->l;
    const struct lr_lowrank *m = b->m;
    enum lr_status st = lr_layer_check(l, e);

    if (st != LR_OK)
        return st;
    if (!w || (m && (!m->p || !m->q || !m->b)) || (b->sp && (!b->sp->v || !b->sp->h)))
        return lr_err_set(e, LR_EINVAL, "no solution to build a split from");
    if (!info || info->split == LR_SPLIT_NONE || (info->solve != NULL) != (m != NULL) ||
        (info->split != LR_SPLIT_CHANNEL) != (b->sp != NULL))
        return lr_err_set(e, LR_EINVAL, "%s: not a solution of this method",
                          info ? info->name : "method");
    if (m && (m->d != l->d || m->rank < 1 || m->rank > l->d))
        return lr_err_set(e, LR_EINVAL, "a solution of %d x %d does not fit %d filters",
                          m->d, m->rank, l->d);
    if (b->sp && (b->sp->rank < 1 || b->sp->rank > lr_spatial_full(l)))
        return lr_err_set(e, LR_EINVAL, "spatial rank %d is outside 1..%d", b->sp->rank,
                          lr_spatial_full(l));
    if ((m && m->rank % l->group != 0) || (b->sp && b->sp->rank % l->group != 0))
        return lr_err_set(e, LR_EINVAL, "rank %d is no multiple of the %d groups",
                          m && m->rank % l->group != 0 ? m->rank : b->sp->rank, l->group);
    b->groups = (size_t)l->group;
    b->d = (size_t)l->d;
    b->width = b->d / b->groups;
    b->rank = m ? (size_t)m->rank : 0;
    b->each = b->rank / b->groups;
    if (m && !is_blockwise(b))
        return lr_err_set(e, LR_EINVAL,
                          "the solution joins channels of different groups");
    return LR_OK;
}

enum lr_status lr_factors_build(struct lr_factors **out, const struct lr_layer *l,
                                const float *w, const float *bias,
                                const struct lr_lowrank *m, const struct lr_spatial *sp,
                                enum lr_method method, struct lr_err *e)
{
    struct build b = {.l = l, .m = m, .sp = sp, .bias = bias};
    struct lr_factors *f = NULL;
    enum lr_status st = check(&b, w, method, e);

    *out = NULL;
    if (st != LR_OK)
        return st;
    struct lr_conv_part two[2], whole = lr_layer_part(l, w, bias);
    size_t n_first = 0;
    if (sp) {
        lr_spatial_parts(two, l, sp, bias);
        whole = two[1];
        n_first = (size_t)sp->rank * (size_t)(l->c / l->group) * (size_t)l->kh;
    }
    bool is_both = lr_method_info(method)->split == LR_SPLIT_BOTH;
    struct lr_ranks ranks = {m ? m->rank : l->d, sp ? sp->rank : 0};
    bool is_merged = sp && (!is_both || lr_split_is_merged(l->d, l->kw, l->group, ranks));
    size_t n_in = (size_t)(whole.cin / l->group) * (size_t)(whole.kh * whole.kw);
    size_t n_rest =
        b.m && !is_merged ? b.rank * (n_in + 1) + b.d * (b.each + 1) : b.d * (n_in + 1);
    f = lr_calloc(1, sizeof(*f));
    if (!f)
        return lr_enomem(e, sizeof(*f), "a split");
    f->refs = 1;
    f->weights = lr_calloc(n_first + n_rest, sizeof(float));
    if (!f->weights) {
        st = lr_enomem(e, (n_first + n_rest) * sizeof(float), "the new filters");
        goto out;
    }
    if (sp) {
        memcpy(f->weights, sp->v, n_first * sizeof(float));
        two[0].w = f->weights;
        f->parts[f->n_parts++] = two[0];
    }
    st = add_parts(f, &b, &whole, is_merged, f->weights + n_first, e);
    if (st != LR_OK)
        goto out;
    if (!lr_all_finite(f->weights, n_first + n_rest)) {
        st = lr_err_set(e, LR_ENUMERIC, "the split at rank %d is not finite",
                        m ? m->rank : sp->rank);
        goto out;
    }
    f->method = method;
    f->rank = ranks.channel;
    f->rank_spatial = ranks.spatial;
    f->is_merged = is_both && is_merged;
    f->error_linear = f->error_calib = f->error_heldout = f->error_pre = NAN;
    f->error_own = f->error_inherited = f->error_refit = NAN;
    f->n_iterations = m ? m->n_iterations : 0;
    f->best_iteration = m ? m->best_iteration : 0;
    *out = f;
out:
    if (st != LR_OK)
        lr_factors_unref(f);
    return st;
}
