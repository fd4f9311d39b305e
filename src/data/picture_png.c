/* PNG by libpng, which reports through functions of ours and is left by longjmp. Palettes
 * and small depths are expanded, 16 bits cut to their upper 8, alpha dropped without
 * blending and gamma ignored, as pipelines built on Pillow do. */
#include <png.h>
#include <string.h>

#include "picture.h"
#include "ranklab/mem.h"

struct reading {
    const unsigned char *data;
    size_t n, at;
    char why[128];
};

static void take(png_structp png, png_bytep to, size_t n)
{
    struct reading *r = png_get_io_ptr(png);

    if (n > r->n - r->at)
        png_error(png, "it is cut short");
    memcpy(to, r->data + r->at, n);
    r->at += n;
}

static void fail(png_structp png, png_const_charp why)
{
    struct reading *r = png_get_error_ptr(png);

    strncpy(r->why, why, sizeof(r->why) - 1);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp why)
{
    (void)png;
    (void)why;
}

/* Texts and profiles are of no use here, and may be small in the file and large once
 * inflated. */
static void pass_over(png_structp png)
{
    static const png_byte names[] = "zTXt\0iTXt\0tEXt\0iCCP\0sPLT\0eXIf\0hIST";

    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names,
                                (int)(sizeof(names) / 5));
    png_set_chunk_cache_max(png, 16);
}

/* Header and transformations; the picture's size is known afterwards. */
static void prepare(struct data_picture *p, png_structp png, png_infop info)
{
    pass_over(png);
    png_read_info(png, info);
    int color = png_get_color_type(png, info);
    png_set_strip_16(png);
    png_set_expand(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    p->w = (int)png_get_image_width(png, info);
    p->h = (int)png_get_image_height(png, info);
    p->c = color & PNG_COLOR_MASK_COLOR ? 3 : 1;
    if (png_get_channels(png, info) != p->c)
        png_error(png, "unexpected channels");
}

enum lr_status data_png_decode(struct data_picture *p, const unsigned char *data,
                               size_t n, size_t max_bytes, struct lr_err *e)
{
    struct reading r = {.data = data, .n = n};
    png_infop info = NULL;
    png_bytep *volatile rows = NULL;
    volatile enum lr_status st = LR_OK;

    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, fail, ignore);
    if (png)
        info = png_create_info_struct(png);
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return lr_enomem(e, 0, "libpng");
    }
    if (setjmp(png_jmpbuf(png))) {
        st = lr_err_set(e, LR_EPARSE, "damaged PNG: %s", r.why);
        goto out;
    }
    png_set_read_fn(png, &r, take);
    prepare(p, png, info);
    if ((st = data_picture_alloc(p, max_bytes, e)) != LR_OK)
        goto out;
    rows = lr_alloc((size_t)p->h, sizeof(*rows));
    if (!rows) {
        st = lr_enomem(e, (size_t)p->h * sizeof(*rows), "a picture");
        goto out;
    }
    for (int y = 0; y < p->h; y++)
        rows[y] = p->pixels + (size_t)y * (size_t)p->w * (size_t)p->c;
    png_read_image(png, rows);
    png_read_end(png, NULL);
out:
    lr_free((void *)rows);
    png_destroy_read_struct(&png, &info, NULL);
    return st;
}
