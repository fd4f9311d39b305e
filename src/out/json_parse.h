/* The one way to read JSON. */
#ifndef RANKLAB_OUT_JSON_PARSE_H
#define RANKLAB_OUT_JSON_PARSE_H

#include <jansson.h>

#include "ranklab/err.h"

/* An object without repeated keys in *j (json_decref it). LR_EPARSE: problem says what is
 * wrong and where; LR_ENOMEM is in e. */
enum lr_status out_json_parse(json_t **j, json_error_t *problem, const char *text,
                              size_t len, struct lr_err *e);

#endif
