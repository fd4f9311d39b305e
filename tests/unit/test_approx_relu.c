/* The nonlinear solution: its z step, its descent, a plain reference, and degenerate
 * data. */
#include "relu_fixture.h"

static void z_step__equals_brute_force(void **state)
{
    (void)state;
    struct lr_rng r;
    const double lambdas[] = {0.001, 0.01, 0.3, 1, 20};
    lr_rng_seed(&r, 1);
    for (int k = 0; k < 400; k++) {
        double lambda = lambdas[k % 5];
        float t = (float)(3 * lr_rng_normal(&r)), u = (float)(3 * lr_rng_normal(&r));
        if (k % 11 == 0)
            t = 0;
        if (k % 13 == 0)
            u = 0;
        double z = (double)lr_z_step(t, u, (float)lambda), best = INFINITY;
        for (int i = -60000; i <= 60000; i++)
            best = fmin(best, objective((double)t, i * 2e-4, (double)u, lambda));
        double mine = objective((double)t, z, (double)u, lambda);
        assert_true(mine <= best + 1e-6);
        assert_true(best <= mine + 1e-6 + 1e-4 * mine);
    }
}

static void z_step__keeps_an_exact_response(void **state)
{
    (void)state;
    assert_true(lr_z_step(2, 2, 0.01f) == 2);
    assert_true(lr_z_step(-1, -3, 0.01f) == -3); /* anything negative will do */
    assert_true(lr_z_step(-1, 2, 1) == 1);       /* half way to zero */
}

/* relaxed never rises within a stage, and the whole run helps. */
static void check_descent(struct fixture *f, int rank)
{
    struct record r;
    struct lr_solve_opts o = options(&r, 25, 25);
    struct lr_lowrank m;

    assert_int_equal(lr_solve_relu(&m, &f->s, rank, NULL, &o, NULL), LR_OK);
    assert_int_equal(r.n, 51);
    assert_int_equal(m.n_iterations, 50);
    for (int k = 1; k < r.n; k++) {
        assert_true(r.lambda[k] == (k < 25 ? 0.01 : 1));
        if (r.lambda[k] == r.lambda[k - 1])
            assert_true(r.relaxed[k] <= r.relaxed[k - 1] * (1 + 1e-6));
    }
    assert_true(r.relaxed[24] < r.relaxed[0] && r.fit[50] < r.fit[0]);
    for (int k = 0; k < r.n && f->s.n_valid > 0; k++)
        assert_true(r.valid[m.best_iteration] <= r.valid[k]);
    lr_lowrank_free(&m);
}

static void relu__relaxed_objective_never_rises(void **state)
{
    (void)state;
    struct fixture f = fixture_make(18, 18, 2600, 0, false, 1);
    f.s.act = lr_act_relu;
    f.s.target = f.s.yhat;
    check_descent(&f, 5);
    fixture_free(&f);
    f = fixture_make(18, 18, 2600, 0.2, false, 2);
    f.s.act = lr_act_relu;
    fixture_split(&f, 300, 300);
    check_descent(&f, 4);
    fixture_free(&f);
    f = fixture_make(18, 18, 2600, 0.2, true, 3);
    f.s.act = lr_act_relu;
    fixture_split(&f, 300, 300);
    check_descent(&f, 7);
    fixture_free(&f);
}

static void relu__beats_linear_on_rows_it_has_not_seen(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct fixture f =
            fixture_make(24, 24, 6000, seed % 2 ? 0.15 : 0, seed > 1, 30 + seed);
        struct lr_lowrank linear, relu;
        double a, b;
        f.s.act = lr_act_relu;
        fixture_split(&f, 500, 1500);
        assert_int_equal(lr_solve_linear(&linear, &f.s, 6, NULL, NULL), LR_OK);
        assert_int_equal(lr_solve_relu(&relu, &f.s, 6, NULL, NULL, NULL), LR_OK);
        lr_response_error(&a, NULL, &f.s, &linear, f.s.n_fit, 500, NULL);
        lr_response_error(&b, NULL, &f.s, &relu, f.s.n_fit, 500, NULL);
        assert_true(b <= a);
        lr_response_error(&a, NULL, &f.s, &linear, f.s.n_fit + 500, 1500, NULL);
        lr_response_error(&b, NULL, &f.s, &relu, f.s.n_fit + 500, 1500, NULL);
        assert_true(b < 0.97 * a);
        lr_lowrank_free(&linear);
        lr_lowrank_free(&relu);
        fixture_free(&f);
    }
}

