/* Rewrites that leave the network's function as it is: nodes that do nothing go, a MatMul
 * and its bias become a Gemm, BatchNormalization is folded into the convolution or Gemm
 * before it. With
 * k = scale / sqrt(var + epsilon) the folded weights are k w and the bias k (b - mean) +
 * bias, computed in double and rounded once. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

enum lr_status lr_bn_affine(double **k, double **shift, const struct lr_graph *g,
                            const struct lr_node *bn, int64_t n, bool *is_ok,
                            struct lr_err *e)
{
    struct lr_tensor *t[4] = {0};
    double epsilon = (double)lr_node_float(bn, "epsilon", 1e-5f);
    enum lr_status st = LR_OK;

    *is_ok = false;
    *k = lr_alloc((size_t)n, sizeof(**k));
    *shift = lr_alloc((size_t)n, sizeof(**shift));
    if (!*k || !*shift) {
        st = lr_enomem(e, (size_t)n * sizeof(double), "batch normalisation");
        goto out;
    }
    for (int i = 0; i < 4; i++) {
        const struct lr_tensor *p = g->values[bn->in[i + 1]].tensor;
        if (!p || p->dtype != LR_DT_F32 || p->shape.n_dims != 1 || p->shape.dims[0] != n)
            goto out;
        st = lr_tensor_clone(&t[i], p, e);
        if (st != LR_OK)
            goto out;
    }
    const float *scale = t[0]->data, *bias = t[1]->data, *mean = t[2]->data,
                *var = t[3]->data;
    *is_ok = true;
    for (int64_t i = 0; i < n; i++) {
        (*k)[i] = (double)scale[i] / sqrt((double)var[i] + epsilon);
        (*shift)[i] = (double)bias[i] - (*k)[i] * (double)mean[i];
        *is_ok = *is_ok && isfinite((*k)[i]) && isfinite((*shift)[i]);
    }
out:
    for (int i = 0; i < 4; i++)
        lr_tensor_free(t[i]);
    return st;
}

/* A folding pass: uses and is_touched cover the values there were at its start. */
struct pass {
    struct lr_graph *g;
    int n_values;
    int *uses;
    bool *is_touched; /* constants that may have lost their last reader */
    struct lr_names names;
};

/* Adds t, which is taken over, as a constant NODE_suffix. */
static enum lr_status add_constant(struct pass *p, int *v, const char *node,
                                   const char *suffix, struct lr_tensor *t,
                                   struct lr_err *e)
{
    struct lr_strbuf base = {0};
    char *name = NULL;
    bool is_new;
    enum lr_status st = LR_OK;

    if (!p->names.root)
        st = lr_graph_value_names(&p->names, p->g, e);
    lr_strbuf_printf(&base, "%s_%s", node, suffix);
    if (st == LR_OK)
        st = base.is_failed ? lr_enomem(e, strlen(node), "a name")
                            : lr_unique_name_in(&name, &p->names, base.s, e);
    lr_strbuf_free(&base);
    if (st != LR_OK) {
        lr_tensor_free(t);
        return st;
    }
    st = lr_graph_add_value(p->g, v, name, t, e);
    lr_free(name);
    if (st == LR_OK && !lr_names_put(&p->names, p->g->values[*v].name, *v, &is_new))
        st = lr_enomem(e, 64, "names");
    return st;
}

/* Replaces constant input i of node n by t, which is taken over: in place when only n
 * reads it, else as a new value. */
static enum lr_status set_constant(struct pass *p, struct lr_node *n, int i,
                                   const char *suffix, struct lr_tensor *t,
                                   struct lr_err *e)
{
    int v = i < n->n_in ? n->in[i] : -1, old = v;

