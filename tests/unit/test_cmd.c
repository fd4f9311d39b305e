/* The command language without a session: rows, argument types, parsing, prefixes and
 * printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/context.h"
#include "ranklab/mem.h"

/* ---- rows ---- */

static const struct cmd_row *row_at(size_t k)
{
    for (size_t g = 0; g < cmd_n_groups; g++) {
        if (k < cmd_groups[g]->n_rows)
            return &cmd_groups[g]->rows[k];
        k -= cmd_groups[g]->n_rows;
    }
    return NULL;
}

static void rows__have_distinct_names_and_say_what_they_do(void **state)
{
    const struct cmd_row *a, *b;

    (void)state;
    for (size_t i = 0; (a = row_at(i)) != NULL; i++) {
        assert_true(a->summary && strlen(a->summary) < 70);
        assert_true(a->summary[strlen(a->summary) - 1] != '.');
        for (size_t k = 0; (b = row_at(k)) != NULL; k++) {
            if (i == k)
                continue;
            assert_string_not_equal(cmd_name(a).s, cmd_name(b).s);
            if (a->alias)
                assert_string_not_equal(a->alias, cmd_name(b).s);
            if (a->alias && b->alias)
                assert_string_not_equal(a->alias, b->alias);
        }
    }
}

static size_t count_params(const struct cmd_param *p)
{
    size_t n = 0;

    while (p && p[n].name)
        n++;
    return n;
}

static void rows__fit_the_call_and_end_in_rest_or_optional_arguments(void **state)
{
    const struct cmd_row *row;

    (void)state;
    for (size_t i = 0; (row = row_at(i)) != NULL; i++) {
        size_t n = count_params(row->args);
        assert_true(n <= CMD_MAX_ARGS);
        assert_true(count_params(row->options) <= CMD_MAX_OPTIONS);
        for (size_t k = 0; k + 1 < n; k++) {
            assert_true(row->args[k].type < CMD_T_WORDS);
            if (row->args[k].flags & CMD_OPTIONAL)
                assert_true(row->args[k + 1].flags & CMD_OPTIONAL);
        }
        for (size_t k = 0; k < count_params(row->options); k++)
            for (size_t m = 0; m < k; m++)
                assert_string_not_equal(row->options[k].name, row->options[m].name);
    }
}

/* The marked prefix names one command only, and no shorter one would. */
static void rows__mark_the_shortest_clear_prefix(void **state)
{
    const struct cmd_row *a, *b;

    (void)state;
    for (size_t i = 0; (a = row_at(i)) != NULL; i++) {
        struct cmd_name name = cmd_name(a);
        size_t mark = strcspn(a->name, "$"), clear = 1;
        for (size_t k = 0; (b = row_at(k)) != NULL; k++) {
            struct cmd_name other = cmd_name(b);
            size_t same = 0;
            if (i == k)
                continue;
            while (name.s[same] && name.s[same] == other.s[same])
                same++;
            if (same + 1 > clear)
                clear = same + 1;
        }
        if (clear > strlen(name.s))
            clear = strlen(name.s);
        if (mark < clear)
            fail_msg("%s: the prefix %.*s names another command too", name.s, (int)mark,
                     name.s);
        char prefix[24] = "";
        memcpy(prefix, name.s, mark);
        assert_ptr_equal(cmd_find(prefix, true, NULL), a);
        assert_true(mark == strlen(name.s) || !cmd_find(prefix, false, NULL) ||
                    cmd_find(prefix, false, NULL) == a);
    }
}

static void rows__have_examples_that_parse(void **state)
{
    struct lr_strbuf b = {0};
    size_t next = 0;

    (void)state;
    cmd_examples(&b);
    assert_non_null(b.s);
    while (b.s[next]) {
        struct cmd_tokens ts;
        struct cmd_error e = {0};
        assert_int_equal(cmd_lex(&ts, &next, b.s, next, &e), LR_OK);
        if (ts.n) {
            struct cmd_call call;
            enum lr_status st = cmd_parse(&call, &ts, false, &e);
            if (st)
                fail_msg("an example does not parse: %s", e.err.msg);
            cmd_call_free(&call);
        }
        cmd_tokens_free(&ts);
    }
    lr_strbuf_free(&b);
}

