/* From nodes to plain kernels: the table, and the element-wise operators. */
#include "model/eval.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "model.h"

static lr_eval_maker *const makers[LR_OP_COUNT] = {
#define LR_OP(id, type, shape_rule, cost_rule, kernel) [LR_OP_##id] = lr_eval_##kernel,
#include "ranklab/op.def"
#undef LR_OP
};

bool lr_eval_has(enum lr_op op)
{
    return op != LR_OP_UNKNOWN && makers[op] != lr_eval_none;
}

void lr_eval_clear(struct lr_eval *x)
{
    lr_free(x->kernel.arg);
    lr_free(x->in);
    lr_free(x->out);
    *x = (struct lr_eval){0};
}

bool lr_eval_has_in(const struct lr_eval_ctx *c, int i)
{
    return i < c->n->n_in && c->n->in[i] >= 0;
}

bool lr_eval_has_out(const struct lr_eval_ctx *c, int i)
{
    return i < c->n->n_out && c->n->out[i] >= 0;
}

static struct lr_shape shape_of(const struct lr_eval_ctx *c, int v)
{
    const struct lr_value *x = &c->g->values[v];
    struct lr_shape s = x->tensor ? x->tensor->shape : x->shape;

    if (s.n_dims > 0 && s.dims[0] == -1)
        s.dims[0] = c->batch;
    return s;
}

struct lr_shape lr_eval_shape(const struct lr_eval_ctx *c, int i)
{
    return shape_of(c, c->n->in[i]);
}

struct lr_shape lr_eval_shape_out(const struct lr_eval_ctx *c, int i)
{
    return shape_of(c, c->n->out[i]);
}

enum lr_dtype lr_eval_type(const struct lr_eval_ctx *c, int i)
{
    return c->g->values[c->n->in[i]].dtype;
}

int64_t lr_eval_count(const struct lr_shape *s)
{
    int64_t n = 1;

    for (int i = 0; i < s->n_dims; i++)
        n *= s->dims[i];
    return n;
}

int lr_eval_axis(int64_t axis, int n_dims)
{
    return (int)(axis < 0 ? axis + n_dims : axis);
}

enum lr_status lr_eval_make(struct lr_eval *x, const struct lr_graph *g,
                            const struct lr_node *n, int64_t batch, struct lr_err *e)
{
    struct lr_eval_ctx c = {g, n, batch, x, e};

    *x = (struct lr_eval){0};
    if (!lr_eval_has(n->op))
        return lr_err_set(e, LR_EUNSUP, "%s has no plain kernel", n->type);
    x->in = lr_calloc((size_t)n->n_in, sizeof(*x->in));
    x->out = lr_calloc((size_t)n->n_out, sizeof(*x->out));
    if (!x->in || !x->out) {
        lr_eval_clear(x);
        return lr_enomem(e, (size_t)n->n_in * sizeof(*x->in), "a kernel");
    }
    /* by default all inputs there are and all outputs there are; makers may cut */
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0)
            x->in[x->n_in++] = n->in[i];
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0)
            x->out[x->n_out++] = n->out[i];
    for (int i = 0; i < n->n_in + n->n_out; i++) {
        int v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        if (v >= 0 && !g->values[v].tensor && !g->values[v].has_shape) {
            lr_eval_clear(x);
            return lr_err_set(e, LR_EUNSUP, "the shape of '%s' is not known",
                              g->values[v].name);
        }
    }
    enum lr_status st = makers[n->op](&c);
    if (st != LR_OK)
        lr_eval_clear(x);
    return st;
}

enum lr_status lr_eval_none(struct lr_eval_ctx *c)
{
    return lr_err_set(c->e, LR_EUNSUP, "%s has no plain kernel", c->n->type);
}

/* Renaming operators, where their result is wanted as a value of its own. */
enum lr_status lr_eval_copy(struct lr_eval_ctx *c)
{
    struct lr_shape s = lr_eval_shape(c, 0);

