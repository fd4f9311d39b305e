/* Decoding by the libraries that browsers and Pillow use: libjpeg-turbo for JPEG (also
 * BMP, PPM and PGM, which its TurboJPEG part reads), libpng, libwebp. None of them
 * prints, and each tells the size before it decodes. EXIF orientation, colour profiles
 * and gamma are left aside, as in the usual pipelines on Pillow; inverted CMYK as Adobe
 * writes it. */
#include "picture.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <turbojpeg.h>
#include <unistd.h>
#include <webp/decode.h>

#include "ranklab/mem.h"

enum { MAX_PIXELS = 1 << 28, MAX_SIDE = 1 << 16, BYTES_PER_PIXEL = 16 };
enum { BYTES_RESERVED = 8, RESERVE_ROWS = 1 << 16 };

void data_picture_free(struct data_picture *p)
{
    lr_free(p->pixels);
    lr_free(p->reserve);
    *p = (struct data_picture){0};
}

/* The libraries allocate by themselves: at most the coefficients of a progressive JPEG of
 * three full planes and some rows, or another copy of a PNG. Room for that is taken from
 * the account, so that pictures decoded at the same time stay within the limit. */
static enum lr_status reserve(struct data_picture *p, int64_t w, int64_t h,
                              struct lr_err *e)
{
    size_t n = (size_t)w * (size_t)h + RESERVE_ROWS;

    lr_free(p->reserve);
    p->reserve = lr_alloc(n, BYTES_RESERVED);
    return p->reserve ? LR_OK : lr_enomem(e, n * BYTES_RESERVED, "decoding a picture");
}

enum lr_status data_picture_check_size(int64_t w, int64_t h, size_t max_bytes,
                                       struct lr_err *e)
{
    if (w < 1 || h < 1)
        return lr_err_set(e, LR_EPARSE, "a picture of %lldx%lld pixels", (long long)w,
                          (long long)h);
    if (w > MAX_SIDE || h > MAX_SIDE || w > MAX_PIXELS / h ||
        (max_bytes && (size_t)(w * h) > max_bytes / BYTES_PER_PIXEL))
        return lr_err_set(e, LR_EUNSUP,
                          "%lldx%lld pixels are too many; %lld are taken at most",
                          (long long)w, (long long)h,
                          max_bytes && max_bytes / BYTES_PER_PIXEL < MAX_PIXELS
                              ? (long long)(max_bytes / BYTES_PER_PIXEL)
                              : (long long)MAX_PIXELS);
    return LR_OK;
}

enum lr_status data_picture_alloc(struct data_picture *p, size_t max_bytes,
                                  struct lr_err *e)
{
    enum lr_status st = data_picture_check_size(p->w, p->h, max_bytes, e);

    if (st != LR_OK)
        return st;
    if ((st = reserve(p, p->w, p->h, e)) != LR_OK)
        return st;
    size_t n = (size_t)p->w * (size_t)p->h;
    p->pixels = lr_alloc(n, (size_t)p->c);
    return p->pixels ? LR_OK : lr_enomem(e, n * (size_t)p->c, "a picture");
}

static int over_255(int product)
{
    int t = product + 128;

    return (t + (t >> 8)) >> 8;
}

/* Stored inverted: what is left of red is red times black. */
static enum lr_status from_cmyk(struct data_picture *p, tjhandle tj,
                                const unsigned char *data, size_t n, int flags,
                                struct lr_err *e)
{
    size_t size = (size_t)p->w * (size_t)p->h;
    unsigned char *four = lr_alloc(size, 4);

    if (!four)
        return lr_enomem(e, size * 4, "a picture");
    int rc = tjDecompress2(tj, data, n, four, p->w, 0, p->h, TJPF_CMYK, flags);
    for (size_t i = 0; rc == 0 && i < size; i++)
        for (int k = 0; k < 3; k++)
            p->pixels[3 * i + (size_t)k] =
                (unsigned char)over_255(four[4 * i + (size_t)k] * four[4 * i + 3]);
    lr_free(four);
    return rc == 0 ? LR_OK
                   : lr_err_set(e, LR_EPARSE, "damaged JPEG: %s", tjGetErrorStr2(tj));
}

