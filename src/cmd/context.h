/* What a running command may use: the session, the settings of the front end, and a sink
 * for everything that is shown. Nothing here knows a terminal. */
#ifndef RANKLAB_CMD_CONTEXT_H
#define RANKLAB_CMD_CONTEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "cmd/command.h"
#include "out/plot.h"
#include "out/table.h"
#include "ranklab/file.h"
#include "ranklab/progress.h"
#include "ranklab/session.h"
#include "ranklab/sweep.h"

enum cmd_stream { CMD_OUT, CMD_ERR };
enum cmd_style { CMD_PLAIN, CMD_ECHO, CMD_WARNING, CMD_ERROR };

/* The front end's side. Members may be NULL. */
struct cmd_sink {
    /* Whole lines of text for the standard output or the error stream. */
    void (*write)(void *ctx, enum cmd_stream stream, enum cmd_style style,
                  const char *text, size_t n);
    /* A command begins: the clock of its progress starts. */
    void (*begin)(void *ctx);
    /* Progress; non-zero asks the work to stop. */
    int (*tick)(void *ctx, double fraction, const char *what);
    /* True when the user asked to stop, or nobody reads any more. */
    bool (*is_stopped)(void *ctx);
    /* Shows a plot in a pane; it is copied. NULL: there are no panes. */
    enum lr_status (*plot)(void *ctx, const struct out_plot *p, struct lr_err *e);
    /* A point of a running sweep is finished; the session has it already. */
    void (*swept)(void *ctx, const struct lr_sweep_point *p);
    /* Appends the screen as text. NULL: there are no panes. */
    enum lr_status (*screen)(void *ctx, struct lr_strbuf *out, struct lr_err *e);
    void *ctx;
};

enum cmd_color { CMD_COLOR_AUTO, CMD_COLOR_ALWAYS, CMD_COLOR_NEVER };
enum cmd_plot_terminal { CMD_PLOT_TEXT, CMD_PLOT_BUILTIN, CMD_PLOT_WINDOW };

struct cmd_settings {
    enum out_format format;
    enum cmd_color color;
    enum cmd_plot_terminal plot_terminal;
    bool is_quiet, is_echo, is_keep_going;
    bool is_safe; /* starts no other program */
    bool is_ascii;
    bool has_mouse; /* the panes take the mouse */
};

/* A key of the panes and the command it runs, in the notation of cmd_key_parse. */
struct cmd_bind {
    char key[16];
    char *command;
};

/* A file that receives every accepted command as a script. */
struct cmd_recorder {
    char *path;
    int fd; /* opened, and its folder made, with the first command */
    bool is_open;
    bool is_absolute; /* paths are written absolute */
    bool has_failed;  /* said once, then silent */
};

/* One sourced file, or another origin of commands. */
struct cmd_origin {
    const char *name; /* for messages; NULL at the prompt */
    const char *path; /* of a script file, or NULL */
    size_t line;      /* of the text being run, from 1 */
    bool is_prompt;   /* prefixes are understood */
    bool is_check;    /* parse only */
    bool is_internal; /* made up by the program: errors show no line */
    int depth;
    const struct cmd_origin *up;
};

struct cmd_done {
    char *text;  /* with whole words */
    char *after; /* the comment lines that follow it in a script, or NULL */
    bool is_failed;
};

/* A table that was printed. */
struct cmd_digest {
    char name[24]; /* of the command, or of the table that was exported */
    char hex[65];
};
struct cmd_digests {
    struct cmd_digest *d; /* owned */
    size_t n, cap;
};
struct cmd_replay; /* see replay.h */

