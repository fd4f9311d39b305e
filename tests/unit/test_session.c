/* Sessions: opening, evaluation, new data, sets of layers, and networks with layers of
 * unknown size. */
#include "setting_fixture.h"

#include "ranklab/la.h"

static void session__open_reads_layers_and_plans_them_whole(void **state)
{
    struct setting *t = *state;
    struct lr_totals total;

    assert_int_equal(t->s.n_layers, 5);
    assert_string_equal(t->s.model_name, "chain.onnx");
    assert_int_equal(t->s.in_c, FX_C);
    assert_int_equal(t->s.in_h, FX_SIZE);
    assert_states(&t->s, "wwwww");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(t->s.plan[i].method, i < 4 ? LR_METHOD_RELU : LR_METHOD_KEEP);
        assert_int_equal(t->s.plan[i].ranks.channel, t->s.layers[i].d);
        assert_int_equal(t->s.plan[i].ranks.spatial, 0);
    }
    lr_session_totals(&total, &t->s);
    int64_t macs = 144 * 16 * 18 + 144 * 20 * 144 + 36 * 24 * 180 + 36 * 24 * 216;
    assert_int_equal(total.macs_original, macs);
    assert_int_equal(total.macs, macs);
    assert_int_equal(total.net_macs, macs + 240);
    assert_true(total.speedup == 1);
}

static void session__open_that_fails_leaves_the_old_network(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};
    char path[600];

    struct lr_graph *g = t->s.graph;
    assert_int_equal(
        lr_session_open(&t->s, fx_path(path, &t->folder, "none.onnx"), NULL, NULL, &e),
        LR_EIO);
    assert_int_not_equal(
        lr_session_open(&t->s, fx_path(path, &t->folder, "calib.npy"), NULL, NULL, &e),
        LR_OK);
    assert_int_equal(lr_session_open(&t->s, "@nothing", NULL, NULL, &e), LR_EINVAL);
    assert_ptr_equal(t->s.graph, g);
    assert_non_null(t->s.calib);
    assert_int_equal(t->s.n_layers, 5);
}

static void session__embedded_network_without_images_does_not_open(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};
    struct lr_graph *g = t->s.graph;
    char from[600], to[600], *found = NULL;

    fx_path(from, &t->folder, "chain.onnx");
    fx_path(to, &t->folder, "fashion.onnx");
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(setenv("RANKLAB_DATA", t->folder.path, 1), 0);
    assert_ok(lr_data_find(&found, "fashion.onnx", fx_e));
    assert_string_equal(found, to);
    lr_free(found);
    assert_int_equal(lr_data_find(&found, "no-such-file", &e), LR_EIO);
    assert_non_null(strstr(e.msg, t->folder.path));
    assert_null(found);
    /* The images of the embedded set, wherever they are found, do not fit 2 x 12 x 12. */
    assert_int_not_equal(lr_session_open(&t->s, "@fashion", NULL, NULL, &e), LR_OK);
    assert_ptr_equal(t->s.graph, g);
    unsetenv("RANKLAB_DATA");
}

static void session__opens_every_embedded_network(void **state)
{
    struct setting *t = *state;

    for (int i = 0; i < lr_n_embedded; i++) {
        assert_ok(lr_session_open(&t->s, lr_embedded[i].name, NULL, NULL, fx_e));
        assert_string_equal(t->s.model_name, lr_embedded[i].name);
        assert_true(t->s.n_layers > 3);
        for (int k = 0; k < t->s.n_layers; k++)
            assert_true(t->s.layers[k].is_approximable);
        assert_int_equal(lr_dataset_classes(t->s.calib), 10);
        assert_int_equal(lr_dataset_classes(t->s.eval), 10);
        assert_true(lr_dataset_count(t->s.calib) >= 1000);
    }
    assert_null(lr_embedded_find("fashion"));
}

