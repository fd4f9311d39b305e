/* A table's fingerprint, by which a later run tells whether it came out the same. */
#ifndef RANKLAB_OUT_DIGEST_H
#define RANKLAB_OUT_DIGEST_H

#include "out/table.h"

/* True for columns that say when something was done or how long it took: "seconds", "ms",
 * "ms_...", "..._ms", "..._seconds", "..._at", "when". They differ from run to run. */
bool out_is_time(const char *key);

/* SHA-256 of the table's canonical form: a line of the keys, then one line per row, cells
 * parted by tabs; text as a JSON string, integers exactly, reals as the shortest number
 * that reads back exactly, true, false, and "-" for what is not known. Columns of times
 * are left out, and "energy": whether it is known depends on what was sampled meanwhile,
 * by the panes unasked and by commands that failed. How the table was shown does not
 * matter. */
enum lr_status out_table_digest(char hex[65], const struct out_table *t,
                                struct lr_err *e);

#endif
