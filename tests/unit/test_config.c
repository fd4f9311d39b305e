/* Unit tests of src/out/config: exact round trips and hostile files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "out/config.h"
#include "out/config_fields.h"
#include "ranklab/file.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

static int make_file(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(4096);

    snprintf(path, 4096, "%s/ranklab-config-XXXXXX", base && *base ? base : "/tmp");
    int fd = mkstemp(path);
    if (fd >= 0)
        close(fd);
    *state = path;
    return fd >= 0 ? 0 : -1;
}

static int remove_file(void **state)
{
    unlink(*state);
    free(*state);
    return 0;
}

static void save(void **state, const char *text, size_t n)
{
    unlink(*state);
    FILE *fp = fopen(*state, "wb");

    assert_non_null(fp);
    assert_int_equal(fwrite(text, 1, n, fp), n);
    assert_int_equal(fclose(fp), 0);
}

static const char sha[] =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

static struct out_config example(void)
{
    static struct out_config_layer layers[3];
    struct out_config c;

    out_config_init(&c);
    c.model = (char *)(uintptr_t) "models/vgg \"x\"\\\n.onnx";
    c.model_sha256 = (char *)(uintptr_t)sha;
    c.calib.path = (char *)(uintptr_t) "\xc3\xa9.npy";
    c.mode = (char *)(uintptr_t) "asym";
    c.seed = (struct out_seed){true, UINT64_MAX};
    c.program.threads = 8;
    c.result.top1 = 0.1;
    c.n_layers = 3;
    c.layers = layers;
    for (int i = 0; i < 3; i++)
        out_config_layer_init(&layers[i]);
    layers[0].name = (char *)(uintptr_t) "conv1";
    layers[0].method = (char *)(uintptr_t) "relu";
    layers[0].rank = 17;
    layers[0].error_calib = 5e-324;
    layers[0].error_heldout = DBL_MAX;
    layers[0].solved.seed = (struct out_seed){true, 3};
    layers[1].name = (char *)(uintptr_t) "";
    layers[1].method = (char *)(uintptr_t) "3d";
    layers[1].rank = INT_MAX;
    layers[2].name = (char *)(uintptr_t) "a/\xe4\xbd\x9c\x1b[m'`|";
    layers[2].method = (char *)(uintptr_t) "keep";
    layers[2].state = (char *)(uintptr_t) "whole";
    layers[2].rank = 1;
    layers[2].solved.is_alone = 1;
    return c;
}

/* Any acceptable value, extremes and null among them. */
static void put_random(const struct config_field *f, void *object, struct lr_rng *r)
{
    static const char *const texts[] = {"", "a", "\"\\\n\t\x1b", "\xe4\xbd\x9c", "x/y z"};
    void *at = (char *)object + f->offset;
    double top = f->max < 9007199254740992.0 ? f->max : 9007199254740992.0, v;

    if (f->may_be_null && lr_rng_uniform(r) < 0.3)
        return;
    v = f->min + (top - f->min) * lr_rng_uniform(r);
    if (lr_rng_uniform(r) < 0.2)
        v = lr_rng_uniform(r) < 0.5 ? f->min : top;
    switch (f->kind) {
    case CONFIG_STRING:
        *(char **)at = lr_strdup(texts[(int)(4.999 * lr_rng_uniform(r))]);
        break;
    case CONFIG_SHA256:
        *(char **)at = lr_strdup(sha);
        break;
    case CONFIG_SEED:
        *(struct out_seed *)at = (struct out_seed){
            true, lr_rng_uniform(r) < 0.2
                      ? UINT64_MAX
                      : (uint64_t)(18446744073709549568.0 * lr_rng_uniform(r)) >>
                            (int)(60 * lr_rng_uniform(r))};
        break;
    case CONFIG_BOOL:
        *(int *)at = lr_rng_uniform(r) < 0.5;
        break;
    case CONFIG_INT:
        *(int *)at = (int)v;
        break;
    case CONFIG_INT64:
        *(int64_t *)at = (int64_t)v;
        break;
    case CONFIG_REAL:
        *(double *)at = isinf(f->max) ? exp(80 * lr_rng_normal(r)) : v;
        break;
    }
}

