/* ONNX files to graphs: the wire format is checked, protobuf-c unpacks, calls of local
 * functions are expanded, then values are made for initializers, inputs and node outputs,
 * nodes are named, connected and sorted. Every name in the file is untrusted; look-ups go
 * through an ordered set. */
#include "ranklab/onnx.h"

#include <stdio.h>
#include <string.h>

#include "onnx_attr.h"
#include "onnx_function.h"
#include "ranklab/file.h"

struct reader {
    struct lr_graph *g;
    Onnx__GraphProto *p;
    struct lr_names values; /* name -> value index */
    struct lr_names sizes;  /* names of free dimensions of inputs -> 1, 2... */
    char **node_names;      /* per node of the file */
    struct lr_onnx_beside beside;
    const struct lr_notes *notes;
    int n_sizes;
};

static enum lr_status read_shape(struct lr_shape *s, const Onnx__TensorShapeProto *p,
                                 const char *name, struct lr_err *e)
{
    if (p->n_dim > LR_MAX_DIMS)
        return lr_err_set(e, LR_EUNSUP, "%.100s: %zu dimensions, at most %d supported",
                          name, p->n_dim, LR_MAX_DIMS);
    s->n_dims = (int)p->n_dim;
    for (size_t i = 0; i < p->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *d = p->dim[i];
        bool is_fixed =
            d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        s->dims[i] = is_fixed && d->dim_value > 0 ? d->dim_value : -1;
    }
    return LR_OK;
}

