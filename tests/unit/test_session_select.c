/* Choosing ranks in a session: budgets under every rule and mixture of methods, what is
 * said when one cannot be met, and what is measured of the layers for it. */
#include "setting_fixture.h"

#include "ranklab/la.h"

static const struct {
    const char *rule;
    enum lr_objective objective;
} choices[] = {{"energy", LR_OBJECTIVE_ENERGY},  {"paper", LR_OBJECTIVE_ENERGY},
               {"uniform", LR_OBJECTIVE_ENERGY}, {"knapsack", LR_OBJECTIVE_ENERGY},
               {"knapsack", LR_OBJECTIVE_ERROR}, {"sensitivity", LR_OBJECTIVE_ENERGY}};
enum { N_CHOICES = sizeof(choices) / sizeof(choices[0]) };

static const enum lr_method mixes[][3] = {
    {LR_METHOD_RELU, LR_METHOD_RELU, LR_METHOD_RELU},
    {LR_METHOD_3D, LR_METHOD_3D, LR_METHOD_3D},
    {LR_METHOD_SPATIAL, LR_METHOD_SPATIAL, LR_METHOD_SPATIAL},
    {LR_METHOD_PCA, LR_METHOD_3D, LR_METHOD_SPATIAL_REFIT},
    {LR_METHOD_SVD, LR_METHOD_KEEP, LR_METHOD_3D}};
enum { N_MIXES = sizeof(mixes) / sizeof(mixes[0]) };

static void open_mix(struct setting *t, const char *file, int mix)
{
    open_model(t, file);
    t->s.settings.n_iter1 = t->s.settings.n_iter2 = 1;
    for (int i = 0; i < t->s.n_layers; i++)
        if (t->s.layers[i].kind == LR_LAYER_CONV)
            set_method(t, i, mixes[mix][i % 3]);
}

static struct lr_select_opts options(int choice)
{
    return (struct lr_select_opts){.rule = lr_rank_rule_find(choices[choice].rule),
                                   .objective = choices[choice].objective,
                                   .round = 1};
}

/* Ranks are allowed ones on the grid; what is kept is whole. */
static void assert_allowed(const struct setting *t, int round)
{
    for (int i = 0; i < t->s.n_layers; i++) {
        struct lr_rank_layer l = lr_session_rank_layer(&t->s, i);
        struct lr_ranks r = t->s.plan[i].ranks, whole = lr_ranks_whole(&l);
        int step = lr_rank_step(&l, round);
        assert_true(r.channel >= 1 && r.channel <= whole.channel);
        assert_true(r.channel == whole.channel || r.channel % step == 0);
        assert_true(r.spatial >= (whole.spatial > 0) && r.spatial <= whole.spatial);
        assert_true(r.spatial == whole.spatial || r.spatial % step == 0);
        if (l.is_kept)
            assert_int_equal(lr_session_state(&t->s, i), LR_STATE_WHOLE);
    }
}

/* The number behind text in the message. */
static double number_after(const char *message, const char *text)
{
    const char *at = strstr(message, text);

    if (!at)
        fail_msg("'%s' is not in '%s'", text, message);
    return strtod(at + strlen(text), NULL);
}

/* Selects for a speedup, or for the nearest where that cannot be; the total must show it.
 */
static void check_speedup(struct setting *t, struct lr_select_opts *o, double x,
                          const char *what)
{
    const struct lr_layer_plan *plan = t->s.plan;
    struct lr_totals total;
    struct lr_err e = {0};

    o->speedup = x;
    enum lr_status rc = lr_session_select(&t->s, o, &e);
    if (rc != LR_OK) {
        assert_int_equal(rc, LR_EINVAL);
        assert_ptr_equal(t->s.plan, plan);
        o->speedup = number_after(e.msg, "nearest speedup is ");
        assert_true(o->speedup < x && o->speedup >= 1);
        if (lr_session_select(&t->s, o, &e) != LR_OK)
            fail_msg("%s: not even %g, said to be the nearest: %s", what, o->speedup,
                     e.msg);
    }
    lr_session_totals(&total, &t->s);
    double got = o->is_network ? total.net_speedup : total.speedup;
    if (!(got >= o->speedup * (1 - 1e-12)))
        fail_msg("%s: %g, not %g", what, got, o->speedup);
    assert_allowed(t, o->round);
}

static void check_rules(struct setting *t, const char *file)
{
    static const int rounds[] = {1, 4, 8, 16};

    for (int m = 0; m < N_MIXES; m++) {
        open_mix(t, file, m);
        for (int c = 0; c < N_CHOICES; c++)
            for (int k = 0; k < 8; k++) {
                struct lr_select_opts o = options(c);
                char what[80];
                snprintf(what, sizeof(what), "%s, mix %d, %s", file, m, choices[c].rule);
                o.round = rounds[k / 2];
                check_speedup(t, &o, k % 2 ? 4 : 1.4, what);
            }
    }
}

