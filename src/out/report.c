/* Blocks of a report and their two renderers. Everything in them is untrusted text (names
 * of layers come from files), so the renderers escape all of it, once. */
#include "out/report.h"

#include <string.h>

#include "ranklab/text.h"

struct out_block *out_report_add(struct out_report *r, enum out_block_kind kind)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        struct out_block *all = lr_realloc(r->blocks, r->n, cap, sizeof(*all));
        if (!all) {
            r->is_failed = true;
            return NULL;
        }
        r->blocks = all;
        r->cap = cap;
    }
    r->blocks[r->n] = (struct out_block){.kind = kind};
    return &r->blocks[r->n++];
}

void out_report_text(struct out_report *r, enum out_block_kind kind, const char *fmt, ...)
{
    struct out_block *k = out_report_add(r, kind);
    struct lr_strbuf b = {0};
    va_list ap;

    if (!k)
        return;
    va_start(ap, fmt);
    lr_strbuf_vprintf(&b, fmt, ap);
    va_end(ap);
    k->text = lr_strbuf_take(&b);
    r->is_failed = r->is_failed || !k->text;
}

void out_report_table(struct out_report *r, struct out_table *t)
{
    struct out_block *k = out_report_add(r, OUT_GRID);

    if (k)
        k->table = *t;
    else
        out_table_free(t);
}

void out_report_free(struct out_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        lr_free(r->blocks[i].text);
        lr_free(r->blocks[i].file);
        lr_free(r->blocks[i].svg);
        out_table_free(&r->blocks[i].table);
    }
    lr_free(r->blocks);
    lr_free(r->title);
    *r = (struct out_report){0};
}

/* ---- HTML ---- */

static void html_escape(struct lr_strbuf *b, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '&':
            lr_strbuf_puts(b, "&amp;");
            break;
        case '<':
            lr_strbuf_puts(b, "&lt;");
            break;
        case '>':
            lr_strbuf_puts(b, "&gt;");
            break;
        case '"':
            lr_strbuf_puts(b, "&quot;");
            break;
        case '\'':
            lr_strbuf_puts(b, "&#39;");
            break;
        default:
            lr_strbuf_putc(b, *s);
        }
}

/* Untrusted text for HTML, between tags and in quoted attributes. */
static void html_text(struct lr_strbuf *b, const char *s)
{
    struct lr_strbuf safe = {0};

    lr_text_escape(&safe, s);
    b->is_failed = b->is_failed || safe.is_failed;
    if (!safe.is_failed && safe.s)
        html_escape(b, safe.s);
    lr_strbuf_free(&safe);
}

static void html_element(struct lr_strbuf *b, const char *open, const char *text,
                         const char *close)
{
    lr_strbuf_puts(b, open);
    html_text(b, text ? text : "");
    lr_strbuf_puts(b, close);
}

static bool is_number(const struct out_column *c)
{
    return c->type == OUT_INT || c->type == OUT_REAL;
}

static void html_table(struct lr_strbuf *b, const struct out_table *t)
{
    lr_strbuf_puts(b, "<div class=\"wide\"><table>\n<thead><tr>");
    for (size_t k = 0; k < t->n_columns; k++)
        if (t->columns[k].title)
            html_element(b, is_number(&t->columns[k]) ? "<th class=\"n\">" : "<th>",
                         t->columns[k].title, "</th>");
    lr_strbuf_puts(b, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < t->n_rows; i++) {
        lr_strbuf_puts(b, "<tr>");
        for (size_t k = 0; k < t->n_columns; k++) {
            const struct out_cell *cell = &t->cells[i * t->n_columns + k];
            struct lr_strbuf text = {0};
            if (!t->columns[k].title)
                continue;
            out_cell_text(&text, &t->columns[k], cell);
            b->is_failed = b->is_failed || text.is_failed;
            lr_strbuf_puts(b, is_number(&t->columns[k]) ? "<td class=\"n\">" : "<td>");
            html_escape(b, text.s ? text.s : "");
            lr_strbuf_puts(b, "</td>");
            lr_strbuf_free(&text);
        }
        lr_strbuf_puts(b, "</tr>\n");
    }
    lr_strbuf_puts(b, "</tbody></table></div>\n");
}