/* Type and shape of a graph input or output. */
static enum lr_status read_info(struct lr_value *v, const Onnx__ValueInfoProto *p,
                                const char *kind, struct lr_err *e)
{
    const Onnx__TypeProto *t = p->type;

    if (p->doc_string && *p->doc_string &&
        lr_string_set(&v->doc, p->doc_string, e) != LR_OK)
        return LR_ENOMEM;
    if (!t || t->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
        return LR_OK;
    if (t->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !t->tensor_type)
        return lr_err_set(e, LR_EUNSUP, "%s %.100s is no tensor", kind, v->name);
    if (!lr_onnx_dtype(&v->dtype, t->tensor_type->elem_type) && v->is_input)
        return lr_err_set(e, LR_EUNSUP, "%s %.100s: element type %d is not supported",
                          kind, v->name, t->tensor_type->elem_type);
    if (!t->tensor_type->shape)
        return LR_OK;
    v->has_declared = true;
    return read_shape(&v->declared, t->tensor_type->shape, v->name, e);
}

/* Adds a value under a name that must be new. */
static enum lr_status define(struct reader *r, int *v, const char *name,
                             struct lr_tensor *t, const char *who, struct lr_err *e)
{
    bool is_new;
    enum lr_status st = lr_graph_add_value(r->g, v, name, t, e);

    if (st != LR_OK)
        return st;
    if (!lr_names_put(&r->values, r->g->values[*v].name, *v, &is_new))
        return lr_enomem(e, 64, "names");
    if (!is_new)
        return lr_err_set(e, LR_EPARSE, "%.100s: %.100s is defined twice", who, name);
    return LR_OK;
}

static enum lr_status read_initializers(struct reader *r, struct lr_err *e)
{
    enum lr_status st = LR_OK;

    if (r->p->n_sparse_initializer)
        return lr_err_set(e, LR_EUNSUP, "sparse initializers are not supported");
    for (size_t i = 0; i < r->p->n_initializer && st == LR_OK; i++) {
        Onnx__TensorProto *p = r->p->initializer[i];
        struct lr_tensor *t = NULL;
        int v;
        if (!p->name || !*p->name)
            return lr_err_set(e, LR_EPARSE, "an initializer has no name");
        st = lr_onnx_tensor(&t, p, &r->beside, e);
        if (st == LR_OK)
            st = define(r, &v, p->name, t, "initializers", e);
        if (st == LR_OK && p->doc_string && *p->doc_string)
            st = lr_string_set(&r->g->values[v].doc, p->doc_string, e);
    }
    return st;
}

/* Takes down which free sizes of an input have a name, and the same one. */
static enum lr_status read_size_names(struct reader *r, struct lr_value *x,
                                      const Onnx__TensorShapeProto *p, struct lr_err *e)
{
    for (int i = 0; i < x->declared.n_dims; i++) {
        const Onnx__TensorShapeProto__Dimension *d = p->dim[i];
        bool is_new = false;
        if (d->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ||
            !d->dim_param || !*d->dim_param)
            continue;
        const int *known = lr_names_put(&r->sizes, d->dim_param, r->n_sizes + 1, &is_new);
        if (!known)
            return lr_enomem(e, 64, "names");
        r->n_sizes += is_new;
        x->names[i] = *known;
    }
    return LR_OK;
}

/* Inputs that are also initializers (IR 3 lists them) are constants and are left out. */
static enum lr_status read_inputs(struct reader *r, struct lr_err *e)
{
    for (size_t i = 0; i < r->p->n_input; i++) {
        const Onnx__ValueInfoProto *p = r->p->input[i];
        struct lr_shape none = {0};
        int v;
        if (!p->name || !*p->name)
            return lr_err_set(e, LR_EPARSE, "input %zu has no name", i + 1);
        const int *known = lr_names_get(&r->values, p->name);
        if (known && r->g->values[*known].tensor)
            continue;
        if (known)
            return lr_err_set(e, LR_EPARSE, "inputs: %.100s is defined twice", p->name);
        enum lr_status st = lr_graph_add_input(r->g, &v, p->name, LR_DT_NONE, &none, e);
        bool is_new;
        if (st == LR_OK && !lr_names_put(&r->values, r->g->values[v].name, v, &is_new))
            st = lr_enomem(e, 64, "names");
        if (st != LR_OK)
            return st;
        struct lr_value *x = &r->g->values[v];
        x->has_declared = x->has_shape = false;
        st = read_info(x, p, "input", e);
        if (st != LR_OK)
            return st;
        if (x->dtype == LR_DT_NONE)
            return lr_err_set(e, LR_EPARSE, "input %.100s has no element type", p->name);
        x->has_shape = x->has_declared;
        x->shape = x->declared;
        if (x->has_declared)
            st = read_size_names(r, x, p->type->tensor_type->shape, e);
        if (st != LR_OK)
            return st;
        if (r->g->n_inputs > 1 || !x->has_shape || x->shape.n_dims < 1)
            continue;
        const Onnx__TensorShapeProto__Dimension *d = p->type->tensor_type->shape->dim[0];
        if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
            d->dim_param && *d->dim_param)
            st = lr_string_set(&r->g->batch_name, d->dim_param, e);
        if (st != LR_OK)
            return st;
    }
    return LR_OK;
}

static enum lr_status read_outputs(struct reader *r, struct lr_err *e)
{
    for (size_t i = 0; i < r->p->n_output; i++) {
        const Onnx__ValueInfoProto *p = r->p->output[i];
        const int *v = p->name ? lr_names_get(&r->values, p->name) : NULL;
        if (!v)
            return lr_err_set(e, LR_EPARSE, "output %.100s is not computed by any node",
                              p->name ? p->name : "");
        if (r->g->values[*v].is_output)
            return lr_err_set(e, LR_EPARSE, "output %.100s is listed twice", p->name);
        enum lr_status st = lr_graph_add_output(r->g, *v, e);
        struct lr_value *x = &r->g->values[*v];
        if (st == LR_OK && !x->is_input && !x->tensor)
            st = read_info(x, p, "output", e);
        if (st != LR_OK)
            return st;
    }
    return LR_OK;
}

/* base + separator + the next number that gives a name not yet in use. */
static enum lr_status next_name(char **out, struct lr_names *used,
                                struct lr_names *counters, const char *base,
                                const char *separator, int first, struct lr_err *e)
{
    bool is_new = false;
    int *count = lr_names_put(counters, base, first, &is_new);

    while (count) {
        struct lr_strbuf b = {0};
        lr_strbuf_printf(&b, "%s%s%d", base, separator, (*count)++);
        *out = lr_strbuf_take(&b);
        if (!*out || !lr_names_put(used, *out, 0, &is_new))
            break;
        if (is_new)
            return LR_OK;
        lr_free(*out);
        *out = NULL;
    }
    return lr_enomem(e, strlen(base), "node names");
}

