/* Running another program. posix_spawn, because a process with threads and much memory
 * should not fork when it can be avoided. The program gets a clean environment (no
 * settings of gnuplot's own, a UTF-8 locale with a decimal point), default signals (a
 * worker thread blocks all of them) and no terminal. Its end is awaited without reaping
 * first, so that the process group's number cannot have been reused when the rest of the
 * group is killed. */
#include "spawn.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { MAX_OUTPUT = 16 << 20, MAX_MESSAGES = 16384, SLICE_MS = 20 };
/* Descriptors of a program that is left running. */
enum { SCRIPT_FD = 3, ALIVE_FD = 4 };

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- environment ---- */

static bool is_dropped(const char *entry, bool has_display)
{
    static const char *const dropped[] = {
        "GNUTERM=", "GNUPLOT_LIB=", "GNUPLOT_FONTPATH=", "FIT_",
        "LC_",      "LANG=",        "LANGUAGE=",         "PAGER="};
    static const char *const displays[] = {"DISPLAY=", "WAYLAND_DISPLAY="};

    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
        if (strncmp(entry, dropped[i], strlen(dropped[i])) == 0)
            return true;
    for (size_t i = 0; !has_display && i < 2; i++)
        if (strncmp(entry, displays[i], strlen(displays[i])) == 0)
            return true;
    return false;
}

/* The strings stay the process's own; lr_free the array. */
static char **make_environment(bool has_display)
{
    static char locale[] = "LC_ALL=C.UTF-8";
    size_t n = 0, k = 0;

    while (environ && environ[n])
        n++;
    char **env = lr_alloc(n + 2, sizeof(*env));
    if (!env)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!is_dropped(environ[i], has_display))
            env[k++] = environ[i];
    env[k++] = locale;
    env[k] = NULL;
    return env;
}

/* ---- messages ---- */

/* gnuplot's complaint stands in the line that names the script's line, below a copy of
 * the command; other programs put it first. */
static void first_message(char *out, size_t size, const char *text)
{
    const char *best = text;

    while (*best == '\n' || *best == ' ' || *best == '\t' || *best == '^')
        best++;
    for (const char *p = text; (p = strstr(p, "line ")); p++) {
        char *end;
        strtol(p + 5, &end, 10);
        if (end == p + 5 || *end != ':')
            continue;
        best = p;
        break;
    }
    size_t n = strcspn(best, "\n");
    snprintf(out, size, "%.*s", (int)(n < 200 ? n : 200), n ? best : "no message");
}

static enum lr_status report(const char *program, const siginfo_t *info,
                             const char *messages, struct lr_err *e)
{
    char text[256];

    first_message(text, sizeof(text), messages);
    /* Unknown where the process ignores SIGCHLD: the result itself must tell then. */
    if (info->si_pid == 0 || (info->si_code == CLD_EXITED && info->si_status == 0))
        return LR_OK;
    if (info->si_code == CLD_EXITED && info->si_status == 127 && !*messages)
        return lr_err_set(e, LR_EBACKEND, "%s cannot be started", program);
    if (info->si_code == CLD_EXITED)
        return lr_err_set(e, LR_EBACKEND, "%s failed: %s", program, text);
    return lr_err_set(e, LR_EBACKEND, "%s was killed by signal %d", program,
                      info->si_status);
}

/* Debian's, where it has another name than the program; NULL: it has not. */
static const char *package_of(const char *program)
{
    return strcmp(program, "node") == 0 ? "nodejs" : NULL;
}

static enum lr_status start_error(const char *program, int err, struct lr_err *e)
{
    const char *package = package_of(program);
    char buf[128];

    if (err == ENOENT)
        return lr_err_set(e, LR_EBACKEND, "%s is not installed (not found in PATH)%s%s",
                          program, package ? "; it is in the package " : "",
                          package ? package : "");
    return lr_err_set(e, LR_EBACKEND, "%s cannot be started: %s", program,
                      strerror_r(err, buf, sizeof(buf)));
}

/* ---- start ---- */

