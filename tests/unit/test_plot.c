/* Unit tests of src/out plots: text that must never become a command, the script,
 * thinning, running gnuplot (and programs that stand in for it), and the character plot.
 * Tests that need gnuplot are skipped where it is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "out/plot.h"
#include "out/plot_data.h"
#include "out/plot_spawn.h"
#include "out/plot_text.h"
#include "ranklab/file.h"
#include "ranklab/rng.h"
#include "ranklab/text.h"

/* ---- a folder of one's own, where temporary folders go too ---- */

struct place {
    char dir[1024], temp[2048];
    char *old_path, *old_temp;
};

static char *keep(const char *name)
{
    const char *v = getenv(name);

    return v ? strdup(v) : NULL;
}

static void put_back(const char *name, char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
    free(value);
}

static int set_up(void **state)
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

static void empty_folder(const char *dir)
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

static int n_entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = -2;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static int tear_down(void **state)
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
static struct path in(void **state, const char *name)
{
    struct path p;

    snprintf(p.s, sizeof(p.s), "%s/%s", ((struct place *)*state)->dir, name);
    return p;
}

static void save(void **state, const char *name, const char *text)
{
    FILE *fp = fopen(in(state, name).s, "wb");

    assert_non_null(fp);
    fputs(text, fp);
    assert_int_equal(fclose(fp), 0);
}

static char *load(const char *path, size_t *n)
{
    char *text = NULL;
    struct lr_err e = {0};

    if (lr_file_read(&text, n, path, 64 << 20, &e) != LR_OK)
        fail_msg("%s", e.msg);
    return text;
}

/* Puts a shell script named gnuplot before everything else in PATH. */
static void fake_gnuplot(void **state, const char *script)
{
    struct place *p = *state;
    char path[4096];

    save(state, "gnuplot", script);
    assert_int_equal(chmod(in(state, "gnuplot").s, 0700), 0);
    snprintf(path, sizeof(path), "%s:/usr/bin:/bin", p->dir);
    setenv("PATH", path, 1);
}

static void need_gnuplot(void)
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
    struct out_series series[8];
    struct out_mark marks[8];
    struct out_plot plot;
};

static void make_example(struct example *x, enum out_series_style style, bool has_names)
{
    memset(x, 0, sizeof(*x));
    for (int i = 0; i < N_HOSTILE; i++) {
        x->x[i] = i;
        x->y[i] = 1 + fabs(sin(i));
        x->low[i] = x->y[i] * 0.9;
        x->high[i] = x->y[i] * 1.1;
    }
    for (int k = 0; k < 8; k++) {
        x->series[k] = (struct out_series){
            hostile[3 * k],        style, N_HOSTILE, x->x, x->y, k % 2 ? x->low : NULL,
            k % 2 ? x->high : NULL};
        x->marks[k] = (struct out_mark){k, hostile[3 * k + 1], k - 1};
    }
    x->plot = (struct out_plot){.title = hostile[2],
                                .x_label = hostile[0],
                                .y_label = hostile[6],
                                .series = x->series,
                                .n_series = 8,
                                .marks = x->marks,
                                .n_marks = 8,
                                .x_names = has_names ? hostile : NULL};
}

static double line_y[5] = {1, 2, 3, 4, 5};
static const struct out_series line_series = {"line", OUT_LINES, 5,   NULL,
                                              line_y, NULL,      NULL};
static const struct out_plot line_plot = {.title = "a line",
                                          .x_label = "x",
                                          .y_label = "y",
                                          .series = &line_series,
                                          .n_series = 1};

/* ---- quoting ---- */

/* The text inside one single-quoted gnuplot string that fills s exactly, or NULL. */
static bool is_one_command_string(const char *s, size_t n)
{
    if (n < 2 || s[0] != '\'' || s[n - 1] != '\'')
        return false;
    for (size_t i = 1; i < n - 1; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7F)
            return false;
        if (s[i] == '\'' && (i + 1 == n - 1 || s[++i] != '\''))
            return false;
    }
    return true;
}

static bool is_one_data_string(const char *s, size_t n)
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

static bool is_utf8(const char *s)
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

static void check_quotes(const char *text)
{
    struct lr_strbuf b = {0};

    plot_quote(&b, PLOT_IN_COMMAND, text, 100);
    assert_true(is_one_command_string(b.s, b.len));
    assert_true(is_utf8(b.s));
    lr_strbuf_reset(&b);
    plot_quote(&b, PLOT_IN_DATA, text, 100);
    assert_true(is_one_data_string(b.s, b.len));
    assert_true(is_utf8(b.s));
    lr_strbuf_free(&b);
}

static void quote__is_one_string_whatever_the_text(void **state)
{
    (void)state;
    static const char alphabet[] =
        "`'\"\\%@{}\n\r\t\x1b$#EODa \x7f\xc2\x9b\xe2\x80\xae\xff;!|<";
    struct lr_rng rng;
    char text[64];

    for (size_t i = 0; i < N_HOSTILE; i++)
        check_quotes(hostile[i]);
    check_quotes(NULL);
    lr_rng_seed(&rng, 5);
    for (int i = 0; i < 20000; i++) {
        size_t n = (size_t)lr_rng_below(&rng, sizeof(text));
        for (size_t k = 0; k < n; k++)
            text[k] = i % 2 ? alphabet[lr_rng_below(&rng, sizeof(alphabet) - 1)]
                            : (char)(1 + lr_rng_below(&rng, 255));
        text[n] = '\0';
        check_quotes(text);
    }
}

