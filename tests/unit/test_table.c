/* Unit tests of src/out tables: the four formats, hostile text, unknown values, numbers
 * that read back exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "out/digest.h"
#include "out/json.h"
#include "out/number.h"
#include "out/table.h"
#include "ranklab/rng.h"

static const struct out_column columns[] = {
    {"layer", "name", OUT_TEXT, 0, 0},       {"rank", "rank", OUT_INT, 0, 0},
    {"macs", "MMAC", OUT_INT, 1e6, 1},       {"energy", "energy %", OUT_REAL, 0.01, 2},
    {"is_solved", "solved", OUT_BOOL, 0, 0}, {"digest", NULL, OUT_TEXT, 0, 0},
};
enum { N_COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static void fill(struct out_table *t)
{
    out_table_init(t, columns, N_COLUMNS);
    out_text(t, "conv1");
    out_int(t, 17);
    out_int(t, 5612345);
    out_real(t, 0.98765);
    out_bool(t, true);
    out_text(t, "ab");
    out_text(t, "c2");
    out_int(t, INT64_MIN);
    out_null(t);
    out_real(t, NAN);
    out_bool(t, false);
    out_text(t, NULL);
}

static void expect(const struct out_table *t, enum out_format format, bool is_ascii,
                   const char *wanted)
{
    struct lr_strbuf b = {0};
    struct lr_err e = {0};

    assert_int_equal(out_table_render(&b, t, format, is_ascii, &e), LR_OK);
    assert_string_equal(b.s, wanted);
    lr_strbuf_free(&b);
}

static void table__renders_every_format(void **state)
{
    (void)state;
    struct out_table t;

    fill(&t);
    assert_int_equal(t.n_rows, 2);
    expect(&t, OUT_CSV, false,
           "layer,rank,macs,energy,is_solved,digest\n"
           "conv1,17,5612345,0.98765,true,ab\n"
           "c2,,,,false,\n");
    expect(
        &t, OUT_JSON, false,
        "[{\"layer\": \"conv1\", \"rank\": 17, \"macs\": 5612345, \"energy\": 0.98765, "
        "\"is_solved\": true, \"digest\": \"ab\"}, {\"layer\": \"c2\", \"rank\": null, "
        "\"macs\": null, \"energy\": null, \"is_solved\": false, \"digest\": null}]\n");
    expect(&t, OUT_MD, false,
           "| name  | rank | MMAC | energy % | solved |\n"
           "|-------|-----:|-----:|---------:|--------|\n"
           "| conv1 |   17 |  5.6 |    98.77 | yes    |\n"
           "| c2    |    - |    - |        - | no     |\n");
    expect(&t, OUT_TABLE, true,
           "name   rank  MMAC  energy %  solved\n"
           "-----  ----  ----  --------  ------\n"
           "conv1    17   5.6     98.77  yes\n"
           "c2        -     -         -  no\n");
    out_table_free(&t);
    out_table_init(&t, columns, 1);
    expect(&t, OUT_JSON, false, "[]\n");
    expect(&t, OUT_CSV, false, "layer\n");
    expect(&t, OUT_TABLE, true, "name\n----\n");
    out_table_free(&t);
}

static const char *const hostile[] = {
    "a,b",
    "say \"hi\"",
    "two\nlines",
    "a|b|c",
    "\x1b[31mred\x1b]0;x\x07",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\xff\xfe",
    "\xe2\x80\xae"
    "evil",
    "",
    " lead",
    "trail ",
    "`id`",
    "<script>&amp;",
    "\\",
    "a\tb",
    "\r",
    "conv2_1",
    "_x_",
    "**b**",
    "\xc3\xa9\xe4\xbd\x9c",
    "\xc2\x9b"
    "31m",
    "null",
};
enum { N_HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

static void text__is_safe_in_every_format_when_hostile(void **state)
{
    (void)state;
    struct out_table t;

    out_table_init(&t, columns, 1);
    for (size_t i = 0; i < N_HOSTILE; i++)
        out_text(&t, hostile[i]);
    for (int f = OUT_TABLE; f <= OUT_MD; f++) {
        struct lr_strbuf b = {0};
        int n_lines = 0;
        assert_int_equal(out_table_render(&b, &t, (enum out_format)f, true, NULL), LR_OK);
        for (size_t i = 0; i < b.len; i++) {
            n_lines += b.s[i] == '\n';
            assert_true(b.s[i] == '\n' || (unsigned char)b.s[i] >= 0x20);
        }
        assert_int_equal(n_lines, f == OUT_JSON ? 1 : N_HOSTILE + (f == OUT_CSV ? 1 : 2));
        assert_null(strstr(b.s, "\xe2\x80\xae"));
        assert_null(strstr(b.s, "\xff"));
        assert_null(strstr(b.s, "\xc2\x9b"));
        lr_strbuf_free(&b);
    }
    out_table_free(&t);
}

static void csv__quotes_by_rfc_4180_and_disarms_formulas(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"a,b", "\"a,b\""},
        {"say \"hi\"", "\"say \"\"hi\"\"\""},
        {"=1+1", "'=1+1"},
        {"@x,y", "\"'@x,y\""},
        {"-1", "'-1"},
        {"two\nlines", "two\\x0alines"},
        {"\t=1", "\\x09=1"},
        {"", "\"\""},
        {" x", "\" x\""},
        {"\xc3\xa9", "\xc3\xa9"},
        {"a\x1b[m", "a\\x1b[m"},
        {"a=b", "a=b"},
        {"'a", "''a"},
        {"a;=1", "\"a;=1\""},
        {"\xef\xbc\x9d", "'\xef\xbc\x9d"},
        {"a'b", "a'b"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wanted[256];
        struct out_table t;
        out_table_init(&t, columns, 1);
        out_text(&t, cases[i].text);
        snprintf(wanted, sizeof(wanted), "layer\n%s\n", cases[i].wanted);
        expect(&t, OUT_CSV, false, wanted);
        out_table_free(&t);
    }
}

static void markdown__escapes_what_would_change_the_table(void **state)
{
    (void)state;
    struct out_table t;

    out_table_init(&t, columns, 1);
    out_text(&t, "a|b");
    out_text(&t, "conv2_1");
    out_text(&t, "_x_`y`*z*[l](u)");
    out_text(&t, "<b>&");
    out_text(&t, "c:\\d $e$ ~f~");
    expect(&t, OUT_MD, false,
           "| name                    |\n"
           "|-------------------------|\n"
           "| a\\|b                    |\n"
           "| conv2_1                 |\n"
           "| \\_x\\_\\`y\\`\\*z\\*\\[l\\](u) |\n"
           "| &lt;b>&amp;             |\n"
           "| c:\\\\d \\$e\\$ \\~f\\~       |\n");
    out_table_free(&t);
}

static void aligned__caps_long_text_and_counts_columns(void **state)
{
    (void)state;
    static const struct out_column two[] = {{"a", "a", OUT_TEXT, 0, 0},
                                            {"b", "b", OUT_INT, 0, 0}};
    struct out_table t;
    char name[128];

    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    out_table_init(&t, two, 2);
    for (int i = 0; i < 100; i++)
        name[i] = (char)('a' + i % 26);
    name[100] = '\0';
    out_text(&t, name);
    out_int(&t, 1);
    out_text(&t, "\xe4\xbd\x9c\xe8\x80\x85");
    out_int(&t, -22);
    expect(&t, OUT_TABLE, true,
           "a                                           b\n"
           "----------------------------------------  ---\n"
           "abcdefghijkl...xyzabcdefghijklmnopqrstuv    1\n"
           "\xe4\xbd\x9c\xe8\x80\x85                                      -22\n");
    out_table_free(&t);
    out_table_init(&t, two, 2);
    for (int i = 0; i < 30; i++)
        memcpy(name + 3 * i, "\xe4\xbd\x9c", 4);
    out_text(&t, name);
    out_int(&t, 1);
    struct lr_strbuf b = {0};
    assert_int_equal(out_table_render(&b, &t, OUT_TABLE, false, NULL), LR_OK);
    /* 6 wide characters, the ellipsis, 13 more, and the number in its place */
    const char *row = strstr(b.s, "\xe4\xbd\x9c"), *dots = strstr(b.s, "\xe2\x80\xa6");
    assert_true(row && dots && dots - row == 6 * 3);
    assert_string_equal(dots + 3 + 13 * 3, "  1\n");
    lr_strbuf_free(&b);
    out_table_free(&t);
    setlocale(LC_CTYPE, "C");
}

