/* The nonlinear solver against the plain alternation, written down as in the paper. */
#include "relu_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relu__equals_the_plain_alternation),
        cmocka_unit_test(relu__with_shortcut_equals_the_plain_alternation),
        cmocka_unit_test(relu__following_its_eigenvectors_equals_the_plain_alternation),
        cmocka_unit_test(relu__with_many_rows_equals_the_plain_alternation),
        cmocka_unit_test(relu__sees_every_row_of_a_wide_layer),
        cmocka_unit_test(relu__traced_errors_are_those_of_the_result),
        cmocka_unit_test(relu__begins_at_the_start_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
