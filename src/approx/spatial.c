/* The spatial split of a convolution (Jaderberg et al. 2014, scheme 2, in closed form):
 * filters w [d, c/g, kh, kw] as the (c/g kh) x (kw d/g) matrix A[(c, y), (x, o)] =
 * w[o, c, y, x] of each group. Its truncated SVD is the best sum of products of k x 1 and
 * 1 x k filters there is; each takes the root of the singular values. */
#include <math.h>
#include <stdint.h>

#include "approx/solver.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/tensor.h"

void lr_spatial_free(struct lr_spatial *s)
{
    if (!s)
        return;
    lr_free(s->v);
    lr_free(s->h);
    *s = (struct lr_spatial){0};
}

/* One group of filters as a matrix. */
struct shape {
    size_t groups, c, d, kh, kw; /* c and d of one group */
    size_t rows, columns, k;     /* k: the smaller of the two */
};

static struct shape shape_of(const struct lr_layer *l)
{
    struct shape s = {.groups = (size_t)l->group,
                      .c = (size_t)(l->c / l->group),
                      .d = (size_t)(l->d / l->group),
                      .kh = (size_t)l->kh,
                      .kw = (size_t)l->kw};

    s.rows = s.c * s.kh;
    s.columns = s.kw * s.d;
    s.k = s.rows < s.columns ? s.rows : s.columns;
    return s;
}

/* The decomposition of one group at a time. */
struct work {
    double *a, *u, *sv, *vt;
};

static void work_free(struct work *x)
{
    lr_free(x->a);
    lr_free(x->u);
    lr_free(x->sv);
    lr_free(x->vt);
}

static enum lr_status begin(struct work *x, struct shape *s, const struct lr_layer *l,
                            const float *w, struct lr_err *e)
{
    enum lr_status st = lr_layer_check(l, e);

    *x = (struct work){0};
    if (st != LR_OK)
        return st;
    if (l->kh == 1 && l->kw == 1)
        return lr_err_set(e, LR_EUNSUP, "a 1 x 1 kernel has no spatial part");
    *s = shape_of(l);
    size_t n = s->rows * s->columns;
    if (!w)
        return lr_err_set(e, LR_EINVAL, "no filters to decompose");
    if (!lr_all_finite(w, s->groups * n))
        return lr_err_set(e, LR_ENUMERIC, "the filters are not finite");
    x->a = lr_alloc(n, sizeof(double));
    x->u = lr_alloc(s->rows * s->k, sizeof(double));
    x->sv = lr_alloc(s->k, sizeof(double));
    x->vt = lr_alloc(s->k * s->columns, sizeof(double));
    if (x->a && x->u && x->sv && x->vt)
        return LR_OK;
    work_free(x);
    *x = (struct work){0};
    return lr_enomem(e, 3 * n * sizeof(double), "the SVD of the filters");
}

/* The group's filters into x->a. */
static void unfold(struct work *x, const struct shape *s, const float *w, size_t group)
{
    const float *from = w + group * s->rows * s->columns;

    for (size_t o = 0; o < s->d; o++)
        for (size_t i = 0; i < s->rows; i++)
            for (size_t b = 0; b < s->kw; b++)
                x->a[i * s->columns + b * s->d + o] = (double)*from++;
}

int lr_spatial_full(const struct lr_layer *l)
{
    if (l->group < 1 || l->c < l->group || l->d < l->group)
        return 0;
    int64_t rows = (int64_t)(l->c / l->group) * l->kh;
    int64_t columns = (int64_t)(l->d / l->group) * l->kw;
    int64_t full = l->group * (rows < columns ? rows : columns);

    return full > INT32_MAX ? INT32_MAX : (int)full;
}

