/* Times sweeps of all layers against evaluating the whole approximated network for every
 * point, in one run, and compares the counts of correct images. The original's outcome
 * and the sampled responses, which both sides need, are there before any clock starts.
 *
 *   sweep NETWORK N_POINTS COUNT      COUNT 0: all evaluation images */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arguments.h"
#include "ranklab/mem.h"
#include "ranklab/sweep.h"
#include "session/internal.h"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct whole {
    double solving, evaluating; /* seconds */
    double macs;                /* multiply-adds an image of the networks evaluated */
    double again; /* of them, those of the changed layer and what is behind it */
    int n_different;
};

/* Multiply-adds of the original's layers before one of them; a chain is taken for
 * granted. */
static double macs_before(const struct lr_session *s, int layer)
{
    double sum = 0;

    for (int i = 0; i < layer; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        sum += (double)r.macs_original;
    }
    return sum;
}

/* One point the slow way. */
static enum lr_status try_point(struct whole *t, struct lr_session *s,
                                const struct lr_sweep_point *p, int64_t count,
                                struct lr_err *e)
{
    struct lr_layer_plan *alone = NULL;
    struct lr_outcome a = {0};
    struct lr_eval r = {0};
    struct lr_graph *g = NULL;
    bool *use = lr_calloc((size_t)s->n_layers, sizeof(*use));
    enum lr_status rc = use ? session_plan_copy(&alone, s, e) : LR_ENOMEM;
    double start = now();

    if (rc != LR_OK)
        goto out;
    lr_factors_unref(alone[p->layer].factors);
    alone[p->layer].factors = NULL;
    rc = session_solve_alone(&alone[p->layer].factors, s, p->layer, p->ranks, NULL, e);
    t->solving += now() - start;
    use[p->layer] = true;
    if (rc == LR_OK)
        rc = session_split(&g, s, alone, use, e);
    if (rc != LR_OK)
        goto out;
    start = now();
    rc = lr_outcome_run(&a, g, s->eval, count, NULL, e);
    if (rc == LR_OK)
        rc = lr_eval_compare(&r, s->original, &a, e);
    t->evaluating += now() - start;
    double macs = (double)lr_graph_cost(g).macs;
    t->macs += macs;
    t->again += macs - macs_before(s, p->layer);
    t->n_different += llround(r.top1 * (double)r.images) !=
                      llround(p->eval.top1 * (double)p->eval.images);
out:
    session_plan_free(alone, s->n_layers);
    lr_outcome_free(&a);
    lr_graph_free(g);
    lr_free(use);
    return rc;
}

static enum lr_status time_sweep(double *seconds, struct lr_session *s,
                                 const struct lr_sweep_opts *o, struct lr_err *e)
{
    double start = now();

    session_drop_sweeps(s);
    enum lr_status rc = lr_session_sweep(s, o, e);
    *seconds = now() - start;
    return rc;
}

static enum lr_status bench(struct lr_session *s, const char *name, int n_points,
                            int64_t count, struct lr_err *e)
{
    struct lr_sweep_opts o = {.n_points = n_points, .count = count};
    struct whole t = {0};
    struct lr_eval first;
    double errors, exact, near, images = 0;
    int *layers = NULL, n_points_all;
    enum lr_status rc = lr_session_open(s, name, NULL, NULL, e);

    s->settings.has_journal = false;
    if (rc == LR_OK)
        rc = lr_session_layer_set(&layers, &o.n_layers, s, "conv*", e);
    o.layers = layers;
    if (rc == LR_OK)
        rc = lr_session_evaluate(&first, s, count, NULL, e);
    if (rc == LR_OK)
        rc = lr_session_spectra(s, NULL, e);
    o.metric = LR_METRIC_ERROR;
    if (rc == LR_OK)
        rc = time_sweep(&errors, s, &o, e);
    o.metric = LR_METRIC_TOP1;
    o.precision = 0.003;
    if (rc == LR_OK)
        rc = time_sweep(&near, s, &o, e);
    for (int i = 0; rc == LR_OK && i < s->sweeps->n; i++)
        images += (double)s->sweeps->points[i].eval.images;
    o.precision = 0;
    if (rc == LR_OK)
        rc = time_sweep(&exact, s, &o, e);
    for (int i = 0; rc == LR_OK && i < s->sweeps->n; i++)
        rc = try_point(&t, s, &s->sweeps->points[i], count, e);
    if (rc != LR_OK)
        goto out;
    n_points_all = s->sweeps->n;
    double moved = macs_before(s, o.n_layers - 1), whole = t.solving + t.evaluating;
    printf("sweep: %d points of %d layers, %lld images; different top-1 counts: %d\n",
           n_points_all, o.n_layers, (long long)first.images, t.n_different);
    printf("sweep / whole networks, solving included: %.3f (%.1f s / %.1f s)\n",
           exact / whole, exact, whole);
    printf("sweep / whole networks, evaluation alone: %.3f; multiply-adds allow %.3f\n",
           (exact - errors) / t.evaluating, (t.again + moved) / t.macs);
    printf("sweep --precision 0.3 / whole networks, solving included: %.3f, "
           "evaluation alone: %.3f, %.0f images a point\n",
           near / whole, (near - errors) / t.evaluating, images / n_points_all);
out:
    lr_free(layers);
    return rc;
}

int main(int argc, char **argv)
{
    struct lr_session s;
    struct lr_err e = {0};
    long n_points, count;

    if (!bench_arguments(&n_points, &count, "sweep", argc, argv))
        return 2;
    lr_session_init(&s);
    enum lr_status rc = bench(&s, argv[1], (int)n_points, count, &e);
    lr_session_free(&s);
    if (rc != LR_OK)
        fprintf(stderr, "sweep: %s\n", e.msg);
    return rc != LR_OK;
}
