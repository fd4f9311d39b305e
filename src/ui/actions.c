/* What keys do. A key of the user comes first, then those that move about, then those of
 * the command table. A key that is to change anything only types a command. */
#include "ui/panes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_LINE = 4000 };

/* ---- keys that type commands, beside those of the command table ---- */

static const struct {
    const char *keys, *command, *text;
} typing_keys[] = {
    {"Left - h", "rank @cursor @less", "lower the rank, see what follows"},
    {"Right + = l", "rank @cursor @more", "raise the rank"},
};

/* ---- keys that only move about ---- */

enum action {
    ACT_PROMPT,
    ACT_PANES,
    ACT_NEXT,
    ACT_BEFORE,
    ACT_UP,
    ACT_DOWN,
    ACT_PAGE_UP,
    ACT_PAGE_DOWN,
    ACT_HOME,
    ACT_END,
    ACT_COLUMNS_LEFT,
    ACT_COLUMNS_RIGHT,
    ACT_SORT_LEFT,
    ACT_SORT_RIGHT,
    ACT_SORT_INVERT,
    ACT_FIND,
    ACT_FIND_NEXT,
    ACT_FIND_BEFORE,
    ACT_MARK,
    ACT_UNMARK,
    ACT_TAB_1,
    ACT_TAB_2,
    ACT_TAB_3,
    ACT_TAB_4,
    ACT_TAB_5,
    ACT_ZOOM,
    ACT_HELP,
    ACT_REDRAW
};

enum { EVERYWHERE = 1, PANES = 2, TABLE = 4 };

static const struct {
    const char *keys;
    enum action action;
    int where;
    const char *text;
} moving_keys[] = {
    {"F1", ACT_HELP, EVERYWHERE, "all keys"},
    {"F6", ACT_PANES, EVERYWHERE, "from the prompt to the panes and back"},
    {"C-l", ACT_REDRAW, EVERYWHERE, "draw the screen anew"},
    {"Esc : i", ACT_PROMPT, PANES, "to the prompt"},
    {"Tab", ACT_NEXT, PANES, "next pane; S-Tab: the one before"},
    {"S-Tab", ACT_BEFORE, PANES, NULL},
    {"Up k", ACT_UP, PANES, "up; j or Down: down"},
    {"Down j", ACT_DOWN, PANES, NULL},
    {"PageUp", ACT_PAGE_UP, PANES, "a page up; PageDown: down"},
    {"PageDown", ACT_PAGE_DOWN, PANES, NULL},
    {"Home g", ACT_HOME, PANES, "to the beginning; End or G: to the end"},
    {"End G", ACT_END, PANES, NULL},
    {"1 2 3 4 5", ACT_TAB_1, PANES, "plot, spectrum, cost, error, log"},
    {"z", ACT_ZOOM, PANES, "the pane takes all the room, and gives it back"},
    {"?", ACT_HELP, PANES, "all keys"},
    {"Space", ACT_MARK, TABLE, "mark the layer: commands take the marked ones"},
    {"x", ACT_UNMARK, TABLE, "remove all marks"},
    {"/", ACT_FIND, TABLE, "find a layer; n next, N before"},
    {"n", ACT_FIND_NEXT, TABLE, NULL},
    {"N", ACT_FIND_BEFORE, TABLE, NULL},
    {"<", ACT_SORT_LEFT, TABLE, "sort by the column to the left; >: to the right"},
    {">", ACT_SORT_RIGHT, TABLE, NULL},
    {"I", ACT_SORT_INVERT, TABLE, "sort the other way round"},
    {"[ S-Left", ACT_COLUMNS_LEFT, TABLE, "columns to the left; ]: to the right"},
    {"] S-Right", ACT_COLUMNS_RIGHT, TABLE, NULL},
};
enum { N_MOVING = sizeof(moving_keys) / sizeof(moving_keys[0]) };

void ui_message(struct ui_panes *p, bool is_bad, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->message, sizeof(p->message), fmt, ap);
    va_end(ap);
    p->is_message_bad = is_bad;
    p->is_dirty = true;
}

/* ---- commands from keys ---- */

