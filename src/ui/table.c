/* The table of layers. The column of names stays, the others scroll by whole columns.
 * What is predicted has a ~ in its title, what was measured a =; a measured number of an
 * earlier plan stands in parentheses. */
#include "ui/panes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ranklab/text.h"

enum column_id {
    COL_RANK,
    COL_KEPT,
    COL_MACS,
    COL_SPEEDUP,
    COL_ERROR,
    COL_STATE,
    COL_METHOD,
    COL_FILTERS,
    COL_KERNEL,
    COL_STRIDE,
    COL_PARAMS,
    COL_LINEAR,
    N_COLUMNS
};

static const struct {
    const char *title;
    int width;
    bool is_text;
} columns[N_COLUMNS] = {
    [COL_RANK] = {"rank/of", 8, false},  [COL_KEPT] = {"~kept %", 12, false},
    [COL_MACS] = {"MMAC", 7, false},     [COL_SPEEDUP] = {"~x", 5, false},
    [COL_ERROR] = {"=error", 8, false},  [COL_STATE] = {"state", 7, true},
    [COL_METHOD] = {"method", 8, true},  [COL_FILTERS] = {"filters", 8, false},
    [COL_KERNEL] = {"kernel", 6, false}, [COL_STRIDE] = {"stride", 6, false},
    [COL_PARAMS] = {"kparam", 8, false}, [COL_LINEAR] = {"=linear", 8, false},
};

enum { FRONT = 4, MIN_NAME = 7, MAX_NAME = 20 };

/* ---- order ---- */

static double sort_key(const struct ui_layer *l, int column)
{
    switch ((enum column_id)column) {
    case COL_RANK:
        return l->rank;
    case COL_KEPT:
        return l->energy;
    case COL_MACS:
        return (double)l->macs;
    case COL_SPEEDUP:
        return l->speedup;
    case COL_ERROR:
        return l->error_heldout;
    case COL_STATE:
        return l->state;
    case COL_FILTERS:
        return l->full_rank;
    case COL_PARAMS:
        return (double)l->params;
    case COL_LINEAR:
        return l->error_linear;
    case COL_METHOD:
    case COL_KERNEL:
    case COL_STRIDE:
    case N_COLUMNS:
        break;
    }
    return 0;
}

static const char *sort_text(const struct ui_layer *l, int column)
{
    return column == COL_METHOD   ? l->method
           : column == COL_KERNEL ? l->kernel
           : column == COL_STRIDE ? l->stride
                                  : NULL;
}

/* Unknown values come last either way; equals keep the network's order. */
static int compare(const struct ui_panes *p, int a, int b)
{
    const struct ui_layer *la = &p->now->layers[a], *lb = &p->now->layers[b];
    int column = p->table.sort, sign = p->table.is_inverted ? -1 : 1;
    const char *ta = sort_text(la, column), *tb = sort_text(lb, column);

    if (ta && tb) {
        int c = strcmp(ta, tb);
        return c ? sign * c : a - b;
    }
    double ka = sort_key(la, column), kb = sort_key(lb, column);
    if (isnan(ka) || isnan(kb))
        return isnan(ka) == isnan(kb) ? a - b : isnan(ka) ? 1 : -1;
    return ka < kb ? -sign : ka > kb ? sign : a - b;
}

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
        while (k > 0 && compare(p, t->order[k - 1], layer) > 0) {
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

    p->table.first = first < 0 ? 0 : first >= N_COLUMNS ? N_COLUMNS - 1 : first;
}