    c->x->n_in = 1;
    return lr_kernel_map(&c->x->kernel, LR_MAP_COPY, 0, 0, lr_eval_count(&s),
                         lr_eval_type(c, 0), c->e);
}

static bool map_of(enum lr_map *f, float *a, float *b, const struct lr_node *n)
{
    *a = *b = 0;
    switch (n->op) {
    case LR_OP_RELU:
        *f = LR_MAP_RELU;
        break;
    case LR_OP_LEAKY_RELU:
        *f = LR_MAP_LEAKY;
        *a = lr_node_float(n, "alpha", 0.01F);
        break;
    case LR_OP_SIGMOID:
        *f = LR_MAP_SIGMOID;
        break;
    case LR_OP_TANH:
        *f = LR_MAP_TANH;
        break;
    case LR_OP_HARD_SIGMOID:
        *f = LR_MAP_HARD_SIGMOID;
        *a = lr_node_float(n, "alpha", 0.2F);
        *b = lr_node_float(n, "beta", 0.5F);
        break;
    case LR_OP_HARD_SWISH:
        *f = LR_MAP_HARD_SWISH;
        break;
    case LR_OP_ELU:
        *f = LR_MAP_ELU;
        *a = lr_node_float(n, "alpha", 1);
        break;
    case LR_OP_SELU:
        *f = LR_MAP_SELU;
        *a = lr_node_float(n, "alpha", 1.67326319217681884765625F);
        *b = lr_node_float(n, "gamma", 1.05070102214813232421875F);
        break;
    case LR_OP_CELU:
        *f = LR_MAP_CELU;
        *a = lr_node_float(n, "alpha", 1);
        break;
    case LR_OP_GELU:
        *f = strcmp(lr_node_string(n, "approximate", "none"), "tanh") == 0
                 ? LR_MAP_GELU_TANH
                 : LR_MAP_GELU_ERF;
        break;
    case LR_OP_MISH:
        *f = LR_MAP_MISH;
        break;
    case LR_OP_SOFTPLUS:
        *f = LR_MAP_SOFTPLUS;
        break;
    case LR_OP_SOFTSIGN:
        *f = LR_MAP_SOFTSIGN;
        break;
    case LR_OP_THRESHOLDED_RELU:
        *f = LR_MAP_THRESHOLDED;
        *a = lr_node_float(n, "alpha", 1);
        break;
    case LR_OP_SHRINK:
        *f = LR_MAP_SHRINK;
        *a = lr_node_float(n, "lambd", 0.5F);
        *b = lr_node_float(n, "bias", 0);
        break;
    case LR_OP_EXP:
        *f = LR_MAP_EXP;
        break;
    case LR_OP_LOG:
        *f = LR_MAP_LOG;
        break;
    case LR_OP_SQRT:
        *f = LR_MAP_SQRT;
        break;
    case LR_OP_ERF:
        *f = LR_MAP_ERF;
        break;
    case LR_OP_SIN:
        *f = LR_MAP_SIN;
        break;
    case LR_OP_COS:
        *f = LR_MAP_COS;
        break;
    case LR_OP_TAN:
        *f = LR_MAP_TAN;
        break;
    case LR_OP_ASIN:
        *f = LR_MAP_ASIN;
        break;
    case LR_OP_ACOS:
        *f = LR_MAP_ACOS;
        break;
    case LR_OP_ATAN:
        *f = LR_MAP_ATAN;
        break;
    case LR_OP_SINH:
        *f = LR_MAP_SINH;
        break;
    case LR_OP_COSH:
        *f = LR_MAP_COSH;
        break;
    case LR_OP_ASINH:
        *f = LR_MAP_ASINH;
        break;
    case LR_OP_ACOSH:
        *f = LR_MAP_ACOSH;
        break;
    case LR_OP_ATANH:
        *f = LR_MAP_ATANH;
        break;
    case LR_OP_RECIPROCAL:
        *f = LR_MAP_RECIPROCAL;
        break;
    case LR_OP_FLOOR:
        *f = LR_MAP_FLOOR;
        break;
    case LR_OP_CEIL:
        *f = LR_MAP_CEIL;
        break;
    case LR_OP_ROUND:
        *f = LR_MAP_ROUND;
        break;
    case LR_OP_ABS:
        *f = LR_MAP_ABS;
        break;
    case LR_OP_NEG:
        *f = LR_MAP_NEG;
        break;
    case LR_OP_SIGN:
        *f = LR_MAP_SIGN;
        break;
    case LR_OP_NOT:
        *f = LR_MAP_NOT;
        break;
    default:
        return false;
    }
    return true;
}

