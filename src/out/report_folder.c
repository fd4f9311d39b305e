/* A folder that appears whole or not at all. Files go to a hidden folder beside the
 * target, each flushed to the disk; then the two change places in one step, and the old
 * one is removed. Only a folder that was written here is replaced: it says so in its
 * page, and holds nothing that its sums do not list. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/temp.h"
#include "out/report.h"
#include "ranklab/file.h"

enum { MAX_SUMS = 1 << 16, MAX_FILE = 1 << 28 };
static const char sums_name[] = "SHA256SUMS", page_name[] = "report.html";

static enum lr_status failed(struct lr_err *e, const char *path, const char *what)
{
    int err = errno;

    return lr_err_set(e, LR_EIO, "%s: cannot %s: %s", path, what, strerror(err));
}

static char *join(const char *folder, const char *name)
{
    struct lr_strbuf b = {0};

    lr_strbuf_printf(&b, "%s/%s", folder, name);
    return lr_strbuf_take(&b);
}

/* Whether a line of sums is about name. */
static bool is_listed(const char *sums, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = sums; *line;) {
        size_t len = strcspn(line, "\n");
        if (len == 66 + n && strncmp(line + 66, name, n) == 0)
            return true;
        line += len + (line[len] == '\n');
    }
    return false;
}

/* The first entry that a report does not have, or NULL; lr_free it. */
static char *stranger(const char *path, const char *sums)
{
    DIR *d = opendir(path);
    char *name = NULL;
    const struct dirent *x;

    if (!d)
        return lr_strdup("?");
    while (!name && (x = readdir(d)) != NULL)
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0 &&
            strcmp(x->d_name, sums_name) != 0 && !is_listed(sums, x->d_name))
            name = lr_strdup(x->d_name);
    closedir(d);
    return name;
}

static enum lr_status check_old(const char *path, struct lr_err *e)
{
    char *sums_path = join(path, sums_name), *page_path = join(path, page_name);
    char *sums = NULL, *page = NULL, *odd = NULL;
    size_t n;
    struct lr_err quiet = {0};
    enum lr_status st = LR_OK;

    if (!sums_path || !page_path)
        st = lr_enomem(e, 1, "a path");
    else if (lr_file_read(&sums, &n, sums_path, MAX_SUMS, &quiet) ||
             lr_file_read(&page, &n, page_path, MAX_FILE, &quiet) ||
             !strstr(page, "<meta name=\"generator\" content=\"ranklab\">"))
        st = lr_err_set(e, LR_EIO,
                        "%s is there and is no report of ranklab; give another name",
                        path);
    else if ((odd = stranger(path, sums)) != NULL)
        st = lr_err_set(e, LR_EIO,
                        "%s also holds %s, which is not of the report; give another name",
                        path, odd);
    lr_free(odd);
    lr_free(page);
    lr_free(sums);
    lr_free(page_path);
    lr_free(sums_path);
    return st;
}

/* path without slashes at its end. */
static char *trimmed(const char *path)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    return lr_strndup(path, n);
}

enum lr_status out_folder_begin(struct out_folder *f, const char *path, struct lr_err *e)
{
    struct stat info;
    enum lr_status st = LR_OK;

    *f = (struct out_folder){.path = trimmed(path)};
    if (!f->path)
        return lr_enomem(e, 1, "a path");
    if (lstat(f->path, &info) == 0) {
        f->is_there = true;
        if (!S_ISDIR(info.st_mode))
            st = lr_err_set(e, LR_EIO, "%s is there and is no folder; give another name",
                            f->path);
        else
            st = check_old(f->path, e);
    } else if (errno != ENOENT)
        st = failed(e, f->path, "write");
    if (!st && (f->lock = lr_temp_folder(&f->temp, f->path)) < 0)
        st = failed(e, f->path, "write");
    if (st)
        out_folder_abort(f);
    return st;
}

