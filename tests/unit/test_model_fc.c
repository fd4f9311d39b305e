/* Fully connected layers in the list of layers, and the weights of every kind of layer.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"

/* The layer named "fc" or "a" of a graph whose shapes are inferred. */
static struct lr_layer *list(const struct lr_graph *g, int *n)
{
    struct lr_layer *all;

    assert_int_equal(lr_layers_find(&all, n, g, NULL), LR_OK);
    return all;
}

/* 24 values per image, and weights of these two sizes. */
static int flat(struct lr_graph *g)
{
    return mb_unary(g, "Flatten", "flat", mb_image(g, -1, 2, 3, 4));
}

static int weights(struct lr_graph *g, int64_t rows, int64_t columns)
{
    return mb_weight(g, "w", 2, (int64_t[]){rows, columns});
}

static void layers__lists_products_with_constant_weights(void **state)
{
    int n;
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int f = flat(g), w = weights(g, 7, 24);
    int a = mb_node(g, "Gemm", "first", 3,
                    (int[]){f, w, mb_weight(g, "b", 1, (int64_t[]){7})});
    mb_set_int(g, a, "transB", 1);
    int r = mb_unary(g, "Relu", "r", a);
    int m = mb_binary(g, "MatMul", "second", r, mb_weight(g, "w2", 2, (int64_t[]){7, 5}));
    mb_output(g, m);
    /* a product of two activations is no layer */
    mb_output(g,
              mb_binary(g, "MatMul", "none", m, mb_fed(g, "w3", 2, (int64_t[]){5, 5})));
    mb_infer(g);
    struct lr_layer *l = list(g, &n);
    assert_int_equal(n, 2);
    assert_string_equal(l[0].name, "first");
    assert_int_equal(l[0].kind, LR_LAYER_FC);
    assert_int_equal(l[0].value, a);
    assert_int_equal(l[0].input, f);
    assert_true(l[0].c == 24 && l[0].d == 7 && l[0].group == 1 && l[0].kh == 1 &&
                l[0].kw == 1);
    assert_true(l[0].stride_h == 1 && l[0].stride_w == 1 && l[0].dil_h == 1 &&
                l[0].dil_w == 1 && l[0].pad_top == 0 && l[0].pad_right == 0);
    assert_true(l[0].in_h == 1 && l[0].in_w == 1 && l[0].out_h == 1 && l[0].out_w == 1);
    assert_int_equal(l[0].macs, 24 * 7);
    assert_int_equal(l[0].params, 24 * 7 + 7);
    assert_int_equal(l[0].bytes, 4 * (24 * 7 + 7 + 24 + 7));
    assert_int_equal(l[0].follow, LR_FOLLOW_RELU);
    assert_true(l[0].is_approximable && !l[0].reason);
    assert_true(l[1].c == 7 && l[1].d == 5 && l[1].is_approximable);
    assert_string_equal(l[1].name, "second");
    assert_int_equal(l[1].macs, 7 * 5);
    lr_layers_free(l, n);
    lr_graph_free(g);
}

/* The follow of the only layer, which is a product. */
static void assert_follow(struct lr_graph *g, enum lr_follow follow, const char *name)
{
    int n;
    struct lr_layer *l = list(g, &n);

    assert_int_equal(n, 1);
    assert_int_equal(l->kind, LR_LAYER_FC);
    assert_int_equal(l->follow, follow);
    assert_string_equal(l->follow_name, name);
    lr_layers_free(l, n);
}

static void layers__looks_through_the_bias_of_a_product(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int m = mb_binary(g, "MatMul", "fc", flat(g), weights(g, 24, 7));
    int s = mb_binary(g, "Add", "s", m, mb_weight(g, "b", 1, (int64_t[]){7}));
    mb_output(g, mb_unary(g, "Relu", "r", s));
    mb_infer(g);
    assert_follow(g, LR_FOLLOW_OTHER, "Add (constant)");
    assert_int_equal(lr_graph_fold_bn(g, NULL, NULL), LR_OK);
    mb_infer(g);
    assert_follow(g, LR_FOLLOW_RELU, "Relu");
    lr_graph_free(g);
}

