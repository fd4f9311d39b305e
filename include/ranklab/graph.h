/* The network as a graph of ONNX operators: values, nodes, shapes, costs, rewrites.
 * A graph is built by a reader or by lr_graph_clone and is then changed only through the
 * functions here; values and nodes are named by index. Value indices never change during
 * the life of a graph (rewrites append values; one no longer used loses its tensor and
 * producer), node indices do when nodes are inserted or removed. */
#ifndef RANKLAB_GRAPH_H
#define RANKLAB_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/progress.h"
#include "ranklab/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Operators known by name. op.def holds one row per operator (type, shape rule, MAC
 * rule). */
enum lr_op {
    LR_OP_UNKNOWN = 0,
#define LR_OP(id, type, shape_rule, cost_rule, kernel) LR_OP_##id,
#include "ranklab/op.def"
#undef LR_OP
    LR_OP_COUNT
};

enum lr_attr_kind {
    LR_ATTR_INT,
    LR_ATTR_FLOAT,
    LR_ATTR_STRING,
    LR_ATTR_INTS,
    LR_ATTR_FLOATS,
    LR_ATTR_TENSOR,
    LR_ATTR_OPAQUE /* kept as its serialised AttributeProto, written back unchanged */
};

struct lr_attr {
    char *name;
    enum lr_attr_kind kind;
    int64_t i;
    float f;
    char *s;  /* STRING (zero-terminated copy) and OPAQUE bytes */
    size_t n; /* length of s, ints or floats */
    int64_t *ints;
    float *floats;
    struct lr_tensor *tensor;
    char *doc; /* or NULL */
};

struct lr_value {
    char *name;
    enum lr_dtype dtype;
    bool has_shape;
    struct lr_shape shape;    /* dims[0] may be -1: the batch */
    struct lr_tensor *tensor; /* initializer or Constant; NULL for activations; owned */
    int producer;             /* node index, -1 for inputs and initializers */
    bool is_input, is_output; /* of the graph */
    bool has_declared;        /* the file states a shape for this output or input: */
    struct lr_shape declared; /* -1 for every free dimension */
    int names[LR_MAX_DIMS];   /* of an input: the same number for free dimensions that
                                 have the same name, 0 without */
    char *doc;                /* or NULL */
};

struct lr_node {
    enum lr_op op;
    char *type, *domain, *name,
        *doc; /* name: made up and unique where the file has none */
    int n_in, n_out;
    int *in, *out; /* value indices; -1: optional input or output left out */
    int n_attrs;
    struct lr_attr *attrs;
    char *why_unsupported; /* NULL when the engine's op list can run it; else a reason */
    bool has_sizes; /* of a Resize: its scales stand for the sizes that the file has */
};

struct lr_prop {
    char *key, *value;
};

struct lr_graph {
    char *name, *doc, *producer_name, *producer_version, *domain; /* doc: the model's */
    char *graph_doc;                                              /* or NULL */
    int64_t ir_version, model_version, opset; /* opset of the default domain */
    int n_opsets;                             /* the other imports, written back */
    struct lr_prop *opsets;                   /* key: domain, value: version in decimal */
    int n_props;
    struct lr_prop *props; /* metadata_props */
    int n_values, cap_values;
    struct lr_value *values;
    int n_nodes, cap_nodes;
    struct lr_node *nodes; /* in topological order */
    int n_inputs, n_outputs;
    int *inputs, *outputs; /* value indices; inputs without initializers */
    int n_file_outputs; /* where lr_graph_cut chose others: those of the file */
    int *file_outputs;  /* else NULL */
    char *batch_name;      /* symbolic name of the free batch dimension, or NULL */
    int64_t file_batch;    /* the batch the file fixes, 0 when it is free there */
    int convolution;       /* enum lr_convolution, for the engine; 0: direct */
    bool is_batch_fixed;   /* inference leaves the first input's dimension 0 as it is */
};

void lr_graph_free(struct lr_graph *g);
/* A copy that shares the constants alone. */
enum lr_status lr_graph_clone(struct lr_graph **out, const struct lr_graph *g,
                              struct lr_err *e);

