/* Layers with groups: the solution of the whole equals those of the groups by themselves,
 * and so do spectra. */
#include "approx_fixture.h"

#include <stdio.h>

enum { D = 12, G = 3, E = D / G, N = 900, IN = 10 };

/* Columns of group j. */
static void cut(float *out, const float *x, size_t n, size_t j)
{
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * E, x + i * D + j * E, E * sizeof(float));
}

static void check_solve(const char *name, const struct lr_activation *act,
                        bool has_shortcut, bool is_symmetric)
{
    const struct lr_method_info *method = lr_method_find(name);
    struct fixture f = fixture_make(D, D, N, 0.2, has_shortcut, 70);
    float w[D * IN], bias[D];
    struct lr_lowrank m;
    struct lr_solve_opts o;
    struct lr_rng r;

    lr_rng_seed(&r, 71);
    for (size_t i = 0; i < D * IN; i++)
        w[i] = (float)lr_rng_normal(&r);
    for (size_t i = 0; i < D; i++)
        bias[i] = (float)lr_rng_normal(&r);
    f.s.act = *act;
    if (is_symmetric)
        f.s.yhat = f.s.target;
    fixture_split(&f, 150, 150);
    lr_solve_opts_default(&o);
    o.bias = bias;
    int rank = 2 * G;
    assert_int_equal(lr_solve_groups(&m, method, G, &f.s, w, IN, rank, &o, NULL), LR_OK);
    assert_int_equal(m.d, D);
    assert_int_equal(m.rank, rank);
    double *matrix = product_of(&m);
    for (size_t j = 0; j < G; j++) {
        float *target = malloc(N * E * sizeof(float)),
              *yhat = malloc(N * E * sizeof(float));
        float *shortcut = malloc(N * E * sizeof(float));
        struct lr_samples part = f.s;
        struct lr_lowrank own;
        cut(target, f.target, N, j);
        cut(yhat, f.yhat, N, j);
        if (has_shortcut)
            cut(shortcut, f.shortcut, N, j);
        part.d = E;
        part.target = target;
        part.yhat = is_symmetric ? target : yhat;
        part.shortcut = has_shortcut ? shortcut : NULL;
        o.bias = bias + j * E;
        assert_int_equal(method->solve(&own, &part, w + j * E * IN, IN, 2, &o, NULL),
                         LR_OK);
        double *want = product_of(&own);
        for (size_t i = 0; i < E; i++) {
            assert_true(m.b[j * E + i] == own.b[i]);
            for (size_t k = 0; k < D; k++) {
                double x = k / E == j ? want[i * E + k % E] : 0;
                assert_true(matrix[(j * E + i) * D + k] == x);
            }
        }
        free(target), free(yhat), free(shortcut), free(want);
        lr_lowrank_free(&own);
    }
    free(matrix);
    lr_lowrank_free(&m);
    fixture_free(&f);
}

static void groups__solve_equals_separate_solves(void **state)
{
    (void)state;
    const struct lr_activation relu6 = {0, 6, 0};
    check_solve("pca", &lr_act_none, false, false);
    check_solve("pca", &lr_act_relu, false, true);
    check_solve("relu", &lr_act_relu, true, false);
    check_solve("relu", &relu6, false, false);
    check_solve("3d", &lr_act_relu, false, false);
    check_solve("svd", &lr_act_relu, false, false);
}

static void groups__of_one_is_the_method_itself(void **state)
{
    (void)state;
    struct fixture f = fixture_make(8, 8, 300, 0.2, false, 72);
    struct lr_lowrank a, b;
    f.s.act = lr_act_relu;
    assert_int_equal(
        lr_solve_groups(&a, lr_method_find("relu"), 1, &f.s, NULL, 0, 3, NULL, NULL),
        LR_OK);
    assert_int_equal(lr_solve_relu(&b, &f.s, 3, NULL, NULL, NULL), LR_OK);
    assert_true(largest_difference(a.p, b.p, 24) == 0);
    lr_lowrank_free(&a);
    lr_lowrank_free(&b);
    fixture_free(&f);
}