/* Gives every node a name of its own: the file's, or one made of the operator. */
static enum lr_status name_nodes(struct reader *r, struct lr_err *e)
{
    size_t n = r->p->n_node;
    struct lr_names used = {0}, types = {0}, twins = {0};
    char **lower = lr_calloc(n, sizeof(*lower));
    enum lr_status st = LR_OK;

    r->node_names = lr_calloc(n, sizeof(*r->node_names));
    if (!lower || !r->node_names)
        st = lr_enomem(e, n * sizeof(*lower), "node names");
    for (size_t k = 0; k < n && st == LR_OK; k++) {
        const char *name = r->p->node[k]->name;
        bool is_new;
        if (!name || !*name)
            continue;
        if (!lr_names_put(&used, name, 0, &is_new))
            st = lr_enomem(e, 64, "node names");
        else if (is_new)
            st = lr_string_set(&r->node_names[k], name, e);
    }
    for (size_t k = 0; k < n && st == LR_OK; k++) {
        const Onnx__NodeProto *p = r->p->node[k];
        if (r->node_names[k])
            continue;
        if (p->name && *p->name) {
            st = next_name(&r->node_names[k], &used, &twins, p->name, "_", 2, e);
            if (st == LR_OK)
                lr_note(r->notes, LR_NOTE_WARNING, "node name %s is used twice: %s",
                        p->name, r->node_names[k]);
            continue;
        }
        st = lr_string_set(&lower[k], p->op_type ? p->op_type : "", e);
        for (char *c = lower[k]; c && *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
        if (st == LR_OK)
            st = next_name(&r->node_names[k], &used, &types, lower[k], "", 1, e);
    }
    lr_names_clear(&used);
    lr_names_clear(&types);
    lr_names_clear(&twins);
    for (size_t k = 0; lower && k < n; k++)
        lr_free(lower[k]);
    lr_free(lower);
    return st;
}

static enum lr_status read_node(struct reader *r, size_t k, struct lr_err *e)
{
    Onnx__NodeProto *p = r->p->node[k];
    const char *name = r->node_names[k];
    int *in = NULL, *out = NULL;
    enum lr_status st = LR_OK;

    if (!p->op_type || !*p->op_type)
        return lr_err_set(e, LR_EPARSE, "node %.100s has no operator", name);
    in = lr_alloc(p->n_input, sizeof(*in));
    out = lr_alloc(p->n_output, sizeof(*out));
    if (!in || !out || p->n_input > INT32_MAX || p->n_output > INT32_MAX) {
        st = lr_enomem(e, (p->n_input + p->n_output) * sizeof(*in), "a node");
        goto done;
    }
    for (size_t i = 0; i < p->n_input && st == LR_OK; i++) {
        const int *v = lr_names_get(&r->values, p->input[i]);
        in[i] = v ? *v : -1;
        if (!v && *p->input[i])
            st = lr_err_set(e, LR_EPARSE, "%.100s: input %.100s is not defined", name,
                            p->input[i]);
    }
    for (size_t i = 0; i < p->n_output && st == LR_OK; i++)
        out[i] = *p->output[i] ? *lr_names_get(&r->values, p->output[i]) : -1;
    if (st == LR_OK)
        st = lr_graph_add_node(r->g, r->g->n_nodes, p->op_type, name, in, (int)p->n_input,
                               out, (int)p->n_output, e);
    if (st != LR_OK)
        goto done;
    struct lr_node *n = &r->g->nodes[r->g->n_nodes - 1];
    if (p->domain && *p->domain)
        st = lr_string_set(&n->domain, p->domain, e);
    n->op = lr_op_find(p->op_type, p->domain);
    if (st == LR_OK && p->doc_string && *p->doc_string)
        st = lr_string_set(&n->doc, p->doc_string, e);
    if (st == LR_OK)
        st = lr_onnx_attrs(n, p, &r->beside, e);
done:
    lr_free(in);
    lr_free(out);
    return st;
}

static enum lr_status read_nodes(struct reader *r, struct lr_err *e)
{
    enum lr_status st;

