/* The command language without a session: lexer, argument types, rows, prefixes,
 * printing, completion, and how failures are reported. */
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
#include "ranklab/rng.h"

/* ---- a sink that keeps what it is given ---- */

struct capture {
    struct lr_strbuf out, err;
    int n_before_stop; /* commands until is_stopped; < 0: never */
};

static void keep(void *ctx, enum cmd_stream stream, enum cmd_style style,
                 const char *text, size_t n)
{
    struct capture *k = ctx;

    (void)style;
    lr_strbuf_add(stream == CMD_OUT ? &k->out : &k->err, text, n);
}

static bool stop(void *ctx)
{
    struct capture *k = ctx;

    return k->n_before_stop >= 0 && k->n_before_stop-- == 0;
}

struct fixture {
    struct lr_session session;
    struct cmd_ctx c;
    struct capture captured;
};

static void begin(struct fixture *f)
{
    struct cmd_sink sink = {.write = keep, .is_stopped = stop, .ctx = &f->captured};

    f->captured = (struct capture){.n_before_stop = -1};
    lr_session_init(&f->session);
    cmd_init(&f->c, &f->session, &sink);
}

static void end(struct fixture *f)
{
    cmd_free(&f->c);
    lr_session_free(&f->session);
    lr_strbuf_free(&f->captured.out);
    lr_strbuf_free(&f->captured.err);
}

static const char *text_of(const struct lr_strbuf *b)
{
    return b->s ? b->s : "";
}

static enum lr_status run(struct fixture *f, const char *text, bool is_prompt)
{
    const struct cmd_origin origin = {
        .name = is_prompt ? NULL : "t.rl", .line = 10, .is_prompt = is_prompt};

    lr_strbuf_reset(&f->captured.out);
    lr_strbuf_reset(&f->captured.err);
    return cmd_run_text(&f->c, text, &origin);
}

/* ---- lexer ---- */

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
        char heading[40];
        snprintf(heading, sizeof(heading), ".SS %s", name.s);
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

/* ---- completion ---- */

static void expect_completion(const char *line, size_t begin_at, const char *words)
{
    struct cmd_completion found;
    struct lr_strbuf b = {0};

    cmd_complete(&found, NULL, line);
    for (size_t i = 0; i < found.words.n; i++)
        lr_strbuf_printf(&b, "%s%s", i ? " " : "", found.words.w[i]);
    assert_string_equal(text_of(&b), words);
    assert_int_equal(found.begin, begin_at);
    cmd_words_free(&found.words);
    lr_strbuf_free(&b);
}

static void complete__follows_the_rows(void **state)
{
    (void)state;
    expect_completion("lay", 0, "layers");
    expect_completion("echo x; lay", 8, "layers");
    expect_completion("try sol", 4, "solve");
    expect_completion("method conv3 ", 13, "keep pca relu svd");
    expect_completion("method conv3 p", 13, "pca");
    expect_completion("select --r", 7, "--round --rule");
    expect_completion("select --rule u", 14, "uniform");
    expect_completion("set fo", 4, "format");
    expect_completion("set format j", 11, "json");
    expect_completion("rank @s", 5, "@stale @solved");
    expect_completion("rank conv1,al", 5, "conv1,all");
    expect_completion("open @fashion-", 5, "@fashion-resnet");
    expect_completion("help layer", 5, "layers layer-sets");
    expect_completion("export onnx ", 12, "");
    expect_completion("export table ", 13, "layers cost error eval");
    expect_completion("nonsense x", 9, "");
}

/* ---- running ---- */

static void run__reports_file_line_column_line_and_caret(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(run(&f, "echo a\necho \xC3\xA4; \trank conv3\n", false), LR_EPARSE);
    assert_string_equal(text_of(&f.captured.out), "a\n\xC3\xA4\n");
    assert_string_equal(text_of(&f.captured.err),
                        "t.rl:11:20: rank: VALUE is missing\n"
                        "  echo \xC3\xA4;  rank conv3\n"
                        "                     ^\n"
                        "  usage: rank SET VALUE [--round N]\n");
    assert_int_equal(run(&f, "rank conv3", true), LR_EPARSE);
    assert_string_equal(text_of(&f.captured.err),
                        "rank: VALUE is missing\n"
                        "  rank conv3\n"
                        "            ^\n"
                        "  usage: rank SET VALUE [--round N]\n");
    end(&f);
}

static void run__stops_at_the_first_failure_unless_told_otherwise(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(run(&f, "echo 1; layers; echo 2", false), LR_EINVAL);
    assert_string_equal(text_of(&f.captured.out), "1\n");
    assert_int_equal(f.c.n_failed, 1);
    f.c.settings.is_keep_going = true;
    assert_int_equal(run(&f, "echo 1; layers; echo 2", false), LR_EINVAL);
    assert_string_equal(text_of(&f.captured.out), "1\n2\n");
    assert_int_equal(f.c.n_failed, 2);
    f.c.settings.is_keep_going = false;
    assert_int_equal(run(&f, "try layers; try nonsense; try 'x\necho 2", false), LR_OK);
    assert_string_equal(text_of(&f.captured.out), "2\n");
    assert_int_equal(f.c.n_failed, 2);
    assert_int_equal(run(&f, "echo 1; quit; echo 2", false), LR_OK);
    assert_string_equal(text_of(&f.captured.out), "1\n");
    assert_true(f.c.wants_quit);
    end(&f);
}

