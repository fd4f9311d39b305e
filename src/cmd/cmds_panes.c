/* Commands about the panes: keys that run commands, and the screen as text. What a key
 * types is text with a few words that the panes fill in, so all of it can be listed,
 * changed and checked without a terminal. */
#include "cmd/context.h"

#include <stdio.h>
#include <string.h>

#include "ranklab/text.h"

/* ---- names of keys ---- */

static const char *const named_keys[] = {
    "Space", "Enter",  "Tab",  "Esc",    "Backspace", "Up",  "Down",  "Left",
    "Right", "PageUp", "Home", "Insert", "PageDown",  "End", "Delete"};

/* Whether name, without its modifiers, is a key; *is_long: not a single character. */
static bool is_key(bool *is_long, const char *name)
{
    unsigned cp = 0;
    size_t n = strlen(name);

    *is_long = true;
    for (size_t i = 0; i < sizeof(named_keys) / sizeof(named_keys[0]); i++)
        if (strcmp(name, named_keys[i]) == 0)
            return true;
    if (name[0] == 'F' && name[1] >= '1' && name[1] <= '9') {
        int number = name[1] - '0';
        if (name[2] >= '0' && name[2] <= '9' && !name[3])
            number = 10 * number + name[2] - '0';
        else if (name[2])
            return false;
        return number <= 24;
    }
    *is_long = false;
    return n > 0 && name[0] > ' ' && name[0] != 0x7F &&
           lr_utf8_decode(name, n, &cp) == (int)n;
}

bool cmd_key_parse(char canonical[16], const char *name)
{
    const char *s = name;
    bool is_long, has_modifier = false;
    char modifiers[4] = "";
    size_t n = 0;

    if (strcmp(name, " ") == 0)
        name = s = "Space";
    while (s[0] && s[1] == '-' && s[2] && strchr("CMS", s[0])) {
        if (n == 3 || strchr(modifiers, s[0]))
            return false;
        modifiers[n++] = s[0];
        has_modifier = true;
        s += 2;
    }
    if (!is_key(&is_long, s) || strlen(name) > 15)
        return false;
    /* Only what a terminal can send. */
    if (!is_long && strchr(modifiers, 'S'))
        return false;
    if (!is_long && strchr(modifiers, 'C') && !(s[0] >= 'a' && s[0] <= 'z'))
        return false;
    snprintf(canonical, 16, "%s%s%s%s",
             has_modifier && strchr(modifiers, 'C') ? "C-" : "",
             has_modifier && strchr(modifiers, 'M') ? "M-" : "",
             has_modifier && strchr(modifiers, 'S') ? "S-" : "", s);
    return true;
}

bool cmd_key_is_in(const char *key, const char *keys)
{
    size_t n = strlen(key);

    for (const char *s = keys; s && *s;) {
        size_t len = strcspn(s, " ");
        if (len == n && strncmp(s, key, n) == 0)
            return true;
        s += len;
        s += strspn(s, " ");
    }
    return false;
}

/* ---- bind ---- */

void cmd_binds_free(struct cmd_ctx *c)
{
    for (size_t i = 0; i < c->n_binds; i++)
        lr_free(c->binds[i].command);
    lr_free(c->binds);
    c->binds = NULL;
    c->n_binds = 0;
}

/* What the panes fill in, replaced by something that parses. */
static char *sample_of(const char *command)
{
    static const char *const words[][2] = {
        {"@here", "all"},  {"@cursor", "1"},   {"@less", "1"},     {"@more", "1"},
        {"@lower", "1,1"}, {"@higher", "1,1"}, {"@method", "keep"}};
    enum { N_WORDS = sizeof(words) / sizeof(words[0]) };
    struct lr_strbuf b = {0};

    for (const char *s = command; *s;) {
        size_t i = 0;
        while (i < N_WORDS && strncmp(s, words[i][0], strlen(words[i][0])) != 0)
            i++;
        if (i < N_WORDS) {
            lr_strbuf_puts(&b, words[i][1]);
            s += strlen(words[i][0]);
        } else {
            lr_strbuf_putc(&b, *s++);
        }
    }
    return lr_strbuf_take(&b);
}

/* A command must parse, unless it goes to the prompt to be completed there. */
static enum lr_status check_command(const struct cmd_value *v, struct cmd_error *e)
{
    size_t n = strlen(v->text), next = 0;
    struct cmd_error inner = {0};
    enum lr_status st = LR_OK;
    char *text = NULL;

    if (n >= 3 && strcmp(v->text + n - 3, "...") == 0)
        return LR_OK;
    text = sample_of(v->text);
    if (!text)
        return lr_enomem(&e->err, n, "a command");
    while (!st && text[next]) {
        struct cmd_tokens ts = {0};
        struct cmd_call call = {0};
        st = cmd_lex(&ts, &next, text, next, &inner);
        if (!st && ts.n)
            st = cmd_parse(&call, &ts, false, &inner);
        cmd_tokens_free(&ts);
        cmd_call_free(&call);
    }
    lr_free(text);
    if (st)
        return cmd_fail_at(e, v->begin, st, "%s", inner.err.msg);
    return LR_OK;
}

