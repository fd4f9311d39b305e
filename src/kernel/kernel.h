/* Plain C operators on row-major arrays, for what no library does and for constants that
 * are computed while a network is read. Two kinds of numbers are held: float32 for every
 * floating type, int64 for every integer and for booleans (wrapped to the range of their
 * type after arithmetic). A kernel is made once for given shapes and then run on any
 * number of buffers: its inputs in order, then its outputs. Makers check shapes that a
 * caller could get wrong and give LR_ESHAPE; the loops themselves cannot fail. */
#ifndef RANKLAB_KERNEL_KERNEL_H
#define RANKLAB_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/tensor.h"

enum { LR_KERNEL_DIMS = 2 * LR_MAX_DIMS };

struct lr_kernel {
    void (*run)(const void *arg, void *const *bufs);
    void *arg; /* one block, released with lr_free */
};

/* Used by the makers below: a kernel with a copy of the argument block. */
enum lr_status lr_kernel_make(struct lr_kernel *k,
                              void (*run)(const void *, void *const *), const void *arg,
                              size_t size, struct lr_err *e);
/* ---- types.c ---- */
/* Whether values of this type are kept as float32; int64 otherwise. */
bool lr_kernel_is_float(enum lr_dtype t);
/* x as a value of integer type t: the low bits, or 0 and 1 for booleans. */
int64_t lr_kernel_wrap(enum lr_dtype t, int64_t x);
/* Between a tensor's own type and the kept one; out holds count floats or int64. */
void lr_kernel_load(void *out, const struct lr_tensor *t, int64_t count);
void lr_kernel_store(struct lr_tensor *t, const void *in, int64_t count);

/* ---- map.c: y = f(x; a, b) element by element */
enum lr_map {
    LR_MAP_COPY,
    LR_MAP_RELU,
    LR_MAP_LEAKY, /* a: slope */
    LR_MAP_CLIP,  /* a, b: bounds */
    LR_MAP_SIGMOID,
    LR_MAP_TANH,
    LR_MAP_HARD_SIGMOID, /* clip(a x + b, 0, 1) */
    LR_MAP_HARD_SWISH,
    LR_MAP_ELU,  /* a (e^x - 1) below 0 */
    LR_MAP_SELU, /* b x, or b a (e^x - 1) below 0 */
    LR_MAP_CELU, /* a (e^(x / a) - 1) below 0 */
    LR_MAP_GELU_ERF,
    LR_MAP_GELU_TANH,
    LR_MAP_MISH,
    LR_MAP_SOFTPLUS,
    LR_MAP_SOFTSIGN,
    LR_MAP_THRESHOLDED, /* x above a, else 0 */
    LR_MAP_SHRINK,      /* a: lambda, b: bias */
    LR_MAP_EXP,
    LR_MAP_LOG,
    LR_MAP_SQRT,
    LR_MAP_ERF,
    LR_MAP_SIN,
    LR_MAP_COS,
    LR_MAP_TAN,
    LR_MAP_ASIN,
    LR_MAP_ACOS,
    LR_MAP_ATAN,
    LR_MAP_SINH,
    LR_MAP_COSH,
    LR_MAP_ASINH,
    LR_MAP_ACOSH,
    LR_MAP_ATANH,
    LR_MAP_RECIPROCAL,
    LR_MAP_FLOOR,
    LR_MAP_CEIL,
    LR_MAP_ROUND, /* halves to even */
    /* the rest on integers too */
    LR_MAP_ABS,
    LR_MAP_NEG,
    LR_MAP_SIGN,
    LR_MAP_NOT
};
enum lr_status lr_kernel_map(struct lr_kernel *k, enum lr_map f, float a, float b,
                             int64_t count, enum lr_dtype t, struct lr_err *e);
/* Integers of type t held between lo and hi. */
enum lr_status lr_kernel_clip_ints(struct lr_kernel *k, int64_t lo, int64_t hi,
                                   int64_t count, enum lr_dtype t, struct lr_err *e);
/* A Dropout that drops nothing. bufs: x, y, the mask, all ones. */
enum lr_status lr_kernel_keep_all(struct lr_kernel *k, int64_t count, bool is_float_mask,
                                  struct lr_err *e);
/* From type to type: integers are cut towards zero and wrapped, float16 and bfloat16 are
 * rounded to. */
enum lr_status lr_kernel_cast(struct lr_kernel *k, enum lr_dtype from, enum lr_dtype to,
                              int64_t count, struct lr_err *e);
/* y = saturate(round(x / scale) + zero) and back, scale and zero per tensor or along
 * axis of s, there for each position (block 0) or, scale having all of s's other
 * dimensions, for each block of positions. bufs: x, scale, zero (when has_zero), y. */
