/* What a configuration file says was measured. It stays with the plan that was imported,
 * through undo and under the names it is kept by, until the plan is changed. */
#include "session/internal.h"

#include "out/config.h"
#include "ranklab/mem.h"

struct lr_told {
    int refs;
    struct out_config file;
};

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
