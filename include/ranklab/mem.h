/* Checked, 64-byte aligned allocation and a growing string. */
#ifndef RANKLAB_MEM_H
#define RANKLAB_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "ranklab/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* n * size bytes, 64-byte aligned, contents undefined; NULL when the product overflows or
 * memory is short. n * size == 0 gives a valid pointer. Release with lr_free. */
void *lr_alloc(size_t n, size_t size) __attribute__((malloc, warn_unused_result));
/* The same, zeroed. */
void *lr_calloc(size_t n, size_t size) __attribute__((malloc, warn_unused_result));
/* Grows or shrinks an lr_alloc block (old_n * size bytes are kept at most); NULL leaves p
 * as it was. p may be NULL. */
void *lr_realloc(void *p, size_t old_n, size_t n, size_t size)
    __attribute__((warn_unused_result));
void lr_free(void *p);
/* The most bytes that blocks from here may hold together; 0: no limit of our own. A
 * request beyond it fails as if memory were short, and lr_enomem says so. One account for
 * the whole process, as there is one memory. */
void lr_mem_set_limit(size_t bytes);
size_t lr_mem_limit(void);
size_t lr_mem_held(void);
/* Bytes that the machine has, 0 where that is not known. More than that is not given. */
size_t lr_mem_machine(void);
/* How many requests have failed so far. Some of them cost no more than a detail of what
 * is shown; who shows it can tell by this number that something is missing. */
size_t lr_mem_refused(void);
/* Counts no more refusals than before: what was refused since was done otherwise. */
void lr_mem_forget_refused(size_t before);
char *lr_strdup(const char *s) __attribute__((malloc, warn_unused_result));
char *lr_strndup(const char *s, size_t n) __attribute__((malloc, warn_unused_result));
/* Sets LR_ENOMEM with "out of memory (N bytes for WHAT)" and returns it. */
enum lr_status lr_enomem(struct lr_err *e, size_t bytes, const char *what);

/* A growing string, always zero-terminated once something was added. Zero-initialise; a
 * failed allocation sets is_failed and later calls do nothing, so one check at the end is
 * enough. */
struct lr_strbuf {
    char *s;
    size_t len, cap;
    bool is_failed;
};
void lr_strbuf_add(struct lr_strbuf *b, const char *s, size_t n);
void lr_strbuf_puts(struct lr_strbuf *b, const char *s);
void lr_strbuf_putc(struct lr_strbuf *b, char c);
void lr_strbuf_printf(struct lr_strbuf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void lr_strbuf_vprintf(struct lr_strbuf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
void lr_strbuf_reset(struct lr_strbuf *b); /* length 0, memory kept */
void lr_strbuf_free(struct lr_strbuf *b);
/* Hands the string over (never NULL unless is_failed); b is empty afterwards. lr_free it.
 */
char *lr_strbuf_take(struct lr_strbuf *b);

#ifdef __cplusplus
}
#endif

#endif
