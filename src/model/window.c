/* Kernel, stride and padding of convolutions and poolings with auto_pad resolved, and the
 * parameters of Clip and Pad, which are attributes in old opsets and inputs in new ones.
 */
#include <float.h>
#include <string.h>

#include "model.h"
#include "model/space.h"

/* Two integers of an attribute, or the default for both. */
static enum lr_status pair(int64_t v[2], const struct lr_node *n, const char *name,
                           int64_t otherwise, struct lr_err *e)
{
    size_t count = lr_node_ints(n, name, v, 2);

    if (count == 0)
        v[0] = v[1] = otherwise;
    else if (count != 2)
        return lr_err_set(e, LR_EUNSUP, "%s: %s has %zu values, only 2 are supported",
                          n->name, name, count);
    for (int i = 0; i < 2; i++)
        if (v[i] < 1 || v[i] > LR_MAX_DIM)
            return lr_err_set(e, LR_ESHAPE,
                              "%s: %s %lld is out of range, at least 1 needed", n->name,
                              name, (long long)v[i]);
    return LR_OK;
}

/* ONNX: SAME gives ceil(size / stride) positions; an odd padding has its larger half at
 * the end for SAME_UPPER, at the begin for SAME_LOWER. */
static void same_pads(int64_t *begin, int64_t *end, int64_t size, int64_t extent,
                      int64_t stride, bool is_upper)
{
    int64_t n = (size + stride - 1) / stride;
    int64_t total = (n - 1) * stride + extent - size;

    if (total < 0)
        total = 0;
    *begin = is_upper ? total / 2 : total - total / 2;
    *end = total - *begin;
}

static enum lr_status resolve_pads(struct lr_window *w, const struct lr_node *n,
                                   const struct lr_shape *in, struct lr_err *e)
{
    const char *mode = lr_node_string(n, "auto_pad", "NOTSET");
    int64_t pads[4] = {0};

    if (strcmp(mode, "NOTSET") == 0 || *mode == '\0') {
        size_t count = lr_node_ints(n, "pads", pads, 4);
        if (count != 0 && count != 4)
            return lr_err_set(e, LR_EUNSUP,
                              "%s: pads has %zu values, only 4 are supported", n->name,
                              count);
    } else if (strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0) {
        bool is_upper = strcmp(mode, "SAME_UPPER") == 0;
        same_pads(&pads[0], &pads[2], in->dims[2], (w->kh - 1) * w->dil_h + 1,
                  w->stride_h, is_upper);
        same_pads(&pads[1], &pads[3], in->dims[3], (w->kw - 1) * w->dil_w + 1,
                  w->stride_w, is_upper);
    } else if (strcmp(mode, "VALID") != 0) {
        return lr_err_set(e, LR_EPARSE, "%s: auto_pad %.40s is not known", n->name, mode);
    }
    for (int i = 0; i < 4; i++)
        if (pads[i] < 0 || pads[i] > LR_MAX_DIM)
            return lr_err_set(e, LR_ESHAPE, "%s: padding %lld is out of range", n->name,
                              (long long)pads[i]);
    w->pad_top = pads[0];
    w->pad_left = pads[1];
    w->pad_bottom = pads[2];
    w->pad_right = pads[3];
    return LR_OK;
}

static const struct lr_value *input_value(const struct lr_graph *g,
                                          const struct lr_node *n, int i)
{
    return i < n->n_in && n->in[i] >= 0 ? &g->values[n->in[i]] : NULL;
}

/* The shape of a constant or of an inferred value, NULL when not known. */
static const struct lr_shape *input_shape(const struct lr_graph *g,
                                          const struct lr_node *n, int i)
{
    const struct lr_value *v = input_value(g, n, i);

    if (!v)
        return NULL;
    return v->tensor ? &v->tensor->shape : v->has_shape ? &v->shape : NULL;
}

enum lr_status lr_node_window(struct lr_window *w, const struct lr_graph *g,
                              const struct lr_node *n, struct lr_err *e)
{
    const struct lr_shape *in = input_shape(g, n, 0);
    int64_t kernel[2], stride[2], dilation[2];
    size_t n_kernel = lr_node_ints(n, "kernel_shape", NULL, 0);
    enum lr_status st;

    *w = (struct lr_window){.group = 1};
    if (!in)
        return lr_err_set(e, LR_ESHAPE, "%s: the shape of its input is not known",
                          n->name);
    if (in->n_dims != 4 || (n_kernel != 0 && n_kernel != 2))
        return lr_err_set(
            e, LR_EUNSUP, "%s: %d spatial dimension%s, only 2 are supported", n->name,
            in->n_dims > 2 ? in->n_dims - 2 : 0, in->n_dims == 3 ? "" : "s");
    st = pair(kernel, n, "kernel_shape", 1, e);
    if (st == LR_OK)
        st = pair(stride, n, "strides", 1, e);
    if (st == LR_OK)
        st = pair(dilation, n, "dilations", 1, e);
    if (st != LR_OK)
        return st;
    if (n->op == LR_OP_CONV) {
        const struct lr_shape *ws = input_shape(g, n, 1);
        if (!ws || ws->n_dims != 4)
            return lr_err_set(e, LR_ESHAPE, "%s: its weights need 4 dimensions", n->name);
        if (n_kernel && (kernel[0] != ws->dims[2] || kernel[1] != ws->dims[3]))
            return lr_err_set(e, LR_ESHAPE,
                              "%s: kernel_shape %lldx%lld, but the weights are %lldx%lld",
                              n->name, (long long)kernel[0], (long long)kernel[1],
                              (long long)ws->dims[2], (long long)ws->dims[3]);
        kernel[0] = ws->dims[2];
        kernel[1] = ws->dims[3];
    } else if (!n_kernel) {
        return lr_err_set(e, LR_EPARSE, "%s: kernel_shape is missing", n->name);
    }
    w->kh = kernel[0];
    w->kw = kernel[1];
    w->stride_h = stride[0];
    w->stride_w = stride[1];
    w->dil_h = dilation[0];
    w->dil_w = dilation[1];
    w->group = n->op == LR_OP_CONV ? lr_node_int(n, "group", 1) : 1;
    w->ceil_mode = lr_node_int(n, "ceil_mode", 0) != 0;
    w->count_include_pad = lr_node_int(n, "count_include_pad", 0) != 0;
    return resolve_pads(w, n, in, e);
}

