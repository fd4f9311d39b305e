/* Measuring layers by themselves: the held-out response error of a layer at given ranks,
 * in the original network, with a short run of its own solver on some of the calibration
 * images. One pass over these images serves every point of a group of layers: the spatial
 * parts that points ask for are branches beside their layers. */
#include "session/internal.h"
#include "session/memory.h"

#include "ranklab/mem.h"

/* 600 images give 6,000 rows, three in ten of them held out: enough to tell pairs of
 * ranks apart, and quick. 5 + 5 iterations bring most of what 25 + 25 do. */
enum { N_IMAGES = 600, N_ITERATIONS = 5 };
static const double HELD_SHARE = 0.3;
static const double GROUP_BYTES = 1e9; /* rows of one pass */

/* One value to sample: of layer, y or the other branch (spatial rank 0), or the spatial
 * parts at rank. */
struct value {
    int layer, rank;
    bool is_other;
    int value;
    struct lr_spatial spatial;
};

struct group {
    struct lr_session *s;
    struct lr_sampling sampling;
    int64_t n_images;
    struct lr_graph *g;
    struct value *values;
    struct lr_rows *rows;
    int n, cap;
};

static void group_free(struct group *k)
{
    for (int i = 0; i < k->n; i++) {
        lr_spatial_free(&k->values[i].spatial);
        lr_rows_free(&k->rows[i]);
    }
    lr_free(k->values);
    lr_free(k->rows);
    lr_graph_free(k->g);
}

static int find(const struct group *k, int layer, int rank, bool is_other)
{
    for (int i = 0; i < k->n; i++)
        if (k->values[i].layer == layer && k->values[i].rank == rank &&
            k->values[i].is_other == is_other)
            return i;
    return -1;
}

/* The branch of the layer's spatial parts at v->rank. */
static enum lr_status add_spatial(struct group *k, struct value *v, struct lr_err *e)
{
    enum lr_status rc = session_spatial(&v->spatial, k->s, v->layer, v->rank, e);

    return rc == LR_OK ? session_branch(&v->value, k->g, k->s, v->layer, &v->spatial, e)
                       : rc;
}

/* Adds what point p needs and is not there yet. */
static enum lr_status add_point(struct group *k, const struct session_point *p,
                                struct lr_err *e)
{
    const struct lr_layer *l = &k->s->layers[p->layer];
    int targets[2], n_targets = session_targets(targets, l);
    const struct value wanted[3] = {
        {.layer = p->layer, .value = targets[0]},
        {.layer = p->layer, .value = targets[1], .is_other = true},
        {.layer = p->layer, .rank = p->ranks.spatial}};

    for (int i = 0; i < 3; i++) {
        bool is_needed = i == 0 || (i == 1 ? n_targets > 1 : p->ranks.spatial > 0);
        if (!is_needed || find(k, p->layer, wanted[i].rank, wanted[i].is_other) >= 0)
            continue;
        struct value *v = &k->values[k->n++];
        *v = wanted[i];
        enum lr_status rc = i == 2 ? add_spatial(k, v, e) : LR_OK;
        if (rc != LR_OK)
            return rc;
    }
    return LR_OK;
}

static double bytes_of(const struct group *k, const struct session_point *p)
{
    return (double)k->n_images * k->sampling.n_positions * k->s->layers[p->layer].d *
           sizeof(float);
}

static enum lr_status sample(struct group *k, const struct lr_progress *progress,
                             struct lr_err *e)
{
    int *values = lr_calloc((size_t)k->n, sizeof(*values));
    enum lr_status rc;

    if (!values)
        return lr_enomem(e, (size_t)k->n * sizeof(*values), "responses");
    for (int i = 0; i < k->n; i++)
        values[i] = k->values[i].value;
    rc = lr_sample_values(k->rows, values, k->n, k->g, k->s->calib, &k->sampling,
                          progress, e);
    lr_free(values);
    return rc;
}

