/* Kernels of the operators whose rules are in rules_index.c. */
#include <string.h>

#include "model.h"
#include "model/eval.h"
#include "model/space.h"

/* Sizes before, of and behind an axis. */
static void cut(int64_t size[3], const struct lr_shape *s, int axis)
{
    size[0] = size[1] = size[2] = 1;
    for (int i = 0; i < s->n_dims; i++)
        size[i < axis ? 0 : i == axis ? 1 : 2] *= s->dims[i];
}

static bool is_float_in(const struct lr_eval_ctx *c, int i)
{
    return lr_kernel_is_float(lr_eval_type(c, i));
}

enum lr_status lr_eval_top_k(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    struct lr_shape out = lr_eval_shape_out(c, lr_eval_has_out(c, 0) ? 0 : 1);
    const int axis = lr_eval_axis(lr_node_int(c->n, "axis", -1), in.n_dims);
    int64_t size[3];

    cut(size, &in, axis);
    c->x->n_in = 1;
    return lr_kernel_top(&c->x->kernel, size[0], size[1], size[2], out.dims[axis],
                         lr_node_int(c->n, "largest", 1) != 0, lr_eval_type(c, 0),
                         lr_eval_has_out(c, 0), lr_eval_has_out(c, 1), c->e);
}

enum lr_status lr_eval_scatter(struct lr_eval_ctx *c)
{
    static const struct {
        const char *name;
        enum lr_scatter f;
    } kinds[] = {{"none", LR_SCATTER_PUT},
                 {"add", LR_SCATTER_ADD},
                 {"mul", LR_SCATTER_MUL},
                 {"max", LR_SCATTER_MAX},
                 {"min", LR_SCATTER_MIN}};
    struct lr_shape in = lr_eval_shape(c, 0), index = lr_eval_shape(c, 1),
                    updates = lr_eval_shape(c, 2);
    const char *name = lr_node_string(c->n, "reduction", "none");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        if (c->n->op == LR_OP_SCATTER_ND)
            return lr_kernel_scatter_nd(&c->x->kernel, &in, &index, &updates, kinds[i].f,
                                        lr_eval_type(c, 0), c->e);
        return lr_kernel_scatter_elements(
            &c->x->kernel, &in, &index, &updates,
            lr_eval_axis(lr_node_int(c->n, "axis", 0), in.n_dims), kinds[i].f,
            lr_eval_type(c, 0), c->e);
    }
    return lr_err_set(c->e, LR_EUNSUP, "reduction %.40s", name);
}

enum lr_status lr_eval_gather_nd(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), index = lr_eval_shape(c, 1);

    return lr_kernel_gather_nd(&c->x->kernel, &in, &index,
                               (int)lr_node_int(c->n, "batch_dims", 0),
                               lr_eval_type(c, 0), c->e);
}

enum lr_status lr_eval_one_hot(struct lr_eval_ctx *c)
{
    struct lr_shape out = lr_eval_shape_out(c, 0);
    int64_t size[3];

    cut(size, &out, lr_eval_axis(lr_node_int(c->n, "axis", -1), out.n_dims));
    return lr_kernel_one_hot(&c->x->kernel, size[0], size[1], size[2], is_float_in(c, 0),
                             is_float_in(c, 2), c->e);
}

enum lr_status lr_eval_trilu(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0);
    int64_t size[3], diagonal = 0;
    int n;

    if (lr_eval_has_in(c, 1) && !lr_node_list(&diagonal, 1, &n, c->g, c->n, 1, NULL))
        return lr_err_set(c->e, LR_EUNSUP, "its diagonal is not constant");
    cut(size, &in, in.n_dims - 2);
    c->x->n_in = 1;
    return lr_kernel_triangle(&c->x->kernel, size[0], size[1], size[2], diagonal,
                              lr_node_int(c->n, "upper", 1) != 0, is_float_in(c, 0),
                              c->e);
}

enum lr_status lr_eval_grid_sample(struct lr_eval_ctx *c)
{
    struct lr_shape in = lr_eval_shape(c, 0), out = lr_eval_shape_out(c, 0);
    const char *mode = lr_node_string(c->n, "mode", "bilinear"),
               *pad = lr_node_string(c->n, "padding_mode", "zeros");
    struct lr_grid g = {.n = in.dims[0],
                        .c = in.dims[1],
                        .h = in.dims[2],
                        .w = in.dims[3],
                        .places = out.dims[2] * out.dims[3],
                        .is_aligned = lr_node_int(c->n, "align_corners", 0) != 0};

