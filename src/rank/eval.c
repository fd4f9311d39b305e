/* Accuracy of a network over a data set, image by image, and the comparison of two
 * networks on the same images. The raw outputs are kept, so that the original runs once.
 */
#include "ranklab/eval.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "ranklab/engine.h"
#include "ranklab/mem.h"
#include "output.h"

enum { TOP_K = 5 };

void lr_outcome_free(struct lr_outcome *o)
{
    if (!o)
        return;
    lr_free(o->top1);
    lr_free(o->hit1);
    lr_free(o->hit5);
    lr_free(o->out);
    *o = (struct lr_outcome){0};
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Whether label is among the k largest; of equals the first come first, as in argmax. */
static bool is_in_top(const float *x, int n, int label, int k)
{
    int before = 0;

    for (int i = 0; i < n; i++)
        before += x[i] > x[label] || (x[i] == x[label] && i < label);
    return before < k;
}

static enum lr_status check_labels(const int32_t *labels, int64_t n,
                                   const struct lr_output_view *v, struct lr_err *e)
{
    if (v->kind != LR_OUTPUT_SCORES)
        return LR_OK;
    for (int64_t i = 0; labels && i < n; i++)
        if (labels[i] < 0 || labels[i] >= v->n_classes)
            return lr_err_set(
                e, LR_EINVAL,
                "label %d of image %lld: the network has %d outputs (0..%d)",
                (int)labels[i], (long long)i, v->n_classes, v->n_classes - 1);
    return LR_OK;
}

enum lr_status lr_outcome_init(struct lr_outcome *o, int64_t n, int n_out,
                               const struct lr_output_view *view, const int32_t *labels,
                               struct lr_err *e)
{
    size_t size = (size_t)n;

    if (view->n_places != 1)
        labels = NULL;
    bool has_five = labels && view->kind == LR_OUTPUT_SCORES && view->n_classes > TOP_K;
    enum lr_status rc = check_labels(labels, n, view, e);

    *o = (struct lr_outcome){.n = n, .n_out = n_out, .view = *view};
    if (rc != LR_OK)
        return rc;
    o->top1 = lr_calloc(size, (size_t)view->n_places * sizeof(*o->top1));
    o->out = lr_calloc(size, (size_t)n_out * sizeof(*o->out));
    if (labels)
        o->hit1 = lr_calloc(size, 1);
    if (has_five)
        o->hit5 = lr_calloc(size, 1);
    if (o->top1 && o->out && (!labels || o->hit1) && (!has_five || o->hit5))
        return LR_OK;
    lr_outcome_free(o);
    return lr_enomem(e, size * (size_t)n_out * sizeof(*o->out), "outputs");
}

enum lr_status lr_outcome_put(struct lr_outcome *o, int64_t i, const float *x,
                              const int32_t *labels, struct lr_err *e)
{
    const size_t n = (size_t)o->n_out;

    if (!lr_all_finite(x, n))
        return lr_err_set(e, LR_ENUMERIC,
                          "the network's output for image %lld is not finite",
                          (long long)i);
    memcpy(o->out + (size_t)i * n, x, n * sizeof(*x));
    lr_answers(o->top1 + (size_t)i * (size_t)o->view.n_places, x, &o->view);
    if (o->hit1)
        o->hit1[i] = o->top1[i] == labels[i];
    if (o->hit5)
        o->hit5[i] = is_in_top(x, o->n_out, labels[i], TOP_K);
    return LR_OK;
}

enum lr_status lr_outcome_run(struct lr_outcome *o, const struct lr_graph *g,
                              const struct lr_dataset *data, int64_t count,
                              const struct lr_progress *progress, struct lr_err *e)
{
    const int32_t *labels = lr_dataset_labels(data);
    struct lr_net_opts opts = {0};
    struct lr_net *net = NULL;
    float *images = NULL;
    double start = now();
    enum lr_status rc = LR_OK;

    *o = (struct lr_outcome){0};
    if (count <= 0 || count > lr_dataset_count(data))
        count = lr_dataset_count(data);
    if (g->n_inputs != 1 || g->n_outputs < 1)
        return lr_err_set(e, LR_EUNSUP,
                          "the network has %d inputs and %d outputs, one input "
                          "and an output are needed",
                          g->n_inputs, g->n_outputs);
    struct lr_shape in = g->values[g->inputs[0]].shape;
    int64_t in_count = 0;
    if (in.n_dims > 0)
        in.dims[0] = 1;
    if ((rc = lr_shape_count(&in_count, &in, e)) != LR_OK)
        return rc;
    opts.batch = lr_engine_good_batch(g);
    if (opts.batch > count)
        opts.batch = (int)count;
    if (opts.batch < 1)
        opts.batch = 1;
    struct lr_net_output first_output = {g->outputs[0], LR_NCHW};
    opts.outputs = &first_output;
    opts.n_outputs = 1;
    /* Fewer images at a time where memory does not allow as many. */
    const size_t refused = lr_mem_refused();
    for (;; opts.batch = (opts.batch + 1) / 2) {
        const size_t n = (size_t)opts.batch * (size_t)in_count;
        rc = lr_net_compile(&net, g, &opts, e);
        images = rc == LR_OK ? lr_alloc(n, sizeof(*images)) : NULL;
        if (rc == LR_OK && !images)
            rc = lr_enomem(e, n * sizeof(*images), "images");
        if (rc != LR_ENOMEM || opts.batch == 1)
            break;
        lr_net_free(net);
        net = NULL;
    }
    if (rc != LR_OK)
        goto out;
    lr_mem_forget_refused(refused);
    for (int64_t first = 0; first < count; first += opts.batch) {
        int64_t n = count - first < opts.batch ? count - first : opts.batch;
        const float *in_data = images;
        size_t per_image = 0;
        rc = lr_progress_tick(progress, (double)first / (double)count, "evaluating", e);
        if (rc != LR_OK || (rc = lr_dataset_batch(data, first, n, images, e)) != LR_OK ||
            (rc = lr_net_run(net, (int)n, &in_data, e)) != LR_OK)
            goto out;
        const float *x = lr_net_output(net, 0, &per_image);
        if (!o->out) {
            if (per_image < 1 || per_image > INT32_MAX) {
                rc = lr_err_set(e, LR_ESHAPE, "%s: no outputs to compare",
                                g->values[g->outputs[0]].name);
                goto out;
            }
            struct lr_output_view view;
            lr_output_view(&view, g, 0);
            rc = lr_outcome_init(o, count, (int)per_image, &view, labels, e);
            if (rc != LR_OK)
                goto out;
        }
        for (int64_t i = 0; i < n; i++)
            if ((rc = lr_outcome_put(o, first + i, x + (size_t)i * per_image, labels,
                                     e)) != LR_OK)
                goto out;
    }
    o->seconds = now() - start;
    rc = lr_progress_tick(progress, 1, "evaluating", e);
out:
    if (rc != LR_OK)
        lr_outcome_free(o);
    lr_net_free(net);
    lr_free(images);
    return rc;
}

static int64_t count_hits(const uint8_t *hit, int64_t n)
{
    int64_t k = 0;

    for (int64_t i = 0; i < n; i++)
        k += hit[i] != 0;
    return k;
}

static double relative_error(const float *x, const float *y, size_t n)
{
    double num = 0, den = 0;

    for (size_t i = 0; i < n; i++) {
        double diff = (double)x[i] - (double)y[i];
        num += diff * diff;
        den += (double)x[i] * (double)x[i];
    }
    if (den > 0)
        return num / den;
    return num > 0 ? INFINITY : 0;
}

static double agreement(const struct lr_outcome *a, const struct lr_outcome *b)
{
    int64_t n = a->n * a->view.n_places, same = 0;

    for (int64_t i = 0; i < n; i++)
        same += a->top1[i] == b->top1[i];
    return n > 0 ? (double)same / (double)n : NAN;
}

static double output_error(const struct lr_outcome *a, const struct lr_outcome *b)
{
    return relative_error(b->out, a->out, (size_t)a->n * (size_t)a->n_out);
}

double lr_outcome_quality(const struct lr_outcome *o, const struct lr_outcome *original)
{
    if (o->hit1)
        return o->n > 0 ? (double)count_hits(o->hit1, o->n) / (double)o->n : 0;
    if (o->view.n_places > 0)
        return agreement(o, original);
    return fmax(0, 1 - output_error(o, original));
}

double lr_outcome_bytes(const struct lr_graph *g, int64_t count)
{
    struct lr_output_view v;
    int64_t n = 0;

    if (g->n_outputs < 1)
        return 0;
    struct lr_shape s = g->values[g->outputs[0]].shape;
    lr_output_view(&v, g, 0);
    if (s.n_dims > 0 && !g->is_batch_fixed)
        s.dims[0] = 1;
    if (lr_shape_count(&n, &s, NULL) != LR_OK)
        return INFINITY;
    return 4.0 * (double)count * ((double)n + (double)v.n_places);
}

enum lr_status lr_eval_compare(struct lr_eval *r, const struct lr_outcome *original,
                               const struct lr_outcome *approximated, struct lr_err *e)
{
    const struct lr_outcome *a = approximated, *b = original;
    int64_t cells[2][2] = {{0}};

    if (a->n != b->n || a->n_out != b->n_out || a->view.n_places != b->view.n_places ||
        a->n < 1)
        return lr_err_set(
            e, LR_EINVAL,
            "%lld images with %d outputs cannot be compared with %lld and %d",
            (long long)a->n, a->n_out, (long long)b->n, b->n_out);
    *r = (struct lr_eval){.images = a->n, .seconds = a->seconds};
    r->top1 = r->top1_original = r->top1_difference = NAN;
    r->difference_low = r->difference_high = r->top1_low = r->top1_high = NAN;
    r->top5 = r->top5_original = NAN;
    double n = (double)a->n;
    r->agreement = agreement(a, b);
    r->output_error = output_error(a, b);
    if (a->hit1 && b->hit1) {
        for (int64_t i = 0; i < a->n; i++)
            cells[a->hit1[i] != 0][b->hit1[i] != 0]++;
        r->top1 = (double)count_hits(a->hit1, a->n) / n;
        r->top1_original = (double)count_hits(b->hit1, b->n) / n;
        lr_wilson(&r->top1_low, &r->top1_high, count_hits(a->hit1, a->n), a->n);
        lr_paired_interval(&r->top1_difference, &r->difference_low, &r->difference_high,
                           cells[1][1], cells[1][0], cells[0][1], cells[0][0]);
    }
    if (a->hit5 && b->hit5) {
        r->top5 = (double)count_hits(a->hit5, a->n) / n;
        r->top5_original = (double)count_hits(b->hit5, b->n) / n;
    }
    return LR_OK;
}
