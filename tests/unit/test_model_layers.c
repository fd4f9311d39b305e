/* The list of layers: sizes, what follows a response, and every reason why a convolution
 * cannot be approximated. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"

static struct lr_layer *find(const struct lr_graph *g, const char *name,
                             struct lr_layer *all, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    fail_msg("no layer %s among the %d nodes", name, g->n_nodes);
    return NULL;
}

/* Infers, lists, and compares one layer's follow fields. */
static void assert_follow(struct lr_graph *g, const char *name, enum lr_follow follow,
                          const char *type, int sum, int other)
{
    struct lr_layer *all;
    int n;

    mb_infer(g);
    assert_int_equal(lr_layers_find(&all, &n, g, NULL), LR_OK);
    const struct lr_layer *x = find(g, name, all, n);
    assert_int_equal(x->follow, follow);
    if (type)
        assert_string_equal(x->follow_name, type);
    else
        assert_null(x->follow_name);
    assert_int_equal(x->sum_value, sum);
    assert_int_equal(x->other_value, other);
    assert_true(x->is_approximable);
    lr_layers_free(all, n);
    lr_graph_free(g);
}

static void assert_reason(struct lr_graph *g, const char *name, const char *reason)
{
    struct lr_layer *all;
    int n;

    mb_infer(g);
    assert_int_equal(lr_layers_find(&all, &n, g, NULL), LR_OK);
    const struct lr_layer *x = find(g, name, all, n);
    assert_true(x->is_approximable == (reason == NULL));
    if (reason)
        assert_string_equal(x->reason, reason);
    else
        assert_null(x->reason);
    lr_layers_free(all, n);
    lr_graph_free(g);
}

static void layers__lists_sizes_in_order(void **state)
{
    struct lr_layer *all;
    int n;
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 3, 11, 13);
    int a = mb_conv(g, "a", x, 3, 8, 5, 2, 2), r = mb_unary(g, "Relu", "r", a);
    int b = mb_conv(g, "b", r, 8, 6, 1, 1, 0);
    mb_output(g, b);
    mb_infer(g);
    assert_int_equal(lr_layers_find(&all, &n, g, NULL), LR_OK);
    assert_int_equal(n, 2);
    assert_string_equal(all[0].name, "a");
    assert_int_equal(all[0].value, a);
    assert_int_equal(all[0].input, x);
    assert_true(all[0].c == 3 && all[0].d == 8 && all[0].kh == 5 && all[0].kw == 5);
    assert_true(all[0].stride_h == 2 && all[0].pad_left == 2 && all[0].group == 1);
    assert_true(all[0].in_h == 11 && all[0].in_w == 13);
    assert_true(all[0].out_h == 6 && all[0].out_w == 7);
    assert_int_equal(all[0].macs, 8 * 3 * 25 * 6 * 7);
    assert_int_equal(all[0].params, 8 * 3 * 25 + 8);
    assert_string_equal(all[1].name, "b");
    assert_true(all[1].is_approximable);
    lr_layers_free(all, n);
    lr_graph_free(g);
}

static void layers__sees_relu_when_it_alone_follows(void **state)
{
    static const struct {
        const char *type;
        enum lr_follow follow;
    } cases[] = {{"Relu", LR_FOLLOW_RELU},     {"LeakyRelu", LR_FOLLOW_OTHER},
                 {"Sigmoid", LR_FOLLOW_OTHER}, {"Tanh", LR_FOLLOW_OTHER},
                 {"Flatten", LR_FOLLOW_NONE},  {"GlobalAveragePool", LR_FOLLOW_NONE}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_graph *g = mb_graph(13);
        int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
        mb_output(g, mb_unary(g, cases[i].type, "next", a));
        assert_follow(g, "a", cases[i].follow, cases[i].type, -1, -1);
    }
    struct lr_graph *g = mb_graph(13);
    int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
    mb_output(g, mb_bn(g, "bn", a, 8));
    assert_follow(g, "a", LR_FOLLOW_OTHER, "BatchNormalization", -1, -1);
}

