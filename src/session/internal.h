/* Shared by the files of this folder: reading the graph around a layer, editing a copy of
 * the plan and making it the session's, and the samples a layer is solved from. */
#ifndef LR_SESSION_INTERNAL_H
#define LR_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "ranklab/configs.h"
#include "ranklab/journal.h"
#include "ranklab/mem.h"
#include "ranklab/session.h"

/* ---- session.c ---- */

/* LR_EINVAL unless a network is open. */
enum lr_status session_need_network(const struct lr_session *s, struct lr_err *e);
/* LR_EUNSUP naming the node that the engine cannot run. */
enum lr_status session_need_run(const struct lr_session *s, struct lr_err *e);
/* The same of what the layers that can be approximated depend on. */
enum lr_status session_need_samples(const struct lr_session *s, struct lr_err *e);

/* ---- input.c ---- */

/* The shape to give the input where the file leaves sizes free, with a note; false where
 * there is nothing to choose, or nothing to choose by. */
bool session_choose_sizes(struct lr_shape *out, const struct lr_graph *g,
                          const struct lr_notes *notes);
/* Sets in_c, in_h, in_w and is_channels_last from the one input of the graph. */
enum lr_status session_find_input(struct lr_session *s, struct lr_err *e);
/* The input's dimensions behind the batch as they are, "3,224,224". */
void session_input_list(char *buf, size_t size, const struct lr_session *s);

/* ---- images.c ---- */

/* Makes known the first n (0: all) images of d, the calibration or evaluation images.
 * *progress is then, in *rest, what is left of it. */
enum lr_status session_settle(struct lr_dataset *d, const struct lr_session *s, int64_t n,
                              const struct lr_progress **progress,
                              struct lr_progress *rest, struct lr_err *e);
/* What the first n (0: all) images of d, which are known, are named by in a key; "none"
 * without d. */
enum lr_status session_images_digest(char hex[65], const struct lr_dataset *d, int64_t n,
                                     struct lr_err *e);
/* As session_settle for evaluation images, LR_EINVAL without any; *count: how many of the
 * first asked (0: all) there are. */
enum lr_status session_need_images(int64_t *count, const struct lr_session *s,
                                   int64_t asked, const struct lr_progress **progress,
                                   struct lr_progress *rest, struct lr_err *e);

/* ---- undo.c: the plan is changed by editing a copy and committing it ---- */

/* A copy of the plan that holds its own references. */
enum lr_status session_plan_copy(struct lr_layer_plan **out, const struct lr_session *s,
                                 struct lr_err *e);
void session_plan_free(struct lr_layer_plan *plan, int n);
/* Whether methods, ranks, states and factors are the same. */
bool session_plan_same(const struct lr_layer_plan *a, const struct lr_layer_plan *b,
                       int n);
/* What was measured of a plan, and on which images (their hash). */
struct session_measured {
    bool has_eval;
    struct lr_eval eval;
    int64_t evaluated_at;
    char eval_sha256[65];
    int convolution; /* enum lr_convolution that it was measured with */
};
/* Makes next (owned by this call in any case) the plan: one undo step, unless nothing
 * differs. What was measured of the old plan goes with the step. */
enum lr_status session_plan_commit(struct lr_session *s, struct lr_layer_plan *next,
                                   struct lr_err *e);
/* The same with settings of the solver, what was measured (used when it was on the images
 * that are loaded) and what is told of the plan (a reference is taken; NULL: nothing). */
enum lr_status session_plan_replace(struct lr_session *s, struct lr_layer_plan *next,
                                    const struct lr_settings *settings,
                                    const struct session_measured *measured,
                                    struct lr_told *told, struct lr_err *e);
/* One undo step that gives back a dropped configuration, owned by this call in any case.
 */
enum lr_status session_config_step(struct lr_session *s, struct lr_config *dropped,
                                   int place, struct lr_err *e);
/* The most evaluation images that what undo, redo or use gives back was measured on; 0:
 * none. */
