/* Keeping, using and dropping configurations, and the way back: what comes back must be
 * what was kept, in every part, whatever happened in between. */
#include "setting_fixture.h"

#include "ranklab/configs.h"
#include "ranklab/engine.h"
#include "ranklab/file.h"

/* Everything a configuration consists of, held beside the session. */
struct picture {
    int n;
    enum lr_method method[16];
    struct lr_ranks ranks[16];
    enum lr_state state[16];
    struct lr_factors *factors[16]; /* a reference each: no other gets their address */
    struct lr_settings settings;
    bool has_eval;
    struct lr_eval eval;
};

static void take(struct picture *p, const struct setting *t)
{
    *p = (struct picture){.n = t->s.n_layers, .settings = t->s.settings};
    assert_true(p->n <= 16);
    for (int i = 0; i < p->n; i++) {
        p->method[i] = t->s.plan[i].method;
        p->ranks[i] = t->s.plan[i].ranks;
        p->state[i] = lr_session_state(&t->s, i);
        p->factors[i] = t->s.plan[i].factors;
        lr_factors_ref(p->factors[i]);
    }
    p->has_eval = t->s.has_eval;
    if (p->has_eval)
        p->eval = t->s.last_eval;
}

static void release(struct picture *p)
{
    for (int i = 0; i < p->n; i++)
        lr_factors_unref(p->factors[i]);
}

/* The session is as it was when p was taken. */
static void assert_same(const struct picture *p, const struct setting *t)
{
    for (int i = 0; i < p->n; i++) {
        const struct lr_layer_plan *q = &t->s.plan[i];
        assert_int_equal(q->method, p->method[i]);
        assert_int_equal(q->ranks.channel, p->ranks[i].channel);
        assert_int_equal(q->ranks.spatial, p->ranks[i].spatial);
        assert_int_equal(lr_session_state(&t->s, i), p->state[i]);
        assert_ptr_equal(q->factors, p->factors[i]);
    }
    assert_true(lr_settings_same(&t->s.settings, &p->settings));
    assert_int_equal(t->s.has_eval, p->has_eval);
    if (p->has_eval)
        assert_memory_equal(&t->s.last_eval, &p->eval, sizeof(p->eval));
}

static void evaluate(struct setting *t)
{
    struct lr_eval r;

    assert_ok(lr_session_evaluate(&r, &t->s, 0, NULL, fx_e));
    assert_true(t->s.has_eval);
}

/* conv2 and conv3 at these ranks, solved and evaluated. */
static void make_plan(struct setting *t, int rank2, int rank3)
{
    t->s.settings.n_iter1 = t->s.settings.n_iter2 = 2;
    set_rank(t, 1, rank2);
    set_rank(t, 2, rank3);
    solve_all(t, t->s.settings.mode);
    evaluate(t);
}

static void use__gives_back_plan_settings_and_evaluation__after_other_work(void **state)
{
    struct setting *t = *state;
    struct picture kept, other;

    make_plan(t, 8, 9);
    take(&kept, t);
    assert_ok(lr_session_keep(&t->s, "a", fx_e));
    assert_same(&kept, t);
    t->s.settings.seed = 99;
    t->s.settings.lambda2 = 0.5;
    t->s.settings.mode = LR_MODE_SYM;
    t->s.settings.round = 4;
    set_method(t, 1, LR_METHOD_SVD);
    make_plan(t, 5, 6);
    take(&other, t);
    assert_false(lr_session_is_config(&t->s, lr_session_config(&t->s, "a")));
    assert_ok(lr_session_use(&t->s, "a", fx_e));
    assert_same(&kept, t);
    assert_true(lr_session_is_config(&t->s, lr_session_config(&t->s, "a")));
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_same(&other, t);
    assert_ok(lr_session_redo(&t->s, fx_e));
    assert_same(&kept, t);
    release(&kept);
    release(&other);
}

static void use__is_no_step__of_what_the_plan_is_already(void **state)
{
    struct setting *t = *state;
    struct picture before;

    take(&before, t);
    make_plan(t, 8, 9);
    assert_ok(lr_session_keep(&t->s, "a", fx_e));
    assert_ok(lr_session_use(&t->s, "a", fx_e));
    assert_ok(lr_session_undo(&t->s, fx_e)); /* the solve */
    assert_int_equal(lr_session_state(&t->s, 1), LR_STATE_CHOSEN);
    assert_int_equal(t->s.plan[1].ranks.channel, 8);
    release(&before);
}

static void keep__keeps_what_was_measured__when_the_plan_changes(void **state)
{
    struct setting *t = *state;

    make_plan(t, 8, 9);
    struct lr_eval eval = t->s.last_eval;
    assert_ok(lr_session_keep(&t->s, "a", fx_e));
    set_rank(t, 1, 4);
    assert_false(t->s.has_eval);
    const struct lr_config *a = lr_session_config(&t->s, "a");
    assert_non_null(a);
    assert_true(a->has_eval);
    assert_memory_equal(&a->eval, &eval, sizeof(eval));
    assert_int_equal(a->plan[1].ranks.channel, 8);
    assert_int_equal(a->n_to_solve, 0);
    assert_string_equal(a->eval_sha256, lr_dataset_hash(t->s.eval));
    struct lr_layer_row r;
    lr_session_config_row(&r, &t->s, a, 1);
    assert_int_equal(r.rank, 8);
    assert_int_equal(r.state, LR_STATE_SOLVED);
    assert_int_equal(t->s.plan[1].ranks.channel, 4);
}