/* A page must not have an id twice: those of drawing number n get a prefix of its own,
 * and so do the places that mean them. */
static void add_svg(struct lr_strbuf *b, const char *svg, size_t n)
{
    static const char *const before[] = {" id=\"", " id='", "href=\"#", "href='#",
                                         "url(#"};

    bool is_tag = false; /* names in the text are left alone */

    while (*svg) {
        size_t len = 0;
        is_tag = *svg == '<' || (is_tag && *svg != '>');
        for (size_t i = 0; is_tag && len == 0 && i < sizeof(before) / sizeof(before[0]);
             i++)
            if (strncmp(svg, before[i], strlen(before[i])) == 0)
                len = strlen(before[i]);
        lr_strbuf_add(b, svg, len ? len : 1);
        if (len)
            lr_strbuf_printf(b, "f%zu-", n);
        svg += len ? len : 1;
    }
}

/* The drawing without the declaration of a file of its own. */
static void html_figure(struct lr_strbuf *b, const struct out_block *k, size_t n)
{
    const char *svg = k->svg ? strstr(k->svg, "<svg") : NULL;

    lr_strbuf_puts(b, "<figure>\n");
    add_svg(b, svg ? svg : "", n);
    html_element(b, "<figcaption>", k->text, "</figcaption>\n</figure>\n");
}

/* Lines keep their ends; each is escaped by itself. */
static void html_code(struct lr_strbuf *b, const char *text)
{
    lr_strbuf_puts(b, "<pre><code>");
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        char *line = lr_strndup(text, n);
        b->is_failed = b->is_failed || !line;
        html_text(b, line ? line : "");
        lr_strbuf_putc(b, '\n');
        lr_free(line);
        text += n + (text[n] == '\n');
    }
    lr_strbuf_puts(b, "</code></pre>\n");
}

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1d2430;--soft:#5b6575;--paper:#fff;"
    "--line:#d9dee6;--tint:#f3f6fa;--mark:#1f5fbf}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e3e7ee;--soft:#9aa5b5;"
    "--paper:#14181f;--line:#313947;--tint:#1c222c;--mark:#7fb2ff}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "main{max-width:62rem;margin:0 auto;padding:2.5rem 1.5rem 4rem}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:0 0 1rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.2rem;margin:2.4rem 0 .7rem;padding-bottom:.3rem;"
    "border-bottom:1px solid var(--line)}\n"
    "p{margin:.6rem 0;overflow-wrap:anywhere}\n"
    ".lead{font-size:1.1rem;background:var(--tint);border-left:4px solid var(--mark);"
    "padding:.9rem 1.1rem;border-radius:0 .4rem .4rem 0}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;"
    "margin:.4rem 0}\n"
    "th,td{text-align:left;padding:.32rem .7rem;border-bottom:1px solid var(--line);"
    "overflow-wrap:break-word;vertical-align:top}\n"
    "th{color:var(--soft);font-weight:600;white-space:nowrap}\n"
    "th.n,td.n{text-align:right;white-space:nowrap}\n"
    "tbody tr:nth-child(even){background:var(--tint)}\n"
    "figure{margin:1rem 0;border:1px solid var(--line);border-radius:.4rem;"
    "background:#fff;color:#333;padding:.6rem;text-align:center}\n"
    "figure svg{max-width:100%;height:auto}\n"
    "figcaption{font-size:.85rem}\n"
    "pre{background:var(--tint);border:1px solid var(--line);border-radius:.4rem;"
    "padding:.8rem 1rem;overflow-x:auto;font-size:.82rem;line-height:1.45}\n"
    "@media print{:root{--ink:#000;--soft:#444;--paper:#fff;--line:#bbb;--tint:#f4f4f4}"
    "main{max-width:none;padding:0}figure,tr{break-inside:avoid}"
    "h2{break-after:avoid}pre{white-space:pre-wrap;overflow-wrap:anywhere}}\n";

