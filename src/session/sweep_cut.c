/* Activations before one layer. Whatever a network with only that layer changed computes
 * differently lies behind the layer; all that this part reads from outside of it (the
 * layer's own input, and in networks with additions the other branches) is the same as in
 * the original, for every rank. It is computed once, from the images or from the
 * activations kept for an earlier layer, and kept as far as memory allows. */
#include "session/sweep_internal.h"

#include <string.h>

#include "ranklab/mem.h"

static bool is_any(const bool *mask, const int *values, int n)
{
    for (int i = 0; i < n; i++)
        if (values[i] >= 0 && mask[values[i]])
            return true;
    return false;
}

/* mask: what is known to be so already; everything computed from it becomes so too. */
static void spread(bool *mask, const struct lr_graph *g)
{
    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *node = &g->nodes[k];
        if (!is_any(mask, node->in, node->n_in))
            continue;
        for (int i = 0; i < node->n_out; i++)
            if (node->out[i] >= 0)
                mask[node->out[i]] = true;
    }
}

/* Elements of v an image; 0: it cannot be fed. Images are fed as reals, whatever the
 * type of the input. */
static size_t elements(const struct lr_graph *g, int v)
{
    const struct lr_value *x = &g->values[v];
    struct lr_shape shape = x->shape;
    int64_t n = 0, batch = g->is_batch_fixed ? 1 : -1;

    if (!x->has_shape || (x->dtype != LR_DT_F32 && v != g->inputs[0]) ||
        shape.n_dims < 2 || shape.dims[0] != batch)
        return 0;
    shape.dims[0] = 1;
    return lr_shape_count(&n, &shape, NULL) == LR_OK && n > 0 ? (size_t)n : 0;
}

static void add_value(struct sweep_cut *c, int v)
{
    for (int i = 0; i < c->n; i++)
        if (c->values[i] == v)
            return;
    c->values[c->n++] = v;
}

/* The values; when one of them cannot be fed, the images themselves. */
static enum lr_status find_values(struct sweep_cut *c, int layer, struct lr_err *e)
{
    const struct lr_graph *g = c->s->graph;
    size_t n_values = (size_t)g->n_values + 1;
    int own = g->values[c->s->layers[layer].value].producer;
    int output = g->outputs[0];
    bool *from_image = lr_calloc(n_values, sizeof(bool)), *needed = NULL;
    bool *behind = lr_calloc(n_values, sizeof(bool)), is_fit = true;
    enum lr_status rc;

    c->values = lr_calloc(n_values, sizeof(*c->values));
    if (!from_image || !behind || !c->values) {
        rc = lr_enomem(e, n_values * sizeof(*c->values), "a set of values");
        goto out;
    }
    if ((rc = session_upstream(&needed, c->s, &output, 1, e)) != LR_OK)
        goto out;
    from_image[g->inputs[0]] = true;
    spread(from_image, g);
    behind[c->s->layers[layer].value] = true;
    spread(behind, g);
    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *node = &g->nodes[k];
        if (k != own && !is_any(behind, node->in, node->n_in))
            continue;
        if (!is_any(needed, node->out, node->n_out))
            continue;
        /* A layer may be more than the node that gives its response. */
        const int *in = k == own ? &c->s->layers[layer].input : node->in;
        int n_in = k == own ? 1 : node->n_in;
        for (int i = 0; i < n_in; i++) {
            int v = in[i];
            if (v < 0 || behind[v] || !from_image[v] || g->values[v].tensor)
                continue;
            is_fit = is_fit && elements(g, v) > 0;
            add_value(c, v);
        }
    }
    if (!is_fit || c->n == 0) {
        c->n = 0;
        add_value(c, g->inputs[0]);
    }
    c->per_image = lr_calloc((size_t)c->n, sizeof(*c->per_image));
    if (!c->per_image) {
        rc = lr_enomem(e, (size_t)c->n * sizeof(*c->per_image), "a set of values");
        goto out;
    }
    for (int i = 0; i < c->n; i++)
        c->per_image[i] = elements(g, c->values[i]);
    if (c->per_image[0] == 0)
        rc = lr_err_set(e, LR_ESHAPE, "the size of input %s is not known",
                        g->values[g->inputs[0]].name);
out:
    lr_free(from_image);
    lr_free(behind);
    lr_free(needed);
    return rc;
}

static bool is_images(const struct sweep_cut *c)
{
    return c->n == 1 && c->values[0] == c->s->graph->inputs[0];
}