/* Two products whose sum goes through one Relu. */
static void layers__sees_the_sum_of_two_products(void **state)
{
    int n;
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int f = flat(g);
    int a = mb_binary(g, "MatMul", "a", f, weights(g, 24, 7));
    int b = mb_binary(g, "MatMul", "b", f, weights(g, 24, 7));
    int s = mb_binary(g, "Add", "s", a, b);
    mb_output(g, mb_unary(g, "Relu", "r", s));
    mb_infer(g);
    struct lr_layer *l = list(g, &n);
    assert_int_equal(n, 2);
    assert_true(l[0].sum_value == s && l[0].other_value == b);
    assert_true(l[1].sum_value == s && l[1].other_value == a);
    assert_int_equal(l[1].follow, LR_FOLLOW_RELU);
    lr_layers_free(l, n);
    lr_graph_free(g);
}

static void assert_reason(struct lr_graph *g, const char *reason)
{
    int n;

    mb_infer(g);
    struct lr_layer *l = list(g, &n);
    assert_int_equal(n, 1);
    assert_int_equal(l->is_approximable, reason == NULL);
    if (reason)
        assert_string_equal(l->reason, reason);
    lr_layers_free(l, n);
    lr_graph_free(g);
}

static void layers__gives_a_reason_when_a_product_is_not_approximable(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 3, 8, 8);
    mb_output(g, mb_binary(g, "MatMul", "fc", x, weights(g, 8, 6)));
    assert_reason(g, "response has 4 dimensions");

    g = mb_graph(13);
    mb_output(
        g, mb_binary(g, "MatMul", "fc", flat(g), mb_weight(g, "w", 1, (int64_t[]){24})));
    assert_reason(g, "response has 1 dimension");

    g = mb_graph(13);
    int a = mb_binary(g, "Gemm", "fc", weights(g, 24, 6),
                      mb_weight(g, "v", 2, (int64_t[]){24, 5}));
    mb_set_int(g, a, "transA", 1);
    mb_output(g, a);
    mb_image(g, -1, 1, 1, 1);
    assert_reason(g, "transA is set");

    g = mb_graph(13);
    int f = flat(g);
    int c = mb_fed(g, "b", 1, (int64_t[]){7});
    mb_output(g, mb_node(g, "Gemm", "fc", 3, (int[]){f, weights(g, 24, 7), c}));
    assert_reason(g, "C is not constant");

    g = mb_graph(13);
    mb_image(g, -1, 1, 1, 1);
    mb_output(g, mb_binary(g, "MatMul", "fc", mb_fed(g, "r", 2, (int64_t[]){9, 24}),
                           mb_weight(g, "v", 2, (int64_t[]){24, 5})));
    assert_reason(g, "response does not depend on the image");

    g = mb_graph(13);
    mb_output(g, mb_binary(g, "MatMul", "fc", flat(g), weights(g, 24, 1)));
    assert_reason(g, "1 output only");

    g = mb_graph(6);
    mb_output(g, mb_binary(g, "MatMul", "fc", flat(g), weights(g, 24, 7)));
    assert_reason(g, "fully connected layers are split from opset 7 on, not 6");

    g = mb_graph(13);
    f = mb_unary(g, "Flatten", "f", mb_image(g, -1, 2, 1, 1));
    mb_output(g, mb_binary(g, "MatMul", "fc", f, weights(g, 2, 2)));
    assert_reason(g, "too small to gain at any rank");

    g = mb_graph(13);
    f = mb_unary(g, "Foo", "f", mb_image(g, -1, 2, 1, 1));
    mb_output(g, mb_binary(g, "MatMul", "fc", f, weights(g, 24, 7)));
    assert_reason(g, "no shape known (depends on unknown operator Foo)");

    /* every shape of C that is one row */
    for (int n_dims = 0; n_dims < 5; n_dims++) {
        g = mb_graph(13);
        f = flat(g);
        c = mb_weight(g, "b", n_dims % 3,
                      n_dims > 2    ? (int64_t[]){1, 1}
                      : n_dims == 2 ? (int64_t[]){1, 7}
                                    : (int64_t[]){7, 0});
        mb_output(g, mb_node(g, "Gemm", "fc", 3, (int[]){f, weights(g, 24, 7), c}));
        assert_reason(g, NULL);
    }
}

