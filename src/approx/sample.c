/* Sampling responses of a whole network at random positions of every image.
 * A pass reads the images, or activations kept of an earlier pass where a network shares
 * its beginning with the one before. */
#include "ranklab/approx.h"

#include <string.h>
#include <unistd.h>

#include "approx/draw.h"
#include "approx/patch.h"
#include "ranklab/engine.h"
#include "ranklab/mem.h"

void lr_rows_free(struct lr_rows *r)
{
    if (!r)
        return;
    lr_free(r->x);
    *r = (struct lr_rows){0};
}

/* Where the rows of one value come from. */
struct source {
    int64_t d, h, w;
    int n_pos;
    struct lr_rows *rows;
    struct lr_patches *patches; /* of the convolution's input; NULL: the value itself */
    int tap; /* output of the net that is gathered from; -1: what is fed */
};

struct pass {
    const struct lr_graph *g;
    const struct lr_sampling *opts;
    const struct lr_kept *from;
    struct lr_kept *keep;
    int fed; /* the value that is fed */
    int n_sources;
    struct source *sources;
    int *taps; /* distinct values the net gives out, channels last */
    int n_taps;
    int64_t *place, *pos;
    struct lr_net *net;
    float *images; /* one batch of what is fed, unless it is kept in memory */
    int batch;
    int64_t first, n;      /* images of the batch that runs */
    enum lr_status status; /* of the taps, whose caller does not ask */
    struct lr_err err;
};

static enum lr_status value_dims(int64_t *d, int64_t *h, int64_t *w,
                                 const struct lr_graph *g, int v, struct lr_err *e)
{
    char text[8 * 21];

    if (v < 0 || v >= g->n_values)
        return lr_err_set(e, LR_EINVAL, "value %d is not in the network", v);
    const struct lr_value *x = &g->values[v];
    if (!x->has_shape)
        return lr_err_set(e, LR_ESHAPE, "%s: its shape is not known", x->name);
    bool is_map = x->shape.n_dims == 4, is_usable = is_map || x->shape.n_dims == 2;
    for (int i = 1; i < x->shape.n_dims; i++)
        is_usable &= x->shape.dims[i] >= 1 && x->shape.dims[i] <= INT32_MAX;
    if (!is_usable)
        return lr_err_set(e, LR_ESHAPE,
                          "%s: shape %s, but batch x channels (x h x w) is needed",
                          x->name, lr_shape_text(text, sizeof(text), &x->shape));
    *d = x->shape.dims[1];
    *h = is_map ? x->shape.dims[2] : 1;
    *w = is_map ? x->shape.dims[3] : 1;
    return LR_OK;
}

/* Elements per image; the batch is dimension 0. */
static enum lr_status per_image_count(size_t *count, const struct lr_graph *g, int v,
                                      struct lr_err *e)
{
    const struct lr_value *x = &g->values[v];
    struct lr_shape shape = x->shape;
    int64_t n = 0;

    if (!x->has_shape || shape.n_dims < 1)
        return lr_err_set(e, LR_ESHAPE, "%s: its shape is not known", x->name);
    shape.dims[0] = 1;
    enum lr_status rc = lr_shape_count(&n, &shape, e);
    if (rc != LR_OK)
        return rc;
    *count = (size_t)n;
    return LR_OK;
}

/* Refuses what cannot fit: with overcommitted memory the allocation itself would succeed
 * and the process would be killed later. */
static enum lr_status check_memory(double bytes, const char *what, struct lr_err *e)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

    if (pages > 0 && size > 0 && bytes > (double)pages * (double)size)
        return lr_err_set(e, LR_ENOMEM,
                          "out of memory (%.0f bytes for %s): use fewer images", bytes,
                          what);
    return LR_OK;
}

