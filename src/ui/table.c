/* The table of layers. The column of names stays, the others scroll by whole columns. */
#include "ui/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ranklab/text.h"

enum { FRONT = 4, MIN_NAME = 7, MAX_NAME = 20 };

/* ---- order ---- */

/* Few rows: insertion keeps equals in order. */
static void sort_rows(struct ui_panes *p)
{
    struct ui_table *t = &p->table;

    for (int i = 0; i < t->n; i++)
        t->order[i] = i;
    if (t->sort < 0)
        return;
    for (int i = 1; i < t->n; i++) {
        int layer = t->order[i], k = i;
        while (k > 0 && ui_column_compare(p, t->order[k - 1], layer) > 0) {
            t->order[k] = t->order[k - 1];
            k--;
        }
        t->order[k] = layer;
    }
}

void ui_table_free(struct ui_table *t)
{
    lr_free(t->marks);
    lr_free(t->order);
    *t = (struct ui_table){.sort = -1};
}

void ui_table_update(struct ui_panes *p)
{
    struct ui_table *t = &p->table;
    int n = p->now ? p->now->n_layers : 0;

    if (n != t->n) {
        ui_table_free(t);
        t->marks = lr_calloc((size_t)n, sizeof(*t->marks));
        t->order = lr_calloc((size_t)n, sizeof(*t->order));
        t->n = t->marks && t->order ? n : 0;
        for (int i = 0; i < t->n; i++)
            t->order[i] = i;
    }
    if (t->layer >= t->n)
        t->layer = 0;
}

static int row_of(const struct ui_table *t, int layer)
{
    for (int i = 0; i < t->n; i++)
        if (t->order[i] == layer)
            return i;
    return 0;
}

const struct ui_layer *ui_table_layer(const struct ui_panes *p)
{
    return p->now && p->table.layer < p->now->n_layers ? &p->now->layers[p->table.layer]
                                                       : NULL;
}

int ui_table_rows(const struct ui_panes *p)
{
    /* Titles, total and network; fewer of them where there is little room. */
    int h = p->at.table.h;

    return h >= 6 ? h - 3 : h > 1 ? h - 1 : h;
}

static void keep_visible(struct ui_panes *p)
{
    struct ui_table *t = &p->table;
    int rows = ui_table_rows(p), row = row_of(t, t->layer);

    if (rows < 1)
        return;
    if (row < t->top)
        t->top = row;
    if (row >= t->top + rows)
        t->top = row - rows + 1;
    if (t->top > t->n - rows)
        t->top = t->n - rows;
    if (t->top < 0)
        t->top = 0;
}

void ui_table_move(struct ui_panes *p, int rows)
{
    struct ui_table *t = &p->table;
    int64_t row = (int64_t)row_of(t, t->layer) + rows;

    if (t->n == 0)
        return;
    t->layer = t->order[row < 0 ? 0 : row >= t->n ? t->n - 1 : row];
}

void ui_table_scroll(struct ui_panes *p, int n)
{
    int first = p->table.first + n;

    p->table.first = first < 0 ? 0 : first >= UI_N_COLUMNS ? UI_N_COLUMNS - 1 : first;
}

void ui_table_sort(struct ui_panes *p, int step)
{
    struct ui_table *t = &p->table;

    if (step == 0) {
        t->is_inverted = !t->is_inverted;
    } else {
        t->sort += step;
        t->sort = t->sort < -1              ? UI_N_COLUMNS - 1
                  : t->sort >= UI_N_COLUMNS ? -1
                                            : t->sort;
        if (t->sort >= 0 && t->sort < t->first)
            t->first = t->sort;
        /* The column itself should be seen; most are, the last ones scroll in. */
        if (t->sort >= 6 && t->first < t->sort - 5)
            t->first = t->sort - 5;
    }
    sort_rows(p);
}

