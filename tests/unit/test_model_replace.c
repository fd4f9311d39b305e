/* Layers replaced in a network's own file. The parts put in are an exact factorisation,
 * so every value that is left must be what it was: plain loops on what is read back are
 * the oracle. All that is not the layer must be there unchanged. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "layer_part.h"
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

static void ok(enum lr_status st, const struct lr_err *e)
{
    if (st != LR_OK)
        fail_msg("%s", e->msg);
}

/* The layer without bias, then a 1 x 1 identity with it. */
static void factor(struct original *o, int i)
{
    const struct lr_layer *l = &o->layers[i];
    struct lr_err e = {0};
    size_t each = (size_t)(l->d / l->group);

    ok(lr_layer_weights(&o->w[i], &o->b[i], o->g, l, &e), &e);
    o->identity[i] = lr_calloc((size_t)l->d * each, sizeof(float));
    for (size_t k = 0; k < (size_t)l->d; k++)
        o->identity[i][k * each + k % each] = 1;
    o->parts[i][0] = whole_part(l, o->w[i]->data, NULL);
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
static void take(struct original *o, struct lr_graph *g)
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

static void release(struct original *o)
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

static struct lr_onnx_swap swap(const struct original *o, const char *name)
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

static struct lr_onnx_file *open_file(const struct original *o)
{
    struct lr_onnx_file *f;
    struct lr_err e = {0};

    ok(lr_onnx_open(&f, o->path, o->sha256, o->g, &e), &e);
    return f;
}

/* Saves as b.onnx and reads it back with nothing folded. *data as in lr_onnx_save. */
static struct lr_graph *save(struct lr_onnx_file *f, char **data, size_t max)
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

static struct lr_graph *split_all(const struct original *o, bool has_all_names,
                                  bool is_half)
{
    struct lr_onnx_file *f = open_file(o);
    struct lr_err e = {0};

    for (int i = 0; i < o->n; i++) {
        struct lr_onnx_swap w = swap(o, o->layers[i].name);
        int lost = -1;
        w.has_all_names = has_all_names;
        w.is_half = is_half;
        ok(lr_onnx_replace(f, &lost, &w, &e), &e);
        assert_int_equal(lost, 0);
    }
    return save(f, NULL, 0);
}

static bool is_made(const struct lr_graph *g, const char *name)
{
    int v = lr_graph_find_value(g, name);

    return v >= 0 && (g->values[v].tensor || g->values[v].producer >= 0);
}

/* Whether the name stands anywhere in b.onnx. */
static bool is_told(const char *name)
{
    char path[400], *data;
    size_t len;
    struct lr_err e = {0};

    ok(lr_file_read(&data, &len, mb_path(path, "b.onnx"), 1 << 20, &e), &e);
    bool is_there = memmem(data, len, name, strlen(name)) != NULL;
    lr_free(data);
    return is_there;
}

/* Every value of a that b still has is the same there. Returns how many are gone. */
static int compare(const struct lr_graph *a, const struct lr_graph *b, double tolerance)
{
    int n_gone = 0;

    for (int v = 0; v < a->n_values; v++) {
        if (a->values[v].producer < 0)
            continue;
        if (is_made(b, a->values[v].name))
            mb_assert_equal(a, b, a->values[v].name, tolerance);
        else
            n_gone++;
    }
    return n_gone;
}

static const char *type_of(const struct lr_graph *g, const char *node)
{
    int k = lr_graph_find_node(g, node);

    return k < 0 ? "none" : g->nodes[k].type;
}

/* ---- networks ---- */

/* conv, BN, ReLU; conv, Identity, BN and a constant added; grouped conv; the first is
 * added back. Untouched: c4 with its BN. */
static struct lr_graph *residual(void)
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

/* ---- tests ---- */

static void replace__leaves_all_else_as_it_was(void **state)
{
    struct original o;
    struct lr_err e = {0};
    (void)state;
    take(&o, residual());
    struct lr_onnx_file *f = open_file(&o);
    struct lr_onnx_swap w = swap(&o, "c2");
    ok(lr_onnx_replace(f, NULL, &w, &e), &e);
    ok(lr_onnx_set_prop(f, "ranklab.version", "1", &e), &e);
    ok(lr_onnx_set_prop(f, "ranklab.version", "2", &e), &e);
    struct lr_graph *back = save(f, NULL, 0);

    /* c2, Identity, BN and the constant's Add became two convolutions. */
    assert_int_equal(compare(o.plain, back, 1e-5), 3);
    assert_int_equal(back->n_nodes, o.plain->n_nodes - 4 + 2);
    assert_string_equal(type_of(back, "c2_r1"), "Conv");
    assert_string_equal(type_of(back, "c2_r2"), "Conv");
    assert_string_equal(back->nodes[lr_graph_find_node(back, "c2_r2")].doc,
                        "what was done");
    assert_string_equal(type_of(back, "bn2"), "none");
    assert_string_equal(type_of(back, "bn1"), "BatchNormalization");
    assert_false(is_told("extra") || is_told("c2_out") || is_told("same_out"));
    assert_true(is_told("c4_out"));
    assert_false(is_made(back, "c2.weight"));
    assert_true(is_made(back, "c1.weight"));
    for (int k = 0; k < o.plain->n_nodes; k++) {
        const struct lr_node *a = &o.plain->nodes[k];
        int at = lr_graph_find_node(back, a->name);
        if (at < 0)
            continue;
        const struct lr_node *b = &back->nodes[at];
        assert_string_equal(a->type, b->type);
        assert_int_equal(a->n_attrs, b->n_attrs);
        assert_string_equal(a->doc ? a->doc : "", b->doc ? b->doc : "");
        for (int i = 0; i < a->n_in; i++)
            assert_string_equal(o.plain->values[a->in[i]].name,
                                back->values[b->in[i]].name);
    }
    assert_int_equal(back->opset, 13);
    assert_string_equal(back->opsets[0].value, "3");
    assert_string_equal(back->doc, "two lines\nof text");
    assert_string_equal(back->graph_doc, "graph");
    assert_string_equal(back->producer_version, "1.0");
    assert_string_equal(back->batch_name, "batch");
    assert_int_equal(back->n_props, 2);
    assert_string_equal(back->props[0].value, "a,b");
    assert_string_equal(back->props[1].value, "2");
    lr_graph_free(back);
    release(&o);
}

static void replace__computes_the_same__for_every_kind_of_layer(void **state)
{
    struct original o;
    (void)state;
    take(&o, residual());
    assert_int_equal(o.n, 5);
    struct lr_graph *back = split_all(&o, false, false);
    /* Gone: what lay between a layer and the end of what was folded into it. */
    assert_int_equal(compare(o.plain, back, 1e-5), 1 + 3 + 1 + 1);
    assert_string_equal(type_of(back, "fc_r2"), "Gemm");
    assert_int_equal(back->n_nodes, o.plain->n_nodes - 2 - 4 - 1 - 2 - 2 + 10);
    assert_int_equal(
        lr_node_int(&back->nodes[lr_graph_find_node(back, "c3_r2")], "group", 1), 2);
    lr_graph_free(back);
    release(&o);
}

static void replace__keeps_every_name__where_asked(void **state)
{
    struct original o;
    (void)state;
    take(&o, residual());
    struct lr_graph *back = split_all(&o, true, false);
    assert_int_equal(compare(o.plain, back, 1e-5), 0);
    assert_int_equal(back->n_nodes, o.plain->n_nodes + o.n);
    assert_string_equal(type_of(back, "bn2"), "BatchNormalization");
    assert_true(is_made(back, "extra"));
    lr_graph_free(back);
    release(&o);
}

/* A value that somebody else reads, or that is an output of the network, has to stay
 * though the split would not need it. */
static void replace__keeps_a_value__that_is_read_elsewhere(void **state)
{
    struct original o;
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_conv(g, "c1", mb_image(g, -1, 3, 9, 9), 3, 8, 3, 1, 1);
    int idle = mb_unary(g, "Identity", "tap", x);
    mb_output(g, mb_unary(g, "Relu", "r", mb_bn(g, "bn", idle, 8)));
    /* Nobody needs it, but it reads the convolution's own output. */
    mb_unary(g, "Identity", "idle", x);
    mb_infer(g);
    take(&o, g);
    struct lr_onnx_file *f = open_file(&o);
    struct lr_onnx_swap w = swap(&o, "c1");
    assert_string_equal(w.value, "bn_out");
    ok(lr_onnx_replace(f, NULL, &w, &e), &e);
    struct lr_graph *back = save(f, NULL, 0);
    assert_int_equal(compare(o.plain, back, 1e-5), 0);
    assert_string_equal(type_of(back, "bn"), "BatchNormalization");
    assert_string_equal(type_of(back, "idle"), "Identity");
    lr_graph_free(back);
    release(&o);
}

/* Two layers of the same weights, and new names that are taken already. */
static void replace__shares_weights_and_finds_free_names(void **state)
{
    struct original o;
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 4, 8, 8), w = mb_weight(g, "w", 4, (int64_t[]){4, 4, 3, 3});
    int a = mb_binary(g, "Conv", "c1", x, w);
    a = mb_unary(g, "Relu", "c1_r1", a); /* the name of the first part */
    int b = mb_binary(g, "Conv", "c2", a, w);
    b = mb_binary(g, "Add", "c2_r1_weight", b, mb_weight(g, "c1_r2_bias", 0, NULL));
    mb_output(g, mb_unary(g, "Relu", "r", b));
    mb_infer(g);
    take(&o, g);
    struct lr_onnx_file *f = open_file(&o);
    struct lr_onnx_swap s = swap(&o, "c1");
    ok(lr_onnx_replace(f, NULL, &s, &e), &e);
    struct lr_graph *back = save(f, NULL, 0);
    assert_int_equal(compare(o.plain, back, 1e-5), 0);
    assert_true(is_made(back, "w"));
    assert_string_equal(type_of(back, "c1_r1"), "Relu");
    assert_string_equal(type_of(back, "c1_r1_2"), "Conv");
    lr_graph_free(back);
    f = open_file(&o);
    ok(lr_onnx_replace(f, NULL, &s, &e), &e);
    s = swap(&o, "c2");
    ok(lr_onnx_replace(f, NULL, &s, &e), &e);
    back = save(f, NULL, 0);
    compare(o.plain, back, 1e-5);
    assert_false(is_made(back, "w"));
    lr_graph_free(back);
    release(&o);
}

