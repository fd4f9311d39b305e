/* Shape rules of the operators that only move data, for activations, for constants (which
 * are folded) and for the small integer vectors that describe shapes. */
#include <string.h>

#include "model.h"

static enum lr_status out_same_type(struct lr_infer *c, const struct lr_shape *s,
                                    struct lr_err *e)
{
    return lr_infer_out(c, 0, lr_infer_dtype(c, 0), s, e);
}

/* Finishes an operator that gives its input another shape. */
static enum lr_status view(struct lr_infer *c, const struct lr_shape *s, struct lr_err *e)
{
    const struct lr_ints *x;

    if (lr_infer_const(c, 0))
        return lr_infer_fold_view(c, s, e);
    x = lr_infer_ints(c, 0);
    if (x && s->n_dims <= 1) {
        enum lr_status st = lr_infer_know(c, s->n_dims, x->n, x->v, e);
        if (st != LR_OK)
            return st;
    }
    return out_same_type(c, s, e);
}

enum lr_status lr_rule_concat(struct lr_infer *c, struct lr_err *e)
{
    struct lr_shape out = *lr_infer_in(c, 0);
    struct lr_int ints[LR_MAX_INTS];
    char p[LR_MAX_DIMS * 21], q[LR_MAX_DIMS * 21];
    int axis, n = 0;
    bool is_known = out.n_dims == 1, is_split = false;
    enum lr_status st;

    st = lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", 1), out.n_dims, e);
    if (st != LR_OK)
        return st;
    if (axis == 0 && out.dims[0] == -1)
        return lr_infer_why(c, e, "Concat along the batch");
    out.dims[axis] = 0;
    for (int i = 0; i < c->node->n_in; i++) {
        const struct lr_shape *s = lr_infer_in(c, i);
        const struct lr_ints *x = is_known ? lr_infer_ints(c, i) : NULL;
        if (!s)
            return lr_err_set(e, LR_EPARSE, "%.100s: Concat with a missing input",
                              c->node->name);
        if (axis == 0 && s->n_dims > 0 && s->dims[0] == -1)
            return lr_infer_why(c, e, "Concat along the batch");
        for (int k = 0; k < out.n_dims && s->n_dims == out.n_dims; k++) {
            if (k == axis || s->dims[k] == out.dims[k])
                continue;
            int64_t fixed = s->dims[k] == -1 ? out.dims[k] : s->dims[k];
            is_split = k == 0 && (s->dims[k] == -1 || out.dims[k] == -1) &&
                       (fixed == 1 || fixed == c->g->file_batch);
            if (!is_split)
                goto bad;
        }
        if (s->n_dims != out.n_dims ||
            __builtin_add_overflow(out.dims[axis], s->dims[axis], &out.dims[axis]))
            goto bad;
        is_known = x && n + x->n <= LR_MAX_INTS;
        for (int k = 0; is_known && k < x->n; k++)
            ints[n++] = x->v[k];
        continue;
    bad:
        return lr_infer_bad(c, e, "cannot join %s to %s", lr_shape_text(p, sizeof(p), s),
                            lr_shape_text(q, sizeof(q), lr_infer_in(c, 0)));
    }
    if (is_split)
        return lr_infer_why(c, e, "joins a fixed batch to the free one");
    if (is_known)
        st = lr_infer_know(c, 1, n, ints, e);
    return st == LR_OK ? out_same_type(c, &out, e) : st;
}

enum lr_status lr_rule_flatten(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    int64_t given = lr_node_int(c->node, "axis", 1);
    struct lr_shape out = {.n_dims = 2, .dims = {1, 1}};
    int axis = s->n_dims;

    if (given != s->n_dims) {
        enum lr_status st = lr_infer_axis(c, &axis, given, s->n_dims, e);
        if (st != LR_OK)
            return st;
    }
    bool has_batch = s->n_dims > 0 && s->dims[0] == -1;
    for (int i = has_batch ? 1 : 0; i < s->n_dims; i++)
        if (__builtin_mul_overflow(out.dims[i >= axis], s->dims[i], &out.dims[i >= axis]))
            return lr_infer_bad(c, e, "result is too large");
    if (has_batch) {
        if (axis == 0 || out.dims[0] != 1)
            return lr_infer_why(c, e, "flattens the batch (axis %d)", axis);
        out.dims[0] = -1;
    }
    return view(c, &out, e);
}

/* What a Reshape's target means for data of shape in. *is_ok false: a reason has been
 * set. *is_batch_made: a fixed first number was taken to be the batch. */
