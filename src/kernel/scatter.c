/* Numbers chosen and put by indices that are data, the largest ones of a row, and
 * positions spelled out. An index outside is counted from the end when negative, then
 * clamped. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "ranklab/mem.h"

static int64_t index_within(int64_t i, int64_t size)
{
    i += i < 0 ? size : 0;
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

static int64_t count_of(const struct lr_shape *s, int from, int to)
{
    int64_t n = 1;

    for (int i = from; i < to; i++)
        n *= s->dims[i];
    return n;
}

/* Integers of type t wrap around as in their own width. */
static void put(void *out, int64_t to, const void *in, int64_t from, enum lr_scatter f,
                enum lr_dtype t)
{
    if (lr_kernel_is_float(t)) {
        float *y = (float *)out + to;
        const float x = ((const float *)in)[from];
        *y = f == LR_SCATTER_ADD   ? *y + x
             : f == LR_SCATTER_MUL ? *y * x
             : f == LR_SCATTER_MAX ? (*y > x || isnan(*y) ? *y : x)
             : f == LR_SCATTER_MIN ? (*y < x || isnan(*y) ? *y : x)
                                   : x;
    } else {
        int64_t *y = (int64_t *)out + to;
        const int64_t x = ((const int64_t *)in)[from];
        const bool is_more = t == LR_DT_U64 ? (uint64_t)*y > (uint64_t)x : *y > x;
        *y = f == LR_SCATTER_ADD
                 ? lr_kernel_wrap(t, (int64_t)((uint64_t)*y + (uint64_t)x))
             : f == LR_SCATTER_MUL
                 ? lr_kernel_wrap(t, (int64_t)((uint64_t)*y * (uint64_t)x))
             : f == LR_SCATTER_MAX ? (is_more ? *y : x)
             : f == LR_SCATTER_MIN ? (is_more ? x : *y)
                                   : x;
    }
}

/* ---- rows chosen by vectors of indices */

struct nd {
    int64_t per_block, n, row; /* row: numbers that one vector of indices moves */
    int64_t data_block, count;
    int n_index;
    int64_t size[LR_MAX_DIMS], stride[LR_MAX_DIMS];
    enum lr_scatter f;
    enum lr_dtype t;
};

/* Where the row of vector j lies in its block. */
static int64_t row_at(const struct nd *p, const int64_t *index, int64_t j)
{
    int64_t at = 0;

    for (int i = 0; i < p->n_index; i++)
        at += index_within(index[j * p->n_index + i], p->size[i]) * p->stride[i];
    return at;
}

static void run_gather_nd(const void *arg, void *const *bufs)
{
    const struct nd *p = arg;
    const size_t each = lr_kernel_is_float(p->t) ? sizeof(float) : sizeof(int64_t);

    for (int64_t j = 0; j < p->n; j++) {
        const int64_t from = j / p->per_block * p->data_block + row_at(p, bufs[1], j);
        memcpy((char *)bufs[2] + (size_t)(j * p->row) * each,
               (const char *)bufs[0] + (size_t)from * each, (size_t)p->row * each);
    }
}

static void run_scatter_nd(const void *arg, void *const *bufs)
{
    const struct nd *p = arg;
    const size_t each = lr_kernel_is_float(p->t) ? sizeof(float) : sizeof(int64_t);

    memcpy(bufs[3], bufs[0], (size_t)p->count * each);
    for (int64_t j = 0; j < p->n; j++) {
        const int64_t to = row_at(p, bufs[1], j);
        for (int64_t i = 0; i < p->row; i++)
            put(bufs[3], to + i, bufs[2], j * p->row + i, p->f, p->t);
    }
}

static enum lr_status make_nd(struct nd *p, const struct lr_shape *data,
                              const struct lr_shape *index, int n_batch, enum lr_dtype t,
                              struct lr_err *e)
{
    const int last = index->n_dims - 1;
    const int64_t k = last >= 0 ? index->dims[last] : 0;

    if (k < 1 || k > data->n_dims - n_batch || last < n_batch)
        return lr_err_set(e, LR_ESHAPE, "indices do not fit the data");
    for (int i = 0; i < n_batch; i++)
        if (data->dims[i] != index->dims[i])
            return lr_err_set(e, LR_ESHAPE, "indices do not fit the data");
    const int from = n_batch + (int)k;
    *p = (struct nd){.per_block = count_of(index, n_batch, last),
                     .n = count_of(index, 0, last),
                     .row = count_of(data, from, data->n_dims),
                     .data_block = count_of(data, n_batch, data->n_dims),
                     .count = count_of(data, 0, data->n_dims),
                     .n_index = (int)k,
                     .t = t};
    for (int i = 0; i < p->n_index; i++) {
        p->size[i] = data->dims[n_batch + i];
        p->stride[i] = count_of(data, n_batch + i + 1, data->n_dims);
        if (p->size[i] < 1)
            return lr_err_set(e, LR_ESHAPE, "looks up in an empty axis");
    }
    return LR_OK;
}

