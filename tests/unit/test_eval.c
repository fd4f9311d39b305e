/* Intervals against published figures, and the comparison of two outcomes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ranklab/eval.h"

static void assert_near(double x, double expected, double tolerance)
{
    if (!(fabs(x - expected) <= tolerance))
        fail_msg("%.10g is not %.10g (tolerance %g)", x, expected, tolerance);
}

/* Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I. */
static void eval__wilson_matches_published_examples(void **state)
{
    static const struct {
        int64_t k, n;
        double low, high;
    } cases[] = {{81, 263, 0.2553, 0.3662},
                 {15, 148, 0.0624, 0.1605},
                 {0, 20, 0.0000, 0.1611},
                 {1, 29, 0.0061, 0.1718}};
    double low, high;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lr_wilson(&low, &high, cases[i].k, cases[i].n);
        assert_near(low, cases[i].low, 5e-5);
        assert_near(high, cases[i].high, 5e-5);
    }
}

static void eval__wilson_stays_in_the_unit_interval_at_the_ends(void **state)
{
    double low, high;

    (void)state;
    lr_wilson(&low, &high, 0, 10000);
    assert_true(low == 0 && high > 0 && high < 0.001);
    lr_wilson(&low, &high, 10000, 10000);
    assert_true(high == 1 && low < 1 && low > 0.999);
    lr_wilson(&low, &high, 0, 0);
    assert_true(isnan(low) && isnan(high));
}

/* Both ends of Wilson's interval are the p at which the score test just rejects. */
static void eval__wilson_ends_solve_the_score_equation(void **state)
{
    const double z = 1.959963984540054;

    (void)state;
    for (int k = 1; k < 40; k += 3) {
        double low, high, p = k / 40.0;
        lr_wilson(&low, &high, k, 40);
        assert_near(fabs(p - low) / sqrt(low * (1 - low) / 40), z, 1e-9);
        assert_near(fabs(p - high) / sqrt(high * (1 - high) / 40), z, 1e-9);
    }
}

/* 14/5/0/22: Altman et al., "Statistics with Confidence" (2000), table 6.2: 0.01 to 0.23.
 * 1/1/7/12: airway data in Fagerland et al., Statistics in Medicine 33 (2014): -0.507 to
 * -0.026. The further digits were computed apart from this program. */
static void eval__paired_interval_matches_published_examples(void **state)
{
    double d, low, high;

    (void)state;
    lr_paired_interval(&d, &low, &high, 14, 5, 0, 22);
    assert_near(d, 5.0 / 41, 1e-12);
    assert_near(low, 0.011483241383, 1e-9);
    assert_near(high, 0.226492684351, 1e-9);
    lr_paired_interval(&d, &low, &high, 1, 1, 7, 12);
    assert_near(d, -6.0 / 21, 1e-12);
    assert_near(low, -0.506920226686, 1e-9);
    assert_near(high, -0.025559124165, 1e-9);
}

/* Without the correction for continuity the ends would differ in the fourth digit. */
static void eval__paired_interval_of_many_images(void **state)
{
    double d, low, high;

    (void)state;
    lr_paired_interval(&d, &low, &high, 9000, 120, 160, 720);
    assert_near(d, -0.004, 1e-12);
    assert_near(low, -0.007308966414, 1e-10);
    assert_near(high, -0.000710423658, 1e-10);
}

static void eval__paired_interval_of_negative_correlation(void **state)
{
    double d, low, high;

    (void)state;
    lr_paired_interval(&d, &low, &high, 3, 9, 8, 2);
    assert_near(low, -0.299076945905, 1e-9);
    assert_near(high, 0.378104458928, 1e-9);
}

static void eval__paired_interval_is_antisymmetric(void **state)
{
    double d1, l1, h1, d2, l2, h2;

    (void)state;
    lr_paired_interval(&d1, &l1, &h1, 50, 7, 3, 40);
    lr_paired_interval(&d2, &l2, &h2, 50, 3, 7, 40);
    assert_near(d1, -d2, 1e-15);
    assert_near(l1, -h2, 1e-12);
    assert_near(h1, -l2, 1e-12);
}

static void eval__paired_interval_covers_zero_when_nothing_differs(void **state)
{
    double d, low, high;

    (void)state;
    lr_paired_interval(&d, &low, &high, 50, 0, 0, 0);
    assert_near(low, -0.071347599133, 1e-9);
    assert_near(high, 0.071347599133, 1e-9);
    lr_paired_interval(&d, &low, &high, 0, 0, 0, 0);
    assert_true(isnan(d) && isnan(low) && isnan(high));
}

enum { N = 6, OUT = 7 };

static struct lr_outcome outcome(int32_t *top1, uint8_t *hit1, uint8_t *hit5, float *out)
{
    return (struct lr_outcome){.n = N,
                               .n_out = OUT,
                               .view = {LR_OUTPUT_SCORES, 1, OUT, 1, .is_log = false},
                               .top1 = top1,
                               .hit1 = hit1,
                               .hit5 = hit5,
                               .out = out,
                               .seconds = 2};
}

