/* Plots through gnuplot, which is never given a shell, a user's path or an unquoted name.
 */
#ifndef RANKLAB_OUT_PLOT_H
#define RANKLAB_OUT_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "ranklab/err.h"
#include "ranklab/mem.h"
#include "ranklab/progress.h"

enum out_series_style { OUT_LINES, OUT_LINESPOINTS, OUT_POINTS, OUT_BAND, OUT_BARS };
/* OUT_BAND: a wide pale line behind everything else. */
/* x NULL: 0, 1, 2, ...; low/high: error bars, or NULL (NaN: none here). A point whose x
 * or y is not finite, or not positive on a logarithmic axis, is a gap. */
struct out_series {
    const char *title; /* untrusted; NULL or "": no entry in the key */
    enum out_series_style style;
    size_t n;
    const double *x, *y, *low, *high;
    const bool *is_open; /* hollow points, explained by the plot's open_title; or NULL */
};
/* A mark at x (chosen rank, break-even): a vertical line, with a ring where it meets the
 * curve of its series; that ring alone; or a cross at x, y. What rings and crosses mean
 * is in the plot's ring_title and cross_title. */
enum out_mark_kind { OUT_MARK_LINE, OUT_MARK_RING, OUT_MARK_CROSS };
struct out_mark {
    double x;
    const char *label; /* untrusted; may be NULL; of lines only */
    int series;        /* drawn in this series' colour; -1: neutral */
    enum out_mark_kind kind;
    double y; /* of a cross */
};
/* A name beside a point. */
struct out_note {
    double x, y;
    const char *text; /* untrusted */
};
/* A place of the second x axis, above the plot. */
struct out_tic {
    double x, value;
};
/* x_names: untrusted names of the first series' places, as many as it has points, shown
 * instead of numbers (bars by layer, errors along the layers); or NULL. Bars of several
 * series at one x stand side by side. Text may be NULL. */
struct out_plot {
    const char *title, *x_label, *y_label; /* labels carry units */
    bool is_log_y, has_y_range;
    double y_min, y_max;
    bool has_y_floor; /* nothing below y_min is shown */
    const struct out_series *series;
    size_t n_series;
    const struct out_mark *marks;
    size_t n_marks;
    const struct out_tic *tics; /* by rising x; what they count is in tics_label */
    size_t n_tics;
    const char *tics_label; /* with its unit */
    const struct out_note *notes;
    size_t n_notes;
    const char *const *x_names;
    const char *open_title, *ring_title, *cross_title; /* entries of the key, or NULL */
};
/* Appends the name i of n without the parts of paths that all of them share, clean, its
 * last max characters: for the titles of series. */
void out_plot_short_name(struct lr_strbuf *b, const char *const *names, size_t n,
                         size_t i, size_t max);
/* Distances of tics on a linear axis: 1, 2 or 5 times a power of ten, at most n in
 * length. */
double out_tic_step(double length, int n);

/* The complete gnuplot script with its data (reads nothing else); terminal: "svg", "png",
 * "pngcairo", "pdfcairo", "dumb size W,H", "qt", "wxt", "x11", or NULL for the user's own
 * and a window; output: a plain file name (NULL: standard output). LR_EINVAL when there
 * is nothing to plot. */
enum lr_status out_plot_script(struct lr_strbuf *b, const struct out_plot *p,
                               const char *terminal, const char *output,
                               struct lr_err *e);
/* Runs gnuplot in a private folder and moves the result to path (.svg .png .pdf), all or
 * nothing. LR_EBACKEND: gnuplot is missing, failed (its first message) or took over 30 s.
 * progress, here and below, is ticked while gnuplot works (NULL: not); LR_EINTR when it
 * asks to stop, and gnuplot is gone then. */
enum lr_status out_plot_file(const struct out_plot *p, const char *path,
                             const struct lr_progress *progress, struct lr_err *e);
/* Writes the script (with a terminal for looking at it in a window) to path. */
enum lr_status out_plot_save_script(const struct out_plot *p, const char *path,
                                    struct lr_err *e);
/* The plot as text of at most width x height characters: gnuplot's dumb terminal, or the
 * built-in character plot when gnuplot is missing or use_gnuplot is false. */
enum lr_status out_plot_text(struct lr_strbuf *b, const struct out_plot *p, int width,
                             int height, bool is_ascii, bool use_gnuplot,
                             const struct lr_progress *progress, struct lr_err *e);
/* Opens a window (only with DISPLAY or WAYLAND_DISPLAY set) that outlives the call. */
enum lr_status out_plot_window(const struct out_plot *p,
                               const struct lr_progress *progress, struct lr_err *e);
/* "5.4.4", or NULL when gnuplot is not found; buf holds it. */
const char *out_plot_version(char *buf, size_t size, const struct lr_progress *progress);

#endif