/* The validation rows follow another distribution, so every iterate is worse there. */
static void relu__is_never_above_its_start_on_validation_rows(void **state)
{
    (void)state;
    struct fixture f = fixture_make(12, 12, 900, 0.1, false, 40);
    struct lr_lowrank linear, relu;
    double a, b;
    f.s.act = lr_act_relu;
    fixture_split(&f, 300, 0);
    assert_int_equal(lr_solve_linear(&linear, &f.s, 3, NULL, NULL), LR_OK);
    double *matrix = product_of(&linear), *yr = predict(&f.s, matrix, linear.b);
    for (size_t i = 600 * 12; i < 900 * 12; i++)
        f.target[i] = (float)yr[i];
    assert_int_equal(lr_solve_relu(&relu, &f.s, 3, NULL, NULL, NULL), LR_OK);
    assert_int_equal(relu.best_iteration, 0);
    lr_response_error(&a, NULL, &f.s, &linear, 600, 300, NULL);
    lr_response_error(&b, NULL, &f.s, &relu, 600, 300, NULL);
    assert_true(b <= a);
    free(matrix);
    free(yr);
    lr_lowrank_free(&linear);
    lr_lowrank_free(&relu);
    fixture_free(&f);
}

static void relu__full_rank_reproduces_the_responses(void **state)
{
    (void)state;
    const int data_ranks[] = {20, 9};
    for (int k = 0; k < 2; k++) {
        struct fixture f = fixture_make(20, data_ranks[k], 700, 0, k == 1, 62);
        struct lr_lowrank m;
        double after;
        f.s.act = lr_act_relu;
        fixture_split(&f, 100, 100);
        assert_int_equal(lr_solve_relu(&m, &f.s, 20, NULL, NULL, NULL), LR_OK);
        lr_response_error(&after, NULL, &f.s, &m, 0, 700, NULL);
        assert_true(sqrt(after) < 1e-6);
        lr_lowrank_free(&m);
        fixture_free(&f);
    }
}

/* An exact solution is found at the start: a stage needs two iterates to see that nothing
 * is gained. */
static void relu__ends_a_stage_that_no_longer_helps(void **state)
{
    (void)state;
    struct fixture f = fixture_make(20, 20, 700, 0, false, 66);
    struct record r;
    struct lr_solve_opts o = options(&r, 25, 25);
    struct lr_lowrank m;
    f.s.act = lr_act_relu;
    assert_int_equal(lr_solve_relu(&m, &f.s, 20, NULL, &o, NULL), LR_OK);
    assert_int_equal(r.n, m.n_iterations + 1);
    assert_true(r.n <= 8 && r.lambda[0] < 1 && r.lambda[r.n - 1] == 1);
    lr_lowrank_free(&m);
    fixture_free(&f);
    /* Behind noise both stages gain to their end. */
    f = fixture_make(20, 20, 700, 0.2, false, 67);
    o = options(&r, 25, 25);
    f.s.act = lr_act_relu;
    assert_int_equal(lr_solve_relu(&m, &f.s, 4, NULL, &o, NULL), LR_OK);
    assert_int_equal(m.n_iterations, 50);
    lr_lowrank_free(&m);
    fixture_free(&f);
}

static void relu__does_not_depend_on_threads(void **state)
{
    (void)state;
    struct fixture f = fixture_make(48, 48, 5000, 0.1, false, 63);
    struct lr_lowrank m[3];
    int before = lr_la_threads();
    f.s.act = lr_act_relu;
    fixture_split(&f, 600, 0);
    for (int k = 0; k < 3; k++) {
        lr_la_set_threads(k == 0 ? 1 : 2);
        assert_int_equal(lr_solve_relu(&m[k], &f.s, 6, NULL, NULL, NULL), LR_OK);
    }
    lr_la_set_threads(before);
    for (int k = 1; k < 3; k++) {
        double *a = product_of(&m[0]), *b = product_of(&m[k]);
        assert_int_equal(m[0].best_iteration, m[k].best_iteration);
        assert_true(largest_difference(a, b, 48 * 48) < 1e-9);
        assert_true(largest_difference(m[0].b, m[k].b, 48) < 1e-9);
        free(a);
        free(b);
    }
    assert_true(largest_difference(m[1].p, m[2].p, 48 * 6) == 0);
    for (int k = 0; k < 3; k++)
        lr_lowrank_free(&m[k]);
    fixture_free(&f);
}

static void relu__without_a_relu_is_linear(void **state)
{
    (void)state;
    struct fixture f = fixture_make(10, 10, 300, 0.1, false, 64);
    struct lr_lowrank a, b;
    assert_int_equal(lr_solve_linear(&a, &f.s, 4, NULL, NULL), LR_OK);
    assert_int_equal(lr_solve_relu(&b, &f.s, 4, NULL, NULL, NULL), LR_OK);
    assert_true(largest_difference(a.p, b.p, 40) == 0 && b.n_iterations == 0);
    lr_lowrank_free(&a);
    lr_lowrank_free(&b);
    fixture_free(&f);
}

