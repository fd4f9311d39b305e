/* Unit tests of how the engine chooses between direct convolution and Winograd's method:
 * what is remembered decides, whatever a new measurement would find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "cache_folder.h"
#include "engine_check.h"
#include "ranklab/file.h"

/* Two convolutions that Winograd's method could do and three that it could not, with a
 * shortcut around two of them. */
static struct trial make_trial(void)
{
    struct build b = build_new(17, 12);
    const int64_t pads[4] = {1, 1, 1, 1}, none[4] = {0};
    int x = input(&b, DIMS(-1, 3, 20, 20));
    int y = relu(&b, conv(&b, x, 3, 32, 3, 3, 1, 1, 1, pads, true));
    int z = relu(&b, conv(&b, y, 32, 32, 3, 3, 1, 1, 1, pads, true));
    z = conv(&b, z, 32, 32, 1, 1, 1, 1, 1, none, true);
    y = relu(&b, add(&b, z, y));
    y = relu(&b, conv(&b, y, 32, 16, 3, 3, 1, 1, 4, pads, false));
    return trial_new(&b, conv(&b, y, 16, 16, 3, 3, 2, 1, 1, pads, false));
}

static float *outputs(const struct trial *t, int convolution, size_t *n)
{
    struct lr_err e = {0};
    struct lr_net *net = NULL;
    struct lr_net_opts opts = {.batch = N_IMAGES, .convolution = convolution};

    assert_int_equal(lr_net_compile(&net, t->g, &opts, &e), LR_OK);
    assert_int_equal(lr_net_run(net, N_IMAGES, (const float *const *)t->in, &e), LR_OK);
    const float *y = lr_net_output(net, 0, n);
    *n *= N_IMAGES;
    float *copy = lr_alloc(*n, sizeof(*copy));
    memcpy(copy, y, *n * sizeof(*copy));
    lr_net_free(net);
    return copy;
}

static void assert_same(const struct trial *t, int a, int b)
{
    size_t n, m;
    float *x = outputs(t, a, &n), *y = outputs(t, b, &m);

    assert_int_equal(n, m);
    assert_memory_equal(x, y, n * sizeof(*x));
    lr_free(x);
    lr_free(y);
}

static char *memo_path(void)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/ranklab/convolutions", cache_base);
    return path;
}

/* Replaces every choice by word; returns how many there were. */
static int rewrite(const char *word)
{
    struct lr_strbuf b = {0};
    struct lr_err e = {0};
    char *text = NULL;
    size_t len;
    int n = 0;

    assert_int_equal(lr_file_read(&text, &len, memo_path(), 1 << 20, &e), LR_OK);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
        char *tab = strchr(line, '\t');
        assert_non_null(tab);
        lr_strbuf_printf(&b, "%.*s\t%s\n", (int)(tab - line), line, word);
    }
    assert_int_equal(lr_file_write(memo_path(), b.s, b.len, &e), LR_OK);
    lr_strbuf_free(&b);
    lr_free(text);
    return n;
}

static bool has_winograd(const struct trial *t)
{
    size_t n, m;
    float *x = outputs(t, LR_CONV_DIRECT, &n), *y = outputs(t, LR_CONV_WINOGRAD, &m);
    bool has = memcmp(x, y, n * sizeof(*x)) != 0;

    lr_free(x);
    lr_free(y);
    return has;
}

static void auto__agrees_with_loops(void **state)
{
    struct trial t = make_trial();
    struct lr_net_output o = {t.g->outputs[0], LR_NCHW};

    (void)state;
    check_outputs(&t, &o, 1, N_IMAGES, LR_CONV_AUTO);
    check_outputs(&t, &o, 1, 2, LR_CONV_AUTO);
    trial_free(&t);
}

static void auto__does__what_is_remembered(void **state)
{
    struct trial t = make_trial();

    (void)state;
    if (!has_winograd(&t)) {
        trial_free(&t);
        skip();
    }
    assert_same(&t, LR_CONV_AUTO, LR_CONV_AUTO);
    assert_true(rewrite("winograd") >= 1);
    assert_same(&t, LR_CONV_AUTO, LR_CONV_WINOGRAD);
    rewrite("direct");
    assert_same(&t, LR_CONV_AUTO, LR_CONV_DIRECT);
    trial_free(&t);
}

static void auto__refuses__without_a_place_to_remember(void **state)
{
    struct trial t = make_trial();
    struct lr_err e = {0};
    struct lr_net *net = NULL;
    struct lr_net_opts opts = {.batch = N_IMAGES, .convolution = LR_CONV_AUTO};

    (void)state;
    setenv("XDG_CACHE_HOME", "/dev/null", 1);
    if (has_winograd(&t))
        assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_EIO);
    assert_null(net);
    trial_free(&t);
}

static void graph__says__how_to_convolve(void **state)
{
    struct trial t = make_trial();
    struct lr_graph *copy = NULL;
    struct lr_err e = {0};

    (void)state;
    t.g->convolution = LR_CONV_WINOGRAD;
    assert_same(&t, LR_CONV_OF_GRAPH, LR_CONV_WINOGRAD);
    assert_int_equal(lr_graph_clone(&copy, t.g, &e), LR_OK);
    assert_int_equal(copy->convolution, LR_CONV_WINOGRAD);
    t.g->convolution = LR_CONV_OF_GRAPH;
    assert_same(&t, LR_CONV_OF_GRAPH, LR_CONV_DIRECT);
    lr_graph_free(copy);
    trial_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(auto__agrees_with_loops, make_cache,
                                        remove_cache),
        cmocka_unit_test_setup_teardown(auto__does__what_is_remembered, make_cache,
                                        remove_cache),
        cmocka_unit_test_setup_teardown(auto__refuses__without_a_place_to_remember,
                                        make_cache, remove_cache),
        cmocka_unit_test_setup_teardown(graph__says__how_to_convolve, make_cache,
                                        remove_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
