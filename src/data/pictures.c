/* Which pictures take part must be known before the first is used, and a file may be
 * damaged anywhere; so all are decoded once when the set is opened. A part is kept in
 * memory, the rest is decoded again, against the digest of the first time. Work is cut
 * into small pieces so that ^C is heard; a piece is decoded by all threads. */
#include "pictures.h"

#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "array.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"

static const size_t MAX_FILE = (size_t)1 << 28, MAX_CACHE = (size_t)1 << 30,
                    MAX_SHARED = (size_t)1 << 32;
enum { PIECE = 16, MAX_NAMED = 100 };

struct one {
    char digest[DATA_DIGEST + 1];
    struct lr_err err;
    enum lr_status status;
};

/* What one picture may take while all threads decode. Under a limit the account decides:
 * those for which nothing is left are put off until no other one is decoded. */
static size_t parallel_share(void)
{
    int n = 1;

#ifdef _OPENMP
    n = omp_get_max_threads();
#endif
    return lr_mem_limit() ? lr_mem_limit() : MAX_SHARED / (size_t)n + 1;
}

static bool may_be_put_off(const struct one *o)
{
    return o->status == LR_EUNSUP || o->status == LR_ENOMEM;
}

/* Reads, hashes and decodes entry k of the folder. */
static void take(struct one *o, unsigned char *out, const struct data_pictures *p,
                 int64_t k, size_t max_bytes)
{
    char *path = data_folder_file(&p->folder, k), *data = NULL;
    size_t n = 0;

    o->err = (struct lr_err){0};
    o->status = path ? lr_file_read(&data, &n, path, MAX_FILE, &o->err)
                     : lr_enomem(&o->err, 1, "a path");
    if (o->status == LR_OK) {
        lr_sha256(o->digest, data, n);
        o->status =
            data_picture_fit(out, (unsigned char *)data, n, &p->fit, max_bytes, &o->err);
        if (o->status != LR_OK)
            data_prefix_path(&o->err, path);
    }
    lr_free(data);
    lr_free(path);
}

static void keep(struct data_pictures *p, const struct one *o, const unsigned char *image,
                 int64_t k)
{
    p->order[p->n] = k;
    memcpy(p->digests + (size_t)p->n * DATA_DIGEST, o->digest, DATA_DIGEST);
    if (p->n < p->cap_cached) {
        memcpy(p->cache + (size_t)p->n * p->size, image, p->size);
        p->n_cached = p->n + 1;
    }
    p->n++;
}

static void skip(struct data_pictures *p, const struct one *o,
                 const struct lr_notes *notes)
{
    if (p->n_skipped++ < MAX_NAMED)
        lr_note(notes, LR_NOTE_WARNING, "skipped: %s", o->err.msg);
}

static enum lr_status prepare(struct data_pictures *p, int64_t want, struct lr_err *e)
{
    size_t limit = lr_mem_limit() ? lr_mem_limit() / 4 : MAX_CACHE;

    p->size = (size_t)p->fit.crop_h * (size_t)p->fit.crop_w * (size_t)p->fit.c;
    p->order = lr_alloc((size_t)want, sizeof(*p->order));
    p->digests = lr_alloc((size_t)want, DATA_DIGEST);
    p->cap_cached = (int64_t)((limit < MAX_CACHE ? limit : MAX_CACHE) / p->size);
    if (p->cap_cached > want)
        p->cap_cached = want;
    p->cache = lr_alloc((size_t)p->cap_cached, p->size);
    if (!p->order || !p->digests || !p->cache)
        return lr_enomem(e, (size_t)p->cap_cached * p->size, "pictures");
    return LR_OK;
}

enum lr_status data_pictures_open(struct data_pictures *p, const int64_t *perm,
                                  int64_t want, const struct lr_notes *notes,
                                  const struct lr_progress *progress, struct lr_err *e)
{
    struct one *ones = NULL;
    unsigned char *images = NULL;
    const size_t share = parallel_share();
    enum lr_status st = prepare(p, want, e);

    if (st != LR_OK)
        return st;
    ones = lr_calloc(PIECE, sizeof(*ones));
    images = lr_alloc(PIECE, p->size);
    if (!ones || !images)
        st = lr_enomem(e, PIECE * p->size, "pictures");
    for (int64_t at = 0, n; st == LR_OK && p->n < want && at < p->folder.n; at += n) {
        st = lr_progress_tick(progress, (double)p->n / (double)want, "reading pictures",
                              e);
        if (st != LR_OK)
            break;
        n = want - p->n < PIECE ? want - p->n : PIECE;
        n = p->folder.n - at < n ? p->folder.n - at : n;
        const size_t refused = lr_mem_refused();
#pragma omp parallel for schedule(dynamic)
        for (int64_t i = 0; i < n; i++)
            take(&ones[i], images + (size_t)i * p->size, p, perm ? perm[at + i] : at + i,
                 share);
        lr_mem_forget_refused(refused);
        for (int64_t i = 0; i < n; i++)
            if (may_be_put_off(&ones[i]))
                take(&ones[i], images + (size_t)i * p->size, p,
                     perm ? perm[at + i] : at + i, lr_mem_limit());
        for (int64_t i = 0; st == LR_OK && i < n; i++) {
            if (ones[i].status == LR_OK) {
                keep(p, &ones[i], images + (size_t)i * p->size,
                     perm ? perm[at + i] : at + i);
            } else if (ones[i].status == LR_ENOMEM) {
                *e = ones[i].err;
                st = LR_ENOMEM;
            } else {
                skip(p, &ones[i], notes);
            }
        }
    }
    if (st == LR_OK && p->n_skipped > MAX_NAMED)
        lr_note(notes, LR_NOTE_WARNING, "skipped: %lld more",
                (long long)(p->n_skipped - MAX_NAMED));
    if (st == LR_OK && p->n == 0) {
        st = lr_err_set(e, LR_EINVAL, "none of its %lld pictures can be read",
                        (long long)p->n_skipped);
        data_prefix_path(e, p->folder.path);
    }
    lr_free(ones);
    lr_free(images);
    return st;
}

void data_pictures_free(struct data_pictures *p)
{
    data_folder_free(&p->folder);
    lr_free(p->order);
    lr_free(p->digests);
    lr_free(p->cache);
    *p = (struct data_pictures){0};
}

enum lr_status data_pictures_get(unsigned char *out, const struct data_pictures *p,
                                 int64_t i, bool is_alone, struct lr_err *e)
{
    struct one o;

    if (i < p->n_cached) {
        memcpy(out, p->cache + (size_t)i * p->size, p->size);
        return LR_OK;
    }
    take(&o, out, p, p->order[i], is_alone ? lr_mem_limit() : parallel_share());
    if (o.status == LR_OK &&
        memcmp(o.digest, p->digests + (size_t)i * DATA_DIGEST, DATA_DIGEST) != 0) {
        o.status = lr_err_set(&o.err, LR_EIO, "has changed since it was opened");
        data_prefix_path(&o.err, p->folder.names[p->order[i]]);
    }
    if (o.status != LR_OK && e)
        *e = o.err;
    return o.status;
}