double sweep_cut_bytes(const struct sweep_cut *c)
{
    double bytes = 0;

    for (int i = 0; i < c->n; i++)
        bytes += (double)c->n_images * (double)c->per_image[i] * sizeof(float);
    return bytes;
}

double sweep_cut_used(const struct sweep_cut *c)
{
    return sweep_cut_bytes(c) * (double)c->n_used / (double)c->n_images;
}

static enum lr_status compile(struct lr_net **out, const struct sweep_cut *c,
                              const int *inputs, int n_inputs, struct lr_err *e)
{
    struct lr_net_output *outputs = lr_calloc((size_t)c->n, sizeof(*outputs));
    struct lr_net_opts o = {.batch = c->batch,
                            .inputs = inputs,
                            .n_inputs = n_inputs,
                            .outputs = outputs,
                            .n_outputs = c->n};

    if (!outputs)
        return lr_enomem(e, (size_t)c->n * sizeof(*outputs), "outputs");
    for (int i = 0; i < c->n; i++)
        outputs[i] = (struct lr_net_output){c->values[i], LR_NCHW};
    enum lr_status rc = lr_net_compile(out, c->s->graph, &o, e);
    lr_free(outputs);
    return rc;
}

/* Values of the other cut that are needed are fed: nothing before them is. */
static void take_from_other(struct sweep_cut *c, bool *needed)
{
    for (int i = 0; i < c->other->n; i++) {
        int v = c->other->values[i];
        bool is_taken = false;
        if (!needed[v])
            continue;
        needed[v] = false;
        for (int k = 0; k < c->n_other_inputs; k++)
            is_taken = is_taken || c->other_inputs[k] == i;
        if (!is_taken)
            c->other_inputs[c->n_other_inputs++] = i;
    }
}

/* Which values of the other cut ours can be computed from; none when they cannot. */
static enum lr_status find_other(struct sweep_cut *c, struct lr_err *e)
{
    const struct lr_graph *g = c->s->graph;
    const struct sweep_cut *other = c->other;
    bool *needed = lr_calloc((size_t)g->n_values + 1, sizeof(bool)), is_there = true;

    c->other_inputs = lr_calloc((size_t)other->n, sizeof(*c->other_inputs));
    if (!needed || !c->other_inputs) {
        lr_free(needed);
        return lr_enomem(e, (size_t)g->n_values, "a set of values");
    }
    for (int i = 0; i < c->n; i++)
        needed[c->values[i]] = true;
    take_from_other(c, needed);
    for (int k = g->n_nodes - 1; k >= 0; k--) {
        const struct lr_node *node = &g->nodes[k];
        if (!is_any(needed, node->out, node->n_out))
            continue;
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0)
                needed[node->in[i]] = true;
        take_from_other(c, needed);
    }
    for (int i = 0; i < g->n_inputs; i++)
        is_there = is_there && !needed[g->inputs[i]];
    if (!is_there)
        c->n_other_inputs = 0;
    lr_free(needed);
    return LR_OK;
}

static enum lr_status allocate(struct sweep_cut *c, struct lr_err *e)
{
    size_t n = (size_t)c->n, slots = (size_t)c->n_slots, batch = (size_t)c->batch;
    size_t n_other = c->other ? (size_t)c->other->n : 0;

    c->x = lr_calloc(n, sizeof(*c->x));
    c->gathered = lr_calloc(n, sizeof(*c->gathered));
    c->given = lr_calloc(n, sizeof(*c->given));
    c->slot = lr_alloc((size_t)c->n_images, sizeof(*c->slot));
    c->fed = lr_calloc(n_other + 1, sizeof(*c->fed));
    c->images = lr_alloc(batch * c->image_size, sizeof(float));
    if (!c->x || !c->gathered || !c->given || !c->slot || !c->fed || !c->images)
        return lr_enomem(e, batch * c->image_size * sizeof(float), "images");
    for (int64_t i = 0; i < c->n_images; i++)
        c->slot[i] = -1;
    for (size_t i = 0; i < n; i++) {
        /* Pages of a large block cost nothing until they are written. */
        c->x[i] = lr_alloc(slots, c->per_image[i] * sizeof(float));
        c->gathered[i] = lr_alloc(batch, c->per_image[i] * sizeof(float));
        if (!c->x[i] || !c->gathered[i])
            return lr_enomem(e, slots * c->per_image[i] * sizeof(float), "activations");
    }
    return LR_OK;
}

