/* Running networks that differ from the original in one layer, from the activations
 * before that layer on, and comparing them with the original image by image. */
#include "session/sweep_internal.h"

#include <string.h>
#include <time.h>

#include "ranklab/mem.h"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum lr_status sweep_net(struct lr_net **out, const struct lr_session *s, int layer,
                         const struct lr_factors *f, const struct sweep_cut *c,
                         struct lr_err *e)
{
    struct lr_net_output output = {s->graph->outputs[0], LR_NCHW};
    struct lr_net_opts o = {.batch = c->batch,
                            .inputs = c->values,
                            .n_inputs = c->n,
                            .outputs = &output,
                            .n_outputs = 1};
    struct lr_graph *g = NULL;
    enum lr_status rc = lr_graph_clone(&g, s->graph, e);

    *out = NULL;
    if (rc == LR_OK)
        rc = lr_graph_split_layer(g, s->layers[layer].value, f->n_parts, f->parts, NULL,
                                  e);
    if (rc == LR_OK)
        rc = lr_net_compile(out, g, &o, e);
    lr_graph_free(g);
    return rc;
}

/* Runs one net on n images and takes down what it gave. */
static enum lr_status run_batch(struct lr_outcome *o, struct lr_net *net,
                                const float *const *x, const int64_t *images, int n,
                                const int32_t *labels, struct lr_err *e)
{
    size_t per_image = 0;
    double start = now();
    enum lr_status rc = lr_net_run(net, n, x, e);

    if (rc != LR_OK)
        return rc;
    const float *y = lr_net_output(net, 0, &per_image);
    if ((int64_t)per_image != o->n_out)
        return lr_err_set(e, LR_ESHAPE, "%zu outputs instead of %d", per_image, o->n_out);
    for (int k = 0; k < n && rc == LR_OK; k++)
        rc = lr_outcome_put(o, images[k], y + (size_t)k * per_image, labels, e);
    o->seconds += now() - start;
    return rc;
}

enum lr_status sweep_run(struct lr_eval *evals, struct lr_net *const *nets, int n,
                         struct sweep_cut *c, const struct lr_outcome *original,
                         const struct lr_progress *progress, struct lr_err *e)
{
    const int32_t *labels = lr_dataset_labels(c->s->eval);
    struct lr_outcome *outcomes = lr_calloc((size_t)n, sizeof(*outcomes));
    int64_t *images = lr_alloc((size_t)c->batch, sizeof(*images));
    const float *const *x = NULL;
    enum lr_status rc = LR_OK;

    if (!outcomes || !images) {
        rc = lr_enomem(e, (size_t)n * sizeof(*outcomes), "outcomes");
        goto out;
    }
    for (int i = 0; i < n; i++)
        if ((rc = lr_outcome_init(&outcomes[i], c->n_images, original->n_out,
                                  &original->view, labels, e)) != LR_OK)
            goto out;
    for (int64_t first = 0; first < c->n_images; first += c->batch) {
        int64_t left = c->n_images - first;
        int size = left < c->batch ? (int)left : c->batch;
        for (int k = 0; k < size; k++)
            images[k] = first + k;
        rc = lr_progress_tick(progress, (double)first / (double)c->n_images, "evaluating",
                              e);
        if (rc != LR_OK || (rc = sweep_cut_get(&x, c, images, size, e)) != LR_OK)
            goto out;
        for (int i = 0; i < n; i++)
            if ((rc = run_batch(&outcomes[i], nets[i], x, images, size, labels, e)) !=
                LR_OK)
                goto out;
    }
    for (int i = 0; i < n && rc == LR_OK; i++)
        rc = lr_eval_compare(&evals[i], original, &outcomes[i], e);
    if (rc == LR_OK)
        rc = lr_progress_tick(progress, 1, "evaluating", e);
out:
    for (int i = 0; outcomes && i < n; i++)
        lr_outcome_free(&outcomes[i]);
    lr_free(outcomes);
    lr_free(images);
    return rc;
}

/* What an image adds to the mean that is estimated. */
static int value_of(enum lr_metric metric, int64_t image, const struct lr_outcome *o,
                    const struct lr_outcome *original)
{
    if (metric == LR_METRIC_TOP1)
        return (int)o->hit1[image] - (int)original->hit1[image];
    return o->top1[image] == original->top1[image] ? 0 : -1;
}

enum lr_status sweep_sample(struct lr_eval *r, struct lr_net *net, struct sweep_cut *c,
                            struct lr_survey *survey, double wanted,
                            enum lr_metric metric, const struct lr_outcome *original,
                            const struct lr_progress *progress, struct lr_err *e)
{
    const int32_t *labels = lr_dataset_labels(c->s->eval);
    int64_t max = c->n_images + c->batch;
    int64_t *images = lr_alloc((size_t)max, sizeof(*images));
    const float *const *x = NULL;
    struct lr_outcome o = {0};
    enum lr_status rc =
        lr_outcome_init(&o, c->n_images, original->n_out, &original->view, labels, e);

    lr_survey_restart(survey);
    if (!images)
        rc = lr_enomem(e, (size_t)max * sizeof(*images), "a list of images");
    if (rc != LR_OK)
        goto out;
    do {
        double drawn = (double)lr_survey_count(survey) / (double)c->n_images;
        int64_t n = lr_survey_next(images, max, survey, wanted, c->batch);
        if ((rc = sweep_cut_fill(c, images, n, e)) != LR_OK)
            goto out;
        for (int64_t i = 0; i < n; i += c->batch) {
            int size = n - i < c->batch ? (int)(n - i) : c->batch;
            if ((rc = lr_progress_tick(progress, drawn + (double)i / (double)c->n_images,
                                       "evaluating", e)) != LR_OK ||
                (rc = sweep_cut_get(&x, c, images + i, size, e)) != LR_OK ||
                (rc = run_batch(&o, net, x, images + i, size, labels, e)) != LR_OK)
                goto out;
        }
        for (int64_t i = 0; i < n; i++)
            lr_survey_put(survey, images[i], value_of(metric, images[i], &o, original));
    } while (lr_survey_half_width(survey) > wanted);
    rc = lr_survey_compare(r, survey, original, &o, e);
    if (rc == LR_OK)
        rc = lr_progress_tick(progress, 1, "evaluating", e);
out:
    lr_outcome_free(&o);
    lr_free(images);
    return rc;
}
