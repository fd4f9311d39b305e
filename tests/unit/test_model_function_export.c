/* Networks with local functions exported: functions stay wherever no layer is replaced.
 */
#include "function_fixture.h"
#include "model/onnx_function.h"
#include "ranklab/file.h"

/* The bytes of a file in which the layer was replaced by itself (NULL: nothing was). */
static char *export(size_t *len, const char *layer, struct lr_strbuf *b)
{
    struct lr_onnx_file *f;
    struct lr_onnx_save how = {0};
    struct lr_graph *g = NULL;
    struct lr_layer *layers = NULL;
    struct lr_err e = {0};
    struct lr_file to = {0};
    char a[400], out[400], sha256[65], *made = NULL, *data = NULL;
    int n = 0;

    mb_path(a, "a.onnx");
    bool is_ok = lr_file_begin(&to, a, &e) == LR_OK &&
                 fwrite(b->s, 1, b->len, to.fp) == b->len &&
                 lr_file_commit(&to, &e) == LR_OK;
    lr_strbuf_free(b);
    if (!is_ok || lr_onnx_read(&g, sha256, a, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    mb_infer(g);
    if (lr_onnx_open(&f, a, sha256, g, &e) != LR_OK ||
        lr_layers_find(&layers, &n, g, &e) != LR_OK)
        fail_msg("%s", e.msg);
    for (int i = 0; layer && i < n; i++) {
        struct lr_tensor *w = NULL, *bias = NULL;
        if (strcmp(layers[i].name, layer) != 0)
            continue;
        assert_int_equal(lr_layer_weights(&w, &bias, g, &layers[i], &e), LR_OK);
        struct lr_conv_part part =
            lr_layer_part(&layers[i], w->data, bias ? bias->data : NULL);
        struct lr_onnx_swap swap = {.layer = layer,
                                    .value = g->values[layers[i].value].name,
                                    .n_parts = 1,
                                    .parts = &part};
        assert_true(lr_onnx_has_layer(f, &swap));
        if (lr_onnx_replace(f, NULL, &swap, &e) != LR_OK)
            fail_msg("%s", e.msg);
        layer = NULL;
        lr_tensor_free(w);
        lr_tensor_free(bias);
    }
    assert_null(layer);
    if (lr_onnx_save(f, &made, mb_path(out, "b.onnx"), &how, &e) != LR_OK ||
        lr_file_read(&data, len, out, 1 << 20, &e) != LR_OK)
        fail_msg("%s", e.msg);
    lr_onnx_close(f);
    lr_layers_free(layers, n);
    lr_graph_free(g);
    return data;
}

static bool holds(const char *data, size_t len, const char *text)
{
    return memmem(data, len, text, strlen(text)) != NULL;
}

static void function__stays_where_nothing_is_replaced(void **state)
{
    struct file f = two_calls();
    struct lr_strbuf b = finish(&f);
    /* with fields in their order */
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, b.len, (const uint8_t *)b.s);
    assert_non_null(m);
    size_t len, len_before = onnx__model_proto__get_packed_size(m);
    uint8_t *before = lr_alloc(len_before, 1);
    (void)state;
    onnx__model_proto__pack(m, before);
    onnx__model_proto__free_unpacked(m, NULL);
    char *data = export(&len, NULL, &b);
    assert_int_equal(len, len_before);
    assert_memory_equal(data, before, len);
    lr_free(data);
    lr_free(before);
}

static void function__is_expanded_where_a_layer_is_replaced(void **state)
{
    struct file f = two_calls();
    struct lr_strbuf b = finish(&f);
    struct lr_graph *g;
    struct lr_err e = {0};
    size_t len;
    (void)state;
    char *data = export(&len, "one/inner", &b);
    assert_int_equal(lr_onnx_parse(&g, data, len, NULL, NULL, &e), LR_OK);
    mb_infer(g);
    /* the other call is one still, and so are both functions */
    assert_true(holds(data, len, "one/inner_r1"));
    assert_true(holds(data, len, "one/Relu"));
    assert_false(holds(data, len, "two/inner"));
    assert_true(holds(data, len, "Block"));
    assert_same(g, two_written_out());
    lr_free(data);
}

/* Of a call that is expanded the calls inside stay, if nothing was taken out of them. */
static void function__inner_calls_stay(void **state)
{
    struct lr_strbuf nodes = {0}, attrs = {0};
    struct file f = {0};
    struct lr_graph *g;
    struct lr_err e = {0};
    size_t len;
    (void)state;
    put_weights(&f);
    put_block(&f);
    put_ints(&attrs, 5, "pads", 4, 1);
    put_node(&nodes, IN_FUNCTION, "F:Block", "x w b", "a", "one", &attrs);
    put_ints(&attrs, 5, "pads", 4, 1);
    put_node(&nodes, IN_FUNCTION, "F:Block", "a v", "y", "two", &attrs);
    put_function(&f, "All", "x w v b", "y", &nodes, 13, NULL);
    put_node(&f.graph, IN_GRAPH, "F:All", "x w v b", "y", "all", NULL);
    struct lr_strbuf b = finish(&f);
    char *data = export(&len, "two/inner", &b);
    assert_int_equal(lr_onnx_parse(&g, data, len, NULL, NULL, &e), LR_OK);
    mb_infer(g);
    assert_true(holds(data, len, "two/inner_r1"));
    assert_true(holds(data, len, "Block"));
    assert_false(holds(data, len, "one/inner"));
    assert_false(holds(data, len, "All"));
    assert_same(g, two_written_out());
    lr_free(data);
}

/* Whatever allocation fails, reading ends with an error and nothing is lost. */
static void function__short_memory_ends_in_an_error(void **state)
{
    struct file f = two_calls();
    struct lr_strbuf b = finish(&f);
    struct lr_graph *g = NULL;
    struct lr_err e = {0};
    size_t held = lr_mem_held(), limit = lr_mem_limit(), n_failed = 0;
    (void)state;
    for (size_t more = 0; !g; more += 8) {
        assert_true(more < 1 << 20);
        lr_mem_set_limit(held + more);
        enum lr_status st = lr_onnx_parse(&g, b.s, b.len, NULL, NULL, &e);
        lr_mem_set_limit(limit);
        if (st != LR_OK && st != LR_ENOMEM)
            fail_msg("%s", e.msg);
        assert_true(g || lr_mem_held() == held);
        n_failed += st == LR_ENOMEM;
    }
    assert_true(n_failed > 50);
    lr_graph_free(g);
    lr_strbuf_free(&b);
}

static void function__short_memory_leaves_nothing_of_an_export(void **state)
{
    struct file f = two_calls();
    struct lr_strbuf b = finish(&f);
    struct lr_onnx_save how = {0};
    struct lr_graph *g;
    struct lr_err e = {0};
    char path[400], sha256[65], *made = NULL;
    size_t len, n_failed = 0, limit = lr_mem_limit();
    (void)state;
    lr_free(export(&len, NULL, &b));
    assert_int_equal(lr_onnx_read(&g, sha256, mb_path(path, "a.onnx"), NULL, &e), LR_OK);
    mb_infer(g);
    enum lr_status st = LR_ENOMEM;
    const size_t held = lr_mem_held();
    for (size_t more = 0; st == LR_ENOMEM; more += 56) {
        struct lr_onnx_file *file = NULL;
        assert_true(more < 1 << 20);
        lr_mem_set_limit(held + more);
        st = lr_onnx_open(&file, path, sha256, g, &e);
        if (st == LR_OK)
            st = lr_onnx_save(file, &made, "/dev/null", &how, &e);
        lr_mem_set_limit(limit);
        lr_onnx_close(file);
        assert_true(lr_mem_held() == held);
        n_failed += st == LR_ENOMEM;
    }
    if (st != LR_OK)
        fail_msg("%s", e.msg);
    assert_true(n_failed > 50);
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(function__stays_where_nothing_is_replaced,
                                        mb_make_dir, mb_remove_dir),
        cmocka_unit_test_setup_teardown(function__is_expanded_where_a_layer_is_replaced,
                                        mb_make_dir, mb_remove_dir),
        cmocka_unit_test_setup_teardown(function__inner_calls_stay, mb_make_dir,
                                        mb_remove_dir),
        cmocka_unit_test(function__short_memory_ends_in_an_error),
        cmocka_unit_test_setup_teardown(
            function__short_memory_leaves_nothing_of_an_export, mb_make_dir,
            mb_remove_dir),
    };
    return cmocka_run_group_tests_name("model_function_export", tests, mb_fill_image,
                                       NULL);
}
