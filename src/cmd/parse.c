/* From tokens to a parsed command: finds the row, hands every word to its type, and keeps
 * the places for error messages. Also the way back: a call printed as a line of a script.
 */
#include "cmd/command.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/text.h"

const struct cmd_group *const cmd_groups[] = {
    &cmd_group_model,  &cmd_group_data,    &cmd_group_plan,    &cmd_group_select,
    &cmd_group_solve,  &cmd_group_measure, &cmd_group_time,    &cmd_group_journal,
    &cmd_group_sweep,  &cmd_group_predict, &cmd_group_plot,    &cmd_group_configs,
    &cmd_group_output, &cmd_group_panes,   &cmd_group_scripts, &cmd_group_session,
};
const size_t cmd_n_groups = sizeof(cmd_groups) / sizeof(cmd_groups[0]);

struct cmd_name cmd_name(const struct cmd_row *row)
{
    struct cmd_name n = {{0}};
    size_t k = 0;

    for (const char *s = row->name; *s && k + 1 < sizeof(n.s); s++)
        if (*s != '$')
            n.s[k++] = *s;
    return n;
}

static size_t shortest(const struct cmd_row *row)
{
    return strcspn(row->name, "$");
}

const struct cmd_row *cmd_find(const char *word, bool is_prompt, struct cmd_error *e)
{
    const struct cmd_row *found = NULL;
    struct cmd_words names = {0};
    struct lr_strbuf several = {0};
    size_t len = strlen(word), n_several = 0;

    for (size_t g = 0; g < cmd_n_groups; g++)
        for (size_t i = 0; i < cmd_groups[g]->n_rows; i++) {
            const struct cmd_row *row = &cmd_groups[g]->rows[i];
            struct cmd_name name = cmd_name(row);
            if (strcmp(word, name.s) == 0 ||
                (row->alias && strcmp(word, row->alias) == 0)) {
                found = row;
                goto out;
            }
            cmd_words_add(&names, name.s);
            if (len && strncmp(word, name.s, len) == 0) {
                if (is_prompt && len >= shortest(row))
                    found = row;
                lr_strbuf_printf(&several, "%s%s", n_several++ ? ", " : "", name.s);
            }
        }
    if (found || !e)
        goto out;
    cmd_fail_at(e, 0, LR_EPARSE, "unknown command %s", word);
    const char *near = lr_text_nearest(word, (const char *const *)names.w, names.n);
    if (n_several > 1 && is_prompt)
        lr_err_set(&e->err, LR_EPARSE, "%s could be %s", word, several.s);
    else if (n_several && is_prompt)
        cmd_hint(e, "did you mean %s?", several.s);
    else if (n_several)
        cmd_hint(e, "scripts need whole words: %s", several.s);
    else if (near)
        cmd_hint(e, "did you mean %s?", near);
    else
        cmd_hint(e, "help lists the commands");
out:
    lr_strbuf_free(&several);
    cmd_words_free(&names);
    return found;
}

int cmd_find_option(const struct cmd_row *row, const char *name, size_t len,
                    bool is_prompt)
{
    int found = -1, n_found = 0;

    for (int i = 0; row->options && row->options[i].name; i++) {
        if (strncmp(name, row->options[i].name, len) != 0)
            continue;
        if (row->options[i].name[len] == '\0')
            return i;
        /* --sp is speedup although there is speedup-ms: the one all others begin with. */
        const char *best = found >= 0 ? row->options[found].name : NULL;
        if (best && strncmp(best, row->options[i].name, strlen(best)) == 0)
            continue;
        if (!best ||
            strncmp(best, row->options[i].name, strlen(row->options[i].name)) != 0)
            n_found++;
        found = i;
    }
    return is_prompt && n_found == 1 && len > 0 ? found : -1;
}

static bool takes_rest(enum cmd_type_id t)
{
    return t == CMD_T_WORDS || t == CMD_T_EXPR || t == CMD_T_COMMAND;
}

static enum lr_status set_value(struct cmd_value *v, const struct cmd_param *p,
                                const char *text, size_t begin, size_t end,
                                struct cmd_error *e)
{
    v->is_set = true;
    v->text = text;
    v->begin = begin;
    v->end = end;
    if (!cmd_types[p->type].parse)
        return LR_OK;
    return cmd_types[p->type].parse(v, p, e);
}

