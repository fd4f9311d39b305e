/* The list of layers: sizes, what follows a response, and every reason why a convolution
 * cannot be approximated. */
#include <math.h>
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
    assert_int_equal(all[0].bytes, 4 * (8 * 3 * 25 + 8 + 3 * 11 * 13 + 8 * 6 * 7));
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
    } cases[] = {{"Relu", LR_FOLLOW_RELU},     {"LeakyRelu", LR_FOLLOW_PIECEWISE},
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

/* As exporters of networks with the channels last write it. */
static void layers__looks_behind_transposes(void **state)
{
    static const int64_t last[4] = {0, 2, 3, 1}, first[4] = {0, 3, 1, 2};
    (void)state;
    for (int k = 0; k < 4; k++) {
        struct lr_graph *g = mb_graph(13);
        int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
        int t = mb_unary(g, "Transpose", "t", a);
        mb_set_ints(g, t, "perm", 4, last);
        if (k == 1) {
            t = mb_unary(g, "Transpose", "u", t);
            mb_set_ints(g, t, "perm", 4, first);
        }
        int r = mb_unary(g, k == 2 ? "Sigmoid" : "Relu", "next", t);
        mb_output(g, r);
        if (k == 3) /* what is turned is wanted too */
            mb_output(g, t);
        assert_follow(g, "a",
                      k == 3   ? LR_FOLLOW_NONE
                      : k == 2 ? LR_FOLLOW_OTHER
                               : LR_FOLLOW_RELU,
                      k == 3   ? NULL
                      : k == 2 ? "Sigmoid"
                               : "Relu",
                      -1, -1);
    }
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
            assert_follow(g, "a", has_top ? LR_FOLLOW_PIECEWISE : LR_FOLLOW_RELU, "Clip",
                          -1, -1);
        }
}

static void layers__sees_nothing_when_response_is_an_output(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
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
                          is_relu        ? "Relu"
                          : readers == 3 ? "2 consumers"
                                         : NULL,
                          s, second ? a : b);
        }
}

/* Sums of one response that are no residual sum, before and behind a residual sum. */
static void layers__names_other_sums(void **state)
{
    static const char *const names[] = {"Add (constant)", "Add (broadcast)",
                                        "Add (itself)"};
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (int is_behind = 0; is_behind < 2; is_behind++)
            for (int is_left = 0; is_left < 2; is_left++) {
                struct lr_graph *g = mb_graph(13);
                int x = mb_image(g, -1, 4, 8, 8);
                int a = mb_conv(g, "a", x, 4, 4, 3, 1, 1), v = a;
                int sum = is_behind ? v = mb_binary(g, "Add", "t", a, x) : -1;
                int other = kind == 0   ? mb_weight(g, "w", 3, (int64_t[]){4, 1, 1})
                            : kind == 1 ? mb_unary(g, "GlobalAveragePool", "p", x)
                                        : v;
                int s = is_left ? mb_binary(g, "Add", "s", v, other)
                                : mb_binary(g, "Add", "s", other, v);
                mb_output(g, mb_unary(g, "Relu", "r", s));
                assert_follow(g, "a", LR_FOLLOW_OTHER, names[kind], sum,
                              is_behind ? x : -1);
            }
}

/* The only layer's activation, or the test fails; the graph is released. */
static struct lr_activation act_of(struct lr_graph *g, enum lr_follow follow,
                                   const char *name)
{
    struct lr_layer *all;
    int n;

    mb_infer(g);
    assert_int_equal(lr_layers_find(&all, &n, g, NULL), LR_OK);
    assert_int_equal(n, 1);
    struct lr_activation a = all[0].act;
    assert_int_equal(all[0].follow, follow);
    assert_string_equal(all[0].follow_name, name);
    assert_int_equal(lr_act_is_nonlinear(&a),
                     follow == LR_FOLLOW_RELU || follow == LR_FOLLOW_PIECEWISE);
    assert_int_equal(lr_act_is_relu(&a), follow == LR_FOLLOW_RELU);
    lr_layers_free(all, n);
    lr_graph_free(g);
    return a;
}

/* A convolution whose response a Clip with these bounds reads. */
static struct lr_graph *clipped(float lo, float hi)
{
    struct lr_graph *g = mb_graph(13);
    int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);

    mb_output(g, mb_node(g, "Clip", "c", 3,
                         (int[]){a, mb_floats(g, "lo", 0, 1, &lo),
                                 mb_floats(g, "hi", 0, 1, &hi)}));
    return g;
}

