/* Calls of local functions replaced by the functions' nodes, in the protobuf message, so
 * that reading and editing a file see the same network. A node of a function is copied
 * for each call; what it names is looked up in the function, and names made inside get
 * that of the call in front. Calls inside of branches come last: whether they are
 * expanded has no influence on the other names. */
#include <string.h>

#include "onnx_expand.h"

/* ---- one call ---- */

static enum lr_status push(struct lr_expander *x, Onnx__NodeProto *n, long call,
                           struct lr_err *e)
{
    if (!lr_expand_grow(&x->out, x->n_out, &x->cap_out, sizeof(*x->out)))
        return lr_enomem(e, x->n_out * sizeof(*x->out), "nodes");
    x->out[x->n_out++] = (struct lr_onnx_made){n, call};
    return LR_OK;
}

static enum lr_status expand_call(struct lr_expander *x, Onnx__NodeProto *call,
                                  const struct lr_onnx_function *f, long parent,
                                  struct lr_err *e);

/* The function's inputs are what the call puts in, its outputs what the call calls them.
 */
static enum lr_status bind_call(const struct lr_body *b, struct lr_scope *s,
                                struct lr_err *e)
{
    const Onnx__FunctionProto *p = b->f->p;
    const Onnx__NodeProto *call = b->call;
    struct lr_names given = {0};
    enum lr_status st = lr_expand_spend(b->x, 0, p->n_input + p->n_output, e);
    bool is_new;
    int at;

    if (st == LR_OK && (call->n_input > p->n_input || call->n_output > p->n_output))
        st = lr_err_set(e, LR_EPARSE,
                        "%.100s: function %.80s has %zu inputs and %zu outputs, not %zu "
                        "and %zu",
                        call->name ? call->name : "", p->name, p->n_input, p->n_output,
                        call->n_input, call->n_output);
    for (size_t i = 0; i < p->n_input && st == LR_OK; i++) {
        if (!*p->input[i])
            continue;
        st = lr_expand_keep(b->x, &at, lr_strdup(i < call->n_input ? call->input[i] : ""),
                            e);
        if (st == LR_OK)
            st = lr_expand_bind(b, s, p->input[i], at, e);
    }
    for (size_t i = 0; i < call->n_output && st == LR_OK; i++)
        if (*call->output[i] && !lr_names_put(&given, p->output[i], (int)i, &is_new))
            st = lr_enomem(e, 64, "names");
    for (size_t k = 0; k < p->n_node; k++)
        for (size_t i = 0; i < p->node[k]->n_output && st == LR_OK; i++) {
            const char *name = p->node[k]->output[i];
            const int *out = lr_names_get(&given, name);
            if (!*name)
                continue;
            if (!out) {
                st = lr_expand_define(b, s, name, e);
                continue;
            }
            st = lr_expand_keep(b->x, &at, lr_strdup(call->output[*out]), e);
            if (st == LR_OK)
                st = lr_expand_bind(b, s, name, at, e);
        }
    lr_names_clear(&given);
    return st;
}

/* Outputs that no node of the function writes under the call's name. */
static enum lr_status put_identity(const struct lr_body *b, const char *from,
                                   const char *to, long id, struct lr_err *e)
{
    Onnx__NodeProto blank = ONNX__NODE_PROTO__INIT, *n = NULL;
    char *in = lr_strdup(from), *out = lr_strdup(to), *name = NULL, type[] = "Identity";
    int at;
    enum lr_status st = in && out
                            ? lr_expand_fresh(b->x, &at, &b->x->nodes,
                                              lr_expand_join(b->prefix, "Identity"), e)
                            : lr_enomem(e, strlen(to), "a name");

    if (st == LR_OK) {
        name = b->x->texts[at].s;
        blank.op_type = type;
        blank.name = name;
        blank.n_input = blank.n_output = 1;
        blank.input = &in;
        blank.output = &out;
        st = lr_expand_copy(b->x, &n, &blank.base, e);
    }
    if (st == LR_OK)
        st = push(b->x, n, id, e);
    if (st != LR_OK && n)
        onnx__node_proto__free_unpacked(n, b->x->alloc);
    lr_free(in);
    lr_free(out);
    return st;
}

static enum lr_status hand_out(const struct lr_body *b, const struct lr_scope *s, long id,
                               struct lr_err *e)
{
    const Onnx__FunctionProto *p = b->f->p;
    enum lr_status st = LR_OK;

    for (size_t i = 0; i < p->n_output && st == LR_OK; i++) {
        const char *from = lr_expand_find(b, s, p->output[i]),
                   *to = i < b->call->n_output ? b->call->output[i] : "";
        if (!from)
            return lr_expand_bad(b, e, "is an output, but not computed", p->output[i]);
        if (!*to || strcmp(from, to) == 0)
            continue;
        if (!*from)
            return lr_expand_bad(b, e, "is an output that the call does not put in",
                                 p->output[i]);
        st = put_identity(b, from, to, id, e);
    }
    return st;
}

