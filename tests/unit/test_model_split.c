/* Splits of layers and parts beside them: the network computes what it did when the
 * factors are exact, by plain loops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"

/* w = P Q with P the identity: a k x k part to all channels and a 1 x 1 part. */
static void split_layer__keeps_the_function_when_factors_are_exact(void **state)
{
    float eye[36] = {0}, bias[6];
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int c = mb_conv(g, "conv", mb_image(g, -1, 4, 9, 8), 4, 6, 3, 2, 1);
    mb_of(g, c)->in[2] = mb_weight(g, "shared", 1, (int64_t[]){6});
    int r = mb_unary(g, "Relu", "relu", c);
    int other = mb_unary(g, "Relu", "conv_r1", r); /* a name in the way */
    mb_output(g, other);
    mb_infer(g);
    struct lr_graph *old = mb_clone(g);
    int w = mb_of(g, c)->in[1];
    float *copy = lr_alloc(6 * 4 * 9, sizeof(float));
    memcpy(copy, g->values[w].tensor->data, 6 * 4 * 9 * sizeof(float));
    memcpy(bias, g->values[mb_of(g, c)->in[2]].tensor->data, sizeof(bias));
    for (int i = 0; i < 6; i++)
        eye[7 * i] = 1;
    const struct lr_conv_part parts[] = {
        {6, 4, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1, copy, NULL},
        {6, 6, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, eye, bias},
    };
    struct lr_err e = {0};
    if (lr_graph_split_layer(g, c, 2, parts, "rank 6", &e) != LR_OK)
        fail_msg("%s", e.msg);
    mb_assert_equal(old, g, "relu_out", 1e-12);
    assert_int_equal(g->n_nodes, 4);
    assert_string_equal(g->nodes[0].name, "conv_r1_2");
    assert_string_equal(g->nodes[1].name, "conv_r2");
    assert_string_equal(g->nodes[1].doc, "rank 6");
    assert_int_equal(g->nodes[0].n_in, 2);
    assert_null(g->values[w].tensor);
    mb_assert_shape(g, g->nodes[0].out[0], "Nx6x5x4");
    mb_infer(g);
    mb_assert_equal(old, g, "relu_out", 1e-12);

    /* A split of the split's last part. */
    assert_int_equal(lr_graph_split_layer(g, c, 1, parts + 1, "again", &e), LR_OK);
    mb_assert_equal(old, g, "relu_out", 1e-12);
    lr_free(copy);
    lr_graph_free(old);
    lr_graph_free(g);
}

static void split_layer__is_refused_when_parts_do_not_fit(void **state)
{
    static const float zeros[6 * 6 * 9];
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int c = mb_conv(g, "conv", mb_image(g, -1, 4, 9, 8), 4, 6, 3, 1, 1);
    int r = mb_unary(g, "Relu", "relu", c);
    mb_infer(g);
    const struct lr_conv_part good = {2, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, zeros, NULL};
    const struct lr_conv_part tail = {6, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, zeros, NULL};
    struct lr_conv_part parts[2] = {good, tail};
    parts[0].cin = 3;
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_EINVAL);
    parts[0] = good;
    parts[1].cin = 3;
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_EINVAL);
    parts[1] = tail;
    parts[1].cout = 5;
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_EINVAL);
    parts[1] = tail;
    parts[0].pad_top = 0;
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_EINVAL);
    parts[0] = good;
    assert_int_equal(lr_graph_split_layer(g, r, 2, parts, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_graph_split_layer(g, 999, 2, parts, NULL, &e), LR_EINVAL);
    assert_int_equal(g->n_nodes, 2);
    assert_int_equal(lr_graph_split_layer(g, c, 2, parts, NULL, &e), LR_OK);
    lr_graph_free(g);
}

/* A part of group channels each way whose stride is (s, 1) or (1, s). */
static struct lr_conv_part part(int cout, int cin, int kh, int kw, int group,
                                const float *w, const float *b)
{
    return (struct lr_conv_part){.cout = cout,
                                 .cin = cin,
                                 .kh = kh,
                                 .kw = kw,
                                 .group = group,
                                 .stride_h = 1,
                                 .stride_w = 1,
                                 .dil_h = 1,
                                 .dil_w = 1,
                                 .w = w,
                                 .b = b};
}

static void fill(float *x, int n, uint32_t state)
{
    for (int i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        x[i] = (float)(state >> 8) / (1 << 23) - 1;
    }
}

