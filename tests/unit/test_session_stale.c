/* What has to be solved again after a change, found out by solving everything again: a
 * layer must be stale exactly when that gives it other factors. And the order of solving:
 * whatever is solved first, the same factors come out in the end, bit for bit. */
#include "setting_fixture.h"

#include "ranklab/la.h"

/* The methods of a network's layers, by place, over and over. */
struct mix {
    const char *name;
    int n;
    enum lr_method methods[4];
};
static const struct mix mixes[] = {
    {"relu", 1, {LR_METHOD_RELU}},
    {"3d", 1, {LR_METHOD_3D}},
    {"spatial-refit", 1, {LR_METHOD_SPATIAL_REFIT}},
    {"spatial", 1, {LR_METHOD_SPATIAL}},
    {"all",
     4,
     {LR_METHOD_3D, LR_METHOD_SPATIAL, LR_METHOD_RELU, LR_METHOD_SPATIAL_REFIT}},
    {"svd", 3, {LR_METHOD_SVD, LR_METHOD_PCA, LR_METHOD_3D}},
};
enum { N_MIXES = sizeof(mixes) / sizeof(mixes[0]) };

/* Ranks of the layer's method that pay. */
static void set_low(struct setting *t, int layer, int more)
{
    struct lr_rank_layer l = lr_session_rank_layer(&t->s, layer);
    int step = lr_rank_step(&l, 1), low = 3 * step + more * step;

    switch (l.split) {
    case LR_SPLIT_SPATIAL:
        set_pair(t, layer, l.d, low);
        break;
    case LR_SPLIT_BOTH:
        set_pair(t, layer, 2 * step + more * step, low);
        break;
    default:
        set_rank(t, layer, low);
    }
    assert_true(lr_session_state(&t->s, layer) != LR_STATE_WHOLE);
}

/* All layers but the first, which is too narrow, of the methods and low ranks. */
static void open_mix(struct setting *t, const char *file, const struct mix *m)
{
    open_model(t, file);
    /* Short schedules: what is solved from other samples differs all the same. */
    t->s.settings.n_iter1 = t->s.settings.n_iter2 = 2;
    for (int i = 1; i < t->s.n_layers; i++) {
        bool is_fc = t->s.layers[i].kind == LR_LAYER_FC;
        set_method(t, i, is_fc ? LR_METHOD_RELU : m->methods[i % m->n]);
        set_low(t, i, 0);
    }
}

static void solve_again(struct setting *t, enum lr_mode mode)
{
    int all[MAX_LAYERS];

    for (int i = 0; i < t->s.n_layers; i++)
        all[i] = i;
    assert_ok(try_solve(t, all, t->s.n_layers, mode, NULL, fx_e));
}

/* The rank of layer changes and only it is solved; what is stale then? */
static void check_change(struct setting *t, int layer, enum lr_mode mode,
                         const char *what)
{
    struct lr_factors *before[MAX_LAYERS], *after[MAX_LAYERS];
    enum lr_state states[MAX_LAYERS], solved[MAX_LAYERS];

    hold_factors(before, t);
    set_low(t, layer, 1);
    for (int i = 0; i < t->s.n_layers; i++)
        states[i] = lr_session_state(&t->s, i);
    solve_layer(t, layer, mode);
    for (int i = 0; i < t->s.n_layers; i++)
        solved[i] = lr_session_state(&t->s, i);
    solve_again(t, mode);
    hold_factors(after, t);
    for (int i = 1; i < t->s.n_layers; i++) {
        bool is_other = !is_same_factors(before[i], after[i]);
        enum lr_state expected = i == layer ? LR_STATE_CHOSEN
                                 : is_other ? LR_STATE_STALE
                                            : LR_STATE_SOLVED;
        if (states[i] != expected ||
            solved[i] != (i == layer ? LR_STATE_SOLVED : expected))
            fail_msg("%s, %s: after a change of %s, %s is %s and then %s, not %s", what,
                     lr_mode_name(mode), t->s.layers[layer].name, t->s.layers[i].name,
                     lr_state_name(states[i]), lr_state_name(solved[i]),
                     lr_state_name(expected));
    }
    forget_factors(before);
    forget_factors(after);
    for (int i = 0; i < 3; i++) /* rank, layer, all */
        assert_ok(lr_session_undo(&t->s, fx_e));
}

static void check_changes(struct setting *t, const char *file)
{
    for (int m = 0; m < N_MIXES; m++)
        for (int mode = 0; mode < 3; mode++) {
            open_mix(t, file, &mixes[m]);
            solve_all(t, (enum lr_mode)mode);
            for (int i = 1; i < t->s.n_layers; i++)
                check_change(t, i, (enum lr_mode)mode, mixes[m].name);
        }
}

static void stale__is_what_another_rank_gives_other_factors_in_a_chain(void **state)
{
    check_changes(*state, "chain.onnx");
}

static void stale__is_what_another_rank_gives_other_factors_with_additions(void **state)
{
    check_changes(*state, "residual.onnx");
}

static void stale__is_what_another_rank_gives_other_factors_with_groups(void **state)
{
    check_changes(*state, "mixed.onnx");
}

