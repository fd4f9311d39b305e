/* The engine as a whole: chains, branches, fusion, buffers, outputs, resuming, refusals.
 */
#include "engine_check.h"

/* The embedded network's kind: convolutions, pooling, fully connected. */
static int chain(struct build *b, int *taps)
{
    int x = input(b, DIMS(-1, 1, 12, 12));
    taps[0] = conv3(b, x, 1, 17);
    int v = relu(b, taps[0]);
    taps[1] = conv3(b, v, 17, 16);
    v = max_pool2(b, relu(b, taps[1]));
    taps[2] = conv3(b, v, 16, 32);
    taps[3] = relu(b, taps[2]);
    v = flatten(b, max_pool2(b, taps[3]));
    return gemm(b, relu(b, gemm(b, v, 32 * 3 * 3, 20)), 20, 10);
}

static void engine__runs_a_chain(void **state)
{
    (void)state;
    int taps[4];
    struct build b = build_new(1, 12);
    check_graph(&b, chain(&b, taps));
}

static void engine__resumes_from_any_value(void **state)
{
    (void)state;
    int taps[4];
    struct lr_err e = {0};
    struct build b = build_new(2, 12);
    struct trial t = trial_new(&b, chain(&b, taps));
    for (int v = 0; v < t.g->n_values; v++) {
        const struct nt *w = &t.want.t[v];
        if (t.g->values[v].tensor || !w->x)
            continue;
        struct lr_net *net = NULL;
        struct lr_net_output o[2] = {{t.g->outputs[0], LR_NCHW}, {v, LR_NCHW}};
        struct lr_net_opts opts = {
            .batch = 4, .inputs = &v, .n_inputs = 1, .outputs = o, .n_outputs = 2};
        assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_OK);
        int64_t per = nt_count(w) / N_IMAGES;
        float *in = lr_alloc((size_t)(4 * per), sizeof *in);
        for (int n = 4; n >= 3; n--) {
            for (int64_t i = 0; i < 4 * per; i++)
                in[i] = i < n * per ? (float)w->x[i] : NAN;
            assert_int_equal(lr_net_run(net, n, (const float *const[]){in}, &e), LR_OK);
            assert_value(&t, o[0].value, lr_net_output(net, 0, NULL), 0, n, LR_NCHW);
            assert_value(&t, v, lr_net_output(net, 1, NULL), 0, n, LR_NCHW);
        }
        lr_free(in);
        lr_net_free(net);
    }
    trial_free(&t);
}

static void engine__compiles_only_what_is_needed(void **state)
{
    (void)state;
    int taps[4];
    struct lr_err e = {0};
    struct build b = build_new(3, 12);
    struct trial t = trial_new(&b, chain(&b, taps));
    struct lr_net *all = NULL, *part = NULL;
    struct lr_net_output o = {taps[2], LR_NHWC};
    struct lr_net_opts opts = {.batch = 4}, short_opts = {.batch = 4,
                                                          .inputs = &taps[1],
                                                          .n_inputs = 1,
                                                          .outputs = &o,
                                                          .n_outputs = 1};
    /* an operator that cannot run matters only when it is needed */
    t.g->nodes[t.g->n_nodes - 1].why_unsupported = lr_strdup("it is made up");
    assert_int_equal(lr_net_compile(&all, t.g, &opts, &e), LR_EUNSUP);
    assert_non_null(strstr(e.msg, "Gemm"));
    assert_non_null(strstr(e.msg, "it is made up"));
    assert_null(all);
    assert_int_equal(lr_net_compile(&part, t.g, &short_opts, &e), LR_OK);
    lr_net_free(part);
    trial_free(&t);
}

/* x -> conv -> relu -> conv -> add x -> relu, twice, the second time with a strided
 * shortcut. */
static int residual(struct build *b, int64_t c)
{
    const int64_t pads[4] = {1, 1, 1, 1}, none[4] = {0};
    int x = relu(b, conv3(b, input(b, DIMS(-1, 3, 9, 9)), 3, c));
    int y = relu(b, add(b, conv3(b, relu(b, conv3(b, x, c, c)), c, c), x));
    int down = conv(b, y, c, 2 * c, 1, 1, 2, 1, 1, none, true);
    int z = relu(b, conv(b, y, c, 2 * c, 3, 3, 2, 1, 1, pads, true));
    z = relu(b, add(b, down, conv3(b, z, 2 * c, 2 * c)));
    z = relu(b, add(b, z, conv3(b, z, 2 * c, 2 * c)));
    return gemm(
        b, flatten(b, node(b, LR_OP_GLOBAL_AVERAGE_POOL, "GlobalAveragePool", z, -2)),
        2 * c, 7);
}

static void engine__fuses_residual_additions(void **state)
{
    (void)state;
    const int64_t widths[] = {16, 5, 32};
    for (int i = 0; i < 3; i++) {
        struct build b = build_new(4 + (uint64_t)i, 12);
        check_graph(&b, residual(&b, widths[i]));
    }
}

