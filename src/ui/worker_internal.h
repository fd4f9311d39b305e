/* Shared by the two sides of the worker: worker_thread.c runs in the thread, worker.c is
 * what the main thread calls. */
#ifndef RANKLAB_UI_WORKER_INTERNAL_H
#define RANKLAB_UI_WORKER_INTERNAL_H

#include <pthread.h>

#include "ui/worker.h"

enum { UI_MAX_JOBS = 32 };

struct ui_job {
    enum ui_job_kind kind;
    bool is_same_key, is_ascii;
    char *line;
    struct ui_plot *plot;
    int width, height;
};

struct ui_worker {
    pthread_t thread;
    struct cmd_ctx *c;
    void (*start)(struct cmd_ctx *c, const void *options);
    const void *options;
    int wake_fd;
    atomic_bool is_stopped;
    /* of the worker alone */
    double last_tick, last_point;
    int swept;                /* see struct ui_snapshot */
    int n_begun;              /* commands of the running job */
    struct ui_snapshot *last; /* a copy of its own, for what the next one keeps */
    /* behind the lock */
    pthread_mutex_t lock;
    pthread_cond_t has_job, has_screen, has_ended;
    struct ui_job jobs[UI_MAX_JOBS];
    int n_jobs;
    struct ui_work work;
    bool is_closing, is_ended, wants_screen, wants_quit;
    struct ui_said *said, **said_end;
    struct ui_snapshot *snapshot;
    struct ui_plot *plot;
    struct ui_picture picture;
    bool has_picture;
    struct lr_strbuf *screen;
    bool is_screen_given;
};

/* With the lock held and room in the queue. */
void ui_job_add(struct ui_worker *w, const struct ui_job *j);
void ui_job_free(struct ui_job *j);
/* The sink of the commands, which run in the thread. */
void ui_worker_sink(struct ui_worker *w);
/* The thread. */
void *ui_worker_main(void *worker);

#endif
