/* Runs the library's solvers and rank rules on stored samples and prints what they found,
 * for comparison with an independent implementation (solver_cases.py drives it).
 *
 *   solver_check methods
 *   solver_check solve METHOD RANK[,RANK...] target=T.npy [yhat=Y.npy] [shortcut=S.npy]
 *       [w=W.npy] [bias=B.npy] fit=N valid=N held=N [act=LO:HI:SLOPE] [group=N] [iter1=N]
 *       [iter2=N] [lambda1=X] [lambda2=X] [out=PREFIX] [trace=1]
 *   solver_check spectrum target=Y.npy w=W.npy [kernel=HxW] [group=N]
 *   solver_check spatial RANK w=W.npy kernel=HxW [group=N] out=PREFIX
 *   solver_check split METHOD RANK SPATIAL ... as for solve ... kernel=HxW out=PREFIX
 *   solver_check rank RULE layers=L.npy eig=E.npy [spatial=S.npy] limit=X [fixed=X]
 *       [round=N]
 *
 * Without yhat the regressor is the target itself; without act there is no nonlinearity.
 * solve writes [d, 2 rank + 1] doubles per rank, P, Q and b side by side, to
 * PREFIX-RANK.npy; spatial writes PREFIX-v.npy and PREFIX-h.npy; split solves and writes
 * the weights and bias of every part of the network to PREFIX-w1.npy, PREFIX-b1.npy, ...
 * (SPATIAL 0: none; RANK 0: no channel part). Rows of L: d, c, kh, kw, groups,
 * positions, mid positions, split (1 channel, 2 spatial, 3 both), kept; rows of E and S:
 * eigenvalues of responses and spatial filters, zero beyond their number. Exit status: 3
 * when the method is not known. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/rank.h"
#include "solver_input.h"

enum { EXIT_UNKNOWN_METHOD = 3 };

/* The methods that solver_cases.py knows. */
static const char *const compared[] = {"pca",           "relu", "spatial",
                                       "spatial-refit", "3d",   "svd"};

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
                                 int groups, int rank, const struct lr_solve_opts *opts,
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
    enum lr_status st =
        lr_solve_groups(&m, method, groups, s, values(w), w->columns, rank, opts, e);
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

/* Everything a solver gets; released with input_free. */
struct input {
    struct matrix target, yhat, shortcut, w, bias;
    struct lr_samples s;
    struct lr_solve_opts opts;
    int groups;
};

static void input_free(struct input *in)
{
    lr_tensor_free(in->target.t);
    lr_tensor_free(in->yhat.t);
    lr_tensor_free(in->shortcut.t);
    lr_tensor_free(in->w.t);
    lr_tensor_free(in->bias.t);
}

static enum lr_status input_load(struct input *in, const struct args *a, struct lr_err *e)
{
    enum lr_status st = load(&in->target, a, "target", e);
    if (st == LR_OK)
        st = load(&in->yhat, a, "yhat", e);
    if (st == LR_OK)
        st = load(&in->shortcut, a, "shortcut", e);
    if (st == LR_OK)
        st = load(&in->w, a, "w", e);
    if (st == LR_OK)
        st = load(&in->bias, a, "bias", e);
    if (st != LR_OK)
        return st;
    const size_t n = in->target.rows, d = in->target.columns;
    in->s = (struct lr_samples){.d = (int)d,
                                .n_fit = (size_t)number(a, "fit", 0),
                                .n_valid = (size_t)number(a, "valid", 0),
                                .n_held = (size_t)number(a, "held", 0),
                                .act = activation(a),
                                .target = values(&in->target),
                                .yhat = values(in->yhat.t ? &in->yhat : &in->target),
                                .shortcut = values(&in->shortcut)};
    if (!in->target.t || !fits(&in->yhat, n, d) || !fits(&in->shortcut, n, d) ||
        !fits(&in->w, d, in->w.columns) || !fits(&in->bias, 1, d) ||
        in->s.n_fit + in->s.n_valid + in->s.n_held != n)
        return lr_err_set(e, LR_ESHAPE, "the arrays do not belong together");
    lr_solve_opts_default(&in->opts);
    in->opts.n_iter1 = (int)number(a, "iter1", in->opts.n_iter1);
    in->opts.n_iter2 = (int)number(a, "iter2", in->opts.n_iter2);
    in->opts.lambda1 = number(a, "lambda1", in->opts.lambda1);
    in->opts.lambda2 = number(a, "lambda2", in->opts.lambda2);
    in->opts.bias = values(&in->bias);
    in->groups = (int)number(a, "group", 1);
    if (number(a, "trace", 0) > 0)
        in->opts.trace = print_trace;
    return LR_OK;
}