static void quote__keeps_good_text_and_cuts_long_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"conv2_1", "'conv2_1'"},
        {"it's", "'it''s'"},
        {"a\nb\tc", "'abc'"},
        {"\xff", "'\xef\xbf\xbd'"},
        {"\xc3\xa9", "'\xc3\xa9'"},
        {"123456789", "'12345678...'"},
        {"`id`", "'`id`'"},
        {"\\", "'\\'"},
        {"\xe2\x80\xae", "''"},
        {"'a'", "'\xe2\x80\x99"
                "a'''"},
        {"a''b", "'a\xe2\x80\x99\xe2\x80\x99"
                 "b'"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_strbuf b = {0};
        plot_quote(&b, PLOT_IN_COMMAND, cases[i].text, 8);
        assert_string_equal(b.s, cases[i].wanted);
        lr_strbuf_free(&b);
    }
}

/* ---- script ---- */

/* Outside single-quoted strings and data there may be nothing but plain words, numbers
 * and a few signs; data are numbers and at most one string at the end. */
static void check_script(const char *text)
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

static void script__holds_only_known_commands_when_names_are_hostile(void **state)
{
    (void)state;
    static const char *const terminals[] = {"svg", "pngcairo", "dumb size 80,24", "qt",
                                            NULL};

    for (int style = OUT_LINES; style <= OUT_BARS; style++)
        for (int flags = 0; flags < 4; flags++)
            for (int t = 0; t < 5; t++) {
                struct example x;
                struct lr_strbuf b = {0};
                make_example(&x, (enum out_series_style)style, flags & 1);
                x.plot.is_log_y = flags & 2;
                assert_int_equal(out_plot_script(&b, &x.plot, terminals[t],
                                                 t < 2 ? "out.svg" : NULL, NULL),
                                 LR_OK);
                check_script(b.s);
                assert_null(strstr(b.s, "\x1b"));
                lr_strbuf_free(&b);
            }
}

static void script__refuses_odd_terminals_and_outputs(void **state)
{
    (void)state;
    static const char *const bad[] = {"svg; !touch x", "svg\n!x", "`id`", "x11 \"a\"",
                                      "a|b"};
    struct lr_strbuf b = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(out_plot_script(&b, &line_plot, bad[i], NULL, NULL), LR_EINVAL);
        assert_int_equal(out_plot_script(&b, &line_plot, "svg", bad[i], NULL), LR_EINVAL);
    }
    assert_int_equal(b.len, 0);
    lr_strbuf_free(&b);
}

static void script__writes_gaps_and_error_bars(void **state)
{
    (void)state;
    double x[6] = {1, 2, 3, NAN, 5, 6}, y[6] = {0.1, NAN, -1, 1, 0.5, 0.3};
    double low[6] = {0, 0, 0, 0, 0.4, NAN}, high[6] = {0.2, 0, 0, 0, 0.6, 0.1};
    struct out_series s = {"s", OUT_LINESPOINTS, 6, x, y, low, high};
    struct out_plot p = {.is_log_y = true, .series = &s, .n_series = 1};
    struct lr_strbuf b = {0};

    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), LR_OK);
    /* low 0 is drawn down to the smallest positive value; NaN and a bar on the wrong side
     * become the value itself */
    assert_non_null(strstr(b.s, "$data1 << EOD\n1 0.1 0.1 0.2\n\n5 0.5 0.4 0.6\n"
                                "6 0.3 0.3 0.3\nEOD\n"));
    assert_non_null(strstr(b.s, "set logscale y 10\n"));
    assert_non_null(strstr(b.s, "with yerrorbars"));
    lr_strbuf_free(&b);
}

static void script__follows_the_order_of_marks_and_names(void **state)
{
    (void)state;
    static const char *const names[5] = {"a", "b\"c", "d\\e", "f", "g"};
    struct out_mark marks[2] = {{3.5, "late", 0}, {1, "early", -1}};
    struct out_plot p = line_plot;
    struct lr_strbuf b = {0};

    p.marks = marks;
    p.n_marks = 2;
    p.x_names = names;
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), LR_OK);
    assert_non_null(strstr(b.s,
                           "$names << EOD\n0 \"a\"\n1 \"b'c\"\n2 \"d\\\\e\"\n3 \"f\"\n"
                           "4 \"g\"\nEOD\n"));
    assert_true(strstr(b.s, "'early'") < strstr(b.s, "'late'"));
    /* where the mark meets the curve */
    assert_non_null(strstr(b.s, "$rings << EOD\n3.5 4.5 1\nEOD\n"));
    assert_null(strstr(b.s, "nan"));
    lr_strbuf_free(&b);
}

static void script__refuses_when_there_is_nothing_to_plot(void **state)
{
    (void)state;
    double y[2] = {NAN, INFINITY}, negative[2] = {-1, 0};
    struct out_series s = {"s", OUT_LINES, 2, NULL, y, NULL, NULL};
    struct out_plot p = {.series = &s, .n_series = 1};
    struct lr_strbuf b = {0};
    struct lr_err e = {0};

    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", &e), LR_EINVAL);
    assert_non_null(strstr(e.msg, "nothing to plot"));
    assert_int_equal(out_plot_text(&b, &p, 80, 24, true, false, NULL, &e), LR_EINVAL);
    s.y = negative;
    p.is_log_y = true;
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", &e), LR_EINVAL);
    p.is_log_y = false;
    p.has_y_range = true;
    p.y_min = 1;
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", &e), LR_EINVAL);
    p.n_series = 0;
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", &e), LR_EINVAL);
    lr_strbuf_free(&b);
}