static void relu__survives_degenerate_data(void **state)
{
    (void)state;
    for (int k = 0; k < 6; k++) {
        struct fixture f =
            fixture_make(16, k == 3 ? 4 : 16, k == 0 ? 7 : 300, 0.1, k == 5, 65);
        struct lr_lowrank m;
        double linear, relu;
        size_t n = f.s.n_fit;
        f.s.act = lr_act_relu;
        for (size_t i = 0; i < n * 16; i++) {
            if (k == 1 && i % 16 < 5) /* dead channels */
                f.yhat[i] = f.target[i] = -0.3f;
            if (k == 2) /* nothing varies */
                f.yhat[i] = f.target[i] = 0.1f * (float)(i % 16) - 0.7f;
            if (k == 4) /* nothing passes the ReLU */
                f.target[i] = -1 - fabsf(f.target[i]);
        }
        for (int rank = 1; rank <= 16; rank += 5) {
            struct lr_lowrank l;
            assert_int_equal(lr_solve_linear(&l, &f.s, rank, NULL, NULL), LR_OK);
            assert_int_equal(lr_solve_relu(&m, &f.s, rank, NULL, NULL, NULL), LR_OK);
            lr_response_error(&linear, NULL, &f.s, &l, 0, n, NULL);
            lr_response_error(&relu, NULL, &f.s, &m, 0, n, NULL);
            assert_true(relu <= linear * (1 + 1e-5) + 1e-9);
            for (int i = 0; i < 16 * rank; i++)
                assert_true(isfinite(m.p[i]) && isfinite(m.q[i]));
            lr_lowrank_free(&m);
            lr_lowrank_free(&l);
        }
        fixture_free(&f);
    }
}

struct stopper {
    int n_calls, stop_at;
    double last;
};

static int stop(void *ctx, double fraction, const char *what)
{
    struct stopper *s = ctx;

    assert_non_null(what);
    assert_true(fraction >= s->last && fraction <= 1);
    s->last = fraction;
    return ++s->n_calls == s->stop_at;
}

static void relu__stops_on_request_at_any_point(void **state)
{
    (void)state;
    struct fixture f = fixture_make(10, 10, 2500, 0.1, true, 66);
    struct stopper s = {0};
    struct lr_progress progress = {.tick = stop, .ctx = &s};
    struct lr_solve_opts o = options(NULL, 5, 5);
    struct lr_lowrank m;
    o.progress = &progress;
    f.s.act = lr_act_relu;
    assert_int_equal(lr_solve_relu(&m, &f.s, 3, NULL, &o, NULL), LR_OK);
    lr_lowrank_free(&m);
    int n_calls = s.n_calls;
    assert_true(n_calls >= 11);
    for (int k = 1; k <= n_calls; k++) {
        struct lr_err e = {0};
        s = (struct stopper){.stop_at = k};
        assert_int_equal(lr_solve_relu(&m, &f.s, 3, NULL, &o, &e), LR_EINTR);
        assert_null(m.p);
        assert_int_equal(s.n_calls, k);
    }
    fixture_free(&f);
}

static void relu__refuses_bad_arguments(void **state)
{
    (void)state;
    struct fixture f = fixture_make(8, 8, 100, 0.1, false, 67);
    struct lr_solve_opts o = options(NULL, 5, 5);
    struct lr_lowrank m;
    struct lr_err e = {0};
    f.s.act = lr_act_relu;
    assert_int_equal(lr_solve_relu(&m, &f.s, 9, NULL, &o, &e), LR_EINVAL);
    o.lambda2 = 0;
    assert_int_equal(lr_solve_relu(&m, &f.s, 3, NULL, &o, &e), LR_EINVAL);
    o.lambda2 = 1;
    fixture_split(&f, 20, 0);
    f.target[90 * 8 + 1] = NAN; /* a validation row */
    assert_int_equal(lr_solve_relu(&m, &f.s, 3, NULL, &o, &e), LR_ENUMERIC);
    f.target[10 * 8 + 1] = NAN;
    assert_int_equal(lr_solve_relu(&m, &f.s, 3, NULL, &o, &e), LR_ENUMERIC);
    assert_null(m.p);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(z_step__equals_brute_force),
        cmocka_unit_test(z_step__keeps_an_exact_response),
        cmocka_unit_test(relu__relaxed_objective_never_rises),
        cmocka_unit_test(relu__beats_linear_on_rows_it_has_not_seen),
        cmocka_unit_test(relu__is_never_above_its_start_on_validation_rows),
        cmocka_unit_test(relu__full_rank_reproduces_the_responses),
        cmocka_unit_test(relu__ends_a_stage_that_no_longer_helps),
        cmocka_unit_test(relu__does_not_depend_on_threads),
        cmocka_unit_test(relu__without_a_relu_is_linear),
        cmocka_unit_test(relu__survives_degenerate_data),
        cmocka_unit_test(relu__stops_on_request_at_any_point),
        cmocka_unit_test(relu__refuses_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
