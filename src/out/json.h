/* JSON scalars and keys appended to a string. */
#ifndef RANKLAB_OUT_JSON_H
#define RANKLAB_OUT_JSON_H

#include <stdint.h>

#include "ranklab/mem.h"

/* A quoted string. UTF-8 is kept where it is safe on a terminal, else written as \uXXXX;
 * invalid bytes become U+FFFD. */
void out_json_string(struct lr_strbuf *b, const char *s);
/* The shortest number that reads back exactly; null for NaN and infinities. */
void out_json_real(struct lr_strbuf *b, double v);
void out_json_int(struct lr_strbuf *b, int64_t v);

#endif
