/* Our side of the comparison of engines: compiles one network and runs it when told to.
 *
 *   engine MODEL IMAGES OUT BATCH THREADS direct|winograd|auto
 *
 * IMAGES holds a batch as raw float32; the outputs are written to OUT the same way. For
 * every number N read from the standard input, N runs are made and one line of their
 * milliseconds is printed; for the word `nodes`, what each node takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ranklab/engine.h"
#include "ranklab/file.h"
#include "ranklab/graph.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/onnx.h"

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static enum lr_status open_graph(struct lr_graph **g, const char *path, struct lr_err *e)
{
    int n_folded;
    enum lr_status rc = lr_onnx_read(g, NULL, path, NULL, e);

    if (rc == LR_OK)
        rc = lr_graph_choose_image(*g, NULL, NULL, e);
    if (rc == LR_OK)
        rc = lr_graph_infer(*g, NULL, e);
    if (rc == LR_OK)
        rc = lr_graph_fold_bn(*g, &n_folded, e);
    return rc == LR_OK ? lr_graph_infer(*g, NULL, e) : rc;
}

static enum lr_status read_images(float **x, const struct lr_graph *g, int batch,
                                  const char *path, struct lr_err *e)
{
    size_t n = (size_t)batch;
    const struct lr_shape *s = &g->values[g->inputs[0]].shape;
    FILE *f = fopen(path, "rb");

    for (int i = 1; i < s->n_dims; i++)
        n *= (size_t)s->dims[i];
    *x = lr_alloc(n, sizeof(float));
    if (!f || !*x || fread(*x, sizeof(float), n, f) != n) {
        if (f)
            fclose(f);
        return lr_err_set(e, LR_EIO, "%s does not hold %zu values", path, n);
    }
    fclose(f);
    return LR_OK;
}

static enum lr_status write_output(const struct lr_net *net, int batch, const char *path,
                                   struct lr_err *e)
{
    size_t per_image;
    const float *y = lr_net_output(net, 0, &per_image);
    FILE *f = fopen(path, "wb");
    size_t n = per_image * (size_t)batch;

    if (!f || fwrite(y, sizeof(float), n, f) != n || fclose(f))
        return lr_err_set(e, LR_EIO, "%s cannot be written", path);
    return LR_OK;
}

static enum lr_status print_nodes(struct lr_net *net, const struct lr_graph *g, int batch,
                                  const float *x, struct lr_err *e)
{
    enum { RUNS = 10 };
    double *ms = lr_calloc((size_t)g->n_nodes + 1, sizeof(*ms));
    enum lr_status rc = ms ? LR_OK : lr_enomem(e, 1, "the nodes");

    for (int i = 0; rc == LR_OK && i < RUNS; i++)
        rc = lr_net_run_timed(net, batch, &x, ms, e);
    for (int k = 0; rc == LR_OK && k < g->n_nodes; k++)
        if (ms[k] > 0)
            printf("%s %s %.3f\n", g->nodes[k].name, g->nodes[k].type, ms[k] / RUNS);
    printf("\n");
    lr_free(ms);
    return rc;
}

static enum lr_status serve(struct lr_net *net, const struct lr_graph *g, int batch,
                            const float *x, struct lr_err *e)
{
    char line[64];
    enum lr_status rc = LR_OK;

    while (rc == LR_OK && fgets(line, sizeof(line), stdin)) {
        long n = strtol(line, NULL, 10);
        if (strncmp(line, "nodes", 5) == 0)
            rc = print_nodes(net, g, batch, x, e);
        for (long i = 0; rc == LR_OK && i < n; i++) {
            double begin = now_ms();
            rc = lr_net_run(net, batch, &x, e);
            printf("%.4f%s", now_ms() - begin, i + 1 < n ? " " : "\n");
        }
        fflush(stdout);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct lr_graph *g = NULL;
    struct lr_net *net = NULL;
    struct lr_err e = {0};
    float *x = NULL;
    const char *const names[] = {"", "direct", "winograd", "auto"};
    struct lr_net_opts opts = {0};

    if (argc != 7) {
        fprintf(stderr, "usage: engine MODEL IMAGES OUT BATCH THREADS CONVOLUTION\n");
        return 2;
    }
    opts.batch = (int)strtol(argv[4], NULL, 10);
    for (int i = 1; i < 4; i++)
        if (strcmp(argv[6], names[i]) == 0)
            opts.convolution = i;
    lr_la_set_threads((int)strtol(argv[5], NULL, 10));
    enum lr_status rc = open_graph(&g, argv[1], &e);
    if (rc == LR_OK)
        rc = read_images(&x, g, opts.batch, argv[2], &e);
    if (rc == LR_OK)
        rc = lr_net_compile(&net, g, &opts, &e);
    if (rc == LR_OK)
        rc = lr_net_run(net, opts.batch, (const float *const[]){x}, &e);
    if (rc == LR_OK)
        rc = write_output(net, opts.batch, argv[3], &e);
    if (rc == LR_OK) {
        printf("ready %zu\n", lr_net_bytes(net));
        fflush(stdout);
        rc = serve(net, g, opts.batch, x, &e);
    }
    if (rc != LR_OK)
        fprintf(stderr, "engine: %s\n", e.msg);
    lr_net_free(net);
    lr_graph_free(g);
    lr_free(x);
    return rc != LR_OK;
}