static void same_value(const struct config_field *f, const void *a, const void *b)
{
    const void *x = (const char *)a + f->offset, *y = (const char *)b + f->offset;

    if (f->kind == CONFIG_STRING || f->kind == CONFIG_SHA256) {
        const char *s = *(char *const *)x, *t = *(char *const *)y;
        if ((!s || !t) ? s != t : strcmp(s, t) != 0)
            fail_msg("%s: %s is not %s", f->key, s ? s : "null", t ? t : "null");
    } else if (f->kind == CONFIG_SEED) {
        const struct out_seed *s = x, *t = y;
        assert_true(s->is_known == t->is_known && s->value == t->value);
    } else if (f->kind == CONFIG_REAL) {
        double s = *(const double *)x, t = *(const double *)y;
        if (!(isnan(s) && isnan(t)) && s != t)
            fail_msg("%s: %.17g is not %.17g", f->key, s, t);
    } else {
        size_t n = f->kind == CONFIG_INT64 ? sizeof(int64_t) : sizeof(int);
        assert_memory_equal(x, y, n);
    }
}

/* Every field of the table with random values: read back as they were, and written again
 * the same bytes. */
static void config__reads_back_exactly(void **state)
{
    struct lr_err e = {0};
    struct lr_rng rng;

    lr_rng_seed(&rng, 7);
    for (int round = 0; round < 200; round++) {
        struct out_config c, r;
        char name[32], *first = NULL, *second = NULL;
        size_t n1, n2;
        out_config_init(&c);
        c.n_layers = round % 5;
        c.layers = lr_calloc(5, sizeof(*c.layers));
        for (size_t k = 0; k < config_n_fields; k++)
            put_random(&config_fields[k], &c, &rng);
        for (int i = 0; i < c.n_layers; i++) {
            out_config_layer_init(&c.layers[i]);
            for (size_t k = 0; k < config_n_layer_fields; k++)
                put_random(&config_layer_fields[k], &c.layers[i], &rng);
            snprintf(name, sizeof(name), "layer \xc3\xa9 %d", i);
            lr_free(c.layers[i].name);
            c.layers[i].name = lr_strdup(name);
        }
        if (out_config_write(&c, *state, &e) != LR_OK ||
            lr_file_read(&first, &n1, *state, 1 << 20, &e) != LR_OK ||
            out_config_read(&r, *state, NULL, &e) != LR_OK ||
            out_config_write(&r, *state, &e) != LR_OK ||
            lr_file_read(&second, &n2, *state, 1 << 20, &e) != LR_OK)
            fail_msg("%s", e.msg);
        assert_string_equal(first, second);
        assert_int_equal(r.n_layers, c.n_layers);
        for (size_t k = 0; k < config_n_fields; k++)
            same_value(&config_fields[k], &c, &r);
        for (int i = 0; i < c.n_layers; i++)
            for (size_t k = 0; k < config_n_layer_fields; k++)
                same_value(&config_layer_fields[k], &c.layers[i], &r.layers[i]);
        lr_free(first);
        lr_free(second);
        out_config_free(&c);
        out_config_free(&r);
    }
}

static void config__refuses_to_write_what_it_would_not_read(void **state)
{
    struct lr_err e = {0};

    for (int k = 0; k < 7; k++) {
        struct out_config c = example();
        if (k == 0)
            c.layers[1].name = (char *)(uintptr_t) "\xff";
        if (k == 1)
            c.layers[1].method = NULL;
        if (k == 2)
            c.layers[2].rank = -2;
        if (k == 3)
            c.result.top1 = 1.5;
        if (k == 4)
            c.layers[0].error_calib = INFINITY;
        if (k == 5)
            c.model_sha256 = (char *)(uintptr_t) "12";
        if (k == 6)
            c.n_layers = -1;
        save(state, "old", 3);
        lr_err_clear(&e);
        assert_int_equal(out_config_write(&c, *state, &e), LR_EINVAL);
        assert_non_null(strstr(e.msg, "expected"));
        char *text;
        size_t n;
        assert_int_equal(lr_file_read(&text, &n, *state, 100, NULL), LR_OK);
        assert_string_equal(text, "old");
        lr_free(text);
    }
}

