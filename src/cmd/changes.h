/* The plan before a command, to say afterwards what changed. */
#ifndef RANKLAB_CMD_CHANGES_H
#define RANKLAB_CMD_CHANGES_H

#include "cmd/context.h"

struct cmd_before {
    int n;
    struct lr_ranks *ranks;
    enum lr_method *method;
    enum lr_state *state;
    int64_t *macs;
    struct lr_totals totals;
    struct lr_settings settings;
};
enum lr_status cmd_before_take(struct cmd_before *b, const struct lr_session *s,
                               struct cmd_error *e);
void cmd_before_free(struct cmd_before *b);
/* One line per changed layer, at most a dozen, then what became solved or stale, and
 * settings that came with the plan. */
void cmd_say_changes(struct cmd_ctx *c, const struct cmd_before *old);
/* Adds a name to a list of which the first six are shown; *n counts all of them. */
void cmd_add_name(struct lr_strbuf *b, int *n, const char *name);

/* The option --round, or else the setting. */
int cmd_round(const struct cmd_ctx *c, const struct cmd_call *call);

#endif
