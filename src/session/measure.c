/* What is derived from the network and its images: sampled responses, their spectra, and
 * the accuracy of the original and of the plan. All of it is computed when first needed,
 * kept, and dropped when the images change. */
#include "session/internal.h"
#include "session/memory.h"

#include <math.h>
#include <string.h>

#include "ranklab/mem.h"

struct lr_sampling session_sampling(const struct lr_session *s)
{
    struct lr_sampling o;

    lr_sampling_default(&o);
    o.seed = s->settings.seed;
    return o;
}

struct lr_solve_opts session_solve_opts(const struct lr_session *s)
{
    struct lr_solve_opts o;

    lr_solve_opts_default(&o);
    o.n_iter1 = s->settings.n_iter1;
    o.n_iter2 = s->settings.n_iter2;
    o.lambda1 = s->settings.lambda1;
    o.lambda2 = s->settings.lambda2;
    o.notes = &s->notes;
    return o;
}

const struct lr_rows *session_rows(const struct lr_session *s, int value)
{
    for (int i = 0; i < s->n_responses; i++)
        if (s->responses[i].value == value)
            return &s->responses[i];
    return NULL;
}

static void rows_free(struct lr_rows *rows, int n)
{
    for (int i = 0; rows && i < n; i++)
        lr_rows_free(&rows[i]);
    lr_free(rows);
}

static void spectra_free(struct lr_spectrum *spectra, int n)
{
    for (int i = 0; spectra && i < n; i++)
        lr_spectrum_free(&spectra[i]);
    lr_free(spectra);
}

static void drop_responses(struct lr_session *s)
{
    rows_free(s->responses, s->n_responses);
    spectra_free(s->spectra, s->n_layers);
    s->responses = NULL;
    s->n_responses = 0;
    s->spectra = NULL;
}

void session_drop_calib(struct lr_session *s)
{
    drop_responses(s);
    session_drop_curves(s);
}

void session_drop_eval(struct lr_session *s)
{
    if (s->original)
        lr_outcome_free(s->original);
    lr_free(s->original);
    s->original = NULL;
    s->original_count = 0;
    s->has_eval = false;
}

const char *const lr_convolution_names[] = {"direct", "winograd", "auto", NULL};

void lr_session_set_convolution(struct lr_session *s, int convolution)
{
    if (s->settings.deploy.convolution == convolution)
        return;
    s->settings.deploy.convolution = convolution;
    if (!s->graph)
        return;
    s->graph->convolution = convolution;
    session_drop_sweeps(s);
    session_drop_predictor(s);
    session_drop_calib(s);
    session_drop_eval(s);
}

/* Fully connected layers are large and mostly left alone: they are sampled only when
 * their method asks for it. */
static bool is_wanted(const struct lr_session *s, int i)
{
    return s->layers[i].is_approximable &&
           (s->layers[i].kind == LR_LAYER_CONV || s->plan[i].method != LR_METHOD_KEEP);
}

/* Whether the spectra are there for everything that is wanted now. */
static bool is_complete(const struct lr_session *s)
{
    if (!s->spectra || s->responses_seed != s->settings.seed)
        return false;
    for (int i = 0; i < s->n_layers; i++)
        if (is_wanted(s, i) && !s->spectra[i].eig)
            return false;
    return true;
}

/* The distinct values that layers are solved from. */
static int wanted_values(int *values, const struct lr_session *s)
{
    int n = 0;

    for (int i = 0; i < s->n_layers; i++) {
        int targets[2], n_targets = session_targets(targets, &s->layers[i]);
        for (int k = 0; is_wanted(s, i) && k < n_targets; k++) {
            bool is_listed = false;
            for (int j = 0; j < n; j++)
                is_listed = is_listed || values[j] == targets[k];
            if (!is_listed)
                values[n++] = targets[k];
        }
    }
    return n;
}

static enum lr_status one_spectrum(struct lr_spectrum *out, const struct lr_session *s,
                                   const struct lr_rows *rows, int n_rows, int layer,
                                   struct lr_err *e)
{
    const struct lr_layer *l = &s->layers[layer];
    struct lr_sampling o = session_sampling(s);
    struct lr_tensor *w = NULL, *bias = NULL;
    const struct lr_rows *y = NULL;
    size_t n_fit = 0, n_valid = 0, n_held = 0;

