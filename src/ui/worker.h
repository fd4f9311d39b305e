/* The one thread that computes: it alone calls the session and everything below it. The
 * main thread gives it lines to run and collects what it has to show. */
#ifndef RANKLAB_UI_WORKER_H
#define RANKLAB_UI_WORKER_H

#include "ui/log.h"
#include "ui/snapshot.h"

enum ui_job_kind {
    UI_JOB_START,   /* files of the user and of the command line */
    UI_JOB_LINE,    /* a line typed */
    UI_JOB_KEY,     /* a line made by a key */
    UI_JOB_SPECTRA, /* what the predictions need, unasked, when a network was opened */
    UI_JOB_PLOT     /* gnuplot's picture for the plot pane */
};

/* What the status line shows; a copy. */
struct ui_work {
    bool is_busy, is_stopping;
    enum ui_job_kind kind;
    int n_waiting;
    double fraction; /* as the work has it now: an estimate that may be taken back */
    double shown;    /* the most so far: what is drawn never steps back */
    double started;  /* seconds of the monotonic clock */
    char what[160], command[160];
};

/* One piece of text for the log. */
struct ui_said {
    struct ui_said *next;
    enum ui_log_kind kind;
    bool is_key_begin, is_same_key; /* no text: a key's command begins */
    size_t n;
    char text[];
};

struct ui_picture {
    struct ui_plot *plot; /* a reference */
    int width, height;
    char *text; /* NULL: gnuplot could not */
};

struct ui_worker;

/* Starts the thread; start runs first in it. wake_fd gets a byte whenever there is
 * something to collect. */
struct ui_worker *ui_worker_start(struct cmd_ctx *c,
                                  void (*start)(struct cmd_ctx *c, const void *options),
                                  const void *options, int wake_fd);
/* Asks the running work to stop and waits for the end of the thread, at most max_s
 * seconds; false: it still runs, and nothing of it may be released. */
bool ui_worker_end(struct ui_worker *w, double max_s);

/* Queues a line; false when too many wait. same_key: replaces what this key said before.
 */
bool ui_worker_run(struct ui_worker *w, enum ui_job_kind kind, const char *line,
                   bool is_same_key);
void ui_worker_draw(struct ui_worker *w, struct ui_plot *p, int width, int height,
                    bool is_ascii);
/* Stops what runs and forgets what waits; false when nothing runs. */
bool ui_worker_stop(struct ui_worker *w);
void ui_worker_status(struct ui_work *out, struct ui_worker *w);

/* What came since the last call; each belongs to the caller. NULL: nothing. */
struct ui_said *ui_worker_said(struct ui_worker *w);
struct ui_snapshot *ui_worker_snapshot(struct ui_worker *w);
struct ui_plot *ui_worker_plot(struct ui_worker *w);
bool ui_worker_picture(struct ui_picture *out, struct ui_worker *w);
/* The worker waits for the screen as text; answer it, b NULL: there is none. */
bool ui_worker_wants_screen(struct ui_worker *w);
void ui_worker_give_screen(struct ui_worker *w, const struct lr_strbuf *b);
bool ui_worker_wants_quit(struct ui_worker *w);

double ui_now(void);

#endif