static enum lr_status put_nodes(const struct lr_body *b, const struct lr_scope *s,
                                long id, struct lr_err *e)
{
    const Onnx__FunctionProto *p = b->f->p;
    enum lr_status st = LR_OK;

    for (size_t k = 0; k < p->n_node && st == LR_OK; k++) {
        struct lr_onnx_function *callee;
        Onnx__NodeProto *n = NULL;
        st = lr_expand_copy(b->x, &n, &p->node[k]->base, e);
        if (st == LR_OK)
            st = lr_expand_rename(b, s, n, e);
        if (st == LR_OK)
            st = lr_onnx_callee(&callee, &b->x->c->fs, n, e);
        if (st == LR_OK && callee) {
            st = expand_call(b->x, n, callee, id, e);
            continue; /* it was taken */
        }
        if (st == LR_OK)
            st = push(b->x, n, id, e);
        if (st != LR_OK && n)
            onnx__node_proto__free_unpacked(n, b->x->alloc);
    }
    return st;
}

/* What names inside begin with: nothing where the call is all there is. */
static enum lr_status choose_prefix(struct lr_body *b, struct lr_err *e)
{
    int at;
    enum lr_status st;

    b->prefix = "";
    if (b->x->c->fs.n_calls == 1 && b->x->c->n_calls == 1 && b->f->p->n_node > 1)
        return LR_OK;
    b->prefix = b->call->name;
    if (b->prefix && *b->prefix)
        return LR_OK;
    st = lr_expand_fresh(b->x, &at, &b->x->nodes, lr_strdup(b->call->op_type), e);
    if (st == LR_OK)
        b->prefix = b->x->texts[at].s;
    return st;
}

/* Takes the call, but for one of the graph's own (parent -1), also when it fails. */
static enum lr_status expand_call(struct lr_expander *x, Onnx__NodeProto *call,
                                  const struct lr_onnx_function *f, long parent,
                                  struct lr_err *e)
{
    struct lr_body b = {.x = x, .f = f, .call = call, .is_single = f->p->n_node == 1};
    struct lr_scope s = {0};
    long id = (long)x->c->n_calls;
    enum lr_status st = LR_OK;

    if (!lr_expand_grow(&x->c->calls, x->c->n_calls, &x->cap_calls,
                        sizeof(*x->c->calls))) {
        if (parent >= 0)
            onnx__node_proto__free_unpacked(call, x->alloc);
        return lr_enomem(e, x->c->n_calls * sizeof(*x->c->calls), "calls");
    }
    x->c->calls[x->c->n_calls++] = (struct lr_onnx_call){call, parent, false};
    for (size_t i = 0; i < call->n_attribute && st == LR_OK; i++) {
        const char *name = call->attribute[i]->name;
        bool is_new = true;
        if (name && !lr_names_put(&b.attrs, name, (int)i, &is_new))
            st = lr_enomem(e, 64, "names");
        else if (!is_new)
            st = lr_err_set(e, LR_EPARSE, "%.100s: attribute %.100s is given twice",
                            call->name ? call->name : f->p->name, name);
    }
    if (st == LR_OK)
        st = choose_prefix(&b, e);
    if (st == LR_OK)
        st = bind_call(&b, &s, e);
    if (st == LR_OK)
        st = put_nodes(&b, &s, id, e);
    if (st == LR_OK)
        st = hand_out(&b, &s, id, e);
    lr_names_clear(&b.attrs);
    lr_names_clear(&s.names);
    return st;
}

/* ---- the graph ---- */

static enum lr_status note_names(struct lr_expander *x, const Onnx__GraphProto *p,
                                 struct lr_err *e)
{
    bool is_new, is_ok = true;

