/* The columns of the table of layers: titles, what a cell says, how rows are compared. */
#ifndef RANKLAB_UI_COLUMNS_H
#define RANKLAB_UI_COLUMNS_H

#include "ui/panes.h"

enum ui_column_id {
    UI_COL_RANK,
    UI_COL_KEPT,
    UI_COL_MACS,
    UI_COL_SPEEDUP,
    UI_COL_ERROR,
    UI_COL_STATE,
    UI_COL_METHOD,
    UI_COL_FILTERS,
    UI_COL_KERNEL,
    UI_COL_STRIDE,
    UI_COL_PARAMS,
    UI_COL_LINEAR,
    UI_N_COLUMNS
};

struct ui_column {
    const char *title;
    int width;
    bool is_text;
};
extern const struct ui_column ui_columns[UI_N_COLUMNS];

/* The layers a and b by the column that sorts. Unknown values come last either way;
 * equals keep the network's order. */
int ui_column_compare(const struct ui_panes *p, int a, int b);
/* The text of a cell and its style. */
enum ui_style ui_cell_text(char *buf, size_t size, const struct ui_layer *l,
                           enum ui_column_id column);
/* n in millions, in at most 7 columns. */
void ui_million(char *buf, size_t size, int64_t n);

#endif
