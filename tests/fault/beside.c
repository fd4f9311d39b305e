/* Exports a network whose weights do not fit into the file, for tests of what failing
 * calls and kills leave: what a file may hold is set so low that they go into one beside
 * it. usage: beside MODEL RANK OUT.onnx */
#include <stdio.h>
#include <stdlib.h>

#include "ranklab/export.h"
#include "ranklab/mem.h"

enum { MAX_BYTES = 16000 };

static enum lr_status run(struct lr_session *s, char **argv, struct lr_err *e)
{
    const struct lr_export_opts o = {.max_bytes = MAX_BYTES};
    const struct lr_solve_request all = {.n = -1, .mode = s->settings.mode};
    struct lr_exported written = {0};
    int *layers = NULL, n = 0;
    enum lr_status st = lr_session_open(s, argv[1], NULL, NULL, e);

    if (!st)
        st = lr_session_layer_set(&layers, &n, s, "conv*", e);
    if (!st)
        st = lr_session_set_method(s, layers, n, lr_method_find("svd")->id, e);
    for (int i = 0; !st && i < n; i++) {
        const struct lr_ranks r = {(int)strtol(argv[2], NULL, 10), 0};
        st = lr_session_set_ranks(s, &layers[i], &r, 1, e);
    }
    lr_free(layers);
    if (!st)
        st = lr_session_solve(s, &all, NULL, NULL, e);
    if (!st)
        st = lr_session_export_onnx(&written, s, argv[3], &o, e);
    if (!st)
        printf("%s\n", written.data ? written.data : "none beside");
    lr_exported_clear(&written);
    return st;
}

int main(int argc, char **argv)
{
    struct lr_session s;
    struct lr_err e = {0};

    if (argc != 4)
        return 2;
    lr_session_init(&s);
    enum lr_status st = run(&s, argv, &e);
    if (st)
        fprintf(stderr, "beside: %s\n", e.msg);
    lr_session_free(&s);
    return st ? 1 : 0;
}
