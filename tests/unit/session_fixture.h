/* Small networks with random filters and random images, as files, for tests of sampling
 * and sessions: a chain of convolutions and a network with additions. */
#ifndef SESSION_FIXTURE_H
#define SESSION_FIXTURE_H

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ranklab/dataset.h"
#include "ranklab/graph.h"
#include "ranklab/mem.h"
#include "ranklab/onnx.h"
#include "ranklab/rng.h"

enum { FX_C = 2, FX_SIZE = 12, FX_VALUES = 64, FX_NODES = 40 };

#define assert_ok(call)                                                                  \
    do {                                                                                 \
        struct lr_err *fx_e = &(struct lr_err){0};                                       \
        enum lr_status fx_rc = call;                                                     \
        if (fx_rc != LR_OK)                                                              \
            fail_msg("%s: %s", #call, fx_e->msg);                                        \
    } while (0)

static inline struct lr_graph *fx_graph(int h, int w)
{
    struct lr_graph *g = lr_calloc(1, sizeof(*g));

    assert_non_null(g);
    g->name = lr_strdup("test");
    g->ir_version = 8;
    g->opset = 13;
    g->cap_values = FX_VALUES;
    g->values = lr_calloc(FX_VALUES, sizeof(*g->values));
    g->cap_nodes = FX_NODES;
    g->nodes = lr_calloc(FX_NODES, sizeof(*g->nodes));
    g->inputs = lr_calloc(1, sizeof(int));
    g->outputs = lr_calloc(1, sizeof(int));
    g->n_inputs = g->n_outputs = g->n_values = 1;
    g->values[0] = (struct lr_value){.name = lr_strdup("x"),
                                     .dtype = LR_DT_F32,
                                     .has_shape = true,
                                     .shape = {4, {-1, FX_C, h, w}},
                                     .producer = -1,
                                     .is_input = true};
    return g;
}

static inline int fx_value(struct lr_graph *g, const char *name)
{
    assert_true(g->n_values < FX_VALUES);
    g->values[g->n_values] =
        (struct lr_value){.name = lr_strdup(name), .dtype = LR_DT_F32, .producer = -1};
    return g->n_values++;
}

/* A weight tensor with normal entries of this standard deviation. */
static inline int fx_weight(struct lr_graph *g, const char *name, struct lr_shape shape,
                            double sd, struct lr_rng *r)
{
    int v = fx_value(g, name);
    int64_t n = 0;

    assert_ok(lr_tensor_new(&g->values[v].tensor, LR_DT_F32, &shape, fx_e));
    assert_ok(lr_shape_count(&n, &shape, fx_e));
    float *x = g->values[v].tensor->data;
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(sd * lr_rng_normal(r));
    g->values[v].has_shape = true;
    g->values[v].shape = shape;
    return v;
}

/* type(in...) -> a new value, named by the node. */
static inline int fx_node(struct lr_graph *g, enum lr_op op, const char *type,
                          const char *name, int n_in, const int *in)
{
    char out[64];

    assert_true(g->n_nodes < FX_NODES);
    snprintf(out, sizeof(out), "%s_out", name);
    int v = fx_value(g, out);
    struct lr_node *n = &g->nodes[g->n_nodes];
    *n = (struct lr_node){.op = op,
                          .type = lr_strdup(type),
                          .domain = lr_strdup(""),
                          .name = lr_strdup(name),
                          .doc = lr_strdup(""),
                          .n_in = n_in,
                          .n_out = 1};
    n->in = lr_calloc((size_t)n_in, sizeof(int));
    n->out = lr_calloc(1, sizeof(int));
    memcpy(n->in, in, (size_t)n_in * sizeof(int));
    n->out[0] = v;
    g->values[v].producer = g->n_nodes++;
    return v;
}

static inline void fx_ints(struct lr_graph *g, const char *name, size_t n,
                           const int64_t *x)
{
    struct lr_node *node = &g->nodes[g->n_nodes - 1];

    node->attrs = lr_realloc(node->attrs, (size_t)node->n_attrs,
                             (size_t)node->n_attrs + 1, sizeof(*node->attrs));
    struct lr_attr *a = &node->attrs[node->n_attrs++];
    *a = (struct lr_attr){.name = lr_strdup(name), .kind = LR_ATTR_INTS, .n = n};
    a->ints = lr_calloc(n, sizeof(*a->ints));
    memcpy(a->ints, x, n * sizeof(*x));
}

/* A k x k convolution, padded to keep the size at stride 1. */
static inline int fx_conv(struct lr_graph *g, const char *name, int in, int c, int d,
                          int k, int stride, struct lr_rng *r)
{
    char text[64];
    int64_t p = k / 2;

    snprintf(text, sizeof(text), "%s_w", name);
    int w = fx_weight(g, text, (struct lr_shape){4, {d, c, k, k}},
                      sqrt(2.0 / (c * k * k)), r);
    snprintf(text, sizeof(text), "%s_b", name);
    int b = fx_weight(g, text, (struct lr_shape){1, {d}}, 0.2, r);
    int v = fx_node(g, LR_OP_CONV, "Conv", name, 3, (int[]){in, w, b});
    fx_ints(g, "kernel_shape", 2, (int64_t[]){k, k});
    fx_ints(g, "pads", 4, (int64_t[]){p, p, p, p});
    fx_ints(g, "strides", 2, (int64_t[]){stride, stride});
    return v;
}

/* The convolution appended last gets groups: its filters keep as many input channels as
 * they had, so c was the channels of one group. */
static inline void fx_groups(struct lr_graph *g, int64_t groups)
{
    struct lr_err e = {0};

    if (lr_node_set_int(&g->nodes[g->n_nodes - 1], "group", groups, &e) != LR_OK)
        fail_msg("%s", e.msg);
}

static inline int fx_relu(struct lr_graph *g, const char *name, int in)
{
    return fx_node(g, LR_OP_RELU, "Relu", name, 1, &in);
}

static inline int fx_add(struct lr_graph *g, const char *name, int a, int b)
{
    return fx_node(g, LR_OP_ADD, "Add", name, 2, (int[]){a, b});
}

static inline struct lr_graph *fx_finish(struct lr_graph *g, int v, int c,
                                         struct lr_rng *r)
{
    v = fx_node(g, LR_OP_GLOBAL_AVERAGE_POOL, "GlobalAveragePool", "pool", 1, &v);
    v = fx_node(g, LR_OP_FLATTEN, "Flatten", "flat", 1, &v);
    int w = fx_weight(g, "fc_w", (struct lr_shape){2, {c, 10}}, 1, r);
    int b = fx_weight(g, "fc_b", (struct lr_shape){1, {10}}, 0.1, r);
    v = fx_node(g, LR_OP_GEMM, "Gemm", "fc", 3, (int[]){v, w, b});
    g->outputs[0] = v;
    g->values[v].is_output = true;
    assert_ok(lr_graph_infer(g, NULL, fx_e));
    return g;
}

/* conv1 .. conv4 of 3 x 3 with a ReLU each, the third at stride 2. */
static inline struct lr_graph *fx_chain(uint64_t seed)
{
    struct lr_graph *g = fx_graph(FX_SIZE, FX_SIZE);
    struct lr_rng r;

    lr_rng_seed(&r, seed);
    int v = fx_relu(g, "relu1", fx_conv(g, "conv1", 0, FX_C, 16, 3, 1, &r));
    v = fx_relu(g, "relu2", fx_conv(g, "conv2", v, 16, 20, 3, 1, &r));
    v = fx_relu(g, "relu3", fx_conv(g, "conv3", v, 20, 24, 3, 2, &r));
    v = fx_relu(g, "relu4", fx_conv(g, "conv4", v, 24, 24, 3, 1, &r));
    return fx_finish(g, v, 24, &r);
}

/* stem; block 1: a1, b1 with the identity as shortcut and a ReLU after the addition;
 * block 2: a2, b2 with the 1 x 1 convolution s2 as shortcut; then c3, which no ReLU
 * follows. */
static inline struct lr_graph *fx_residual(uint64_t seed)
{
    struct lr_graph *g = fx_graph(FX_SIZE, FX_SIZE);
    struct lr_rng r;

    lr_rng_seed(&r, seed);
    int x = fx_relu(g, "relu0", fx_conv(g, "stem", 0, FX_C, 16, 3, 1, &r));
    int v = fx_relu(g, "relu1", fx_conv(g, "a1", x, 16, 16, 3, 1, &r));
    v = fx_add(g, "add1", fx_conv(g, "b1", v, 16, 16, 3, 1, &r), x);
    x = fx_relu(g, "relu2", v);
    v = fx_relu(g, "relu3", fx_conv(g, "a2", x, 16, 20, 3, 2, &r));
    v = fx_conv(g, "b2", v, 20, 24, 3, 1, &r);
    int s = fx_conv(g, "s2", x, 16, 24, 1, 2, &r);
    v = fx_relu(g, "relu4", fx_add(g, "add2", v, s));
    v = fx_conv(g, "c3", v, 24, 24, 3, 1, &r);
    return fx_finish(g, v, 24, &r);
}

/* One layer of each kind: conv1, conv2 with two groups, p3 of 1 x 1, conv4 whose ReLU6
 * follows, then fc1 with a ReLU and fc2. */
static inline struct lr_graph *fx_mixed(uint64_t seed)
{
    struct lr_graph *g = fx_graph(FX_SIZE, FX_SIZE);
    struct lr_rng r;

    lr_rng_seed(&r, seed);
    int v = fx_relu(g, "relu1", fx_conv(g, "conv1", 0, FX_C, 16, 3, 1, &r));
    v = fx_conv(g, "conv2", v, 8, 16, 3, 1, &r);
    fx_groups(g, 2);
    v = fx_relu(g, "relu2", v);
    v = fx_relu(g, "relu3", fx_conv(g, "p3", v, 16, 24, 1, 1, &r));
    v = fx_conv(g, "conv4", v, 24, 24, 3, 2, &r);
    int lo = fx_weight(g, "lo", (struct lr_shape){0, {0}}, 0, &r);
    int hi = fx_weight(g, "hi", (struct lr_shape){0, {0}}, 0, &r);
    *(float *)g->values[hi].tensor->data = 6;
    v = fx_node(g, LR_OP_CLIP, "Clip", "relu4", 3, (int[]){v, lo, hi});
    v = fx_node(g, LR_OP_GLOBAL_AVERAGE_POOL, "GlobalAveragePool", "pool", 1, &v);
    v = fx_node(g, LR_OP_FLATTEN, "Flatten", "flat", 1, &v);
    int w = fx_weight(g, "fc1_w", (struct lr_shape){2, {24, 30}}, 0.5, &r);
    int b = fx_weight(g, "fc1_b", (struct lr_shape){1, {30}}, 0.1, &r);
    v = fx_relu(g, "relu5", fx_node(g, LR_OP_GEMM, "Gemm", "fc1", 3, (int[]){v, w, b}));
    w = fx_weight(g, "fc2_w", (struct lr_shape){2, {30, 10}}, 0.5, &r);
    b = fx_weight(g, "fc2_b", (struct lr_shape){1, {10}}, 0.1, &r);
    v = fx_node(g, LR_OP_GEMM, "Gemm", "fc2", 3, (int[]){v, w, b});
    g->outputs[0] = v;
    g->values[v].is_output = true;
    assert_ok(lr_graph_infer(g, NULL, fx_e));
    return g;
}

/* A private folder for the files of a test. */
struct fx_folder {
    char path[256];
};

static inline struct fx_folder fx_folder_make(void)
{
    struct fx_folder f;
    const char *tmp = getenv("TMPDIR");

    snprintf(f.path, sizeof(f.path), "%s/ranklab-test-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f.path));
    return f;
}

static inline void fx_folder_remove(const struct fx_folder *f)
{
    DIR *dir = opendir(f->path);
    char path[600];

    for (struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", f->path, d->d_name);
        unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(f->path);
}

/* The full name of a file in the folder, in buf. */
static inline const char *fx_path(char buf[600], const struct fx_folder *f,
                                  const char *file)
{
    snprintf(buf, 600, "%s/%s", f->path, file);
    return buf;
}

static inline void fx_write_graph(const struct fx_folder *f, const char *file,
                                  struct lr_graph *g)
{
    char path[600];

    assert_ok(lr_onnx_write(g, fx_path(path, f, file), fx_e));
    lr_graph_free(g);
}

/* n images of smooth random patterns: a few waves each, so that responses are correlated.
 */
static inline void fx_write_images(const struct fx_folder *f, const char *file, int64_t n,
                                   uint64_t seed)
{
    size_t per_image = FX_C * FX_SIZE * FX_SIZE;
    float *x = lr_calloc((size_t)n * per_image, sizeof(*x));
    char path[600];
    struct lr_rng r;

    assert_non_null(x);
    lr_rng_seed(&r, seed);
    for (int64_t i = 0; i < n; i++)
        for (int wave = 0; wave < 4; wave++) {
            double a = lr_rng_normal(&r), p = 6.28 * lr_rng_uniform(&r);
            double u = lr_rng_normal(&r), v = lr_rng_normal(&r);
            for (size_t k = 0; k < per_image; k++) {
                double row = (double)(k / FX_SIZE % FX_SIZE), col = (double)(k % FX_SIZE);
                double c = (double)(k / (FX_SIZE * FX_SIZE));
                x[(size_t)i * per_image + k] +=
                    (float)(a * sin(p + c * (double)(wave + 1) + u * row + v * col));
            }
        }
    assert_ok(lr_npy_write(fx_path(path, f, file), x,
                           (int64_t[]){n, FX_C, FX_SIZE, FX_SIZE}, 4, fx_e));
    lr_free(x);
}

#endif