/* ---- names ---- */

static void name__leaves_out_what_all_share(void **state)
{
    (void)state;
    static const struct {
        const char *names[3], *wanted[3];
        size_t n, max;
    } cases[] = {
        {{"/layer1/conv1/Conv", "/layer1/conv2/Conv", "/layer2/conv1/Conv"},
         {"layer1/conv1", "layer1/conv2", "layer2/conv1"},
         3,
         20},
        {{"conv1", "conv2", "conv10"}, {"conv1", "conv2", "conv10"}, 3, 20},
        {{"a/b/c", "a/b/d"}, {"c", "d"}, 2, 20},
        {{"a/b", "a/b"}, {"b", "b"}, 2, 20},
        {{"a/", "a/b"}, {"a/", "a/b"}, 2, 20},
        {{"/a/b"}, {"/a/b"}, 1, 20},
        {{"a/x", NULL}, {"a/x", ""}, 2, 20},
        {{"abcdefghij", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"},
         {"...hij", "...\xc3\xa9\xc3\xa9\xc3\xa9"},
         2,
         6},
        {{"abcd", ""}, {"cd", ""}, 2, 2},
    };
    double y[3] = {1, 2, 3};

    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct out_series s = {"s", OUT_BARS, cases[c].n, NULL, y, NULL, NULL};
        struct out_plot p = {.series = &s, .n_series = 1, .x_names = cases[c].names};
        struct plot_names shared = plot_shared_names(&p);
        for (size_t i = 0; i < cases[c].n; i++) {
            struct lr_strbuf b = {0};
            plot_name(&b, &p, shared, i, cases[c].max);
            assert_string_equal(b.s, cases[c].wanted[i]);
            lr_strbuf_free(&b);
        }
    }
}

static void script__counts_curves_the_key_has_no_room_for(void **state)
{
    (void)state;
    struct out_series many[40];
    struct out_plot p = line_plot;
    struct lr_strbuf b = {0};
    int n_titles = 0;

    for (int k = 0; k < 40; k++)
        many[k] = line_series;
    p.series = many;
    p.n_series = 40;
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), LR_OK);
    for (const char *at = b.s; (at = strstr(at, "title 'line'")); at++)
        n_titles++;
    assert_int_equal(n_titles, 18);
    assert_non_null(strstr(b.s, "title '... 22 more'"));
    check_script(b.s);
    lr_strbuf_free(&b);
}

/* ---- thinning ---- */

struct seen {
    size_t *indices;
    bool *gaps;
    size_t n;
};
static void note(void *ctx, size_t i, bool is_gap)
{
    struct seen *s = ctx;

    s->indices[s->n] = i;
    s->gaps[s->n++] = is_gap;
}

static void thin__keeps_extremes_ends_order_and_gaps(void **state)
{
    (void)state;
    enum { N = 200000, COLUMNS = 500 };
    double *x = malloc(N * sizeof(*x)), *y = malloc(N * sizeof(*y));
    struct seen seen = {malloc(N * sizeof(size_t)), malloc(N), 0};
    struct out_series s = {"s", OUT_LINES, N, x, y, NULL, NULL};
    struct out_plot p = {.series = &s, .n_series = 1};
    struct lr_rng rng;

    lr_rng_seed(&rng, 3);
    /* kind 0: growing, unevenly; 1: falling; 2: without order */
    for (int kind = 0; kind < 3; kind++) {
        size_t lowest = 0, highest = 0;
        int n_gaps = 0;
        bool has_lowest = false, has_highest = false;
        for (size_t i = 0; i < N; i++) {
            double t = (double)i / N;
            x[i] = kind == 0 ? t * t * t : kind == 1 ? -t : lr_rng_uniform(&rng);
            y[i] = lr_rng_normal(&rng);
        }
        y[N / 2] = NAN;
        for (size_t i = 0; i < N; i++) {
            lowest = y[i] < y[lowest] ? i : lowest;
            highest = y[i] > y[highest] ? i : highest;
        }
        seen.n = 0;
        plot_thin(&p, &s, COLUMNS, note, &seen);
        assert_in_range(seen.n, COLUMNS, 4 * COLUMNS + 16);
        assert_int_equal(seen.indices[0], 0);
        assert_int_equal(seen.indices[seen.n - 1], N - 1);
        for (size_t i = 0; i < seen.n; i++) {
            assert_true(i == 0 || seen.indices[i] > seen.indices[i - 1]);
            has_lowest |= seen.indices[i] == lowest;
            has_highest |= seen.indices[i] == highest;
            n_gaps += seen.gaps[i];
        }
        assert_true(has_lowest && has_highest);
        assert_int_equal(n_gaps, 1);
    }
    s.n = 4 * COLUMNS;
    seen.n = 0;
    plot_thin(&p, &s, COLUMNS, note, &seen);
    assert_int_equal(seen.n, s.n);
    free(x);
    free(y);
    free(seen.indices);
    free(seen.gaps);
}

