/* Factors in a file: a text that says what they are and ends with its own hash, then the
 * weights part by part, each part's bias behind its filters, as this machine holds
 * floats. The text holds the digest of the parts, so damage of the weights shows too. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/file.h"
#include "ranklab/mem.h"
#include "session/unfinished.h"

static const char heading[] = "ranklab factors 1\n";
static const char *const modes[] = {"asym", "sym", "symhat"};
enum { N_MODES = 3, MAX_TEXT = 1 << 20, MAX_SIDE = 1 << 28 };
static const size_t max_file = (size_t)1 << 40;

static size_t count_weights(const struct lr_conv_part *p)
{
    return (size_t)p->cout * (size_t)(p->cin / p->group) * (size_t)p->kh * (size_t)p->kw;
}

/* ---- writing ---- */

static void put_head(struct lr_strbuf *b, const struct lr_factors *f, const char *key)
{
    const double errors[] = {f->error_calib,  f->error_heldout,   f->error_pre,
                             f->error_linear, f->error_inherited, f->error_own,
                             f->error_refit,  f->lambda1,         f->lambda2};
    int mode = 0;

    for (int i = 0; f->mode && i < N_MODES; i++)
        if (strcmp(f->mode, modes[i]) == 0)
            mode = i + 1;
    lr_strbuf_puts(b, heading);
    lr_strbuf_printf(b, "%s\n", key);
    lr_strbuf_printf(b, "%d %d %d %d %d %d %d %d %d %d %d %" PRIu64 " %" PRId64 "\n",
                     (int)f->method, f->rank, f->rank_spatial, f->is_merged, f->n_parts,
                     f->n_iterations, f->best_iteration, mode, f->n_iter1, f->n_iter2,
                     f->is_alone, f->seed, f->calib_images);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        lr_strbuf_printf(b, "%a\n", errors[i]);
    for (int i = 0; i < f->n_parts; i++) {
        const struct lr_conv_part *p = &f->parts[i];
        lr_strbuf_printf(b, "%d %d %d %d %d %d %d %d %d %d %d %d %d %d\n", p->cout,
                         p->cin, p->kh, p->kw, p->group, p->stride_h, p->stride_w,
                         p->dil_h, p->dil_w, p->pad_top, p->pad_left, p->pad_bottom,
                         p->pad_right, p->b != NULL);
    }
    lr_strbuf_printf(b, "%s\n%s\n%zu\n", f->digest,
                     f->calib_sha256[0] ? f->calib_sha256 : "-",
                     f->note ? strlen(f->note) + 1 : 0);
    if (f->note)
        lr_strbuf_puts(b, f->note);
}

enum lr_status session_factors_write(struct lr_factors *f, const char *key,
                                     const char *path, struct lr_err *e)
{
    struct lr_strbuf b = {0};
    struct lr_file file = {0};
    char check[65];
    enum lr_status rc = session_factors_digest(f, e);

    if (rc != LR_OK)
        return rc;
    put_head(&b, f, key);
    if (b.is_failed) {
        rc = lr_enomem(e, b.len, "a layer's factors");
        goto out;
    }
    if ((rc = lr_file_begin(&file, path, e)) != LR_OK)
        goto out;
    lr_sha256(check, b.s, b.len);
    /* What fails here is told by committing. */
    fwrite(b.s, 1, b.len, file.fp);
    fprintf(file.fp, "\n%s\n", check);
    for (int i = 0; i < f->n_parts; i++) {
        const struct lr_conv_part *p = &f->parts[i];
        fwrite(p->w, sizeof(float), count_weights(p), file.fp);
        if (p->b)
            fwrite(p->b, sizeof(float), (size_t)p->cout, file.fp);
    }
    rc = lr_file_commit(&file, e);
out:
    lr_strbuf_free(&b);
    return rc;
}

/* ---- reading ---- */

struct reader {
    const char *at, *end; /* a 0 stands at end */
    bool is_bad;
};

static int64_t take_int(struct reader *r, int64_t most)
{
    char *end;
    long long x = strtoll(r->at, &end, 10);

    if (end == r->at || end >= r->end || x < 0 || x > most)
        r->is_bad = true;
    else
        r->at = end + 1;
    return r->is_bad ? 0 : x;
}

static double take_real(struct reader *r)
{
    char *end;
    double x = strtod(r->at, &end);

    if (end == r->at || end >= r->end)
        r->is_bad = true;
    else
        r->at = end + 1;
    return x;
}

static uint64_t take_seed(struct reader *r)
{
    char *end;
    uint64_t x = strtoull(r->at, &end, 10);

    if (end == r->at || end >= r->end)
        r->is_bad = true;
    else
        r->at = end + 1;
    return x;
}

/* A line of one hash, or of one character for none. */
static void take_hash(char hash[65], struct reader *r)
{
    const char *stop = r->is_bad ? NULL : memchr(r->at, '\n', (size_t)(r->end - r->at));
    size_t n = stop ? (size_t)(stop - r->at) : 0;

    if (!stop || (n != 64 && n != 1)) {
        r->is_bad = true;
        return;
    }
    if (n == 64) {
        memcpy(hash, r->at, n);
        hash[n] = '\0';
    }
    r->at = stop + 1;
}

static void take_part(struct lr_conv_part *p, bool *has_bias, struct reader *r)
{
    int *const sizes[] = {&p->cout,     &p->cin,      &p->kh,       &p->kw,
                          &p->group,    &p->stride_h, &p->stride_w, &p->dil_h,
                          &p->dil_w,    &p->pad_top,  &p->pad_left, &p->pad_bottom,
                          &p->pad_right};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        *sizes[i] = (int)take_int(r, MAX_SIDE);
    *has_bias = take_int(r, 1) == 1;
    if (p->cout < 1 || p->cin < 1 || p->kh < 1 || p->kw < 1 || p->group < 1)
        r->is_bad = true;
}

