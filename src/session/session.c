/* Opening and closing networks and their images. A network is opened into a second
 * session structure that replaces the first only when everything went well. */
#include "session/internal.h"

#include <stdlib.h>
#include <string.h>

#include "ranklab/journal.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/onnx.h"

static const int64_t CACHE_MEMORY = (int64_t)2 << 30;
static const int64_t CACHE_DISK = 10000000000;

void lr_session_init(struct lr_session *s)
{
    *s = (struct lr_session){0};
    s->settings.seed = 1;
    s->settings.threads = lr_la_threads();
    s->settings.round = 1;
    s->settings.mode = LR_MODE_ASYM;
    s->settings.n_iter1 = s->settings.n_iter2 = 25;
    s->settings.lambda1 = 0.01;
    s->settings.lambda2 = 1;
    s->settings.cache_memory = CACHE_MEMORY;
    s->settings.cache_disk = CACHE_DISK;
    s->settings.deploy = (struct lr_deploy){.batch = 1, .convolution = LR_CONV_DIRECT};
}

void lr_session_close(struct lr_session *s)
{
    struct lr_settings settings = s->settings;
    struct lr_notes notes = s->notes;
    struct lr_journal *journal = s->journal;
    bool has_failed = s->has_journal_failed, is_told = s->is_forgetting_told;

    session_drop_calib(s);
    session_drop_eval(s);
    session_drop_sweeps(s);
    session_drop_predictor(s);
    session_history_free(s);
    lr_configs_free(s->configs, s->n_layers);
    session_told_unref(s->told);
    session_timings_free(s);
    session_plan_free(s->plan, s->n_layers);
    lr_layers_free(s->layers, s->n_layers);
    lr_graph_free(s->graph);
    lr_free(s->model_name);
    lr_free(s->model_path);
    lr_dataset_free(s->calib);
    lr_dataset_free(s->eval);
    *s = (struct lr_session){.settings = settings,
                             .notes = notes,
                             .journal = journal,
                             .has_journal_failed = has_failed,
                             .is_forgetting_told = is_told};
}

void lr_session_free(struct lr_session *s)
{
    if (!s)
        return;
    lr_session_close(s);
    lr_journal_close(s->journal);
    s->journal = NULL;
}

enum lr_status session_need_network(const struct lr_session *s, struct lr_err *e)
{
    if (!s->graph)
        return lr_err_set(e, LR_EINVAL, "no network is open: use open");
    return LR_OK;
}

enum lr_status session_need_run(const struct lr_session *s, struct lr_err *e)
{
    char buf[256];
    const char *blocker =
        s->graph->file_outputs ? NULL : lr_graph_blocker(s->graph, buf, sizeof(buf));

    if (blocker)
        return lr_err_set(e, LR_EUNSUP, "%s cannot be run: %s", s->model_name, blocker);
    return LR_OK;
}

static enum lr_status default_plan(struct lr_session *s, struct lr_err *e)
{
    s->plan = lr_calloc((size_t)s->n_layers, sizeof(*s->plan));
    if (!s->plan)
        return lr_enomem(e, (size_t)s->n_layers * sizeof(*s->plan), "the plan");
    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_layer *l = &s->layers[i];
        s->plan[i].ranks.channel = l->d;
        /* Fully connected layers are the paper's to leave alone. */
        s->plan[i].method = !l->is_approximable || l->kind == LR_LAYER_FC
                                ? LR_METHOD_KEEP
                                : session_default_method(l);
    }
    return LR_OK;
}

static void note_unfolded(const struct lr_session *s)
{
    const struct lr_node *first = NULL;
    char why[256];
    int n = 0;

    for (int k = 0; k < s->graph->n_nodes; k++) {
        const struct lr_node *node = &s->graph->nodes[k];
        if (node->op != LR_OP_BATCH_NORMALIZATION)
            continue;
        if (!first)
            first = node;
        n++;
    }
    if (n == 0)
        return;
    lr_bn_why_unfolded(s->graph, first, why, sizeof(why));
    if (n == 1)
        lr_note(
            &s->notes, LR_NOTE_WARNING,
            "%s: BatchNormalization %.100s could not be folded and stays as it is: %s",
            s->model_name, first->name, why);
    else
        lr_note(&s->notes, LR_NOTE_WARNING,
                "%s: %d BatchNormalization nodes could not be folded and stay as they "
                "are; the first is %.100s: %s",
                s->model_name, n, first->name, why);
}

bool lr_session_can_sample(const struct lr_session *s)
{
    return session_need_samples(s, NULL) == LR_OK;
}

