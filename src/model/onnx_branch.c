/* An If whose condition is constant is replaced by the nodes of the branch it takes.
 * Branches are kept as the bytes of their attribute until then; what they name is looked
 * up in the branch first, then in the graph around it. */
#include <string.h>

#include "onnx_attr.h"

/* So many are taken at a time: each moves all nodes behind it. */
enum { MAX_TAKEN = 2000 };

/* The names of the graph while branches are taken: looking them up there for each new
 * name would take the square of what a file holds, and more where one name comes often.
 */
struct known {
    struct lr_names values, nodes;   /* values -> index */
    struct lr_names n_like, n_nodes; /* names that came before -> the next number */
    char **owned;                    /* names in these sets that are not the graph's */
    int n_owned, cap_owned;
};

struct branch {
    struct lr_graph *g;
    struct known *known;
    struct lr_names inner; /* names -> value index */
    int at;                /* where the next node goes */
};

static enum lr_status own_room(struct known *n, struct lr_err *e)
{
    if (n->n_owned < n->cap_owned)
        return LR_OK;
    int cap = n->cap_owned ? 2 * n->cap_owned : 16;
    char **all = lr_realloc(n->owned, (size_t)n->n_owned, (size_t)cap, sizeof(*all));
    if (!all)
        return lr_enomem(e, (size_t)cap * sizeof(*all), "names");
    n->owned = all;
    n->cap_owned = cap;
    return LR_OK;
}

/* Keeps name, which is taken over. */
static enum lr_status own(struct known *n, char *name, struct lr_err *e)
{
    enum lr_status st = name ? own_room(n, e) : lr_enomem(e, 64, "names");

    if (st == LR_OK)
        n->owned[n->n_owned++] = name;
    else
        lr_free(name);
    return st;
}

static void known_clear(struct known *n)
{
    lr_names_clear(&n->values);
    lr_names_clear(&n->nodes);
    lr_names_clear(&n->n_like);
    lr_names_clear(&n->n_nodes);
    for (int i = 0; i < n->n_owned; i++)
        lr_free(n->owned[i]);
    lr_free(n->owned);
}

/* base, or base_2, base_3, ...: one that is not used. next: where base was left. */
static enum lr_status unique(char **name, struct known *n, const struct lr_names *used,
                             struct lr_names *next, const char *base, struct lr_err *e)
{
    struct lr_strbuf b = {0};
    bool is_new;
    int *number = NULL;
    enum lr_status st;

    lr_strbuf_puts(&b, base);
    if (!b.is_failed && lr_names_get(used, b.s) && !(number = lr_names_get(next, b.s))) {
        st = own(n, lr_strdup(base), e);
        if (st == LR_OK)
            number = lr_names_put(next, n->owned[n->n_owned - 1], 2, &is_new);
        if (!number) {
            lr_strbuf_free(&b);
            return lr_enomem(e, 64, "names");
        }
    }
    while (!b.is_failed && lr_names_get(used, b.s)) {
        lr_strbuf_reset(&b);
        lr_strbuf_printf(&b, "%s_%d", base, (*number)++);
    }
    *name = lr_strbuf_take(&b);
    return *name ? LR_OK : lr_enomem(e, strlen(base), "a name");
}

static enum lr_status note_name(struct lr_names *used, const char *name, int value,
                                struct lr_err *e)
{
    bool is_new;

    return !name || lr_names_put(used, name, value, &is_new) ? LR_OK
                                                             : lr_enomem(e, 64, "names");
}

static enum lr_status known_make(struct known *n, const struct lr_graph *g,
                                 struct lr_err *e)
{
    enum lr_status st = lr_graph_value_names(&n->values, g, e);

    for (int k = 0; k < g->n_nodes && st == LR_OK; k++)
        st = note_name(&n->nodes, g->nodes[k].name, 0, e);
    return st;
}

static enum lr_status add_value(struct branch *b, int *v, const char *base,
                                struct lr_tensor *t, struct lr_err *e)
{
    char *name = NULL;
    enum lr_status st =
        unique(&name, b->known, &b->known->values, &b->known->n_like, base, e);

    if (st != LR_OK) {
        lr_tensor_free(t);
        return st;
    }
    st = lr_graph_add_value(b->g, v, name, t, e);
    lr_free(name);
    return st == LR_OK ? note_name(&b->known->values, b->g->values[*v].name, *v, e) : st;
}

/* The name inside the branch stands for value v. */
static enum lr_status define(struct branch *b, const char *name, int v, struct lr_err *e)
{
    bool is_new;

