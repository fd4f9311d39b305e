/* Replacing layers in a network's own file. The file is held as its protobuf message, in
 * which everything that is not touched stays, known here or not; beside it stands the
 * same network as a graph with nothing folded, which tells what lies between a layer's
 * node and the value it is known by. */
#include "onnx_edit.h"

#include <string.h>

#include "ranklab/file.h"

/* Lists are pointers to pointers of any type; list is the address of one. */
static void **get_list(const void *list)
{
    void **slots;

    memcpy(&slots, list, sizeof(slots));
    return slots;
}

static void set_list(void *list, void **slots)
{
    memcpy(list, &slots, sizeof(slots));
}

bool lr_onnx_insert(void *list, size_t *n, size_t at, void *x)
{
    void **old = get_list(list);
    void **slots = lr_alloc(*n + 1, sizeof(*slots));

    if (!slots)
        return false;
    if (*n > 0) {
        memcpy(slots, old, at * sizeof(*slots));
        memcpy(slots + at + 1, old + at, (*n - at) * sizeof(*slots));
    }
    slots[at] = x;
    lr_free(old);
    set_list(list, slots);
    ++*n;
    return true;
}

/* Takes entry at out of a list; protobuf-c does not release a list without entries. */
static void take_out(void *list, size_t *n, size_t at)
{
    void **slots = get_list(list);

    memmove(slots + at, slots + at + 1, (*n - at - 1) * sizeof(*slots));
    if (--*n == 0) {
        lr_free(slots);
        set_list(list, NULL);
    }
}