enum lr_status session_need_samples(const struct lr_session *s, struct lr_err *e)
{
    const struct lr_graph *g = s->graph;
    int *values = NULL, n = 0;
    bool *mask = NULL;
    char buf[256];
    enum lr_status rc = LR_OK;

    if (!lr_graph_blocker(g, buf, sizeof(buf)))
        return LR_OK;
    values = lr_calloc(2 * (size_t)s->n_layers + 1, sizeof(*values));
    if (!values)
        return lr_enomem(e, (size_t)s->n_layers * sizeof(*values), "a set of values");
    for (int i = 0; i < s->n_layers; i++)
        if (s->layers[i].is_approximable)
            n += session_targets(values + n, &s->layers[i]);
    if (n == 0)
        rc = session_need_run(s, e);
    else
        rc = session_upstream(&mask, s, values, n, e);
    for (int k = 0; rc == LR_OK && k < g->n_nodes; k++) {
        const struct lr_node *x = &g->nodes[k];
        for (int i = 0; i < x->n_out; i++)
            if (x->why_unsupported && x->out[i] >= 0 && mask[x->out[i]])
                rc = lr_err_set(e, LR_EUNSUP, "%s cannot be run up to its layers: %s: %s",
                                s->model_name, x->name, x->why_unsupported);
    }
    lr_free(mask);
    lr_free(values);
    return rc;
}

/* Reads and prepares the network; is_fixed: with the batch of the file, one image a run.
 */
static enum lr_status read_network(struct lr_session *s, const char *path,
                                   const struct lr_shape *input, bool is_fixed,
                                   const struct lr_notes *notes, struct lr_err *e)
{
    struct lr_shape chosen;
    enum lr_status rc;

    if ((rc = lr_onnx_read(&s->graph, s->model_sha256, path, notes, e)) != LR_OK)
        return rc;
    if (!input && session_choose_sizes(&chosen, s->graph, notes))
        input = &chosen;
    if ((rc = lr_graph_choose_image(s->graph, input, notes, e)) != LR_OK)
        return rc;
    s->graph->convolution = s->settings.deploy.convolution;
    s->graph->is_batch_fixed = is_fixed;
    if ((rc = lr_graph_infer(s->graph, input, e)) != LR_OK ||
        (rc = lr_graph_fold_bn(s->graph, &s->n_bn_folded, e)) != LR_OK)
        return rc;
    return lr_graph_infer(s->graph, input, e);
}

static int count_shapeless(const struct lr_graph *g)
{
    int n = 0;

    for (int k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->nodes[k].n_out; i++) {
            const int v = g->nodes[k].out[i];
            n += v >= 0 && !g->values[v].has_shape && !g->values[v].tensor;
        }
    return n;
}

/* What moves the batch about may still run when the batch is one image, or at least be
 * known further. Keeps the network as it was read first where that does not help. */
static enum lr_status try_fixed(struct lr_session *s, const char *path,
                                const struct lr_shape *input, const char *blocker,
                                struct lr_err *e)
{
    struct lr_session t = {.settings = s->settings, .notes = s->notes};
    struct lr_notes none = {0};
    struct lr_err ignored = {0};
    char buf[256];
    const struct lr_shape *in = &s->graph->values[s->graph->inputs[0]].shape;
    struct lr_shape one = *in;

    if (s->graph->n_inputs < 1 || in->n_dims < 1)
        return LR_OK;
    one.dims[0] = 1;
    enum lr_status rc =
        read_network(&t, path, input ? input : &one, true, &none, &ignored);
    if (rc == LR_ENOMEM) {
        *e = ignored;
        goto out;
    }
    const struct lr_value *x = rc == LR_OK ? &t.graph->values[t.graph->inputs[0]] : NULL;
    const bool is_run = x && !lr_graph_blocker(t.graph, buf, sizeof(buf));
    if (x && x->shape.dims[0] == 1 &&
        (is_run || count_shapeless(t.graph) < count_shapeless(s->graph))) {
        struct lr_graph *g = s->graph;
        s->graph = t.graph;
        s->n_bn_folded = t.n_bn_folded;
        t.graph = g;
        if (is_run)
            lr_note(&s->notes, LR_NOTE_WARNING, "%s runs one image at a time: %s",
                    s->model_name, blocker);
    }
    /* Other sizes of the input may be all it takes. */
    if (rc == LR_ESHAPE)
        lr_note(&s->notes, LR_NOTE_WARNING, "%s as one image: %s", s->model_name,
                ignored.msg);
    rc = LR_OK;
out:
    lr_graph_free(t.graph);
    return rc;
}

