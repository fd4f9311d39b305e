/* Solving whole networks: what each layer is fitted to, against the networks themselves.
 */
#include "solve_fixture.h"

static double respond(double x, const struct lr_activation *act)
{
    double lo = (double)act->lo, hi = (double)act->hi;

    return x < lo ? lo + (double)act->slope * (x - lo) : x > hi ? hi : x;
}

/* Relative error of the held-out rows of a value between two networks, after act. */
static double value_error(const struct setting *t, int value, const struct lr_graph *g,
                          const struct lr_activation *act)
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
        double x = respond((double)a.x[i], act), y = respond((double)b.x[i], act);
        diff += (x - y) * (x - y);
        all += x * x;
    }
    lr_rows_free(&a);
    lr_rows_free(&b);
    return diff / all;
}

/* After each layer the network so far is built and run: its error at the place where the
 * layer takes effect must be the one the solver reported. */
static void check_reported_errors(struct setting *t, enum lr_mode mode, const char *what)
{
    for (int i = 0; i < t->s.n_layers; i++) {
        const struct lr_layer *l = &t->s.layers[i];
        struct lr_graph *g = NULL;
        if (lr_session_state(&t->s, i) != LR_STATE_CHOSEN)
            continue;
        int value = l->sum_value >= 0 ? l->sum_value : l->value;
        assert_ok(lr_session_build(&g, &t->s, true, fx_e));
        double inherited = value_error(t, value, g, &l->act);
        lr_graph_free(g);
        solve(t, i, mode);
        const struct lr_factors *f = t->s.plan[i].factors;
        assert_ok(lr_session_build(&g, &t->s, true, fx_e));
        double after = value_error(t, value, g, &l->act);
        double before = value_error(t, value, g, &lr_act_none);
        lr_graph_free(g);
        if (fabs(after - f->error_heldout) > 1e-4 * after + 1e-9 ||
            fabs(before - f->error_pre) > 1e-4 * before + 1e-9 ||
            fabs(inherited - f->error_inherited) > 1e-4 * inherited + 1e-9)
            fail_msg("%s, %s: %s has errors %g, %g and %g, reported as %g, %g and %g",
                     what, lr_mode_name(mode), l->name, after, before, inherited,
                     f->error_heldout, f->error_pre, f->error_inherited);
        assert_true(f->error_refit == f->error_heldout);
        assert_true(f->error_own > 0 && f->error_calib > 0);
    }
}

static void check_all_methods(struct setting *t, const char *file)
{
    static const enum lr_method methods[] = {LR_METHOD_RELU,    LR_METHOD_PCA,
                                             LR_METHOD_SPATIAL, LR_METHOD_SPATIAL_REFIT,
                                             LR_METHOD_3D,      LR_METHOD_SVD};

    t->s.settings.n_iter1 = t->s.settings.n_iter2 = 5;
    for (int m = 0; m < 6; m++)
        for (int mode = 0; mode < 3; mode++) {
            bool is_fitted = lr_method_info(methods[m])->needs_samples;
            if (mode != LR_MODE_ASYM && !is_fitted)
                continue;
            open_model(t, file);
            set_low(t, methods[m]);
            check_reported_errors(t, (enum lr_mode)mode,
                                  lr_method_info(methods[m])->name);
        }
}

static void solve__reports_the_error_of_the_network_so_far_in_a_chain(void **state)
{
    check_all_methods(*state, "chain.onnx");
}

static void solve__reports_the_error_after_the_addition(void **state)
{
    check_all_methods(*state, "residual.onnx"); /* stem a1 b1 a2 b2 s2 c3 fc */
}

