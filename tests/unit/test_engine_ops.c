/* Every operator of the engine against loops, over shapes drawn at random. */
#include "engine_check.h"

static int64_t pick(struct build *b, int64_t lo, int64_t hi)
{
    return lo + (int64_t)lr_rng_below(&b->rng, (uint64_t)(hi - lo + 1));
}

/* A value in a layout of oneDNN's choice: c channels out of a convolution. */
static int blocked(struct build *b, int64_t c, int64_t h, int64_t w)
{
    return conv3(b, input(b, DIMS(-1, 3, h, w)), 3, c);
}

static void conv__matches_loops(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct build b = build_new(100 + seed, 12);
        int64_t group = seed % 4 == 3 ? pick(&b, 2, 4) : 1;
        int64_t c = group * pick(&b, 1, 9), d = group * pick(&b, 1, 18);
        int64_t kh = pick(&b, 1, 5), kw = pick(&b, 1, 4), dil = seed % 3 == 2 ? 2 : 1;
        int64_t pads[4] = {pick(&b, 0, 2), pick(&b, 0, 2), pick(&b, 0, 2),
                           pick(&b, 0, 2)};
        int x = input(&b, DIMS(-1, c, pick(&b, 9, 13), pick(&b, 9, 13)));
        int y = conv(&b, x, c, d, kh, kw, pick(&b, 1, 3), dil, group, pads, seed % 2);
        check_graph(&b, seed % 5 ? relu(&b, y) : y);
    }
}

static void conv__matches_loops_when_depthwise(void **state)
{
    (void)state;
    const int64_t pads[4] = {1, 1, 1, 1};
    struct build b = build_new(150, 12);
    int x = input(&b, DIMS(-1, 32, 9, 9));
    int y = conv(&b, relu(&b, conv3(&b, x, 32, 32)), 32, 32, 3, 3, 2, 1, 32, pads, true);
    check_graph(&b, relu(&b, y));
}

static void conv__winograd_agrees_with_direct(void **state)
{
    (void)state;
    struct build b = build_new(151, 12);
    int x = input(&b, DIMS(-1, 64, 28, 28));
    struct trial t = trial_new(&b, relu(&b, conv3(&b, x, 64, 64)));
    struct lr_net_output o = {t.g->outputs[0], LR_NCHW};
    check_outputs(&t, &o, 1, N_IMAGES, LR_CONV_WINOGRAD);
    trial_free(&t);
}

static int activation(struct build *b, int x, int which)
{
    int y;
    switch (which) {
    case 0:
        return relu(b, x);
    case 1:
        y = node(b, LR_OP_LEAKY_RELU, "LeakyRelu", x, -2);
        set_float(b, "alpha", 0.2);
        return y;
    case 2:
        return node(b, LR_OP_SIGMOID, "Sigmoid", x, -2);
    case 3:
        return node(b, LR_OP_TANH, "Tanh", x, -2);
    case 4:
        y = node(b, LR_OP_CLIP, "Clip", x, -2);
        set_float(b, "min", -0.5);
        set_float(b, "max", 0.75);
        return y;
    case 5:
        return node(b, LR_OP_CLIP, "Clip", x, -1, scalar(b, 0.25F), -2);
    default:
        return node(b, LR_OP_CLIP, "Clip", x, scalar(b, 0.0F), scalar(b, 6.0F), -2);
    }
}

static void activations__match_loops_alone_and_fused(void **state)
{
    (void)state;
    for (int which = 0; which < 7; which++) {
        struct build b = build_new(200 + (uint64_t)which, which < 5 ? 9 : 13);
        int x = input(&b, DIMS(-1, 3, 6, 5));
        int y = activation(&b, conv3(&b, x, 3, 20), which);
        check_graph(&b, add(&b, activation(&b, y, which), activation(&b, y, which)));
        b = build_new(220 + (uint64_t)which, which < 5 ? 9 : 13);
        x = input(&b, DIMS(-1, 11));
        check_graph(&b, activation(&b, gemm(&b, activation(&b, x, which), 11, 6), which));
    }
}

