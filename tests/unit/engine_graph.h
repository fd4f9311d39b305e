/* Small graphs for the engine's tests, built node by node. Every maker appends to the
 * graph and returns a value index; shapes are filled in by engine_naive.h, which runs the
 * graph with loops of its own. Allocation failures end the test. */
#ifndef RANKLAB_TEST_ENGINE_GRAPH_H
#define RANKLAB_TEST_ENGINE_GRAPH_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ranklab/graph.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

#define UNUSED __attribute__((unused))

struct build {
    struct lr_graph *g;
    struct lr_rng rng;
    int counter;
};

static UNUSED struct build build_new(uint64_t seed, int64_t opset)
{
    struct build b = {.g = lr_calloc(1, sizeof(struct lr_graph))};
    assert_non_null(b.g);
    b.g->opset = opset;
    b.g->ir_version = 7;
    b.g->name = lr_strdup("test");
    lr_rng_seed(&b.rng, seed);
    return b;
}

static UNUSED int value_new(struct build *b, const char *stem)
{
    struct lr_graph *g = b->g;
    char name[64];
    snprintf(name, sizeof name, "%s%d", stem, b->counter++);
    g->values = lr_realloc(g->values, (size_t)g->n_values, (size_t)g->n_values + 1,
                           sizeof *g->values);
    assert_non_null(g->values);
    g->values[g->n_values] =
        (struct lr_value){.name = lr_strdup(name), .dtype = LR_DT_F32, .producer = -1};
    g->cap_values = g->n_values + 1;
    return g->n_values++;
}

static UNUSED struct lr_shape shape_of(int n, const int64_t *dims)
{
    struct lr_shape s = {.n_dims = n};
    for (int i = 0; i < n; i++)
        s.dims[i] = dims[i];
    return s;
}

#define DIMS(...)                                                                        \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])               \
    {                                                                                    \
        __VA_ARGS__                                                                      \
    }

/* An activation input; dims[0] = -1 for the batch. */
static UNUSED int input(struct build *b, int n, const int64_t *dims)
{
    int v = value_new(b, "x");
    struct lr_graph *g = b->g;
    g->values[v].is_input = g->values[v].has_shape = true;
    g->values[v].shape = shape_of(n, dims);
    g->inputs =
        lr_realloc(g->inputs, (size_t)g->n_inputs, (size_t)g->n_inputs + 1, sizeof(int));
    g->inputs[g->n_inputs++] = v;
    return v;
}

static UNUSED void output(struct build *b, int v)
{
    struct lr_graph *g = b->g;
    g->values[v].is_output = true;
    g->outputs = lr_realloc(g->outputs, (size_t)g->n_outputs, (size_t)g->n_outputs + 1,
                            sizeof(int));
    g->outputs[g->n_outputs++] = v;
}

static UNUSED struct lr_tensor *constant(struct build *b, enum lr_dtype t, int n,
                                         const int64_t *dims, int *v)
{
    struct lr_shape s = shape_of(n, dims);
    *v = value_new(b, "w");
    struct lr_value *x = &b->g->values[*v];
    assert_int_equal(lr_tensor_new(&x->tensor, t, &s, NULL), LR_OK);
    x->dtype = t;
    x->has_shape = true;
    x->shape = s;
    return x->tensor;
}

/* A constant of normal numbers times scale. */
static UNUSED int weight(struct build *b, double scale, int n, const int64_t *dims)
{
    int v;
    struct lr_tensor *t = constant(b, LR_DT_F32, n, dims, &v);
    int64_t count = 0;
    lr_shape_count(&count, &t->shape, NULL);
    for (int64_t i = 0; i < count; i++)
        ((float *)t->data)[i] = (float)(scale * lr_rng_normal(&b->rng));
    return v;
}

static UNUSED int scalar(struct build *b, float x)
{
    int v;
    struct lr_tensor *t = constant(b, LR_DT_F32, 0, NULL, &v);
    *(float *)t->data = x;
    return v;
}

static UNUSED int integers(struct build *b, int n, const int64_t *x)
{
    int v;
    int64_t dims[1] = {n};
    struct lr_tensor *t = constant(b, LR_DT_I64, 1, dims, &v);
    memcpy(t->data, x, (size_t)n * sizeof *x);
    return v;
}

