/* Solving whole networks: what each layer is fitted to, against the networks themselves.
 */
#include "setting_fixture.h"

#include "ranklab/la.h"
#include "session/internal.h"

static void solve(struct setting *t, int layer, enum lr_mode mode)
{
    struct lr_solve_request q = {.layers = &layer, .n = layer < 0 ? -1 : 1, .mode = mode};
    int n = 0;

    assert_ok(lr_session_solve(&t->s, &q, &n, NULL, fx_e));
    assert_true(n > 0);
}

static size_t n_weights(const struct lr_factors *f)
{
    size_t n = 0;

    for (int i = 0; i < f->n_parts; i++)
        n += (size_t)f->parts[i].cout * (size_t)f->parts[i].cin * (size_t)f->parts[i].kh *
             (size_t)f->parts[i].kw;
    return n;
}

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

/* Relative error of the held-out rows of a value between two networks. */
static double value_error(const struct setting *t, int value, const struct lr_graph *g,
                          bool has_relu)
{
    struct lr_sampling o;
    struct lr_rows a = {0}, b = {0};
    size_t fit, valid, held;
    double diff = 0, all = 0;

    lr_sampling_default(&o);
    o.seed = t->s.settings.seed;
    assert_ok(lr_sample_values(&a, &value, 1, t->s.graph, t->s.calib, &o, NULL, fx_e));
    assert_ok(lr_sample_values(&b, &value, 1, g, t->s.calib, &o, NULL, fx_e));
    lr_sampling_split(&fit, &valid, &held, a.n, N_CALIB, &o);
    assert_true(held > 0);
    for (size_t i = (fit + valid) * (size_t)a.d; i < a.n * (size_t)a.d; i++) {
        double x = (double)a.x[i], y = (double)b.x[i];
        x = has_relu && x < 0 ? 0 : x;
        y = has_relu && y < 0 ? 0 : y;
        diff += (x - y) * (x - y);
        all += x * x;
    }
    lr_rows_free(&a);
    lr_rows_free(&b);
    return diff / all;
}

static void assert_close(double x, double expected, double tolerance)
{
    if (!(fabs(x - expected) <= tolerance * fabs(expected) + 1e-12))
        fail_msg("%.9g is not %.9g", x, expected);
}

/* After each layer the network so far is built and run: its error at the place where the
 * layer takes effect must be the one the solver reported. */
static void check_reported_errors(struct setting *t, enum lr_mode mode)
{
    for (int i = 0; i < n_convs(t); i++) {
        const struct lr_layer *l = &t->s.layers[i];
        const struct lr_factors *f;
        struct lr_graph *g = NULL;
        if (lr_session_state(&t->s, i) != LR_STATE_CHOSEN)
            continue;
        int value = l->sum_value >= 0 ? l->sum_value : l->value;
        bool has_relu = l->follow == LR_FOLLOW_RELU;
        assert_ok(lr_session_build(&g, &t->s, true, fx_e));
        double inherited = value_error(t, value, g, has_relu);
        lr_graph_free(g);
        solve(t, i, mode);
        f = t->s.plan[i].factors;
        assert_ok(lr_session_build(&g, &t->s, true, fx_e));
        assert_close(value_error(t, value, g, has_relu), f->error_heldout, 1e-4);
        assert_close(value_error(t, value, g, false), f->error_pre, 1e-4);
        assert_close(inherited, f->error_inherited, 1e-4);
        assert_true(f->error_refit == f->error_heldout);
        assert_true(f->error_own > 0);
        lr_graph_free(g);
    }
}

/* In each mode, and with svd (mode 3), which sees no image. */
static void check_all_modes(struct setting *t, const char *file, int rank)
{
    for (int m = 0; m < 4; m++) {
        open_model(t, file);
        for (int i = 1; i < n_convs(t); i++) {
            set_rank(t, i, rank);
            if (m == 3)
                assert_ok(lr_session_set_method(&t->s, &i, 1, LR_METHOD_SVD, fx_e));
        }
        check_reported_errors(t, m < 3 ? (enum lr_mode)m : LR_MODE_ASYM);
    }
}