static void replace__says_what_is_lost__behind_a_factor_of_zero(void **state)
{
    struct original o;
    struct lr_err e = {0};
    int lost = 0;
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int c = mb_conv(g, "c1", mb_image(g, -1, 3, 9, 9), 3, 8, 3, 1, 1);
    int bn = mb_bn(g, "bn", c, 8);
    float *scale = g->values[mb_of(g, bn)->in[1]].tensor->data;
    scale[2] = scale[5] = 0;
    mb_output(g, mb_unary(g, "Relu", "r", bn));
    mb_infer(g);
    take(&o, g);
    struct lr_onnx_file *f = open_file(&o);
    struct lr_onnx_swap w = swap(&o, "c1");
    w.has_all_names = true;
    ok(lr_onnx_replace(f, &lost, &w, &e), &e);
    assert_int_equal(lost, 2);
    struct lr_graph *back = save(f, NULL, 0);
    mb_assert_equal(o.plain, back, "bn_out", 1e-5);
    lr_graph_free(back);
    release(&o);
}

static void replace__stores_half__and_refuses_what_does_not_fit(void **state)
{
    struct original o;
    struct lr_err e = {0};
    (void)state;
    take(&o, residual());
    struct lr_graph *back = split_all(&o, false, true);
    compare(o.plain, back, 5e-3);
    lr_graph_free(back);
    /* In the file they are halves; only shape inference folds the Cast. */
    char path[400];
    ok(lr_onnx_read(&back, NULL, mb_path(path, "b.onnx"), NULL, &e), &e);
    int v = lr_graph_find_value(back, "c1_r1_weight_16");
    assert_true(v >= 0);
    assert_int_equal(back->values[v].tensor->dtype, LR_DT_F16);
    assert_string_equal(type_of(back, "c1_r1_weight_cast"), "Cast");
    lr_graph_free(back);

    struct lr_onnx_file *f = open_file(&o);
    struct lr_onnx_swap w = swap(&o, "c3");
    w.is_half = true;
    ((float *)o.w[2]->data)[3] = -7e4f;
    assert_int_equal(lr_onnx_replace(f, NULL, &w, &e), LR_ENUMERIC);
    assert_non_null(strstr(e.msg, "c3_r1: its weight -70000 is too large"));
    lr_onnx_close(f);
    release(&o);
}

