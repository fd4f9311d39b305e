/* Going back and forth. A step is a whole plan with what was measured of it: a few dozen
 * bytes a layer, with references to the factors, so undoing a solve brings the earlier
 * factors back without solving again. Settings of the solver belong to a step only where
 * a command replaced them together with the plan. A dropped configuration is a step too:
 * it would be lost otherwise. Undoing exchanges what the step holds with what the session
 * holds, and redoing does the same. The oldest of MAX_STEPS steps is forgotten first. */
#include "session/internal.h"

#include <string.h>

#include "ranklab/mem.h"

enum { MAX_STEPS = 200 };

struct step {
    struct lr_layer_plan *plan; /* NULL: the step is about a configuration */
    bool has_settings;
    struct lr_settings settings;
    struct session_measured measured;
    struct lr_told *told;
    struct lr_config config; /* name NULL: the session has it, at place */
    int place;
};

/* steps[0..n_undo-1]: oldest first; steps[n_undo..n_undo+n_redo-1]: undone ones, the next
 * to redo first. */
struct lr_history {
    int n_layers, n_undo, n_redo;
    struct step steps[MAX_STEPS];
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

bool session_plan_same(const struct lr_layer_plan *a, const struct lr_layer_plan *b,
                       int n)
{
    for (int i = 0; i < n; i++)
        if (a[i].method != b[i].method || a[i].ranks.channel != b[i].ranks.channel ||
            a[i].ranks.spatial != b[i].ranks.spatial || a[i].is_stale != b[i].is_stale ||
            a[i].factors != b[i].factors)
            return false;
    return true;
}

/* ---- what was measured ---- */

void session_measured_take(struct session_measured *m, const struct lr_session *s)
{
    *m = (struct session_measured){.has_eval = s->has_eval && s->eval};
    if (!m->has_eval)
        return;
    m->eval = s->last_eval;
    m->evaluated_at = s->evaluated_at;
    m->convolution = (int)s->settings.deploy.convolution;
    lr_dataset_hash_first(m->eval_sha256, s->eval, m->eval.images);
}

/* What was measured on other images than are loaded, or by another convolution, says
 * nothing here. */
static void measured_give(struct lr_session *s, const struct session_measured *m)
{
    char images[65];

    s->has_eval =
        m && m->has_eval && s->eval &&
        m->convolution == (int)s->settings.deploy.convolution && m->eval_sha256[0] &&
        strcmp(m->eval_sha256, lr_dataset_hash_first(images, s->eval, m->eval.images)) ==
            0;
    if (!s->has_eval)
        return;
    s->last_eval = m->eval;
    s->evaluated_at = m->evaluated_at;
}

/* ---- the list of steps ---- */

static void step_free(struct step *t, int n_layers)
{
    session_plan_free(t->plan, n_layers);
    session_told_unref(t->told);
    session_config_clear(&t->config, n_layers);
    *t = (struct step){0};
}

static void take_more(int64_t *most, bool has_eval, const struct lr_eval *eval)
{
    if (has_eval && eval->images > *most)
        *most = eval->images;
}

int64_t session_most_measured(const struct lr_session *s)
{
    const struct lr_history *h = s->history;
    int64_t most = 0;

    for (int i = 0; h && i < h->n_undo + h->n_redo; i++) {
        const struct step *t = &h->steps[i];
        take_more(&most, t->measured.has_eval, &t->measured.eval);
        take_more(&most, t->config.has_eval, &t->config.eval);
    }
    for (int i = 0; s->configs && i < s->configs->n; i++)
        take_more(&most, s->configs->items[i].has_eval, &s->configs->items[i].eval);
    return most;
}

void session_history_free(struct lr_session *s)
{
    struct lr_history *h = s->history;

    if (!h)
        return;
    for (int i = 0; i < h->n_undo + h->n_redo; i++)
        step_free(&h->steps[i], h->n_layers);
    lr_free(h);
    s->history = NULL;
}

/* A place for one more step; what was undone before can no longer be redone. */
static enum lr_status new_step(struct step **out, struct lr_session *s, struct lr_err *e)
{
    *out = NULL;
    if (!s->history) {
        s->history = lr_calloc(1, sizeof(*s->history));
        if (!s->history)
            return lr_enomem(e, sizeof(*s->history), "the undo list");
        s->history->n_layers = s->n_layers;
    }
    struct lr_history *h = s->history;
    for (int i = 0; i < h->n_redo; i++)
        step_free(&h->steps[h->n_undo + i], h->n_layers);
    h->n_redo = 0;
    if (h->n_undo == MAX_STEPS) {
        step_free(&h->steps[0], h->n_layers);
        memmove(h->steps, h->steps + 1, (MAX_STEPS - 1) * sizeof(h->steps[0]));
        h->n_undo--;
    }
    *out = &h->steps[h->n_undo++];
    **out = (struct step){0};
    return LR_OK;
}

enum lr_status session_plan_replace(struct lr_session *s, struct lr_layer_plan *next,
                                    const struct lr_settings *settings,
                                    const struct session_measured *measured,
                                    struct lr_told *told, struct lr_err *e)
{
    struct step *t;
    bool has_settings = settings && !lr_settings_same(settings, &s->settings);