static void note_cut(const struct lr_session *s, const char *blocker)
{
    enum { MANY = 4 };
    const struct lr_graph *g = s->graph;
    struct lr_strbuf names = {0};

    for (int i = 0; i < g->n_outputs && i < MANY; i++)
        lr_strbuf_printf(&names, "%s%.100s", i ? ", " : "",
                         g->values[g->outputs[i]].name);
    if (g->n_outputs > MANY)
        lr_strbuf_printf(&names, " and %d more", g->n_outputs - MANY);
    if (!g->file_outputs)
        lr_note(&s->notes, LR_NOTE_WARNING,
                "%s cannot be run to its end: %s; the layers before can be solved and "
                "exported, not evaluated",
                s->model_name, blocker);
    else if (!names.is_failed)
        lr_note(&s->notes, LR_NOTE_WARNING,
                "%s cannot be run to its end: %s; what is computed before stands for its "
                "outputs: %s",
                s->model_name, blocker, names.s);
    lr_strbuf_free(&names);
}

static enum lr_status load_network(struct lr_session *s, const char *path,
                                   const struct lr_shape *input,
                                   const struct lr_progress *progress, struct lr_err *e)
{
    char buf[256];
    enum lr_status rc;

    if ((rc = lr_progress_tick(progress, 0, "reading the network", e)) != LR_OK ||
        (rc = read_network(s, path, input, false, &s->notes, e)) != LR_OK)
        return rc;
    const char *blocker = lr_graph_blocker(s->graph, buf, sizeof(buf));
    if ((blocker && (rc = try_fixed(s, path, input, blocker, e)) != LR_OK) ||
        (rc = session_find_input(s, e)) != LR_OK ||
        (rc = lr_layers_find(&s->layers, &s->n_layers, s->graph, e)) != LR_OK ||
        (rc = default_plan(s, e)) != LR_OK)
        return rc;
    note_unfolded(s);
    lr_session_note_limits(s);
    blocker = lr_graph_blocker(s->graph, buf, sizeof(buf));
    if (blocker && !lr_session_can_sample(s))
        lr_note(&s->notes, LR_NOTE_WARNING, "%s cannot be run, only looked at: %s",
                s->model_name, blocker);
    else if (blocker && (rc = lr_graph_cut(s->graph, e)) == LR_OK)
        note_cut(s, blocker);
    return rc;
}

enum lr_status lr_session_open(struct lr_session *s, const char *model,
                               const struct lr_shape *input,
                               const struct lr_progress *progress, struct lr_err *e)
{
    const struct lr_embedded *embedded = NULL;
    struct lr_session t = {.settings = s->settings, .notes = s->notes};
    char *found = NULL;
    enum lr_status rc = LR_OK;

    if (model[0] == '@') {
        embedded = lr_embedded_find(model);
        if (!embedded)
            return lr_err_set(e, LR_EINVAL, "%s is not embedded: try %s or %s", model,
                              lr_embedded[0].name, lr_embedded[1].name);
        if ((rc = lr_data_find(&found, embedded->model, e)) != LR_OK)
            return rc;
    }
    const char *slash = strrchr(model, '/');
    t.model_name = lr_strdup(embedded || !slash ? model : slash + 1);
    if (!t.model_name) {
        rc = lr_enomem(e, strlen(model) + 1, "a name");
        goto out;
    }
    rc = load_network(&t, found ? found : model, input, progress, e);
    if (rc != LR_OK)
        goto out;
    char *real = realpath(found ? found : model, NULL);
    t.model_path = real ? lr_strdup(real) : NULL;
    free(real);
    for (int which = 0; embedded && which < 2; which++)
        if ((rc = lr_progress_tick(progress, 0.5 + 0.25 * which, "reading images", e)) !=
                LR_OK ||
            (rc = lr_session_data(&t, which, model, NULL, e)) != LR_OK)
            goto out;
    if ((rc = lr_progress_tick(progress, 1, "opening", e)) != LR_OK)
        goto out;
    lr_session_close(s);
    t.journal = s->journal;
    t.has_journal_failed = s->has_journal_failed;
    t.is_forgetting_told = s->is_forgetting_told;
    *s = t;
    t = (struct lr_session){0};
out:
    lr_session_close(&t);
    lr_free(found);
    return rc;
}