static void use__leaves_out_the_evaluation__on_other_images(void **state)
{
    struct setting *t = *state;
    struct lr_data_opts few = {.count = 20, .seed = 1};
    char path[600];

    make_plan(t, 8, 9);
    assert_ok(lr_session_keep(&t->s, "a", fx_e));
    set_rank(t, 1, 4);
    assert_ok(
        lr_session_data(&t->s, 1, fx_path(path, &t->folder, "eval.npy"), &few, fx_e));
    assert_ok(lr_session_use(&t->s, "a", fx_e));
    assert_false(t->s.has_eval);
    assert_ok(
        lr_session_data(&t->s, 1, fx_path(path, &t->folder, "eval.npy"), NULL, fx_e));
    assert_ok(lr_session_use(&t->s, "a", fx_e));
    assert_true(t->s.has_eval);
}

static void drop__comes_back_by_undo__and_goes_by_redo(void **state)
{
    struct setting *t = *state;
    struct picture plan;
    struct lr_err e = {0};

    assert_ok(lr_session_keep(&t->s, "first", fx_e));
    make_plan(t, 8, 9);
    take(&plan, t);
    assert_ok(lr_session_keep(&t->s, "a", fx_e));
    assert_ok(lr_session_keep(&t->s, "last", fx_e));
    assert_ok(lr_session_drop(&t->s, "a", fx_e));
    assert_null(lr_session_config(&t->s, "a"));
    assert_int_equal(lr_session_use(&t->s, "a", &e), LR_EINVAL);
    assert_int_equal(lr_session_drop(&t->s, "a", &e), LR_EINVAL);
    assert_ok(lr_session_undo(&t->s, fx_e));
    assert_same(&plan, t);
    assert_string_equal(t->s.configs->items[1].name, "a"); /* in its place */
    assert_ok(lr_session_redo(&t->s, fx_e));
    assert_null(lr_session_config(&t->s, "a"));
    assert_ok(lr_session_undo(&t->s, fx_e));
    set_rank(t, 1, 3);
    assert_ok(lr_session_use(&t->s, "a", fx_e));
    assert_same(&plan, t);
    release(&plan);
}

static void config_build__gives_the_network_of_the_configuration(void **state)
{
    struct setting *t = *state;
    struct lr_graph *then = NULL, *later = NULL;
    struct lr_err e = {0};

    make_plan(t, 8, 9);
    assert_ok(lr_session_build(&then, &t->s, false, fx_e));
    assert_ok(lr_session_keep(&t->s, "a", fx_e));
    set_rank(t, 1, 4);
    assert_int_equal(lr_session_build(&later, &t->s, false, &e), LR_EINVAL);
    assert_ok(lr_session_config_build(&later, &t->s, lr_session_config(&t->s, "a"), false,
                                      fx_e));
    char a[600], b[600], *x = NULL, *y = NULL;
    size_t nx, ny;
    assert_ok(lr_onnx_write(then, fx_path(a, &t->folder, "then.onnx"), fx_e));
    assert_ok(lr_onnx_write(later, fx_path(b, &t->folder, "later.onnx"), fx_e));
    assert_ok(lr_file_read(&x, &nx, a, 1 << 24, fx_e));
    assert_ok(lr_file_read(&y, &ny, b, 1 << 24, fx_e));
    assert_int_equal(nx, ny);
    assert_memory_equal(x, y, nx);
    lr_free(x);
    lr_free(y);
    lr_graph_free(then);
    lr_graph_free(later);
}

/* ---- files ---- */

/* The file with the first of a word replaced; the line it stands in is returned. */
static int rewrite(const char *path, const char *from, const char *to)
{
    char *text = NULL;
    size_t n;
    int line = 1;
    struct lr_strbuf b = {0};

    assert_ok(lr_file_read(&text, &n, path, 1 << 24, fx_e));
    char *at = strstr(text, from);
    assert_non_null(at);
    for (const char *p = text; p < at; p++)
        line += *p == '\n';
    lr_strbuf_add(&b, text, (size_t)(at - text));
    lr_strbuf_puts(&b, to);
    lr_strbuf_puts(&b, at + strlen(from));
    assert_ok(lr_file_write(path, b.s, b.len, fx_e));
    lr_strbuf_free(&b);
    lr_free(text);
    return line;
}

