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
                     PACKAGE_VERSION, c->first_seed, lr_la_threads());
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

/* A command and the comment lines that belong to it go out together. */
static void write_call(FILE *fp, const struct cmd_call *call, const char *after,
                       bool is_absolute)
{
    struct lr_strbuf b = {0};

    cmd_call_print(&b, call, is_absolute);
    lr_strbuf_putc(&b, '\n');
    if (after)
        lr_strbuf_puts(&b, after);
    if (b.s && !b.is_failed)
        fwrite(b.s, 1, b.len, fp);
    lr_strbuf_free(&b);
    fflush(fp);
}

/* The folder of the automatic record. Failing shows when the file is opened. */
static void make_place(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? lr_strndup(path, (size_t)(slash - path)) : NULL;

    lr_free(lr_xdg_dir("state", true));
    if (folder && folder[0])
        mkdir(folder, 0700);
    lr_free(folder);
}

static void record_into(struct cmd_recorder *r, struct cmd_ctx *c,
                        const struct cmd_call *call, const char *after)
{
    if (!r->path || r->has_failed)
        return;
    bool is_auto = r == &c->auto_record;
    const struct cmd_row *row = call->nested ? call->nested->row : call->row;
    if (!r->fp && is_auto && (row->flags & CMD_ASIDE))
        return;
    if (!r->fp) {
        if (is_auto)
            make_place(r->path);
        int fd = open(r->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        r->fp = fd >= 0 ? fdopen(fd, "a") : NULL;
        if (!r->fp) {
            if (fd >= 0)
                close(fd);
            r->has_failed = true;
            /* The automatic file is a courtesy; a home that cannot be written is no news.
             */
            if (!is_auto)
                cmd_warn(c, "recording stopped: %s: %s", r->path, strerror(errno));
            return;
        }
        struct lr_strbuf head = {0};
        add_header(&head, c, false);
        if (head.s && !head.is_failed)
            fwrite(head.s, 1, head.len, r->fp);
        lr_strbuf_free(&head);
    }
    write_call(r->fp, call, after, r->is_absolute);
    if (ferror(r->fp)) {
        r->has_failed = true;
        cmd_warn(c, "recording stopped: %s: %s", r->path, strerror(errno));
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
    r.fp = fopen(path, "ae");
    if (!r.path || !r.fp) {
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
    if (r->fp)
        fclose(r->fp);
    lr_free(r->path);
    *r = (struct cmd_recorder){0};
}
