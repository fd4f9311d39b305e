/* printf writes the locale's decimal mark, which may be a comma; files and scripts must
 * not depend on that, and switching the locale of a process with threads is no option, so
 * the mark is replaced in what was written. Any decimal of 15 digits survives the way to
 * double and back, so the shortest text is among %.15g, %.16g and %.17g. */
#include "number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double HUGE_FIXED = 1e15;

/* Text in buf with the locale's mark replaced. */
static void add_with_point(struct lr_strbuf *b, const char *text)
{
    const char *mark = localeconv()->decimal_point;
    const char *found = mark && *mark ? strstr(text, mark) : NULL;

    if (!found || strcmp(mark, ".") == 0) {
        lr_strbuf_puts(b, text);
        return;
    }
    lr_strbuf_add(b, text, (size_t)(found - text));
    lr_strbuf_putc(b, '.');
    lr_strbuf_puts(b, found + strlen(mark));
}

void out_number_shortest(struct lr_strbuf *b, double v)
{
    char text[64];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    add_with_point(b, text);
}

void out_number_fixed(struct lr_strbuf *b, double v, int digits)
{
    char text[64];

    if (!isfinite(v)) {
        lr_strbuf_puts(b, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    if (digits > 17)
        digits = 17;
    if (digits < -17)
        digits = -17;
    if (fabs(v) >= HUGE_FIXED)
        snprintf(text, sizeof(text), "%.6g", v);
    else if (digits < 0)
        snprintf(text, sizeof(text), "%.*g", -digits, v);
    else
        snprintf(text, sizeof(text), "%.*f", digits, v);
    /* A negative value that rounds to zero is shown as zero. */
    bool is_zero = strpbrk(text, "123456789") == NULL;
    add_with_point(b, text[0] == '-' && is_zero ? text + 1 : text);
}

double out_no_minus_zero(double x, int digits)
{
    return fabs(x) < 0.5 * pow(10, -digits) ? 0 : x;
}
