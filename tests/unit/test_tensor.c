/* Unit tests of random numbers and tensors in src/base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ranklab/rng.h"
#include "ranklab/tensor.h"

static void expect_near(double x, double wanted, double tolerance)
{
    if (!(fabs(x - wanted) <= tolerance))
        fail_msg("%.17g is not %.17g", x, wanted);
}

/* ---- random numbers ---- */

static void rng__gives_the_published_sequence(void **state)
{
    (void)state;
    /* The reference implementations' first outputs: splitmix64 seeded with 1234567, and
     * xoshiro256** from the state {1, 2, 3, 4}. */
    static const uint64_t splitmix[] = {6457827717110365317u, 3203168211198807973u,
                                        9817491932198370423u, 4593380528125082431u};
    static const uint64_t xoshiro[] = {11520u,
                                       0u,
                                       1509978240u,
                                       1215971899390074240u,
                                       1216172134540287360u,
                                       607988272756665600u,
                                       16172922978634559625u,
                                       8476171486693032832u};
    struct lr_rng r = {{1, 2, 3, 4}};

    for (size_t i = 0; i < 8; i++)
        assert_true(lr_rng_next(&r) == xoshiro[i]);
    lr_rng_seed(&r, 1234567);
    for (size_t i = 0; i < 4; i++)
        assert_true(r.s[i] == splitmix[i]);
}

static void rng_below__is_even_and_in_range(void **state)
{
    (void)state;
    enum { N = 60000, SIDES = 6 };
    struct lr_rng r;
    int counts[SIDES] = {0};
    double chi2 = 0;

    lr_rng_seed(&r, 1);
    for (int i = 0; i < N; i++)
        counts[lr_rng_below(&r, SIDES)]++;
    for (int i = 0; i < SIDES; i++)
        chi2 += pow(counts[i] - N / SIDES, 2) / (N / SIDES);
    assert_true(chi2 < 20.5); /* 5 degrees of freedom: one in a thousand */
    for (int i = 0; i < 100; i++)
        assert_true(lr_rng_below(&r, 1) == 0);
    /* 3 * 2^62 leaves a quarter of the range over: a plain remainder would put half of
     * all draws below 2^62. */
    uint64_t n = (uint64_t)3 << 62;
    int low = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t x = lr_rng_below(&r, n);
        assert_true(x < n);
        low += x < (uint64_t)1 << 62;
    }
    assert_in_range(low, 9600, 10400);
}