/* ---- running programs ---- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void spawn__gives_a_clean_world(void **state)
{
    struct place *place = *state;
    static const char *const env[] = {"env", NULL}, *const pwd[] = {"pwd", NULL},
                             *const cat[] = {"cat", NULL};
    struct lr_strbuf out = {0};
    struct lr_err e = {0};

    setenv("GNUTERM", "x11", 1);
    setenv("GNUPLOT_LIB", "/evil", 1);
    setenv("LC_NUMERIC", "de_DE.UTF-8", 1);
    assert_int_equal(plot_spawn(&out, env, place->dir, 5000, NULL, &e), LR_OK);
    assert_null(strstr(out.s, "GNUTERM"));
    assert_null(strstr(out.s, "GNUPLOT_LIB"));
    assert_null(strstr(out.s, "LC_NUMERIC"));
    assert_non_null(strstr(out.s, "LC_ALL=C.UTF-8\n"));
    unsetenv("GNUTERM");
    unsetenv("GNUPLOT_LIB");
    unsetenv("LC_NUMERIC");
    lr_strbuf_reset(&out);
    assert_int_equal(plot_spawn(&out, pwd, place->dir, 5000, NULL, &e), LR_OK);
    assert_int_equal(strncmp(out.s, place->dir, strlen(place->dir)), 0);
    lr_strbuf_reset(&out);
    assert_int_equal(plot_spawn(&out, cat, place->dir, 5000, NULL, &e), LR_OK);
    assert_int_equal(out.len, 0);
    lr_strbuf_free(&out);
}

static void spawn__reports_what_went_wrong(void **state)
{
    struct place *place = *state;
    static const char *const missing[] = {"no-such-program-anywhere", NULL},
                             *const failing[] = {"gnuplot", NULL};
    struct lr_err e = {0};

    assert_int_equal(plot_spawn(NULL, missing, place->dir, 5000, NULL, &e), LR_EBACKEND);
    assert_non_null(strstr(e.msg, "not installed"));
    fake_gnuplot(state,
                 "#!/bin/sh\nprintf '\\nplot x y\\n       ^\\n\"plot.gp\", line 3: "
                 "undefined variable: y\\n\\n' >&2\nexit 1\n");
    assert_int_equal(plot_spawn(NULL, failing, place->dir, 5000, NULL, &e), LR_EBACKEND);
    assert_string_equal(e.msg, "gnuplot failed: line 3: undefined variable: y");
    fake_gnuplot(state, "#!/bin/sh\necho 'out of cheese' >&2\nexit 3\n");
    assert_int_equal(plot_spawn(NULL, failing, place->dir, 5000, NULL, &e), LR_EBACKEND);
    assert_string_equal(e.msg, "gnuplot failed: out of cheese");
    fake_gnuplot(state, "#!/bin/sh\nkill -9 $$\n");
    assert_int_equal(plot_spawn(NULL, failing, place->dir, 5000, NULL, &e), LR_EBACKEND);
    assert_non_null(strstr(e.msg, "signal 9"));
    assert_int_equal(plot_spawn(NULL, failing, "/no/such/folder", 5000, NULL, &e),
                     LR_EBACKEND);
}

static void spawn__stops_the_whole_group_when_it_takes_too_long(void **state)
{
    struct place *place = *state;
    static const char *const argv[] = {"gnuplot", NULL};
    struct lr_err e = {0};
    size_t n;

    /* A helper that would go on by itself, ignoring what can be ignored. */
    fake_gnuplot(state,
                 "#!/bin/sh\n(trap '' TERM HUP INT; echo $$ >/dev/null; sleep 60) &\n"
                 "echo $! > helper\nsleep 60\n");
    double start = seconds();
    assert_int_equal(plot_spawn(NULL, argv, place->dir, 400, NULL, &e), LR_EBACKEND);
    assert_true(seconds() - start < 5);
    assert_non_null(strstr(e.msg, "took over 0.4 s"));
    char *text = load(in(state, "helper").s, &n);
    pid_t helper = atoi(text);
    lr_free(text);
    assert_true(helper > 1);
    for (int i = 0; i < 100 && kill(helper, 0) == 0; i++) {
        /* Killed, but perhaps not yet reaped by its new parent. */
        char stat_path[64], buf[512] = "";
        snprintf(stat_path, sizeof(stat_path), "/proc/%d/stat", (int)helper);
        FILE *fp = fopen(stat_path, "r");
        if (!fp || !fgets(buf, sizeof(buf), fp) || strstr(buf, ") Z ")) {
            if (fp)
                fclose(fp);
            return;
        }
        fclose(fp);
        usleep(20000);
    }
    assert_int_not_equal(kill(helper, 0), 0);
}

static int stop_at_third(void *ctx, double fraction, const char *what)
{
    int *n = ctx;

    (void)fraction, (void)what;
    return ++*n >= 3;
}

static int count_entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void plots__stop_at_once_when_asked_to(void **state)
{
    struct place *place = *state;
    int n_ticks = 0, n_before;
    struct lr_progress progress = {.tick = stop_at_third, .ctx = &n_ticks};
    struct lr_strbuf b = {0};
    struct lr_err e = {0};

    fake_gnuplot(state, "#!/bin/sh\nsleep 60\n");
    setenv("TMPDIR", place->dir, 1);
    n_before = count_entries(place->dir);
    double start = seconds();
    assert_int_equal(out_plot_file(&line_plot, in(state, "s.svg").s, &progress, &e),
                     LR_EINTR);
    n_ticks = 0;
    assert_int_equal(out_plot_text(&b, &line_plot, 60, 15, true, true, &progress, &e),
                     LR_EINTR);
    assert_true(seconds() - start < 2);
    assert_int_equal(count_entries(place->dir), n_before); /* no folder is left */
    lr_strbuf_free(&b);
}