/* W x + b in double against the layer's response: y of the evaluator. */
static void assert_weights(struct lr_graph *g, int v, int has_bias)
{
    struct lr_tensor *w, *b;
    struct lr_err e = {0};
    double image[24];
    int64_t count;
    int n;

    mb_output(g, v);
    mb_infer(g);
    struct lr_layer *l = list(g, &n);
    for (int i = 0; i < 24; i++)
        image[i] = cos(3.0 * i);
    if (lr_layer_weights(&w, &b, g, &l[0], &e) != LR_OK)
        fail_msg("%s", e.msg);
    double *y = mb_eval(g, l[0].value, image, &count);
    assert_int_equal(count, l[0].d);
    assert_true(w->shape.n_dims == 2 && w->shape.dims[0] == l[0].d &&
                w->shape.dims[1] == 24 / l[0].group);
    assert_int_equal(b != NULL, has_bias);
    assert_true(!b || (b->shape.n_dims == 1 && b->shape.dims[0] == l[0].d));
    int k = 24 / l[0].group, each = l[0].d / l[0].group;
    for (int o = 0; o < l[0].d; o++) {
        double sum = b ? (double)((float *)b->data)[o] : 0;
        for (int i = 0; i < k; i++)
            sum += (double)((float *)w->data)[o * k + i] * image[o / each * k + i];
        assert_true(fabs(sum - y[o]) < 1e-5);
    }
    lr_free(y);
    lr_tensor_free(w);
    lr_tensor_free(b);
    lr_layers_free(l, n);
    lr_graph_free(g);
}

static void layer_weights__give_the_response(void **state)
{
    (void)state;
    /* transB, the shape of C, and whether alpha and beta are there */
    for (int i = 0; i < 16; i++) {
        struct lr_graph *g = mb_graph(13);
        int f = flat(g), w = i % 2 ? weights(g, 7, 24) : weights(g, 24, 7),
            shape = i / 2 % 4;
        int c = shape == 3
                    ? -1
                    : mb_weight(g, "b", shape,
                                shape == 2 ? (int64_t[]){1, 7} : (int64_t[]){7, 0});
        int v = mb_node(g, "Gemm", "fc", shape == 3 ? 2 : 3, (int[]){f, w, c});
        mb_set_int(g, v, "transB", i % 2);
        if (i >= 8) {
            lr_node_set_float(mb_of(g, v), "alpha", -1.5f, NULL);
            lr_node_set_float(mb_of(g, v), "beta", 0.25f, NULL);
        }
        assert_weights(g, v, shape != 3);
    }
    struct lr_graph *g = mb_graph(13);
    assert_weights(g, mb_binary(g, "MatMul", "fc", flat(g), weights(g, 24, 7)), 0);

    /* convolutions that read the whole image at their one position */
    for (int group = 1; group < 3; group++) {
        g = mb_graph(13);
        int x = mb_image(g, -1, 2, 3, 4);
        int w = mb_weight(g, "w", 4, (int64_t[]){6, 2 / group, 3, 4});
        int v = group == 1 ? mb_node(g, "Conv", "a", 3,
                                     (int[]){x, w, mb_weight(g, "b", 1, &(int64_t){6})})
                           : mb_binary(g, "Conv", "a", x, w);
        mb_set_int(g, v, "group", group);
        assert_weights(g, v, group == 1);
    }
}

static void layer_weights__are_refused_when_not_constant(void **state)
{
    struct lr_tensor *w, *b;
    struct lr_err e = {0};
    int n;
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 3, 8, 8);
    int v = mb_fed(g, "w", 4, (int64_t[]){4, 3, 1, 1});
    mb_output(g, mb_binary(g, "Conv", "a", x, v));
    mb_infer(g);
    struct lr_layer *l = list(g, &n);
    assert_int_equal(lr_layer_weights(&w, &b, g, &l[0], &e), LR_EUNSUP);
    assert_true(!w && !b && strstr(e.msg, "a: its filters are not constant"));
    lr_layers_free(l, n);
    lr_graph_free(g);

    g = mb_graph(13);
    v = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
    mb_of(g, v)->in[2] = mb_fed(g, "made", 1, (int64_t[]){8});
    mb_output(g, v);
    mb_infer(g);
    l = list(g, &n);
    assert_int_equal(lr_layer_weights(&w, &b, g, &l[0], &e), LR_EUNSUP);
    assert_true(!w && !b && strstr(e.msg, "a: its bias is not constant"));
    lr_layers_free(l, n);
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers__lists_products_with_constant_weights),
        cmocka_unit_test(layers__looks_through_the_bias_of_a_product),
        cmocka_unit_test(layers__sees_the_sum_of_two_products),
        cmocka_unit_test(layers__gives_a_reason_when_a_product_is_not_approximable),
        cmocka_unit_test(layer_weights__give_the_response),
        cmocka_unit_test(layer_weights__are_refused_when_not_constant),
    };
    return cmocka_run_group_tests_name("model_fc", tests, NULL, NULL);
}