enum lr_status lr_spatial_split(struct lr_spatial *out, const struct lr_layer *l,
                                const float *w, int rank, struct lr_err *e)
{
    struct work x = {0};
    struct shape s = {0};
    enum lr_status st = begin(&x, &s, l, w, e);

    *out = (struct lr_spatial){0};
    if (st != LR_OK)
        goto out;
    if (rank < 1 || rank > lr_spatial_full(l)) {
        st = lr_err_set(e, LR_EINVAL, "spatial rank %d is outside 1..%d", rank,
                        lr_spatial_full(l));
        goto out;
    }
    if (rank % l->group != 0) {
        st = lr_err_set(e, LR_EINVAL, "spatial rank %d is no multiple of the %d groups",
                        rank, l->group);
        goto out;
    }
    size_t nr = (size_t)rank, each = nr / s.groups;
    out->rank = rank;
    out->v = lr_alloc(nr * s.rows, sizeof(float));
    out->h = lr_alloc(s.groups * s.columns * each, sizeof(float));
    if (!out->v || !out->h) {
        st = lr_enomem(e, nr * (s.rows + s.columns) * sizeof(float), "the new filters");
        goto out;
    }
    int n_threads = lr_serial_begin(s.k);
    for (size_t j = 0; j < s.groups && st == LR_OK; j++) {
        float *v = out->v + j * each * s.rows, *h = out->h + j * s.columns * each;
        unfold(&x, &s, w, j);
        st = lr_la_svd(s.rows, s.columns, x.a, x.u, x.sv, x.vt, e);
        for (size_t a = 0; st == LR_OK && a < each; a++) {
            double root = sqrt(x.sv[a]);
            for (size_t i = 0; i < s.rows; i++)
                v[a * s.rows + i] = (float)(root * x.u[i * s.k + a]);
            for (size_t o = 0; o < s.d; o++)
                for (size_t b = 0; b < s.kw; b++)
                    h[(o * each + a) * s.kw + b] =
                        (float)(root * x.vt[a * s.columns + b * s.d + o]);
        }
    }
    lr_la_set_threads(n_threads);
out:
    work_free(&x);
    if (st != LR_OK)
        lr_spatial_free(out);
    return st;
}

enum lr_status lr_spatial_values(double *sv2, const struct lr_layer *l, const float *w,
                                 struct lr_err *e)
{
    struct work x = {0};
    struct shape s = {0};
    enum lr_status st = begin(&x, &s, l, w, e);

    if (st != LR_OK)
        return st;
    for (size_t i = 0; i < s.groups * s.k; i++)
        sv2[i] = 0;
    int n_threads = lr_serial_begin(s.k);
    for (size_t j = 0; j < s.groups && st == LR_OK; j++) {
        unfold(&x, &s, w, j);
        st = lr_la_singular_values(s.rows, s.columns, x.a, x.sv, e);
        for (size_t a = 0; st == LR_OK && a < s.k; a++)
            sv2[a * s.groups] += x.sv[a] * x.sv[a];
    }
    lr_la_set_threads(n_threads);
    lr_interleave(sv2, s.k, s.groups);
    work_free(&x);
    return st;
}

void lr_spatial_parts(struct lr_conv_part parts[2], const struct lr_layer *l,
                      const struct lr_spatial *s, const float *bias)
{
    parts[0] = (struct lr_conv_part){.cout = s->rank,
                                     .cin = l->c,
                                     .kh = l->kh,
                                     .kw = 1,
                                     .group = l->group,
                                     .stride_h = l->stride_h,
                                     .stride_w = 1,
                                     .dil_h = l->dil_h,
                                     .dil_w = 1,
                                     .pad_top = l->pad_top,
                                     .pad_bottom = l->pad_bottom,
                                     .w = s->v};
    parts[1] = (struct lr_conv_part){.cout = l->d,
                                     .cin = s->rank,
                                     .kh = 1,
                                     .kw = l->kw,
                                     .group = l->group,
                                     .stride_h = 1,
                                     .stride_w = l->stride_w,
                                     .dil_h = 1,
                                     .dil_w = l->dil_w,
                                     .pad_left = l->pad_left,
                                     .pad_right = l->pad_right,
                                     .w = s->h,
                                     .b = bias};
}