static void import__names_the_line__of_an_unknown_word(void **state)
{
    static const struct {
        const char *from, *to, *wanted;
    } cases[] = {
        {"\"method\": \"relu\"", "\"method\": \"magic\"", "svd"},
        {"\"mode\": \"asym\"", "\"mode\": \"none\"", "sym"},
        {"\"convolution\": \"direct\"", "\"convolution\": \"fast\"", "winograd"},
        {"\"deploy_engine\": \"onednn\"", "\"deploy_engine\": \"x\"", "onnxruntime"},
    };
    struct setting *t = *state;
    struct picture before;
    char path[600], line[32];

    make_plan(t, 8, 9);
    take(&before, t);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lr_err e = {0};
        fx_path(path, &t->folder, "plan.json");
        assert_ok(lr_session_export_config(&t->s, NULL, path, fx_e));
        snprintf(line, sizeof(line), ":%d:", rewrite(path, cases[i].from, cases[i].to));
        assert_int_equal(lr_session_import_config(&t->s, path, true, &e), LR_EPARSE);
        assert_non_null(strstr(e.msg, line));
        assert_non_null(strstr(e.msg, cases[i].wanted));
        assert_same(&before, t);
    }
    release(&before);
}

static void import__tells_the_evaluation__without_taking_it_for_its_own(void **state)
{
    struct setting *t = *state;
    struct lr_config now;
    char path[600];

    make_plan(t, 8, 9);
    struct lr_eval eval = t->s.last_eval;
    fx_path(path, &t->folder, "plan.json");
    assert_ok(lr_session_export_config(&t->s, NULL, path, fx_e));
    set_rank(t, 1, 4);
    assert_ok(lr_session_import_config(&t->s, path, false, fx_e));
    assert_false(t->s.has_eval);
    assert_ok(lr_session_view_config(&now, &t->s, fx_e));
    assert_false(now.has_eval);
    assert_true(now.is_eval_told);
    assert_memory_equal(&now.eval.images, &eval.images, sizeof(eval.images));
    assert_true(now.eval.output_error == eval.output_error);
    assert_true(now.eval.agreement == eval.agreement);
    assert_string_equal(now.eval_sha256, lr_dataset_hash(t->s.eval));
    lr_config_view_free(&now);
    set_rank(t, 1, 5); /* another plan: nothing is told of it */
    assert_ok(lr_session_view_config(&now, &t->s, fx_e));
    assert_false(now.is_eval_told);
    lr_config_view_free(&now);
}

static void assert_file_has(const char *path, const char *text)
{
    char *all = NULL;
    size_t n;

    assert_ok(lr_file_read(&all, &n, path, 1 << 24, fx_e));
    assert_non_null(strstr(all, text));
    lr_free(all);
}

static void assert_same_files(const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t nx, ny;

    assert_ok(lr_file_read(&x, &nx, a, 1 << 24, fx_e));
    assert_ok(lr_file_read(&y, &ny, b, 1 << 24, fx_e));
    assert_int_equal(nx, ny);
    assert_memory_equal(x, y, nx);
    lr_free(x);
    lr_free(y);
}

/* Milliseconds were promised for a deployment; a file that does not name it (schema 2 did
 * not) leaves it as it is. */
static void import__takes_the_deployment__where_the_file_names_it(void **state)
{
    static const struct lr_deploy wanted = {LR_DEPLOY_ONNXRUNTIME, 8, 3,
                                            LR_CONV_WINOGRAD};
    struct setting *t = *state;
    struct lr_deploy *now = &t->s.settings.deploy;
    const struct lr_deploy before = *now;
    char path[600], again[600];

    make_plan(t, 8, 9);
    *now = wanted;
    assert_ok(
        lr_session_export_config(&t->s, NULL, fx_path(path, &t->folder, "a.json"), fx_e));
    rewrite(path, "\"ms\": null", "\"ms\": 1.5");
    *now = before;
    assert_ok(lr_session_import_config(&t->s, path, false, fx_e));
    assert_true(now->engine == wanted.engine && now->batch == 8 && now->threads == 3 &&
                now->convolution == LR_CONV_WINOGRAD);
    assert_ok(lr_session_export_config(&t->s, NULL, fx_path(again, &t->folder, "b.json"),
                                       fx_e));
    assert_same_files(path, again);

    /* What was measured there is not of another deployment. */
    now->batch = 1;
    assert_ok(lr_session_export_config(&t->s, NULL, again, fx_e));
    assert_file_has(again, "\"deploy_batch\": 1,");
    assert_file_has(again, "\"ms\": null");

    rewrite(path, "\"schema\": 3", "\"schema\": 2");
    rewrite(path,
            ",\n    \"deploy_engine\": \"onnxruntime\",\n    \"deploy_batch\": 8,\n"
            "    \"deploy_threads\": 3",
            "");
    *now = before;
    now->batch = 5;
    assert_ok(lr_session_import_config(&t->s, path, false, fx_e));
    assert_true(now->engine == before.engine && now->batch == 5 &&
                now->threads == before.threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(use__gives_back_plan_settings_and_evaluation__after_other_work),
        T(use__is_no_step__of_what_the_plan_is_already),
        T(keep__keeps_what_was_measured__when_the_plan_changes),
        T(use__leaves_out_the_evaluation__on_other_images),
        T(drop__comes_back_by_undo__and_goes_by_redo),
        T(config_build__gives_the_network_of_the_configuration),
        T(import__names_the_line__of_an_unknown_word),
        T(import__tells_the_evaluation__without_taking_it_for_its_own),
        T(import__takes_the_deployment__where_the_file_names_it),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
