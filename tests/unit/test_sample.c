/* Sampling: images whose pixels name their image and position show where every row is
 * from. */
#include <signal.h>
#include <sys/resource.h>

#include "session_fixture.h"

#include "ranklab/approx.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"

enum { N_IMAGES = 37, AREA = FX_SIZE * FX_SIZE };

struct setting {
    struct fx_folder folder;
    struct lr_graph *chain;
    struct lr_dataset *waves, *named;
};

/* Channel 0 of every pixel is the image's number, channel 1 the position's. */
static void write_named(const struct fx_folder *f)
{
    float *x = lr_calloc((size_t)N_IMAGES * FX_C * AREA, sizeof(*x));
    char path[600];

    assert_non_null(x);
    for (int i = 0; i < N_IMAGES; i++)
        for (int k = 0; k < AREA; k++) {
            x[(i * FX_C) * AREA + k] = (float)i;
            x[(i * FX_C + 1) * AREA + k] = (float)k;
        }
    assert_ok(lr_npy_write(fx_path(path, f, "named.npy"), x,
                           (int64_t[]){N_IMAGES, FX_C, FX_SIZE, FX_SIZE}, 4, fx_e));
    lr_free(x);
}

static int set_up(void **state)
{
    struct setting *t = calloc(1, sizeof(*t));
    struct lr_data_opts o = {0};
    char path[600];

    assert_non_null(t);
    t->folder = fx_folder_make();
    t->chain = fx_chain(5);
    write_named(&t->folder);
    fx_write_images(&t->folder, "waves.npy", N_IMAGES, 3);
    assert_ok(lr_dataset_open(&t->named, fx_path(path, &t->folder, "named.npy"), FX_C,
                              FX_SIZE, FX_SIZE, &o, NULL, fx_e));
    assert_ok(lr_dataset_open(&t->waves, fx_path(path, &t->folder, "waves.npy"), FX_C,
                              FX_SIZE, FX_SIZE, &o, NULL, fx_e));
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct setting *t = *state;

    lr_graph_free(t->chain);
    lr_dataset_free(t->waves);
    lr_dataset_free(t->named);
    fx_folder_remove(&t->folder);
    free(t);
    return 0;
}

static int value_of(const struct setting *t, const char *name)
{
    int v = lr_graph_find_value(t->chain, name);

    assert_true(v >= 0);
    return v;
}

/* The rows of the images themselves. */
static struct lr_rows sample_input(const struct setting *t, const struct lr_sampling *o)
{
    struct lr_rows r = {0};
    int v = t->chain->inputs[0];

    assert_ok(lr_sample_values(&r, &v, 1, t->chain, t->named, o, NULL, fx_e));
    return r;
}

static void sample__keeps_images_whole_and_positions_distinct(void **state)
{
    const struct setting *t = *state;
    struct lr_sampling o;
    bool seen[N_IMAGES] = {false};
    int n_ordered = 0;

    lr_sampling_default(&o);
    struct lr_rows r = sample_input(t, &o);
    assert_int_equal(r.n, N_IMAGES * 10);
    assert_int_equal(r.d, FX_C);
    for (int i = 0; i < N_IMAGES; i++) {
        const float *row = r.x + (size_t)i * 10 * FX_C;
        int image = (int)row[0];
        assert_in_range(image, 0, N_IMAGES - 1);
        assert_false(seen[image]);
        seen[image] = true;
        n_ordered += image == i;
        for (int a = 0; a < 10; a++) {
            assert_true(row[a * FX_C] == (float)image);
            assert_in_range((int)row[a * FX_C + 1], 0, AREA - 1);
            for (int b = 0; b < a; b++)
                assert_true(row[a * FX_C + 1] != row[b * FX_C + 1]);
        }
    }
    assert_true(n_ordered < N_IMAGES / 2); /* a random order, not the file's */
    lr_rows_free(&r);
}

static void sample__reaches_every_position_including_borders(void **state)
{
    const struct setting *t = *state;
    bool seen[AREA] = {false};
    struct lr_sampling o;

    lr_sampling_default(&o);
    o.n_positions = 60;
    struct lr_rows r = sample_input(t, &o);
    for (size_t i = 0; i < r.n; i++)
        seen[(int)r.x[i * FX_C + 1]] = true;
    for (int k = 0; k < AREA; k++)
        assert_true(seen[k]);
    lr_rows_free(&r);
}

static void sample__depends_on_the_seed_alone(void **state)
{
    const struct setting *t = *state;
    struct lr_sampling o;

    lr_sampling_default(&o);
    struct lr_rows a = sample_input(t, &o), b = sample_input(t, &o);
    o.seed = 2;
    struct lr_rows c = sample_input(t, &o);
    assert_memory_equal(a.x, b.x, a.n * FX_C * sizeof(float));
    assert_memory_not_equal(a.x, c.x, a.n * FX_C * sizeof(float));
    lr_rows_free(&a);
    lr_rows_free(&b);
    lr_rows_free(&c);
}