static const struct out_column bind_columns[] = {
    {"key", "key", OUT_TEXT, 0, 0},
    {"command", "types", OUT_TEXT, 0, 0},
    {"origin", "from", OUT_TEXT, 0, 0},
};

static enum lr_status list_keys(struct cmd_ctx *c, struct cmd_error *e)
{
    struct out_table t;

    out_table_init(&t, bind_columns, 3);
    for (size_t i = 0; i < c->n_binds; i++) {
        out_text(&t, c->binds[i].key);
        out_text(&t, c->binds[i].command);
        out_text(&t, "bind");
    }
    for (size_t g = 0; g < cmd_n_groups; g++)
        for (size_t i = 0; i < cmd_groups[g]->n_rows; i++) {
            const struct cmd_row *row = &cmd_groups[g]->rows[i];
            if (!row->key)
                continue;
            out_text(&t, row->key);
            out_text(&t, row->typed ? row->typed : cmd_name(row).s);
            out_text(&t, "built in");
        }
    return cmd_table(c, &t, e);
}

static enum lr_status remove_key(struct cmd_ctx *c, const char *key)
{
    for (size_t i = 0; i < c->n_binds; i++)
        if (strcmp(c->binds[i].key, key) == 0) {
            lr_free(c->binds[i].command);
            memmove(c->binds + i, c->binds + i + 1,
                    (c->n_binds - i - 1) * sizeof(*c->binds));
            c->n_binds--;
            break;
        }
    return LR_OK;
}

static enum lr_status run_bind(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *key = cmd_arg(call, "KEY"), *v = cmd_arg(call, "COMMAND");
    struct cmd_bind b = {0};
    enum lr_status st;

    if (!key->is_set)
        return list_keys(c, e);
    if (!cmd_key_parse(b.key, key->text)) {
        cmd_hint(e, "such as x, Space, Enter, F5, Up, PageDown, C-x, M-x, S-Left");
        return cmd_fail_at(e, key->begin, LR_EINVAL, "there is no key %s", key->text);
    }
    if (!v->is_set || !v->text[0]) {
        size_t n = c->n_binds;
        st = remove_key(c, b.key);
        cmd_say(c, n > c->n_binds ? "%s types what it did before" : "%s was not bound",
                b.key);
        return st;
    }
    st = check_command(v, e);
    if (st)
        return st;
    struct cmd_bind *binds =
        lr_realloc(c->binds, c->n_binds, c->n_binds + 1, sizeof(*binds));
    if (binds)
        c->binds = binds;
    b.command = lr_strdup(v->text);
    if (!binds || !b.command) {
        lr_free(b.command);
        return lr_enomem(&e->err, strlen(v->text), "a key");
    }
    remove_key(c, b.key);
    c->binds[c->n_binds++] = b;
    return LR_OK;
}

/* ---- screen-dump ---- */

static enum lr_status run_screen_dump(struct cmd_ctx *c, const struct cmd_call *call,
                                      struct cmd_error *e)
{
    const struct cmd_value *file = cmd_arg(call, "FILE");
    struct lr_strbuf b = {0};
    char *path = NULL;
    enum lr_status st = cmd_path_out(&path, c, file, e);

    if (!st && !c->sink.screen)
        st = lr_err_set(&e->err, LR_EUNSUP, "there is no screen without the panes");
    if (!st)
        st = c->sink.screen(c->sink.ctx, &b, &e->err);
    if (!st && b.is_failed)
        st = lr_enomem(&e->err, b.len, "the screen");
    if (!st && lr_file_write(path, b.s ? b.s : "", b.len, &e->err))
        st = cmd_blame(e, file);
    lr_strbuf_free(&b);
    lr_free(path);
    return st;
}

/* ---- rows ---- */

static const struct cmd_param bind_args[] = {{.name = "KEY",
                                              .type = CMD_T_TEXT,
                                              .flags = CMD_OPTIONAL,
                                              .help = "such as x, F5, C-x, S-Left"},
                                             {.name = "COMMAND",
                                              .type = CMD_T_TEXT,
                                              .flags = CMD_OPTIONAL,
                                              .help = "what it types; none: as before"},
                                             {0}};
static const struct cmd_param dump_args[] = {{.name = "FILE", .type = CMD_T_PATH_OUT},
                                             {0}};

static const struct cmd_row rows[] = {
    {.name = "bin$d",
     .summary = "let a key of the panes type a command",
     .detail =
         "In COMMAND, @here stands for the marked layers or else the one under the\n"
         "cursor, @cursor for that one, @less and @more for the ranks next to its own,\n"
         "@lower and @higher for those next to the d'' of a 3d layer, @method for its\n"
         "next method. A command that ends with ... waits at the prompt. Without\n"
         "KEY: the keys that type commands. See help keys.\n",
     .examples = "bind x \"rank @here 50%\"\nbind\n",
     .args = bind_args,
     .flags = CMD_TABLE | CMD_ASIDE | CMD_VARIES,
     .run = run_bind},
    {.name = "scr$een-dump",
     .summary = "write the screen of the panes to a file, as text",
     .args = dump_args,
     .flags = CMD_NOT_RECORDED,
     .run = run_screen_dump},
};

const struct cmd_group cmd_group_panes = {"Panes", rows, sizeof(rows) / sizeof(rows[0])};
