/* gnuplot at work in a private folder. */
#ifndef RANKLAB_OUT_PLOT_RUN_H
#define RANKLAB_OUT_PLOT_RUN_H

#include "plot_data.h"

/* The plot by gnuplot's dumb terminal, cleaned and cut to the size. LR_EBACKEND when
 * gnuplot is missing or fails. */
enum lr_status plot_dumb(struct lr_strbuf *b, const struct out_plot *p, int width,
                         int height, struct lr_err *e);

#endif
