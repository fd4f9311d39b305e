/* Graphs to ONNX files. The protobuf messages only point at the graph's names and
 * weights; protobuf-c streams them into a temporary file, which is read back and compared
 * before it takes the target's place. The same graph always gives the same bytes. */
#include "ranklab/onnx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "onnx_int.h"
#include "ranklab/file.h"

/* Blocks that live until the file is written, and attributes protobuf-c unpacked. */
struct writer {
    const struct lr_graph *g;
    void **blocks;
    size_t n_blocks, cap_blocks;
    Onnx__AttributeProto **opaque;
    size_t n_opaque, cap_opaque;
    ProtobufCAllocator alloc;
    bool has_failed; /* an allocation */
};

static bool reserve(void **list, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    void *p = lr_realloc(*list, n, n ? 2 * n : 64, size);
    if (!p)
        return false;
    *list = p;
    *cap = n ? 2 * n : 64;
    return true;
}

/* Zeroed memory that is released with the writer; NULL is remembered. */
static void *take(struct writer *w, size_t n, size_t size)
{
    void *p = NULL;

    if (reserve((void **)&w->blocks, w->n_blocks, &w->cap_blocks, sizeof(void *)))
        p = lr_calloc(n, size);
    if (p)
        w->blocks[w->n_blocks++] = p;
    else
        w->has_failed = true;
    return p;
}

static void release(struct writer *w)
{
    for (size_t i = 0; i < w->n_opaque; i++)
        onnx__attribute_proto__free_unpacked(w->opaque[i], &w->alloc);
    for (size_t i = 0; i < w->n_blocks; i++)
        lr_free(w->blocks[i]);
    lr_free(w->opaque);
    lr_free(w->blocks);
}

/* protobuf-c's fields are not const though it only reads them when packing. */
static char *text(const char *s)
{
    union {
        const char *in;
        char *out;
    } u = {s};
    return u.out;
}

static Onnx__TensorProto *put_tensor(struct writer *w, const struct lr_tensor *t,
                                     const char *name, const char *doc)
{
    Onnx__TensorProto *p = take(w, 1, sizeof(*p));
    int64_t *dims = take(w, LR_MAX_DIMS, sizeof(*dims)), n = 0;

    if (!p || !dims || lr_shape_count(&n, &t->shape, NULL) != LR_OK)
        return NULL;
    onnx__tensor_proto__init(p);
    memcpy(dims, t->shape.dims, (size_t)t->shape.n_dims * sizeof(*dims));
    p->n_dims = (size_t)t->shape.n_dims;
    p->dims = dims;
    p->has_data_type = 1;
    p->data_type = (int32_t)t->dtype;
    p->name = text(name);
    p->doc_string = text(doc);
    p->has_raw_data = 1;
    p->raw_data.data = t->data;
    p->raw_data.len = (size_t)n * lr_dtype_size(t->dtype);
    return p;
}

