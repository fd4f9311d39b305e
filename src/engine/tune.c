/* Which convolutions are computed by Winograd's method. oneDNN does not choose well by
 * itself, so the two are timed in turn on the layer's own shape, and what was found is
 * remembered for good: by processor, oneDNN, threads and shape. A network computes the
 * same each time, although times never are the same. */
#include "net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ranklab/mem.h"
#include "ranklab/memo.h"

static const char memo_file[] = "convolutions";
/* Less is within what two measurements differ by. */
static const double GAIN = 1.05;
enum { MIN_ROUNDS = 3, MAX_ROUNDS = 40 };
static const double TARGET_MS = 60;

/* ---- one way to compute a layer, on memory of its own ---- */

struct trial {
    struct lr_dn_prim *prim;
    void *data[4]; /* source, filters, bias, result */
    void *scratch;
};

static void trial_free(struct trial *t)
{
    lr_dn_prim_free(t->prim);
    for (int i = 0; i < 4; i++)
        lr_free(t->data[i]);
    lr_free(t->scratch);
}

static enum lr_status give(struct trial *t, struct lr_dn *dn, enum lr_dn_role role, int i,
                           struct lr_err *e)
{
    const struct lr_dn_desc *d = lr_dn_prim_desc(dn, t->prim, role);
    size_t bytes = d ? lr_dn_bytes(d) : 0;

    t->data[i] = lr_alloc(bytes ? bytes : 1, 1);
    if (!d || !t->data[i])
        return lr_enomem(e, bytes, "a trial of a convolution");
    /* neither subnormal nor zero, which processors may treat in their own ways */
    float *x = t->data[i];
    for (size_t k = 0; k < bytes / sizeof(float); k++)
        x[k] = 0.01F * (float)(k % 97) - 0.5F;
    enum lr_status s = lr_dn_prim_bind(dn, t->prim, (int)role, d, e);
    return s ? s : lr_dn_prim_set(t->prim, (int)role, t->data[i], e);
}

static enum lr_status trial_init(struct trial *t, struct lr_dn *dn,
                                 const struct lr_dn_conv *c, struct lr_err *e)
{
    const enum lr_dn_role roles[] = {LR_DN_SRC, LR_DN_WEIGHTS, LR_DN_DST, LR_DN_BIAS};
    enum lr_status s = lr_dn_make_conv(&t->prim, dn, c, NULL, e);

    for (int i = 0; !s && i < (c->has_bias ? 4 : 3); i++)
        s = give(t, dn, roles[i], i, e);
    if (s)
        return s;
    t->scratch = lr_alloc(lr_dn_prim_scratch(t->prim) + 1, 1);
    if (!t->scratch)
        return lr_enomem(e, lr_dn_prim_scratch(t->prim), "a trial of a convolution");
    return lr_dn_prim_set_scratch(dn, t->prim, t->scratch, e);
}

static enum lr_status trial_run(struct trial *t, struct lr_dn *dn, double *ms,
                                struct lr_err *e)
{
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    enum lr_status s = lr_dn_prim_run(dn, t->prim, e);
    if (!s)
        s = lr_dn_wait(dn, e);
    clock_gettime(CLOCK_MONOTONIC, &b);
    *ms = 1e3 * (double)(b.tv_sec - a.tv_sec) + 1e-6 * (double)(b.tv_nsec - a.tv_nsec);
    return s;
}

/* The shortest runs of both, which take turns: what else the machine does only adds. */
static enum lr_status race(struct trial *t, struct lr_dn *dn, double *ms,
                           struct lr_err *e)
{
    double spent = 0, one;
    enum lr_status s = LR_OK;

    ms[0] = ms[1] = INFINITY;
    for (int n = 0; !s && (n <= MIN_ROUNDS || (n <= MAX_ROUNDS && spent < TARGET_MS));
         n++)
        for (int i = 0; !s && i < 2; i++) {
            s = trial_run(&t[i], dn, &one, e);
            /* the first run of each finds cold caches */
            if (n > 0)
                ms[i] = fmin(ms[i], one);
            spent += one;
        }
    return s;
}

/* ---- what is remembered ---- */

static enum lr_status key_of(struct lr_strbuf *key, const struct lr_net *net,
                             const struct lr_dn_conv *c, struct lr_err *e)
{
    char cpu[192], version[64];

    lr_dn_version(version, sizeof(version));
    lr_strbuf_printf(key,
                     "%s; %s; %d threads; %lldx%lldx%lldx%lld to %lld, pads %lld %lld",
                     lr_cpu_name(cpu, sizeof(cpu)), version, net->n_threads,
                     (long long)c->n, (long long)c->c, (long long)c->ih, (long long)c->iw,
                     (long long)c->d, (long long)c->pad_lo[0], (long long)c->pad_lo[1]);
    lr_strbuf_printf(key, " %lld %lld%s", (long long)c->pad_hi[0],
                     (long long)c->pad_hi[1], c->has_bias ? ", bias" : "");
    return key->is_failed ? lr_enomem(e, key->len, "a key") : LR_OK;
}