    /* Values made by the pass itself belong to one node only. */
    if (v >= 0 && !p->g->values[v].is_output && (v >= p->n_values || p->uses[v] == 1)) {
        lr_tensor_free(p->g->values[v].tensor);
        p->g->values[v].tensor = t;
        p->g->values[v].shape = t->shape;
        return LR_OK;
    }
    enum lr_status st = add_constant(p, &v, n->name, suffix, t, e);
    if (st != LR_OK)
        return st;
    if (i >= n->n_in) {
        int *in = lr_realloc(n->in, (size_t)n->n_in, (size_t)i + 1, sizeof(*in));
        if (!in)
            return lr_enomem(e, ((size_t)i + 1) * sizeof(*in), "a node");
        for (int j = n->n_in; j <= i; j++)
            in[j] = -1;
        n->in = in;
        n->n_in = i + 1;
    }
    n->in[i] = v;
    if (old >= 0) {
        p->uses[old]--;
        p->is_touched[old] = true;
    }
    return LR_OK;
}

/* What a fold into node n starts from: its weights and the number of outputs. */
struct target {
    const struct lr_tensor *w, *b; /* b may be NULL */
    int64_t n_out;
    bool is_gemm, is_trans_b;
    double beta;
};

static const struct lr_tensor *constant_in(const struct lr_graph *g,
                                           const struct lr_node *n, int i)
{
    return i < n->n_in && n->in[i] >= 0 ? g->values[n->in[i]].tensor : NULL;
}

/* Can the node take a scale and a shift per output? Everything checked from the shapes.
 */
static bool find_target(struct target *t, const struct lr_graph *g,
                        const struct lr_node *n)
{
    bool has_bias = n->n_in > 2 && n->in[2] >= 0;

    *t = (struct target){.w = constant_in(g, n, 1), .b = constant_in(g, n, 2), .beta = 1};
    if ((n->op != LR_OP_CONV && n->op != LR_OP_GEMM) || !t->w || (has_bias && !t->b) ||
        t->w->dtype != LR_DT_F32 || (t->b && t->b->dtype != LR_DT_F32))
        return false;
    if (n->op == LR_OP_CONV) {
        t->n_out = t->w->shape.n_dims > 2 ? t->w->shape.dims[0] : 0;
        return t->n_out > 0 &&
               (!t->b || (t->b->shape.n_dims == 1 && t->b->shape.dims[0] == t->n_out));
    }
    if (t->w->shape.n_dims != 2)
        return false;
    t->is_gemm = true;
    t->is_trans_b = lr_node_int(n, "transB", 0) != 0;
    t->n_out = t->w->shape.dims[t->is_trans_b ? 0 : 1];
    t->beta = (double)lr_node_float(n, "beta", 1.0f);
    int64_t count = 1;
    if (t->b && lr_shape_count(&count, &t->b->shape, NULL) != LR_OK)
        return false;
    return t->n_out > 0 &&
           (!t->b || count == 1 ||
            (count == t->n_out && t->b->shape.dims[t->b->shape.n_dims - 1] == t->n_out));
}

/* The folded weights and bias; *is_ok false when they do not fit into float. */
static enum lr_status scaled(struct lr_tensor **w, struct lr_tensor **b,
                             const struct target *t, const double *k, const double *shift,
                             bool *is_ok, struct lr_err *e)
{
    struct lr_shape s = {.n_dims = 1, .dims = {t->n_out}};
    int64_t count, n_bias = 0;
    enum lr_status st = lr_shape_count(&count, &t->w->shape, e);

    *w = *b = NULL;
    if (st == LR_OK && t->b)
        st = lr_shape_count(&n_bias, &t->b->shape, e);
    if (st == LR_OK)
        st = lr_tensor_clone(w, t->w, e);
    if (st == LR_OK)
        st = lr_tensor_new(b, LR_DT_F32, &s, e);
    if (st != LR_OK)
        return st;
    float *y = (*w)->data, *z = (*b)->data;
    int64_t run = count / t->n_out;
    for (int64_t i = 0; i < count; i++) {
        int64_t o = t->is_gemm && !t->is_trans_b ? i % t->n_out : i / run;
        y[i] = (float)(k[o] * (double)y[i]);
    }
    const float *old = t->b ? t->b->data : NULL;
    for (int64_t o = 0; o < t->n_out; o++) {
        double x = old ? t->beta * (double)old[n_bias == 1 ? 0 : o] : 0;
        z[o] = (float)(k[o] * x + shift[o]);
    }
    *is_ok = lr_all_finite(y, (size_t)count) && lr_all_finite(z, (size_t)t->n_out);
    return LR_OK;
}

