/* What a network is fed: which of several inputs is the image, the sizes that a file
 * leaves free, and which node is told to stand in the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"
#include "session/internal.h"

struct heard {
    int n;
    char text[4][256];
};

static void hear(void *ctx, enum lr_note_level level, const char *text)
{
    struct heard *h = ctx;

    (void)level;
    if (h->n < 4)
        snprintf(h->text[h->n], sizeof(h->text[0]), "%s", text);
    h->n++;
}

static int add_input(struct lr_graph *g, const char *name, int n_dims,
                     const int64_t *dims)
{
    struct lr_shape s = {.n_dims = n_dims};
    int v;

    memcpy(s.dims, dims, (size_t)n_dims * sizeof(*dims));
    assert_int_equal(lr_graph_add_input(g, &v, name, LR_DT_F32, &s, NULL), LR_OK);
    return v;
}

static void choose_image__gives_the_same_image_to_inputs_of_its_shape(void **state)
{
    struct heard h = {0};
    struct lr_notes notes = {hear, &h};
    struct lr_graph *g = mb_graph(13);
    (void)state;
    int a = add_input(g, "a", 4, (int64_t[]){-1, 3, 8, 8});
    int b = add_input(g, "b", 4, (int64_t[]){1, 3, 8, 8});
    int sum = mb_binary(g, "Sub", "difference", a, b);

    mb_output(g, sum);
    assert_int_equal(lr_graph_choose_image(g, NULL, &notes, NULL), LR_OK);
    assert_int_equal(g->n_inputs, 1);
    assert_int_equal(g->inputs[0], a);
    assert_int_equal(mb_of(g, sum)->in[0], a);
    assert_int_equal(mb_of(g, sum)->in[1], a);
    assert_int_equal(h.n, 1);
    assert_string_equal(h.text[0],
                        "input b has the shape of a: it is given the same image");
    lr_graph_free(g);
}

static void choose_image__takes_the_one_of_four_dimensions(void **state)
{
    struct heard h = {0};
    struct lr_notes notes = {hear, &h};
    struct lr_graph *g = mb_graph(13);
    (void)state;
    int scale = add_input(g, "scale", 2, (int64_t[]){-1, 3});
    int x = add_input(g, "x", 4, (int64_t[]){-1, 3, 8, 8});

    mb_output(g, mb_binary(g, "Mul", "product", x, scale));
    assert_int_equal(lr_graph_choose_image(g, NULL, &notes, NULL), LR_OK);
    assert_int_equal(g->n_inputs, 1);
    assert_int_equal(g->inputs[0], x);
    assert_non_null(g->values[scale].tensor);
    assert_true(((const float *)g->values[scale].tensor->data)[2] == 1);
    assert_string_equal(
        h.text[0], "input scale (float32 1x3) beside x is taken as a constant of ones");
    lr_graph_free(g);
}

/* The sizes chosen for an input of these dimensions, read by a convolution with filters
 * w_dims. */
static void assert_chosen(int n_dims, const int64_t *dims, const int64_t *w_dims,
                          const char *text)
{
    struct lr_notes none = {0};
    struct lr_graph *g = mb_graph(13);
    struct lr_shape s;
    char buf[8 * 21];
    int x = add_input(g, "x", n_dims, dims);

    mb_output(
        g, mb_node(g, "Conv", "conv", 2, (int[]){x, mb_weight(g, "w", n_dims, w_dims)}));
    bool is_chosen = session_choose_sizes(&s, g, &none);
    assert_int_equal(is_chosen, text != NULL);
    if (text)
        assert_string_equal(lr_shape_text(buf, sizeof(buf), &s), text);
    lr_graph_free(g);
}

static void choose_sizes__fills_in_what_the_file_leaves_free(void **state)
{
    (void)state;
    const int64_t image[] = {8, 5, 3, 3}, signal[] = {8, 5, 3},
                  volume[] = {8, 5, 3, 3, 3};

    assert_chosen(4, (int64_t[]){-1, 5, -1, -1}, image, "1x5x224x224");
    assert_chosen(4, (int64_t[]){-1, -1, -1, -1}, image, "1x5x224x224");
    assert_chosen(4, (int64_t[]){-1, 5, 48, -1}, image, "1x5x48x48");
    assert_chosen(4, (int64_t[]){-1, -1, -1, 3}, image, "1x224x224x3");
    assert_chosen(3, (int64_t[]){-1, -1, -1}, signal, "1x5x1024");
    assert_chosen(5, (int64_t[]){-1, 5, -1, -1, -1}, volume, "1x5x16x112x112");
    assert_chosen(4, (int64_t[]){-1, 5, 9, 9}, image, NULL);
}

static void blocker__names_what_is_not_known_first(void **state)
{
    char buf[256];
    struct lr_graph *g = mb_graph(13);
    (void)state;
    int x = mb_image(g, -1, 3, 8, 8);
    int t = mb_unary(g, "Transpose", "turn", x);

    mb_set_ints(g, t, "perm", 4, (int64_t[]){1, 0, 2, 3});
    mb_output(g, t);
    mb_output(g, mb_unary(g, "Foo", "foo", x));
    mb_infer(g);
    assert_string_equal(lr_graph_blocker(g, buf, sizeof(buf)),
                        "foo: operator Foo (opset 13) is not known (and 1 more node)");
    lr_graph_free(g);
}

static void choose_image__makes_no_constant_that_fills_the_memory(void **state)
{
    struct lr_err e = {0};
    struct lr_graph *g = mb_graph(13);
    (void)state;
    int x = add_input(g, "x", 4, (int64_t[]){-1, 3, 8, 8});
    int y = add_input(g, "y", 3, (int64_t[]){1, 40000, 400});

    mb_output(g, mb_binary(g, "Mul", "m", x, y));
    assert_int_equal(lr_graph_choose_image(g, NULL, NULL, &e), LR_OK);
    lr_graph_free(g);
    g = mb_graph(13);
    x = add_input(g, "x", 4, (int64_t[]){-1, 3, 8, 8});
    y = add_input(g, "y", 3, (int64_t[]){1, 40000, 40000});
    mb_output(g, mb_binary(g, "Mul", "m", x, y));
    assert_int_equal(lr_graph_choose_image(g, NULL, NULL, &e), LR_EUNSUP);
    assert_string_equal(
        e.msg, "input y (1x40000x40000) beside x is too large for a constant of ones");
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choose_image__gives_the_same_image_to_inputs_of_its_shape),
        cmocka_unit_test(choose_image__takes_the_one_of_four_dimensions),
        cmocka_unit_test(choose_sizes__fills_in_what_the_file_leaves_free),
        cmocka_unit_test(blocker__names_what_is_not_known_first),
        cmocka_unit_test(choose_image__makes_no_constant_that_fills_the_memory),
    };
    return cmocka_run_group_tests_name("model_inputs", tests, NULL, NULL);
}
