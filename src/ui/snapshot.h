/* What the panes show of a session: plain copies, made by the worker between two pieces
 * of work and after points of a sweep. The panes never look at the session itself. */
#ifndef RANKLAB_UI_SNAPSHOT_H
#define RANKLAB_UI_SNAPSHOT_H

#include <stdatomic.h>

#include "cmd/context.h"
#include "ranklab/configs.h"
#include "ranklab/predict.h"

/* A plot handed to the panes, with all its memory. */
struct ui_plot {
    struct out_plot plot;
    atomic_int n_refs;
};
struct ui_plot *ui_plot_copy(const struct out_plot *p);
struct ui_plot *ui_plot_ref(struct ui_plot *p);
void ui_plot_unref(struct ui_plot *p);

/* What one rank of a layer costs. energy NAN: not known. */
struct ui_price {
    int rank;
    int64_t macs, params;
    double energy;
};

struct ui_layer {
    char *name, *shape, *kernel, *stride, *method, *next_method, *follow;
    char *reason;                                 /* why it stays whole, or NULL */
    int group, rank, full_rank, break_even, step; /* ranks are multiples of step */
    int rank_spatial; /* beside rank, where there are two; -1: none */
    int best_spatial; /* the highest rank_spatial that pays with rank as it is */
    bool is_approximable;
    enum lr_state state;
    double energy, speedup; /* predicted */
    int64_t macs, macs_original, params, params_original;
    /* measured when the layer was solved; NAN: not */
    double error_linear, error_calib, error_heldout, error_pre, error_own,
        error_inherited, error_refit;
    double *eig; /* full_rank eigenvalues, descending; NULL: not known */
    struct ui_price *prices;
    int n_prices;
    struct ui_plot *accuracy; /* of the points swept with its method; NULL: none */
};

struct ui_snapshot {
    bool has_network, has_spectra, can_have_spectra;
    char *model; /* NULL: none */
    char model_sha256[65];
    int64_t n_calib, n_eval; /* -1: none */
    int n_layers, n_chosen, n_stale;
    struct ui_layer *layers;
    struct lr_totals totals;
    struct lr_eval eval;
    bool has_eval, is_eval_old;      /* old: of an earlier plan */
    struct lr_prediction prediction; /* of the plan as it is */
    int swept; /* the layer a running sweep has just finished a point of; -1: none */
    int round;
    struct cmd_settings settings;
    struct cmd_bind *binds;
    size_t n_binds;
    struct cmd_words configs; /* names of those kept */
    char *session_file;       /* the automatic record, once it exists */
};

/* before: the snapshot it follows, or NULL. NULL when memory is short. */
struct ui_snapshot *ui_snapshot_take(const struct cmd_ctx *c,
                                     const struct ui_snapshot *before);
void ui_snapshot_free(struct ui_snapshot *s);
/* A context for completion that knows the names of the layers and of kept configurations
 * and nothing else; valid as long as the snapshot. */
struct ui_names {
    struct cmd_ctx ctx;
    struct lr_session session;
    struct lr_configs configs;
};
bool ui_names_init(struct ui_names *n, const struct ui_snapshot *s);
void ui_names_free(struct ui_names *n);

#endif
