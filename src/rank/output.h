/* What an output of a network answers. */
#ifndef LR_RANK_OUTPUT_H
#define LR_RANK_OUTPUT_H

#include <stdint.h>

#include "ranklab/eval.h"

/* The answers of one image, x its outputs: of SCORES the class with the largest at each
 * place, the first of equals; of CLASSES the values. answers: n_places entries. */
void lr_answers(int32_t *answers, const float *x, const struct lr_output_view *v);

#endif
