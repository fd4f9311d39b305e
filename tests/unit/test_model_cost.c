/* Costs against counted loop iterations and against the published tables of SPP-10 and
 * VGG-16, split with the published ranks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"

/* Multiply-adds of one convolution by running its loops, padding included. */
static int64_t count_loops(const struct lr_graph *g, const struct lr_node *n)
{
    const struct lr_shape *in = &g->values[n->in[0]].shape,
                          *out = &g->values[n->out[0]].shape;
    struct lr_window p;
    int64_t count = 0;

    assert_int_equal(lr_node_window(&p, g, n, NULL), LR_OK);
    for (int64_t o = 0; o < out->dims[1]; o++)
        for (int64_t i = 0; i < out->dims[2]; i++)
            for (int64_t j = 0; j < out->dims[3]; j++)
                for (int64_t c = 0; c < in->dims[1] / p.group; c++)
                    for (int64_t u = 0; u < p.kh; u++)
                        for (int64_t v = 0; v < p.kw; v++)
                            count++;
    return count;
}

static void cost__equals_counted_loops(void **state)
{
    (void)state;
    for (int group = 1; group <= 4; group *= 2)
        for (int stride = 1; stride < 3; stride++) {
            struct lr_graph *g = mb_graph(13);
            int c =
                mb_conv(g, "c", mb_image(g, 5, 8, 11, 9), 8 / group, 12, 3, stride, 1);
            mb_set_int(g, c, "group", group);
            mb_infer(g);
            struct lr_cost cost = lr_node_cost(g, mb_of(g, c));
            int64_t n_out = 12 * (stride == 1 ? 11 * 9 : 6 * 5);
            assert_int_equal(cost.macs, count_loops(g, mb_of(g, c)));
            assert_int_equal(cost.params, 12 * 8 / group * 9 + 12);
            assert_int_equal(cost.bytes, 4 * (cost.params + 8 * 11 * 9 + n_out));
            lr_graph_free(g);
        }
}

static void cost__counts_products_and_sums_over_nodes(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int f = mb_unary(g, "Flatten", "f", mb_image(g, 3, 2, 3, 4));
    int w = mb_weight(g, "w", 2, (int64_t[]){24, 7});
    int h =
        mb_node(g, "Gemm", "g", 3, (int[]){f, w, mb_weight(g, "b", 1, (int64_t[]){7})});
    int m = mb_binary(g, "MatMul", "m", h, mb_weight(g, "v", 2, (int64_t[]){7, 5}));
    mb_infer(g);
    assert_int_equal(lr_node_cost(g, mb_of(g, h)).macs, 24 * 7);
    assert_int_equal(lr_node_cost(g, mb_of(g, h)).params, 24 * 7 + 7);
    assert_int_equal(lr_node_cost(g, mb_of(g, m)).macs, 7 * 5);
    assert_int_equal(lr_node_cost(g, mb_of(g, f)).bytes, 0);
    assert_int_equal(lr_graph_cost(g).macs, 24 * 7 + 7 * 5);
    assert_int_equal(lr_graph_cost(g).params, 24 * 7 + 7 + 7 * 5);
    lr_graph_free(g);
}

static void cost__of_unknown_shapes_is_zero(void **state)
{
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int f = mb_unary(g, "Foo", "f", mb_image(g, 1, 3, 8, 8));
    int c = mb_conv(g, "c", f, 3, 4, 3, 1, 1);
    mb_infer(g);
    assert_int_equal(lr_node_cost(g, mb_of(g, c)).macs, 0);
    assert_int_equal(lr_node_cost(g, mb_of(g, c)).params, 4 * 27 + 4);
    lr_graph_free(g);
}

/* Splits the convolution computing v into k x k to rank channels and 1 x 1, with zeros.
 */
