/* The journal of a session, and evaluations through it. The key of an evaluation spells
 * out the network, the images and the very factors of every layer that is split, so it
 * does not matter how they were found. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/engine.h"
#include "ranklab/file.h"
#include "ranklab/journal.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/memo.h"
#include "session/internal.h"

/* ---- the session's journal ---- */

void session_journal_complain(struct lr_session *s, const char *why,
                              const struct lr_err *e)
{
    if (!s->has_journal_failed)
        lr_note(&s->notes, LR_NOTE_WARNING, "%s: %s", why, e->msg);
    s->has_journal_failed = true;
}

struct lr_journal *lr_session_journal(struct lr_session *s)
{
    struct lr_err e = {0};

    if (!s->settings.has_journal)
        return NULL;
    if (!s->journal && !s->has_journal_failed &&
        lr_journal_open(&s->journal, NULL, &s->notes, &e) != LR_OK)
        session_journal_complain(s, "evaluations are not kept", &e);
    return s->journal;
}

void lr_session_journal_add(struct lr_session *s, const struct lr_record *r)
{
    struct lr_journal *j = lr_session_journal(s);
    struct lr_err e = {0};

    if (j && lr_journal_add(j, r, &e) != LR_OK)
        session_journal_complain(s, "evaluations are kept for this session only", &e);
}

/* ---- the key ---- */

enum lr_status session_factors_digest(struct lr_factors *f, struct lr_err *e)
{
    struct lr_strbuf b = {0};

    if (f->digest[0])
        return LR_OK;
    for (int i = 0; i < f->n_parts; i++) {
        const struct lr_conv_part *p = &f->parts[i];
        char w[65], bias[65] = "none";
        size_t n =
            (size_t)p->cout * (size_t)(p->cin / p->group) * (size_t)p->kh * (size_t)p->kw;
        lr_sha256(w, p->w, n * sizeof(*p->w));
        if (p->b)
            lr_sha256(bias, p->b, (size_t)p->cout * sizeof(*p->b));
        lr_strbuf_printf(&b, "%d %d %d %d %d, %d %d, %d %d, %d %d %d %d, %s %s\n",
                         p->cout, p->cin, p->kh, p->kw, p->group, p->stride_h,
                         p->stride_w, p->dil_h, p->dil_w, p->pad_top, p->pad_left,
                         p->pad_bottom, p->pad_right, w, bias);
    }
    bool is_failed = b.is_failed;
    if (!is_failed)
        lr_sha256(f->digest, b.s, b.len);
    lr_strbuf_free(&b);
    return is_failed ? lr_enomem(e, 1024, "a digest") : LR_OK;
}

void session_key_engine(struct lr_strbuf *b, const struct lr_session *s)
{
    char cpu[192], version[64];

    for (int i = 0; s->graph->file_outputs && i < s->graph->n_outputs; i++)
        lr_strbuf_printf(b, "output %s\n", s->graph->values[s->graph->outputs[i]].name);
    /* the libraries' last digits depend on them */
    lr_strbuf_printf(b, "%d threads\n", lr_la_threads());
    if (s->settings.deploy.convolution == LR_CONV_WINOGRAD)
        lr_strbuf_puts(b, "convolution winograd\n");
    /* what was found to be faster depends on these */
    if (s->settings.deploy.convolution == LR_CONV_AUTO)
        lr_strbuf_printf(b, "convolution auto, %s, %s\n", lr_cpu_name(cpu, sizeof(cpu)),
                         lr_engine_version(version, sizeof(version)));
}

enum lr_status session_key_eval(char key[65], const struct lr_session *s,
                                const char *what, const bool *use, int64_t count,
                                struct lr_err *e)
{
    struct lr_strbuf b = {0};
    char images[65];
    enum lr_status rc = session_images_digest(images, s->eval, count, e);

