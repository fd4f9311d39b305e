/* Records of the journal, and the table of what is written of them. */
#include "session/journal_internal.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "out/journal_line.h"
#include "ranklab/file.h"

#define AT(member) offsetof(struct lr_record, member)

/* Integers up to this are exact as doubles, which is how the limits are held. */
#define MAX_COUNT 9007199254740992.0
/* Quotients and differences of counts may end a little beside their limits. */
#define SHARE true, 0, 1.000001
#define DIFFERENCE true, -1.000001, 1.000001
#define ANY true, 0, HUGE_VAL

static const struct out_journal_field fields[] = {
    {"key", OUT_JOURNAL_HASH, AT(key), false, 0, 0},
    {"when", OUT_JOURNAL_INT64, AT(when), false, 0, 253402300799.0},
    {"version", OUT_JOURNAL_TEXT, AT(version), true, 0, 0},
    {"model", OUT_JOURNAL_HASH, AT(model), true, 0, 0},
    {"calibration", OUT_JOURNAL_HASH, AT(calib), true, 0, 0},
    {"evaluation", OUT_JOURNAL_HASH, AT(eval), true, 0, 0},
    {"what", OUT_JOURNAL_TEXT, AT(what), false, 0, 0},
    {"method", OUT_JOURNAL_TEXT, AT(method), true, 0, 0},
    {"detail", OUT_JOURNAL_TEXT, AT(detail), true, 0, 0},
    {"rank", OUT_JOURNAL_INT, AT(rank), true, 0, INT_MAX},
    {"rank_spatial", OUT_JOURNAL_INT, AT(rank_spatial), true, 0, INT_MAX},
    {"macs", OUT_JOURNAL_INT64, AT(macs), true, 0, MAX_COUNT},
    {"speedup", OUT_JOURNAL_REAL, AT(speedup), ANY},
    {"energy", OUT_JOURNAL_REAL, AT(energy), SHARE},
    {"error_linear", OUT_JOURNAL_REAL, AT(error_linear), ANY},
    {"error_heldout", OUT_JOURNAL_REAL, AT(error_heldout), ANY},
    {"n_images", OUT_JOURNAL_INT64, AT(n_images), false, 0, MAX_COUNT},
    {"images", OUT_JOURNAL_INT64, AT(measure.images), false, 0, MAX_COUNT},
    {"top1", OUT_JOURNAL_REAL, AT(measure.top1), SHARE},
    {"top1_original", OUT_JOURNAL_REAL, AT(measure.top1_original), SHARE},
    {"top1_difference", OUT_JOURNAL_REAL, AT(measure.top1_difference), DIFFERENCE},
    {"difference_low", OUT_JOURNAL_REAL, AT(measure.difference_low), DIFFERENCE},
    {"difference_high", OUT_JOURNAL_REAL, AT(measure.difference_high), DIFFERENCE},
    {"top1_low", OUT_JOURNAL_REAL, AT(measure.top1_low), SHARE},
    {"top1_high", OUT_JOURNAL_REAL, AT(measure.top1_high), SHARE},
    {"top5", OUT_JOURNAL_REAL, AT(measure.top5), SHARE},
    {"top5_original", OUT_JOURNAL_REAL, AT(measure.top5_original), SHARE},
    {"agreement", OUT_JOURNAL_REAL, AT(measure.agreement), SHARE},
    {"output_error", OUT_JOURNAL_REAL, AT(measure.output_error), ANY},
    {"kl", OUT_JOURNAL_REAL, AT(kl), ANY},
    {"psnr", OUT_JOURNAL_REAL, AT(psnr), true, -HUGE_VAL, HUGE_VAL},
    {"sampling", OUT_JOURNAL_REAL, AT(sampling), ANY},
    {"seconds", OUT_JOURNAL_REAL, AT(measure.seconds), ANY},
};
enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