static void spawn__survives_floods_of_output(void **state)
{
    struct place *place = *state;
    static const char *const argv[] = {"gnuplot", NULL};
    struct lr_strbuf out = {0};
    struct lr_err e = {0};

    fake_gnuplot(state, "#!/bin/sh\nhead -c 40000000 /dev/zero | tr '\\0' x\n"
                        "head -c 1000000 /dev/zero | tr '\\0' y >&2\nexit 1\n");
    assert_int_equal(plot_spawn(&out, argv, place->dir, 20000, NULL, &e), LR_EBACKEND);
    assert_true(out.len <= 16u << 20);
    assert_true(strlen(e.msg) < 400);
    lr_strbuf_free(&out);
}

static void version__is_read_from_gnuplot(void **state)
{
    char buf[32];

    fake_gnuplot(state, "#!/bin/sh\necho 'gnuplot 6.0 patchlevel rc1'\n");
    assert_string_equal(out_plot_version(buf, sizeof(buf), NULL), "6.0.rc1");
    fake_gnuplot(state, "#!/bin/sh\necho 'gnuplot 5.4 patchlevel 4'\n");
    assert_string_equal(out_plot_version(buf, sizeof(buf), NULL), "5.4.4");
    fake_gnuplot(state, "#!/bin/sh\necho 'something else'\n");
    assert_null(out_plot_version(buf, sizeof(buf), NULL));
    setenv("PATH", in(state, "nowhere").s, 1);
    assert_null(out_plot_version(buf, sizeof(buf), NULL));
}

/* ---- files ---- */

static void file__executes_nothing_when_names_are_hostile(void **state)
{
    struct place *place = *state;
    struct example x;
    struct lr_err e = {0};
    size_t n;

    need_gnuplot();
    for (int style = OUT_LINES; style <= OUT_BARS; style += 3) {
        make_example(&x, (enum out_series_style)style, true);
        if (out_plot_file(&x.plot, in(state, "h.svg").s, NULL, &e) != LR_OK)
            fail_msg("%s", e.msg);
        char *svg = load(in(state, "h.svg").s, &n);
        /* The names are there as they are, and nothing that was printed for them. */
        assert_non_null(strstr(svg, "`touch pwned1`"));
        assert_non_null(strstr(svg, "EODsystem('touch pwned4')"));
        assert_non_null(strstr(svg, "&lt;script"));
        assert_null(strchr(svg, 0x1b));
        assert_true(is_utf8(svg));
        lr_free(svg);
        struct lr_strbuf b = {0};
        assert_int_equal(out_plot_text(&b, &x.plot, 80, 24, false, true, NULL, &e),
                         LR_OK);
        assert_null(strchr(b.s, 0x1b));
        lr_strbuf_free(&b);
        assert_int_equal(unlink(in(state, "h.svg").s), 0);
    }
    /* Only the temporary folder is left, and it is empty: no command ran here or there.
     */
    assert_int_equal(n_entries(place->dir), 1);
    assert_int_equal(n_entries(place->temp), 0);
    assert_int_not_equal(access("pwned1", F_OK), 0);
}