/* Measured anew each time, a network might not compute the same twice. */
static enum lr_status cannot_remember(struct lr_err *e)
{
    char why[sizeof(e->msg)];

    memcpy(why, e->msg, sizeof(why));
    return lr_err_set(e, LR_EIO,
                      "convolution auto has to remember what is faster: %s; set "
                      "convolution direct does without",
                      why);
}

static enum lr_status measure(char **found, const struct lr_net *net, const char *key,
                              struct lr_dn_conv *c, struct lr_err *e)
{
    struct trial t[2] = {{0}};
    double ms[2] = {0};
    char value[96];
    enum lr_status s = LR_OK;

    for (int i = 0; !s && i < 2; i++) {
        c->is_winograd = i == 1;
        s = trial_init(&t[i], net->dn, c, e);
    }
    if (!s)
        s = race(t, net->dn, ms, e);
    trial_free(&t[0]);
    trial_free(&t[1]);
    if (s)
        return s;
    snprintf(value, sizeof(value), "%s, direct %.4f ms, winograd %.4f ms",
             ms[1] * GAIN < ms[0] ? "winograd" : "direct", ms[0], ms[1]);
    s = lr_memo_put(found, memo_file, key, value, false, e);
    return s == LR_EIO ? cannot_remember(e) : s;
}

static enum lr_status choose(bool *is_winograd, const struct lr_net *net,
                             struct lr_dn_conv *c, struct lr_err *e)
{
    struct lr_strbuf key = {0};
    char *found = NULL;
    enum lr_status s = key_of(&key, net, c, e);

    if (!s)
        s = lr_memo_find(&found, memo_file, key.s, e);
    if (!s && !found)
        s = measure(&found, net, key.s, c, e);
    if (!s)
        *is_winograd = strncmp(found, "winograd", 8) == 0;
    lr_free(found);
    lr_strbuf_free(&key);
    return s;
}

/* ---- the network ---- */

static bool has_winograd(const struct lr_net *net, struct lr_dn_conv *c)
{
    struct lr_dn_prim *p = NULL;
    struct lr_err ignored = {0};

    if (c->kh != 3 || c->kw != 3 || c->group != 1 || c->stride[0] != 1 ||
        c->stride[1] != 1 || c->dil[0] != 1 || c->dil[1] != 1)
        return false;
    c->is_winograd = true;
    bool has = lr_dn_make_conv(&p, net->dn, c, NULL, &ignored) == LR_OK;
    lr_dn_prim_free(p);
    return has;
}

static enum lr_status tune_node(struct lr_eng_build *b, int k, int how)
{
    const struct lr_node *n = &b->g->nodes[k];
    struct lr_dn_conv c;
    struct lr_err ignored = {0}, *e = b->e;

    if (n->op != LR_OP_CONV || n->why_unsupported || n->n_in < 2 || n->n_out < 1 ||
        n->in[0] < 0 || n->out[0] < 0 || b->vals[n->out[0]].is_int)
        return LR_OK;
    /* what is wrong with a node is said when its turn comes */
    b->e = &ignored;
    enum lr_status s = lr_eng_conv_shape(b, n, &c);
    b->e = e;
    if (s || !has_winograd(b->net, &c))
        return LR_OK;
    b->is_winograd[k] = true;
    s = how == LR_CONV_AUTO ? choose(&b->is_winograd[k], b->net, &c, e) : LR_OK;
    b->keeps_layout = b->keeps_layout || b->is_winograd[k];
    return s;
}

enum lr_status lr_eng_tune(struct lr_eng_build *b)
{
    int how = b->opts->convolution != LR_CONV_OF_GRAPH ? b->opts->convolution
                                                       : b->g->convolution;

    if (how != LR_CONV_AUTO && how != LR_CONV_WINOGRAD)
        return LR_OK;
    for (int k = 0; k < b->g->n_nodes; k++) {
        enum lr_status s = b->is_needed[k] ? tune_node(b, k, how) : LR_OK;
        if (s) {
            lr_err_prefix(b->e, "%s", b->g->nodes[k].name ? b->g->nodes[k].name : "?");
            return s;
        }
    }
    return LR_OK;
}
