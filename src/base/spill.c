/* Files for what memory has no room for. They are created without a name (or lose it at
 * once), so that nothing is left behind after a crash, and take their room when they are
 * created, so that a full disk shows before the work and not after half of it. */
#include "ranklab/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ranklab/file.h"
#include "ranklab/mem.h"
#include "ranklab/text.h"

enum { MAX_TRIES = 100 };
static const int64_t RESERVE = (int64_t)256 << 20; /* left to other programs */

struct lr_spill {
    int fd;
    char *folder;
};

/* lr_free it; NULL: there is none, or no memory. */
static char *spill_folder(void)
{
    const char *tmp = getenv("TMPDIR");

    if (tmp && tmp[0] == '/')
        return lr_strdup(tmp);
    return lr_xdg_dir("cache", true);
}

int64_t lr_spill_room(void)
{
    struct statvfs v;
    char *folder = spill_folder();
    double room = 0;

    if (folder && statvfs(folder, &v) == 0)
        room = (double)v.f_bavail * (double)v.f_frsize - (double)RESERVE;
    lr_free(folder);
    return room <= 0 ? 0 : room < 0x1p62 ? (int64_t)room : INT64_MAX / 2;
}

static int open_unnamed(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    for (int i = 0; i < MAX_TRIES && fd < 0; i++) {
        struct lr_strbuf name = {0};
        uint64_t tag;
        if (getrandom(&tag, sizeof(tag), 0) != (ssize_t)sizeof(tag))
            break;
        lr_strbuf_printf(&name, "%s/.ranklab-%016llx.spill", folder,
                         (unsigned long long)tag);
        char *path = lr_strbuf_take(&name);
        if (!path) {
            errno = ENOMEM;
            break;
        }
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0)
            unlink(path);
        int err = errno;
        lr_free(path);
        errno = err;
        if (fd < 0 && errno != EEXIST && errno != EINTR)
            break;
    }
    return fd;
}

static enum lr_status failed(struct lr_err *e, const char *folder, const char *what,
                             int err)
{
    struct lr_strbuf shown = {0};
    char buf[128];

    lr_text_escape(&shown, folder ? folder : "no folder ($TMPDIR, $HOME)");
    lr_err_set(e, LR_EIO, "%.240s: cannot %s: %s", shown.is_failed ? "?" : shown.s, what,
               strerror_r(err, buf, sizeof(buf)));
    lr_strbuf_free(&shown);
    return LR_EIO;
}

/* 0, or why the room cannot be taken. File systems without such a call show a full disk
 * while the file is written. */
static int take_room(int fd, int64_t bytes)
{
    int rc;

    do
        rc = fallocate(fd, 0, 0, bytes);
    while (rc != 0 && errno == EINTR);
    return rc == 0 || errno == EOPNOTSUPP || errno == ENOSYS ? 0 : errno;
}

enum lr_status lr_spill_new(struct lr_spill **out, int64_t bytes, struct lr_err *e)
{
    struct lr_spill *s = lr_calloc(1, sizeof(*s));
    char what[64];
    enum lr_status st = LR_OK;

    *out = NULL;
    if (!s)
        return lr_enomem(e, sizeof(*s), "a file for activations");
    s->fd = -1;
    s->folder = spill_folder();
    snprintf(what, sizeof(what), "spill %lld bytes", (long long)bytes);
    s->fd = s->folder ? open_unnamed(s->folder) : -1;
    int err = s->fd >= 0 ? 0 : s->folder ? errno : ENOENT;
    if (!err && bytes > 0)
        err = take_room(s->fd, bytes);
    if (err) {
        st = failed(e, s->folder, what, err);
        lr_spill_free(s);
        return st;
    }
    *out = s;
    return LR_OK;
}

void lr_spill_free(struct lr_spill *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    lr_free(s->folder);
    lr_free(s);
}

enum lr_status lr_spill_write(struct lr_spill *s, int64_t at, const void *data,
                              size_t bytes, struct lr_err *e)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n =
            pwrite(s->fd, (const char *)data + done, bytes - done, at + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(e, s->folder, "spill activations", n < 0 ? errno : EIO);
        done += (size_t)n;
    }
    return LR_OK;
}

enum lr_status lr_spill_read(const struct lr_spill *s, int64_t at, void *data,
                             size_t bytes, struct lr_err *e)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pread(s->fd, (char *)data + done, bytes - done, at + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(e, s->folder, "read spilled activations", n < 0 ? errno : EIO);
        done += (size_t)n;
    }
    return LR_OK;
}
