/* Shape rules of the operators that choose and put numbers by indices, and of those that
 * go along a sequence or read an image at given places. */
#include <string.h>

#include "kernel/kernel.h"
#include "model.h"
#include "model/space.h"

static enum lr_status missing(const struct lr_infer *c, const char *what,
                              struct lr_err *e)
{
    return lr_err_set(e, LR_EPARSE, "%.100s: %s without %s", c->node->name, c->node->type,
                      what);
}

static bool has_batch_at(const struct lr_infer *c, int i)
{
    const struct lr_shape *s = lr_infer_in(c, i);

    return s && lr_shape_has_batch(s);
}

enum lr_status lr_rule_top_k(struct lr_infer *c, struct lr_err *e)
{
    struct lr_shape out = *lr_infer_in(c, 0);
    int64_t count = lr_node_int(c->node, "k", -1);
    int n, axis;
    enum lr_status st =
        lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", -1), out.n_dims, e);

    if (st != LR_OK)
        return st;
    if (lr_infer_has(c, 1) &&
        (!lr_node_list(&count, 1, &n, c->g, c->node, 1, NULL) || n != 1))
        return lr_infer_why(c, e, "how many to choose is not constant");
    if (axis == 0 && lr_shape_has_batch(&out))
        return lr_infer_why(c, e, "%s over the batch", c->node->type);
    if (count < 1 || count > out.dims[axis])
        return lr_infer_bad(c, e, "%lld of %lld values", (long long)count,
                            (long long)out.dims[axis]);
    out.dims[axis] = count;
    st = lr_infer_out(c, 0, lr_infer_dtype(c, 0), &out, e);
    return st == LR_OK ? lr_infer_out(c, 1, LR_DT_I64, &out, e) : st;
}

enum lr_status lr_rule_scatter(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    const bool is_nd = c->node->op == LR_OP_SCATTER_ND;
    int axis = 0, n_batched = 0;
    enum lr_status st = LR_OK;

    if (!lr_infer_in(c, 1) || !lr_infer_in(c, 2))
        return missing(c, "indices and updates", e);
    if (!is_nd)
        st = lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", 0), s->n_dims, e);
    for (int i = 0; i < 3; i++)
        n_batched += has_batch_at(c, i);
    if (st == LR_OK && n_batched && (is_nd || axis == 0 || n_batched < 3))
        return lr_infer_why(c, e, "%s over the batch", c->node->type);
    return st == LR_OK ? lr_infer_out(c, 0, lr_infer_dtype(c, 0), s, e) : st;
}

enum lr_status lr_rule_gather_nd(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0), *index = lr_infer_in(c, 1);
    const int64_t n_batch = lr_node_int(c->node, "batch_dims", 0);
    struct lr_shape out = {0};

    if (!index)
        return missing(c, "indices", e);
    const int last = index->n_dims - 1;
    if (n_batch < 0 || last < n_batch || index->dims[last] < 1 ||
        index->dims[last] > s->n_dims - n_batch)
        return lr_infer_bad(c, e, "indices do not fit the data");
    if ((lr_shape_has_batch(s) || lr_shape_has_batch(index)) &&
        (n_batch < 1 || lr_shape_has_batch(s) != lr_shape_has_batch(index)))
        return lr_infer_why(c, e, "%s over the batch", c->node->type);
    const int from = (int)(n_batch + index->dims[last]);
    if (last + s->n_dims - from > LR_MAX_DIMS)
        return lr_infer_why(c, e, "its result has too many dimensions");
    for (int i = 0; i < last; i++)
        out.dims[out.n_dims++] = index->dims[i];
    for (int i = from; i < s->n_dims; i++)
        out.dims[out.n_dims++] = s->dims[i];
    return lr_infer_out(c, 0, lr_infer_dtype(c, 0), &out, e);
}

enum lr_status lr_rule_one_hot(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    struct lr_shape out = {.n_dims = s->n_dims + 1};
    const struct lr_tensor *given = lr_infer_const(c, 1);
    int64_t depth = 0, count;
    int axis;

    if (!lr_infer_in(c, 1) || !lr_infer_in(c, 2))
        return missing(c, "depth and values", e);
    if (!given || lr_shape_count(&count, &given->shape, NULL) != LR_OK || count != 1)
        return lr_infer_why(c, e, "its depth is not a constant number");
    if (lr_dtype_is_float(given->dtype)) {
        float x;
        lr_kernel_load(&x, given, 1);
        depth = x >= 1 && x < (float)LR_MAX_DIM ? (int64_t)x : 0;
    } else {
        depth = lr_tensor_int_at(given, 0);
    }
    if (out.n_dims > LR_MAX_DIMS)
        return lr_infer_why(c, e, "its result has too many dimensions");
    enum lr_status st =
        lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", -1), out.n_dims, e);
    if (st != LR_OK)
        return st;
    if (lr_infer_in(c, 2)->n_dims != 1 || lr_infer_in(c, 2)->dims[0] != 2)
        return lr_infer_bad(c, e, "two values are needed");
    if (axis == 0 && lr_shape_has_batch(s))
        return lr_infer_why(c, e, "moves the batch");
    if (depth < 1 || depth > LR_MAX_DIM)
        return lr_infer_bad(c, e, "a depth of %lld", (long long)depth);
    for (int i = 0; i < out.n_dims; i++)
        out.dims[i] = i == axis ? depth : s->dims[i - (i > axis)];
    return lr_infer_out(c, 0, lr_infer_dtype(c, 2), &out, e);
}

