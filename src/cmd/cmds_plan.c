/* Commands that change the plan: ranks, methods, and the way back. */
#include "cmd/changes.h"
#include "cmd/configs.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- rank ---- */

/* What is wrong with a number typed for a layer's rank, or LR_OK. */
static enum lr_status check_number(int64_t v, int full, const char *what,
                                   const struct lr_rank_layer *l,
                                   const struct cmd_value *at, struct cmd_error *e)
{
    if (v > full && full == l->d)
        return cmd_fail_at(e, at->begin, LR_EINVAL, "%s exceeds the %d filters of %s",
                           at->text, full, l->name);
    if (v > full)
        return cmd_fail_at(e, at->begin, LR_EINVAL,
                           "%s: %s %lld exceeds the largest of "
                           "%s, %d",
                           at->text, what, (long long)v, l->name, full);
    if (v < 1)
        return cmd_fail_at(e, at->begin, LR_EINVAL,
                           "%s is below 1; %ss of %s are 1 to %d", at->text, what,
                           l->name, full);
    return LR_OK;
}

/* A single number is d', or d'' of a spatial split; a pair sets both. Rounded only when
 * step says so. */
static enum lr_status typed_ranks(struct lr_ranks *r, const struct lr_rank_layer *l,
                                  const char *method, const struct cmd_value *v, int step,
                                  struct cmd_error *e)
{
    struct lr_ranks full = lr_ranks_whole(l);
    bool is_pair = v->rank_kind == CMD_RANK_PAIR;
    enum lr_status st = LR_OK;

    if (is_pair && l->split != LR_SPLIT_BOTH)
        return cmd_fail_at(e, v->begin, LR_EINVAL,
                           "%s sets two ranks, and method %s of %s has one", v->text,
                           method, l->name);
    if (l->split == LR_SPLIT_SPATIAL) {
        st = check_number(v->i, full.spatial, "spatial rank", l, v, e);
        r->spatial = (int)v->i;
    } else {
        st = check_number(v->i, full.channel, "rank", l, v, e);
        r->channel = (int)v->i;
    }
    if (!st && is_pair) {
        st = check_number(v->j, full.spatial, "spatial rank", l, v, e);
        r->spatial = (int)v->j;
    }
    if (!st && step > 1)
        *r = lr_ranks_round(l, *r, step);
    return st;
}

static int share_of(double share, int full)
{
    int rank = (int)floor(share * full + 1e-9);

    return rank < 1 ? 1 : rank;
}

/* The ranks that v asks of layer i. */
static enum lr_status ranks_of(struct lr_ranks *r, struct cmd_ctx *c, int i,
                               const struct cmd_value *v, int step, struct cmd_error *e)
{
    struct lr_session *s = c->session;
    struct lr_rank_layer l = lr_session_rank_layer(s, i);
    struct lr_ranks full = lr_ranks_whole(&l);
    enum lr_status st;

    *r = s->plan[i].ranks;
    switch (v->rank_kind) {
    case CMD_RANK_NUMBER:
    case CMD_RANK_PAIR:
        return typed_ranks(r, &l, lr_method_info(s->plan[i].method)->name, v, step, e);
    case CMD_RANK_SHARE:
        if (l.split != LR_SPLIT_SPATIAL)
            r->channel = share_of(v->r, full.channel);
        if (l.split != LR_SPLIT_CHANNEL)
            r->spatial = share_of(v->r, full.spatial);
        *r = lr_ranks_round(&l, *r, step);
        return LR_OK;
    case CMD_RANK_ENERGY:
        if (!l.eig)
            return cmd_fail_at(e, v->begin, LR_EINVAL,
                               "the energies of %s are not known while its method is %s",
                               l.name, lr_method_info(s->plan[i].method)->name);
        *r = lr_ranks_for_energy(&l, v->r, step);
        return LR_OK;
    case CMD_RANK_SPEEDUP:
        st = lr_session_ranks_for_speedup(r, s, i, v->r, step, &c->progress, &e->err);
        return st == LR_EINVAL ? cmd_blame(e, v) : st;
    case CMD_RANK_FULL:
        *r = full;
        return LR_OK;
    }
    return LR_OK;
}

