/* See model_build.h. Every failure ends the test; nothing here is meant to be fast. */
#include "model_build.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void check(enum lr_status st, const struct lr_err *e)
{
    if (st != LR_OK)
        fail_msg("%s", e->msg);
}

struct lr_graph *mb_graph(int opset)
{
    struct lr_graph *g;
    struct lr_err e = {0};

    check(lr_graph_new(&g, &e), &e);
    g->opset = opset;
    return g;
}

int mb_image(struct lr_graph *g, int64_t batch, int64_t c, int64_t h, int64_t w)
{
    struct lr_shape s = {4, {batch, c, h, w}};
    struct lr_err e = {0};
    int v;

    check(lr_graph_add_input(g, &v, "x", LR_DT_F32, &s, &e), &e);
    return v;
}

static int add(struct lr_graph *g, const char *name, enum lr_dtype t, int n_dims,
               const int64_t *dims, const void *from)
{
    struct lr_shape s = {.n_dims = n_dims};
    struct lr_tensor *x;
    struct lr_err e = {0};
    int64_t n;
    int v;

    for (int i = 0; i < n_dims; i++)
        s.dims[i] = dims[i];
    check(lr_tensor_new(&x, t, &s, &e), &e);
    check(lr_shape_count(&n, &s, &e), &e);
    if (from)
        memcpy(x->data, from, (size_t)n * lr_dtype_size(t));
    check(lr_graph_add_value(g, &v, name, x, &e), &e);
    return v;
}

int mb_weight(struct lr_graph *g, const char *name, int n_dims, const int64_t *dims)
{
    int v = add(g, name, LR_DT_F32, n_dims, dims, NULL);
    uint32_t state = 1;
    int64_t n;

    for (const char *p = name; *p; p++)
        state = state * 31 + (unsigned char)*p;
    assert_int_equal(lr_shape_count(&n, &g->values[v].shape, NULL), LR_OK);
    float *y = g->values[v].tensor->data;
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        y[i] = (float)(state >> 8) / (float)(1 << 23) - 1;
    }
    return v;
}

int mb_floats(struct lr_graph *g, const char *name, int n_dims, int n, const float *v)
{
    return add(g, name, LR_DT_F32, n_dims, (int64_t[]){n}, v);
}

int mb_ints(struct lr_graph *g, const char *name, int n_dims, int n, const int64_t *v)
{
    return add(g, name, LR_DT_I64, n_dims, (int64_t[]){n}, v);
}

int mb_node(struct lr_graph *g, const char *type, const char *name, int n_in,
            const int *in)
{
    char out_name[200];
    struct lr_err e = {0};
    int v;

    snprintf(out_name, sizeof(out_name), "%s_out", name);
    check(lr_graph_add_value(g, &v, out_name, NULL, &e), &e);
    check(lr_graph_add_node(g, g->n_nodes, type, name, in, n_in, &v, 1, &e), &e);
    return v;
}

int mb_fed(struct lr_graph *g, const char *name, int n_dims, const int64_t *dims)
{
    struct lr_err e = {0};
    struct lr_shape s = {.n_dims = n_dims};
    int v;

    memcpy(s.dims, dims, (size_t)n_dims * sizeof(*dims));
    check(lr_graph_add_input(g, &v, name, LR_DT_F32, &s, &e), &e);
    return v;
}

int mb_unary(struct lr_graph *g, const char *type, const char *name, int x)
{
    return mb_node(g, type, name, 1, &x);
}

int mb_binary(struct lr_graph *g, const char *type, const char *name, int x, int y)
{
    return mb_node(g, type, name, 2, (int[]){x, y});
}

struct lr_node *mb_of(struct lr_graph *g, int v)
{
    assert_true(g->values[v].producer >= 0);
    return &g->nodes[g->values[v].producer];
}

void mb_set_int(struct lr_graph *g, int v, const char *name, int64_t i)
{
    struct lr_err e = {0};

    check(lr_node_set_int(mb_of(g, v), name, i, &e), &e);
}

