/* The table of fields and the checks that hold for reading and writing alike. */
#include "config_fields.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/text.h"

#define AT(member) offsetof(struct out_config, member)
#define AT_LAYER(member) offsetof(struct out_config_layer, member)

/* Integers up to this are exact as doubles, which is how the limits are held. */
static const double MAX_COUNT = 9007199254740992.0;

const struct config_field config_fields[] = {
    {NULL, "name", CONFIG_STRING, AT(name), true, 0, 0},
    {"program", "version", CONFIG_STRING, AT(program.version), true, 0, 0},
    {"program", "blas", CONFIG_STRING, AT(program.blas), true, 0, 0},
    {"program", "engine", CONFIG_STRING, AT(program.engine), true, 0, 0},
    {"program", "threads", CONFIG_INT, AT(program.threads), true, 0, 65536},
    {"model", "path", CONFIG_STRING, AT(model), true, 0, 0},
    {"model", "sha256", CONFIG_SHA256, AT(model_sha256), true, 0, 0},
    {"model", "input", CONFIG_STRING, AT(input), true, 0, 0},
    {"settings", "seed", CONFIG_SEED, AT(seed), true, 0, 0},
    {"settings", "mode", CONFIG_STRING, AT(mode), true, 0, 0},
    {"settings", "round", CONFIG_INT, AT(round), true, 1, 4096},
    {"settings", "iterations_1", CONFIG_INT, AT(n_iter1), true, 0, 10000},
    {"settings", "iterations_2", CONFIG_INT, AT(n_iter2), true, 0, 10000},
    {"settings", "lambda_1", CONFIG_REAL, AT(lambda1), true, 1e-9, 1e9},
    {"settings", "lambda_2", CONFIG_REAL, AT(lambda2), true, 1e-9, 1e9},
    {"settings", "convolution", CONFIG_STRING, AT(convolution), true, 0, 0},
    {"settings", "deploy_engine", CONFIG_STRING, AT(deploy_engine), true, 0, 0},
    {"settings", "deploy_batch", CONFIG_INT, AT(deploy_batch), true, 1, 65536},
    {"settings", "deploy_threads", CONFIG_INT, AT(deploy_threads), true, 0, 4096},
    {"calibration", "path", CONFIG_STRING, AT(calib.path), true, 0, 0},
    {"calibration", "sha256", CONFIG_SHA256, AT(calib.sha256), true, 0, 0},
    {"calibration", "options", CONFIG_STRING, AT(calib.options), true, 0, 0},
    {"calibration", "count", CONFIG_INT64, AT(calib.count), true, 0, MAX_COUNT},
    {"evaluation", "path", CONFIG_STRING, AT(eval.path), true, 0, 0},
    {"evaluation", "sha256", CONFIG_SHA256, AT(eval.sha256), true, 0, 0},
    {"evaluation", "options", CONFIG_STRING, AT(eval.options), true, 0, 0},
    {"evaluation", "count", CONFIG_INT64, AT(eval.count), true, 0, MAX_COUNT},
    {"result", "images", CONFIG_INT64, AT(result.images), false, 0, MAX_COUNT},
    {"result", "top1", CONFIG_REAL, AT(result.top1), true, 0, 1},
    {"result", "top1_original", CONFIG_REAL, AT(result.top1_original), true, 0, 1},
    {"result", "top1_difference", CONFIG_REAL, AT(result.difference), true, -1, 1},
    {"result", "difference_low", CONFIG_REAL, AT(result.difference_low), true, -1, 1},
    {"result", "difference_high", CONFIG_REAL, AT(result.difference_high), true, -1, 1},
    {"result", "top1_low", CONFIG_REAL, AT(result.top1_low), true, -1e-6, 1.000001},
    {"result", "top1_high", CONFIG_REAL, AT(result.top1_high), true, -1e-6, 1.000001},
    {"result", "top5", CONFIG_REAL, AT(result.top5), true, 0, 1},
    {"result", "top5_original", CONFIG_REAL, AT(result.top5_original), true, 0, 1},
    {"result", "agreement", CONFIG_REAL, AT(result.agreement), true, 0, 1},
    {"result", "output_error", CONFIG_REAL, AT(result.output_error), true, 0, HUGE_VAL},
    {"result", "seconds", CONFIG_REAL, AT(result.seconds), true, 0, HUGE_VAL},
    {"result", "evaluated_at", CONFIG_INT64, AT(result.at), true, 0, MAX_COUNT},
    {"result", "ms", CONFIG_REAL, AT(ms), true, 0, HUGE_VAL},
    {"result", "ms_original", CONFIG_REAL, AT(ms_original), true, 0, HUGE_VAL},
    {"total", "macs", CONFIG_INT64, AT(macs), true, 0, MAX_COUNT},
    {"total", "macs_original", CONFIG_INT64, AT(macs_original), true, 0, MAX_COUNT},
    {"total", "params", CONFIG_INT64, AT(params), true, 0, MAX_COUNT},
    {"total", "params_original", CONFIG_INT64, AT(params_original), true, 0, MAX_COUNT},
    {"network", "macs", CONFIG_INT64, AT(net_macs), true, 0, MAX_COUNT},
    {"network", "macs_original", CONFIG_INT64, AT(net_macs_original), true, 0, MAX_COUNT},
    {"network", "params", CONFIG_INT64, AT(net_params), true, 0, MAX_COUNT},
    {"network", "params_original", CONFIG_INT64, AT(net_params_original), true, 0,
     MAX_COUNT},
};
const size_t config_n_fields = sizeof(config_fields) / sizeof(config_fields[0]);

