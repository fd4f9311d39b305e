/* The approximated network of the plan as it is. */
#include "session/internal.h"

#include "ranklab/mem.h"

enum lr_status session_layers_used(bool *use, const struct lr_session *s, bool is_partial,
                                   struct lr_err *e)
{
    int n_stale = 0;

    for (int i = 0; i < s->n_layers; i++) {
        enum lr_state state = lr_session_state(s, i);
        if (state == LR_STATE_CHOSEN && !is_partial) {
            char ranks[32];
            return lr_err_set(
                e, LR_EINVAL, "%s: rank %s is chosen but not solved: use solve",
                s->layers[i].name, lr_session_ranks_text(ranks, sizeof(ranks), s, i));
        }
        use[i] = state == LR_STATE_SOLVED || state == LR_STATE_STALE;
        n_stale += state == LR_STATE_STALE;
    }
    if (n_stale && !is_partial)
        lr_note(
            &s->notes, LR_NOTE_WARNING,
            "%d solved layer%s stale: solve fits %s to the layers before as they are now",
            n_stale, n_stale == 1 ? " is" : "s are", n_stale == 1 ? "it" : "them");
    return LR_OK;
}

enum lr_status lr_session_build(struct lr_graph **out, const struct lr_session *s,
                                bool is_partial, struct lr_err *e)
{
    enum lr_status rc = session_need_network(s, e);

    *out = NULL;
    if (rc != LR_OK)
        return rc;
    bool *use = lr_calloc((size_t)s->n_layers + 1, sizeof(*use));
    if (!use)
        return lr_enomem(e, (size_t)s->n_layers, "a set of layers");
    rc = session_layers_used(use, s, is_partial, e);
    if (rc == LR_OK)
        rc = session_split(out, s, s->plan, use, e);
    lr_free(use);
    return rc;
}