enum lr_status lr_kernel_gather_nd(struct lr_kernel *k, const struct lr_shape *data,
                                   const struct lr_shape *index, int n_batch,
                                   enum lr_dtype t, struct lr_err *e)
{
    struct nd p;
    enum lr_status st = make_nd(&p, data, index, n_batch, t, e);

    return st == LR_OK ? lr_kernel_make(k, run_gather_nd, &p, sizeof(p), e) : st;
}

enum lr_status lr_kernel_scatter_nd(struct lr_kernel *k, const struct lr_shape *data,
                                    const struct lr_shape *index,
                                    const struct lr_shape *updates, enum lr_scatter f,
                                    enum lr_dtype t, struct lr_err *e)
{
    struct nd p;
    enum lr_status st = make_nd(&p, data, index, 0, t, e);

    if (st == LR_OK && count_of(updates, 0, updates->n_dims) != p.n * p.row)
        st = lr_err_set(e, LR_ESHAPE, "updates do not fit the indices");
    p.f = f;
    return st == LR_OK ? lr_kernel_make(k, run_scatter_nd, &p, sizeof(p), e) : st;
}

/* ---- one number for each index */

struct elements {
    struct lr_shape index;
    int64_t stride[LR_MAX_DIMS], n, count, size;
    int axis;
    enum lr_scatter f;
    enum lr_dtype t;
};

static void run_scatter_elements(const void *arg, void *const *bufs)
{
    const struct elements *p = arg;
    const int64_t *index = bufs[1];

    memcpy(bufs[3], bufs[0],
           (size_t)p->count *
               (lr_kernel_is_float(p->t) ? sizeof(float) : sizeof(int64_t)));
    for (int64_t j = 0; j < p->n; j++) {
        int64_t rest = j, to = 0;
        for (int i = p->index.n_dims - 1; i >= 0; i--) {
            const int64_t at = rest % p->index.dims[i];
            rest /= p->index.dims[i];
            to += (i == p->axis ? index_within(index[j], p->size) : at) * p->stride[i];
        }
        put(bufs[3], to, bufs[2], j, p->f, p->t);
    }
}

enum lr_status lr_kernel_scatter_elements(struct lr_kernel *k,
                                          const struct lr_shape *data,
                                          const struct lr_shape *index,
                                          const struct lr_shape *updates, int axis,
                                          enum lr_scatter f, enum lr_dtype t,
                                          struct lr_err *e)
{
    struct elements p = {.index = *index,
                         .n = count_of(index, 0, index->n_dims),
                         .count = count_of(data, 0, data->n_dims),
                         .axis = axis,
                         .f = f,
                         .t = t};

    if (data->n_dims != index->n_dims || !lr_shape_equal(index, updates) ||
        data->dims[axis] < 1)
        return lr_err_set(e, LR_ESHAPE, "indices do not fit the data");
    for (int i = 0; i < data->n_dims; i++) {
        if (i != axis && index->dims[i] > data->dims[i])
            return lr_err_set(e, LR_ESHAPE, "indices do not fit the data");
        p.stride[i] = count_of(data, i + 1, data->n_dims);
    }
    p.size = data->dims[axis];
    return lr_kernel_make(k, run_scatter_elements, &p, sizeof(p), e);
}

/* ---- the largest or smallest of a row */

struct entry {
    double x;  /* of a real */
    int64_t n; /* of an integer; where it has no sign, with the highest bit turned over */
    int64_t i;
    bool is_largest;
};

struct top {
    int64_t outer, n, inner, k;
    enum lr_dtype t;
    bool is_largest, has_values, has_places;
    struct entry *row; /* n entries behind this block */
};

/* Of equal ones the first comes first; what is no number is larger than any. */
static int order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const int nan = isnan(x->x) - isnan(y->x);
    const int by = nan            ? nan
                   : x->x != y->x ? (x->x > y->x) - (x->x < y->x)
                                  : (x->n > y->n) - (x->n < y->n);

    if (by)
        return x->is_largest ? -by : by;
    return (x->i > y->i) - (x->i < y->i);
}

