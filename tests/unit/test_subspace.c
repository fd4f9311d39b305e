/* Unit tests of the block that follows the leading eigenvectors of changing matrices,
 * against full decompositions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

enum { N = 90, WANTED = 12 };

static double *normals(struct lr_rng *r, size_t n)
{
    double *x = lr_alloc(n, sizeof(*x));

    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = lr_rng_normal(r);
    return x;
}

/* root: the first n_columns columns of k, column j divided by 1 + j; a = root root^T. */
static void spread(double *a, double *root, const double *k, size_t n_columns)
{
    memset(a, 0, N * N * sizeof(*a));
    for (size_t i = 0; i < N; i++)
        for (size_t c = 0; c < N; c++)
            root[i * N + c] = c < n_columns ? k[i * N + c] / (double)(1 + c) : 0;
    for (size_t c = 0; c < n_columns; c++)
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++)
                a[i * N + j] += root[i * N + c] * root[j * N + c];
}

/* Decomposes a and starts the block from it. */
static void start(struct lr_la_subspace *s, const double *a)
{
    static double vec[N * N], eig[N];

    memcpy(vec, a, sizeof(vec));
    assert_int_equal(lr_la_eigh(N, vec, eig, NULL), LR_OK);
    lr_la_subspace_start(s, vec);
}

/* The wanted rows are orthonormal and hold as much of a as those of lr_la_eigh do. */
static void expect_leading(const struct lr_la_subspace *s, const double *a)
{
    static double vec[N * N], eig[N];
    double best = 0, kept = 0, trace = 0;

    memcpy(vec, a, sizeof(vec));
    assert_int_equal(lr_la_eigh(N, vec, eig, NULL), LR_OK);
    for (size_t i = 0; i < WANTED; i++) {
        best += eig[i];
        for (size_t j = 0; j <= i; j++) {
            double dot = 0;
            for (size_t l = 0; l < N; l++)
                dot += s->v[i * N + l] * s->v[j * N + l];
            assert_true(fabs(dot - (i == j)) < 1e-12);
        }
        for (size_t j = 0; j < N; j++)
            for (size_t l = 0; l < N; l++)
                kept += s->v[i * N + j] * a[j * N + l] * s->v[i * N + l];
    }
    for (size_t i = 0; i < N; i++)
        trace += a[i * N + i];
    assert_true(kept <= best + 1e-12 * trace);
    assert_true(best - kept <= 1e-6 * (trace - best) + 1e-11 * trace);
}

/* s->vk = s->v k */
static void expect_images(const struct lr_la_subspace *s, const double *k)
{
    for (size_t i = 0; i < WANTED; i++)
        for (size_t c = 0; c < N; c++) {
            double sum = 0, size = 0;
            for (size_t j = 0; j < N; j++) {
                sum += s->v[i * N + j] * k[j * N + c];
                size += fabs(s->v[i * N + j] * k[j * N + c]);
            }
            assert_true(fabs(sum - s->vk[i * N + c]) <= 1e-5 * size + 1e-5);
        }
}

static void subspace__follows_a_matrix_that_changes_slowly(void **state)
{
    (void)state;
    struct lr_la_subspace s[2];
    struct lr_rng r;
    int n_found = 0;

    lr_rng_seed(&r, 1);
    double *k = normals(&r, N * N), *step = normals(&r, N * N);
    static double a[N * N], root[N * N];
    for (int t = 0; t < 2; t++) {
        assert_int_equal(lr_la_subspace_init(&s[t], N, N, WANTED, NULL), LR_OK);
        s[t].n_threads = t + 1;
    }
    assert_true(s[0].m > WANTED && s[0].m <= N / 2);
    spread(a, root, k, N);
    for (int t = 0; t < 2; t++)
        start(&s[t], a);
    for (int i = 0; i < 20; i++) {
        bool is_found[2];
        for (size_t j = 0; j < N * N; j++)
            k[j] += 0.02 / (1 + i) * step[j];
        spread(a, root, k, N);
        for (int t = 0; t < 2; t++)
            assert_int_equal(lr_la_subspace_next(&is_found[t], &s[t], root, NULL), LR_OK);
        assert_int_equal(is_found[0], is_found[1]);
        n_found += is_found[0];
        if (is_found[0]) {
            expect_leading(&s[0], a);
            assert_memory_equal(s[0].v, s[1].v, s[0].m * N * sizeof(double));
            expect_images(&s[0], root);
        } else {
            start(&s[0], a);
            start(&s[1], a);
        }
    }
    assert_true(n_found >= 18);
    for (int t = 0; t < 2; t++)
        lr_la_subspace_free(&s[t]);
    lr_free(k);
    lr_free(step);
}

