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

/* Names of files below the folder of the record are made to begin here, if that is
 * wished. */
void cmd_replay_words(struct cmd_ctx *c, struct cmd_tokens *ts);
/* Why a file may not be there, on an error without a hint. */
void cmd_replay_hint(struct cmd_ctx *c, struct cmd_error *e);

/* What a replay has seen so far. */
struct cmd_replay {
    int depth;                      /* of the script that is replayed */
    size_t next, end;               /* tables of the last command */
    size_t line;                    /* of the last command */
    int n_same, n_different, n_new; /* tables; new: without a digest */
    size_t bad_line;                /* of the first difference */
    char bad[160];                  /* what it is */
    int threads;                    /* recorded, 0: unknown */
    char *folder; /* where it was recorded, with a slash behind; or NULL */
    bool is_here; /* what lies below that is taken from here */
};

/* Called for every line of the replayed script once it has run. */
enum lr_status cmd_replay_line(struct cmd_ctx *c, const char *text,
                               const struct cmd_origin *at);

#endif