static bool same(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* The node whose output this is, or -1. */
static int find_producer(const Onnx__GraphProto *p, const char *value)
{
    for (size_t k = 0; k < p->n_node; k++)
        for (size_t i = 0; i < p->node[k]->n_output; i++)
            if (same(p->node[k]->output[i], value))
                return (int)k;
    return -1;
}

/* How often a value is read, by the graphs inside of nodes too, which may mean another
 * value of the same name: then it is read once too often, and stays. */
static int count_reads(const Onnx__GraphProto *p, const char *value)
{
    int n = 0;

    for (size_t k = 0; k < p->n_node; k++) {
        const Onnx__NodeProto *x = p->node[k];
        for (size_t i = 0; i < x->n_input; i++)
            n += same(x->input[i], value);
        for (size_t i = 0; i < x->n_attribute; i++) {
            const Onnx__AttributeProto *a = x->attribute[i];
            n += a->g ? count_reads(a->g, value) : 0;
            for (size_t j = 0; j < a->n_graphs; j++)
                n += count_reads(a->graphs[j], value);
        }
    }
    for (size_t i = 0; i < p->n_output; i++)
        n += same(p->output[i]->name, value);
    return n;
}

/* ---- taking out ---- */

/* What the graph says of a value that is no more. */
static void forget_value(struct lr_onnx_file *f, const char *value)
{
    Onnx__GraphProto *p = f->m->graph;

    for (size_t i = p->n_value_info; i-- > 0;)
        if (same(p->value_info[i]->name, value)) {
            onnx__value_info_proto__free_unpacked(p->value_info[i], &f->alloc);
            take_out(&p->value_info, &p->n_value_info, i);
        }
    for (size_t i = p->n_quantization_annotation; i-- > 0;)
        if (same(p->quantization_annotation[i]->tensor_name, value)) {
            onnx__tensor_annotation__free_unpacked(p->quantization_annotation[i],
                                                   &f->alloc);
            take_out(&p->quantization_annotation, &p->n_quantization_annotation, i);
        }
}

static bool drop_initializer(struct lr_onnx_file *f, const char *value)
{
    Onnx__GraphProto *p = f->m->graph;
    size_t at = 0;

    while (at < p->n_initializer && !same(p->initializer[at]->name, value))
        at++;
    if (at == p->n_initializer)
        return false;
    for (size_t i = p->n_input; i-- > 0;)
        if (same(p->input[i]->name, value)) {
            onnx__value_info_proto__free_unpacked(p->input[i], &f->alloc);
            take_out(&p->input, &p->n_input, i);
        }
    onnx__tensor_proto__free_unpacked(p->initializer[at], &f->alloc);
    take_out(&p->initializer, &p->n_initializer, at);
    return true;
}

static bool is_idle(const Onnx__GraphProto *p, const Onnx__NodeProto *x)
{
    for (size_t i = 0; i < x->n_output; i++)
        if (*x->output[i] && count_reads(p, x->output[i]))
            return false;
    return true;
}

/* Values that may have lost their last reader. */
struct loose {
    void **names;
    size_t n;
};

/* Removes node k; what it read is put on the list. */
static enum lr_status drop_node(struct lr_onnx_file *f, size_t k, struct loose *list,
                                struct lr_err *e)
{
    Onnx__GraphProto *p = f->m->graph;
    Onnx__NodeProto *x = p->node[k];

    for (size_t i = 0; i < x->n_input; i++) {
        char *name = *x->input[i] ? lr_strdup(x->input[i]) : NULL;
        if (*x->input[i] &&
            (!name || !lr_onnx_insert(&list->names, &list->n, list->n, name))) {
            lr_free(name);
            return lr_enomem(e, strlen(x->input[i]) + 1, "a name");
        }
    }
    lr_onnx_touch(&f->calls, x);
    take_out(&p->node, &p->n_node, k);
    for (size_t i = 0; i < x->n_output; i++)
        if (*x->output[i] && find_producer(p, x->output[i]) < 0)
            forget_value(f, x->output[i]);
    onnx__node_proto__free_unpacked(x, &f->alloc);
    return LR_OK;
}

/* Removes the constants and nodes that only made what is on the list, which is used up.
 */
static enum lr_status sweep(struct lr_onnx_file *f, struct loose *list, struct lr_err *e)
{
    Onnx__GraphProto *p = f->m->graph;
    enum lr_status st = LR_OK;

    while (list->n > 0 && st == LR_OK) {
        char *name = list->names[list->n - 1];
        take_out(&list->names, &list->n, list->n - 1);
        if (count_reads(p, name) == 0) {
            int k = find_producer(p, name);
            if (drop_initializer(f, name))
                forget_value(f, name);
            else if (k >= 0 && is_idle(p, p->node[k]))
                st = drop_node(f, (size_t)k, list, e);
        }
        lr_free(name);
    }
    for (size_t i = 0; i < list->n; i++)
        lr_free(list->names[i]);
    lr_free(list->names);
    *list = (struct loose){0};
    return st;
}

/* ---- replacing ---- */

/* Which of the chain's values the last part shall write. */
static int find_end(const struct lr_onnx_file *f, const struct lr_chain *c)
{
    int end = c->n;

    while (end > 0 && c->is_idle[end - 1])
        end--;
    for (int i = 0; i < end; i++)
        if (count_reads(f->m->graph, f->plain->values[c->values[i]].name) != 1)
            return i;
    return end;
}

/* The last part with y = k x + shift taken out of what it writes; its weights are owned.
 */
static enum lr_status undo_affine(struct lr_conv_part *part, float **owned, int *n_lost,
                                  const double *k, const double *shift, struct lr_err *e)
{
    size_t d = (size_t)part->cout,
           each = (size_t)(part->cin / part->group) * (size_t)part->kh * (size_t)part->kw;
    float *w = lr_alloc(d * (each + 1), sizeof(*w));

    if (!w)
        return lr_enomem(e, d * (each + 1) * sizeof(*w), "the new filters");
    *owned = w;
    float *b = w + d * each;
    for (size_t i = 0; i < d; i++) {
        double bias = part->b ? (double)part->b[i] : 0;
        bool is_lost = !(__builtin_fabs(k[i]) > 0);
        double scale = is_lost ? 0 : 1 / k[i];
        *n_lost += is_lost;
        for (size_t j = 0; j < each; j++)
            w[i * each + j] = (float)(scale * (double)part->w[i * each + j]);
        b[i] = (float)(scale * (bias - shift[i]));
    }
    part->w = w;
    part->b = b;
    if (lr_all_finite(w, d * (each + 1)))
        return LR_OK;
    return lr_err_set(
        e, LR_ENUMERIC,
        "what was folded into it cannot be taken out: the weights would not "
        "be finite");
}

static const char *auto_pad_of(const Onnx__NodeProto *x)
{
    static const char *const kinds[] = {"SAME_UPPER", "SAME_LOWER"};

    for (size_t i = 0; i < x->n_attribute; i++) {
        const Onnx__AttributeProto *a = x->attribute[i];
        for (size_t k = 0; same(a->name, "auto_pad") && k < 2; k++)
            if (a->s.len == strlen(kinds[k]) &&
                memcmp(a->s.data, kinds[k], a->s.len) == 0)
                return kinds[k];
    }
    return NULL;
}

bool lr_onnx_has_layer(const struct lr_onnx_file *f, const struct lr_onnx_swap *w)
{
    int k = lr_graph_find_node(f->plain, w->layer);

    if (k < 0 || f->plain->nodes[k].n_out < 1 ||
        lr_graph_find_value(f->plain, w->value) < 0)
        return false;
    const struct lr_node *n = &f->plain->nodes[k];
    int at = find_producer(f->m->graph, f->plain->values[n->out[0]].name);
    /* What a branch gives bears the name of what the If does. */
    return at >= 0 && same(f->m->graph->node[at]->op_type, n->type);
}

/* The node's own doc string, then what is said of the part. */
static char *join_docs(const char *own, const char *ours)
{
    struct lr_strbuf b = {0};

    if (own && *own)
        lr_strbuf_printf(&b, "%s\n", own);
    lr_strbuf_puts(&b, ours);
    return lr_strbuf_take(&b);
}

static enum lr_status put_parts(struct lr_onnx_file *f, int *n_lost,
                                const struct lr_onnx_swap *w, const struct lr_chain *c,
                                int end, struct lr_err *e)
{
    const struct lr_graph *g = f->plain;
    const struct lr_value *own = &g->values[c->values[0]];
    int at = find_producer(f->m->graph, own->name);
    const Onnx__NodeProto *x = f->m->graph->node[at];
    int d = w->parts[w->n_parts - 1].cout;
    struct lr_conv_part *parts = lr_alloc((size_t)w->n_parts, sizeof(*parts));
    double *k = lr_alloc(2 * (size_t)d, sizeof(*k));
    char *doc = join_docs(x->doc_string, w->doc ? w->doc : "");
    float *owned = NULL;
    struct lr_onnx_place place = {.at = (size_t)at,
                                  .input = x->input[0],
                                  .end = g->values[c->values[end]].name,
                                  .auto_pad = auto_pad_of(x),
                                  .doc = doc,
                                  .dtype = own->dtype,
                                  .is_conv = same(x->op_type, "Conv")};
    enum lr_status st = LR_OK;

    if (!parts || !k || !doc) {
        st = lr_enomem(e, (size_t)d * sizeof(*k), "the new filters");
        goto out;
    }
    memcpy(parts, w->parts, (size_t)w->n_parts * sizeof(*parts));
    if (end < c->n) {
        st = lr_chain_affine(k, k + d, c, g, end, d, e);
        if (st == LR_OK)
            st = undo_affine(&parts[w->n_parts - 1], &owned, n_lost, k, k + d, e);
        if (st != LR_OK) {
            lr_err_prefix(e, "%.100s", w->layer);
            goto out;
        }
    }
    st = lr_onnx_put_parts(f, w, &place, parts, e);
out:
    lr_free(owned);
    lr_free(doc);
    lr_free(parts);
    lr_free(k);
    return st;
}

enum lr_status lr_onnx_replace(struct lr_onnx_file *f, int *n_lost,
                               const struct lr_onnx_swap *w, struct lr_err *e)
{
    struct loose list = {0};
    struct lr_chain c;
    int lost = 0;

    if (!lr_onnx_has_layer(f, w))
        return lr_err_set(e, LR_EUNSUP, "%.100s lies in a branch of an If", w->layer);
    enum lr_status st =
        lr_chain_find(&c, f->plain, lr_graph_find_node(f->plain, w->layer),
                      lr_graph_find_value(f->plain, w->value), e);
    if (st != LR_OK)
        return st;
    /* The parts go in front of the layer's node, which is taken out with those folded
     * into it. */
    int end = w->has_all_names ? 0 : find_end(f, &c);
    st = put_parts(f, &lost, w, &c, end, e);
    for (int i = end; i >= 0 && st == LR_OK; i--) {
        const char *name = f->plain->values[c.values[i]].name;
        const Onnx__GraphProto *p = f->m->graph;
        size_t k = p->n_node;
        /* The last part writes the last of these values, and stands before the node that
         * did. */
        while (k > 0 &&
               !(p->node[k - 1]->n_output && same(p->node[k - 1]->output[0], name)))
            k--;
        st = k > 0 ? drop_node(f, k - 1, &list, e)
                   : lr_err_set(e, LR_EUNSUP, "%.100s: %.100s is not made in the file",
                                w->layer, name);
    }
    enum lr_status swept = sweep(f, &list, e);
    if (n_lost)
        *n_lost = lost;
    return st == LR_OK ? swept : st;
}

/* ---- the file ---- */

enum lr_status lr_onnx_set_prop(struct lr_onnx_file *f, const char *key,
                                const char *value, struct lr_err *e)
{
    Onnx__ModelProto *m = f->m;
    Onnx__StringStringEntryProto *x = NULL;
    char *copy = lr_strdup(value);

    for (size_t i = 0; i < m->n_metadata_props && !x; i++)
        if (same(m->metadata_props[i]->key, key))
            x = m->metadata_props[i];
    if (copy && x) {
        lr_free(x->value);
        x->value = copy;
        return LR_OK;
    }
    x = copy ? lr_alloc(1, sizeof(*x)) : NULL;
    if (x) {
        onnx__string_string_entry_proto__init(x);
        x->key = lr_strdup(key);
        x->value = copy;
        if (x->key && lr_onnx_insert(&m->metadata_props, &m->n_metadata_props,
                                     m->n_metadata_props, x))
            return LR_OK;
        lr_free(x->key);
        lr_free(x);
    }
    lr_free(copy);
    return lr_enomem(e, strlen(value) + 1, "metadata");
}

/* sha256: what g was known by when it was read. */
static enum lr_status read_plain(struct lr_onnx_file *f, const char *sha256,
                                 const void *data, size_t len, const struct lr_graph *g,
                                 struct lr_err *e)
{
    char hash[65];
    const struct lr_shape *s = g->n_inputs > 0 && g->values[g->inputs[0]].has_shape
                                   ? &g->values[g->inputs[0]].shape
                                   : NULL;
    enum lr_status st =
        lr_onnx_parse_known(&f->plain, hash, data, len, f->folder, NULL, e);

    /* It could be read then: what is wrong with it now came since. */
    if (st != LR_ENOMEM && st != LR_EIO && strcmp(hash, sha256) != 0)
        return lr_err_set(e, LR_EINVAL,
                          "%s has changed since it was opened: open it again", f->path);
    if (st == LR_OK)
        st = lr_graph_choose_image(f->plain, s, NULL, e);
    if (st != LR_OK)
        return st;
    f->plain->is_batch_fixed = g->is_batch_fixed;
    return lr_graph_infer(f->plain, s, e);
}

/* Training information may name weights that are replaced. */
static void drop_training(struct lr_onnx_file *f)
{
    Onnx__ModelProto *m = f->m;

    for (size_t i = 0; i < m->n_training_info; i++)
        onnx__training_info_proto__free_unpacked(m->training_info[i], &f->alloc);
    if (m->n_training_info)
        lr_free(m->training_info);
    m->training_info = NULL;
    m->n_training_info = 0;
}

enum lr_status lr_onnx_open(struct lr_onnx_file **out, const char *path,
                            const char *sha256, const struct lr_graph *g,
                            struct lr_err *e)
{
    struct lr_onnx_file *f = lr_calloc(1, sizeof(*f));
    char *data = NULL;
    size_t len = 0;
    enum lr_status st;

    *out = NULL;
    if (!f)
        return lr_enomem(e, sizeof(*f), "a network file");
    f->path = lr_strdup(path);
    f->folder = lr_onnx_folder(path);
    f->alloc = lr_onnx_allocator(&f->has_failed);
    f->opset = g->opset;
    st = f->path && f->folder ? lr_file_read(&data, &len, path, INT32_MAX, e)
                              : lr_enomem(e, strlen(path) + 1, "a path");
    if (st != LR_OK)
        goto out;
    st = read_plain(f, sha256, data, len, g, e);
    if (st != LR_OK)
        goto out;
    f->m = onnx__model_proto__unpack(&f->alloc, len, (const uint8_t *)data);
    if (!f->m) {
        st = lr_enomem(e, len, "the model");
        goto out;
    }
    drop_training(f);
    st = lr_onnx_expand(f->m, &f->alloc, &f->calls, e);
out:
    lr_free(data);
    if (st == LR_OK)
        *out = f;
    else
        lr_onnx_close(f);
    return st;
}

void lr_onnx_close(struct lr_onnx_file *f)
{
    if (!f)
        return;
    lr_onnx_calls_clear(&f->calls);
    if (f->m)
        onnx__model_proto__free_unpacked(f->m, &f->alloc);
    lr_graph_free(f->plain);
    lr_free(f->path);
    lr_free(f->folder);
    lr_free(f);
}
