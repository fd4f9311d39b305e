/* Layers whose channels are grouped: every group is a layer of its own, solved by itself;
 * the result is one solution that is zero outside the groups' blocks. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "approx/solver.h"
#include "ranklab/mem.h"

enum lr_status lr_layer_check(const struct lr_layer *l, struct lr_err *e)
{
    size_t n;

    if (!l || l->c < 1 || l->d < 1 || l->kh < 1 || l->kw < 1 || l->group < 1)
        return lr_err_set(e, LR_EINVAL, "the layer's sizes are not known");
    if (l->c % l->group != 0 || l->d % l->group != 0)
        return lr_err_set(e, LR_EINVAL,
                          "%d groups do not divide %d input and %d output channels",
                          l->group, l->c, l->d);
    if (__builtin_mul_overflow((size_t)l->c, (size_t)l->kh * (size_t)l->kw, &n) ||
        __builtin_mul_overflow(n, (size_t)l->d * 4 * sizeof(double), &n))
        return lr_err_set(e, LR_EINVAL, "%d filters of %d x %d x %d are too large", l->d,
                          l->c, l->kh, l->kw);
    return LR_OK;
}

void lr_interleave(double *x, size_t n, size_t groups)
{
    for (size_t a = 0; a < n; a++)
        for (size_t j = groups; j-- > 0;)
            x[a * groups + j] = x[a * groups] / (double)groups;
}

/* Notes of one group say which. */
struct group_notes {
    const struct lr_notes *to;
    int group, groups;
};

static void pass_note(void *ctx, enum lr_note_level level, const char *text)
{
    const struct group_notes *n = ctx;

    lr_note(n->to, level, "group %d of %d: %s", n->group + 1, n->groups, text);
}

/* Columns first..first+width-1 of x [n x d]; NULL for NULL. *has_failed: no memory. */
static float *columns(const float *x, size_t n, size_t d, size_t first, size_t width,
                      bool *has_failed)
{
    float *out = x ? lr_alloc(n * width, sizeof(float)) : NULL;

    *has_failed |= x && !out;
    for (size_t i = 0; out && i < n; i++)
        for (size_t j = 0; j < width; j++)
            out[i * width + j] = x[i * d + first + j];
    return out;
}

/* Group j of s by itself; is_same: target and regressor are one thing. */
static enum lr_status solve_group(struct lr_lowrank *out, const struct lr_method_info *m,
                                  size_t j, size_t width, const struct lr_samples *s,
                                  const float *w, size_t n_inputs, int rank,
                                  const struct lr_solve_opts *opts, struct lr_err *e)
{
    size_t d = (size_t)s->d, first = j * width, n = s->n_fit + s->n_valid + s->n_held;
    struct lr_samples part = *s;
    bool is_same = s->yhat == s->target, has_failed = false;
    float *target = columns(s->target, n, d, first, width, &has_failed);
    float *yhat = is_same ? NULL : columns(s->yhat, n, d, first, width, &has_failed);
    float *shortcut = columns(s->shortcut, n, d, first, width, &has_failed);
    enum lr_status st;

    part.d = (int)width;
    part.target = target;
    part.yhat = is_same ? target : yhat;
    part.shortcut = shortcut;
    if (has_failed)
        st = lr_enomem(e, n * width * sizeof(float), "the responses of a group");
    else
        st = m->solve(out, &part, w ? w + first * n_inputs : NULL, n_inputs, rank, opts,
                      e);
    lr_free(target);
    lr_free(yhat);
    lr_free(shortcut);
    return st;
}

/* The solution of group j into its block. */
static void place(struct lr_lowrank *out, const struct lr_lowrank *part, size_t j)
{
    size_t width = (size_t)part->d, each = (size_t)part->rank, rank = (size_t)out->rank;

    for (size_t i = 0; i < width; i++) {
        size_t row = j * width + i;
        for (size_t a = 0; a < each; a++) {
            out->p[row * rank + j * each + a] = part->p[i * each + a];
            out->q[row * rank + j * each + a] = part->q[i * each + a];
        }
        out->b[row] = part->b[i];
    }
    out->n_data_rank += part->n_data_rank;
    if (part->n_iterations > out->n_iterations)
        out->n_iterations = part->n_iterations;
    if (part->best_iteration > out->best_iteration)
        out->best_iteration = part->best_iteration;
}

enum lr_status lr_solve_groups(struct lr_lowrank *out, const struct lr_method_info *m,
                               int groups, const struct lr_samples *s, const float *w,
                               size_t n_inputs, int rank,
                               const struct lr_solve_opts *opts, struct lr_err *e)
{
    struct lr_solve_opts defaults, mine;
    enum lr_status st;

    *out = (struct lr_lowrank){0};
    if (!m || !m->solve)
        return lr_err_set(e, LR_EINVAL, "%s: no channel part to solve",
                          m ? m->name : "method");
    if (!s || s->d < 1)
        return lr_err_set(e, LR_EINVAL, "no samples of the layer's responses");
    if (groups < 1 || s->d % groups != 0)
        return lr_err_set(e, LR_EINVAL, "%d groups do not divide %d filters", groups,
                          s->d);
    if (groups == 1)
        return m->solve(out, s, w, n_inputs, rank, opts, e);
    if (rank < 1 || rank > s->d)
        return lr_err_set(e, LR_EINVAL, "rank %d is outside 1..%d", rank, s->d);
    if (rank % groups != 0)
        return lr_err_set(e, LR_EINVAL, "rank %d is no multiple of the %d groups", rank,
                          groups);
    lr_solve_opts_default(&defaults);
    if (!opts)
        opts = &defaults;
    st = lr_lowrank_alloc(out, s->d, rank, e);
    for (int j = 0; j < groups && st == LR_OK; j++) {
        size_t width = (size_t)(s->d / groups);
        struct lr_lowrank part = {0};
        struct group_notes to = {opts->notes, j, groups};
        struct lr_notes notes = {pass_note, &to};
        struct lr_progress progress =
            lr_progress_sub(opts->progress, (double)j / groups, (double)(j + 1) / groups);
        mine = *opts;
        mine.shared = NULL; /* every group has samples of its own */
        mine.notes = opts->notes ? &notes : NULL;
        mine.progress = opts->progress ? &progress : NULL;
        mine.bias = opts->bias ? opts->bias + (size_t)j * width : NULL;
        st = solve_group(&part, m, (size_t)j, width, s, w, n_inputs, rank / groups, &mine,
                         e);
        if (st == LR_OK)
            place(out, &part, (size_t)j);
        lr_lowrank_free(&part);
    }
    if (st != LR_OK)
        lr_lowrank_free(out);
    return st;
}
