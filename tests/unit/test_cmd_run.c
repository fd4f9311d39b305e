/* Running command text: how failures are reported, stopping, history, streams and
 * settings; and completion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cmd/context.h"

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
    expect_completion("method conv3 ", 13, "keep pca relu spatial spatial-refit 3d svd");
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
    expect_completion("export table ", 13,
                      "layers cost error eval configs sweep networks predict time");
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
    return cmocka_run_group_tests_name("cmd run", tests, NULL, NULL);
}