/* The next rank in one direction. Ranks that do not pay are passed over. */
static bool next_rank(char *buf, size_t size, const struct ui_panes *p, int direction)
{
    const struct ui_layer *l = ui_table_layer(p);
    int step = l && l->step > 1 ? l->step : 1, best = l ? l->break_even - 1 : 0, rank;
    char other[16] = "";

    if (!l || !l->is_approximable)
        return false;
    if (l->rank_spatial > 0 && l->state == LR_STATE_WHOLE) {
        /* Two ranks: where to begin is for the command to say. */
        snprintf(buf, size, direction < 0 ? "x=1.5" : "full");
        return true;
    }
    if (best < 1)
        return false;
    if (l->rank_spatial > 0)
        snprintf(other, sizeof(other), ",%d", l->rank_spatial);
    best = best >= step ? best / step * step : best;
    if (direction < 0)
        rank = l->rank > best ? best : (l->rank - 1) / step * step;
    else
        rank = (l->rank / step + 1) * step;
    if (direction < 0 && rank < 1)
        rank = l->rank < step ? l->rank : step;
    if (direction > 0 && rank > best)
        snprintf(buf, size, "full");
    else
        snprintf(buf, size, "%d%s", rank, other);
    return true;
}

/* The command with what the panes know filled in; false with a message. */
static bool fill_in(struct lr_strbuf *b, struct ui_panes *p, const char *command)
{
    const struct ui_layer *l = ui_table_layer(p);
    char rank[32];

    for (const char *s = command; *s;) {
        if (*s != '@') {
            lr_strbuf_putc(b, *s++);
            continue;
        }
        size_t n = 1 + strspn(s + 1, "abcdefghijklmnopqrstuvwxyz");
        bool is_here = n == 5 && strncmp(s, "@here", n) == 0;
        bool is_cursor = n == 7 && strncmp(s, "@cursor", n) == 0;
        bool is_less = n == 5 && strncmp(s, "@less", n) == 0;
        bool is_more = n == 5 && strncmp(s, "@more", n) == 0;
        bool is_method = n == 7 && strncmp(s, "@method", n) == 0;
        if ((is_here || is_cursor || is_less || is_more || is_method) && !l) {
            ui_message(p, true, "there is no layer: open MODEL loads a network");
            return false;
        }
        if (is_here) {
            ui_table_here(b, p);
        } else if (is_cursor) {
            cmd_quote(b, l->name);
        } else if (is_less || is_more) {
            if (!next_rank(rank, sizeof(rank), p, is_less ? -1 : 1)) {
                ui_message(p, true, "%s stays whole: %s", l->name,
                           l->reason ? l->reason : "no rank pays");
                return false;
            }
            lr_strbuf_puts(b, rank);
        } else if (is_method) {
            lr_strbuf_puts(b, l->next_method);
        } else {
            lr_strbuf_add(b, s, n);
        }
        s += n;
    }
    return b->s && !b->is_failed;
}

/* What a key's command asks for is shown where it can be seen. */
static void show_result(struct ui_panes *p, const char *line)
{
    if (strncmp(line, "plot ", 5) == 0) {
        p->tab = UI_TAB_PLOT;
        p->is_detail = true;
    }
}

static void type(struct ui_panes *p, const char *key, const char *command)
{
    struct lr_strbuf b = {0};
    size_t n = strlen(command);
    bool is_waiting = n >= 3 && strcmp(command + n - 3, "...") == 0;

    if (!fill_in(&b, p, command)) {
        lr_strbuf_free(&b);
        return;
    }
    if (is_waiting) {
        b.s[b.len - 3] = '\0';
        ui_edit_set(b.s);
        p->focus = UI_IN_PROMPT;
    } else if (p->work.is_busy && p->work.kind != UI_JOB_PLOT &&
               p->work.kind != UI_JOB_SPECTRA) {
        ui_message(p, true, "%.60s still runs: ^C stops it",
                   p->work.command[0] ? p->work.command : "the start");
    } else if (ui_worker_run(p->worker, UI_JOB_KEY, b.s, strcmp(key, p->last_key) == 0)) {
        snprintf(p->last_key, sizeof(p->last_key), "%s", key);
        show_result(p, b.s);
        ui_settle(p, 0.012);
    }
    lr_strbuf_free(&b);
}

