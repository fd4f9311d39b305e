/* Running commands: reads statements, parses, checks what a command needs, calls its
 * handler, and reports failures with file, line, column, the line itself and a caret. The
 * prompt, scripts, -e and keys all come through cmd_run_text. */
#include "cmd/replay.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ranklab/la.h"
#include "ranklab/text.h"

static void take_note(void *ctx, enum lr_note_level level, const char *text)
{
    struct cmd_ctx *c = ctx;

    if (level == LR_NOTE_WARNING)
        cmd_warn(c, "%s", text);
    else
        cmd_say(c, "%s", text);
}

void cmd_init(struct cmd_ctx *c, struct lr_session *s, const struct cmd_sink *sink)
{
    *c = (struct cmd_ctx){.session = s, .sink = *sink};
    c->progress.tick = sink->tick;
    c->progress.ctx = sink->ctx;
    c->first_seed = s->settings.seed;
    c->first_threads = lr_la_threads();
    s->notes = (struct lr_notes){take_note, c};
}

void cmd_free(struct cmd_ctx *c)
{
    cmd_record_stop(&c->auto_record);
    cmd_record_stop(&c->user_record);
    for (size_t i = 0; i < c->n_done; i++) {
        lr_free(c->done[i].text);
        lr_free(c->done[i].after);
    }
    lr_free(c->done);
    cmd_digests_free(&c->digests);
    cmd_digests_free(&c->seen);
    lr_strbuf_free(&c->redirected);
    cmd_binds_free(c);
    c->session->notes = (struct lr_notes){0};
    *c = (struct cmd_ctx){0};
}

/* ---- failures ---- */

static size_t count_characters(const char *s, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n && s[i]; i++)
        count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return count;
}

static void add_escaped(struct lr_strbuf *b, const char *s, size_t n)
{
    char *part = lr_strndup(s, n);

    for (char *p = part; p && *p; p++)
        if (*p == '\t')
            *p = ' ';
    if (part)
        lr_text_escape(b, part);
    lr_free(part);
}

/* The line of text that holds place, and a caret under place. */
static void add_caret(struct lr_strbuf *b, const char *text, size_t begin, size_t place)
{
    struct lr_strbuf head = {0};
    size_t len = strcspn(text + begin, "\r\n");

    add_escaped(&head, text + begin, place > begin ? place - begin : 0);
    int column = head.s ? lr_text_columns(head.s) : 0;
    /* A very long line is shown around the place only. */
    if (len <= 200) {
        lr_strbuf_puts(b, "  ");
        add_escaped(b, text + begin, len);
        lr_strbuf_printf(b, "\n  %*s^\n", column, "");
    }
    lr_strbuf_free(&head);
}

void cmd_report(struct cmd_ctx *c, const struct cmd_error *e, const char *text,
                const struct cmd_origin *origin)
{
    struct lr_strbuf b = {0};
    size_t line = 0, begin = 0;

    if (e->is_reported || !c->sink.write)
        return;
    bool has_place = text && e->has_place && !(origin && origin->is_internal);
    if (has_place)
        cmd_find_line(&line, &begin, text, e->place);
    if (origin && origin->name) {
        lr_text_escape(&b, origin->name);
        if (has_place)
            lr_strbuf_printf(&b, ":%zu:%zu", origin->line + line,
                             count_characters(text + begin, e->place - begin) + 1);
        lr_strbuf_puts(&b, ": ");
    }
    if (e->verb[0])
        lr_strbuf_printf(&b, "%s: ", e->verb);
    lr_text_escape(&b, e->err.msg[0] ? e->err.msg : lr_status_name(e->err.code));
    lr_strbuf_putc(&b, '\n');
    if (has_place)
        add_caret(&b, text, begin, e->place);
    if (e->hint[0]) {
        lr_strbuf_puts(&b, "  ");
        lr_text_escape(&b, e->hint);
        lr_strbuf_putc(&b, '\n');
    }
    if (b.s)
        c->sink.write(c->sink.ctx, CMD_ERR, CMD_ERROR, b.s, b.len);
    lr_strbuf_free(&b);
}

/* ---- one command ---- */

static enum lr_status check_needs(const struct cmd_ctx *c, const struct cmd_call *call,
                                  struct cmd_error *e)
{
    unsigned flags = call->row->flags;
    size_t place = call->tokens.t[0].begin;

