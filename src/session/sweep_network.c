/* Sweeps of whole networks over speedups. The plan is set aside and each point begins
 * from it without its factors, so that a point depends on nothing but what its key spells
 * out: then the journal can answer for it before anything is solved. Spectra, sampled
 * responses and the original's outcome are the session's and serve all points. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ranklab/journal.h"
#include "ranklab/mem.h"
#include "ranklab/sweep.h"
#include "session/internal.h"

enum { MAX_POINTS = 10000 };

struct job {
    struct lr_session *s;
    const struct lr_sweep_network_opts *o;
    int64_t count;
    int n_speedups, n_left, n_done; /* points to be computed */
    double seconds[3]; /* measured: choosing, solving, evaluating the points so far */
    /* of the session, set aside */
    struct lr_layer_plan *plan;
    struct lr_history *history;
    struct lr_told *told;
    struct lr_notes notes;
    struct session_measured measured;
};

/* What one point is asked for. */
struct asked {
    const struct lr_rank_rule *rule;
    int method; /* -1: as planned */
    double speedup;
};

/* ---- the plan, set aside and given back ---- */

static void set_aside(struct job *j)
{
    struct lr_session *s = j->s;

    session_measured_take(&j->measured, s);
    j->plan = s->plan;
    j->history = s->history;
    j->told = s->told;
    j->notes = s->notes;
    s->plan = NULL;
    s->history = NULL;
    s->told = NULL;
    s->notes = (struct lr_notes){0}; /* what each point would say again and again */
}

static void give_back(struct job *j)
{
    struct lr_session *s = j->s;

    session_history_free(s);
    session_plan_free(s->plan, s->n_layers);
    session_told_unref(s->told);
    s->plan = j->plan;
    s->history = j->history;
    s->told = j->told;
    s->notes = j->notes;
    s->has_eval = j->measured.has_eval;
    s->last_eval = j->measured.eval;
    s->evaluated_at = j->measured.evaluated_at;
}

/* The plan that a point begins from. */
static enum lr_status begin_plan(struct job *j, int method, struct lr_err *e)
{
    struct lr_session *s = j->s;
    size_t size = (size_t)s->n_layers + 1;
    struct lr_layer_plan *plan = lr_calloc(size, sizeof(*plan));
    int *layers = lr_calloc(size, sizeof(*layers)), n = 0;
    enum lr_status rc = LR_OK;

    if (!plan || !layers) {
        rc = lr_enomem(e, size * sizeof(*plan), "the plan");
        goto out;
    }
    for (int i = 0; i < s->n_layers; i++) {
        plan[i] = (struct lr_layer_plan){.method = j->plan[i].method,
                                         .ranks = j->plan[i].ranks};
        if (s->layers[i].kind == LR_LAYER_CONV && plan[i].method != LR_METHOD_KEEP)
            layers[n++] = i;
    }
    session_history_free(s);
    session_plan_free(s->plan, s->n_layers);
    s->plan = plan;
    plan = NULL;
    if (method >= 0)
        rc = lr_session_set_method(s, layers, n, (enum lr_method)method, e);
out:
    lr_free(plan);
    lr_free(layers);
    return rc;
}

/* ---- the journal ---- */

/* Of the plan that begin_plan made. */
static enum lr_status make_key(char key[65], const struct job *j, const struct asked *a,
                               struct lr_err *e)
{
    const struct lr_session *s = j->s;
    const struct lr_settings *t = &s->settings;
    struct lr_strbuf b = {0};
    char calib[65], images[65];
    enum lr_status rc = session_images_digest(calib, s->calib, 0, e);

    if (rc != LR_OK ||
        (rc = session_images_digest(images, s->eval, j->count, e)) != LR_OK)
        return rc;
    lr_strbuf_printf(
        &b,
        "network\nmodel %s, input %dx%dx%d\ncalibration %s\nimages %s, first %" PRId64
        "\nseed %" PRIu64 ", iterations %d %d, lambda %.17g %.17g, round %d, %s\n"
        "rule %s, speedup %.17g\n",
        s->model_sha256, s->in_c, s->in_h, s->in_w, calib, images, j->count, t->seed,
        t->n_iter1, t->n_iter2, t->lambda1, t->lambda2, t->round,
        lr_mode_name(j->o->mode), a->rule->name, a->speedup);
    session_key_engine(&b, s);
    for (int i = 0; i < s->n_layers; i++) {
        lr_strbuf_printf(&b, "%s", lr_method_info(s->plan[i].method)->name);
        /* Of convolutions the rule chooses the ranks. */
        if (s->layers[i].kind != LR_LAYER_CONV)
            lr_strbuf_printf(&b, " %d,%d", s->plan[i].ranks.channel,
                             s->plan[i].ranks.spatial);
        lr_strbuf_putc(&b, '\n');
    }
    bool is_failed = b.is_failed;
    if (!is_failed)
        lr_journal_key(key, b.s);
    lr_strbuf_free(&b);
    return is_failed ? lr_enomem(e, 1024, "a key") : LR_OK;
}

