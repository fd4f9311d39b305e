/* The lexer of the command language: words and quotes, operators, lines that continue,
 * and any bytes at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cmd/context.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

static void expect_words(const char *text, int n, const char *const *words)
{
    struct cmd_tokens ts;
    struct cmd_error e = {0};
    size_t next = 0;

    assert_int_equal(cmd_lex(&ts, &next, text, 0, &e), LR_OK);
    assert_int_equal(ts.n, n);
    for (int i = 0; i < n; i++)
        assert_string_equal(ts.t[i].text, words[i]);
    cmd_tokens_free(&ts);
}

static void lex__splits_words_and_resolves_quotes(void **state)
{
    (void)state;
    expect_words("  rank\tconv3  40 ", 3, (const char *const[]){"rank", "conv3", "40"});
    expect_words("a'b c'd \"e \\\"f\\\" \\n\"", 2,
                 (const char *const[]){"ab cd", "e \"f\" \n"});
    expect_words("'' x", 2, (const char *const[]){"", "x"});
    expect_words("'a\\n'", 1, (const char *const[]){"a\\n"});
    expect_words("conv2..conv5,@stale,conv* e=99% a#b", 3,
                 (const char *const[]){"conv2..conv5,@stale,conv*", "e=99%", "a#b"});
    expect_words("# only a comment", 0, NULL);
    expect_words("x # y ; z", 1, (const char *const[]){"x"});
    expect_words("", 0, NULL);
}

static void lex__knows_operators_with_and_without_blanks(void **state)
{
    static const char *const words[] = {"a.b", ">=", "3"};

    (void)state;
    expect_words("a.b >= 3", 3, words);
    expect_words("a.b>=3", 3, words);
    expect_words("a==b", 3, (const char *const[]){"a", "==", "b"});
    expect_words("a!=b", 3, (const char *const[]){"a", "!=", "b"});
    expect_words("a>b", 3, (const char *const[]){"a", ">", "b"});
    expect_words("'a>b'", 1, (const char *const[]){"a>b"});
    expect_words("x=2", 1, (const char *const[]){"x=2"});
}

static void lex__continues_lines_and_keeps_places(void **state)
{
    const char text[] = "rank \\\n  conv3 \\\r\n 40; layers\ncost";
    struct cmd_tokens ts;
    struct cmd_error e = {0};
    size_t next = 0, line, start;

    (void)state;
    assert_int_equal(cmd_lex(&ts, &next, text, 0, &e), LR_OK);
    assert_int_equal(ts.n, 3);
    assert_int_equal(text[ts.t[2].begin], '4');
    cmd_find_line(&line, &start, text, ts.t[2].begin);
    assert_int_equal(line, 2);
    assert_int_equal(ts.t[2].begin - start, 1);
    cmd_tokens_free(&ts);
    assert_int_equal(cmd_lex(&ts, &next, text, next, &e), LR_OK);
    assert_string_equal(ts.t[0].text, "layers");
    cmd_tokens_free(&ts);
    assert_int_equal(cmd_lex(&ts, &next, text, next, &e), LR_OK);
    assert_string_equal(ts.t[0].text, "cost");
    cmd_tokens_free(&ts);
    assert_int_equal(next, strlen(text));
}

static void lex__refuses_open_quotes_and_goes_on_with_the_next_line(void **state)
{
    static const char *const bad[] = {"a 'b\nnext", "a \"b\nnext", "a \"\\x\"\nnext",
                                      "a b\\c\nnext"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct cmd_tokens ts;
        struct cmd_error e = {0};
        size_t next = 0;
        assert_int_equal(cmd_lex(&ts, &next, bad[i], 0, &e), LR_EPARSE);
        assert_true(e.has_place && e.place >= 2 && e.place < strlen(bad[i]));
        assert_string_equal(bad[i] + next, "next");
    }
}

static void line_continues__sees_backslashes_but_not_in_comments(void **state)
{
    (void)state;
    assert_true(cmd_line_continues("rank \\"));
    assert_true(cmd_line_continues("rank \\\n"));
    assert_true(cmd_line_continues("rank \\\r\n"));
    assert_true(cmd_line_continues("a#b \\\n"));
    assert_false(cmd_line_continues("rank # \\\n"));
    assert_false(cmd_line_continues("rank \\\nconv3\n"));
    assert_false(cmd_line_continues("'\\\n"));
    assert_false(cmd_line_continues(""));
}

/* Whatever is typed, reading ends, stays inside the text and frees what it took. */
static void lex__survives_any_bytes(void **state)
{
    static const char letters[] = "ab \t\n\r\\'\"#;><=!.,*@-%\xC3\xA9\x80\x1b$";
    struct lr_rng rng;

    (void)state;
    lr_rng_seed(&rng, 5);
    for (int round = 0; round < 3000; round++) {
        char text[40];
        size_t n = lr_rng_below(&rng, sizeof(text)), next = 0;
        for (size_t i = 0; i < n; i++)
            text[i] = letters[lr_rng_below(&rng, sizeof(letters) - 1)];
        text[n] = '\0';
        cmd_line_continues(text);
        while (next < n) {
            size_t from = next;
            struct cmd_tokens ts;
            struct cmd_error e = {0};
            if (cmd_lex(&ts, &next, text, from, &e) == LR_OK && ts.n) {
                struct cmd_call call;
                cmd_parse(&call, &ts, round % 2, &e);
                cmd_call_free(&call);
            }
            cmd_tokens_free(&ts);
            assert_true(next > from && next <= n);
            assert_true(!e.has_place || e.place <= n);
        }
        struct cmd_completion found;
        cmd_complete(&found, NULL, text);
        assert_true(found.begin <= n);
        cmd_words_free(&found.words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lex__splits_words_and_resolves_quotes),
        cmocka_unit_test(lex__knows_operators_with_and_without_blanks),
        cmocka_unit_test(lex__continues_lines_and_keeps_places),
        cmocka_unit_test(lex__refuses_open_quotes_and_goes_on_with_the_next_line),
        cmocka_unit_test(line_continues__sees_backslashes_but_not_in_comments),
        cmocka_unit_test(lex__survives_any_bytes),
    };

    setlocale(LC_CTYPE, "C.UTF-8"); /* columns of what is not ASCII */
    return cmocka_run_group_tests_name("cmd lexer", tests, NULL, NULL);
}
