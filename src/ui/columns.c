/* What the columns of the table hold. What is predicted has a ~ in its title, what was
 * measured a =; a measured number of an earlier plan stands in parentheses. */
#include "ui/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct ui_column ui_columns[UI_N_COLUMNS] = {
    [UI_COL_RANK] = {"rank/of", 8, false},  [UI_COL_KEPT] = {"~kept %", 12, false},
    [UI_COL_MACS] = {"MMAC", 7, false},     [UI_COL_SPEEDUP] = {"~x", 5, false},
    [UI_COL_ERROR] = {"=error", 8, false},  [UI_COL_STATE] = {"state", 7, true},
    [UI_COL_METHOD] = {"method", 8, true},  [UI_COL_FILTERS] = {"filters", 8, false},
    [UI_COL_KERNEL] = {"kernel", 6, false}, [UI_COL_STRIDE] = {"stride", 6, false},
    [UI_COL_PARAMS] = {"kparam", 8, false}, [UI_COL_LINEAR] = {"=linear", 8, false},
};

static double sort_key(const struct ui_layer *l, int column)
{
    switch ((enum ui_column_id)column) {
    case UI_COL_RANK:
        return l->rank;
    case UI_COL_KEPT:
        return l->energy;
    case UI_COL_MACS:
        return (double)l->macs;
    case UI_COL_SPEEDUP:
        return l->speedup;
    case UI_COL_ERROR:
        return l->error_heldout;
    case UI_COL_STATE:
        return l->state;
    case UI_COL_FILTERS:
        return l->full_rank;
    case UI_COL_PARAMS:
        return (double)l->params;
    case UI_COL_LINEAR:
        return l->error_linear;
    case UI_COL_METHOD:
    case UI_COL_KERNEL:
    case UI_COL_STRIDE:
    case UI_N_COLUMNS:
        break;
    }
    return 0;
}

static const char *sort_text(const struct ui_layer *l, int column)
{
    return column == UI_COL_METHOD   ? l->method
           : column == UI_COL_KERNEL ? l->kernel
           : column == UI_COL_STRIDE ? l->stride
                                     : NULL;
}

int ui_column_compare(const struct ui_panes *p, int a, int b)
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

void ui_million(char *buf, size_t size, int64_t n)
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

enum ui_style ui_cell_text(char *buf, size_t size, const struct ui_layer *l,
                           enum ui_column_id column)
{
    enum ui_style style = UI_NORMAL;

    buf[0] = '\0';
    switch (column) {
    case UI_COL_RANK:
        if (!l->is_approximable)
            snprintf(buf, size, "-/%d", l->full_rank);
        else if (l->rank_spatial > 0)
            snprintf(buf, size, "%d,%d", l->rank, l->rank_spatial);
        else
            snprintf(buf, size, "%d/%d", l->rank, l->full_rank);
        break;
    case UI_COL_KEPT:
        if (!isnan(l->energy))
            snprintf(buf, size, "%.1f", 100 * l->energy);
        break;
    case UI_COL_MACS:
        ui_million(buf, size, l->macs);
        break;
    case UI_COL_SPEEDUP:
        if (!isnan(l->speedup))
            snprintf(buf, size, "%.2f", l->speedup);
        break;
    case UI_COL_ERROR:
        error_text(buf, size, l->error_heldout, l->state);
        style = UI_MEASURED;
        break;
    case UI_COL_LINEAR:
        error_text(buf, size, l->error_linear, l->state);
        style = UI_MEASURED;
        break;
    case UI_COL_STATE:
        snprintf(buf, size, "%s", lr_state_name(l->state));
        style = l->state == LR_STATE_STALE    ? UI_WARN
                : l->state == LR_STATE_SOLVED ? UI_GOOD
                : l->state == LR_STATE_WHOLE  ? UI_DIM
                                              : UI_NORMAL;
        break;
    case UI_COL_METHOD:
        snprintf(buf, size, "%s", l->method);
        break;
    case UI_COL_FILTERS:
        snprintf(buf, size, "%s", l->shape);
        break;
    case UI_COL_KERNEL:
        snprintf(buf, size, "%s", l->kernel);
        break;
    case UI_COL_STRIDE:
        snprintf(buf, size, "%s", l->stride);
        break;
    case UI_COL_PARAMS:
        snprintf(buf, size, "%.1f", 1e-3 * (double)l->params);
        break;
    case UI_N_COLUMNS:
        break;
    }
    return style;
}