static enum lr_status reshape(struct lr_infer *c, struct lr_shape *out, bool *is_ok,
                              bool *is_batch_made, const struct lr_ints *t,
                              struct lr_err *e)
{
    const struct lr_shape *in = lr_infer_in(c, 0);
    bool has_batch = in->n_dims > 0 && in->dims[0] == -1;
    bool is_zero_kept = lr_node_int(c->node, "allowzero", 0) != 0;
    char p[LR_MAX_DIMS * 21], q[LR_MAX_DIMS * 21];
    int64_t total = 1, rest = 1;
    int open = -1;

    *is_ok = true;
    *is_batch_made = false;
    out->n_dims = t->n;
    for (int i = has_batch ? 1 : 0; i < in->n_dims; i++)
        if (__builtin_mul_overflow(total, in->dims[i], &total))
            return lr_infer_bad(c, e, "data are too large");
    bool is_free = false;
    for (int i = 0; i < t->n; i++) {
        int64_t k = t->v[i].k;
        bool is_copy = k == 0 && !is_zero_kept && !t->v[i].times_batch;
        if (is_copy && i >= in->n_dims)
            return lr_infer_bad(c, e,
                                "target size 0 at %d, but the data have %d dimensions", i,
                                in->n_dims);
        if ((t->v[i].times_batch && k == 1) || (is_copy && i == 0 && has_batch)) {
            *is_ok = *is_ok && i == 0 && has_batch;
            is_free = i == 0;
            out->dims[i] = -1;
            continue;
        }
        if (t->v[i].times_batch) {
            *is_ok = false;
            continue;
        }
        if (k == -1 && open >= 0)
            return lr_infer_bad(c, e, "target shape has two sizes -1");
        if (k == -1) {
            open = i;
            continue;
        }
        out->dims[i] = is_copy ? in->dims[i] : k;
        if (out->dims[i] < 1 || out->dims[i] > LR_MAX_DIM)
            return lr_infer_bad(c, e, "target size %lld", (long long)out->dims[i]);
        if (i > 0 && __builtin_mul_overflow(rest, out->dims[i], &rest))
            return lr_infer_bad(c, e, "target shape is too large");
    }
    if (!*is_ok)
        return lr_infer_why(c, e, "moves the batch");
    if (has_batch && !is_free && t->n > 0 && open != 0) {
        /* A first number that is the file's batch stands for the batch. */
        int64_t batch = c->g->file_batch ? c->g->file_batch : 1;
        bool is_fit = open > 0 ? total % rest == 0 : total == rest;
        if (out->dims[0] == batch && is_fit) {
            out->dims[0] = -1;
            *is_batch_made = true;
        } else {
            *is_ok = false;
            return lr_infer_why(c, e, "reshapes across the batch");
        }
    } else if (has_batch && open == 0) {
        if (total != rest && total % rest == 0) {
            *is_ok = false;
            return lr_infer_why(c, e, "reshapes across the batch");
        }
        if (total != rest)
            goto bad;
        out->dims[0] = -1;
        open = -1;
    } else if (!has_batch && t->n > 0 && open != 0 &&
               __builtin_mul_overflow(rest, out->dims[0], &rest)) {
        goto bad;
    } else if (has_batch && t->n == 0) {
        goto bad;
    }
    if (open >= 0 ? total % rest != 0 : total != rest)
        goto bad;
    if (open >= 0)
        out->dims[open] = total / rest;
    return LR_OK;
bad:
    if (t->n > 0 && open >= 0)
        out->dims[open] = open == 0 && has_batch ? -1 : 0;
    return lr_infer_bad(c, e, "cannot reshape %s to %s", lr_shape_text(p, sizeof(p), in),
                        lr_shape_text(q, sizeof(q), out));
}

/* Keeps the target in a form that leaves the batch free: 0 in front copies it. */
static enum lr_status keep_target(struct lr_infer *c, const struct lr_ints *t,
                                  const struct lr_shape *out, struct lr_err *e)
{
    bool is_zero_kept = lr_node_int(c->node, "allowzero", 0) != 0;
    struct lr_ints *x = lr_calloc(1, sizeof(*x));
    struct lr_int *list = lr_calloc((size_t)t->n, sizeof(*list));

    if (!x || !list) {
        lr_free(x);
        lr_free(list);
        return lr_enomem(e, (size_t)t->n * sizeof(*list), "shape inference");
    }
    bool has_batch = out->n_dims > 0 && out->dims[0] == -1;
    for (int i = 0; i < t->n; i++)
        list[i].k =
            t->v[i].k == -1 && !t->v[i].times_batch && !(has_batch && is_zero_kept)
                ? -1
                : out->dims[i];
    if (has_batch)
        list[0].k = is_zero_kept ? -1 : 0;
    *x = (struct lr_ints){1, t->n, list};
    c->targets[c->index] = x;
    return LR_OK;
}