int64_t session_most_measured(const struct lr_session *s);
void session_measured_take(struct session_measured *m, const struct lr_session *s);
void session_history_free(struct lr_session *s);

/* ---- configs.c ---- */

/* Copies the settings that belong to the solver. */
void session_settings_copy(struct lr_settings *to, const struct lr_settings *from);
void session_config_clear(struct lr_config *c, int n_layers);
/* Puts *c at place and leaves *c empty; or takes the one at place out into *c. */
enum lr_status session_config_put(struct lr_session *s, int place, struct lr_config *c,
                                  struct lr_err *e);
/* Gives *c a name that is free: its own with -2, -3, ... behind it. */
enum lr_status session_config_rename(const struct lr_session *s, struct lr_config *c,
                                     struct lr_err *e);
void session_config_take(struct lr_config *c, struct lr_session *s, int place);
/* Seconds since 1970; $SOURCE_DATE_EPOCH where it is set, for repeatable files. */
int64_t session_now(void);

/* ---- configs_told.c: what a configuration file says ---- */

struct out_config;
/* Takes the file over; NULL without memory. */
struct lr_told *session_told_new(struct out_config *file);
const struct out_config *session_told_file(const struct lr_told *t);
/* Fills in the evaluation of which c->told tells, if it does. false: no memory. */
bool session_told_eval(struct lr_config *c);
struct lr_told *session_told_ref(struct lr_told *t); /* returns t; NULL is fine */
void session_told_unref(struct lr_told *t);

/* ---- graph.c ---- */

/* The values a layer is solved from: its response, and the other branch of an addition.
 * Returns how many (1 or 2). */
int session_targets(int values[2], const struct lr_layer *l);
/* (*mask)[v]: value v is one of values or something they are computed from. lr_free it.
 */
enum lr_status session_upstream(bool **mask, const struct lr_session *s,
                                const int *values, int n, struct lr_err *e);
/* After factors of the changed layers were replaced or dropped: solved layers of plan
 * that were fitted to an approximated input and come after one of them become stale.
 * exempt (may be NULL): layers solved just now. */
enum lr_status session_mark_stale(const struct lr_session *s, struct lr_layer_plan *plan,
                                  const bool *changed, const bool *exempt,
                                  struct lr_err *e);
/* What an exported node says of its origin: program, method, ranks, error. */
void session_describe(char *doc, size_t size, const struct lr_factors *f,
                      const struct lr_layer *l);
/* The original with every layer split that is in use and has factors in plan. */
enum lr_status session_split(struct lr_graph **out, const struct lr_session *s,
                             const struct lr_layer_plan *plan, const bool *use,
                             struct lr_err *e);
/* Adds a layer's spatial parts to g beside it; *v is what they respond. */
enum lr_status session_branch(int *v, struct lr_graph *g, const struct lr_session *s,
                              int layer, const struct lr_spatial *spatial,
                              struct lr_err *e);
/* session_upstream in any graph. */
enum lr_status session_upstream_in(bool **mask, const struct lr_graph *g,
                                   const int *values, int n, struct lr_err *e);
/* The values before node end that all paths from the images to the n target values go
 * through and that can be kept, in order; cuts has room for all values of g. The images
 * themselves are not among them. */
enum lr_status session_cuts(int *cuts, int *n_cuts, const struct lr_graph *g,
                            const int *targets, int n, int end, struct lr_err *e);
/* Elements an image of a value that can be kept; 0: it cannot. */
int64_t session_value_count(const struct lr_graph *g, int v);

/* ---- plan.c ---- */

/* relu where a piecewise linear nonlinearity follows, else pca. */
enum lr_method session_default_method(const struct lr_layer *l);
/* Whether the layer would stay whole at ranks r with method m. */
bool session_is_whole(const struct lr_session *s, int layer, enum lr_method m,
                      struct lr_ranks r);

/* ---- build.c ---- */

/* use[i]: layer i is split in the approximated network of the plan; as in
 * lr_session_build. */
enum lr_status session_layers_used(bool *use, const struct lr_session *s, bool is_partial,
                                   struct lr_err *e);

