/* The log keeps the last lines and wraps them to its width when it is drawn, so that
 * nothing is lost on a narrow screen. */
#include "ui/log.h"

#include <string.h>

#include "ranklab/text.h"

enum { MAX_LINES = 4000, MAX_LENGTH = 4000 };

void ui_log_free(struct ui_log *l)
{
    for (size_t i = 0; i < l->n; i++)
        lr_free(l->lines[i].text);
    lr_free(l->lines);
    *l = (struct ui_log){0};
}

static void forget_oldest(struct ui_log *l)
{
    size_t half = MAX_LINES / 2;

    for (size_t i = 0; i < half; i++)
        lr_free(l->lines[i].text);
    memmove(l->lines, l->lines + half, (l->n - half) * sizeof(*l->lines));
    l->n -= half;
    l->has_key_lines = l->has_key_lines && l->first_of_key >= half;
    l->first_of_key -= l->has_key_lines ? half : 0;
}

static void add_line(struct ui_log *l, enum ui_log_kind kind, const char *s, size_t n)
{
    struct lr_strbuf b = {0};
    char *raw = lr_strndup(s, n < MAX_LENGTH ? n : MAX_LENGTH);
    char *to = raw;

    if (!raw)
        return;
    /* Tabs and what overwrites a line on a terminal. */
    for (char *p = raw; *p; p++)
        if (*p != '\r' && *p != '\a' && *p != '\f')
            *to++ = *p == '\t' ? ' ' : *p;
    *to = '\0';
    lr_text_escape(&b, raw);
    lr_free(raw);
    if (l->n == MAX_LINES)
        forget_oldest(l);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        struct ui_log_line *lines = lr_realloc(l->lines, l->n, cap, sizeof(*lines));
        if (!lines) {
            lr_strbuf_free(&b);
            return;
        }
        l->lines = lines;
        l->cap = cap;
    }
    char *text = lr_strbuf_take(&b);
    if (text)
        l->lines[l->n++] = (struct ui_log_line){kind, text};
}

void ui_log_add(struct ui_log *l, enum ui_log_kind kind, const char *text, size_t n)
{
    size_t at = 0;

    l->back = 0;
    while (at < n) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t len = end ? (size_t)(end - text) - at : n - at;
        add_line(l, kind, text + at, len);
        at += len + 1;
        /* The quoted line and the caret below an error are plain. */
        if (kind == UI_LOG_ERROR)
            kind = UI_LOG_TEXT;
    }
}

void ui_log_key_begins(struct ui_log *l, bool is_same_kind)
{
    if (is_same_kind && l->has_key_lines) {
        while (l->n > l->first_of_key)
            lr_free(l->lines[--l->n].text);
    }
    l->has_key_lines = true;
    l->first_of_key = l->n + 1; /* behind the line with the command, which stays */
}

/* ---- wrapping ---- */

/* Bytes of the next row of s, broken at a blank where there is one. */
static size_t row_length(const char *s, int width)
{
    size_t n = ui_fit(NULL, s, width > 0 ? width : 1);

    if (!s[n])
        return n;
    if (n == 0) {
        unsigned cp = 0;
        int len = lr_utf8_decode(s, strnlen(s, 4), &cp);
        return len > 0 ? (size_t)len : 1;
    }
    for (size_t i = n; i > n / 2; i--)
        if (s[i] == ' ')
            return i;
    return n;
}

static int rows_of(const char *s, int width)
{
    int rows = 0;

    do {
        size_t n = row_length(s, width);
        s += n;
        while (*s == ' ')
            s++;
        rows++;
    } while (*s);
    return rows;
}

/* Rows that the whole log takes at this width. */
static int count_rows(const struct ui_log *l, int width)
{
    int rows = 0;

    for (size_t i = 0; i < l->n; i++)
        rows += rows_of(l->lines[i].text, width);
    return rows;
}

static enum ui_style style_of(enum ui_log_kind kind)
{
    static const enum ui_style styles[] = {UI_NORMAL, UI_HEAD, UI_WARN, UI_BAD, UI_DIM};

    return styles[kind];
}

static void draw_line(const struct ui_log_line *line, int y, struct ui_rect r,
                      bool is_ascii)
{
    const char *s = line->text;

    do {
        size_t n = row_length(s, r.w);
        char *row = lr_strndup(s, n);
        if (row && y >= r.y && y < r.y + r.h)
            ui_put(y, r.x, r.w, style_of(line->kind), row, is_ascii);
        lr_free(row);
        s += n;
        while (*s == ' ')
            s++;
        y++;
    } while (*s);
}

void ui_log_draw(struct ui_log *l, struct ui_rect r, bool is_ascii)
{
    int rows = l->n < (size_t)r.h ? count_rows(l, r.w) : r.h;
    int y = r.y + (rows < r.h ? rows : r.h + l->back);

    /* A log that does not fill its pane begins at the top. */
    for (size_t i = l->n; i > 0 && y > r.y; i--) {
        y -= rows_of(l->lines[i - 1].text, r.w);
        if (y < r.y + r.h)
            draw_line(&l->lines[i - 1], y, r, is_ascii);
    }
}

void ui_log_scroll(struct ui_log *l, int rows, struct ui_rect r)
{
    int most = count_rows(l, r.w) - r.h;

    l->back += rows;
    if (l->back > most)
        l->back = most;
    if (l->back < 0)
        l->back = 0;
}
