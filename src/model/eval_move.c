/* Kernels of the operators that only move numbers: tables per axis (kernel/pick.c). */
#include <string.h>

#include "model.h"
#include "model/eval.h"
#include "model/space.h"

static void strides_of(int64_t *step, const struct lr_shape *s)
{
    int64_t all = 1;

    for (int i = s->n_dims - 1; i >= 0; i--) {
        step[i] = all;
        all *= s->dims[i];
    }
}

/* Takes the tables over. */
static enum lr_status finish(struct lr_eval_ctx *c, struct lr_pick *p)
{
    enum lr_status st = lr_kernel_pick(&c->x->kernel, p, c->e);

    lr_pick_clear(p);
    return st;
}

static enum lr_status begin(struct lr_eval_ctx *c, struct lr_pick *p,
                            const struct lr_shape *out)
{
    c->x->n_in = 1;
    return lr_pick_init(p, out->n_dims, out->dims, lr_kernel_is_float(lr_eval_type(c, 0)),
                        c->e);
}

enum lr_status lr_eval_transpose(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), out = lr_eval_shape_out(c, 0);
    int64_t perm[LR_MAX_DIMS], step[LR_MAX_DIMS];
    struct lr_pick p;
    size_t n = lr_node_ints(c->n, "perm", perm, LR_MAX_DIMS);
    enum lr_status st = begin(c, &p, &out);

    if (st != LR_OK)
        return st;
    strides_of(step, &in);
    for (int i = 0; i < out.n_dims; i++)
        for (int64_t j = 0; j < out.dims[i]; j++)
            p.at[i][j] = j * step[n ? perm[i] : out.n_dims - 1 - i];
    return finish(c, &p);
}

enum lr_status lr_eval_slice(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), out = lr_eval_shape_out(c, 0);
    struct lr_shape free_in = in;
    struct lr_range r[LR_MAX_DIMS];
    int64_t step[LR_MAX_DIMS];
    struct lr_pick p;

    /* the batch is taken as a whole */
    const struct lr_value *v = &c->g->values[c->n->in[0]];
    if (!v->tensor && v->shape.n_dims > 0)
        free_in.dims[0] = v->shape.dims[0];
    enum lr_status st = lr_node_ranges(r, c->g, c->n, &free_in, c->e);
    if (st == LR_OK)
        st = begin(c, &p, &out);
    if (st != LR_OK)
        return st;
    strides_of(step, &in);
    for (int i = 0; i < out.n_dims; i++)
        for (int64_t j = 0; j < out.dims[i]; j++)
            p.at[i][j] = (r[i].start + j * r[i].step) * step[i];
    return finish(c, &p);
}

/* Where position i of a padded axis comes from; -1: from nowhere. */
static int64_t pad_source(const char *mode, int64_t i, int64_t n)
{
    if (i >= 0 && i < n)
        return i;
    if (strcmp(mode, "edge") == 0)
        return i < 0 ? 0 : n - 1;
    if (strcmp(mode, "wrap") == 0)
        return (i % n + n) % n;
    if (strcmp(mode, "reflect") != 0)
        return -1;
    if (n == 1)
        return 0;
    const int64_t period = 2 * (n - 1);
    i = (i % period + period) % period;
    return i < n ? i : period - i;
}

enum lr_status lr_eval_pad(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), out = lr_eval_shape_out(c, 0);
    const char *mode = lr_node_string(c->n, "mode", "constant");
    int64_t pads[2 * LR_MAX_DIMS], step[LR_MAX_DIMS];
    struct lr_pick p;
    float value;
    enum lr_status st = lr_node_pad(pads, 2 * LR_MAX_DIMS, &value, c->g, c->n, c->e);

    if (st == LR_OK)
        st = begin(c, &p, &out);
    if (st != LR_OK)
        return st;
    p.fill = value;
    p.int_fill = (int64_t)value;
    strides_of(step, &in);
    for (int i = 0; i < out.n_dims; i++)
        for (int64_t j = 0; j < out.dims[i]; j++) {
            int64_t from = pad_source(mode, j - pads[i], in.dims[i]);
            p.at[i][j] = from < 0 ? -1 : from * step[i];
        }
    return finish(c, &p);
}

enum lr_status lr_eval_split(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    int axis = lr_eval_axis(lr_node_int(c->n, "axis", 0), in.n_dims);
    int64_t rows = 1, inner = 1;
    int64_t *size = lr_calloc((size_t)c->n->n_out, sizeof(*size));
    enum lr_status st = LR_OK;

    if (!size)
        return lr_enomem(c->e, (size_t)c->n->n_out * sizeof(*size), "a kernel");
    for (int i = 0; i < in.n_dims; i++) {
        rows *= i < axis ? in.dims[i] : 1;
        inner *= i > axis ? in.dims[i] : 1;
    }
    c->x->n_in = 1;
    for (int i = 0; i < c->n->n_out && st == LR_OK; i++) {
        if (lr_eval_has_out(c, i))
            size[i] = lr_eval_shape_out(c, i).dims[axis] * inner;
        else
            st = lr_err_set(c->e, LR_EUNSUP, "a piece of Split has no name");
    }
    if (st == LR_OK)
        st = lr_kernel_split(&c->x->kernel, rows, c->n->n_out, size,
                             lr_kernel_is_float(lr_eval_type(c, 0)), c->e);
    lr_free(size);
    return st;
}

