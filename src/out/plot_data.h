/* What the gnuplot script and the character plot share: which points are visible, the
 * ranges they span, thinning, and names made harmless. */
#ifndef RANKLAB_OUT_PLOT_DATA_H
#define RANKLAB_OUT_PLOT_DATA_H

#include "plot.h"

/* The ranges of all visible points, error bars and marks (finite, not empty: min < max).
 */
struct plot_extent {
    double x_min, x_max, y_min, y_max;
    double y_smallest; /* the smallest positive value: the floor of a logarithmic axis */
    bool has_bars;
};
/* LR_EINVAL when no point is visible or a range is senseless. */
enum lr_status plot_measure(struct plot_extent *x, const struct out_plot *p,
                            struct lr_err *e);

double plot_x(const struct out_series *s, size_t i);
bool plot_is_visible(const struct out_plot *p, const struct out_series *s, size_t i);
bool plot_has_visible(const struct out_plot *p, const struct out_series *s);
/* The y of series s where it passes x, NAN where it does not. */
double plot_y_at(const struct out_plot *p, const struct out_series *s, double x);

/* Hands on the visible points of s in order, at most about 4 per column when there are
 * more: the lowest and the highest of each column, and both ends. is_gap: a gap lies
 * before. */
typedef void plot_emit_fn(void *ctx, size_t i, bool is_gap);
void plot_thin(const struct out_plot *p, const struct out_series *s, int n_columns,
               plot_emit_fn *emit, void *ctx);

/* Appends s without controls, characters that hide or reorder text, and invalid bytes
 * (these become U+FFFD), cut with "..." after max characters. NULL: nothing. */
void plot_clean(struct lr_strbuf *b, const char *s, size_t max);
/* Bytes that all names of places begin and end with, in whole parts of paths. */
struct plot_names {
    size_t before, after;
};
struct plot_names plot_shared_names(const struct out_plot *p);
/* Appends the name of place i without what is shared, clean, the last max characters. */
void plot_name(struct lr_strbuf *b, const struct out_plot *p, struct plot_names shared,
               size_t i, size_t max);
/* Columns of the longest of the names, without what is shared and cut to max characters;
 * 0: there are no names. */
int plot_longest_name(const struct out_plot *p, size_t max);
/* Appends s as a gnuplot string, the only way for text into a script: in a command in
 * single quotes, doubled inside (or U+2019 where gnuplot cannot read that), in which
 * nothing is replaced; in a row of data in double quotes (no others are known there) with
 * ' for " and doubled backslashes. */
enum plot_quoting { PLOT_IN_COMMAND, PLOT_IN_DATA };
void plot_quote(struct lr_strbuf *b, enum plot_quoting q, const char *s, size_t max);

#endif
