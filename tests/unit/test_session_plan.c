/* The plan of a session: states and reasons, methods, undo and redo, what changes make
 * stale, and rank selection. */
#include "setting_fixture.h"

#include "ranklab/la.h"

static void session__ranks_make_states_and_reasons(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};
    struct lr_layer_row row;
    char buf[128];

    set_rank(t, 1, 5);
    assert_states(&t->s, "wcwww");
    assert_null(lr_session_reason(&t->s, 1, buf, sizeof(buf)));
    lr_session_row(&row, &t->s, 1);
    assert_int_equal(row.macs, 144 * (5 * 144 + 20 * 5));
    assert_true(isnan(row.energy) && isnan(row.error_heldout));
    /* conv2: 144 * 20 / 164 = 17.6 */
    set_rank(t, 1, 18);
    assert_states(&t->s, "wwwww");
    assert_string_equal(lr_session_reason(&t->s, 1, buf, sizeof(buf)),
                        "rank 18 is at or above break-even 18");
    lr_session_row(&row, &t->s, 1);
    assert_int_equal(row.macs, row.macs_original);
    set_rank(t, 1, 17);
    assert_states(&t->s, "wcwww");
    assert_string_equal(lr_session_reason(&t->s, 0, buf, sizeof(buf)), "full rank");
    struct lr_ranks ranks[2] = {{7, 0}, {21, 0}};
    int layers[2] = {2, 1};
    assert_int_equal(lr_session_set_ranks(&t->s, layers, ranks, 2, &e), LR_EINVAL);
    assert_string_equal(e.msg, "conv2: rank 21 exceeds its 20 filters");
    ranks[1].channel = 0;
    assert_int_equal(lr_session_set_ranks(&t->s, layers, ranks, 2, &e), LR_EINVAL);
    assert_string_equal(e.msg, "conv2: rank 0 is below 1");
    layers[0] = 5;
    assert_int_equal(lr_session_set_ranks(&t->s, layers, ranks, 2, &e), LR_EINVAL);
    assert_states(&t->s, "wcwww");
    assert_int_equal(t->s.plan[2].ranks.channel, 24);
}

static void session__method_keep_holds_a_layer_whole(void **state)
{
    struct setting *t = *state;
    char buf[128];
    int layer = 1;

    set_rank(t, 1, 5);
    assert_ok(lr_session_set_method(&t->s, &layer, 1, LR_METHOD_KEEP, fx_e));
    assert_states(&t->s, "wwwww");
    assert_string_equal(lr_session_reason(&t->s, 1, buf, sizeof(buf)), "method keep");
    assert_ok(lr_session_set_method(&t->s, &layer, 1, LR_METHOD_PCA, fx_e));
    assert_states(&t->s, "wcwww");
    assert_int_equal(t->s.plan[1].ranks.channel, 5);
}

static void session__relu_method_needs_a_relu(void **state)
{
    struct setting *t = *state;

    open_model(t, "residual.onnx");
    assert_int_equal(t->s.n_layers, 8);
    int c3 = 6;
    assert_int_equal(t->s.plan[c3].method, LR_METHOD_PCA);
    assert_int_equal(t->s.plan[2].method, LR_METHOD_RELU); /* after the addition */
    assert_ok(lr_session_set_method(&t->s, &c3, 1, LR_METHOD_RELU, fx_e));
    assert_int_equal(t->s.plan[c3].method, LR_METHOD_PCA);
    assert_string_equal(t->note, "c3: pca, because no ReLU follows");
}

static void session__undo_and_redo_walk_through_changes(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};

    assert_int_equal(lr_session_undo(&t->s, &e), LR_EINVAL);
    set_rank(t, 0, 3);
    set_rank(t, 1, 4);
    set_rank(t, 1, 4); /* no change, no step */
    set_rank(t, 2, 5);
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_states(&t->s, "cwwww");
    assert_ok(lr_session_redo(&t->s, fx_e));
    assert_states(&t->s, "ccwww");
    assert_ok(lr_session_undo(&t->s, fx_e));
    set_rank(t, 3, 6);
    assert_int_equal(lr_session_redo(&t->s, &e), LR_EINVAL);
    assert_states(&t->s, "cwwcw");
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_states(&t->s, "wwwww");
    assert_int_equal(lr_session_undo(&t->s, &e), LR_EINVAL);
}

