/* Networks with local functions in files written by hand. */
#ifndef FUNCTION_FIXTURE_H
#define FUNCTION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"
#include "ranklab/onnx.h"

enum { IN_GRAPH = 1, IN_FUNCTION = 7, INT = 2, INTS = 7, GRAPH = 5 };

struct file {
    struct lr_strbuf graph, functions;
    int opset;
};

/* Words between blanks, each as a field; "-" is an empty one. */
static inline void put_words(struct lr_strbuf *to, unsigned field, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, " ");
        if (n == 1 && *words == '-')
            pb_bytes(to, field, "", 0);
        else if (n > 0)
            pb_bytes(to, field, words, n);
        words += n + (words[n] == ' ');
    }
}

/* attrs, which is emptied, may be NULL. "F:" in front of the operator: it is a function.
 */
static inline void put_node(struct lr_strbuf *to, unsigned field, const char *op,
                            const char *in, const char *out, const char *name,
                            struct lr_strbuf *attrs)
{
    struct lr_strbuf b = {0};

    put_words(&b, 1, in);
    put_words(&b, 2, out);
    pb_text(&b, 3, name);
    pb_text(&b, 4, strncmp(op, "F:", 2) == 0 ? op + 2 : op);
    if (strncmp(op, "F:", 2) == 0)
        pb_text(&b, 7, "f");
    if (attrs && attrs->len)
        lr_strbuf_add(&b, attrs->s, attrs->len);
    if (attrs)
        lr_strbuf_free(attrs);
    pb_message(to, field, &b);
}

static inline void put_ints(struct lr_strbuf *attrs, unsigned field, const char *name,
                            int n, int value)
{
    struct lr_strbuf b = {0};

    pb_text(&b, 1, name);
    for (int i = 0; i < n; i++)
        pb_int(&b, 8, (uint64_t)value);
    pb_int(&b, 20, INTS);
    pb_message(attrs, field, &b);
}

static inline void put_ref(struct lr_strbuf *attrs, const char *name, const char *to,
                           int type)
{
    struct lr_strbuf b = {0};

    pb_text(&b, 1, name);
    pb_text(&b, 21, to);
    pb_int(&b, 20, (uint64_t)type);
    pb_message(attrs, 5, &b);
}

/* nodes is emptied; more (may be NULL) too. */
static inline void put_function(struct file *f, const char *name, const char *in,
                                const char *out, struct lr_strbuf *nodes, int opset,
                                struct lr_strbuf *more)
{
    struct lr_strbuf b = {0}, import = {0};

    pb_text(&b, 1, name);
    put_words(&b, 4, in);
    put_words(&b, 5, out);
    if (nodes->len)
        lr_strbuf_add(&b, nodes->s, nodes->len);
    lr_strbuf_free(nodes);
    pb_text(&import, 1, "");
    pb_int(&import, 2, (uint64_t)opset);
    pb_message(&b, 9, &import);
    pb_text(&b, 10, "f");
    if (more) {
        lr_strbuf_add(&b, more->s, more->len);
        lr_strbuf_free(more);
    }
    pb_message(&f->functions, 25, &b);
}

static inline void put_tensor(struct file *f, const char *name, int n_dims,
                              const int *dims)
{
    struct lr_strbuf b = {0};
    float values[512];
    int n = 1;

    for (int i = 0; i < n_dims; i++) {
        pb_int(&b, 1, (uint64_t)dims[i]);
        n *= dims[i];
    }
    assert_true(n <= 512);
    for (int i = 0; i < n; i++)
        values[i] = (float)((i * 7 + (int)strlen(name)) % 11 - 5) / 8;
    pb_int(&b, 2, 1);
    pb_text(&b, 8, name);
    pb_bytes(&b, 9, values, (size_t)n * sizeof(float));
    pb_message(&f->graph, 5, &b);
}

static inline void put_value(struct lr_strbuf *to, unsigned field, const char *name,
                             int channels)
{
    struct lr_strbuf dim = {0}, shape = {0}, tensor = {0}, type = {0}, b = {0};
    const int dims[] = {1, channels, 5, 5};

    for (int i = 0; i < 4; i++) {
        pb_int(&dim, 1, (uint64_t)dims[i]);
        pb_message(&shape, 1, &dim);
    }
    pb_int(&tensor, 1, 1);
    pb_message(&tensor, 2, &shape);
    pb_message(&type, 1, &tensor);
    pb_text(&b, 1, name);
    pb_message(&b, 2, &type);
    pb_message(to, field, &b);
}

