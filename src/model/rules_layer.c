/* Shape rules of the operators that compute: convolution, pooling, matrix products,
 * normalisation, activations and sums. Every weight's shape is checked against the data
 * here once, so that the engine and the solvers can rely on it. */
#include <string.h>

#include "model.h"
#include "model/space.h"

static bool is_shape_1d(const struct lr_shape *s, int64_t n)
{
    return s && s->n_dims == 1 && s->dims[0] == n;
}

/* All float inputs of a computing node should be of one type. */
static enum lr_status check_same_type(struct lr_infer *c, int n_in, struct lr_err *e)
{
    enum lr_dtype t = lr_infer_dtype(c, 0);

    for (int i = 1; i < n_in; i++)
        if (lr_infer_has(c, i) && lr_infer_dtype(c, i) != t)
            return lr_infer_why(c, e, "mixes %s and %s", lr_dtype_name(t),
                                lr_dtype_name(lr_infer_dtype(c, i)));
    return LR_OK;
}

enum lr_status lr_rule_same(struct lr_infer *c, struct lr_err *e)
{
    enum lr_op op = c->node->op;

    if (op == LR_OP_IDENTITY && lr_infer_const(c, 0))
        return lr_infer_fold_view(c, lr_infer_in(c, 0), e);
    if (op == LR_OP_IDENTITY && lr_infer_ints(c, 0)) {
        const struct lr_ints *x = lr_infer_ints(c, 0);
        enum lr_status st = lr_infer_know(c, x->n_dims, x->n, x->v, e);
        if (st != LR_OK)
            return st;
    }
    return lr_infer_out(c, 0, lr_infer_dtype(c, 0), lr_infer_in(c, 0), e);
}

enum lr_status lr_rule_clip(struct lr_infer *c, struct lr_err *e)
{
    float lo, hi;
    struct lr_err why = {0};
    enum lr_status st = lr_node_clip(&lo, &hi, c->g, c->node, &why);

    st = lr_infer_demote(c, st, &why, e);
    return st == LR_OK ? lr_rule_same(c, e) : st;
}

enum lr_status lr_rule_dropout(struct lr_infer *c, struct lr_err *e)
{
    enum lr_status st = LR_OK;

    if (!lr_dropout_keeps_all(c->g, c->node))
        st = lr_infer_why(c, e, "Dropout in training mode");
    if (st == LR_OK && c->node->n_out > 1 && c->node->out[1] >= 0) {
        st = lr_infer_out(c, 1, c->g->opset < 10 ? lr_infer_dtype(c, 0) : LR_DT_BOOL,
                          lr_infer_in(c, 0), e);
    }
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), lr_infer_in(c, 0), e)
                       : st;
}

enum lr_status lr_rule_softmax(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    int64_t given = lr_node_int(c->node, "axis", c->g->opset < 13 ? 1 : -1);
    int axis;

    if (s->n_dims < 1)
        return lr_infer_bad(c, e, "Softmax of a scalar");
    if (c->g->opset < 13 && given == s->n_dims)
        axis = s->n_dims;
    else if (lr_infer_axis(c, &axis, given, s->n_dims, e) != LR_OK)
        return LR_ESHAPE;
    if (axis == 0 && s->dims[0] == -1) {
        enum lr_status st = lr_infer_why(c, e, "Softmax over the batch");
        if (st != LR_OK)
            return st;
    }
    return lr_infer_out(c, 0, lr_infer_dtype(c, 0), s, e);
}

enum lr_status lr_rule_lrn(struct lr_infer *c, struct lr_err *e)
{
    int64_t size = lr_node_int(c->node, "size", 0);
    const struct lr_shape *s = lr_infer_in(c, 0);

    if (size < 1 || size > LR_MAX_DIM)
        return lr_infer_bad(c, e, "size %lld of LRN, at least 1 needed", (long long)size);
    if (s->n_dims < 2)
        return lr_infer_bad(c, e, "LRN needs channels");
    return lr_infer_out(c, 0, lr_infer_dtype(c, 0), s, e);
}

enum lr_status lr_rule_batch_norm(struct lr_infer *c, struct lr_err *e)
{
    static const char *const names[] = {"", "scale", "bias", "mean", "variance"};
    const struct lr_shape *s = lr_infer_in(c, 0);
    enum lr_status st = LR_OK;