static void session__undo_forgets_the_oldest_of_many_steps(void **state)
{
    struct setting *t = *state;
    int n = 0;

    for (int i = 0; i < 230; i++)
        set_rank(t, 1, 1 + i % 2);
    while (lr_session_undo(&t->s, NULL) == LR_OK)
        n++;
    assert_int_equal(n, 200);
    while (lr_session_redo(&t->s, NULL) == LR_OK)
        n--;
    assert_int_equal(n, 0);
    assert_int_equal(t->s.plan[1].ranks.channel, 2);
}

static void session__undo_of_a_solve_restores_the_factors(void **state)
{
    struct setting *t = *state;

    set_rank(t, 1, 5);
    solve_all(t, LR_MODE_SYM);
    struct lr_factors *f = t->s.plan[1].factors;
    assert_non_null(f);
    set_rank(t, 1, 7);
    assert_null(t->s.plan[1].factors);
    solve_all(t, LR_MODE_SYM);
    struct lr_factors *f7 = t->s.plan[1].factors;
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_states(&t->s, "wcwww");
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_states(&t->s, "wswww");
    assert_ptr_equal(t->s.plan[1].factors, f);
    assert_ok(lr_session_redo(&t->s, fx_e));
    assert_ok(lr_session_redo(&t->s, fx_e));
    assert_ptr_equal(t->s.plan[1].factors, f7);
}

static void session__rank_of_the_factors_keeps_them(void **state)
{
    struct setting *t = *state;
    struct lr_ranks ranks[2] = {{5, 0}, {9, 0}};
    int layers[2] = {1, 2};

    set_rank(t, 1, 5);
    solve_all(t, LR_MODE_ASYM);
    struct lr_factors *f = t->s.plan[1].factors;
    assert_ok(lr_session_set_ranks(&t->s, layers, ranks, 2, fx_e));
    assert_ptr_equal(t->s.plan[1].factors, f);
    assert_states(&t->s, "wscww");
    set_rank(t, 1, 20); /* whole */
    assert_null(t->s.plan[1].factors);
    assert_states(&t->s, "wwcww");
}

static void session__changes_make_deeper_asymmetric_layers_stale(void **state)
{
    struct setting *t = *state;
    int layer = 3;

    for (int i = 1; i < 4; i++)
        set_rank(t, i, 6);
    solve_layer(t, layer, LR_MODE_SYM);
    assert_states(&t->s, "wccsw");
    solve_all(t, LR_MODE_ASYM);
    assert_states(&t->s, "wsssw");
    set_rank(t, 1, 5);
    assert_states(&t->s, "wcSsw"); /* the symmetric one looks at the original alone */
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_states(&t->s, "wsssw");
    layer = 1;
    solve_layer(t, layer, LR_MODE_ASYM);
    assert_states(&t->s, "wsSsw");
    set_rank(t, 0, 3); /* chosen only: nothing deeper sees it yet */
    assert_states(&t->s, "csSsw");
    layer = 2;
    assert_ok(lr_session_set_method(&t->s, &layer, 1, LR_METHOD_PCA, fx_e));
    assert_states(&t->s, "cscsw");
    solve_all(t, LR_MODE_ASYM); /* the second was solved, but follows the first */
    assert_states(&t->s, "ssssw");
}

static void session__staleness_follows_both_branches(void **state)
{
    struct setting *t = *state;
    int layer;

    open_model(t, "residual.onnx"); /* stem a1 b1 a2 b2 s2 c3 */
    for (int i = 1; i < 7; i++)
        set_rank(t, i, 3);
    solve_all(t, LR_MODE_ASYM);
    assert_states(&t->s, "wssssssw");
    layer = 3; /* a2: b2 after it; s2 was fitted beside b2, c3 after both */
    solve_layer(t, layer, LR_MODE_ASYM);
    assert_states(&t->s, "wsssSSSw");
    solve_all(t, LR_MODE_ASYM);
    assert_states(&t->s, "wssssssw");
    layer = 5; /* s2: b2 came before it and is not fitted again */
    solve_layer(t, layer, LR_MODE_ASYM);
    assert_states(&t->s, "wsssssSw");
}

