/* The lexer works on a whole text and is told where a statement starts; so a prompt line,
 * a script line with its continuations and a multi-line -e are read by the same code, and
 * a token's place is simply its offset. Words run until white space, `;`, a comparison or
 * a quote ends them: layer sets (conv*, conv2..conv5, @stale, a,b) need no quoting. */
#include "cmd/lexer.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"

enum lr_status cmd_fail_at(struct cmd_error *e, size_t place, enum lr_status code,
                           const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    e->err.code = code;
    vsnprintf(e->err.msg, sizeof(e->err.msg), fmt, ap);
    va_end(ap);
    e->has_place = true;
    e->place = place;
    return code;
}

void cmd_hint(struct cmd_error *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
    va_end(ap);
}

void cmd_tokens_free(struct cmd_tokens *ts)
{
    for (size_t i = 0; i < ts->n; i++)
        lr_free(ts->t[i].text);
    lr_free(ts->t);
    *ts = (struct cmd_tokens){0};
}

static enum lr_status push(struct cmd_tokens *ts, enum cmd_token_kind kind,
                           size_t n_plain, struct lr_strbuf *word, size_t begin,
                           size_t end, struct cmd_error *e)
{
    if (ts->n == ts->cap) {
        size_t cap = ts->cap ? 2 * ts->cap : 8;
        struct cmd_token *t = lr_realloc(ts->t, ts->n, cap, sizeof(*t));
        if (!t) {
            lr_strbuf_free(word);
            return lr_enomem(&e->err, cap * sizeof(*t), "a command");
        }
        ts->t = t;
        ts->cap = cap;
    }
    char *text = lr_strbuf_take(word);
    if (!text)
        return lr_enomem(&e->err, end - begin, "a word");
    ts->t[ts->n++] = (struct cmd_token){kind, text, n_plain, begin, end};
    ts->end = end;
    return LR_OK;
}

/* Bytes of a line end at s: 1 for \n, 2 for \r\n, 0 when there is none. */
static size_t line_end(const char *s)
{
    return s[0] == '\n' ? 1 : s[0] == '\r' && s[1] == '\n' ? 2 : 0;
}