static void sample__gives_all_positions_of_small_maps(void **state)
{
    const struct setting *t = *state;
    struct lr_sampling o;
    struct lr_rows r[2] = {{0}};
    int values[2] = {value_of(t, "conv3_out"), t->chain->inputs[0]};

    lr_sampling_default(&o);
    o.n_positions = 100;
    assert_ok(lr_sample_values(r, values, 2, t->chain, t->waves, &o, NULL, fx_e));
    assert_int_equal(r[0].n, N_IMAGES * 36);
    assert_int_equal(r[1].n, N_IMAGES * 100);
    lr_rows_free(&r[0]);
    lr_rows_free(&r[1]);
}

static void sample__takes_the_same_positions_in_maps_of_equal_size(void **state)
{
    const struct setting *t = *state;
    struct lr_sampling o;
    struct lr_rows r[3] = {{0}};
    int values[3] = {value_of(t, "conv2_out"), value_of(t, "relu2_out"),
                     value_of(t, "conv2_out")};

    lr_sampling_default(&o);
    assert_ok(lr_sample_values(r, values, 3, t->chain, t->waves, &o, NULL, fx_e));
    for (size_t i = 0; i < r[0].n * 20; i++)
        assert_true(r[1].x[i] == (r[0].x[i] > 0 ? r[0].x[i] : 0));
    assert_memory_equal(r[0].x, r[2].x, r[0].n * 20 * sizeof(float));
    for (int i = 0; i < 3; i++)
        lr_rows_free(&r[i]);
}

/* conv1 at every sampled position, by the definition of a convolution. */
static void sample__agrees_with_a_naive_convolution(void **state)
{
    const struct setting *t = *state;
    const float *w = t->chain->values[value_of(t, "conv1_w")].tensor->data;
    const float *b = t->chain->values[value_of(t, "conv1_b")].tensor->data;
    struct lr_sampling o;
    struct lr_rows where, y = {0};
    int v = value_of(t, "conv1_out");

    lr_sampling_default(&o);
    where = sample_input(t, &o);
    assert_ok(lr_sample_values(&y, &v, 1, t->chain, t->named, &o, NULL, fx_e));
    for (size_t i = 0; i < y.n; i += 7) {
        int image = (int)where.x[i * FX_C], pos = (int)where.x[i * FX_C + 1];
        for (int d = 0; d < 16; d++) {
            double sum = b[d];
            for (int kh = 0; kh < 3; kh++)
                for (int kw = 0; kw < 3; kw++) {
                    int row = pos / FX_SIZE + kh - 1, col = pos % FX_SIZE + kw - 1;
                    if (row < 0 || col < 0 || row >= FX_SIZE || col >= FX_SIZE)
                        continue;
                    const float *k = w + d * FX_C * 9 + kh * 3 + kw;
                    sum += (double)k[0] * image + (double)k[9] * (row * FX_SIZE + col);
                }
            double got = (double)y.x[i * 16 + (size_t)d];
            assert_true(fabs(got - sum) <= 1e-4 * (1 + fabs(sum)));
        }
    }
    lr_rows_free(&where);
    lr_rows_free(&y);
}

/* is_spilled: the activations go through a file. */
static void check_resuming(const struct setting *t, bool is_spilled)
{
    struct lr_sampling o;
    struct lr_rows first = {0}, whole[2] = {{0}}, resumed[2] = {{0}};
    struct lr_kept kept = {.value = value_of(t, "relu1_out"), .is_spilled = is_spilled};
    struct lr_kept later = {.value = value_of(t, "relu3_out"), .is_spilled = is_spilled};
    int v1 = value_of(t, "conv1_out");
    int values[2] = {value_of(t, "conv4_out"), kept.value};

    lr_sampling_default(&o);
    assert_ok(
        lr_sample_pass(&first, &v1, 1, t->chain, t->waves, NULL, &kept, &o, NULL, fx_e));
    assert_int_equal(kept.n, N_IMAGES);
    assert_int_equal(kept.per_image, 16 * AREA);
    assert_true(lr_kept_is_there(&kept));
    assert_int_equal(kept.x == NULL, is_spilled);
    assert_ok(lr_sample_values(whole, values, 2, t->chain, t->waves, &o, NULL, fx_e));
    assert_ok(lr_sample_pass(resumed, values, 2, t->chain, t->waves, &kept, &later, &o,
                             NULL, fx_e));
    for (int k = 0; k < 2; k++) {
        assert_int_equal(whole[k].n, resumed[k].n);
        for (size_t i = 0; i < whole[k].n * (size_t)whole[k].d; i++)
            assert_true(fabsf(whole[k].x[i] - resumed[k].x[i]) <=
                        1e-5f * (1 + fabsf(whole[k].x[i])));
        lr_rows_free(&whole[k]);
        lr_rows_free(&resumed[k]);
    }
    assert_int_equal(later.per_image, 24 * 36);
    lr_rows_free(&first);
    lr_kept_free(&kept);
    lr_kept_free(&later);
}

