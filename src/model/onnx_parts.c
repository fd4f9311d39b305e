/* Convolutions and Gemm nodes of a split as protobuf messages, each allocated so that
 * protobuf-c can release it with the model. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "onnx_edit.h"

enum { MAX_INPUTS = 3 };
static const float LARGEST_HALF = 65504;

static bool is_used(const Onnx__GraphProto *p, const char *name, bool is_node)
{
    for (size_t k = 0; k < p->n_node; k++) {
        const Onnx__NodeProto *x = p->node[k];
        if (is_node && x->name && strcmp(x->name, name) == 0)
            return true;
        for (size_t i = 0; !is_node && i < x->n_input + x->n_output; i++)
            if (strcmp(i < x->n_input ? x->input[i] : x->output[i - x->n_input], name) ==
                0)
                return true;
        for (size_t i = 0; i < x->n_attribute; i++) {
            const Onnx__AttributeProto *a = x->attribute[i];
            if (a->g && is_used(a->g, name, is_node))
                return true;
            for (size_t j = 0; j < a->n_graphs; j++)
                if (is_used(a->graphs[j], name, is_node))
                    return true;
        }
    }
    for (size_t i = 0; !is_node && i < p->n_initializer; i++)
        if (p->initializer[i]->name && strcmp(p->initializer[i]->name, name) == 0)
            return true;
    for (size_t i = 0; !is_node && i < p->n_input; i++)
        if (p->input[i]->name && strcmp(p->input[i]->name, name) == 0)
            return true;
    return false;
}

/* base, or base_2, base_3, ...: the first name that no value (no node) has. */
static char *fresh(const struct lr_onnx_file *f, const char *base, const char *suffix,
                   bool is_node)
{
    for (int i = 1; i <= LR_MAX_NODES; i++) {
        struct lr_strbuf b = {0};
        lr_strbuf_printf(&b, "%s%s", base, suffix);
        if (i > 1)
            lr_strbuf_printf(&b, "_%d", i);
        char *name = lr_strbuf_take(&b);
        if (!name || !is_used(f->m->graph, name, is_node))
            return name;
        lr_free(name);
    }
    return NULL;
}

/* ---- attributes ---- */

static Onnx__AttributeProto *add_attr(Onnx__NodeProto *x, const char *name, int type)
{
    Onnx__AttributeProto *a = lr_alloc(1, sizeof(*a));

    if (!a)
        return NULL;
    onnx__attribute_proto__init(a);
    a->name = lr_strdup(name);
    a->has_type = 1;
    a->type = (Onnx__AttributeProto__AttributeType)type;
    if (a->name && lr_onnx_insert(&x->attribute, &x->n_attribute, x->n_attribute, a))
        return a;
    lr_free(a->name);
    lr_free(a);
    return NULL;
}

