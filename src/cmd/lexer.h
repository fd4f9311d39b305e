/* Words, operators and statements of the command language, with their places. */
#ifndef RANKLAB_CMD_LEXER_H
#define RANKLAB_CMD_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#include "ranklab/err.h"

/* What went wrong, and where in the text that was being read. Zero-initialise. */
struct cmd_error {
    struct lr_err err;
    bool has_place;
    size_t place;     /* byte offset in the text */
    char verb[32];    /* the command it belongs to, or "" */
    char hint[400];   /* one more line for the user, or "" */
    bool is_reported; /* already shown (by a sourced file) */
};

/* Sets code, message and place, and returns code. */
enum lr_status cmd_fail_at(struct cmd_error *e, size_t place, enum lr_status code,
                           const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void cmd_hint(struct cmd_error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

enum cmd_token_kind {
    CMD_WORD,
    CMD_OP /* one of > >= < <= == != */
};

struct cmd_token {
    enum cmd_token_kind kind;
    char *text;        /* quotes and escapes resolved; owned */
    size_t n_plain;    /* bytes of text before the first quote; an option needs its "--"
                          there */
    size_t begin, end; /* bytes of the source text */
};

struct cmd_tokens {
    struct cmd_token *t;
    size_t n, cap;
    size_t begin, end; /* the statement's bytes in the source text, comment excluded */
};
void cmd_tokens_free(struct cmd_tokens *ts);

/* Reads the statement that starts at byte from of text: up to `;`, a newline that no `\`
 * precedes, a comment or the end. *next is where the following statement starts (the
 * length of text when there is none). An empty statement gives no tokens. After an error
 * *next is valid too, so reading can go on with the next line. */
enum lr_status cmd_lex(struct cmd_tokens *out, size_t *next, const char *text,
                       size_t from, struct cmd_error *e);

/* True when the last line of text ends with a `\` that asks for another line. */
bool cmd_line_continues(const char *text);

/* Line (from 0) and byte offset of the beginning of the line that holds place. */
void cmd_find_line(size_t *line, size_t *begin, const char *text, size_t place);

#endif
