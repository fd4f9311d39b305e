/* Methods in a session: what a change of method keeps, what a layer that cannot have it
 * gets instead, groups, and fully connected layers. */
#include "setting_fixture.h"

#include "ranklab/la.h"

enum { CONV1, CONV2, P3, CONV4, FC1, FC2 }; /* of the network with all kinds of layers */

static double speedup(const struct setting *t, int layer)
{
    struct lr_layer_row row;

    lr_session_row(&row, &t->s, layer);
    return row.speedup;
}

/* Whether no rank of the layer can be raised without falling below speedup x. */
static void assert_largest(const struct setting *t, int layer, double x)
{
    struct lr_rank_layer l = lr_session_rank_layer(&t->s, layer);
    struct lr_ranks r = t->s.plan[layer].ranks;
    int step = lr_rank_step(&l, 1);

    if (l.split != LR_SPLIT_CHANNEL)
        r.spatial += step;
    else
        r.channel += step;
    if (lr_ranks_is_whole(&l, r))
        return;
    assert_true((double)lr_macs_whole(&l) / (double)lr_macs_split(&l, r) < x);
}

static void methods__keep_the_speedup_of_a_layer(void **state)
{
    static const enum lr_method others[] = {LR_METHOD_SPATIAL, LR_METHOD_SPATIAL_REFIT,
                                            LR_METHOD_3D, LR_METHOD_PCA, LR_METHOD_SVD};
    struct setting *t = *state;

    for (int m = 0; m < 5; m++)
        for (int rank = 2; rank < 10; rank += 3) {
            open_model(t, "mixed.onnx");
            for (int i = CONV2; i <= CONV4; i += 2) {
                set_rank(t, i, 2 * (rank / 2));
                double x = speedup(t, i);
                set_method(t, i, others[m]);
                assert_int_equal(t->s.plan[i].method, others[m]);
                assert_true(speedup(t, i) >= x && speedup(t, i) < 3 * x);
                assert_largest(t, i, x);
                double now = speedup(t, i);
                set_method(t, i, LR_METHOD_RELU);
                bool is_lowest = t->s.plan[i].ranks.channel == t->s.layers[i].group;
                assert_true(speedup(t, i) >= now || (is_lowest && speedup(t, i) > 1));
                assert_largest(t, i, now);
            }
        }
}

static void methods__of_the_same_split_keep_the_ranks(void **state)
{
    struct setting *t = *state;
    const int layer = 3;

    t->s.settings.round = 4; /* not for ranks that are kept */
    set_rank(t, layer, 7);
    set_method(t, layer, LR_METHOD_SVD);
    assert_int_equal(t->s.plan[layer].ranks.channel, 7);
    set_method(t, layer, LR_METHOD_SPATIAL);
    set_pair(t, layer, 24, 5);
    set_method(t, layer, LR_METHOD_SPATIAL_REFIT);
    assert_int_equal(t->s.plan[layer].ranks.spatial, 5);
    assert_int_equal(t->s.plan[layer].ranks.channel, 24);
    set_method(t, layer, LR_METHOD_3D);
    set_pair(t, layer, 6, 8);
    double x = speedup(t, layer);
    set_method(t, layer, LR_METHOD_KEEP);
    assert_states(&t->s, "wwwww");
    set_method(t, layer, LR_METHOD_3D);
    assert_true(speedup(t, layer) >= x &&
                lr_session_state(&t->s, layer) == LR_STATE_CHOSEN);
    set_rank(t, layer, 24);
    set_pair(t, layer, 24, 72); /* whole */
    set_method(t, layer, LR_METHOD_SPATIAL);
    assert_states(&t->s, "wwwww");
    set_method(t, layer, LR_METHOD_RELU);
    assert_states(&t->s, "wwwww");
}

