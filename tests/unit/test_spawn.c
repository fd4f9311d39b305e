/* Plots through gnuplot and programs that stand in for it: how they are run and stopped,
 * files in every format, windows. Tests that need gnuplot are skipped where it is
 * missing. */
#include "plot_fixture.h"

#include <signal.h>

#include "out/plot_data.h"
#include "out/spawn.h"
#include "ranklab/rng.h"

/* ---- running programs ---- */

static enum lr_status run_in(struct lr_strbuf *out, const char *const argv[],
                             const char *dir, int timeout_ms,
                             const struct lr_progress *progress, struct lr_err *e)
{
    struct out_program p = {.argv = argv, .dir = dir, .timeout_ms = timeout_ms};

    return out_spawn(out, &p, progress, e);
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
    assert_int_equal(run_in(&out, env, place->dir, 5000, NULL, &e), LR_OK);
    assert_null(strstr(out.s, "GNUTERM"));
    assert_null(strstr(out.s, "GNUPLOT_LIB"));
    assert_null(strstr(out.s, "LC_NUMERIC"));
    assert_non_null(strstr(out.s, "LC_ALL=C.UTF-8\n"));
    unsetenv("GNUTERM");
    unsetenv("GNUPLOT_LIB");
    unsetenv("LC_NUMERIC");
    lr_strbuf_reset(&out);
    assert_int_equal(run_in(&out, pwd, place->dir, 5000, NULL, &e), LR_OK);
    assert_int_equal(strncmp(out.s, place->dir, strlen(place->dir)), 0);
    lr_strbuf_reset(&out);
    assert_int_equal(run_in(&out, cat, place->dir, 5000, NULL, &e), LR_OK);
    assert_int_equal(out.len, 0);
    lr_strbuf_free(&out);
}

static void spawn__reports_what_went_wrong(void **state)
{
    struct place *place = *state;
    static const char *const missing[] = {"no-such-program-anywhere", NULL},
                             *const failing[] = {"gnuplot", NULL};
    struct lr_err e = {0};

    assert_int_equal(run_in(NULL, missing, place->dir, 5000, NULL, &e), LR_EBACKEND);
    assert_non_null(strstr(e.msg, "not installed"));
    fake_gnuplot(state,
                 "#!/bin/sh\nprintf '\\nplot x y\\n       ^\\n\"plot.gp\", line 3: "
                 "undefined variable: y\\n\\n' >&2\nexit 1\n");
    assert_int_equal(run_in(NULL, failing, place->dir, 5000, NULL, &e), LR_EBACKEND);
    assert_string_equal(e.msg, "gnuplot failed: line 3: undefined variable: y");
    fake_gnuplot(state, "#!/bin/sh\necho 'out of cheese' >&2\nexit 3\n");
    assert_int_equal(run_in(NULL, failing, place->dir, 5000, NULL, &e), LR_EBACKEND);
    assert_string_equal(e.msg, "gnuplot failed: out of cheese");
    fake_gnuplot(state, "#!/bin/sh\nkill -9 $$\n");
    assert_int_equal(run_in(NULL, failing, place->dir, 5000, NULL, &e), LR_EBACKEND);
    assert_non_null(strstr(e.msg, "signal 9"));
    assert_int_equal(run_in(NULL, failing, "/no/such/folder", 5000, NULL, &e),
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
    assert_int_equal(run_in(NULL, argv, place->dir, 400, NULL, &e), LR_EBACKEND);
    assert_true(seconds() - start < 5);
    assert_non_null(strstr(e.msg, "took over 0.4 s"));
    char *text = load(in(state, "helper").s, &n);
    pid_t helper = (pid_t)strtol(text, NULL, 10);
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
    assert_int_equal(run_in(&out, argv, place->dir, 20000, NULL, &e), LR_EBACKEND);
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
    if (run_in(NULL, argv, place->dir, 20000, NULL, &e) != LR_OK)
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
    struct out_series s = {.title = "s", .style = OUT_LINES, .n = 1, .y = nothing};
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
                 "echo half\necho 'line 1: broken' >&2\nexit 1\n");
    assert_int_equal(out_plot_file(&line_plot, p.s, NULL, &e), LR_EBACKEND);
    assert_string_equal(e.msg, "gnuplot failed: line 1: broken");
    fake_gnuplot(state,
                 "#!/bin/sh\n[ $2 = probe.gp ] && echo 5.4 && echo ' svg '\nexit 0\n");
    assert_int_equal(out_plot_file(&line_plot, p.s, NULL, &e), LR_EBACKEND);
    fake_gnuplot(state,
                 "#!/bin/sh\n[ $2 = probe.gp ] && echo 5.4 && echo ' svg ' && exit 0\n"
                 "echo '<svg>half'\nexit 0\n");
    assert_int_equal(out_plot_file(&line_plot, p.s, NULL, &e), LR_EBACKEND);
    assert_string_equal(e.msg, "gnuplot wrote no whole svg file (10 bytes)");
    fake_gnuplot(state,
                 "#!/bin/sh\n[ $2 = probe.gp ] && echo 5.4 && echo ' svg '\nexit 0\n");
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
               "cat plot.gp; printf 'IEND\\256B\\140\\202'\n");
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
    if (run_in(&out, argv, place->dir, 10000, NULL, &e) != LR_OK)
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
    pid_t pid = (pid_t)strtol(text, NULL, 10);
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

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        T(plots__stop_at_once_when_asked_to),
    };

    return cmocka_run_group_tests_name("plot spawn", tests, NULL, NULL);
}
