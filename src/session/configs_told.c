/* What a configuration file says was measured. It stays with the plan that was imported,
 * through undo and under the names it is kept by, until the plan is changed. */
#include "session/internal.h"

#include "out/config.h"
#include "ranklab/mem.h"

struct lr_told {
    int refs;
    struct out_config file;
};

struct lr_told *session_told_new(struct out_config *file)
{
    struct lr_told *t = lr_calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->refs = 1;
    t->file = *file;
    out_config_init(file);
    return t;
}

const struct out_config *session_told_file(const struct lr_told *t)
{
    return t ? &t->file : NULL;
}

bool session_told_eval(struct lr_config *c)
{
    const struct out_config *k = session_told_file(c->told);

    if (!k || k->result.images <= 0)
        return true;
    const struct out_config_eval *r = &k->result;
    c->is_eval_told = true;
    c->evaluated_at = r->at > 0 ? r->at : 0;
    c->eval = (struct lr_eval){.images = r->images,
                               .top1 = r->top1,
                               .top1_original = r->top1_original,
                               .top1_difference = r->difference,
                               .difference_low = r->difference_low,
                               .difference_high = r->difference_high,
                               .top1_low = r->top1_low,
                               .top1_high = r->top1_high,
                               .top5 = r->top5,
                               .top5_original = r->top5_original,
                               .agreement = r->agreement,
                               .output_error = r->output_error,
                               .seconds = r->seconds};
    c->eval_path = k->eval.path ? lr_strdup(k->eval.path) : NULL;
    c->eval_sha256 = k->eval.sha256 ? lr_strdup(k->eval.sha256) : NULL;
    return (!k->eval.path || c->eval_path) && (!k->eval.sha256 || c->eval_sha256);
}

struct lr_told *session_told_ref(struct lr_told *t)
{
    if (t)
        t->refs++;
    return t;
}

void session_told_unref(struct lr_told *t)
{
    if (!t || --t->refs > 0)
        return;
    out_config_free(&t->file);
    lr_free(t);
}
