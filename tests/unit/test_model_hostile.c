/* Damaged and hostile files: whatever the bytes are, reading ends in an error with a
 * message or in a graph on which everything else can run. Meant for the sanitizers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"
#include "ranklab/file.h"
#include "ranklab/onnx.h"

static char *valid;
static size_t valid_len;

/* A network with one of everything the reader interprets, as bytes. */
static int write_valid(void **state)
{
    char path[400];
    struct lr_err e = {0};

    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 2, 9, 9);
    int a = mb_unary(g, "Relu", "r1", mb_conv(g, "c1", x, 2, 4, 3, 2, 1));
    int b = mb_bn(g, "bn", mb_conv(g, "c2", a, 4, 4, 3, 1, 1), 4);
    int s = mb_unary(g, "LeakyRelu", "r2", mb_binary(g, "Add", "sum", b, a));
    int shape = mb_unary(g, "Shape", "shape", s);
    int n = mb_binary(g, "Gather", "n", shape, mb_ints(g, "zero", 1, 1, (int64_t[]){0}));
    int t = mb_binary(g, "Concat", "t", n, mb_ints(g, "open", 1, 1, (int64_t[]){-1}));
    mb_set_int(g, t, "axis", 0);
    int p = mb_max_pool(g, "p", s, 2, 1, 0);
    mb_set_ints(g, p, "pads", 4, (int64_t[]){0, 0, 1, 1});
    int r = mb_binary(g, "Reshape", "r", p, t);
    int w = mb_weight(g, "fc.w", 2, (int64_t[]){5, 100});
    int y = mb_node(g, "Gemm", "fc", 3,
                    (int[]){r, w, mb_weight(g, "fc.b", 1, (int64_t[]){5})});
    mb_set_int(g, y, "transB", 1);
    mb_output(g, mb_unary(g, "Foo", "foo", mb_unary(g, "Softmax", "sm", y)));
    g->values[g->outputs[0]].dtype = LR_DT_F32;
    if (mb_make_dir(state) != 0)
        return -1;
    mb_path(path, "a.onnx");
    int bad = lr_onnx_write(g, path, &e) != LR_OK ||
              lr_file_read(&valid, &valid_len, path, 1 << 20, &e) != LR_OK;
    if (bad)
        fprintf(stderr, "%s\n", e.msg);
    mb_remove_dir(state);
    lr_graph_free(g);
    return bad ? -1 : 0;
}

static int free_valid(void **state)
{
    (void)state;
    lr_free(valid);
    return 0;
}

/* Reads a copy of exactly len bytes, so that a sanitizer sees every step beyond. True
 * when the bytes were a network. */
static bool feed(const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1), buf[700];
    struct lr_graph *g = NULL, *twin = NULL;
    struct lr_layer *layers;
    struct lr_err e = {0};
    int n;

    assert_non_null(copy);
    memcpy(copy, data, len);
    enum lr_status st = lr_onnx_parse(&g, copy, len, NULL, NULL, &e);
    free(copy);
    if (st != LR_OK) {
        assert_null(g);
        assert_true(e.code == st && e.msg[0]);
        return false;
    }
    if (lr_graph_infer(g, NULL, &e) == LR_OK && lr_graph_fold_bn(g, NULL, &e) == LR_OK)
        lr_graph_infer(g, NULL, &e);
    lr_graph_blocker(g, buf, sizeof(buf));
    lr_graph_cost(g);
    assert_int_equal(lr_layers_find(&layers, &n, g, &e), LR_OK);
    for (int i = 0; i < n; i++) {
        const struct lr_layer *x = &layers[i];
        if (!x->is_approximable || (int64_t)x->c * x->d * x->kh * x->kw > 1 << 20)
            continue;
        float *zeros = lr_calloc((size_t)(x->c * x->d * x->kh * x->kw), sizeof(float));
        const struct lr_conv_part parts[2] = {
            {x->group, x->c, x->kh, x->kw, x->group, x->stride_h, x->stride_w, x->dil_h,
             x->dil_w, x->pad_top, x->pad_left, x->pad_bottom, x->pad_right, zeros, NULL},
            {x->d, x->group, 1, 1, x->group, 1, 1, 1, 1, 0, 0, 0, 0, zeros, NULL},
        };
        assert_int_equal(lr_graph_split_layer(g, x->value, 2, parts, "zeros", &e), LR_OK);
        lr_free(zeros);
    }
    lr_layers_free(layers, n);
    assert_int_equal(lr_graph_clone(&twin, g, &e), LR_OK);
    lr_graph_free(twin);
    lr_graph_free(g);
    return true;
}

static void hostile__valid_file_is_read(void **state)
{
    (void)state;
    assert_true(feed(valid, valid_len));
}

static void hostile__truncated_files_are_refused(void **state)
{
    int n_read = 0;
    (void)state;
    for (size_t len = 0; len < valid_len; len += len < 600 ? 1 : 97)
        n_read += feed(valid, len);
    assert_int_equal(n_read, 0);
}

static uint32_t next(uint32_t *s)
{
    *s = *s * 1664525 + 1013904223;
    return *s >> 8;
}

static void hostile__flipped_bytes_never_crash(void **state)
{
    uint32_t s = 1;
    int n_read = 0;
    (void)state;
    char *data = malloc(valid_len);
    assert_non_null(data);
    for (int i = 0; i < 6000; i++) {
        memcpy(data, valid, valid_len);
        /* Half of the cases hit the structure in the front of the file. */
        size_t range = i % 2 ? valid_len : (valid_len < 1200 ? valid_len : 1200);
        for (uint32_t k = next(&s) % 4 + 1; k > 0; k--) {
            size_t at = next(&s) % range;
            data[at] = (char)(i % 3 ? next(&s) : (uint32_t)data[at] ^ 1u << next(&s) % 8);
        }
        n_read += feed(data, valid_len);
    }
    free(data);
    assert_true(n_read > 100); /* a flip in a weight is no error */
}

