/* What is expected of a network whose shapes are inferred. */
#ifndef INFER_FIXTURE_H
#define INFER_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "model_build.h"

/* Inference fails with this code and a message that contains text. */
static inline void assert_refused(struct lr_graph *g, enum lr_status code,
                                  const char *text)
{
    struct lr_err e = {0};

    assert_int_equal(lr_graph_infer(g, NULL, &e), code);
    if (!strstr(e.msg, text))
        fail_msg("\"%s\" does not contain \"%s\"", e.msg, text);
    lr_graph_free(g);
}

/* Inference succeeds and the node of v is unsupported for a reason that contains text. */
static inline void assert_why(struct lr_graph *g, int v, const char *text)
{
    mb_infer(g);
    assert_non_null(mb_of(g, v)->why_unsupported);
    if (!strstr(mb_of(g, v)->why_unsupported, text))
        fail_msg("\"%s\" does not contain \"%s\"", mb_of(g, v)->why_unsupported, text);
    lr_graph_free(g);
}

static inline void assert_plain(struct lr_graph *g, int v, const char *shape)
{
    mb_infer(g);
    mb_assert_shape(g, v, shape);
    if (mb_of(g, v)->why_unsupported)
        fail_msg("unexpected: %s", mb_of(g, v)->why_unsupported);
    lr_graph_free(g);
}

#endif
