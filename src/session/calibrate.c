/* Planning the passes of a solve. Each layer needs one run of the network in front of it,
 * as approximated so far; a run may begin at activations that an earlier one kept. Which
 * are kept is decided for all layers together on the network as it will be at the end,
 * whose shapes and costs are known before anything is solved: dynamic programming over
 * the layers, the state being the value that is kept, and where. At most two values exist
 * at a time, the one that is read and the one that is written. */
#include "session/calibrate.h"

#include <math.h>
#include <string.h>

#include "ranklab/mem.h"

/* Rough rates of a machine that serve to compare computing with keeping: multiply-adds
 * and bytes of activations a second while computing, bytes a second to and from the disk.
 */
static const double MACS = 1e11, MOVED = 1e10, WRITTEN = 7e8, READ = 1.5e9, COPIED = 4e9;

struct point {
    int value, step; /* of the graph; the step from which on it can be kept */
    double bytes;    /* of all images */
    double seconds;  /* of everything before it, an image */
};

/* Nothing kept is state 0; point p in memory 1 + 2 p, on the disk 2 + 2 p. */
struct planner {
    const struct calib_job *j;
    const struct calib_limits *limits;
    struct lr_graph *g; /* all layers split */
    int *first;         /* by step: the first node of its layer */
    int *input;         /* by step: what its layer reads */
    double *before;     /* by step: seconds an image in front of it */
    struct point *points;
    int n_points, cap_points;
    double *cost; /* by state: of the best way there */
    int *from;    /* [step][state]: the state before */
};

void session_calib_free(struct session_calib *c)
{
    for (int k = 0; c->steps && k < c->n; k++)
        lr_free(c->steps[k].keep);
    lr_free(c->steps);
    *c = (struct session_calib){0};
}

/* The split that the layer will get, with zeros for what is not known yet. */
static enum lr_status empty_split(struct lr_factors **out, const struct calib_job *j,
                                  int layer, struct lr_err *e)
{
    const struct lr_layer *l = &j->s->layers[layer];
    const struct lr_layer_plan *p = &j->next[layer];
    const struct lr_method_info *info = lr_method_info(p->method);
    int rank = info->split == LR_SPLIT_SPATIAL ? l->d : p->ranks.channel;
    size_t d = (size_t)l->d, n = d * (size_t)rank;
    size_t n_inputs = (size_t)(l->c / l->group) * (size_t)l->kh * (size_t)l->kw;
    float *w = lr_calloc(d * n_inputs, sizeof(*w));
    struct lr_lowrank m = {.d = l->d, .rank = rank};
    struct lr_spatial sp = {.rank = p->ranks.spatial};
    enum lr_status rc;

    *out = NULL;
    m.p = lr_calloc(n, sizeof(double));
    m.q = lr_calloc(n, sizeof(double));
    m.b = lr_calloc(d, sizeof(double));
    sp.v = lr_calloc((size_t)sp.rank * (size_t)l->c * (size_t)l->kh, sizeof(float));
    sp.h = lr_calloc((size_t)sp.rank * d * (size_t)l->kw, sizeof(float));
    if (w && m.p && m.q && m.b && sp.v && sp.h)
        rc = lr_factors_build(out, l, w, NULL, info->solve ? &m : NULL,
                              sp.rank > 0 ? &sp : NULL, p->method, e);
    else
        rc = lr_enomem(e, n * sizeof(double), "a plan of the passes");
    lr_lowrank_free(&m);
    lr_spatial_free(&sp);
    lr_free(w);
    return rc;
}

/* The network with every layer split that is or will be. */
static enum lr_status build(struct planner *p, struct lr_err *e)
{
    const struct calib_job *j = p->j;
    const struct lr_session *s = j->s;
    struct lr_layer_plan *plan = NULL;
    bool *use = lr_calloc((size_t)s->n_layers + 1, sizeof(*use));
    enum lr_status rc = use ? session_plan_copy(&plan, s, e)
                            : lr_enomem(e, (size_t)s->n_layers, "a set of layers");

