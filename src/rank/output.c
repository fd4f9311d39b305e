/* What an output of a network means. ONNX does not say; what tells is the type, the
 * shape, and whether a Softmax made it. Renamings on the way from the Softmax are looked
 * through, and a Transpose of channels to the end is followed, as exports from TensorFlow
 * have it.
 */
#include "output.h"

#include <string.h>

#include "ranklab/tensor.h"

/* The sizes of one image's outputs in front of the class axis, along it, and behind it.
 */
static bool split_at(struct lr_output_view *v, const struct lr_shape *s, int first,
                     int axis, int last)
{
    int64_t outer = 1, n = 1, inner = 1;

    for (int i = first; i < s->n_dims; i++) {
        int64_t *to = i < axis ? &outer : i <= last ? &n : &inner;
        if (__builtin_mul_overflow(*to, s->dims[i], to) || *to > INT32_MAX)
            return false;
    }
    if (n < 2 || outer * inner > INT32_MAX)
        return false;
    v->kind = LR_OUTPUT_SCORES;
    v->n_classes = (int)n;
    v->n_places = (int)(outer * inner);
    v->step = (int)inner;
    return true;
}

/* One image at a time may have lost the dimension of the batch on the way. */
static bool has_batch(const struct lr_graph *g, const struct lr_shape *s)
{
    return !g->is_batch_fixed || (s->n_dims > 0 && s->dims[0] == 1);
}

static const struct lr_node *maker(const struct lr_graph *g, int v)
{
    return v >= 0 && g->values[v].producer >= 0 ? &g->nodes[g->values[v].producer] : NULL;
}

/* Whether n only passes its first input on. */
static bool is_passed_on(const struct lr_node *n)
{
    return n->n_in > 0 && (n->op == LR_OP_IDENTITY || n->op == LR_OP_DROPOUT ||
                           n->op == LR_OP_CAST || n->op == LR_OP_CAST_LIKE);
}

/* Where axis of a value's input went in the value, and on to the node before it. */
static const struct lr_node *back(const struct lr_graph *g, const struct lr_node *n,
                                  int perm[LR_MAX_DIMS], int n_dims)
{
    while (n && (is_passed_on(n) || n->op == LR_OP_TRANSPOSE)) {
        if (n->op == LR_OP_TRANSPOSE) {
            int64_t p[LR_MAX_DIMS];
            int old[LR_MAX_DIMS];
            size_t count = lr_node_ints(n, "perm", p, LR_MAX_DIMS);
            if ((int)count != n_dims)
                return NULL;
            memcpy(old, perm, sizeof(old));
            /* axis p[i] of the input is axis i of the output */
            for (int i = 0; i < n_dims; i++) {
                if (p[i] < 0 || p[i] >= n_dims)
                    return NULL;
                perm[p[i]] = old[i];
            }
        }
        n = n->n_in > 0 ? maker(g, n->in[0]) : NULL;
    }
    return n;
}

static bool is_softmax(struct lr_output_view *v, const struct lr_graph *g,
                       const struct lr_node *n, const struct lr_shape *s, int first,
                       const int perm[LR_MAX_DIMS])
{
    const bool is_flat = g->opset < 13; /* the axes from there on are one */

    if (!n || (n->op != LR_OP_SOFTMAX && n->op != LR_OP_LOG_SOFTMAX))
        return false;
    int64_t axis = lr_node_int(n, "axis", is_flat ? 1 : -1);
    if (axis < 0)
        axis += s->n_dims;
    if (axis < first || axis >= s->n_dims)
        return false;
    int at = perm[axis], last = at;
    if (is_flat && axis < s->n_dims - 1) {
        last = s->n_dims - 1;
        for (int i = 0; i < s->n_dims; i++)
            if (perm[i] != i)
                return false;
    }
    if (!split_at(v, s, first, at, last))
        return false;
    v->is_probability = true;
    v->is_log = n->op == LR_OP_LOG_SOFTMAX;
    return true;
}

void lr_output_view(struct lr_output_view *v, const struct lr_graph *g, int i)
{
    const struct lr_value *x = &g->values[g->outputs[i]];
    const struct lr_shape *s = &x->shape;
    int perm[LR_MAX_DIMS], n_wide = 0, wide = 1;
    int64_t count = 1;

    *v = (struct lr_output_view){.kind = LR_OUTPUT_VALUES};
    if (!x->has_shape || s->n_dims < 1 || s->n_dims > LR_MAX_DIMS)
        return;
    v->is_constant = s->dims[0] != -1 && !g->is_batch_fixed;
    const int first = has_batch(g, s) ? 1 : 0;
    for (int k = 0; k < s->n_dims; k++)
        perm[k] = k;
    for (int k = first; k < s->n_dims; k++) {
        if (s->dims[k] < 1 || __builtin_mul_overflow(count, s->dims[k], &count) ||
            count > INT32_MAX)
            return;
        if (s->dims[k] > 1) {
            n_wide++;
            wide = k;
        }
    }
    if (v->is_constant)
        return;
    if (x->dtype != LR_DT_NONE && !lr_dtype_is_float(x->dtype)) {
        v->kind = LR_OUTPUT_CLASSES;
        v->n_places = (int)count;
        v->n_classes = v->step = 1;
        return;
    }
    const struct lr_node *n = back(g, maker(g, g->outputs[i]), perm, s->n_dims);
    if (s->n_dims == 4 && first == 1) {
        int h = n ? perm[2] : 2, w = n ? perm[3] : 3;
        v->is_spatial = s->dims[h] > 1 || s->dims[w] > 1;
    }
    if (is_softmax(v, g, n, s, first, perm))
        return;
    if (n_wide == 1 && !v->is_spatial) {
        split_at(v, s, first, wide, wide);
    } else if (v->is_spatial) {
        int c = n ? perm[1] : 1;
        if (s->dims[c] == 1 || s->dims[c] == 3)
            v->kind = LR_OUTPUT_IMAGE;
        else
            split_at(v, s, first, c, c);
    }
}

static int largest(const float *x, int n, size_t step)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (x[(size_t)i * step] > x[(size_t)best * step])
            best = i;
    return best;
}

void lr_answers(int32_t *answers, const float *x, const struct lr_output_view *v)
{
    const size_t step = (size_t)v->step, n = (size_t)v->n_classes;

    for (size_t p = 0; p < (size_t)v->n_places; p++)
        answers[p] =
            v->kind == LR_OUTPUT_CLASSES
                ? (x[p] >= -0x1p31F && x[p] < 0x1p31F ? (int32_t)x[p] : INT32_MIN)
                : largest(x + p / step * n * step + p % step, (int)n, step);
}
