/* Shape rules of the operators that have plain kernels only: reductions, normalisations,
 * broadcasts of several operands, pieces and repetitions. Each says when it would mix the
 * images of a batch. */
#include <math.h>
#include <string.h>

#include "model.h"
#include "model/space.h"

bool lr_shape_has_batch(const struct lr_shape *s)
{
    return s->n_dims > 0 && s->dims[0] == -1;
}

enum lr_status lr_infer_set_target(struct lr_infer *c, const struct lr_shape *s,
                                   struct lr_err *e)
{
    struct lr_ints *x = lr_calloc(1, sizeof(*x));
    struct lr_int *list = lr_calloc((size_t)s->n_dims, sizeof(*list));

    if (!x || !list) {
        lr_free(x);
        lr_free(list);
        return lr_enomem(e, (size_t)s->n_dims * sizeof(*list), "shape inference");
    }
    for (int i = 0; i < s->n_dims; i++)
        list[i].k = s->dims[i];
    *x = (struct lr_ints){1, s->n_dims, list};
    c->targets[c->index] = x;
    return LR_OK;
}

enum lr_status lr_infer_set_scales(struct lr_infer *c, const struct lr_shape *out,
                                   struct lr_err *e)
{
    return lr_infer_set_target(c, out, e);
}

static enum lr_status missing(const struct lr_infer *c, const char *what,
                              struct lr_err *e)
{
    return lr_err_set(e, LR_EPARSE, "%.100s: %s without %s", c->node->name, c->node->type,
                      what);
}

static enum lr_status out_same(struct lr_infer *c, const struct lr_shape *s,
                               struct lr_err *e)
{
    return lr_infer_out(c, 0, lr_infer_dtype(c, 0), s, e);
}

enum lr_status lr_rule_reduce(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    const bool is_arg = c->node->op == LR_OP_ARG_MAX || c->node->op == LR_OP_ARG_MIN;
    const bool is_kept = lr_node_int(c->node, "keepdims", 1) != 0;
    struct lr_shape out = {0};
    struct lr_err why = {0};
    unsigned axes;
    enum lr_status st = lr_node_reduce_axes(&axes, c->g, c->node, s->n_dims, &why);

    if (st != LR_OK)
        return lr_infer_demote(c, st, &why, e);
    if ((axes & 1U) && lr_shape_has_batch(s))
        return lr_infer_why(c, e, "%s over the batch", c->node->type);
    for (int i = 0; i < s->n_dims; i++) {
        if (!(axes & 1U << i))
            out.dims[out.n_dims++] = s->dims[i];
        else if (is_kept)
            out.dims[out.n_dims++] = 1;
    }
    return lr_infer_out(c, 0, is_arg ? LR_DT_I64 : lr_infer_dtype(c, 0), &out, e);
}

/* Broadcasts all inputs from first on. */
static enum lr_status broadcast_all(struct lr_infer *c, struct lr_shape *out, bool *is_ok,
                                    struct lr_err *e)
{
    *is_ok = true;
    *out = *lr_infer_in(c, 0);
    for (int i = 1; i < c->node->n_in && *is_ok; i++) {
        struct lr_shape a = *out;
        if (!lr_infer_in(c, i))
            return missing(c, "an operand", e);
        enum lr_status st = lr_infer_broadcast(c, out, &a, lr_infer_in(c, i), is_ok, e);
        if (st != LR_OK)
            return st;
    }
    return *is_ok ? LR_OK : lr_infer_why(c, e, "broadcasting across the batch");
}

enum lr_status lr_rule_many(struct lr_infer *c, struct lr_err *e)
{
    struct lr_shape out;
    bool is_ok;
    enum lr_status st = broadcast_all(c, &out, &is_ok, e);

    for (int i = 1; i < c->node->n_in && st == LR_OK && is_ok; i++)
        if (lr_infer_dtype(c, i) != lr_infer_dtype(c, 0))
            return lr_infer_why(c, e, "mixes %s and %s",
                                lr_dtype_name(lr_infer_dtype(c, 0)),
                                lr_dtype_name(lr_infer_dtype(c, i)));
    return st == LR_OK && is_ok ? out_same(c, &out, e) : st;
}

