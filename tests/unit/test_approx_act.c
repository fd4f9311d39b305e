/* Piecewise linear activations: their z step against brute force, the descent of the
 * nonlinear solver behind each, and errors after them. */
#include "approx_fixture.h"

static const struct lr_activation ACTS[] = {
    {0, INFINITY, 0},    {0, 6, 0},           {-1, 1, 0},          {0.5f, 3, 0},
    {0, INFINITY, 0.1f}, {0, INFINITY, 0.9f}, {-INFINITY, 2.5, 0}, {-0.5f, 2, 0.3f}};
enum { N_ACTS = sizeof(ACTS) / sizeof(ACTS[0]) };

static double cost(double t, double z, double u, double lambda,
                   const struct lr_activation *a)
{
    double e = activate(t, a) - activate(z, a);

    return e * e + lambda * (z - u) * (z - u);
}

static void check_z(const struct lr_activation *a, float t, float u, float lambda)
{
    double z = (double)lr_z_step_act(t, u, lambda, a), best = INFINITY;
    double mine = cost((double)t, z, (double)u, (double)lambda, a);

    assert_true(isfinite(z));
    for (int i = -60000; i <= 60000; i++)
        best = fmin(best, cost((double)t, i * 2e-4, (double)u, (double)lambda, a));
    assert_true(mine <= best + 2e-6 * (1 + best));
    assert_true(best <= mine + 1e-6 + 1e-4 * mine);
}

static void z_step_act__equals_brute_force(void **state)
{
    (void)state;
    struct lr_rng r;
    const float lambdas[] = {0.001f, 0.01f, 0.3f, 1, 20};
    lr_rng_seed(&r, 1);
    for (int k = 0; k < N_ACTS * 60; k++) {
        const struct lr_activation *a = &ACTS[k % N_ACTS];
        float t = (float)(3 * lr_rng_normal(&r)), u = (float)(3 * lr_rng_normal(&r));
        if (k % 11 == 0)
            t = isfinite(a->lo) ? a->lo : a->hi;
        if (k % 13 == 0)
            u = isfinite(a->hi) ? a->hi : a->lo;
        check_z(a, t, u, lambdas[k % 5]);
    }
}

static void z_step_act__without_activation_is_the_weighted_mean(void **state)
{
    (void)state;
    struct lr_rng r;
    lr_rng_seed(&r, 2);
    for (int k = 0; k < 200; k++) {
        float t = (float)(5 * lr_rng_normal(&r)), u = (float)(5 * lr_rng_normal(&r));
        float lambda = k % 2 ? 0.01f : 1.0f;
        double want = ((double)t + (double)lambda * (double)u) / (1 + (double)lambda);
        assert_true(fabs((double)lr_z_step_act(t, u, lambda, &lr_act_none) - want) <
                    1e-5 * (1 + fabs(want)));
    }
}

static void z_step_act__of_the_relu_is_that_of_the_relu(void **state)
{
    (void)state;
    struct lr_rng r;
    struct lr_activation wide = {0, 1e30f, 0}; /* the ReLU, on the general way */
    lr_rng_seed(&r, 3);
    for (int k = 0; k < 500; k++) {
        float t = (float)lr_rng_normal(&r), u = (float)lr_rng_normal(&r);
        float z = lr_z_step(t, u, 0.3f);
        assert_true(lr_z_step_act(t, u, 0.3f, &lr_act_relu) == z);
        assert_true(fabsf(lr_z_step_act(t, u, 0.3f, &wide) - z) < 1e-6f);
    }
}

static void z_step_act__lets_a_nan_through(void **state)
{
    (void)state;
    for (int k = 0; k < N_ACTS; k++) {
        assert_true(isnan(lr_z_step_act(NAN, 1, 0.1f, &ACTS[k])));
        assert_true(isnan(lr_z_step_act(1, NAN, 0.1f, &ACTS[k])));
    }
}

/* ---- the solver behind each ---- */

struct record {
    int n;
    double lambda[64], relaxed[64], fit[64], valid[64];
};

