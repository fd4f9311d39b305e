/* Running a compiled net: inputs are padded to the batch, then the steps in order. */
#include "net.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ranklab/mem.h"

/* The array the net reads for input i: the caller's, or the padded copy. */
static void *stage(struct lr_net *net, int i, int n, const void *in)
{
    struct lr_eng_input *x = &net->inputs[i];
    if (!x->is_batched || n == net->batch)
        return (void *)(uintptr_t)in; /* only read: it is never a destination */
    size_t used = x->count / (size_t)net->batch * (size_t)n * x->size;
    memcpy(x->padded, in, used);
    memset((char *)x->padded + used, 0, x->count * x->size - used);
    return x->padded;
}

static enum lr_status set_input(struct lr_net *net, int buf, void *data, struct lr_err *e)
{
    if (net->bufs[buf].data == data)
        return LR_OK;
    net->bufs[buf].data = data;
    for (int i = 0; i < net->n_steps; i++) {
        struct lr_eng_step *s = &net->steps[i];
        for (int j = 0; j < s->n_uses; j++) {
            if (s->uses[j].buf != buf)
                continue;
            s->bufs[j] = data;
            enum lr_status st =
                s->prim ? lr_dn_prim_set(s->prim, s->uses[j].role, data, e) : LR_OK;
            if (st) {
                net->bufs[buf].data = NULL;
                return st;
            }
        }
    }
    return LR_OK;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* ms (NULL: not wanted) gets what the steps of each node took: a primitive has ended when
 * its call returns. */
static enum lr_status run_steps(struct lr_net *net, double *ms, struct lr_err *e)
{
    enum lr_status s = LR_OK;
    double begin = ms ? now_ms() : 0;
    for (int i = 0; !s && i < net->n_steps; i++) {
        const struct lr_eng_step *st = &net->steps[i];
        if (st->prim)
            s = lr_dn_prim_run(net->dn, st->prim, e);
        else
            st->kernel(st->arg, st->bufs);
        if (ms) {
            double end = now_ms();
            if (st->node >= 0)
                ms[st->node] += end - begin;
            begin = end;
        }
    }
    enum lr_status w = lr_dn_wait(net->dn, s ? NULL : e);
    return s ? s : w;
}

static enum lr_status run(struct lr_net *net, int n, const void *const *in, double *ms,
                          struct lr_err *e)
{
    if (n < 1 || n > net->batch)
        return lr_err_set(e, LR_EINVAL, "%d images: 1 to %d fit this net", n, net->batch);
    for (int i = 0; i < net->n_inputs; i++) {
        enum lr_status s = set_input(net, net->inputs[i].buf, stage(net, i, n, in[i]), e);
        if (s)
            return s;
    }
    /* primitives split their work, and their scratch memory, for the number of threads
     * there was when they were made */
    int threads = omp_get_max_threads();
    if (threads != net->n_threads)
        omp_set_num_threads(net->n_threads);
    enum lr_status s = run_steps(net, ms, e);
    if (threads != net->n_threads)
        omp_set_num_threads(threads);
    return s;
}

static enum lr_status run_floats(struct lr_net *net, int n, const float *const *in,
                                 double *ms, struct lr_err *e)
{
    const void **any = lr_alloc((size_t)net->n_inputs, sizeof *any);
    if (!any)
        return lr_enomem(e, (size_t)net->n_inputs * sizeof *any, "inputs");
    for (int i = 0; i < net->n_inputs; i++)
        any[i] = in[i];
    enum lr_status s = run(net, n, any, ms, e);
    lr_free(any);
    return s;
}

enum lr_status lr_net_run(struct lr_net *net, int n, const float *const *in,
                          struct lr_err *e)
{
    return run_floats(net, n, in, NULL, e);
}

enum lr_status lr_net_run_timed(struct lr_net *net, int n, const float *const *in,
                                double *ms, struct lr_err *e)
{
    return run_floats(net, n, in, ms, e);
}

enum lr_status lr_net_run_typed(struct lr_net *net, int n, const void *const *in,
                                struct lr_err *e)
{
    return run(net, n, in, NULL, e);
}

const void *lr_net_output_typed(const struct lr_net *net, int i, size_t *per_image)
{
    if (per_image)
        *per_image = net->outputs[i].per_image;
    return net->bufs[net->outputs[i].buf].data;
}

const float *lr_net_output(const struct lr_net *net, int i, size_t *per_image)
{
    if (per_image)
        *per_image = net->outputs[i].per_image;
    return net->bufs[net->outputs[i].buf].data;
}

void lr_net_free(struct lr_net *net)
{
    if (!net)
        return;
    for (int i = 0; i < net->n_steps; i++) {
        lr_dn_prim_free(net->steps[i].prim);
        lr_free(net->steps[i].arg);
        lr_free(net->steps[i].uses);
        lr_free(net->steps[i].bufs);
    }
    for (int i = 0; i < net->n_bufs; i++)
        if (net->bufs[i].kind == LR_ENG_CONST)
            lr_free(net->bufs[i].data);
    for (int i = 0; i < net->n_inputs; i++)
        lr_free(net->inputs[i].padded);
    lr_free(net->steps);
    lr_free(net->bufs);
    lr_free(net->inputs);
    lr_free(net->outputs);
    lr_free(net->arena);
    lr_free(net->scratch);
    lr_dn_free(net->dn);
    lr_free(net);
}

size_t lr_net_bytes(const struct lr_net *net)
{
    size_t bytes = net->bytes;
    for (int i = 0; i < net->n_inputs; i++)
        if (net->inputs[i].padded)
            bytes += net->inputs[i].count * net->inputs[i].size;
    return bytes;
}

const char *lr_engine_version(char *buf, size_t size)
{
    lr_dn_version(buf, size);
    return buf;
}

enum { MAX_BATCH = 64 };

static double elements(const struct lr_graph *g, int v)
{
    if (v < 0 || !g->values[v].has_shape || g->values[v].tensor)
        return 0;
    double n = 1;
    for (int i = 0; i < g->values[v].shape.n_dims; i++)
        if (g->values[v].shape.dims[i] > 0)
            n *= (double)g->values[v].shape.dims[i];
    return n;
}

/* Whether node k computes something that is marked. */
static bool is_in_part(const struct lr_graph *g, int k, const bool *mask, int from)
{
    const struct lr_node *n = &g->nodes[k];
    bool is_marked = !mask;
    for (int j = 0; j < n->n_out; j++)
        is_marked |= mask && n->out[j] >= 0 && n->out[j] != from && mask[n->out[j]];
    return is_marked;
}

int lr_engine_part_batch(const struct lr_graph *g, const bool *mask, int from)
{
    /* a network that cannot be freed of its batch runs one image at a time */
    if (g->n_inputs > 0 && g->values[g->inputs[0]].has_shape &&
        g->values[g->inputs[0]].shape.n_dims > 0 &&
        g->values[g->inputs[0]].shape.dims[0] != -1)
        return 1;
    const double budget = 64.0 * 1024 * 1024 / sizeof(float);
    double most = 1;
    for (int k = 0; k < g->n_nodes; k++) {
        double sum = 0;
        if (!is_in_part(g, k, mask, from))
            continue;
        for (int j = 0; j < g->nodes[k].n_in; j++)
            sum += elements(g, g->nodes[k].in[j]);
        for (int j = 0; j < g->nodes[k].n_out; j++)
            sum += elements(g, g->nodes[k].out[j]);
        if (sum > most)
            most = sum;
    }
    double n = budget / most;
    return n >= MAX_BATCH ? MAX_BATCH : n < 1 ? 1 : (int)n;
}

int lr_engine_good_batch(const struct lr_graph *g)
{
    return lr_engine_part_batch(g, NULL, -1);
}
