/* The file behind the journal. Whoever writes holds a lock on it; whoever reads needs
 * none, because a line counts only with its newline. Pruning puts another file in the
 * place, so the lock is good only while the path still leads to the file that was
 * locked. */
#include "session/journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/append.h"
#include "base/temp.h"
#include "out/journal_line.h"
#include "ranklab/text.h"

enum { CHUNK = 1 << 18, MAX_REOPEN = 100, WAIT_MS = 10000, NAP_MS = 5 };

enum lr_status journal_error(struct lr_err *e, const char *path, const char *what,
                             int err)
{
    struct lr_strbuf shown = {0};
    char buf[128];

    lr_text_escape(&shown, path);
    lr_err_set(e, LR_EIO, "%.300s: cannot %s: %s", shown.is_failed ? "?" : shown.s, what,
               err == 0 ? "it is not a regular file" : strerror_r(err, buf, sizeof(buf)));
    lr_strbuf_free(&shown);
    return LR_EIO;
}

static enum lr_status too_large(struct lr_err *e, const char *path)
{
    journal_error(e, path, "go on", EFBIG);
    return lr_err_set(e, LR_EIO, "%.300s: at most %lld bytes are kept: prune it", path,
                      (long long)JOURNAL_MAX_FILE);
}

/* Whether fd, opened just now, is a file that will do. O_NONBLOCK kept a FIFO from
 * hanging us until here. */
static enum lr_status check_file(int fd, struct stat *st, const char *path,
                                 struct lr_err *e)
{
    if (fstat(fd, st) != 0)
        return journal_error(e, path, "open", errno);
    if (!S_ISREG(st->st_mode))
        return journal_error(e, path, "open", 0);
    return st->st_size > JOURNAL_MAX_FILE ? too_large(e, path) : LR_OK;
}

enum lr_status journal_open_read(int *fd, struct stat *st, const char *path,
                                 struct lr_err *e)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return errno == ENOENT ? LR_OK : journal_error(e, path, "open", errno);
    enum lr_status rc = check_file(*fd, st, path, e);
    if (rc != LR_OK) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}

/* Waits for the lock, but not for ever: its holder may be stopped. */
static enum lr_status wait_for_lock(int fd, const char *path, struct lr_err *e)
{
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += NAP_MS) {
        const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
        if (errno != EWOULDBLOCK && errno != EINTR)
            return journal_error(e, path, "lock", errno);
        if (waited >= WAIT_MS)
            return lr_err_set(e, LR_EIO, "%.300s: another process holds its lock", path);
        nanosleep(&nap, NULL);
    }
    return LR_OK;
}

enum lr_status journal_lock(int *fd, const char *path, struct lr_err *e)
{
    enum lr_status rc = LR_OK;
    struct stat mine, now;

    for (int i = 0; i < MAX_REOPEN; i++) {
        *fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                   0600);
        if (*fd < 0)
            return journal_error(e, path, "write", errno);
        if ((rc = check_file(*fd, &mine, path, e)) != LR_OK ||
            (rc = wait_for_lock(*fd, path, e)) != LR_OK)
            break;
        if (stat(path, &now) == 0 && now.st_dev == mine.st_dev &&
            now.st_ino == mine.st_ino)
            return LR_OK;
        close(*fd); /* replaced while we waited */
        *fd = -1;
    }
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return rc != LR_OK ? rc
                       : lr_err_set(e, LR_EIO, "%.300s: others keep replacing it", path);
}

enum lr_status journal_append(int fd, const char *path, const char *text, size_t len,
                              struct lr_err *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return journal_error(e, path, "write", errno);
    if (st.st_size + (int64_t)len + 1 > JOURNAL_MAX_FILE)
        return too_large(e, path);
    int err = lr_append_locked(fd, text, len, true);
    if (!err && st.st_size == 0)
        lr_sync_folder(path); /* a new file is to be found after a crash */
    if (err == ENOMEM)
        return lr_enomem(e, len, "a line of the journal");
    return err ? journal_error(e, path, "write", err) : LR_OK;
}

/* ---- reading line by line ---- */

static ssize_t read_at(int fd, char *to, size_t n, int64_t at)
{
    ssize_t got;

    do
        got = pread(fd, to, n, (off_t)at);
    while (got < 0 && errno == EINTR);
    return got;
}

struct scanner {
    const struct journal_scan *scan;
    char *buf; /* CHUNK + OUT_JOURNAL_MAX_LINE bytes */
    size_t n;  /* of an unfinished line */
    bool is_long;
    int64_t begin; /* of the line that is too long */
};

/* Hands on every ended line of buf[0..n) and moves the rest to the front. */
static enum lr_status take_lines(struct scanner *s, int64_t *end, struct lr_err *e)
{
    char *at = s->buf, *stop = s->buf + s->n;
    enum lr_status rc = LR_OK;

    for (char *nl; rc == LR_OK && (nl = memchr(at, '\n', (size_t)(stop - at)));) {
        size_t len = (size_t)(nl - at);
        bool is_long = s->is_long || len >= OUT_JOURNAL_MAX_LINE;
        rc = s->scan->take(s->scan->ctx, is_long ? NULL : at, len, e);
        s->is_long = false;
        *end += (int64_t)len + 1;
        at = nl + 1;
    }
    s->n = (size_t)(stop - at);
    memmove(s->buf, at, s->n);
    if (s->n >= OUT_JOURNAL_MAX_LINE) {
        /* What comes until the next newline is dropped. */
        if (!s->is_long)
            s->begin = *end;
        s->is_long = true;
        *end += (int64_t)s->n;
        s->n = 0;
    }
    return rc;
}

enum lr_status journal_scan(int64_t *end, int fd, const char *path, int64_t from,
                            const struct journal_scan *scan, struct lr_err *e)
{
    struct scanner s = {.scan = scan};
    enum lr_status rc = LR_OK;
    int64_t at = from;

    *end = from;
    s.buf = lr_alloc(CHUNK + OUT_JOURNAL_MAX_LINE, 1);
    if (!s.buf)
        return lr_enomem(e, CHUNK + OUT_JOURNAL_MAX_LINE, "reading the journal");
    while (rc == LR_OK) {
        ssize_t got = read_at(fd, s.buf + s.n, CHUNK, at);
        if (got < 0) {
            rc = journal_error(e, path, "read", errno);
            break;
        }
        if (got == 0)
            break;
        at += got;
        s.n += (size_t)got;
        rc = take_lines(&s, end, e);
        if (at > JOURNAL_MAX_FILE && rc == LR_OK)
            rc = too_large(e, path);
    }
    if (s.is_long && rc == LR_OK)
        *end = s.begin; /* not ended yet: seen again as a whole */
    lr_free(s.buf);
    return rc;
}