static bool put_int(Onnx__NodeProto *x, const char *name, int64_t i)
{
    Onnx__AttributeProto *a =
        add_attr(x, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    if (!a)
        return false;
    a->has_i = 1;
    a->i = i;
    return true;
}

static bool put_ints(Onnx__NodeProto *x, const char *name, const int64_t *v, size_t n)
{
    Onnx__AttributeProto *a =
        add_attr(x, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

    if (!a)
        return false;
    a->ints = lr_alloc(n, sizeof(*v));
    if (!a->ints)
        return false;
    memcpy(a->ints, v, n * sizeof(*v));
    a->n_ints = n;
    return true;
}

static bool put_text(Onnx__NodeProto *x, const char *name, const char *text)
{
    Onnx__AttributeProto *a =
        add_attr(x, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

    if (!a)
        return false;
    a->s.data = (uint8_t *)lr_strdup(text);
    a->has_s = a->s.data != NULL;
    a->s.len = a->has_s ? strlen(text) : 0;
    return a->has_s;
}

/* ---- nodes and constants; false: out of memory ---- */

/* Adds a node before *at, which moves on; its inputs' names are copied. */
static bool add_node(struct lr_onnx_file *f, size_t *at, Onnx__NodeProto **out,
                     const char *type, const char *name, const char *doc,
                     const char *const *in, size_t n_in, const char *result)
{
    Onnx__GraphProto *p = f->m->graph;
    Onnx__NodeProto *x = lr_alloc(1, sizeof(*x));

    if (!x)
        return false;
    onnx__node_proto__init(x);
    x->op_type = lr_strdup(type);
    x->name = lr_strdup(name);
    x->doc_string = doc ? lr_strdup(doc) : NULL;
    bool is_ok = x->op_type && x->name && (!doc || x->doc_string);
    for (size_t i = 0; is_ok && i <= n_in; i++) {
        char *copy = lr_strdup(i < n_in ? in[i] : result);
        is_ok = copy && (i < n_in ? lr_onnx_insert(&x->input, &x->n_input, i, copy)
                                  : lr_onnx_insert(&x->output, &x->n_output, 0, copy));
        if (!is_ok)
            lr_free(copy);
    }
    if (is_ok && lr_onnx_insert(&p->node, &p->n_node, *at, x)) {
        ++*at;
        *out = x;
        return true;
    }
    onnx__node_proto__free_unpacked(x, &f->alloc);
    return false;
}

/* Networks before IR version 4 list constants among their inputs. */
static bool add_input(struct lr_onnx_file *f, const Onnx__TensorProto *t)
{
    Onnx__GraphProto *p = f->m->graph;
    Onnx__ValueInfoProto *v = lr_alloc(1, sizeof(*v));

    if (!v)
        return false;
    onnx__value_info_proto__init(v);
    v->name = lr_strdup(t->name);
    Onnx__TypeProto *type = v->name ? lr_alloc(1, sizeof(*type)) : NULL;
    if (type) {
        onnx__type_proto__init(type);
        v->type = type;
        type->tensor_type = lr_alloc(1, sizeof(*type->tensor_type));
    }
    bool is_ok = v->name && type && type->tensor_type;
    if (is_ok) {
        Onnx__TypeProto__Tensor *x = type->tensor_type;
        type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        onnx__type_proto__tensor__init(x);
        x->has_elem_type = 1;
        x->elem_type = t->data_type;
        x->shape = lr_alloc(1, sizeof(*x->shape));
        is_ok = x->shape != NULL;
        if (is_ok)
            onnx__tensor_shape_proto__init(x->shape);
        for (size_t i = 0; is_ok && i < t->n_dims; i++) {
            Onnx__TensorShapeProto__Dimension *d = lr_alloc(1, sizeof(*d));
            is_ok = d != NULL;
            if (!d)
                break;
            onnx__tensor_shape_proto__dimension__init(d);
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d->dim_value = t->dims[i];
            is_ok = lr_onnx_insert(&x->shape->dim, &x->shape->n_dim, i, d);
            if (!is_ok)
                lr_free(d);
        }
    }
    if (is_ok && lr_onnx_insert(&p->input, &p->n_input, p->n_input, v))
        return true;
    onnx__value_info_proto__free_unpacked(v, &f->alloc);
    return false;
}

/* The floats as type t; NULL without memory. */
static uint8_t *convert(const float *from, size_t n, enum lr_dtype t)
{
    void *data = lr_calloc(n, lr_dtype_size(t));

    for (size_t i = 0; data && from && i < n; i++) {
        if (t == LR_DT_F32)
            ((float *)data)[i] = from[i];
        else if (t == LR_DT_F64)
            ((double *)data)[i] = (double)from[i];
        else
            ((uint16_t *)data)[i] = lr_float_to_half(from[i]);
    }
    return data;
}

static bool add_initializer(struct lr_onnx_file *f, const char *name, enum lr_dtype t,
                            int n_dims, const int64_t *dims, const float *from)
{
    Onnx__GraphProto *p = f->m->graph;
    Onnx__TensorProto *x = lr_alloc(1, sizeof(*x));
    size_t n = 1;

    if (!x)
        return false;
    onnx__tensor_proto__init(x);
    for (int i = 0; i < n_dims; i++)
        n *= (size_t)dims[i];
    x->name = lr_strdup(name);
    x->dims = lr_alloc((size_t)n_dims, sizeof(*dims));
    if (x->dims) {
        memcpy(x->dims, dims, (size_t)n_dims * sizeof(*dims));
        x->n_dims = (size_t)n_dims;
    }
    x->has_data_type = 1;
    x->data_type = (int32_t)t;
    x->raw_data.data = convert(from, n, t);
    x->has_raw_data = x->raw_data.data != NULL;
    x->raw_data.len = x->has_raw_data ? n * lr_dtype_size(t) : 0;
    if (x->name && x->dims && x->has_raw_data &&
        (!f->m->has_ir_version || f->m->ir_version >= 4 || add_input(f, x)) &&
        lr_onnx_insert(&p->initializer, &p->n_initializer, p->n_initializer, x))
        return true;
    onnx__tensor_proto__free_unpacked(x, &f->alloc);
    return false;
}

/* ---- parts ---- */

/* What one constant of a part is made of. */
struct constant {
    const char *node; /* the part's name */
    const char *kind; /* "_weight", "_bias" */
    int n_dims;
    int64_t dims[4];
    const float *from; /* NULL: zeros */
};

static enum lr_status check_half(const struct constant *c, struct lr_err *e)
{
    int64_t n = 1;

    for (int i = 0; i < c->n_dims; i++)
        n *= c->dims[i];
    for (int64_t i = 0; c->from && i < n; i++)
        if (!isfinite(lr_half_to_float(lr_float_to_half(c->from[i]))))
            return lr_err_set(e, LR_ENUMERIC,
                              "%.100s: its %s %g is too large for a 16-bit float (%g at "
                              "most)",
                              c->node, c->kind + 1, (double)c->from[i],
                              (double)LARGEST_HALF);
    return LR_OK;
}

/* Adds the constant as type t, stored as float16 and cast where is_half. *name: what the
 * part reads, owned. */
static enum lr_status add_constant(struct lr_onnx_file *f, char **name, size_t *at,
                                   const struct constant *c, enum lr_dtype t,
                                   bool is_half, struct lr_err *e)
{
    Onnx__NodeProto *cast;
    char *stored = NULL, *caster = NULL;
    enum lr_status st = is_half || t == LR_DT_F16 ? check_half(c, e) : LR_OK;
    bool is_ok = true;

    if (st != LR_OK)
        return st;
    *name = fresh(f, c->node, c->kind, false);
    if (!is_half || t == LR_DT_F16) {
        is_ok = *name && add_initializer(f, *name, t, c->n_dims, c->dims, c->from);
        return is_ok ? LR_OK : lr_enomem(e, 64, "the new filters");
    }
    if (f->opset < 6)
        return lr_err_set(e, LR_EUNSUP,
                          "16-bit weights need a Cast as it is from opset 6 on, this is "
                          "opset %lld",
                          (long long)f->opset);
    struct lr_strbuf kind = {0};
    lr_strbuf_printf(&kind, "%s_16", c->kind);
    stored = kind.is_failed ? NULL : fresh(f, c->node, kind.s, false);
    lr_strbuf_reset(&kind);
    lr_strbuf_printf(&kind, "%s_cast", c->kind);
    caster = kind.is_failed ? NULL : fresh(f, c->node, kind.s, true);
    is_ok = *name && stored && caster &&
            add_initializer(f, stored, LR_DT_F16, c->n_dims, c->dims, c->from) &&
            add_node(f, at, &cast, "Cast", caster, NULL, (const char *const *)&stored, 1,
                     *name) &&
            put_int(cast, "to", (int64_t)t);
    lr_strbuf_free(&kind);
    lr_free(stored);
    lr_free(caster);
    return is_ok ? LR_OK : lr_enomem(e, 64, "the new filters");
}

static bool put_attrs(Onnx__NodeProto *x, const struct lr_onnx_place *place,
                      const struct lr_conv_part *c)
{
    const int64_t kernel[2] = {c->kh, c->kw}, stride[2] = {c->stride_h, c->stride_w},
                  dil[2] = {c->dil_h, c->dil_w},
                  pads[4] = {c->pad_top, c->pad_left, c->pad_bottom, c->pad_right};

    if (!place->is_conv)
        return put_int(x, "transB", 1);
    /* Each part pads along the dimension its kernel runs along, as the layer did. */
    return (!place->auto_pad || put_text(x, "auto_pad", place->auto_pad)) &&
           put_ints(x, "dilations", dil, 2) && put_int(x, "group", c->group) &&
           put_ints(x, "kernel_shape", kernel, 2) &&
           (place->auto_pad || put_ints(x, "pads", pads, 4)) &&
           put_ints(x, "strides", stride, 2);
}

/* Part i, counted from 0. *value: what it reads, then what it writes; owned. */
static enum lr_status put_part(struct lr_onnx_file *f, char **value, size_t *at,
                               const struct lr_onnx_swap *w,
                               const struct lr_onnx_place *place,
                               const struct lr_conv_part *c, int i, struct lr_err *e)
{
    bool is_last = i == w->n_parts - 1, has_bias = c->b || is_last || !place->is_conv;
    char suffix[16], *name = NULL, *out = NULL, *in[MAX_INPUTS] = {*value};
    Onnx__NodeProto *x;
    enum lr_status st = LR_OK;

    snprintf(suffix, sizeof(suffix), "_r%d", i + 1);
    name = fresh(f, w->layer, suffix, true);
    out = is_last ? lr_strdup(place->end) : name ? fresh(f, name, "", false) : NULL;
    if (!name || !out) {
        st = lr_enomem(e, strlen(w->layer), "a name");
        goto out;
    }
    struct constant k = {name,
                         "_weight",
                         place->is_conv ? 4 : 2,
                         {c->cout, c->cin / c->group, c->kh, c->kw},
                         c->w};
    st = add_constant(f, &in[1], at, &k, place->dtype, w->is_half, e);
    if (st != LR_OK)
        goto out;
    k = (struct constant){name, "_bias", 1, {c->cout}, c->b};
    if (has_bias)
        st = add_constant(f, &in[2], at, &k, place->dtype, w->is_half, e);
    if (st != LR_OK)
        goto out;
    if (!add_node(f, at, &x, place->is_conv ? "Conv" : "Gemm", name, place->doc,
                  (const char *const *)in, has_bias ? 3 : 2, out) ||
        !put_attrs(x, place, c)) {
        st = lr_enomem(e, 64, "a node");
        goto out;
    }
    *value = out;
    lr_free(in[0]);
    out = in[0] = NULL;
out:
    if (st != LR_OK)
        in[0] = NULL; /* still the caller's */
    for (int j = 1; j < MAX_INPUTS; j++)
        lr_free(in[j]);
    lr_free(out);
    lr_free(name);
    return st;
}

enum lr_status lr_onnx_put_parts(struct lr_onnx_file *f, const struct lr_onnx_swap *w,
                                 const struct lr_onnx_place *place,
                                 const struct lr_conv_part *parts, struct lr_err *e)
{
    char *value = lr_strdup(place->input);
    size_t at = place->at;
    enum lr_status st = LR_OK;

    if (!value)
        return lr_enomem(e, strlen(place->input) + 1, "a name");
    for (int i = 0; i < w->n_parts && st == LR_OK; i++)
        st = put_part(f, &value, &at, w, place, &parts[i], i, e);
    lr_free(value);
    return st;
}
