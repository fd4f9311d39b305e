/* The prompt: GNU readline through its callback interface, so that one poll loop sees
 * keys and signals. While a command runs the terminal is in its usual mode and ^C sets
 * the interrupt flag; at the prompt ^C clears the line. */
#include "ui/ui.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/readline.h>
#include <readline/history.h>

static const char prompt_text[] = "ranklab> ", more_text[] = "    ...> ";

enum { MAX_HISTORY = 5000 };

struct prompt {
    struct cmd_ctx *c;
    struct ui_screen *screen;
    struct lr_strbuf text; /* the lines of one command so far */
    bool has_line, is_end, is_installed;
    char *history_path;
    /* of the completion that is being listed */
    struct cmd_completion completion;
    size_t next;
    bool is_quoted;
};

/* readline's callbacks carry no context: this is the one prompt, set while it runs. */
static struct prompt *current;

/* ---- completion ---- */

static char *next_word(const char *text, int state)
{
    struct lr_strbuf b = {0};
    char *word;

    if (state == 0)
        current->next = 0;
    if (current->next >= current->completion.words.n) {
        /* After the words of the language, file names where one may stand. */
        if (!current->completion.is_path)
            return NULL;
        bool is_first = current->next++ == current->completion.words.n;
        return rl_filename_completion_function(text, !is_first);
    }
    const char *found = current->completion.words.w[current->next++];
    /* Inside quotes the word stands as it is. */
    if (current->is_quoted)
        lr_strbuf_puts(&b, found);
    else
        cmd_quote(&b, found);
    word = b.s && !b.is_failed ? strdup(b.s) : NULL; /* readline frees it */
    lr_strbuf_free(&b);
    return word;
}

static char **complete(const char *text, int start, int end)
{
    struct lr_strbuf line = {0};
    char **matches = NULL;

    lr_strbuf_puts(&line, current->text.s ? current->text.s : "");
    size_t before = line.len;
    lr_strbuf_add(&line, rl_line_buffer, (size_t)end);
    cmd_words_free(&current->completion.words);
    rl_attempted_completion_over = 1;
    if (!line.s || line.is_failed)
        goto out;
    cmd_complete(&current->completion, current->c, line.s);
    current->is_quoted = start > 0 && strchr("'\"", rl_line_buffer[start - 1]);
    rl_completion_append_character = current->completion.has_more ? '\0' : ' ';
    if (current->completion.begin == before + (size_t)start)
        matches = rl_completion_matches(text, next_word);
out:
    lr_strbuf_free(&line);
    return matches;
}

/* ---- history ---- */