static void layers__takes_clip_for_relu_when_only_bounded_below(void **state)
{
    (void)state;
    for (int has_top = 0; has_top < 2; has_top++)
        for (int opset = 9; opset < 12; opset += 2) {
            struct lr_graph *g = mb_graph(opset);
            int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
            int lo = mb_floats(g, "lo", 0, 1, (float[]){0});
            int hi = mb_floats(g, "hi", 0, 1, (float[]){6});
            int c =
                mb_node(g, "Clip", "c", opset < 11 ? 1 : 2 + has_top, (int[]){a, lo, hi});
            if (opset < 11) {
                lr_node_set_float(mb_of(g, c), "min", 0, NULL);
                if (has_top)
                    lr_node_set_float(mb_of(g, c), "max", 6, NULL);
            }
            mb_output(g, c);
            assert_follow(g, "a", has_top ? LR_FOLLOW_OTHER : LR_FOLLOW_RELU, "Clip", -1,
                          -1);
        }
}

static void layers__sees_nothing_when_response_is_read_twice_or_an_output(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
    mb_output(g, mb_unary(g, "Relu", "r", a));
    mb_output(g, mb_unary(g, "Relu", "s", a));
    assert_follow(g, "a", LR_FOLLOW_NONE, NULL, -1, -1);

    g = mb_graph(13);
    a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
    mb_output(g, mb_unary(g, "Relu", "r", a));
    mb_output(g, a);
    assert_follow(g, "a", LR_FOLLOW_NONE, NULL, -1, -1);

    g = mb_graph(13);
    mb_output(g, mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1));
    assert_follow(g, "a", LR_FOLLOW_NONE, NULL, -1, -1);
}

/* What reads the sum: one Relu, two, a Relu and a further sum, nothing. */
static void layers__looks_behind_a_residual_sum(void **state)
{
    (void)state;
    for (int readers = 0; readers < 4; readers++)
        for (int second = 0; second < 2; second++) {
            struct lr_graph *g = mb_graph(13);
            int x = mb_image(g, -1, 4, 8, 8);
            int a = mb_conv(g, "a", x, 4, 4, 3, 1, 1),
                b = mb_conv(g, "b", x, 4, 4, 1, 1, 0);
            int s =
                second ? mb_binary(g, "Add", "s", b, a) : mb_binary(g, "Add", "s", a, b);
            if (readers > 0)
                mb_output(g, mb_unary(g, "Relu", "r", s));
            if (readers == 2)
                mb_output(g, mb_unary(g, "Relu", "r2", s));
            if (readers == 3)
                mb_output(g, mb_binary(g, "Add", "t", s, x));
            if (readers == 0)
                mb_output(g, s);
            int is_relu = readers == 1 || readers == 2;
            assert_follow(g, second ? "b" : "a",
                          is_relu ? LR_FOLLOW_RELU : LR_FOLLOW_NONE,
                          is_relu ? "Relu" : NULL, s, second ? a : b);
        }
}

static void layers__takes_other_sums_for_activations(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 4, 3, 1, 1);
    int s = mb_binary(g, "Add", "s", a, mb_weight(g, "w", 3, (int64_t[]){4, 1, 1}));
    mb_output(g, mb_unary(g, "Relu", "r", s));
    assert_follow(g, "a", LR_FOLLOW_OTHER, "Add", -1, -1);

    g = mb_graph(13);
    int x = mb_image(g, -1, 3, 8, 8);
    a = mb_conv(g, "a", x, 3, 4, 3, 1, 1);
    s = mb_binary(
        g, "Add", "s", a,
        mb_unary(g, "GlobalAveragePool", "p", mb_conv(g, "b", x, 3, 4, 3, 1, 1)));
    mb_output(g, mb_unary(g, "Relu", "r", s));
    assert_follow(g, "a", LR_FOLLOW_OTHER, "Add", -1, -1);

    g = mb_graph(13);
    a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 4, 3, 1, 1);
    mb_output(g, mb_binary(g, "Add", "s", a, a));
    assert_follow(g, "a", LR_FOLLOW_NONE, NULL, -1, -1);
}

