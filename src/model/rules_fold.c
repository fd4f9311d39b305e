/* Shape rules of the operators by which exporters compute shapes: arithmetic, slices and
 * look-ups on small integer vectors, some of whose elements are multiples of the batch,
 * and on constants. Of activations only Add, Mul and Concat survive inference. */
#include <string.h>

#include "model.h"

static bool arithmetic(struct lr_int *out, enum lr_op op, struct lr_int x,
                       struct lr_int y)
{
    switch (op) {
    case LR_OP_MUL:
        out->times_batch = x.times_batch || y.times_batch;
        return !(x.times_batch && y.times_batch) &&
               !__builtin_mul_overflow(x.k, y.k, &out->k);
    case LR_OP_DIV:
        /* N / N is a number, 4 N / 2 a multiple of N, N / 2 neither. */
        if (y.k == 0 || y.k == -1 || (y.times_batch && !x.times_batch))
            return false;
        if ((x.times_batch || y.times_batch) && x.k % y.k != 0)
            return false;
        out->times_batch = x.times_batch && !y.times_batch;
        out->k = x.k / y.k;
        return true;
    case LR_OP_ADD:
        out->times_batch = x.times_batch;
        return x.times_batch == y.times_batch &&
               !__builtin_add_overflow(x.k, y.k, &out->k);
    case LR_OP_SUB:
        out->times_batch = x.times_batch;
        return x.times_batch == y.times_batch &&
               !__builtin_sub_overflow(x.k, y.k, &out->k);
    default:
        return false;
    }
}

/* Element-wise arithmetic on known integers; false when one of them is not known or the
 * result is no multiple of the batch. */
bool lr_infer_combine(struct lr_infer *c, struct lr_int *out, int *n, int *n_dims)
{
    const struct lr_ints *a = lr_infer_ints(c, 0), *b = lr_infer_ints(c, 1);

    if (!a || !b || (a->n != b->n && a->n != 1 && b->n != 1))
        return false;
    *n = a->n == 1 ? b->n : a->n;
    *n_dims = a->n_dims > b->n_dims ? a->n_dims : b->n_dims;
    for (int i = 0; i < *n; i++)
        if (!arithmetic(&out[i], c->node->op, a->v[a->n == 1 ? 0 : i],
                        b->v[b->n == 1 ? 0 : i]))
            return false;
    return true;
}

enum lr_status lr_rule_constant(struct lr_infer *c, struct lr_err *e)
{
    return lr_infer_why(c, e, "a constant of this kind is not supported");
}

enum lr_status lr_rule_shape_of(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    int64_t start = lr_node_int(c->node, "start", 0);
    int64_t end = lr_node_int(c->node, "end", s->n_dims);
    struct lr_int ints[LR_MAX_DIMS];
    struct lr_shape out = {.n_dims = 1};
    int n = 0;

    start = start < 0 ? start + s->n_dims : start;
    end = end < 0 ? end + s->n_dims : end;
    for (int64_t i = start < 0 ? 0 : start; i < end && i < s->n_dims; i++) {
        bool is_batch = i == 0 && s->dims[0] == -1;
        ints[n++] = (struct lr_int){is_batch ? 1 : s->dims[i], is_batch};
    }
    if (n == 0)
        return lr_infer_why(c, e, "Shape without result");
    out.dims[0] = n;
    enum lr_status st = lr_infer_know(c, 1, n, ints, e);
    return st == LR_OK ? lr_infer_out(c, 0, LR_DT_I64, &out, e) : st;
}

enum lr_status lr_rule_gather(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0), *is = lr_infer_in(c, 1);
    const struct lr_ints *x = lr_infer_ints(c, 0), *at = lr_infer_ints(c, 1);
    struct lr_shape out;
    int axis;

    if (!is)
        return lr_err_set(e, LR_EPARSE, "%.100s: Gather without indices", c->node->name);
    enum lr_status st =
        lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", 0), s->n_dims, e);
    if (st != LR_OK)
        return st;
    if (s->n_dims - 1 + is->n_dims > LR_MAX_DIMS || (axis == 0 && s->dims[0] == -1) ||
        (is->n_dims > 0 && is->dims[0] == -1))
        return lr_infer_why(c, e, "Gather is supported on shapes only");
    out.n_dims = s->n_dims - 1 + is->n_dims;
    for (int i = 0; i < out.n_dims; i++)
        out.dims[i] = i < axis ? s->dims[i]
                               : (i < axis + is->n_dims ? is->dims[i - axis]
                                                        : s->dims[i - is->n_dims + 1]);
    if (x && x->n_dims == 1 && at) {
        struct lr_int ints[LR_MAX_INTS];
        for (int i = 0; i < at->n && i < LR_MAX_INTS; i++) {
            int k;
            st = lr_infer_axis(c, &k, at->v[i].times_batch ? x->n : at->v[i].k, x->n, e);
            if (st != LR_OK)
                return st;
            ints[i] = x->v[k];
        }
        st = lr_infer_know(c, at->n_dims, at->n, ints, e);
    } else {
        st = lr_infer_why(c, e, "Gather is supported on shapes only");
    }
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), &out, e) : st;
}

