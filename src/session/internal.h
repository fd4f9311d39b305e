/* Shared by the files of this folder: reading the graph around a layer, editing a copy of
 * the plan and making it the session's, and the samples a layer is solved from. */
#ifndef LR_SESSION_INTERNAL_H
#define LR_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "ranklab/session.h"

/* ---- session.c ---- */

/* LR_EINVAL unless a network is open. */
enum lr_status session_need_network(const struct lr_session *s, struct lr_err *e);
/* LR_EUNSUP naming the node that the engine cannot run. */
enum lr_status session_need_run(const struct lr_session *s, struct lr_err *e);

/* ---- undo.c: the plan is changed by editing a copy and committing it ---- */

/* A copy of the plan that holds its own references. */
enum lr_status session_plan_copy(struct lr_layer_plan **out, const struct lr_session *s,
                                 struct lr_err *e);
void session_plan_free(struct lr_layer_plan *plan, int n);
/* Makes next (owned by this call in any case) the plan: one undo step, unless nothing
 * differs. What was measured of the old plan is forgotten. */
enum lr_status session_plan_commit(struct lr_session *s, struct lr_layer_plan *next,
                                   struct lr_err *e);
void session_history_free(struct lr_session *s);

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
/* The original with every layer split that is in use and has factors in plan. */
enum lr_status session_split(struct lr_graph **out, const struct lr_session *s,
                             const struct lr_layer_plan *plan, const bool *use,
                             struct lr_err *e);
/* The last value before layer that all paths from the images to the n target values go
 * through, and whose activations for n_images fit into max_bytes or are kept already
 * (value kept; -1: none are); -1 when there is none but the images themselves. */
enum lr_status session_cut(int *cut, const struct lr_session *s, int layer,
                           const int *targets, int n, int kept, int64_t n_images,
                           int64_t max_bytes, struct lr_err *e);

/* ---- measure.c ---- */

/* How responses are sampled in this session. */
struct lr_sampling session_sampling(const struct lr_session *s);
/* The sampled rows of a value in the original network, or NULL. */
const struct lr_rows *session_rows(const struct lr_session *s, int value);
void session_drop_calib(struct lr_session *s);
void session_drop_eval(struct lr_session *s);

/* ---- layer.c: one layer ---- */

/* yhat, shat: the response and the other branch in the approximated network so far, or
 * NULL where that is still the original; the errors are measured on them in every mode.
 * has_samples false: weight methods without images, whose errors are not known. */
enum lr_status session_solve_layer(struct lr_factors **out, const struct lr_session *s,
                                   int layer, enum lr_method method, int rank,
                                   enum lr_mode mode, bool has_samples,
                                   const struct lr_rows *yhat, const struct lr_rows *shat,
                                   const struct lr_progress *progress, struct lr_err *e);

#endif
