/* Windows and ranges of a node, for the shape rules and the kernels alike. */
#include "model/space.h"

#include <math.h>
#include <string.h>

#include "model.h"

bool lr_node_list(int64_t *list, int max, int *n, const struct lr_graph *g,
                  const struct lr_node *node, int i, const char *name)
{
    int64_t count;

    *n = -1;
    if (i >= 0 && i < node->n_in && node->in[i] >= 0) {
        const struct lr_tensor *t = g->values[node->in[i]].tensor;
        if (!t || lr_dtype_is_float(t->dtype) || t->shape.n_dims > 1 ||
            lr_shape_count(&count, &t->shape, NULL) != LR_OK || count > max)
            return false;
        for (int64_t k = 0; k < count; k++)
            list[k] = lr_tensor_int_at(t, k);
        *n = (int)count;
        return true;
    }
    const struct lr_attr *a = name ? lr_node_attr(node, name) : NULL;
    if (a && a->kind == LR_ATTR_INTS) {
        if (a->n > (size_t)max)
            return false;
        *n = (int)lr_node_ints(node, name, list, (size_t)max);
    }
    return true;
}

static enum lr_status list_of(int64_t *list, const struct lr_node *n, const char *name,
                              int count, int64_t otherwise, int64_t least,
                              struct lr_err *e)
{
    size_t given = lr_node_ints(n, name, list, LR_KERNEL_SPACE);

    if (given != 0 && given != (size_t)count)
        return lr_err_set(e, LR_ESHAPE, "%.100s: %s has %zu values, %d needed", n->name,
                          name, given, count);
    for (int i = 0; i < count; i++) {
        if (given == 0)
            list[i] = otherwise;
        if (list[i] < least || list[i] > LR_MAX_DIM)
            return lr_err_set(e, LR_ESHAPE, "%.100s: %s %lld is out of range", n->name,
                              name, (long long)list[i]);
    }
    return LR_OK;
}

/* Positions of the window along one axis, as the operators define it. */
static int64_t positions(const struct lr_slide *s, int i, bool is_ceil)
{
    int64_t room = s->in[i] + s->lo[i] + s->hi[i] - ((s->kernel[i] - 1) * s->dil[i] + 1);

    if (room < 0)
        return 0;
    int64_t n = (is_ceil ? room + s->stride[i] - 1 : room) / s->stride[i] + 1;
    if (is_ceil && (n - 1) * s->stride[i] >= s->in[i] + s->lo[i])
        n--;
    return n;
}

static enum lr_status direct_pads(struct lr_slide *s, const struct lr_node *n,
                                  struct lr_err *e)
{
    const char *mode = lr_node_string(n, "auto_pad", "NOTSET");
    int64_t pads[2 * LR_KERNEL_SPACE] = {0};
    size_t count = lr_node_ints(n, "pads", pads, 2 * LR_KERNEL_SPACE);
    bool is_upper = strcmp(mode, "SAME_UPPER") == 0;

    if (strcmp(mode, "NOTSET") == 0 || !*mode) {
        if (count != 0 && count != 2 * (size_t)s->n)
            return lr_err_set(e, LR_ESHAPE, "%.100s: pads has %zu values, %d needed",
                              n->name, count, 2 * s->n);
    } else if (is_upper || strcmp(mode, "SAME_LOWER") == 0) {
        for (int i = 0; i < s->n; i++) {
            int64_t out = (s->in[i] + s->stride[i] - 1) / s->stride[i];
            int64_t total =
                (out - 1) * s->stride[i] + (s->kernel[i] - 1) * s->dil[i] + 1 - s->in[i];
            total = total > 0 ? total : 0;
            pads[i] = is_upper ? total / 2 : total - total / 2;
            pads[i + s->n] = total - pads[i];
        }
    } else if (strcmp(mode, "VALID") == 0) {
        memset(pads, 0, sizeof(pads));
    } else {
        return lr_err_set(e, LR_EPARSE, "%.100s: auto_pad %.40s is not known", n->name,
                          mode);
    }
    for (int i = 0; i < s->n; i++) {
        s->lo[i] = pads[i];
        s->hi[i] = pads[i + s->n];
        if (s->lo[i] < 0 || s->hi[i] < 0 || s->lo[i] > LR_MAX_DIM ||
            s->hi[i] > LR_MAX_DIM)
            return lr_err_set(e, LR_ESHAPE, "%.100s: its padding is out of range",
                              n->name);
    }
    return LR_OK;
}

