/* Plots by gnuplot. The script, with its data, lies in a new folder that only the user
 * can enter; gnuplot works there with fixed file names, never learns of any other, and
 * gives its picture through a pipe. Which terminals there are is asked each time:
 * it takes some milliseconds and keeps this without state. */
#include "plot_run.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "folder.h"
#include "spawn.h"
#include "ranklab/file.h"
#include "ranklab/text.h"

enum {
    TIMEOUT_MS = 30000,
    WINDOW_MS = 700,
    DIR_SIZE = OUT_FOLDER_SIZE,
    PATH_SIZE = DIR_SIZE + 64
};

static void join(char path[PATH_SIZE], const char *dir, const char *name)
{
    snprintf(path, PATH_SIZE, "%s/%s", dir, name);
}

/* No fsync: the file lives for a moment. */
static enum lr_status put_file(const char *dir, const char *name, const char *text,
                               size_t n, struct lr_err *e)
{
    char path[PATH_SIZE], buf[128];

    join(path, dir, name);
    FILE *fp = fopen(path, "wbe");
    bool is_ok = fp && fwrite(text, 1, n, fp) == n;
    int err = errno;
    if (fp && fclose(fp) != 0 && is_ok) {
        is_ok = false;
        err = errno;
    }
    if (is_ok)
        return LR_OK;
    return lr_err_set(e, LR_EIO, "%s: cannot write: %s", path,
                      strerror_r(err, buf, sizeof(buf)));
}

/* ---- gnuplot ---- */

static enum lr_status run(struct lr_strbuf *out, const char *dir, const char *script,
                          const struct lr_progress *progress, struct lr_err *e)
{
    const char *argv[] = {"gnuplot", "-d", script, NULL};
    const struct out_program p = {.argv = argv, .dir = dir, .timeout_ms = TIMEOUT_MS};

    return out_spawn(out, &p, progress, e);
}

/* What gnuplot says of itself: its version, then its terminals between spaces. */
static enum lr_status probe(struct lr_strbuf *terminals, const char *dir,
                            const struct lr_progress *progress, struct lr_err *e)
{
    static const char script[] =
        "set print '-'\nprint GPVAL_VERSION\nprint ' '.GPVAL_TERMINALS.' '\n";
    char *end = NULL;

    enum lr_status st = put_file(dir, "probe.gp", script, strlen(script), e);
    if (st == LR_OK)
        st = run(terminals, dir, "probe.gp", progress, e);
    if (st != LR_OK)
        return st;
    double version = terminals->s ? strtod(terminals->s, &end) : 0;
    if (!end || end == terminals->s || *end != '\n')
        return lr_err_set(e, LR_EBACKEND, "gnuplot does not say its version");
    if (!(version >= 5))
        return lr_err_set(e, LR_EBACKEND,
                          "gnuplot %.1f is too old; version 5 or later is needed",
                          version);
    return LR_OK;
}

static bool has_terminal(const struct lr_strbuf *terminals, const char *name)
{
    char word[32];

    snprintf(word, sizeof(word), " %s ", name);
    return terminals->s && strstr(terminals->s, word);
}

const char *out_plot_version(char *buf, size_t size, const struct lr_progress *progress)
{
    const char *argv[] = {"gnuplot", "--version", NULL};
    struct lr_strbuf out = {0};
    char version[16] = "", level[16] = "";

    const struct out_program p = {.argv = argv, .dir = "/", .timeout_ms = TIMEOUT_MS};
    enum lr_status st = out_spawn(&out, &p, progress, NULL);
    bool is_ok = st == LR_OK && out.s &&
                 sscanf(out.s, "gnuplot %15s patchlevel %15s", version, level) >= 1;
    lr_strbuf_free(&out);
    if (!is_ok)
        return NULL;
    snprintf(buf, size, "%s%s%s", version, *level ? "." : "", level);
    return buf;
}

/* ---- files ---- */

struct target {
    const char *ending, *terminals[2];
    const char *last; /* what such a file ends with */
};

static const struct target *find_target(const char *path)
{
    static const struct target targets[] = {
        {".svg", {"svg", NULL}, "</svg>"},
        {".png", {"pngcairo", "png"}, "IEND\xAE\x42\x60\x82"},
        {".pdf", {"pdfcairo", NULL}, "%%EOF"},
    };
    size_t n = strlen(path);

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        if (n > 4 && strcasecmp(path + n - 4, targets[i].ending) == 0)
            return &targets[i];
    return NULL;
}