static enum lr_status solve(const struct lr_method_info *method, const char *ranks,
                            const struct args *a, struct lr_err *e)
{
    struct input in = {0};
    enum lr_status st = input_load(&in, a, e);
    while (st == LR_OK && *ranks) {
        char *end;
        long rank = strtol(ranks, &end, 10);
        if (end == ranks || rank < 1 || rank > (long)in.s.d) {
            st = lr_err_set(e, LR_EINVAL, "rank %s: not in 1..%d", ranks, in.s.d);
            break;
        }
        st = solve_rank(method, &in.s, &in.w, in.groups, (int)rank, &in.opts,
                        find(a, "out"), e);
        ranks = *end == ',' ? end + 1 : end;
    }
    input_free(&in);
    return st;
}

static enum lr_status write_floats(const char *prefix, const char *name, const float *x,
                                   size_t rows, size_t columns, struct lr_err *e)
{
    char path[4096];
    const int64_t dims[2] = {(int64_t)rows, (int64_t)columns};
    snprintf(path, sizeof path, "%s-%s.npy", prefix, name);
    return lr_npy_write(path, x, dims, 2, e);
}

static enum lr_status spatial(const char *rank, const struct args *a, struct lr_err *e)
{
    struct matrix w = {0};
    struct lr_spatial s = {0};
    const char *prefix = find(a, "out");
    double *sv2 = NULL;
    enum lr_status st = load(&w, a, "w", e);
    if (st == LR_OK && (!w.t || !prefix))
        st = lr_err_set(e, LR_EINVAL, "no filters, or nowhere to write to");
    if (st != LR_OK)
        goto out;
    struct lr_layer l = layer_of(a, w.rows, w.columns);
    st = lr_spatial_split(&s, &l, values(&w), (int)strtol(rank, NULL, 10), e);
    if (st != LR_OK)
        goto out;
    size_t nr = (size_t)s.rank, full = (size_t)lr_spatial_full(&l);
    sv2 = lr_alloc(full, sizeof *sv2);
    st = sv2 ? lr_spatial_values(sv2, &l, values(&w), e)
             : lr_enomem(e, full * sizeof *sv2, "singular values");
    for (size_t i = 0; i < full && st == LR_OK; i++)
        printf("sv2 %.12g\n", sv2[i]);
    if (st == LR_OK)
        st = write_floats(prefix, "v", s.v, nr, (size_t)(l.c / l.group * l.kh), e);
    if (st == LR_OK)
        st = write_floats(prefix, "h", s.h, w.rows, nr / (size_t)l.group * (size_t)l.kw,
                          e);
out:
    lr_free(sv2);
    lr_spatial_free(&s);
    lr_tensor_free(w.t);
    return st;
}

/* The parts of f: their shapes printed, weights and biases written. */
static enum lr_status write_parts(const char *prefix, const struct lr_factors *f,
                                  struct lr_err *e)
{
    enum lr_status st = LR_OK;
    for (int i = 0; i < f->n_parts && st == LR_OK; i++) {
        const struct lr_conv_part *p = &f->parts[i];
        char name[16];
        printf("part %d %d %d %d %d %d\n", p->cout, p->cin, p->kh, p->kw, p->group,
               p->b != NULL);
        snprintf(name, sizeof name, "w%d", i + 1);
        st = write_floats(prefix, name, p->w, (size_t)p->cout,
                          (size_t)(p->cin / p->group * p->kh * p->kw), e);
        snprintf(name, sizeof name, "b%d", i + 1);
        if (st == LR_OK && p->b)
            st = write_floats(prefix, name, p->b, 1, (size_t)p->cout, e);
    }
    return st;
}