enum lr_status lr_rule_cast(struct lr_infer *c, struct lr_err *e)
{
    int64_t to = lr_node_int(c->node, "to", 0);
    const struct lr_shape *s = lr_infer_in(c, 0);
    const struct lr_tensor *t = lr_infer_const(c, 0);
    const struct lr_ints *x = lr_infer_ints(c, 0);
    enum lr_status st = LR_OK;

    if (to < 0 || to > LR_DT_BF16 || lr_dtype_size((enum lr_dtype)to) == 0)
        return lr_infer_why(c, e, "Cast to type %lld", (long long)to);
    enum lr_dtype type = (enum lr_dtype)to;
    if (t && t->dtype == type)
        return lr_infer_fold_view(c, s, e);
    if (t && type == LR_DT_F32) {
        struct lr_tensor *folded = NULL;
        st = lr_tensor_to_f32(&folded, t, e);
        return st == LR_OK ? lr_infer_fold(c, folded, e) : st;
    }
    if (x && (type == LR_DT_I64 || type == LR_DT_I32))
        st = lr_infer_know(c, x->n_dims, x->n, x->v, e);
    else if (type != lr_infer_dtype(c, 0))
        st = lr_infer_why(c, e, "Cast from %s to %s", lr_dtype_name(lr_infer_dtype(c, 0)),
                          lr_dtype_name(type));
    return st == LR_OK ? lr_infer_out(c, 0, type, s, e) : st;
}

/* Sub and Div of activations are not known to the engine. */
enum lr_status lr_rule_arith(struct lr_infer *c, struct lr_err *e)
{
    struct lr_int ints[LR_MAX_INTS];
    int n, n_dims;

    if (!lr_infer_combine(c, ints, &n, &n_dims)) {
        enum lr_status st =
            lr_infer_why(c, e, "%s is supported on shapes only", c->node->type);
        if (st != LR_OK)
            return st;
    }
    return lr_rule_broadcast(c, e);
}

enum lr_status lr_rule_constant_of_shape(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_ints *x = lr_infer_ints(c, 0);
    const struct lr_attr *a = lr_node_attr(c->node, "value");
    const struct lr_tensor *value = a && a->kind == LR_ATTR_TENSOR ? a->tensor : NULL;
    struct lr_tensor *t = NULL;
    struct lr_shape s = {0};
    int64_t count;

    if (!x || x->n > LR_MAX_DIMS)
        return lr_infer_why(c, e, "ConstantOfShape of a shape that is not constant");
    s.n_dims = x->n;
    for (int i = 0; i < x->n; i++) {
        if (x->v[i].times_batch)
            return lr_infer_why(c, e, "a constant with the size of the batch");
        s.dims[i] = x->v[i].k;
    }
    if (lr_shape_count(&count, &s, NULL) != LR_OK || count > 65536)
        return lr_infer_why(c, e, "ConstantOfShape of more than 65536 elements");
    enum lr_status st = lr_tensor_new(&t, value ? value->dtype : LR_DT_F32, &s, e);
    if (st != LR_OK)
        return st;
    int64_t n_value = 0;
    if (value && lr_shape_count(&n_value, &value->shape, NULL) == LR_OK && n_value == 1) {
        size_t size = lr_dtype_size(value->dtype);
        for (int64_t i = 0; i < count; i++)
            memcpy((char *)t->data + (size_t)i * size, value->data, size);
    }
    return lr_infer_fold(c, t, e);
}

/* One sliced axis: count elements from start on, step apart. */
struct range {
    int64_t start, step, count;
};

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static struct range range_of(int64_t start, int64_t end, int64_t step, int64_t size)
{
    struct range r = {.step = step};

    /* Far beyond any size, and safe to add to. */
    start = clamp(start, -2 * (int64_t)LR_MAX_DIM, 2 * (int64_t)LR_MAX_DIM);
    end = clamp(end, -2 * (int64_t)LR_MAX_DIM, 2 * (int64_t)LR_MAX_DIM);
    start += start < 0 ? size : 0;
    end += end < 0 ? size : 0;
    if (step > 0) {
        r.start = clamp(start, 0, size);
        end = clamp(end, 0, size);
        r.count = end > r.start ? (end - r.start - 1) / step + 1 : 0;
    } else {
        r.start = clamp(start, 0, size - 1);
        end = clamp(end, -1, size - 1);
        r.count = r.start > end ? (r.start - end - 1) / -step + 1 : 0;
    }
    return r;
}

