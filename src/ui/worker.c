/* Jobs wait in a queue; one thread takes them in order. All that both threads touch lies
 * behind one lock, held for moments only, except the flag that asks the work to stop,
 * which is read at every step of it. Signals stay with the main thread. */
#include "ui/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ranklab/text.h"

enum { MAX_JOBS = 32 };

struct job {
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
    double last_tick;
    int n_begun;              /* commands of the running job */
    struct ui_snapshot *last; /* a copy of its own, for what the next one keeps */
    /* behind the lock */
    pthread_mutex_t lock;
    pthread_cond_t has_job, has_screen, has_ended;
    struct job jobs[MAX_JOBS];
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

double ui_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A full pipe wakes the main thread as well. */
static void wake(struct ui_worker *w)
{
    ssize_t n = write(w->wake_fd, "w", 1);
    (void)n;
}

/* ---- plots ---- */

static char *copy_text(const char *s)
{
    return s ? lr_strdup(s) : NULL;
}

static double *copy_numbers(const double *x, size_t n)
{
    double *to = x ? lr_alloc(n, sizeof(*to)) : NULL;

    if (to)
        memcpy(to, x, n * sizeof(*to));
    return to;
}

struct ui_plot *ui_plot_ref(struct ui_plot *p)
{
    if (p)
        atomic_fetch_add(&p->n_refs, 1);
    return p;
}

void ui_plot_unref(struct ui_plot *p)
{
    if (!p || atomic_fetch_sub(&p->n_refs, 1) != 1)
        return;
    struct out_series *series = (struct out_series *)(void *)p->plot.series;
    size_t n = p->plot.n_series && p->plot.x_names ? series[0].n : 0;
    for (size_t i = 0; i < n; i++)
        lr_free((char *)(void *)p->plot.x_names[i]);
    for (size_t i = 0; i < p->plot.n_series; i++) {
        lr_free((char *)(void *)series[i].title);
        lr_free((double *)(void *)series[i].x);
        lr_free((double *)(void *)series[i].y);
        lr_free((double *)(void *)series[i].low);
        lr_free((double *)(void *)series[i].high);
    }
    for (size_t i = 0; i < p->plot.n_marks; i++)
        lr_free((char *)(void *)p->plot.marks[i].label);
    lr_free((void *)p->plot.x_names);
    lr_free((void *)p->plot.marks);
    lr_free(series);
    lr_free((char *)(void *)p->plot.title);
    lr_free((char *)(void *)p->plot.x_label);
    lr_free((char *)(void *)p->plot.y_label);
    lr_free(p);
}

struct ui_plot *ui_plot_copy(const struct out_plot *p)
{
    struct ui_plot *out = lr_calloc(1, sizeof(*out));
    struct out_series *series = lr_calloc(p->n_series, sizeof(*series));
    struct out_mark *marks = lr_calloc(p->n_marks, sizeof(*marks));
    const char **names = NULL;
    size_t n_names = p->x_names && p->n_series ? p->series[0].n : 0;