    if (r->p->n_node == 0)
        return lr_err_set(e, LR_EPARSE, "the network has no nodes");
    if (r->p->n_node > LR_MAX_NODES)
        return lr_err_set(e, LR_EUNSUP, "the network has %zu nodes, at most %d supported",
                          r->p->n_node, LR_MAX_NODES);
    st = name_nodes(r, e);
    for (size_t k = 0; k < r->p->n_node && st == LR_OK; k++)
        for (size_t i = 0; i < r->p->node[k]->n_output && st == LR_OK; i++) {
            int v;
            if (*r->p->node[k]->output[i])
                st = define(r, &v, r->p->node[k]->output[i], NULL, r->node_names[k], e);
        }
    for (size_t k = 0; k < r->p->n_node && st == LR_OK; k++)
        st = read_node(r, k, e);
    return st;
}

static enum lr_status add_prop(struct lr_prop *props, int *n, const char *key,
                               const char *value, struct lr_err *e)
{
    struct lr_prop *x = &props[(*n)++];
    enum lr_status st = lr_string_set(&x->key, key ? key : "", e);

    return st == LR_OK ? lr_string_set(&x->value, value ? value : "", e) : st;
}

static enum lr_status read_opsets(struct reader *r, const Onnx__ModelProto *m,
                                  struct lr_err *e)
{
    struct lr_graph *g = r->g;

    g->opset = 0;
    g->opsets = lr_calloc(m->n_opset_import, sizeof(*g->opsets));
    if (!g->opsets)
        return lr_enomem(e, m->n_opset_import * sizeof(*g->opsets), "opset imports");
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *p = m->opset_import[i];
        char text[24];
        if (!p->domain || !*p->domain || strcmp(p->domain, "ai.onnx") == 0) {
            if (p->version < 1 || p->version > 10000)
                return lr_err_set(e, LR_EPARSE, "opset version %lld is not possible",
                                  (long long)p->version);
            g->opset = p->version;
            continue;
        }
        snprintf(text, sizeof(text), "%lld", (long long)p->version);
        enum lr_status st = add_prop(g->opsets, &g->n_opsets, p->domain, text, e);
        if (st != LR_OK)
            return st;
    }
    if (g->opset == 0)
        g->opset = 1;
    if (g->opset < 7 || g->opset > 21)
        lr_note(r->notes, LR_NOTE_WARNING,
                "opset %lld: only 7 to 21 are known, results may be wrong",
                (long long)g->opset);
    return LR_OK;
}

static enum lr_status read_model_fields(struct reader *r, const Onnx__ModelProto *m,
                                        struct lr_err *e)
{
    struct lr_graph *g = r->g;
    enum lr_status st = read_opsets(r, m, e);

    g->ir_version = m->ir_version;
    g->model_version = m->model_version;
    if (st == LR_OK)
        st = lr_string_set(&g->name, r->p->name, e);
    if (st == LR_OK)
        st = lr_string_set(&g->doc, m->doc_string, e);
    if (st == LR_OK)
        st = lr_string_set(&g->graph_doc, r->p->doc_string, e);
    if (st == LR_OK)
        st = lr_string_set(&g->producer_name, m->producer_name, e);
    if (st == LR_OK)
        st = lr_string_set(&g->producer_version, m->producer_version, e);
    if (st == LR_OK)
        st = lr_string_set(&g->domain, m->domain, e);
    if (st != LR_OK)
        return st;
    g->props = lr_calloc(m->n_metadata_props, sizeof(*g->props));
    if (!g->props)
        return lr_enomem(e, m->n_metadata_props * sizeof(*g->props), "metadata");
    for (size_t i = 0; i < m->n_metadata_props && st == LR_OK; i++)
        st = add_prop(g->props, &g->n_props, m->metadata_props[i]->key,
                      m->metadata_props[i]->value, e);
    if (m->n_training_info)
        lr_note(r->notes, LR_NOTE_WARNING, "training information is not kept");
    if (r->p->n_quantization_annotation)
        lr_note(r->notes, LR_NOTE_WARNING, "quantization annotations are not kept");
    return st;
}

