/* Points of layers in the journal. A point depends on the layer, its ranks and method,
 * the settings of the solver and the images; where a precision ended it, on that and on
 * the metric as well. One over all images answers any precision. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ranklab/journal.h"
#include "session/sweep_internal.h"

static bool make_key(char key[65], const struct lr_session *s,
                     const struct lr_sweep_point *p, const struct lr_sweep_opts *o,
                     double precision)
{
    const struct lr_settings *t = &s->settings;
    struct lr_strbuf b = {0};
    char calib[65], images[65] = "none";

    if (session_images_digest(calib, s->calib, 0, NULL) != LR_OK ||
        (p->n_images > 0 &&
         session_images_digest(images, s->eval, p->n_images, NULL) != LR_OK))
        return false;
    lr_strbuf_printf(&b,
                     "layer %d: %s %d,%d\nmodel %s, input %dx%dx%d\ncalibration %s\n"
                     "images %s, first %" PRId64 "\nseed %" PRIu64
                     ", iterations %d %d, lambda %.17g %.17g\n",
                     p->layer, lr_method_info(p->method)->name, p->ranks.channel,
                     p->ranks.spatial, s->model_sha256, s->in_c, s->in_h, s->in_w, calib,
                     images, p->n_images, t->seed, t->n_iter1, t->n_iter2, t->lambda1,
                     t->lambda2);
    session_key_engine(&b, s);
    if (precision > 0)
        lr_strbuf_printf(&b, "precision %.17g, metric %d\n", precision, (int)o->metric);
    bool is_made = !b.is_failed;
    if (is_made)
        lr_journal_key(key, b.s);
    lr_strbuf_free(&b);
    return is_made;
}

bool sweep_recall(struct lr_sweep_point *p, struct lr_session *s,
                  const struct lr_sweep_opts *o)
{
    struct lr_journal *j = lr_session_journal(s);
    const struct lr_record *r = NULL;
    char key[65];

    if (!j)
        return false;
    if (make_key(key, s, p, o, 0))
        r = lr_journal_find(j, key);
    if (!r && o->precision > 0 && make_key(key, s, p, o, o->precision))
        r = lr_journal_find(j, key);
    if (!r || r->n_images != p->n_images || r->rank != p->ranks.channel)
        return false;
    p->energy = r->energy;
    p->error_linear = r->error_linear;
    p->error_heldout = r->error_heldout;
    p->sampling = isnan(r->sampling) ? 0 : r->sampling;
    if (p->n_images > 0)
        p->eval = r->measure;
    p->is_from_journal = true;
    return true;
}

enum lr_status sweep_keep(const struct lr_sweep_point *p, struct lr_session *s,
                          const struct lr_sweep_opts *o, struct lr_err *e)
{
    struct lr_record r = {0};

    if (!lr_session_journal(s))
        return LR_OK;
    enum lr_status rc =
        session_record_init(&r, s, p->n_images, s->layers[p->layer].name, NULL, e);
    if (rc != LR_OK)
        return rc;
    r.method = lr_strdup(lr_method_info(p->method)->name);
    if (!r.method || !make_key(r.key, s, p, o, p->sampling > 0 ? o->precision : 0)) {
        lr_record_free(&r);
        return lr_enomem(e, 64, "a record");
    }
    r.rank = p->ranks.channel;
    r.rank_spatial = p->ranks.spatial > 0 ? p->ranks.spatial : -1;
    r.macs = p->macs;
    r.speedup = p->speedup;
    r.energy = p->energy;
    r.error_linear = p->error_linear;
    r.error_heldout = p->error_heldout;
    r.sampling = p->sampling;
    r.n_images = p->n_images;
    if (p->n_images > 0)
        r.measure = p->eval;
    lr_session_journal_add(s, &r);
    lr_record_free(&r);
    return LR_OK;
}
