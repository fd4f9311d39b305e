/* One flat JSON object on one line, by a table of its fields; the last key, "check", is
 * the beginning of the SHA-256 of all before it, so that a changed digit is found too.
 * Unknown keys are passed over. */
#ifndef RANKLAB_OUT_JOURNAL_LINE_H
#define RANKLAB_OUT_JOURNAL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/mem.h"

enum { OUT_JOURNAL_FORMAT = 1, OUT_JOURNAL_MAX_LINE = 256 << 10 };

enum out_journal_kind {
    OUT_JOURNAL_TEXT, /* char *, owned, NULL: null */
    OUT_JOURNAL_HASH, /* char[65] of lower-case hexadecimal digits, "": null */
    OUT_JOURNAL_INT,  /* int, -1: null */
    OUT_JOURNAL_INT64,
    OUT_JOURNAL_REAL /* double, NAN: null; infinities are the words "inf" and "-inf" */
};
/* Numbers lie in min..max, both included. */
struct out_journal_field {
    const char *key;
    enum out_journal_kind kind;
    size_t offset;
    bool may_be_null;
    double min, max;
};

/* Appends the line with its newline. LR_EINVAL names the field that the reader would
 * refuse, or a line that is too long. */
enum lr_status out_journal_write(struct lr_strbuf *b,
                                 const struct out_journal_field *fields, size_t n,
                                 const void *object, struct lr_err *e);
/* Reads the len bytes of a line, without its newline, into object, which is zeroed before
 * by the caller; what it owns is the caller's in any case. LR_EPARSE: damaged, saying
 * how. LR_EUNSUP: another format, intact. */
enum lr_status out_journal_read(void *object, const struct out_journal_field *fields,
                                size_t n, const char *line, size_t len, struct lr_err *e);

#endif
