/* Plain C kernels: loops over rows, shared among OpenMP's threads. Sums of many terms are
 * kept in double. */
#include "plain.h"

#include <math.h>
#include <string.h>

#include "ranklab/mem.h"

/* Buffer i, which holds floats. */
static float *buf(void *const *bufs, int64_t i)
{
    return bufs[i];
}

/* Strides of an operand of nx dimensions seen through n dimensions of out. */
static bool broadcast_strides(int n, const int64_t *out, int nx, const int64_t *x,
                              int64_t *strides)
{
    int64_t step = 1;
    if (nx > n)
        return false;
    for (int i = n - 1; i >= 0; i--) {
        int j = i - (n - nx);
        int64_t d = j >= 0 ? x[j] : 1;
        if (d != out[i] && d != 1)
            return false;
        strides[i] = d == 1 ? 0 : step;
        step *= d;
    }
    return true;
}

struct lr_plain_binary *lr_plain_binary_new(int n, const int64_t *out, int na,
                                            const int64_t *a, int nb, const int64_t *b,
                                            enum lr_plain_alg alg, float beta)
{
    struct lr_plain_binary *p = lr_calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->alg = alg;
    p->beta = beta;
    p->n = n > 0 ? n : 1;
    p->dims[0] = 1;
    for (int i = 0; i < n; i++)
        p->dims[i] = out[i];
    if (!broadcast_strides(n, out, na, a, p->a) ||
        !broadcast_strides(n, out, nb, b, p->b)) {
        lr_free(p);
        return NULL;
    }
    return p;
}

void lr_plain_binary(const void *arg, void *const *bufs)
{
    const struct lr_plain_binary *p = arg;
    const float *a = buf(bufs, 0), *b = buf(bufs, 1);
    float *out = buf(bufs, 2);
    const int last = p->n - 1;
    const int64_t len = p->dims[last], sa = p->a[last], sb = p->b[last];
    int64_t rows = 1;
    for (int i = 0; i < last; i++)
        rows *= p->dims[i];
#pragma omp parallel for schedule(static) if (rows * len > 16384)
    for (int64_t r = 0; r < rows; r++) {
        int64_t rest = r, ia = 0, ib = 0;
        for (int i = last - 1; i >= 0; i--) {
            int64_t at = rest % p->dims[i];
            rest /= p->dims[i];
            ia += at * p->a[i];
            ib += at * p->b[i];
        }
        float *o = out + r * len;
        if (p->alg == LR_PLAIN_ADD)
            for (int64_t j = 0; j < len; j++)
                o[j] = a[ia + j * sa] + p->beta * b[ib + j * sb];
        else
            for (int64_t j = 0; j < len; j++)
                o[j] = a[ia + j * sa] * (p->beta * b[ib + j * sb]);
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static float average(const struct lr_plain_pool *p, const float *in, int64_t oy,
                     int64_t ox)
{
    double sum = 0;
    int64_t inside = 0, padded = 0;
    const int64_t y0 = oy * p->stride[0] - p->pad_lo[0];
    const int64_t x0 = ox * p->stride[1] - p->pad_lo[1];
    for (int64_t ky = 0; ky < p->kernel[0]; ky++) {
        int64_t y = y0 + ky * p->dil[0];
        for (int64_t kx = 0; kx < p->kernel[1]; kx++) {
            int64_t x = x0 + kx * p->dil[1];
            if (y >= p->ih + p->pad_hi[0] || x >= p->iw + p->pad_hi[1])
                continue;
            padded++;
            if (y < 0 || x < 0 || y >= p->ih || x >= p->iw)
                continue;
            inside++;
            sum += (double)in[y * p->iw + x];
        }
    }
    int64_t n = p->is_including_pads ? padded : inside;
    return n > 0 ? (float)(sum / (double)n) : 0.0F;
}

void lr_plain_average_pool(const void *arg, void *const *bufs)
{
    const struct lr_plain_pool *p = arg;
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < p->planes; c++) {
        const float *in = buf(bufs, 0) + c * p->ih * p->iw;
        float *out = buf(bufs, 1) + c * p->oh * p->ow;
        for (int64_t y = 0; y < p->oh; y++)
            for (int64_t x = 0; x < p->ow; x++)
                out[y * p->ow + x] = average(p, in, y, x);
    }
}

void lr_plain_mean(const void *arg, void *const *bufs)
{
    const struct lr_plain_mean *p = arg;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < p->rows; r++) {
        const float *in = buf(bufs, 0) + r * p->length;
        double sum = 0;
        for (int64_t j = 0; j < p->length; j++)
            sum += (double)in[j];
        buf(bufs, 1)[r] = (float)(sum / (double)p->length);
    }
}

void lr_plain_lrn(const void *arg, void *const *bufs)
{
    const struct lr_plain_lrn *p = arg;
    const int64_t before = (p->size - 1) / 2, after = p->size - 1 - before;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t c = 0; c < p->c; c++) {
            const float *in = buf(bufs, 0) + i * p->c * p->inner;
            float *out = buf(bufs, 1) + (i * p->c + c) * p->inner;
            const int64_t from = c > before ? c - before : 0;
            const int64_t to = least(c + after, p->c - 1);
            for (int64_t j = 0; j < p->inner; j++) {
                float sum = 0;
                for (int64_t k = from; k <= to; k++)
                    sum += in[k * p->inner + j] * in[k * p->inner + j];
                float base = p->bias + p->alpha / (float)p->size * sum;
                out[j] = in[c * p->inner + j] / powf(base, p->beta);
            }
        }
}

void lr_plain_affine(const void *arg, void *const *bufs)
{
    const struct lr_plain_affine *p = arg;
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t c = 0; c < p->c; c++) {
            const float *x = buf(bufs, 0) + (i * p->c + c) * p->inner;
            float *y = buf(bufs, 3) + (i * p->c + c) * p->inner;
            const float scale = buf(bufs, 1)[c], shift = buf(bufs, 2)[c];
            for (int64_t j = 0; j < p->inner; j++)
                y[j] = scale * x[j] + shift;
        }
}

void lr_plain_concat(const void *arg, void *const *bufs)
{
    const struct lr_plain_concat *p = arg;
    int64_t total = 0;
    for (int i = 0; i < p->n; i++)
        total += p->size[i];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < p->rows; r++) {
        float *out = buf(bufs, p->n) + r * total;
        for (int i = 0; i < p->n; i++) {
            memcpy(out, buf(bufs, i) + r * p->size[i], (size_t)p->size[i] * sizeof *out);
            out += p->size[i];
        }
    }
}
