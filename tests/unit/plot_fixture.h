/* For the tests of plots: a folder of one's own with a stand-in for gnuplot, plots to
 * work on (one with hostile names, one plain line), and checks of text and scripts. */
#ifndef PLOT_FIXTURE_H
#define PLOT_FIXTURE_H

#include <ctype.h>
#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "out/plot.h"
#include "ranklab/file.h"
#include "ranklab/text.h"

/* ---- a folder of one's own, where temporary folders go too ---- */

struct place {
    char dir[1024], temp[2048];
    char *old_path, *old_temp;
};

static inline char *keep(const char *name)
{
    const char *v = getenv(name);

    return v ? strdup(v) : NULL;
}

static inline void put_back(const char *name, char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
    free(value);
}

static inline int set_up(void **state)
{
    struct place *p = calloc(1, sizeof(*p));
    const char *base = getenv("TMPDIR");

    p->old_path = keep("PATH");
    p->old_temp = keep("TMPDIR");
    snprintf(p->dir, sizeof(p->dir), "%s/ranklab-test-XXXXXX",
             base && *base ? base : "/tmp");
    if (!mkdtemp(p->dir))
        return -1;
    snprintf(p->temp, sizeof(p->temp), "%s/temp", p->dir);
    mkdir(p->temp, 0700);
    setenv("TMPDIR", p->temp, 1);
    setlocale(LC_CTYPE, "C.UTF-8");
    *state = p;
    return 0;
}

static inline void empty_folder(const char *dir)
{
    char name[8192];
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        snprintf(name, sizeof(name), "%s/%s", dir, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove(name);
    }
    if (d)
        closedir(d);
}

static inline int n_entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = -2;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static inline int tear_down(void **state)
{
    struct place *p = *state;

    put_back("PATH", p->old_path);
    put_back("TMPDIR", p->old_temp);
    int left = n_entries(p->temp);
    empty_folder(p->temp);
    empty_folder(p->dir);
    rmdir(p->dir);
    free(p);
    if (left != 0)
        fprintf(stderr, "%d temporary folders were left behind\n", left);
    return left;
}

struct path {
    char s[4096];
};
static inline struct path in(void **state, const char *name)
{
    struct path p;

    snprintf(p.s, sizeof(p.s), "%s/%s", ((struct place *)*state)->dir, name);
    return p;
}

static inline void save(void **state, const char *name, const char *text)
{
    FILE *fp = fopen(in(state, name).s, "wb");

    assert_non_null(fp);
    fputs(text, fp);
    assert_int_equal(fclose(fp), 0);
}

static inline char *load(const char *path, size_t *n)
{
    char *text = NULL;
    struct lr_err e = {0};

    if (lr_file_read(&text, n, path, 64 << 20, &e) != LR_OK)
        fail_msg("%s", e.msg);
    return text;
}

/* Puts a shell script named gnuplot before everything else in PATH. */
static inline void fake_gnuplot(void **state, const char *script)
{
    struct place *p = *state;
    char path[4096];

    save(state, "gnuplot", script);
    assert_int_equal(chmod(in(state, "gnuplot").s, 0700), 0);
    snprintf(path, sizeof(path), "%s:/usr/bin:/bin", p->dir);
    setenv("PATH", path, 1);
}

static inline void need_gnuplot(void)
{
    char buf[32];

    if (!out_plot_version(buf, sizeof(buf), NULL))
        skip();
}

/* ---- plots to work on ---- */