    if (p->x_names)
        names = lr_calloc(n_names, sizeof(*names));
    if (!out || !series || !marks || (p->x_names && !names)) {
        lr_free(out);
        lr_free(series);
        lr_free(marks);
        lr_free((void *)names);
        return NULL;
    }
    for (size_t i = 0; i < p->n_series; i++) {
        const struct out_series *s = &p->series[i];
        series[i] = (struct out_series){.title = copy_text(s->title),
                                        .style = s->style,
                                        .n = s->n,
                                        .x = copy_numbers(s->x, s->n),
                                        .y = copy_numbers(s->y, s->n),
                                        .low = copy_numbers(s->low, s->n),
                                        .high = copy_numbers(s->high, s->n)};
        if (!series[i].y)
            series[i].n = 0;
    }
    for (size_t i = 0; i < p->n_marks; i++) {
        marks[i] = p->marks[i];
        marks[i].label = copy_text(p->marks[i].label);
    }
    for (size_t i = 0; i < n_names; i++)
        names[i] = copy_text(p->x_names[i] ? p->x_names[i] : "");
    out->plot = *p;
    out->plot.title = copy_text(p->title);
    out->plot.x_label = copy_text(p->x_label);
    out->plot.y_label = copy_text(p->y_label);
    out->plot.series = series;
    out->plot.marks = marks;
    out->plot.x_names = names;
    atomic_init(&out->n_refs, 1);
    return out;
}

/* ---- the sink: called by commands, in the worker ---- */

static void say(struct ui_worker *w, enum ui_log_kind kind, const char *text, size_t n)
{
    struct ui_said *s = lr_calloc(1, sizeof(*s) + n + 1);

    if (!s)
        return;
    s->kind = kind;
    s->n = n;
    memcpy(s->text, text, n);
    pthread_mutex_lock(&w->lock);
    *w->said_end = s;
    w->said_end = &s->next;
    pthread_mutex_unlock(&w->lock);
    wake(w);
}

static void sink_write(void *ctx, enum cmd_stream stream, enum cmd_style style,
                       const char *text, size_t n)
{
    static const enum ui_log_kind kinds[] = {UI_LOG_TEXT, UI_LOG_COMMAND, UI_LOG_WARNING,
                                             UI_LOG_ERROR};

    (void)stream;
    say(ctx, kinds[style], text, n);
}

static void publish(struct ui_worker *w)
{
    struct ui_snapshot *s = ui_snapshot_take(w->c, w->last),
                       *own = ui_snapshot_take(w->c, w->last);

    if (own) {
        ui_snapshot_free(w->last);
        w->last = own;
    }
    if (!s)
        return;
    pthread_mutex_lock(&w->lock);
    struct ui_snapshot *old = w->snapshot;
    w->snapshot = s;
    pthread_mutex_unlock(&w->lock);
    ui_snapshot_free(old);
    wake(w);
}

/* Of a line or script with several commands each shows its result. */
static void sink_begin(void *ctx)
{
    struct ui_worker *w = ctx;

    if (w->n_begun++ > 0)
        publish(w);
    w->last_tick = 0;
    pthread_mutex_lock(&w->lock);
    w->work.started = ui_now();
    w->work.fraction = 0;
    w->work.what[0] = '\0';
    pthread_mutex_unlock(&w->lock);
}

static int sink_tick(void *ctx, double fraction, const char *what)
{
    struct ui_worker *w = ctx;
    double t;

    if (atomic_load(&w->is_stopped))
        return 1;
    t = ui_now();
    if (t - w->last_tick < 0.1)
        return 0;
    w->last_tick = t;
    pthread_mutex_lock(&w->lock);
    w->work.fraction = fraction;
    strncpy(w->work.what, what, sizeof(w->work.what) - 1);
    pthread_mutex_unlock(&w->lock);
    wake(w);
    return 0;
}

static bool sink_is_stopped(void *ctx)
{
    struct ui_worker *w = ctx;

    return atomic_load(&w->is_stopped);
}

static enum lr_status sink_plot(void *ctx, const struct out_plot *p, struct lr_err *e)
{
    struct ui_worker *w = ctx;
    struct ui_plot *copy = ui_plot_copy(p);

    if (!copy)
        return lr_enomem(e, sizeof(*copy), "a plot");
    pthread_mutex_lock(&w->lock);
    struct ui_plot *old = w->plot;
    w->plot = copy;
    pthread_mutex_unlock(&w->lock);
    ui_plot_unref(old);
    wake(w);
    return LR_OK;
}

static enum lr_status sink_screen(void *ctx, struct lr_strbuf *out, struct lr_err *e)
{
    struct ui_worker *w = ctx;
    bool is_given;

