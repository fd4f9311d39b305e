/* A configuration file as the plan. Everything is checked before anything is changed, and
 * every difference between the file and the session is told in a line of its own. */
#include "session/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "out/config.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

enum { MAX_WORDS = 32 };

struct import {
    struct lr_session *s;
    const struct out_config *file;
    const char *path;
    bool is_force, is_whole; /* whole: the plan is the file's in every layer */
    int n_problems;
    struct lr_layer_plan *next;
    struct lr_settings settings;
};

static bool differs(const char *a, const char *b)
{
    return a && b && strcmp(a, b) != 0;
}

/* A layer that cannot be taken as it stands in the file. */
#define PROBLEM(im, ...)                                                                 \
    do {                                                                                 \
        lr_note(&(im)->s->notes, LR_NOTE_WARNING, __VA_ARGS__);                          \
        (im)->n_problems++;                                                              \
        (im)->is_whole = false;                                                          \
    } while (0)

/* n_used: of the file's images, the first that its hash is of (0: all); files written
 * before have that of all in any case. */
static void tell_images(const struct import *im, const struct out_config_images *k,
                        const struct lr_dataset *d, int64_t n_used, const char *role)
{
    char first[65];

    if (!k->sha256 ||
        (d && (strcmp(k->sha256, lr_dataset_hash(d)) == 0 ||
               strcmp(k->sha256, lr_dataset_hash_first(first, d, n_used)) == 0)))
        return;
    const char *loaded = d ? "others are loaded" : "none are loaded";
    if (!k->path || k->count < 0)
        lr_note(&im->s->notes, LR_NOTE_INFO, "%s images: %s; the file's are of %s", role,
                loaded, k->path ? k->path : "a place that it does not tell");
    else
        lr_note(&im->s->notes, LR_NOTE_INFO,
                "%s images: %s; the file's are %lld of %s (data %s %s %s)", role, loaded,
                (long long)k->count, k->path, role, k->path,
                k->options ? k->options : "");
}

static void tell_program(const struct import *im)
{
    const struct out_config_program *p = &im->file->program;
    const struct lr_notes *notes = &im->s->notes;

    if (differs(p->version, PACKAGE_VERSION))
        lr_note(notes, LR_NOTE_INFO, "program: %s wrote the file, this is %s", p->version,
                PACKAGE_VERSION);
    if (p->threads > 0 && p->threads != lr_la_threads())
        lr_note(notes, LR_NOTE_INFO, "threads: %d in the file, %d here (set threads)",
                p->threads, lr_la_threads());
}

static void take_settings(struct import *im)
{
    const struct out_config *k = im->file;
    struct lr_settings *t = &im->settings;

    *t = im->s->settings;
    if (k->mode) {
        int m = LR_MODE_ASYM;
        while (m < LR_MODE_SYMHAT && strcmp(k->mode, lr_mode_name((enum lr_mode)m)) != 0)
            m++;
        t->mode = (enum lr_mode)m;
    }
    if (k->seed.is_known)
        t->seed = k->seed.value;
    if (k->round > 0)
        t->round = k->round;
    if (k->n_iter1 >= 0)
        t->n_iter1 = k->n_iter1;
    if (k->n_iter2 >= 0)
        t->n_iter2 = k->n_iter2;
    if (!isnan(k->lambda1))
        t->lambda1 = k->lambda1;
    if (!isnan(k->lambda2))
        t->lambda2 = k->lambda2;
}

/* The file's, one of lr_convolution_names; those in force when it says none. */
static int convolution_of(const struct import *im)
{
    const char *name = im->file->convolution;
    int k = LR_CONV_DIRECT;

    if (!name)
        return im->s->settings.deploy.convolution;
    while (strcmp(lr_convolution_names[k - LR_CONV_DIRECT], name) != 0)
        k++;
    return k;
}

/* What the file says of the deployment; the rest as it is in force. */
static struct lr_deploy deploy_of(const struct import *im)
{
    const struct out_config *k = im->file;
    struct lr_deploy d = im->s->settings.deploy;

    d.convolution = convolution_of(im);
    if (k->deploy_batch > 0)
        d.batch = k->deploy_batch;
    if (k->deploy_threads >= 0)
        d.threads = k->deploy_threads;
    for (int i = 0; k->deploy_engine && lr_deploy_engine_names[i]; i++)
        if (strcmp(k->deploy_engine, lr_deploy_engine_names[i]) == 0)
            d.engine = (enum lr_deploy_engine)i;
    return d;
}

/* What the network is to run on, and how the engine convolves, is of the session, not of
 * the plan: undo leaves it. */
