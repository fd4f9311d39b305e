/* A network in a file and its layers split, for the tests of writing it. */
#ifndef REPLACE_FIXTURE_H
#define REPLACE_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/model.h"
#include "model_build.h"
#include "ranklab/file.h"
#include "ranklab/onnx.h"

enum { MAX_LAYERS = 8, MAX_SHOWN = 64 };

/* An original: its file, what is held of it, and an exact split of each layer. */
struct original {
    char path[400], sha256[65];
    struct lr_graph *plain, *g; /* as read, and folded */
    struct lr_layer *layers;
    int n;
    struct lr_conv_part parts[MAX_LAYERS][2];
    struct lr_tensor *w[MAX_LAYERS], *b[MAX_LAYERS];
    float *identity[MAX_LAYERS];
};

static inline void ok(enum lr_status st, const struct lr_err *e)
{
    if (st != LR_OK)
        fail_msg("%s", e->msg);
}

/* The layer without bias, then a 1 x 1 identity with it. */
static inline void factor(struct original *o, int i)
{
    const struct lr_layer *l = &o->layers[i];
    struct lr_err e = {0};
    size_t each = (size_t)(l->d / l->group);

    ok(lr_layer_weights(&o->w[i], &o->b[i], o->g, l, &e), &e);
    o->identity[i] = lr_calloc((size_t)l->d * each, sizeof(float));
    for (size_t k = 0; k < (size_t)l->d; k++)
        o->identity[i][k * each + k % each] = 1;
    o->parts[i][0] = lr_layer_part(l, o->w[i]->data, NULL);
    o->parts[i][1] = (struct lr_conv_part){.cout = l->d,
                                           .cin = l->d,
                                           .kh = 1,
                                           .kw = 1,
                                           .group = l->group,
                                           .stride_h = 1,
                                           .stride_w = 1,
                                           .dil_h = 1,
                                           .dil_w = 1,
                                           .w = o->identity[i],
                                           .b = o->b[i] ? o->b[i]->data : NULL};
}

/* Writes g, which is released, as a.onnx and takes it up again. */
static inline void take(struct original *o, struct lr_graph *g)
{
    struct lr_err e = {0};

    *o = (struct original){0};
    mb_path(o->path, "a.onnx");
    ok(lr_onnx_write(g, o->path, &e), &e);
    lr_graph_free(g);
    ok(lr_onnx_read(&o->plain, o->sha256, o->path, NULL, &e), &e);
    mb_infer(o->plain);
    o->g = mb_clone(o->plain);
    ok(lr_graph_fold_bn(o->g, NULL, &e), &e);
    mb_infer(o->g);
    ok(lr_layers_find(&o->layers, &o->n, o->g, &e), &e);
    assert_true(o->n <= MAX_LAYERS);
    for (int i = 0; i < o->n; i++)
        factor(o, i);
}

static inline void release(struct original *o)
{
    for (int i = 0; i < o->n; i++) {
        lr_tensor_free(o->w[i]);
        lr_tensor_free(o->b[i]);
        lr_free(o->identity[i]);
    }
    lr_layers_free(o->layers, o->n);
    lr_graph_free(o->plain);
    lr_graph_free(o->g);
}

static inline struct lr_onnx_swap swap(const struct original *o, const char *name)
{
    for (int i = 0; i < o->n; i++)
        if (strcmp(o->layers[i].name, name) == 0)
            return (struct lr_onnx_swap){.layer = o->layers[i].name,
                                         .value = o->g->values[o->layers[i].value].name,
                                         .n_parts = 2,
                                         .parts = o->parts[i],
                                         .doc = "what was done"};
    fail_msg("no layer %s", name);
    return (struct lr_onnx_swap){0};
}

static inline struct lr_onnx_file *open_file(const struct original *o)
{
    struct lr_onnx_file *f;
    struct lr_err e = {0};

    ok(lr_onnx_open(&f, o->path, o->sha256, o->g, &e), &e);
    return f;
}

/* Saves as b.onnx and reads it back with nothing folded. *data as in lr_onnx_save. */
static inline struct lr_graph *save(struct lr_onnx_file *f, char **data, size_t max)
{
    struct lr_onnx_save how = {.max_bytes = max};
    struct lr_graph *back;
    struct lr_err e = {0};
    char path[400], *made = NULL;

    ok(lr_onnx_save(f, &made, mb_path(path, "b.onnx"), &how, &e), &e);
    lr_onnx_close(f);
    ok(lr_onnx_read(&back, NULL, path, NULL, &e), &e);
    mb_infer(back);
    if (data)
        *data = made;
    else
        assert_null(made);
    return back;
}

/* ---- networks ---- */

/* conv, BN, ReLU; conv, Identity, BN and a constant added; grouped conv; the first is
 * added back. Untouched: c4 with its BN. */
static inline struct lr_graph *residual(void)
{
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 3, 9, 9);
    int a =
        mb_unary(g, "Relu", "r1", mb_bn(g, "bn1", mb_conv(g, "c1", x, 3, 8, 3, 2, 1), 8));
    int b = mb_unary(g, "Identity", "same", mb_conv(g, "c2", a, 8, 8, 3, 1, 1));
    b = mb_bn(g, "bn2", b, 8);
    b = mb_binary(g, "Add", "more", b, mb_weight(g, "extra", 3, (int64_t[]){8, 1, 1}));
    int s = mb_unary(g, "Relu", "r2", mb_binary(g, "Add", "sum", b, a));
    int w = mb_weight(g, "c3_w", 4, (int64_t[]){8, 4, 3, 3});
    int c = mb_binary(g, "Conv", "c3", s, w);
    mb_set_int(g, c, "group", 2);
    mb_set_ints(g, c, "pads", 4, (int64_t[]){1, 1, 1, 1});
    int d =
        mb_bn(g, "bn4", mb_conv(g, "c4", mb_unary(g, "Relu", "r3", c), 8, 4, 3, 1, 0), 4);
    int f = mb_unary(g, "Flatten", "f", d);
    int m = mb_binary(g, "MatMul", "fc", f, mb_weight(g, "fc_w", 2, (int64_t[]){36, 10}));
    mb_output(g,
              mb_binary(g, "Add", "fc_add", m, mb_weight(g, "fc_b", 1, (int64_t[]){10})));
    mb_of(g, a)->doc = lr_strdup("a remark");
    g->name = lr_strdup("sample");
    g->doc = lr_strdup("two lines\nof text");
    g->graph_doc = lr_strdup("graph");
    g->producer_name = lr_strdup("test");
    g->producer_version = lr_strdup("1.0");
    g->batch_name = lr_strdup("batch");
    g->props = lr_calloc(1, sizeof(*g->props));
    g->props[g->n_props++] = (struct lr_prop){lr_strdup("classes"), lr_strdup("a,b")};
    g->opsets = lr_calloc(1, sizeof(*g->opsets));
    g->opsets[g->n_opsets++] = (struct lr_prop){lr_strdup("com.example"), lr_strdup("3")};
    mb_infer(g);
    return g;
}

#endif
