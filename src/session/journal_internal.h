/* Shared by the journal's files: records as lines, and the file they stand in. */
#ifndef LR_SESSION_JOURNAL_INTERNAL_H
#define LR_SESSION_JOURNAL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ranklab/journal.h"
#include "ranklab/mem.h"

/* ---- journal_record.c ---- */

enum lr_status journal_record_write(struct lr_strbuf *b, const struct lr_record *r,
                                    struct lr_err *e);
/* LR_EPARSE: damaged; LR_EUNSUP: another format. *r is empty unless LR_OK. */
enum lr_status journal_record_read(struct lr_record *r, const char *line, size_t len,
                                   struct lr_err *e);
enum lr_status journal_record_copy(struct lr_record *to, const struct lr_record *from,
                                   struct lr_err *e);
/* Whether two records of one key and as many images give different answers: counts of
 * images differ, or the outputs by more than rounding. */
bool journal_record_conflicts(const struct lr_record *a, const struct lr_record *b);

/* ---- journal_file.c ---- */

enum { JOURNAL_ANCHOR = 64 };
static const int64_t JOURNAL_MAX_FILE = (int64_t)512 << 20;

/* "PATH: cannot WHAT: REASON", escaped, as LR_EIO. */
enum lr_status journal_error(struct lr_err *e, const char *path, const char *what,
                             int err);
/* Opens a regular file of at most JOURNAL_MAX_FILE bytes for reading; *fd -1: there is
 * none. */
enum lr_status journal_open_read(int *fd, struct stat *st, const char *path,
                                 struct lr_err *e);
/* Opens the file for appending, made where it is missing, and holds its lock until *fd
 * is closed. What is behind path then is what *fd is. */
enum lr_status journal_lock(int *fd, const char *path, struct lr_err *e);
/* Appends text, one line, to the locked file and sees it on the disk; a torn line before
 * it is ended first. On failure the file is as long as it was. */
enum lr_status journal_append(int fd, const char *path, const char *text, size_t len,
                              struct lr_err *e);

/* Calls take for every ended line from byte from on, line NULL where it was longer than
 * is allowed. A last line without its end is left alone: *end is where it begins. */
struct journal_scan {
    enum lr_status (*take)(void *ctx, const char *line, size_t len, struct lr_err *e);
    void *ctx;
};
enum lr_status journal_scan(int64_t *end, int fd, const char *path, int64_t from,
                            const struct journal_scan *scan, struct lr_err *e);

#endif
