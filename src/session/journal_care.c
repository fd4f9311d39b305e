/* Looking after a journal's file: counting its lines, writing it anew without some of
 * them, and bringing several together. Lines stay as they were written, byte for byte;
 * only those that answer for their key are held in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ranklab/file.h"
#include "session/journal_internal.h"

/* One intact line. */
struct line {
    struct lr_record record; /* of another format: empty */
    char *text;              /* without newline; NULL: it goes */
    size_t len;
    bool is_format;
};
struct lines {
    struct line *x;
    size_t n, cap;
    int64_t n_lines, n_damaged, n_formats, n_versions, first_damaged;
    char why[128];
    bool keeps_damaged;
};

static void lines_free(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++) {
        lr_record_free(&l->x[i].record);
        lr_free(l->x[i].text);
    }
    lr_free(l->x);
    *l = (struct lines){0};
}

static enum lr_status take(void *ctx, const char *text, size_t len, struct lr_err *e)
{
    struct lines *l = ctx;
    struct line x = {.len = len};
    struct lr_err why = {0};
    enum lr_status rc = LR_EPARSE;

    l->n_lines++;
    if (len == 0)
        return LR_OK;
    if (text)
        rc = journal_record_read(&x.record, text, len, &why);
    else
        lr_err_set(&why, LR_EPARSE, "longer than is allowed");
    if (rc == LR_ENOMEM)
        return lr_err_set(e, rc, "%s", why.msg);
    x.is_format = rc == LR_EUNSUP;
    l->n_formats += x.is_format;
    if (rc != LR_OK && !x.is_format) {
        if (l->n_damaged++ == 0) {
            l->first_damaged = l->n_lines;
            snprintf(l->why, sizeof(l->why), "%.120s", why.msg);
        }
        if (!l->keeps_damaged || !text)
            return LR_OK;
        x.is_format = true; /* carried along as it is */
    }
    if (rc == LR_OK && (!x.record.version || strcmp(x.record.version, PACKAGE_VERSION)))
        l->n_versions++;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct line *larger = lr_realloc(l->x, l->n, cap, sizeof(*larger));
        if (!larger) {
            lr_record_free(&x.record);
            return lr_enomem(e, cap * sizeof(*larger), "the journal");
        }
        l->x = larger;
        l->cap = cap;
    }
    x.text = lr_strndup(text, len);
    if (!x.text) {
        lr_record_free(&x.record);
        return lr_enomem(e, len, "the journal");
    }
    l->x[l->n++] = x;
    return LR_OK;
}

/* The lines of an open file. What stands at its end without a newline counts as damaged:
 * it is what a killed process left. */
static enum lr_status read_lines(struct lines *l, int fd, const char *path,
                                 struct lr_err *e)
{
    const struct journal_scan scan = {take, l};
    struct stat st;
    int64_t end = 0;
    enum lr_status rc = journal_scan(&end, fd, path, 0, &scan, e);

    if (rc == LR_OK && fstat(fd, &st) == 0 && st.st_size > end) {
        l->n_lines++;
        if (l->n_damaged++ == 0) {
            l->first_damaged = l->n_lines;
            snprintf(l->why, sizeof(l->why), "it has no end");
        }
    }
    return rc;
}

static enum lr_status read_file(struct lines *l, struct stat *st, const char *path,
                                bool is_needed, struct lr_err *e)
{
    int fd = -1;
    enum lr_status rc = journal_open_read(&fd, st, path, e);

    if (rc == LR_OK && fd < 0 && is_needed)
        return lr_err_set(e, LR_EIO, "%.300s: no such file", path);
    if (rc != LR_OK || fd < 0)
        return rc;
    rc = read_lines(l, fd, path, e);
    close(fd);
    return rc;
}

/* ---- which line answers for a key ---- */

struct place {
    const struct line *line;
    size_t i;
};

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int c = strcmp(x->line->record.key, y->line->record.key);

    return c ? c : (x->i > y->i) - (x->i < y->i);
}

/* Marks all but one line of each key as gone. first: of equally many images the first
 * stays, else the last. Pairs with different results are handed to conflicts. */
static enum lr_status settle(struct lines *l, bool is_first, int64_t *n_repeated,
                             int64_t *n_conflicts,
                             const struct lr_journal_conflicts *conflicts,
                             struct lr_err *e)
{
    struct place *places = lr_calloc(l->n + 1, sizeof(*places));
    size_t n = 0;

    *n_repeated = *n_conflicts = 0;
    if (!places)
        return lr_enomem(e, (l->n + 1) * sizeof(*places), "the journal");
    for (size_t i = 0; i < l->n; i++)
        if (l->x[i].text && !l->x[i].is_format)
            places[n++] = (struct place){&l->x[i], i};
    qsort(places, n, sizeof(*places), by_key);
    for (size_t i = 0, next; i < n; i = next) {
        size_t best = places[i].i;
        for (next = i + 1; next < n && strcmp(places[next].line->record.key,
                                              places[i].line->record.key) == 0;
             next++) {
            size_t other = places[next].i, gone = other;
            int64_t m = l->x[best].record.measure.images;
            int64_t k = l->x[other].record.measure.images;
            ++*n_repeated;
            if (m == k &&
                journal_record_conflicts(&l->x[best].record, &l->x[other].record)) {
                ++*n_conflicts;
                if (conflicts && conflicts->take)
                    conflicts->take(conflicts->ctx, &l->x[best].record,
                                    &l->x[other].record);
            }
            if (k > m || (k == m && !is_first)) {
                gone = best;
                best = other;
            }
            lr_free(l->x[gone].text);
            l->x[gone].text = NULL;
        }
    }
    lr_free(places);
    return LR_OK;
}

