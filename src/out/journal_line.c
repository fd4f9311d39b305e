/* The lines of the journal. The check is compared before anything is parsed, so that
 * random damage never reaches the parser; a line made up by somebody else has it right
 * and is still held to the limits of every field. */
#include "journal_line.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "json.h"
#include "json_parse.h"
#include "ranklab/file.h"

enum { N_CHECK = 16 };
static const char check_key[] = ",\"check\":\"";
enum { N_CHECK_KEY = sizeof(check_key) - 1, N_TAIL = N_CHECK_KEY + N_CHECK + 2 };

static bool is_hash(const char *s)
{
    return strlen(s) == 64 && s[strspn(s, "0123456789abcdef")] == '\0';
}

/* NULL, or what is wrong with the value. */
static const char *check_number(const struct out_journal_field *f, double v, bool is_null)
{
    if (is_null)
        return f->may_be_null ? NULL : "is missing";
    return v >= f->min && v <= f->max ? NULL : "is out of range";
}

static const char *check_field(const struct out_journal_field *f, const void *object)
{
    const void *at = (const char *)object + f->offset;
    const char *s;

    switch (f->kind) {
    case OUT_JOURNAL_TEXT:
        return *(char *const *)at || f->may_be_null ? NULL : "is missing";
    case OUT_JOURNAL_HASH:
        s = at;
        if (!*s)
            return f->may_be_null ? NULL : "is missing";
        return is_hash(s) ? NULL : "is no SHA-256";
    case OUT_JOURNAL_INT:
        return check_number(f, *(const int *)at, *(const int *)at == -1);
    case OUT_JOURNAL_INT64:
        return check_number(f, (double)*(const int64_t *)at, *(const int64_t *)at == -1);
    case OUT_JOURNAL_REAL:
        return check_number(f, *(const double *)at, isnan(*(const double *)at));
    }
    return NULL;
}

/* ---- writing ---- */

static void put_real(struct lr_strbuf *b, double v)
{
    if (isinf(v))
        lr_strbuf_puts(b, v > 0 ? "\"inf\"" : "\"-inf\"");
    else
        out_json_real(b, v);
}

static void put_int(struct lr_strbuf *b, int64_t v, bool may_be_null)
{
    if (v == -1 && may_be_null)
        lr_strbuf_puts(b, "null");
    else
        out_json_int(b, v);
}

static void put_text(struct lr_strbuf *b, const char *s)
{
    if (s)
        out_json_string(b, s);
    else
        lr_strbuf_puts(b, "null");
}

static void put_field(struct lr_strbuf *b, const struct out_journal_field *f,
                      const void *object)
{
    const void *at = (const char *)object + f->offset;
    const char *s = at;

    lr_strbuf_printf(b, ",\"%s\":", f->key);
    switch (f->kind) {
    case OUT_JOURNAL_TEXT:
        put_text(b, *(char *const *)at);
        break;
    case OUT_JOURNAL_HASH:
        put_text(b, *s ? s : NULL);
        break;
    case OUT_JOURNAL_INT:
        put_int(b, *(const int *)at, f->may_be_null);
        break;
    case OUT_JOURNAL_INT64:
        put_int(b, *(const int64_t *)at, f->may_be_null);
        break;
    case OUT_JOURNAL_REAL:
        put_real(b, *(const double *)at);
        break;
    }
}

enum lr_status out_journal_write(struct lr_strbuf *b,
                                 const struct out_journal_field *fields, size_t n,
                                 const void *object, struct lr_err *e)
{
    char check[65];
    size_t begin = b->len;

    for (size_t k = 0; k < n; k++) {
        const char *why = check_field(&fields[k], object);
        if (why)
            return lr_err_set(e, LR_EINVAL, "a record whose %s %s", fields[k].key, why);
    }
    lr_strbuf_printf(b, "{\"format\":%d", OUT_JOURNAL_FORMAT);
    for (size_t k = 0; k < n; k++)
        put_field(b, &fields[k], object);
    if (!b->is_failed) {
        lr_sha256(check, b->s + begin, b->len - begin);
        lr_strbuf_printf(b, "%s%.*s\"}\n", check_key, N_CHECK, check);
    }
    if (b->is_failed)
        return lr_enomem(e, OUT_JOURNAL_MAX_LINE, "a line of the journal");
    if (b->len - begin > OUT_JOURNAL_MAX_LINE)
        return lr_err_set(e, LR_EINVAL, "a record of %zu bytes: at most %d are kept",
                          b->len - begin, OUT_JOURNAL_MAX_LINE);
    return LR_OK;
}

