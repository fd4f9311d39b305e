/* Transposed convolution and resizing by the library where it means what ONNX means; the
 * plain kernels do the rest (LR_EUNSUP). */
#include "net.h"

#include <float.h>
#include <math.h>

#include "model/space.h"
#include "ranklab/mem.h"

static struct lr_shape shape_of(const struct lr_eng_val *x)
{
    struct lr_shape s = {.n_dims = x->n_dims};
    for (int i = 0; i < x->n_dims; i++)
        s.dims[i] = x->dims[i];
    return s;
}

/* Takes p over: one primitive from the layout src to the one it chooses. */
static enum lr_status emit(struct lr_eng_build *b, const struct lr_node *n,
                           struct lr_dn_prim *p, int k, struct lr_eng_use *uses,
                           const struct lr_dn_desc **descs)
{
    const struct lr_dn_desc *dst = lr_dn_prim_desc(b->net->dn, p, LR_DN_DST);
    int buf = dst ? lr_eng_result(b, dst) : -1;
    if (buf < 0) {
        lr_dn_prim_free(p);
        return lr_enomem(b->e, 0, "a result");
    }
    uses[k] = (struct lr_eng_use){LR_DN_DST, buf};
    descs[k] = dst;
    enum lr_status s = lr_eng_add_prim(b, p, k + 1, uses, descs);
    return s ? s : lr_eng_define(b, n->out[0], dst, buf);
}

/* The library knows no padding of the output: what lies behind the last whole step of the
 * stride is its own business, so the pads at the end are those that leave less than one
 * step. */
static enum lr_status deconv_shape(struct lr_eng_build *b, const struct lr_node *n,
                                   struct lr_dn_conv *d)
{
    if (n->n_in < 2 || n->in[1] < 0 || !lr_eng_is_const(b, n->in[1]))
        return lr_err_set(b->e, LR_EUNSUP, "the filters are computed");
    const bool has_bias = n->n_in > 2 && n->in[2] >= 0;
    const struct lr_eng_val *y = &b->vals[n->out[0]];
    struct lr_shape x = shape_of(&b->vals[n->in[0]]), w = shape_of(&b->vals[n->in[1]]);
    struct lr_space sp;
    enum lr_status s = lr_node_space(&sp, n, &x, &w, b->e);
    if (s)
        return s;
    const struct lr_slide *l = &sp.slide;
    if (l->n != 2 || y->n_dims != 4 || sp.group < 1 || x.dims[1] % sp.group != 0 ||
        w.dims[0] != x.dims[1] || y->dims[1] != w.dims[1] * sp.group)
        return lr_err_set(b->e, LR_EUNSUP, "only two spatial dimensions");
    if (has_bias &&
        (!lr_eng_is_const(b, n->in[2]) || b->vals[n->in[2]].count != (size_t)y->dims[1]))
        return lr_err_set(b->e, LR_EUNSUP, "the bias is computed");
    *d = (struct lr_dn_conv){.n = x.dims[0],
                             .c = x.dims[1],
                             .ih = x.dims[2],
                             .iw = x.dims[3],
                             .d = y->dims[1],
                             .oh = y->dims[2],
                             .ow = y->dims[3],
                             .kh = w.dims[2],
                             .kw = w.dims[3],
                             .group = sp.group,
                             .has_bias = has_bias};
    for (int i = 0; i < 2; i++) {
        int64_t reach =
            (x.dims[2 + i] - 1) * l->stride[i] + (w.dims[2 + i] - 1) * l->dil[i] + 1;
        int64_t hi = reach - l->lo[i] - y->dims[2 + i];
        d->stride[i] = l->stride[i];
        d->dil[i] = l->dil[i];
        d->pad_lo[i] = l->lo[i];
        d->pad_hi[i] = hi > 0 ? hi : 0;
        if (l->stride[i] < 1 || l->dil[i] < 1 || l->lo[i] < 0 || -hi >= l->stride[i])
            return lr_err_set(b->e, LR_EUNSUP, "padding that the library has not");
    }
    return LR_OK;
}

/* Filters [c, d / group, kh, kw] as [group, d / group, c / group, kh, kw]. */
static const struct lr_dn_desc *filters(struct lr_eng_build *b,
                                        const struct lr_dn_conv *d)
{
    const int64_t per_c = d->c / d->group, per_d = d->d / d->group, k = d->kh * d->kw;
    const int64_t dims[5] = {d->group, per_d, per_c, d->kh, d->kw};
    const int64_t strides[5] = {per_c * per_d * k, k, per_d * k, d->kw, 1};
    const int skip = d->group > 1 ? 0 : 1;
    return lr_dn_strided(b->net->dn, 5 - skip, dims + skip, strides + skip);
}