static enum lr_status parse_option(struct cmd_call *call, size_t *i, bool is_prompt,
                                   struct cmd_error *e)
{
    const struct cmd_token *t = &call->tokens.t[*i];
    const char *name = t->text + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    int k = cmd_find_option(call->row, name, len, is_prompt);

    if (k < 0) {
        const char *names[CMD_MAX_OPTIONS];
        struct lr_strbuf list = {0};
        char *word = lr_strndup(name, len);
        size_t n = 0;
        for (; call->row->options && call->row->options[n].name; n++) {
            names[n] = call->row->options[n].name;
            lr_strbuf_printf(&list, " --%s", names[n]);
        }
        const char *near = word ? lr_text_nearest(word, names, n) : NULL;
        if (near)
            cmd_hint(e, "did you mean --%s?", near);
        else if (list.s)
            cmd_hint(e, "options:%s", list.s);
        lr_free(word);
        lr_strbuf_free(&list);
        return cmd_fail_at(e, t->begin, LR_EPARSE, "unknown option --%.*s", (int)len,
                           name);
    }
    const struct cmd_param *p = &call->row->options[k];
    if (call->options[k].is_set)
        return cmd_fail_at(e, t->begin, LR_EPARSE, "--%s is given twice", p->name);
    if (p->type == CMD_T_FLAG) {
        if (equals)
            return cmd_fail_at(e, t->begin, LR_EPARSE, "--%s takes no value", p->name);
        return set_value(&call->options[k], p, t->text, t->begin, t->end, e);
    }
    if (equals) {
        size_t skip = (size_t)(equals + 1 - t->text);
        return set_value(&call->options[k], p, equals + 1, t->begin + skip, t->end, e);
    }
    if (*i + 1 >= call->tokens.n || call->tokens.t[*i + 1].kind != CMD_WORD) {
        cmd_hint(e, "%s",
                 cmd_types[p->type].describe ? cmd_types[p->type].describe : p->help);
        return cmd_fail_at(e, t->begin, LR_EPARSE, "--%s needs a value", p->name);
    }
    ++*i;
    t = &call->tokens.t[*i];
    return set_value(&call->options[k], p, t->text, t->begin, t->end, e);
}

static const struct cmd_param redirect_file = {.name = "FILE", .type = CMD_T_PATH_OUT};

static enum lr_status parse_redirect(struct cmd_call *call, size_t i, struct cmd_error *e)
{
    const struct cmd_token *op = &call->tokens.t[i];
    struct cmd_name name = cmd_name(call->row);

    if (strcmp(op->text, ">") != 0)
        return cmd_fail_at(e, op->begin, LR_EPARSE, "%s compares; only assert does that",
                           op->text);
    if (!(call->row->flags & CMD_TABLE)) {
        cmd_hint(e, "a > in a name or a text must be quoted");
        return cmd_fail_at(e, op->begin, LR_EPARSE,
                           "%s prints no table that > could write", name.s);
    }
    if (i + 1 >= call->tokens.n || call->tokens.t[i + 1].kind != CMD_WORD)
        return cmd_fail_at(e, op->begin, LR_EPARSE, "a file name must follow >");
    if (i + 2 < call->tokens.n)
        return cmd_fail_at(e, call->tokens.t[i + 2].begin, LR_EPARSE,
                           "nothing may follow the file after >");
    const struct cmd_token *f = &call->tokens.t[i + 1];
    return set_value(&call->redirect, &redirect_file, f->text, f->begin, f->end, e);
}

static enum lr_status parse_nested(struct cmd_call *call, size_t from, bool is_prompt,
                                   struct cmd_error *e)
{
    struct cmd_tokens rest = {.begin = call->tokens.t[from].begin,
                              .end = call->tokens.end};
    size_t n = call->tokens.n - from;

