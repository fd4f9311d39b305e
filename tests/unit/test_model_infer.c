/* Shape inference: every rule with a case computed by hand, and the contradictions each
 * must refuse by name. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"

/* Inference fails with this code and a message that contains text. */
static void assert_refused(struct lr_graph *g, enum lr_status code, const char *text)
{
    struct lr_err e = {0};

    assert_int_equal(lr_graph_infer(g, NULL, &e), code);
    if (!strstr(e.msg, text))
        fail_msg("\"%s\" does not contain \"%s\"", e.msg, text);
    lr_graph_free(g);
}

/* Inference succeeds and the node of v is unsupported for a reason that contains text. */
static void assert_why(struct lr_graph *g, int v, const char *text)
{
    mb_infer(g);
    assert_non_null(mb_of(g, v)->why_unsupported);
    if (!strstr(mb_of(g, v)->why_unsupported, text))
        fail_msg("\"%s\" does not contain \"%s\"", mb_of(g, v)->why_unsupported, text);
    lr_graph_free(g);
}

static void assert_plain(struct lr_graph *g, int v, const char *shape)
{
    mb_infer(g);
    mb_assert_shape(g, v, shape);
    if (mb_of(g, v)->why_unsupported)
        fail_msg("unexpected: %s", mb_of(g, v)->why_unsupported);
    lr_graph_free(g);
}

static void infer__sizes_convolution_when_strided_padded_dilated_grouped(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int v = mb_conv(g, "c", mb_image(g, 1, 3, 17, 20), 3, 8, 3, 2, 1);
    assert_plain(g, v, "Nx8x9x10");

    g = mb_graph(13);
    v = mb_conv(g, "c", mb_image(g, -1, 4, 9, 9), 2, 6, 3, 1, 0);
    mb_set_int(g, v, "group", 2);
    mb_set_ints(g, v, "dilations", 2, (int64_t[]){2, 3});
    assert_plain(g, v, "Nx6x5x3");
}