    if (rc != LR_OK)
        return rc;
    lr_strbuf_printf(&b, "%s\nmodel %s, input %dx%dx%d\nimages %s, first %" PRId64 "\n",
                     what, s->model_sha256, s->in_c, s->in_h, s->in_w, images, count);
    session_key_engine(&b, s);
    for (int i = 0; rc == LR_OK && i < s->n_layers; i++) {
        if (!use[i])
            continue;
        rc = session_factors_digest(s->plan[i].factors, e);
        lr_strbuf_printf(&b, "layer %d: %s %d,%d %s\n", i,
                         lr_method_info(s->plan[i].method)->name,
                         s->plan[i].ranks.channel, s->plan[i].ranks.spatial,
                         s->plan[i].factors->digest);
    }
    if (rc == LR_OK && b.is_failed)
        rc = lr_enomem(e, b.len, "a key");
    if (rc == LR_OK)
        lr_journal_key(key, b.s);
    lr_strbuf_free(&b);
    return rc;
}

/* ---- records ---- */

static void copy_hash(char to[65], const char *from)
{
    for (size_t i = 0; i < 64 && (to[i] = from[i]); i++)
        to[i + 1] = '\0';
}

enum lr_status session_record_init(struct lr_record *r, const struct lr_session *s,
                                   int64_t n_images, const char *what, const char *detail,
                                   struct lr_err *e)
{
    char images[65];
    enum lr_status rc = LR_OK;

    if (s->eval && n_images > 0)
        rc = session_images_digest(images, s->eval, n_images, e);
    if (rc != LR_OK || (rc = lr_record_init(r, e)) != LR_OK)
        return rc;
    copy_hash(r->model, s->model_sha256);
    if (s->calib)
        copy_hash(r->calib, lr_dataset_hash(s->calib));
    if (s->eval && n_images > 0)
        copy_hash(r->eval, images);
    else if (s->eval)
        copy_hash(r->eval, lr_dataset_hash(s->eval));
    r->n_images = n_images;
    r->when = session_now();
    r->what = lr_strdup(what);
    r->detail = detail ? lr_strdup(detail) : NULL;
    if (r->what && (r->detail || !detail))
        return LR_OK;
    lr_record_free(r);
    return lr_enomem(e, 64, "a record");
}

enum lr_status session_record_network(struct lr_record *r, const struct lr_session *s,
                                      int64_t count, const char *detail, struct lr_err *e)
{
    struct lr_totals t;
    enum lr_status rc = session_record_init(r, s, count, "network", detail, e);

    if (rc != LR_OK)
        return rc;
    lr_session_totals(&t, s);
    r->macs = t.macs;
    r->speedup = t.speedup;
    r->energy = session_plan_energy(s);
    return LR_OK;
}

double session_plan_energy(const struct lr_session *s)
{
    double energy = 1;

    for (int i = 0; i < s->n_layers; i++) {
        struct lr_layer_row row;
        lr_session_row(&row, s, i);
        if (row.state != LR_STATE_WHOLE)
            energy *= row.energy;
    }
    return energy;
}

void session_plan_text(struct lr_strbuf *b, const struct lr_session *s)
{
    for (int i = 0; i < s->n_layers; i++) {
        const struct lr_layer_plan *p = &s->plan[i];
        lr_strbuf_printf(b, "%s%s:%d", i ? " " : "", lr_method_info(p->method)->name,
                         p->ranks.channel);
        if (p->ranks.spatial)
            lr_strbuf_printf(b, ",%d", p->ranks.spatial);
        if (lr_session_state(s, i) == LR_STATE_STALE)
            lr_strbuf_putc(b, '!');
    }
}