    publish(w);
    pthread_mutex_lock(&w->lock);
    w->screen = out;
    w->wants_screen = true;
    w->is_screen_given = false;
    wake(w);
    while (w->wants_screen && !w->is_closing)
        pthread_cond_wait(&w->has_screen, &w->lock);
    is_given = w->is_screen_given;
    w->wants_screen = false;
    w->screen = NULL;
    pthread_mutex_unlock(&w->lock);
    return is_given ? LR_OK : lr_err_set(e, LR_EINTR, "the program ends");
}

/* ---- jobs ---- */

static void job_free(struct job *j)
{
    lr_free(j->line);
    ui_plot_unref(j->plot);
    *j = (struct job){0};
}

static void run_line(struct ui_worker *w, const struct job *j)
{
    const struct cmd_origin origin = {.line = 1, .is_prompt = true};
    struct lr_strbuf b = {0};

    if (j->kind == UI_JOB_KEY) {
        struct ui_said *s = lr_calloc(1, sizeof(*s) + 1);
        if (s) {
            s->is_key_begin = true;
            s->is_same_key = j->is_same_key;
            pthread_mutex_lock(&w->lock);
            *w->said_end = s;
            w->said_end = &s->next;
            pthread_mutex_unlock(&w->lock);
        }
    }
    lr_strbuf_printf(&b, "ranklab> %s", j->line);
    if (b.s)
        say(w, UI_LOG_COMMAND, b.s, b.len);
    lr_strbuf_free(&b);
    w->n_begun = 0;
    cmd_run_text(w->c, j->line, &origin);
    w->c->was_interrupted = false;
}

static void find_spectra(struct ui_worker *w)
{
    struct lr_err e = {0};

    /* Without them predictions stay blank; a command that needs them will say why. */
    lr_session_spectra(w->c->session, &w->c->progress, &e);
}

static void draw_plot(struct ui_worker *w, struct job *j)
{
    struct ui_picture p = {.plot = ui_plot_ref(j->plot)};
    struct lr_strbuf b = {0};
    struct lr_err e = {0};

    p.width = j->width;
    p.height = j->height;
    if (out_plot_text(&b, &j->plot->plot, j->width, j->height, j->is_ascii, true,
                      &w->c->progress, &e) == LR_OK)
        p.text = lr_strbuf_take(&b);
    lr_strbuf_free(&b);
    pthread_mutex_lock(&w->lock);
    struct ui_picture old = w->picture;
    bool had = w->has_picture;
    w->picture = p;
    w->has_picture = true;
    pthread_mutex_unlock(&w->lock);
    if (had) {
        ui_plot_unref(old.plot);
        lr_free(old.text);
    }
}

static void run_job(struct ui_worker *w, struct job *j)
{
    switch (j->kind) {
    case UI_JOB_START:
        w->n_begun = 0;
        w->start(w->c, w->options);
        w->c->was_interrupted = false;
        break;
    case UI_JOB_LINE:
    case UI_JOB_KEY:
        run_line(w, j);
        break;
    case UI_JOB_SPECTRA:
        find_spectra(w);
        break;
    case UI_JOB_PLOT:
        draw_plot(w, j);
        break;
    }
    if (j->kind != UI_JOB_PLOT)
        publish(w);
}

static void add_job(struct ui_worker *w, const struct job *j)
{
    w->jobs[w->n_jobs++] = *j;
    w->work.n_waiting = w->n_jobs;
    pthread_cond_signal(&w->has_job);
}

/* A network was just opened: look at its responses once, so that ranks can be judged. */
static void follow_up(struct ui_worker *w, const struct job *j, bool was_stopped)
{
    const struct lr_session *s = w->c->session;
    bool is_new = w->last && w->last->can_have_spectra && !s->spectra;

    if (j->kind == UI_JOB_SPECTRA || j->kind == UI_JOB_PLOT || was_stopped || !is_new ||
        w->c->wants_quit || w->n_jobs > 0)
        return;
    add_job(w, &(struct job){.kind = UI_JOB_SPECTRA});
}

static void *work(void *arg)
{
    struct ui_worker *w = arg;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->n_jobs && !w->is_closing)
            pthread_cond_wait(&w->has_job, &w->lock);
        if (w->is_closing)
            break;
        struct job j = w->jobs[0];
        memmove(w->jobs, w->jobs + 1, (size_t)--w->n_jobs * sizeof(j));
        w->work = (struct ui_work){
            .is_busy = true, .kind = j.kind, .n_waiting = w->n_jobs, .started = ui_now()};
        if (j.line)
            strncpy(w->work.command, j.line, sizeof(w->work.command) - 1);
        w->last_tick = 0;
        pthread_mutex_unlock(&w->lock);
        run_job(w, &j);
        pthread_mutex_lock(&w->lock);
        bool was_stopped = atomic_exchange(&w->is_stopped, false);
        w->wants_quit = w->wants_quit || w->c->wants_quit;
        w->work.is_busy = w->work.is_stopping = false;
        follow_up(w, &j, was_stopped);
        pthread_mutex_unlock(&w->lock);
        job_free(&j);
        wake(w);
        pthread_mutex_lock(&w->lock);
        if (w->wants_quit)
            break;
    }
    w->is_ended = true;
    w->wants_quit = true;
    pthread_cond_broadcast(&w->has_ended);
    pthread_mutex_unlock(&w->lock);
    wake(w);
    return NULL;
}