/* Pads and output sizes of a transposed convolution: what output_shape asks for is met by
 * padding, the larger half in front unless SAME_UPPER. */
static enum lr_status transposed_pads(struct lr_slide *s, const struct lr_node *n,
                                      struct lr_err *e)
{
    const char *mode = lr_node_string(n, "auto_pad", "NOTSET");
    int64_t more[LR_KERNEL_SPACE], wanted[LR_KERNEL_SPACE + 2];
    size_t n_wanted = lr_node_ints(n, "output_shape", wanted, LR_KERNEL_SPACE + 2);
    bool is_upper = strcmp(mode, "SAME_UPPER") == 0;
    bool is_same = is_upper || strcmp(mode, "SAME_LOWER") == 0;
    enum lr_status st = list_of(more, n, "output_padding", s->n, 0, 0, e);

    if (st != LR_OK)
        return st;
    if (n_wanted != 0 && n_wanted != (size_t)s->n && n_wanted != (size_t)s->n + 2)
        return lr_err_set(e, LR_ESHAPE, "%.100s: output_shape has %zu values, %d needed",
                          n->name, n_wanted, s->n);
    const int64_t *sizes = wanted + (n_wanted > (size_t)s->n ? 2 : 0);
    if (!is_same && n_wanted == 0) {
        st = direct_pads(s, n, e);
        if (st != LR_OK)
            return st;
    }
    for (int i = 0; i < s->n; i++) {
        int64_t full =
            s->stride[i] * (s->in[i] - 1) + more[i] + (s->kernel[i] - 1) * s->dil[i] + 1;
        if (!is_same && n_wanted == 0) {
            s->out[i] = full - s->lo[i] - s->hi[i];
        } else {
            s->out[i] = n_wanted ? sizes[i] : s->in[i] * s->stride[i];
            int64_t total = full - s->out[i];
            /* what is wanted beyond the whole is added at the end */
            total = total > 0 ? total : 0;
            s->lo[i] = is_upper ? total / 2 : total - total / 2;
            s->hi[i] = total - s->lo[i];
        }
        if (s->out[i] < 1 || s->out[i] > LR_MAX_DIM)
            return lr_err_set(e, LR_ESHAPE, "%.100s: its output would have size %lld",
                              n->name, (long long)s->out[i]);
    }
    return LR_OK;
}

enum lr_status lr_node_space(struct lr_space *s, const struct lr_node *n,
                             const struct lr_shape *in, const struct lr_shape *w,
                             struct lr_err *e)
{
    struct lr_slide *x = &s->slide;
    int64_t taps = 1;
    enum lr_status st;

