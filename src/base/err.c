/* Messages are formatted into a local buffer first, so that the arguments may point into
 * the message being replaced. What does not fit is cut at a character boundary, and
 * control bytes become '?', so that a name from a hostile file can neither break the line
 * nor reach the terminal as a control sequence. */
#include "ranklab/err.h"

#include <stdio.h>
#include <string.h>

enum { MSG_SIZE = sizeof((struct lr_err *)0)->msg };

/* Removes a UTF-8 sequence that the cut left incomplete at the end of s. */
static void trim_partial(char *s)
{
    size_t len = strlen(s);
    size_t start = len;

    while (start > 0 && len - start < 3 && ((unsigned char)s[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)s[start - 1];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (want > len - (start - 1))
        s[start - 1] = '\0';
}

static void store(struct lr_err *e, const char *text, int n_wanted)
{
    memcpy(e->msg, text, MSG_SIZE);
    e->msg[MSG_SIZE - 1] = '\0';
    if (n_wanted >= MSG_SIZE)
        trim_partial(e->msg);
    for (char *p = e->msg; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '?';
}

enum lr_status lr_err_set(struct lr_err *e, enum lr_status code, const char *fmt, ...)
{
    char text[MSG_SIZE] = "";
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    store(e, text, n);
    e->code = code;
    return code;
}

void lr_err_prefix(struct lr_err *e, const char *fmt, ...)
{
    char prefix[MSG_SIZE] = "", text[MSG_SIZE] = "";
    va_list ap;

    if (!e)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(prefix, sizeof(prefix), fmt, ap);
    va_end(ap);
    if (n >= MSG_SIZE)
        trim_partial(prefix);
    n = snprintf(text, sizeof(text), "%s: %s", prefix, e->msg);
    store(e, text, n);
}

void lr_err_clear(struct lr_err *e)
{
    if (!e)
        return;
    e->code = LR_OK;
    e->msg[0] = '\0';
}

const char *lr_status_name(enum lr_status code)
{
    switch (code) {
    case LR_OK:
        return "ok";
    case LR_EINVAL:
        return "invalid";
    case LR_EPARSE:
        return "parse";
    case LR_ESHAPE:
        return "shape";
    case LR_EUNSUP:
        return "unsupported";
    case LR_ENOMEM:
        return "memory";
    case LR_EIO:
        return "io";
    case LR_ENUMERIC:
        return "numeric";
    case LR_EBACKEND:
        return "backend";
    case LR_EINTR:
        return "interrupted";
    }
    return "unknown";
}
