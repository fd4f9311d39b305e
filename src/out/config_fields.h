/* The fields of a configuration file in the order they are written: one table for the
 * reader and the writer. */
#ifndef RANKLAB_OUT_CONFIG_FIELDS_H
#define RANKLAB_OUT_CONFIG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define CONFIG_FORMAT "ranklab configuration"
enum { CONFIG_SCHEMA = 3, CONFIG_MAX_STRING = 65536, CONFIG_MAX_LAYERS = 100000 };

enum config_kind {
    CONFIG_STRING,
    CONFIG_SHA256,
    CONFIG_BOOL,
    CONFIG_INT,
    CONFIG_INT64,
    CONFIG_SEED,
    CONFIG_REAL
};
/* Numbers lie in min..max, both included. Null stands for NULL, -1, NAN or a seed that is
 * not known. A BOOL is an int, 0 or 1. */
struct config_field {
    const char *group, *key; /* group: the object the key lies in, or NULL */
    enum config_kind kind;
    size_t offset;
    bool may_be_null;
    double min, max;
};
extern const struct config_field config_fields[], config_layer_fields[];
extern const size_t config_n_fields, config_n_layer_fields;
/* Those of schema 1. */
extern const struct config_field config1_fields[], config1_layer_fields[];
extern const size_t config1_n_fields, config1_n_layer_fields;

/* Sets every field of the table to null. */
void config_set_null(const struct config_field *fields, size_t n, void *object);
/* Frees the strings, or copies every field (false: no memory). */
void config_free_strings(const struct config_field *fields, size_t n, void *object);
bool config_copy(const struct config_field *fields, size_t n, void *to, const void *from);

/* NULL when the value of field f in object is acceptable, else what is expected. */
const char *config_check(const struct config_field *f, const void *object);
/* "an integer from 0 to 4096" into buf, which is returned. */
const char *config_expected(char *buf, size_t size, const struct config_field *f);

#endif