const struct config_field config_layer_fields[] = {
    {NULL, "layer", CONFIG_STRING, AT_LAYER(name), false, 0, 0},
    {NULL, "shape", CONFIG_STRING, AT_LAYER(shape), true, 0, 0},
    {NULL, "method", CONFIG_STRING, AT_LAYER(method), false, 0, 0},
    {NULL, "rank", CONFIG_INT, AT_LAYER(rank), false, 1, INT_MAX},
    {NULL, "rank_spatial", CONFIG_INT, AT_LAYER(rank_spatial), true, 1, INT_MAX},
    {NULL, "full_rank", CONFIG_INT, AT_LAYER(full_rank), true, 1, INT_MAX},
    {NULL, "state", CONFIG_STRING, AT_LAYER(state), true, 0, 0},
    {NULL, "macs", CONFIG_INT64, AT_LAYER(macs), true, 0, MAX_COUNT},
    {NULL, "macs_original", CONFIG_INT64, AT_LAYER(macs_original), true, 0, MAX_COUNT},
    {NULL, "params", CONFIG_INT64, AT_LAYER(params), true, 0, MAX_COUNT},
    {NULL, "params_original", CONFIG_INT64, AT_LAYER(params_original), true, 0,
     MAX_COUNT},
    {NULL, "energy", CONFIG_REAL, AT_LAYER(energy), true, 0, 1.000001},
    {NULL, "error_linear", CONFIG_REAL, AT_LAYER(error_linear), true, 0, HUGE_VAL},
    {NULL, "error_calib", CONFIG_REAL, AT_LAYER(error_calib), true, 0, HUGE_VAL},
    {NULL, "error_heldout", CONFIG_REAL, AT_LAYER(error_heldout), true, 0, HUGE_VAL},
    {NULL, "error_pre", CONFIG_REAL, AT_LAYER(error_pre), true, 0, HUGE_VAL},
    {NULL, "error_own", CONFIG_REAL, AT_LAYER(error_own), true, 0, HUGE_VAL},
    {NULL, "error_inherited", CONFIG_REAL, AT_LAYER(error_inherited), true, 0, HUGE_VAL},
    {NULL, "error_refit", CONFIG_REAL, AT_LAYER(error_refit), true, 0, HUGE_VAL},
    {"solved", "mode", CONFIG_STRING, AT_LAYER(solved.mode), true, 0, 0},
    {"solved", "seed", CONFIG_SEED, AT_LAYER(solved.seed), true, 0, 0},
    {"solved", "iterations_1", CONFIG_INT, AT_LAYER(solved.n_iter1), true, 0, 10000},
    {"solved", "iterations_2", CONFIG_INT, AT_LAYER(solved.n_iter2), true, 0, 10000},
    {"solved", "lambda_1", CONFIG_REAL, AT_LAYER(solved.lambda1), true, 1e-9, 1e9},
    {"solved", "lambda_2", CONFIG_REAL, AT_LAYER(solved.lambda2), true, 1e-9, 1e9},
    {"solved", "is_alone", CONFIG_BOOL, AT_LAYER(solved.is_alone), true, 0, 1},
    {"solved", "calibration_sha256", CONFIG_SHA256, AT_LAYER(solved.calib_sha256), true,
     0, 0},
    {"solved", "calibration_images", CONFIG_INT64, AT_LAYER(solved.calib_images), true, 0,
     MAX_COUNT},
};
const size_t config_n_layer_fields =
    sizeof(config_layer_fields) / sizeof(config_layer_fields[0]);

