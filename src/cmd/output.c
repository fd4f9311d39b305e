/* Everything commands show goes through here: one-line messages, texts that were asked
 * for, and tables in the format of the settings or into the file named after `>`. */
#include "cmd/replay.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/text.h"

/* Messages share the standard output with tables only while people read it. */
static enum cmd_stream message_stream(const struct cmd_ctx *c)
{
    return c->settings.format == OUT_TABLE ? CMD_OUT : CMD_ERR;
}

static void write_line(struct cmd_ctx *c, enum cmd_stream stream, enum cmd_style style,
                       const char *before, const char *fmt, va_list ap)
{
    struct lr_strbuf raw = {0}, b = {0};

    lr_strbuf_vprintf(&raw, fmt, ap);
    lr_strbuf_puts(&b, before);
    if (raw.s)
        lr_text_escape(&b, raw.s);
    lr_strbuf_putc(&b, '\n');
    if (b.s && !b.is_failed && c->sink.write)
        c->sink.write(c->sink.ctx, stream, style, b.s, b.len);
    lr_strbuf_free(&raw);
    lr_strbuf_free(&b);
}

void cmd_check_memory(struct cmd_ctx *c, size_t refused_before)
{
    static const char text[] =
        "out of memory: the command was run, but what it printed may lack something\n";

    if (lr_mem_refused() == refused_before)
        return;
    c->n_failed++;
    if (c->sink.write)
        c->sink.write(c->sink.ctx, CMD_ERR, CMD_ERROR, text, sizeof(text) - 1);
}

void cmd_say(struct cmd_ctx *c, const char *fmt, ...)
{
    va_list ap;

    if (c->settings.is_quiet)
        return;
    va_start(ap, fmt);
    write_line(c, message_stream(c), CMD_PLAIN, "", fmt, ap);
    va_end(ap);
}

void cmd_warn(struct cmd_ctx *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_line(c, CMD_ERR, CMD_WARNING, "warning: ", fmt, ap);
    va_end(ap);
}

void cmd_text(struct cmd_ctx *c, const char *text)
{
    struct lr_strbuf b = {0};

    lr_text_escape_lines(&b, text);
    if (b.s && !b.is_failed && c->sink.write)
        c->sink.write(c->sink.ctx, message_stream(c), CMD_PLAIN, b.s, b.len);
    lr_strbuf_free(&b);
}

/* Gives the table out as rendered, which is released with it. */
static enum lr_status hand_out(struct cmd_ctx *c, struct out_table *t,
                               struct lr_strbuf *b, struct cmd_error *e)
{
    enum lr_status st = cmd_digest_add(c, NULL, t, &e->err);

    if (!st && (b->is_failed || t->is_failed))
        st = lr_enomem(&e->err, b->len, "a table");
    if (!st && c->redirect_path)
        lr_strbuf_add(&c->redirected, b->s ? b->s : "", b->len);
    else if (!st && b->s && c->sink.write)
        c->sink.write(c->sink.ctx, CMD_OUT, CMD_PLAIN, b->s, b->len);
    lr_strbuf_free(b);
    out_table_free(t);
    return st;
}

static enum out_format format_now(const struct cmd_ctx *c)
{
    return c->redirect_path ? out_format_of(c->redirect_path) : c->settings.format;
}

enum lr_status cmd_table(struct cmd_ctx *c, struct out_table *t, struct cmd_error *e)
{
    struct lr_strbuf b = {0};
    enum out_format format = format_now(c);

    if (c->n_tables++ && format != OUT_JSON)
        lr_strbuf_putc(&b, '\n');
    enum lr_status st = out_table_render(&b, t, format, c->settings.is_ascii, &e->err);
    if (!st)
        return hand_out(c, t, &b, e);
    lr_strbuf_free(&b);
    out_table_free(t);
    return st;
}

enum lr_status cmd_record_table(struct cmd_ctx *c, struct out_table *t,
                                struct cmd_error *e)
{
    struct lr_strbuf b = {0};
    int width = 0;

