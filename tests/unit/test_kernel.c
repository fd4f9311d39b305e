/* Integers in the plain kernels, against numbers worked out by hand, and constants that
 * keep their type while they are computed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/kernel.h"
#include "model_build.h"

static void run(struct lr_kernel *k, void *const *bufs)
{
    k->run(k->arg, bufs);
    lr_free(k->arg);
}

static void assert_ints(const int64_t *got, int n, const int64_t *want)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(got[i], want[i]);
}

static void einsum__multiplies_integers_and_wraps_when_the_type_is_narrow(void **state)
{
    (void)state;
    static const struct {
        enum lr_dtype t;
        int64_t want[4];
    } cases[] = {{LR_DT_I64, {211, -101, 483, -233}}, {LR_DT_I8, {-45, -101, -29, 23}}};
    const struct lr_shape s = {.n_dims = 2, .dims = {2, 2}};
    int64_t a[4] = {1, 2, 3, 4}, b[4] = {61, -31, 75, -35};
    for (int i = 0; i < 2; i++) {
        struct lr_kernel k;
        struct lr_err e = {0};
        int64_t y[4] = {0};
        assert_int_equal(lr_kernel_einsum(&k, 2, (const struct lr_shape *[]){&s, &s},
                                          (const char *[]){"ij", "jk"}, "ik", cases[i].t,
                                          &e),
                         LR_OK);
        run(&k, (void *[]){a, b, y});
        assert_ints(y, 4, cases[i].want);
    }
}

/* Bounds next to 2^24, which floats do not tell apart, and beyond the signed range. */
static void clip__is_exact_when_floats_cannot_hold_the_bounds(void **state)
{
    (void)state;
    struct lr_kernel k;
    struct lr_err e = {0};
    int64_t x[4] = {0, 16777217, 16777218, 16777300}, y[4];
    assert_int_equal(lr_kernel_clip_ints(&k, 16777217, 16777219, 4, LR_DT_I64, &e),
                     LR_OK);
    run(&k, (void *[]){x, y});
    assert_ints(y, 4, (const int64_t[]){16777217, 16777217, 16777218, 16777219});

    int64_t big[3] = {1, INT64_MIN, -1};
    assert_int_equal(lr_kernel_clip_ints(&k, 2, INT64_MIN, 3, LR_DT_U64, &e), LR_OK);
    run(&k, (void *[]){big, y});
    assert_ints(y, 3, (const int64_t[]){2, INT64_MIN, INT64_MIN});
}

static void lp_norm__leaves_zeros_when_there_is_no_length(void **state)
{
    (void)state;
    const float want[2][4] = {{0, 3.0F / 7, 0, -4.0F / 7}, {0, 0.6F, 0, -0.8F}};
    for (int p = 1; p <= 2; p++) {
        struct lr_kernel k;
        struct lr_err e = {0};
        float x[4] = {0, 3, 0, -4}, y[4];
        assert_int_equal(lr_kernel_lp_norm(&k, p, 1, 2, 2, &e), LR_OK);
        run(&k, (void *[]){x, y});
        for (int i = 0; i < 4; i++)
            assert_float_equal(y[i], want[p - 1][i], 1e-6);
    }
}

static void reduce__takes_logarithms_of_integers(void **state)
{
    (void)state;
    static const enum lr_reduce how[] = {LR_RED_LOG_SUM, LR_RED_LOG_SUM_EXP};
    const struct lr_shape s = {.n_dims = 2, .dims = {2, 2}};
    for (int i = 0; i < 2; i++) {
        struct lr_kernel k;
        struct lr_err e = {0};
        int64_t x[4] = {100, 50, 7, 7}, y[2];
        assert_int_equal(lr_kernel_reduce(&k, how[i], &s, 2, LR_DT_I32, false, &e),
                         LR_OK);
        run(&k, (void *[]){x, y});
        assert_ints(y, 2, i ? (const int64_t[]){100, 7} : (const int64_t[]){5, 2});
    }
}

static void triangle__keeps_all_or_nothing_when_the_diagonal_is_far_away(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct lr_kernel k;
        struct lr_err e = {0};
        int64_t x[6] = {1, 2, 3, 4, 5, 6}, y[6];
        assert_int_equal(lr_kernel_triangle(&k, 1, 2, 3, i & 1 ? INT64_MAX : INT64_MIN,
                                            i & 2, false, &e),
                         LR_OK);
        run(&k, (void *[]){x, y});
        const bool is_all = !(i & 1) == !!(i & 2);
        assert_ints(y, 6, is_all ? x : (const int64_t[6]){0});
    }
}

/* ONNX: with one result the coordinate is 0, where cubic weights have one tap. */
static void resize__takes_the_first_when_pytorch_keeps_one(void **state)
{
    (void)state;
    const struct lr_resize_opts o = {
        .mode = LR_RESIZE_CUBIC, .coord = LR_COORD_PYTORCH_HALF_PIXEL, .cubic_a = -0.75F};
    struct lr_resize_axis a;
    struct lr_err e = {0};
    float sum = 0;
    assert_int_equal(lr_resize_axis_init(&a, 4, 1, 0.25, (const double[]){0, 1}, &o, &e),
                     LR_OK);
    for (int t = 0; t < a.taps; t++)
        sum += a.weight[t] * (float)(a.index[t] == 0 ? 1 : 10);
    assert_float_equal(sum, 1, 1e-6);
    lr_resize_axis_clear(&a);
}

