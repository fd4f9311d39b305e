#include "session/solve.h"

#include <string.h>

#include "ranklab/mem.h"

/* Solved layers that solving the pending ones makes stale are solved again with them, so
 * that one call leaves nothing stale behind. */
static enum lr_status add_followers(struct solve_job *j, struct lr_err *e)
{
    struct lr_session *s = j->s;
    struct lr_layer_plan *plan = NULL;
    enum lr_status rc = session_plan_copy(&plan, s, e);

    if (rc == LR_OK)
        rc = session_mark_stale(s, plan, j->is_pending, j->is_pending, e);
    for (int i = 0; rc == LR_OK && i < s->n_layers; i++)
        if (plan[i].is_stale && lr_session_state(s, i) == LR_STATE_SOLVED)
            j->is_pending[i] = true;
    session_plan_free(plan, s->n_layers);
    return rc;
}

enum lr_status solve_job_list(struct solve_job *j, struct lr_err *e)
{
    struct lr_session *s = j->s;
    const int *layers = j->q->layers, n = j->q->n;
    struct lr_strbuf skipped = {0};
    enum lr_status rc = LR_OK;

    for (int i = 0; i < n; i++)
        if (layers[i] >= 0 && layers[i] < s->n_layers)
            j->is_pending[layers[i]] = true;
    for (int i = 0; n < 0 && i < s->n_layers; i++) {
        enum lr_state state = lr_session_state(s, i);
        j->is_pending[i] = state == LR_STATE_CHOSEN || state == LR_STATE_STALE;
    }
    if (n < 0 && (rc = add_followers(j, e)) != LR_OK)
        return rc;
    for (int i = 0; i < s->n_layers; i++) {
        enum lr_state state = lr_session_state(s, i);
        char buf[128];
        if (!j->is_pending[i])
            continue;
        if (state == LR_STATE_WHOLE) {
            j->is_pending[i] = false;
            lr_strbuf_printf(&skipped, "%s%s (%s)", skipped.len ? ", " : "",
                             s->layers[i].name,
                             lr_session_reason(s, i, buf, sizeof(buf)));
        } else {
            j->list[j->n++] = i;
        }
    }
    if (skipped.len && !skipped.is_failed)
        lr_note(&s->notes, LR_NOTE_INFO, "left whole: %s", skipped.s);
    lr_strbuf_free(&skipped);
    return LR_OK;
}

void solve_job_estimate(struct solve_job *j)
{
    const struct lr_session *s = j->s;
    double images = j->has_samples ? (double)lr_dataset_count(s->calib) : 0;

    j->total = 0;
    for (int k = 0; k < j->n; k++) {
        const struct lr_layer *l = &s->layers[j->list[k]];
        bool is_linear = lr_method_info(s->plan[j->list[k]].method)->is_linear;
        double d = l->d;
        j->work[k] = 2 * images * (double)l->macs +
                     images * 10 * d * d * (is_linear ? 3 : 150) + d * d * d;
        j->total += j->work[k];
    }
}

/* The network so far: the layers before this one that are approximated. A layer behind it
 * on the other branch of an addition does not count, even when it is solved: what a layer
 * is fitted to must not depend on the order in which layers are solved. */
enum lr_status solve_job_before(bool *use, bool *is_any, const struct solve_job *j,
                                int layer, const int *values, int n, struct lr_err *e)
{
    const struct lr_session *s = j->s;
    bool *mask = NULL;
    enum lr_status rc = session_upstream(&mask, s, values, n, e);

    *is_any = false;
    if (rc != LR_OK)
        return rc;
    for (int i = 0; i < layer; i++) {
        use[i] = !j->is_pending[i] && mask[s->layers[i].value] && j->next[i].factors;
        *is_any = *is_any || use[i];
    }
    lr_free(mask);
    return LR_OK;
}

/* ---- a solve that was stopped is taken up ---- */

void solve_job_install(struct solve_job *j, int layer, struct lr_factors *f)
{
    struct lr_layer_plan *p = &j->next[layer];

    lr_factors_unref(p->factors);
    p->factors = f;
    p->is_stale = false;
    j->is_pending[layer] = false;
    j->is_solved[layer] = true;
}

static enum lr_status key_of(char key[65], const struct solve_job *j, int layer,
                             struct lr_err *e)
{
    const struct lr_session *s = j->s;
    int values[2], n = session_targets(values, &s->layers[layer]);
    bool *use = lr_calloc((size_t)s->n_layers + 1, sizeof(*use)), is_any;
    enum lr_status rc = use ? solve_job_before(use, &is_any, j, layer, values, n, e)
                            : lr_enomem(e, (size_t)s->n_layers, "a set of layers");

    if (rc == LR_OK)
        rc = unfinished_key(key, s, j->q, j->next, layer, use, e);
    lr_free(use);
    return rc;
}

enum lr_status solve_job_keep(struct solve_job *j, int layer, struct lr_err *e)
{
    char key[65];
    enum lr_status rc = key_of(key, j, layer, e);

    return rc == LR_OK ? unfinished_keep(&j->kept, key, j->next[layer].factors, e) : rc;
}

/* Whatever a file in the cache says, it is a layer of this network and of this plan. */
static bool is_believed(const struct solve_job *j, int layer, const struct lr_factors *f)
{
    const struct lr_session *s = j->s;
    const struct lr_layer *l = &s->layers[layer];
    struct lr_err ignored = {0};

    return f->method == j->next[layer].method && f->rank <= l->d &&
           f->rank_spatial <= lr_spatial_full(l) &&
           lr_graph_fits_split(s->graph, l->value, f->n_parts, f->parts, &ignored) ==
               LR_OK;
}

enum lr_status solve_job_take_up(struct solve_job *j, struct lr_err *e)
{
    const struct lr_session *s = j->s;
    int all = j->n;

    while (j->n > 0) {
        struct lr_factors *f = NULL;
        char key[65];
        enum lr_status rc = key_of(key, j, j->list[0], e);
        if (rc == LR_OK)
            rc = unfinished_find(&f, &j->kept, key, e);
        if (rc != LR_OK)
            return rc;
        if (f && !is_believed(j, j->list[0], f)) {
            lr_factors_unref(f);
            f = NULL;
        }
        if (!f)
            break;
        solve_job_install(j, j->list[0], f);
        j->n_taken++;
        j->n--;
        memmove(j->list, j->list + 1, (size_t)j->n * sizeof(*j->list));
    }
    if (j->n_taken)
        lr_note(&s->notes, LR_NOTE_INFO,
                "taken up again: %d of %d layers were solved before it was stopped",
                j->n_taken, all);
    return LR_OK;
}

void solve_job_tell_kept(const struct solve_job *j)
{
    if (j->kept.n > 0 && !j->kept.has_failed)
        lr_note(&j->s->notes, LR_NOTE_INFO,
                "%d of %d layers are kept; the same solve goes on from there", j->kept.n,
                j->n + j->n_taken);
}