    if (format_now(c) != OUT_TABLE)
        return cmd_table(c, t, e);
    if (c->n_tables++)
        lr_strbuf_putc(&b, '\n');
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].title && (int)strlen(t->columns[i].title) > width)
            width = (int)strlen(t->columns[i].title);
    for (size_t i = 0; i < t->n_columns && i < t->n_cells; i++) {
        if (!t->columns[i].title)
            continue;
        lr_strbuf_printf(&b, "%-*s  ", width, t->columns[i].title);
        out_cell_text(&b, &t->columns[i], &t->cells[i]);
        lr_strbuf_putc(&b, '\n');
    }
    return hand_out(c, t, &b, e);
}

char *cmd_amount(char *buf, size_t size, double x)
{
    static const struct {
        double unit;
        const char *letter;
    } units[] = {{1e9, " G"}, {1e6, " M"}, {1e3, " k"}};

    for (size_t i = 0; i < 3; i++)
        if (x >= 0.9995 * units[i].unit) {
            double v = x / units[i].unit;
            snprintf(buf, size, "%.*f%s",
                     v < 9.995   ? 2
                     : v < 99.95 ? 1
                                 : 0,
                     v, units[i].letter);
            return buf;
        }
    snprintf(buf, size, "%.0f ", x);
    return buf;
}

enum lr_status cmd_blame(struct cmd_error *e, const struct cmd_value *v)
{
    e->has_place = true;
    e->place = v->begin;
    return e->err.code;
}

/* Bytes of text before the number it ends with. */
static size_t stem_length(const char *text)
{
    size_t n = strlen(text);

    while (n && text[n - 1] >= '0' && text[n - 1] <= '9')
        n--;
    return n;
}

/* The layer whose name differs from text in its last number only, and least in that;
 * NULL: none. */
static const char *nearest_number(const struct lr_session *s, const char *text)
{
    size_t n = stem_length(text);
    const char *best = NULL;
    double wanted = strtod(text + n, NULL), least = HUGE_VAL;

    for (int i = 0; n && text[n] && i < s->n_layers; i++) {
        const char *name = s->layers[i].name;
        if (stem_length(name) != n || !name[n] || strncmp(name, text, n) != 0)
            continue;
        double distance = fabs(strtod(name + n, NULL) - wanted);
        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    return best;
}

enum lr_status cmd_layers(int **out, int *n, struct cmd_ctx *c, const struct cmd_value *v,
                          struct cmd_error *e)
{
    enum lr_status st =
        lr_session_layer_set(out, n, c->session, v->is_set ? v->text : "all", &e->err);

    if (st && v->is_set) {
        const char *near = nearest_number(c->session, v->text);
        if (st == LR_EINVAL && near)
            lr_err_set(&e->err, st, "no layer %s: did you mean %s?", v->text, near);
        cmd_blame(e, v);
    }
    return st;
}

enum lr_status cmd_path(char **path, const struct cmd_value *v, struct cmd_error *e)
{
    struct lr_strbuf b = {0};
    const char *home = getenv("HOME"), *rest = v->text;

    if (strncmp(rest, "~/", 2) == 0 && home && home[0]) {
        lr_strbuf_puts(&b, home);
        rest++;
    }
    lr_strbuf_puts(&b, rest);
    *path = lr_strbuf_take(&b);
    return *path ? LR_OK : lr_enomem(&e->err, strlen(rest), "a path");
}

/* The network that is open is never replaced: the session's script begins with it. */
enum lr_status cmd_path_out(char **path, const struct cmd_ctx *c,
                            const struct cmd_value *v, struct cmd_error *e)
{
    enum lr_status st = cmd_path(path, v, e);
    char *real = st ? NULL : realpath(*path, NULL);

    if (real && c->session->model_path && strcmp(real, c->session->model_path) == 0) {
        st = cmd_fail_at(e, v->begin, LR_EINVAL,
                         "%s is the network that is open; give another name", *path);
        lr_free(*path);
        *path = NULL;
    }
    free(real);
    return st;
}

enum lr_status cmd_check_safe(const struct cmd_ctx *c, const char *what,
                              struct cmd_error *e)
{
    if (!c->settings.is_safe)
        return LR_OK;
    cmd_hint(e, "without --to the plot is drawn as text");
    return lr_err_set(&e->err, LR_EUNSUP,
                      "%s needs gnuplot, and --safe starts no program", what);
}