/* One number per channel of a convolution's output, or one for all? */
static bool is_per_channel(const struct lr_tensor *t, int64_t d)
{
    const int n = t->shape.n_dims;
    int64_t count;

    if (t->dtype != LR_DT_F32 || n > 4 ||
        lr_shape_count(&count, &t->shape, NULL) != LR_OK)
        return false;
    return count == 1 || (n >= 3 && count == d && t->shape.dims[n - 3] == d);
}

/* The constant that an Add or Mul puts on a convolution's output x; NULL when it is none.
 */
static const struct lr_tensor *channel_constant(const struct lr_graph *g,
                                                const struct lr_node *n, int *x)
{
    if ((n->op != LR_OP_ADD && n->op != LR_OP_MUL) || g->opset < 7 || n->n_in != 2 ||
        n->in[0] < 0 || n->in[1] < 0 || n->n_out != 1 || n->out[0] < 0)
        return NULL;
    int c = g->values[n->in[0]].tensor ? 0 : 1;
    const struct lr_tensor *t = g->values[n->in[c]].tensor;
    const struct lr_value *v = &g->values[ *x = n->in[1 - c]];
    if (!t || v->tensor || v->producer < 0 || !v->has_shape || v->shape.n_dims != 4 ||
        g->nodes[v->producer].op != LR_OP_CONV || !is_per_channel(t, v->shape.dims[1]))
        return NULL;
    return t;
}

enum lr_status lr_constant_affine(double **k, double **shift, const struct lr_node *n,
                                  const struct lr_tensor *t, int64_t n_out,
                                  struct lr_err *e)
{
    int64_t count = 0;
    enum lr_status st = lr_shape_count(&count, &t->shape, e);

    *k = lr_alloc((size_t)n_out, sizeof(**k));
    *shift = lr_alloc((size_t)n_out, sizeof(**shift));
    if (st == LR_OK && (!*k || !*shift))
        st = lr_enomem(e, (size_t)n_out * sizeof(double), "a bias");
    for (int64_t i = 0; st == LR_OK && i < n_out; i++) {
        double x = (double)((const float *)t->data)[count == 1 ? 0 : i];
        (*k)[i] = n->op == LR_OP_MUL ? x : 1;
        (*shift)[i] = n->op == LR_OP_MUL ? 0 : x;
    }
    return st;
}

/* Folds bn, a normalisation or an Add or Mul of the constant t, into n where that is
 * exact.
 */
static enum lr_status fold(struct pass *p, struct lr_node *n, const struct lr_node *bn,
                           const struct lr_tensor *constant, bool *is_done,
                           struct lr_err *e)
{
    double *k = NULL, *shift = NULL;
    struct lr_tensor *w = NULL, *b = NULL;
    struct target t;
    bool is_ok = false;
    enum lr_status st = LR_OK;

    *is_done = false;
    if (!find_target(&t, p->g, n))
        return LR_OK;
    is_ok = constant != NULL;
    st = constant ? lr_constant_affine(&k, &shift, bn, constant, t.n_out, e)
                  : lr_bn_affine(&k, &shift, p->g, bn, t.n_out, &is_ok, e);
    if (st == LR_OK && is_ok)
        st = scaled(&w, &b, &t, k, shift, &is_ok, e);
    if (st != LR_OK || !is_ok)
        goto out;
    st = set_constant(p, n, 1, "weight", w, e);
    w = NULL;
    if (st != LR_OK)
        goto out;
    st = set_constant(p, n, 2, "bias", b, e);
    b = NULL;
    if (st != LR_OK)
        goto out;
    lr_node_drop_attr(n, "beta");
    *is_done = true;
out:
    lr_tensor_free(w);
    lr_tensor_free(b);
    lr_free(k);
    lr_free(shift);
    return st;
}

