/* The cells of a table, row after row in one array. Adding never fails visibly: a table
 * that ran out of memory says so when it is rendered. */
#include "table.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <strings.h>

void out_table_init(struct out_table *t, const struct out_column *columns, size_t n)
{
    assert(n > 0);
    *t = (struct out_table){.columns = columns, .n_columns = n};
}

void out_table_free(struct out_table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        lr_free(t->cells[i].text);
    lr_free(t->cells);
    *t = (struct out_table){0};
}

/* The next cell, checked against its column, or NULL when memory is short. */
static struct out_cell *next_cell(struct out_table *t, bool any_type, enum out_type type)
{
    (void)type, (void)any_type;
    if (t->is_failed)
        return NULL; /* the cells no longer stand in their columns */
    assert(any_type || t->columns[t->n_cells % t->n_columns].type == type);
    if (t->n_cells == t->cap_cells) {
        size_t cap = t->cap_cells ? 2 * t->cap_cells : 4 * t->n_columns;
        struct out_cell *cells = lr_realloc(t->cells, t->n_cells, cap, sizeof(*cells));
        if (!cells) {
            t->is_failed = true;
            return NULL;
        }
        t->cells = cells;
        t->cap_cells = cap;
    }
    struct out_cell *c = &t->cells[t->n_cells++];
    *c = (struct out_cell){.is_null = true};
    t->n_rows = t->n_cells / t->n_columns;
    return c;
}

void out_text(struct out_table *t, const char *s)
{
    struct out_cell *c = next_cell(t, false, OUT_TEXT);

    if (!c || !s)
        return;
    c->text = lr_strdup(s);
    c->is_null = !c->text;
    t->is_failed |= !c->text;
}

void out_int(struct out_table *t, int64_t v)
{
    struct out_cell *c = next_cell(t, false, OUT_INT);

    if (!c)
        return;
    c->i = v;
    c->is_null = v == INT64_MIN;
}

void out_real(struct out_table *t, double v)
{
    struct out_cell *c = next_cell(t, false, OUT_REAL);

    if (!c)
        return;
    c->r = v;
    c->is_null = isnan(v);
}

void out_bool(struct out_table *t, bool v)
{
    struct out_cell *c = next_cell(t, false, OUT_BOOL);

    if (!c)
        return;
    c->i = v;
    c->is_null = false;
}

void out_null(struct out_table *t)
{
    next_cell(t, true, OUT_TEXT);
}

enum out_format out_format_of(const char *path)
{
    static const struct {
        const char *ending;
        enum out_format format;
    } endings[] = {{".csv", OUT_CSV}, {".json", OUT_JSON}, {".md", OUT_MD}};
    size_t n = strlen(path);

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t k = strlen(endings[i].ending);
        if (n >= k && strcasecmp(path + n - k, endings[i].ending) == 0)
            return endings[i].format;
    }
    return OUT_TABLE;
}

bool out_format_parse(enum out_format *f, const char *name)
{
    static const char *const names[] = {
        [OUT_TABLE] = "table", [OUT_CSV] = "csv", [OUT_JSON] = "json", [OUT_MD] = "md"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            *f = (enum out_format)i;
            return true;
        }
    return false;
}
