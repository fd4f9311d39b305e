/* Help, the man page and shell completion, all written from the rows of the commands, the
 * settings, the methods and the options of the program; only the topics below are prose.
 */
#include "cmd/command.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "cmd/context.h"
#include "ranklab/text.h"

const struct cmd_topic cmd_topics[] = {
    {"grammar", "the command language",
     "verb [target...] [--option value]\n"
     "  #        begins a comment\n"
     "  ;        separates commands on one line\n"
     "  \\        at the end of a line continues it\n"
     "  '...'    is literal; \"...\" knows \\n \\\" and \\\\ only\n"
     "  CMD > F  writes the table of CMD to F; .csv, .json and .md pick the format\n"
     "There are no variables and no backquotes. At the prompt a verb or an option may "
     "be\n"
     "shortened as long as it is clear; scripts need whole words. A script stops at its\n"
     "first error; try CMD tolerates one, assert EXPR makes the script a test.\n"},
    {"layer-sets", "how layers are named",
     "  conv3          one layer by name\n"
     "  3              by its number in the table of layers\n"
     "  conv*          names by pattern (* and ?)\n"
     "  conv2..conv5   from one to another, in the order of the network\n"
     "  3..7           the same by numbers\n"
     "  all            every layer\n"
     "  @stale         layers that solve would work on\n"
     "  @solved        layers that are solved\n"
     "  a,b,4..6       a list of any of these\n"},
    {"ranks", "how ranks are given",
     "  64       that rank\n"
     "  50%      a share of the filters\n"
     "  e=99%    the smallest rank that keeps 99 % of the energy\n"
     "  x=2      the largest rank that makes the layer twice as fast\n"
     "  full     the layer stays whole\n"
     "  40,28    d' and d'' of a 3d layer: the channels of its 1xk part, which the 1x1\n"
     "           part takes up, and those of its kx1 part\n"
     "A spatial layer has one rank, its d''. Ranks of a layer with groups are counted\n"
     "over all groups and are multiples of their number.\n"
     "A rank at or above a layer's break-even does not pay: the layer then stays "
     "whole.\n"},
    {"states", "what the state of a layer means",
     "  whole    not approximated; the column reason says why\n"
     "  chosen   a rank is set, but not solved\n"
     "  solved   the factors fit the plan\n"
     "  stale    solved, but a layer before it has changed since\n"},
    {"config-file", "the configuration file that export config writes",
     "JSON, written by export config and read by import config. Keys stand in a fixed\n"
     "order; null means not known; a key that is not listed here is refused.\n"
     "  format        \"ranklab configuration\"\n"
     "  schema        3; files of schemas 1 and 2, which have fewer keys, are read too\n"
     "  name          it was kept by, or null\n"
     "  program       version blas engine threads: what measured it\n"
     "  model         path sha256 input: the network, its input as CxHxW\n"
     "  settings      seed mode round iterations_1 iterations_2 lambda_1 lambda_2\n"
     "                convolution deploy_engine deploy_batch deploy_threads (of the\n"
     "                milliseconds); a seed of 2^53 or more is a string of digits\n"
     "  calibration   path sha256 options count: images, and the options of data that\n"
     "                give the same; sha256 covers values, order and preprocessing\n"
     "  evaluation    the same for the images of eval\n"
     "  result        images (0: not evaluated) and the columns of eval as fractions,\n"
     "                evaluated_at (seconds since 1970), ms ms_original if timed\n"
     "  total         macs params and those of the original: all convolutions\n"
     "  network       the same of every node\n"
     "  layers        one object a layer: layer shape (DxCxKHxKW/GROUPS) method rank\n"
     "                rank_spatial full_rank state macs macs_original params\n"
     "                params_original energy, the columns error_..., and\n"
     "     solved     what its factors were made with and on: mode seed iterations_1\n"
     "                iterations_2 lambda_1 lambda_2 is_alone calibration_sha256\n"
     "                calibration_images\n"
     "Only model.sha256, model.input, settings and of a layer its name, shape, method\n"
     "and ranks decide what import makes; the rest is told, and passed on by the next\n"
     "export until the plan is changed.\n"},
    {"keys", "what keys of the panes type",
     "A key of the panes types a command, which is shown in the log and recorded. bind "
     "lists\n"
     "the keys, bind KEY \"COMMAND\" makes one. In COMMAND\n"
     "  @here     the marked layers, or else the one under the cursor\n"
     "  @cursor   the layer under the cursor\n"
     "  @less     the next rank below its own; @more: above; whole layers begin at\n"
     "            the highest rank that pays\n"
     "  @lower    the next d'' of a 3d layer below its own, d' as it is; @higher: above\n"
     "  @method   its next method\n"
     "  ...       at the end: the command waits at the prompt to be completed\n"
     "? in the panes shows all keys.\n"},
    {"expressions", "what assert compares",
     "OBJECT.KEY OPERATOR VALUE, where OPERATOR is one of < <= > >= == !=\n"
     "  conv3.rank      a cell of the layer's row; the keys are those that layers "
     "prints\n"
     "                  in json\n"
     "  total.speedup   the sum over all convolutions\n"
     "  network.macs    the sum over all nodes\n"
     "  eval.top1       what the last eval of this plan gave\n"
     "  model.layers    also model.approximable, model.name, model.sha256\n"
     "  data.calib      number of calibration images; data.eval: of evaluation images\n"
     "VALUE is a number (50% is 0.5), a word, null (not known), or another OBJECT.KEY.\n"
     "Numbers are equal when they agree to 9 digits.\n"},
    {"formats", "tables for people and for machines",
     "set format table|csv|json|md, or --format when the program starts. With csv, json "
     "and\n"
     "md the standard output carries tables only; messages go to the error stream. json "
     "is\n"
     "one array of rows on one line. Columns have stable names; what is not known yet "
     "is\n"
     "null in json and empty in csv. Names from files are shown with what a screen would "
     "obey\n"
     "or hide written out (\\x1b, \\u{202e}); json has them as they are. In csv a text "
     "that a\n"
     "spreadsheet would compute, or that begins with an apostrophe, gets an apostrophe "
     "in\n"
     "front.\n"},
    {"files", "files that are read and written",
     "  $XDG_CONFIG_HOME/ranklab/init.rl      commands run at the start (--no-init: "
     "not)\n"
     "  $XDG_STATE_HOME/ranklab/history       lines typed at the prompt; a line that "
     "begins\n"
     "                                        with a blank is not kept\n"
     "  $XDG_STATE_HOME/ranklab/sessions/     every accepted command of each session, as "
     "a\n"
     "                                        script\n"
     "  $XDG_CACHE_HOME/ranklab/              what is remembered; what is deleted is "
     "found\n"
     "                                        again:\n"
     "    journal.jsonl                       evaluations\n"
     "    times                               times measured\n"
     "    convolutions                        the faster kind of each convolution\n"
     "    pictures-*                          what was learned of a folder of pictures\n"
     "    unfinished/                         solves that were stopped; these two go "
     "when\n"
     "                                        not used for 14 days\n"
     "  $RANKLAB_DATA                         where the embedded networks are looked "
     "for\n"
     "                                        first\n"
     "Files are written beside their target and renamed: a failure leaves the old "
     "file.\n"},
    {"exit-codes", "what the program returns",
     "  0    all is well\n"
     "  1    a command failed\n"
     "  2    the program was started in a wrong way\n"
     "  70   an internal error\n"
     "  130  interrupted; 128+n for other signals\n"},
};
const size_t cmd_n_topics = sizeof(cmd_topics) / sizeof(cmd_topics[0]);