static void methods__come_back_with_their_factors_by_undo(void **state)
{
    struct setting *t = *state;
    struct lr_factors *relu[MAX_LAYERS], *both[MAX_LAYERS];
    int layers[] = {1, 2, 3};

    for (int i = 1; i < 4; i++)
        set_rank(t, i, 6);
    solve_all(t, LR_MODE_ASYM);
    hold_factors(relu, t);
    assert_ok(lr_session_set_method(&t->s, layers, 3, LR_METHOD_3D, fx_e));
    assert_states(&t->s, "wcccw");
    for (int i = 1; i < 4; i++)
        assert_null(t->s.plan[i].factors);
    solve_all(t, LR_MODE_ASYM);
    hold_factors(both, t);
    assert_ok(lr_session_set_method(&t->s, layers, 1, LR_METHOD_SPATIAL, fx_e));
    assert_states(&t->s, "wcSSw");
    for (int k = 0; k < 3; k++) {
        assert_ok(lr_session_undo(&t->s, fx_e));
        assert_states(&t->s, k == 1 ? "wcccw" : "wsssw");
        for (int i = 1; i < 4; i++) {
            assert_int_equal(t->s.plan[i].method, k < 2 ? LR_METHOD_3D : LR_METHOD_RELU);
            assert_ptr_equal(t->s.plan[i].factors, k == 0   ? both[i]
                                                   : k == 1 ? NULL
                                                            : relu[i]);
        }
    }
    for (int k = 0; k < 2; k++)
        assert_ok(lr_session_redo(&t->s, fx_e));
    assert_states(&t->s, "wsssw");
    for (int i = 1; i < 4; i++)
        assert_ptr_equal(t->s.plan[i].factors, both[i]);
    forget_factors(relu);
    forget_factors(both);
}

static void collect(void *ctx, enum lr_note_level level, const char *text)
{
    (void)level;
    lr_strbuf_printf(ctx, "%s\n", text);
}

/* Method m for all layers: the notes, and the methods they have then. */
static void check_fallback(struct setting *t, enum lr_method m, const char *notes,
                           const enum lr_method *expected)
{
    int all[] = {CONV1, CONV2, P3, CONV4, FC1, FC2};
    struct lr_strbuf said = {0};

    open_model(t, "mixed.onnx");
    t->s.notes = (struct lr_notes){collect, &said};
    assert_ok(lr_session_set_method(&t->s, all, 6, m, fx_e));
    t->s.notes = (struct lr_notes){keep_note, t};
    assert_string_equal(said.s ? said.s : "", notes);
    lr_strbuf_free(&said);
    for (int i = 0; i < 6; i++)
        assert_int_equal(t->s.plan[i].method, expected[i]);
}

static void methods__that_a_layer_cannot_have_are_replaced_with_a_note(void **state)
{
    struct setting *t = *state;
    const enum lr_method keep = LR_METHOD_KEEP, relu = LR_METHOD_RELU,
                         pca = LR_METHOD_PCA, spatial = LR_METHOD_SPATIAL,
                         refit = LR_METHOD_SPATIAL_REFIT, both = LR_METHOD_3D;

    check_fallback(t, LR_METHOD_RELU, "fc2: pca, because no ReLU follows\n",
                   (enum lr_method[]){relu, relu, relu, relu, relu, pca});
    check_fallback(
        t, spatial,
        "p3: svd, because a 1x1 kernel has no spatial part\n"
        "fc1, fc2: keep, because a fully connected layer has no spatial part\n",
        (enum lr_method[]){spatial, spatial, LR_METHOD_SVD, spatial, keep, keep});
    check_fallback(
        t, refit,
        "p3: relu, because a 1x1 kernel has no spatial part\n"
        "fc1, fc2: keep, because a fully connected layer has no spatial part\n",
        (enum lr_method[]){refit, refit, relu, refit, keep, keep});
    check_fallback(
        t, both,
        "p3: relu, because a 1x1 kernel has no spatial part\n"
        "fc1, fc2: keep, because a fully connected layer has no spatial part\n",
        (enum lr_method[]){both, both, relu, both, keep, keep});
    check_fallback(t, LR_METHOD_SVD, "",
                   (enum lr_method[]){LR_METHOD_SVD, LR_METHOD_SVD, LR_METHOD_SVD,
                                      LR_METHOD_SVD, LR_METHOD_SVD, LR_METHOD_SVD});
}

static void refuses(struct setting *t, int layer, int channel, int spatial,
                    const char *message)
{
    struct lr_ranks r = {channel, spatial};
    const struct lr_layer_plan *plan = t->s.plan;
    struct lr_err e = {0};

    assert_int_equal(lr_session_set_ranks(&t->s, &layer, &r, 1, &e), LR_EINVAL);
    assert_string_equal(e.msg, message);
    assert_ptr_equal(t->s.plan, plan);
}