/* A bound of a Clip of integers, which a float may not hold. */
static int64_t int_bound(const struct lr_eval_ctx *c, int i, int64_t otherwise)
{
    const struct lr_tensor *t =
        lr_eval_has_in(c, i) ? c->g->values[c->n->in[i]].tensor : NULL;

    return t && !lr_kernel_is_float(t->dtype) ? lr_tensor_int_at(t, 0) : otherwise;
}

static enum lr_status clip_ints(struct lr_eval_ctx *c, int64_t count, enum lr_dtype t)
{
    const bool is_unsigned = t == LR_DT_U64;

    return lr_kernel_clip_ints(
        &c->x->kernel, int_bound(c, 1, is_unsigned ? 0 : INT64_MIN),
        int_bound(c, 2, is_unsigned ? -1 : INT64_MAX), count, t, c->e);
}

enum lr_status lr_eval_map(struct lr_eval_ctx *c)
{
    struct lr_shape s = lr_eval_shape(c, 0);
    enum lr_dtype t = lr_eval_type(c, 0);
    enum lr_map f = LR_MAP_CLIP;
    float a, b;

    c->x->n_in = 1;
    if (c->n->op == LR_OP_CLIP) {
        enum lr_status st = lr_node_clip(&a, &b, c->g, c->n, c->e);
        if (st != LR_OK || !lr_kernel_is_float(t))
            return st == LR_OK ? clip_ints(c, lr_eval_count(&s), t) : st;
    } else if (!map_of(&f, &a, &b, c->n)) {
        return lr_eval_none(c);
    }
    if (!lr_kernel_is_float(t) && f != LR_MAP_RELU && f < LR_MAP_ABS)
        return lr_err_set(c->e, LR_EUNSUP, "%s of %s", c->n->type, lr_dtype_name(t));
    return lr_kernel_map(&c->x->kernel, f, a, b, lr_eval_count(&s), t, c->e);
}

static enum lr_binary binary_of(const struct lr_node *n)
{
    switch (n->op) {
    case LR_OP_ADD:
        return LR_BIN_ADD;
    case LR_OP_SUB:
        return LR_BIN_SUB;
    case LR_OP_MUL:
        return LR_BIN_MUL;
    case LR_OP_DIV:
        return LR_BIN_DIV;
    case LR_OP_MOD:
        return lr_node_int(n, "fmod", 0) ? LR_BIN_FMOD : LR_BIN_MOD;
    case LR_OP_POW:
        return LR_BIN_POW;
    case LR_OP_PRELU:
        return LR_BIN_PRELU;
    case LR_OP_EQUAL:
        return LR_BIN_EQUAL;
    case LR_OP_GREATER:
        return LR_BIN_GREATER;
    case LR_OP_LESS:
        return LR_BIN_LESS;
    case LR_OP_GREATER_OR_EQUAL:
        return LR_BIN_GREATER_EQUAL;
    case LR_OP_LESS_OR_EQUAL:
        return LR_BIN_LESS_EQUAL;
    case LR_OP_AND:
        return LR_BIN_AND;
    case LR_OP_OR:
        return LR_BIN_OR;
    default:
        return LR_BIN_XOR;
    }
}