enum lr_status lr_rule_where(struct lr_infer *c, struct lr_err *e)
{
    struct lr_shape out;
    bool is_ok;

    if (!lr_infer_has(c, 1) || !lr_infer_has(c, 2))
        return missing(c, "three operands", e);
    enum lr_status st = broadcast_all(c, &out, &is_ok, e);
    return st == LR_OK && is_ok ? lr_infer_out(c, 0, lr_infer_dtype(c, 1), &out, e) : st;
}

enum lr_status lr_rule_cumsum(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    int64_t given;
    int n, axis;

    if (!lr_node_list(&given, 1, &n, c->g, c->node, 1, NULL) || n != 1)
        return lr_infer_why(c, e, "its axis is not constant");
    enum lr_status st = lr_infer_axis(c, &axis, given, s->n_dims, e);
    if (st == LR_OK && axis == 0 && lr_shape_has_batch(s))
        return lr_infer_why(c, e, "%s over the batch", c->node->type);
    return st == LR_OK ? out_same(c, s, e) : st;
}

enum lr_status lr_rule_layer_norm(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    struct lr_shape stats = *s;
    int axis;
    enum lr_status st =
        lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", -1), s->n_dims, e);

    if (st != LR_OK)
        return st;
    if (axis == 0 && lr_shape_has_batch(s))
        return lr_infer_why(c, e, "%s over the batch", c->node->type);
    for (int i = axis; i < s->n_dims; i++)
        stats.dims[i] = 1;
    for (int i = 1; i < 3 && st == LR_OK; i++)
        st = lr_infer_out(c, i, LR_DT_F32, &stats, e);
    return st == LR_OK ? out_same(c, s, e) : st;
}

enum lr_status lr_rule_group_norm(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    const bool is_instance = c->node->op == LR_OP_INSTANCE_NORMALIZATION;

    if (s->n_dims < 3)
        return lr_infer_bad(c, e, "%s needs spatial dimensions", c->node->type);
    int64_t groups = is_instance ? s->dims[1] : lr_node_int(c->node, "num_groups", 0);
    if (groups < 1 || s->dims[1] % groups)
        return lr_infer_bad(c, e, "%lld groups do not divide %lld channels",
                            (long long)groups, (long long)s->dims[1]);
    for (int i = 1; i < 3; i++) {
        const struct lr_shape *p = lr_infer_in(c, i);
        if (!p)
            return missing(c, "scale and bias", e);
        if (p->n_dims != 1 || (p->dims[0] != groups && p->dims[0] != s->dims[1]))
            return lr_infer_bad(c, e, "scale and bias do not fit %lld channels",
                                (long long)s->dims[1]);
    }
    return out_same(c, s, e);
}

enum lr_status lr_rule_lp_norm(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    int axis;
    enum lr_status st =
        lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", -1), s->n_dims, e);

    if (st == LR_OK && axis == 0 && lr_shape_has_batch(s))
        return lr_infer_why(c, e, "%s over the batch", c->node->type);
    return st == LR_OK ? out_same(c, s, e) : st;
}

/* The batch must be the first label of its operands and of the result. */
enum lr_status lr_rule_einsum(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *in[LR_EINSUM_MAX];
    struct lr_equation q;
    struct lr_shape out = {0};
    struct lr_err why = {0};
    char batch = '\0';

    if (c->node->n_in > LR_EINSUM_MAX)
        return lr_infer_why(c, e, "an Einstein sum of %d operands", c->node->n_in);
    for (int i = 0; i < c->node->n_in; i++) {
        in[i] = lr_infer_in(c, i);
        if (!in[i])
            return missing(c, "an operand", e);
    }
    enum lr_status st = lr_node_equation(&q, c->node, in, &why);
    if (st != LR_OK)
        return lr_infer_demote(c, st, &why, e);
    out.n_dims = (int)strlen(q.out);
    for (int i = 0; i < c->node->n_in; i++)
        if (lr_shape_has_batch(in[i]))
            batch = q.in[i][0];
    for (int k = 0; k < out.n_dims; k++)
        out.dims[k] = 1;
    bool is_moved = batch && q.out[0] != batch;
    for (int i = 0; i < c->node->n_in; i++)
        for (int d = 0; d < in[i]->n_dims; d++) {
            const char *at = strchr(q.out, q.in[i][d]);
            is_moved = is_moved || (q.in[i][d] == batch && in[i]->dims[d] != -1) ||
                       (d == 0 && in[i]->dims[d] == -1 && q.in[i][d] != batch);
            if (at && in[i]->dims[d] != 1)
                out.dims[at - q.out] = in[i]->dims[d];
        }
    if (is_moved)
        return lr_infer_why(c, e, "moves the batch");
    return out_same(c, &out, e);
}