static void ranks__outside_what_a_method_has_are_refused(void **state)
{
    struct setting *t = *state;

    open_model(t, "mixed.onnx");
    refuses(t, CONV4, 4, 3, "conv4: method relu has no spatial rank");
    refuses(t, CONV4, 25, 0, "conv4: rank 25 exceeds its 24 filters");
    refuses(t, CONV2, 5, 0, "conv2: rank 5 is no multiple of its 2 groups");
    set_method(t, CONV2, LR_METHOD_3D); /* (8 x 3) x (3 x 8), two groups: 48 */
    refuses(t, CONV2, 4, 3, "conv2: spatial rank 3 is no multiple of its 2 groups");
    refuses(t, CONV2, 3, 4, "conv2: rank 3 is no multiple of its 2 groups");
    refuses(t, CONV2, 4, 50, "conv2: spatial rank 50 exceeds the largest, 48");
    refuses(t, CONV2, 4, 0, "conv2: spatial rank 0 is below 1");
    set_method(t, CONV4, LR_METHOD_SPATIAL);
    refuses(t, CONV4, 24, 73, "conv4: spatial rank 73 exceeds the largest, 72");
    refuses(t, CONV4, 24, -1, "conv4: spatial rank -1 is below 1");
}

/* ---- groups ---- */

static void groups__energies_are_those_of_the_blocks(void **state)
{
    struct setting *t = *state;
    struct lr_layer_row row;
    double sum = 0, kept = 0, variance = 0;

    open_model(t, "mixed.onnx");
    assert_ok(lr_session_spectra(&t->s, NULL, fx_e));
    const struct lr_spectrum *x = &t->s.spectra[CONV2];
    for (int i = 0; i < x->d; i += 2)
        assert_true(x->eig[i] == x->eig[i + 1]);
    for (int i = 0; i < x->d; i++) {
        sum += x->eig[i];
        kept += i < 6 ? x->eig[i] : 0;
    }
    /* All eigenvalues together are the variance of the responses. */
    const struct lr_rows *y = NULL;
    for (int i = 0; i < t->s.n_responses; i++)
        if (t->s.responses[i].value == t->s.layers[CONV2].value)
            y = &t->s.responses[i];
    assert_non_null(y);
    for (int c = 0; c < y->d; c++) {
        double mean = 0, square = 0;
        for (size_t r = 0; r < x->n_samples; r++) {
            double v = (double)y->x[r * (size_t)y->d + (size_t)c];
            mean += v / (double)x->n_samples;
            square += v * v / (double)x->n_samples;
        }
        variance += square - mean * mean;
    }
    assert_true(fabs(sum - variance) < 1e-5 * variance);
    set_rank(t, CONV2, 6);
    lr_session_row(&row, &t->s, CONV2);
    assert_true(fabs(row.energy - kept / sum) < 1e-12);
    assert_int_equal(row.macs, 144 * (6 * 72 + 6 * 16 / 2));
}

static void groups__are_those_of_the_parts(void **state)
{
    static const enum lr_method methods[] = {LR_METHOD_RELU, LR_METHOD_SPATIAL,
                                             LR_METHOD_SPATIAL_REFIT, LR_METHOD_3D};
    struct setting *t = *state;

    for (int m = 0; m < 4; m++) {
        open_model(t, "mixed.onnx");
        set_method(t, CONV2, methods[m]);
        if (methods[m] == LR_METHOD_RELU)
            set_rank(t, CONV2, 4);
        else
            set_pair(t, CONV2, methods[m] == LR_METHOD_3D ? 4 : 16, 6);
        solve_all(t, LR_MODE_ASYM);
        const struct lr_factors *f = t->s.plan[CONV2].factors;
        for (int i = 0; i < f->n_parts; i++)
            assert_int_equal(f->parts[i].group, 2);
        assert_true(f->error_heldout > 0 && f->error_heldout < 1);
    }
}

/* ---- fully connected layers ---- */

