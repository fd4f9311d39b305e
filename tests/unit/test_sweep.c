/* Sweeps: every point must be what evaluating the whole approximated network gives, from
 * kept activations and without, in a chain of layers and around additions. */
#include "session_fixture.h"

#include "ranklab/sweep.h"
#include "session/internal.h"

enum { N_CALIB = 60, N_EVAL = 150 };

static void open_embedded(struct lr_session *s, const char *name)
{
    struct lr_data_opts calib = {.count = N_CALIB, .seed = 1};
    struct lr_data_opts eval = {.count = N_EVAL, .seed = 1};

    lr_session_init(s);
    s->settings.n_iter1 = s->settings.n_iter2 = 2;
    assert_ok(lr_session_open(s, name, NULL, NULL, fx_e));
    assert_ok(lr_session_data(s, 0, name, &calib, fx_e));
    assert_ok(lr_session_data(s, 1, name, &eval, fx_e));
}

/* The layer alone in the whole network, run from the images. */
static void evaluate_whole(struct lr_eval *r, struct lr_session *s,
                           const struct lr_sweep_point *p)
{
    struct lr_layer_plan *alone = NULL;
    struct lr_outcome a = {0}, b = {0};
    struct lr_graph *g = NULL;
    bool *use = lr_calloc((size_t)s->n_layers, sizeof(*use));

    assert_non_null(use);
    assert_ok(session_plan_copy(&alone, s, fx_e));
    lr_factors_unref(alone[p->layer].factors);
    alone[p->layer].factors = NULL;
    assert_ok(
        session_solve_alone(&alone[p->layer].factors, s, p->layer, p->ranks, NULL, fx_e));
    use[p->layer] = true;
    assert_ok(session_split(&g, s, alone, use, fx_e));
    assert_ok(lr_outcome_run(&a, g, s->eval, 0, NULL, fx_e));
    assert_ok(lr_outcome_run(&b, s->graph, s->eval, 0, NULL, fx_e));
    assert_ok(lr_eval_compare(r, &b, &a, fx_e));
    lr_outcome_free(&a);
    lr_outcome_free(&b);
    lr_graph_free(g);
    session_plan_free(alone, s->n_layers);
    lr_free(use);
}

static int64_t count_of(double share)
{
    return llround(share * N_EVAL);
}

static void check_points(struct lr_session *s, int64_t n_images)
{
    assert_non_null(s->sweeps);
    for (int i = 0; i < s->sweeps->n; i++) {
        const struct lr_sweep_point *p = &s->sweeps->points[i];
        struct lr_eval whole;
        evaluate_whole(&whole, s, p);
        assert_int_equal(p->eval.images, n_images);
        if (!isnan(whole.top1))
            assert_int_equal(count_of(p->eval.top1), count_of(whole.top1));
        assert_int_equal(count_of(p->eval.agreement), count_of(whole.agreement));
        assert_true(fabs(p->eval.output_error - whole.output_error) <=
                    1e-5 * whole.output_error);
        assert_true(p->eval.output_error > 0);
    }
}

/* Layers of every kind of place, in order. */
static void sweep_some(struct lr_session *s, int step, int64_t cache_memory)
{
    int layers[64], n = 0;

    for (int i = 0; i < s->n_layers; i += step)
        if (s->plan[i].method != LR_METHOD_KEEP)
            layers[n++] = i;
    struct lr_sweep_opts o = {.layers = layers, .n_layers = n, .n_points = 2};
    s->settings.cache_memory = cache_memory;
    assert_ok(lr_session_sweep(s, &o, fx_e));
    assert_true(s->sweeps->n > n);
}

static void sweep__gives_the_whole_networks_counts__in_a_chain(void **state)
{
    static const int64_t memory[] = {(int64_t)2 << 30, 12 << 20, 0};

    (void)state;
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
        struct lr_session s;
        open_embedded(&s, "@fashion");
        sweep_some(&s, 2, memory[i]);
        check_points(&s, N_EVAL);
        lr_session_free(&s);
    }
}

static void sweep__gives_the_whole_networks_counts__around_additions(void **state)
{
    static const int64_t memory[] = {(int64_t)2 << 30, 0};

    (void)state;
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
        struct lr_session s;
        open_embedded(&s, "@fashion-resnet");
        sweep_some(&s, 1, memory[i]);
        check_points(&s, N_EVAL);
        lr_session_free(&s);
    }
}

/* What is drawn must not depend on what memory there is. */
/* The batch is moved and comes back, so that only one image at a time can be run. */
static struct lr_graph *turned_chain(void)
{
    static const int64_t perm[] = {1, 0, 2, 3};
    struct lr_graph *g = fx_graph(FX_SIZE, FX_SIZE);
    struct lr_rng r;

    lr_rng_seed(&r, 5);
    int v = fx_relu(g, "relu1", fx_conv(g, "conv1", 0, FX_C, 16, 3, 1, &r));
    v = fx_relu(g, "relu2", fx_conv(g, "conv2", v, 16, 16, 3, 1, &r));
    for (int i = 0; i < 2; i++) {
        v = fx_node(g, LR_OP_TRANSPOSE, "Transpose", i ? "back" : "turn", 1, &v);
        fx_ints(g, "perm", 4, perm);
    }
    v = fx_relu(g, "relu3", fx_conv(g, "conv3", v, 16, 16, 3, 1, &r));
    return fx_finish(g, v, 16, &r);
}

