/* What a rule of shape inference asks of its node's inputs and tells of its outputs:
 * shapes, types, small integer vectors that may contain multiples of the batch, and
 * constants. A constant is put down beside its value; the node that computes it stays
 * until lr_infer_commit. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "model/eval.h"

/* Values all folded constants may hold together, where a hostile chain of copies ends: so
 * many for each that the file brings, at least and at most these. */
enum { PER_CONSTANT = 16 };
static const int64_t LEAST_FOLDED = (int64_t)1 << 27, MAX_FOLDED = (int64_t)1 << 29;
/* Constants of one number, ranges: those up to SMALL, and so many in larger ones. */
static const int64_t SMALL_MADE = 65536, MAX_MADE = (int64_t)1 << 22;

bool lr_infer_has(const struct lr_infer *c, int i)
{
    return i < c->node->n_in && c->node->in[i] >= 0;
}

const struct lr_tensor *lr_infer_const(const struct lr_infer *c, int i)
{
    if (!lr_infer_has(c, i))
        return NULL;
    return c->g->values[c->node->in[i]].tensor;
}

const struct lr_shape *lr_infer_in(const struct lr_infer *c, int i)
{
    const struct lr_tensor *t = lr_infer_const(c, i);

    if (t)
        return &t->shape;
    if (!lr_infer_has(c, i))
        return NULL;
    const struct lr_value *v = &c->g->values[c->node->in[i]];
    return v->has_shape ? &v->shape : NULL;
}

enum lr_dtype lr_infer_dtype(const struct lr_infer *c, int i)
{
    return lr_infer_has(c, i) ? c->g->values[c->node->in[i]].dtype : LR_DT_NONE;
}

const struct lr_ints *lr_infer_ints(struct lr_infer *c, int i)
{
    const struct lr_tensor *t = lr_infer_const(c, i);

    if (!lr_infer_has(c, i))
        return NULL;
    int v = c->node->in[i];
    if (c->known[v] || !t || (t->dtype != LR_DT_I64 && t->dtype != LR_DT_I32))
        return c->known[v];
    int64_t n;
    if (t->shape.n_dims > 1 || lr_shape_count(&n, &t->shape, NULL) != LR_OK ||
        n > LR_MAX_INTS)
        return NULL;
    struct lr_ints *x = lr_calloc(1, sizeof(*x));
    struct lr_int *list = lr_calloc((size_t)n, sizeof(*list));
    if (!x || !list) {
        lr_free(x);
        lr_free(list);
        return NULL;
    }
    *x = (struct lr_ints){t->shape.n_dims, (int)n, list};
    for (int k = 0; k < x->n; k++)
        list[k].k = lr_tensor_int_at(t, k);
    c->known[v] = x;
    return x;
}

static enum lr_status set_why(struct lr_node *n, const char *fmt, va_list ap,
                              struct lr_err *e)
{
    struct lr_strbuf b = {0};

    if (n->why_unsupported)
        return LR_OK;
    lr_strbuf_vprintf(&b, fmt, ap);
    n->why_unsupported = lr_strbuf_take(&b);
    return n->why_unsupported ? LR_OK : lr_enomem(e, 64, "a note");
}

enum lr_status lr_infer_why(struct lr_infer *c, struct lr_err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    enum lr_status st = set_why(c->node, fmt, ap, e);
    va_end(ap);
    return st;
}

enum lr_status lr_infer_demote(struct lr_infer *c, enum lr_status st,
                               const struct lr_err *why, struct lr_err *e)
{
    const char *text = why->msg;
    size_t skip = strlen(c->node->name);

    if (st == LR_OK)
        return LR_OK;
    if (st != LR_EUNSUP) {
        if (e)
            *e = *why;
        return st;
    }
    if (strncmp(text, c->node->name, skip) == 0 && strncmp(text + skip, ": ", 2) == 0)
        text += skip + 2;
    return lr_infer_why(c, e, "%s", text);
}

enum lr_status lr_infer_bad(const struct lr_infer *c, struct lr_err *e, const char *fmt,
                            ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return lr_err_set(e, LR_ESHAPE, "%.100s: %s", c->node->name, text);
}

enum lr_status lr_infer_axis(const struct lr_infer *c, int *axis, int64_t given,
                             int n_dims, struct lr_err *e)
{
    *axis = 0;
    if (given < -n_dims || given >= n_dims)
        return lr_infer_bad(c, e, "axis %lld is outside the %d dimensions",
                            (long long)given, n_dims);
    *axis = (int)(given < 0 ? given + n_dims : given);
    return LR_OK;
}

/* Is some size 0, and the others possible? No value of a run is empty. */
static bool has_no_elements(const struct lr_shape *s)
{
    bool is_empty = false;

    for (int i = 0; i < s->n_dims && i < LR_MAX_DIMS; i++) {
        if (s->dims[i] < (i == 0 ? -1 : 0))
            return false;
        is_empty = is_empty || s->dims[i] == 0;
    }
    return is_empty;
}

/* Sizes positive and within int, the element count of one image within int64. */
static enum lr_status check_shape(const struct lr_infer *c, const struct lr_shape *s,
                                  struct lr_err *e)
{
    char text[LR_MAX_DIMS * 21];
    struct lr_shape one = *s;
    int64_t count;

    if (s->n_dims > LR_MAX_DIMS)
        return lr_infer_bad(c, e, "result has %d dimensions, at most %d are supported",
                            s->n_dims, LR_MAX_DIMS);
    for (int i = 0; i < s->n_dims; i++) {
        if (i == 0 && s->dims[0] == -1)
            one.dims[0] = 1;
        else if (s->dims[i] < 1 || s->dims[i] > LR_MAX_DIM)
            return lr_infer_bad(c, e, "result would have shape %s",
                                lr_shape_text(text, sizeof(text), s));
    }
    if (lr_shape_count(&count, &one, NULL) != LR_OK || count > INT64_MAX / 64)
        return lr_infer_bad(c, e, "result of shape %s is too large",
                            lr_shape_text(text, sizeof(text), s));
    return LR_OK;
}