static void infer__resolves_auto_pad_when_same_or_valid(void **state)
{
    static const struct {
        const char *mode;
        int64_t pads[4];
        const char *shape;
    } cases[] = {{"SAME_UPPER", {0, 0, 1, 1}, "Nx2x4x4"},
                 {"SAME_LOWER", {1, 1, 0, 0}, "Nx2x4x4"},
                 {"VALID", {0, 0, 0, 0}, "Nx2x3x3"},
                 {"NOTSET", {0, 0, 0, 0}, "Nx2x3x3"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_graph *g = mb_graph(13);
        struct lr_window w;
        int v = mb_conv(g, "c", mb_image(g, 1, 1, 8, 8), 1, 2, 3, 2, 0);
        assert_int_equal(lr_node_set_string(mb_of(g, v), "auto_pad", cases[i].mode, NULL),
                         0);
        mb_infer(g);
        mb_assert_shape(g, v, cases[i].shape);
        assert_int_equal(lr_node_window(&w, g, mb_of(g, v), NULL), LR_OK);
        assert_int_equal(w.pad_top, cases[i].pads[0]);
        assert_int_equal(w.pad_left, cases[i].pads[1]);
        assert_int_equal(w.pad_bottom, cases[i].pads[2]);
        assert_int_equal(w.pad_right, cases[i].pads[3]);
        lr_graph_free(g);
    }
}

static void infer__refuses_convolution_when_weights_contradict(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    mb_conv(g, "conv1", mb_image(g, 1, 4, 8, 8), 3, 8, 3, 1, 1);
    assert_refused(g, LR_ESHAPE, "conv1: weights of shape 8x3x3x3");

    g = mb_graph(13);
    int v = mb_conv(g, "conv1", mb_image(g, 1, 4, 8, 8), 2, 5, 3, 1, 1);
    mb_set_int(g, v, "group", 2);
    assert_refused(g, LR_ESHAPE, "2 groups");

    g = mb_graph(13);
    v = mb_conv(g, "conv1", mb_image(g, 1, 3, 8, 8), 3, 8, 3, 1, 1);
    mb_set_ints(g, v, "kernel_shape", 2, (int64_t[]){5, 5});
    assert_refused(g, LR_ESHAPE, "kernel_shape 5x5");

    g = mb_graph(13);
    v = mb_conv(g, "conv1", mb_image(g, 1, 3, 8, 8), 3, 8, 3, 1, 1);
    mb_of(g, v)->in[2] = mb_weight(g, "b", 1, (int64_t[]){7});
    assert_refused(g, LR_ESHAPE, "bias of shape 7, but 8 filters");

    g = mb_graph(13);
    mb_conv(g, "conv1", mb_image(g, 1, 3, 4, 4), 3, 8, 7, 1, 1);
    assert_refused(g, LR_ESHAPE, "window is larger");

    g = mb_graph(13);
    v = mb_conv(g, "conv1", mb_image(g, 1, 3, 4, 4), 3, 8, 3, 1, 1);
    mb_set_ints(g, v, "strides", 2, (int64_t[]){0, 1});
    assert_refused(g, LR_ESHAPE, "strides 0");

    g = mb_graph(13);
    v = mb_conv(g, "conv1", mb_image(g, 1, 3, 4, 4), 3, 8, 3, 1, 1);
    mb_set_ints(g, v, "pads", 4, (int64_t[]){0, -1, 0, 0});
    assert_refused(g, LR_ESHAPE, "padding -1");

    g = mb_graph(13);
    v = mb_conv(g, "conv1", mb_image(g, 1, 3, 4, 4), 3, 8, 3, 1, 1);
    mb_set_ints(g, v, "dilations", 2, (int64_t[]){INT64_MAX, 1});
    assert_refused(g, LR_ESHAPE, "dilations");
}

static void infer__sizes_convolution_when_not_2d(void **state)
{
    static const int64_t w1[] = {4, 3, 3}, w3[] = {4, 3, 3, 3, 3};
    (void)state;
    for (int d = 1; d <= 3; d += 2) {
        struct lr_graph *g = mb_graph(13);
        struct lr_shape s = {d + 2, {1, 3, 9, 9, 9}};
        int x, w = mb_weight(g, "w", d + 2, d == 1 ? w1 : w3);
        assert_int_equal(lr_graph_add_input(g, &x, "x", LR_DT_F32, &s, NULL), LR_OK);
        int v = mb_binary(g, "Conv", "c", x, w);
        mb_infer(g);
        assert_null(mb_of(g, v)->why_unsupported);
        mb_assert_shape(g, v, d == 1 ? "Nx4x7" : "Nx4x7x7x7");
        lr_graph_free(g);
    }
}

static void infer__computes_weights_when_they_depend_on_constants(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, 1, 3, 8, 8);
    int w = mb_weight(g, "w", 4, (int64_t[]){4, 3, 1, 1});
    int v = mb_binary(g, "Conv", "c", x, mb_unary(g, "Relu", "r", w));
    mb_infer(g);
    assert_int_equal(g->n_nodes, 1);
    const struct lr_tensor *t = g->values[mb_of(g, v)->in[1]].tensor;
    assert_non_null(t);
    for (int i = 0; i < 12; i++)
        assert_true(((const float *)t->data)[i] >= 0);
    lr_graph_free(g);
}

static void infer__sizes_pooling_when_ceil_mode_and_padding(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    assert_plain(g, mb_max_pool(g, "p", mb_image(g, 1, 2, 7, 8), 3, 2, 0), "Nx2x3x3");
    g = mb_graph(13);
    assert_plain(g, mb_max_pool(g, "p", mb_image(g, 1, 2, 7, 8), 3, 2, 1), "Nx2x3x4");

    /* (5 + 2 - 2) / 3 rounded up makes 3 windows, the last one behind the data. */
    g = mb_graph(13);
    int v = mb_max_pool(g, "p", mb_image(g, 1, 2, 5, 5), 2, 3, 1);
    mb_set_ints(g, v, "pads", 4, (int64_t[]){1, 1, 1, 1});
    assert_plain(g, v, "Nx2x2x2");

    g = mb_graph(13);
    v = mb_max_pool(g, "p", mb_image(g, 1, 2, 9, 9), 3, 1, 0);
    mb_set_ints(g, v, "dilations", 2, (int64_t[]){2, 2});
    assert_plain(g, v, "Nx2x5x5");

    g = mb_graph(13);
    assert_plain(g, mb_unary(g, "GlobalAveragePool", "p", mb_image(g, 1, 5, 9, 7)),
                 "Nx5x1x1");
    g = mb_graph(13);
    mb_unary(g, "MaxPool", "p", mb_image(g, 1, 5, 9, 7));
    assert_refused(g, LR_EPARSE, "p: kernel_shape is missing");
}