static void replace__keeps_auto_pad(void **state)
{
    struct original o;
    (void)state;
    struct lr_graph *g = mb_graph(13);
    struct lr_err e = {0};
    int c = mb_binary(g, "Conv", "c1", mb_image(g, -1, 3, 9, 8),
                      mb_weight(g, "w", 4, (int64_t[]){8, 3, 3, 3}));
    mb_set_ints(g, c, "strides", 2, (int64_t[]){2, 2});
    ok(lr_node_set_string(mb_of(g, c), "auto_pad", "SAME_LOWER", &e), &e);
    mb_output(g, mb_unary(g, "Relu", "r", c));
    mb_infer(g);
    take(&o, g);
    struct lr_graph *back = split_all(&o, false, false);
    compare(o.plain, back, 1e-5);
    const struct lr_node *n = &back->nodes[lr_graph_find_node(back, "c1_r1")];
    assert_string_equal(lr_node_string(n, "auto_pad", ""), "SAME_LOWER");
    assert_null(lr_node_attr(n, "pads"));
    lr_graph_free(back);
    release(&o);
}

static void replace__lists_new_weights_as_inputs__when_ir_is_old(void **state)
{
    struct original o;
    char path[400], *data;
    size_t len;
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = residual();
    g->ir_version = 3;
    take(&o, g);
    struct lr_graph *back = split_all(&o, false, false);
    compare(o.plain, back, 1e-5);
    assert_int_equal(back->n_inputs, 1);
    lr_graph_free(back);
    /* The name stands in the file three times: as an input, as the weight, and where it
     * is read; the old weight's is gone. */
    ok(lr_file_read(&data, &len, mb_path(path, "b.onnx"), 1 << 20, &e), &e);
    int n = 0;
    for (char *p = data; (p = memmem(p, len - (size_t)(p - data), "c3_r1_weight", 12));
         p++)
        n++;
    assert_int_equal(n, 3);
    assert_null(memmem(data, len, "c3_w", 4));
    lr_free(data);
    release(&o);
}