static struct lr_graph *leaking(float alpha)
{
    struct lr_graph *g = mb_graph(13);
    int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
    int v = mb_unary(g, "LeakyRelu", "l", a);

    lr_node_set_float(mb_of(g, v), "alpha", alpha, NULL);
    mb_output(g, v);
    return g;
}

static void layers__gives_bounds_and_slope_when_piecewise(void **state)
{
    struct lr_activation a;
    (void)state;
    a = act_of(clipped(0, 6), LR_FOLLOW_PIECEWISE, "Clip");
    assert_true(a.lo >= 0 && a.lo <= 0 && a.hi >= 6 && a.hi <= 6 && a.slope <= 0);
    a = act_of(clipped(-1, INFINITY), LR_FOLLOW_PIECEWISE, "Clip");
    assert_true(a.lo >= -1 && a.lo <= -1 && isinf(a.hi));
    a = act_of(clipped(-INFINITY, 2), LR_FOLLOW_PIECEWISE, "Clip");
    assert_true(isinf(a.lo) && a.lo < 0 && a.hi >= 2 && a.hi <= 2);
    a = act_of(clipped(-0.0f, INFINITY), LR_FOLLOW_RELU, "Clip");
    a = act_of(clipped(-INFINITY, INFINITY), LR_FOLLOW_NONE, "Clip");
    a = act_of(clipped(3, 3), LR_FOLLOW_OTHER, "Clip");
    a = act_of(clipped(3, -3), LR_FOLLOW_OTHER, "Clip");
    a = act_of(leaking(0.25f), LR_FOLLOW_PIECEWISE, "LeakyRelu");
    assert_true(a.lo >= 0 && a.lo <= 0 && isinf(a.hi) && a.slope >= 0.25f &&
                a.slope <= 0.25f);
    a = act_of(leaking(0), LR_FOLLOW_RELU, "LeakyRelu");
    a = act_of(leaking(1), LR_FOLLOW_OTHER, "LeakyRelu");
    a = act_of(leaking(-0.1f), LR_FOLLOW_OTHER, "LeakyRelu");
    assert_true(lr_act_is_relu(&lr_act_relu) && !lr_act_is_nonlinear(&lr_act_none));
}