static void infer__sizes_products_when_transposed(void **state)
{
    (void)state;
    for (int is_trans = 0; is_trans < 2; is_trans++) {
        struct lr_graph *g = mb_graph(13);
        int x = mb_unary(g, "Flatten", "f", mb_image(g, 1, 2, 3, 2));
        int w = mb_weight(g, "w", 2, is_trans ? (int64_t[]){5, 12} : (int64_t[]){12, 5});
        int b = mb_weight(g, "b", 1, (int64_t[]){5});
        int v = mb_node(g, "Gemm", "g", 3, (int[]){x, w, b});
        mb_set_int(g, v, "transB", is_trans);
        assert_plain(g, v, "Nx5");
    }
    struct lr_graph *g = mb_graph(13);
    int x = mb_unary(g, "Flatten", "f", mb_image(g, 1, 2, 3, 2));
    mb_binary(g, "Gemm", "fc", x, mb_weight(g, "w", 2, (int64_t[]){11, 5}));
    assert_refused(g, LR_ESHAPE, "fc: cannot multiply Nx12 by 11x5");

    g = mb_graph(13);
    x = mb_unary(g, "Flatten", "f", mb_image(g, 1, 2, 3, 2));
    int w = mb_weight(g, "w", 2, (int64_t[]){12, 5});
    mb_node(g, "Gemm", "fc", 3, (int[]){x, w, mb_weight(g, "b", 1, (int64_t[]){4})});
    assert_refused(g, LR_ESHAPE, "bias of shape 4");

    g = mb_graph(13);
    w = mb_weight(g, "w", 2, (int64_t[]){7, 6});
    assert_plain(g, mb_binary(g, "MatMul", "m", mb_image(g, 1, 2, 3, 7), w), "Nx2x3x6");
    g = mb_graph(13);
    w = mb_weight(g, "w", 2, (int64_t[]){8, 6});
    mb_binary(g, "MatMul", "m", mb_image(g, 1, 2, 3, 7), w);
    assert_refused(g, LR_ESHAPE, "m: cannot multiply");
}

static void infer__sizes_matrix_products_when_both_factors_are_computed(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 2, 3, 7), t = mb_unary(g, "Transpose", "t", x);
    mb_set_ints(g, t, "perm", 4, (int64_t[]){0, 1, 3, 2});
    int y = mb_binary(g, "MatMul", "m", x, t);
    mb_output(g, y);
    mb_infer(g);
    mb_assert_shape(g, y, "Nx2x3x3");
    assert_null(mb_of(g, y)->why_unsupported);
    assert_int_equal(lr_node_cost(g, mb_of(g, y)).macs, 2 * 3 * 3 * 7);
    assert_int_equal(lr_node_cost(g, mb_of(g, y)).params, 0);
    lr_graph_free(g);

    g = mb_graph(13); /* a stack of constant matrices, a column, a row */
    int w = mb_weight(g, "w", 3, (int64_t[]){2, 7, 5});
    assert_plain(g, mb_binary(g, "MatMul", "m", mb_image(g, 1, 2, 3, 7), w), "Nx2x3x5");
    g = mb_graph(13);
    w = mb_weight(g, "w", 1, (int64_t[]){7});
    assert_plain(g, mb_binary(g, "MatMul", "m", mb_image(g, 1, 2, 3, 7), w), "Nx2x3");
    g = mb_graph(13);
    w = mb_weight(g, "w", 1, (int64_t[]){3});
    assert_plain(g, mb_binary(g, "MatMul", "m", w, mb_image(g, 1, 2, 3, 7)), "Nx2x7");

    g = mb_graph(13); /* these would sum over the images or move them */
    x = mb_unary(g, "Flatten", "f", mb_image(g, -1, 2, 3, 2));
    w = mb_weight(g, "w", 2, (int64_t[]){4, 12});
    assert_why(g, mb_binary(g, "MatMul", "m", w, x), "MatMul over the batch");
    g = mb_graph(13);
    x = mb_unary(g, "Flatten", "f", mb_image(g, -1, 2, 3, 2));
    w = mb_weight(g, "w", 3, (int64_t[]){4, 12, 5});
    assert_why(g, mb_binary(g, "MatMul", "m", x, w), "broadcasting across the batch");
}

