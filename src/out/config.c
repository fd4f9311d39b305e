/* Writing configuration files by the table of fields. */
#include "config.h"

#include <string.h>

#include "config_fields.h"
#include "json.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"

static const uint64_t MAX_EXACT = (uint64_t)1 << 53;

void out_config_init(struct out_config *c)
{
    *c = (struct out_config){.schema = CONFIG_SCHEMA};
    config_set_null(config_fields, config_n_fields, c);
}

void out_config_layer_init(struct out_config_layer *l)
{
    *l = (struct out_config_layer){0};
    config_set_null(config_layer_fields, config_n_layer_fields, l);
}

void out_config_free(struct out_config *c)
{
    config_free_strings(config_fields, config_n_fields, c);
    for (int i = 0; c->layers && i < c->n_layers; i++)
        config_free_strings(config_layer_fields, config_n_layer_fields, &c->layers[i]);
    lr_free(c->layers);
    *c = (struct out_config){0};
}

bool out_config_layer_copy(struct out_config_layer *to,
                           const struct out_config_layer *from)
{
    return config_copy(config_layer_fields, config_n_layer_fields, to, from);
}

bool out_config_copy_head(struct out_config *to, const struct out_config *from)
{
    return config_copy(config_fields, config_n_fields, to, from);
}

/* ---- writing ---- */

static void put_value(struct lr_strbuf *b, const struct config_field *f,
                      const void *object)
{
    const void *at = (const char *)object + f->offset;
    int64_t v;

    switch (f->kind) {
    case CONFIG_STRING:
    case CONFIG_SHA256: {
        const char *s = *(char *const *)at;
        if (s)
            out_json_string(b, s);
        else
            lr_strbuf_puts(b, "null");
        break;
    }
    case CONFIG_BOOL:
        v = *(const int *)at;
        lr_strbuf_puts(b, v == -1 ? "null" : v ? "true" : "false");
        break;
    case CONFIG_INT:
    case CONFIG_INT64:
        v = f->kind == CONFIG_INT ? *(const int *)at : *(const int64_t *)at;
        if (v == -1 && f->may_be_null)
            lr_strbuf_puts(b, "null");
        else
            out_json_int(b, v);
        break;
    case CONFIG_SEED: {
        const struct out_seed *seed = at;
        const char *quote = seed->value < MAX_EXACT ? "" : "\"";
        if (seed->is_known)
            lr_strbuf_printf(b, "%s%llu%s", quote, (unsigned long long)seed->value,
                             quote);
        else
            lr_strbuf_puts(b, "null");
        break;
    }
    case CONFIG_REAL:
        out_json_real(b, *(const double *)at);
        break;
    }
}

static bool same_group(const struct config_field *f, const char *group)
{
    return f->group && strcmp(f->group, group) == 0;
}

static void put_fields(struct lr_strbuf *b, const struct config_field *fields, size_t n,
                       const void *object, int indent)
{
    for (size_t k = 0; k < n; k++) {
        const char *group = fields[k].group;
        bool opens = group && (k == 0 || !same_group(&fields[k - 1], group));
        bool closes = group && (k + 1 == n || !same_group(&fields[k + 1], group));
        if (opens)
            lr_strbuf_printf(b, "%*s\"%s\": {\n", indent, "", group);
        lr_strbuf_printf(b, "%*s\"%s\": ", group ? indent + 2 : indent, "",
                         fields[k].key);
        put_value(b, &fields[k], object);
        if (closes)
            lr_strbuf_printf(b, "\n%*s}", indent, "");
        lr_strbuf_puts(b, k + 1 < n ? ",\n" : "");
    }
}

static enum lr_status check_fields(const struct config_field *fields, size_t n,
                                   const void *object, struct lr_err *e)
{
    for (size_t k = 0; k < n; k++) {
        const char *wanted = config_check(&fields[k], object);
        if (wanted)
            return lr_err_set(e, LR_EINVAL, "%s%s%s: %s is expected",
                              fields[k].group ? fields[k].group : "",
                              fields[k].group ? "." : "", fields[k].key, wanted);
    }
    return LR_OK;
}

static enum lr_status check_config(const struct out_config *c, struct lr_err *e)
{
    if (c->n_layers < 0 || c->n_layers > CONFIG_MAX_LAYERS)
        return lr_err_set(e, LR_EINVAL, "layers: at most %d are expected, not %d",
                          CONFIG_MAX_LAYERS, c->n_layers);
    enum lr_status st = check_fields(config_fields, config_n_fields, c, e);
    for (int i = 0; st == LR_OK && i < c->n_layers; i++) {
        st = check_fields(config_layer_fields, config_n_layer_fields, &c->layers[i], e);
        if (st != LR_OK)
            lr_err_prefix(e, "layers[%d]", i);
    }
    if (st != LR_OK)
        lr_err_prefix(e, "this configuration cannot be written");
    return st;
}

enum lr_status out_config_write(const struct out_config *c, const char *path,
                                struct lr_err *e)
{
    struct lr_strbuf b = {0};

    enum lr_status st = check_config(c, e);
    if (st != LR_OK)
        return st;
    lr_strbuf_printf(&b, "{\n  \"format\": \"%s\",\n  \"schema\": %d,\n", CONFIG_FORMAT,
                     CONFIG_SCHEMA);
    put_fields(&b, config_fields, config_n_fields, c, 2);
    lr_strbuf_puts(&b, ",\n  \"layers\": [");
    for (int i = 0; i < c->n_layers; i++) {
        lr_strbuf_puts(&b, i ? ",\n    {\n" : "\n    {\n");
        put_fields(&b, config_layer_fields, config_n_layer_fields, &c->layers[i], 6);
        lr_strbuf_puts(&b, "\n    }");
    }
    lr_strbuf_puts(&b, c->n_layers ? "\n  ]\n}\n" : "]\n}\n");
    st = b.is_failed ? lr_enomem(e, b.len, "a configuration")
                     : lr_file_write(path, b.s, b.len, e);
    lr_strbuf_free(&b);
    return st;
}
