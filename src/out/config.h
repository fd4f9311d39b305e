/* clang-format off */
/* The configuration file: a plan with what was measured, as JSON. Schema version 1:
 *
 *   { "format": "ranklab configuration", "schema": 1,
 *     "program":     { "version", "blas", "engine" },                  text or null
 *     "model":       { "path", "sha256" },                             text or null
 *     "calibration": { "path", "sha256" },                             text or null
 *     "evaluation":  { "path", "sha256",                               text or null
 *                      "images",                       count, 0: not evaluated
 *                      "top1", "top1_original",                0..1 or null
 *                      "top1_difference", "difference_low",
 *                      "difference_high" },                    -1..1 or null
 *     "mode": text or null, "seed": integer or null, "threads": count,
 *     "macs", "macs_original": count or null,                  all convolutions
 *     "layers": [ { "layer", "method", "state": text,
 *                   "mode": text or null, "seed": integer or null,
 *                   "rank", "rank_spatial", "full_rank": count or null,
 *                   "macs", "macs_original": count or null,
 *                   "energy": 0..1 or null,
 *                   "error_linear", "error_calib", "error_heldout": 0 or more, or null } ] }
 *
 * A sha256 is 64 hexadecimal digits. Paths and versions inform; layers are found by name,
 * each name at most once. mode and seed of a layer are those it was solved with, null where
 * it is not solved or was solved from its filters alone; those of the head are shared by all
 * layers that have them, null when there are several or none. A seed of 2^53 or more is written as a string of decimal digits,
 * because many readers of JSON hold numbers as doubles. A missing key counts as null. */
/* clang-format on */
#ifndef RANKLAB_OUT_CONFIG_H
#define RANKLAB_OUT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/err.h"

struct out_seed {
    bool is_known; /* false: null */
    uint64_t value;
};
/* macs, macs_original: -1: null. */
struct out_config_layer {
    char *name, *method, *state;
    int rank, rank_spatial, full_rank; /* -1: null */
    int64_t macs, macs_original;
    double energy, error_linear, error_calib, error_heldout; /* NAN: null */
    char *mode;                                              /* NULL: null */
    struct out_seed seed;
};
/* Strings may be NULL: null. */
struct out_config {
    char *model, *model_sha256, *calib, *calib_sha256, *eval, *eval_sha256;
    char *mode, *program_version, *blas_version, *engine_version;
    struct out_seed seed;
    int threads;
    int64_t macs, macs_original;
    int64_t eval_images; /* 0: not evaluated */
    double top1, top1_original, difference, difference_low, difference_high;
    int n_layers;
    struct out_config_layer *layers;
};
void out_config_free(struct out_config *c); /* strings and layers, all lr_strdup'ed */
/* Key order fixed, two-space indent, final newline; written all or nothing. LR_EINVAL: a
 * name that is not UTF-8, or a value that out_config_read would refuse. */
enum lr_status out_config_write(const struct out_config *c, const char *path,
                                struct lr_err *e);
/* LR_EPARSE names path, line and what was expected; unknown keys are ignored, another
 * schema version is refused. *c is empty on failure. */
enum lr_status out_config_read(struct out_config *c, const char *path, struct lr_err *e);

#endif
