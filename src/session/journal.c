/* The journal in memory: of each key the record that answers for it, found through a
 * table of hashes. Before every question the file is looked at: bytes that others
 * appended are read, and a file that was replaced is read from its beginning. The last
 * bytes that were read serve to know it again, because a new file may have the size and
 * even the inode of the old one. */
#include "session/journal_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ranklab/file.h"

struct entry {
    struct lr_record record;
    bool is_unsaved; /* could not be written yet */
};

struct lr_journal {
    char *path;
    struct lr_notes notes;
    struct entry *entries; /* in the order their keys came */
    size_t n, cap;
    uint32_t *slots; /* n_slots, a power of 2: index + 1 of an entry, 0: free */
    size_t n_slots;
    bool has_file;
    struct stat seen; /* the file when it was read last */
    int64_t end;      /* read so far */
    char anchor[JOURNAL_ANCHOR];
    int64_t n_damaged, n_formats;
    bool has_complained;
};

/* ---- the table ---- */

/* Keys are hashes already. */
static size_t slot_of(const struct lr_journal *j, const char *key)
{
    char head[17];

    memcpy(head, key, 16);
    head[16] = '\0';
    return (size_t)strtoull(head, NULL, 16) & (j->n_slots - 1);
}

static struct entry *find(const struct lr_journal *j, const char *key)
{
    if (j->n_slots == 0 || strlen(key) != 64)
        return NULL;
    for (size_t i = slot_of(j, key); j->slots[i]; i = (i + 1) & (j->n_slots - 1)) {
        struct entry *x = &j->entries[j->slots[i] - 1];
        if (strcmp(x->record.key, key) == 0)
            return x;
    }
    return NULL;
}

static void set_slot(struct lr_journal *j, size_t entry)
{
    size_t i = slot_of(j, j->entries[entry].record.key);

    while (j->slots[i])
        i = (i + 1) & (j->n_slots - 1);
    j->slots[i] = (uint32_t)entry + 1;
}

static enum lr_status make_room(struct lr_journal *j, struct lr_err *e)
{
    if (j->n == j->cap) {
        size_t cap = j->cap ? 2 * j->cap : 64;
        struct entry *larger = lr_realloc(j->entries, j->n, cap, sizeof(*larger));
        if (!larger)
            return lr_enomem(e, cap * sizeof(*larger), "the journal");
        j->entries = larger;
        j->cap = cap;
    }
    if (2 * (j->n + 1) > j->n_slots) {
        size_t n_slots = j->n_slots ? 2 * j->n_slots : 256;
        uint32_t *slots = lr_calloc(n_slots, sizeof(*slots));
        if (!slots)
            return lr_enomem(e, n_slots * sizeof(*slots), "the journal");
        lr_free(j->slots);
        j->slots = slots;
        j->n_slots = n_slots;
        for (size_t i = 0; i < j->n; i++)
            set_slot(j, i);
    }
    return LR_OK;
}

/* Takes *r over, on success only. */
static enum lr_status put(struct lr_journal *j, struct lr_record *r, bool is_unsaved,
                          struct lr_err *e)
{
    struct entry *x = find(j, r->key);

    if (x) {
        if (r->measure.images < x->record.measure.images) {
            lr_record_free(r);
            return LR_OK;
        }
        lr_record_free(&x->record);
    } else {
        enum lr_status rc = make_room(j, e);
        if (rc != LR_OK)
            return rc;
        x = &j->entries[j->n++];
        x->record = *r;
        set_slot(j, j->n - 1);
    }
    x->record = *r;
    x->is_unsaved = is_unsaved;
    *r = (struct lr_record){0};
    return LR_OK;
}

/* Forgets what is on the disk, and keeps what is not. */
static void forget(struct lr_journal *j)
{
    size_t n = 0;

    if (j->slots)
        memset(j->slots, 0, j->n_slots * sizeof(*j->slots));
    for (size_t i = 0; i < j->n; i++) {
        if (!j->entries[i].is_unsaved) {
            lr_record_free(&j->entries[i].record);
            continue;
        }
        j->entries[n] = j->entries[i];
        set_slot(j, n++);
    }
    j->n = n;
    j->has_file = false;
    j->end = 0;
    j->n_damaged = j->n_formats = 0;
}

/* ---- reading ---- */

static enum lr_status take_line(void *ctx, const char *line, size_t len, struct lr_err *e)
{
    struct lr_journal *j = ctx;
    struct lr_record r;
    struct lr_err why = {0};
    enum lr_status rc = LR_EPARSE;

    if (len == 0)
        return LR_OK;
    if (line)
        rc = journal_record_read(&r, line, len, &why);
    if (rc == LR_ENOMEM)
        return lr_err_set(e, rc, "%s", why.msg);
    if (rc == LR_EUNSUP)
        j->n_formats++;
    else if (rc != LR_OK)
        j->n_damaged++;
    if (rc != LR_OK)
        return LR_OK;
    rc = put(j, &r, false, e);
    lr_record_free(&r);
    return rc;
}

/* The bytes before end, which say whether this is the file that was read. */
static bool read_anchor(char anchor[JOURNAL_ANCHOR], int fd, int64_t end)
{
    int64_t n = end < JOURNAL_ANCHOR ? end : JOURNAL_ANCHOR;

    memset(anchor, 0, JOURNAL_ANCHOR);
    return pread(fd, anchor, (size_t)n, (off_t)(end - n)) == n;
}

static bool is_same_file(const struct lr_journal *j, int fd, const struct stat *st)
{
    char anchor[JOURNAL_ANCHOR];

    return st->st_dev == j->seen.st_dev && st->st_ino == j->seen.st_ino &&
           st->st_size >= j->end && read_anchor(anchor, fd, j->end) &&
           memcmp(anchor, j->anchor, JOURNAL_ANCHOR) == 0;
}