static void aligned__shows_numbers_as_people_read_them(void **state)
{
    (void)state;
    static const struct out_column two[] = {{"a", "a", OUT_REAL, 0, 2},
                                            {"b", "b", OUT_REAL, 0, -3}};
    static const double values[][2] = {
        {-0.0001, 0.00012345}, {1e300, 123456}, {INFINITY, -INFINITY}, {1234567.891, 0}};
    struct out_table t;

    out_table_init(&t, two, 2);
    for (size_t i = 0; i < 4; i++) {
        out_real(&t, values[i][0]);
        out_real(&t, values[i][1]);
    }
    expect(&t, OUT_TABLE, true,
           "         a         b\n"
           "----------  --------\n"
           "      0.00  0.000123\n"
           "    1e+300  1.23e+05\n"
           "       inf      -inf\n"
           "1234567.89         0\n");
    expect(&t, OUT_CSV, true,
           "a,b\n-0.0001,0.00012345\n1e+300,123456\ninf,-inf\n1234567.891,0\n");
    out_table_free(&t);
}

static void json__reads_back_exactly(void **state)
{
    (void)state;
    static const struct out_column four[] = {{"t", "t", OUT_TEXT, 0, 0},
                                             {"i", "i", OUT_INT, 1000, 1},
                                             {"r", "r", OUT_REAL, 1000, 1},
                                             {"b", "b", OUT_BOOL, 0, 0}};
    static const double reals[] = {0.1,     1.0 / 3, 1e-320,
                                   DBL_MAX, DBL_MIN, -0.0,
                                   5,       1e22,    123456789012345678.0,
                                   2.5e-8,  1e16,    9007199254740993.0};
    enum { N = 2000, N_REALS = sizeof(reals) / sizeof(reals[0]) };
    struct out_table t;
    struct lr_strbuf b = {0};
    struct lr_rng rng;
    double values[N];

    lr_rng_seed(&rng, 1);
    out_table_init(&t, four, 4);
    for (int i = 0; i < N; i++) {
        uint64_t bits = lr_rng_next(&rng);
        memcpy(&values[i], &bits, sizeof(bits));
        if (i < N_REALS)
            values[i] = reals[i];
        out_text(&t, hostile[i % N_HOSTILE]);
        out_int(&t, i == 0 ? INT64_MAX : i == 1 ? INT64_MIN + 1 : (int64_t)bits >> 8);
        out_real(&t, values[i]);
        out_bool(&t, i % 3 == 0);
    }
    assert_int_equal(out_table_render(&b, &t, OUT_JSON, false, NULL), LR_OK);
    assert_ptr_equal(strchr(b.s, '\n'), b.s + b.len - 1);
    json_t *j = json_loads(b.s, 0, NULL);
    assert_non_null(j);
    assert_int_equal(json_array_size(j), N);
    for (size_t i = 0; i < N; i++) {
        const json_t *row = json_array_get(j, i);
        const json_t *r = json_object_get(row, "r");
        assert_int_equal(json_integer_value(json_object_get(row, "i")),
                         t.cells[4 * i + 1].i);
        if (isfinite(values[i]))
            assert_true(json_is_number(r) && json_number_value(r) == values[i]);
        else
            assert_true(json_is_null(r));
        const char *text = hostile[i % N_HOSTILE];
        const char *got = json_string_value(json_object_get(row, "t"));
        if (strcmp(text, "\xff\xfe") == 0)
            text = "\xef\xbf\xbd\xef\xbf\xbd";
        assert_string_equal(got, text);
    }
    json_decref(j);
    lr_strbuf_free(&b);
    out_table_free(&t);
}