static void split_ok(struct lr_graph *g, int v, int n, const struct lr_conv_part *parts)
{
    struct lr_err e = {0};

    if (lr_graph_split_layer(g, v, n, parts, "doc", &e) != LR_OK)
        fail_msg("%s", e.msg);
    mb_infer(g);
}

/* In each group, the whole k x k part and a random 1 x 1 part U in front of which the
 * layer's own weights are set to their product. */
static void split_layer__keeps_the_function_when_grouped(void **state)
{
    enum { C = 8, D = 12, G = 4, R = 4 }; /* 2 in, 3 out, rank 1 per group */
    float q[R * (C / G) * 9], p[D * (R / G)], bias[D];
    (void)state;
    fill(q, R * (C / G) * 9, 1);
    fill(p, D, 2);
    struct lr_graph *g = mb_graph(13);
    int c = mb_conv(g, "c", mb_image(g, -1, C, 7, 6), C / G, D, 3, 2, 1);
    mb_set_int(g, c, "group", G);
    mb_set_ints(g, c, "pads", 4, (int64_t[]){0, 2, 1, 0});
    mb_output(g, mb_unary(g, "Relu", "r", c));
    float *w = g->values[mb_of(g, c)->in[1]].tensor->data;
    memcpy(bias, g->values[mb_of(g, c)->in[2]].tensor->data, sizeof(bias));
    for (int o = 0; o < D; o++)
        for (int i = 0; i < C / G * 9; i++)
            w[o * (C / G) * 9 + i] = p[o] * q[o / (D / G) * (C / G) * 9 + i];
    mb_infer(g);
    struct lr_graph *old = mb_clone(g);
    struct lr_conv_part parts[2] = {part(R, C, 3, 3, G, q, NULL),
                                    part(D, R, 1, 1, G, p, bias)};
    parts[0].stride_h = parts[0].stride_w = 2;
    parts[0].pad_left = 2;
    parts[0].pad_bottom = 1;
    split_ok(g, c, 2, parts);
    mb_assert_equal(old, g, "r_out", 1e-6);
    assert_int_equal(lr_node_int(&g->nodes[0], "group", 1), G);
    assert_int_equal(lr_node_int(&g->nodes[1], "group", 1), G);

    /* Groups that do not divide the channels. */
    struct lr_err e = {0};
    parts[0].group = 3;
    assert_int_equal(lr_graph_split_layer(old, c, 2, parts, NULL, &e), LR_EINVAL);
    parts[0].group = 0;
    assert_int_equal(lr_graph_split_layer(old, c, 2, parts, NULL, &e), LR_EINVAL);
    lr_graph_free(old);
    lr_graph_free(g);
}

/* k x 1 with stride (s, 1), then 1 x k with (1, s), then 1 x 1: a separable filter. */
static void split_layer__keeps_the_function_when_spatial(void **state)
{
    enum { C = 3, D = 4, R = 2 };
    float v[R * C * 5], h[D * R * 5], eye[D * D] = {0}, bias[D];
    (void)state;
    fill(v, R * C * 5, 3);
    fill(h, D * R * 5, 4);
    for (int i = 0; i < D; i++)
        eye[i * (D + 1)] = 1;
    for (int dil = 1; dil < 3; dil++) {
        struct lr_graph *g = mb_graph(13);
        int c = mb_conv(g, "c", mb_image(g, -1, C, 11, 13), C, D, 5, 1, 2);
        mb_set_ints(g, c, "strides", 2, (int64_t[]){2, 3});
        mb_set_ints(g, c, "pads", 4, (int64_t[]){1, 3, 0, 2});
        mb_set_ints(g, c, "dilations", 2, (int64_t[]){dil, 1});
        mb_output(g, c); /* and the response is the network's output */
        float *w = g->values[mb_of(g, c)->in[1]].tensor->data;
        memcpy(bias, g->values[mb_of(g, c)->in[2]].tensor->data, sizeof(bias));
        for (int o = 0; o < D; o++)
            for (int i = 0; i < C; i++)
                for (int a = 0; a < 5; a++)
                    for (int b = 0; b < 5; b++) {
                        float sum = 0;
                        for (int r = 0; r < R; r++)
                            sum += v[(r * C + i) * 5 + a] * h[(o * R + r) * 5 + b];
                        w[((o * C + i) * 5 + a) * 5 + b] = sum;
                    }
        mb_infer(g);
        struct lr_graph *old = mb_clone(g);
        struct lr_conv_part parts[3] = {part(R, C, 5, 1, 1, v, NULL),
                                        part(D, R, 1, 5, 1, h, NULL),
                                        part(D, D, 1, 1, 1, eye, bias)};
        parts[0].stride_h = 2;
        parts[0].dil_h = dil;
        parts[0].pad_top = 1;
        parts[1].stride_w = 3;
        parts[1].pad_left = 3;
        parts[1].pad_right = 2;
        split_ok(g, c, 3, parts);
        assert_int_equal(g->n_nodes, 3);
        assert_int_equal(g->outputs[0], c);
        assert_string_equal(g->values[g->outputs[0]].name, "c_out");
        mb_assert_equal(old, g, "c_out", 1e-6);
        lr_graph_free(old);
        lr_graph_free(g);
    }
}