const struct config_field config1_fields[] = {
    {"program", "version", CONFIG_STRING, AT(program.version), true, 0, 0},
    {"program", "blas", CONFIG_STRING, AT(program.blas), true, 0, 0},
    {"program", "engine", CONFIG_STRING, AT(program.engine), true, 0, 0},
    {"model", "path", CONFIG_STRING, AT(model), true, 0, 0},
    {"model", "sha256", CONFIG_SHA256, AT(model_sha256), true, 0, 0},
    {"calibration", "path", CONFIG_STRING, AT(calib.path), true, 0, 0},
    {"calibration", "sha256", CONFIG_SHA256, AT(calib.sha256), true, 0, 0},
    {"evaluation", "path", CONFIG_STRING, AT(eval.path), true, 0, 0},
    {"evaluation", "sha256", CONFIG_SHA256, AT(eval.sha256), true, 0, 0},
    {"evaluation", "images", CONFIG_INT64, AT(result.images), false, 0, MAX_COUNT},
    {"evaluation", "top1", CONFIG_REAL, AT(result.top1), true, 0, 1},
    {"evaluation", "top1_original", CONFIG_REAL, AT(result.top1_original), true, 0, 1},
    {"evaluation", "top1_difference", CONFIG_REAL, AT(result.difference), true, -1, 1},
    {"evaluation", "difference_low", CONFIG_REAL, AT(result.difference_low), true, -1, 1},
    {"evaluation", "difference_high", CONFIG_REAL, AT(result.difference_high), true, -1,
     1},
    {NULL, "mode", CONFIG_STRING, AT(mode), true, 0, 0},
    {NULL, "seed", CONFIG_SEED, AT(seed), true, 0, 0},
    {NULL, "threads", CONFIG_INT, AT(program.threads), false, 0, 65536},
    {NULL, "macs", CONFIG_INT64, AT(macs), true, 0, MAX_COUNT},
    {NULL, "macs_original", CONFIG_INT64, AT(macs_original), true, 0, MAX_COUNT},
};
const size_t config1_n_fields = sizeof(config1_fields) / sizeof(config1_fields[0]);

const struct config_field config1_layer_fields[] = {
    {NULL, "layer", CONFIG_STRING, AT_LAYER(name), false, 0, 0},
    {NULL, "method", CONFIG_STRING, AT_LAYER(method), false, 0, 0},
    {NULL, "state", CONFIG_STRING, AT_LAYER(state), false, 0, 0},
    {NULL, "mode", CONFIG_STRING, AT_LAYER(solved.mode), true, 0, 0},
    {NULL, "seed", CONFIG_SEED, AT_LAYER(solved.seed), true, 0, 0},
    {NULL, "rank", CONFIG_INT, AT_LAYER(rank), true, 0, INT_MAX},
    {NULL, "rank_spatial", CONFIG_INT, AT_LAYER(rank_spatial), true, 0, INT_MAX},
    {NULL, "full_rank", CONFIG_INT, AT_LAYER(full_rank), true, 0, INT_MAX},
    {NULL, "macs", CONFIG_INT64, AT_LAYER(macs), true, 0, MAX_COUNT},
    {NULL, "macs_original", CONFIG_INT64, AT_LAYER(macs_original), true, 0, MAX_COUNT},
    {NULL, "energy", CONFIG_REAL, AT_LAYER(energy), true, 0, 1.000001},
    {NULL, "error_linear", CONFIG_REAL, AT_LAYER(error_linear), true, 0, HUGE_VAL},
    {NULL, "error_calib", CONFIG_REAL, AT_LAYER(error_calib), true, 0, HUGE_VAL},
    {NULL, "error_heldout", CONFIG_REAL, AT_LAYER(error_heldout), true, 0, HUGE_VAL},
};
const size_t config1_n_layer_fields =
    sizeof(config1_layer_fields) / sizeof(config1_layer_fields[0]);

/* ---- all fields of a table ---- */

void config_set_null(const struct config_field *fields, size_t n, void *object)
{
    for (size_t k = 0; k < n; k++) {
        void *at = (char *)object + fields[k].offset;
        switch (fields[k].kind) {
        case CONFIG_STRING:
        case CONFIG_SHA256:
            *(char **)at = NULL;
            break;
        case CONFIG_SEED:
            *(struct out_seed *)at = (struct out_seed){0};
            break;
        case CONFIG_BOOL:
        case CONFIG_INT:
            *(int *)at = -1;
            break;
        case CONFIG_INT64:
            *(int64_t *)at = fields[k].may_be_null ? -1 : 0;
            break;
        case CONFIG_REAL:
            *(double *)at = NAN;
            break;
        }
    }
}