enum lr_status lr_eval_binary(struct lr_eval_ctx *c)
{
    struct lr_shape a = lr_eval_shape(c, 0), b = lr_eval_shape(c, 1);
    struct lr_shape out = lr_eval_shape_out(c, 0);

    return lr_kernel_binary(&c->x->kernel, binary_of(c->n), &out,
                            c->g->values[c->n->out[0]].dtype, &a, lr_eval_type(c, 0), &b,
                            lr_eval_type(c, 1), c->e);
}

enum lr_status lr_eval_many(struct lr_eval_ctx *c)
{
    const size_t n = (size_t)c->n->n_in;
    struct lr_shape *s = lr_calloc(n, sizeof(*s)), out = lr_eval_shape_out(c, 0);
    const struct lr_shape **p = lr_calloc(n, sizeof(*p));
    enum lr_status st = LR_OK;

    if (!s || !p) {
        st = lr_enomem(c->e, n * sizeof(*s), "a kernel");
        goto out;
    }
    for (int i = 0; i < c->n->n_in; i++) {
        s[i] = lr_eval_shape(c, i);
        p[i] = &s[i];
    }
    st = lr_kernel_many(&c->x->kernel,
                        c->n->op == LR_OP_MAX   ? LR_BIN_MAX
                        : c->n->op == LR_OP_MIN ? LR_BIN_MIN
                                                : LR_BIN_ADD,
                        c->n->op == LR_OP_MEAN ? 1 / (float)n : 1, &out,
                        lr_eval_type(c, 0), c->n->n_in, p, c->e);
out:
    lr_free(p);
    lr_free(s);
    return st;
}

enum lr_status lr_eval_where(struct lr_eval_ctx *c)
{
    struct lr_shape s[3], out = lr_eval_shape_out(c, 0);

    for (int i = 0; i < 3; i++)
        s[i] = lr_eval_shape(c, i);
    return lr_kernel_where(&c->x->kernel, &out, lr_eval_type(c, 1), &s[0], &s[1], &s[2],
                           c->e);
}

enum lr_status lr_eval_cast(struct lr_eval_ctx *c)
{
    struct lr_shape s = lr_eval_shape(c, 0);

    c->x->n_in = 1;
    return lr_kernel_cast(&c->x->kernel, lr_eval_type(c, 0),
                          c->g->values[c->n->out[0]].dtype, lr_eval_count(&s), c->e);
}

enum lr_status lr_eval_quantize(struct lr_eval_ctx *c)
{
    struct lr_shape s = lr_eval_shape(c, 0), scale = lr_eval_shape(c, 1);
    int64_t block = lr_node_int(c->n, "block_size", 0);
    bool is_per_axis = block > 0 || (scale.n_dims == 1 && lr_eval_count(&scale) > 1);
    int axis = is_per_axis ? lr_eval_axis(lr_node_int(c->n, "axis", 1), s.n_dims) : 0;

    if (c->n->op == LR_OP_QUANTIZE_LINEAR)
        return lr_kernel_quantize(&c->x->kernel, &s, axis, is_per_axis, block,
                                  lr_eval_has_in(c, 2), c->g->values[c->n->out[0]].dtype,
                                  c->e);
    return lr_kernel_dequantize(&c->x->kernel, &s, axis, is_per_axis, block,
                                lr_eval_has_in(c, 2), c->e);
}

enum lr_status lr_eval_dropout(struct lr_eval_ctx *c)
{
    struct lr_shape s = lr_eval_shape(c, 0);

    c->x->n_in = 1;
    if (!lr_eval_has_out(c, 0) || !lr_eval_has_out(c, 1))
        return lr_eval_copy(c);
    return lr_kernel_keep_all(&c->x->kernel, lr_eval_count(&s),
                              lr_kernel_is_float(c->g->values[c->n->out[1]].dtype), c->e);
}