/* Spectra make the answer complete; without images the ranks are set all the same. */
static enum lr_status try_spectra(struct cmd_ctx *c, bool is_needed, struct cmd_error *e)
{
    if (!is_needed && (!c->session->calib || !lr_session_can_sample(c->session)))
        return LR_OK;
    return lr_session_spectra(c->session, &c->progress, &e->err);
}

/* Layers that method keep holds whole are passed over where the set has others. */
static void pass_over_kept(int *layers, int *n, struct cmd_ctx *c)
{
    const struct lr_session *s = c->session;
    struct lr_strbuf names = {0};
    int n_kept = 0, n_left = 0, n_other = 0;

    for (int i = 0; i < *n; i++)
        n_other += s->plan[layers[i]].method != LR_METHOD_KEEP;
    for (int i = 0; n_other > 0 && i < *n; i++) {
        const struct lr_layer *l = &s->layers[layers[i]];
        if (l->is_approximable && s->plan[layers[i]].method == LR_METHOD_KEEP)
            cmd_add_name(&names, &n_kept, l->name);
        else
            layers[n_left++] = layers[i];
    }
    if (n_kept > 0) {
        *n = n_left;
        cmd_say(c, "left whole by method keep: %s", names.s ? names.s : "");
    }
    lr_strbuf_free(&names);
}

int cmd_round(const struct cmd_ctx *c, const struct cmd_call *call)
{
    const struct cmd_value *v = cmd_option(call, "round");

    return v->is_set ? (int)v->i : c->session->settings.round;
}

static enum lr_status run_rank(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *set = cmd_arg(call, "SET"), *v = cmd_arg(call, "VALUE");
    struct lr_session *s = c->session;
    struct cmd_before old = {0};
    struct lr_ranks *ranks = NULL;
    int *layers = NULL, n = 0, step = cmd_round(c, call);
    bool is_typed = v->rank_kind == CMD_RANK_NUMBER || v->rank_kind == CMD_RANK_PAIR;
    /* A rank typed as a number is meant; only --round itself rounds it. */
    if (is_typed && !cmd_option(call, "round")->is_set)
        step = 1;
    enum lr_status st = cmd_layers(&layers, &n, c, set, e);

    if (st)
        return st;
    if (n == 0) {
        st = cmd_fail_at(e, set->begin, LR_EINVAL, "no layer is in %s", set->text);
        goto out;
    }
    pass_over_kept(layers, &n, c);
    st = try_spectra(c, v->rank_kind == CMD_RANK_ENERGY, e);
    if (st)
        goto out;
    ranks = lr_calloc((size_t)n, sizeof(*ranks));
    if (!ranks) {
        st = lr_enomem(&e->err, (size_t)n * sizeof(*ranks), "ranks");
        goto out;
    }
    for (int i = 0; i < n; i++) {
        /* Those that cannot be approximated are passed over below, with a note. */
        ranks[i] = s->plan[layers[i]].ranks;
        if (s->layers[layers[i]].is_approximable &&
            (st = ranks_of(&ranks[i], c, layers[i], v, step, e)))
            goto out;
    }
    st = cmd_before_take(&old, s, e);
    if (st)
        goto out;
    st = lr_session_set_ranks(s, layers, ranks, n, &e->err);
    if (st) {
        cmd_blame(e, set);
        goto out;
    }
    cmd_say_changes(c, &old);
    cmd_say_totals(c);
out:
    cmd_before_free(&old);
    lr_free(layers);
    lr_free(ranks);
    return st;
}

/* ---- method ---- */

static enum lr_status run_method(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *set = cmd_arg(call, "SET"), *name = cmd_arg(call, "METHOD");
    struct cmd_before old = {0};
    int *layers = NULL, n = 0;
    enum lr_status st = cmd_layers(&layers, &n, c, set, e);

    if (st)
        return st;
    st = cmd_before_take(&old, c->session, e);
    if (!st && lr_session_set_method(c->session, layers, n,
                                     lr_method_find(name->text)->id, &e->err))
        st = cmd_blame(e, set);
    if (!st) {
        cmd_say_changes(c, &old);
        cmd_say_totals(c);
    }
    cmd_before_free(&old);
    lr_free(layers);
    return st;
}

