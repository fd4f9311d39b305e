/* What keys do. A key of the user comes first, then those that move about, then those of
 * the command table. A key that is to change anything only types a command. */
#include "ui/actions.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ui_message(struct ui_panes *p, bool is_bad, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->message, sizeof(p->message), fmt, ap);
    va_end(ap);
    p->is_message_bad = is_bad;
    p->is_dirty = true;
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

/* ---- the help of keys ---- */

void ui_key_each(const struct ui_panes *p, const char *section,
                 void (*row)(void *ctx, const struct ui_key_help *h), void *ctx)
{
    if (strcmp(section, "bar") == 0) {
        /* The function keys in order, each with the first word of what it does. */
        for (int f = 1; f <= 12; f++) {
            char key[16], name[24], text[24];
            snprintf(key, sizeof(key), "F%d", f);
            const char *command = ui_key_command(p, key, name);
            bool is_moving = f == 1 || f == 6;
            if (!command && !is_moving)
                continue;
            if (is_moving && !ui_key_is_bound(p, key))
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
        for (size_t i = 0; i < ui_n_typing; i++)
            row(ctx, &(struct ui_key_help){ui_typing_keys[i].keys, ui_typing_keys[i].text,
                                           ui_typing_keys[i].command});
        for (size_t g = 0; g < cmd_n_groups; g++)
            for (size_t i = 0; i < cmd_groups[g]->n_rows; i++) {
                const struct cmd_row *r = &cmd_groups[g]->rows[i];
                struct cmd_name name = cmd_name(r);
                if (r->key && ui_find_moving(p, r->key) < 0)
                    row(ctx, &(struct ui_key_help){r->key, r->summary,
                                                   r->typed ? r->typed : name.s});
            }
    }
    int where = strcmp(section, "everywhere") == 0 ? UI_EVERYWHERE
                : strcmp(section, "panes") == 0    ? UI_IN_PANES
                : strcmp(section, "table") == 0    ? UI_IN_ROWS
                                                   : 0;
    for (int i = 0; i < ui_n_moving; i++)
        if (ui_moving_keys[i].where == where && ui_moving_keys[i].text)
            row(ctx, &(struct ui_key_help){ui_moving_keys[i].keys, ui_moving_keys[i].text,
                                           ""});
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
    int tab;

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
    if (ui_tab_at(&tab, p, key->y, key->x)) {
        p->is_reading = false; /* another pane was asked for */
        if (tab < 0)
            ui_go_to(p, UI_IN_TABLE);
        else
            ui_show_tab(p, tab);
    } else if (is_inside(p->at.table, key)) {
        ui_go_to(p, UI_IN_TABLE);
        ui_table_click(p, key->y, key->x);
    } else if (is_inside(p->at.detail, key)) {
        ui_go_to(p, UI_IN_DETAIL);
    } else if (is_inside(p->at.log, key)) {
        ui_go_to(p, UI_IN_LOG);
    } else if (is_inside(p->at.prompt, key)) {
        p->focus = UI_IN_PROMPT;
    } else if (is_inside(p->at.keys, key) && ui_keys_at(name, p, key->x)) {
        int i = ui_find_moving(p, name);
        if (i >= 0)
            ui_act(p, ui_moving_keys[i].action, name);
        else if (ui_key_command(p, name, command))
            ui_type(p, name, ui_key_command(p, name, command));
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
        ui_go_to(p, p->last_pane);
        return;
    }
    if (strcmp(key->name, "PageUp") == 0 || strcmp(key->name, "PageDown") == 0) {
        ui_scroll(p, strcmp(key->name, "PageUp") == 0 ? -ui_page(p) : ui_page(p));
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
    int i = ui_key_is_bound(p, key->name) ? -1 : ui_find_moving(p, key->name);

    if (i >= 0) {
        ui_act(p, ui_moving_keys[i].action, key->name);
        return;
    }
    const char *command = key->name[0] ? ui_key_command(p, key->name, name) : NULL;
    if (command)
        ui_type(p, key->name, command);
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
        int i = ui_find_moving(p, key->name);
        enum ui_move a = i >= 0 ? ui_moving_keys[i].action : UI_ACT_HELP;
        if (strcmp(key->name, "Up") == 0 || strcmp(key->name, "Down") == 0)
            p->help_top += key->name[0] == 'U' ? -1 : 1;
        else if (strncmp(key->name, "Page", 4) == 0)
            p->help_top += key->name[4] == 'U' ? -10 : 10;
        else if (a >= UI_ACT_UP && a <= UI_ACT_END)
            ui_act(p, a, key->name);
        else
            p->is_help = false;
        return;
    }
    if (p->is_finding && key->kind != UI_KEY_MOUSE)
        finding_key(p, key);
    else if (key->kind == UI_KEY_MOUSE)
        mouse_key(p, key);
    else if (p->focus == UI_IN_PROMPT && !is_function &&
             ui_find_moving(p, key->name) < 0 &&
             !(ui_key_is_bound(p, key->name) && key->kind == UI_KEY_NAMED &&
               key->name[1] == '-'))
        prompt_key(p, key);
    else
        pane_key(p, key);
}
