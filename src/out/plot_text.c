#include "plot_run.h"
enum lr_status out_plot_text(struct lr_strbuf *b, const struct out_plot *p, int width, int height, bool is_ascii, bool use_gnuplot, struct lr_err *e)
{ return plot_dumb(b, p, width, height, e); }
