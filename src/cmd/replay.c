/* Comparing a script that is replayed, line by line, with what was recorded in it: the
 * program, the hashes of what is open, and a digest for each table. */
#include "cmd/replay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ranklab/engine.h"
#include "ranklab/la.h"

static void differs(struct cmd_ctx *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void differs(struct cmd_ctx *c, const char *fmt, ...)
{
    struct cmd_replay *r = c->replay;
    char text[sizeof(r->bad)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (r->n_different++ == 0) {
        memcpy(r->bad, text, sizeof(text));
        r->bad_line = r->line;
    }
    cmd_warn(c, "line %zu: %s", r->line, text);
}

/* text after head, which it begins with, without its line end; NULL otherwise. */
static char *after(const char *text, const char *head)
{
    size_t n = strlen(head);

    return strncmp(text, head, n) == 0 ? lr_strndup(text + n, strcspn(text + n, "\r\n"))
                                       : NULL;
}

/* "# ranklab VERSION session, seed S, threads N": as many threads as then, because the
 * last digits depend on them. */
static void check_program(struct cmd_ctx *c, const char *text)
{
    size_t n = strcspn(text, " ");
    const char *threads = strstr(text, ", threads ");
    char number[16] = "";
    int64_t k;

    if (n != strlen(PACKAGE_VERSION) || strncmp(text, PACKAGE_VERSION, n) != 0)
        cmd_warn(c, "recorded with version %.*s, this is %s", (int)(n < 40 ? n : 40),
                 text, PACKAGE_VERSION);
    if (threads)
        snprintf(number, sizeof(number), "%s", threads + strlen(", threads "));
    if (!cmd_parse_int(&k, number) || k < 1 || k > 4096)
        return;
    c->replay->threads = (int)k;
    if (k != lr_la_threads())
        cmd_say(c, "threads %d, as it was recorded", (int)k);
    lr_la_set_threads((int)k);
    c->session->settings.threads = (int)k;
}

/* The automatic script of a session names files from the root on. */
static void take_folder(struct cmd_ctx *c, const char *text)
{
    struct lr_strbuf b = {0};

    if (text[0] == '/' && text[1]) {
        lr_strbuf_printf(&b, "%s/", text);
        lr_free(c->replay->folder);
        c->replay->folder = lr_strbuf_take(&b);
    }
}

void cmd_replay_words(struct cmd_ctx *c, struct cmd_tokens *ts)
{
    const char *folder = c->replay->folder;
    size_t n = folder && c->replay->is_here ? strlen(folder) : 0;

    for (size_t i = 1; n && i < ts->n; i++) {
        char *text = ts->t[i].text;
        if (strncmp(text, folder, n) != 0)
            continue;
        /* A name that begins with a dash is no option. */
        text[0] = '.';
        memmove(text + 2, text + n, strlen(text + n) + 1);
        text[1] = '/';
    }
}

void cmd_replay_hint(struct cmd_ctx *c, struct cmd_error *e)
{
    const struct cmd_replay *r = c->replay;
    char here[4096];

    if (e->err.code != LR_EIO || e->hint[0] || !r->folder || r->is_here ||
        !getcwd(here, sizeof(here)) || access(r->folder, F_OK) == 0 || errno != ENOENT)
        return;
    cmd_hint(e, "replay FILE --here takes from %s what was in %s", here, r->folder);
}

static void check_libraries(struct cmd_ctx *c, const char *text)
{
    struct lr_strbuf b = {0};
    char blas[128], engine[128];

    lr_strbuf_printf(&b, "%s; %s", lr_la_version(blas, sizeof(blas)),
                     lr_engine_version(engine, sizeof(engine)));
    if (b.s && strcmp(b.s, text) != 0)
        cmd_warn(c, "recorded with %s, this is %s", text, b.s);
    lr_strbuf_free(&b);
}

static void check_hash(struct cmd_ctx *c, const char *what, const char *then,
                       const char *now)
{
    if (strcmp(then, now) != 0)
        differs(c, "%s %.12s... was %.12s... when it was recorded", what, now, then);
}

/* "sha256 HEX" of all, or "first N sha256 HEX". Here fewer may be known yet. */
static enum lr_status check_images(struct cmd_ctx *c, const char *what, const char *then,
                                   struct lr_dataset *d)
{
    static const char first[] = "first ";
    struct lr_err e = {0};
    char now[65], *end = NULL;
    long long n = 0;

    if (strncmp(then, first, sizeof(first) - 1) == 0) {
        n = strtoll(then + sizeof(first) - 1, &end, 10);
        then = n > 0 && *end == ' ' ? end + 1 : "";
    }
    if (strncmp(then, "sha256 ", 7) != 0)
        return LR_OK;
    enum lr_status st = lr_dataset_settle(d, n, &c->session->notes, &c->progress, &e);
    if (st == LR_EINTR)
        return st;
    if (st != LR_OK)
        differs(c, "%s cannot be compared: %s", what, e.msg);
    else if (n > lr_dataset_count(d))
        differs(c, "%s are %lld, %lld were used when it was recorded", what,
                (long long)lr_dataset_count(d), n);
    else
        check_hash(c, what, then + 7, lr_dataset_hash_first(now, d, n));
    return LR_OK;
}

static void check_table(struct cmd_ctx *c, const char *text)
{
    struct cmd_replay *r = c->replay;
    size_t n = strcspn(text, " ");
    const char *hex = strstr(text, " sha256 ");

    if (!hex)
        return;
    /* The command may not have varied when that was recorded. */
    char *name = lr_strndup(text, n);
    const struct cmd_row *row = name ? cmd_find(name, false, NULL) : NULL;
    lr_free(name);
    if (row && (row->flags & CMD_VARIES))
        return;
    hex += strlen(" sha256 ");
    if (r->next == r->end) {
        differs(c, "the table %.*s was not printed", (int)n, text);
        return;
    }
    const struct cmd_digest *d = &c->seen.d[r->next++];
    if (strlen(d->name) != n || strncmp(d->name, text, n) != 0)
        differs(c, "the table %s comes where %.*s was recorded", d->name, (int)n, text);
    else if (strcmp(d->hex, hex) != 0)
        differs(c, "the table %s differs from the recorded one", d->name);
    else
        r->n_same++;
}

enum lr_status cmd_replay_line(struct cmd_ctx *c, const char *text,
                               const struct cmd_origin *at)
{
    static const struct {
        const char *head;
        void (*check)(struct cmd_ctx *c, const char *text);
    } lines[] = {{"# ranklab ", check_program},
                 {"# folder ", take_folder},
                 {"# libraries ", check_libraries},
                 {"# table ", check_table}};
    const struct lr_session *s = c->session;
    struct cmd_replay *r = c->replay;
    enum lr_status st = LR_OK;
    char *rest;

    if (at->depth != r->depth)
        return LR_OK;
    size_t blank = strspn(text, " \t\r\n");
    if (text[blank] && text[blank] != '#') {
        r->n_new += (int)(r->end - r->next);
        r->next = r->end;
        r->end = c->seen.n;
        r->line = at->line;
        return LR_OK;
    }
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if ((rest = after(text, lines[i].head)) != NULL) {
            lines[i].check(c, rest);
            lr_free(rest);
        }
    if (s->graph && (rest = after(text, "# network sha256 ")) != NULL) {
        check_hash(c, "the network", rest, s->model_sha256);
        lr_free(rest);
    }
    if (s->calib && (rest = after(text, "# calib ")) != NULL) {
        st = check_images(c, "the calibration images", rest, s->calib);
        lr_free(rest);
    }
    if (st == LR_OK && s->eval && (rest = after(text, "# eval ")) != NULL) {
        st = check_images(c, "the evaluation images", rest, s->eval);
        lr_free(rest);
    }
    return st;
}
