/* Calls of functions that nothing was taken out of go back into a file that is written:
 * it stays as it was wherever no layer was replaced. The nodes of a call lie side by
 * side, those of the calls inside of it among them, and new nodes only come where one is
 * taken out. */
#include "onnx_function.h"

void lr_onnx_touch(struct lr_onnx_calls *calls, const Onnx__NodeProto *x)
{
    for (size_t i = 0; i < calls->n_made; i++) {
        if (calls->made[i].node != x)
            continue;
        calls->made[i].node = NULL;
        for (long c = calls->made[i].call; c >= 0; c = calls->calls[c].parent)
            calls->calls[c].is_touched = true;
        return;
    }
}

/* The outermost call around c of which all is there, or -1. */
static long find_whole(const struct lr_onnx_calls *calls, long c)
{
    long whole = -1;

    for (; c >= 0; c = calls->calls[c].parent)
        if (!calls->calls[c].is_touched)
            whole = c;
    return whole;
}

enum lr_status lr_onnx_restore(struct lr_onnx_calls *calls, struct lr_err *e)
{
    Onnx__GraphProto *p;
    size_t n = 0, next = 0;

    if (calls->fs.n == 0)
        return LR_OK;
    p = calls->fs.m->graph;
    for (size_t k = 0; k < p->n_node; k++) {
        Onnx__NodeProto *x = p->node[k];
        while (next < calls->n_made && !calls->made[next].node)
            next++;
        long whole = -1;
        if (next < calls->n_made && calls->made[next].node == x)
            whole = find_whole(calls, calls->made[next++].call);
        if (whole < 0) {
            p->node[n++] = x;
            continue;
        }
        onnx__node_proto__free_unpacked(x, calls->fs.alloc);
        if (calls->calls[whole].node) { /* with the first of its nodes */
            p->node[n++] = calls->calls[whole].node;
            calls->calls[whole].node = NULL;
        }
    }
    p->n_node = n;
    return lr_onnx_functions_drop(&calls->fs, false, e);
}

void lr_onnx_calls_clear(struct lr_onnx_calls *calls)
{
    for (size_t i = 0; i < calls->n_calls; i++)
        if (calls->calls[i].node)
            onnx__node_proto__free_unpacked(calls->calls[i].node, calls->fs.alloc);
    lr_free(calls->calls);
    lr_free(calls->made);
    lr_onnx_functions_clear(&calls->fs);
    *calls = (struct lr_onnx_calls){0};
}
