/* Solutions from fewer rows than LR_FEW_ROWS a filter: their ridge, by the rows it stands
 * for, and what it is good for. */
#include "relu_fixture.h"

enum { RIDGE_ROWS = 3 }; /* of the mean variance, in each direction */

/* Rows of which the plain regression is the one of f with its ridge: all rows of f, and
 * in each direction v in which yhat varies pairs that lie symmetric about the means, at
 * weights that sum up to the ridge. As many pairs as it takes to be no few rows. */
static struct fixture with_ridge_rows(const struct fixture *f)
{
    size_t d = (size_t)f->s.d, n = f->s.n_fit, r = 0;
    double *mean = calloc(d, sizeof(double)), *zbar = calloc(d, sizeof(double));
    double *g = calloc(d * d, sizeof(double)), *eig = malloc(d * sizeof(double));
    double trace = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) {
            double s = f->shortcut ? (double)f->shortcut[i * d + j] : 0;
            mean[j] += (double)f->yhat[i * d + j] / (double)n;
            zbar[j] += ((double)f->target[i * d + j] - s) / (double)n;
        }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            for (size_t k = 0; k < d; k++)
                g[j * d + k] += ((double)f->yhat[i * d + j] - mean[j]) *
                                ((double)f->yhat[i * d + k] - mean[k]);
    for (size_t j = 0; j < d; j++)
        trace += g[j * d + j];
    assert_int_equal(lr_la_eigh(d, g, eig, NULL), LR_OK);
    while (r < d && eig[r] > 1e-12 * eig[0])
        r++;
    size_t n_pairs = 8 * d / (2 * r) + 1, at = n;
    double ridge = RIDGE_ROWS * trace / (double)(d * n);
    double step = sqrt(ridge / (double)(2 * n_pairs));
    struct fixture out =
        fixture_make((int)d, (int)d, n + 2 * n_pairs * r, 0, f->shortcut, 1);
    memcpy(out.yhat, f->yhat, n * d * sizeof(float));
    memcpy(out.target, f->target, n * d * sizeof(float));
    if (f->shortcut)
        memcpy(out.shortcut, f->shortcut, n * d * sizeof(float));
    for (size_t a = 0; a < r; a++)
        for (size_t k = 0; k < 2 * n_pairs; k++, at++)
            for (size_t j = 0; j < d; j++) {
                double off = (k % 2 ? -step : step) * g[a * d + j];
                out.yhat[at * d + j] = (float)(mean[j] + off);
                out.target[at * d + j] = (float)(zbar[j] + off);
                if (f->shortcut)
                    out.shortcut[at * d + j] = 0;
            }
    free(mean), free(zbar), free(g), free(eig);
    return out;
}

static void check_ridge_rows(int d, size_t n, bool has_shortcut, int rank)
{
    struct fixture f = fixture_make(d, d, n, 0.25, has_shortcut, 7 + n);
    struct fixture rows = with_ridge_rows(&f);
    struct lr_lowrank few, plain;

    assert_int_equal(lr_solve_linear(&few, &f.s, rank, NULL, NULL), LR_OK);
    assert_int_equal(lr_solve_linear(&plain, &rows.s, rank, NULL, NULL), LR_OK);
    double *a = product_of(&few), *b = product_of(&plain);
    double *y = predict(&f.s, a, few.b), *want = predict(&f.s, b, plain.b);
    assert_true(largest_difference(y, want, n * (size_t)d) < 2e-4);
    free(a), free(b), free(y), free(want);
    lr_lowrank_free(&few);
    lr_lowrank_free(&plain);
    fixture_free(&rows);
    fixture_free(&f);
}

static void few__ridge_is_as_if_there_were_more_rows(void **state)
{
    (void)state;
    check_ridge_rows(24, 100, false, 6);
    check_ridge_rows(24, 191, true, 20);
    check_ridge_rows(24, 30, true, 1);
    check_ridge_rows(24, 17, false, 5); /* fewer rows than filters */
    check_ridge_rows(60, 19, true, 12); /* so few that the rows are decomposed */
}

/* A channel is alive in one row, and hardly: what it does there says nothing. */
static void few__channel_that_hardly_lives_gets_no_large_gain(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        struct fixture f = fixture_make(16, 16, 100, 0.2, k % 2, 70);
        struct lr_lowrank m;
        f.s.act = k > 1 ? lr_act_relu : lr_act_none;
        for (size_t i = 0; i < 100; i++)
            f.yhat[i * 16 + 5] = i == 31 ? 1e-3f : 0;
        fixture_split(&f, 10, 10);
        assert_int_equal(lr_solve_relu(&m, &f.s, 15, NULL, NULL, NULL), LR_OK);
        double *matrix = product_of(&m);
        for (size_t i = 0; i < 16; i++)
            assert_true(fabs(matrix[i * 16 + 5]) < 2);
        free(matrix);
        lr_lowrank_free(&m);
        fixture_free(&f);
    }
}

static void few__relaxed_objective_never_rises(void **state)
{
    (void)state;
    const size_t n_rows[] = {12, 30, 90, 140};
    for (int k = 0; k < 4; k++) {
        struct fixture f = fixture_make(18, 18, n_rows[k], 0.3, k % 2, 80);
        struct record r;
        struct lr_solve_opts o = options(&r, 25, 25);
        struct lr_lowrank m;
        f.s.act = lr_act_relu;
        assert_int_equal(lr_solve_relu(&m, &f.s, 5, NULL, &o, NULL), LR_OK);
        assert_true(r.n > 4);
        for (int i = 1; i < r.n; i++)
            if (r.lambda[i] == r.lambda[i - 1])
                assert_true(r.relaxed[i] <= r.relaxed[i - 1] * (1 + 1e-6));
        lr_lowrank_free(&m);
        fixture_free(&f);
    }
}

/* The original's responses behind the original's inputs need no rows at all. */
static void few__full_rank_is_the_identity(void **state)
{
    (void)state;
    struct fixture f = fixture_make(20, 20, 50, 0, true, 90);
    struct lr_lowrank m;
    double after;
    f.s.act = lr_act_relu;
    fixture_split(&f, 10, 10);
    assert_int_equal(lr_solve_relu(&m, &f.s, 20, NULL, NULL, NULL), LR_OK);
    lr_response_error(&after, NULL, &f.s, &m, 0, 50, NULL);
    assert_true(sqrt(after) < 1e-6);
    lr_lowrank_free(&m);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few__ridge_is_as_if_there_were_more_rows),
        cmocka_unit_test(few__channel_that_hardly_lives_gets_no_large_gain),
        cmocka_unit_test(few__relaxed_objective_never_rises),
        cmocka_unit_test(few__full_rank_is_the_identity),
    };
    lr_la_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