static void split(struct lr_graph *g, int v, int rank)
{
    struct lr_window p;
    struct lr_err e = {0};
    const struct lr_node *n = mb_of(g, v);
    int c = (int)g->values[n->in[0]].shape.dims[1], d = (int)g->values[v].shape.dims[1];

    assert_int_equal(lr_node_window(&p, g, n, NULL), LR_OK);
    float *zeros = lr_calloc((size_t)(c * d) * 25, sizeof(float));
    assert_non_null(zeros);
    const struct lr_conv_part parts[2] = {
        {rank, c, (int)p.kh, (int)p.kw, 1, (int)p.stride_h, (int)p.stride_w, 1, 1,
         (int)p.pad_top, (int)p.pad_left, (int)p.pad_bottom, (int)p.pad_right, zeros,
         NULL},
        {d, rank, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, zeros, NULL},
    };
    if (lr_graph_split_layer(g, v, 2, parts, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    lr_free(zeros);
}

static int64_t conv_macs(const struct lr_graph *g, const char *but)
{
    int64_t sum = 0;

    for (int k = 0; k < g->n_nodes; k++)
        if (g->nodes[k].op == LR_OP_CONV && strcmp(g->nodes[k].name, but) != 0)
            sum += lr_node_cost(g, &g->nodes[k]).macs;
    return sum;
}

static int relu_conv(struct lr_graph *g, int *x, int i, int c, int d, int k, int stride,
                     int pad)
{
    char name[16];

    snprintf(name, sizeof(name), "conv%d", i);
    int v = mb_conv(g, name, *x, c, d, k, stride, pad);
    snprintf(name, sizeof(name), "relu%d", i);
    *x = mb_unary(g, "Relu", name, v);
    return v;
}

static struct lr_graph *spp10(int conv[8])
{
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 3, 224, 224);

    conv[1] = relu_conv(g, &x, 1, 3, 96, 7, 2, 0);
    x = mb_max_pool(g, "pool1", x, 3, 3, 1);
    conv[2] = relu_conv(g, &x, 2, 96, 256, 5, 1, 1);
    x = mb_max_pool(g, "pool2", x, 2, 2, 1);
    for (int i = 3; i < 8; i++)
        conv[i] = relu_conv(g, &x, i, i == 3 ? 256 : 512, 512, 3, 1, 1);
    mb_infer(g);
    mb_assert_shape(g, conv[1], "Nx96x109x109");
    mb_assert_shape(g, conv[2], "Nx256x35x35");
    mb_assert_shape(g, conv[7], "Nx512x18x18");
    return g;
}

static void cost__reproduces_published_shares_when_spp10(void **state)
{
    static const double share[] = {0, 3.8, 17.3, 8.8, 17.5, 17.5, 17.5, 17.5};
    int conv[8];
    (void)state;
    struct lr_graph *g = spp10(conv);
    double total = (double)lr_graph_cost(g).macs;
    for (int i = 1; i < 8; i++) {
        double got = 100 * (double)lr_node_cost(g, mb_of(g, conv[i])).macs / total;
        if (fabs(got - share[i]) > 0.06)
            fail_msg("conv%d: %.2f %% instead of %.1f", i, got, share[i]);
    }
    lr_graph_free(g);
}

static void cost__reproduces_published_speedups_when_spp10_is_split(void **state)
{
    static const struct {
        int ranks[6];
        double speedup;
    } rows[] = {{{83, 182, 211, 239, 237, 253}, 2.101},
                {{62, 138, 149, 166, 162, 167}, 3.003},
                {{50, 112, 114, 122, 117, 119}, 4.001},
                {{41, 94, 93, 98, 92, 90}, 5.003}};
    (void)state;
    for (size_t r = 0; r < 4; r++) {
        int conv[8];
        struct lr_graph *g = spp10(conv);
        int64_t before = conv_macs(g, "conv1");
        for (int i = 2; i < 8; i++)
            split(g, conv[i], rows[r].ranks[i - 2]);
        double got = (double)before / (double)conv_macs(g, "conv1");
        if (fabs(got - rows[r].speedup) > 0.0006)
            fail_msg("%.4f instead of %.3f", got, rows[r].speedup);
        mb_infer(g);
        lr_graph_free(g);
    }
}

static void cost__reproduces_published_speedup_when_vgg16_is_split(void **state)
{
    static const int widths[] = {64,  64,  128, 128, 256, 256, 256,
                                 512, 512, 512, 512, 512, 512};
    static const int ranks[] = {11, 25, 28, 52, 46, 56, 104, 92, 100, 232, 224, 214};
    int conv[13], c = 3;
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 3, 224, 224);
    for (int i = 0; i < 13; i++) {
        char name[16];
        conv[i] = relu_conv(g, &x, i + 1, c, widths[i], 3, 1, 1);
        c = widths[i];
        snprintf(name, sizeof(name), "pool%d", i);
        if (i == 1 || i == 3 || i == 6 || i == 9)
            x = mb_max_pool(g, name, x, 2, 2, 0);
    }
    mb_infer(g);
    mb_assert_shape(g, conv[12], "Nx512x14x14");
    int64_t before = lr_graph_cost(g).macs;
    assert_int_equal(before, INT64_C(15346630656));
    for (int i = 1; i < 13; i++)
        split(g, conv[i], ranks[i - 1]);
    double got = (double)before / (double)lr_graph_cost(g).macs;
    if (fabs(got - 4.005) > 0.0006)
        fail_msg("%.4f instead of 4.005", got);
    lr_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost__equals_counted_loops),
        cmocka_unit_test(cost__counts_products_and_sums_over_nodes),
        cmocka_unit_test(cost__of_unknown_shapes_is_zero),
        cmocka_unit_test(cost__reproduces_published_shares_when_spp10),
        cmocka_unit_test(cost__reproduces_published_speedups_when_spp10_is_split),
        cmocka_unit_test(cost__reproduces_published_speedup_when_vgg16_is_split),
    };
    return cmocka_run_group_tests_name("model_cost", tests, NULL, NULL);
}
