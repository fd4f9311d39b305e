/* What the files of this folder share: growing and shrinking a graph, name sets, shape
 * rules and partially known integer vectors. Nothing here is used outside src/model. */
#ifndef RANKLAB_MODEL_MODEL_H
#define RANKLAB_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/graph.h"
#include "ranklab/mem.h"
#include "ranklab/tensor.h"

enum {
    LR_MAX_NODES = 50000,
    LR_MAX_INTS = 4 * LR_MAX_DIMS, /* in a known vector */
    LR_MAX_DIM = INT32_MAX         /* libraries below count in int */
};

/* ---- names.c: an ordered set of strings with an integer each */

struct lr_names {
    void *root;
};
/* Adds name (borrowed) unless it is there. Returns the slot of its integer, NULL when
 * memory is short. */
int *lr_names_put(struct lr_names *s, const char *name, int value, bool *is_new);
/* The slot of name's integer, or NULL. */
int *lr_names_get(const struct lr_names *s, const char *name);
void lr_names_clear(struct lr_names *s);

/* ---- graph.c, graph_copy.c */

/* The operator of this type in the default domain, or LR_OP_UNKNOWN. */
enum lr_op lr_op_find(const char *type, const char *domain);
void lr_node_clear(struct lr_node *n);
void lr_attr_clear(struct lr_attr *a);
/* Replaces *s by a copy of text (NULL: none). */
enum lr_status lr_string_set(char **s, const char *text, struct lr_err *e);
/* Removes the nodes whose flag is set; the outputs they no longer produce get producer
 * -1. */
void lr_graph_compact(struct lr_graph *g, const bool *is_dead);
/* Sets every value's producer from the nodes' outputs. */
void lr_graph_index(struct lr_graph *g);
/* base, or base_2, base_3, ...: the first name no value (no node) has. *name is owned. */
enum lr_status lr_unique_value_name(char **name, const struct lr_graph *g,
                                    const char *base, struct lr_err *e);
enum lr_status lr_unique_node_name(char **name, const struct lr_graph *g,
                                   const char *base, struct lr_err *e);
/* The same among the value names in used, for passes that make many: the new name is
 * added to used, which borrows it. */
enum lr_status lr_unique_name_in(char **name, struct lr_names *used, const char *base,
                                 struct lr_err *e);
/* All value names of g, each with its index. */
enum lr_status lr_graph_value_names(struct lr_names *names, const struct lr_graph *g,
                                    struct lr_err *e);
/* How often each value is read by nodes; *counts has n_values entries. */
enum lr_status lr_graph_count_uses(int **counts, const struct lr_graph *g,
                                   struct lr_err *e);
/* True when some attribute was not interpreted: it may hold a graph (If, Loop) that reads
 * values of this one by name, so none may vanish. */
bool lr_graph_has_hidden(const struct lr_graph *g);
/* Frees the constant of v when no node reads it and it is no output. */
void lr_graph_release(struct lr_graph *g, int v);
/* The same for every v < n with is_touched[v], in one go. */
enum lr_status lr_graph_sweep(struct lr_graph *g, const bool *is_touched, int n,
                              struct lr_err *e);

/* Sorts the nodes topologically (sort.c); LR_EPARSE names a node that is part of a cycle
 * or behind one. */
enum lr_status lr_graph_sort(struct lr_graph *g, struct lr_err *e);

/* ---- eval_index.c */

/* Whether a recurrent node has the activations that are computed here; *is_relu: of the
 * plain one ReLU. */
bool lr_node_activations(bool *is_relu, const struct lr_node *n, int directions);

/* ---- attr.c */

/* LR_EPARSE when an attribute of a known operator has another kind than ONNX gives it. */
enum lr_status lr_node_check_attrs(const struct lr_node *n, struct lr_err *e);
void lr_node_drop_attr(struct lr_node *n, const char *name);

/* ---- infer.c and rules_*.c */

/* An integer that may be a multiple of the batch: times_batch ? k * N : k. */
struct lr_int {
    int64_t k;
    bool times_batch;
};
/* A small integer tensor (scalar or vector) whose values are known while shapes are. */
struct lr_ints {
    int n_dims; /* 0 or 1 */
    int n;
    struct lr_int *v;
};

struct lr_infer {
    struct lr_graph *g;
    struct lr_ints **known;   /* per value, or NULL */
    bool *is_folded;          /* per value: its constant was found by this pass */
    struct lr_ints **targets; /* per node: a rewritten Reshape target, or NULL */
    struct lr_node *node;     /* the node being looked at */
    int index;                /* its index */
    int n_values, n_nodes;
    int64_t n_folded, max_folded; /* values in constants found so far, and at most */
    int64_t n_made;               /* of them in large ones made of a few numbers */
};

