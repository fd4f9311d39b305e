/* Scripts: lines are read from a stream, joined where they continue, and run one by one;
 * a file is looked for beside the script that names it. */
#include "cmd/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ranklab/text.h"

enum { MAX_LINE = 1 << 20 };

/* One line with its continuations into b; false at the end or on an error in e. */
static bool read_command(struct lr_strbuf *b, FILE *fp, size_t *n_lines, char **line,
                         size_t *cap, struct cmd_error *e)
{
    lr_strbuf_reset(b);
    *n_lines = 0;
    for (;;) {
        errno = 0;
        ssize_t n = getline(line, cap, fp);
        if (n < 0) {
            if (ferror(fp) && errno != EINTR)
                lr_err_set(&e->err, LR_EIO, "%s", strerror(errno));
            return b->len > 0 && !e->err.code;
        }
        ++*n_lines;
        const char *s = *line;
        if (memchr(s, '\0', (size_t)n)) {
            lr_err_set(&e->err, LR_EPARSE, "not a text file (a zero byte)");
            return false;
        }
        if (b->len + (size_t)n > MAX_LINE) {
            lr_err_set(&e->err, LR_EPARSE, "a command is longer than %d bytes", MAX_LINE);
            return false;
        }
        lr_strbuf_puts(b, s);
        if (b->is_failed) {
            lr_enomem(&e->err, (size_t)n, "a script line");
            return false;
        }
        if (!cmd_line_continues(b->s))
            return true;
    }
}

enum lr_status cmd_run_stream(struct cmd_ctx *c, FILE *fp,
                              const struct cmd_origin *origin)
{
    struct cmd_origin at = *origin;
    struct lr_strbuf b = {0};
    struct cmd_error e = {0};
    char *line = NULL;
    size_t cap = 0, n_lines = 0;
    enum lr_status st, first = LR_OK;

    at.line = 1;
    while (!c->wants_quit && read_command(&b, fp, &n_lines, &line, &cap, &e)) {
        const char *text = b.s;
        if (at.line == 1 && strncmp(text, "\xEF\xBB\xBF", 3) == 0)
            text += 3;
        st = cmd_run_text(c, text, &at);
        if (!st && c->replay && !at.is_check)
            st = cmd_replay_line(c, text, &at);
        at.line += n_lines;
        if (st && !first)
            first = st;
        bool goes_on = origin->is_check || c->settings.is_keep_going;
        if (st == LR_EINTR || (st && !goes_on))
            break;
    }
    if (e.err.code) {
        if (e.err.code == LR_EPARSE)
            lr_err_prefix(&e.err, "line %zu", at.line);
        cmd_report(c, &e, NULL, &at);
        c->n_failed++;
        first = e.err.code;
    }
    free(line);
    lr_strbuf_free(&b);
    return first;
}

/* path as seen from the script that runs now, for opening and for messages; lr_free it.
 */
static char *resolve(const struct cmd_ctx *c, const char *path)
{
    struct lr_strbuf b = {0};
    const struct cmd_origin *o = c->origin;

    while (o && !o->path)
        o = o->up;
    const char *slash = o ? strrchr(o->path, '/') : NULL;
    if (path[0] != '/' && slash)
        lr_strbuf_add(&b, o->path, (size_t)(slash + 1 - o->path));
    lr_strbuf_puts(&b, path);
    return lr_strbuf_take(&b);
}

/* Whether a script that runs now came from this file. */
static bool is_running(const struct cmd_ctx *c, const struct stat *st)
{
    struct stat other;

    for (const struct cmd_origin *o = c->origin; o; o = o->up)
        if (o->path && stat(o->path, &other) == 0 && other.st_dev == st->st_dev &&
            other.st_ino == st->st_ino)
            return true;
    return false;
}

enum lr_status cmd_run_file(struct cmd_ctx *c, const char *path, bool is_check,
                            struct cmd_error *e)
{
    struct cmd_origin at = {.is_check = is_check || (c->origin && c->origin->is_check)};
    struct stat info;
    FILE *fp = NULL;
    char *full = resolve(c, path);
    enum lr_status st;

    if (!full)
        return lr_enomem(&e->err, strlen(path), "a path");
    at.name = full;
    at.path = full;
    at.depth = c->origin ? c->origin->depth + 1 : 0;
    at.up = c->origin;
    if (at.depth > CMD_MAX_DEPTH) {
        st = lr_err_set(&e->err, LR_EINVAL, "%s: scripts are nested more than %d deep",
                        full, CMD_MAX_DEPTH);
        goto out;
    }
    fp = fopen(full, "re");
    if (!fp || fstat(fileno(fp), &info) != 0) {
        st = lr_err_set(&e->err, LR_EIO, "%s: %s", full, strerror(errno));
        goto out;
    }
    if (S_ISDIR(info.st_mode)) {
        st = lr_err_set(&e->err, LR_EIO, "%s is a folder, not a script", full);
        goto out;
    }
    if (S_ISREG(info.st_mode) && is_running(c, &info)) {
        st = lr_err_set(&e->err, LR_EINVAL,
                        "%s already runs: a script cannot source itself", full);
        goto out;
    }
    st = cmd_run_stream(c, fp, &at);
    if (st) {
        e->err.code = st;
        e->is_reported = true;
    }
out:
    if (fp)
        fclose(fp);
    lr_free(full);
    return st;
}
