/* Sampling instead of looking at every image: what the draws must obey, and by
 * simulation that the interval holds what all images would give. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ranklab/mem.h"
#include "ranklab/rng.h"
#include "ranklab/survey.h"

enum { N = 10000, CLASSES = 5, BATCH = 64 };

static const struct lr_output_view scores = {LR_OUTPUT_SCORES, 1, CLASSES, 1,
                                             .is_log = false};

#define assert_ok(call)                                                                  \
    do {                                                                                 \
        struct lr_err *fx_e = &(struct lr_err){0};                                       \
        if ((call) != LR_OK)                                                             \
            fail_msg("%s: %s", #call, fx_e->msg);                                        \
    } while (0)

static int32_t labels[N]; /* of the images, whichever network looks at them */

/* Outputs whose margins spread as a trained network's do: few near 0. */
static void make_original(struct lr_outcome *o, int64_t n, uint64_t seed)
{
    struct lr_rng rng;

    lr_rng_seed(&rng, seed);
    assert_ok(lr_outcome_init(o, n, CLASSES, &scores, labels, fx_e));
    for (int64_t i = 0; i < n; i++) {
        float x[CLASSES] = {-5, -5, -5, -5, -5};
        double margin = 6 * sqrt(-log(1 - lr_rng_uniform(&rng)));
        bool is_right = lr_rng_uniform(&rng) > 0.5 * exp(-margin);
        int answer = (int)(lr_rng_uniform(&rng) * CLASSES),
            other = (answer + 1) % CLASSES;
        x[answer] = (float)margin;
        x[other] = 0;
        labels[i] = is_right ? answer : other;
        assert_ok(lr_outcome_put(o, i, x, labels, fx_e));
    }
}

static double margin(const struct lr_outcome *o, int64_t i)
{
    const float *x = o->out + i * CLASSES;

    /* The next largest output is 0. */
    return (double)x[o->top1[i]];
}

/* A changed mind with this chance, where the answer is among the first so many. */
static void draw_values(int8_t *x, const struct lr_outcome *o, double scale, double reach,
                        int n_classes, struct lr_rng *rng)
{
    for (int64_t i = 0; i < o->n; i++) {
        double chance = scale * exp(-margin(o, i) / reach);
        x[i] = 0;
        if (lr_rng_uniform(rng) < chance && o->top1[i] < n_classes)
            x[i] = o->hit1[i] ? -1 : 1;
    }
}

static double mean_of(const int8_t *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

static int64_t run(struct lr_survey *s, const int8_t *x, double wanted)
{
    static int64_t images[N + BATCH];
    int64_t n;

    lr_survey_restart(s);
    do {
        n = lr_survey_next(images, N, s, wanted, BATCH);
        for (int64_t i = 0; i < n; i++)
            lr_survey_put(s, images[i], x[images[i]]);
    } while (n > 0 && lr_survey_half_width(s) > wanted);
    return lr_survey_count(s);
}

static void survey__covers_all_images__in_nineteen_of_twenty(void **state)
{
    /* chance at margin 0, and how far into the sure images changes reach; a reach of 1e9
     * is the case that strata of doubt are no help for; the classes that change */
    static const struct {
        double chance, reach;
        int n_classes;
    } cases[] = {{0.02, 1, CLASSES},    {0.1, 0.5, CLASSES},   {0.2, 1, CLASSES},
                 {0.5, 1, CLASSES},     {0.5, 3, CLASSES},     {0.9, 6, CLASSES},
                 {0.001, 1e9, CLASSES}, {0.004, 1e9, CLASSES}, {0.01, 1e9, CLASSES},
                 {0.2, 1e9, CLASSES},   {0.9, 6, 1},           {0.2, 3, 1},
                 {0.05, 1e9, 1},        {0.9, 1e9, 2}};
    static int8_t x[N];
    int n_runs = 400;
    struct lr_outcome o;
    struct lr_rng rng;

    (void)state;
    lr_rng_seed(&rng, 5);
    make_original(&o, N, 1);
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        int n_covered = 0;
        for (int k = 0; k < n_runs; k++) {
            struct lr_survey s;
            assert_ok(lr_survey_init(&s, &o, (uint64_t)k + 10, fx_e));
            draw_values(x, &o, cases[c].chance, cases[c].reach, cases[c].n_classes, &rng);
            run(&s, x, 0.003);
            double truth = mean_of(x, N), estimate = lr_survey_mean(&s);
            double half = lr_survey_half_width(&s);
            assert_true(half <= 0.003);
            n_covered += fabs(estimate - truth) <= half;
            lr_survey_free(&s);
        }
        if (n_covered < 0.93 * n_runs)
            fail_msg(
                "chance %g reach %g, %d classes: %d of %d intervals hold the mean of "
                "all",
                cases[c].chance, cases[c].reach, cases[c].n_classes, n_covered, n_runs);
    }
    lr_outcome_free(&o);
}

static void survey__saves_most_images__when_changes_are_few(void **state)
{
    static int8_t x[N];
    struct lr_outcome o;
    struct lr_survey s;
    struct lr_rng rng;

    (void)state;
    lr_rng_seed(&rng, 7);
    make_original(&o, N, 2);
    assert_ok(lr_survey_init(&s, &o, 1, fx_e));
    draw_values(x, &o, 0.2, 1, CLASSES, &rng);
    assert_true(run(&s, x, 0.003) < 3 * N / 10);
    lr_survey_free(&s);
    lr_outcome_free(&o);
}