static void stale__never_holds_for_closed_forms(void **state)
{
    struct setting *t = *state;

    open_mix(t, "residual.onnx", &mixes[3]); /* s2, of 1 x 1, is svd */
    solve_all(t, LR_MODE_ASYM);
    assert_states(&t->s, "wsssssss");
    set_low(t, 1, 1);
    assert_states(&t->s, "wcsssssS"); /* the last is fully connected, of method relu */
}

/* ---- the order of solving ---- */

/* Solves layers in the order given, then what that left to be solved again. */
static void check_order(struct setting *t, const int *order, int n, enum lr_mode mode,
                        struct lr_factors *const *at_once, const char *what)
{
    for (int k = 0; k < n; k++)
        solve_layer(t, order[k], mode);
    solve_all(t, mode);
    for (int i = 1; i < t->s.n_layers; i++) {
        assert_int_equal(lr_session_state(&t->s, i), LR_STATE_SOLVED);
        if (!is_same_factors(at_once[i], t->s.plan[i].factors))
            fail_msg("%s, %s: %s differs", what, lr_mode_name(mode), t->s.layers[i].name);
        assert_true(at_once[i]->error_heldout == t->s.plan[i].factors->error_heldout ||
                    !t->s.plan[i].factors->mode || mode == LR_MODE_SYM);
    }
}

static void check_orders(struct setting *t, const char *file, const struct mix *m,
                         enum lr_mode mode)
{
    struct lr_factors *at_once[MAX_LAYERS];
    int order[MAX_LAYERS], n;
    struct lr_rng r;

    lr_rng_seed(&r, 1);
    open_mix(t, file, m);
    n = t->s.n_layers - 1;
    solve_all(t, mode);
    hold_factors(at_once, t);
    for (int trial = 0; trial < 4; trial++) {
        for (int i = 0; i < n; i++) /* from front to back, from back to front */
            order[i] = trial == 1 ? n - i : i + 1;
        for (int i = n - 1; trial > 1 && i > 0; i--) { /* at random */
            int k = (int)(lr_rng_uniform(&r) * (i + 1));
            int swap = order[i];
            order[i] = order[k];
            order[k] = swap;
        }
        open_mix(t, file, m);
        check_order(t, order, n, mode, at_once, m->name);
    }
    open_mix(t, file, m); /* in two halves */
    for (int i = 0; i < n; i++)
        order[i] = i + 1;
    assert_ok(try_solve(t, order, n / 2, mode, NULL, fx_e));
    assert_ok(try_solve(t, order + n / 2, n - n / 2, mode, NULL, fx_e));
    check_order(t, order, 0, mode, at_once, m->name);
    forget_factors(at_once);
}

static void order__of_solving_does_not_matter_in_a_chain(void **state)
{
    for (int m = 0; m < N_MIXES; m++)
        check_orders(*state, "chain.onnx", &mixes[m], LR_MODE_ASYM);
    check_orders(*state, "chain.onnx", &mixes[4], LR_MODE_SYMHAT);
}

/* Every run starts from the images: from kept activations on, an addition may be computed
 * with another rounding. */
static void order__of_solving_does_not_matter_with_additions(void **state)
{
    ((struct setting *)*state)->s.settings.cache_memory = 0;
    for (int m = 0; m < N_MIXES; m++)
        check_orders(*state, "residual.onnx", &mixes[m], LR_MODE_ASYM);
    check_orders(*state, "residual.onnx", &mixes[4], LR_MODE_SYM);
}

/* The earlier convolution of an addition is fitted to the later one as it was in the
 * original, also when that is solved already. */
static void order__of_two_branches_is_that_of_the_network(void **state)
{
    struct setting *t = *state;
    struct lr_factors *at_once[MAX_LAYERS];
    const int b2 = 4;

    t->s.settings.cache_memory = 0;
    open_mix(t, "residual.onnx", &mixes[0]);
    solve_all(t, LR_MODE_ASYM);
    hold_factors(at_once, t);
    solve_layer(t, b2, LR_MODE_ASYM);
    assert_true(is_same_factors(at_once[b2], t->s.plan[b2].factors));
    assert_true(at_once[b2]->error_heldout == t->s.plan[b2].factors->error_heldout);
    forget_factors(at_once);
}

static void order__of_solving_does_not_matter_with_groups(void **state)
{
    check_orders(*state, "mixed.onnx", &mixes[0], LR_MODE_ASYM);
    check_orders(*state, "mixed.onnx", &mixes[4], LR_MODE_ASYM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(stale__is_what_another_rank_gives_other_factors_in_a_chain),
        TEST(stale__is_what_another_rank_gives_other_factors_with_additions),
        TEST(stale__is_what_another_rank_gives_other_factors_with_groups),
        TEST(stale__never_holds_for_closed_forms),
        TEST(order__of_solving_does_not_matter_in_a_chain),
        TEST(order__of_solving_does_not_matter_with_additions),
        TEST(order__of_two_branches_is_that_of_the_network),
        TEST(order__of_solving_does_not_matter_with_groups),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("session stale", tests, NULL, NULL);
}