static void run_top(const void *arg, void *const *bufs)
{
    const struct top *p = arg;
    const float *floats = bufs[0];
    const int64_t *ints = bufs[0];
    const bool is_float = lr_kernel_is_float(p->t);
    const uint64_t turn = p->t == LR_DT_U64 ? (uint64_t)1 << 63 : 0;

    for (int64_t o = 0; o < p->outer; o++)
        for (int64_t in = 0; in < p->inner; in++) {
            for (int64_t j = 0; j < p->n; j++) {
                const int64_t at = (o * p->n + j) * p->inner + in;
                p->row[j] =
                    (struct entry){is_float ? (double)floats[at] : 0,
                                   is_float ? 0 : (int64_t)((uint64_t)ints[at] ^ turn), j,
                                   p->is_largest};
            }
            qsort(p->row, (size_t)p->n, sizeof(*p->row), order);
            for (int64_t j = 0; j < p->k; j++) {
                const int64_t to = (o * p->k + j) * p->inner + in;
                const int64_t from = (o * p->n + p->row[j].i) * p->inner + in;
                if (p->has_values && is_float)
                    ((float *)bufs[1])[to] = floats[from];
                else if (p->has_values)
                    ((int64_t *)bufs[1])[to] = ints[from];
                if (p->has_places)
                    ((int64_t *)bufs[1 + p->has_values])[to] = p->row[j].i;
            }
        }
}

enum lr_status lr_kernel_top(struct lr_kernel *k, int64_t outer, int64_t n, int64_t inner,
                             int64_t count, bool is_largest, enum lr_dtype t,
                             bool has_values, bool has_places, struct lr_err *e)
{
    const size_t head = (sizeof(struct top) + 63) / 64 * 64;
    const size_t size = head + (size_t)n * sizeof(struct entry);
    struct top *p = lr_calloc(1, size);

    *k = (struct lr_kernel){run_top, p};
    if (!p)
        return lr_enomem(e, size, "a kernel");
    *p = (struct top){.outer = outer,
                      .n = n,
                      .inner = inner,
                      .k = count,
                      .t = t,
                      .is_largest = is_largest,
                      .has_values = has_values,
                      .has_places = has_places,
                      .row = (struct entry *)(void *)((char *)p + head)};
    return LR_OK;
}

/* ---- positions spelled out */

struct one_hot {
    int64_t outer, depth, inner;
    bool is_float_index, is_float;
};

static void run_one_hot(const void *arg, void *const *bufs)
{
    const struct one_hot *p = arg;

    for (int64_t o = 0; o < p->outer; o++)
        for (int64_t d = 0; d < p->depth; d++)
            for (int64_t in = 0; in < p->inner; in++) {
                const int64_t from = o * p->inner + in,
                              to = (o * p->depth + d) * p->inner + in;
                const double x = p->is_float_index
                                     ? (double)truncf(((const float *)bufs[0])[from])
                                     : (double)((const int64_t *)bufs[0])[from];
                const int on = x == (double)d || x + (double)p->depth == (double)d;
                if (p->is_float)
                    ((float *)bufs[3])[to] = ((const float *)bufs[2])[on];
                else
                    ((int64_t *)bufs[3])[to] = ((const int64_t *)bufs[2])[on];
            }
}

enum lr_status lr_kernel_one_hot(struct lr_kernel *k, int64_t outer, int64_t depth,
                                 int64_t inner, bool is_float_index, bool is_float,
                                 struct lr_err *e)
{
    struct one_hot p = {outer, depth, inner, is_float_index, is_float};

    return lr_kernel_make(k, run_one_hot, &p, sizeof(p), e);
}

/* ---- one side of matrices */

struct triangle {
    int64_t matrices, rows, columns, diagonal;
    bool is_upper, is_float;
};

static void run_triangle(const void *arg, void *const *bufs)
{
    const struct triangle *p = arg;

    for (int64_t r = 0; r < p->matrices * p->rows; r++)
        for (int64_t j = 0; j < p->columns; j++) {
            const int64_t beyond = j - r % p->rows - p->diagonal, at = r * p->columns + j;
            const bool is_kept = p->is_upper ? beyond >= 0 : beyond <= 0;
            if (p->is_float)
                ((float *)bufs[1])[at] = is_kept ? ((const float *)bufs[0])[at] : 0;
            else
                ((int64_t *)bufs[1])[at] = is_kept ? ((const int64_t *)bufs[0])[at] : 0;
        }
}

enum lr_status lr_kernel_triangle(struct lr_kernel *k, int64_t matrices, int64_t rows,
                                  int64_t columns, int64_t diagonal, bool is_upper,
                                  bool is_float, struct lr_err *e)
{
    /* one beyond the matrix is as far as any */
    const int64_t kept = diagonal < -rows     ? -rows
                         : diagonal > columns ? columns
                                              : diagonal;
    struct triangle p = {matrices, rows, columns, kept, is_upper, is_float};

    return lr_kernel_make(k, run_triangle, &p, sizeof(p), e);
}
