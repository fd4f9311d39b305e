/* The prompt line of the panes: readline's editing, drawn by the panes. */
#ifndef RANKLAB_UI_EDIT_H
#define RANKLAB_UI_EDIT_H

#include "ui/canvas.h"

/* There is one such line. list shows the possible completions. False when the pipe for
 * readline's own output cannot be made. */
bool ui_edit_begin(void (*list)(void *ctx, const char *text, size_t n), void *ctx);
void ui_edit_end(void);
/* Reads what readline prints by itself; poll this descriptor. */
int ui_edit_fd(void);
void ui_edit_drain(void);

/* One complete key. */
void ui_edit_key(const char *bytes, size_t n);
/* Whether readline has something to do on these bytes. */
bool ui_edit_knows(const char *bytes, size_t n);
/* Text as one edit, undone at once. */
void ui_edit_insert(const char *text);
/* Replaces the line. */
void ui_edit_set(const char *text);
void ui_edit_clear(void);
bool ui_edit_is_vi(void);
/* In the middle of a search or a number for the next key. */
bool ui_edit_is_searching(void);
/* A complete command, with its continuation lines, to lr_free; NULL: none yet. */
char *ui_edit_take(void);
/* ^D on an empty line; true once. */
bool ui_edit_is_end(void);
void ui_edit_resize(int h, int w);
/* Draws the line and gives the column of its cursor. */
int ui_edit_draw(int y, int x, int w, bool is_ascii);

#endif
