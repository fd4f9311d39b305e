/* A solve that was stopped is taken up: what comes out is that of one that nothing
 * happened to, and nothing damaged or of other settings is believed. */
#include <dirent.h>
#include <sys/stat.h>

#include "cache_folder.h"
#include "solve_fixture.h"

#include "ranklab/file.h"
#include "session/unfinished.h"

/* Stops when the n-th layer begins. */
struct stopper {
    int n;
    char last[64];
};

static int stop_there(void *ctx, double fraction, const char *what)
{
    struct stopper *x = ctx;

    (void)fraction;
    if (strncmp(what, "solving ", 8) == 0 && strcmp(what, x->last) != 0) {
        snprintf(x->last, sizeof(x->last), "%s", what);
        x->n--;
    }
    return x->n <= 0;
}

static void stop_at(struct setting *t, int n)
{
    struct stopper x = {.n = n};
    struct lr_progress p = {stop_there, &x, 0, 0};
    struct lr_err e = {0};

    assert_int_equal(try_solve(t, NULL, -1, LR_MODE_ASYM, &p, &e), LR_EINTR);
}

/* How many layers the cache folder holds; path gets the name of one of them. */
static int n_kept(char path[400])
{
    char folder[128];
    int n = 0;

    snprintf(folder, sizeof(folder), "%s/ranklab/unfinished", cache_base);
    DIR *d = opendir(folder);
    for (struct dirent *x; d && (x = readdir(d));)
        if (x->d_name[0] != '.') {
            snprintf(path, 400, "%s/%s", folder, x->d_name);
            n++;
        }
    if (d)
        closedir(d);
    return n;
}

/* The last note on what was kept or taken up. */
static void keep_told(void *ctx, enum lr_note_level level, const char *text)
{
    if (strstr(text, "taken up") || strstr(text, "are kept"))
        keep_note(ctx, level, text);
}

/* A second session on the same network with the same ranks, as another process has it. */
static void begin(struct setting *t, const char *file)
{
    t->s.notes = (struct lr_notes){keep_told, t};
    t->note[0] = '\0';
    open_model(t, file);
    t->s.settings.resume = LR_RESUME_ALWAYS;
    set_low(t, LR_METHOD_3D);
}

static void assert_as_whole(struct lr_factors *const *whole, const struct setting *t)
{
    for (int i = 0; i < t->s.n_layers; i++) {
        const struct lr_factors *a = whole[i], *b = t->s.plan[i].factors;
        if (!a && !b)
            continue;
        assert_true(is_same_factors(a, b));
        assert_true(a->error_heldout == b->error_heldout);
        assert_true(a->error_own == b->error_own);
        assert_true(a->error_inherited == b->error_inherited);
        assert_int_equal(a->best_iteration, b->best_iteration);
        assert_int_equal(a->calib_images, b->calib_images);
        assert_string_equal(a->calib_sha256, b->calib_sha256);
        assert_string_equal(a->mode, b->mode);
        assert_int_equal(a->seed, b->seed);
    }
}

static void solve__stopped_goes_on_where_it_was(void **state)
{
    struct setting *t = *state;
    struct lr_factors *whole[MAX_LAYERS];
    const char *const files[] = {"chain.onnx", "residual.onnx", "mixed.onnx"};
    char path[400];

    for (size_t i = 0; i < 3; i++) {
        begin(t, files[i]);
        t->s.settings.resume = LR_RESUME_NEVER;
        solve_all(t, LR_MODE_ASYM);
        hold_factors(whole, t);

        begin(t, files[i]);
        stop_at(t, 3);
        assert_int_equal(n_kept(path), 2);
        assert_non_null(strstr(t->note, "2 of "));
        for (int k = 0; k < t->s.n_layers; k++)
            assert_null(t->s.plan[k].factors);

        begin(t, files[i]); /* one more */
        stop_at(t, 2);
        assert_int_equal(n_kept(path), 3);
        assert_non_null(strstr(t->note, "3 of "));

        begin(t, files[i]);
        solve_all(t, LR_MODE_ASYM);
        assert_non_null(strstr(t->note, "taken up again: 3 of "));
        assert_as_whole(whole, t);
        assert_int_equal(n_kept(path), 0);
        forget_factors(whole);
    }
}

static void solve__other_settings_are_another_solve(void **state)
{
    struct setting *t = *state;
    char path[400];

    begin(t, "chain.onnx");
    stop_at(t, 3);
    int kept = n_kept(path);
    assert_int_equal(kept, 2);
    for (int k = 0; k < 4; k++) {
        begin(t, "chain.onnx");
        if (k == 0)
            t->s.settings.seed = 99;
        if (k == 1)
            t->s.settings.lambda2 = 2;
        if (k == 2) /* the first layer, so that all behind it are fitted to another one */
            set_pair(t, 1, 5, 6);
        if (k == 3)
            t->s.settings.resume = LR_RESUME_NEVER;
        solve_all(t, k == 3 ? LR_MODE_SYM : LR_MODE_ASYM);
        assert_null(strstr(t->note, "taken up"));
        lr_session_free(&t->s);
        lr_session_init(&t->s);
    }
    assert_int_equal(n_kept(path), kept);
    begin(t, "chain.onnx");
    solve_all(t, LR_MODE_ASYM);
    assert_non_null(strstr(t->note, "taken up again: 2 of "));
    assert_int_equal(n_kept(path), 0);
}

