/* Unit tests of the streamed moments in src/la against two passes in long double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

static double *zeros(size_t n)
{
    double *x = lr_calloc(n, sizeof(*x));

    assert_non_null(x);
    return x;
}

struct pairs {
    size_t rows, da, db, lda, ldb;
    float *a, *b;
};

static struct pairs make_pairs(struct lr_rng *r, size_t rows, size_t da, size_t db,
                               float mean, float deviation)
{
    struct pairs p = {rows, da, db, da + 2, db + 1, NULL, NULL};

    p.a = lr_alloc(rows * p.lda, sizeof(float));
    p.b = lr_alloc(rows * p.ldb, sizeof(float));
    assert_non_null(p.a);
    assert_non_null(p.b);
    for (size_t i = 0; i < rows * p.lda; i++)
        p.a[i] = mean + deviation * (float)lr_rng_normal(r);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < p.ldb; j++)
            p.b[i * p.ldb + j] = -mean + 0.5f * p.a[i * p.lda + j % da] +
                                 deviation * (float)lr_rng_normal(r);
    return p;
}

static void free_pairs(struct pairs *p)
{
    lr_free(p->a);
    lr_free(p->b);
}

static long double mean_at(const float *x, size_t rows, size_t ld, size_t j)
{
    long double sum = 0;

    for (size_t i = 0; i < rows; i++)
        sum += x[i * ld + j];
    return sum / (long double)rows;
}

/* Compares with two passes in long double; tolerance is relative to the deviations. */
static void expect_moments(const struct lr_moments *m, size_t rows, const float *a,
                           size_t lda, const float *b, size_t ldb, double tolerance)
{
    size_t da = m->da, db = m->db;
    double *mean_a = zeros(da), *mean_b = zeros(db), *c = zeros(da * db);

    lr_moments_finish(m, mean_a, mean_b, c);
    assert_int_equal(m->n, rows);
    for (size_t i = 0; i < da; i++) {
        long double ma = mean_at(a, rows, lda, i);
        assert_true(fabsl(mean_a[i] - ma) <= 1e-14L * (1 + fabsl(ma)));
        for (size_t j = 0; j < db; j++) {
            long double mb = mean_at(b, rows, ldb, j), sum = 0, sa = 0, sb = 0;
            for (size_t l = 0; l < rows; l++) {
                long double x = a[l * lda + i] - ma, y = b[l * ldb + j] - mb;
                sum += x * y;
                sa += x * x;
                sb += y * y;
            }
            if (!(fabsl(c[i * db + j] - sum) <= tolerance * sqrtl(sa * sb)))
                fail_msg("(%zu, %zu): %.17g, not %.17Lg", i, j, c[i * db + j], sum);
            if (i == 0)
                assert_true(fabsl(mean_b[j] - mb) <= 1e-14L * (1 + fabsl(mb)));
        }
    }
    lr_free(mean_a);
    lr_free(mean_b);
    lr_free(c);
}

static void moments__equal_two_passes_for_pairs_and_for_one_set(void **state)
{
    (void)state;
    static const size_t rows[] = {1, 2, 100, 511, 512, 513, 1500};
    struct lr_err e = {0};
    struct lr_moments m;
    struct lr_rng r;

    lr_rng_seed(&r, 12);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pairs p = make_pairs(&r, rows[i], 6, 4, 3, 1);
        assert_int_equal(lr_moments_init(&m, 6, 4, &e), LR_OK);
        assert_int_equal(lr_moments_add(&m, rows[i], p.a, p.lda, p.b, p.ldb, &e), LR_OK);
        expect_moments(&m, rows[i], p.a, p.lda, p.b, p.ldb, 1e-13);
        lr_moments_free(&m);

        assert_int_equal(lr_moments_init(&m, 6, 6, &e), LR_OK);
        assert_int_equal(lr_moments_add(&m, rows[i], p.a, p.lda, p.a, p.lda, &e), LR_OK);
        assert_true(m.is_gram);
        expect_moments(&m, rows[i], p.a, p.lda, p.a, p.lda, 1e-13);
        lr_moments_free(&m);
        free_pairs(&p);
    }
}