enum lr_status lr_rule_trilu(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    int64_t diagonal;
    int n;

    if (s->n_dims < 2)
        return lr_infer_bad(c, e, "%d dimensions, no matrix", s->n_dims);
    if (s->n_dims == 2 && lr_shape_has_batch(s))
        return lr_infer_why(c, e, "%s over the batch", c->node->type);
    if (lr_infer_has(c, 1) &&
        (!lr_node_list(&diagonal, 1, &n, c->g, c->node, 1, NULL) || n != 1))
        return lr_infer_why(c, e, "its diagonal is not constant");
    return lr_infer_out(c, 0, lr_infer_dtype(c, 0), s, e);
}

enum lr_status lr_rule_grid_sample(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0), *grid = lr_infer_in(c, 1);
    struct lr_shape out = *s;

    if (!grid)
        return missing(c, "a grid", e);
    if (s->n_dims != 4)
        return lr_infer_why(c, e, "%d spatial dimensions, only 2 are supported",
                            s->n_dims - 2);
    if (grid->n_dims != 4 || grid->dims[3] != 2)
        return lr_infer_bad(c, e, "its grid needs pairs in 4 dimensions");
    if (s->dims[0] != grid->dims[0])
        return lr_infer_why(c, e, "joins a fixed batch to the free one");
    out.dims[2] = grid->dims[1];
    out.dims[3] = grid->dims[2];
    return lr_infer_out(c, 0, lr_infer_dtype(c, 0), &out, e);
}

/* ---- along a sequence */

static bool is_any_of(const char *s, const char *a, const char *b, const char *c)
{
    return strcmp(s, a) == 0 || strcmp(s, b) == 0 || strcmp(s, c) == 0;
}

/* What is not computed here; NULL: nothing. */
static const char *odd(struct lr_infer *c, int64_t length, int64_t directions)
{
    const struct lr_node *n = c->node;
    bool is_relu;

    if (!lr_node_activations(&is_relu, n, (int)directions))
        return "activations other than the usual ones";
    if (lr_node_attr(n, "clip"))
        return "a bound for its gates";
    if (lr_node_int(n, "input_forget", 0))
        return "coupled gates";
    if (lr_infer_has(c, 4)) {
        const struct lr_ints *x = lr_infer_ints(c, 4);
        for (int i = 0; !x || i < x->n; i++)
            if (!x || x->v[i].times_batch || x->v[i].k != length)
                return "lengths of sequences";
    }
    return NULL;
}

enum lr_status lr_rule_recurrent(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *x = lr_infer_in(c, 0), *w = lr_infer_in(c, 1),
                          *r = lr_infer_in(c, 2);
    const struct lr_node *n = c->node;
    const int64_t gates = n->op == LR_OP_LSTM ? 4 : n->op == LR_OP_GRU ? 3 : 1;
    const char *direction = lr_node_string(n, "direction", "forward");
    const int64_t directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
    const bool is_first = lr_node_int(n, "layout", 0) != 0;
    char p[LR_MAX_DIMS * 21], q[LR_MAX_DIMS * 21], o[LR_MAX_DIMS * 21];

    if (!w || !r)
        return missing(c, "weights", e);
    if (!is_any_of(direction, "forward", "reverse", "bidirectional"))
        return lr_infer_bad(c, e, "direction %.40s", direction);
    if (x->n_dims != 3 || w->n_dims != 3 || r->n_dims != 3 || r->dims[2] < 1 ||
        r->dims[0] != directions || w->dims[0] != directions ||
        r->dims[1] != gates * r->dims[2] || w->dims[1] != r->dims[1] ||
        w->dims[2] != x->dims[2])
        return lr_infer_bad(
            c, e, "weights %s and %s for an input of %s", lr_shape_text(p, sizeof(p), w),
            lr_shape_text(q, sizeof(q), r), lr_shape_text(o, sizeof(o), x));
    const int64_t hidden = r->dims[2], length = x->dims[is_first ? 1 : 0],
                  batch = x->dims[is_first ? 0 : 1];
    if (!is_first && lr_shape_has_batch(x))
        return lr_infer_why(c, e, "takes the batch for a sequence");
    const char *why = odd(c, length, directions);
    if (why)
        return lr_infer_why(c, e, "%s", why);
    const int64_t want[8] = {0, 0, 0, 2 * gates * hidden, 0, 0, 0, 3 * hidden};
    for (int i = 3; i < n->n_in && i < 8; i++) {
        const struct lr_shape *s = lr_infer_in(c, i);
        if (!s || i == 4)
            continue;
        const bool is_state = i == 5 || i == 6;
        if (is_state && s->n_dims == 3 && s->dims[is_first ? 0 : 1] != batch &&
            (batch == -1 || s->dims[is_first ? 0 : 1] == -1))
            return lr_infer_why(c, e, "joins a fixed batch to the free one");
        if (is_state
                ? s->n_dims != 3 || s->dims[is_first ? 0 : 1] != batch ||
                      s->dims[is_first ? 1 : 0] != directions || s->dims[2] != hidden
                : s->n_dims != 2 || s->dims[0] != directions || s->dims[1] != want[i])
            return lr_infer_bad(c, e, "input %d does not fit the weights", i);
    }
    struct lr_shape y = {4, {length, directions, batch, hidden}};
    struct lr_shape state = {3, {directions, batch, hidden}};
    if (is_first) {
        y = (struct lr_shape){4, {batch, length, directions, hidden}};
        state = (struct lr_shape){3, {batch, directions, hidden}};
    }
    enum lr_status st = lr_infer_out(c, 0, lr_infer_dtype(c, 0), &y, e);
    for (int i = 1; i < 3 && st == LR_OK; i++)
        st = lr_infer_out(c, i, lr_infer_dtype(c, 0), &state, e);
    return st;
}