static void solve__reports_the_error_of_the_network_so_far_in_a_chain(void **state)
{
    check_all_modes(*state, "chain.onnx", 5);
}

static void solve__reports_the_error_after_the_addition(void **state)
{
    check_all_modes(*state, "residual.onnx", 4); /* stem a1 b1 a2 b2 s2 c3 */
}

/* All layers in one call: the last error is that of the finished network. */
static void solve__at_once_reports_the_error_of_the_finished_network(void **state)
{
    struct setting *t = *state;

    for (int m = 0; m < 4; m++) {
        struct lr_graph *g = NULL;
        open_model(t, "chain.onnx");
        for (int i = 1; i < 4; i++) {
            set_rank(t, i, 5);
            if (m == 3 && i != 2)
                assert_ok(lr_session_set_method(&t->s, &i, 1, LR_METHOD_SVD, fx_e));
        }
        solve(t, -1, m < 3 ? (enum lr_mode)m : LR_MODE_SYM);
        assert_ok(lr_session_build(&g, &t->s, false, fx_e));
        for (int i = 1; i < 4; i++)
            assert_close(value_error(t, t->s.layers[i].value, g, true),
                         t->s.plan[i].factors->error_heldout, 1e-4);
        lr_graph_free(g);
    }
}

/* Without the shortcut in the fit the later convolution could not make up for the
 * earlier. */
static void solve__later_branch_sees_the_earlier_finished(void **state)
{
    struct setting *t = *state;
    const int b2 = 4, s2 = 5;

    open_model(t, "residual.onnx");
    set_rank(t, b2, 3);
    set_rank(t, s2, 4);
    solve(t, b2, LR_MODE_ASYM);
    double before = t->s.plan[b2].factors->error_heldout;
    solve(t, s2, LR_MODE_ASYM);
    const struct lr_factors *f = t->s.plan[s2].factors;
    assert_close(f->error_inherited, before, 1e-4);
    assert_true(f->error_own > 0);
    /* b2, fitted before, took s2 as whole. */
    assert_close(t->s.plan[b2].factors->error_inherited, 0, 1e-4);
}

static void solve__modes_agree_where_nothing_is_approximated_before(void **state)
{
    struct setting *t = *state;
    struct lr_factors *f[3];

    open_model(t, "chain.onnx");
    set_rank(t, 1, 5);
    for (int m = 0; m < 3; m++) {
        solve(t, 1, (enum lr_mode)m);
        f[m] = lr_factors_ref(t->s.plan[1].factors);
        assert_string_equal(f[m]->mode, lr_mode_name((enum lr_mode)m));
    }
    for (int m = 1; m < 3; m++) {
        assert_memory_equal(f[m]->weights, f[0]->weights,
                            n_weights(f[0]) * sizeof(float));
        assert_true(f[m]->error_heldout == f[0]->error_heldout);
    }
    assert_close(f[0]->error_inherited, 0, 1e-9);
    assert_close(f[0]->error_own, f[0]->error_heldout, 1e-9);
    for (int m = 0; m < 3; m++)
        lr_factors_unref(f[m]);
}

static void check_parts(struct setting *t, int first, enum lr_mode mode)
{
    struct lr_factors *at_once[8] = {NULL};

    solve(t, -1, mode);
    for (int i = 0; i < n_convs(t); i++)
        at_once[i] = lr_factors_ref(t->s.plan[i].factors);
    assert_ok(lr_session_undo(&t->s, fx_e));
    for (int i = first; i < n_convs(t); i++)
        solve(t, i, mode);
    for (int i = first; i < n_convs(t); i++) {
        assert_true(lr_session_state(&t->s, i) == LR_STATE_SOLVED);
        if (factors_distance(at_once[i], t->s.plan[i].factors) > 1e-3)
            fail_msg("%s: %g apart", t->s.layers[i].name,
                     factors_distance(at_once[i], t->s.plan[i].factors));
        assert_close(t->s.plan[i].factors->error_heldout, at_once[i]->error_heldout,
                     1e-3);
    }
    for (int i = 0; i < 8; i++)
        lr_factors_unref(at_once[i]);
}

