/* Solving the approximation, and what it left as response error. */
#include "cmd/context.h"

#include <math.h>
#include <string.h>

static const char *const modes[] = {"asym", "sym", "symhat", NULL};

/* Mean held-out error of the layers just solved, whose factors are no longer those in
 * before, with the linear solution's. */
static void say_errors(struct cmd_ctx *c, struct lr_factors *const *before, int n_solved,
                       enum lr_mode mode)
{
    double held = 0, linear = 0;
    int n = 0;

    for (int i = 0; i < c->session->n_layers; i++) {
        struct lr_layer_row r;
        lr_session_row(&r, c->session, i);
        if (c->session->plan[i].factors == before[i] || isnan(r.error_heldout) ||
            isnan(r.error_linear))
            continue;
        held += r.error_heldout;
        linear += r.error_linear;
        n++;
    }
    if (n)
        cmd_say(c, "solved %d layer%s, %s; mean held-out error %.4f (linear %.4f)",
                n_solved, n_solved == 1 ? "" : "s", lr_mode_name(mode), held / n,
                linear / n);
    else
        cmd_say(c, "solved %d layer%s, %s", n_solved, n_solved == 1 ? "" : "s",
                lr_mode_name(mode));
}

static enum lr_status run_solve(struct cmd_ctx *c, const struct cmd_call *call,
                                struct cmd_error *e)
{
    const struct cmd_value *set = cmd_arg(call, "SET"), *mode = cmd_option(call, "mode");
    enum lr_mode m = mode->is_set ? (enum lr_mode)mode->i : c->session->settings.mode;
    struct lr_solve_request q = {.mode = m,
                                 .is_alone = cmd_option(call, "alone")->is_set};
    int *layers = NULL, n = -1, n_solved = 0, n_stale = 0,
        n_layers = c->session->n_layers;
    /* Held, so that no new factors can have the address of old ones. */
    struct lr_factors **before = lr_calloc((size_t)n_layers + 1, sizeof(*before));
    enum lr_status st = LR_OK;

    if (!before)
        return lr_enomem(&e->err, (size_t)n_layers * sizeof(*before), "the plan");
    for (int i = 0; i < n_layers; i++)
        before[i] = lr_factors_ref(c->session->plan[i].factors);
    if (set->is_set && strcmp(set->text, "@stale") != 0)
        st = cmd_layers(&layers, &n, c, set, e);
    q.layers = layers;
    q.n = n;
    if (!st)
        st = lr_session_solve(c->session, &q, &n_solved, &c->progress, &e->err);
    lr_free(layers);
    if (!st && n_solved)
        say_errors(c, before, n_solved, m);
    for (int i = 0; i < n_layers; i++)
        lr_factors_unref(before[i]);
    lr_free(before);
    if (st)
        return st;
    if (n_solved == 0) {
        cmd_say(c, "nothing to solve: no layer is chosen or stale");
        return LR_OK;
    }
    for (int i = 0; i < c->session->n_layers; i++)
        n_stale += lr_session_state(c->session, i) == LR_STATE_STALE;
    if (n_stale)
        cmd_say(c, "%d layer%s after them %s stale", n_stale, n_stale == 1 ? "" : "s",
                n_stale == 1 ? "is" : "are");
    return LR_OK;
}

static enum lr_status run_error(struct cmd_ctx *c, const struct cmd_call *call,
                                struct cmd_error *e)
{
    struct out_table t;
    int *layers = NULL, n = 0;
    enum lr_status st = cmd_layers(&layers, &n, c, cmd_arg(call, "SET"), e);

    if (!st)
        st = cmd_layer_table(&t, c, layers, n, CMD_VIEW_ERROR, e);
    lr_free(layers);
    return st ? st : cmd_table(c, &t, e);
}

static const struct cmd_param set_args[] = {
    {.name = "SET", .type = CMD_T_SET, .flags = CMD_OPTIONAL}, {0}};
static const struct cmd_param solve_options[] = {
    {.name = "mode",
     .type = CMD_T_CHOICE,
     .choices = modes,
     .help = "what the fit sees as its input"},
    {.name = "alone",
     .type = CMD_T_FLAG,
     .help = "fit responses that go into an addition without it"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "sol$ve",
     .key = "s F3",
     .summary = "compute the approximation of the chosen layers",
     .detail =
         "Without SET: every layer that is chosen or stale, shallow to deep. asym fits\n"
         "each layer to what the network approximated so far feeds it, sym to the\n"
         "original's input, symhat takes the approximated input on both sides. A "
         "response\n"
         "that is added to a shortcut is compared after the addition, with the error\n"
         "of the shortcut in it; --alone fits it by itself, linearly, for comparison. "
         "^C\n"
         "stops and leaves everything as it was; where it takes long (set resume), each\n"
         "finished layer is kept in the cache folder until all are done, and the same\n"
         "solve goes on from there, in a later session too.\n",
     .examples = "rank conv3,conv4 50%; solve\nsolve conv4 --mode sym\n",
     .args = set_args,
     .options = solve_options,
     .flags = CMD_NEEDS_MODEL,
     .run = run_solve},
    {.name = "er$ror",
     .summary = "response errors of the solved layers",
     .detail =
         "|r(y) - r(y')|^2 / |r(y)|^2 of each layer's response y: calib on the images\n"
         "the solver saw, held-out on others, linear that of the linear solution there,\n"
         "pre-f before the nonlinearity; own with the original input, inher. inherited\n"
         "from the layers before, refit what remains of both. All of it is measured "
         "when\n"
         "the layer is solved: a sym or svd layer keeps its numbers when one before it\n"
         "changes, as its factors stay; solve LAYER measures it again.\n",
     .examples = "error\n",
     .args = set_args,
     .flags = CMD_NEEDS_MODEL | CMD_TABLE,
     .run = run_error},
};

const struct cmd_group cmd_group_solve = {"Solving", rows,
                                          sizeof(rows) / sizeof(rows[0])};
