/* The approximated network as an ONNX file: the network's own file with the split layers
 * replaced, compared with the network in memory before it takes its name. */
#include "ranklab/export.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ranklab/onnx.h"
#include "session/internal.h"

static const double TOLERANCE = 1e-4, TOLERANCE_HALF = 2e-2;

struct job {
    const struct lr_session *s; /* with the plan that is written */
    const struct lr_export_opts *o;
    bool *use;
    struct lr_graph *g; /* the network in memory */
    float *want;        /* what it responds */
    size_t n;
    struct lr_exported *r;
};

/* ---- what was read back ---- */

static enum lr_status compare(void *arg, struct lr_graph *back, struct lr_err *e)
{
    struct job *j = arg;
    double limit = j->o->is_half ? TOLERANCE_HALF : TOLERANCE;
    float *got = NULL;
    size_t n = 0;
    enum lr_status rc = lr_progress_tick(j->o->progress, 0.6, "comparing", e);

    if (rc != LR_OK || (rc = session_prepare(back, j->s, e)) != LR_OK)
        return rc;
    int64_t macs = lr_graph_cost(back).macs, wanted = lr_graph_cost(j->g).macs;
    if (macs != wanted)
        return lr_err_set(e, LR_EIO, "it has %lld multiply-adds, not %lld",
                          (long long)macs, (long long)wanted);
    if (j->n == 0)
        return LR_OK;
    rc = session_probe(&got, &n, j->s, back, e);
    if (rc == LR_OK && n != j->n)
        rc = lr_err_set(e, LR_EIO, "it has %zu outputs, not %zu", n, j->n);
    if (rc == LR_OK) {
        double d = session_difference(got, j->want, n);
        j->r->is_run = true;
        j->r->difference = d;
        /* Networks whose own outputs are not finite cannot be told apart. */
        if (d > limit || (isnan(d) && isfinite(session_difference(j->want, j->want, n))))
            rc = lr_err_set(e, LR_ENUMERIC,
                            "its outputs differ by %.2g from those of the network in "
                            "memory, where %g is allowed%s",
                            d, limit,
                            j->o->is_half ? ": 16-bit weights are too coarse" : "");
    }
    lr_free(got);
    return rc;
}

/* ---- the file ---- */

static struct lr_onnx_swap swap_of(const struct job *j, int layer)
{
    const struct lr_factors *f = j->s->plan[layer].factors;
    const struct lr_layer *l = &j->s->layers[layer];

    return (struct lr_onnx_swap){.layer = l->name,
                                 .value = j->s->graph->values[l->value].name,
                                 .n_parts = f->n_parts,
                                 .parts = f->parts,
                                 .has_all_names = j->o->has_all_names,
                                 .is_half = j->o->is_half};
}

static bool is_written(const struct job *j, int layer)
{
    return j->use[layer] && j->s->plan[layer].factors;
}

/* A layer that the file itself does not hold, or -1. */
static int find_hidden(const struct job *j, const struct lr_onnx_file *file)
{
    for (int i = 0; i < j->s->n_layers; i++) {
        if (!is_written(j, i))
            continue;
        struct lr_onnx_swap w = swap_of(j, i);
        if (!lr_onnx_has_layer(file, &w))
            return i;
    }
    return -1;
}

static enum lr_status replace_layers(const struct job *j, struct lr_onnx_file *file,
                                     struct lr_err *e)
{
    enum lr_status rc = LR_OK;
    int lost = 0;

    for (int i = 0; rc == LR_OK && i < j->s->n_layers; i++) {
        char doc[256];
        if (!is_written(j, i))
            continue;
        struct lr_onnx_swap w = swap_of(j, i);
        session_describe(doc, sizeof(doc), j->s->plan[i].factors, &j->s->layers[i]);
        w.doc = doc;
        rc = lr_onnx_replace(file, &lost, &w, e);
        if (rc == LR_OK && lost)
            lr_note(&j->s->notes, LR_NOTE_INFO,
                    "%s: %d channel%s multiplied by 0 later on, so what %s before is not "
                    "known; 0 is written",
                    j->s->layers[i].name, lost, lost == 1 ? " is" : "s are",
                    lost == 1 ? "it was" : "they were");
    }
    return rc;
}

static enum lr_status add_props(const struct job *j, struct lr_onnx_file *file,
                                struct lr_err *e)
{
    struct lr_strbuf plan = {0};
    char macs[64];
    enum lr_status rc;