static enum lr_status no_file(const char *path, struct lr_err *e)
{
    struct lr_strbuf shown = {0};

    lr_text_escape(&shown, path);
    lr_err_set(e, LR_EINVAL, "%.200s: plots are written as .svg, .png or .pdf",
               shown.is_failed ? "?" : shown.s);
    lr_strbuf_free(&shown);
    return LR_EINVAL;
}

/* The first terminal of t that gnuplot has. */
static enum lr_status choose(const char **terminal, const struct target *t,
                             const char *dir, const struct lr_progress *progress,
                             struct lr_err *e)
{
    struct lr_strbuf terminals = {0};

    *terminal = NULL;
    enum lr_status st = probe(&terminals, dir, progress, e);
    for (int i = 0; st == LR_OK && !*terminal && i < 2; i++)
        if (t->terminals[i] && has_terminal(&terminals, t->terminals[i]))
            *terminal = t->terminals[i];
    if (st == LR_OK && !*terminal)
        st = lr_err_set(e, LR_EBACKEND, "this gnuplot cannot write %s: it lacks %s",
                        t->ending, t->terminals[0]);
    lr_strbuf_free(&terminals);
    return st;
}

static bool is_whole(const struct lr_strbuf *file, const struct target *t)
{
    size_t end = file->len, n = strlen(t->last);

    while (end && file->s[end - 1] == '\n')
        end--;
    return end >= n && memcmp(file->s + end - n, t->last, n) == 0;
}

/* The picture comes through a pipe: gnuplot does not notice when a disk has no room for
 * what it writes. */
enum lr_status out_plot_file(const struct out_plot *p, const char *path,
                             const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_strbuf script = {0}, file = {0};
    const struct target *t = find_target(path);
    char dir[DIR_SIZE] = "";
    const char *terminal;
    struct plot_extent extent;

    if (!t)
        return no_file(path, e);
    enum lr_status st = plot_measure(&extent, p, e);
    if (st != LR_OK)
        return st;
    st = out_folder_make(dir, "plot", e);
    if (st == LR_OK)
        st = choose(&terminal, t, dir, progress, e);
    if (st == LR_OK)
        st = out_plot_script(&script, p, terminal, NULL, e);
    if (st == LR_OK)
        st = put_file(dir, "plot.gp", script.s, script.len, e);
    if (st == LR_OK)
        st = run(&file, dir, "plot.gp", progress, e);
    if (st == LR_OK && !is_whole(&file, t))
        st = lr_err_set(e, LR_EBACKEND, "gnuplot wrote no whole %s file (%zu bytes)",
                        t->ending + 1, file.len);
    if (st == LR_OK)
        st = lr_file_write(path, file.s, file.len, e);
    out_folder_remove(dir);
    lr_strbuf_free(&script);
    lr_strbuf_free(&file);
    return st;
}

enum lr_status out_plot_save_script(const struct out_plot *p, const char *path,
                                    struct lr_err *e)
{
    struct lr_strbuf b = {0};

    enum lr_status st = out_plot_script(&b, p, NULL, NULL, e);
    if (st == LR_OK)
        st = lr_file_write(path, b.s, b.len, e);
    lr_strbuf_free(&b);
    return st;
}

