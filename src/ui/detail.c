/* The pane beside the table: a plot, the spectrum of the layer under the cursor, what
 * each of its ranks costs, its errors. */
#include "ui/panes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/text.h"

static const char *const tab_names[UI_N_TABS] = {"plot", "spectrum", "cost", "error",
                                                 "log"};

/* The text of tab i behind the blank before it, and whether its pane is the one shown. -1
 * is the table, a tab where one pane is shown at a time; elsewhere its text is empty. */
static bool tab_text(char buf[16], const struct ui_panes *p, int i)
{
    const struct ui_layout *l = &p->at;

    if (i < 0) {
        snprintf(buf, 16, "%s", l->split_x < 0 ? "table" : "");
        return l->table.h > 0;
    }
    bool is_here = p->is_reading
                       ? i == UI_TAB_LOG
                       : (enum ui_tab)i == p->tab && (l->split_x >= 0 || l->table.h == 0);
    snprintf(buf, 16, is_here ? "[%d %s]" : "%d %s", i + 1, tab_names[i]);
    return is_here;
}

void ui_tabs_draw(struct ui_panes *p)
{
    const struct ui_layout *l = &p->at;
    int x = l->tabs_x, end = l->tabs_x + l->tabs_w;
    bool has_focus =
        p->focus == UI_IN_DETAIL || (p->tab == UI_TAB_LOG && p->focus == UI_IN_LOG);
    char buf[16];

    if (l->tabs_y < 0)
        return;
    for (int i = -1; i < UI_N_TABS; i++) {
        bool is_here = tab_text(buf, p, i);
        enum ui_style style = !is_here               ? UI_DIM
                              : has_focus || i == -1 ? UI_TITLE
                                                     : UI_HEAD;
        if (!buf[0])
            continue;
        x += ui_put(l->tabs_y, x, end - x, UI_NORMAL, " ", true);
        x += ui_put(l->tabs_y, x, end - x, style, buf, true);
    }
}

bool ui_tab_at(int *tab, const struct ui_panes *p, int y, int x)
{
    const struct ui_layout *l = &p->at;
    int end = l->tabs_x;
    char buf[16];

    if (l->tabs_y < 0 || y != l->tabs_y || x < l->tabs_x)
        return false;
    for (*tab = -1; *tab < UI_N_TABS; ++*tab) {
        tab_text(buf, p, *tab);
        end += buf[0] ? 1 + (int)strlen(buf) : 0;
        if (x < end)
            return true;
    }
    return false;
}

/* ---- cost ---- */

static void draw_cost(struct ui_panes *p, struct ui_rect r)
{
    const struct ui_layer *l = ui_table_layer(p);
    int y = r.y + 1, rows = r.h - 1, here = 0;

    if (!l->n_prices) {
        ui_putf(r.y, r.x, r.w, UI_DIM, p->is_ascii, "stays whole: %s",
                l->reason ? l->reason : "");
        return;
    }
    ui_put(r.y, r.x, r.w, UI_HEAD, "  rank    MMAC    ~x ~kept %  kparam", true);
    for (int i = 0; i < l->n_prices; i++)
        if (l->prices[i].rank <= l->rank)
            here = i;
    int top = here - rows / 2;
    top = top > l->n_prices - rows ? l->n_prices - rows : top;
    top = top < 0 ? 0 : top;
    for (int i = top; i < l->n_prices && y < r.y + r.h; i++, y++) {
        const struct ui_price *c = &l->prices[i];
        bool is_chosen = c->rank == l->rank;
        char kept[16] = "";
        if (!isnan(c->energy))
            snprintf(kept, sizeof(kept), "%.2f", 100 * c->energy);
        int x = ui_putf(y, r.x, r.w, is_chosen ? UI_HEAD : UI_NORMAL, p->is_ascii,
                        "%c %4d %7.2f %5.2f %7s %7.1f", is_chosen ? '>' : ' ', c->rank,
                        1e-6 * (double)c->macs,
                        c->macs > 0 ? (double)l->macs_original / (double)c->macs : 0,
                        kept, 1e-3 * (double)c->params);
        if (c->rank >= l->break_even && r.w - x > 5)
            ui_put(y, r.x + x + 1, r.w - x - 1, UI_DIM,
                   r.w - x > 14 ? "whole: cheaper" : "whole", true);
    }
}

/* ---- error ---- */