static void full__connections_are_solved_and_counted_apart(void **state)
{
    static const enum lr_method methods[] = {LR_METHOD_PCA, LR_METHOD_RELU,
                                             LR_METHOD_SVD};
    struct setting *t = *state;

    for (int m = 0; m < 3; m++) {
        struct lr_totals before, after;
        struct lr_graph *g = NULL;
        struct lr_eval r;
        open_model(t, "mixed.onnx");
        lr_session_totals(&before, &t->s);
        set_method(t, FC1, methods[m]);
        set_rank(t, FC1, 5);
        assert_states(&t->s, "wwwwcw");
        solve_all(t, LR_MODE_ASYM);
        assert_states(&t->s, "wwwwsw");
        lr_session_totals(&after, &t->s);
        assert_int_equal(after.macs, before.macs);
        assert_int_equal(after.params, before.params);
        assert_int_equal(before.net_macs - after.net_macs, 24 * 30 - 5 * (24 + 30));
        assert_ok(lr_session_build(&g, &t->s, false, fx_e));
        assert_int_equal(lr_graph_cost(g).macs, after.net_macs);
        lr_graph_free(g);
        assert_true(t->s.plan[FC1].factors->error_heldout > 0 &&
                    t->s.plan[FC1].factors->error_heldout < 1);
        assert_ok(lr_session_evaluate(&r, &t->s, 0, NULL, fx_e));
        assert_true(r.output_error > 0 && r.output_error < 1);
    }
}

/* Spectra of fully connected layers are made when a method asks for them, and what was
 * measured of the convolutions stays. */
static void full__connections_are_sampled_when_wanted(void **state)
{
    struct setting *t = *state;
    struct lr_layer_row row;

    open_model(t, "mixed.onnx");
    assert_ok(lr_session_spectra(&t->s, NULL, fx_e));
    assert_null(t->s.spectra[FC1].eig);
    lr_session_row(&row, &t->s, FC1);
    assert_true(isnan(row.energy));
    double first = t->s.spectra[CONV2].eig[0];
    set_method(t, FC1, LR_METHOD_RELU);
    set_method(t, FC2, LR_METHOD_PCA);
    assert_ok(lr_session_spectra(&t->s, NULL, fx_e));
    assert_non_null(t->s.spectra[FC1].eig);
    assert_non_null(t->s.spectra[FC2].eig);
    assert_true(t->s.spectra[CONV2].eig[0] == first);
    set_rank(t, FC1, 5);
    lr_session_row(&row, &t->s, FC1);
    assert_true(row.energy > 0 && row.energy < 1);
}

/* A product without a bias becomes two with one, and these are counted. */
static void full__connections_without_bias_are_counted_as_split(void **state)
{
    struct setting *t = *state;
    struct lr_graph *g = fx_graph(FX_SIZE, FX_SIZE);
    struct lr_totals after;
    struct lr_rng r;

    lr_rng_seed(&r, 8);
    int v = fx_relu(g, "relu1", fx_conv(g, "conv1", 0, FX_C, 24, 3, 1, &r));
    v = fx_node(g, LR_OP_GLOBAL_AVERAGE_POOL, "GlobalAveragePool", "pool", 1, &v);
    v = fx_node(g, LR_OP_FLATTEN, "Flatten", "flat", 1, &v);
    int w = fx_weight(g, "fc_w", (struct lr_shape){2, {24, 30}}, 0.5, &r);
    v = fx_node(g, LR_OP_MAT_MUL, "MatMul", "fc", 2, (int[]){v, w});
    g->outputs[0] = v;
    g->values[v].is_output = true;
    assert_ok(lr_graph_infer(g, NULL, fx_e));
    fx_write_graph(&t->folder, "product.onnx", g);
    open_model(t, "product.onnx");
    set_method(t, 1, LR_METHOD_PCA);
    set_rank(t, 1, 5);
    solve_all(t, LR_MODE_ASYM);
    lr_session_totals(&after, &t->s);
    assert_ok(lr_session_build(&g, &t->s, false, fx_e));
    assert_int_equal(lr_graph_cost(g).macs, after.net_macs);
    assert_int_equal(lr_graph_cost(g).params, after.net_params);
    assert_int_equal(lr_graph_cost(g).bytes, after.net_bytes);
    lr_graph_free(g);
}

/* ---- choices by measurements ---- */