/* A matrix that has nothing to do with the one before: found is found. */
static void subspace__does_not_claim_what_it_has_not(void **state)
{
    (void)state;
    struct lr_la_subspace s;
    static double a[N * N], root[N * N];
    int n_lost = 0;

    assert_int_equal(lr_la_subspace_init(&s, N, N, WANTED, NULL), LR_OK);
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct lr_rng r;
        bool is_found;
        lr_rng_seed(&r, 100 + seed);
        double *k = normals(&r, N * N), *other = normals(&r, N * N);
        spread(a, root, k, N);
        start(&s, a);
        for (size_t i = 0; i < N * N; i++)
            k[i] += (double)(seed % 10) * other[i];
        spread(a, root, k, N);
        assert_int_equal(lr_la_subspace_next(&is_found, &s, root, NULL), LR_OK);
        if (is_found)
            expect_leading(&s, a);
        n_lost += !is_found;
        assert_int_equal(s.is_warm, is_found);
        lr_free(k);
        lr_free(other);
    }
    assert_true(n_lost > 0);
    lr_la_subspace_free(&s);
}

/* Fewer directions than the block has, none at all, and what is no number. */
static void subspace__leaves_degenerate_matrices_alone(void **state)
{
    (void)state;
    static const size_t ranks[] = {0, 1, WANTED - 1, WANTED, WANTED + 1};
    struct lr_la_subspace s;
    struct lr_rng r;
    static double a[N * N], root[N * N];
    bool is_found;

    lr_rng_seed(&r, 2);
    double *k = normals(&r, N * N);
    assert_int_equal(lr_la_subspace_init(&s, N, N, WANTED, NULL), LR_OK);
    for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
        spread(a, root, k, ranks[i]);
        start(&s, a);
        assert_int_equal(lr_la_subspace_next(&is_found, &s, root, NULL), LR_OK);
        if (is_found)
            expect_leading(&s, a);
    }
    spread(a, root, k, N);
    start(&s, a);
    root[5] = NAN;
    enum lr_status st = lr_la_subspace_next(&is_found, &s, root, NULL);
    assert_true(st == LR_ENUMERIC || !is_found);
    lr_la_subspace_free(&s);
    lr_free(k);
}

static void subspace__of_much_of_the_space_is_no_subspace(void **state)
{
    (void)state;
    struct lr_la_subspace s;
    double root[1] = {1};
    bool is_found = true;

    assert_int_equal(lr_la_subspace_width(64, 0), 0);
    assert_int_equal(lr_la_subspace_width(64, 30), 0);
    assert_int_equal(lr_la_subspace_width(10, 3), 0);
    assert_int_equal(lr_la_subspace_width(64, 16), 24);
    assert_int_equal(lr_la_subspace_init(&s, 64, 64, 30, NULL), LR_OK);
    lr_la_subspace_start(&s, root);
    assert_int_equal(lr_la_subspace_next(&is_found, &s, root, NULL), LR_OK);
    assert_false(is_found);
    lr_la_subspace_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subspace__follows_a_matrix_that_changes_slowly),
        cmocka_unit_test(subspace__does_not_claim_what_it_has_not),
        cmocka_unit_test(subspace__leaves_degenerate_matrices_alone),
        cmocka_unit_test(subspace__of_much_of_the_space_is_no_subspace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