static void select__meets_its_budget_with_every_rule_in_a_chain(void **state)
{
    check_rules(*state, "chain.onnx");
}

static void select__meets_its_budget_with_every_rule_and_groups(void **state)
{
    check_rules(*state, "mixed.onnx");
}

static void select__meets_its_budget_with_every_rule_and_additions(void **state)
{
    struct setting *t = *state;

    for (int m = 0; m < N_MIXES; m += 3) {
        open_mix(t, "residual.onnx", m);
        for (int c = 0; c < N_CHOICES; c++) {
            struct lr_select_opts o = options(c);
            check_speedup(t, &o, 2, choices[c].rule);
        }
    }
}

static void select__names_the_nearest_speedup_when_impossible(void **state)
{
    struct setting *t = *state;

    for (int m = 0; m < N_MIXES; m++) {
        open_mix(t, "mixed.onnx", m);
        for (int c = 0; c < N_CHOICES; c++) {
            struct lr_select_opts o = options(c);
            struct lr_err e = {0};
            o.speedup = 1e5;
            assert_int_equal(lr_session_select(&t->s, &o, &e), LR_EINVAL);
            check_speedup(t, &o, 1e5, choices[c].rule);
            o.speedup = 1.002 * number_after(e.msg, "nearest speedup is ");
            assert_int_equal(lr_session_select(&t->s, &o, &e), LR_EINVAL);
        }
    }
}

static void select__meets_limits_of_macs_and_parameters(void **state)
{
    struct setting *t = *state;

    for (int m = 0; m < N_MIXES - 1; m++) {
        open_mix(t, "mixed.onnx", m);
        for (int c = 0; c < N_CHOICES; c++)
            for (int of = 0; of < 2; of++) {
                struct lr_select_opts o = options(c);
                struct lr_totals t0, t1;
                o.is_network = of == 1;
                lr_session_totals(&t0, &t->s);
                o.params = (of ? t0.net_params_original : t0.params_original) * 2 / 3;
                assert_ok(lr_session_select(&t->s, &o, fx_e));
                lr_session_totals(&t1, &t->s);
                assert_true((of ? t1.net_params : t1.params) <= o.params);
                o.params = 0;
                o.macs = (of ? t0.net_macs_original : t0.macs_original) / 2;
                assert_ok(lr_session_select(&t->s, &o, fx_e));
                lr_session_totals(&t1, &t->s);
                assert_true((of ? t1.net_macs : t1.macs) <= o.macs);
            }
    }
}

/* A budget of the row total leaves fully connected layers as they are; one of the row
 * network chooses those that are not kept. */
static void select__of_network_chooses_fully_connected_layers(void **state)
{
    enum { FC1 = 4, FC2 = 5 };
    struct setting *t = *state;

    for (int c = 0; c < N_CHOICES; c++) {
        struct lr_select_opts o = options(c);
        struct lr_totals before, after;
        open_mix(t, "mixed.onnx", 0);
        set_method(t, FC1, LR_METHOD_RELU);
        check_speedup(t, &o, 2, choices[c].rule);
        assert_int_equal(lr_session_state(&t->s, FC1), LR_STATE_WHOLE);
        assert_int_equal(t->s.plan[FC1].ranks.channel, 30);
        lr_session_totals(&before, &t->s);
        o = options(c);
        o.is_network = true;
        o.params = before.net_params_original / 4;
        assert_ok(lr_session_select(&t->s, &o, fx_e));
        lr_session_totals(&after, &t->s);
        assert_true(after.net_params <= o.params);
        assert_int_equal(lr_session_state(&t->s, FC1), LR_STATE_CHOSEN);
        assert_int_equal(lr_session_state(&t->s, FC2), LR_STATE_WHOLE);
        o.params = 0;
        check_speedup(t, &o, 2.5, choices[c].rule);
    }
}

static void select__leaves_kept_layers_whole(void **state)
{
    struct setting *t = *state;
    int keep[2] = {1, 3};

    for (int c = 0; c < N_CHOICES; c++) {
        struct lr_select_opts o = options(c);
        open_mix(t, "chain.onnx", 0);
        set_rank(t, 1, 5);
        set_method(t, 2, LR_METHOD_KEEP);
        set_method(t, 3, LR_METHOD_3D);
        set_pair(t, 3, 5, 5);
        o.keep = keep;
        o.n_keep = 2;
        check_speedup(t, &o, 1.02, choices[c].rule);
        for (int i = 1; i < 4; i++)
            assert_int_equal(lr_session_state(&t->s, i), LR_STATE_WHOLE);
        assert_int_equal(t->s.plan[1].ranks.channel, 20);
        assert_int_equal(t->s.plan[3].ranks.channel, 24);
        assert_int_equal(lr_session_state(&t->s, 0), LR_STATE_CHOSEN);
    }
}