void ui_table_sort(struct ui_panes *p, int step)
{
    struct ui_table *t = &p->table;

    if (step == 0) {
        t->is_inverted = !t->is_inverted;
    } else {
        t->sort += step;
        t->sort = t->sort < -1 ? N_COLUMNS - 1 : t->sort >= N_COLUMNS ? -1 : t->sort;
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

/* A number in at most 7 columns. */
static void million(char *buf, size_t size, int64_t n)
{
    double m = 1e-6 * (double)n;

    snprintf(buf, size, "%.*f", m < 9.995 ? 2 : m < 999.5 ? 1 : 0, m);
}

static void error_text(char *buf, size_t size, double e, enum lr_state state)
{
    if (isnan(e))
        snprintf(buf, size, "-");
    else
        snprintf(buf, size, state == LR_STATE_STALE ? "(%.4f)" : "%.4f", e);
}

static enum ui_style cell_text(char *buf, size_t size, const struct ui_layer *l,
                               enum column_id column)
{
    enum ui_style style = UI_NORMAL;

    buf[0] = '\0';
    switch (column) {
    case COL_RANK:
        if (!l->is_approximable)
            snprintf(buf, size, "-/%d", l->full_rank);
        else if (l->rank_spatial > 0)
            snprintf(buf, size, "%d,%d", l->rank, l->rank_spatial);
        else
            snprintf(buf, size, "%d/%d", l->rank, l->full_rank);
        break;
    case COL_KEPT:
        if (!isnan(l->energy))
            snprintf(buf, size, "%.1f", 100 * l->energy);
        break;
    case COL_MACS:
        million(buf, size, l->macs);
        break;
    case COL_SPEEDUP:
        if (!isnan(l->speedup))
            snprintf(buf, size, "%.2f", l->speedup);
        break;
    case COL_ERROR:
        error_text(buf, size, l->error_heldout, l->state);
        style = UI_MEASURED;
        break;
    case COL_LINEAR:
        error_text(buf, size, l->error_linear, l->state);
        style = UI_MEASURED;
        break;
    case COL_STATE:
        snprintf(buf, size, "%s", lr_state_name(l->state));
        style = l->state == LR_STATE_STALE    ? UI_WARN
                : l->state == LR_STATE_SOLVED ? UI_GOOD
                : l->state == LR_STATE_WHOLE  ? UI_DIM
                                              : UI_NORMAL;
        break;
    case COL_METHOD:
        snprintf(buf, size, "%s", l->method);
        break;
    case COL_FILTERS:
        snprintf(buf, size, "%s", l->shape);
        break;
    case COL_KERNEL:
        snprintf(buf, size, "%s", l->kernel);
        break;
    case COL_STRIDE:
        snprintf(buf, size, "%s", l->stride);
        break;
    case COL_PARAMS:
        snprintf(buf, size, "%.1f", 1e-3 * (double)l->params);
        break;
    case N_COLUMNS:
        break;
    }
    return style;
}

static void put_cell(const struct ui_panes *p, int y, int x, int column, const char *text,
                     enum ui_style style)
{
    int w = columns[column].width, n = lr_text_columns(text);
    int pad = columns[column].is_text || n > w ? 0 : w - n;

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
    for (int c = t->first; c < N_COLUMNS; c++) {
        char title[32];
        int w = columns[c].width;
        if (x + w > r.x + r.w) {
            ui_put(r.y, r.x + r.w - 1, 1, style, ">", true);
            break;
        }
        snprintf(title, sizeof(title), "%s%s", columns[c].title,
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
    for (int c = t->first; c < N_COLUMNS; c++) {
        int w = columns[c].width;
        if (x + w > r.x + r.w)
            break;
        enum ui_style style = cell_text(buf, sizeof(buf), l, (enum column_id)c);
        if (c == COL_KEPT && !isnan(l->energy))
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
    for (int c = p->table.first; c < N_COLUMNS; c++) {
        int w = columns[c].width;
        if (x + w > r.x + r.w)
            break;
        buf[0] = '\0';
        if (c == COL_MACS)
            million(buf, sizeof(buf), macs);
        else if (c == COL_SPEEDUP && !isnan(speedup))
            snprintf(buf, sizeof(buf), "%.2f", speedup);
        else if (c == COL_PARAMS)
            snprintf(buf, sizeof(buf), "%.1f", 1e-3 * (double)params);
        else if (c == COL_KEPT) {
            million(from, sizeof(from), macs_original);
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
    for (int c = t->first; c < N_COLUMNS; c++) {
        if (x >= at && x < at + columns[c].width) {
            t->is_inverted = t->sort == c && !t->is_inverted;
            t->sort = c;
            sort_rows(p);
            return;
        }
        at += columns[c].width + 1;
    }
}