    if (s->n_dims < 2)
        return lr_infer_bad(c, e, "BatchNormalization needs channels");
    for (int i = 1; i < 5; i++) {
        const struct lr_shape *p = lr_infer_in(c, i);
        if (!p)
            return lr_err_set(e, LR_EPARSE, "%.100s: %s is missing", c->node->name,
                              names[i]);
        if (!is_shape_1d(p, s->dims[1]) &&
            !(c->g->opset < 9 && lr_node_int(c->node, "spatial", 1) == 0)) {
            char text[LR_MAX_DIMS * 21];
            return lr_infer_bad(c, e, "%s has shape %s, but the data have %lld channels",
                                names[i], lr_shape_text(text, sizeof(text), p),
                                (long long)s->dims[1]);
        }
        if (st == LR_OK && !lr_infer_const(c, i))
            st = lr_infer_why(c, e, "%s is not constant", names[i]);
    }
    bool is_training = lr_node_int(c->node, "training_mode", 0) != 0;
    for (int i = 1; i < c->node->n_out; i++)
        is_training = is_training || c->node->out[i] >= 0;
    if (st == LR_OK && is_training)
        st = lr_infer_why(c, e, "BatchNormalization in training mode");
    if (st == LR_OK && c->g->opset < 9 && lr_node_int(c->node, "spatial", 1) == 0)
        st = lr_infer_why(c, e, "BatchNormalization per position (spatial = 0)");
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), s, e) : st;
}

/* Positions of a window along one axis, 0 when it does not fit. A window that would start
 * behind the data and the begin padding does not count in ceil mode. */
static int64_t positions(int64_t size, int64_t begin, int64_t end, int64_t k, int64_t dil,
                         int64_t stride, bool is_ceil)
{
    int64_t extent;

    if (__builtin_mul_overflow(k - 1, dil, &extent))
        return 0;
    int64_t room = size + begin + end - (extent + 1);
    if (room < 0)
        return 0;
    int64_t n = (is_ceil ? room + stride - 1 : room) / stride + 1;
    if (is_ceil && (n - 1) * stride >= size + begin)
        n--;
    return n;
}

/* The output's height and width. *is_done: the node cannot be handled, the reason is set.
 */
static enum lr_status slide(struct lr_infer *c, struct lr_window *w, struct lr_shape *out,
                            bool *is_done, struct lr_err *e)
{
    const struct lr_shape *in = lr_infer_in(c, 0);
    struct lr_err why = {0};
    enum lr_status st = lr_node_window(w, c->g, c->node, &why);

    *is_done = st == LR_EUNSUP;
    if (st == LR_EUNSUP && in->n_dims != 4) {
        const bool is_conv = c->node->op == LR_OP_CONV;
        struct lr_space s;
        *is_done = false;
        *w = (struct lr_window){.kh = 0};
        st = lr_node_space(&s, c->node, in, is_conv ? lr_infer_in(c, 1) : NULL, e);
        *out = *in;
        for (int i = 0; st == LR_OK && i < s.slide.n; i++)
            out->dims[i + 2] = s.slide.out[i];
        return st;
    }
    if (st != LR_OK)
        return lr_infer_demote(c, st, &why, e);
    *out = *in;
    out->dims[2] = positions(in->dims[2], w->pad_top, w->pad_bottom, w->kh, w->dil_h,
                             w->stride_h, w->ceil_mode && c->node->op != LR_OP_CONV);
    out->dims[3] = positions(in->dims[3], w->pad_left, w->pad_right, w->kw, w->dil_w,
                             w->stride_w, w->ceil_mode && c->node->op != LR_OP_CONV);
    if (out->dims[2] < 1 || out->dims[3] < 1)
        return lr_infer_bad(
            c, e, "the %lldx%lld window is larger than the padded %lldx%lld data",
            (long long)w->kh, (long long)w->kw, (long long)in->dims[2],
            (long long)in->dims[3]);
    return LR_OK;
}

enum lr_status lr_rule_conv(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *in = lr_infer_in(c, 0), *ws = lr_infer_in(c, 1);
    const struct lr_shape *bs = lr_infer_in(c, 2);
    int64_t group = lr_node_int(c->node, "group", 1);
    char a[LR_MAX_DIMS * 21], b[LR_MAX_DIMS * 21];
    struct lr_window w;
    struct lr_shape out;
    bool is_done = false;
    enum lr_status st;

    if (!ws)
        return lr_err_set(e, LR_EPARSE, "%.100s: Conv without weights", c->node->name);
    if (in->n_dims < 3 || ws->n_dims != in->n_dims)
        return lr_infer_bad(c, e, "weights of shape %s do not fit data of shape %s",
                            lr_shape_text(a, sizeof(a), ws),
                            lr_shape_text(b, sizeof(b), in));
    if (group < 1 || ws->dims[0] < 1 || ws->dims[0] % group != 0 || ws->dims[1] < 1 ||
        ws->dims[1] > LR_MAX_DIM || group > LR_MAX_DIM ||
        in->dims[1] != ws->dims[1] * group)
        return lr_infer_bad(
            c, e, "weights of shape %s with %lld group%s do not fit %lld channels",
            lr_shape_text(a, sizeof(a), ws), (long long)group, group == 1 ? "" : "s",
            (long long)in->dims[1]);
    if (bs && !is_shape_1d(bs, ws->dims[0]))
        return lr_infer_bad(c, e, "bias of shape %s, but %lld filters",
                            lr_shape_text(a, sizeof(a), bs), (long long)ws->dims[0]);
    st = slide(c, &w, &out, &is_done, e);
    if (st != LR_OK || is_done)
        return st;
    out.dims[1] = ws->dims[0];
    st = check_same_type(c, 3, e);
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), &out, e) : st;
}

