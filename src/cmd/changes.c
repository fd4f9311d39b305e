/* What a command changed in the plan, told in a few lines: the plan is noted before the
 * command runs and compared afterwards. */
#include "cmd/changes.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void cmd_before_free(struct cmd_before *b)
{
    lr_free(b->ranks);
    lr_free(b->method);
    lr_free(b->state);
    lr_free(b->macs);
    *b = (struct cmd_before){0};
}

enum lr_status cmd_before_take(struct cmd_before *b, const struct lr_session *s,
                               struct cmd_error *e)
{
    size_t n = (size_t)s->n_layers;

    *b = (struct cmd_before){.n = s->n_layers};
    b->ranks = lr_calloc(n, sizeof(*b->ranks));
    b->method = lr_calloc(n, sizeof(*b->method));
    b->state = lr_calloc(n, sizeof(*b->state));
    b->macs = lr_calloc(n, sizeof(*b->macs));
    if (!b->ranks || !b->method || !b->state || !b->macs) {
        cmd_before_free(b);
        return lr_enomem(&e->err, n * sizeof(*b->macs), "the plan");
    }
    for (int i = 0; i < b->n; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        b->ranks[i] = s->plan[i].ranks;
        b->method[i] = r.method;
        b->state[i] = r.state;
        b->macs[i] = r.macs;
    }
    lr_session_totals(&b->totals, s);
    b->settings = s->settings;
    return LR_OK;
}

void cmd_add_name(struct lr_strbuf *b, int *n, const char *name)
{
    if (*n < 6)
        lr_strbuf_printf(b, "%s%s", *n ? ", " : "", name);
    else if (*n == 6)
        lr_strbuf_puts(b, ", ...");
    ++*n;
}

/* ", rank 40 -> 17 of 80", with the spatial ranks where there are any. */
static void add_ranks(struct lr_strbuf *line, const struct lr_session *s, int i,
                      const struct cmd_before *old)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, i);
    struct lr_ranks was = old->ranks[i], now = s->plan[i].ranks;
    struct lr_ranks full = lr_ranks_whole(&l);
    char to[32];

    lr_session_ranks_text(to, sizeof(to), s, i);
    switch (l.split) {
    case LR_SPLIT_SPATIAL:
        if (was.spatial > 0)
            lr_strbuf_printf(line, ", spatial rank %d -> %s of %d", was.spatial, to,
                             full.spatial);
        else
            lr_strbuf_printf(line, ", spatial rank %s of %d", to, full.spatial);
        break;
    case LR_SPLIT_BOTH:
        if (was.spatial > 0)
            lr_strbuf_printf(line, ", ranks %d,%d -> %s of %d,%d", was.channel,
                             was.spatial, to, full.channel, full.spatial);
        else
            lr_strbuf_printf(line, ", ranks %d -> %s of %d,%d", was.channel, to,
                             full.channel, full.spatial);
        break;
    default:
        if (was.channel != now.channel)
            lr_strbuf_printf(line, ", rank %d -> %s of %d", was.channel, to,
                             full.channel);
        else
            lr_strbuf_printf(line, ", rank %s of %d", to, full.channel);
    }
}

/* "seed 1 -> 5, mode asym -> sym" for the settings of the solver that differ. */
static void add_settings(struct lr_strbuf *line, const struct lr_settings *a,
                         const struct lr_settings *b)
{
    if (a->seed != b->seed)
        lr_strbuf_printf(line, ", seed %" PRIu64 " -> %" PRIu64, a->seed, b->seed);
    if (a->mode != b->mode)
        lr_strbuf_printf(line, ", mode %s -> %s", lr_mode_name(a->mode),
                         lr_mode_name(b->mode));
    if (a->round != b->round)
        lr_strbuf_printf(line, ", round %d -> %d", a->round, b->round);
    if (a->n_iter1 != b->n_iter1 || a->n_iter2 != b->n_iter2)
        lr_strbuf_printf(line, ", iterations %d,%d -> %d,%d", a->n_iter1, a->n_iter2,
                         b->n_iter1, b->n_iter2);
    if (a->lambda1 != b->lambda1 || a->lambda2 != b->lambda2)
        lr_strbuf_printf(line, ", lambda %g,%g -> %g,%g", a->lambda1, a->lambda2,
                         b->lambda1, b->lambda2);
}

/* One line per changed layer, at most a dozen, then what became stale and the totals. */
void cmd_say_changes(struct cmd_ctx *c, const struct cmd_before *old)
{
    const struct lr_session *s = c->session;
    struct lr_strbuf stale = {0}, lost = {0}, solved = {0}, settings = {0};
    int n_changed = 0, n_stale = 0, n_lost = 0, n_solved = 0;
    char buf[256];

    for (int i = 0; i < old->n && i < s->n_layers; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, s, i);
        if (r.state == LR_STATE_STALE && old->state[i] != LR_STATE_STALE)
            cmd_add_name(&stale, &n_stale, r.layer->name);
        bool was_solved =
            old->state[i] == LR_STATE_SOLVED || old->state[i] == LR_STATE_STALE;
        if (r.state == LR_STATE_CHOSEN && was_solved)
            cmd_add_name(&lost, &n_lost, r.layer->name);
        if (r.state == LR_STATE_SOLVED && old->state[i] != LR_STATE_SOLVED)
            cmd_add_name(&solved, &n_solved, r.layer->name);
        struct lr_ranks now = s->plan[i].ranks;
        bool is_other_rank =
            now.channel != old->ranks[i].channel || now.spatial != old->ranks[i].spatial;
        if (!is_other_rank && r.method == old->method[i])
            continue;
        if (++n_changed > 12)
            continue;
        struct lr_strbuf line = {0};
        if (r.method != old->method[i])
            lr_strbuf_printf(&line, ", method %s", lr_method_info(r.method)->name);
        if (is_other_rank)
            add_ranks(&line, s, i, old);
        const char *reason = lr_session_reason(s, i, buf, sizeof(buf));
        if (r.state == LR_STATE_WHOLE && reason && strcmp(reason, "full rank") == 0)
            lr_strbuf_puts(&line, is_other_rank ? ", whole" : "");
        else if (r.state == LR_STATE_WHOLE && r.method != old->method[i] &&
                 r.method == LR_METHOD_KEEP)
            ; /* said already */
        else if (r.state == LR_STATE_WHOLE)
            lr_strbuf_printf(&line, ", stays whole: %s", reason ? reason : "");
        else if (!isnan(r.energy))
            lr_strbuf_printf(&line, ", %.2fx, energy lost %.2f %%", r.speedup,
                             100 * (1 - r.energy));
        else
            lr_strbuf_printf(&line, ", %.2fx", r.speedup);
        cmd_say(c, "%s: %s", r.layer->name, line.s ? line.s + 2 : "");
        lr_strbuf_free(&line);
    }
    if (n_changed > 12)
        cmd_say(c, "and %d more layers", n_changed - 12);
    add_settings(&settings, &old->settings, &s->settings);
    if (!n_changed && !n_lost && !n_stale && !n_solved && !settings.len)
        cmd_say(c, "nothing changed");
    if (n_solved)
        cmd_say(c, "solved: %s", solved.s);
    if (n_lost)
        cmd_say(c, "to be solved again: %s", lost.s);
    if (n_stale)
        cmd_say(c, "stale: %s", stale.s);
    if (settings.len && !settings.is_failed)
        cmd_say(c, "settings: %s", settings.s + 2);
    lr_strbuf_free(&stale);
    lr_strbuf_free(&lost);
    lr_strbuf_free(&solved);
    lr_strbuf_free(&settings);
}
