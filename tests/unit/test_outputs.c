/* What outputs mean, and two networks compared on all of them, against plain loops over
 * what the engine gives image by image. */
#include "data_fixture.h"

#include <math.h>

#include "model_build.h"
#include "ranklab/engine.h"
#include "ranklab/eval.h"
#include "ranklab/tensor.h"

enum { N = 9, H = 4, W = 5, CLASSES = 6, OUTPUTS = 9 };

/* outputs[]: scores, probabilities, map of scores, log probabilities of a map, channels
 * moved to the end behind a softmax, image, class map, one value, a constant. */
enum { SCORES, PROBS, MAP, LOG_MAP, LAST, IMAGE, ANSWERS, VALUE, CONSTANT };

static struct lr_graph *make(int opset)
{
    static const float seven[2] = {7, 8};
    static const int64_t one = 1;
    struct lr_graph *g = mb_graph(opset);
    int x = mb_unary(g, "Relu", "r",
                     mb_conv(g, "c", mb_image(g, -1, 3, H, W), 3, 8, 3, 1, 1));
    int pooled = mb_unary(g, "GlobalAveragePool", "pool", x);
    int scores =
        mb_unary(g, "Flatten", "flat", mb_conv(g, "fc", pooled, 8, CLASSES, 1, 1, 0));
    int probs = mb_unary(g, "Softmax", "soft", scores);
    int map = mb_conv(g, "map", x, 8, CLASSES, 1, 1, 0);
    int log_map = mb_unary(g, "LogSoftmax", "log", map);
    int map_soft = mb_unary(g, "Softmax", "soft_map", map);
    int last = mb_unary(g, "Transpose", "last", map_soft);
    int image = mb_conv(g, "image", x, 8, 3, 3, 1, 1);
    int answers = mb_unary(g, "ArgMax", "arg", map);
    int value = mb_unary(g, "Flatten", "flat1", mb_conv(g, "one", pooled, 8, 1, 1, 1, 0));
    int constant = mb_unary(g, "Identity", "id", mb_floats(g, "k", 1, 2, seven));

    mb_set_int(g, probs, "axis", 1);
    mb_set_int(g, log_map, "axis", one);
    mb_set_int(g, map_soft, "axis", one);
    mb_set_ints(g, last, "perm", 4, (int64_t[]){0, 2, 3, 1});
    mb_set_int(g, answers, "axis", one);
    mb_set_int(g, answers, "keepdims", 0);
    int outputs[OUTPUTS] = {scores, probs,   map,   log_map, last,
                            image,  answers, value, constant};
    for (int i = 0; i < OUTPUTS; i++)
        mb_output(g, outputs[i]);
    mb_infer(g);
    return g;
}

static void check_view(const struct lr_graph *g, int i, enum lr_output_kind kind,
                       int n_places, int n_classes, int step, bool is_probability)
{
    struct lr_output_view v;

    lr_output_view(&v, g, i);
    if (v.kind != kind || v.n_places != n_places || v.is_probability != is_probability ||
        (n_places && (v.n_classes != n_classes || v.step != step)))
        fail_msg("output %d: kind %d, %d places, %d classes, step %d, probability %d", i,
                 v.kind, v.n_places, v.n_classes, v.step, v.is_probability);
}