enum lr_status lr_kernel_quantize(struct lr_kernel *k, const struct lr_shape *s, int axis,
                                  bool is_per_axis, int64_t block, bool has_zero,
                                  enum lr_dtype to, struct lr_err *e);
enum lr_status lr_kernel_dequantize(struct lr_kernel *k, const struct lr_shape *s,
                                    int axis, bool is_per_axis, int64_t block,
                                    bool has_zero, struct lr_err *e);

/* ---- binary.c: with numpy's broadcasting to out */
enum lr_binary {
    LR_BIN_ADD,
    LR_BIN_SUB,
    LR_BIN_MUL,
    LR_BIN_DIV,
    LR_BIN_MOD,  /* the sign of the divisor */
    LR_BIN_FMOD, /* the sign of the dividend */
    LR_BIN_POW,
    LR_BIN_MAX,
    LR_BIN_MIN,
    LR_BIN_PRELU, /* a, or b a below 0 */
    LR_BIN_EQUAL, /* these give booleans */
    LR_BIN_GREATER,
    LR_BIN_LESS,
    LR_BIN_GREATER_EQUAL,
    LR_BIN_LESS_EQUAL,
    LR_BIN_AND,
    LR_BIN_OR,
    LR_BIN_XOR
};
/* a and b of types ta and tb (other than POW: both float or both not); result of type to.
 */
enum lr_status lr_kernel_binary(struct lr_kernel *k, enum lr_binary f,
                                const struct lr_shape *out, enum lr_dtype to,
                                const struct lr_shape *a, enum lr_dtype ta,
                                const struct lr_shape *b, enum lr_dtype tb,
                                struct lr_err *e);
/* ADD, MAX or MIN of n operands, the sum times scale. bufs: the operands, out. */
enum lr_status lr_kernel_many(struct lr_kernel *k, enum lr_binary f, float scale,
                              const struct lr_shape *out, enum lr_dtype t, int n,
                              const struct lr_shape *const *in, struct lr_err *e);
/* out = c ? x : y. bufs: c, x, y, out. */
enum lr_status lr_kernel_where(struct lr_kernel *k, const struct lr_shape *out,
                               enum lr_dtype t, const struct lr_shape *c,
                               const struct lr_shape *x, const struct lr_shape *y,
                               struct lr_err *e);

/* ---- pick.c: moving numbers about */

/* out[i0, i1, ...] = in[offset + at[0][i0] + at[1][i1] + ...]; where one of the tables
 * holds -1, out gets the fill. Covers permutations, slices, repetitions and padding. */
struct lr_pick {
    int n;
    int64_t dims[LR_KERNEL_DIMS];
    int64_t *at[LR_KERNEL_DIMS]; /* owned */
    int64_t offset;
    bool is_float;
    float fill;
    int64_t int_fill;
    bool has_fill_input; /* bufs[1] holds the number to fill with */
};
/* Tables of dims[i] entries each, filled in by the caller; lr_pick_clear frees them. */
enum lr_status lr_pick_init(struct lr_pick *p, int n, const int64_t *dims, bool is_float,
                            struct lr_err *e);
void lr_pick_clear(struct lr_pick *p);
/* bufs: in, out. p is copied. */
enum lr_status lr_kernel_pick(struct lr_kernel *k, const struct lr_pick *p,
                              struct lr_err *e);
/* Rows of inner numbers chosen by n indices among size of them, in each of outer blocks;
 * an index outside is taken modulo by negative counting, then clamped. bufs: in, indices,
 * out. */
enum lr_status lr_kernel_gather(struct lr_kernel *k, int64_t outer, int64_t size,
                                int64_t inner, int64_t n, bool is_float,
                                struct lr_err *e);
/* out[i] = in at i with the coordinate of axis replaced by index[i]. bufs: in, indices,
 * out. */
enum lr_status lr_kernel_gather_elements(struct lr_kernel *k, const struct lr_shape *in,
                                         const struct lr_shape *index, int axis,
                                         bool is_float, struct lr_err *e);
/* n pieces one behind the other: piece i has size[i] numbers in each of rows rows. bufs:
 * the pieces, out. */
enum lr_status lr_kernel_concat(struct lr_kernel *k, int64_t rows, int n,
                                const int64_t *size, bool is_float, struct lr_err *e);
/* The other way round. bufs: in, the pieces. */
enum lr_status lr_kernel_split(struct lr_kernel *k, int64_t rows, int n,
                               const int64_t *size, bool is_float, struct lr_err *e);

/* ---- scatter.c: indices are counted as for gather */
enum lr_scatter {
    LR_SCATTER_PUT,
    LR_SCATTER_ADD,
    LR_SCATTER_MUL,
    LR_SCATTER_MAX,
    LR_SCATTER_MIN
};
/* Rows chosen by the vectors that the last axis of index holds, the first n_batch axes of
 * both being the same. bufs: data, indices, out. */