static void solve__short_work_keeps_nothing_by_itself(void **state)
{
    struct setting *t = *state;
    char path[400];

    begin(t, "chain.onnx");
    t->s.settings.resume = LR_RESUME_AUTO;
    stop_at(t, 3);
    assert_int_equal(n_kept(path), 0);
}

static const char other_key[] =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* Every byte of a kept layer counts: with one of them changed, or cut off, it is none. */
static void factors_file__damage_is_seen(void **state)
{
    struct setting *t = *state;
    struct lr_factors *f = NULL;
    char path[400], *data = NULL;
    size_t len = 0;

    begin(t, "chain.onnx");
    stop_at(t, 2);
    assert_int_equal(n_kept(path), 1);
    assert_ok(lr_file_read(&data, &len, path, 1 << 24, fx_e));
    const char *key = strrchr(path, '/') + 1;
    assert_ok(session_factors_read(&f, key, path, fx_e));
    assert_non_null(f);
    lr_factors_unref(f);
    /* Whole, but of another layer. */
    assert_ok(session_factors_read(&f, other_key, path, fx_e));
    assert_null(f);
    size_t step = len / 300 + 1;
    for (size_t i = 0; i < len; i += i < 700 ? 1 : step) {
        data[i] = (char)(data[i] ^ 1);
        assert_ok(lr_file_write(path, data, len, fx_e));
        data[i] = (char)(data[i] ^ 1);
        assert_ok(session_factors_read(&f, key, path, fx_e));
        if (f)
            fail_msg("byte %zu of %zu was changed", i, len);
        assert_ok(lr_file_write(path, data, i, fx_e));
        assert_ok(session_factors_read(&f, key, path, fx_e));
        if (f)
            fail_msg("cut at %zu of %zu", i, len);
    }
    lr_free(data);
    /* The solve goes on without it. */
    begin(t, "chain.onnx");
    solve_all(t, LR_MODE_ASYM);
    assert_null(strstr(t->note, "taken up"));
    assert_int_equal(n_kept(path), 0);
}

/* A whole file that says what cannot be of this layer, or not of this plan. */
static void solve__believes_no_layer_that_does_not_fit(void **state)
{
    struct setting *t = *state;
    char path[400], key[65];

    for (int k = 0; k < 7; k++) {
        struct lr_factors *f = NULL;
        begin(t, "chain.onnx");
        stop_at(t, 2);
        assert_int_equal(n_kept(path), 1);
        snprintf(key, sizeof(key), "%s", strrchr(path, '/') + 1);
        assert_ok(session_factors_read(&f, key, path, fx_e));
        assert_non_null(f);
        struct lr_conv_part *p = &f->parts[f->n_parts - 1];
        if (k == 0)
            f->n_parts = 0;
        if (k == 1)
            f->n_parts = 1;
        if (k == 2)
            p->stride_h = p->stride_w = 0;
        if (k == 3)
            p->pad_left = 1 << 28;
        if (k == 4)
            p->cout /= 2;
        if (k == 5)
            f->method = LR_METHOD_SVD;
        if (k == 6)
            f->rank = 1 << 28;
        f->digest[0] = '\0';
        assert_ok(session_factors_write(f, key, path, fx_e));
        lr_factors_unref(f);
        begin(t, "chain.onnx");
        solve_all(t, LR_MODE_ASYM);
        if (strstr(t->note, "taken up"))
            fail_msg("case %d was believed", k);
        assert_int_equal(n_kept(path), 0);
    }
}

static void factors_file__a_note_and_no_mode_come_back(void **state)
{
    struct setting *t = *state;
    struct lr_factors *f = NULL;
    char path[600];

    begin(t, "chain.onnx");
    set_method(t, 1, LR_METHOD_SVD);
    set_rank(t, 1, 4);
    solve_layer(t, 1, LR_MODE_ASYM);
    struct lr_factors *g = t->s.plan[1].factors;
    lr_free(g->note);
    g->note = lr_strdup("of two lines\nand 100 %");
    g->mode = NULL;
    g->seed = UINT64_MAX;
    fx_path(path, &t->folder, "factors");
    assert_ok(session_factors_write(g, other_key, path, fx_e));
    assert_ok(session_factors_read(&f, other_key, path, fx_e));
    assert_non_null(f);
    assert_string_equal(f->note, g->note);
    assert_null(f->mode);
    assert_true(f->seed == UINT64_MAX);
    assert_int_equal(f->method, LR_METHOD_SVD);
    assert_true(is_same_factors(f, g));
    lr_factors_unref(f);
    assert_ok(session_factors_read(&f, other_key, "/nonexistent/file", fx_e));
    assert_null(f);
}

static int set_up_alone(void **state)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf '%s/ranklab'", cache_base);
    return system(command) == 0 ? set_up(state) : -1;
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up_alone, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(solve__stopped_goes_on_where_it_was),
        CASE(solve__other_settings_are_another_solve),
        CASE(solve__short_work_keeps_nothing_by_itself),
        CASE(factors_file__damage_is_seen),
        CASE(solve__believes_no_layer_that_does_not_fit),
        CASE(factors_file__a_note_and_no_mode_come_back),
    };
    return cmocka_run_group_tests(tests, make_cache, remove_cache);
}
