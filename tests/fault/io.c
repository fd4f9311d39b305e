/* A library for LD_PRELOAD under which the disk fails: counts the calls that touch chosen
 * folders and lets one of them fail. What the C library writes for a stream does not pass
 * through write() as others see it, so streams that write into these folders are made of
 * callbacks that do. The environment says what shall happen:
 *   FAULT_UNDER  folders, by colons; calls on files below them count
 *   FAULT_AT     the call that fails, from 1; 0: none, they are only counted
 *   FAULT_HOW    an error (EIO ENOSPC EACCES), short (the first half is written),
 *                full (that, then ENOSPC for all that would need room), kill (SIGKILL in
 *                the middle of it)
 *   FAULT_UNTIL  once this file is there nothing fails any more
 *   FAULT_LOG    gets a line for each call that failed
 *   FAULT_IN     the program this is about (default ranklab) */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(type, name, ...)                                                            \
    static type (*next)(__VA_ARGS__);                                                    \
    if (!next)                                                                           \
    *(void **)&next = dlsym(RTLD_NEXT, #name)

enum { MAX_STREAMS = 64 };
static struct {
    FILE *fp;
    int fd;
} streams[MAX_STREAMS];
static atomic_long count;
static atomic_bool is_full;

static const char *setting(const char *name, const char *otherwise)
{
    const char *s = getenv(name);

    return s && *s ? s : otherwise;
}

static bool is_under(const char *path)
{
    char full[2 * PATH_MAX];

    if (path[0] != '/') {
        if (syscall(SYS_getcwd, full, (size_t)PATH_MAX) <= 0)
            return false;
        strcat(full, "/");
    } else {
        full[0] = '\0';
    }
    if (strlen(path) >= PATH_MAX)
        return false;
    strcat(full, path);
    for (const char *s = setting("FAULT_UNDER", ""); *s;) {
        size_t n = strcspn(s, ":");
        if (n && strncmp(full, s, n) == 0 && (full[n] == '/' || full[n] == '\0'))
            return true;
        s += n + (s[n] == ':');
    }
    return false;
}

static bool is_fd_under(int fd)
{
    char name[64], path[PATH_MAX];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, path, sizeof(path) - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    return is_under(path);
}

static void note(const char *call, const char *path, long n)
{
    char line[2 * PATH_MAX];
    const char *log = getenv("FAULT_LOG");

    if (!log)
        return;
    int len = snprintf(line, sizeof(line), "%ld %s %s %s\n", n, call, path,
                       setting("FAULT_HOW", "EIO"));
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || syscall(SYS_write, fd, line, (size_t)len) != len)
        abort();
    syscall(SYS_close, fd);
}

enum fate { GOES, FAILS, HALF, DIES };

/* What becomes of this call; errno is set when it fails. */
static enum fate fate(const char *call, const char *path, bool needs_room)
{
    const char *how = setting("FAULT_HOW", "EIO");
    bool is_write = strstr(call, "write") != NULL;

    if (strcmp(program_invocation_short_name, setting("FAULT_IN", "ranklab")) != 0)
        return GOES;
    const char *until = getenv("FAULT_UNTIL");
    if (until && syscall(SYS_access, until, F_OK) == 0)
        return GOES;
    long n = ++count, at = atol(setting("FAULT_AT", "0"));
    if (is_full && needs_room) {
        errno = ENOSPC;
        return FAILS;
    }
    if (n != at)
        return GOES;
    note(call, path, n);
    if (strcmp(how, "kill") == 0)
        return DIES;
    if (strcmp(how, "short") == 0)
        return is_write ? HALF : GOES;
    if (strcmp(how, "full") == 0) {
        is_full = true;
        errno = ENOSPC;
        return is_write ? HALF : needs_room ? FAILS : GOES;
    }
    errno = strcmp(how, "ENOSPC") == 0   ? ENOSPC
            : strcmp(how, "EACCES") == 0 ? EACCES
                                         : EIO;
    return FAILS;
}

static bool fails(const char *call, const char *path, bool needs_room)
{
    enum fate f = is_under(path) ? fate(call, path, needs_room) : GOES;

    if (f == DIES)
        raise(SIGKILL);
    return f == FAILS;
}

static bool fails_fd(const char *call, int fd, bool needs_room)
{
    enum fate f = is_fd_under(fd) ? fate(call, "", needs_room) : GOES;

    if (f == DIES)
        raise(SIGKILL);
    return f == FAILS;
}

/* ---- descriptors ---- */

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
    if (fails(flags & O_CREAT ? "creat" : "open", path, flags & O_CREAT))
        return -1;
    return (int)syscall(SYS_openat, dir, path, flags, mode);
}

static mode_t mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int openat(int dir, const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return open_at(dir, path, flags, mode);
}
int openat64(int dir, const char *path, int flags, ...) __attribute__((alias("openat")));

int creat(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) __attribute__((alias("creat")));

ssize_t write(int fd, const void *data, size_t n)
{
    enum fate f = is_fd_under(fd) ? fate("write", "", true) : GOES;

    if (f == FAILS)
        return -1;
    if (f == HALF || f == DIES)
        n = n > 1 ? n / 2 : n;
    ssize_t got = syscall(SYS_write, fd, data, n);
    if (f == DIES)
        raise(SIGKILL);
    return got;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    if (fails_fd("pwrite", fd, true))
        return -1;
    return syscall(SYS_pwrite64, fd, data, n, at);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off_t at)
    __attribute__((alias("pwrite")));

