/* Resizing and the cut of the middle. The filter is a triangle whose support grows with
 * the reduction, so that every pixel of the source counts; weights are normalised and
 * used in fixed point, rows first, with 8 bits in between: the arithmetic of Pillow's
 * bilinear. No library among those of Debian that fit here has it. */
#include "picture.h"

#include <math.h>
#include <string.h>

#include "ranklab/mem.h"

enum { PRECISION = 22 };

/* For every output position the first source position and n weights. */
struct kernel {
    int size;
    int *first, *n;
    int32_t *weights;
};

static void kernel_free(struct kernel *k)
{
    lr_free(k->first);
    lr_free(k->n);
    lr_free(k->weights);
}

static enum lr_status kernel_make(struct kernel *k, int from, int to, struct lr_err *e)
{
    double scale = (double)from / to, support = scale > 1 ? scale : 1;

    k->size = (int)ceil(support) * 2 + 1;
    k->first = lr_alloc((size_t)to, sizeof(int));
    k->n = lr_alloc((size_t)to, sizeof(int));
    k->weights = lr_alloc((size_t)to, (size_t)k->size * sizeof(int32_t));
    double *w = lr_alloc((size_t)k->size, sizeof(double));
    if (!k->first || !k->n || !k->weights || !w) {
        lr_free(w);
        return lr_enomem(e, (size_t)to * (size_t)k->size * sizeof(int32_t), "resizing");
    }
    for (int i = 0; i < to; i++) {
        double center = (i + 0.5) * scale, sum = 0;
        int lo = (int)(center - support + 0.5), hi = (int)(center + support + 0.5);
        lo = lo < 0 ? 0 : lo;
        hi = hi > from ? from : hi;
        for (int j = lo; j < hi; j++) {
            double x = fabs((j - center + 0.5) / support);
            w[j - lo] = x < 1 ? 1 - x : 0;
            sum += w[j - lo];
        }
        for (int j = 0; j < hi - lo; j++)
            k->weights[(size_t)i * (size_t)k->size + (size_t)j] =
                (int32_t)(0.5 + w[j] / sum * (1 << PRECISION));
        k->first[i] = lo;
        k->n[i] = hi - lo;
    }
    lr_free(w);
    return LR_OK;
}

/* out[i] = sum_j weight * in[j] at element steps. */
static void filter(unsigned char *out, size_t out_step, const unsigned char *in,
                   size_t in_step, const struct kernel *k, int to)
{
    for (int i = 0; i < to; i++) {
        const int32_t *w = k->weights + (size_t)i * (size_t)k->size;
        const unsigned char *p = in + (size_t)k->first[i] * in_step;
        int64_t sum = 1 << (PRECISION - 1);
        for (int j = 0; j < k->n[i]; j++)
            sum += (int64_t)w[j] * p[(size_t)j * in_step];
        sum >>= PRECISION;
        out[(size_t)i * out_step] = (unsigned char)(sum > 255 ? 255 : sum);
    }
}

enum lr_status data_picture_resize(struct data_picture *to,
                                   const struct data_picture *from, struct lr_err *e)
{
    struct kernel across = {0}, down = {0};
    size_t c = (size_t)from->c, w = (size_t)to->w, row = w * c;
    unsigned char *middle = lr_alloc((size_t)from->h, row);

    to->c = from->c;
    to->pixels = lr_alloc((size_t)to->h, row);
    enum lr_status st =
        middle && to->pixels ? LR_OK : lr_enomem(e, (size_t)from->h * row, "resizing");
    if (st == LR_OK)
        st = kernel_make(&across, from->w, to->w, e);
    if (st == LR_OK)
        st = kernel_make(&down, from->h, to->h, e);
    for (int y = 0; st == LR_OK && y < from->h; y++)
        for (size_t k = 0; k < c; k++)
            filter(middle + (size_t)y * row + k, c,
                   from->pixels + (size_t)y * (size_t)from->w * c + k, c, &across, to->w);
    for (size_t x = 0; st == LR_OK && x < row; x++)
        filter(to->pixels + x, row, middle + x, row, &down, to->h);
    kernel_free(&across);
    kernel_free(&down);
    lr_free(middle);
    if (st != LR_OK)
        data_picture_free(to);
    return st;
}

/* The size before the cut. The longer side is cut down to a whole number, as torchvision
 * does; where it only has to cover the cut it is rounded up to that. */
static void size_before(struct data_picture *to, const struct data_picture *from,
                        const struct data_fit *f)
{
    int64_t side = f->resize_h;

    to->w = from->w;
    to->h = from->h;
    if (f->resize_w) {
        to->h = f->resize_h;
        to->w = f->resize_w;
    } else if (side && from->w <= from->h) {
        to->w = f->resize_h;
        to->h = (int)(side * from->h / from->w);
    } else if (side) {
        to->h = f->resize_h;
        to->w = (int)(side * from->w / from->h);
    } else if (from->w != f->crop_w || from->h != f->crop_h) {
        double by = fmax((double)f->crop_w / from->w, (double)f->crop_h / from->h);
        to->w = (int)fmax(f->crop_w, rint(by * from->w));
        to->h = (int)fmax(f->crop_h, rint(by * from->h));
    }
}

/* The size before the cut; an error when nothing can be cut from it. */
static enum lr_status plan(struct data_picture *r, const struct data_picture *p,
                           const struct data_fit *f, struct lr_err *e)
{
    size_before(r, p, f);
    if (r->w < f->crop_w || r->h < f->crop_h)
        return lr_err_set(e, LR_ESHAPE, "%dx%d pixels, too few to cut %dx%d from", r->w,
                          r->h, f->crop_w, f->crop_h);
    /* A sliver can become very long. */
    if ((int64_t)r->w * r->h > 1 << 28)
        return lr_err_set(e, LR_EUNSUP, "%dx%d pixels become too many", p->w, p->h);
    return LR_OK;
}

bool data_picture_fits(int w, int h, const struct data_fit *f, size_t max_bytes)
{
    struct data_picture p = {.w = w, .h = h}, r = {0};

    return data_picture_check_size(w, h, max_bytes, NULL) == LR_OK &&
           plan(&r, &p, f, NULL) == LR_OK;
}

enum lr_status data_picture_fit(unsigned char *out, int size[2],
                                const unsigned char *data, size_t n,
                                const struct data_fit *f, size_t max_bytes,
                                struct lr_err *e)
{
    struct data_picture p, r = {0};
    enum lr_status st = data_picture_decode(&p, data, n, f->c, max_bytes, e);

    if (st != LR_OK)
        return st;
    if (size) {
        size[0] = p.w;
        size[1] = p.h;
    }
    if ((st = plan(&r, &p, f, e)) != LR_OK)
        goto out;
    if (r.w != p.w || r.h != p.h) {
        st = data_picture_resize(&r, &p, e);
        if (st != LR_OK)
            goto out;
        data_picture_free(&p);
        p = r;
        r = (struct data_picture){0};
    }
    size_t left = (size_t)lrint((p.w - f->crop_w) / 2.0);
    size_t top = (size_t)lrint((p.h - f->crop_h) / 2.0);
    size_t row = (size_t)f->crop_w * (size_t)f->c;
    for (size_t y = 0; y < (size_t)f->crop_h; y++)
        memcpy(out + y * row, p.pixels + ((top + y) * (size_t)p.w + left) * (size_t)p.c,
               row);
out:
    data_picture_free(&p);
    lr_free(r.pixels);
    return st;
}
