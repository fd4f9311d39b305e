/* Activations of one value for all images, from one pass over a network to the next: in
 * memory, or in a file without a name. */
#include "ranklab/approx.h"

#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/spill.h"

void lr_kept_free(struct lr_kept *k)
{
    if (!k)
        return;
    lr_free(k->x);
    lr_spill_free(k->file);
    *k = (struct lr_kept){0};
}

bool lr_kept_is_there(const struct lr_kept *k)
{
    return k && (k->x || k->file);
}

enum lr_status lr_kept_make_room(struct lr_kept *k, int64_t n, size_t per_image,
                                 struct lr_err *e)
{
    size_t bytes;

    k->n = n;
    k->per_image = per_image;
    k->x = NULL;
    k->file = NULL;
    if (n < 0 || __builtin_mul_overflow((size_t)n, per_image * sizeof(float), &bytes) ||
        bytes > INT64_MAX / 2)
        return lr_enomem(e, SIZE_MAX, "activations");
    if (k->is_spilled)
        return lr_spill_new(&k->file, (int64_t)bytes, e);
    k->x = lr_alloc((size_t)n * per_image, sizeof(float));
    return k->x ? LR_OK : lr_enomem(e, bytes, "activations");
}

enum lr_status lr_kept_put(struct lr_kept *k, int64_t first, int64_t n, const float *x,
                           struct lr_err *e)
{
    size_t at = (size_t)first * k->per_image, count = (size_t)n * k->per_image;

    if (k->file)
        return lr_spill_write(k->file, (int64_t)(at * sizeof(float)), x,
                              count * sizeof(float), e);
    memcpy(k->x + at, x, count * sizeof(float));
    return LR_OK;
}

enum lr_status lr_kept_get(const float **x, const struct lr_kept *k, int64_t first,
                           int64_t n, float *buf, struct lr_err *e)
{
    size_t at = (size_t)first * k->per_image, count = (size_t)n * k->per_image;

    *x = k->file ? buf : k->x + at;
    if (!k->file)
        return LR_OK;
    return lr_spill_read(k->file, (int64_t)(at * sizeof(float)), buf,
                         count * sizeof(float), e);
}
