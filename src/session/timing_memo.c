/* Tables of milliseconds kept across sessions. A key spells out all that they depend on:
 * the network and the layer, how it is split, the deployment, the processor, and the
 * version of the engine. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/engine.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"
#include "ranklab/memo.h"
#include "session/internal.h"
#include "session/timing.h"

static const char memo_file[] = "times";
enum { MAX_POINTS = 1024 };

enum lr_status timing_version(char version[64], const struct lr_deploy *d,
                              const struct lr_progress *progress, struct lr_err *e)
{
    if (d->engine == LR_DEPLOY_ONNXRUNTIME)
        return timing_ort_version(version, progress, e);
    lr_engine_version(version, 64);
    return LR_OK;
}

static enum lr_status key_of(char key[65], const struct lr_session *s,
                             const struct lr_deploy *d, const char *version, int layer,
                             struct lr_err *e)
{
    struct lr_rank_layer l = lr_session_rank_layer(s, layer);
    struct lr_strbuf b = {0};
    char cpu[192], deploy[96];

    lr_strbuf_printf(
        &b, "times\nmodel %s, input %dx%dx%d, layer %d\nsplit %d, groups %d\n",
        s->model_sha256, s->in_c, s->in_h, s->in_w, layer, (int)l.split, l.group);
    lr_strbuf_printf(&b, "%s\n%s\n%s\n", lr_deploy_text(deploy, sizeof(deploy), d),
                     version, lr_cpu_name(cpu, sizeof(cpu)));
    bool is_failed = b.is_failed;
    if (!is_failed)
        lr_sha256(key, b.s, b.len);
    lr_strbuf_free(&b);
    return is_failed ? lr_enomem(e, 512, "a key") : LR_OK;
}

/* ---- as text ---- */

static void put_point(struct lr_strbuf *b, const struct lr_ms_point *p)
{
    lr_strbuf_printf(b, " %d %d %.17g %.17g %.17g %d", p->ranks.channel, p->ranks.spatial,
                     p->ms, p->low, p->high, p->n_runs);
}

static bool take_number(double *x, const char **text)
{
    char *end;

    *x = strtod(*text, &end);
    bool is_there = end != *text && *x >= 0 && *x < 1e15;
    *text = end;
    return is_there;
}

static bool take_point(struct lr_ms_point *p, const char **text)
{
    double x[6];

    for (int i = 0; i < 6; i++)
        if (!take_number(&x[i], text))
            return false;
    if (x[0] > 1e6 || x[1] > 1e6 || x[5] > 1e9)
        return false;
    *p = (struct lr_ms_point){{(int)x[0], (int)x[1]}, x[2], x[3], x[4], (int)x[5]};
    return p->ms > 0;
}

/* Reads a remembered table; false, with nothing to release, when it makes no sense. */
static bool parse_table(struct timing_table *t, const char *text)
{
    double when, n;

    if (!take_number(&when, &text) || !take_number(&n, &text) || n > MAX_POINTS ||
        !take_point(&t->t.whole, &text))
        return false;
    t->t.n = (int)n;
    t->t.points = lr_calloc((size_t)n + 1, sizeof(*t->t.points));
    bool is_good = t->t.points;
    for (int i = 0; is_good && i < t->t.n; i++)
        is_good = take_point(&t->t.points[i], &text);
    if (is_good && *text == '\0') {
        t->when = (int64_t)when;
        return true;
    }
    lr_free(t->t.points);
    t->t.points = NULL;
    return false;
}

/* ---- the file ---- */

bool timing_recall(struct timing_set *set, const struct lr_session *s,
                   const char *version, int layer)
{
    struct timing_table t = {.split = lr_session_rank_layer(s, layer).split,
                             .is_known = true};
    struct lr_err ignored = {0};
    char key[65], *value = NULL;
    bool is_known = key_of(key, s, &set->deploy, version, layer, &ignored) == LR_OK &&
                    lr_memo_find(&value, memo_file, key, &ignored) == LR_OK && value &&
                    parse_table(&t, value);

    lr_free(value);
    if (!is_known)
        return false;
    lr_free(set->tables[layer].t.points);
    set->tables[layer] = t;
    return true;
}

enum lr_status timing_remember(const struct timing_set *set, const struct lr_session *s,
                               const char *version, int layer, struct lr_err *e)
{
    const struct timing_table *t = &set->tables[layer];
    struct lr_strbuf b = {0};
    char key[65];
    enum lr_status rc = key_of(key, s, &set->deploy, version, layer, e);

    lr_strbuf_printf(&b, "%" PRId64 " %d", session_now(), t->t.n);
    put_point(&b, &t->t.whole);
    for (int i = 0; i < t->t.n; i++)
        put_point(&b, &t->t.points[i]);
    if (rc == LR_OK && b.is_failed)
        rc = lr_enomem(e, b.len, "a table of times");
    if (rc == LR_OK)
        rc = lr_memo_put(NULL, memo_file, key, b.s, true, e);
    lr_strbuf_free(&b);
    return rc;
}
