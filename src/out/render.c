/* Tables as text. The machine formats carry every column with raw values; aligned text
 * and Markdown carry the columns that have a title, scaled and rounded for reading. For
 * these two, all cells are first made text, so that the widths are known. */
#include "table.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "json.h"
#include "number.h"
#include "ranklab/text.h"

enum { MAX_COLUMNS = 40, GAP = 2 };

static const struct out_cell *cell_at(const struct out_table *t, size_t row, size_t col)
{
    return &t->cells[row * t->n_columns + col];
}

/* ---- csv ---- */

/* Spreadsheets compute what begins with one of these, full-width ones too. A text that
 * begins with an apostrophe gets another one, so that taking one away gives it back. */
static bool needs_apostrophe(const char *s)
{
    static const char *const wide[] = {"\xEF\xBC\x9D", "\xEF\xBC\x8B", "\xEF\xBC\x8D",
                                       "\xEF\xBC\xA0"};

    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        if (strncmp(s, wide[i], 3) == 0)
            return true;
    return *s && strchr("=+-@'", *s);
}

/* Quoted where needed, for those too that take semicolons for commas. */
static void csv_text(struct lr_strbuf *b, const char *s)
{
    struct lr_strbuf safe = {0};

    lr_text_escape(&safe, s);
    if (safe.is_failed) {
        b->is_failed = true;
        return;
    }
    size_t n = safe.len;
    bool is_quoted =
        n == 0 || strpbrk(safe.s, ",;\"\n\r") || safe.s[0] == ' ' || safe.s[n - 1] == ' ';
    if (is_quoted)
        lr_strbuf_putc(b, '"');
    if (needs_apostrophe(safe.s))
        lr_strbuf_putc(b, '\'');
    for (const char *p = safe.s; *p; p++) {
        if (*p == '"')
            lr_strbuf_putc(b, '"');
        lr_strbuf_putc(b, *p);
    }
    if (is_quoted)
        lr_strbuf_putc(b, '"');
    lr_strbuf_free(&safe);
}

void out_cell_raw(struct lr_strbuf *b, enum out_type type, const struct out_cell *c)
{
    switch (type) {
    case OUT_TEXT:
        lr_strbuf_puts(b, c->text);
        break;
    case OUT_INT:
        lr_strbuf_printf(b, "%" PRId64, c->i);
        break;
    case OUT_REAL:
        if (isfinite(c->r))
            out_number_shortest(b, c->r);
        else
            lr_strbuf_puts(b, c->r > 0 ? "inf" : "-inf");
        break;
    case OUT_BOOL:
        lr_strbuf_puts(b, c->i ? "true" : "false");
        break;
    }
}

static void csv_cell(struct lr_strbuf *b, enum out_type type, const struct out_cell *c)
{
    if (c->is_null)
        return;
    if (type == OUT_TEXT)
        csv_text(b, c->text);
    else
        out_cell_raw(b, type, c);
}

static void render_csv(struct lr_strbuf *b, const struct out_table *t)
{
    for (size_t k = 0; k < t->n_columns; k++)
        lr_strbuf_printf(b, "%s%s", k ? "," : "", t->columns[k].key);
    lr_strbuf_putc(b, '\n');
    for (size_t i = 0; i < t->n_rows; i++) {
        for (size_t k = 0; k < t->n_columns; k++) {
            if (k)
                lr_strbuf_putc(b, ',');
            csv_cell(b, t->columns[k].type, cell_at(t, i, k));
        }
        lr_strbuf_putc(b, '\n');
    }
}

/* ---- json ---- */

static void json_cell(struct lr_strbuf *b, enum out_type type, const struct out_cell *c)
{
    if (c->is_null) {
        lr_strbuf_puts(b, "null");
        return;
    }
    if (type == OUT_TEXT)
        out_json_string(b, c->text);
    else if (type == OUT_REAL)
        out_json_real(b, c->r);
    else
        out_cell_raw(b, type, c);
}

static void render_json(struct lr_strbuf *b, const struct out_table *t)
{
    lr_strbuf_putc(b, '[');
    for (size_t i = 0; i < t->n_rows; i++) {
        lr_strbuf_puts(b, i ? ", {" : "{");
        for (size_t k = 0; k < t->n_columns; k++) {
            lr_strbuf_printf(b, "%s\"%s\": ", k ? ", " : "", t->columns[k].key);
            json_cell(b, t->columns[k].type, cell_at(t, i, k));
        }
        lr_strbuf_putc(b, '}');
    }
    lr_strbuf_puts(b, "]\n");
}

/* ---- text for people ---- */