static void help__names_every_command_and_option(void **state)
{
    const struct cmd_row *row;
    struct lr_strbuf overview = {0}, man = {0};
    struct cmd_error e = {0};

    (void)state;
    assert_int_equal(cmd_help(&overview, NULL, &e), LR_OK);
    cmd_man(&man);
    for (size_t i = 0; (row = row_at(i)) != NULL; i++) {
        struct lr_strbuf b = {0};
        struct cmd_name name = cmd_name(row);
        assert_non_null(strstr(overview.s, name.s));
        char heading[40] = ".SS ";
        for (const char *c = name.s; *c; c++) {
            size_t n = strlen(heading);
            snprintf(heading + n, sizeof(heading) - n, "%s%c", *c == '-' ? "\\" : "", *c);
        }
        assert_non_null(strstr(man.s, heading));
        assert_int_equal(cmd_help(&b, name.s, &e), LR_OK);
        for (size_t k = 0; k < count_params(row->options); k++)
            if (!(row->options[k].flags & CMD_HIDDEN))
                assert_non_null(strstr(b.s, row->options[k].name));
        lr_strbuf_free(&b);
    }
    for (size_t i = 0; i < cmd_n_topics; i++) {
        struct lr_strbuf b = {0};
        assert_int_equal(cmd_help(&b, cmd_topics[i].name, &e), LR_OK);
        lr_strbuf_free(&b);
    }
    assert_int_equal(cmd_help(&overview, "rnak", &e), LR_EINVAL);
    assert_non_null(strstr(e.hint, "rank"));
    lr_strbuf_free(&overview);
    lr_strbuf_free(&man);
}

/* ---- parsing ---- */

static enum lr_status parse(struct cmd_call *call, const char *text, bool is_prompt,
                            struct cmd_error *e)
{
    struct cmd_tokens ts;
    size_t next;

    *e = (struct cmd_error){0};
    assert_int_equal(cmd_lex(&ts, &next, text, 0, e), LR_OK);
    return cmd_parse(call, &ts, is_prompt, e);
}

static void expect_failure(const char *text, size_t place, const char *part)
{
    struct cmd_call call;
    struct cmd_error e;

    assert_int_not_equal(parse(&call, text, false, &e), LR_OK);
    if (!strstr(e.err.msg, part) && !strstr(e.hint, part))
        fail_msg("%s: '%s' is not in '%s' or '%s'", text, part, e.err.msg, e.hint);
    assert_int_equal(e.place, place);
    cmd_call_free(&call);
}

static void parse__fills_arguments_and_options(void **state)
{
    struct cmd_call call;
    struct cmd_error e;

    (void)state;
    assert_int_equal(parse(&call, "rank --round=8 conv3,'a b' e=99%", false, &e), LR_OK);
    assert_string_equal(cmd_arg(&call, "SET")->text, "conv3,a b");
    assert_int_equal(cmd_arg(&call, "VALUE")->rank_kind, CMD_RANK_ENERGY);
    assert_true(fabs(cmd_arg(&call, "VALUE")->r - 0.99) < 1e-12);
    assert_int_equal(cmd_option(&call, "round")->i, 8);
    cmd_call_free(&call);
    assert_int_equal(parse(&call, "data calib x.npy --mean 1,2.5,-3e-1 --bgr", false, &e),
                     LR_OK);
    assert_int_equal(cmd_option(&call, "mean")->n_reals, 3);
    assert_true(cmd_option(&call, "mean")->reals[2] == -0.3);
    assert_true(cmd_option(&call, "bgr")->is_set);
    assert_false(cmd_option(&call, "std")->is_set);
    cmd_call_free(&call);
    assert_int_equal(parse(&call, "open -- --odd.onnx", false, &e), LR_OK);
    assert_string_equal(cmd_arg(&call, "MODEL")->text, "--odd.onnx");
    cmd_call_free(&call);
    assert_int_equal(parse(&call, "open '--odd.onnx'", false, &e), LR_OK);
    cmd_call_free(&call);
    assert_int_equal(parse(&call, "layers all > 'a b.csv'", false, &e), LR_OK);
    assert_string_equal(call.redirect.text, "a b.csv");
    cmd_call_free(&call);
}

