/* The table of fields and the checks that hold for reading and writing alike. */
#include "config_fields.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/text.h"

#define AT(member) offsetof(struct out_config, member)
#define AT_LAYER(member) offsetof(struct out_config_layer, member)

/* Integers up to this are exact as doubles, which is how the limits are held. */
static const double MAX_COUNT = 9007199254740992.0;

/* Shares are sums of floating-point numbers and may end a little beside 1. */
#define SHARE 0, 1.000001

const struct config_field config_fields[] = {
    {"program", "version", CONFIG_STRING, AT(program_version), true, 0, 0},
    {"program", "blas", CONFIG_STRING, AT(blas_version), true, 0, 0},
    {"program", "engine", CONFIG_STRING, AT(engine_version), true, 0, 0},
    {"model", "path", CONFIG_STRING, AT(model), true, 0, 0},
    {"model", "sha256", CONFIG_SHA256, AT(model_sha256), true, 0, 0},
    {"calibration", "path", CONFIG_STRING, AT(calib), true, 0, 0},
    {"calibration", "sha256", CONFIG_SHA256, AT(calib_sha256), true, 0, 0},
    {"evaluation", "path", CONFIG_STRING, AT(eval), true, 0, 0},
    {"evaluation", "sha256", CONFIG_SHA256, AT(eval_sha256), true, 0, 0},
    {"evaluation", "images", CONFIG_INT64, AT(eval_images), false, 0, MAX_COUNT},
    {"evaluation", "top1", CONFIG_REAL, AT(top1), true, 0, 1},
    {"evaluation", "top1_original", CONFIG_REAL, AT(top1_original), true, 0, 1},
    {"evaluation", "top1_difference", CONFIG_REAL, AT(difference), true, -1, 1},
    {"evaluation", "difference_low", CONFIG_REAL, AT(difference_low), true, -1, 1},
    {"evaluation", "difference_high", CONFIG_REAL, AT(difference_high), true, -1, 1},
    {NULL, "mode", CONFIG_STRING, AT(mode), true, 0, 0},
    {NULL, "seed", CONFIG_SEED, AT(seed), true, 0, 0},
    {NULL, "threads", CONFIG_INT, AT(threads), false, 0, 65536},
    {NULL, "macs", CONFIG_INT64, AT(macs), true, 0, MAX_COUNT},
    {NULL, "macs_original", CONFIG_INT64, AT(macs_original), true, 0, MAX_COUNT},
};
const size_t config_n_fields = sizeof(config_fields) / sizeof(config_fields[0]);

const struct config_field config_layer_fields[] = {
    {NULL, "layer", CONFIG_STRING, AT_LAYER(name), false, 0, 0},
    {NULL, "method", CONFIG_STRING, AT_LAYER(method), false, 0, 0},
    {NULL, "state", CONFIG_STRING, AT_LAYER(state), false, 0, 0},
    {NULL, "mode", CONFIG_STRING, AT_LAYER(mode), true, 0, 0},
    {NULL, "seed", CONFIG_SEED, AT_LAYER(seed), true, 0, 0},
    {NULL, "rank", CONFIG_INT, AT_LAYER(rank), true, 0, INT_MAX},
    {NULL, "rank_spatial", CONFIG_INT, AT_LAYER(rank_spatial), true, 0, INT_MAX},
    {NULL, "full_rank", CONFIG_INT, AT_LAYER(full_rank), true, 0, INT_MAX},
    {NULL, "macs", CONFIG_INT64, AT_LAYER(macs), true, 0, MAX_COUNT},
    {NULL, "macs_original", CONFIG_INT64, AT_LAYER(macs_original), true, 0, MAX_COUNT},
    {NULL, "energy", CONFIG_REAL, AT_LAYER(energy), true, SHARE},
    {NULL, "error_linear", CONFIG_REAL, AT_LAYER(error_linear), true, 0, HUGE_VAL},
    {NULL, "error_calib", CONFIG_REAL, AT_LAYER(error_calib), true, 0, HUGE_VAL},
    {NULL, "error_heldout", CONFIG_REAL, AT_LAYER(error_heldout), true, 0, HUGE_VAL},
};
const size_t config_n_layer_fields =
    sizeof(config_layer_fields) / sizeof(config_layer_fields[0]);

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