/* ---- for the main thread ---- */

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
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->has_job, NULL);
    pthread_cond_init(&w->has_screen, NULL);
    pthread_cond_init(&w->has_ended, &clock);
    pthread_condattr_destroy(&clock);
    c->sink = (struct cmd_sink){.write = sink_write,
                                .begin = sink_begin,
                                .tick = sink_tick,
                                .is_stopped = sink_is_stopped,
                                .plot = sink_plot,
                                .screen = sink_screen,
                                .ctx = w};
    c->progress = (struct lr_progress){.tick = sink_tick, .ctx = w};
    add_job(w, &(struct job){.kind = UI_JOB_START});
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
    int err = pthread_create(&w->thread, NULL, work, w);
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
        job_free(&w->jobs[i]);
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

bool ui_worker_run(struct ui_worker *w, enum ui_job_kind kind, const char *line,
                   bool is_same_key)
{
    struct job j = {.kind = kind, .is_same_key = is_same_key, .line = lr_strdup(line)};
    bool has_room = false;

    pthread_mutex_lock(&w->lock);
    if (j.line && w->n_jobs < MAX_JOBS - 2) {
        add_job(w, &j);
        has_room = true;
    }
    pthread_mutex_unlock(&w->lock);
    if (!has_room)
        job_free(&j);
    return has_room;
}

void ui_worker_draw(struct ui_worker *w, struct ui_plot *p, int width, int height,
                    bool is_ascii)
{
    struct job j = {.kind = UI_JOB_PLOT,
                    .plot = ui_plot_ref(p),
                    .width = width,
                    .height = height,
                    .is_ascii = is_ascii};

    pthread_mutex_lock(&w->lock);
    /* Only the latest wish counts. */
    bool is_placed = false;
    for (int i = 0; i < w->n_jobs && !is_placed; i++)
        if (w->jobs[i].kind == UI_JOB_PLOT) {
            struct job old = w->jobs[i];
            w->jobs[i] = j;
            j = old;
            is_placed = true;
        }
    if (!is_placed && w->n_jobs < MAX_JOBS - 1) {
        add_job(w, &j);
        j = (struct job){0};
    }
    pthread_mutex_unlock(&w->lock);
    job_free(&j);
}

bool ui_worker_stop(struct ui_worker *w)
{
    bool is_busy;

    pthread_mutex_lock(&w->lock);
    is_busy = w->work.is_busy || w->n_jobs > 0;
    for (int i = 0; i < w->n_jobs; i++)
        job_free(&w->jobs[i]);
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
