/* What is sampled where. Positions depend on (seed, image, map size) alone, so two
 * networks, or two values of equal size in one network, are sampled at the same places.
 * The images are put into a seeded random order whose end is held out; all rows of one
 * image stay together, because positions of one image are too alike for an honest
 * held-out error. */
#include "approx/draw.h"

#include "ranklab/mem.h"
#include "ranklab/rng.h"

void lr_sampling_default(struct lr_sampling *s)
{
    *s = (struct lr_sampling){
        .n_positions = 10, .seed = 1, .valid_share = 0.1, .held_share = 0.1};
}

static int64_t share_of(double share, int64_t n)
{
    if (!(share > 0))
        return 0;
    int64_t k = (int64_t)((share < 1 ? share : 1) * (double)n + 0.5);
    return k == 0 && n >= 4 ? 1 : k;
}

/* Numbers of images in the three parts; at least one is always fitted. */
static void split_images(int64_t *n_valid, int64_t *n_held, int64_t n,
                         const struct lr_sampling *opts)
{
    int64_t held = share_of(opts->held_share, n), valid = share_of(opts->valid_share, n);

    if (held > n - 1)
        held = n - 1;
    if (valid > n - 1 - held)
        valid = n - 1 - held;
    *n_valid = valid;
    *n_held = held;
}

void lr_sampling_split(size_t *n_fit, size_t *n_valid, size_t *n_held, size_t n,
                       int64_t n_images, const struct lr_sampling *opts)
{
    int64_t valid = 0, held = 0;

    *n_fit = *n_valid = *n_held = 0;
    if (n_images < 1)
        return;
    split_images(&valid, &held, n_images, opts);
    size_t per_image = n / (size_t)n_images;
    *n_valid = (size_t)valid * per_image;
    *n_held = (size_t)held * per_image;
    *n_fit = n - *n_valid - *n_held;
}

int64_t *lr_draw_order(int64_t n, uint64_t seed)
{
    int64_t *perm = lr_alloc((size_t)n, sizeof(*perm));
    int64_t *place = lr_alloc((size_t)n, sizeof(*place));
    struct lr_rng rng;

    if (perm && place) {
        lr_rng_seed(&rng, lr_hash(seed, UINT64_MAX, (uint64_t)n));
        lr_rng_permutation(&rng, perm, n);
        for (int64_t i = 0; i < n; i++)
            place[perm[i]] = i;
    } else {
        lr_free(place);
        place = NULL;
    }
    lr_free(perm);
    return place;
}

static bool contains(const int64_t *x, int n, int64_t v)
{
    for (int i = 0; i < n; i++)
        if (x[i] == v)
            return true;
    return false;
}

/* Floyd's algorithm. */
void lr_draw_positions(int64_t *pos, int n, int64_t h, int64_t w, uint64_t seed,
                       int64_t image)
{
    int64_t area = h * w;
    struct lr_rng rng;

    if (n == area) {
        for (int i = 0; i < n; i++)
            pos[i] = i;
        return;
    }
    lr_rng_seed(&rng, lr_hash(seed, (uint64_t)image, (uint64_t)h << 32 | (uint64_t)w));
    for (int i = 0; i < n; i++) {
        int64_t last = area - n + i;
        int64_t p = (int64_t)lr_rng_below(&rng, (uint64_t)last + 1);
        pos[i] = contains(pos, i, p) ? last : p;
    }
}
