/* Temporary names are hidden and random. Whoever makes one holds a lock on it until it
 * has become the target, so that after a crash or a kill the next one who writes into the
 * same folder can tell what was left from what is being written, and removes it. Where a
 * file system has no locks nothing is removed. */
#include "base/temp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ranklab/mem.h"

enum { MAX_TRIES = 100, N_DIGITS = 16 };
static const char head[] = ".ranklab-", tail[] = ".tmp";

bool lr_temp_is_name(const char *name)
{
    const size_t n = sizeof(head) - 1;

    return strncmp(name, head, n) == 0 &&
           strspn(name + n, "0123456789abcdef") == N_DIGITS &&
           strcmp(name + n + N_DIGITS, tail) == 0;
}

/* Plain files of the open folder dir, then it itself: name in parent. */
static void remove_entries(int fd, int parent, const char *name)
{
    int again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *d = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *x;

    if (!d && again >= 0)
        close(again);
    while (d && (x = readdir(d)) != NULL)
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
            unlinkat(fd, x->d_name, 0);
    if (d)
        closedir(d);
    unlinkat(parent, name, AT_REMOVEDIR);
}

void lr_temp_remove_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    remove_entries(fd, AT_FDCWD, path);
    close(fd);
}

/* Removes name when nobody holds its lock. A file that has another name as well says that
 * the work it was for did not end: whoever knows that work removes both. */
static void clean_entry(int folder, const char *name)
{
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            remove_entries(fd, folder, name);
        else if (S_ISREG(st.st_mode) && st.st_nlink == 1)
            unlinkat(folder, name, 0);
    }
    close(fd);
}

/* folder: "" or with a slash at its end. What cannot be cleaned is no reason not to
 * write.
 */
static void clean(const char *folder)
{
    DIR *d = opendir(*folder ? folder : ".");
    const struct dirent *x;

    while (d && (x = readdir(d)) != NULL)
        if (lr_temp_is_name(x->d_name))
            clean_entry(dirfd(d), x->d_name);
    if (d)
        closedir(d);
}

/* Whether fd, made just now as a temporary name, is ours: somebody who cleans may have
 * seen it before it was locked. */
static bool is_kept(int fd)
{
    struct stat st;

    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static int make_file(const char *name, mode_t mode)
{
    return open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
}

static int make_folder(const char *name, mode_t mode)
{
    if (mkdir(name, mode) != 0)
        return -1;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        int err = errno;
        rmdir(name);
        errno = err;
    }
    return fd;
}

static int make(char **temp, const char *path, mode_t mode,
                int create(const char *, mode_t))
{
    const char *slash = strrchr(path, '/');
    char *folder = lr_strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
    int fd = -1, err = EEXIST;

    *temp = NULL;
    if (!folder) {
        errno = ENOMEM;
        return -1;
    }
    clean(folder);
    for (int i = 0; i < MAX_TRIES && fd < 0; i++) {
        struct lr_strbuf name = {0};
        uint64_t tag;
        if (getrandom(&tag, sizeof(tag), 0) != (ssize_t)sizeof(tag)) {
            err = errno;
            break;
        }
        lr_strbuf_printf(&name, "%s%s%0*llx%s", folder, head, N_DIGITS,
                         (unsigned long long)tag, tail);
        lr_free(*temp);
        *temp = lr_strbuf_take(&name);
        if (!*temp) {
            err = ENOMEM;
            break;
        }
        fd = create(*temp, mode);
        err = errno;
        if (fd < 0 && err != EEXIST && err != EINTR)
            break;
        if (fd >= 0 && !is_kept(fd)) {
            close(fd);
            fd = -1;
        }
    }
    lr_free(folder);
    if (fd < 0) {
        lr_free(*temp);
        *temp = NULL;
        errno = err;
    }
    return fd;
}

int lr_temp_file(char **temp, const char *path, mode_t mode)
{
    return make(temp, path, mode, make_file);
}

int lr_temp_folder(char **temp, const char *path)
{
    return make(temp, path, 0777, make_folder);
}
