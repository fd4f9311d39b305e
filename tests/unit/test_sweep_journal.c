/* Sweeps through the journal: what is known is not computed, what differs in anything is
 * not taken for it, and what comes back is what was measured. */
#include "session_fixture.h"

#include <sys/stat.h>

#include "ranklab/journal.h"
#include "ranklab/sweep.h"
#include "session/internal.h"

enum { N_CALIB = 60, N_EVAL = 400 };

static struct fx_folder folder;

static void open_embedded(struct lr_session *s)
{
    struct lr_data_opts calib = {.count = N_CALIB, .seed = 1};
    struct lr_data_opts eval = {.count = N_EVAL, .seed = 1};
    char path[600];

    lr_session_init(s);
    s->settings.n_iter1 = s->settings.n_iter2 = 2;
    s->settings.has_journal = true;
    assert_ok(
        lr_journal_open(&s->journal, fx_path(path, &folder, "j.jsonl"), NULL, fx_e));
    assert_ok(lr_session_open(s, "@fashion", NULL, NULL, fx_e));
    assert_ok(lr_session_data(s, 0, "@fashion", &calib, fx_e));
    assert_ok(lr_session_data(s, 1, "@fashion", &eval, fx_e));
}

struct seen {
    int n, n_known;
    struct lr_sweep_point p[16];
};

static void take(void *ctx, const struct lr_sweep_point *p)
{
    struct seen *k = ctx;

    assert_in_range(k->n, 0, 15);
    k->n_known += p->is_from_journal;
    k->p[k->n++] = *p;
}

static const int layers[] = {1, 3};

static struct seen sweep(struct lr_session *s, struct lr_sweep_opts o)
{
    struct seen k = {0};

    o.layers = o.n_layers > 0 ? o.layers : layers;
    o.n_layers = o.n_layers > 0 ? o.n_layers : 2;
    o.on_point = take;
    o.ctx = &k;
    assert_ok(lr_session_sweep(s, &o, fx_e));
    return k;
}

/* Same bits, or both not known. */
static void assert_same(double a, double b)
{
    assert_true((isnan(a) && isnan(b)) || (!(a < b) && !(a > b) && !isnan(a + b)));
}

static void assert_same_point(const struct lr_sweep_point *a,
                              const struct lr_sweep_point *b)
{
    const struct lr_eval *x = &a->eval, *y = &b->eval;

    assert_int_equal(a->layer, b->layer);
    assert_int_equal(a->method, b->method);
    assert_int_equal(a->ranks.channel, b->ranks.channel);
    assert_int_equal(a->ranks.spatial, b->ranks.spatial);
    assert_int_equal(a->macs, b->macs);
    assert_int_equal(a->n_images, b->n_images);
    assert_int_equal(x->images, y->images);
    assert_same(a->speedup, b->speedup);
    assert_same(a->energy, b->energy);
    assert_same(a->error_linear, b->error_linear);
    assert_same(a->error_heldout, b->error_heldout);
    assert_same(a->sampling, b->sampling);
    assert_same(x->top1, y->top1);
    assert_same(x->top1_original, y->top1_original);
    assert_same(x->top1_difference, y->top1_difference);
    assert_same(x->difference_low, y->difference_low);
    assert_same(x->difference_high, y->difference_high);
    assert_same(x->top1_low, y->top1_low);
    assert_same(x->top1_high, y->top1_high);
    assert_same(x->top5, y->top5);
    assert_same(x->top5_original, y->top5_original);
    assert_same(x->agreement, y->agreement);
    assert_same(x->output_error, y->output_error);
    assert_same(x->seconds, y->seconds);
}

static int begin(void **state)
{
    (void)state;
    folder = fx_folder_make();
    return 0;
}

static int end(void **state)
{
    (void)state;
    fx_folder_remove(&folder);
    return 0;
}

/* Nothing was sampled, and no image went through the original. */
static void assert_untouched(const struct lr_session *s)
{
    assert_null(s->spectra);
    assert_null(s->responses);
    assert_null(s->original);
}

