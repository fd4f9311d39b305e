/* Numbers as text with a decimal point in every locale. */
#ifndef RANKLAB_OUT_NUMBER_H
#define RANKLAB_OUT_NUMBER_H

#include "ranklab/mem.h"

/* The shortest text of at most 17 significant digits that reads back as v (finite). */
void out_number_shortest(struct lr_strbuf *b, double v);
/* x, or 0 where it would be shown as -0 with so many decimals. */
double out_no_minus_zero(double x, int digits);
/* digits decimals, or -digits significant digits; huge values get an exponent; inf, nan;
 * never "-0". */
void out_number_fixed(struct lr_strbuf *b, double v, int digits);

#endif
