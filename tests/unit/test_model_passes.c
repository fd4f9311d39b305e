/* Rewrites: each is checked by evaluating the network before and after with plain loops.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"

static double image[2000];

static int fill_image(void **state)
{
    uint32_t s = 7;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        s = s * 1664525 + 1013904223;
        image[i] = (double)(s >> 8) / (1 << 23) - 1;
    }
    return 0;
}

/* Both graphs compute the same for value name. */
static void assert_equal(const struct lr_graph *a, const struct lr_graph *b,
                         const char *name, double tolerance)
{
    int64_t n, m;
    int va = lr_graph_find_value(a, name), vb = lr_graph_find_value(b, name);

    assert_true(va >= 0 && vb >= 0);
    double *x = mb_eval(a, va, image, &n), *y = mb_eval(b, vb, image, &m);
    assert_int_equal(n, m);
    double size = 0;
    for (int64_t i = 0; i < n; i++)
        size = fmax(size, fabs(x[i]));
    assert_true(size > 0.1);
    for (int64_t i = 0; i < n; i++)
        if (fabs(x[i] - y[i]) > tolerance * size)
            fail_msg("%s[%ld]: %.9g and %.9g", name, (long)i, x[i], y[i]);
    lr_free(x);
    lr_free(y);
}

static struct lr_graph *clone(const struct lr_graph *g)
{
    struct lr_graph *c;
    struct lr_err e = {0};

    assert_int_equal(lr_graph_clone(&c, g, &e), LR_OK);
    return c;
}

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
            struct lr_graph *old = clone(g);
            assert_int_equal(fold(g), 1);
            assert_int_equal(g->n_nodes, 2);
            assert_int_equal(g->nodes[0].n_in, 3);
            assert_equal(old, g, "bn_out", 1e-6);
            assert_equal(old, g, "relu_out", 1e-6);
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
        struct lr_graph *old = clone(g);
        assert_int_equal(fold(g), 1);
        assert_equal(old, g, "bn_out", 1e-6);
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
    struct lr_graph *old = clone(g);
    assert_int_equal(fold(g), 1);
    assert_equal(old, g, "sum_out", 1e-6);
    assert_equal(old, g, "b_out", 0);
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
    struct lr_graph *old = clone(g);
    assert_int_equal(fold(g), 1);
    assert_int_equal(g->n_nodes, 1);
    assert_null(g->values[ratio].tensor);
    assert_equal(old, g, "i3_out", 1e-6);
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
    struct lr_graph *old = clone(g);
    fold(g);
    assert_int_equal(g->n_nodes, 3);
    assert_equal(old, g, "i_out", 0);
    assert_equal(old, g, "after_out", 0);
    lr_graph_free(old);
    lr_graph_free(g);
}

/* w = P Q with P the identity: a k x k part to all channels and a 1 x 1 part. */
static void split_layer__keeps_the_function_when_factors_are_exact(void **state)
{
    float eye[36] = {0}, bias[6];
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int c = mb_conv(g, "conv", mb_image(g, -1, 4, 9, 8), 4, 6, 3, 2, 1);
    mb_of(g, c)->in[2] = mb_weight(g, "shared", 1, (int64_t[]){6});
    int r = mb_unary(g, "Relu", "relu", c);
    int other = mb_unary(g, "Relu", "conv_r1", r); /* a name in the way */
    mb_output(g, other);
    mb_infer(g);
    struct lr_graph *old = clone(g);
    int w = mb_of(g, c)->in[1];
    float *copy = lr_alloc(6 * 4 * 9, sizeof(float));
    memcpy(copy, g->values[w].tensor->data, 6 * 4 * 9 * sizeof(float));
    memcpy(bias, g->values[mb_of(g, c)->in[2]].tensor->data, sizeof(bias));
    for (int i = 0; i < 6; i++)
        eye[7 * i] = 1;
    const struct lr_conv_part parts[] = {
        {6, 4, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1, copy, NULL},
        {6, 6, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, eye, bias},
    };
    struct lr_err e = {0};
    if (lr_graph_split_layer(g, c, 2, parts, "rank 6", &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_equal(old, g, "relu_out", 1e-12);
    assert_int_equal(g->n_nodes, 4);
    assert_string_equal(g->nodes[0].name, "conv_r1_2");
    assert_string_equal(g->nodes[1].name, "conv_r2");
    assert_string_equal(g->nodes[1].doc, "rank 6");
    assert_int_equal(g->nodes[0].n_in, 2);
    assert_null(g->values[w].tensor);
    mb_assert_shape(g, g->nodes[0].out[0], "Nx6x5x4");
    mb_infer(g);
    assert_equal(old, g, "relu_out", 1e-12);

    /* A split of the split's last part. */
    assert_int_equal(lr_graph_split_layer(g, c, 1, parts + 1, "again", &e), LR_OK);
    assert_equal(old, g, "relu_out", 1e-12);
    lr_free(copy);
    lr_graph_free(old);
    lr_graph_free(g);
}

static void split_layer__is_refused_when_parts_do_not_fit(void **state)
{
    static const float zeros[6 * 6 * 9];
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int c = mb_conv(g, "conv", mb_image(g, -1, 4, 9, 8), 4, 6, 3, 1, 1);
    int r = mb_unary(g, "Relu", "relu", c);
    mb_infer(g);
    const struct lr_conv_part good = {2, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, zeros, NULL};
    const struct lr_conv_part tail = {6, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, zeros, NULL};
    struct lr_conv_part parts[2] = {good, tail};
    parts[0].cin = 3;
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_EINVAL);
    parts[0] = good;
    parts[1].cin = 3;
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_EINVAL);
    parts[1] = tail;
    parts[1].cout = 5;
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_EINVAL);
    parts[1] = tail;
    parts[0].pad_top = 0;
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_EINVAL);
    parts[0] = good;
    assert_int_equal(lr_graph_split_layer(g, r, 2, parts, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_graph_split_layer(g, 999, 2, parts, NULL, &e), LR_EINVAL);
    assert_int_equal(g->n_nodes, 2);
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_OK);
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fold_bn__keeps_the_function_when_conv_has_bias_or_not),
        cmocka_unit_test(fold_bn__keeps_the_function_when_gemm_has_beta),
        cmocka_unit_test(fold_bn__copies_weights_when_shared),
        cmocka_unit_test(fold_bn__leaves_it_when_not_exact),
        cmocka_unit_test(fold_bn__drops_identity_and_dropout),
        cmocka_unit_test(fold_bn__rewires_readers_when_output_is_an_identity),
        cmocka_unit_test(split_layer__keeps_the_function_when_factors_are_exact),
        cmocka_unit_test(split_layer__is_refused_when_parts_do_not_fit),
    };
    return cmocka_run_group_tests_name("model_passes", tests, fill_image, NULL);
}
