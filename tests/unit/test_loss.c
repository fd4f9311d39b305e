/* The model of lost accuracy: what it must learn from samples it made up itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ranklab/loss.h"
#include "ranklab/rng.h"

enum { N_LAYERS = 5, N_SAMPLES = 40, N_NEW = 40 };
static const double limit = 0.84;

struct world {
    double lost[N_SAMPLES + N_NEW][N_LAYERS];
    int kind[N_SAMPLES + N_NEW][N_LAYERS];
    struct lr_loss_sample samples[N_SAMPLES + N_NEW];
};

/* Losses by the formula of the header; layers count by weights[i], kind 1 k-fold; noise:
 * standard error of a sample, half of it above, half below. */
static void make_world(struct world *w, const double *weights, double k, double noise)
{
    struct lr_rng r;

    lr_rng_seed(&r, 7);
    for (int s = 0; s < N_SAMPLES + N_NEW; s++) {
        double sum = 0;
        for (int i = 0; i < N_LAYERS; i++) {
            w->lost[s][i] = 0.3 * lr_rng_uniform(&r);
            w->kind[s][i] = lr_rng_below(&r, 2) == 1 && k > 0;
            sum += weights[i] * (w->kind[s][i] ? k : 1) * pow(w->lost[s][i], 1.3);
        }
        double loss = limit * (1 - exp(-pow(sum, 1.2) / limit));
        w->samples[s] = (struct lr_loss_sample){
            {w->lost[s], w->kind[s]}, loss + (s % 2 ? noise : -noise), noise};
    }
}

static const double equal[N_LAYERS] = {0.09, 0.09, 0.09, 0.09, 0.09};
static const double unequal[N_LAYERS] = {0.02, 0.05, 0.1, 0.15, 0.25};

static void fit(struct lr_loss_model *m, const struct world *w, int n)
{
    struct lr_err e = {0};

    assert_int_equal(lr_loss_fit(m, w->samples, n, N_LAYERS, limit, false, &e), LR_OK);
    assert_int_equal(m->n_samples, n);
}

/* Root mean square of the error over the new samples, relative to the loss; *covered: how
 * many lie within 1.96 deviations. */
static double test_error(const struct lr_loss_model *m, const struct world *w,
                         int *covered)
{
    double sum = 0;

    *covered = 0;
    for (int s = N_SAMPLES; s < N_SAMPLES + N_NEW; s++) {
        double deviation, loss = w->samples[s].loss;
        double p = lr_loss_predict(&deviation, m, w->samples[s].input);
        sum += (p - loss) * (p - loss) / (loss * loss);
        *covered += fabs(p - loss) <= 1.96 * deviation;
    }
    return sqrt(sum / N_NEW);
}

static void loss__of_equal_layers__is_learned_from_three_samples(void **state)
{
    struct lr_loss_model m;
    struct world w;
    int covered;

    (void)state;
    make_world(&w, equal, 0, 0);
    fit(&m, &w, 3);
    assert_true(test_error(&m, &w, &covered) < 0.1);
    assert_true(covered >= N_NEW - 2);
    lr_loss_model_free(&m);
}

static void loss__of_unequal_layers__is_told_better_with_more_samples(void **state)
{
    struct lr_loss_model few, many;
    struct world w;
    int covered_few, covered_many;

    (void)state;
    make_world(&w, unequal, 0, 0.001);
    fit(&few, &w, 4);
    fit(&many, &w, N_SAMPLES);
    double error_few = test_error(&few, &w, &covered_few);
    double error_many = test_error(&many, &w, &covered_many);
    assert_true(error_many < 0.75 * error_few);
    assert_true(many.a[4] > 3 * many.a[0]);
    assert_true(covered_few >= N_NEW * 9 / 10);
    assert_true(covered_many >= N_NEW * 9 / 10);
    assert_true(many.spread < few.spread);
    assert_true(many.left_out_correlation > 0.9);
    lr_loss_model_free(&few);
    lr_loss_model_free(&many);
}

static void loss__of_a_second_kind__is_told_apart(void **state)
{
    struct lr_loss_model m;
    struct world w;
    int covered;

    (void)state;
    make_world(&w, equal, 2, 0);
    fit(&m, &w, N_SAMPLES);
    assert_true(m.k[1] / m.k[0] > 1.5 && m.k[1] / m.k[0] < 2.5);
    assert_true(test_error(&m, &w, &covered) < 0.1);
    lr_loss_model_free(&m);
}

