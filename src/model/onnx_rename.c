/* One node of a function for one of its calls: a copy in which all names are those of the
 * network and attributes hold what the call says. What is made is counted on the way, as
 * a few bytes of a file can ask for any number of copies. */
#include <string.h>

#include "onnx_expand.h"

/* ---- names and copies ---- */

bool lr_expand_grow(void *list, size_t n, size_t *cap, size_t size)
{
    void *old, *bigger;
    size_t more = *cap ? 2 * *cap : 64;

    if (n < *cap)
        return true;
    memcpy(&old, list, sizeof(old));
    bigger = lr_realloc(old, n, more, size);
    if (!bigger)
        return false;
    memcpy(list, &bigger, sizeof(bigger));
    *cap = more;
    return true;
}

enum lr_status lr_expand_spend(struct lr_expander *x, size_t bytes, size_t parts,
                               struct lr_err *e)
{
    x->bytes += bytes;
    x->parts += parts;
    if (x->bytes <= INT32_MAX && x->parts <= LR_ONNX_MAX_PARTS)
        return LR_OK;
    return lr_err_set(
        e, LR_EUNSUP,
        "with its functions expanded the network is larger than 2 GB or has "
        "more than %d parts",
        LR_ONNX_MAX_PARTS);
}

enum lr_status lr_expand_keep(struct lr_expander *x, int *at, char *s, struct lr_err *e)
{
    if (!s || !lr_expand_grow(&x->texts, x->n_texts, &x->cap_texts, sizeof(*x->texts))) {
        lr_free(s);
        return lr_enomem(e, 64, "names");
    }
    *at = (int)x->n_texts;
    x->texts[x->n_texts++].s = s;
    return lr_expand_spend(x, strlen(s) + 1, 1, e);
}

enum lr_status lr_expand_fresh(struct lr_expander *x, int *at, struct lr_names *used,
                               char *base, struct lr_err *e)
{
    bool is_new = false;
    enum lr_status st = lr_expand_keep(x, at, base, e);

    if (st != LR_OK)
        return st;
    base = x->texts[*at].s;
    int *next = lr_names_put(used, base, 2, &is_new);
    while (next && !is_new && st == LR_OK) {
        struct lr_strbuf b = {0};
        lr_strbuf_printf(&b, "%s_%d", base, (*next)++);
        st = lr_expand_keep(x, at, lr_strbuf_take(&b), e);
        if (st == LR_OK && !lr_names_put(used, x->texts[*at].s, 2, &is_new))
            next = NULL;
    }
    return st != LR_OK ? st : next ? LR_OK : lr_enomem(e, 64, "names");
}

char *lr_expand_join(const char *prefix, const char *name)
{
    struct lr_strbuf b = {0};

    lr_strbuf_printf(&b, "%s%s%s", prefix, *prefix ? "/" : "", name);
    return lr_strbuf_take(&b);
}

static enum lr_status set_text(struct lr_expander *x, char **s, const char *to,
                               struct lr_err *e)
{
    enum lr_status st = lr_expand_spend(x, strlen(to), 0, e);

    return st == LR_OK ? lr_string_set(s, to, e) : st;
}

enum lr_status lr_expand_copy(struct lr_expander *x, void *out, const ProtobufCMessage *p,
                              struct lr_err *e)
{
    size_t n = protobuf_c_message_get_packed_size(p), parts;
    uint8_t *data = lr_alloc(n, 1);
    ProtobufCMessage *made = NULL;

    if (!data)
        return lr_enomem(e, n, "a function's node");
    protobuf_c_message_pack(p, data);
    enum lr_status st = lr_onnx_count_parts(&parts, p->descriptor, data, n, e);
    if (st == LR_OK)
        st = lr_expand_spend(x, n, parts + 1, e);
    if (st == LR_OK) {
        made = protobuf_c_message_unpack(p->descriptor, x->alloc, n, data);
        if (!made)
            st = lr_enomem(e, n, "a function's node");
    }
    lr_free(data);
    memcpy(out, &made, sizeof(made));
    return st;
}

/* ---- one node ---- */

