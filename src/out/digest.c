/* The canonical form of a table and its hash. It holds raw values, so that two tables
 * have the same digest only when every number agrees to the last bit. */
#include "out/digest.h"

#include <string.h>

#include "out/json.h"
#include "ranklab/file.h"

static bool begins_with(const char *s, const char *head)
{
    return strncmp(s, head, strlen(head)) == 0;
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);

    return n >= m && strcmp(s + n - m, tail) == 0;
}

bool out_is_time(const char *key)
{
    return strcmp(key, "seconds") == 0 || strcmp(key, "ms") == 0 ||
           strcmp(key, "when") == 0 || begins_with(key, "ms_") || ends_with(key, "_ms") ||
           ends_with(key, "_seconds") || ends_with(key, "_at");
}

static bool is_compared(const char *key)
{
    return !out_is_time(key) && strcmp(key, "energy") != 0;
}

static void add_cell(struct lr_strbuf *b, enum out_type type, const struct out_cell *c)
{
    if (c->is_null) {
        lr_strbuf_putc(b, '-');
        return;
    }
    if (type == OUT_TEXT)
        out_json_string(b, c->text);
    else
        out_cell_raw(b, type, c);
}

enum lr_status out_table_digest(char hex[65], const struct out_table *t, struct lr_err *e)
{
    struct lr_strbuf b = {0};
    enum lr_status st = LR_OK;

    for (size_t k = 0; k < t->n_columns; k++)
        if (is_compared(t->columns[k].key))
            lr_strbuf_printf(&b, "%s\t", t->columns[k].key);
    lr_strbuf_putc(&b, '\n');
    for (size_t i = 0; i < t->n_rows; i++) {
        for (size_t k = 0; k < t->n_columns; k++) {
            if (!is_compared(t->columns[k].key))
                continue;
            add_cell(&b, t->columns[k].type, &t->cells[i * t->n_columns + k]);
            lr_strbuf_putc(&b, '\t');
        }
        lr_strbuf_putc(&b, '\n');
    }
    if (t->is_failed || b.is_failed)
        st = lr_enomem(e, b.len, "a table");
    else
        lr_sha256(hex, b.s, b.len);
    lr_strbuf_free(&b);
    return st;
}
