/* Which images there are, before anything is counted, cut into parts or run. */
#include <string.h>

#include "ranklab/mem.h"
#include "session/internal.h"

/* The share of a command's progress that reading pictures is taken to be. */
static const double READING = 0.1;

enum lr_status session_settle(struct lr_dataset *d, const struct lr_session *s, int64_t n,
                              const struct lr_progress **progress,
                              struct lr_progress *rest, struct lr_err *e)
{
    const bool is_part = n > 0 && n < lr_dataset_count(d);

    if (is_part ? lr_dataset_known(d) >= n : lr_dataset_hash(d)[0])
        return LR_OK;
    struct lr_progress part = lr_progress_sub(*progress, 0, READING);
    *rest = lr_progress_sub(*progress, READING, 1);
    *progress = rest;
    return lr_dataset_settle(d, n, &s->notes, &part, e);
}

enum lr_status session_images_digest(char hex[65], const struct lr_dataset *d, int64_t n,
                                     struct lr_err *e)
{
    if (!d)
        memcpy(hex, "none", sizeof("none"));
    else if (!lr_dataset_hash_first(hex, d, n)[0])
        return lr_enomem(e, 1024, "a digest");
    return LR_OK;
}

enum lr_status session_need_images(int64_t *count, const struct lr_session *s,
                                   int64_t asked, const struct lr_progress **progress,
                                   struct lr_progress *rest, struct lr_err *e)
{
    if (!s->eval)
        return lr_err_set(e, LR_EINVAL, "no evaluation images: use data eval");
    if (asked < 0)
        return lr_err_set(e, LR_EINVAL, "count %lld is below 0", (long long)asked);
    enum lr_status rc = session_settle(s->eval, s, asked, progress, rest, e);
    int64_t n = lr_dataset_count(s->eval);
    *count = asked == 0 || asked > n ? n : asked;
    return rc;
}

enum lr_status lr_session_settle(struct lr_session *s, const struct lr_progress *progress,
                                 struct lr_err *e)
{
    struct lr_progress first = lr_progress_sub(progress, 0, 0.5);
    struct lr_progress second = lr_progress_sub(progress, 0.5, 1);
    enum lr_status rc = LR_OK;

    if (s->calib)
        rc = lr_dataset_settle(s->calib, 0, &s->notes, &first, e);
    if (rc == LR_OK && s->eval)
        rc = lr_dataset_settle(s->eval, 0, &s->notes, &second, e);
    return rc;
}
