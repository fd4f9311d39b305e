/* The sink of line mode: tables and messages on the standard streams, coloured where that
 * is wanted, and one progress line on the error stream, redrawn at most ten times a
 * second and erased before anything else is written. */
#include "ui/ui.h"

#include <errno.h>
#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ranklab/text.h"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void ui_screen_init(struct ui_screen *s, const struct cmd_settings *settings)
{
    *s = (struct ui_screen){.settings = settings};
    s->is_out_terminal = isatty(STDOUT_FILENO);
    s->is_err_terminal = isatty(STDERR_FILENO);
    s->started = now();
}

static bool has_color(const struct ui_screen *s, bool is_terminal)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    if (s->settings->color != CMD_COLOR_AUTO)
        return s->settings->color == CMD_COLOR_ALWAYS;
    return is_terminal && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

static void erase(struct ui_screen *s)
{
    if (!s->has_line)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    s->has_line = false;
}

static void check_out(struct ui_screen *s)
{
    if (!ferror(stdout))
        return;
    if (errno == EPIPE)
        s->is_out_closed = true;
    else if (!s->out_error)
        s->out_error = errno ? errno : EIO;
    clearerr(stdout);
}

/* To a terminal that is not known to take UTF-8 each byte beyond ASCII may be a character
 * of its own, or a control. */
static void put(const char *text, size_t n, FILE *fp, bool is_plain)
{
    if (!is_plain) {
        fwrite(text, 1, n, fp);
        return;
    }
    for (size_t i = 0; i < n;) {
        char one[5];
        size_t k = lr_utf8_take(one, text + i, n - i);
        fputc(one[0] & 0x80 ? '?' : one[0], fp);
        i += k;
    }
}

static void write_text(void *ctx, enum cmd_stream stream, enum cmd_style style,
                       const char *text, size_t n)
{
    static const char *const begin[] = {"", "\033[2m", "\033[33m", "\033[31m"};
    struct ui_screen *s = ctx;
    FILE *fp = stream == CMD_OUT ? stdout : stderr;
    bool is_terminal = stream == CMD_OUT ? s->is_out_terminal : s->is_err_terminal;
    bool is_plain = is_terminal && strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    bool is_colored = style != CMD_PLAIN && has_color(s, is_terminal);

    erase(s);
    /* With the reader gone there is nobody to tell; the program ends quietly. */
    if (s->is_out_closed || (stream == CMD_OUT && s->out_error))
        return;
    /* The two streams often are one terminal or file: keep their order. */
    if (fp == stderr)
        fflush(stdout);
    errno = 0;
    if (!is_colored) {
        put(text, n, fp, is_plain);
    } else {
        /* Only the first line: the quoted source line and the hint stay plain. */
        size_t first = strcspn(text, "\n");
        first = first < n ? first : n;
        fputs(begin[style], fp);
        put(text, first, fp, is_plain);
        fputs("\033[0m", fp);
        put(text + first, n - first, fp, is_plain);
    }
    if (fp == stdout) {
        fflush(stdout);
        check_out(s);
    }
}

static int screen_width(void)
{
    struct winsize w;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        return w.ws_col;
    return 80;
}

static void draw(struct ui_screen *s, double fraction, const char *what, double spent)
{
    struct lr_strbuf name = {0}, line = {0};
    int width = screen_width(), bar = width >= 70 ? 20 : width >= 50 ? 10 : 0;
    double left = fraction > 0.02 ? spent * (1 - fraction) / fraction : NAN;

    /* The bar never steps back; the time left follows what the work says now. */
    if (fraction > s->most)
        s->most = fraction;
    lr_text_escape(&name, what);
    lr_strbuf_printf(&line, "%s  ", name.s ? name.s : "");
    if (bar) {
        lr_strbuf_putc(&line, '[');
        for (int i = 0; i < bar; i++)
            lr_strbuf_putc(&line, i < (int)(s->most * bar + 0.5) ? '#' : '.');
        lr_strbuf_puts(&line, "] ");
    }
    lr_strbuf_printf(&line, "%2d %%", (int)(100 * s->most));
    if (left < 359999)
        lr_strbuf_printf(&line, "  %d:%02d left", (int)(left + 0.5) / 60,
                         (int)(left + 0.5) % 60);
    if (line.s && lr_text_columns(line.s) < width) {
        fprintf(stderr, "\r\033[K%s", line.s);
        fflush(stderr);
        s->has_line = true;
    }
    lr_strbuf_free(&name);
    lr_strbuf_free(&line);
}

static bool is_stopped(void *ctx)
{
    const struct ui_screen *s = ctx;

    return ui_signal_pending() || s->is_out_closed || s->out_error;
}

/* Each command has its own clock, also several of one line or script. */
static void begin_command(void *ctx)
{
    struct ui_screen *s = ctx;

    erase(s);
    s->started = now();
    s->last_drawn = 0;
    s->most = 0;
}

static int tick(void *ctx, double fraction, const char *what)
{
    struct ui_screen *s = ctx;
    double t;

    if (is_stopped(ctx))
        return 1;
    if (!s->is_err_terminal || s->settings->is_quiet)
        return 0;
    t = now();
    /* Short work shows no line at all. */
    if (t - s->started < 0.3 || t - s->last_drawn < 0.1)
        return 0;
    s->last_drawn = t;
    draw(s, fraction, what, t - s->started);
    return 0;
}

struct cmd_sink ui_screen_sink(struct ui_screen *s)
{
    return (struct cmd_sink){.write = write_text,
                             .begin = begin_command,
                             .tick = tick,
                             .is_stopped = is_stopped,
                             .ctx = s};
}

void ui_screen_flush(struct ui_screen *s)
{
    erase(s);
    errno = 0;
    if (!s->is_out_closed && !s->out_error && fflush(stdout) != 0)
        check_out(s);
}
