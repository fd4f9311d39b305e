/* Untrusted text: UTF-8 checks, display columns, escaping for a terminal. */
#ifndef RANKLAB_TEXT_H
#define RANKLAB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "ranklab/mem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Length in bytes (1..4) of the valid UTF-8 sequence at s (n bytes available) and its
 * code point; 0 when it is not valid. */
int lr_utf8_decode(const char *s, size_t n, unsigned *cp);
/* Takes the first character of s (n > 0 bytes) into one, zero-terminated: the bytes it
 * has, 1 where they are not valid UTF-8. */
size_t lr_utf8_take(char one[5], const char *s, size_t n);
/* Appends s made safe for a terminal, a table cell and gnuplot: valid UTF-8 stays; C0,
 * C1, DEL, line separators, bidi controls, what shows nothing and invalid bytes become
 * \xNN or \u{NNNN}. */
void lr_text_escape(struct lr_strbuf *b, const char *s);
/* The same of the first character of s (n > 0 bytes): the bytes it has. */
size_t lr_text_escape_one(char out[16], const char *s, size_t n);
/* The same of a text of several lines, whose ends stay. */
void lr_text_escape_lines(struct lr_strbuf *b, const char *s);
/* Columns the (already escaped) string takes on a terminal (wcwidth in a UTF-8 locale,
 * bytes otherwise). */
int lr_text_columns(const char *s);
/* The most similar of names to word (edit distance at most 2 and less than half the
 * word's length), or NULL: for "did you mean". */
const char *lr_text_nearest(const char *word, const char *const *names, size_t n_names);

#ifdef __cplusplus
}
#endif

#endif