/* The single number of constant input i: false when the input is there but not constant.
 */
static bool scalar_input(float *x, const struct lr_graph *g, const struct lr_node *n,
                         int i)
{
    const struct lr_value *v = input_value(g, n, i);
    struct lr_tensor *t = NULL;
    int64_t count;

    if (!v)
        return true;
    if (!v->tensor || lr_shape_count(&count, &v->tensor->shape, NULL) != LR_OK ||
        count != 1 || lr_tensor_to_f32(&t, v->tensor, NULL) != LR_OK)
        return false;
    *x = *(const float *)t->data;
    lr_tensor_free(t);
    return true;
}

enum lr_status lr_node_clip(float *lo, float *hi, const struct lr_graph *g,
                            const struct lr_node *n, struct lr_err *e)
{
    *lo = -FLT_MAX;
    *hi = FLT_MAX;
    if (g->opset < 11) {
        *lo = lr_node_float(n, "min", -FLT_MAX);
        *hi = lr_node_float(n, "max", FLT_MAX);
    } else if (!scalar_input(lo, g, n, 1) || !scalar_input(hi, g, n, 2)) {
        return lr_err_set(e, LR_EUNSUP, "%s: bounds are not constant numbers", n->name);
    }
    /* NaN too */
    if (!(*lo <= *hi))
        return lr_err_set(e, LR_EUNSUP, "%s: its bounds %g and %g are no interval",
                          n->name, (double)*lo, (double)*hi);
    return LR_OK;
}

/* The paddings t of the axes that input 3 names; 0 for the others. */
static enum lr_status pad_axes(int64_t *pads, size_t max, const struct lr_tensor *t,
                               int64_t count, int n_dims, const struct lr_graph *g,
                               const struct lr_node *n, struct lr_err *e)
{
    int64_t axes[LR_MAX_DIMS];
    int n_axes;

    if (!lr_node_list(axes, LR_MAX_DIMS, &n_axes, g, n, 3, NULL))
        return lr_err_set(e, LR_EUNSUP, "%s: its axes are not constant", n->name);
    if (count != 2 * n_axes || 2 * (size_t)n_dims > max)
        return lr_err_set(e, LR_ESHAPE, "%s: %lld paddings for %d axes", n->name,
                          (long long)count, n_axes);
    memset(pads, 0, 2 * (size_t)n_dims * sizeof(*pads));
    for (int i = 0; i < n_axes; i++) {
        if (axes[i] < -n_dims || axes[i] >= n_dims)
            return lr_err_set(e, LR_ESHAPE, "%s: axis %lld", n->name, (long long)axes[i]);
        int64_t at = axes[i] < 0 ? axes[i] + n_dims : axes[i];
        pads[at] = lr_tensor_int_at(t, i);
        pads[at + n_dims] = lr_tensor_int_at(t, i + n_axes);
    }
    return LR_OK;
}

enum lr_status lr_node_pad(int64_t *pads, size_t max, float *value,
                           const struct lr_graph *g, const struct lr_node *n,
                           struct lr_err *e)
{
    const char *mode = lr_node_string(n, "mode", "constant");
    const struct lr_shape *in = input_shape(g, n, 0);
    size_t count;

    *value = 0;
    if (strcmp(mode, "constant") != 0 && strcmp(mode, "reflect") != 0 &&
        strcmp(mode, "edge") != 0 && strcmp(mode, "wrap") != 0)
        return lr_err_set(e, LR_EUNSUP,
                          "%s: padding mode %.40s, only constant, reflect, edge and wrap "
                          "are supported",
                          n->name, mode);
    if (!in)
        return lr_err_set(e, LR_EUNSUP, "%s: the shape of its input is not known",
                          n->name);
    if (g->opset < 11) {
        const struct lr_attr *a = lr_node_attr(n, "value");
        *value = a && a->kind == LR_ATTR_FLOAT ? a->f : 0;
        count = lr_node_ints(n, "pads", pads, max);
    } else {
        const struct lr_value *v = input_value(g, n, 1);
        int64_t held;
        if (!v || !v->tensor || lr_dtype_is_float(v->tensor->dtype) ||
            lr_shape_count(&held, &v->tensor->shape, NULL) != LR_OK)
            return lr_err_set(e, LR_EUNSUP, "%s: paddings are not constant integers",
                              n->name);
        if (!scalar_input(value, g, n, 2))
            return lr_err_set(e, LR_EUNSUP, "%s: the constant padded with is not known",
                              n->name);
        if (input_value(g, n, 3))
            return pad_axes(pads, max, v->tensor, held, in->n_dims, g, n, e);
        count = (size_t)held;
        for (size_t i = 0; i < count && i < max; i++)
            pads[i] = lr_tensor_int_at(v->tensor, (int64_t)i);
    }
    if (count != 2 * (size_t)in->n_dims || count > max)
        return lr_err_set(e, LR_ESHAPE, "%s: %zu paddings for %d dimensions, %d needed",
                          n->name, count, in->n_dims, 2 * in->n_dims);
    return LR_OK;
}
