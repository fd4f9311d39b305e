/* Memory of the passes, bounded from shapes alone: what is alive between the nodes as the
 * engine keeps it (channels in blocks, one copy more of what changes its layout), weights
 * packed for the processor, and the sums of the solvers. */
#include "session/calibrate.h"

#include <stdio.h>

#include "ranklab/engine.h"
#include "ranklab/spill.h"

#include "ranklab/mem.h"
#include "session/memory.h"

/* Bytes of v for so many images. */
static double value_bytes(const struct lr_graph *g, int v, double images)
{
    const struct lr_value *x = &g->values[v];
    double n = x->dtype == LR_DT_F32 ? 4 : 8;

    if (x->tensor || !x->has_shape)
        return 0;
    for (int i = 0; i < x->shape.n_dims; i++) {
        int64_t d = x->shape.dims[i];
        n *= d == -1 && i == 0                ? images
             : i == 1 && x->shape.n_dims == 4 ? (double)((d + 15) / 16 * 16)
                                              : (double)d;
    }
    return n;
}

/* Weights of a node, packed. Winograd's are transformed: 6 x 6 for 3 x 3. */
static double packed_bytes(const struct lr_graph *g, const struct lr_node *n)
{
    double bytes = 0;

    for (int i = 0; i < n->n_in; i++) {
        const struct lr_tensor *t = n->in[i] >= 0 ? g->values[n->in[i]].tensor : NULL;
        int64_t count = 0;
        if (t && lr_shape_count(&count, &t->shape, NULL) == LR_OK)
            bytes += 4 * (double)count * (n->op == LR_OP_CONV ? 6 : 2);
    }
    return bytes;
}

static bool is_part(const bool *mask, const struct lr_node *n, int from)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0 && n->out[i] != from && mask[n->out[i]])
            return true;
    return false;
}

/* Scratch memory of Winograd's method: inputs and outputs of a 3 x 3 convolution in tiles
 * of 6 x 6 for 4 x 4 outputs, padded at the borders. */
static double scratch_bytes(const struct lr_graph *g, const struct lr_node *n,
                            double images)
{
    double bytes = 0;

    if (g->convolution == 0 || g->convolution == LR_CONV_DIRECT || n->op != LR_OP_CONV)
        return 0;
    if (n->in[0] >= 0)
        bytes += value_bytes(g, n->in[0], images);
    if (n->out[0] >= 0)
        bytes += value_bytes(g, n->out[0], images);
    return 3 * bytes;
}

/* The most alive at a node, counting its inputs once more for a change of layout;
 * *weights and *largest (one value) are found on the way. last: by value, the last node
 * that reads it. */
static double most_alive(double *weights, double *largest, double *scratch,
                         const struct lr_graph *g, const bool *mask, const int *last,
                         int from, double images)
{
    double alive = 0, most = 0;

    for (int k = 0; k < g->n_nodes; k++) {
        const struct lr_node *n = &g->nodes[k];
        double inputs = 0;
        if (!is_part(mask, n, from))
            continue;
        *weights += packed_bytes(g, n);
        const double own = scratch_bytes(g, n, images);
        *scratch = own > *scratch ? own : *scratch;
        for (int i = 0; i < n->n_out; i++) {
            double bytes = n->out[i] >= 0 ? value_bytes(g, n->out[i], images) : 0;
            alive += bytes;
            *largest = bytes > *largest ? bytes : *largest;
        }
        for (int i = 0; i < n->n_in; i++)
            if (n->in[i] >= 0)
                inputs += value_bytes(g, n->in[i], images);
        most = alive + inputs > most ? alive + inputs : most;
        for (int i = 0; i < n->n_in; i++) {
            int v = n->in[i];
            bool is_first = v >= 0;
            for (int j = 0; j < i; j++)
                is_first = is_first && n->in[j] != v;
            if (is_first && last[v] == k && v != from && g->values[v].producer >= 0)
                alive -= value_bytes(g, v, images);
        }
    }
    return most;
}

int64_t session_run_bytes(const struct lr_graph *g, int from, const int *targets, int n,
                          int batch)
{
    size_t size = (size_t)g->n_values + 1;
    bool *mask = NULL;
    int *last = lr_calloc(size, sizeof(*last));
    double weights = 0, largest = 0, scratch = 0, most = 0, images;

    if (!last || session_upstream_in(&mask, g, targets, n, NULL) != LR_OK) {
        lr_free(last);
        return 0;
    }
    /* what is fed hides all before it */
    bool *part = lr_calloc(size, sizeof(*part));
    for (int i = 0; part && i < n; i++)
        part[targets[i]] = true;
    for (int k = g->n_nodes - 1; part && k >= 0; k--) {
        const struct lr_node *node = &g->nodes[k];
        for (int i = 0; is_part(part, node, from) && i < node->n_in; i++)
            if (node->in[i] >= 0) {
                part[node->in[i]] = true;
                last[node->in[i]] = k > last[node->in[i]] ? k : last[node->in[i]];
            }
    }
    if (part) {
        images = batch > 0 ? batch : lr_engine_part_batch(g, part, from);
        most = most_alive(&weights, &largest, &scratch, g, part, last, from, images);
        /* what is fed, padded to the batch and as it lies; what is handed over */
        most += 2 * value_bytes(g, from >= 0 ? from : g->inputs[0], images) + 2 * largest;
        most += weights + scratch + 0.1 * most;
    }
    lr_free(part);
    lr_free(mask);
    lr_free(last);
    return (int64_t)most;
}

