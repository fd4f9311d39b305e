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
