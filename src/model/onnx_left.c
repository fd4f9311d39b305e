/* Exports that meet in one folder, and what killed ones leave. Weights beside a model are
 * named by what is in them, so two exports may mean the same file, and one that fails
 * must not take it from the other: they wait for each other, by a lock on the folder
 * itself, which leaves nothing behind. While a model is not in its place its weights also
 * keep their temporary name, and its lock: weights that are left with both names,
 * unlocked and named by no model there, are those of an export that was killed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/temp.h"
#include "onnx_edit.h"
#include "ranklab/file.h"

enum { NAP_MS = 50, N_DIGITS = 16 };
static const char tail[] = ".data", model[] = ".onnx";

static int open_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? lr_strndup(path, (size_t)(slash - path) + 1) : lr_strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    lr_free(folder);
    return fd;
}

enum lr_status lr_onnx_take_turn(int *lock, const char *path,
                                 const struct lr_progress *progress, struct lr_err *e)
{
    const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};

    *lock = open_folder(path);
    /* Some file systems lock no folders. */
    while (*lock >= 0 && flock(*lock, LOCK_EX | LOCK_NB) != 0 &&
           (errno == EWOULDBLOCK || errno == EINTR)) {
        enum lr_status st = lr_progress_tick(
            progress, 0, "waiting for another export into this folder", e);
        if (st != LR_OK)
            return st;
        nanosleep(&nap, NULL);
    }
    return LR_OK;
}

/* ---- what was left ---- */

/* The length of F when name is F-HASH.data, else 0. */
static size_t stem_of(const char *name)
{
    const size_t n = strlen(name), rest = 1 + N_DIGITS + sizeof(tail) - 1;

    if (n <= rest || strcmp(name + n - (sizeof(tail) - 1), tail) != 0 ||
        name[n - rest] != '-' ||
        strspn(name + n - rest + 1, "0123456789abcdef") != N_DIGITS)
        return 0;
    return n - rest;
}

/* False only when the file of that name is not there, or was read and does not hold word.
 */
static bool may_name(int folder, const char *name, const char *word)
{
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t n = strlen(word), len = 0;
    bool may = true;
    char *data = NULL;

    if (fd < 0)
        return errno != ENOENT;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= INT32_MAX)
        data = lr_alloc((size_t)st.st_size + 1, 1);
    while (data && len < (size_t)st.st_size) {
        ssize_t got = read(fd, data + len, (size_t)st.st_size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (data && len == (size_t)st.st_size)
        may = memmem(data, len, word, n) != NULL;
    lr_free(data);
    close(fd);
    return may;
}

static bool is_model(const char *name)
{
    const size_t n = strlen(name), n_end = sizeof(model) - 1;

    return n > n_end && strcmp(name + n - n_end, model) == 0;
}

/* Whether no model of the folder names these weights, by whatever name it goes now, nor
 * the file that they are for. */
static bool is_unused(int folder, const char *weights, size_t stem)
{
    char *name = lr_strndup(weights, stem);
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again >= 0 ? fdopendir(again) : NULL;
    bool is_used = !name || !d || may_name(folder, name, weights);
    const struct dirent *x;

    if (!d && again >= 0)
        close(again);
    while (!is_used && (x = readdir(d)) != NULL)
        is_used = is_model(x->d_name) && may_name(folder, x->d_name, weights);
    if (d)
        closedir(d);
    lr_free(name);
    return !is_used;
}

/* The other name of the temporary file, where it is that of weights; lr_free it. */
static char *find_weights(int folder, const struct stat *temp)
{
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *x;
    char *found = NULL;
    struct stat st;

    if (!d && again >= 0)
        close(again);
    while (d && !found && (x = readdir(d)) != NULL)
        if (stem_of(x->d_name) && x->d_ino == temp->st_ino &&
            fstatat(folder, x->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_ino == temp->st_ino && st.st_dev == temp->st_dev)
            found = lr_strdup(x->d_name);
    if (d)
        closedir(d);
    return found;
}

static void look_at_temp(int folder, const char *name)
{
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    char *weights = NULL;

    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_nlink == 2 && (weights = find_weights(folder, &st)) != NULL) {
        if (is_unused(folder, weights, stem_of(weights)))
            unlinkat(folder, weights, 0);
        unlinkat(folder, name, 0);
    }
    lr_free(weights);
    close(fd);
}

void lr_onnx_remove_left(const char *path, bool has_turn)
{
    int folder = open_folder(path);

    if (folder >= 0 && !has_turn && flock(folder, LOCK_EX | LOCK_NB) != 0 &&
        errno == EWOULDBLOCK) {
        close(folder);
        return;
    }
    int again = folder >= 0 ? fcntl(folder, F_DUPFD_CLOEXEC, 0) : -1;
    DIR *d = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *x;

    if (!d && again >= 0)
        close(again);
    while (d && (x = readdir(d)) != NULL)
        if (lr_temp_is_name(x->d_name))
            look_at_temp(folder, x->d_name);
    if (d)
        closedir(d);
    if (folder >= 0)
        close(folder);
}
