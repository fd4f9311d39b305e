/* One description of a table, rendered as aligned text, CSV, JSON or Markdown. */
#ifndef RANKLAB_OUT_TABLE_H
#define RANKLAB_OUT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/mem.h"

enum out_format { OUT_TABLE, OUT_CSV, OUT_JSON, OUT_MD };
enum out_type { OUT_TEXT, OUT_INT, OUT_REAL, OUT_BOOL };

/* key: stable machine name (csv header, json key). title: for people, with the unit;
 * NULL: the column is left out of aligned text and Markdown (machine formats carry every
 * column). In aligned text and Markdown values are divided by scale (0: 1) and reals and
 * scaled integers get digits decimals; machine formats carry the raw value: integers
 * exactly, reals with up to 17 significant digits, shortest that reads back. */
struct out_column {
    const char *key, *title;
    enum out_type type;
    double scale;
    int digits;
};

struct out_cell {
    bool is_null;
    char *text; /* owned copy */
    int64_t i;
    double r;
};
struct out_table {
    const struct out_column *columns; /* borrowed: static arrays */
    size_t n_columns, n_rows, cap_cells, n_cells;
    struct out_cell *cells;
    bool is_failed; /* an allocation failed; reported by out_table_render */
};

void out_table_init(struct out_table *t, const struct out_column *columns, size_t n);
void out_table_free(struct out_table *t);
/* Cells are added left to right; the row is complete when n_columns were added (a row cut
 * short or a type that differs from the column's is our own bug: assert). NaN, and
 * INT64_MIN, count as null. NULL text is null. */
void out_text(struct out_table *t, const char *s);
void out_int(struct out_table *t, int64_t v);
void out_real(struct out_table *t, double v);
void out_bool(struct out_table *t, bool v);
void out_null(struct out_table *t);

/* Appends the rendered table. Text is escaped for the format (and for a terminal). CSV by
 * RFC 4180 with "\n"; a cell starting with = + - @ that is text gets a leading
 * apostrophe. JSON: one array of objects on one line, Inf as null. Aligned text: numbers
 * right, unknown as
 * "-", text cells capped at 40 columns with an ellipsis; ascii: no UTF-8 decoration. */
enum lr_status out_table_render(struct lr_strbuf *b, const struct out_table *t,
                                enum out_format format, bool is_ascii, struct lr_err *e);
/* The value of a cell that is not null as it is: numbers as in CSV, text not escaped. */
void out_cell_raw(struct lr_strbuf *b, enum out_type type, const struct out_cell *c);
/* One cell as a person reads it, whole and safe for a terminal; not escaped for a
 * format. */
void out_cell_text(struct lr_strbuf *b, const struct out_column *col,
                   const struct out_cell *c);
/* Untrusted text inside a line of Markdown. */
void out_markdown_text(struct lr_strbuf *b, const char *s);
/* By a file name's ending: .csv .json .md, anything else aligned text. */
enum out_format out_format_of(const char *path);
/* "table", "csv", "json", "md"; false when unknown. */
bool out_format_parse(enum out_format *f, const char *name);

#endif