static enum lr_status rendered(const struct lr_strbuf *b, const struct out_report *r,
                               struct lr_err *e)
{
    bool is_failed = b->is_failed || r->is_failed;

    for (size_t i = 0; i < r->n; i++)
        is_failed = is_failed || r->blocks[i].table.is_failed;
    return is_failed ? lr_enomem(e, b->len, "a report") : LR_OK;
}

enum lr_status out_report_html(struct lr_strbuf *b, const struct out_report *r,
                               struct lr_err *e)
{
    lr_strbuf_puts(
        b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
           "style-src 'unsafe-inline'\">\n"
           "<meta name=\"generator\" content=\"ranklab\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html_element(b, "<title>", r->title, "</title>\n<style>\n");
    lr_strbuf_puts(b, style);
    html_element(b, "</style>\n</head>\n<body>\n<main>\n<h1>", r->title, "</h1>\n");
    for (size_t i = 0; i < r->n; i++) {
        const struct out_block *k = &r->blocks[i];
        switch (k->kind) {
        case OUT_HEADING:
            html_element(b, "<h2>", k->text, "</h2>\n");
            break;
        case OUT_LEAD:
            html_element(b, "<p class=\"lead\">", k->text, "</p>\n");
            break;
        case OUT_PARAGRAPH:
            html_element(b, "<p>", k->text, "</p>\n");
            break;
        case OUT_GRID:
            html_table(b, &k->table);
            break;
        case OUT_FIGURE:
            html_figure(b, k, i);
            break;
        case OUT_CODE:
            html_code(b, k->text);
            break;
        }
    }
    lr_strbuf_puts(b, "</main>\n</body>\n</html>\n");
    return rendered(b, r, e);
}

/* ---- Markdown ---- */

static void md_line(struct lr_strbuf *b, const char *before, const char *text)
{
    lr_strbuf_puts(b, before);
    out_markdown_text(b, text ? text : "");
    lr_strbuf_puts(b, "\n\n");
}

/* Indented by four: no text can end the block. */
static void md_code(struct lr_strbuf *b, const char *text)
{
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        char *line = lr_strndup(text, n);
        b->is_failed = b->is_failed || !line;
        lr_strbuf_puts(b, "    ");
        lr_text_escape(b, line ? line : "");
        lr_strbuf_putc(b, '\n');
        lr_free(line);
        text += n + (text[n] == '\n');
    }
    lr_strbuf_putc(b, '\n');
}

enum lr_status out_report_markdown(struct lr_strbuf *b, const struct out_report *r,
                                   struct lr_err *e)
{
    enum lr_status st = LR_OK;

    md_line(b, "# ", r->title);
    for (size_t i = 0; !st && i < r->n; i++) {
        const struct out_block *k = &r->blocks[i];
        switch (k->kind) {
        case OUT_HEADING:
            md_line(b, "## ", k->text);
            break;
        case OUT_LEAD:
        case OUT_PARAGRAPH:
            md_line(b, "", k->text);
            break;
        case OUT_GRID:
            st = out_table_render(b, &k->table, OUT_MD, false, e);
            lr_strbuf_putc(b, '\n');
            break;
        case OUT_FIGURE:
            lr_strbuf_puts(b, "![");
            out_markdown_text(b, k->text ? k->text : "");
            lr_strbuf_printf(b, "](%s)\n\n", k->file ? k->file : "");
            break;
        case OUT_CODE:
            md_code(b, k->text);
            break;
        }
    }
    return st ? st : rendered(b, r, e);
}
