/* Reading configuration files by the table of fields. jansson parses and checks the
 * syntax; it keeps no positions, so the line of a value with the wrong type is found by
 * walking the text, already known to be valid JSON, along the value's path. */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config_fields.h"
#include "json_parse.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"
#include "ranklab/text.h"

enum { MAX_FILE = 64 << 20, MAX_SHOWN_PATH = 200 };

/* ---- where a value stands in the text ---- */

/* A way to a value: a key (or NULL for an index), then another, ... */
struct step {
    const char *key;
    size_t index;
};
enum { MAX_STEPS = 4 };
struct place {
    struct step steps[MAX_STEPS];
    int n;
};

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static const char *skip_string(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

static const char *skip_value(const char *p)
{
    int depth = 0;

    while (*p) {
        if (*p == '"') {
            p = skip_string(p);
            if (depth == 0)
                return p;
            continue;
        }
        if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            if (depth == 0)
                return p;
            if (--depth == 0)
                return p + 1;
        } else if (*p == ',' && depth == 0) {
            return p;
        }
        p++;
    }
    return p;
}

/* The value one step below the one at p, or NULL. */
static const char *descend(const char *p, const struct step *s)
{
    bool is_object = *p == '{';

    if (*p != (s->key ? '{' : '['))
        return NULL;
    p = skip_space(p + 1);
    for (size_t i = 0; *p && *p != '}' && *p != ']'; i++) {
        bool is_it = !s->key && i == s->index;
        if (is_object) {
            const char *name = p + 1;
            p = skip_string(p);
            is_it = (size_t)(p - 1 - name) == strlen(s->key) &&
                    memcmp(name, s->key, strlen(s->key)) == 0;
            p = skip_space(p);
            p = skip_space(*p == ':' ? p + 1 : p);
        }
        if (is_it)
            return p;
        p = skip_space(skip_value(p));
        p = skip_space(*p == ',' ? p + 1 : p);
    }
    return NULL;
}

/* The line (from 1) of the value at place, or of the innermost part of it that exists. */
static int line_of(const char *text, const struct place *place)
{
    const char *p = skip_space(text);
    int line = 1;

    for (int i = 0; i < place->n; i++) {
        const char *next = descend(p, &place->steps[i]);
        if (!next)
            break;
        p = next;
    }
    for (const char *q = text; q < p; q++)
        line += *q == '\n';
    return line;
}

/* ---- reading ---- */

struct reader {
    const char *text;
    const struct out_config_words *words; /* or NULL */
    struct place place;                   /* of what is being read */
    struct lr_err *e;
};

static void enter(struct reader *r, const char *key, size_t index)
{
    r->place.steps[r->place.n++] = (struct step){key, index};
}

static void leave(struct reader *r)
{
    r->place.n--;
}

/* "LINE: layers[2].rank: WANTED is expected", to which add_path puts the path. */
static enum lr_status expected(struct reader *r, const char *wanted)
{
    struct lr_strbuf name = {0};

    for (int i = 0; i < r->place.n; i++) {
        const struct step *s = &r->place.steps[i];
        if (s->key)
            lr_strbuf_printf(&name, "%s%s", i ? "." : "", s->key);
        else
            lr_strbuf_printf(&name, "[%zu]", s->index);
    }
    lr_err_set(r->e, LR_EPARSE, "%d: %s%s%s is expected", line_of(r->text, &r->place),
               name.s ? name.s : "", name.len ? ": " : "", wanted);
    lr_strbuf_free(&name);
    return LR_EPARSE;
}

static bool read_seed(struct out_seed *seed, const json_t *j)
{
    const char *s = json_string_value(j);
    char *end;

    seed->is_known = true;
    if (json_is_integer(j)) {
        seed->value = (uint64_t)json_integer_value(j);
        return json_integer_value(j) >= 0;
    }
    if (!s || strspn(s, "0123456789") != strlen(s) || !*s)
        return false;
    errno = 0;
    unsigned long long v = strtoull(s, &end, 10);
    seed->value = v;
    return errno == 0 && v <= UINT64_MAX;
}