    if (!has_settings && told == s->told &&
        session_plan_same(s->plan, next, s->n_layers)) {
        session_plan_free(next, s->n_layers);
        if (!s->has_eval)
            measured_give(s, measured);
        return LR_OK;
    }
    enum lr_status rc = new_step(&t, s, e);
    if (rc != LR_OK) {
        session_plan_free(next, s->n_layers);
        return rc;
    }
    t->plan = s->plan;
    t->told = s->told;
    t->has_settings = has_settings;
    t->settings = s->settings;
    session_measured_take(&t->measured, s);
    s->plan = next;
    s->told = session_told_ref(told);
    if (has_settings)
        session_settings_copy(&s->settings, settings);
    measured_give(s, measured);
    return LR_OK;
}

enum lr_status session_plan_commit(struct lr_session *s, struct lr_layer_plan *next,
                                   struct lr_err *e)
{
    if (session_plan_same(s->plan, next, s->n_layers)) {
        session_plan_free(next, s->n_layers);
        return LR_OK;
    }
    return session_plan_replace(s, next, NULL, NULL, NULL, e);
}

enum lr_status session_config_step(struct lr_session *s, struct lr_config *dropped,
                                   int place, struct lr_err *e)
{
    struct step *t;
    enum lr_status rc = new_step(&t, s, e);

    if (rc != LR_OK) {
        session_config_clear(dropped, s->n_layers);
        return rc;
    }
    t->config = *dropped;
    t->place = place;
    *dropped = (struct lr_config){0};
    return LR_OK;
}

/* ---- going ---- */

static enum lr_status exchange_config(struct lr_session *s, struct step *t,
                                      struct lr_err *e)
{
    if (!t->config.name) {
        lr_note(&s->notes, LR_NOTE_INFO, "configuration %s dropped",
                s->configs->items[t->place].name);
        session_config_take(&t->config, s, t->place);
        return LR_OK;
    }
    /* One of that name may have been kept since: both stay. */
    bool is_taken = lr_session_config(s, t->config.name) != NULL;
    enum lr_status rc = LR_OK;
    if (is_taken)
        rc = session_config_rename(s, &t->config, e);
    if (s->configs && t->place > s->configs->n)
        t->place = s->configs->n;
    if (rc == LR_OK)
        rc = session_config_put(s, t->place, &t->config, e);
    if (rc == LR_OK)
        lr_note(&s->notes, LR_NOTE_INFO, "configuration %s is back%s",
                s->configs->items[t->place].name,
                is_taken ? ": its name is taken by another" : "");
    return rc;
}

static enum lr_status exchange(struct lr_session *s, int at, struct lr_err *e)
{
    struct step *t = &s->history->steps[at], other = *t;

    if (!t->plan)
        return exchange_config(s, t, e);
    session_measured_take(&t->measured, s);
    t->plan = s->plan;
    t->told = s->told;
    t->settings = s->settings;
    s->plan = other.plan;
    s->told = other.told;
    if (other.has_settings)
        session_settings_copy(&s->settings, &other.settings);
    measured_give(s, &other.measured);
    return LR_OK;
}

enum lr_status lr_session_undo(struct lr_session *s, struct lr_err *e)
{
    if (!s->history || s->history->n_undo == 0)
        return lr_err_set(e, LR_EINVAL, "nothing to undo");
    enum lr_status rc = exchange(s, s->history->n_undo - 1, e);
    if (rc != LR_OK)
        return rc;
    s->history->n_undo--;
    s->history->n_redo++;
    return LR_OK;
}

enum lr_status lr_session_redo(struct lr_session *s, struct lr_err *e)
{
    if (!s->history || s->history->n_redo == 0)
        return lr_err_set(e, LR_EINVAL, "nothing to redo");
    enum lr_status rc = exchange(s, s->history->n_undo, e);
    if (rc != LR_OK)
        return rc;
    s->history->n_undo++;
    s->history->n_redo--;
    return LR_OK;
}
