/* What makes maps larger: transposed convolution and resizing against loops, and the
 * functions that networks put between. */
#include "engine/net.h"
#include "engine_check.h"

static int64_t between(struct build *b, int64_t lo, int64_t hi)
{
    return lo + (int64_t)lr_rng_below(&b->rng, (uint64_t)(hi - lo + 1));
}

/* One wave down each map instead of noise: on a long axis the places, computed in single
 * precision by either way, stray by more than noise between two pixels forgives. */
static void make_smooth(struct trial *t)
{
    const struct nt *x = &t->want.t[t->g->inputs[0]];
    const int64_t rows = x->d[2], cols = x->d[3];
    for (int64_t k = 0; k < nt_count(x); k++) {
        double phase = (double)(k / (rows * cols)) + (double)(k % cols);
        double turn = 2 * M_PI * (double)(k / cols % rows) / (double)rows;
        t->in[0][k] = (float)sin(turn + phase);
    }
    naive_free(&t->want);
    t->want = naive_run(t->g, N_IMAGES, (const float *const *)t->in);
}

/* Ends the graph and checks it; the steps that were left to plain kernels. */
static int check_and_count(struct build *b, int out, bool is_smooth)
{
    struct lr_err e = {0};
    struct lr_net *net = NULL;
    struct lr_net_opts opts = {.batch = 2};
    struct trial t = trial_new(b, out);
    if (is_smooth)
        make_smooth(&t);
    check_all(&t);
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_OK);
    int n = lr_eng_count_kernels(net);
    lr_net_free(net);
    trial_free(&t);
    return n;
}

static void conv_transpose__matches_loops(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct build b = build_new(300 + seed, 12);
        int64_t group = seed % 4 == 3 ? 4 : 1 + (int64_t)(seed % 2);
        int64_t c = group * between(&b, 1, 9), per = between(&b, 1, 10);
        int64_t kh = between(&b, 1, 4), kw = between(&b, 1, 4);
        int64_t sh = between(&b, 1, 3), sw = between(&b, 1, 3);
        const int64_t pads[4] = {between(&b, 0, kh / 2), between(&b, 0, kw / 2),
                                 between(&b, 0, kh / 2), between(&b, 0, kw / 2)};
        int x = input(&b, DIMS(-1, c, 6, 7));
        if (seed % 3 == 0) /* its input as a convolution leaves it */
            x = relu(&b, node(&b, LR_OP_CONV, "Conv", x,
                              weight(&b, 0.3, DIMS(c, c, 1, 1)), -2));
        int w = weight(&b, 0.3, DIMS(c, per, kh, kw));
        int bias = seed % 2 ? weight(&b, 0.5, DIMS(per * group)) : -1;
        int y = node(&b, LR_OP_CONV_TRANSPOSE, "ConvTranspose", x, w, bias, -2);
        set_ints(&b, "strides", DIMS(sh, sw));
        set_ints(&b, "dilations", DIMS(1 + (int64_t)(seed % 5 == 4), 1));
        set_ints(&b, "pads", 4, pads);
        set_ints(&b, "output_padding",
                 DIMS(between(&b, 0, sh - 1), between(&b, 0, sw - 1)));
        set_int(&b, "group", group);
        check_graph(&b, seed % 5 ? relu(&b, y) : y);
    }
}

static void conv_transpose__is_done_by_the_library(void **state)
{
    (void)state;
    struct build b = build_new(700, 13);
    int x = input(&b, DIMS(-1, 16, 6, 7));
    int y = node(&b, LR_OP_CONV_TRANSPOSE, "ConvTranspose", x,
                 weight(&b, 0.3, DIMS(16, 8, 3, 3)), weight(&b, 0.5, DIMS(8)), -2);
    set_ints(&b, "strides", DIMS(2, 2));
    set_ints(&b, "pads", DIMS(1, 1, 1, 1));
    set_ints(&b, "output_padding", DIMS(1, 1));
    assert_int_equal(check_and_count(&b, relu(&b, y), false), 0);
}

static int resized(struct build *b, int x, float sh, float sw, const char *mode,
                   const char *coord, const char *nearest)
{
    int scales;
    struct lr_tensor *t = constant(b, LR_DT_F32, DIMS(4), &scales);
    const float values[4] = {1, 1, sh, sw};
    memcpy(t->data, values, sizeof values);
    int y = node(b, LR_OP_RESIZE, "Resize", x, -1, scales, -2);
    set_string(b, "mode", mode);
    set_string(b, "coordinate_transformation_mode", coord);
    set_string(b, "nearest_mode", nearest);
    return y;
}

/* By the library, where its places are ONNX's, and by plain loops. */
static void resize__matches_loops(void **state)
{
    static const char *const coords[] = {"half_pixel", "asymmetric", "align_corners"};
    static const char *const near[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                       "ceil"};
    static const float scales[] = {1, 2, 3, 4, 0.5F, 1.5F, 2.25F};
    (void)state;
    for (uint64_t seed = 0; seed < 126; seed++) {
        struct build b = build_new(400 + seed, 13);
        bool is_linear = seed % 3 == 1;
        int64_t c = between(&b, 1, 35);
        int x = input(&b, DIMS(-1, c, 6, 5));
        if (seed % 2)
            x = relu(&b, node(&b, LR_OP_CONV, "Conv", x,
                              weight(&b, 0.3, DIMS(c, c, 1, 1)), -2));
        int y = resized(&b, x, scales[seed % 7], scales[seed / 7 % 7],
                        is_linear ? "linear" : "nearest", coords[seed / 3 % 3],
                        near[seed / 9 % 4]);
        if (seed % 4 == 2)
            y = node(&b, LR_OP_CONV, "Conv", y, weight(&b, 0.3, DIMS(3, c, 1, 1)), -2);
        check_graph(&b, y);
    }
}

