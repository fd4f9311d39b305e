/* All outputs of a network against the original's, kept as one record for each: they are
 * answered together or not at all. */
#include <stdio.h>
#include <string.h>

#include "ranklab/file.h"
#include "ranklab/journal.h"
#include "ranklab/mem.h"
#include "session/internal.h"
#include "session/memory.h"

enum { KEY = 65 };

/* One key for each output. */
static enum lr_status make_keys(char (*keys)[KEY], const struct lr_session *s,
                                const bool *use, int64_t count, struct lr_err *e)
{
    enum lr_status rc = LR_OK;
    char what[64];

    for (int i = 0; rc == LR_OK && i < s->graph->n_outputs; i++) {
        snprintf(what, sizeof(what), "output %d of %d", i, s->graph->n_outputs);
        rc = session_key_eval(keys[i], s, what, use, count, e);
    }
    return rc;
}

static bool recall(struct lr_output_measure *m, struct lr_answer *a,
                   const struct lr_session *s, struct lr_journal *j, char (*keys)[KEY],
                   int64_t count)
{
    for (int i = 0; i < s->graph->n_outputs; i++) {
        const struct lr_record *r = lr_journal_find(j, keys[i]);
        if (!r || r->measure.images != count)
            return false;
        m[i] = (struct lr_output_measure){.images = count,
                                          .agreement = r->measure.agreement,
                                          .output_error = r->measure.output_error,
                                          .kl = r->kl,
                                          .psnr = r->psnr};
        lr_output_view(&m[i].view, s->graph, i);
        a->when = r->when;
    }
    a->is_from_journal = true;
    return true;
}

static enum lr_status keep_one(struct lr_session *s, const struct lr_output_measure *m,
                               int output, const char *key, struct lr_err *e)
{
    struct lr_strbuf detail = {0};
    struct lr_record r = {0};

    lr_strbuf_printf(&detail, "%s; ", s->graph->values[s->graph->outputs[output]].name);
    session_plan_text(&detail, s);
    enum lr_status rc = detail.is_failed
                            ? lr_enomem(e, 1024, "a record")
                            : session_record_network(&r, s, m->images, detail.s, e);
    char *what = rc == LR_OK ? lr_strdup("output") : NULL;
    if (what) {
        lr_free(r.what);
        r.what = what;
        memcpy(r.key, key, KEY);
        r.measure.images = m->images;
        r.measure.agreement = m->agreement;
        r.measure.output_error = m->output_error;
        r.kl = m->kl;
        r.psnr = m->psnr;
        lr_session_journal_add(s, &r);
    } else if (rc == LR_OK) {
        rc = lr_enomem(e, 8, "a record");
    }
    lr_record_free(&r);
    lr_strbuf_free(&detail);
    return rc;
}

/* Failing to keep what was measured is no failure of measuring it. */
static void keep(struct lr_session *s, const struct lr_output_measure *m,
                 char (*keys)[KEY])
{
    struct lr_err e = {0};

    for (int i = 0; i < s->graph->n_outputs; i++)
        if (keep_one(s, &m[i], i, keys[i], &e) != LR_OK) {
            session_journal_complain(s, "outputs are not kept", &e);
            return;
        }
}

static enum lr_status measure(struct lr_output_measure *m, const struct lr_session *s,
                              int64_t count, const struct lr_progress *progress,
                              struct lr_err *e)
{
    struct lr_graph *g = NULL;
    enum lr_status rc = lr_session_build(&g, s, false, e);

    if (rc == LR_OK)
        rc = session_state_eval(s, g, s->eval, count, true, e);
    if (rc == LR_OK)
        rc = lr_outputs_compare(m, NULL, s->graph, g, s->eval, count, progress, e);
    lr_graph_free(g);
    return rc;
}

enum lr_status lr_session_outputs(struct lr_output_measure *m, struct lr_answer *a,
                                  struct lr_session *s, const struct lr_question *q,
                                  struct lr_err *e)
{
    const struct lr_progress *progress = q->progress;
    struct lr_progress rest;
    char(*keys)[KEY] = NULL;
    int64_t count = 0;
    bool *use = NULL;
    enum lr_status rc = session_need_network(s, e);

    *a = (struct lr_answer){0};
    if (rc != LR_OK ||
        (rc = session_need_images(&count, s, q->count, &progress, &rest, e)) != LR_OK ||
        (rc = session_need_run(s, e)) != LR_OK)
        return rc;
    use = lr_calloc((size_t)s->n_layers + 1, sizeof(*use));
    keys = lr_calloc((size_t)s->graph->n_outputs + 1, sizeof(*keys));
    if (!use || !keys) {
        rc = lr_enomem(e, (size_t)s->n_layers, "a set of layers");
        goto out;
    }
    if ((rc = session_layers_used(use, s, false, e)) != LR_OK)
        goto out;
    struct lr_journal *j = lr_session_journal(s);
    if (j && (rc = make_keys(keys, s, use, count, e)) != LR_OK)
        goto out;
    if (j && !q->is_again && recall(m, a, s, j, keys, count))
        goto out;
    if ((rc = measure(m, s, count, progress, e)) != LR_OK)
        goto out;
    a->when = session_now();
    if (j)
        keep(s, m, keys);
out:
    lr_free(use);
    lr_free(keys);
    return rc;
}