/* The other operand of an addition is read again later: it must survive. */
static void engine__keeps_a_value_that_is_read_again(void **state)
{
    (void)state;
    struct build b = build_new(8, 12);
    int x = relu(&b, conv3(&b, input(&b, DIMS(-1, 2, 8, 8)), 2, 16));
    int y = add(&b, conv3(&b, x, 16, 16), x);
    int z = add(&b, conv3(&b, y, 16, 16), x);
    int r = relu(&b, y);
    int m = node(&b, LR_OP_MUL, "Mul", r, z, -2);
    int s = node(&b, LR_OP_SIGMOID, "Sigmoid", y, -2);
    check_graph(&b, add(&b, add(&b, m, s), x));
}

static void engine__adds_a_value_to_itself(void **state)
{
    (void)state;
    struct build b = build_new(9, 12);
    int x = conv3(&b, input(&b, DIMS(-1, 2, 5, 5)), 2, 16);
    int y = add(&b, x, x);
    int z = conv3(&b, y, 16, 16);
    check_graph(&b, relu(&b, add(&b, z, add(&b, z, y))));
}

/* Many branches at once, then joined: reused buffers must not overlap in time. */
static void engine__reuses_buffers_across_branches(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct build b = build_new(20 + seed, 12);
        int v[40], n = 0;
        v[n++] = conv3(&b, input(&b, DIMS(-1, 3, 7, 6)), 3, 16);
        while (n < 16) {
            int p = v[lr_rng_below(&b.rng, (uint64_t)n)],
                q = v[lr_rng_below(&b.rng, (uint64_t)n)];
            switch (lr_rng_below(&b.rng, 5)) {
            case 0:
                v[n++] = conv3(&b, p, 16, 16);
                break;
            case 1:
                v[n++] = relu(&b, p);
                break;
            case 2:
                v[n++] = add(&b, p, conv3(&b, q, 16, 16));
                break;
            case 3:
                v[n++] = node(&b, LR_OP_TANH, "Tanh", p, -2);
                break;
            default:
                v[n++] = add(&b, p, q);
                break;
            }
            v[n - 1] = node(&b, LR_OP_TANH, "Tanh", v[n - 1], -2);
        }
        int sum = v[0];
        for (int i = 1; i < n; i++)
            sum = add(&b, sum, v[i]);
        check_graph(&b, sum);
    }
}

static void engine__needs_less_memory_than_all_values(void **state)
{
    (void)state;
    struct lr_err e = {0};
    struct build b = build_new(30, 12);
    int x = input(&b, DIMS(-1, 16, 32, 32)), v = x;
    for (int i = 0; i < 12; i++)
        v = relu(&b, conv3(&b, v, 16, 16));
    struct trial t = trial_new(&b, v);
    struct lr_net *net = NULL;
    struct lr_net_opts opts = {.batch = 8};
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_OK);
    /* 12 maps of 512 KB would not fit; weights take 110 KB, the padded input 512 KB */
    assert_in_range(lr_net_bytes(net), 1, 6 * 524288);
    lr_net_free(net);
    trial_free(&t);
}

static void engine__takes_inputs_and_aliases_as_outputs(void **state)
{
    (void)state;
    struct build b = build_new(31, 12);
    int x = input(&b, DIMS(-1, 4, 3, 2));
    int w = weight(&b, 1, DIMS(2, 3));
    int shape = integers(&b, 3, (int64_t[]){0, 4, 6});
    int i = node(&b, LR_OP_IDENTITY, "Identity", x, -2);
    int r = node(&b, LR_OP_RESHAPE, "Reshape", i, shape, -2);
    int u = node(&b, LR_OP_UNSQUEEZE, "Unsqueeze", r, -2);
    int d = node(&b, LR_OP_DROPOUT, "Dropout", u, -2);
    int f = flatten(&b, d);
    struct trial t = trial_new(&b, f);
    check_all(&t);
    struct lr_net_output o[3] = {{x, LR_NCHW}, {x, LR_NHWC}, {w, LR_NCHW}};
    check_outputs(&t, o, 3, 2, LR_CONV_OF_GRAPH);
    trial_free(&t);
}

static void engine__flattens_a_value_used_twice(void **state)
{
    (void)state;
    struct build b = build_new(32, 12);
    int x = relu(&b, conv3(&b, input(&b, DIMS(-1, 3, 6, 6)), 3, 16));
    int f = flatten(&b, x);
    int g1 = gemm(&b, f, 16 * 36, 6);
    int p = flatten(&b, max_pool2(&b, x));
    int g2 = gemm(&b, p, 16 * 9, 6);
    int h = node(&b, LR_OP_SIGMOID, "Sigmoid", f, -2);
    check_graph(&b, add(&b, add(&b, g1, g2), gemm(&b, h, 16 * 36, 6)));
}