static void resize__is_done_by_the_library_where_it_means_the_same(void **state)
{
    /* Nearest where no place is half-way between two pixels. */
    static const struct {
        int from, to;
        bool has_nearest, is_linear;
    } axes[] = {{6, 12, true, true},      {6, 9, false, true},
                {9, 6, true, true},       {33, 129, true, true},
                {299, 224, true, false},  {513, 1025, true, false},
                {1025, 513, true, false}, {512, 1024, false, true}};
    (void)state;
    for (int i = 0; i < (int)(sizeof axes / sizeof axes[0]) * 2; i++) {
        const int from = axes[i / 2].from, to = axes[i / 2].to;
        if (i % 2 ? !axes[i / 2].is_linear : !axes[i / 2].has_nearest)
            continue;
        struct build b = build_new(800 + (uint64_t)i, 13);
        int x = input(&b, DIMS(-1, 8, from, 3));
        /* not below the quotient, so that there are as many places */
        float scale = (float)to / (float)from;
        if ((double)scale * from < to)
            scale = nextafterf(scale, INFINITY);
        int y = resized(&b, x, scale, 2, i % 2 ? "linear" : "nearest", "half_pixel",
                        "round_prefer_floor");
        int n = check_and_count(&b, y, from > 9);
        if (n != 0)
            print_error("%s, %d to %d\n", i % 2 ? "linear" : "nearest", from, to);
        assert_int_equal(n, 0);
    }
}

/* On noise between pixels, where a place that is a little off shows most: whoever does
 * it, results are those of places as ONNX Runtime computes them. */
static void resize__has_the_places_of_onnx_on_long_axes(void **state)
{
    static const int axes[][2] = {{64, 85},     {224, 228},   {480, 513},  {1025, 749},
                                  {1025, 1029}, {1999, 2032}, {2048, 4096}};
    enum { C = 16 };
    (void)state;
    for (int k = 0; k < (int)(sizeof axes / sizeof axes[0]); k++) {
        const int from = axes[k][0], to = axes[k][1];
        struct build b = build_new(950 + (uint64_t)k, 13);
        struct lr_net_opts opts = {.batch = 1};
        struct lr_net *net = NULL;
        struct lr_err e = {0};
        float scale = (float)to / (float)from;
        if ((double)scale * from < to)
            scale = nextafterf(scale, INFINITY);
        int x = relu(&b, input(&b, DIMS(-1, C, from, 2)));
        int y = resized(&b, x, scale, 2, "linear", "half_pixel", "floor");
        struct trial t = trial_new(&b, y);
        size_t count = 0;
        assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_OK);
        const float *in = t.in[0];
        assert_int_equal(lr_net_run(net, 1, &in, &e), LR_OK);
        const float *out = lr_net_output(net, 0, &count);
        assert_int_equal(count, C * to * 4);
        for (int c = 0; c < C; c++)
            for (int i = 0; i < to; i++) {
                double p =
                    fmin(fmax((double)(((float)i + 0.5F) / scale - 0.5F), 0), from - 1);
                int low = (int)p, up = low + 1 < from ? low + 1 : low;
                double a = fmax(0, (double)in[(c * from + low) * 2]);
                double z = fmax(0, (double)in[(c * from + up) * 2]);
                double want = a + (p - low) * (z - a);
                double got = (double)out[(c * to + i) * 4];
                if (!(fabs(got - want) <= 3e-5))
                    fail_msg("%d to %d, row %d: %g for %g", from, to, i, got, want);
            }
        lr_net_free(net);
        trial_free(&t);
    }
}

static void resize__is_done_by_loops_where_the_library_means_another(void **state)
{
    static const char *const coords[] = {"asymmetric", "align_corners"};
    (void)state;
    for (uint64_t i = 0; i < 4; i++) {
        struct build b = build_new(900 + i, 13);
        bool is_long = i >= 2;
        int x = input(&b, DIMS(-1, 8, is_long ? 512 : 6, 3));
        int y = resized(&b, x, is_long ? 513.001F / 512 : 2, 1, "linear", coords[i % 2],
                        "floor");
        assert_int_equal(check_and_count(&b, y, is_long), 1);
    }
}

static void hard_sigmoid__matches_loops(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct build b = build_new(600 + seed, 13);
        int x = input(&b, DIMS(-1, 12, 5, 5));
        if (seed % 2)
            x = node(&b, LR_OP_CONV, "Conv", x, weight(&b, 0.8, DIMS(12, 12, 1, 1)), -2);
        int y = node(&b, LR_OP_HARD_SIGMOID, "HardSigmoid", x, -2);
        if (seed > 1) {
            set_float(&b, "alpha", seed > 3 ? -0.9 : 1.0 / 6);
            set_float(&b, "beta", 0.4);
        }
        /* x is read again, so its buffer must not be written over */
        check_graph(&b, seed % 3 ? node(&b, LR_OP_MUL, "Mul", x, y, -2) : y);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_transpose__matches_loops),
        cmocka_unit_test(conv_transpose__is_done_by_the_library),
        cmocka_unit_test(resize__matches_loops),
        cmocka_unit_test(resize__is_done_by_the_library_where_it_means_the_same),
        cmocka_unit_test(resize__has_the_places_of_onnx_on_long_axes),
        cmocka_unit_test(resize__is_done_by_loops_where_the_library_means_another),
        cmocka_unit_test(hard_sigmoid__matches_loops),
    };
    return cmocka_run_group_tests_name("engine_upsample", tests, NULL, NULL);
}