static bool is_unchanged(const struct lr_journal *j)
{
    struct stat st;

    if (stat(j->path, &st) != 0)
        return errno == ENOENT && !j->has_file;
    return j->has_file && st.st_dev == j->seen.st_dev && st.st_ino == j->seen.st_ino &&
           st.st_size == j->seen.st_size && st.st_mtim.tv_sec == j->seen.st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == j->seen.st_mtim.tv_nsec;
}

/* Brings the memory up to the file. */
static enum lr_status refresh(struct lr_journal *j, struct lr_err *e)
{
    const struct journal_scan scan = {take_line, j};
    struct stat st;
    int fd = -1;

    if (is_unchanged(j))
        return LR_OK;
    enum lr_status rc = journal_open_read(&fd, &st, j->path, e);
    if (rc != LR_OK)
        return rc;
    if (fd < 0 || (j->has_file && !is_same_file(j, fd, &st)))
        forget(j);
    if (fd < 0)
        return LR_OK;
    rc = journal_scan(&j->end, fd, j->path, j->end, &scan, e);
    if (rc == LR_OK && !read_anchor(j->anchor, fd, j->end))
        rc = journal_error(e, j->path, "read", errno ? errno : EIO);
    j->has_file = rc == LR_OK;
    j->seen = st;
    close(fd);
    if (rc != LR_OK) { /* all of it is read again, what is known stays */
        j->end = 0;
        j->n_damaged = j->n_formats = 0;
    }
    return rc;
}

static char *default_path(void)
{
    struct lr_strbuf b = {0};
    char *dir = lr_xdg_dir("cache", false);

    if (dir)
        lr_strbuf_printf(&b, "%s/journal.jsonl", dir);
    lr_free(dir);
    char *path = dir ? lr_strbuf_take(&b) : NULL;
    lr_strbuf_free(&b);
    return path;
}

enum lr_status lr_journal_open(struct lr_journal **out, const char *path,
                               const struct lr_notes *notes, struct lr_err *e)
{
    struct lr_journal *j = lr_calloc(1, sizeof(*j));
    enum lr_status rc;

    *out = NULL;
    if (!j)
        return lr_enomem(e, sizeof(*j), "the journal");
    if (notes)
        j->notes = *notes;
    j->path = path ? lr_strdup(path) : default_path();
    if (!j->path)
        rc = lr_err_set(e, LR_EIO, "there is no cache folder: set XDG_CACHE_HOME");
    else
        rc = refresh(j, e);
    if (rc != LR_OK) {
        lr_journal_close(j);
        return rc;
    }
    if (j->n_damaged)
        lr_note(&j->notes, LR_NOTE_WARNING,
                "journal: %lld damaged line%s passed over: see journal verify",
                (long long)j->n_damaged, j->n_damaged == 1 ? " is" : "s are");
    *out = j;
    return LR_OK;
}

void lr_journal_close(struct lr_journal *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->n; i++)
        lr_record_free(&j->entries[i].record);
    lr_free(j->entries);
    lr_free(j->slots);
    lr_free(j->path);
    lr_free(j);
}

const struct lr_record *lr_journal_find(struct lr_journal *j, const char *key)
{
    struct lr_err e = {0};

    /* What is in memory still holds when the file cannot be read any more. */
    if (refresh(j, &e) != LR_OK && !j->has_complained) {
        j->has_complained = true;
        lr_note(&j->notes, LR_NOTE_WARNING, "journal: %s", e.msg);
    }
    const struct entry *x = find(j, key);
    return x ? &x->record : NULL;
}

int64_t lr_journal_count(const struct lr_journal *j)
{
    return (int64_t)j->n;
}

const struct lr_record *lr_journal_at(const struct lr_journal *j, int64_t i)
{
    return i >= 0 && (size_t)i < j->n ? &j->entries[i].record : NULL;
}

/* ---- writing ---- */

static enum lr_status append(const struct lr_journal *j, int fd,
                             const struct lr_record *r, struct lr_err *e)
{
    struct lr_strbuf line = {0};
    enum lr_status rc = journal_record_write(&line, r, e);

    if (rc == LR_OK)
        rc = journal_append(fd, j->path, line.s, line.len, e);
    lr_strbuf_free(&line);
    return rc;
}

/* The folder of the default path is made with the first record. */
static enum lr_status lock(int *fd, const struct lr_journal *j, struct lr_err *e)
{
    char *path = default_path();

    if (path && strcmp(path, j->path) == 0)
        lr_free(lr_xdg_dir("cache", true));
    lr_free(path);
    return journal_lock(fd, j->path, e);
}

enum lr_status lr_journal_add(struct lr_journal *j, const struct lr_record *r,
                              struct lr_err *e)
{
    struct lr_strbuf line = {0};
    struct lr_record copy = {0};
    int fd = -1;

    /* A record that no reader would take is refused, not kept. */
    enum lr_status rc = journal_record_write(&line, r, e);
    lr_strbuf_free(&line);
    if (rc != LR_OK || (rc = journal_record_copy(&copy, r, e)) != LR_OK)
        return rc;
    if ((rc = lock(&fd, j, e)) == LR_OK)
        rc = append(j, fd, r, e);
    for (size_t i = 0; rc == LR_OK && i < j->n; i++)
        if (j->entries[i].is_unsaved &&
            append(j, fd, &j->entries[i].record, NULL) == LR_OK)
            j->entries[i].is_unsaved = false;
    if (fd >= 0)
        close(fd);
    if (rc != LR_OK) {
        enum lr_status kept = put(j, &copy, true, NULL);
        lr_record_free(&copy);
        return kept != LR_OK ? kept : rc;
    }
    lr_record_free(&copy);
    return refresh(j, e);
}