static void engine__refuses_with_the_node_named(void **state)
{
    (void)state;
    int taps[4];
    struct lr_err e = {0};
    struct lr_net *net = NULL;
    struct build b = build_new(33, 12);
    struct trial t = trial_new(&b, chain(&b, taps));
    struct lr_net_output o = {taps[0], LR_NCHW};
    struct lr_net_opts opts = {
        .batch = 2, .inputs = &taps[1], .n_inputs = 1, .outputs = &o, .n_outputs = 1};
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_ESHAPE);
    assert_non_null(strstr(e.msg, t.g->values[t.g->inputs[0]].name));
    o.value = 9999;
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_EINVAL);
    o = (struct lr_net_output){t.g->outputs[0], LR_NHWC};
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_EINVAL);
    opts.batch = 0;
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_EINVAL);
    opts = (struct lr_net_opts){.batch = 2147483647};
    t.g->values[t.g->inputs[0]].shape.dims[1] = 1 << 30;
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_ENOMEM);
    t.g->values[t.g->inputs[0]].shape.dims[1] = 1;
    opts.batch = 2;
    /* a filter that does not fit its input */
    t.g->values[t.g->nodes[2].in[1]].tensor->shape.dims[1]++;
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_ESHAPE);
    assert_non_null(strstr(e.msg, t.g->nodes[2].name));
    t.g->values[t.g->nodes[2].in[1]].tensor->shape.dims[1]--;
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_OK);
    assert_int_equal(e.code, LR_OK);
    const float *in[1] = {t.in[0]};
    assert_int_equal(lr_net_run(net, 3, in, &e), LR_EINVAL);
    assert_int_equal(lr_net_run(net, 0, in, &e), LR_EINVAL);
    lr_net_free(net);
    trial_free(&t);
}

static void engine__computes_values_without_a_batch_once(void **state)
{
    (void)state;
    struct build b = build_new(34, 12);
    int w = weight(&b, 1, DIMS(4, 3));
    int c = node(&b, LR_OP_SIGMOID, "Sigmoid", w, -2);
    int x = input(&b, DIMS(-1, 4, 3));
    check_graph(&b, add(&b, x, c));
}

static void engine__gives_the_same_answer_twice(void **state)
{
    (void)state;
    struct lr_err e = {0};
    struct lr_net *net = NULL;
    struct build b = build_new(35, 12);
    struct trial t = trial_new(&b, residual(&b, 16));
    struct lr_net_opts opts = {.batch = N_IMAGES};
    assert_int_equal(lr_net_compile(&net, t.g, &opts, &e), LR_OK);
    float first[N_IMAGES * 7];
    const float *in[1] = {t.in[0]};
    for (int i = 0; i < 4; i++) {
        int n = i % 2 ? 2 : N_IMAGES;
        assert_int_equal(lr_net_run(net, n, in, &e), LR_OK);
        const float *got = lr_net_output(net, 0, NULL);
        if (i == 0)
            memcpy(first, got, sizeof first);
        assert_memory_equal(first, got, (size_t)(n * 7) * sizeof *got);
    }
    lr_net_free(net);
    trial_free(&t);
}

static void engine__names_its_version(void **state)
{
    (void)state;
    char buf[96], brief[7];
    assert_non_null(strstr(lr_engine_version(buf, sizeof(buf)), "oneDNN 2."));
    assert_string_equal(lr_engine_version(brief, sizeof(brief)), "oneDNN");
}

static void engine__good_batch_follows_the_largest_layer(void **state)
{
    (void)state;
    struct build b = build_new(36, 12);
    int x = input(&b, DIMS(-1, 64, 128, 64));
    struct trial t = {.g = b.g};
    int y = relu(&b, x);
    b.g->values[y].has_shape = true;
    b.g->values[y].shape = b.g->values[x].shape;
    /* 4 MB in and out: 16 images in 64 MB */
    assert_int_equal(lr_engine_good_batch(b.g), 16);
    b.g->values[x].shape.dims[2] = b.g->values[y].shape.dims[2] = 1;
    assert_int_equal(lr_engine_good_batch(b.g), 64);
    lr_graph_free(t.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine__runs_a_chain),
        cmocka_unit_test(engine__resumes_from_any_value),
        cmocka_unit_test(engine__compiles_only_what_is_needed),
        cmocka_unit_test(engine__fuses_residual_additions),
        cmocka_unit_test(engine__keeps_a_value_that_is_read_again),
        cmocka_unit_test(engine__adds_a_value_to_itself),
        cmocka_unit_test(engine__reuses_buffers_across_branches),
        cmocka_unit_test(engine__needs_less_memory_than_all_values),
        cmocka_unit_test(engine__takes_inputs_and_aliases_as_outputs),
        cmocka_unit_test(engine__flattens_a_value_used_twice),
        cmocka_unit_test(engine__refuses_with_the_node_named),
        cmocka_unit_test(engine__computes_values_without_a_batch_once),
        cmocka_unit_test(engine__gives_the_same_answer_twice),
        cmocka_unit_test(engine__names_its_version),
        cmocka_unit_test(engine__good_batch_follows_the_largest_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
