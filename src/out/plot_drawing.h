/* What the parts of the character plot share. */
#ifndef RANKLAB_OUT_PLOT_DRAWING_H
#define RANKLAB_OUT_PLOT_DRAWING_H

#include "plot_text.h"

struct plot_drawing {
    struct plot_canvas *c;
    const struct out_plot *p;
    struct plot_extent x;
    double y_min, y_max, y_step; /* of the axis; logarithms where it is logarithmic */
    int left, top, cols, rows;   /* the plot area in cells */
    int title_row, head_row, label_row, key_row, n_key_rows; /* -1: none */
    int n_name_rows; /* names of places stand in turn in so many rows */
    bool has_axes;
};

/* The letter or ASCII mark of series k. */
char plot_letter(const struct plot_drawing *d, size_t k);
/* Of its hollow points. */
char plot_open_letter(const struct plot_drawing *d, size_t k);
enum { PLOT_RING = '@', PLOT_CROSS = 'x' };
/* The cell of a value; cells outside the plot area are possible. */
int plot_cell_col(const struct plot_drawing *d, double x);
int plot_cell_row(const struct plot_drawing *d, double y);
/* Marks (lines only), error bars and curves. */
void plot_draw_curves(struct plot_drawing *d);

#endif