enum lr_status lr_expand_bad(const struct lr_body *b, struct lr_err *e, const char *what,
                             const char *name)
{
    return lr_err_set(e, LR_EPARSE, "function %.80s: %.100s %s", b->f->p->name, name,
                      what);
}

const char *lr_expand_find(const struct lr_body *b, const struct lr_scope *s,
                           const char *name)
{
    const int *at = NULL;

    for (; s && !at; s = s->outer)
        at = lr_names_get(&s->names, name);
    return at ? b->x->texts[*at].s : NULL;
}

enum lr_status lr_expand_bind(const struct lr_body *b, struct lr_scope *s,
                              const char *name, int at, struct lr_err *e)
{
    bool is_new;
    int own = 0;
    enum lr_status st = lr_expand_keep(b->x, &own, lr_strdup(name), e);

    if (st != LR_OK)
        return st;
    if (!lr_names_put(&s->names, b->x->texts[own].s, at, &is_new))
        return lr_enomem(e, 64, "names");
    return is_new ? LR_OK : lr_expand_bad(b, e, "is defined twice", name);
}

enum lr_status lr_expand_define(const struct lr_body *b, struct lr_scope *s,
                                const char *name, struct lr_err *e)
{
    int at;
    enum lr_status st =
        lr_expand_fresh(b->x, &at, &b->x->values, lr_expand_join(b->prefix, name), e);

    return st == LR_OK ? lr_expand_bind(b, s, name, at, e) : st;
}

static enum lr_status rename_value(const struct lr_body *b, const struct lr_scope *s,
                                   char **name, struct lr_err *e)
{
    if (!*name || !**name)
        return LR_OK;
    const char *to = lr_expand_find(b, s, *name);
    return to ? set_text(b->x, name, to, e)
              : lr_expand_bad(b, e, "is not defined", *name);
}

static const Onnx__AttributeProto *find_attr(const struct lr_body *b, const char *name)
{
    const int *at = lr_names_get(&b->attrs, name);

    if (at)
        return b->call->attribute[*at];
    at = lr_names_get(&b->f->default_names, name);
    return at ? b->f->defaults[*at] : NULL;
}

/* Attributes that refer to one of the function's get its value, or go. */
static enum lr_status fill_attrs(const struct lr_body *b, Onnx__NodeProto *n,
                                 struct lr_err *e)
{
    size_t n_kept = 0;
    enum lr_status st = LR_OK;

    for (size_t i = 0; i < n->n_attribute; i++) {
        Onnx__AttributeProto *a = n->attribute[i], *made = NULL;
        if (st != LR_OK || !a->ref_attr_name || !*a->ref_attr_name) {
            n->attribute[n_kept++] = a;
            continue;
        }
        const Onnx__AttributeProto *from = find_attr(b, a->ref_attr_name);
        if (from && (from->g || from->n_graphs)) {
            st = lr_err_set(e, LR_EUNSUP,
                            "function %.80s: attribute %.80s is a graph, which functions "
                            "cannot hand on here",
                            b->f->p->name, a->ref_attr_name);
        } else if (from) {
            st = lr_expand_copy(b->x, &made, &from->base, e);
            if (st == LR_OK)
                st = set_text(b->x, &made->name, a->name ? a->name : "", e);
        }
        if (made)
            n->attribute[n_kept++] = made;
        onnx__attribute_proto__free_unpacked(a, b->x->alloc);
    }
    n->n_attribute = n_kept;
    if (n_kept == 0) {
        lr_free(n->attribute);
        n->attribute = NULL;
    }
    return st;
}

/* Inputs that the call leaves out, at the end of the list. */
static void trim_inputs(Onnx__NodeProto *n)
{
    while (n->n_input > 0 && !*n->input[n->n_input - 1])
        lr_free(n->input[--n->n_input]);
    if (n->n_input == 0) {
        lr_free(n->input);
        n->input = NULL;
    }
}

static enum lr_status rename_graph(const struct lr_body *b, const struct lr_scope *outer,
                                   Onnx__GraphProto *g, struct lr_err *e);

