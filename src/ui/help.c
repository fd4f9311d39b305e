/* The list of all keys, made from the tables that the keys are looked up in. */
#include "ui/panes.h"

#include <string.h>

#include <curses.h>

enum { COMMAND_COLUMN = 66 };

struct list {
    struct ui_panes *p;
    int row, top, h, w;
};

static void put_row(struct list *l, enum ui_style style, const char *keys,
                    const char *text, const char *command)
{
    int y = l->row++ - l->top;

    if (y < 0 || y >= l->h)
        return;
    if (!text) {
        ui_put(y + 1, 1, l->w - 2, style, keys, l->p->is_ascii);
        return;
    }
    ui_put(y + 1, 3, 14, UI_HEAD, keys, l->p->is_ascii);
    bool has_command = *command && l->w > COMMAND_COLUMN + 12;
    int room = (has_command ? COMMAND_COLUMN - 1 : l->w - 1) - 18;
    ui_put(y + 1, 18, room, UI_NORMAL, text, l->p->is_ascii);
    if (has_command)
        ui_put(y + 1, COMMAND_COLUMN, l->w - COMMAND_COLUMN - 1, UI_DIM, command,
               l->p->is_ascii);
}

static void add(void *ctx, const struct ui_key_help *h)
{
    put_row(ctx, UI_NORMAL, h->keys, h->text, h->command);
}

static void add_section(struct list *l, const char *title, const char *section)
{
    int before = l->row;

    put_row(l, UI_TITLE, title, NULL, "");
    ui_key_each(l->p, section, add, l);
    if (l->row == before + 1 && before - l->top >= 0 && before - l->top < l->h)
        ui_fill(before - l->top + 1, 0, l->w, UI_NORMAL, ' ');
    if (l->row == before + 1)
        l->row = before;
    else
        put_row(l, UI_NORMAL, "", NULL, "");
}

static void add_all(struct list *l)
{
    put_row(l, UI_NORMAL,
            "~ predicted   = measured   () measured before a change of the plan", NULL,
            "");
    put_row(l, UI_NORMAL, "? chosen, not solved   = solved   ! stale   * marked", NULL,
            "");
    put_row(l, UI_NORMAL, "", NULL, "");
    add_section(l, "Your keys", "bind");
    add_section(l, "Everywhere", "everywhere");
    add_section(l, "In the panes", "panes");
    add_section(l, "In the table of layers", "table");
    add_section(l, "Keys that type a command", "command");
    put_row(l, UI_NORMAL, "In plots and logs as well: help COMMAND explains a command.",
            NULL, "");
}

void ui_help_draw(struct ui_panes *p)
{
    struct list l = {.p = p, .h = LINES - 2, .w = COLS, .top = 1 << 20};

    erase();
    add_all(&l); /* counts */
    int most = l.row - l.h;
    if (p->help_top > most)
        p->help_top = most;
    if (p->help_top < 0)
        p->help_top = 0;
    l.row = 0;
    l.top = p->help_top;
    ui_fill(0, 0, COLS, UI_TITLE, ' ');
    ui_put(0, 0, COLS, UI_TITLE,
           " keys     up down PageUp PageDown scroll, any other key leaves", p->is_ascii);
    add_all(&l);
}