    *s = (struct lr_space){.group = w ? lr_node_int(n, "group", 1) : 1,
                           .is_ceil = !w && lr_node_int(n, "ceil_mode", 0) != 0,
                           .is_including = lr_node_int(n, "count_include_pad", 0) != 0};
    x->n = in->n_dims - 2;
    if (x->n < 1 || x->n > LR_KERNEL_SPACE || (w && w->n_dims != in->n_dims))
        return lr_err_set(e, LR_ESHAPE, "%.100s: %d spatial dimensions", n->name, x->n);
    bool is_global = n->op == LR_OP_GLOBAL_MAX_POOL ||
                     n->op == LR_OP_GLOBAL_AVERAGE_POOL || n->op == LR_OP_GLOBAL_LP_POOL;
    if (!w && !is_global && !lr_node_attr(n, "kernel_shape"))
        return lr_err_set(e, LR_EPARSE, "%.100s: kernel_shape is missing", n->name);
    st = list_of(x->kernel, n, "kernel_shape", x->n, 1, 1, e);
    if (st == LR_OK)
        st = list_of(x->stride, n, "strides", x->n, 1, 1, e);
    if (st == LR_OK)
        st = list_of(x->dil, n, "dilations", x->n, 1, 1, e);
    if (st != LR_OK)
        return st;
    for (int i = 0; i < x->n; i++) {
        x->in[i] = in->dims[i + 2];
        if (is_global)
            x->kernel[i] = x->in[i];
        if (w && lr_node_attr(n, "kernel_shape") && x->kernel[i] != w->dims[i + 2])
            return lr_err_set(e, LR_ESHAPE,
                              "%.100s: kernel_shape does not fit its weights", n->name);
        if (w)
            x->kernel[i] = w->dims[i + 2];
        if (x->kernel[i] < 1 || x->in[i] < 1)
            return lr_err_set(e, LR_ESHAPE, "%.100s: nothing to slide over", n->name);
        taps = taps > LR_MAX_DIM / x->kernel[i] ? LR_MAX_DIM : taps * x->kernel[i];
        if (taps == LR_MAX_DIM || x->kernel[i] > LR_MAX_DIM / x->dil[i] ||
            x->in[i] > INT64_MAX / 4 / x->stride[i])
            return lr_err_set(e, LR_ESHAPE, "%.100s: its window is too large", n->name);
    }
    if (n->op == LR_OP_CONV_TRANSPOSE)
        return transposed_pads(x, n, e);
    st = direct_pads(x, n, e);
    for (int i = 0; i < x->n && st == LR_OK; i++) {
        x->out[i] = positions(x, i, s->is_ceil);
        if (x->out[i] < 1)
            st = lr_err_set(e, LR_ESHAPE,
                            "%.100s: the window of %lld is larger than the padded %lld",
                            n->name, (long long)x->kernel[i], (long long)x->in[i]);
    }
    return st;
}

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static struct lr_range range_of(int64_t start, int64_t end, int64_t step, int64_t size)
{
    struct lr_range r = {.step = step};

    /* Far beyond any size, and safe to add to. */
    start = clamp(start, -2 * (int64_t)LR_MAX_DIM, 2 * (int64_t)LR_MAX_DIM);
    end = clamp(end, -2 * (int64_t)LR_MAX_DIM, 2 * (int64_t)LR_MAX_DIM);
    start += start < 0 ? size : 0;
    end += end < 0 ? size : 0;
    if (step > 0) {
        r.start = clamp(start, 0, size);
        end = clamp(end, 0, size);
        r.count = end > r.start ? (end - r.start - 1) / step + 1 : 0;
    } else {
        r.start = clamp(start, 0, size - 1);
        end = clamp(end, -1, size - 1);
        r.count = r.start > end ? (r.start - end - 1) / -step + 1 : 0;
    }
    return r;
}

enum lr_status lr_node_ranges(struct lr_range r[LR_MAX_DIMS], const struct lr_graph *g,
                              const struct lr_node *n, const struct lr_shape *s,
                              struct lr_err *e)
{
    int64_t start[LR_MAX_DIMS], end[LR_MAX_DIMS], axes[LR_MAX_DIMS], step[LR_MAX_DIMS];
    int n_start, n_end, n_axes, n_steps;
    const bool is_old = g->opset < 10;

