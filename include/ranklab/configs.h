/* Named configurations: everything a choice consists of and what was measured of it.
 *
 * The settings of the solver are part of a configuration: seed, mode, round, iterations
 * and lambda. threads and cache-memory belong to the machine and stay as they are. */
#ifndef RANKLAB_CONFIGS_H
#define RANKLAB_CONFIGS_H

#include "ranklab/session.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LR_CONFIG_NAME_MAX = 64 };

struct lr_config {
    char *name; /* owned */
    struct lr_settings settings;
    struct lr_layer_plan *plan; /* n_layers of the session, with references; owned */
    struct lr_totals totals;
    int n_to_solve, n_stale; /* layers chosen or stale, and those that are stale */
    bool has_eval;
    bool is_eval_told; /* not measured here (has_eval false): eval and the three below are
                          what the imported file says */
    struct lr_eval eval;
    char *eval_path, *eval_sha256; /* the images it was measured on; owned, or NULL */
    double ms, ms_original;        /* of the whole network; NAN: not timed */
    int64_t kept_at, evaluated_at; /* seconds since 1970, UTC; 0: never */
    struct lr_told *told;          /* a reference, as in struct lr_session; or NULL */
};
/* In the order they were kept. */
struct lr_configs {
    int n;
    struct lr_config *items; /* owned */
};
void lr_configs_free(struct lr_configs *c, int n_layers);

/* 1 to 64 characters: ASCII letters, digits and . _ - +, the first a letter or a digit.
 */
bool lr_config_name_is_valid(const char *name);

/* Keeps the plan as it is under name, replacing one of that name. No undo step: the plan
 * is not changed by it, and what was kept stays when the plan goes back. LR_EINVAL: not a
 * name. */
enum lr_status lr_session_keep(struct lr_session *s, const char *name, struct lr_err *e);
/* Makes it the plan (one undo step), with its settings of the solver and what was
 * measured, unless that was on other images than are loaded now. LR_EINVAL: no such name,
 * with the nearest. */
enum lr_status lr_session_use(struct lr_session *s, const char *name, struct lr_err *e);
/* Forgets it; undo brings it back. */
enum lr_status lr_session_drop(struct lr_session *s, const char *name, struct lr_err *e);
/* NULL when there is none of that name. */
const struct lr_config *lr_session_config(const struct lr_session *s, const char *name);
/* The same; LR_EINVAL names the nearest, or says that nothing is kept. */
enum lr_status lr_session_find_config(const struct lr_config **out,
                                      const struct lr_session *s, const char *name,
                                      struct lr_err *e);
/* A layer's row, or the network, as a configuration has it. */
void lr_session_config_row(struct lr_layer_row *r, const struct lr_session *s,
                           const struct lr_config *c, int layer);
enum lr_status lr_session_config_build(struct lr_graph **out, const struct lr_session *s,
                                       const struct lr_config *c, bool is_partial,
                                       struct lr_err *e);
/* Whether the plan now is that of c: methods, ranks, factors and settings. */
bool lr_session_is_config(const struct lr_session *s, const struct lr_config *c);
/* A view of the plan now in the form of a configuration, with the name "current". Its
 * plan is borrowed; release with lr_config_view_free. */
enum lr_status lr_session_view_config(struct lr_config *out, const struct lr_session *s,
                                      struct lr_err *e);
void lr_config_view_free(struct lr_config *c);

/* Writes the plan (name NULL) or a kept configuration as a configuration file. What was
 * told of an imported plan is passed on as it was read, so that export, import, export
 * gives the same bytes. LR_EINVAL: no such name, or a layer's name that is not UTF-8. */
enum lr_status lr_session_export_config(struct lr_session *s, const char *name,
                                        const char *path, struct lr_err *e);
/* Makes what a configuration file says the plan: one undo step; factors that are solved
 * the same way already stay, the others must be solved. Differences of network, images,
 * settings and versions are told as notes, one a line. Of another network LR_EINVAL and
 * nothing is changed, unless is_force: then what fits is taken and the rest stays whole.
 */
enum lr_status lr_session_import_config(struct lr_session *s, const char *path,
                                        bool is_force, struct lr_err *e);

/* Whether two sets of settings agree in all that solving depends on. */
bool lr_settings_same(const struct lr_settings *a, const struct lr_settings *b);

#ifdef __cplusplus
}
#endif

#endif
