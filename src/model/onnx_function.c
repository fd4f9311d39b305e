/* A model's local functions. A depth-first walk from the network over the calls finds
 * those that take part, refuses recursion, and adds up what each comes to once it is
 * expanded: a few functions that call each other twice can ask for more nodes than there
 * is memory for. What onnx.proto gained after the version that is compiled here,
 * overloads and defaults of attributes, is taken from the wire. */
#include "onnx_function.h"

#include <string.h>

#include "onnx_edit.h"

enum {
    MAX_EXPANDED = LR_MAX_NODES, /* nodes and calls */
    MAX_LEVELS = 64,
    MAX_IMPORTS = 256,    /* they are looked through for every node */
    OVERLOAD_OF_NODE = 8, /* fields of later versions */
    DEFAULTS_OF_FUNCTION = 11,
    OVERLOAD_OF_FUNCTION = 13
};

/* "" for the standard domain under any of its names. */
static const char *plain_domain(const char *domain)
{
    return domain && strcmp(domain, "ai.onnx") != 0 ? domain : "";
}

/* ---- which functions there are ---- */

/* Lengths in front: a name may hold any separator. */
static char *make_key(const char *domain, const char *name, const char *overload)
{
    struct lr_strbuf b = {0};

    domain = plain_domain(domain);
    lr_strbuf_printf(&b, "%zu:%s%zu:%s", strlen(domain), domain, strlen(name), name);
    if (overload)
        lr_strbuf_printf(&b, "%zu:%s", strlen(overload), overload);
    return lr_strbuf_take(&b);
}

/* Packs the few fields of m that are not lists of messages, of which the caller has taken
 * out what is large. */
static enum lr_status pack(uint8_t **data, size_t *n, const ProtobufCMessage *m,
                           struct lr_err *e)
{
    *n = protobuf_c_message_get_packed_size(m);
    *data = lr_alloc(*n, 1);
    if (!*data)
        return lr_enomem(e, *n, "a function");
    protobuf_c_message_pack(m, *data);
    return LR_OK;
}

static enum lr_status read_text(char **out, const uint8_t *data, size_t n, unsigned tag,
                                struct lr_err *e)
{
    const unsigned char *value;
    size_t at = 0, len;

    *out = NULL;
    while (lr_onnx_next_field(&value, &len, data, n, &at, tag)) {
        if (memchr(value, 0, len))
            return lr_err_set(e, LR_EPARSE, "a zero byte inside an overload's name");
        lr_free(*out);
        *out = lr_strndup((const char *)value, len);
        if (!*out)
            return lr_enomem(e, len + 1, "a name");
    }
    if (!*out)
        *out = lr_strdup("");
    return *out ? LR_OK : lr_enomem(e, 1, "a name");
}

static enum lr_status read_default(struct lr_onnx_functions *fs,
                                   struct lr_onnx_function *f, const unsigned char *value,
                                   size_t len, struct lr_err *e)
{
    bool is_new;
    enum lr_status st =
        lr_onnx_check_wire(&onnx__attribute_proto__descriptor, value, len, e);

    if (st != LR_OK)
        return st;
    Onnx__AttributeProto *a = onnx__attribute_proto__unpack(fs->alloc, len, value);
    if (!a)
        return lr_enomem(e, len, "an attribute");
    if (!lr_onnx_insert(&f->defaults, &f->n_defaults, f->n_defaults, a)) {
        onnx__attribute_proto__free_unpacked(a, fs->alloc);
        return lr_enomem(e, sizeof(a), "an attribute");
    }
    if (!a->name || !*a->name)
        return lr_err_set(e, LR_EPARSE, "an attribute has no name");
    if (!lr_names_put(&f->default_names, a->name, (int)f->n_defaults - 1, &is_new))
        return lr_enomem(e, 64, "names");
    return is_new ? LR_OK
                  : lr_err_set(e, LR_EPARSE, "attribute %.100s is given twice", a->name);
}

static enum lr_status read_later_fields(struct lr_onnx_functions *fs,
                                        struct lr_onnx_function *f, char **overload,
                                        struct lr_err *e)
{
    Onnx__FunctionProto rest = *f->p;
    const unsigned char *value;
    uint8_t *data;
    size_t n, at = 0, len;

    rest.n_node = 0;
    enum lr_status st = pack(&data, &n, &rest.base, e);
    if (st == LR_OK)
        st = read_text(overload, data, n, OVERLOAD_OF_FUNCTION, e);
    while (st == LR_OK &&
           lr_onnx_next_field(&value, &len, data, n, &at, DEFAULTS_OF_FUNCTION))
        st = read_default(fs, f, value, len, e);
    lr_free(data);
    return st;
}

