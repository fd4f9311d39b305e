/* A folder may hold more pictures than anybody wants to wait for, and any of them may be
 * damaged. So the set is defined by the files alone, whoever asks first: image i is the
 * i-th picture that can be read, in the order drawn. To know image i all before it are
 * looked at; those that cannot be read are named, skipped and counted, the next in the
 * order takes the place, and where none is left the set is smaller. Commands make known
 * (settle) the images they are about to use, always from the first one on, before they
 * cut the set into parts or run anything; what is known therefore never changes, and what
 * is computed does not depend on the command that met the damage.
 * A picture is known once it was decoded, in this session or, by what the memo holds, in
 * an earlier one. Some of the first are kept in memory, the rest is decoded again when it
 * is needed, against the digest of the first time. Work is cut into small pieces so that
 * ^C is heard; a piece is decoded by all threads. */
#include "pictures.h"

#include <string.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "array.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"

static const size_t MAX_FILE = (size_t)1 << 28, MAX_CACHE = (size_t)1 << 30,
                    MAX_SHARED = (size_t)1 << 32, BLOCK_BYTES = (size_t)1 << 22;
/* At opening what is remembered is taken over, and the first pictures are decoded, so
 * that what is wrong with all of them is told at once. */
static const size_t PIECE_BYTES = (size_t)1 << 28;
enum { PIECE = 16, MAX_NAMED = 100, BYTES_PER_PIXEL = 16 };

struct one {
    char digest[DATA_DIGEST + 1];
    int size[2];
    struct stat info;
    int64_t now;
    bool is_known; /* nothing was decoded */
    struct lr_err err;
    enum lr_status status;
};

static int n_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* What one picture may take while all threads decode. Under a limit the account decides:
 * those for which nothing is left are put off until no other one is decoded. */
static size_t parallel_share(void)
{
    const int n = n_threads();

    return lr_mem_limit() ? lr_mem_limit() : MAX_SHARED / (size_t)n + 1;
}

static bool may_be_put_off(const struct one *o)
{
    return o->status == LR_EUNSUP || o->status == LR_ENOMEM;
}

/* Reads, hashes and decodes entry k of the folder; expected: the digest it must have, or
 * NULL. */
static void take(struct one *o, unsigned char *out, const struct data_pictures *p,
                 int64_t k, const char *expected, size_t max_bytes)
{
    char *path = data_folder_file(&p->folder, k), *data = NULL;
    size_t n = 0;

    o->err = (struct lr_err){0};
    o->is_known = false;
    o->now = time(NULL);
    o->info = (struct stat){0};
    if (path)
        stat(path, &o->info);
    o->status = path ? lr_file_read(&data, &n, path, MAX_FILE, &o->err)
                     : lr_enomem(&o->err, 1, "a path");
    if (o->status == LR_OK) {
        lr_sha256(o->digest, data, n);
        if (expected && memcmp(o->digest, expected, DATA_DIGEST) != 0)
            o->status =
                lr_err_set(&o->err, LR_EIO, "has changed since it was first read");
        else
            o->status = data_picture_fit(out, o->size, (unsigned char *)data, n, &p->fit,
                                         max_bytes, &o->err);
        if (o->status != LR_OK)
            data_prefix_path(&o->err, path);
    }
    lr_free(data);
    lr_free(path);
}

/* Takes entry k from the memo. */
static bool recall(struct one *o, const struct data_pictures *p, int64_t k)
{
    char *path = data_folder_file(&p->folder, k);
    const struct data_known *known = NULL;

    if (path && p->memo.known[k].w > 0 && stat(path, &o->info) == 0)
        known = data_memo_find(&p->memo, k, &o->info);
    lr_free(path);
    if (!known || !data_picture_fits(known->w, known->h, &p->fit, lr_mem_limit()))
        return false;
    memcpy(o->digest, known->digest, DATA_DIGEST);
    o->size[0] = known->w;
    o->size[1] = known->h;
    o->is_known = true;
    o->status = LR_OK;
    return true;
}

/* ---- kept in memory ---- */

static int64_t per_block(const struct data_pictures *p)
{
    return p->size < BLOCK_BYTES ? (int64_t)(BLOCK_BYTES / p->size) : 1;
}

static unsigned char *room_of(const struct data_pictures *p, int64_t i)
{
    unsigned char *block = i < p->cap_cached ? p->blocks[i / per_block(p)] : NULL;

    return block ? block + (size_t)(i % per_block(p)) * p->size : NULL;
}

void data_pictures_make_room(struct data_pictures *p, int64_t first, int64_t n)
{
    const size_t refused = lr_mem_refused();

    for (int64_t i = first; i < first + n && i < p->cap_cached; i++)
        if (!p->blocks[i / per_block(p)])
            p->blocks[i / per_block(p)] = lr_alloc((size_t)per_block(p), p->size);
    lr_mem_forget_refused(refused);
}

