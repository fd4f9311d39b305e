/* Rewrites: each is checked by evaluating the network before and after with plain loops.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"

static int fold(struct lr_graph *g)
{
    struct lr_err e = {0};
    int n = -1;

    if (lr_graph_fold_bn(g, &n, &e) != LR_OK)
        fail_msg("%s", e.msg);
    mb_infer(g);
    return n;
}

static void fold_bn__keeps_the_function_when_conv_has_bias_or_not(void **state)
{
    (void)state;
    for (int has_bias = 0; has_bias < 2; has_bias++)
        for (int group = 1; group < 3; group++) {
            struct lr_graph *g = mb_graph(13);
            int c = mb_conv(g, "conv", mb_image(g, -1, 4, 6, 7), 4 / group, 6, 3, 2, 1);
            mb_set_int(g, c, "group", group);
            mb_of(g, c)->n_in -= !has_bias;
            int b = mb_bn(g, "bn", c, 6);
            mb_output(g, mb_unary(g, "Relu", "relu", b));
            mb_infer(g);
            struct lr_graph *old = mb_clone(g);
            assert_int_equal(fold(g), 1);
            assert_int_equal(g->n_nodes, 2);
            assert_int_equal(g->nodes[0].n_in, 3);
            mb_assert_equal(old, g, "bn_out", 1e-6);
            mb_assert_equal(old, g, "relu_out", 1e-6);
            lr_graph_free(old);
            lr_graph_free(g);
        }
}

/* A constant per channel, or one for all, added to or multiplied with the response; one
 * per column stays. */
static void fold_bn__takes_constants_per_channel_into_a_convolution(void **state)
{
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        static const struct {
            int n;
            int64_t dims[4];
            bool is_kept;
        } c[] = {{3, {6, 1, 1}, false},
                 {4, {1, 6, 1, 1}, false},
                 {1, {1}, false},
                 {1, {7}, true}};
        struct lr_graph *g = mb_graph(13);
        int x = mb_conv(g, "conv", mb_image(g, -1, 4, 6, 7), 4, 6, 3, 1, 1);
        int w = mb_weight(g, "c", c[kind / 2].n, c[kind / 2].dims);
        x = mb_binary(g, kind % 2 ? "Mul" : "Add", "a", kind % 2 ? w : x,
                      kind % 2 ? x : w);
        mb_output(g, mb_unary(g, "Relu", "relu", x));
        mb_infer(g);
        struct lr_graph *old = mb_clone(g);
        assert_int_equal(fold(g), 0);
        assert_int_equal(g->n_nodes, c[kind / 2].is_kept ? 3 : 2);
        mb_assert_equal(old, g, "relu_out", 1e-6);
        lr_graph_free(old);
        lr_graph_free(g);
    }
}

static void fold_bn__keeps_the_function_when_gemm_has_beta(void **state)
{
    (void)state;
    for (int is_trans = 0; is_trans < 2; is_trans++) {
        struct lr_graph *g = mb_graph(13);
        int x = mb_unary(g, "Flatten", "f", mb_image(g, -1, 2, 2, 3));
        int w = mb_weight(g, "w", 2, is_trans ? (int64_t[]){5, 12} : (int64_t[]){12, 5});
        int v = mb_node(g, "Gemm", "g", 3,
                        (int[]){x, w, mb_weight(g, "b", 1, (int64_t[]){5})});
        mb_set_int(g, v, "transB", is_trans);
        lr_node_set_float(mb_of(g, v), "alpha", 0.5f, NULL);
        lr_node_set_float(mb_of(g, v), "beta", 3, NULL);
        mb_output(g, mb_bn(g, "bn", v, 5));
        mb_infer(g);
        struct lr_graph *old = mb_clone(g);
        assert_int_equal(fold(g), 1);
        mb_assert_equal(old, g, "bn_out", 1e-6);
        lr_graph_free(old);
        lr_graph_free(g);
    }
}

static void fold_bn__copies_weights_when_shared(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 4, 6, 7);
    int a = mb_conv(g, "a", x, 4, 4, 3, 1, 1), b = mb_conv(g, "b", x, 4, 4, 3, 1, 1);
    mb_of(g, b)->in[1] = mb_of(g, a)->in[1];
    mb_of(g, b)->in[2] = mb_of(g, a)->in[2];
    mb_output(g, mb_binary(g, "Add", "sum", mb_bn(g, "bn", a, 4), b));
    mb_infer(g);
    struct lr_graph *old = mb_clone(g);
    assert_int_equal(fold(g), 1);
    mb_assert_equal(old, g, "sum_out", 1e-6);
    mb_assert_equal(old, g, "b_out", 0);
    assert_string_equal(g->values[g->nodes[0].in[1]].name, "a_weight");
    lr_graph_free(old);
    lr_graph_free(g);
}