static void sweep__gives_the_whole_networks_counts__one_image_at_a_time(void **state)
{
    struct fx_folder f = fx_folder_make();
    static const int64_t memory[] = {(int64_t)2 << 30, 0};
    char path[600];

    (void)state;
    fx_write_graph(&f, "turned.onnx", turned_chain());
    fx_write_images(&f, "images.npy", N_CALIB, 3);
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
        struct lr_session s;
        const int layers[] = {0, 1, 2};
        struct lr_sweep_opts o = {.layers = layers,
                                  .n_layers = 3,
                                  .n_points = 2,
                                  .metric = LR_METRIC_AGREEMENT};
        lr_session_init(&s);
        s.settings.n_iter1 = s.settings.n_iter2 = 2;
        s.settings.cache_memory = memory[i];
        assert_ok(
            lr_session_open(&s, fx_path(path, &f, "turned.onnx"), NULL, NULL, fx_e));
        assert_true(s.graph->is_batch_fixed);
        for (int which = 0; which < 2; which++)
            assert_ok(
                lr_session_data(&s, which, fx_path(path, &f, "images.npy"), NULL, fx_e));
        assert_ok(lr_session_sweep(&s, &o, fx_e));
        check_points(&s, N_CALIB);
        lr_session_free(&s);
    }
    fx_folder_remove(&f);
}

static void sweep__gives_the_same_estimate__with_and_without_memory(void **state)
{
    static const int64_t memory[] = {(int64_t)2 << 30, 3 << 20, 0};
    struct lr_eval first[2];
    int layers[] = {1, 3};

    (void)state;
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
        struct lr_session s;
        struct lr_sweep_opts o = {
            .layers = layers, .n_layers = 2, .first = 12, .last = 12, .step = 1};
        o.precision = 0.02;
        open_embedded(&s, "@fashion");
        struct lr_data_opts eval = {.count = 2000, .seed = 1};
        assert_ok(lr_session_data(&s, 1, "@fashion", &eval, fx_e));
        s.settings.cache_memory = memory[i];
        assert_ok(lr_session_sweep(&s, &o, fx_e));
        assert_int_equal(s.sweeps->n, 2);
        for (int k = 0; k < 2; k++) {
            const struct lr_sweep_point *p = &s.sweeps->points[k];
            assert_true(p->eval.images < 2000);
            assert_true(p->sampling > 0 && p->sampling <= 0.02);
            if (i == 0)
                first[k] = p->eval;
            assert_int_equal(p->eval.images, first[k].images);
            assert_true(fabs(p->eval.top1 - first[k].top1) < 1e-12);
        }
        lr_session_free(&s);
    }
}

static int stop_later(void *ctx, double fraction, const char *what)
{
    (void)what;
    return fraction > *(const double *)ctx;
}

static void sweep__keeps_finished_points__when_stopped(void **state)
{
    struct lr_session s;
    double at = 0.7;
    int layers[] = {3, 4};
    struct lr_progress progress = {.tick = stop_later, .ctx = &at};
    struct lr_sweep_opts o = {
        .layers = layers, .n_layers = 2, .n_points = 4, .progress = &progress};

    (void)state;
    open_embedded(&s, "@fashion");
    assert_int_equal(lr_session_sweep(&s, &o, NULL), LR_EINTR);
    assert_non_null(s.sweeps);
    assert_in_range(s.sweeps->n, 1, 7);
    int n = s.sweeps->n;
    o.progress = NULL;
    assert_ok(lr_session_sweep(&s, &o, fx_e));
    assert_true(s.sweeps->n > n);
    /* Other settings: the points are worth nothing. */
    s.settings.n_iter1 = 1;
    o.n_points = 1;
    assert_ok(lr_session_sweep(&s, &o, fx_e));
    assert_int_equal(s.sweeps->n, 2);
    assert_ok(lr_session_data(&s, 1, "@fashion", NULL, fx_e));
    assert_null(s.sweeps);
    lr_session_free(&s);
}

static void count_point(void *ctx, const struct lr_sweep_point *p)
{
    (void)p;
    ++*(int *)ctx;
}

static int stop_after_two(void *ctx, double fraction, const char *what)
{
    (void)fraction;
    (void)what;
    return *(const int *)ctx >= 2;
}

/* Without memory for activations, points are finished before their layer is. */
static void sweep__keeps_points_of_an_unfinished_layer__without_memory(void **state)
{
    struct lr_session s;
    int layer = 1, n = 0;
    struct lr_progress progress = {.tick = stop_after_two, .ctx = &n};
    struct lr_sweep_opts o = {.layers = &layer,
                              .n_layers = 1,
                              .n_points = 6,
                              .progress = &progress,
                              .on_point = count_point,
                              .ctx = &n};

    (void)state;
    open_embedded(&s, "@fashion");
    s.settings.cache_memory = 0;
    assert_int_equal(lr_session_sweep(&s, &o, NULL), LR_EINTR);
    assert_in_range(n, 2, 5);
    assert_int_equal(s.sweeps->n, n);
    check_points(&s, N_EVAL);
    lr_session_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep__gives_the_whole_networks_counts__in_a_chain),
        cmocka_unit_test(sweep__gives_the_whole_networks_counts__around_additions),
        cmocka_unit_test(sweep__gives_the_whole_networks_counts__one_image_at_a_time),
        cmocka_unit_test(sweep__gives_the_same_estimate__with_and_without_memory),
        cmocka_unit_test(sweep__keeps_finished_points__when_stopped),
        cmocka_unit_test(sweep__keeps_points_of_an_unfinished_layer__without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