static void keep_pixels(struct data_pictures *p, int64_t i, const unsigned char *image)
{
    unsigned char *room = room_of(p, i);

    if (!room)
        return;
    memcpy(room, image, p->size);
    p->is_cached[i] = true;
}

size_t data_pictures_room(const struct data_pictures *p)
{
    const size_t share = parallel_share(), pixels = (size_t)p->max_pixels;
    size_t n = 0, each = pixels * BYTES_PER_PIXEL + p->size;

    for (int64_t i = 0; i < p->cap_cached && i < p->n; i += per_block(p))
        n += p->blocks[i / per_block(p)] ? 0 : (size_t)per_block(p) * p->size;
    return n + (each < share ? each : share) * (size_t)n_threads();
}

/* ---- settling ---- */

static int64_t entry_at(const struct data_pictures *p, int64_t at)
{
    return p->drawn ? p->drawn[at] : at;
}

static void keep(struct data_pictures *p, const struct one *o, const unsigned char *image,
                 int64_t k)
{
    const int64_t pixels = (int64_t)o->size[0] * o->size[1];

    p->order[p->n] = k;
    memcpy(p->digests + (size_t)p->n * DATA_DIGEST, o->digest, DATA_DIGEST);
    p->max_pixels = pixels > p->max_pixels ? pixels : p->max_pixels;
    if (!o->is_known) {
        data_pictures_make_room(p, p->n, 1);
        keep_pixels(p, p->n, image);
        data_memo_add(&p->memo, k, &o->info, o->now, o->size[0], o->size[1], o->digest);
    }
    p->n++;
}

static void skip(struct data_pictures *p, const struct one *o,
                 const struct lr_notes *notes)
{
    if (p->n_skipped++ < MAX_NAMED)
        lr_note(notes, LR_NOTE_WARNING, "skipped: %s", o->err.msg);
}

/* The next n entries; *budget is how many are still to be decoded. */
static enum lr_status settle_piece(struct data_pictures *p, int64_t *budget,
                                   struct one *ones, unsigned char *images, int64_t n,
                                   const struct lr_notes *notes, struct lr_err *e)
{
    const size_t refused = lr_mem_refused(), share = parallel_share();

#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < n; i++)
        if (!recall(&ones[i], p, entry_at(p, p->at + i)))
            take(&ones[i], images + (size_t)i * p->size, p, entry_at(p, p->at + i), NULL,
                 share);
    lr_mem_forget_refused(refused);
    for (int64_t i = 0; i < n; i++)
        if (may_be_put_off(&ones[i]))
            take(&ones[i], images + (size_t)i * p->size, p, entry_at(p, p->at + i), NULL,
                 lr_mem_limit());
    for (int64_t i = 0; i < n; i++, p->at++) {
        *budget -= !ones[i].is_known;
        if (ones[i].status == LR_OK) {
            keep(p, &ones[i], images + (size_t)i * p->size, entry_at(p, p->at));
        } else if (ones[i].status == LR_ENOMEM) {
            *e = ones[i].err;
            return LR_ENOMEM;
        } else {
            skip(p, &ones[i], notes);
        }
    }
    return LR_OK;
}

bool data_pictures_all_known(const struct data_pictures *p)
{
    return p->n == p->want || p->at == p->folder.n;
}

static enum lr_status settle(struct data_pictures *p, int64_t n, int64_t budget,
                             const struct lr_notes *notes,
                             const struct lr_progress *progress, struct lr_err *e)
{
    const int64_t before = p->n;
    const size_t few = PIECE_BYTES / p->size, piece = few < 1       ? 1
                                                      : few < PIECE ? few
                                                                    : PIECE;
    struct one *ones = lr_calloc(piece, sizeof(*ones));
    unsigned char *images = lr_alloc(piece, p->size);
    enum lr_status st =
        ones && images ? LR_OK : lr_enomem(e, piece * p->size, "pictures");

    while (st == LR_OK && budget > 0 && p->n < n && p->at < p->folder.n) {
        int64_t size = n - p->n < (int64_t)piece ? n - p->n : (int64_t)piece;
        st = lr_progress_tick(progress, (double)(p->n - before) / (double)(n - before),
                              "reading pictures", e);
        if (st == LR_OK)
            st = settle_piece(p, &budget, ones, images,
                              size < p->folder.n - p->at ? size : p->folder.n - p->at,
                              notes, e);
    }
    lr_free(ones);
    lr_free(images);
    return st;
}

