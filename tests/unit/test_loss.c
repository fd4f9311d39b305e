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
            {w->lost[s], w->kind[s]}, loss + (s % 2 ? noise : -noise), noise, false};
    }
}

static const double equal[N_LAYERS] = {0.09, 0.09, 0.09, 0.09, 0.09};
static const double unequal[N_LAYERS] = {0.02, 0.05, 0.1, 0.15, 0.25};

static void fit(struct lr_loss_model *m, const struct world *w, int n)
{
    struct lr_err e = {0};

    assert_int_equal(lr_loss_fit(m, w->samples, n, N_LAYERS, limit, &e), LR_OK);
    assert_int_equal(m->n_networks, n);
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
    for (int k = 0; k < LR_LOSS_PARTS; k++)
        assert_true(!(many.parts[k].weight > 0) ||
                    many.parts[k].a[4] > 3 * many.parts[k].a[0]);
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
        assert_int_equal(lr_loss_fit(&one, &w.samples[1 - left], 1, N_LAYERS, limit, &e),
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

/* ---- intervals, over worlds of all sorts ---- */

enum { N_WORLDS = 40, N_MILD = 8, N_ALONE = 30 };

/* Networks of layers that differ, the mildest first, about the curve with a spread of 15
 * %, measured with a standard error as of 10,000 images. Layers alone lose share of what
 * the curve says divided by what the later layers make good. */
static void make_rough(struct world *w, struct lr_loss_sample *alone,
                       double (*alone_lost)[N_LAYERS], uint64_t seed)
{
    static const int no_kind[N_LAYERS] = {0};
    double weights[N_LAYERS], power, share;
    struct lr_rng r;

    lr_rng_seed(&r, seed);
    for (int i = 0; i < N_LAYERS; i++)
        weights[i] = 0.12 * exp(0.4 * lr_rng_normal(&r));
    power = 1.1 + 0.3 * lr_rng_uniform(&r);
    share = 0.4 * exp(0.4 * lr_rng_normal(&r));
    for (int s = 0; s < N_SAMPLES + N_NEW + N_ALONE; s++) {
        bool is_alone = s >= N_SAMPLES + N_NEW;
        int k = s - N_SAMPLES - N_NEW;
        double *lost = is_alone ? alone_lost[k] : w->lost[s], sum = 0;
        double most = s < N_SAMPLES ? 0.08 + 0.15 * s / N_SAMPLES : 0.45;
        for (int i = 0; i < N_LAYERS; i++) {
            lost[i] = is_alone && i != k % N_LAYERS ? 0 : most * lr_rng_uniform(&r);
            sum += weights[i] * pow(lost[i], 1.3);
        }
        double loss = limit * (1 - exp(-pow(sum, power) / limit));
        loss *= exp(0.15 * lr_rng_normal(&r)) / (is_alone ? share : 1);
        double error = 0.0008 + 0.06 * loss;
        loss += error * lr_rng_normal(&r);
        if (is_alone)
            alone[k] = (struct lr_loss_sample){{lost, no_kind}, loss, error, true};
        else
            w->samples[s] = (struct lr_loss_sample){{lost, no_kind}, loss, error, false};
    }
}

/* Learns from the n mildest networks of each world, and its layers alone where asked;
 * adds up over all the strong networks. */
struct outcome {
    double n_held, n, width, size, square;
};
static struct outcome try_worlds(int n, bool has_alone)
{
    static double alone_lost[N_ALONE][N_LAYERS];
    struct lr_loss_sample samples[N_SAMPLES + N_ALONE], alone[N_ALONE];
    struct outcome o = {0};
    struct world w;

    for (uint64_t seed = 1; seed <= N_WORLDS; seed++) {
        struct lr_loss_model m;
        struct lr_err e = {0};
        int k = 0;
        make_rough(&w, alone, alone_lost, seed);
        for (int s = 0; s < n; s++)
            samples[k++] = w.samples[s];
        for (int s = 0; s < N_ALONE && has_alone; s++)
            samples[k++] = alone[s];
        assert_int_equal(lr_loss_fit(&m, samples, k, N_LAYERS, limit, &e), LR_OK);
        for (int s = N_SAMPLES; s < N_SAMPLES + N_NEW; s++) {
            double deviation, loss = w.samples[s].loss;
            double p = lr_loss_predict(&deviation, &m, w.samples[s].input);
            o.n_held += fabs(p - loss) <= 1.96 * deviation;
            o.width += 1.96 * deviation;
            o.size += loss;
            o.square += (p - loss) * (p - loss);
            o.n++;
        }
        lr_loss_model_free(&m);
    }
    return o;
}

static void intervals__learned_from_mild_networks__hold_for_strong_ones(void **state)
{
    (void)state;
    for (int n = 1; n <= N_SAMPLES; n = n == 1        ? N_MILD
                                        : n == N_MILD ? N_SAMPLES
                                                      : n + 1) {
        struct outcome o = try_worlds(n, false);
        assert_true(o.n_held >= 0.93 * o.n);
        /* and say something */
        assert_true(o.width < (n == 1 ? 2.5 : n == N_MILD ? 1.5 : 1.0) * o.size);
    }
}

static void intervals__learned_from_layers_alone__hold_for_networks(void **state)
{
    (void)state;
    struct outcome o = try_worlds(0, true);

    assert_true(o.n_held >= 0.93 * o.n);
    assert_true(o.width < 2.5 * o.size);
}

static void layers_alone__beside_networks__make_nothing_worse(void **state)
{
    (void)state;
    static const int sizes[] = {1, N_MILD, N_SAMPLES};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct outcome without = try_worlds(sizes[i], false);
        struct outcome with = try_worlds(sizes[i], true);
        assert_true(with.square < 1.03 * without.square);
        assert_true(with.n_held >= without.n_held - 0.01 * without.n);
    }
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
        cmocka_unit_test(intervals__learned_from_mild_networks__hold_for_strong_ones),
        cmocka_unit_test(intervals__learned_from_layers_alone__hold_for_networks),
        cmocka_unit_test(layers_alone__beside_networks__make_nothing_worse),
        cmocka_unit_test(spearman__of_ties__is_that_of_mean_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
