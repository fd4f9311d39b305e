/* Shape rules of the operators by which exporters compute shapes: arithmetic, slices and
 * look-ups on small integer vectors, some of whose elements are multiples of the batch,
 * and on constants. Of activations only Add, Mul and Concat survive inference. */
#include <string.h>

#include "model.h"
#include "model/space.h"

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

/* The number of elements, where it is a number or a multiple of the batch. */
static enum lr_status size_of(struct lr_infer *c, struct lr_err *e)
{
    struct lr_shape s = *lr_infer_in(c, 0), out = {0};
    struct lr_int x = {0, lr_shape_has_batch(&s)};

    if (x.times_batch)
        s.dims[0] = 1;
    enum lr_status st = lr_shape_count(&x.k, &s, e);
    if (st == LR_OK)
        st = lr_infer_know(c, 0, 1, &x, e);
    return st == LR_OK ? lr_infer_out(c, 0, LR_DT_I64, &out, e) : st;
}

enum lr_status lr_rule_shape_of(struct lr_infer *c, struct lr_err *e)
{
    if (c->node->op == LR_OP_SIZE)
        return size_of(c, e);
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
    out.dims[0] = n;
    enum lr_status st = lr_infer_know(c, 1, n, ints, e);
    return st == LR_OK && n ? lr_infer_out(c, 0, LR_DT_I64, &out, e) : st;
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
    if (s->n_dims - 1 + is->n_dims > LR_MAX_DIMS)
        return lr_infer_why(c, e, "its result has too many dimensions");
    if (axis == 0 && lr_shape_has_batch(s))
        return lr_infer_why(c, e, "looks up images of the batch");
    if (lr_shape_has_batch(is) && (axis != 0 || lr_shape_has_batch(s)))
        return lr_infer_why(c, e, "moves the batch");
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

    if (c->node->op == LR_OP_CAST_LIKE)
        to = (int64_t)lr_infer_dtype(c, 1);
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
    if (!t && x && (type == LR_DT_I64 || type == LR_DT_I32))
        st = lr_infer_know(c, x->n_dims, x->n, x->v, e);
    return st == LR_OK ? lr_infer_out(c, 0, type, s, e) : st;
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
    if (lr_shape_count(&count, &s, NULL) != LR_OK || !lr_infer_may_make(c, count))
        return lr_infer_why(c, e, "ConstantOfShape of too many elements");
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

enum lr_status lr_rule_slice(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_ints *x = lr_infer_ints(c, 0);
    struct lr_range r[LR_MAX_DIMS];
    struct lr_int ints[LR_MAX_INTS];
    struct lr_shape s = *lr_infer_in(c, 0);
    struct lr_err why = {0};
    enum lr_status st = lr_node_ranges(r, c->g, c->node, &s, &why);

    if (st != LR_OK)
        return lr_infer_demote(c, st, &why, e);
    bool is_empty = false;
    for (int i = 0; i < s.n_dims; i++)
        if (s.dims[i] != -1) {
            s.dims[i] = r[i].count;
            is_empty = is_empty || r[i].count == 0;
        }
    if (x && x->n_dims == 1 && !lr_infer_const(c, 0)) {
        for (int64_t i = 0; i < r[0].count && i < LR_MAX_INTS; i++)
            ints[i] = x->v[r[0].start + i * r[0].step];
        st = lr_infer_know(c, 1, (int)r[0].count, ints, e);
        return st == LR_OK && r[0].count ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), &s, e)
                                         : st;
    }
    if (is_empty && (s.n_dims == 0 || s.dims[0] != -1)) {
        struct lr_tensor *t = NULL;
        st = lr_tensor_new(&t, lr_infer_dtype(c, 0), &s, e);
        return st == LR_OK ? lr_infer_fold(c, t, e) : st;
    }
    return lr_infer_out(c, 0, lr_infer_dtype(c, 0), &s, e);
}
