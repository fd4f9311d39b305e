/* The terminal: modes on the way in and out, ^Z, the size, and the standard streams,
 * which go into a pipe while the panes are up, so that nothing a library prints hurts
 * the screen. The same without a terminal, for tests: a screen that nobody sees. */
#include "ui/panes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

static struct {
    FILE *in, *out;
    int saved_out, saved_err, ends[2];
    bool is_real, has_mouse;
    SCREEN *screen;
} terminal = {.saved_out = -1, .saved_err = -1, .ends = {-1, -1}};

static const char paste_on[] = "\033[?2004h", paste_off[] = "\033[?2004l";
static const char mouse_on[] = "\033[?1000h\033[?1006h";
static const char mouse_off[] = "\033[?1006l\033[?1000l";

static void send(const char *text)
{
    if (!terminal.is_real)
        return;
    fflush(terminal.out);
    ssize_t n = write(fileno(terminal.out), text, strlen(text));
    (void)n;
}

/* What a crash sends: everything that was switched on goes off. */
static void guard(void)
{
    const char *leave = tigetstr("rmcup"), *cursor = tigetstr("cnorm"),
               *plain = tigetstr("sgr0"), *keypad_off = tigetstr("rmkx");
    char text[256] = "";

    const char *const parts[] = {paste_off, mouse_off, plain, cursor, keypad_off, leave};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i] && parts[i] != (char *)-1 &&
            strlen(text) + strlen(parts[i]) < sizeof(text))
            strncat(text, parts[i], sizeof(text) - strlen(text) - 1);
    ui_guard_screen(fileno(terminal.out), text);
}

