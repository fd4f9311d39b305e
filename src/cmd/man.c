/* The man page (roff) and the bash completion script, generated when the program is
 * built. */
#include "cmd/command.h"

#include <string.h>

#include "cmd/context.h"

/* Text for roff: backslashes and hyphens escaped, no line begins with a control
 * character. */
static void roff_line(struct lr_strbuf *b, const char *s, size_t n)
{
    if (n && (s[0] == '.' || s[0] == '\''))
        lr_strbuf_puts(b, "\\&");
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\\')
            lr_strbuf_puts(b, "\\e");
        else if (s[i] == '-')
            lr_strbuf_puts(b, "\\-");
        else if (s[i] == '\'')
            lr_strbuf_puts(b, "\\(aq");
        else if (s[i] == '`')
            lr_strbuf_puts(b, "\\(ga");
        else
            lr_strbuf_putc(b, s[i]);
    }
}

static void roff(struct lr_strbuf *b, const char *text)
{
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        roff_line(b, text, n);
        lr_strbuf_putc(b, '\n');
        text += n + (text[n] == '\n');
    }
}

static void roff_block(struct lr_strbuf *b, const char *text)
{
    lr_strbuf_puts(b, ".nf\n");
    roff(b, text);
    lr_strbuf_puts(b, ".fi\n");
}

static void man_flags(struct lr_strbuf *b)
{
    lr_strbuf_puts(b, ".SH OPTIONS\n");
    for (size_t i = 0; i < cmd_n_flags; i++) {
        const struct cmd_flag *f = &cmd_flags[i];
        lr_strbuf_puts(b, ".TP\n");
        if (f->letter)
            lr_strbuf_printf(b, "\\fB\\-%c\\fR%s", f->letter, f->name ? ", " : "");
        if (f->name) {
            lr_strbuf_puts(b, "\\fB\\-\\-");
            roff_line(b, f->name, strlen(f->name));
            lr_strbuf_puts(b, "\\fR");
        }
        if (f->value)
            lr_strbuf_printf(b, " \\fI%s\\fR", f->value);
        lr_strbuf_putc(b, '\n');
        roff(b, f->help);
    }
}

static void man_param(struct lr_strbuf *b, const struct cmd_param *p, bool is_option)
{
    struct lr_strbuf text = {0};

    if (p->flags & CMD_HIDDEN)
        return;
    lr_strbuf_puts(b, ".TP\n");
    lr_strbuf_puts(b, is_option ? "\\fB\\-\\-" : "\\fI");
    roff_line(b, p->name, strlen(p->name));
    lr_strbuf_puts(b, "\\fR");
    if (is_option && cmd_types[p->type].shown)
        lr_strbuf_printf(b, " \\fI%s\\fR", cmd_types[p->type].shown);
    lr_strbuf_putc(b, '\n');
    cmd_param_text(&text, p);
    roff(b, text.s ? text.s : "");
    b->is_failed |= text.is_failed;
    lr_strbuf_free(&text);
}

static void man_row(struct lr_strbuf *b, const struct cmd_row *row)
{
    struct lr_strbuf usage = {0};

    cmd_usage(&usage, row);
    lr_strbuf_puts(b, ".SS ");
    roff(b, usage.s ? usage.s : "");
    roff(b, row->summary);
    lr_strbuf_puts(b, ".br\n");
    if (row->detail)
        roff(b, row->detail);
    for (const struct cmd_param *p = row->args; p && p->name; p++)
        man_param(b, p, false);
    for (const struct cmd_param *p = row->options; p && p->name; p++)
        man_param(b, p, true);
    if (row->examples) {
        lr_strbuf_puts(b, ".PP\nExamples:\n");
        roff_block(b, row->examples);
    }
    lr_strbuf_free(&usage);
}

