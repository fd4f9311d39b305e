/* What solver_check is given: NAME=VALUE arguments and the arrays they name. */
#ifndef SOLVER_INPUT_H
#define SOLVER_INPUT_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/approx.h"
#include "ranklab/dataset.h"
#include "ranklab/tensor.h"

struct args {
    int n;
    char **words; /* NAME=VALUE */
};

static inline const char *find(const struct args *a, const char *name)
{
    size_t len = strlen(name);
    for (int i = 0; i < a->n; i++)
        if (!strncmp(a->words[i], name, len) && a->words[i][len] == '=')
            return a->words[i] + len + 1;
    return NULL;
}

static inline double number(const struct args *a, const char *name, double otherwise)
{
    const char *text = find(a, name);
    return text ? strtod(text, NULL) : otherwise;
}

/* LO:HI:SLOPE; none when absent. */
static inline struct lr_activation activation(const struct args *a)
{
    const char *text = find(a, "act");
    struct lr_activation act = lr_act_none;
    if (!text)
        return act;
    char *end;
    act.lo = strtof(text, &end);
    act.hi = *end == ':' ? strtof(end + 1, &end) : NAN;
    act.slope = *end == ':' ? strtof(end + 1, &end) : 0;
    return act;
}

/* The layer with filters [d, n_inputs] of the kernel named, 1 x 1 without. */
static inline struct lr_layer layer_of(const struct args *a, size_t d, size_t n_inputs)
{
    struct lr_layer l = {.d = (int)d, .kh = 1, .kw = 1, .stride_h = 1, .stride_w = 1};
    const char *kernel = find(a, "kernel");
    char *end;
    l.dil_h = l.dil_w = 1;
    l.group = (int)number(a, "group", 1);
    if (kernel) {
        l.kh = (int)strtol(kernel, &end, 10);
        l.kw = *end == 'x' ? (int)strtol(end + 1, NULL, 10) : 0;
    }
    if (l.kh > 0 && l.kw > 0 && n_inputs % (size_t)(l.kh * l.kw) == 0)
        l.c = l.group * (int)(n_inputs / (size_t)(l.kh * l.kw));
    return l;
}

struct matrix {
    struct lr_tensor *t;
    size_t rows, columns; /* a vector has one row */
};

/* The array called name; absent is no error and leaves *m as it was. */
static inline enum lr_status load(struct matrix *m, const struct args *a,
                                  const char *name, struct lr_err *e)
{
    const char *path = find(a, name);
    if (!path)
        return LR_OK;
    enum lr_status st = lr_npy_read(&m->t, path, e);
    if (st != LR_OK)
        return st;
    const struct lr_shape *s = &m->t->shape;
    if (m->t->dtype != LR_DT_F32 || s->n_dims < 1 || s->n_dims > 2)
        return lr_err_set(e, LR_ESHAPE, "%s: not a float matrix", path);
    m->rows = s->n_dims == 2 ? (size_t)s->dims[0] : 1;
    m->columns = (size_t)s->dims[s->n_dims - 1];
    return LR_OK;
}

static inline const float *values(const struct matrix *m)
{
    return m->t ? m->t->data : NULL;
}

/* m is absent or has this shape. */
static inline bool fits(const struct matrix *m, size_t rows, size_t columns)
{
    return !m->t || (m->rows == rows && m->columns == columns);
}

#endif