static enum lr_status plan_rows(struct pass *p, struct lr_rows *rows, const int *values,
                                int64_t n_images, struct lr_err *e)
{
    const struct lr_sampling *opts = p->opts;
    double bytes = 0;
    int max_pos = 1;
    enum lr_status rc;

    for (int i = 0; i < p->n_sources; i++) {
        struct source *s = &p->sources[i];
        if ((rc = value_dims(&s->d, &s->h, &s->w, p->g, values[i], e)) != LR_OK)
            return rc;
        int64_t area = s->h * s->w;
        s->n_pos = area < opts->n_positions ? (int)area : opts->n_positions;
        s->rows = &rows[i];
        if (s->n_pos > max_pos)
            max_pos = s->n_pos;
        bytes += (double)n_images * s->n_pos * (double)s->d * sizeof(float);
    }
    if ((rc = check_memory(bytes, "responses", e)) != LR_OK)
        return rc;
    for (int i = 0; i < p->n_sources; i++) {
        const struct source *s = &p->sources[i];
        rows[i].value = values[i];
        rows[i].d = (int)s->d;
        rows[i].n = (size_t)n_images * (size_t)s->n_pos;
        rows[i].x = lr_alloc(rows[i].n, (size_t)s->d * sizeof(float));
        if (!rows[i].x)
            return lr_enomem(e, rows[i].n * (size_t)s->d * sizeof(float), "responses");
    }
    p->pos = lr_alloc((size_t)max_pos, sizeof(*p->pos));
    return p->pos ? LR_OK : lr_enomem(e, (size_t)max_pos * sizeof(*p->pos), "positions");
}

/* mask: values wanted; everything they are computed from becomes so too, up to what is
 * fed. */
static void spread_up(bool *mask, const struct pass *p)
{
    const struct lr_graph *g = p->g;

    for (int k = g->n_nodes - 1; k >= 0; k--) {
        const struct lr_node *node = &g->nodes[k];
        bool is_needed = false;
        for (int i = 0; i < node->n_out; i++)
            is_needed |=
                node->out[i] >= 0 && mask[node->out[i]] && node->out[i] != p->fed;
        for (int i = 0; is_needed && i < node->n_in; i++)
            if (node->in[i] >= 0)
                mask[node->in[i]] = true;
    }
}

/* Whole maps of a convolution are not worth computing for a few positions, unless
 * something else reads them. */
static bool is_sparse(const struct pass *p, const struct source *s, int v)
{
    return v != p->fed && s->h * s->w >= LR_SPARSE_AREA * (int64_t)s->n_pos &&
           lr_patches_can(p->g, v);
}

static void add_tap(struct pass *p, struct source *s, int v)
{
    for (int k = 0; k < p->n_taps; k++)
        if (p->taps[k] == v)
            s->tap = k;
    if (s->tap < 0) {
        s->tap = p->n_taps;
        p->taps[p->n_taps++] = v;
    }
}

/* Chooses for each value between the map and patches of its input. mask ends as the
 * values that are computed. */
static enum lr_status plan_taps(struct pass *p, const int *values, bool *mask,
                                struct lr_err *e)
{
    const struct lr_graph *g = p->g;
    enum lr_status rc;

    for (int i = 0; i < p->n_sources; i++) {
        bool is_patched = is_sparse(p, &p->sources[i], values[i]);
        mask[is_patched ? g->nodes[g->values[values[i]].producer].in[0] : values[i]] =
            true;
    }
    if (p->keep)
        mask[p->keep->value] = true;
    spread_up(mask, p);
    for (int i = 0; i < p->n_sources; i++) {
        struct source *s = &p->sources[i];
        s->tap = -1;
        if (values[i] == p->fed)
            continue;
        if (mask[values[i]]) {
            add_tap(p, s, values[i]);
            continue;
        }
        if ((rc = lr_patches_new(&s->patches, g, values[i], e)) != LR_OK)
            return rc;
        add_tap(p, s, g->nodes[g->values[values[i]].producer].in[0]);
    }
    return LR_OK;
}

/* Rows of the images that run, of one value. x: their activations, channels last but for
 * those that are fed. */
static enum lr_status gather(struct pass *p, const struct source *s, const float *x,
                             size_t per_image, struct lr_err *e)
{
    size_t d = (size_t)s->d, area = (size_t)(s->h * s->w);
    enum lr_status rc = LR_OK;

    for (int64_t i = 0; rc == LR_OK && i < p->n; i++, x += per_image) {
        float *row = s->rows->x + (size_t)p->place[p->first + i] * (size_t)s->n_pos * d;
        lr_draw_positions(p->pos, s->n_pos, s->h, s->w, p->opts->seed, p->first + i);
        for (int k = 0; rc == LR_OK && k < s->n_pos; k++, row += d) {
            size_t pos = (size_t)p->pos[k];
            if (s->patches)
                rc = lr_patches_add(s->patches, x, p->pos[k], row, e);
            else if (s->tap >= 0)
                memcpy(row, x + pos * d, d * sizeof(*row));
            else
                for (size_t c = 0; c < d; c++)
                    row[c] = x[c * area + pos];
        }
    }
    return rc;
}