/* The whole file, of which f is emptied. */
static inline struct lr_strbuf finish(struct file *f)
{
    struct lr_strbuf b = {0}, import = {0};

    put_value(&f->graph, 11, "x", 3);
    put_value(&f->graph, 12, "y", 3);
    pb_int(&b, 1, 8);
    pb_message(&b, 7, &f->graph);
    pb_text(&import, 1, "");
    pb_int(&import, 2, (uint64_t)(f->opset ? f->opset : 13));
    pb_message(&b, 8, &import);
    pb_text(&import, 1, "f");
    pb_int(&import, 2, 1);
    pb_message(&b, 8, &import);
    if (f->functions.len)
        lr_strbuf_add(&b, f->functions.s, f->functions.len);
    lr_strbuf_free(&f->functions);
    return b;
}

static inline enum lr_status parse(struct lr_graph **g, struct file *f, struct lr_err *e)
{
    struct lr_strbuf b = finish(f);
    enum lr_status st = lr_onnx_parse(g, b.s, b.len, NULL, NULL, e);

    lr_strbuf_free(&b);
    return st;
}

static inline struct lr_graph *read_net(struct file *f)
{
    struct lr_graph *g;
    struct lr_err e = {0};

    if (parse(&g, f, &e) != LR_OK)
        fail_msg("%s", e.msg);
    mb_infer(g);
    return g;
}

static inline void assert_same(struct lr_graph *a, struct lr_graph *b)
{
    mb_assert_equal(a, b, "y", 1e-6);
    lr_graph_free(a);
    lr_graph_free(b);
}

/* ---- networks ---- */

static const int W[] = {3, 3, 3, 3}, B[] = {3};

static inline void put_weights(struct file *f)
{
    put_tensor(f, "w", 4, W);
    put_tensor(f, "v", 4, W);
    put_tensor(f, "b", 1, B);
}

/* Block(x, w, b) = relu(conv) with pads by reference, over Conv(x, w, b). */
static inline void put_block(struct file *f)
{
    struct lr_strbuf nodes = {0}, attrs = {0};

    put_ref(&attrs, "pads", "around", INTS);
    put_ref(&attrs, "dilations", "apart", INTS);
    put_node(&nodes, IN_FUNCTION, "Conv", "x w b", "y", "conv", &attrs);
    put_function(f, "Conv", "x w b", "y", &nodes, 13, NULL);
    put_ref(&attrs, "around", "pads", INTS);
    put_node(&nodes, IN_FUNCTION, "F:Conv", "x w b", "c", "inner", &attrs);
    put_node(&nodes, IN_FUNCTION, "Relu", "c", "y", "", NULL);
    put_function(f, "Block", "x w b", "y", &nodes, 13, NULL);
}

static inline void put_call(struct file *f, const char *in, const char *out,
                            const char *name)
{
    struct lr_strbuf attrs = {0};

    put_ints(&attrs, 5, "pads", 4, 1);
    put_node(&f->graph, IN_GRAPH, "F:Block", in, out, name, &attrs);
}

/* Two calls, one without the bias; a value is called what one inside would be. */
static inline struct file two_calls(void)
{
    struct file f = {0};

    put_weights(&f);
    put_block(&f);
    put_call(&f, "x w b", "two/c", "one");
    put_call(&f, "two/c v -", "y", "two");
    return f;
}

static inline struct lr_graph *two_written_out(void)
{
    struct file f = {0};
    struct lr_strbuf attrs = {0};

    put_weights(&f);
    put_ints(&attrs, 5, "pads", 4, 1);
    put_node(&f.graph, IN_GRAPH, "Conv", "x w b", "c", "", &attrs);
    put_node(&f.graph, IN_GRAPH, "Relu", "c", "r", "", NULL);
    put_ints(&attrs, 5, "pads", 4, 1);
    put_node(&f.graph, IN_GRAPH, "Conv", "r v", "d", "", &attrs);
    put_node(&f.graph, IN_GRAPH, "Relu", "d", "y", "", NULL);
    return read_net(&f);
}

#endif