enum lr_status lr_kernel_gather_nd(struct lr_kernel *k, const struct lr_shape *data,
                                   const struct lr_shape *index, int n_batch,
                                   enum lr_dtype t, struct lr_err *e);
/* data with rows changed by those of updates, one after the other. bufs: data, indices,
 * updates, out; so for single numbers along an axis. */
enum lr_status lr_kernel_scatter_nd(struct lr_kernel *k, const struct lr_shape *data,
                                    const struct lr_shape *index,
                                    const struct lr_shape *updates, enum lr_scatter f,
                                    enum lr_dtype t, struct lr_err *e);
enum lr_status lr_kernel_scatter_elements(struct lr_kernel *k,
                                          const struct lr_shape *data,
                                          const struct lr_shape *index,
                                          const struct lr_shape *updates, int axis,
                                          enum lr_scatter f, enum lr_dtype t,
                                          struct lr_err *e);
/* The count largest (or smallest) of n numbers, in order. bufs: in, then values and
 * indices as asked for. */
enum lr_status lr_kernel_top(struct lr_kernel *k, int64_t outer, int64_t n, int64_t inner,
                             int64_t count, bool is_largest, enum lr_dtype t,
                             bool has_values, bool has_places, struct lr_err *e);
/* out[o, d, i] = values[index[o, i] is d], negative ones from the end, fractions cut
 * off. bufs: indices, the depth, values, out. */
enum lr_status lr_kernel_one_hot(struct lr_kernel *k, int64_t outer, int64_t depth,
                                 int64_t inner, bool is_float_index, bool is_float,
                                 struct lr_err *e);
/* Zeros below (is_upper) or above a diagonal. bufs: in, out. */
enum lr_status lr_kernel_triangle(struct lr_kernel *k, int64_t matrices, int64_t rows,
                                  int64_t columns, int64_t diagonal, bool is_upper,
                                  bool is_float, struct lr_err *e);

/* ---- grid.c */
enum lr_grid_mode { LR_GRID_LINEAR, LR_GRID_NEAREST, LR_GRID_CUBIC };
enum lr_grid_pad { LR_GRID_ZEROS, LR_GRID_BORDER, LR_GRID_REFLECTION };
struct lr_grid {
    int64_t n, c, h, w, places; /* places: per image, a pair (x, y) each */
    enum lr_grid_mode mode;
    enum lr_grid_pad pad;
    bool is_aligned; /* -1 and 1 are the middles of the outermost values */
};
/* bufs: images, places, out. */
enum lr_status lr_kernel_grid(struct lr_kernel *k, const struct lr_grid *g,
                              struct lr_err *e);

/* ---- recurrent.c */
enum lr_recurrent_kind { LR_RNN, LR_GRU, LR_LSTM };
/* As ONNX has them, the activations sigmoid and tanh (of the plain one ReLU too). bufs:
 * x, W, R, then bias, lengths (not read), first states and peepholes as there are, then
 * all states, the last h and the last c as asked for. */
struct lr_recurrent {
    enum lr_recurrent_kind kind;
    int64_t length, batch, input, hidden, directions;
    bool is_batch_first, is_reverse, is_reset_after, is_relu;
    bool has_bias, has_lengths, has_h, has_c, has_peepholes, has_y, has_y_h, has_y_c;
};
enum lr_status lr_kernel_recurrent(struct lr_kernel *k, const struct lr_recurrent *r,
                                   struct lr_err *e);

/* ---- reduce.c */
enum lr_reduce {
    LR_RED_SUM,
    LR_RED_MEAN,
    LR_RED_MAX,
    LR_RED_MIN,
    LR_RED_PROD,
    LR_RED_L1,
    LR_RED_L2,
    LR_RED_SUM_SQUARE,
    LR_RED_LOG_SUM,
    LR_RED_LOG_SUM_EXP,
    LR_RED_ARG_MAX, /* over one axis */
    LR_RED_ARG_MIN
};
/* Over the axes in the bit set. is_last: of equal numbers the last one's index. */
enum lr_status lr_kernel_reduce(struct lr_kernel *k, enum lr_reduce f,
                                const struct lr_shape *in, unsigned axes, enum lr_dtype t,
                                bool is_last, struct lr_err *e);
enum lr_softmax { LR_SOFTMAX, LR_LOG_SOFTMAX, LR_HARDMAX };
enum lr_status lr_kernel_softmax(struct lr_kernel *k, enum lr_softmax f, int64_t outer,
                                 int64_t n, int64_t inner, struct lr_err *e);
enum lr_status lr_kernel_cumsum(struct lr_kernel *k, int64_t outer, int64_t n,
                                int64_t inner, bool is_exclusive, bool is_reverse,
                                enum lr_dtype t, struct lr_err *e);

/* ---- norm.c */

