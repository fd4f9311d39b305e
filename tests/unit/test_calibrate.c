/* Planning the passes of a solve: budgets are kept to, what is stated is not exceeded,
 * and what comes out does not depend on where activations were kept. */
#include <signal.h>
#include <sys/resource.h>

#include "setting_fixture.h"

#include "ranklab/la.h"
#include "session/calibrate.h"

enum { MANY = 100000 }; /* images enough for keeping to pay */

struct planned {
    int list[MAX_LAYERS];
    bool is_pending[MAX_LAYERS];
    struct calib_job job;
};

/* All convolutions but the first at rank 4. */
static void choose(struct setting *t, const char *file)
{
    open_model(t, file);
    for (int i = 1; i < n_convs(t); i++)
        set_rank(t, i, 4);
}

static void make_job(struct planned *p, const struct setting *t)
{
    *p = (struct planned){
        .job = {
            .s = &t->s, .next = t->s.plan, .list = p->list, .is_pending = p->is_pending}};
    for (int i = 0; i < t->s.n_layers; i++)
        if (lr_session_state(&t->s, i) == LR_STATE_CHOSEN) {
            p->is_pending[i] = true;
            p->list[p->job.n++] = i;
        }
}

static struct session_calib plan(const struct setting *t, int64_t memory, int64_t disk)
{
    struct planned p;
    struct session_calib c;
    const struct calib_limits limits = {memory, disk, MANY};

    make_job(&p, t);
    assert_ok(session_calib_plan(&c, &p.job, &limits, fx_e));
    assert_int_equal(c.n, p.job.n);
    return c;
}

static int n_kept(const struct session_calib *c, bool is_spilled)
{
    int n = 0;

    for (int k = 0; k < c->n; k++)
        n += c->steps[k].keep && c->steps[k].is_spilled == is_spilled;
    return n;
}

static void plan__without_room_keeps_nothing(void **state)
{
    struct setting *t = *state;

    choose(t, "chain.onnx"); /* conv2, conv3, conv4 */
    struct session_calib c = plan(t, 0, 0);
    assert_int_equal(c.n, 2 + 1);
    assert_int_equal(n_kept(&c, false) + n_kept(&c, true), 0);
    assert_true(c.memory == 0 && c.disk == 0);
    /* Nothing is approximated before conv2. In front of conv3 there are conv1 (2 x 16
     * filters of 9) and conv2 at rank 4; in front of conv4 conv3 at rank 4 too, at half
     * the height and width. */
    const double front = 144.0 * (16 * 2 * 9 + 4 * 16 * 9 + 20 * 4);
    assert_false(c.steps[0].has_pass);
    assert_true(c.steps[1].has_pass && c.steps[2].has_pass);
    assert_true(c.steps[1].macs == front);
    assert_true(c.steps[2].macs == front + 36.0 * (4 * 20 * 9 + 24 * 4));
    assert_true(c.macs == c.steps[1].macs + c.steps[2].macs);
    session_calib_free(&c);
}

/* What is kept inside of a split has few channels: 4 of conv2, not 20. */
static void plan__keeps_what_is_narrow(void **state)
{
    struct setting *t = *state;
    const int64_t narrow = (int64_t)MANY * 4 * 144 * 4;

    choose(t, "chain.onnx");
    struct session_calib c = plan(t, narrow, 0);
    assert_int_equal(n_kept(&c, false), 1); /* the last pass keeps nothing */
    assert_non_null(c.steps[1].keep);
    assert_int_equal(c.steps[1].bytes, narrow);
    assert_int_equal(c.memory, narrow);
    session_calib_free(&c);
    c = plan(t, narrow - 1, 0);
    assert_int_equal(n_kept(&c, false), 0);
    session_calib_free(&c);
}

/* conv2, which stays whole, is work enough to spare by a file; three layers follow. */
static void choose_wide(struct setting *t)
{
    struct lr_graph *g = fx_graph(FX_SIZE, FX_SIZE);
    struct lr_rng r;

    lr_rng_seed(&r, 9);
    int v = fx_relu(g, "relu1", fx_conv(g, "conv1", 0, FX_C, 96, 3, 1, &r));
    v = fx_relu(g, "relu2", fx_conv(g, "conv2", v, 96, 96, 3, 1, &r));
    v = fx_relu(g, "relu3", fx_conv(g, "conv3", v, 96, 24, 3, 1, &r));
    v = fx_relu(g, "relu4", fx_conv(g, "conv4", v, 24, 24, 3, 1, &r));
    v = fx_relu(g, "relu5", fx_conv(g, "conv5", v, 24, 24, 3, 1, &r));
    fx_write_graph(&t->folder, "wide.onnx", fx_finish(g, v, 24, &r));
    open_model(t, "wide.onnx");
    for (int i = 2; i < n_convs(t); i++)
        set_rank(t, i, 4);
}

static void plan__goes_to_the_disk_for_what_memory_cannot_hold(void **state)
{
    struct setting *t = *state;
    const int64_t narrow = (int64_t)MANY * 4 * 144 * 4;

    choose_wide(t); /* conv3; conv4 behind it at rank 4; conv5 */
    struct session_calib c = plan(t, 0, (int64_t)1 << 40);
    assert_int_equal(n_kept(&c, true), 1);
    assert_true(c.steps[1].is_spilled);
    assert_int_equal(c.steps[1].bytes, narrow);
    assert_true(c.memory == 0 && c.disk == narrow);
    session_calib_free(&c);
    c = plan(t, narrow, (int64_t)1 << 40);
    assert_int_equal(n_kept(&c, true), 0);
    assert_int_equal(n_kept(&c, false), 1);
    session_calib_free(&c);
}