static void quote__is_read_by_gnuplot_whatever_the_text(void **state)
{
    struct place *place = *state;
    static const char *const argv[] = {"gnuplot", "-d", "q.gp", NULL};
    static const char *const parts[] = {"'",
                                        "''",
                                        "\"",
                                        "`touch pwned`",
                                        "\\",
                                        "@x",
                                        "%",
                                        "{",
                                        "}",
                                        "\n",
                                        "EOD",
                                        "$d",
                                        "!touch pwned",
                                        ";",
                                        "a",
                                        " ",
                                        "#",
                                        "\xff",
                                        "<",
                                        "|",
                                        ",",
                                        "\\n",
                                        "system 'touch pwned'"};
    enum { N_PARTS = sizeof(parts) / sizeof(parts[0]) };
    struct lr_strbuf b = {0}, names = {0};
    struct lr_rng rng;
    struct lr_err e = {0};

    need_gnuplot();
    lr_rng_seed(&rng, 11);
    lr_strbuf_puts(
        &b, "set terminal svg noenhanced\nset output 'q.svg'\nset encoding utf8\n");
    lr_strbuf_puts(&names, "$names << EOD\n");
    for (int i = 0; i < 1500; i++) {
        struct lr_strbuf text = {0};
        for (int n = (int)lr_rng_below(&rng, 9); n >= 0; n--)
            lr_strbuf_puts(&text, parts[lr_rng_below(&rng, N_PARTS)]);
        lr_strbuf_puts(&b, "set label ");
        plot_quote(&b, PLOT_IN_COMMAND, text.s, 60);
        lr_strbuf_puts(&b, " at 1,1 noenhanced\n");
        lr_strbuf_printf(&names, "%d ", i);
        plot_quote(&names, PLOT_IN_DATA, text.s, 60);
        lr_strbuf_putc(&names, '\n');
        lr_strbuf_free(&text);
    }
    lr_strbuf_printf(&b, "%sEOD\nplot $names using 1:1:xtic(2) with points notitle\n",
                     names.s);
    save(state, "q.gp", b.s);
    if (plot_spawn(NULL, argv, place->dir, 20000, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_int_equal(n_entries(place->dir), 3); /* temp, q.gp, q.svg */
    lr_strbuf_free(&b);
    lr_strbuf_free(&names);
}

static void file__is_written_in_every_format(void **state)
{
    static const struct {
        const char *name, *magic;
    } files[] = {{"p.svg", "<?xml"}, {"P.PNG", "\x89PNG"}, {"p.pdf", "%PDF"}};
    struct lr_err e = {0};
    size_t n, m;

    need_gnuplot();
    for (size_t i = 0; i < 3; i++) {
        if (out_plot_file(&line_plot, in(state, files[i].name).s, NULL, &e) != LR_OK) {
            /* a gnuplot without the terminal must say which one it lacks */
            assert_non_null(strstr(e.msg, "lacks"));
            continue;
        }
        char *data = load(in(state, files[i].name).s, &n);
        assert_memory_equal(data, files[i].magic, strlen(files[i].magic));
        lr_free(data);
    }
    char *first = load(in(state, "p.svg").s, &n);
    assert_int_equal(out_plot_file(&line_plot, in(state, "p.svg").s, NULL, &e), LR_OK);
    char *second = load(in(state, "p.svg").s, &m);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    lr_free(first);
    lr_free(second);
}

static void file__stays_as_it_was_when_the_plot_fails(void **state)
{
    struct lr_err e = {0};
    struct path p = in(state, "old.svg");
    double nothing[1] = {NAN};
    struct out_series s = {"s", OUT_LINES, 1, NULL, nothing, NULL, NULL};
    struct out_plot empty = {.series = &s, .n_series = 1};
    char *text;
    size_t n;

    save(state, "old.svg", "old");
    assert_int_equal(out_plot_file(&line_plot, in(state, "x.gif").s, NULL, &e),
                     LR_EINVAL);
    assert_non_null(strstr(e.msg, ".svg, .png or .pdf"));
    assert_int_equal(out_plot_file(&empty, p.s, NULL, &e), LR_EINVAL);
    fake_gnuplot(state,
                 "#!/bin/sh\n[ $2 = probe.gp ] && echo 5.4 && echo ' svg ' && exit 0\n"
                 "echo half > out.svg\necho 'line 1: broken' >&2\nexit 1\n");
    assert_int_equal(out_plot_file(&line_plot, p.s, NULL, &e), LR_EBACKEND);
    assert_string_equal(e.msg, "gnuplot failed: line 1: broken");
    fake_gnuplot(state,
                 "#!/bin/sh\n[ $2 = probe.gp ] && echo 5.4 && echo ' svg '\nexit 0\n");
    assert_int_equal(out_plot_file(&line_plot, p.s, NULL, &e), LR_EBACKEND);
    assert_int_equal(out_plot_file(&line_plot, in(state, "x.pdf").s, NULL, &e),
                     LR_EBACKEND);
    assert_non_null(strstr(e.msg, "pdfcairo"));
    fake_gnuplot(state, "#!/bin/sh\necho 4.6\necho ' svg '\n");
    assert_int_equal(out_plot_file(&line_plot, p.s, NULL, &e), LR_EBACKEND);
    assert_non_null(strstr(e.msg, "too old"));
    setenv("PATH", in(state, "nowhere").s, 1);
    assert_int_equal(out_plot_file(&line_plot, p.s, NULL, &e), LR_EBACKEND);
    assert_non_null(strstr(e.msg, "gnuplot is not installed"));
    text = load(p.s, &n);
    assert_string_equal(text, "old");
    lr_free(text);
}

static void file__takes_the_plain_png_terminal_when_cairo_is_missing(void **state)
{
    struct lr_err e = {0};
    char *text;
    size_t n;

    fake_gnuplot(
        state, "#!/bin/sh\n[ $2 = probe.gp ] && echo 5.4 && echo ' png svg ' && exit 0\n"
               "cp plot.gp out.png\n");
    assert_int_equal(out_plot_file(&line_plot, in(state, "x.png").s, NULL, &e), LR_OK);
    text = load(in(state, "x.png").s, &n);
    assert_int_equal(strncmp(text, "set terminal png ", 17), 0);
    lr_free(text);
}

static void script__runs_when_saved(void **state)
{
    struct place *place = *state;
    static const char *const argv[] = {"gnuplot", "-d", "line.gp", NULL};
    struct lr_strbuf out = {0};
    struct lr_err e = {0};

    need_gnuplot();
    assert_int_equal(out_plot_save_script(&line_plot, in(state, "line.gp").s, &e), LR_OK);
    if (plot_spawn(&out, argv, place->dir, 10000, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_non_null(strstr(out.s, "a line"));
    lr_strbuf_free(&out);
}

/* ---- windows ---- */

static void window__needs_a_display(void **state)
{
    (void)state;
    char *display = keep("DISPLAY"), *wayland = keep("WAYLAND_DISPLAY");
    struct lr_err e = {0};

    unsetenv("DISPLAY");
    setenv("WAYLAND_DISPLAY", "", 1);
    assert_int_equal(out_plot_window(&line_plot, NULL, &e), LR_EBACKEND);
    assert_non_null(strstr(e.msg, "DISPLAY"));
    put_back("DISPLAY", display);
    put_back("WAYLAND_DISPLAY", wayland);
}

static void window__lives_on_and_reads_its_script_from_a_descriptor(void **state)
{
    char *display = keep("DISPLAY"), *wayland = keep("WAYLAND_DISPLAY"), script[8192];
    struct place *place = *state;
    struct lr_err e = {0};
    size_t n;

    setenv("DISPLAY", ":99", 1);
    unsetenv("WAYLAND_DISPLAY");
    snprintf(script, sizeof(script),
             "#!/bin/sh\n[ $2 = probe.gp ] && echo 5.4 && echo ' svg x11 ' && exit 0\n"
             "sleep 1\ncat $2 > %s/seen\necho $$ $DISPLAY > %s/pid\nexec sleep 30\n",
             place->dir, place->dir);
    fake_gnuplot(state, script);
    double start = seconds();
    if (out_plot_window(&line_plot, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_true(seconds() - start < 5);
    assert_int_equal(n_entries(place->temp), 0);
    for (int i = 0; i < 200 && access(in(state, "pid").s, F_OK) != 0; i++)
        usleep(20000);
    usleep(50000);
    char *text = load(in(state, "pid").s, &n);
    pid_t pid = atoi(text);
    assert_true(pid > 1 && kill(pid, 0) == 0);
    assert_non_null(strstr(text, " :99"));
    assert_int_not_equal(getsid(pid), getsid(0));
    kill(pid, SIGKILL);
    lr_free(text);
    text = load(in(state, "seen").s, &n);
    assert_non_null(strstr(text, "set terminal x11"));
    assert_non_null(strstr(text, "pause mouse close"));
    lr_free(text);

    fake_gnuplot(state,
                 "#!/bin/sh\n[ $2 = probe.gp ] && echo 5.4 && echo ' x11 ' && exit 0\n"
                 "echo 'line 0: cannot open display' >&2\nexit 1\n");
    assert_int_equal(out_plot_window(&line_plot, NULL, &e), LR_EBACKEND);
    assert_non_null(strstr(e.msg, "cannot open display"));
    fake_gnuplot(state, "#!/bin/sh\necho 5.4; echo ' svg '\n");
    assert_int_equal(out_plot_window(&line_plot, NULL, &e), LR_EBACKEND);
    assert_non_null(strstr(e.msg, "lacks qt, wxt and x11"));
    put_back("DISPLAY", display);
    put_back("WAYLAND_DISPLAY", wayland);
}

/* ---- text ---- */

static void check_size(const struct lr_strbuf *b, int width, int height, bool is_ascii)
{
    int lines = 0;
    char *copy = strdup(b->s), *rest = copy, *line;

    assert_true(b->len > 0 && b->s[b->len - 1] == '\n');
    copy[b->len - 1] = '\0';
    while ((line = strsep(&rest, "\n"))) {
        lines++;
        assert_true(lr_text_columns(line) <= width);
        assert_true(is_utf8(line));
        for (const char *p = line; *p; p++) {
            assert_true((unsigned char)*p >= 0x20);
            assert_true(!is_ascii || (unsigned char)*p < 0x80);
        }
    }
    assert_true(lines <= height);
    free(copy);
}

static void text__fits_every_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1},   {2, 1},    {1, 5},  {5, 5},   {20, 5},
                                   {19, 9},  {20, 7},   {30, 8}, {33, 13}, {60, 15},
                                   {80, 24}, {200, 60}, {7, 40}};

    for (int style = OUT_LINES; style <= OUT_BARS; style++)
        for (int flags = 0; flags < 8; flags++)
            for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                struct example x;
                struct lr_strbuf b = {0};
                bool is_ascii = flags & 4;
                make_example(&x, (enum out_series_style)style, flags & 1);
                if (is_ascii) {
                    /* names without letters beyond ASCII */
                    x.plot.x_names = NULL;
                    x.plot.title = "t";
                    for (int k = 0; k < 8; k++)
                        x.series[k].title = x.marks[k].label = "name";
                }
                x.plot.is_log_y = flags & 2;
                assert_int_equal(out_plot_text(&b, &x.plot, sizes[i][0], sizes[i][1],
                                               is_ascii, false, NULL, NULL),
                                 LR_OK);
                check_size(&b, sizes[i][0], sizes[i][1], is_ascii);
                lr_strbuf_free(&b);
            }
    struct lr_strbuf b = {0};
    assert_int_equal(out_plot_text(&b, &line_plot, 0, 5, true, false, NULL, NULL),
                     LR_EINVAL);
    lr_strbuf_free(&b);
}

static void text__draws_a_line_with_axes(void **state)
{
    (void)state;
    struct lr_strbuf b = {0};

    assert_int_equal(out_plot_text(&b, &line_plot, 30, 13, true, false, NULL, NULL),
                     LR_OK);
    assert_string_equal(b.s, "            a line\n"
                             "y\n"
                             " 6+\n"
                             "  |                      ****\n"
                             " 4+                ******\n"
                             "  |          ******\n"
                             " 2+   *******\n"
                             "  |***\n"
                             " 0+\n"
                             "  ++------------+-----------+\n"
                             "   0            2           4\n"
                             "                x\n"
                             "* line\n");
    lr_strbuf_free(&b);
}

static void text__draws_bars_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"conv1", "conv2", "conv10"};
    double a[3] = {10, 5, 2.5}, c[3] = {4, NAN, 0};
    struct out_series s[2] = {{"before", OUT_BARS, 3, NULL, a, NULL, NULL},
                              {"after", OUT_BARS, 3, NULL, c, NULL, NULL}};
    struct out_plot p = {
        .title = "times", .y_label = "ms", .series = s, .n_series = 2, .x_names = names};
    struct lr_strbuf b = {0};

    assert_int_equal(out_plot_text(&b, &p, 31, 10, true, false, NULL, NULL), LR_OK);
    assert_string_equal(b.s, "             times\n"
                             "conv1  #################### 10\n"
                             "       ========             4\n"
                             "conv2  ##########           5\n"
                             "                            -\n"
                             "conv10 #####                2.5\n"
                             "                            0\n"
                             "# before  = after            ms\n"
                             "\n\n");
    lr_strbuf_free(&b);
}