static void layers__gives_a_reason_when_not_approximable(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    mb_set_int(g, mb_conv(g, "a", mb_image(g, -1, 64, 8, 8), 2, 64, 3, 1, 1), "group",
               32);
    assert_reason(g, "a", "grouped convolution (groups 32)");

    g = mb_graph(13);
    mb_set_int(g, mb_conv(g, "a", mb_image(g, -1, 8, 8, 8), 1, 16, 3, 1, 1), "group", 8);
    assert_reason(g, "a", "depthwise convolution");

    g = mb_graph(13);
    mb_conv(g, "a", mb_image(g, -1, 8, 8, 8), 8, 1, 3, 1, 1);
    assert_reason(g, "a", "1 filter only");

    g = mb_graph(13);
    mb_conv(g, "a", mb_image(g, -1, 1, 8, 8), 1, 8, 1, 1, 0);
    assert_reason(g, "a", "too small to gain at any rank");

    /* Rank 1 costs 2 + 2 instead of 2 * 2. */
    g = mb_graph(13);
    mb_conv(g, "a", mb_image(g, -1, 2, 8, 8), 2, 2, 1, 1, 0);
    assert_reason(g, "a", "too small to gain at any rank");

    g = mb_graph(13);
    mb_conv(g, "a", mb_image(g, -1, 1, 8, 8), 1, 8, 3, 1, 1);
    assert_reason(g, "a", NULL);

    g = mb_graph(13);
    int x = mb_image(g, -1, 3, 8, 8);
    int w = mb_unary(g, "Relu", "r", mb_weight(g, "w", 4, (int64_t[]){4, 3, 1, 1}));
    mb_binary(g, "Conv", "a", x, w);
    assert_reason(g, "a", "weights are not constant");

    g = mb_graph(13);
    x = mb_unary(g, "Relu", "r", mb_unary(g, "Foo", "f", mb_image(g, -1, 3, 8, 8)));
    mb_conv(g, "a", x, 3, 4, 3, 1, 1);
    assert_reason(g, "a", "no shape known (depends on unknown operator Foo)");

    g = mb_graph(13);
    x = mb_unary(g, "Transpose", "turn", mb_image(g, -1, 3, 8, 8));
    mb_conv(g, "a", x, 3, 4, 3, 1, 1);
    assert_reason(g, "a", "no shape known (depends on turn: moves the batch)");
}

static void layers__shows_sizes_when_shape_is_unknown(void **state)
{
    struct lr_layer *all;
    int n;
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_unary(g, "Foo", "f", mb_image(g, -1, 3, 8, 8));
    mb_set_int(g, mb_conv(g, "a", x, 3, 8, 5, 1, 1), "group", 2);
    mb_infer(g);
    assert_int_equal(lr_layers_find(&all, &n, g, NULL), LR_OK);
    assert_int_equal(n, 1);
    assert_true(all[0].c == 6 && all[0].d == 8 && all[0].kh == 5 && all[0].group == 2);
    assert_int_equal(all[0].macs, 0);
    lr_layers_free(all, n);
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers__lists_sizes_in_order),
        cmocka_unit_test(layers__sees_relu_when_it_alone_follows),
        cmocka_unit_test(layers__takes_clip_for_relu_when_only_bounded_below),
        cmocka_unit_test(layers__sees_nothing_when_response_is_read_twice_or_an_output),
        cmocka_unit_test(layers__looks_behind_a_residual_sum),
        cmocka_unit_test(layers__takes_other_sums_for_activations),
        cmocka_unit_test(layers__gives_a_reason_when_not_approximable),
        cmocka_unit_test(layers__shows_sizes_when_shape_is_unknown),
    };
    return cmocka_run_group_tests_name("model_layers", tests, NULL, NULL);
}
