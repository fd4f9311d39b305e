/* Shape inference of convolutions, pooling and padding. */
#include "infer_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infer__sizes_convolution_when_strided_padded_dilated_grouped),
        cmocka_unit_test(infer__resolves_auto_pad_when_same_or_valid),
        cmocka_unit_test(infer__refuses_convolution_when_weights_contradict),
        cmocka_unit_test(infer__sizes_convolution_when_not_2d),
        cmocka_unit_test(infer__computes_weights_when_they_depend_on_constants),
        cmocka_unit_test(infer__sizes_pooling_when_ceil_mode_and_padding),
        cmocka_unit_test(infer__reads_clip_and_pad_when_attributes_moved_to_inputs),
        cmocka_unit_test(infer__sizes_padding_of_every_mode),
    };
    return cmocka_run_group_tests_name("model_infer_window", tests, NULL, NULL);
}