/* Bytes of s whose characters fit into room columns, from the front. */
static size_t bytes_within(const char *s, int room)
{
    size_t at = 0, n = strlen(s);
    int used = 0;

    while (at < n) {
        char one[5];
        size_t k = lr_utf8_take(one, s + at, n - at);
        int width = lr_text_columns(one);
        if (used + width > room)
            break;
        used += width;
        at += k;
    }
    return at;
}

/* At most MAX_COLUMNS columns of already escaped text. Long names are paths, which differ
 * at their ends: they lose their middle, sentences what comes last. */
static void add_capped(struct lr_strbuf *b, const char *s, bool is_ascii)
{
    int columns = lr_text_columns(s), room = MAX_COLUMNS - (is_ascii ? 3 : 1);
    int head = strchr(s, ' ') ? room : room / 3;

    if (columns <= MAX_COLUMNS) {
        lr_strbuf_puts(b, s);
        return;
    }
    lr_strbuf_add(b, s, bytes_within(s, head));
    lr_strbuf_puts(b, is_ascii ? "..." : "\xE2\x80\xA6");
    /* Skipping a wide character may skip one column more than asked. */
    const char *tail = s + bytes_within(s, columns - (room - head));
    if (*tail && lr_text_columns(tail) > room - head) {
        char one[5];
        tail += lr_utf8_take(one, tail, strlen(tail));
    }
    lr_strbuf_puts(b, tail);
}

/* Markdown's own marks escaped; an underscore inside a word has no meaning and stays. */
static void add_markdown(struct lr_strbuf *b, const char *s)
{
    for (const char *p = s; *p; p++) {
        bool is_inside =
            p > s && isalnum((unsigned char)p[-1]) && isalnum((unsigned char)p[1]);
        if (*p == '<')
            lr_strbuf_puts(b, "&lt;");
        else if (*p == '&')
            lr_strbuf_puts(b, "&amp;");
        else if (strchr("\\`*[]|$~", *p) || (*p == '_' && !is_inside))
            lr_strbuf_printf(b, "\\%c", *p);
        else
            lr_strbuf_putc(b, *p);
    }
}

/* The cell as a person reads it. */
static void show_cell(struct lr_strbuf *b, const struct out_column *col,
                      const struct out_cell *c, enum out_format format, bool is_ascii)
{
    double scale = col->scale == 0 ? 1 : col->scale;
    struct lr_strbuf safe = {0};

    if (c->is_null) {
        lr_strbuf_putc(b, '-');
        return;
    }
    switch (col->type) {
    case OUT_TEXT:
        lr_text_escape(&safe, c->text);
        if (safe.is_failed)
            b->is_failed = true;
        else if (format == OUT_MD)
            add_markdown(b, safe.s);
        else
            add_capped(b, safe.s, is_ascii);
        lr_strbuf_free(&safe);
        break;
    case OUT_INT:
        if (scale == 1)
            lr_strbuf_printf(b, "%" PRId64, c->i);
        else
            out_number_fixed(b, (double)c->i / scale, col->digits);
        break;
    case OUT_REAL:
        out_number_fixed(b, c->r / scale, col->digits);
        break;
    case OUT_BOOL:
        lr_strbuf_puts(b, c->i ? "yes" : "no");
        break;
    }
    lr_strbuf_add(b, "", 0);
}

void out_cell_text(struct lr_strbuf *b, const struct out_column *col,
                   const struct out_cell *c)
{
    if (col->type == OUT_TEXT && !c->is_null)
        lr_text_escape(b, c->text);
    else
        show_cell(b, col, c, OUT_MD, false);
}

void out_markdown_text(struct lr_strbuf *b, const char *s)
{
    struct lr_strbuf safe = {0};

    lr_text_escape(&safe, s);
    b->is_failed = b->is_failed || safe.is_failed;
    if (!safe.is_failed && safe.s)
        add_markdown(b, safe.s);
    lr_strbuf_free(&safe);
}

static void add_repeated(struct lr_strbuf *b, const char *s, int n)
{
    for (int i = 0; i < n; i++)
        lr_strbuf_puts(b, s);
}

static void add_padded(struct lr_strbuf *b, const char *s, int width, bool is_right)
{
    int pad = width - lr_text_columns(s);

    if (is_right)
        add_repeated(b, " ", pad);
    lr_strbuf_puts(b, s);
    if (!is_right)
        add_repeated(b, " ", pad);
}

/* The shown text of row (0: the titles) and column, in cells as made by make_texts. */
struct texts {
    char **cells;
    int *widths;
    size_t n_cells;
};

