/* Text and styles on the ncurses screen, always cut to the screen. */
#ifndef RANKLAB_UI_CANVAS_H
#define RANKLAB_UI_CANVAS_H

#include <stdbool.h>

#include "cmd/context.h"

enum ui_style {
    UI_NORMAL,
    UI_TITLE,    /* the top line, titles of panes with the focus */
    UI_HEAD,     /* column titles, titles of other panes */
    UI_DIM,      /* frames, hints */
    UI_CURSOR,   /* the row under the cursor, with the focus */
    UI_MARK,     /* marked rows, a found word */
    UI_MEASURED, /* numbers that were measured */
    UI_GOOD,
    UI_WARN,
    UI_BAD,
    UI_BAR,
    UI_KEY, /* names of keys */
    UI_N_STYLES
};

struct ui_rect {
    int y, x, h, w;
};

/* How many colours the screen may use: 0, 8, 16 or 256. */
int ui_colors(enum cmd_color wanted);
void ui_styles_set(int n_colors);

/* Text from (y, x) on, at most w columns; returns the columns used. text is UTF-8;
 * is_ascii puts ? for everything else. */
int ui_put(int y, int x, int w, enum ui_style style, const char *text, bool is_ascii);
int ui_putf(int y, int x, int w, enum ui_style style, bool is_ascii, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
/* n times the same ASCII character. */
void ui_fill(int y, int x, int n, enum ui_style style, char c);
/* A horizontal line; a box's characters unless is_ascii. */
void ui_rule(int y, int x, int n, bool is_ascii);
/* A bar of w cells, share (0..1) of it filled: blocks of eighths, or # and dots. */
void ui_bar(int y, int x, int w, double share, bool is_ascii);
/* Gives the cells of a row another style; they keep their text. */
void ui_restyle(int y, int x, int n, enum ui_style style);
/* Bytes of text that fit into w columns, and the columns they take. */
size_t ui_fit(int *columns, const char *text, int w);
/* The screen as UTF-8 lines without spaces at their ends. */
void ui_screen_text(struct lr_strbuf *b);

#endif