    if (!lr_names_put(&b->inner, name, v, &is_new))
        return lr_enomem(e, 64, "names");
    if (!is_new)
        return lr_err_set(e, LR_EPARSE, "%.100s is defined twice in a branch", name);
    return LR_OK;
}

static int find(const struct branch *b, const char *name)
{
    const int *v = lr_names_get(&b->inner, name);

    if (!v)
        v = lr_names_get(&b->known->values, name);
    return v ? *v : -1;
}

static enum lr_status node_name(char **name, struct branch *b, const char *base,
                                struct lr_err *e)
{
    return unique(name, b->known, &b->known->nodes, &b->known->n_nodes, base, e);
}

static enum lr_status add_node(struct branch *b, Onnx__NodeProto *p, struct lr_err *e)
{
    int *in = lr_alloc(p->n_input, sizeof(*in)),
        *out = lr_alloc(p->n_output, sizeof(*out));
    char *name = NULL;
    enum lr_status st = LR_OK;

    if (!in || !out || p->n_input > INT32_MAX || p->n_output > INT32_MAX)
        st = lr_enomem(e, (p->n_input + p->n_output) * sizeof(*in), "a node");
    for (size_t i = 0; i < p->n_input && st == LR_OK; i++) {
        in[i] = *p->input[i] ? find(b, p->input[i]) : -1;
        if (*p->input[i] && in[i] < 0)
            st = lr_err_set(e, LR_EPARSE, "a branch reads %.100s, which is not defined",
                            p->input[i]);
    }
    for (size_t i = 0; i < p->n_output && st == LR_OK; i++) {
        const int *given = lr_names_get(&b->inner, p->output[i]);
        out[i] = !*p->output[i] ? -1 : given ? *given : -2;
        if (out[i] == -2) {
            st = add_value(b, &out[i], p->output[i], NULL, e);
            if (st == LR_OK)
                st = define(b, p->output[i], out[i], e);
        }
    }
    if (st == LR_OK)
        st = node_name(&name, b, p->name && *p->name ? p->name : p->op_type, e);
    if (st == LR_OK)
        st = lr_graph_add_node(b->g, b->at, p->op_type, name, in, (int)p->n_input, out,
                               (int)p->n_output, e);
    if (st == LR_OK) {
        struct lr_node *n = &b->g->nodes[b->at++];
        st = note_name(&b->known->nodes, n->name, 0, e);
        if (st == LR_OK && p->domain && *p->domain)
            st = lr_string_set(&n->domain, p->domain, e);
        n->op = lr_op_find(p->op_type, p->domain);
        if (st == LR_OK)
            st = lr_onnx_attrs(n, p, NULL, e);
    }
    lr_free(name);
    lr_free(in);
    lr_free(out);
    return st;
}

/* Outputs of the branch that no node of it makes are handed on by an Identity. */
static enum lr_status name_outputs(struct branch *b, Onnx__GraphProto *p, const int *out,
                                   struct lr_err *e)
{
    enum lr_status st = LR_OK;

    for (size_t i = 0; i < p->n_output && st == LR_OK; i++) {
        const char *name = p->output[i]->name;
        bool is_made = false;
        if (out[i] < 0)
            continue;
        for (size_t k = 0; k < p->n_node; k++)
            for (size_t j = 0; j < p->node[k]->n_output; j++)
                is_made = is_made || strcmp(p->node[k]->output[j], name) == 0;
        if (is_made) {
            st = define(b, name, out[i], e);
            continue;
        }
        int from = find(b, name);
        char *node = NULL;
        if (from < 0)
            return lr_err_set(e, LR_EPARSE, "a branch gives %.100s, which is not defined",
                              name);
        st = node_name(&node, b, "identity", e);
        if (st == LR_OK)
            st =
                lr_graph_add_node(b->g, b->at, "Identity", node, &from, 1, &out[i], 1, e);
        if (st == LR_OK)
            st = note_name(&b->known->nodes, b->g->nodes[b->at++].name, 0, e);
        lr_free(node);
    }
    return st;
}

static bool is_plain(const Onnx__GraphProto *p, int n_out)
{
    bool is_ok = p->n_input == 0 && p->n_sparse_initializer == 0 &&
                 p->n_output == (size_t)n_out && p->n_node < LR_MAX_NODES;

    for (size_t i = 0; is_ok && i < p->n_output; i++)
        is_ok = p->output[i]->name && *p->output[i]->name;
    for (size_t i = 0; is_ok && i < p->n_node; i++)
        is_ok = p->node[i]->op_type && *p->node[i]->op_type;
    for (size_t i = 0; is_ok && i < p->n_initializer; i++)
        is_ok = p->initializer[i]->name && *p->initializer[i]->name;
    return is_ok;
}