enum lr_status sweep_cut_init(struct sweep_cut *c, const struct lr_session *s, int layer,
                              int64_t n_images, struct lr_err *e)
{
    enum lr_status rc;

    *c = (struct sweep_cut){.s = s, .n_images = n_images};
    c->batch = lr_engine_good_batch(s->graph);
    if (c->batch > n_images)
        c->batch = (int)n_images;
    if ((rc = find_values(c, layer, e)) != LR_OK)
        return rc;
    c->image_size = elements(s->graph, s->graph->inputs[0]);
    return LR_OK;
}

enum lr_status sweep_cut_open(struct sweep_cut *c, int64_t n_slots,
                              struct sweep_cut *other, struct lr_err *e)
{
    int input = c->s->graph->inputs[0];
    enum lr_status rc = LR_OK;

    c->n_slots = n_slots < c->n_images ? n_slots : c->n_images;
    c->other = other;
    if (c->n_slots < 0)
        c->n_slots = 0;
    if (is_images(c))
        c->other = NULL;
    else
        rc = compile(&c->from_images, c, &input, 1, e);
    if (rc == LR_OK && c->other)
        rc = find_other(c, e);
    if (rc == LR_OK && c->n_other_inputs > 0) {
        int *inputs = lr_calloc((size_t)c->n_other_inputs, sizeof(*inputs));
        if (!inputs)
            return lr_enomem(e, (size_t)c->n_other_inputs * sizeof(*inputs), "inputs");
        for (int i = 0; i < c->n_other_inputs; i++)
            inputs[i] = other->values[c->other_inputs[i]];
        rc = compile(&c->from_other, c, inputs, c->n_other_inputs, e);
        lr_free(inputs);
    }
    return rc == LR_OK ? allocate(c, e) : rc;
}

void sweep_cut_detach(struct sweep_cut *c)
{
    lr_net_free(c->from_other);
    c->from_other = NULL;
    c->other = NULL;
    c->n_other_inputs = 0;
}

void sweep_cut_free(struct sweep_cut *c)
{
    for (int i = 0; i < c->n; i++) {
        if (c->x)
            lr_free(c->x[i]);
        if (c->gathered)
            lr_free(c->gathered[i]);
    }
    lr_net_free(c->from_images);
    lr_net_free(c->from_other);
    lr_free(c->values);
    lr_free(c->per_image);
    lr_free(c->x);
    lr_free(c->gathered);
    lr_free(c->given);
    lr_free(c->slot);
    lr_free(c->other_inputs);
    lr_free(c->fed);
    lr_free(c->images);
    *c = (struct sweep_cut){0};
}

/* Copies what is kept of n images into gathered; those not kept are left as they are. */
static void gather(const struct sweep_cut *c, const int64_t *images, int n)
{
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < n; k++)
            if (c->slot[images[k]] >= 0)
                memcpy(c->gathered[i] + (size_t)k * c->per_image[i],
                       c->x[i] + (size_t)c->slot[images[k]] * c->per_image[i],
                       c->per_image[i] * sizeof(float));
}

/* The places of n consecutive slots that hold the images, or -1. */
static int64_t in_a_row(const struct sweep_cut *c, const int64_t *images, int n)
{
    for (int k = 0; k < n; k++)
        if (c->slot[images[k]] < 0 || c->slot[images[k]] != c->slot[images[0]] + k)
            return -1;
    return c->slot[images[0]];
}

/* c->given: the values of n images, all of which are kept. */
static void give_kept(struct sweep_cut *c, const int64_t *images, int n)
{
    int64_t first = in_a_row(c, images, n);

    if (first < 0)
        gather(c, images, n);
    for (int i = 0; i < c->n; i++)
        c->given[i] =
            first < 0 ? c->gathered[i] : c->x[i] + (size_t)first * c->per_image[i];
}

static enum lr_status read_images(struct sweep_cut *c, const int64_t *images, int n,
                                  struct lr_err *e)
{
    enum lr_status rc = LR_OK;

    for (int k = 0, end; k < n && rc == LR_OK; k = end) {
        for (end = k + 1; end < n && images[end] == images[end - 1] + 1;)
            end++;
        rc = lr_dataset_batch(c->s->eval, images[k], end - k,
                              c->images + (size_t)k * c->image_size, e);
    }
    return rc;
}

/* Computes the values of at most a batch of images, all from one source; (*out)[i]:
 * values[i], borrowed. */
static enum lr_status compute(const float **out, struct sweep_cut *c,
                              const int64_t *images, int n, bool is_from_other,
                              struct lr_err *e)
{
    struct lr_net *net = is_from_other ? c->from_other : c->from_images;
    enum lr_status rc;

