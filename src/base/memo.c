/* Files of remembered measurements. Readers take no lock: a file is only ever replaced as
 * a whole. Writers hold a lock on a file beside it from reading to replacing, so that
 * none loses what another has written. */
#include "ranklab/memo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ranklab/file.h"
#include "ranklab/mem.h"

enum { MAX_BYTES = 64 << 20 };

static enum lr_status path_of(char **path, const char *file, const char *suffix,
                              struct lr_err *e)
{
    struct lr_strbuf b = {0};
    char *dir = lr_xdg_dir("cache", true);

    *path = NULL;
    if (!dir)
        return lr_err_set(e, LR_EIO, "there is no cache folder to remember %s in", file);
    lr_strbuf_printf(&b, "%s/%s%s", dir, file, suffix);
    lr_free(dir);
    *path = lr_strbuf_take(&b);
    return *path ? LR_OK : lr_enomem(e, 256, "a path");
}

/* The whole file; an empty text when there is none. */
static enum lr_status read_all(char **text, const char *path, struct lr_err *e)
{
    struct stat st;
    size_t len;

    *text = NULL;
    if (stat(path, &st) != 0 && errno == ENOENT) {
        *text = lr_strdup("");
        return *text ? LR_OK : lr_enomem(e, 1, "a file");
    }
    return lr_file_read(text, &len, path, MAX_BYTES, e);
}

/* The line that begins with key; *value gets its place and *len its length. */
static const char *find_line(const char *text, const char *key, const char **value,
                             size_t *len)
{
    size_t n = strlen(key);

    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        /* a line without its end was cut off */
        if (line[length] == '\n' && length > n && strncmp(line, key, n) == 0 &&
            line[n] == '\t') {
            *value = line + n + 1;
            *len = length - n - 1;
            return line;
        }
        line += length + (line[length] == '\n');
    }
    return NULL;
}

static enum lr_status take(char **value, const char *text, const char *key,
                           struct lr_err *e)
{
    struct lr_strbuf b = {0};
    const char *at;
    size_t len;

    *value = NULL;
    if (!find_line(text, key, &at, &len))
        return LR_OK;
    lr_strbuf_add(&b, at, len);
    *value = lr_strbuf_take(&b);
    return *value ? LR_OK : lr_enomem(e, len, "a value");
}

enum lr_status lr_memo_find(char **value, const char *file, const char *key,
                            struct lr_err *e)
{
    char *path = NULL, *text = NULL;
    enum lr_status rc = path_of(&path, file, "", e);

    *value = NULL;
    if (rc == LR_OK)
        rc = read_all(&text, path, e);
    if (rc == LR_OK)
        rc = take(value, text, key, e);
    lr_free(text);
    lr_free(path);
    return rc;
}

/* The old text without the line of key, and the new one at the end. */
static enum lr_status replace(const char *path, const char *text, const char *key,
                              const char *value, struct lr_err *e)
{
    struct lr_strbuf b = {0};
    const char *at, *line;
    size_t len;
    enum lr_status rc;

    while ((line = find_line(text, key, &at, &len))) {
        lr_strbuf_add(&b, text, (size_t)(line - text));
        text = at + len + 1;
    }
    size_t rest = strlen(text);
    const char *end = rest ? strrchr(text, '\n') : NULL;
    lr_strbuf_add(&b, text, end ? (size_t)(end + 1 - text) : 0);
    lr_strbuf_printf(&b, "%s\t%s\n", key, value);
    rc = b.is_failed ? lr_enomem(e, b.len, "a file") : LR_OK;
    if (rc == LR_OK)
        rc = lr_file_write(path, b.s, b.len, e);
    lr_strbuf_free(&b);
    return rc;
}

static enum lr_status lock(int *fd, const char *path, struct lr_err *e)
{
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (*fd < 0)
        return lr_err_set(e, LR_EIO, "cannot open %s: %s", path, strerror(errno));
    while (flock(*fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return lr_err_set(e, LR_EIO, "cannot lock %s: %s", path, strerror(errno));
    return LR_OK;
}

enum lr_status lr_memo_put(char **kept, const char *file, const char *key,
                           const char *value, bool replaces, struct lr_err *e)
{
    char *path = NULL, *beside = NULL, *text = NULL, *there = NULL;
    int fd = -1;
    enum lr_status rc;

    if (kept)
        *kept = NULL;
    if (strpbrk(key, "\t\n") || strpbrk(value, "\t\n"))
        return lr_err_set(e, LR_EINVAL, "%s: no tabs or line ends can be kept", file);
    if ((rc = path_of(&path, file, "", e)) != LR_OK ||
        (rc = path_of(&beside, file, ".lock", e)) != LR_OK ||
        (rc = lock(&fd, beside, e)) != LR_OK ||
        (rc = read_all(&text, path, e)) != LR_OK ||
        (rc = take(&there, text, key, e)) != LR_OK)
        goto out;
    if (!there || replaces) {
        lr_free(there);
        there = lr_strdup(value);
        rc = there ? replace(path, text, key, value, e) : lr_enomem(e, 1, "a value");
    }
    if (rc == LR_OK && kept) {
        *kept = there;
        there = NULL;
    }
out:
    if (fd >= 0)
        close(fd);
    lr_free(there);
    lr_free(text);
    lr_free(beside);
    lr_free(path);
    return rc;
}

/* ---- the processor ---- */

static bool value_of(char *out, size_t size, const char *line, const char *name)
{
    size_t n = strlen(name), k = 0;
    const char *p = strchr(line, ':');

    if (strncmp(line, name, n) != 0 || !p || line + n + strspn(line + n, " \t") != p)
        return false;
    for (p += 1 + (p[1] == ' '); *p && *p != '\n' && k + 1 < size; p++)
        out[k++] = *p == '\t' ? ' ' : *p;
    out[k] = '\0';
    return true;
}

const char *lr_cpu_name(char *buf, size_t size)
{
    char line[512], name[128] = "a processor", family[16] = "?", model[16] = "?";
    FILE *f = fopen("/proc/cpuinfo", "re");
    int n = 0;

    while (f && n < 3 && fgets(line, sizeof(line), f))
        n += value_of(name, sizeof(name), line, "model name") ||
             value_of(family, sizeof(family), line, "cpu family") ||
             value_of(model, sizeof(model), line, "model");
    if (f)
        fclose(f);
    snprintf(buf, size, "%s, family %s model %s", name, family, model);
    return buf;
}
