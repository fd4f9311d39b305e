/* Strings are encoded by jansson. Its numbers always have 17 digits (0.1 becomes
 * 0.10000000000000001), so numbers are written here, and the brackets around them by
 * whoever knows the layout. */
#include "json.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "number.h"
#include "ranklab/text.h"

/* s with U+FFFD for every byte that is not part of valid UTF-8, as jansson wants it. */
static void make_valid(struct lr_strbuf *b, const char *s)
{
    size_t n = strlen(s);

    lr_strbuf_add(b, "", 0);
    for (size_t i = 0; i < n;) {
        unsigned cp = 0;
        int len = lr_utf8_decode(s + i, n - i, &cp);
        if (len)
            lr_strbuf_add(b, s + i, (size_t)len);
        else
            lr_strbuf_puts(b, "\xEF\xBF\xBD");
        i += len ? (size_t)len : 1;
    }
}

static int append(const char *text, size_t n, void *ctx)
{
    lr_strbuf_add(ctx, text, n);
    return 0;
}

void out_json_string(struct lr_strbuf *b, const char *s)
{
    struct lr_strbuf valid = {0}, shown = {0};
    json_t *j = NULL;
    size_t flags = JSON_ENCODE_ANY;

    make_valid(&valid, s);
    if (!valid.is_failed) {
        lr_text_escape(&shown, valid.s);
        j = json_stringn(valid.s, valid.len);
    }
    if (!j || shown.is_failed) {
        b->is_failed = true;
        goto out;
    }
    if (strcmp(shown.s, valid.s) != 0)
        flags |= JSON_ENSURE_ASCII;
    if (json_dump_callback(j, append, b, flags) != 0)
        b->is_failed = true;
out:
    json_decref(j);
    lr_strbuf_free(&valid);
    lr_strbuf_free(&shown);
}

void out_json_real(struct lr_strbuf *b, double v)
{
    if (v == 0 && signbit(v))
        lr_strbuf_puts(b, "-0.0"); /* -0 would be read as an integer, without its sign */
    else if (isfinite(v))
        out_number_shortest(b, v);
    else
        lr_strbuf_puts(b, "null");
}

void out_json_int(struct lr_strbuf *b, int64_t v)
{
    lr_strbuf_printf(b, "%" PRId64, v);
}