bool session_plan_read(enum lr_method *methods, struct lr_ranks *ranks,
                       const struct lr_session *s, const char *text)
{
    for (int i = 0; i < s->n_layers; i++) {
        char name[32];
        size_t n = strcspn(text, ":");
        if (n >= sizeof(name) || text[n] != ':')
            return false;
        memcpy(name, text, n);
        name[n] = '\0';
        const struct lr_method_info *m = lr_method_find(name);
        if (!m)
            return false;
        char *end;
        long channel = strtol(text + n + 1, &end, 10), spatial = 0;
        if (*end == ',')
            spatial = strtol(end + 1, &end, 10);
        struct lr_rank_layer l = lr_session_rank_layer_as(s, i, m->id);
        struct lr_ranks whole = lr_ranks_whole(&l);
        if (channel < 0 || channel > whole.channel || spatial < 0 ||
            spatial > whole.spatial || *end != (i + 1 < s->n_layers ? ' ' : '\0'))
            return false;
        methods[i] = m->id;
        ranks[i] = (struct lr_ranks){(int)channel, (int)spatial};
        text = end + 1;
    }
    return true;
}

/* Failing to keep what was measured is no failure of measuring it. */
static void keep(struct lr_session *s, const char *key, const struct lr_eval *r)
{
    struct lr_record record = {0};
    struct lr_strbuf detail = {0};
    struct lr_err e = {0};

    session_plan_text(&detail, s);
    if (detail.is_failed)
        lr_enomem(&e, 1024, "a record");
    if (detail.is_failed ||
        session_record_network(&record, s, r->images, detail.s, &e) != LR_OK)
        goto out;
    copy_hash(record.key, key);
    record.measure = *r;
    lr_session_journal_add(s, &record);
out:
    if (e.code != LR_OK)
        session_journal_complain(s, "evaluations are not kept", &e);
    lr_record_free(&record);
    lr_strbuf_free(&detail);
}

/* ---- asking ---- */

enum lr_status lr_session_ask(struct lr_answer *a, struct lr_session *s,
                              const struct lr_question *q, struct lr_err *e)
{
    const struct lr_progress *progress = q->progress;
    struct lr_progress rest;
    int64_t count = 0;
    char key[65];
    bool *use = NULL;
    enum lr_status rc = session_need_network(s, e);

    *a = (struct lr_answer){0};
    if (rc != LR_OK ||
        (rc = session_need_images(&count, s, q->count, &progress, &rest, e)) != LR_OK)
        return rc;
    use = lr_calloc((size_t)s->n_layers + 1, sizeof(*use));
    if (!use)
        return lr_enomem(e, (size_t)s->n_layers, "a set of layers");
    if ((rc = session_need_run(s, e)) != LR_OK ||
        (rc = session_layers_used(use, s, false, e)) != LR_OK ||
        (rc = lr_progress_tick(progress, 0, "evaluating", e)) != LR_OK)
        goto out;
    struct lr_journal *j = lr_session_journal(s);
    if (j && (rc = session_key_eval(key, s, "evaluation", use, count, e)) != LR_OK)
        goto out;
    const struct lr_record *known = j && !q->is_again ? lr_journal_find(j, key) : NULL;
    if (known && known->measure.images == count) {
        a->eval = known->measure;
        a->when = known->when;
        a->is_from_journal = true;
    } else {
        rc = session_measure(&a->eval, s, use, count, progress, e);
        if (rc != LR_OK)
            goto out;
        a->when = session_now();
        if (j)
            keep(s, key, &a->eval);
    }
    s->last_eval = a->eval;
    s->has_eval = true;
    s->evaluated_at = a->when;
    rc = session_predict_note(s, &a->eval, e);
out:
    lr_free(use);
    return rc;
}

enum lr_status lr_session_evaluate(struct lr_eval *r, struct lr_session *s, int64_t count,
                                   const struct lr_progress *progress, struct lr_err *e)
{
    const struct lr_question q = {.count = count, .progress = progress};
    struct lr_answer a;
    enum lr_status rc = lr_session_ask(&a, s, &q, e);

    if (rc == LR_OK)
        *r = a.eval;
    return rc;
}
