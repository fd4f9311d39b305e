/* Accuracy over images, and running tensors of one's own. */
#include "cmd/context.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/engine.h"
#include "ranklab/journal.h"

/* ---- eval ---- */

static const struct out_column columns_outputs[] = {
    {"output", "output", OUT_TEXT, 0, 0},
    {"shape", "shape", OUT_TEXT, 0, 0},
    {"kind", "kind", OUT_TEXT, 0, 0},
    {"images", "images", OUT_INT, 0, 0},
    {"agreement", "agree %", OUT_REAL, 0.01, 2},
    {"output_error", "error", OUT_REAL, 0, 5},
    {"kl", "KL nat", OUT_REAL, 0, 7},
    {"psnr", "PSNR dB", OUT_REAL, 0, 2},
};

static const char *kind_of(const struct lr_output_view *v)
{
    if (v->is_constant)
        return "constant";
    if (v->is_probability)
        return v->n_places > 1 ? "map of probabilities" : "probabilities";
    switch (v->kind) {
    case LR_OUTPUT_SCORES:
        return v->n_places > 1 ? "map of scores" : "scores";
    case LR_OUTPUT_CLASSES:
        return v->n_places > 1 ? "map of classes" : "class";
    case LR_OUTPUT_IMAGE:
        return "image";
    case LR_OUTPUT_VALUES:
        break;
    }
    return "values";
}

static void say_source(struct cmd_ctx *c, const struct lr_answer *a)
{
    char when[CMD_TIME_SIZE];

    if (a->is_from_journal)
        cmd_say(c, "answered from the journal, measured %s; eval --again measures anew",
                cmd_time(when, a->when));
}

static enum lr_status eval_outputs(struct cmd_ctx *c, const struct lr_question *q,
                                   struct cmd_error *e)
{
    const struct lr_graph *g = c->session->graph;
    struct lr_output_measure *m = lr_calloc(g ? (size_t)g->n_outputs : 0, sizeof(*m));
    struct lr_answer a;
    struct out_table t;

    if (!m)
        return lr_enomem(&e->err, sizeof(*m), "outputs");
    enum lr_status st = lr_session_outputs(m, &a, c->session, q, &e->err);
    if (st) {
        lr_free(m);
        return st;
    }
    say_source(c, &a);
    out_table_init(&t, columns_outputs,
                   sizeof(columns_outputs) / sizeof(columns_outputs[0]));
    for (int i = 0; i < g->n_outputs; i++) {
        const struct lr_value *v = &g->values[g->outputs[i]];
        struct lr_shape shape = v->shape;
        char text[LR_MAX_DIMS * 21];
        if (shape.n_dims > 0 && shape.dims[0] == -1)
            shape.dims[0] = 1; /* of one image */
        out_text(&t, v->name);
        out_text(&t, lr_shape_text(text, sizeof(text), &shape));
        out_text(&t, kind_of(&m[i].view));
        out_int(&t, m[i].images);
        out_real(&t, m[i].agreement);
        out_real(&t, m[i].output_error);
        out_real(&t, m[i].kl);
        out_real(&t, m[i].psnr);
    }
    lr_free(m);
    return cmd_table(c, &t, e);
}

static enum lr_status run_eval(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *count = cmd_option(call, "count");
    const struct lr_question q = {.count = count->is_set ? count->i : 0,
                                  .is_again = cmd_option(call, "again")->is_set,
                                  .progress = &c->progress};
    struct lr_answer a;
    struct out_table t;

    if (cmd_option(call, "outputs")->is_set)
        return eval_outputs(c, &q, e);
    enum lr_status st = lr_session_ask(&a, c->session, &q, &e->err);
    if (st)
        return st;
    if (isnan(a.eval.top1) && lr_dataset_labels(c->session->eval))
        cmd_say(c, "labels are not used: the first output gives no class for an image");
    if (isnan(a.eval.agreement))
        cmd_say(c, "the first output has no classes, so there is no accuracy; eval "
                   "--outputs has more than its error");
    say_source(c, &a);
    cmd_eval_table(&t, &a.eval);
    return cmd_table(c, &t, e);
}

/* ---- run ---- */

struct job {
    const struct cmd_ctx *c;
    struct lr_tensor *in, *x; /* as read, as float32 */
    struct lr_graph *g;
    struct lr_net *net;
    float *out;
    size_t per_in, per_out;
    int64_t n;
    struct lr_shape shape; /* of the result */
};