/* Is this a normalisation with constant parameters in inference mode? */
static bool is_plain_bn(const struct lr_graph *g, const struct lr_node *n)
{
    if (n->op != LR_OP_BATCH_NORMALIZATION || n->n_in < 5 || n->n_out < 1 ||
        n->out[0] < 0 || lr_node_int(n, "training_mode", 0) != 0 ||
        (g->opset < 9 && lr_node_int(n, "spatial", 1) == 0))
        return false;
    for (int i = 0; i < 5; i++)
        if (n->in[i] < 0)
            return false;
    for (int i = 1; i < n->n_out; i++)
        if (n->out[i] >= 0)
            return false;
    return true;
}

/* The constant that node add puts on top of a MatMul with constant weights, when the two
 * are a fully connected layer on [batch, c]; -1 otherwise. *k: the MatMul. */
static int bias_of(const struct pass *p, const struct lr_node *add, int *k)
{
    const struct lr_graph *g = p->g;

    if (g->opset < 7 || add->op != LR_OP_ADD || add->n_in != 2 || add->n_out != 1 ||
        add->out[0] < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        int x = add->in[i], b = add->in[1 - i];
        if (x < 0 || b < 0 || x >= p->n_values || p->uses[x] != 1 ||
            g->values[x].is_output || g->values[x].producer < 0)
            continue;
        const struct lr_value *y = &g->values[x];
        const struct lr_node *n = &g->nodes[y->producer];
        const struct lr_tensor *w = constant_in(g, n, 1), *t = g->values[b].tensor;
        if (n->op != LR_OP_MAT_MUL || n->n_in != 2 || n->n_out != 1 || !w || !t ||
            w->shape.n_dims != 2 || w->dtype != LR_DT_F32 || t->dtype != LR_DT_F32 ||
            !y->has_shape || y->shape.n_dims != 2 ||
            !lr_tensor_is_row(t, w->shape.dims[1]))
            continue;
        *k = y->producer;
        return b;
    }
    return -1;
}

/* Makes the MatMul before node add a Gemm with add's constant; *is_done: add is idle. */
static enum lr_status join_bias(struct pass *p, const struct lr_node *add, bool *is_done,
                                struct lr_err *e)
{
    int k, b = bias_of(p, add, &k);
    char *type = NULL;

    *is_done = false;
    if (b < 0)
        return LR_OK;
    struct lr_node *n = &p->g->nodes[k];
    enum lr_status st = lr_string_set(&type, "Gemm", e);
    int *in = st == LR_OK ? lr_realloc(n->in, 2, 3, sizeof(*in)) : NULL;
    if (!in) {
        lr_free(type);
        return st != LR_OK ? st : lr_enomem(e, 3 * sizeof(*in), "a node");
    }
    lr_free(n->type);
    n->type = type;
    n->op = LR_OP_GEMM;
    n->in = in;
    n->in[2] = b;
    n->n_in = 3;
    p->g->values[n->out[0]].producer = -1;
    n->out[0] = add->out[0];
    p->g->values[n->out[0]].producer = k;
    *is_done = true;
    return LR_OK;
}