    for (size_t i = 0; is_ok && i < p->n_input; i++)
        is_ok =
            !p->input[i]->name || lr_names_put(&x->values, p->input[i]->name, 2, &is_new);
    for (size_t i = 0; is_ok && i < p->n_output; i++)
        is_ok = !p->output[i]->name ||
                lr_names_put(&x->values, p->output[i]->name, 2, &is_new);
    for (size_t i = 0; is_ok && i < p->n_initializer; i++)
        is_ok = !p->initializer[i]->name ||
                lr_names_put(&x->values, p->initializer[i]->name, 2, &is_new);
    for (size_t i = 0; is_ok && i < p->n_value_info; i++)
        is_ok = !p->value_info[i]->name ||
                lr_names_put(&x->values, p->value_info[i]->name, 2, &is_new);
    for (size_t k = 0; is_ok && k < p->n_node; k++) {
        const Onnx__NodeProto *n = p->node[k];
        is_ok = !n->name || lr_names_put(&x->nodes, n->name, 2, &is_new);
        for (size_t i = 0; is_ok && i < n->n_input; i++)
            is_ok = lr_names_put(&x->values, n->input[i], 2, &is_new);
        for (size_t i = 0; is_ok && i < n->n_output; i++)
            is_ok = lr_names_put(&x->values, n->output[i], 2, &is_new);
        for (size_t i = 0; is_ok && i < n->n_attribute; i++) {
            const Onnx__AttributeProto *a = n->attribute[i];
            is_ok = !a->g || note_names(x, a->g, e) == LR_OK;
            for (size_t j = 0; is_ok && j < a->n_graphs; j++)
                is_ok = note_names(x, a->graphs[j], e) == LR_OK;
        }
    }
    return is_ok ? LR_OK : lr_enomem(e, 64, "names");
}

static enum lr_status set_nodes(struct lr_expander *x, Onnx__GraphProto *p,
                                struct lr_err *e)
{
    Onnx__NodeProto **nodes = x->n_out ? lr_alloc(x->n_out, sizeof(*nodes)) : NULL;

    if (x->n_out && !nodes)
        return lr_enomem(e, x->n_out * sizeof(*nodes), "nodes");
    for (size_t i = 0; i < x->n_out; i++)
        nodes[i] = x->out[i].node;
    lr_free(p->node);
    p->node = nodes;
    p->n_node = x->n_out;
    return LR_OK;
}

static enum lr_status expand_graph(struct lr_expander *x, Onnx__GraphProto *p,
                                   struct lr_err *e)
{
    size_t first = x->c->n_calls;
    enum lr_status st = LR_OK;

    x->n_out = 0;
    for (size_t k = 0; k < p->n_node && st == LR_OK; k++) {
        struct lr_onnx_function *f;
        st = lr_onnx_callee(&f, &x->c->fs, p->node[k], e);
        if (st == LR_OK)
            st = f ? expand_call(x, p->node[k], f, -1, e) : push(x, p->node[k], -1, e);
    }
    if (st == LR_OK)
        st = set_nodes(x, p, e);
    if (st == LR_OK)
        return LR_OK;
    for (size_t i = 0; i < x->n_out; i++)
        if (x->out[i].call >= 0)
            onnx__node_proto__free_unpacked(x->out[i].node, x->alloc);
    x->n_out = 0;
    for (size_t i = first; i < x->c->n_calls; i++)
        if (x->c->calls[i].parent < 0)
            x->c->calls[i].node = NULL; /* the graph has it still */
    return st;
}

static enum lr_status expand_branches(struct lr_expander *x, Onnx__GraphProto *p,
                                      struct lr_err *e)
{
    enum lr_status st = LR_OK;

    for (size_t k = 0; k < p->n_node; k++)
        for (size_t i = 0; i < p->node[k]->n_attribute && st == LR_OK; i++) {
            Onnx__AttributeProto *a = p->node[k]->attribute[i];
            for (size_t j = 0; j < a->n_graphs + 1 && st == LR_OK; j++) {
                Onnx__GraphProto *g = j < a->n_graphs ? a->graphs[j] : a->g;
                if (!g)
                    continue;
                st = expand_graph(x, g, e);
                if (st == LR_OK)
                    st = expand_branches(x, g, e);
            }
        }
    return st;
}

enum lr_status lr_onnx_expand(Onnx__ModelProto *m, ProtobufCAllocator *alloc,
                              struct lr_onnx_calls *calls, struct lr_err *e)
{
    struct lr_onnx_calls own = {0};
    struct lr_expander x = {.c = calls ? calls : &own, .m = m, .alloc = alloc};
    enum lr_status st;

    *x.c = (struct lr_onnx_calls){0};
    st = lr_onnx_functions_find(&x.c->fs, m, alloc, e);
    if (st != LR_OK || x.c->fs.n_calls == 0)
        goto out;
    st = note_names(&x, m->graph, e);
    if (st == LR_OK)
        st = expand_graph(&x, m->graph, e);
    if (st == LR_OK && calls) {
        calls->made = x.out;
        calls->n_made = x.n_out;
        x.out = NULL;
    } else if (st == LR_OK) {
        st = expand_branches(&x, m->graph, e);
    }
out:
    if (st == LR_OK && !calls)
        st = lr_onnx_functions_drop(&own.fs, true, e);
    lr_onnx_calls_clear(&own);
    lr_names_clear(&x.values);
    lr_names_clear(&x.nodes);
    for (size_t i = 0; i < x.n_texts; i++)
        lr_free(x.texts[i].s);
    lr_free(x.texts);
    lr_free(x.out);
    return st;
}