static void plan__holds_every_budget_and_gains_by_more(void **state)
{
    static const char *const models[] = {"chain.onnx", "residual.onnx", "mixed.onnx"};
    struct setting *t = *state;

    for (int m = 0; m < 3; m++) {
        choose(t, models[m]);
        double last = INFINITY;
        for (int64_t room = 0; room < (int64_t)4e9; room += 120000000) {
            struct session_calib c = plan(t, room, room / 2);
            assert_true(c.memory <= room && c.disk <= room / 2);
            session_calib_free(&c);
            c = plan(t, room, 0);
            assert_true(c.memory <= room && c.disk == 0);
            assert_true(c.macs <= last);
            last = c.macs;
            session_calib_free(&c);
        }
    }
}

/* Kept in memory, kept on the disk or computed again: the same numbers. */
static void solve__does_not_depend_on_what_is_kept(void **state)
{
    static const char *const models[] = {"chain.onnx", "residual.onnx", NULL};
    static const int64_t memory[] = {0, 400000, (int64_t)1 << 40, 0};
    static const int64_t disk[] = {0, 0, 0, (int64_t)1 << 40};
    struct setting *t = *state;

    t->s.settings.n_iter1 = t->s.settings.n_iter2 = 3;
    setenv("TMPDIR", t->folder.path, 1);
    for (int m = 0; m < 3; m++) {
        struct lr_factors *held[MAX_LAYERS];
        if (models[m])
            choose(t, models[m]);
        else
            choose_wide(t);
        for (int k = 0; k < 4; k++) {
            t->s.settings.cache_memory = memory[k];
            t->s.settings.cache_disk = disk[k];
            solve_all(t, LR_MODE_ASYM);
            if (k == 0)
                hold_factors(held, t);
            for (int i = 1; i < n_convs(t); i++)
                assert_true(held[i] ? is_same_factors(held[i], t->s.plan[i].factors)
                                    : !t->s.plan[i].factors);
            assert_ok(lr_session_undo(&t->s, fx_e));
        }
        forget_factors(held);
    }
    unsetenv("TMPDIR");
}

/* With no more than was stated allowed, everything succeeds. */
static void solve__holds_no_more_than_stated(void **state)
{
    static const char *const models[] = {"chain.onnx", "residual.onnx", "mixed.onnx"};
    static const enum lr_method methods[] = {LR_METHOD_RELU, LR_METHOD_3D};
    struct setting *t = *state;

    t->s.settings.n_iter1 = t->s.settings.n_iter2 = 2;
    t->s.settings.cache_memory = (int64_t)1 << 30;
    for (int m = 0; m < 3; m++)
        for (int i = 0; i < 2; i++) {
            struct planned p;
            struct session_calib c;
            struct lr_err e = {0};
            open_model(t, models[m]);
            for (int k = 1; k < n_convs(t); k++) {
                set_method(t, k, methods[i]);
                if (lr_session_rank_layer(&t->s, k).split == LR_SPLIT_BOTH)
                    set_pair(t, k, 4, 6);
                else
                    set_rank(t, k, 4);
            }
            make_job(&p, t);
            assert_ok(session_calib_state(&c, &p.job, fx_e));
            assert_true(c.bound > 0);
            lr_mem_set_limit((size_t)(c.bound - SESSION_LIBRARY_BYTES));
            session_calib_free(&c);
            enum lr_status rc = try_solve(t, NULL, -1, LR_MODE_ASYM, NULL, &e);
            lr_mem_set_limit(0);
            if (rc != LR_OK)
                fail_msg("%s, method %d: %s", models[m], i, e.msg);
        }
}

static void solve__is_refused_beforehand_when_memory_cannot_do(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};

    choose(t, "chain.onnx");
    const struct lr_layer_plan *before = t->s.plan;
    lr_mem_set_limit(lr_mem_held() + 200000);
    enum lr_status rc = try_solve(t, NULL, -1, LR_MODE_ASYM, NULL, &e);
    lr_mem_set_limit(0);
    assert_int_equal(rc, LR_ENOMEM);
    assert_non_null(strstr(e.msg, "max-memory"));
    assert_ptr_equal(t->s.plan, before);
    solve_all(t, LR_MODE_ASYM);
}

/* A limit on the size of files is met as a full disk is: an error with the folder's name,
 * and the session goes on. */
static void solve__survives_a_full_disk(void **state)
{
    struct setting *t = *state;
    struct lr_err e = {0};
    struct rlimit old, low;

    choose_wide(t);
    const struct lr_layer_plan *plan_before = t->s.plan;
    t->s.settings.cache_memory = 0;
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 4096;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    setenv("TMPDIR", t->folder.path, 1);
    setrlimit(RLIMIT_FSIZE, &low);
    enum lr_status rc = try_solve(t, NULL, -1, LR_MODE_ASYM, NULL, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, before);
    assert_int_equal(rc, LR_EIO);
    assert_non_null(strstr(e.msg, t->folder.path));
    assert_ptr_equal(t->s.plan, plan_before);
    solve_all(t, LR_MODE_ASYM);
    unsetenv("TMPDIR");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(plan__without_room_keeps_nothing),
        TEST(plan__keeps_what_is_narrow),
        TEST(plan__goes_to_the_disk_for_what_memory_cannot_hold),
        TEST(plan__holds_every_budget_and_gains_by_more),
        TEST(solve__does_not_depend_on_what_is_kept),
        TEST(solve__holds_no_more_than_stated),
        TEST(solve__is_refused_beforehand_when_memory_cannot_do),
        TEST(solve__survives_a_full_disk),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
