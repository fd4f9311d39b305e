/* An interpreter for graphs in plain loops and double precision, written from the
 * operators' definitions: the oracle of the engine's tests. It also finds the shapes and
 * writes them into the graph. */
#ifndef RANKLAB_TEST_ENGINE_NAIVE_H
#define RANKLAB_TEST_ENGINE_NAIVE_H

#include <float.h>
#include <math.h>

#include "engine_move.h"
#include "engine_upsample.h"

static void naive_conv(const struct lr_node *n, struct nt *y, const struct nt *x,
                       const struct nt *w, const struct nt *bias)
{
    int64_t sh = ints_at(n, "strides", 0, 1), sw = ints_at(n, "strides", 1, 1);
    int64_t dh = ints_at(n, "dilations", 0, 1), dw = ints_at(n, "dilations", 1, 1);
    int64_t pt = ints_at(n, "pads", 0, 0), pl = ints_at(n, "pads", 1, 0);
    int64_t pb = ints_at(n, "pads", 2, 0), pr = ints_at(n, "pads", 3, 0);
    int64_t g = lr_node_int(n, "group", 1), cg = w->d[1], dg = w->d[0] / g;
    nt_4(y, x->d[0], w->d[0], (x->d[2] + pt + pb - (w->d[2] - 1) * dh - 1) / sh + 1,
         (x->d[3] + pl + pr - (w->d[3] - 1) * dw - 1) / sw + 1);
    for (int64_t i = 0; i < y->d[0]; i++)
        for (int64_t o = 0; o < y->d[1]; o++)
            for (int64_t p = 0; p < y->d[2]; p++)
                for (int64_t q = 0; q < y->d[3]; q++) {
                    double sum = bias ? bias->x[o] : 0;
                    for (int64_t c = 0; c < cg; c++)
                        for (int64_t a = 0; a < w->d[2]; a++)
                            for (int64_t e = 0; e < w->d[3]; e++) {
                                int64_t r = p * sh - pt + a * dh,
                                        s = q * sw - pl + e * dw;
                                if (r >= 0 && s >= 0 && r < x->d[2] && s < x->d[3])
                                    sum += *at4(x, i, o / dg * cg + c, r, s) *
                                           *at4(w, o, c, a, e);
                            }
                    *at4(y, i, o, p, q) = sum;
                }
}

static int64_t pooled(int64_t in, int64_t pads, int64_t k, int64_t stride, int64_t dil,
                      bool is_ceil, int64_t pad_lo)
{
    int64_t room = in + pads - (k - 1) * dil - 1;
    int64_t out = (is_ceil ? room + stride - 1 : room) / stride + 1;
    /* a window must not start in the pads at the end */
    if (is_ceil && (out - 1) * stride >= in + pad_lo)
        out--;
    return out;
}

static void naive_pool(const struct lr_node *n, struct nt *y, const struct nt *x,
                       bool is_max)
{
    int64_t kh = ints_at(n, "kernel_shape", 0, 1), kw = ints_at(n, "kernel_shape", 1, 1);
    int64_t sh = ints_at(n, "strides", 0, 1), sw = ints_at(n, "strides", 1, 1);
    int64_t dh = ints_at(n, "dilations", 0, 1), dw = ints_at(n, "dilations", 1, 1);
    int64_t pt = ints_at(n, "pads", 0, 0), pl = ints_at(n, "pads", 1, 0);
    int64_t pb = ints_at(n, "pads", 2, 0), pr = ints_at(n, "pads", 3, 0);
    bool is_ceil = lr_node_int(n, "ceil_mode", 0),
         all = lr_node_int(n, "count_include_pad", 0);
    nt_4(y, x->d[0], x->d[1], pooled(x->d[2], pt + pb, kh, sh, dh, is_ceil, pt),
         pooled(x->d[3], pl + pr, kw, sw, dw, is_ceil, pl));
    for (int64_t i = 0; i < y->d[0] * y->d[1]; i++)
        for (int64_t p = 0; p < y->d[2]; p++)
            for (int64_t q = 0; q < y->d[3]; q++) {
                double best = -DBL_MAX, sum = 0;
                int count = 0;
                for (int64_t a = 0; a < kh; a++)
                    for (int64_t e = 0; e < kw; e++) {
                        int64_t r = p * sh - pt + a * dh, s = q * sw - pl + e * dw;
                        bool is_in = r >= 0 && s >= 0 && r < x->d[2] && s < x->d[3];
                        if (is_in) {
                            double v = x->x[(i * x->d[2] + r) * x->d[3] + s];
                            best = v > best ? v : best;
                            sum += v;
                        }
                        count += is_in || (all && r < x->d[2] + pb && s < x->d[3] + pr);
                    }
                y->x[(i * y->d[2] + p) * y->d[3] + q] = is_max ? best : sum / count;
            }
}