ssize_t writev(int fd, const struct iovec *v, int n)
{
    if (fails_fd("writev", fd, true))
        return -1;
    return syscall(SYS_writev, fd, v, n);
}

ssize_t read(int fd, void *data, size_t n)
{
    if (fails_fd("read", fd, false))
        return -1;
    return syscall(SYS_read, fd, data, n);
}

ssize_t pread(int fd, void *data, size_t n, off_t at)
{
    if (fails_fd("pread", fd, false))
        return -1;
    return syscall(SYS_pread64, fd, data, n, at);
}
ssize_t pread64(int fd, void *data, size_t n, off_t at) __attribute__((alias("pread")));

int fallocate(int fd, int mode, off_t at, off_t n)
{
    if (fails_fd("fallocate", fd, true))
        return -1;
    return (int)syscall(SYS_fallocate, fd, mode, at, n);
}
int fallocate64(int fd, int mode, off_t at, off_t n) __attribute__((alias("fallocate")));

int fsync(int fd)
{
    return fails_fd("fsync", fd, true) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return fails_fd("fdatasync", fd, true) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t n)
{
    return fails_fd("ftruncate", fd, false) ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}
int ftruncate64(int fd, off_t n) __attribute__((alias("ftruncate")));

int flock(int fd, int how)
{
    return fails_fd("flock", fd, false) ? -1 : (int)syscall(SYS_flock, fd, how);
}

int fchmod(int fd, mode_t mode)
{
    return fails_fd("fchmod", fd, false) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

/* Whatever close says, the descriptor is gone. */
int close(int fd)
{
    bool has_failed = fails_fd("close", fd, false);
    int err = errno;
    int rc = (int)syscall(SYS_close, fd);

    if (has_failed)
        errno = err;
    return has_failed ? -1 : rc;
}

/* ---- names ---- */

int rename(const char *from, const char *to)
{
    return fails("rename", to, true) ? -1 : (int)syscall(SYS_rename, from, to);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
    return fails("rename", to, true) ? -1
                                     : (int)syscall(SYS_renameat2, a, from, b, to, flags);
}

int link(const char *from, const char *to)
{
    return fails("link", to, true) ? -1 : (int)syscall(SYS_link, from, to);
}

int mkdir(const char *path, mode_t mode)
{
    return fails("mkdir", path, true) ? -1 : (int)syscall(SYS_mkdir, path, mode);
}

char *mkdtemp(char *name)
{
    NEXT(char *, mkdtemp, char *);
    return fails("mkdtemp", name, true) ? NULL : next(name);
}

int unlink(const char *path)
{
    return fails("unlink", path, false) ? -1 : (int)syscall(SYS_unlink, path);
}

DIR *opendir(const char *path)
{
    NEXT(DIR *, opendir, const char *);
    return fails("opendir", path, false) ? NULL : next(path);
}

/* ---- streams ---- */

static int *descriptor(FILE *fp)
{
    for (int i = 0; fp && i < MAX_STREAMS; i++)
        if (streams[i].fp == fp)
            return &streams[i].fd;
    return NULL;
}

int fileno(FILE *fp)
{
    NEXT(int, fileno, FILE *);
    int *fd = descriptor(fp);

    return fd ? *fd : next(fp);
}

/* The C library writes on after a short count. */
static ssize_t put(void *cookie, const char *data, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t k = write((int)(intptr_t)cookie, data + done, n - done);
        if (k < 0)
            break;
        done += (size_t)k;
    }
    return (ssize_t)done;
}

static int end(void *cookie)
{
    int fd = (int)(intptr_t)cookie;

    for (int i = 0; i < MAX_STREAMS; i++)
        if (streams[i].fp && streams[i].fd == fd)
            streams[i].fp = NULL;
    return close(fd);
}

FILE *fdopen(int fd, const char *mode)
{
    NEXT(FILE *, fdopen, int, const char *);
    const cookie_io_functions_t calls = {.write = put, .close = end};
    int i = 0;

    if ((mode[0] != 'w' && mode[0] != 'a') || !is_fd_under(fd))
        return next(fd, mode);
    while (i < MAX_STREAMS && streams[i].fp)
        i++;
    if (i == MAX_STREAMS)
        abort();
    FILE *fp = fopencookie((void *)(intptr_t)fd, "w", calls);
    if (fp) {
        streams[i].fp = fp;
        streams[i].fd = fd;
    }
    return fp;
}

FILE *fopen(const char *path, const char *mode)
{
    NEXT(FILE *, fopen, const char *, const char *);

    if (!is_under(path))
        return next(path, mode);
    if (mode[0] == 'r') {
        if (fails("open", path, false))
            return NULL;
        return next(path, mode);
    }
    int fd = open_at(AT_FDCWD, path,
                     O_WRONLY | O_CREAT | (mode[0] == 'a' ? O_APPEND : O_TRUNC) |
                         (strchr(mode, 'e') ? O_CLOEXEC : 0),
                     0666);
    return fd < 0 ? NULL : fdopen(fd, mode);
}
FILE *fopen64(const char *path, const char *mode) __attribute__((alias("fopen")));