static enum lr_status read_value(struct reader *r, const struct config_field *f,
                                 const json_t *j, void *object)
{
    void *at = (char *)object + f->offset;
    char buf[128];
    bool is_ok = false, is_null = !j || json_is_null(j);

    switch (f->kind) {
    case CONFIG_STRING:
    case CONFIG_SHA256:
        is_ok = is_null || json_is_string(j);
        if (is_ok && !is_null) {
            *(char **)at = lr_strdup(json_string_value(j));
            if (!*(char **)at)
                return lr_enomem(r->e, json_string_length(j), "a configuration");
        }
        break;
    case CONFIG_INT:
    case CONFIG_INT64: {
        json_int_t v = is_null ? -1 : json_integer_value(j);
        is_ok = is_null || (json_is_integer(j) && v >= 0 && (double)v <= f->max);
        if (is_ok && f->kind == CONFIG_INT)
            *(int *)at = (int)v;
        else if (is_ok)
            *(int64_t *)at = v;
        break;
    }
    case CONFIG_BOOL:
        is_ok = is_null || json_is_boolean(j);
        *(int *)at = is_null ? -1 : json_is_true(j);
        break;
    case CONFIG_SEED:
        is_ok = is_null || read_seed(at, j);
        break;
    case CONFIG_REAL:
        is_ok = is_null || json_is_number(j);
        *(double *)at = is_null ? NAN : json_number_value(j);
        break;
    }
    if (!is_ok || (is_null && !f->may_be_null) || config_check(f, object))
        return expected(r, config_expected(buf, sizeof(buf), f));
    return LR_OK;
}

/* Whether the word is one of the list, which the message gives. */
static enum lr_status check_word(struct reader *r, const char *const *words,
                                 const char *given)
{
    struct lr_strbuf list = {0};

    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], given) == 0) {
            lr_strbuf_free(&list);
            return LR_OK;
        }
        lr_strbuf_printf(&list, "%s%s",
                         i == 0         ? ""
                         : words[i + 1] ? ", "
                                        : " or ",
                         words[i]);
    }
    enum lr_status st = list.is_failed ? lr_enomem(r->e, list.len, "a configuration")
                                       : expected(r, list.s);
    lr_strbuf_free(&list);
    return st;
}

static enum lr_status check_words(struct reader *r, const struct config_field *f,
                                  const void *object)
{
    const struct {
        const char *key;
        const char *const *words;
    } lists[] = {{"method", r->words ? r->words->methods : NULL},
                 {"mode", r->words ? r->words->modes : NULL},
                 {"convolution", r->words ? r->words->convolutions : NULL},
                 {"deploy_engine", r->words ? r->words->engines : NULL}};
    const char *const *words = NULL;

    for (size_t i = 0; f->kind == CONFIG_STRING && i < sizeof(lists) / sizeof(lists[0]);
         i++)
        if (strcmp(f->key, lists[i].key) == 0)
            words = lists[i].words;
    const char *given =
        words ? *(char *const *)(const void *)((const char *)object + f->offset) : NULL;

    return given ? check_word(r, words, given) : LR_OK;
}

static enum lr_status read_fields(struct reader *r, const struct config_field *fields,
                                  size_t n, const json_t *j, void *object)
{
    enum lr_status st = LR_OK;

    for (size_t k = 0; st == LR_OK && k < n; k++) {
        const struct config_field *f = &fields[k];
        const json_t *from = f->group ? json_object_get(j, f->group) : j;
        if (f->group) {
            enter(r, f->group, 0);
            if (from && !json_is_null(from) && !json_is_object(from))
                return expected(r, "an object");
        }
        enter(r, f->key, 0);
        st = read_value(r, f, json_object_get(from, f->key), object);
        if (st == LR_OK)
            st = check_words(r, f, object);
        leave(r);
        if (f->group)
            leave(r);
    }
    return st;
}

/* Every key of j is a field of the group, a group of the table (group NULL), or one of
 * the others. */
static enum lr_status check_keys(struct reader *r, const struct config_field *fields,
                                 size_t n, const json_t *j, const char *group)
{
    static const char *const head[] = {"format", "schema", "layers"};
    bool is_head = fields == config_fields && !group;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)j, key, value)
    {
        bool is_known = false, is_group = false;
        for (size_t k = 0; is_head && k < 3; k++)
            is_known = is_known || strcmp(key, head[k]) == 0;
        for (size_t k = 0; k < n && !is_known; k++) {
            const char *g = fields[k].group;
            is_group = !group && g && strcmp(g, key) == 0;
            is_known = is_group || ((g ? group && strcmp(g, group) == 0 : !group) &&
                                    strcmp(fields[k].key, key) == 0);
        }
        enter(r, key, 0);
        if (!is_known)
            return expected(r, "no key of that name");
        if (is_group && json_is_object(value)) {
            enum lr_status st = check_keys(r, fields, n, value, key);
            if (st != LR_OK)
                return st;
        }
        leave(r);
    }
    return LR_OK;
}

static enum lr_status check_head_keys(struct reader *r, const json_t *j)
{
    return check_keys(r, config_fields, config_n_fields, j, NULL);
}

static enum lr_status read_layers(struct reader *r, struct out_config *c, const json_t *j)
{
    bool is_old = c->schema == 1;
    enum lr_status st = LR_OK;
    json_t *seen = NULL;