static void job_free(struct job *j)
{
    lr_tensor_free(j->in);
    lr_tensor_free(j->x);
    lr_net_free(j->net);
    lr_graph_free(j->g);
    lr_free(j->out);
}

static enum lr_status read_input(struct job *j, const struct cmd_value *v,
                                 struct cmd_error *e)
{
    const struct lr_session *s = j->c->session;
    char *path = NULL, shape[8 * 21], wanted[8 * 21];
    enum lr_status st = cmd_path(&path, v, e);

    if (!st)
        st = lr_npy_read(&j->in, path, &e->err);
    lr_free(path);
    if (!st)
        st = lr_tensor_to_f32(&j->x, j->in, &e->err);
    if (st)
        return cmd_blame(e, v);
    const struct lr_shape *d = &j->x->shape;
    const struct lr_shape *in = &s->graph->values[s->graph->inputs[0]].shape;
    bool is_fit = d->n_dims == in->n_dims && d->dims[0] >= 1;
    for (int i = 1; is_fit && i < in->n_dims; i++)
        is_fit = d->dims[i] == in->dims[i];
    if (!is_fit)
        return cmd_fail_at(e, v->begin, LR_ESHAPE, "%s is %s; the network takes %s",
                           v->text, lr_shape_text(shape, sizeof(shape), d),
                           lr_shape_text(wanted, sizeof(wanted), in));
    j->n = d->dims[0];
    j->per_in = (size_t)s->in_c * (size_t)s->in_h * (size_t)s->in_w;
    for (int64_t i = 0; i < j->n; i++)
        if (!lr_all_finite((const float *)j->x->data + (size_t)i * j->per_in, j->per_in))
            return cmd_fail_at(e, v->begin, LR_ENUMERIC,
                               "%s: image %lld (counted from 0) has a value that is not "
                               "finite",
                               v->text, (long long)i);
    return LR_OK;
}

/* The result's shape is the first output's, with the batch where the output has it. */
static enum lr_status make_output(struct job *j, struct cmd_error *e)
{
    const struct lr_value *v = &j->g->values[j->g->outputs[0]];

    j->shape = v->shape;
    const bool is_one = j->g->is_batch_fixed;
    if (!v->has_shape || (!is_one && (v->shape.n_dims < 1 || v->shape.dims[0] != -1)))
        return lr_err_set(&e->err, LR_EUNSUP, "the output %s has no batch dimension",
                          v->name);
    j->per_out = 1;
    for (int i = is_one ? 0 : 1; i < v->shape.n_dims; i++)
        j->per_out *= (size_t)v->shape.dims[i];
    /* What has the batch elsewhere gets a dimension in front for several images. */
    const bool has_front = v->shape.n_dims > 0 && (!is_one || v->shape.dims[0] == 1);
    if (!has_front && j->n > 1) {
        if (v->shape.n_dims == LR_MAX_DIMS)
            return lr_err_set(&e->err, LR_EUNSUP, "the output %s has %d dimensions",
                              v->name, v->shape.n_dims);
        memmove(j->shape.dims + 1, v->shape.dims,
                (size_t)v->shape.n_dims * sizeof(v->shape.dims[0]));
        j->shape.n_dims++;
    }
    if (has_front || j->n > 1)
        j->shape.dims[0] = j->n;
    j->out = lr_alloc((size_t)j->n * j->per_out, sizeof(float));
    if (!j->out)
        return lr_enomem(&e->err, (size_t)j->n * j->per_out * sizeof(float),
                         "the output");
    return LR_OK;
}

static enum lr_status run_batches(struct job *j, struct cmd_error *e)
{
    struct lr_net_opts opts = {.batch = lr_engine_good_batch(j->g)};
    struct lr_net_output first = {j->g->outputs[0], LR_NCHW};
    const float *x = j->x->data;
    enum lr_status st;