    for (int i = 0; i < n_rows; i++)
        if (rows[i].value == l->value)
            y = &rows[i];
    enum lr_status rc = lr_layer_weights(&w, &bias, s->graph, l, e);
    if (rc != LR_OK)
        return rc;
    lr_sampling_split(&n_fit, &n_valid, &n_held, y->n, lr_dataset_count(s->calib), &o);
    rc = lr_spectrum_compute(out, y->x, n_fit, l, w->data, e);
    if (rc != LR_OK)
        lr_err_prefix(e, "%s", l->name);
    lr_tensor_free(w);
    lr_tensor_free(bias);
    return rc;
}

enum lr_status lr_session_spectra(struct lr_session *s,
                                  const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_sampling o = session_sampling(s);
    struct lr_spectrum *spectra = NULL;
    struct lr_rows *rows = NULL;
    int *values = NULL, n = 0;
    struct lr_progress rest;
    enum lr_status rc = session_need_network(s, e);

    if (rc != LR_OK)
        return rc;
    if (is_complete(s))
        return LR_OK;
    if (!s->calib)
        return lr_err_set(e, LR_EINVAL, "no calibration images: use data calib");
    if ((rc = session_need_samples(s, e)) != LR_OK ||
        (rc = session_settle(s->calib, s, 0, &progress, &rest, e)) != LR_OK)
        return rc;
    size_t most = 2 * (size_t)s->n_layers + 1;
    values = lr_calloc(most, sizeof(*values));
    rows = lr_calloc(most, sizeof(*rows));
    spectra = lr_calloc((size_t)s->n_layers + 1, sizeof(*spectra));
    if (!values || !rows || !spectra) {
        rc = lr_enomem(e, most * sizeof(*rows), "responses");
        goto out;
    }
    n = wanted_values(values, s);
    if ((rc = session_state_spectra(s, values, n, e)) != LR_OK)
        goto out;
    struct lr_progress sub = lr_progress_sub(progress, 0, 0.7);
    rc = lr_sample_values(rows, values, n, s->graph, s->calib, &o, &sub, e);
    if (rc != LR_OK)
        goto out;
    for (int i = 0; i < s->n_layers; i++) {
        rc = lr_progress_tick(progress, 0.7 + 0.3 * i / s->n_layers, "computing spectra",
                              e);
        if (rc == LR_OK && is_wanted(s, i))
            rc = one_spectrum(&spectra[i], s, rows, n, i, e);
        if (rc != LR_OK)
            goto out;
    }
    if ((rc = lr_progress_tick(progress, 1, "computing spectra", e)) != LR_OK)
        goto out;
    drop_responses(s);
    if (s->responses_seed != s->settings.seed)
        session_drop_curves(s); /* else only layers were added */
    s->spectra = spectra;
    s->responses = rows;
    s->n_responses = n;
    s->responses_seed = s->settings.seed;
    spectra = NULL;
    rows = NULL;
out:
    spectra_free(spectra, s->n_layers);
    rows_free(rows, n);
    lr_free(values);
    return rc;
}

enum lr_status session_need_original(struct lr_session *s, int64_t count,
                                     const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_outcome *o;

    if (s->original && s->original_count == count)
        return LR_OK;
    o = lr_calloc(1, sizeof(*o));
    if (!o)
        return lr_enomem(e, sizeof(*o), "the original's outcome");
    enum lr_status rc = lr_outcome_run(o, s->graph, s->eval, count, progress, e);
    if (rc != LR_OK) {
        lr_free(o);
        return rc;
    }
    bool has_eval = s->has_eval;
    session_drop_eval(s);
    s->has_eval = has_eval;
    s->original = o;
    s->original_count = count;
    return LR_OK;
}

/* Outputs beyond this are compared and forgotten, instead of being kept so that the
 * original need not run again. */
static const double MAX_KEPT_BYTES = 1 << 29;

/* Both networks side by side on all outputs; r is of the first. A map has no accuracy. */
static enum lr_status measure_forgetful(struct lr_eval *r, const struct lr_session *s,
                                        const struct lr_graph *g, int64_t count,
                                        const struct lr_progress *progress,
                                        struct lr_err *e)
{
    struct lr_output_measure *m = lr_calloc((size_t)g->n_outputs, sizeof(*m));
    double seconds = 0;

