/* Runs the library's solvers and rank rules on stored samples and prints what they found,
 * for comparison with an independent implementation (solver_cases.py drives it).
 *
 *   solver_check methods
 *   solver_check solve METHOD RANK[,RANK...] target=T.npy [yhat=Y.npy] [shortcut=S.npy]
 *       [w=W.npy] [bias=B.npy] fit=N valid=N held=N relu=0|1 [iter1=N] [iter2=N]
 *       [lambda1=X] [lambda2=X] [out=PREFIX] [trace=1]
 *   solver_check spectrum target=Y.npy w=W.npy
 *   solver_check rank RULE layers=L.npy eig=E.npy [spatial=S.npy] limit=X [fixed=X]
 *       [round=N]
 *
 * Without yhat the regressor is the target itself. out writes [d, 2 rank + 1] doubles per
 * rank, P, Q and b side by side, to PREFIX-RANK.npy. Rows of L: d, c, kh, kw, groups,
 * positions, mid positions, split (1 channel, 2 spatial, 3 both), kept; rows of E and S:
 * eigenvalues of responses and spatial filters, zero beyond their number. Exit status: 3 when the method is not
 * known. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/approx.h"
#include "ranklab/dataset.h"
#include "ranklab/mem.h"
#include "ranklab/rank.h"
#include "ranklab/tensor.h"

enum { EXIT_UNKNOWN_METHOD = 3 };

/* The methods whose result is one M and b per layer, which is what is printed here. */
static const char *const compared[] = {"pca", "relu", "svd"};

struct args {
    int n;
    char **words; /* NAME=VALUE */
};

static const char *find(const struct args *a, const char *name)
{
    size_t len = strlen(name);
    for (int i = 0; i < a->n; i++)
        if (!strncmp(a->words[i], name, len) && a->words[i][len] == '=')
            return a->words[i] + len + 1;
    return NULL;
}

static double number(const struct args *a, const char *name, double otherwise)
{
    const char *text = find(a, name);
    return text ? strtod(text, NULL) : otherwise;
}

struct matrix {
    struct lr_tensor *t;
    size_t rows, columns; /* a vector has one row */
};

/* The array called name; absent is no error and leaves *m as it was. */
static enum lr_status load(struct matrix *m, const struct args *a, const char *name,
                           struct lr_err *e)
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

static const float *values(const struct matrix *m)
{
    return m->t ? m->t->data : NULL;
}

/* m is absent or has this shape. */
static bool fits(const struct matrix *m, size_t rows, size_t columns)
{
    return !m->t || (m->rows == rows && m->columns == columns);
}

/* lr_npy_write is for single precision; the factors are compared in full. */
static enum lr_status write_factors(const char *prefix, const struct lr_lowrank *m,
                                    int rank, struct lr_err *e)
{
    char path[4096], header[119];
    snprintf(path, sizeof path, "%s-%d.npy", prefix, rank);
    int len = snprintf(header, sizeof header,
                       "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }",
                       m->d, 2 * m->rank + 1);
    memset(header + len, ' ', sizeof header - (size_t)len);
    header[sizeof header - 1] = '\n';
    FILE *f = fopen(path, "wb");
    if (!f)
        return lr_err_set(e, LR_EIO, "%s: %s", path, strerror(errno));
    size_t r = (size_t)m->rank;
    /* magic, version 1.0, header length 118 in little endian */
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, f);
    fwrite(header, 1, 118, f);
    for (size_t i = 0; i < (size_t)m->d; i++) {
        fwrite(m->p + i * r, sizeof(double), r, f);
        fwrite(m->q + i * r, sizeof(double), r, f);
        fwrite(m->b + i, sizeof(double), 1, f);
    }
    bool has_failed = ferror(f) != 0;
    if (fclose(f) != 0 || has_failed)
        return lr_err_set(e, LR_EIO, "%s: cannot be written", path);
    return LR_OK;
}

static void print_trace(void *ctx, int iteration, double lambda, double relaxed,
                        double fit, double valid)
{
    (void)ctx;
    printf("trace %d %.12g %.12g %.12g %.12g\n", iteration, lambda, relaxed, fit, valid);
}