/* ---- pieces ---- */

static void add_placeholder(struct lr_strbuf *b, const struct cmd_param *p)
{
    if (p->type == CMD_T_CHOICE && p->choices) {
        for (size_t i = 0; p->choices[i]; i++)
            lr_strbuf_printf(b, "%s%s", i ? "|" : "", p->choices[i]);
        return;
    }
    lr_strbuf_puts(b, cmd_types[p->type].shown);
}

void cmd_usage(struct lr_strbuf *b, const struct cmd_row *row)
{
    lr_strbuf_puts(b, cmd_name(row).s);
    for (const struct cmd_param *p = row->args; p && p->name; p++) {
        bool is_optional = p->flags & CMD_OPTIONAL;
        lr_strbuf_puts(b, is_optional ? " [" : " ");
        if (p->type == CMD_T_CHOICE)
            add_placeholder(b, p);
        else
            lr_strbuf_puts(b, p->name);
        if (p->type == CMD_T_WORDS)
            lr_strbuf_puts(b, "...");
        lr_strbuf_puts(b, is_optional ? "]" : "");
    }
    size_t n_shown = 0;
    for (const struct cmd_param *p = row->options; p && p->name; p++)
        n_shown += !(p->flags & CMD_HIDDEN);
    if (n_shown > 5) {
        lr_strbuf_puts(b, " [options]");
        return;
    }
    for (const struct cmd_param *p = row->options; p && p->name; p++) {
        if (p->flags & CMD_HIDDEN)
            continue;
        lr_strbuf_printf(b, " [--%s", p->name);
        if (p->type != CMD_T_FLAG) {
            lr_strbuf_putc(b, ' ');
            add_placeholder(b, p);
        }
        lr_strbuf_putc(b, ']');
    }
}