/* The command that a key types, or NULL. */
static const char *command_of(const struct ui_panes *p, const char *key, char name[24])
{
    for (size_t i = 0; p->now && i < p->now->n_binds; i++)
        if (strcmp(p->now->binds[i].key, key) == 0)
            return p->now->binds[i].command;
    for (size_t i = 0; i < sizeof(typing_keys) / sizeof(typing_keys[0]); i++)
        if (cmd_key_is_in(key, typing_keys[i].keys))
            return typing_keys[i].command;
    for (size_t g = 0; g < cmd_n_groups; g++)
        for (size_t i = 0; i < cmd_groups[g]->n_rows; i++) {
            const struct cmd_row *row = &cmd_groups[g]->rows[i];
            if (!cmd_key_is_in(key, row->key))
                continue;
            snprintf(name, 24, "%s", cmd_name(row).s);
            return row->typed ? row->typed : name;
        }
    return NULL;
}

static bool is_bound(const struct ui_panes *p, const char *key)
{
    for (size_t i = 0; p->now && i < p->now->n_binds; i++)
        if (strcmp(p->now->binds[i].key, key) == 0)
            return true;
    return false;
}

void ui_run_typed(struct ui_panes *p, const char *line)
{
    if (line[strspn(line, " \t\n;")] == '\0')
        return;
    p->last_key[0] = '\0';
    p->is_reading = true;
    if (strlen(line) > (1 << 20) || !ui_worker_run(p->worker, UI_JOB_LINE, line, false)) {
        ui_message(p, true, "too many commands wait; ^C stops the work and forgets them");
        return;
    }
    ui_settle(p, 0.03);
}

/* ^C: stops the work, or clears the line. Work that does not answer is left by a third.
 */
void ui_interrupt(struct ui_panes *p)
{
    p->message[0] = '\0';
    p->is_dirty = true;
    if (p->is_finding || p->is_help) {
        p->is_finding = p->is_help = false;
        return;
    }
    if (p->work.is_stopping && ui_now() - p->stopped_at > 2) {
        if (++p->n_stops > 1) {
            p->status_signal = 2;
            p->is_over = true;
            return;
        }
        ui_message(p, true, "the work does not answer; ^C once more leaves the program");
        return;
    }
    if (ui_worker_stop(p->worker)) {
        if (!p->work.is_stopping) {
            p->stopped_at = ui_now();
            p->n_stops = 0;
        }
        return;
    }
    ui_edit_clear();
}

/* ---- focus ---- */

static bool is_shown(const struct ui_panes *p, enum ui_focus f)
{
    return f == UI_IN_PROMPT   ? true
           : f == UI_IN_TABLE  ? ui_has_table(p)
           : f == UI_IN_DETAIL ? ui_has_detail(p)
                               : ui_has_log(p);
}

/* Where one pane is shown at a time, going to a pane shows it. */
static void go_to(struct ui_panes *p, enum ui_focus f)
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
        go_to(p, ring[(at + step + 3) % 3]);
}

static void show_tab(struct ui_panes *p, int tab)
{
    p->tab = (enum ui_tab)tab;
    p->is_detail = true;
    p->detail_top = 0;
    ui_layout(p);
    if (p->tab == UI_TAB_LOG && (p->focus == UI_IN_DETAIL || !is_shown(p, p->focus)))
        go_to(p, UI_IN_LOG);
    else if (p->focus == UI_IN_LOG && p->tab != UI_TAB_LOG && ui_has_detail(p))
        go_to(p, UI_IN_DETAIL);
    else if (!is_shown(p, p->focus) && ui_has_detail(p))
        p->focus = UI_IN_DETAIL;
}

static void scroll(struct ui_panes *p, int rows)
{
    if (p->is_help)
        p->help_top += rows;
    else if (p->focus == UI_IN_LOG || p->focus == UI_IN_PROMPT)
        ui_log_scroll(&p->log, -rows, p->at.log);
    else
        ui_table_move(p, rows);
}

