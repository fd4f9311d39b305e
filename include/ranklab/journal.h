/* The journal: every evaluation once made, kept on disk as JSON lines, so that a question
 * asked again is answered at once and a killed sweep goes on where it was. Several
 * processes may use one journal at a time. */
#ifndef RANKLAB_JOURNAL_H
#define RANKLAB_JOURNAL_H

#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/eval.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lr_journal;

/* One evaluation. What was measured is measure: images fewer than n_images when a sample
 * stood in for all of them. Strings owned, NULL: not known; numbers NAN or -1: not
 * known. */
struct lr_record {
    char key[65];                        /* SHA-256 of all that the result depends on */
    char model[65], calib[65], eval[65]; /* SHA-256 of the inputs; "": none */
    char *what;                          /* a layer's name, or "network" */
    char *method;                        /* of the layer; NULL for a network */
    char *detail; /* readable: ranks of a network's layers, settings of the solver */
    int rank, rank_spatial;
    int64_t macs;
    double speedup, energy, error_linear, error_heldout;
    int64_t n_images; /* in question; measure.images of them were evaluated */
    struct lr_eval measure;
    char *version; /* of the program */
    int64_t when;  /* seconds since 1970, UTC */
};
void lr_record_free(struct lr_record *r);

/* key of a text that spells out everything the result depends on. */
void lr_journal_key(char key[65], const char *text);

/* Opens the journal at path (NULL: journal.jsonl in the cache folder), made with the
 * first record. Damaged lines, a torn last one among them, are passed over with a note.
 * A journal that cannot be read is LR_EIO. */
enum lr_status lr_journal_open(struct lr_journal **out, const char *path,
                               const struct lr_notes *notes, struct lr_err *e);
void lr_journal_close(struct lr_journal *j);
/* The record of that key with the most images, or NULL; borrowed until the next call.
 * What other processes appended meanwhile is seen. */
const struct lr_record *lr_journal_find(struct lr_journal *j, const char *key);
/* Appends one line under a lock and sees it on the disk before it returns. */
enum lr_status lr_journal_add(struct lr_journal *j, const struct lr_record *r,
                              struct lr_err *e);
int64_t lr_journal_count(const struct lr_journal *j);
const struct lr_record *lr_journal_at(const struct lr_journal *j, int64_t i);
const char *lr_journal_path(const struct lr_journal *j);

#ifdef __cplusplus
}
#endif

#endif
