/* What the prompts of line mode and of the panes share: completion from the command
 * table, and the history file. */
#include "ui/ui.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/readline.h>
#include <readline/history.h>

#include "base/append.h"
#include "ranklab/text.h"

enum { MAX_HISTORY = 5000 };

/* readline's callbacks carry no context: this is the one prompt. */
static struct {
    const struct cmd_ctx *c;
    const char *before;
    char *history_path;
    /* of the completion that is being listed */
    struct cmd_completion completion;
    size_t next;
    char quote; /* that is open, or 0 */
} current;

/* ---- completion ---- */

/* What stands in the line is what readline sends to the terminal, as it is: names that a
 * terminal would obey or not show are not completed (layers have their numbers). */
static bool is_shown(const char *text)
{
    struct lr_strbuf b = {0};

    lr_text_escape(&b, text);
    bool is_same = b.s && !b.is_failed && strcmp(b.s, text) == 0;
    lr_strbuf_free(&b);
    return is_same;
}

/* As it stands behind a quote that is open; false where it cannot: readline takes a quote
 * at the end for the one that closes. */
static bool put_quoted(struct lr_strbuf *b, char quote, const char *word)
{
    size_t n = strlen(word);

    for (const char *s = word; *s; s++)
        if (quote == '"' && *s == '\n')
            lr_strbuf_puts(b, "\\n");
        else if (quote == '"' && strchr("\"\\", *s))
            lr_strbuf_printf(b, "\\%c", *s);
        else
            lr_strbuf_putc(b, *s);
    return quote == '"' ? n > 0 && word[n - 1] != '"' : !strpbrk(word, "'\n");
}

/* The next one as it is typed, malloc'd for readline; *is_end: there are no more. NULL:
 * it cannot be typed. */
static char *one_word(bool *is_end, const char *text)
{
    struct lr_strbuf b = {0};
    const struct cmd_words *words = &current.completion.words;
    bool can_be = true;

    *is_end = false;
    if (current.next >= words->n) {
        /* After the words of the language, file names where one may stand. */
        bool is_first = current.next++ == words->n;
        char *name = current.completion.is_path
                         ? rl_filename_completion_function(text, !is_first)
                         : NULL;
        *is_end = !name;
        return name;
    }
    const char *found = words->w[current.next++];
    if (current.quote)
        can_be = put_quoted(&b, current.quote, found);
    else
        cmd_quote(&b, found);
    char *word = can_be && b.s && !b.is_failed ? strdup(b.s) : NULL;
    lr_strbuf_free(&b);
    return word;
}

static char *next_word(const char *text, int state)
{
    bool is_end = false;

    if (state == 0)
        current.next = 0;
    while (!is_end) {
        char *word = one_word(&is_end, text);
        if (word && is_shown(word))
            return word;
        free(word);
    }
    return NULL;
}

static char **complete(const char *text, int start, int end)
{
    struct lr_strbuf line = {0};
    char **matches = NULL;

    lr_strbuf_puts(&line, current.before ? current.before : "");
    size_t before = line.len;
    lr_strbuf_add(&line, rl_line_buffer, (size_t)end);
    cmd_words_free(&current.completion.words);
    rl_attempted_completion_over = 1;
    if (!line.s || line.is_failed)
        goto out;
    cmd_complete(&current.completion, current.c, line.s);
    const char *quote = start > 0 ? strchr("'\"", rl_line_buffer[start - 1]) : NULL;
    current.quote = quote ? *quote : '\0';
    rl_completion_append_character = current.completion.has_more ? '\0' : ' ';
    if (current.completion.begin == before + (size_t)start)
        matches = rl_completion_matches(text, next_word);
out:
    lr_strbuf_free(&line);
    return matches;
}

/* ---- history ---- */

static void open_history(void)
{
    char *dir = lr_xdg_dir("state", false);
    struct lr_strbuf b = {0};

    using_history();
    stifle_history(MAX_HISTORY);
    if (!dir)
        return;
    lr_strbuf_printf(&b, "%s/history", dir);
    current.history_path = lr_strbuf_take(&b);
    if (current.history_path)
        read_history(current.history_path);
    lr_free(dir);
}

/* A command of several lines becomes one. */
static char *one_line(const char *text)
{
    struct lr_strbuf b = {0};

    for (const char *s = text; *s; s++) {
        if (s[0] == '\\' && s[1] == '\n') {
            lr_strbuf_putc(&b, ' ');
            s++;
        } else if (*s == '\n') {
            lr_strbuf_puts(&b, s[1] ? "; " : "");
        } else {
            lr_strbuf_putc(&b, *s);
        }
    }
    while (b.len && (b.s[b.len - 1] == ' ' || b.s[b.len - 1] == '\t'))
        b.s[--b.len] = '\0';
    return lr_strbuf_take(&b);
}

/* 0 or errno. */
static int keep_line(const char *path, const char *text, size_t n)
{
    const int flags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;
    int fd = open(path, flags, 0600);

    if (fd < 0 && errno == ENOENT) {
        lr_free(lr_xdg_dir("state", true));
        fd = open(path, flags, 0600);
    }
    if (fd < 0)
        return errno;
    int err = lr_append(fd, text, n);
    close(fd);
    return err;
}

/* Kept at once, in one write: a crash loses nothing, and two sessions do not mix. A
 * leading blank keeps a line out. */
void ui_history_keep(const char *text)
{
    struct lr_strbuf b = {0};
    char *line = one_line(text);
    HIST_ENTRY *last =
        history_length ? history_get(history_base + history_length - 1) : NULL;

    if (!line || !line[0] || line[0] == ' ' || line[strspn(line, " \t")] == '\0' ||
        (last && strcmp(last->line, line) == 0)) {
        lr_free(line);
        return;
    }
    add_history(line);
    lr_strbuf_printf(&b, "%s\n", line);
    if (current.history_path && !b.is_failed) {
        int err = keep_line(current.history_path, b.s, b.len);
        if (err) {
            fprintf(stderr, "ranklab: the history is not kept: %s: %s\n",
                    current.history_path, strerror(err));
            lr_free(current.history_path); /* once; no message at every line */
            current.history_path = NULL;
        }
    }
    lr_strbuf_free(&b);
    lr_free(line);
}

void ui_complete_with(const struct cmd_ctx *c, const char *before)
{
    current.c = c;
    current.before = before;
}

void ui_readline_begin(void)
{
    rl_readline_name = "ranklab";
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_attempted_completion_function = complete;
    rl_basic_word_break_characters = " \t\n;<>";
    rl_completer_quote_characters = "'\"";
    rl_filename_quote_characters = " \t\n;<>'\"\\#";
    open_history();
}

void ui_readline_end(void)
{
    cmd_words_free(&current.completion.words);
    lr_free(current.history_path);
    current.history_path = NULL;
    current.c = NULL;
    current.before = NULL;
    /* Also the changes to lines of the history, which clear_history() forgets. */
    rl_clear_history();
}
