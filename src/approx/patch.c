#include "approx/patch.h"

#include <string.h>

#include "ranklab/la.h"
#include "ranklab/mem.h"

/* Rows of one product: enough that the filters are read from memory few times. */
enum { MIN_ROWS = 16, MAX_ROWS = 512, BUFFER_FLOATS = 1 << 21 };

struct lr_patches {
    struct lr_window win;
    int64_t c, d, h, w,
        out_w;       /* channels in and out, the input's map, the output's width */
    size_t k;        /* values of a patch in one group: kh kw c/g */
    float *filters;  /* [groups][k, d / groups] */
    float *bias;     /* [d] or NULL */
    size_t n, n_max; /* patches that wait */
    float *x;        /* [groups][n_max, k] */
    float *y;        /* [n_max, d] */
    float **rows;    /* where they go */
};

static const struct lr_node *conv_of(const struct lr_graph *g, int v)
{
    int k = v >= 0 && v < g->n_values ? g->values[v].producer : -1;

    return k >= 0 && g->nodes[k].op == LR_OP_CONV ? &g->nodes[k] : NULL;
}

static const struct lr_tensor *constant(const struct lr_graph *g, const struct lr_node *n,
                                        int i)
{
    return i < n->n_in && n->in[i] >= 0 ? g->values[n->in[i]].tensor : NULL;
}

bool lr_patches_can(const struct lr_graph *g, int v)
{
    const struct lr_node *n = conv_of(g, v);
    struct lr_window win;

    if (!n || n->n_in < 2 || n->in[0] < 0 || lr_node_window(&win, g, n, NULL) != LR_OK)
        return false;
    const struct lr_value *x = &g->values[n->in[0]], *y = &g->values[v];
    const struct lr_tensor *w = constant(g, n, 1), *b = constant(g, n, 2);
    bool has_bias = n->n_in > 2 && n->in[2] >= 0;
    if (!w || w->dtype != LR_DT_F32 || w->shape.n_dims != 4 || !x->has_shape ||
        !y->has_shape || x->tensor || x->dtype != LR_DT_F32 || x->shape.n_dims != 4 ||
        y->shape.n_dims != 4 || win.group < 1 || win.pad_top < 0 || win.pad_left < 0 ||
        x->shape.dims[1] != w->shape.dims[1] * win.group ||
        y->shape.dims[1] != w->shape.dims[0] || y->shape.dims[1] % win.group != 0 ||
        w->shape.dims[2] != win.kh || w->shape.dims[3] != win.kw)
        return false;
    return !has_bias || (b && b->dtype == LR_DT_F32 && b->shape.n_dims == 1 &&
                         b->shape.dims[0] == y->shape.dims[1]);
}

/* Filters [d, c/g, kh, kw] as one matrix a group, in the order of a patch. */
static void pack(struct lr_patches *p, const float *w)
{
    int64_t groups = p->win.group, cg = p->c / groups, dg = p->d / groups;
    int64_t area = p->win.kh * p->win.kw;

    for (int64_t i = 0; i < p->d; i++)
        for (int64_t c = 0; c < cg; c++)
            for (int64_t a = 0; a < area; a++) {
                int64_t row = (i / dg) * (int64_t)p->k + a * cg + c;
                p->filters[row * dg + i % dg] = w[(i * cg + c) * area + a];
            }
}

enum lr_status lr_patches_new(struct lr_patches **out, const struct lr_graph *g, int v,
                              struct lr_err *e)
{
    const struct lr_node *n = conv_of(g, v);
    struct lr_patches *p = lr_calloc(1, sizeof(*p));
    enum lr_status st;

    *out = NULL;
    if (!p)
        return lr_enomem(e, sizeof(*p), "patches");
    if ((st = lr_node_window(&p->win, g, n, e)) != LR_OK) {
        lr_free(p);
        return st;
    }
    const struct lr_tensor *w = constant(g, n, 1), *b = constant(g, n, 2);
    const struct lr_shape *s = &g->values[n->in[0]].shape;
    p->c = s->dims[1];
    p->h = s->dims[2];
    p->w = s->dims[3];
    p->d = w->shape.dims[0];
    p->out_w = g->values[v].shape.dims[3];
    p->k = (size_t)(w->shape.dims[1] * p->win.kh * p->win.kw);
    size_t groups = (size_t)p->win.group, width = groups * p->k, d = (size_t)p->d;
    p->n_max = BUFFER_FLOATS / (width + d);
    p->n_max = p->n_max < MIN_ROWS ? MIN_ROWS : p->n_max > MAX_ROWS ? MAX_ROWS : p->n_max;
    p->filters = lr_alloc(d * p->k, sizeof(float));
    p->x = lr_alloc(p->n_max * width, sizeof(float));
    p->y = lr_alloc(p->n_max * d, sizeof(float));
    p->rows = lr_alloc(p->n_max, sizeof(*p->rows));
    p->bias = b ? lr_alloc(d, sizeof(float)) : NULL;
    if (!p->filters || !p->x || !p->y || !p->rows || (b && !p->bias)) {
        size_t bytes = (d * p->k + p->n_max * (width + d)) * sizeof(float);
        lr_patches_free(p);
        return lr_enomem(e, bytes, "patches");
    }
    if (b)
        memcpy(p->bias, b->data, d * sizeof(float));
    pack(p, w->data);
    *out = p;
    return LR_OK;
}

void lr_patches_free(struct lr_patches *p)
{
    if (!p)
        return;
    lr_free(p->filters);
    lr_free(p->bias);
    lr_free(p->x);
    lr_free(p->y);
    lr_free(p->rows);
    lr_free(p);
}

enum lr_status lr_patches_add(struct lr_patches *p, const float *x, int64_t pos,
                              float *row, struct lr_err *e)
{
    const struct lr_window *w = &p->win;
    int64_t top = pos / p->out_w * w->stride_h - w->pad_top;
    int64_t left = pos % p->out_w * w->stride_w - w->pad_left;
    size_t cg = (size_t)(p->c / w->group);

    for (int64_t g = 0; g < w->group; g++) {
        float *to = p->x + ((size_t)g * p->n_max + p->n) * p->k;
        for (int64_t a = 0; a < w->kh * w->kw; a++, to += cg) {
            int64_t i = top + a / w->kw * w->dil_h, j = left + a % w->kw * w->dil_w;
            if (i < 0 || j < 0 || i >= p->h || j >= p->w)
                memset(to, 0, cg * sizeof(*to));
            else
                memcpy(to, x + (i * p->w + j) * p->c + (size_t)g * cg, cg * sizeof(*to));
        }
    }
    p->rows[p->n++] = row;
    return p->n < p->n_max ? LR_OK : lr_patches_flush(p, e);
}

enum lr_status lr_patches_flush(struct lr_patches *p, struct lr_err *e)
{
    size_t d = (size_t)p->d, dg = d / (size_t)p->win.group;
    enum lr_status st = LR_OK;

    for (size_t g = 0; st == LR_OK && p->n > 0 && g < (size_t)p->win.group; g++)
        st = lr_la_gemm_f(false, false, p->n, dg, p->k, 1, p->x + g * p->n_max * p->k,
                          p->k, p->filters + g * p->k * dg, dg, 0, p->y + g * dg, d, e);
    for (size_t i = 0; st == LR_OK && i < p->n; i++)
        for (size_t j = 0; j < d; j++)
            p->rows[i][j] = p->y[i * d + j] + (p->bias ? p->bias[j] : 0);
    p->n = 0;
    return st;
}