static enum lr_status add(struct lr_onnx_functions *fs, Onnx__FunctionProto *p,
                          struct lr_err *e)
{
    struct lr_onnx_function *f = &fs->list[fs->n];
    char *overload = NULL;
    bool is_new;

    *f = (struct lr_onnx_function){.p = p, .cost = -1};
    fs->n++;
    if (!p->name || !*p->name)
        return lr_err_set(e, LR_EPARSE, "a function has no name");
    enum lr_status st = read_later_fields(fs, f, &overload, e);
    if (st != LR_OK) {
        lr_free(overload);
        lr_err_prefix(e, "function %.80s", p->name);
        return st;
    }
    f->key = make_key(p->domain, p->name, overload);
    f->head = make_key(p->domain, p->name, NULL);
    lr_free(overload);
    if (!f->key || !f->head || !lr_names_put(&fs->heads, f->head, 0, &is_new) ||
        !lr_names_put(&fs->keys, f->key, (int)fs->n - 1, &is_new))
        return lr_enomem(e, 2 * strlen(p->name), "a function");
    return is_new
               ? LR_OK
               : lr_err_set(e, LR_EPARSE, "function %.80s of domain %.80s is there twice",
                            p->name, plain_domain(p->domain));
}

enum lr_status lr_onnx_callee(struct lr_onnx_function **f,
                              const struct lr_onnx_functions *fs,
                              const Onnx__NodeProto *x, struct lr_err *e)
{
    char *key = NULL, *overload = NULL;
    uint8_t *data = NULL;
    size_t n;
    enum lr_status st = LR_OK;

    *f = NULL;
    /* An operator of the standard is what the standard says; a function of its name shows
     * only how it can be computed. */
    if (fs->n == 0 || !x->op_type || lr_op_find(x->op_type, x->domain) != LR_OP_UNKNOWN)
        return LR_OK;
    key = make_key(x->domain, x->op_type, NULL);
    if (!key)
        return lr_enomem(e, strlen(x->op_type), "a name");
    if (!lr_names_get(&fs->heads, key))
        goto out;
    Onnx__NodeProto rest = *x;
    rest.n_attribute = 0;
    st = pack(&data, &n, &rest.base, e);
    if (st == LR_OK)
        st = read_text(&overload, data, n, OVERLOAD_OF_NODE, e);
    if (st != LR_OK)
        goto out;
    lr_free(key);
    key = make_key(x->domain, x->op_type, overload);
    const int *at = key ? lr_names_get(&fs->keys, key) : NULL;
    if (!key)
        st = lr_enomem(e, strlen(x->op_type), "a name");
    else if (at)
        *f = &fs->list[*at];
    else
        st = lr_err_set(e, LR_EPARSE, "function %.80s has no overload \"%.80s\"",
                        x->op_type, overload);
out:
    lr_free(data);
    lr_free(overload);
    lr_free(key);
    return st;
}

/* ---- opsets ---- */

static const Onnx__OperatorSetIdProto *find_import(Onnx__OperatorSetIdProto *const *list,
                                                   size_t n, const char *domain)
{
    for (size_t i = n; i-- > 0;)
        if (strcmp(plain_domain(list[i]->domain), domain) == 0)
            return list[i];
    return NULL;
}

static enum lr_status add_import(Onnx__ModelProto *m, const char *domain, int64_t version,
                                 struct lr_err *e)
{
    Onnx__OperatorSetIdProto *x = lr_alloc(1, sizeof(*x));

    if (!x)
        return lr_enomem(e, sizeof(*x), "opset imports");
    onnx__operator_set_id_proto__init(x);
    x->domain = lr_strdup(domain);
    x->version = version;
    x->has_version = 1;
    if (x->domain &&
        lr_onnx_insert(&m->opset_import, &m->n_opset_import, m->n_opset_import, x))
        return LR_OK;
    lr_free(x->domain);
    lr_free(x);
    return lr_enomem(e, strlen(domain) + 1, "opset imports");
}

/* What a function imports and the model does not, as when all of the network is calls. */
static enum lr_status add_imports(struct lr_onnx_functions *fs,
                                  const struct lr_onnx_function *f, struct lr_err *e)
{
    enum lr_status st = LR_OK;

    if (f->p->n_opset_import > MAX_IMPORTS || fs->m->n_opset_import > MAX_IMPORTS)
        return lr_err_set(e, LR_EUNSUP, "function %.80s: more than %d opset imports",
                          f->p->name, MAX_IMPORTS);
    for (size_t i = 0; i < f->p->n_opset_import && st == LR_OK; i++) {
        const Onnx__OperatorSetIdProto *x = f->p->opset_import[i];
        const char *domain = plain_domain(x->domain);
        if (!find_import(fs->m->opset_import, fs->m->n_opset_import, domain))
            st = add_import(fs->m, domain, x->version, e);
    }
    return st;
}

