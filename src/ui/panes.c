/* The loop of the panes: waits for keys, signals, the worker and what is printed, hands
 * each to its owner, and draws one frame a turn. Nothing here waits for work, except for
 * a moment so that the effect of a key comes with the key's own frame. */
#include "ui/panes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curses.h>

enum { ESCAPE_MS = 40, BUSY_MS = 200, QUICK_MS = 100 };

/* ---- drawing ---- */

static void draw_frame(struct ui_panes *p)
{
    const struct ui_layout *l = &p->at;

    ui_title_draw(p);
    ui_tabs_draw(p);
    ui_table_draw(p);
    ui_detail_draw(p);
    if (l->split_x >= 0)
        for (int y = l->table.y; y < l->table.y + l->table.h; y++)
            ui_put(y, l->split_x, 1, UI_DIM, p->is_ascii ? "|" : "\xE2\x94\x82",
                   p->is_ascii);
    if (l->rule_y >= 0) {
        ui_rule(l->rule_y, 0, COLS, p->is_ascii);
        ui_put(l->rule_y, 1, COLS, p->focus == UI_IN_LOG ? UI_TITLE : UI_DIM,
               p->log.back ? " log, scrolled back " : " log ", true);
    }
    if (l->log.h > 0)
        ui_log_draw(&p->log, l->log, p->is_ascii);
    ui_status_draw(p);
    ui_keys_draw(p);
}

void ui_draw(struct ui_panes *p)
{
    int x = 0;

    ui_layout(p);
    /* A pane that is not there any more cannot have the focus. */
    if ((p->focus == UI_IN_TABLE && !ui_has_table(p)) ||
        (p->focus == UI_IN_DETAIL && !ui_has_detail(p)) ||
        (p->focus == UI_IN_LOG && !ui_has_log(p))) {
        p->focus = UI_IN_PROMPT;
        ui_layout(p);
    }
    erase();
    if (p->is_help)
        ui_help_draw(p);
    else
        draw_frame(p);
    if (!p->is_help || LINES > 1)
        x = ui_edit_draw(p->is_help ? LINES - 1 : p->at.prompt.y, 0, COLS, p->is_ascii);
    /* The cursor stands where something happens; screen readers follow it. */
    int y = p->is_help ? LINES - 1 : p->at.prompt.y;
    if (p->is_finding && p->at.status.h) {
        y = p->at.status.y;
        x = 1 + (int)strlen(p->table.found);
    } else if (p->focus == UI_IN_TABLE && !p->is_help) {
        int row = 0;
        while (row < p->table.n && p->table.order[row] != p->table.layer)
            row++;
        y = p->at.table.y + (p->at.table.h > 1) + row - p->table.top;
        x = p->at.table.x;
    }
    curs_set(1);
    move(y < LINES ? y : LINES - 1, x < COLS ? (x < 0 ? 0 : x) : COLS - 1);
    refresh();
    p->is_dirty = false;
}

/* ---- what the worker has ---- */

static void take_snapshot(struct ui_panes *p, struct ui_snapshot *s)
{
    const struct ui_snapshot *old = p->now;
    bool is_changed = !old || old->totals.macs != s->totals.macs ||
                      old->n_chosen != s->n_chosen || old->n_stale != s->n_stale;

    /* A picture of another plan would mislead, and one would hide a curve that grows. */
    bool is_swept = s->swept >= 0 && (!old || old->swept < 0);
    if (is_swept)
        p->tab = UI_TAB_PLOT;
    if (s->swept >= 0) {
        p->swept = s->swept;
        p->swept_at = p->table.layer;
    } else if (is_changed) {
        p->swept = -1;
    }
    if (p->plot && old && (is_changed || is_swept)) {
        ui_plot_unref(p->plot);
        p->plot = NULL;
    }
    p->now = s;
    p->is_ascii = s->settings.is_ascii;
    ui_table_update(p);
    int n = ui_colors(s->settings.color);
    if (n != p->n_colors) {
        p->n_colors = n;
        ui_styles_set(n);
        ui_terminal_redraw();
    }
    if (s->settings.has_mouse != p->has_mouse) {
        p->has_mouse = s->settings.has_mouse;
        ui_terminal_mouse(p->has_mouse);
    }
    ui_guard_place(s->session_file);
    ui_snapshot_free((struct ui_snapshot *)(void *)old);
}

