/* AttributeProto to lr_attr. What is not interpreted (graphs, lists of strings or
 * tensors, types, references) is packed again as it stands and carried along. */
#include <string.h>

#include "onnx_attr.h"

static enum lr_status copy_bytes(char **s, size_t *n, const void *from, size_t len,
                                 struct lr_err *e)
{
    *s = lr_alloc(len + 1, 1);
    if (!*s)
        return lr_enomem(e, len + 1, "an attribute");
    if (len > 0)
        memcpy(*s, from, len);
    (*s)[len] = '\0';
    *n = len;
    return LR_OK;
}

static enum lr_status opaque(struct lr_attr *a, const Onnx__AttributeProto *p,
                             struct lr_err *e)
{
    size_t n = onnx__attribute_proto__get_packed_size(p);

    a->kind = LR_ATTR_OPAQUE;
    a->s = lr_alloc(n + 1, 1);
    if (!a->s)
        return lr_enomem(e, n + 1, "an attribute");
    a->n = onnx__attribute_proto__pack(p, (uint8_t *)a->s);
    a->s[a->n] = '\0';
    return LR_OK;
}

/* Files older than IR 2 leave the type out. */
static Onnx__AttributeProto__AttributeType type_of(const Onnx__AttributeProto *p)
{
    if (p->has_type)
        return p->type;
    if (p->has_f)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (p->has_i)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (p->has_s)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (p->t)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (p->n_floats)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (p->n_ints)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

static enum lr_status tensor(struct lr_attr *a, Onnx__AttributeProto *p,
                             const struct lr_onnx_beside *beside, struct lr_err *e)
{
    enum lr_dtype t;

    if (!lr_onnx_dtype(&t, p->t->data_type) || p->t->n_dims > LR_MAX_DIMS)
        return opaque(a, p, e);
    a->kind = LR_ATTR_TENSOR;
    return lr_onnx_tensor(&a->tensor, p->t, beside, e);
}

static enum lr_status fill(struct lr_attr *a, Onnx__AttributeProto *p,
                           const struct lr_onnx_beside *beside, struct lr_err *e)
{
    if (p->ref_attr_name && *p->ref_attr_name)
        return opaque(a, p, e);
    switch (type_of(p)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        a->kind = LR_ATTR_FLOAT;
        a->f = p->f;
        return LR_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        a->kind = LR_ATTR_INT;
        a->i = p->i;
        return LR_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        a->kind = LR_ATTR_STRING;
        return copy_bytes(&a->s, &a->n, p->s.data, p->s.len, e);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return p->t ? tensor(a, p, beside, e) : opaque(a, p, e);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        a->kind = LR_ATTR_INTS;
        a->n = p->n_ints;
        a->ints = lr_alloc(p->n_ints, sizeof(*a->ints));
        if (!a->ints)
            return lr_enomem(e, p->n_ints * sizeof(*a->ints), "an attribute");
        if (p->n_ints > 0)
            memcpy(a->ints, p->ints, p->n_ints * sizeof(*a->ints));
        return LR_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        a->kind = LR_ATTR_FLOATS;
        a->n = p->n_floats;
        a->floats = lr_alloc(p->n_floats, sizeof(*a->floats));
        if (!a->floats)
            return lr_enomem(e, p->n_floats * sizeof(*a->floats), "an attribute");
        if (p->n_floats > 0)
            memcpy(a->floats, p->floats, p->n_floats * sizeof(*a->floats));
        return LR_OK;
    default:
        return opaque(a, p, e);
    }
}

static enum lr_status one(struct lr_attr *a, Onnx__AttributeProto *p,
                          const struct lr_onnx_beside *beside, struct lr_err *e)
{
    enum lr_status st = lr_string_set(&a->name, p->name, e);

    if (st == LR_OK && p->doc_string && *p->doc_string)
        st = lr_string_set(&a->doc, p->doc_string, e);
    return st == LR_OK ? fill(a, p, beside, e) : st;
}

enum lr_status lr_onnx_attrs(struct lr_node *n, Onnx__NodeProto *p,
                             const struct lr_onnx_beside *beside, struct lr_err *e)
{
    struct lr_names seen = {0};
    enum lr_status st = LR_OK;

    if (p->n_attribute == 0)
        return LR_OK;
    n->attrs = lr_calloc(p->n_attribute, sizeof(*n->attrs));
    if (!n->attrs || p->n_attribute > INT32_MAX)
        return lr_enomem(e, p->n_attribute * sizeof(*n->attrs), "attributes");
    for (size_t i = 0; i < p->n_attribute && st == LR_OK; i++) {
        Onnx__AttributeProto *x = p->attribute[i];
        bool is_new;
        if (!x->name || !*x->name) {
            st = lr_err_set(e, LR_EPARSE, "%.100s: an attribute has no name", n->name);
        } else if (!lr_names_put(&seen, x->name, 0, &is_new)) {
            st = lr_enomem(e, 64, "attributes");
        } else if (!is_new) {
            st = lr_err_set(e, LR_EPARSE, "%.100s: attribute %.100s is given twice",
                            n->name, x->name);
        } else {
            n->n_attrs++;
            st = one(&n->attrs[i], x, beside, e);
        }
    }
    lr_names_clear(&seen);
    return st == LR_OK ? lr_node_check_attrs(n, e) : st;
}