/* Node x of f, which calls no function: is it the same under the model's opset? */
static enum lr_status check_opset(const struct lr_onnx_functions *fs,
                                  const struct lr_onnx_function *f,
                                  const Onnx__NodeProto *x, struct lr_err *e)
{
    const char *domain = plain_domain(x->domain), *op = x->op_type ? x->op_type : "";
    const Onnx__OperatorSetIdProto *own = find_import(f->p->opset_import,
                                                      f->p->n_opset_import, domain),
                                   *model = find_import(fs->m->opset_import,
                                                        fs->m->n_opset_import, domain);

    if (!own || !model || own->version == model->version)
        return LR_OK;
    if (*domain)
        return lr_err_set(e, LR_EUNSUP,
                          "function %.80s: %.80s is of domain %.80s in version %lld, the "
                          "model imports version %lld",
                          f->p->name, op, domain, (long long)own->version,
                          (long long)model->version);
    int64_t changed = lr_onnx_changed(op, own->version, model->version);
    if (changed == 0)
        return LR_OK;
    if (own->version < LR_ONNX_FIRST_LISTED || own->version > LR_ONNX_LAST_LISTED ||
        model->version < LR_ONNX_FIRST_LISTED || model->version > LR_ONNX_LAST_LISTED)
        return lr_err_set(
            e, LR_EUNSUP,
            "function %.80s is written for opset %lld, the model for opset %lld, and "
            "what "
            "changed before opset %d or after opset %d is not known here: write both for "
            "one opset",
            f->p->name, (long long)own->version, (long long)model->version,
            LR_ONNX_FIRST_LISTED, LR_ONNX_LAST_LISTED);
    return lr_err_set(
        e, LR_EUNSUP,
        "function %.80s is written for opset %lld, the model for opset %lld, "
        "and %.80s changed in opset %lld: write both for one opset",
        f->p->name, (long long)own->version, (long long)model->version, op,
        (long long)changed);
}

/* ---- what takes part, and what it comes to ---- */

struct tally {
    int64_t cost;
    int levels;
};

static enum lr_status visit(struct lr_onnx_functions *fs, struct lr_onnx_function *f,
                            int depth, struct lr_err *e);

static enum lr_status too_deep(struct lr_err *e)
{
    return lr_err_set(e, LR_EUNSUP, "functions are nested more than %d levels deep",
                      MAX_LEVELS);
}

/* f: whose nodes these are; NULL: the network's. */
static enum lr_status count(struct lr_onnx_functions *fs, struct tally *t,
                            struct lr_onnx_function *f, Onnx__NodeProto *const *nodes,
                            size_t n, int levels, int depth, struct lr_err *e)
{
    enum { PER_BRANCH = 3 }; /* node, attribute, graph */

    for (size_t k = 0; k < n; k++) {
        struct lr_onnx_function *callee;
        enum lr_status st = lr_onnx_callee(&callee, fs, nodes[k], e);
        int below = 0;
        if (st == LR_OK && callee && callee->is_open)
            return strcmp(callee->key, f->key) == 0
                       ? lr_err_set(e, LR_EPARSE, "function %.80s calls itself",
                                    f->p->name)
                       : lr_err_set(e, LR_EPARSE,
                                    "function %.80s calls itself by way of %.80s",
                                    callee->p->name, f->p->name);
        if (st == LR_OK && callee)
            st = visit(fs, callee, depth + 1, e);
        else if (st == LR_OK && f)
            st = check_opset(fs, f, nodes[k], e);
        if (st != LR_OK)
            return st;
        t->cost += 1 + (callee ? callee->cost : 0);
        if (!f && callee)
            fs->n_calls++;
        if (t->cost > MAX_EXPANDED)
            return lr_err_set(e, LR_EUNSUP,
                              "with its functions expanded the network has more than %d "
                              "nodes and calls",
                              MAX_EXPANDED);
        below = levels + (callee ? callee->levels : 0);
        t->levels = below > t->levels ? below : t->levels;
        if (t->levels > MAX_LEVELS)
            return too_deep(e);
        for (size_t i = 0; i < nodes[k]->n_attribute && st == LR_OK; i++) {
            const Onnx__AttributeProto *a = nodes[k]->attribute[i];
            if (a->g)
                st = count(fs, t, f, a->g->node, a->g->n_node, levels + PER_BRANCH, depth,
                           e);
            for (size_t j = 0; j < a->n_graphs && st == LR_OK; j++)
                st = count(fs, t, f, a->graphs[j]->node, a->graphs[j]->n_node,
                           levels + PER_BRANCH, depth, e);
        }
        if (st != LR_OK)
            return st;
    }
    return LR_OK;
}