static int page(const struct ui_panes *p)
{
    int h = p->focus == UI_IN_LOG || p->focus == UI_IN_PROMPT ? p->at.log.h
                                                              : ui_table_rows(p);

    return h > 2 ? h - 1 : 1;
}

static void act(struct ui_panes *p, enum action a, const char *key)
{
    switch (a) {
    case ACT_PROMPT:
        p->focus = UI_IN_PROMPT;
        break;
    case ACT_PANES:
        if (p->focus == UI_IN_PROMPT)
            go_to(p, p->last_pane);
        else
            p->focus = UI_IN_PROMPT;
        break;
    case ACT_NEXT:
    case ACT_BEFORE:
        next_pane(p, a == ACT_NEXT ? 1 : -1);
        break;
    case ACT_UP:
    case ACT_DOWN:
        scroll(p, a == ACT_UP ? -1 : 1);
        break;
    case ACT_PAGE_UP:
    case ACT_PAGE_DOWN:
        scroll(p, a == ACT_PAGE_UP ? -page(p) : page(p));
        break;
    case ACT_HOME:
    case ACT_END:
        scroll(p, a == ACT_HOME ? -1000000 : 1000000);
        break;
    case ACT_COLUMNS_LEFT:
    case ACT_COLUMNS_RIGHT:
        ui_table_scroll(p, a == ACT_COLUMNS_LEFT ? -1 : 1);
        break;
    case ACT_SORT_LEFT:
    case ACT_SORT_RIGHT:
        ui_table_sort(p, a == ACT_SORT_LEFT ? -1 : 1);
        break;
    case ACT_SORT_INVERT:
        ui_table_sort(p, 0);
        break;
    case ACT_FIND:
        p->is_finding = true;
        p->table.found[0] = '\0';
        break;
    case ACT_FIND_NEXT:
    case ACT_FIND_BEFORE:
        if (!ui_table_find(p, a == ACT_FIND_NEXT ? 1 : -1, false))
            ui_message(p, true, "no layer has \"%s\" in its name", p->table.found);
        break;
    case ACT_MARK:
        if (ui_table_layer(p)) {
            p->table.marks[p->table.layer] = !p->table.marks[p->table.layer];
            ui_table_move(p, 1);
        }
        break;
    case ACT_UNMARK:
        if (p->table.n)
            memset(p->table.marks, 0, (size_t)p->table.n * sizeof(*p->table.marks));
        break;
    case ACT_TAB_1:
    case ACT_TAB_2:
    case ACT_TAB_3:
    case ACT_TAB_4:
    case ACT_TAB_5:
        show_tab(p, key[0] - '1');
        break;
    case ACT_ZOOM:
        p->is_zoomed = !p->is_zoomed;
        break;
    case ACT_HELP:
        p->is_help = !p->is_help;
        p->help_top = 0;
        break;
    case ACT_REDRAW:
        ui_terminal_redraw();
        break;
    }
}

/* The moving key, or -1. */
static int find_moving(const struct ui_panes *p, const char *key)
{
    int where = p->focus == UI_IN_PROMPT  ? EVERYWHERE
                : p->focus == UI_IN_TABLE ? EVERYWHERE | PANES | TABLE
                                          : EVERYWHERE | PANES;

    for (int i = 0; i < N_MOVING; i++)
        if ((moving_keys[i].where & where) && cmd_key_is_in(key, moving_keys[i].keys))
            return i;
    return -1;
}

/* ---- the help of keys ---- */

