/* The prompt: GNU readline through its callback interface, so that one poll loop sees
 * keys and signals. While a command runs the terminal is in its usual mode and ^C sets
 * the interrupt flag; at the prompt ^C clears the line. */
#include "ui/ui.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/readline.h>
#include <readline/history.h>

static const char prompt_text[] = "ranklab> ", more_text[] = "    ...> ";

struct prompt {
    struct cmd_ctx *c;
    struct ui_screen *screen;
    struct lr_strbuf text; /* the lines of one command so far */
    bool has_line, is_end, is_installed;
};

/* readline's callbacks carry no context: this is the one prompt, set while it runs. */
static struct prompt *current;

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
    ui_complete_with(p->c, p->text.s);
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
        ui_history_keep(p->text.s);
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
    ui_readline_begin();
    rl_outstream = s->is_out_terminal ? stdout : stderr;
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
    ui_readline_end();
    current = NULL;
}