/* Building a graph: used by the reader, by rewrites and by tests. Indices must be valid.
 */

/* An empty graph (IR 8, opset 13). */
enum lr_status lr_graph_new(struct lr_graph **out, struct lr_err *e);
/* Appends a value and stores its index in *v. t: its constant, or NULL; it belongs to the
 * graph from here on, also when the call fails. Names are not checked for uniqueness. */
enum lr_status lr_graph_add_value(struct lr_graph *g, int *v, const char *name,
                                  struct lr_tensor *t, struct lr_err *e);
/* Appends a graph input; free dimensions of s are -1. */
enum lr_status lr_graph_add_input(struct lr_graph *g, int *v, const char *name,
                                  enum lr_dtype t, const struct lr_shape *s,
                                  struct lr_err *e);
enum lr_status lr_graph_add_output(struct lr_graph *g, int v, struct lr_err *e);
/* Inserts a node of the default domain before node at (n_nodes: appends). The indices of
 * the nodes behind it grow by one. */
enum lr_status lr_graph_add_node(struct lr_graph *g, int at, const char *type,
                                 const char *name, const int *in, int n_in,
                                 const int *out, int n_out, struct lr_err *e);
/* Sets an attribute, replacing one of the same name. */
enum lr_status lr_node_set_int(struct lr_node *n, const char *name, int64_t i,
                               struct lr_err *e);
enum lr_status lr_node_set_float(struct lr_node *n, const char *name, float f,
                                 struct lr_err *e);
enum lr_status lr_node_set_string(struct lr_node *n, const char *name, const char *s,
                                  struct lr_err *e);
enum lr_status lr_node_set_ints(struct lr_node *n, const char *name, const int64_t *ints,
                                size_t n_ints, struct lr_err *e);

/* Look-ups: -1 when absent. */
int lr_graph_find_value(const struct lr_graph *g, const char *name);
int lr_graph_find_node(const struct lr_graph *g, const char *name);
/* The nodes that read value v: their number, and the first max of them in nodes. */
int lr_graph_consumers(const struct lr_graph *g, int v, int *nodes, int max);

/* Attribute access with ONNX's defaults passed in. */
const struct lr_attr *lr_node_attr(const struct lr_node *n, const char *name);
int64_t lr_node_int(const struct lr_node *n, const char *name, int64_t otherwise);
float lr_node_float(const struct lr_node *n, const char *name, float otherwise);
const char *lr_node_string(const struct lr_node *n, const char *name,
                           const char *otherwise);
/* Copies at most max ints, returns how many the attribute holds (0 when absent). */
size_t lr_node_ints(const struct lr_node *n, const char *name, int64_t *out, size_t max);

/* Everything a convolution or pooling needs, with auto_pad resolved from the shapes. */
struct lr_window {
    int64_t kh, kw, stride_h, stride_w, dil_h, dil_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right;
    int64_t group;
    bool ceil_mode, count_include_pad;
};
/* LR_EUNSUP for other than two spatial dimensions. Shapes must have been inferred. */
enum lr_status lr_node_window(struct lr_window *w, const struct lr_graph *g,
                              const struct lr_node *n, struct lr_err *e);

/* Values of attributes that moved to inputs in later opsets, wherever this graph has
 * them. */

/* Bounds of a Clip; -FLT_MAX and FLT_MAX where absent. LR_EUNSUP when not constant. */
enum lr_status lr_node_clip(float *lo, float *hi, const struct lr_graph *g,
                            const struct lr_node *n, struct lr_err *e);
/* The 2 * n_dims paddings of a Pad (all begins, then all ends; max: room in pads) and its
 * constant. LR_EUNSUP when not constant, for chosen axes, or when the mode is another
 * than constant, reflect and edge. */
enum lr_status lr_node_pad(int64_t *pads, size_t max, float *value,
                           const struct lr_graph *g, const struct lr_node *n,
                           struct lr_err *e);

/* Infers every shape and dtype from the inputs on, the batch left free (-1), folds
 * constant subgraphs (Shape, Gather, Concat, ... on constants) and sets why_unsupported.
 * input: NULL, or the shape to give the first input (its dims[0] is taken as the batch
 * and stays free). Errors name the node: LR_ESHAPE when weights and shapes contradict
 * each other. A node whose operator is not known gets outputs without shape; what depends
 * on it too; that is no error. */