void cmd_man(struct lr_strbuf *b)
{
    lr_strbuf_printf(b, ".TH RANKLAB 1 \"\" \"ranklab %s\" \"User Commands\"\n",
                     PACKAGE_VERSION);
    lr_strbuf_puts(
        b, ".SH NAME\n"
           "ranklab \\- low-rank acceleration of convolutional networks\n"
           ".SH SYNOPSIS\n"
           ".B ranklab\n"
           "[\\fIoptions\\fR] [\\fIMODEL.onnx\\fR | \\fB@\\fINAME\\fR | "
           "\\fISCRIPT.rl\\fR]\n"
           ".SH DESCRIPTION\n"
           "A workbench for the terminal: opens a trained network, shows what its "
           "convolutions\ncost and how far they can be approximated at a lower "
           "rank, solves and measures the\napproximation, and writes the faster "
           "network as ONNX. The same commands work at the\nprompt, in scripts "
           "and with \\fB\\-e\\fR.\n");
    man_flags(b);
    lr_strbuf_puts(b, ".SH COMMANDS\n");
    for (size_t g = 0; g < cmd_n_groups; g++)
        for (size_t i = 0; i < cmd_groups[g]->n_rows; i++)
            man_row(b, &cmd_groups[g]->rows[i]);
    lr_strbuf_puts(b, ".SH SETTINGS\n");
    for (size_t i = 0; i < cmd_n_settings; i++) {
        lr_strbuf_puts(b, ".TP\n\\fB");
        roff_line(b, cmd_settings_table[i].name, strlen(cmd_settings_table[i].name));
        lr_strbuf_puts(b, "\\fR\n");
        roff(b, cmd_settings_table[i].summary);
    }
    lr_strbuf_puts(b, ".SH NOTES\n");
    for (size_t i = 0; i < cmd_n_topics; i++) {
        lr_strbuf_puts(b, ".SS ");
        roff(b, cmd_topics[i].summary);
        roff_block(b, cmd_topics[i].text);
    }
}

void cmd_bash_completion(struct lr_strbuf *b)
{
    lr_strbuf_puts(b, "# bash completion for ranklab\n"
                      "_ranklab()\n"
                      "{\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=\n"
                      "    ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                      "    case $prev in\n");
    for (size_t i = 0; i < cmd_n_flags; i++) {
        const struct cmd_flag *f = &cmd_flags[i];
        if (!f->value)
            continue;
        lr_strbuf_puts(b, "    ");
        if (f->letter)
            lr_strbuf_printf(b, "-%c%s", f->letter, f->name ? "|" : "");
        if (f->name)
            lr_strbuf_printf(b, "--%s", f->name);
        if (strchr(f->value, '|')) {
            lr_strbuf_puts(b, ") COMPREPLY=($(compgen -W '");
            for (const char *s = f->value; *s; s++)
                lr_strbuf_putc(b, *s == '|' ? ' ' : *s);
            lr_strbuf_puts(b, "' -- \"$cur\")); return ;;\n");
        } else if (strcmp(f->value, "FILE") == 0) {
            lr_strbuf_puts(b, ") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
        } else if (strcmp(f->value, "CMD") == 0) {
            lr_strbuf_puts(b, ") COMPREPLY=($(compgen -W '");
            for (size_t g = 0; g < cmd_n_groups; g++)
                for (size_t k = 0; k < cmd_groups[g]->n_rows; k++)
                    lr_strbuf_printf(b, "%s ", cmd_name(&cmd_groups[g]->rows[k]).s);
            lr_strbuf_puts(b, "' -- \"$cur\")); return ;;\n");
        } else {
            lr_strbuf_puts(b, ") return ;;\n");
        }
    }
    lr_strbuf_puts(b, "    esac\n"
                      "    if [[ $cur == -* ]]; then\n"
                      "        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < cmd_n_flags; i++) {
        if (cmd_flags[i].letter)
            lr_strbuf_printf(b, "-%c ", cmd_flags[i].letter);
        if (cmd_flags[i].name)
            lr_strbuf_printf(b, "--%s ", cmd_flags[i].name);
    }
    lr_strbuf_puts(b, "' -- \"$cur\"))\n"
                      "    else\n"
                      "        COMPREPLY=($(compgen -f -X '!*.onnx' -- \"$cur\")"
                      " $(compgen -f -X '!*.rl' -- \"$cur\")"
                      " $(compgen -d -- \"$cur\"))\n"
                      "    fi\n"
                      "}\n"
                      "complete -o filenames -F _ranklab ranklab\n");
}
