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
#include "ranklab/file.h"
#include "ranklab/mem.h"

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
    struct out_config c = {.model = (char *)(uintptr_t) "models/vgg \"x\"\\\n.onnx",
                           .model_sha256 = (char *)(uintptr_t)sha,
                           .calib = (char *)(uintptr_t) "\xc3\xa9.npy",
                           .calib_sha256 = NULL,
                           .mode = (char *)(uintptr_t) "asym",
                           .program_version = (char *)(uintptr_t) "0.1.0",
                           .seed = {true, UINT64_MAX},
                           .threads = 8,
                           .macs = 123456789012345,
                           .macs_original = -1,
                           .eval_images = 10000,
                           .top1 = 0.1,
                           .top1_original = 1.0 / 3,
                           .difference = -0.004,
                           .difference_low = NAN,
                           .difference_high = 1,
                           .n_layers = 3,
                           .layers = layers};

    layers[0] = (struct out_config_layer){(char *)(uintptr_t) "conv1",
                                          (char *)(uintptr_t) "relu",
                                          (char *)(uintptr_t) "solved",
                                          17,
                                          -1,
                                          48,
                                          5600000,
                                          13000000,
                                          0.98765432109876543,
                                          1e-300,
                                          5e-324,
                                          DBL_MAX,
                                          (char *)(uintptr_t) "sym",
                                          {true, UINT64_MAX}};
    layers[1] = (struct out_config_layer){(char *)(uintptr_t) "",
                                          (char *)(uintptr_t) "3d",
                                          (char *)(uintptr_t) "chosen",
                                          INT_MAX,
                                          28,
                                          INT_MAX,
                                          -1,
                                          0,
                                          0,
                                          NAN,
                                          0.30000000000000004,
                                          1,
                                          NULL,
                                          {true, 0}};
    layers[2] = (struct out_config_layer){(char *)(uintptr_t) "a/\xe4\xbd\x9c\x1b[m'`|",
                                          (char *)(uintptr_t) "keep",
                                          (char *)(uintptr_t) "whole",
                                          0,
                                          0,
                                          0,
                                          0,
                                          0,
                                          1,
                                          NAN,
                                          NAN,
                                          NAN,
                                          NULL,
                                          {false, 0}};
    return c;
}

