/* The log of the panes: commands, what they said, and what libraries print. */
#ifndef RANKLAB_UI_LOG_H
#define RANKLAB_UI_LOG_H

#include "ui/canvas.h"

enum ui_log_kind {
    UI_LOG_TEXT,
    UI_LOG_COMMAND,
    UI_LOG_WARNING,
    UI_LOG_ERROR,
    UI_LOG_STRAY /* what a library printed */
};

struct ui_log_line {
    enum ui_log_kind kind;
    char *text; /* escaped */
};

struct ui_log {
    struct ui_log_line *lines;
    size_t n, cap;
    int back; /* rows scrolled up from the end */
    /* the lines that the last command made, if it was a key's */
    size_t first_of_key;
    bool has_key_lines;
};

void ui_log_free(struct ui_log *l);
/* Adds the lines of text. */
void ui_log_add(struct ui_log *l, enum ui_log_kind kind, const char *text, size_t n);
/* A key's command comes. Pressed again and again, what it says replaces what it said
 * before; the commands themselves all stay. */
void ui_log_key_begins(struct ui_log *l, bool is_same_kind);
void ui_log_draw(struct ui_log *l, struct ui_rect r, bool is_ascii);
void ui_log_scroll(struct ui_log *l, int rows, struct ui_rect r);

#endif
