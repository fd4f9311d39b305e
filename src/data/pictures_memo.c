/* One text file for each folder, in the cache: a line per picture with the times, size
 * and place of its file, the size of the picture and the SHA-256 of its bytes. Whoever
 * replaces a picture changes the time of its inode, which no program can set; so a
 * picture whose line still holds need not be read again to be known. The file is replaced
 * as a whole, with what others have written since; of two sessions that write in the same
 * moment one has to find out again what the other knew. */
#include "pictures_memo.h"

#include <errno.h>
#include <inttypes.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>

#include "ranklab/file.h"
#include "ranklab/mem.h"

/* Smaller folders are decoded as they are opened. */
enum { LEAST = DATA_FIRST + 1, MAX_BYTES = 1 << 30, SETTLED_S = 2 };

/* The libraries that judged the pictures. TurboJPEG does not tell its version: it is that
 * of the build. */
static void put_head(struct lr_strbuf *b)
{
    lr_strbuf_printf(b, "pictures 1, %s, libjpeg-turbo %s, libpng %u, libwebp %d\n",
                     PACKAGE_VERSION, TURBOJPEG_VERSION,
                     (unsigned)png_access_version_number(), WebPGetDecoderVersion());
}

static char *path_of(const struct data_folder *f, bool is_made)
{
    struct lr_strbuf b = {0};
    char hex[65], *full = realpath(f->path, NULL), *dir = lr_xdg_dir("cache", is_made);

    if (full && dir) {
        lr_sha256(hex, full, strlen(full));
        lr_strbuf_printf(&b, "%s/pictures-%.32s", dir, hex);
    }
    free(full);
    lr_free(dir);
    return b.len ? lr_strbuf_take(&b) : NULL;
}

struct line {
    const char *name;
    struct data_known known;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

static bool is_digest(const char *s)
{
    return strspn(s, "0123456789abcdef") == DATA_DIGEST && s[DATA_DIGEST] == '\0';
}

static bool read_line(struct line *l, const char *s)
{
    struct data_known *k = &l->known;
    char digest[DATA_DIGEST + 2];
    int at = 0;

    *l = (struct line){0};
    if (sscanf(s,
               "%65s %d %d %" SCNd64 " %" SCNd64 ".%" SCNd32 " %" SCNd64 ".%" SCNd32
               " %" SCNu64 " %" SCNu64 "%n",
               digest, &k->w, &k->h, &k->bytes, &k->mtime_s, &k->mtime_ns, &k->ctime_s,
               &k->ctime_ns, &k->inode, &k->device, &at) != 10 ||
        s[at] != ' ' || !is_digest(digest) || k->w < 1 || k->h < 1)
        return false;
    memcpy(k->digest, digest, DATA_DIGEST);
    l->name = s + at + 1;
    return true;
}

/* The lines of text, cut up in place, sorted by name. */
static enum lr_status read_lines(struct line **out, size_t *n, char *text,
                                 struct lr_err *e)
{
    size_t cap = 1;

    for (const char *p = text; (p = strchr(p, '\n')); p++)
        cap++;
    struct line *lines = *out = lr_alloc(cap, sizeof(*lines));
    if (!lines)
        return lr_enomem(e, cap * sizeof(*lines), "what is known of pictures");
    *n = 0;
    for (char *s = text, *end; (end = strchr(s, '\n')); s = end + 1) {
        *end = '\0';
        *n += read_line(&lines[*n], s);
    }
    qsort(lines, *n, sizeof(*lines), compare);
    return LR_OK;
}

static void assign(struct data_memo *m, const struct data_folder *f,
                   const struct line *lines, size_t n)
{
    for (int64_t k = 0; k < f->n; k++) {
        struct line key = {.name = f->names[k]};
        const struct line *l = n ? bsearch(&key, lines, n, sizeof(key), compare) : NULL;
        if (l)
            m->known[k] = l->known;
    }
}

enum lr_status data_memo_open(struct data_memo *m, const struct data_folder *f,
                              struct lr_err *e)
{
    struct lr_strbuf head = {0};
    struct line *lines = NULL;
    char *path, *text = NULL;
    size_t len, n = 0;
    enum lr_status st = LR_OK;