static void hostile__random_bytes_are_refused(void **state)
{
    uint32_t s = 2;
    char data[300];
    int n_read = 0;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        size_t len = next(&s) % sizeof(data);
        for (size_t k = 0; k < len; k++)
            data[k] = (char)next(&s);
        n_read += feed(data, len);
    }
    assert_int_equal(n_read, 0);
}

/* Pieces of the file in another order, doubled, or left out. */
static void hostile__spliced_files_never_crash(void **state)
{
    uint32_t s = 3;
    (void)state;
    char *data = malloc(2 * valid_len);
    assert_non_null(data);
    for (int i = 0; i < 2000; i++) {
        size_t from = next(&s) % valid_len, to = next(&s) % valid_len;
        size_t n = next(&s) % (valid_len - from);
        memcpy(data, valid, to);
        memcpy(data + to, valid + from, n);
        size_t rest = to + n < valid_len ? valid_len - to - n : 0;
        memcpy(data + to + n, valid + valid_len - rest, rest);
        feed(data, to + n + rest);
    }
    free(data);
}

static enum lr_status parse(const struct lr_strbuf *b, struct lr_err *e)
{
    struct lr_graph *g;
    enum lr_status st = lr_onnx_parse(&g, b->s, b->len, NULL, NULL, e);

    assert_null(g);
    return st;
}

/* Graphs inside attributes of nodes inside graphs: 7.1.5.6.1.5.6... */
static void hostile__deep_nesting_is_refused(void **state)
{
    struct lr_err e = {0};
    (void)state;
    for (int depth = 10; depth <= 20000; depth *= 2) {
        struct lr_strbuf b = {0};
        for (int i = 0; i < depth; i++) {
            static const unsigned fields[3] = {1, 5, 6};
            struct lr_strbuf outer = {0};
            pb_message(&outer, fields[(depth - 1 - i) % 3], &b);
            b = outer;
        }
        struct lr_strbuf model = {0};
        pb_int(&model, 1, 8);
        pb_message(&model, 7, &b);
        assert_int_equal(parse(&model, &e), LR_EPARSE);
        if (depth > 64)
            assert_non_null(strstr(e.msg, "nested more than 64 levels"));
        lr_strbuf_free(&model);
        if (depth > 1000)
            break;
    }
}

static void hostile__parts_twice_and_groups_are_refused(void **state)
{
    struct lr_strbuf b = {0}, graph = {0};
    struct lr_err e = {0};
    (void)state;
    pb_text(&graph, 2, "g");
    pb_message(&b, 7, &graph);
    pb_text(&graph, 2, "g");
    pb_message(&b, 7, &graph);
    assert_int_equal(parse(&b, &e), LR_EPARSE);
    assert_non_null(strstr(e.msg, "not an ONNX model"));
    assert_non_null(strstr(e.msg, "twice"));
    lr_strbuf_free(&b);
    lr_strbuf_add(&b, "\x3b\x3c", 2); /* field 7 as a group */
    assert_int_equal(parse(&b, &e), LR_EPARSE);
    lr_strbuf_free(&b);
    lr_strbuf_add(&b, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
    assert_int_equal(parse(&b, &e), LR_EPARSE);
    assert_non_null(strstr(e.msg, "broken number"));
    lr_strbuf_free(&b);
    pb_bytes(&b, 2, "a\0b", 3);
    assert_int_equal(parse(&b, &e), LR_EPARSE);
    assert_non_null(strstr(e.msg, "zero byte"));
    lr_strbuf_free(&b);
}

/* Three million empty nodes in six megabytes would become a gigabyte. */
static void hostile__too_many_parts_are_refused(void **state)
{
    struct lr_strbuf nodes = {0}, b = {0};
    struct lr_err e = {0};
    (void)state;
    for (int i = 0; i < 3000000; i++)
        lr_strbuf_add(&nodes, "\x0a\x00", 2);
    pb_int(&b, 1, 8);
    pb_message(&b, 7, &nodes);
    assert_int_equal(parse(&b, &e), LR_EPARSE);
    assert_non_null(strstr(e.msg, "more than 2097152 parts"));
    lr_strbuf_free(&b);
}

static void hostile__no_model_is_named(void **state)
{
    struct lr_graph *g;
    struct lr_err e = {0};
    (void)state;
    assert_int_equal(lr_onnx_parse(&g, "", 0, NULL, NULL, &e), LR_EPARSE);
    assert_string_equal(e.msg, "not an ONNX model (the file is empty)");
    assert_int_equal(lr_onnx_read(&g, NULL, "/", NULL, &e), LR_EIO);
    assert_int_equal(lr_onnx_read(&g, NULL, "/no/such/file.onnx", NULL, &e), LR_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile__valid_file_is_read),
        cmocka_unit_test(hostile__truncated_files_are_refused),
        cmocka_unit_test(hostile__flipped_bytes_never_crash),
        cmocka_unit_test(hostile__random_bytes_are_refused),
        cmocka_unit_test(hostile__spliced_files_never_crash),
        cmocka_unit_test(hostile__deep_nesting_is_refused),
        cmocka_unit_test(hostile__parts_twice_and_groups_are_refused),
        cmocka_unit_test(hostile__too_many_parts_are_refused),
        cmocka_unit_test(hostile__no_model_is_named),
    };
    return cmocka_run_group_tests_name("model_hostile", tests, write_valid, free_valid);
}