static void infer__broadcasts_sums_when_shapes_fit(void **state)
{
    static const struct {
        int n;
        int64_t dims[4];
    } fits[] = {{3, {4, 1, 1}}, {1, {5}}, {4, {1, 4, 5, 5}}, {4, {1, 1, 1, 1}}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct lr_graph *g = mb_graph(13);
        int x = mb_image(g, 1, 4, 5, 5);
        assert_plain(
            g, mb_binary(g, "Add", "a", mb_weight(g, "w", fits[i].n, fits[i].dims), x),
            "Nx4x5x5");
    }
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, 1, 4, 5, 5);
    mb_binary(g, "Mul", "m", x, mb_weight(g, "w", 1, (int64_t[]){4}));
    assert_refused(g, LR_ESHAPE, "m: shapes Nx4x5x5 and 4 do not fit");

    g = mb_graph(13);
    x = mb_image(g, 3, 4, 5, 5);
    int v = mb_binary(g, "Add", "a", x, mb_weight(g, "w", 4, (int64_t[]){3, 4, 5, 5}));
    assert_why(g, v, "across the batch");
}

static void infer__joins_and_moves_axes(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, 1, 4, 5, 6);
    int v = mb_node(g, "Concat", "c", 3, (int[]){x, mb_unary(g, "Relu", "r", x), x});
    mb_set_int(g, v, "axis", -3);
    assert_plain(g, v, "Nx12x5x6");

    g = mb_graph(13);
    x = mb_image(g, 1, 4, 5, 6);
    v = mb_binary(g, "Concat", "cat", x, mb_conv(g, "c", x, 4, 2, 3, 1, 0));
    mb_set_int(g, v, "axis", 1);
    assert_refused(g, LR_ESHAPE, "cat: cannot join Nx2x3x4");

    g = mb_graph(13);
    x = mb_image(g, 1, 4, 5, 6);
    v = mb_binary(g, "Concat", "cat", x, x);
    mb_set_int(g, v, "axis", 0);
    assert_why(g, v, "along the batch");

    g = mb_graph(13);
    v = mb_unary(g, "Transpose", "t", mb_image(g, 1, 4, 5, 6));
    mb_set_ints(g, v, "perm", 4, (int64_t[]){0, 2, 3, 1});
    assert_plain(g, v, "Nx5x6x4");
    g = mb_graph(13);
    v = mb_unary(g, "Transpose", "t", mb_image(g, 1, 4, 5, 6));
    assert_why(g, v, "moves the batch");
    g = mb_graph(13);
    v = mb_unary(g, "Transpose", "t", mb_image(g, 1, 4, 5, 6));
    mb_set_ints(g, v, "perm", 4, (int64_t[]){0, 2, 2, 1});
    assert_refused(g, LR_ESHAPE, "no permutation");
}

static void infer__flattens_when_batch_stays(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    assert_plain(g, mb_unary(g, "Flatten", "f", mb_image(g, 1, 4, 5, 6)), "Nx120");
    g = mb_graph(13);
    int v = mb_unary(g, "Flatten", "f", mb_image(g, 1, 4, 5, 6));
    mb_set_int(g, v, "axis", 2);
    assert_why(g, v, "flattens the batch");
}

