/* One write per addition: whoever else appends does so before or behind it, and a kill
 * loses it or leaves a beginning of it, never a mixture. What could not be written whole
 * is cut off again, under a lock, so that nothing others have added meanwhile goes with
 * it. */
#include "base/append.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ranklab/mem.h"

enum { WAIT_MS = 1000, NAP_MS = 5 };

static bool ends_with_newline(int fd, off_t size, int *err)
{
    char last = '\n';
    ssize_t n = 1;

    if (size > 0)
        do
            n = pread(fd, &last, 1, size - 1);
        while (n < 0 && errno == EINTR);
    *err = n == 1 ? 0 : n < 0 ? errno : EIO;
    return last == '\n';
}

static int add(int fd, const char *text, size_t len, bool is_synced, bool is_locked)
{
    struct lr_strbuf line = {0};
    struct stat st;
    ssize_t n;
    int err;

    if (fstat(fd, &st) != 0)
        return errno;
    bool is_file = S_ISREG(st.st_mode); /* the target of a record may be a pipe */
    if (is_file && !ends_with_newline(fd, st.st_size, &err) && !err)
        lr_strbuf_putc(&line, '\n');
    else if (is_file && err)
        return err;
    lr_strbuf_add(&line, text, len);
    if (line.is_failed) {
        lr_strbuf_free(&line);
        return ENOMEM;
    }
    do
        n = write(fd, line.s, line.len);
    while (n < 0 && errno == EINTR);
    err = n < 0 ? errno : n != (ssize_t)line.len ? ENOSPC : 0;
    if (!err && is_synced && fsync(fd) != 0)
        err = errno;
    if (err && is_file && is_locked && ftruncate(fd, st.st_size) == 0 && is_synced)
        fsync(fd);
    lr_strbuf_free(&line);
    return err;
}

int lr_append_locked(int fd, const char *text, size_t len, bool is_synced)
{
    return add(fd, text, len, is_synced, true);
}

int lr_append(int fd, const char *text, size_t len)
{
    int waited = 0;
    bool is_locked;

    /* Its holder may be stopped: better mixed than waiting for ever. */
    while (!(is_locked = flock(fd, LOCK_EX | LOCK_NB) == 0) &&
           (errno == EWOULDBLOCK || errno == EINTR) && waited < WAIT_MS) {
        const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
        nanosleep(&nap, NULL);
        waited += NAP_MS;
    }
    int err = add(fd, text, len, false, is_locked);
    flock(fd, LOCK_UN);
    return err;
}
