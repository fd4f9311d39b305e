/* Commands about the session itself: scripts, settings, help, history, tests. */
#include "cmd/context.h"

#include <stdlib.h>
#include <string.h>

#include "out/plot.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"

static enum lr_status run_quit(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    (void)call, (void)e;
    c->wants_quit = true;
    return LR_OK;
}

/* ---- settings ---- */

static const struct out_column setting_columns[] = {
    {"name", "setting", OUT_TEXT, 0, 0},
    {"value", "value", OUT_TEXT, 0, 0},
    {"summary", "", OUT_TEXT, 0, 0},
};

static enum lr_status show_settings(struct cmd_ctx *c, const char *only,
                                    struct cmd_error *e)
{
    struct out_table t;
    struct lr_strbuf text = {0};
    bool is_text = c->settings.format == OUT_TABLE && !c->redirect_path;

    out_table_init(&t, setting_columns, 3);
    for (size_t i = 0; i < cmd_n_settings; i++) {
        const struct cmd_setting *s = &cmd_settings_table[i];
        struct lr_strbuf value = {0};
        if (only && strcmp(only, s->name) != 0)
            continue;
        s->get(&value, c);
        out_text(&t, s->name);
        out_text(&t, value.s);
        out_text(&t, s->summary);
        lr_strbuf_printf(&text, "  %-14s %-10s %s\n", s->name, value.s ? value.s : "",
                         s->summary);
        lr_strbuf_free(&value);
    }
    if (!is_text) {
        lr_strbuf_free(&text);
        return cmd_table(c, &t, e);
    }
    out_table_free(&t);
    if (text.s)
        cmd_text(c, text.s);
    lr_strbuf_free(&text);
    return LR_OK;
}

static enum lr_status run_show(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *name = cmd_arg(call, "NAME");

    return show_settings(c, name->is_set ? name->text : NULL, e);
}

static enum lr_status run_set(struct cmd_ctx *c, const struct cmd_call *call,
                              struct cmd_error *e)
{
    const struct cmd_value *name = cmd_arg(call, "NAME"), *value = cmd_arg(call, "VALUE");

    if (!name->is_set)
        return show_settings(c, NULL, e);
    if (!value->is_set)
        return show_settings(c, name->text, e);
    enum lr_status st = cmd_setting_set(c, name->text, value->text, e);
    return st ? (e->err.code = st, cmd_blame(e, value)) : LR_OK;
}

/* ---- help ---- */

static enum lr_status run_help(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *topic = cmd_arg(call, "TOPIC");
    struct lr_strbuf b = {0};
    enum lr_status st = LR_OK;

    if (cmd_option(call, "man")->is_set)
        cmd_man(&b);
    else if (cmd_option(call, "completion")->is_set)
        cmd_bash_completion(&b);
    else if (cmd_option(call, "examples")->is_set)
        cmd_examples(&b);
    else
        st = cmd_help(&b, topic->is_set ? topic->text : NULL, e);
    if (!st && b.is_failed)
        st = lr_enomem(&e->err, b.len, "help");
    if (!st && b.s)
        cmd_text(c, b.s);
    else if (st && topic->is_set)
        cmd_blame(e, topic);
    lr_strbuf_free(&b);
    return st;
}

static enum lr_status run_apropos(struct cmd_ctx *c, const struct cmd_call *call,
                                  struct cmd_error *e)
{
    const struct cmd_value *word = cmd_arg(call, "WORD");
    struct lr_strbuf b = {0};

    (void)e;
    cmd_apropos(&b, word->text);
    if (b.len)
        cmd_text(c, b.s);
    else
        cmd_say(c, "nothing about %s", word->text);
    lr_strbuf_free(&b);
    return LR_OK;
}

static const struct out_column version_columns[] = {
    {"ranklab", "ranklab", OUT_TEXT, 0, 0}, {"blas", "BLAS", OUT_TEXT, 0, 0},
    {"engine", "engine", OUT_TEXT, 0, 0},   {"gnuplot", "gnuplot", OUT_TEXT, 0, 0},
    {"threads", "threads", OUT_INT, 0, 0},
};

static enum lr_status run_version(struct cmd_ctx *c, const struct cmd_call *call,
                                  struct cmd_error *e)
{
    struct out_table t;
    char buf[64], blas[128], engine[128];

    (void)call;
    out_table_init(&t, version_columns,
                   sizeof(version_columns) / sizeof(version_columns[0]));
    out_text(&t, PACKAGE_VERSION);
    out_text(&t, lr_la_version(blas, sizeof(blas)));
    out_text(&t, lr_engine_version(engine, sizeof(engine)));
    out_text(&t, c->settings.is_safe ? NULL
                                     : out_plot_version(buf, sizeof(buf), &c->progress));
    out_int(&t, lr_la_threads());
    return cmd_record_table(c, &t, e);
}

/* ---- echo, assert, try ---- */