static void infer__squeezes_when_axes_are_attribute_or_input(void **state)
{
    (void)state;
    for (int is_input = 0; is_input < 2; is_input++) {
        struct lr_graph *g = mb_graph(is_input ? 13 : 11);
        int x = mb_unary(g, "GlobalAveragePool", "p", mb_image(g, 1, 4, 5, 6));
        int axes = mb_ints(g, "axes", 1, 2, (int64_t[]){2, -1});
        int v = mb_node(g, "Squeeze", "s", is_input ? 2 : 1, (int[]){x, axes});
        if (!is_input)
            mb_set_ints(g, v, "axes", 2, (int64_t[]){2, 3});
        int one = mb_ints(g, "one", 1, 1, (int64_t[]){1});
        int u = mb_node(g, "Unsqueeze", "u", is_input ? 2 : 1, (int[]){v, one});
        if (!is_input)
            mb_set_ints(g, u, "axes", 1, (int64_t[]){1});
        mb_infer(g);
        mb_assert_shape(g, v, "Nx4");
        mb_assert_shape(g, u, "Nx1x4");
        lr_graph_free(g);
    }
    struct lr_graph *g = mb_graph(11);
    int v = mb_unary(g, "Squeeze", "s", mb_image(g, 1, 4, 5, 6));
    mb_set_ints(g, v, "axes", 1, (int64_t[]){1});
    assert_refused(g, LR_ESHAPE, "s: axis 1 has size 4");

    /* Without axes the batch stays even where the file fixed it to 1. */
    g = mb_graph(13);
    assert_plain(g, mb_unary(g, "Squeeze", "s", mb_image(g, 1, 1, 5, 1)), "Nx5");
    g = mb_graph(11);
    v = mb_unary(g, "Squeeze", "s", mb_image(g, 1, 4, 5, 6));
    mb_set_ints(g, v, "axes", 1, (int64_t[]){0});
    assert_why(g, v, "removes the batch");
}

static void infer__names_a_clip_without_interval(void **state)
{
    static const float bounds[][2] = {{3, -3}, {NAN, 1}, {0, NAN}};
    (void)state;
    for (int opset = 9; opset <= 11; opset += 2)
        for (int i = 0; i < 3; i++) {
            struct lr_graph *g = mb_graph(opset);
            int x = mb_image(g, 1, 2, 4, 4);
            int lo = mb_floats(g, "lo", 0, 1, &bounds[i][0]);
            int hi = mb_floats(g, "hi", 0, 1, &bounds[i][1]);
            int c = mb_node(g, "Clip", "c", opset < 11 ? 1 : 3, (int[]){x, lo, hi});
            lr_node_set_float(mb_of(g, c), "min", bounds[i][0], NULL);
            lr_node_set_float(mb_of(g, c), "max", bounds[i][1], NULL);
            assert_why(g, c, "no interval");
        }
}

static void infer__reads_clip_and_pad_when_attributes_moved_to_inputs(void **state)
{
    float lo, hi, value;
    int64_t pads[8];
    (void)state;
    for (int opset = 9; opset <= 11; opset += 2) {
        struct lr_graph *g = mb_graph(opset);
        int x = mb_image(g, 1, 2, 4, 4);
        int six = mb_floats(g, "six", 0, 1, (float[]){6});
        int sizes = mb_ints(g, "sizes", 1, 8, (int64_t[]){0, 0, 1, 2, 0, 0, 3, 0});
        int half = mb_floats(g, "half", 0, 1, (float[]){0.5f});
        int c = mb_node(g, "Clip", "c", opset < 11 ? 1 : 3, (int[]){x, -1, six});
        int p = mb_node(g, "Pad", "p", opset < 11 ? 1 : 3, (int[]){c, sizes, half});
        if (opset < 11) {
            assert_int_equal(lr_node_set_float(mb_of(g, c), "max", 6, NULL), LR_OK);
            assert_int_equal(lr_node_set_float(mb_of(g, p), "value", 0.5f, NULL), LR_OK);
            mb_set_ints(g, p, "pads", 8, (int64_t[]){0, 0, 1, 2, 0, 0, 3, 0});
        }
        mb_infer(g);
        mb_assert_shape(g, p, "Nx2x8x6");
        assert_int_equal(lr_node_clip(&lo, &hi, g, mb_of(g, c), NULL), LR_OK);
        assert_true(lo < -1e38f && hi == 6);
        assert_int_equal(lr_node_pad(pads, 8, &value, g, mb_of(g, p), NULL), LR_OK);
        assert_true(pads[2] == 1 && pads[3] == 2 && pads[6] == 3 && value == 0.5f);
        lr_graph_free(g);
    }
    struct lr_graph *g = mb_graph(9);
    mb_unary(g, "Pad", "p", mb_image(g, 1, 2, 4, 4));
    assert_refused(g, LR_ESHAPE, "p: 0 paddings for 4 dimensions");
}