    if (cmd_find(call->tokens.t[from].text, is_prompt, NULL) == call->row)
        return cmd_fail_at(e, call->tokens.t[from].begin, LR_EPARSE, "one %s is enough",
                           cmd_name(call->row).s);
    call->nested = lr_calloc(1, sizeof(*call->nested));
    rest.t = lr_calloc(n, sizeof(*rest.t));
    if (!call->nested || !rest.t) {
        lr_free(rest.t);
        return lr_enomem(&e->err, n * sizeof(*rest.t), "a command");
    }
    rest.cap = n;
    for (; rest.n < n; rest.n++) {
        rest.t[rest.n] = call->tokens.t[from + rest.n];
        rest.t[rest.n].text = lr_strdup(call->tokens.t[from + rest.n].text);
        if (!rest.t[rest.n].text) {
            cmd_tokens_free(&rest);
            return lr_enomem(&e->err, 1, "a command");
        }
    }
    return cmd_parse(call->nested, &rest, is_prompt, e);
}

static enum lr_status missing(const struct cmd_call *call, const struct cmd_param *p,
                              struct cmd_error *e)
{
    struct lr_strbuf usage = {0};

    cmd_usage(&usage, call->row);
    cmd_hint(e, "usage: %s", usage.s ? usage.s : "");
    lr_strbuf_free(&usage);
    return cmd_fail_at(e, call->tokens.end, LR_EPARSE, "%s is missing", p->name);
}

static enum lr_status parse_words(struct cmd_call *call, bool is_prompt,
                                  struct cmd_error *e)
{
    const struct cmd_param *args = call->row->args;
    bool is_plain = false; /* after "--" */
    enum lr_status st;

    for (size_t i = 1; i < call->tokens.n; i++) {
        const struct cmd_token *t = &call->tokens.t[i];
        const struct cmd_param *p =
            args && args[call->n_args].name ? &args[call->n_args] : NULL;
        if (p && takes_rest(p->type) && !(t->kind == CMD_OP && p->type != CMD_T_EXPR)) {
            if (p->type == CMD_T_WORDS)
                for (size_t k = i; k < call->tokens.n; k++)
                    if (call->tokens.t[k].kind == CMD_OP)
                        return parse_redirect(call, k, e);
            call->args[call->n_args].is_set = true;
            call->args[call->n_args].text = t->text;
            call->args[call->n_args].begin = t->begin;
            call->args[call->n_args].end = call->tokens.end;
            call->rest = i;
            call->n_args++;
            return p->type == CMD_T_COMMAND ? parse_nested(call, i, is_prompt, e) : LR_OK;
        }
        if (t->kind == CMD_OP) {
            st = parse_redirect(call, i, e);
            if (st)
                return st;
            break;
        }
        bool has_dashes = !is_plain && t->n_plain >= 2 && strncmp(t->text, "--", 2) == 0;
        if (has_dashes && t->text[2] == '\0') {
            is_plain = true;
            continue;
        }
        if (has_dashes) {
            st = parse_option(call, &i, is_prompt, e);
            if (st)
                return st;
            continue;
        }
        if (!p) {
            struct lr_strbuf usage = {0};
            cmd_usage(&usage, call->row);
            cmd_hint(e, "usage: %s", usage.s ? usage.s : "");
            lr_strbuf_free(&usage);
            return cmd_fail_at(e, t->begin, LR_EPARSE, "unexpected %s", t->text);
        }
        st = set_value(&call->args[call->n_args], p, t->text, t->begin, t->end, e);
        if (st)
            return st;
        call->n_args++;
    }
    for (size_t k = call->n_args; args && args[k].name; k++)
        if (!(args[k].flags & CMD_OPTIONAL))
            return missing(call, &args[k], e);
    return LR_OK;
}

enum lr_status cmd_parse(struct cmd_call *call, struct cmd_tokens *tokens, bool is_prompt,
                         struct cmd_error *e)
{
    enum lr_status st;

    *call = (struct cmd_call){.tokens = *tokens};
    *tokens = (struct cmd_tokens){0};
    call->rest = call->tokens.n;
    const struct cmd_token *verb = &call->tokens.t[0];
    if (verb->kind != CMD_WORD)
        return cmd_fail_at(e, verb->begin, LR_EPARSE, "a command must come before %s",
                           verb->text);
    call->row = cmd_find(verb->text, is_prompt, e);
    if (!call->row) {
        e->place = verb->begin;
        return LR_EPARSE;
    }
    st = parse_words(call, is_prompt, e);
    if (st && !e->verb[0])
        snprintf(e->verb, sizeof(e->verb), "%s", cmd_name(call->row).s);
    return st;
}

