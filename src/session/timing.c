/* What was measured in milliseconds, by deployment, and how the plan reads it. A change
 * of a rank needs no new measurement while the layer has a table. */
#include "session/timing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "session/internal.h"

const char *const lr_deploy_engine_names[] = {"onednn", "onnxruntime", NULL};

struct lr_deploy lr_session_deploy(const struct lr_session *s)
{
    struct lr_deploy d = s->settings.deploy;

    if (d.threads < 1)
        d.threads = s->settings.threads > 0 ? s->settings.threads : lr_la_threads();
    if (d.batch < 1)
        d.batch = 1;
    return d;
}

const char *lr_deploy_text(char *buf, size_t size, const struct lr_deploy *d)
{
    bool is_ort = d->engine == LR_DEPLOY_ONNXRUNTIME;
    const char *how = d->convolution == LR_CONV_WINOGRAD ? ", winograd convolutions"
                      : d->convolution == LR_CONV_AUTO   ? ", fastest convolutions"
                                                         : ", direct convolutions";

    snprintf(buf, size, "%s, batch %d, %d thread%s%s", is_ort ? "ONNX Runtime" : "oneDNN",
             d->batch, d->threads, d->threads == 1 ? "" : "s", is_ort ? "" : how);
    return buf;
}

/* ---- the store ---- */

void timing_time_free(struct lr_time *t)
{
    if (!t)
        return;
    lr_free(t->layers);
    lr_free(t->ranks);
    lr_free(t->methods);
    lr_free(t);
}

void session_timings_free(struct lr_session *s)
{
    struct lr_timings *all = s->timings;

    while (all && all->sets) {
        struct timing_set *set = all->sets;
        all->sets = set->next;
        for (int i = 0; i < all->n_layers; i++)
            lr_free(set->tables[i].t.points);
        lr_free(set->tables);
        timing_time_free(set->last);
        lr_free(set);
    }
    lr_free(all);
    s->timings = NULL;
}

/* ONNX Runtime chooses its convolutions itself. */
static bool is_same_deploy(const struct lr_deploy *a, const struct lr_deploy *b)
{
    return a->engine == b->engine && a->batch == b->batch && a->threads == b->threads &&
           (a->engine == LR_DEPLOY_ONNXRUNTIME || a->convolution == b->convolution);
}

static struct timing_set *look_up(const struct lr_session *s, const struct lr_deploy *d)
{
    struct timing_set *set = s->timings ? s->timings->sets : NULL;

    while (set && !is_same_deploy(&set->deploy, d))
        set = set->next;
    return set;
}

struct timing_set *timing_set_find(struct lr_session *s, const struct lr_deploy *d,
                                   bool is_made)
{
    struct timing_set *set = look_up(s, d);

    if (set || !is_made)
        return set;
    if (!s->timings && !(s->timings = lr_calloc(1, sizeof(*s->timings))))
        return NULL;
    s->timings->n_layers = s->n_layers;
    set = lr_calloc(1, sizeof(*set));
    if (!set)
        return NULL;
    set->deploy = *d;
    set->tables = lr_calloc((size_t)s->n_layers + 1, sizeof(*set->tables));
    if (!set->tables) {
        lr_free(set);
        return NULL;
    }
    set->next = s->timings->sets;
    s->timings->sets = set;
    return set;
}

/* ---- reading ---- */

static const struct lr_ms_table *table_of(const struct lr_session *s,
                                          const struct lr_deploy *d, int layer,
                                          enum lr_split split)
{
    const struct timing_set *set = look_up(s, d);
    const struct timing_table *t = set ? &set->tables[layer] : NULL;

    return t && t->is_known && t->split == split ? &t->t : NULL;
}

const struct lr_ms_table *session_ms_table(const struct lr_session *s, int layer,
                                           enum lr_split split)
{
    struct lr_deploy d = lr_session_deploy(s);

    return table_of(s, &d, layer, split);
}

const struct lr_ms_table *lr_session_ms_table(const struct lr_session *s,
                                              const struct lr_deploy *d, int layer)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);

    return l.is_kept ? NULL : table_of(s, d, layer, l.split);
}

int64_t lr_session_ms_when(const struct lr_session *s, const struct lr_deploy *d,
                           int layer)
{
    const struct timing_set *set = look_up(s, d);

    return set && lr_session_ms_table(s, d, layer) ? set->tables[layer].when : 0;
}

const struct lr_time *lr_session_time_of(const struct lr_session *s,
                                         const struct lr_deploy *d)
{
    const struct timing_set *set = look_up(s, d);

    return set ? set->last : NULL;
}

/* Whether t saw the layer as the plan has it: whole, or split the same way at the same
 * ranks. */
static bool is_seen(const struct lr_time *t, const struct lr_session *s, int i)
{
    const struct lr_layer_plan *p = &s->plan[i];
    struct lr_rank_layer now = lr_session_rank_layer(s, i),
                         then = lr_session_rank_layer_as(s, i, t->methods[i]);
    bool is_whole = lr_ranks_is_whole(&now, p->ranks),
         was_whole = lr_ranks_is_whole(&then, t->ranks[i]);

    if (is_whole || was_whole)
        return is_whole && was_whole;
    return now.split == then.split && p->ranks.channel == t->ranks[i].channel &&
           p->ranks.spatial == t->ranks[i].spatial;
}

bool lr_time_is_current(const struct lr_time *t, const struct lr_session *s)
{
    for (int i = 0; i < s->n_layers; i++)
        if (!is_seen(t, s, i))
            return false;
    return true;
}

