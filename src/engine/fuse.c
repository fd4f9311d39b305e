/* What may be fused into the node before it: an element-wise function or an addition that
 * is the only reader of a value nobody asked for. */
#include "net.h"

#include <string.h>

#include "ranklab/mem.h"

static bool is_requested(const struct lr_eng_build *b, int v)
{
    for (int i = 0; i < b->n_requests; i++)
        if (b->requests[i].value == v)
            return true;
    return false;
}

static bool sole_reader(const struct lr_eng_build *b, int v, int *node)
{
    const struct lr_eng_val *x = &b->vals[v];
    if (x->n_users != 1 || is_requested(b, v) || b->is_done[x->user])
        return false;
    *node = x->user;
    return b->g->nodes[*node].n_out >= 1;
}

enum lr_status lr_eng_eltwise(struct lr_eng_build *b, const struct lr_node *n,
                              struct lr_dn_post *post)
{
    enum lr_status s = LR_OK;
    *post = (struct lr_dn_post){.kind = LR_DN_POST_ELTWISE};
    switch (n->op) {
    case LR_OP_RELU:
        post->alg = LR_DN_RELU;
        break;
    case LR_OP_LEAKY_RELU:
        post->alg = LR_DN_RELU;
        post->alpha = lr_node_float(n, "alpha", 0.01F);
        break;
    case LR_OP_SIGMOID:
        post->alg = LR_DN_SIGMOID;
        break;
    case LR_OP_TANH:
        post->alg = LR_DN_TANH;
        break;
    case LR_OP_HARD_SWISH:
        post->alg = LR_DN_HARD_SWISH;
        break;
    case LR_OP_ELU:
        post->alg = LR_DN_ELU;
        post->alpha = lr_node_float(n, "alpha", 1.0F);
        break;
    case LR_OP_GELU:
        post->alg = strcmp(lr_node_string(n, "approximate", "none"), "tanh") == 0
                        ? LR_DN_GELU_TANH
                        : LR_DN_GELU_ERF;
        break;
    case LR_OP_MISH:
        post->alg = LR_DN_MISH;
        break;
    case LR_OP_EXP:
        post->alg = LR_DN_EXP;
        break;
    case LR_OP_ABS:
        post->alg = LR_DN_ABS;
        break;
    case LR_OP_SQRT:
        post->alg = LR_DN_SQRT;
        break;
    case LR_OP_CLIP:
        post->alg = LR_DN_CLIP;
        s = lr_node_clip(&post->alpha, &post->beta, b->g, n, b->e);
        break;
    default:
        return lr_err_set(b->e, LR_EUNSUP, "%s is no element-wise function", n->type);
    }
    return s;
}

bool lr_eng_follow(struct lr_eng_build *b, int v, struct lr_dn_post *post, int *node)
{
    if (!sole_reader(b, v, node))
        return false;
    const struct lr_node *n = &b->g->nodes[*node];
    struct lr_err ignored = {0}, *e = b->e;
    if (n->n_in < 1 || n->in[0] != v)
        return false;
    /* a function that is refused here is refused with a message when its turn comes */
    b->e = &ignored;
    enum lr_status s = lr_eng_eltwise(b, n, post);
    b->e = e;
    return s == LR_OK;
}

bool lr_eng_follow_add(struct lr_eng_build *b, int v, int *other, int *node)
{
    if (!sole_reader(b, v, node))
        return false;
    const struct lr_node *n = &b->g->nodes[*node];
    if (n->op != LR_OP_ADD || n->n_in != 2)
        return false;
    *other = n->in[0] == v ? n->in[1] : n->in[0];
    return *other >= 0 && *other != v;
}

int lr_eng_absorb(struct lr_eng_build *b, int node)
{
    const struct lr_node *n = &b->g->nodes[node];
    b->is_done[node] = true;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0)
            b->vals[b->vals[n->in[i]].root].uses--;
    return n->out[0];
}