static void pooling__matches_loops(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 48; seed++) {
        struct build b = build_new(300 + seed, 12);
        bool is_max = seed % 2, is_ceil = seed % 4 >= 2;
        int64_t k[2] = {pick(&b, 2, 4), pick(&b, 2, 3)};
        int64_t pads[4];
        for (int i = 0; i < 4; i++)
            pads[i] = pick(&b, 0, k[i % 2] - 1);
        int64_t c = seed % 3 ? 16 : 5, h = pick(&b, 7, 12), w = pick(&b, 7, 12);
        int x = seed % 5 ? blocked(&b, c, h, w) : input(&b, DIMS(-1, c, h, w));
        int y = is_max ? node(&b, LR_OP_MAX_POOL, "MaxPool", x, -2)
                       : node(&b, LR_OP_AVERAGE_POOL, "AveragePool", x, -2);
        set_ints(&b, "kernel_shape", 2, k);
        set_ints(&b, "strides", DIMS(pick(&b, 1, 3), pick(&b, 1, 3)));
        set_ints(&b, "pads", 4, pads);
        set_int(&b, "ceil_mode", is_ceil);
        if (is_max && seed % 7 == 3)
            set_ints(&b, "dilations", DIMS(2, 2));
        if (!is_max)
            set_int(&b, "count_include_pad", seed % 8 >= 4);
        check_graph(&b, relu(&b, y));
    }
}

static void global_pooling__matches_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct build b = build_new(400 + (uint64_t)i, 12);
        int x = i == 0   ? input(&b, DIMS(-1, 7, 5, 4))
                : i == 1 ? input(&b, DIMS(-1, 7, 5))
                : i == 2 ? blocked(&b, 16, 7, 6)
                         : blocked(&b, 19, 7, 6);
        check_graph(&b, node(&b, LR_OP_GLOBAL_AVERAGE_POOL, "GlobalAveragePool", x, -2));
    }
}

static void binary__matches_loops_with_broadcasting(void **state)
{
    (void)state;
    static const int64_t shapes[][5] = {
        /* dimensions, then how many */
        {16, 1, 1, 0, 3}, {1, 16, 1, 1, 4}, {5, 6, 0, 0, 2}, {1, 0, 0, 0, 1},
        {16, 5, 6, 0, 3}, {1, 1, 5, 1, 4},  {6, 0, 0, 0, 1}, {1, 16, 5, 6, 4},
    };
    for (int i = 0; i < 32; i++) {
        struct build b = build_new(500 + (uint64_t)i, 12);
        const int64_t *s = shapes[i % 8];
        enum lr_op op = i % 2 ? LR_OP_ADD : LR_OP_MUL;
        const char *type = i % 2 ? "Add" : "Mul";
        int x = i < 16 ? blocked(&b, 16, 5, 6) : input(&b, DIMS(-1, 16, 5, 6));
        int w = weight(&b, 1, (int)s[4], s);
        int y = i % 3 ? node(&b, op, type, x, w, -2) : node(&b, op, type, w, x, -2);
        check_graph(&b, i % 4 == 1 ? relu(&b, y) : y);
    }
}

static void binary__matches_loops_on_activations(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct build b = build_new(550 + (uint64_t)i, 12);
        enum lr_op op = i % 2 ? LR_OP_ADD : LR_OP_MUL;
        const char *type = i % 2 ? "Add" : "Mul";
        int x = blocked(&b, 16, 5, 6), y = x;
        if (i / 2 == 0)
            y = input(&b, DIMS(-1, 16, 5, 6)); /* another layout */
        else if (i / 2 == 1)                   /* a gate per channel */
            y = node(&b, LR_OP_GLOBAL_AVERAGE_POOL, "GlobalAveragePool", x, -2);
        else { /* both are repeated */
            x = input(&b, DIMS(-1, 4, 1, 6));
            y = input(&b, DIMS(-1, 1, 5, 6));
        }
        check_graph(&b, relu(&b, i % 3 ? node(&b, op, type, x, y, -2)
                                       : node(&b, op, type, y, x, -2)));
    }
}

static void batch_normalization__matches_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct build b = build_new(600 + (uint64_t)i, 12);
        int64_t c = i % 2 ? 16 : 7;
        int x = i < 2    ? blocked(&b, c, 5, 6)
                : i == 2 ? input(&b, DIMS(-1, c))
                : i == 3 ? input(&b, DIMS(-1, c, 5))
                         : max_pool2(&b, input(&b, DIMS(-1, c, 6, 6)));
        int s = weight(&b, 1, DIMS(c)), o = weight(&b, 1, DIMS(c)),
            m = weight(&b, 1, DIMS(c));
        int v = weight(&b, 1, DIMS(c));
        for (int64_t k = 0; k < c; k++)
            ((float *)b.g->values[v].tensor->data)[k] = 0.1F + 0.3F * (float)k;
        int y =
            node(&b, LR_OP_BATCH_NORMALIZATION, "BatchNormalization", x, s, o, m, v, -2);
        set_float(&b, "epsilon", 1e-3);
        check_graph(&b, i == 2 ? y : relu(&b, y));
    }
}

