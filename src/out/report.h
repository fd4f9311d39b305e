/* A report of blocks, rendered as Markdown and as one HTML page that needs nothing else,
 * and the folder it is written to, all of it or nothing. */
#ifndef RANKLAB_OUT_REPORT_H
#define RANKLAB_OUT_REPORT_H

#include "out/table.h"

enum out_block_kind {
    OUT_HEADING,
    OUT_LEAD, /* what matters most, in one paragraph */
    OUT_PARAGRAPH,
    OUT_GRID, /* a table */
    OUT_FIGURE,
    OUT_CODE
};
struct out_block {
    enum out_block_kind kind;
    char
        *text; /* untrusted; the heading, paragraph, code, or a figure's caption; owned */
    char *file;             /* of a figure, a plain name of our own; owned */
    char *svg;              /* of a figure, as gnuplot wrote it; owned */
    struct out_table table; /* owned */
};
struct out_report {
    char *title; /* untrusted; owned */
    struct out_block *blocks;
    size_t n, cap;
    bool is_failed; /* an allocation failed; said when it is rendered */
};
/* The new block, to be filled; NULL when memory is short. */
struct out_block *out_report_add(struct out_report *r, enum out_block_kind kind);
void out_report_text(struct out_report *r, enum out_block_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes the table over. */
void out_report_table(struct out_report *r, struct out_table *t);
void out_report_free(struct out_report *r);

enum lr_status out_report_html(struct lr_strbuf *b, const struct out_report *r,
                               struct lr_err *e);
enum lr_status out_report_markdown(struct lr_strbuf *b, const struct out_report *r,
                                   struct lr_err *e);

/* A folder being written: a temporary one beside the target until committed. */
struct out_folder {
    char *path, *temp; /* owned */
    int lock;          /* of temp, while there is one */
    char **names;      /* of the files that were added; owned */
    size_t n, cap;
    bool is_there; /* an old report is replaced */
};
/* LR_EIO when the target is there and is no report of ours, or cannot be made. */
enum lr_status out_folder_begin(struct out_folder *f, const char *path, struct lr_err *e);
/* Where a file of the folder is to be written; it will be among the sums. NULL: no
 * memory. lr_free it. */
char *out_folder_add(struct out_folder *f, const char *name);
enum lr_status out_folder_write(struct out_folder *f, const char *name,
                                const struct lr_strbuf *text, struct lr_err *e);
/* Writes SHA256SUMS, flushes everything and puts the folder in the target's place. On
 * failure the old one is as it was. f is closed either way. */
enum lr_status out_folder_commit(struct out_folder *f, struct lr_err *e);
/* Removes the temporary folder; safe on a zeroed or closed f. */
void out_folder_abort(struct out_folder *f);

#endif