void mb_set_ints(struct lr_graph *g, int v, const char *name, int n, const int64_t *i)
{
    struct lr_err e = {0};

    check(lr_node_set_ints(mb_of(g, v), name, i, (size_t)n, &e), &e);
}

int mb_conv(struct lr_graph *g, const char *name, int x, int c, int d, int k, int stride,
            int pad)
{
    char text[200];

    snprintf(text, sizeof(text), "%s.weight", name);
    int w = mb_weight(g, text, 4, (int64_t[]){d, c, k, k});
    snprintf(text, sizeof(text), "%s.bias", name);
    int b = mb_weight(g, text, 1, (int64_t[]){d});
    int v = mb_node(g, "Conv", name, 3, (int[]){x, w, b});
    mb_set_ints(g, v, "strides", 2, (int64_t[]){stride, stride});
    mb_set_ints(g, v, "pads", 4, (int64_t[]){pad, pad, pad, pad});
    return v;
}

int mb_bn(struct lr_graph *g, const char *name, int x, int c)
{
    static const char *const parts[] = {"scale", "shift", "mean", "var"};
    char text[200];
    int in[5] = {x};

    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "%s.%s", name, parts[i]);
        in[i + 1] = mb_weight(g, text, 1, (int64_t[]){c});
    }
    float *var = g->values[in[4]].tensor->data;
    for (int i = 0; i < c; i++)
        var[i] = 0.5f + var[i] * var[i];
    return mb_node(g, "BatchNormalization", name, 5, in);
}

int mb_max_pool(struct lr_graph *g, const char *name, int x, int k, int stride,
                int is_ceil)
{
    int v = mb_unary(g, "MaxPool", name, x);

    mb_set_ints(g, v, "kernel_shape", 2, (int64_t[]){k, k});
    mb_set_ints(g, v, "strides", 2, (int64_t[]){stride, stride});
    mb_set_int(g, v, "ceil_mode", is_ceil);
    return v;
}

void mb_output(struct lr_graph *g, int v)
{
    struct lr_err e = {0};

    check(lr_graph_add_output(g, v, &e), &e);
}

void mb_infer(struct lr_graph *g)
{
    struct lr_err e = {0};

    check(lr_graph_infer(g, NULL, &e), &e);
}

void mb_assert_shape(const struct lr_graph *g, int v, const char *text)
{
    char buf[LR_MAX_DIMS * 21] = "?";

    if (g->values[v].has_shape)
        lr_shape_text(buf, sizeof(buf), &g->values[v].shape);
    assert_string_equal(buf, text);
}

/* ---- the oracle */

static const float *data_of(const struct lr_graph *g, const struct lr_node *n, int i)
{
    if (i >= n->n_in || n->in[i] < 0)
        return NULL;
    assert_non_null(g->values[n->in[i]].tensor);
    return g->values[n->in[i]].tensor->data;
}

static void eval_conv(const struct lr_graph *g, const struct lr_node *n, const double *x,
                      double *y)
{
    const struct lr_shape *in = &g->values[n->in[0]].shape,
                          *out = &g->values[n->out[0]].shape;
    const float *w = data_of(g, n, 1), *b = data_of(g, n, 2);
    struct lr_window p;

    assert_int_equal(lr_node_window(&p, g, n, NULL), LR_OK);
    int64_t c = in->dims[1] / p.group, per_group = out->dims[1] / p.group;
    for (int64_t o = 0; o < out->dims[1]; o++)
        for (int64_t i = 0; i < out->dims[2]; i++)
            for (int64_t j = 0; j < out->dims[3]; j++) {
                double sum = b ? (double)b[o] : 0;
                for (int64_t q = 0; q < c; q++)
                    for (int64_t u = 0; u < p.kh; u++)
                        for (int64_t v = 0; v < p.kw; v++) {
                            int64_t row = i * p.stride_h - p.pad_top + u * p.dil_h;
                            int64_t col = j * p.stride_w - p.pad_left + v * p.dil_w;
                            if (row < 0 || col < 0 || row >= in->dims[2] ||
                                col >= in->dims[3])
                                continue;
                            int64_t ch = o / per_group * c + q;
                            sum += (double)w[((o * c + q) * p.kh + u) * p.kw + v] *
                                   x[(ch * in->dims[2] + row) * in->dims[3] + col];
                        }
                y[(o * out->dims[2] + i) * out->dims[3] + j] = sum;
            }
}

