/* Keys that only move about: from pane to pane, inside one, and what they do. */
#include "ui/actions.h"

#include <string.h>

const struct ui_moving ui_moving_keys[] = {
    {"F1", UI_ACT_HELP, UI_EVERYWHERE, "all keys"},
    {"F6", UI_ACT_PANES, UI_EVERYWHERE, "from the prompt to the panes and back"},
    {"C-l", UI_ACT_REDRAW, UI_EVERYWHERE, "draw the screen anew"},
    {"Esc : i", UI_ACT_PROMPT, UI_IN_PANES, "to the prompt"},
    {"Tab", UI_ACT_NEXT, UI_IN_PANES, "next pane; S-Tab: the one before"},
    {"S-Tab", UI_ACT_BEFORE, UI_IN_PANES, NULL},
    {"Up k", UI_ACT_UP, UI_IN_PANES, "up; j or Down: down"},
    {"Down j", UI_ACT_DOWN, UI_IN_PANES, NULL},
    {"PageUp", UI_ACT_PAGE_UP, UI_IN_PANES, "a page up; PageDown: down"},
    {"PageDown", UI_ACT_PAGE_DOWN, UI_IN_PANES, NULL},
    {"Home g", UI_ACT_HOME, UI_IN_PANES, "to the beginning; End or G: to the end"},
    {"End G", UI_ACT_END, UI_IN_PANES, NULL},
    {"1 2 3 4 5", UI_ACT_TAB_1, UI_IN_PANES, "plot, spectrum, cost, error, log"},
    {"z", UI_ACT_ZOOM, UI_IN_PANES, "the pane takes all the room, and gives it back"},
    {"?", UI_ACT_HELP, UI_IN_PANES, "all keys"},
    {"Space", UI_ACT_MARK, UI_IN_ROWS, "mark the layer: commands take the marked ones"},
    {"x", UI_ACT_UNMARK, UI_IN_ROWS, "remove all marks"},
    {"/", UI_ACT_FIND, UI_IN_ROWS, "find a layer; n next, N before"},
    {"n", UI_ACT_FIND_NEXT, UI_IN_ROWS, NULL},
    {"N", UI_ACT_FIND_BEFORE, UI_IN_ROWS, NULL},
    {"<", UI_ACT_SORT_LEFT, UI_IN_ROWS,
     "sort by the column to the left; >: to the right"},
    {">", UI_ACT_SORT_RIGHT, UI_IN_ROWS, NULL},
    {"I", UI_ACT_SORT_INVERT, UI_IN_ROWS, "sort the other way round"},
    {"[ S-Left", UI_ACT_COLUMNS_LEFT, UI_IN_ROWS, "columns to the left; ]: to the right"},
    {"] S-Right", UI_ACT_COLUMNS_RIGHT, UI_IN_ROWS, NULL},
};
const int ui_n_moving = (int)(sizeof(ui_moving_keys) / sizeof(ui_moving_keys[0]));

/* ---- focus ---- */

static bool is_shown(const struct ui_panes *p, enum ui_focus f)
{
    return f == UI_IN_PROMPT   ? true
           : f == UI_IN_TABLE  ? ui_has_table(p)
           : f == UI_IN_DETAIL ? ui_has_detail(p)
                               : ui_has_log(p);
}

void ui_go_to(struct ui_panes *p, enum ui_focus f)
{
    p->focus = f;
    if (f == UI_IN_TABLE)
        p->is_detail = false;
    if (f == UI_IN_DETAIL) {
        p->is_detail = true;
        if (p->tab == UI_TAB_LOG)
            p->tab = UI_TAB_PLOT;
    }
    if (f != UI_IN_PROMPT)
        p->last_pane = f;
    ui_layout(p);
    /* What this screen has no room for. */
    if (!is_shown(p, f) && f == UI_IN_LOG && p->at.split_x < 0 && p->at.tabs_y >= 0) {
        p->is_detail = true;
        p->tab = UI_TAB_LOG;
        ui_layout(p);
    }
    if (!is_shown(p, p->focus))
        p->focus = ui_has_log(p) ? UI_IN_LOG : UI_IN_PROMPT;
}

static void next_pane(struct ui_panes *p, int step)
{
    static const enum ui_focus ring[] = {UI_IN_TABLE, UI_IN_DETAIL, UI_IN_LOG};
    int at = p->focus == UI_IN_TABLE ? 0 : p->focus == UI_IN_DETAIL ? 1 : 2;

    if (p->at.tabs_y >= 0 || p->at.table.h || p->at.detail.h)
        ui_go_to(p, ring[(at + step + 3) % 3]);
}