static enum lr_status try_point(struct session_point *p, const struct group *k,
                                const struct lr_progress *progress, struct lr_err *e)
{
    const struct lr_session *s = k->s;
    struct lr_solve_opts o = session_solve_opts(s);
    struct session_problem q = {.layer = p->layer,
                                .method = s->plan[p->layer].method,
                                .ranks = p->ranks,
                                .mode = LR_MODE_SYM,
                                .has_samples = true,
                                .n_images = k->n_images,
                                .sampling = k->sampling};
    int other = find(k, p->layer, 0, true);
    int spatial = p->ranks.spatial > 0 ? find(k, p->layer, p->ranks.spatial, false) : -1;

    q.rows.y = &k->rows[find(k, p->layer, 0, false)];
    q.rows.other = other >= 0 ? &k->rows[other] : NULL;
    if (spatial >= 0) {
        q.rows.ys = &k->rows[spatial];
        q.spatial = &k->values[spatial].spatial;
    }
    o.n_iter1 = o.n_iter1 < N_ITERATIONS ? o.n_iter1 : N_ITERATIONS;
    o.n_iter2 = o.n_iter2 < N_ITERATIONS ? o.n_iter2 : N_ITERATIONS;
    o.notes = NULL;
    o.progress = progress;
    return session_try_layer(&p->error, s, &q, &o, e);
}

/* The points of whole layers from points[0] on whose rows fit together; at least one
 * layer's. */
static int group_size(const struct group *k, const struct session_point *points, int n)
{
    double bytes = 0;
    int end = 0;

    for (int i = 0; i < n; i++) {
        bytes += bytes_of(k, &points[i]);
        if (i + 1 < n && points[i + 1].layer == points[i].layer)
            continue;
        if (end > 0 && bytes > GROUP_BYTES)
            break;
        end = i + 1;
    }
    return end;
}

static enum lr_status measure_group(struct session_point *points, int n,
                                    struct lr_session *s, const struct group *shared,
                                    const struct lr_progress *progress, struct lr_err *e)
{
    struct group k = *shared;
    size_t size = 3 * (size_t)n;
    struct lr_progress first = lr_progress_sub(progress, 0, 0.5);
    enum lr_status rc = lr_graph_clone(&k.g, s->graph, e);

    if (rc != LR_OK)
        return rc;
    k.values = lr_calloc(size, sizeof(*k.values));
    k.rows = lr_calloc(size, sizeof(*k.rows));
    if (!k.values || !k.rows) {
        rc = lr_enomem(e, size * sizeof(*k.values), "responses");
        goto out;
    }
    for (int i = 0; i < n; i++)
        if ((rc = add_point(&k, &points[i], e)) != LR_OK)
            goto out;
    if ((rc = sample(&k, &first, e)) != LR_OK)
        goto out;
    for (int i = 0; i < n; i++) {
        struct lr_progress one =
            lr_progress_sub(progress, 0.5 + 0.5 * i / n, 0.5 + 0.5 * (i + 1) / n);
        if ((rc = try_point(&points[i], &k, &one, e)) != LR_OK)
            goto out;
    }
out:
    group_free(&k);
    return rc;
}

static enum lr_status state(const struct session_point *points, int n,
                            const struct lr_session *s, int64_t n_images,
                            struct lr_err *e)
{
    int *layers = lr_calloc((size_t)n, sizeof(*layers)), m = 0;

    if (!layers)
        return lr_enomem(e, (size_t)n * sizeof(*layers), "a set of layers");
    for (int i = 0; i < n; i++)
        if (i == 0 || points[i].layer != points[i - 1].layer)
            layers[m++] = points[i].layer;
    enum lr_status rc = session_state_points(s, layers, m, n_images, GROUP_BYTES, e);
    lr_free(layers);
    return rc;
}

enum lr_status session_measure_points(struct session_point *points, int n,
                                      struct lr_session *s,
                                      const struct lr_progress *progress,
                                      struct lr_err *e)
{
    struct group k = {.s = s, .sampling = session_sampling(s)};
    struct lr_progress rest;
    enum lr_status rc;

    if (n == 0)
        return LR_OK;
    if (!s->calib)
        return lr_err_set(e, LR_EINVAL, "no calibration images: use data calib");
    if ((rc = session_need_samples(s, e)) != LR_OK)
        return rc;
    if ((rc = session_settle(s->calib, s, N_IMAGES, &progress, &rest, e)) != LR_OK)
        return rc;
    k.n_images = lr_dataset_count(s->calib);
    if (k.n_images > N_IMAGES)
        k.n_images = N_IMAGES;
    k.sampling.max_images = k.n_images;
    k.sampling.valid_share = 0;
    k.sampling.held_share = HELD_SHARE;
    if ((rc = state(points, n, s, k.n_images, e)) != LR_OK)
        return rc;
    for (int at = 0; rc == LR_OK && at < n;) {
        int size = group_size(&k, points + at, n - at);
        struct lr_progress part =
            lr_progress_sub(progress, (double)at / n, (double)(at + size) / n);
        rc = measure_group(points + at, size, s, &k, &part, e);
        at += size;
    }
    return rc;
}