/* Shapes are put in with lr_infer_out. A rule that cannot go on, though the file is
 * sound, calls lr_infer_why and returns LR_OK. */
typedef enum lr_status lr_rule(struct lr_infer *c, struct lr_err *e);
#define LR_OP(id, type, shape_rule, cost_rule, kernel) lr_rule lr_rule_##shape_rule;
#include "ranklab/op.def"
#undef LR_OP

/* Shape of input i, or NULL when it is left out (known absent inputs) or unknown. */
const struct lr_shape *lr_infer_in(const struct lr_infer *c, int i);
bool lr_infer_has(const struct lr_infer *c, int i);
/* The constant behind input i (initializer or folded), or NULL. */
const struct lr_tensor *lr_infer_const(const struct lr_infer *c, int i);
/* The known integers behind input i, or NULL (also when memory is short). */
const struct lr_ints *lr_infer_ints(struct lr_infer *c, int i);
enum lr_dtype lr_infer_dtype(const struct lr_infer *c, int i);
/* Whether the node may make so many values of a few numbers; they count. */
bool lr_infer_may_make(struct lr_infer *c, int64_t count);
/* Sets how many values may be computed, by how many the file brings. */
void lr_infer_limit(struct lr_infer *c);
/* rules_type.c: LR_EPARSE where there are more inputs than the operator has, LR_ESHAPE
 * where reals and integers are mixed that a kernel would take for one or the other. */
enum lr_status lr_infer_types(struct lr_infer *c, struct lr_err *e);
/* Sets the shape and type of output i; checks that sizes are positive and can be counted.
 */
enum lr_status lr_infer_out(struct lr_infer *c, int i, enum lr_dtype t,
                            const struct lr_shape *s, struct lr_err *e);