struct cmd_ctx {
    struct lr_session *session;
    struct cmd_sink sink;
    struct cmd_settings settings;
    struct lr_progress progress; /* for the session's slow work */
    struct cmd_recorder auto_record, user_record;
    struct cmd_bind *binds; /* of the user, in the order they were made */
    size_t n_binds;
    /* In force before the first command: scripts begin with them. */
    uint64_t first_seed;
    int first_threads;
    struct cmd_done *done; /* commands run, oldest first */
    size_t n_done, cap_done;
    bool wants_quit, was_interrupted;
    int n_failed;              /* commands that failed and were not tried */
    struct cmd_replay *replay; /* the script that is compared with its record, or NULL */
    struct cmd_digests seen;   /* all tables printed while it runs */
    int64_t n_told[2]; /* calibration and evaluation images whose hash was recorded */
    /* of the command that runs now */
    bool is_done; /* its handler went well; the file of its table may still have failed */
    bool is_timed; /* its tables depend on how fast the machine is: no digest is kept */
    const struct cmd_row *row;
    struct cmd_digests digests;
    const struct cmd_origin *origin;
    struct lr_file redirect;
    struct lr_strbuf redirected;
    const char *redirect_path;
    int n_tables;
};

enum { CMD_MAX_DEPTH = 16 };

void cmd_init(struct cmd_ctx *c, struct lr_session *s, const struct cmd_sink *sink);
void cmd_free(struct cmd_ctx *c);

/* ---- running ---- */

/* Runs every statement of text; stops at the first that fails (settings.is_keep_going:
 * goes on, and gives back the first failure). Failures are reported to the sink. */
enum lr_status cmd_run_text(struct cmd_ctx *c, const char *text,
                            const struct cmd_origin *origin);
/* Reads commands from an open stream line by line. name: for messages. */
enum lr_status cmd_run_stream(struct cmd_ctx *c, FILE *fp,
                              const struct cmd_origin *origin);
/* Runs a script; a relative path is taken from the folder of the script that runs now.
 * With is_check its commands are only parsed. What fails inside is reported. */
enum lr_status cmd_run_file(struct cmd_ctx *c, const char *path, bool is_check,
                            struct cmd_error *e);
/* Shows an error with its place in text; text NULL: the message only. */
void cmd_report(struct cmd_ctx *c, const struct cmd_error *e, const char *text,
                const struct cmd_origin *origin);

/* ---- output ---- */

/* One line about what was done: on the standard output, or on the error stream while
 * tables are for machines; none when quiet. Escaped. */
