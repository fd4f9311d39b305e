/* Going back and forth in the plan. A step is a whole plan: a few dozen bytes a layer,
 * with references to the factors, so undoing a solve brings the earlier factors back
 * without solving again. The oldest of MAX_STEPS steps is forgotten first. */
#include "session/internal.h"

#include <string.h>

#include "ranklab/mem.h"

enum { MAX_STEPS = 200 };

/* plans[0..n_undo-1]: older plans, oldest first; plans[n_undo..n_undo+n_redo-1]: undone
 * ones, the next to redo first. All have n_layers entries. */
struct lr_history {
    int n_layers, n_undo, n_redo;
    struct lr_layer_plan *plans[MAX_STEPS];
};

void session_plan_free(struct lr_layer_plan *plan, int n)
{
    for (int i = 0; plan && i < n; i++)
        lr_factors_unref(plan[i].factors);
    lr_free(plan);
}

enum lr_status session_plan_copy(struct lr_layer_plan **out, const struct lr_session *s,
                                 struct lr_err *e)
{
    size_t n = (size_t)s->n_layers;
    struct lr_layer_plan *copy = lr_calloc(n, sizeof(*copy));

    *out = NULL;
    if (!copy)
        return lr_enomem(e, n * sizeof(*copy), "the plan");
    for (size_t i = 0; i < n; i++) {
        copy[i] = s->plan[i];
        lr_factors_ref(copy[i].factors);
    }
    *out = copy;
    return LR_OK;
}

static bool is_same_plan(const struct lr_layer_plan *a, const struct lr_layer_plan *b,
                         int n)
{
    for (int i = 0; i < n; i++)
        if (a[i].method != b[i].method || a[i].ranks.channel != b[i].ranks.channel ||
            a[i].ranks.spatial != b[i].ranks.spatial || a[i].is_stale != b[i].is_stale ||
            a[i].factors != b[i].factors)
            return false;
    return true;
}

static void drop_redo(struct lr_history *h)
{
    for (int i = 0; i < h->n_redo; i++)
        session_plan_free(h->plans[h->n_undo + i], h->n_layers);
    h->n_redo = 0;
}

void session_history_free(struct lr_session *s)
{
    struct lr_history *h = s->history;

    if (!h)
        return;
    for (int i = 0; i < h->n_undo + h->n_redo; i++)
        session_plan_free(h->plans[i], h->n_layers);
    lr_free(h);
    s->history = NULL;
}

enum lr_status session_plan_commit(struct lr_session *s, struct lr_layer_plan *next,
                                   struct lr_err *e)
{
    if (is_same_plan(s->plan, next, s->n_layers)) {
        session_plan_free(next, s->n_layers);
        return LR_OK;
    }
    if (!s->history) {
        s->history = lr_calloc(1, sizeof(*s->history));
        if (!s->history) {
            session_plan_free(next, s->n_layers);
            return lr_enomem(e, sizeof(*s->history), "the undo list");
        }
        s->history->n_layers = s->n_layers;
    }
    struct lr_history *h = s->history;
    drop_redo(h);
    if (h->n_undo == MAX_STEPS) {
        session_plan_free(h->plans[0], h->n_layers);
        memmove(h->plans, h->plans + 1, (MAX_STEPS - 1) * sizeof(h->plans[0]));
        h->n_undo--;
    }
    h->plans[h->n_undo++] = s->plan;
    s->plan = next;
    s->has_eval = false;
    return LR_OK;
}

/* The current plan takes the place of the one it is exchanged for. */
static void exchange(struct lr_session *s, int at)
{
    struct lr_layer_plan *other = s->history->plans[at];

    s->history->plans[at] = s->plan;
    s->plan = other;
    s->has_eval = false;
}

enum lr_status lr_session_undo(struct lr_session *s, struct lr_err *e)
{
    if (!s->history || s->history->n_undo == 0)
        return lr_err_set(e, LR_EINVAL, "nothing to undo");
    s->history->n_undo--;
    s->history->n_redo++;
    exchange(s, s->history->n_undo);
    return LR_OK;
}

enum lr_status lr_session_redo(struct lr_session *s, struct lr_err *e)
{
    if (!s->history || s->history->n_redo == 0)
        return lr_err_set(e, LR_EINVAL, "nothing to redo");
    exchange(s, s->history->n_undo);
    s->history->n_undo++;
    s->history->n_redo--;
    return LR_OK;
}
