/* Attributes: look-up with defaults, setting, and a check of their kinds. A wrong kind
 * can only come from a damaged or hostile file; it is refused when the file is read, so
 * that the look-ups need not tell "absent" from "of another kind". */
#include <string.h>

#include "model.h"

const struct lr_attr *lr_node_attr(const struct lr_node *n, const char *name)
{
    for (int i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].name, name) == 0)
            return &n->attrs[i];
    return NULL;
}

int64_t lr_node_int(const struct lr_node *n, const char *name, int64_t otherwise)
{
    const struct lr_attr *a = lr_node_attr(n, name);

    return a && a->kind == LR_ATTR_INT ? a->i : otherwise;
}

float lr_node_float(const struct lr_node *n, const char *name, float otherwise)
{
    const struct lr_attr *a = lr_node_attr(n, name);

    return a && a->kind == LR_ATTR_FLOAT ? a->f : otherwise;
}

const char *lr_node_string(const struct lr_node *n, const char *name,
                           const char *otherwise)
{
    const struct lr_attr *a = lr_node_attr(n, name);

    return a && a->kind == LR_ATTR_STRING && a->s ? a->s : otherwise;
}

size_t lr_node_ints(const struct lr_node *n, const char *name, int64_t *out, size_t max)
{
    const struct lr_attr *a = lr_node_attr(n, name);

    if (!a || a->kind != LR_ATTR_INTS)
        return 0;
    if (out && a->n > 0 && max > 0)
        memcpy(out, a->ints, (a->n < max ? a->n : max) * sizeof(*out));
    return a->n;
}

void lr_node_drop_attr(struct lr_node *n, const char *name)
{
    for (int i = 0; i < n->n_attrs; i++) {
        if (strcmp(n->attrs[i].name, name) != 0)
            continue;
        lr_attr_clear(&n->attrs[i]);
        n->n_attrs--;
        memmove(&n->attrs[i], &n->attrs[i + 1],
                (size_t)(n->n_attrs - i) * sizeof(*n->attrs));
        return;
    }
}

/* The attribute of this name, emptied, or a new one. */
static enum lr_status slot(struct lr_attr **out, struct lr_node *n, const char *name,
                           struct lr_err *e)
{
    char *copy = NULL;
    enum lr_status st = lr_string_set(&copy, name, e);

    *out = NULL;
    if (st != LR_OK)
        return st;
    int i = 0;
    while (i < n->n_attrs && strcmp(n->attrs[i].name, name) != 0)
        i++;
    if (i == n->n_attrs) {
        struct lr_attr *p =
            lr_realloc(n->attrs, (size_t)i, (size_t)i + 1, sizeof(*n->attrs));
        if (!p) {
            lr_free(copy);
            return lr_enomem(e, ((size_t)i + 1) * sizeof(*p), "an attribute");
        }
        n->attrs = p;
        n->attrs[i] = (struct lr_attr){0};
        n->n_attrs++;
    }
    lr_attr_clear(&n->attrs[i]);
    n->attrs[i].name = copy;
    *out = &n->attrs[i];
    return LR_OK;
}

enum lr_status lr_node_set_int(struct lr_node *n, const char *name, int64_t i,
                               struct lr_err *e)
{
    struct lr_attr *a;
    enum lr_status st = slot(&a, n, name, e);

    if (st == LR_OK) {
        a->kind = LR_ATTR_INT;
        a->i = i;
    }
    return st;
}

enum lr_status lr_node_set_float(struct lr_node *n, const char *name, float f,
                                 struct lr_err *e)
{
    struct lr_attr *a;
    enum lr_status st = slot(&a, n, name, e);

    if (st == LR_OK) {
        a->kind = LR_ATTR_FLOAT;
        a->f = f;
    }
    return st;
}

enum lr_status lr_node_set_string(struct lr_node *n, const char *name, const char *s,
                                  struct lr_err *e)
{
    struct lr_attr *a;
    char *copy = NULL;
    enum lr_status st = lr_string_set(&copy, s, e);

    if (st == LR_OK)
        st = slot(&a, n, name, e);
    if (st != LR_OK) {
        lr_free(copy);
        return st;
    }
    a->kind = LR_ATTR_STRING;
    a->s = copy;
    a->n = strlen(copy);
    return LR_OK;
}

enum lr_status lr_node_set_ints(struct lr_node *n, const char *name, const int64_t *ints,
                                size_t n_ints, struct lr_err *e)
{
    struct lr_attr *a;
    int64_t *copy = lr_alloc(n_ints, sizeof(*copy));

    if (!copy)
        return lr_enomem(e, n_ints * sizeof(*copy), "an attribute");
    if (n_ints > 0)
        memcpy(copy, ints, n_ints * sizeof(*copy));
    enum lr_status st = slot(&a, n, name, e);
    if (st != LR_OK) {
        lr_free(copy);
        return st;
    }
    a->kind = LR_ATTR_INTS;
    a->ints = copy;
    a->n = n_ints;
    return LR_OK;
}