static void groups__at_full_rank_reproduce_the_responses(void **state)
{
    (void)state;
    for (int groups = 1; groups <= D; groups++) {
        struct fixture f = fixture_make(D, D, 200, 0, false, 73);
        struct lr_lowrank m;
        double after;
        if (D % groups == 0) {
            f.s.act = lr_act_relu;
            assert_int_equal(lr_solve_groups(&m, lr_method_find("relu"), groups, &f.s,
                                             NULL, 0, D, NULL, NULL),
                             LR_OK);
            lr_response_error(&after, NULL, &f.s, &m, 0, 200, NULL);
            assert_true(sqrt(after) < 1e-6);
            lr_lowrank_free(&m);
        }
        fixture_free(&f);
    }
}

struct notes {
    int n;
    char text[256];
};

static void keep_note(void *ctx, enum lr_note_level level, const char *text)
{
    struct notes *n = ctx;

    (void)level;
    n->n++;
    snprintf(n->text, sizeof(n->text), "%s", text);
}

static void groups__with_a_dead_group_say_so(void **state)
{
    (void)state;
    struct fixture f = fixture_make(D, D, 300, 0.1, false, 74);
    struct notes got = {0};
    struct lr_notes notes = {keep_note, &got};
    struct lr_solve_opts o;
    struct lr_lowrank m;
    double after;
    for (size_t i = 0; i < 300 * D; i++)
        if (i % D / E == 1)
            f.target[i] = f.yhat[i] = 0.25f * (float)(i % D) - 1;
    f.s.act = lr_act_relu;
    lr_solve_opts_default(&o);
    o.notes = &notes;
    for (int rank = G; rank <= D; rank += G) {
        got.n = 0;
        assert_int_equal(
            lr_solve_groups(&m, lr_method_find("relu"), G, &f.s, NULL, 0, rank, &o, NULL),
            LR_OK);
        assert_int_equal(got.n, 1);
        assert_non_null(strstr(got.text, "group 2 of 3"));
        assert_non_null(strstr(got.text, "dead"));
        assert_int_equal(m.n_data_rank, 2 * E);
        assert_int_equal(lr_response_error(&after, NULL, &f.s, &m, 0, 300, NULL), LR_OK);
        assert_true(isfinite(after) && after < 1);
        for (int i = 0; i < D * rank; i++)
            assert_true(isfinite(m.p[i]) && isfinite(m.q[i]));
        lr_lowrank_free(&m);
    }
    fixture_free(&f);
}

struct stopper {
    int n_calls, stop_at;
    double last;
};

static int stop(void *ctx, double fraction, const char *what)
{
    struct stopper *s = ctx;

    (void)what;
    assert_true(fraction >= s->last && fraction <= 1);
    s->last = fraction;
    return ++s->n_calls == s->stop_at;
}

static void groups__report_progress_and_stop_on_request(void **state)
{
    (void)state;
    struct fixture f = fixture_make(D, D, 300, 0.1, false, 75);
    struct stopper s = {0};
    struct lr_progress progress = {.tick = stop, .ctx = &s};
    struct lr_solve_opts o;
    struct lr_lowrank m;
    struct lr_err e = {0};
    f.s.act = lr_act_relu;
    lr_solve_opts_default(&o);
    o.progress = &progress;
    assert_int_equal(
        lr_solve_groups(&m, lr_method_find("relu"), G, &f.s, NULL, 0, G, &o, NULL),
        LR_OK);
    lr_lowrank_free(&m);
    assert_true(s.last > 0.9);
    s = (struct stopper){.stop_at = s.n_calls - 3};
    assert_int_equal(
        lr_solve_groups(&m, lr_method_find("relu"), G, &f.s, NULL, 0, G, &o, &e),
        LR_EINTR);
    assert_null(m.p);
    fixture_free(&f);
}

