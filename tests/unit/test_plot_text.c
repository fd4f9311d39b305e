/* Plots as characters: sizes, axes and bars, extreme values, and what becomes of the
 * text that gnuplot prints. */
#include "plot_fixture.h"

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

static void text__has_small_letters_for_hollow_points(void **state)
{
    (void)state;
    static const bool is_open[5] = {false, true, false, false, true};
    const struct out_mark marks[2] = {{.x = 3, .kind = OUT_MARK_RING},
                                      {.x = 5, .y = 1, .kind = OUT_MARK_CROSS}};
    struct out_series s = line_series;
    struct out_plot p = line_plot;
    struct lr_strbuf b = {0};

    s.style = OUT_POINTS;
    s.is_open = is_open;
    p.title = p.x_label = p.y_label = NULL;
    p.series = &s;
    p.marks = marks;
    p.n_marks = 2;
    p.open_title = "small";
    p.ring_title = "chosen";
    p.cross_title = "even";
    for (int ascii = 0; ascii < 2; ascii++) {
        char letters[16] = "";
        int n = 0;
        lr_strbuf_reset(&b);
        assert_int_equal(out_plot_text(&b, &p, 60, 15, ascii, false, NULL, NULL), LR_OK);
        check_size(&b, 60, 15, ascii);
        assert_non_null(strstr(b.s, ascii ? "o small" : "a small"));
        assert_non_null(strstr(b.s, "@ chosen"));
        assert_non_null(strstr(b.s, "x even"));
        /* from above, that is from the last point on, in the plot itself */
        const char *key = strstr(b.s, ascii ? "* line" : "A line");
        assert_non_null(key);
        for (const char *at = b.s; at < key; at++)
            if (strchr("Aa*o@x", *at))
                letters[n++] = *at;
        letters[n] = '\0';
        assert_string_equal(letters, ascii ? "o@*o*x" : "a@AaAx");
    }
    lr_strbuf_free(&b);
}

static void text__names_points_where_there_is_room(void **state)
{
    (void)state;
    static const struct out_note notes[2] = {{2, 3, "first"}, {2, 3, "second"}};
    struct out_plot p = line_plot;
    struct lr_strbuf b = {0};

    p.notes = notes;
    p.n_notes = 2;
    for (int ascii = 0; ascii < 2; ascii++) {
        lr_strbuf_reset(&b);
        assert_int_equal(out_plot_text(&b, &p, 60, 15, ascii, false, NULL, NULL), LR_OK);
        check_size(&b, 60, 15, ascii);
        assert_non_null(strstr(b.s, "first"));
        assert_non_null(strstr(b.s, "second"));
    }
    for (int width = 1; width < 30; width++) {
        lr_strbuf_reset(&b);
        assert_int_equal(out_plot_text(&b, &p, width, 9, true, false, NULL, NULL), LR_OK);
        check_size(&b, width, 9, true);
    }
    lr_strbuf_free(&b);
}

static void text__shows_long_names_of_places_whole(void **state)
{
    (void)state;
    static const char *const names[5] = {"stage1_block1_conv1", "stage1_block1_conv2",
                                         "stage2_block1_shortcut", "head_projection",
                                         "last_of_all_layers"};
    struct out_plot p = line_plot;
    struct lr_strbuf b = {0};

    p.x_names = names;
    for (int is_gnuplot = 0; is_gnuplot < 2; is_gnuplot++) {
        lr_strbuf_reset(&b);
        assert_int_equal(out_plot_text(&b, &p, 72, 20, true, is_gnuplot, NULL, NULL),
                         LR_OK);
        check_size(&b, 72, 20, true);
        for (int i = 0; i < 5; i++)
            assert_non_null(strstr(b.s, names[i]));
    }
    lr_strbuf_free(&b);
}

static void text__draws_bars_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"conv1", "conv2", "conv10"};
    double a[3] = {10, 5, 2.5}, c[3] = {4, NAN, 0};
    struct out_series s[2] = {{.title = "before", .style = OUT_BARS, .n = 3, .y = a},
                              {.title = "after", .style = OUT_BARS, .n = 3, .y = c}};
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
            struct out_series s = {.title = "s",
                                   .style = flags & 8 ? OUT_BARS : OUT_LINESPOINTS,
                                   .n = 3,
                                   .x = flags & 4 ? values[i] : NULL,
                                   .y = values[i],
                                   .low = values[i],
                                   .high = values[i]};
            struct out_mark m[2] = {{.x = NAN, .label = "nan"}, {.x = 1, .series = 7}};
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
    assert_string_equal(b.s, "a?b ??|\ny\n");
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
        T(text__fits_every_size),
        T(text__draws_a_line_with_axes),
        T(text__has_small_letters_for_hollow_points),
        T(text__names_points_where_there_is_room),
        T(text__shows_long_names_of_places_whole),
        T(text__draws_bars_by_name),
        T(text__survives_extreme_values),
        T(text__falls_back_when_gnuplot_is_missing_or_broken),
        T(text__is_ascii_when_asked_whatever_gnuplot_prints),
        T(text__is_cleaned_when_it_comes_from_gnuplot),
    };

    return cmocka_run_group_tests_name("plot text", tests, NULL, NULL);
}