void ui_show_tab(struct ui_panes *p, int tab)
{
    p->tab = (enum ui_tab)tab;
    p->is_detail = true;
    p->detail_top = 0;
    ui_layout(p);
    if (p->tab == UI_TAB_LOG && (p->focus == UI_IN_DETAIL || !is_shown(p, p->focus)))
        ui_go_to(p, UI_IN_LOG);
    else if (p->focus == UI_IN_LOG && p->tab != UI_TAB_LOG && ui_has_detail(p))
        ui_go_to(p, UI_IN_DETAIL);
    else if (!is_shown(p, p->focus) && ui_has_detail(p))
        p->focus = UI_IN_DETAIL;
}

void ui_scroll(struct ui_panes *p, int rows)
{
    if (p->is_help)
        p->help_top += rows;
    else if (p->focus == UI_IN_LOG || p->focus == UI_IN_PROMPT)
        ui_log_scroll(&p->log, -rows, p->at.log);
    else
        ui_table_move(p, rows);
}

int ui_page(const struct ui_panes *p)
{
    int h = p->focus == UI_IN_LOG || p->focus == UI_IN_PROMPT ? p->at.log.h
                                                              : ui_table_rows(p);

    return h > 2 ? h - 1 : 1;
}

void ui_act(struct ui_panes *p, enum ui_move a, const char *key)
{
    switch (a) {
    case UI_ACT_PROMPT:
        p->focus = UI_IN_PROMPT;
        break;
    case UI_ACT_PANES:
        if (p->focus == UI_IN_PROMPT)
            ui_go_to(p, p->last_pane);
        else
            p->focus = UI_IN_PROMPT;
        break;
    case UI_ACT_NEXT:
    case UI_ACT_BEFORE:
        next_pane(p, a == UI_ACT_NEXT ? 1 : -1);
        break;
    case UI_ACT_UP:
    case UI_ACT_DOWN:
        ui_scroll(p, a == UI_ACT_UP ? -1 : 1);
        break;
    case UI_ACT_PAGE_UP:
    case UI_ACT_PAGE_DOWN:
        ui_scroll(p, a == UI_ACT_PAGE_UP ? -ui_page(p) : ui_page(p));
        break;
    case UI_ACT_HOME:
    case UI_ACT_END:
        ui_scroll(p, a == UI_ACT_HOME ? -1000000 : 1000000);
        break;
    case UI_ACT_COLUMNS_LEFT:
    case UI_ACT_COLUMNS_RIGHT:
        ui_table_scroll(p, a == UI_ACT_COLUMNS_LEFT ? -1 : 1);
        break;
    case UI_ACT_SORT_LEFT:
    case UI_ACT_SORT_RIGHT:
        ui_table_sort(p, a == UI_ACT_SORT_LEFT ? -1 : 1);
        break;
    case UI_ACT_SORT_INVERT:
        ui_table_sort(p, 0);
        break;
    case UI_ACT_FIND:
        p->is_finding = true;
        p->table.found[0] = '\0';
        break;
    case UI_ACT_FIND_NEXT:
    case UI_ACT_FIND_BEFORE:
        if (!ui_table_find(p, a == UI_ACT_FIND_NEXT ? 1 : -1, false))
            ui_message(p, true, "no layer has \"%s\" in its name", p->table.found);
        break;
    case UI_ACT_MARK:
        if (ui_table_layer(p)) {
            p->table.marks[p->table.layer] = !p->table.marks[p->table.layer];
            ui_table_move(p, 1);
        }
        break;
    case UI_ACT_UNMARK:
        if (p->table.n)
            memset(p->table.marks, 0, (size_t)p->table.n * sizeof(*p->table.marks));
        break;
    case UI_ACT_TAB_1:
    case UI_ACT_TAB_2:
    case UI_ACT_TAB_3:
    case UI_ACT_TAB_4:
    case UI_ACT_TAB_5:
        ui_show_tab(p, key[0] - '1');
        break;
    case UI_ACT_ZOOM:
        p->is_zoomed = !p->is_zoomed;
        break;
    case UI_ACT_HELP:
        p->is_help = !p->is_help;
        p->help_top = 0;
        break;
    case UI_ACT_REDRAW:
        ui_terminal_redraw();
        break;
    }
}

int ui_find_moving(const struct ui_panes *p, const char *key)
{
    int where = p->focus == UI_IN_PROMPT  ? UI_EVERYWHERE
                : p->focus == UI_IN_TABLE ? UI_EVERYWHERE | UI_IN_PANES | UI_IN_ROWS
                                          : UI_EVERYWHERE | UI_IN_PANES;

    for (int i = 0; i < ui_n_moving; i++)
        if ((ui_moving_keys[i].where & where) &&
            cmd_key_is_in(key, ui_moving_keys[i].keys))
            return i;
    return -1;
}