static void eval__compare_counts_pairs_agreement_and_error(void **state)
{
    int32_t top_a[N] = {1, 2, 3, 4, 5, 6}, top_b[N] = {1, 2, 0, 0, 5, 6};
    uint8_t hit_a[N] = {1, 1, 0, 1, 1, 0}, hit_b[N] = {1, 1, 1, 0, 1, 0};
    uint8_t five_a[N] = {1, 1, 1, 1, 1, 0}, five_b[N] = {1, 1, 1, 1, 1, 1};
    float out_a[N * OUT], out_b[N * OUT];
    struct lr_eval r;
    struct lr_err e = {0};
    double d, low, high;

    (void)state;
    for (int i = 0; i < N * OUT; i++) {
        out_b[i] = (float)(i % 5) - 2;
        out_a[i] = out_b[i] + (i == 3 ? 2 : 0);
    }
    struct lr_outcome a = outcome(top_a, hit_a, five_a, out_a);
    struct lr_outcome b = outcome(top_b, hit_b, five_b, out_b);
    double all = 0;
    for (int i = 0; i < N * OUT; i++)
        all += (double)out_b[i] * (double)out_b[i];
    assert_int_equal(lr_eval_compare(&r, &b, &a, &e), LR_OK);
    lr_paired_interval(&d, &low, &high, 3, 1, 1, 1);
    assert_int_equal(r.images, N);
    assert_near(r.top1, 4.0 / 6, 1e-12);
    assert_near(r.top1_original, 4.0 / 6, 1e-12);
    assert_near(r.top1_difference, d, 1e-12);
    assert_near(r.difference_low, low, 1e-12);
    assert_near(r.difference_high, high, 1e-12);
    assert_near(r.top5, 5.0 / 6, 1e-12);
    assert_near(r.top5_original, 1, 1e-12);
    assert_near(r.agreement, 4.0 / 6, 1e-12);
    assert_near(r.output_error, 4 / all, 1e-12);
    assert_near(r.seconds, 2, 0);
}

static void eval__difference_is_approximated_minus_original(void **state)
{
    int32_t top[N] = {0};
    uint8_t none[N] = {0}, all[N] = {1, 1, 1, 1, 1, 1};
    float out[N * OUT] = {1};
    struct lr_eval r;
    struct lr_err e = {0};

    (void)state;
    struct lr_outcome original = outcome(top, all, NULL, out);
    struct lr_outcome approximated = outcome(top, none, NULL, out);
    assert_int_equal(lr_eval_compare(&r, &original, &approximated, &e), LR_OK);
    assert_near(r.top1_difference, -1, 0);
    assert_true(isnan(r.top5));
}

static void eval__compare_without_labels_leaves_accuracy_unknown(void **state)
{
    int32_t top[N] = {0};
    float out[N * OUT] = {1};
    struct lr_eval r;
    struct lr_err e = {0};

    (void)state;
    struct lr_outcome a = outcome(top, NULL, NULL, out);
    assert_int_equal(lr_eval_compare(&r, &a, &a, &e), LR_OK);
    assert_true(isnan(r.top1) && isnan(r.top1_difference) && isnan(r.difference_low) &&
                isnan(r.top1_high) && isnan(r.top5_original));
    assert_near(r.agreement, 1, 0);
    assert_near(r.output_error, 0, 0);
}

static void eval__compare_refuses_other_images(void **state)
{
    int32_t top[N] = {0};
    float out[N * OUT] = {1};
    struct lr_eval r;
    struct lr_err e = {0};

    (void)state;
    struct lr_outcome a = outcome(top, NULL, NULL, out), b = a;
    b.n = N - 1;
    assert_int_equal(lr_eval_compare(&r, &a, &b, &e), LR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eval__wilson_matches_published_examples),
        cmocka_unit_test(eval__wilson_stays_in_the_unit_interval_at_the_ends),
        cmocka_unit_test(eval__wilson_ends_solve_the_score_equation),
        cmocka_unit_test(eval__paired_interval_matches_published_examples),
        cmocka_unit_test(eval__paired_interval_of_many_images),
        cmocka_unit_test(eval__paired_interval_of_negative_correlation),
        cmocka_unit_test(eval__paired_interval_is_antisymmetric),
        cmocka_unit_test(eval__paired_interval_covers_zero_when_nothing_differs),
        cmocka_unit_test(eval__compare_counts_pairs_agreement_and_error),
        cmocka_unit_test(eval__difference_is_approximated_minus_original),
        cmocka_unit_test(eval__compare_without_labels_leaves_accuracy_unknown),
        cmocka_unit_test(eval__compare_refuses_other_images),
    };
    return cmocka_run_group_tests_name("eval", tests, NULL, NULL);
}
