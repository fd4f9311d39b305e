/* Messages are formatted into a local buffer first, so that the arguments may point into
 * the message being replaced. What does not fit is cut at a character boundary, and
 * what a terminal would obey or not show is escaped, so that a name from a hostile file
 * can neither break the line nor reach the terminal as a control sequence. */
#include "ranklab/err.h"

#include <stdio.h>
#include <string.h>

#include "ranklab/text.h"

enum { MSG_SIZE = sizeof((struct lr_err *)0)->msg };

static void store(struct lr_err *e, const char *text)
{
    size_t n = strlen(text), len = 0;

    for (size_t i = 0; i < n;) {
        char one[16];
        size_t taken = lr_text_escape_one(one, text + i, n - i);
        /* The end that a cut left of a character is no news. */
        bool is_cut = n == MSG_SIZE - 1 && n - i < 4 && taken == 1 && (text[i] & 0x80);
        if (is_cut || len + strlen(one) >= MSG_SIZE)
            break;
        memcpy(e->msg + len, one, strlen(one));
        len += strlen(one);
        i += taken;
    }
    e->msg[len] = '\0';
}

enum lr_status lr_err_set(struct lr_err *e, enum lr_status code, const char *fmt, ...)
{
    char text[MSG_SIZE] = "";
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    store(e, text);
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
    vsnprintf(prefix, sizeof(prefix), fmt, ap);
    va_end(ap);
    if (snprintf(text, sizeof(text), "%s: %s", prefix, e->msg) >= 0)
        store(e, text);
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
