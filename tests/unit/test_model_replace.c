/* Layers replaced in a network's own file. The parts put in are an exact factorisation,
 * so every value that is left must be what it was: plain loops on what is read back are
 * the oracle. All that is not the layer must be there unchanged. */
#include "replace_fixture.h"

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
    };
    if (mb_fill_image(NULL) != 0)
        return 1;
    return cmocka_run_group_tests_name("model_replace", tests, mb_make_dir,
                                       mb_remove_dir);
}