enum lr_status lr_rule_pool(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *in = lr_infer_in(c, 0);
    struct lr_window w;
    struct lr_shape out;
    bool is_done = false;

    if (in->n_dims < 3)
        return lr_infer_bad(c, e, "%s needs spatial dimensions", c->node->type);
    enum lr_status st = slide(c, &w, &out, &is_done, e);
    if (st != LR_OK || is_done)
        return st;
    if (w.kh > 0 && (w.pad_top >= w.kh * w.dil_h || w.pad_bottom >= w.kh * w.dil_h ||
                     w.pad_left >= w.kw * w.dil_w || w.pad_right >= w.kw * w.dil_w))
        st = lr_infer_why(c, e, "padding as wide as the window");
    if (st == LR_OK && c->node->n_out > 1 && c->node->out[1] >= 0) {
        /* they count through all images */
        if (out.dims[0] == -1)
            st = lr_infer_why(c, e, "the indices of MaxPool are asked for");
        if (st == LR_OK)
            st = lr_infer_out(c, 1, LR_DT_I64, &out, e);
    }
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), &out, e) : st;
}

enum lr_status lr_rule_global_pool(struct lr_infer *c, struct lr_err *e)
{
    struct lr_shape s = *lr_infer_in(c, 0);
    enum lr_status st = LR_OK;

    if (s.n_dims < 3)
        return lr_infer_bad(c, e, "%s needs spatial dimensions", c->node->type);
    for (int i = 2; i < s.n_dims; i++)
        s.dims[i] = 1;
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), &s, e) : st;
}

enum lr_status lr_rule_gemm(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *a = lr_infer_in(c, 0), *b = lr_infer_in(c, 1);
    const struct lr_shape *z = lr_infer_in(c, 2);
    bool is_ta = lr_node_int(c->node, "transA", 0) != 0;
    bool is_tb = lr_node_int(c->node, "transB", 0) != 0;
    char p[LR_MAX_DIMS * 21], q[LR_MAX_DIMS * 21];
    struct lr_shape out = {.n_dims = 2};

    if (!b)
        return lr_err_set(e, LR_EPARSE, "%.100s: Gemm needs two matrices", c->node->name);
    if (a->n_dims != 2 || b->n_dims != 2 ||
        a->dims[is_ta ? 0 : 1] != b->dims[is_tb ? 1 : 0])
        return lr_infer_bad(c, e, "cannot multiply %s%s by %s%s",
                            lr_shape_text(p, sizeof(p), a), is_ta ? " (transposed)" : "",
                            lr_shape_text(q, sizeof(q), b), is_tb ? " (transposed)" : "");
    if ((is_ta && a->dims[0] == -1) || b->dims[0] == -1)
        return lr_infer_why(c, e, "Gemm over the batch");
    out.dims[0] = a->dims[is_ta ? 1 : 0];
    out.dims[1] = b->dims[is_tb ? 0 : 1];
    if (z) {
        int64_t last = z->n_dims > 0 ? z->dims[z->n_dims - 1] : 1;
        int64_t first = z->n_dims == 2 ? z->dims[0] : 1;
        if (first == -1 && out.dims[0] != -1)
            return lr_infer_why(c, e, "the bias has the batch, the product has not");
        if (z->n_dims > 2 || (last != 1 && last != out.dims[1]) ||
            (first != 1 && first != out.dims[0] && first != c->g->file_batch))
            return lr_infer_bad(c, e, "bias of shape %s does not fit the result %s",
                                lr_shape_text(p, sizeof(p), z),
                                lr_shape_text(q, sizeof(q), &out));
        if (first != 1 && first != out.dims[0])
            return lr_infer_why(c, e, "the bias has a fixed batch of %lld",
                                (long long)first);
    }
    enum lr_status st = check_same_type(c, 3, e);
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), &out, e) : st;
}