static void same_text(const char *a, const char *b)
{
    if (!a || !b)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static void same_real(double a, double b)
{
    if (!(isnan(a) && isnan(b)) && a != b)
        fail_msg("%.17g is not %.17g", a, b);
}

static void config__reads_back_exactly(void **state)
{
    struct out_config c = example(), r;
    struct lr_err e = {0};

    for (int round = 0; round < 4; round++) {
        static const uint64_t seeds[] = {UINT64_MAX, 0, ((uint64_t)1 << 53) - 1,
                                         (uint64_t)1 << 53};
        c.seed.value = seeds[round];
        if (round == 3)
            c.n_layers = 0;
        if (out_config_write(&c, *state, &e) != LR_OK ||
            out_config_read(&r, *state, &e) != LR_OK)
            fail_msg("%s", e.msg);
        same_text(r.model, c.model);
        same_text(r.model_sha256, c.model_sha256);
        same_text(r.calib, c.calib);
        same_text(r.calib_sha256, c.calib_sha256);
        same_text(r.eval, c.eval);
        same_text(r.eval_sha256, c.eval_sha256);
        same_text(r.mode, c.mode);
        same_text(r.program_version, c.program_version);
        same_text(r.blas_version, c.blas_version);
        same_text(r.engine_version, c.engine_version);
        assert_true(r.seed.is_known == c.seed.is_known && r.seed.value == c.seed.value &&
                    r.threads == c.threads);
        assert_true(r.macs == c.macs && r.macs_original == c.macs_original);
        assert_int_equal(r.eval_images, c.eval_images);
        same_real(r.top1, c.top1);
        same_real(r.top1_original, c.top1_original);
        same_real(r.difference, c.difference);
        same_real(r.difference_low, c.difference_low);
        same_real(r.difference_high, c.difference_high);
        assert_int_equal(r.n_layers, c.n_layers);
        for (int i = 0; i < c.n_layers; i++) {
            const struct out_config_layer *a = &c.layers[i], *b = &r.layers[i];
            same_text(a->name, b->name);
            same_text(a->method, b->method);
            same_text(a->state, b->state);
            same_text(a->mode, b->mode);
            assert_true(a->seed.is_known == b->seed.is_known &&
                        a->seed.value == b->seed.value);
            assert_true(a->rank == b->rank && a->rank_spatial == b->rank_spatial &&
                        a->full_rank == b->full_rank);
            assert_true(a->macs == b->macs && a->macs_original == b->macs_original);
            same_real(a->energy, b->energy);
            same_real(a->error_linear, b->error_linear);
            same_real(a->error_calib, b->error_calib);
            same_real(a->error_heldout, b->error_heldout);
        }
        out_config_free(&r);
    }
}

static void config__looks_as_documented(void **state)
{
    struct out_config_layer layer = {(char *)(uintptr_t) "conv1",
                                     (char *)(uintptr_t) "relu",
                                     (char *)(uintptr_t) "solved",
                                     17,
                                     -1,
                                     48,
                                     56,
                                     130,
                                     0.9,
                                     0.1,
                                     NAN,
                                     0.25,
                                     (char *)(uintptr_t) "sym",
                                     {false, 0}};
    struct out_config c = {.mode = (char *)(uintptr_t) "asym",
                           .seed = {true, 5},
                           .threads = 2,
                           .macs = 56,
                           .macs_original = 130,
                           .top1 = NAN,
                           .top1_original = NAN,
                           .difference = NAN,
                           .difference_low = NAN,
                           .difference_high = NAN,
                           .n_layers = 1,
                           .layers = &layer};
    char *text;
    size_t n;

    assert_int_equal(out_config_write(&c, *state, NULL), LR_OK);
    assert_int_equal(lr_file_read(&text, &n, *state, 10000, NULL), LR_OK);
    assert_string_equal(text, "{\n"
                              "  \"format\": \"ranklab configuration\",\n"
                              "  \"schema\": 1,\n"
                              "  \"program\": {\n"
                              "    \"version\": null,\n"
                              "    \"blas\": null,\n"
                              "    \"engine\": null\n"
                              "  },\n"
                              "  \"model\": {\n"
                              "    \"path\": null,\n"
                              "    \"sha256\": null\n"
                              "  },\n"
                              "  \"calibration\": {\n"
                              "    \"path\": null,\n"
                              "    \"sha256\": null\n"
                              "  },\n"
                              "  \"evaluation\": {\n"
                              "    \"path\": null,\n"
                              "    \"sha256\": null,\n"
                              "    \"images\": 0,\n"
                              "    \"top1\": null,\n"
                              "    \"top1_original\": null,\n"
                              "    \"top1_difference\": null,\n"
                              "    \"difference_low\": null,\n"
                              "    \"difference_high\": null\n"
                              "  },\n"
                              "  \"mode\": \"asym\",\n"
                              "  \"seed\": 5,\n"
                              "  \"threads\": 2,\n"
                              "  \"macs\": 56,\n"
                              "  \"macs_original\": 130,\n"
                              "  \"layers\": [\n"
                              "    {\n"
                              "      \"layer\": \"conv1\",\n"
                              "      \"method\": \"relu\",\n"
                              "      \"state\": \"solved\",\n"
                              "      \"mode\": \"sym\",\n"
                              "      \"seed\": null,\n"
                              "      \"rank\": 17,\n"
                              "      \"rank_spatial\": null,\n"
                              "      \"full_rank\": 48,\n"
                              "      \"macs\": 56,\n"
                              "      \"macs_original\": 130,\n"
                              "      \"energy\": 0.9,\n"
                              "      \"error_linear\": 0.1,\n"
                              "      \"error_calib\": null,\n"
                              "      \"error_heldout\": 0.25\n"
                              "    }\n"
                              "  ]\n"
                              "}\n");
    lr_free(text);
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
            c.top1 = 1.5;
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
        assert_int_equal(out_config_read(&r, *state, &e), LR_EPARSE);
        assert_int_equal(strncmp(e.msg, *state, strlen(*state)), 0);
        assert_true(e.msg[strlen(*state)] == ':' && atoi(e.msg + strlen(*state) + 1) > 0);
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
            enum lr_status st = out_config_read(&r, *state, &e);
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
        {"\"schema\": 1", "\"schema\": 2", 0, "schema version 2"},
        {"\"schema\": 1", "\"schema\": \"1\"", 0, "an integer"},
        {"ranklab configuration", "other", 0, "ranklab configuration"},
        {"\"threads\": 8", "\"threads\": -1", 0, "threads: an integer from 0 to 65536"},
        {"\"threads\": 8", "\"threads\": 8.5", 0, "threads: an integer"},
        {"\"threads\": 8", "\"threads\": 99999999999", 0, "threads: an integer"},
        {"\"threads\": 8", "\"threads\": 99999999999999999999", 0, "integer"},
        {"\"threads\": 8", "\"threads\": null", 0, "threads: an integer"},
        {"\"threads\": 8", "\"colour\": 8", 1, "threads: an integer"},
        {"\"threads\": 8", "\"threads\": 8, \"threads\": 8", 0, "duplicate"},
        {"\"top1\": 0.1", "\"top1\": 1e999", 0, "overflow"},
        {"\"top1\": 0.1", "\"top1\": 2", 0, "evaluation.top1: a number from 0 to 1"},
        {"\"top1\": 0.1", "\"top1\": [1, 2]", 0, "evaluation.top1: a number"},
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
        enum lr_status st = out_config_read(&r, *state, &e);
        int line = atoi(e.msg + strlen(*state) + 1);
        if (st != LR_EPARSE || line != wanted || !strstr(e.msg, cases[i].text))
            fail_msg("status %d, \"%s\"; wanted line %d, \"%s\"", st, e.msg, wanted,
                     cases[i].text);
        out_config_free(&r);
        lr_strbuf_free(&b);
    }
    lr_free(text);
}

static void config__ignores_unknown_keys_and_takes_missing_ones_as_null(void **state)
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
    if (out_config_read(&r, *state, &e) != LR_OK)
        fail_msg("%s", e.msg);
    assert_true(r.seed.is_known && r.seed.value == 7);
    assert_false(r.layers[0].seed.is_known);
    assert_null(r.layers[0].mode);
    assert_null(r.model);
    assert_int_equal(r.macs, -1);
    assert_true(isnan(r.top1));
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
    assert_int_equal(out_config_read(&r, *state, &e), LR_EPARSE);
    free(deep);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        save(state, texts[i], strlen(texts[i]));
        assert_int_equal(out_config_read(&r, *state, NULL), LR_EPARSE);
    }
    assert_int_equal(out_config_read(&r, "/nonexistent/x.json", &e), LR_EIO);
    assert_null(r.layers);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(config__reads_back_exactly),
        T(config__looks_as_documented),
        T(config__refuses_to_write_what_it_would_not_read),
        T(config__fails_when_cut_short),
        T(config__survives_when_any_byte_is_changed),
        T(config__names_the_line_and_what_was_expected),
        T(config__ignores_unknown_keys_and_takes_missing_ones_as_null),
        T(config__survives_deep_nesting_and_other_files),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