static void session__closed_refuses_every_command(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};
    struct lr_eval r;
    struct lr_graph *g;
    struct lr_ranks rank = {3, 0};
    int one = 0, *set, n;

    lr_session_close(&t->s);
    lr_session_close(&t->s);
    assert_int_equal(lr_session_set_ranks(&t->s, &one, &rank, 1, &e), LR_EINVAL);
    assert_int_equal(try_solve(t, NULL, -1, LR_MODE_ASYM, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_session_evaluate(&r, &t->s, 0, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_session_build(&g, &t->s, true, &e), LR_EINVAL);
    assert_int_equal(lr_session_spectra(&t->s, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_session_layer_set(&set, &n, &t->s, "all", &e), LR_EINVAL);
    assert_int_equal(lr_session_data(&t->s, 0, "x.npy", NULL, &e), LR_EINVAL);
    assert_int_equal(lr_session_undo(&t->s, &e), LR_EINVAL);
}

static void session__evaluate_of_a_whole_network_is_the_original(void **state)
{
    struct setting *t = *state;
    struct lr_eval r;

    assert_ok(lr_session_evaluate(&r, &t->s, 0, NULL, fx_e));
    assert_int_equal(r.images, N_EVAL);
    assert_true(r.agreement == 1 && r.output_error == 0);
    assert_true(isnan(r.top1));
    assert_true(t->s.has_eval);
}

static void session__evaluate_wants_a_solved_plan_and_images(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};
    struct lr_eval r;
    char path[600];

    set_rank(t, 2, 6);
    assert_int_equal(lr_session_evaluate(&r, &t->s, 0, NULL, &e), LR_EINVAL);
    assert_string_equal(e.msg, "conv3: rank 6 is chosen but not solved: use solve");
    assert_false(t->s.has_eval);
    solve_all(t, LR_MODE_ASYM);
    assert_ok(lr_session_evaluate(&r, &t->s, 0, NULL, fx_e));
    assert_true(r.output_error > 0 && r.output_error < 1);
    const struct lr_outcome *kept = t->s.original;
    assert_ok(lr_session_evaluate(&r, &t->s, 1000, NULL, fx_e));
    assert_ptr_equal(t->s.original, kept);
    assert_ok(lr_session_evaluate(&r, &t->s, 10, NULL, fx_e));
    assert_int_equal(r.images, 10);
    assert_true(t->s.has_eval);
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_false(t->s.has_eval);
    assert_ok(lr_session_redo(&t->s, fx_e));
    assert_true(t->s.has_eval); /* what was measured comes back with the plan */
    assert_memory_equal(&t->s.last_eval, &r, sizeof(r));
    assert_ok(lr_session_evaluate(&r, &t->s, 0, NULL, fx_e));
    assert_true(t->s.has_eval);
    set_rank(t, 2, 5);
    assert_false(t->s.has_eval);
    assert_ok(lr_session_open(&t->s, fx_path(path, &t->folder, "chain.onnx"), NULL, NULL,
                              fx_e));
    assert_int_equal(lr_session_evaluate(&r, &t->s, 0, NULL, &e), LR_EINVAL);
    assert_string_equal(e.msg, "no evaluation images: use data eval");
}

static void session__new_images_drop_what_came_from_the_old(void **state)
{
    struct setting *t = *state;
    struct lr_eval r;
    struct lr_err e = {0};
    char path[600];

    set_rank(t, 1, 5);
    solve_all(t, LR_MODE_ASYM);
    assert_ok(lr_session_evaluate(&r, &t->s, 0, NULL, fx_e));
    struct lr_factors *f = t->s.plan[1].factors;
    const struct lr_dataset *calib = t->s.calib;
    assert_int_not_equal(lr_session_data(&t->s, 0, "/nowhere.npy", NULL, &e), LR_OK);
    assert_ptr_equal(t->s.calib, calib);
    assert_non_null(t->s.spectra);
    assert_ok(
        lr_session_data(&t->s, 0, fx_path(path, &t->folder, "eval.npy"), NULL, fx_e));
    assert_null(t->s.spectra);
    assert_null(t->s.responses);
    assert_ptr_equal(t->s.plan[1].factors, f);
    assert_true(t->s.has_eval);
    assert_ok(
        lr_session_data(&t->s, 1, fx_path(path, &t->folder, "calib.npy"), NULL, fx_e));
    assert_false(t->s.has_eval);
    assert_null(t->s.original);
}

static void session__another_seed_draws_other_samples(void **state)
{
    struct setting *t = *state;

    assert_ok(lr_session_spectra(&t->s, NULL, fx_e));
    double a = t->s.spectra[1].eig[0];
    const struct lr_spectrum *before = t->s.spectra;
    assert_ok(lr_session_spectra(&t->s, NULL, fx_e));
    assert_ptr_equal(t->s.spectra, before);
    t->s.settings.seed = 9;
    assert_ok(lr_session_spectra(&t->s, NULL, fx_e));
    assert_true(t->s.spectra[1].eig[0] != a);
}

static void assert_set(const struct lr_session *s, const char *text, const char *expected)
{
    char got[32] = "";
    int *list = NULL, n = 0;

    assert_ok(lr_session_layer_set(&list, &n, s, text, fx_e));
    for (int i = 0; i < n; i++)
        got[i] = (char)('1' + list[i]);
    lr_free(list);
    if (strcmp(got, expected) != 0)
        fail_msg("'%s' gave '%s', not '%s'", text, got, expected);
}

static void session__layer_sets_are_read_in_every_form(void **state)
{
    struct setting *t = *state;

    assert_set(&t->s, "conv2", "2");
    assert_set(&t->s, "3", "3");
    assert_set(&t->s, "2..4", "234");
    assert_set(&t->s, "conv2..conv3", "23");
    assert_set(&t->s, "conv4..2", "234");
    assert_set(&t->s, "conv*", "1234");
    assert_set(&t->s, "*3", "3");
    assert_set(&t->s, "c?nv?", "1234");
    assert_set(&t->s, "all", "12345");
    assert_set(&t->s, "fc", "5");
    assert_set(&t->s, "4,conv1,1,conv1..2", "124");
    assert_set(&t->s, "@stale", "");
    set_rank(t, 1, 5);
    set_rank(t, 3, 5);
    assert_set(&t->s, "@stale", "24");
    solve_all(t, LR_MODE_ASYM);
    set_rank(t, 1, 6);
    assert_set(&t->s, "@stale", "24");
    assert_set(&t->s, "@solved,1", "1");
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_set(&t->s, "@solved", "24");
}

static void session__layer_sets_prefer_names(void **state)
{
    struct setting *t = *state;

    for (int i = 0; i < 4; i++)
        lr_free(t->s.layers[i].name);
    t->s.layers[0].name = lr_strdup("2");
    t->s.layers[1].name = lr_strdup("a..b,c");
    t->s.layers[2].name = lr_strdup("a..b");
    t->s.layers[3].name = lr_strdup("all");
    assert_set(&t->s, "2", "1");
    assert_set(&t->s, "a..b,c", "2");
    assert_set(&t->s, "a..b", "3");
    assert_set(&t->s, "all", "12345"); /* reserved, whatever a model calls its layers */
    assert_set(&t->s, "al?", "4");
    t->s.layers[3].name[0] = '@';
    assert_set(&t->s, "@solved", "");
    assert_set(&t->s, "2..a..b", "123");
    assert_set(&t->s, "a..b..4", "34");
    assert_set(&t->s, "a..b,2", "13");
}

static void session__layer_sets_that_match_nothing_say_so(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"convx3", "no layer convx3: did you mean conv3?"},
        {"6", "no layer 6: the layers are 1..5"},
        {"0", "no layer 0: the layers are 1..5"},
        {"99999999999999999999", "no layer 99999999999999999999: the layers are 1..5"},
        {"lin*", "no layer lin*: the layers are 1..5, conv1 to fc"},
        {"conv2..convx4", "no layer convx4: did you mean conv4?"},
        {"conv2,,3", "an empty name in the layer set 'conv2,,3'"},
        {"", "an empty name in the layer set ''"},
        {"@old", "no layer set @old: @stale or @solved"},
    };
    struct setting *t = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_err e = {0};
        int *list = NULL, n = 7;
        assert_int_equal(lr_session_layer_set(&list, &n, &t->s, cases[i].text, &e),
                         LR_EINVAL);
        assert_string_equal(e.msg, cases[i].message);
        assert_null(list);
        assert_int_equal(n, 0);
    }
}

