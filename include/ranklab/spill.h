/* Numbers that do not fit into memory, on the disk. */
#ifndef RANKLAB_SPILL_H
#define RANKLAB_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "ranklab/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A file of a fixed size without a name, in $TMPDIR or else in the program's cache
 * folder: it is gone when the process ends, however it ends. */
struct lr_spill;
/* The room is taken at once where the file system can do that. LR_EIO names the folder:
 * no room, or none that can be written to. */
enum lr_status lr_spill_new(struct lr_spill **out, int64_t bytes, struct lr_err *e);
void lr_spill_free(struct lr_spill *s);
enum lr_status lr_spill_write(struct lr_spill *s, int64_t at, const void *data,
                              size_t bytes, struct lr_err *e);
enum lr_status lr_spill_read(const struct lr_spill *s, int64_t at, void *data,
                             size_t bytes, struct lr_err *e);
/* Bytes that may be spilled now: what is free there, less a reserve for others. */
int64_t lr_spill_room(void);

#ifdef __cplusplus
}
#endif

#endif