enum lr_status lr_rule_reshape(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_ints *t = lr_infer_ints(c, 1);
    struct lr_shape out = {0};
    bool is_ok, is_batch_made;

    if (!lr_infer_has(c, 1))
        return lr_err_set(e, LR_EPARSE, "%.100s: Reshape without target shape",
                          c->node->name);
    if (!t)
        return lr_infer_why(c, e, "the target shape is not constant");
    if (t->n > LR_MAX_DIMS || t->n_dims != 1)
        return lr_infer_bad(c, e, "target shape with %d sizes, at most %d are supported",
                            t->n, LR_MAX_DIMS);
    enum lr_status st = reshape(c, &out, &is_ok, &is_batch_made, t, e);
    if (st != LR_OK || !is_ok)
        return st;
    if (!lr_infer_const(c, 0) && (is_batch_made || !lr_infer_const(c, 1)))
        st = keep_target(c, t, &out, e);
    return st == LR_OK ? view(c, &out, e) : st;
}

/* The constant with its axes permuted. */
static enum lr_status permute(struct lr_tensor **out, const struct lr_tensor *t,
                              const int *perm, const struct lr_shape *s, struct lr_err *e)
{
    size_t size = lr_dtype_size(t->dtype);
    int64_t stride[LR_MAX_DIMS], at[LR_MAX_DIMS] = {0}, count, step = 1, from = 0;
    enum lr_status st = lr_tensor_new(out, t->dtype, s, e);

    if (st == LR_OK)
        st = lr_shape_count(&count, s, e);
    if (st != LR_OK)
        return st;
    for (int i = t->shape.n_dims - 1; i >= 0; i--) {
        for (int k = 0; k < s->n_dims; k++)
            if (perm[k] == i)
                stride[k] = step;
        step *= t->shape.dims[i];
    }
    for (int64_t i = 0; i < count; i++) {
        memcpy((char *)(*out)->data + (size_t)i * size,
               (const char *)t->data + (size_t)from * size, size);
        for (int k = s->n_dims - 1; k >= 0; k--) {
            from += stride[k];
            if (++at[k] < s->dims[k])
                break;
            from -= stride[k] * s->dims[k];
            at[k] = 0;
        }
    }
    return LR_OK;
}

enum lr_status lr_rule_transpose(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    const struct lr_tensor *t = lr_infer_const(c, 0);
    int64_t given[LR_MAX_DIMS];
    int perm[LR_MAX_DIMS] = {0};
    struct lr_shape out = {.n_dims = s->n_dims};
    unsigned seen = 0;
    size_t n = lr_node_ints(c->node, "perm", given, LR_MAX_DIMS);

    if (n != 0 && n != (size_t)s->n_dims)
        return lr_infer_bad(c, e, "perm has %zu entries for %d dimensions", n, s->n_dims);
    for (int i = 0; i < s->n_dims; i++) {
        int64_t k = n ? given[i] : s->n_dims - 1 - i;
        if (k < 0 || k >= s->n_dims || (seen & 1u << k))
            return lr_infer_bad(c, e, "perm is no permutation of %d dimensions",
                                s->n_dims);
        seen |= 1u << k;
        perm[i] = (int)k;
        out.dims[i] = s->dims[k];
    }
    if (t) {
        struct lr_tensor *folded = NULL;
        enum lr_status st = permute(&folded, t, perm, &out, e);
        if (st == LR_OK)
            return lr_infer_fold(c, folded, e);
        lr_tensor_free(folded);
        return st;
    }
    if (s->n_dims > 0 && s->dims[0] == -1 && perm[0] != 0)
        return lr_infer_why(c, e, "moves the batch");
    return view(c, &out, e);
}

enum lr_status lr_rule_pad(struct lr_infer *c, struct lr_err *e)
{
    int64_t pads[2 * LR_MAX_DIMS];
    struct lr_shape out = *lr_infer_in(c, 0);
    int n = out.n_dims;
    float value;
    struct lr_err why = {0};
    enum lr_status st = lr_node_pad(pads, 2 * LR_MAX_DIMS, &value, c->g, c->node, &why);

