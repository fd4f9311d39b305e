/* Between the session and the configuration file: what is written of a plan. */
#include "cmd/config_file.h"

#include <math.h>
#include <string.h>

#include "out/config.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"

static bool copy_text(char **to, const char *from)
{
    *to = from ? lr_strdup(from) : NULL;
    return !from || *to;
}

/* Mode and seed were used where the factors come from samples. */
static const struct lr_factors *sampled_factors(const struct lr_session *s, int i)
{
    enum lr_state state = lr_session_state(s, i);
    const struct lr_factors *f = s->plan[i].factors;
    bool is_solved = state == LR_STATE_SOLVED || state == LR_STATE_STALE;

    return is_solved && f && f->mode ? f : NULL;
}

static bool config_layer(struct out_config_layer *out, const struct lr_session *s, int i)
{
    const struct lr_factors *f = sampled_factors(s, i);
    struct lr_layer_row r;

    lr_session_row(&r, s, i);
    *out = (struct out_config_layer){.rank = r.rank,
                                     .rank_spatial = r.rank_spatial,
                                     .full_rank = r.full_rank,
                                     .macs = r.macs,
                                     .macs_original = r.macs_original,
                                     .energy = r.energy,
                                     .error_linear = r.error_linear,
                                     .error_calib = r.error_calib,
                                     .error_heldout = r.error_heldout};
    if (f)
        out->seed = (struct out_seed){true, f->seed};
    return copy_text(&out->mode, f ? f->mode : NULL) &&
           copy_text(&out->name, r.layer->name) &&
           copy_text(&out->method, lr_method_info(r.method)->name) &&
           copy_text(&out->state, lr_state_name(r.state));
}

/* What all solved layers share: *mode NULL, or the seed unknown, when they differ. */
static void shared_origin(const char **mode, struct out_seed *seed,
                          const struct lr_session *s)
{
    bool is_one_mode = true, is_one_seed = true;

    *mode = NULL;
    *seed = (struct out_seed){0};
    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_factors *f = sampled_factors(s, i);
        if (!f)
            continue;
        is_one_mode = is_one_mode && (!*mode || strcmp(*mode, f->mode) == 0);
        is_one_seed = is_one_seed && (!seed->is_known || seed->value == f->seed);
        *mode = f->mode;
        *seed = (struct out_seed){true, f->seed};
    }
    if (!is_one_mode)
        *mode = NULL;
    seed->is_known = seed->is_known && is_one_seed;
}

static bool config_head(struct out_config *k, const struct lr_session *s)
{
    struct lr_totals t;
    const char *mode;
    char blas[128], engine[128];

    lr_session_totals(&t, s);
    shared_origin(&mode, &k->seed, s);
    k->threads = lr_la_threads();
    k->macs = t.macs;
    k->macs_original = t.macs_original;
    k->top1 = k->top1_original = NAN;
    k->difference = k->difference_low = k->difference_high = NAN;
    if (s->has_eval) {
        const struct lr_eval *r = &s->last_eval;
        k->eval_images = r->images;
        k->top1 = r->top1;
        k->top1_original = r->top1_original;
        k->difference = r->top1_difference;
        k->difference_low = r->difference_low;
        k->difference_high = r->difference_high;
    }
    return copy_text(&k->model, s->model_name) &&
           copy_text(&k->model_sha256, s->model_sha256) &&
           copy_text(&k->calib, s->calib ? lr_dataset_path(s->calib) : NULL) &&
           copy_text(&k->calib_sha256, s->calib ? lr_dataset_hash(s->calib) : NULL) &&
           copy_text(&k->eval, s->eval ? lr_dataset_path(s->eval) : NULL) &&
           copy_text(&k->eval_sha256, s->eval ? lr_dataset_hash(s->eval) : NULL) &&
           copy_text(&k->mode, mode) && copy_text(&k->program_version, PACKAGE_VERSION) &&
           copy_text(&k->blas_version, lr_la_version(blas, sizeof(blas))) &&
           copy_text(&k->engine_version, lr_engine_version(engine, sizeof(engine)));
}

enum lr_status cmd_export_config(struct cmd_ctx *c, const char *path, struct cmd_error *e)
{
    const struct lr_session *s = c->session;
    struct out_config k = {0};
    enum lr_status st = LR_OK;

    k.layers = lr_calloc((size_t)s->n_layers + 1, sizeof(*k.layers));
    bool is_ok = k.layers && config_head(&k, s);
    for (int i = 0; is_ok && i < s->n_layers; i++) {
        k.n_layers = i + 1;
        is_ok = config_layer(&k.layers[i], s, i);
    }
    if (!is_ok)
        st = lr_enomem(&e->err, (size_t)s->n_layers * sizeof(*k.layers),
                       "a configuration");
    else
        st = out_config_write(&k, path, &e->err);
    out_config_free(&k);
    if (!st)
        cmd_say(c, "wrote %s", path);
    return st;
}
