/* The built-in character plot. */
#ifndef RANKLAB_OUT_PLOT_TEXT_H
#define RANKLAB_OUT_PLOT_TEXT_H

#include "plot_data.h"

enum { PLOT_MAX_SIDE = 2000 };

/* A picture of cells, each a character, over which dots can be drawn: braille dots, 2 x 4
 * in a cell, or one dot a cell as the given ASCII mark. Characters win over dots.
 * Everything outside is left out. */
struct plot_canvas {
    int width, height; /* cells */
    bool is_ascii;
    unsigned char *dots; /* [height * width]: a braille pattern, or the ASCII mark */
    char (*text)[5]; /* [height * width]: a character; "" none; "\1" the right half of a
                        wide one */
};
enum lr_status plot_canvas_new(struct plot_canvas *c, int width, int height,
                               bool is_ascii, struct lr_err *e);
void plot_canvas_free(struct plot_canvas *c);
/* Dots per cell: 2 and 4, or 1 and 1. */
int plot_canvas_dots_x(const struct plot_canvas *c);
int plot_canvas_dots_y(const struct plot_canvas *c);
void plot_canvas_dot(struct plot_canvas *c, int x, int y, char mark);
void plot_canvas_line(struct plot_canvas *c, int x1, int y1, int x2, int y2, char mark);
/* A string from cell (col, row) on, at most max columns; returns the columns used. */
int plot_canvas_text(struct plot_canvas *c, int col, int row, const char *s, int max);
/* Whether the cells col..col+n-1 of row hold no character. */
bool plot_canvas_is_free(const struct plot_canvas *c, int col, int row, int n);
/* All rows, without spaces at their ends. */
void plot_canvas_render(struct lr_strbuf *b, const struct plot_canvas *c);

/* Bars as rows of blocks, one per place and series. */
enum lr_status plot_draw_bars(struct lr_strbuf *b, const struct out_plot *p,
                              const struct plot_extent *x, int width, int height,
                              bool is_ascii, struct lr_err *e);

#endif
