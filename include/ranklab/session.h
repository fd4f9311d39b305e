/* A session: one opened network, its data, the plan of ranks and methods, what was solved
 * and measured, and the way back. The original network is never changed. Commands call
 * these functions; nothing here prints. */
#ifndef RANKLAB_SESSION_H
#define RANKLAB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/approx.h"
#include "ranklab/dataset.h"
#include "ranklab/eval.h"
#include "ranklab/graph.h"
#include "ranklab/rank.h"

#ifdef __cplusplus
extern "C" {
#endif

enum lr_mode { LR_MODE_ASYM, LR_MODE_SYM, LR_MODE_SYMHAT };
const char *lr_mode_name(enum lr_mode m);

/* whole: not approximated. chosen: a rank is set, not solved. solved: factors fit the
 * plan. stale: factors fit rank and method, but a layer before changed since
 * (asymmetric). */
enum lr_state { LR_STATE_WHOLE, LR_STATE_CHOSEN, LR_STATE_SOLVED, LR_STATE_STALE };
const char *lr_state_name(enum lr_state s);

/* One layer's plan. Full ranks, or ranks whose split costs no less, mean whole. Ranks are
 * those of the method's split: spatial is 0 for a channel split, channel is d for a
 * spatial one. */
struct lr_layer_plan {
    enum lr_method method;
    struct lr_ranks ranks;
    bool is_stale;
    struct lr_factors *factors; /* a reference, or NULL */
};

/* What the approximated network is meant to run on: milliseconds are measured there. */
enum lr_deploy_engine { LR_DEPLOY_ONEDNN, LR_DEPLOY_ONNXRUNTIME };
struct lr_deploy {
    enum lr_deploy_engine engine;
    int batch, threads; /* threads 0: as many as compute here */
    int convolution;    /* enum lr_convolution of engine.h, for oneDNN alone */
};

/* Whether solve keeps each layer it has finished in the cache folder until all of it is
 * done, so that the same solve, stopped or killed, is taken up there: AUTO where it takes
 * more than about half a minute. */
enum lr_resume { LR_RESUME_NEVER, LR_RESUME_AUTO, LR_RESUME_ALWAYS };

struct lr_settings {
    uint64_t seed;
    int threads, round;
    enum lr_mode mode;
    int n_iter1, n_iter2;    /* schedule of the nonlinear solver: 25 and 25 */
    double lambda1, lambda2; /* 0.01 and 1 */
    int64_t cache_memory; /* bytes for cached activations while solving, default 2 GiB */
    int64_t cache_disk;   /* the same on the disk, default 10 GB; 0: none */
    bool has_journal; /* evaluations are kept in the cache folder, and asked for there;
                         off until the program turns it on */
    enum lr_resume resume; /* never until the program says otherwise */
    struct lr_deploy deploy;
};

struct lr_session {
    struct lr_settings settings;
    struct lr_notes notes;
    /* network: NULL / 0 when none is open */
    char *model_name; /* base name or @NAME */
    char *model_path; /* where the file really lies; NULL when that is not known */
    char model_sha256[65];
    struct lr_graph *graph; /* BN folded, shapes inferred */
    int n_bn_folded;
    int n_layers;
    struct lr_layer *layers;
    struct lr_layer_plan *plan;
    int in_c, in_h, in_w;  /* of other inputs than images, whose number of dimensions is
                              the graph's: the second, those between, the last one */
    bool is_channels_last; /* the input is batch x height x width x channels */
    /* data */
    struct lr_dataset *calib, *eval;
    /* derived, computed when first needed and dropped when their inputs change */
    struct lr_spectrum *spectra; /* n_layers, or NULL */
    struct lr_rows *responses;   /* of the original network: one entry per value that a
                                    layer is solved from, each value once; or NULL */
    int n_responses;
    uint64_t responses_seed;     /* settings.seed when they were drawn */
    struct lr_curve *curves;     /* n_layers, or NULL: nothing measured yet */
    struct lr_outcome *original; /* of the original on eval, or NULL */
    int64_t original_count;
    struct lr_eval last_eval; /* of the plan as it is */
    bool has_eval;
    int64_t evaluated_at; /* last_eval: seconds since 1970, UTC */
    struct lr_told *told; /* what a configuration file says was measured of the plan,
                             while the plan is as it was imported; or NULL */
    /* undo */
    struct lr_history *history;
    /* each of these is NULL until first needed; see the header of its name */
    struct lr_journal *journal; /* outlives the network */
    bool has_journal_failed;    /* said once */
    bool is_forgetting_told;    /* that nothing is remembered of pictures */
    struct lr_sweeps *sweeps;
    struct lr_predictor *predictor;
    struct lr_timings *timings;
    struct lr_configs *configs;
};

/* What was measured of a layer by itself, for the rules that choose by measurements. */
struct lr_curve {
    enum lr_method method; /* with which it was measured, and the schedule */
    int n_iter1, n_iter2;
    double lambda1, lambda2;
    bool has_errors, has_drops;
    int n;
    struct lr_rank_point *points; /* owned */
};

void lr_session_init(struct lr_session *s);
void lr_session_free(struct lr_session *s);

/* Finds an embedded file (network "fashion.onnx", images): $RANKLAB_DATA, where
 * installed, the source tree of the build. LR_EIO names the places looked in. *path:
 * lr_free it. */
enum lr_status lr_data_find(char **path, const char *file, struct lr_err *e);
/* The embedded networks, each with its images and their normalisation. */
struct lr_embedded {
    const char *name, *summary, *model, *calib_images, *calib_labels, *eval_images,
        *eval_labels;
    float mean, std;
};
extern const struct lr_embedded lr_embedded[];
extern const int lr_n_embedded;
const struct lr_embedded *lr_embedded_find(const char *name); /* with the @ */

/* Whether the network can be run up to every layer that can be approximated. */
bool lr_session_can_sample(const struct lr_session *s);
/* What is fed for one image, "3x224x224": channels x height x width also where the
 * network has its channels last. Returns buf. */
const char *lr_session_input_text(char *buf, size_t size, const struct lr_session *s);
/* Opens a path or @NAME, replacing what was open (its images too) only when all went
 * well.
 * @NAME also opens its calibration and evaluation images. input: NULL or the first
 * input's shape. */
enum lr_status lr_session_open(struct lr_session *s, const char *model,
                               const struct lr_shape *input,
                               const struct lr_progress *progress, struct lr_err *e);
void lr_session_close(struct lr_session *s);
/* which: 0 calib, 1 eval. src: path or @NAME. opts NULL: defaults. */
enum lr_status lr_session_data(struct lr_session *s, int which, const char *src,
                               const struct lr_data_opts *opts, struct lr_err *e);
/* Makes all images of both sets known (lr_dataset_settle). */
enum lr_status lr_session_settle(struct lr_session *s, const struct lr_progress *progress,
                                 struct lr_err *e);

/* States, in a note where it is much, what running g on n images besides the input given
 * will hold; LR_ENOMEM when max-memory does not allow the least of it, LR_EUNSUP when the
 * network cannot be run. */
enum lr_status lr_session_state_run(const struct lr_session *s, const struct lr_graph *g,
                                    int64_t n, struct lr_err *e);

/* How the engine convolves (enum lr_convolution), in all that is run from now on. What
 * was computed of the original network is dropped, factors stay. */
void lr_session_set_convolution(struct lr_session *s, int convolution);
/* Their names in the order of enum lr_convolution, from its second on; NULL ends them. */
extern const char *const lr_convolution_names[];
/* Those of enum lr_deploy_engine, in its order. */
extern const char *const lr_deploy_engine_names[];

/* Spectra of all approximable layers from the calibration images (one pass), if not
 * there. */
enum lr_status lr_session_spectra(struct lr_session *s,
                                  const struct lr_progress *progress, struct lr_err *e);

enum lr_state lr_session_state(const struct lr_session *s, int layer);
/* The layer for rank selection and cost, as its method splits it (a kept one: as its
 * default method would); spectra and points are NULL while unknown. */
struct lr_rank_layer lr_session_rank_layer(const struct lr_session *s, int layer);
/* The same as if the layer had method m. */
struct lr_rank_layer lr_session_rank_layer_as(const struct lr_session *s, int layer,
                                              enum lr_method m);
/* "17", for a split with both parts "17,28", for a spatial one "28", as the rank command
 * takes them; buf of at least 32 bytes. */
const char *lr_session_ranks_text(char *buf, size_t size, const struct lr_session *s,
                                  int layer);
/* Why a layer is not approximated now: not approximable, method keep, rank at or above
 * break-even ("rank 90 is at or above break-even 83"), full rank; NULL when it is. buf
 * holds the text where it must be made. */
const char *lr_session_reason(const struct lr_session *s, int layer, char *buf,
                              size_t size);

/* Everything tables show of a layer; NAN or -1: not known. */
struct lr_layer_row {
    const struct lr_layer *layer;
    enum lr_method method;
    enum lr_state state;
    int rank, rank_spatial, full_rank; /* rank_spatial -1: none */
    double energy, speedup;
    int64_t macs, macs_original, params, params_original;
    int64_t bytes,
        bytes_original; /* weights, and activations read and written, an image */
    /* As in struct lr_factors: against the original, in the network as it was
     * approximated when the layer was solved, whatever the mode. */
    double error_linear, error_calib, error_heldout, error_pre, error_own,
        error_inherited, error_refit;
};
void lr_session_row(struct lr_layer_row *r, const struct lr_session *s, int layer);
struct lr_totals {
    /* all convolutions */
    int64_t macs, macs_original, params, params_original, bytes, bytes_original;
    double speedup;
    /* every node */
    int64_t net_macs, net_macs_original, net_params, net_params_original, net_bytes,
        net_bytes_original;
    double net_speedup;
};
void lr_session_totals(struct lr_totals *t, const struct lr_session *s);
/* A warning where the network's structure says beforehand that low rank gains little. */
void lr_session_note_limits(const struct lr_session *s);

/* ---- changes of the plan; each is one undo step, applied whole or not at all ---- */

/* ranks[i] for the n layers listed, spatial as the layer's method has it (0 where it has
 * no spatial part). LR_EINVAL names the first layer that refuses. After it those layers'
 * factors that no longer fit are dropped, layers after them become stale. Layers that
 * cannot be approximated are passed over with a note, but refuse when no other is listed.
 * A change that changes nothing is no undo step. */
enum lr_status lr_session_set_ranks(struct lr_session *s, const int *layers,
                                    const struct lr_ranks *ranks, int n,
                                    struct lr_err *e);
/* With a note: relu becomes pca where nothing piecewise linear follows; on a 1 x 1
 * kernel, which has no spatial part, spatial becomes svd, spatial-refit and 3d become
 * relu or pca, and a fully connected layer keeps its method. A layer keeps its speedup,
 * as near as the lowest ranks allow, where the new method splits it otherwise. */
enum lr_status lr_session_set_method(struct lr_session *s, const int *layers, int n,
                                     enum lr_method m, struct lr_err *e);

/* What ranks chosen by milliseconds will do, as measured with the network that has them
 * right after they were chosen: filters that are not solved yet take the same time. */
struct lr_ms_promise {
    double ms, ms_original; /* medians, in turn */
    double ms_table;        /* what the tables of the layers had added up to */
};

struct lr_select_opts {
    const struct lr_rank_rule *rule;
    enum lr_objective objective;
    bool is_network;      /* budgets count every node (row "network") instead of the
                             convolutions (row "total"), and fully connected layers that
                             are not kept are chosen too */
    double speedup;       /* > 0 */
    int64_t macs, params; /* > 0: limits */
    /* > 0: limits of the time of one batch of the deployment, whole network; rules with
     * has_ms only */
    double ms, speedup_ms;
    struct lr_ms_promise *promise; /* filled in for them; or NULL */
    double energy; /* > 0: every layer at this share of its energy, no budget */
    int round;
    const int *keep; /* layers that stay whole */
    int n_keep;
    const struct lr_progress *progress;
};
/* Chooses ranks and sets them. Layers with method keep, or not approximable, stay whole.
 */
enum lr_status lr_session_select(struct lr_session *s, const struct lr_select_opts *o,
                                 struct lr_err *e);

/* The ranks for speedup x of one layer as lr_ranks_for_speedup gives them and, for a
 * split with both parts, the pair with the lowest held-out error among several of that
 * cost, measured on some calibration images (without images: the former). LR_EINVAL when
 * the lowest ranks are not enough. */
enum lr_status lr_session_ranks_for_speedup(struct lr_ranks *r, struct lr_session *s,
                                            int layer, double x, int round,
                                            const struct lr_progress *progress,
                                            struct lr_err *e);

struct lr_solve_request {
    const int *layers; /* n < 0: all that are chosen or stale, and those that become stale
                          by solving them */
    int n;
    enum lr_mode mode;
    bool is_alone; /* a response that is added to a shortcut is fitted by itself,
                      linearly, as if nothing followed: for comparison */
};
/* Solves layers shallow to deep. Nothing is changed unless all of it succeeds; LR_EINTR
 * leaves the session as it was. *n_solved may be NULL. A layer whose rank does not pay is
 * skipped with a note. */
enum lr_status lr_session_solve(struct lr_session *s, const struct lr_solve_request *q,
                                int *n_solved, const struct lr_progress *progress,
                                struct lr_err *e);

/* The approximated network: every solved or stale layer split. LR_EINVAL when layers are
 * chosen but not solved, naming the first (is_partial true: they stay whole instead);
 * stale layers are split as they are, with a warning note. */
enum lr_status lr_session_build(struct lr_graph **out, const struct lr_session *s,
                                bool is_partial, struct lr_err *e);

/* Evaluates the approximated network (the original's outcome is computed once and kept).
 */
enum lr_status lr_session_evaluate(struct lr_eval *r, struct lr_session *s, int64_t count,
                                   const struct lr_progress *progress, struct lr_err *e);
/* A step is a change of the plan, or a configuration that was dropped. What was measured
 * of a plan comes back with it, and so do the settings that `use` or an import replaced;
 * setting one is no step of its own. LR_EINVAL: nothing to take back. */
enum lr_status lr_session_undo(struct lr_session *s, struct lr_err *e);
enum lr_status lr_session_redo(struct lr_session *s, struct lr_err *e);

/* Layer indices of a set such as "conv2..conv5", "3", "@stale", "all", "conv*,fc"; names
 * are matched first, then numbers (1-based). Network order, each layer once. *out:
 * lr_free it. LR_EINVAL: nothing matches, with the nearest name; only @stale (chosen or
 * stale) and @solved may be empty (*n 0). */
enum lr_status lr_session_layer_set(int **out, int *n, const struct lr_session *s,
                                    const char *text, struct lr_err *e);

#ifdef __cplusplus
}
#endif

#endif