static enum lr_status solve_rank(const struct lr_method_info *method,
                                 const struct lr_samples *s, const struct matrix *w,
                                 int rank, const struct lr_solve_opts *opts,
                                 const char *prefix, struct lr_err *e)
{
    struct lr_lowrank m = {0};
    const struct {
        const char *name;
        size_t first, n;
    } parts[] = {{"fit", 0, s->n_fit},
                 {"valid", s->n_fit, s->n_valid},
                 {"held", s->n_fit + s->n_valid, s->n_held}};
    printf("rank %d\n", rank);
    enum lr_status st = method->solve(&m, s, values(w), w->columns, rank, opts, e);
    if (st != LR_OK)
        return st;
    printf("data_rank %d\niterations %d\nbest %d\n", m.n_data_rank, m.n_iterations,
           m.best_iteration);
    for (int i = 0; i < 3 && st == LR_OK; i++) {
        double after = NAN, before = NAN;
        if (parts[i].n == 0)
            continue;
        st = lr_response_error(&after, &before, s, &m, parts[i].first, parts[i].n, e);
        printf("error %s %.12g %.12g\n", parts[i].name, after, before);
        if (st == LR_OK)
            st = lr_response_error(&after, &before, s, NULL, parts[i].first, parts[i].n,
                                   e);
        printf("inherited %s %.12g %.12g\n", parts[i].name, after, before);
    }
    if (st == LR_OK && prefix)
        st = write_factors(prefix, &m, rank, e);
    lr_lowrank_free(&m);
    return st;
}

static enum lr_status solve(const struct lr_method_info *method, const char *ranks,
                            const struct args *a, struct lr_err *e)
{
    struct matrix target = {0}, yhat = {0}, shortcut = {0}, w = {0}, bias = {0};
    const struct {
        struct matrix *m;
        const char *name;
    } inputs[] = {{&target, "target"},
                  {&yhat, "yhat"},
                  {&shortcut, "shortcut"},
                  {&w, "w"},
                  {&bias, "bias"}};
    const int n_inputs = (int)(sizeof inputs / sizeof *inputs);
    struct lr_solve_opts opts;
    enum lr_status st = LR_OK;
    for (int i = 0; i < n_inputs && st == LR_OK; i++)
        st = load(inputs[i].m, a, inputs[i].name, e);
    if (st != LR_OK)
        goto out;
    const size_t n = target.rows, d = target.columns;
    struct lr_samples s = {.d = (int)d,
                           .n_fit = (size_t)number(a, "fit", 0),
                           .n_valid = (size_t)number(a, "valid", 0),
                           .n_held = (size_t)number(a, "held", 0),
                           .is_relu = number(a, "relu", 0) > 0,
                           .target = values(&target),
                           .yhat = values(yhat.t ? &yhat : &target),
                           .shortcut = values(&shortcut)};
    if (!target.t || !fits(&yhat, n, d) || !fits(&shortcut, n, d) ||
        !fits(&w, d, w.columns) || !fits(&bias, 1, d) ||
        s.n_fit + s.n_valid + s.n_held != n) {
        st = lr_err_set(e, LR_ESHAPE, "the arrays do not belong together");
        goto out;
    }
    lr_solve_opts_default(&opts);
    opts.n_iter1 = (int)number(a, "iter1", opts.n_iter1);
    opts.n_iter2 = (int)number(a, "iter2", opts.n_iter2);
    opts.lambda1 = number(a, "lambda1", opts.lambda1);
    opts.lambda2 = number(a, "lambda2", opts.lambda2);
    opts.bias = values(&bias);
    if (number(a, "trace", 0) > 0)
        opts.trace = print_trace;
    while (st == LR_OK && *ranks) {
        char *end;
        long rank = strtol(ranks, &end, 10);
        if (end == ranks || rank < 1 || rank > (long)d) {
            st = lr_err_set(e, LR_EINVAL, "rank %s: not in 1..%zu", ranks, d);
            break;
        }
        st = solve_rank(method, &s, &w, (int)rank, &opts, find(a, "out"), e);
        ranks = *end == ',' ? end + 1 : end;
    }
out:
    for (int i = 0; i < n_inputs; i++)
        lr_tensor_free(inputs[i].m->t);
    return st;
}

static enum lr_status print_spectrum(const struct args *a, struct lr_err *e)
{
    struct matrix y = {0}, w = {0};
    struct lr_spectrum s = {0};
    enum lr_status st = load(&y, a, "target", e);
    if (st == LR_OK)
        st = load(&w, a, "w", e);
    if (st == LR_OK && (!y.t || !w.t || w.rows != y.columns))
        st = lr_err_set(e, LR_ESHAPE, "the arrays do not belong together");
    if (st == LR_OK)
        st = lr_spectrum_compute(&s, values(&y), y.rows, (int)y.columns, values(&w),
                                 w.columns, e);
    if (st == LR_OK) {
        printf("zeros %.12g\ndead %d\ndata_rank %d\n", s.zeros, s.n_dead, s.n_data_rank);
        for (int i = 0; i < s.d; i++)
            printf("eig %.12g %.12g %.12g\n", s.eig[i], s.weight_sv[i],
                   lr_spectrum_energy(&s, i + 1));
    }
    lr_spectrum_free(&s);
    lr_tensor_free(y.t);
    lr_tensor_free(w.t);
    return st;
}

