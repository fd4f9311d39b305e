/* Start and end of the program: files of the user, the network and the actions of the
 * command line, then the prompt or the standard input, and the exit status. */
#include "ui/ui.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ranklab/la.h"

/* A closed standard stream is opened on /dev/null in the wrong direction: its use then
 * fails instead of hitting the next file that is opened. */
static bool open_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

/* The automatic record of the session: DATE-PID.rl in the state folder, which the first
 * recorded command makes. */
static char *session_path(void)
{
    char *dir = lr_xdg_dir("state", false), date[32] = "";
    struct lr_strbuf b = {0};
    time_t t = time(NULL);
    struct tm tm;

    if (!dir)
        return NULL;
    if (localtime_r(&t, &tm))
        strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm);
    lr_strbuf_printf(&b, "%s/sessions/%s-%ld.rl", dir, date, (long)getpid());
    lr_free(dir);
    return lr_strbuf_take(&b);
}

static bool is_ascii(const struct ui_options *o)
{
    return o->settings.is_ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

static bool apply_options(struct cmd_ctx *c, const struct ui_options *o)
{
    struct cmd_error e = {0};
    int64_t n;

    c->settings = o->settings;
    c->settings.is_ascii = is_ascii(o);
    if (o->seed && cmd_setting_set(c, "seed", o->seed, &e)) {
        fprintf(stderr, "ranklab: --seed: %s\n", e.err.msg);
        return false;
    }
    c->first_seed = c->session->settings.seed;
    if (o->threads && cmd_parse_int(&n, o->threads))
        c->session->settings.threads = (int)n;
    lr_la_set_threads(c->session->settings.threads);
    c->first_threads = lr_la_threads();
    return true;
}

static void run_init(struct cmd_ctx *c)
{
    char *dir = lr_xdg_dir("config", false);
    struct lr_strbuf b = {0};
    struct cmd_error e = {0};

    if (!dir)
        return;
    lr_strbuf_printf(&b, "%s/init.rl", dir);
    lr_free(dir);
    if (b.s && access(b.s, F_OK) == 0 && cmd_run_file(c, b.s, false, &e) &&
        !e.is_reported) {
        fprintf(stderr, "ranklab: %s\n", e.err.msg);
        c->n_failed++;
    }
    lr_strbuf_free(&b);
}

static enum lr_status run_open(struct cmd_ctx *c, const char *model)
{
    const struct cmd_origin origin = {.name = "ranklab", .line = 1, .is_internal = true};
    struct lr_strbuf b = {0};
    enum lr_status st = LR_ENOMEM;

    lr_strbuf_puts(&b, "open -- ");
    cmd_quote(&b, model);
    if (b.s && !b.is_failed)
        st = cmd_run_text(c, b.s, &origin);
    lr_strbuf_free(&b);
    return st;
}

static enum lr_status run_stdin(struct cmd_ctx *c)
{
    const struct cmd_origin origin = {.name = "stdin"};

    return cmd_run_stream(c, stdin, &origin);
}

static enum lr_status run_action(struct cmd_ctx *c, const struct ui_action *a)
{
    const struct cmd_origin command = {.name = "-e", .line = 1};
    struct cmd_error e = {0};

    if (a->kind == UI_RUN_COMMAND)
        return cmd_run_text(c, a->text, &command);
    if (strcmp(a->text, "-") == 0)
        return run_stdin(c);
    enum lr_status st = cmd_run_file(c, a->text, false, &e);
    if (st && !e.is_reported) {
        fprintf(stderr, "ranklab: %s\n", e.err.msg);
        c->n_failed++;
    }
    return st;
}

static bool stays_open(const struct ui_options *o)
{
    return !o->is_batch && (o->n_actions == 0 || o->is_interactive);
}

/* What the command line asks for. */
static enum lr_status run_actions(struct cmd_ctx *c, const struct ui_options *o,
                                  bool is_terminal)
{
    bool stays = stays_open(o);
    enum lr_status st = LR_OK;

    if (stays && is_terminal && !o->settings.is_quiet && o->n_actions == 0)
        cmd_say(c, "ranklab %s; help lists the commands, Tab completes, ^D leaves",
                PACKAGE_VERSION);
    if (!o->has_no_init)
        run_init(c);
    if (o->model)
        st = run_open(c, o->model);
    else if (stays && is_terminal && o->n_actions == 0)
        run_open(c, "@fashion");
    for (size_t i = 0; i < o->n_actions && !c->wants_quit; i++) {
        if (st && !o->settings.is_keep_going)
            break;
        enum lr_status now = run_action(c, &o->actions[i]);
        st = st ? st : now;
    }
    return st;
}

/* The same as the first work of the panes. */
static void start_panes(struct cmd_ctx *c, const void *options)
{
    const struct ui_options *o = options;

    if (apply_options(c, o))
        run_actions(c, o, true);
    c->n_failed = 0;
}

static bool wants_panes(const struct ui_options *o)
{
    const char *term = getenv("TERM");

    if (!stays_open(o) || o->is_plain)
        return false;
    if (o->width)
        return true;
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
           strcmp(term, "dumb") != 0;
}

/* Runs what the command line asks for, then the prompt or the standard input. */
static void run_all(struct cmd_ctx *c, struct ui_screen *s, const struct ui_options *o)
{
    bool is_terminal = isatty(STDIN_FILENO);
    bool stays = stays_open(o);
    enum lr_status st = run_actions(c, o, is_terminal);

    ui_screen_flush(s);
    if (!stays || c->wants_quit || (ui_signal_pending() && ui_signal_pending() != SIGINT))
        return;
    if (!is_terminal) {
        if (!st || o->settings.is_keep_going)
            run_stdin(c);
        return;
    }
    /* At the prompt failures are seen and do not count. */
    int n_failed = c->n_failed;
    ui_signal_clear();
    c->was_interrupted = false;
    ui_prompt(c, s);
    c->n_failed = n_failed;
}

/* -1: there is no terminal for panes. */
static int run_panes(struct cmd_ctx *c, const struct ui_options *o)
{
    struct ui_panes_options p = {.width = o->width,
                                 .height = o->height,
                                 .keys = o->keys,
                                 .is_ascii = is_ascii(o),
                                 .start = start_panes,
                                 .options = o};
    int status = ui_panes_run(c, &p);

    if (status > 128 && c->auto_record.is_open)
        fprintf(stderr, "ranklab: the session is kept in %s\n", c->auto_record.path);
    return status;
}

static int exit_status(const struct cmd_ctx *c, struct ui_screen *s)
{
    int number = ui_signal_pending();

    ui_screen_flush(s);
    if (number && number != SIGINT) {
        if (c->auto_record.is_open)
            fprintf(stderr, "ranklab: the session is kept in %s\n", c->auto_record.path);
        return 128 + number;
    }
    if (s->is_out_closed)
        return 128 + SIGPIPE;
    if (s->out_error) {
        fprintf(stderr, "ranklab: standard output: %s\n", strerror(s->out_error));
        return UI_FAILED;
    }
    if (number == SIGINT || c->was_interrupted)
        return UI_INTERRUPTED;
    return c->n_failed ? UI_FAILED : UI_OK;
}

static int finish_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return UI_OK;
    if (errno == EPIPE)
        return 128 + SIGPIPE;
    fprintf(stderr, "ranklab: standard output: %s\n", strerror(errno));
    return UI_FAILED;
}

