/* Strings are encoded by jansson. Its numbers always have 17 digits (0.1 becomes
 * 0.10000000000000001), so numbers are written here, and the brackets around them by
 * whoever knows the layout. */
#include "json.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "json_parse.h"
#include "number.h"
#include "ranklab/text.h"

static void *take(size_t n)
{
    return lr_alloc(n, 1);
}

/* jansson's memory is ours: counted, limited, and a failure of it is seen. */
static void use_own_memory(void)
{
    json_set_alloc_funcs(take, lr_free);
}

/* jansson calls some failures of memory errors of the text. */
enum lr_status out_json_parse(json_t **j, json_error_t *problem, const char *text,
                              size_t len, struct lr_err *e)
{
    size_t refused = lr_mem_refused();

    use_own_memory();
    *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, problem);
    if (*j)
        return LR_OK;
    return lr_mem_refused() != refused ? lr_enomem(e, len, "reading JSON") : LR_EPARSE;
}

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

/* jansson leaves DEL as it is, which is no text for a terminal. */
static int append(const char *text, size_t n, void *ctx)
{
    for (const char *del; (del = memchr(text, 0x7F, n)) != NULL;) {
        lr_strbuf_add(ctx, text, (size_t)(del - text));
        lr_strbuf_puts(ctx, "\\u007F");
        n -= (size_t)(del - text) + 1;
        text = del + 1;
    }
    lr_strbuf_add(ctx, text, n);
    return 0;
}

void out_json_string(struct lr_strbuf *b, const char *s)
{
    struct lr_strbuf valid = {0}, shown = {0};
    json_t *j = NULL;
    size_t flags = JSON_ENCODE_ANY;

    use_own_memory();
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