static enum lr_status put(struct branch *b, Onnx__GraphProto *p, const int *out,
                          struct lr_err *e)
{
    enum lr_status st = LR_OK;

    for (size_t i = 0; i < p->n_initializer && st == LR_OK; i++) {
        struct lr_tensor *t = NULL;
        int v;
        st = lr_onnx_tensor(&t, p->initializer[i], NULL, e);
        if (st == LR_OK)
            st = add_value(b, &v, p->initializer[i]->name, t, e);
        if (st == LR_OK)
            st = define(b, p->initializer[i]->name, v, e);
    }
    if (st == LR_OK)
        st = name_outputs(b, p, out, e);
    for (size_t k = 0; k < p->n_node && st == LR_OK; k++)
        st = add_node(b, p->node[k], e);
    return st;
}

/* Replaces If node k; *is_done false: its branch is of a kind that is left alone. */
static enum lr_status take(struct lr_graph *g, struct known *known, int k, bool condition,
                           bool *is_done, struct lr_err *e)
{
    const struct lr_attr *a =
        lr_node_attr(&g->nodes[k], condition ? "then_branch" : "else_branch");
    struct branch b = {.g = g, .known = known, .at = k};
    bool has_failed, *is_dead = NULL;
    ProtobufCAllocator alloc = lr_onnx_allocator(&has_failed);
    const int n_out = g->nodes[k].n_out;
    int *out = NULL;
    enum lr_status st = LR_OK;

    *is_done = false;
    if (!a || a->kind != LR_ATTR_OPAQUE)
        return LR_OK;
    Onnx__AttributeProto *p =
        onnx__attribute_proto__unpack(&alloc, a->n, (const uint8_t *)a->s);
    if (!p)
        return has_failed ? lr_enomem(e, a->n, "a branch") : LR_OK;
    if (!p->g || !is_plain(p->g, n_out))
        goto out;
    out = lr_alloc((size_t)n_out, sizeof(*out));
    if (!out) {
        st = lr_enomem(e, (size_t)n_out * sizeof(*out), "a branch");
        goto out;
    }
    for (int i = 0; i < n_out; i++)
        out[i] = g->nodes[k].out[i];
    st = put(&b, p->g, out, e);
    if (st != LR_OK)
        goto out;
    is_dead = lr_calloc((size_t)g->n_nodes, sizeof(*is_dead));
    if (!is_dead) {
        st = lr_enomem(e, (size_t)g->n_nodes, "a branch");
        goto out;
    }
    is_dead[b.at] = true;
    /* The name of the If stays in the set. */
    if ((st = own_room(known, e)) != LR_OK)
        goto out;
    known->owned[known->n_owned++] = g->nodes[b.at].name;
    g->nodes[b.at].name = NULL;
    lr_graph_compact(g, is_dead);
    lr_graph_index(g);
    *is_done = true;
out:
    lr_free(is_dead);
    lr_free(out);
    lr_names_clear(&b.inner);
    onnx__attribute_proto__free_unpacked(p, &alloc);
    return st;
}

enum lr_status lr_graph_take_branches(struct lr_graph *g, bool *is_any, struct lr_err *e)
{
    struct known known = {0};
    int n_taken = 0;
    enum lr_status st = LR_OK;

    *is_any = false;
    for (int k = 0; k < g->n_nodes && st == LR_OK && n_taken < MAX_TAKEN; k++) {
        const struct lr_node *n = &g->nodes[k];
        int64_t count;
        bool is_done = false;
        if (n->op != LR_OP_IF || n->n_in < 1 || n->in[0] < 0)
            continue;
        const struct lr_tensor *t = g->values[n->in[0]].tensor;
        if (!t || lr_shape_count(&count, &t->shape, NULL) != LR_OK || count != 1 ||
            lr_dtype_is_float(t->dtype))
            continue;
        if (!known.values.root)
            st = known_make(&known, g, e);
        if (st == LR_OK)
            st = take(g, &known, k, lr_tensor_int_at(t, 0) != 0, &is_done, e);
        *is_any = *is_any || is_done;
        n_taken += is_done;
        k -= is_done;
    }
    known_clear(&known);
    return st;
}