enum lr_status lr_rule_split(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    int64_t sizes[256], sum = 0;
    const int n = c->node->n_out;
    int axis, count;
    enum lr_status st =
        lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", 0), s->n_dims, e);

    if (st != LR_OK)
        return st;
    if (axis == 0 && lr_shape_has_batch(s))
        return lr_infer_why(c, e, "splits the batch");
    if (n > 256 || !lr_node_list(sizes, 256, &count, c->g, c->node, 1, "split"))
        return lr_infer_why(c, e, "its pieces are not constant");
    if (count < 0) {
        /* equal pieces, the last one smaller where they do not divide */
        int64_t each = (s->dims[axis] + n - 1) / n;
        for (int i = 0; i < n; i++)
            sizes[i] = i < n - 1 ? each : s->dims[axis] - (n - 1) * each;
        count = n;
    }
    for (int i = 0; i < count; i++)
        sum += sizes[i] >= 0 && sizes[i] <= LR_MAX_DIM ? sizes[i] : LR_MAX_DIM;
    if (count != n || sum != s->dims[axis])
        return lr_infer_bad(c, e, "%d pieces do not make up %lld", count,
                            (long long)s->dims[axis]);
    for (int i = 0; i < n && st == LR_OK; i++) {
        struct lr_shape out = *s;
        out.dims[axis] = sizes[i];
        st = lr_infer_out(c, i, lr_infer_dtype(c, 0), &out, e);
    }
    return st;
}

enum lr_status lr_rule_expand(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0);
    const struct lr_ints *x = lr_infer_ints(c, 1);
    struct lr_shape target = {0}, out;
    bool is_ok;

    if (!lr_infer_has(c, 1))
        return missing(c, "shape", e);
    if (!x || x->n > LR_MAX_DIMS)
        return lr_infer_why(c, e, "the target shape is not constant");
    target.n_dims = x->n;
    for (int i = 0; i < x->n; i++) {
        target.dims[i] = x->v[i].times_batch ? -1 : x->v[i].k;
        if ((x->v[i].times_batch && (i > 0 || x->v[i].k != 1)) ||
            (!x->v[i].times_batch && x->v[i].k < 1))
            return lr_infer_why(c, e, "its target shape cannot be kept");
    }
    if (lr_shape_has_batch(&target) &&
        !(lr_shape_has_batch(s) && s->n_dims == target.n_dims))
        return lr_infer_why(c, e, "makes a batch of what is none");
    enum lr_status st = lr_infer_broadcast(c, &out, s, &target, &is_ok, e);
    if (st != LR_OK || !is_ok)
        return st == LR_OK ? lr_infer_why(c, e, "broadcasting across the batch") : st;
    if (lr_shape_has_batch(&out) && target.n_dims == out.n_dims &&
        (target.dims[0] != 1 || !lr_infer_const(c, 1))) {
        target.dims[0] = 1;
        st = lr_infer_set_target(c, &target, e);
    }
    return st == LR_OK ? out_same(c, &out, e) : st;
}

enum lr_status lr_rule_tile(struct lr_infer *c, struct lr_err *e)
{
    struct lr_shape out = *lr_infer_in(c, 0);
    int64_t times[LR_MAX_DIMS];
    int n;