    opts.outputs = &first;
    opts.n_outputs = 1;
    if (opts.batch > j->n)
        opts.batch = (int)j->n;
    st = lr_net_compile(&j->net, j->g, &opts, &e->err);
    for (int64_t i = 0; !st && i < j->n; i += opts.batch) {
        int m = j->n - i < opts.batch ? (int)(j->n - i) : opts.batch;
        const float *in = x + (size_t)i * j->per_in;
        size_t per_image = 0;
        st = lr_progress_tick(&j->c->progress, (double)i / (double)j->n, "running",
                              &e->err);
        if (!st)
            st = lr_net_run(j->net, m, &in, &e->err);
        if (st)
            break;
        const float *y = lr_net_output(j->net, 0, &per_image);
        if (per_image != j->per_out)
            return lr_err_set(&e->err, LR_ESHAPE, "the output has %zu values, not %zu",
                              per_image, j->per_out);
        memcpy(j->out + (size_t)i * j->per_out, y, (size_t)m * per_image * sizeof(float));
    }
    return st;
}

static enum lr_status run_run(struct cmd_ctx *c, const struct cmd_call *call,
                              struct cmd_error *e)
{
    const struct cmd_value *in = cmd_arg(call, "IN"), *out = cmd_arg(call, "OUT");
    struct job j = {.c = c};
    char *path = NULL, shape[8 * 21];
    enum lr_status st;

    if ((st = read_input(&j, in, e)) != LR_OK ||
        (st = cmd_path_out(&path, c, out, e)) != LR_OK)
        goto done;
    if (cmd_option(call, "original")->is_set)
        st = lr_graph_clone(&j.g, c->session->graph, &e->err);
    else
        st = lr_session_build(&j.g, c->session, false, &e->err);
    if (!st)
        st = lr_session_state_run(c->session, j.g, j.n, &e->err);
    if (st || (st = make_output(&j, e)) != LR_OK || (st = run_batches(&j, e)) != LR_OK)
        goto done;
    st = lr_npy_write(path, j.out, j.shape.dims, j.shape.n_dims, &e->err);
    if (st) {
        cmd_blame(e, out);
        goto done;
    }
    cmd_say(c, "wrote %s (%s)", path, lr_shape_text(shape, sizeof(shape), &j.shape));
done:
    job_free(&j);
    lr_free(path);
    return st;
}

static const struct cmd_param eval_options[] = {
    {.name = "count",
     .type = CMD_T_INT,
     .min = 1,
     .max = 1e12,
     .help = "only the first images"},
    {.name = "again", .type = CMD_T_FLAG, .help = "measure, whatever the journal knows"},
    {.name = "outputs", .type = CMD_T_FLAG, .help = "a row for each output, unlabelled"},
    {0}};
static const struct cmd_param run_args[] = {
    {.name = "IN",
     .type = CMD_T_PATH_IN,
     .help = ".npy, images x channels x height x width"},
    {.name = "OUT", .type = CMD_T_PATH_OUT, .help = ".npy"},
    {0}};
static const struct cmd_param run_options[] = {
    {.name = "original", .type = CMD_T_FLAG, .help = "the network as it was opened"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "ev$al",
     .key = "F5",
     .summary = "accuracy of the approximated network against the original",
     .detail =
         "Both networks see the same images. difference is approximated minus original\n"
         "in points, with its paired 95 % interval low..high; agree is the share of\n"
         "images with the same answer; output error is |o - o'|^2 / |o|^2. A question\n"
         "asked before is answered from the journal (see journal) and says so.\n"
         "The answer is that of the first output. Where it is a map of scores there is "
         "one\n"
         "for each place and agree is the share of places; where it has no classes "
         "there\n"
         "is only the error.\n"
         "--outputs compares every output, without labels: KL is that\n"
         "of probabilities (behind a Softmax), a mean over images and places; PSNR is "
         "for\n"
         "outputs with height and width, against the range of the original's values.\n",
     .examples = "solve; eval --count 200\neval --outputs --count 50\n",
     .options = eval_options,
     .flags = CMD_NEEDS_MODEL | CMD_NEEDS_EVAL | CMD_TABLE,
     .run = run_eval},
    {.name = "ru$n",
     .summary = "push a tensor through the approximated network",
     .detail =
         "The values go in as they stand, without mean and std. The first output of the\n"
         "network is written as float32; where its batch is not the first dimension,\n"
         "several images get one more in front.\n",
     .args = run_args,
     .options = run_options,
     .flags = CMD_NEEDS_MODEL,
     .run = run_run},
};

const struct cmd_group cmd_group_measure = {"Measuring", rows,
                                            sizeof(rows) / sizeof(rows[0])};
