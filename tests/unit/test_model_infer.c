/* Shape inference: every rule with a case computed by hand, and the contradictions each
 * must refuse by name. */
#include "infer_fixture.h"

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

/* A kernel would take the last of these for its result. */
static void infer__refuses_more_inputs_than_an_operator_has(void **state)
{
    const struct {
        const char *type, *words;
        int n;
    } cases[] = {{"GridSample", "GridSample with more than 2 inputs", 3},
                 {"ScatterND", "ScatterND with more than 3 inputs", 4},
                 {"OneHot", "OneHot with more than 3 inputs", 4},
                 {"LSTM", "LSTM with more than 8 inputs", 9},
                 {"MaxPool", "MaxPool with more than 1 input", 2}};
    (void)state;

    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct lr_graph *g = mb_graph(16);
        int in[9];
        in[0] = mb_image(g, -1, 2, 4, 4);
        for (int i = 1; i < 9; i++)
            in[i] = in[0];
        mb_output(g, mb_node(g, cases[k].type, "n", cases[k].n, in));
        assert_refused(g, LR_EPARSE, cases[k].words);
    }
}

/* Nothing computes those behind the last. */
static void infer__refuses_more_outputs_than_an_operator_has(void **state)
{
    const struct {
        const char *type, *words;
        int n;
    } cases[] = {{"Relu", "Relu with more than 1 output", 2},
                 {"MaxPool", "MaxPool with more than 2 outputs", 3},
                 {"Conv", "Conv with more than 1 output", 4}};
    (void)state;

    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct lr_graph *g = mb_graph(16);
        struct lr_err e = {0};
        int out[4], x = mb_image(g, -1, 2, 4, 4);
        for (int i = 0; i < 4; i++) {
            const char name[] = {'o', (char)('0' + i), 0};
            assert_int_equal(lr_graph_add_value(g, &out[i], name, NULL, &e), LR_OK);
        }
        assert_int_equal(
            lr_graph_add_node(g, 0, cases[k].type, "n", &x, 1, out, cases[k].n, &e),
            LR_OK);
        mb_output(g, out[cases[k].n - 1]);
        assert_refused(g, LR_EPARSE, cases[k].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(infer__sizes_products_when_transposed),
        cmocka_unit_test(infer__broadcasts_sums_when_shapes_fit),
        cmocka_unit_test(infer__joins_and_moves_axes),
        cmocka_unit_test(infer__flattens_when_batch_stays),
        cmocka_unit_test(infer__squeezes_when_axes_are_attribute_or_input),
        cmocka_unit_test(infer__names_a_clip_without_interval),
        cmocka_unit_test(infer__sizes_matrix_products_when_both_factors_are_computed),
        cmocka_unit_test(infer__checks_normalisation_and_dropout),
        cmocka_unit_test(infer__checks_axes_of_softmax_and_size_of_lrn),
        cmocka_unit_test(infer__leaves_shapes_open_when_operator_is_unknown),
        cmocka_unit_test(infer__asks_for_sizes_when_input_is_free),
        cmocka_unit_test(infer__refuses_sizes_that_overflow),
        cmocka_unit_test(infer__refuses_more_inputs_than_an_operator_has),
        cmocka_unit_test(infer__refuses_more_outputs_than_an_operator_has),
    };
    return cmocka_run_group_tests_name("model_infer", tests, NULL, NULL);
}