    if (!lr_node_list(times, LR_MAX_DIMS, &n, c->g, c->node, 1, NULL) || n < 0)
        return lr_infer_why(c, e, "its repetitions are not constant");
    if (n != out.n_dims)
        return lr_infer_bad(c, e, "%d repetitions for %d dimensions", n, out.n_dims);
    for (int i = 0; i < n; i++) {
        if (out.dims[i] == -1 && times[i] != 1)
            return lr_infer_why(c, e, "repeats the batch");
        if (out.dims[i] != -1 &&
            (times[i] < 1 || times[i] > LR_MAX_DIM ||
             __builtin_mul_overflow(out.dims[i], times[i], &out.dims[i])))
            return lr_infer_bad(c, e, "repetition %lld", (long long)times[i]);
    }
    return out_same(c, &out, e);
}

enum lr_status lr_rule_gather_elements(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *s = lr_infer_in(c, 0), *index = lr_infer_in(c, 1);
    int axis;

    if (!index)
        return missing(c, "indices", e);
    if (index->n_dims != s->n_dims)
        return lr_infer_bad(c, e, "indices of %d dimensions for data of %d",
                            index->n_dims, s->n_dims);
    enum lr_status st =
        lr_infer_axis(c, &axis, lr_node_int(c->node, "axis", 0), s->n_dims, e);
    if (st == LR_OK && (lr_shape_has_batch(s) != lr_shape_has_batch(index) ||
                        (axis == 0 && lr_shape_has_batch(s))))
        return lr_infer_why(c, e, "moves the batch");
    return st == LR_OK ? out_same(c, index, e) : st;
}

enum lr_status lr_rule_depth_space(struct lr_infer *c, struct lr_err *e)
{
    struct lr_shape s = *lr_infer_in(c, 0);
    int64_t b = lr_node_int(c->node, "blocksize", 0);

    if (s.n_dims != 4 || b < 1 || b > 4096)
        return lr_infer_bad(c, e, "blocks of %lld in %d dimensions", (long long)b,
                            s.n_dims);
    if (c->node->op == LR_OP_DEPTH_TO_SPACE) {
        if (s.dims[1] % (b * b))
            return lr_infer_bad(c, e, "%lld channels are no multiple of %lld",
                                (long long)s.dims[1], (long long)(b * b));
        s.dims[1] /= b * b;
        s.dims[2] *= b;
        s.dims[3] *= b;
    } else {
        if (s.dims[2] % b || s.dims[3] % b)
            return lr_infer_bad(c, e, "%lldx%lld is no multiple of blocks of %lld",
                                (long long)s.dims[2], (long long)s.dims[3], (long long)b);
        s.dims[1] *= b * b;
        s.dims[2] /= b;
        s.dims[3] /= b;
    }
    return out_same(c, &s, e);
}

/* Small ones are computed now; LR_EUNSUP would be a length that depends on the data. */
enum lr_status lr_rule_range(struct lr_infer *c, struct lr_err *e)
{
    double v[3];
    struct lr_tensor *t = NULL;
    struct lr_shape s = {.n_dims = 1};
    const enum lr_dtype type = lr_infer_dtype(c, 0);

    for (int i = 0; i < 3; i++) {
        const struct lr_tensor *x = lr_infer_const(c, i);
        int64_t count;
        if (!x || lr_shape_count(&count, &x->shape, NULL) != LR_OK || count != 1)
            return lr_infer_why(c, e, "its limits are not constant");
        if (lr_dtype_is_float(x->dtype)) {
            float f;
            lr_kernel_load(&f, x, 1);
            v[i] = (double)f;
        } else {
            v[i] = (double)lr_tensor_int_at(x, 0);
        }
    }
    double n = ceil((v[1] - v[0]) / v[2]);
    if (!(n < (double)LR_MAX_DIM) || (n > 0 && !lr_infer_may_make(c, (int64_t)n)))
        return lr_infer_why(c, e, "a range of %g numbers", n);
    s.dims[0] = n > 0 ? (int64_t)n : 0;
    enum lr_status st = lr_tensor_new(&t, type, &s, e);
    for (int64_t i = 0; st == LR_OK && i < s.dims[0]; i++) {
        double x = v[0] + (double)i * v[2];
        float f = (float)x;
        int64_t k = (int64_t)x;
        struct lr_tensor one = {
            .dtype = type, .data = (char *)t->data + (size_t)i * lr_dtype_size(type)};
        lr_kernel_store(&one, lr_dtype_is_float(type) ? (void *)&f : (void *)&k, 1);
    }
    return st == LR_OK ? lr_infer_fold(c, t, e) : st;
}