void ui_key_each(const struct ui_panes *p, const char *section,
                 void (*row)(void *ctx, const struct ui_key_help *h), void *ctx)
{
    if (strcmp(section, "bar") == 0) {
        /* The function keys in order, each with the first word of what it does. */
        for (int f = 1; f <= 12; f++) {
            char key[16], name[24], text[24];
            snprintf(key, sizeof(key), "F%d", f);
            const char *command = command_of(p, key, name);
            bool is_moving = f == 1 || f == 6;
            if (!command && !is_moving)
                continue;
            if (is_moving && !is_bound(p, key))
                snprintf(text, sizeof(text), "%s", f == 1 ? "help" : "panes");
            else
                snprintf(text, sizeof(text), "%.*s", (int)strcspn(command, " "), command);
            row(ctx, &(struct ui_key_help){key, text, ""});
        }
        return;
    }
    if (strcmp(section, "bind") == 0)
        for (size_t i = 0; p->now && i < p->now->n_binds; i++)
            row(ctx, &(struct ui_key_help){p->now->binds[i].key, "of your own",
                                           p->now->binds[i].command});
    if (strcmp(section, "command") == 0) {
        for (size_t i = 0; i < sizeof(typing_keys) / sizeof(typing_keys[0]); i++)
            row(ctx, &(struct ui_key_help){typing_keys[i].keys, typing_keys[i].text,
                                           typing_keys[i].command});
        for (size_t g = 0; g < cmd_n_groups; g++)
            for (size_t i = 0; i < cmd_groups[g]->n_rows; i++) {
                const struct cmd_row *r = &cmd_groups[g]->rows[i];
                struct cmd_name name = cmd_name(r);
                if (r->key && find_moving(p, r->key) < 0)
                    row(ctx, &(struct ui_key_help){r->key, r->summary,
                                                   r->typed ? r->typed : name.s});
            }
    }
    int where = strcmp(section, "everywhere") == 0 ? EVERYWHERE
                : strcmp(section, "panes") == 0    ? PANES
                : strcmp(section, "table") == 0    ? TABLE
                                                   : 0;
    for (int i = 0; i < N_MOVING; i++)
        if (moving_keys[i].where == where && moving_keys[i].text)
            row(ctx, &(struct ui_key_help){moving_keys[i].keys, moving_keys[i].text, ""});
}

/* ---- one key ---- */

static void finding_key(struct ui_panes *p, const struct ui_key *key)
{
    struct ui_table *t = &p->table;
    size_t n = strlen(t->found);

    if (strcmp(key->name, "Enter") == 0) {
        p->is_finding = false;
        if (n && !ui_table_find(p, 1, true))
            ui_message(p, true, "no layer has \"%s\" in its name", t->found);
        return;
    }
    if (strcmp(key->name, "Esc") == 0) {
        p->is_finding = false;
        return;
    }
    if (strcmp(key->name, "Backspace") == 0) {
        while (n && ((unsigned char)t->found[--n] & 0xC0) == 0x80)
            ;
        t->found[n] = '\0';
    } else if (key->kind == UI_KEY_CHAR && key->name[0] != '\0' && key->name[1] != '-' &&
               n + key->n < sizeof(t->found)) {
        memcpy(t->found + n, key->bytes, key->n);
        t->found[n + key->n] = '\0';
    }
    /* The cursor follows what is typed. */
    ui_table_find(p, 1, true);
}

static bool is_inside(struct ui_rect r, const struct ui_key *key)
{
    return r.h > 0 && key->y >= r.y && key->y < r.y + r.h && key->x >= r.x &&
           key->x < r.x + r.w;
}

static void mouse_key(struct ui_panes *p, const struct ui_key *key)
{
    char name[16], command[24];

    if (key->button == UI_WHEEL_UP || key->button == UI_WHEEL_DOWN) {
        int rows = key->button == UI_WHEEL_UP ? -3 : 3;
        if (is_inside(p->at.log, key))
            ui_log_scroll(&p->log, -rows, p->at.log);
        else if (is_inside(p->at.table, key))
            ui_table_move(p, rows);
        return;
    }
    if (key->button != 0)
        return;
    if (key->y == p->at.tabs_y && key->x >= p->at.tabs_x) {
        int x = p->at.tabs_x + (p->at.split_x < 0 ? 7 : 0);
        if (key->x < x) {
            go_to(p, UI_IN_TABLE);
            return;
        }
        for (int i = 0; i < UI_N_TABS; i++) {
            bool is_open =
                (enum ui_tab)i == p->tab && (p->at.split_x >= 0 || p->is_detail);
            x += (int)strlen(ui_tab_names[i]) + 3 + is_open;
            if (key->x < x) {
                show_tab(p, i);
                return;
            }
        }
    } else if (is_inside(p->at.table, key)) {
        go_to(p, UI_IN_TABLE);
        ui_table_click(p, key->y, key->x);
    } else if (is_inside(p->at.detail, key)) {
        go_to(p, UI_IN_DETAIL);
    } else if (is_inside(p->at.log, key)) {
        go_to(p, UI_IN_LOG);
    } else if (is_inside(p->at.prompt, key)) {
        p->focus = UI_IN_PROMPT;
    } else if (is_inside(p->at.keys, key) && ui_keys_at(name, p, key->x)) {
        int i = find_moving(p, name);
        if (i >= 0)
            act(p, moving_keys[i].action, name);
        else if (command_of(p, name, command))
            type(p, name, command_of(p, name, command));
    }
}