static void survey__draws_each_image_once__and_is_exact_then(void **state)
{
    static int8_t x[N];
    static int seen[N];
    int64_t images[N], n, n_seen = 0;
    struct lr_outcome o;
    struct lr_survey s;
    struct lr_rng rng;

    (void)state;
    lr_rng_seed(&rng, 8);
    make_original(&o, 1000, 3);
    assert_ok(lr_survey_init(&s, &o, 1, fx_e));
    draw_values(x, &o, 0.5, 1e9, CLASSES, &rng);
    while ((n = lr_survey_next(images, 512, &s, 1e-9, BATCH)) > 0)
        for (int64_t i = 0; i < n; i++) {
            assert_in_range(images[i], 0, 999);
            assert_int_equal(seen[images[i]]++, 0);
            n_seen++;
            lr_survey_put(&s, images[i], x[images[i]]);
        }
    assert_int_equal(n_seen, 1000);
    assert_true(fabs(lr_survey_mean(&s) - mean_of(x, 1000)) < 1e-12);
    assert_true(lr_survey_half_width(&s) <= 0);
    lr_survey_free(&s);
    lr_outcome_free(&o);
}

/* Strata: everything in a later one is less sure than everything in one before. */
static void survey__orders_strata_by_margin__and_draws_by_seed(void **state)
{
    struct lr_outcome o;
    struct lr_survey s, same, other;
    int n_equal = 0;

    (void)state;
    make_original(&o, 3000, 4);
    assert_ok(lr_survey_init(&s, &o, 1, fx_e));
    assert_ok(lr_survey_init(&same, &o, 1, fx_e));
    assert_ok(lr_survey_init(&other, &o, 2, fx_e));
    for (int h = 0; h + 1 < s.n_strata; h++) {
        double least = INFINITY, most = 0;
        for (int64_t i = 0; i < s.strata[h].n; i++)
            least = fmin(least, margin(&o, s.order[s.strata[h].first + i]));
        for (int64_t i = 0; i < s.strata[h + 1].n; i++)
            most = fmax(most, margin(&o, s.order[s.strata[h + 1].first + i]));
        assert_true(least >= most);
    }
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(s.order[i], same.order[i]);
        n_equal += s.order[i] == other.order[i];
    }
    assert_true(n_equal < 300);
    lr_survey_free(&s);
    lr_survey_free(&same);
    lr_survey_free(&other);
    lr_outcome_free(&o);
}

/* All images drawn give what comparing all gives; a part gives its estimate inside. */
static void survey__compares_as_all_images_do__when_all_are_drawn(void **state)
{
    static int64_t images[N];
    struct lr_outcome a, b;
    struct lr_survey s;
    struct lr_eval all, part, full;

    (void)state;
    make_original(&b, N, 5);
    make_original(&a, N, 5);
    for (int64_t i = 0; i < N; i++)
        if (margin(&b, i) < 0.6) { /* changes its mind */
            float x[CLASSES];
            int answer = b.top1[i], other = (answer + 1) % CLASSES;
            memcpy(x, b.out + i * CLASSES, sizeof(x));
            x[answer] = b.out[i * CLASSES + other];
            x[other] = b.out[i * CLASSES + answer];
            assert_ok(lr_outcome_put(&a, i, x, labels, fx_e));
        }
    assert_ok(lr_eval_compare(&all, &b, &a, fx_e));
    assert_ok(lr_survey_init(&s, &b, 1, fx_e));
    for (bool is_done = false; !is_done;) {
        int64_t n = lr_survey_next(images, N, &s, 0.003, BATCH);
        for (int64_t i = 0; i < n; i++)
            lr_survey_put(&s, images[i], (int)a.hit1[images[i]] - b.hit1[images[i]]);
        is_done = lr_survey_half_width(&s) <= 0.003;
    }
    assert_ok(lr_survey_compare(&part, &s, &b, &a, fx_e));
    assert_true(part.images < N);
    assert_true(fabs(part.top1_difference - all.top1_difference) < 0.004);
    assert_true(fabs(part.agreement - all.agreement) < 0.01);
    assert_true(fabs(part.top1_original - all.top1_original) < 1e-12);
    /* The interval is wider than that of all images. */
    assert_true(part.difference_high - part.difference_low >
                all.difference_high - all.difference_low);
    for (int64_t n; (n = lr_survey_next(images, N, &s, 1e-9, BATCH)) > 0;)
        for (int64_t i = 0; i < n; i++)
            lr_survey_put(&s, images[i], (int)a.hit1[images[i]] - b.hit1[images[i]]);
    assert_ok(lr_survey_compare(&full, &s, &b, &a, fx_e));
    assert_int_equal(full.images, N);
    assert_true(fabs(full.difference_low - all.difference_low) < 1e-12);
    assert_true(fabs(full.top1 - all.top1) < 1e-12);
    lr_survey_free(&s);
    lr_outcome_free(&a);
    lr_outcome_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survey__saves_most_images__when_changes_are_few),
        cmocka_unit_test(survey__draws_each_image_once__and_is_exact_then),
        cmocka_unit_test(survey__orders_strata_by_margin__and_draws_by_seed),
        cmocka_unit_test(survey__compares_as_all_images_do__when_all_are_drawn),
        cmocka_unit_test(survey__covers_all_images__in_nineteen_of_twenty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
