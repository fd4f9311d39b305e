/* The class of every image. */
#ifndef RANKLAB_DATA_LABELS_H
#define RANKLAB_DATA_LABELS_H

#include "ranklab/err.h"
#include "ranklab/progress.h"

#include <stdbool.h>
#include <stdint.h>

/* The labels file that belongs to an idx images file ("X-images..." and "X-labels...")
 * and exists, or NULL; lr_free it. is_failed is set when memory is short. */
char *data_labels_beside(const char *images, bool *is_failed);
/* One-dimensional integers from idx(.gz) or .npy; exactly n of them, each 0 or more. *out
 * is lr_alloc'ed. */
enum lr_status data_labels_read(int32_t **out, const char *path, int64_t n,
                                struct lr_err *e);

#endif