    for (int i = 0; rc == LR_OK && i < s->n_layers; i++) {
        struct lr_factors *f = NULL;
        if (j->is_pending[i])
            rc = empty_split(&f, j, i, e);
        else
            f = lr_factors_ref(j->next[i].factors);
        lr_factors_unref(plan[i].factors);
        plan[i].factors = f;
        use[i] = f != NULL;
    }
    if (rc == LR_OK)
        rc = session_split(&p->g, s, plan, use, e);
    for (int k = 0; rc == LR_OK && k < j->n; k++) {
        int v = s->layers[j->list[k]].value;
        for (int part = 1; part < plan[j->list[k]].factors->n_parts; part++)
            v = p->g->nodes[p->g->values[v].producer].in[0];
        p->first[k] = p->g->values[v].producer;
        p->input[k] = s->layers[j->list[k]].input;
    }
    if (plan)
        session_plan_free(plan, s->n_layers);
    lr_free(use);
    return rc;
}

/* What step k reads of the network so far: one or two values. */
static int step_targets(int values[2], const struct planner *p, int k)
{
    int n = session_targets(values, &p->j->s->layers[p->j->list[k]]);

    values[0] = p->input[k];
    return n;
}

/* Seconds an image, and multiply-adds, of all that the values depend on. */
static enum lr_status cost_before(double *seconds, double *macs, const struct planner *p,
                                  const int *values, int n, struct lr_err *e)
{
    bool *mask = NULL;
    enum lr_status rc = session_upstream_in(&mask, p->g, values, n, e);

    *seconds = *macs = 0;
    for (int k = 0; rc == LR_OK && k < p->g->n_nodes; k++) {
        const struct lr_node *node = &p->g->nodes[k];
        bool is_needed = false;
        for (int i = 0; i < node->n_out; i++)
            is_needed = is_needed || (node->out[i] >= 0 && mask[node->out[i]]);
        if (!is_needed)
            continue;
        struct lr_cost c = lr_node_cost(p->g, node);
        *macs += (double)c.macs;
        *seconds +=
            (double)c.macs / MACS + ((double)c.bytes - 4 * (double)c.params) / MOVED;
    }
    lr_free(mask);
    return rc;
}

/* Whether something before the layer is approximated once it is its turn. */
static enum lr_status has_pass(bool *out, const struct planner *p, int k,
                               struct lr_err *e)
{
    const struct calib_job *j = p->j;
    const struct lr_session *s = j->s;
    int layer = j->list[k], values[2], n = session_targets(values, &s->layers[layer]);
    bool *mask = NULL;
    enum lr_status rc = session_upstream(&mask, s, values, n, e);

    *out = false;
    for (int i = 0; rc == LR_OK && i < layer; i++)
        *out = *out ||
               (mask[s->layers[i].value] && (j->is_pending[i] || j->next[i].factors));
    lr_free(mask);
    return rc;
}

static enum lr_status add_point(struct planner *p, int value, int step, struct lr_err *e)
{
    double macs, bytes = 4 * (double)session_value_count(p->g, value) *
                         (double)p->limits->n_images;

    for (int i = 0; i < p->n_points; i++)
        if (p->points[i].value == value)
            return LR_OK;
    if (bytes > (double)p->limits->memory && bytes > (double)p->limits->disk)
        return LR_OK;
    if (p->n_points == p->cap_points) {
        int cap = p->cap_points ? 2 * p->cap_points : 64;
        struct point *q =
            lr_realloc(p->points, (size_t)p->n_points, (size_t)cap, sizeof(*q));
        if (!q)
            return lr_enomem(e, (size_t)cap * sizeof(*q), "a plan of the passes");
        p->points = q;
        p->cap_points = cap;
    }
    struct point *q = &p->points[p->n_points++];
    *q = (struct point){.value = value, .step = step, .bytes = bytes};
    return cost_before(&q->seconds, &macs, p, &value, 1, e);
}

/* The steps, and the values that can be kept by each. */
static enum lr_status find_points(struct planner *p, struct session_calib *out,
                                  struct lr_err *e)
{
    int *targets = lr_calloc(2 * (size_t)out->n + 1, sizeof(*targets)), start = 0;
    int *cuts = lr_calloc((size_t)p->g->n_values + 1, sizeof(*cuts)), n_cuts;
    enum lr_status rc = LR_OK;

