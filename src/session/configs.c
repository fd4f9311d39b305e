/* Named configurations. Each holds a whole plan with references to its factors, as an
 * undo step does, so that keeping one costs little and using it solves nothing. They live
 * as long as the network is open. */
#include "session/internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ranklab/mem.h"
#include "ranklab/text.h"
#include "ranklab/timing.h"

int64_t session_now(void)
{
    const char *fixed = getenv("SOURCE_DATE_EPOCH");
    char *end;

    if (fixed && *fixed >= '0' && *fixed <= '9') {
        errno = 0;
        long long v = strtoll(fixed, &end, 10);
        if (errno == 0 && *end == '\0')
            return v;
    }
    return (int64_t)time(NULL);
}

/* ---- settings ---- */

void session_settings_copy(struct lr_settings *to, const struct lr_settings *from)
{
    to->seed = from->seed;
    to->round = from->round;
    to->mode = from->mode;
    to->n_iter1 = from->n_iter1;
    to->n_iter2 = from->n_iter2;
    to->lambda1 = from->lambda1;
    to->lambda2 = from->lambda2;
}

bool lr_settings_same(const struct lr_settings *a, const struct lr_settings *b)
{
    return a->seed == b->seed && a->round == b->round && a->mode == b->mode &&
           a->n_iter1 == b->n_iter1 && a->n_iter2 == b->n_iter2 &&
           a->lambda1 == b->lambda1 && a->lambda2 == b->lambda2;
}

/* ---- the list ---- */

void session_config_clear(struct lr_config *c, int n_layers)
{
    session_plan_free(c->plan, n_layers);
    session_told_unref(c->told);
    lr_free(c->name);
    lr_free(c->eval_path);
    lr_free(c->eval_sha256);
    *c = (struct lr_config){0};
}

void lr_configs_free(struct lr_configs *c, int n_layers)
{
    for (int i = 0; c && i < c->n; i++)
        session_config_clear(&c->items[i], n_layers);
    if (c)
        lr_free(c->items);
    lr_free(c);
}

enum lr_status session_config_put(struct lr_session *s, int place, struct lr_config *c,
                                  struct lr_err *e)
{
    if (!s->configs)
        s->configs = lr_calloc(1, sizeof(*s->configs));
    struct lr_configs *all = s->configs;
    struct lr_config *items = NULL;
    if (all)
        items = lr_realloc(all->items, (size_t)all->n, (size_t)all->n + 1,
                           sizeof(*all->items));
    if (!items)
        return lr_enomem(e, sizeof(*items), "a configuration");
    all->items = items;
    memmove(items + place + 1, items + place, (size_t)(all->n - place) * sizeof(*items));
    items[place] = *c;
    all->n++;
    *c = (struct lr_config){0};
    return LR_OK;
}

void session_config_take(struct lr_config *c, struct lr_session *s, int place)
{
    struct lr_configs *all = s->configs;

    *c = all->items[place];
    all->n--;
    memmove(all->items + place, all->items + place + 1,
            (size_t)(all->n - place) * sizeof(*all->items));
}

enum lr_status session_config_rename(const struct lr_session *s, struct lr_config *c,
                                     struct lr_err *e)
{
    for (int k = 2;; k++) {
        struct lr_strbuf b = {0};
        lr_strbuf_printf(&b, "%.*s-%d", LR_CONFIG_NAME_MAX - 12, c->name, k);
        char *name = lr_strbuf_take(&b);
        if (!name)
            return lr_enomem(e, LR_CONFIG_NAME_MAX, "a name");
        if (!lr_session_config(s, name)) {
            lr_free(c->name);
            c->name = name;
            return LR_OK;
        }
        lr_free(name);
    }
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool lr_config_name_is_valid(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (!is_alnum(name[i]) && (i == 0 || !strchr("._-+", name[i])))
            return false;
    return n >= 1 && n <= LR_CONFIG_NAME_MAX;
}

const struct lr_config *lr_session_config(const struct lr_session *s, const char *name)
{
    for (int i = 0; s->configs && i < s->configs->n; i++)
        if (strcmp(s->configs->items[i].name, name) == 0)
            return &s->configs->items[i];
    return NULL;
}

enum lr_status lr_session_find_config(const struct lr_config **out,
                                      const struct lr_session *s, const char *name,
                                      struct lr_err *e)
{
    int n = s->configs ? s->configs->n : 0;
    const char **names = NULL, *near = NULL;

    *out = lr_session_config(s, name);
    if (*out)
        return LR_OK;
    if (n == 0)
        return lr_err_set(e, LR_EINVAL, "no configuration %s: none is kept", name);
    names = lr_calloc((size_t)n, sizeof(*names));
    for (int i = 0; names && i < n; i++)
        names[i] = s->configs->items[i].name;
    if (names)
        near = lr_text_nearest(name, names, (size_t)n);
    if (near)
        lr_err_set(e, LR_EINVAL, "no configuration %s: did you mean %s?", name, near);
    else
        lr_err_set(e, LR_EINVAL, "no configuration %s: configs lists the %d kept", name,
                   n);
    lr_free(names);
    return LR_EINVAL;
}

/* ---- keeping and using ---- */

enum lr_status lr_session_view_config(struct lr_config *out, const struct lr_session *s,
                                      struct lr_err *e)
{
    struct session_measured m;
    struct lr_config c = {.settings = s->settings, .plan = s->plan, .told = s->told};