/* Gemm in both orders with alpha and beta, and MatMul without and with the bias after. */
static void split_layer__keeps_the_function_when_fully_connected(void **state)
{
    enum { C = 24, D = 7 };
    float eye[D * D] = {0};
    (void)state;
    for (int i = 0; i < D; i++)
        eye[i * (D + 1)] = 1;
    for (int kind = 0; kind < 4; kind++) {
        struct lr_layer *l;
        struct lr_tensor *w, *b;
        int n;
        struct lr_graph *g = mb_graph(kind == 0 ? 7 : 13);
        int f = mb_unary(g, "Flatten", "f", mb_image(g, -1, 2, 3, 4));
        int64_t dims[2] = {kind == 1 ? D : C, kind == 1 ? C : D};
        int wv = mb_weight(g, "w", 2, dims), bv = mb_weight(g, "b", 1, &(int64_t){D}), v;
        if (kind < 2) {
            v = mb_node(g, "Gemm", "fc", 3, (int[]){f, wv, bv});
            mb_set_int(g, v, "transB", kind == 1);
            lr_node_set_float(mb_of(g, v), "alpha", 0.5f, NULL);
            lr_node_set_float(mb_of(g, v), "beta", -2, NULL);
        } else {
            v = mb_binary(g, "MatMul", "fc", f, wv);
        }
        mb_output(
            g, mb_unary(g, "Relu", "r", kind == 3 ? mb_binary(g, "Add", "a", v, bv) : v));
        mb_infer(g);
        struct lr_graph *old = mb_clone(g);
        assert_int_equal(lr_layers_find(&l, &n, g, NULL), LR_OK);
        assert_int_equal(lr_layer_weights(&w, &b, g, &l[0], NULL), LR_OK);
        const struct lr_conv_part parts[2] = {
            part(D, C, 1, 1, 1, w->data, NULL),
            part(D, D, 1, 1, 1, eye, b ? b->data : NULL)};
        split_ok(g, v, 2, parts);
        mb_assert_equal(old, g, "r_out", 1e-6);
        for (int i = 1; i < 3; i++) {
            const struct lr_node *part = &g->nodes[i];
            assert_string_equal(part->type, "Gemm");
            assert_string_equal(part->name, i == 1 ? "fc_r1" : "fc_r2");
            assert_int_equal(lr_node_int(part, "transB", 0), 1);
            assert_int_equal(part->n_in, 3);
            assert_int_equal(g->values[part->in[1]].tensor->shape.n_dims, 2);
            assert_string_equal(part->doc, "doc");
        }
        assert_null(g->values[wv].tensor);
        lr_tensor_free(w);
        lr_tensor_free(b);
        lr_layers_free(l, n);
        lr_graph_free(old);
        lr_graph_free(g);
    }
}

static void split_layer__of_a_product_is_refused_when_parts_have_a_window(void **state)
{
    static const float zeros[200];
    struct lr_err e = {0};
    (void)state;
    struct lr_graph *g = mb_graph(13);
    int f = mb_unary(g, "Flatten", "f", mb_image(g, -1, 2, 3, 4));
    int v = mb_binary(g, "MatMul", "fc", f, mb_weight(g, "w", 2, (int64_t[]){24, 7}));
    mb_output(g, v);
    mb_infer(g);
    struct lr_conv_part good = part(7, 24, 1, 1, 1, zeros, NULL), bad = good;
    bad.pad_top = 1;
    assert_int_equal(lr_graph_split_layer(g, v, 1, &bad, NULL, &e), LR_EINVAL);
    bad = good;
    bad.stride_w = 2;
    assert_int_equal(lr_graph_split_layer(g, v, 1, &bad, NULL, &e), LR_EINVAL);
    bad = good;
    bad.cout = 6;
    assert_int_equal(lr_graph_split_layer(g, v, 1, &bad, NULL, &e), LR_EINVAL);
    g->opset = 6;
    assert_int_equal(lr_graph_split_layer(g, v, 1, &good, NULL, &e), LR_EUNSUP);
    g->opset = 7;
    assert_int_equal(lr_graph_split_layer(g, v, 1, &good, NULL, &e), LR_OK);
    lr_graph_free(g);
}