static void example_text(char **text, size_t *n, void **state)
{
    struct out_config c = example();

    assert_int_equal(out_config_write(&c, *state, NULL), LR_OK);
    assert_int_equal(lr_file_read(text, n, *state, 1 << 20, NULL), LR_OK);
}

static void config__fails_when_cut_short(void **state)
{
    char *text = NULL;
    size_t n;

    example_text(&text, &n, state);
    for (size_t cut = 0; cut + 1 < n; cut++) {
        struct out_config r;
        struct lr_err e = {0};
        save(state, text, cut);
        assert_int_equal(out_config_read(&r, *state, NULL, &e), LR_EPARSE);
        assert_int_equal(strncmp(e.msg, *state, strlen(*state)), 0);
        assert_true(e.msg[strlen(*state)] == ':' &&
                    strtol(e.msg + strlen(*state) + 1, NULL, 10) > 0);
        assert_null(r.layers);
        out_config_free(&r);
    }
    lr_free(text);
}

static void config__survives_when_any_byte_is_changed(void **state)
{
    char *text = NULL;
    size_t n;

    example_text(&text, &n, state);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 4; k++) {
            static const char put[4] = {'"', '}', '9', (char)0x80};
            char old = text[i];
            struct out_config r;
            struct lr_err e = {0};
            text[i] = put[k];
            save(state, text, n);
            enum lr_status st = out_config_read(&r, *state, NULL, &e);
            assert_true(st == LR_OK || st == LR_EPARSE);
            assert_true(st == LR_OK || e.msg[0]);
            out_config_free(&r);
            text[i] = old;
        }
    lr_free(text);
}

static void config__names_the_line_and_what_was_expected(void **state)
{
    /* Each case replaces the first "from" of a valid file; line 0: where that stands. */
    static const struct {
        const char *from, *to;
        int line;
        const char *text;
    } cases[] = {
        {"\"schema\": 3", "\"schema\": 4", 0, "schema version 4"},
        {"\"schema\": 3", "\"schema\": 0", 0, "schema version 0"},
        {"\"schema\": 3", "\"schema\": \"1\"", 0, "an integer"},
        {"ranklab configuration", "other", 0, "ranklab configuration"},
        {"\"threads\": 8", "\"threads\": -1", 0, "threads: an integer from 0 to 65536"},
        {"\"threads\": 8", "\"threads\": 8.5", 0, "threads: an integer"},
        {"\"threads\": 8", "\"threads\": 99999999999", 0, "threads: an integer"},
        {"\"threads\": 8", "\"threads\": 99999999999999999999", 0, "integer"},
        {"\"threads\": 8", "\"colour\": 8", 0, "program.colour: no key of that name"},
        {"\"program\": {", "\"programme\": {", 0, "programme: no key of that name"},
        {"\"rank\": 17", "\"ranks\": 17", 72, "layers[0].rank: an integer from 1"},
        {"\"is_alone\": true", "\"is_alone\": 1", 0, "layers[2].solved.is_alone: true"},
        {"\"lambda_1\": null", "\"lambda_1\": 0", 0, "settings.lambda_1: a number"},
        {"\"top1\": 0.1", "\"top1\": NaN", 0, "invalid token"},
        {"\"threads\": 8", "\"threads\": 8, \"threads\": 8", 0, "duplicate"},
        {"\"top1\": 0.1", "\"top1\": 1e999", 0, "overflow"},
        {"\"top1\": 0.1", "\"top1\": 2", 0, "result.top1: a number from 0 to 1"},
        {"\"top1\": 0.1", "\"top1\": [1, 2]", 0, "result.top1: a number"},
        {"\"seed\": \"18446744073709551615\"", "\"seed\": \"18446744073709551616\"", 0,
         "seed: an integer"},
        {"\"seed\": \"18446744073709551615\"", "\"seed\": \"-1\"", 0, "seed: an integer"},
        {"\"seed\": \"18446744073709551615\"", "\"seed\": -1", 0, "seed: an integer"},
        {"\"rank\": 2147483647", "\"rank\": 2147483648", 0, "layers[1].rank: an integer"},
        {"\"rank\": 2147483647", "\"rank\": \"x\"", 0, "layers[1].rank: an integer"},
        {"\"method\": \"3d\"", "\"method\": null", 0, "layers[1].method: a string"},
        {"\"layer\": \"\"", "\"layer\": \"conv1\"", 0, "not given before"},
        {"\"state\": \"whole\"", "\"state\": \"\\u0000\"", 0, "NUL"},
        {sha, "0123", 0, "model.sha256: a string of 64"},
        {"\"mode\": \"asym\"", "\"mode\": {\"a\": \"}\"}", 0, "mode: a string"},
    };
    char *text = NULL;
    size_t n;

    example_text(&text, &n, state);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_strbuf b = {0};
        struct out_config r;
        struct lr_err e = {0};
        const char *found = strstr(text, cases[i].from);
        assert_non_null(found);
        size_t at = (size_t)(found - text);
        int wanted = cases[i].line ? cases[i].line : 1;
        for (size_t k = 0; !cases[i].line && k < at; k++)
            wanted += text[k] == '\n';
        lr_strbuf_add(&b, text, at);
        lr_strbuf_puts(&b, cases[i].to);
        lr_strbuf_puts(&b, text + at + strlen(cases[i].from));
        save(state, b.s, b.len);
        enum lr_status st = out_config_read(&r, *state, NULL, &e);
        int line = (int)strtol(e.msg + strlen(*state) + 1, NULL, 10);
        if (st != LR_EPARSE || line != wanted || !strstr(e.msg, cases[i].text))
            fail_msg("status %d, \"%s\"; wanted line %d, \"%s\"", st, e.msg, wanted,
                     cases[i].text);
        out_config_free(&r);
        lr_strbuf_free(&b);
    }
    lr_free(text);
}

