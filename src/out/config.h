/* The configuration file: a plan with what was measured, as JSON (schema version 1). */
#ifndef RANKLAB_OUT_CONFIG_H
#define RANKLAB_OUT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/err.h"

struct out_config_layer {
    char *name, *method, *state;
    int rank, rank_spatial /* -1: none */, full_rank;
    int64_t macs, macs_original;
    double energy, error_linear, error_calib, error_heldout; /* NAN: null */
};
struct out_config {
    char *model, *model_sha256, *calib, *calib_sha256, *eval, *eval_sha256; /* NULL: null */
    char *mode, *program_version, *blas_version, *engine_version;
    uint64_t seed;
    int threads;
    int64_t macs, macs_original;
    int64_t eval_images; /* 0: not evaluated */
    double top1, top1_original, difference, difference_low, difference_high;
    int n_layers;
    struct out_config_layer *layers;
};
void out_config_free(struct out_config *c); /* strings and layers, all lr_strdup'ed */
/* Key order fixed, two-space indent, final newline; written all or nothing. */
enum lr_status out_config_write(const struct out_config *c, const char *path,
                                struct lr_err *e);
/* LR_EPARSE names path, line and what was expected; unknown keys are ignored, another
 * schema version is refused. */
enum lr_status out_config_read(struct out_config *c, const char *path, struct lr_err *e);

#endif