/* x widened to five dimensions and a 3-D convolution of it. */
static struct lr_graph *net_3d(void)
{
    struct lr_graph *g = fx_graph(FX_SIZE, FX_SIZE);
    struct lr_rng r;

    lr_rng_seed(&r, 1);
    int axes = fx_value(g, "axes");
    assert_ok(lr_tensor_new(&g->values[axes].tensor, LR_DT_I64,
                            &(struct lr_shape){1, {1}}, fx_e));
    ((int64_t *)g->values[axes].tensor->data)[0] = 2;
    g->values[axes].dtype = LR_DT_I64;
    g->values[axes].has_shape = true;
    g->values[axes].shape = (struct lr_shape){1, {1}};
    int v = fx_node(g, LR_OP_UNSQUEEZE, "Unsqueeze", "wide", 2, (int[]){0, axes});
    int w = fx_weight(g, "w", (struct lr_shape){5, {8, FX_C, 1, 3, 3}}, 1, &r);
    v = fx_node(g, LR_OP_CONV, "Conv", "conv", 2, (int[]){v, w});
    g->outputs[0] = v;
    g->values[v].is_output = true;
    return g;
}

/* A convolution whose filters an unknown operator makes. */
static struct lr_graph *net_made_filters(void)
{
    struct lr_graph *g = fx_graph(FX_SIZE, FX_SIZE);
    int w = fx_node(g, LR_OP_UNKNOWN, "Hyper", "made", 1, (int[]){0});
    int v = fx_node(g, LR_OP_CONV, "Conv", "conv", 2, (int[]){0, w});

