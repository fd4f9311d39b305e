/* What is kept between the passes of a solve, decided before the work. */
#ifndef SESSION_CALIBRATE_H
#define SESSION_CALIBRATE_H

#include "session/internal.h"

/* The pass for one layer to solve. */
struct calib_step {
    bool has_pass; /* false: nothing is approximated before it */
    char *keep;    /* name of the value it keeps for those after it; NULL: none */
    bool is_spilled;
    int64_t bytes; /* of that value, all images */
    double macs;   /* an image, of the network in front of the layer */
};

struct session_calib {
    int n;
    struct calib_step *steps; /* owned, as the names in it */
    double macs;              /* an image, all steps together */
    int64_t memory, disk;     /* the most that is kept at a time */
    int64_t rest;             /* the most that the passes and solvers hold besides */
    int64_t bound; /* the most that the process holds in all; by session_calib_state */
};

struct calib_limits {
    int64_t memory, disk; /* bytes for what is kept */
    int64_t n_images;
};

/* The layers to solve, in order, and the plan they are solved for. */
struct calib_job {
    const struct lr_session *s;
    const struct lr_layer_plan *next;
    const int *list;
    int n;
    const bool *is_pending; /* by layer */
};

/* Chooses the values that make all passes together cheapest within the limits: a point is
 * worth keeping when what it spares outweighs writing and reading it. Points inside of
 * splits, where a layer has few channels, are among them. */
enum lr_status session_calib_plan(struct session_calib *out, const struct calib_job *j,
                                  const struct calib_limits *limits, struct lr_err *e);
void session_calib_free(struct session_calib *c);
/* The same within the settings and what the machine has free, stated in a note where it
 * is much. LR_ENOMEM when max-memory does not allow the least there is to be held. */
enum lr_status session_calib_state(struct session_calib *out, const struct calib_job *j,
                                   struct lr_err *e);

/* ---- calibrate_run.c ---- */

struct session_passes {
    struct calib_job job;
    struct session_calib plan;
    struct lr_kept kept; /* of the approximated network so far */
    char *kept_name;     /* the value; its index may differ in the next network */
};
/* The pass over g, the network in front of the k-th layer: samples the n values, from
 * what is kept, and keeps what is planned. */
enum lr_status session_passes_run(struct lr_rows *rows, const int *values, int n,
                                  struct session_passes *p, int k,
                                  const struct lr_graph *g,
                                  const struct lr_progress *progress, struct lr_err *e);
void session_passes_free(struct session_passes *p);

/* ---- calibrate_memory.c ---- */

/* Held by the libraries, outside of our own account: code they generate, buffers of
 * matrix products. */
enum { SESSION_LIBRARY_BYTES = 256 << 20 };

/* Bytes that a run of the part of g between the values from (-1: the input) and targets
 * holds at most: activations, weights, scratch; batch images at a time, 0: as many as
 * sampling takes. */
int64_t session_run_bytes(const struct lr_graph *g, int from, const int *targets, int n,
                          int batch);
/* Bytes that solving one layer of d filters over n rows holds at most. */
int64_t session_solver_bytes(int d, int64_t n_rows);

#endif