/* Expand and Tile: repeats the input along every axis, as the shapes say. */
enum lr_status lr_eval_repeat(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), out = lr_eval_shape_out(c, 0);
    int64_t step[LR_MAX_DIMS];
    struct lr_pick p;
    enum lr_status st = begin(c, &p, &out);

    if (st != LR_OK)
        return st;
    strides_of(step, &in);
    for (int i = 0; i < out.n_dims; i++) {
        int k = i - (out.n_dims - in.n_dims);
        for (int64_t j = 0; k >= 0 && j < out.dims[i]; j++)
            p.at[i][j] = j % in.dims[k] * step[k];
    }
    return finish(c, &p);
}

/* Blocks to channels and back: a permutation of a six-dimensional view. */
enum lr_status lr_eval_depth_space(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    const int64_t b = lr_node_int(c->n, "blocksize", 1);
    const int64_t n = in.dims[0], ch = in.dims[1], h = in.dims[2], w = in.dims[3];
    const bool is_crd = strcmp(lr_node_string(c->n, "mode", "DCR"), "CRD") == 0;
    struct lr_shape view = {.n_dims = 6}, out = {.n_dims = 6};
    int64_t step[LR_MAX_DIMS];
    int perm[6];
    struct lr_pick p;

    if (c->n->op == LR_OP_SPACE_TO_DEPTH) {
        const int64_t dims[6] = {n, ch, h / b, b, w / b, b};
        memcpy(view.dims, dims, sizeof(dims));
        memcpy(perm, (int[]){0, 3, 5, 1, 2, 4}, sizeof(perm));
    } else if (is_crd) {
        const int64_t dims[6] = {n, ch / (b * b), b, b, h, w};
        memcpy(view.dims, dims, sizeof(dims));
        memcpy(perm, (int[]){0, 1, 4, 2, 5, 3}, sizeof(perm));
    } else {
        const int64_t dims[6] = {n, b, b, ch / (b * b), h, w};
        memcpy(view.dims, dims, sizeof(dims));
        memcpy(perm, (int[]){0, 3, 4, 1, 5, 2}, sizeof(perm));
    }
    for (int i = 0; i < 6; i++)
        out.dims[i] = view.dims[perm[i]];
    enum lr_status st = begin(c, &p, &out);
    if (st != LR_OK)
        return st;
    strides_of(step, &view);
    for (int i = 0; i < 6; i++)
        for (int64_t j = 0; j < out.dims[i]; j++)
            p.at[i][j] = j * step[perm[i]];
    return finish(c, &p);
}

enum lr_status lr_eval_gather(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), index = lr_eval_shape(c, 1);
    int axis = lr_eval_axis(lr_node_int(c->n, "axis", 0), in.n_dims);
    int64_t outer = 1, inner = 1;

    for (int i = 0; i < in.n_dims; i++) {
        outer *= i < axis ? in.dims[i] : 1;
        inner *= i > axis ? in.dims[i] : 1;
    }
    return lr_kernel_gather(&c->x->kernel, outer, in.dims[axis], inner,
                            lr_eval_count(&index), lr_kernel_is_float(lr_eval_type(c, 0)),
                            c->e);
}

enum lr_status lr_eval_gather_elements(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), index = lr_eval_shape(c, 1);

    return lr_kernel_gather_elements(
        &c->x->kernel, &in, &index, lr_eval_axis(lr_node_int(c->n, "axis", 0), in.n_dims),
        lr_kernel_is_float(lr_eval_type(c, 0)), c->e);
}

enum lr_status lr_eval_concat(struct lr_eval_ctx *c)
{
    struct lr_shape out = lr_eval_shape_out(c, 0);
    int axis = lr_eval_axis(lr_node_int(c->n, "axis", 1), out.n_dims);
    int64_t rows = 1, *size = lr_calloc((size_t)c->n->n_in, sizeof(*size));

    if (!size)
        return lr_enomem(c->e, (size_t)c->n->n_in * sizeof(*size), "a kernel");
    for (int i = 0; i < axis; i++)
        rows *= out.dims[i];
    for (int i = 0; i < c->n->n_in; i++) {
        struct lr_shape s = lr_eval_shape(c, i);
        size[i] = 1;
        for (int k = axis; k < s.n_dims; k++)
            size[i] *= s.dims[k];
    }
    enum lr_status st = lr_kernel_concat(&c->x->kernel, rows, c->n->n_in, size,
                                         lr_kernel_is_float(lr_eval_type(c, 0)), c->e);
    lr_free(size);
    return st;
}