    if ((flags & (CMD_NEEDS_MODEL | CMD_NEEDS_EVAL)) && !c->session->graph) {
        cmd_hint(e, "open MODEL loads one; open @fashion the embedded one");
        return cmd_fail_at(e, place, LR_EINVAL, "no network is open");
    }
    if ((flags & CMD_NEEDS_EVAL) && !c->session->eval) {
        cmd_hint(e, "data eval SRC loads some");
        return cmd_fail_at(e, place, LR_EINVAL, "no evaluation images are loaded");
    }
    return LR_OK;
}

static enum lr_status run_call(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e);

/* `try`: a failure is shown and forgotten, except for ^C. */
static enum lr_status run_nested(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    if (call->row->args && call->row->args[0].type == CMD_T_COMMAND && call->nested)
        return run_call(c, call->nested, e);
    return call->row->run(c, call, e);
}

static enum lr_status run_call(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    char *path = NULL;
    enum lr_status st = check_needs(c, call, e);

    /* The table's file is begun before the work: a missing folder is known at once. */
    if (!st && call->redirect.is_set) {
        st = cmd_path_out(&path, c, &call->redirect, e);
        if (!st && lr_file_begin(&c->redirect, path, &e->err))
            st = cmd_blame(e, &call->redirect);
        c->redirect_path = path;
    }
    if (!st) {
        c->n_tables = 0;
        c->is_timed = false;
        c->row = call->row;
        st = run_nested(c, call, e);
        c->is_done = !st;
    }
    if (call->redirect.is_set && c->redirect.fp) {
        if (!st && c->redirected.is_failed)
            st = lr_enomem(&e->err, c->redirected.len, "a table");
        if (!st && c->redirected.len &&
            fwrite(c->redirected.s, 1, c->redirected.len, c->redirect.fp) !=
                c->redirected.len)
            st = lr_err_set(&e->err, LR_EIO, "%s: %s", path, strerror(errno));
        if (!st && !c->n_tables)
            st = lr_err_set(&e->err, LR_EINVAL, "no table was made for %s", path);
        if (!st)
            st = lr_file_commit(&c->redirect, &e->err);
        else
            lr_file_abort(&c->redirect);
        c->redirect = (struct lr_file){0};
        if (!st)
            cmd_say(c, "wrote %s", path);
        else if (!e->has_place)
            cmd_blame(e, &call->redirect);
    }
    lr_strbuf_reset(&c->redirected);
    c->redirect_path = NULL;
    lr_free(path);
    if (st) {
        e->err.code = st;
        if (!e->verb[0])
            snprintf(e->verb, sizeof(e->verb), "%s", cmd_name(call->row).s);
        if (!e->has_place) {
            e->has_place = true;
            e->place = call->tokens.t[0].begin;
        }
    }
    return st;
}

static void echo(struct cmd_ctx *c, const char *text, const struct cmd_tokens *ts)
{
    char *typed = lr_strndup(text + ts->begin, ts->end - ts->begin);
    struct lr_strbuf b = {0};

    for (int i = 0; i <= (c->origin ? c->origin->depth : 0); i++)
        lr_strbuf_putc(&b, '+');
    lr_strbuf_putc(&b, ' ');
    for (char *p = typed; p && *p; p++)
        if (*p == '\t')
            *p = ' ';
    lr_text_escape_lines(&b, typed ? typed : "");
    lr_strbuf_putc(&b, '\n');
    if (b.s && !b.is_failed && c->sink.write)
        c->sink.write(c->sink.ctx, c->settings.format == OUT_TABLE ? CMD_OUT : CMD_ERR,
                      CMD_ECHO, b.s, b.len);
    lr_free(typed);
    lr_strbuf_free(&b);
}

static bool is_stopped(const struct cmd_ctx *c)
{
    return c->sink.is_stopped && c->sink.is_stopped(c->sink.ctx);
}

/* A command that could not be parsed is kept as it was typed. */
static void add_to_history(struct cmd_ctx *c, const struct cmd_call *call,
                           const char *text, const struct cmd_tokens *typed,
                           const char *after, bool is_parsed, bool is_failed)
{
    struct cmd_error ignored = {0};
    struct lr_strbuf b = {0};

    if (is_parsed)
        cmd_call_print(&b, call, false);
    else
        lr_strbuf_add(&b, text + typed->begin, typed->end - typed->begin);
    for (size_t i = 0; i < b.len; i++)
        if (b.s[i] == '\n' || b.s[i] == '\r')
            b.s[i] = ' ';
    cmd_done_add(c, &b, after, is_failed, &ignored);
}

