/* The plan as a configuration file. */
#include "session/internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out/config.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

static bool copy_text(char **to, const char *from)
{
    lr_free(*to);
    *to = from ? lr_strdup(from) : NULL;
    return !from || *to;
}

static void put_reals(struct lr_strbuf *b, const char *option, int n, const float *x)
{
    /* The shortest that gives the same float. */
    for (int i = 0; i < n; i++) {
        char text[40];
        int digits = 1;
        do
            snprintf(text, sizeof(text), "%.*g", digits++, (double)x[i]);
        while (digits <= 9 && (float)strtod(text, NULL) != x[i]);
        lr_strbuf_printf(b, "%s%s", i ? "," : option, text);
    }
}

/* Images as the data command would be told of them. */
static bool put_images(struct out_config_images *out, const struct lr_dataset *d)
{
    struct lr_strbuf b = {0};

    if (!d)
        return true;
    const struct lr_data_opts *o = lr_dataset_opts(d);
    lr_strbuf_add(&b, "", 0);
    if (o->count)
        lr_strbuf_printf(&b, " --count %" PRId64 " --seed %" PRIu64, o->count, o->seed);
    put_reals(&b, " --mean ", o->n_mean, o->mean);
    put_reals(&b, " --std ", o->n_std, o->std);
    if (o->has_scale)
        put_reals(&b, " --scale ", 1, &o->scale);
    if (o->is_bgr)
        lr_strbuf_puts(&b, " --bgr");
    if (o->resize_h)
        lr_strbuf_printf(&b, o->resize_w ? " --resize %d,%d" : " --resize %d",
                         o->resize_h, o->resize_w);
    out->count = lr_dataset_count(d);
    bool is_ok = !b.is_failed && copy_text(&out->options, b.len ? b.s + 1 : "") &&
                 copy_text(&out->path, lr_dataset_path(d)) &&
                 (!lr_dataset_hash(d)[0] || copy_text(&out->sha256, lr_dataset_hash(d)));
    lr_strbuf_free(&b);
    return is_ok;
}

/* The images that were evaluated; of those that are not loaded any more, what is known.
 */
static bool put_eval_images(struct out_config_images *out, const struct lr_dataset *d,
                            const struct lr_config *v)
{
    char now[65];

    if (!v->has_eval)
        return put_images(out, d);
    const bool has_sha256 = v->eval_sha256 && v->eval_sha256[0];
    bool is_loaded =
        d && has_sha256 &&
        strcmp(v->eval_sha256, lr_dataset_hash_first(now, d, v->eval.images)) == 0;
    out->count = -1;
    if (is_loaded
            ? !put_images(out, d)
            : !copy_text(&out->options, NULL) || !copy_text(&out->path, v->eval_path))
        return false;
    return copy_text(&out->sha256, has_sha256 ? v->eval_sha256 : NULL);
}

static bool has_factors(const struct lr_session *s)
{
    for (int i = 0; i < s->n_layers; i++)
        if (s->plan[i].factors)
            return true;
    return false;
}

/* The images that the layers were solved from, if they are the same for all of them; each
 * layer tells of its own besides. */
static bool put_calib_images(struct out_config_images *out, const struct lr_session *s)
{
    const struct lr_factors *first = NULL;
    bool is_shared = true;

    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_factors *f = s->plan[i].factors;
        if (!f || !f->calib_sha256[0])
            continue;
        if (!first)
            first = f;
        is_shared = is_shared && strcmp(f->calib_sha256, first->calib_sha256) == 0;
    }
    if (!first || (is_shared && s->calib &&
                   strcmp(first->calib_sha256, lr_dataset_hash(s->calib)) == 0))
        return put_images(out, s->calib);
    if (!is_shared)
        return true;
    out->count = first->calib_images;
    return copy_text(&out->sha256, first->calib_sha256);
}