    enter(r, "layers", 0);
    if (!json_is_array(j) || json_array_size(j) > CONFIG_MAX_LAYERS)
        return expected(r, "an array of at most 100000 objects");
    size_t n = json_array_size(j);
    c->layers = lr_calloc(n, sizeof(*c->layers));
    seen = json_object();
    if (!c->layers || !seen) {
        st = lr_enomem(r->e, n * sizeof(*c->layers), "a configuration");
        goto out;
    }
    c->n_layers = (int)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *layer = json_array_get(j, i);
        enter(r, NULL, i);
        if (!json_is_object(layer)) {
            st = expected(r, "an object");
            goto out;
        }
        out_config_layer_init(&c->layers[i]);
        st = is_old ? read_fields(r, config1_layer_fields, config1_n_layer_fields, layer,
                                  &c->layers[i])
                    : read_fields(r, config_layer_fields, config_n_layer_fields, layer,
                                  &c->layers[i]);
        if (st == LR_OK && !is_old)
            st = check_keys(r, config_layer_fields, config_n_layer_fields, layer, NULL);
        if (st != LR_OK)
            goto out;
        if (json_object_get(seen, c->layers[i].name)) {
            enter(r, "layer", 0);
            st = expected(r, "a name not given before");
            goto out;
        }
        if (json_object_set_new(seen, c->layers[i].name, json_true()) != 0) {
            st = lr_enomem(r->e, 64, "a configuration");
            goto out;
        }
        leave(r);
    }
    leave(r);
out:
    json_decref(seen);
    return st;
}

static enum lr_status read_all(struct reader *r, struct out_config *c, const json_t *j)
{
    if (!json_is_object(j))
        return expected(r, "an object");
    const char *format = json_string_value(json_object_get(j, "format"));
    const json_t *schema = json_object_get(j, "schema");
    enter(r, "format", 0);
    if (!format || strcmp(format, CONFIG_FORMAT) != 0)
        return expected(r, "\"" CONFIG_FORMAT "\"");
    leave(r);
    enter(r, "schema", 0);
    if (!json_is_integer(schema))
        return expected(r, "an integer");
    if (json_integer_value(schema) < 1 || json_integer_value(schema) > CONFIG_SCHEMA)
        return lr_err_set(r->e, LR_EPARSE,
                          "%d: schema version %lld; this program reads versions 1 to %d",
                          line_of(r->text, &r->place),
                          (long long)json_integer_value(schema), CONFIG_SCHEMA);
    leave(r);
    c->schema = (int)json_integer_value(schema);
    enum lr_status st = c->schema == 1
                            ? read_fields(r, config1_fields, config1_n_fields, j, c)
                            : read_fields(r, config_fields, config_n_fields, j, c);
    if (st == LR_OK && c->schema != 1)
        st = check_head_keys(r, j);
    if (st == LR_OK)
        st = read_layers(r, c, json_object_get(j, "layers"));
    return st;
}

/* Puts "PATH:" before "LINE: ..." or before a message without a line. */
static void add_path(struct lr_err *e, const char *path)
{
    struct lr_strbuf shown = {0};
    char msg[sizeof(e->msg)];

    if (!e)
        return;
    memcpy(msg, e->msg, sizeof(msg));
    lr_text_escape(&shown, path);
    const char *s = shown.is_failed ? "?" : shown.s;
    size_t len = strlen(s);
    const char *dots = "";
    if (len > MAX_SHOWN_PATH) {
        s += len - MAX_SHOWN_PATH;
        dots = "...";
        while (((unsigned char)*s & 0xC0) == 0x80)
            s++;
    }
    lr_err_set(e, e->code, "%s%s:%s%s", dots, s, e->code == LR_EPARSE ? "" : " ", msg);
    lr_strbuf_free(&shown);
}

enum lr_status out_config_read(struct out_config *c, const char *path,
                               const struct out_config_words *words, struct lr_err *e)
{
    struct lr_err own = {0};
    json_error_t problem;
    char *text = NULL;
    json_t *j = NULL;
    size_t len;

    out_config_init(c);
    enum lr_status st = lr_file_read(&text, &len, path, MAX_FILE, e);
    if (st != LR_OK)
        return st;
    struct reader r = {.text = text, .words = words, .e = e ? e : &own};
    st = out_json_parse(&j, &problem, text, len, r.e);
    if (st == LR_EPARSE)
        lr_err_set(r.e, LR_EPARSE, "%d: not JSON: %s",
                   problem.line > 0 ? problem.line : 1, problem.text);
    else if (st == LR_OK)
        st = read_all(&r, c, j);
    if (st != LR_OK) {
        add_path(r.e, path);
        out_config_free(c);
    }
    json_decref(j);
    lr_free(text);
    return st;
}