/* Parses and runs one statement; reports what fails. */
static enum lr_status run_statement(struct cmd_ctx *c, const char *text,
                                    struct cmd_tokens *ts,
                                    const struct cmd_origin *origin)
{
    struct cmd_call call = {0};
    struct cmd_error e = {0};
    struct cmd_tokens shown = {.begin = ts->begin, .end = ts->end};
    struct lr_strbuf after = {0};
    bool is_try = ts->n && ts->t[0].kind == CMD_WORD && strcmp(ts->t[0].text, "try") == 0;
    bool is_run = false, is_done = false;
    int n_failed = c->n_failed;
    size_t refused = lr_mem_refused();
    if (c->replay)
        cmd_replay_words(c, ts);
    enum lr_status st = cmd_parse(&call, ts, origin->is_prompt, &e);

    if (!origin->is_check && c->settings.is_echo)
        echo(c, text, &shown);
    if (!st && !origin->is_check) {
        is_run = true;
        if (c->sink.begin)
            c->sink.begin(c->sink.ctx);
        c->digests.n = 0;
        c->is_done = false;
        st = run_call(c, &call, &e);
        is_done = c->is_done;
    }
    if (st == LR_EINTR) {
        c->was_interrupted = true;
        if (!e.is_reported) {
            snprintf(e.err.msg, sizeof(e.err.msg), "interrupted; nothing was changed");
            e.has_place = false;
        }
    }
    if (st) {
        e.err.code = st;
        if (c->replay)
            cmd_replay_hint(c, &e);
        cmd_report(c, &e, text, origin);
    }
    if (is_try && is_run)
        lr_mem_forget_refused(refused); /* for the source around it */
    if (is_try && st && st != LR_EINTR && !origin->is_check) {
        st = LR_OK;
        c->n_failed = n_failed; /* those inside a sourced file are forgiven too */
    }
    /* What a command did stays done when its table cannot be written: the record holds
     * it, without the file. */
    if (st && is_done)
        call.redirect.is_set = false;
    if (is_run && (!st || is_done)) {
        cmd_digest_lines(&after, c, &call);
        cmd_record_call(c, &call, after.s);
    }
    if (!origin->is_check && cmd_is_recorded(&call))
        add_to_history(c, &call, text, &shown, after.s, is_run, st && !is_done);
    lr_strbuf_free(&after);
    if (st && !e.is_reported && !origin->is_check)
        c->n_failed++;
    else if (!st && !is_try)
        cmd_check_memory(c, refused);
    cmd_call_free(&call);
    return st;
}

/* A statement that cannot even be lexed is forgiven behind `try` as well. */
static bool begins_with_try(const char *s)
{
    s += strspn(s, " \t");
    return strncmp(s, "try", 3) == 0 && (s[3] == ' ' || s[3] == '\t');
}

enum lr_status cmd_run_text(struct cmd_ctx *c, const char *text,
                            const struct cmd_origin *origin)
{
    const struct cmd_origin *outer = c->origin;
    enum lr_status st, first = LR_OK;
    size_t next = 0;

    c->origin = origin;
    while (text[next] && !c->wants_quit) {
        struct cmd_tokens ts = {0};
        struct cmd_error e = {0};
        if (is_stopped(c)) {
            /* The user may have asked between two commands. */
            c->was_interrupted = true;
            first = first ? first : LR_EINTR;
            break;
        }
        bool is_try = begins_with_try(text + next) && !origin->is_check;
        st = cmd_lex(&ts, &next, text, next, &e);
        if (st) {
            cmd_report(c, &e, text, origin);
            if (is_try)
                st = LR_OK;
            else if (!origin->is_check)
                c->n_failed++;
        } else if (ts.n) {
            st = run_statement(c, text, &ts, origin);
        }
        cmd_tokens_free(&ts);
        if (st && !first)
            first = st;
        bool goes_on = origin->is_check || c->settings.is_keep_going;
        if (st == LR_EINTR || (st && !goes_on))
            break;
    }
    c->origin = outer;
    return first;
}