bool ui_table_find(struct ui_panes *p, int direction, bool from_here)
{
    struct ui_table *t = &p->table;
    int row = row_of(t, t->layer);

    if (!t->found[0] || !p->now)
        return false;
    for (int i = from_here ? 0 : 1; i <= t->n; i++) {
        int k = ((row + direction * i) % t->n + t->n) % t->n;
        if (strcasestr(p->now->layers[t->order[k]].name, t->found)) {
            t->layer = t->order[k];
            return true;
        }
    }
    return false;
}

void ui_table_here(struct lr_strbuf *b, const struct ui_panes *p)
{
    struct lr_strbuf set = {0};
    int n = 0;

    for (int i = 0; i < p->table.n; i++)
        if (p->table.marks[i])
            lr_strbuf_printf(&set, "%s%s", n++ ? "," : "", p->now->layers[i].name);
    if (!n && ui_table_layer(p))
        lr_strbuf_puts(&set, ui_table_layer(p)->name);
    if (set.s)
        cmd_quote(b, set.s);
    lr_strbuf_free(&set);
}

/* ---- drawing ---- */

static char state_mark(enum lr_state s)
{
    return s == LR_STATE_CHOSEN   ? '?'
           : s == LR_STATE_SOLVED ? '='
           : s == LR_STATE_STALE  ? '!'
                                  : ' ';
}

static void put_cell(const struct ui_panes *p, int y, int x, int column, const char *text,
                     enum ui_style style)
{
    int w = ui_columns[column].width, n = lr_text_columns(text);
    int pad = ui_columns[column].is_text || n > w ? 0 : w - n;

    ui_put(y, x + pad, w - pad, style, text, p->is_ascii);
}

static int name_width(const struct ui_panes *p)
{
    int w = MIN_NAME;

    for (int i = 0; i < p->table.n; i++) {
        struct lr_strbuf b = {0};
        lr_text_escape(&b, p->now->layers[i].name);
        int n = b.s ? lr_text_columns(b.s) : 0;
        w = n > w ? n : w;
        lr_strbuf_free(&b);
    }
    if (w > MAX_NAME)
        w = MAX_NAME;
    return w;
}

static void draw_titles(const struct ui_panes *p, struct ui_rect r, int name)
{
    const struct ui_table *t = &p->table;
    int x = r.x + FRONT + name + 1;
    const char *up = p->is_ascii ? "^" : "\xE2\x96\xB2",
               *down = p->is_ascii ? "v" : "\xE2\x96\xBC";

    bool has_focus = p->focus == UI_IN_TABLE;
    ui_fill(r.y, r.x, r.w, has_focus ? UI_TITLE : UI_HEAD, ' ');
    enum ui_style style = has_focus ? UI_TITLE : UI_HEAD;
    ui_putf(r.y, r.x + 1, FRONT + name - 1, style, p->is_ascii, "layers %d", t->n);
    if (t->first > 0)
        ui_put(r.y, x - 1, 1, style, "<", true);
    for (int c = t->first; c < UI_N_COLUMNS; c++) {
        char title[32];
        int w = ui_columns[c].width;
        if (x + w > r.x + r.w) {
            ui_put(r.y, r.x + r.w - 1, 1, style, ">", true);
            break;
        }
        snprintf(title, sizeof(title), "%s%s", ui_columns[c].title,
                 t->sort != c     ? ""
                 : t->is_inverted ? down
                                  : up);
        put_cell(p, r.y, x, c, title, style);
        x += w + 1;
    }
}

