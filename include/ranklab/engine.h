/* Running a graph on the CPU through oneDNN. */
#ifndef RANKLAB_ENGINE_H
#define RANKLAB_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lr_net;

enum lr_layout {
    LR_NCHW, /* dense row-major in the value's own dimension order */
    LR_NHWC  /* 4-d values only: channels innermost, so one position's response is
                contiguous */
};

struct lr_net_output {
    int value; /* any activation value of the graph */
    enum lr_layout layout;
};

/* OF_GRAPH: what the graph's field convolution says, DIRECT where that is 0. WINOGRAD is
 * used where the library has it for a layer, DIRECT elsewhere: it is faster for large 3x3
 * layers and less exact (about 1e-5 relative). AUTO times both once for every shape and
 * takes the faster one, then and later: the choice is remembered in the cache folder, and
 * LR_EIO when there is none. */
enum lr_convolution { LR_CONV_OF_GRAPH, LR_CONV_DIRECT, LR_CONV_WINOGRAD, LR_CONV_AUTO };

/* What to compile. A zeroed struct with batch set means: from the graph's inputs to its
 * outputs, NCHW. inputs (n_inputs > 0): these activation values are fed instead, in this
 * order, and only what lies between them and the outputs is compiled: so a network can be
 * resumed from cached activations. batch >= 1. */
struct lr_net_opts {
    int batch;
    const int *inputs;
    int n_inputs;
    const struct lr_net_output *outputs;
    int n_outputs;
    int convolution; /* enum lr_convolution */
    /* Inputs and outputs of integer and boolean types are int64 arrays; otherwise all are
     * float32, converted inside. For lr_net_run_typed and lr_net_output_typed. */
    bool is_typed;
    /* Not NULL: takes every output as soon as it is computed; its memory then serves what
     * comes later, and lr_net_output has nothing. x is as long as the batch (images
     * beyond those asked for hold nothing of use) and valid during the call. */
    void (*tap)(void *ctx, int output, const float *x);
    void *tap_ctx;
};

/* Compiles g, which is not needed afterwards (weights are copied and packed). Layouts are
 * oneDNN's choice and kept between layers; ReLU and sums are fused as post-ops where the
 * fused value is not itself an output; buffers of values that are no longer needed are
 * reused. LR_EUNSUP names a node that cannot run; LR_ESHAPE when an output depends on an
 * input that is not fed; LR_EBACKEND carries oneDNN's word. Values without the batch as
 * dimension 0 are computed once per run. */
enum lr_status lr_net_compile(struct lr_net **out, const struct lr_graph *g,
                              const struct lr_net_opts *opts, struct lr_err *e);
void lr_net_free(struct lr_net *net);

/* Runs n images (1 <= n <= batch; fewer than batch are padded inside). in[i]: n times the
 * elements of input i, dense NCHW float32. Results stay inside the net until the next
 * run. Runs on as many threads as lr_la_set_threads allowed when the net was compiled. */
enum lr_status lr_net_run(struct lr_net *net, int n, const float *const *in,
                          struct lr_err *e);
/* The same; what the steps of node k of the graph took is added to ms[k]. A node that was
 * fused into the one before it (an activation, an addition) counts there. */
enum lr_status lr_net_run_timed(struct lr_net *net, int n, const float *const *in,
                                double *ms, struct lr_err *e);
/* Output i of the last run: n images in the layout asked for; borrowed. Elements per
 * image through *per_image (may be NULL). */
const float *lr_net_output(const struct lr_net *net, int i, size_t *per_image);

enum lr_status lr_net_run_typed(struct lr_net *net, int n, const void *const *in,
                                struct lr_err *e);
const void *lr_net_output_typed(const struct lr_net *net, int i, size_t *per_image);

/* Bytes of activations, weights and scratch the net holds. */
size_t lr_net_bytes(const struct lr_net *net);
/* "oneDNN 2.6.3 (avx512_core_bf16)" into buf, cut off where it is too short; returns buf.
 */
const char *lr_engine_version(char *buf, size_t size);
/* A batch size that keeps activations of g near 64 MB: 1..64. More gains nothing, and
 * work can be stopped between batches only. */
int lr_engine_good_batch(const struct lr_graph *g);
/* The same for the part of g that computes the values of mask (one flag a value; all that
 * is computed on the way is marked too) from the value from; -1: from the input. */
int lr_engine_part_batch(const struct lr_graph *g, const bool *mask, int from);

/* lr_la_gemm_f by whichever library makes more of the processor's vectors. */
enum lr_status lr_engine_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha,
                              const float *a, size_t lda, const float *b, size_t ldb,
                              float beta, float *c, size_t ldc, struct lr_err *e);

#ifdef __cplusplus
}
#endif

#endif