/* A node with up to 5 inputs (ended by -2; -1 leaves one out) and one output. */
static UNUSED int node(struct build *b, enum lr_op op, const char *type, ...)
{
    struct lr_graph *g = b->g;
    char name[64];
    va_list ap;
    int out = value_new(b, "v"), in[8], n_in = 0;
    g->nodes = lr_realloc(g->nodes, (size_t)g->n_nodes, (size_t)g->n_nodes + 1,
                          sizeof *g->nodes);
    assert_non_null(g->nodes);
    struct lr_node *n = &g->nodes[g->n_nodes];
    memset(n, 0, sizeof *n);
    va_start(ap, type);
    while (n_in < 8 && (in[n_in] = va_arg(ap, int)) != -2)
        n_in++;
    va_end(ap);
    snprintf(name, sizeof name, "%s_%d", type, g->n_nodes);
    n->op = op;
    n->type = lr_strdup(type);
    n->domain = lr_strdup("");
    n->name = lr_strdup(name);
    n->doc = lr_strdup("");
    n->in = lr_calloc((size_t)n_in + 1, sizeof(int));
    memcpy(n->in, in, (size_t)n_in * sizeof(int));
    n->n_in = n_in;
    n->out = lr_calloc(1, sizeof(int));
    n->out[0] = out;
    n->n_out = 1;
    g->values[out].producer = g->n_nodes;
    g->cap_nodes = ++g->n_nodes;
    return out;
}

static UNUSED struct lr_attr *attr(struct build *b, const char *name,
                                   enum lr_attr_kind kind)
{
    struct lr_node *n = &b->g->nodes[b->g->n_nodes - 1];
    n->attrs = lr_realloc(n->attrs, (size_t)n->n_attrs, (size_t)n->n_attrs + 1,
                          sizeof *n->attrs);
    n->attrs[n->n_attrs] = (struct lr_attr){.name = lr_strdup(name), .kind = kind};
    return &n->attrs[n->n_attrs++];
}

/* Attributes of the node made last. */
static UNUSED void set_int(struct build *b, const char *name, int64_t x)
{
    attr(b, name, LR_ATTR_INT)->i = x;
}

static UNUSED void set_float(struct build *b, const char *name, double x)
{
    attr(b, name, LR_ATTR_FLOAT)->f = (float)x;
}

static UNUSED void set_string(struct build *b, const char *name, const char *x)
{
    struct lr_attr *a = attr(b, name, LR_ATTR_STRING);
    a->s = lr_strdup(x);
    a->n = strlen(x);
}

static UNUSED void set_ints(struct build *b, const char *name, int n, const int64_t *x)
{
    struct lr_attr *a = attr(b, name, LR_ATTR_INTS);
    a->ints = lr_alloc((size_t)n, sizeof *x);
    memcpy(a->ints, x, (size_t)n * sizeof *x);
    a->n = (size_t)n;
}

/* k x k convolution from c to d channels; pads: top, left, bottom, right. */
static UNUSED int conv(struct build *b, int x, int64_t c, int64_t d, int64_t kh,
                       int64_t kw, int64_t stride, int64_t dil, int64_t group,
                       const int64_t pads[4], bool has_bias)
{
    int w = weight(b, 0.3, DIMS(d, c / group, kh, kw));
    int bias = has_bias ? weight(b, 0.5, DIMS(d)) : -2;
    int y = node(b, LR_OP_CONV, "Conv", x, w, bias, -2);
    set_ints(b, "kernel_shape", DIMS(kh, kw));
    set_ints(b, "strides", DIMS(stride, stride));
    set_ints(b, "dilations", DIMS(dil, dil));
    set_ints(b, "pads", 4, pads);
    set_int(b, "group", group);
    return y;
}

static UNUSED int conv3(struct build *b, int x, int64_t c, int64_t d)
{
    return conv(b, x, c, d, 3, 3, 1, 1, 1, (int64_t[]){1, 1, 1, 1}, true);
}

static UNUSED int relu(struct build *b, int x)
{
    return node(b, LR_OP_RELU, "Relu", x, -2);
}

static UNUSED int add(struct build *b, int x, int y)
{
    return node(b, LR_OP_ADD, "Add", x, y, -2);
}

static UNUSED int max_pool2(struct build *b, int x)
{
    int y = node(b, LR_OP_MAX_POOL, "MaxPool", x, -2);
    set_ints(b, "kernel_shape", DIMS(2, 2));
    set_ints(b, "strides", DIMS(2, 2));
    return y;
}

static UNUSED int flatten(struct build *b, int x)
{
    return node(b, LR_OP_FLATTEN, "Flatten", x, -2);
}

static UNUSED int gemm(struct build *b, int x, int64_t k, int64_t m)
{
    int w = weight(b, 0.2, DIMS(m, k)), c = weight(b, 0.5, DIMS(m));
    int y = node(b, LR_OP_GEMM, "Gemm", x, w, c, -2);
    set_int(b, "transB", 1);
    return y;
}

#endif