static void outputs__mean_what_shape_type_and_softmax_say(void **state)
{
    struct lr_graph *g = make(13);

    (void)state;
    check_view(g, SCORES, LR_OUTPUT_SCORES, 1, CLASSES, 1, false);
    check_view(g, PROBS, LR_OUTPUT_SCORES, 1, CLASSES, 1, true);
    check_view(g, MAP, LR_OUTPUT_SCORES, H * W, CLASSES, H * W, false);
    check_view(g, LOG_MAP, LR_OUTPUT_SCORES, H * W, CLASSES, H * W, true);
    check_view(g, LAST, LR_OUTPUT_SCORES, H * W, CLASSES, 1, true);
    check_view(g, IMAGE, LR_OUTPUT_IMAGE, 0, 0, 0, false);
    check_view(g, ANSWERS, LR_OUTPUT_CLASSES, H * W, 1, 1, false);
    check_view(g, VALUE, LR_OUTPUT_VALUES, 0, 0, 0, false);
    check_view(g, CONSTANT, LR_OUTPUT_VALUES, 0, 0, 0, false);
    lr_graph_free(g);
    /* Before opset 13 a Softmax is over all axes from its own on. */
    g = make(11);
    check_view(g, PROBS, LR_OUTPUT_SCORES, 1, CLASSES, 1, true);
    check_view(g, LOG_MAP, LR_OUTPUT_SCORES, 1, CLASSES * H * W, 1, true);
    lr_graph_free(g);
}

static int reshaped(struct lr_graph *g, const char *name, int x, int n,
                    const int64_t *shape)
{
    char of[32];

    snprintf(of, sizeof(of), "%s.shape", name);
    return mb_binary(g, "Reshape", name, x, mb_ints(g, of, 1, n, shape));
}

/* One image at a time may come out without the dimension of the batch. */
static void outputs__of_one_image_may_lack_the_batch(void **state)
{
    struct lr_graph *g = mb_graph(13);

    (void)state;
    g->is_batch_fixed = true;
    int x = mb_image(g, 1, 3, H, W);
    int map = mb_conv(g, "map", x, 3, CLASSES, 1, 1, 0);
    int flat = reshaped(g, "flat", map, 2, (int64_t[]){CLASSES, H * W});
    int shares = mb_unary(g, "Softmax", "shares", flat);
    mb_set_int(g, shares, "axis", 0);
    int one = mb_unary(g, "GlobalAveragePool", "pool", map);
    int outputs[] = {shares, mb_unary(g, "Transpose", "last", shares),
                     reshaped(g, "one", one, 1, (int64_t[]){CLASSES}),
                     reshaped(g, "boxes", map, 3, (int64_t[]){H * W, 3, 2}), map};
    mb_set_ints(g, outputs[1], "perm", 2, (int64_t[]){1, 0});
    for (int i = 0; i < 5; i++)
        mb_output(g, outputs[i]);
    mb_infer(g);
    check_view(g, 0, LR_OUTPUT_SCORES, H * W, CLASSES, H * W, true);
    check_view(g, 1, LR_OUTPUT_SCORES, H * W, CLASSES, 1, true);
    check_view(g, 2, LR_OUTPUT_SCORES, 1, CLASSES, 1, false);
    check_view(g, 3, LR_OUTPUT_VALUES, 0, 0, 0, false);
    check_view(g, 4, LR_OUTPUT_SCORES, H * W, CLASSES, H * W, false);
    /* what is kept of two images */
    assert_float_equal(lr_outcome_bytes(g, 2), 4.0 * 2 * (CLASSES * H * W + H * W), 0);
    lr_graph_free(g);
}

/* The network with every weight a little off. */
static struct lr_graph *perturbed(void)
{
    struct lr_graph *other = make(13);

    for (int v = 0; v < other->n_values; v++) {
        struct lr_tensor *t = other->values[v].tensor;
        int64_t n = 0;
        if (!t || t->dtype != LR_DT_F32 || t->shape.n_dims != 4)
            continue;
        assert_int_equal(lr_shape_count(&n, &t->shape, NULL), LR_OK);
        for (int64_t i = 0; i < n; i++)
            ((float *)t->data)[i] *= 1 + 0.6f * (float)sin((double)(7 * i + v));
    }
    return other;
}

static struct lr_dataset *images(void **state)
{
    struct lr_dataset *d = NULL;
    struct lr_err e = {0};
    float x[N * 3 * H * W];
    struct path p = in(state, "x.npy");