/* Two readers, with the same activation, with others, with none. */
static void layers__wants_one_activation_when_read_twice(void **state)
{
    static const struct {
        const char *type[2];
        enum lr_follow follow;
        const char *name;
    } cases[] = {
        {{"Relu", "Relu"}, LR_FOLLOW_RELU, "Relu"},
        {{"LeakyRelu", "LeakyRelu"}, LR_FOLLOW_PIECEWISE, "LeakyRelu"},
        {{"LeakyRelu", "Relu"}, LR_FOLLOW_NONE, "2 consumers"},
        {{"Relu", "Flatten"}, LR_FOLLOW_NONE, "2 consumers"},
        {{"Sigmoid", "Sigmoid"}, LR_FOLLOW_NONE, "2 consumers"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_graph *g = mb_graph(13);
        int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
        mb_output(g, mb_unary(g, cases[i].type[0], "r", a));
        mb_output(g, mb_unary(g, cases[i].type[1], "s", a));
        assert_follow(g, "a", cases[i].follow, cases[i].name, -1, -1);
    }
}

/* x f(x), as exports spell activations out; none of them has pieces, so the layer is
 * solved linearly, and that is all. */
static void layers__names_activations_spelled_out_as_products(void **state)
{
    static const float half = 0.5f, one = 1;
    static const struct {
        const char *ops[3], *name;
    } cases[] = {
        {{"Sigmoid"}, "Swish"},
        {{"HardSigmoid"}, "HardSwish"},
        {{"Softplus", "Tanh"}, "Mish"},
        {{"Mul", "Erf", "Add"}, "Gelu"},
        {{"Add", "Clip", "Mul"}, "HardSwish"},
        {{"Tanh"}, "2 consumers"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_graph *g = mb_graph(14);
        int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1), x = a;
        int h = mb_floats(g, "half", 0, 1, &half), u = mb_floats(g, "unit", 0, 1, &one);
        for (int k = 0; k < 3 && cases[i].ops[k]; k++) {
            const char *op = cases[i].ops[k], *name = k == 0   ? "n0"
                                                      : k == 1 ? "n1"
                                                               : "n2";
            x = strcmp(op, "Mul") == 0   ? mb_binary(g, op, name, x, h)
                : strcmp(op, "Add") == 0 ? mb_binary(g, op, name, x, u)
                                         : mb_unary(g, op, name, x);
        }
        mb_output(g, mb_binary(g, "Mul", "product", i % 2 ? x : a, i % 2 ? a : x));
        assert_follow(g, "a", cases[i].name[0] == '2' ? LR_FOLLOW_NONE : LR_FOLLOW_OTHER,
                      cases[i].name, -1, -1);
    }
}

static void layers__stay_approximable_before_any_activation(void **state)
{
    static const char *const ops[] = {"HardSwish", "Gelu", "Mish",   "Elu",
                                      "Selu",      "Tanh", "Sigmoid"};
    static const float slopes[8] = {0.1f, 0.2f, 0.3f, 0.1f, 0.2f, 0.3f, 0.1f, 0.2f};
    (void)state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        struct lr_graph *g = mb_graph(20);
        int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
        mb_output(g, mb_unary(g, ops[i], "f", a));
        assert_follow(g, "a", LR_FOLLOW_OTHER, ops[i], -1, -1);
    }
    for (int n = 1; n <= 8; n += 7) {
        struct lr_graph *g = mb_graph(13);
        int a = mb_conv(g, "a", mb_image(g, -1, 3, 8, 8), 3, 8, 3, 1, 1);
        int w = mb_fed(g, "slope", 3, (int64_t[]){n, 1, 1});
        struct lr_tensor *t = NULL;
        struct lr_shape shape = {.n_dims = 3, .dims = {n, 1, 1}};
        assert_int_equal(lr_tensor_new(&t, LR_DT_F32, &shape, NULL), LR_OK);
        memcpy(t->data, slopes, (size_t)n * sizeof(*slopes));
        mb_output(g, mb_binary(g, "PRelu", "p", a, w));
        assert_int_equal(lr_graph_bind_input(g, w, t, NULL), LR_OK);
        assert_follow(g, "a", n == 1 ? LR_FOLLOW_PIECEWISE : LR_FOLLOW_OTHER, "PRelu", -1,
                      -1);
    }
}

static void layers__gives_a_reason_when_not_approximable(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
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
    int w = mb_fed(g, "w", 4, (int64_t[]){4, 3, 1, 1});
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

/* At rank g a split costs c k k + d per position, the whole d (c / g) k k. */
static void layers__takes_groups_when_a_split_of_each_pays(void **state)
{
    static const struct {
        int c, d, group, k;
        const char *reason;
    } cases[] = {
        {64, 64, 32, 3, NULL}, /* 640 of 1152 */
        {64, 32, 32, 3, "grouped convolution (32 groups): too small to gain at any rank"},
        {8, 8, 4, 1, "grouped convolution (4 groups): too small to gain at any rank"},
        {8, 16, 4, 1, NULL},  /* 24 of 32 */
        {12, 16, 4, 1, NULL}, /* 28 of 48 */
        {8, 32, 8, 3, "depthwise convolution"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_graph *g = mb_graph(13);
        int c = cases[i].c, n = cases[i].group;
        int a = mb_conv(g, "a", mb_image(g, -1, c, 8, 8), c / n, cases[i].d, cases[i].k,
                        1, 0);
        mb_set_int(g, a, "group", n);
        assert_reason(g, "a", cases[i].reason);
    }
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
        cmocka_unit_test(layers__looks_behind_transposes),
        cmocka_unit_test(layers__takes_clip_for_relu_when_only_bounded_below),
        cmocka_unit_test(layers__sees_nothing_when_response_is_an_output),
        cmocka_unit_test(layers__looks_behind_a_residual_sum),
        cmocka_unit_test(layers__names_other_sums),
        cmocka_unit_test(layers__gives_bounds_and_slope_when_piecewise),
        cmocka_unit_test(layers__wants_one_activation_when_read_twice),
        cmocka_unit_test(layers__names_activations_spelled_out_as_products),
        cmocka_unit_test(layers__stay_approximable_before_any_activation),
        cmocka_unit_test(layers__gives_a_reason_when_not_approximable),
        cmocka_unit_test(layers__takes_groups_when_a_split_of_each_pays),
        cmocka_unit_test(layers__shows_sizes_when_shape_is_unknown),
    };
    return cmocka_run_group_tests_name("model_layers", tests, NULL, NULL);
}