static void concat__matches_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct build b = build_new(650 + (uint64_t)i, 12);
        int64_t c = i % 2 ? 16 : 9;
        int x = blocked(&b, 16, 6, 6), y = conv3(&b, x, 16, c),
            z = relu(&b, conv3(&b, y, c, c));
        int axis = i / 2 == 0 ? 1 : i / 2 == 1 ? -3 : i / 2;
        int v = axis == 1 || axis == -3 ? node(&b, LR_OP_CONCAT, "Concat", x, y, z, -2)
                                        : node(&b, LR_OP_CONCAT, "Concat", y, z, -2);
        set_int(&b, "axis", axis);
        check_graph(&b, i == 1 ? conv3(&b, v, 48, 8) : relu(&b, v));
    }
    struct build b = build_new(660, 12);
    int x = input(&b, DIMS(-1, 3)), y = input(&b, DIMS(-1, 4));
    int v = node(&b, LR_OP_CONCAT, "Concat", x, y, x, -2);
    set_int(&b, "axis", -1);
    check_graph(&b, v);
}

static void gemm__matches_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct build b = build_new(700 + (uint64_t)i, 12);
        int64_t k = pick(&b, 1, 40), m = pick(&b, 1, 20);
        int x = input(&b, DIMS(-1, k));
        int w = i % 2 ? weight(&b, 0.3, DIMS(m, k)) : weight(&b, 0.3, DIMS(k, m));
        int c = i / 4 == 0   ? -1
                : i / 4 == 1 ? weight(&b, 1, DIMS(m))
                : i / 4 == 2 ? weight(&b, 1, DIMS(1, m))
                             : weight(&b, 1, DIMS(1));
        int y = node(&b, LR_OP_GEMM, "Gemm", x, w, c, -2);
        set_int(&b, "transB", i % 2);
        if (i % 4 >= 2) {
            set_float(&b, "alpha", -0.7);
            set_float(&b, "beta", 2.5);
        }
        check_graph(&b, i % 3 ? relu(&b, y) : y);
    }
}

static void gemm__matches_loops_on_other_operands(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        /* a constant left operand, transposed or not, and a matrix to add */
        struct build b = build_new(720 + (uint64_t)i, 12);
        int a = i % 2 ? weight(&b, 1, DIMS(6, 4)) : weight(&b, 1, DIMS(4, 6));
        int w = weight(&b, 1, DIMS(6, 5));
        int s = node(&b, LR_OP_SIGMOID, "Sigmoid", w, -2), c = weight(&b, 1, DIMS(4, 1));
        int y = node(&b, LR_OP_GEMM, "Gemm", a, s, i < 2 ? c : -1, -2);
        set_int(&b, "transA", i % 2);
        set_float(&b, "alpha", 1.5);
        set_float(&b, "beta", -2);
        check_graph(&b, add(&b, input(&b, DIMS(-1, 4, 5)), y));
    }
    struct build b = build_new(730, 12);
    int x = input(&b, DIMS(-1, 6)), w = weight(&b, 1, DIMS(6, 3));
    int s = node(&b, LR_OP_TANH, "Tanh", w, -2), c = input(&b, DIMS(-1, 3));
    check_graph(&b, node(&b, LR_OP_GEMM, "Gemm", x, s, c, -2));
}