    if (!targets || !cuts)
        rc = lr_enomem(e, (size_t)p->g->n_values * sizeof(*cuts), "a plan of the passes");
    for (int k = 0; rc == LR_OK && k < out->n; k++) {
        int values[2], n = step_targets(values, p, k), n_targets = 0;
        if ((rc = has_pass(&out->steps[k].has_pass, p, k, e)) != LR_OK ||
            (rc = cost_before(&p->before[k], &out->steps[k].macs, p, values, n, e)) !=
                LR_OK)
            break;
        if (!out->steps[k].has_pass)
            continue;
        for (int i = k; i < out->n; i++)
            n_targets += step_targets(targets + n_targets, p, i);
        rc = session_cuts(cuts, &n_cuts, p->g, targets, n_targets, p->first[k], e);
        for (int i = 0; rc == LR_OK && i < n_cuts; i++)
            if (p->g->values[cuts[i]].producer >= start)
                rc = add_point(p, cuts[i], k, e);
        start = p->first[k];
    }
    lr_free(targets);
    lr_free(cuts);
    return rc;
}

static int n_states(const struct planner *p)
{
    return 1 + 2 * p->n_points;
}

static const struct point *point_of(const struct planner *p, int state)
{
    return state > 0 ? &p->points[(state - 1) / 2] : NULL;
}

static bool is_on_disk(int state)
{
    return state > 0 && state % 2 == 0;
}

static double bytes_at(const struct planner *p, int state, bool is_disk)
{
    const struct point *q = point_of(p, state);

    return q && is_on_disk(state) == is_disk ? q->bytes : 0;
}

/* Seconds of the pass of step k that starts from state a; -1: it cannot. */
static double pass_seconds(const struct planner *p, int k, int a)
{
    const struct point *q = point_of(p, a);
    double images = (double)p->limits->n_images;

    if (!q)
        return p->before[k] * images;
    if (q->seconds > p->before[k])
        return -1;
    return (p->before[k] - q->seconds) * images + (is_on_disk(a) ? q->bytes / READ : 0);
}

static bool fits(const struct planner *p, int a, int b)
{
    return bytes_at(p, a, false) + bytes_at(p, b, false) <= (double)p->limits->memory &&
           bytes_at(p, a, true) + bytes_at(p, b, true) <= (double)p->limits->disk;
}

/* One step more: from what is kept before it to what is kept after it. */
static void advance(struct planner *p, double *next, int k)
{
    int n = n_states(p);
    int *from = p->from + (size_t)k * (size_t)n;

    for (int b = 0; b < n; b++)
        next[b] = INFINITY;
    for (int a = 0; a < n; a++) {
        double seconds = isinf(p->cost[a]) ? -1 : pass_seconds(p, k, a);
        if (seconds < 0)
            continue;
        double cost = p->cost[a] + seconds;
        if (cost < next[a]) {
            next[a] = cost;
            from[a] = a;
        }
        for (int i = 0; i < p->n_points; i++)
            for (int b = 1 + 2 * i; p->points[i].step == k && b <= 2 + 2 * i; b++) {
                double all =
                    cost + p->points[i].bytes / (is_on_disk(b) ? WRITTEN : COPIED);
                if (all < next[b] && fits(p, a, b)) {
                    next[b] = all;
                    from[b] = a;
                }
            }
    }
    memcpy(p->cost, next, (size_t)n * sizeof(*next));
}

static enum lr_status take(struct session_calib *out, const struct planner *p, int k,
                           int before, int after, struct lr_err *e)
{
    struct calib_step *step = &out->steps[k];
    const struct point *q = point_of(p, after), *start = point_of(p, before);
    double memory = bytes_at(p, before, false), disk = bytes_at(p, before, true),
           skip = 0;

    if (after != before) {
        const char *name = p->g->values[q->value].name;
        step->keep = lr_strdup(name);
        step->is_spilled = is_on_disk(after);
        step->bytes = (int64_t)q->bytes;
        if (!step->keep)
            return lr_enomem(e, strlen(name) + 1, "a name");
        memory += bytes_at(p, after, false);
        disk += bytes_at(p, after, true);
    }
    out->memory = memory > (double)out->memory ? (int64_t)memory : out->memory;
    out->disk = disk > (double)out->disk ? (int64_t)disk : out->disk;
    if (start) {
        double seconds;
        enum lr_status rc = cost_before(&seconds, &skip, p, &start->value, 1, e);
        if (rc != LR_OK)
            return rc;
    }
    step->macs -= skip;
    out->macs += step->macs;
    return LR_OK;
}