static void solve__in_parts_equals_solving_at_once(void **state)
{
    struct setting *t = *state;

    open_model(t, "chain.onnx");
    for (int i = 1; i < 4; i++)
        set_rank(t, i, 5);
    check_parts(t, 1, LR_MODE_ASYM);
    open_model(t, "residual.onnx");
    for (int i = 1; i < 7; i++)
        set_rank(t, i, 4);
    check_parts(t, 1, LR_MODE_ASYM);
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

static const char *cut_of(const struct setting *t, int layer, int last, const char *kept,
                          int64_t memory)
{
    const struct lr_session *s = &t->s;
    int targets[16], n = 0, cut = -1;

    for (int i = layer; i <= last; i++)
        n += session_targets(targets + n, &s->layers[i]);
    assert_ok(session_cut(&cut, s, layer, targets, n,
                          kept ? lr_graph_find_value(s->graph, kept) : -1, 10, memory,
                          fx_e));
    return cut >= 0 ? s->graph->values[cut].name : "images";
}

static void solve__resumes_where_everything_left_depends_on_one_value(void **state)
{
    const int64_t much = (int64_t)1 << 30;
    struct setting *t = *state;

    open_model(t, "chain.onnx");
    assert_string_equal(cut_of(t, 0, 3, NULL, much), "images");
    assert_string_equal(cut_of(t, 1, 3, NULL, much), "relu1_out");
    assert_string_equal(cut_of(t, 3, 3, NULL, much), "relu3_out");
    /* Ten images of relu1 take 92160 bytes, of relu2 115200, of relu3 34560. */
    assert_string_equal(cut_of(t, 3, 3, NULL, 34560), "relu3_out");
    assert_string_equal(cut_of(t, 3, 3, NULL, 34559), "images");
    assert_string_equal(cut_of(t, 2, 3, NULL, 92160), "relu1_out");
    assert_string_equal(cut_of(t, 2, 3, "relu1_out", 0), "relu1_out");
    open_model(t, "residual.onnx"); /* stem a1 b1 a2 b2 s2 c3 */
    assert_string_equal(cut_of(t, 1, 6, NULL, much), "relu0_out");
    assert_string_equal(cut_of(t, 2, 6, NULL, much),
                        "relu0_out"); /* b1, beside it relu0 */
    assert_string_equal(cut_of(t, 2, 2, NULL, much), "relu0_out");
    assert_string_equal(cut_of(t, 3, 6, NULL, much), "relu2_out");
    assert_string_equal(cut_of(t, 4, 6, NULL, much), "relu2_out");
    assert_string_equal(cut_of(t, 6, 6, NULL, much), "relu4_out");
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

static void solve__stopped_anywhere_leaves_the_session_as_it_was(void **state)
{
    struct setting *t = *state;
    struct stopper stop = {.left = 1000000};
    struct lr_progress p = {.tick = stop_later, .ctx = &stop};
    struct lr_err e = {0};

    open_model(t, "residual.onnx");
    for (int i = 1; i < 7; i++)
        set_rank(t, i, 4);
    solve(t, 1, LR_MODE_ASYM);
    struct lr_factors *f = t->s.plan[1].factors;
    assert_ok(try_solve(t, NULL, -1, LR_MODE_ASYM, &p, fx_e));
    assert_true(stop.last == 1);
    assert_ok(lr_session_undo(&t->s, fx_e));
    int n_calls = stop.n_calls;
    for (int k = 0; k < n_calls; k += 1 + n_calls / 40) {
        stop = (struct stopper){.left = k};
        assert_int_equal(try_solve(t, NULL, -1, LR_MODE_ASYM, &p, &e), LR_EINTR);
        assert_ptr_equal(t->s.plan[1].factors, f);
        for (int i = 2; i < 7; i++)
            assert_int_equal(lr_session_state(&t->s, i), LR_STATE_CHOSEN);
    }
    assert_ok(lr_session_redo(&t->s, fx_e)); /* still there: nothing was changed */
}

/* Held-out error of the deepest response in the network approximated in this mode. */
static double last_error(struct setting *t, enum lr_mode mode)
{
    const struct lr_layer *l = &t->s.layers[n_convs(t) - 1];
    struct lr_graph *g = NULL;

    solve(t, -1, mode);
    assert_ok(lr_session_build(&g, &t->s, false, fx_e));
    double error = value_error(t, l->value, g, l->follow == LR_FOLLOW_RELU);
    lr_graph_free(g);
    assert_ok(lr_session_undo(&t->s, fx_e));
    return error;
}

static void solve__asymmetric_beats_symmetric_in_depth(void **state)
{
    static const char *const models[2] = {"chain.onnx", "residual.onnx"};
    struct setting *t = *state;

    for (int m = 0; m < 2; m++) {
        open_model(t, models[m]);
        for (int i = 1; i < n_convs(t); i++)
            set_rank(t, i, 4);
        double asym = last_error(t, LR_MODE_ASYM), sym = last_error(t, LR_MODE_SYM);
        double symhat = last_error(t, LR_MODE_SYMHAT);
        if (!(asym < sym && asym < symhat))
            fail_msg("%s: asym %g, sym %g, symhat %g", models[m], asym, sym, symhat);
    }
}

/* The fit after the ReLU is at most as far off as the linear one, on the rows it
 * minimised. */
static void solve__nonlinear_is_at_least_as_good_as_linear(void **state)
{
    struct setting *t = *state;

    open_model(t, "residual.onnx");
    for (int i = 1; i < 7; i++)
        set_rank(t, i, 4);
    solve(t, -1, LR_MODE_ASYM);
    for (int i = 1; i < 7; i++) {
        const struct lr_factors *f = t->s.plan[i].factors;
        assert_true(f->error_calib > 0 && f->error_heldout > 0);
        assert_true(f->error_heldout <= 1.05 * f->error_linear);
        assert_true(t->s.plan[i].method == LR_METHOD_PCA
                        ? f->error_heldout == f->error_linear
                        : f->n_iterations == 50);
    }
}

static void solve__skips_layers_that_stay_whole(void **state)
{
    struct setting *t = *state;
    int all[4] = {0, 1, 2, 3}, n = -1;
    struct lr_solve_request q = {.layers = all, .n = 4};

    open_model(t, "chain.onnx");
    set_rank(t, 1, 18); /* break-even */
    assert_ok(lr_session_solve(&t->s, &q, &n, NULL, fx_e));
    assert_int_equal(n, 0);
    assert_int_equal(lr_session_state(&t->s, 1), LR_STATE_WHOLE);
    assert_null(t->s.plan[1].factors);
    q.n = -1;
    assert_ok(lr_session_solve(&t->s, &q, &n, NULL, fx_e));
    assert_int_equal(n, 0);
}

static void solve__svd_needs_no_images(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};
    char path[600];
    int layer = 1;

    assert_ok(lr_session_open(&t->s, fx_path(path, &t->folder, "chain.onnx"), NULL, NULL,
                              fx_e));
    set_rank(t, 1, 5);
    assert_int_equal(try_solve(t, NULL, -1, LR_MODE_ASYM, NULL, &e), LR_EINVAL);
    assert_string_equal(e.msg, "no calibration images: use data calib");
    assert_ok(lr_session_set_method(&t->s, &layer, 1, LR_METHOD_SVD, fx_e));
    solve(t, -1, LR_MODE_ASYM);
    assert_true(isnan(t->s.plan[1].factors->error_heldout));
    assert_null(t->s.plan[1].factors->mode);
    struct lr_factors *f = lr_factors_ref(t->s.plan[1].factors);
    assert_ok(
        lr_session_data(&t->s, 0, fx_path(path, &t->folder, "calib.npy"), NULL, fx_e));
    solve(t, 1, LR_MODE_ASYM);
    assert_memory_equal(f->weights, t->s.plan[1].factors->weights,
                        n_weights(f) * sizeof(float));
    assert_true(t->s.plan[1].factors->error_heldout > 0);
    lr_factors_unref(f);
}

/* At full data rank it reproduces what comes in, errors included; the asymmetric fit to
 * the same input takes part of them back. */
static void solve__symhat_fits_the_approximated_network_to_itself(void **state)
{
    struct setting *t = *state;
    double error[2], inherited = 0;

    open_model(t, "chain.onnx");
    set_rank(t, 1, 3);
    set_rank(t, 2, 20);
    solve(t, 1, LR_MODE_ASYM);
    for (int m = 0; m < 2; m++) {
        solve(t, 2, m ? LR_MODE_SYMHAT : LR_MODE_ASYM);
        error[m] = t->s.plan[2].factors->error_heldout;
        inherited = t->s.plan[2].factors->error_inherited;
    }
    assert_true(inherited > 0.01);
    assert_close(error[1], inherited, 0.1);
    assert_true(error[0] < 0.9 * error[1]);
}

static void solve__build_marks_its_parts(void **state)
{
    struct setting *t = *state;
    struct lr_graph *g = NULL;

    open_model(t, "chain.onnx");
    set_rank(t, 1, 5);
    solve(t, -1, LR_MODE_ASYM);
    assert_ok(lr_session_build(&g, &t->s, false, fx_e));
    assert_int_equal(g->n_nodes, t->s.graph->n_nodes + 1);
    int part = g->values[t->s.layers[1].value].producer;
    assert_string_equal(g->nodes[part].doc, "ranklab: relu, rank 5 of 20");
    struct lr_totals total;
    lr_session_totals(&total, &t->s);
    assert_int_equal(lr_graph_cost(g).macs, total.net_macs);
    assert_int_equal(lr_graph_cost(g).params, total.net_params);
    lr_graph_free(g);
}

static void solve__counts_the_parameters_of_what_is_built(void **state)
{
    struct setting *t = *state;

    for (int has_bias = 0; has_bias < 2; has_bias++) {
        struct lr_graph *g = fx_chain(7);
        struct lr_layer_row row;
        struct lr_totals total;
        int layer = 1;
        char path[600];
        for (int k = 0; k < g->n_nodes && !has_bias; k++)
            if (g->nodes[k].op == LR_OP_CONV)
                g->nodes[k].n_in = 2;
        fx_write_graph(&t->folder, "some.onnx", g);
        assert_ok(lr_session_open(&t->s, fx_path(path, &t->folder, "some.onnx"), NULL,
                                  NULL, fx_e));
        struct lr_rank_layer whole = lr_session_rank_layer(&t->s, layer);
        assert_int_equal(lr_params_whole(&whole), t->s.layers[layer].params);
        set_rank(t, layer, 5);
        assert_ok(lr_session_set_method(&t->s, &layer, 1, LR_METHOD_SVD, fx_e));
        solve(t, -1, LR_MODE_ASYM);
        assert_ok(lr_session_build(&g, &t->s, false, fx_e));
        lr_session_totals(&total, &t->s);
        lr_session_row(&row, &t->s, layer);
        assert_int_equal(lr_graph_cost(g).params, total.net_params);
        assert_int_equal(row.params, 5 * 144 + 5 * has_bias + 20 * 5 + 20);
        lr_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(solve__reports_the_error_of_the_network_so_far_in_a_chain),
        TEST(solve__reports_the_error_after_the_addition),
        TEST(solve__at_once_reports_the_error_of_the_finished_network),
        TEST(solve__later_branch_sees_the_earlier_finished),
        TEST(solve__modes_agree_where_nothing_is_approximated_before),
        TEST(solve__in_parts_equals_solving_at_once),
        TEST(solve__again_gives_the_same_factors),
        TEST(solve__with_and_without_cache_agrees),
        TEST(solve__resumes_where_everything_left_depends_on_one_value),
        TEST(solve__stopped_anywhere_leaves_the_session_as_it_was),
        TEST(solve__asymmetric_beats_symmetric_in_depth),
        TEST(solve__nonlinear_is_at_least_as_good_as_linear),
        TEST(solve__skips_layers_that_stay_whole),
        TEST(solve__svd_needs_no_images),
        TEST(solve__symhat_fits_the_approximated_network_to_itself),
        TEST(solve__build_marks_its_parts),
        TEST(solve__counts_the_parameters_of_what_is_built),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("session_solve", tests, NULL, NULL);
}