/* Input i of a Slice, or before opset 10 the attribute of that name. */
static int slice_list(struct lr_infer *c, int i, const char *name,
                      int64_t list[LR_MAX_DIMS])
{
    const struct lr_ints *x = lr_infer_ints(c, i);

    if (c->g->opset < 10) {
        size_t n = lr_node_ints(c->node, name, list, LR_MAX_DIMS);
        return n <= LR_MAX_DIMS ? (int)n : -1;
    }
    if (!lr_infer_has(c, i))
        return 0;
    if (!x || x->n > LR_MAX_DIMS)
        return -1;
    for (int k = 0; k < x->n; k++) {
        if (x->v[k].times_batch)
            return -1;
        list[k] = x->v[k].k;
    }
    return x->n;
}

/* The ranges of all axes. *is_ok false: they are not constant. */
static enum lr_status ranges(struct lr_infer *c, struct range r[LR_MAX_DIMS], bool *is_ok,
                             struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    int64_t start[LR_MAX_DIMS], end[LR_MAX_DIMS], given[LR_MAX_DIMS], step[LR_MAX_DIMS];
    int n = slice_list(c, 1, "starts", start), n_end = slice_list(c, 2, "ends", end);
    int n_axes = slice_list(c, 3, "axes", given),
        n_steps = slice_list(c, 4, "steps", step);

    *is_ok = n > 0 && n_end >= 0 && n_axes >= 0 && n_steps >= 0;
    if (!*is_ok)
        return lr_infer_why(c, e, "the range of Slice is not constant");
    if (n != n_end || (n_axes && n != n_axes) || (n_steps && n != n_steps) ||
        n > s->n_dims)
        return lr_infer_bad(c, e, "Slice with %d starts and %d ends for %d dimensions", n,
                            n_end, s->n_dims);
    for (int i = 0; i < s->n_dims; i++)
        r[i] = (struct range){0, 1, s->dims[i]};
    for (int i = 0; i < n; i++) {
        int axis = i;
        int64_t by = n_steps ? step[i] : 1;
        enum lr_status st =
            n_axes ? lr_infer_axis(c, &axis, given[i], s->n_dims, e) : LR_OK;
        if (st != LR_OK)
            return st;
        if (by == 0 || by < -LR_MAX_DIM || by > LR_MAX_DIM || s->dims[axis] < 0)
            return lr_infer_bad(c, e, "Slice of axis %d with step %lld", axis,
                                (long long)by);
        r[axis] = range_of(start[i], end[i], by, s->dims[axis]);
    }
    return LR_OK;
}

static enum lr_status slice_constant(struct lr_tensor **out, const struct lr_tensor *t,
                                     const struct range *r, struct lr_err *e)
{
    size_t size = lr_dtype_size(t->dtype);
    struct lr_shape s = {.n_dims = t->shape.n_dims};
    int64_t at[LR_MAX_DIMS] = {0}, count;

    for (int i = 0; i < s.n_dims; i++)
        s.dims[i] = r[i].count;
    enum lr_status st = lr_tensor_new(out, t->dtype, &s, e);
    if (st == LR_OK)
        st = lr_shape_count(&count, &s, e);
    for (int64_t i = 0; st == LR_OK && i < count; i++) {
        int64_t from = 0;
        for (int k = 0; k < s.n_dims; k++)
            from = from * t->shape.dims[k] + r[k].start + at[k] * r[k].step;
        memcpy((char *)(*out)->data + (size_t)i * size,
               (const char *)t->data + (size_t)from * size, size);
        for (int k = s.n_dims - 1; k >= 0 && ++at[k] == s.dims[k]; k--)
            at[k] = 0;
    }
    return st;
}

enum lr_status lr_rule_slice(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_tensor *t = lr_infer_const(c, 0);
    const struct lr_ints *x = lr_infer_ints(c, 0);
    struct range r[LR_MAX_DIMS];
    struct lr_int ints[LR_MAX_INTS];
    struct lr_shape s = {.n_dims = 1};
    bool is_ok;

    if (!t && (!x || x->n_dims != 1))
        return lr_infer_why(c, e, "Slice is supported on shapes only");
    enum lr_status st = ranges(c, r, &is_ok, e);
    if (st != LR_OK || !is_ok)
        return st;
    if (t) {
        struct lr_tensor *folded = NULL;
        st = slice_constant(&folded, t, r, e);
        if (st == LR_OK)
            return lr_infer_fold(c, folded, e);
        lr_tensor_free(folded);
        return st;
    }
    for (int64_t i = 0; i < r[0].count && i < LR_MAX_INTS; i++)
        ints[i] = x->v[r[0].start + i * r[0].step];
    s.dims[0] = r[0].count;
    st = lr_infer_know(c, 1, (int)r[0].count, ints, e);
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), &s, e) : st;
}