static void sweep_journal__answers_alone__what_is_known(void **state)
{
    static const struct lr_sweep_opts asked[] = {
        {.n_points = 3},
        {.n_points = 2, .precision = 0.05},
        {.n_points = 2, .metric = LR_METRIC_AGREEMENT, .precision = 0.05},
        {.n_points = 2, .metric = LR_METRIC_ERROR}};

    (void)state;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct lr_session s;
        char path[600];
        open_embedded(&s);
        struct seen first = sweep(&s, asked[i]);
        assert_in_range(first.n, 4, 6);
        assert_int_equal(first.n_known, 0);
        assert_int_equal(lr_journal_count(s.journal), first.n);
        lr_session_free(&s);
        open_embedded(&s);
        struct seen again = sweep(&s, asked[i]);
        assert_int_equal(again.n, first.n);
        assert_int_equal(again.n_known, first.n);
        assert_untouched(&s);
        assert_int_equal(s.sweeps->n, first.n);
        for (int k = 0; k < first.n; k++)
            assert_same_point(&again.p[k], &first.p[k]);
        lr_session_free(&s);
        unlink(fx_path(path, &folder, "j.jsonl"));
    }
}

/* With room for activations and without: then the points are run side by side. */
static const struct lr_sweep_point *find(const struct seen *k, int layer, int rank)
{
    for (int i = 0; i < k->n; i++)
        if (k->p[i].layer == layer && k->p[i].ranks.channel == rank)
            return &k->p[i];
    fail_msg("no point of layer %d at rank %d", layer, rank);
    return NULL;
}

static void check_rest(const struct seen *few, const struct seen *many,
                       const struct seen *anew)
{
    for (int k = 0; k < 12; k++) {
        int layer = layers[k / 6], rank = 4 + 4 * (k % 6);
        const struct lr_sweep_point *p = find(many, layer, rank),
                                    *q = find(anew, layer, rank);
        assert_int_equal(p->is_from_journal, rank % 8 == 0);
        if (rank % 8 == 0)
            assert_same_point(p, find(few, layer, rank));
        assert_int_equal(llround(q->eval.top1 * N_EVAL), llround(p->eval.top1 * N_EVAL));
        assert_true(fabs(q->error_linear - p->error_linear) <= 1e-9 * q->error_linear);
        assert_true(fabs(q->eval.output_error - p->eval.output_error) <=
                    1e-5 * q->eval.output_error);
    }
}

static void sweep_journal__computes_the_rest__what_is_new(void **state)
{
    static const int64_t memory[] = {(int64_t)2 << 30, 0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct lr_session s;
        char path[600];
        struct lr_sweep_opts few = {.first = 8, .last = 24, .step = 8};
        struct lr_sweep_opts many = {.first = 4, .last = 24, .step = 4};
        struct seen k[3];
        for (int n = 0; n < 3; n++) {
            open_embedded(&s);
            s.settings.cache_memory = memory[i];
            s.settings.has_journal = n < 2; /* in the end without */
            k[n] = sweep(&s, n == 0 ? few : many);
            if (n == 1)
                assert_int_equal(lr_journal_count(s.journal), 12);
            lr_session_free(&s);
        }
        assert_int_equal(k[0].n, 6);
        assert_int_equal(k[1].n, 12);
        assert_int_equal(k[1].n_known, 6);
        assert_int_equal(k[2].n_known, 0);
        check_rest(&k[0], &k[1], &k[2]);
        unlink(fx_path(path, &folder, "j.jsonl"));
    }
}

static void sweep_journal__serves_a_precision__from_all_images(void **state)
{
    struct lr_session s;
    struct lr_sweep_opts o = {.n_points = 1};

    (void)state;
    open_embedded(&s);
    struct seen all = sweep(&s, o);
    o.precision = 0.05;
    struct seen some = sweep(&s, o);
    assert_int_equal(some.n_known, some.n);
    assert_int_equal(some.p[0].eval.images, N_EVAL);
    assert_same_point(&some.p[0], &all.p[0]);
    /* The other way round, and for another precision, a sample is no answer. */
    o.count = N_EVAL - 1;
    some = sweep(&s, o);
    assert_int_equal(some.n_known, 0);
    assert_true(some.p[0].sampling > 0 && some.p[0].sampling <= 0.05);
    assert_true(some.p[0].eval.images < N_EVAL - 1);
    o.precision = 0.04;
    assert_int_equal(sweep(&s, o).n_known, 0);
    /* A precision that takes them all answers for all. */
    o.precision = 1e-6;
    some = sweep(&s, o);
    assert_int_equal(some.n_known, 0);
    assert_int_equal(some.p[0].eval.images, N_EVAL - 1);
    o.precision = 0;
    assert_int_equal(sweep(&s, o).n_known, some.n);
    o.count = N_EVAL - 2;
    o.precision = 0.05;
    assert_int_equal(sweep(&s, o).n_known, 0);
    o.precision = 0;
    assert_int_equal(sweep(&s, o).n_known, 0);
    lr_session_free(&s);
}

