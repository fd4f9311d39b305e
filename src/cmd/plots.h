/* What the kinds of plots share: the memory of a drawing, and one function for each kind
 * that fills it. cmds_plot.c has the command and the table of the kinds. */
#ifndef RANKLAB_CMD_PLOTS_H
#define RANKLAB_CMD_PLOTS_H

#include "cmd/context.h"

/* A plot with the memory of all it points to. Zeroed at first. */
struct cmd_drawing {
    struct out_plot plot;
    void **blocks;
    size_t n_blocks;
    bool is_failed; /* some memory was not to be had */
};
/* Zeroed memory for n items of size that lives as long as the drawing; NULL when there is
 * none, which is_failed remembers. */
void *cmd_drawing_take(struct cmd_drawing *d, size_t n, size_t size);
const char *cmd_drawing_text(struct cmd_drawing *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The name of layer as the title of a curve, short where names are long. */
const char *cmd_drawing_name(struct cmd_drawing *d, const struct lr_session *s,
                             int layer);
/* LR_ENOMEM when is_failed. */
enum lr_status cmd_drawing_check(const struct cmd_drawing *d, struct cmd_error *e);
void cmd_drawing_free(struct cmd_drawing *d);

/* What the command asks for. */
struct cmd_plot_call {
    const struct cmd_call *call;
    const int *layers;
    int n;
};
typedef enum lr_status cmd_plot_fn(struct cmd_drawing *d, struct cmd_ctx *c,
                                   const struct cmd_plot_call *q, struct cmd_error *e);
cmd_plot_fn cmd_plot_accuracy, cmd_plot_ranks, cmd_plot_tradeoff, cmd_plot_energy,
    cmd_plot_error, cmd_plot_latency, cmd_plot_propagation;
/* The x axis of curves over ranks, as the choices of --by. */
enum cmd_plot_by { CMD_BY_RANK, CMD_BY_SHARE, CMD_BY_MACS };
/* The swept points of the layers, with the methods that they have now: top-1, or without
 * labels agreement with the original. by: -1 as suits.
 * LR_EINVAL: none is known. */
enum lr_status cmd_draw_accuracy(struct cmd_drawing *d, const struct lr_session *s,
                                 const int *layers, int n, int by, struct cmd_error *e);
/* Whether sweeps measured response errors of any of the layers; a drawing of them. */
bool cmd_has_swept_errors(const struct lr_session *s, const int *layers, int n);
enum lr_status cmd_draw_swept_errors(struct cmd_drawing *d, const struct lr_session *s,
                                     const int *layers, int n, int by,
                                     struct cmd_error *e);

/* The names of the kinds, ends with NULL. */
extern const char *const cmd_plot_kinds[];
/* What `plot KIND` draws. d is freed by the caller, also after a failure. */
enum lr_status cmd_plot_make(struct cmd_drawing *d, struct cmd_ctx *c, const char *kind,
                             struct cmd_error *e);

#endif
