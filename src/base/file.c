/* Reading whole files and writing them all or nothing: the text goes to a temporary file
 * beside the target, which is flushed to the disk and renamed over the target only when
 * every step succeeded. A target reached through symbolic links is replaced where it
 * really lies. A FIFO or a device cannot be replaced and is written directly, and
 * /dev/stdout, /dev/stderr and /dev/fd/N continue that descriptor, so that output
 * redirected to a file is not lost. */
#include "ranklab/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/temp.h"
#include "ranklab/mem.h"
#include "ranklab/text.h"

enum { MAX_SHOWN_PATH = 240, CHUNK = 1 << 16 };

/* "PATH: cannot WHAT: REASON", with the beginning of a very long path left out. */
static enum lr_status io_error(struct lr_err *e, const char *path, const char *what,
                               const char *reason)
{
    struct lr_strbuf shown = {0};

    lr_text_escape(&shown, path);
    const char *s = shown.is_failed ? "?" : shown.s;
    const char *dots = "";
    size_t len = strlen(s);
    if (len > MAX_SHOWN_PATH) {
        dots = "...";
        s += len - MAX_SHOWN_PATH;
        while (((unsigned char)*s & 0xC0) == 0x80)
            s++;
    }
    lr_err_set(e, LR_EIO, "%s%s: cannot %s: %s", dots, s, what, reason);
    lr_strbuf_free(&shown);
    return LR_EIO;
}

static enum lr_status errno_error(struct lr_err *e, const char *path, const char *what,
                                  int err)
{
    char buf[128];

    if (err == EINTR)
        return lr_err_set(e, LR_EINTR, "interrupted");
    if (err == ENOMEM)
        return lr_err_set(e, LR_ENOMEM, "out of memory while handling a file");
    return io_error(e, path, what, strerror_r(err, buf, sizeof(buf)));
}