    *m = (struct data_memo){.known = lr_calloc((size_t)f->n, sizeof(*m->known))};
    if (!m->known)
        return lr_enomem(e, (size_t)f->n * sizeof(*m->known),
                         "what is known of pictures");
    put_head(&head);
    path = f->n < LEAST ? NULL : path_of(f, false);
    if (path && !head.is_failed &&
        lr_file_read(&text, &len, path, MAX_BYTES, NULL) == LR_OK &&
        strncmp(text, head.s, head.len) == 0 &&
        (st = read_lines(&lines, &n, text + head.len, e)) == LR_OK)
        assign(m, f, lines, n);
    if (n > 0)
        lr_file_used(path);
    lr_strbuf_free(&head);
    lr_free(lines);
    lr_free(text);
    lr_free(path);
    return st;
}

void data_memo_free(struct data_memo *m)
{
    lr_free(m->known);
    *m = (struct data_memo){0};
}

static struct data_known as_told(const struct stat *info)
{
    return (struct data_known){.bytes = info->st_size,
                               .mtime_s = info->st_mtim.tv_sec,
                               .mtime_ns = (int32_t)info->st_mtim.tv_nsec,
                               .ctime_s = info->st_ctim.tv_sec,
                               .ctime_ns = (int32_t)info->st_ctim.tv_nsec,
                               .inode = info->st_ino,
                               .device = info->st_dev};
}

const struct data_known *data_memo_find(const struct data_memo *m, int64_t k,
                                        const struct stat *info)
{
    const struct data_known *a = &m->known[k], b = as_told(info);
    bool is_same = a->w > 0 && a->bytes == b.bytes && a->mtime_s == b.mtime_s &&
                   a->mtime_ns == b.mtime_ns && a->ctime_s == b.ctime_s &&
                   a->ctime_ns == b.ctime_ns && a->inode == b.inode &&
                   a->device == b.device;

    return is_same ? a : NULL;
}

void data_memo_add(struct data_memo *m, int64_t k, const struct stat *info, int64_t now,
                   int w, int h, const char digest[DATA_DIGEST])
{
    struct data_known *a = &m->known[k];
    int64_t last = info->st_ctim.tv_sec > info->st_mtim.tv_sec ? info->st_ctim.tv_sec
                                                               : info->st_mtim.tv_sec;

    *a = (struct data_known){0};
    if (last + SETTLED_S >= now)
        return;
    *a = as_told(info);
    a->w = w;
    a->h = h;
    memcpy(a->digest, digest, DATA_DIGEST);
    m->n_new++;
}

void data_memo_forget(struct data_memo *m, int64_t k)
{
    m->known[k].w = -1;
    m->n_new++;
}

/* What another data set of this session, or another session, has written since. */
static enum lr_status merge(struct data_memo *m, const struct data_folder *f,
                            struct lr_err *e)
{
    struct data_memo there;
    enum lr_status st = data_memo_open(&there, f, e);

    for (int64_t k = 0; st == LR_OK && k < f->n; k++)
        if (m->known[k].w == 0)
            m->known[k] = there.known[k];
    data_memo_free(&there);
    return st;
}

/* Of other folders, which are perhaps no more. path is cut at its last part. */
static void remove_old(char *path)
{
    char *name = strrchr(path, '/');

    *name++ = '\0';
    lr_file_remove_old(path, "pictures-", strlen(name));
}

enum lr_status data_memo_save(struct data_memo *m, const struct data_folder *f,
                              struct lr_err *e)
{
    struct lr_strbuf b = {0};

    if (m->n_new == 0 || f->n < LEAST)
        return LR_OK;
    enum lr_status st = merge(m, f, e);
    if (st != LR_OK)
        return st;
    put_head(&b);
    for (int64_t k = 0; k < f->n; k++) {
        const struct data_known *a = &m->known[k];
        if (a->w <= 0 || strchr(f->names[k], '\n'))
            continue;
        lr_strbuf_printf(&b,
                         "%.64s %d %d %" PRId64 " %" PRId64 ".%09" PRId32 " %" PRId64
                         ".%09" PRId32 " %" PRIu64 " %" PRIu64 " %s\n",
                         a->digest, a->w, a->h, a->bytes, a->mtime_s, a->mtime_ns,
                         a->ctime_s, a->ctime_ns, a->inode, a->device, f->names[k]);
    }
    char *path = path_of(f, true);
    if (!path)
        st = lr_err_set(e, LR_EIO, "there is no cache folder");
    else if (b.is_failed)
        st = lr_enomem(e, b.len, "what is known of pictures");
    else
        st = lr_file_write(path, b.s, b.len, e);
    if (st == LR_OK) {
        m->n_new = 0;
        remove_old(path);
    }
    lr_free(path);
    lr_strbuf_free(&b);
    return st;
}
