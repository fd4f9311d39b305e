/* The program's own options, from the table in cmd/flags.c, through getopt_long. */
#include "ui/ui.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/text.h"

enum { LONG_ONLY = 256, MAX_FLAGS = 32 };

static void usage_error(const char *fmt, const char *what)
{
    struct lr_strbuf b = {0};

    lr_text_escape(&b, what);
    fputs("ranklab: ", stderr);
    fprintf(stderr, fmt, b.s ? b.s : "");
    fputs("; see ranklab --help\n", stderr);
    lr_strbuf_free(&b);
}

static bool add_action(struct ui_options *o, enum ui_action_kind kind, const char *text)
{
    struct ui_action *a =
        lr_realloc(o->actions, o->n_actions, o->n_actions + 1, sizeof(*a));

    if (!a)
        return false;
    o->actions = a;
    a[o->n_actions++] = (struct ui_action){kind, text};
    return true;
}

static bool take_color(struct ui_options *o, const char *text)
{
    static const char *const words[] = {"auto", "always", "never"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, words[i]) == 0) {
            o->settings.color = (enum cmd_color)i;
            return true;
        }
    return false;
}

static bool take_number(const char *name, const char *text, double max)
{
    int64_t n;

    if (cmd_parse_int(&n, text) && n >= (strcmp(name, "threads") == 0) &&
        (double)n <= max)
        return true;
    fprintf(stderr, "ranklab: --%s needs a whole number; see ranklab --help\n", name);
    return false;
}

static bool take_size(struct ui_options *o, const char *text)
{
    int w = 0, h = 0, end = 0;

    if (sscanf(text, "%dx%d%n", &w, &h, &end) != 2 || text[end] || w < 1 || h < 1 ||
        w > 1000 || h > 1000) {
        usage_error("%s is not a size such as 80x24", text);
        return false;
    }
    o->width = w;
    o->height = h;
    return true;
}

static bool take_long(struct ui_options *o, const char *name, const char *value)
{
    if (strcmp(name, "format") == 0) {
        if (out_format_parse(&o->settings.format, value))
            return true;
        usage_error("unknown format %s: table, csv, json or md", value);
        return false;
    }
    if (strcmp(name, "color") == 0) {
        if (take_color(o, value))
            return true;
        usage_error("unknown --color %s: auto, always or never", value);
        return false;
    }
    if (strcmp(name, "seed") == 0) {
        o->seed = value;
        return take_number(name, value, 9e18);
    }
    if (strcmp(name, "threads") == 0) {
        o->threads = value;
        return take_number(name, value, 4096);
    }
    if (strcmp(name, "keys") == 0)
        o->keys = value;
    if (strcmp(name, "size") == 0)
        return take_size(o, value);
    if (strcmp(name, "plain") == 0)
        o->is_plain = true;
    else if (strcmp(name, "no-init") == 0)
        o->has_no_init = true;
    else if (strcmp(name, "safe") == 0)
        o->settings.is_safe = true;
    else if (strcmp(name, "ascii") == 0)
        o->settings.is_ascii = true;
    else if (strcmp(name, "version") == 0)
        o->wants_version = true;
    else if (strcmp(name, "help") == 0)
        o->wants_help = true;
    return true;
}

static bool take(struct ui_options *o, int c, const char *value)
{
    switch (c) {
    case 'f':
        return add_action(o, UI_RUN_FILE, value);
    case 'e':
        return add_action(o, UI_RUN_COMMAND, value);
    case 'b':
        o->is_batch = true;
        return true;
    case 'i':
        o->is_interactive = true;
        return true;
    case 'k':
        o->settings.is_keep_going = true;
        return true;
    case 'q':
        o->settings.is_quiet = true;
        return true;
    case 'x':
        o->settings.is_echo = true;
        return true;
    default:
        return take_long(o, cmd_flags[c - LONG_ONLY].name, value);
    }
}

static bool take_operand(struct ui_options *o, const char *text)
{
    size_t n = strlen(text);

    if (n > 3 && strcmp(text + n - 3, ".rl") == 0)
        return add_action(o, UI_RUN_FILE, text);
    if (o->model) {
        usage_error("only one network can be opened, and %s is one more", text);
        return false;
    }
    o->model = text;
    return true;
}

bool ui_options_parse(struct ui_options *o, int argc, char **argv)
{
    struct option longs[MAX_FLAGS + 1] = {0};
    char shorts[3 * MAX_FLAGS + 2] = "-:"; /* operands in order; errors are ours to say */
    size_t n = 2;
    int c;

    *o = (struct ui_options){0};
    for (size_t i = 0; i < cmd_n_flags && i < MAX_FLAGS; i++) {
        const struct cmd_flag *f = &cmd_flags[i];
        longs[i].name = f->name;
        longs[i].has_arg = f->value ? required_argument : no_argument;
        longs[i].val = f->letter ? f->letter : LONG_ONLY + (int)i;
        if (f->letter)
            shorts[n++] = f->letter;
        if (f->letter && f->value)
            shorts[n++] = ':';
    }
    opterr = 0;
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        const char *word = optind > 1 ? argv[optind - 1] : "";
        if (c == '?') {
            char letter[] = {'-', (char)optopt, '\0'};
            usage_error("unknown option %s",
                        optopt && optopt < LONG_ONLY && word[1] != '-' ? letter : word);
            return false;
        }
        if (c == ':') {
            usage_error("%s needs a value", word);
            return false;
        }
        if (!(c == 1 ? take_operand(o, optarg) : take(o, c, optarg)))
            return false;
    }
    for (int i = optind; i < argc; i++)
        if (!take_operand(o, argv[i]))
            return false;
    return true;
}

void ui_options_free(struct ui_options *o)
{
    lr_free(o->actions);
    *o = (struct ui_options){0};
}

void ui_print_help(void)
{
    puts("usage: ranklab [options] [MODEL.onnx | @NAME | SCRIPT.rl]\n"
         "Low-rank acceleration of convolutional networks.\n");
    for (size_t i = 0; i < cmd_n_flags; i++) {
        const struct cmd_flag *f = &cmd_flags[i];
        char head[64];
        int n = f->letter ? snprintf(head, sizeof(head), "-%c, --%s", f->letter, f->name)
                          : snprintf(head, sizeof(head), "    --%s", f->name);
        if (f->value && n > 0)
            snprintf(head + n, sizeof(head) - (size_t)n, " %s", f->value);
        if (strlen(head) > 24)
            printf("  %s\n  %-24s  %s\n", head, "", f->help);
        else
            printf("  %-24s  %s\n", head, f->help);
    }
    puts("\nOn a terminal and without -f or -e it starts the prompt; with no argument at "
         "all\n"
         "it opens @fashion, a small embedded network. help at the prompt lists the\n"
         "commands; ranklab -e help does so here.");
}

void ui_print_version(void)
{
    printf(
        "ranklab %s\n"
        "License GPLv3+: GNU GPL version 3 or later <https://gnu.org/licenses/gpl.html>\n"
        "This is free software: you are free to change and redistribute it.\n"
        "There is NO WARRANTY, to the extent permitted by law.\n",
        PACKAGE_VERSION);
}