static void parse__refuses_with_place_and_hint(void **state)
{
    (void)state;
    expect_failure("rnak conv3 4", 0, "did you mean rank?");
    expect_failure("ran conv3 4", 0, "whole words: rank");
    expect_failure("rank conv3", 10, "VALUE is missing");
    expect_failure("rank conv3 4 5", 13, "unexpected 5");
    expect_failure("rank conv3 4 --ruond 8", 13, "did you mean --round?");
    expect_failure("rank conv3 4 --round", 13, "needs a value");
    expect_failure("rank conv3 4 --round 8 --round 8", 23, "given twice");
    expect_failure("rank conv3 4 --round x", 21, "whole number");
    expect_failure("rank conv3 x", 11, "not a rank");
    expect_failure("data calib f --bgr=1", 13, "takes no value");
    expect_failure("rank conv3 4 > f", 13, "prints no table");
    expect_failure("layers > f g", 11, "nothing may follow");
    expect_failure("layers >", 7, "must follow");
    expect_failure("try rnak", 4, "did you mean rank?");
    expect_failure("> f", 0, "must come before");
}

static void prefixes__work_at_the_prompt_only(void **state)
{
    struct cmd_call call;
    struct cmd_error e;

    (void)state;
    assert_int_equal(parse(&call, "sel --sp 4x", true, &e), LR_OK);
    assert_string_equal(cmd_name(call.row).s, "select");
    assert_true(cmd_option(&call, "speedup")->r == 4);
    cmd_call_free(&call);
    assert_int_equal(parse(&call, "sel --speedup 4", false, &e), LR_EPARSE);
    cmd_call_free(&call);
    assert_int_equal(parse(&call, "select --sp 4", false, &e), LR_EPARSE);
    cmd_call_free(&call);
    assert_int_equal(parse(&call, "ls", false, &e), LR_OK); /* an alias is a whole word */
    cmd_call_free(&call);
    assert_int_equal(parse(&call, "s", true, &e), LR_EPARSE);
    assert_non_null(strstr(e.err.msg, "select"));
    assert_non_null(strstr(e.err.msg, "solve"));
    cmd_call_free(&call);
}

static void check_value(const char *text, enum cmd_type_id type, bool is_ok, double r)
{
    const struct cmd_param p = {.name = "x", .type = type};
    struct cmd_value v = {.is_set = true, .text = text};
    struct cmd_error e = {0};
    enum lr_status st = cmd_types[type].parse(&v, &p, &e);

    if ((st == LR_OK) != is_ok)
        fail_msg("%s: %s", text, is_ok ? e.err.msg : "was taken");
    if (is_ok && fabs(v.r - r) > 1e-12 * fabs(r))
        fail_msg("%s: %g, expected %g", text, v.r, r);
}

static void types__take_what_they_describe_and_nothing_else(void **state)
{
    (void)state;
    check_value("12", CMD_T_INT, true, 12);
    check_value("-3", CMD_T_INT, true, -3);
    check_value("1.5", CMD_T_INT, false, 0);
    check_value("1e3", CMD_T_INT, false, 0);
    check_value("99999999999999999999", CMD_T_INT, false, 0);
    check_value("0x10", CMD_T_REAL, false, 0);
    check_value("nan", CMD_T_REAL, false, 0);
    check_value("inf", CMD_T_REAL, false, 0);
    check_value("1e999", CMD_T_REAL, false, 0);
    check_value("-1.5e-3", CMD_T_REAL, true, -1.5e-3);
    check_value("50%", CMD_T_SHARE, true, 0.5);
    check_value("0.25", CMD_T_SHARE, true, 0.25);
    check_value("0%", CMD_T_SHARE, false, 0);
    check_value("101%", CMD_T_SHARE, false, 0);
    check_value("%", CMD_T_SHARE, false, 0);
    check_value("2.5x", CMD_T_FACTOR, true, 2.5);
    check_value("4", CMD_T_FACTOR, true, 4);
    check_value("x", CMD_T_FACTOR, false, 0);
    check_value("12M", CMD_T_AMOUNT, true, 12e6);
    check_value("1.5G", CMD_T_AMOUNT, true, 1.5e9);
    check_value("250k", CMD_T_AMOUNT, true, 250e3);
    check_value("3500", CMD_T_AMOUNT, true, 3500);
    check_value("12m", CMD_T_AMOUNT, false, 0);
    check_value("M", CMD_T_AMOUNT, false, 0);
    check_value("64", CMD_T_RANK, true, 0);
    check_value("50%", CMD_T_RANK, true, 0.5);
    check_value("e=0.9", CMD_T_RANK, true, 0.9);
    check_value("x=2.5", CMD_T_RANK, true, 2.5);
    check_value("x=2x", CMD_T_RANK, true, 2);
    check_value("full", CMD_T_RANK, true, 0);
    check_value("40,28", CMD_T_RANK, true, 0);
    check_value("40,", CMD_T_RANK, false, 0);
    check_value(",28", CMD_T_RANK, false, 0);
    check_value("1.5", CMD_T_RANK, false, 0);
    check_value("e=2", CMD_T_RANK, false, 0);
    check_value("x=0", CMD_T_RANK, false, 0);
    check_value("", CMD_T_RANK, false, 0);
    check_value("1x3x224x224", CMD_T_SHAPE, true, 0);
    check_value("1x0x2", CMD_T_SHAPE, false, 0);
    check_value("1x", CMD_T_SHAPE, false, 0);
    check_value("1x2x3x4x5x6x7x8x9", CMD_T_SHAPE, false, 0);
    check_value("1x99999999999", CMD_T_SHAPE, false, 0);
}