static void number__is_shortest_and_ignores_the_locale(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0.1, "0.1"},    {1.0 / 3, "0.3333333333333333"},
                 {5, "5"},        {0.30000000000000004, "0.30000000000000004"},
                 {1e21, "1e+21"}, {-2.5, "-2.5"},
                 {1e-5, "1e-05"}, {0, "0"}};
    static const char *const locales[] = {"C", "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE"};

    for (size_t k = 0; k < 4; k++) {
        if (!setlocale(LC_NUMERIC, locales[k]))
            continue;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct lr_strbuf b = {0};
            out_number_shortest(&b, cases[i].v);
            assert_string_equal(b.s, cases[i].text);
            lr_strbuf_reset(&b);
            out_number_fixed(&b, cases[i].v, 1);
            assert_null(strchr(b.s, ','));
            lr_strbuf_free(&b);
        }
    }
    setlocale(LC_NUMERIC, "C");
}

static void format__follows_name_and_ending(void **state)
{
    (void)state;
    enum out_format f = OUT_TABLE;

    assert_int_equal(out_format_of("a/b.csv"), OUT_CSV);
    assert_int_equal(out_format_of("B.JSON"), OUT_JSON);
    assert_int_equal(out_format_of("x.md"), OUT_MD);
    assert_int_equal(out_format_of("x.txt"), OUT_TABLE);
    assert_int_equal(out_format_of(""), OUT_TABLE);
    assert_int_equal(out_format_of("csv"), OUT_TABLE);
    assert_true(out_format_parse(&f, "md") && f == OUT_MD);
    assert_true(out_format_parse(&f, "table") && f == OUT_TABLE);
    assert_false(out_format_parse(&f, "xml"));
}