static void broadcast_dims(struct nt *y, const struct nt *a, const struct nt *c, int skip)
{
    y->n = a->n > c->n ? a->n : c->n;
    for (int i = 0; i < y->n - skip; i++) {
        int64_t p = i - (y->n - a->n) >= 0 ? a->d[i - (y->n - a->n)] : 1;
        int64_t q = i - (y->n - c->n) >= 0 ? c->d[i - (y->n - c->n)] : 1;
        y->d[i] = p > q ? p : q;
    }
}

static void naive_binary(struct nt *y, const struct nt *a, const struct nt *c,
                         bool is_mul)
{
    int64_t pos[LR_MAX_DIMS];
    broadcast_dims(y, a, c, 0);
    nt_alloc(y);
    for (int64_t i = 0; i < nt_count(y); i++) {
        unravel(i, y, pos);
        double p = a->x[repeated(a, y->n, pos)], q = c->x[repeated(c, y->n, pos)];
        y->x[i] = is_mul ? p * q : p + q;
    }
}

static void naive_gemm(const struct lr_node *n, struct nt *y, const struct nt *a,
                       const struct nt *w, const struct nt *c)
{
    bool ta = lr_node_int(n, "transA", 0), tb = lr_node_int(n, "transB", 0);
    double alpha = (double)lr_node_float(n, "alpha", 1),
           beta = (double)lr_node_float(n, "beta", 1);
    int64_t k = a->d[!ta];
    y->n = 2;
    y->d[0] = a->d[ta];
    y->d[1] = w->d[!tb];
    nt_alloc(y);
    for (int64_t i = 0; i < y->d[0]; i++)
        for (int64_t j = 0; j < y->d[1]; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += a->x[ta ? l * a->d[1] + i : i * a->d[1] + l] *
                       w->x[tb ? j * w->d[1] + l : l * w->d[1] + j];
            int64_t pos[2] = {i, j};
            y->x[i * y->d[1] + j] =
                alpha * sum + (c ? beta * c->x[repeated(c, 2, pos)] : 0);
        }
}

static void naive_matmul(struct nt *y, const struct nt *a0, const struct nt *c0)
{
    struct nt a = *a0, c = *c0;
    int64_t pos[LR_MAX_DIMS], pa[LR_MAX_DIMS], pc[LR_MAX_DIMS];
    if (a.n == 1) {
        a.n = 2;
        a.d[1] = a.d[0];
        a.d[0] = 1;
    }
    if (c.n == 1) {
        c.n = 2;
        c.d[1] = 1;
    }
    broadcast_dims(y, &a, &c, 2);
    y->d[y->n - 2] = a.d[a.n - 2];
    y->d[y->n - 1] = c.d[c.n - 1];
    nt_alloc(y);
    for (int64_t i = 0; i < nt_count(y); i++) {
        double sum = 0;
        unravel(i, y, pos);
        for (int64_t l = 0; l < a.d[a.n - 1]; l++) {
            memcpy(pa, pos, sizeof pa);
            memcpy(pc, pos, sizeof pc);
            pa[y->n - 1] = l;
            pc[y->n - 2] = l;
            sum += a.x[repeated(&a, y->n, pa)] * c.x[repeated(&c, y->n, pc)];
        }
        y->x[i] = sum;
    }
    if (a0->n == 1) {
        y->d[y->n - 2] = y->d[y->n - 1];
        y->n--;
    }
    if (c0->n == 1)
        y->n--;
}