static const char *const hostile[] = {
    "`touch pwned1`",
    "'`touch pwned2`'",
    "\"`touch pwned3`\"",
    "@x",
    "$data",
    "EOD",
    "\nEOD\nsystem('touch pwned4')\n",
    "a\nb",
    "\\n",
    "\\",
    "\\\\'",
    "'",
    "''",
    "\"",
    "%d%s%g",
    "a'b'c'",
    "'a''b'''",
    "50%g",
    "{/Symbol a}",
    "a_b^c",
    "\x1b[31m\x1b]0;t\x07",
    "\xff\xfe\xc0\xaf",
    "\xe2\x80\xaerev",
    "<script>&amp;",
    "# comment",
    "$(touch pwned5)",
    "';system 'touch pwned6",
    "\" 1 2\n!touch pwned7\n",
    "a\xc2\x9bm",
    "\xef\xbf\xbe",
    "",
    "conv\xc3\xa9\xe4\xbd\x9c",
};
enum { N_HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

struct example {
    double x[N_HOSTILE], y[N_HOSTILE], low[N_HOSTILE], high[N_HOSTILE];
    bool is_open[N_HOSTILE];
    struct out_series series[8];
    struct out_mark marks[8];
    struct out_plot plot;
};

static inline void make_example(struct example *x, enum out_series_style style,
                                bool has_names)
{
    memset(x, 0, sizeof(*x));
    for (int i = 0; i < N_HOSTILE; i++) {
        x->x[i] = i;
        x->y[i] = 1 + fabs(sin(i));
        x->is_open[i] = i % 2;
        x->low[i] = x->y[i] * 0.9;
        x->high[i] = x->y[i] * 1.1;
    }
    for (int k = 0; k < 8; k++) {
        x->series[k] = (struct out_series){.title = hostile[3 * k],
                                           .style = style,
                                           .n = N_HOSTILE,
                                           .x = x->x,
                                           .y = x->y,
                                           .low = k % 2 ? x->low : NULL,
                                           .high = k % 2 ? x->high : NULL,
                                           .is_open = k % 4 < 2 ? x->is_open : NULL};
        x->marks[k] = (struct out_mark){.x = k,
                                        .label = hostile[3 * k + 1],
                                        .series = k - 1,
                                        .kind = (enum out_mark_kind)(k % 3),
                                        .y = k};
    }
    x->plot = (struct out_plot){.title = hostile[2],
                                .x_label = hostile[0],
                                .y_label = hostile[6],
                                .series = x->series,
                                .n_series = 8,
                                .marks = x->marks,
                                .n_marks = 8,
                                .x_names = has_names ? hostile : NULL,
                                .open_title = hostile[4],
                                .ring_title = hostile[7],
                                .cross_title = hostile[1]};
}

static double line_y[5] = {1, 2, 3, 4, 5};
static const struct out_series line_series = {
    .title = "line", .style = OUT_LINES, .n = 5, .y = line_y};
static const struct out_plot line_plot = {.title = "a line",
                                          .x_label = "x",
                                          .y_label = "y",
                                          .series = &line_series,
                                          .n_series = 1};

/* ---- checks ---- */

static inline bool is_one_data_string(const char *s, size_t n)
{
    if (n < 2 || s[0] != '"' || s[n - 1] != '"')
        return false;
    for (size_t i = 1; i < n - 1; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7F || s[i] == '"')
            return false;
        if (s[i] == '\\' && (i + 1 == n - 1 || s[++i] != '\\'))
            return false;
    }
    return true;
}

static inline bool is_utf8(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n;) {
        unsigned cp;
        int len = lr_utf8_decode(s + i, n - i, &cp);
        if (!len)
            return false;
        i += (size_t)len;
    }
    return true;
}

/* Outside single-quoted strings and data there may be nothing but plain words, numbers
 * and a few signs; data are numbers and at most one string at the end. */
static inline void check_script(const char *text)
{
    bool in_data = false;
    char *copy = strdup(text), *rest = copy, *line;

    while ((line = strsep(&rest, "\n"))) {
        if (in_data) {
            in_data = strcmp(line, "EOD") != 0;
            char *name = strchr(line, '"');
            if (name)
                assert_true(is_one_data_string(name, strlen(name)));
            size_t n = name ? (size_t)(name - line) : strlen(line);
            if (in_data)
                assert_true(strspn(line, "0123456789.+-e ") >= n);
            continue;
        }
        size_t n = strlen(line);
        in_data = n > 7 && strcmp(line + n - 7, " << EOD") == 0;
        for (char *p = line; *p; p++) {
            if (*p == '\'') {
                for (p++; *p != '\'' || p[1] == '\''; p++) {
                    assert_true(*p != '\0');
                    p += *p == '\'';
                }
                continue;
            }
            if (!isalnum((unsigned char)*p) && !strchr(" .,:;()[]$<=|+-_*/\\#", *p))
                fail_msg("'%c' in a command: %s", *p, line);
        }
        static const char *const forbidden[] = {"system",  "eval", "load",      "call",
                                                "sprintf", "!",    "set print", "exit"};
        for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
            assert_true(strncmp(line, forbidden[i], strlen(forbidden[i])) != 0);
    }
    assert_false(in_data);
    free(copy);
}

static inline double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#endif
