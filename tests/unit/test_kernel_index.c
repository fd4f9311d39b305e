/* Kernels that go along a sequence or put numbers by indices, against naive loops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/kernel.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

enum { T = 4, B = 2, I = 3, H = 5, G = 4 };

static void fill(float *x, size_t n, uint64_t seed)
{
    struct lr_rng r;

    lr_rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(0.5 * lr_rng_normal(&r));
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* One direction and image of an LSTM in double; y: [T][H]. */
static void naive_lstm(double y[T][H], const float *x, const float *w, const float *m,
                       const float *bias, int image, bool is_reverse)
{
    double h[H] = {0}, c[H] = {0}, gate[G][H], next[H];

    for (int step = 0; step < T; step++) {
        int t = is_reverse ? T - 1 - step : step;
        for (int g = 0; g < G; g++)
            for (int j = 0; j < H; j++) {
                int row = g * H + j;
                double sum = (double)bias[row] + (double)bias[G * H + row];
                for (int i = 0; i < I; i++)
                    sum += (double)w[row * I + i] * (double)x[(t * B + image) * I + i];
                for (int i = 0; i < H; i++)
                    sum += (double)m[row * H + i] * h[i];
                gate[g][j] = sum;
            }
        for (int j = 0; j < H; j++) {
            c[j] = sigmoid(gate[2][j]) * c[j] + sigmoid(gate[0][j]) * tanh(gate[3][j]);
            next[j] = sigmoid(gate[1][j]) * tanh(c[j]);
        }
        memcpy(h, next, sizeof(h));
        memcpy(y[t], next, sizeof(h));
    }
}

static void recurrent__equals_naive_loops_in_both_directions(void **state)
{
    float x[T * B * I], w[2 * G * H * I], m[2 * G * H * H], bias[2 * 2 * G * H];
    float y[T * 2 * B * H], last[2 * B * H];
    struct lr_recurrent r = {.kind = LR_LSTM,
                             .length = T,
                             .batch = B,
                             .input = I,
                             .hidden = H,
                             .directions = 2,
                             .has_bias = true,
                             .has_y = true,
                             .has_y_h = true};
    struct lr_kernel k;
    void *bufs[] = {x, w, m, bias, y, last};
    (void)state;

    fill(x, T * B * I, 1);
    fill(w, 2 * G * H * I, 2);
    fill(m, 2 * G * H * H, 3);
    fill(bias, 2 * 2 * G * H, 4);
    assert_int_equal(lr_kernel_recurrent(&k, &r, NULL), LR_OK);
    k.run(k.arg, bufs);
    k.run(k.arg, bufs); /* begins anew */
    for (int d = 0; d < 2; d++)
        for (int b = 0; b < B; b++) {
            double want[T][H];
            naive_lstm(want, x, w + d * G * H * I, m + d * G * H * H,
                       bias + d * 2 * G * H, b, d == 1);
            for (int t = 0; t < T; t++)
                for (int j = 0; j < H; j++)
                    assert_true(fabs((double)y[((t * 2 + d) * B + b) * H + j] -
                                     want[t][j]) < 1e-5);
            for (int j = 0; j < H; j++)
                assert_true(fabs((double)last[(d * B + b) * H + j] -
                                 want[d ? 0 : T - 1][j]) < 1e-5);
        }
    lr_free(k.arg);
}

static void top__orders_and_puts_the_first_of_equal_ones_first(void **state)
{
    float in[] = {3, 1, 3, 2}, values[3];
    int64_t places[3];
    struct lr_kernel k;
    void *bufs[] = {in, values, places};
    (void)state;

    assert_int_equal(lr_kernel_top(&k, 1, 4, 1, 3, true, LR_DT_F32, true, true, NULL),
                     LR_OK);
    k.run(k.arg, bufs);
    lr_free(k.arg);
    assert_true(values[0] == 3 && values[1] == 3 && values[2] == 2);
    assert_true(places[0] == 0 && places[1] == 2 && places[2] == 3);
    /* the smallest, their places alone */
    void *alone[] = {in, places};
    assert_int_equal(lr_kernel_top(&k, 1, 4, 1, 3, false, LR_DT_F32, false, true, NULL),
                     LR_OK);
    k.run(k.arg, alone);
    lr_free(k.arg);
    assert_true(places[0] == 1 && places[1] == 3 && places[2] == 0);
}

static void scatter_nd__adds_one_row_after_the_other(void **state)
{
    float data[6] = {1, 2, 3, 4, 5, 6}, updates[4] = {10, 20, 30, 40}, out[6];
    int64_t index[2] = {2, -1};
    struct lr_shape s = {2, {3, 2}}, i = {2, {2, 1}}, u = {2, {2, 2}};
    struct lr_kernel k;
    void *bufs[] = {data, index, updates, out};
    const float want[] = {1, 2, 3, 4, 45, 66};
    (void)state;

    assert_int_equal(
        lr_kernel_scatter_nd(&k, &s, &i, &u, LR_SCATTER_ADD, LR_DT_F32, NULL), LR_OK);
    k.run(k.arg, bufs);
    lr_free(k.arg);
    assert_memory_equal(out, want, sizeof(want));
    u.dims[1] = 1;
    assert_int_equal(
        lr_kernel_scatter_nd(&k, &s, &i, &u, LR_SCATTER_ADD, LR_DT_F32, NULL), LR_ESHAPE);
}