static enum lr_status run_echo(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    struct lr_strbuf b = {0};
    enum lr_status st = LR_OK;

    for (size_t i = call->rest; i < call->tokens.n; i++)
        lr_strbuf_printf(&b, "%s%s", i > call->rest ? " " : "", call->tokens.t[i].text);
    lr_strbuf_putc(&b, '\n');
    if (b.is_failed)
        st = lr_enomem(&e->err, b.len, "a line");
    else
        cmd_text(c, b.s);
    lr_strbuf_free(&b);
    return st;
}

static enum lr_status run_assert(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    return cmd_assert(c, call, e);
}

/* ---- rows ---- */

static const struct cmd_param set_args[] = {
    {.name = "NAME", .type = CMD_T_SETTING, .flags = CMD_OPTIONAL},
    {.name = "VALUE",
     .type = CMD_T_TEXT,
     .flags = CMD_OPTIONAL,
     .help = "what it shall be"},
    {0}};
static const struct cmd_param show_args[] = {
    {.name = "NAME", .type = CMD_T_SETTING, .flags = CMD_OPTIONAL}, {0}};
static const struct cmd_param help_args[] = {
    {.name = "TOPIC", .type = CMD_T_TOPIC, .flags = CMD_OPTIONAL}, {0}};
static const char *const shells[] = {"bash", NULL};
static const struct cmd_param help_options[] = {
    {.name = "man", .type = CMD_T_FLAG, .help = "the manual page, for man(1)"},
    {.name = "completion",
     .type = CMD_T_CHOICE,
     .choices = shells,
     .help = "completion for a shell"},
    {.name = "examples", .type = CMD_T_FLAG, .flags = CMD_HIDDEN},
    {0}};
static const struct cmd_param apropos_args[] = {
    {.name = "WORD", .type = CMD_T_TEXT, .help = "what to look for"}, {0}};
static const struct cmd_param echo_args[] = {
    {.name = "TEXT", .type = CMD_T_WORDS, .flags = CMD_OPTIONAL}, {0}};
static const struct cmd_param try_args[] = {{.name = "COMMAND", .type = CMD_T_COMMAND},
                                            {0}};
static const struct cmd_param assert_args[] = {{.name = "EXPR", .type = CMD_T_EXPR}, {0}};

static const struct cmd_row rows[] = {
    {.name = "set",
     .summary = "change a setting",
     .detail =
         "Without a value: what it is. See help settings.\n"
         "convolution winograd computes 3 x 3 layers in another way, 2 to 3 times as\n"
         "fast where the processor has AVX-512; numbers change in their sixth digit.\n"
         "auto times both once for every shape of a layer and remembers the faster\n"
         "one in the cache folder, so that a replay gives the same tables; where that\n"
         "folder is lost, or on another machine, choices may differ. direct, the\n"
         "default, chooses nothing.\n",
     .examples = "set round 8; set round 1\n",
     .args = set_args,
     .flags = CMD_TABLE | CMD_VARIES,
     .run = run_set},
    {.name = "sh$ow",
     .summary = "the settings",
     .examples = "show\nshow seed\n",
     .args = show_args,
     .flags = CMD_TABLE | CMD_ASIDE | CMD_VARIES,
     .run = run_show},
    {.name = "he$lp",
     .alias = "?",
     .key = "F1",
     .summary = "what there is, or all about a command or a topic",
     .examples = "help rank\n",
     .args = help_args,
     .options = help_options,
     .flags = CMD_NOT_RECORDED,
     .run = run_help},
    {.name = "ap$ropos",
     .summary = "search the help for a word",
     .examples = "apropos energy\n",
     .args = apropos_args,
     .flags = CMD_NOT_RECORDED,
     .run = run_apropos},
    {.name = "ec$ho",
     .summary = "print a line",
     .examples = "echo done\n",
     .args = echo_args,
     .flags = CMD_ASIDE,
     .run = run_echo},
    {.name = "try",
     .summary = "run a command; go on if it fails",
     .examples = "try rank conv3 100000\n",
     .args = try_args},
    {.name = "as$sert",
     .summary = "fail unless a comparison holds",
     .detail = "OBJECT.KEY OPERATOR VALUE, see help expressions.\n",
     .examples = "assert total.speedup >= 1\nassert conv2.full_rank == 48\n",
     .args = assert_args,
     .run = run_assert},
    {.name = "v$ersion",
     .summary = "versions of the program and its libraries",
     .examples = "version\n",
     .flags = CMD_TABLE | CMD_ASIDE | CMD_VARIES,
     .run = run_version},
    {.name = "q$uit",
     .alias = "exit",
     .key = "F10",
     .summary = "leave",
     .flags = CMD_NOT_RECORDED,
     .run = run_quit},
};

const struct cmd_group cmd_group_session = {"Session", rows,
                                            sizeof(rows) / sizeof(rows[0])};
