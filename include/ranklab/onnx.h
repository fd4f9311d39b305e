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
 * Nodes are sorted topologically; shapes are NOT inferred. sha256 gets the file's hash;
 * where weights lie in files beside it, one that takes their bytes in as well.
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

/* ---- a network's own file with layers replaced, everything else as it is ---- */

struct lr_onnx_file;
/* Reads the file that g was made of: g says how it is to be understood (the size of the
 * input). LR_EINVAL when its hash is not sha256: it has changed since. lr_onnx_close it.
 */
enum lr_status lr_onnx_open(struct lr_onnx_file **out, const char *path,
                            const char *sha256, const struct lr_graph *g,
                            struct lr_err *e);
void lr_onnx_close(struct lr_onnx_file *f);

struct lr_onnx_swap {
    const char *layer, *value; /* the names of its node and of its value in g */
    int n_parts;
    const struct lr_conv_part *parts; /* as for lr_graph_split_layer */
    const char *doc;
    bool has_all_names; /* every value the file names stays: what was folded into the
                           layer is taken out of its last part, and its nodes remain */
    bool is_half;       /* weights are stored as float16; a Cast restores the type that is
                           computed in */
};
/* True when the layer stands in the file itself, not in a branch of an If. */
bool lr_onnx_has_layer(const struct lr_onnx_file *f, const struct lr_onnx_swap *w);
/* Puts the parts in the place of the layer's node, and of the nodes folded into it; new
 * nodes are named NAME_r1, NAME_r2, ... Constants and nodes that nobody reads any more
 * go. *n_lost (may be NULL): channels that a later node multiplies by 0, so that what
 * they were before is not known; they are 0. LR_ENUMERIC: a weight is too large for
 * float16. */
enum lr_status lr_onnx_replace(struct lr_onnx_file *f, int *n_lost,
                               const struct lr_onnx_swap *w, struct lr_err *e);
/* Sets an entry of the metadata. */
enum lr_status lr_onnx_set_prop(struct lr_onnx_file *f, const char *key,
                                const char *value, struct lr_err *e);

struct lr_onnx_save {
    size_t max_bytes; /* of one file; 0: the 2 GB that protobuf can hold */
    /* Called with the network read back (lr_onnx_parse) before it takes its name; what it
     * returns other than LR_OK leaves the old file in place. May be NULL. */
    enum lr_status (*check)(void *arg, struct lr_graph *back, struct lr_err *e);
    void *arg;
    /* While another export into the same folder is waited for. May be NULL. */
    const struct lr_progress *progress;
};
/* Writes the file, all or nothing. A model that is too large keeps its weights in a file
 * beside it, written first; its name comes back in *data (lr_free it), else NULL. f can
 * only be closed afterwards. */
enum lr_status lr_onnx_save(struct lr_onnx_file *f, char **data, const char *path,
                            const struct lr_onnx_save *o, struct lr_err *e);

#ifdef __cplusplus
}
#endif

#endif