/* The branch computes what the layer does, and the network stays as it is. */
static void branch_layer__adds_parts_and_leaves_the_network(void **state)
{
    (void)state;
    for (int is_fc = 0; is_fc < 2; is_fc++) {
        struct lr_layer *l;
        struct lr_tensor *w, *b;
        struct lr_err e = {0};
        int n, out = -1, again = -1;
        struct lr_graph *g = mb_graph(13);
        int x = mb_image(g, -1, 4, 5, 6), v;
        if (is_fc)
            v = mb_node(g, "Gemm", "a", 3,
                        (int[]){mb_unary(g, "Flatten", "f", x),
                                mb_weight(g, "w", 2, (int64_t[]){120, 5}),
                                mb_weight(g, "b", 1, &(int64_t){5})});
        else
            v = mb_conv(g, "a", x, 4, 5, 3, 1, 1);
        mb_output(g, mb_unary(g, "Relu", "r", v));
        mb_infer(g);
        struct lr_graph *old = mb_clone(g);
        assert_int_equal(lr_layers_find(&l, &n, g, NULL), LR_OK);
        assert_int_equal(lr_layer_weights(&w, &b, g, &l[0], NULL), LR_OK);
        float eye[25] = {0};
        for (int i = 0; i < 5; i++)
            eye[6 * i] = 1;
        struct lr_conv_part parts[2] = {
            part(5, l->c, l->kh, l->kw, 1, w->data, NULL),
            part(5, 5, 1, 1, 1, eye, b->data),
        };
        parts[0].pad_top = parts[0].pad_left = parts[0].pad_bottom = parts[0].pad_right =
            l->pad_top;
        int n_nodes = g->n_nodes;
        if (lr_graph_branch_layer(g, &out, v, 2, parts, &e) != LR_OK)
            fail_msg("%s", e.msg);
        assert_int_equal(lr_graph_branch_layer(g, &again, v, 2, parts, &e), LR_OK);
        assert_int_equal(g->n_nodes, n_nodes + 4);
        assert_int_equal(lr_graph_consumers(g, out, NULL, 0), 0);
        assert_true(out != v && again != v && again != out);
        assert_true(lr_shape_equal(&g->values[out].shape, &g->values[v].shape));
        mb_infer(g);
        mb_assert_equal(old, g, "r_out", 0);
        int64_t n_y;
        double *image = lr_calloc(MB_IMAGE, sizeof(*image));
        for (int i = 0; i < MB_IMAGE; i++)
            image[i] = sin(i);
        double *y = mb_eval(g, out, image, &n_y), *want = mb_eval(g, v, image, &n_y);
        for (int64_t i = 0; i < n_y; i++)
            assert_true(fabs(y[i] - want[i]) < 1e-6);
        parts[1].cout = 4;
        assert_int_equal(lr_graph_branch_layer(g, &out, v, 2, parts, &e), LR_EINVAL);
        assert_int_equal(out, -1);
        assert_int_equal(g->n_nodes, n_nodes + 4);
        lr_free(image);
        lr_free(y);
        lr_free(want);
        lr_tensor_free(w);
        lr_tensor_free(b);
        lr_layers_free(l, n);
        lr_graph_free(old);
        lr_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_layer__keeps_the_function_when_factors_are_exact),
        cmocka_unit_test(split_layer__is_refused_when_parts_do_not_fit),
        cmocka_unit_test(split_layer__keeps_the_function_when_grouped),
        cmocka_unit_test(split_layer__keeps_the_function_when_spatial),
        cmocka_unit_test(split_layer__keeps_the_function_when_fully_connected),
        cmocka_unit_test(split_layer__of_a_product_is_refused_when_parts_have_a_window),
        cmocka_unit_test(branch_layer__adds_parts_and_leaves_the_network),
    };
    return cmocka_run_group_tests_name("model_split", tests, mb_fill_image, NULL);
}
