/* Resizing, axis by axis weights: every output element is a weighted sum over the product
 * of its axes' taps. Coordinates and filters follow the operator's definition; with
 * antialiasing the filter is stretched by the factor of shrinking and its weights are
 * made to sum to one. */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "ranklab/mem.h"

/* In single precision, as runtimes do it: where a coordinate lies between two positions
 * decides which is the nearest. */
static float coordinate(const struct lr_resize_opts *o, float j, float in, float out,
                        float scale, const double roi[2])
{
    const float begin = (float)roi[0], end = (float)roi[1];

    switch (o->coord) {
    case LR_COORD_ALIGN_CORNERS:
        return out > 1 ? j * (in - 1) / (out - 1) : 0;
    case LR_COORD_ASYMMETRIC:
        return j / scale;
    case LR_COORD_PYTORCH_HALF_PIXEL:
        return out > 1 ? (j + 0.5F) / scale - 0.5F : 0;
    case LR_COORD_TF_HALF_PIXEL_FOR_NN:
        return (j + 0.5F) / scale;
    case LR_COORD_TF_CROP:
        return out > 1 ? begin * (in - 1) + j * (end - begin) * (in - 1) / (out - 1)
                       : 0.5F * (begin + end) * (in - 1);
    case LR_COORD_HALF_PIXEL_SYMMETRIC: {
        float adjusted = out / (in * scale);
        return in / 2 * (1 - adjusted) + (j + 0.5F) / scale - 0.5F;
    }
    default:
        return (j + 0.5F) / scale - 0.5F;
    }
}

static int64_t clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* So near to the middle of two positions, a place that was rounded is there; so for
 * ONNX Runtime. */
static const double TIE = 1e-6;

static int64_t nearest(enum lr_resize_nearest mode, double x)
{
    switch (mode) {
    case LR_NEAREST_FLOOR:
        return (int64_t)floor(x);
    case LR_NEAREST_CEIL:
        return (int64_t)ceil(x);
    case LR_NEAREST_PREFER_CEIL:
        return (int64_t)floor(x + 0.5 + TIE);
    default:
        return (int64_t)ceil(x - 0.5 - TIE);
    }
}

