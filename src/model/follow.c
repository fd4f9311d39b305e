/* What follows a layer's response: an activation, an addition, something else. A response
 * that goes into an addition alone is looked at behind the addition, because that is
 * where its nonlinearity is. Readers are listed once for the whole graph, so that a
 * network of many layers costs no more than one pass. */
#include <float.h>
#include <math.h>

#include "model.h"

void lr_readers_clear(struct lr_readers *r)
{
    lr_free(r->start);
    lr_free(r->end);
    lr_free(r->nodes);
    *r = (struct lr_readers){0};
}

enum lr_status lr_readers_find(struct lr_readers *r, const struct lr_graph *g,
                               struct lr_err *e)
{
    size_t n = 0;
    int total = 0;

    *r = (struct lr_readers){0};
    for (int k = 0; k < g->n_nodes; k++)
        n += (size_t)g->nodes[k].n_in;
    r->start = lr_calloc((size_t)g->n_values + 1, sizeof(int));
    r->end = lr_calloc((size_t)g->n_values + 1, sizeof(int));
    r->nodes = lr_alloc(n, sizeof(int));
    if (!r->start || !r->end || !r->nodes || n > INT32_MAX)
        return lr_enomem(e, n * sizeof(int), "the layers");
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_in; i++)
            if (g->nodes[k].in[i] >= 0)
                r->start[g->nodes[k].in[i]]++;
    for (int v = 0; v < g->n_values; v++) {
        int count = r->start[v];
        r->start[v] = r->end[v] = total;
        total += count;
    }
    /* A node that reads a value twice is one reader. */
    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_in; i++) {
            int v = g->nodes[k].in[i];
            if (v >= 0 && (r->end[v] == r->start[v] || r->nodes[r->end[v] - 1] != k))
                r->nodes[r->end[v]++] = k;
        }
    return LR_OK;
}

/* What one node means for a response that it reads. */
struct next {
    enum lr_follow follow;
    struct lr_activation act;
    const char *remark; /* for its name, or NULL */
};

static struct next piecewise(float lo, float hi, float slope)
{
    struct next x = {LR_FOLLOW_PIECEWISE, {lo, hi, slope}, NULL};

    if (lr_act_is_relu(&x.act))
        x.follow = LR_FOLLOW_RELU;
    else if (!lr_act_is_nonlinear(&x.act))
        x = (struct next){LR_FOLLOW_NONE, lr_act_none, NULL};
    return x;
}

static struct next clip(const struct lr_graph *g, const struct lr_node *n)
{
    float lo, hi;

    if (lr_node_clip(&lo, &hi, g, n, NULL) != LR_OK || !(lo < hi))
        return (struct next){LR_FOLLOW_OTHER, lr_act_none, NULL};
    return piecewise(lo <= -FLT_MAX ? -INFINITY : lo, hi >= FLT_MAX ? INFINITY : hi, 0);
}

/* A PRelu with one slope for all channels is a LeakyRelu. */
static struct next prelu(const struct lr_graph *g, const struct lr_node *n)
{
    struct next other = {LR_FOLLOW_OTHER, lr_act_none, NULL};
    const struct lr_tensor *t =
        n->n_in > 1 && n->in[1] >= 0 ? g->values[n->in[1]].tensor : NULL;
    struct lr_tensor *slope = NULL;
    int64_t count;

    if (!t || lr_shape_count(&count, &t->shape, NULL) != LR_OK || count != 1 ||
        lr_tensor_to_f32(&slope, t, NULL) != LR_OK)
        return other;
    float a = *(const float *)slope->data;
    lr_tensor_free(slope);
    return a >= 0 && a < 1 ? piecewise(0, INFINITY, a) : other;
}

/* Why an addition is no residual sum of two activations of one shape; NULL when it is. */
static const char *sum_remark(const struct lr_graph *g, const struct lr_node *add, int v)
{
    if (add->n_in != 2)
        return NULL;
    int other = add->in[0] == v ? add->in[1] : add->in[0];
    if (other < 0)
        return NULL;
    if (other == v)
        return "itself";
    if (g->values[other].tensor)
        return "constant";
    if (g->values[other].has_shape && g->values[v].has_shape &&
        !lr_shape_equal(&g->values[other].shape, &g->values[v].shape))
        return "broadcast";
    return NULL;
}

static struct next next_of(const struct lr_graph *g, const struct lr_node *n, int v)
{
    struct next other = {LR_FOLLOW_OTHER, lr_act_none, NULL};
    float slope;

    switch (n->op) {
    case LR_OP_RELU:
        return piecewise(0, INFINITY, 0);
    case LR_OP_CLIP:
        return clip(g, n);
    case LR_OP_LEAKY_RELU:
        slope = lr_node_float(n, "alpha", 0.01f);
        return slope >= 0 && slope < 1 ? piecewise(0, INFINITY, slope) : other;
    case LR_OP_ADD:
        other.remark = sum_remark(g, n, v);
        return other;
    case LR_OP_PRELU:
        return n->in[0] == v ? prelu(g, n) : other;
    case LR_OP_SIGMOID:
    case LR_OP_HARD_SIGMOID:
    case LR_OP_HARD_SWISH:
    case LR_OP_ELU:
    case LR_OP_SELU:
    case LR_OP_CELU:
    case LR_OP_GELU:
    case LR_OP_MISH:
    case LR_OP_SOFTPLUS:
    case LR_OP_SOFTSIGN:
    case LR_OP_TANH:
    case LR_OP_SOFTMAX:
    case LR_OP_BATCH_NORMALIZATION:
    case LR_OP_MUL:
    case LR_OP_UNKNOWN:
        return other;
    default:
        return (struct next){LR_FOLLOW_NONE, lr_act_none, NULL};
    }
}