/* A table of two rows in the columns given; which: the cell that is changed a little. */
static void digest_of(char hex[65], const struct out_column *cols, int which)
{
    struct out_table t;
    struct lr_err e;

    out_table_init(&t, cols, 4);
    for (int i = 0; i < 2; i++) {
        out_text(&t, i ? "conv2" : which == 1 ? "conv1\t" : "conv1");
        out_int(&t, which == 2 ? 18 : 17);
        out_real(&t, which == 3 ? nextafter(0.1, 1) : which == 4 ? (double)NAN : 0.1);
        out_real(&t, which == 5 ? 7.5 : 3.25);
    }
    assert_int_equal(out_table_digest(hex, &t, &e), LR_OK);
    out_table_free(&t);
}

static void digest__holds_raw_values_and_leaves_times_out(void **state)
{
    static const struct out_column timed[] = {{"layer", "a", OUT_TEXT, 0, 0},
                                              {"rank", "b", OUT_INT, 0, 0},
                                              {"error", "c", OUT_REAL, 0.01, 2},
                                              {"seconds", "s", OUT_REAL, 0, 2}};
    static const struct out_column shown_otherwise[] = {
        {"layer", NULL, OUT_TEXT, 0, 0},
        {"rank", "r", OUT_INT, 1e3, 1},
        {"error", "e", OUT_REAL, 0, 9},
        {"seconds", NULL, OUT_REAL, 0, 0}};
    static const struct out_column renamed[] = {{"layer", "a", OUT_TEXT, 0, 0},
                                                {"rank", "b", OUT_INT, 0, 0},
                                                {"loss", "c", OUT_REAL, 0.01, 2},
                                                {"seconds", "s", OUT_REAL, 0, 2}};
    char first[65], hex[65];

    (void)state;
    digest_of(first, timed, 0);
    digest_of(hex, shown_otherwise, 0);
    assert_string_equal(hex, first);
    digest_of(hex, renamed, 0);
    assert_string_not_equal(hex, first);
    for (int which = 1; which <= 4; which++) {
        digest_of(hex, timed, which);
        assert_string_not_equal(hex, first);
    }
    digest_of(hex, timed, 5);
    assert_string_equal(hex, first);
    assert_true(out_is_time("ms_original") && out_is_time("kept_at") &&
                out_is_time("ms"));
    assert_false(out_is_time("images") || out_is_time("params") || out_is_time("macs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__renders_every_format),
        cmocka_unit_test(text__is_safe_in_every_format_when_hostile),
        cmocka_unit_test(csv__quotes_by_rfc_4180_and_disarms_formulas),
        cmocka_unit_test(markdown__escapes_what_would_change_the_table),
        cmocka_unit_test(aligned__caps_long_text_and_counts_columns),
        cmocka_unit_test(aligned__shows_numbers_as_people_read_them),
        cmocka_unit_test(json__reads_back_exactly),
        cmocka_unit_test(number__is_shortest_and_ignores_the_locale),
        cmocka_unit_test(format__follows_name_and_ending),
        cmocka_unit_test(digest__holds_raw_values_and_leaves_times_out),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
