/* Digests of the tables that commands print, and the comparison with recorded ones. */
#ifndef RANKLAB_CMD_REPLAY_H
#define RANKLAB_CMD_REPLAY_H

#include "cmd/context.h"

/* Takes note of a table that the running command shows or writes. name NULL: the
 * command's own. Commands with CMD_VARIES, or
 * that chose by milliseconds, leave no digest. */
enum lr_status cmd_digest_add(struct cmd_ctx *c, const char *name,
                              const struct out_table *t, struct lr_err *e);

/* The comment lines that follow a command in a recorded script: the hashes of what it
 * opened, and a digest for each table it printed. */
void cmd_digest_lines(struct lr_strbuf *b, struct cmd_ctx *c,
                      const struct cmd_call *call);

void cmd_digests_free(struct cmd_digests *ds);

/* Called for every line of the replayed script once it has run. */
enum lr_status cmd_replay_line(struct cmd_ctx *c, const char *text,
                               const struct cmd_origin *at);

#endif