static void eval_bn(const struct lr_graph *g, const struct lr_node *n, const double *x,
                    double *y, int64_t count)
{
    const struct lr_shape *s = &g->values[n->in[0]].shape;
    const float *scale = data_of(g, n, 1), *shift = data_of(g, n, 2),
                *mean = data_of(g, n, 3), *var = data_of(g, n, 4);
    double eps = (double)lr_node_float(n, "epsilon", 1e-5f);
    int64_t run = count / s->dims[1];

    for (int64_t i = 0; i < count; i++) {
        int64_t c = i / run;
        y[i] = (x[i] - (double)mean[c]) / sqrt((double)var[c] + eps) * (double)scale[c] +
               (double)shift[c];
    }
}

static void eval_gemm(const struct lr_graph *g, const struct lr_node *n, const double *x,
                      double *y, int64_t count)
{
    const float *w = data_of(g, n, 1), *b = data_of(g, n, 2);
    int64_t k = g->values[n->in[0]].shape.dims[1];
    int is_trans = lr_node_int(n, "transB", 0) != 0;
    int is_one = 0;
    int64_t n_b;
    if (b && lr_shape_count(&n_b, &g->values[n->in[2]].tensor->shape, NULL) == LR_OK)
        is_one = n_b == 1;
    double alpha = (double)lr_node_float(n, "alpha", 1),
           beta = (double)lr_node_float(n, "beta", 1);

    for (int64_t j = 0; j < count; j++) {
        double sum = 0;
        for (int64_t i = 0; i < k; i++)
            sum += x[i] * (double)w[is_trans ? j * k + i : i * count + j];
        y[j] = alpha * sum + (b ? beta * (double)b[is_one ? 0 : j] : 0);
    }
}

/* Where element i of value v of one image comes from in operand x, broadcast to it. */
static int64_t operand_index(const struct lr_graph *g, int x, int v, int64_t i)
{
    const struct lr_shape *s = &g->values[x].shape, *out = &g->values[v].shape;
    int64_t at = 0, step = 1;

    for (int k = out->n_dims - 1, m = s->n_dims - 1; m >= 0; k--, m--) {
        int64_t size = out->dims[k] < 0 ? 1 : out->dims[k];
        int64_t own = s->dims[m] < 0 ? 1 : s->dims[m];
        at += own == 1 ? 0 : i % size * step;
        step *= own;
        i /= size;
    }
    return at;
}

double *mb_eval(const struct lr_graph *g, int v, const double *input, int64_t *count)
{
    const struct lr_value *x = &g->values[v];
    struct lr_shape s = x->tensor ? x->tensor->shape : x->shape;
    int64_t n_a = 0, n_b = 0;
    double *a = NULL, *b = NULL;

    assert_true(x->has_shape);
    s.dims[0] = x->tensor ? s.dims[0] : 1;
    assert_int_equal(lr_shape_count(count, &s, NULL), LR_OK);
    double *y = lr_calloc((size_t)*count, sizeof(*y));
    assert_non_null(y);
    if (x->tensor) {
        for (int64_t i = 0; i < *count; i++)
            y[i] = (double)((const float *)x->tensor->data)[i];
        return y;
    }
    if (x->producer < 0) {
        assert_true(x->is_input);
        memcpy(y, input, (size_t)*count * sizeof(*y));
        return y;
    }
    const struct lr_node *n = &g->nodes[x->producer];
    a = mb_eval(g, n->in[0], input, &n_a);
    switch (n->op) {
    case LR_OP_CONV:
        eval_conv(g, n, a, y);
        break;
    case LR_OP_BATCH_NORMALIZATION:
        eval_bn(g, n, a, y, *count);
        break;
    case LR_OP_GEMM:
    case LR_OP_MAT_MUL:
        eval_gemm(g, n, a, y, *count);
        break;
    case LR_OP_RELU:
        for (int64_t i = 0; i < *count; i++)
            y[i] = a[i] > 0 ? a[i] : 0;
        break;
    case LR_OP_ADD:
    case LR_OP_MUL:
        b = mb_eval(g, n->in[1], input, &n_b);
        for (int64_t i = 0; i < *count; i++) {
            double u = a[operand_index(g, n->in[0], v, i)];
            double w = b[operand_index(g, n->in[1], v, i)];
            y[i] = n->op == LR_OP_ADD ? u + w : u * w;
        }
        break;
    case LR_OP_IDENTITY:
    case LR_OP_DROPOUT:
    case LR_OP_FLATTEN:
        memcpy(y, a, (size_t)*count * sizeof(*y));
        break;
    default:
        fail_msg("the oracle does not know %s", n->type);
    }
    lr_free(a);
    lr_free(b);
    return y;
}

