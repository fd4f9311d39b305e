/* Writing the approximated network as an ONNX file. */
#ifndef RANKLAB_EXPORT_H
#define RANKLAB_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranklab/session.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lr_export_opts {
    const char *config; /* a kept configuration; NULL: the plan */
    bool has_all_names; /* every value the file names stays, what was folded too */
    bool is_half;       /* new weights are stored as 16-bit floats */
    size_t max_bytes;   /* of one file; 0: the 2 GB an ONNX file can hold */
    const struct lr_progress *progress;
};
/* What was written. */
struct lr_exported {
    char *data;  /* the file with the weights beside it, owned; NULL: none was needed */
    bool is_run; /* outputs were compared; else the network cannot be run here */
    double difference; /* of the outputs, |y - y'| / |y| */
};

/* Writes the network's own file with the split layers replaced and everything else as it
 * is: nodes, names, opset, metadata; entries ranklab.* are added. Nothing is written
 * unless what was read back gives the outputs of the network in memory, within 1e-4 (2e-2
 * with 16-bit weights), at the same multiply-adds. LR_EINVAL: the network's file is gone
 * or has changed since it was opened, and as lr_session_build. A layer in a branch of an
 * If cannot be replaced in the file: the network is then written as it is held, with a
 * note. */
enum lr_status lr_session_export_onnx(struct lr_exported *r, struct lr_session *s,
                                      const char *path, const struct lr_export_opts *o,
                                      struct lr_err *e);
void lr_exported_clear(struct lr_exported *r);

#ifdef __cplusplus
}
#endif

#endif