static void rng_normal__has_the_moments_and_tails_of_a_normal(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct lr_rng r;
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, u = 0, u2 = 0;
    static const double limits[] = {0.25, 0.5, 1, 1.5, 2, 2.5, 3};
    int within[7] = {0};

    lr_rng_seed(&r, 42);
    for (int i = 0; i < N; i++) {
        double x = lr_rng_normal(&r), y = lr_rng_uniform(&r);
        assert_true(y >= 0 && y < 1);
        m1 += x / N;
        m2 += x * x / N;
        m3 += x * x * x / N;
        m4 += x * x * x * x / N;
        u += y / N;
        u2 += y * y / N;
        for (int j = 0; j < 7; j++)
            within[j] += fabs(x) < limits[j];
    }
    /* Five standard errors each. */
    assert_true(fabs(m1) < 5 / sqrt(N));
    assert_true(fabs(m2 - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(m3) < 5 * sqrt(15.0 / N));
    assert_true(fabs(m4 - 3) < 5 * sqrt(96.0 / N));
    assert_true(fabs(u - 0.5) < 5 * sqrt(1 / 12.0 / N));
    assert_true(fabs(u2 - 1 / 3.0) < 5 * sqrt(4 / 45.0 / N));
    for (int j = 0; j < 7; j++) {
        double p = erf(limits[j] / sqrt(2));
        assert_true(fabs(within[j] - N * p) < 5 * sqrt(N * p * (1 - p)));
    }
}

static void rng_permutation__holds_every_index_once(void **state)
{
    (void)state;
    struct lr_rng r;
    int64_t perm[1000];
    int counts[6] = {0}, fixed = 0;
    bool seen[1000] = {false};

    lr_rng_seed(&r, 3);
    lr_rng_permutation(&r, perm, 0);
    lr_rng_permutation(&r, perm, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_in_range(perm[i], 0, 999);
        assert_false(seen[perm[i]]);
        seen[perm[i]] = true;
        fixed += perm[i] == i;
    }
    assert_in_range(fixed, 0, 8);
    for (int i = 0; i < 6000; i++) {
        lr_rng_permutation(&r, perm, 3);
        counts[perm[0] * 2 + (perm[1] > perm[2])]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(counts[i], 850, 1150);
}

static void hash__depends_on_every_argument_and_is_fixed(void **state)
{
    (void)state;
    uint64_t h = lr_hash(1, 2, 3);
    int flips = 0;

    assert_true(h == lr_hash(1, 2, 3));
    assert_true(h != lr_hash(1, 3, 2));
    assert_true(h != lr_hash(2, 1, 3));
    assert_true(h != lr_hash(3, 2, 1));
    assert_true(lr_hash(0, 0, 0) != 0);
    for (int bit = 0; bit < 64; bit++) {
        flips += __builtin_popcountll(h ^ lr_hash(1 ^ (uint64_t)1 << bit, 2, 3));
        flips += __builtin_popcountll(h ^ lr_hash(1, 2 ^ (uint64_t)1 << bit, 3));
        flips += __builtin_popcountll(h ^ lr_hash(1, 2, 3 ^ (uint64_t)1 << bit));
    }
    assert_in_range(flips, 192 * 30, 192 * 34); /* half of 64 bits on average */
}

/* ---- tensors ---- */

static void half__round_trips_every_bit_pattern(void **state)
{
    (void)state;
    for (unsigned h = 0; h <= 0xFFFF; h++) {
        float f = lr_half_to_float((uint16_t)h);
        int exponent = (int)(h >> 10 & 0x1F), mantissa = (int)(h & 0x3FF);
        double wanted =
            exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
        if (exponent == 31)
            wanted = mantissa ? NAN : INFINITY;
        if (h & 0x8000)
            wanted = -wanted;
        if (isnan(wanted) ? !isnan(f) : f != wanted)
            fail_msg("half %04x", h);
        if (lr_float_to_half(f) != h)
            fail_msg("half %04x comes back as %04x", h, lr_float_to_half(f));
    }
}

static void half__rounds_to_nearest_even_between_neighbours(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7BFF; h++) {
        float lo = lr_half_to_float((uint16_t)h),
              hi = lr_half_to_float((uint16_t)(h + 1));
        float mid = lo + (hi - lo) / 2; /* exact in float32 */
        unsigned even = h & 1 ? h + 1 : h;
        if (lr_float_to_half(mid) != even || lr_float_to_half(nextafterf(mid, 0)) != h ||
            lr_float_to_half(nextafterf(mid, INFINITY)) != h + 1 ||
            lr_float_to_half(-mid) != (even | 0x8000))
            fail_msg("beside half %04x", h);
    }
    assert_int_equal(lr_float_to_half(65519.996f), 0x7BFF);
    assert_int_equal(lr_float_to_half(65520.0f), 0x7C00);
    assert_int_equal(lr_float_to_half(1e30f), 0x7C00);
    assert_int_equal(lr_float_to_half(-INFINITY), 0xFC00);
    assert_int_equal(lr_float_to_half(1e-30f), 0);
    uint32_t small_nan = 0x7F800001;
    float f;
    memcpy(&f, &small_nan, sizeof(f));
    assert_true(isnan(lr_half_to_float(lr_float_to_half(f))));
}

static void shape__counts_and_refuses_overflow(void **state)
{
    (void)state;
    struct lr_err e = {0};
    struct lr_shape s = {4, {1, 3, 224, 224}}, t = s;
    char text[LR_MAX_DIMS * 21];
    int64_t n;

    assert_int_equal(lr_shape_count(&n, &s, &e), LR_OK);
    assert_int_equal(n, 150528);
    assert_string_equal(lr_shape_text(text, sizeof(text), &s), "1x3x224x224");
    assert_true(lr_shape_equal(&s, &t));
    t.dims[7] = 5; /* beyond n_dims */
    assert_true(lr_shape_equal(&s, &t));
    t.dims[0] = -1;
    assert_false(lr_shape_equal(&s, &t));
    assert_string_equal(lr_shape_text(text, sizeof(text), &t), "Nx3x224x224");
    assert_int_equal(lr_shape_count(&n, &t, &e), LR_ESHAPE);
    t.dims[0] = INT64_MAX;
    assert_int_equal(lr_shape_count(&n, &t, &e), LR_ESHAPE);
    t.dims[3] = 0; /* an empty tensor, however large the rest */
    assert_int_equal(lr_shape_count(&n, &t, &e), LR_OK);
    assert_int_equal(n, 0);
    t.dims[1] = INT64_MIN;
    assert_int_equal(lr_shape_count(&n, &t, &e), LR_ESHAPE);
    t.n_dims = 9;
    assert_int_equal(lr_shape_count(&n, &t, &e), LR_ESHAPE);
    t.n_dims = 0;
    assert_int_equal(lr_shape_count(&n, &t, &e), LR_OK);
    assert_int_equal(n, 1);
    struct lr_shape widest = {8, {0}};
    for (int i = 0; i < 8; i++)
        widest.dims[i] = INT64_MIN;
    assert_int_equal(strlen(lr_shape_text(text, sizeof(text), &widest)), 8 * 20 + 7);
    assert_string_equal(lr_shape_text(text, 4, &s), "1x3");
}

static void tensor_new__fails_cleanly_when_huge_or_unknown(void **state)
{
    (void)state;
    struct lr_err e = {0};
    struct lr_tensor *t, *u;
    struct lr_shape s = {2, {(int64_t)1 << 31, (int64_t)1 << 31}};

    assert_int_equal(lr_tensor_new(&t, LR_DT_F64, &s, &e), LR_ENOMEM);
    assert_null(t);
    s.dims[1] = (int64_t)1 << 20;
    assert_int_equal(lr_tensor_new(&t, LR_DT_F32, &s, &e), LR_ENOMEM);
    s = (struct lr_shape){1, {3}};
    assert_int_equal(lr_tensor_new(&t, (enum lr_dtype)8, &s, &e), LR_EUNSUP);
    assert_int_equal(lr_tensor_new(&t, (enum lr_dtype)99, &s, &e), LR_EUNSUP);
    assert_int_equal(lr_tensor_new(&t, LR_DT_I16, &s, &e), LR_OK);
    ((int16_t *)t->data)[2] = -7;
    assert_int_equal(lr_tensor_clone(&u, t, &e), LR_OK);
    assert_int_equal(lr_tensor_int_at(u, 0), 0);
    assert_int_equal(lr_tensor_int_at(u, 2), -7);
    lr_tensor_free(t);
    lr_tensor_free(u);
    lr_tensor_free(NULL);
    assert_int_equal(lr_dtype_size(LR_DT_BF16), 2);
    assert_int_equal(lr_dtype_size((enum lr_dtype) - 1), 0);
    assert_string_equal(lr_dtype_name(LR_DT_F32), "float32");
    assert_string_equal(lr_dtype_name((enum lr_dtype)8), "unknown");
}

static void tensor_to_f32__converts_every_type(void **state)
{
    (void)state;
    static const struct {
        enum lr_dtype t;
        union {
            uint64_t bits;
            double d;
            float f;
        } v;
        float wanted;
    } cases[] = {
        {LR_DT_F32, {.f = 1.5f}, 1.5f},
        {LR_DT_F64, {.d = -2.25}, -2.25f},
        {LR_DT_F16, {.bits = 0xC000}, -2},
        {LR_DT_BF16, {.bits = 0x3FC0}, 1.5f},
        {LR_DT_U8, {.bits = 200}, 200},
        {LR_DT_I8, {.bits = 0xFF}, -1},
        {LR_DT_U16, {.bits = 65535}, 65535},
        {LR_DT_I16, {.bits = 0xFFFE}, -2},
        {LR_DT_U32, {.bits = 0xFFFFFFFF}, 4294967296.0f},
        {LR_DT_I32, {.bits = 0xFFFFFFFD}, -3},
        {LR_DT_U64, {.bits = UINT64_MAX}, 18446744073709551616.0f},
        {LR_DT_I64, {.bits = UINT64_MAX}, -1},
        {LR_DT_BOOL, {.bits = 1}, 1},
    };
    struct lr_err e = {0};
    struct lr_shape s = {1, {1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_tensor *t, *f;
        assert_int_equal(lr_tensor_new(&t, cases[i].t, &s, &e), LR_OK);
        memcpy(t->data, &cases[i].v, lr_dtype_size(cases[i].t)); /* little-endian host */
        assert_int_equal(lr_tensor_to_f32(&f, t, &e), LR_OK);
        assert_int_equal(f->dtype, LR_DT_F32);
        expect_near(*(float *)f->data, cases[i].wanted, 0);
        lr_tensor_free(t);
        lr_tensor_free(f);
    }
}

static void all_finite__finds_one_bad_value_anywhere(void **state)
{
    (void)state;
    enum { N = 9000 };
    static float x[N];
    static const size_t places[] = {0, 1, 4095, 4096, 8191, 8192, N - 1};

    assert_true(lr_all_finite(x, 0));
    x[5] = 3.4e38f;
    x[6] = 1e-45f;
    assert_true(lr_all_finite(x, N));
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        x[places[i]] = i % 2 ? NAN : -INFINITY;
        assert_false(lr_all_finite(x, N));
        assert_true(lr_all_finite(x, places[i]));
        x[places[i]] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng__gives_the_published_sequence),
        cmocka_unit_test(rng_below__is_even_and_in_range),
        cmocka_unit_test(rng_normal__has_the_moments_and_tails_of_a_normal),
        cmocka_unit_test(rng_permutation__holds_every_index_once),
        cmocka_unit_test(hash__depends_on_every_argument_and_is_fixed),
        cmocka_unit_test(half__round_trips_every_bit_pattern),
        cmocka_unit_test(half__rounds_to_nearest_even_between_neighbours),
        cmocka_unit_test(shape__counts_and_refuses_overflow),
        cmocka_unit_test(tensor_new__fails_cleanly_when_huge_or_unknown),
        cmocka_unit_test(tensor_to_f32__converts_every_type),
        cmocka_unit_test(all_finite__finds_one_bad_value_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