static void record(void *ctx, int iteration, double lambda, double relaxed, double fit,
                   double valid)
{
    struct record *r = ctx;

    assert_int_equal(iteration, r->n);
    assert_true(r->n < 64);
    r->lambda[r->n] = lambda;
    r->relaxed[r->n] = relaxed;
    r->fit[r->n] = fit;
    r->valid[r->n++] = valid;
}

static void act__relaxed_objective_never_rises(void **state)
{
    (void)state;
    for (int k = 0; k < 2 * N_ACTS; k++) {
        bool has_shortcut = k >= N_ACTS;
        struct fixture f = fixture_make(18, 18, 2600, 0.2, has_shortcut, 3);
        struct record r = {0};
        struct lr_solve_opts o;
        struct lr_lowrank m;
        double fit, valid;
        f.s.act = ACTS[k % N_ACTS];
        fixture_split(&f, 300, 300);
        lr_solve_opts_default(&o);
        o.trace = record;
        o.trace_ctx = &r;
        assert_int_equal(lr_solve_relu(&m, &f.s, 6, NULL, &o, NULL), LR_OK);
        assert_int_equal(r.n, m.n_iterations + 1);
        for (int i = 1; i < r.n; i++) {
            if (r.lambda[i] == r.lambda[i - 1])
                assert_true(r.relaxed[i] <= r.relaxed[i - 1] * (1 + 1e-6));
            assert_true(r.valid[m.best_iteration] <= r.valid[i]);
        }
        assert_true(r.fit[r.n - 1] < r.fit[0]);
        /* What was traced is the error after the activation, by plain loops. */
        lr_response_error(&fit, NULL, &f.s, &m, 0, f.s.n_fit, NULL);
        lr_response_error(&valid, NULL, &f.s, &m, f.s.n_fit, 300, NULL);
        double *matrix = product_of(&m), *yr = predict(&f.s, matrix, m.b), all = 0;
        for (size_t i = 0; i < f.s.n_fit * 18; i++)
            all += pow(activate((double)f.target[i], &f.s.act), 2);
        assert_true(fabs(loss_of(&f.s, yr, 0, f.s.n_fit) / all - fit) < 1e-9 * fit);
        assert_true(fabs(fit - r.fit[m.best_iteration]) < 1e-4 * fit);
        assert_true(fabs(valid - r.valid[m.best_iteration]) < 1e-6);
        free(matrix), free(yr);
        lr_lowrank_free(&m);
        fixture_free(&f);
    }
}

static void act__nonlinear_beats_linear_on_held_rows(void **state)
{
    (void)state;
    const int which[] = {0, 2, 3, 7}; /* much is cut off */
    for (int k = 0; k < 4; k++) {
        struct fixture f = fixture_make(24, 24, 6000, 0.15, k == 2, 40 + (uint64_t)k);
        struct lr_lowrank linear, own;
        double a, b;
        f.s.act = ACTS[which[k]];
        fixture_split(&f, 500, 1500);
        assert_int_equal(lr_solve_linear(&linear, &f.s, 6, NULL, NULL), LR_OK);
        assert_int_equal(lr_solve_relu(&own, &f.s, 6, NULL, NULL, NULL), LR_OK);
        lr_response_error(&a, NULL, &f.s, &linear, f.s.n_fit + 500, 1500, NULL);
        lr_response_error(&b, NULL, &f.s, &own, f.s.n_fit + 500, 1500, NULL);
        assert_true(b < 0.98 * a);
        lr_lowrank_free(&linear);
        lr_lowrank_free(&own);
        fixture_free(&f);
    }
}

static void act__full_rank_reproduces_the_responses(void **state)
{
    (void)state;
    for (int k = 0; k < N_ACTS; k++) {
        struct fixture f = fixture_make(20, k % 2 ? 9 : 20, 700, 0, k % 3 == 0, 62);
        struct lr_lowrank m;
        double after;
        f.s.act = ACTS[k];
        fixture_split(&f, 100, 100);
        assert_int_equal(lr_solve_relu(&m, &f.s, 20, NULL, NULL, NULL), LR_OK);
        lr_response_error(&after, NULL, &f.s, &m, 0, 700, NULL);
        assert_true(sqrt(after) < 1e-6);
        lr_lowrank_free(&m);
        fixture_free(&f);
    }
}