/* ---- export_check.c ---- */

/* The first outputs of the network for a few images of the session (of noise where there
 * are none), one after the other; NULL with n 0 when it cannot be run. lr_free it. */
enum lr_status session_probe(float **out, size_t *n, const struct lr_session *s,
                             const struct lr_graph *g, struct lr_err *e);
/* Prepares a network read from a file as lr_session_open does. */
enum lr_status session_prepare(struct lr_graph *g, const struct lr_session *s,
                               struct lr_err *e);
/* |a - b| / |b| over n numbers; NAN when they are not all finite. */
double session_difference(const float *a, const float *b, size_t n);

/* ---- measure.c ---- */

/* How responses are sampled, and the schedule of the solver, in this session. */
struct lr_sampling session_sampling(const struct lr_session *s);
struct lr_solve_opts session_solve_opts(const struct lr_session *s);
/* The sampled rows of a value in the original network, or NULL. */
const struct lr_rows *session_rows(const struct lr_session *s, int value);
/* One warning for all layers to be solved that are fitted to few rows, with the one that
 * is worst off. */
void session_warn_few_rows(const struct lr_session *s, const int *list, int n_list);
/* Evaluates the network in which the layers of use are split over the first count
 * images. */
enum lr_status session_measure(struct lr_eval *r, struct lr_session *s, const bool *use,
                               int64_t count, const struct lr_progress *progress,
                               struct lr_err *e);
void session_drop_calib(struct lr_session *s);
void session_drop_eval(struct lr_session *s);
/* Sees to it that s->original is the original's outcome on the first count images. */
enum lr_status session_need_original(struct lr_session *s, int64_t count,
                                     const struct lr_progress *progress,
                                     struct lr_err *e);

/* ---- journal_eval.c ---- */

/* The product of the energies of the layers that are split; NAN: not known. */
double session_plan_energy(const struct lr_session *s);
/* f->digest, of everything that the parts compute with; computed where it is not yet. */
enum lr_status session_factors_digest(struct lr_factors *f, struct lr_err *e);
/* How the engine computes (threads, convolution), and what stands for the outputs, for
 * the key of what depends on it. */
void session_key_engine(struct lr_strbuf *b, const struct lr_session *s);
/* "relu:6 3d:12,20 keep:10", one word a layer. */
void session_plan_text(struct lr_strbuf *b, const struct lr_session *s);
/* Reads that text, with the limits of each layer; false when it is not of a plan of this
 * network whose layers are as good as their ranks let them be. */
bool session_plan_read(enum lr_method *methods, struct lr_ranks *ranks,
                       const struct lr_session *s, const char *text);
/* Says once that the journal fails. */
void session_journal_complain(struct lr_session *s, const char *why,
                              const struct lr_err *e);
/* The key of what is measured on the first count evaluation images with the layers of use
 * approximated; what begins the text. */
enum lr_status session_key_eval(char key[65], const struct lr_session *s,
                                const char *what, const bool *use, int64_t count,
                                struct lr_err *e);
/* A record of the session's inputs, now, and of the first n_images evaluation images (0:
 * none was used). detail may be NULL. */
enum lr_status session_record_init(struct lr_record *r, const struct lr_session *s,
                                   int64_t n_images, const char *what, const char *detail,
                                   struct lr_err *e);
/* A record of the whole network as it is planned, without key and measure. */
enum lr_status session_record_network(struct lr_record *r, const struct lr_session *s,
                                      int64_t count, const char *detail,
                                      struct lr_err *e);

/* ---- solve.c ---- */

/* The layer alone, at these ranks with its method, in the original network. */
enum lr_status session_solve_alone(struct lr_factors **out, struct lr_session *s,
                                   int layer, struct lr_ranks ranks,
                                   const struct lr_progress *progress, struct lr_err *e);

/* ---- timing.c ---- */

void session_timings_free(struct lr_session *s);
/* The milliseconds of a layer against its ranks with this split, for the deployment of
 * the settings; NULL while not measured. */