static void open__refuses_a_file_that_has_changed(void **state)
{
    struct original o;
    struct lr_onnx_file *f;
    struct lr_err e = {0};
    (void)state;
    take(&o, residual());
    struct lr_graph *g = mb_clone(o.plain);
    ((float *)g->values[lr_graph_find_value(g, "c1.weight")].tensor->data)[0] += 1;
    ok(lr_onnx_write(g, o.path, &e), &e);
    lr_graph_free(g);
    assert_int_equal(lr_onnx_open(&f, o.path, o.sha256, o.g, &e), LR_EINVAL);
    assert_non_null(strstr(e.msg, "has changed since it was opened"));
    unlink(o.path);
    assert_int_equal(lr_onnx_open(&f, o.path, o.sha256, o.g, &e), LR_EIO);
    release(&o);
}

/* ---- saving ---- */

static char *bytes_of(const char *path, size_t *len)
{
    char *data;
    struct lr_err e = {0};

    ok(lr_file_read(&data, len, path, 1 << 24, &e), &e);
    return data;
}

static struct lr_onnx_file *split_one(const struct original *o, const char *name)
{
    struct lr_onnx_file *f = open_file(o);
    struct lr_onnx_swap w = swap(o, name);
    struct lr_err e = {0};

    ok(lr_onnx_replace(f, NULL, &w, &e), &e);
    return f;
}

enum { LIMIT = 6000 };

/* A file that is too large is cut in two; one that was in two and fits becomes one. */
static void save__puts_weights_beside__when_they_do_not_fit(void **state)
{
    struct original o;
    char path[400], sha256[65], *data, *again;
    size_t n, m;
    struct lr_onnx_file *f;
    struct lr_err e = {0};
    (void)state;
    take(&o, residual());
    struct lr_graph *whole = save(split_one(&o, "c2"), NULL, 0), *back;
    char *bytes = bytes_of(mb_path(path, "b.onnx"), &n);
    assert_true(n > LIMIT);

    back = save(split_one(&o, "c2"), &data, LIMIT);
    assert_non_null(data);
    assert_non_null(strstr(data, "/b-"));
    ok(lr_graph_same(whole, back, &e), &e);
    lr_free(bytes_of(path, &m));
    assert_true(m <= LIMIT);
    lr_graph_free(back);

    /* The same again gives the same file; other weights another, and the first stays. */
    lr_graph_free(save(split_one(&o, "c1"), &again, LIMIT));
    assert_string_not_equal(data, again);
    unlink(again);
    lr_free(again);
    lr_graph_free(save(split_one(&o, "c2"), &again, LIMIT));
    assert_string_equal(data, again);
    lr_free(again);

    /* The two files are a network's own file like another. */
    ok(lr_onnx_read(&back, sha256, path, NULL, &e), &e);
    mb_infer(back);
    ok(lr_onnx_open(&f, path, sha256, back, &e), &e);
    lr_graph_free(back);
    lr_graph_free(save(f, NULL, 0));
    again = bytes_of(path, &m);
    assert_int_equal(m, n);
    assert_memory_equal(bytes, again, n);
    lr_free(again);
    lr_free(bytes);
    unlink(data);
    lr_free(data);
    lr_graph_free(whole);
    release(&o);
}