    if (!lr_node_list(start, LR_MAX_DIMS, &n_start, g, n, is_old ? -1 : 1, "starts") ||
        !lr_node_list(end, LR_MAX_DIMS, &n_end, g, n, is_old ? -1 : 2, "ends") ||
        !lr_node_list(axes, LR_MAX_DIMS, &n_axes, g, n, is_old ? -1 : 3, "axes") ||
        !lr_node_list(step, LR_MAX_DIMS, &n_steps, g, n, is_old ? -1 : 4, NULL) ||
        n_start < 1)
        return lr_err_set(e, LR_EUNSUP, "%.100s: the range of Slice is not constant",
                          n->name);
    if (n_start != n_end || (n_axes >= 0 && n_start != n_axes) ||
        (n_steps >= 0 && n_start != n_steps) || n_start > s->n_dims)
        return lr_err_set(e, LR_ESHAPE,
                          "%.100s: Slice with %d starts and %d ends for %d dimensions",
                          n->name, n_start, n_end, s->n_dims);
    for (int i = 0; i < s->n_dims; i++)
        r[i] = (struct lr_range){0, 1, s->dims[i]};
    for (int i = 0; i < n_start; i++) {
        int64_t by = n_steps >= 0 ? step[i] : 1, at = n_axes >= 0 ? axes[i] : i;
        if (at < -s->n_dims || at >= s->n_dims)
            return lr_err_set(e, LR_ESHAPE,
                              "%.100s: axis %lld is outside the %d dimensions", n->name,
                              (long long)at, s->n_dims);
        at += at < 0 ? s->n_dims : 0;
        /* a batch may only be taken as a whole */
        if (s->dims[at] == -1) {
            if (start[i] == 0 && by == 1 && end[i] >= LR_MAX_DIM)
                continue;
            return lr_err_set(e, LR_EUNSUP, "%.100s: slices the batch", n->name);
        }
        if (by == 0)
            return lr_err_set(e, LR_ESHAPE, "%.100s: Slice with step 0", n->name);
        by = clamp(by, -LR_MAX_DIM, LR_MAX_DIM);
        r[at] = range_of(start[i], end[i], by, s->dims[at]);
    }
    return LR_OK;
}

struct word {
    const char *name;
    int value;
};

static const struct word coords[] = {
    {"half_pixel", LR_COORD_HALF_PIXEL},
    {"half_pixel_symmetric", LR_COORD_HALF_PIXEL_SYMMETRIC},
    {"pytorch_half_pixel", LR_COORD_PYTORCH_HALF_PIXEL},
    {"align_corners", LR_COORD_ALIGN_CORNERS},
    {"asymmetric", LR_COORD_ASYMMETRIC},
    {"tf_half_pixel_for_nn", LR_COORD_TF_HALF_PIXEL_FOR_NN},
    {"tf_crop_and_resize", LR_COORD_TF_CROP},
    {NULL, 0}};
static const struct word nearests[] = {{"round_prefer_floor", LR_NEAREST_PREFER_FLOOR},
                                       {"round_prefer_ceil", LR_NEAREST_PREFER_CEIL},
                                       {"floor", LR_NEAREST_FLOOR},
                                       {"ceil", LR_NEAREST_CEIL},
                                       {NULL, 0}};
static const struct word modes[] = {{"nearest", LR_RESIZE_NEAREST},
                                    {"linear", LR_RESIZE_LINEAR},
                                    {"bilinear", LR_RESIZE_LINEAR},
                                    {"cubic", LR_RESIZE_CUBIC},
                                    {NULL, 0}};

static bool look_up(const struct word *table, const char *text, int *out)
{
    for (; table->name; table++)
        if (strcmp(table->name, text) == 0) {
            *out = table->value;
            return true;
        }
    return false;
}

