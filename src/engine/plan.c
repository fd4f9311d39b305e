/* Buffers and steps of a net, and their places in memory. Buffers whose lifetimes (first
 * to last step touching them) do not overlap share addresses: largest first, each one at
 * the lowest offset that is free during its life. One scratchpad serves all primitives.
 */
#include "net.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/mem.h"

enum { ALIGN = 64 };

int lr_eng_buf_new(struct lr_net *net, enum lr_eng_buf_kind kind, size_t bytes,
                   struct lr_err *e)
{
    if (net->n_bufs == net->cap_bufs) {
        int cap = net->cap_bufs ? 2 * net->cap_bufs : 32;
        struct lr_eng_buf *p =
            lr_realloc(net->bufs, (size_t)net->n_bufs, (size_t)cap, sizeof *p);
        if (!p) {
            lr_enomem(e, (size_t)cap * sizeof *p, "the memory plan");
            return -1;
        }
        net->bufs = p;
        net->cap_bufs = cap;
    }
    net->bufs[net->n_bufs] =
        (struct lr_eng_buf){.kind = kind, .bytes = bytes, .first = INT_MAX, .last = -1};
    return net->n_bufs++;
}

static void step_free(struct lr_eng_step *s)
{
    lr_dn_prim_free(s->prim);
    lr_free(s->arg);
    lr_free(s->uses);
    lr_free(s->bufs);
}

/* Takes s over. */
static enum lr_status add(struct lr_eng_build *b, struct lr_eng_step *s, int n,
                          const struct lr_eng_use *uses)
{
    struct lr_net *net = b->net;
    s->node = b->node;
    s->uses = lr_alloc((size_t)n, sizeof *s->uses);
    s->bufs = lr_calloc((size_t)n, sizeof *s->bufs);
    if (!s->uses || !s->bufs)
        goto nomem;
    memcpy(s->uses, uses, (size_t)n * sizeof *uses);
    s->n_uses = n;
    if (net->n_steps == net->cap_steps) {
        int cap = net->cap_steps ? 2 * net->cap_steps : 32;
        struct lr_eng_step *p =
            lr_realloc(net->steps, (size_t)net->n_steps, (size_t)cap, sizeof *p);
        if (!p)
            goto nomem;
        net->steps = p;
        net->cap_steps = cap;
    }
    for (int i = 0; i < n; i++) {
        struct lr_eng_buf *u = &net->bufs[uses[i].buf];
        if (u->first > net->n_steps)
            u->first = net->n_steps;
        if (u->last < net->n_steps)
            u->last = net->n_steps;
    }
    net->steps[net->n_steps++] = *s;
    return LR_OK;
nomem:
    step_free(s);
    return lr_enomem(b->e, sizeof *s, "a step of the net");
}

enum lr_status lr_eng_add_prim(struct lr_eng_build *b, struct lr_dn_prim *prim, int n,
                               const struct lr_eng_use *uses,
                               const struct lr_dn_desc *const *descs)
{
    struct lr_eng_step s = {.prim = prim};
    for (int i = 0; i < n; i++) {
        if (uses[i].buf < 0) {
            lr_dn_prim_free(prim);
            return LR_ENOMEM;
        }
        if (!descs[i]) {
            lr_dn_prim_free(prim);
            return lr_enomem(b->e, 0, "a memory layout");
        }
        enum lr_status st =
            lr_dn_prim_bind(b->net->dn, prim, uses[i].role, descs[i], b->e);
        if (st) {
            lr_dn_prim_free(prim);
            return st;
        }
    }
    size_t scratch = lr_dn_prim_scratch(prim);
    if (scratch > b->net->scratch_bytes)
        b->net->scratch_bytes = scratch;
    return add(b, &s, n, uses);
}

enum lr_status lr_eng_add_unary(struct lr_eng_build *b, struct lr_dn_prim *prim, int src,
                                const struct lr_dn_desc *src_desc, int dst,
                                const struct lr_dn_desc *dst_desc)
{
    return lr_eng_add_prim(b, prim, 2,
                           (struct lr_eng_use[]){{LR_DN_SRC, src}, {LR_DN_DST, dst}},
                           (const struct lr_dn_desc *[]){src_desc, dst_desc});
}

enum lr_status lr_eng_add_kernel(struct lr_eng_build *b, lr_eng_kernel kernel, void *arg,
                                 int n, const int *bufs)
{
    struct lr_eng_step s = {.kernel = kernel, .arg = arg};
    struct lr_eng_use *uses = lr_calloc((size_t)n, sizeof *uses);
    if (!uses) {
        lr_free(arg);
        return lr_enomem(b->e, (size_t)n * sizeof *uses, "a step of the net");
    }
    for (int i = 0; i < n; i++)
        uses[i] = (struct lr_eng_use){i, bufs[i]};
    enum lr_status st = add(b, &s, n, uses);
    lr_free(uses);
    return st;
}