void lr_record_free(struct lr_record *r)
{
    if (!r)
        return;
    lr_free(r->what);
    lr_free(r->method);
    lr_free(r->detail);
    lr_free(r->version);
    *r = (struct lr_record){0};
}

enum lr_status lr_record_init(struct lr_record *r, struct lr_err *e)
{
    struct lr_eval *m = &r->measure;

    *r = (struct lr_record){.rank = -1, .rank_spatial = -1, .macs = -1};
    r->speedup = r->energy = r->error_linear = r->error_heldout = r->sampling = NAN;
    r->kl = r->psnr = NAN;
    m->top1 = m->top1_original = m->top1_difference = NAN;
    m->difference_low = m->difference_high = m->top1_low = m->top1_high = NAN;
    m->top5 = m->top5_original = m->agreement = m->output_error = m->seconds = NAN;
    r->when = (int64_t)time(NULL);
    r->version = lr_strdup(PACKAGE_VERSION);
    return r->version ? LR_OK : lr_enomem(e, sizeof(PACKAGE_VERSION), "a record");
}

void lr_journal_key(char key[65], const char *text)
{
    static const char head[] = "ranklab " PACKAGE_VERSION "\n";
    struct lr_strbuf b = {0};

    lr_strbuf_puts(&b, head);
    lr_strbuf_puts(&b, text);
    /* Without memory: no key of anything. */
    lr_sha256(key, b.is_failed ? NULL : b.s, b.is_failed ? 0 : b.len);
    lr_strbuf_free(&b);
}

enum lr_status journal_record_write(struct lr_strbuf *b, const struct lr_record *r,
                                    struct lr_err *e)
{
    if (r->measure.images > r->n_images)
        return lr_err_set(e, LR_EINVAL, "a record of more images than there are");
    return out_journal_write(b, fields, N_FIELDS, r, e);
}

enum lr_status journal_record_read(struct lr_record *r, const char *line, size_t len,
                                   struct lr_err *e)
{
    *r = (struct lr_record){0};
    enum lr_status rc = out_journal_read(r, fields, N_FIELDS, line, len, e);
    if (rc == LR_OK && r->measure.images > r->n_images)
        rc = lr_err_set(e, LR_EPARSE, "images is out of range");
    if (rc != LR_OK)
        lr_record_free(r);
    return rc;
}

static bool copy_text(char **to, const char *from)
{
    *to = from ? lr_strdup(from) : NULL;
    return *to || !from;
}

enum lr_status journal_record_copy(struct lr_record *to, const struct lr_record *from,
                                   struct lr_err *e)
{
    struct lr_record r = *from;

    r.what = r.method = r.detail = r.version = NULL;
    bool is_copied = copy_text(&r.what, from->what);
    is_copied = copy_text(&r.method, from->method) && is_copied;
    is_copied = copy_text(&r.detail, from->detail) && is_copied;
    is_copied = copy_text(&r.version, from->version) && is_copied;
    if (!is_copied) {
        lr_record_free(&r);
        *to = r;
        return lr_enomem(e, sizeof(r), "a record");
    }
    *to = r;
    return LR_OK;
}

/* The number of images behind a fraction; -1: not known. */
static int64_t images_of(double share, int64_t n)
{
    return isnan(share) ? -1 : llround(share * (double)n);
}

bool journal_record_conflicts(const struct lr_record *a, const struct lr_record *b)
{
    const struct lr_eval *x = &a->measure, *y = &b->measure;
    double scale = fmax(fabs(x->output_error), fabs(y->output_error));
    bool is_known = isfinite(x->output_error) && isfinite(y->output_error);

    return x->images != y->images ||
           images_of(x->top1, x->images) != images_of(y->top1, y->images) ||
           images_of(x->top1_original, x->images) !=
               images_of(y->top1_original, y->images) ||
           images_of(x->agreement, x->images) != images_of(y->agreement, y->images) ||
           (is_known && fabs(x->output_error - y->output_error) > 1e-4 * scale);
}