/* Says why the node cannot be run; the first reason stays. */
enum lr_status lr_infer_why(struct lr_infer *c, struct lr_err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Turns LR_EUNSUP of a parameter look-up (its text in why) into the reason; passes other
 * errors on. */
enum lr_status lr_infer_demote(struct lr_infer *c, enum lr_status st,
                               const struct lr_err *why, struct lr_err *e);
/* LR_ESHAPE with the node's name in front. */
enum lr_status lr_infer_bad(const struct lr_infer *c, struct lr_err *e, const char *fmt,
                            ...) __attribute__((format(printf, 3, 4)));
/* Records what output 0 holds: n integers, n_dims 0 or 1. Without the batch among them
 * they become a constant at once. */
enum lr_status lr_infer_know(struct lr_infer *c, int n_dims, int n,
                             const struct lr_int *v, struct lr_err *e);
/* Takes t as the constant of output 0 and sets its shape. */
enum lr_status lr_infer_fold(struct lr_infer *c, struct lr_tensor *t, struct lr_err *e);
/* The same for output i. */
enum lr_status lr_infer_fold_at(struct lr_infer *c, int i, struct lr_tensor *t,
                                struct lr_err *e);
/* Gives the node a constant target shape in place of its input 1, or scales that lead to
 * out in place of a Resize's sizes, once the pass is over. */
enum lr_status lr_infer_set_target(struct lr_infer *c, const struct lr_shape *s,
                                   struct lr_err *e);
enum lr_status lr_infer_set_scales(struct lr_infer *c, const struct lr_shape *out,
                                   struct lr_err *e);
/* numpy broadcasting of a and b, aligned at their ends. *is_ok: the batch stays in
 * dimension 0. LR_ESHAPE when sizes contradict each other. */
enum lr_status lr_infer_broadcast(struct lr_infer *c, struct lr_shape *out,
                                  const struct lr_shape *a, const struct lr_shape *b,
                                  bool *is_ok, struct lr_err *e);
/* Whether dimension 0 of the shape is the batch. */
bool lr_shape_has_batch(const struct lr_shape *s);
/* Computes the node when all its operands are constant (compute.c). */
enum lr_status lr_infer_compute(struct lr_infer *c, struct lr_err *e);
/* One of op.def's operators that move no data: the constant input in the new shape. */
enum lr_status lr_infer_fold_view(struct lr_infer *c, const struct lr_shape *s,
                                  struct lr_err *e);
/* -n_dims..n_dims-1 to 0..n_dims-1; LR_ESHAPE otherwise. */
enum lr_status lr_infer_axis(const struct lr_infer *c, int *axis, int64_t given,
                             int n_dims, struct lr_err *e);
/* Element-wise arithmetic of the node on inputs 0 and 1; out has room for LR_MAX_INTS.
 * False when they are not known or the result is no multiple of the batch. */
bool lr_infer_combine(struct lr_infer *c, struct lr_int *out, int *n, int *n_dims);

/* ---- onnx_branch.c */

/* Replaces each If whose condition is a constant by the branch it takes. */
enum lr_status lr_graph_take_branches(struct lr_graph *g, bool *is_any, struct lr_err *e);

/* ---- fold.c */

/* Constant nodes become values with tensors; the nodes go. */
enum lr_status lr_graph_absorb_constants(struct lr_graph *g, struct lr_err *e);
/* A vector of int64 as a tensor. */
enum lr_status lr_ints_tensor(struct lr_tensor **out, int n_dims, const int64_t *v, int n,
                              struct lr_err *e);
/* Moves what the rules found into the graph and removes the nodes that became idle. */
enum lr_status lr_infer_commit(struct lr_infer *c, struct lr_err *e);

/* ---- follow.c */

/* The nodes reading each value v, each once: nodes[start[v]] .. nodes[end[v] - 1]. */
struct lr_readers {
    int *start, *end, *nodes;
};
/* lr_readers_clear also after a failure. */
enum lr_status lr_readers_find(struct lr_readers *r, const struct lr_graph *g,
                               struct lr_err *e);
void lr_readers_clear(struct lr_readers *r);
/* Fills in follow, act, follow_name, sum_value and other_value of x, whose value is set.
 */
enum lr_status lr_layer_find_follow(struct lr_layer *x, const struct lr_graph *g,
                                    const struct lr_readers *r, struct lr_err *e);

/* ---- weights.c */

/* Does t add the same d numbers to every row of an [n, d] product: [d], [1, d], or a
 * single number? */
bool lr_tensor_is_row(const struct lr_tensor *t, int64_t d);
/* LR_ENUMERIC names a constant that is not finite and that a convolution, a matrix
 * product or a batch normalisation computes with. */
enum lr_status lr_graph_check_weights(const struct lr_graph *g, struct lr_err *e);

/* ---- passes.c */

/* What a node does to its input per channel, y = k x + shift, in double; both arrays [n]
 * are owned, also after a failure. BatchNormalization: *is_ok false when its parameters
 * are not n constants. */
enum lr_status lr_bn_affine(double **k, double **shift, const struct lr_graph *g,
                            const struct lr_node *bn, int64_t n, bool *is_ok,
                            struct lr_err *e);
/* An Add or Mul of the constant t, one number or n. */
enum lr_status lr_constant_affine(double **k, double **shift, const struct lr_node *n,
                                  const struct lr_tensor *t, int64_t n_out,
                                  struct lr_err *e);

/* ---- chain.c */

enum { LR_MAX_CHAIN = 16 };
/* The nodes that lead from a layer's own output, values[0], to the value it is known by
 * once they are folded into it, values[n]: nodes[i] makes values[i + 1] of values[i].
 * is_idle: it hands the value on as it is. */
struct lr_chain {
    int n;
    int nodes[LR_MAX_CHAIN], values[LR_MAX_CHAIN + 1];
    bool is_idle[LR_MAX_CHAIN];
};
/* g: the network with nothing folded; node: the layer's. LR_EUNSUP: no such way. */
enum lr_status lr_chain_find(struct lr_chain *c, const struct lr_graph *g, int node,
                             int value, struct lr_err *e);
/* values[n] = k values[from] + shift in each of the d channels; k and shift: [d]. */
enum lr_status lr_chain_affine(double *k, double *shift, const struct lr_chain *c,
                               const struct lr_graph *g, int from, int d,
                               struct lr_err *e);

/* ---- noops.c */

/* Whether a Dropout drops nothing: it is not in training mode, or its ratio is 0. */
bool lr_dropout_keeps_all(const struct lr_graph *g, const struct lr_node *n);
/* Removes Identity, Dropout that drops nothing, and casts to the type a value has. */
enum lr_status lr_graph_drop_noops(struct lr_graph *g, struct lr_err *e);

/* ---- cut.c */

/* The outputs that the file of g has, and their number. */
const int *lr_graph_file_outputs(int *n, const struct lr_graph *g);

/* ---- same.c */

/* LR_OK when a and b are the same network: names, nodes, attributes, constants byte for
 * byte. Otherwise LR_EIO naming the first difference. */
enum lr_status lr_graph_same(const struct lr_graph *a, const struct lr_graph *b,
                             struct lr_err *e);

#endif