int lr_eng_count_kernels(const struct lr_net *net)
{
    int n = 0;
    for (int i = 0; i < net->n_steps; i++)
        n += !net->steps[i].prim;
    return n;
}

static const struct lr_net *sort_net(void *p)
{
    return *(const struct lr_net **)p;
}

/* Largest first, then by index, so that the plan does not depend on qsort. */
static int by_size(const void *pa, const void *pb, void *ctx)
{
    const struct lr_net *net = sort_net(ctx);
    int a = *(const int *)pa, b = *(const int *)pb;
    if (net->bufs[a].bytes != net->bufs[b].bytes)
        return net->bufs[a].bytes > net->bufs[b].bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int by_offset(const void *pa, const void *pb, void *ctx)
{
    const struct lr_net *net = sort_net(ctx);
    int a = *(const int *)pa, b = *(const int *)pb;
    if (net->bufs[a].offset != net->bufs[b].offset)
        return net->bufs[a].offset < net->bufs[b].offset ? -1 : 1;
    return a < b ? -1 : a > b;
}

static size_t rounded(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* Gives every arena buffer its offset; order and busy hold n_bufs entries each. */
static enum lr_status place(struct lr_net *net, int *order, int *busy, struct lr_err *e)
{
    int n = 0;
    for (int i = 0; i < net->n_bufs; i++)
        if (net->bufs[i].kind == LR_ENG_ARENA && net->bufs[i].last >= 0)
            order[n++] = i;
    qsort_r(order, (size_t)n, sizeof *order, by_size, &net);
    for (int k = 0; k < n; k++) {
        struct lr_eng_buf *u = &net->bufs[order[k]];
        if (u->bytes > SIZE_MAX / 4)
            return lr_enomem(e, u->bytes, "activations");
        int m = 0;
        for (int j = 0; j < k; j++) {
            const struct lr_eng_buf *o = &net->bufs[order[j]];
            if (o->first <= u->last && u->first <= o->last)
                busy[m++] = order[j];
        }
        qsort_r(busy, (size_t)m, sizeof *busy, by_offset, &net);
        size_t at = 0;
        for (int j = 0; j < m; j++) {
            const struct lr_eng_buf *o = &net->bufs[busy[j]];
            if (o->offset >= at && o->offset - at >= rounded(u->bytes))
                break;
            if (o->offset + rounded(o->bytes) > at)
                at = o->offset + rounded(o->bytes);
        }
        u->offset = at;
        if (at > SIZE_MAX / 4)
            return lr_enomem(e, at, "activations");
        if (at + rounded(u->bytes) > net->arena_bytes)
            net->arena_bytes = at + rounded(u->bytes);
    }
    return LR_OK;
}

static enum lr_status set_addresses(struct lr_net *net, struct lr_err *e)
{
    for (int i = 0; i < net->n_steps; i++) {
        struct lr_eng_step *s = &net->steps[i];
        if (s->prim) {
            enum lr_status st = lr_dn_prim_set_scratch(net->dn, s->prim, net->scratch, e);
            if (st)
                return st;
        }
        for (int j = 0; j < s->n_uses; j++) {
            void *data = net->bufs[s->uses[j].buf].data;
            s->bufs[j] = data;
            enum lr_status st = s->prim && data
                                    ? lr_dn_prim_set(s->prim, s->uses[j].role, data, e)
                                    : LR_OK;
            if (st)
                return st;
        }
    }
    return LR_OK;
}

enum lr_status lr_eng_plan(struct lr_net *net, struct lr_err *e)
{
    enum lr_status st = LR_OK;
    int *order = lr_alloc((size_t)net->n_bufs, sizeof *order);
    int *busy = lr_alloc((size_t)net->n_bufs, sizeof *busy);
    if (!order || !busy) {
        st = lr_enomem(e, (size_t)net->n_bufs * sizeof *order, "the memory plan");
        goto out;
    }
    for (int i = 0; i < net->n_bufs; i++)
        if (net->bufs[i].is_pinned)
            net->bufs[i].last = INT_MAX;
    st = place(net, order, busy, e);
    if (st)
        goto out;
    /* zeroed, so that lanes nobody writes hold no NaN */
    net->arena = lr_calloc(net->arena_bytes, 1);
    if (!net->arena) {
        st = lr_enomem(e, net->arena_bytes, "activations");
        goto out;
    }
    net->scratch = lr_alloc(net->scratch_bytes, 1);
    if (!net->scratch) {
        st = lr_enomem(e, net->scratch_bytes, "scratch memory");
        goto out;
    }
    net->bytes = net->arena_bytes + net->scratch_bytes;
    for (int i = 0; i < net->n_bufs; i++) {
        struct lr_eng_buf *u = &net->bufs[i];
        if (u->kind == LR_ENG_ARENA && u->last >= 0)
            u->data = net->arena + u->offset / sizeof(float);
        else if (u->kind == LR_ENG_CONST)
            net->bytes += u->bytes;
    }
    st = set_addresses(net, e);
out:
    lr_free(order);
    lr_free(busy);
    return st;
}