/* Fetches what the worker has. */
static void collect(struct ui_panes *p)
{
    struct ui_said *said = ui_worker_said(p->worker);
    struct ui_snapshot *s = ui_worker_snapshot(p->worker);
    struct ui_plot *plot;
    struct ui_picture picture;

    if (s)
        take_snapshot(p, s);
    while (said) {
        struct ui_said *next = said->next;
        if (said->is_key_begin)
            ui_log_key_begins(&p->log, said->is_same_key);
        else
            ui_log_add(&p->log, said->kind, said->text, said->n);
        /* What was typed by hand stays. */
        if (!said->is_key_begin && said->kind == UI_LOG_COMMAND && !p->last_key[0])
            p->log.has_key_lines = false;
        lr_free(said);
        said = next;
    }
    plot = ui_worker_plot(p->worker);
    if (plot) {
        ui_plot_unref(p->plot);
        p->plot = plot;
        p->plot_layer = p->table.layer;
        p->asked_width = p->asked_height = 0;
        p->tab = UI_TAB_PLOT;
        p->is_detail = true;
    }
    if (ui_worker_picture(&picture, p->worker)) {
        ui_plot_take(p, &picture);
        p->asked_width = p->asked_height = 0;
    }
    ui_worker_status(&p->work, p->worker);
    if (ui_worker_wants_screen(p->worker)) {
        struct lr_strbuf b = {0};
        ui_draw(p);
        ui_screen_text(&b);
        ui_worker_give_screen(p->worker, &b);
        lr_strbuf_free(&b);
    }
    if (ui_worker_wants_quit(p->worker))
        p->is_over = true;
    p->is_dirty = true;
}

/* ---- the loop ---- */

struct loop {
    struct ui_panes *p;
    int wake[2]; /* the worker writes, and so do the signal handlers */
    struct ui_driver *driver;
    bool is_driven_out; /* no more keys come from the file */
    double fed;         /* when the last byte came */
};

static int wake_ends[2] = {-1, -1};

static void drain(int fd)
{
    char buf[256];

    while (read(fd, buf, sizeof(buf)) > 0)
        ;
}

void ui_settle(struct ui_panes *p, double seconds)
{
    double end = ui_now() + seconds;

    for (;;) {
        struct pollfd fd = {.fd = wake_ends[0], .events = POLLIN};
        double left = end - ui_now();
        collect(p);
        if (!p->work.is_busy || left <= 0 || p->is_over)
            return;
        if (poll(&fd, 1, (int)(left * 1000) + 1) > 0)
            drain(wake_ends[0]);
    }
}

static void take_strays(struct ui_panes *p)
{
    char buf[4096];
    ssize_t n;

    while ((n = read(ui_terminal_stray_fd(), buf, sizeof(buf))) > 0) {
        ui_log_add(&p->log, UI_LOG_STRAY, buf, (size_t)n);
        p->is_dirty = true;
    }
}

static void take_signals(struct ui_panes *p)
{
    int number = ui_signal_pending();

    if (ui_signal_resized()) {
        ui_terminal_resize();
        p->is_dirty = true;
    }
    if (ui_signal_suspended()) {
        ui_terminal_suspend();
        p->is_dirty = true;
    }
    if (number == SIGINT) {
        ui_signal_clear();
        ui_interrupt(p);
    } else if (number) {
        p->status_signal = number;
        p->is_over = true;
    }
}

/* False when the terminal is gone. */
static bool take_input(struct loop *l)
{
    struct ui_decoder *d = &l->p->decoder;
    char buf[4096];
    size_t room = ui_decoder_room(d);

    if (room == 0)
        return true;
    ssize_t n = read(STDIN_FILENO, buf, room < sizeof(buf) ? room : sizeof(buf));
    if (n > 0) {
        ui_decoder_feed(d, buf, (size_t)n);
        l->fed = ui_now();
        return true;
    }
    return n < 0 && (errno == EINTR || errno == EAGAIN);
}

/* While a key's command is being worked on, the next key waits for its result: that is
 * over in a moment, or else keys go on and commands of keys are refused. */
static bool is_holding(const struct ui_panes *p)
{
    return p->work.is_busy && p->work.kind == UI_JOB_KEY && p->focus != UI_IN_PROMPT &&
           !p->is_help && ui_now() - p->work.started < 0.001 * QUICK_MS;
}

static void take_line(struct ui_panes *p)
{
    char *line = ui_edit_take();

    if (line) {
        ui_run_typed(p, line);
        lr_free(line);
    }
    if (ui_edit_is_end())
        ui_run_typed(p, "quit");
}

/* Completion looks at names of the snapshot, which may be another one at the next key. */
static void handle(struct ui_panes *p, const struct ui_key *key)
{
    struct ui_names names;

    if (ui_names_init(&names, p->now))
        ui_complete_with(&names.ctx, NULL);
    ui_handle_key(p, key);
    ui_complete_with(NULL, NULL);
    ui_names_free(&names);
    take_line(p);
    if (p->plot && p->plot_layer != p->table.layer) {
        ui_plot_unref(p->plot);
        p->plot = NULL;
    }
}

static void take_keys(struct loop *l)
{
    struct ui_panes *p = l->p;
    struct ui_key key;
    bool is_late = ui_now() - l->fed >= 0.001 * ESCAPE_MS || l->driver;

    while (!p->is_over && !is_holding(p) && ui_decoder_next(&key, &p->decoder, is_late)) {
        handle(p, &key);
        ui_worker_status(&p->work, p->worker);
    }
}

