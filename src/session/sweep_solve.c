/* Solving one layer at several ranks, by itself in the original network. The responses
 * are sampled once for all of them; where splits have a spatial part, its responses at
 * every rank come from one pass over the calibration images, as far as memory allows. */
#include "session/sweep_internal.h"

#include "ranklab/mem.h"

static const double SAMPLE_BYTES = 1e9; /* rows of spatial parts in one pass */

static bool is_spatial(const struct sweep_solver *k)
{
    return k->ranks[0].spatial > 0;
}

enum lr_status sweep_solver_init(struct sweep_solver *k, struct lr_session *s, int layer,
                                 const struct lr_ranks *ranks, int n, struct lr_err *e)
{
    enum lr_method m = s->plan[layer].method;
    bool has_samples = s->calib && session_need_run(s, NULL) == LR_OK;

    *k = (struct sweep_solver){.s = s,
                               .layer = layer,
                               .method = m,
                               .has_samples = has_samples,
                               .ranks = ranks,
                               .n = n};
    if (lr_method_info(m)->needs_samples && !s->calib)
        return lr_err_set(e, LR_EINVAL, "no calibration images: use data calib");
    if (lr_method_info(m)->needs_samples && !has_samples)
        return session_need_run(s, e);
    k->spatial = lr_calloc((size_t)n + 1, sizeof(*k->spatial));
    k->ys = lr_calloc((size_t)n + 1, sizeof(*k->ys));
    if (!k->spatial || !k->ys || lr_shared_new(&k->shared, e) != LR_OK) {
        sweep_solver_free(k);
        return lr_enomem(e, (size_t)n * sizeof(*k->ys), "points of a sweep");
    }
    return LR_OK;
}

static void drop_samples(struct sweep_solver *k)
{
    for (int i = 0; k->spatial && k->ys && i < k->n; i++) {
        lr_spatial_free(&k->spatial[i]);
        lr_rows_free(&k->ys[i]);
    }
    k->n_sampled = 0;
}

void sweep_solver_free(struct sweep_solver *k)
{
    drop_samples(k);
    lr_free(k->spatial);
    lr_free(k->ys);
    lr_shared_free(k->shared);
    *k = (struct sweep_solver){0};
}

/* The spatial parts of point i and of those after it, as many as fit into one pass, and
 * what they respond. */
static enum lr_status sample_spatial(struct sweep_solver *k, int i,
                                     const struct lr_progress *progress, struct lr_err *e)
{
    const struct lr_session *s = k->s;
    struct lr_sampling o = session_sampling(s);
    double each = s->calib ? (double)lr_dataset_count(s->calib) * o.n_positions *
                                 s->layers[k->layer].d * sizeof(float)
                           : 1;
    int n = each * (k->n - i) > SAMPLE_BYTES ? (int)(SAMPLE_BYTES / each) : k->n - i;
    struct lr_graph *g = NULL;
    int *values = NULL;
    enum lr_status rc = LR_OK;

    drop_samples(k);
    n = n < 1 ? 1 : n;
    k->first = i;
    values = lr_calloc((size_t)n, sizeof(*values));
    if (!values)
        return lr_enomem(e, (size_t)n * sizeof(*values), "points of a sweep");
    if (k->has_samples && (rc = lr_graph_clone(&g, s->graph, e)) != LR_OK)
        goto out;
    for (int j = 0; j < n; j++) {
        struct lr_spatial *spatial = &k->spatial[i + j];
        rc = session_spatial(spatial, s, k->layer, k->ranks[i + j].spatial, e);
        if (rc == LR_OK && g)
            rc = session_branch(&values[j], g, s, k->layer, spatial, e);
        if (rc != LR_OK)
            goto out;
    }
    if (g)
        rc = lr_sample_values(&k->ys[i], values, n, g, s->calib, &o, progress, e);
    if (rc == LR_OK)
        k->n_sampled = n;
out:
    lr_graph_free(g);
    lr_free(values);
    return rc;
}

enum lr_status sweep_solver_run(struct lr_factors **out, struct sweep_solver *k, int i,
                                const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_session *s = k->s;
    int values[2], n = session_targets(values, &s->layers[k->layer]);
    struct lr_solve_opts o = session_solve_opts(s);
    struct lr_progress first = lr_progress_sub(progress, 0, 0.3);
    struct lr_progress second = lr_progress_sub(progress, 0.3, 1);
    struct session_problem q = {.layer = k->layer,
                                .method = k->method,
                                .ranks = k->ranks[i],
                                .mode = LR_MODE_SYM,
                                .has_samples = k->has_samples,
                                .sampling = session_sampling(s)};
    bool has_spectra = s->spectra && s->responses_seed == s->settings.seed;
    bool is_missing = is_spatial(k) && (i < k->first || i >= k->first + k->n_sampled);
    enum lr_status rc = LR_OK;

    *out = NULL;
    if (k->has_samples && (rc = lr_session_spectra(s, &first, e)) != LR_OK)
        return rc;
    if (is_missing && (rc = sample_spatial(k, i, &first, e)) != LR_OK)
        return rc;
    if (is_spatial(k))
        q.spatial = &k->spatial[i];
    if (k->has_samples) {
        q.n_images = lr_dataset_count(s->calib);
        q.rows.y = session_rows(s, values[0]);
        q.rows.other = n > 1 ? session_rows(s, values[1]) : NULL;
        q.rows.ys = k->ys[i].x ? &k->ys[i] : NULL;
    }
    /* Behind spatial parts every rank has samples of its own. */
    o.shared = is_spatial(k) ? NULL : k->shared;
    o.notes = NULL; /* said when the layer is solved in earnest */
    return session_solve_layer(out, s, &q, &o,
                               is_missing || !has_spectra ? &second : progress, e);
}
