#include "session/unfinished.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ranklab/engine.h"
#include "ranklab/file.h"
#include "ranklab/la.h"
#include "ranklab/memo.h"

enum lr_status unfinished_key(char key[65], const struct lr_session *s,
                              const struct lr_solve_request *q,
                              const struct lr_layer_plan *next, int layer,
                              const bool *use, struct lr_err *e)
{
    const struct lr_settings *t = &s->settings;
    struct lr_strbuf b = {0};
    char calib[65], cpu[192], engine[64], la[128];
    enum lr_status rc = session_images_digest(calib, s->calib, 0, e);

    if (rc != LR_OK)
        return rc;
    lr_strbuf_printf(&b,
                     "solved layer %d: %s %d,%d\nmodel %s, input %dx%dx%d\n"
                     "calibration %s\nmode %d, alone %d\nseed %" PRIu64
                     ", iterations %d %d, lambda %.17g %.17g\n%s, %s, %s, %s\n",
                     layer, lr_method_info(next[layer].method)->name,
                     next[layer].ranks.channel, next[layer].ranks.spatial,
                     s->model_sha256, s->in_c, s->in_h, s->in_w, calib, (int)q->mode,
                     q->is_alone, t->seed, t->n_iter1, t->n_iter2, t->lambda1, t->lambda2,
                     PACKAGE_VERSION, lr_engine_version(engine, sizeof(engine)),
                     lr_la_version(la, sizeof(la)), lr_cpu_name(cpu, sizeof(cpu)));
    session_key_engine(&b, s);
    for (int i = 0; rc == LR_OK && i < layer; i++) {
        if (!use[i])
            continue;
        rc = session_factors_digest(next[i].factors, e);
        lr_strbuf_printf(&b, "behind layer %d: %s\n", i, next[i].factors->digest);
    }
    if (rc == LR_OK && b.is_failed)
        rc = lr_enomem(e, b.len, "a key");
    if (rc == LR_OK)
        lr_sha256(key, b.s, b.len);
    lr_strbuf_free(&b);
    return rc;
}

/* The folder, or NULL where there cannot be one; lr_free it. */
static char *folder(bool make)
{
    char *cache = lr_xdg_dir("cache", make), *path = NULL;
    struct lr_strbuf b = {0};

    if (cache)
        lr_strbuf_printf(&b, "%s/unfinished", cache);
    lr_free(cache);
    if (b.s && !b.is_failed && (!make || mkdir(b.s, 0700) == 0 || errno == EEXIST))
        path = lr_strdup(b.s);
    lr_strbuf_free(&b);
    return path;
}

static bool path_of(struct lr_strbuf *b, const char *key, bool make)
{
    char *in = folder(make);

    if (in)
        lr_strbuf_printf(b, "%s/%s", in, key);
    bool is_made = in && !b->is_failed;
    lr_free(in);
    return is_made;
}

static enum lr_status note_key(struct unfinished *u, const char *key, struct lr_err *e)
{
    if (u->n == u->cap) {
        int cap = u->cap ? 2 * u->cap : 16;
        char(*larger)[65] =
            lr_realloc(u->keys, (size_t)u->n, (size_t)cap, sizeof(*larger));
        if (!larger)
            return lr_enomem(e, (size_t)cap * sizeof(*larger), "a set of layers");
        u->keys = larger;
        u->cap = cap;
    }
    memcpy(u->keys[u->n++], key, 65);
    return LR_OK;
}

enum lr_status unfinished_find(struct lr_factors **out, struct unfinished *u,
                               const char *key, struct lr_err *e)
{
    struct lr_strbuf path = {0};
    enum lr_status rc = LR_OK;

    *out = NULL;
    if (path_of(&path, key, false))
        rc = session_factors_read(out, key, path.s, e);
    lr_strbuf_free(&path);
    if (*out && (rc = note_key(u, key, e)) != LR_OK) {
        lr_factors_unref(*out);
        *out = NULL;
    }
    return rc;
}

/* What nobody took up again goes when the next solve keeps something. */
static void remove_old(void)
{
    char *in = folder(false);

    /* the length of a key */
    if (in)
        lr_file_remove_old(in, "", 64);
    lr_free(in);
}

enum lr_status unfinished_keep(struct unfinished *u, const char *key,
                               struct lr_factors *f, struct lr_err *e)
{
    struct lr_strbuf path = {0};
    struct lr_err why = {0};
    enum lr_status rc = LR_EIO;

    if (u->has_failed)
        return LR_OK;
    if (u->n == 0)
        remove_old();
    if (path_of(&path, key, true))
        rc = session_factors_write(f, key, path.s, &why);
    else
        lr_err_set(&why, LR_EIO, "no folder for them in the cache: %s", strerror(errno));
    lr_strbuf_free(&path);
    if (rc == LR_ENOMEM)
        return lr_err_set(e, rc, "%s", why.msg);
    if (rc == LR_OK)
        return note_key(u, key, e);
    u->has_failed = true;
    lr_note(&u->s->notes, LR_NOTE_WARNING,
            "solved layers are not kept, a solve that is stopped begins anew: %s",
            why.msg);
    return LR_OK;
}

void unfinished_end(struct unfinished *u)
{
    struct lr_strbuf path = {0};

    for (int i = 0; i < u->n; i++) {
        path.len = 0;
        if (path_of(&path, u->keys[i], false))
            unlink(path.s);
    }
    lr_strbuf_free(&path);
    u->n = 0;
}

void unfinished_free(struct unfinished *u)
{
    lr_free(u->keys);
    *u = (struct unfinished){0};
}