static const char *const kind_names[] = {
    [LR_ATTR_INT] = "an integer",
    [LR_ATTR_FLOAT] = "a float",
    [LR_ATTR_STRING] = "a string",
    [LR_ATTR_INTS] = "a list of integers",
    [LR_ATTR_FLOATS] = "a list of floats",
    [LR_ATTR_TENSOR] = "a tensor",
    [LR_ATTR_OPAQUE] = "another kind of value",
};

/* One kind per name holds over all operators of op.def, but for Constant's own. */
static const struct {
    const char *name;
    enum lr_attr_kind kind;
} expected[] = {
    {"auto_pad", LR_ATTR_STRING},
    {"mode", LR_ATTR_STRING},
    {"kernel_shape", LR_ATTR_INTS},
    {"strides", LR_ATTR_INTS},
    {"pads", LR_ATTR_INTS},
    {"dilations", LR_ATTR_INTS},
    {"axes", LR_ATTR_INTS},
    {"perm", LR_ATTR_INTS},
    {"group", LR_ATTR_INT},
    {"axis", LR_ATTR_INT},
    {"ceil_mode", LR_ATTR_INT},
    {"count_include_pad", LR_ATTR_INT},
    {"storage_order", LR_ATTR_INT},
    {"allowzero", LR_ATTR_INT},
    {"transA", LR_ATTR_INT},
    {"transB", LR_ATTR_INT},
    {"to", LR_ATTR_INT},
    {"size", LR_ATTR_INT},
    {"spatial", LR_ATTR_INT},
    {"training_mode", LR_ATTR_INT},
    {"start", LR_ATTR_INT},
    {"end", LR_ATTR_INT},
    {"seed", LR_ATTR_INT},
    {"alpha", LR_ATTR_FLOAT},
    {"beta", LR_ATTR_FLOAT},
    {"bias", LR_ATTR_FLOAT},
    {"epsilon", LR_ATTR_FLOAT},
    {"momentum", LR_ATTR_FLOAT},
    {"min", LR_ATTR_FLOAT},
    {"max", LR_ATTR_FLOAT},
    {"ratio", LR_ATTR_FLOAT},
    {"gamma", LR_ATTR_FLOAT},
    {"lambd", LR_ATTR_FLOAT},
    {"cubic_coeff_a", LR_ATTR_FLOAT},
    {"extrapolation_value", LR_ATTR_FLOAT},
    {"approximate", LR_ATTR_STRING},
    {"coordinate_transformation_mode", LR_ATTR_STRING},
    {"nearest_mode", LR_ATTR_STRING},
    {"keep_aspect_ratio_policy", LR_ATTR_STRING},
    {"equation", LR_ATTR_STRING},
    {"keepdims", LR_ATTR_INT},
    {"noop_with_empty_axes", LR_ATTR_INT},
    {"select_last_index", LR_ATTR_INT},
    {"blocksize", LR_ATTR_INT},
    {"num_groups", LR_ATTR_INT},
    {"num_outputs", LR_ATTR_INT},
    {"fmod", LR_ATTR_INT},
    {"p", LR_ATTR_INT},
    {"exclusive", LR_ATTR_INT},
    {"reverse", LR_ATTR_INT},
    {"exclude_outside", LR_ATTR_INT},
    {"antialias", LR_ATTR_INT},
    {"output_dtype", LR_ATTR_INT},
    {"block_size", LR_ATTR_INT},
    {"k", LR_ATTR_INT},
    {"largest", LR_ATTR_INT},
    {"batch_dims", LR_ATTR_INT},
    {"upper", LR_ATTR_INT},
    {"align_corners", LR_ATTR_INT},
    {"layout", LR_ATTR_INT},
    {"linear_before_reset", LR_ATTR_INT},
    {"input_forget", LR_ATTR_INT},
    {"direction", LR_ATTR_STRING},
    {"reduction", LR_ATTR_STRING},
    {"padding_mode", LR_ATTR_STRING},
    {"split", LR_ATTR_INTS},
    {"output_shape", LR_ATTR_INTS},
    {"output_padding", LR_ATTR_INTS},
    {"scales", LR_ATTR_FLOATS},
    {"value_int", LR_ATTR_INT},
    {"value_ints", LR_ATTR_INTS},
    {"value_float", LR_ATTR_FLOAT},
    {"value_floats", LR_ATTR_FLOATS},
};

enum lr_status lr_node_check_attrs(const struct lr_node *n, struct lr_err *e)
{
    if (n->op == LR_OP_UNKNOWN)
        return LR_OK;
    for (int i = 0; i < n->n_attrs; i++) {
        const struct lr_attr *a = &n->attrs[i];
        for (size_t j = 0; j < sizeof(expected) / sizeof(expected[0]); j++)
            if (strcmp(a->name, expected[j].name) == 0 && a->kind != expected[j].kind)
                return lr_err_set(e, LR_EPARSE, "%s: attribute %s holds %s, not %s",
                                  n->name, a->name, kind_names[a->kind],
                                  kind_names[expected[j].kind]);
    }
    return LR_OK;
}