static int move_high(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static bool capture_streams(void)
{
    fflush(stdout);
    fflush(stderr);
    if (pipe2(terminal.ends, O_CLOEXEC) != 0)
        return false;
    fcntl(terminal.ends[0], F_SETFL, O_NONBLOCK);
    terminal.saved_out = move_high(STDOUT_FILENO);
    terminal.saved_err = move_high(STDERR_FILENO);
    if (terminal.saved_out < 0 || terminal.saved_err < 0)
        return false;
    dup2(terminal.ends[1], STDOUT_FILENO);
    dup2(terminal.ends[1], STDERR_FILENO);
    close(terminal.ends[1]);
    terminal.ends[1] = -1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    return true;
}

static void release_streams(void)
{
    char buf[4096];
    ssize_t n;

    fflush(stdout);
    fflush(stderr);
    if (terminal.saved_out >= 0) {
        dup2(terminal.saved_out, STDOUT_FILENO);
        close(terminal.saved_out);
    }
    if (terminal.saved_err >= 0) {
        dup2(terminal.saved_err, STDERR_FILENO);
        close(terminal.saved_err);
    }
    terminal.saved_out = terminal.saved_err = -1;
    if (terminal.ends[0] < 0)
        return;
    /* What came last is not lost. */
    while ((n = read(terminal.ends[0], buf, sizeof(buf))) > 0)
        if (write(STDERR_FILENO, buf, (size_t)n) < 0)
            break;
    close(terminal.ends[0]);
    terminal.ends[0] = -1;
}

static void set_modes(void)
{
    cbreak();
    noecho();
    nonl();
    intrflush(stdscr, FALSE);
    typeahead(-1);
    keypad(stdscr, FALSE);
    leaveok(stdscr, FALSE);
    scrollok(stdscr, FALSE);
}

static bool open_real(void)
{
    struct winsize size;
    const char *rows = getenv("LINES"), *cols = getenv("COLUMNS");

    /* ncurses believes these; a size that was exported long ago is wrong. */
    if (rows || cols) {
        unsetenv("LINES");
        unsetenv("COLUMNS");
    }
    terminal.is_real = true;
    int fd = move_high(STDOUT_FILENO);
    terminal.out = fd >= 0 ? fdopen(fd, "w") : NULL;
    terminal.in = stdin;
    if (!terminal.out || ioctl(fd, TIOCGWINSZ, &size) != 0)
        return false;
    ui_guard_terminal(true);
    terminal.screen = newterm(NULL, terminal.out, terminal.in);
    return terminal.screen != NULL;
}

static bool open_unseen(const struct ui_terminal_options *o)
{
    static const char *const types[] = {NULL, "xterm-256color", "xterm", "vt100", "dumb"};
    char number[16];

    snprintf(number, sizeof(number), "%d", o->height);
    setenv("LINES", number, 1);
    snprintf(number, sizeof(number), "%d", o->width);
    setenv("COLUMNS", number, 1);
    terminal.in = fopen("/dev/null", "re");
    terminal.out = fopen("/dev/null", "we");
    if (!terminal.in || !terminal.out)
        return false;
    const char *type = getenv("TERM");
    bool is_usable = type && *type && strcmp(type, "dumb") != 0;
    for (size_t i = is_usable ? 0 : 1; i < 5 && !terminal.screen; i++)
        terminal.screen = newterm((char *)(void *)types[i], terminal.out, terminal.in);
    unsetenv("LINES");
    unsetenv("COLUMNS");
    if (terminal.screen)
        resizeterm(o->height, o->width);
    return terminal.screen != NULL;
}

bool ui_terminal_open(const struct ui_terminal_options *o)
{
    bool is_ok = o->width > 0 ? open_unseen(o) : open_real();

    if (!is_ok) {
        ui_guard_terminal(false);
        if (terminal.out)
            fclose(terminal.out);
        terminal.out = NULL;
        return false;
    }
    set_modes();
    if (has_colors()) {
        start_color();
        use_default_colors();
    }
    if (terminal.is_real)
        guard();
    send(paste_on);
    if (!capture_streams()) {
        ui_terminal_close();
        return false;
    }
    return true;
}

void ui_terminal_close(void)
{
    if (terminal.has_mouse)
        send(mouse_off);
    send(paste_off);
    if (terminal.screen) {
        endwin();
        delscreen(terminal.screen);
    }
    ui_guard_screen(0, NULL);
    ui_guard_terminal(false);
    release_streams();
    if (terminal.out)
        fclose(terminal.out);
    if (terminal.in && terminal.in != stdin)
        fclose(terminal.in);
    terminal.screen = NULL;
    terminal.in = terminal.out = NULL;
    terminal.has_mouse = false;
}

int ui_terminal_stray_fd(void)
{
    return terminal.ends[0];
}

bool ui_terminal_is_real(void)
{
    return terminal.is_real;
}

void ui_terminal_mouse(bool on)
{
    terminal.has_mouse = on;
    send(on ? mouse_on : mouse_off);
}

void ui_terminal_suspend(void)
{
    sigset_t mask, old;

    if (!terminal.is_real)
        return;
    if (terminal.has_mouse)
        send(mouse_off);
    send(paste_off);
    def_prog_mode();
    endwin();
    ui_guard_screen(0, NULL);
    ui_catch_suspend(false);
    kill(getpid(), SIGTSTP);
    sigemptyset(&mask);
    sigaddset(&mask, SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &mask, &old); /* stops here until SIGCONT */
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    ui_catch_suspend(true);
    reset_prog_mode();
    guard();
    send(paste_on);
    if (terminal.has_mouse)
        send(mouse_on);
    ui_terminal_resize();
    clearok(curscr, TRUE);
    refresh();
}

void ui_terminal_set_size(int width, int height)
{
    if (width < 1 || height < 1)
        return;
    resizeterm(height, width);
    ui_edit_resize(height, width);
}

void ui_terminal_resize(void)
{
    struct winsize size;

    if (terminal.is_real && ioctl(fileno(terminal.out), TIOCGWINSZ, &size) == 0)
        ui_terminal_set_size(size.ws_col, size.ws_row);
}

void ui_terminal_redraw(void)
{
    clearok(curscr, TRUE);
}