static void infer__sizes_padding_of_every_mode(void **state)
{
    static const struct {
        const char *mode, *shape; /* or why not */
        int64_t pads[8];
    } cases[] = {
        {"reflect", "Nx2x7x4", {0, 0, 3, -1, 0, 0, 0, 1}},
        {"edge", "Nx2x13x1", {0, 0, 9, -3, 0, 0, 0, 0}},
        {"constant", "Nx1x2x4", {0, -1, -1, 0, 0, 0, -1, 0}},
        {"reflect", NULL, {0, 0, 4, 0, 0, 0, 0, 0}},
        {"reflect", NULL, {0, 0, 3, 0, 0, 0, -1, 0}},
        {"turn", NULL, {0, 0, 1, 0, 0, 0, 0, 0}},
        {"edge", NULL, {1, 0, 0, 0, 0, 0, 0, 0}},
    };
    static const char *const reasons[] = {"reflects 4 of only 4 values",
                                          "reflects 3 of only 3 values",
                                          "padding mode turn", "pads the batch"};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_graph *g = mb_graph(9);
        int v = mb_unary(g, "Pad", "p", mb_image(g, 1, 2, 4, 4));
        mb_set_ints(g, v, "pads", 8, cases[i].pads);
        assert_int_equal(lr_node_set_string(mb_of(g, v), "mode", cases[i].mode, NULL),
                         LR_OK);
        if (cases[i].shape)
            assert_plain(g, v, cases[i].shape);
        else
            assert_why(g, v, reasons[i - 3]);
    }
    struct lr_graph *g = mb_graph(9);
    int v = mb_unary(g, "Pad", "p", mb_image(g, 1, 2, 4, 4));
    mb_set_ints(g, v, "pads", 8, (int64_t[]){0, 0, -2, 0, 0, 0, -2, 0});
    assert_refused(g, LR_ESHAPE, "p: padding -2 and -2 leaves nothing of 4");
}

static void infer__checks_normalisation_and_dropout(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    assert_plain(g, mb_bn(g, "bn", mb_image(g, 1, 4, 5, 6), 4), "Nx4x5x6");
    g = mb_graph(13);
    mb_bn(g, "bn", mb_image(g, 1, 4, 5, 6), 3);
    assert_refused(g, LR_ESHAPE, "bn: scale has shape 3, but the data have 4 channels");
    g = mb_graph(14);
    int v = mb_bn(g, "bn", mb_image(g, 1, 4, 5, 6), 4);
    mb_set_int(g, v, "training_mode", 1);
    assert_why(g, v, "training mode");
    g = mb_graph(7);
    v = mb_bn(g, "bn", mb_image(g, 1, 4, 5, 6), 4);
    mb_set_int(g, v, "spatial", 0);
    assert_why(g, v, "spatial = 0");
    g = mb_graph(13);
    int x = mb_image(g, 1, 4, 5, 6), t = mb_ints(g, "t", 0, 1, (int64_t[]){1});
    assert_why(g, mb_node(g, "Dropout", "d", 3, (int[]){x, -1, t}), "training mode");
    g = mb_graph(13);
    assert_plain(g, mb_unary(g, "Dropout", "d", mb_image(g, 1, 4, 5, 6)), "Nx4x5x6");
}

static void infer__checks_axes_of_softmax_and_size_of_lrn(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int v = mb_unary(g, "Softmax", "s", mb_image(g, 1, 4, 5, 6));
    mb_set_int(g, v, "axis", 4);
    assert_refused(g, LR_ESHAPE, "s: axis 4 is outside the 4 dimensions");
    g = mb_graph(13);
    v = mb_unary(g, "Softmax", "s", mb_image(g, 1, 4, 5, 6));
    mb_set_int(g, v, "axis", -4);
    assert_why(g, v, "over the batch");
    g = mb_graph(13);
    mb_unary(g, "LRN", "l", mb_image(g, 1, 4, 5, 6));
    assert_refused(g, LR_ESHAPE, "size 0");
}

