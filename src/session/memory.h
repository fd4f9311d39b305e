/* Memory that commands state before they work. */
#ifndef SESSION_MEMORY_H
#define SESSION_MEMORY_H

#include "session/internal.h"

/* Whether a bound is worth telling. */
bool session_is_much(int64_t bound);
/* LR_ENOMEM when max-memory or the machine does not allow `least` bytes more than are
 * held; what, as in "evaluating", begins the message, hint (or NULL) ends it. */
enum lr_status session_refuse(const char *what, int64_t least, const char *hint,
                              struct lr_err *e);
/* The same, and else a note of what the program will hold at most when bytes are added to
 * what it holds now, where that is much. */
enum lr_status session_state_memory(const struct lr_session *s, const char *what,
                                    int64_t bytes, int64_t least, const char *hint,
                                    struct lr_err *e);
/* What one image cannot do without; and the most that running so many takes (0: a whole
 * batch) from the input to all outputs, images included. */
int64_t session_run_least(const struct lr_graph *g);
int64_t session_forward_bytes(const struct lr_graph *g, int64_t n_images);
/* What images of d may take when they are decoded; d may be NULL. */
int64_t session_pictures_bytes(const struct lr_dataset *d);

/* Before responses of the n values are sampled on all calibration images. */
enum lr_status session_state_spectra(const struct lr_session *s, const int *values, int n,
                                     struct lr_err *e);
/* Before single layers are solved on n_images. */
enum lr_status session_state_points(const struct lr_session *s, const int *layers, int n,
                                    int64_t n_images, double group_bytes,
                                    struct lr_err *e);
/* Before the original and g are run on count images of d, one after the other with what
 * they give kept, or side by side. */
enum lr_status session_state_eval(const struct lr_session *s, const struct lr_graph *g,
                                  const struct lr_dataset *d, int64_t count,
                                  bool is_side_by_side, struct lr_err *e);

#endif