static enum lr_status settle_and_tell(struct data_pictures *p, int64_t n, int64_t budget,
                                      const struct lr_notes *notes,
                                      const struct lr_progress *progress,
                                      struct lr_err *e)
{
    const int64_t skipped = p->n_skipped > MAX_NAMED ? p->n_skipped : MAX_NAMED;
    struct lr_err why = {0};
    enum lr_status st = settle(p, n, budget, notes, progress, e);

    if (p->n_skipped > skipped)
        lr_note(notes, LR_NOTE_WARNING, "skipped: %lld more",
                (long long)(p->n_skipped - skipped));
    bool *is_told = p->is_forgetting_told ? p->is_forgetting_told : &p->is_told;
    if (data_memo_save(&p->memo, &p->folder, &why) != LR_OK && !*is_told) {
        lr_note(notes, LR_NOTE_INFO,
                "what was read of the pictures is not remembered: %s", why.msg);
        *is_told = true;
    }
    return st;
}

enum lr_status data_pictures_settle(struct data_pictures *p, int64_t n,
                                    const struct lr_notes *notes,
                                    const struct lr_progress *progress, struct lr_err *e)
{
    if (n > p->want)
        n = p->want;
    if (n <= p->n || data_pictures_all_known(p))
        return LR_OK;
    return settle_and_tell(p, n, INT64_MAX, notes, progress, e);
}

static enum lr_status prepare(struct data_pictures *p, struct lr_err *e)
{
    size_t limit = lr_mem_limit() ? lr_mem_limit() / 4 : MAX_CACHE;

    p->size = (size_t)p->fit.crop_h * (size_t)p->fit.crop_w * (size_t)p->fit.c;
    p->order = lr_alloc((size_t)p->want, sizeof(*p->order));
    p->digests = lr_alloc((size_t)p->want, DATA_DIGEST);
    p->cap_cached = (int64_t)((limit < MAX_CACHE ? limit : MAX_CACHE) / p->size);
    if (p->cap_cached > p->want)
        p->cap_cached = p->want;
    p->blocks = lr_calloc((size_t)(p->cap_cached / per_block(p)) + 1, sizeof(*p->blocks));
    p->is_cached = lr_calloc((size_t)p->cap_cached, sizeof(*p->is_cached));
    if (!p->order || !p->digests || !p->blocks || !p->is_cached)
        return lr_enomem(e, (size_t)p->want * DATA_DIGEST, "pictures");
    return data_memo_open(&p->memo, &p->folder, e);
}

enum lr_status data_pictures_open(struct data_pictures *p, const struct lr_notes *notes,
                                  const struct lr_progress *progress, struct lr_err *e)
{
    enum lr_status st = prepare(p, e);

    if (st != LR_OK)
        return st;
    st = settle_and_tell(p, p->want, DATA_FIRST, notes, progress, e);
    if (st == LR_OK && p->n == 0)
        st = settle_and_tell(p, 1, INT64_MAX, notes, progress, e);
    if (st == LR_OK && p->n == 0) {
        st = lr_err_set(e, LR_EINVAL, "none of its %lld pictures can be read",
                        (long long)p->n_skipped);
        data_prefix_path(e, p->folder.path);
    }
    return st;
}

void data_pictures_free(struct data_pictures *p)
{
    for (int64_t i = 0; p->blocks && i < p->cap_cached; i += per_block(p))
        lr_free(p->blocks[i / per_block(p)]);
    lr_free(p->blocks);
    lr_free(p->is_cached);
    data_memo_free(&p->memo);
    data_folder_free(&p->folder);
    lr_free(p->drawn);
    lr_free(p->order);
    lr_free(p->digests);
    *p = (struct data_pictures){0};
}

enum lr_status data_pictures_get(unsigned char *out, struct data_pictures *p, int64_t i,
                                 bool is_alone, struct lr_err *e)
{
    struct one o;

    if (i < p->cap_cached && p->is_cached[i]) {
        memcpy(out, room_of(p, i), p->size);
        return LR_OK;
    }
    take(&o, out, p, p->order[i], p->digests + (size_t)i * DATA_DIGEST,
         is_alone ? lr_mem_limit() : parallel_share());
    if (o.status == LR_OK)
        keep_pixels(p, i, out);
    if (is_alone && o.status == LR_EPARSE && p->memo.known[p->order[i]].w > 0) {
        /* Remembered, but it cannot be decoded: another library, perhaps. */
        data_memo_forget(&p->memo, p->order[i]);
        data_memo_save(&p->memo, &p->folder, NULL);
        struct lr_err why = o.err;
        lr_err_set(&o.err, LR_EPARSE,
                   "%s; it could be read earlier: name the folder again by data, to go "
                   "on without this picture",
                   why.msg);
    }
    if (o.status != LR_OK && e)
        *e = o.err;
    return o.status;
}
