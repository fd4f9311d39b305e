/* How far off the time left is: runs commands in a session, takes down every progress
 * report, and compares the estimate that the screen makes of it with what came.
 *
 *   progress NETWORK N_POINTS COUNT      COUNT 0: all evaluation images */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arguments.h"
#include "ranklab/sweep.h"
#include "session/internal.h"

enum { MAX_TICKS = 200000 };

struct watch {
    double start, at[MAX_TICKS], fraction[MAX_TICKS];
    int n;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int take_down(void *ctx, double fraction, const char *what)
{
    struct watch *w = ctx;

    (void)what;
    if (w->n < MAX_TICKS) {
        w->at[w->n] = now() - w->start;
        w->fraction[w->n++] = fraction;
    }
    return 0;
}

/* Between the first tenth and the last of the time: estimated over true time left. */
static void tell(const char *name, const struct watch *w)
{
    double total = now() - w->start, worst = 1, at = 0;
    int n_off = 0, n = 0;

    for (int i = 0; i < w->n; i++) {
        double t = w->at[i], f = w->fraction[i];
        if (t < 0.1 * total || t > 0.9 * total || !(f > 0))
            continue;
        double ratio = t * (1 - f) / f / (total - t);
        double off = ratio > 1 ? ratio : 1 / fmax(ratio, 1e-9);
        n++;
        n_off += off > 2;
        if (off > (worst > 1 ? worst : 1 / worst)) {
            worst = ratio;
            at = t / total;
        }
    }
    printf("progress of %s: %.1f s; time left, estimated / true, at worst %.2f (after "
           "%.0f %% of the time); off by more than two: %d of %d reports\n",
           name, total, worst, 100 * at, n_off, n);
}

static enum lr_status layers(struct lr_session *s, int n_points, int64_t count,
                             double precision, struct watch *w, struct lr_err *e)
{
    struct lr_progress progress = {.tick = take_down, .ctx = w};
    struct lr_sweep_opts o = {.n_points = n_points,
                              .count = count,
                              .precision = precision,
                              .progress = &progress};
    int *set = NULL;
    enum lr_status rc = lr_session_layer_set(&set, &o.n_layers, s, "conv*", e);

    o.layers = set;
    *w = (struct watch){.start = now()};
    if (rc == LR_OK)
        rc = lr_session_sweep(s, &o, e);
    tell(precision > 0 ? "sweep conv* --precision 0.3" : "sweep conv*", w);
    lr_free(set);
    return rc;
}

static enum lr_status networks(struct lr_session *s, int64_t count, struct watch *w,
                               struct lr_err *e)
{
    struct lr_progress progress = {.tick = take_down, .ctx = w};
    struct lr_sweep_network_opts o = {.first = 2,
                                      .last = 5,
                                      .step = 1,
                                      .mode = LR_MODE_ASYM,
                                      .count = count,
                                      .progress = &progress};

    *w = (struct watch){.start = now()};
    enum lr_status rc = lr_session_sweep_network(s, &o, e);
    tell("sweep --speedup 2:5:1", w);
    return rc;
}

int main(int argc, char **argv)
{
    static struct watch w;
    struct lr_session s;
    struct lr_err e = {0};
    long n_points, count;

    if (!bench_arguments(&n_points, &count, "progress", argc, argv))
        return 2;
    lr_session_init(&s);
    s.settings.has_journal = false;
    enum lr_status rc = lr_session_open(&s, argv[1], NULL, NULL, &e);
    if (rc == LR_OK)
        rc = layers(&s, (int)n_points, count, 0, &w, &e);
    if (rc == LR_OK)
        rc = layers(&s, (int)n_points, count, 0.003, &w, &e);
    if (rc == LR_OK)
        rc = networks(&s, count, &w, &e);
    lr_session_free(&s);
    if (rc != LR_OK)
        fprintf(stderr, "progress: %s\n", e.msg);
    return rc != LR_OK;
}
