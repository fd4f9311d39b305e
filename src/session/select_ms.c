/* Ranks for a budget of milliseconds. The tables of the layers add up to what the network
 * takes, nearly: what the layers take from each other by caches, or lose to a clock
 * around every part, is not in them. So the network with the ranks chosen is timed in
 * turn with the original, and the budget handed to the rule is moved until that keeps the
 * limit. */
#include <math.h>
#include <string.h>

#include "ranklab/mem.h"
#include "session/internal.h"
#include "session/timing.h"

enum { MAX_ROUNDS = 4 };
/* A choice this near below the limit is not looked at again; one this far above it is
 * still within what a median can tell. */
static const double NEAR = 0.97, NOISE = 1.01;
/* With a choice this near to every layer at its fastest, hardly more can be reached. */
static const double END = 1.03;

struct job {
    struct lr_session *s;
    const struct lr_select_opts *o;
    struct lr_deploy deploy;
    const int *index;
    int n;
    struct lr_rank_layer *layers; /* [n] with their tables */
    struct lr_layer_plan *plan;   /* [n_layers] of the ranks being tried; borrows */
    struct lr_budget budget;
    double original;        /* ns of the original in the tables' terms */
    struct lr_ranks *ranks; /* [n] being tried */
    bool has_fastest;       /* they were tried with every layer at its fastest */
    /* the best choice so far */
    struct lr_time *time;
    double excess, table_ms;
};

static void job_free(struct job *j)
{
    lr_free(j->layers);
    lr_free(j->plan);
    lr_free(j->ranks);
    timing_time_free(j->time);
}

static enum lr_status measure_tables(struct job *j, const struct lr_progress *progress,
                                     struct lr_err *e)
{
    enum lr_status rc = LR_OK;
    struct lr_progress part = lr_progress_sub(progress, 0, 0.1);
    struct lr_progress rest = lr_progress_sub(progress, 0.1, 1);

    if (!lr_session_time_of(j->s, &j->deploy))
        rc = lr_session_time(j->s, &j->deploy, 0, &part, e);
    if (rc == LR_OK)
        rc = lr_session_time_ranks(j->s, &j->deploy, j->index, j->n, false, &rest, e);
    return rc;
}

/* The rule counts in the tables' terms: a machine that was slower when they were made was
 * so for all of them. */
static void make_budget(struct job *j, int round, const struct lr_progress *progress)
{
    const struct lr_time *t = lr_session_time_of(j->s, &j->deploy);
    double then = 0, now = 0;

    for (int i = 0; i < j->n; i++) {
        j->layers[i] = lr_session_rank_layer(j->s, j->index[i]);
        then += j->layers[i].times->whole.ms;
        /* Lower quartiles: a run that was disturbed is longer as a whole, but only in one
         * of its layers. */
        now += t->layers[j->index[i]].original.low;
    }
    double scale = now > 0 ? then / now : 1;
    double original = t->network.original.low * scale;
    double limit = j->o->ms > 0 ? j->o->ms * scale : original / j->o->speedup_ms;
    j->original = 1e6 * original;
    j->budget = (struct lr_budget){.kind = LR_BUDGET_MS,
                                   .limit = 1e6 * limit,
                                   .fixed = 1e6 * fmax(original - then, 0),
                                   .round = round,
                                   .objective = j->o->objective,
                                   .progress = progress};
}

static enum lr_status init(struct job *j, struct lr_err *e)
{
    size_t n = (size_t)j->n + 1, all = (size_t)j->s->n_layers + 1;

    j->layers = lr_calloc(n, sizeof(*j->layers));
    j->ranks = lr_calloc(n, sizeof(*j->ranks));
    j->plan = lr_calloc(all, sizeof(*j->plan));
    if (!j->layers || !j->ranks || !j->plan)
        return lr_enomem(e, n * sizeof(*j->layers), "layers");
    memcpy(j->plan, j->s->plan, (size_t)j->s->n_layers * sizeof(*j->plan));
    for (int i = 0; i < j->o->n_keep; i++) {
        struct lr_rank_layer l = lr_session_rank_layer(j->s, j->o->keep[i]);
        j->plan[j->o->keep[i]].ranks = lr_ranks_whole(&l);
    }
    return LR_OK;
}

/* Times the ranks tried; *excess: what they take over the limit, 1 when just that. */
static enum lr_status try_ranks(struct job *j, struct lr_time **t, double *excess,
                                const struct lr_progress *progress, struct lr_err *e)
{
    for (int i = 0; i < j->n; i++) {
        j->plan[j->index[i]].ranks = j->ranks[i];
        j->plan[j->index[i]].factors = NULL;
    }
    enum lr_status rc = timing_time(t, j->s, j->plan, &j->deploy, 0, progress, e);
    if (rc != LR_OK)
        return rc;
    double now = (*t)->network.now.ms;
    *excess = j->o->ms > 0 ? now / j->o->ms
                           : now / (*t)->network.original.ms * j->o->speedup_ms;
    return LR_OK;
}

static bool is_better(double excess, double than)
{
    bool fits = excess <= NOISE, did_fit = than <= NOISE;

    if (fits != did_fit)
        return fits;
    return fits ? excess > than : excess < than;
}

