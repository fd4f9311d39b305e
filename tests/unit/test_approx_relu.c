/* The nonlinear solution: its z step, its descent, a plain reference, and degenerate
 * data. */
#include "approx_fixture.h"

enum { MAX_TRACE = 200 };
struct record {
    int n;
    double lambda[MAX_TRACE], relaxed[MAX_TRACE], fit[MAX_TRACE], valid[MAX_TRACE];
};

static void record(void *ctx, int iteration, double lambda, double relaxed, double fit,
                   double valid)
{
    struct record *r = ctx;

    assert_int_equal(iteration, r->n);
    assert_true(r->n < MAX_TRACE);
    r->lambda[r->n] = lambda;
    r->relaxed[r->n] = relaxed;
    r->fit[r->n] = fit;
    r->valid[r->n++] = valid;
}

static struct lr_solve_opts options(struct record *r, int n_iter1, int n_iter2)
{
    struct lr_solve_opts o;

    lr_solve_opts_default(&o);
    o.n_iter1 = n_iter1;
    o.n_iter2 = n_iter2;
    if (r) {
        *r = (struct record){0};
        o.trace = record;
        o.trace_ctx = r;
    }
    return o;
}

static double objective(double t, double z, double u, double lambda)
{
    double e = fmax(0, t) - fmax(0, z);

    return e * e + lambda * (z - u) * (z - u);
}

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

/* ---- the same alternation in double by plain loops ---- */

struct reference {
    size_t d, n, rank;
    double *y, *z, *m, *b, *ybar, *iroot; /* y centred [n x d], z [n x d], m [d x d] */
};

static void reference_fit(struct reference *r, const struct lr_samples *s)
{
    size_t d = r->d, n = r->n;
    double zbar[32] = {0}, *k = calloc(d * d, sizeof(double)),
           *white = calloc(d * d, sizeof(double));
    double *u = malloc(d * d * sizeof(double)), *vt = malloc(d * d * sizeof(double)),
           sv[32];

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            zbar[j] +=
                (r->z[i * d + j] - (s->shortcut ? (double)s->shortcut[i * d + j] : 0)) /
                (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t a = 0; a < d; a++)
            for (size_t c = 0; c < d; c++)
                k[a * d + c] +=
                    (r->z[i * d + a] -
                     (s->shortcut ? (double)s->shortcut[i * d + a] : 0) - zbar[a]) *
                    r->y[i * d + c];
    for (size_t a = 0; a < d; a++)
        for (size_t c = 0; c < d; c++)
            for (size_t l = 0; l < d; l++)
                white[a * d + c] += k[a * d + l] * r->iroot[l * d + c];
    assert_int_equal(lr_la_svd(d, d, white, u, sv, vt, NULL), LR_OK);
    memset(r->m, 0, d * d * sizeof(double));
    for (size_t q = 0; q < r->rank; q++)
        for (size_t c = 0; c < d; c++) {
            double v = 0;
            for (size_t l = 0; l < d; l++)
                v += vt[q * d + l] * r->iroot[l * d + c];
            for (size_t a = 0; a < d; a++)
                r->m[a * d + c] += u[a * d + q] * sv[q] * v;
        }
    for (size_t a = 0; a < d; a++) {
        r->b[a] = zbar[a];
        for (size_t c = 0; c < d; c++)
            r->b[a] -= r->m[a * d + c] * r->ybar[c];
    }
    free(k), free(white), free(u), free(vt);
}

/* One z step over all rows; the relaxed objective after it. */
static double reference_z(struct reference *r, const struct lr_samples *s, double lambda)
{
    double *u = predict(s, r->m, r->b), sum = 0;

    for (size_t i = 0; i < r->n * r->d; i++) {
        double t = (double)s->target[i], x = u[i];
        double z0 = fmin(0, x), z1 = fmax(0, (lambda * x + fmax(0, t)) / (lambda + 1));
        r->z[i] = objective(t, z0, x, lambda) < objective(t, z1, x, lambda) ? z0 : z1;
        sum += objective(t, r->z[i], x, lambda);
    }
    free(u);
    return sum;
}