const char *lr_bn_why_unfolded(const struct lr_graph *g, const struct lr_node *n,
                               char *buf, size_t size)
{
    int x = n->n_in > 0 ? n->in[0] : -1, users[1];
    struct target t;

    if (lr_graph_has_hidden(g)) {
        snprintf(buf, size, "the network holds parts that are not interpreted");
        return buf;
    }
    if (!is_plain_bn(g, n)) {
        snprintf(buf, size, "it is not in inference mode, or gives more than one output");
        return buf;
    }
    for (int i = 1; i < 5; i++) {
        const struct lr_tensor *p = g->values[n->in[i]].tensor;
        if (p && p->dtype == LR_DT_F32)
            continue;
        snprintf(buf, size, "its parameter %.60s is not %s", g->values[n->in[i]].name,
                 p ? "of type float" : "constant");
        return buf;
    }
    const struct lr_node *before =
        g->values[x].producer >= 0 ? &g->nodes[g->values[x].producer] : NULL;
    int n_users = lr_graph_consumers(g, x, users, 1);
    if (!before)
        snprintf(buf, size, "it reads an input of the network");
    else if (before->op != LR_OP_CONV && before->op != LR_OP_GEMM)
        snprintf(buf, size, "%.60s before it is a %.40s, no convolution", before->name,
                 before->type);
    else if (n_users > 1)
        snprintf(buf, size, "the response of %.60s has %d consumers", before->name,
                 n_users);
    else if (g->values[x].is_output)
        snprintf(buf, size, "the response of %.60s is an output of the network",
                 before->name);
    else if (!find_target(&t, g, before))
        snprintf(buf, size, "the weights or the bias of %.60s are not constant floats",
                 before->name);
    else
        snprintf(buf, size, "the folded weights of %.60s would not be finite numbers",
                 before->name);
    return buf;
}

enum lr_status lr_graph_fold_bn(struct lr_graph *g, int *n_folded, struct lr_err *e)
{
    struct pass p = {.g = g};
    bool *is_dead = NULL;
    int folded = 0;

    if (n_folded)
        *n_folded = 0;
    if (lr_graph_has_hidden(g))
        return LR_OK;
    enum lr_status st = lr_graph_drop_noops(g, e);
    if (st == LR_OK)
        st = lr_graph_count_uses(&p.uses, g, e);
    p.n_values = g->n_values;
    p.is_touched = lr_calloc((size_t)g->n_values, sizeof(*p.is_touched));
    is_dead = lr_calloc((size_t)g->n_nodes, sizeof(*is_dead));
    if (st == LR_OK && (!is_dead || !p.is_touched))
        st = lr_enomem(e, (size_t)g->n_nodes, "the network");
    for (int k = 0; k < g->n_nodes && st == LR_OK; k++) {
        struct lr_node *bn = &g->nodes[k];
        bool is_done;
        if ((st = join_bias(&p, bn, &is_done, e)) != LR_OK)
            break;
        is_dead[k] = is_done;
        int x = bn->n_in > 0 ? bn->in[0] : -1;
        const bool is_bn = is_plain_bn(g, bn);
        const struct lr_tensor *constant = is_bn ? NULL : channel_constant(g, bn, &x);
        if ((!is_bn && !constant) || x >= p.n_values)
            continue;
        int producer = g->values[x].producer;
        if (producer < 0 || p.uses[x] != 1 || g->values[x].is_output)
            continue;
        struct lr_node *n = &g->nodes[producer];
        st = fold(&p, n, bn, constant, &is_done, e);
        if (st != LR_OK || !is_done)
            continue;
        n->out[0] = bn->out[0];
        g->values[bn->out[0]].producer = producer;
        g->values[x].producer = -1;
        for (int i = 0; i < bn->n_in; i++)
            if (bn->in[i] >= 0 && bn->in[i] < p.n_values)
                p.is_touched[bn->in[i]] = true;
        is_dead[k] = true;
        folded += is_bn;
    }
    if (is_dead)
        lr_graph_compact(g, is_dead);
    if (st == LR_OK)
        st = lr_graph_sweep(g, p.is_touched, p.n_values, e);
    if (n_folded)
        *n_folded = folded;
    lr_names_clear(&p.names);
    lr_free(p.uses);
    lr_free(p.is_touched);
    lr_free(is_dead);
    return st;
}
