/* Keys that type commands. A key of the user comes first, then those here, then those of
 * the command table. */
#include "ui/actions.h"

#include <stdio.h>
#include <string.h>

const struct ui_key_help ui_typing_keys[] = {
    {"Left - h", "lower the rank, see what follows", "rank @cursor @less"},
    {"Right + = l", "raise the rank", "rank @cursor @more"},
    {"{", "lower d'', the second rank of a 3d layer", "rank @cursor @lower"},
    {"}", "raise it", "rank @cursor @higher"},
};
const size_t ui_n_typing = sizeof(ui_typing_keys) / sizeof(ui_typing_keys[0]);

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

/* The same for d'', with d' as it is; NULL or why there is none. */
static const char *next_spatial(char *buf, size_t size, const struct ui_layer *l,
                                int direction)
{
    int step = l->step > 1 ? l->step : 1, best = l->best_spatial, rank;

    if (!l->is_approximable)
        return l->reason ? l->reason : "it cannot be split";
    if (l->rank_spatial <= 0)
        return "its only rank is changed with - and +";
    if (l->state == LR_STATE_WHOLE) {
        snprintf(buf, size, direction < 0 ? "x=1.5" : "full");
        return NULL;
    }
    if (direction > 0 && l->rank_spatial / step * step + step > best) {
        snprintf(buf, size, "full");
        return NULL;
    }
    if (direction > 0)
        rank = (l->rank_spatial / step + 1) * step;
    else
        rank = best >= 1 && l->rank_spatial > best ? best
                                                   : (l->rank_spatial - 1) / step * step;
    if (rank < 1)
        rank = l->rank_spatial < step ? l->rank_spatial : step;
    snprintf(buf, size, "%d,%d", l->rank, rank);
    return NULL;
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
        bool is_lower = n == 6 && strncmp(s, "@lower", n) == 0;
        bool is_higher = n == 7 && strncmp(s, "@higher", n) == 0;
        if ((is_here || is_cursor || is_less || is_more || is_lower || is_higher ||
             is_method) &&
            !l) {
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
        } else if (is_lower || is_higher) {
            const char *why = next_spatial(rank, sizeof(rank), l, is_lower ? -1 : 1);
            if (why) {
                ui_message(p, true, "%s has no second rank: %s", l->name, why);
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
    if (strncmp(line, "plot ", 5) == 0 || strncmp(line, "sweep ", 6) == 0)
        ui_show_tab(p, UI_TAB_PLOT);
}

void ui_type(struct ui_panes *p, const char *key, const char *command)
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

const char *ui_key_command(const struct ui_panes *p, const char *key, char name[24])
{
    for (size_t i = 0; p->now && i < p->now->n_binds; i++)
        if (strcmp(p->now->binds[i].key, key) == 0)
            return p->now->binds[i].command;
    for (size_t i = 0; i < ui_n_typing; i++)
        if (cmd_key_is_in(key, ui_typing_keys[i].keys))
            return ui_typing_keys[i].command;
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

bool ui_key_is_bound(const struct ui_panes *p, const char *key)
{
    for (size_t i = 0; p->now && i < p->now->n_binds; i++)
        if (strcmp(p->now->binds[i].key, key) == 0)
            return true;
    return false;
}