char *out_folder_add(struct out_folder *f, const char *name)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 16;
        char **all = lr_realloc(f->names, f->n, cap, sizeof(*all));
        if (!all)
            return NULL;
        f->names = all;
        f->cap = cap;
    }
    f->names[f->n] = lr_strdup(name);
    if (!f->names[f->n])
        return NULL;
    f->n++;
    return join(f->temp, name);
}

enum lr_status out_folder_write(struct out_folder *f, const char *name,
                                const struct lr_strbuf *text, struct lr_err *e)
{
    char *path = out_folder_add(f, name);
    enum lr_status st = !path || text->is_failed
                            ? lr_enomem(e, text->len, name)
                            : lr_file_write(path, text->s ? text->s : "", text->len, e);

    lr_free(path);
    return st;
}

static enum lr_status add_sum(struct lr_strbuf *b, const struct out_folder *f,
                              const char *name, struct lr_err *e)
{
    char *path = join(f->temp, name), *data = NULL;
    char hex[65];
    size_t n = 0;
    enum lr_status st =
        path ? lr_file_read(&data, &n, path, MAX_FILE, e) : lr_enomem(e, 1, "a path");

    if (!st) {
        lr_sha256(hex, data, n);
        lr_strbuf_printf(b, "%s  %s\n", hex, name);
    }
    lr_free(data);
    lr_free(path);
    return st;
}

static enum lr_status flush_folder(const char *path, struct lr_err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum lr_status st = LR_OK;

    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        st = failed(e, path, "write");
    if (fd >= 0)
        close(fd);
    return st;
}

static enum lr_status swap(const struct out_folder *f, struct lr_err *e)
{
    int rc = f->is_there
                 ? renameat2(AT_FDCWD, f->temp, AT_FDCWD, f->path, RENAME_EXCHANGE)
                 : renameat2(AT_FDCWD, f->temp, AT_FDCWD, f->path, RENAME_NOREPLACE);

    if (rc != 0 && errno == EINVAL && f->is_there)
        return lr_err_set(e, LR_EIO,
                          "%s: this file system cannot replace a folder in one step; "
                          "give another name",
                          f->path);
    if (rc != 0 && errno == EINVAL)
        rc = rename(f->temp, f->path);
    return rc == 0 ? LR_OK : failed(e, f->path, "write");
}

enum lr_status out_folder_commit(struct out_folder *f, struct lr_err *e)
{
    struct lr_strbuf sums = {0};
    char *path = join(f->temp, sums_name);
    enum lr_status st = path ? LR_OK : lr_enomem(e, 1, "a path");

    for (size_t i = 0; !st && i < f->n; i++)
        st = add_sum(&sums, f, f->names[i], e);
    if (!st && sums.is_failed)
        st = lr_enomem(e, sums.len, "sums");
    if (!st)
        st = lr_file_write(path, sums.s ? sums.s : "", sums.len, e);
    if (!st)
        st = flush_folder(f->temp, e);
    /* The old one is looked at again: it may have got files meanwhile. */
    if (!st && f->is_there)
        st = check_old(f->path, e);
    if (!st)
        st = swap(f, e);
    if (!st) {
        /* Makes the exchange last. The report is whole by then, so this has no failure.
         */
        const char *slash = strrchr(f->path, '/');
        struct lr_err ignored;
        char *up =
            slash ? lr_strndup(f->path, (size_t)(slash - f->path) + 1) : lr_strdup(".");
        if (up)
            flush_folder(up, &ignored);
        lr_free(up);
    }
    lr_strbuf_free(&sums);
    lr_free(path);
    out_folder_abort(f); /* after an exchange that is the old report */
    return st;
}

void out_folder_abort(struct out_folder *f)
{
    if (f->temp) {
        lr_temp_remove_folder(f->temp);
        close(f->lock);
    }
    for (size_t i = 0; i < f->n; i++)
        lr_free(f->names[i]);
    lr_free(f->names);
    lr_free(f->temp);
    lr_free(f->path);
    *f = (struct out_folder){0};
}