static enum lr_status resize_opts(struct lr_resize_plan *p, const struct lr_graph *g,
                                  const struct lr_node *n, struct lr_err *e)
{
    /* before opset 11 coordinates are divided by the scale and rounded down */
    const bool is_old = g->opset < 11;
    const char *mode = lr_node_string(n, "mode", "nearest");
    const char *coord =
        is_old ? "asymmetric"
               : lr_node_string(n, "coordinate_transformation_mode", "half_pixel");
    const char *near =
        is_old ? "floor" : lr_node_string(n, "nearest_mode", "round_prefer_floor");
    int m, c, r;

    if (!look_up(modes, mode, &m) || !look_up(coords, coord, &c) ||
        !look_up(nearests, near, &r))
        return lr_err_set(e, LR_EUNSUP, "%.100s: mode %.40s, %.40s, %.40s is not known",
                          n->name, mode, coord, near);
    p->opts = (struct lr_resize_opts){
        .mode = (enum lr_resize_mode)m,
        .coord = (enum lr_resize_coord)c,
        .nearest = (enum lr_resize_nearest)r,
        .cubic_a = lr_node_float(n, "cubic_coeff_a", -0.75F),
        .is_excluding_outside = lr_node_int(n, "exclude_outside", 0) != 0,
        .is_antialiased = lr_node_int(n, "antialias", 0) != 0};
    p->extrapolation = lr_node_float(n, "extrapolation_value", 0);
    return LR_OK;
}

/* The floats of constant input i: *n of them, -1 when it is left out or empty; false when
 * it is no constant. */
static bool floats_of(float *list, int max, int *n, const struct lr_graph *g,
                      const struct lr_node *node, int i)
{
    struct lr_tensor *t = NULL;
    int64_t count;

    *n = -1;
    if (i >= node->n_in || node->in[i] < 0)
        return true;
    const struct lr_tensor *x = g->values[node->in[i]].tensor;
    if (!x || lr_shape_count(&count, &x->shape, NULL) != LR_OK || count > max)
        return false;
    if (count == 0)
        return true;
    if (lr_tensor_to_f32(&t, x, NULL) != LR_OK)
        return false;
    memcpy(list, t->data, (size_t)count * sizeof(*list));
    lr_tensor_free(t);
    *n = (int)count;
    return true;
}

/* Sizes that keep the ratio of the sides: the smaller, or the larger, scale for all. */
static void keep_ratio(struct lr_resize_plan *p, const struct lr_node *n,
                       const struct lr_shape *in, const int64_t *axes, int n_axes)
{
    const char *policy = lr_node_string(n, "keep_aspect_ratio_policy", "stretch");
    bool is_larger = strcmp(policy, "not_smaller") == 0;
    double scale = 0;

    if (!is_larger && strcmp(policy, "not_larger") != 0)
        return;
    for (int i = 0; i < n_axes; i++) {
        double s = (double)p->size[axes[i]] / (double)in->dims[axes[i]];
        scale = i == 0 || (is_larger ? s > scale : s < scale) ? s : scale;
    }
    for (int i = 0; i < n_axes; i++) {
        p->size[axes[i]] = (int64_t)floor(scale * (double)in->dims[axes[i]] + 0.5);
        p->scale[axes[i]] = scale;
    }
}