/* (x - mean) / sqrt(variance + epsilon) over rows of length numbers, then scale and
 * shift: element j of row r uses entry (r % rows_per_cycle) * per_row + j / run % per_row
 * of scale and shift. bufs: x, scale and shift as there are, y, mean and 1 / deviation as
 * asked for. */
struct lr_norm {
    int64_t rows, length;
    int64_t cycle, per_row, run;
    float epsilon;
    bool has_scale, has_shift, has_mean, has_inverse;
};
enum lr_status lr_kernel_norm(struct lr_kernel *k, const struct lr_norm *n,
                              struct lr_err *e);
/* x / |x|_p along an axis, p 1 or 2; a vector of zeros stays one. */
enum lr_status lr_kernel_lp_norm(struct lr_kernel *k, int p, int64_t outer, int64_t n,
                                 int64_t inner, struct lr_err *e);

/* ---- resize.c */

/* One axis: out[j] = sum over t < taps of weight[j * taps + t] in[index[j * taps + t]];
 * index -1: the whole output element is extrapolated. */
struct lr_resize_axis {
    int64_t in, out;
    int taps;
    int64_t *index;
    float *weight;
};
enum lr_resize_mode { LR_RESIZE_NEAREST, LR_RESIZE_LINEAR, LR_RESIZE_CUBIC };
enum lr_resize_coord {
    LR_COORD_HALF_PIXEL,
    LR_COORD_HALF_PIXEL_SYMMETRIC,
    LR_COORD_PYTORCH_HALF_PIXEL,
    LR_COORD_ALIGN_CORNERS,
    LR_COORD_ASYMMETRIC,
    LR_COORD_TF_HALF_PIXEL_FOR_NN,
    LR_COORD_TF_CROP
};
enum lr_resize_nearest {
    LR_NEAREST_PREFER_FLOOR,
    LR_NEAREST_PREFER_CEIL,
    LR_NEAREST_FLOOR,
    LR_NEAREST_CEIL
};
struct lr_resize_opts {
    enum lr_resize_mode mode;
    enum lr_resize_coord coord;
    enum lr_resize_nearest nearest;
    float cubic_a;
    bool is_excluding_outside, is_antialiased;
};
/* Tables of one axis. scale: out / in as asked for; roi: of this axis, for TF_CROP. */
enum lr_status lr_resize_axis_init(struct lr_resize_axis *a, int64_t in, int64_t out,
                                   double scale, const double roi[2],
                                   const struct lr_resize_opts *o, struct lr_err *e);
void lr_resize_axis_clear(struct lr_resize_axis *a);
/* n axes. bufs: in, out. */
enum lr_status lr_kernel_resize(struct lr_kernel *k, int n,
                                const struct lr_resize_axis *a, float extrapolation,
                                struct lr_err *e);

/* ---- window.c: any number of spatial dimensions up to 6 */
enum { LR_KERNEL_SPACE = 6 };
struct lr_slide {
    int n;          /* spatial dimensions */
    int64_t planes; /* images times channels */
    int64_t in[LR_KERNEL_SPACE], out[LR_KERNEL_SPACE], kernel[LR_KERNEL_SPACE];
    int64_t stride[LR_KERNEL_SPACE], dil[LR_KERNEL_SPACE];
    int64_t lo[LR_KERNEL_SPACE], hi[LR_KERNEL_SPACE];
};
enum lr_pool_kind { LR_POOL_MAX, LR_POOL_AVERAGE, LR_POOL_LP };
/* is_including: averages divide by the window and its pads. bufs: in, out, and the flat
 * positions of the maxima when has_index (column_major: counted down the columns).
 * is_int: maxima of integers. */
enum lr_status lr_kernel_pool(struct lr_kernel *k, const struct lr_slide *s,
                              enum lr_pool_kind kind, bool is_including, float p,
                              bool has_index, bool is_column_major, bool is_int,
                              struct lr_err *e);
/* Convolution and its transpose: images of c channels to d, in groups; s->planes: images.
 * Transposed: in and out are those of the transposed operator, weights [c, d / group,
 * ...]. bufs: x, w, bias when has_bias, y. */
enum lr_status lr_kernel_conv(struct lr_kernel *k, const struct lr_slide *s, int64_t c,
                              int64_t d, int64_t group, bool has_bias, bool is_transposed,
                              struct lr_err *e);

/* ---- einsum.c */

/* Sums of products: operand i has labels[i] (letters, one per dimension; of a letter's
 * sizes all are equal or 1), out those of the result; t: the type of all. bufs: the
 * operands, out. */
enum { LR_EINSUM_MAX = 8, LR_EINSUM_LABELS = 64 };
enum lr_status lr_kernel_einsum(struct lr_kernel *k, int n,
                                const struct lr_shape *const *in,
                                const char *const *labels, const char *out,
                                enum lr_dtype t, struct lr_err *e);

#endif