static void groups__refuse_bad_arguments(void **state)
{
    (void)state;
    struct fixture f = fixture_make(D, D, 100, 0.1, false, 76);
    const struct lr_method_info *relu = lr_method_find("relu");
    struct lr_lowrank m;
    struct lr_err e = {0};
    f.s.act = lr_act_relu;
    assert_int_equal(lr_solve_groups(&m, relu, 5, &f.s, NULL, 0, 5, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_solve_groups(&m, relu, 3, &f.s, NULL, 0, 4, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_solve_groups(&m, relu, 3, &f.s, NULL, 0, 15, NULL, &e),
                     LR_EINVAL);
    assert_int_equal(lr_solve_groups(&m, relu, 0, &f.s, NULL, 0, 3, NULL, &e), LR_EINVAL);
    assert_int_equal(
        lr_solve_groups(&m, lr_method_find("spatial"), 3, &f.s, NULL, 0, 3, NULL, &e),
        LR_EINVAL);
    f.target[3] = NAN;
    assert_int_equal(lr_solve_groups(&m, relu, 3, &f.s, NULL, 0, 3, NULL, &e),
                     LR_ENUMERIC);
    assert_null(m.p);
    fixture_free(&f);
}

/* The first a of the means sum to what rank a keeps in all groups together. */
static void groups__spectrum_is_the_mean_of_the_groups(void **state)
{
    (void)state;
    struct lr_layer l = {.c = 6, .d = D, .kh = 3, .kw = 3, .group = G};
    struct lr_layer one = {.c = 2, .d = E, .kh = 3, .kw = 3, .group = 1};
    struct fixture f = fixture_make(D, D, N, 0.2, false, 77);
    float w[D * 18], *y = malloc(N * E * sizeof(float));
    double eig[E] = {0}, sv2[E] = {0}, spatial[6] = {0};
    struct lr_spectrum all, part;
    struct lr_rng r;
    lr_rng_seed(&r, 78);
    for (size_t i = 0; i < D * 18; i++)
        w[i] = (float)lr_rng_normal(&r);
    assert_int_equal(lr_spectrum_compute(&all, f.target, N, &l, w, NULL), LR_OK);
    for (size_t j = 0; j < G; j++) {
        cut(y, f.target, N, j);
        assert_int_equal(lr_spectrum_compute(&part, y, N, &one, w + j * E * 18, NULL),
                         LR_OK);
        assert_int_equal(part.n_spatial, 6);
        for (size_t i = 0; i < E; i++) {
            eig[i] += part.eig[i] / G;
            sv2[i] += part.weight_sv[i] * part.weight_sv[i] / G;
        }
        for (size_t i = 0; i < 6; i++)
            spatial[i] += part.spatial[i] / G;
        lr_spectrum_free(&part);
    }
    assert_int_equal(all.n_data_rank, D);
    assert_int_equal(all.n_spatial, 6 * G);
    double total = 0, kept = 0;
    for (size_t i = 0; i < D; i++) {
        assert_true(fabs(all.eig[i] - eig[i / G]) < 1e-9 * eig[0]);
        assert_true(fabs(all.weight_sv[i] - sqrt(sv2[i / G])) < 1e-9);
    }
    for (size_t i = 0; i < 6 * G; i++) {
        assert_true(fabs(all.spatial[i] - spatial[i / G]) < 1e-9 * spatial[0]);
        total += all.spatial[i];
        kept += i < 2 * G ? all.spatial[i] : 0;
    }
    assert_true(fabs(lr_spectrum_spatial_energy(&all, 2 * G) - kept / total) < 1e-12);
    lr_spectrum_free(&all);
    l.kh = l.kw = 1;
    assert_int_equal(lr_spectrum_compute(&all, f.target, N, &l, w, NULL), LR_OK);
    assert_null(all.spatial);
    assert_true(lr_spectrum_spatial_energy(&all, 1) == 1);
    lr_spectrum_free(&all);
    l.group = 5;
    assert_int_equal(lr_spectrum_compute(&all, f.target, N, &l, w, NULL), LR_EINVAL);
    free(y);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups__solve_equals_separate_solves),
        cmocka_unit_test(groups__of_one_is_the_method_itself),
        cmocka_unit_test(groups__at_full_rank_reproduce_the_responses),
        cmocka_unit_test(groups__with_a_dead_group_say_so),
        cmocka_unit_test(groups__report_progress_and_stop_on_request),
        cmocka_unit_test(groups__refuse_bad_arguments),
        cmocka_unit_test(groups__spectrum_is_the_mean_of_the_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