static void use_deploy(struct lr_session *s, const struct lr_deploy *d)
{
    struct lr_deploy *now = &s->settings.deploy;

    if (d->convolution != now->convolution) {
        lr_note(&s->notes, LR_NOTE_INFO, "set convolution %s, as in the file",
                lr_convolution_names[d->convolution - LR_CONV_DIRECT]);
        lr_session_set_convolution(s, d->convolution);
    }
    if (d->engine != now->engine)
        lr_note(&s->notes, LR_NOTE_INFO, "set deploy-engine %s, as in the file",
                lr_deploy_engine_names[d->engine]);
    if (d->batch != now->batch)
        lr_note(&s->notes, LR_NOTE_INFO, "set deploy-batch %d, as in the file", d->batch);
    if (d->threads != now->threads)
        lr_note(&s->notes, LR_NOTE_INFO, "set deploy-threads %d, as in the file",
                d->threads);
    *now = *d;
}

/* Whether factors that are there are what the file says was solved. */
static bool is_solved_so(const struct lr_factors *f, const struct out_config_layer *k,
                         enum lr_method m, struct lr_ranks r)
{
    const struct out_config_solved *t = &k->solved;

    if (!f || f->method != m || f->rank != r.channel || f->rank_spatial != r.spatial)
        return false;
    if (!f->mode)
        return !t->mode;
    return t->mode && strcmp(f->mode, t->mode) == 0 && t->seed.is_known &&
           t->seed.value == f->seed && t->calib_sha256 &&
           strcmp(t->calib_sha256, f->calib_sha256) == 0 && t->n_iter1 == f->n_iter1 &&
           t->n_iter2 == f->n_iter2 && t->lambda1 == f->lambda1 &&
           t->lambda2 == f->lambda2 && k->error_calib == f->error_calib &&
           k->error_heldout == f->error_heldout;
}

/* Why a method cannot be had on the layer, or NULL. */
static const char *refusal(const struct lr_layer *l, enum lr_method m)
{
    enum lr_split split = lr_method_info(m)->split;

    if (m == LR_METHOD_KEEP)
        return NULL;
    if (!l->is_approximable)
        return "the layer cannot be approximated";
    if ((split == LR_SPLIT_SPATIAL || split == LR_SPLIT_BOTH) &&
        (l->kind == LR_LAYER_FC || (l->kh == 1 && l->kw == 1)))
        return "the layer has no spatial part";
    if (m == LR_METHOD_RELU && !lr_act_is_nonlinear(&l->act))
        return "no ReLU follows";
    return NULL;
}

static void take_layer(struct import *im, int i, const struct out_config_layer *k,
                       const struct lr_method_info *m)
{
    const struct lr_session *s = im->s;
    const struct lr_layer *l = &s->layers[i];
    struct lr_rank_layer rl = lr_session_rank_layer_as(s, i, m->id);
    struct lr_ranks full = lr_ranks_whole(&rl), r = {k->rank, 0};
    struct lr_layer_plan *p = &im->next[i];
    const char *why = refusal(l, m->id);
    int step = l->group > 0 ? l->group : 1;
    char shape[128];

    if (k->rank_spatial > 0)
        r.spatial = k->rank_spatial;
    snprintf(shape, sizeof(shape), "%dx%dx%dx%d/%d", l->d, l->c, l->kh, l->kw, l->group);
    if (differs(k->shape, shape))
        PROBLEM(im, "%s: the file has %s, the network %s", l->name, k->shape, shape);
    if (why)
        PROBLEM(im, "%s: method %s of the file: %s", l->name, m->name, why);
    else if (r.channel < 1 || r.channel > full.channel || r.channel % step)
        PROBLEM(im, "%s: rank %d of the file; 1 to %d is possible, in steps of %d",
                l->name, r.channel, full.channel, step);
    else if ((full.spatial == 0) != (r.spatial == 0) || r.spatial > full.spatial ||
             r.spatial % step)
        PROBLEM(im,
                "%s: spatial rank %d of the file; %d to %d is possible, in steps of %d",
                l->name, r.spatial, full.spatial ? 1 : 0, full.spatial, step);
    else {
        p->method = m->id;
        p->ranks = r;
        return;
    }
    p->ranks = (struct lr_ranks){l->d, 0};
    p->method = LR_METHOD_KEEP;
}

/* Layers are found by name; a name stands in the file once and in the network once. */
static enum lr_status take_layers(struct import *im, struct lr_err *e)
{
    struct lr_session *s = im->s;
    const struct out_config *file = im->file;
    bool *dropped = lr_calloc((size_t)s->n_layers + 1, sizeof(*dropped));
    int n_found = 0;
    enum lr_status rc = LR_OK;