/* What is recorded can be read again, and reads as the same. */
static void print__gives_a_line_that_parses_to_itself(void **state)
{
    static const char *const lines[] = {
        "rank conv3 40",
        "rank 'a b' e=99% --round 8",
        "rank 'it''s' 4",
        "open -- --x",
        "echo 'a;b' \"it's\" '#' x",
        "echo \"two\\nlines\"",
        "assert total.speedup >= 3.95",
        "try rank conv3 300",
        "try layers conv3 > 'my file.csv'",
        "data calib 'C:\\x' --mean 0.5 --bgr",
        "select --speedup 4x --rule uniform",
        "echo 'a>b' 'c==d' 'e!=f'",
        "echo ''",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct cmd_call a, b;
        struct cmd_error e;
        struct lr_strbuf first = {0}, second = {0};
        assert_int_equal(parse(&a, lines[i], false, &e), LR_OK);
        cmd_call_print(&first, &a, false);
        if (parse(&b, first.s, false, &e))
            fail_msg("%s: %s", first.s, e.err.msg);
        assert_int_equal(a.n_args, b.n_args);
        assert_int_equal(a.tokens.n, b.tokens.n);
        cmd_call_print(&second, &b, false);
        assert_string_equal(first.s, second.s);
        cmd_call_free(&a);
        cmd_call_free(&b);
        lr_strbuf_free(&first);
        lr_strbuf_free(&second);
    }
}

static void print__writes_prefixes_out_and_makes_paths_absolute(void **state)
{
    struct cmd_call call;
    struct cmd_error e;
    struct lr_strbuf b = {0};

    (void)state;
    assert_int_equal(parse(&call, "exp table layers a.csv", true, &e), LR_OK);
    cmd_call_print(&b, &call, true);
    assert_int_equal(strncmp(b.s, "export table layers ", 20), 0);
    assert_non_null(strstr(b.s, "/a.csv"));
    cmd_call_free(&call);
    lr_strbuf_reset(&b);
    assert_int_equal(parse(&call, "o @fashion", true, &e), LR_OK);
    cmd_call_print(&b, &call, true);
    assert_string_equal(b.s, "open @fashion");
    cmd_call_free(&call);
    lr_strbuf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows__have_distinct_names_and_say_what_they_do),
        cmocka_unit_test(rows__fit_the_call_and_end_in_rest_or_optional_arguments),
        cmocka_unit_test(rows__mark_the_shortest_clear_prefix),
        cmocka_unit_test(rows__have_examples_that_parse),
        cmocka_unit_test(help__names_every_command_and_option),
        cmocka_unit_test(parse__fills_arguments_and_options),
        cmocka_unit_test(parse__refuses_with_place_and_hint),
        cmocka_unit_test(prefixes__work_at_the_prompt_only),
        cmocka_unit_test(types__take_what_they_describe_and_nothing_else),
        cmocka_unit_test(print__gives_a_line_that_parses_to_itself),
        cmocka_unit_test(print__writes_prefixes_out_and_makes_paths_absolute),
    };

    setlocale(LC_CTYPE, "C.UTF-8"); /* columns of what is not ASCII */
    return cmocka_run_group_tests_name("cmd", tests, NULL, NULL);
}
