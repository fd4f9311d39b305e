/* Constant folding: vectors of sizes that contain the batch, targets of Reshape,
 * constants that vanish into values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/space.h"
#include "model_build.h"

static int constant(struct lr_graph *g, const char *name, int64_t v, int n_dims)
{
    return mb_ints(g, name, n_dims, 1, &v);
}

/* The constant target of the Reshape that computes v. */
static void assert_target(struct lr_graph *g, int v, int n, const int64_t *want)
{
    const struct lr_tensor *t = g->values[mb_of(g, v)->in[1]].tensor;

    assert_non_null(t);
    assert_int_equal(t->shape.dims[0], n);
    for (int i = 0; i < n; i++)
        assert_int_equal(lr_tensor_int_at(t, i), want[i]);
}

/* x.view(x.size(0), -1) as exporters write it. */
static void fold__keeps_batch_free_when_target_is_computed(void **state)
{
    (void)state;
    for (int64_t batch = -1; batch < 5; batch += 2) {
        struct lr_graph *g = mb_graph(13);
        int x = mb_image(g, batch ? batch : 1, 4, 5, 6);
        int s = mb_unary(g, "Shape", "s", x);
        int n = mb_binary(g, "Gather", "n", s, constant(g, "zero", 0, 0));
        int u = mb_binary(g, "Unsqueeze", "u", n, constant(g, "axis", 0, 1));
        int c = mb_binary(g, "Concat", "c", u, constant(g, "open", -1, 1));
        mb_set_int(g, c, "axis", 0);
        int r = mb_binary(g, "Reshape", "r", x, c);
        mb_infer(g);
        mb_assert_shape(g, r, "Nx120");
        assert_int_equal(g->n_nodes, 1);
        assert_target(g, r, 2, (int64_t[]){0, -1});
        mb_infer(g);
        mb_assert_shape(g, r, "Nx120");
        assert_null(mb_of(g, r)->why_unsupported);
        lr_graph_free(g);
    }
}

/* The channel shuffle: view(n, groups, c / groups, h, w), computed piece by piece. */
static void fold__computes_with_sizes_when_channels_are_shuffled(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 12, 5, 6), part[5];
    int s = mb_unary(g, "Shape", "s", x);
    int axis = constant(g, "axis", 0, 1);
    static const char *const names[] = {"n", "c", "h", "w"};
    for (int i = 0; i < 4; i++)
        part[i < 1 ? 0 : i + 1] =
            mb_binary(g, "Gather", names[i], s, constant(g, names[i], i, 0));
    int two = constant(g, "two", 2, 0);
    part[2] = mb_binary(g, "Div", "half", part[2], two);
    part[1] = two;
    for (int i = 0; i < 5; i++) {
        char name[8] = {'u', (char)('0' + i), 0};
        part[i] = mb_binary(g, "Unsqueeze", name, part[i], axis);
    }
    int c = mb_node(g, "Concat", "cat", 5, part);
    mb_set_int(g, c, "axis", 0);
    int r = mb_binary(g, "Reshape", "r", x, c);
    int t = mb_unary(g, "Transpose", "t", r);
    mb_set_ints(g, t, "perm", 5, (int64_t[]){0, 2, 1, 3, 4});
    int back = mb_binary(g, "Reshape", "back", t, s);
    mb_output(g, back);
    mb_infer(g);
    mb_assert_shape(g, r, "Nx2x6x5x6");
    mb_assert_shape(g, t, "Nx6x2x5x6");
    mb_assert_shape(g, back, "Nx12x5x6");
    assert_int_equal(g->n_nodes, 3);
    assert_target(g, r, 5, (int64_t[]){0, 2, 6, 5, 6});
    assert_target(g, back, 4, (int64_t[]){0, 12, 5, 6});
    lr_graph_free(g);
}

/* Batch 3 in the file: 3 N / 3 is N, and so is 6 N / 6; N / 2 is nothing that can be
 * kept. */
static void fold__multiplies_and_divides_the_batch(void **state)
{
    (void)state;
    for (int divisor = 2; divisor <= 6; divisor += 2) {
        struct lr_graph *g = mb_graph(13);
        int x = mb_image(g, -1, 4, 5, 6);
        int n = mb_binary(g, "Gather", "n", mb_unary(g, "Shape", "s", x),
                          constant(g, "zero", 0, 1));
        int m = mb_binary(g, "Mul", "m", n, constant(g, "six", 6, 1));
        int d = mb_binary(g, "Div", "d", m, constant(g, "by", divisor, 1));
        int c = mb_binary(g, "Concat", "c", d, constant(g, "open", -1, 1));
        mb_set_int(g, c, "axis", 0);
        int r = mb_binary(g, "Reshape", "r", x, c);
        mb_infer(g);
        mb_assert_shape(g, r, divisor == 6 ? "Nx120" : "?");
        assert_true((mb_of(g, r)->why_unsupported == NULL) == (divisor == 6));
        lr_graph_free(g);
    }
}