    g->outputs[0] = v;
    g->values[v].is_output = true;
    return g;
}

static void session__shows_layers_of_unknown_size(void **state)
{
    struct setting *t = *state;
    char path[600], buf[200];
    int layer = 0;

    for (int i = 0; i < 2; i++) {
        struct lr_layer_row row;
        struct lr_totals total;
        struct lr_err e = {0};
        fx_write_graph(&t->folder, "odd.onnx", i ? net_made_filters() : net_3d());
        assert_ok(lr_session_open(&t->s, fx_path(path, &t->folder, "odd.onnx"), NULL,
                                  NULL, fx_e));
        assert_int_equal(t->s.n_layers, 1);
        assert_int_equal(t->s.layers[0].group, 1);
        struct lr_rank_layer l = lr_session_rank_layer(&t->s, 0);
        struct lr_ranks none = {0}, r;
        assert_true(l.is_kept && lr_rank_patch(&l) == 0 && l.d == 0 && l.positions == 0);
        lr_break_even(&l, none);
        assert_int_equal(lr_macs_at(&l, none), 0);
        assert_false(lr_ranks_for_speedup(&r, &l, 2, 1));
        lr_session_row(&row, &t->s, 0);
        assert_int_equal(row.state, LR_STATE_WHOLE);
        assert_true(i ? row.macs == 0 : row.macs > 0);
        assert_true(isnan(row.energy));
        lr_session_totals(&total, &t->s);
        assert_true(total.macs == row.macs);
        assert_non_null(lr_session_reason(&t->s, 0, buf, sizeof(buf)));
        assert_int_equal(
            lr_session_set_ranks(&t->s, &layer, &(struct lr_ranks){1, 0}, 1, &e),
            LR_EINVAL);
        assert_int_equal(
            lr_session_select(&t->s,
                              &(struct lr_select_opts){
                                  .speedup = 2, .rule = lr_rank_rule_find("uniform")},
                              &e),
            LR_EINVAL);
    }
}

/* 2^31 weights per filter and more: the counts end at the largest integer. */
static void session__totals_saturate(void **state)
{
    struct setting *t = *state;
    struct lr_totals total;

    for (int i = 0; i < t->s.n_layers; i++)
        t->s.layers[i].macs = t->s.layers[i].params = INT64_MAX / 2;
    lr_session_totals(&total, &t->s);
    assert_true(total.macs == INT64_MAX && total.params_original == INT64_MAX);
}