    *out = (struct lr_config){0};
    enum lr_status rc = session_need_network(s, e);
    if (rc != LR_OK)
        return rc;
    lr_session_totals(&c.totals, s);
    lr_session_ms(&c.ms, &c.ms_original, s, -1);
    if (!lr_session_is_timed(s))
        c.ms = c.ms_original = NAN;
    for (int i = 0; i < s->n_layers; i++) {
        enum lr_state state = lr_session_state(s, i);
        c.n_stale += state == LR_STATE_STALE;
        c.n_to_solve += state == LR_STATE_STALE || state == LR_STATE_CHOSEN;
    }
    session_measured_take(&m, s);
    c.has_eval = m.has_eval;
    c.eval = m.eval;
    c.evaluated_at = m.evaluated_at;
    c.name = lr_strdup("current");
    if (c.name && c.has_eval) {
        c.eval_path = lr_strdup(lr_dataset_path(s->eval));
        c.eval_sha256 = lr_strdup(m.eval_sha256);
    }
    if (!c.name || (c.has_eval && (!c.eval_path || !c.eval_sha256)) ||
        (!c.has_eval && !session_told_eval(&c))) {
        lr_config_view_free(&c);
        return lr_enomem(e, 64, "a configuration");
    }
    *out = c;
    return LR_OK;
}

void lr_config_view_free(struct lr_config *c)
{
    c->plan = NULL;
    c->told = NULL;
    session_config_clear(c, 0);
}

enum lr_status lr_session_keep(struct lr_session *s, const char *name, struct lr_err *e)
{
    const struct lr_config *old = lr_session_config(s, name);
    struct lr_layer_plan *plan = NULL;
    struct lr_config c = {0};
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK)
        return rc;
    if (!lr_config_name_is_valid(name))
        return lr_err_set(e, LR_EINVAL,
                          "%s is no name for a configuration: 1 to %d letters, digits "
                          "and . _ - + are, the first a letter or a digit",
                          name, LR_CONFIG_NAME_MAX);
    char *own = lr_strdup(name);
    if (!own)
        return lr_enomem(e, strlen(name), "a name");
    if ((rc = lr_session_view_config(&c, s, e)) != LR_OK ||
        (rc = session_plan_copy(&plan, s, e)) != LR_OK) {
        lr_config_view_free(&c);
        lr_free(own);
        return rc;
    }
    lr_free(c.name);
    c.name = own;
    c.plan = plan;
    session_told_ref(c.told);
    c.kept_at = session_now();
    if (old) {
        struct lr_config *at = &s->configs->items[old - s->configs->items];
        session_config_clear(at, s->n_layers);
        *at = c;
        return LR_OK;
    }
    rc = session_config_put(s, s->configs ? s->configs->n : 0, &c, e);
    session_config_clear(&c, s->n_layers);
    return rc;
}

enum lr_status lr_session_use(struct lr_session *s, const char *name, struct lr_err *e)
{
    const struct lr_config *c;
    struct session_measured m = {0};
    struct lr_layer_plan *next = NULL;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK || (rc = lr_session_find_config(&c, s, name, e)) != LR_OK)
        return rc;
    next = lr_calloc((size_t)s->n_layers, sizeof(*next));
    if (!next)
        return lr_enomem(e, (size_t)s->n_layers * sizeof(*next), "the plan");
    for (int i = 0; i < s->n_layers; i++) {
        next[i] = c->plan[i];
        lr_factors_ref(next[i].factors);
    }
    m.has_eval = c->has_eval && c->eval_sha256;
    m.eval = c->eval;
    m.evaluated_at = c->evaluated_at;
    m.convolution = (int)c->settings.deploy.convolution;
    if (m.has_eval)
        memcpy(m.eval_sha256, c->eval_sha256, sizeof(m.eval_sha256));
    return session_plan_replace(s, next, &c->settings, &m, c->told, e);
}

/* The session as it would be with the plan of c; borrows from both. */
static struct lr_session with_config(const struct lr_session *s,
                                     const struct lr_config *c)
{
    struct lr_session shown = *s;

    shown.plan = c->plan;
    shown.settings = c->settings;
    shown.told = c->told;
    return shown;
}

void lr_session_config_row(struct lr_layer_row *r, const struct lr_session *s,
                           const struct lr_config *c, int layer)
{
    struct lr_session shown = with_config(s, c);

    lr_session_row(r, &shown, layer);
}

enum lr_status lr_session_config_build(struct lr_graph **out, const struct lr_session *s,
                                       const struct lr_config *c, bool is_partial,
                                       struct lr_err *e)
{
    struct lr_session shown = with_config(s, c);

    return lr_session_build(out, &shown, is_partial, e);
}

bool lr_session_is_config(const struct lr_session *s, const struct lr_config *c)
{
    return lr_settings_same(&s->settings, &c->settings) &&
           session_plan_same(s->plan, c->plan, s->n_layers);
}

enum lr_status lr_session_drop(struct lr_session *s, const char *name, struct lr_err *e)
{
    const struct lr_config *found;
    struct lr_config c;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK || (rc = lr_session_find_config(&found, s, name, e)) != LR_OK)
        return rc;
    int place = (int)(found - s->configs->items);
    session_config_take(&c, s, place);
    return session_config_step(s, &c, place, e);
}