static enum lr_status decode_jpeg(struct data_picture *p, const unsigned char *data,
                                  size_t n, size_t max_bytes, struct lr_err *e)
{
    const int flags = TJFLAG_LIMITSCANS;
    int subsampling, space;
    enum lr_status st;
    tjhandle tj = tjInitDecompress();

    if (!tj)
        return lr_enomem(e, 0, "libjpeg-turbo");
    if (tjDecompressHeader3(tj, data, n, &p->w, &p->h, &subsampling, &space) != 0) {
        st = lr_err_set(e, LR_EPARSE, "damaged JPEG: %s", tjGetErrorStr2(tj));
        goto out;
    }
    p->c = space == TJCS_GRAY ? 1 : 3;
    if ((st = data_picture_alloc(p, max_bytes, e)) != LR_OK)
        goto out;
    if (space == TJCS_CMYK || space == TJCS_YCCK)
        st = from_cmyk(p, tj, data, n, flags, e);
    else if (tjDecompress2(tj, data, n, p->pixels, p->w, 0, p->h,
                           p->c == 1 ? TJPF_GRAY : TJPF_RGB, flags) != 0)
        st = lr_err_set(e, LR_EPARSE, "damaged JPEG: %s", tjGetErrorStr2(tj));
out:
    tjDestroy(tj);
    return st;
}

static enum lr_status decode_webp(struct data_picture *p, const unsigned char *data,
                                  size_t n, size_t max_bytes, struct lr_err *e)
{
    WebPBitstreamFeatures f;

    if (WebPGetFeatures(data, n, &f) != VP8_STATUS_OK)
        return lr_err_set(e, LR_EPARSE, "damaged WebP");
    if (f.has_animation)
        return lr_err_set(e, LR_EUNSUP, "an animated WebP is no single picture");
    p->w = f.width;
    p->h = f.height;
    p->c = 3;
    enum lr_status st = data_picture_alloc(p, max_bytes, e);
    if (st != LR_OK)
        return st;
    if (!WebPDecodeRGBInto(data, n, p->pixels, 3 * (size_t)p->w * (size_t)p->h, 3 * p->w))
        return lr_err_set(e, LR_EPARSE, "damaged WebP");
    return LR_OK;
}

/* ---- BMP, PPM, PGM ---- */

static uint32_t little(const unsigned char *p, int n)
{
    uint32_t v = 0;

    for (int i = 0; i < n; i++)
        v |= (uint32_t)p[i] << (8 * i);
    return v;
}

/* A number of a PPM header after white space and comments; -1: none. */
static int64_t number_at(const unsigned char *data, size_t n, size_t *at)
{
    int64_t v = 0;
    size_t i = *at;

    while (i < n && (data[i] == '#' || strchr(" \t\r\n", data[i]))) {
        if (data[i] == '#')
            while (i < n && data[i] != '\n')
                i++;
        else
            i++;
    }
    size_t first = i;
    while (i < n && i < first + 9 && data[i] >= '0' && data[i] <= '9')
        v = 10 * v + data[i++] - '0';
    *at = i;
    return i > first ? v : -1;
}

/* The size that the header promises, against the bytes that are there: the library asks
 * for memory by the header alone. */
static enum lr_status check_plain(struct data_picture *p, const unsigned char *data,
                                  size_t n, size_t max_bytes, struct lr_err *e)
{
    int64_t w, h, least;

    if (data[0] == 'B') {
        if (n < 30)
            return lr_err_set(e, LR_EPARSE, "damaged BMP: cut short");
        bool is_old = little(data + 14, 4) == 12;
        w = is_old ? (int64_t)little(data + 18, 2)
                   : (int64_t)(int32_t)little(data + 18, 4);
        h = is_old ? (int64_t)little(data + 20, 2)
                   : (int64_t)(int32_t)little(data + 22, 4);
        if (h < 0)
            h = -h;
        least = (w + 7) / 8;
    } else {
        size_t at = 2;
        w = number_at(data, n, &at);
        h = number_at(data, n, &at);
        least = w;
    }
    enum lr_status st = data_picture_check_size(w, h, max_bytes, e);
    if (st == LR_OK && (size_t)(least * h) > n)
        st = lr_err_set(e, LR_EPARSE, "%zu bytes cannot hold %lldx%lld pixels", n,
                        (long long)w, (long long)h);
    return st == LR_OK ? reserve(p, w, h, e) : st;
}