static int timeout_of(const struct loop *l)
{
    const struct ui_panes *p = l->p;

    if (is_holding(p))
        return QUICK_MS;
    if (ui_decoder_is_waiting(&p->decoder))
        return ESCAPE_MS;
    /* The time that is left goes on while a step of the work takes long. */
    return p->work.is_busy && p->work.kind != UI_JOB_PLOT ? BUSY_MS : -1;
}

/* Keys from a file come one at a time, each after the work of the one before. */
static bool drive(struct loop *l)
{
    struct ui_panes *p = l->p;

    if (!l->driver || l->is_driven_out)
        return false;
    ui_worker_status(&p->work, p->worker);
    if (p->work.is_busy && ui_driver_waits(l->driver))
        return false;
    collect(p);
    take_strays(p);
    if (!ui_driver_step(l->driver, p)) {
        l->is_driven_out = true;
        p->is_over = true;
    }
    return true;
}

static void turn(struct loop *l)
{
    struct ui_panes *p = l->p;
    bool has_terminal = ui_terminal_is_real();
    struct pollfd fds[] = {
        {.fd = wake_ends[0], .events = POLLIN},
        {.fd = ui_terminal_stray_fd(), .events = POLLIN},
        {.fd = ui_edit_fd(), .events = POLLIN},
        {.fd = has_terminal && ui_decoder_room(&p->decoder) ? STDIN_FILENO : -1,
         .events = POLLIN},
    };

    bool is_driven = drive(l);
    if (p->is_over)
        return;
    if (!is_driven) {
        if (p->is_dirty)
            ui_draw(p);
        if (poll(fds, 4, timeout_of(l)) < 0 && errno != EINTR) {
            p->is_over = true;
            return;
        }
    }
    if (fds[0].revents & POLLIN)
        drain(wake_ends[0]);
    take_signals(p);
    collect(p);
    if (fds[1].revents & POLLIN)
        take_strays(p);
    if ((fds[3].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) && !take_input(l)) {
        p->status_signal = SIGHUP;
        p->is_over = true;
        return;
    }
    take_keys(l);
    ui_edit_drain();
}

static void list_text(void *ctx, const char *text, size_t n)
{
    struct ui_panes *p = ctx;

    ui_log_add(&p->log, UI_LOG_TEXT, text, n);
    p->is_reading = true;
}

static bool open_wake(void)
{
    if (pipe2(wake_ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    ui_signals_wake(wake_ends[1]);
    return true;
}

static void close_wake(void)
{
    ui_signals_wake(0);
    close(wake_ends[0]);
    close(wake_ends[1]);
    wake_ends[0] = wake_ends[1] = -1;
}

static void free_panes(struct ui_panes *p)
{
    ui_snapshot_free(p->now);
    ui_log_free(&p->log);
    ui_table_free(&p->table);
    ui_decoder_free(&p->decoder);
    ui_plot_unref(p->plot);
    ui_plot_unref(p->picture.plot);
    lr_free(p->picture.text);
}

int ui_panes_run(struct cmd_ctx *c, const struct ui_panes_options *o)
{
    struct ui_panes p = {
        .last_pane = UI_IN_TABLE, .n_colors = -1, .swept = -1, .table = {.sort = -1}};
    struct loop l = {.p = &p};
    struct ui_terminal_options screen = {o->width, o->height};

    p.is_ascii = o->is_ascii;
    if (o->keys && !(l.driver = ui_driver_open(o->keys)))
        return UI_FAILED;
    if (!open_wake())
        return -1;
    if (!ui_terminal_open(&screen)) {
        close_wake();
        return -1;
    }
    ui_styles_set(0);
    ui_catch_suspend(ui_terminal_is_real());
    bool is_ok = ui_edit_begin(list_text, &p);
    if (is_ok)
        ui_edit_resize(LINES, COLS);
    p.worker = is_ok ? ui_worker_start(c, o->start, o->options, wake_ends[1]) : NULL;
    ui_draw(&p);
    while (p.worker && !p.is_over)
        turn(&l);
    bool is_ended = true;
    if (p.worker) {
        /* What the worker prints must not fill the pipe while it is waited for. */
        is_ended = false;
        for (int i = 0; i < 30 && !is_ended; i++) {
            is_ended = ui_worker_end(p.worker, 0.1);
            if (!is_ended)
                drain(ui_terminal_stray_fd());
        }
    }
    ui_edit_end();
    ui_terminal_close();
    ui_catch_suspend(false);
    if (!is_ended) {
        /* The thread may still use everything: nothing is released. */
        static const char text[] = "ranklab: left while working; temporary files may be "
                                   "left behind\n";
        ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)n;
        _exit(p.status_signal ? 128 + p.status_signal : UI_INTERRUPTED);
    }
    close_wake();
    ui_driver_close(l.driver);
    free_panes(&p);
    if (!p.worker)
        return UI_INTERNAL;
    return p.status_signal ? 128 + p.status_signal : UI_OK;
}