static void error_row(const struct ui_panes *p, struct ui_rect r, int *y,
                      const char *name, double e, double most, enum lr_state state)
{
    char buf[32];

    if (*y >= r.y + r.h)
        return;
    ui_put(*y, r.x, 15, UI_NORMAL, name, p->is_ascii);
    if (isnan(e))
        snprintf(buf, sizeof(buf), "-");
    else
        snprintf(buf, sizeof(buf), state == LR_STATE_STALE ? "(%.4f)" : " %.4f ", e);
    ui_putf(*y, r.x + 15, r.w - 15, UI_MEASURED, true, "%8s", buf);
    if (!isnan(e) && r.w > 34)
        ui_bar(*y, r.x + 25, r.w - 26, most > 0 ? e / most : 0, p->is_ascii);
    ++*y;
}

static void draw_error(struct ui_panes *p, struct ui_rect r)
{
    const struct ui_layer *l = ui_table_layer(p);
    int y = r.y;
    const double parts[] = {l->error_heldout, l->error_calib, l->error_linear,
                            l->error_pre,     l->error_own,   l->error_inherited,
                            l->error_refit};
    static const char *const names[] = {"held-out",    "calibration", "linear",
                                        "before ReLU", "its own",     "inherited",
                                        "after refit"};
    double most = 0;

    if (isnan(l->error_heldout) && isnan(l->error_linear)) {
        ui_put(y, r.x, r.w, UI_DIM,
               l->state == LR_STATE_WHOLE ? "whole: no error of its own"
                                          : "not solved yet: s solves and measures",
               true);
        y += 2;
    } else {
        for (int i = 0; i < 7; i++)
            most = parts[i] > most ? parts[i] : most;
        ui_put(y++, r.x, r.w, UI_HEAD,
               l->state == LR_STATE_STALE
                   ? "=error |r(y)-r(y')|^2/|r(y)|^2, before the change"
                   : "=error |r(y)-r(y')|^2/|r(y)|^2",
               true);
        for (int i = 0; i < 7; i++)
            error_row(p, r, &y, names[i], parts[i], most, l->state);
        y++;
    }
    if (y + 2 > r.y + r.h)
        return;
    most = 0;
    int n = p->now->n_layers, n_known = 0;
    for (int i = 0; i < n; i++)
        if (p->now->layers[i].error_heldout > most)
            most = p->now->layers[i].error_heldout;
    for (int i = 0; i < n; i++)
        n_known += !isnan(p->now->layers[i].error_heldout);
    if (!n_known)
        return;
    ui_put(y++, r.x, r.w, UI_HEAD, "held-out, layer by layer", true);
    for (int i = 0; i < n; i++) {
        struct lr_strbuf b = {0};
        const struct ui_layer *k = &p->now->layers[i];
        lr_text_escape(&b, k->name);
        if (!isnan(k->error_heldout))
            error_row(p, r, &y, b.s ? b.s : "", k->error_heldout, most, k->state);
        lr_strbuf_free(&b);
    }
}

/* ---- */

static void draw_head(struct ui_panes *p, struct ui_rect *r)
{
    const struct ui_layer *l = ui_table_layer(p);
    struct lr_strbuf b = {0}, name = {0};

    if (!l || r->h < 4)
        return;
    lr_text_escape(&name, l->name);
    lr_strbuf_printf(&b, "%s %s %s", name.s ? name.s : "", l->shape, l->kernel);
    if (l->is_approximable)
        lr_strbuf_printf(&b, " rank %d/%d pays below %d", l->rank, l->full_rank,
                         l->break_even);
    ui_put(r->y, r->x, r->w, UI_HEAD, b.s ? b.s : "", p->is_ascii);
    lr_strbuf_free(&b);
    lr_strbuf_free(&name);
    r->y++;
    r->h--;
}

void ui_detail_draw(struct ui_panes *p)
{
    struct ui_rect r = p->at.detail;

    if (r.h < 1 || r.w < 8)
        return;
    if (!ui_table_layer(p))
        return;
    if (p->tab != UI_TAB_PLOT)
        draw_head(p, &r);
    switch (p->tab) {
    case UI_TAB_PLOT:
        ui_plot_draw(p, r);
        break;
    case UI_TAB_SPECTRUM:
        ui_spectrum_draw(p, r);
        break;
    case UI_TAB_COST:
        draw_cost(p, r);
        break;
    case UI_TAB_ERROR:
        draw_error(p, r);
        break;
    case UI_TAB_LOG:
    case UI_N_TABS:
        break;
    }
}