enum lr_status lr_graph_infer(struct lr_graph *g, const struct lr_shape *input,
                              struct lr_err *e);

/* Makes input v of the graph a constant; t is taken over, also on failure. */
enum lr_status lr_graph_bind_input(struct lr_graph *g, int v, struct lr_tensor *t,
                                   struct lr_err *e);
/* The input that is the image: the only one, or the first of four dimensions and floating
 * type, rather with three channels than with others, or else the first that looks most
 * like it; -1: none has a shape. */
int lr_graph_image(const struct lr_graph *g);
/* Other inputs that the file gives the same shape read the same image, the rest become
 * constants of ones, each with a note. Their free sizes are those of size, the image's
 * (NULL: not known), where both are free or have one name; else 1. Leaves networks with
 * one input, or whose inputs have no shape, as they are. */
enum lr_status lr_graph_choose_image(struct lr_graph *g, const struct lr_shape *size,
                                     const struct lr_notes *notes, struct lr_err *e);
/* Whether input i of operators of this kind must be constant to be run here. */
bool lr_op_needs_constant(enum lr_op op, int i);

/* Folds each BatchNormalization into the convolution (or Gemm) before it where exact: the
 * convolution's only consumer, inference mode, constant parameters; drops Identity and
 * inference Dropout; folds an Add or Mul of one constant per channel into the convolution
 * before it; joins a MatMul on [batch, c] and the constant bias added to it into
 * one Gemm. *n_folded (may be NULL) counts the BN nodes removed. */
enum lr_status lr_graph_fold_bn(struct lr_graph *g, int *n_folded, struct lr_err *e);
/* Why BatchNormalization node n is still there after lr_graph_fold_bn: a clause in buf
 * ("its input has 2 consumers"). Returns buf. */
const char *lr_bn_why_unfolded(const struct lr_graph *g, const struct lr_node *n,
                               char *buf, size_t size);

/* Cost of one node per image. macs: multiply-adds of Conv, Gemm, MatMul (others 0);
 * params: weights and biases it reads from initializers; bytes: those plus activations
 * read and written, at 4 bytes a value. */
struct lr_cost {
    int64_t macs, params, bytes;
};
struct lr_cost lr_node_cost(const struct lr_graph *g, const struct lr_node *n);
struct lr_cost lr_graph_cost(const struct lr_graph *g); /* the sum over all nodes */

/* One convolution of a split: w [cout, cin / group, kh, kw] row-major, b [cout];
 * borrowed. */
struct lr_conv_part {
    int cout, cin, kh, kw;
    int group; /* divides cin and cout; 1: none */
    int stride_h, stride_w, dil_h, dil_w;
    int pad_top, pad_left, pad_bottom, pad_right;
    const float *w, *b; /* b may be NULL: zeros, but for the last part always given */
};
/* Whether the layer producing value v can be replaced by these parts; LR_EINVAL says why
 * not. */
enum lr_status lr_graph_fits_split(const struct lr_graph *g, int v, int n,
                                   const struct lr_conv_part *parts, struct lr_err *e);
/* Replaces the layer producing value v by n parts in a row; the last part's output is v
 * itself, so consumers and graph outputs stay untouched. A convolution becomes
 * convolutions; a fully connected layer, whose parts are 1 x 1 without stride or padding,
 * becomes Gemm nodes. New node and value names are NAME_r1, NAME_r2, ... (made unique);
 * doc goes into each node's doc string. The old weights are removed when nothing else
 * reads them. Shapes of the new values are filled in. */
enum lr_status lr_graph_split_layer(struct lr_graph *g, int v, int n,
                                    const struct lr_conv_part *parts, const char *doc,
                                    struct lr_err *e);
/* Adds the n parts beside the layer producing value v: they read the same input, and
 * *out, a new value of v's shape that nothing reads, is the output of the last. Used to
 * sample what a split would respond. */
enum lr_status lr_graph_branch_layer(struct lr_graph *g, int *out, int v, int n,
                                     const struct lr_conv_part *parts, struct lr_err *e);