enum lr_status lr_infer_broadcast(struct lr_infer *c, struct lr_shape *out,
                                  const struct lr_shape *a, const struct lr_shape *b,
                                  bool *is_ok, struct lr_err *e)
{
    char p[LR_MAX_DIMS * 21], q[LR_MAX_DIMS * 21];
    int n = a->n_dims > b->n_dims ? a->n_dims : b->n_dims;

    *is_ok = true;
    out->n_dims = n;
    for (int i = 0; i < n; i++) {
        int ia = i - (n - a->n_dims), ib = i - (n - b->n_dims);
        int64_t x = ia >= 0 ? a->dims[ia] : 1, y = ib >= 0 ? b->dims[ib] : 1;
        out->dims[i] = x == 1 ? y : x;
        if (x != y && (x == -1 || y == -1)) {
            int64_t fixed = x == -1 ? y : x;
            bool is_absent = x == -1 ? ib < 0 : ia < 0;
            /* A 1 in a constant is broadcast; in an activation it is no batch. */
            if (fixed != 1 && fixed != c->g->file_batch)
                goto bad;
            if (fixed != 1 && !is_absent)
                *is_ok = false;
            out->dims[i] = -1;
        } else if (x != y && x != 1 && y != 1) {
            goto bad;
        }
        if (i > 0 && out->dims[i] == -1)
            *is_ok = false;
    }
    return LR_OK;
bad:
    return lr_infer_bad(c, e, "shapes %s and %s do not fit",
                        lr_shape_text(p, sizeof(p), a), lr_shape_text(q, sizeof(q), b));
}

static enum lr_dtype result_type(const struct lr_infer *c)
{
    switch (c->node->op) {
    case LR_OP_EQUAL:
    case LR_OP_GREATER:
    case LR_OP_LESS:
    case LR_OP_GREATER_OR_EQUAL:
    case LR_OP_LESS_OR_EQUAL:
    case LR_OP_AND:
    case LR_OP_OR:
    case LR_OP_XOR:
        return LR_DT_BOOL;
    default:
        return lr_infer_dtype(c, 0);
    }
}

enum lr_status lr_rule_broadcast(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *a = lr_infer_in(c, 0), *b = lr_infer_in(c, 1);
    struct lr_int ints[LR_MAX_INTS];
    struct lr_shape out;
    bool is_ok;
    int n, n_dims;

    if (!b)
        return lr_err_set(e, LR_EPARSE, "%.100s: %s needs two inputs", c->node->name,
                          c->node->type);
    enum lr_status st = lr_infer_broadcast(c, &out, a, b, &is_ok, e);
    if (st != LR_OK)
        return st;
    if (!is_ok)
        return lr_infer_why(c, e, "broadcasting across the batch");
    if (c->node->op != LR_OP_POW)
        st = check_same_type(c, 2, e);
    if (st == LR_OK && lr_infer_combine(c, ints, &n, &n_dims))
        st = lr_infer_know(c, n_dims, n, ints, e);
    return st == LR_OK ? lr_infer_out(c, 0, result_type(c), &out, e) : st;
}

/* A vector counts as one row on the left and as one column on the right; that dimension
 * is not in the result. Stacks of matrices broadcast; the batch may number rows on the
 * left or whole matrices on either side, but is never summed over. */
enum lr_status lr_rule_matmul(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *a = lr_infer_in(c, 0), *b = lr_infer_in(c, 1);
    char p[LR_MAX_DIMS * 21], q[LR_MAX_DIMS * 21];
    struct lr_shape out, ha, hb;
    bool is_ok = true;

    if (!b)
        return lr_err_set(e, LR_EPARSE, "%.100s: MatMul needs two inputs", c->node->name);
    if (a->n_dims < 1 || b->n_dims < 1)
        return lr_infer_bad(c, e, "MatMul of a scalar");
    bool is_row = a->n_dims == 1, is_column = b->n_dims == 1;
    if (a->dims[a->n_dims - 1] == -1 || (b->n_dims < 3 && b->dims[0] == -1))
        return lr_infer_why(c, e, "MatMul over the batch");
    if (a->dims[a->n_dims - 1] != b->dims[is_column ? 0 : b->n_dims - 2])
        return lr_infer_bad(c, e, "cannot multiply %s by %s",
                            lr_shape_text(p, sizeof(p), a),
                            lr_shape_text(q, sizeof(q), b));
    ha = *a;
    hb = *b;
    ha.n_dims -= is_row ? 1 : 2;
    hb.n_dims -= is_column ? 1 : 2;
    enum lr_status st = lr_infer_broadcast(c, &out, &ha, &hb, &is_ok, e);
    if (st != LR_OK)
        return st;
    int n = out.n_dims;
    if (!is_row)
        out.dims[out.n_dims++] = a->dims[a->n_dims - 2];
    if (!is_column)
        out.dims[out.n_dims++] = b->dims[b->n_dims - 1];
    for (int i = n; i < out.n_dims; i++)
        is_ok = is_ok && (i == 0 || out.dims[i] != -1);
    if (!is_ok)
        return lr_infer_why(c, e, "broadcasting across the batch");
    st = check_same_type(c, 2, e);
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), &out, e) : st;
}