/* The files of an embedded data set, and its normalisation where the user gave none. */
static enum lr_status embedded_data(char **images, char **labels, struct lr_data_opts *o,
                                    int which, const char *src, struct lr_err *e)
{
    const struct lr_embedded *m = lr_embedded_find(src);
    enum lr_status rc;

    if (!m)
        return lr_err_set(e, LR_EINVAL, "%s is not embedded: try %s or %s", src,
                          lr_embedded[0].name, lr_embedded[1].name);
    rc = lr_data_find(images, which ? m->eval_images : m->calib_images, e);
    if (rc != LR_OK)
        return rc;
    if (!o->labels) {
        rc = lr_data_find(labels, which ? m->eval_labels : m->calib_labels, e);
        if (rc != LR_OK)
            return rc;
        o->labels = *labels;
    }
    if (o->n_mean == 0 && o->n_std == 0) {
        o->n_mean = o->n_std = 1;
        o->mean[0] = m->mean;
        o->std[0] = m->std;
    }
    return LR_OK;
}

static bool has_factors_of_images(const struct lr_session *s)
{
    for (int i = 0; i < s->n_layers; i++)
        if (s->plan[i].factors && s->plan[i].factors->calib_sha256[0])
            return true;
    return false;
}

/* Factors stay as they are; that they come from other images than are loaded now must be
 * known to whoever solves only some of the layers again. */
static void note_other_images(const struct lr_session *s)
{
    const char *first = NULL;
    int n = 0;

    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_factors *f = s->plan[i].factors;
        if (!f || !f->calib_sha256[0] ||
            strcmp(f->calib_sha256, lr_dataset_hash(s->calib)) == 0)
            continue;
        if (n++ == 0)
            first = s->layers[i].name;
    }
    if (n)
        lr_note(&s->notes, LR_NOTE_INFO,
                "%d layer%s, the first %s, stay solved on other images; solve all works "
                "from these",
                n, n == 1 ? "" : "s", first);
}

/* A network that reads whole numbers does what else is to be done itself: it gets them as
 * they are stored. asked: whether mean or std were given. */
static enum lr_status integer_input(struct lr_data_opts *o, const struct lr_session *s,
                                    bool asked, struct lr_err *e)
{
    const struct lr_value *x = &s->graph->values[s->graph->inputs[0]];

    if (lr_dtype_is_float(x->dtype))
        return LR_OK;
    if (asked)
        return lr_err_set(
            e, LR_EINVAL,
            "input %.100s takes images as %s, as they are stored: mean, std "
            "and presets that have them are not for it",
            x->name, lr_dtype_name(x->dtype));
    o->n_mean = o->n_std = 0;
    o->scale = o->has_scale ? o->scale : 1;
    o->has_scale = true;
    return LR_OK;
}

enum lr_status lr_session_data(struct lr_session *s, int which, const char *src,
                               const struct lr_data_opts *opts, struct lr_err *e)
{
    struct lr_data_opts o = {0};
    struct lr_dataset *d = NULL;
    char *images = NULL, *labels = NULL;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK)
        return rc;
    if (opts)
        o = *opts;
    else
        o.seed = s->settings.seed;
    if (src[0] == '@' &&
        (rc = embedded_data(&images, &labels, &o, which, src, e)) != LR_OK)
        goto out;
    rc = integer_input(&o, s, opts && (opts->n_mean || opts->n_std), e);
    if (rc != LR_OK)
        goto out;
    o.is_channels_last = s->is_channels_last;
    const struct lr_shape *shape = &s->graph->values[s->graph->inputs[0]].shape;
    o.n_dims = shape->n_dims == 4 && s->in_c <= LR_MAX_CHANNELS ? 0 : shape->n_dims;
    memcpy(o.dims, shape->dims, sizeof(o.dims));
    o.is_forgetting_told = &s->is_forgetting_told;
    rc = lr_dataset_open(&d, images ? images : src, s->in_c, s->in_h, s->in_w, &o,
                         &s->notes, e);
    /* Whether they are the same is to be said. */
    if (rc == LR_OK && which == 0 && has_factors_of_images(s))
        rc = lr_dataset_settle(d, 0, &s->notes, o.progress, e);
    const int64_t n_measured = which ? session_most_measured(s) : 0;
    if (rc == LR_OK && n_measured)
        rc = lr_dataset_settle(d, n_measured, &s->notes, o.progress, e);
    if (rc != LR_OK) {
        lr_dataset_free(d);
        goto out;
    }
    session_drop_sweeps(s);
    session_drop_predictor(s);
    if (which == 0) {
        session_drop_calib(s);
        lr_dataset_free(s->calib);
        s->calib = d;
        note_other_images(s);
    } else {
        session_drop_eval(s);
        lr_dataset_free(s->eval);
        s->eval = d;
    }
out:
    lr_free(images);
    lr_free(labels);
    return rc;
}
