/* Networks that cannot be run to their end: which values stand for their outputs, and
 * that the file keeps its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "model_build.h"
#include "ranklab/onnx.h"

/* A detector in small: shares of classes and boxes, from which a node that is not known
 * finds some; a map is given out besides. */
struct detector {
    struct lr_graph *g;
    int map, shares, boxes, found;
};

static struct detector detector(void)
{
    static const float half[1] = {0.5f};
    struct detector d = {.g = mb_graph(13)};
    struct lr_graph *g = d.g;
    int x = mb_image(g, -1, 3, 6, 6);
    int raw = mb_binary(g, "Add", "shift", x, mb_floats(g, "half", 0, 1, half));

    d.map = mb_unary(g, "Relu", "map", mb_conv(g, "c", raw, 3, 8, 3, 1, 1));
    d.shares = mb_unary(g, "Softmax", "shares", mb_conv(g, "s", d.map, 8, 5, 1, 1, 0));
    mb_set_int(g, d.shares, "axis", 1);
    d.boxes = mb_conv(g, "b", d.map, 8, 4, 1, 1, 0);
    int turned = mb_unary(g, "Transpose", "turn", d.shares);
    mb_set_ints(g, turned, "perm", 4, (int64_t[]){0, 2, 3, 1});
    int flat = mb_unary(g, "Flatten", "flat", turned);
    int is_some = mb_binary(g, "Greater", "some", flat, mb_floats(g, "k", 0, 1, half));
    d.found = mb_unary(g, "NonZero", "nz", is_some);
    int scored = mb_binary(g, "GatherElements", "scored", flat, d.found);
    int chosen = mb_binary(g, "Gather", "chosen",
                           mb_unary(g, "Flatten", "flat2", d.boxes), d.found);
    /* what does not depend on any weights is no answer */
    mb_output(g, mb_binary(g, "Gather", "part", raw, d.found));
    mb_output(g, scored);
    mb_output(g, chosen);
    mb_output(g, d.map);
    mb_infer(g);
    return d;
}

static void assert_outputs(const struct lr_graph *g, int n, const int *v)
{
    assert_int_equal(g->n_outputs, n);
    for (int i = 0; i < n; i++) {
        if (g->outputs[i] != v[i])
            fail_msg("output %d is %s, not %s", i, g->values[g->outputs[i]].name,
                     g->values[v[i]].name);
        assert_true(g->values[v[i]].is_output);
    }
}

static void cut__puts_what_is_computed_in_place_of_the_outputs(void **state)
{
    struct detector d = detector();
    int n;
    (void)state;

    assert_int_equal(lr_graph_cut(d.g, NULL), LR_OK);
    assert_outputs(d.g, 3, (int[]){d.map, d.shares, d.boxes});
    assert_ptr_equal(lr_graph_file_outputs(&n, d.g), d.g->file_outputs);
    assert_int_equal(n, 4);
    /* again, and it stays so */
    assert_int_equal(lr_graph_cut(d.g, NULL), LR_OK);
    assert_outputs(d.g, 3, (int[]){d.map, d.shares, d.boxes});
    lr_graph_free(d.g);
}

static void cut__leaves_networks_that_run_or_of_which_nothing_does(void **state)
{
    int n;
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int y = mb_conv(g, "c", mb_image(g, -1, 3, 6, 6), 3, 8, 3, 1, 1);
    mb_output(g, y);
    mb_infer(g);
    assert_int_equal(lr_graph_cut(g, NULL), LR_OK);
    assert_outputs(g, 1, &y);
    assert_ptr_equal(lr_graph_file_outputs(&n, g), g->outputs);
    assert_int_equal(n, 1);
    assert_null(g->file_outputs);
    lr_graph_free(g);

    g = mb_graph(13);
    int x = mb_image(g, -1, 3, 6, 6);
    int raw = mb_unary(g, "Relu", "r", x);
    y = mb_conv(g, "c", mb_unary(g, "Unheard", "u", raw), 3, 8, 3, 1, 1);
    mb_output(g, y);
    mb_infer(g);
    assert_int_equal(lr_graph_cut(g, NULL), LR_OK);
    assert_outputs(g, 1, &y);
    assert_null(g->file_outputs);
    lr_graph_free(g);
}

