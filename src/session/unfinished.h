/* Layers that a solve has finished, kept until all of it is: one that was stopped, killed
 * or ran out of memory is taken up where it was. */
#ifndef SESSION_UNFINISHED_H
#define SESSION_UNFINISHED_H

#include "session/internal.h"

/* ---- factors_file.c ---- */

/* Factors as the bytes of a file, all that belongs to them, and the key they are kept
 * under (64 characters). LR_EIO as lr_file_write. */
enum lr_status session_factors_write(struct lr_factors *f, const char *key,
                                     const char *path, struct lr_err *e);
/* NULL in *out where there is no such file, or not one that was written whole by this
 * version under this key: nothing of it is believed then. LR_ENOMEM. */
enum lr_status session_factors_read(struct lr_factors **out, const char *key,
                                    const char *path, struct lr_err *e);

/* ---- unfinished.c ---- */

struct unfinished {
    const struct lr_session *s;
    char (*keys)[65]; /* of the layers found or kept; owned */
    int n, cap;
    bool has_failed; /* keeping did, and that was said */
};

/* Of all that a layer's factors depend on: the network, the images, the settings of the
 * solver, and the factors in next of the layers in use before it. */
enum lr_status unfinished_key(char key[65], const struct lr_session *s,
                              const struct lr_solve_request *q,
                              const struct lr_layer_plan *next, int layer,
                              const bool *use, struct lr_err *e);
/* The layer's factors of a solve that did not end; NULL in *out: none are kept. */
enum lr_status unfinished_find(struct lr_factors **out, struct unfinished *u,
                               const char *key, struct lr_err *e);
/* That they cannot be kept is a warning. */
enum lr_status unfinished_keep(struct unfinished *u, const char *key,
                               struct lr_factors *f, struct lr_err *e);
/* Removes what is kept: it is in the plan now. */
void unfinished_end(struct unfinished *u);
void unfinished_free(struct unfinished *u);

#endif