/* ---- undo, redo ---- */

static enum lr_status step(struct cmd_ctx *c, bool is_undo, struct cmd_error *e)
{
    struct cmd_before old = {0};
    int n_kept = cmd_n_configs(c);
    enum lr_status st = cmd_before_take(&old, c->session, e);

    if (!st)
        st = is_undo ? lr_session_undo(c->session, &e->err)
                     : lr_session_redo(c->session, &e->err);
    /* A step about a configuration says so itself. */
    if (!st && cmd_n_configs(c) == n_kept) {
        cmd_say_changes(c, &old);
        cmd_say_totals(c);
        cmd_say_known(c);
    }
    cmd_before_free(&old);
    return st;
}

static enum lr_status run_undo(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    (void)call;
    return step(c, true, e);
}

static enum lr_status run_redo(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    (void)call;
    return step(c, false, e);
}

/* ---- rows ---- */

static const struct cmd_param rank_args[] = {
    {.name = "SET", .type = CMD_T_SET}, {.name = "VALUE", .type = CMD_T_RANK}, {0}};
static const struct cmd_param rank_options[] = {{.name = "round",
                                                 .type = CMD_T_INT,
                                                 .min = 1,
                                                 .max = 4096,
                                                 .help = "ranks as multiples of this"},
                                                {0}};
static const struct cmd_param method_args[] = {
    {.name = "SET", .type = CMD_T_SET}, {.name = "METHOD", .type = CMD_T_METHOD}, {0}};
static const struct cmd_row rows[] = {
    {.name = "ra$nk",
     .key = "F2 Enter",
     .typed = "rank @here ...",
     .summary = "set the rank of layers",
     .detail =
         "64 sets that rank, 50% a share of the filters, e=99% the smallest rank that\n"
         "keeps 99 % of the energy, x=2 the largest that makes the layer twice as\n"
         "fast, full leaves the layer whole. 40,28 sets both ranks of a 3d layer: the\n"
         "channels behind the 1xk and those behind the kx1 convolution; one number sets\n"
         "the former, or the only rank of a spatial layer; x=2 chooses both. Nothing is\n"
         "solved; the answer names the energy lost and the new totals.\n",
     .examples = "rank conv3 40\nrank conv4..conv6 50%\nrank conv5 e=95% --round 8\n"
                 "rank conv2 full\n",
     .args = rank_args,
     .options = rank_options,
     .flags = CMD_NEEDS_MODEL,
     .run = run_rank},
    {.name = "m$ethod",
     .key = "m",
     .typed = "method @here @method",
     .summary = "set how layers are approximated",
     .detail =
         "relu minimises the error after the ReLU, pca the error of the responses, svd\n"
         "that of the filters. spatial splits the filters into kx1 and 1xk, "
         "spatial-refit\n"
         "fits that to the responses, 3d does spatial and channels. keep leaves a layer\n"
         "whole; so are fully connected layers at first. A layer keeps its speedup.\n",
     .examples = "method conv4 pca\nmethod all 3d\nmethod conv3 spatial; rank conv3 20\n",
     .args = method_args,
     .flags = CMD_NEEDS_MODEL,
     .run = run_method},
    {.name = "un$do",
     .key = "u",
     .summary = "take back the last change of the plan",
     .detail =
         "Ranks, methods and solved factors come back as they were, with what was\n"
         "measured of them, and so do the settings that use or an import replaced. set\n"
         "and keep are no steps; drop is one, and the configuration comes back.\n",
     .examples = "undo\n",
     .flags = CMD_NEEDS_MODEL,
     .run = run_undo},
    {.name = "red$o",
     .key = "U",
     .summary = "make the change again that undo took back",
     .examples = "redo\n",
     .flags = CMD_NEEDS_MODEL,
     .run = run_redo},
};

const struct cmd_group cmd_group_plan = {"Plan", rows, sizeof(rows) / sizeof(rows[0])};