void cmd_say(struct cmd_ctx *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Tells, as a failure, when memory was short since lr_mem_refused() gave this number. */
void cmd_check_memory(struct cmd_ctx *c, size_t refused_before);
void cmd_warn(struct cmd_ctx *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Text that was asked for (help, echo), of several lines perhaps: like cmd_say, but never
 * quiet. */
void cmd_text(struct cmd_ctx *c, const char *text);
/* The table, in the format of the settings or into the file the user named after `>`. The
 * table is freed. */
enum lr_status cmd_table(struct cmd_ctx *c, struct out_table *t, struct cmd_error *e);
/* The same for one row of many columns: in text one line per titled column. */
enum lr_status cmd_record_table(struct cmd_ctx *c, struct out_table *t,
                                struct cmd_error *e);

/* ---- for handlers ---- */

/* Layer indices of the set; an error is placed at v. v not given: all layers. */
enum lr_status cmd_layers(int **out, int *n, struct cmd_ctx *c, const struct cmd_value *v,
                          struct cmd_error *e);
/* v->text with a leading ~/ resolved; lr_free it. */
enum lr_status cmd_path(char **path, const struct cmd_value *v, struct cmd_error *e);
/* The same for a file to write, which the network that is open must not be. */
enum lr_status cmd_path_out(char **path, const struct cmd_ctx *c,
                            const struct cmd_value *v, struct cmd_error *e);
/* Marks v as the place of an error that is in e already, and returns its code. */
enum lr_status cmd_blame(struct cmd_error *e, const struct cmd_value *v);
/* Whether out, plot and export may start another program. */
enum lr_status cmd_check_safe(const struct cmd_ctx *c, const char *what,
                              struct cmd_error *e);

/* ---- keys of the panes ---- */

/* A key's name in its one spelling: a character, "Space", "Enter", "F5", "Up", "C-x",
 * "M-x", "S-Left"; false when there is no such key. */
bool cmd_key_parse(char canonical[16], const char *name);
/* True when key is one of the names between blanks in keys. */
bool cmd_key_is_in(const char *key, const char *keys);
void cmd_binds_free(struct cmd_ctx *c);

/* ---- recording ---- */

/* Whether the call enters the history and the recorded scripts. A script that is sourced
 * (behind `try` too) does so by its commands. */
bool cmd_is_recorded(const struct cmd_call *call);
void cmd_record_call(struct cmd_ctx *c, const struct cmd_call *call, const char *after);
/* Starts a recorder on path with what was accepted so far. */
enum lr_status cmd_record_start(struct cmd_ctx *c, const char *path, struct cmd_error *e);
void cmd_record_stop(struct cmd_recorder *r);
/* One entry of the history; takes text over. after: what a script has behind it. */
enum lr_status cmd_done_add(struct cmd_ctx *c, struct lr_strbuf *text, const char *after,
                            bool is_failed, struct cmd_error *e);
/* Everything done so far as a script that can be replayed. */
void cmd_record_text(struct lr_strbuf *b, const struct cmd_ctx *c);

/* ---- settings: one row per setting in settings.c ---- */

struct cmd_setting {
    const char *name, *summary;
    struct cmd_param value; /* its type and limits */
    void (*get)(struct lr_strbuf *b, const struct cmd_ctx *c);
    enum lr_status (*set)(struct cmd_ctx *c, const struct cmd_value *v, struct lr_err *e);
};
extern const struct cmd_setting cmd_settings_table[];
extern const size_t cmd_n_settings;
const struct cmd_setting *cmd_setting_find(const char *name);
/* Parses value and sets it. */
enum lr_status cmd_setting_set(struct cmd_ctx *c, const char *name, const char *value,
                               struct cmd_error *e);

/* ---- tables of layers ---- */

enum cmd_layer_view { CMD_VIEW_LAYERS, CMD_VIEW_COST, CMD_VIEW_ERROR };
/* Rows for the n layers listed, then total and network. */
enum lr_status cmd_layer_table(struct out_table *t, struct cmd_ctx *c, const int *layers,
                               int n, enum cmd_layer_view view, struct cmd_error *e);
void cmd_eval_table(struct out_table *t, const struct lr_eval *r);
/* "2.31x (46.1 -> 20.0 MMAC)" and what is left to solve, after a change of the plan. */
void cmd_say_totals(struct cmd_ctx *c);
/* What is predicted of the plan, from what, and how far such predictions are off. */
struct lr_prediction;
void cmd_say_prediction(struct cmd_ctx *c, const struct lr_prediction *p);
/* One line with the layers that stay whole, each with its reason; nothing while all
 * of them do, or none. */
void cmd_say_whole(struct cmd_ctx *c);
/* "2026-03-01 17:05 UTC"; returns buf. */
enum { CMD_TIME_SIZE = 32 };
const char *cmd_time(char buf[CMD_TIME_SIZE], int64_t seconds);
/* Whether milliseconds may be measured with d's engine: not with one that is another
 * program when none may be started. */
enum lr_status cmd_check_deploy(const struct cmd_ctx *c, const struct lr_deploy *d,
                                struct cmd_error *e);
/* Milliseconds beside multiply-adds where they were measured: of the network, and of
 * every layer whose ranks make it slower than it is whole. */
void cmd_say_ms(struct cmd_ctx *c);
/* "12.3 M" and so on. buf of at least 32 bytes. */
char *cmd_amount(char *buf, size_t size, double x);

/* ---- comparisons of assert ---- */

enum lr_status cmd_assert(struct cmd_ctx *c, const struct cmd_call *call,
                          struct cmd_error *e);

#endif
