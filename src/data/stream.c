/* A data file is read whole; a gzip file (several members included) is then inflated
 * piece by piece, as its readers ask for bytes. The header inside says how many bytes
 * follow: no more than that is ever inflated, and as deflate cannot shrink below 1:1032,
 * a promise the file is too short for is refused before memory is asked for. Trailing
 * zeros, which tapes and some tools add, are allowed after the last member. */
#include "stream.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "ranklab/file.h"
#include "ranklab/mem.h"

static const size_t MAX_FILE =
    SIZE_MAX / 4 < (size_t)1 << 38 ? SIZE_MAX / 4 : (size_t)1 << 38;
enum { MAX_RATIO = 1032, GZIP_WINDOW = 15 + 16, CHUNK = 1 << 30 };

static bool is_member(const char *p, size_t n)
{
    return n >= 2 && (unsigned char)p[0] == 0x1F && (unsigned char)p[1] == 0x8B;
}

enum lr_status data_stream_open(struct data_stream *s, const char *path, struct lr_err *e)
{
    struct stat info;

    *s = (struct data_stream){0};
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return lr_err_set(e, LR_EUNSUP, "is a folder; a file, idx or .npy, is expected");
    enum lr_status st = lr_file_read(&s->file, &s->len, path, MAX_FILE, e);
    if (st != LR_OK)
        return st;
    s->is_gzip = is_member(s->file, s->len);
    if (s->is_gzip) {
        if (inflateInit2(&s->z, GZIP_WINDOW) != Z_OK)
            return lr_enomem(e, 0, "inflating");
        s->is_open = true;
    }
    return LR_OK;
}

void data_stream_close(struct data_stream *s)
{
    if (s->is_open)
        inflateEnd(&s->z);
    lr_free(s->file);
    *s = (struct data_stream){0};
}

/* After the end of a member: the next one, or the end of the stream. */
static enum lr_status next_member(struct data_stream *s, struct lr_err *e)
{
    if (is_member(s->file + s->at, s->len - s->at)) {
        if (inflateReset(&s->z) != Z_OK)
            return lr_err_set(e, LR_EPARSE, "the gzip data cannot be continued");
        return LR_OK;
    }
    for (size_t i = s->at; i < s->len; i++)
        if (s->file[i] != 0)
            return lr_err_set(e, LR_EPARSE, "byte %zu: not gzip data", i);
    s->is_done = true;
    return LR_OK;
}

/* Up to n bytes; *got is less only at the end of the file. */
static enum lr_status inflate_some(struct data_stream *s, unsigned char *buf, size_t n,
                                   size_t *got, struct lr_err *e)
{
    *got = 0;
    while (*got < n && !s->is_done) {
        size_t in = s->len - s->at < CHUNK ? s->len - s->at : CHUNK;
        size_t out = n - *got < CHUNK ? n - *got : CHUNK;
        s->z.next_in = (Bytef *)(s->file + s->at);
        s->z.avail_in = (uInt)in;
        s->z.next_out = buf + *got;
        s->z.avail_out = (uInt)out;
        int rc = inflate(&s->z, Z_NO_FLUSH);
        s->at += in - s->z.avail_in;
        *got += out - s->z.avail_out;
        if (rc == Z_STREAM_END) {
            enum lr_status st = next_member(s, e);
            if (st != LR_OK)
                return st;
        } else if (rc == Z_MEM_ERROR) {
            return lr_enomem(e, 0, "inflating");
        } else if (rc == Z_BUF_ERROR || (rc == Z_OK && s->at == s->len && *got < n)) {
            if (in == 0 || s->at == s->len)
                return lr_err_set(e, LR_EPARSE, "the gzip data are cut short");
        } else if (rc != Z_OK) {
            return lr_err_set(e, LR_EPARSE,
                              "the gzip data are damaged near byte %zu (%s)", s->at,
                              s->z.msg ? s->z.msg : "unknown error");
        }
    }
    return LR_OK;
}

enum lr_status data_stream_read(struct data_stream *s, void *buf, size_t n,
                                const char *what, struct lr_err *e)
{
    size_t got = 0;

    if (s->is_gzip) {
        enum lr_status st = inflate_some(s, buf, n, &got, e);
        if (st != LR_OK)
            return st;
    } else {
        got = s->len - s->at < n ? s->len - s->at : n;
        memcpy(buf, s->file + s->at, got);
        s->at += got;
    }
    if (got < n && s->len == 0)
        return lr_err_set(e, LR_EPARSE, "the file is empty");
    if (got < n)
        return lr_err_set(e, LR_EPARSE, "ends after %zu of %zu bytes of %s", got, n,
                          what);
    return LR_OK;
}

/* The rest of a gzip file. */
static enum lr_status inflate_rest(struct data_stream *s, void **owner, size_t n,
                                   struct lr_err *e)
{
    unsigned char extra;
    size_t got = 0;

    if (n / MAX_RATIO > s->len)
        return lr_err_set(e, LR_EPARSE,
                          "%zu compressed bytes cannot hold the %zu the header promises",
                          s->len, n);
    *owner = lr_alloc(n, 1);
    if (!*owner)
        return lr_enomem(e, n, "the data file");
    enum lr_status st = inflate_some(s, *owner, n, &got, e);
    if (st == LR_OK && got < n)
        st = lr_err_set(e, LR_EPARSE, "ends after %zu of %zu bytes of data", got, n);
    /* One byte beyond also makes zlib verify the checksum at the end. */
    if (st == LR_OK)
        st = inflate_some(s, &extra, 1, &got, e);
    if (st == LR_OK && got > 0)
        st = lr_err_set(e, LR_EPARSE, "has more than the %zu bytes its header promises",
                        n);
    if (st != LR_OK) {
        lr_free(*owner);
        *owner = NULL;
    }
    return st;
}

enum lr_status data_stream_rest(struct data_stream *s, void **owner, unsigned char **data,
                                size_t n, struct lr_err *e)
{
    *owner = NULL;
    *data = NULL;
    if (s->is_gzip) {
        enum lr_status st = inflate_rest(s, owner, n, e);
        *data = *owner;
        return st;
    }
    size_t left = s->len - s->at;
    if (left < n)
        return lr_err_set(e, LR_EPARSE, "ends after %zu of %zu bytes of data", left, n);
    if (left > n)
        return lr_err_set(e, LR_EPARSE, "has %zu bytes more than its header promises",
                          left - n);
    *data = (unsigned char *)s->file + s->at;
    *owner = s->file;
    s->file = NULL;
    s->len = s->at = 0;
    return LR_OK;
}