static void layer_ms(double *ms, double *original, const struct lr_session *s,
                     const struct timing_set *set, int i)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, i);
    const struct timing_table *table = &set->tables[i];
    const struct lr_time *last = set->last;

    if (table->is_known)
        *original = table->t.whole.ms;
    if (last)
        *original = last->layers[i].original.ms;
    if (last && is_seen(last, s, i))
        *ms = last->layers[i].now.ms;
    else if (lr_ranks_is_whole(&l, s->plan[i].ranks))
        *ms = *original;
    else
        *ms = lr_ms_at(&l, s->plan[i].ranks);
}

/* The measured original with every layer exchanged for what it is now. */
static void network_ms(double *ms, double *original, const struct lr_session *s,
                       const struct timing_set *set)
{
    if (!set->last)
        return;
    *original = *ms = set->last->network.original.ms;
    for (int i = 0; i < s->n_layers; i++) {
        double now = NAN, then = NAN;
        layer_ms(&now, &then, s, set, i);
        *ms += now - then;
    }
    *ms = fmax(*ms, 0);
}

void lr_session_ms(double *ms, double *ms_original, const struct lr_session *s, int layer)
{
    struct lr_deploy d = lr_session_deploy(s);
    const struct timing_set *set = look_up(s, &d);

    *ms = *ms_original = NAN;
    if (!set)
        return;
    if (layer >= 0) {
        layer_ms(ms, ms_original, s, set, layer);
    } else if (set->last && lr_time_is_current(set->last, s)) {
        *ms = set->last->network.now.ms;
        *ms_original = set->last->network.original.ms;
    } else {
        network_ms(ms, ms_original, s, set);
    }
}

bool lr_session_is_timed(const struct lr_session *s)
{
    struct lr_deploy d = lr_session_deploy(s);
    const struct lr_time *t = s->graph ? lr_session_time_of(s, &d) : NULL;

    return t && lr_time_is_current(t, s);
}

/* ---- measuring the plan ---- */

static struct lr_time *time_new(const struct lr_session *s, const struct lr_deploy *d)
{
    size_t n = (size_t)s->n_layers + 1;
    struct lr_time *t = lr_calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->deploy = *d;
    t->n_layers = s->n_layers;
    t->layers = lr_calloc(n, sizeof(*t->layers));
    t->ranks = lr_calloc(n, sizeof(*t->ranks));
    t->methods = lr_calloc(n, sizeof(*t->methods));
    if (t->layers && t->ranks && t->methods)
        return t;
    timing_time_free(t);
    return NULL;
}

static void add_stat(struct lr_ms_stat *sum, const struct lr_ms_stat *x)
{
    sum->ms += x->ms;
    sum->low += x->low;
    sum->high += x->high;
    sum->n_runs = x->n_runs;
}

static void fill(struct lr_time *t, const struct lr_session *s,
                 const struct lr_layer_plan *plan, struct timing_runs *runs)
{
    for (int i = 0; i < s->n_layers; i++) {
        struct lr_time_row *r = &t->layers[i];
        t->ranks[i] = plan[i].ranks;
        t->methods[i] = plan[i].method;
        r->original = timing_stat(&runs[0], i);
        r->now = timing_stat(&runs[1], i);
        if (s->layers[i].kind != LR_LAYER_CONV)
            continue;
        add_stat(&t->total.original, &r->original);
        add_stat(&t->total.now, &r->now);
    }
    t->network.original = timing_stat(&runs[0], s->n_layers);
    t->network.now = timing_stat(&runs[1], s->n_layers);
}

enum lr_status timing_time(struct lr_time **out, const struct lr_session *s,
                           const struct lr_layer_plan *plan, const struct lr_deploy *d,
                           int n_runs, const struct lr_progress *progress,
                           struct lr_err *e)
{
    struct timing_effort effort = {15, 300, 1000, true};
    struct timing_net nets[2] = {{0}};
    struct timing_runs runs[2] = {{0}};
    struct lr_time *t = time_new(s, d);
    enum lr_status rc = LR_OK;

    *out = NULL;
    if (n_runs > 0)
        effort.min_runs = effort.max_runs = n_runs;
    if (!t)
        return lr_enomem(e, sizeof(*t), "a measurement");
    if ((rc = timing_net_make(&nets[0], s, NULL, e)) != LR_OK ||
        (rc = timing_net_make(&nets[1], s, plan, e)) != LR_OK ||
        (rc = timing_measure(runs, t->version, nets, 2, s, d, &effort, progress, e)) !=
            LR_OK)
        goto out;
    fill(t, s, plan, runs);
    *out = t;
    t = NULL;
out:
    timing_time_free(t);
    for (int i = 0; i < 2; i++) {
        timing_net_free(&nets[i]);
        timing_runs_free(&runs[i]);
    }
    return rc;
}

enum lr_status lr_session_time(struct lr_session *s, const struct lr_deploy *d,
                               int n_runs, const struct lr_progress *progress,
                               struct lr_err *e)
{
    enum lr_status rc = session_need_network(s, e);
    struct lr_time *t = NULL;

    if (rc != LR_OK || (rc = session_need_run(s, e)) != LR_OK ||
        (rc = timing_time(&t, s, s->plan, d, n_runs, progress, e)) != LR_OK)
        return rc;
    struct timing_set *set = timing_set_find(s, d, true);
    if (!set) {
        timing_time_free(t);
        return lr_enomem(e, sizeof(*set), "a measurement");
    }
    timing_time_free(set->last);
    set->last = t;
    return LR_OK;
}
