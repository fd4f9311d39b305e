/* Completion: the line up to the cursor is lexed like a command, and the parameter that
 * the last word belongs to is asked for its words. */
#include "cmd/command.h"

#include <string.h>

#include "cmd/context.h"

static void add(struct cmd_completion *out, const char *word, const char *prefix)
{
    if (strncmp(word, prefix, strlen(prefix)) == 0)
        cmd_words_add(&out->words, word);
}

static void add_options(struct cmd_completion *out, const struct cmd_row *row,
                        const char *prefix)
{
    struct lr_strbuf b = {0};

    for (size_t i = 0; row->options && row->options[i].name; i++) {
        if (row->options[i].flags & CMD_HIDDEN)
            continue;
        lr_strbuf_reset(&b);
        lr_strbuf_printf(&b, "--%s", row->options[i].name);
        if (b.s)
            add(out, b.s, prefix);
    }
    lr_strbuf_free(&b);
}

static void add_values(struct cmd_completion *out, const struct cmd_param *p,
                       const struct cmd_ctx *c, const char *prefix)
{
    const struct cmd_type *type = &cmd_types[p->type];

    if (type->complete)
        type->complete(&out->words, p, c, prefix);
    out->is_path = type->is_path;
    out->has_more = p->type == CMD_T_SET;
}

/* The value of a setting is completed like a parameter of the setting's own type; where
 * the choices of a path do not hold, it is any file. */
static const struct cmd_param *param_of(const struct cmd_row *row, size_t n_args,
                                        const char *first_arg)
{
    static const struct cmd_param file = {.name = "FILE", .type = CMD_T_PATH_OUT};
    const struct cmd_param *p = row->args;

    for (size_t i = 0; p && p->name; i++, p++)
        if (i == n_args) {
            const struct cmd_setting *s = NULL;
            if (i == 1 && row->args[0].type == CMD_T_SETTING && first_arg)
                s = cmd_setting_find(first_arg);
            if (s)
                return &s->value;
            return p->when && (!first_arg || strcmp(first_arg, p->when) != 0) ? &file : p;
        }
    return NULL;
}

static void complete_tokens(struct cmd_completion *out, const struct cmd_ctx *c,
                            const struct cmd_token *t, size_t n, const char *prefix)
{
    static const struct cmd_param command = {.name = "COMMAND", .type = CMD_T_COMMAND};
    static const struct cmd_param file = {.name = "FILE", .type = CMD_T_PATH_OUT};
    const struct cmd_param *waiting = NULL; /* an option without its value */
    const char *first_arg = NULL;
    size_t n_args = 0;

    if (n == 0) {
        add_values(out, &command, c, prefix);
        return;
    }
    const struct cmd_row *row = cmd_find(t[0].text, true, NULL);
    if (!row)
        return;
    for (size_t i = 1; i < n; i++) {
        if (t[i].kind == CMD_OP) {
            if (strcmp(t[i].text, ">") == 0 && i + 1 == n && (row->flags & CMD_TABLE))
                add_values(out, &file, c, prefix);
            return;
        }
        if (waiting) {
            waiting = NULL;
            continue;
        }
        if (t[i].n_plain >= 2 && strncmp(t[i].text, "--", 2) == 0) {
            int k = cmd_find_option(row, t[i].text + 2, strlen(t[i].text + 2), true);
            if (k >= 0 && row->options[k].type != CMD_T_FLAG)
                waiting = &row->options[k];
            continue;
        }
        const struct cmd_param *p = param_of(row, n_args, first_arg);
        if (p && p->type == CMD_T_COMMAND) {
            complete_tokens(out, c, t + i, n - i, prefix);
            return;
        }
        if (n_args == 0)
            first_arg = t[i].text;
        n_args++;
    }
    if (waiting) {
        add_values(out, waiting, c, prefix);
        return;
    }
    if (strncmp(prefix, "--", 2) == 0) {
        add_options(out, row, prefix);
        return;
    }
    const struct cmd_param *p = param_of(row, n_args, first_arg);
    if (p)
        add_values(out, p, c, prefix);
    if ((!p || out->words.n == 0) && !out->is_path)
        add_options(out, row, prefix);
}

void cmd_complete(struct cmd_completion *out, const struct cmd_ctx *c, const char *line)
{
    struct cmd_tokens ts = {0};
    struct cmd_error e = {0};
    size_t from = 0, next = 0, len = strlen(line);
    char *closed = NULL;

    *out = (struct cmd_completion){.begin = len};
    for (;;) {
        e = (struct cmd_error){0};
        enum lr_status st = cmd_lex(&ts, &next, line, from, &e);
        if (st) {
            /* An open quote: what stands behind it is the beginning of the word. */
            out->begin = e.place + 1 < len ? e.place + 1 : len;
            closed = lr_strndup(line, e.place);
            const char *prefix = line + out->begin;
            if (closed && cmd_lex(&ts, &next, closed, from, &e) == LR_OK)
                complete_tokens(out, c, ts.t, ts.n, prefix);
            goto out;
        }
        if (next >= len && !(len && line[len - 1] == ';'))
            break;
        if (next >= len) {
            cmd_tokens_free(&ts);
            break;
        }
        from = next;
        cmd_tokens_free(&ts);
    }
    size_t n = ts.n;
    const char *prefix = "";
    if (n && ts.t[n - 1].end == len && ts.t[n - 1].kind == CMD_WORD) {
        n--;
        prefix = ts.t[n].text;
        out->begin = ts.t[n].begin;
    }
    complete_tokens(out, c, ts.t, n, prefix);
out:
    cmd_tokens_free(&ts);
    lr_free(closed);
}
