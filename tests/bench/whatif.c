/* Times a change of one rank up to the new totals of all layers, as the prompt and the
 * panes do it. A network of any size; its spectra are there before the clock starts.
 *
 *   whatif NETWORK IMAGES N_CHANGES     prints median and 95th percentile in ms */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ranklab/mem.h"
#include "ranklab/session.h"

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static enum lr_status change(double *ms, struct lr_session *s, int layer, int rank,
                             struct lr_err *e)
{
    struct lr_ranks r = {rank, 0};
    struct lr_layer_row row;
    struct lr_totals totals;
    double begin = now_ms(), energy = 0;
    enum lr_status rc = lr_session_set_ranks(s, &layer, &r, 1, e);

    for (int i = 0; rc == LR_OK && i < s->n_layers; i++) {
        lr_session_row(&row, s, i);
        energy += row.energy;
    }
    lr_session_totals(&totals, s);
    *ms = now_ms() - begin;
    if (rc == LR_OK && !(energy > 0 && totals.speedup > 0))
        return lr_err_set(e, LR_EBACKEND, "no totals");
    return rc;
}

static enum lr_status measure(double *ms, int n, struct lr_session *s, struct lr_err *e)
{
    enum lr_status rc = LR_OK;

    for (int k = 0, i = 0; rc == LR_OK && k < n; k++, i = (i + 7) % s->n_layers) {
        while (!s->layers[i].is_approximable || s->layers[i].kind != LR_LAYER_CONV)
            i = (i + 1) % s->n_layers;
        int d = s->layers[i].d;
        rc = change(&ms[k], s, i, 1 + (int)((unsigned)k * 7919u % (unsigned)(d / 2)), e);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct lr_session s;
    struct lr_err e = {0};
    int n = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;
    double *ms = n > 0 ? lr_calloc((size_t)n, sizeof(*ms)) : NULL;

    if (!ms) {
        fprintf(stderr, "usage: whatif NETWORK IMAGES N_CHANGES\n");
        return 2;
    }
    lr_session_init(&s);
    enum lr_status rc = lr_session_open(&s, argv[1], NULL, NULL, &e);
    if (rc == LR_OK)
        rc = lr_session_data(&s, 0, argv[2], NULL, &e);
    if (rc == LR_OK)
        rc = lr_session_spectra(&s, NULL, &e);
    if (rc == LR_OK)
        rc = measure(ms, n, &s, &e);
    if (rc == LR_OK) {
        qsort(ms, (size_t)n, sizeof(*ms), compare);
        printf("%d %.4f %.4f\n", s.n_layers, ms[n / 2], ms[n * 19 / 20]);
    } else {
        fprintf(stderr, "whatif: %s\n", e.msg);
    }
    lr_session_free(&s);
    lr_free(ms);
    return rc != LR_OK;
}
