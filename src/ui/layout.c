/* Where the panes stand. What there is no room for goes, the prompt last:
 *   100x30  table and detail side by side, the log below
 *    80x24  one of the two, the log below
 *    60x15  one pane at a time, no line of keys
 *    20x4   log, status and prompt
 *    less   the prompt */
#include "ui/panes.h"

#include <curses.h>

enum { MIN_LOG = 6 };

static int count_table_rows(const struct ui_panes *p)
{
    return p->now ? p->now->n_layers + 3 : 3; /* titles, total, network */
}

static void place_one(struct ui_panes *p, struct ui_rect body)
{
    struct ui_layout *l = &p->at;

    if ((p->tab == UI_TAB_LOG && p->is_detail) || p->is_reading) {
        l->log = body;
    } else if (p->is_detail) {
        l->detail = body;
    } else {
        l->table = body;
    }
}

static void place_two(struct ui_panes *p, struct ui_rect body)
{
    struct ui_layout *l = &p->at;
    int w = body.w * 57 / 100;

    if (w < 58)
        w = 58;
    if (w > 110)
        w = 110;
    l->split_x = body.x + w;
    l->table = body;
    l->table.w = w;
    l->detail = (struct ui_rect){body.y, l->split_x + 1, body.h, body.w - w - 1};
    l->tabs_x = l->detail.x;
    l->tabs_w = l->detail.w;
    l->tabs_y = body.y;
    l->detail.y++;
    l->detail.h--;
}

static void place_panes(struct ui_panes *p, struct ui_rect body, bool is_wide,
                        bool has_log)
{
    struct ui_layout *l = &p->at;

    if (p->is_zoomed && p->focus != UI_IN_PROMPT) {
        struct ui_rect *one = p->focus == UI_IN_LOG      ? &l->log
                              : p->focus == UI_IN_DETAIL ? &l->detail
                                                         : &l->table;
        if (p->focus == UI_IN_DETAIL) {
            l->tabs_y = body.y++;
            l->tabs_x = body.x;
            l->tabs_w = body.w;
            body.h--;
        }
        *one = body;
        return;
    }
    if (has_log)
        p->is_reading = false; /* it is seen anyway */
    if (has_log && !(p->tab == UI_TAB_LOG && (is_wide || p->is_detail))) {
        /* The table gets the rows it has, the log what is left. */
        int need = count_table_rows(p) + !is_wide, most = body.h - 1 - MIN_LOG;
        int least = body.h * (is_wide ? 55 : 50) / 100;
        int h = need < least ? least : need > most ? most : need;
        l->rule_y = body.y + h;
        l->log = (struct ui_rect){l->rule_y + 1, body.x, body.h - h - 1, body.w};
        body.h = h;
    }
    if (is_wide) {
        place_two(p, body);
        if (p->tab == UI_TAB_LOG)
            l->log = l->detail, l->detail = (struct ui_rect){0};
        return;
    }
    l->tabs_y = body.y++;
    l->tabs_x = body.x;
    l->tabs_w = body.w;
    body.h--;
    place_one(p, body);
}

void ui_layout(struct ui_panes *p)
{
    struct ui_layout *l = &p->at;
    int h = LINES, w = COLS;

    *l = (struct ui_layout){.tabs_y = -1, .rule_y = -1, .split_x = -1};
    l->prompt = (struct ui_rect){h - 1, 0, 1, w};
    if (h < 4 || w < 20)
        return;
    bool is_small = w < 60 || h < 15, is_middle = w < 80 || h < 24;
    bool is_wide = w >= 100 && h >= 30;
    int below = is_middle ? 2 : 3;
    if (!is_middle)
        l->keys = (struct ui_rect){h - 1, 0, 1, w};
    l->prompt = (struct ui_rect){h - below + 1, 0, 1, w};
    l->status = (struct ui_rect){h - below, 0, 1, w};
    struct ui_rect body = {0, 0, h - below, w};
    if (is_small) {
        l->log = body;
        return;
    }
    l->title = (struct ui_rect){0, 0, 1, w};
    body.y = 1;
    body.h--;
    p->is_reading = p->is_reading && p->focus == UI_IN_PROMPT;
    place_panes(p, body, is_wide, !is_middle);
}

bool ui_has_table(const struct ui_panes *p)
{
    return p->at.table.h > 0;
}

bool ui_has_detail(const struct ui_panes *p)
{
    return p->at.detail.h > 0;
}

bool ui_has_log(const struct ui_panes *p)
{
    return p->at.log.h > 0;
}
