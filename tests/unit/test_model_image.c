/* Which input is the image, what size it has where the file leaves that free, and what
 * the other inputs become. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"
#include "session/internal.h"

static int input_of(struct lr_graph *g, const char *name, enum lr_dtype t, int64_t a,
                    int64_t b, int64_t c, int64_t d)
{
    struct lr_shape s = {4, {a, b, c, d}};
    struct lr_err e = {0};
    int v;
    assert_int_equal(lr_graph_add_input(g, &v, name, t, &s, &e), LR_OK);
    return v;
}

static void assert_size(const struct lr_graph *g, bool is_chosen, const char *text)
{
    const struct lr_notes none = {0};
    struct lr_shape s;
    char buf[8 * 21];
    assert_int_equal(session_choose_sizes(&s, g, &none), is_chosen);
    if (is_chosen)
        assert_string_equal(lr_shape_text(buf, sizeof(buf), &s), text);
}

static struct lr_graph *first(int64_t c, int64_t h, int64_t w, int channels)
{
    struct lr_graph *g = mb_graph(13);
    mb_conv(g, "a", mb_image(g, -1, c, h, w), channels, 4, 3, 1, 1);
    return g;
}

/* Turned round before the convolution, by way of a cast and a sum. */
static struct lr_graph *last(int64_t h, int64_t w, int64_t c, int channels)
{
    struct lr_graph *g = mb_graph(13);
    int x = mb_unary(g, "Cast", "cast", mb_image(g, -1, h, w, c));
    mb_set_int(g, x, "to", 1);
    x = mb_binary(g, "Sub", "mean", x, mb_floats(g, "m", 1, 1, (float[]){3}));
    x = mb_unary(g, "Transpose", "turn", x);
    mb_set_ints(g, x, "perm", 4, (int64_t[]){0, 3, 1, 2});
    mb_conv(g, "a", x, channels, 4, 3, 1, 1);
    return g;
}

static void choose_sizes__fills_what_the_file_leaves_free(void **state)
{
    static const struct {
        bool is_last, is_chosen;
        int64_t dims[3];
        int channels;
        const char *want;
    } cases[] = {
        {false, false, {3, 20, 30}, 3, ""},
        {false, true, {3, -1, -1}, 3, "1x3x224x224"},
        {false, true, {-1, -1, -1}, 1, "1x1x224x224"},
        {false, true, {-1, 64, 48}, 3, "1x3x64x48"},
        {false, true, {3, -1, 96}, 3, "1x3x96x96"},
        {true, false, {20, 30, 3}, 3, ""},
        {true, true, {-1, -1, 3}, 3, "1x224x224x3"},
        {true, true, {-1, -1, -1}, 1, "1x224x224x1"},
        {true, true, {-1, -1, -1}, 4, "1x224x224x4"},
        {true, true, {-1, 80, 3}, 3, "1x80x80x3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int64_t *d = cases[i].dims;
        struct lr_graph *g = cases[i].is_last
                                 ? last(d[0], d[1], d[2], cases[i].channels)
                                 : first(d[0], d[1], d[2], cases[i].channels);
        assert_size(g, cases[i].is_chosen, cases[i].want);
        lr_graph_free(g);
    }
}

static void image__has_three_channels_and_reals_where_there_is_a_choice(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int bytes = input_of(g, "bytes", LR_DT_U8, -1, 3, 8, 8);
    assert_int_equal(lr_graph_image(g), bytes); /* nothing else is there */
    int mask = input_of(g, "mask", LR_DT_F32, -1, 1, 8, 8);
    assert_int_equal(lr_graph_image(g), mask);
    int image = input_of(g, "image", LR_DT_F32, -1, 3, 8, 8);
    input_of(g, "depth", LR_DT_F32, -1, 1, 8, 8);
    assert_int_equal(lr_graph_image(g), image);
    lr_graph_free(g);
}

static void choose_image__gives_other_inputs_the_sizes_they_share(void **state)
{
    struct lr_shape size = {4, {1, 3, 40, 64}};
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int named = input_of(g, "named", LR_DT_F32, -1, 1, -1, -1);
    int image = input_of(g, "image", LR_DT_F32, -1, 3, -1, -1);
    int both = input_of(g, "free", LR_DT_F32, -1, 1, -1, -1);
    int fixed = input_of(g, "fixed", LR_DT_F32, -1, -1, 5, 6);
    /* height and width change places in the first one */
    g->values[image].names[2] = g->values[named].names[3] = 1;
    g->values[image].names[3] = g->values[named].names[2] = 2;
    assert_int_equal(lr_graph_choose_image(g, &size, NULL, &e), LR_OK);
    assert_int_equal(g->n_inputs, 1);
    assert_int_equal(g->inputs[0], image);
    mb_assert_shape(g, named, "1x1x64x40");
    mb_assert_shape(g, both, "1x1x40x64");
    mb_assert_shape(g, fixed, "1x1x5x6");
    for (int k = 0; k < 64 * 40; k++)
        assert_true(((const float *)g->values[named].tensor->data)[k] == 1);
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choose_sizes__fills_what_the_file_leaves_free),
        cmocka_unit_test(image__has_three_channels_and_reals_where_there_is_a_choice),
        cmocka_unit_test(choose_image__gives_other_inputs_the_sizes_they_share),
    };
    return cmocka_run_group_tests_name("model_image", tests, NULL, NULL);
}