static struct lr_select_opts rule_opts(const char *rule)
{
    return (struct lr_select_opts){.rule = lr_rank_rule_find(rule), .round = 1};
}

/* What a rule chooses is the same whatever was measured for another before. */
static void select__does_not_depend_on_earlier_measurements(void **state)
{
    struct setting *t = *state;
    struct lr_select_opts by_error = rule_opts("knapsack");
    struct lr_select_opts by_drop = rule_opts("sensitivity");
    struct lr_ranks first[16];

    by_error.objective = LR_OBJECTIVE_ERROR;
    by_error.speedup = by_drop.speedup = 2.5;
    for (int i = 0; i < n_convs(t); i++)
        set_method(t, i, LR_METHOD_3D);
    assert_ok(lr_session_select(&t->s, &by_error, fx_e));
    for (int i = 0; i < t->s.n_layers; i++)
        first[i] = t->s.plan[i].ranks;
    assert_ok(lr_session_select(&t->s, &by_drop, fx_e));
    int n = t->s.curves[1].n;
    assert_ok(lr_session_select(&t->s, &by_error, fx_e));
    assert_int_equal(t->s.curves[1].n, n); /* nothing was measured again */
    for (int i = 0; i < t->s.n_layers; i++) {
        assert_int_equal(t->s.plan[i].ranks.channel, first[i].channel);
        assert_int_equal(t->s.plan[i].ranks.spatial, first[i].spatial);
    }
    /* and the other way round */
    open_model(t, "chain.onnx");
    for (int i = 0; i < n_convs(t); i++)
        set_method(t, i, LR_METHOD_3D);
    assert_ok(lr_session_select(&t->s, &by_drop, fx_e));
    assert_ok(lr_session_select(&t->s, &by_error, fx_e));
    for (int i = 0; i < t->s.n_layers; i++) {
        assert_int_equal(t->s.plan[i].ranks.channel, first[i].channel);
        assert_int_equal(t->s.plan[i].ranks.spatial, first[i].spatial);
    }
}

/* A rounding above the filters leaves no rank to name. */
static void select__names_no_rank_that_the_layer_does_not_have(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};
    struct lr_ranks r;

    assert_int_equal(lr_session_ranks_for_speedup(&r, &t->s, 1, 2, 64, NULL, &e),
                     LR_EINVAL);
    assert_string_equal(e.msg,
                        "conv2 cannot be 2x as fast: no split at multiples of 64 pays");
    set_method(t, 1, LR_METHOD_KEEP);
    assert_int_equal(lr_session_ranks_for_speedup(&r, &t->s, 1, 30, 1, NULL, &e),
                     LR_EINVAL);
    assert_string_equal(e.msg, "conv2 cannot be 30x as fast: rank 1 gives 17.6x");
}

/* Errors of images that are not there are not known, rather than zero. */
static void select__by_errors_needs_images_held_out(void **state)
{
    struct setting *t = *state;
    struct lr_select_opts o = rule_opts("knapsack");
    struct lr_data_opts one = {.count = 1};
    struct lr_err e = {0};
    char path[600];

    o.objective = LR_OBJECTIVE_ERROR;
    o.speedup = 2;
    assert_ok(
        lr_session_data(&t->s, 0, fx_path(path, &t->folder, "calib.npy"), &one, fx_e));
    assert_int_equal(lr_session_select(&t->s, &o, &e), LR_EINVAL);
    assert_non_null(strstr(e.msg, "none is held out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(methods__keep_the_speedup_of_a_layer),
        TEST(methods__of_the_same_split_keep_the_ranks),
        TEST(methods__come_back_with_their_factors_by_undo),
        TEST(methods__that_a_layer_cannot_have_are_replaced_with_a_note),
        TEST(ranks__outside_what_a_method_has_are_refused),
        TEST(groups__energies_are_those_of_the_blocks),
        TEST(groups__are_those_of_the_parts),
        TEST(full__connections_are_solved_and_counted_apart),
        TEST(full__connections_are_sampled_when_wanted),
        TEST(full__connections_without_bias_are_counted_as_split),
        TEST(select__does_not_depend_on_earlier_measurements),
        TEST(select__names_no_rank_that_the_layer_does_not_have),
        TEST(select__by_errors_needs_images_held_out),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("session methods", tests, NULL, NULL);
}