/* ---- what is measured ---- */

/* Points, to be compared with those of a later call. */
static void hold_points(const struct lr_rank_point *held[MAX_LAYERS],
                        const struct setting *t)
{
    assert_non_null(t->s.curves);
    for (int i = 0; i < t->s.n_layers; i++)
        held[i] = t->s.curves[i].points;
}

static void check_reuse(struct setting *t, int choice)
{
    const struct lr_rank_point *first[MAX_LAYERS], *second[MAX_LAYERS];
    struct lr_select_opts o = options(choice);
    bool has_drops = strcmp(choices[choice].rule, "sensitivity") == 0;
    char path[600];

    open_mix(t, "chain.onnx", 3);
    check_speedup(t, &o, 2, choices[choice].rule);
    hold_points(first, t);
    for (int i = 0; i < 4; i++) {
        const struct lr_curve *curve = &t->s.curves[i];
        assert_true(curve->n > 1 && curve->has_errors != has_drops &&
                    curve->has_drops == has_drops);
        for (int k = 0; k < curve->n; k++) {
            double error = curve->points[k].error;
            assert_true(has_drops ? isnan(error) : error >= 0 && error < 2);
            assert_true(has_drops == !isnan(curve->points[k].drop));
        }
    }
    check_speedup(t, &o, 1.5, choices[choice].rule);
    assert_ok(lr_session_undo(&t->s, fx_e));
    check_speedup(t, &o, 3, choices[choice].rule);
    hold_points(second, t);
    assert_memory_equal(first, second, sizeof(first[0]) * (size_t)t->s.n_layers);
    /* Fully connected layers have theirs as soon as they are wanted; the others stay. */
    set_method(t, 4, LR_METHOD_PCA);
    o.is_network = true;
    check_speedup(t, &o, 2, choices[choice].rule);
    hold_points(second, t);
    assert_memory_equal(first, second, sizeof(first[0]) * 4);
    assert_non_null(second[4]);
    /* A layer's curve is that of its method. */
    set_method(t, 2, LR_METHOD_RELU);
    check_speedup(t, &o, 2, choices[choice].rule);
    assert_int_equal(t->s.curves[2].method, LR_METHOD_RELU);
    hold_points(second, t);
    assert_ptr_equal(first[0], second[0]);
    assert_ptr_equal(first[3], second[3]);
    /* Another seed draws other samples. */
    double error = t->s.curves[1].points[0].error;
    t->s.settings.seed++;
    check_speedup(t, &o, 2, choices[choice].rule);
    assert_true(has_drops || t->s.curves[1].points[0].error != error);
    assert_true(t->s.responses_seed == t->s.settings.seed);
    assert_ok(
        lr_session_data(&t->s, 0, fx_path(path, &t->folder, "eval.npy"), NULL, fx_e));
    assert_null(t->s.curves);
}

static void select__measures_errors_once(void **state)
{
    check_reuse(*state, 4);
}

static void select__measures_losses_once(void **state)
{
    check_reuse(*state, 5);
}

static int stop_after(void *ctx, double fraction, const char *what)
{
    int *left = ctx;

    (void)fraction;
    (void)what;
    return (*left)-- <= 0;
}

static void select__stopped_while_measuring_changes_nothing(void **state)
{
    struct setting *t = *state;

    for (int c = 3; c < N_CHOICES; c++) {
        open_mix(t, "chain.onnx", 3);
        const struct lr_layer_plan *plan = t->s.plan;
        struct lr_select_opts o = options(c);
        struct lr_err e = {0};
        int left = 0;
        struct lr_progress p = {.tick = stop_after, .ctx = &left};
        o.speedup = 2;
        o.progress = &p;
        enum lr_status rc = LR_EINTR;
        for (int k = 0; rc == LR_EINTR; k += 1 + k / 3) {
            left = k;
            rc = lr_session_select(&t->s, &o, &e);
            assert_true(rc == LR_OK || (rc == LR_EINTR && t->s.plan == plan));
        }
        assert_int_equal(rc, LR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(select__meets_its_budget_with_every_rule_in_a_chain),
        TEST(select__meets_its_budget_with_every_rule_and_groups),
        TEST(select__meets_its_budget_with_every_rule_and_additions),
        TEST(select__names_the_nearest_speedup_when_impossible),
        TEST(select__meets_limits_of_macs_and_parameters),
        TEST(select__of_network_chooses_fully_connected_layers),
        TEST(select__leaves_kept_layers_whole),
        TEST(select__measures_errors_once),
        TEST(select__measures_losses_once),
        TEST(select__stopped_while_measuring_changes_nothing),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("session select", tests, NULL, NULL);
}
