/* The interpreter's arrays, and its operators that only move numbers: concatenation,
 * transposition, padding, views. Included by engine_naive.h alone. */
#ifndef RANKLAB_TEST_ENGINE_MOVE_H
#define RANKLAB_TEST_ENGINE_MOVE_H

#include "engine_graph.h"

struct nt {
    int n;
    int64_t d[LR_MAX_DIMS];
    double *x; /* NULL: not computed */
    bool is_batched;
};

struct naive {
    struct nt *t; /* per value */
    int n_values;
};

static int64_t nt_count(const struct nt *t)
{
    int64_t c = 1;
    for (int i = 0; i < t->n; i++)
        c *= t->d[i];
    return c;
}

static void nt_alloc(struct nt *t)
{
    lr_free(t->x);
    t->x = lr_calloc((size_t)nt_count(t), sizeof(double));
    assert_non_null(t->x);
}

static void nt_4(struct nt *t, int64_t a, int64_t b, int64_t c, int64_t d)
{
    t->n = 4;
    t->d[0] = a;
    t->d[1] = b;
    t->d[2] = c;
    t->d[3] = d;
    nt_alloc(t);
}

static double *at4(const struct nt *t, int64_t i, int64_t c, int64_t y, int64_t x)
{
    return &t->x[((i * t->d[1] + c) * t->d[2] + y) * t->d[3] + x];
}

static int64_t ints_at(const struct lr_node *n, const char *name, int i,
                       int64_t otherwise)
{
    int64_t v[16];
    return lr_node_ints(n, name, v, 16) > (size_t)i ? v[i] : otherwise;
}

/* Index into t for position pos of a result of n dimensions, dimensions of 1 repeated. */
static int64_t repeated(const struct nt *t, int n, const int64_t *pos)
{
    int64_t at = 0;
    for (int i = 0; i < t->n; i++) {
        int64_t p = pos[i + n - t->n];
        at = at * t->d[i] + (t->d[i] == 1 ? 0 : p);
    }
    return at;
}

static void unravel(int64_t i, const struct nt *t, int64_t *pos)
{
    for (int k = t->n - 1; k >= 0; k--) {
        pos[k] = i % t->d[k];
        i /= t->d[k];
    }
}

static void copy_shape(struct nt *y, const struct nt *x)
{
    y->n = x->n;
    memcpy(y->d, x->d, sizeof y->d);
    nt_alloc(y);
}

static void naive_concat(const struct lr_node *n, struct naive *r, struct nt *y)
{
    int axis = (int)lr_node_int(n, "axis", 1);
    int64_t pos[LR_MAX_DIMS], start = 0;
    const struct nt *first = &r->t[n->in[0]];
    axis = axis < 0 ? axis + first->n : axis;
    y->n = first->n;
    memcpy(y->d, first->d, sizeof y->d);
    y->d[axis] = 0;
    for (int j = 0; j < n->n_in; j++)
        y->d[axis] += r->t[n->in[j]].d[axis];
    nt_alloc(y);
    for (int j = 0; j < n->n_in; j++) {
        const struct nt *x = &r->t[n->in[j]];
        for (int64_t i = 0; i < nt_count(x); i++) {
            unravel(i, x, pos);
            pos[axis] += start;
            y->x[repeated(y, y->n, pos)] = x->x[i];
        }
        start += x->d[axis];
    }
}

static void naive_transpose(const struct lr_node *n, struct nt *y, const struct nt *x)
{
    int64_t pos[LR_MAX_DIMS], from[LR_MAX_DIMS];
    y->n = x->n;
    for (int i = 0; i < x->n; i++)
        y->d[i] = x->d[ints_at(n, "perm", i, x->n - 1 - i)];
    nt_alloc(y);
    for (int64_t i = 0; i < nt_count(y); i++) {
        unravel(i, y, pos);
        for (int k = 0; k < x->n; k++)
            from[ints_at(n, "perm", k, x->n - 1 - k)] = pos[k];
        int64_t at = 0;
        for (int k = 0; k < x->n; k++)
            at = at * x->d[k] + from[k];
        y->x[i] = x->x[at];
    }
}

static void naive_pad(const struct lr_node *n, struct naive *r, struct nt *y,
                      const struct nt *x)
{
    const char *mode = lr_node_string(n, "mode", "constant");
    int64_t pos[LR_MAX_DIMS], pads[2 * LR_MAX_DIMS];
    double fill = (double)lr_node_float(n, "value", 0);
    if (n->n_in > 2 && n->in[2] >= 0)
        fill = r->t[n->in[2]].x[0];
    for (int i = 0; i < 2 * x->n; i++)
        pads[i] = n->n_in > 1 ? (int64_t)r->t[n->in[1]].x[i] : ints_at(n, "pads", i, 0);
    y->n = x->n;
    for (int i = 0; i < x->n; i++)
        y->d[i] = x->d[i] + pads[i] + pads[i + x->n];
    nt_alloc(y);
    for (int64_t i = 0; i < nt_count(y); i++) {
        bool is_out = false;
        int64_t at = 0;
        unravel(i, y, pos);
        for (int k = 0; k < x->n; k++) {
            int64_t p = pos[k] - pads[k], last = x->d[k] - 1;
            if (p < 0 || p > last) {
                is_out = true;
                if (strcmp(mode, "edge") == 0)
                    p = p < 0 ? 0 : last;
                else
                    p = p < 0 ? -p : 2 * last - p;
            }
            at = at * x->d[k] + p;
        }
        y->x[i] = is_out && strcmp(mode, "constant") == 0 ? fill : x->x[at];
    }
}

/* Flatten, Reshape, Squeeze, Unsqueeze: only what the tests use. */
static void naive_view(const struct lr_node *n, struct naive *r, struct nt *y,
                       const struct nt *x)
{
    int64_t known = 1;
    int free_dim = -1;
    y->n = 0;
    if (n->op == LR_OP_FLATTEN) {
        int axis = (int)lr_node_int(n, "axis", 1);
        y->n = 2;
        y->d[0] = y->d[1] = 1;
        for (int i = 0; i < x->n; i++)
            y->d[i >= axis] *= x->d[i];
    } else if (n->op == LR_OP_RESHAPE) {
        y->n = (int)r->t[n->in[1]].d[0];
        for (int i = 0; i < y->n; i++) {
            y->d[i] = (int64_t)r->t[n->in[1]].x[i];
            if (y->d[i] == 0)
                y->d[i] = x->d[i];
            if (y->d[i] == -1)
                free_dim = i;
            else
                known *= y->d[i];
        }
        if (free_dim >= 0)
            y->d[free_dim] = nt_count(x) / known;
    } else if (n->op == LR_OP_SQUEEZE) {
        for (int i = 0; i < x->n; i++)
            if (i < 2 || x->d[i] != 1)
                y->d[y->n++] = x->d[i];
    } else if (n->op == LR_OP_UNSQUEEZE) { /* one axis, 1 */
        y->d[y->n++] = x->d[0];
        y->d[y->n++] = 1;
        for (int i = 1; i < x->n; i++)
            y->d[y->n++] = x->d[i];
    } else {
        y->n = x->n;
        memcpy(y->d, x->d, sizeof y->d);
    }
    nt_alloc(y);
    memcpy(y->x, x->x, (size_t)nt_count(x) * sizeof(double));
}

#endif