/* ---- comparing */

static double image[MB_IMAGE];

int mb_fill_image(void **state)
{
    uint32_t s = 7;

    (void)state;
    for (int i = 0; i < MB_IMAGE; i++) {
        s = s * 1664525 + 1013904223;
        image[i] = (double)(s >> 8) / (1 << 23) - 1;
    }
    return 0;
}

void mb_assert_equal(const struct lr_graph *a, const struct lr_graph *b, const char *name,
                     double tolerance)
{
    int64_t n, m;
    int va = lr_graph_find_value(a, name), vb = lr_graph_find_value(b, name);

    assert_true(va >= 0 && vb >= 0);
    double *x = mb_eval(a, va, image, &n), *y = mb_eval(b, vb, image, &m);
    assert_int_equal(n, m);
    double size = 0;
    for (int64_t i = 0; i < n; i++)
        size = fmax(size, fabs(x[i]));
    assert_true(size > 0.1);
    for (int64_t i = 0; i < n; i++)
        if (fabs(x[i] - y[i]) > tolerance * size)
            fail_msg("%s[%ld]: %.9g and %.9g", name, (long)i, x[i], y[i]);
    lr_free(x);
    lr_free(y);
}

struct lr_graph *mb_clone(const struct lr_graph *g)
{
    struct lr_graph *c;
    struct lr_err e = {0};

    assert_int_equal(lr_graph_clone(&c, g, &e), LR_OK);
    return c;
}

/* ---- files */

static char dir[300];

int mb_make_dir(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof(dir), "%s/ranklab-onnx-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(dir) ? 0 : -1;
}

int mb_remove_dir(void **state)
{
    static const char *const names[] = {"a.onnx", "b.onnx", "weights.bin", "link",
                                        "in/w"};
    char path[400];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(mb_path(path, names[i]));
    rmdir(mb_path(path, "in"));
    return rmdir(dir);
}

const char *mb_dir(void)
{
    return dir;
}

const char *mb_path(char path[400], const char *name)
{
    snprintf(path, 400, "%s/%s", dir, name);
    return path;
}

/* ---- protobuf */

static void varint(struct lr_strbuf *b, uint64_t v)
{
    while (v >= 0x80) {
        lr_strbuf_putc(b, (char)(v | 0x80));
        v >>= 7;
    }
    lr_strbuf_putc(b, (char)v);
}

void pb_int(struct lr_strbuf *b, unsigned field, uint64_t v)
{
    varint(b, field << 3);
    varint(b, v);
}

void pb_bytes(struct lr_strbuf *b, unsigned field, const void *p, size_t n)
{
    varint(b, field << 3 | 2);
    varint(b, n);
    lr_strbuf_add(b, p, n);
}

void pb_text(struct lr_strbuf *b, unsigned field, const char *s)
{
    pb_bytes(b, field, s, strlen(s));
}

void pb_message(struct lr_strbuf *b, unsigned field, struct lr_strbuf *m)
{
    pb_bytes(b, field, m->s ? m->s : "", m->len);
    lr_strbuf_free(m);
}
