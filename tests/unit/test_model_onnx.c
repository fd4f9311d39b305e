/* Reading and writing ONNX files: the round trip, every way weights can be stored, and
 * the inconsistencies a file can have, from hand-made protobuf. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model_build.h"
#include "ranklab/file.h"
#include "ranklab/onnx.h"

/* ---- hand-made models */

/* A TypeProto of a float tensor; sizes below 0 are the symbol "N", 0 ends the list. */
static void put_info(struct lr_strbuf *graph, unsigned field, const char *name,
                     const int64_t *dims)
{
    struct lr_strbuf info = {0}, type = {0}, tensor = {0}, shape = {0};

    for (; *dims; dims++) {
        struct lr_strbuf dim = {0};
        if (*dims < 0)
            pb_text(&dim, 2, "N");
        else
            pb_int(&dim, 1, (uint64_t)*dims);
        pb_message(&shape, 1, &dim);
    }
    pb_int(&tensor, 1, LR_DT_F32);
    pb_message(&tensor, 2, &shape);
    pb_message(&type, 1, &tensor);
    pb_text(&info, 1, name);
    pb_message(&info, 2, &type);
    pb_message(graph, field, &info);
}

static void put_node(struct lr_strbuf *graph, const char *type, const char *name,
                     const char *a, const char *b, const char *out)
{
    struct lr_strbuf n = {0};

    if (a)
        pb_text(&n, 1, a);
    if (b)
        pb_text(&n, 1, b);
    if (out)
        pb_text(&n, 2, out);
    if (name)
        pb_text(&n, 3, name);
    pb_text(&n, 4, type);
    pb_message(graph, 1, &n);
}

/* A tensor's head: name, dims (0 ends the list), element type. */
static void put_head(struct lr_strbuf *t, const char *name, const int64_t *dims,
                     int dtype)
{
    for (; *dims; dims++)
        pb_int(t, 1, (uint64_t)*dims);
    pb_int(t, 2, (uint64_t)dtype);
    pb_text(t, 8, name);
}

/* Wraps a graph into a model and empties it. */
static void wrap(struct lr_strbuf *model, struct lr_strbuf *graph)
{
    struct lr_strbuf opset = {0};

    pb_int(model, 1, 8);
    pb_int(&opset, 2, 13);
    pb_message(model, 8, &opset);
    pb_message(model, 7, graph);
}

static enum lr_status parse(struct lr_graph **g, struct lr_strbuf *graph,
                            struct lr_err *e)
{
    struct lr_strbuf model = {0};

    wrap(&model, graph);
    enum lr_status st = lr_onnx_parse(g, model.s, model.len, mb_dir(), NULL, e);
    lr_strbuf_free(&model);
    return st;
}

static void assert_parse_error(struct lr_strbuf *graph, enum lr_status code,
                               const char *text)
{
    struct lr_graph *g = NULL;
    struct lr_err e = {0};

    assert_int_equal(parse(&g, graph, &e), code);
    assert_null(g);
    if (!strstr(e.msg, text))
        fail_msg("\"%s\" does not contain \"%s\"", e.msg, text);
}

static const int64_t image_dims[] = {-1, 3, 4, 4, 0};

/* x -> Relu r -> y, to be completed. */
static void put_frame(struct lr_strbuf *g)
{
    put_info(g, 11, "x", image_dims);
    put_info(g, 12, "y", image_dims);
}

/* ---- how numbers are stored */