/* What the passes hold besides what is kept, with the values that were chosen. */
static enum lr_status count_rest(struct session_calib *out, const struct planner *p,
                                 const int *states)
{
    const struct calib_job *j = p->j;

    for (int k = 0; k < out->n; k++) {
        const struct lr_layer *l = &j->s->layers[j->list[k]];
        int values[3], n = step_targets(values, p, k);
        int64_t area = (int64_t)l->out_h * l->out_w;
        int64_t rows = p->limits->n_images * (area > 10 || area < 1 ? 10 : area);
        int64_t held = rows * l->d * (int64_t)sizeof(float) * (n + 1), run = 0;
        if (out->steps[k].has_pass) {
            const struct point *q = point_of(p, states[k]);
            const struct point *kept = point_of(p, states[k + 1]);
            values[n++] = kept ? kept->value : values[0];
            run = session_run_bytes(p->g, q ? q->value : -1, values, n, 0);
        }
        int64_t solver = session_solver_bytes(l->d, rows);
        held += run > solver ? run : solver;
        out->rest = held > out->rest ? held : out->rest;
    }
    return LR_OK;
}

static enum lr_status choose(struct session_calib *out, struct planner *p,
                             struct lr_err *e)
{
    size_t n = (size_t)n_states(p), n_steps = (size_t)out->n;
    double *next = lr_calloc(n, sizeof(*next));
    int *states = lr_calloc(n_steps + 1, sizeof(*states)), best = 0;
    enum lr_status rc = LR_OK;

    p->cost = lr_calloc(n, sizeof(*p->cost));
    p->from = lr_calloc(n * n_steps + 1, sizeof(*p->from));
    if (!next || !states || !p->cost || !p->from) {
        rc = lr_enomem(e, n * n_steps * sizeof(*p->from), "a plan of the passes");
        goto out;
    }
    for (size_t i = 1; i < n; i++)
        p->cost[i] = INFINITY;
    for (int k = 0; k < out->n; k++)
        if (out->steps[k].has_pass)
            advance(p, next, k);
    for (int i = 1; i < (int)n; i++)
        best = p->cost[i] < p->cost[best] ? i : best;
    states[n_steps] = best;
    for (int k = out->n - 1; k >= 0; k--)
        states[k] = out->steps[k].has_pass
                        ? p->from[(size_t)k * n + (size_t)states[k + 1]]
                        : states[k + 1];
    for (int k = 0; rc == LR_OK && k < out->n; k++)
        if (out->steps[k].has_pass)
            rc = take(out, p, k, states[k], states[k + 1], e);
        else
            out->steps[k].macs = 0;
    if (rc == LR_OK)
        rc = count_rest(out, p, states);
out:
    lr_free(next);
    lr_free(states);
    return rc;
}

enum lr_status session_calib_plan(struct session_calib *out, const struct calib_job *j,
                                  const struct calib_limits *limits, struct lr_err *e)
{
    struct planner p = {.j = j, .limits = limits};
    size_t n = (size_t)j->n + 1;
    enum lr_status rc = LR_OK;

    *out = (struct session_calib){.n = j->n};
    out->steps = lr_calloc(n, sizeof(*out->steps));
    p.first = lr_calloc(n, sizeof(*p.first));
    p.input = lr_calloc(n, sizeof(*p.input));
    p.before = lr_calloc(n, sizeof(*p.before));
    if (!out->steps || !p.first || !p.input || !p.before)
        rc = lr_enomem(e, n * sizeof(*out->steps), "a plan of the passes");
    if (rc == LR_OK)
        rc = build(&p, e);
    if (rc == LR_OK)
        rc = find_points(&p, out, e);
    if (rc == LR_OK)
        rc = choose(out, &p, e);
    lr_graph_free(p.g);
    lr_free(p.first);
    lr_free(p.input);
    lr_free(p.before);
    lr_free(p.points);
    lr_free(p.cost);
    lr_free(p.from);
    if (rc != LR_OK)
        session_calib_free(out);
    return rc;
}
