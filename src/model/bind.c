/* Several inputs: one is the image, the others become the same image or constants. */
#include "kernel/kernel.h"
#include "model.h"

/* Numbers of all of them: a few bytes of a file can ask for all of the memory. */
enum { MAX_ONES = 1 << 24 };

enum lr_status lr_graph_bind_input(struct lr_graph *g, int v, struct lr_tensor *t,
                                   struct lr_err *e)
{
    struct lr_value *x = &g->values[v];
    int kept = 0;

    if (!x->is_input || x->tensor) {
        lr_tensor_free(t);
        return lr_err_set(e, LR_EINVAL, "%.100s is no input", x->name);
    }
    x->tensor = t;
    x->dtype = t->dtype;
    x->shape = t->shape;
    x->has_shape = true;
    x->is_input = x->has_declared = false;
    for (int i = 0; i < g->n_inputs; i++)
        if (g->inputs[i] != v)
            g->inputs[kept++] = g->inputs[i];
    g->n_inputs = kept;
    return LR_OK;
}

static bool is_like(const struct lr_value *x, int n_dims, bool is_float)
{
    return x->has_declared && x->declared.n_dims >= n_dims &&
           (n_dims < 4 || x->declared.n_dims == n_dims) &&
           (!is_float || lr_dtype_is_float(x->dtype));
}

static bool has_colours(const struct lr_value *x)
{
    return x->declared.dims[1] == 3 || x->declared.dims[3] == 3;
}

int lr_graph_image(const struct lr_graph *g)
{
    static const struct {
        int n_dims;
        bool is_float;
    } wanted[] = {{4, true}, {4, false}, {5, true}, {2, true}, {1, true}, {1, false}};

    if (g->n_inputs == 1)
        return g->inputs[0];
    for (int i = 0; i < g->n_inputs; i++)
        if (is_like(&g->values[g->inputs[i]], 4, true) &&
            has_colours(&g->values[g->inputs[i]]))
            return g->inputs[i];
    for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++)
        for (int i = 0; i < g->n_inputs; i++)
            if (is_like(&g->values[g->inputs[i]], wanted[k].n_dims, wanted[k].is_float))
                return g->inputs[i];
    return -1;
}

/* The sizes that x has in common with the image. */
static void share_sizes(struct lr_shape *s, const struct lr_value *x,
                        const struct lr_value *image, const struct lr_shape *size)
{
    for (int i = 0; i < s->n_dims; i++) {
        for (int k = 1; k < size->n_dims; k++)
            if (s->dims[i] < 1 && x->names[i] && x->names[i] == image->names[k])
                s->dims[i] = size->dims[k];
        if (s->dims[i] < 1 && i > 0 && s->n_dims == size->n_dims &&
            image->declared.n_dims == size->n_dims && image->declared.dims[i] < 1)
            s->dims[i] = size->dims[i];
    }
}

/* Of one type and one size, the batch aside, where the file says so: a network that
 * compares images gets the same one twice. */
static bool is_second_image(const struct lr_value *a, const struct lr_value *b)
{
    if (a->dtype != b->dtype || !b->has_declared || a->declared.n_dims < 3 ||
        a->declared.n_dims != b->declared.n_dims)
        return false;
    for (int i = 1; i < a->declared.n_dims; i++)
        if (a->declared.dims[i] != b->declared.dims[i] &&
            (a->declared.dims[i] > 0 || b->declared.dims[i] > 0))
            return false;
    return true;
}

/* Whatever read input v reads the image. */
static void give_image(struct lr_graph *g, int v, int image)
{
    struct lr_value *x = &g->values[v];
    int kept = 0;

    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_in; i++)
            if (g->nodes[k].in[i] == v)
                g->nodes[k].in[i] = image;
    x->is_input = x->has_declared = x->has_shape = false;
    for (int i = 0; i < g->n_inputs; i++)
        if (g->inputs[i] != v)
            g->inputs[kept++] = g->inputs[i];
    g->n_inputs = kept;
}

/* A tensor of ones for an input of this type and shape; left: how many more there may be.
 */