static void check_reference(size_t d, size_t n, bool has_shortcut, uint64_t seed)
{
    struct fixture f = fixture_make((int)d, (int)d, n, 0.2, has_shortcut, seed);
    struct reference r = {.d = d, .n = n, .rank = 3};
    struct record rec;
    struct lr_solve_opts o = options(&rec, 6, 5);
    struct lr_lowrank m;
    double *g = calloc(d * d, sizeof(double)), all = 0;

    f.s.act = lr_act_relu;
    r.y = malloc(n * d * sizeof(double));
    r.z = malloc(n * d * sizeof(double));
    r.m = malloc(d * d * sizeof(double));
    r.b = malloc(d * sizeof(double));
    r.ybar = calloc(d, sizeof(double));
    r.iroot = malloc(d * d * sizeof(double));
    for (size_t i = 0; i < n * d; i++) {
        r.ybar[i % d] += (double)f.yhat[i] / (double)n;
        r.z[i] = (double)f.target[i];
        all += fmax(0, r.z[i]) * fmax(0, r.z[i]);
    }
    for (size_t i = 0; i < n * d; i++)
        r.y[i] = (double)f.yhat[i] - r.ybar[i % d];
    for (size_t i = 0; i < n; i++)
        for (size_t a = 0; a < d * d; a++)
            g[a] += r.y[i * d + a / d] * r.y[i * d + a % d];
    assert_int_equal(lr_la_psd_roots(d, g, 1e-12, NULL, r.iroot, NULL, NULL), LR_OK);

    assert_int_equal(lr_solve_relu(&m, &f.s, 3, NULL, &o, NULL), LR_OK);
    reference_fit(&r, &f.s); /* z = target: the linear start */
    for (int k = 0; k <= 11; k++) {
        double *u = predict(&f.s, r.m, r.b);
        double fit = loss_of(&f.s, u, 0, n) / all;
        double relaxed = reference_z(&r, &f.s, k < 6 ? 0.01 : 1) / all;
        assert_true(fabs(rec.fit[k] - fit) < 2e-5 * fit);
        assert_true(fabs(rec.relaxed[k] - relaxed) < 2e-5 * relaxed);
        assert_true(isnan(rec.valid[k]));
        if (k == m.best_iteration) {
            double *matrix = product_of(&m);
            assert_true(largest_difference(matrix, r.m, d * d) < 1e-4);
            assert_true(largest_difference(m.b, r.b, d) < 1e-4);
            free(matrix);
        }
        free(u);
        reference_fit(&r, &f.s);
    }
    assert_true(m.best_iteration > 0);
    free(g), free(r.y), free(r.z), free(r.m), free(r.b), free(r.ybar), free(r.iroot);
    lr_lowrank_free(&m);
    fixture_free(&f);
}

static void relu__equals_the_plain_alternation(void **state)
{
    (void)state;
    check_reference(10, 1500, false, 50);
}

static void relu__with_shortcut_equals_the_plain_alternation(void **state)
{
    (void)state;
    check_reference(10, 1500, true, 51);
}

/* Wide enough for the block of eigenvectors to be carried from one iteration to the next.
 */
static void relu__following_its_eigenvectors_equals_the_plain_alternation(void **state)
{
    (void)state;
    assert_true(lr_la_subspace_width(28, 3) > 0);
    check_reference(28, 1500, false, 53);
}

/* More blocks of rows than there are accumulators. */
static void relu__with_many_rows_equals_the_plain_alternation(void **state)
{
    (void)state;
    check_reference(4, 19000, false, 52);
}