/* The nonlinearity r after a response, where it is piecewise linear: r(x) = lo + slope (x
 * - lo) below lo, x from lo to hi, hi above. ReLU: 0, inf, 0; Clip and ReLU6: their
 * bounds, slope 0; LeakyRelu: 0, inf, alpha (0 <= alpha < 1); none: -inf, inf, 0. */
struct lr_activation {
    float lo, hi, slope;
};
extern const struct lr_activation lr_act_none, lr_act_relu;
/* Whether r is not simply the identity. */
bool lr_act_is_nonlinear(const struct lr_activation *a);
bool lr_act_is_relu(const struct lr_activation *a); /* exactly the ReLU */

/* What follows a response, for the choice of the solver. */
enum lr_follow {
    LR_FOLLOW_NONE, /* graph output, or several consumers, or no activation */
    LR_FOLLOW_RELU,
    LR_FOLLOW_PIECEWISE, /* Clip (ReLU6), LeakyRelu: see act */
    LR_FOLLOW_OTHER      /* another activation; named in follow_name */
};

enum lr_layer_kind {
    LR_LAYER_CONV,
    LR_LAYER_FC /* Gemm or MatMul with constant weights on [batch, c]: a 1 x 1 convolution
                   on a map of one position, all sizes 1 */
};

/* A convolution or fully connected layer as the user sees it. All strings are owned. */
struct lr_layer {
    char *name;
    enum lr_layer_kind kind;
    int value; /* the layer's output value (stable id of the layer) */
    int input; /* its input value */
    /* Sizes; 0 (but group 1) where neither weights nor shapes tell them. */
    int c, d; /* input and output channels */
    int kh, kw, stride_h, stride_w, dil_h, dil_w, group;
    int pad_top, pad_left, pad_bottom, pad_right;
    int in_h, in_w, out_h, out_w;
    enum lr_follow follow;
    struct lr_activation act; /* lr_act_none unless follow is RELU or PIECEWISE */
    char *follow_name; /* operator type after the response (and after the addition), with
                          what matters ("Add (broadcast)"), or NULL */
    int sum_value;     /* output of the Add the response goes into alone, or -1 */
    int other_value;   /* the Add's other input (same shape, an activation), or -1 */
    bool is_approximable;
    char *reason; /* why not, or NULL */
    int64_t macs, params, bytes;
};
/* The whole layer as one part; w and bias (may be NULL) are borrowed. */
struct lr_conv_part lr_layer_part(const struct lr_layer *l, const float *w,
                                  const float *bias);
/* All Conv nodes, and the Gemm and MatMul nodes whose second factor is constant, in
 * topological order; *layers is released with lr_layers_free. With a
 * nonlinear solve over an addition: follow describes what comes after sum_value. When
 * both branches of an Add are convolutions both get sum_value and other_value. */
enum lr_status lr_layers_find(struct lr_layer **layers, int *n, const struct lr_graph *g,
                              struct lr_err *e);
void lr_layers_free(struct lr_layer *layers, int n);
/* The layer's filters [d, (c / group) kh kw] and bias [d] (NULL: none) as float32, a
 * Gemm's alpha, beta and transposition applied; lr_tensor_free both. */
enum lr_status lr_layer_weights(struct lr_tensor **w, struct lr_tensor **bias,
                                const struct lr_graph *g, const struct lr_layer *l,
                                struct lr_err *e);

/* Nodes that the engine cannot run: NULL when there are none, else one line naming the
 * first, of operators not known if there are such, and the number of others, in buf. */
const char *lr_graph_blocker(const struct lr_graph *g, char *buf, size_t size);
/* Of a network that such nodes keep from running to its end, makes the outputs those that
 * can be computed, and behind them what these nodes, or nodes behind them, read: reals
 * that depend on a convolution or a product, as they are before parts of them are chosen,
 * moved about or decided by. Where there is no such value, and in other networks, all
 * stays as it is. Shapes must have been inferred. */
enum lr_status lr_graph_cut(struct lr_graph *g, struct lr_err *e);

#ifdef __cplusplus
}
#endif

#endif