static void open_history(struct prompt *p)
{
    char *dir = lr_xdg_dir("state", false);
    struct lr_strbuf b = {0};

    using_history();
    stifle_history(MAX_HISTORY);
    if (!dir)
        return;
    lr_strbuf_printf(&b, "%s/history", dir);
    p->history_path = lr_strbuf_take(&b);
    if (p->history_path)
        read_history(p->history_path);
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

/* Kept at once, in one write: a crash loses nothing, and two sessions do not mix. A
 * leading blank keeps a line out. */
static void keep_line(struct prompt *p, const char *text)
{
    char *line = one_line(text);
    HIST_ENTRY *last =
        history_length ? history_get(history_base + history_length - 1) : NULL;

    if (!line || !line[0] || line[0] == ' ' || line[strspn(line, " \t")] == '\0' ||
        (last && strcmp(last->line, line) == 0)) {
        lr_free(line);
        return;
    }
    add_history(line);
    if (p->history_path) {
        struct lr_strbuf b = {0};
        int fd = open(p->history_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0 && errno == ENOENT) {
            lr_free(lr_xdg_dir("state", true));
            fd = open(p->history_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        }
        lr_strbuf_printf(&b, "%s\n", line);
        if (fd >= 0 && b.s && write(fd, b.s, b.len) < 0)
            p->history_path[0] = '\0'; /* tried once; no message at every line */
        if (fd >= 0)
            close(fd);
        lr_strbuf_free(&b);
    }
    lr_free(line);
}

/* ---- the loop ---- */

static void remove_handler(struct prompt *p)
{
    if (!p->is_installed)
        return;
    rl_callback_handler_remove();
    ui_guard_terminal(false);
    p->is_installed = false;
}

static void take_line(char *line)
{
    struct prompt *p = current;

    remove_handler(p);
    if (!line) {
        p->is_end = true;
        return;
    }
    lr_strbuf_puts(&p->text, line);
    p->has_line = true;
    free(line);
}

static void install_handler(struct prompt *p)
{
    if (p->is_installed)
        return;
    ui_guard_terminal(true);
    rl_callback_handler_install(p->text.len ? more_text : prompt_text, take_line);
    p->is_installed = true;
}

static void clear_line(struct prompt *p)
{
    rl_callback_sigcleanup();
    rl_free_line_state();
    fputs("^C\n", rl_outstream);
    rl_replace_line("", 1);
    rl_point = rl_end = rl_mark = 0;
    lr_strbuf_reset(&p->text);
    rl_set_prompt(prompt_text);
    rl_on_new_line();
    rl_redisplay();
    ui_signal_clear();
}

static void suspend(void)
{
    rl_cleanup_after_signal();
    ui_catch_suspend(false);
    kill(getpid(), SIGTSTP);
    sigset_t mask, old;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &mask, &old); /* stops here until SIGCONT */
    sigprocmask(SIG_SETMASK, &old, NULL);
    ui_catch_suspend(true);
    rl_reset_after_signal();
    rl_forced_update_display();
}

/* Waits for a key or a signal; false when the terminal is gone. */
static bool wait_for_key(struct prompt *p, const sigset_t *mask)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};

    if (ppoll(&fd, 1, NULL, mask) < 0) {
        if (errno != EINTR)
            return false;
        if (ui_signal_resized())
            rl_resize_terminal();
        if (ui_signal_suspended())
            suspend();
        if (ui_signal_pending() == SIGINT)
            clear_line(p);
        return true;
    }
    if (!(fd.revents & POLLIN) && (fd.revents & (POLLHUP | POLLERR | POLLNVAL)))
        return false;
    rl_callback_read_char();
    return true;
}

static void run_line(struct prompt *p, const sigset_t *mask)
{
    const struct cmd_origin origin = {.line = 1, .is_prompt = true};
    sigset_t blocked;

    p->has_line = false;
    if (cmd_line_continues(p->text.s ? p->text.s : "")) {
        lr_strbuf_putc(&p->text, '\n');
        return;
    }
    if (!p->text.is_failed && p->text.s) {
        keep_line(p, p->text.s);
        sigprocmask(SIG_SETMASK, mask, &blocked);
        ui_catch_suspend(false);
        cmd_run_text(p->c, p->text.s, &origin);
        ui_screen_flush(p->screen);
        ui_catch_suspend(true);
        sigprocmask(SIG_SETMASK, &blocked, NULL);
    }
    p->c->was_interrupted = false;
    ui_signal_clear();
    lr_strbuf_free(&p->text);
}

void ui_prompt(struct cmd_ctx *c, struct ui_screen *s)
{
    struct prompt p = {.c = c, .screen = s};
    sigset_t mask, before;

    current = &p;
    rl_readline_name = "ranklab";
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_outstream = s->is_out_terminal ? stdout : stderr;
    rl_attempted_completion_function = complete;
    rl_basic_word_break_characters = " \t\n;<>";
    rl_completer_quote_characters = "'\"";
    rl_filename_quote_characters = " \t\n;<>'\"\\#";
    open_history(&p);
    sigprocmask(SIG_SETMASK, NULL, &before);
    ui_signals_block(&mask);
    ui_catch_suspend(true);
    while (!p.is_end && !c->wants_quit) {
        int stop = ui_signal_pending();
        if ((stop && stop != SIGINT) || s->is_out_closed || s->out_error)
            break;
        install_handler(&p);
        if (!wait_for_key(&p, &mask))
            break;
        if (p.has_line)
            run_line(&p, &mask);
    }
    bool is_bare = p.is_end || ui_signal_pending();
    remove_handler(&p);
    if (is_bare)
        fputc('\n', rl_outstream);
    fflush(rl_outstream);
    ui_catch_suspend(false);
    sigprocmask(SIG_SETMASK, &before, NULL);
    lr_strbuf_free(&p.text);
    cmd_words_free(&p.completion.words);
    lr_free(p.history_path);
    clear_history();
    current = NULL;
}
