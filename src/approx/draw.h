/* Order of images and positions in them, for sampling. */
#ifndef RANKLAB_APPROX_DRAW_H
#define RANKLAB_APPROX_DRAW_H

#include "ranklab/approx.h"

/* [image]: its rank in the seeded order of n images; to be freed, NULL without memory. */
int64_t *lr_draw_order(int64_t n, uint64_t seed);
/* n distinct positions of an h x w map, all of them when n == h w. */
void lr_draw_positions(int64_t *pos, int n, int64_t h, int64_t w, uint64_t seed,
                       int64_t image);

#endif