int ui_main(int argc, char **argv)
{
    struct lr_session session;
    struct ui_screen screen;
    struct ui_options options;
    struct cmd_ctx c;
    int status = UI_USAGE;

    if (!open_streams())
        return UI_INTERNAL;
    setlocale(LC_CTYPE, "");
    ui_signals_install();
    if (!ui_options_parse(&options, argc, argv))
        goto out;
    if (options.wants_help || options.wants_version) {
        if (options.wants_help)
            ui_print_help();
        else
            ui_print_version();
        status = finish_stdout();
        goto out;
    }
    lr_session_init(&session);
    session.settings.has_journal = true;
    session.settings.resume = LR_RESUME_AUTO;
    ui_screen_init(&screen, &c.settings);
    struct cmd_sink sink = ui_screen_sink(&screen);
    cmd_init(&c, &session, &sink);
    c.auto_record.path = session_path();
    c.auto_record.is_absolute = true;
    status = wants_panes(&options) ? run_panes(&c, &options) : -1;
    if (status < 0) {
        status = UI_USAGE;
        if (apply_options(&c, &options)) {
            run_all(&c, &screen, &options);
            status = exit_status(&c, &screen);
        }
    }
    cmd_free(&c);
    lr_session_free(&session);
out:
    ui_options_free(&options);
    return status;
}