static void loss__of_a_kind_never_seen__has_a_wider_interval(void **state)
{
    const double lost[N_LAYERS] = {0.1, 0.1, 0.1, 0.1, 0.1};
    const int seen[N_LAYERS] = {0}, unseen[N_LAYERS] = {3, 3, 3, 3, 3};
    struct lr_loss_model m;
    struct world w;
    double narrow, wide;

    (void)state;
    make_world(&w, equal, 0, 0);
    fit(&m, &w, 20);
    lr_loss_predict(&narrow, &m, (struct lr_loss_input){lost, seen});
    lr_loss_predict(&wide, &m, (struct lr_loss_input){lost, unseen});
    assert_true(wide > 1.5 * narrow);
    lr_loss_model_free(&m);
}

static void loss__of_a_whole_network__is_nothing_and_never_falls_with_energy(void **state)
{
    double lost[N_LAYERS] = {0}, deviation, last;
    const int kind[N_LAYERS] = {0};
    struct lr_loss_model m;
    struct world w;

    (void)state;
    make_world(&w, unequal, 0, 0.002);
    fit(&m, &w, 10);
    last = lr_loss_predict(&deviation, &m, (struct lr_loss_input){lost, kind});
    assert_float_equal(last, 0, 1e-12);
    for (int step = 1; step <= 10; step++)
        for (int i = 0; i < N_LAYERS; i++) {
            lost[i] = 0.1 * step;
            double p =
                lr_loss_predict(&deviation, &m, (struct lr_loss_input){lost, kind});
            assert_true(p >= last && p <= limit);
            last = p;
        }
    lost[2] = NAN;
    assert_true(
        isnan(lr_loss_predict(&deviation, &m, (struct lr_loss_input){lost, kind})));
    lr_loss_model_free(&m);
}

static void loss__left_out__is_what_a_fit_without_the_sample_says(void **state)
{
    struct lr_loss_model two, one;
    struct lr_err e = {0};
    struct world w;
    double deviation, square = 0;

    (void)state;
    make_world(&w, equal, 0, 0);
    fit(&two, &w, 2);
    for (int left = 0; left < 2; left++) {
        assert_int_equal(
            lr_loss_fit(&one, &w.samples[1 - left], 1, N_LAYERS, limit, false, &e),
            LR_OK);
        double p = lr_loss_predict(&deviation, &one, w.samples[left].input);
        square += (p - w.samples[left].loss) * (p - w.samples[left].loss);
        lr_loss_model_free(&one);
    }
    /* The power may differ, and the weights are those of the common fit. */
    assert_true(two.left_out_error < 4 * sqrt(square / 2) + 1e-3);
    assert_true(isnan(two.left_out_correlation));
    lr_loss_model_free(&two);
}

static void spearman__of_ties__is_that_of_mean_ranks(void **state)
{
    const double a[] = {1, 2, 2, 3, 9}, b[] = {10, 20, 30, 30, 5};
    double work[10];

    (void)state;
    /* ranks 1 2.5 2.5 4 5 and 2 3 4.5 4.5 1: the sum of products is -1.25, of squares 9.5
     */
    assert_true(fabs(lr_spearman(a, b, 5, work) + 1.25 / 9.5) < 1e-12);
    assert_float_equal(lr_spearman(a, a, 5, work), 1, 1e-12);
    assert_true(isnan(lr_spearman(a, b, 2, work)));
    assert_true(isnan(lr_spearman((double[]){1, 1, 1}, b, 3, work)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss__of_equal_layers__is_learned_from_three_samples),
        cmocka_unit_test(loss__of_unequal_layers__is_told_better_with_more_samples),
        cmocka_unit_test(loss__of_a_second_kind__is_told_apart),
        cmocka_unit_test(loss__of_a_kind_never_seen__has_a_wider_interval),
        cmocka_unit_test(
            loss__of_a_whole_network__is_nothing_and_never_falls_with_energy),
        cmocka_unit_test(loss__left_out__is_what_a_fit_without_the_sample_says),
        cmocka_unit_test(spearman__of_ties__is_that_of_mean_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