static void act__survives_degenerate_data(void **state)
{
    (void)state;
    for (int k = 0; k < 4 * N_ACTS; k++) {
        int kind = k / N_ACTS;
        struct fixture f = fixture_make(16, 16, kind == 0 ? 7 : 300, 0.1, kind == 3, 65);
        struct lr_lowrank m;
        double after;
        size_t n = f.s.n_fit;
        f.s.act = ACTS[k % N_ACTS];
        for (size_t i = 0; i < n * 16; i++) {
            if (kind == 1 && i % 16 < 5) /* dead channels */
                f.yhat[i] = f.target[i] = -0.3f;
            if (kind == 2) /* nothing varies */
                f.yhat[i] = f.target[i] = 0.1f * (float)(i % 16) - 0.7f;
            if (kind == 3) /* everything above the upper bounds */
                f.target[i] = 7 + fabsf(f.target[i]);
        }
        for (int rank = 1; rank <= 16; rank += 5) {
            assert_int_equal(lr_solve_relu(&m, &f.s, rank, NULL, NULL, NULL), LR_OK);
            assert_int_equal(lr_response_error(&after, NULL, &f.s, &m, 0, n, NULL),
                             LR_OK);
            assert_true(isfinite(after));
            for (int i = 0; i < 16 * rank; i++)
                assert_true(isfinite(m.p[i]) && isfinite(m.q[i]));
            for (int i = 0; i < 16; i++)
                assert_true(isfinite(m.b[i]));
            lr_lowrank_free(&m);
        }
        fixture_free(&f);
    }
}

static void act__refuses_what_is_no_activation(void **state)
{
    (void)state;
    const struct lr_activation bad[] = {{0, 0, 0},   {2, 1, 0},     {NAN, 1, 0},
                                        {0, NAN, 0}, {0, 6, -0.1f}, {0, 6, 1},
                                        {0, 6, NAN}};
    struct fixture f = fixture_make(6, 6, 50, 0, false, 66);
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        struct lr_err e = {0};
        struct lr_lowrank m;
        double after;
        f.s.act = bad[k];
        assert_int_equal(lr_solve_relu(&m, &f.s, 2, NULL, NULL, &e), LR_EUNSUP);
        assert_null(m.p);
        assert_int_equal(lr_solve_linear(&m, &f.s, 2, NULL, &e), LR_EUNSUP);
        assert_int_equal(lr_response_error(&after, NULL, &f.s, NULL, 0, 1, &e),
                         LR_EUNSUP);
    }
    fixture_free(&f);
}

static void act__kinds_are_told_apart(void **state)
{
    (void)state;
    assert_false(lr_act_is_nonlinear(&lr_act_none));
    assert_false(lr_act_is_relu(&lr_act_none));
    assert_true(lr_act_is_relu(&lr_act_relu));
    for (int k = 0; k < N_ACTS; k++) {
        assert_true(lr_act_is_nonlinear(&ACTS[k]));
        assert_int_equal(lr_act_is_relu(&ACTS[k]), k == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(z_step_act__equals_brute_force),
        cmocka_unit_test(z_step_act__without_activation_is_the_weighted_mean),
        cmocka_unit_test(z_step_act__of_the_relu_is_that_of_the_relu),
        cmocka_unit_test(z_step_act__lets_a_nan_through),
        cmocka_unit_test(act__relaxed_objective_never_rises),
        cmocka_unit_test(act__nonlinear_beats_linear_on_held_rows),
        cmocka_unit_test(act__full_rank_reproduces_the_responses),
        cmocka_unit_test(act__survives_degenerate_data),
        cmocka_unit_test(act__refuses_what_is_no_activation),
        cmocka_unit_test(act__kinds_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