static void sample__resumes_from_kept_activations(void **state)
{
    check_resuming(*state, false);
}

static int count_files(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void sample__resumes_from_spilled_activations_and_leaves_no_file(void **state)
{
    const struct setting *t = *state;
    const int before = count_files(t->folder.path);

    setenv("TMPDIR", t->folder.path, 1);
    check_resuming(t, true);
    assert_int_equal(count_files(t->folder.path), before);
    unsetenv("TMPDIR");
}

/* A limit on the size of files is met as a full disk is. */
static void sample__names_the_folder_when_the_disk_is_full(void **state)
{
    const struct setting *t = *state;
    struct lr_sampling o;
    struct lr_rows r = {0};
    struct lr_kept kept = {.value = value_of(t, "relu1_out"), .is_spilled = true};
    struct lr_err e = {0};
    struct rlimit old, low;
    int v = value_of(t, "conv2_out");

    lr_sampling_default(&o);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 4096;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    setenv("TMPDIR", t->folder.path, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum lr_status rc =
        lr_sample_pass(&r, &v, 1, t->chain, t->waves, NULL, &kept, &o, NULL, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    unsetenv("TMPDIR");
    signal(SIGXFSZ, before);
    assert_int_equal(rc, LR_EIO);
    assert_non_null(strstr(e.msg, t->folder.path));
    assert_non_null(strstr(e.msg, "spill"));
    assert_false(lr_kept_is_there(&kept));
    assert_null(r.x);
}

/* With the value behind it asked for too, the whole map has to be computed. */
static void check_patches(const struct setting *t, const struct lr_graph *g,
                          const char *conv, const char *behind)
{
    struct lr_sampling o;
    struct lr_rows patches = {0}, maps[2] = {{0}};
    int values[2] = {lr_graph_find_value(g, conv), lr_graph_find_value(g, behind)};

    lr_sampling_default(&o);
    o.n_positions = 5;
    assert_ok(lr_sample_values(&patches, values, 1, g, t->waves, &o, NULL, fx_e));
    assert_ok(lr_sample_values(maps, values, 2, g, t->waves, &o, NULL, fx_e));
    assert_int_equal(patches.n, maps[0].n);
    bool is_same = true;
    for (size_t i = 0; i < maps[0].n * (size_t)maps[0].d; i++) {
        float a = patches.x[i], b = maps[0].x[i];
        is_same = is_same && a == b;
        if (!(fabsf(a - b) <= 2e-5f * (1 + fabsf(b))))
            fail_msg("%s: %g by patches, %g in the map", conv, (double)a, (double)b);
    }
    if (is_same)
        print_message("%s: no difference at all\n", conv);
    lr_rows_free(&patches);
    lr_rows_free(&maps[0]);
    lr_rows_free(&maps[1]);
}

static void sample__by_patches_is_what_the_map_gives(void **state)
{
    const struct setting *t = *state;
    struct lr_graph *mixed = fx_mixed(7);

    check_patches(t, t->chain, "conv1_out", "relu1_out"); /* reads the images */
    check_patches(t, t->chain, "conv2_out", "relu2_out");
    check_patches(t, t->chain, "conv3_out", "relu3_out"); /* stride 2 */
    check_patches(t, mixed, "conv2_out", "relu2_out");    /* two groups */
    check_patches(t, mixed, "p3_out", "relu3_out");       /* 1 x 1 */
    lr_graph_free(mixed);
}

static void sample__split_holds_whole_images_out(void **state)
{
    struct lr_sampling o;
    size_t fit, valid, held;

    (void)state;
    lr_sampling_default(&o);
    lr_sampling_split(&fit, &valid, &held, 30000, 3000, &o);
    assert_int_equal(fit, 24000);
    assert_int_equal(valid, 3000);
    assert_int_equal(held, 3000);
    lr_sampling_split(&fit, &valid, &held, 370, 37, &o);
    assert_int_equal(valid, 40);
    assert_int_equal(held, 40);
    assert_int_equal(fit, 290);
    lr_sampling_split(&fit, &valid, &held, 50, 5, &o);
    assert_int_equal(valid, 10);
    assert_int_equal(held, 10);
    lr_sampling_split(&fit, &valid, &held, 10, 1, &o);
    assert_int_equal(fit, 10);
    assert_int_equal(valid + held, 0);
    o.held_share = 1;
    lr_sampling_split(&fit, &valid, &held, 100, 10, &o);
    assert_int_equal(fit, 10);
    assert_int_equal(held, 90);
}

static int stop_later(void *ctx, double fraction, const char *what)
{
    int *left = ctx;

    (void)fraction;
    (void)what;
    return (*left)-- <= 0;
}

static void sample__stops_on_request(void **state)
{
    const struct setting *t = *state;
    struct lr_sampling o;
    struct lr_err e = {0};
    struct lr_rows r = {0};
    int v = value_of(t, "conv1_out"), left = 1;
    struct lr_progress p = {.tick = stop_later, .ctx = &left};

    lr_sampling_default(&o);
    assert_int_equal(lr_sample_values(&r, &v, 1, t->chain, t->waves, &o, &p, &e),
                     LR_EINTR);
    assert_null(r.x);
}

/* A value of two dimensions is a map of one position: its rows are those of each image,
 * in the order of images that every other value has. */
static void sample__takes_vectors_as_maps_of_one_position(void **state)
{
    const struct setting *t = *state;
    struct lr_sampling o;
    struct lr_rows r[2] = {{0}},
                   where = sample_input(t, &(struct lr_sampling){.n_positions = 1,
                                                                 .seed = 1,
                                                                 .valid_share = 0.1,
                                                                 .held_share = 0.1});
    int values[2] = {value_of(t, "fc_out"), value_of(t, "conv3_out")};
    int64_t n_classes = t->chain->values[values[0]].shape.dims[1];
    struct lr_net *net = NULL;
    struct lr_net_output output = {values[0], LR_NCHW};
    struct lr_net_opts opts = {.batch = N_IMAGES, .outputs = &output, .n_outputs = 1};
    float *images = lr_alloc((size_t)N_IMAGES * FX_C * AREA, sizeof(float));
    const float *fed = images;

    lr_sampling_default(&o);
    assert_non_null(images);
    assert_ok(lr_sample_values(r, values, 2, t->chain, t->named, &o, NULL, fx_e));
    assert_int_equal(r[0].n, N_IMAGES);
    assert_int_equal(r[0].d, n_classes);
    assert_int_equal(r[1].n, N_IMAGES * 10);
    assert_ok(lr_dataset_batch(t->named, 0, N_IMAGES, images, fx_e));
    assert_ok(lr_net_compile(&net, t->chain, &opts, fx_e));
    assert_ok(lr_net_run(net, N_IMAGES, &fed, fx_e));
    for (size_t i = 0; i < N_IMAGES; i++) {
        size_t image = (size_t)where.x[i * FX_C];
        const float *want = lr_net_output(net, 0, NULL) + image * (size_t)n_classes;
        for (size_t k = 0; k < (size_t)n_classes; k++)
            assert_true(fabsf(r[0].x[i * (size_t)n_classes + k] - want[k]) <=
                        1e-4f * (1 + fabsf(want[k])));
    }
    lr_net_free(net);
    lr_free(images);
    lr_rows_free(&r[0]);
    lr_rows_free(&r[1]);
    lr_rows_free(&where);
}

static void sample__refuses_values_that_are_not_there(void **state)
{
    const struct setting *t = *state;
    struct lr_sampling o;
    struct lr_err e = {0};
    struct lr_rows r = {0};
    int v = 9999;

    lr_sampling_default(&o);
    assert_int_equal(lr_sample_values(&r, &v, 1, t->chain, t->waves, &o, NULL, &e),
                     LR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample__keeps_images_whole_and_positions_distinct),
        cmocka_unit_test(sample__reaches_every_position_including_borders),
        cmocka_unit_test(sample__depends_on_the_seed_alone),
        cmocka_unit_test(sample__gives_all_positions_of_small_maps),
        cmocka_unit_test(sample__takes_the_same_positions_in_maps_of_equal_size),
        cmocka_unit_test(sample__agrees_with_a_naive_convolution),
        cmocka_unit_test(sample__resumes_from_kept_activations),
        cmocka_unit_test(sample__resumes_from_spilled_activations_and_leaves_no_file),
        cmocka_unit_test(sample__names_the_folder_when_the_disk_is_full),
        cmocka_unit_test(sample__by_patches_is_what_the_map_gives),
        cmocka_unit_test(sample__split_holds_whole_images_out),
        cmocka_unit_test(sample__stops_on_request),
        cmocka_unit_test(sample__takes_vectors_as_maps_of_one_position),
        cmocka_unit_test(sample__refuses_values_that_are_not_there),
    };
    lr_la_set_threads(1); /* the networks are too small to share */
    return cmocka_run_group_tests_name("sample", tests, set_up, tear_down);
}