static void scatter__wraps_integers_in_their_own_width(void **state)
{
    const struct {
        enum lr_dtype t;
        enum lr_scatter f;
        int64_t data, update, want;
    } cases[] = {{LR_DT_I32, LR_SCATTER_ADD, INT32_MAX, 5, (int64_t)INT32_MIN + 4},
                 {LR_DT_U8, LR_SCATTER_MUL, 100, 3, 44},
                 {LR_DT_I64, LR_SCATTER_ADD, INT32_MAX, 5, (int64_t)INT32_MAX + 5},
                 {LR_DT_U64, LR_SCATTER_MAX, -1, 7, -1},
                 {LR_DT_U64, LR_SCATTER_MIN, -1, 7, 7},
                 {LR_DT_I64, LR_SCATTER_MAX, -1, 7, 7}};
    struct lr_shape s = {1, {1}}, i = {2, {1, 1}};
    int64_t index = 0, out;
    (void)state;

    for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
        int64_t data = cases[j].data, update = cases[j].update;
        struct lr_kernel k;
        void *bufs[] = {&data, &index, &update, &out};
        assert_int_equal(
            lr_kernel_scatter_nd(&k, &s, &i, &s, cases[j].f, cases[j].t, NULL), LR_OK);
        k.run(k.arg, bufs);
        lr_free(k.arg);
        assert_true(out == cases[j].want);
    }
}

static void scatter__keeps_what_is_no_number(void **state)
{
    struct lr_shape s = {1, {2}}, i = {1, {2}};
    int64_t index[2] = {0, 1};
    float data[2] = {1, NAN}, updates[2] = {NAN, 1}, out[2];
    struct lr_kernel k;
    void *bufs[] = {data, index, updates, out};
    (void)state;

    for (int f = LR_SCATTER_MAX; f <= LR_SCATTER_MIN; f++) {
        assert_int_equal(lr_kernel_scatter_elements(&k, &s, &i, &s, 0, (enum lr_scatter)f,
                                                    LR_DT_F32, NULL),
                         LR_OK);
        k.run(k.arg, bufs);
        lr_free(k.arg);
        assert_true(isnan(out[0]) && isnan(out[1]));
    }
}

/* Integers that a double cannot tell apart. */
static void top__tells_large_integers_apart(void **state)
{
    const int64_t big = (int64_t)1 << 60;
    int64_t in[] = {big, big + 2, big + 1, -1}, places[4];
    struct lr_kernel k;
    void *bufs[] = {in, places};
    (void)state;

    assert_int_equal(lr_kernel_top(&k, 1, 4, 1, 4, true, LR_DT_I64, false, true, NULL),
                     LR_OK);
    k.run(k.arg, bufs);
    lr_free(k.arg);
    assert_true(places[0] == 1 && places[1] == 2 && places[2] == 0 && places[3] == 3);
    assert_int_equal(lr_kernel_top(&k, 1, 4, 1, 4, true, LR_DT_U64, false, true, NULL),
                     LR_OK);
    k.run(k.arg, bufs);
    lr_free(k.arg);
    assert_true(places[0] == 3 && places[1] == 1 && places[2] == 2 && places[3] == 0);
}

static void one_hot__cuts_fractions_off(void **state)
{
    float index[] = {1.7F, -0.6F, -1.2F, 3}, values[2] = {0, 1}, depth = 3, out[12];
    const float want[12] = {0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0};
    struct lr_kernel k;
    void *bufs[] = {index, &depth, values, out};
    (void)state;

    assert_int_equal(lr_kernel_one_hot(&k, 4, 3, 1, true, true, NULL), LR_OK);
    k.run(k.arg, bufs);
    lr_free(k.arg);
    assert_memory_equal(out, want, sizeof(want));
}

static void indices__stay_within_the_data(void **state)
{
    float data[2] = {1, 2}, out[2];
    int64_t index[2] = {INT64_MAX, INT64_MIN};
    struct lr_shape s = {1, {2}}, i = {2, {2, 1}};
    struct lr_kernel k;
    void *bufs[] = {data, index, out};
    (void)state;

    assert_int_equal(lr_kernel_gather_nd(&k, &s, &i, 0, LR_DT_F32, NULL), LR_OK);
    k.run(k.arg, bufs);
    lr_free(k.arg);
    assert_true(out[0] == 2 && out[1] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recurrent__equals_naive_loops_in_both_directions),
        cmocka_unit_test(top__orders_and_puts_the_first_of_equal_ones_first),
        cmocka_unit_test(scatter_nd__adds_one_row_after_the_other),
        cmocka_unit_test(scatter__wraps_integers_in_their_own_width),
        cmocka_unit_test(scatter__keeps_what_is_no_number),
        cmocka_unit_test(top__tells_large_integers_apart),
        cmocka_unit_test(one_hot__cuts_fractions_off),
        cmocka_unit_test(indices__stay_within_the_data),
    };
    return cmocka_run_group_tests_name("kernel_index", tests, NULL, NULL);
}