/* ---- reading ---- */

static enum lr_status damaged(struct lr_err *e, const char *key, const char *why)
{
    return lr_err_set(e, LR_EPARSE, "%s %s", key, why);
}

/* False when the value has another type. */
static bool get_real(double *out, const json_t *v)
{
    if (json_is_number(v)) {
        *out = json_number_value(v);
        return true;
    }
    if (!json_is_string(v))
        return false;
    if (strcmp(json_string_value(v), "inf") == 0)
        *out = HUGE_VAL;
    else if (strcmp(json_string_value(v), "-inf") == 0)
        *out = -HUGE_VAL;
    else
        return false;
    return true;
}

static enum lr_status get_field(void *object, const struct out_journal_field *f,
                                const json_t *v, struct lr_err *e)
{
    void *at = (char *)object + f->offset;
    bool is_null = !v || json_is_null(v), is_typed = true;
    const char *s = json_string_value(v); /* NULL: no string */
    json_int_t i = json_integer_value(v);

    switch (f->kind) {
    case OUT_JOURNAL_TEXT:
        is_typed = s;
        if (s && !(*(char **)at = lr_strdup(s)))
            return lr_enomem(e, strlen(s), "a record");
        break;
    case OUT_JOURNAL_HASH:
        is_typed = s && strlen(s) == 64;
        if (is_typed)
            memcpy(at, s, 65);
        break;
    case OUT_JOURNAL_INT:
        is_typed = json_is_integer(v) && i >= INT_MIN && i <= INT_MAX;
        *(int *)at = is_typed ? (int)i : -1;
        break;
    case OUT_JOURNAL_INT64:
        is_typed = json_is_integer(v);
        *(int64_t *)at = is_typed ? i : -1;
        break;
    case OUT_JOURNAL_REAL:
        *(double *)at = NAN;
        is_typed = get_real(at, v);
        break;
    }
    if (!is_null && !is_typed)
        return damaged(e, f->key, "has another type");
    /* A null is written as null, not as the number that stands for it here. */
    if (!is_null && json_is_integer(v) && i == -1 && f->min > -1)
        return damaged(e, f->key, "is out of range");
    const char *why = check_field(f, object);
    return why ? damaged(e, f->key, why) : LR_OK;
}

/* Whether the line ends in the check of what stands before. */
static bool is_intact(const char *line, size_t len)
{
    char check[65];

    if (len <= N_TAIL || memcmp(line + len - N_TAIL, check_key, N_CHECK_KEY) != 0 ||
        memcmp(line + len - 2, "\"}", 2) != 0)
        return false;
    lr_sha256(check, line, len - N_TAIL);
    return memcmp(line + len - 2 - N_CHECK, check, N_CHECK) == 0;
}

enum lr_status out_journal_read(void *object, const struct out_journal_field *fields,
                                size_t n, const char *line, size_t len, struct lr_err *e)
{
    json_error_t problem;
    json_t *j = NULL;
    enum lr_status st = LR_OK;

    if (len >= OUT_JOURNAL_MAX_LINE)
        return lr_err_set(e, LR_EPARSE, "longer than %d bytes", OUT_JOURNAL_MAX_LINE);
    if (!is_intact(line, len))
        return lr_err_set(e, LR_EPARSE, "not as it was written");
    st = out_json_parse(&j, &problem, line, len, e);
    if (st == LR_ENOMEM)
        return st;
    if (st != LR_OK)
        return lr_err_set(e, LR_EPARSE, "no JSON: %.200s", problem.text);
    const json_t *format = json_object_get(j, "format");
    if (!json_is_object(j) || !json_is_integer(format))
        st = lr_err_set(e, LR_EPARSE, "no record");
    else if (json_integer_value(format) != OUT_JOURNAL_FORMAT)
        st = lr_err_set(e, LR_EUNSUP, "format %lld",
                        (long long)json_integer_value(format));
    for (size_t k = 0; st == LR_OK && k < n; k++)
        st = get_field(object, &fields[k], json_object_get(j, fields[k].key), e);
    json_decref(j);
    return st;
}
