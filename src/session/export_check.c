/* A network in memory and what was read back from its file, run side by side. */
#include "session/internal.h"

#include <math.h>
#include <string.h>

#include "ranklab/engine.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

/* So many images, or one where an image costs more than COSTLY multiply-adds: twice as
 * many seconds would tell no more. */
enum { N_IMAGES = 2 };
static const int64_t COSTLY = 20000000000;

static size_t count_images(const struct lr_session *s)
{
    return lr_graph_cost(s->graph).macs > COSTLY ? 1 : N_IMAGES;
}

enum lr_status session_prepare(struct lr_graph *g, const struct lr_session *s,
                               struct lr_err *e)
{
    const struct lr_shape *in = &s->graph->values[s->graph->inputs[0]].shape;
    enum lr_status rc = lr_graph_choose_image(g, in, NULL, e);

    if (rc != LR_OK)
        return rc;
    g->is_batch_fixed = s->graph->is_batch_fixed;
    g->convolution = s->graph->convolution;
    if ((rc = lr_graph_infer(g, in, e)) != LR_OK ||
        (rc = lr_graph_fold_bn(g, NULL, e)) != LR_OK)
        return rc;
    rc = lr_graph_infer(g, in, e);
    return rc == LR_OK && s->graph->file_outputs ? lr_graph_cut(g, e) : rc;
}

double session_difference(const float *a, const float *b, size_t n)
{
    double sum = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i], y = (double)b[i];
        sum += (x - y) * (x - y);
        size += y * y;
    }
    if (!isfinite(sum) || !isfinite(size))
        return NAN;
    return size > 0 ? sqrt(sum / size) : sqrt(sum);
}

/* Images of the evaluation or calibration set, or noise. */
static enum lr_status make_images(float **out, size_t *each, const struct lr_session *s,
                                  struct lr_err *e)
{
    const struct lr_dataset *d = s->eval ? s->eval : s->calib;
    struct lr_rng r;

    size_t n = count_images(s);

    *each = (size_t)s->in_c * (size_t)s->in_h * (size_t)s->in_w;
    float *x = lr_alloc(n * *each, sizeof(*x));
    if (!x)
        return lr_enomem(e, n * *each * sizeof(*x), "images");
    *out = x;
    if (d && lr_dataset_known(d) >= (int64_t)n)
        return lr_dataset_batch(d, 0, (int64_t)n, x, e);
    lr_rng_seed(&r, 1);
    for (size_t i = 0; i < n * *each; i++)
        x[i] = (float)lr_rng_normal(&r);
    return LR_OK;
}

/* The outputs that depend on the image; none where they cannot be computed. */
static int list_outputs(struct lr_net_output *list, const struct lr_graph *g)
{
    char buf[256];
    int n = 0;

    if (!g->file_outputs && lr_graph_blocker(g, buf, sizeof(buf)))
        return 0;
    for (int i = 0; i < g->n_outputs; i++) {
        const struct lr_value *v = &g->values[g->outputs[i]];
        if (!v->tensor && v->has_shape && v->producer >= 0)
            list[n++] = (struct lr_net_output){g->outputs[i], LR_NCHW};
    }
    return n;
}

static enum lr_status run_all(float **out, size_t *n, struct lr_net *net, int n_outputs,
                              const float *x, size_t n_images, size_t each,
                              struct lr_err *e)
{
    enum lr_status rc = LR_OK;
    size_t len = 0;

    for (size_t image = 0; image < n_images && rc == LR_OK; image++) {
        const float *in = x + image * each;
        rc = lr_net_run(net, 1, &in, e);
        for (int i = 0; i < n_outputs && rc == LR_OK; i++) {
            size_t m = 0;
            const float *y = lr_net_output(net, i, &m);
            float *grown = lr_realloc(*out, len, len + m, sizeof(*grown));
            if (!grown)
                return lr_enomem(e, (len + m) * sizeof(*grown), "outputs");
            memcpy(grown + len, y, m * sizeof(*y));
            *out = grown;
            len += m;
        }
    }
    *n = len;
    return rc;
}

enum lr_status session_probe(float **out, size_t *n, const struct lr_session *s,
                             const struct lr_graph *g, struct lr_err *e)
{
    struct lr_net_output *outputs = lr_calloc((size_t)g->n_outputs, sizeof(*outputs));
    struct lr_net_opts o = {.batch = 1, .outputs = outputs};
    struct lr_net *net = NULL;
    float *x = NULL;
    size_t each = 0;
    enum lr_status rc = LR_OK;

    *out = NULL;
    *n = 0;
    if (!outputs)
        return lr_enomem(e, (size_t)g->n_outputs * sizeof(*outputs), "outputs");
    o.n_outputs = list_outputs(outputs, g);
    if (o.n_outputs == 0)
        goto out;
    if ((rc = make_images(&x, &each, s, e)) != LR_OK ||
        (rc = lr_net_compile(&net, g, &o, e)) != LR_OK)
        goto out;
    rc = run_all(out, n, net, o.n_outputs, x, count_images(s), each, e);
out:
    lr_net_free(net);
    lr_free(x);
    lr_free(outputs);
    return rc;
}