static void session__select_meets_its_budget(void **state)
{
    struct setting *t = *state;
    struct lr_totals total;
    struct lr_select_opts o = {.rule = lr_rank_rule_find("energy"), .speedup = 2.5};

    assert_non_null(o.rule);
    assert_ok(lr_session_select(&t->s, &o, fx_e));
    lr_session_totals(&total, &t->s);
    assert_true(total.speedup >= 2.5 && total.speedup < 2.8);
    assert_non_null(t->s.spectra);
    int keep = 1;
    o.speedup = 1.3;
    o.keep = &keep;
    o.n_keep = 1;
    assert_ok(lr_session_select(&t->s, &o, fx_e));
    lr_session_totals(&total, &t->s);
    assert_true(total.speedup >= 1.3);
    assert_int_equal(t->s.plan[1].ranks.channel, 20);
    assert_ok(lr_session_undo(&t->s, fx_e));
    lr_session_totals(&total, &t->s);
    assert_true(total.speedup >= 2.5);
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_states(&t->s, "wwwww");
}

static void session__select_by_params_counts_parameters(void **state)
{
    struct setting *t = *state;
    struct lr_totals total;
    struct lr_select_opts o = {.rule = lr_rank_rule_find("energy"), .params = 6000};

    assert_ok(lr_session_select(&t->s, &o, fx_e));
    lr_session_totals(&total, &t->s);
    assert_true(total.params <= 6000 && total.params > 5000);
}

static void session__select_by_energy_keeps_it_in_every_layer(void **state)
{
    struct setting *t = *state;
    struct lr_select_opts o = {.energy = 0.9};
    int n_split = 0;

    assert_ok(lr_session_select(&t->s, &o, fx_e));
    for (int i = 0; i < 4; i++) {
        struct lr_layer_row row;
        lr_session_row(&row, &t->s, i);
        assert_true(row.energy >= 0.9);
        n_split += row.state == LR_STATE_CHOSEN;
        if (row.rank > 1)
            assert_true(lr_spectrum_energy(&t->s.spectra[i], row.rank - 1) < 0.9);
    }
    assert_true(n_split > 0);
    o.round = 4;
    assert_ok(lr_session_select(&t->s, &o, fx_e));
    for (int i = 0; i < 4; i++)
        assert_int_equal(t->s.plan[i].ranks.channel % 4, 0);
}

static void session__select_says_what_is_missing(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};
    struct lr_select_opts o = {.rule = lr_rank_rule_find("energy"), .speedup = 2};
    int all[5] = {0, 1, 2, 3, 4};
    char path[600];

    o.keep = all;
    o.n_keep = 5;
    assert_int_equal(lr_session_select(&t->s, &o, &e), LR_EINVAL);
    o.n_keep = 0;
    o.macs = 1000;
    assert_int_equal(lr_session_select(&t->s, &o, &e), LR_EINVAL);
    o.macs = 0;
    o.speedup = 1e6;
    assert_int_equal(lr_session_select(&t->s, &o, &e), LR_EINVAL);
    o.speedup = NAN;
    assert_int_equal(lr_session_select(&t->s, &o, &e), LR_EINVAL);
    o.speedup = 2;
    assert_ok(lr_session_open(&t->s, fx_path(path, &t->folder, "chain.onnx"), NULL, NULL,
                              fx_e));
    assert_int_equal(lr_session_select(&t->s, &o, &e), LR_EINVAL);
    assert_string_equal(e.msg, "no calibration images: use data calib");
    assert_states(&t->s, "wwwww");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(session__ranks_make_states_and_reasons),
        TEST(session__method_keep_holds_a_layer_whole),
        TEST(session__relu_method_needs_a_relu),
        TEST(session__undo_and_redo_walk_through_changes),
        TEST(session__undo_forgets_the_oldest_of_many_steps),
        TEST(session__undo_of_a_solve_restores_the_factors),
        TEST(session__rank_of_the_factors_keeps_them),
        TEST(session__changes_make_deeper_asymmetric_layers_stale),
        TEST(session__staleness_follows_both_branches),
        TEST(session__select_meets_its_budget),
        TEST(session__select_by_params_counts_parameters),
        TEST(session__select_by_energy_keeps_it_in_every_layer),
        TEST(session__select_says_what_is_missing),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("session plan", tests, NULL, NULL);
}