/* TurboJPEG reads these by name only. */
static enum lr_status decode_plain(struct data_picture *p, const unsigned char *data,
                                   size_t n, size_t max_bytes, struct lr_err *e)
{
    int format =
        data[0] == 'P' && (data[1] == '2' || data[1] == '5') ? TJPF_GRAY : TJPF_RGB;
    unsigned char *pixels = NULL;
    char path[32];
    enum lr_status st = check_plain(p, data, n, max_bytes, e);

    if (st != LR_OK)
        return st;
    int fd = memfd_create("picture", MFD_CLOEXEC);
    if (fd < 0)
        return lr_err_set(e, LR_EIO, "no file in memory can be made");
    for (size_t at = 0; at < n;) {
        ssize_t k = write(fd, data + at, n - at);
        if (k <= 0) {
            st = lr_err_set(e, LR_EIO, "a file in memory cannot be written");
            goto out;
        }
        at += (size_t)k;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    pixels = tjLoadImage(path, &p->w, 1, &p->h, &format, 0);
    if (!pixels) {
        st = lr_err_set(e, LR_EPARSE, "damaged or unusual %s: %s",
                        data[0] == 'B' ? "BMP" : "PPM", tjGetErrorStr2(NULL));
        goto out;
    }
    p->c = format == TJPF_GRAY ? 1 : 3;
    st = data_picture_alloc(p, max_bytes, e);
    if (st == LR_OK)
        memcpy(p->pixels, pixels, (size_t)p->w * (size_t)p->h * (size_t)p->c);
out:
    tjFree(pixels);
    close(fd);
    return st;
}

/* ---- all ---- */

static enum lr_status decode(struct data_picture *p, const unsigned char *d, size_t n,
                             size_t max, struct lr_err *e)
{
    if (n >= 3 && d[0] == 0xFF && d[1] == 0xD8 && d[2] == 0xFF)
        return decode_jpeg(p, d, n, max, e);
    if (n >= 8 && memcmp(d, "\x89PNG\r\n\x1a\n", 8) == 0)
        return data_png_decode(p, d, n, max, e);
    if (n >= 12 && memcmp(d, "RIFF", 4) == 0 && memcmp(d + 8, "WEBP", 4) == 0)
        return decode_webp(p, d, n, max, e);
    if (n >= 2 &&
        ((d[0] == 'B' && d[1] == 'M') ||
         (d[0] == 'P' && (d[1] == '2' || d[1] == '3' || d[1] == '5' || d[1] == '6'))))
        return decode_plain(p, d, n, max, e);
    return lr_err_set(e, LR_EPARSE, "%s",
                      n ? "no JPEG, PNG, WebP, BMP, PPM or PGM" : "empty");
}

/* Grey by ITU-R 601 in fixed point; grey becomes colour by repetition. */
static enum lr_status to_channels(struct data_picture *p, int c, struct lr_err *e)
{
    size_t n = (size_t)p->w * (size_t)p->h;

    if (p->c == c)
        return LR_OK;
    unsigned char *to = lr_alloc(n, (size_t)c);
    if (!to)
        return lr_enomem(e, n * (size_t)c, "a picture");
    for (size_t i = 0; i < n; i++) {
        const unsigned char *x = p->pixels + i * (size_t)p->c;
        if (c == 1)
            to[i] =
                (unsigned char)((x[0] * 19595 + x[1] * 38470 + x[2] * 7471 + 0x8000) >>
                                16);
        else
            memset(to + 3 * i, x[0], 3);
    }
    lr_free(p->pixels);
    p->pixels = to;
    p->c = c;
    return LR_OK;
}

enum lr_status data_picture_decode(struct data_picture *p, const unsigned char *data,
                                   size_t n, int c, size_t max_bytes, struct lr_err *e)
{
    *p = (struct data_picture){0};
    enum lr_status st = decode(p, data, n, max_bytes, e);
    lr_free(p->reserve);
    p->reserve = NULL;
    if (st == LR_OK)
        st = to_channels(p, c, e);
    if (st != LR_OK)
        data_picture_free(p);
    return st;
}