    session_plan_text(&plan, j->s);
    snprintf(macs, sizeof(macs), "%lld of %lld", (long long)lr_graph_cost(j->g).macs,
             (long long)lr_graph_cost(j->s->graph).macs);
    rc = plan.is_failed ? lr_enomem(e, plan.len, "metadata")
                        : lr_onnx_set_prop(file, "ranklab.version", PACKAGE_VERSION, e);
    if (rc == LR_OK)
        rc = lr_onnx_set_prop(file, "ranklab.model_sha256", j->s->model_sha256, e);
    if (rc == LR_OK)
        rc = lr_onnx_set_prop(file, "ranklab.plan", plan.s ? plan.s : "", e);
    if (rc == LR_OK)
        rc = lr_onnx_set_prop(file, "ranklab.macs", macs, e);
    lr_strbuf_free(&plan);
    return rc;
}

/* Where the file cannot hold the split, the network as it is held. */
static enum lr_status write_held(const struct job *j, int layer, const char *path,
                                 struct lr_err *e)
{
    const char *name = j->s->layers[layer].name;

    if (j->o->has_all_names || j->o->is_half)
        return lr_err_set(e, LR_EUNSUP,
                          "%s lies in a branch of an If and cannot be replaced in the "
                          "file: %s is not possible",
                          name, j->o->has_all_names ? "--keep-names" : "--fp16");
    lr_note(&j->s->notes, LR_NOTE_WARNING,
            "%s lies in a branch of an If: the network is written as it is held here, "
            "with constants and batch normalisation folded and branches taken",
            name);
    j->r->is_run = j->n > 0;
    return lr_onnx_write(j->g, path, e);
}

static enum lr_status export_job(struct job *j, const char *path, struct lr_err *e)
{
    struct lr_onnx_save save = {.max_bytes = j->o->max_bytes,
                                .check = compare,
                                .arg = j,
                                .progress = j->o->progress};
    struct lr_onnx_file *file = NULL;
    enum lr_status rc = session_layers_used(j->use, j->s, false, e);

    if (rc != LR_OK ||
        (rc = lr_progress_tick(j->o->progress, 0, "splitting", e)) != LR_OK)
        return rc;
    if (!j->s->model_path)
        return lr_err_set(e, LR_EINVAL, "where the file of %s lies is not known",
                          j->s->model_name);
    if ((rc = session_split(&j->g, j->s, j->s->plan, j->use, e)) != LR_OK ||
        (rc = session_probe(&j->want, &j->n, j->s, j->g, e)) != LR_OK ||
        (rc = lr_progress_tick(j->o->progress, 0.3, "writing", e)) != LR_OK)
        return rc;
    rc = lr_onnx_open(&file, j->s->model_path, j->s->model_sha256, j->s->graph, e);
    /* Not what is written is at fault, but what the session stands for. */
    if (rc == LR_EIO && e) {
        lr_err_prefix(e, "the network's own file is needed");
        rc = e->code = LR_EINVAL;
    }
    if (rc != LR_OK)
        return rc;
    int hidden = find_hidden(j, file);
    if (hidden >= 0) {
        rc = write_held(j, hidden, path, e);
        goto out;
    }
    if ((rc = replace_layers(j, file, e)) == LR_OK &&
        (rc = add_props(j, file, e)) == LR_OK)
        rc = lr_onnx_save(file, &j->r->data, path, &save, e);
out:
    lr_onnx_close(file);
    return rc;
}

enum lr_status lr_session_export_onnx(struct lr_exported *r, struct lr_session *s,
                                      const char *path, const struct lr_export_opts *o,
                                      struct lr_err *e)
{
    struct lr_session shown = *s;
    const struct lr_config *k;
    struct job j = {.s = &shown, .o = o, .r = r};
    enum lr_status rc = session_need_network(s, e);

    *r = (struct lr_exported){.difference = NAN};
    if (rc == LR_OK && o->config &&
        (rc = lr_session_find_config(&k, s, o->config, e)) == LR_OK) {
        shown.plan = k->plan;
        shown.settings = k->settings;
    }
    if (rc != LR_OK)
        return rc;
    j.use = lr_calloc((size_t)s->n_layers + 1, sizeof(*j.use));
    rc = j.use ? export_job(&j, path, e)
               : lr_enomem(e, (size_t)s->n_layers, "a set of layers");
    lr_graph_free(j.g);
    lr_free(j.want);
    lr_free(j.use);
    if (rc != LR_OK)
        lr_exported_clear(r);
    return rc;
}

void lr_exported_clear(struct lr_exported *r)
{
    lr_free(r->data);
    *r = (struct lr_exported){.difference = NAN};
}