/* Bytes of a `\` with the line end it hides; the end of the text counts as one. */
static size_t continuation(const char *s)
{
    if (s[0] != '\\')
        return 0;
    if (s[1] == '\0')
        return 1;
    size_t n = line_end(s + 1);
    return n ? n + 1 : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Bytes of a comparison operator at s, or 0. A single `=` belongs to words (e=99%). */
static size_t operator_at(const char *s)
{
    if (s[0] == '>' || s[0] == '<')
        return s[1] == '=' ? 2 : 1;
    if ((s[0] == '=' || s[0] == '!') && s[1] == '=')
        return 2;
    return 0;
}

/* The quoted part that starts at text[*i], appended to word; *i moves past it. */
static enum lr_status lex_quote(struct lr_strbuf *word, const char *text, size_t *i,
                                struct cmd_error *e)
{
    size_t begin = *i, k = *i + 1;
    char quote = text[begin];

    for (;; k++) {
        if (text[k] == '\0' || line_end(text + k)) {
            *i = k;
            return cmd_fail_at(e, begin, LR_EPARSE,
                               "the quote %c is not closed on its line", quote);
        }
        if (text[k] == quote)
            break;
        if (quote == '"' && text[k] == '\\') {
            char c = text[k + 1];
            if (c != 'n' && c != '"' && c != '\\') {
                cmd_fail_at(e, k, LR_EPARSE, "unknown escape in double quotes");
                cmd_hint(e, "only \\n, \\\" and \\\\ are known; '...' is literal");
                *i = k + 1;
                return LR_EPARSE;
            }
            lr_strbuf_putc(word, c == 'n' ? '\n' : c);
            k++;
            continue;
        }
        lr_strbuf_putc(word, text[k]);
    }
    *i = k + 1;
    return LR_OK;
}

static enum lr_status lex_word(struct cmd_tokens *out, const char *text, size_t *i,
                               struct cmd_error *e)
{
    struct lr_strbuf word = {0};
    size_t begin = *i, k = *i;
    size_t n_plain = SIZE_MAX; /* no quote yet */
    enum lr_status st;

    lr_strbuf_add(&word, "", 0);
    while (text[k] && !is_blank(text[k]) && text[k] != ';' && !line_end(text + k) &&
           !operator_at(text + k)) {
        if (text[k] == '\'' || text[k] == '"') {
            if (n_plain == SIZE_MAX)
                n_plain = word.len;
            st = lex_quote(&word, text, &k, e);
            if (st) {
                *i = k;
                lr_strbuf_free(&word);
                return st;
            }
        } else if (text[k] == '\\') {
            if (continuation(text + k))
                break;
            *i = k + 1;
            lr_strbuf_free(&word);
            cmd_hint(e, "quote a name that holds blanks or a backslash: '...'");
            return cmd_fail_at(e, k, LR_EPARSE, "\\ is only known at the end of a line");
        } else {
            lr_strbuf_putc(&word, text[k++]);
        }
    }
    *i = k;
    if (!word.s && !word.is_failed)
        lr_strbuf_puts(&word, "");
    return push(out, CMD_WORD, n_plain == SIZE_MAX ? word.len : n_plain, &word, begin, k,
                e);
}

/* Where reading goes on after an error at i: behind the line, continuations included. */
static size_t skip_line(const char *text, size_t i)
{
    while (text[i]) {
        size_t n = continuation(text + i);
        if (n) {
            i += n;
            continue;
        }
        n = line_end(text + i);
        if (n)
            return i + n;
        i++;
    }
    return i;
}

enum lr_status cmd_lex(struct cmd_tokens *out, size_t *next, const char *text,
                       size_t from, struct cmd_error *e)
{
    size_t i = from;
    enum lr_status st = LR_OK;

    *out = (struct cmd_tokens){.begin = from, .end = from};
    for (;;) {
        size_t n = continuation(text + i);
        if (n) {
            i += n;
            continue;
        }
        n = line_end(text + i);
        if (n || text[i] == ';') {
            *next = i + (n ? n : 1);
            return LR_OK;
        }
        if (text[i] == '\0') {
            *next = i;
            return LR_OK;
        }
        if (is_blank(text[i])) {
            i++;
            continue;
        }
        if (text[i] == '#') {
            while (text[i] && !line_end(text + i))
                i++;
            continue;
        }
        if (out->n == 0)
            out->begin = i;
        n = operator_at(text + i);
        if (n) {
            struct lr_strbuf op = {0};
            lr_strbuf_add(&op, text + i, n);
            st = push(out, CMD_OP, n, &op, i, i + n, e);
            i += n;
        } else {
            st = lex_word(out, text, &i, e);
        }
        if (st) {
            *next = skip_line(text, i);
            cmd_tokens_free(out);
            return st;
        }
    }
}

bool cmd_line_continues(const char *text)
{
    char quote = 0;
    bool is_comment = false, is_start = true;

    for (size_t i = 0; text[i]; i++) {
        char c = text[i];
        if (line_end(text + i)) {
            quote = 0;
            is_comment = false;
            is_start = true;
        } else if (is_comment) {
            continue;
        } else if (quote) {
            if (c == '\\' && quote == '"' && text[i + 1])
                i++;
            else if (c == quote)
                quote = 0;
        } else if (c == '#' && is_start) {
            is_comment = true;
        } else if (c == '\'' || c == '"') {
            quote = c;
            is_start = false;
        } else if (c == '\\') {
            size_t n = continuation(text + i);
            if (n && text[i + n] == '\0')
                return true;
            is_start = n > 0;
            if (n)
                i += n - 1;
        } else {
            is_start = is_blank(c) || c == ';' || c == '>' || c == '<';
        }
    }
    return false;
}

void cmd_find_line(size_t *line, size_t *begin, const char *text, size_t place)
{
    *line = 0;
    *begin = 0;
    for (size_t i = 0; i < place && text[i]; i++)
        if (text[i] == '\n') {
            ++*line;
            *begin = i + 1;
        }
}
