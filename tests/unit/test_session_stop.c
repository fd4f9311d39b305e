/* Solving stopped, failing, resumed: what stays as it was, and what comes out the same.
 */
#include "solve_fixture.h"

/* What the factors do, not their signs: the product of the two parts, and the bias. */
static double factors_distance(const struct lr_factors *a, const struct lr_factors *b)
{
    double diff = 0, all = 0;

    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(n_weights(a), n_weights(b));
    assert_int_equal(a->n_parts, 2);
    size_t k = (size_t)a->parts[0].cin * (size_t)a->parts[0].kh * (size_t)a->parts[0].kw;
    for (int i = 0; i < a->parts[1].cout; i++)
        for (size_t j = 0; j < k; j++) {
            double x = 0, y = 0;
            for (int r = 0; r < a->rank; r++) {
                size_t at = (size_t)r * k + j, to = (size_t)(i * a->rank + r);
                x += (double)a->parts[1].w[to] * (double)a->parts[0].w[at];
                y += (double)b->parts[1].w[to] * (double)b->parts[0].w[at];
            }
            diff += (x - y) * (x - y);
            all += x * x;
        }
    for (int i = 0; i < a->parts[1].cout; i++) {
        double d = (double)a->parts[1].b[i] - (double)b->parts[1].b[i];
        diff += d * d;
    }
    return sqrt(diff / all);
}

/* Solving all again must not depend on what was solved before. */
static void solve__again_gives_the_same_factors(void **state)
{
    struct setting *t = *state;
    struct lr_factors *before[8] = {NULL};
    int all[7] = {6, 5, 4, 3, 2, 1, 3}; /* in any order, and one twice */

    open_model(t, "residual.onnx");
    for (int i = 1; i < 7; i++)
        set_rank(t, i, 4);
    solve(t, -1, LR_MODE_ASYM);
    for (int i = 1; i < 7; i++)
        before[i] = lr_factors_ref(t->s.plan[i].factors);
    assert_ok(try_solve(t, all, 7, LR_MODE_ASYM, NULL, fx_e));
    for (int i = 1; i < 7; i++) {
        assert_ptr_not_equal(before[i], t->s.plan[i].factors);
        assert_memory_equal(before[i]->weights, t->s.plan[i].factors->weights,
                            n_weights(before[i]) * sizeof(float));
        lr_factors_unref(before[i]);
    }
}

/* Kept activations are only a shorter way to the same samples. */
static void solve__with_and_without_cache_agrees(void **state)
{
    static const char *const models[2] = {"chain.onnx", "residual.onnx"};
    struct setting *t = *state;

    for (int m = 0; m < 2; m++) {
        struct lr_factors *kept[8] = {NULL};
        /* nothing; the first layers' activations but not two of them; everything */
        int64_t memory[3] = {0, N_CALIB * 16 * 144 * 4 + 100, (int64_t)1 << 30};
        open_model(t, models[m]);
        for (int i = 0; i < n_convs(t); i++)
            set_rank(t, i, i > 0 ? 4 : t->s.layers[i].d);
        for (int k = 0; k < 3; k++) {
            t->s.settings.cache_memory = memory[k];
            solve(t, -1, LR_MODE_ASYM);
            for (int i = 1; i < n_convs(t); i++) {
                const struct lr_factors *f = t->s.plan[i].factors;
                if (k == 0) {
                    kept[i] = lr_factors_ref(t->s.plan[i].factors);
                    continue;
                }
                assert_true(factors_distance(kept[i], f) < 1e-3);
                assert_close(f->error_heldout, kept[i]->error_heldout, 1e-3);
            }
            assert_ok(lr_session_undo(&t->s, fx_e));
        }
        for (int i = 0; i < 8; i++)
            lr_factors_unref(kept[i]);
    }
}

/* The last place to resume from before a layer, for ten images in so much memory. */
static const char *cut_of(const struct setting *t, int layer, int last, int64_t memory)
{
    const struct lr_session *s = &t->s;
    const struct lr_graph *g = s->graph;
    int targets[16], n = 0, cuts[128], n_cuts = 0;

    for (int i = layer; i <= last; i++)
        n += session_targets(targets + n, &s->layers[i]);
    assert_true(g->n_values <= 128);
    assert_ok(session_cuts(cuts, &n_cuts, g, targets, n,
                           g->values[s->layers[layer].value].producer, fx_e));
    while (n_cuts > 0 && session_value_count(g, cuts[n_cuts - 1]) * 40 > memory)
        n_cuts--;
    return n_cuts > 0 ? g->values[cuts[n_cuts - 1]].name : "images";
}