/* Places that are halves, but for the rounding of the scale they are divided by. */
static void resize__takes_what_was_rounded_for_the_middle(void **state)
{
    static const struct {
        int in, out, at, floor;
    } cases[] = {{7, 62, 31, 3}, {11, 26, 13, 5}, {15, 78, 13, 2}, {22, 52, 13, 5}};
    (void)state;
    for (int i = 0; i < 8; i++) {
        const int in = cases[i / 2].in, out = cases[i / 2].out;
        const struct lr_resize_opts o = {.mode = LR_RESIZE_NEAREST,
                                         .coord = LR_COORD_ASYMMETRIC,
                                         .nearest = i % 2 ? LR_NEAREST_PREFER_CEIL
                                                          : LR_NEAREST_PREFER_FLOOR};
        struct lr_resize_axis a;
        assert_int_equal(2 * cases[i / 2].at * in, (2 * cases[i / 2].floor + 1) * out);
        assert_int_equal(lr_resize_axis_init(&a, in, out, (double)out / in,
                                             (const double[]){0, 1}, &o, NULL),
                         LR_OK);
        assert_int_equal(a.index[cases[i / 2].at], cases[i / 2].floor + i % 2);
        lr_resize_axis_clear(&a);
    }
}

/* Numbers of uint64 with the highest bit set are no negative ones. */
static void map__knows_no_sign_when_integers_are_unsigned(void **state)
{
    (void)state;
    static const enum lr_map how[] = {LR_MAP_SIGN, LR_MAP_ABS, LR_MAP_RELU};
    static const int64_t want[3][3] = {
        {0, 1, 1}, {0, 5, INT64_MIN + 7}, {0, 5, INT64_MIN + 7}};
    for (int i = 0; i < 3; i++) {
        struct lr_kernel k;
        struct lr_err e = {0};
        int64_t x[3] = {0, 5, INT64_MIN + 7}, y[3];
        assert_int_equal(lr_kernel_map(&k, how[i], 0, 0, 3, LR_DT_U64, &e), LR_OK);
        run(&k, (void *[]){x, y});
        assert_ints(y, 3, want[i]);
    }
}

static void many__hands_nan_on_wherever_it_stands(void **state)
{
    (void)state;
    const struct lr_shape s = {.n_dims = 1, .dims = {3}};
    for (int i = 0; i < 2; i++) {
        struct lr_kernel k;
        struct lr_err e = {0};
        float a[3] = {NAN, 1, 2}, b[3] = {0, NAN, 3}, y[3];
        assert_int_equal(lr_kernel_many(&k, i ? LR_BIN_MIN : LR_BIN_MAX, 1, &s, LR_DT_F32,
                                        2, (const struct lr_shape *[]){&s, &s}, &e),
                         LR_OK);
        run(&k, (void *[]){a, b, y});
        assert_true(isnan(y[0]) && isnan(y[1]));
        assert_true(y[2] == (i ? 2.0f : 3.0f));
    }
}

static void quantize__stays_in_range_when_the_number_is_none(void **state)
{
    (void)state;
    const struct lr_shape s = {.n_dims = 1, .dims = {4}};
    struct lr_kernel k;
    struct lr_err e = {0};
    float x[4] = {NAN, 5, 7, INFINITY}, scale = 2;
    int64_t y[4];
    assert_int_equal(lr_kernel_quantize(&k, &s, 0, false, 0, false, LR_DT_I8, &e), LR_OK);
    run(&k, (void *[]){x, &scale, y});
    assert_ints(y, 4, (const int64_t[]){-128, 2, 4, 127});
}

static int narrow(struct lr_graph *g, const char *name, int n, const int32_t *v)
{
    const struct lr_shape s = {.n_dims = 1, .dims = {n}};
    struct lr_tensor *t;
    struct lr_err e = {0};
    int at;
    assert_int_equal(lr_tensor_new(&t, LR_DT_I32, &s, &e), LR_OK);
    memcpy(t->data, v, (size_t)n * sizeof(*v));
    assert_int_equal(lr_graph_add_value(g, &at, name, t, &e), LR_OK);
    return at;
}