static double naive_function(const struct lr_node *n, struct naive *r, double v)
{
    double lo = (double)lr_node_float(n, "min", -FLT_MAX),
           hi = (double)lr_node_float(n, "max", FLT_MAX);
    switch (n->op) {
    case LR_OP_RELU:
        return v > 0 ? v : 0;
    case LR_OP_LEAKY_RELU:
        return v > 0 ? v : v * (double)lr_node_float(n, "alpha", 0.01F);
    case LR_OP_SIGMOID:
        return 1 / (1 + exp(-v));
    case LR_OP_TANH:
        return tanh(v);
    case LR_OP_HARD_SIGMOID:
        v = (double)lr_node_float(n, "alpha", 0.2F) * v +
            (double)lr_node_float(n, "beta", 0.5F);
        return v < 0 ? 0 : v > 1 ? 1 : v;
    case LR_OP_CLIP:
        if (n->n_in > 1 && n->in[1] >= 0)
            lo = r->t[n->in[1]].x[0];
        if (n->n_in > 2 && n->in[2] >= 0)
            hi = r->t[n->in[2]].x[0];
        return v < lo ? lo : v > hi ? hi : v;
    default:
        return v;
    }
}

static void naive_softmax(const struct lr_graph *g, const struct lr_node *n, struct nt *y,
                          const struct nt *x)
{
    bool is_flat = g->opset < 13;
    int axis = (int)lr_node_int(n, "axis", is_flat ? 1 : -1);
    int64_t outer = 1, mid = 1, inner = 1;
    copy_shape(y, x);
    axis = axis < 0 ? axis + x->n : axis;
    for (int i = 0; i < x->n; i++)
        *(i < axis ? &outer : i == axis || is_flat ? &mid : &inner) *= x->d[i];
    for (int64_t i = 0; i < outer; i++)
        for (int64_t k = 0; k < inner; k++) {
            double sum = 0, top = -DBL_MAX;
            for (int64_t j = 0; j < mid; j++)
                top = fmax(top, x->x[(i * mid + j) * inner + k]);
            for (int64_t j = 0; j < mid; j++)
                sum += exp(x->x[(i * mid + j) * inner + k] - top);
            for (int64_t j = 0; j < mid; j++)
                y->x[(i * mid + j) * inner + k] =
                    exp(x->x[(i * mid + j) * inner + k] - top) / sum;
        }
}

static void naive_lrn(const struct lr_node *n, struct nt *y, const struct nt *x)
{
    int64_t size = lr_node_int(n, "size", 1), inner = 1, c = x->d[1];
    double alpha = (double)lr_node_float(n, "alpha", 1e-4F),
           beta = (double)lr_node_float(n, "beta", 0.75F),
           bias = (double)lr_node_float(n, "bias", 1);
    copy_shape(y, x);
    for (int i = 2; i < x->n; i++)
        inner *= x->d[i];
    for (int64_t i = 0; i < nt_count(x); i++) {
        int64_t p = i % inner, k = i / inner % c, m = i / inner / c;
        double sum = 0;
        for (int64_t j = k - (size - 1) / 2; j <= k + size / 2; j++)
            if (j >= 0 && j < c)
                sum += pow(x->x[(m * c + j) * inner + p], 2);
        y->x[i] = x->x[i] / pow(bias + alpha / (double)size * sum, beta);
    }
}

static void naive_bn(const struct lr_node *n, struct naive *r, struct nt *y,
                     const struct nt *x)
{
    const double eps = (double)lr_node_float(n, "epsilon", 1e-5F);
    int64_t inner = 1;
    copy_shape(y, x);
    for (int i = 2; i < x->n; i++)
        inner *= x->d[i];
    for (int64_t i = 0; i < nt_count(x); i++) {
        int64_t c = i / inner % x->d[1];
        y->x[i] = r->t[n->in[1]].x[c] * (x->x[i] - r->t[n->in[3]].x[c]) /
                      sqrt(r->t[n->in[4]].x[c] + eps) +
                  r->t[n->in[2]].x[c];
    }
}

static void naive_global_pool(struct nt *y, const struct nt *x)
{
    y->n = x->n;
    y->d[0] = x->d[0];
    y->d[1] = x->d[1];
    for (int i = 2; i < x->n; i++)
        y->d[i] = 1;
    nt_alloc(y);
    int64_t inner = nt_count(x) / nt_count(y);
    for (int64_t i = 0; i < nt_count(x); i++)
        y->x[i / inner] += x->x[i] / (double)inner;
}