/* *note_at: where the note stands, up to 66 bytes before where r is left; NULL: there is
 * none. */
static void take_head(struct lr_factors *f, bool has_bias[3], const char **note_at,
                      const char *key, struct reader *r)
{
    double *const errors[] = {&f->error_calib,  &f->error_heldout,   &f->error_pre,
                              &f->error_linear, &f->error_inherited, &f->error_own,
                              &f->error_refit,  &f->lambda1,         &f->lambda2};
    const char *start = r->at;
    char check[65], told[65] = "";

    r->at += sizeof(heading) - 1;
    take_hash(told, r);
    if (strcmp(told, key) != 0)
        r->is_bad = true;
    f->method = (enum lr_method)take_int(r, LR_METHOD_SVD);
    f->rank = (int)take_int(r, MAX_SIDE);
    f->rank_spatial = (int)take_int(r, MAX_SIDE);
    f->is_merged = take_int(r, 1) == 1;
    f->n_parts = (int)take_int(r, 3);
    f->n_iterations = (int)take_int(r, MAX_SIDE);
    f->best_iteration = (int)take_int(r, MAX_SIDE);
    int mode = (int)take_int(r, N_MODES);
    f->mode = mode ? modes[mode - 1] : NULL;
    f->n_iter1 = (int)take_int(r, MAX_SIDE);
    f->n_iter2 = (int)take_int(r, MAX_SIDE);
    f->is_alone = take_int(r, 1) == 1;
    f->seed = take_seed(r);
    f->calib_images = take_int(r, INT64_MAX);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        *errors[i] = take_real(r);
    for (int i = 0; i < f->n_parts; i++)
        take_part(&f->parts[i], &has_bias[i], r);
    take_hash(f->digest, r);
    take_hash(f->calib_sha256, r);
    size_t note = (size_t)take_int(r, MAX_TEXT);
    if (r->is_bad || (size_t)(r->end - r->at) < note + 66) {
        r->is_bad = true;
        return;
    }
    *note_at = note ? r->at : NULL;
    r->at += note ? note - 1 : 0;
    lr_sha256(check, start, (size_t)(r->at - start));
    if (*r->at != '\n' || memcmp(r->at + 1, check, 64) != 0 || r->at[65] != '\n')
        r->is_bad = true;
    r->at += 66;
}

/* The weights, which are all that is left to read. */
static enum lr_status take_weights(struct lr_factors *f, const bool has_bias[3],
                                   struct reader *r, struct lr_err *e)
{
    size_t left = (size_t)(r->end - r->at), n = 0;

    for (int i = 0; i < f->n_parts; i++) {
        const struct lr_conv_part *p = &f->parts[i];
        double size = (double)p->cout * (p->cin / p->group) * p->kh * p->kw;
        if (size > (double)left) {
            r->is_bad = true;
            return LR_OK;
        }
        n += count_weights(p) + (has_bias[i] ? (size_t)p->cout : 0);
    }
    if (n * sizeof(float) != left) {
        r->is_bad = true;
        return LR_OK;
    }
    f->weights = lr_calloc(n + 1, sizeof(float));
    if (!f->weights)
        return lr_enomem(e, (n + 1) * sizeof(float), "a layer's factors");
    memcpy(f->weights, r->at, left);
    const float *w = f->weights;
    for (int i = 0; i < f->n_parts; i++) {
        f->parts[i].w = w;
        w += count_weights(&f->parts[i]);
        f->parts[i].b = has_bias[i] ? w : NULL;
        w += has_bias[i] ? f->parts[i].cout : 0;
    }
    return LR_OK;
}

/* Whether the parts have the digest that the text gives. */
static enum lr_status compare_digest(struct lr_factors *f, struct reader *r,
                                     struct lr_err *e)
{
    char told[65];

    memcpy(told, f->digest, sizeof(told));
    f->digest[0] = '\0';
    enum lr_status rc = session_factors_digest(f, e);
    if (rc == LR_OK && strcmp(told, f->digest) != 0)
        r->is_bad = true;
    return rc;
}

enum lr_status session_factors_read(struct lr_factors **out, const char *key,
                                    const char *path, struct lr_err *e)
{
    struct lr_factors *f = NULL;
    struct lr_err why = {0};
    char *data = NULL;
    const char *note = NULL;
    bool has_bias[3] = {false};
    size_t len = 0;
    enum lr_status rc = lr_file_read(&data, &len, path, max_file, &why);

    *out = NULL;
    if (rc != LR_OK)
        return rc == LR_ENOMEM ? lr_err_set(e, rc, "%s", why.msg) : LR_OK;
    struct reader r = {data, data + len, false};
    if (len < sizeof(heading) || memcmp(data, heading, sizeof(heading) - 1) != 0)
        goto out;
    f = lr_calloc(1, sizeof(*f));
    if (!f) {
        rc = lr_enomem(e, sizeof(*f), "a layer's factors");
        goto out;
    }
    f->refs = 1;
    take_head(f, has_bias, &note, key, &r);
    if (!r.is_bad && note && !(f->note = lr_strndup(note, (size_t)(r.at - 66 - note)))) {
        rc = lr_enomem(e, (size_t)(r.at - note), "a layer's factors");
        goto out;
    }
    if (!r.is_bad && (rc = take_weights(f, has_bias, &r, e)) == LR_OK && !r.is_bad)
        rc = compare_digest(f, &r, e);
    if (rc == LR_OK && !r.is_bad) {
        *out = f;
        f = NULL;
    }
out:
    lr_factors_unref(f);
    lr_free(data);
    return rc;
}