/* A constant that was computed as int64 in the type of its operands, wrapped to it. */
static enum lr_status retype(struct lr_value *v, enum lr_dtype t, struct lr_err *e)
{
    struct lr_tensor *x = NULL;
    int64_t count;
    enum lr_status st = lr_tensor_new(&x, t, &v->tensor->shape, e);

    if (st == LR_OK)
        st = lr_shape_count(&count, &x->shape, e);
    if (st != LR_OK) {
        lr_tensor_free(x);
        return st;
    }
    lr_kernel_store(x, v->tensor->data, count);
    lr_tensor_free(v->tensor);
    v->tensor = x;
    return LR_OK;
}

enum lr_status lr_infer_out(struct lr_infer *c, int i, enum lr_dtype t,
                            const struct lr_shape *s, struct lr_err *e)
{
    if (i >= c->node->n_out || c->node->out[i] < 0)
        return LR_OK;
    struct lr_value *v = &c->g->values[c->node->out[i]];
    if (has_no_elements(s)) {
        char text[LR_MAX_DIMS * 21];
        return lr_infer_why(c, e, "its result has no elements (shape %s)",
                            lr_shape_text(text, sizeof(text), s));
    }
    enum lr_status st = check_shape(c, s, e);
    if (st != LR_OK)
        return st;
    v->dtype = t;
    v->has_shape = true;
    v->shape = *s;
    if (c->is_folded[c->node->out[i]] && v->tensor && v->tensor->dtype == LR_DT_I64 &&
        t == LR_DT_I32)
        return retype(v, t, e);
    return LR_OK;
}

enum lr_status lr_infer_know(struct lr_infer *c, int n_dims, int n,
                             const struct lr_int *v, struct lr_err *e)
{
    int64_t fixed[LR_MAX_INTS];
    bool is_fixed = n <= LR_MAX_INTS;

    if (c->node->n_out < 1 || c->node->out[0] < 0)
        return LR_OK;
    for (int i = 0; i < n && is_fixed; i++) {
        is_fixed = !v[i].times_batch;
        fixed[i] = v[i].k;
    }
    if (is_fixed) {
        struct lr_tensor *t = NULL;
        enum lr_status st = lr_ints_tensor(&t, n_dims, fixed, n, e);
        return st == LR_OK ? lr_infer_fold(c, t, e) : st;
    }
    struct lr_ints *x = lr_calloc(1, sizeof(*x));
    struct lr_int *list = lr_calloc((size_t)n, sizeof(*list));
    if (!x || !list) {
        lr_free(x);
        lr_free(list);
        return lr_enomem(e, (size_t)n * sizeof(*v), "shape inference");
    }
    if (n > 0)
        memcpy(list, v, (size_t)n * sizeof(*v));
    *x = (struct lr_ints){n_dims, n, list};
    struct lr_ints **slot = &c->known[c->node->out[0]];
    if (*slot)
        lr_free((*slot)->v);
    lr_free(*slot);
    *slot = x;
    return LR_OK;
}

void lr_infer_limit(struct lr_infer *c)
{
    int64_t brought = 0, count;

    for (int v = 0; v < c->g->n_values && brought < MAX_FOLDED; v++) {
        const struct lr_tensor *t = c->g->values[v].tensor;
        if (t && lr_shape_count(&count, &t->shape, NULL) == LR_OK)
            brought += count < MAX_FOLDED ? count : MAX_FOLDED;
    }
    c->max_folded =
        brought < MAX_FOLDED / PER_CONSTANT ? PER_CONSTANT * brought : MAX_FOLDED;
    if (c->max_folded < LEAST_FOLDED)
        c->max_folded = LEAST_FOLDED;
}

bool lr_infer_may_make(struct lr_infer *c, int64_t count)
{
    if (count <= SMALL_MADE)
        return true;
    if (count > MAX_MADE - c->n_made)
        return false;
    c->n_made += count;
    return true;
}

enum lr_status lr_infer_fold(struct lr_infer *c, struct lr_tensor *t, struct lr_err *e)
{
    return lr_infer_fold_at(c, 0, t, e);
}

enum lr_status lr_infer_fold_at(struct lr_infer *c, int i, struct lr_tensor *t,
                                struct lr_err *e)
{
    int64_t count;

    if (lr_shape_count(&count, &t->shape, e) != LR_OK ||
        count > c->max_folded - c->n_folded) {
        lr_tensor_free(t);
        return lr_err_set(e, LR_EUNSUP, "%.100s: more than %lld constants are computed",
                          c->node->name, (long long)c->max_folded);
    }
    c->n_folded += count;
    if (c->node->n_out <= i || c->node->out[i] < 0) {
        lr_tensor_free(t);
        return LR_OK;
    }
    struct lr_value *v = &c->g->values[c->node->out[i]];
    lr_tensor_free(v->tensor);
    v->tensor = t;
    v->dtype = t->dtype;
    v->has_shape = true;
    v->shape = t->shape;
    c->is_folded[c->node->out[i]] = true;
    return LR_OK;
}

enum lr_status lr_infer_fold_view(struct lr_infer *c, const struct lr_shape *s,
                                  struct lr_err *e)
{
    struct lr_tensor *t = NULL;
    enum lr_status st = lr_tensor_clone(&t, lr_infer_const(c, 0), e);

    if (st != LR_OK)
        return st;
    t->shape = *s;
    return lr_infer_fold(c, t, e);
}