static void take_tap(void *ctx, int output, const float *x)
{
    struct pass *p = ctx;
    size_t per_image = 0;

    if (p->status != LR_OK)
        return;
    if (output == p->n_taps) {
        p->status = lr_kept_put(p->keep, p->first, p->n, x, &p->err);
        return;
    }
    p->status = per_image_count(&per_image, p->g, p->taps[output], &p->err);
    for (int i = 0; p->status == LR_OK && i < p->n_sources; i++)
        if (p->sources[i].tap == output)
            p->status = gather(p, &p->sources[i], x, per_image, &p->err);
}

/* Compiles, and makes room for a batch of what goes in where it is not kept in memory;
 * for fewer images at a time where memory does not allow as many. */
static enum lr_status compile(struct pass *p, const bool *mask, int64_t n_images,
                              size_t per_image, struct lr_err *e)
{
    struct lr_net_output *outputs = lr_calloc((size_t)p->n_taps + 1, sizeof(*outputs));
    struct lr_net_opts o = {.outputs = outputs, .tap = take_tap, .tap_ctx = p};
    enum lr_status rc = LR_OK;
    const size_t refused = lr_mem_refused();

    p->batch = lr_engine_part_batch(p->g, mask, p->from ? p->fed : -1);
    if (p->batch > n_images)
        p->batch = (int)n_images;
    if (!outputs)
        return lr_enomem(e, sizeof(*outputs), "outputs");
    for (int i = 0; i < p->n_taps; i++)
        outputs[i] = (struct lr_net_output){
            p->taps[i], p->g->values[p->taps[i]].shape.n_dims == 4 ? LR_NHWC : LR_NCHW};
    o.n_outputs = p->n_taps;
    if (p->keep)
        outputs[o.n_outputs++] = (struct lr_net_output){p->keep->value, LR_NCHW};
    if (p->from) {
        o.inputs = &p->fed;
        o.n_inputs = 1;
    }
    bool needs_images = !p->from || p->from->file;
    for (;; p->batch = (p->batch + 1) / 2) {
        size_t n = (size_t)p->batch * per_image;
        o.batch = p->batch;
        rc = o.n_outputs > 0 ? lr_net_compile(&p->net, p->g, &o, e) : LR_OK;
        p->images = rc == LR_OK && needs_images ? lr_alloc(n, sizeof(float)) : NULL;
        if (rc == LR_OK && needs_images && !p->images)
            rc = lr_enomem(e, n * sizeof(float), "images");
        if (rc != LR_ENOMEM || p->batch == 1)
            break;
        lr_net_free(p->net);
        p->net = NULL;
    }
    if (rc == LR_OK)
        lr_mem_forget_refused(refused);
    lr_free(outputs);
    return rc;
}

static int64_t count_images(const struct lr_dataset *data, const struct lr_sampling *opts)
{
    int64_t n = lr_dataset_count(data);

    return opts->max_images > 0 && opts->max_images < n ? opts->max_images : n;
}

static enum lr_status run_batch(struct pass *p, const struct lr_dataset *data,
                                size_t per_image, struct lr_err *e)
{
    const float *fed = p->images;
    enum lr_status rc = p->from ? lr_kept_get(&fed, p->from, p->first, p->n, p->images, e)
                                : lr_dataset_batch(data, p->first, p->n, p->images, e);

    if (rc == LR_OK && p->net)
        rc = lr_net_run(p->net, (int)p->n, &fed, e);
    if (rc == LR_OK && p->status != LR_OK) {
        *e = p->err;
        rc = p->status;
    }
    for (int i = 0; rc == LR_OK && i < p->n_sources; i++)
        if (p->sources[i].tap < 0)
            rc = gather(p, &p->sources[i], fed, per_image, e);
    return rc;
}

