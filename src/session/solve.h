/* A solve of several layers on its way: which, in what order, and what is kept of it. */
#ifndef SESSION_SOLVE_H
#define SESSION_SOLVE_H

#include "session/calibrate.h"
#include "session/unfinished.h"

struct solve_job {
    struct lr_session *s;
    const struct lr_solve_request *q;
    bool has_samples;             /* calibration images are there and the network runs */
    int *list, n;                 /* layers to solve, in order */
    double *work, total, done;    /* estimated operations of each, for the progress */
    bool *is_pending, *is_solved; /* by layer */
    struct lr_layer_plan *next;
    struct session_passes passes;
    struct lr_spatial *spatial; /* by place in the list; empty: no spatial part */
    struct lr_rows *ys;         /* its responses in the original; empty: not sampled */
    struct unfinished kept;     /* what is solved, in the cache folder */
    bool keeps;
    int n_taken; /* layers that were found there; they are no longer in the list */
};

/* Fills in the layers to solve, in order; what stays whole is named in one note. */
enum lr_status solve_job_list(struct solve_job *j, struct lr_err *e);
/* Multiply-adds, roughly, of each layer: the run of the network up to it, and the
 * solver's sums over the samples. */
void solve_job_estimate(struct solve_job *j);
/* use[i]: layer i is approximated in the network that this layer is solved behind. */
enum lr_status solve_job_before(bool *use, bool *is_any, const struct solve_job *j,
                                int layer, const int *values, int n, struct lr_err *e);
/* Puts a solved layer (owned from then on) into the plan that is worked on. */
void solve_job_install(struct solve_job *j, int layer, struct lr_factors *f);

/* ---- a solve that was stopped is taken up ---- */

/* The layers at the head of the list that are kept go into the plan. */
enum lr_status solve_job_take_up(struct solve_job *j, struct lr_err *e);
/* Keeps a layer that was solved just now. */
enum lr_status solve_job_keep(struct solve_job *j, int layer, struct lr_err *e);
void solve_job_tell_kept(const struct solve_job *j);

#endif