enum lr_status lr_expand_rename(const struct lr_body *b, const struct lr_scope *s,
                                Onnx__NodeProto *n, struct lr_err *e)
{
    const char *own = n->name && *n->name ? n->name : n->op_type ? n->op_type : "";
    enum lr_status st = LR_OK;
    int at;

    for (size_t i = 0; i < n->n_input && st == LR_OK; i++)
        st = rename_value(b, s, &n->input[i], e);
    for (size_t i = 0; i < n->n_output && st == LR_OK; i++)
        st = rename_value(b, s, &n->output[i], e);
    if (st == LR_OK && b->is_single && !s->outer && *b->prefix)
        st = set_text(b->x, &n->name, b->prefix, e);
    else if (st == LR_OK) {
        st = lr_expand_fresh(b->x, &at, &b->x->nodes, lr_expand_join(b->prefix, own), e);
        if (st == LR_OK)
            st = set_text(b->x, &n->name, b->x->texts[at].s, e);
    }
    for (size_t i = 0; i < n->n_attribute && st == LR_OK; i++) {
        Onnx__AttributeProto *a = n->attribute[i];
        if (a->g)
            st = rename_graph(b, s, a->g, e);
        for (size_t j = 0; j < a->n_graphs && st == LR_OK; j++)
            st = rename_graph(b, s, a->graphs[j], e);
    }
    if (st == LR_OK)
        st = fill_attrs(b, n, e);
    trim_inputs(n);
    return st;
}

static enum lr_status define_graph(const struct lr_body *b, struct lr_scope *s,
                                   const Onnx__GraphProto *g, struct lr_err *e)
{
    enum lr_status st = LR_OK;

    for (size_t i = 0; i < g->n_input && st == LR_OK; i++)
        if (g->input[i]->name && *g->input[i]->name)
            st = lr_expand_define(b, s, g->input[i]->name, e);
    for (size_t i = 0; i < g->n_initializer && st == LR_OK; i++) {
        const char *name = g->initializer[i]->name;
        if (name && *name && !lr_names_get(&s->names, name))
            st = lr_expand_define(b, s, name, e);
    }
    for (size_t i = 0; i < g->n_sparse_initializer && st == LR_OK; i++) {
        const Onnx__TensorProto *t = g->sparse_initializer[i]->values;
        if (t && t->name && *t->name)
            st = lr_expand_define(b, s, t->name, e);
    }
    for (size_t k = 0; k < g->n_node; k++)
        for (size_t i = 0; i < g->node[k]->n_output && st == LR_OK; i++)
            if (*g->node[k]->output[i])
                st = lr_expand_define(b, s, g->node[k]->output[i], e);
    return st;
}

/* A graph inside of a node, which sees the function's values. */
static enum lr_status rename_graph(const struct lr_body *b, const struct lr_scope *outer,
                                   Onnx__GraphProto *g, struct lr_err *e)
{
    struct lr_scope s = {.outer = outer};
    enum lr_status st = define_graph(b, &s, g, e);

    for (size_t i = 0; i < g->n_input && st == LR_OK; i++)
        st = rename_value(b, &s, &g->input[i]->name, e);
    for (size_t i = 0; i < g->n_initializer && st == LR_OK; i++)
        st = rename_value(b, &s, &g->initializer[i]->name, e);
    for (size_t i = 0; i < g->n_sparse_initializer && st == LR_OK; i++)
        if (g->sparse_initializer[i]->values)
            st = rename_value(b, &s, &g->sparse_initializer[i]->values->name, e);
    for (size_t k = 0; k < g->n_node && st == LR_OK; k++)
        st = lr_expand_rename(b, &s, g->node[k], e);
    for (size_t i = 0; i < g->n_output && st == LR_OK; i++)
        st = rename_value(b, &s, &g->output[i]->name, e);
    /* What is only said of values may be of ones that are no more. */
    for (size_t i = 0; i < g->n_value_info && st == LR_OK; i++)
        if (g->value_info[i]->name && lr_expand_find(b, &s, g->value_info[i]->name))
            st = rename_value(b, &s, &g->value_info[i]->name, e);
    lr_names_clear(&s.names);
    return st;
}