static enum lr_status visit(struct lr_onnx_functions *fs, struct lr_onnx_function *f,
                            int depth, struct lr_err *e)
{
    struct tally t = {0};

    if (f->cost >= 0)
        return LR_OK;
    if (depth > MAX_LEVELS)
        return too_deep(e);
    f->is_open = f->is_reached = true;
    enum lr_status st = add_imports(fs, f, e);
    if (st == LR_OK)
        st = count(fs, &t, f, f->p->node, f->p->n_node, 1, depth, e);
    f->is_open = false;
    f->cost = t.cost;
    f->levels = t.levels;
    return st;
}

enum lr_status lr_onnx_functions_find(struct lr_onnx_functions *fs, Onnx__ModelProto *m,
                                      ProtobufCAllocator *alloc, struct lr_err *e)
{
    struct tally t = {0};
    enum lr_status st = LR_OK;

    *fs = (struct lr_onnx_functions){.m = m, .alloc = alloc};
    if (m->n_functions == 0)
        return LR_OK;
    fs->list = lr_calloc(m->n_functions, sizeof(*fs->list));
    if (!fs->list || m->n_functions > INT32_MAX)
        return lr_enomem(e, m->n_functions * sizeof(*fs->list), "functions");
    for (size_t i = 0; i < m->n_functions && st == LR_OK; i++)
        st = add(fs, m->functions[i], e);
    if (st == LR_OK)
        st = count(fs, &t, NULL, m->graph->node, m->graph->n_node, 0, 0, e);
    return st;
}

void lr_onnx_functions_clear(struct lr_onnx_functions *fs)
{
    for (size_t i = 0; i < fs->n; i++) {
        struct lr_onnx_function *f = &fs->list[i];
        for (size_t k = 0; k < f->n_defaults; k++)
            onnx__attribute_proto__free_unpacked(f->defaults[k], fs->alloc);
        lr_free(f->defaults);
        lr_names_clear(&f->default_names);
        lr_free(f->key);
        lr_free(f->head);
    }
    lr_names_clear(&fs->keys);
    lr_names_clear(&fs->heads);
    lr_free(fs->list);
    *fs = (struct lr_onnx_functions){0};
}

/* ---- those that are left ---- */

static enum lr_status mark(struct lr_onnx_functions *fs, Onnx__NodeProto *const *nodes,
                           size_t n, struct lr_err *e)
{
    for (size_t k = 0; k < n; k++) {
        struct lr_onnx_function *f;
        enum lr_status st = lr_onnx_callee(&f, fs, nodes[k], e);
        if (st == LR_OK && f && !f->is_open) {
            f->is_open = true;
            st = mark(fs, f->p->node, f->p->n_node, e);
        }
        for (size_t i = 0; i < nodes[k]->n_attribute && st == LR_OK; i++) {
            const Onnx__AttributeProto *a = nodes[k]->attribute[i];
            if (a->g)
                st = mark(fs, a->g->node, a->g->n_node, e);
            for (size_t j = 0; j < a->n_graphs && st == LR_OK; j++)
                st = mark(fs, a->graphs[j]->node, a->graphs[j]->n_node, e);
        }
        if (st != LR_OK)
            return st;
    }
    return LR_OK;
}

enum lr_status lr_onnx_functions_drop(struct lr_onnx_functions *fs, bool is_all,
                                      struct lr_err *e)
{
    Onnx__ModelProto *m = fs->m;
    size_t n = 0;
    enum lr_status st = is_all ? LR_OK : mark(fs, m->graph->node, m->graph->n_node, e);

    if (st != LR_OK || fs->n == 0)
        return st;
    for (size_t i = 0; i < fs->n; i++) {
        struct lr_onnx_function *f = &fs->list[i];
        if (!is_all && (f->is_open || !f->is_reached))
            m->functions[n++] = f->p;
        else
            onnx__function_proto__free_unpacked(f->p, fs->alloc);
        f->p = NULL;
    }
    m->n_functions = n;
    if (n == 0) {
        lr_free(m->functions);
        m->functions = NULL;
    }
    return LR_OK;
}