static void reshape__takes_first_number_as_batch_when_file_fixes_it(void **state)
{
    static const struct {
        int64_t batch;
        int n;
        int64_t target[4];
        const char *shape; /* NULL: unsupported */
        int64_t kept[4];
    } cases[] = {
        {1, 2, {1, -1}, "Nx120", {0, -1}},
        {1, 2, {1, 120}, "Nx120", {0, 120}},
        {1, 2, {-1, 120}, "Nx120", {-1, 120}},
        {1, 2, {0, -1}, "Nx120", {0, -1}},
        {2, 3, {2, 4, 30}, "Nx4x30", {0, 4, 30}},
        {2, 4, {0, 0, -1, 2}, "Nx4x15x2", {0, 0, -1, 2}},
        {-1, 2, {1, -1}, "Nx120", {0, -1}},
        {2, 2, {1, -1}, NULL, {0}},
        {2, 2, {1, 240}, NULL, {0}},
        {2, 2, {-1, 60}, NULL, {0}},
        {2, 1, {240}, NULL, {0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_graph *g = mb_graph(13);
        int x = mb_image(g, cases[i].batch, 4, 5, 6);
        int t = mb_ints(g, "target", 1, cases[i].n, cases[i].target);
        int r = mb_binary(g, "Reshape", "r", x, t);
        mb_infer(g);
        mb_assert_shape(g, r, cases[i].shape ? cases[i].shape : "?");
        if (cases[i].shape)
            assert_target(g, r, cases[i].n, cases[i].kept);
        else
            assert_non_null(mb_of(g, r)->why_unsupported);
        lr_graph_free(g);
    }
}

static void reshape__is_refused_when_sizes_contradict(void **state)
{
    static const struct {
        int n;
        int64_t target[5];
        const char *text;
    } cases[] = {
        {2, {0, 121}, "cannot reshape Nx4x5x6 to Nx121"},
        {2, {-1, 77}, "cannot reshape"},
        {3, {0, 7, -1}, "cannot reshape"},
        {3, {-1, 4, -1}, "two sizes -1"},
        {2, {0, -2}, "target size -2"},
        {5, {0, 4, 5, 6, 0}, "target size 0 at 4"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_graph *g = mb_graph(13);
        struct lr_err e = {0};
        int x = mb_image(g, -1, 4, 5, 6);
        mb_binary(g, "Reshape", "r", x, mb_ints(g, "t", 1, cases[i].n, cases[i].target));
        assert_int_equal(lr_graph_infer(g, NULL, &e), LR_ESHAPE);
        if (!strstr(e.msg, cases[i].text))
            fail_msg("%s", e.msg);
        lr_graph_free(g);
    }
}

static void fold__moves_constants_through_views(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, 1, 2, 5, 6);
    int w = mb_floats(g, "w", 1, 6, (float[]){1, 2, 3, 4, 5, 6});
    int m = mb_binary(g, "Reshape", "m", w, mb_ints(g, "t", 1, 2, (int64_t[]){2, -1}));
    int t = mb_unary(g, "Transpose", "tr", m);
    int i = mb_unary(g, "Identity", "i", t);
    int v = mb_binary(g, "MatMul", "mm", mb_unary(g, "Flatten", "f", x), i);
    mb_set_int(g, v, "unused", 0);
    struct lr_err e = {0};
    assert_int_equal(lr_graph_infer(g, NULL, &e), LR_ESHAPE); /* Nx60 by 3x2 */
    assert_null(g->values[t].tensor);
    assert_int_equal(g->n_nodes, 5);

    mb_of(g, v)->in[0] = mb_fed(g, "left", 2, (int64_t[]){1, 3});
    assert_int_equal(lr_graph_infer(g, NULL, &e), LR_OK);
    const struct lr_tensor *folded = g->values[mb_of(g, v)->in[1]].tensor;
    assert_non_null(folded);
    assert_int_equal(folded->shape.dims[0], 3);
    assert_memory_equal(folded->data, ((float[]){1, 4, 2, 5, 3, 6}), 6 * sizeof(float));
    assert_int_equal(g->n_nodes, 2);
    assert_null(g->values[w].tensor);
    lr_graph_free(g);
}

static void fold__turns_constant_nodes_into_values(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, 1, 4, 5, 6);
    int k = mb_node(g, "Constant", "k", 0, NULL);
    mb_set_ints(g, k, "value_ints", 2, (int64_t[]){0, -1});
    int r = mb_binary(g, "Reshape", "r", x, k);
    mb_infer(g);
    mb_assert_shape(g, r, "Nx120");
    assert_int_equal(g->n_nodes, 1);
    assert_int_equal(g->values[k].producer, -1);
    assert_non_null(g->values[k].tensor);
    lr_graph_free(g);
}

/* Padding in torch's order (last axis first), reversed by Reshape, Slice and Transpose.
 */
static void fold__reverses_paddings_when_computed(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(11);
    int x = mb_image(g, -1, 2, 4, 4);
    int given = mb_ints(g, "given", 1, 4, (int64_t[]){1, 2, 3, 4});
    int zeros = mb_unary(g, "ConstantOfShape", "z", constant(g, "four", 4, 1));
    int ints = mb_unary(g, "Cast", "ci", zeros);
    mb_set_int(g, ints, "to", LR_DT_F32);
    int all =
        mb_binary(g, "Concat", "all", given, mb_ints(g, "rest", 1, 4, (int64_t[4]){0}));
    mb_set_int(g, all, "axis", 0);
    int rows =
        mb_binary(g, "Reshape", "rows", all, mb_ints(g, "t", 1, 2, (int64_t[]){-1, 2}));
    int axis = constant(g, "axis", 0, 1), back = constant(g, "back", -1, 1);
    int end = constant(g, "end", INT64_MIN + 1, 1);
    int flip = mb_node(g, "Slice", "flip", 5, (int[]){rows, back, end, axis, back});
    int t = mb_unary(g, "Transpose", "tr", flip);
    int flat = mb_binary(g, "Reshape", "flat", t, back);
    int p = mb_binary(g, "Pad", "p", x, flat);
    mb_output(g, p);
    mb_infer(g);
    mb_assert_shape(g, p, "Nx2x11x7");
    assert_int_equal(g->n_nodes, 1);
    lr_graph_free(g);
}

/* A state to begin with, a grid: large constants come from one number, up to some. */
static void fold__makes_large_constants_but_not_many(void **state)
{
    enum { ROUNDS = 6 };
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 64, 128, 128), made[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "z%d", i);
        made[i] = mb_unary(g, "ConstantOfShape", name,
                           mb_ints(g, &name[1], 1, 4, (int64_t[]){1, 64, 128, 128}));
        mb_output(g, mb_binary(g, "Add", "sum", x, made[i]));
    }
    int range = mb_node(g, "Range", "range", 3,
                        (int[]){constant(g, "begin", 0, 0), constant(g, "end", 100000, 0),
                                constant(g, "step", 1, 0)});
    mb_output(g, range);
    mb_infer(g);
    for (int i = 0; i < ROUNDS; i++)
        assert_true((g->values[made[i]].tensor != NULL) == (i < 4));
    assert_string_equal(mb_of(g, made[4])->why_unsupported,
                        "ConstantOfShape of too many elements");
    assert_string_equal(mb_of(g, range)->why_unsupported, "a range of 100000 numbers");
    lr_graph_free(g);
}

