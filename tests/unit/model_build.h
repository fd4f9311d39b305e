/* Small networks for the tests of src/model: builders that fail the test when the library
 * does, a naive evaluator as an oracle, and a protobuf encoder for hand-made files. */
#ifndef RANKLAB_TESTS_MODEL_BUILD_H
#define RANKLAB_TESTS_MODEL_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "ranklab/graph.h"
#include "ranklab/mem.h"

struct lr_graph *mb_graph(int opset);
/* An input named "x" of four dimensions; batch -1 or a number. */
int mb_image(struct lr_graph *g, int64_t batch, int64_t c, int64_t h, int64_t w);
/* A float constant of n_dims sizes, seeded by its name; all values in [-1, 1]. */
int mb_fed(struct lr_graph *g, const char *name, int n_dims, const int64_t *dims);
int mb_weight(struct lr_graph *g, const char *name, int n_dims, const int64_t *dims);
/* A constant with these n values, a vector (n_dims 1) or a scalar (n_dims 0). */
int mb_floats(struct lr_graph *g, const char *name, int n_dims, int n, const float *v);
int mb_ints(struct lr_graph *g, const char *name, int n_dims, int n, const int64_t *v);
/* A node with n_in inputs and one output NAME_out, whose index is returned. */
int mb_node(struct lr_graph *g, const char *type, const char *name, int n_in,
            const int *in);
int mb_unary(struct lr_graph *g, const char *type, const char *name, int x);
int mb_binary(struct lr_graph *g, const char *type, const char *name, int x, int y);
/* k x k convolution with bias from c to d channels. */
int mb_conv(struct lr_graph *g, const char *name, int x, int c, int d, int k, int stride,
            int pad);
/* BatchNormalization with random parameters and positive variances. */
int mb_bn(struct lr_graph *g, const char *name, int x, int c);
int mb_max_pool(struct lr_graph *g, const char *name, int x, int k, int stride,
                int is_ceil);
/* The node that computes v. */
struct lr_node *mb_of(struct lr_graph *g, int v);
void mb_set_int(struct lr_graph *g, int v, const char *name, int64_t i);
void mb_set_ints(struct lr_graph *g, int v, const char *name, int n, const int64_t *i);
void mb_output(struct lr_graph *g, int v);
/* Infers shapes and fails the test unless that succeeds. */
void mb_infer(struct lr_graph *g);
/* Fails the test unless value v has this shape ("Nx3x8x8"), or none ("?"). */
void mb_assert_shape(const struct lr_graph *g, int v, const char *text);

/* Value v for one image of input 0, by plain loops in double: Conv, Gemm, MatMul,
 * BatchNormalization, Relu, Add, Identity, Dropout, Flatten. Release with lr_free. */
double *mb_eval(const struct lr_graph *g, int v, const double *input, int64_t *count);

enum { MB_IMAGE = 2000 };
/* A group's setup: the image of MB_IMAGE values that mb_assert_equal puts in. */
int mb_fill_image(void **state);
/* Fails the test unless both graphs compute the same for value name, up to tolerance
 * times its largest element. */
void mb_assert_equal(const struct lr_graph *a, const struct lr_graph *b, const char *name,
                     double tolerance);
struct lr_graph *mb_clone(const struct lr_graph *g);

/* A group's temporary folder: setup and teardown for cmocka, its path, and that of a file
 * in it (one of a.onnx, b.onnx, weights.bin, link, in/w). */
int mb_make_dir(void **state);
int mb_remove_dir(void **state);
const char *mb_dir(void);
const char *mb_path(char path[400], const char *name);

/* Protobuf fields appended to b. */
void pb_int(struct lr_strbuf *b, unsigned field, uint64_t v);
void pb_bytes(struct lr_strbuf *b, unsigned field, const void *p, size_t n);
void pb_text(struct lr_strbuf *b, unsigned field, const char *s);
/* Appends m as a message and empties it. */
void pb_message(struct lr_strbuf *b, unsigned field, struct lr_strbuf *m);

#endif
