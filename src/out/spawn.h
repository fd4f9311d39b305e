/* Running an external program without a shell. */
#ifndef RANKLAB_OUT_SPAWN_H
#define RANKLAB_OUT_SPAWN_H

#include <stdbool.h>

#include "ranklab/err.h"
#include "ranklab/mem.h"
#include "ranklab/progress.h"

struct out_program {
    const char *const *argv; /* argv[0] is looked up in PATH; ends with NULL */
    const char *dir;         /* where it runs */
    int timeout_ms;
    const char *doing; /* what progress says meanwhile; NULL: that it is waited for */
};
/* Runs the program with no input, in a process group of its own that is gone afterwards,
 * the helpers it started included. What it prints is appended to out (may be NULL).
 * LR_EBACKEND: not found, failed (with its first message), or still running after
 * timeout_ms. LR_EINTR when progress (NULL: none), ticked while it runs, asks to stop. */
enum lr_status out_spawn(struct lr_strbuf *out, const struct out_program *p,
                         const struct lr_progress *progress, struct lr_err *e);
/* Starts argv in a session of its own with the display, descriptor 3 open on the file
 * input and messages going to the file errors, and leaves it running. LR_EBACKEND when it
 * fails within timeout_ms. */
enum lr_status out_spawn_detached(const char *const argv[], const char *input,
                                  const char *errors, int timeout_ms, struct lr_err *e);

#endif