static void moments__keep_nine_digits_when_the_mean_is_large(void **state)
{
    (void)state;
    enum { ROWS = 3000 };
    struct lr_err e = {0};
    struct lr_moments m;
    struct lr_rng r;

    lr_rng_seed(&r, 13);
    struct pairs p = make_pairs(&r, ROWS, 5, 3, 1e4f, 1);
    /* The first row far off must not spoil it either. */
    for (size_t j = 0; j < 5; j++)
        p.a[j] += 50;
    assert_int_equal(lr_moments_init(&m, 5, 3, &e), LR_OK);
    assert_int_equal(lr_moments_add(&m, ROWS, p.a, p.lda, p.b, p.ldb, &e), LR_OK);
    expect_moments(&m, ROWS, p.a, p.lda, p.b, p.ldb, 1e-12);
    lr_moments_free(&m);
    assert_int_equal(lr_moments_init(&m, 5, 5, &e), LR_OK);
    assert_int_equal(lr_moments_add(&m, ROWS, p.a, p.lda, p.a, p.lda, &e), LR_OK);
    expect_moments(&m, ROWS, p.a, p.lda, p.a, p.lda, 1e-12);
    lr_moments_free(&m);
    /* So few rows that no block was ever full. */
    assert_int_equal(lr_moments_init(&m, 5, 3, &e), LR_OK);
    assert_int_equal(lr_moments_add(&m, 40, p.a, p.lda, p.b, p.ldb, &e), LR_OK);
    expect_moments(&m, 40, p.a, p.lda, p.b, p.ldb, 1e-12);
    lr_moments_free(&m);
    free_pairs(&p);
}

static void moments__do_not_depend_on_how_rows_are_cut(void **state)
{
    (void)state;
    enum { ROWS = 2100, DA = 7, DB = 7 };
    static const size_t pieces[] = {1, 3, 100, 511, 512, 513, 1030, ROWS};
    struct lr_err e = {0};
    struct lr_rng r;
    double first[DA + DB + DA * DB], c[DA + DB + DA * DB];

    lr_rng_seed(&r, 14);
    struct pairs p = make_pairs(&r, ROWS, DA, DB, 20, 1);
    for (int is_gram = 0; is_gram < 2; is_gram++)
        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            struct lr_moments m;
            const float *b = is_gram ? p.a : p.b;
            size_t ldb = is_gram ? p.lda : p.ldb;
            assert_int_equal(lr_moments_init(&m, DA, DB, &e), LR_OK);
            for (size_t at = 0; at < ROWS; at += pieces[i]) {
                size_t n = ROWS - at < pieces[i] ? ROWS - at : pieces[i];
                assert_int_equal(
                    lr_moments_add(&m, n, p.a + at * p.lda, p.lda, b + at * ldb, ldb, &e),
                    LR_OK);
                if (at == 0) /* looking in between changes nothing */
                    lr_moments_finish(&m, NULL, NULL, c);
            }
            double *out = i == 0 ? first : c;
            lr_moments_finish(&m, out, out + DA, out + DA + DB);
            if (i)
                assert_memory_equal(c, first, sizeof(c));
            lr_moments_free(&m);
        }
    free_pairs(&p);
}

/* Rows dealt to three accumulators of one shift, and added up. */
static void moments__merged_are_those_of_all_rows(void **state)
{
    (void)state;
    enum { ROWS = 1700 };
    static const size_t cuts[] = {0, 600, 1050, ROWS};
    struct lr_rng r;
    struct lr_err e = {0};

    lr_rng_seed(&r, 31);
    struct pairs p = make_pairs(&r, ROWS, 9, 9, 1e3f, 1);
    for (int is_one_set = 0; is_one_set < 2; is_one_set++) {
        const float *b = is_one_set ? p.a : p.b;
        size_t ldb = is_one_set ? p.lda : p.ldb;
        struct lr_moments m[3];
        for (int i = 0; i < 3; i++) {
            assert_int_equal(lr_moments_init(&m[i], 9, 9, &e), LR_OK);
            lr_moments_shift(&m[i], 100, p.a, p.lda, b, ldb);
            assert_int_equal(lr_moments_add(&m[i], cuts[i + 1] - cuts[i],
                                            p.a + cuts[i] * p.lda, p.lda,
                                            b + cuts[i] * ldb, ldb, &e),
                             LR_OK);
        }
        assert_int_equal(lr_moments_merge(&m[0], &m[1], &e), LR_OK);
        assert_int_equal(lr_moments_merge(&m[0], &m[2], &e), LR_OK);
        expect_moments(&m[0], ROWS, p.a, p.lda, b, ldb, 1e-12);
        lr_moments_free(&m[2]);
        assert_int_equal(lr_moments_init(&m[2], 9, 9, &e), LR_OK);
        lr_moments_shift(&m[2], 50, p.a, p.lda, b, ldb);
        assert_int_equal(lr_moments_merge(&m[0], &m[2], &e), LR_EINVAL);
        for (int i = 0; i < 3; i++)
            lr_moments_free(&m[i]);
    }
    free_pairs(&p);
}