/* They are the same for every image, though a product made them. */
static void cut__asks_for_no_constants(void **state)
{
    (void)state;
    for (int is_fixed = 0; is_fixed < 2; is_fixed++) {
        struct lr_graph *g = mb_graph(13);
        int x = mb_image(g, is_fixed ? 1 : -1, 3, 6, 6);
        g->is_batch_fixed = is_fixed;
        int y = mb_conv(g, "c", x, 3, 8, 3, 1, 1);
        int w = mb_binary(
            g, "MatMul", "own", mb_weight(g, "a", 2, (int64_t[]){4, 4}),
            mb_unary(g, "Identity", "i", mb_weight(g, "b", 2, (int64_t[]){4, 4})));
        int z = mb_binary(g, "Gather", "z", mb_binary(g, "Unheard", "u", y, w), y);
        mb_output(g, z);
        mb_infer(g);
        assert_int_equal(lr_graph_cut(g, NULL), LR_OK);
        assert_outputs(g, 1, &y);
        lr_graph_free(g);
    }
}

/* A mask, and places in order, say less than the numbers they are of. */
static void cut__goes_back_to_what_was_decided_by(void **state)
{
    static const float half[1] = {0.5f};
    static const int64_t three[1] = {3};
    (void)state;
    for (int is_top = 0; is_top < 2; is_top++) {
        struct lr_graph *g = mb_graph(13);
        int y = mb_conv(g, "c", mb_image(g, -1, 3, 6, 6), 3, 8, 3, 1, 1);
        int chosen = is_top
                         ? mb_binary(g, "TopK", "t", mb_unary(g, "Flatten", "f", y),
                                     mb_ints(g, "k", 1, 1, three))
                         : mb_binary(g, "Greater", "m", y, mb_floats(g, "k", 0, 1, half));
        mb_output(g, mb_unary(g, "NonZero", "n", chosen));
        mb_infer(g);
        assert_int_equal(lr_graph_cut(g, NULL), LR_OK);
        assert_outputs(g, 1, &y);
        lr_graph_free(g);
    }
}

static void cut__is_copied_and_files_keep_their_outputs(void **state)
{
    struct detector d = detector();
    struct lr_graph *copy = NULL, *back = NULL;
    struct lr_err e = {0};
    char path[400];
    (void)state;

    assert_int_equal(lr_graph_cut(d.g, NULL), LR_OK);
    assert_int_equal(lr_graph_clone(&copy, d.g, &e), LR_OK);
    assert_outputs(copy, 3, (int[]){d.map, d.shares, d.boxes});
    assert_int_equal(copy->n_file_outputs, 4);
    assert_memory_equal(copy->file_outputs, d.g->file_outputs, 4 * sizeof(int));
    if (lr_onnx_write(copy, mb_path(path, "a.onnx"), &e) != LR_OK ||
        lr_onnx_read(&back, NULL, path, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_int_equal(back->n_outputs, 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(back->values[back->outputs[i]].name,
                            d.g->values[d.g->file_outputs[i]].name);
    lr_graph_free(back);
    lr_graph_free(copy);
    lr_graph_free(d.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut__puts_what_is_computed_in_place_of_the_outputs),
        cmocka_unit_test(cut__leaves_networks_that_run_or_of_which_nothing_does),
        cmocka_unit_test(cut__asks_for_no_constants),
        cmocka_unit_test(cut__goes_back_to_what_was_decided_by),
        cmocka_unit_test(cut__is_copied_and_files_keep_their_outputs),
    };

    return cmocka_run_group_tests_name("cut", tests, mb_make_dir, mb_remove_dir);
}
