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

    assert_int_equal(lr_kernel_top(&k, 1, 4, 1, 3, true, true, true, true, NULL), LR_OK);
    k.run(k.arg, bufs);
    lr_free(k.arg);
    assert_true(values[0] == 3 && values[1] == 3 && values[2] == 2);
    assert_true(places[0] == 0 && places[1] == 2 && places[2] == 3);
    /* the smallest, their places alone */
    void *alone[] = {in, places};
    assert_int_equal(lr_kernel_top(&k, 1, 4, 1, 3, false, true, false, true, NULL),
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

    assert_int_equal(lr_kernel_scatter_nd(&k, &s, &i, &u, LR_SCATTER_ADD, true, NULL),
                     LR_OK);
    k.run(k.arg, bufs);
    lr_free(k.arg);
    assert_memory_equal(out, want, sizeof(want));
    u.dims[1] = 1;
    assert_int_equal(lr_kernel_scatter_nd(&k, &s, &i, &u, LR_SCATTER_ADD, true, NULL),
                     LR_ESHAPE);
}

static void indices__stay_within_the_data(void **state)
{
    float data[2] = {1, 2}, out[2];
    int64_t index[2] = {INT64_MAX, INT64_MIN};
    struct lr_shape s = {1, {2}}, i = {2, {2, 1}};
    struct lr_kernel k;
    void *bufs[] = {data, index, out};
    (void)state;

    assert_int_equal(lr_kernel_gather_nd(&k, &s, &i, 0, true, NULL), LR_OK);
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
        cmocka_unit_test(indices__stay_within_the_data),
    };
    return cmocka_run_group_tests_name("kernel_index", tests, NULL, NULL);
}
