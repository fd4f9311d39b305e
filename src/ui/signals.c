/* Signals. Handlers only note what came; the prompt and the progress callback act on it.
 * Work that ignores ^C for two seconds is left by a second ^C: the terminal is restored,
 * but nothing is tidied up, and the user is told so. */
#include "ui/ui.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The interrupt flag. Everything here is written by handlers. */
static struct {
    volatile sig_atomic_t signal, is_resized, is_suspended;
    volatile sig_atomic_t second; /* of the monotonic clock, when ^C came */
    volatile sig_atomic_t is_guarded;
    struct termios terminal;       /* written before is_guarded is set */
    volatile sig_atomic_t wake_fd; /* gets a byte with every signal; 0: none */
    /* of the panes; written before is_screen is set */
    volatile sig_atomic_t is_screen, screen_fd;
    char leave_text[256];
    size_t n_leave;
    char place[2][600]; /* where the session is recorded; one is shown */
    volatile sig_atomic_t which_place;
} flag;

static long monotonic_second(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)(t.tv_sec & 0x3fffffff);
}

static void put(int fd, const char *text, size_t n)
{
    ssize_t k = write(fd, text, n);
    (void)k;
}

static void wake(void)
{
    if (flag.wake_fd > 0)
        put((int)flag.wake_fd, "s", 1);
}

static void restore_terminal(void)
{
    if (flag.is_screen) {
        const char *place = flag.place[flag.which_place];
        flag.is_screen = 0;
        put((int)flag.screen_fd, flag.leave_text, flag.n_leave);
        if (*place) {
            static const char text[] = "\r\nranklab: the session is kept in ";
            put((int)flag.screen_fd, text, sizeof(text) - 1);
            put((int)flag.screen_fd, place, strlen(place));
        }
        put((int)flag.screen_fd, "\r\n", 2);
    }
    if (flag.is_guarded)
        tcsetattr(STDIN_FILENO, TCSANOW, &flag.terminal);
}

/* From a handler: nothing that allocates or locks. */
static void leave(int status)
{
    static const char text[] =
        "\nranklab: left while working; temporary files may be left behind\n";

    restore_terminal();
    ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)n;
    _exit(status);
}

static void on_stop(int number)
{
    int saved = errno;

    if (flag.signal && number == SIGINT && flag.signal == SIGINT) {
        if (monotonic_second() - flag.second >= 2) {
            leave(UI_INTERRUPTED);
        }
    } else if (flag.signal && flag.signal != SIGINT) {
        /* Asked to end twice: work does not answer. */
        leave(128 + number);
    } else {
        flag.signal = number;
        flag.second = (sig_atomic_t)monotonic_second();
    }
    wake();
    errno = saved;
}

static void on_resize(int number)
{
    int saved = errno;

    (void)number;
    flag.is_resized = 1;
    wake();
    errno = saved;
}

static void on_suspend(int number)
{
    int saved = errno;

    (void)number;
    flag.is_suspended = 1;
    wake();
    errno = saved;
}

/* Only calls that are safe here; then the default action, so that cores and sanitizers
 * see the signal. */
static void on_crash(int number)
{
    restore_terminal();
    signal(number, SIG_DFL);
    raise(number);
}

bool ui_signals_stack(void *memory)
{
    stack_t s = {.ss_sp = memory, .ss_size = UI_SIGNAL_STACK}, old;

    if (!memory)
        s = (stack_t){.ss_flags = SS_DISABLE};
    else if (sigaltstack(NULL, &old) != 0 || !(old.ss_flags & SS_DISABLE))
        return false; /* a sanitizer's, which releases it itself */
    return sigaltstack(&s, NULL) == 0;
}

void ui_signals_install(void)
{
    static _Alignas(64) char stack[UI_SIGNAL_STACK];

    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction a = {0}, old;

    ui_signals_stack(stack);
    sigemptyset(&a.sa_mask);
    a.sa_handler = on_stop;
    for (size_t i = 0; i < 3; i++)
        /* nohup and shells' background jobs leave them ignored; so do we. */
        if (sigaction(stops[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(stops[i], &a, NULL);
    a.sa_handler = on_resize;
    a.sa_flags = SA_RESTART; /* a script that is being read goes on */
    sigaction(SIGWINCH, &a, NULL);
    a.sa_handler = on_crash;
    a.sa_flags = (int)SA_RESETHAND | SA_ONSTACK;
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
        if (sigaction(crashes[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(crashes[i], &a, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write that fails says so */
}

int ui_signal_pending(void)
{
    return flag.signal;
}

void ui_signal_clear(void)
{
    if (flag.signal == SIGINT)
        flag.signal = 0;
}

bool ui_signal_resized(void)
{
    bool was = flag.is_resized;

    flag.is_resized = 0;
    return was;
}

bool ui_signal_suspended(void)
{
    bool was = flag.is_suspended;

    flag.is_suspended = 0;
    return was;
}

void ui_catch_suspend(bool on)
{
    struct sigaction a = {0};

    sigemptyset(&a.sa_mask);
    a.sa_handler = on ? on_suspend : SIG_DFL;
    sigaction(SIGTSTP, &a, NULL);
}

void ui_signals_block(sigset_t *during_wait)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGWINCH);
    sigaddset(&mask, SIGTSTP);
    sigprocmask(SIG_BLOCK, &mask, during_wait);
    sigdelset(during_wait, SIGINT);
    sigdelset(during_wait, SIGTERM);
    sigdelset(during_wait, SIGHUP);
    sigdelset(during_wait, SIGWINCH);
    sigdelset(during_wait, SIGTSTP);
}

void ui_guard_terminal(bool on)
{
    flag.is_guarded = 0;
    if (on && tcgetattr(STDIN_FILENO, &flag.terminal) == 0)
        flag.is_guarded = 1;
}

void ui_signals_wake(int fd)
{
    flag.wake_fd = fd > 0 ? fd : 0;
}

void ui_guard_screen(int fd, const char *leave_text)
{
    flag.is_screen = 0;
    if (!leave_text)
        return;
    flag.n_leave = strlen(leave_text);
    if (flag.n_leave > sizeof(flag.leave_text))
        flag.n_leave = sizeof(flag.leave_text);
    memcpy(flag.leave_text, leave_text, flag.n_leave);
    flag.screen_fd = fd;
    flag.is_screen = 1;
}

void ui_guard_place(const char *path)
{
    int other = !flag.which_place;

    strncpy(flag.place[other], path ? path : "", sizeof(flag.place[other]) - 1);
    flag.which_place = other;
}