/* Lines of text, each behind indent. */
static void add_lines(struct lr_strbuf *b, const char *text, const char *indent)
{
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        lr_strbuf_puts(b, n ? indent : "");
        lr_strbuf_add(b, text, n);
        lr_strbuf_putc(b, '\n');
        text += n + (text[n] == '\n');
    }
}

void cmd_param_text(struct lr_strbuf *b, const struct cmd_param *p)
{
    bool has_help = p->help && p->help[0];

    lr_strbuf_puts(b, has_help ? p->help : "");
    if (p->type == CMD_T_CHOICE) {
        lr_strbuf_puts(b, has_help ? ": " : "");
        for (size_t i = 0; p->choices[i]; i++)
            lr_strbuf_printf(b, "%s%s", i ? ", " : "", p->choices[i]);
    } else if (cmd_types[p->type].describe && p->type != CMD_T_TEXT) {
        lr_strbuf_printf(b, "%s%s", has_help ? "; " : "", cmd_types[p->type].describe);
    }
}

/* text from column indent on, in lines that fit a terminal. */
static void add_wrapped(struct lr_strbuf *b, const char *text, int indent)
{
    enum { COLUMNS = 79 };
    int column = indent;

    while (*text) {
        size_t n = strcspn(text, " ");
        int width = (int)n + (column > indent);
        if (column > indent && column + width > COLUMNS) {
            lr_strbuf_printf(b, "\n%*s", indent, "");
            column = indent;
            width = (int)n;
        }
        if (column > indent)
            lr_strbuf_putc(b, ' ');
        lr_strbuf_add(b, text, n);
        column += width;
        text += n + (text[n] == ' ');
    }
}

static void add_param(struct lr_strbuf *b, const struct cmd_param *p, bool is_option)
{
    enum { HEAD = 18 };
    struct lr_strbuf head = {0}, text = {0};

    if (p->flags & CMD_HIDDEN)
        return;
    if (is_option)
        lr_strbuf_printf(&head, "--%s ", p->name);
    if (!is_option)
        lr_strbuf_puts(&head, p->name);
    else if (p->type != CMD_T_FLAG && p->type != CMD_T_CHOICE)
        add_placeholder(&head, p);
    lr_strbuf_printf(b, "  %-*s ", HEAD, head.s ? head.s : "");
    cmd_param_text(&text, p);
    if (text.s)
        add_wrapped(b, text.s, HEAD + 3);
    b->is_failed |= head.is_failed || text.is_failed;
    lr_strbuf_putc(b, '\n');
    lr_strbuf_free(&head);
    lr_strbuf_free(&text);
}

static const char *const topics_of_lists[] = {"methods", "rules", "settings"};

/* Topics that are lists kept elsewhere. */
static bool add_list_topic(struct lr_strbuf *b, const char *topic)
{
    if (strcmp(topic, "methods") == 0) {
        for (int i = 0; i < lr_n_methods; i++)
            lr_strbuf_printf(b, "  %-14s %s\n", lr_methods[i].name,
                             lr_methods[i].summary);
    } else if (strcmp(topic, "rules") == 0) {
        for (int i = 0; i < lr_n_rank_rules; i++)
            lr_strbuf_printf(b, "  %-14s %s\n", lr_rank_rules[i].name,
                             lr_rank_rules[i].summary);
    } else if (strcmp(topic, "settings") == 0) {
        for (size_t i = 0; i < cmd_n_settings; i++)
            lr_strbuf_printf(b, "  %-14s %s\n", cmd_settings_table[i].name,
                             cmd_settings_table[i].summary);
    } else {
        return false;
    }
    return true;
}

static void add_overview(struct lr_strbuf *b)
{
    for (size_t g = 0; g < cmd_n_groups; g++) {
        lr_strbuf_printf(b, "%s\n", cmd_groups[g]->title);
        for (size_t i = 0; i < cmd_groups[g]->n_rows; i++)
            lr_strbuf_printf(b, "  %-12s%s\n", cmd_name(&cmd_groups[g]->rows[i]).s,
                             cmd_groups[g]->rows[i].summary);
    }
    lr_strbuf_puts(b, "Topics (help TOPIC)\n");
    for (size_t i = 0; i < cmd_n_topics; i++)
        lr_strbuf_printf(b, "  %-12s %s\n", cmd_topics[i].name, cmd_topics[i].summary);
    lr_strbuf_puts(b, "  methods, rules, settings: what there is of each\n");
}