static void config__reads_schema_1(void **state)
{
    static const char text[] =
        "{\"new\": [1, {\"x\": null}], \"schema\": 1, \"format\": \"ranklab "
        "configuration\",\n"
        "\"seed\": 7, \"threads\": 0, \"evaluation\": {\"images\": 0, \"later\": true},\n"
        "\"layers\": [{\"layer\": \"a\", \"method\": \"pca\", \"state\": \"whole\",\n"
        "\"rank\": null, \"full_rank\": 2, \"energy\": 1}]}";
    struct out_config r;
    struct lr_err e = {0};

    save(state, text, strlen(text));
    if (out_config_read(&r, *state, NULL, &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_true(r.schema == 1 && r.seed.is_known && r.seed.value == 7);
    assert_false(r.layers[0].solved.seed.is_known);
    assert_true(!r.layers[0].solved.mode && !r.model);
    assert_true(r.macs == -1 && r.n_iter1 == -1 && r.round == -1);
    assert_true(isnan(r.result.top1) && isnan(r.lambda1));
    assert_true(r.layers[0].rank == -1 && r.layers[0].rank_spatial == -1);
    assert_true(r.layers[0].energy == 1 && isnan(r.layers[0].error_calib));
    out_config_free(&r);
}

static void config__survives_deep_nesting_and_other_files(void **state)
{
    static const char *const texts[] = {"",   "[]",    "null",          "3",
                                        "{}", "\"x\"", "{\"format\":1}"};
    struct out_config r;
    struct lr_err e = {0};
    size_t n = 1 << 20;
    char *deep = malloc(n);

    memset(deep, '[', n);
    save(state, deep, n);
    assert_int_equal(out_config_read(&r, *state, NULL, &e), LR_EPARSE);
    free(deep);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        save(state, texts[i], strlen(texts[i]));
        assert_int_equal(out_config_read(&r, *state, NULL, NULL), LR_EPARSE);
    }
    assert_int_equal(out_config_read(&r, "/nonexistent/x.json", NULL, &e), LR_EIO);
    assert_null(r.layers);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(config__reads_back_exactly),
        T(config__refuses_to_write_what_it_would_not_read),
        T(config__fails_when_cut_short),
        T(config__survives_when_any_byte_is_changed),
        T(config__names_the_line_and_what_was_expected),
        T(config__reads_schema_1),
        T(config__survives_deep_nesting_and_other_files),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