/* A layer as the configuration file describes it. false: no memory. */
static bool put_layer(struct out_config_layer *out, const struct lr_session *s, int layer)
{
    const struct lr_layer *l = &s->layers[layer];
    const struct lr_factors *f = s->plan[layer].factors;
    struct out_config_solved *k = &out->solved;
    struct lr_layer_row r;
    char shape[128];

    lr_session_row(&r, s, layer);
    snprintf(shape, sizeof(shape), "%dx%dx%dx%d/%d", l->d, l->c, l->kh, l->kw, l->group);
    out->rank = r.rank;
    out->rank_spatial = r.rank_spatial;
    out->full_rank = r.full_rank;
    out->macs = r.macs;
    out->macs_original = r.macs_original;
    out->params = r.params;
    out->params_original = r.params_original;
    out->energy = r.energy;
    out->error_linear = r.error_linear;
    out->error_calib = r.error_calib;
    out->error_heldout = r.error_heldout;
    out->error_pre = r.error_pre;
    out->error_own = r.error_own;
    out->error_inherited = r.error_inherited;
    out->error_refit = r.error_refit;
    if (f && f->mode) {
        k->seed = (struct out_seed){true, f->seed};
        k->n_iter1 = f->n_iter1;
        k->n_iter2 = f->n_iter2;
        k->lambda1 = f->lambda1;
        k->lambda2 = f->lambda2;
        k->is_alone = f->is_alone;
        k->calib_images = f->calib_images;
        if (!copy_text(&k->mode, f->mode) ||
            !copy_text(&k->calib_sha256, f->calib_sha256))
            return false;
    }
    return copy_text(&out->name, l->name) && copy_text(&out->shape, shape) &&
           copy_text(&out->method, lr_method_info(r.method)->name) &&
           copy_text(&out->state, lr_state_name(r.state));
}

/* Settings that give these factors again: those all solved layers share, else those in
 * force. */
static bool put_settings(struct out_config *k, const struct lr_session *s)
{
    const struct lr_factors *first = NULL;
    struct lr_settings x = s->settings;
    const char *mode = lr_mode_name(x.mode);
    bool is_shared = true;

    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_factors *f = s->plan[i].factors;
        if (!f || !f->mode)
            continue;
        if (!first)
            first = f;
        is_shared = is_shared && f->seed == first->seed &&
                    strcmp(f->mode, first->mode) == 0 && f->n_iter1 == first->n_iter1 &&
                    f->n_iter2 == first->n_iter2 && f->lambda1 == first->lambda1 &&
                    f->lambda2 == first->lambda2;
    }
    if (first && is_shared) {
        mode = first->mode;
        x.seed = first->seed;
        x.n_iter1 = first->n_iter1;
        x.n_iter2 = first->n_iter2;
        x.lambda1 = first->lambda1;
        x.lambda2 = first->lambda2;
    }
    k->seed = (struct out_seed){true, x.seed};
    k->round = x.round > 1 ? x.round : 1;
    k->n_iter1 = x.n_iter1;
    k->n_iter2 = x.n_iter2;
    k->lambda1 = x.lambda1;
    k->lambda2 = x.lambda2;
    k->deploy_batch = x.deploy.batch;
    k->deploy_threads = x.deploy.threads;
    return copy_text(&k->mode, mode) &&
           copy_text(&k->deploy_engine, lr_deploy_engine_names[x.deploy.engine]) &&
           copy_text(&k->convolution,
                     lr_convolution_names[x.deploy.convolution - LR_CONV_DIRECT]);
}

static bool put_result(struct out_config *k, const struct lr_config *v)
{
    const struct lr_eval *r = &v->eval;

    if (!v->has_eval)
        return true;
    k->result = (struct out_config_eval){
        r->images,          r->top1,           r->top1_original,
        r->top1_difference, r->difference_low, r->difference_high,
        r->top1_low,        r->top1_high,      r->top5,
        r->top5_original,   r->agreement,      r->output_error,
        r->seconds,         v->evaluated_at};
    return true;
}