enum lr_status lr_journal_verify(struct lr_journal_counts *c, const char *path,
                                 const struct lr_journal_conflicts *conflicts,
                                 struct lr_err *e)
{
    struct lines l = {0};
    struct stat st = {0};

    *c = (struct lr_journal_counts){0};
    enum lr_status rc = read_file(&l, &st, path, false, e);
    if (rc == LR_OK)
        rc = settle(&l, false, &c->n_repeated, &c->n_conflicts, conflicts, e);
    if (rc == LR_OK) {
        c->n_lines = l.n_lines;
        c->n_bytes = (int64_t)st.st_size;
        c->n_formats = l.n_formats;
        c->n_versions = l.n_versions;
        c->n_damaged = l.n_damaged;
        c->first_damaged = l.first_damaged;
        c->n_kept = (int64_t)l.n - l.n_formats - c->n_repeated;
        snprintf(c->why, sizeof(c->why), "%s", l.why);
    }
    lines_free(&l);
    return rc;
}

/* Puts the lines that stay in the place of the file. */
static enum lr_status write_lines(int64_t *n_left, const struct lines *l,
                                  const char *path, struct lr_err *e)
{
    struct lr_file f;
    enum lr_status rc = lr_file_begin(&f, path, e);

    *n_left = 0;
    if (rc != LR_OK)
        return rc;
    for (size_t i = 0; i < l->n; i++) {
        if (!l->x[i].text)
            continue;
        fwrite(l->x[i].text, 1, l->x[i].len, f.fp); /* commit sees what failed */
        putc('\n', f.fp);
        ++*n_left;
    }
    return lr_file_commit(&f, e);
}

enum lr_status lr_journal_prune(int64_t *n_removed, int64_t *n_left, const char *path,
                                const struct lr_journal_prune *o, struct lr_err *e)
{
    struct lines l = {.keeps_damaged = !o->damaged};
    int64_t n_repeated, n_conflicts;
    int fd = -1;

    *n_removed = *n_left = 0;
    if (access(path, F_OK) != 0)
        return LR_OK; /* nothing was kept yet */
    enum lr_status rc = journal_lock(&fd, path, e);
    if (rc != LR_OK)
        return rc;
    if ((rc = read_lines(&l, fd, path, e)) != LR_OK ||
        (rc = settle(&l, false, &n_repeated, &n_conflicts, NULL, e)) != LR_OK)
        goto out;
    for (size_t i = 0; i < l.n; i++) {
        struct line *x = &l.x[i];
        bool is_old = !x->is_format && o->before > 0 && x->record.when < o->before;
        bool is_other =
            o->other_versions && !x->is_format &&
            (!x->record.version || strcmp(x->record.version, PACKAGE_VERSION) != 0);
        if (is_old || is_other) {
            lr_free(x->text);
            x->text = NULL;
        }
    }
    rc = write_lines(n_left, &l, path, e);
    *n_removed = l.n_lines - *n_left;
out:
    close(fd);
    lines_free(&l);
    return rc;
}

enum lr_status lr_journal_merge(struct lr_journal_merged *m, const char *path,
                                const char *const *files, int n,
                                enum lr_journal_prefer prefer,
                                const struct lr_journal_conflicts *conflicts,
                                struct lr_err *e)
{
    struct lines l = {.keeps_damaged = true};
    struct stat st;
    int64_t n_repeated = 0;
    int fd = -1;

    *m = (struct lr_journal_merged){0};
    enum lr_status rc = journal_lock(&fd, path, e);
    if (rc != LR_OK)
        return rc;
    if ((rc = read_lines(&l, fd, path, e)) != LR_OK)
        goto out;
    int64_t n_own = (int64_t)l.n, n_own_damaged = l.n_damaged;
    l.keeps_damaged = false; /* of the others */
    for (int i = 0; i < n; i++)
        if ((rc = read_file(&l, &st, files[i], true, e)) != LR_OK)
            goto out;
    m->n_damaged = l.n_damaged - n_own_damaged;
    rc =
        settle(&l, prefer != LR_JOURNAL_LAST, &n_repeated, &m->n_conflicts, conflicts, e);
    if (rc != LR_OK)
        goto out;
    if (m->n_conflicts && prefer == LR_JOURNAL_REFUSE) {
        rc = lr_err_set(e, LR_EINVAL,
                        "%lld record%s of the same question with another result",
                        (long long)m->n_conflicts, m->n_conflicts == 1 ? "" : "s");
        goto out;
    }
    rc = write_lines(&m->n_left, &l, path, e);
    for (size_t i = (size_t)n_own; i < l.n; i++)
        if (l.x[i].text)
            m->n_added++;
    m->n_known = (int64_t)l.n - n_own - m->n_added;
out:
    close(fd);
    lines_free(&l);
    return rc;
}
