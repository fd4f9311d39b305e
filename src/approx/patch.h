/* Responses of one convolution at a few positions: the patches under the filters are
 * gathered from its input, and a matrix product of many of them together takes the place
 * of the whole map. */
#ifndef RANKLAB_APPROX_PATCH_H
#define RANKLAB_APPROX_PATCH_H

#include "ranklab/approx.h"

/* Positions are gathered by patches where the map has at least so many times more. */
enum { LR_SPARSE_AREA = 4 };

struct lr_patches;
/* Whether value v of g comes from a convolution that this can do. */
bool lr_patches_can(const struct lr_graph *g, int v);
enum lr_status lr_patches_new(struct lr_patches **out, const struct lr_graph *g, int v,
                              struct lr_err *e);
void lr_patches_free(struct lr_patches *p);
/* The response at position pos (row-major in the output's map) is to be written to row.
 * x: the input of one image, channels last. Written at the latest by the flush. */
enum lr_status lr_patches_add(struct lr_patches *p, const float *x, int64_t pos,
                              float *row, struct lr_err *e);
enum lr_status lr_patches_flush(struct lr_patches *p, struct lr_err *e);

#endif