static void text__survives_extreme_values(void **state)
{
    (void)state;
    static const double values[][3] = {
        {1e300, -1e300, 0}, {1e308, -1e308, 1}, {5e-324, 1e-320, 0},        {1, 1, 1},
        {NAN, 3, NAN},      {-1, -2, -3},       {1e15, 1e15 + 1, 1e15 + 2}, {0, 0, 0},
        {INFINITY, 1, 2},   {1e-300, 1e300, 1},
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        for (int flags = 0; flags < 16; flags++) {
            struct out_series s = {"s",       flags & 8 ? OUT_BARS : OUT_LINESPOINTS,
                                   3,         flags & 4 ? values[i] : NULL,
                                   values[i], values[i],
                                   values[i]};
            struct out_mark m[2] = {{NAN, "nan", 0}, {1, NULL, 7}};
            struct out_plot p = {.is_log_y = flags & 1,
                                 .series = &s,
                                 .n_series = 1,
                                 .marks = m,
                                 .n_marks = 2,
                                 .has_y_range = flags & 2,
                                 .y_min = 0.5,
                                 .y_max = 2};
            struct lr_strbuf b = {0};
            struct lr_err e = {0};
            enum lr_status st = out_plot_text(&b, &p, 60, 15, flags & 1, false, NULL, &e);
            assert_true(st == LR_OK || (st == LR_EINVAL && strstr(e.msg, "nothing")));
            if (st == LR_OK)
                check_size(&b, 60, 15, flags & 1);
            lr_strbuf_reset(&b);
            assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), st);
            if (st == LR_OK)
                check_script(b.s);
            lr_strbuf_free(&b);
        }
}