/* Whether the milliseconds that a file tells are those of the deployment in force. */
static bool is_told_there(const struct out_config *told, const struct lr_deploy *d)
{
    return told->deploy_engine && told->convolution && told->deploy_batch == d->batch &&
           told->deploy_threads == d->threads &&
           strcmp(told->deploy_engine, lr_deploy_engine_names[d->engine]) == 0 &&
           strcmp(told->convolution,
                  lr_convolution_names[d->convolution - LR_CONV_DIRECT]) == 0;
}

static bool put_head(struct out_config *k, const struct lr_session *s,
                     const struct lr_config *v)
{
    char blas[128], engine[128], input[64];
    const struct out_config *told = session_told_file(s->told);

    /* What is told of an imported plan is passed on, unless it was evaluated since. */
    if (told && !out_config_copy_head(k, told))
        return false;
    if (told && !is_told_there(told, &s->settings.deploy))
        k->ms = k->ms_original = NAN;
    snprintf(input, sizeof(input), "%dx%dx%d", s->in_c, s->in_h, s->in_w);
    k->macs = v->totals.macs;
    k->macs_original = v->totals.macs_original;
    k->params = v->totals.params;
    k->params_original = v->totals.params_original;
    k->net_macs = v->totals.net_macs;
    k->net_macs_original = v->totals.net_macs_original;
    k->net_params = v->totals.net_params;
    k->net_params_original = v->totals.net_params_original;
    if (!put_settings(k, s) || !copy_text(&k->input, input) ||
        !copy_text(&k->model_sha256, s->model_sha256) ||
        (!told && !copy_text(&k->model, s->model_name)))
        return false;
    if ((!told || v->has_eval) &&
        (!put_eval_images(&k->eval, s->eval, v) || !put_result(k, v)))
        return false;
    if (told && !v->has_eval)
        return true;
    k->ms = v->ms;
    k->ms_original = v->ms_original;
    k->program.threads = lr_la_threads();
    return (told || put_calib_images(&k->calib, s)) &&
           copy_text(&k->program.version, PACKAGE_VERSION) &&
           copy_text(&k->program.blas, lr_la_version(blas, sizeof(blas))) &&
           copy_text(&k->program.engine, lr_engine_version(engine, sizeof(engine)));
}

enum lr_status lr_session_export_config(struct lr_session *s, const char *name,
                                        const char *path, struct lr_err *e)
{
    struct out_config k;
    struct lr_config view = {0};
    const struct lr_config *v = &view;
    struct lr_session shown = *s; /* with the plan that is written */
    enum lr_status rc = session_need_network(s, e);

    out_config_init(&k);
    if (rc == LR_OK && name && (rc = lr_session_find_config(&v, s, name, e)) == LR_OK) {
        shown.plan = v->plan;
        shown.settings = v->settings;
        shown.told = v->told;
    } else if (rc == LR_OK) {
        rc = lr_session_view_config(&view, s, e);
    }
    if (rc != LR_OK)
        return rc;
    /* Whether the layers were solved from the images that are loaded is written. */
    if (s->calib && !lr_dataset_hash(s->calib)[0] && has_factors(&shown) &&
        (rc = lr_dataset_settle(s->calib, 0, &s->notes, NULL, e)) != LR_OK)
        goto out;
    const struct out_config *told = session_told_file(shown.told);
    k.layers = lr_calloc((size_t)s->n_layers + 1, sizeof(*k.layers));
    bool is_ok = k.layers && put_head(&k, &shown, v);
    if (is_ok && name)
        is_ok = copy_text(&k.name, name);
    for (int i = 0; is_ok && i < s->n_layers; i++) {
        out_config_layer_init(&k.layers[i]);
        k.n_layers = i + 1;
        is_ok = put_layer(&k.layers[i], &shown, i);
        if (is_ok && told && i < told->n_layers)
            is_ok = out_config_layer_copy(&k.layers[i], &told->layers[i]);
    }
    rc = is_ok ? out_config_write(&k, path, e)
               : lr_enomem(e, (size_t)s->n_layers * sizeof(*k.layers), "a configuration");
out:
    out_config_free(&k);
    lr_config_view_free(&view);
    return rc;
}
