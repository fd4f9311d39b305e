/* Measured milliseconds of layers and networks on this machine. A layer is timed inside
 * its network, by the clock around its own part of each run, so that it finds its input
 * where and how the layer before left it and no copying between layouts is added. The
 * networks that are compared run in turn. */
#ifndef RANKLAB_TIMING_H
#define RANKLAB_TIMING_H

#include "ranklab/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Milliseconds for one batch of the deployment, of layer (-1: the whole network), as the
 * plan is now and in the original; NAN while that was not measured. Ranks between
 * measured ones are interpolated along the steps of the layer's table. */
void lr_session_ms(double *ms, double *ms_original, const struct lr_session *s,
                   int layer);
/* True when lr_session_ms of the whole network was measured as the plan is, not put
 * together from tables of layers. */
bool lr_session_is_timed(const struct lr_session *s);

/* The deployment of the settings, its threads resolved. */
struct lr_deploy lr_session_deploy(const struct lr_session *s);
/* "oneDNN, batch 1, 2 threads, direct convolutions" into buf of at least 96 bytes. */
const char *lr_deploy_text(char *buf, size_t size, const struct lr_deploy *d);

/* Median and quartiles of runs. */
struct lr_ms_stat {
    double ms, low, high;
    int n_runs;
};
struct lr_time_row {
    struct lr_ms_stat now, original;
};
/* What one measurement of the plan found. */
struct lr_time {
    struct lr_deploy deploy;
    int n_layers;
    struct lr_time_row *layers; /* n_layers */
    struct lr_ranks *ranks;     /* each layer's then; those of the whole layer: whole */
    enum lr_method *methods;
    struct lr_time_row total;   /* sums over the convolutions */
    struct lr_time_row network; /* by the clock around whole runs */
    char version[64];           /* of the engine */
};

/* Times the plan against the original on d. Layers that are chosen but not solved run
 * with filters that stand in for those to come: the time does not depend on their values.
 * n_runs 0: as many as give a steady median. ONNX Runtime is started through `node` in a
 * private folder: LR_EBACKEND says what is missing. */
enum lr_status lr_session_time(struct lr_session *s, const struct lr_deploy *d,
                               int n_runs, const struct lr_progress *progress,
                               struct lr_err *e);
/* Times the file that would be exported (lr_session_export_onnx) against the network's
 * own in ONNX Runtime, whole runs. *d: the deployment it was; its batch is the file's
 * where that fixes one. The session keeps nothing of it. LR_EBACKEND says what is
 * missing. */
enum lr_status lr_session_time_files(struct lr_time_row *out, char version[64],
                                     struct lr_deploy *d, struct lr_session *s,
                                     const struct lr_progress *progress,
                                     struct lr_err *e);
/* The last result of lr_session_time for d, whatever the plan was then; NULL: none. */
const struct lr_time *lr_session_time_of(const struct lr_session *s,
                                         const struct lr_deploy *d);
/* True when t was measured with the ranks the plan has now. */
bool lr_time_is_current(const struct lr_time *t, const struct lr_session *s);

/* Sees to it that the n layers listed have tables of milliseconds against ranks for d,
 * from earlier sessions on this machine where they are known; is_anew: measures those
 * that are there too. Layers that are kept have none. */
enum lr_status lr_session_time_ranks(struct lr_session *s, const struct lr_deploy *d,
                                     const int *layers, int n, bool is_anew,
                                     const struct lr_progress *progress,
                                     struct lr_err *e);
/* The layer's table for its method; NULL: not measured. */
const struct lr_ms_table *lr_session_ms_table(const struct lr_session *s,
                                              const struct lr_deploy *d, int layer);
/* When an earlier session measured that table, in seconds since 1970; 0: this session
 * did, or nobody. */
int64_t lr_session_ms_when(const struct lr_session *s, const struct lr_deploy *d,
                           int layer);
#ifdef __cplusplus
}
#endif

#endif