void cmd_call_free(struct cmd_call *call)
{
    if (call->nested) {
        cmd_call_free(call->nested);
        lr_free(call->nested);
    }
    cmd_tokens_free(&call->tokens);
    *call = (struct cmd_call){0};
}

const struct cmd_value *cmd_option(const struct cmd_call *call, const char *name)
{
    for (size_t i = 0; call->row->options && call->row->options[i].name; i++)
        if (strcmp(call->row->options[i].name, name) == 0)
            return &call->options[i];
    assert(false && "the row has no such option");
    return &call->options[0];
}

const struct cmd_value *cmd_arg(const struct cmd_call *call, const char *name)
{
    for (size_t i = 0; call->row->args && call->row->args[i].name; i++)
        if (strcmp(call->row->args[i].name, name) == 0)
            return &call->args[i];
    assert(false && "the row has no such argument");
    return &call->args[0];
}

/* ---- printing ---- */

void cmd_quote(struct lr_strbuf *b, const char *text)
{
    bool is_plain = text[0] != '\0' && text[0] != '#';

    for (const char *s = text; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c <= ' ' || c == 127 || strchr(";'\"\\<>", *s) ||
            ((*s == '=' || *s == '!') && s[1] == '='))
            is_plain = false;
    }
    if (is_plain) {
        lr_strbuf_puts(b, text);
    } else if (!strpbrk(text, "'\n")) {
        lr_strbuf_printf(b, "'%s'", text);
    } else {
        lr_strbuf_putc(b, '"');
        for (const char *s = text; *s; s++) {
            if (*s == '"' || *s == '\\')
                lr_strbuf_putc(b, '\\');
            if (*s == '\n')
                lr_strbuf_puts(b, "\\n");
            else
                lr_strbuf_putc(b, *s);
        }
        lr_strbuf_putc(b, '"');
    }
}

static void print_value(struct lr_strbuf *b, const struct cmd_value *v,
                        const struct cmd_param *p, bool is_absolute)
{
    if (cmd_types[p->type].print)
        cmd_types[p->type].print(b, v, p, is_absolute);
    else
        cmd_quote(b, v->text);
}

void cmd_call_print(struct lr_strbuf *b, const struct cmd_call *call, bool is_absolute)
{
    lr_strbuf_puts(b, cmd_name(call->row).s);
    for (size_t i = 0; i < call->n_args; i++) {
        const struct cmd_param *p = &call->row->args[i];
        lr_strbuf_putc(b, ' ');
        if (p->type == CMD_T_COMMAND && call->nested && call->nested->row) {
            cmd_call_print(b, call->nested, is_absolute);
        } else if (takes_rest(p->type)) {
            for (size_t k = call->rest; k < call->tokens.n; k++) {
                const struct cmd_token *t = &call->tokens.t[k];
                lr_strbuf_puts(b, k > call->rest ? " " : "");
                if (t->kind == CMD_OP)
                    lr_strbuf_puts(b, t->text);
                else
                    cmd_quote(b, t->text);
            }
        } else {
            /* A word that looks like an option can only have come after "--". */
            if (strncmp(call->args[i].text, "--", 2) == 0)
                lr_strbuf_puts(b, "-- ");
            print_value(b, &call->args[i], p, is_absolute);
        }
    }
    for (size_t i = 0; call->row->options && call->row->options[i].name; i++) {
        const struct cmd_param *p = &call->row->options[i];
        if (!call->options[i].is_set)
            continue;
        lr_strbuf_printf(b, " --%s", p->name);
        if (p->type != CMD_T_FLAG) {
            lr_strbuf_putc(b, ' ');
            print_value(b, &call->options[i], p, is_absolute);
        }
    }
    if (call->redirect.is_set) {
        lr_strbuf_puts(b, " > ");
        print_value(b, &call->redirect, &redirect_file, is_absolute);
    }
}