static void solve__reports_the_error_with_groups_and_full_connections(void **state)
{
    check_all_methods(*state, "mixed.onnx"); /* conv1 conv2 p3 conv4 fc1 fc2 */
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
            assert_close(value_error(t, t->s.layers[i].value, g, &lr_act_relu),
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

/* Held-out error after the last addition, with and without the shortcut in the fits. */
static void solve__over_the_shortcut_beats_each_response_alone(void **state)
{
    struct setting *t = *state;
    const int last = 5; /* stem a1 b1 a2 b2 s2 */

    for (int rank = 3; rank < 6; rank++) {
        double error[2];
        for (int is_alone = 0; is_alone < 2; is_alone++) {
            struct lr_solve_request q = {.n = -1, .is_alone = is_alone};
            struct lr_graph *g = NULL;
            open_model(t, "residual.onnx");
            for (int i = 1; i <= last; i++)
                set_rank(t, i, rank);
            assert_ok(lr_session_solve(&t->s, &q, NULL, NULL, fx_e));
            assert_ok(lr_session_build(&g, &t->s, false, fx_e));
            error[is_alone] =
                value_error(t, t->s.layers[last].sum_value, g, &lr_act_relu);
            assert_close(t->s.plan[last].factors->error_heldout, error[is_alone], 1e-4);
            lr_graph_free(g);
        }
        if (!(error[0] < error[1]))
            fail_msg("rank %d: %g, alone %g", rank, error[0], error[1]);
    }
}

/* Held-out error of the deepest response in the network approximated in this mode. */
static double last_error(struct setting *t, enum lr_mode mode)
{
    const struct lr_layer *l = &t->s.layers[n_convs(t) - 1];
    struct lr_graph *g = NULL;

    solve(t, -1, mode);
    assert_ok(lr_session_build(&g, &t->s, false, fx_e));
    double error = value_error(t, l->value, g, &l->act);
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
    assert_memory_equal(g->nodes[part].doc, "ranklab ", 8);
    assert_non_null(strstr(g->nodes[part].doc, ": relu, rank 5 of 20, held-out error "));
    struct lr_totals total;
    lr_session_totals(&total, &t->s);
    assert_int_equal(lr_graph_cost(g).macs, total.net_macs);
    assert_int_equal(lr_graph_cost(g).params, total.net_params);
    lr_graph_free(g);
}

static void solve__costs_what_it_builds_with_every_method(void **state)
{
    static const char *const models[] = {"chain.onnx", "residual.onnx", "mixed.onnx"};
    struct setting *t = *state;

    t->s.settings.n_iter1 = t->s.settings.n_iter2 = 1;
    for (int k = 0; k < 3 * lr_n_methods; k++) {
        const struct lr_method_info *m = &lr_methods[k / 3];
        struct lr_graph *g = NULL;
        struct lr_totals total;
        if (m->id == LR_METHOD_KEEP)
            continue;
        open_model(t, models[k % 3]);
        set_low(t, m->id);
        solve(t, -1, LR_MODE_ASYM);
        assert_ok(lr_session_build(&g, &t->s, false, fx_e));
        lr_session_totals(&total, &t->s);
        struct lr_cost cost = lr_graph_cost(g);
        if (cost.macs != total.net_macs || cost.params != total.net_params ||
            cost.bytes != total.net_bytes)
            fail_msg(
                "%s, %s: %lld MACs, %lld parameters, %lld bytes, said to be %lld, %lld "
                "and %lld",
                models[k % 3], m->name, (long long)cost.macs, (long long)cost.params,
                (long long)cost.bytes, (long long)total.net_macs,
                (long long)total.net_params, (long long)total.net_bytes);
        lr_graph_free(g);
    }
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
        TEST(solve__reports_the_error_with_groups_and_full_connections),
        TEST(solve__at_once_reports_the_error_of_the_finished_network),
        TEST(solve__later_branch_sees_the_earlier_finished),
        TEST(solve__modes_agree_where_nothing_is_approximated_before),
        TEST(solve__over_the_shortcut_beats_each_response_alone),
        TEST(solve__asymmetric_beats_symmetric_in_depth),
        TEST(solve__nonlinear_is_at_least_as_good_as_linear),
        TEST(solve__skips_layers_that_stay_whole),
        TEST(solve__svd_needs_no_images),
        TEST(solve__symhat_fits_the_approximated_network_to_itself),
        TEST(solve__build_marks_its_parts),
        TEST(solve__costs_what_it_builds_with_every_method),
        TEST(solve__counts_the_parameters_of_what_is_built),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("session_solve", tests, NULL, NULL);
}