static void session__starts_with_the_threads_it_is_given(void **state)
{
    struct lr_session s;
    int before = lr_la_threads();
    (void)state;

    lr_la_set_threads(3);
    lr_session_init(&s);
    lr_la_set_threads(before);
    assert_int_equal(s.settings.threads, 3);
    lr_session_free(&s);
}

static void session__warns_when_a_normalisation_stays(void **state)
{
    static const char *const names[] = {"scale", "shift", "mean", "var"};
    struct setting *t = *state;
    struct lr_graph *g = fx_graph(FX_SIZE, FX_SIZE);
    struct lr_rng r;
    char path[600];
    int in[5];

    lr_rng_seed(&r, 1);
    in[0] = fx_relu(g, "relu", fx_conv(g, "conv", 0, FX_C, 8, 3, 1, &r));
    for (int i = 0; i < 4; i++)
        in[i + 1] = fx_weight(g, names[i], (struct lr_shape){1, {8}}, 0, &r);
    int v = fx_node(g, LR_OP_BATCH_NORMALIZATION, "BatchNormalization", "bn", 5, in);
    fx_write_graph(&t->folder, "bn.onnx", fx_finish(g, v, 8, &r));
    t->note[0] = '\0';
    assert_ok(
        lr_session_open(&t->s, fx_path(path, &t->folder, "bn.onnx"), NULL, NULL, fx_e));
    assert_string_equal(
        t->note,
        "bn.onnx: BatchNormalization bn could not be folded and stays as it is: relu "
        "before it is a Relu, no convolution");
}

/* 1 x 20 x 12 x 3, whose second dimension is too large for an image's channels; read as
 * it is (first) or with the last one put there, after a subtraction if is_less. */
static void open_wide(struct setting *t, bool is_first, bool is_less)
{
    struct lr_graph *g = fx_graph(12, 3);
    struct lr_rng r;
    char path[600];
    int x = 0, c = is_first ? 20 : 3;

    lr_rng_seed(&r, 1);
    g->values[0].shape.dims[1] = 20;
    if (is_less) {
        int one = fx_weight(g, "one", (struct lr_shape){1, {1}}, 1, &r);
        x = fx_node(g, LR_OP_SUB, "Sub", "less", 2, (int[]){x, one});
    }
    if (!is_first) {
        x = fx_node(g, LR_OP_TRANSPOSE, "Transpose", "turn", 1, &x);
        fx_ints(g, "perm", 4, (int64_t[]){0, 3, 1, 2});
    }
    int v = fx_conv(g, "conv", x, c, 8, 3, 1, &r);
    fx_write_graph(&t->folder, "wide.onnx", fx_finish(g, v, 8, &r));
    assert_ok(
        lr_session_open(&t->s, fx_path(path, &t->folder, "wide.onnx"), NULL, NULL, fx_e));
    assert_int_equal(t->s.is_channels_last, !is_first);
    assert_int_equal(t->s.in_c, c);
    assert_int_equal(t->s.in_h, is_first ? 12 : 20);
    assert_int_equal(t->s.in_w, is_first ? 3 : 12);
}

static void session__channels_come_where_the_convolution_takes_them(void **state)
{
    for (int k = 0; k < 4; k++)
        open_wide(*state, k & 1, k & 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(session__open_reads_layers_and_plans_them_whole),
        TEST(session__open_that_fails_leaves_the_old_network),
        TEST(session__embedded_network_without_images_does_not_open),
        TEST(session__opens_every_embedded_network),
        TEST(session__closed_refuses_every_command),
        TEST(session__evaluate_of_a_whole_network_is_the_original),
        TEST(session__evaluate_wants_a_solved_plan_and_images),
        TEST(session__new_images_drop_what_came_from_the_old),
        TEST(session__another_seed_draws_other_samples),
        TEST(session__layer_sets_are_read_in_every_form),
        TEST(session__layer_sets_prefer_names),
        TEST(session__layer_sets_that_match_nothing_say_so),
        TEST(session__shows_layers_of_unknown_size),
        TEST(session__totals_saturate),
        TEST(session__starts_with_the_threads_it_is_given),
        TEST(session__warns_when_a_normalisation_stays),
        TEST(session__channels_come_where_the_convolution_takes_them),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
