/* Moving numbers: look-up tables per axis, indices that are data, pieces put together. */
#include <string.h>

#include "kernel/kernel.h"
#include "ranklab/mem.h"

enum lr_status lr_pick_init(struct lr_pick *p, int n, const int64_t *dims, bool is_float,
                            struct lr_err *e)
{
    *p = (struct lr_pick){.n = n, .is_float = is_float};
    if (n > LR_KERNEL_DIMS)
        return lr_err_set(e, LR_EUNSUP, "%d dimensions", n);
    for (int i = 0; i < n; i++) {
        p->dims[i] = dims[i];
        p->at[i] = lr_calloc((size_t)dims[i], sizeof(*p->at[i]));
        if (!p->at[i]) {
            lr_pick_clear(p);
            return lr_enomem(e, (size_t)dims[i] * sizeof(int64_t), "a kernel");
        }
    }
    return LR_OK;
}

void lr_pick_clear(struct lr_pick *p)
{
    for (int i = 0; i < p->n; i++) {
        lr_free(p->at[i]);
        p->at[i] = NULL;
    }
}

/* The same with the tables in one block, behind it. */
struct pick {
    int n;
    int64_t dims[LR_KERNEL_DIMS], start[LR_KERNEL_DIMS]; /* start: of table i in at */
    int64_t offset, rows, len;
    bool is_float, is_run, has_fill_input; /* is_run: the last axis is contiguous */
    float fill;
    int64_t int_fill;
    int64_t at[];
};

/* Where row r starts in the input; -1: nowhere. */
static int64_t row_start(const struct pick *p, int64_t r)
{
    int64_t from = p->offset;

    for (int i = p->n - 2; i >= 0; i--) {
        int64_t x = p->at[p->start[i] + r % p->dims[i]];
        if (x < 0)
            return -1;
        from += x;
        r /= p->dims[i];
    }
    return from;
}

static void float_row(const struct pick *p, const float *in, float *out, int64_t from,
                      float fill)
{
    const int64_t *at = p->n ? p->at + p->start[p->n - 1] : NULL;

    if (from >= 0 && !at) {
        out[0] = in[from];
    } else if (from >= 0 && p->is_run) {
        memcpy(out, in + from + at[0], (size_t)p->len * sizeof(*out));
    } else {
        for (int64_t j = 0; j < p->len; j++)
            out[j] = from < 0 || at[j] < 0 ? fill : in[from + at[j]];
    }
}

static void int_row(const struct pick *p, const int64_t *in, int64_t *out, int64_t from,
                    int64_t fill)
{
    const int64_t *at = p->n ? p->at + p->start[p->n - 1] : NULL;

    for (int64_t j = 0; j < p->len; j++)
        out[j] = from < 0 || (at && at[j] < 0) ? fill : in[from + (at ? at[j] : 0)];
}

static void run_pick(const void *arg, void *const *bufs)
{
    const struct pick *p = arg;
    void *out = bufs[p->has_fill_input ? 2 : 1];
    float fill = p->fill;
    int64_t int_fill = p->int_fill;

    if (p->has_fill_input && p->is_float)
        fill = *(const float *)bufs[1];
    else if (p->has_fill_input)
        int_fill = *(const int64_t *)bufs[1];
#pragma omp parallel for schedule(static) if (p->rows * p->len > 16384)
    for (int64_t r = 0; r < p->rows; r++) {
        int64_t from = row_start(p, r);
        if (p->is_float)
            float_row(p, bufs[0], (float *)out + r * p->len, from, fill);
        else
            int_row(p, bufs[0], (int64_t *)out + r * p->len, from, int_fill);
    }
}

enum lr_status lr_kernel_pick(struct lr_kernel *k, const struct lr_pick *p,
                              struct lr_err *e)
{
    size_t entries = 0;

    for (int i = 0; i < p->n; i++)
        entries += (size_t)p->dims[i];
    size_t size = sizeof(struct pick) + entries * sizeof(int64_t);
    struct pick *x = lr_calloc(1, size);
    *k = (struct lr_kernel){run_pick, x};
    if (!x)
        return lr_enomem(e, size, "a kernel");
    x->n = p->n;
    x->offset = p->offset;
    x->is_float = p->is_float;
    x->fill = p->fill;
    x->int_fill = p->int_fill;
    x->has_fill_input = p->has_fill_input;
    x->rows = 1;
    x->len = p->n ? p->dims[p->n - 1] : 1;
    int64_t used = 0;
    for (int i = 0; i < p->n; i++) {
        x->dims[i] = p->dims[i];
        x->start[i] = used;
        if (p->dims[i] > 0)
            memcpy(x->at + used, p->at[i], (size_t)p->dims[i] * sizeof(int64_t));
        used += p->dims[i];
        if (i + 1 < p->n)
            x->rows *= p->dims[i];
    }
    x->is_run = p->n > 0 && x->len > 0 && p->at[p->n - 1][0] >= 0;
    for (int64_t j = 1; x->is_run && j < x->len; j++)
        x->is_run = p->at[p->n - 1][j] == p->at[p->n - 1][j - 1] + 1;
    return LR_OK;
}

struct gather {
    int64_t outer, size, inner, n;
    bool is_float;
};