static enum lr_status split(const struct lr_method_info *method, struct lr_ranks ranks,
                            const struct args *a, struct lr_err *e)
{
    struct input in = {0};
    struct lr_lowrank m = {0};
    struct lr_spatial s = {0};
    struct lr_factors *f = NULL;
    const char *prefix = find(a, "out");
    enum lr_status st = input_load(&in, a, e);
    if (st == LR_OK && (!in.w.t || !prefix))
        st = lr_err_set(e, LR_EINVAL, "no filters, or nowhere to write to");
    if (st != LR_OK)
        goto out;
    struct lr_layer l = layer_of(a, in.w.rows, in.w.columns);
    if (ranks.spatial > 0)
        st = lr_spatial_split(&s, &l, values(&in.w), ranks.spatial, e);
    if (st == LR_OK && ranks.channel > 0)
        st = lr_solve_groups(&m, method, l.group, &in.s, values(&in.w), in.w.columns,
                             ranks.channel, &in.opts, e);
    if (st == LR_OK)
        st = lr_factors_build(&f, &l, values(&in.w), values(&in.bias),
                              ranks.channel > 0 ? &m : NULL,
                              ranks.spatial > 0 ? &s : NULL, method->id, e);
    if (st == LR_OK)
        st = write_parts(prefix, f, e);
out:
    lr_factors_unref(f);
    lr_spatial_free(&s);
    lr_lowrank_free(&m);
    input_free(&in);
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
    if (st == LR_OK) {
        struct lr_layer l = layer_of(a, w.rows, w.columns);
        st = lr_spectrum_compute(&s, values(&y), y.rows, &l, values(&w), e);
    }
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
    const size_t n = table.rows, longest = spectra.columns,
                 all = longest + filters.columns;
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
        layers[i] =
            (struct lr_rank_layer){.name = "layer",
                                   .d = (int)row[0],
                                   .c = (int)row[1],
                                   .kh = (int)row[2],
                                   .kw = (int)row[3],
                                   .group = (int)row[4],
                                   .positions = (int64_t)row[5],
                                   .mid_positions = (int64_t)row[6],
                                   .split = (enum lr_split)row[7],
                                   .eig = eig + i * all,
                                   .spatial = filters.t ? eig + i * all + longest : NULL,
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
    } else if (argc >= 6 && !strcmp(argv[1], "split")) {
        const struct lr_method_info *method = lr_method_find(argv[2]);
        struct lr_ranks ranks = {(int)strtol(argv[3], NULL, 10),
                                 (int)strtol(argv[4], NULL, 10)};
        if (!method) {
            fprintf(stderr, "solver_check: method %s is not known\n", argv[2]);
            return EXIT_UNKNOWN_METHOD;
        }
        rest = (struct args){argc - 5, argv + 5};
        st = split(method, ranks, &rest, &e);
    } else if (argc >= 3 && !strcmp(argv[1], "spatial")) {
        st = spatial(argv[2], &rest, &e);
    } else if (argc >= 2 && !strcmp(argv[1], "spectrum")) {
        rest = (struct args){argc - 2, argv + 2};
        st = print_spectrum(&rest, &e);
    } else if (argc >= 3 && !strcmp(argv[1], "rank")) {
        st = choose_ranks(argv[2], &rest, &e);
    } else {
        lr_err_set(&e, st,
                   "usage: solver_check methods | solve | spatial | split | spectrum | "
                   "rank ...");
    }
    if (st != LR_OK)
        fprintf(stderr, "solver_check: %s: %s\n", lr_status_name(st), e.msg);
    return st == LR_OK ? 0 : 1;
}