enum lr_status lr_eng_build_conv_transpose(struct lr_eng_build *b,
                                           const struct lr_node *n)
{
    struct lr_dn *dn = b->net->dn;
    struct lr_dn_conv d;
    struct lr_dn_prim *p = NULL;
    struct lr_eng_use uses[4];
    const struct lr_dn_desc *descs[4];
    int k = 0, src = -1, w = -1, bias = -1;
    enum lr_status s = deconv_shape(b, n, &d);
    if (!s)
        s = lr_dn_make_deconv(&p, dn, &d, b->e);
    if (s)
        return s;
    const struct lr_dn_desc *from = filters(b, &d);
    descs[0] = lr_dn_prim_desc(dn, p, LR_DN_SRC);
    descs[1] = lr_dn_prim_desc(dn, p, LR_DN_WEIGHTS);
    if (!from || !descs[0] || !descs[1])
        s = lr_enomem(b->e, 0, "a memory layout");
    if (!s)
        s = lr_eng_in_layout(b, n->in[0], descs[0], &src);
    if (!s)
        s = lr_eng_pack(b, n->in[1], 1.0F, from, descs[1], &w);
    uses[k++] = (struct lr_eng_use){LR_DN_SRC, src};
    uses[k++] = (struct lr_eng_use){LR_DN_WEIGHTS, w};
    if (!s && d.has_bias) {
        const struct lr_dn_desc *bd = lr_dn_plain(dn, 1, &d.d);
        s = lr_eng_pack(b, n->in[2], 1.0F, bd, bd, &bias);
        descs[k] = bd;
        uses[k++] = (struct lr_eng_use){LR_DN_BIAS, bias};
    }
    if (s) {
        lr_dn_prim_free(p);
        return s;
    }
    return emit(b, n, p, k, uses, descs);
}

/* How far a place computed in single precision may lie from x: the scale, its quotient
 * and the difference to 0.5 are rounded, and so is every weight twice: five halves of an
 * epsilon, relative to the place itself. The library's own place has no more steps. */
static double place_error(double x)
{
    return 3 * (double)FLT_EPSILON * (fabs(x) + 1);
}

/* Where the library looks for output i, by its own arithmetic: on long axes that is not
 * where ONNX Runtime and the plain kernel do, who divide by the scale, and between pixels
 * that have nothing in common so much of their difference is what results differ by. */
static const double SAME_PLACE = 1e-5;

static double library_place(const struct lr_resize_axis *a, int64_t i)
{
    return (double)(((float)i + 0.5F) * (float)a->in / (float)a->out - 0.5F);
}

/* Whether the taps of an axis are those of the library. */
static bool is_half_pixel(const struct lr_resize_axis *a, bool is_linear)
{
    for (int64_t i = 0; i < a->out; i++) {
        double x = ((double)i + 0.5) * (double)a->in / (double)a->out - 0.5;
        const double error = place_error(x);
        double last = (double)(a->in - 1), low = fmax(floor(x), 0),
               up = fmin(low + 1, last);
        double at = 0, want = is_linear ? fmin(fmax(x, 0), last) : 0;
        if (!is_linear) {
            double near = fmin(fmax(x, 0), last);
            /* at the middle the library's own rounding decides */
            if (fabs(near - floor(near) - 0.5) <= error || a->taps != 1 ||
                (double)a->index[i] != floor(near + 0.5))
                return false;
            continue;
        }
        for (int t = 0; t < a->taps; t++) {
            double j = (double)a->index[i * a->taps + t];
            double w = (double)a->weight[i * a->taps + t];
            if (j < 0 || (w > error && (j < low || j > up)))
                return false;
            at += w * j;
        }
        if (fabs(at - want) > error ||
            fabs(at - fmin(fmax(library_place(a, i), 0), last)) > SAME_PLACE)
            return false;
    }
    return true;
}

enum lr_status lr_eng_build_resize(struct lr_eng_build *b, const struct lr_node *n)
{
    const struct lr_eng_val *x = &b->vals[n->in[0]], *y = &b->vals[n->out[0]];
    struct lr_shape in = shape_of(x), out = shape_of(y);
    struct lr_resize_plan plan;
    bool is_same = x->n_dims == 4 && y->n_dims == 4;
    enum lr_status s;
    if (!is_same || x->is_int || x->dims[0] != y->dims[0] || x->dims[1] != y->dims[1])
        return lr_err_set(b->e, LR_EUNSUP, "only two spatial dimensions");
    s = lr_node_resize(&plan, b->g, n, &in, out.dims, out.n_dims, b->e);
    if (s == LR_ESHAPE)
        s = LR_EUNSUP;
    if (s)
        return s;
    const bool is_linear = plan.opts.mode == LR_RESIZE_LINEAR;
    is_same = is_linear || plan.opts.mode == LR_RESIZE_NEAREST;
    for (int i = 2; !s && is_same && i < 4; i++) {
        struct lr_resize_axis a = {0};
        s = lr_resize_axis_init(&a, in.dims[i], out.dims[i], plan.scale[i], plan.roi[i],
                                &plan.opts, b->e);
        is_same = !s && is_half_pixel(&a, is_linear);
        lr_resize_axis_clear(&a);
    }
    if (s || !is_same)
        return s ? s : lr_err_set(b->e, LR_EUNSUP, "another resampling");
    struct lr_dn_prim *p = NULL;
    struct lr_eng_use uses[2];
    const struct lr_dn_desc *descs[2];
    int src;
    s = lr_eng_native(b, n->in[0], &descs[0], &src);
    if (!s)
        s = lr_dn_make_resampling(&p, b->net->dn, is_linear, descs[0], y->dims, b->e);
    if (!s && lr_dn_prim_is_reference(p)) {
        lr_dn_prim_free(p);
        s = lr_err_set(b->e, LR_EUNSUP, "no fast kernel");
    }
    if (s)
        return s;
    uses[0] = (struct lr_eng_use){LR_DN_SRC, src};
    return emit(b, n, p, 1, uses, descs);
}
