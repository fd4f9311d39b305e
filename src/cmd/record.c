/* Keeping what was done: the list behind `history`, and script files that receive every
 * accepted command (the automatic one of each session, and the one of `record FILE`).
 * Prefixes are written out, sourced scripts line by line, so the file runs anywhere. */
#include "cmd/context.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/append.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/text.h"

enum { MAX_DONE = 10000 };

enum lr_status cmd_done_add(struct cmd_ctx *c, struct lr_strbuf *text, const char *after,
                            bool is_failed, struct cmd_error *e)
{
    if (c->n_done == MAX_DONE) {
        size_t half = MAX_DONE / 2;
        for (size_t i = 0; i < half; i++) {
            lr_free(c->done[i].text);
            lr_free(c->done[i].after);
        }
        memmove(c->done, c->done + half, (c->n_done - half) * sizeof(*c->done));
        c->n_done -= half;
    }
    if (c->n_done == c->cap_done) {
        size_t cap = c->cap_done ? 2 * c->cap_done : 64;
        struct cmd_done *done = lr_realloc(c->done, c->n_done, cap, sizeof(*done));
        if (!done) {
            lr_strbuf_free(text);
            return lr_enomem(&e->err, cap * sizeof(*done), "the history");
        }
        c->done = done;
        c->cap_done = cap;
    }
    char *taken = lr_strbuf_take(text), *copy = after ? lr_strdup(after) : NULL;
    if (!taken || (after && !copy)) {
        lr_free(taken);
        lr_free(copy);
        return lr_enomem(&e->err, 1, "the history");
    }
    c->done[c->n_done++] = (struct cmd_done){taken, copy, is_failed};
    return LR_OK;
}

/* A recorded script begins with the seed that was in force before its first command; a
 * `set seed` among the commands follows in its own place. */
static void add_header(struct lr_strbuf *b, const struct cmd_ctx *c, bool has_network)
{
    char here[4096], blas[128], engine[128];

    lr_strbuf_printf(b, "# ranklab %s session, seed %" PRIu64 ", threads %d\n",
                     PACKAGE_VERSION, c->first_seed, c->first_threads);
    lr_strbuf_printf(b, "# libraries %s; %s\n", lr_la_version(blas, sizeof(blas)),
                     lr_engine_version(engine, sizeof(engine)));
    if (getcwd(here, sizeof(here)) && !strchr(here, '\n'))
        lr_strbuf_printf(b, "# folder %s\n", here);
    if (has_network) {
        lr_strbuf_puts(b, "# network ");
        lr_text_escape(b, c->session->model_name);
        lr_strbuf_printf(b, " sha256 %s\n", c->session->model_sha256);
    }
    lr_strbuf_printf(b, "set seed %" PRIu64 "\n", c->first_seed);
}

/* The folder of the automatic record; 0 or errno. */
static int make_place(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? lr_strndup(path, (size_t)(slash - path)) : NULL;
    char *above = lr_xdg_dir("state", true);
    int err = above ? 0 : errno;

    if (!err && folder && folder[0] && mkdir(folder, 0700) != 0 && errno != EEXIST)
        err = errno;
    lr_free(above);
    lr_free(folder);
    return err;
}

/* A home that does not let itself be written is no news; a disk that fails is. */
static bool is_refusal(int err)
{
    return err == EACCES || err == EPERM || err == EROFS || err == ENOENT ||
           err == ENOTDIR;
}

/* Opens the file of r, which begins with the header when it is new; 0 or errno. */
static int open_record(struct cmd_recorder *r, struct lr_strbuf *text, struct cmd_ctx *c)
{
    int err = r == &c->auto_record ? make_place(r->path) : 0;

    if (err)
        return err;
    int fd = open(r->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    r->fd = fd;
    r->is_open = true;
    add_header(text, c, false);
    return 0;
}

/* A command and the comment lines that belong to it are written together. */
static void record_into(struct cmd_recorder *r, struct cmd_ctx *c,
                        const struct cmd_call *call, const char *after)
{
    struct lr_strbuf b = {0};
    bool is_auto = r == &c->auto_record;
    int err = 0;

    if (!r->path || r->has_failed)
        return;
    const struct cmd_row *row = call->nested ? call->nested->row : call->row;
    if (!r->is_open && is_auto && (row->flags & CMD_ASIDE))
        return;
    if (!r->is_open)
        err = open_record(r, &b, c);
    bool is_refused = is_auto && is_refusal(err);
    cmd_call_print(&b, call, r->is_absolute);
    lr_strbuf_putc(&b, '\n');
    if (after)
        lr_strbuf_puts(&b, after);
    if (!err)
        err = b.is_failed ? ENOMEM : lr_append(r->fd, b.s, b.len);
    lr_strbuf_free(&b);
    if (!err)
        return;
    r->has_failed = true;
    if (!is_refused)
        cmd_warn(c, "recording stopped: %s: %s", r->path, strerror(err));
    /* Who asked for a script did not get it; the automatic one is a courtesy. */
    if (!is_auto) {
        c->n_failed++;
        cmd_record_stop(r);
    }
}

bool cmd_is_recorded(const struct cmd_call *call)
{
    /* What could not be parsed has no row; the history shows it as it was typed. */
    for (; call; call = call->nested)
        if (call->row && (call->row->flags & CMD_NOT_RECORDED))
            return false;
    return true;
}

void cmd_record_call(struct cmd_ctx *c, const struct cmd_call *call, const char *after)
{
    if (!cmd_is_recorded(call))
        return;
    record_into(&c->auto_record, c, call, after);
    record_into(&c->user_record, c, call, after);
}

void cmd_record_text(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    add_header(b, c, c->session->graph != NULL);
    for (size_t i = 0; i < c->n_done; i++) {
        if (c->done[i].is_failed)
            continue;
        lr_strbuf_printf(b, "%s\n", c->done[i].text);
        if (c->done[i].after)
            lr_strbuf_puts(b, c->done[i].after);
    }
}

enum lr_status cmd_record_start(struct cmd_ctx *c, const char *path, struct cmd_error *e)
{
    struct cmd_recorder r = {0};
    struct lr_strbuf b = {0};
    enum lr_status st;

    cmd_record_text(&b, c);
    st = b.is_failed ? lr_enomem(&e->err, b.len, "a script")
                     : lr_file_write(path, b.s, b.len, &e->err);
    lr_strbuf_free(&b);
    if (st)
        return st;
    r.path = lr_strdup(path);
    r.fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY);
    r.is_open = r.fd >= 0;
    if (!r.path || !r.is_open) {
        st = lr_err_set(&e->err, LR_EIO, "%s: %s", path, strerror(errno));
        cmd_record_stop(&r);
        return st;
    }
    cmd_record_stop(&c->user_record);
    c->user_record = r;
    return LR_OK;
}

void cmd_record_stop(struct cmd_recorder *r)
{
    if (r->is_open)
        close(r->fd);
    lr_free(r->path);
    *r = (struct cmd_recorder){0};
}