static enum lr_status refuse(void *arg, struct lr_graph *back, struct lr_err *e)
{
    ++*(int *)arg;
    assert_true(back->n_nodes > 0);
    return lr_err_set(e, LR_ENUMERIC, "it is refused");
}

static void save__leaves_the_old_files__when_the_check_fails(void **state)
{
    struct original o;
    int n_asked = 0;
    struct lr_onnx_save how = {LIMIT, refuse, &n_asked};
    struct lr_err e = {0};
    char path[400], *data, *none;
    size_t n, m;
    struct stat info;
    (void)state;
    take(&o, residual());
    lr_graph_free(save(split_one(&o, "c2"), &data, LIMIT));
    char *before = bytes_of(mb_path(path, "b.onnx"), &n);

    /* New weights go again, those of the old file stay. */
    for (int i = 0; i < 2; i++) {
        struct lr_onnx_file *f = split_one(&o, i ? "c2" : "c1");
        assert_int_equal(lr_onnx_save(f, &none, path, &how, &e), LR_ENUMERIC);
        assert_non_null(strstr(e.msg, "b.onnx: not written"));
        assert_non_null(strstr(e.msg, "it is refused"));
        assert_null(none);
        lr_onnx_close(f);
        assert_int_equal(n_asked, i + 1);
        assert_int_equal(stat(data, &info), 0);
    }
    char *after = bytes_of(path, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    lr_free(before);
    lr_free(after);
    unlink(data);
    lr_free(data);
    release(&o);
    /* mb_remove_dir fails when anything else is left in the folder. */
}

static void save__says_what_is_too_large(void **state)
{
    struct original o;
    struct lr_onnx_save how = {.max_bytes = 500};
    struct lr_err e = {0};
    char path[400], *none;
    (void)state;
    take(&o, residual());
    struct lr_onnx_file *f = split_one(&o, "c2");
    assert_int_equal(lr_onnx_save(f, &none, mb_path(path, "b.onnx"), &how, &e),
                     LR_EUNSUP);
    assert_non_null(strstr(e.msg, "without its weights"));
    lr_onnx_close(f);
    f = split_one(&o, "c2");
    assert_int_equal(lr_onnx_save(f, &none, "/dev/null", &how, &e), LR_EUNSUP);
    assert_non_null(strstr(e.msg, "needs a file beside it"));
    lr_onnx_close(f);
    release(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace__leaves_all_else_as_it_was),
        cmocka_unit_test(replace__computes_the_same__for_every_kind_of_layer),
        cmocka_unit_test(replace__keeps_every_name__where_asked),
        cmocka_unit_test(replace__keeps_a_value__that_is_read_elsewhere),
        cmocka_unit_test(replace__shares_weights_and_finds_free_names),
        cmocka_unit_test(replace__says_what_is_lost__behind_a_factor_of_zero),
        cmocka_unit_test(replace__stores_half__and_refuses_what_does_not_fit),
        cmocka_unit_test(replace__keeps_auto_pad),
        cmocka_unit_test(replace__lists_new_weights_as_inputs__when_ir_is_old),
        cmocka_unit_test(open__refuses_a_file_that_has_changed),
        cmocka_unit_test(save__puts_weights_beside__when_they_do_not_fit),
        cmocka_unit_test(save__leaves_the_old_files__when_the_check_fails),
        cmocka_unit_test(save__says_what_is_too_large),
    };
    if (mb_fill_image(NULL) != 0)
        return 1;
    return cmocka_run_group_tests_name("model_replace", tests, mb_make_dir,
                                       mb_remove_dir);
}