static enum lr_status choose_ranks(const char *rule_name, const struct args *a,
                                   struct lr_err *e)
{
    const struct lr_rank_rule *rule = lr_rank_rule_find(rule_name);
    struct matrix table = {0}, spectra = {0}, filters = {0};
    struct lr_rank_layer *layers = NULL;
    double *eig = NULL;
    struct lr_ranks *ranks = NULL;
    enum lr_status st = load(&table, a, "layers", e);
    if (st == LR_OK)
        st = load(&spectra, a, "eig", e);
    if (st == LR_OK)
        st = load(&filters, a, "spatial", e);
    if (st != LR_OK)
        goto out;
    const size_t n = table.rows, longest = spectra.columns, all = longest + filters.columns;
    if (!rule || !table.t || !fits(&table, n, 9) || !spectra.t || spectra.rows != n ||
        !fits(&filters, n, filters.columns)) {
        st = lr_err_set(e, LR_EINVAL, "rank rule %s: unknown, or no table", rule_name);
        goto out;
    }
    layers = lr_calloc(n, sizeof *layers);
    eig = lr_alloc(n * all, sizeof *eig);
    ranks = lr_calloc(n, sizeof *ranks);
    if (!layers || !eig || !ranks) {
        st = lr_enomem(e, n * all * sizeof *eig, "the layers");
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        const float *row = values(&table) + 9 * i;
        for (size_t k = 0; k < longest; k++)
            eig[i * all + k] = (double)values(&spectra)[i * longest + k];
        for (size_t k = longest; k < all; k++)
            eig[i * all + k] =
                (double)values(&filters)[i * filters.columns + k - longest];
        layers[i] = (struct lr_rank_layer){.name = "layer",
                                           .d = (int)row[0],
                                           .c = (int)row[1],
                                           .kh = (int)row[2],
                                           .kw = (int)row[3],
                                           .group = (int)row[4],
                                           .positions = (int64_t)row[5],
                                           .mid_positions = (int64_t)row[6],
                                           .split = (enum lr_split)row[7],
                                           .eig = eig + i * all,
                                           .spatial = filters.t ? eig + i * all + longest
                                                                : NULL,
                                           .is_kept = row[8] > 0};
    }
    struct lr_budget budget = {.kind = LR_BUDGET_MACS,
                               .limit = number(a, "limit", 0),
                               .fixed = number(a, "fixed", 0),
                               .round = (int)number(a, "round", 1)};
    st = rule->select(ranks, layers, (int)n, &budget, e);
    for (size_t i = 0; i < n && st == LR_OK; i++)
        printf("layer %d %" PRId64 " %d\n", ranks[i].channel,
               lr_macs_at(&layers[i], ranks[i]), ranks[i].spatial);
out:
    lr_free(layers);
    lr_free(eig);
    lr_free(ranks);
    lr_tensor_free(table.t);
    lr_tensor_free(spectra.t);
    lr_tensor_free(filters.t);
    return st;
}

int main(int argc, char **argv)
{
    struct lr_err e = {0};
    enum lr_status st = LR_EINVAL;
    struct args rest = {argc - 3, argv + 3};
    if (argc == 2 && !strcmp(argv[1], "methods")) {
        for (size_t i = 0; i < sizeof compared / sizeof *compared; i++)
            if (lr_method_find(compared[i]))
                printf("%s\n", compared[i]);
        return 0;
    }
    if (argc >= 4 && !strcmp(argv[1], "solve")) {
        const struct lr_method_info *method = lr_method_find(argv[2]);
        if (!method || !method->solve) {
            fprintf(stderr, "solver_check: method %s is not known\n", argv[2]);
            return EXIT_UNKNOWN_METHOD;
        }
        rest = (struct args){argc - 4, argv + 4};
        st = solve(method, argv[3], &rest, &e);
    } else if (argc >= 2 && !strcmp(argv[1], "spectrum")) {
        rest = (struct args){argc - 2, argv + 2};
        st = print_spectrum(&rest, &e);
    } else if (argc >= 3 && !strcmp(argv[1], "rank")) {
        st = choose_ranks(argv[2], &rest, &e);
    } else {
        lr_err_set(&e, st, "usage: solver_check methods | solve | spectrum | rank ...");
    }
    if (st != LR_OK)
        fprintf(stderr, "solver_check: %s: %s\n", lr_status_name(st), e.msg);
    return st == LR_OK ? 0 : 1;
}