static void infer__leaves_shapes_open_when_operator_is_unknown(void **state)
{
    char buf[200];
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int a = mb_conv(g, "a", mb_image(g, 1, 3, 8, 8), 3, 4, 3, 1, 1);
    int b = mb_unary(g, "Foo", "f", a), c = mb_conv(g, "b", b, 4, 4, 3, 1, 1);
    mb_infer(g);
    mb_assert_shape(g, a, "Nx4x8x8");
    mb_assert_shape(g, b, "?");
    mb_assert_shape(g, c, "?");
    assert_string_equal(lr_graph_blocker(g, buf, sizeof(buf)),
                        "f: operator Foo (opset 13) is not known");
    lr_graph_free(g);
}

static void infer__asks_for_sizes_when_input_is_free(void **state)
{
    struct lr_shape s = {4, {7, 3, 8, 10}};
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int v = mb_conv(g, "a", mb_image(g, -1, 3, -1, -1), 3, 4, 3, 1, 1);
    assert_int_equal(lr_graph_infer(g, NULL, &e), LR_ESHAPE);
    assert_non_null(strstr(e.msg, "--input"));
    assert_non_null(strstr(e.msg, "1x3x?x?"));
    assert_int_equal(lr_graph_infer(g, &s, &e), LR_OK);
    mb_assert_shape(g, v, "Nx4x8x10");
    assert_int_equal(lr_graph_infer(g, NULL, &e), LR_OK);
    mb_assert_shape(g, v, "Nx4x8x10");
    s.dims[2] = 0;
    assert_int_equal(lr_graph_infer(g, &s, &e), LR_EINVAL);
    s.n_dims = 3;
    assert_int_equal(lr_graph_infer(g, &s, &e), LR_ESHAPE);
    lr_graph_free(g);
}

static void infer__refuses_sizes_that_overflow(void **state)
{
    struct lr_shape s = {4, {1, INT32_MAX, INT32_MAX, INT32_MAX}};
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = mb_graph(13);
    mb_unary(g, "Relu", "r", mb_image(g, 1, 3, 8, 8));
    assert_int_equal(lr_graph_infer(g, &s, &e), LR_ESHAPE);
    lr_graph_free(g);
    g = mb_graph(9);
    int v = mb_unary(g, "Pad", "p", mb_image(g, 1, 3, 8, 8));
    mb_set_ints(g, v, "pads", 8, (int64_t[]){0, 0, INT32_MAX, 0, 0, 0, INT32_MAX, 0});
    assert_refused(g, LR_ESHAPE, "p: result would have shape");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infer__sizes_convolution_when_strided_padded_dilated_grouped),
        cmocka_unit_test(infer__resolves_auto_pad_when_same_or_valid),
        cmocka_unit_test(infer__refuses_convolution_when_weights_contradict),
        cmocka_unit_test(infer__sizes_convolution_when_not_2d),
        cmocka_unit_test(infer__computes_weights_when_they_depend_on_constants),
        cmocka_unit_test(infer__sizes_pooling_when_ceil_mode_and_padding),
        cmocka_unit_test(infer__sizes_products_when_transposed),
        cmocka_unit_test(infer__broadcasts_sums_when_shapes_fit),
        cmocka_unit_test(infer__joins_and_moves_axes),
        cmocka_unit_test(infer__flattens_when_batch_stays),
        cmocka_unit_test(infer__squeezes_when_axes_are_attribute_or_input),
        cmocka_unit_test(infer__names_a_clip_without_interval),
        cmocka_unit_test(infer__reads_clip_and_pad_when_attributes_moved_to_inputs),
        cmocka_unit_test(infer__sizes_padding_of_every_mode),
        cmocka_unit_test(infer__sizes_matrix_products_when_both_factors_are_computed),
        cmocka_unit_test(infer__checks_normalisation_and_dropout),
        cmocka_unit_test(infer__checks_axes_of_softmax_and_size_of_lrn),
        cmocka_unit_test(infer__leaves_shapes_open_when_operator_is_unknown),
        cmocka_unit_test(infer__asks_for_sizes_when_input_is_free),
        cmocka_unit_test(infer__refuses_sizes_that_overflow),
    };
    return cmocka_run_group_tests_name("model_infer", tests, NULL, NULL);
}