/* Not folded: the convolution's output is read elsewhere, is an output, or the variance
 * makes the scale infinite. */
static void fold_bn__leaves_it_when_not_exact(void **state)
{
    (void)state;
    for (int why = 0; why < 4; why++) {
        struct lr_graph *g = mb_graph(14);
        int c = mb_conv(g, "conv", mb_image(g, -1, 4, 6, 7), 4, 4, 3, 1, 1);
        int b = mb_bn(g, "bn", c, 4);
        if (why == 0)
            mb_output(g, c);
        else if (why == 1)
            mb_output(g, mb_unary(g, "Relu", "r", c));
        else if (why == 2)
            ((float *)g->values[mb_of(g, b)->in[4]].tensor->data)[1] = -1;
        else
            mb_set_int(g, b, "training_mode", 1);
        mb_output(g, b);
        mb_infer(g);
        assert_int_equal(fold(g), 0);
        assert_true(lr_graph_find_node(g, "bn") >= 0);
        lr_graph_free(g);
    }
}

static void fold_bn__drops_identity_and_dropout(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 4, 6, 7);
    int c = mb_conv(g, "conv", mb_unary(g, "Identity", "i1", x), 4, 4, 3, 1, 1);
    int ratio = mb_floats(g, "ratio", 0, 1, (float[]){0.5f});
    int d = mb_binary(g, "Dropout", "d", c, ratio);
    int b = mb_bn(g, "bn", d, 4);
    int i = mb_unary(g, "Identity", "i2", b);
    mb_output(g, mb_unary(g, "Identity", "i3", i));
    mb_infer(g);
    struct lr_graph *old = mb_clone(g);
    assert_int_equal(fold(g), 1);
    assert_int_equal(g->n_nodes, 1);
    assert_null(g->values[ratio].tensor);
    mb_assert_equal(old, g, "i3_out", 1e-6);
    lr_graph_free(old);
    lr_graph_free(g);

    /* An input that goes straight to an output needs its Identity. */
    g = mb_graph(13);
    mb_output(g, mb_unary(g, "Identity", "i", mb_image(g, -1, 4, 6, 7)));
    mb_infer(g);
    fold(g);
    assert_int_equal(g->n_nodes, 1);
    lr_graph_free(g);
}

/* One value feeds two outputs, through an Identity and directly. */
static void fold_bn__rewires_readers_when_output_is_an_identity(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int r = mb_unary(g, "Relu", "r", mb_image(g, -1, 2, 3, 3));
    int same = mb_unary(g, "Identity", "same", r);
    int a = mb_unary(g, "Relu", "before", r);
    int y = mb_unary(g, "Identity", "i", r);
    int z = mb_binary(g, "Add", "after", same, a);
    mb_output(g, y);
    mb_output(g, z);
    mb_infer(g);
    struct lr_graph *old = mb_clone(g);
    fold(g);
    assert_int_equal(g->n_nodes, 3);
    mb_assert_equal(old, g, "i_out", 0);
    mb_assert_equal(old, g, "after_out", 0);
    lr_graph_free(old);
    lr_graph_free(g);
}

/* A fully connected layer as MatMul and Add, the constant on either side. */
static void fold_bn__joins_a_bias_when_it_follows_a_product(void **state)
{
    (void)state;
    for (int n_dims = 0; n_dims < 3; n_dims++)
        for (int is_left = 0; is_left < 2; is_left++) {
            struct lr_graph *g = mb_graph(13);
            int f = mb_unary(g, "Flatten", "f", mb_image(g, -1, 2, 3, 4));
            int w = mb_weight(g, "w", 2, (int64_t[]){24, 7});
            int b = mb_weight(g, "b", n_dims,
                              n_dims == 2 ? (int64_t[]){1, 7} : (int64_t[]){7, 0});
            int m = mb_binary(g, "MatMul", "m", f, w);
            int a =
                is_left ? mb_binary(g, "Add", "a", b, m) : mb_binary(g, "Add", "a", m, b);
            int n = mb_bn(g, "bn", a, 7);
            mb_output(g, mb_unary(g, "Relu", "r", n));
            mb_infer(g);
            struct lr_graph *old = mb_clone(g);
            assert_int_equal(fold(g), 1);
            assert_int_equal(g->n_nodes, 3);
            assert_string_equal(g->nodes[1].type, "Gemm");
            assert_string_equal(g->nodes[1].name, "m");
            assert_int_equal(g->nodes[1].out[0], n);
            mb_assert_equal(old, g, "r_out", 1e-6);
            lr_graph_free(old);
            lr_graph_free(g);
        }
}