static bool is_text(const struct config_field *f)
{
    return f->kind == CONFIG_STRING || f->kind == CONFIG_SHA256;
}

void config_free_strings(const struct config_field *fields, size_t n, void *object)
{
    for (size_t k = 0; k < n; k++)
        if (is_text(&fields[k])) {
            char **at = (char **)(void *)((char *)object + fields[k].offset);
            lr_free(*at);
            *at = NULL;
        }
}

bool config_copy(const struct config_field *fields, size_t n, void *to, const void *from)
{
    bool is_ok = true;

    for (size_t k = 0; k < n; k++) {
        void *a = (char *)to + fields[k].offset;
        const void *b = (const char *)from + fields[k].offset;
        if (is_text(&fields[k])) {
            const char *s = *(char *const *)b;
            lr_free(*(char **)a);
            *(char **)a = s ? lr_strdup(s) : NULL;
            is_ok = is_ok && (!s || *(char **)a);
        } else if (fields[k].kind == CONFIG_SEED) {
            *(struct out_seed *)a = *(const struct out_seed *)b;
        } else if (fields[k].kind == CONFIG_BOOL || fields[k].kind == CONFIG_INT) {
            *(int *)a = *(const int *)b;
        } else if (fields[k].kind == CONFIG_INT64) {
            *(int64_t *)a = *(const int64_t *)b;
        } else {
            *(double *)a = *(const double *)b;
        }
    }
    return is_ok;
}

const char *config_expected(char *buf, size_t size, const struct config_field *f)
{
    const char *or_null = f->may_be_null ? ", or null" : "";

    switch (f->kind) {
    case CONFIG_STRING:
        snprintf(buf, size, "a string of at most %d bytes%s", CONFIG_MAX_STRING, or_null);
        break;
    case CONFIG_SHA256:
        snprintf(buf, size, "a string of 64 hexadecimal digits%s", or_null);
        break;
    case CONFIG_SEED:
        snprintf(buf, size, "an integer from 0 to %llu%s", (unsigned long long)UINT64_MAX,
                 or_null);
        break;
    case CONFIG_BOOL:
        snprintf(buf, size, "true or false%s", or_null);
        break;
    case CONFIG_INT:
    case CONFIG_INT64:
        snprintf(buf, size, "an integer from %.0f to %.0f%s", f->min, f->max, or_null);
        break;
    case CONFIG_REAL:
        if (isinf(f->max))
            snprintf(buf, size, "a number of %g or more%s", f->min, or_null);
        else
            snprintf(buf, size, "a number from %g to %g%s", f->min, f->max, or_null);
        break;
    }
    return buf;
}

static bool is_utf8(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n;) {
        unsigned cp;
        int len = lr_utf8_decode(s + i, n - i, &cp);
        if (len == 0)
            return false;
        i += (size_t)len;
    }
    return true;
}

static const char *check_number(const struct config_field *f, double v, bool is_null)
{
    if (is_null)
        return f->may_be_null ? NULL : "a number";
    return isfinite(v) && v >= f->min && v <= f->max ? NULL : "a number in range";
}

const char *config_check(const struct config_field *f, const void *object)
{
    const char *at = (const char *)object + f->offset;
    const char *s;

    switch (f->kind) {
    case CONFIG_STRING:
    case CONFIG_SHA256:
        s = *(char *const *)(const void *)at;
        if (!s)
            return f->may_be_null ? NULL : "a string";
        if (strlen(s) > CONFIG_MAX_STRING)
            return "a shorter string";
        if (f->kind == CONFIG_SHA256 &&
            (strlen(s) != 64 || s[strspn(s, "0123456789abcdefABCDEF")]))
            return "64 hexadecimal digits";
        return f->may_be_null || is_utf8(s) ? NULL : "UTF-8";
    case CONFIG_BOOL:
    case CONFIG_INT: {
        int v = *(const int *)(const void *)at;
        return check_number(f, v, v == -1);
    }
    case CONFIG_INT64: {
        int64_t v = *(const int64_t *)(const void *)at;
        return check_number(f, (double)v, v == -1);
    }
    case CONFIG_SEED:
        return NULL;
    case CONFIG_REAL: {
        double v = *(const double *)(const void *)at;
        return check_number(f, v, isnan(v));
    }
    }
    return NULL;
}