static double table_total(const struct job *j)
{
    double sum = j->budget.fixed;

    for (int i = 0; i < j->n; i++)
        sum += 1e6 * lr_ms_at(&j->layers[i], j->ranks[i]);
    return sum;
}

/* The rule's ranks for the budget. What the tables hold to be out of reach need not be:
 * then every layer's fastest are tried, once. *is_done: nothing is left to try. */
static enum lr_status choose(struct job *j, bool *is_done, struct lr_err *e)
{
    struct lr_err why = {0};
    enum lr_status rc = j->o->rule->select(j->ranks, j->layers, j->n, &j->budget, &why);

    *is_done = rc == LR_EINVAL && (j->has_fastest || (j->time && j->excess <= NOISE));
    if (rc == LR_EINVAL && !*is_done) {
        j->has_fastest = true;
        if ((rc = lr_ranks_cheapest(j->ranks, j->layers, j->n, &j->budget, &why)) ==
            LR_OK)
            j->budget.limit = table_total(j);
    }
    if (rc != LR_OK && !*is_done) {
        *e = why;
        return rc;
    }
    return LR_OK;
}

static enum lr_status search(struct job *j, struct lr_ranks *ranks,
                             const struct lr_progress *progress, struct lr_err *e)
{
    double limit = j->budget.limit;

    for (int round = 0; round < MAX_ROUNDS; round++) {
        struct lr_progress part = lr_progress_sub(progress, (double)round / MAX_ROUNDS,
                                                  (round + 1.0) / MAX_ROUNDS);
        struct lr_time *t = NULL;
        bool is_done;
        double excess = 0;
        enum lr_status rc = choose(j, &is_done, e);

        if (rc != LR_OK || is_done)
            return rc;
        if ((rc = try_ranks(j, &t, &excess, &part, e)) != LR_OK)
            return rc;
        if (!j->time || is_better(excess, j->excess)) {
            timing_time_free(j->time);
            j->time = t;
            j->excess = excess;
            j->table_ms = table_total(j) / j->original;
            memcpy(ranks, j->ranks, (size_t)j->n * sizeof(*ranks));
        } else {
            timing_time_free(t);
        }
        double to = j->budget.limit / excess * 0.99;
        if ((excess >= NEAR && excess <= NOISE) || (excess < 1 && to > 1.5 * limit))
            return LR_OK;
        j->budget.limit = to;
    }
    return LR_OK;
}

static enum lr_status say_missed(const struct job *j, struct lr_err *e)
{
    const struct lr_time_row *t = &j->time->network;
    double speedup = t->original.ms / t->now.ms;

    if (j->excess <= NOISE)
        return LR_OK;
    if (!j->has_fastest) {
        lr_note(&j->s->notes, LR_NOTE_WARNING,
                "the limit is missed by %.1f %%: the tables of the layers promised less",
                100 * (j->excess - 1));
        return LR_OK;
    }
    double asked = j->o->ms > 0 ? j->o->ms : t->original.ms / j->o->speedup_ms;
    return lr_err_set(e, LR_EINVAL,
                      "%.4g ms (%.4gx) cannot be met: the fastest that was found takes "
                      "%.4g ms, %.3fx",
                      asked, t->original.ms / asked, t->now.ms,
                      floor(speedup * 1000) / 1000);
}

/* Where all layers are near their fastest, the last percent of time costs the most
 * accuracy, and how the network's parts fit together decides more than their ranks. */
static enum lr_status say_end(struct job *j, struct lr_err *e)
{
    double chosen = j->table_ms * j->original;
    enum lr_status rc = lr_ranks_cheapest(j->ranks, j->layers, j->n, &j->budget, e);

    if (rc == LR_OK && chosen < j->original && chosen <= END * table_total(j))
        lr_note(&j->s->notes, LR_NOTE_WARNING,
                "these are nearly the fastest ranks that were found: accuracy is spent "
                "for hardly any time, ask for less speed");
    return rc;
}

enum lr_status session_select_ms(struct lr_ranks *ranks, const int *index, int n,
                                 struct lr_session *s, const struct lr_select_opts *o,
                                 int round, const struct lr_progress *progress,
                                 struct lr_err *e)
{
    struct job j = {
        .s = s, .o = o, .deploy = lr_session_deploy(s), .index = index, .n = n};
    struct lr_progress tables = lr_progress_sub(progress, 0, 0.5),
                       rest = lr_progress_sub(progress, 0.5, 1);
    enum lr_status rc = init(&j, e);

    if (rc != LR_OK || (rc = measure_tables(&j, &tables, e)) != LR_OK)
        goto out;
    make_budget(&j, round, &rest);
    if ((rc = search(&j, ranks, &rest, e)) != LR_OK ||
        (rc = say_missed(&j, e)) != LR_OK || (rc = say_end(&j, e)) != LR_OK)
        goto out;
    if (o->promise)
        *o->promise =
            (struct lr_ms_promise){j.time->network.now.ms, j.time->network.original.ms,
                                   j.table_ms * j.time->network.original.ms};
    struct timing_set *set = timing_set_find(s, &j.deploy, true);
    timing_time_free(set->last);
    set->last = j.time;
    j.time = NULL;
out:
    job_free(&j);
    return rc;
}