/* Small vectors of integers are followed as int64, whatever their type. */
static void fold__keeps_int32_when_small_vectors_are_computed(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 2, 3, 3);
    int a = narrow(g, "a", 2, (const int32_t[]){INT32_MAX, 3});
    int b = narrow(g, "b", 2, (const int32_t[]){5, 4});
    int sum = mb_binary(g, "Add", "sum", a, b);
    int turned = mb_binary(g, "Gather", "turned", sum,
                           mb_ints(g, "order", 1, 2, (const int64_t[]){1, 0}));
    int i = mb_unary(g, "Cast", "i", x);
    mb_set_int(g, i, "to", LR_DT_I32);
    int pair = mb_node(g, "Reshape", "pair", 2,
                       (int[]){i, mb_ints(g, "to", 1, 2, (const int64_t[]){-1, 18})});
    int first = mb_node(g, "Slice", "first", 4,
                        (int[]){pair, mb_ints(g, "from", 1, 1, (const int64_t[]){0}),
                                mb_ints(g, "end", 1, 1, (const int64_t[]){2}),
                                mb_ints(g, "axis", 1, 1, (const int64_t[]){1})});
    int y = mb_binary(g, "Add", "y", first, turned);
    mb_output(g, y);
    for (int pass = 0; pass < 2; pass++) {
        mb_infer(g);
        assert_null(mb_of(g, y)->why_unsupported);
        const struct lr_tensor *t = g->values[turned].tensor;
        assert_non_null(t);
        assert_int_equal(t->dtype, LR_DT_I32);
        assert_int_equal(lr_tensor_int_at(t, 0), 7);
        assert_int_equal(lr_tensor_int_at(t, 1), INT32_MIN + 4);
    }
    lr_graph_free(g);
}

/* Two integers that are an output of the network and are computed with as well. */
static void fold__keeps_integers_when_they_are_an_output_too(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 2, 3, 2);
    int i = mb_unary(g, "Cast", "i", x);
    mb_set_int(g, i, "to", LR_DT_I64);
    int a = mb_ints(g, "a", 1, 2, (const int64_t[]){3, 4});
    int sum = mb_binary(g, "Add", "sum", a, a);
    mb_output(g, mb_binary(g, "Mul", "y", i, sum));
    mb_output(g, sum);
    for (int pass = 0; pass < 2; pass++) {
        mb_infer(g);
        assert_null(mb_of(g, sum)->why_unsupported);
        assert_string_equal(mb_of(g, sum)->type, "Identity");
        const struct lr_tensor *t = g->values[mb_of(g, sum)->in[0]].tensor;
        assert_non_null(t);
        assert_int_equal(lr_tensor_int_at(t, 1), 8);
    }
    lr_graph_free(g);
}

/* Reduced by itself a number still becomes its square. */
static void fold__squares_when_a_reduction_has_no_axes(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(18);
    int x = mb_image(g, -1, 2, 3, 3);
    int y = mb_unary(g, "ReduceSumSquare", "y",
                     mb_floats(g, "a", 1, 3, (const float[]){-3, 0.5F, 2}));
    mb_set_int(g, y, "noop_with_empty_axes", 1);
    mb_output(g, mb_binary(g, "Add", "z", x, y));
    mb_infer(g);
    const struct lr_tensor *t = g->values[y].tensor;
    assert_non_null(t);
    assert_int_equal(t->shape.dims[0], 3);
    const float want[3] = {9, 0.25F, 4};
    for (int i = 0; i < 3; i++)
        assert_float_equal(((const float *)t->data)[i], want[i], 1e-6);
    lr_graph_free(g);
}

/* The rest of the network is shown all the same. */
static void infer__says_why_when_a_value_has_no_elements(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(11);
    int x = mb_image(g, -1, 2, 3, 3);
    int c = mb_conv(g, "c", x, 2, 4, 3, 1, 0);
    int s = mb_node(g, "Slice", "s", 4,
                    (int[]){x, mb_ints(g, "from", 1, 1, (const int64_t[]){2}),
                            mb_ints(g, "end", 1, 1, (const int64_t[]){2}),
                            mb_ints(g, "axis", 1, 1, (const int64_t[]){1})});
    mb_output(g, mb_unary(g, "Relu", "r", s));
    mb_output(g, c);
    mb_infer(g);
    mb_assert_shape(g, c, "Nx4x1x1");
    mb_assert_shape(g, s, "?");
    assert_non_null(mb_of(g, s)->why_unsupported);
    assert_non_null(strstr(mb_of(g, s)->why_unsupported, "no elements"));
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(einsum__multiplies_integers_and_wraps_when_the_type_is_narrow),
        cmocka_unit_test(clip__is_exact_when_floats_cannot_hold_the_bounds),
        cmocka_unit_test(lp_norm__leaves_zeros_when_there_is_no_length),
        cmocka_unit_test(reduce__takes_logarithms_of_integers),
        cmocka_unit_test(triangle__keeps_all_or_nothing_when_the_diagonal_is_far_away),
        cmocka_unit_test(resize__takes_the_first_when_pytorch_keeps_one),
        cmocka_unit_test(resize__takes_what_was_rounded_for_the_middle),
        cmocka_unit_test(map__knows_no_sign_when_integers_are_unsigned),
        cmocka_unit_test(many__hands_nan_on_wherever_it_stands),
        cmocka_unit_test(quantize__stays_in_range_when_the_number_is_none),
        cmocka_unit_test(infer__says_why_when_a_value_has_no_elements),
        cmocka_unit_test(fold__keeps_int32_when_small_vectors_are_computed),
        cmocka_unit_test(fold__keeps_integers_when_they_are_an_output_too),
        cmocka_unit_test(fold__squares_when_a_reduction_has_no_axes),
    };
    return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