static void prompt_key(struct ui_panes *p, const struct ui_key *key)
{
    bool is_escape = strcmp(key->name, "Esc") == 0;

    if (is_escape && ui_edit_is_searching()) {
        ui_edit_key("\n", 1); /* keeps what was found */
        return;
    }
    if (is_escape && !ui_edit_is_vi()) {
        go_to(p, p->last_pane);
        return;
    }
    if (strcmp(key->name, "PageUp") == 0 || strcmp(key->name, "PageDown") == 0) {
        scroll(p, strcmp(key->name, "PageUp") == 0 ? -page(p) : page(p));
        return;
    }
    /* Sequences that nobody bound would be typed as text. */
    bool is_sequence = key->n > 1 && key->bytes[0] == '\033';
    if (key->n && (!is_sequence || ui_edit_knows(key->bytes, key->n)))
        ui_edit_key(key->bytes, key->n);
}

static void pane_key(struct ui_panes *p, const struct ui_key *key)
{
    char name[24];
    int i = is_bound(p, key->name) ? -1 : find_moving(p, key->name);

    if (i >= 0) {
        act(p, moving_keys[i].action, key->name);
        return;
    }
    const char *command = key->name[0] ? command_of(p, key->name, name) : NULL;
    if (command)
        type(p, key->name, command);
    else if (strcmp(key->name, "q") == 0)
        p->focus = UI_IN_PROMPT;
}

void ui_handle_key(struct ui_panes *p, const struct ui_key *key)
{
    bool is_function = key->kind == UI_KEY_NAMED && key->name[0] == 'F' && key->name[1];

    p->is_dirty = true;
    p->message[0] = '\0';
    if (key->kind == UI_KEY_PASTE) {
        if (p->decoder.paste.s && p->decoder.paste.len && !p->is_finding) {
            p->is_help = false;
            p->focus = UI_IN_PROMPT;
            ui_edit_insert(p->decoder.paste.s);
        }
        return;
    }
    if (key->kind == UI_KEY_UNKNOWN && (p->focus != UI_IN_PROMPT || !key->n))
        return;
    if (strcmp(key->name, "C-c") == 0) {
        ui_interrupt(p);
        return;
    }
    if (p->is_help && key->kind != UI_KEY_MOUSE) {
        int i = find_moving(p, key->name);
        enum action a = i >= 0 ? moving_keys[i].action : ACT_HELP;
        if (strcmp(key->name, "Up") == 0 || strcmp(key->name, "Down") == 0)
            p->help_top += key->name[0] == 'U' ? -1 : 1;
        else if (strncmp(key->name, "Page", 4) == 0)
            p->help_top += key->name[4] == 'U' ? -10 : 10;
        else if (a >= ACT_UP && a <= ACT_END)
            act(p, a, key->name);
        else
            p->is_help = false;
        return;
    }
    if (p->is_finding && key->kind != UI_KEY_MOUSE)
        finding_key(p, key);
    else if (key->kind == UI_KEY_MOUSE)
        mouse_key(p, key);
    else if (p->focus == UI_IN_PROMPT && !is_function && find_moving(p, key->name) < 0 &&
             !(is_bound(p, key->name) && key->kind == UI_KEY_NAMED &&
               key->name[1] == '-'))
        prompt_key(p, key);
    else
        pane_key(p, key);
}
