/* Progress of long work, reported upwards; the callee may be asked to stop. */
#ifndef RANKLAB_PROGRESS_H
#define RANKLAB_PROGRESS_H

#include "ranklab/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* tick is called often (at least every 0.2 s in long work) from the thread that does the
 * work. fraction runs from 0 to 1 over the whole command; what is a short phrase such as
 * "solving conv4" valid during the call only. A non-zero return asks the work to stop. */
struct lr_progress {
    int (*tick)(void *ctx, double fraction, const char *what);
    void *ctx;
    double lo, hi; /* the part of [0, 1] this stage covers; both 0 means the whole */
};

/* Reports fraction (0..1 of this stage). Returns LR_EINTR, with "interrupted" in e, when
 * the callback asks to stop, LR_OK otherwise. p may be NULL. */
enum lr_status lr_progress_tick(const struct lr_progress *p, double fraction,
                                const char *what, struct lr_err *e);

/* The stage lo..hi (0..1) of p, to be handed to a callee. p may be NULL. */
struct lr_progress lr_progress_sub(const struct lr_progress *p, double lo, double hi);

/* Notes and warnings from the core; the front end decides where they go. */
enum lr_note_level { LR_NOTE_INFO, LR_NOTE_WARNING };
struct lr_notes {
    void (*note)(void *ctx, enum lr_note_level level, const char *text);
    void *ctx;
};
/* Formats and hands on one line. n and n->note may be NULL: the note is dropped. */
void lr_note(const struct lr_notes *n, enum lr_note_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#endif