/* Fills data until the end of the file or cap bytes; -1 with errno on failure. */
static ssize_t read_up_to(int fd, char *data, size_t cap)
{
    size_t len = 0;

    while (len < cap) {
        size_t want = cap - len < SSIZE_MAX ? cap - len : SSIZE_MAX;
        ssize_t n = read(fd, data + len, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

/* Opens a regular file for reading; O_NONBLOCK keeps a FIFO from hanging us before it is
 * recognised. */
static enum lr_status open_regular(int *fd, size_t *size, const char *path,
                                   struct lr_err *e)
{
    struct stat st;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return errno_error(e, path, "open", errno);
    if (fstat(*fd, &st) != 0)
        return errno_error(e, path, "open", errno);
    if (S_ISDIR(st.st_mode))
        return io_error(e, path, "read", "it is a directory");
    if (!S_ISREG(st.st_mode))
        return io_error(e, path, "read", "it is not a regular file");
    *size = st.st_size > 0 ? (size_t)st.st_size : 0;
    return LR_OK;
}

enum lr_status lr_file_read(char **data, size_t *len, const char *path, size_t max,
                            struct lr_err *e)
{
    char limit[64];
    char *buf = NULL;
    size_t size = 0, cap;
    int fd = -1;

    *data = NULL;
    *len = 0;
    if (max > SSIZE_MAX - 2)
        max = SSIZE_MAX - 2;
    snprintf(limit, sizeof(limit), "it is larger than %zu bytes", max);
    enum lr_status st = open_regular(&fd, &size, path, e);
    if (st != LR_OK)
        goto out;
    if (size > max) {
        st = io_error(e, path, "read", limit);
        goto out;
    }
    /* One byte more than announced shows whether the file has grown (or is one of those
     * in /proc, which announce nothing). */
    size_t got = 0;
    cap = size + 1;
    for (;;) {
        char *larger = lr_realloc(buf, got, cap + 1, 1);
        if (!larger) {
            st = lr_enomem(e, cap + 1, "reading a file");
            goto out;
        }
        buf = larger;
        ssize_t n = read_up_to(fd, buf + got, cap - got);
        if (n < 0) {
            st = errno_error(e, path, "read", errno);
            goto out;
        }
        got += (size_t)n;
        if (got > max) {
            st = io_error(e, path, "read", limit);
            goto out;
        }
        if (got < cap)
            break;
        cap = cap <= CHUNK ? 2 * CHUNK : cap > max / 2 ? max + 1 : 2 * cap;
        if (cap > max + 1)
            cap = max + 1;
    }
    buf[got] = '\0';
    *data = buf;
    *len = got;
    buf = NULL;
out:
    if (fd >= 0)
        close(fd);
    lr_free(buf);
    return st;
}

/* The descriptor that path stands for, or -1. */
static int descriptor_of(const char *path)
{
    static const char prefix[] = "/dev/fd/";

    if (strcmp(path, "/dev/stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0)
        return STDERR_FILENO;
    if (strncmp(path, prefix, sizeof(prefix) - 1) == 0) {
        const char *digits = path + sizeof(prefix) - 1;
        char *end;
        if (*digits < '0' || *digits > '9')
            return -1;
        long fd = strtol(digits, &end, 10);
        if (*end == '\0' && fd >= 0 && fd < INT_MAX)
            return (int)fd;
    }
    return -1;
}

/* "FOLDER/" of path in *dir (may be empty). */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return lr_strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
}

/* A copy of s; NULL with errno. */
static char *copy_name(const char *s)
{
    char *copy = lr_strdup(s);

    if (!copy)
        errno = ENOMEM;
    return copy;
}

/* Where the file really lies: the end of symbolic links, or path itself when it is new.
 * NULL with errno. */
static char *resolve(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode))
        return copy_name(path);
    char *real = realpath(path, NULL);
    char *copy = real ? copy_name(real) : NULL;
    int err = errno;
    free(real);
    errno = err;
    return copy;
}

/* Opens what cannot be replaced. O_NONBLOCK: a FIFO that nobody reads is an error at once
 * (ENXIO) instead of a wait that nothing ends. */
static int open_direct(const char *path, int descriptor)
{
    if (descriptor < 0) {
        int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0)
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        return fd;
    }
    /* What was printed before must stay before. */
    if (descriptor == STDOUT_FILENO)
        fflush(stdout);
    return fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

enum lr_status lr_file_begin(struct lr_file *f, const char *path, struct lr_err *e)
{
    enum lr_status st = LR_OK;
    struct stat old;
    int fd = -1;

    *f = (struct lr_file){0};
    if (*path == '\0')
        return lr_err_set(e, LR_EIO, "the name of the file to write is empty");
    int descriptor = descriptor_of(path);
    bool exists = stat(path, &old) == 0;
    /* Where the system follows no links of others (in /tmp), neither is one resolved. */
    if (!exists && errno != ENOENT)
        return errno_error(e, path, "write", errno);
    bool is_direct = descriptor >= 0 || (exists && !S_ISREG(old.st_mode));
    if (exists && S_ISDIR(old.st_mode))
        return io_error(e, path, "write", "it is a directory");
    f->path = is_direct ? copy_name(path) : resolve(path);
    if (!f->path) {
        st = errno_error(e, path, "write", errno);
        goto out;
    }
    if (is_direct) {
        fd = open_direct(path, descriptor);
    } else {
        /* Renaming needs no permission for the old file, but a read-only mark means that
         * its owner wants it kept. */
        if (exists && access(f->path, W_OK) != 0) {
            st = errno_error(e, path, "write", errno);
            goto out;
        }
        fd = lr_temp_file(&f->temp, f->path, exists ? old.st_mode & 0777 : 0666);
        if (fd >= 0 && exists && fchmod(fd, old.st_mode & 0777) != 0) {
            st = errno_error(e, path, "write", errno);
            goto out;
        }
    }
    if (fd < 0 || !(f->fp = fdopen(fd, "w"))) {
        st = errno_error(e, path, "write", errno);
        goto out;
    }
    return LR_OK;
out:
    if (fd >= 0)
        close(fd);
    lr_file_abort(f);
    return st;
}

static void forget(struct lr_file *f)
{
    lr_free(f->path);
    lr_free(f->temp);
    *f = (struct lr_file){0};
}

void lr_file_abort(struct lr_file *f)
{
    if (f->fp) {
        __fpurge(f->fp); /* nothing more may reach a FIFO or a device */
        fclose(f->fp);
    }
    if (f->temp)
        unlink(f->temp);
    forget(f);
}

/* The data are safe by then and some file systems cannot sync a folder, so this has no
 * failure to report. */
void lr_sync_folder(const char *path)
{
    char *folder = folder_of(path);

    if (!folder)
        return;
    int fd = open(*folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    lr_free(folder);
}

/* 0, or why not all is on the disk. */
static int flush(const struct lr_file *f)
{
    /* An earlier failed write has lost its errno; flushing what is left usually repeats
     * it. */
    bool has_failed = ferror(f->fp) != 0;

    errno = 0;
    if (fflush(f->fp) != 0 || has_failed)
        return errno ? errno : EIO;
    return f->temp && fsync(fileno(f->fp)) != 0 ? errno : 0;
}

static enum lr_status finish(struct lr_file *f, bool keeps_temp, struct lr_err *e)
{
    if (!f->fp)
        return lr_err_set(e, LR_EINVAL, "the file to be written is not open");
    int err = flush(f);
    if (!err && keeps_temp && f->temp && link(f->temp, f->path) == 0) {
        lr_sync_folder(f->path);
        return LR_OK;
    }
    /* Renamed while it is open, and so locked. What was flushed to the disk cannot be
     * lost by closing; for a device closing is the last word. */
    bool is_renamed = !err && f->temp && rename(f->temp, f->path) == 0;
    if (!err && f->temp && !is_renamed)
        err = errno;
    if (err)
        __fpurge(f->fp);
    if (fclose(f->fp) != 0 && !err && !is_renamed)
        err = errno;
    f->fp = NULL;
    if (err) {
        enum lr_status st = errno_error(e, f->path, "write", err);
        lr_file_abort(f);
        return st;
    }
    if (f->temp)
        lr_sync_folder(f->path);
    forget(f);
    return LR_OK;
}

enum lr_status lr_file_link(struct lr_file *f, struct lr_err *e)
{
    return finish(f, true, e);
}

enum lr_status lr_file_commit(struct lr_file *f, struct lr_err *e)
{
    return finish(f, false, e);
}

enum lr_status lr_file_write(const char *path, const void *data, size_t len,
                             struct lr_err *e)
{
    struct lr_file f;

    enum lr_status st = lr_file_begin(&f, path, e);
    if (st != LR_OK)
        return st;
    if (len && fwrite(data, 1, len, f.fp) != len) {
        st = errno_error(e, path, "write", errno);
        lr_file_abort(&f);
        return st;
    }
    return lr_file_commit(&f, e);
}
