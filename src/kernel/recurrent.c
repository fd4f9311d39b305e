/* Recurrent layers: LSTM, GRU and the plain one, step by step along a sequence. The rows
 * of W and R are the gates one behind the other, as ONNX orders them; a step multiplies
 * all of them at once, then every unit is its own. */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "ranklab/mem.h"

struct recurrent {
    struct lr_recurrent r;
    float *h, *c, *own, *past; /* of one direction: state [batch, hidden], gates from the
                                  input and from the state [batch, gates hidden]; behind
                                  this block */
};

static int64_t n_gates(enum lr_recurrent_kind k)
{
    return k == LR_LSTM ? 4 : k == LR_GRU ? 3 : 1;
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static float dot(const float *a, const float *b, int64_t n)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* out[row] = m[row] x + bias[row] */
static void multiply(float *out, const float *m, const float *x, const float *bias,
                     int64_t rows, int64_t n)
{
#pragma omp parallel for schedule(static) if (rows * n > 65536)
    for (int64_t j = 0; j < rows; j++)
        out[j] = dot(m + j * n, x, n) + (bias ? bias[j] : 0);
}

/* One step of unit j: gates i, o, f, c; peepholes i, o, f. */
static void lstm_unit(const struct lr_recurrent *r, const float *own, const float *past,
                      const float *peep, int64_t j, float *h, float *c)
{
    const int64_t n = r->hidden;
    float g[4];

    for (int k = 0; k < 4; k++)
        g[k] = own[k * n + j] + past[k * n + j];
    if (peep) {
        g[0] += peep[j] * c[j];
        g[2] += peep[2 * n + j] * c[j];
    }
    c[j] = sigmoid(g[2]) * c[j] + sigmoid(g[0]) * tanhf(g[3]);
    if (peep)
        g[1] += peep[n + j] * c[j];
    h[j] = sigmoid(g[1]) * tanhf(c[j]);
}

/* Gates z, r, h. The third is multiplied with the state times r, or its product with the
 * state is. */
static void gru_step(const struct lr_recurrent *r, const float *own, float *past,
                     const float *m, const float *bias, float *h)
{
    const int64_t n = r->hidden;
    float *reset = past + n;

    for (int64_t j = 0; j < n; j++) {
        reset[j] = sigmoid(own[n + j] + past[n + j]);
        past[j] = sigmoid(own[j] + past[j]);
    }
    if (r->is_reset_after) {
        for (int64_t j = 0; j < n; j++)
            reset[j] *= past[2 * n + j];
    } else {
        for (int64_t j = 0; j < n; j++)
            reset[j] *= h[j];
        multiply(past + 2 * n, m + 2 * n * n, reset, bias ? bias + 2 * n : NULL, n, n);
        memcpy(reset, past + 2 * n, (size_t)n * sizeof(*reset));
    }
    for (int64_t j = 0; j < n; j++)
        h[j] = (1 - past[j]) * tanhf(own[2 * n + j] + reset[j]) + past[j] * h[j];
}

/* What is there of the inputs and outputs. */
struct operands {
    const float *x, *w, *m, *bias, *h0, *c0, *peep;
    float *y, *yh, *yc;
};

static struct operands operands_of(const struct lr_recurrent *r, void *const *bufs)
{
    struct operands o = {.x = bufs[0], .w = bufs[1], .m = bufs[2]};
    int at = 3;

    if (r->has_bias)
        o.bias = bufs[at++];
    at += r->has_lengths;
    if (r->has_h)
        o.h0 = bufs[at++];
    if (r->has_c)
        o.c0 = bufs[at++];
    if (r->has_peepholes)
        o.peep = bufs[at++];
    if (r->has_y)
        o.y = bufs[at++];
    if (r->has_y_h)
        o.yh = bufs[at++];
    if (r->has_y_c)
        o.yc = bufs[at++];
    return o;
}

/* Where the state of image b lies among the directions. */
static int64_t state_at(const struct lr_recurrent *r, int64_t direction, int64_t b)
{
    return (r->is_batch_first ? b * r->directions + direction
                              : direction * r->batch + b) *
           r->hidden;
}

static void take_state(const struct lr_recurrent *r, float *to, const float *from,
                       int64_t direction)
{
    for (int64_t b = 0; b < r->batch; b++)
        for (int64_t j = 0; j < r->hidden; j++)
            to[b * r->hidden + j] = from ? from[state_at(r, direction, b) + j] : 0;
}

static void put_state(const struct lr_recurrent *r, float *to, const float *from,
                      int64_t direction)
{
    for (int64_t b = 0; to && b < r->batch; b++)
        memcpy(to + state_at(r, direction, b), from + b * r->hidden,
               (size_t)r->hidden * sizeof(*to));
}

static void run_direction(const struct recurrent *p, const struct operands *o,
                          int64_t direction)
{
    const struct lr_recurrent *r = &p->r;
    const int64_t n = r->hidden, rows = n_gates(r->kind) * n;
    const float *w = o->w + direction * rows * r->input, *m = o->m + direction * rows * n;
    const float *own_bias = o->bias ? o->bias + direction * 2 * rows : NULL;
    const float *past_bias = own_bias ? own_bias + rows : NULL;
    const float *peep = o->peep ? o->peep + direction * 3 * n : NULL;
    const bool is_reverse = r->is_reverse || direction == 1;

    take_state(r, p->h, o->h0, direction);
    take_state(r, p->c, o->c0, direction);
    for (int64_t step = 0; step < r->length; step++) {
        const int64_t t = is_reverse ? r->length - 1 - step : step;
        for (int64_t b = 0; b < r->batch; b++) {
            float *h = p->h + b * n, *c = p->c + b * n;
            const int64_t row = r->is_batch_first ? b * r->length + t : t * r->batch + b;
            multiply(p->own, w, o->x + row * r->input, own_bias, rows, r->input);
            multiply(p->past, m, h, past_bias, rows, n);
            if (r->kind == LR_GRU)
                gru_step(r, p->own, p->past, m, past_bias, h);
            for (int64_t j = 0; r->kind == LR_LSTM && j < n; j++)
                lstm_unit(r, p->own, p->past, peep, j, h, c);
            for (int64_t j = 0; r->kind == LR_RNN && j < n; j++) {
                const float x = p->own[j] + p->past[j];
                h[j] = r->is_relu ? (x > 0 ? x : 0) : tanhf(x);
            }
            const int64_t at = r->is_batch_first
                                   ? row * r->directions + direction
                                   : (t * r->directions + direction) * r->batch + b;
            if (o->y)
                memcpy(o->y + at * n, h, (size_t)n * sizeof(*h));
        }
    }
    put_state(r, o->yh, p->h, direction);
    put_state(r, o->yc, p->c, direction);
}

static void run_recurrent(const void *arg, void *const *bufs)
{
    const struct recurrent *p = arg;
    const struct operands o = operands_of(&p->r, bufs);

    for (int64_t direction = 0; direction < p->r.directions; direction++)
        run_direction(p, &o, direction);
}

enum lr_status lr_kernel_recurrent(struct lr_kernel *k, const struct lr_recurrent *r,
                                   struct lr_err *e)
{
    const size_t state = (size_t)(r->batch * r->hidden);
    const size_t gates = (size_t)(n_gates(r->kind) * r->hidden);
    const size_t head = (sizeof(struct recurrent) + 63) / 64 * 64;
    const size_t size = head + 2 * (state + gates) * sizeof(float);
    struct recurrent *p = lr_calloc(1, size);

    *k = (struct lr_kernel){run_recurrent, p};
    if (!p)
        return lr_enomem(e, size, "a kernel");
    float *at = (float *)(void *)((char *)p + head);
    *p = (struct recurrent){*r, at, at + state, at + 2 * state, at + 2 * state + gates};
    return LR_OK;
}
