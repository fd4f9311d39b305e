/* Two networks side by side on all their outputs. Each batch goes through both and is
 * forgotten: what is kept are sums, so the size of the outputs sets no limit to the
 * number of images. */
#include <float.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "ranklab/engine.h"
#include "ranklab/mem.h"

/* Of one output; places counts all answers, values all elements. */
struct sums {
    double changed, before, kl, low, high;
    int64_t same, places, values;
    int32_t *answers[2];
};

struct pair {
    const struct lr_graph *g[2];
    struct lr_net *net[2];
    struct lr_net_output *outputs[2];
    struct sums *sums;
    float *images;
    int n, batch;
    size_t per_image;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void close_nets(struct pair *p)
{
    lr_free(p->images);
    p->images = NULL;
    for (int k = 0; k < 2; k++) {
        lr_net_free(p->net[k]);
        lr_free(p->outputs[k]);
        p->net[k] = NULL;
        p->outputs[k] = NULL;
    }
}

static void pair_free(struct pair *p)
{
    close_nets(p);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; p->sums && i < p->n; i++)
            lr_free(p->sums[i].answers[k]);
    }
    lr_free(p->sums);
}

static enum lr_status open_net(struct pair *p, int k, struct lr_err *e)
{
    struct lr_net_opts o = {.batch = p->batch, .n_outputs = p->n};

    p->outputs[k] = lr_calloc((size_t)p->n, sizeof(*p->outputs[k]));
    if (!p->outputs[k])
        return lr_enomem(e, (size_t)p->n * sizeof(*p->outputs[k]), "outputs");
    for (int i = 0; i < p->n; i++)
        p->outputs[k][i] = (struct lr_net_output){p->g[k]->outputs[i], LR_NCHW};
    o.outputs = p->outputs[k];
    return lr_net_compile(&p->net[k], p->g[k], &o, e);
}

static enum lr_status pair_open(struct pair *p, struct lr_output_measure *m,
                                int64_t count, struct lr_err *e)
{
    struct lr_shape in = p->g[0]->values[p->g[0]->inputs[0]].shape;
    int64_t in_count = 0;
    enum lr_status rc;

    if (in.n_dims > 0)
        in.dims[0] = 1;
    if ((rc = lr_shape_count(&in_count, &in, e)) != LR_OK)
        return rc;
    p->per_image = (size_t)in_count;
    p->batch = lr_engine_good_batch(p->g[0]);
    p->batch = p->batch > count ? (int)count : p->batch;
    p->batch = p->batch < 1 ? 1 : p->batch;
    p->sums = lr_calloc((size_t)p->n, sizeof(*p->sums));
    if (!p->sums)
        return lr_enomem(e, (size_t)p->n * sizeof(*p->sums), "sums over outputs");
    for (int i = 0; i < p->n; i++) {
        lr_output_view(&m[i].view, p->g[0], i);
        p->sums[i].low = INFINITY;
        p->sums[i].high = -INFINITY;
        for (int k = 0; k < 2; k++) {
            size_t n = (size_t)m[i].view.n_places;
            p->sums[i].answers[k] = lr_alloc(n, sizeof(int32_t));
            if (!p->sums[i].answers[k])
                return lr_enomem(e, n * sizeof(int32_t), "answers");
        }
    }
    /* Fewer images at a time where memory does not allow as many. */
    const size_t refused = lr_mem_refused();
    for (;; p->batch = (p->batch + 1) / 2) {
        for (int k = 0; k < 2 && rc == LR_OK; k++)
            rc = open_net(p, k, e);
        size_t n = (size_t)p->batch * p->per_image;
        if (rc == LR_OK && !(p->images = lr_alloc(n, sizeof(float))))
            rc = lr_enomem(e, n * sizeof(float), "images");
        if (rc != LR_ENOMEM || p->batch == 1)
            break;
        close_nets(p);
        rc = LR_OK;
    }
    if (rc == LR_OK)
        lr_mem_forget_refused(refused);
    return rc;
}

/* sum p log(p / q) over the classes of one place. A share too small for a float counts as
 * the smallest there is. */
static double divergence(const float *p, const float *q, const struct lr_output_view *v)
{
    double sum = 0;

    for (int c = 0; c < v->n_classes; c++) {
        size_t at = (size_t)c * (size_t)v->step;
        double x = (double)p[at], y = (double)q[at];
        if (v->is_log)
            sum += exp(x) * (x - y);
        else if (x > 0)
            sum += x * log(x / fmax(y, (double)FLT_MIN));
    }
    return sum;
}