static int64_t index_within(int64_t i, int64_t size)
{
    i += i < 0 ? size : 0;
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

static void run_gather(const void *arg, void *const *bufs)
{
    const struct gather *g = arg;
    const size_t each = g->is_float ? sizeof(float) : sizeof(int64_t);
    const size_t row = (size_t)g->inner * each;
    const int64_t *index = bufs[1];

    for (int64_t o = 0; o < g->outer; o++)
        for (int64_t j = 0; j < g->n; j++)
            memcpy((char *)bufs[2] + (size_t)(o * g->n + j) * row,
                   (const char *)bufs[0] +
                       (size_t)(o * g->size + index_within(index[j], g->size)) * row,
                   row);
}

enum lr_status lr_kernel_gather(struct lr_kernel *k, int64_t outer, int64_t size,
                                int64_t inner, int64_t n, bool is_float, struct lr_err *e)
{
    struct gather g = {outer, size, inner, n, is_float};

    if (size < 1)
        return lr_err_set(e, LR_ESHAPE, "looks up in an empty axis");
    return lr_kernel_make(k, run_gather, &g, sizeof(g), e);
}

struct elements {
    struct lr_shape index;
    int64_t stride[LR_MAX_DIMS], count, size;
    int axis;
    bool is_float;
};

static void run_elements(const void *arg, void *const *bufs)
{
    const struct elements *g = arg;
    const int64_t *index = bufs[1];

#pragma omp parallel for schedule(static) if (g->count > 16384)
    for (int64_t j = 0; j < g->count; j++) {
        int64_t rest = j, from = 0;
        for (int i = g->index.n_dims - 1; i >= 0; i--) {
            int64_t at = rest % g->index.dims[i];
            rest /= g->index.dims[i];
            from += (i == g->axis ? index_within(index[j], g->size) : at) * g->stride[i];
        }
        if (g->is_float)
            ((float *)bufs[2])[j] = ((const float *)bufs[0])[from];
        else
            ((int64_t *)bufs[2])[j] = ((const int64_t *)bufs[0])[from];
    }
}

enum lr_status lr_kernel_gather_elements(struct lr_kernel *k, const struct lr_shape *in,
                                         const struct lr_shape *index, int axis,
                                         bool is_float, struct lr_err *e)
{
    struct elements g = {.index = *index, .count = 1, .axis = axis, .is_float = is_float};
    int64_t step = 1;

    if (in->n_dims != index->n_dims || in->dims[axis] < 1)
        return lr_err_set(e, LR_ESHAPE, "indices do not fit the data");
    for (int i = in->n_dims - 1; i >= 0; i--) {
        if (i != axis && index->dims[i] > in->dims[i])
            return lr_err_set(e, LR_ESHAPE, "indices do not fit the data");
        g.stride[i] = step;
        step *= in->dims[i];
        g.count *= index->dims[i];
    }
    g.size = in->dims[axis];
    return lr_kernel_make(k, run_elements, &g, sizeof(g), e);
}

struct concat {
    int64_t rows;
    int n;
    size_t each;
    int64_t size[];
};

/* Pieces first..first+n-1 of bufs and the whole: together (or apart, when is_split). */
static void run_pieces(const struct concat *c, void *const *pieces, char *whole,
                       bool is_split)
{
    int64_t total = 0;

    for (int i = 0; i < c->n; i++)
        total += c->size[i];
#pragma omp parallel for schedule(static) if (c->rows * total > 16384)
    for (int64_t r = 0; r < c->rows; r++) {
        char *at = whole + (size_t)(r * total) * c->each;
        for (int i = 0; i < c->n; i++) {
            size_t bytes = (size_t)c->size[i] * c->each;
            char *piece = (char *)pieces[i] + (size_t)r * bytes;
            if (bytes)
                memcpy(is_split ? piece : at, is_split ? at : piece, bytes);
            at += bytes;
        }
    }
}

static void run_concat(const void *arg, void *const *bufs)
{
    const struct concat *c = arg;

    run_pieces(c, bufs, bufs[c->n], false);
}

static void run_split(const void *arg, void *const *bufs)
{
    run_pieces(arg, bufs + 1, bufs[0], true);
}

static enum lr_status make_pieces(struct lr_kernel *k,
                                  void (*run)(const void *, void *const *), int64_t rows,
                                  int n, const int64_t *size, bool is_float,
                                  struct lr_err *e)
{
    size_t bytes = sizeof(struct concat) + (size_t)n * sizeof(int64_t);
    struct concat *c = lr_alloc(1, bytes);

    *k = (struct lr_kernel){run, c};
    if (!c)
        return lr_enomem(e, bytes, "a kernel");
    *c = (struct concat){rows, n, is_float ? sizeof(float) : sizeof(int64_t)};
    for (int i = 0; i < n; i++)
        c->size[i] = size[i];
    return LR_OK;
}

enum lr_status lr_kernel_concat(struct lr_kernel *k, int64_t rows, int n,
                                const int64_t *size, bool is_float, struct lr_err *e)
{
    return make_pieces(k, run_concat, rows, n, size, is_float, e);
}

enum lr_status lr_kernel_split(struct lr_kernel *k, int64_t rows, int n,
                               const int64_t *size, bool is_float, struct lr_err *e)
{
    return make_pieces(k, run_split, rows, n, size, is_float, e);
}
