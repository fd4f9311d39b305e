/* The journal: every evaluation once made, kept on disk as JSON lines, so that a question
 * asked again is answered at once and a killed sweep goes on where it was. Several
 * processes may use one journal at a time. */
#ifndef RANKLAB_JOURNAL_H
#define RANKLAB_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/eval.h"
#include "ranklab/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lr_journal;
struct lr_session;

/* One evaluation. What was measured is measure: images fewer than n_images when a sample
 * stood in for all of them. Strings owned, NULL: not known; numbers NAN or -1: not
 * known. */
struct lr_record {
    char key[65];                        /* SHA-256 of all that the result depends on */
    char model[65], calib[65], eval[65]; /* SHA-256 of the inputs; "": none */
    char *what;                          /* a layer's name, "network", or "output" */
    char *method;                        /* of the layer; NULL for a network */
    char *detail; /* readable: the output's name, ranks of a network's layers */
    int rank, rank_spatial;
    int64_t macs;
    double speedup, energy, error_linear, error_heldout;
    double sampling;  /* of a point of a sweep, see sweep.h */
    double kl, psnr;  /* of an output, see lr_output_measure */
    int64_t n_images; /* in question; measure.images of them were evaluated */
    struct lr_eval measure;
    char *version; /* of the program */
    int64_t when;  /* seconds since 1970, UTC */
};
/* Everything not known; when is now and version the program's. LR_ENOMEM. */
enum lr_status lr_record_init(struct lr_record *r, struct lr_err *e);
void lr_record_free(struct lr_record *r);

/* key of a text that spells out everything the result depends on; the program's version
 * goes into it too. */
void lr_journal_key(char key[65], const char *text);

/* Opens the journal at path (NULL: journal.jsonl in the cache folder), made with the
 * first record. Damaged lines, a torn last one among them, are passed over with a note.
 * A journal that cannot be read is LR_EIO. */
enum lr_status lr_journal_open(struct lr_journal **out, const char *path,
                               const struct lr_notes *notes, struct lr_err *e);
void lr_journal_close(struct lr_journal *j);
/* The record of that key with the most images, of several the newest, or NULL; borrowed
 * until the next call. What other processes appended meanwhile is seen. */
const struct lr_record *lr_journal_find(struct lr_journal *j, const char *key);
/* Appends one line under a lock and sees it on the disk before it returns. Where that
 * fails the record is kept in memory, and written with the next one that can be. */
enum lr_status lr_journal_add(struct lr_journal *j, const struct lr_record *r,
                              struct lr_err *e);
/* The records that lr_journal_find may give, each key once, oldest first. */
int64_t lr_journal_count(const struct lr_journal *j);
const struct lr_record *lr_journal_at(const struct lr_journal *j, int64_t i);

/* ---- looking after a journal's file ---- */

struct lr_journal_counts {
    int64_t n_lines, n_bytes; /* lines: empty ones too, which count as nothing else */
    int64_t n_kept;           /* good, and the one that answers for its key */
    int64_t n_repeated;       /* good, but another line answers for its key */
    int64_t n_conflicts;      /* of those: as many images, another result */
    int64_t n_versions; /* good, of other versions of the program: never asked for */
    int64_t n_formats;  /* lines of another format, intact */
    int64_t n_damaged;
    int64_t first_damaged; /* its line, from 1; 0: none */
    char why[128];         /* of the first damaged one */
};
/* Counts the lines of a journal. Calls conflict for each pair of records with one key,
 * equally many images and different results; may be NULL. A missing file has no lines. */
struct lr_journal_conflicts {
    void (*take)(void *ctx, const struct lr_record *first,
                 const struct lr_record *second);
    void *ctx;
};
enum lr_status lr_journal_verify(struct lr_journal_counts *c, const char *path,
                                 const struct lr_journal_conflicts *conflicts,
                                 struct lr_err *e);

/* Writes the journal anew without some of its lines, under its lock, all or nothing.
 * Repeated records go in any case. */
struct lr_journal_prune {
    int64_t before;      /* records older than this time go; 0: none */
    bool other_versions; /* and formats */
    bool damaged;
};
enum lr_status lr_journal_prune(int64_t *n_removed, int64_t *n_left, const char *path,
                                const struct lr_journal_prune *o, struct lr_err *e);

/* Adds the records of the n files to the journal at path, under its lock, all or nothing.
 * Of one key the record with the most images stays, of several like it the first. Where
 * these have different results, prefer says which stays; LR_JOURNAL_REFUSE: every
 * conflict is handed to conflicts, nothing is written and LR_EINVAL counts them. */
enum lr_journal_prefer { LR_JOURNAL_REFUSE, LR_JOURNAL_FIRST, LR_JOURNAL_LAST };
struct lr_journal_merged {
    int64_t n_added, n_known, n_conflicts, n_damaged, n_left;
};
enum lr_status lr_journal_merge(struct lr_journal_merged *m, const char *path,
                                const char *const *files, int n,
                                enum lr_journal_prefer prefer,
                                const struct lr_journal_conflicts *conflicts,
                                struct lr_err *e);

/* ---- the session's ---- */

/* The journal in the cache folder, opened when first asked for; NULL while the setting is
 * off, and when it cannot be opened, which is said once. */
struct lr_journal *lr_session_journal(struct lr_session *s);
/* lr_journal_add to it. What goes wrong is said once and is no failure. */
void lr_session_journal_add(struct lr_session *s, const struct lr_record *r);

struct lr_question {
    int64_t count; /* images, the first ones; 0: all */
    bool is_again; /* measured anew whatever the journal knows */
    const struct lr_progress *progress;
};
struct lr_answer {
    struct lr_eval eval;
    bool is_from_journal;
    int64_t when; /* it was measured */
};
/* lr_session_evaluate that says where the answer is from. */
enum lr_status lr_session_ask(struct lr_answer *a, struct lr_session *s,
                              const struct lr_question *q, struct lr_err *e);
/* All outputs of the approximated network against the original's (lr_outputs_compare), in
 * the same way. m: as many as the network has; a->eval is not set. */
enum lr_status lr_session_outputs(struct lr_output_measure *m, struct lr_answer *a,
                                  struct lr_session *s, const struct lr_question *q,
                                  struct lr_err *e);

#ifdef __cplusplus
}
#endif

#endif