static void draw_layer(const struct ui_panes *p, int y, struct ui_rect r, int name, int i)
{
    const struct ui_table *t = &p->table;
    const struct ui_layer *l = &p->now->layers[i];
    bool is_here = i == t->layer;
    struct lr_strbuf b = {0};
    int x = r.x + FRONT + name + 1;
    char buf[64];

    lr_text_escape(&b, l->name);
    ui_putf(y, r.x, FRONT, l->state == LR_STATE_STALE ? UI_WARN : UI_NORMAL, p->is_ascii,
            "%c%c%c", is_here ? '>' : ' ', t->marks[i] ? '*' : ' ', state_mark(l->state));
    ui_put(y, r.x + FRONT, name, t->marks[i] ? UI_MARK : UI_NORMAL, b.s ? b.s : "",
           p->is_ascii);
    lr_strbuf_free(&b);
    for (int c = t->first; c < UI_N_COLUMNS; c++) {
        int w = ui_columns[c].width;
        if (x + w > r.x + r.w)
            break;
        enum ui_style style = ui_cell_text(buf, sizeof(buf), l, (enum ui_column_id)c);
        if (c == UI_COL_KEPT && !isnan(l->energy))
            ui_bar(y, x, 6, l->energy, p->is_ascii);
        put_cell(p, y, x, c, buf, style);
        x += w + 1;
    }
    if (is_here && p->focus == UI_IN_TABLE)
        ui_restyle(y, r.x, r.w, UI_CURSOR);
}

static void draw_sum(const struct ui_panes *p, int y, struct ui_rect r, int name,
                     const char *title, int64_t macs, int64_t macs_original,
                     int64_t params, double speedup)
{
    int x = r.x + FRONT + name + 1;
    char buf[48], from[32];

    ui_put(y, r.x + FRONT, name, UI_HEAD, title, true);
    for (int c = p->table.first; c < UI_N_COLUMNS; c++) {
        int w = ui_columns[c].width;
        if (x + w > r.x + r.w)
            break;
        buf[0] = '\0';
        if (c == UI_COL_MACS)
            ui_million(buf, sizeof(buf), macs);
        else if (c == UI_COL_SPEEDUP && !isnan(speedup))
            snprintf(buf, sizeof(buf), "%.2f", speedup);
        else if (c == UI_COL_PARAMS)
            snprintf(buf, sizeof(buf), "%.1f", 1e-3 * (double)params);
        else if (c == UI_COL_KEPT) {
            ui_million(from, sizeof(from), macs_original);
            snprintf(buf, sizeof(buf), "%s ->", from);
        }
        put_cell(p, y, x, c, buf, UI_HEAD);
        x += w + 1;
    }
}

void ui_table_draw(struct ui_panes *p)
{
    struct ui_rect r = p->at.table;
    struct ui_table *t = &p->table;

    if (r.h < 1)
        return;
    if (!p->now || !p->now->has_network) {
        ui_put(r.y + r.h / 2, r.x + 2, r.w - 2, UI_DIM,
               p->work.is_busy ? "..." : "no network is open: open MODEL loads one",
               p->is_ascii);
        return;
    }
    int name = name_width(p), rows = ui_table_rows(p), y = r.y + (r.h > 1);
    if (name > r.w - FRONT)
        name = r.w - FRONT;
    keep_visible(p);
    if (r.h > 1)
        draw_titles(p, r, name);
    for (int i = 0; i < rows && t->top + i < t->n; i++, y++)
        draw_layer(p, y, r, name, t->order[t->top + i]);
    if (r.h < 6)
        return;
    const struct lr_totals *s = &p->now->totals;
    draw_sum(p, y, r, name, "total", s->macs, s->macs_original, s->params, s->speedup);
    draw_sum(p, y + 1, r, name, "network", s->net_macs, s->net_macs_original,
             s->net_params, s->net_speedup);
}

void ui_table_click(struct ui_panes *p, int y, int x)
{
    struct ui_rect r = p->at.table;
    struct ui_table *t = &p->table;

    if (y > r.y) {
        int row = t->top + y - r.y - 1;
        if (row < t->n && y - r.y - 1 < ui_table_rows(p))
            t->layer = t->order[row];
        return;
    }
    int at = r.x + FRONT + name_width(p) + 1;
    for (int c = t->first; c < UI_N_COLUMNS; c++) {
        if (x >= at && x < at + ui_columns[c].width) {
            t->is_inverted = t->sort == c && !t->is_inverted;
            t->sort = c;
            sort_rows(p);
            return;
        }
        at += ui_columns[c].width + 1;
    }
}