static int spawn(pid_t *pid, const char *const argv[], const char *dir, int out, int err)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    char **env = make_environment(false);
    bool has_files = false, has_attr = false;
    int rc = ENOMEM;

    if (!env || posix_spawn_file_actions_init(&files) != 0)
        goto out;
    has_files = true;
    if (posix_spawnattr_init(&attr) != 0)
        goto out;
    has_attr = true;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    rc = posix_spawnattr_setflags(&attr, flags);
    if (rc == 0)
        rc = posix_spawnattr_setpgroup(&attr, 0);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(&attr, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(&attr, &all);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&files, out, 1);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&files, err, 2);
    if (rc == 0)
        rc = posix_spawn_file_actions_addchdir_np(&files, dir);
    if (rc == 0)
        rc = posix_spawnp(pid, argv[0], &files, &attr, (char *const *)(uintptr_t)argv,
                          env);
out:
    if (has_attr)
        posix_spawnattr_destroy(&attr);
    if (has_files)
        posix_spawn_file_actions_destroy(&files);
    lr_free(env);
    return rc;
}

/* A pipe whose ends are lowest or more, so that dup2 in the child cannot mix them up with
 * their targets; the reading end does not block. */
static int make_pipe(int ends[2], int lowest)
{
    int raw[2], err = 0;

    ends[0] = ends[1] = -1;
    if (pipe2(raw, O_CLOEXEC) != 0)
        return errno;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(raw[i], F_DUPFD_CLOEXEC, lowest);
        if (ends[i] < 0)
            err = errno;
        close(raw[i]);
    }
    if (!err && fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        err = errno;
    return err;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- run ---- */

/* Takes what is there; closes *fd at its end. Beyond max bytes are read and dropped. */
static void drain(int *fd, struct lr_strbuf *b, size_t max)
{
    char chunk[4096];

    while (*fd >= 0) {
        ssize_t n = read(*fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_end(fd);
            return;
        }
        size_t room = b && b->len < max ? max - b->len : 0;
        if (room)
            lr_strbuf_add(b, chunk, (size_t)n < room ? (size_t)n : room);
    }
}

/* Whether the child has ended; it is not reaped. */
static bool has_ended(pid_t pid, siginfo_t *info)
{
    info->si_pid = 0;
    return waitid(P_PID, (id_t)pid, info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info->si_pid == pid;
}

enum ending { ENDED, LATE, STOPPED };

static enum ending wait_for(pid_t pid, siginfo_t *info, int *out_fd, int *err_fd,
                            struct lr_strbuf *out, struct lr_strbuf *messages,
                            int64_t deadline, const char *doing,
                            const struct lr_progress *progress)
{
    while (!has_ended(pid, info)) {
        struct pollfd fds[2] = {{*out_fd, POLLIN, 0}, {*err_fd, POLLIN, 0}};
        if (lr_progress_tick(progress, 0, doing, NULL) != LR_OK)
            return STOPPED;
        if (now_ms() >= deadline)
            return LATE;
        poll(fds, 2, SLICE_MS);
        drain(out_fd, out, MAX_OUTPUT);
        drain(err_fd, messages, MAX_MESSAGES);
    }
    drain(out_fd, out, MAX_OUTPUT);
    drain(err_fd, messages, MAX_MESSAGES);
    return ENDED;
}

enum lr_status out_spawn(struct lr_strbuf *out, const struct out_program *p,
                         const struct lr_progress *progress, struct lr_err *e)
{
    const char *name = p->argv[0];
    char waiting[64];
    int out_pipe[2] = {-1, -1}, err_pipe[2] = {-1, -1};
    struct lr_strbuf messages = {0};
    siginfo_t info = {0};
    enum lr_status st = LR_OK;
    enum ending ending;
    pid_t pid = -1;

    snprintf(waiting, sizeof(waiting), "waiting for %s", name);
    int rc = make_pipe(out_pipe, 3);
    if (rc == 0)
        rc = make_pipe(err_pipe, 3);
    if (rc == 0)
        rc = spawn(&pid, p->argv, p->dir, out_pipe[1], err_pipe[1]);
    close_end(&out_pipe[1]);
    close_end(&err_pipe[1]);
    if (rc != 0) {
        st = start_error(name, rc, e);
        goto out;
    }
    ending = wait_for(pid, &info, &out_pipe[0], &err_pipe[0], out, &messages,
                      now_ms() + p->timeout_ms, p->doing ? p->doing : waiting, progress);
    kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    lr_strbuf_add(&messages, "", 0);
    if (ending == STOPPED)
        st = lr_err_set(e, LR_EINTR, "interrupted");
    else if (ending == LATE)
        st = lr_err_set(e, LR_EBACKEND, "%s took over %g s and was stopped", name,
                        p->timeout_ms / 1000.0);
    else if (messages.is_failed || (out && out->is_failed))
        st = lr_enomem(e, MAX_MESSAGES, "what a program printed");
    else
        st = report(name, &info, messages.s, e);
out:
    close_end(&out_pipe[0]);
    close_end(&err_pipe[0]);
    lr_strbuf_free(&messages);
    return st;
}

/* ---- leave running ---- */

/* In the child; only async-signal-safe calls (execvpe of the C library included: it
 * neither allocates nor locks). The grandchild belongs to nobody, so nobody must reap it.
 */
static void start_detached(const char *const argv[], char **env, int in, int script,
                           int errors, int status, int alive)
{
    sigset_t none;

    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    pid_t pid = fork();
    if (pid > 0)
        _exit(0);
    if (pid == 0 && dup2(in, 0) == 0 && dup2(errors, 1) == 1 && dup2(errors, 2) == 2 &&
        dup2(script, SCRIPT_FD) == SCRIPT_FD && dup2(alive, ALIVE_FD) == ALIVE_FD &&
        chdir("/") == 0)
        execvpe(argv[0], (char *const *)(uintptr_t)argv, env);
    int err = errno;
    ssize_t n = write(status, &err, sizeof(err));
    _exit(n == sizeof(err) ? 127 : 126);
}

/* dup2 clears the close-on-exec mark only when it really copies, so every descriptor is
 * moved out of its way first. */
static int open_high(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        return -1;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    int err = errno;
    close(fd);
    errno = err;
    return high;
}

/* Waits until the program runs: the pipe closes then. An error that kept it from starting
 * is returned. */
static int read_start(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    int err = 0, value;

    for (;;) {
        ssize_t n = read(fd, &value, sizeof(value));
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            poll(&p, 1, SLICE_MS);
        else if (n == sizeof(value))
            err = value;
        else
            return err;
    }
}

/* Not our child, so its end is seen by the other end of a pipe that only it holds. */
static bool ends_within(int fd, int timeout_ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    int64_t end = now_ms() + timeout_ms;

    for (int64_t left = timeout_ms; left > 0; left = end - now_ms())
        if (poll(&p, 1, (int)left) > 0)
            return true;
    return false;
}

enum lr_status out_spawn_detached(const char *const argv[], const char *input,
                                  const char *errors, int timeout_ms, struct lr_err *e)
{
    char message[256] = "", text[1024];
    int in = -1, script = -1, log = -1, rc = 0;
    int started[2] = {-1, -1}, alive[2] = {-1, -1};
    char **env = make_environment(true);
    pid_t pid = -1;

    if (!env) {
        rc = ENOMEM;
        goto out;
    }
    in = open_high("/dev/null", O_RDONLY);
    script = open_high(input, O_RDONLY);
    log = open_high(errors, O_RDWR | O_CREAT);
    if (in < 0 || script < 0 || log < 0)
        rc = errno;
    if (rc == 0)
        rc = make_pipe(started, 10);
    if (rc == 0)
        rc = make_pipe(alive, 10);
    if (rc != 0)
        goto out;
    pid = fork();
    if (pid == 0)
        start_detached(argv, env, in, script, log, started[1], alive[1]);
    rc = pid < 0 ? errno : 0;
    close_end(&started[1]);
    close_end(&alive[1]);
    if (rc == 0)
        rc = read_start(started[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (rc == 0 && ends_within(alive[0], timeout_ms)) {
        ssize_t n = pread(log, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        first_message(message, sizeof(message), text);
    }
out:
    close_end(&in);
    close_end(&script);
    close_end(&log);
    close_end(&started[0]);
    close_end(&started[1]);
    close_end(&alive[0]);
    close_end(&alive[1]);
    lr_free(env);
    if (rc != 0)
        return start_error(argv[0], rc, e);
    if (*message)
        return lr_err_set(e, LR_EBACKEND, "%s opened no window: %s", argv[0], message);
    return LR_OK;
}