static void fold__marks_what_is_left_of_the_batch(void **state)
{
    char buf[200];
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int s = mb_unary(g, "Shape", "s", mb_image(g, -1, 2, 4, 4));
    mb_output(g, s);
    mb_infer(g);
    assert_string_equal(lr_graph_blocker(g, buf, sizeof(buf)),
                        "s: computes with the size of the batch");
    lr_graph_free(g);
}

/* 1999 times the float next to 2032 / 1999 is less than 2032: scales that stand for sizes
 * must give the size all the same, and the places of the quotient. */
static void fold__keeps_places_when_a_resize_has_sizes(void **state)
{
    static const int64_t sizes[] = {2032, 62};
    (void)state;
    struct lr_graph *g = mb_graph(13), *copy = NULL;
    int x = mb_image(g, -1, 2, 1999, 7);
    int zero = constant(g, "zero", 0, 1);
    int s = mb_unary(g, "Shape", "s", x);
    int front =
        mb_node(g, "Slice", "front", 4, (int[]){s, zero, constant(g, "two", 2, 1), zero});
    int c = mb_binary(g, "Concat", "c", front, mb_ints(g, "sides", 1, 2, sizes));
    mb_set_int(g, c, "axis", 0);
    int r = mb_node(g, "Resize", "r", 4, (int[]){x, -1, -1, c});
    mb_output(g, r);
    mb_infer(g);
    assert_int_equal(lr_graph_clone(&copy, g, NULL), LR_OK);
    mb_infer(copy);
    mb_assert_shape(copy, r, "Nx2x2032x62");
    for (int i = 0; i < 2; i++) {
        struct lr_resize_plan p;
        const struct lr_graph *of = i ? copy : g;
        assert_int_equal(
            lr_node_resize(&p, of, &of->nodes[0], &of->values[x].shape, NULL, 0, NULL),
            LR_OK);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(p.size[2 + k], sizes[k]);
            assert_true((float)p.scale[2 + k] == (float)sizes[k] / (k ? 7.0F : 1999.0F));
        }
    }
    lr_graph_free(copy);
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fold__keeps_batch_free_when_target_is_computed),
        cmocka_unit_test(fold__computes_with_sizes_when_channels_are_shuffled),
        cmocka_unit_test(fold__multiplies_and_divides_the_batch),
        cmocka_unit_test(reshape__takes_first_number_as_batch_when_file_fixes_it),
        cmocka_unit_test(reshape__is_refused_when_sizes_contradict),
        cmocka_unit_test(fold__moves_constants_through_views),
        cmocka_unit_test(fold__turns_constant_nodes_into_values),
        cmocka_unit_test(fold__reverses_paddings_when_computed),
        cmocka_unit_test(fold__makes_large_constants_but_not_many),
        cmocka_unit_test(fold__marks_what_is_left_of_the_batch),
        cmocka_unit_test(fold__keeps_places_when_a_resize_has_sizes),
    };
    return cmocka_run_group_tests_name("model_fold", tests, NULL, NULL);
}
