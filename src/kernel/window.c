/* Sliding windows over any number of spatial dimensions: pooling, convolution and its
 * transpose. Plain loops: the library does the common two-dimensional cases. */
#include <math.h>

#include "kernel/kernel.h"

static int64_t product(int n, const int64_t *x)
{
    int64_t p = 1;

    for (int i = 0; i < n; i++)
        p *= x[i];
    return p;
}

static void position(int64_t r, int n, const int64_t *dims, int64_t *at)
{
    for (int i = n - 1; i >= 0; i--) {
        at[i] = r % dims[i];
        r /= dims[i];
    }
}

/* Flat input position of tap (given by its position in the kernel) of the window at out;
 * -1 outside. *is_padded: inside the input and its pads. */
static int64_t tap(const struct lr_slide *s, const int64_t *out, const int64_t *in_kernel,
                   bool *is_padded)
{
    int64_t flat = 0;
    bool is_inside = true;

    *is_padded = true;
    for (int i = 0; i < s->n; i++) {
        int64_t x = out[i] * s->stride[i] - s->lo[i] + in_kernel[i] * s->dil[i];
        *is_padded = *is_padded && x < s->in[i] + s->hi[i];
        is_inside = is_inside && x >= 0 && x < s->in[i];
        flat = flat * s->in[i] + x;
    }
    return is_inside ? flat : -1;
}

struct pool {
    struct lr_slide s;
    enum lr_pool_kind kind;
    bool is_including, has_index, is_column_major, is_int;
    float p;
};

static int64_t column_major(const struct lr_slide *s, int64_t flat)
{
    int64_t at[LR_KERNEL_SPACE], r = 0;

    position(flat, s->n, s->in, at);
    for (int i = s->n - 1; i >= 0; i--)
        r = r * s->in[i] + at[i];
    return r;
}

static void pool_one(const struct pool *p, int64_t plane, int64_t o, void *const *bufs)
{
    const struct lr_slide *s = &p->s;
    int64_t out[LR_KERNEL_SPACE], k[LR_KERNEL_SPACE], best = 0, n = 0;
    const int64_t taps = product(s->n, s->kernel);
    const int64_t start = plane * product(s->n, s->in);
    double sum = 0, most = -INFINITY;

    position(o, s->n, s->out, out);
    for (int64_t t = 0; t < taps; t++) {
        bool is_padded;
        position(t, s->n, s->kernel, k);
        int64_t at = tap(s, out, k, &is_padded);
        n += p->is_including ? is_padded : at >= 0;
        if (at < 0)
            continue;
        double v = p->is_int ? (double)((const int64_t *)bufs[0])[start + at]
                             : (double)((const float *)bufs[0])[start + at];
        if (v > most || isnan(v)) {
            most = v;
            best = at;
        }
        sum += p->kind == LR_POOL_LP ? pow(fabs(v), (double)p->p) : v;
    }
    const int64_t y = plane * product(s->n, s->out) + o;
    if (p->is_int)
        ((int64_t *)bufs[1])[y] = (int64_t)most;
    else if (p->kind == LR_POOL_MAX)
        ((float *)bufs[1])[y] = (float)most;
    else if (p->kind == LR_POOL_LP)
        ((float *)bufs[1])[y] = (float)pow(sum, 1 / (double)p->p);
    else
        ((float *)bufs[1])[y] = n > 0 ? (float)(sum / (double)n) : 0;
    if (p->has_index)
        ((int64_t *)bufs[2])[y] =
            start + (p->is_column_major ? column_major(s, best) : best);
}

static void run_pool(const void *arg, void *const *bufs)
{
    const struct pool *p = arg;
    const int64_t out = product(p->s.n, p->s.out);

#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < p->s.planes; c++)
        for (int64_t o = 0; o < out; o++)
            pool_one(p, c, o, bufs);
}

enum lr_status lr_kernel_pool(struct lr_kernel *k, const struct lr_slide *s,
                              enum lr_pool_kind kind, bool is_including, float p,
                              bool has_index, bool is_column_major, bool is_int,
                              struct lr_err *e)
{
    struct pool x = {*s, kind, is_including, has_index, is_column_major, is_int, p};

    return lr_kernel_make(k, run_pool, &x, sizeof(x), e);
}

struct conv {
    struct lr_slide s;
    int64_t c, d, group;
    bool has_bias, is_transposed;
};

/* One output channel d of image n. The transpose is the same walk from the other side:
 * input position i adds w to the output at i stride + tap dil - lo, so s describes the
 * convolution from the output back to the input, and what the window is laid at is the
 * input. */
static void conv_plane(const struct conv *p, void *const *bufs, int64_t n, int64_t d)
{
    struct lr_slide s = p->s;
    const int64_t in = product(s.n, s.in), out = product(s.n, s.out);
    const int64_t taps = product(s.n, s.kernel);
    const int64_t c_per = p->c / p->group, d_per = p->d / p->group;
    const int64_t c0 = d / d_per * c_per;
    const int64_t w_at = p->is_transposed ? c0 * d_per + d % d_per : d * c_per;
    const int64_t w_step = p->is_transposed ? d_per * taps : taps;
    const float *x = (const float *)bufs[0] + (n * p->c + c0) * in;
    const float *w = (const float *)bufs[1] + w_at * taps;
    const float bias = p->has_bias ? ((const float *)bufs[2])[d] : 0;
    float *y = (float *)bufs[p->has_bias ? 3 : 2] + (n * p->d + d) * out;

    for (int i = 0; p->is_transposed && i < s.n; i++) {
        s.in[i] = p->s.out[i];
        s.out[i] = p->s.in[i];
    }
    for (int64_t o = 0; o < out; o++)
        y[o] = bias;
    for (int64_t t = 0; t < taps; t++) {
        int64_t at[LR_KERNEL_SPACE], k[LR_KERNEL_SPACE];
        bool is_padded;
        position(t, s.n, s.kernel, k);
        for (int64_t laid = 0; laid < (p->is_transposed ? in : out); laid++) {
            position(laid, s.n, s.out, at);
            int64_t hit = tap(&s, at, k, &is_padded);
            if (hit < 0)
                continue;
            int64_t i = p->is_transposed ? laid : hit, o = p->is_transposed ? hit : laid;
            float sum = 0;
            for (int64_t c = 0; c < c_per; c++)
                sum += x[i + c * in] * w[t + c * w_step];
            y[o] += sum;
        }
    }
}

static void run_conv(const void *arg, void *const *bufs)
{
    const struct conv *p = arg;

#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t n = 0; n < p->s.planes; n++)
        for (int64_t d = 0; d < p->d; d++)
            conv_plane(p, bufs, n, d);
}

enum lr_status lr_kernel_conv(struct lr_kernel *k, const struct lr_slide *s, int64_t c,
                              int64_t d, int64_t group, bool has_bias, bool is_transposed,
                              struct lr_err *e)
{
    struct conv p = {*s, c, d, group, has_bias, is_transposed};

    if (group < 1 || c % group || d % group || s->n > LR_KERNEL_SPACE)
        return lr_err_set(e, LR_ESHAPE, "groups do not divide the channels");
    return lr_kernel_make(k, run_conv, &p, sizeof(p), e);
}
