/* Reading and writing ONNX model files (protobuf-c). */
#ifndef RANKLAB_ONNX_H
#define RANKLAB_ONNX_H

#include "ranklab/err.h"
#include "ranklab/graph.h"
#include "ranklab/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads path (opset 7 to 21; others give a warning note, not an error). The wire format
 * is checked iteratively (lengths, nesting at most 64 levels) before protobuf-c sees it.
 * Nodes are sorted topologically; shapes are NOT inferred. sha256 gets the file's hash.
 * LR_EIO: cannot be read; LR_EPARSE: not an ONNX model, truncated, or inconsistent (names
 * the node, tensor and offending size). Weights with NaN or Inf: LR_ENUMERIC, naming the
 * tensor. */
enum lr_status lr_onnx_read(struct lr_graph **out, char sha256[65], const char *path,
                            const struct lr_notes *notes, struct lr_err *e);

/* The same from memory. folder: where external data may lie; NULL refuses them. */
enum lr_status lr_onnx_parse(struct lr_graph **out, const void *data, size_t len,
                             const char *folder, const struct lr_notes *notes,
                             struct lr_err *e);

/* Writes g with its names, opset and metadata, all or nothing; then reads the file back
 * and compares it node by node with g (LR_EIO when they differ; the old file stays). */
enum lr_status lr_onnx_write(const struct lr_graph *g, const char *path,
                             struct lr_err *e);

#ifdef __cplusplus
}
#endif

#endif
