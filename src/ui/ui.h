/* The front end in line mode: options, the prompt, signals, progress. The command table
 * and all that it does lie below, and know no terminal. */
#ifndef RANKLAB_UI_H
#define RANKLAB_UI_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "cmd/context.h"

enum { UI_OK = 0, UI_FAILED = 1, UI_USAGE = 2, UI_INTERNAL = 70, UI_INTERRUPTED = 130 };

/* Runs the program; its exit status. */
int ui_main(int argc, char **argv);

/* ---- options.c ---- */

enum ui_action_kind { UI_RUN_FILE, UI_RUN_COMMAND };
struct ui_action {
    enum ui_action_kind kind;
    const char *text; /* borrowed from argv */
};
struct ui_options {
    const char *model; /* to open first, or NULL */
    struct ui_action *actions;
    size_t n_actions;
    bool is_batch, is_interactive, is_plain, has_no_init, wants_version, wants_help;
    struct cmd_settings settings;
    const char *seed, *threads;
    const char *keys;  /* --keys */
    int width, height; /* --size, or 0 */
};
/* False after a usage error, which has been said on the error stream. */
bool ui_options_parse(struct ui_options *o, int argc, char **argv);
void ui_options_free(struct ui_options *o);
void ui_print_help(void);
void ui_print_version(void);

/* ---- signals.c: the one mutable global of the program lives there ---- */

/* Handlers for ^C, hang-up, termination and resizing; SIGPIPE is ignored. */
void ui_signals_install(void);
/* Has the calling thread's handlers of crashes run in memory, UI_SIGNAL_STACK bytes:
 * where its stack has overflowed there is no room for them. False: it has another one
 * already. NULL: no longer. The main thread has one since ui_signals_install. */
bool ui_signals_stack(void *memory);
enum { UI_SIGNAL_STACK = 64 * 1024 };
/* The signal that asks to stop (SIGINT, SIGTERM, SIGHUP), or 0. */
int ui_signal_pending(void);
/* Forgets a ^C; what ends the program stays. */
void ui_signal_clear(void);
bool ui_signal_resized(void); /* true once after each */
/* ^Z: noted instead of obeyed while on, so that the prompt can tidy the terminal first.
 */
void ui_catch_suspend(bool on);
bool ui_signal_suspended(void); /* true once after each */
/* The mask to wait with: the signals above arrive during the wait only. */
void ui_signals_block(sigset_t *during_wait);
/* While the prompt has changed the terminal, crashes restore it first. */
void ui_guard_terminal(bool on);
/* Every signal above writes a byte to fd; 0: none. */
void ui_signals_wake(int fd);
/* While the panes are up, crashes first write leave_text to fd; NULL: no more. */
void ui_guard_screen(int fd, const char *leave_text);
/* The file that a crash names as the record of the session; NULL: none. */
void ui_guard_place(const char *path);

/* ---- screen.c: the sink that writes to the standard streams ---- */

struct ui_screen {
    const struct cmd_settings *settings;
    bool is_out_terminal, is_err_terminal;
    bool is_out_closed; /* nobody reads the standard output any more */
    int out_error;      /* errno of another failure to write it, or 0 */
    bool has_line;      /* a progress line stands on the error stream */
    double last_drawn, started;
    double most; /* of the progress of this command */
};
void ui_screen_init(struct ui_screen *s, const struct cmd_settings *settings);
struct cmd_sink ui_screen_sink(struct ui_screen *s);
/* Erases the progress line and writes out what is buffered. */
void ui_screen_flush(struct ui_screen *s);

/* ---- prompt.c: what the prompts share ---- */

/* Settings of readline that hold for both, and the history of the user. */
void ui_readline_begin(void);
void ui_readline_end(void);
/* Completion knows the names of c; before: the lines of the command that stand above the
 * prompt, or NULL. Both are borrowed. */
void ui_complete_with(const struct cmd_ctx *c, const char *before);
/* Adds a line to the history and its file. */
void ui_history_keep(const char *text);

/* ---- line.c: the prompt ---- */

/* Reads and runs commands until quit, ^D or a signal. */
void ui_prompt(struct cmd_ctx *c, struct ui_screen *s);

/* ---- panes.c ---- */

struct ui_panes_options {
    int width, height; /* of a screen that nobody sees; 0: the terminal */
    const char *keys;  /* file of keys, or NULL */
    bool is_ascii;
    /* what the program was started to do; runs in the thread that computes */
    void (*start)(struct cmd_ctx *c, const void *options);
    const void *options;
};
/* Until quit, ^D, hang-up or a signal; the exit status, or -1 when there is no usable
 * terminal. */
int ui_panes_run(struct cmd_ctx *c, const struct ui_panes_options *o);

#endif
