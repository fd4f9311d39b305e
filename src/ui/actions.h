/* Shared by the files that say what keys do: typed.c has those that type commands,
 * moves.c those that only move about, actions.c takes a key to the one or the other. */
#ifndef RANKLAB_UI_ACTIONS_H
#define RANKLAB_UI_ACTIONS_H

#include "ui/panes.h"

/* ---- typed.c ---- */

/* Beside the keys of the command table. */
extern const struct ui_key_help ui_typing_keys[];
extern const size_t ui_n_typing;

/* The command that a key types, or NULL. */
const char *ui_key_command(const struct ui_panes *p, const char *key, char name[24]);
/* Whether the user bound it. */
bool ui_key_is_bound(const struct ui_panes *p, const char *key);
/* Runs a key's command with what the panes know filled in, or leaves it in the prompt. */
void ui_type(struct ui_panes *p, const char *key, const char *command);

/* ---- moves.c ---- */

enum ui_move {
    UI_ACT_PROMPT,
    UI_ACT_PANES,
    UI_ACT_NEXT,
    UI_ACT_BEFORE,
    UI_ACT_UP,
    UI_ACT_DOWN,
    UI_ACT_PAGE_UP,
    UI_ACT_PAGE_DOWN,
    UI_ACT_HOME,
    UI_ACT_END,
    UI_ACT_COLUMNS_LEFT,
    UI_ACT_COLUMNS_RIGHT,
    UI_ACT_SORT_LEFT,
    UI_ACT_SORT_RIGHT,
    UI_ACT_SORT_INVERT,
    UI_ACT_FIND,
    UI_ACT_FIND_NEXT,
    UI_ACT_FIND_BEFORE,
    UI_ACT_MARK,
    UI_ACT_UNMARK,
    UI_ACT_TAB_1,
    UI_ACT_TAB_2,
    UI_ACT_TAB_3,
    UI_ACT_TAB_4,
    UI_ACT_TAB_5,
    UI_ACT_ZOOM,
    UI_ACT_HELP,
    UI_ACT_REDRAW
};

/* Where a moving key is one. */
enum { UI_EVERYWHERE = 1, UI_IN_PANES = 2, UI_IN_ROWS = 4 };

struct ui_moving {
    const char *keys;
    enum ui_move action;
    int where;
    const char *text;
};
extern const struct ui_moving ui_moving_keys[];
extern const int ui_n_moving;

/* The moving key, or -1. */
int ui_find_moving(const struct ui_panes *p, const char *key);
void ui_act(struct ui_panes *p, enum ui_move a, const char *key);
/* Where one pane is shown at a time, going to a pane shows it. */
void ui_go_to(struct ui_panes *p, enum ui_focus f);
void ui_show_tab(struct ui_panes *p, int tab);
void ui_scroll(struct ui_panes *p, int rows);
/* Rows of a page of the pane with the focus. */
int ui_page(const struct ui_panes *p);

#endif
