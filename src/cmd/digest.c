/* Digests of printed tables, and the comment lines a recorded script keeps them in. */
#include <string.h>

#include "cmd/replay.h"
#include "out/digest.h"

void cmd_digests_free(struct cmd_digests *ds)
{
    lr_free(ds->d);
    *ds = (struct cmd_digests){0};
}

static enum lr_status append(struct cmd_digests *ds, const struct cmd_digest *d,
                             struct lr_err *e)
{
    if (ds->n == ds->cap) {
        size_t cap = ds->cap ? 2 * ds->cap : 8;
        struct cmd_digest *list = lr_realloc(ds->d, ds->n, cap, sizeof(*list));
        if (!list)
            return lr_enomem(e, cap * sizeof(*list), "digests of tables");
        ds->d = list;
        ds->cap = cap;
    }
    ds->d[ds->n++] = *d;
    return LR_OK;
}

enum lr_status cmd_digest_add(struct cmd_ctx *c, const char *name,
                              const struct out_table *t, struct lr_err *e)
{
    struct cmd_digest d = {0};

    if (!c->row || (c->row->flags & CMD_VARIES) || c->is_timed)
        return LR_OK;
    snprintf(d.name, sizeof(d.name), "%s", name ? name : cmd_name(c->row).s);
    enum lr_status st = out_table_digest(d.hex, t, e);
    if (!st)
        st = append(&c->digests, &d, e);
    if (!st && c->replay)
        st = append(&c->seen, &d, e);
    return st;
}

/* Those of a folder become known as they are used. */
static void add_images(struct lr_strbuf *b, int64_t *n_told, const char *what,
                       const struct lr_dataset *d, bool is_new)
{
    int64_t n = d ? lr_dataset_known(d) : 0;
    char hex[65];

    if (n == 0 || (n == *n_told && !is_new))
        return;
    *n_told = n;
    if (lr_dataset_hash(d)[0])
        lr_strbuf_printf(b, "# %s sha256 %s\n", what, lr_dataset_hash(d));
    else
        lr_strbuf_printf(b, "# %s first %lld sha256 %s\n", what, (long long)n,
                         lr_dataset_hash_first(hex, d, n));
}

void cmd_digest_lines(struct lr_strbuf *b, struct cmd_ctx *c, const struct cmd_call *call)
{
    const struct lr_session *s = c->session;
    struct cmd_name verb = cmd_name(call->row);
    bool is_open = strcmp(verb.s, "open") == 0,
         is_new = is_open || strcmp(verb.s, "data") == 0;

    if (s->graph && is_open)
        lr_strbuf_printf(b, "# network sha256 %s\n", s->model_sha256);
    if (s->graph) {
        add_images(b, &c->n_told[0], "calib", s->calib, is_new);
        add_images(b, &c->n_told[1], "eval", s->eval, is_new);
    }
    for (size_t i = 0; i < c->digests.n; i++)
        lr_strbuf_printf(b, "# table %s sha256 %s\n", c->digests.d[i].name,
                         c->digests.d[i].hex);
}