static double filter(const struct lr_resize_opts *o, double d)
{
    const double a = (double)o->cubic_a;

    d = fabs(d);
    if (o->mode == LR_RESIZE_LINEAR)
        return d < 1 ? 1 - d : 0;
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* The taps of output j at coordinate x. */
static void fill(struct lr_resize_axis *a, int64_t j, double x, double stretch,
                 const struct lr_resize_opts *o)
{
    int64_t *index = a->index + j * a->taps;
    float *weight = a->weight + j * a->taps;
    double sum = 0;

    if (o->mode == LR_RESIZE_NEAREST) {
        index[0] = clamp(nearest(o->nearest, x), a->in);
        weight[0] = 1;
        return;
    }
    const double half = (o->mode == LR_RESIZE_LINEAR ? 1 : 2) * stretch;
    const int64_t first = (int64_t)floor(x - half) + 1;
    for (int t = 0; t < a->taps; t++) {
        int64_t i = first + t;
        double w = filter(o, ((double)i - x) / stretch);
        if (o->is_excluding_outside && (i < 0 || i >= a->in))
            w = 0;
        index[t] = clamp(i, a->in);
        weight[t] = (float)w;
        sum += w;
    }
    for (int t = 0; t < a->taps && sum != 0; t++)
        weight[t] = (float)((double)weight[t] / sum);
}

enum lr_status lr_resize_axis_init(struct lr_resize_axis *a, int64_t in, int64_t out,
                                   double scale, const double roi[2],
                                   const struct lr_resize_opts *o, struct lr_err *e)
{
    double stretch = o->is_antialiased && scale < 1 && scale > 0 ? 1 / scale : 1;
    double half = o->mode == LR_RESIZE_LINEAR ? stretch : 2 * stretch;

    *a = (struct lr_resize_axis){.in = in, .out = out, .taps = 1};
    /* an axis that stays as it is needs no arithmetic */
    bool is_same = in == out && scale == 1 && o->coord != LR_COORD_TF_CROP;
    if (o->mode != LR_RESIZE_NEAREST && !is_same) {
        if (!(half < 1e6))
            return lr_err_set(e, LR_EUNSUP, "a scale of %g", scale);
        a->taps = (int)(2 * ceil(half));
    }
    a->index = lr_calloc((size_t)out * (size_t)a->taps, sizeof(*a->index));
    a->weight = lr_calloc((size_t)out * (size_t)a->taps, sizeof(*a->weight));
    if (!a->index || !a->weight) {
        lr_resize_axis_clear(a);
        return lr_enomem(e, (size_t)out * (size_t)a->taps * 12, "a kernel");
    }
    for (int64_t j = 0; j < out; j++) {
        if (is_same) {
            a->index[j] = j;
            a->weight[j] = 1;
            continue;
        }
        double x =
            (double)coordinate(o, (float)j, (float)in, (float)out, (float)scale, roi);
        if (o->coord == LR_COORD_TF_CROP && !(x >= 0 && x <= (double)(in - 1)))
            a->index[j * a->taps] = -1;
        else
            fill(a, j, x, stretch, o);
    }
    return LR_OK;
}

void lr_resize_axis_clear(struct lr_resize_axis *a)
{
    lr_free(a->index);
    lr_free(a->weight);
    a->index = NULL;
    a->weight = NULL;
}

struct axis {
    int64_t in, out, step; /* step: of one position in the input */
    int taps;
    size_t index, weight; /* where the tables start, in bytes from the block's start */
};

struct resize {
    int n;
    float extrapolation;
    int64_t rows; /* of the output, all axes but the last */
    struct axis a[LR_MAX_DIMS];
};

/* Sum over the taps of axes d.. of the product of weights. */
static float gather(const struct resize *p, const float *x, int d, const int64_t *at)
{
    const struct axis *a = &p->a[d];
    const int64_t *index =
        (const int64_t *)((const char *)p + a->index) + at[d] * a->taps;
    const float *weight = (const float *)((const char *)p + a->weight) + at[d] * a->taps;
    float sum = 0;

    for (int t = 0; t < a->taps; t++) {
        const float *y = x + index[t] * a->step;
        sum += weight[t] * (d + 1 < p->n ? gather(p, y, d + 1, at) : *y);
    }
    return sum;
}

static void run_resize(const void *arg, void *const *bufs)
{
    const struct resize *p = arg;
    const int last = p->n - 1;
    const int64_t len = p->a[last].out;

#pragma omp parallel for schedule(static) if (p->rows * len > 4096)
    for (int64_t r = 0; r < p->rows; r++) {
        int64_t at[LR_MAX_DIMS], rest = r;
        const float *x = bufs[0];
        float *y = (float *)bufs[1] + r * len;
        bool is_outside = false;
        int from = 0;
        for (int i = last - 1; i >= 0; i--) {
            at[i] = rest % p->a[i].out;
            rest /= p->a[i].out;
        }
        /* leading axes of one tap only move the start */
        for (; from < last && p->a[from].taps == 1; from++) {
            int64_t i = ((const int64_t *)((const char *)p + p->a[from].index))[at[from]];
            is_outside = is_outside || i < 0;
            x += i * p->a[from].step;
        }
        for (int i = from; i < last; i++)
            is_outside = is_outside ||
                         ((const int64_t *)((const char *)p +
                                            p->a[i].index))[at[i] * p->a[i].taps] < 0;
        for (int64_t j = 0; j < len; j++) {
            at[last] = j;
            bool is_out = is_outside ||
                          ((const int64_t *)((const char *)p +
                                             p->a[last].index))[j * p->a[last].taps] < 0;
            y[j] = is_out ? p->extrapolation : gather(p, x, from, at);
        }
    }
}

enum lr_status lr_kernel_resize(struct lr_kernel *k, int n,
                                const struct lr_resize_axis *a, float extrapolation,
                                struct lr_err *e)
{
    size_t size = sizeof(struct resize);

    for (int i = 0; i < n; i++)
        size += (size_t)a[i].out * (size_t)a[i].taps * (sizeof(int64_t) + sizeof(float)) +
                2 * sizeof(int64_t);
    struct resize *p = lr_calloc(1, size);
    *k = (struct lr_kernel){run_resize, p};
    if (!p)
        return lr_enomem(e, size, "a kernel");
    *p = (struct resize){.n = n, .extrapolation = extrapolation, .rows = 1};
    size_t used = (sizeof(*p) + 7) / 8 * 8;
    int64_t step = 1;
    for (int i = n - 1; i >= 0; i--) {
        size_t entries = (size_t)a[i].out * (size_t)a[i].taps;
        p->a[i] = (struct axis){a[i].in,   a[i].out, step,
                                a[i].taps, used,     used + entries * sizeof(int64_t)};
        memcpy((char *)p + p->a[i].index, a[i].index, entries * sizeof(int64_t));
        memcpy((char *)p + p->a[i].weight, a[i].weight, entries * sizeof(float));
        used = (p->a[i].weight + entries * sizeof(float) + 7) / 8 * 8;
        step *= a[i].in;
        if (i < n - 1)
            p->rows *= a[i].out;
    }
    return LR_OK;
}