    if (is_from_other) {
        give_kept(c->other, images, n);
        for (int i = 0; i < c->n_other_inputs; i++)
            c->fed[i] = c->other->given[c->other_inputs[i]];
    } else {
        if ((rc = read_images(c, images, n, e)) != LR_OK)
            return rc;
        c->fed[0] = c->images;
    }
    if (!net) {
        out[0] = c->fed[0];
        return LR_OK;
    }
    if ((rc = lr_net_run(net, n, c->fed, e)) != LR_OK)
        return rc;
    for (int i = 0; i < c->n; i++)
        out[i] = lr_net_output(net, i, NULL);
    return LR_OK;
}

static bool is_in_other(const struct sweep_cut *c, int64_t image)
{
    return c->from_other && c->other->slot[image] >= 0;
}

/* Computes a batch and stores it: in slots as long as there are any, and where places are
 * given (NULL: none) in those rows of gathered. */
static enum lr_status compute_batch(struct sweep_cut *c, const int64_t *images,
                                    const int *places, int n, bool is_from_other,
                                    struct lr_err *e)
{
    const float **out = c->given; /* free until something is given */
    enum lr_status rc = compute(out, c, images, n, is_from_other, e);

    for (int k = 0; rc == LR_OK && k < n; k++) {
        int64_t slot = c->n_used < c->n_slots ? c->n_used++ : -1;
        /* In the order of the images where there is room for all: a batch in that order
         * needs no gathering. */
        if (c->n_slots == c->n_images)
            slot = images[k];
        for (int i = 0; i < c->n; i++) {
            size_t each = c->per_image[i];
            const float *x = out[i] + (size_t)k * each;
            if (slot >= 0)
                memcpy(c->x[i] + (size_t)slot * each, x, each * sizeof(float));
            if (places)
                memcpy(c->gathered[i] + (size_t)places[k] * each, x,
                       each * sizeof(float));
        }
        c->slot[images[k]] = slot;
    }
    return rc;
}

enum lr_status sweep_cut_fill(struct sweep_cut *c, const int64_t *images, int64_t n,
                              struct lr_err *e)
{
    int64_t *missing = lr_alloc((size_t)c->batch, sizeof(*missing));
    enum lr_status rc = LR_OK;

    if (!missing)
        return lr_enomem(e, (size_t)c->batch * sizeof(*missing), "a list of images");
    for (int source = 0; source < 2; source++) {
        int n_missing = 0;
        for (int64_t i = 0; rc == LR_OK && i <= n; i++) {
            if (i < n && c->slot[images[i]] < 0 &&
                is_in_other(c, images[i]) == (source > 0))
                missing[n_missing++] = images[i];
            if (n_missing == 0 || (i < n && n_missing < c->batch))
                continue;
            if (c->n_used + n_missing > c->n_slots && c->n_slots < c->n_images)
                break; /* no room: computed when it is asked for */
            rc = compute_batch(c, missing, NULL, n_missing, source > 0, e);
            n_missing = 0;
        }
    }
    lr_free(missing);
    return rc;
}

enum lr_status sweep_cut_get(const float *const **x, struct sweep_cut *c,
                             const int64_t *images, int n, struct lr_err *e)
{
    int64_t *missing = lr_alloc((size_t)c->batch, sizeof(*missing));
    int *places = lr_alloc((size_t)c->batch, sizeof(*places));
    int n_all = 0;
    enum lr_status rc = LR_OK;

    *x = c->given;
    if (!missing || !places) {
        rc = lr_enomem(e, (size_t)c->batch * sizeof(*missing), "a list of images");
        goto out;
    }
    for (int source = 0; source < 2 && rc == LR_OK; source++) {
        int n_missing = 0;
        for (int k = 0; k < n; k++)
            if (c->slot[images[k]] < 0 && is_in_other(c, images[k]) == (source > 0)) {
                places[n_missing] = k;
                missing[n_missing++] = images[k];
            }
        n_all += n_missing;
        if (n_missing == n && c->n_slots == 0) {
            rc = compute(c->given, c, images, n, source > 0, e);
            goto out;
        }
        if (n_missing > 0)
            rc = compute_batch(c, missing, places, n_missing, source > 0, e);
    }
    if (rc != LR_OK)
        goto out;
    if (n_all > 0) {
        /* Computed ones are in place already, kept or not. */
        gather(c, images, n);
        for (int i = 0; i < c->n; i++)
            c->given[i] = c->gathered[i];
    } else {
        give_kept(c, images, n);
    }
out:
    lr_free(missing);
    lr_free(places);
    return rc;
}
