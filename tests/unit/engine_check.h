/* Comparing the engine with the interpreter on a graph under construction. */
#ifndef RANKLAB_TEST_ENGINE_CHECK_H
#define RANKLAB_TEST_ENGINE_CHECK_H

#include "engine_naive.h"
#include "ranklab/engine.h"

enum { MAX_TEST_INPUTS = 4, N_IMAGES = 5 };

/* A finished graph, data for N_IMAGES images, and what every value must be. */
struct trial {
    struct lr_graph *g;
    float *in[MAX_TEST_INPUTS];
    struct naive want;
};

/* Ends the graph with out as its output. */
static UNUSED struct trial trial_new(struct build *b, int out)
{
    struct trial t = {.g = b->g};
    output(b, out);
    for (int i = 0; i < b->g->n_inputs; i++) {
        const struct lr_shape *s = &b->g->values[b->g->inputs[i]].shape;
        size_t n = 1;
        for (int k = 0; k < s->n_dims; k++)
            n *= (size_t)(s->dims[k] < 0 ? N_IMAGES : s->dims[k]);
        t.in[i] = lr_alloc(n, sizeof(float));
        for (size_t k = 0; k < n; k++)
            t.in[i][k] = (float)lr_rng_normal(&b->rng);
    }
    t.want = naive_run(b->g, N_IMAGES, (const float *const *)t.in);
    return t;
}

static UNUSED void trial_free(struct trial *t)
{
    for (int i = 0; i < t->g->n_inputs; i++)
        lr_free(t->in[i]);
    naive_free(&t->want);
    lr_graph_free(t->g);
}

/* Value v of images first..first+n-1 as the engine gave it. */
static UNUSED void assert_value(const struct trial *t, int v, const float *got, int first,
                                int n, enum lr_layout layout)
{
    const struct nt *w = &t->want.t[v];
    int64_t per = w->is_batched ? nt_count(w) / N_IMAGES : nt_count(w);
    const double *want = w->is_batched ? w->x + first * per : w->x;
    double scale = 1e-3;
    for (int64_t i = 0; i < (w->is_batched ? n : 1) * per; i++)
        scale = fmax(scale, fabs(want[i]));
    for (int64_t i = 0; i < (w->is_batched ? n : 1) * per; i++) {
        int64_t at = i;
        if (layout == LR_NHWC) {
            int64_t hw = w->d[2] * w->d[3], c = i / hw % w->d[1];
            at = i / per * per + i % hw * w->d[1] + c;
        }
        double d = fabs((double)got[at] - want[i]);
        if (!(d <= 2e-5 * scale)) {
            print_error("%s[%lld]: %g instead of %g\n", t->g->values[v].name,
                        (long long)i, (double)got[at], want[i]);
            fail();
        }
    }
}

/* Compiles with the outputs given and compares them on every image, batch images a time.
 */
static UNUSED void check_outputs(const struct trial *t, const struct lr_net_output *o,
                                 int n_o, int batch, int convolution)
{
    struct lr_err e = {0};
    struct lr_net *net = NULL;
    struct lr_net_opts opts = {
        .batch = batch, .outputs = o, .n_outputs = n_o, .convolution = convolution};
    if (lr_net_compile(&net, t->g, &opts, &e))
        print_error("%s\n", e.msg);
    assert_non_null(net);
    for (int first = 0; first < N_IMAGES; first += batch) {
        int n = N_IMAGES - first < batch ? N_IMAGES - first : batch;
        const float *in[MAX_TEST_INPUTS];
        for (int i = 0; i < t->g->n_inputs; i++) {
            const struct nt *x = &t->want.t[t->g->inputs[i]];
            in[i] = t->in[i] + (x->is_batched ? nt_count(x) / N_IMAGES * first : 0);
        }
        assert_int_equal(lr_net_run(net, n, in, &e), LR_OK);
        for (int k = 0; k < n_o; k++) {
            size_t per = 0;
            const struct nt *w = &t->want.t[o[k].value];
            const float *got = lr_net_output(net, k, &per);
            assert_int_equal(per, nt_count(w) / (w->is_batched ? N_IMAGES : 1));
            assert_value(t, o[k].value, got, first, n, o[k].layout);
        }
    }
    assert_true(lr_net_bytes(net) > 0);
    lr_net_free(net);
}

/* Everything at once (nothing is fused), then each graph output alone (all is fused), in
 * batches that divide the images and that do not. */
static UNUSED void check_all(const struct trial *t)
{
    struct lr_net_output o[128];
    int n = 0;
    for (int v = 0; v < t->g->n_values; v++) {
        if (t->g->values[v].tensor || !t->want.t[v].x)
            continue;
        o[n++] = (struct lr_net_output){v, LR_NCHW};
        if (t->want.t[v].n == 4)
            o[n++] = (struct lr_net_output){v, LR_NHWC};
        assert_true(n < 126);
    }
    check_outputs(t, o, n, 2, LR_CONV_OF_GRAPH);
    check_outputs(t, o, n, N_IMAGES, LR_CONV_OF_GRAPH);
    for (int i = 0; i < t->g->n_outputs; i++) {
        struct lr_net_output one = {t->g->outputs[i], LR_NCHW};
        check_outputs(t, &one, 1, 3, LR_CONV_OF_GRAPH);
        check_outputs(t, &one, 1, 1, LR_CONV_DIRECT);
        check_outputs(t, &one, 1, 2, LR_CONV_WINOGRAD);
        one.layout = LR_NHWC;
        if (t->want.t[one.value].n == 4)
            check_outputs(t, &one, 1, 2, LR_CONV_WINOGRAD);
    }
}

/* Ends the graph, checks it, releases it. */
static UNUSED void check_graph(struct build *b, int out)
{
    struct trial t = trial_new(b, out);
    check_all(&t);
    trial_free(&t);
}

#endif