    if (!dropped)
        return lr_enomem(e, (size_t)s->n_layers, "a set of layers");
    for (int i = 0; rc == LR_OK && i < s->n_layers; i++) {
        int at = i; /* mostly in the same place */
        struct lr_layer_plan *p = &im->next[i];
        if (at >= file->n_layers || strcmp(file->layers[at].name, s->layers[i].name) != 0)
            for (at = 0; at < file->n_layers; at++)
                if (strcmp(file->layers[at].name, s->layers[i].name) == 0)
                    break;
        if (at >= file->n_layers) {
            PROBLEM(im, "%s: not in the file, stays whole", s->layers[i].name);
            p->method = LR_METHOD_KEEP;
            p->ranks = (struct lr_ranks){s->layers[i].d, 0};
        } else {
            const struct lr_method_info *m = lr_method_find(file->layers[at].method);
            n_found++;
            im->is_whole = im->is_whole && at == i;
            take_layer(im, i, &file->layers[at], m);
        }
        dropped[i] = p->factors &&
                     (at >= file->n_layers ||
                      !is_solved_so(p->factors, &file->layers[at], p->method, p->ranks));
        if (dropped[i]) {
            lr_factors_unref(p->factors);
            p->factors = NULL;
            p->is_stale = false;
        }
    }
    if (rc == LR_OK && n_found < file->n_layers)
        PROBLEM(im, "%d layers of the file are not in the network",
                file->n_layers - n_found);
    if (rc == LR_OK)
        rc = session_mark_stale(s, im->next, dropped, NULL, e);
    lr_free(dropped);
    return rc;
}

/* What the file says was measured belongs to it only as long as its ranks and its costs
 * go together: someone may have changed the ranks by hand. */
static bool is_consistent(struct import *im)
{
    struct lr_session shown = *im->s;

    shown.plan = im->next;
    for (int i = 0; im->is_whole && i < shown.n_layers; i++) {
        const struct out_config_layer *k = &im->file->layers[i];
        struct lr_layer_row r;
        lr_session_row(&r, &shown, i);
        if (k->macs >= 0 && k->macs != r.macs) {
            lr_note(&im->s->notes, LR_NOTE_WARNING,
                    "%s: the multiply-adds of the file are not those of its ranks; what "
                    "it says was measured is left out",
                    shown.layers[i].name);
            im->is_whole = false;
        }
    }
    return im->is_whole && im->file->schema > 1;
}

static enum lr_status check_model(struct import *im, struct lr_err *e)
{
    const struct out_config *k = im->file;
    const struct lr_session *s = im->s;
    char input[64];

    snprintf(input, sizeof(input), "%dx%dx%d", s->in_c, s->in_h, s->in_w);
    if (differs(k->input, input))
        lr_note(&s->notes, LR_NOTE_WARNING, "input: %s in the file, %s here", k->input,
                input);
    bool is_other = !k->model_sha256 || strcmp(k->model_sha256, s->model_sha256) != 0 ||
                    differs(k->input, input);
    if (is_other)
        im->is_whole = false;
    if (is_other && !im->is_force)
        return lr_err_set(e, LR_EINVAL,
                          "%s is for another network, %s; --force takes what fits",
                          im->path, k->model ? k->model : "whose name is not given");
    if (im->n_problems && !im->is_force)
        return lr_err_set(e, LR_EINVAL,
                          "%s does not fit the network in %d places; --force takes what "
                          "fits",
                          im->path, im->n_problems);
    return LR_OK;
}

/* Methods and modes that are not known are told with their line. */
static enum lr_status read_file(struct out_config *file, const char *path,
                                struct lr_err *e)
{
    const char *methods[MAX_WORDS + 1] = {0}, *modes[LR_MODE_SYMHAT + 2] = {0};
    const struct out_config_words words = {methods, modes, lr_convolution_names,
                                           lr_deploy_engine_names};

    for (int i = 0; i < lr_n_methods && i < MAX_WORDS; i++)
        methods[i] = lr_methods[i].name;
    for (int i = 0; i <= LR_MODE_SYMHAT; i++)
        modes[i] = lr_mode_name((enum lr_mode)i);
    return out_config_read(file, path, &words, e);
}

enum lr_status lr_session_import_config(struct lr_session *s, const char *path,
                                        bool is_force, struct lr_err *e)
{
    struct out_config file;
    struct import im = {
        .s = s, .file = &file, .path = path, .is_force = is_force, .is_whole = true};
    struct lr_told *told = NULL;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK || (rc = read_file(&file, path, e)) != LR_OK)
        return rc;
    if ((rc = session_plan_copy(&im.next, s, e)) != LR_OK ||
        (rc = take_layers(&im, e)) != LR_OK || (rc = check_model(&im, e)) != LR_OK)
        goto out;
    take_settings(&im);
    const struct lr_deploy deploy = deploy_of(&im); /* told takes the file's strings */
    tell_images(&im, &file.calib, s->calib, 0, "calib");
    tell_images(&im, &file.eval, s->eval, file.result.images, "eval");
    tell_program(&im);
    if (is_consistent(&im) && !(told = session_told_new(&file))) {
        rc = lr_enomem(e, sizeof(file), "a configuration");
        goto out;
    }
    rc = session_plan_replace(s, im.next, &im.settings, NULL, told, e);
    im.next = NULL;
    if (rc == LR_OK)
        use_deploy(s, &deploy);
out:
    session_plan_free(im.next, s->n_layers);
    session_told_unref(told);
    out_config_free(&file);
    return rc;
}
