/* What runs in the worker: the sink that commands write to, and the jobs, taken in order.
 * The lock is held for moments only. */
#include "ui/worker_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ranklab/text.h"
#include "ui/ui.h"

/* A full pipe wakes the main thread as well. */
static void wake(struct ui_worker *w)
{
    ssize_t n = write(w->wake_fd, "w", 1);
    (void)n;
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
    s->swept = w->swept;
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

    w->swept = -1;
    if (w->n_begun++ > 0)
        publish(w);
    w->last_tick = w->last_point = 0;
    pthread_mutex_lock(&w->lock);
    w->work.started = ui_now();
    w->work.fraction = w->work.shown = 0;
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
    if (fraction > w->work.shown)
        w->work.shown = fraction;
    strncpy(w->work.what, what, sizeof(w->work.what) - 1);
    pthread_mutex_unlock(&w->lock);
    wake(w);
    return 0;
}

/* Curves grow as points come; the last one shows with the end of the work at the latest.
 * While whole networks are swept the session's plan is another one, which is not to be
 * shown. */
static void sink_swept(void *ctx, const struct lr_sweep_point *p)
{
    struct ui_worker *w = ctx;
    double t = ui_now();

    if (p->layer < 0 || t - w->last_point < 0.1)
        return;
    w->last_point = t;
    w->swept = p->layer;
    publish(w);
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

void ui_worker_sink(struct ui_worker *w)
{
    w->c->sink = (struct cmd_sink){.write = sink_write,
                                   .begin = sink_begin,
                                   .tick = sink_tick,
                                   .is_stopped = sink_is_stopped,
                                   .plot = sink_plot,
                                   .swept = sink_swept,
                                   .screen = sink_screen,
                                   .ctx = w};
    w->c->progress = (struct lr_progress){.tick = sink_tick, .ctx = w};
}

/* ---- jobs ---- */

void ui_job_free(struct ui_job *j)
{
    lr_free(j->line);
    ui_plot_unref(j->plot);
    *j = (struct ui_job){0};
}

static void run_line(struct ui_worker *w, const struct ui_job *j)
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

static void draw_plot(struct ui_worker *w, struct ui_job *j)
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

static void run_job(struct ui_worker *w, struct ui_job *j)
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
    w->swept = -1;
    if (j->kind != UI_JOB_PLOT)
        publish(w);
}

void ui_job_add(struct ui_worker *w, const struct ui_job *j)
{
    w->jobs[w->n_jobs++] = *j;
    w->work.n_waiting = w->n_jobs;
    pthread_cond_signal(&w->has_job);
}

/* A network was just opened: look at its responses once, so that ranks can be judged. */
static void follow_up(struct ui_worker *w, const struct ui_job *j, bool was_stopped)
{
    const struct lr_session *s = w->c->session;
    bool is_new = w->last && w->last->can_have_spectra && !s->spectra;

    if (j->kind == UI_JOB_SPECTRA || j->kind == UI_JOB_PLOT || was_stopped || !is_new ||
        w->c->wants_quit || w->n_jobs > 0)
        return;
    ui_job_add(w, &(struct ui_job){.kind = UI_JOB_SPECTRA});
}

void *ui_worker_main(void *arg)
{
    struct ui_worker *w = arg;
    void *stack = lr_alloc(UI_SIGNAL_STACK, 1);
    bool has_stack = stack && ui_signals_stack(stack);

    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->n_jobs && !w->is_closing)
            pthread_cond_wait(&w->has_job, &w->lock);
        if (w->is_closing)
            break;
        struct ui_job j = w->jobs[0];
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
        ui_job_free(&j);
        wake(w);
        pthread_mutex_lock(&w->lock);
        if (w->wants_quit)
            break;
    }
    if (has_stack)
        ui_signals_stack(NULL);
    lr_free(stack);
    w->is_ended = true;
    w->wants_quit = true;
    pthread_cond_broadcast(&w->has_ended);
    pthread_mutex_unlock(&w->lock);
    wake(w);
    return NULL;
}