/* What is left: the product is read elsewhere or an output, its bias or shape unfit. */
static void fold_bn__leaves_a_bias_when_it_is_none(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct lr_graph *g = mb_graph(13);
        int x = mb_image(g, -1, 3, 6, 7);
        int f = kind == 3 ? x : mb_unary(g, "Flatten", "f", x);
        int w = mb_weight(g, "w", 2, (int64_t[]){kind == 3 ? 7 : 126, 7});
        int m = mb_binary(g, "MatMul", "m", f, w);
        int b = kind == 2 ? mb_unary(g, "Relu", "rm", f)
                          : mb_weight(g, "b", 1, &(int64_t){7});
        if (kind == 2)
            b = mb_binary(g, "MatMul", "m2", b, w);
        mb_output(g, mb_binary(g, kind == 4 ? "Mul" : "Add", "a", m, b));
        if (kind == 0)
            mb_output(g, m);
        if (kind == 1)
            mb_output(g, mb_unary(g, "Relu", "r", m));
        mb_infer(g);
        int n_nodes = g->n_nodes;
        assert_int_equal(fold(g), 0);
        assert_int_equal(g->n_nodes, n_nodes);
        assert_string_equal(mb_of(g, m)->type, "MatMul");
        lr_graph_free(g);
    }
}

static void assert_why(struct lr_graph *g, int bn, const char *want)
{
    char buf[256];

    mb_output(g, bn);
    mb_infer(g);
    assert_int_equal(fold(g), 0);
    assert_string_equal(lr_bn_why_unfolded(g, mb_of(g, bn), buf, sizeof(buf)), want);
    lr_graph_free(g);
}

static void bn_why_unfolded__names_what_is_in_the_way(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    assert_why(g, mb_bn(g, "bn", mb_image(g, -1, 3, 6, 7), 3),
               "it reads an input of the network");

    g = mb_graph(13);
    assert_why(g, mb_bn(g, "bn", mb_unary(g, "Relu", "r", mb_image(g, -1, 3, 6, 7)), 3),
               "r before it is a Relu, no convolution");

    g = mb_graph(13);
    int c = mb_conv(g, "c", mb_image(g, -1, 3, 6, 7), 3, 5, 3, 1, 1);
    mb_output(g, mb_unary(g, "Relu", "r", c));
    assert_why(g, mb_bn(g, "bn", c, 5), "the response of c has 2 consumers");

    g = mb_graph(13);
    c = mb_conv(g, "c", mb_image(g, -1, 3, 6, 7), 3, 5, 3, 1, 1);
    mb_output(g, c);
    assert_why(g, mb_bn(g, "bn", c, 5), "the response of c is an output of the network");

    g = mb_graph(15);
    int bn = mb_bn(g, "bn", mb_conv(g, "c", mb_image(g, -1, 3, 6, 7), 3, 5, 3, 1, 1), 5);
    mb_set_int(g, bn, "training_mode", 1);
    assert_why(g, bn, "it is not in inference mode, or gives more than one output");

    g = mb_graph(13);
    bn = mb_bn(g, "bn", mb_conv(g, "c", mb_image(g, -1, 3, 6, 7), 3, 5, 3, 1, 1), 5);
    mb_of(g, bn)->in[3] = mb_fed(g, "made", 1, (int64_t[]){5});
    assert_why(g, bn, "its parameter made is not constant");

    g = mb_graph(13);
    bn = mb_bn(g, "bn", mb_conv(g, "c", mb_image(g, -1, 3, 6, 7), 3, 5, 3, 1, 1), 5);
    ((float *)g->values[mb_of(g, bn)->in[1]].tensor->data)[2] = INFINITY;
    assert_why(g, bn, "the folded weights of c would not be finite numbers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fold_bn__keeps_the_function_when_conv_has_bias_or_not),
        cmocka_unit_test(fold_bn__takes_constants_per_channel_into_a_convolution),
        cmocka_unit_test(fold_bn__keeps_the_function_when_gemm_has_beta),
        cmocka_unit_test(fold_bn__copies_weights_when_shared),
        cmocka_unit_test(fold_bn__leaves_it_when_not_exact),
        cmocka_unit_test(fold_bn__drops_identity_and_dropout),
        cmocka_unit_test(fold_bn__rewires_readers_when_output_is_an_identity),
        cmocka_unit_test(fold_bn__joins_a_bias_when_it_follows_a_product),
        cmocka_unit_test(fold_bn__leaves_a_bias_when_it_is_none),
        cmocka_unit_test(bn_why_unfolded__names_what_is_in_the_way),
    };
    return cmocka_run_group_tests_name("model_passes", tests, mb_fill_image, NULL);
}
