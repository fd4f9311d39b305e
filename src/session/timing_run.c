/* Runs in turn. Every network runs a few times in a row before the next one does, as it
 * would by itself, and the first of them, which finds the caches full of the others, is
 * not counted; so what the machine does meanwhile falls on all of them alike. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"
#include "session/internal.h"
#include "session/calibrate.h"
#include "session/memory.h"
#include "session/timing.h"

enum { BURST = 5, TICK = 1 << 20 };
/* A run this long does not notice what the caches held before. */
static const double LONG_MS = 50;

void timing_runs_free(struct timing_runs *r)
{
    lr_free(r->ms);
    *r = (struct timing_runs){0};
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(const double *x, int n, double q)
{
    double at = q * (n - 1);
    int k = (int)at;

    return k + 1 < n ? x[k] + (at - k) * (x[k + 1] - x[k]) : x[n - 1];
}

struct lr_ms_stat timing_stat(struct timing_runs *r, int i)
{
    size_t stride = (size_t)r->n_layers + 1;
    struct lr_ms_stat s = {NAN, NAN, NAN, 0};
    double *x = lr_alloc((size_t)r->n_runs + 1, sizeof(*x));

    if (!x || r->n_runs < 1) {
        lr_free(x);
        return s;
    }
    for (int k = 0; k < r->n_runs; k++)
        x[k] = r->ms[(size_t)k * stride + (size_t)i];
    qsort(x, (size_t)r->n_runs, sizeof(*x), compare_doubles);
    s = (struct lr_ms_stat){quantile(x, r->n_runs, 0.5), quantile(x, r->n_runs, 0.25),
                            quantile(x, r->n_runs, 0.75), r->n_runs};
    lr_free(x);
    return s;
}

/* ---- oneDNN ---- */

struct bench {
    int n, n_layers, n_runs, batch;
    const struct timing_net *nets;
    struct lr_net **compiled; /* [n] */
    double *nodes;            /* of the network with most of them */
    float *images;
    const struct lr_progress *progress;
};

static void bench_free(struct bench *b)
{
    for (int i = 0; b->compiled && i < b->n; i++)
        lr_net_free(b->compiled[i]);
    lr_free(b->compiled);
    lr_free(b->nodes);
    lr_free(b->images);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* All networks are compiled at the same time. */
static enum lr_status state(const struct bench *b, const struct lr_session *s,
                            const struct lr_deploy *d, struct lr_err *e)
{
    int64_t bytes = (int64_t)s->in_c * s->in_h * s->in_w * d->batch * 4, least = bytes;

    for (int i = 0; i < b->n; i++) {
        const struct lr_graph *g = b->nets[i].g;
        bytes += session_run_bytes(g, -1, g->outputs, g->n_outputs, d->batch);
        least += session_run_least(g);
    }
    return session_state_memory(s, "timing", bytes, least, "set a smaller deploy-batch",
                                e);
}

static enum lr_status bench_init(struct bench *b, const struct lr_session *s,
                                 const struct lr_deploy *d, struct lr_err *e)
{
    struct lr_net_opts opts = {.batch = d->batch, .convolution = d->convolution};
    size_t per_image = (size_t)s->in_c * (size_t)s->in_h * (size_t)s->in_w, n_nodes = 1;
    size_t n = per_image * (size_t)d->batch;
    struct lr_rng rng;
    enum lr_status rc = LR_OK;

    for (int i = 0; i < b->n; i++)
        if ((size_t)b->nets[i].g->n_nodes > n_nodes)
            n_nodes = (size_t)b->nets[i].g->n_nodes;
    if ((rc = state(b, s, d, e)) != LR_OK)
        return rc;
    b->compiled = lr_calloc((size_t)b->n, sizeof(struct lr_net *));
    b->nodes = lr_calloc(n_nodes, sizeof(double));
    b->images = lr_alloc(n, sizeof(float));
    if (!b->compiled || !b->nodes || !b->images)
        return lr_enomem(e, n * sizeof(float), "a batch of images");
    for (int i = 0; rc == LR_OK && i < b->n; i++)
        if ((rc = lr_progress_tick(b->progress, 0, "compiling", e)) == LR_OK)
            rc = lr_net_compile(&b->compiled[i], b->nets[i].g, &opts, e);
    lr_rng_seed(&rng, 1);
    for (size_t i = 0; rc == LR_OK && i < n; i++) {
        b->images[i] = (float)lr_rng_normal(&rng);
        if (i % TICK == 0)
            rc = lr_progress_tick(b->progress, 0, "making images", e);
    }
    return rc;
}

/* One run of network i; into row (NULL: not kept). */
static enum lr_status run_once(struct bench *b, int i, double *row, double *ms,
                               struct lr_err *e)
{
    const struct timing_net *net = &b->nets[i];
    const float *in = b->images;

    memset(b->nodes, 0, (size_t)net->g->n_nodes * sizeof(double));
    double begin = now_ms();
    enum lr_status rc = lr_net_run_timed(b->compiled[i], b->batch, &in, b->nodes, e);
    *ms = now_ms() - begin;
    if (rc != LR_OK || !row)
        return rc;
    memset(row, 0, (size_t)b->n_layers * sizeof(double));
    for (int k = 0; k < net->g->n_nodes; k++)
        if (net->owner[k] >= 0)
            row[net->owner[k]] += b->nodes[k];
    row[b->n_layers] = *ms;
    return LR_OK;
}

/* Runs each network until it is warm, and finds how often it can be run in the time: by
 * the fastest of its runs, so that one disturbed run does not make the others few. */
static enum lr_status warm_up(struct bench *b, const struct timing_effort *effort,
                              double *longest, struct lr_err *e)
{
    enum { WARM_RUNS = 5 };
    enum lr_status rc = LR_OK;

    *longest = 0;
    for (int i = 0; i < b->n; i++) {
        double ms = 0, least = INFINITY;
        for (int k = 0; k < WARM_RUNS && rc == LR_OK; k++) {
            if (k >= 2 && ms > LONG_MS)
                break;
            if ((rc = lr_progress_tick(b->progress, 0, "warming up", e)) == LR_OK)
                rc = run_once(b, i, NULL, &ms, e);
            if (k > 0)
                least = fmin(least, ms);
        }
        if (rc != LR_OK)
            return rc;
        *longest = fmax(*longest, least);
    }
    double n = effort->target_ms / fmax(*longest, 1e-3);
    b->n_runs = n >= effort->max_runs   ? effort->max_runs
                : n <= effort->min_runs ? effort->min_runs
                                        : (int)n;
    return LR_OK;
}

static enum lr_status run_all(struct bench *b, struct timing_runs *out, double longest,
                              struct lr_err *e)
{
    size_t stride = (size_t)b->n_layers + 1;
    bool has_lead = b->n > 1 && longest < LONG_MS;
    int burst = has_lead ? BURST : 1;
    double ms;
    enum lr_status rc = LR_OK;

    for (int first = 0, round = 0; first < b->n_runs; first += burst, round++)
        for (int j = 0; j < b->n; j++) {
            int i = round % 2 ? b->n - 1 - j : j;
            double done = (first + burst * (double)j / b->n) / b->n_runs;
            if ((rc = lr_progress_tick(b->progress, done, "timing", e)) != LR_OK ||
                (has_lead && (rc = run_once(b, i, NULL, &ms, e)) != LR_OK))
                return rc;
            for (int k = first; k < first + burst && k < b->n_runs; k++)
                if ((rc = run_once(b, i, out[i].ms + (size_t)k * stride, &ms, e)) !=
                    LR_OK)
                    return rc;
        }
    return LR_OK;
}

static enum lr_status measure_here(struct timing_runs *out, char *version,
                                   const struct timing_net *nets, int n,
                                   const struct lr_session *s, const struct lr_deploy *d,
                                   const struct timing_effort *effort,
                                   const struct lr_progress *progress, struct lr_err *e)
{
    struct bench b = {.n = n,
                      .n_layers = s->n_layers,
                      .batch = d->batch,
                      .nets = nets,
                      .progress = progress};
    size_t stride = (size_t)s->n_layers + 1;
    int threads = lr_la_threads();
    double longest;

    lr_engine_version(version, 64);
    lr_la_set_threads(d->threads);
    enum lr_status rc = bench_init(&b, s, d, e);
    if (rc == LR_OK)
        rc = warm_up(&b, effort, &longest, e);
    for (int i = 0; rc == LR_OK && i < n; i++) {
        out[i] = (struct timing_runs){s->n_layers, b.n_runs, NULL};
        out[i].ms = lr_calloc((size_t)b.n_runs * stride, sizeof(double));
        if (!out[i].ms)
            rc = lr_enomem(e, (size_t)b.n_runs * stride * sizeof(double), "the runs");
    }
    if (rc == LR_OK)
        rc = run_all(&b, out, longest, e);
    lr_la_set_threads(threads);
    bench_free(&b);
    return rc;
}

enum lr_status timing_measure(struct timing_runs *out, char *version,
                              const struct timing_net *nets, int n,
                              const struct lr_session *s, const struct lr_deploy *d,
                              const struct timing_effort *effort,
                              const struct lr_progress *progress, struct lr_err *e)
{
    enum lr_status rc;

    for (int i = 0; i < n; i++)
        out[i] = (struct timing_runs){0};
    version[0] = '\0';
    rc = d->engine == LR_DEPLOY_ONNXRUNTIME
             ? timing_measure_ort(out, version, nets, n, s, d, effort, progress, e)
             : measure_here(out, version, nets, n, s, d, effort, progress, e);
    for (int i = 0; rc != LR_OK && i < n; i++)
        timing_runs_free(&out[i]);
    return rc;
}
