/* Plots without running a program: text that must never become a command, the script,
 * the names of series and thinning. */
#include "plot_fixture.h"

#include "out/plot_data.h"
#include "ranklab/rng.h"

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
        {"a]]>b", "'a]] >b'"},
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
    struct out_series s = {.title = "s",
                           .style = OUT_LINESPOINTS,
                           .n = 6,
                           .x = x,
                           .y = y,
                           .low = low,
                           .high = high};
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
    struct out_mark marks[2] = {{.x = 3.5, .label = "late"},
                                {.x = 1, .label = "early", .series = -1}};
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

/* Hollow points have the number before that of the filled ones (gnuplot's numbering). */
static void script__tells_hollow_points_rings_and_crosses_apart(void **state)
{
    (void)state;
    static const bool is_open[5] = {false, true, false, false, true};
    const struct out_mark marks[2] = {
        {.x = 1, .kind = OUT_MARK_RING},
        {.x = 6, .y = 2.5, .label = "never", .kind = OUT_MARK_CROSS}};
    struct out_series s = line_series;
    struct out_plot p = line_plot;
    struct lr_strbuf b = {0};

    s.style = OUT_LINESPOINTS;
    s.is_open = is_open;
    p.series = &s;
    p.marks = marks;
    p.n_marks = 2;
    p.open_title = "not significant";
    p.ring_title = "chosen";
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), LR_OK);
    check_script(b.s);
    assert_non_null(strstr(b.s, "$data1 << EOD\n0 1 1 1 7\n1 2 2 2 6\n2 3 3 3 7\n"
                                "3 4 4 4 7\n4 5 5 5 6\nEOD\n"));
    assert_non_null(strstr(b.s, "using 1:2:5 with linespoints linetype 1 pointtype "
                                "variable"));
    assert_non_null(strstr(b.s, "$rings << EOD\n1 2 1\nEOD\n"));
    assert_non_null(strstr(b.s, "$crosses << EOD\n6 2.5 1\nEOD\n"));
    assert_non_null(strstr(b.s, "title 'not significant'"));
    assert_non_null(strstr(b.s, "title 'chosen'"));
    /* neither is a line with a label, and what is not explained has no entry */
    assert_null(strstr(b.s, "set arrow"));
    assert_null(strstr(b.s, "never"));
    assert_non_null(strstr(b.s, "title 'line'"));
    lr_strbuf_free(&b);
}

static void script__shows_nothing_below_the_floor(void **state)
{
    (void)state;
    struct out_plot p = line_plot;
    struct lr_strbuf b = {0};

    p.has_y_floor = true;
    p.y_min = 2.5;
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), LR_OK);
    assert_non_null(strstr(b.s, "set yrange [2.5:5.1]\n"));
    /* a floor that nothing falls below does not reach down */
    p.y_min = -7;
    lr_strbuf_reset(&b);
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), LR_OK);
    assert_null(strstr(b.s, "yrange"));
    lr_strbuf_free(&b);
}

static void script__keeps_names_beside_points_apart(void **state)
{
    (void)state;
    static const struct out_note notes[3] = {
        {2, 3, "first"}, {2, 3, "it's second"}, {NAN, 3, "nowhere"}};
    struct out_plot p = line_plot;
    struct lr_strbuf b = {0};
    char *first, *second;

    p.notes = notes;
    p.n_notes = 3;
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), LR_OK);
    check_script(b.s);
    first = strstr(b.s, "set label 'first' at first 2, first 3 ");
    second = strstr(b.s, "set label 'it''s second' at first 2, first 3 ");
    assert_non_null(first);
    assert_non_null(second);
    assert_null(strstr(b.s, "nowhere"));
    /* not in the same place */
    first = strstr(first, " first 3 ");
    second = strstr(second, " first 3 ");
    size_t n = strcspn(first, "\n");
    assert_true(n != strcspn(second, "\n") || strncmp(first, second, n) != 0);
    lr_strbuf_free(&b);
}

static void script__has_a_second_axis_only_when_told(void **state)
{
    (void)state;
    static const struct out_tic tics[3] = {{0, 0.5}, {3, 1.25}, {99, 7}};
    struct out_plot p = line_plot;
    struct lr_strbuf b = {0};

    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), LR_OK);
    assert_null(strstr(b.s, "x2"));
    p.tics = tics;
    p.n_tics = 3;
    p.tics_label = "it's MMAC";
    lr_strbuf_reset(&b);
    assert_int_equal(out_plot_script(&b, &p, "svg", "out.svg", NULL), LR_OK);
    check_script(b.s);
    /* the place outside the axis is left out */
    assert_non_null(strstr(b.s, "('0.5' 0, '1.25' 3)\n"));
    assert_non_null(strstr(b.s, "set x2label 'it''s MMAC' "));
    /* both axes have the same range */
    const char *x = strstr(b.s, "set xrange ["), *x2 = strstr(b.s, "set x2range [");
    assert_non_null(x);
    assert_non_null(x2);
    x += strlen("set xrange ");
    x2 += strlen("set x2range ");
    assert_int_equal(strncmp(x, x2, strcspn(x, "\n") + 1), 0);
    lr_strbuf_free(&b);
}

static void script__refuses_when_there_is_nothing_to_plot(void **state)
{
    (void)state;
    double y[2] = {NAN, INFINITY}, negative[2] = {-1, 0};
    struct out_series s = {.title = "s", .style = OUT_LINES, .n = 2, .y = y};
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
        {{"net/f/f.3/a/Conv", "net/f/f.3/ab/Conv", "net/g/g1/f/ff.1/Conv"},
         {"f.3/a", "f.3/ab", "g/g1/f/ff.1"},
         3,
         20},
        {{"b/b.2/b.2.1/x", "b/b.2/b.2.1/y"}, {"x", "y"}, 2, 20},
        {{"b/b.2/b.2.1", "c/c.1"}, {"b.2.1", "c.1"}, 2, 20},
    };
    double y[3] = {1, 2, 3};

    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct out_series s = {.title = "s", .style = OUT_BARS, .n = cases[c].n, .y = y};
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
    struct out_series s = {.title = "s", .style = OUT_LINES, .n = N, .x = x, .y = y};
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
        T(script__tells_hollow_points_rings_and_crosses_apart),
        T(script__shows_nothing_below_the_floor),
        T(script__keeps_names_beside_points_apart),
        T(script__has_a_second_axis_only_when_told),
        T(script__refuses_when_there_is_nothing_to_plot),
        T(name__leaves_out_what_all_share),
        T(script__counts_curves_the_key_has_no_room_for),
        T(thin__keeps_extremes_ends_order_and_gaps),
    };

    return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}
