/* gnuplot at work in a private folder. */
#ifndef RANKLAB_OUT_PLOT_RUN_H
#define RANKLAB_OUT_PLOT_RUN_H

#include "plot_data.h"

/* The plot by gnuplot's dumb terminal, cleaned and cut to the size; is_ascii: with
 * a question mark for every other character. LR_EBACKEND when gnuplot is missing or
 * fails, LR_EINTR when progress asks to stop. */
enum lr_status plot_dumb(struct lr_strbuf *b, const struct out_plot *p, int width,
                         int height, bool is_ascii, const struct lr_progress *progress,
                         struct lr_err *e);

#endif
