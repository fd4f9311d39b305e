/* What the parts of the script writer share. */
#ifndef RANKLAB_OUT_PLOT_SCRIPT_H
#define RANKLAB_OUT_PLOT_SCRIPT_H

#include "plot_data.h"

/* Colours, dashes and points of the series; combined anew each time round. */
enum { PLOT_N_STYLES = 8, PLOT_N_LOOKS = PLOT_N_STYLES * PLOT_N_STYLES };
struct plot_style {
    const char *colour, *dash;
    int point;
};
extern const struct plot_style plot_styles[PLOT_N_STYLES];

enum { PLOT_WIDTH = 800, PLOT_MAX_KEY = 60 };

struct plot_writer {
    struct lr_strbuf *b;
    const struct out_plot *p;
    struct plot_extent x;
    bool is_dumb;
    int dumb_width;
    int n_key, n_left_out; /* entries the key still has room for; series without */
    size_t key_columns;    /* and how long their titles may be */
    /* of the series being written */
    const struct out_series *s;
    double offset;
    bool has_row, has_curve; /* of the data; of the plot command */
};

/* The marks by x, each with the level above the plot where its label stands; -1: none. */
struct plot_labels {
    const struct out_mark **order; /* [n_marks] */
    int *levels;                   /* [n_marks] */
    int n_levels;
};
enum lr_status plot_place_labels(struct plot_labels *l, const struct plot_writer *w,
                                 struct lr_err *e);
void plot_labels_free(struct plot_labels *l);
/* Lines and labels of the marks. */
void plot_put_marks(struct plot_writer *w, const struct plot_labels *l);
/* The names beside points. Each stands where it touches no other one and no point, if
 * there is such a place. */
enum lr_status plot_put_notes(struct plot_writer *w, struct lr_err *e);
/* The data of symbols over the curves: rings where marks meet their curves, crosses, and,
 * for characters, hollow points. */
struct plot_symbols {
    bool has_rings, has_crosses, has_open;
};
void plot_put_symbols(struct plot_symbols *has, struct plot_writer *w);
/* The plot command itself. */
void plot_put_command(struct plot_writer *w, const struct plot_symbols *has);

/* Whether the second x axis is drawn; in characters there is no room for it. */
bool plot_has_tics(const struct plot_writer *w);

/* Columns of the first max characters of s, cleaned. */
int plot_columns(const char *s, size_t max);

#endif