    for (int i = 0; i < N * 3 * H * W; i++)
        x[i] = (float)sin(i * i % 1000);
    assert_int_equal(lr_npy_write(p.s, x, (int64_t[]){N, 3, H, W}, 4, &e), LR_OK);
    if (lr_dataset_open(&d, p.s, 3, H, W, NULL, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    return d;
}

/* Output i of every image, one image at a time. Class maps come as floats. */
static float *run(const struct lr_graph *g, int i, const struct lr_dataset *d, size_t *n)
{
    struct lr_net_output o = {g->outputs[i], LR_NCHW};
    struct lr_net_opts opts = {.batch = 1, .outputs = &o, .n_outputs = 1};
    struct lr_net *net = NULL;
    struct lr_err e = {0};
    float x[3 * H * W], *all = NULL;
    const float *in_data = x;

    if (lr_net_compile(&net, g, &opts, &e) != LR_OK)
        fail_msg("%s", e.msg);
    for (int k = 0; k < N; k++) {
        assert_int_equal(lr_dataset_batch(d, k, 1, x, &e), LR_OK);
        assert_int_equal(lr_net_run(net, 1, &in_data, &e), LR_OK);
        const float *y = lr_net_output(net, 0, n);
        if (!all)
            all = lr_alloc(N * *n, sizeof(*all));
        memcpy(all + (size_t)k * *n, y, *n * sizeof(*y));
    }
    lr_net_free(net);
    return all;
}

static void near(double x, double want, const char *what, int output)
{
    bool is_same = isnan(want)   ? isnan(x)
                   : isinf(want) ? x == want
                                 : fabs(x - want) <= 1e-5 * (1 + fabs(want));

    if (!is_same)
        fail_msg("output %d: %s is %.9g instead of %.9g", output, what, x, want);
}

/* Element of class c at place (y, x): channels first, channels last, or no places. */
static float at(const float *p, int output, int c, int place)
{
    if (output == LAST)
        return p[place * CLASSES + c];
    if (output == MAP || output == LOG_MAP)
        return p[c * H * W + place];
    return p[c];
}

static void check_measure(const struct lr_output_measure *m, int o, const float *a,
                          const float *b, size_t n)
{
    int places = o == SCORES || o == PROBS                   ? 1
                 : o == VALUE || o == IMAGE || o == CONSTANT ? 0
                                                             : H * W;
    double same = 0, changed = 0, before = 0, kl = 0, low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < N * n; i++) {
        changed += pow((double)a[i] - (double)b[i], 2);
        before += (double)a[i] * (double)a[i];
        low = fmin(low, (double)a[i]);
        high = fmax(high, (double)a[i]);
    }
    for (int k = 0; k < N; k++)
        for (int p = 0; p < places; p++) {
            const float *x = a + (size_t)k * n, *y = b + (size_t)k * n;
            int best[2] = {0, 0};
            for (int c = 0; c < CLASSES && o != ANSWERS; c++) {
                double s = (double)at(x, o, c, p), t = (double)at(y, o, c, p);
                best[0] = at(x, o, c, p) > at(x, o, best[0], p) ? c : best[0];
                best[1] = at(y, o, c, p) > at(y, o, best[1], p) ? c : best[1];
                kl += o == LOG_MAP     ? exp(s) * (s - t)
                      : s > 0 && t > 0 ? s * log(s / t)
                                       : 0;
            }
            same += o == ANSWERS ? x[p] == y[p] : best[0] == best[1];
        }
    bool is_prob = o == PROBS || o == LOG_MAP || o == LAST;
    near(m->agreement, places ? same / (N * places) : NAN, "agreement", o);
    near(m->output_error, o == ANSWERS ? NAN : changed / before, "error", o);
    near(m->kl, is_prob ? kl / (N * places) : NAN, "KL", o);
    near(m->psnr,
         o == MAP || o == IMAGE
             ? 10 * log10((high - low) * (high - low) / (changed / (double)(N * n)))
             : NAN,
         "PSNR", o);
    assert_int_equal(m->images, N);
}

static void outputs__compare_gives_what_loops_give(void **state)
{
    struct lr_graph *g = make(13), *other = perturbed();
    struct lr_output_measure m[OUTPUTS];
    struct lr_dataset *d = images(state);
    struct lr_err e = {0};

    if (lr_outputs_compare(m, NULL, g, other, d, 0, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    for (int o = 0; o < OUTPUTS; o++) {
        size_t n = 0;
        float *a = run(g, o, d, &n), *b = run(other, o, d, &n);
        check_measure(&m[o], o, a, b, n);
        lr_free(a);
        lr_free(b);
    }
    assert_true(m[MAP].agreement < 1 && m[MAP].agreement > 0);
    assert_true(m[PROBS].kl > 1e-4);
    lr_dataset_free(d);
    lr_graph_free(g);
    lr_graph_free(other);
}

static void outputs__a_network_agrees_with_itself(void **state)
{
    struct lr_graph *g = make(13);
    struct lr_output_measure m[OUTPUTS];
    struct lr_dataset *d = images(state);
    struct lr_err e = {0};

    assert_int_equal(lr_outputs_compare(m, NULL, g, g, d, 4, NULL, &e), LR_OK);
    assert_int_equal(m[0].images, 4);
    near(m[MAP].agreement, 1, "agreement", MAP);
    near(m[MAP].psnr, INFINITY, "PSNR", MAP);
    near(m[LOG_MAP].kl, 0, "KL", LOG_MAP);
    near(m[VALUE].output_error, 0, "error", VALUE);
    lr_dataset_free(d);
    lr_graph_free(g);
}

/* The same measures from outcomes that are kept, for each kind as the first output. */
static void outputs__outcomes_agree_with_the_comparison(void **state)
{
    struct lr_graph *g = make(13), *other = perturbed();
    struct lr_output_measure m[OUTPUTS];
    struct lr_dataset *d = images(state);
    struct lr_err e = {0};

    assert_int_equal(lr_outputs_compare(m, NULL, g, other, d, 0, NULL, &e), LR_OK);
    for (int o = 0; o < CONSTANT; o++) {
        struct lr_outcome a = {0}, b = {0};
        struct lr_eval r;
        int first = g->outputs[0];
        g->outputs[0] = other->outputs[0] = g->outputs[o];
        if (lr_outcome_run(&a, g, d, 0, NULL, &e) != LR_OK ||
            lr_outcome_run(&b, other, d, 0, NULL, &e) != LR_OK)
            fail_msg("%s", e.msg);
        near((double)a.n * (a.n_out + a.view.n_places) * 4, lr_outcome_bytes(g, a.n),
             "bytes", o);
        assert_int_equal(lr_eval_compare(&r, &a, &b, &e), LR_OK);
        near(r.agreement, m[o].agreement, "agreement", o);
        if (o != ANSWERS)
            near(r.output_error, m[o].output_error, "error", o);
        near(lr_outcome_quality(&a, &a), 1, "quality", o);
        near(lr_outcome_quality(&b, &a),
             isnan(r.agreement) ? fmax(0, 1 - r.output_error) : r.agreement, "quality",
             o);
        g->outputs[0] = other->outputs[0] = first;
        lr_outcome_free(&a);
        lr_outcome_free(&b);
    }
    lr_dataset_free(d);
    lr_graph_free(g);
    lr_graph_free(other);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(outputs__mean_what_shape_type_and_softmax_say),
        T(outputs__of_one_image_may_lack_the_batch),
        T(outputs__compare_gives_what_loops_give),
        T(outputs__a_network_agrees_with_itself),
        T(outputs__outcomes_agree_with_the_comparison),
    };

    return cmocka_run_group_tests_name("outputs", tests, NULL, NULL);
}