static void matmul__matches_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) {
        struct build b = build_new(750 + (uint64_t)i, 12);
        int x = -1, y = -1;
        switch (i) {
        case 0:
            x = input(&b, DIMS(-1, 6));
            y = weight(&b, 1, DIMS(6, 5));
            break;
        case 1:
            x = input(&b, DIMS(-1, 3, 6));
            y = weight(&b, 1, DIMS(6, 5));
            break;
        case 2:
            x = input(&b, DIMS(-1, 3, 6));
            y = input(&b, DIMS(-1, 6, 2));
            break;
        case 3:
            x = input(&b, DIMS(-1, 2, 3, 6));
            y = weight(&b, 1, DIMS(2, 6, 5));
            break;
        case 4:
            x = input(&b, DIMS(-1, 3, 6));
            y = weight(&b, 1, DIMS(6));
            break;
        case 5:
            x = weight(&b, 1, DIMS(6));
            y = input(&b, DIMS(-1, 6, 4));
            break;
        case 6:
            x = weight(&b, 1, DIMS(2, 6));
            y = input(&b, DIMS(-1, 6, 4));
            break;
        case 7:
            x = flatten(&b, blocked(&b, 16, 4, 4));
            y = weight(&b, 0.2, DIMS(256, 5));
            break;
        default:
            x = input(&b, DIMS(-1, 2, 3, 6));
            y = input(&b, DIMS(-1, 1, 6, 4));
            break;
        }
        int z = node(&b, LR_OP_MAT_MUL, "MatMul", x, y, -2);
        if (i == 0 || i == 1 || i == 7)
            z = relu(&b, add(&b, weight(&b, 1, DIMS(5)), z));
        check_graph(&b, z);
    }
}

static void softmax__follows_the_opset(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct build b = build_new(800 + (uint64_t)i, i % 2 ? 13 : 11);
        int x = i < 2 ? input(&b, DIMS(-1, 10)) : blocked(&b, 16, 3, 4);
        int y = node(&b, LR_OP_SOFTMAX, "Softmax", x, -2);
        if (i >= 4)
            set_int(&b, "axis", i >= 6 ? 2 : 1);
        check_graph(&b, y);
    }
}

static void lrn__matches_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct build b = build_new(820 + (uint64_t)i, 12);
        int x = i == 5  ? input(&b, DIMS(-1, 7, 3))
                : i % 2 ? blocked(&b, 16, 4, 4)
                        : input(&b, DIMS(-1, 7, 4, 4));
        int y = node(&b, LR_OP_LRN, "LRN", x, -2);
        set_int(&b, "size", i < 2 ? 5 : i < 4 ? 4 : 3);
        set_float(&b, "alpha", 0.5);
        set_float(&b, "beta", 0.6);
        set_float(&b, "bias", 1.5);
        check_graph(&b, relu(&b, y));
    }
}

static void transpose__matches_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct build b = build_new(840 + (uint64_t)i, 12);
        int x = blocked(&b, 16, 4, 5);
        int y = node(&b, LR_OP_TRANSPOSE, "Transpose", x, -2);
        set_ints(&b, "perm", 4,
                 i == 0   ? (int64_t[]){0, 2, 3, 1}
                 : i == 1 ? (int64_t[]){0, 3, 1, 2}
                          : (int64_t[]){0, 1, 3, 2});
        check_graph(&b, i ? y : flatten(&b, y));
    }
    struct build b = build_new(850, 12);
    int w = node(&b, LR_OP_TANH, "Tanh", weight(&b, 1, DIMS(3, 4)), -2);
    int y = node(&b, LR_OP_TRANSPOSE, "Transpose", w, -2);
    check_graph(&b, node(&b, LR_OP_MAT_MUL, "MatMul", input(&b, DIMS(-1, 2, 4)), y, -2));
}

static void pad__matches_loops(void **state)
{
    (void)state;
    static const char *modes[] = {"constant", "reflect", "edge"};
    for (int i = 0; i < 12; i++) {
        struct build b = build_new(860 + (uint64_t)i, i % 2 ? 11 : 9);
        int x = i % 4 < 2 ? blocked(&b, 16, 4, 5) : input(&b, DIMS(-1, 3, 4, 5));
        int64_t p[8] = {0, i == 9, 2, 1, 0, 0, i == 6 ? -1 : 1, 3};
        int y;
        if (i % 2) {
            y = node(&b, LR_OP_PAD, "Pad", x, integers(&b, 8, p),
                     i % 3 ? -1 : scalar(&b, 0.5F), -2);
        } else {
            y = node(&b, LR_OP_PAD, "Pad", x, -2);
            set_ints(&b, "pads", 8, p);
            set_float(&b, "value", -1.5);
        }
        set_string(&b, "mode", modes[i % 3]);
        check_graph(&b, relu(&b, y));
    }
}