static void sweep_journal__asks_anew__when_anything_differs(void **state)
{
    struct lr_session s;
    const int one[] = {3};
    struct lr_sweep_opts o = {
        .layers = one, .n_layers = 1, .first = 12, .last = 12, .step = 1};
    struct lr_data_opts other = {.count = N_CALIB + 1, .seed = 1};

    (void)state;
    open_embedded(&s);
    assert_int_equal(sweep(&s, o).n_known, 0);
    assert_int_equal(sweep(&s, o).n_known, 1);
    s.settings.seed++;
    assert_int_equal(sweep(&s, o).n_known, 0);
    s.settings.n_iter1++;
    assert_int_equal(sweep(&s, o).n_known, 0);
    s.settings.n_iter2++;
    assert_int_equal(sweep(&s, o).n_known, 0);
    s.settings.lambda1 *= 1 + 1e-15;
    assert_int_equal(sweep(&s, o).n_known, 0);
    s.settings.lambda2 *= 1 + 1e-15;
    assert_int_equal(sweep(&s, o).n_known, 0);
    s.plan[3].method = LR_METHOD_PCA;
    assert_int_equal(sweep(&s, o).n_known, 0);
    o.metric = LR_METRIC_ERROR;
    assert_int_equal(sweep(&s, o).n_known, 0);
    o.metric = LR_METRIC_TOP1;
    assert_int_equal(sweep(&s, o).n_known, 1);
    o.count = N_EVAL / 2;
    assert_int_equal(sweep(&s, o).n_known, 0);
    assert_ok(lr_session_data(&s, 0, "@fashion", &other, fx_e));
    assert_int_equal(sweep(&s, o).n_known, 0);
    other.count = N_EVAL + 1;
    assert_ok(lr_session_data(&s, 1, "@fashion", &other, fx_e));
    assert_int_equal(sweep(&s, o).n_known, 0);
    assert_int_equal(sweep(&s, o).n_known, 1);
    s.settings.has_journal = false;
    assert_int_equal(sweep(&s, o).n_known, 0);
    lr_session_free(&s);
}

static void count_warnings(void *ctx, enum lr_note_level level, const char *text)
{
    (void)text;
    *(int *)ctx += level == LR_NOTE_WARNING;
}

static void sweep_journal__warns_once__when_it_cannot_be_written(void **state)
{
    struct lr_session s;
    char path[600];
    int n_warnings = 0;

    (void)state;
    assert_int_equal(mkdir(fx_path(path, &folder, "j"), 0700), 0);
    open_embedded(&s);
    lr_journal_close(s.journal);
    s.journal = NULL;
    assert_ok(
        lr_journal_open(&s.journal, fx_path(path, &folder, "j/j.jsonl"), NULL, fx_e));
    assert_int_equal(rmdir(fx_path(path, &folder, "j")), 0);
    s.notes = (struct lr_notes){count_warnings, &n_warnings};
    struct seen first = sweep(&s, (struct lr_sweep_opts){.n_points = 2});
    assert_int_equal(first.n, 4);
    assert_int_equal(n_warnings, 1);
    /* Kept for the session. */
    assert_int_equal(sweep(&s, (struct lr_sweep_opts){.n_points = 2}).n_known, 4);
    assert_int_equal(n_warnings, 1);
    lr_session_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sweep_journal__answers_alone__what_is_known,
                                        begin, end),
        cmocka_unit_test_setup_teardown(sweep_journal__computes_the_rest__what_is_new,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            sweep_journal__serves_a_precision__from_all_images, begin, end),
        cmocka_unit_test_setup_teardown(sweep_journal__asks_anew__when_anything_differs,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            sweep_journal__warns_once__when_it_cannot_be_written, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
