/* The configuration file: a plan with its settings and what was measured of it, as JSON.
 * `help config-file` is the schema as users read it; config_fields.c is the same as a
 * table, which the reader and the writer share. Schema 3 is written; schemas 1 and 2,
 * which knew fewer keys, are read too. Whoever adds a key raises the schema: an older
 * program then says what it lacks, not that a key is wrong. */
#ifndef RANKLAB_OUT_CONFIG_H
#define RANKLAB_OUT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/mem.h"

struct out_seed {
    bool is_known; /* false: null */
    uint64_t value;
};
/* What a layer was solved with and on; strings may be NULL: null. */
struct out_config_solved {
    char *mode, *calib_sha256;
    struct out_seed seed;
    int n_iter1, n_iter2;    /* -1: null */
    double lambda1, lambda2; /* NAN: null */
    int64_t calib_images;    /* -1: null */
    int is_alone;            /* 0 or 1; -1: null */
};
/* Numbers: -1 or NAN: null. */
struct out_config_layer {
    char *name, *shape, *method, *state;
    int rank, rank_spatial, full_rank;
    int64_t macs, macs_original, params, params_original;
    double energy;
    double error_linear, error_calib, error_heldout, error_pre, error_own,
        error_inherited, error_refit;
    struct out_config_solved solved;
};
/* Images: where they lie, and the options of `data` that give the same again. */
struct out_config_images {
    char *path, *sha256, *options;
    int64_t count; /* -1: null */
};
struct out_config_program {
    char *version, *blas, *engine;
    int threads; /* -1: null */
};
struct out_config_eval {
    int64_t images; /* 0: not evaluated */
    double top1, top1_original, difference, difference_low, difference_high, top1_low,
        top1_high, top5, top5_original, agreement, output_error, seconds;
    int64_t at; /* seconds since 1970; -1: null */
};
struct out_config {
    int schema; /* as read; always written as the newest */
    char *name; /* it was kept by, or NULL */
    struct out_config_program program;
    char *model, *model_sha256, *input; /* "1x28x28" */
    struct out_seed seed;
    char *mode, *convolution, *deploy_engine;
    int round, n_iter1, n_iter2;      /* -1: null */
    int deploy_batch, deploy_threads; /* -1: null */
    double lambda1, lambda2;          /* NAN: null */
    struct out_config_images calib, eval;
    struct out_config_eval result;
    double ms, ms_original;
    int64_t macs, macs_original, params, params_original, net_macs, net_macs_original,
        net_params, net_params_original;
    int n_layers;
    struct out_config_layer *layers;
};
/* Everything null, no layers. */
void out_config_init(struct out_config *c);
void out_config_layer_init(struct out_config_layer *l);
void out_config_free(struct out_config *c); /* strings and layers, all lr_strdup'ed */
/* A copy of every field of one layer, or of all but the layers. false: no memory. */
bool out_config_layer_copy(struct out_config_layer *to,
                           const struct out_config_layer *from);
bool out_config_copy_head(struct out_config *to, const struct out_config *from);
/* Key order fixed, two-space indent, final newline; written all or nothing. LR_EINVAL: a
 * name that is not UTF-8, or a value that out_config_read would refuse. */
enum lr_status out_config_write(const struct out_config *c, const char *path,
                                struct lr_err *e);
/* The words for methods, modes, ways to convolve and engines, each list ending with NULL.
 */
struct out_config_words {
    const char *const *methods, *const *modes, *const *convolutions, *const *engines;
};
/* words NULL: any will do. LR_EPARSE names path, line and what was expected. Keys that
 * the schema does not have are refused (in schema 1 ignored), and so is a schema that is
 * not known. *c is empty on failure. */
enum lr_status out_config_read(struct out_config *c, const char *path,
                               const struct out_config_words *words, struct lr_err *e);

#endif
