/* Progress stages nest: a stage is the part [lo, hi] of the whole that its owner gave
 * away, and a fraction reported inside it is mapped there before it reaches the callback.
 */
#include "ranklab/progress.h"

#include <float.h>
#include <stdbool.h>
#include <stdio.h>

static double clamp01(double x)
{
    return x > 1 ? 1 : x > 0 ? x : 0; /* a NaN becomes 0 */
}

static bool is_whole(const struct lr_progress *p)
{
    return p->lo == 0 && p->hi == 0;
}

static double map(const struct lr_progress *p, double fraction)
{
    double x = clamp01(fraction);

    return is_whole(p) ? x : clamp01(p->lo + x * (p->hi - p->lo));
}

enum lr_status lr_progress_tick(const struct lr_progress *p, double fraction,
                                const char *what, struct lr_err *e)
{
    if (!p || !p->tick)
        return LR_OK;
    if (p->tick(p->ctx, map(p, fraction), what ? what : ""))
        return lr_err_set(e, LR_EINTR, "interrupted");
    return LR_OK;
}

struct lr_progress lr_progress_sub(const struct lr_progress *p, double lo, double hi)
{
    struct lr_progress sub = {0};

    if (!p)
        return sub;
    sub.tick = p->tick;
    sub.ctx = p->ctx;
    sub.lo = map(p, lo);
    sub.hi = map(p, hi);
    /* An empty stage at the very beginning must not read as "the whole". */
    if (is_whole(&sub))
        sub.hi = DBL_MIN;
    return sub;
}

void lr_note(const struct lr_notes *n, enum lr_note_level level, const char *fmt, ...)
{
    char text[1024] = "";
    va_list ap;

    if (!n || !n->note)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    n->note(n->ctx, level, text);
}