static void solve__resumes_where_everything_left_depends_on_one_value(void **state)
{
    const int64_t much = (int64_t)1 << 30;
    struct setting *t = *state;

    open_model(t, "chain.onnx");
    assert_string_equal(cut_of(t, 0, 3, much), "images");
    assert_string_equal(cut_of(t, 1, 3, much), "relu1_out");
    assert_string_equal(cut_of(t, 3, 3, much), "relu3_out");
    /* Ten images of relu1 take 92160 bytes, of relu2 115200, of relu3 34560. */
    assert_string_equal(cut_of(t, 3, 3, 34560), "relu3_out");
    assert_string_equal(cut_of(t, 3, 3, 34559), "images");
    assert_string_equal(cut_of(t, 2, 3, 92160), "relu1_out");
    open_model(t, "residual.onnx"); /* stem a1 b1 a2 b2 s2 c3 */
    assert_string_equal(cut_of(t, 1, 6, much), "relu0_out");
    assert_string_equal(cut_of(t, 2, 6, much), "relu0_out"); /* b1, beside it relu0 */
    assert_string_equal(cut_of(t, 2, 2, much), "relu0_out");
    assert_string_equal(cut_of(t, 3, 6, much), "relu2_out");
    assert_string_equal(cut_of(t, 4, 6, much), "relu2_out");
    assert_string_equal(cut_of(t, 6, 6, much), "relu4_out");
}

struct stopper {
    int left, n_calls;
    double last;
};

static int stop_later(void *ctx, double fraction, const char *what)
{
    struct stopper *s = ctx;

    assert_non_null(what);
    assert_true(fraction >= s->last - 1e-12 && fraction <= 1);
    s->last = fraction;
    s->n_calls++;
    return s->left-- <= 0;
}

/* The plan, every factor and every state are what they were. */
static void assert_untouched(const struct setting *t, const struct lr_layer_plan *plan,
                             struct lr_factors *const *held, int solved)
{
    assert_ptr_equal(t->s.plan, plan);
    for (int i = 0; i < t->s.n_layers; i++) {
        assert_ptr_equal(t->s.plan[i].factors, held[i]);
        if (i > 0 && t->s.plan[i].method != LR_METHOD_KEEP)
            assert_int_equal(lr_session_state(&t->s, i),
                             i == solved ? LR_STATE_SOLVED : LR_STATE_CHOSEN);
    }
}

static void check_stops(struct setting *t, const char *file, enum lr_method m)
{
    struct lr_factors *held[MAX_LAYERS];
    struct stopper stop = {.left = 1000000};
    struct lr_progress p = {.tick = stop_later, .ctx = &stop};

    open_model(t, file);
    set_low(t, m);
    solve(t, 1, LR_MODE_ASYM);
    hold_factors(held, t);
    assert_ok(try_solve(t, NULL, -1, LR_MODE_ASYM, &p, fx_e));
    assert_true(stop.last == 1);
    assert_ok(lr_session_undo(&t->s, fx_e));
    const struct lr_layer_plan *plan = t->s.plan;
    int n_calls = stop.n_calls;
    for (int k = 0; k < n_calls; k += 1 + n_calls / 30) {
        struct lr_err e = {0};
        stop = (struct stopper){.left = k};
        assert_int_equal(try_solve(t, NULL, -1, LR_MODE_ASYM, &p, &e), LR_EINTR);
        assert_untouched(t, plan, held, 1);
    }
    assert_ok(lr_session_redo(&t->s, fx_e)); /* still there: nothing was changed */
    forget_factors(held);
}

static void solve__stopped_anywhere_leaves_the_session_as_it_was(void **state)
{
    struct setting *t = *state;

    t->s.settings.n_iter1 = t->s.settings.n_iter2 = 3;
    check_stops(t, "residual.onnx", LR_METHOD_RELU);
    check_stops(t, "residual.onnx", LR_METHOD_3D);
    check_stops(t, "chain.onnx", LR_METHOD_SPATIAL_REFIT);
    check_stops(t, "mixed.onnx", LR_METHOD_RELU);
}

/* One filter of the third layer is not finite: the second is solved by then. */
static void solve__that_fails_leaves_the_session_as_it_was(void **state)
{
    static const enum lr_method methods[] = {LR_METHOD_RELU, LR_METHOD_3D,
                                             LR_METHOD_SPATIAL, LR_METHOD_SVD};
    struct setting *t = *state;

    for (int m = 0; m < 4; m++) {
        struct lr_factors *held[MAX_LAYERS];
        struct lr_err e = {0};
        open_model(t, "chain.onnx");
        set_low(t, methods[m]);
        solve(t, 1, LR_MODE_ASYM);
        hold_factors(held, t);
        int w = lr_graph_find_value(t->s.graph, "conv3_w");
        ((float *)t->s.graph->values[w].tensor->data)[7] = NAN;
        const struct lr_layer_plan *plan = t->s.plan;
        assert_int_not_equal(try_solve(t, NULL, -1, LR_MODE_ASYM, NULL, &e), LR_OK);
        assert_non_null(strstr(e.msg, "conv3"));
        assert_untouched(t, plan, held, 1);
        forget_factors(held);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(solve__again_gives_the_same_factors),
        TEST(solve__with_and_without_cache_agrees),
        TEST(solve__resumes_where_everything_left_depends_on_one_value),
        TEST(solve__stopped_anywhere_leaves_the_session_as_it_was),
        TEST(solve__that_fails_leaves_the_session_as_it_was),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("session_stop", tests, NULL, NULL);
}