    if (strcmp(mode, "nearest") == 0)
        g.mode = LR_GRID_NEAREST;
    else if (strcmp(mode, "bicubic") == 0 || strcmp(mode, "cubic") == 0)
        g.mode = LR_GRID_CUBIC;
    else if (strcmp(mode, "bilinear") == 0 || strcmp(mode, "linear") == 0)
        g.mode = LR_GRID_LINEAR;
    else
        return lr_err_set(c->e, LR_EUNSUP, "mode %.40s", mode);
    if (strcmp(pad, "border") == 0)
        g.pad = LR_GRID_BORDER;
    else if (strcmp(pad, "reflection") == 0)
        g.pad = LR_GRID_REFLECTION;
    else if (strcmp(pad, "zeros") == 0)
        g.pad = LR_GRID_ZEROS;
    else
        return lr_err_set(c->e, LR_EUNSUP, "padding mode %.40s", pad);
    return lr_kernel_grid(&c->x->kernel, &g, c->e);
}

/* The attribute's bytes are those of the file: a list of names is field 9 of its message,
 * each with its length in front. */
bool lr_node_activations(bool *is_relu, const struct lr_node *n, int directions)
{
    static const char *const usual[3][3] = {
        {"Sigmoid", "Tanh", "Tanh"}, {"Sigmoid", "Tanh"}, {"Tanh"}};
    static const char *const relu[1] = {"Relu"};
    const int kind = n->op == LR_OP_LSTM ? 0 : n->op == LR_OP_GRU ? 1 : 2;
    const struct lr_attr *a = lr_node_attr(n, "activations");

    *is_relu = false;
    if (!a)
        return true;
    for (int k = 0; a->kind == LR_ATTR_OPAQUE && k < (kind == 2 ? 2 : 1); k++) {
        const char *const *names = k ? relu : usual[kind];
        char want[128];
        size_t len = 0;
        for (int i = 0; i < directions * (3 - kind); i++) {
            const char *name = names[i % (3 - kind)];
            want[len++] = 9 << 3 | 2;
            want[len++] = (char)strlen(name);
            memcpy(want + len, name, strlen(name));
            len += strlen(name);
        }
        for (size_t at = 0; at + len <= a->n; at++)
            if (memcmp(a->s + at, want, len) == 0) {
                *is_relu = k == 1;
                return true;
            }
    }
    return false;
}

enum lr_status lr_eval_recurrent(struct lr_eval_ctx *c)
{
    struct lr_shape x = lr_eval_shape(c, 0), r = lr_eval_shape(c, 2);
    const char *direction = lr_node_string(c->n, "direction", "forward");
    const bool is_first = lr_node_int(c->n, "layout", 0) != 0;
    struct lr_recurrent p = {.kind = c->n->op == LR_OP_LSTM  ? LR_LSTM
                                     : c->n->op == LR_OP_GRU ? LR_GRU
                                                             : LR_RNN,
                             .length = x.dims[is_first ? 1 : 0],
                             .batch = x.dims[is_first ? 0 : 1],
                             .input = x.dims[2],
                             .hidden = r.dims[2],
                             .directions = r.dims[0],
                             .is_batch_first = is_first,
                             .is_reverse = strcmp(direction, "reverse") == 0,
                             .is_reset_after =
                                 lr_node_int(c->n, "linear_before_reset", 0) != 0,
                             .has_bias = lr_eval_has_in(c, 3),
                             .has_lengths = lr_eval_has_in(c, 4),
                             .has_h = lr_eval_has_in(c, 5),
                             .has_c = lr_eval_has_in(c, 6),
                             .has_peepholes = lr_eval_has_in(c, 7),
                             .has_y = lr_eval_has_out(c, 0),
                             .has_y_h = lr_eval_has_out(c, 1),
                             .has_y_c = lr_eval_has_out(c, 2)};

    if (!lr_node_activations(&p.is_relu, c->n, (int)p.directions))
        return lr_err_set(c->e, LR_EUNSUP, "activations other than the usual ones");
    return lr_kernel_recurrent(&c->x->kernel, &p, c->e);
}
