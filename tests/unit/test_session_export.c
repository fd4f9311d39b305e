/* Exporting from a session: what is compared before a file takes its name, and what keeps
 * it from being written. */
#include "setting_fixture.h"

#include "ranklab/export.h"
#include "ranklab/file.h"
#include "session/internal.h"

/* Splits some layers of mixed.onnx, each kind. */
static void make_plan(struct setting *t)
{
    open_model(t, "mixed.onnx");
    t->s.settings.n_iter1 = t->s.settings.n_iter2 = 2;
    for (int i = 0; i < t->s.n_layers; i++)
        if (t->s.layers[i].kind == LR_LAYER_FC)
            assert_ok(lr_session_set_method(&t->s, &i, 1, LR_METHOD_PCA, fx_e));
    set_rank(t, 1, 4);
    set_rank(t, 3, 6);
    set_rank(t, 4, 5);
    solve_all(t, t->s.settings.mode);
}

static enum lr_status export_as(struct setting *t, struct lr_export_opts o,
                                const char *name, struct lr_exported *r, struct lr_err *e)
{
    char path[600];

    return lr_session_export_onnx(r, &t->s, fx_path(path, &t->folder, name), &o, e);
}

static void export__gives_the_network_in_memory__when_opened(void **state)
{
    struct setting *t = *state;
    struct lr_session other;
    struct lr_exported r;
    struct lr_graph *g;
    float *want, *got;
    size_t n, m;
    char path[600];

    make_plan(t);
    assert_ok(export_as(t, (struct lr_export_opts){0}, "out.onnx", &r, fx_e));
    assert_true(r.is_run && r.difference <= 1e-5);
    assert_null(r.data);
    assert_ok(lr_session_build(&g, &t->s, false, fx_e));
    assert_ok(session_probe(&want, &n, &t->s, g, fx_e));
    lr_session_init(&other);
    assert_ok(
        lr_session_open(&other, fx_path(path, &t->folder, "out.onnx"), NULL, NULL, fx_e));
    assert_int_equal(other.n_layers, t->s.n_layers + 3);
    assert_int_equal(lr_graph_cost(other.graph).macs, lr_graph_cost(g).macs);
    other.eval = t->s.eval;
    assert_ok(session_probe(&got, &m, &other, other.graph, fx_e));
    other.eval = NULL;
    assert_int_equal(n, m);
    assert_true(n > 0 && session_difference(got, want, n) < 1e-5);
    lr_free(got);
    lr_free(want);
    lr_graph_free(g);
    lr_session_free(&other);
}

static void export__writes_a_kept_configuration(void **state)
{
    struct setting *t = *state;
    struct lr_exported r;
    char a[600], b[600], *x, *y;
    size_t n, m;

    make_plan(t);
    assert_ok(export_as(t, (struct lr_export_opts){0}, "out.onnx", &r, fx_e));
    assert_ok(lr_session_keep(&t->s, "first", fx_e));
    set_rank(t, 1, 6);
    assert_ok(
        export_as(t, (struct lr_export_opts){.config = "first"}, "then.onnx", &r, fx_e));
    assert_ok(lr_file_read(&x, &n, fx_path(a, &t->folder, "out.onnx"), 1 << 24, fx_e));
    assert_ok(lr_file_read(&y, &m, fx_path(b, &t->folder, "then.onnx"), 1 << 24, fx_e));
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    lr_free(x);
    lr_free(y);
}

static void assert_old(const struct setting *t, const char *name)
{
    char path[600], *data;
    size_t n;

    assert_ok(lr_file_read(&data, &n, fx_path(path, &t->folder, name), 1 << 24, fx_e));
    assert_string_equal(data, "old");
    lr_free(data);
}

/* The file is exchanged for one whose last layer differs, and the hash with it: only the
 * outputs can tell. */
static void export__refuses_a_file_that_computes_something_else(void **state)
{
    struct setting *t = *state;
    struct lr_exported r;
    struct lr_err e = {0};
    struct lr_graph *g = fx_mixed(7);
    char path[600];

    make_plan(t);
    assert_ok(lr_file_write(fx_path(path, &t->folder, "out.onnx"), "old", 3, fx_e));
    float *w = g->values[lr_graph_find_value(g, "fc2_w")].tensor->data;
    for (int i = 0; i < 300; i++)
        w[i] *= 1.01F;
    fx_write_graph(&t->folder, "mixed.onnx", g);
    assert_int_equal(export_as(t, (struct lr_export_opts){0}, "out.onnx", &r, &e),
                     LR_EINVAL);
    assert_non_null(strstr(e.msg, "has changed since it was opened"));
    assert_ok(lr_onnx_read(&g, t->s.model_sha256, fx_path(path, &t->folder, "mixed.onnx"),
                           NULL, fx_e));
    lr_graph_free(g);
    assert_int_equal(export_as(t, (struct lr_export_opts){0}, "out.onnx", &r, &e),
                     LR_ENUMERIC);
    assert_non_null(strstr(e.msg, "its outputs differ by 0.01"));
    assert_old(t, "out.onnx");
}

static int stop_at(void *ctx, double done, const char *what)
{
    (void)done;
    return strcmp(what, ctx) == 0;
}

static void export__stops_anywhere__and_leaves_the_old_file(void **state)
{
    struct setting *t = *state;
    struct lr_exported r;
    struct lr_err e = {0};
    static char steps[][12] = {"splitting", "writing", "comparing"};
    char path[600];

    make_plan(t);
    assert_ok(lr_file_write(fx_path(path, &t->folder, "out.onnx"), "old", 3, fx_e));
    for (int i = 0; i < 3; i++) {
        struct lr_progress p = {.tick = stop_at, .ctx = steps[i]};
        struct lr_export_opts o = {.progress = &p};
        assert_int_equal(export_as(t, o, "out.onnx", &r, &e), LR_EINTR);
        assert_old(t, "out.onnx");
    }
    assert_ok(export_as(t, (struct lr_export_opts){0}, "out.onnx", &r, fx_e));
}

static void export__keeps_half_within_its_tolerance(void **state)
{
    struct setting *t = *state;
    struct lr_exported r;
    struct lr_export_opts o = {.is_half = true};
    char path[600], *data;
    size_t n, m;

    make_plan(t);
    assert_ok(export_as(t, (struct lr_export_opts){0}, "out.onnx", &r, fx_e));
    assert_ok(
        lr_file_read(&data, &n, fx_path(path, &t->folder, "out.onnx"), 1 << 24, fx_e));
    lr_free(data);
    assert_ok(export_as(t, o, "out.onnx", &r, fx_e));
    assert_true(r.difference > 1e-6 && r.difference < 5e-3);
    assert_ok(lr_file_read(&data, &m, path, 1 << 24, fx_e));
    lr_free(data);
    assert_true(m < n);
    /* Too large for 16 bits: the layer is named. */
    struct lr_factors *f = t->s.plan[1].factors;
    f->weights[0] = 1e6F;
    struct lr_err e = {0};
    assert_int_equal(export_as(t, o, "out.onnx", &r, &e), LR_ENUMERIC);
    assert_non_null(strstr(e.msg, "conv2_r1: its weight 1e+06 is too large"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(export__gives_the_network_in_memory__when_opened,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(export__writes_a_kept_configuration, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            export__refuses_a_file_that_computes_something_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(export__stops_anywhere__and_leaves_the_old_file,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(export__keeps_half_within_its_tolerance, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("session_export", tests, NULL, NULL);
}
