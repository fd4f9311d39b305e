/* Named configurations: everything a choice consists of and what was measured of it. */
#ifndef RANKLAB_CONFIGS_H
#define RANKLAB_CONFIGS_H

#include "ranklab/session.h"

struct lr_config {
    char *name; /* owned */
    struct lr_settings settings;
    struct lr_layer_plan *plan; /* n_layers of the session, with references; owned */
    struct lr_totals totals;
    bool has_eval;
    struct lr_eval eval;
    char *eval_path, *eval_sha256; /* the images it was measured on; owned, or NULL */
    double ms, ms_original;        /* of the whole network; NAN: not timed */
    int64_t kept_at, evaluated_at; /* seconds since 1970, UTC; 0: never */
};
/* In the order they were kept. */
struct lr_configs {
    int n;
    struct lr_config *items; /* owned */
};
void lr_configs_free(struct lr_configs *c, int n_layers);

/* Keeps the plan as it is under name (1 to 64 characters, letters, digits and . _ - +),
 * replacing one of that name. */
enum lr_status lr_session_keep(struct lr_session *s, const char *name, struct lr_err *e);
/* Makes it the plan (one undo step), with its settings of the solver and what was
 * measured. LR_EINVAL: no such name, with the nearest. */
enum lr_status lr_session_use(struct lr_session *s, const char *name, struct lr_err *e);
enum lr_status lr_session_drop(struct lr_session *s, const char *name, struct lr_err *e);
const struct lr_config *lr_session_config(const struct lr_session *s, const char *name);

#endif