static void views__match_loops(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct build b = build_new(880 + (uint64_t)i, 12);
        int x = relu(&b, blocked(&b, 16, 4, 5)), y;
        if (i == 0)
            y = node(&b, LR_OP_RESHAPE, "Reshape", x,
                     integers(&b, 3, (int64_t[]){0, -1, 4}), -2);
        else if (i == 1)
            y = node(&b, LR_OP_SQUEEZE, "Squeeze",
                     node(&b, LR_OP_GLOBAL_AVERAGE_POOL, "GlobalAveragePool", x, -2), -2);
        else if (i == 2)
            y = node(&b, LR_OP_CAST, "Cast",
                     node(&b, LR_OP_UNSQUEEZE, "Unsqueeze", x, -2), -2);
        else
            y = node(&b, LR_OP_DROPOUT, "Dropout", flatten(&b, x), -2);
        check_graph(&b, node(&b, LR_OP_TANH, "Tanh", y, -2));
    }
}

/* What would mix images, and what is not constant where it must be, is refused by name.
 */
static void operators__refuse_what_cannot_run(void **state)
{
    (void)state;
    for (int i = 1; i < 8; i++) {
        struct build b = build_new(900 + (uint64_t)i, 13);
        int x = input(&b, DIMS(-1, 4, 5, 5)), w = weight(&b, 1, DIMS(4, 4, 1, 1)), y;
        const char *name;
        int s = node(&b, LR_OP_TANH, "Tanh", w, -2);
        switch (i) {
        case 1:
            y = node(&b, LR_OP_SOFTMAX, name = "Softmax", x, -2);
            set_int(&b, "axis", 0);
            break;
        case 2:
            y = node(&b, LR_OP_TRANSPOSE, name = "Transpose", x, -2);
            break;
        case 3:
            y = node(&b, LR_OP_CONCAT, name = "Concat", x, x, -2);
            set_int(&b, "axis", 0);
            break;
        case 4:
            y = node(&b, LR_OP_PAD, name = "Pad", x,
                     integers(&b, 8, (int64_t[]){1, 0, 0, 0, 0, 0, 0, 0}), -2);
            break;
        case 5:
            y = node(&b, LR_OP_SHAPE, name = "Shape", x, -2);
            break;
        case 6:
            y = node(&b, LR_OP_CLIP, name = "Clip", x,
                     node(&b, LR_OP_TANH, "Tanh", scalar(&b, 1), -2), -2);
            break;
        default:
            y = node(&b, LR_OP_UNKNOWN, name = "Einsum", x, -2);
            break;
        }
        struct lr_err e = {0};
        struct lr_net *net = NULL;
        struct lr_net_opts opts = {.batch = 2};
        output(&b, y);
        for (int v = 0; v < b.g->n_values; v++) {
            if (b.g->values[v].has_shape)
                continue;
            b.g->values[v].has_shape = true;
            b.g->values[v].shape = b.g->values[x].shape;
            if (v == s)
                b.g->values[v].shape = b.g->values[w].shape;
        }
        if (i == 4)
            b.g->values[y].shape.dims[0] = 3;
        assert_int_not_equal(lr_net_compile(&net, b.g, &opts, &e), LR_OK);
        assert_null(net);
        assert_non_null(strstr(e.msg, name));
        lr_graph_free(b.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv__matches_loops),
        cmocka_unit_test(conv__matches_loops_when_depthwise),
        cmocka_unit_test(conv__winograd_agrees_with_direct),
        cmocka_unit_test(activations__match_loops_alone_and_fused),
        cmocka_unit_test(pooling__matches_loops),
        cmocka_unit_test(global_pooling__matches_loops),
        cmocka_unit_test(binary__matches_loops_with_broadcasting),
        cmocka_unit_test(binary__matches_loops_on_activations),
        cmocka_unit_test(batch_normalization__matches_loops),
        cmocka_unit_test(concat__matches_loops),
        cmocka_unit_test(gemm__matches_loops),
        cmocka_unit_test(gemm__matches_loops_on_other_operands),
        cmocka_unit_test(matmul__matches_loops),
        cmocka_unit_test(softmax__follows_the_opset),
        cmocka_unit_test(lrn__matches_loops),
        cmocka_unit_test(transpose__matches_loops),
        cmocka_unit_test(pad__matches_loops),
        cmocka_unit_test(views__match_loops),
        cmocka_unit_test(operators__refuse_what_cannot_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