static bool is_right(const struct out_column *c)
{
    return c->type == OUT_INT || c->type == OUT_REAL;
}

static void free_texts(struct texts *x)
{
    for (size_t i = 0; x->cells && i < x->n_cells; i++)
        lr_free(x->cells[i]);
    lr_free(x->cells);
    lr_free(x->widths);
    *x = (struct texts){0};
}

static bool make_texts(struct texts *x, const struct out_table *t, enum out_format format,
                       bool is_ascii)
{
    x->n_cells = (t->n_rows + 1) * t->n_columns;
    x->cells = lr_calloc(x->n_cells, sizeof(*x->cells));
    x->widths = lr_calloc(t->n_columns, sizeof(*x->widths));
    if (!x->cells || !x->widths)
        return false;
    for (size_t k = 0; k < t->n_columns; k++) {
        const struct out_column *col = &t->columns[k];
        if (!col->title)
            continue;
        for (size_t i = 0; i <= t->n_rows; i++) {
            struct lr_strbuf b = {0};
            if (i == 0)
                lr_strbuf_puts(&b, col->title);
            else
                show_cell(&b, col, cell_at(t, i - 1, k), format, is_ascii);
            char *text = lr_strbuf_take(&b);
            if (!text)
                return false;
            x->cells[i * t->n_columns + k] = text;
            int width = lr_text_columns(text);
            if (width > x->widths[k])
                x->widths[k] = width;
        }
    }
    return true;
}

static void trim_right(struct lr_strbuf *b)
{
    while (b->len > 0 && !b->is_failed && b->s[b->len - 1] == ' ')
        b->s[--b->len] = '\0';
}

static void render_aligned(struct lr_strbuf *b, const struct out_table *t,
                           const struct texts *x, bool is_ascii)
{
    for (size_t i = 0; i <= t->n_rows; i++) {
        bool is_first = true;
        for (size_t k = 0; k < t->n_columns; k++) {
            if (!t->columns[k].title)
                continue;
            add_repeated(b, " ", is_first ? 0 : GAP);
            is_first = false;
            add_padded(b, x->cells[i * t->n_columns + k], x->widths[k],
                       is_right(&t->columns[k]));
        }
        trim_right(b);
        lr_strbuf_putc(b, '\n');
        if (i > 0)
            continue;
        is_first = true;
        for (size_t k = 0; k < t->n_columns; k++) {
            if (!t->columns[k].title)
                continue;
            add_repeated(b, " ", is_first ? 0 : GAP);
            is_first = false;
            add_repeated(b, is_ascii ? "-" : "\xE2\x94\x80", x->widths[k]);
        }
        lr_strbuf_putc(b, '\n');
    }
}

static void render_markdown(struct lr_strbuf *b, const struct out_table *t,
                            const struct texts *x)
{
    for (size_t i = 0; i <= t->n_rows; i++) {
        for (size_t k = 0; k < t->n_columns; k++) {
            if (!t->columns[k].title)
                continue;
            lr_strbuf_puts(b, "| ");
            add_padded(b, x->cells[i * t->n_columns + k], x->widths[k],
                       is_right(&t->columns[k]));
            lr_strbuf_putc(b, ' ');
        }
        lr_strbuf_puts(b, "|\n");
        if (i > 0)
            continue;
        for (size_t k = 0; k < t->n_columns; k++) {
            if (!t->columns[k].title)
                continue;
            lr_strbuf_puts(b, "|-");
            add_repeated(b, "-", x->widths[k]);
            lr_strbuf_putc(b, is_right(&t->columns[k]) ? ':' : '-');
        }
        lr_strbuf_puts(b, "|\n");
    }
}

enum lr_status out_table_render(struct lr_strbuf *b, const struct out_table *t,
                                enum out_format format, bool is_ascii, struct lr_err *e)
{
    struct texts x = {0};
    bool is_ok = !t->is_failed;

    assert(t->is_failed || t->n_cells % t->n_columns == 0);
    if (is_ok && format == OUT_CSV) {
        render_csv(b, t);
    } else if (is_ok && format == OUT_JSON) {
        render_json(b, t);
    } else if (is_ok) {
        is_ok = make_texts(&x, t, format, is_ascii);
        if (is_ok && format == OUT_MD)
            render_markdown(b, t, &x);
        else if (is_ok)
            render_aligned(b, t, &x, is_ascii);
        free_texts(&x);
    }
    if (!is_ok || b->is_failed)
        return lr_enomem(e, t->n_cells * sizeof(*t->cells), "a table");
    return LR_OK;
}