static void add_row_help(struct lr_strbuf *b, const struct cmd_row *row)
{
    lr_strbuf_puts(b, "usage: ");
    cmd_usage(b, row);
    lr_strbuf_printf(b, "\n%s\n", row->summary);
    if (row->detail) {
        lr_strbuf_putc(b, '\n');
        add_lines(b, row->detail, "");
    }
    if (row->args || row->options)
        lr_strbuf_putc(b, '\n');
    for (const struct cmd_param *p = row->args; p && p->name; p++)
        add_param(b, p, false);
    for (const struct cmd_param *p = row->options; p && p->name; p++)
        add_param(b, p, true);
    if (row->examples) {
        lr_strbuf_puts(b, "\nexamples:\n");
        add_lines(b, row->examples, "  ");
    }
    size_t mark = strcspn(row->name, "$");
    struct cmd_name name = cmd_name(row);
    if (row->alias)
        lr_strbuf_printf(b, "\nalso: %s\n", row->alias);
    if (mark < strlen(name.s)) {
        lr_strbuf_puts(b, "\nshort form at the prompt: ");
        lr_strbuf_add(b, name.s, mark);
        lr_strbuf_putc(b, '\n');
    }
}

enum lr_status cmd_help(struct lr_strbuf *b, const char *topic, struct cmd_error *e)
{
    struct cmd_words known = {0};
    enum lr_status st = LR_OK;

    if (!topic) {
        add_overview(b);
        return LR_OK;
    }
    const struct cmd_row *row = cmd_find(topic, true, NULL);
    if (row) {
        add_row_help(b, row);
        return LR_OK;
    }
    if (add_list_topic(b, topic))
        return LR_OK;
    for (size_t i = 0; i < cmd_n_topics; i++)
        if (strcmp(topic, cmd_topics[i].name) == 0) {
            lr_strbuf_printf(b, "%s\n\n%s", cmd_topics[i].summary, cmd_topics[i].text);
            return LR_OK;
        }
    cmd_types[CMD_T_TOPIC].complete(&known, NULL, NULL, "");
    for (size_t i = 0; i < 3; i++)
        cmd_words_add(&known, topics_of_lists[i]);
    const char *near = lr_text_nearest(topic, (const char *const *)known.w, known.n);
    if (near)
        cmd_hint(e, "did you mean %s?", near);
    else
        cmd_hint(e, "help lists everything; apropos %s searches", topic);
    st = lr_err_set(&e->err, LR_EINVAL, "no help on %s", topic);
    cmd_words_free(&known);
    return st;
}

static bool holds(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (; text && *text; text++)
        if (strncasecmp(text, word, n) == 0)
            return true;
    return false;
}

void cmd_apropos(struct lr_strbuf *b, const char *word)
{
    for (size_t g = 0; g < cmd_n_groups; g++)
        for (size_t i = 0; i < cmd_groups[g]->n_rows; i++) {
            const struct cmd_row *row = &cmd_groups[g]->rows[i];
            bool is_hit = holds(cmd_name(row).s, word) || holds(row->summary, word) ||
                          holds(row->detail, word);
            for (const struct cmd_param *p = row->options; p && p->name && !is_hit; p++)
                is_hit = !(p->flags & CMD_HIDDEN) &&
                         (holds(p->name, word) || holds(p->help, word));
            if (is_hit)
                lr_strbuf_printf(b, "  %-12s %s\n", cmd_name(row).s, row->summary);
        }
    for (size_t i = 0; i < cmd_n_topics; i++)
        if (holds(cmd_topics[i].name, word) || holds(cmd_topics[i].summary, word) ||
            holds(cmd_topics[i].text, word))
            lr_strbuf_printf(b, "  %-12s %s\n", cmd_topics[i].name,
                             cmd_topics[i].summary);
    for (size_t i = 0; i < cmd_n_settings; i++)
        if (holds(cmd_settings_table[i].name, word) ||
            holds(cmd_settings_table[i].summary, word))
            lr_strbuf_printf(b, "  set %-8s %s\n", cmd_settings_table[i].name,
                             cmd_settings_table[i].summary);
}

void cmd_examples(struct lr_strbuf *b)
{
    for (size_t g = 0; g < cmd_n_groups; g++)
        for (size_t i = 0; i < cmd_groups[g]->n_rows; i++)
            if (cmd_groups[g]->rows[i].examples)
                add_lines(b, cmd_groups[g]->rows[i].examples, "");
}