/* a, b: what the original and the approximated network gave for one image, n values. */
static void add_image(struct sums *s, const struct lr_output_view *v, const float *a,
                      const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i], diff = x - (double)b[i];
        s->changed += diff * diff;
        s->before += x * x;
        s->low = fmin(s->low, x);
        s->high = fmax(s->high, x);
    }
    s->values += (int64_t)n;
    lr_answers(s->answers[0], a, v);
    lr_answers(s->answers[1], b, v);
    for (size_t p = 0; p < (size_t)v->n_places; p++) {
        s->same += s->answers[0][p] == s->answers[1][p];
        if (v->is_probability) {
            size_t step = (size_t)v->step;
            size_t at = p / step * (size_t)v->n_classes * step + p % step;
            s->kl += divergence(a + at, b + at, v);
        }
    }
    s->places += v->n_places;
}

static enum lr_status add_batch(struct pair *p, const struct lr_output_measure *m,
                                int64_t first, int n, struct lr_err *e)
{
    for (int i = 0; i < p->n; i++) {
        size_t size[2];
        const float *a = lr_net_output(p->net[0], i, &size[0]);
        const float *b = lr_net_output(p->net[1], i, &size[1]);
        const char *name = p->g[0]->values[p->g[0]->outputs[i]].name;
        bool is_constant = m[i].view.is_constant;
        if (size[0] != size[1])
            return lr_err_set(e, LR_ESHAPE, "output %s: %zu values against %zu", name,
                              size[0], size[1]);
        for (int k = 0; k < (is_constant ? first == 0 : n); k++) {
            const float *x = a + (size_t)k * size[0], *y = b + (size_t)k * size[0];
            if (!lr_all_finite(x, size[0]) || !lr_all_finite(y, size[0]))
                return lr_err_set(e, LR_ENUMERIC, "output %s of image %lld is not finite",
                                  name, (long long)first + k);
            add_image(&p->sums[i], &m[i].view, x, y, size[0]);
        }
    }
    return LR_OK;
}

static void conclude(struct lr_output_measure *m, const struct sums *s, int64_t count)
{
    const struct lr_output_view *v = &m->view;
    double mse = s->values > 0 ? s->changed / (double)s->values : NAN;
    double range = s->high - s->low;

    m->images = count;
    m->agreement = s->places > 0 ? (double)s->same / (double)s->places : NAN;
    m->output_error = s->before > 0    ? s->changed / s->before
                      : s->changed > 0 ? INFINITY
                                       : 0;
    if (v->kind == LR_OUTPUT_CLASSES)
        m->output_error = NAN;
    m->kl = v->is_probability && s->places > 0 ? fmax(0, s->kl / (double)s->places) : NAN;
    m->psnr = NAN;
    if (v->is_spatial && !v->is_probability)
        m->psnr = mse > 0 ? 10 * log10(range * range / mse) : INFINITY;
}

enum lr_status lr_outputs_compare(struct lr_output_measure *m, double *seconds,
                                  const struct lr_graph *original,
                                  const struct lr_graph *approximated,
                                  const struct lr_dataset *data, int64_t count,
                                  const struct lr_progress *progress, struct lr_err *e)
{
    struct pair p = {.g = {original, approximated}, .n = original->n_outputs};
    enum lr_status rc;
    double took = 0;

    if (count <= 0 || count > lr_dataset_count(data))
        count = lr_dataset_count(data);
    if (original->n_inputs != 1 || original->n_outputs < 1 ||
        approximated->n_inputs != 1 || approximated->n_outputs != original->n_outputs)
        return lr_err_set(e, LR_EUNSUP,
                          "the networks have %d inputs and %d outputs, and %d and %d; "
                          "one input and as many outputs are needed",
                          original->n_inputs, original->n_outputs, approximated->n_inputs,
                          approximated->n_outputs);
    if ((rc = pair_open(&p, m, count, e)) != LR_OK)
        goto out;
    for (int64_t first = 0; first < count; first += p.batch) {
        int n = count - first < p.batch ? (int)(count - first) : p.batch;
        const float *x = p.images;
        rc = lr_progress_tick(progress, (double)first / (double)count, "evaluating", e);
        if (rc != LR_OK ||
            (rc = lr_dataset_batch(data, first, n, p.images, e)) != LR_OK ||
            (rc = lr_net_run(p.net[0], n, &x, e)) != LR_OK)
            goto out;
        double start = now();
        if ((rc = lr_net_run(p.net[1], n, &x, e)) != LR_OK)
            goto out;
        took += now() - start;
        if ((rc = add_batch(&p, m, first, n, e)) != LR_OK)
            goto out;
    }
    if ((rc = lr_progress_tick(progress, 1, "evaluating", e)) != LR_OK)
        goto out;
    for (int i = 0; i < p.n; i++)
        conclude(&m[i], &p.sums[i], count);
    if (seconds)
        *seconds = took;
out:
    pair_free(&p);
    return rc;
}
