/* What was measured on this machine and need not be measured again: small files of the
 * cache folder, one line "KEY<tab>VALUE" each. */
#ifndef RANKLAB_MEMO_H
#define RANKLAB_MEMO_H

#include <stdbool.h>
#include <stddef.h>

#include "ranklab/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The value that file (a name within the cache folder) holds under key, released with
 * lr_free; NULL when it holds none. LR_EIO: there is no cache folder, or the file is
 * there and cannot be read. Lines that make no sense are passed over. */
enum lr_status lr_memo_find(char **value, const char *file, const char *key,
                            struct lr_err *e);
/* Keeps value under key. What another process kept there meanwhile stays, unless
 * replaces; *kept (may be NULL) is what the file holds now. Neither may contain tabs or
 * line ends. The file is written whole or not at all. */
enum lr_status lr_memo_put(char **kept, const char *file, const char *key,
                           const char *value, bool replaces, struct lr_err *e);

/* "AMD EPYC 9B14, family 25 model 17" or what the machine says of its processor, without
 * tabs and line ends, into buf; returns buf. */
const char *lr_cpu_name(char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
