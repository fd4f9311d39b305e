/* The speedups printed beside the rank tables of the CVPR paper, counted on networks of
 * the published shapes whose layers are really split. Weights do not matter for that. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model_build.h"
#include "ranklab/rank.h"

enum { MAX_CONVS = 13 };

struct conv {
    const char *name;
    int k, c, d, stride, pad;
    int pool, pool_stride; /* behind it; 0: none */
    int size;              /* of its output, as published */
};

/* Pooling windows are such that the maps have the published sizes. */
static const struct conv spp10[] = {
    {"conv1", 7, 3, 96, 2, 0, 7, 3, 109},   {"conv2", 5, 96, 256, 1, 2, 2, 2, 35},
    {"conv3", 3, 256, 512, 1, 1, 0, 0, 18}, {"conv4", 3, 512, 512, 1, 1, 0, 0, 18},
    {"conv5", 3, 512, 512, 1, 1, 0, 0, 18}, {"conv6", 3, 512, 512, 1, 1, 0, 0, 18},
    {"conv7", 3, 512, 512, 1, 1, 0, 0, 18}};

static const struct conv vgg16[] = {
    {"conv1_1", 3, 3, 64, 1, 1, 0, 0, 224},   {"conv1_2", 3, 64, 64, 1, 1, 2, 2, 224},
    {"conv2_1", 3, 64, 128, 1, 1, 0, 0, 112}, {"conv2_2", 3, 128, 128, 1, 1, 2, 2, 112},
    {"conv3_1", 3, 128, 256, 1, 1, 0, 0, 56}, {"conv3_2", 3, 256, 256, 1, 1, 0, 0, 56},
    {"conv3_3", 3, 256, 256, 1, 1, 2, 2, 56}, {"conv4_1", 3, 256, 512, 1, 1, 0, 0, 28},
    {"conv4_2", 3, 512, 512, 1, 1, 0, 0, 28}, {"conv4_3", 3, 512, 512, 1, 1, 2, 2, 28},
    {"conv5_1", 3, 512, 512, 1, 1, 0, 0, 14}, {"conv5_2", 3, 512, 512, 1, 1, 0, 0, 14},
    {"conv5_3", 3, 512, 512, 1, 1, 2, 2, 14}};

static struct lr_graph *build(int *values, const struct conv *convs, int n)
{
    struct lr_graph *g = mb_graph(13);
    int x = mb_image(g, -1, 3, 224, 224);

    for (int i = 0; i < n; i++) {
        const struct conv *c = &convs[i];
        char name[32];
        values[i] = mb_conv(g, c->name, x, c->c, c->d, c->k, c->stride, c->pad);
        snprintf(name, sizeof(name), "relu%d", i);
        x = mb_unary(g, "Relu", name, values[i]);
        snprintf(name, sizeof(name), "pool%d", i);
        if (c->pool > 0)
            x = mb_max_pool(g, name, x, c->pool, c->pool_stride, 1);
    }
    mb_output(g, x);
    mb_infer(g);
    for (int i = 0; i < n; i++) {
        const struct lr_shape *s = &g->values[values[i]].shape;
        assert_int_equal(s->dims[2], convs[i].size);
        assert_int_equal(s->dims[3], convs[i].size);
    }
    return g;
}

static void split(struct lr_graph *g, int value, const struct conv *c, int rank)
{
    struct lr_err e = {0};
    size_t n = (size_t)rank * (size_t)c->k * (size_t)c->k * (size_t)c->c;
    float *w = lr_calloc(n, sizeof(float));
    float *p = lr_calloc((size_t)c->d * (size_t)rank, sizeof(float));
    float *b = lr_calloc((size_t)c->d, sizeof(float));

    assert_true(w && p && b);
    const struct lr_conv_part parts[] = {{.cout = rank,
                                          .cin = c->c,
                                          .kh = c->k,
                                          .kw = c->k,
                                          .group = 1,
                                          .stride_h = c->stride,
                                          .stride_w = c->stride,
                                          .dil_h = 1,
                                          .dil_w = 1,
                                          .pad_top = c->pad,
                                          .pad_left = c->pad,
                                          .pad_bottom = c->pad,
                                          .pad_right = c->pad,
                                          .w = w,
                                          .b = b},
                                         {.cout = c->d,
                                          .cin = rank,
                                          .kh = 1,
                                          .kw = 1,
                                          .group = 1,
                                          .stride_h = 1,
                                          .stride_w = 1,
                                          .dil_h = 1,
                                          .dil_w = 1,
                                          .w = p,
                                          .b = b}};
    if (lr_graph_split_layer(g, value, 2, parts, NULL, &e) != LR_OK)
        fail_msg("%s: %s", c->name, e.msg);
    lr_free(w);
    lr_free(p);
    lr_free(b);
}

/* The first layer stays whole, and is not counted where is_first_out. */
static double speedup(const struct conv *convs, int n, const int *ranks,
                      bool is_first_out)
{
    int values[MAX_CONVS];
    struct lr_graph *g = build(values, convs, n);
    int64_t whole = lr_graph_cost(g).macs, params = lr_graph_cost(g).params, out = 0;
    int64_t want = whole, want_params = params;

    if (is_first_out)
        out = lr_node_cost(g, &g->nodes[g->values[values[0]].producer]).macs;
    for (int i = 1; i < n; i++) {
        const struct conv *c = &convs[i];
        const struct lr_rank_layer l = {.split = LR_SPLIT_CHANNEL,
                                        .c = c->c,
                                        .d = c->d,
                                        .kh = c->k,
                                        .kw = c->k,
                                        .group = 1,
                                        .positions = (int64_t)c->size * c->size,
                                        .has_bias = true};
        const struct lr_ranks r = {ranks[i - 1], 0};
        want += lr_macs_at(&l, r) - lr_macs_whole(&l);
        want_params += lr_params_at(&l, r) - lr_params_whole(&l);
        split(g, values[i], c, ranks[i - 1]);
    }
    struct lr_cost cost = lr_graph_cost(g);
    assert_int_equal(cost.macs, want);
    assert_int_equal(cost.params, want_params);
    lr_graph_free(g);
    return floor((double)(whole - out) / (double)(cost.macs - out) * 1000 + 0.5) / 1000;
}

static void published__spp10_ranks_give_the_printed_speedups(void **state)
{
    (void)state;
    const int ranks[][6] = {{83, 182, 211, 239, 237, 253},
                            {62, 138, 149, 166, 162, 167},
                            {50, 112, 114, 122, 117, 119},
                            {41, 94, 93, 98, 92, 90}};
    const double want[] = {2.101, 3.003, 4.001, 5.003};

    for (int i = 0; i < 4; i++)
        assert_true(speedup(spp10, 7, ranks[i], true) == want[i]);
}

static void published__vgg16_ranks_give_the_printed_speedup(void **state)
{
    (void)state;
    const int ranks[] = {11, 25, 28, 52, 46, 56, 104, 92, 100, 232, 224, 214};

    assert_true(speedup(vgg16, 13, ranks, false) == 4.005);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published__spp10_ranks_give_the_printed_speedups),
        cmocka_unit_test(published__vgg16_ranks_give_the_printed_speedup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