static enum lr_status read_model(struct reader *r, Onnx__ModelProto *m,
                                 ProtobufCAllocator *alloc, struct lr_err *e)
{
    enum lr_status st;

    r->p = m->graph;
    if (!r->p || !m->has_ir_version)
        return lr_err_set(e, LR_EPARSE, "not an ONNX model (no %s in it)",
                          r->p ? "IR version" : "graph");
    st = lr_onnx_expand(m, alloc, NULL, e);
    if (st == LR_OK)
        st = read_model_fields(r, m, e);
    if (st == LR_OK)
        st = read_initializers(r, e);
    if (st == LR_OK)
        st = read_inputs(r, e);
    if (st == LR_OK)
        st = read_nodes(r, e);
    if (st == LR_OK)
        st = read_outputs(r, e);
    if (st == LR_OK && r->g->n_outputs == 0)
        st = lr_err_set(e, LR_EPARSE, "the network has no output");
    if (st == LR_OK)
        st = lr_graph_sort(r->g, e);
    if (st == LR_OK)
        st = lr_graph_absorb_constants(r->g, e);
    return st == LR_OK ? lr_graph_check_weights(r->g, e) : st;
}

char *lr_onnx_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return lr_strdup(".");
    return lr_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

enum lr_status lr_onnx_parse_known(struct lr_graph **out, char sha256[65],
                                   const void *data, size_t len, const char *folder,
                                   const struct lr_notes *notes, struct lr_err *e)
{
    struct reader r = {.beside = {folder, sha256}, .notes = notes};
    bool has_failed;
    ProtobufCAllocator alloc = lr_onnx_allocator(&has_failed);
    Onnx__ModelProto *m = NULL;
    enum lr_status st = lr_onnx_check_wire(&onnx__model_proto__descriptor, data, len, e);

    *out = NULL;
    if (sha256)
        lr_sha256(sha256, data, len);
    if (len == 0)
        return lr_err_set(e, LR_EPARSE, "not an ONNX model (the file is empty)");
    if (st != LR_OK) {
        if (st == LR_EPARSE)
            lr_err_prefix(e, "not an ONNX model");
        return st;
    }
    m = onnx__model_proto__unpack(&alloc, len, data);
    if (!m)
        return has_failed
                   ? lr_enomem(e, len, "the model")
                   : lr_err_set(e, LR_EPARSE, "not an ONNX model (cannot be unpacked)");
    st = lr_graph_new(&r.g, e);
    if (st == LR_OK)
        st = read_model(&r, m, &alloc, e);
    for (size_t k = 0; r.node_names && k < r.p->n_node; k++)
        lr_free(r.node_names[k]);
    lr_free(r.node_names);
    lr_names_clear(&r.values);
    lr_names_clear(&r.sizes);
    onnx__model_proto__free_unpacked(m, &alloc);
    if (st == LR_OK)
        *out = r.g;
    else
        lr_graph_free(r.g);
    return st;
}

enum lr_status lr_onnx_parse(struct lr_graph **out, const void *data, size_t len,
                             const char *folder, const struct lr_notes *notes,
                             struct lr_err *e)
{
    return lr_onnx_parse_known(out, NULL, data, len, folder, notes, e);
}

enum lr_status lr_onnx_read(struct lr_graph **out, char sha256[65], const char *path,
                            const struct lr_notes *notes, struct lr_err *e)
{
    char *data = NULL, *folder = NULL;
    size_t len = 0;
    enum lr_status st = lr_file_read(&data, &len, path, INT32_MAX, e);

    *out = NULL;
    if (st != LR_OK)
        return st;
    folder = lr_onnx_folder(path);
    st = folder ? lr_onnx_parse_known(out, sha256, data, len, folder, notes, e)
                : lr_enomem(e, strlen(path), "a path");
    if (st != LR_OK)
        lr_err_prefix(e, "%s", path);
    lr_free(folder);
    lr_free(data);
    return st;
}