static void moments__go_on_when_pairs_follow_one_set(void **state)
{
    (void)state;
    enum { ROWS = 1400, SAME = 700 };
    struct lr_err e = {0};
    struct lr_moments m;
    struct lr_rng r;

    lr_rng_seed(&r, 15);
    struct pairs p = make_pairs(&r, ROWS, 5, 5, 2, 1);
    for (size_t i = 0; i < SAME; i++)
        memcpy(p.b + i * p.ldb, p.a + i * p.lda, 5 * sizeof(float));
    assert_int_equal(lr_moments_init(&m, 5, 5, &e), LR_OK);
    assert_int_equal(lr_moments_add(&m, SAME, p.a, p.lda, p.a, p.lda, &e), LR_OK);
    assert_int_equal(lr_moments_add(&m, ROWS - SAME, p.a + SAME * p.lda, p.lda,
                                    p.b + SAME * p.ldb, p.ldb, &e),
                     LR_OK);
    assert_false(m.is_gram);
    expect_moments(&m, ROWS, p.a, p.lda, p.b, p.ldb, 1e-13);
    lr_moments_free(&m);
    free_pairs(&p);
}

static void moments__are_exactly_symmetric_for_one_set(void **state)
{
    (void)state;
    enum { D = 37 };
    struct lr_err e = {0};
    struct lr_moments m;
    struct lr_rng r;

    lr_rng_seed(&r, 16);
    struct pairs p = make_pairs(&r, 900, D, 1, 1, 1);
    double *c = zeros(D * D);
    assert_int_equal(lr_moments_init(&m, D, D, &e), LR_OK);
    assert_int_equal(lr_moments_add(&m, 900, p.a, p.lda, p.a, p.lda, &e), LR_OK);
    lr_moments_finish(&m, NULL, NULL, c);
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < D; j++)
            assert_true(c[i * D + j] == c[j * D + i]);
    lr_moments_free(&m);
    lr_free(c);
    free_pairs(&p);
}

static void moments__handle_nothing_and_refuse_impossible_sizes(void **state)
{
    (void)state;
    struct lr_err e = {0};
    struct lr_moments m;
    float a[4] = {1, 2, 3, 4};
    double mean[2] = {9, 9}, c[4] = {9, 9, 9, 9};

    assert_int_equal(lr_moments_init(&m, 2, 2, &e), LR_OK);
    assert_int_equal(lr_moments_add(&m, 0, a, 2, a, 2, &e), LR_OK);
    lr_moments_finish(&m, mean, mean, c);
    for (int i = 0; i < 4; i++)
        assert_true(c[i] == 0 && mean[i % 2] == 0);
    assert_int_equal(lr_moments_add(&m, 2, a, 1, a, 2, &e), LR_EINVAL);
    assert_int_equal(m.n, 0);
    a[3] = NAN;
    assert_int_equal(lr_moments_add(&m, 2, a, 2, a, 2, &e), LR_OK);
    lr_moments_finish(&m, mean, NULL, c);
    assert_true(mean[0] == 2 && isnan(mean[1]) && isnan(c[3]));
    lr_moments_free(&m);
    lr_moments_free(&m);
    assert_int_equal(lr_moments_init(&m, 3, 0, &e), LR_OK);
    assert_int_equal(lr_moments_add(&m, 1, a, 3, a, 0, &e), LR_OK);
    lr_moments_finish(&m, NULL, NULL, c);
    lr_moments_free(&m);
    assert_int_equal(lr_moments_init(&m, (size_t)INT_MAX + 1, 1, &e), LR_EINVAL);
    assert_int_equal(lr_moments_init(&m, INT_MAX / 2, INT_MAX / 2, &e), LR_ENOMEM);
    assert_null(m.cross);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments__equal_two_passes_for_pairs_and_for_one_set),
        cmocka_unit_test(moments__keep_nine_digits_when_the_mean_is_large),
        cmocka_unit_test(moments__do_not_depend_on_how_rows_are_cut),
        cmocka_unit_test(moments__merged_are_those_of_all_rows),
        cmocka_unit_test(moments__go_on_when_pairs_follow_one_set),
        cmocka_unit_test(moments__are_exactly_symmetric_for_one_set),
        cmocka_unit_test(moments__handle_nothing_and_refuse_impossible_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