static void text__falls_back_when_gnuplot_is_missing_or_broken(void **state)
{
    struct lr_strbuf own = {0}, b = {0};

    assert_int_equal(out_plot_text(&own, &line_plot, 60, 15, true, false, NULL, NULL),
                     LR_OK);
    setenv("PATH", in(state, "nowhere").s, 1);
    assert_int_equal(out_plot_text(&b, &line_plot, 60, 15, true, true, NULL, NULL),
                     LR_OK);
    assert_string_equal(b.s, own.s);
    fake_gnuplot(state, "#!/bin/sh\nexit 1\n");
    lr_strbuf_reset(&b);
    assert_int_equal(out_plot_text(&b, &line_plot, 60, 15, true, true, NULL, NULL),
                     LR_OK);
    assert_string_equal(b.s, own.s);
    lr_strbuf_free(&own);
    lr_strbuf_free(&b);
}

static void text__is_ascii_when_asked_whatever_gnuplot_prints(void **state)
{
    struct lr_strbuf b = {0};

    fake_gnuplot(state, "#!/bin/sh\nprintf 'a\\303\\251b \\344\\275\\234|\\n'\n");
    assert_int_equal(out_plot_text(&b, &line_plot, 30, 10, true, true, NULL, NULL),
                     LR_OK);
    assert_string_equal(b.s, "a?b ??|\n");
    lr_strbuf_free(&b);
}

static void text__is_cleaned_when_it_comes_from_gnuplot(void **state)
{
    struct lr_strbuf b = {0};

    fake_gnuplot(state, "#!/bin/sh\nprintf '\\f\\033[31mred\\033[m   \\nsecond\\a\\n'\n"
                        "yes 0123456789012345678901234567890123456789 | head -100\n");
    assert_int_equal(out_plot_text(&b, &line_plot, 30, 10, true, true, NULL, NULL),
                     LR_OK);
    check_size(&b, 30, 10, true);
    assert_non_null(strstr(b.s, "\nsecond\n"));
    lr_strbuf_free(&b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(quote__is_one_string_whatever_the_text),
        T(quote__keeps_good_text_and_cuts_long_text),
        T(script__holds_only_known_commands_when_names_are_hostile),
        T(script__refuses_odd_terminals_and_outputs),
        T(script__writes_gaps_and_error_bars),
        T(script__follows_the_order_of_marks_and_names),
        T(script__refuses_when_there_is_nothing_to_plot),
        T(name__leaves_out_what_all_share),
        T(script__counts_curves_the_key_has_no_room_for),
        T(thin__keeps_extremes_ends_order_and_gaps),
        T(spawn__gives_a_clean_world),
        T(spawn__reports_what_went_wrong),
        T(spawn__stops_the_whole_group_when_it_takes_too_long),
        T(spawn__survives_floods_of_output),
        T(version__is_read_from_gnuplot),
        T(file__executes_nothing_when_names_are_hostile),
        T(quote__is_read_by_gnuplot_whatever_the_text),
        T(file__is_written_in_every_format),
        T(file__stays_as_it_was_when_the_plot_fails),
        T(file__takes_the_plain_png_terminal_when_cairo_is_missing),
        T(script__runs_when_saved),
        T(window__needs_a_display),
        T(window__lives_on_and_reads_its_script_from_a_descriptor),
        T(text__fits_every_size),
        T(text__draws_a_line_with_axes),
        T(text__draws_bars_by_name),
        T(text__survives_extreme_values),
        T(text__falls_back_when_gnuplot_is_missing_or_broken),
        T(plots__stop_at_once_when_asked_to),
        T(text__is_ascii_when_asked_whatever_gnuplot_prints),
        T(text__is_cleaned_when_it_comes_from_gnuplot),
    };

    return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}
