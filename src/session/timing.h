/* Shared by the files that measure milliseconds: networks ready to be timed, their runs,
 * and what is kept of them. */
#ifndef LR_SESSION_TIMING_H
#define LR_SESSION_TIMING_H

#include "ranklab/timing.h"

/* ---- timing.c: what was measured ---- */

struct timing_table {
    enum lr_split split;
    struct lr_ms_table t; /* points owned */
    bool is_known;
    int64_t when; /* of an earlier session: seconds since 1970, UTC; else 0 */
};
/* All of one deployment. */
struct timing_set {
    struct lr_deploy deploy;
    struct lr_time *last;        /* or NULL */
    struct timing_table *tables; /* [n_layers] */
    struct timing_set *next;
};
struct lr_timings {
    int n_layers;
    struct timing_set *sets;
};
/* The set of d; is_made: made when it is not there. NULL: none, or no memory. */
struct timing_set *timing_set_find(struct lr_session *s, const struct lr_deploy *d,
                                   bool is_made);
void timing_time_free(struct lr_time *t);
/* Times a plan against the original. */
enum lr_status timing_time(struct lr_time **out, const struct lr_session *s,
                           const struct lr_layer_plan *plan, const struct lr_deploy *d,
                           int n_runs, const struct lr_progress *progress,
                           struct lr_err *e);

/* ---- timing_net.c: networks to be timed ---- */

struct timing_net {
    struct lr_graph *g;
    int *owner; /* [g->n_nodes] the layer a node's time belongs to, or -1 */
};
/* The network of a plan (NULL: the original). Layers without factors that fit get some
 * that stand in. */
enum lr_status timing_net_make(struct timing_net *out, const struct lr_session *s,
                               const struct lr_layer_plan *plan, struct lr_err *e);
void timing_net_free(struct timing_net *n);

/* ---- timing_run.c: runs in turn ---- */

/* What n_runs runs took: of every layer, then of the whole: ms[run * (n_layers + 1) + i].
 */
struct timing_runs {
    int n_layers, n_runs;
    double *ms;
};
void timing_runs_free(struct timing_runs *r);
/* Of layer i, or with i = n_layers the whole. Sorts that column, so that rows are no runs
 * any more. */
struct lr_ms_stat timing_stat(struct timing_runs *r, int i);

/* How often: so that each network runs for about target_ms in all, within the limits.
 * has_whole: runs by the clock around all of it, besides those that look at layers. */
struct timing_effort {
    int min_runs, max_runs;
    double target_ms;
    bool has_whole;
};
/* out[i] for each of the n networks, run in turn. version: of the engine, at least 64
 * bytes. */
enum lr_status timing_measure(struct timing_runs *out, char *version,
                              const struct timing_net *nets, int n,
                              const struct lr_session *s, const struct lr_deploy *d,
                              const struct timing_effort *effort,
                              const struct lr_progress *progress, struct lr_err *e);

/* ---- timing_ort.c: the same in ONNX Runtime ---- */

enum lr_status timing_measure_ort(struct timing_runs *out, char *version,
                                  const struct timing_net *nets, int n,
                                  const struct lr_session *s, const struct lr_deploy *d,
                                  const struct timing_effort *effort,
                                  const struct lr_progress *progress, struct lr_err *e);
/* version: at least 64 bytes. */
enum lr_status timing_ort_version(char *version, const struct lr_progress *progress,
                                  struct lr_err *e);
/* Reads what the helper printed. Exposed for its test. */
enum lr_status timing_ort_parse(struct timing_runs *out, char *version, const char *text,
                                const struct timing_net *nets, int n, int n_layers,
                                struct lr_err *e);

/* ---- timing_memo.c: tables kept across sessions ---- */

/* Version of the engine of d. */
enum lr_status timing_version(char version[64], const struct lr_deploy *d,
                              const struct lr_progress *progress, struct lr_err *e);
/* True when the layer's table, as it is split now, was remembered: it is in set then. */
bool timing_recall(struct timing_set *set, const struct lr_session *s,
                   const char *version, int layer);
enum lr_status timing_remember(const struct timing_set *set, const struct lr_session *s,
                               const char *version, int layer, struct lr_err *e);

#endif