static Onnx__TensorShapeProto *put_shape(struct writer *w, const struct lr_shape *s)
{
    Onnx__TensorShapeProto *p = take(w, 1, sizeof(*p));
    Onnx__TensorShapeProto__Dimension *d = take(w, LR_MAX_DIMS, sizeof(*d));
    Onnx__TensorShapeProto__Dimension **list = take(w, LR_MAX_DIMS, sizeof(*list));

    if (!p || !d || !list)
        return NULL;
    onnx__tensor_shape_proto__init(p);
    p->n_dim = (size_t)s->n_dims;
    p->dim = list;
    for (int i = 0; i < s->n_dims; i++) {
        onnx__tensor_shape_proto__dimension__init(&d[i]);
        list[i] = &d[i];
        if (s->dims[i] >= 0) {
            d[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d[i].dim_value = s->dims[i];
        } else if (i == 0) {
            d[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            d[i].dim_param = text(w->g->batch_name ? w->g->batch_name : "N");
        }
    }
    return p;
}

static Onnx__ValueInfoProto *put_info(struct writer *w, const struct lr_value *v)
{
    const struct lr_shape *s = v->tensor      ? &v->tensor->shape
                               : v->has_shape ? &v->shape
                                              : NULL;
    Onnx__ValueInfoProto *p = take(w, 1, sizeof(*p));
    Onnx__TypeProto *type = take(w, 1, sizeof(*type));
    Onnx__TypeProto__Tensor *tensor = take(w, 1, sizeof(*tensor));

    if (!p || !type || !tensor)
        return NULL;
    onnx__value_info_proto__init(p);
    p->name = text(v->name);
    p->doc_string = v->tensor ? NULL : text(v->doc);
    if (v->dtype == LR_DT_NONE)
        return p;
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    p->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = (int32_t)v->dtype;
    if (!s && v->has_declared)
        s = &v->declared;
    if (s)
        tensor->shape = put_shape(w, s);
    return p;
}

/* Attributes kept as bytes are unpacked again: so they stay in their place. */
static Onnx__AttributeProto *put_opaque(struct writer *w, const struct lr_attr *a)
{
    if (!reserve((void **)&w->opaque, w->n_opaque, &w->cap_opaque, sizeof(*w->opaque))) {
        w->has_failed = true;
        return NULL;
    }
    Onnx__AttributeProto *p =
        onnx__attribute_proto__unpack(&w->alloc, a->n, (const uint8_t *)a->s);
    if (p)
        w->opaque[w->n_opaque++] = p;
    else
        w->has_failed = true;
    return p;
}

static Onnx__AttributeProto *put_attr(struct writer *w, const struct lr_attr *a)
{
    if (a->kind == LR_ATTR_OPAQUE)
        return put_opaque(w, a);
    Onnx__AttributeProto *p = take(w, 1, sizeof(*p));
    if (!p)
        return NULL;
    onnx__attribute_proto__init(p);
    p->name = text(a->name);
    p->doc_string = text(a->doc);
    p->has_type = 1;
    switch (a->kind) {
    case LR_ATTR_INT:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        p->has_i = 1;
        p->i = a->i;
        break;
    case LR_ATTR_FLOAT:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        p->has_f = 1;
        p->f = a->f;
        break;
    case LR_ATTR_STRING:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        p->has_s = 1;
        p->s.data = (uint8_t *)a->s;
        p->s.len = a->n;
        break;
    case LR_ATTR_INTS:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        p->n_ints = a->n;
        p->ints = a->ints;
        break;
    case LR_ATTR_FLOATS:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
        p->n_floats = a->n;
        p->floats = a->floats;
        break;
    case LR_ATTR_TENSOR:
        p->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        p->t = put_tensor(w, a->tensor, NULL, NULL);
        break;
    case LR_ATTR_OPAQUE:
        break;
    }
    return p;
}

static char **put_names(struct writer *w, const int *v, int n)
{
    char **list = take(w, (size_t)n, sizeof(*list));

    for (int i = 0; list && i < n; i++)
        list[i] = text(v[i] >= 0 ? w->g->values[v[i]].name : "");
    return list;
}

static Onnx__NodeProto *put_node(struct writer *w, const struct lr_node *n)
{
    Onnx__NodeProto *p = take(w, 1, sizeof(*p));

    if (!p)
        return NULL;
    onnx__node_proto__init(p);
    p->op_type = n->type;
    p->name = n->name;
    p->domain = n->domain && *n->domain ? n->domain : NULL;
    p->doc_string = n->doc;
    p->n_input = (size_t)n->n_in;
    p->input = put_names(w, n->in, n->n_in);
    p->n_output = (size_t)n->n_out;
    p->output = put_names(w, n->out, n->n_out);
    p->n_attribute = (size_t)n->n_attrs;
    p->attribute = take(w, (size_t)n->n_attrs, sizeof(*p->attribute));
    for (int i = 0; p->attribute && i < n->n_attrs; i++)
        p->attribute[i] = put_attr(w, &n->attrs[i]);
    return p;
}

static Onnx__StringStringEntryProto **put_props(struct writer *w,
                                                const struct lr_prop *props, int n)
{
    Onnx__StringStringEntryProto **list = take(w, (size_t)n, sizeof(*list));

    for (int i = 0; list && i < n; i++) {
        list[i] = take(w, 1, sizeof(**list));
        if (!list[i])
            return NULL;
        onnx__string_string_entry_proto__init(list[i]);
        list[i]->key = props[i].key;
        list[i]->value = props[i].value;
    }
    return list;
}

static Onnx__OperatorSetIdProto *put_opset(struct writer *w, const char *domain,
                                           int64_t version)
{
    Onnx__OperatorSetIdProto *p = take(w, 1, sizeof(*p));

    if (!p)
        return NULL;
    onnx__operator_set_id_proto__init(p);
    p->domain = text(domain);
    p->has_version = 1;
    p->version = version;
    return p;
}

static void put_values(struct writer *w, Onnx__GraphProto *p)
{
    const struct lr_graph *g = w->g;
    size_t n = (size_t)g->n_values;
    int n_outputs;
    const int *outputs = lr_graph_file_outputs(&n_outputs, g);

    p->initializer = take(w, n, sizeof(*p->initializer));
    p->value_info = take(w, n, sizeof(*p->value_info));
    p->input = take(w, n, sizeof(*p->input));
    p->output = take(w, n, sizeof(*p->output));
    if (w->has_failed)
        return;
    for (int i = 0; i < g->n_inputs; i++)
        p->input[p->n_input++] = put_info(w, &g->values[g->inputs[i]]);
    for (int i = 0; i < n_outputs; i++)
        p->output[p->n_output++] = put_info(w, &g->values[outputs[i]]);
    for (int v = 0; v < g->n_values; v++) {
        const struct lr_value *x = &g->values[v];
        if (x->tensor) {
            p->initializer[p->n_initializer++] =
                put_tensor(w, x->tensor, x->name, x->doc);
            if (g->ir_version < 4)
                p->input[p->n_input++] = put_info(w, x);
        } else if (x->producer >= 0 && !x->is_output && x->has_shape) {
            p->value_info[p->n_value_info++] = put_info(w, x);
        }
    }
}

static void put_model(struct writer *w, Onnx__ModelProto *m)
{
    const struct lr_graph *g = w->g;
    Onnx__GraphProto *p = take(w, 1, sizeof(*p));

    m->has_ir_version = 1;
    m->ir_version = g->ir_version;
    m->producer_name = g->producer_name;
    m->producer_version = g->producer_version;
    m->domain = g->domain;
    m->has_model_version = g->model_version != 0;
    m->model_version = g->model_version;
    m->doc_string = g->doc;
    m->n_metadata_props = (size_t)g->n_props;
    m->metadata_props = put_props(w, g->props, g->n_props);
    m->n_opset_import = (size_t)g->n_opsets + 1;
    m->opset_import = take(w, m->n_opset_import, sizeof(*m->opset_import));
    if (!p || !m->opset_import)
        return;
    m->opset_import[0] = put_opset(w, "", g->opset);
    for (int i = 0; i < g->n_opsets; i++)
        m->opset_import[i + 1] =
            put_opset(w, g->opsets[i].key, strtoll(g->opsets[i].value, NULL, 10));
    onnx__graph_proto__init(p);
    m->graph = p;
    p->name = g->name;
    p->doc_string = g->graph_doc;
    put_values(w, p);
    p->n_node = (size_t)g->n_nodes;
    p->node = take(w, p->n_node, sizeof(*p->node));
    for (int k = 0; p->node && k < g->n_nodes; k++)
        p->node[k] = put_node(w, &g->nodes[k]);
}

struct stream {
    ProtobufCBuffer base;
    FILE *fp;
    int error; /* errno of the first failure */
};

static void append(ProtobufCBuffer *base, size_t len, const uint8_t *data)
{
    struct stream *s = (struct stream *)base;

    errno = 0;
    if (!s->error && len > 0 && fwrite(data, 1, len, s->fp) != len)
        s->error = errno ? errno : EIO;
}

/* Reads the temporary file back. */
static enum lr_status verify(const struct lr_graph *g, const char *path, struct lr_err *e)
{
    struct lr_graph *back = NULL;
    enum lr_status st = lr_onnx_read(&back, NULL, path, NULL, e);

    if (st == LR_OK)
        st = lr_graph_same(g, back, e);
    lr_graph_free(back);
    return st;
}

enum lr_status lr_onnx_write(const struct lr_graph *g, const char *path, struct lr_err *e)
{
    struct writer w = {.g = g};
    struct lr_file f = {0};
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    bool has_failed;
    enum lr_status st = LR_OK;

    w.alloc = lr_onnx_allocator(&has_failed);
    put_model(&w, &m);
    if (w.has_failed || has_failed) {
        st = lr_enomem(e, 64, "writing the model");
        goto out;
    }
    size_t size = onnx__model_proto__get_packed_size(&m);
    if (size > INT32_MAX) {
        st = lr_err_set(e, LR_EUNSUP,
                        "%s: %zu bytes, an ONNX file holds at most 2147483647", path,
                        size);
        goto out;
    }
    st = lr_file_begin(&f, path, e);
    if (st != LR_OK)
        goto out;
    struct stream s = {{append}, f.fp, 0};
    onnx__model_proto__pack_to_buffer(&m, &s.base);
    if (!s.error && fflush(f.fp) != 0)
        s.error = errno;
    if (s.error)
        st = lr_err_set(e, LR_EIO, "%s: cannot write: %s", path, strerror(s.error));
    if (st == LR_OK && f.temp) {
        st = verify(g, f.temp, e);
        if (st != LR_OK)
            lr_err_prefix(e, "%s: what was written does not read back", path);
    }
    if (st == LR_OK)
        st = lr_file_commit(&f, e);
    else
        lr_file_abort(&f);
out:
    release(&w);
    return st;
}