static enum lr_status run_batches(struct pass *p, const struct lr_dataset *data,
                                  size_t per_image, int64_t n_images,
                                  const struct lr_progress *progress, struct lr_err *e)
{
    enum lr_status rc;

    for (p->first = 0; p->first < n_images; p->first += p->batch) {
        p->n = n_images - p->first < p->batch ? n_images - p->first : p->batch;
        rc = lr_progress_tick(progress, (double)p->first / (double)n_images,
                              "sampling responses", e);
        if (rc != LR_OK || (rc = run_batch(p, data, per_image, e)) != LR_OK)
            return rc;
    }
    for (int i = 0; i < p->n_sources; i++) {
        const struct source *s = &p->sources[i];
        if (s->patches && (rc = lr_patches_flush(s->patches, e)) != LR_OK)
            return rc;
        if (!lr_all_finite(s->rows->x, s->rows->n * (size_t)s->rows->d))
            return lr_err_set(e, LR_ENUMERIC, "%s: a response is NaN or infinite",
                              p->g->values[s->rows->value].name);
    }
    return lr_progress_tick(progress, 1, "sampling responses", e);
}

static void pass_free(struct pass *p)
{
    for (int i = 0; p->sources && i < p->n_sources; i++)
        lr_patches_free(p->sources[i].patches);
    lr_net_free(p->net);
    lr_free(p->images);
    lr_free(p->sources);
    lr_free(p->taps);
    lr_free(p->place);
    lr_free(p->pos);
}

enum lr_status lr_sample_pass(struct lr_rows *rows, const int *values, int n_values,
                              const struct lr_graph *g, const struct lr_dataset *data,
                              const struct lr_kept *from, struct lr_kept *keep,
                              const struct lr_sampling *opts,
                              const struct lr_progress *progress, struct lr_err *e)
{
    int64_t n_images = count_images(data, opts);
    struct pass p = {
        .g = g, .opts = opts, .from = from, .keep = keep, .n_sources = n_values};
    size_t per_image = 0, per_kept = 0;
    bool *mask = NULL;
    enum lr_status rc = LR_OK;

    for (int i = 0; i < n_values; i++)
        rows[i] = (struct lr_rows){0};
    if (keep) {
        keep->x = NULL;
        keep->file = NULL;
    }
    if (g->n_inputs != 1)
        return lr_err_set(e, LR_EUNSUP,
                          "the network has %d inputs, only one is supported",
                          g->n_inputs);
    if (opts->n_positions < 1 || n_images < 1)
        return lr_err_set(e, LR_EINVAL, "no images or no positions to sample");
    p.fed = from ? from->value : g->inputs[0];
    p.sources = lr_calloc((size_t)n_values + 1, sizeof(*p.sources));
    p.taps = lr_calloc((size_t)n_values + 1, sizeof(*p.taps));
    p.place = lr_draw_order(n_images, opts->seed);
    mask = lr_calloc((size_t)g->n_values + 1, sizeof(*mask));
    if (!p.sources || !p.taps || !p.place || !mask) {
        rc = lr_enomem(e, (size_t)n_images * sizeof(int64_t), "the order of images");
        goto out;
    }
    if ((rc = plan_rows(&p, rows, values, n_images, e)) != LR_OK ||
        (rc = plan_taps(&p, values, mask, e)) != LR_OK ||
        (rc = per_image_count(&per_image, g, p.fed, e)) != LR_OK ||
        (keep && (rc = per_image_count(&per_kept, g, keep->value, e)) != LR_OK) ||
        (keep && (rc = lr_kept_make_room(keep, n_images, per_kept, e)) != LR_OK) ||
        (rc = compile(&p, mask, n_images, per_image, e)) != LR_OK)
        goto out;
    rc = run_batches(&p, data, per_image, n_images, progress, e);
out:
    if (rc != LR_OK) {
        for (int i = 0; i < n_values; i++)
            lr_rows_free(&rows[i]);
        if (keep)
            lr_kept_free(keep);
    }
    lr_free(mask);
    pass_free(&p);
    return rc;
}

enum lr_status lr_sample_values(struct lr_rows *rows, const int *values, int n_values,
                                const struct lr_graph *g, const struct lr_dataset *data,
                                const struct lr_sampling *opts,
                                const struct lr_progress *progress, struct lr_err *e)
{
    return lr_sample_pass(rows, values, n_values, g, data, NULL, NULL, opts, progress, e);
}