enum lr_status out_plot_window(const struct out_plot *p,
                               const struct lr_progress *progress, struct lr_err *e)
{
    static const char *const windows[] = {"qt", "wxt", "x11"};
    /* The folder is gone before gnuplot has read all, so it reads an open descriptor. */
    const char *argv[] = {"gnuplot", "-d", "/dev/fd/3", NULL};
    struct lr_strbuf terminals = {0}, script = {0};
    char dir[DIR_SIZE] = "", input[PATH_SIZE], errors[PATH_SIZE];
    const char *display = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    const char *terminal = NULL;
    bool has_x = display && *display, has_wayland = wayland && *wayland;

    if (!has_x && !has_wayland)
        return lr_err_set(e, LR_EBACKEND,
                          "no window: neither DISPLAY nor WAYLAND_DISPLAY "
                          "is set; a plot can go to a file");
    enum lr_status st = out_folder_make(dir, "plot", e);
    if (st == LR_OK)
        st = probe(&terminals, dir, progress, e);
    if (st != LR_OK)
        goto out;
    for (int i = 0; i < 3 && !terminal; i++)
        if (has_terminal(&terminals, windows[i]) && (i < 2 || has_x))
            terminal = windows[i];
    if (!terminal) {
        st = lr_err_set(e, LR_EBACKEND,
                        "this gnuplot opens no windows: it lacks qt, wxt "
                        "and x11");
        goto out;
    }
    st = out_plot_script(&script, p, terminal, NULL, e);
    if (st == LR_OK)
        st = put_file(dir, "plot.gp", script.s, script.len, e);
    if (st != LR_OK)
        goto out;
    join(input, dir, "plot.gp");
    join(errors, dir, "errors");
    st = out_spawn_detached(argv, input, errors, WINDOW_MS, e);
out:
    out_folder_remove(dir);
    lr_strbuf_free(&terminals);
    lr_strbuf_free(&script);
    return st;
}

/* ---- text ---- */

/* Appends the clean text of s with a question mark for every column that is not ASCII. */
static void put_ascii(struct lr_strbuf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        char one[5];
        size_t k = lr_utf8_take(one, s + i, n - i);
        i += k;
        if (k == 1 && !(one[0] & 0x80))
            lr_strbuf_putc(b, one[0]);
        else
            for (int col = lr_text_columns(one); col > 0; col--)
                lr_strbuf_putc(b, '?');
    }
}

/* Appends one line, cut to width columns, without controls and spaces at its end. */
static void put_line(struct lr_strbuf *b, const char *s, size_t n, int width,
                     bool is_ascii)
{
    struct lr_strbuf clean = {0};
    char *line = lr_strndup(s, n);

    if (line)
        plot_clean(&clean, line, n + 1);
    if (!line || clean.is_failed) {
        b->is_failed = true;
    } else {
        size_t end = 0;
        int used = 0;
        for (size_t i = 0; i < clean.len;) {
            char one[5] = "";
            unsigned cp = 0;
            int len = lr_utf8_decode(clean.s + i, clean.len - i, &cp);
            size_t k = len ? (size_t)len : 1;
            memcpy(one, clean.s + i, k);
            used += lr_text_columns(one);
            if (used > width)
                break;
            i += k;
            end = i;
        }
        while (end > 0 && clean.s[end - 1] == ' ')
            end--;
        if (is_ascii)
            put_ascii(b, clean.s, end);
        else
            lr_strbuf_add(b, clean.s, end);
        lr_strbuf_putc(b, '\n');
    }
    lr_free(line);
    lr_strbuf_free(&clean);
}

enum lr_status plot_dumb(struct lr_strbuf *b, const struct out_plot *p, int width,
                         int height, bool is_ascii, const struct lr_progress *progress,
                         struct lr_err *e)
{
    struct lr_strbuf script = {0}, out = {0};
    char dir[DIR_SIZE] = "", terminal[64];

    snprintf(terminal, sizeof(terminal), "dumb size %d,%d", width, height);
    enum lr_status st = out_plot_script(&script, p, terminal, NULL, e);
    if (st == LR_OK)
        st = out_folder_make(dir, "plot", e);
    if (st == LR_OK)
        st = put_file(dir, "plot.gp", script.s, script.len, e);
    if (st == LR_OK)
        st = run(&out, dir, "plot.gp", progress, e);
    if (st != LR_OK)
        goto out;
    const char *s = out.s ? out.s : "", *label = p->y_label;
    s += strspn(s, "\f\n");
    int n_lines = 0;
    while (n_lines < height && *s) {
        size_t n = strcspn(s, "\n");
        bool is_empty = strspn(s, " ") == n;
        /* The empty line above a title makes room for the y axis's label below it. */
        if (n_lines > 0 || !is_empty || !label) {
            put_line(b, s, n, width, is_ascii);
            n_lines++;
        }
        if (label && n_lines == 1 && n_lines < height) {
            put_line(b, label, strlen(label), width, is_ascii);
            label = NULL;
            n_lines++;
        }
        s += n + (s[n] == '\n');
    }
    if (b->is_failed)
        st = lr_enomem(e, out.len, "a plot");
out:
    out_folder_remove(dir);
    lr_strbuf_free(&script);
    lr_strbuf_free(&out);
    return st;
}
