/* Status codes and the caller-owned error that every fallible function fills. */
#ifndef RANKLAB_ERR_H
#define RANKLAB_ERR_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

enum lr_status {
    LR_OK = 0,
    LR_EINVAL,   /* an argument or a user's value is out of range */
    LR_EPARSE,   /* a file or a command cannot be parsed */
    LR_ESHAPE,   /* shapes contradict each other */
    LR_EUNSUP,   /* valid, but not supported here */
    LR_ENOMEM,   /* an allocation failed */
    LR_EIO,      /* reading or writing failed */
    LR_ENUMERIC, /* NaN, Inf, or a factorisation that did not converge */
    LR_EBACKEND, /* a library (oneDNN, gnuplot) reported a failure */
    LR_EINTR     /* stopped on request; nothing was changed */
};

/* The message is one line, lower case, names the object and the offending value, and says
 * what would be accepted. Zero-initialise before first use. */
struct lr_err {
    enum lr_status code;
    char msg[512];
};

/* Stores code and message (truncated to fit) and returns code. e may be NULL. */
enum lr_status lr_err_set(struct lr_err *e, enum lr_status code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the stored message; the code stays. e may be NULL. */
void lr_err_prefix(struct lr_err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Clears e. e may be NULL. */
void lr_err_clear(struct lr_err *e);

/* A short constant name such as "shape". */
const char *lr_status_name(enum lr_status code);

#ifdef __cplusplus
}
#endif

#endif
