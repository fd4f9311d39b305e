/* Jobs wait in a queue; one thread takes them in order. All that both threads touch lies
 * behind one lock, held for moments only, except the flag that asks the work to stop,
 * which is read at every step of it. Signals stay with the main thread. */
#include "ui/worker_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

double ui_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct ui_worker *ui_worker_start(struct cmd_ctx *c,
                                  void (*start)(struct cmd_ctx *c, const void *options),
                                  const void *options, int wake_fd)
{
    struct ui_worker *w = lr_calloc(1, sizeof(*w));
    pthread_condattr_t clock;
    sigset_t all, before;

    if (!w)
        return NULL;
    w->c = c;
    w->start = start;
    w->options = options;
    w->wake_fd = wake_fd;
    w->said_end = &w->said;
    w->swept = -1;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->has_job, NULL);
    pthread_cond_init(&w->has_screen, NULL);
    pthread_cond_init(&w->has_ended, &clock);
    pthread_condattr_destroy(&clock);
    ui_worker_sink(w);
    ui_job_add(w, &(struct ui_job){.kind = UI_JOB_START});
    w->work.is_busy = true;
    w->work.started = ui_now();
    /* The threads that it starts inherit the mask; faults cannot be blocked. */
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int err = pthread_create(&w->thread, NULL, ui_worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!err)
        return w;
    lr_free(w);
    return NULL;
}

bool ui_worker_end(struct ui_worker *w, double max_s)
{
    struct timespec until;
    double end = ui_now() + max_s;
    int err = 0;

    until.tv_sec = (time_t)end;
    until.tv_nsec = (long)((end - (double)until.tv_sec) * 1e9);
    pthread_mutex_lock(&w->lock);
    w->is_closing = true;
    atomic_store(&w->is_stopped, true);
    pthread_cond_broadcast(&w->has_job);
    pthread_cond_broadcast(&w->has_screen);
    while (!w->is_ended && err != ETIMEDOUT)
        err = pthread_cond_timedwait(&w->has_ended, &w->lock, &until);
    bool is_ended = w->is_ended;
    pthread_mutex_unlock(&w->lock);
    if (!is_ended)
        return false;
    pthread_join(w->thread, NULL);
    for (int i = 0; i < w->n_jobs; i++)
        ui_job_free(&w->jobs[i]);
    while (w->said) {
        struct ui_said *next = w->said->next;
        lr_free(w->said);
        w->said = next;
    }
    ui_snapshot_free(w->snapshot);
    ui_snapshot_free(w->last);
    ui_plot_unref(w->plot);
    if (w->has_picture) {
        ui_plot_unref(w->picture.plot);
        lr_free(w->picture.text);
    }
    w->c->sink = (struct cmd_sink){0};
    w->c->progress = (struct lr_progress){0};
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->has_job);
    pthread_cond_destroy(&w->has_screen);
    pthread_cond_destroy(&w->has_ended);
    lr_free(w);
    return true;
}

/* Nobody waits for what nobody asked for to leave: what ^D, F10 and people type. */
static bool is_leaving(const char *line)
{
    return strcmp(line, "quit") == 0 || strcmp(line, "exit") == 0;
}

bool ui_worker_run(struct ui_worker *w, enum ui_job_kind kind, const char *line,
                   bool is_same_key)
{
    struct ui_job j = {.kind = kind, .is_same_key = is_same_key, .line = lr_strdup(line)};
    bool has_room = false;

    pthread_mutex_lock(&w->lock);
    if (j.line && w->n_jobs < UI_MAX_JOBS - 2) {
        if (w->work.is_busy && w->work.kind == UI_JOB_SPECTRA && w->n_jobs == 0 &&
            is_leaving(line))
            atomic_store(&w->is_stopped, true);
        ui_job_add(w, &j);
        has_room = true;
    }
    pthread_mutex_unlock(&w->lock);
    if (!has_room)
        ui_job_free(&j);
    return has_room;
}

void ui_worker_draw(struct ui_worker *w, struct ui_plot *p, int width, int height,
                    bool is_ascii)
{
    struct ui_job j = {.kind = UI_JOB_PLOT,
                       .plot = ui_plot_ref(p),
                       .width = width,
                       .height = height,
                       .is_ascii = is_ascii};

    pthread_mutex_lock(&w->lock);
    /* Only the latest wish counts. */
    bool is_placed = false;
    for (int i = 0; i < w->n_jobs && !is_placed; i++)
        if (w->jobs[i].kind == UI_JOB_PLOT) {
            struct ui_job old = w->jobs[i];
            w->jobs[i] = j;
            j = old;
            is_placed = true;
        }
    if (!is_placed && w->n_jobs < UI_MAX_JOBS - 1) {
        ui_job_add(w, &j);
        j = (struct ui_job){0};
    }
    pthread_mutex_unlock(&w->lock);
    ui_job_free(&j);
}

bool ui_worker_stop(struct ui_worker *w)
{
    bool is_busy;

    pthread_mutex_lock(&w->lock);
    is_busy = w->work.is_busy || w->n_jobs > 0;
    for (int i = 0; i < w->n_jobs; i++)
        ui_job_free(&w->jobs[i]);
    w->n_jobs = w->work.n_waiting = 0;
    if (w->work.is_busy) {
        w->work.is_stopping = true;
        atomic_store(&w->is_stopped, true);
    }
    pthread_mutex_unlock(&w->lock);
    return is_busy;
}

void ui_worker_status(struct ui_work *out, struct ui_worker *w)
{
    pthread_mutex_lock(&w->lock);
    *out = w->work;
    out->n_waiting = w->n_jobs;
    out->is_busy = out->is_busy || w->n_jobs > 0;
    pthread_mutex_unlock(&w->lock);
}

struct ui_said *ui_worker_said(struct ui_worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct ui_said *s = w->said;
    w->said = NULL;
    w->said_end = &w->said;
    pthread_mutex_unlock(&w->lock);
    return s;
}

struct ui_snapshot *ui_worker_snapshot(struct ui_worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct ui_snapshot *s = w->snapshot;
    w->snapshot = NULL;
    pthread_mutex_unlock(&w->lock);
    return s;
}

struct ui_plot *ui_worker_plot(struct ui_worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct ui_plot *p = w->plot;
    w->plot = NULL;
    pthread_mutex_unlock(&w->lock);
    return p;
}

bool ui_worker_picture(struct ui_picture *out, struct ui_worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool has = w->has_picture;
    *out = w->picture;
    w->has_picture = false;
    pthread_mutex_unlock(&w->lock);
    return has;
}

bool ui_worker_wants_screen(struct ui_worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool wants = w->wants_screen;
    pthread_mutex_unlock(&w->lock);
    return wants;
}

void ui_worker_give_screen(struct ui_worker *w, const struct lr_strbuf *b)
{
    pthread_mutex_lock(&w->lock);
    if (w->wants_screen && w->screen && b && b->s) {
        lr_strbuf_add(w->screen, b->s, b->len);
        w->is_screen_given = true;
    }
    w->wants_screen = false;
    pthread_cond_broadcast(&w->has_screen);
    pthread_mutex_unlock(&w->lock);
}

bool ui_worker_wants_quit(struct ui_worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool wants = w->wants_quit;
    pthread_mutex_unlock(&w->lock);
    return wants;
}