int64_t session_solver_bytes(int d, int64_t n_rows)
{
    const int64_t sums = (int64_t)256 << 20, square = (int64_t)d * d;
    int64_t slots = 16 * 12 * square;

    /* whitened rows and a copy with shortcut; blocks; Gram matrices and their vectors */
    return 3 * n_rows * d * (int64_t)sizeof(float) + (slots < sums ? slots : sums) +
           (int64_t)64 * 1024 * d * 8 + 16 * square * (int64_t)sizeof(double);
}

/* Rows of the original that will be held while the layers are solved. */
static int64_t rows_to_come(const struct calib_job *j, int64_t n_images)
{
    const struct lr_session *s = j->s;
    int64_t bytes = 0;

    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_layer *l = &s->layers[i];
        int values[2], n = session_targets(values, l);
        if (!l->is_approximable || (l->kind == LR_LAYER_FC && !j->is_pending[i]))
            continue;
        int64_t area = (int64_t)l->out_h * l->out_w, n_pos = area < 10 ? area : 10;
        int64_t one = n_images * n_pos * l->d * (int64_t)sizeof(float);
        for (int k = 0; k < n; k++)
            bytes += session_rows(s, values[k]) ? 0 : one;
        bytes += j->is_pending[i] && j->next[i].ranks.spatial > 0 ? one : 0;
    }
    return bytes;
}

/* The pass over the original that samples all layers. */
static int64_t original_bytes(const struct calib_job *j)
{
    const struct lr_session *s = j->s;
    int *values = lr_calloc((size_t)s->n_layers + 1, sizeof(*values)), n = 0;
    int64_t bytes = 0;

    for (int i = 0; values && i < s->n_layers; i++)
        if (s->layers[i].is_approximable)
            values[n++] = s->layers[i].value;
    if (values && !s->spectra)
        bytes = session_run_bytes(s->graph, -1, values, n, 0);
    lr_free(values);
    return bytes;
}

/* The responses of the largest layer, without which none can be solved. */
static int64_t least(const struct calib_job *j, int64_t n_images)
{
    int64_t most = 0;

    for (int k = 0; k < j->n; k++) {
        const struct lr_layer *l = &j->s->layers[j->list[k]];
        int64_t area = (int64_t)l->out_h * l->out_w, n_pos = area < 10 ? area : 10;
        int64_t bytes = n_images * n_pos * l->d * (int64_t)sizeof(float);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* The new filters, as they are, in the plan and in the step that undoes it. */
static int64_t factor_bytes(const struct calib_job *j)
{
    int64_t bytes = 0;

    for (int k = 0; k < j->n; k++)
        bytes += j->s->layers[j->list[k]].params * 2 * (int64_t)sizeof(float);
    return bytes;
}

static void state(const struct session_calib *c, const struct calib_job *j,
                  int64_t n_images)
{
    const struct lr_session *s = j->s;
    int n_passes = 0, n_kept = 0;

    for (int k = 0; k < c->n; k++) {
        n_passes += c->steps[k].has_pass;
        n_kept += c->steps[k].keep != NULL;
    }
    if (!session_is_much(c->bound) && c->disk == 0)
        return;
    lr_note(
        &s->notes, LR_NOTE_INFO,
        "%d layer%s, %lld images: %d passes of %.2f GMAC an image together, "
        "activations kept %d times, at most %.2f GB in memory and %.2f GB on disk; the "
        "program will hold at most %.2f GB",
        c->n, c->n == 1 ? "" : "s", (long long)n_images, n_passes, c->macs / 1e9, n_kept,
        (double)c->memory / 1e9, (double)c->disk / 1e9, (double)c->bound / 1e9);
}

enum lr_status session_calib_state(struct session_calib *out, const struct calib_job *j,
                                   struct lr_err *e)
{
    const struct lr_session *s = j->s;
    int64_t n_images = lr_dataset_count(s->calib), room = lr_spill_room();
    struct calib_limits limits = {.memory = s->settings.cache_memory,
                                  .disk = s->settings.cache_disk,
                                  .n_images = n_images};
    const int64_t most = (int64_t)lr_mem_limit(), held = (int64_t)lr_mem_held();
    enum lr_status rc;
    int64_t original = original_bytes(j);
    int64_t rows = rows_to_come(j, n_images) + factor_bytes(j);

    if (room < limits.disk)
        limits.disk = room;
    if ((rc = session_refuse("solving", rows + least(j, n_images), "use fewer images",
                             e)) != LR_OK ||
        (rc = session_calib_plan(out, j, &limits, e)) != LR_OK)
        return rc;
    int64_t rest = out->rest > original ? out->rest : original;
    /* Where memory is limited, what is kept has to do with what the work leaves. */
    int64_t left = most - held - rows - rest;
    if (most > 0 && out->memory > left) {
        session_calib_free(out);
        limits.memory = left > 0 ? left : 0;
        if ((rc = session_calib_plan(out, j, &limits, e)) != LR_OK)
            return rc;
        rest = out->rest > original ? out->rest : original;
    }
    out->bound = held + rows + rest + out->memory + SESSION_LIBRARY_BYTES +
                 session_pictures_bytes(s->calib);
    state(out, j, n_images);
    return LR_OK;
}
