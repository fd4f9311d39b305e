/* The passes of a solve as they were planned: each begins where the last value was kept.
 */
#include "session/calibrate.h"

#include <string.h>

#include "ranklab/mem.h"

/* Where g can be resumed with all that the layers from the k-th on are solved from; the
 * value of this name among those places, -1: it is none of them. */
static enum lr_status find_cut(int *cut, const struct session_passes *p, int k,
                               const struct lr_graph *g, const char *name,
                               struct lr_err *e)
{
    const struct calib_job *j = &p->job;
    const struct lr_session *s = j->s;
    int v = name ? lr_graph_find_value(g, name) : -1, n = 0, n_cuts = 0;
    int *targets, *cuts;
    enum lr_status rc;

    *cut = -1;
    if (v < 0)
        return LR_OK;
    targets = lr_calloc(2 * (size_t)j->n + 1, sizeof(*targets));
    cuts = lr_calloc((size_t)g->n_values + 1, sizeof(*cuts));
    for (int i = k; targets && i < j->n; i++)
        n += session_targets(targets + n, &s->layers[j->list[i]]);
    rc = targets && cuts
             ? session_cuts(cuts, &n_cuts, g, targets, n,
                            g->values[s->layers[j->list[k]].value].producer, e)
             : lr_enomem(e, (size_t)g->n_values * sizeof(*cuts), "a set of values");
    for (int i = 0; rc == LR_OK && i < n_cuts; i++)
        if (cuts[i] == v)
            *cut = v;
    lr_free(targets);
    lr_free(cuts);
    return rc;
}

static void drop_kept(struct session_passes *p)
{
    lr_kept_free(&p->kept);
    lr_free(p->kept_name);
    p->kept_name = NULL;
}

/* A place that is none in this network (the plan was made for the finished one) is left
 * out: the pass is longer then, and the same comes out. */
enum lr_status session_passes_run(struct lr_rows *rows, const int *values, int n,
                                  struct session_passes *p, int k,
                                  const struct lr_graph *g,
                                  const struct lr_progress *progress, struct lr_err *e)
{
    const struct calib_step *step = &p->plan.steps[k];
    struct lr_sampling o = session_sampling(p->job.s);
    struct lr_kept keep = {.is_spilled = step->is_spilled};
    int from = -1, to = -1;
    char *name = NULL;
    enum lr_status rc = LR_OK;

    if (lr_kept_is_there(&p->kept) &&
        (rc = find_cut(&from, p, k, g, p->kept_name, e)) != LR_OK)
        return rc;
    if (from < 0)
        drop_kept(p);
    p->kept.value = from;
    if ((rc = find_cut(&to, p, k, g, step->keep, e)) != LR_OK)
        return rc;
    if (to >= 0 && !(name = lr_strdup(step->keep)))
        return lr_enomem(e, strlen(step->keep) + 1, "a name");
    keep.value = to;
    rc = lr_sample_pass(rows, values, n, g, p->job.s->calib, from >= 0 ? &p->kept : NULL,
                        to >= 0 ? &keep : NULL, &o, progress, e);
    if (rc == LR_OK && to >= 0) {
        drop_kept(p);
        p->kept = keep;
        p->kept_name = name;
        name = NULL;
    }
    lr_free(name);
    return rc;
}

void session_passes_free(struct session_passes *p)
{
    drop_kept(p);
    session_calib_free(&p->plan);
}