    if (st != LR_OK)
        return lr_infer_demote(c, st, &why, e);
    bool is_reflected = strcmp(lr_node_string(c->node, "mode", ""), "reflect") == 0;
    for (int i = 0; i < n; i++) {
        int64_t a = pads[i], b = pads[n + i], size = out.dims[i];
        if (a < -LR_MAX_DIM || a > LR_MAX_DIM || b < -LR_MAX_DIM || b > LR_MAX_DIM)
            return lr_infer_bad(c, e, "padding is out of range");
        if (size == -1 && (a || b))
            return lr_infer_why(c, e, "pads the batch");
        if (size == -1)
            continue;
        if (a < -size || b < -size || size + a + b < 1)
            return lr_infer_bad(c, e, "padding %lld and %lld leaves nothing of %lld",
                                (long long)a, (long long)b, (long long)size);
        int64_t left = size + (a < 0 ? a : 0) + (b < 0 ? b : 0), most = a > b ? a : b;
        if (is_reflected && most >= left)
            return lr_infer_why(c, e, "reflects %lld of only %lld values",
                                (long long)most, (long long)left);
        out.dims[i] = size + a + b;
    }
    return out_same_type(c, &out, e);
}

/* The axes of (Un)squeeze, an attribute or input 1, as a bit set over n_dims. *n: how
 * many, -1 when none are given. *is_ok false: they are not constant. */
static enum lr_status axes(struct lr_infer *c, unsigned *set, int *n, int extra,
                           bool *is_ok, struct lr_err *e)
{
    const struct lr_ints *x = lr_infer_ints(c, 1);
    int64_t list[LR_MAX_DIMS];
    size_t count = lr_node_ints(c->node, "axes", list, LR_MAX_DIMS);

    *set = 0;
    *n = -1;
    *is_ok = !lr_infer_has(c, 1) || x;
    if (!*is_ok || (!lr_infer_has(c, 1) && !lr_node_attr(c->node, "axes")))
        return *is_ok ? LR_OK : lr_infer_why(c, e, "axes are not constant");
    if (x) {
        count = (size_t)x->n;
        for (size_t i = 0; i < count && i < LR_MAX_DIMS; i++)
            list[i] = x->v[i].times_batch ? INT64_MAX : x->v[i].k;
    }
    int n_dims = lr_infer_in(c, 0)->n_dims + (extra ? (int)(count < 99 ? count : 99) : 0);
    if (count > LR_MAX_DIMS || n_dims > LR_MAX_DIMS)
        return lr_infer_bad(c, e, "%zu axes lead beyond %d dimensions", count,
                            LR_MAX_DIMS);
    for (size_t i = 0; i < count; i++) {
        int axis;
        enum lr_status st = lr_infer_axis(c, &axis, list[i], n_dims, e);
        if (st != LR_OK)
            return st;
        if (*set & 1u << axis)
            return lr_infer_bad(c, e, "axis %d is named twice", axis);
        *set |= 1u << axis;
    }
    *n = (int)count;
    return LR_OK;
}

enum lr_status lr_rule_unsqueeze(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    struct lr_shape out = {0};
    unsigned set;
    int n, from = 0;
    bool is_ok;
    enum lr_status st = axes(c, &set, &n, 1, &is_ok, e);

    if (st != LR_OK || !is_ok)
        return st;
    if (n < 0)
        return lr_err_set(e, LR_EPARSE, "%.100s: Unsqueeze without axes", c->node->name);
    if (s->n_dims > 0 && s->dims[0] == -1 && (set & 1u))
        return lr_infer_why(c, e, "moves the batch");
    out.n_dims = s->n_dims + n;
    for (int i = 0; i < out.n_dims; i++)
        out.dims[i] = set & 1u << i ? 1 : s->dims[from++];
    return view(c, &out, e);
}

enum lr_status lr_rule_squeeze(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    struct lr_shape out = {0};
    unsigned set;
    int n;
    bool is_ok;
    enum lr_status st = axes(c, &set, &n, 0, &is_ok, e);

    if (st != LR_OK || !is_ok)
        return st;
    for (int i = 0; i < s->n_dims; i++) {
        bool is_gone = n < 0 ? s->dims[i] == 1 : (set & 1u << i) != 0;
        if (is_gone && s->dims[i] == -1)
            return lr_infer_why(c, e, "removes the batch");
        if (is_gone && s->dims[i] != 1)
            return lr_infer_bad(c, e, "axis %d has size %lld, not 1", i,
                                (long long)s->dims[i]);
        if (!is_gone)
            out.dims[out.n_dims++] = s->dims[i];
    }
    return view(c, &out, e);
}