enum lr_status lr_node_resize(struct lr_resize_plan *p, const struct lr_graph *g,
                              const struct lr_node *n, const struct lr_shape *in,
                              const int64_t *sizes, int n_sizes, struct lr_err *e)
{
    float scales[LR_MAX_DIMS], roi[2 * LR_MAX_DIMS];
    int64_t axes[LR_MAX_DIMS], own[LR_MAX_DIMS];
    int n_scales = -1, n_roi = -1, n_axes;
    const bool is_new = n->op == LR_OP_RESIZE && g->opset >= 11;
    enum lr_status st;

    *p = (struct lr_resize_plan){.has_sizes = false};
    st = resize_opts(p, g, n, e);
    if (st != LR_OK)
        return st;
    if (!lr_node_list(axes, LR_MAX_DIMS, &n_axes, g, n, -1, "axes") ||
        !floats_of(scales, LR_MAX_DIMS, &n_scales, g, n, is_new ? 2 : 1) ||
        !floats_of(roi, 2 * LR_MAX_DIMS, &n_roi, g, n, is_new ? 1 : 99))
        return lr_err_set(e, LR_EUNSUP, "%.100s: its scales are not constant", n->name);
    if (is_new && !sizes && n_scales < 0) {
        if (!lr_node_list(own, LR_MAX_DIMS, &n_sizes, g, n, 3, NULL) || n_sizes < 1)
            return lr_err_set(e, LR_EUNSUP, "%.100s: its size is not constant", n->name);
        sizes = own;
    }
    if (n->op == LR_OP_UPSAMPLE && n_scales < 0) {
        const struct lr_attr *a = lr_node_attr(n, "scales");
        for (size_t i = 0; a && a->kind == LR_ATTR_FLOATS && i < a->n && i < LR_MAX_DIMS;
             i++)
            scales[n_scales = (int)i] = a->floats[i];
        n_scales += n_scales >= 0;
    }
    if (n_scales > 0)
        sizes = NULL;
    else if (!sizes)
        return lr_err_set(e, LR_EPARSE, "%.100s: neither scales nor sizes", n->name);
    if (n_axes < 0)
        for (n_axes = 0; n_axes < in->n_dims; n_axes++)
            axes[n_axes] = n_axes;
    if ((sizes ? n_sizes : n_scales) != n_axes ||
        (p->opts.coord == LR_COORD_TF_CROP && n_roi != 2 * n_axes))
        return lr_err_set(e, LR_ESHAPE, "%.100s: %d sizes for %d axes", n->name,
                          sizes ? n_sizes : n_scales, n_axes);
    p->has_sizes = sizes != NULL;
    for (int i = 0; i < in->n_dims; i++) {
        p->size[i] = in->dims[i];
        p->scale[i] = p->roi[i][1] = 1;
    }
    for (int i = 0; i < n_axes; i++) {
        if (axes[i] < -in->n_dims || axes[i] >= in->n_dims)
            return lr_err_set(e, LR_ESHAPE, "%.100s: axis %lld", n->name,
                              (long long)axes[i]);
        axes[i] += axes[i] < 0 ? in->n_dims : 0;
        int64_t a = axes[i];
        if (n_roi == 2 * n_axes) {
            p->roi[a][0] = (double)roi[i];
            p->roi[a][1] = (double)roi[n_axes + i];
        }
        if (in->dims[a] == -1) {
            bool is_whole = sizes ? sizes[i] == -1 : scales[i] == 1;
            if (!is_whole)
                return lr_err_set(e, LR_EUNSUP, "%.100s: resizes the batch", n->name);
            continue;
        }
        if (sizes) {
            p->size[a] = sizes[i];
            p->scale[a] = (double)sizes[i] / (double)in->dims[a];
            continue;
        }
        if (!(scales[i] > 0) || !(scales[i] < 1e6F))
            return lr_err_set(e, LR_ESHAPE, "%.100s: scale %g", n->name,
                              (double)scales[i]);
        p->scale[a] = (double)scales[i];
        float extent =
            p->opts.coord == LR_COORD_TF_CROP ? (float)(p->roi[a][1] - p->roi[a][0]) : 1;
        p->size[a] = (int64_t)floorf((float)in->dims[a] * extent * scales[i]);
        /* places are by the sizes, whatever was added for the size to come out whole */
        if (n->has_sizes)
            p->scale[a] = (double)p->size[a] / (double)in->dims[a];
    }
    if (sizes)
        keep_ratio(p, n, in, axes, n_axes);
    for (int i = 0; i < in->n_dims; i++)
        if (p->size[i] != in->dims[i] && (p->size[i] < 1 || p->size[i] > LR_MAX_DIM))
            return lr_err_set(e, LR_ESHAPE, "%.100s: size %lld", n->name,
                              (long long)p->size[i]);
    return LR_OK;
}