/* Wide enough for several rounds of blocks in one pass. */
static void relu__sees_every_row_of_a_wide_layer(void **state)
{
    (void)state;
    struct fixture f = fixture_make(256, 12, 18000, 0.1, false, 53);
    struct record r;
    struct lr_solve_opts o = options(&r, 1, 0);
    struct lr_lowrank start, m;
    double first, last;
    f.s.act = lr_act_relu;
    assert_int_equal(lr_solve_linear(&start, &f.s, 120, NULL, NULL), LR_OK);
    assert_int_equal(lr_solve_relu(&m, &f.s, 120, NULL, &o, NULL), LR_OK);
    lr_response_error(&first, NULL, &f.s, &start, 0, 18000, NULL);
    lr_response_error(&last, NULL, &f.s, &m, 0, 18000, NULL);
    assert_int_equal(m.best_iteration, 1);
    assert_true(fabs(r.fit[0] - first) < 1e-4 * first);
    assert_true(fabs(r.fit[1] - last) < 1e-4 * last);
    lr_lowrank_free(&start);
    lr_lowrank_free(&m);
    fixture_free(&f);
}

/* ---- choice of the iterate, starts, threads ---- */

static void relu__traced_errors_are_those_of_the_result(void **state)
{
    (void)state;
    struct fixture f = fixture_make(16, 16, 2000, 0.1, true, 60);
    struct record r;
    struct lr_solve_opts o = options(&r, 8, 8);
    struct lr_lowrank m;
    double fit, valid;
    f.s.act = lr_act_relu;
    fixture_split(&f, 400, 0);
    assert_int_equal(lr_solve_relu(&m, &f.s, 4, NULL, &o, NULL), LR_OK);
    lr_response_error(&fit, NULL, &f.s, &m, 0, 1600, NULL);
    lr_response_error(&valid, NULL, &f.s, &m, 1600, 400, NULL);
    assert_true(fabs(fit - r.fit[m.best_iteration]) < 1e-5 * fit);
    assert_true(fabs(valid - r.valid[m.best_iteration]) < 1e-6);
    lr_lowrank_free(&m);
    fixture_free(&f);
}

static void relu__begins_at_the_start_given(void **state)
{
    (void)state;
    struct fixture f = fixture_make(12, 5, 800, 0, false, 61); /* rank of data below 8 */
    struct lr_lowrank start = {.d = 12, .rank = 8}, m;
    struct record r;
    struct lr_rng rng;
    struct lr_solve_opts o = options(&r, 0, 0);
    double p[96], q[96], b[12], fit;
    f.s.act = lr_act_relu;
    lr_rng_seed(&rng, 1);
    for (size_t i = 0; i < 96; i++) {
        p[i] = lr_rng_normal(&rng);
        q[i] = 0.2 * lr_rng_normal(&rng);
    }
    for (size_t i = 0; i < 12; i++)
        b[i] = lr_rng_normal(&rng);
    start.p = p;
    start.q = q;
    start.b = b;
    lr_response_error(&fit, NULL, &f.s, &start, 0, 800, NULL);
    assert_int_equal(lr_solve_relu(&m, &f.s, 8, &start, &o, NULL), LR_OK);
    assert_int_equal(r.n, 1);
    assert_true(fabs(r.fit[0] - fit) < 1e-5 * fit);
    assert_true(largest_difference(m.p, p, 96) == 0 &&
                largest_difference(m.b, b, 12) == 0);
    lr_lowrank_free(&m);
    o = options(&r, 5, 5);
    assert_int_equal(lr_solve_relu(&m, &f.s, 8, &start, &o, NULL), LR_OK);
    assert_true(fabs(r.fit[0] - fit) < 1e-5 * fit && r.fit[10] < 0.01 * fit);
    lr_lowrank_free(&m);
    struct lr_err e = {0};
    assert_int_equal(lr_solve_relu(&m, &f.s, 7, &start, &o, &e), LR_EINVAL);
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
        cmocka_unit_test(relu__equals_the_plain_alternation),
        cmocka_unit_test(relu__with_shortcut_equals_the_plain_alternation),
        cmocka_unit_test(relu__following_its_eigenvectors_equals_the_plain_alternation),
        cmocka_unit_test(relu__with_many_rows_equals_the_plain_alternation),
        cmocka_unit_test(relu__sees_every_row_of_a_wide_layer),
        cmocka_unit_test(relu__traced_errors_are_those_of_the_result),
        cmocka_unit_test(relu__begins_at_the_start_given),
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