static void onnx__reads_typed_lists_and_raw_bytes_alike(void **state)
{
    static const struct {
        int dtype;
        unsigned field; /* of the typed list */
        size_t size;    /* of its packed elements, 0: varint */
    } types[] = {{LR_DT_F32, 4, 4}, {LR_DT_F64, 10, 8}, {LR_DT_I64, 7, 0},
                 {LR_DT_I32, 5, 0}, {LR_DT_I16, 5, 0},  {LR_DT_U16, 5, 0},
                 {LR_DT_I8, 5, 0},  {LR_DT_U8, 5, 0},   {LR_DT_BOOL, 5, 0},
                 {LR_DT_F16, 5, 0}, {LR_DT_BF16, 5, 0}, {LR_DT_U32, 11, 0},
                 {LR_DT_U64, 11, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        float f[3] = {1, 0, 1};
        double d[3] = {1, 0, 1};
        struct lr_tensor *as_float[2];
        for (int is_raw = 0; is_raw < 2; is_raw++) {
            struct lr_strbuf graph = {0}, t = {0}, list = {0};
            struct lr_graph *g;
            struct lr_err e = {0};
            size_t size = lr_dtype_size((enum lr_dtype)types[i].dtype);
            uint64_t one = types[i].dtype == LR_DT_F16    ? 0x3C00
                           : types[i].dtype == LR_DT_BF16 ? 0x3F80
                                                          : 1;
            put_head(&t, "w", (int64_t[]){3, 0}, types[i].dtype);
            if (types[i].size)
                lr_strbuf_add(&list, types[i].size == 4 ? (char *)f : (char *)d,
                              3 * types[i].size);
            for (int k = 0; k < 3 && !types[i].size; k++) {
                uint64_t v = k == 1 ? 0 : one;
                if (is_raw) {
                    lr_strbuf_add(&list, (char *)&v, size);
                    continue;
                }
                while (v >= 0x80) {
                    lr_strbuf_putc(&list, (char)(v | 0x80));
                    v >>= 7;
                }
                lr_strbuf_putc(&list, (char)v);
            }
            pb_bytes(&t, is_raw ? 9 : types[i].field, list.s, list.len);
            lr_strbuf_free(&list);
            pb_message(&graph, 5, &t);
            put_frame(&graph);
            put_node(&graph, "Relu", "r", "x", NULL, "y");
            if (parse(&g, &graph, &e) != LR_OK)
                fail_msg("type %d: %s", types[i].dtype, e.msg);
            const struct lr_tensor *w = g->values[lr_graph_find_value(g, "w")].tensor;
            assert_int_equal((int)w->dtype, types[i].dtype);
            assert_int_equal(lr_tensor_to_f32(&as_float[is_raw], w, &e), LR_OK);
            assert_memory_equal(as_float[is_raw]->data, f, sizeof(f));
            lr_graph_free(g);
        }
        lr_tensor_free(as_float[0]);
        lr_tensor_free(as_float[1]);
    }
}

static void onnx__refuses_tensor_when_size_and_shape_differ(void **state)
{
    (void)state;
    struct lr_strbuf g = {0}, t = {0};
    put_frame(&g);
    put_node(&g, "Relu", "r", "x", NULL, "y");
    put_head(&t, "w", (int64_t[]){2, 3, 0}, LR_DT_F32);
    pb_bytes(&t, 9, "12345678", 8);
    pb_message(&g, 5, &t);
    assert_parse_error(&g, LR_EPARSE, "tensor w: shape 2x3 needs 24 bytes, got 8");

    put_head(&t, "w", (int64_t[]){2, 0}, LR_DT_I64);
    pb_int(&t, 7, 5);
    pb_message(&g, 5, &t);
    assert_parse_error(&g, LR_EPARSE, "tensor w: shape 2 needs 2 values, got 1");

    put_head(&t, "w", (int64_t[]){INT64_MAX, INT64_MAX, 0}, LR_DT_F32);
    pb_message(&g, 5, &t);
    assert_parse_error(&g, LR_EPARSE, "is not possible");

    put_head(&t, "w", (int64_t[]){-5, 0}, LR_DT_F32);
    pb_message(&g, 5, &t);
    assert_parse_error(&g, LR_EPARSE, "is not possible");

    put_head(&t, "w", (int64_t[]){1, 0}, 8);
    pb_message(&g, 5, &t);
    assert_parse_error(&g, LR_EUNSUP, "tensor w: element type 8");

    float bad[2] = {1, NAN};
    put_head(&t, "w", (int64_t[]){2, 0}, LR_DT_F32);
    pb_bytes(&t, 9, bad, sizeof(bad));
    pb_message(&g, 5, &t);
    assert_parse_error(&g, LR_ENUMERIC, "tensor w holds NaN");
}

/* ---- external data */

static void put_external(struct lr_strbuf *g, const char *location, const char *offset,
                         const char *length)
{
    const char *const pairs[3][2] = {
        {"location", location}, {"offset", offset}, {"length", length}};
    struct lr_strbuf t = {0};

    put_head(&t, "w", (int64_t[]){2, 0}, LR_DT_F32);
    for (int i = 0; i < 3; i++) {
        struct lr_strbuf entry = {0};
        if (!pairs[i][1])
            continue;
        pb_text(&entry, 1, pairs[i][0]);
        pb_text(&entry, 2, pairs[i][1]);
        pb_message(&t, 13, &entry);
    }
    pb_int(&t, 14, 1);
    pb_message(g, 5, &t);
    put_frame(g);
    put_node(g, "Relu", "r", "x", NULL, "y");
}

/* A mask may hold infinities, weights may not. */
static void onnx__allows_infinity_where_nothing_is_multiplied(void **state)
{
    (void)state;
    float mask[4] = {0, -INFINITY, 0, 1};
    for (int is_weight = 0; is_weight < 2; is_weight++) {
        struct lr_strbuf graph = {0}, t = {0};
        struct lr_graph *g = NULL;
        struct lr_err e = {0};
        put_frame(&graph);
        put_node(&graph, is_weight ? "MatMul" : "Add", "n", "x", "w", "y");
        put_head(&t, "w", (int64_t[]){4, 1, 0}, LR_DT_F32);
        pb_bytes(&t, 9, mask, sizeof(mask));
        pb_message(&graph, 5, &t);
        if (is_weight) {
            assert_parse_error(&graph, LR_ENUMERIC, "tensor w holds NaN or infinity");
            continue;
        }
        assert_int_equal(parse(&g, &graph, &e), LR_OK);
        lr_graph_free(g);
    }
}

static void onnx__reads_external_data_when_inside_the_folder(void **state)
{
    const float data[4] = {1, 2, 3, 4};
    char path[400];
    struct lr_strbuf graph = {0};
    struct lr_graph *g;
    struct lr_err e = {0};
    (void)state;
    assert_int_equal(lr_file_write(mb_path(path, "weights.bin"), data, sizeof(data), &e),
                     LR_OK);
    put_external(&graph, "weights.bin", "8", "8");
    if (parse(&g, &graph, &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_memory_equal(g->values[lr_graph_find_value(g, "w")].tensor->data, data + 2, 8);
    lr_graph_free(g);
    put_external(&graph, "./weights.bin", NULL, NULL);
    assert_int_equal(parse(&g, &graph, &e), LR_OK);
    lr_graph_free(g);

    put_external(&graph, "weights.bin", "12", NULL);
    assert_parse_error(&graph, LR_EPARSE, "needs 8 bytes from 12 on of a file of 16");
    put_external(&graph, "weights.bin", "9223372036854775807", NULL);
    assert_parse_error(&graph, LR_EPARSE, "needs 8 bytes from 9223372036854775807");
    put_external(&graph, "weights.bin", "-8", NULL);
    assert_parse_error(&graph, LR_EPARSE, "no number");
    put_external(&graph, "weights.bin", "0", "12");
    assert_parse_error(&graph, LR_EPARSE, "needs 8 bytes, got 12");
    put_external(&graph, "absent.bin", NULL, NULL);
    assert_parse_error(&graph, LR_EIO, "absent.bin");
    put_external(&graph, ".", NULL, NULL);
    assert_parse_error(&graph, LR_EPARSE, "outside");
    put_external(&graph, NULL, NULL, NULL);
    assert_parse_error(&graph, LR_EPARSE, "without a location");
}

static void onnx__refuses_external_data_when_outside_the_folder(void **state)
{
    char path[400], target[400];
    struct lr_strbuf graph = {0};
    (void)state;
    put_external(&graph, "/etc/passwd", NULL, NULL);
    assert_parse_error(&graph, LR_EPARSE, "outside the model's folder");
    put_external(&graph, "../weights.bin", NULL, NULL);
    assert_parse_error(&graph, LR_EPARSE, "outside the model's folder");
    put_external(&graph, "in/../../x", NULL, NULL);
    assert_parse_error(&graph, LR_EPARSE, "outside the model's folder");
    assert_int_equal(symlink("/etc/passwd", mb_path(path, "link")), 0);
    put_external(&graph, "link", NULL, NULL);
    assert_parse_error(&graph, LR_EPARSE, "outside the model's folder");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(mb_path(path, "link"), 0600), 0);
    put_external(&graph, "link", NULL, NULL);
    assert_parse_error(&graph, LR_EPARSE, "no regular file");
    assert_int_equal(unlink(path), 0);
    /* A link that stays inside is fine. */
    assert_int_equal(mkdir(mb_path(target, "in"), 0700), 0);
    assert_int_equal(lr_file_write(mb_path(target, "in/w"), "12345678", 8, NULL), LR_OK);
    assert_int_equal(symlink(target, mb_path(path, "link")), 0);
    put_external(&graph, "link", NULL, NULL);
    struct lr_graph *g;
    assert_int_equal(parse(&g, &graph, NULL), LR_OK);
    lr_graph_free(g);
}

/* ---- the graph */

static void onnx__refuses_graph_when_inconsistent(void **state)
{
    (void)state;
    struct lr_strbuf g = {0};
    put_frame(&g);
    put_node(&g, "Relu", "r", "z", NULL, "y");
    assert_parse_error(&g, LR_EPARSE, "r: input z is not defined");
    put_frame(&g);
    put_node(&g, "Relu", "a", "x", NULL, "y");
    put_node(&g, "Relu", "b", "x", NULL, "y");
    assert_parse_error(&g, LR_EPARSE, "b: y is defined twice");
    put_frame(&g);
    put_node(&g, "Relu", "a", "x", NULL, "x");
    assert_parse_error(&g, LR_EPARSE, "a: x is defined twice");
    put_frame(&g);
    put_node(&g, "Add", "a", "x", "q", "p");
    put_node(&g, "Relu", "b", "p", NULL, "q");
    put_node(&g, "Relu", "c", "q", NULL, "y");
    assert_parse_error(&g, LR_EPARSE, "a: depends on its own output");
    put_frame(&g);
    put_node(&g, "Relu", "a", "x", NULL, "q");
    assert_parse_error(&g, LR_EPARSE, "output y is not computed");
    put_frame(&g);
    assert_parse_error(&g, LR_EPARSE, "no nodes");
    put_info(&g, 11, "x", image_dims);
    put_node(&g, "Relu", "a", "x", NULL, "q");
    assert_parse_error(&g, LR_EPARSE, "no output");
    put_frame(&g);
    put_frame(&g);
    put_node(&g, "Relu", "a", "x", NULL, "y");
    assert_parse_error(&g, LR_EPARSE, "x is defined twice");
}

static void onnx__sorts_nodes_and_names_them(void **state)
{
    struct lr_strbuf s = {0};
    struct lr_graph *g;
    struct lr_err e = {0};
    (void)state;
    put_frame(&s);
    put_node(&s, "Relu", NULL, "q", NULL, "y");
    put_node(&s, "Relu", NULL, "p", NULL, "q");
    put_node(&s, "Tanh", "relu1", "x", NULL, "p");
    put_node(&s, "Tanh", "relu1", "x", NULL, "unused");
    assert_int_equal(parse(&g, &s, &e), LR_OK);
    mb_infer(g);
    mb_assert_shape(g, g->outputs[0], "Nx3x4x4");
    assert_string_equal(g->values[g->nodes[0].out[0]].name, "p");
    assert_string_equal(g->nodes[0].name, "relu1");
    assert_int_equal(lr_graph_find_node(g, "relu1"), 0);
    assert_true(lr_graph_find_node(g, "relu2") >= 0);
    assert_true(lr_graph_find_node(g, "relu3") >= 0);
    assert_true(lr_graph_find_node(g, "relu1_2") >= 0);
    lr_graph_free(g);
}

static void count_note(void *ctx, enum lr_note_level level, const char *text)
{
    *(int *)ctx += level == LR_NOTE_WARNING && strstr(text, "opset") != NULL;
}

static void onnx__warns_when_opset_is_not_known(void **state)
{
    (void)state;
    for (uint64_t opset = 6; opset <= 18; opset += 4) {
        struct lr_strbuf graph = {0}, model = {0}, import = {0};
        struct lr_graph *g;
        int n = 0;
        const struct lr_notes notes = {count_note, &n};
        put_frame(&graph);
        put_node(&graph, "Relu", "r", "x", NULL, "y");
        pb_int(&model, 1, 8);
        pb_int(&import, 2, opset);
        pb_message(&model, 8, &import);
        pb_message(&model, 7, &graph);
        assert_int_equal(lr_onnx_parse(&g, model.s, model.len, NULL, &notes, NULL),
                         LR_OK);
        assert_int_equal(n, opset < 7 || opset > 21);
        lr_strbuf_free(&model);
        lr_graph_free(g);
    }
}

/* Foo of a foreign domain with a list of strings, which is not interpreted. */
static void onnx__carries_unknown_operators_along(void **state)
{
    struct lr_strbuf s = {0}, n = {0}, a = {0};
    struct lr_graph *g, *back;
    struct lr_err e = {0};
    char path[400];
    (void)state;
    put_frame(&s);
    pb_text(&a, 1, "labels");
    pb_text(&a, 9, "one");
    pb_text(&a, 9, "two");
    pb_int(&a, 20, 8);
    pb_text(&n, 1, "x");
    pb_text(&n, 2, "y");
    pb_text(&n, 4, "Foo");
    pb_text(&n, 7, "com.example");
    pb_message(&n, 5, &a);
    pb_message(&s, 1, &n);
    assert_int_equal(parse(&g, &s, &e), LR_OK);
    mb_infer(g);
    assert_string_equal(g->nodes[0].name, "foo1");
    assert_string_equal(g->nodes[0].why_unsupported,
                        "operator Foo of domain com.example is not known");
    assert_int_equal(lr_node_attr(&g->nodes[0], "labels")->kind, LR_ATTR_OPAQUE);
    if (lr_onnx_write(g, mb_path(path, "a.onnx"), &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_int_equal(lr_onnx_read(&back, NULL, path, NULL, &e), LR_OK);
    const struct lr_attr *p = lr_node_attr(&back->nodes[0], "labels");
    assert_int_equal(p->n, lr_node_attr(&g->nodes[0], "labels")->n);
    assert_memory_equal(p->s, lr_node_attr(&g->nodes[0], "labels")->s, p->n);
    assert_true(back->values[back->outputs[0]].has_declared);
    lr_graph_free(back);
    lr_graph_free(g);
}

static void onnx__refuses_attribute_when_of_another_kind(void **state)
{
    struct lr_strbuf s = {0}, n = {0}, a = {0};
    (void)state;
    put_frame(&s);
    pb_text(&a, 1, "strides");
    pb_int(&a, 3, 2);
    pb_int(&a, 20, 2);
    pb_text(&n, 1, "x");
    pb_text(&n, 2, "y");
    pb_text(&n, 3, "pool");
    pb_text(&n, 4, "MaxPool");
    pb_message(&n, 5, &a);
    pb_message(&s, 1, &n);
    assert_parse_error(
        &s, LR_EPARSE,
        "pool: attribute strides holds an integer, not a list of integers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(onnx__reads_typed_lists_and_raw_bytes_alike),
        cmocka_unit_test(onnx__refuses_tensor_when_size_and_shape_differ),
        cmocka_unit_test(onnx__allows_infinity_where_nothing_is_multiplied),
        cmocka_unit_test(onnx__reads_external_data_when_inside_the_folder),
        cmocka_unit_test(onnx__refuses_external_data_when_outside_the_folder),
        cmocka_unit_test(onnx__refuses_graph_when_inconsistent),
        cmocka_unit_test(onnx__sorts_nodes_and_names_them),
        cmocka_unit_test(onnx__warns_when_opset_is_not_known),
        cmocka_unit_test(onnx__carries_unknown_operators_along),
        cmocka_unit_test(onnx__refuses_attribute_when_of_another_kind),
    };
    return cmocka_run_group_tests_name("model_onnx", tests, mb_make_dir, mb_remove_dir);
}