const struct lr_ms_table *session_ms_table(const struct lr_session *s, int layer,
                                           enum lr_split split);

/* ---- select_ms.c ---- */

/* Ranks of the n layers listed for a budget of milliseconds, their tables measured when
 * they are not there. */
enum lr_status session_select_ms(struct lr_ranks *ranks, const int *index, int n,
                                 struct lr_session *s, const struct lr_select_opts *o,
                                 int round, const struct lr_progress *progress,
                                 struct lr_err *e);

/* ---- layer.c: one layer ---- */

/* The sampled rows a layer is solved from and judged by; NULL: the original's will do.
 * Spatial rows are there for splits with a spatial part only, of the same v and h. */
struct session_rows {
    const struct lr_rows *y, *other;   /* response and other branch in the original */
    const struct lr_rows *yhat, *shat; /* in the approximated network so far */
    const struct lr_rows *ys, *yshat;  /* responses of the spatial parts in either */
};
struct session_problem {
    int layer;
    enum lr_method method;
    struct lr_ranks ranks;
    enum lr_mode mode;
    bool is_alone;
    const struct lr_spatial *spatial; /* for splits with a spatial part */
    bool has_samples; /* false: weight methods without images, whose errors are unknown */
    struct session_rows rows;
    int64_t n_images; /* that the rows come from */
    struct lr_sampling sampling;
};
enum lr_status session_solve_layer(struct lr_factors **out, const struct lr_session *s,
                                   const struct session_problem *q,
                                   const struct lr_solve_opts *opts,
                                   const struct lr_progress *progress, struct lr_err *e);
/* The held-out error of the layer alone in the original network, as
 * session_solve_layer finds it, without factors; NAN when no images are held out. */
enum lr_status session_try_layer(double *error, const struct lr_session *s,
                                 const struct session_problem *q,
                                 const struct lr_solve_opts *opts, struct lr_err *e);
/* The spatial part of a layer at d''. */
enum lr_status session_spatial(struct lr_spatial *out, const struct lr_session *s,
                               int layer, int rank, struct lr_err *e);

/* ---- points.c: layers by themselves, measured ---- */

struct session_point {
    int layer;
    struct lr_ranks ranks;
    double error; /* out: held-out, after the nonlinearity */
};
/* Measures the points, sorted by layer, on some of the calibration images. */
enum lr_status session_measure_points(struct session_point *points, int n,
                                      struct lr_session *s,
                                      const struct lr_progress *progress,
                                      struct lr_err *e);

/* ---- curves.c: the same over a grid of ranks ---- */

/* Sees to it that the curves of the listed layers have errors or drops for their
 * methods. */
enum lr_status session_need_curves(struct lr_session *s, const int *layers, int n,
                                   bool needs_errors, bool needs_drops,
                                   const struct lr_progress *progress, struct lr_err *e);
void session_drop_curves(struct lr_session *s);
/* For each of the n layers whose split has both parts and is not whole: of the pairs that
 * cost no more than ranks[i] does, in multiply-adds and where kind says so in parameters
 * too, the one with the lowest held-out error. */
enum lr_status session_refine_pairs(struct lr_ranks *ranks, const int *layers, int n,
                                    struct lr_session *s, enum lr_budget_kind kind,
                                    int round, const struct lr_progress *progress,
                                    struct lr_err *e);

/* ---- predict_learn.c ---- */

/* The plan as it is was evaluated so: learned from unless layers are stale. */
enum lr_status session_predict_note(struct lr_session *s, const struct lr_eval *eval,
                                    struct lr_err *e);
void session_drop_predictor(struct lr_session *s);

/* ---- sweep_store.c: the points of sweeps ---- */

struct lr_sweep_point;
/* Adds a point to the session's and takes over what it owns, also on failure. Of one
 * known already the one over more images is kept. */
enum lr_status session_sweeps_add(struct lr_session *s, struct lr_sweep_point *p,
                                  struct lr_err *e);
void session_drop_sweeps(struct lr_session *s);

#endif