static void run__ends_between_commands_when_asked_to_stop(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    f.captured.n_before_stop = 1;
    assert_int_equal(run(&f, "echo 1; echo 2; echo 3", false), LR_EINTR);
    assert_string_equal(text_of(&f.captured.out), "1\n");
    assert_true(f.c.was_interrupted);
    end(&f);
}

static void run__escapes_what_comes_from_outside(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(run(&f, "open 'a\x1b[31m.onnx'", false), LR_EIO);
    assert_null(strchr(text_of(&f.captured.err), '\x1b'));
    end(&f);
}

static void count_begin(void *ctx)
{
    struct capture *k = ctx;

    lr_strbuf_putc(&k->err, 'B');
}

static void run__tells_the_front_end_when_each_command_begins(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    f.c.sink.begin = count_begin;
    assert_int_equal(run(&f, "echo 1; echo 2\ntry echo 3", false), LR_OK);
    assert_string_equal(text_of(&f.captured.err), "BBB");
    end(&f);
}

static void history__leaves_out_what_is_not_recorded_behind_try_too(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    assert_int_equal(run(&f,
                         "echo 1; help rank; try help rank; try source nowhere.rl; "
                         "try nonsense; try echo 2",
                         false),
                     LR_OK);
    assert_int_equal(f.c.n_done, 3);
    assert_string_equal(f.c.done[0].text, "echo 1");
    assert_string_equal(f.c.done[1].text, "try nonsense");
    assert_string_equal(f.c.done[2].text, "try echo 2");
    end(&f);
}

static void stream__names_the_line_of_bytes_that_are_no_text(void **state)
{
    const struct cmd_origin origin = {.name = "stdin"};
    char text[] = "echo 1\necho \0\n";
    struct fixture f;
    FILE *fp = fmemopen(text, sizeof(text) - 1, "r");

    (void)state;
    begin(&f);
    assert_non_null(fp);
    assert_int_equal(cmd_run_stream(&f.c, fp, &origin), LR_EPARSE);
    assert_string_equal(text_of(&f.captured.err),
                        "stdin: line 2: not a text file (a zero byte)\n");
    fclose(fp);
    end(&f);
}

static void settings__go_there_and_back(void **state)
{
    struct fixture f;
    struct cmd_error e = {0};

    (void)state;
    begin(&f);
    assert_int_equal(
        run(&f, "set seed 7; set round 8; set cache-memory 512M; show", false), LR_OK);
    assert_int_equal(f.session.settings.seed, 7);
    assert_int_equal(f.session.settings.round, 8);
    assert_int_equal(f.session.settings.cache_memory, 512000000);
    for (size_t i = 0; i < cmd_n_settings; i++) {
        struct lr_strbuf b = {0};
        cmd_settings_table[i].get(&b, &f.c);
        assert_int_equal(cmd_setting_set(&f.c, cmd_settings_table[i].name, b.s, &e),
                         LR_OK);
        lr_strbuf_free(&b);
    }
    assert_int_equal(run(&f, "set format json; echo x; show seed", false), LR_OK);
    assert_int_equal(text_of(&f.captured.out)[0], '[');
    assert_string_equal(text_of(&f.captured.err), "x\n");
    end(&f);
}

static void amount__keeps_three_digits(void **state)
{
    char b[32];

    (void)state;
    assert_string_equal(cmd_amount(b, sizeof(b), 0), "0 ");
    assert_string_equal(cmd_amount(b, sizeof(b), 999), "999 ");
    assert_string_equal(cmd_amount(b, sizeof(b), 1000), "1.00 k");
    assert_string_equal(cmd_amount(b, sizeof(b), 36.35e6), "36.4 M");
    assert_string_equal(cmd_amount(b, sizeof(b), 731754), "732 k");
    assert_string_equal(cmd_amount(b, sizeof(b), 999999), "1.00 M");
    assert_string_equal(cmd_amount(b, sizeof(b), 1.5e10), "15.0 G");
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
        cmocka_unit_test(complete__follows_the_rows),
        cmocka_unit_test(run__reports_file_line_column_line_and_caret),
        cmocka_unit_test(run__stops_at_the_first_failure_unless_told_otherwise),
        cmocka_unit_test(run__ends_between_commands_when_asked_to_stop),
        cmocka_unit_test(run__escapes_what_comes_from_outside),
        cmocka_unit_test(run__tells_the_front_end_when_each_command_begins),
        cmocka_unit_test(history__leaves_out_what_is_not_recorded_behind_try_too),
        cmocka_unit_test(stream__names_the_line_of_bytes_that_are_no_text),
        cmocka_unit_test(settings__go_there_and_back),
        cmocka_unit_test(amount__keeps_three_digits),
    };

    setlocale(LC_CTYPE, "C.UTF-8"); /* columns of what is not ASCII */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