static bool is_same_act(const struct next *a, const struct next *b)
{
    return lr_act_is_nonlinear(&a->act) && a->act.lo == b->act.lo &&
           a->act.hi == b->act.hi && a->act.slope == b->act.slope;
}

/* The activation that a product of v with a function of v spells out, by the functions on
 * the way, or NULL: x sigmoid(x) and the like. from: where that way begins. */
static const char *gate(const struct lr_graph *g, const struct lr_readers *r, int v,
                        int from, int product)
{
    enum { MOST = 6 };
    bool has_erf = false, has_soft = false, has_sigmoid = false, has_hard = false;

    for (int k = from, i = 0; k != product; i++) {
        const struct lr_node *n = &g->nodes[k];
        has_erf = has_erf || n->op == LR_OP_ERF;
        has_soft = has_soft || n->op == LR_OP_SOFTPLUS;
        has_sigmoid = has_sigmoid || n->op == LR_OP_SIGMOID;
        has_hard = has_hard || n->op == LR_OP_HARD_SIGMOID || n->op == LR_OP_CLIP;
        int y = n->n_out > 0 ? n->out[0] : -1;
        if (i == MOST || y < 0 || y == v || r->end[y] - r->start[y] != 1)
            return NULL;
        k = r->nodes[r->start[y]];
    }
    return has_erf       ? "Gelu"
           : has_soft    ? "Mish"
           : has_sigmoid ? "Swish"
           : has_hard    ? "HardSwish"
                         : NULL;
}

/* The same for the two readers of v. */
static const char *gated(const struct lr_graph *g, const struct lr_readers *r, int v)
{
    const int *nodes = r->nodes + r->start[v];

    if (r->end[v] - r->start[v] != 2)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (g->nodes[nodes[i]].op == LR_OP_MUL && nodes[1 - i] < nodes[i])
            return gate(g, r, v, nodes[1 - i], nodes[i]);
    return NULL;
}

/* A response that is only turned round is looked at behind that: a function of single
 * values does not care for their order. */
static int behind_transposes(const struct lr_graph *g, const struct lr_readers *r, int v)
{
    int at = v;

    while (r->end[at] - r->start[at] == 1 && !g->values[at].is_output) {
        const struct lr_node *n = &g->nodes[r->nodes[r->start[at]]];
        if (n->op != LR_OP_TRANSPOSE || n->n_out < 1 || n->out[0] < 0)
            break;
        at = n->out[0];
    }
    return at;
}

/* What follows value v; several readers must all apply the same activation. */
static enum lr_status set_follow(struct lr_layer *x, const struct lr_graph *g,
                                 const struct lr_readers *r, int v, struct lr_err *e)
{
    const int *nodes = r->nodes + r->start[v];
    int n = r->end[v] - r->start[v];
    struct lr_strbuf name = {0};

    x->follow = LR_FOLLOW_NONE;
    x->act = lr_act_none;
    if (n == 0 || g->values[v].is_output)
        return LR_OK;
    struct next first = next_of(g, &g->nodes[nodes[0]], v);
    for (int i = 1; i < n; i++) {
        struct next more = next_of(g, &g->nodes[nodes[i]], v);
        if (is_same_act(&first, &more))
            continue;
        const char *activation = gated(g, r, v);
        if (activation) {
            x->follow = LR_FOLLOW_OTHER;
            lr_strbuf_puts(&name, activation);
        } else {
            lr_strbuf_printf(&name, "%d consumers", n);
        }
        x->follow_name = lr_strbuf_take(&name);
        return x->follow_name ? LR_OK : lr_enomem(e, 64, "a note");
    }
    x->follow = first.follow;
    x->act = first.act;
    lr_strbuf_puts(&name, g->nodes[nodes[0]].type);
    if (first.remark)
        lr_strbuf_printf(&name, " (%s)", first.remark);
    x->follow_name = lr_strbuf_take(&name);
    return x->follow_name ? LR_OK : lr_enomem(e, 64, "a note");
}

/* The Add's other input when the addition is a residual sum. */
static int other_input(const struct lr_graph *g, const struct lr_node *add, int v)
{
    if (add->op != LR_OP_ADD || add->n_in != 2 || add->n_out < 1 || add->out[0] < 0 ||
        !g->values[v].has_shape || sum_remark(g, add, v))
        return -1;
    int other = add->in[0] == v ? add->in[1] : add->in[0];
    return other >= 0 && g->values[other].has_shape ? other : -1;
}

enum lr_status lr_layer_find_follow(struct lr_layer *x, const struct lr_graph *g,
                                    const struct lr_readers *r, struct lr_err *e)
{
    int v = x->value;

    x->act = lr_act_none;
    x->sum_value = x->other_value = -1;
    if (r->end[v] - r->start[v] == 1 && !g->values[v].is_output) {
        const struct lr_node *next = &g->nodes[r->nodes[r->start[v]]];
        x->other_value = other_input(g, next, v);
        if (x->other_value >= 0)
            v = x->sum_value = next->out[0];
    }
    return set_follow(x, g, r, behind_transposes(g, r, v), e);
}