    if (!m)
        return lr_enomem(e, (size_t)g->n_outputs * sizeof(*m), "outputs");
    enum lr_status rc =
        lr_outputs_compare(m, &seconds, s->graph, g, s->eval, count, progress, e);
    if (rc == LR_OK) {
        *r = (struct lr_eval){.images = m[0].images,
                              .agreement = m[0].agreement,
                              .output_error = m[0].output_error,
                              .seconds = seconds};
        r->top1 = r->top1_original = r->top1_difference = NAN;
        r->difference_low = r->difference_high = r->top1_low = r->top1_high = NAN;
        r->top5 = r->top5_original = NAN;
    }
    lr_free(m);
    return rc;
}

static bool is_forgetful(const struct lr_session *s, int64_t count)
{
    struct lr_output_view v;

    lr_output_view(&v, s->graph, 0);
    return v.n_places != 1 && lr_outcome_bytes(s->graph, count) > MAX_KEPT_BYTES;
}

enum lr_status session_measure(struct lr_eval *r, struct lr_session *s, const bool *use,
                               int64_t count, const struct lr_progress *progress,
                               struct lr_err *e)
{
    struct lr_graph *g = NULL;
    struct lr_outcome approximated = {0};
    double split_at = 0;
    bool is_whole = true;
    enum lr_status rc = session_split(&g, s, s->plan, use, e);

    if (rc != LR_OK)
        return rc;
    const bool is_side_by_side = s->graph->n_outputs > 0 && is_forgetful(s, count);
    if ((rc = session_state_eval(s, g, s->eval, count, is_side_by_side, e)) != LR_OK)
        goto out;
    if (is_side_by_side) {
        rc = measure_forgetful(r, s, g, count, progress, e);
        goto out;
    }
    for (int i = 0; i < s->n_layers; i++)
        is_whole = is_whole && !use[i];
    if (!s->original || s->original_count != count) {
        split_at = is_whole ? 1 : 0.5;
        struct lr_progress sub = lr_progress_sub(progress, 0, split_at);
        if ((rc = session_need_original(s, count, &sub, e)) != LR_OK)
            goto out;
    }
    if (!is_whole) {
        struct lr_progress sub = lr_progress_sub(progress, split_at, 1);
        rc = lr_outcome_run(&approximated, g, s->eval, count, &sub, e);
        if (rc != LR_OK)
            goto out;
    }
    rc = lr_eval_compare(r, s->original, is_whole ? s->original : &approximated, e);
out:
    lr_outcome_free(&approximated);
    lr_graph_free(g);
    return rc;
}

/* Ten rows an image, of which eight are fitted, make LR_FEW_ROWS an image a filter. */
void session_warn_few_rows(const struct lr_session *s, const int *list, int n_list)
{
    struct lr_sampling o = session_sampling(s);
    const struct lr_layer *worst = NULL;
    double least = LR_FEW_ROWS;
    size_t n_worst = 0;
    int n = 0;

    for (int k = 0; k < n_list; k++) {
        const struct lr_layer *l = &s->layers[list[k]];
        const struct lr_rows *y = session_rows(s, l->value);
        size_t n_fit, n_valid, n_held;
        if (!y || !lr_method_info(s->plan[list[k]].method)->needs_samples)
            continue;
        lr_sampling_split(&n_fit, &n_valid, &n_held, y->n, lr_dataset_count(s->calib),
                          &o);
        double rows = (double)n_fit * (l->group > 0 ? l->group : 1) / l->d;
        n += rows < LR_FEW_ROWS;
        if (rows < least) {
            least = rows;
            worst = l;
            n_worst = n_fit;
        }
    }
    if (worst)
        lr_note(
            &s->notes, LR_NOTE_WARNING,
            "few calibration images (%lld): %d layer%s fitted to fewer than %d rows a "
            "filter, with a ridge%s %s (%zu for %d)",
            (long long)lr_dataset_count(s->calib), n, n == 1 ? " is" : "s are",
            LR_FEW_ROWS, n == 1 ? ":" : ", at worst", worst->name, n_worst,
            worst->d / (worst->group > 0 ? worst->group : 1));
}
