/* Images read at positions that are data: bilinear, bicubic (a = -0.75) or the nearest
 * value. Positions run from -1 to 1 across the image; beyond it there are zeros, the
 * value at the border, or the image reflected. */
#include <math.h>

#include "kernel/kernel.h"

struct grid {
    struct lr_grid g;
};

static double reflect(double x, double lo, double hi)
{
    const double span = hi - lo;

    if (span <= 0)
        return lo;
    x = fabs(x - lo);
    const double turns = floor(x / span), rest = x - turns * span;
    return fmod(turns, 2) == 0 ? lo + rest : hi - rest;
}

/* Position x of n values, in values. */
static double place(const struct lr_grid *g, double x, int64_t n)
{
    return g->is_aligned ? (x + 1) / 2 * (double)(n - 1) : ((x + 1) * (double)n - 1) / 2;
}

static double keep_within(const struct lr_grid *g, double x, int64_t n)
{
    const double edge = (double)(n - 1);

    if (g->pad == LR_GRID_BORDER)
        return x < 0 ? 0 : x > edge ? edge : x;
    if (g->pad == LR_GRID_REFLECTION) {
        x = g->is_aligned ? reflect(x, 0, edge) : reflect(x, -0.5, edge + 0.5);
        return x < 0 ? 0 : x > edge ? edge : x;
    }
    return x;
}

static double value_at(const struct lr_grid *g, const float *x, double row, double column)
{
    if (g->pad != LR_GRID_ZEROS) {
        row = keep_within(g, row, g->h);
        column = keep_within(g, column, g->w);
    }
    if (!(row >= 0 && row < (double)g->h && column >= 0 && column < (double)g->w))
        return 0;
    return (double)x[(int64_t)row * g->w + (int64_t)column];
}

static void cubic(double weights[4], double t)
{
    const double a = -0.75;

    for (int i = 0; i < 4; i++) {
        const double x = fabs(t + 1 - i);
        weights[i] = x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1
                            : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    }
}

static float sample(const struct lr_grid *g, const float *x, double row, double column)
{
    double by_row[4] = {1, 0, 0, 0}, by_column[4] = {1, 0, 0, 0}, sum = 0;
    const int taps = g->mode == LR_GRID_NEAREST ? 1 : g->mode == LR_GRID_LINEAR ? 2 : 4;

    if (!isfinite(row) || !isfinite(column))
        return 0;
    if (g->mode != LR_GRID_CUBIC) {
        row = keep_within(g, row, g->h);
        column = keep_within(g, column, g->w);
    }
    double r = floor(row), c = floor(column);
    if (g->mode == LR_GRID_NEAREST) {
        r = rint(row);
        c = rint(column);
    } else if (g->mode == LR_GRID_LINEAR) {
        by_row[1] = row - r;
        by_row[0] = 1 - by_row[1];
        by_column[1] = column - c;
        by_column[0] = 1 - by_column[1];
    } else {
        cubic(by_row, row - r);
        cubic(by_column, column - c);
        r -= 1;
        c -= 1;
    }
    for (int i = 0; i < taps; i++)
        for (int j = 0; j < taps; j++)
            if (by_row[i] != 0 && by_column[j] != 0)
                sum += by_row[i] * by_column[j] * value_at(g, x, r + i, c + j);
    return (float)sum;
}

static void run_grid(const void *arg, void *const *bufs)
{
    const struct lr_grid *g = &((const struct grid *)arg)->g;
    const float *x = bufs[0], *at = bufs[1];
    const int64_t plane = g->h * g->w;

#pragma omp parallel for schedule(static)
    for (int64_t j = 0; j < g->n * g->places; j++) {
        const int64_t image = j / g->places, p = j % g->places;
        const double column = place(g, (double)at[2 * j], g->w);
        const double row = place(g, (double)at[2 * j + 1], g->h);
        for (int64_t c = 0; c < g->c; c++)
            ((float *)bufs[2])[(image * g->c + c) * g->places + p] =
                sample(g, x + (image * g->c + c) * plane, row, column);
    }
}

enum lr_status lr_kernel_grid(struct lr_kernel *k, const struct lr_grid *g,
                              struct lr_err *e)
{
    struct grid p = {*g};

    return lr_kernel_make(k, run_grid, &p, sizeof(p), e);
}