static void naive_node(const struct lr_graph *g, struct naive *r, const struct lr_node *n)
{
    struct nt *y = &r->t[n->out[0]];
    const struct nt *x = &r->t[n->in[0]],
                    *x1 = n->n_in > 1 && n->in[1] >= 0 ? &r->t[n->in[1]] : NULL;
    const struct nt *x2 = n->n_in > 2 && n->in[2] >= 0 ? &r->t[n->in[2]] : NULL;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && r->t[n->in[i]].is_batched)
            y->is_batched = true;
    switch (n->op) {
    case LR_OP_CONV:
        naive_conv(n, y, x, x1, x2);
        break;
    case LR_OP_CONV_TRANSPOSE:
        naive_conv_transpose(n, y, x, x1, x2);
        break;
    case LR_OP_RESIZE:
        naive_resize(n, y, x, x2);
        break;
    case LR_OP_MAX_POOL:
    case LR_OP_AVERAGE_POOL:
        naive_pool(n, y, x, n->op == LR_OP_MAX_POOL);
        break;
    case LR_OP_GLOBAL_AVERAGE_POOL:
        naive_global_pool(y, x);
        break;
    case LR_OP_ADD:
    case LR_OP_MUL:
        naive_binary(y, x, x1, n->op == LR_OP_MUL);
        break;
    case LR_OP_GEMM:
        naive_gemm(n, y, x, x1, x2);
        break;
    case LR_OP_MAT_MUL:
        naive_matmul(y, x, x1);
        break;
    case LR_OP_SOFTMAX:
        naive_softmax(g, n, y, x);
        break;
    case LR_OP_LRN:
        naive_lrn(n, y, x);
        break;
    case LR_OP_BATCH_NORMALIZATION:
        naive_bn(n, r, y, x);
        break;
    case LR_OP_CONCAT:
        naive_concat(n, r, y);
        break;
    case LR_OP_TRANSPOSE:
        naive_transpose(n, y, x);
        break;
    case LR_OP_PAD:
        naive_pad(n, r, y, x);
        break;
    case LR_OP_RELU:
    case LR_OP_LEAKY_RELU:
    case LR_OP_SIGMOID:
    case LR_OP_TANH:
    case LR_OP_HARD_SIGMOID:
    case LR_OP_CLIP:
        copy_shape(y, x);
        for (int64_t i = 0; i < nt_count(x); i++)
            y->x[i] = naive_function(n, r, x->x[i]);
        break;
    default:
        naive_view(n, r, y, x);
        break;
    }
}

static void naive_free(struct naive *r)
{
    for (int v = 0; v < r->n_values; v++)
        lr_free(r->t[v].x);
    lr_free(r->t);
}

/* Runs the whole graph on n images, in[i] for input i, and writes the shapes into it. */
static UNUSED struct naive naive_run(struct lr_graph *g, int n, const float *const *in)
{
    struct naive r = {.n_values = g->n_values};
    r.t = lr_calloc((size_t)g->n_values, sizeof *r.t);
    assert_non_null(r.t);
    for (int v = 0; v < g->n_values; v++) {
        const struct lr_tensor *t = g->values[v].tensor;
        struct lr_tensor *f = NULL;
        if (!t)
            continue;
        r.t[v].n = t->shape.n_dims;
        memcpy(r.t[v].d, t->shape.dims, sizeof r.t[v].d);
        nt_alloc(&r.t[v]);
        assert_int_equal(lr_tensor_to_f32(&f, t, NULL), LR_OK);
        for (int64_t i = 0; i < nt_count(&r.t[v]); i++)
            r.t[v].x[i] = (double)((const float *)f->data)[i];
        lr_tensor_free(f);
    }
    for (int i = 0; i < g->n_inputs; i++) {
        struct nt *t = &r.t[g->inputs[i]];
        const struct lr_shape *s = &g->values[g->inputs[i]].shape;
        t->n = s->n_dims;
        memcpy(t->d, s->dims, sizeof t->d);
        t->is_batched = t->d[0] == -1;
        if (t->is_batched)
            t->d[0] = n;
        nt_alloc(t);
        for (int64_t j = 0; j < nt_count(t); j++)
            t->x[j] = (double)in[i][j];
    }
    for (int k = 0; k < g->n_nodes; k++)
        naive_node(g, &r, &g->nodes[k]);
    for (int v = 0; v < g->n_values; v++) {
        struct lr_value *x = &g->values[v];
        if (x->tensor || !r.t[v].x)
            continue;
        x->has_shape = true;
        x->shape = shape_of(r.t[v].n, r.t[v].d);
        if (r.t[v].is_batched)
            x->shape.dims[0] = -1;
    }
    return r;
}

#endif