static enum lr_status new_point(struct lr_sweep_point *p, const struct job *j,
                                const struct asked *a, struct lr_err *e)
{
    size_t n = (size_t)j->s->n_layers + 1;

    *p = (struct lr_sweep_point){.layer = -1,
                                 .wanted_speedup = a->speedup,
                                 .error_linear = NAN,
                                 .error_heldout = NAN,
                                 .n_images = j->count};
    snprintf(p->rule, sizeof(p->rule), "%s", a->rule->name);
    p->method = a->method >= 0 ? (enum lr_method)a->method : LR_METHOD_KEEP;
    for (int i = 0; p->method == LR_METHOD_KEEP && i < j->s->n_layers; i++)
        p->method = j->s->plan[i].method;
    p->methods = lr_calloc(n, sizeof(*p->methods));
    p->network_ranks = lr_calloc(n, sizeof(*p->network_ranks));
    if (p->methods && p->network_ranks)
        return LR_OK;
    lr_sweep_point_free(p);
    return lr_enomem(e, n * sizeof(*p->network_ranks), "a point of a sweep");
}

/* *is_known: the journal had the point. */
static enum lr_status ask_journal(struct lr_sweep_point *p, bool *is_known,
                                  const struct job *j, const struct asked *a,
                                  const char *key, struct lr_err *e)
{
    struct lr_journal *journal = lr_session_journal(j->s);
    const struct lr_record *r = journal ? lr_journal_find(journal, key) : NULL;

    *is_known = false;
    const char *ranks = r && r->detail ? strstr(r->detail, ": ") : NULL;
    if (!ranks || r->measure.images != j->count)
        return LR_OK;
    enum lr_status rc = new_point(p, j, a, e);
    if (rc != LR_OK)
        return rc;
    if (!session_plan_read(p->methods, p->network_ranks, j->s, ranks + 2)) {
        lr_sweep_point_free(p);
        return LR_OK;
    }
    p->macs = r->macs;
    p->speedup = r->speedup;
    p->energy = r->energy;
    p->eval = r->measure;
    p->is_from_journal = *is_known = true;
    return LR_OK;
}

static enum lr_status keep(const struct job *j, const struct asked *a,
                           const struct lr_sweep_point *p, const char *key,
                           struct lr_err *e)
{
    struct lr_session *s = j->s;
    struct lr_record r = {0};
    struct lr_strbuf detail = {0};

    lr_strbuf_printf(&detail, "%s %gx %s: ", a->rule->name, a->speedup,
                     lr_mode_name(j->o->mode));
    session_plan_text(&detail, s);
    enum lr_status rc = detail.is_failed
                            ? lr_enomem(e, 1024, "a record")
                            : session_record_network(&r, s, j->count, detail.s, e);
    if (rc == LR_OK) {
        memcpy(r.key, key, sizeof(r.key));
        r.measure = p->eval;
        s->notes = j->notes; /* a journal that cannot be written is told of */
        lr_session_journal_add(s, &r);
        s->notes = (struct lr_notes){0};
    }
    lr_record_free(&r);
    lr_strbuf_free(&detail);
    return rc;
}

/* ---- one point ---- */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Choosing, solving and evaluating: their parts of a point as measured, at first as they
 * mostly are. The first point also samples and runs the original, and counts for more. */
static void stages(struct lr_progress part[3], const struct job *j)
{
    static const double first[3] = {0.15, 0.6, 0.25};
    double extra = 0.5, all = j->n_left + extra;
    double lo = j->n_done > 0 ? (j->n_done + extra) / all : 0;
    double width = (j->n_done > 0 ? 1 : 1 + extra) / all, total = 0;

    for (int k = 0; k < 3; k++)
        total += j->seconds[k];
    for (int k = 0; k < 3; k++) {
        double share = total > 0 ? j->seconds[k] / total : first[k];
        part[k] = lr_progress_sub(j->o->progress, lo, lo + share * width);
        lo += share * width;
    }
}