/* A constant condition has been replaced by its branch before. */
enum lr_status lr_rule_branch(struct lr_infer *c, struct lr_err *e)
{
    return lr_infer_why(c, e, "the condition of If is not constant");
}

enum lr_status lr_rule_conv_transpose(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *in = lr_infer_in(c, 0), *w = lr_infer_in(c, 1);
    const struct lr_shape *b = lr_infer_in(c, 2);
    const int64_t group = lr_node_int(c->node, "group", 1);
    struct lr_shape out = *in;
    struct lr_space s;

    if (!w)
        return missing(c, "weights", e);
    if (in->n_dims < 3 || w->n_dims != in->n_dims || group < 1 || group > LR_MAX_DIM ||
        w->dims[0] != in->dims[1] || in->dims[1] % group ||
        w->dims[1] > LR_MAX_DIM / group)
        return lr_infer_bad(c, e, "weights do not fit %lld channels in %lld groups",
                            (long long)in->dims[1], (long long)group);
    out.dims[1] = w->dims[1] * group;
    if (b && (b->n_dims != 1 || b->dims[0] != out.dims[1]))
        return lr_infer_bad(c, e, "the bias does not fit %lld channels",
                            (long long)out.dims[1]);
    enum lr_status st = lr_node_space(&s, c->node, in, w, e);
    for (int i = 0; st == LR_OK && i < s.slide.n; i++)
        out.dims[i + 2] = s.slide.out[i];
    return st == LR_OK ? out_same(c, &out, e) : st;
}

/* Sizes that name the batch are kept as scales, which leave it free. */
enum lr_status lr_rule_resize(struct lr_infer *c, struct lr_err *e)
{
    const struct lr_shape *in = lr_infer_in(c, 0);
    const bool is_new = c->node->op == LR_OP_RESIZE && c->g->opset >= 11;
    const struct lr_ints *x = is_new ? lr_infer_ints(c, 3) : NULL;
    int64_t sizes[LR_MAX_DIMS];
    struct lr_resize_plan p;
    struct lr_shape out = *in;
    struct lr_err why = {0};
    bool has_batch_size = false;

    if (!lr_dtype_is_float(lr_infer_dtype(c, 0)))
        return lr_infer_why(c, e, "%s of %s", c->node->type,
                            lr_dtype_name(lr_infer_dtype(c, 0)));
    for (int i = 0; x && i < x->n && i < LR_MAX_DIMS; i++) {
        const bool is_batch = i == 0 && x->n == in->n_dims && lr_shape_has_batch(in) &&
                              (x->v[i].times_batch || x->v[i].k == c->g->file_batch ||
                               (c->g->file_batch == 0 && x->v[i].k == 1));
        has_batch_size = has_batch_size || is_batch;
        sizes[i] = is_batch ? -1 : x->v[i].k;
        if (x->v[i].times_batch && !is_batch)
            return lr_infer_why(c, e, "moves the batch");
    }
    enum lr_status st =
        lr_node_resize(&p, c->g, c->node, in, x ? sizes : NULL, x ? x->n : 0, &why);
    if (st != LR_OK)
        return lr_infer_demote(c, st, &why, e);
    for (int i = 0; i < in->n_dims; i++)
        out.dims[i] = p.size[i];
    if (has_batch_size && p.has_sizes)
        st = lr_infer_set_scales(c, &out, e);
    return st == LR_OK ? out_same(c, &out, e) : st;
}