static enum lr_status ones(struct lr_tensor **out, int64_t *left,
                           const struct lr_value *x, const struct lr_value *image,
                           const struct lr_shape *size, struct lr_err *e)
{
    struct lr_shape s = x->declared;
    const bool is_float = lr_dtype_is_float(x->dtype);
    int64_t count = 0;
    char text[LR_MAX_DIMS * 21];

    if (size)
        share_sizes(&s, x, image, size);
    for (int i = 0; i < s.n_dims; i++)
        s.dims[i] = s.dims[i] < 1 ? 1 : s.dims[i];
    enum lr_status st = lr_shape_count(&count, &s, e);
    if (st == LR_OK && count > *left)
        st = lr_err_set(
            e, LR_EUNSUP,
            "input %.100s (%s) beside %.100s is too large for a constant of ones",
            x->name, lr_shape_text(text, sizeof(text), &s), image->name);
    if (st == LR_OK) {
        *left -= count;
        st = lr_tensor_new(out, x->dtype, &s, e);
    }
    for (int64_t i = 0; st == LR_OK && i < count; i++) {
        const float f = 1;
        const int64_t k = 1;
        const size_t bytes = lr_dtype_size(x->dtype);
        struct lr_tensor one = {.dtype = x->dtype,
                                .data = (char *)(*out)->data + (size_t)i * bytes};
        lr_kernel_store(&one, is_float ? (const void *)&f : (const void *)&k, 1);
    }
    return st;
}

enum lr_status lr_graph_choose_image(struct lr_graph *g, const struct lr_shape *size,
                                     const struct lr_notes *notes, struct lr_err *e)
{
    const int image = g->n_inputs > 1 ? lr_graph_image(g) : -1;
    char text[LR_MAX_DIMS * 21];
    int64_t left = MAX_ONES;

    for (int i = g->n_inputs - 1; image >= 0 && i >= 0; i--) {
        const int v = g->inputs[i];
        const struct lr_value *x = &g->values[v];
        struct lr_tensor *t = NULL;
        if (v == image)
            continue;
        if (!x->is_output && is_second_image(&g->values[image], x)) {
            lr_note(notes, LR_NOTE_WARNING,
                    "input %.100s has the shape of %.100s: it is given the same image",
                    x->name, g->values[image].name);
            give_image(g, v, image);
            continue;
        }
        enum lr_status st = ones(&t, &left, x, &g->values[image], size, e);
        if (st == LR_OK) {
            lr_note(notes, LR_NOTE_WARNING,
                    "input %.100s (%s %s) beside %.100s is taken as a constant of ones",
                    x->name, lr_dtype_name(x->dtype),
                    lr_shape_text(text, sizeof(text), &t->shape), g->values[image].name);
            st = lr_graph_bind_input(g, v, t, e);
        } else {
            lr_tensor_free(t);
        }
        if (st != LR_OK)
            return st;
    }
    return LR_OK;
}

bool lr_op_needs_constant(enum lr_op op, int i)
{
    switch (op) {
    case LR_OP_RESHAPE:
    case LR_OP_EXPAND:
    case LR_OP_TILE:
    case LR_OP_UPSAMPLE:
    case LR_OP_UNSQUEEZE:
    case LR_OP_SQUEEZE:
    case LR_OP_SPLIT:
    case LR_OP_CUM_SUM:
    case LR_OP_REDUCE_SUM:
    case LR_OP_REDUCE_MEAN:
    case LR_OP_REDUCE_MAX:
    case LR_OP_REDUCE_MIN:
    case LR_OP_REDUCE_PROD:
    case LR_OP_REDUCE_L1:
    case LR_OP_REDUCE_L2:
    case LR_OP_REDUCE_SUM_SQUARE:
    case LR_OP_REDUCE_LOG_SUM:
    case LR_OP_REDUCE_LOG_SUM_EXP:
    case LR_OP_TOP_K:
    case LR_OP_ONE_HOT:
    case LR_OP_TRILU:
        return i == 1;
    case LR_OP_LSTM:
    case LR_OP_GRU:
    case LR_OP_RNN:
        return i == 4;
    case LR_OP_SLICE:
    case LR_OP_PAD:
    case LR_OP_RESIZE:
    case LR_OP_CLIP:
    case LR_OP_DROPOUT:
    case LR_OP_BATCH_NORMALIZATION:
        return i >= 1;
    case LR_OP_RANGE:
    case LR_OP_CONSTANT_OF_SHAPE:
        return true;
    case LR_OP_IF:
        return i == 0;
    default:
        return false;
    }
}