/* LR_EUNSUP stands for a speedup that cannot be reached. */
static enum lr_status compute(struct lr_sweep_point *p, struct job *j,
                              const struct asked *a, struct lr_err *e)
{
    struct lr_session *s = j->s;
    struct lr_progress part[3];
    double times[4] = {now()};
    const struct lr_select_opts select = {
        .rule = a->rule, .speedup = a->speedup, .progress = &part[0]};
    const struct lr_solve_request solve = {.n = -1, .mode = j->o->mode};
    const struct lr_question q = {.count = j->count, .progress = &part[2]};
    struct lr_answer answer;
    struct lr_totals t;

    stages(part, j);
    enum lr_status rc = lr_session_select(s, &select, e);
    times[1] = now();
    if (rc == LR_EINVAL)
        return e->code = LR_EUNSUP;
    if (rc != LR_OK || (rc = lr_session_solve(s, &solve, NULL, &part[1], e)) != LR_OK)
        return rc;
    times[2] = now();
    if ((rc = lr_session_ask(&answer, s, &q, e)) != LR_OK ||
        (rc = new_point(p, j, a, e)) != LR_OK)
        return rc;
    times[3] = now();
    /* What the first point did for all others is none of theirs. */
    for (int k = 0; k < 3; k++)
        j->seconds[k] = (j->n_done > 1 ? j->seconds[k] : 0) + times[k + 1] - times[k];
    for (int i = 0; i < s->n_layers; i++) {
        p->methods[i] = s->plan[i].method;
        p->network_ranks[i] = s->plan[i].ranks;
    }
    lr_session_totals(&t, s);
    p->macs = t.macs;
    p->speedup = t.speedup;
    p->energy = session_plan_energy(s);
    p->eval = answer.eval;
    return LR_OK;
}

/* Counts what is to be computed (is_counting), or does it. */
static enum lr_status one_point(struct job *j, const struct asked *a, bool is_counting,
                                struct lr_err *e)
{
    const struct lr_sweep_network_opts *o = j->o;
    struct lr_sweep_point p;
    char key[65];
    bool is_known;
    enum lr_status rc = begin_plan(j, a->method, e);

    if (rc != LR_OK || (rc = make_key(key, j, a, e)) != LR_OK ||
        (rc = ask_journal(&p, &is_known, j, a, key, e)) != LR_OK)
        return rc;
    if (is_counting) {
        j->n_left += !is_known;
        if (is_known)
            lr_sweep_point_free(&p);
        return LR_OK;
    }
    if (!is_known) {
        rc = compute(&p, j, a, e);
        j->n_done += j->n_done + 1 < j->n_left;
        if (rc == LR_EUNSUP) {
            if (o->on_unmet)
                o->on_unmet(o->ctx, a->rule->name,
                            a->method < 0
                                ? NULL
                                : lr_method_info((enum lr_method)a->method)->name,
                            a->speedup, e->msg);
            lr_err_clear(e);
            return LR_OK;
        }
        if (rc != LR_OK)
            return rc;
        if ((rc = keep(j, a, &p, key, e)) != LR_OK) {
            lr_sweep_point_free(&p);
            return rc;
        }
    }
    if (o->on_point)
        o->on_point(o->ctx, &p);
    return session_sweeps_add(j->s, &p, e);
}

static enum lr_status all_points(struct job *j, bool is_counting, struct lr_err *e)
{
    const struct lr_sweep_network_opts *o = j->o;
    const struct lr_rank_rule *energy = lr_rank_rule_find("energy");
    int n_rules = o->n_rules > 0 ? o->n_rules : 1;
    int n_methods = o->n_methods > 0 ? o->n_methods : 1;
    enum lr_status rc = LR_OK;

    for (int r = 0; r < n_rules; r++)
        for (int m = 0; m < n_methods; m++)
            for (int k = 0; rc == LR_OK && k < j->n_speedups; k++) {
                const struct asked a = {o->n_rules > 0 ? o->rules[r] : energy,
                                        o->n_methods > 0 ? (int)o->methods[m] : -1,
                                        o->first + k * o->step};
                rc = one_point(j, &a, is_counting, e);
            }
    return rc;
}

enum lr_status lr_session_sweep_network(struct lr_session *s,
                                        const struct lr_sweep_network_opts *o,
                                        struct lr_err *e)
{
    struct lr_sweep_network_opts asked = *o;
    struct job j = {.s = s, .o = &asked};
    struct lr_progress rest, last;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK || (rc = session_need_run(s, e)) != LR_OK)
        return rc;
    if (!(o->first >= 1) || !(o->last >= o->first) || !isfinite(o->last) ||
        !(o->step > 0))
        return lr_err_set(e, LR_EINVAL,
                          "speedups %g to %g by %g: from 1 up, in steps above 0",
                          o->first, o->last, o->step);
    double n = floor((o->last - o->first) / o->step + 1e-9) + 1;
    if (n > MAX_POINTS)
        return lr_err_set(e, LR_EINVAL, "%.0f speedups: at most %d", n, MAX_POINTS);
    j.n_speedups = (int)n;
    if ((rc = session_need_images(&j.count, s, o->count, &asked.progress, &rest, e)) !=
        LR_OK)
        return rc;
    if (s->calib &&
        (rc = session_settle(s->calib, s, 0, &asked.progress, &last, e)) != LR_OK)
        return rc;
    lr_session_journal(s); /* opened, and complained of, while notes are heard */
    set_aside(&j);
    rc = all_points(&j, true, e);
    if (rc == LR_OK)
        rc = all_points(&j, false, e);
    give_back(&j);
    return rc;
}
