/* The plain kernel that computes a node: for the engine, where no library has the
 * operator, and for constants while shapes are inferred. */
#ifndef RANKLAB_MODEL_EVAL_H
#define RANKLAB_MODEL_EVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/kernel.h"
#include "ranklab/graph.h"

/* The kernel's buffers are the values in, then the values out. */
struct lr_eval {
    struct lr_kernel kernel;
    int n_in, n_out;
    int *in, *out; /* owned */
};

/* The kernel of node n for batch images; the shapes of its inputs and outputs must be
 * known. LR_EUNSUP when there is none, or when an operand that must be constant is not.
 */
enum lr_status lr_eval_make(struct lr_eval *x, const struct lr_graph *g,
                            const struct lr_node *n, int64_t batch, struct lr_err *e);
void lr_eval_clear(struct lr_eval *x);
bool lr_eval_has(enum lr_op op);

/* ---- for the files that make them */

struct lr_eval_ctx {
    const struct lr_graph *g;
    const struct lr_node *n;
    int64_t batch;
    struct lr_eval *x;
    struct lr_err *e;
};
typedef enum lr_status lr_eval_maker(struct lr_eval_ctx *c);
#define LR_OP(id, type, shape_rule, cost_rule, kernel) lr_eval_maker lr_eval_##kernel;
#include "ranklab/op.def"
#undef LR_OP

/* Input or output i of the node: whether it is there, its shape with the batch filled in,
 * its type. */
bool lr_eval_has_in(const struct lr_eval_ctx *c, int i);
bool lr_eval_has_out(const struct lr_eval_ctx *c, int i);
struct lr_shape lr_eval_shape(const struct lr_eval_ctx *c, int i);
struct lr_shape lr_eval_shape_out(const struct lr_eval_ctx *c, int i);
enum lr_dtype lr_eval_type(const struct lr_eval_ctx *c, int i);
int64_t lr_eval_count(const struct lr_shape *s);
/* An axis counted from either end; the rules have checked it. */
int lr_eval_axis(int64_t axis, int n_dims);

#endif
