/* ranklab as a library: makes a network cheaper and writes it as a new ONNX file.
 *
 *   cc example.c $(pkg-config --cflags --static --libs ranklab) -o example
 *   ./example @fashion 4 fast.onnx
 *   ./example model.onnx 2 fast.onnx images.npy
 */
#include <stdio.h>
#include <stdlib.h>

#include <ranklab/export.h>

/* Every call that can fail gives back a status and fills in e. */
static enum lr_status accelerate(struct lr_session *s, char **argv, struct lr_err *e)
{
    struct lr_select_opts how = {.rule = lr_rank_rule_find("energy"),
                                 .speedup = strtod(argv[2], NULL)};
    struct lr_solve_request all = {.n = -1, .mode = s->settings.mode};
    struct lr_export_opts plain = {0};
    struct lr_exported written = {0};
    struct lr_totals t;
    enum lr_status st = lr_session_open(s, argv[1], NULL, NULL, e);

    /* Calibration images; an embedded network brings its own. */
    if (!st && argv[4])
        st = lr_session_data(s, 0, argv[4], NULL, e);
    if (!st)
        st = lr_session_select(s, &how, e);
    if (!st)
        st = lr_session_solve(s, &all, NULL, NULL, e);
    if (!st)
        st = lr_session_export_onnx(&written, s, argv[3], &plain, e);
    lr_exported_clear(&written);
    if (!st) {
        lr_session_totals(&t, s);
        printf("%s: %.2f times fewer multiply-adds\n", argv[3], t.net_speedup);
    }
    return st;
}

int main(int argc, char **argv)
{
    struct lr_session s;
    struct lr_err e = {0};

    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: %s MODEL SPEEDUP OUT.onnx [IMAGES]\n", argv[0]);
        return 2;
    }
    lr_session_init(&s);
    enum lr_status st = accelerate(&s, argv, &e);
    if (st)
        fprintf(stderr, "%s\n", e.msg);
    lr_session_free(&s);
    return st ? 1 : 0;
}
